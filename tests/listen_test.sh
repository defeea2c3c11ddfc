#!/bin/bash
# smtp-listen: its sockets, limits, signals, what it tells systemd and the log, and that nothing that
# runs out ends it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/clients.sh
. "$TOP/tests/clients.sh"

LISTEN=$BIN/smtp-listen
BOX=$T/box
# What serves where no mail is needed: it greets, and waits for the client's end.
cat >"$T/greeter" <<'END'
#!/bin/sh
printf '220 %s\r\n' "${REMOTE_ADDR-nobody}"
exec cat >/dev/null
END
cat >"$T/conf" <<END
Hostname mx.test
DeliverPath $BIN/deliver
Mailbox $BOX/in/
END
chmod 755 "$T/greeter"
MESSAGE=('HELO me' 'MAIL FROM:<>' 'RCPT TO:<a@b.test>' DATA $'x: y\r\n\r\nhello\r\n.')

oneTimeSetUp() {
	cc -D_GNU_SOURCE -std=c11 -O1 -o "$T/crowd" "$TOP/tests/crowd.c" || exit 1
	cc -D_GNU_SOURCE -std=c11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
		-o "$T/sources" "$TOP/tests/sources.c" "$TOP"/smtp-stdio/{sources,endpoint}.c || exit 1
}

