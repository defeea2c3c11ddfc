#!/bin/bash
# clients_test.sh -- real clients: each completes its session, and what it sent arrives to the octet.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/clients.sh"

BOX=$T/box
cat >"$T/conf" <<EOF
Hostname mx.test
Mailbox $BOX/in/
DeliverPath $BIN/deliver
EOF
sed "s|^Mailbox.*|Mailbox $BOX/%u/|" conf >each
(cat conf; echo "SizeLimit 64K") >small
# Mailboxes of users, who exist when they have a directory, for the client that is told of each.
cat >users <<EOF
Hostname mx.test
Domain mx.test
Users $BOX/%u
Postmaster ann
DeliverPath $BIN/deliver
EOF

# A message that a careless program would change: dots at line begins, From lines, long lines, blank
# lines at the end.  In eight.eml there are also octets above 127, in seven.eml only ASCII.
python3 - <<'EOF'
head = b"""From: sender@client.test
To: ann@mx.test
Date: Sun, 22 Nov 2026 09:00:00 +0000
Message-ID: <1@client.test>
Subject: to the octet
"""
body = (b"\n.\n..\n...\n.dot\n. \n\nFrom here\n>From there\n" + b"x" * 998 + b"\n"
        + b"trailing blanks  \t\n" + b".\n" * 300 + b"end\n\n\n")
eight = b"".join(bytes([i]) for i in range(128, 256))
open("seven.eml", "wb").write(head + body)
open("eight.eml", "wb").write(head + b"MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\n"
                              b"Content-Transfer-Encoding: 8bit\n" + body + eight + b"\n" + b"y" * 70000 + b"\n")
