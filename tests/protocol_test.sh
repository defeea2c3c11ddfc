#!/bin/bash
# The protocol, as the real program speaks it: recorded dialogues, large messages and the order of replies.
# Long lines, and what looks like the end of a message and is none, are history (history_test.sh).
. "$(dirname "$0")/lib.sh"

D=$TOP/tests/dialogues

# maildir DIR -- an empty directory that the program may deliver into.
maildir() {
	rm -rf "$1"
	if [ "$(id -u)" -eq 0 ]; then install -d -o nobody -g nogroup "$1"; else mkdir -p "$1"; fi
}

# talk [ARG ...] -- the program, everything into $T/mail/; ids are made one.
talk() {
	smtp -o "Mailbox $T/mail/" "$@" 2>"$T/log" | ids
}

ids() {
	sed -E 's/^250 2\.0\.0 [0-9a-f]+\.[0-9a-f]+\.[0-9]+ delivered/250 2.0.0 ID delivered/'
}

# octets FILE -- a recorded dialogue as the client sends it.
octets() {
	case $1 in
	*.in) crlf <"$1" ;;
	*) cat "$1" ;;
	esac
}

# replay FILE [ARG ...] -- what the program says to a recorded dialogue.
replay() {
	local file=$1 conf=${1%.*}.conf user
	shift
	maildir "$T/mail"
	if [ ! -e "$conf" ] || ! grep -q Users "$conf"; then
		set -- -o "Mailbox $T/mail/" "$@"
	fi
	echo 'staff: alice, bob' >"$T/aliases"
	for user in alice bob postmaster; do
		mkdir -p "$T/users"
		maildir "$T/users/$user"
	done
	[ ! -e "$conf" ] || { sed "s|@T@|$T|" "$conf" >"$T/conf"; set -- -C "$T/conf" "$@"; }
	octets "$file" | "${SENDER[@]}" | smtp "$@" 2>"$T/log" | ids
}
SENDER=(cat)

testEveryRecordedDialogueIsAnsweredAsRecorded() {
	local file n=0
	for file in "$D"/*.in "$D"/*.raw; do
		n=$((n + 1))
		replay "$file" >"$T/said"
		crlf <"${file%.*}.out" >"$T/expected"
		cmp -s "$T/said" "$T/expected" || {
			diff -a "$T/expected" "$T/said"
			fail "${file##*/}: not what was recorded"
		}
		if grep -q '^killed \|^ended \|^jail ' "$T/log"; then
			cat "$T/log"
			fail "${file##*/}: the session did not end by itself"
		fi
	done
	assertTrue "there are recorded dialogues" "[ $n -ge 20 ]"
	for file in "$D"/*.out; do
		[ -e "${file%.out}.in" ] || [ -e "${file%.out}.raw" ] || fail "$file has no input"
	done
}

# mailboxes -- all messages, without what differs from one time to the next.
mailboxes() {
	find "$T/mail" "$T/users" -type f -path '*/new/*' -exec \
		sed -E '/^	by .* id /d; /^	[A-Z][a-z]{2}, .* [+-][0-9]{4}$/d' {} + | sort
}

testOctetByOctetItIsAnsweredAndDeliveredTheSame() {
	local file n=0
	for file in "$D"/*.in "$D"/*.raw; do
		[ "$(stat -c %s "$file")" -lt 5000 ] || continue # octet by octet costs a switch of tasks each
		replay "$file" >"$T/whole.said"
		mailboxes >"$T/whole"
		SENDER=(python3 -c 'import os, sys
for octet in sys.stdin.buffer.read(): os.write(1, bytes([octet]))')
		replay "$file" >"$T/said"
		SENDER=(cat)
		mailboxes >"$T/octets"
		cmp -s "$T/whole.said" "$T/said" || fail "${file##*/}: other replies"
		cmp -s "$T/whole" "$T/octets" || fail "${file##*/}: other messages: $(diff -a "$T/whole" "$T/octets")"
		n=$((n + $(grep -c 'ID delivered' "$T/said")))
	done
	assertTrue "messages were delivered ($n)" "[ $n -gt 30 ]"
}

# A reply of the table that no dialogue shows is one that no test has seen.
testEveryReplyOfTheTableIsRecorded() {
	local text n=0
	# These need a monitor that fails or a silent client, or the monitor says them otherwise.
	local others='nothing came for too long|not now; try again later|"refused"|user not local'
	# or a client on a socket
	others="$others|mailbox exists|sent before the reply"
	while read -r text; do
		n=$((n + 1))
		grep -qF -- "$text" "$D"/*.out || fail "no dialogue shows: $text"
	done < <(sed -n '/table\[\] = {/,/^};/p' "$TOP/smtp-stdio/reply.c" | grep -Ev "$others" |
		sed -nE 's/.*"([A-Za-z][^"\\]{3,})(\\n)?".*/\1/p')
	assertTrue "the table was read ($n)" "[ $n -ge 30 ]"
}

