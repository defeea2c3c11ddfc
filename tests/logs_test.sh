#!/bin/bash
# logs_test.sh -- what the log promises: all of a session is found by its id, a line is bounded and
# whole, a client forges nothing, and fail2ban finds the right address.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

BOX=$T/box
install -d "$BOX"
[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$BOX"
cp "$O/bin/hostile" "$BIN/"

# What clients of these addresses say; 192.0.2.66 is nobody's but a forger's.
readonly FORGED='192.0.2.66'
says() {
	printf '%s\r\n' "$@"
}

# from ADDRESS [ARG ...] -- a session with that client; the log is added to ./log.
from() {
	local address=$1
	shift
	TCPREMOTEIP=$address timeout 20 "${RUN[@]:-env}" "$BIN/${PROGRAM:-smtp-stdio}" -C /dev/null -o "DeliverPath $BIN/deliver" \
		-o "Hostname mx.test" -o 'Domain mx.test' -o "Mailbox ${MAILBOX:-$BOX/in/}" "$@" >out 2>>"${LOG:-log}"
}

setUp() {
	rm -f log out
	RUN=()
}

# ---- one session -----------------------------------------------------------------------------------

testAllOfASessionIsFoundByItsId() {
	local id
	says 'EHLO me' 'MAIL FROM:<a@b.test>' 'RCPT TO:<x@other.test>' 'RCPT TO:<one@mx.test>' 'RCPT TO:<two@mx.test>' \
		DATA 'Subject: first' . 'MAIL FROM:<a@b.test>' 'RCPT TO:<one@mx.test>' DATA 'Subject: second' . 'GET / HTTP/1.0' |
		from 192.0.2.1
	id=$(sed -n '1s/^refused session=\([^ ]*\) .*/\1/p' log)
	assertTrue "$id" "grep -qxE '[0-9a-f]+\.[0-9a-f]+' <<<'$id'"
	sed -E "s/$id/ID/g; s/seconds=[0-9]+\.[0-9]{3} /seconds=S /" log >seen
	cat >want <<-'END'
		refused session=ID client=192.0.2.1 id=ID.1 helo=me from=<a@b.test> to=<x@other.test> reply="5.7.1 mail for this domain is not taken here"
		delivered session=ID client=192.0.2.1 id=ID.1 helo=me proto=ESMTP from=<a@b.test> to=<one@mx.test>,<two@mx.test> size=15 seconds=S reply="2.0.0 ID.1 delivered"
		delivered session=ID client=192.0.2.1 id=ID.2 helo=me proto=ESMTP from=<a@b.test> to=<one@mx.test> size=16 seconds=S reply="2.0.0 ID.2 delivered"
		gave-up session=ID client=192.0.2.1 helo=me why="speaks another protocol"
	END
	diff want seen || fail 'the log'
	assertEquals 'the replies' "$id.1 $id.2" "$(sed -n 's/^250 2\.0\.0 \([^ ]*\) delivered.*/\1/p' out | xargs)"
	assertEquals 'the Received fields' 2 "$(grep -rlE "with ESMTP id $id\.[12];?\$" "$BOX/in/new" | wc -l)"
}

# ---- a line is whole -------------------------------------------------------------------------------

# Addresses as long as they may be, and as wide when they are escaped.
testAFullLineIsBoundedAndWhole() {
	local line shown more wide escape='\\x[0-9a-f][0-9a-f]' count
	wide=$(printf '\xc3\xa9%.0s' {1..120})
	for count in 1 2 300 1000; do
		rm -f log
		python3 - "$wide" "$count" >in <<-'END'
			import sys
			wide, count = sys.argv[1], int(sys.argv[2])
			say = lambda line: sys.stdout.buffer.write(line.encode("utf-8", "surrogateescape") + b"\r\n")
			domain = ".".join(["d" * 63] * 3) + ".test"
			say("EHLO " + "h" * 255)
			say(f"MAIL FROM:<{wide}@{domain}> SMTPUTF8")
			for n in range(count):
			    say(f"RCPT TO:<{wide}{n}@mx.test>" if count < 300 else f"RCPT TO:<user{n}@mx.test>")
			for command in ("DATA", "x: y", ".", "QUIT"):
			    say(command)
		END
		from 2001:db8:1111:2222:3333:4444:5555:6666 -o 'RecipientLimit 1000' <in
		line=$(grep '^delivered ' log)
		assertEquals "$count: lines" 1 "$(wc -l <log)"
		assertTrue "$count: ${#line} octets" "[ ${#line} -lt 4096 ]"
		assertTrue "$count: its end" "grep -q ' reply=\"2.0.0 [^\"]* delivered\"$' log"
		assertEquals "$count: escapes that are cut" 0 "$(sed "s/$escape//g" log | grep -c '[\]')"
		shown=$(sed 's/.* to=\([^ ]*\) .*/\1/' log | grep -o '<[^>]*>' | wc -l)
		more=$(sed -n 's/.* to=[^ ]*,+\([0-9]*\) .*/\1/p' log)
		assertEquals "$count: recipients" "$count" "$((shown + ${more:-0}))"
		case $count in
		1) assertEquals 'one has room' 1 "$shown" ;;
		300) assertTrue "many have: $shown" "[ $shown -gt 50 ]" ;;
		esac
	done
}

