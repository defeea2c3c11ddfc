#!/bin/bash
# aliases_test.sh -- what stands in the place of a user: another, an address elsewhere (251), a reply
# (551 and others); and that what the file does not tell is never taken for a no.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
# shellcheck source=aliases_lib.sh
. "$TOP/tests/aliases_lib.sh"

# gives WANT TARGET ... -- RCPT and VRFY of a name with each target have that reply.
gives() {
	local want=$1 target
	shift
	for target; do
		aliases 'before: alice' "name:	$target" 'behind: alice'
		assertEquals "RCPT: $target" "$want" "$(rcpt name)"
		assertEquals "VRFY: $target" "$want" "$(vrfy name@mx.test)"
	done
}

# tells WHY TARGET ... -- each target is a fault, which is told with its line and for that name only.
tells() {
	local why=$1 target
	shift
	for target; do
		aliases 'before: alice' "name: $target" 'behind: alice'
		assertEquals "RCPT: $target" "$WRONG"$'\n'"$OK" "$(rcpt name behind)"
		assertEquals "log: $target" "$T/aliases:2: $why" "$(errors log)"
		assertEquals "VRFY: $target" "$WRONG" "$(vrfy name@mx.test)"
	done
}

# faulty LINE WHY [NAME ...] -- the file has a fault that hides what stands behind it.
faulty() {
	local line=$1 why=$2
	shift 2
	assertEquals "$why" "$WRONG"$'\n'"$WRONG" "$(rcpt "${@:-behind}" alice)"
	assertEquals "$why: logged" "$(printf "$T/aliases${line:+:$line}: $why\n%.0s" 1 2)" \
		"$(errors log)"
}

# ---- users --------------------------------------------------------------------------------------

testAnAliasOfAUserIsThatUser() {
	aliases 'info: alice' 'there: bob@two.test' 'bob: alice' 'gone: erin'
	message a@client.test Info@mx.test there@mx.test | session
	assertEquals "$OK" "$(reply 4)"
	assertEquals "$OK" "$(reply 5)"
	assertEquals "250 2.0.0" "$(reply 7 | cut -c1-9)"
	assertEquals "mx.test/alice two.test/alice" "$(delivered)"
	assertTrue "as it was addressed" "grep -qx 'Delivered-To: Info@mx.test' $T/users/mx.test/alice/Maildir/new/*"
	assertEquals "the alias comes before the user" '250 2.1.5 <alice@mx.test>' "$(vrfy bob@mx.test)"
	assertEquals "by its name alone" '250 2.1.5 <alice@mx.test>' "$(vrfy info)"
	assertEquals "in another domain" '250 2.1.5 <alice@two.test>' "$(vrfy info@two.test)"
	assertEquals "a user that is none" "$NO" "$(rcpt gone)"
	assertEquals "not for other domains" '550 5.7.1 mail for this domain is not taken here' "$(rcpt info@else.test)"
}

# Debian's file has it so, and nobody is root.
testAPostmasterWhoIsAnAliasOfNobodyIsPostmasters() {
	aliases 'mailer-daemon: postmaster' 'postmaster: root'
	sed -i 's/^Postmaster .*/Postmaster alice/' conf
	assertEquals "$OK"$'\n'"$OK"$'\n'"$OK" "$(rcpt postmaster Postmaster mailer-daemon)"
	sed -i 's/^Postmaster .*/Postmaster nosuch/' conf
	assertEquals "$WRONG" "$(rcpt postmaster)"
}

testATargetThatIsNoUserAndThenAFaultyFile() {
	aliases 'info: nosuch' 'this line is none'
	assertEquals "$WRONG" "$(rcpt info)"
}

testABinaryMessageIsNotForwarded() {
	aliases 'away: erin@else.test'
	printf 'EHLO a\r\nMAIL FROM:<a@client.test> BODY=BINARYMIME\r\nRCPT TO:<away@mx.test>\r\nRCPT TO:<alice@mx.test>\r\nQUIT\r\n' |
		aliased | tr -d '\r' | tail -n 3 >out
	printf '%s\n' '550 5.6.1 a binary message cannot be forwarded' "$OK" '221 2.0.0 goodbye' | diff - out || fail 'other replies'
}