testAMessageIsDeliveredToTheOctet() {
	local file
	replay "$D/octets-in-data.raw" >/dev/null
	assertEquals 1 "$(files "$T/mail/new")"
	file=$(echo "$T"/mail/new/*)
	printf '\000\001\377\200 octets \t\n\000\n.\na\n \n' >"$T/expected"
	tail -c "$(stat -c %s "$T/expected")" "$file" | cmp - "$T/expected" || fail "other octets"
	assertEquals "nothing between our lines and the message" 0 \
		"$(head -c "-$(stat -c %s "$T/expected")" "$file" | grep -cvE '^[A-Z][A-Za-z-]*: |^	')"
}

testNothingIsDeliveredOfAMessageThatWasNotEnded() {
	local n
	replay "$D/broken-off.raw" >/dev/null
	n=$(find "$T/mail" -type f | wc -l)
	assertEquals 0 "$n"
}

# A size just at and just beyond SizeLimit, octets on the wire.
testAMessageBeyondSizeLimitIsRefusedAtItsEnd() {
	local size
	for size in 65535 65536 65537 65538 200000; do
		maildir "$T/mail"
		{
			printf '%s\r\n' 'EHLO client.test' 'MAIL FROM:<a@client.test>' \
				'RCPT TO:<b@mx.test>' DATA
			head -c $((size - 3)) /dev/zero | tr '\0' x | sed 's/^x/..&/'
			printf '\r\n.\r\n'
			printf '%s\r\n' DATA 'MAIL FROM:<a@client.test>' QUIT
		} | talk -o 'SizeLimit 65536' | tail -n 4 >"$T/said"
		if [ $size -le 65536 ]; then echo '250 2.0.0 ID delivered'; else
			echo '552 5.3.4 message too large'; fi >"$T/expected"
		printf '%s\n' '503 5.5.1 say MAIL first' '250 2.1.0 sender ok' '221 2.0.0 goodbye' \
			>>"$T/expected"
		crlf <"$T/expected" | cmp - "$T/said" || fail "at $size octets"
		assertEquals "$size" "$([ $size -le 65536 ] && echo 1 || echo 0)" \
			"$(find "$T/mail" -path '*/new/*' -type f | wc -l)"
	done
}

# A client types slowly: a bare LF is refused before the line has its CRLF.
testABareLfIsRefusedAtOnce() {
	cat >"$T/bare.py" <<-'EOF'
		import subprocess, sys

		p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
		p.stdout.readline()
		p.stdin.write(b"EHLO client.test\n")
		p.stdin.flush()
		print(p.stdout.readline().decode().rstrip())
		p.stdin.write(b"QUIT\nQUIT\r\nNOOP\r\n")
		p.stdin.flush()
		print(p.stdout.readline().decode().rstrip())
		p.stdin.close()
		print(len(p.stdout.read()), p.wait())
	EOF
	timeout 10 python3 "$T/bare.py" "$BIN/smtp-stdio" -C /dev/null >"$T/said"
	printf '%s\n' '500 5.5.2 a command ends in CRLF, not in a bare LF' '250 2.0.0 ok' '0 0' \
		>"$T/expected"
	diff "$T/expected" "$T/said" || fail "not told at once, or told twice"
}

# What begins with a blank would continue the Received line, which the monitor vouches for.
testAMessageThatBeginsWithABlankDoesNotContinueOurLine() {
	local file
	maildir "$T/mail"
	printf 'EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n (by mx; spf=pass)\r\n.\r\nQUIT\r\n' >"$T/in"
	talk <"$T/in" >"$T/out" 2>"$T/log"
	file=$(find "$T/mail/new" -type f)
	assertEquals 'an empty line before it' '' "$(grep -B1 'spf=pass' "$file" | head -n 1)"
	assertEquals 'and there it is' ' (by mx; spf=pass)' "$(tail -n 1 "$file")"
}

# RFC 2920 3.2: the replies to DATA and QUIT are sent at once, whatever they are.
testRepliesToDataAndQuitAreNotHeld() {
	need_root || return 0 # to read what a process writes that may not be traced
	printf 'EHLO me\r\nDATA\r\nRSET\r\nRSET\r\nQUIT now\r\nQUIT\r\n' >"$T/in"
	strace -f -o "$T/trace" -e trace=write -s 200 "$BIN/smtp-stdio" -C /dev/null <"$T/in" >/dev/null 2>&1
	grep -c 'write(1, "503 5.5.1 [^"]*\\r\\n"' "$T/trace" >"$T/count"
	assertEquals 'DATA refused, alone' 1 "$(cat "$T/count")"
	assertEquals 'two held, with the one that is not' 1 \
		"$(grep -c 'write(1, "250 2.0.0 reset\\r\\n250 2.0.0 reset\\r\\n501 5.5.4 [^"]*\\r\\n"' "$T/trace")"
}

. shunit2
