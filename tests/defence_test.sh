#!/bin/bash
# What a client may not do: speak too early, another protocol, too much, too slowly; and what becomes of
# a session when the machine stops.  Over real TCP connections.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

BOX=$T/box
cat >"$T/rude.py" <<'EOF2'
"""A client in one word or more: rude.py [-t] PROGRAM ... runs the program on a TCP connection and does what
standard input says, a line each:
  hear            read one reply (all its lines) and print it
  say OCTETS      send them (python's escapes)
  drip S OCTETS   send them one by one, S seconds apart, until they are sent or the other side closes
  flood N OCTETS  send them N times without reading
  stream S N OCTETS  send them N times in each of S seconds
  start           start the program, and nothing else
  eof             say that nothing more will come
  term            SIGTERM to the program (which is the monitor)
  rest            print what comes until the end of the connection
  stay            until the program has ended
With -t each line that is heard has the whole seconds since the line before in front.
"""
import signal, socket, subprocess, sys, time

timed = sys.argv[1] == "-t"
program = sys.argv[2:] if timed else sys.argv[1:]
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
server = listener.accept()[0]
process = None
last = time.monotonic()
heard = client.makefile("rb")
client.settimeout(25)


def start():
    global process
    if process is None:
        process = subprocess.Popen(program, stdin=server, stdout=server)
        server.close()


def show(line):
    global last
    now = time.monotonic()
    print((f"{int(now - last)} " if timed else "") + line.decode("latin-1").rstrip("\r\n"), flush=True)
    last = now


def send(octets):
    try:
        client.sendall(octets)
        return True
    except OSError:
        return False


def holds_sigterm(pid):
    status = open(f"/proc/{pid}/status").read()
    return int(status.split("SigCgt:")[1].split()[0], 16) & 1 << signal.SIGTERM - 1


for line in sys.stdin:
    word, _, rest = line.rstrip("\n").partition(" ")
    octets = lambda text: text.encode("latin-1").decode("unicode_escape").encode("latin-1")
    if word != "say":
        start()
    if word == "hear":
        while True:
            line = heard.readline()
            show(line)
            if line[3:4] != b"-":
                break
    elif word == "say":  # before the first other word: before the program is there
        send(octets(rest))
    elif word == "drip":
        pause, _, text = rest.partition(" ")
        for octet in octets(text):
            if not send(bytes([octet])):
                break
            time.sleep(float(pause))
    elif word == "flood":
        count, _, text = rest.partition(" ")
        for _ in range(int(count)):
            if not send(octets(text)):
                break
    elif word == "stream":
        seconds, count, text = rest.split(" ", 2)
        begin = time.monotonic()
        for n in range(int(seconds) * int(count)):
            if not send(octets(text)):
                break
            time.sleep(max(0, begin + (n + 1) / int(count) - time.monotonic()))
    elif word == "start":
        while open(f"/proc/{process.pid}/comm").read() != "smtp-stdio\n" or not holds_sigterm(process.pid):
            time.sleep(0.01)
    elif word == "eof":
        client.shutdown(socket.SHUT_WR)
    elif word == "term":
        process.send_signal(signal.SIGTERM)
    elif word == "stay":
        process.wait(20)
    elif word == "rest":
        try:
            for line in heard:
                show(line)
            print("end")
        except ConnectionError as error:
            print("reset")
heard.close()
client.close()
print("status", process.wait(20))
EOF2