setUp() {
	rm -rf "$BOX" log addresses said socket
	install -d "$BOX"
	[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$BOX"
	: >log
}

tearDown() {
	local pid
	exec 5>&- 6>&- 7>&- 8>&-
	for pid in "${PIDS[@]:-}"; do
		[ -z "$pid" ] || { kill -9 "$pid" && wait "$pid"; } 2>/dev/null
	done
	PIDS=()
}

# up CMD ... -- start it; its standard error is ./log, and $pid its number.
up() {
	"$@" >>log 2>&1 </dev/null &
	pid=$!
	PIDS+=("$pid")
}

# listen [ARG ...] -- start smtp-listen on a port of 127.0.0.1; $port is its number.
listen() {
	up "$LISTEN" -l 127.0.0.1:0 "$@"
	comes port_of 127.0.0.1
	port=$(port_of 127.0.0.1)
}

# port_of ADDRESS -- where it listens, by what it says.
port_of() {
	sed -n "s/^listening address=$1:\([0-9][0-9]*\) name=.*/\1/p" log | grep .
}

# mail [ARG ...] -- the same, with smtp-stdio.
mail() {
	listen "$@" "$BIN/smtp-stdio" -C "$T/conf"
}

# one HOST PORT [SOURCE] -- what one client hears first; PORT is "unix" for a path.
one() {
	if [ $# -eq 2 ] && [ "$2" != unix ]; then
		exec 9<>"/dev/tcp/$1/$2"
		heard 9
		exec 9>&-
		return
	fi
	timeout 20 python3 -c 'import socket, sys
if sys.argv[2] == "unix":
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
else:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 15, ((sys.argv[3:] or [""])[0], 0))
s.settimeout(15)
print(s.makefile("r").readline().rstrip())' "$@"
}

# says FD LINE ... -- say each, and wait for its reply, of which the last is shown.
says() {
	local line reply=
	for line in "${@:2}"; do
		printf '%s\r\n' "$line" >&"$1"
		reply=$(heard "$1")
	done
	echo "$reply"
}

# heard FD -- the next line that comes on it.
heard() {
	local line=
	IFS= read -r -t 15 line <&"$1"
	echo "${line%$'\r'}"
}

# sessions -- the processes that were started and are not waited for yet.
sessions() {
	pgrep -P "$pid" | wc -l
}
# has N -- there are so many.
has() {
	[ "$(sessions)" -eq "$1" ]
}

# comes CMD ... -- it comes true within 10 s.
comes() {
	wait_for "$@" || fail "never came true: $*: $(tail -n 5 log)"
}

# ends -- it ends within 10 s, with status 0.
ends() {
	wait_for gone "$pid" || kill -9 "$pid"
	wait "$pid"
	ended $? log
}
gone() {
	! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"
}

# ticks -- how much of the processor it has used, in hundredths of a second.
ticks() {
	awk '{ print $14 + $15 }' "/proc/$pid/stat"
}

# logged N PATTERN -- so many lines are like that.
logged() {
	assertEquals "lines: $2: $(cat log)" "$1" "$(grep -cE "$2" log)"
}

# ---- sources, alone ------------------------------------------------------------------------------

testLimitsHoldForEachSource() {
	local seed=$RANDOM
	timeout 60 "$T/sources" "$seed" >said 2>&1
	ended $? said
	assertTrue "some were forgotten: $(cat said)" "grep -q '^room for few: .* [1-9][0-9]* forgotten' said"
}

# ---- sockets -------------------------------------------------------------------------------------

testItListensOnSeveralOfItsOwn() {
	mail -l '[::1]:0' -l "$T/socket" -l 127.0.0.2:0
	comes grep -q 127.0.0.2 log
	assertEquals "220 mx.test ESMTP" "$(one 127.0.0.1 "$port")"
	assertEquals "220 mx.test ESMTP" "$(one ::1 "$(port_of '\[::1\]')")"
	assertEquals "220 mx.test ESMTP" "$(one "$T/socket" unix)"
	assertEquals "220 mx.test ESMTP" "$(one 127.0.0.2 "$(port_of 127.0.0.2)")"
	assertEquals "whoever may pass the directory may connect" 666 "$(stat -c %a "$T/socket")"
	kill "$pid"
	ends
	assertFalse "its path is removed" "[ -e $T/socket ]"
	logged 1 "^listening address=$T/socket name=-l$"
	logged 1 '^stopped sessions=0 started=4 turned-away=0$'
}

testAllAddressesOfIpv6AreThoseOfIpv4() {
	up "$LISTEN" -l '[::]:0' "$T/greeter"
	comes port_of '\[::\]'
	assertEquals "220 127.0.0.1" "$(one 127.0.0.1 "$(port_of '\[::\]')")"
	assertEquals "220 ::1" "$(one ::1 "$(port_of '\[::\]')")"
}

testAPathIsTakenFromTheDeadOnly() {
	up "$LISTEN" -l "$T/socket" "$T/greeter"
	comes grep -q listening log
	timeout 10 "$LISTEN" -l "$T/socket" "$T/greeter" 2>said
	assertEquals "somebody listens there" 71 $?
	assertEquals "-l $T/socket: Address already in use" "$(cat said)"
	kill -9 "$pid"
	wait "$pid" 2>/dev/null
	assertTrue "it is left over" "[ -S $T/socket ]"
	: >log
	up "$LISTEN" -l "$T/socket" "$T/greeter"
	comes grep -q listening log
	assertEquals "220 nobody" "$(one "$T/socket" unix)"
	echo precious >"$T/file"
	timeout 10 "$LISTEN" -l "$T/file" "$T/greeter" 2>said
	assertEquals "no socket" 71 $?
	assertEquals precious "$(cat "$T/file")"
}

# The connections that it closed itself still hold the port for a minute.
testAPortIsTakenAgainAtOnce() {
	port=$(free_port)
	for _ in 1 2; do
		: >log
		up "$LISTEN" -c 1 -l "127.0.0.1:$port" "$T/greeter"
		comes port_of 127.0.0.1
		exec 5<>"/dev/tcp/127.0.0.1/$port"
		comes has 1
		assertEquals "421" "$(one 127.0.0.1 "$port" | cut -d' ' -f1)"
		exec 5>&-
		kill "$pid"
		ends
	done
}

testWhatIsNoAddressIsAFault() {
	local where
	for where in '' 127.0.0.1 :25 127.0.0.1: 127.0.0.1:x 127.0.0.1:65536 127.0.0.1:-1 127.0.0.1:+1 '127.0.0.1: 1' \
		256.0.0.1:25 localhost:25 ::1:25 '[::1]' '[::1]25' '[127.0.0.1]:25' '[::1:25' '::1]:25' '[:25' '[]:25' \
		"/$(printf %0108d 0)" relative; do
		timeout 10 "$LISTEN" -l "$where" "$T/greeter" 2>said
		assertEquals "-l '$where'" 64 $?
		assertEquals "-l '$where': $(cat said)" 1 "$(grep -c '^-l .*: want 127.0.0.1:25' said)"
	done
	timeout 10 "$LISTEN" -l 192.0.2.1:0 "$T/greeter" 2>said
	ended $? said 71
}

testSystemdSocketActivateHandsOver() {
	local port4 port6
	port4=$(free_port) port6=$(free_port)
	up systemd-socket-activate -l "127.0.0.1:$port4" -l "[::1]:$port6" -l "$T/socket" \
		--fdname=four:six:local "$LISTEN" "$BIN/smtp-stdio" -C "$T/conf"
	comes test -S "$T/socket"
	assertEquals "220 mx.test ESMTP" "$(one 127.0.0.1 "$port4")"
	assertEquals "220 mx.test ESMTP" "$(one ::1 "$port6")"
	assertEquals "220 mx.test ESMTP" "$(one "$T/socket" unix)"
	logged 1 "^listening address=127.0.0.1:$port4 name=four$"
	logged 1 "^listening address=\[::1\]:$port6 name=six$"
	logged 1 "^listening address=$T/socket name=local$"
	# Another process may have taken the connection that was there.
	assertEquals "accept does not wait" "4002 4002 4002" \
		"$(sed -n 's/^flags:.*\(....\)$/\1/p' "/proc/$pid/fdinfo/"[345] | paste -sd ' ')"
	kill "$pid"
	ends
	assertTrue "the path is systemd's to remove" "[ -S $T/socket ]"
}

testWhatSystemdHandsOverMustListenToStreams() {
	local kind
	for kind in udp silent connected packets file; do
		timeout 20 python3 "$TOP/tests/activate.py" good=tcp4 "bad=$kind" -- "$LISTEN" "$T/greeter" \
			</dev/null >addresses 2>said
		ended $? said 78
		assertEquals "$kind: $(cat said)" 1 \
			"$(grep -c '^bad: not a stream socket that listens; in its unit, Accept=no' said)"
	done
}

testAnAbstractSocketAndOneOfItsOwnBesideThoseOfSystemd() {
	up python3 "$TOP/tests/activate.py" one=abstract -- "$LISTEN" -l 127.0.0.1:0 "$T/greeter"
	comes port_of 127.0.0.1
	assertEquals "220 127.0.0.1" "$(one 127.0.0.1 "$(port_of 127.0.0.1)")"
	logged 1 '^listening address=@smtp-listen-test-[0-9]* name=one$'
	kill "$(pgrep -P "$pid")"
	ends
}

testWithoutASocketItDoesNotStart() {
	timeout 10 "$LISTEN" "$T/greeter" 2>said
	assertEquals 64 $?
	assertEquals "no socket to listen on: start it by its socket unit, or use -l" "$(cat said)"
}

testOptionsHaveBounds() {
	local wrong
	for wrong in '-c 0' '-c 10001' '-c x' '-c 1x' '-c -1' '-s 0' '-s 10001' '-r 0' '-r 10001' '-g 0' '-g 3601' \
		'-c 99999999999999999999' -x -c; do
		# shellcheck disable=SC2086  # words are wanted
		timeout 10 "$LISTEN" -l 127.0.0.1:0 $wrong "$T/greeter" 2>said
		ended $? said 64
	done
	listen -c 10000 -s 10000 -r 10000 -g 3600 "$T/greeter"
	assertEquals "220 127.0.0.1" "$(one 127.0.0.1 "$port")"
}

# ---- what is started ------------------------------------------------------------------------------

testAProgramThatIsNotThereIsAFault() {
	echo no >notexecutable
	local program
	for program in "$T/nothing" nosuchprogram "$T" "$T/notexecutable"; do
		timeout 10 "$LISTEN" -l "$T/never" "$program" 2>said
		assertEquals "$program" 69 $?
		assertEquals "$program: there is no such program" "$(cat said)"
	done
	assertFalse "nothing was opened" "[ -e $T/never ]"
}

testAProgramIsFoundByPathAndArgumentsAloneAreForSmtpStdio() {
	mkdir -p path
	ln -sf "$T/greeter" path/mygreeter
	PATH=/nowhere:$T/path:$PATH listen mygreeter
	assertEquals "220 127.0.0.1" "$(one 127.0.0.1 "$port")"
	timeout 10 "$LISTEN" -l "$T/never" -- -l 2>said
	status=$?
	# It is installed on some machines.
	[ -x /usr/local/sbin/smtp-stdio ] || {
		assertEquals 69 "$status"
		assertEquals "/usr/local/sbin/smtp-stdio: there is no such program" "$(cat said)"
	}
}

testASessionHasThreeDescriptorsAndItsOwnGroup() {
	local child
	exec 8>"$T/leaked"
	# What runs in the background ignores SIGINT and SIGQUIT.
	up env --default-signal=INT,QUIT "$LISTEN" -l 127.0.0.1:0 "$(command -v sleep)" 100 9<"$T/conf"
	comes port_of 127.0.0.1
	assertEquals "the listener holds none but its own: $(ls -l "/proc/$pid/fd")" "0 1 2 3 4" \
		"$(find "/proc/$pid/fd" -type l -printf '%f\n' | sort -n | paste -sd ' ')"
	exec 5<>"/dev/tcp/127.0.0.1/$(port_of 127.0.0.1)"
	comes has 1
	child=$(pgrep -P "$pid")
	comes grep -q sleep "/proc/$child/comm"
	assertEquals "0 1 2" "$(find "/proc/$child/fd" -type l -printf '%f\n' | sort -n | paste -sd ' ')"
	assertEquals "the same socket" "$(readlink "/proc/$child/fd/0")" "$(readlink "/proc/$child/fd/1")"
	assertEquals "a group of its own" "$child" "$(ps -o pgid= -p "$child" | tr -d ' ')"
	# (32 and 33 are the C library's own, which nothing here can set back.)
	assertEquals "no signal is blocked or ignored" "0 0" \
		"$(awk '/^Sig(Blk|Ign):/ { print $2 }' "/proc/$child/status" |
			while read -r mask; do echo $((16#$mask & ~0x180000000)); done | paste -sd ' ')"
	kill -9 "$child"
	comes has 0
}

# The client's address, though it has gone; none of another client's; and nothing of systemd's.
testTheEnvironmentOfASession() {
	printf '#!/bin/sh\nenv >"%s/seen.$$"\nmv "%s/seen.$$" "%s/seen"\n' "$T" "$T" "$T" >showenv
	chmod 755 showenv
	REMOTE_ADDR=192.0.2.66 REMOTE_HOST=x TCPREMOTEIP=192.0.2.67 SOCAT_PEERADDR=192.0.2.68 NOTIFY_SOCKET=/nowhere \
		WATCHDOG_USEC=100000000 KEPT=yes listen -l "$T/socket" "$T/showenv"
	comes grep -q "$T/socket" log
	rm -f seen
	one "$T/socket" unix >/dev/null
	comes test -e seen
	assertEquals "a client without a name" "KEPT=yes" \
		"$(grep -E '^(KEPT|REMOTE|TCP|SOCAT|NOTIFY|WATCHDOG|LISTEN)' seen)"
	rm -f seen
	one 127.0.0.1 "$port" 127.0.0.3 >/dev/null
	comes test -e seen
	assertEquals "$(printf 'KEPT=yes\nREMOTE_ADDR=127.0.0.3')" \
		"$(grep -E '^(KEPT|REMOTE|TCP|SOCAT|NOTIFY|WATCHDOG|LISTEN)' seen | sort)"
}

testMailArrives() {
	mail -l "$T/socket"
	with_swaks "$port" --to ann@mx.test >said 2>&1
	ended $? said
	timeout 20 swaks --socket "$T/socket" --helo client.test --from a@client.test --to bob@mx.test >said 2>&1
	ended $? said
	if part usr/sbin/smtp-source postfix; then
		with_smtp_source -s 5 -m 20 "127.0.0.1:$port" >said 2>&1
		ended $? said
		assertEquals 22 "$(files "$BOX/in/new")"
	fi
	logged 1 '^delivered session=.* client=local '
	kill "$pid"
	ends
}

testLmtpByItsSocket() {
	up "$LISTEN" -l "$T/socket" -- "$BIN/smtp-stdio" -C "$T/conf" -l
	comes grep -q listening log
	timeout 20 swaks --protocol LMTP --socket "$T/socket" --helo client.test --from a@client.test --to bob@mx.test >said 2>&1
	ended $? said
	assertEquals 1 "$(files "$BOX/in/new")"
}

# ---- limits ---------------------------------------------------------------------------------------

testSessionsInAll() {
	listen -c 2 "$T/greeter"
	exec 5<>"/dev/tcp/127.0.0.1/$port" 6<>"/dev/tcp/127.0.0.1/$port"
	assertEquals "220 127.0.0.1" "$(heard 5)"
	assertEquals "220 127.0.0.1" "$(heard 6)"
	assertEquals "421 4.3.2 too many connections; try again later" "$(one 127.0.0.1 "$port" 127.0.0.2)"
	exec 5>&-
	comes has 1
	assertEquals "there is room again" "220 127.0.0.2" "$(one 127.0.0.1 "$port" 127.0.0.2)"
	logged 1 '^turned-away client=127\.0\.0\.2 limit=-c reply="421 4\.3\.2 too many connections; try again later"$'
}

testSessionsOfOneSource() {
	up "$LISTEN" -s 1 -l '[::]:0' -l "$T/socket" "$T/greeter"
	comes grep -q "$T/socket" log
	port=$(port_of '\[::\]')
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	assertEquals "220 127.0.0.1" "$(heard 5)"
	assertEquals "421 4.7.0 too many connections from your address; try again later" "$(one 127.0.0.1 "$port")"
	assertEquals "another one" "220 127.0.0.2" "$(one 127.0.0.1 "$port" 127.0.0.2)"
	assertEquals "by IPv6" "220 ::1" "$(one ::1 "$port")"
	logged 1 '^turned-away client=127\.0\.0\.1 limit=-s reply="421 4\.7\.0 .*"$'
	timeout 20 python3 -c 'import socket, sys
for i in range(3):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    print(s.recv(100).decode().rstrip())
    globals()["s%d" % i] = s' "$T/socket" >said
	assertEquals "a Unix socket has no such limit" "$(printf '220 nobody\n220 nobody\n220 nobody')" "$(cat said)"
	exec 5>&-
	comes has 0
	assertEquals "again" "220 127.0.0.1" "$(one 127.0.0.1 "$port")"
}

testConnectionsInASecond() {
	listen -r 1 "$T/greeter"
	timeout 60 "$T/crowd" 127.0.0.1 "$port" 40 1 >said
	assertTrue "most were turned away: $(cat said)" "[ $(sed -n 's/^421: //p' said) -gt 20 ]"
	assertTrue "one was not: $(cat said)" "[ $(sed -n 's/^220: //p' said) -ge 1 ]"
	assertEquals "each heard something" 2 "$(grep -c '^[0-9]*: ' said)"
	logged 1 '^turned-away client=127\.1\.0\.1 limit=-r reply="421 4\.7\.0 too many connections in a second; try again later"$'
	comes one_gets 220
}
one_gets() {
	[[ $(one 127.0.0.1 "$port") == "$1"* ]]
}

# However many they are, and however fast: nobody hears silence.
testEveryOneOfManyHearsSomething() {
	listen -c 3 -s 1000 -r 10000 "$T/greeter"
	exec 5<>"/dev/tcp/127.0.0.1/$port" 6<>"/dev/tcp/127.0.0.1/$port" 7<>"/dev/tcp/127.0.0.1/$port"
	comes has 3
	timeout 60 "$T/crowd" 127.0.0.1 "$port" 3000 30 >said
	assertEquals "$(cat said)" "421: 3000" "$(head -n 1 said)"
	exec 5>&- 6>&- 7>&-
	kill "$pid"
	ends
	assertTrue "few lines" "[ $(grep -c '^turned-away ' log) -le 6 ]"
	assertEquals "with all in them" 3000 "$(awk -F ' again=' '/^turned-away client=127/ { n += NF > 1 ? $2 : 1 } END { print n }' log)"
	logged 1 '^stopped .* turned-away=3000$'
}

testTheCountIsWrittenWhenTheBurstIsOver() {
	listen -c 1 "$T/greeter"
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	comes has 1
	for _ in 1 2 3; do one 127.0.0.1 "$port" >/dev/null; done
	logged 1 '^turned-away '
	wait_for grep -q ' again=2$' log || comes grep -q ' again=2$' log
	logged 2 '^turned-away '
}

# ---- signals ---------------------------------------------------------------------------------------

testSigtermWhenIdle() {
	mail
	kill "$pid"
	ends
	assertEquals "stopping sessions=0 signal=none
stopped sessions=0 started=0 turned-away=0" "$(tail -n 2 log)"
}

testSigintIsTheSame() {
	mail
	kill -INT "$pid"
	ends
}

# A session goes on to its end, and the listener ends with it; nobody else comes in.
testSigtermLetsASessionFinish() {
	mail -g 600
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	assertEquals "220 mx.test ESMTP" "$(heard 5)"
	kill "$pid"
	comes grep -q '^stopping sessions=1 signal=none' log
	assertTrue "refused" "! (exec 6<>/dev/tcp/127.0.0.1/$port) 2>/dev/null"
	assertEquals "delivered" "$(says 5 "${MESSAGE[@]}" | sed 's/.* //')"
	assertEquals "221 2.0.0 goodbye" "$(says 5 QUIT)"
	ends
	assertEquals 1 "$(files "$BOX/in/new")"
}

testSigtermEndsASessionAfterTheGrace() {
	mail -g 1
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	heard 5 >/dev/null
	kill "$pid"
	assertEquals "421 4.3.2 shutting down; closing" "$(heard 5)"
	ends
	logged 1 '^stopping sessions=1 signal=none'
	logged 1 '^stopping sessions=1 signal=SIGTERM'
	logged 0 'SIGKILL'
	logged 1 '^stopped session=.* client=127.0.0.1' # the session's
}

testASecondSigtermShortensTheGrace() {
	mail -g 3600
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	heard 5 >/dev/null
	kill "$pid"
	comes grep -q 'signal=none' log
	kill "$pid"
	assertEquals "421 4.3.2 shutting down; closing" "$(heard 5)"
	ends
}

testSigtermInADelivery() {
	printf '#!/bin/sh\ncat >"%s/box/got" && : >"%s/box/begun" && while [ ! -e "%s/finish" ]; do sleep 0.02; done\n' \
		"$T" "$T" "$T" >mda
	chmod 755 mda
	rm -f finish
	listen -g 3600 "$BIN/smtp-stdio" -C "$T/conf" -o "DeliverCommand $T/mda"
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	heard 5 >/dev/null
	says 5 "${MESSAGE[@]::4}" >/dev/null
	printf '%s\r\n' "${MESSAGE[4]}" >&5
	comes test -e box/begun
	kill "$pid"
	comes grep -q 'signal=none' log
	kill "$pid"
	comes grep -q 'signal=SIGTERM' log
	: >finish
	assertEquals "250 2.0.0" "$(heard 5 | cut -d' ' -f1,2)"
	ends
	logged 0 'SIGKILL'
}

testWhatIgnoresSigtermIsKilled() {
	printf '#!/bin/sh\ntrap "" TERM\necho 220 stubborn\nwhile :; do sleep 0.1; done\n' >stubborn
	chmod 755 stubborn
	listen -g 1 "$T/stubborn"
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	assertEquals "220 stubborn" "$(heard 5)"
	kill "$pid"
	comes grep -q 'signal=SIGTERM' log
	kill "$pid" # rather than to wait for ten minutes
	ends
	logged 1 '^stopping sessions=1 signal=SIGKILL'
	logged 1 '^ended client=127.0.0.1 pid=[0-9]* signal=9'
}

# The socket stays: a client that comes while nobody is there waits.
testARestartRefusesNobody() {
	local again
	mkfifo control
	up_with_control() {
		python3 "$TOP/tests/activate.py" smtp=tcp4 -- "$LISTEN" -c 1000 -s 1000 -r 10000 "$BIN/smtp-stdio" -C "$T/conf" \
			<control >addresses 2>>log &
		PIDS+=($!)
		pid=$!
	}
	up_with_control
	exec 8>control
	comes grep -q '^listening ' log
	timeout 60 "$T/crowd" 127.0.0.1 "$(head -n 1 addresses)" 2000 8 >said 2>&1 &
	again=0
	while kill -0 $! 2>/dev/null && [ "$again" -lt 50 ]; do
		(trap '' PIPE && echo >&8)
		again=$((again + 1))
		comes grep_count "$again" '^stopped sessions'
		comes grep_count $((again + 1)) '^listening '
	done
	wait $!
	ended $? said
	assertEquals "$(cat said)" "220: 2000" "$(head -n 1 said)"
	assertTrue "$again restarts" "[ $again -ge 3 ]"
	logged 0 'signal=SIGTERM'
	exec 8>&-
	kill "$(pgrep -P "$pid")"
	ends
	rm -f control
}
grep_count() {
	[ "$(grep -c "$2" log)" -ge "$1" ]
}

testSighupLooksAtTheSettings() {
	cp "$T/conf" "$T/conf2"
	listen "$BIN/smtp-stdio" -C "$T/conf2"
	kill -HUP "$pid"
	comes grep -q '^settings state=good$' log
	echo 'SizeLimit 4K' >>"$T/conf2"
	kill -HUP "$pid"
	comes grep -q '^settings state=wrong status=78$' log
	logged 1 "^$T/conf2:4: SizeLimit: too small$"
	assertEquals "a session says so, too" "421 4.3.5 misconfigured; closing" "$(one 127.0.0.1 "$port")"
	sed -i '$d' "$T/conf2"
	kill -HUP "$pid"
	comes grep_count 2 '^settings state=good$'
	assertEquals "220 mx.test ESMTP" "$(one 127.0.0.1 "$port")"
	logged 0 'Hostname' # the settings are not the log's business
}

testSighupWhileTheSettingsAreLookedAtLooksAgain() {
	# shellcheck disable=SC2016  # expanded by that script
	printf '#!/bin/sh\n[ "$1" = -T ] || exit 0\necho >>"%s/tests"\nwhile [ ! -e "%s/go" ]; do sleep 0.02; done\n' "$T" "$T" >slow
	chmod 755 slow
	rm -f go tests
	listen "$T/slow"
	kill -HUP "$pid"
	comes test -s tests
	kill -HUP "$pid"
	: >go
	comes grep_count 2 '^settings state=good$'
	assertEquals 2 "$(wc -l <tests)"
}

# The program is killed then, which says nothing of the settings; nor is anybody ready again.
testSigtermWhileTheSettingsAreLookedAt() {
	rm -f notify notified tests
	up python3 datagrams.py notify notified
	comes test -e notified
	# shellcheck disable=SC2016  # expanded by that script
	printf '#!/bin/sh\n[ "$1" != -T ] || { echo >"%s/tests"; exec sleep 60; }\necho 220 there\nexec cat >/dev/null\n' "$T" >there
	chmod 755 there
	NOTIFY_SOCKET=$T/notify listen -g 60 "$T/there"
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	assertEquals "220 there" "$(heard 5)"
	kill -HUP "$pid"
	comes test -s tests
	kill "$pid"
	comes grep -q '^stopping ' log
	comes no_child sleep
	exec 5>&-
	ends
	logged 0 '^settings'
	assertEquals "READY RELOADING STOPPING" "$(grep -o 'READY\|RELOADING\|STOPPING' notified | xargs)"
}
no_child() {
	! pgrep -P "$pid" -f "$1"
}

# ---- systemd ---------------------------------------------------------------------------------------

# What comes to a notify or journal socket, each datagram as a Python string in a line.
cat >"$T/datagrams.py" <<'END'
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
out = open(sys.argv[2], "w", 1)
while True:
    print(repr(s.recv(65536).decode()), file=out)
END

testSystemdIsTold() {
	rm -f notify notified
	up python3 datagrams.py notify notified
	comes test -e notified
	NOTIFY_SOCKET=$T/notify WATCHDOG_USEC=400000 listen -g 1 -c 1 "$BIN/smtp-stdio" -C "$T/conf"
	comes grep -q 'STATUS=0 sessions, 0 since the start, 0 turned away' notified
	assertEquals "'READY=1'" "$(head -n 1 notified)"
	comes enough_signs 3
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	heard 5 >/dev/null
	one 127.0.0.1 "$port" >/dev/null
	comes grep -q 'STATUS=1 session, 1 since the start, 1 turned away' notified
	kill -HUP "$pid"
	comes grep_notified 2 "'READY=1'"
	kill "$pid"
	comes grep -q 'STATUS=stopping, 1 session left' notified
	assertEquals "421 4.3.2 shutting down; closing" "$(heard 5)"
	ends
	assertEquals "in order" "'READY=1'
'RELOADING=1\nMONOTONIC_USEC=N'
'READY=1'
'STOPPING=1\nEXTEND_TIMEOUT_USEC=606000000'" \
		"$(grep -v 'STATUS\|WATCHDOG' notified | sed 's/\(MONOTONIC_USEC=\)[0-9]*/\1N/')"
	assertTrue "nothing else" "! grep -vE \"^'(READY=1|RELOADING=1.*|STOPPING=1.*|STATUS=[a-z0-9, ]*|WATCHDOG=1)'$\" notified"
}
enough_signs() {
	[ "$(grep -c WATCHDOG=1 notified)" -ge "$1" ]
}
grep_notified() {
	[ "$(grep -cF "$2" notified)" -ge "$1" ]
}

testTheTimeOfAReloadIsNow() {
	rm -f notify notified
	up python3 datagrams.py notify notified
	comes test -e notified
	NOTIFY_SOCKET=$T/notify mail
	kill -HUP "$pid"
	comes grep -q RELOADING notified
	python3 -c 'import re, sys, time
said = int(re.search(r"MONOTONIC_USEC=(\d+)", sys.stdin.read())[1])
sys.exit(not 0 <= time.monotonic() * 1e6 - said < 30e6)' <notified
	assertTrue "it is" $?
}

testWrongSettingsAreInTheStatus() {
	rm -f notify notified
	up python3 datagrams.py notify notified
	comes test -e notified
	echo 'Domain' >"$T/conf2"
	NOTIFY_SOCKET=$T/notify listen "$BIN/smtp-stdio" -C "$T/conf2"
	kill -HUP "$pid"
	comes grep -q '0 turned away; the settings are wrong' notified
	assertTrue "the reload is over all the same" "wait_for grep_notified 2 \"'READY=1'\""
}

testStatusIsToldOnceASecond() {
	rm -f notify notified
	up python3 datagrams.py notify notified
	comes test -e notified
	NOTIFY_SOCKET=$T/notify listen -c 10 -s 10 -r 10000 "$T/greeter"
	timeout 60 "$T/crowd" 127.0.0.1 "$port" 1000 2 >said
	comes grep -q 'STATUS=0 sessions, 1000 since the start' notified
	assertTrue "$(wc -l <notified) datagrams" "[ $(wc -l <notified) -le 40 ]"
}

# In a mount of its own the journal's socket is ours.
testTheJournalGetsFields() {
	need_root || return 0
	rm -rf run journal
	mkdir -p run/systemd/journal
	up python3 datagrams.py run/systemd/journal/socket journal
	comes test -e journal
	# shellcheck disable=SC2016  # expanded by the inner shell
	JOURNAL_STREAM=$(stat -c %d:%i log) up unshare -m --propagation private sh -c \
		'mount --bind "$0/run" /run && exec "$@"' "$T" "$LISTEN" -c 1 -l "$T/socket" -l 127.0.0.1:0 "$BIN/smtp-stdio" -C "$T/conf"
	comes grep -q 'address=127.0.0.1' journal
	port=$(sed -n 's/.*address=127.0.0.1:\([0-9]*\) .*/\1/p' journal)
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	heard 5 >/dev/null
	one 127.0.0.1 "$port" 127.0.0.9 >/dev/null
	comes grep -q 'turned-away' journal
	assertEquals "$(cat journal)" 1 "$(grep -c "MESSAGE=turned-away client=127.0.0.9 limit=-c reply=\"421 4.3.2 .*\\\\nPRIORITY=4\\\\nMESSAGE_ID=[0-9a-f]\{32\}\\\\nSYSLOG_FACILITY=2\\\\nSMTP_CLIENT=127.0.0.9\\\\nSYSLOG_IDENTIFIER=smtp-listen\\\\n" journal)"
	assertEquals "delivered" "$(says 5 "${MESSAGE[@]}" | sed 's/.* //')"
	comes grep -q '^<6>delivered session=.* client=127.0.0.1 ' log
	assertEquals "no line of ours is there: $(cat log)" 0 "$(grep -vc '^<[0-7]>delivered' log)"
}

testWithoutAJournalToTakeItTheLineHasItsPriority() {
	need_root || return 0
	mkdir -p empty
	# shellcheck disable=SC2016  # expanded by the inner shell
	JOURNAL_STREAM=$(stat -c %d:%i log) up unshare -m --propagation private sh -c \
		'mount --bind "$0" /run && exec "$@"' "$T/empty" "$LISTEN" -l 127.0.0.1:0 "$T/greeter"
	comes grep -q '^<6>listening address=127.0.0.1' log
}

# A journal that takes nothing: the line goes to descriptor 2 in its place, and clients are served.
testAJournalThatHangsStopsNothing() {
	need_root || return 0
	rm -rf run full
	mkdir -p run/systemd/journal
	up python3 -c 'import os, socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("run/systemd/journal/socket")
filler = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
filler.setblocking(False)
try:
    while True:
        filler.sendto(b"MESSAGE=x", "run/systemd/journal/socket")
except BlockingIOError:
    open("full", "w")
time.sleep(60)'
	comes test -e full
	# shellcheck disable=SC2016  # expanded by the inner shell
	JOURNAL_STREAM=$(stat -c %d:%i log) up unshare -m --propagation private sh -c \
		'mount --bind "$0/run" /run && exec "$@"' "$T" "$LISTEN" -c 1 -l 127.0.0.1:0 "$T/greeter"
	comes grep -q '^<6>listening address=127.0.0.1' log
	port=$(sed -n 's/^<6>listening .*127.0.0.1:\([0-9]*\) .*/\1/p' log)
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	assertEquals "220 127.0.0.1" "$(heard 5)"
	assertEquals "421" "$(one 127.0.0.1 "$port" | cut -d ' ' -f 1)"
	comes grep -q '^<4>turned-away client=127.0.0.1' log
}

# ---- what runs out ---------------------------------------------------------------------------------

# idle_while SECONDS -- it uses next to nothing of the processor meanwhile.
idle_for() {
	local before
	before=$(ticks)
	sleep "$1"
	assertTrue "$(($(ticks) - before)) hundredths of a second in $1 s" "[ $(($(ticks) - before)) -le 10 ]"
}

testDescriptorsRunOut() {
	local limit
	mail
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	assertEquals "220 mx.test ESMTP" "$(heard 5)"
	for limit in 5 1; do
		prlimit --pid "$pid" --nofile="$limit:"
		exec 6<>"/dev/tcp/127.0.0.1/$port"
		[ "$limit" -ne 5 ] || comes grep -q '^cannot-accept address=127.0.0.1:[0-9]* error="Too many open files"$' log
		idle_for 1.5
		prlimit --pid "$pid" --nofile=256:
		assertEquals "it waited" "220 mx.test ESMTP" "$(heard 6)"
		exec 6>&-
	done
	printf 'QUIT\r\n' >&5
	assertEquals "what it had is still there" "221 2.0.0 goodbye" "$(heard 5)"
	logged 1 '^cannot-accept'
	kill "$pid"
	ends
}

# Whatever accept(2) says: the network's errors pass, for the others it pauses.
testErrorsOfAcceptEndNothing() {
	local error pauses times
	for error in ENFILE ENOBUFS ENOMEM EPERM EINVAL ECONNABORTED EPROTO ENETDOWN EHOSTUNREACH EINTR; do
		: >log
		case $error in
		ENFILE) pauses=1 times=2 ;;
		ENOBUFS | ENOMEM | EPERM | EINVAL) pauses=1 times=1 ;;
		*) pauses=0 times=3 ;;
		esac
		up strace -qq -o trace -e trace=accept4 -e "inject=accept4:error=$error:when=1..$times" \
			"$LISTEN" -l 127.0.0.1:0 "$T/greeter"
		comes port_of 127.0.0.1
		assertEquals "$error" "220 127.0.0.1" "$(one 127.0.0.1 "$(port_of 127.0.0.1)")"
		assertTrue "$error: $(cat trace)" "[ $(grep -c accept4 trace) -le $((times + 3)) ]"
		logged "$pauses" '^cannot-accept address=127'
		kill "$(pgrep -P "$pid")"
		ends
	done
}

