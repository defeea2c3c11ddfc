#!/bin/bash
# LMTP (RFC 2033): each recipient has a reply of its own, and its own delivery.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

setUp() {
	rm -rf "$T/mda.d"
	user_directories alice bob carol
}

# lmtp ARG ... -- a session; standard input is what the client says, $T/out what it hears.
lmtp() {
	smtp -l -o "Users $T/users/%u" -o 'Postmaster alice' "$@" >"$T/said" 2>"$T/log"
	tr -d '\r' <"$T/said" | sed -E 's/^250 2\.0\.0 [0-9a-f.]+ delivered/250 2.0.0 ID delivered/' >"$T/out"
}

# says LINE ... -- what a client says.
says() {
	printf '%s\r\n' "$@"
}

# message RECIPIENT ... -- a message to them by DATA.
message() {
	says 'LHLO client.test' 'MAIL FROM:<a@client.test>'
	printf 'RCPT TO:<%s@mx.test>\r\n' "$@"
	says DATA 'Subject: one' '' text . QUIT
}

# heard WHAT LINE ... -- those are the replies after 354, or after the last chunk.
heard() {
	local what=$1
	shift
	assertEquals "$what" "$(printf '%s\n' "$@" '221 2.0.0 goodbye')" "$(sed '1,/^354\|^250 2.1.5/d; /^250 2.1.5\|^354/d' "$T/out")"
}

testEachRecipientHasAReply() {
	message alice bob carol | lmtp
	heard 'three' '250 2.0.0 ID delivered' '250 2.0.0 ID delivered' '250 2.0.0 ID delivered'
	for user in alice bob carol; do
		assertEquals "$user" 1 "$(files "$T/users/$user/Maildir/new")"
		assertTrue "$user: its own address" "grep -qx 'Delivered-To: $user@mx.test' $T/users/$user/Maildir/new/*"
		assertFalse "$user: no other's" "grep -qE '(for <|Delivered-To: )$([ $user = alice ] && echo bob || echo alice)' $T/users/$user/Maildir/new/*"
		assertTrue "$user: by LMTP" "grep -q 'with LMTP id' $T/users/$user/Maildir/new/*"
	done
	assertEquals 'a log line for each' 3 "$(grep -c '^delivered session=.* proto=LMTP ' "$T/log")"
}

testOneThatFailsStopsNoOther() {
	: >"$T/users/bob/Maildir"
	message alice bob carol | lmtp
	heard 'the second' '250 2.0.0 ID delivered' '451 4.2.0 mailbox cannot be used' '250 2.0.0 ID delivered'
	assertEquals alice 1 "$(files "$T/users/alice/Maildir/new")"
	assertEquals carol 1 "$(files "$T/users/carol/Maildir/new")"
	assertEquals 'logged' '2 delivered 1 failed' \
		"$(grep -c '^delivered ' "$T/log") delivered $(grep -c '^failed session=.* to=<bob@mx.test>' "$T/log") failed"
}

testOnlyAcceptedRecipientsHaveOne() {
	message alice nobody carol alice | lmtp
	assertEquals 'refused' 1 "$(grep -c '^550 5.1.1' "$T/out")"
	assertEquals 'three replies, the same one twice' 3 "$(grep -c '^250 2.0.0 ID' "$T/out")"
	assertEquals 'one copy' 1 "$(files "$T/users/alice/Maildir/new")"
	message nobody | lmtp
	assertEquals 'none' '503 5.5.1 no valid recipients' "$(grep '^503' "$T/out")"
	assertEquals 'and nothing more' 2 "$(find "$T/users" -path '*/new/*' | wc -l)"
}

testTheSameByChunks() {
	{
		says 'LHLO client.test' 'MAIL FROM:<a@client.test>' 'RCPT TO:<alice@mx.test>' 'RCPT TO:<bob@mx.test>'
		printf 'BDAT 6\r\na: b\r\nBDAT 2\r\n\r\nBDAT 4 LAST\r\nabc\n'
		says QUIT
	} | lmtp
	heard 'one for each chunk, then one for each recipient' '250 2.0.0 chunk taken' '250 2.0.0 chunk taken' \
		'250 2.0.0 ID delivered' '250 2.0.0 ID delivered'
	for user in alice bob; do
		tail -n 3 "$T/users/$user/Maildir/new/"* >"$T/got"
		printf 'a: b\n\nabc\n' | cmp - "$T/got" || fail "$user: other octets"
	done
}

