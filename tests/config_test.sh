#!/bin/bash
# config_test.sh -- the settings: what the file and -o may say, and that every keyword does it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

BOX=$T/box      # where mail goes; of uid 2001 if we are root
IN=$BOX/in/     # and the mailbox there
OWNER=$(id -u)
[ "$OWNER" -ne 0 ] || OWNER=2001

# A command that stands where deliver stands: does what the files in $T/mda say, and notes in $BOX
# how it was called.  (It takes its directory from its own name: its environment is clean.)
mkdir "$T/mda"
noting "$T/mda/run" <<'EOF'
[ ! -e "$here/output" ] || cat "$here/output"
cat >"$box/message"
[ ! -e "$here/end" ] || . "$here/end"
exit "$(cat "$here/status")"
EOF

# A client that says what standard input holds, keeps the connection open, and notes what it hears
# and how many milliseconds it took until the server closed.
cat >"$T/client.py" <<'EOF'
import os, select, socket, subprocess, sys, time
kind, talk, command = sys.argv[1], sys.argv[2], sys.argv[3:]
said = sys.stdin.buffer.read()
if kind == "socket":
    ours, theirs = socket.socketpair()
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs)
    theirs.close()
    send, get = ours.sendall, lambda: ours.recv(65536)
    fd = ours.fileno()
else:
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    fd = child.stdout.fileno()
    send = lambda octets: os.write(child.stdin.fileno(), octets)
    get = lambda: os.read(fd, 65536)
begin = time.monotonic()

def reply():
    line = b""
    while line[3:4] != b" ":
        line = b""
        while not line.endswith(b"\n"):
            octet = os.read(fd, 1)
            if not octet:
                return b""
            line += octet
        sys.stdout.buffer.write(line)
    return line

def converse():
    """Over a socket every reply is waited for, or the server hangs up."""
    text = False
    reply()
    for line in said.splitlines(True):
        send(line)
        if not text or line == b".\r\n":
            text = reply().startswith(b"354")

try:
    if kind == "socket":
        converse()
    else:
        send(said)
except OSError:
    pass  # it is gone already, and may have said something before
while time.monotonic() - begin < 20:
    if select.select([fd], [], [], 0.1)[0]:
        try:
            heard = get()
        except ConnectionError:
            break
        if not heard:
            break
        sys.stdout.buffer.write(heard)
    elif talk == "talks":
        try:
            send(b"NOOP\r\n")
        except OSError:
            break
if time.monotonic() - begin >= 20:
    child.kill()  # it was to end by itself
child.wait()
print(int((time.monotonic() - begin) * 1000), file=open("ms", "w"))
EOF

setUp() {
	rm -rf "$BOX" "$T/mda/output" "$T/mda/end" conf
	install -d -m 755 "$BOX"
	[ "$(id -u)" -ne 0 ] || chown "$OWNER:$OWNER" "$BOX"
	echo 0 >"$T/mda/status"
}

# on KIND TALK ARG ... -- smtp-stdio with those settings at the end of a socket or a pipe of a
# client that "waits" or "talks"; heard in ./heard.
on() {
	local kind=$1 talk=$2
	shift 2
	python3 "$T/client.py" "$kind" "$talk" "$BIN/smtp-stdio" -C /dev/null \
		-o "DeliverPath $BIN/deliver" -o "Hostname mx.test" -o "Mailbox $BOX/in/" "$@" >heard 2>log
}

# stops WANT ARG ... -- it ends with 78 and the message WANT; whoever is there hears nothing.
stops() {
	local want=$1
	shift
	says "EHLO client.test" QUIT | "$BIN/smtp-stdio" "$@" >out 2>err
	assertEquals "status of: $*" 78 $?
	assertEquals "$want" "$(cat err)"
	assertEquals "said to the client: $*" "" "$(cat out)"
}

# takes VALUE ... -- -T takes each setting and says it again.
takes() {
	local setting more
	for setting; do
		more=()
		[[ $setting != Users\ [p/]* ]] || more=(-o "Postmaster x")
		"$BIN/smtp-stdio" -C /dev/null -T -o "$setting" "${more[@]}" >out 2>&1
		assertEquals "status of: $setting" 0 $?
		assertTrue "-T says: $setting" "grep -qxF '$setting' out"
	done
}

# refuses WHY VALUE ... -- each setting is refused for that reason.
refuses() {
	local why=$1 setting
	shift
	for setting; do
		stops "-o:1: ${setting%% *}: $why" -C /dev/null -o "$setting"
	done
}

# shows WANT ARG ... -- of -T's output, the lines that begin with the first word of WANT are WANT.
shows() {
	local want=$1
	shift
	assertEquals "$want" "$("$BIN/smtp-stdio" -T "$@" 2>&1 | grep "^${want%% *} ")"
}

# says LINE ... -- lines of a client.
says() {
	printf '%s\r\n' "$@"
}

# message RECIPIENT ... -- a whole session with one message.
message() {
	local to
	says "EHLO client.test" "MAIL FROM:<Sender@client.test>"
	for to; do says "RCPT TO:<$to>"; done
	says DATA "Subject: settings" "" "text" . QUIT
}

# session ARG ... -- smtp() into $IN, heard in ./heard, logged in ./log.
session() {
	smtp -o "Mailbox $IN" "$@" >heard 2>log
}

# foreign -- a session that ends in $T/mda/run.
foreign() {
	message a@x.test | session -o "DeliverCommand $T/mda/run"
}

# reply N -- the last line of the Nth reply in ./heard.
reply() {
	sed 's/\r$//' heard | grep '^[0-9][0-9][0-9] ' | sed -n "$1p"
}

# The order of replies in a session of message() with one recipient.
TO=4 DOT=6

# ---- reading ------------------------------------------------------------------------------------