testAnAliasOfThePostmaster() {
	aliases 'abuse: postmaster'
	assertEquals "$WRONG"$'\n'"$WRONG" "$(rcpt abuse postmaster)"
	SETTINGS=(-o 'Postmaster bob')
	assertEquals "by Postmaster" "$OK"$'\n'"$OK" "$(rcpt abuse postmaster)"
	SETTINGS=()
	aliases 'postmaster: bob'
	assertEquals "$OK"$'\n'"$OK"$'\n'"$OK" "$(rcpt postmaster Postmaster POSTMASTER@two.test)"
	aliases 'postmaster: pm@else.test'
	assertEquals '251 2.1.5 user not local; will forward to <pm@else.test>' "$(rcpt Postmaster)"
}

testAnAliasOfAUserReachesDeliverCommandByTheUsersName() {
	aliases 'info: alice' 'odd: a/b' '"-x": alice'
	[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$BOX"
	message a@client.test info@mx.test | session -o "DeliverCommand $T/sent/run %u %d %r"
	assertEquals "250 2.0.0" "$(reply 6 | cut -c1-9)"
	assertEquals "<alice> <mx.test> <info@mx.test>" "$(xargs <"$BOX/arguments")"
	SETTINGS=(-o "DeliverCommand $T/sent/run %u")
	assertEquals "$NO"$'\n'"$NO" "$(rcpt odd -x)"
	aliases '@mx.test: alice'
	assertEquals "no option by way of %r" "$NO"$'\n'"$NO"$'\n'"$OK" "$(rcpt -x '"-x"' x-y)"
	SETTINGS=()
	assertEquals "deliver(8) takes it" "$OK" "$(rcpt -x)"
}

testEveryDomainIsServedWhereNoneIsNamed() {
	aliases 'x: bob@else.test'
	[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$BOX"
	message a@client.test x@any.test | smtp -o "Aliases $T/aliases" -o "Mailbox $BOX/%d/" >heard 2>log
	assertTrue "$(cat heard)" "grep -q '^250 2.0.0 ' heard"
	assertEquals 1 "$(files "$BOX/else.test/new")"
}

# ---- replies ------------------------------------------------------------------------------------

testSomebodyWhoHasMovedIsTold() {
	gives '551 5.1.6 user not local; please try <New.Path+x@else.test>' 'error:551 New.Path+x@else.test' \
		'error: 551 5.1.6	New.Path+x@else.test' '"ERROR:551 New.Path+x@else.test"'
	gives '551 5.7.1 user not local; please try <a@mx.test>' 'error:551 5.7.1 a@mx.test'
	rcpt name >/dev/null
	assertTrue "$(cat log)" "grep -q '^refused session=.* to=<name@mx.test> reply=\"5.7.1 user not local; please try .x3ca@mx.test.x3e\"$' log"
}

testAnErrorHasTheCodeAndTheTextThatAreWritten() {
	gives '550 5.1.1 he left: see #5' '"error:550 he left: see #5"'
	gives '550 5.2.1 he left, in May' 'error:550 5.2.1 he left, in May # a comment'
	gives '550 5.123.45 x' 'error:550 5.123.45 x'
	gives '450 4.2.1 busy' 'error:450 busy' 'error:450 4.2.1 busy'
	gives '451 4.3.0 x y' 'error:451 x y' 'error:  451	4.3.0   x	y'
	gives '450 4.7.1 x' 'error:450 4.7.1 x'
	gives '452 4.2.2 full' 'error:452 full'
	gives '452 4.3.1 full' 'error:452 4.3.1 full'
	gives '552 5.2.2 full' 'error:552 full'
	gives '552 5.2.3 full' 'error:552 5.2.3 full'
	gives '553 5.1.3 odd' 'error:553 odd'
	gives "550 5.1.1 x$(printf %0393d 0)" "error:550 x$(printf %0393d 0)"
	aliases 'name: error:550 a' '	b' '   # no' ' c'
	assertEquals 'over several lines' '550 5.1.1 a b c' "$(rcpt name)"
}

testAnErrorThatCannotBeSaidIsAFault() {
	local code='error: wants 450, 451, 452, 550, 551, 552 or 553, and a text'
	tells "$code" error: error:x 'error:521 no' 'error:421 x' 'error:250 x' 'error:554 x' 'error:55 x' \
		'error:5500 x' error:550 'error:4.2.1 x'
	tells 'error: without a text' 'error:550 5.1.1' 'error:550 ...' '"error:550 "'
	tells 'error: with an enhanced code that goes with another code' 'error:550 5.2.2 x' 'error:550 4.2.2 x' \
		'error:550 2.0.0 x' 'error:452 4.2.1 x' 'error:450 4.3.0 x' 'error:450 5.1.1 x' 'error:553 5.1.1 x' \
		'error:551 5.1.3 a@else.test' 'error:550 5.1.1 5.1.2 x'
	tells 'error:551 wants the new address, user@domain' 'error:551 gone' 'error:551 a@' 'error:551 @b' \
		'error:551 <a@b.test>' 'error:551 a@b.test c' 'error:551 a b@c.test'
	tells 'error: with a text that is too long' "error:550 x$(printf %0394d 0)"
}

# ---- faults -------------------------------------------------------------------------------------

testATargetThatIsNoneIsAFault() {
	tells 'a target that is no user, address, command, file, :include: or error:' 'a@b@c' @mx.test alice@ .alice \
		'alice@a/b' "$(printf %0256d 0)" "a@$(printf %0253d 0)" '" "' '"a b"@else.test'
	gives "251 2.1.5 user not local; will forward to <a@$(printf %0252d 0)>" "a@$(printf %0252d 0)"
	tells 'a blank outside of quotes' 'alice bob' 'error 550 x'
	tells 'a target that begins with a dash' -x -x@else.test '"-x"'
	tells 'a target with an octet that is not printable ASCII' $'al\303\251' $'alice\001' $'error:550 caf\303\251'
	tells 'a name without a target' '' '# alice' '""'
	tells 'a quote without its end' '"alice'
}

# The name with its domain, which comes first, might be there.
testALineThatIsNoneHidesWhatIsBehindIt() {
	# shellcheck disable=SC1003  # a backslash is meant
	aliases 'before: alice' 'before@mx.test: \alice' 'no colon' 'behind: alice'
	faulty 3 'no colon behind the name'
	assertEquals "what is before it holds" "$OK"$'\n'"$WRONG" "$(rcpt before before@two.test)"
	printf 'a: alice\n# \0\nbehind: alice\n' >aliases
	faulty 2 'a NUL character'
	aliases '# comment' '  alice' 'behind: alice'
	faulty 2 'a line that continues none'
	head -c 2000000 /dev/zero | tr '\0' x >aliases
	faulty 1 'the line is too long'
}

testAFileThatCannotBeReadIsNoRefusal() {
	faulty '' 'No such file or directory'
	mkdir aliases
	faulty '' 'not a regular file'
	rmdir aliases
	mkfifo aliases
	faulty '' 'not a regular file'
	rm aliases
	aliases 'behind: alice'
	chmod 000 aliases
	[ "$(id -u)" -ne 0 ] || chown 2002 aliases # the monitor passes by no permission
	faulty '' 'Permission denied'
	rm -f aliases
}

# What is read by somebody else's eyes cannot be watched: strace must be root's.
testAFileThatEndsInAnErrorIsNoRefusal() {
	need_root || return 0
	aliases 'behind: alice'
	asked behind alice | timeout 30 strace -f -qq -o trace -P "$T/aliases" -e inject=read:error=EIO \
		"$BIN/smtp-stdio" -C "$T/conf" >heard 2>log
	assertContains "$(cat log)" "$T/aliases: I" # as that libc calls EIO
	assertEquals 2 "$(grep -c '^451 4.3.5 ' heard)"
}

# ---- forwarding ---------------------------------------------------------------------------------

testAnAliasElsewhereIsForwarded() {
	gives '251 2.1.5 user not local; will forward to <New@Else.Test>' New@Else.Test '"New@Else.Test"'
	aliases 'fw: new@else.test'
	assertEquals "not told unless Verify is yes" 252 "$(printf 'HELO x\r\nVRFY fw\r\n' | aliased | sed -n 3p | cut -c1-3)"
	aliases 'fw: root!%s#{x}@[IPv6:::1]'
	assertEquals '251 2.1.5 user not local; will forward to <root!%s#{x}@[IPv6:::1]>' "$(rcpt fw)"
}

# shellcheck disable=SC2016  # a sender
testTheCommandIsGivenTheMessageAndTheNewAddress() {
	local uid home='' user=''
	uid=$(id -u)
	if [ "$uid" -eq 0 ]; then
		uid=$(id -u $FORWARDER) home=$(getent passwd $FORWARDER | cut -d: -f6) user=$FORWARDER
	fi
	aliases 'fw: New@else.test'
	message '"a b$x"@client.test' Fw@mx.test | session -o 'MailGroup mail'
	assertEquals '251 2.1.5 user not local; will forward to <New@else.test>' "$(reply 4)"
	assertTrue "$(reply 6)" "reply 6 | grep -qx '250 2\.0\.0 [0-9a-f.]* forwarded to New@else.test'"
	printf '<%s>\n' -i -f '"a b$x"@client.test' -- New@else.test >want
	assertTrue "arguments: $(cat "$BOX/arguments")" "cmp want $BOX/arguments"
	cat >want <<-END
		CLIENT_ADDRESS=local
		CLIENT_HELO=client.test
		CLIENT_PROTOCOL=SMTP
		DOMAIN=mx.test
		EXT=
		EXTENSION=
		HOME=$home
		HOST=mx.test
		HOSTNAME=mx.test
		LOCAL=fw
		LOGNAME=$user
		ORIGINAL_RECIPIENT=Fw@mx.test
		PATH=/usr/local/bin:/usr/bin:/bin
		QUEUE_ID=$(sed -n 's/^delivered .* id=\([^ ]*\) .*/\1/p' log)
		RECIPIENT=fw@mx.test
		SENDER=_a_b_x_@client.test
		SHELL=/bin/sh
		SIZE=
		USER=$user
	END
	[ -n "$user" ] || sed -i '/^HOME=$/d; /^LOGNAME=$/d; /^USER=$/d' want # it runs as we do
	assertTrue "environment: $(cat "$BOX/environment")" "cmp want $BOX/environment"
	assertEquals "as whom" "$uid" "$(cat "$BOX/uid")"
	[ "$(id -u)" -ne 0 ] || assertEquals "no other group" "$(id -g $FORWARDER)" "$(cat "$BOX/groups")"
	printf 'Subject: to the octet\n\n.\n..\n\303\244 \t\n' >want
	sed '/^Received: /,/;$/d' "$BOX/message" | tail -n 5 >got
	assertTrue "to the octet" "cmp want got"
	assertEquals "nothing before our own line" "Received: from client.test" "$(head -n 1 "$BOX/message")"
	assertFalse "no Return-Path" "grep -qi '^Return-Path\|^Delivered-To' $BOX/message"
	assertTrue "$(cat log)" "grep -q '^delivered session=.* to=<Fw@mx.test> .* reply=\"2.0.0 [0-9a-f.]* forwarded to New@else.test\"$' log"
	assertEquals "to no mailbox" "" "$(delivered)"
}

testTheNullPathIsAnEmptyArgument() {
	aliases 'fw: new@else.test'
	message '' fw@mx.test | session -o "ForwardCommand $T/sent/run -i -f %s -- %r %u %d a%r"
	assertEquals '<-i> <-f> <> <--> <new@else.test> <%u> <%d> <a%r>' "$(xargs <"$BOX/arguments")"
	assertEquals 'SENDER=' "$(grep ^SENDER "$BOX/environment")"
}

testForwardUserIsNeverRoot() {
	need_root || return 0
	local user
	aliases 'fw: new@else.test' 'info: alice'
	for user in root nosuch; do
		SETTINGS=(-o "ForwardUser $user")
		assertEquals "$user" "$WRONG"$'\n'"$OK" "$(rcpt fw info)"
		assertEquals "$user" "ForwardUser $user: no such user, or root" "$(errors log)"
	done
	SETTINGS=()
	chown nobody "$BOX"
	message a@client.test fw@mx.test | smtp -o 'Domain mx.test' -o "Aliases $T/aliases" \
		-o "ForwardCommand $T/sent/run %r" >heard 2>log
	assertEquals "nobody by default" "$(id -u nobody)" "$(cat "$BOX/uid")"
	assertEquals "/nonexistent is no directory" / "$(cat "$BOX/directory")"
}

testAnOrdinaryUserForwardsAsThatUser() {
	need_root || return 0
	aliases 'fw: new@else.test'
	chown 2005:2005 "$BOX"
	message a@client.test fw@mx.test >in
	as_user 2005 "$BIN/smtp-stdio" -C "$T/conf" -o "ForwardCommand $T/sent/run %r" <in >heard 2>log
	assertTrue "$(cat heard log)" "grep -q '^250 2.0.0 .* forwarded to' heard"
	assertEquals "2005 2005 <new@else.test>" "$(cat "$BOX/uid" "$BOX/groups" "$BOX/arguments" | xargs)"
}

testTheExitStatusOfTheCommandIsTheReply() {
	local status want
	aliases 'fw: new@else.test'
	while read -r status want; do
		echo "exit $status" >"$T/sent/end"
		message a@client.test fw@mx.test | session
		assertEquals "status $status" "$want" "$(reply 6)"
		assertEquals "the session goes on" "221 2.0.0 goodbye" "$(reply 7)"
		assertTrue "status $status: $(cat log)" "grep -q '^failed session=.* to=<fw@mx.test> ' log"
	done <<-END
		65 554 5.6.0 message refused
		67 554 5.1.1 no such mailbox here
		68 554 5.1.2 no such domain here
		69 554 5.3.0 message refused
		77 554 5.7.0 message refused
		75 $LATER
		1 $LATER
	END
	# shellcheck disable=SC2016  # expanded by the command
	for status in 'kill -KILL $$' 'kill -TERM $$'; do
		echo "$status" >"$T/sent/end"
		message a@client.test fw@mx.test | session
		assertEquals "$status" "$LATER" "$(reply 6)"
	done
	echo 'echo 5.4.6 a loop; echo no more; exit 69' >"$T/sent/end"
	message a@client.test fw@mx.test | session
	assertEquals "its first line" "554 5.4.6 a loop" "$(reply 6)"
	assertTrue "$(cat log)" "grep -qx 'said session=.* id=.* to=<fw@mx.test> text=\"5.4.6 a loop/no more \"' log"
	message a@client.test fw@mx.test | session -o "ForwardCommand $T/nosuch %r"
	assertEquals "not there" "451 4.3.0 mailbox cannot be opened now" "$(reply 6)"
	echo 'exec sleep 1000' >"$T/sent/end"
	message a@client.test fw@mx.test | session -o 'DeliverTimeout 1s'
	assertEquals "too slow" "451 4.3.0 delivery took too long; try again later" "$(reply 6)"
}

# What else the message has, lists_test.sh asks.
testAResetForgetsWhatIsForwarded() {
	local yes='251 2.1.5 user not local; will forward to <new@else.test>'
	aliases 'fw: new@else.test' 'info: alice' "run: |$T/sent/run"
	{
		printf 'HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<run@mx.test>\r\nRSET\r\n'
		message a@client.test fw@mx.test
	} | session
	assertEquals "RSET forgets" "$yes" "$(reply 8)"
	{
		printf 'HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<fw@mx.test>\r\nRSET\r\n'
		message a@client.test info@mx.test
	} | session
	assertEquals "and that it was forwarded" "delivered" "$(reply 10 | cut -d' ' -f4-)"
}

testASenderWithADashIsNotForwarded() {
	aliases 'fw: new@else.test' 'info: alice'
	message -oQ/tmp@client.test fw@mx.test info@mx.test | session
	assertEquals "250 2.1.0 sender ok" "$(reply 3)"
	assertEquals "550 5.1.7 a sender that begins with - is not taken here" "$(reply 4)"
	assertEquals "$OK" "$(reply 5)"
	assertEquals "250 2.0.0" "$(reply 7 | cut -c1-9)"
	assertFalse "[ -e $BOX/message ]"
	assertTrue "$(cat log)" "grep -q '^refused session=.* to=<fw@mx.test> reply=\"5.1.7 ' log"
}

# server CONF -- another smtp-stdio; its port in PORT.
server() {
	PORT=$(free_port)
	systemd-socket-activate -l "127.0.0.1:$PORT" --accept --inetd "$BIN/smtp-stdio" -C "$T/$1" \
		>"log.$1" 2>&1 </dev/null &
	PIDS+=($!)
	wait_for grep -q '^Listening on' "log.$1"
}

# From one smtp-stdio by msmtp to another.
testMsmtpForwardsToAnotherServer() {
	local PORT
	install -d "$T/in/new"
	[ "$(id -u)" -ne 0 ] || chown -R 2001:2001 "$T/in"
	printf 'Hostname else.test\nDomain else.test\nMailbox %s/in/\nDeliverPath %s\nAliases %s/theirs\n' "$T" \
		"$BIN/deliver" "$T" >else
	printf 'gone: error:550 5.2.1 she left\nbusy: error:450 not today\n' >theirs
	server else
	SETTINGS=(-o "ForwardCommand /usr/bin/msmtp -C /dev/null --host=127.0.0.1 --port=$PORT --tls=off --auth=off -f %s -- %r")
	aliases 'fw: new@else.test' 'gone: gone@else.test' 'busy: busy@else.test'
	{
		printf 'HELO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<fw@mx.test>\r\nDATA\r\nFrom: x@client.test\r\n'
		printf 'Date: Sun, 22 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@client.test>\r\n\r\n..\r\n\303\244\r\n.\r\nQUIT\r\n'
	} | session
	assertTrue "$(cat heard log)" "grep -q '^250 2.0.0 .* forwarded to new@else.test' heard.lf"
	assertEquals 1 "$(files "$T/in/new")"
	cat "$T"/in/new/* >got
	assertEquals "Return-Path: <>
Delivered-To: new@else.test" "$(head -n 2 got)"
	assertEquals "one Received of each" 2 "$(grep -c '^Received: ' got)"
	printf 'From: x@client.test\nDate: Sun, 22 Nov 2026 09:00:00 +0000\nMessage-ID: <1@client.test>\n\n.\n\303\244\n' >want
	tail -n 6 got | cmp - want || fail "to the octet"
	message a@client.test gone@mx.test | session
	assertEquals "refused there" 554 "$(reply 6 | cut -c1-3)"
	message a@client.test busy@mx.test | session
	assertEquals "msmtp's status is the same where it is later there" 554 "$(reply 6 | cut -c1-3)"
	assertEquals 1 "$(files "$T/in/new")"
	SETTINGS=()
}

# ---- size ---------------------------------------------------------------------------------------

# peak NAME FILE -- sets PEAK to the most kilobytes that the monitor held to look the name up there.
peak() {
	local line pid
	coproc smtp -o 'Domain mx.test' -o "Aliases $2" -o 'Verify yes' 2>log
	read -r -u "${COPROC[0]}" line
	printf 'VRFY <%s@mx.test>\r\n' "$1" >&"${COPROC[1]}"
	read -r -u "${COPROC[0]}" line
	assertContains "$1" "$line" '251 2.1.5 '
	pid=$(pgrep -P "$COPROC_PID" -x smtp-stdio || echo "$COPROC_PID")
	PEAK=$(awk '/^VmHWM:/ { print $2 }' "/proc/$pid/status")
	printf 'QUIT\r\n' >&"${COPROC[1]}"
	wait "$COPROC_PID"
}

testAHundredThousandLinesTakeNoMemoryAndLittleTime() {
	local n PEAK few begin
	seq 0 99999 | sed 's/.*/user&: bob&@else.test/' >aliases
	begin=$(date +%s%N)
	assertEquals "251 2.1.5 user not local; will forward to <bob99999@else.test>
251 2.1.5 user not local; will forward to <bob0@else.test>
$OK
$NO" "$(rcpt user99999 USER0 alice user100000)"
	n=$((($(date +%s%N) - begin) / 1000000))
	assertTrue "$n ms" "[ $n -lt 1000 ]"
	head -n 1 aliases >few
	peak user0 "$T/few"
	few=$PEAK
	peak user99999 "$T/aliases"
	assertTrue "$few kB and $PEAK kB" "[ $few -gt 100 ] && [ $PEAK -lt $((few + 200)) ]"
}

# shellcheck source=/dev/null
. shunit2