testARefusedMessageIsRefusedForEach() {
	{
		says 'LHLO client.test' 'MAIL FROM:<a@client.test>' 'RCPT TO:<alice@mx.test>' 'RCPT TO:<bob@mx.test>' DATA
		printf 'bare\nLF\r\n.\r\n'
		says 'MAIL FROM:<a@client.test>' 'RCPT TO:<alice@mx.test>' DATA 'x: y' . QUIT
	} | lmtp
	assertEquals 'both' 2 "$(grep -c '^550 5.5.2' "$T/out")"
	assertEquals 'and the next is in step' 1 "$(grep -c '^250 2.0.0 ID' "$T/out")"
	assertEquals 'bob' '' "$(find "$T/users/bob" -type f)"
}

testSmtpsHellosAreUnknown() {
	says 'HELO me' 'EHLO me' 'LHLO me' QUIT | lmtp
	assertEquals '500 5.5.1 unknown command' "$(sed -n 2p "$T/out")"
	assertEquals '500 5.5.1 unknown command' "$(sed -n 3p "$T/out")"
	assertEquals '220 mx.test LMTP' "$(sed -n 1p "$T/out")"
	for keyword in PIPELINING ENHANCEDSTATUSCODES 8BITMIME CHUNKING; do
		assertTrue "$keyword" "grep -q '^250-$keyword$' $T/out"
	done
	says 'LHLO me' QUIT | smtp >"$T/out" 2>"$T/log"
	assertEquals 'nor LMTP by SMTP' '500 5.5.1 unknown command' "$(sed -n 2p "$T/out" | tr -d '\r')"
}

# A command that cannot be staged is no burden here: nothing is undone.
testACommandDeliversToEachAlone() {
	install -d -m 777 "$T/mda.d"
	# shellcheck disable=SC2016  # for the command
	printf '#!/bin/sh\n[ "$1" != bob ] || exit 67\ncat >"%s/mda.d/$1"\n' "$T" >"$T/mda"
	chmod 755 "$T/mda"
	message alice bob carol | lmtp -o "DeliverCommand $T/mda %u"
	heard 'by a command' '250 2.0.0 ID delivered' '554 5.1.1 no such mailbox here' '250 2.0.0 ID delivered'
	assertEquals 'alice carol' "$(cd "$T/mda.d" && echo *)"
}

# Addresses of one mailbox: one copy that names them, and one answer.
testTwoAddressesOfOneMailboxHaveOneCopyThatNamesBoth() {
	ln -s alice "$T/users/al"
	message alice bob al | lmtp
	heard 'three replies' '250 2.0.0 ID delivered' '250 2.0.0 ID delivered' '250 2.0.0 ID delivered'
	assertEquals 'one copy' 1 "$(files "$T/users/alice/Maildir/new")"
	for user in alice al; do
		assertTrue "$user" "grep -qx 'Delivered-To: $user@mx.test' $T/users/alice/Maildir/new/*"
	done
	: >"$T/users/bob/Maildir.no"
	rm -rf "$T/users/bob/Maildir" && : >"$T/users/bob/Maildir"
	message alice bob al bob | lmtp
	heard 'each its own' '250 2.0.0 ID delivered' '451 4.2.0 mailbox cannot be used' '250 2.0.0 ID delivered' \
		'451 4.2.0 mailbox cannot be used'
}

# Two who are forwarded have no mailbox here, and it is not the same one.
testEachForwardedRecipientIsForwarded() {
	install -d -m 777 "$T/mda.d"
	# shellcheck disable=SC2016  # for the command
	printf '#!/bin/sh\ncat >"%s/mda.d/$1"\n' "$T" >"$T/mda"
	chmod 755 "$T/mda"
	printf 'one: a@else.test\ntwo: b@else.test\n' >"$T/aliases"
	message one two | lmtp -o "Aliases $T/aliases" -o "ForwardCommand $T/mda %r" -o 'Domain mx.test'
	assertEquals 2 "$(grep -c '^250 2.0.0 .* forwarded to' "$T/out")"
	assertEquals 'a@else.test b@else.test' "$(cd "$T/mda.d" && echo *)"
}

# What was answered to one message is not said of the next.
testTheNextMessageHasItsOwnAnswers() {
	{
		for n in 1 2 3; do
			message alice bob | sed '/^QUIT/d; '"$([ $n -eq 1 ] || echo /^LHLO/d)"
		done
		says QUIT
	} | lmtp
	assertEquals 'three for each' '3 3' "$(files "$T/users/alice/Maildir/new") $(files "$T/users/bob/Maildir/new")"
	assertEquals 'three ids' 3 "$(grep -o '^250 2.0.0 [0-9a-f.]* delivered' "$T/said" | sort -u | wc -l)"
}