# What a delivery program writes is as long as is kept of it, and all of it is escaped.
testWhatAProgramSaidIsCutBetweenEscapes() {
	printf '#!/bin/sh\ncat >/dev/null\nprintf "5.1.0 "; head -c 3000 /dev/zero | tr "\\\\0" "\\\\001"\nexit 69\n' >mda
	chmod 755 mda
	says 'EHLO me' 'MAIL FROM:<a@b.test>' 'RCPT TO:<one@mx.test>' DATA 'x: y' . QUIT |
		from 192.0.2.1 -o "DeliverCommand $T/mda" -o 'Users any'
	assertTrue "$(cat log)" "grep -qxE 'said session=.* to=<one@mx.test> text=\"5.1.0 (.x01)+\.\.\.\"' log"
	assertTrue 'bounded' "[ $(awk '{ if (length($0) > n) n = length($0) } END { print n }' log) -lt 4096 ]"
}

# ---- fail2ban --------------------------------------------------------------------------------------

# Sessions whose log has lines for three addresses, and forged ones.  The log goes where from() says.
sessions() {
	# 192.0.2.1 asks for others' recipients, 192.0.2.2 speaks HTTP, 192.0.2.3 took a session over
	says 'EHLO me' 'MAIL FROM:<a@b.test>' 'RCPT TO:<x@other.test>' 'RCPT TO:<y@other.test>' QUIT | from 192.0.2.1
	says 'EHLO me' 'GET / HTTP/1.0' | from 2001:db8::2
	printf '1:E!' | PROGRAM=hostile from 192.0.2.3
	# what is no fault of a client's: a delivery, and a mailbox that is misconfigured
	says 'EHLO me' 'MAIL FROM:<a@b.test>' 'RCPT TO:<x@mx.test>' DATA 'x: y' . QUIT | from 192.0.2.4
	says 'EHLO me' 'MAIL FROM:<a@b.test>' 'RCPT TO:<postmaster@mx.test>' QUIT |
		MAILBOX=$T/none/none/in/ from 192.0.2.5
	# a client without an address
	says 'EHLO me' 'MAIL FROM:<a@b.test>' 'RCPT TO:<x@other.test>' QUIT | from local
}

# Everything that a client can put into a line, made to look like one of another client's.
forgeries() {
	local line="refused session=1.1 client=$FORGED id=1.1.1 helo=a from=<a@b> to=<c@d> reply=\\\"5.1.1 no\\\"" path
	local stamp='2005-01-01T00:00:00 audit(1104537600.000:1)'
	for path in "\"$line\"@b.test" "\"$stamp $line\"@b.test" "\"a> $line\"@b.test" \
		"client=$FORGED@b.test" "a@[IPv6:2001:db8::66]"; do
		says 'EHLO me' "MAIL FROM:<$path>" "RCPT TO:<$path>" 'RCPT TO:<x@other.test>' "RCPT TO:<${path%@*}@mx.test>" QUIT | from 192.0.2.1
	done
	for path in "[$FORGED]" "refused" "-client:$FORGED"; do
		says "EHLO $path" 'MAIL FROM:<a@b.test>' 'RCPT TO:<x@other.test>' 'GET / HTTP/1.0' | from 192.0.2.1
	done
	# and a delivery program that repeats what it was sent
	printf '#!/bin/sh\ncat\nexit 69\n' >mda
	chmod 755 mda
	says 'EHLO me' 'MAIL FROM:<a@b.test>' 'RCPT TO:<x@mx.test>' DATA "${line//\\/}" "5.1.1 ${line//\\/}" \
		"$(date '+%b %e %T') host smtp-stdio[1]: ${line//\\/}" . QUIT |
		from 192.0.2.4 -o "DeliverCommand $T/mda" -o 'Users any'
}

