#!/bin/bash
# What EHLO's reply offers is true: CHUNKING and BINARYMIME to the octet, SMTPUTF8 into a mailbox with such a
# name, Newlines, 521, and the loop that ends.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

BOX=$T/box

setUp() {
	rm -rf "$BOX" "$T/users"
	install -d "$BOX"
	[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$BOX"
}

# talk [ARG ...] -- a session, into one mailbox if the arguments name no other; standard input is what the
# client says, octet by octet.
talk() {
	[[ "$*" == *Mailbox* ]] || set -- -o "Mailbox $BOX/in/" "$@"
	smtp "$@" >"$T/said" 2>"$T/log"
	tr -d '\r' <"$T/said" | sed -E 's/^250 2\.0\.0 [0-9a-f.]+ delivered/250 2.0.0 ID delivered/' >"$T/out"
}

# says LINE ... -- what a client says.
says() {
	printf '%s\r\n' "$@"
}

# user NAME -- a directory that is one.
user() {
	install -d "$T/users/$1"
	[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$T/users/$1"
}

# body FILE -- what follows our own lines.
body() {
	sed '1,/^	.*[+-][0-9][0-9][0-9][0-9]$/d' "$1"
}

# ---- CHUNKING, BINARYMIME -----------------------------------------------------------------------

# by_chunks PARAMETERS FILE SIZE -- a session that sends the file in chunks of that size.
by_chunks() {
	python3 - "$@" <<-'END'
		import sys
		parameters, name, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
		octets, out = open(name, "rb").read(), sys.stdout.buffer
		out.write(b"EHLO client.test\r\nMAIL FROM:<a@client.test>%s\r\nRCPT TO:<b@mx.test>\r\n" % parameters.encode())
		for at in range(0, len(octets), size):
		    chunk = octets[at:at + size]
		    out.write(b"BDAT %d\r\n" % len(chunk) + chunk)
		out.write(b"BDAT 0 LAST\r\nQUIT\r\n")
	END
}

testABinaryMessageArrivesToTheOctet() {
	local size
	head -c 3000000 /dev/urandom >"$T/octets"
	printf '\r\n.\r\n\r\n\n\r\0\r\n' >>"$T/octets"
	{ printf 'Subject: octets\r\nMIME-Version: 1.0\r\n\r\n'; cat "$T/octets"; } >"$T/sent"
	for size in 100000 65536 4000000; do
		rm -rf "$BOX/in"
		by_chunks ' BODY=BINARYMIME' "$T/sent" $size | talk
		assertEquals "$size: delivered" 1 "$(grep -c '250 2.0.0 ID delivered' "$T/out")"
		{ printf 'Subject: octets\nMIME-Version: 1.0\n\n'; cat "$T/octets"; } >"$T/want"
		body "$BOX"/in/new/* >"$T/got"
		cmp "$T/want" "$T/got" || fail "$size: other octets"
	done
}

testATextByChunksIsTheSameAsByData() {
	local size
	{ printf 'Subject: text\r\n\r\n.\r\n..\r\nFrom here\r\n'; seq 100000 | sed 's/$/\r/'; } >"$T/sent"
	tr -d '\r' <"$T/sent" >"$T/want"
	for size in 1 7 1000 65536; do
		rm -rf "$BOX/in"
		if [ $size -eq 1 ]; then head -n 8 "$T/sent" >"$T/part"; else cp "$T/sent" "$T/part"; fi
		by_chunks ' BODY=8BITMIME' "$T/part" $size | talk
		body "$BOX"/in/new/* >"$T/got"
		tr -d '\r' <"$T/part" | cmp - "$T/got" || fail "$size: other octets"
	done
	{ says 'EHLO a' 'MAIL FROM:<a@client.test>' 'RCPT TO:<b@mx.test>' DATA; sed 's/^\./../' "$T/sent"; says . QUIT; } >"$T/in"
	rm -rf "$BOX/in"
	talk <"$T/in"
	body "$BOX"/in/new/* | cmp "$T/want" - || fail 'by DATA: other octets'
}

testNothingOfAMessageWithoutItsLastChunk() {
	printf 'x: y\r\n' >"$T/sent"
	by_chunks '' "$T/sent" 3 | sed '/^BDAT 0 LAST/,$d' | talk
	assertEquals 'chunks' 2 "$(grep -c 'chunk taken' "$T/out")"
	assertEquals 'nothing' 0 "$(find "$BOX" -type f | wc -l)"
}

testABinaryMessageIntoAnMbox() {
	printf 'Subject: octets\r\n\r\nFrom here\r\n\0\r\xff\n' >"$T/sent"
	by_chunks ' BODY=BINARYMIME' "$T/sent" 5 | talk -o "Mailbox $BOX/mbox"
	assertEquals 'delivered' 1 "$(grep -c '250 2.0.0 ID delivered' "$T/out")"
	printf 'Subject: octets\n\n>From here\r\n\0\r\xff\n\n' >"$T/want"
	sed '1,/^	.*[+-][0-9][0-9][0-9][0-9]$/d' "$BOX/mbox" | cmp "$T/want" - || fail 'other octets'
}

# ---- SMTPUTF8 -----------------------------------------------------------------------------------

testAMailboxWithANameThatIsNotAscii() {
	user jörg
	user postmaster
	says 'EHLO client.test' 'MAIL FROM:<Jürgen@bücher.test> SMTPUTF8' 'RCPT TO:<jörg@mx.test>' 'RCPT TO:<JöRG@bücher.test>' \
		'RCPT TO:<JÖRG@mx.test>' 'RCPT TO:<"../jörg"@mx.test>' DATA 'Subject: grüße' '' 'ß' . QUIT |
		talk -o "Users $T/users/%u" -o 'Postmaster postmaster' -o 'Mailbox Maildir/' -o 'Domain mx.test bücher.test'
	assertEquals 'replies' '250 2.1.0 250 2.1.5 250 2.1.5 550 5.1.1 550 5.1.1 354 250 2.0.0' \
		"$(sed '1,/250 HELP/d; /^221/d; s/^\(354\).*/\1/; s/^\(.........\).*/\1/' "$T/out" | xargs)"
	cat "$T/users/jörg/Maildir/new/"* >"$T/got"
	assertTrue 'return path' "grep -qx 'Return-Path: <Jürgen@bücher.test>' $T/got"
	assertTrue 'delivered to' "grep -qx 'Delivered-To: jörg@mx.test' $T/got"
	assertTrue 'protocol' "grep -q 'with UTF8SMTP id' $T/got"
	assertContains 'the log is ASCII' "$(cat "$T/log")" 'from=<J\xc3\xbcrgen@b\xc3\xbccher.test> to=<j\xc3\xb6rg@mx.test>'
}

testWithoutTheParameterAnAddressIsAscii() {
	says 'EHLO client.test' 'MAIL FROM:<jörg@client.test>' 'MAIL FROM:<a@client.test>' 'RCPT TO:<jörg@mx.test>' \
		'VRFY jörg' 'VRFY jörg SMTPUTF8' RSET 'MAIL FROM:<a@client.test> SMTPUTF8=yes' 'MAIL FROM:<a@client.test> SMTPUTF8 SMTPUTF8' QUIT | talk
	assertEquals '550 5.6.7 250 2.1.0 553 5.6.7 553 5.6.7 252 2.5.2 250 2.0.0 501 5.5.4 501 5.5.4 221 2.0.0' \
		"$(sed '1,/250 HELP/d; s/^\(.........\).*/\1/' "$T/out" | xargs)"
}

# A reply is ASCII: what is not is not told.
testVrfyAndExpnDoNotShowWhatIsNotAscii() {
	user jörg
	user alice
	says 'EHLO a' 'VRFY alice' 'VRFY jörg SMTPUTF8' 'VRFY nöbody SMTPUTF8' QUIT |
		talk -o "Users $T/users/%u" -o 'Postmaster alice' -o 'Mailbox Maildir/' -o 'Verify yes'
	assertEquals '250 2.1.5 252 2.5.2 550 5.1.1 221 2.0.0' "$(sed '1,/250 HELP/d; s/^\(.........\).*/\1/' "$T/out" | xargs)"
	printf '%s\n' 'team: alice@mx.test, bob' 'pair: alice, bob' >"$T/aliases"
	user bob
	says 'EHLO a' 'EXPN jörg' 'EXPN jörg SMTPUTF8' 'EXPN <team@bücher.test> SMTPUTF8' 'EXPN pair@bücher.test SMTPUTF8' \
		'EXPN pair@mx.test SMTPUTF8' QUIT | talk -o "Users $T/users/%u" -o 'Postmaster alice' -o 'Mailbox Maildir/' \
		-o "Aliases $T/aliases" -o 'Domain mx.test bücher.test' -o 'Expand yes'
	assertEquals '553 5.6.7 an address that is not ASCII wants MAIL with SMTPUTF8
252 2.5.2 not verified; mail to it is accepted or refused at RCPT
250-2.1.5 <alice@mx.test>
250 2.1.5 +1
252 2.5.2 not verified; mail to it is accepted or refused at RCPT
250-2.1.5 <alice@mx.test>
250 2.1.5 <bob@mx.test>
221 2.0.0 goodbye' "$(sed '1,/250 HELP/d' "$T/out")"
}

# Two users whose names differ are two in an environment, too.
testTheEnvironmentKeepsLettersThatAreNotAscii() {
	printf '#!/bin/sh\ncat >/dev/null\nenv | LC_ALL=C sort >%s/environment\n' "$BOX" >"$T/mda"
	chmod 755 "$T/mda"
	says 'EHLO client.test' 'MAIL FROM:<"ö|x"@bücher.test> SMTPUTF8' 'RCPT TO:<jörg@mx.test>' DATA . QUIT |
		talk -o "DeliverCommand $T/mda" -o "Mailbox $BOX/in/"
	assertEquals 'USER=jörg' "$(grep ^USER= "$BOX/environment")"
	assertEquals 'RECIPIENT=jörg@mx.test' "$(grep ^RECIPIENT= "$BOX/environment")"
	assertEquals 'SENDER=ö_x@bücher.test' "$(grep ^SENDER= "$BOX/environment")"
}

testOnlyWellFormedUtf8() {
	local octets
	for octets in '\xff' '\xc3' '\xc0\xaf' '\xe0\x80\xaf' '\xed\xa0\x80' '\xf4\x90\x80\x80' '\xf8\x88\x80\x80\x80' '\xc2\x85' 'a\xcc'; do
		# shellcheck disable=SC2059  # the octets are written by the format
		printf "EHLO a\r\nMAIL FROM:<a${octets}b@client.test> SMTPUTF8\r\nMAIL FROM:<a@b$octets.test> SMTPUTF8\r\nQUIT\r\n" | talk
		assertEquals "$octets" '500 5.5.2 500 5.5.2 221 2.0.0' "$(sed '1,/250 HELP/d; s/^\(.........\).*/\1/' "$T/out" | xargs)"
	done
}

# python's client asks for the extension by itself, and would not send without it.
testPythonsClientSendsAnInternationalizedMessage() {
	local port
	port=$(free_port)
	systemd-socket-activate -l "127.0.0.1:$port" --accept --inetd "$BIN/smtp-stdio" -C /dev/null \
		-o "DeliverPath $BIN/deliver" -o 'Hostname mx.test' -o "Mailbox $BOX/in/" >"$T/server" 2>&1 </dev/null &
	PIDS+=($!)
	wait_for grep -q '^Listening on' "$T/server"
	timeout 20 python3 - "$port" >"$T/out" 2>&1 <<-'END'
		import email.message, email.policy, smtplib, sys
		message = email.message.EmailMessage(email.policy.SMTPUTF8)
		message["From"] = "jürgen@bücher.test"
		message["To"] = "用户@例子.test"
		message["Subject"] = "grüße"
		message.set_content("ß\n", cte="8bit")
		with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "client.test") as s:
		    print(s.send_message(message))
	END
	assertEquals '{}' "$(cat "$T/out")"
	assertTrue 'to whom' "grep -qx 'Delivered-To: 用户@例子.test' $BOX/in/new/*"
	assertTrue 'the header' "grep -qx 'To: 用户@例子.test' $BOX/in/new/*"
}

# ---- Newlines -----------------------------------------------------------------------------------

testNewlinesNormalizeHearsADeviceAndNoSmuggler() {
	printf 'EHLO a\nMAIL FROM:<a@client.test>\nRCPT TO:<b@mx.test>\nDATA\nSubject: device\n\none\n.\n..two\n.\r\n.three\r\n.\r\nQUIT\n' >"$T/in"
	talk -o 'Newlines normalize' <"$T/in"
	assertEquals 'taken' '250 2.0.0 ID delivered 221 2.0.0 goodbye' "$(tail -n 2 "$T/out" | xargs)"
	printf 'Subject: device\n\none\n.\n.two\n.\nthree\n' >"$T/want"
	body "$BOX"/in/new/* | cmp "$T/want" - || fail 'other octets'
	rm -rf "$BOX/in"
	talk <"$T/in"
	assertEquals 'and not by default' '500 5.5.2 a command ends in CRLF, not in a bare LF' "$(sed -n 2p "$T/out")"
	printf 'EHLO a\nMAIL FROM:<a@client.test>\nRCPT TO:<b@mx.test>\nDATA\na\rb\n\r\n.\r\nQUIT\n' | talk -o 'Newlines normalize'
	assertEquals 'a bare CR' '550 5.5.2' "$(tail -n 2 "$T/out" | head -n 1 | cut -c1-9)"
}

# ---- the others ---------------------------------------------------------------------------------

testAHostThatTakesNoMailSaysSo() {
	printf 'EHLO a\r\nBDAT 6\r\nQUIT\r\nNOOP\r\nQUIT\r\n' | talk -o 'Users none'
	assertEquals 'in step' '521 521 521 521 221' "$(cut -c1-3 "$T/out" | xargs)"
	says 'EHLO a' 'MAIL FROM:<>' 'RCPT TO:<postmaster>' DATA QUIT | talk -o 'Users none'
	printf '%s\n' '521 mx.test does not accept mail' '521 5.3.2 no mail is taken here' '521 5.3.2 no mail is taken here' \
		'521 5.3.2 no mail is taken here' '521 5.3.2 no mail is taken here' '221 2.0.0 goodbye' | diff - "$T/out" || fail 'other replies'
	assertEquals 'nothing' 0 "$(find "$BOX" -type f | wc -l)"
}

testALoopEndsAtAHundredReceivedFields() {
	local n
	for n in 100 101; do
		rm -rf "$BOX/in"
		{
			says 'EHLO a' 'MAIL FROM:<a@client.test>' 'RCPT TO:<b@mx.test>' DATA
			for ((i = 0; i < n; i++)); do says 'rEceived: from a' ' by b'; done
			says 'Subject: x' '' 'Received: in the text' . QUIT
		} | talk
		case $n in
		100) assertEquals "$n" '250 2.0.0 ID delivered' "$(tail -n 2 "$T/out" | head -n 1)" ;;
		*) assertEquals "$n" '554 5.4.6 too many Received fields: the message goes round in a loop' \
			"$(tail -n 2 "$T/out" | head -n 1)" ;;
		esac
	done
	{ says 'EHLO a' 'MAIL FROM:<a@client.test>' 'RCPT TO:<b@mx.test>'; printf 'BDAT 1414 LAST\r\n'
	  for ((i = 0; i < 101; i++)); do printf 'Received: ab\r\n'; done; says QUIT; } | talk
	assertEquals 'by BDAT' '554 5.4.6' "$(tail -n 2 "$T/out" | head -n 1 | cut -c1-9)"
}

testDsnIsNotOfferedAndItsParametersAreUnknown() {
	says 'EHLO a' 'MAIL FROM:<a@client.test> RET=HDRS' 'MAIL FROM:<a@client.test> ENVID=x' 'MAIL FROM:<a@client.test> AUTH=<>' \
		'MAIL FROM:<a@client.test>' 'RCPT TO:<b@mx.test> NOTIFY=NEVER' 'RCPT TO:<b@mx.test> ORCPT=rfc822;b@mx.test' QUIT | talk
	assertEquals 5 "$(grep -c '^555 5.5.4 unknown parameter' "$T/out")"
	assertEquals 0 "$(grep -c 'DSN\|AUTH\|STARTTLS' "$T/out")"
}

. shunit2