testEveryKeywordInAFileIsShownAndReadAgain() {
	cat >conf <<-EOF
		Hostname mx.example.org
		Domain example.org
		Domain example.net
		Users passwd
		Mailbox mail/%d/%u/
		CreateMailbox no
		MinimumUid 500
		MailGroup mail
		Postmaster root
		Verify yes
		Expand yes
		Protocol lmtp
		Newlines normalize
		DeliverPath /opt/deliver
		DeliverCommand /opt/mda -d %u   --   %r
		SessionUser daemon
		Landlock require
		SizeLimit 1M
		RecipientLimit 7
		MessageLimit 5
		SessionSizeLimit 2M
		ErrorLimit 9
		MinimumRate 100
		GreetDelay 1s
		CommandTimeout 2m
		SessionTimeout 3h
		DeliverTimeout 4s
		Aliases /etc/mail/aliases
		ForwardCommand /usr/bin/msmtp -f %s -- %r
		ForwardUser mail
		RecipientDelimiter -
		OverQuota never
		Filter /usr/bin/formail -I X-Spam-Flag:
		Filter /usr/bin/spamc
		FilterUser mail
		FilterTimeout 3m
		FilterSizeLimit 2M
		Check /opt/one
		Check /opt/two  a
		CheckTimeout 10s
	EOF
	"$BIN/smtp-stdio" -C conf -T >once 2>err
	assertEquals "status" 0 $?
	assertTrue "as it was written" "cmp conf once"
	assertEquals "" "$(cat err)"
	assertEquals "every keyword is in this test" "$(sed -n 's/^    \[KEY_.*= {"\([A-Za-z]*\)".*/\1/p' \
		"$TOP/smtp-stdio/config.c")" "$(cut -d' ' -f1 conf | uniq)"
	"$BIN/smtp-stdio" -C /dev/null -T >once
	"$BIN/smtp-stdio" -C once -T >twice
	assertTrue "defaults read again" "cmp once twice"
	"$BIN/smtp-stdio" -C /dev/null -T -o "Users passwd" -o "Postmaster x" >once
	"$BIN/smtp-stdio" -C once -T >twice
	assertTrue "what follows from others read again" "cmp once twice"
}

testCommentsBlanksCrlfAndCaseDoNotMatter() {
	printf 'Hostname mx.test\nMailbox /a#b/\nSizeLimit 64K\nDeliverCommand /bin/x a  b\n' >plain
	printf '# comment\r\n\r\n  \t\r\n\t hOSTNAME\t mx.test \t\r\nMAILBOX /a#b/ # why\r\n  # Hostname x\r\n' >conf
	printf 'sizelimit  64K\t#\nDeliverCommand /bin/x a  b' >>conf # no line feed at the end
	"$BIN/smtp-stdio" -C plain -T >want
	"$BIN/smtp-stdio" -C conf -T >got 2>&1
	assertTrue "the same settings" "cmp want got"
	assertTrue "# inside a word is none" "grep -qx 'Mailbox /a#b/' got"
	assertTrue "they were read" "grep -qx 'DeliverCommand /bin/x a  b' got"
}

testAnOptionComesBeforeTheFileAndTheFileBeforeTheDefault() {
	printf 'Hostname file.test\nDomain one.test two.test\nDomain three.test\nSizeLimit 1M\n' >conf
	shows "Hostname file.test" -C conf
	shows "Hostname option.test" -C conf -o "Hostname option.test"
	shows "Hostname option.test" -o "Hostname option.test" -C conf
	shows "Hostname $(uname -n)" -C /dev/null
	shows "SizeLimit 1M" -C conf -o "Hostname option.test"
	shows $'Domain one.test\nDomain two.test\nDomain three.test' -C conf
	shows $'Domain four.test\nDomain five.test' -C conf -o "Domain four.test" -o "Domain five.test"
	shows "Mailbox mail/" -C /dev/null
	shows "Mailbox Maildir/" -C /dev/null -o "Users passwd" -o "Postmaster x"
	shows "Domain mx.test" -C /dev/null -o "Users passwd" -o "Postmaster x" -o "Hostname mx.test"
}

testTheFileInEtcIsReadUnlessAnotherIsNamed() {
	need_root || return 0
	mkdir -p etc
	cp /etc/passwd /etc/group etc/
	printf 'Hostname etc.test\n' >etc/smtp-stdio.conf
	printf 'Hostname other.test\n' >conf
	# shellcheck disable=SC2016  # expanded by the inner shell
	unshare -m --propagation private sh -c 'mount --bind etc /etc && "$0" -T && "$0" -C conf -T &&
		rm /etc/smtp-stdio.conf && "$0" -T -o "Hostname none.test"' "$BIN/smtp-stdio" >out 2>&1
	assertEquals "etc.test other.test none.test" "$(sed -n 's/^Hostname //p' out | xargs)"
}

testAWrongFileStopsItWithFileLineAndKeyword() {
	printf '# first\nHostname mx.test\nFrobnicate yes\n' >conf
	stops "conf:3: Frobnicate: unknown keyword" -C conf
	printf 'Hostnam mx.test\n' >conf
	stops "conf:1: Hostnam: unknown keyword" -C conf
	printf 'Hostname\n' >conf
	stops "conf:1: Hostname: no value" -C conf
	printf '\nHostname   # mx.test\n' >conf
	stops "conf:2: Hostname: no value" -C conf
	printf 'Verify no\nVerify maybe\n' >conf
	stops "conf:2: Verify: set twice" -C conf
	printf 'Verify maybe\n' >conf
	stops "conf:1: Verify: want yes or no" -C conf
	printf 'Verify no\nverify no\n' >conf
	stops "conf:2: verify: set twice" -C conf
	printf 'Verify no\nHost\0name mx.test\n' >conf
	stops "conf:2: a NUL or control character" -C conf
	printf 'Hostname mx\033.test\n' >conf
	stops "conf:1: a NUL or control character" -C conf
	printf '%s 1\n' "$(printf '%050d' 0)" >conf
	stops "conf:1: $(printf '%031d' 0): unknown keyword" -C conf
	printf 'Verify no\nDeliverPath /%01024d\n' 0 >conf
	stops "conf:2: DeliverPath: the value is too long" -C conf
	printf 'Verify no\nDeliverPath /%01023d\n' 0 >conf
	shows "DeliverPath /$(printf %01023d 0)" -C conf
}

testAFileThatCannotBeReadStopsIt() {
	stops "absent: No such file or directory" -C absent
	stops "$T: Is a directory" -C "$T"
	head -c 65536 /dev/zero | tr '\0' '#' >conf
	shows "Verify no" -C conf
	shows "Expand no" -C conf
	head -c 65537 /dev/zero | tr '\0' '#' >conf
	stops "conf: the file is too large" -C conf
	need_root || return 0
	install -m 600 /dev/null secret
	as_user 2001 "$BIN/smtp-stdio" -C secret >out 2>err </dev/null
	assertEquals "status" 78 $?
	assertEquals "secret: Permission denied" "$(cat err)"
	assertEquals "" "$(cat out)"
}