# What a chunk too many leaves behind is nothing to the next sender.
testASpoiledMessageEndsWithTheNextSender() {
	{
		says 'LHLO client.test' 'MAIL FROM:<a@client.test>' 'RCPT TO:<alice@mx.test>' 'RCPT TO:<bob@mx.test>' 'BDAT 70000'
		head -c 70000 /dev/zero
		says 'MAIL FROM:<a@client.test> SIZE=99999999' 'RCPT TO:<alice@mx.test>'
		printf 'BDAT 3 LAST\r\nabc'
		says 'MAIL FROM:<a@client.test>' 'RCPT TO:<alice@mx.test>'
		printf 'BDAT 3 LAST\r\nabc'
		says QUIT
	} | lmtp -o 'SizeLimit 64K'
	assertEquals '552 552 503 503 250 250 250 221' "$(sed '1,/250 HELP/d' "$T/out" | tail -n 8 | cut -c1-3 | xargs)"
}

testErrorsAreNotCounted() {
	{
		says 'LHLO client.test' 'MAIL FROM:<a@client.test>'
		for ((n = 0; n < 30; n++)); do says 'RCPT TO:<nobody@mx.test>'; done
		says QUIT
	} | lmtp -o 'ErrorLimit 2'
	assertEquals 30 "$(grep -c '^550 5.1.1' "$T/out")"
	assertEquals '221 2.0.0 goodbye' "$(tail -n 1 "$T/out")"
}

