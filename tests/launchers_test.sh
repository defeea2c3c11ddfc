#!/bin/bash
# launchers_test.sh -- every way to start smtp-stdio that units/ and the manual name, really started.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

export LD_LIBRARY_PATH=$PARTS/usr/lib/x86_64-linux-gnu:$PARTS/usr/lib/postfix

BOX=$T/box
cat >"$T/conf" <<EOF
Hostname mx.test
Domain here.test
Mailbox $BOX/in/
DeliverPath $BIN/deliver
EOF
SMTP="$BIN/smtp-stdio -C $T/conf"

# One client: says what it should, waits for each reply, and writes every octet that it hears.
cat >"$T/client.py" <<'EOF'
import socket, sys, time
def connect(where, port):
    end = time.monotonic() + 10
    while True:
        try:
            if port == "unix":
                s = socket.socket(socket.AF_UNIX)
                s.connect(where)
                return s
            return socket.create_connection((where, int(port)))
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
s = connect(sys.argv[1], sys.argv[2])
s.settimeout(15)
heard = s.makefile("rb")
def reply():
    while True:
        line = heard.readline()
        sys.stdout.buffer.write(line)
        if line[3:4] != b"-":
            return
reply()
for command in ("EHLO client.test", "MAIL FROM:<a@client.test>", "RCPT TO:<x@elsewhere.test>",
                "RCPT TO:<y@here.test>", "DATA", "Subject: launched\r\n\r\ntext\r\n.", "QUIT"):
    s.sendall(command.encode() + b"\r\n")
    reply()
sys.stdout.buffer.write(heard.read())  # to the end of the connection
EOF

setUp() {
	rm -rf "$BOX" syslog log heard
	install -d "$BOX"
	[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$BOX"
	: >log
}

tearDown() {
	local pid
	for pid in "${PIDS[@]:-}"; do
		[ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2>/dev/null
	done
	PIDS=()
}

# up CMD ... -- start a launcher; its standard error is ./log.
up() {
	"$@" >>log 2>&1 </dev/null &
	PIDS+=($!)
}

# sessions -- those of our programs that run, whatever started them.
sessions() {
	pgrep -f "^[^ ]*smtp-stdio -C $T/conf|^$BIN/deliver "
}
none() {
	[ -z "$(sessions)" ]
}

# arrived WANT -- one message came through, WANT is in its Received line, the client heard nothing
# but SMTP, and nothing runs any more.
WANT_HEARD='220 mx.test ESMTP
250-mx.test
250-PIPELINING
250-SIZE 36700160
250-8BITMIME
250-SMTPUTF8
250-CHUNKING
250-BINARYMIME
250-ENHANCEDSTATUSCODES
250-LIMITS MAILMAX=1000 RCPTMAX=100
250 HELP
250 2.1.0 sender ok
550 5.7.1 mail for this domain is not taken here
250 2.1.5 recipient ok
354 send the message; end it with CRLF.CRLF
250 2.0.0 ID delivered
221 2.0.0 goodbye'
arrived() {
	assertEquals "heard" "$WANT_HEARD" "$(sed 's/\r$//; s/ [0-9a-f]*\.[0-9a-f]*\.1 delivered$/ ID delivered/' heard)"
	assertEquals "every line ends in CRLF" 17 "$(grep -c $'\r$' heard)"
	assertEquals "messages" 1 "$(files "$BOX/in/new")"
	assertEquals "Received" "$1" "$(sed -n '/^Received: /{s///p;q}' "$BOX"/in/new/*)"
	assertEquals "what was sent" "$(printf 'Subject: launched\n\ntext')" "$(tail -n 3 "$BOX"/in/new/*)"
	assertTrue "nothing runs any more: $(sessions)" "wait_for none"
}

# client HOST PORT
client() {
	python3 "$T/client.py" "$1" "$2" >heard 2>client.log
	ended $? client.log
}

# logged FILE PEER -- the refusal and the delivery stand there.
logged() {
	assertEquals "refusal" 1 "$(grep -c "refused session=[0-9a-f.]* client=$2 id=.*to=<x@elsewhere.test>" "$1")"
	assertEquals "delivery" 1 "$(grep -c "delivered session=[0-9a-f.]* client=$2 id=.*to=<y@here.test>" "$1")"
}

# with_syslog CMD ... -- where /dev/log is ours, and what is sent there comes to ./syslog; root only.
cat >"$T/syslog.py" <<'EOF'
import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("dev/log")
os.chmod("dev/log", 0o666)
out = open("syslog", "wb", 0)
while True:
    out.write(s.recv(65536) + b"\n")
EOF
with_syslog() {
	rm -rf dev
	mkdir dev
	touch dev/null dev/urandom
	up python3 "$T/syslog.py"
	wait_for test -e syslog
	# shellcheck disable=SC2016  # expanded by the inner shell
	up unshare -m --propagation private sh -c 'for node in null urandom; do
		mount --bind "/dev/$node" "dev/$node" || exit; done
		mount --rbind dev /dev && exec "$@"' sh "$@"
}

# ---- super-servers ------------------------------------------------------------------------------

# xinetd [SED-SCRIPT] -- with the example, on $port of every address.
xinetd() {
	port=$(free_port)
	sed -e "s|= /usr/local/sbin/smtp-stdio|= $BIN/smtp-stdio|" \
		-e "s|^{|{\ntype = UNLISTED\nport = $port\nserver_args = -C $T/conf|" -e "${1:-}" \
		"$TOP/units/smtp-stdio.xinetd" >xinetd.conf
	with_syslog "$PARTS/usr/sbin/xinetd" -dontfork -f "$T/xinetd.conf" -pidfile "$T/xinetd.pid"
}

testXinetd() {
	need_root && part usr/sbin/xinetd xinetd || return 0
	local port
	xinetd 's|^{|{\nbind = 127.0.0.1|'
	client 127.0.0.1 "$port"
	arrived "from client.test ([127.0.0.1])"
	logged syslog 127.0.0.1
}

testXinetdForSomeClientsOnly() {
	need_root && part usr/sbin/xinetd xinetd || return 0
	local port
	xinetd 's|# \(only_from .*\) 192.0.2.0/24|\1 127.0.0.8/29|'
	wait_for bash -c ": <>/dev/tcp/127.0.0.1/$port"
	assertEquals "127.0.0.1 is no such client" "" "$(cat <"/dev/tcp/127.0.0.1/$port")"
	python3 - "$port" >heard <<-'END'
		import socket, sys
		s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), source_address=("127.0.0.9", 0))
		s.settimeout(15)
		sys.stdout.write(s.recv(100).decode())
	END
	assertEquals "127.0.0.9 is" "220 mx.test ESMTP" "$(tr -d '\r' <heard)"
}