setUp() {
	rm -rf "$BOX"
	install -d "$BOX"
	[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$BOX"
}

# rude ARG ... -- the program with these settings, and a client that does what standard input says; what
# it hears is in $T/heard, what the log says in $T/log.
rude() {
	local timed=()
	[ "${1:-}" != -t ] || { timed=(-t); shift; }
	timeout 60 python3 "$T/rude.py" "${timed[@]}" "$BIN/smtp-stdio" -C /dev/null -o "DeliverPath $BIN/deliver" \
		-o "Hostname mx.test" -o "Mailbox $BOX/in/" "$@" >"$T/heard" 2>"$T/log"
}

# heard WHAT LINE ... -- that, and no more.
heard() {
	local what=$1
	shift
	assertEquals "$what" "$(printf '%s\n' "$@")" "$(cat "$T/heard")"
}

# ehlo -- what a client does to begin with, without the lines of EHLO's reply.
EHLO=$'hear\nsay EHLO client.test\\r\\n\nhear'
without_ehlo() {
	grep -v '^250-\|^250 HELP\|^220 ' "$T/heard" >"$T/heard.new"
	mv "$T/heard.new" "$T/heard"
}

nothing_delivered() {
	assertEquals "$1: nothing is delivered" 0 "$(find "$BOX" -type f | wc -l)"
}

# ---- those who do not wait ----------------------------------------------------------------------

readonly HASTY='554 5.5.0 sent before the reply that it has to wait for; closing'

testSpeakingBeforeTheGreeting() {
	rude <<'END'
say EHLO client.test\r\n
rest
END
	heard 'early' "$HASTY" end 'status 0'
	assertEquals 'gave-up session=ID client=127.0.0.1 helo= why="did not wait for a reply"' "$(events "$T/log")"
}

testGreetDelayCatchesWhoSpeaksWithinIt() {
	rude -t -o 'GreetDelay 2s' <<'END'
drip 0.3 E
rest
END
	heard 'within it' "0 $HASTY" end 'status 0'
	rude -t -o 'GreetDelay 1s' <<'END'
hear
say QUIT\r\n
rest
END
	heard 'a client that waits' '1 220 mx.test ESMTP' '0 221 2.0.0 goodbye' end 'status 0'
}

testWhatStandsBehindACommandThatMustBeTheLast() {
	local line
	for line in 'EHLO client.test' 'HELO client.test' NOOP 'VRFY a' 'EXPN a' DATA 'EHLO a b c'; do
		rude <<-END
			$EHLO
			say $line\r\nMAIL FROM:<a@b.test>\r\n
			rest
		END
		without_ehlo
		heard "$line" "$HASTY" end 'status 0'
	done
	rude <<-END
		$EHLO
		say MAIL FROM:<>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\nx: y\r\n.\r\n
		rest
	END
	without_ehlo
	heard 'a message behind DATA' '250 2.1.0 sender ok' '250 2.1.5 recipient ok' "$HASTY" end 'status 0'
	nothing_delivered 'a message behind DATA'
}

# Who did not ask for extensions was not offered PIPELINING.
testNothingIsPipelinedAfterHelo() {
	rude <<-'END'
		hear
		say HELO client.test\r\n
		hear
		say MAIL FROM:<>\r\nRCPT TO:<b@mx.test>\r\n
		rest
	END
	heard 'after HELO' '220 mx.test ESMTP' '250 mx.test' "$HASTY" end 'status 0'
	rude <<-'END'
		hear
		say RSET\r\nNOOP\r\n
		rest
	END
	heard 'before any' '220 mx.test ESMTP' "$HASTY" end 'status 0'
	rude <<-'END'
		hear
		say HELO client.test\r\n
		hear
		say MAIL FROM:<>\r\n
		hear
		say RCPT TO:<b@mx.test>\r\n
		hear
		say DATA\r\n
		hear
		say x: y\r\n.\r\nQUIT\r\n
		rest
	END
	assertEquals 'one at a time' 1 "$(files "$BOX/in/new")"
}

testWhoSaysNothingIsNotEarly() {
	rude -t -o 'GreetDelay 1s' <<-'END'
		eof
		rest
	END
	heard 'only its end' '0 220 mx.test ESMTP' end 'status 0'
	printf 'QUIT\r\n' | smtp -o 'GreetDelay 60s' >"$T/heard" 2>"$T/log" &
	wait_for grep -q '^221' "$T/heard" || kill $!
	assertEquals 'a pipe is not kept waiting' '220 mx.test ESMTP 221 2.0.0 goodbye' "$(tr -d '\r' <"$T/heard" | xargs)"
}

testSigtermWhileTheGreetingWaits() {
	rude -o 'GreetDelay 60s' <<-'END'
		start
		term
		rest
	END
	assertEquals '421 4.3.2 shutting down; closing end status 0' "$(tail -n 3 "$T/heard" | xargs)"
}

testWhatMayBePipelinedIsTaken() {
	rude <<-END
		$EHLO
		say RSET\r\nMAIL FROM:<>\r\nRCPT TO:<b@mx.test>\r\nRSET\r\nMAIL FROM:<>\r\nRCPT TO:<b@mx.test>\r\nBDAT 6\r\nx: y\r\nBDAT 2 LAST\r\n\r\nQUIT\r\n
		rest
	END
	without_ehlo
	assertEquals '221 2.0.0 goodbye end status 0' "$(tail -n 3 "$T/heard" | xargs)"
	assertEquals 'delivered' 1 "$(files "$BOX/in/new")"
}

testAllAtOnceIsRightWhereNobodyCouldWait() {
	printf 'EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\nx: y\r\n.\r\nQUIT\r\n' >"$T/in"
	smtp -o "Mailbox $BOX/in/" <"$T/in" >"$T/heard" 2>"$T/log"
	assertEquals 'a file' 1 "$(files "$BOX/in/new")"
	# shellcheck disable=SC2002  # a pipe is wanted
	cat "$T/in" | smtp -o "Mailbox $BOX/in/" >"$T/heard" 2>"$T/log"
	assertEquals 'a pipe' 2 "$(files "$BOX/in/new")"
}

# ---- those who speak something else -------------------------------------------------------------

readonly FOREIGN='421 4.7.0 this is a mail server; closing'

testAWebBrowserIsToldOnce() {
	rude <<'END'
hear
say POST / HTTP/1.1\r\nHost: mx.test:25\r\nContent-Length: 60\r\n\r\nEHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\nx\r\n.\r\n
rest
END
	heard 'POST' '220 mx.test ESMTP' "$FOREIGN" end 'status 0'
	nothing_delivered 'POST'
	assertContains "$(cat "$T/log")" 'why="speaks another protocol"'
	# a real one: it does not wait for the greeting
	local port
	port=$(free_port)
	systemd-socket-activate -l "127.0.0.1:$port" --accept --inetd "$BIN/smtp-stdio" -C /dev/null >"$T/server" 2>&1 &
	PIDS+=($!)
	wait_for grep -q '^Listening on' "$T/server"
	curl -s --max-time 10 --http0.9 "http://127.0.0.1:$port/" >"$T/heard" 2>/dev/null
	assertTrue "curl: $(cat "$T/heard")" "grep -q '^421 4.7.0 this\|^554 5.5.0 sent' $T/heard"
}

testATlsClientIsToldWithoutALineEnd() {
	rude <<'END'
hear
say \x16\x03\x01\x00\x20
rest
END
	heard 'TLS' '220 mx.test ESMTP' "$FOREIGN" end 'status 0'
	# a real one, which hears something that is no TLS
	cat >"$T/tls.py" <<-'END'
		import socket, ssl, subprocess, sys
		ours, theirs = socket.socketpair()
		process = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs)
		theirs.close()
		ours.settimeout(10)
		ours.recv(100)
		context = ssl.create_default_context()
		try:
		    context.wrap_socket(ours, server_hostname="mx.test")
		except ssl.SSLError as error:
		    print(error.reason)
		print(process.wait(10))
	END
	python3 "$T/tls.py" "$BIN/smtp-stdio" -C /dev/null >"$T/heard" 2>"$T/log"
	assertEquals 'WRONG_VERSION_NUMBER 0' "$(xargs <"$T/heard")"
	assertContains "$(cat "$T/log")" 'why="speaks another protocol"'
}