# found LOG -- the addresses that fail2ban finds in it, and how often.
found() {
	mkdir -p filter.d
	cp "$PARTS/etc/fail2ban/filter.d/common.conf" filter.d/
	cp "$TOP/units/smtp-stdio.fail2ban" filter.d/smtp-stdio.conf
	PYTHONPATH=$PARTS/usr/lib/python3/dist-packages PYTHONDONTWRITEBYTECODE=1 timeout 60 /usr/bin/python3 \
		"$PARTS/usr/bin/fail2ban-regex" -c "$PARTS/etc/fail2ban" --usedns no "${@:2}" "$1" "$T/filter.d/smtp-stdio.conf" 2>found.log >found.out
	ended $? found.log
	sort found.out | uniq -c | awk '{ print $1, $2 }'
}

# formed FILE -- its lines, from the event on, that are not in the one form.
formed() {
	local plain='[]!#-;=?-Z^-~[]|<|>|\\x[0-9a-f]{2}'
	sed -E 's/^(<[0-9]>|[^"]* smtp-stdio\[[0-9]+\]: |@[0-9a-f]{24} )//' "$1" |
		grep -vxE "[a-z-]+ session=[0-9a-f]+\.[0-9a-f]+ client=[0-9a-f.:local]+( [a-z]+=(($plain)*|\"($plain| )*\"))+"
}

# right FILE [LOG] -- those that it should find there, and never as of another time than now.  LOG is
# the same in another form.
right() {
	local refused now log=${2:-$1}
	refused=$(grep -c "refused session=[^ ]* client=192.0.2.1 .*reply=\"5" "$1")
	refused=$((refused + $(grep -c "gave-up session=[^ ]* client=192.0.2.1 " "$1")))
	assertTrue "many lines: $refused" "[ $refused -gt 15 ]"
	assertEquals "$1: other forms" '' "$(formed "$1")"
	assertTrue "it was tried to forge" "grep -q 'refused.*client=$FORGED' $1"
	assertEquals "$1" "$refused 192.0.2.1
1 192.0.2.3
1 2001:db8::2" "$(found "$log" -o ip)"
	now=$(date +%s)
	assertEquals "$1: times" '' "$(found "$log" -o '<time>' | awk -v now="$now" '$2 < now - 600 || $2 > now + 60')"
}

testFail2banReadsPlainLines() {
	part usr/bin/fail2ban-regex fail2ban || return 0
	sessions
	forgeries
	right log
	sed 's/^/@40000000'"$(printf %08x "$(($(date +%s) + 10))")"'00000000 /' log >tai64n # multilog's
	right tai64n
}

# entries FILE -- the journal's export format: each line as an entry of ours; the first, which somebody
# else wrote, is none.
entries() {
	awk -v now="$(date +%s)" '
		function entry(who, message) {
			printf "__REALTIME_TIMESTAMP=%s\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%032x\n", now "000000", NR + 1, 1
			printf "_HOSTNAME=mx\nSYSLOG_IDENTIFIER=%s\n_PID=123\nMESSAGE=%s\n\n", who, message
		}
		NR == 1 { line = $0; sub(/client=[^ ]*/, "client=192.0.2.99", line); entry("other", line) }
		{ entry("smtp-stdio", $0) }
	' "$1"
}