# It wakes up for the next connection when a session has ended, before the pause is over.
testAnEndOfASessionEndsThePause() {
	local begin
	up strace -qq -o trace -e trace=accept4 -e inject=accept4:error=ENFILE:when=2 "$LISTEN" -l 127.0.0.1:0 "$T/greeter"
	comes port_of 127.0.0.1
	exec 5<>"/dev/tcp/127.0.0.1/$(port_of 127.0.0.1)"
	heard 5 >/dev/null
	begin=${EPOCHREALTIME/./}
	exec 6<>"/dev/tcp/127.0.0.1/$(port_of 127.0.0.1)"
	comes grep -q 'cannot-accept' log
	exec 5>&-
	assertEquals "220 127.0.0.1" "$(heard 6)"
	assertTrue "$((${EPOCHREALTIME/./} - begin)) us" "[ $((${EPOCHREALTIME/./} - begin)) -lt 900000 ]"
	kill "$(pgrep -P "$pid")"
}

testProcessesRunOut() {
	need_root || return 0
	up setpriv --reuid=2003 --regid=2003 --clear-groups "$LISTEN" -l 127.0.0.1:0 "$T/greeter"
	comes port_of 127.0.0.1
	port=$(port_of 127.0.0.1)
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	assertEquals "220 127.0.0.1" "$(heard 5)"
	as_user 2003 prlimit --pid "$pid" --nproc=1:
	assertEquals "421 4.3.0 service not available; try again later" "$(one 127.0.0.1 "$port")"
	assertEquals "421 4.3.0 service not available; try again later" "$(one 127.0.0.1 "$port")"
	idle_for 0.5
	assertTrue "it keeps what it has" "has 1"
	as_user 2003 prlimit --pid "$pid" --nproc=100:
	assertEquals "220 127.0.0.1" "$(one 127.0.0.1 "$port")"
	logged 1 "^cannot-start client=127.0.0.1 program=$T/greeter error=\"Resource temporarily unavailable\"$"
	kill "$pid"
	exec 5>&-
	ends
	logged 1 '^stopped sessions=0 started=2 turned-away=2$'
}