testAWrongOptionStopsItWithItsNumber() {
	stops "-o:1: Hostname: no value" -o Hostname
	stops "-o:2: Frobnicate: unknown keyword" -o "Verify no" -o "Frobnicate x"
	stops "-o:3: Verify: set twice" -o "Verify no" -o "Hostname a" -o "Verify no"
	stops "-o: Mailbox: an absolute Mailbox needs %u, unless Users is any" \
		-o "Users passwd" -o "Postmaster x" -o "Mailbox /var/mail/all"
	for users in passwd /srv/%u; do
		stops "settings: Postmaster: not set: say who reads the postmaster's mail (RFC 5321 4.5.1)" \
			-o "Users $users"
	done
	stops "-o: SessionSizeLimit: less than SizeLimit" -o "SizeLimit 1M" -o "SessionSizeLimit 999K"
	stops "-o: SessionSizeLimit: less than SizeLimit" -o "SessionSizeLimit 100K"
	stops "-o:1: Mailbox: the value is too long" -o "Mailbox /$(printf %01024d 0)"
	for args in "-x" "-C" "-T more"; do
		# shellcheck disable=SC2086  # words are wanted
		says QUIT | "$BIN/smtp-stdio" $args >out 2>err
		assertEquals "status of $args" 64 $?
		assertEquals "" "$(cat out)"
	done
}

testAClientThatIsThereAlreadyHearsOnlyToComeAgain() {
	on socket waits -o "Frobnicate yes" </dev/null
	assertEquals "421 4.3.5 misconfigured; closing" "$(sed 's/\r$//' heard)"
	assertEquals "-o:4: Frobnicate: unknown keyword" "$(cat log)"
}

testValuesOfTheWrongKindAreRefused() {
	refuses "want a name of letters, digits and .-_" "Hostname a b" "Hostname a/b" "Postmaster a%" \
		"SessionUser a@b" "MailGroup a,b" "Domain a.test b/c"
	refuses "the name begins with - or ." "Hostname -a" "Hostname .a" "Domain a.test .b"
	refuses "the name is too long" "Hostname $(printf %0256d 0)" "SessionUser $(printf %065d 0)"
	takes "Hostname $(printf %0255d 0)" "SessionUser $(printf %064d 0)" "Hostname [127.0.0.1]" \
		"Domain [IPv6:::1]"
	refuses "not UTF-8" $'Domain b\xfccher.test' $'Domain \xc0\xafb'
	takes "Domain bücher.test"
	refuses "want a name of letters, digits and .-_" "Hostname bücher.test"
	refuses "too many domains" "Domain $(seq -s ' ' 65)"
	refuses "want passwd, nss, any, none, or the absolute pattern of a directory" "Users Any" "Users home/%u"
	refuses "a directory pattern needs %u" "Users /home" "Users /home/%d" "Users /home/%%u"
	refuses "a % that is not %u, %d or %%" "Users /home/%u/%h" "Mailbox %" "Mailbox /a/%U"
	refuses "a path here has no blanks" "Users /home/%u b" "Mailbox a b"
	refuses "want an absolute path" "DeliverPath deliver" "DeliverCommand true" \
		"Aliases aliases" "ForwardCommand sendmail %r"
	refuses "want %r as one of the words, once" "ForwardCommand /bin/true" "ForwardCommand /bin/true a%r" \
		"ForwardCommand /bin/true %r %r" "ForwardCommand /bin/true %%r %rx"
	takes "ForwardCommand /bin/true %s %r" "DeliverCommand /bin/true %r %r"
	refuses "want yes or no" "Verify Yes" "Expand on" "CreateMailbox 1" "Verify yes no"
	refuses "want try or require" "Landlock yes" "Landlock no"
	refuses "want smtp or lmtp" "Protocol LMTP" "Protocol esmtp"
	refuses "want reject or normalize" "Newlines lf" "Newlines normalise"
	takes "Users /home/%u" "Users /%d/%u" "Mailbox %%" "Landlock require" "Landlock try" \
		"Users any" "Users passwd" "CreateMailbox no" "CreateMailbox yes" "Verify yes" "Expand yes"
}

testNumbersSizesAndTimesHaveTheirUnitsAndBounds() {
	takes "SizeLimit 65536" "SizeLimit 64K" "SizeLimit 1M" "SizeLimit 1G" "SizeLimit 1073741824"
	refuses "too small" "SizeLimit 65535" "SizeLimit 63K" "SizeLimit 0" "RecipientLimit 0" \
		"CommandTimeout 0" "SessionTimeout 0m" "DeliverTimeout 0" "MinimumUid 0"
	# The last is 1G in the remainder by 2^64.
	refuses "too large" "SizeLimit 1073741825" "SizeLimit 2G" "RecipientLimit 1001" \
		"MinimumUid 65534" "SizeLimit 17179869185G"
	takes "RecipientLimit 1" "RecipientLimit 1000" "MinimumUid 1" "MinimumUid 65533"
	takes "CommandTimeout 1440m" "SessionTimeout 24h" "CommandTimeout 1d" "SessionTimeout 86400" \
		"DeliverTimeout 540" "DeliverTimeout 9m"
	refuses "too large" "CommandTimeout 86401s" "SessionTimeout 25h" "CommandTimeout 2d" \
		"DeliverTimeout 541" "DeliverTimeout 10m" "DeliverTimeout 1h"
	takes "FilterTimeout 8m" "CheckTimeout 145s" "FilterSizeLimit 1K" "FilterSizeLimit 1G"
	refuses "too large" "FilterTimeout 9m" "CheckTimeout 5m" "FilterSizeLimit 2G"
	refuses "too small" "FilterTimeout 0" "CheckTimeout 0" "FilterSizeLimit 1023"
	for key in Command Session Deliver Filter Check; do
		takes "${key}Timeout 1" "${key}Timeout 1s"
		refuses "want a number, with s, m, h or d behind it or nothing" "${key}Timeout 1K" \
			"${key}Timeout 1S" "${key}Timeout 1.5h" "${key}Timeout m" "${key}Timeout 1 m"
	done
	refuses "want a number, with K, M or G behind it or nothing" "SizeLimit 1k" "SizeLimit 1MB" \
		"SizeLimit -1" "SizeLimit 1m" "SizeLimit 0x10000" "SizeLimit 1KK"
	refuses "want a number" "RecipientLimit 1K" "MinimumUid 1s" "RecipientLimit ten"
}