testAnInternationalizedMessage() {
	mkdir "$T/users/jörg"
	[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$T/users/jörg"
	says 'LHLO client.test' 'MAIL FROM:<a@client.test> SMTPUTF8' 'RCPT TO:<jörg@mx.test>' DATA 'x: y' . QUIT | lmtp
	assertTrue 'protocol' "grep -q 'with UTF8LMTP id' $T/users/jörg/Maildir/new/*"
	assertTrue 'in the log, too' "grep -q 'proto=UTF8LMTP' $T/log"
}

# A message that is too much by its chunks: a LAST has a reply for each recipient all the same.
testAChunkThatIsTooMuch() {
	{
		says 'LHLO client.test' 'MAIL FROM:<a@client.test>' 'RCPT TO:<alice@mx.test>' 'RCPT TO:<bob@mx.test>' 'BDAT 70000'
		head -c 70000 /dev/zero
		printf 'BDAT 3 LAST\r\nabc'
		says 'MAIL FROM:<a@client.test>' 'RCPT TO:<nobody@mx.test>'
		printf 'BDAT 3 LAST\r\nabc'
		says NOOP QUIT
	} | lmtp -o 'SizeLimit 64K'
	assertEquals 'the chunk, and two for the last' 3 "$(grep -c '^552 5.3.4' "$T/out")"
	assertEquals 'none for nobody' '550 5.1.1 no such mailbox here 250 2.0.0 ok 221 2.0.0 goodbye' "$(tail -n 3 "$T/out" | xargs)"
}

# slow RECIPIENT ... -- a command that notes whom it delivers to, and takes two seconds.
slow() {
	install -d -m 777 "$T/mda.d"
	# shellcheck disable=SC2016  # for the command
	printf '#!/bin/sh\ncat >/dev/null\necho "$1" >>"%s/mda.d/log"\nsleep 2\n' "$T" >"$T/mda"
	chmod 755 "$T/mda"
}

# as_heard -- who was told 250 is who was delivered to, and the others were told to come again.
as_heard() {
	local told late
	told=$(grep -c '^250 2.0.0 ID delivered' "$T/out")
	late=$(grep -c "^$1" "$T/out")
	assertEquals "told as it was" "$(wc -l <"$T/mda.d/log")" "$told"
	assertEquals "and the others" 3 $((told + late))
	assertTrue "some ($told) and not all" "[ $told -ge 1 -a $late -ge 1 ]"
	assertEquals 'logged as well' "$told $late" "$(grep -c '^delivered' "$T/log") $(grep -c '^failed' "$T/log")"
}

testWhenTheSessionHasLastedTooLongNothingMoreIsBegun() {
	slow
	message alice bob carol | lmtp -o "DeliverCommand $T/mda %u" -o 'SessionTimeout 3s'
	as_heard '451 4.4.2 the session'
}

# Nor is it put off for ever: the messages of a client that goes on are refused, and then it is over.
testASessionThatHasLastedTooLongIsEnded() {
	slow
	cat >"$T/on.py" <<-'END'
		import subprocess, sys, time
		process = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
		begin = time.monotonic()
		try:
		    process.stdin.write(b"LHLO a\r\n")
		    while time.monotonic() - begin < 15:
		        process.stdin.write(b"MAIL FROM:<a@b>\r\nRCPT TO:<alice@mx.test>\r\nRCPT TO:<bob@mx.test>\r\nDATA\r\n.\r\n")
		        process.stdin.flush()
		        time.sleep(0.5)
		except BrokenPipeError:
		    pass
		print(int(time.monotonic() - begin))
		process.kill()
	END
	python3 "$T/on.py" "$BIN/smtp-stdio" -l -C /dev/null -o "DeliverCommand $T/mda %u" -o "Users $T/users/%u" \
		-o 'Postmaster alice' -o 'Hostname mx.test' -o 'SessionTimeout 1s' >"$T/out" 2>"$T/log"
	assertTrue "$(cat "$T/out") s" "[ $(cat "$T/out") -lt 12 ]"
	assertContains "$(cat "$T/log")" 'timeout session='
}

testWhenTheMachineStopsNothingMoreIsBegun() {
	slow
	message alice bob carol >"$T/asked"
	smtp -l -o "Users $T/users/%u" -o 'Postmaster alice' -o "DeliverCommand $T/mda %u" <"$T/asked" >"$T/said" 2>"$T/log" &
	local pid=$!
	wait_for test -s "$T/mda.d/log"
	kill "$(pgrep -f "^$BIN/smtp-stdio.*DeliverCommand $T/mda" | head -n 1)"
	wait $pid
	tr -d '\r' <"$T/said" | sed -E 's/^250 2\.0\.0 [0-9a-f.]+ delivered/250 2.0.0 ID delivered/' >"$T/out"
	as_heard '451 4.3.2 shutting down'
	assertTrue 'in the end' "grep -q '^421 4.3.2 shutting down\|^221' $T/out"
}

# A session that has been taken over asks for no recipient twice, and for nothing between the answers.
testAHostileSessionGetsEachAnswerOnce() {
	cp "$O/bin/hostile" "$BIN/"
	local begin='7:HLMTP a8:F0 0 a@b?14:Ralice@mx.test?12:Rbob@mx.test?6:Bhello' case want
	for case in "1:E?1:E?1:E?|a request is out of turn" "1:E?1:X|a request is out of turn" \
		"1:E?14:Rcarol@mx.test?|a request is out of turn" "1:E?1:P?|a request is out of turn" \
		"1:E?14:Valice@mx.test?|a request is out of turn" "1:E?2:Nc|a request is out of turn" \
		"1:E?2:Bx|a request is out of turn"; do
		want=${case#*|}
		printf '%s%s!' "$begin" "${case%|*}" | timeout 10 "$BIN/hostile" -l -C /dev/null -o "DeliverPath $BIN/deliver" \
			-o "Users $T/users/%u" -o 'Postmaster alice' -o 'Domain mx.test' >"$T/out" 2>"$T/log"
		assertEquals "$case" "killed session=ID client=local helo=a why=\"$want\"" "$(events "$T/log" | tail -n 1)"
	done
	printf '8:HESMTP a!' | timeout 10 "$BIN/hostile" -l -C /dev/null >"$T/out" 2>"$T/log"
	assertContains "$(cat "$T/log")" 'a request is beyond the limits'
}

testItIsNotSpokenOnPort25() {
	need_root || return 0
	cat >"$T/port.py" <<-'END'
		import socket, subprocess, sys
		for host, port in ("127.0.0.1", 25), ("::1", 25), ("127.0.0.1", 24):
		    family = socket.AF_INET6 if ":" in host else socket.AF_INET
		    listener = socket.create_server((host, port), family=family)
		    client = socket.create_connection((host, port))
		    server = listener.accept()[0]
		    process = subprocess.Popen(sys.argv[1:], stdin=server, stdout=server)
		    server.close()
		    client.settimeout(10)
		    print(client.recv(100).decode().strip())
		    client.close()
		    print(process.wait(10))
	END
	unshare -n sh -c "ip link set lo up && python3 $T/port.py $BIN/smtp-stdio -l -C /dev/null -o 'Hostname mx.test'" >"$T/out" 2>"$T/log"
	printf '%s\n' '421 4.3.5 misconfigured; closing' 78 '421 4.3.5 misconfigured; closing' 78 '220 mx.test LMTP' 0 | diff - "$T/out" || fail "$(cat "$T/log")"
	assertEquals '-o: Protocol: LMTP is not for port 25 (RFC 2033 5)' "$(grep Protocol "$T/log" | sort -u)"
}

. shunit2