testAProgramThatGoesAwayAndComesBack() {
	cp greeter "fickle one"
	listen -s 2 "$T/fickle one"
	assertEquals "220 127.0.0.1" "$(one 127.0.0.1 "$port")"
	mv "fickle one" away
	for _ in 1 2 3; do
		assertEquals "421 4.3.0 service not available; try again later" "$(one 127.0.0.1 "$port")"
	done
	mv away "fickle one"
	assertEquals "a failure holds no place" "220 127.0.0.1" "$(one 127.0.0.1 "$port")"
	logged 1 "^cannot-start client=127.0.0.1 program=$T/fickle\\\\x20one error=\"No such file or directory\"$"
	comes has 0
}

testASessionThatIsKilled() {
	mail
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	heard 5 >/dev/null
	kill -9 "$(pgrep -P "$pid")"
	assertEquals "closed" "" "$(heard 5)"
	comes grep -q '^ended client=127.0.0.1 pid=[0-9]* signal=9$' log
	assertEquals "220 mx.test ESMTP" "$(one 127.0.0.1 "$port")"
	comes has 0
	kill "$pid"
	ends
	logged 1 '^stopped sessions=0 started=2'
}

testAReaderOfTheLogThatGoesAway() {
	mkfifo pipe
	"$LISTEN" -c 1 -l "$T/socket" "$T/greeter" 2>pipe </dev/null &
	pid=$!
	PIDS+=("$pid")
	head -n 1 pipe >said
	comes test -S "$T/socket"
	kill -HUP "$pid" # it has something to say
	assertEquals "220 nobody" "$(one "$T/socket" unix)"
	comes has 0
	assertEquals "220 nobody" "$(one "$T/socket" unix)"
	kill "$pid"
	ends
	rm -f pipe
}