testUnitsMeanWhatTheySay() {
	local pair n octets
	for pair in 64K=65536 3M=3145728 1G=1073741824 70000=70000; do
		says "EHLO x" QUIT | session -o "SizeLimit ${pair%=*}"
		assertTrue "$pair" "grep -q '^250-SIZE ${pair#*=}.\$' heard"
	done
	for pair in 7=7 8s=8 2m=120 3h=10800 1d=86400; do
		says QUIT | python3 "$T/client.py" socket waits strace -xx -qq -e trace=setsockopt -o trace \
			"$BIN/smtp-stdio" -C /dev/null -o "CommandTimeout ${pair%=*}" >heard
		n=${pair#*=}
		octets=$(printf '\\x%02x\\x%02x\\x%02x' $((n & 255)) $((n >> 8 & 255)) $((n >> 16)))
		assertEquals "$pair: reads" 1 "$(grep -cF "SO_RCVTIMEO_OLD, \"$octets\\x00\\x00\\x00\\x00\\x00\\x00" trace)"
		assertEquals "$pair: writes" 1 "$(grep -cF "SO_SNDTIMEO_OLD, \"$octets\\x00\\x00\\x00\\x00\\x00\\x00" trace)"
	done
}

# ---- who and where ------------------------------------------------------------------------------

testHostnameIsInTheGreetingTheHelloAndTheTrace() {
	message a@x.test | session -o "Domain x.test"
	assertEquals "220 mx.test ESMTP" "$(reply 1)"
	assertEquals "250-mx.test" "$(sed -n 's/\r$//;2p' heard)"
	assertEquals "delivered" 1 "$(files "$BOX/in/new")"
	assertTrue "Received" "grep -q '^	by mx.test with ESMTP id ' $BOX/in/new/*"
	says "HELO x" QUIT | session
	assertEquals "250 mx.test" "$(reply 2)"
}

testDomainIsWhatMailIsTakenFor() {
	printf 'Domain one.test Two.test\nDomain three.test\n' >conf
	message a@one.test b@TWO.test c@three.test d@four.test e@sub.one.test postmaster |
		"$BIN/smtp-stdio" -C conf -o "DeliverPath $BIN/deliver" -o "Mailbox $BOX/in/" >heard 2>log
	assertEquals "250 2.1.5 recipient ok" "$(reply 4)"
	assertEquals "250 2.1.5 recipient ok" "$(reply 5)"
	assertEquals "250 2.1.5 recipient ok" "$(reply 6)"
	assertEquals "550 5.7.1 mail for this domain is not taken here" "$(reply 7)"
	assertEquals "550 5.7.1 mail for this domain is not taken here" "$(reply 8)"
	assertEquals "250 2.1.5 recipient ok" "$(reply 9)"
	message a@any.test | session
	assertEquals "every domain without the keyword" "250 2.1.5 recipient ok" "$(reply $TO)"
}

testMailboxPatternsAreFilledIn() {
	message 'Ann+Tag@X.test' | IN=$BOX/%u_%d%%/ session
	assertEquals "delivered" "250 2.0.0" "$(reply $DOT | cut -c1-9)"
	assertEquals "Maildir" 1 "$(files "$BOX/ann+tag_x.test%/new")"
	message ann@x.test bob@x.test ann@x.test | IN=$BOX/%u.mbox session
	assertEquals "mbox" 1 "$(grep -c '^From ' "$BOX/ann.mbox")"
	assertEquals "mbox" 1 "$(grep -c '^From ' "$BOX/bob.mbox")"
	message '"../x"@x.test' '".x"@x.test' '"a/b"@x.test' "a'b@x.test" 'a@[IPv6:::1]' |
		IN=$BOX/%u_%d/ session
	for n in 4 5 6 7 8; do
		assertEquals "550 5.1.1 no such mailbox here" "$(reply $n)"
	done
	assertEquals "nothing was made" "ann+tag_x.test% ann.mbox bob.mbox" "$(cd "$BOX" && echo *)"
	# A path that is too long once it is filled in.
	message "$(printf %0200d 0)@x.test" | IN=$BOX/%u%u%u%u%u%u/ session
	assertEquals "550 5.1.1 no such mailbox here" "$(reply $TO)"
}

testUsersDirectoryDeliversAsTheOwnerOfEach() {
	need_root || return 0
	install -d -o 2001 -g 2001 "$BOX/x.test/ann"
	install -d -o 2002 -g 2003 "$BOX/x.test/bob"
	install -d "$BOX/x.test/root"
	install -m 644 /dev/null "$BOX/x.test/file"
	message ann@x.test BOB@X.test carol@x.test root@x.test file@x.test |
		smtp -o "Users $BOX/%d/%u" -o "Postmaster carol" -o "Domain x.test" >heard 2>log
	assertEquals "250 2.1.5 recipient ok" "$(reply 4)"
	assertEquals "250 2.1.5 recipient ok" "$(reply 5)"
	assertEquals "550 5.1.1 no such mailbox here" "$(reply 6)"
	assertEquals "451 4.3.5 the mailbox is misconfigured" "$(reply 7)"
	assertEquals "550 5.1.1 no such mailbox here" "$(reply 8)"
	assertEquals "2001 2001" "$(stat -c '%u %g' "$BOX"/x.test/ann/Maildir/new/*)"
	assertEquals "2002 2003" "$(stat -c '%u %g' "$BOX"/x.test/bob/Maildir/new/*)"
	assertTrue "the administrator reads why" "grep -q ' what=\"$BOX/x.test/root belongs to uid 0, ' log"
}