testOpenbsdInetd() {
	need_root && part usr/sbin/inetd openbsd-inetd || return 0
	local port
	port=$(free_port)
	sed -e "s|^smtp|127.0.0.1:$port|" \
		-e "s|/usr/local/sbin/smtp-stdio.*|$BIN/smtp-stdio smtp-stdio -C $T/conf|" \
		"$TOP/units/inetd.conf" >inetd.conf
	with_syslog "$PARTS/usr/sbin/inetd" -i "$T/inetd.conf"
	client 127.0.0.1 "$port"
	arrived "from client.test ([127.0.0.1])"
	logged syslog 127.0.0.1
}

testInetutilsInetd() {
	need_root && part usr/sbin/inetutils-inetd inetutils-inetd || return 0
	local port
	port=$(free_port)
	sed -e "s|^smtp|127.0.0.1:$port|" \
		-e "s|/usr/local/sbin/smtp-stdio.*|$BIN/smtp-stdio smtp-stdio -C $T/conf|" \
		"$TOP/units/inetd.conf" >inetd.conf
	with_syslog "$PARTS/usr/sbin/inetutils-inetd" -d "$T/inetd.conf"
	client 127.0.0.1 "$port"
	arrived "from client.test ([127.0.0.1])"
	logged syslog 127.0.0.1
}

testTcpserver() {
	command -v tcpserver >/dev/null || { skip "ucspi-tcp is not installed"; return 0; }
	local port
	port=$(free_port)
	sed -e "s| 0 25 /usr/local/sbin/smtp-stdio| 127.0.0.1 $port $SMTP|" \
		"$TOP/units/tcpserver.run" >run
	up sh run
	client 127.0.0.1 "$port"
	arrived "from client.test ([127.0.0.1])"
	logged log 127.0.0.1
}

testS6Tcpserver() {
	command -v s6-tcpserver >/dev/null || { skip "there is no s6-networking, which Debian 12 does not have"; return 0; }
	local port
	port=$(free_port)
	sed -e "s| 0.0.0.0 25 /usr/local/sbin/smtp-stdio| 127.0.0.1 $port $SMTP|" \
		"$TOP/units/s6.run" >run
	up sh run
	client 127.0.0.1 "$port"
	arrived "from client.test ([127.0.0.1])"
	logged log 127.0.0.1
}

testSystemdSocketActivate() {
	local port
	port=$(free_port)
	# shellcheck disable=SC2086  # words are wanted
	up systemd-socket-activate -l "127.0.0.1:$port" --accept --inetd $SMTP
	client 127.0.0.1 "$port"
	arrived "from client.test ([127.0.0.1])"
	logged log 127.0.0.1
}

# ---- socat --------------------------------------------------------------------------------------

testSocatOverIpv4() {
	local port
	port=$(free_port)
	up socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" "EXEC:$SMTP"
	client 127.0.0.1 "$port"
	arrived "from client.test ([127.0.0.1])"
	logged log 127.0.0.1
}

testSocatOverPipes() {
	local port
	port=$(free_port)
	up socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" "EXEC:$SMTP,pipes"
	client 127.0.0.1 "$port"
	arrived "from client.test ([127.0.0.1])"
}

