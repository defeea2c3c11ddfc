#!/bin/bash
# What a launcher left behind -- signals, limits, a socket of its own ways -- changes nothing.
. "$(dirname "$0")/lib.sh"

PYTHON=/usr/bin/python3
printf 'EHLO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nx: y\r\n\r\nhello\r\n.\r\nQUIT\r\n' >"$T/in"

oneTimeTearDown() {
	leave
}

setUp() {
	rm -rf "$T/box"
	mkdir "$T/box"
	[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$T/box"
}

# larger FILE N -- it has more octets than that.
larger() {
	[ "$(stat -c %s "$1")" -gt "$2" ]
}

# "${AS[@]}" CODE CMD ... -- run the command after that Python has changed what it inherits.
AS=("$PYTHON" -c 'import os, signal, sys
exec(sys.argv[1])
os.execvp(sys.argv[2], sys.argv[2:])')

# receives CODE [ARG ...] -- one message, delivered in spite of it; MAILBOX is in/ unless it is set.
receives() {
	local code=$1
	shift
	"${AS[@]}" "$code" "$BIN/smtp-stdio" -C /dev/null -o "DeliverPath $BIN/deliver" \
		-o "Mailbox $T/box/${MAILBOX:-in/}" "$@" \
		<"$T/in" >"$T/out" 2>"$T/log"
	assertEquals "$code: delivered" 1 "$(grep -c '^250 2.0.0 .* delivered' "$T/out")"
}

testSignalsThatWereIgnored() {
	local name
	for name in SIGCHLD SIGTERM SIGUSR1 SIGALRM SIGPIPE; do
		receives "signal.signal(signal.$name, signal.SIG_IGN)"
		MAILBOX=mbox receives "signal.signal(signal.$name, signal.SIG_IGN)"
	done
	receives "signal.signal(signal.SIGCHLD, signal.SIG_IGN)" -o "DeliverCommand /bin/true"
}

testSignalsThatWereBlocked() {
	MAILBOX=mbox receives "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))"
}

testABlockedSignalStillEndsIt() {
	local pid
	mkfifo "$T/fifo"
	rm -f "$T/out"
	"${AS[@]}" "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])" "$BIN/smtp-stdio" -C /dev/null \
		<>"$T/fifo" >"$T/out" 2>"$T/log" &
	pid=$!
	wait_for grep -q ^220 "$T/out"
	kill "$pid"
	wait "$pid"
	assertEquals 0 $?
	assertEquals "421 4.3.2 shutting down; closing" "$(tail -n 1 "$T/out" | tr -d '\r')"
	assertEquals "stopped session=ID client=local helo=" "$(events "$T/log")"
}

# The guard must hear how its writer ended, or an mbox keeps what the writer left.
testAnMboxIsRestoredThoughSigchldWasIgnored() {
	local before pid as_owner=()
	[ "$(id -u)" -ne 0 ] || as_owner=(setpriv --reuid=2001 --regid=2001 --clear-groups)
	printf 'From a\n\nold\n\n' >"$T/box/mbox"
	[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$T/box/mbox"
	before=$(state "$T/box/mbox")
	rm -f "$T/message"
	mkfifo "$T/message"
	"${AS[@]}" "signal.signal(signal.SIGCHLD, signal.SIG_IGN)" "${as_owner[@]}" \
		"$BIN/deliver" "$T/box/mbox" <"$T/message" 2>/dev/null &
	pid=$!
	exec 8>"$T/message"
	head -c 300000 /dev/zero >&8
	wait_for larger "$T/box/mbox" 65536
	kill -9 "$(pgrep -P "$pid")"
	exec 8>&-
	wait "$pid"
	assertEquals 75 $?
	assertEquals "$before" "$(state "$T/box/mbox")"
	assertFalse 'no lock' "[ -e $T/box/mbox.lock ]"
}

testALimitOnFilesIsLater() {
	head -c 100000 /dev/zero | base64 >"$T/large"
	{ printf 'EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n' && crlf <"$T/large" &&
		printf '.\r\nQUIT\r\n'; } >"$T/asked"
	(ulimit -f 8 && smtp -o "Mailbox $T/box/in/" <"$T/asked" 2>&1 | cat >"$T/out")
	assertEquals 1 "$(grep -c '^452 4.3.1' "$T/out")"
	assertEquals 'in step' 1 "$(grep -c '^221' "$T/out")"
}

testFewDescriptorsAreEnough() {
	(ulimit -n 32 && receives pass)
	assertEquals 1 "$(files "$T/box/in/new")"
}

testManyRecipientsNeedManyDescriptors() {
	local n
	{
		printf 'EHLO me\r\nMAIL FROM:<>\r\n'
		for ((n = 0; n < 100; n++)); do printf 'RCPT TO:<u%d@d.test>\r\n' $n; done
		printf 'DATA\r\nx: y\r\n.\r\nQUIT\r\n'
	} >"$T/asked"
	(ulimit -S -n 64 && smtp -o "Mailbox $T/box/%u" <"$T/asked" >"$T/out" 2>"$T/log")
	assertEquals 1 "$(grep -c '^250 2.0.0 .* delivered' "$T/out")"
	assertEquals 100 "$(find "$T/box" -name 'u*' -size +0 | wc -l)"
}

testASocketThatDoesNotBlockIsMadeTo() {
	cat >"$T/client.py" <<-'P'
	import socket, subprocess, sys
	ours, its = socket.socketpair()
	its.setblocking(False)
	server = subprocess.Popen(sys.argv[1:], stdin=its, stdout=its)
	its.close()
	ours.settimeout(10)
	greeting = ours.recv(100)
	ours.sendall(b"QUIT\r\n")
	sys.stdout.buffer.write(greeting + ours.recv(100))
	server.wait(10)
	P
	"$PYTHON" "$T/client.py" "$BIN/smtp-stdio" -C /dev/null -o 'Hostname mx.test' >"$T/out" 2>"$T/log"
	printf '220 mx.test ESMTP\r\n221 2.0.0 goodbye\r\n' | cmp - "$T/out"
	assertEquals 0 $?
}

# Whoever was started with a loose umask: what a foreign command makes is the recipient's alone.
testTheUmaskOfACommandIsTight() {
	printf '#!/bin/sh\numask >%s/box/umask\npwd >%s/box/pwd\n' "$T" "$T" >"$T/mda"
	chmod 755 "$T/mda"
	(umask 0 && receives pass -o "DeliverCommand $T/mda")
	assertEquals 0077 "$(cat "$T/box/umask")"
	assertEquals 'a directory of its own' / "$(cat "$T/box/pwd")"
}

. shunit2