testUsersPasswdDeliversToThoseFromMinimumUidOn() {
	need_root || return 0
	message alice@mx.test Bob@mx.test nobody@mx.test toor@mx.test daemon@mx.test erin@mx.test >in
	with_users "$BIN/smtp-stdio" -C /dev/null -o "DeliverPath $BIN/deliver" -o "Hostname mx.test" \
		-o "Users passwd" -o "Postmaster carol" -o "MinimumUid 2002" <in >heard 2>log
	assertEquals "250 2.1.5 recipient ok" "$(reply 5)"
	for n in 4 6 7 8 9; do
		assertEquals "550 5.1.1 no such mailbox here" "$(reply $n)"
	done
	assertEquals "2002 2002" "$(stat -c '%u %g' "$T"/home/bob/Maildir/new/*)"
	message alice@mx.test nobody@mx.test daemon@mx.test >in
	with_users "$BIN/smtp-stdio" -C /dev/null -o "DeliverPath $BIN/deliver" -o "Hostname mx.test" \
		-o "Users passwd" -o "Postmaster carol" -o "MinimumUid 1" -o "Mailbox mbox" <in >heard 2>log
	assertEquals "250 2.1.5 recipient ok" "$(reply 4)"
	assertEquals "nobody never" "550 5.1.1 no such mailbox here" "$(reply 5)"
	assertEquals "from 1 on" "250 2.1.5 recipient ok" "$(reply 6)"
	rm -rf "$T/home/bob/Maildir"
}

testPostmasterReadsWhatNobodyElseDoes() {
	need_root || return 0
	local settings=(-C /dev/null -o "DeliverPath $BIN/deliver" -o "Hostname mx.test" -o "Users passwd")
	message Postmaster@mx.test postmaster >in
	with_users "$BIN/smtp-stdio" "${settings[@]}" -o "Postmaster erin" <in >heard 2>log
	assertEquals "451 4.3.5 the mailbox is misconfigured" "$(reply 4)"
	assertEquals "451 4.3.5 the mailbox is misconfigured" "$(reply 5)"
	assertEquals "Postmaster erin: no such mailbox" "$(errors log | sort -u)"
	with_users "$BIN/smtp-stdio" "${settings[@]}" -o "Postmaster carol" <in >heard 2>log
	assertEquals "250 2.1.5 recipient ok" "$(reply 4)"
	assertEquals "250 2.1.5 recipient ok" "$(reply 5)"
	assertEquals "once" 1 "$(files "$T/home/carol/Maildir/new")"
	assertTrue "as it was addressed" "grep -qx 'Delivered-To: Postmaster@mx.test' $T/home/carol/Maildir/new/*"
	rm -rf "$T/home/carol/Maildir"
}

testVerifyTellsOnlyWhenItIsTold() {
	need_root || return 0
	local settings=(-C /dev/null -o "Hostname mx.test" -o "Users passwd" -o "Postmaster carol")
	says "EHLO x" "VRFY alice" "VRFY Bob@mx.test" "VRFY erin" "VRFY a@other.test" QUIT >in
	with_users "$BIN/smtp-stdio" "${settings[@]}" -o "Verify yes" <in >heard 2>log
	assertEquals "250 2.1.5 <alice@mx.test>" "$(reply 3)"
	assertEquals "250 2.1.5 <bob@mx.test>" "$(reply 4)"
	assertEquals "550 5.1.1 no such mailbox here" "$(reply 5)"
	assertEquals "550 5.7.1 mail for this domain is not taken here" "$(reply 6)"
	with_users "$BIN/smtp-stdio" "${settings[@]}" <in >heard 2>log
	for n in 3 4 5 6; do
		assertEquals "252 2.5.2 not verified; mail to it is accepted or refused at RCPT" "$(reply $n)"
	done
}

testCreateMailboxNoMakesNothing() {
	message a@x.test | session -o "CreateMailbox no"
	assertEquals "451 4.2.0 mailbox is not there" "$(reply $DOT)"
	assertFalse "not made" "[ -e $BOX/in ]"
	message a@x.test | session -o "CreateMailbox yes"
	assertEquals "made" 1 "$(files "$BOX/in/new")"
	message a@x.test | session -o "CreateMailbox no"
	assertEquals "used" 2 "$(files "$BOX/in/new")"
}

# deliver is told all that it needs by its arguments.
testDeliverHasNoEnvironment() {
	message a@x.test | "$BIN/smtp-stdio" -C /dev/null -o "DeliverPath $T/mda/run" -o "Mailbox $BOX/in/" >heard 2>log
	assertTrue "it ran" "grep -qx '<$BOX/in/>' $BOX/arguments"
	assertEquals "" "$(grep -v '^PWD=' "$BOX/environment")"
}

testSeveralFiltersAndChecksStandInTheirOrder() {
	printf 'Filter /bin/a\nCheck /bin/x\nFilter /bin/b  b\nCheck /bin/y\nfilter /bin/a\n' >conf
	shows $'Filter /bin/a\nFilter /bin/b  b\nFilter /bin/a' -C conf
	shows $'Check /bin/x\nCheck /bin/y' -C conf
	shows $'Filter /bin/c' -C conf -o 'Filter /bin/c'
	shows $'Check /bin/x\nCheck /bin/y' -C conf -o 'Filter /bin/c'
	printf 'Filter /bin/x\n%.0s' {1..16} >conf
	shows "$(printf 'Filter /bin/x\n%.0s' {1..16})" -C conf
	echo 'Filter /bin/x' >>conf
	stops "conf:17: Filter: too many commands" -C conf
	stops "-o:1: Check: too many words" -o "Check /bin/x $(seq -s ' ' 32)"
}

testDeliverPathIsWhatDelivers() {
	printf '%s\n' '#!/bin/sh' "$T/mda/run \"\$@\" && printf d >&3" >"$T/mda/deliver"
	chmod 755 "$T/mda/deliver"
	# It is told of CreateMailbox by -m, of Landlock by -L.
	message a@x.test | "$BIN/smtp-stdio" -C /dev/null -o "DeliverPath $T/mda/deliver" \
		-o "Mailbox $BOX/in/" -o "Landlock require" >heard 2>log
	assertEquals "<-L> <-m> <$BOX/in/>" "$(grep -x -e '<-[mL]>' -e '</.*>' "$BOX/arguments" | sort | xargs)"
	message a@x.test | "$BIN/smtp-stdio" -C /dev/null -o "DeliverPath $T/mda/deliver" \
		-o "Mailbox $BOX/in/" -o "CreateMailbox no" >heard 2>log
	assertEquals "<$BOX/in/>" "$(grep -x -e '<-[mL]>' -e '</.*>' "$BOX/arguments" | sort | xargs)"
	message a@x.test | "$BIN/smtp-stdio" -C /dev/null -o "DeliverPath $T/absent" \
		-o "Mailbox $BOX/in/" >heard 2>log
	assertEquals "451 4.3.0 mailbox cannot be opened now" "$(reply 6)"
}