# ---- those who make errors ----------------------------------------------------------------------

testErrorsAreAnsweredSlowlyAndThenNoMore() {
	local n=0
	rude -t -o 'ErrorLimit 4' <<-END
		hear
		$(for n in 1 2 3 4; do printf 'say FROB\\r\\n\nhear\n'; done)
		rest
	END
	heard 'four' '0 220 mx.test ESMTP' '0 500 5.5.1 unknown command' '0 500 5.5.1 unknown command' \
		'1 500 5.5.1 unknown command' '1 500 5.5.1 unknown command' '0 421 4.7.0 too many errors; closing' end 'status 0'
	assertEquals 'gave-up session=ID client=127.0.0.1 helo= why="too many errors"' "$(events "$T/log")"
}

testADeliveredMessageForgivesErrors() {
	rude -o 'ErrorLimit 4' <<-END
		$EHLO
		say FROB\r\n
		hear
		say FROB\r\n
		hear
		say MAIL FROM:<>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n
		hear
		hear
		hear
		say x: y\r\n.\r\n
		hear
		say FROB\r\n
		hear
		say FROB\r\n
		hear
		say NOOP\r\n
		hear
		say QUIT\r\n
		rest
	END
	assertEquals '250 2.0.0 ok' "$(grep -A 9 delivered "$T/heard" | sed -n 4p)"
	assertEquals 'no farewell' 0 "$(grep -c ^421 "$T/heard")"
}