# As process 1 of a container it is the parent of all that loses its own.
testAsProcessOneItLeavesNoZombie() {
	need_root || return 0
	printf '#!/bin/sh\n(sleep 0.1 &)\nprintf "220 parent\\r\\n"\n' >parent
	chmod 755 parent
	up unshare -pf --kill-child --mount-proc "$LISTEN" -l 127.0.0.1:0 "$T/parent"
	comes port_of 127.0.0.1
	pid=$(pgrep -P "$pid")
	for _ in 1 2 3 4 5; do one 127.0.0.1 "$(port_of 127.0.0.1)" >/dev/null; done
	comes has 0
	kill "$pid"
	pid=${PIDS[0]}
	ends
}

# The launcher ignored some signals, and blocked others.
testSignalsOfTheLauncherChangeNothing() {
	up python3 -c 'import os, signal, sys
for s in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
    signal.signal(s, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
os.execv(sys.argv[1], sys.argv[1:])' "$LISTEN" -l 127.0.0.1:0 "$BIN/smtp-stdio" -C "$T/conf"
	comes port_of 127.0.0.1
	assertEquals "220 mx.test ESMTP" "$(one 127.0.0.1 "$(port_of 127.0.0.1)")"
	comes has 0
	kill -HUP "$pid"
	comes grep -q '^settings state=good' log
	kill "$pid"
	ends
}

# KILL is 5, SETGID 6, SETUID 7, SYS_CHROOT 18.
testRootHasNoCapabilityInEffect() {
	need_root || return 0
	mail
	assertEquals "0000000000000000 00000000000400e0 0000000000000000 0000000000000000" \
		"$(awk '/^Cap(Inh|Prm|Eff|Amb):/ { print $2 }' "/proc/$pid/status" | paste -sd ' ')"
}

testAnOrdinaryUserHasNoCapability() {
	need_root || return 0
	up setpriv --reuid=2003 --regid=2003 --clear-groups --inh-caps=+net_bind_service --ambient-caps=+net_bind_service \
		"$LISTEN" -l 127.0.0.1:0 "$(command -v sleep)" 100
	comes port_of 127.0.0.1
	exec 5<>"/dev/tcp/127.0.0.1/$(port_of 127.0.0.1)"
	comes has 1
	for pid in "$pid" "$(pgrep -P "$pid")"; do
		assertEquals "0000000000000000 0000000000000000 0000000000000000 0000000000000000" \
			"$(awk '/^Cap(Inh|Prm|Eff|Amb):/ { print $2 }' "/proc/$pid/status" | paste -sd ' ')"
	done
	kill "$pid"
}

# No exec gives a capability then that its caller cannot have.
testRootsSessionsHaveWhatTheyNeedWithoutNewPrivileges() {
	need_root || return 0
	up setpriv --no-new-privs --bounding-set=-all,+setuid,+setgid,+sys_chroot,+kill "$LISTEN" -l 127.0.0.1:0 \
		"$BIN/smtp-stdio" -C "$T/conf"
	comes port_of 127.0.0.1
	with_swaks "$(port_of 127.0.0.1)" --to ann@mx.test >said 2>&1
	ended $? said
	assertEquals "delivered as the owner of the mailbox" 2001 "$(stat -c %u "$BOX"/in/new/*)"
}

# holds -- what it has of its own, in KB, and its descriptors, when it has no session.
holds() {
	comes has 0
	sed -n 's/^\(RssAnon\|VmData\):[[:space:]]*//p' "/proc/$pid/status"
	find "/proc/$pid/fd" -type l | wc -l
}

# Those before have used everything once.  make torture does the same for a day, with mail.
testTwoThousandSessionsLeaveNothingBehind() {
	local before
	listen -r 10000 "$BIN/smtp-stdio" -C /dev/null
	timeout 60 "$T/crowd" 127.0.0.1 "$port" 200 10 >said
	before=$(holds)
	timeout 120 "$T/crowd" 127.0.0.1 "$port" 2000 10 >said
	assertEquals "$(cat said)" "220: 2000" "$(head -n 1 said)"
	assertEquals "memory and descriptors" "$before" "$(holds)"
}

# make serve, where its tree is another one.
testServeTakesMailForAnybody() {
	mkdir -p tree/.build tree/tests
	cp -r "$BIN" tree/.build/bin
	cp "$TOP/tests/serve" tree/tests/
	port=$(free_port)
	PORT=$port up env --default-signal=INT tree/tests/serve
	comes grep -q "^listening address=127.0.0.1:$port" log
	with_swaks "$port" --to anybody@anywhere.test >said 2>&1
	ended $? said
	assertEquals 1 "$(files tree/mail/new)"
	kill -INT "$pid" "$(pgrep -P "$pid")" # as a terminal does
	ends
	logged 1 '^stopped sessions=0 started=1'
}

# shellcheck source=/dev/null
. shunit2