# ---- DeliverCommand -----------------------------------------------------------------------------

# What a shell could take for more than a letter does not come from a client into an environment.
testDeliverCommandFindsNothingSharpInItsEnvironment() {
	# shellcheck disable=SC2016  # a sender
	printf 'EHLO a\r\nMAIL FROM:<"() { :;}; $x`y`"@c.test>\r\nRCPT TO:<bob@x.test>\r\nDATA\r\n.\r\nQUIT\r\n' |
		session -o "DeliverCommand $T/mda/run"
	assertEquals 'SENDER=______:_____x_y__@c.test' "$(grep ^SENDER= "$BOX/environment")"
}

testDeliverCommandHearsWhomItIsForAndReadsTheMessage() {
	local user
	message 'Ann+Tag@X.test' | session -o "DeliverCommand $T/mda/run -u %u  %d %r	-f %s %% a%u *"
	assertEquals "250 2.0.0" "$(reply $DOT | cut -c1-9)"
	printf '<%s>\n' -u ann+tag x.test 'Ann+Tag@X.test' -f Sender@client.test %% a%u '*' >want
	assertTrue "arguments" "cmp want $BOX/arguments"
	cat >want <<-EOF
		CLIENT_ADDRESS=local
		CLIENT_HELO=client.test
		CLIENT_PROTOCOL=ESMTP
		DOMAIN=x.test
		EXT=
		EXTENSION=
		HOST=x.test
		HOSTNAME=mx.test
		LOCAL=ann+tag
		LOGNAME=ann+tag
		ORIGINAL_RECIPIENT=Ann+Tag@X.test
		PATH=/usr/local/bin:/usr/bin:/bin
		QUEUE_ID=$(sed -n 's/^delivered .* id=\([^ ]*\) .*/\1/p' log)
		RECIPIENT=ann+tag@x.test
		SENDER=Sender@client.test
		SHELL=/bin/sh
		SIZE=
		USER=ann+tag
	EOF
	assertTrue "environment" "cmp want $BOX/environment"
	assertEquals "as whom" "$OWNER" "$(cat "$BOX/uid")"
	printf 'Subject: settings\n\ntext\n' >want
	sed '1,/;$/{/^Received: /,/;$/d}' "$BOX/message" | tail -n 3 >got
	assertTrue "message" "cmp want got"
	assertTrue "trace" "head -n 1 $BOX/message | grep -q '^Received: from client.test\$'"
	says "EHLO x" "MAIL FROM:<>" "RCPT TO:<a@x.test>" DATA . QUIT |
		session -o "DeliverCommand $T/mda/run %s"
	assertEquals "no sender is an empty argument" "<>" "$(cat "$BOX/arguments")"
}

testNoAddressBecomesAnOptionOfDeliverCommand() {
	says "EHLO x" "MAIL FROM:<-x@client.test>" "MAIL FROM:<a@client.test>" "RCPT TO:<-x@x.test>" \
		"RCPT TO:<\"a b\"@x.test>" "RCPT TO:<a@x.test>" QUIT >in
	session -o "DeliverCommand $T/mda/run" <in
	assertEquals 5.1.7 "$(reply 3 | cut -d' ' -f2)"
	assertEquals "550 5.1.1 no such mailbox here" "$(reply 5)"
	assertEquals "550 5.1.1 no such mailbox here" "$(reply 6)"
	assertEquals "250 2.1.5 recipient ok" "$(reply 7)"
	session <in
	assertEquals "deliver takes the sender" "250 2.1.0 sender ok" "$(reply 3)"
	assertEquals "and the recipient" "250 2.1.5 recipient ok" "$(reply 5)"
}

testDeliverCommandRunsAsTheUserInThatHome() {
	need_root || return 0
	message Alice@mx.test >in
	with_users "$BIN/smtp-stdio" -C /dev/null -o "Hostname mx.test" -o "Users passwd" -o "Postmaster carol" \
		-o "DeliverCommand $T/mda/alice" <in >heard 2>log
	assertEquals "not there" "451 4.3.0 mailbox cannot be opened now" "$(reply $DOT)"
	with_users "$BIN/smtp-stdio" -C /dev/null -o "Hostname mx.test" -o "Users passwd" -o "Postmaster carol" \
		-o "DeliverCommand $T/mda/run" -o "MailGroup mail" <in >heard 2>log
	assertEquals "250 2.0.0" "$(reply $DOT | cut -c1-9)"
	assertTrue "HOME" "grep -qx HOME=$T/home/alice $BOX/environment"
	assertEquals "2001" "$(cat "$BOX/uid")"
	assertEquals "MailGroup" "2001 $(getent group mail | cut -d: -f3)" "$(cat "$BOX/groups")"
	with_users "$BIN/smtp-stdio" -C /dev/null -o "Hostname mx.test" -o "Users passwd" -o "Postmaster carol" \
		-o "DeliverCommand $T/mda/run" <in >heard 2>log
	assertEquals "no other group without it" "2001" "$(cat "$BOX/groups")"
	with_users "$BIN/smtp-stdio" -C /dev/null -o "Hostname mx.test" -o "Users passwd" -o "Postmaster carol" \
		-o "DeliverCommand $T/mda/run" -o "MailGroup frobnicators" <in >heard 2>log
	assertEquals "451 4.3.5 the mailbox is misconfigured" "$(reply $TO)"
	assertEquals "MailGroup frobnicators: cannot be found in /etc/group" "$(errors log)"
}