# Beyond its limit RCPT is told to come again, but not for ever.
testRecipientsFarBeyondTheirLimitBecomeErrors() {
	{
		printf 'EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<b@mx.test>\r\n'
		for ((n = 0; n < 1100; n++)); do printf 'RCPT TO:<b@mx.test>\r\n'; done
	} | smtp -o 'RecipientLimit 1' -o 'ErrorLimit 1' -o "Mailbox $BOX/in/" >"$T/heard" 2>"$T/log"
	assertEquals 'a thousand are free, one is the error' 1001 "$(grep -c '^452 4.5.3' "$T/heard")"
	assertEquals '421 4.7.0 too many errors; closing' "$(tail -n 1 "$T/heard" | tr -d '\r')"
}

testIdleCommandsBecomeErrors() {
	rude -o 'ErrorLimit 1' <<-END
		hear
		$(for ((n = 0; n < 101; n++)); do printf 'say NOOP\\r\\n\nhear\n'; done)
		rest
	END
	assertEquals 'all are answered' 101 "$(grep -c '^250 2.0.0 ok' "$T/heard")"
	assertEquals '421 4.7.0 too many errors; closing end status 0' "$(tail -n 3 "$T/heard" | xargs)"
	rude -o 'ErrorLimit 1' <<-END
		hear
		$(for ((n = 0; n < 100; n++)); do printf 'say NOOP\\r\\n\nhear\n'; done)
		say QUIT\r\n
		rest
	END
	assertEquals 'a hundred are none' '250 2.0.0 ok 221 2.0.0 goodbye end status 0' "$(tail -n 4 "$T/heard" | xargs)"
}

# The last words reach a client that has sent more than anybody reads.
testAFarewellIsNotLostInAFlood() {
	rude -o 'ErrorLimit 2' <<'END'
hear
say EHLO client.test\r\n
hear
flood 20000 FROBNICATE THE QUUX\r\n
rest
END
	assertEquals '421 4.7.0 too many errors; closing end status 0' "$(tail -n 3 "$T/heard" | xargs)"
}

# It is heard out for a moment, and no longer; that is no timeout of its own.
testWhoStaysAfterAFarewellIsLeft() {
	rude <<<$'hear\nsay GET / HTTP/1.1\\r\\n\nrest\nstay'
	assertEquals 'end status 0' "$(tail -n 2 "$T/heard" | xargs)"
	assertEquals gave-up "$(cut -d' ' -f1 "$T/log")"
}

# ---- those who want too much --------------------------------------------------------------------

testMessageLimit() {
	local one='say MAIL FROM:<>\r\n'
	rude -o 'MessageLimit 2' <<-END
		$EHLO
		$one
		hear
		say RSET\r\n
		hear
		$one
		hear
		say RSET\r\n
		hear
		$one
		rest
	END
	assertContains "$(cat "$T/heard")" '250-LIMITS MAILMAX=2 RCPTMAX=100'
	assertEquals '421 4.7.0 enough messages for one connection; closing end status 0' "$(tail -n 3 "$T/heard" | xargs)"
}