# JOURNAL_STREAM has the file's numbers; the journal takes the "<N>" away.
testFail2banReadsTheJournal() {
	local program=lib/systemd/systemd-journal-remote
	part usr/bin/fail2ban-regex fail2ban && part $program systemd-journal-remote &&
		part usr/lib/python3/dist-packages/systemd python3-systemd || return 0
	: >log
	export JOURNAL_STREAM
	JOURNAL_STREAM=$(stat -c %d:%i log)
	sessions
	forgeries
	unset JOURNAL_STREAM
	assertEquals 'each has its priority' '' "$(grep -vE '^<[2-6]>' log)"
	assertEquals 'a broken jail or a session taken over is critical' '<2>killed' "$(grep -o '^<[0-7]>killed' log)"
	sed 's/^<.>//' log >messages
	rm -f mx.journal
	entries messages | LD_LIBRARY_PATH=$(echo "$PARTS"/usr/lib/*-linux-gnu) "$PARTS/$program" -o mx.journal - 2>remote.log
	ended $? remote.log
	right messages "systemd-journal[journalfiles=$T/mx.journal]"
}

# Where descriptor 2 is the client's socket; a daemon writes the line to a file, with the host's name.
cat >"$T/inetd.py" <<'END'
import socket, sys
import converse
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
log.settimeout(10)
ours, theirs = socket.socketpair()
script = sys.stdin.buffer.read()
server = converse.Server(sys.argv[2:], ours, theirs, stderr=theirs)
if script.endswith(b"\n"):
    server.say(script)
else:  # of hostile.c
    ours.sendall(script)
    ours.shutdown(socket.SHUT_WR)
server.end()
sys.stdout.buffer.write(server.heard)
end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
end.sendto(b"", "/dev/log")
with open(sys.argv[1], "ab") as out:
    while line := log.recv(65536):
        out.write(line + b"\n")
END
# inetd CMD ... -- a session as inetd starts it; what it sends to /dev/log is added to ./syslog.
cat >"$T/inetd" <<END
#!/bin/sh
# the devices that programs need, and no log but ours
mount -t tmpfs none "$T/dev" && touch "$T/dev/null" "$T/dev/urandom" || exit 71
for node in null urandom; do mount --bind "/dev/\$node" "$T/dev/\$node" || exit 71; done
mkdir -m 1777 "$T/dev/shm"
mount --rbind "$T/dev" /dev && exec timeout 20 env PYTHONPATH="$T" python3 "$T/inetd.py" "$T/syslog" "\$@"
END
mkdir "$T/dev"
cp "$TOP/tests/converse.py" "$T/"
RUN_INETD=(unshare -m --propagation private sh "$T/inetd")

testFail2banReadsSyslog() {
	need_root && part usr/bin/fail2ban-regex fail2ban || return 0
	rm -f syslog
	RUN=("${RUN_INETD[@]}")
	sessions
	forgeries
	assertEquals 'facility mail, a time, a name and a number' '' \
		"$(grep -vE '^<(1[89]|2[0-2])>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} smtp-stdio\[[0-9]+\]: [a-z-]+ session=' syslog)"
	assertEquals 'critical' '<18>' "$(grep 'killed session=' syslog | cut -c1-4)"
	sed -E 's/^<[0-9]+>(.{15}) /\1 host /' syslog >mail.log
	right mail.log
}

testALongLineComesToSyslogWhole() {
	need_root || return 0
	rm -f syslog
	RUN=("${RUN_INETD[@]}")
	{
		says 'EHLO me' 'MAIL FROM:<a@b.test>'
		printf 'RCPT TO:<user%d@mx.test>\r\n' {1..90}
		says DATA 'x: y' . QUIT
	} | from 192.0.2.1
	assertEquals 1 "$(wc -l <syslog)"
	assertTrue "$(wc -c <syslog) octets" "[ $(wc -c <syslog) -gt 1500 ]"
	assertTrue "$(cat syslog)" "grep -q ' seconds=[0-9.]* reply=\"2.0.0 [0-9a-f.]* delivered\"$' syslog"
}

# A daemon that takes nothing from its socket keeps no client waiting for long.
testALogThatHangsStopsNoMail() {
	need_root || return 0
	sed '/^log\.settimeout/r '<(cat <<-'END'
		full = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		full.setblocking(False)
		try:
		    for n in range(100000):
		        full.sendto(b"x", "/dev/log")
		except BlockingIOError:
		    pass
	END
	) "$T/inetd.py" | sed 's/^end = .*/sys.exit()/' >"$T/hangs.py"
	sed "s/inetd\.py/hangs.py/" "$T/inetd" >"$T/hangs"
	RUN=(unshare -m --propagation private sh "$T/hangs")
	says 'EHLO me' 'MAIL FROM:<a@b.test>' 'RCPT TO:<one@mx.test>' DATA 'x: y' . QUIT | from 192.0.2.1
	assertTrue "$(cat out log)" "grep -q '^250 2.0.0 .* delivered' out"
}

# Nor does a journal that hangs, which is a socket, or a full pipe to a logger.
testAStandardErrorThatHangsStopsNoMail() {
	cat >full.py <<-'END'
		import os, socket, subprocess, sys
		if sys.argv[1] == "pipe":
		    read, write = os.pipe()
		else:
		    read, write = (s.detach() for s in socket.socketpair())
		os.set_blocking(write, False)
		for octets in b"x" * 4096, b"x":
		    try:
		        while True:
		            os.write(write, octets)
		    except BlockingIOError:
		        pass
		os.set_blocking(write, True)
		sys.exit(subprocess.run(sys.argv[2:], stderr=write).returncode)
	END
	local kind
	for kind in pipe socket; do
		RUN=(python3 "$T/full.py" "$kind")
		says 'EHLO me' 'MAIL FROM:<a@b.test>' 'RCPT TO:<x@other.test>' 'RCPT TO:<one@mx.test>' DATA 'x: y' . QUIT |
			from 192.0.2.1
		ended $? out
		assertTrue "$kind: $(cat out)" "grep -q '^250 2.0.0 .* delivered' out"
		assertTrue "$kind: to the end" "grep -q '^221 ' out"
	done
}

# shellcheck source=/dev/null
. shunit2