line = bytes(range(33, 127)).replace(b".", b"") * 10 + b"\n"
open("large.eml", "wb").write(head + b"\n" + line * (30 * 1048576 // (len(line) + 1)))
EOF

# Ports of the servers with the first three.
PORT_ALL='' PORT_EACH='' PORT_SMALL=''
oneTimeSetUp() {
	server conf PORT_ALL
	server each PORT_EACH
	server small PORT_SMALL
}

# listen ADDRESS CONF [ARG ...] -- a server with that configuration at that address.
listen() {
	local log=log.${1##*[/:]}
	systemd-socket-activate -l "$1" --accept --inetd "$BIN/smtp-stdio" -C "$T/$2" "${@:3}" \
		>"$log" 2>&1 </dev/null &
	PIDS+=($!)
	wait_for grep -q '^Listening on' "$log"
}

# server CONF NAME -- one on a free port, which comes into the variable NAME.
server() {
	local port
	port=$(free_port)
	printf -v "$2" %s "$port"
	listen "127.0.0.1:$port" "$1"
}

setUp() {
	rm -rf "$BOX"
	install -d "$BOX"
	[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$BOX"
}

# arrived FILE [BOX] -- one message is there, and it is FILE to the octet after our own lines.
arrived() {
	local box=$BOX/${2:-in} first
	assertEquals "messages" 1 "$(files "$box/new")"
	first=$(awk '!/^(Return-Path|Delivered-To|Received):/ && !/^\t/ { print NR; exit }' "$box"/new/*)
	tail -n "+$first" "$box"/new/* >got
	assertTrue "to the octet" "cmp $1 got"
}

# ---- swaks --------------------------------------------------------------------------------------

# swaks adds an empty line to every message.
(cat seven.eml; echo) >swaks.eml

testSwaksOverTcp() {
	with_swaks "$PORT_ALL" --to ann@mx.test --data @seven.eml >out 2>&1
	ended $? out
	assertTrue "it heard the end" "grep -q '^<-  221 2.0.0 goodbye' out"
	arrived swaks.eml
}

testSwaksOverAPipe() {
	timeout 20 swaks --pipe "$BIN/smtp-stdio -C $T/conf" --helo client.test --from a@client.test \
		--to ann@mx.test --data @seven.eml >out 2>&1
	ended $? out
	arrived swaks.eml
}

testSwaksPipelining() {
	with_swaks "$PORT_EACH" --to ann@mx.test,bob@mx.test --pipeline --data @seven.eml >out 2>&1
	ended $? out
	assertEquals "it did" " -> DATA" "$(grep -A 1 'RCPT TO:<bob@mx.test>' out | tail -n 1)"
	arrived swaks.eml ann
	arrived swaks.eml bob
}

# ---- others -------------------------------------------------------------------------------------

# Two messages in one session, the first to three recipients.
testPythonSmtplib() {
	timeout 20 python3 - "$PORT_EACH" 2>out <<-'EOF'
		import smtplib, sys
		crlf = lambda name: open(name, "rb").read().replace(b"\n", b"\r\n")
		with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "client.test") as s:
		    refused = s.sendmail("a@client.test", ["ann@mx.test", "bob@mx.test", "carl@mx.test"],
		                         crlf("eight.eml"), ["BODY=8BITMIME"])
		    assert refused == {}, refused
		    assert s.esmtp_features["size"] == "36700160" and s.has_extn("pipelining")
		    s.sendmail("", ["dora@mx.test"], crlf("seven.eml"))
	EOF
	ended $? out
	arrived eight.eml ann
	arrived eight.eml bob
	arrived eight.eml carl
	arrived seven.eml dora
	assertTrue "the null sender" "head -n 1 $BOX/dora/new/* | grep -qxF 'Return-Path: <>'"
}

testMsmtp() {
	with_msmtp "$PORT_EACH" ann@mx.test bob@mx.test <eight.eml >out 2>&1
	ended $? out
	arrived eight.eml ann
	arrived eight.eml bob
}

testCurl() {
	with_curl "$PORT_ALL" seven.eml >out 2>&1
	ended $? out
	arrived seven.eml
}

testPostfixSmtpSourceInTenSessionsAtOnce() {
	part usr/sbin/smtp-source postfix || return 0
	with_smtp_source -s 10 -m 50 -l 5000 "inet:127.0.0.1:$PORT_ALL" >out 2>&1
	ended $? out
	assertEquals 50 "$(files "$BOX/in/new")"
	assertEquals "nothing is left behind" 0 "$(files "$BOX/in/tmp")"
	# The same body in all; what differs stands in the header.
	assertEquals "every one is whole" 1 "$(for f in "$BOX"/in/new/*; do sed '1,/^$/d' "$f" | sha256sum; done |
		sort -u | wc -l)"
	assertEquals "of full length" 0 "$(find "$BOX/in/new" -type f -size -5000c | wc -l)"
}

# Three recipients of each message, and a reply for each.
testPostfixSmtpSourceOverLmtpInTenSessionsAtOnce() {
	part usr/sbin/smtp-source postfix || return 0
	local box
	listen "$T/lmtp-source" each -l
	with_smtp_source -L -s 10 -m 20 -r 3 "unix:$T/lmtp-source" >out 2>&1
	ended $? out
	for box in ann 2ann 3ann; do
		assertEquals $box 20 "$(files "$BOX/$box/new")"
	done
}

# ---- a person -----------------------------------------------------------------------------------

# The session of every tutorial, typed into telnet on a terminal: a line when the one before has been
# answered, or in the message echoed.
testAPersonAtTelnet() {
	timeout 20 python3 - telnet 127.0.0.1 "$PORT_ALL" >out 2>&1 <<-'EOF'
		import os, pty, re, sys

		child, terminal = pty.fork()
		if child == 0:
		    os.execvp(sys.argv[1], sys.argv[1:])
		seen = b""

		def wait_for(pattern):
		    global seen
		    while not re.search(pattern, seen, re.M):
		        octets = os.read(terminal, 65536)
		        sys.stdout.buffer.write(octets)
		        sys.stdout.flush()
		        seen += octets

		def enter(line, answer):
		    global seen
		    seen = b""
		    os.write(terminal, line + b"\r")
		    wait_for(answer)

		wait_for(rb"^220 .*\n")
		for command, code in ((b"HELO client.test", b"250"), (b"MAIL FROM:<a@client.test>", b"250"),
		                      (b"RCPT TO:<ann@mx.test>", b"250"), (b"DATA", b"354")):
		    enter(command, b"^" + code + rb" .*\n")
		for line in b"Subject: typed", b"", b"Hello Ann,", b".. is how one dot is typed":
		    enter(line, b"^" + re.escape(line) + rb"\r\n")
		enter(b".", rb"^250 .*delivered\r\n")
		enter(b"QUIT", rb"^221 .*\n")
		wait_for(b"closed by foreign host")
		sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
	EOF
	ended $? out
	printf '%s\n' "Subject: typed" "" "Hello Ann," ". is how one dot is typed" >want
	arrived want
}

# ---- mail systems -------------------------------------------------------------------------------

# Exim sends BDAT, and no DATA, because it is offered; a message of this size in more than one.
testExim() {
	need_root && part exim/usr/sbin/exim4 exim4-daemon-light || return 0
	cp each wire/exim.conf
	wire_port exim
	with_exim "$PORT" ann@mx.test bob@mx.test <eight.eml >out 2>&1
	ended $? out
	wire_end
	arrived eight.eml ann
	arrived eight.eml bob
	assertEquals "it is sent: $(cat exim/mainlog)" 2 "$(grep -c ' [=-]> .*C="250 2.0.0 .* delivered"' exim/mainlog)"
	assertEquals "its queue is empty" 0 "$(find exim/spool/input -type f | wc -l)"
	assertEquals "DATA" 0 "$(grep -ac '^DATA' wire/exim.raw)"
	assertEquals "BDAT: $(grep -a '^BDAT' wire/exim.raw)" 2 "$(grep -acE '^BDAT [0-9]+( LAST)?.$' wire/exim.raw)"
}

testEximSendsSmtputf8() {
	need_root && part exim/usr/sbin/exim4 exim4-daemon-light || return 0
	printf '%s\n' 'From: jörg@client.test' 'To: änn@mx.test' 'Date: Sun, 22 Nov 2026 09:00:00 +0000' \
		'Message-ID: <1@client.test>' 'Subject: Grüße' '' 'Text' >utf8.eml
	SENDER=jörg@client.test with_exim "$PORT_ALL" änn@mx.test <utf8.eml >out 2>&1
	ended $? out
	arrived utf8.eml
	assertTrue "the addresses" "head -n 2 $BOX/in/new/* | cmp - <(printf '%s\n' \
		'Return-Path: <jörg@client.test>' 'Delivered-To: änn@mx.test')"
	assertTrue "as such" "grep -q 'with UTF8SMTP id' $BOX/in/new/*"
}

# What Postfix says of each recipient.
verdicts() {
	sed -nE 's/.*: to=<([^>]*)>.* dsn=([^,]*), status=([a-z]*).*/\1 \2 \3/p' postfix/log | sort
}
has_verdicts() {
	[ "$(verdicts | wc -l)" -ge "$1" ] && [ "$(postfix_queue | wc -l)" -eq "$2" ]
}

# Five recipients of one message: one whose mailbox cannot be used at the moment and one who does not
# exist hold up nobody, and are told for themselves.
testPostfixOverLmtp() {
	need_root && part usr/lib/postfix/sbin/master postfix || return 0
	local user
	for user in a ann bob carl dora; do
		install -d -o 2001 -g 2001 "$BOX/$user"
	done
	touch "$BOX/dora/Maildir" # which is no Maildir
	listen "$T/lmtp" users -l
	chmod 666 "$T/lmtp"
	postfix_up "$T/lmtp" || return
	SENDER=a@mx.test postfix_sendmail ann@mx.test bob@mx.test nobody@mx.test dora@mx.test carl@mx.test \
		<eight.eml >out 2>&1
	ended $? out
	wait_for has_verdicts 6 1 || cat postfix/log
	assertEquals "a@mx.test 2.0.0 sent
ann@mx.test 2.0.0 sent
bob@mx.test 2.0.0 sent
carl@mx.test 2.0.0 sent
dora@mx.test 4.2.0 deferred
nobody@mx.test 5.1.1 bounced" "$(verdicts)"
	assertEquals "what is left in the queue" dora@mx.test "$(postfix_queue)"
	for user in ann bob carl; do
		arrived eight.eml $user/Maildir
		assertTrue "with LMTP" "grep -q 'with LMTP id' $BOX/$user/Maildir/new/*"
	done
	assertEquals "the bounce" 1 "$(files "$BOX/a/Maildir/new")"
	assertTrue "from nobody" "head -n 1 $BOX/a/Maildir/new/* | grep -qxF 'Return-Path: <>'"
	assertTrue "of that one" "grep -q '^Final-Recipient: rfc822; nobody@mx.test' $BOX/a/Maildir/new/*"
	assertEquals "of nobody else" 1 "$(grep -c ^Final-Recipient: "$BOX"/a/Maildir/new/*)"
	# When it comes again it is for that one alone.
	rm "$BOX/dora/Maildir"
	postfix_retry
	wait_for has_verdicts 7 0 || cat postfix/log
	for user in ann bob carl dora; do
		arrived eight.eml $user/Maildir
	done
	postfix_down
	assertEquals "Postfix has ended" "" "$(pgrep -l -g "$POSTFIX")"
}

# ---- sizes --------------------------------------------------------------------------------------

testThirtyMebibytesArrive() {
	with_curl "$PORT_ALL" large.eml >out 2>&1
	ended $? out
	assertTrue "it is that large" "[ $(stat -c %s large.eml) -gt 31000000 ]"
	arrived large.eml
}

testAMessageOverTheLimitIsRefusedDeclaredOrNot() {
	# curl and msmtp declare the size; smtplib, told so, does not.
	with_curl "$PORT_SMALL" eight.eml -v >out 2>&1
	assertEquals "curl" 55 $?
	assertTrue "at MAIL: $(grep '^< 5' out)" "grep -q '^> MAIL FROM:<a@client.test> SIZE=' out &&
		grep -q '^< 552 5.3.4 message too large' out && ! grep -q '^> DATA' out"
	timeout 20 python3 - "$PORT_SMALL" >out 2>&1 <<-'EOF'
		import smtplib, sys
		message = open("eight.eml", "rb").read().replace(b"\n", b"\r\n")
		with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "client.test") as s:
		    s.ehlo()
		    s.mail("a@client.test")
		    s.rcpt("ann@mx.test")
		    print(*s.data(message))
		    s.sendmail("a@client.test", "ann@mx.test", "Subject: after\r\n\r\n")
	EOF
	ended $? out
	assertEquals "552 b'5.3.4 message too large'" "$(cat out)"
	printf 'Subject: after\n\n' >want
	arrived want # in the same session, and nothing else
}

# shellcheck source=/dev/null
. shunit2