testSessionSizeLimit() {
	rude -o 'SizeLimit 64K' -o 'SessionSizeLimit 64K' <<-END
		$EHLO
		say MAIL FROM:<> SIZE=65537\r\n
		hear
		say MAIL FROM:<>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n
		hear
		hear
		hear
		flood 700 $(printf '%098d' 0)\r\n
		rest
	END
	without_ehlo
	heard 'in a message' '552 5.3.4 message too large' '250 2.1.0 sender ok' '250 2.1.5 recipient ok' \
		'354 send the message; end it with CRLF.CRLF' '421 4.7.0 enough octets for one connection; closing' end 'status 0'
	nothing_delivered 'in a message'
	rude -o 'SizeLimit 64K' -o 'SessionSizeLimit 64K' <<-END
		$EHLO
		say MAIL FROM:<>\r\nRCPT TO:<b@mx.test>\r\nBDAT 65537\r\n
		rest
	END
	without_ehlo
	heard 'announced' '250 2.1.0 sender ok' '250 2.1.5 recipient ok' '421 4.7.0 enough octets for one connection; closing' \
		end 'status 0'
}

# ---- those who are too slow ---------------------------------------------------------------------

readonly SLOW='421 4.4.2 too slow, or too long; closing'

testACommandHasItsTimeHoweverItDrips() {
	rude -o 'CommandTimeout 1s' <<-END
		hear
		drip 0.2 $(printf '%0100d' 0)
		rest
	END
	assertEquals "$SLOW" "$(sed -n 2p "$T/heard")"
	assertEquals 'timeout session=ID client=127.0.0.1 helo=' "$(events "$T/log")"
}

testAMessageHasItsRate() {
	local dripping
	dripping=$(printf 'drip 0.2 %0100d' 0)
	rude -o 'CommandTimeout 1s' -o 'MinimumRate 1048576' <<-END
		$EHLO
		say MAIL FROM:<>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n
		hear
		hear
		hear
		$dripping
		rest
	END
	without_ehlo
	assertEquals "$SLOW" "$(sed -n 4p "$T/heard")"
	nothing_delivered 'a slow message'
	rude -o 'CommandTimeout 1s' -o 'MinimumRate 1000' <<-END
		$EHLO
		say MAIL FROM:<>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n
		hear
		hear
		hear
		drip 0.1 $(printf '%050d' 0)\r\n.\r\n
		hear
		say QUIT\r\n
		rest
	END
	assertEquals 'as slow as is allowed' 1 "$(grep -c '^250 2.0.0 .* delivered' "$T/heard")"
}

# What is refused in its first line is heard to its end, at any rate that is allowed, and told so there.
testARefusedMessageIsNotCalledTooSlow() {
	local line
	line=$(printf '%0998d' 0)
	for first in 'bare\nLF' 'good'; do
		python3 - "$first" "$line" <<-'END' >"$T/script"
			import sys
			print("hear\nsay EHLO client.test\\r\\n\nhear\nsay MAIL FROM:<>\\r\\nRCPT TO:<b@mx.test>\\r\\nDATA\\r\\n\nhear\nhear\nhear")
			print("say " + sys.argv[1] + "\\r\\n")
			print("stream 8 200 " + sys.argv[2] + "\\r\\n")
			print("say .\\r\\n\nhear\nsay QUIT\\r\\n\nrest")
		END
		rude -o 'CommandTimeout 1s' -o 'MinimumRate 65536' <"$T/script"
		case $first in
		good) assertEquals "$first" 1 "$(grep -c '^250 2.0.0 .* delivered' "$T/heard")" ;;
		*) assertEquals "$first: $(tail -n 3 "$T/heard")" 1 "$(grep -c '^550 5.5.2' "$T/heard")" ;;
		esac
	done
}