testAnExitStatusOfDeliverCommandBecomesTheReply() {
	local status want
	while read -r status want; do
		echo "$status" >"$T/mda/status"
		foreign
		assertEquals "status $status" "$want" "$(reply $DOT)"
		assertEquals "the session goes on after $status" "221 2.0.0 goodbye" "$(reply 7)"
	done <<-EOF
		65 554 5.6.0 message refused
		67 554 5.1.1 no such mailbox here
		68 554 5.1.2 no such domain here
		69 554 5.3.0 message refused
		77 554 5.7.0 message refused
		75 451 4.3.0 delivery failed; try again later
		1 451 4.3.0 delivery failed; try again later
		99 451 4.3.0 delivery failed; try again later
	EOF
	echo 0 >"$T/mda/status"
	foreign
	echo '2.6.0 mine' >"$T/mda/output"
	foreign
	assertTrue "250 and our own text" "reply $DOT | grep -qx '250 2\.0\.0 [0-9a-f.]* delivered'"
	# shellcheck disable=SC2016  # expanded by the command
	echo 'kill -KILL $$' >"$T/mda/end"
	foreign
	assertEquals "a signal" "451 4.3.0 delivery failed; try again later" "$(reply $DOT)"
}

# output STATUS TEXT WANT -- a command that ends so and says this, and what the client hears
output() {
	echo "$1" >"$T/mda/status"
	printf '%b' "$2" >"$T/mda/output"
	foreign
	assertEquals "status $1, $2" "$3" "$(reply $DOT)"
}

testTheFirstLineWithACodeOfThatClassBecomesTheText() {
	output 69 '5.2.2 the box is full\nmore\n' '552 5.2.2 the box is full'
	output 75 '4.2.2 the box is full' '452 4.2.2 the box is full'
	output 67 '5.1.10 moved\r\n' '554 5.1.10 moved'
	output 77 '5.7.1 a\tb\001c\303\251\n' '554 5.7.1 a?b?c??'
	output 69 '4.2.2 another class\n' '554 5.3.0 message refused'
	output 75 '5.2.2 another class\n' '451 4.3.0 delivery failed; try again later'
	output 69 'no code\n5.2.2 on the second line\n' '554 5.3.0 message refused'
	output 69 '5.half a code\n' '554 5.3.0 message refused'
	output 69 '5.2.2\n' '554 5.3.0 message refused'
	output 69 '' '554 5.3.0 message refused'
	output 69 '5.2.2 \000hidden\n' '552 5.2.2 '
	output 69 "5.2.2 $(printf %03000d 0)\n" "552 5.2.2 $(printf %0394d 0)"
	assertTrue "the administrator reads it" "grep -q '^said session=.* to=<a@x.test> text=\"5.2.2 000' log"
}

testAMebibyteOfOutputBlocksNobody() {
	head -c 1048576 /dev/zero | tr '\0' x >"$T/mda/output"
	message a@x.test | session -o "DeliverCommand $T/mda/run" -o "DeliverTimeout 5s"
	assertEquals "250 2.0.0" "$(reply $DOT | cut -c1-9)"
	assertTrue "it came to its end" "grep -qx text $BOX/message"
}

testASecondRecipientOfDeliverCommandComesInAnotherMessage() {
	message a@x.test b@x.test | session -o "DeliverCommand $T/mda/run %r"
	assertEquals "250 2.1.5 recipient ok" "$(reply 4)"
	assertEquals "452 4.5.3 too many recipients; send the others in another message" "$(reply 5)"
	assertEquals "250 2.0.0" "$(reply 7 | cut -c1-9)"
	assertEquals "<a@x.test>" "$(cat "$BOX/arguments")"
	says "EHLO x" "MAIL FROM:<>" "RCPT TO:<a@x.test>" RSET "MAIL FROM:<>" "RCPT TO:<b@x.test>" QUIT |
		session -o "DeliverCommand $T/mda/run"
	assertEquals "the next message has its own" "250 2.1.5 recipient ok" "$(reply 7)"
}

# ---- limits and clocks --------------------------------------------------------------------------

testSizeLimitIsAdvertisedAndKept() {
	says "EHLO x" "MAIL FROM:<> SIZE=65537" "MAIL FROM:<> SIZE=65536" QUIT | session -o "SizeLimit 64K"
	assertTrue "advertised" "grep -q '^250-SIZE 65536.\$' heard"
	assertEquals "552 5.3.4 message too large" "$(reply 3)"
	assertEquals "250 2.1.0 sender ok" "$(reply 4)"
	# 64 lines of 1,024 octets with their CRLF are the limit; one octet more is over it.
	{
		says "EHLO x" "MAIL FROM:<>" "RCPT TO:<a@x.test>" DATA
		for ((i = 0; i < 64; i++)); do printf '%01022d\r\n' $i; done
		says . "MAIL FROM:<>" "RCPT TO:<a@x.test>" DATA
		for ((i = 0; i < 63; i++)); do printf '%01022d\r\n' $i; done
		printf '%01023d\r\n' $i
		says . QUIT
	} | session -o "SizeLimit 64K"
	assertEquals "at the limit" "250 2.0.0" "$(reply 6 | cut -c1-9)"
	assertEquals "over the limit" "552 5.3.4 message too large" "$(reply 10)"
	assertEquals "in step" "221 2.0.0 goodbye" "$(reply 11)"
	assertEquals 1 "$(files "$BOX/in/new")"
}

testRecipientLimitSendsTheOthersToAnotherMessage() {
	message a@x.test b@x.test c@x.test | session -o "RecipientLimit 2"
	assertEquals "250 2.1.5 recipient ok" "$(reply 5)"
	assertEquals "452 4.5.3 too many recipients; send the others in another message" "$(reply 6)"
	assertEquals "the two are served" "250 2.0.0" "$(reply 8 | cut -c1-9)"
	assertEquals "a@x.test b@x.test" "$(sed -n 's/^Delivered-To: //p' "$BOX"/in/new/* | sort | xargs)"
}