# listening ADDRESS -- a server there; $port is one that was free for it, too: another suite may have taken
# what was free a moment ago.
listening() {
	local try
	for try in 1 2 3; do
		port=$(free_port)
		# shellcheck disable=SC2086  # words are wanted
		up systemd-socket-activate -l "$1:$port" --accept --inetd $SMTP
		wait_for grep -q '^Listening on' log && return
	done
	echo "listening: try $try failed, too: $(cat log)"
}

testIpv6IsMarkedInTheTrace() {
	python3 -c 'import socket; socket.socket(socket.AF_INET6).bind(("::1", 0))' 2>/dev/null ||
		{ skip "there is no ::1 here"; return 0; }
	local port
	listening '[::1]'
	client ::1 "$port"
	arrived "from client.test ([IPv6:::1])"
	logged log ::1
	tearDown
	setUp
	listening '[::]'
	client 127.0.0.1 "$port"
	arrived "from client.test ([127.0.0.1])" # IPv4 on a socket of both
}

testAUnixSocketIsLocal() {
	up socat "UNIX-LISTEN:$T/socket,fork" "EXEC:$SMTP"
	client "$T/socket" unix
	arrived "from client.test"
	logged log local
}

# ---- a shell, a person --------------------------------------------------------------------------

batch() {
	crlf <<-'EOF'
		EHLO client.test
		MAIL FROM:<a@client.test>
		RCPT TO:<x@elsewhere.test>
		RCPT TO:<y@here.test>
		DATA
		Subject: launched

		text
		.
		QUIT
	EOF
}

testAFileAndAPipeAreLocal() {
	batch >in
	$SMTP <in >heard 2>log
	assertEquals 0 $?
	arrived "from client.test"
	logged log local
	setUp
	# shellcheck disable=SC2002  # a pipe is wanted
	cat in | $SMTP 2>log | cat >heard
	arrived "from client.test"
	logged log local
}

testTheEnvironmentTellsThePeerOnlyByAnAddress() {
	batch >in
	local pair
	for pair in REMOTE_ADDR=192.0.2.1=192.0.2.1 TCPREMOTEIP=192.0.2.2=192.0.2.2 \
		'SOCAT_PEERADDR=[2001:db8::1]=IPv6:2001:db8::1' REMOTE_HOST=192.0.2.4=192.0.2.4; do
		setUp
		env "${pair%=*}" "$BIN/smtp-stdio" -C "$T/conf" <in >heard 2>log
		arrived "from client.test ([${pair##*=}])"
	done
	for pair in REMOTE_HOST=host.test 'REMOTE_ADDR=192.0.2.1) evil' REMOTE_ADDR= $'TCPREMOTEIP=1\nX: y' \
		"REMOTE_ADDR=$(printf %070d 0)"; do
		setUp
		env "$pair" "$BIN/smtp-stdio" -C "$T/conf" <in >heard 2>log
		arrived "from client.test"
	done
}

# A terminal: what is typed, then what stood on the screen.  The terminal neither echoes nor turns
# CR into LF nor LF into CRLF, so that the octets are those of the two sides.
cat >"$T/terminal.py" <<'EOF'
import os, pty, subprocess, sys, tty
ours, theirs = pty.openpty()
tty.setraw(theirs)
child = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs, stderr=open("log", "w"))
os.close(theirs)
typed = sys.stdin.buffer.read()
def screen():
    try:
        return os.read(ours, 65536)
    except OSError:  # the other side is closed
        return b""
sys.stdout.buffer.write(screen())
os.write(ours, typed)
while octets := screen():
    sys.stdout.buffer.write(octets)
sys.exit(child.wait())
EOF

testAPersonAtATerminal() {
	# shellcheck disable=SC2086  # words are wanted
	batch | python3 "$T/terminal.py" $SMTP >heard
	assertEquals 0 $?
	arrived "from client.test"
	logged log local
}

testAPersonWhoTypesBareLfIsTold() {
	# shellcheck disable=SC2086  # words are wanted
	printf 'EHLO client.test\n\r\nQUIT\r\n' | python3 "$T/terminal.py" $SMTP >heard
	assertEquals "$(printf '%s\r\n' "220 mx.test ESMTP" "500 5.5.2 a command ends in CRLF, not in a bare LF" \
		"221 2.0.0 goodbye")" "$(cat heard)"
}

# What the recipient wrote runs without the terminal that the person has.
testARecipientsProgramCannotTypeOnTheTerminal() {
	cat >"$T/mda" <<-END
		#!/bin/sh
		if { true >/dev/tty; } 2>/dev/null; then echo a terminal; else echo none; fi >"$BOX/found"
		exec cat >"$BOX/message"
	END
	chmod 755 "$T/mda"
	batch >in
	python3 "$TOP/tests/terminal.py" screen sh -c ": >/dev/tty && $SMTP -o 'DeliverCommand $T/mda' <in >heard 2>log" </dev/null
	assertEquals "$(cat screen)" 0 $?
	assertContains "$(cat heard log)" '250 2.0.0 '
	assertEquals none "$(cat "$BOX/found")"
}

# shellcheck source=/dev/null
. shunit2