# The same by chunks, each of them small.
testRefusedChunksAreNotCalledTooSlow() {
	{
		printf '%s\n' "$EHLO"
		printf 'say MAIL FROM:<>\\r\\nRCPT TO:<b@mx.test>\\r\\nBDAT 70000\\r\\n\nhear\nhear\nflood 70 %01000d\nhear\n' 0
		for ((n = 0; n < 10; n++)); do
			printf 'say BDAT 400\\r\\n\nstream 1 4 %0100d\nhear\n' 0
		done
		printf 'say QUIT\\r\\n\nrest\n'
	} | rude -o 'CommandTimeout 2s' -o 'MinimumRate 1048576' -o 'SizeLimit 64K'
	assertEquals 'each is refused' 11 "$(grep -c '^552 5.3.4' "$T/heard")"
	assertEquals '221 2.0.0 goodbye end status 0' "$(tail -n 3 "$T/heard" | xargs)"
}

testMinimumRateNoneLetsAMessageRest() {
	rude -o 'CommandTimeout 2s' -o 'MinimumRate 0' <<-END
		$EHLO
		say MAIL FROM:<>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n
		hear
		hear
		hear
		say bare\n
		drip 0.4 x: y z, more\r\n.\r\n
		hear
		say QUIT\r\n
		rest
	END
	assertEquals 'refused' 1 "$(grep -c '^550 5.5.2' "$T/heard")"
	rude -o 'CommandTimeout 5s' -o 'MinimumRate 0' <<-END
		$EHLO
		say MAIL FROM:<>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n
		hear
		hear
		hear
		drip 0.3 x: y\r\n.\r\n
		hear
		say QUIT\r\n
		rest
	END
	assertEquals 1 "$(grep -c '^250 2.0.0 .* delivered' "$T/heard")"
}

# ---- the machine stops --------------------------------------------------------------------------

testSigtermBetweenCommandsAndInAMessage() {
	rude <<-END
		$EHLO
		term
		rest
	END
	without_ehlo
	heard 'between commands' '421 4.3.2 shutting down; closing' end 'status 0'
	assertEquals 'stopped session=ID client=127.0.0.1 helo=client.test' "$(events "$T/log")"
	rude <<-END
		$EHLO
		say MAIL FROM:<>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n
		hear
		hear
		hear
		say x: y\r\n
		term
		rest
	END
	without_ehlo
	assertEquals '421 4.3.2 shutting down; closing end status 0' "$(tail -n 3 "$T/heard" | xargs)"
	nothing_delivered 'in a message'
}

# What has begun is brought to its end, and the client hears of it.
testSigtermInADelivery() {
	# shellcheck disable=SC2016  # for the command
	printf '#!/bin/sh\necho $PPID >%s/ppid\nwhile [ ! -e %s/go ]; do sleep 0.02; done\ncat >%s/got\n' "$BOX" "$BOX" "$BOX" >"$T/mda"
	chmod 755 "$T/mda"
	(wait_for test -s "$BOX/ppid" && kill "$(cat "$BOX/ppid")" && : >"$BOX/go") &
	rude -o "DeliverCommand $T/mda" <<-END
		$EHLO
		say MAIL FROM:<>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n
		hear
		hear
		hear
		say x: y\r\n.\r\n
		rest
	END
	wait $!
	without_ehlo
	assertEquals 'heard of it' 1 "$(grep -c '^250 2.0.0 .* delivered' "$T/heard")"
	assertEquals '421 4.3.2 shutting down; closing end status 0' "$(tail -n 3 "$T/heard" | xargs)"
	assertContains 'delivered' "$(cat "$BOX/got")" 'x: y'
}

# Nor does a helper inherit that SIGTERM is held back.
testACommandMayBeEnded() {
	# not a shell, which would let all signals in by itself
	printf '#!/usr/bin/python3\nopen("%s/mask", "w").write(next(l for l in open("/proc/self/status") if "SigBlk" in l))\n' "$BOX" >"$T/mda"
	chmod 755 "$T/mda"
	printf 'EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n.\r\nQUIT\r\n' |
		smtp -o "DeliverCommand $T/mda" -o "Mailbox $BOX/in/" >"$T/heard" 2>"$T/log"
	assertEquals 'SigBlk: 0000000000000000' "$(xargs <"$BOX/mask")"
}

. shunit2