# ended PID -- it runs no more
ended() {
	[ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"
}

# lasted LEAST -- that many milliseconds at least, and far from the defaults
lasted() {
	assertTrue "took $(cat ms) ms, not $1" "[ $(cat ms) -ge $1 ] && [ $(cat ms) -lt 15000 ]"
}

testCommandTimeoutEndsASilentClient() {
	says "EHLO x" "MAIL FROM:<>" | on socket waits -o "CommandTimeout 1s"
	assertEquals "421 4.4.2 nothing came for too long; closing" "$(reply 4)"
	lasted 900
	says "EHLO x" "MAIL FROM:<>" "RCPT TO:<a@x.test>" DATA text | on socket waits -o "CommandTimeout 1s"
	assertEquals "inside a message" "421 4.4.2 nothing came for too long; closing" "$(reply 6)"
	assertFalse "nothing is delivered" "[ -e $BOX/in ]"
	says "EHLO x" | on pipe waits -o "CommandTimeout 1s"
	assertEquals "the monitor's on a pipe" "421 4.4.2 too slow, or too long; closing" "$(reply 3)"
	assertTrue "logged" "grep -qx 'timeout session=[0-9a-f.]* client=local helo=[a-z.]*' log"
	lasted 900
}

testSessionTimeoutEndsATalkativeClient() {
	for kind in socket pipe; do
		says "EHLO x" | on $kind talks -o "SessionTimeout 1s" -o "CommandTimeout 1d"
		assertEquals "$kind" "421 4.4.2 too slow, or too long; closing" "$(grep '^4' heard | tr -d '\r')"
		assertTrue "$kind: logged" "grep -qx 'timeout session=[0-9a-f.]* client=local helo=[a-z.]*' log"
		lasted 900
	done
}

testDeliverTimeoutEndsACommandThatHangs() {
	# The first ends at SIGTERM, with what it started; the second at SIGKILL, after five more seconds.
	# shellcheck disable=SC2016  # expanded by the command
	echo 'sleep 1000 & echo $! >"$box/pid"; wait' >"$T/mda/end"
	message a@x.test | on pipe waits -o "DeliverCommand $T/mda/run" -o "DeliverTimeout 1s"
	assertEquals "451 4.3.0 delivery took too long; try again later" "$(reply $DOT)"
	lasted 900
	assertTrue "with its child" "wait_for ended $(cat "$BOX/pid")"
	# shellcheck disable=SC2016  # the inner shell expands it
	echo 'trap "" TERM; sleep 1000 & echo $! >"$box/pid"; wait' >"$T/mda/end"
	message a@x.test | on pipe waits -o "DeliverCommand $T/mda/run" -o "DeliverTimeout 1s"
	assertEquals "451 4.3.0 delivery took too long; try again later" "$(reply $DOT)"
	lasted 5900
	assertTrue "with its child" "wait_for ended $(cat "$BOX/pid")"
	assertEquals "the session goes on" "221 2.0.0 goodbye" "$(reply 7)"
}

testDeliverTimeoutEndsACommandThatNeverStopsTalking() {
	echo 'yes & yes & exec yes' >"$T/mda/end"
	message a@x.test | on pipe waits -o "DeliverCommand $T/mda/run" -o "DeliverTimeout 1s"
	assertEquals "451 4.3.0 delivery took too long; try again later" "$(reply $DOT)"
	lasted 900
}

testDeliverTimeoutHoldsForDeliverToo() {
	need_root || return 0
	# The lock of an mbox is held by somebody else.
	install -o "$OWNER" /dev/null "$BOX/mbox"
	python3 -c 'import fcntl, sys; f = open(sys.argv[1], "a"); fcntl.lockf(f, fcntl.LOCK_EX)
import signal; print("locked", flush=True); signal.pause()' "$BOX/mbox" >locked 2>/dev/null &
	PIDS+=($!)
	wait_for grep -q locked locked
	message a@x.test | python3 "$T/client.py" pipe waits "$BIN/smtp-stdio" -C /dev/null \
		-o "DeliverPath $BIN/deliver" -o "Mailbox $BOX/mbox" -o "DeliverTimeout 1s" >heard 2>log
	assertEquals "451" "$(reply $DOT | cut -c1-3)"
	lasted 900
	assertEquals "nothing is in it" 0 "$(stat -c %s "$BOX/mbox")"
}

# ---- the jail's keywords ------------------------------------------------------------------------

testSessionUserIsWhomTheSessionRunsAs() {
	need_root || return 0
	local user session
	for user in nobody daemon; do
		coproc smtp -o "SessionUser $user" 2>log
		read -r -u "${COPROC[0]}" session
		assertEquals "220 mx.test ESMTP" "${session%?}"
		# COPROC_PID is the shell around the monitor
		session=$(pgrep -P "$(pgrep -P "$COPROC_PID" -x smtp-stdio || echo "$COPROC_PID")")
		assertEquals "$user" "$(id -u $user)" "$(awk '/^Uid:/ { print $3 }' "/proc/$session/status")"
		assertEquals "$user" "$(id -g $user)" "$(awk '/^Gid:/ { print $3 }' "/proc/$session/status")"
		says QUIT >&"${COPROC[1]}"
		wait "$COPROC_PID"
	done
	stops "-o: SessionUser: no such user, or root" -C /dev/null -o "SessionUser frobnicator"
	stops "-o: SessionUser: no such user, or root" -C /dev/null -o "SessionUser root"
}

testLandlockRequireServesOnlyWhereThereIsLandlock() {
	local absent=(strace -f -qq -o trace -e inject=landlock_create_ruleset:error=EOPNOTSUPP)
	message a@x.test >in
	"${absent[@]}" "$BIN/smtp-stdio" -C /dev/null -o "DeliverPath $BIN/deliver" \
		-o "Mailbox $BOX/in/" -o "Landlock require" <in >heard 2>log
	assertEquals "421 4.3.0 service not available; closing" "$(reply 1)"
	assertTrue "said why" "grep -q '^jail session=[0-9a-f.]* client=local why=\"Landlock is required: ' log"
	assertFalse "nothing is delivered" "[ -e $BOX/in ]"
	"${absent[@]}" "$BIN/smtp-stdio" -C /dev/null -o "DeliverPath $BIN/deliver" \
		-o "Mailbox $BOX/in/" -o "Landlock try" <in >heard 2>log
	assertEquals "served without it" "250 2.0.0" "$(reply $DOT | cut -c1-9)"
	python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).syscall(444, 0, 0, 1) < 2)' ||
		{ skip "this kernel has no Landlock"; return; }
	session -o "Landlock require" <in
	assertEquals "served with it" "250 2.0.0" "$(reply $DOT | cut -c1-9)"
}

# shellcheck source=/dev/null
. shunit2
