#!/bin/bash
# The history of the field: what has gone wrong in receivers and delivery agents, tried on this one.  A test
# has the name of the hole or the outage, and fails where the programs have it.
# shellcheck source-path=SCRIPTDIR disable=SC2016,SC1003  # what is said to them is not for this shell
. "$(dirname "$0")/lib.sh"

shopt -s lastpipe # what a pipe ends in may assert
cp "$TOP"/tests/history_*.py "$T/" && chmod 644 "$T"/history_*.py
PYTHON=/usr/bin/python3
DEV=$T/sanitized

oneTimeSetUp() {
	sanitized "$DEV"
}

setUp() {
	rm -rf "$T/box" "$T/sink" "$T/owned"
	install -d "$T/box"
	[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$T/box"
	PROGRAMS=$DEV
	AS=()
}

# talk [ARG ...] -- what is said on standard input, with CRLF; the replies are in $T/out, the log in $T/log.  A
# fault that a sanitizer finds ends the process, which no jail and no monitor leaves unsaid.
talk() {
	(umask 0 && exec "${AS[@]}" "$PROGRAMS/smtp-stdio" -C /dev/null -o "DeliverPath $PROGRAMS/deliver" -o 'Hostname mx.test' "$@") >"$T/out.crlf" 2>"$T/log"
	ended $? "$T/log"
	tr -d '\r' <"$T/out.crlf" >"$T/out"
	assertEquals 'all processes ended as they should' '' \
		"$(grep -aE '^(jail|ended|killed) |delivery was interrupted|Sanitizer|runtime error' "$T/log" "$T/out")"
}

# says LINE ... -- with CRLF.
says() {
	printf '%s\r\n' "$@"
}

# codes -- of the replies.
codes() {
	grep -aoE '^[0-9]{3} ' "$T/out" | xargs
}

# repeated N TEXT
repeated() {
	local text
	printf -v text "%*s" "$1" ''
	printf '%s' "${text// /$2}"
}

# arrived DIR -- the one message in it, without our lines, which end with the Received field.
arrived() {
	assertEquals "messages in $1" 1 "$(files "$1/new")"
	sed '1,/^	[A-Z][a-z][a-z], .* [+-][0-9]\{4\}$/d' "$1/new/"*
}

# symbols -- what the programs that serve consist of, smtp-listen apart.
symbols() {
	nm "$BIN/smtp-stdio" "$BIN/deliver" "$BIN/check-policy" | awk 'NF > 2 { print $3 }' | sort -u
}

# without PATTERN -- no function of such a name is in them.
without() {
	assertContains 'they were looked at' "$(symbols)" monitor_run
	assertEquals "$1" '' "$(symbols | grep -E "$1")"
}

# sinks SENDER RECIPIENT -- a message from and to such an address, by everything here that is given addresses:
# each writes down how it was called.  As it is run in $T/sink/NAME, that is where harm would show.
sinks() {
	local name sink options
	for name in maildir mbox command forward alias filter check; do
		sink=$T/sink/$name
		install -d "$sink/bin"
		cd "$sink" || return
		install -d -m 1777 "$sink/box"
		noting "$sink/bin/note" <<<cat
		mkdir "$sink/alice"
		[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$sink/alice"
		options=(-o 'Domain mx.test' -o "Users $sink/%u" -o 'Postmaster alice' -o "Aliases $sink/aliases")
		echo '@mx.test: alice' >"$sink/aliases"
		case $name in
		mbox) options+=(-o 'Mailbox mbox') ;;
		command) options+=(-o "DeliverCommand $sink/bin/note %s %r %u") ;;
		forward)
			options+=(-o "ForwardCommand $sink/bin/note %s %r")
			echo '@mx.test: away@elsewhere.test' >"$sink/aliases" ;;
		alias) echo "@mx.test: \"|$sink/bin/note \\\"\$SENDER\\\" \$RECIPIENT\"" >"$sink/aliases" ;;
		filter) options+=(-o "Filter $sink/bin/note") ;;
		check) options+=(-o "Check $sink/bin/note") ;;
		esac
		says "EHLO client.test" "MAIL FROM:<$1>" "RCPT TO:<$2>" DATA 'Subject: x' '' "$1" . QUIT |
			talk "${options[@]}"
		assertContains "$name: $(cat "$T/out")" "$(cat "$T/out" "$T/log")" ' 2.0.0 '
		cp "$T/log" "$sink/log"
	done
	cd "$T" || return
	assertEquals 'nothing was run' '' "$(find "$T" -name 'owned*')"
	assertEquals 'as it is' "<$1> <$2> <alice>" "$(xargs -d '\n' <"$T/sink/command/box/arguments")"
	assertEquals 'as it is' "<$1> <away@elsewhere.test>" "$(xargs -d '\n' <"$T/sink/forward/box/arguments")"
	assertEquals 'as it is' "Return-Path: <$1>" "$(head -n 1 "$T/sink/maildir/alice/Maildir/new/"*)"
	assertEquals 'as it is' "Delivered-To: $2" "$(sed -n 2p "$T/sink/maildir/alice/Maildir/new/"*)"
	assertEquals 'as it is' "Return-Path: <$1>" "$(sed -n 2p "$T/sink/mbox/alice/mbox")"
	assertEquals 'no sharp octet in an environment' '' "$(cat "$T"/sink/*/box/environment |
		grep -avE '^[A-Z_]+=[]!@%_+=:,./0-9a-zA-Z-]*$')"
}

# called SUITE TEST ... -- what another suite tries, tried here.
called() {
	local suite=$1
	shift
	ONLY=$* bash "$TOP/tests/${suite}_test.sh" >"$T/called" 2>&1
	ended $? "$T/called"
	assertContains "$suite" "$(cat "$T/called")" "Ran $# test"
	assertNotContains "$suite" "$(cat "$T/called")" SKIP
}

# ---- lengths and numbers

# qmail: 32-bit lengths that wrapped round, an index before the array, a count without an end.
testCVE_2005_1513_1514_1515_ALengthHasALimitBeforeItWraps() {
	local code number
	python3 "$T/history_long.py" "$BIN/smtp-stdio" -C /dev/null -o "Mailbox $T/box/" >"$T/said"
	diff - "$T/said" <<-'EOF' || fail 'a long line is not refused, or is kept'
		grown 0 kB
		500 5.5.2 line too long
		500 5.5.2 line too long
		500 5.5.2 line too long
		250 2.0.0 ok
		221 2.0.0 goodbye
	EOF
	for number in 2147483648 4294967297 9223372036854775808 18446744073709551617 99999999999999999999; do
		says 'EHLO x' "MAIL FROM:<a@b> SIZE=$number" 'MAIL FROM:<a@b>' 'RCPT TO:<c@d>' "BDAT $number LAST" x |
			talk -o "Mailbox $T/box/"
		code=$(codes)
		assertEquals "$number" '220 250 552 250 250 421' "$code"
	done
	{
		says 'EHLO x' 'MAIL FROM:<a@b>'
		for ((number = 0; number < 900; number++)); do says "RCPT TO:<u$number@d>"; done
		says DATA x . QUIT
	} | talk -o "Mailbox $T/box/%u" -o 'RecipientLimit 40'
	assertEquals 'recipients' 40 "$(grep -c '^250 2.1.5' "$T/out")"
	assertEquals 'one message' 40 "$(find "$T/box" -name 'u*' | wc -l)"
}

# Exim: the sum of a header's lines was an int, and a continuation line could make it too large.  A header has no
# sum here: what passes through is not collected.
testCVE_2020_28020_AHeaderOfAnyLengthTakesNoMemory() {
	{
		printf 'Subject: x\n'
		yes "$(repeated 400 ' x')" | head -n 40000
		printf 'X-Next: y\n\nbody\n'
	} >"$T/long"
	{ says 'EHLO x' 'MAIL FROM:<a@b>' 'RCPT TO:<c@d>' DATA; crlf <"$T/long"; says . QUIT; } >"$T/in"
	PROGRAMS=$BIN
	(ulimit -v 8192 && talk -o "Mailbox $T/box/in/" <"$T/in")
	arrived "$T/box/in" | cmp - "$T/long" || fail 'another message'
	rm -rf "$T/box/in"
	PROGRAMS=$DEV
	{ head -n 1000 "$T/in" && says '' . QUIT; } | talk -o "Mailbox $T/box/in/"
	assertEquals '220 250 250 250 354 250 221' "$(codes)"
}

# mail.local: what followed a line as long as its buffer was taken for a new line, and a dot there for the end.
testCVE_2000_0319_ALineStartsBehindALineEndAlone() {
	local n boundary
	for boundary in 512 1000 1024 2048 4096 8192 16384 65536; do
		for ((n = boundary - 4; n <= boundary + 1; n++)); do
			repeated "$n" x
			printf '.\n.more\n'
		done
	done >"$T/text"
	{ says 'EHLO x' 'MAIL FROM:<a@b>' 'RCPT TO:<c@d>' DATA '' && sed 's/^\./../' "$T/text" | crlf && says . QUIT; } >"$T/in"
	talk -o "Mailbox $T/box/in/" <"$T/in"
	arrived "$T/box/in" | tail -n +2 | cmp - "$T/text" || fail 'by SMTP'
	assertEquals '220 250 250 250 354 250 221' "$(codes)"
	{ printf 'a: b\n\n' && sed 's/^\.more/./' "$T/text"; } >"$T/dots"
	[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$T/box"
	# shellcheck disable=SC2046  # words are wanted
	$([ "$(id -u)" -ne 0 ] || echo setpriv --reuid=2001 --regid=2001 --clear-groups) "$DEV/deliver" -m "$T/box/other/" <"$T/dots"
	cmp "$T/dots" "$T/box/other/new/"* || fail 'by deliver'
}

# ---- addresses that reached a shell, a template or an option

# OpenSMTPD: a local part that had failed its check passed for want of a domain, and stood in a command line.
testCVE_2020_7247_WhatFailedACheckFailsAndNoAddressIsACommand() {
	local path
	for path in ';sh;' '";sh;"' ';touch owned;@' '@x.test' '|sh' '`touch owned`' 'a b@x.test' 'a;b@x.test' '$(x)@x.test' \
		'"a" b@x.test' 'a@b;touch owned' 'a@`x`' 'a@b@c' '"x'; do
		says 'EHLO x' "MAIL FROM:<$path>" 'MAIL FROM:<>' "RCPT TO:<$path>" QUIT | talk -o "Mailbox $T/box/in/"
		assertEquals "$path" '220 250 501 250 501 221' "$(codes)"
	done
	sinks '"; touch owned; #"@x.test' '`touch${IFS}owned`|touch${IFS}owned&@mx.test'
}

# Exim: ${run{...}} in a recipient was expanded.
testCVE_2019_10149_NoAddressIsATemplate() {
	sinks '${run{/bin/touch_owned}}%n%s%u%d@x.test' '${run{touch}}%u%d%r%n%%$0{{7*7}}@mx.test'
	assertContains 'the log' "$(cat "$T/sink/maildir/log")" \
		'from=<${run{/bin/touch_owned}}%n%s%u%d@x.test> to=<${run{touch}}%u%d%r%n%%$0{{7*7}}@mx.test>'
}

# spamass-milter gave a recipient to popen(3); Shellshock was reached by the environment of a .qmail or .procmailrc;
# an example for Exim and Dovecot had a shell in between.
testCVE_2010_1132_2014_6271_NoShellReadsAnAddressOrAnEnvironment() {
	sinks '"() { :; }; touch owned"@x.test' '"x\" || touch owned || \""@mx.test'
	without '^(popen|system|wordexp|posix_spawnp|execlp|execvp)$'
	assertEquals 'no example has a shell before an address' '' "$(grep -nE '(sh -c|use_shell).*%' "$TOP"/units/*.conf "$TOP"/*/*.[578])"
}

# mbox programs that delivered for a user with root's group, or made a mailbox that others could read.
testCVE_2010_0301_2006_1174_NothingOfRootsIsLeft() {
	need_root || return 0
	local name
	AS=(setpriv --groups '0,4,24')
	sinks a@x.test b@mx.test
	for name in command forward alias filter check; do
		assertNotEquals "$name: user" 0 "$(cat "$T/sink/$name/box/uid")"
		assertEquals "$name: no group but one" 1 "$(wc -w <"$T/sink/$name/box/groups")"
		assertNotEquals "$name: group" 0 "$(cat "$T/sink/$name/box/groups")"
	done
	assertEquals '2001 2001 600' "$(stat -c '%u %g %a' "$T/sink/maildir/alice/Maildir/new/"*)"
	assertEquals '2001 2001 600' "$(stat -c '%u %g %a' "$T/sink/mbox/alice/mbox")"
	assertEquals '2001 2001 700' "$(stat -c '%u %g %a' "$T/sink/maildir/alice/Maildir")"
}

# ---- what is not there

# OpenSMTPD: the code that sends bounces read beyond a reply of many lines.  What is accepted is delivered, so
# nothing is ever sent; and who does answer us, a program, is read with a limit.
testCVE_2020_8794_ThereIsNoClientAndAnAnswerHasAnEnd() {
	local text
	cat >"$T/bin/answers" <<-'END'
		#!/bin/sh
		cat >/dev/null
		case $1 in
		many) printf '5.1.1 one\n550-two\n550-three' ;;
		endless) head -c 300000 /dev/zero | tr '\0' 5 ;;
		none) printf '5.1.1 ' ;;
		octets) printf '5.1.1 a\000b\377\r\n250 ok\r\n' ;;
		esac
		exit 67
	END
	chmod 755 "$T/bin/answers"
	for text in many:'one' endless:'no such mailbox here' none:'' octets:'a'; do
		says 'HELO x' 'MAIL FROM:<a@b>' 'RCPT TO:<c@d>' DATA x . QUIT |
			talk -o "Mailbox $T/box/in/" -o "DeliverCommand $T/bin/answers ${text%%:*}"
		assertEquals "${text%%:*}" "554 5.1.1 ${text#*:}" "$(sed -n 6p "$T/out")"
		assertEquals 'one line' 7 "$(wc -l <"$T/out")"
	done
	[ "$(id -u)" -ne 0 ] || {
		says 'EHLO x' 'MAIL FROM:<a@b>' 'RCPT TO:<c@nowhere.test>' 'RCPT TO:<c@d>' DATA 'Delivered-To: c@d' . 'MAIL FROM:<a@b>' \
			'RCPT TO:<c@d>' DATA x . QUIT | strace -f -qq -e trace=%network -o "$T/trace" "$BIN/smtp-stdio" -C /dev/null \
			-o "DeliverPath $BIN/deliver" -o 'Domain d' -o "Mailbox $T/box/in/" -o 'Users any' >"$T/out" 2>"$T/log"
		assertContains 'a loop, which others bounce' "$(cat "$T/out")" '554 5.4.6'
		assertContains 'traced' "$(cat "$T/trace")" 'socketpair(AF_UNIX'
		assertEquals 'nobody is called' '' "$(grep -E 'connect\(|AF_INET' "$T/trace")"
	}
	without '^(getaddrinfo|gethostby.*|_*(res|dns)_(init|query|search|send|mk|parse).*)$'
}

# Exim: one octet too many in a decoder of Base64, and a write past the end in AUTH EXTERNAL, both before anybody
# was authenticated.  A receiver has no one to authenticate.
testCVE_2018_6789_2023_42115_WhatIsNotNeededIsNotThere() {
	local verb
	{
		says 'EHLO x'
		for verb in 'AUTH PLAIN AGEAYg==' 'AUTH LOGIN' 'AUTH EXTERNAL =' 'AUTH CRAM-MD5' ETRN TURN ATRN STARTTLS 'XCLIENT NAME=x' \
			'XFORWARD NAME=x' XEXCH50 'SEND FROM:<a@b>' 'SOML FROM:<a@b>' 'SAML FROM:<a@b>' WIZ DEBUG KILL SHOWQ ONEX VERB BURL; do
			says "$verb"
		done
		says QUIT
	} | talk -o 'ErrorLimit 100'
	assertEquals 'EHLO' 'mx.test PIPELINING SIZE 35651584 8BITMIME SMTPUTF8 CHUNKING BINARYMIME ENHANCEDSTATUSCODES LIMITS MAILMAX=1000 RCPTMAX=100 HELP' \
		"$(grep '^250[ -]' "$T/out" | cut -c 5- | xargs | sed 's/SIZE [0-9]*/SIZE 35651584/')"
	assertEquals 'each is refused, and what would follow one is not waited for' \
		"$(repeated 21 n)" "$(grep -aoE '^50[02] 5.5.1 (unknown command|command not implemented)$' "$T/out" | sed 's/.*/n/' | tr -d '\n')"
	without '[Bb]ase64|b64|sasl|xtext'
}

# Postfix and others: what was sent behind STARTTLS in clear was obeyed inside.  There is no layer to change; what
# stands behind the refusal is still in the clear, and is treated so.
testCVE_2011_0411_NothingIsCarriedIntoAnotherLayer() {
	says 'EHLO x' STARTTLS 'MAIL FROM:<a@b>' 'RCPT TO:<c@d>' DATA x . QUIT | talk -o "Mailbox $T/box/in/"
	assertEquals '220 250 502 250 250 354 250 221' "$(codes)"
	assertNotContains "$(cat "$T/out")" '250-STARTTLS'
	called defence testATlsClientIsToldWithoutALineEnd
}

# Exim on GHOST: a HELO name of digits was looked up, which overflowed libc's buffer; and a long EHLO name grew a
# string too little.
testCVE_2015_0235_2019_16928_AHeloNameIsNotLookedUp() {
	local n
	for n in 200 254 255 256 257 1000 2030 2043 4096 12000; do
		says "HELO $(repeated $n 0)" "EHLO $(repeated $n a)" "EHLO $(repeated $n 1.)" "EHLO $(repeated 63 a).$(repeated $n b)" \
			NOOP 'EHLO x' QUIT | talk
		assertEquals "$n" '250 250 221' "$(codes | awk '{ print $(NF - 2), $(NF - 1), $NF }')"
		[ $n -le 255 ] || assertNotContains "$n" "$(sed '/^250 2.0.0 ok/,$d' "$T/out")" '250 '
	done
	[ "$(id -u)" -ne 0 ] || {
		says "HELO $(repeated 250 0)" 'EHLO localhost' 'EHLO [127.0.0.1]' QUIT |
			strace -f -qq -e trace=openat,open,socket -o "$T/trace" "$BIN/smtp-stdio" -C /dev/null >"$T/out" 2>"$T/log"
		assertEquals 'no resolver' '' "$(grep -E 'hosts|resolv|nsswitch|AF_INET' "$T/trace")"
	}
	without '^(getaddrinfo|gethostby.*|_*(res|dns)_(init|query|search|send|mk|parse).*)$'
}

# ---- what is decoded, remembered or counted

# Exim: a line feed that AUTH= or ORCPT= brought in xtext began a new record of the spool.  Nothing is decoded here,
# no octet of a control has its place in an address or a parameter, and between the processes lengths are carried.
testCVE_2020_28021_28026_NoLineEndComesIntoARecord() {
	local octet text
	for ((octet = 0; octet < 32; octet++)); do
		printf -v text '\\%03o' "$octet"
		# What is behind a line feed would be a line of its own.
		# shellcheck disable=SC2059  # the octet is written by the format
		printf "HELO x${text}Received: owned\r\nEHLO x\r\nMAIL FROM:<a${text}Received: owned@b>\r\nMAIL FROM:<\"a${text}Received: owned\"@b>\r
MAIL FROM:<a@b> AUTH=a${text}owned\r\nMAIL FROM:<a@b> SIZE=1${text}owned\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c${text}owned@d>\r
RCPT TO:<c@d> ORCPT=rfc822;c${text}owned\r\nVRFY a${text}owned\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\n"
	done >"$T/in"
	for text in 'MAIL FROM:<a@b> AUTH=a+0Aowned' 'MAIL FROM:<a@b> RET=FULL ENVID=a+0D+0Aowned' 'MAIL FROM:<a@b> BODY=8BITMIME+0A'; do
		says 'EHLO x' "$text" 'MAIL FROM:<a@b>' 'RCPT TO:<c@d> ORCPT=rfc822;c+0Aowned' 'RCPT TO:<c@d> NOTIFY=NEVER' QUIT | talk
		assertContains "$text: $(codes)" '220 250 555 250 555 555 221 220 250 501 250 555 555 221' "$(codes)"
	done
	says QUIT >>"$T/in"
	talk -o "Mailbox $T/box/in/" -o 'ErrorLimit 1000' <"$T/in"
	assertTrue 'messages between them arrived' "[ $(files "$T/box/in/new") -ge 28 ]"
	assertEquals 'the log' '' "$(grep -av '^delivered session=.* helo=x .* from=<a@b> to=<c@d> .*"$' "$T/log")"
	assertEquals 'the messages' '' "$(grep -a owned -r "$T/box")"
	called policy testNoValueEndsItsLine
}

# Exim: memory of a message was used when RSET, or a command between chunks, had given it back; and a parameter was
# looked for before the start of its line.  The session asks for no memory, and resets in one function.
testCVE_2020_28018_28019_28022_AResetLeavesNothing() {
	local begin reset
	for begin in 'NOOP' 'MAIL FROM:<old@b>' $'MAIL FROM:<old@b>\r\nRCPT TO:<old@d>' $'MAIL FROM:<old@b>\r\nRCPT TO:<old@d>\r\nBDAT 5\r\nold' \
		$'MAIL FROM:<old@b>\r\nRCPT TO:<old@d>\r\nBDAT 0' $'BDAT 5\r\nold' $'MAIL FROM:<old@b>\r\nDATA'; do
		for reset in RSET 'EHLO x' 'HELO x'; do
			says 'EHLO x' "$begin" "$reset" DATA 'BDAT 0 LAST' 'MAIL FROM:<new@b>' 'RCPT TO:<new@d>' 'BDAT 5 LAST' 'new'
		done
	done >"$T/in"
	talk -o "Mailbox $T/box/%u/" -o 'ErrorLimit 1000' <"$T/in"
	assertEquals 'of the new ones all' 21 "$(files "$T/box/new/new")"
	assertEquals 'and of the old nothing' '' "$(ls -d "$T/box/old" 2>/dev/null; grep -rl old "$T/box")"
	for begin in = ' =' '= ' ' SIZE' ' SIZE=' ' =SIZE' '=SIZE=1' '  =' ' BODY=' "$(repeated 1500 ' =')" "$(repeated 1500 =)"; do
		says 'EHLO x' "MAIL FROM:<a@b>$begin" "RCPT TO:<a@b>$begin" 'MAIL FROM:' RCPT = ' ' '' : '<' '>' QUIT | talk
		assertEquals "$begin" '' "$(grep -a '^2' "$T/out" | sed '/^220 /d; /^250[ -]/d; /^221 /d')"
	done
	assertEquals 'the session asks for no memory' '' "$(nm -u "$O"/obj/smtp-stdio/{session,smtp,verbs,events,command,address,literal,body,chunk,header,reply}.o |
		grep -E 'alloc|free|mmap')"
}

# Exim: memory was used again in BDAT; a dot ended what was counted, so the reader looped for ever; and the end of
# the transport inside a chunk was followed by one octet in clear.
testCVE_2017_16943_16944_2026_45185_WhatIsCountedIsCounted() {
	local n
	{
		says 'EHLO x' 'BDAT 5' ... 'BDAT 3' '.' 'MAIL FROM:<a@b>' 'BDAT 6 LAST' 'QUIT' 'MAIL FROM:<a@b>' 'RCPT TO:<c@d>' 'BDAT 3' '.' \
			'BDAT 13' $'.\r\n..\r\nQUIT' 'BDAT 3 LAST' '.' QUIT
	} >"$T/in"
	talk -o "Mailbox $T/box/in/" <"$T/in"
	assertEquals '220 250 503 503 250 554 503 250 250 250 250 221' "$(codes)"
	printf '.\n.\n..\nQUIT\n.\n' >"$T/want"
	arrived "$T/box/in" | cmp - "$T/want" || fail 'another message'
	# The end anywhere in it: of the client's octets, not of the message.
	for ((n = 1; n < $(stat -c %s "$T/in") - 9; n += 7)); do
		rm -rf "$T/box/in"
		head -c "$n" "$T/in" | (ulimit -t 2 && talk -o "Mailbox $T/box/in/")
		assertEquals "cut at $n" 0 "$(find "$T/box/in" -type f 2>/dev/null | wc -l)"
	done
}

# Many: LF.LF and its like ended a message here and not there.
testCVE_2023_51764_51765_51766_NoLookalikeOfTheEndIsOne() {
	timeout 60 python3 "$T/history_smuggle.py" "$T/box" "$BIN/smtp-stdio" -C /dev/null \
		-o "DeliverPath $BIN/deliver" -o "Mailbox $T/box/" >"$T/said" 2>"$T/log"
	assertEquals "done" "$(cat "$T/said")"
}

# sendmail: octet 255 was the -1 that switched a check of the length off; and a counter of the brackets in a
# header's addresses went wrong.  An octet is unsigned here, and nobody looks at a header's addresses.
testCVE_2003_0161_2002_1337_NoOctetMeansAnythingElse() {
	local octet text n
	for ((octet = 128; octet < 256; octet++)); do
		printf -v text '\\%03o' "$octet"
		# shellcheck disable=SC2059  # the octet is written by the format
		printf -v text "$text"
		says "HELO $text" 'EHLO x' "MAIL FROM:<$text$text@b>" "MAIL FROM:<$(repeated 300 "$text")@b>" "MAIL FROM:<$(repeated 30 "$text\\\\")@b>" \
			"MAIL FROM:<\"$text\"@b> SMTPUTF8" "MAIL FROM:<a@$text> SMTPUTF8" "VRFY $text$(repeated 600 x)" "$text$text" 'NOOP'
	done >"$T/in"
	says QUIT >>"$T/in"
	talk -o 'ErrorLimit 100000' <"$T/in"
	assertEquals 'nothing but EHLO and NOOP is taken' 128 "$(grep -c '^250 2' "$T/out")"
	assertEquals 'and each line has its reply' 1024 "$(grep -c '^5' "$T/out")"
	for n in 10 1000 20000; do
		printf 'From: %s<a@b>%s\nTo: %s\nCc: "%s\n\nx\n' "$(repeated $n '(<')" "$(repeated $n '>)')" "$(repeated $n '<>()')" "$(repeated $n '\\')" >"$T/want"
		rm -rf "$T/box/in"
		{ says 'EHLO x' 'MAIL FROM:<a@b>' 'RCPT TO:<c@d>' DATA && crlf <"$T/want" && says . QUIT; } | talk -o "Mailbox $T/box/in/"
		arrived "$T/box/in" | cmp - "$T/want" || fail "$n brackets"
	done
}

# sendmail and procmail: a handler of a signal jumped, or asked for memory, in the middle of something.  Handlers
# here set a variable, or write and end.
testCVE_2006_0058_2001_0905_ASignalOnlyLeavesANote() {
	local pid n=0 handler
	without '^_*(sig)?(long|set)jmp'
	sed -nE 's/.*sa_handler = (on_[a-z]+).*/\1/p; s/.*signal\([A-Z]+, (on_[a-z]+)\).*/\1/p' "$TOP"/{smtp-stdio,deliver,sandbox}/*.c | while read -r handler; do
		n=$((n + 1))
		assertEquals "$handler" '' "$(cat "$TOP"/{smtp-stdio,deliver,sandbox}/*.c | sed -n "/^$handler(int/,/^}/p" |
			grep -vE '^[{}]$|^on_|^	(\(void\)number|[a-z_]+ = 1|\(void\)!write\(STDOUT_FILENO, .*\)|_exit\(.*\));$')"
	done
	assertEquals 'handlers' 3 $n
	for ((n = 0; n < 8; n++)); do
		rm -rf "$T/box/in" "$T/fifo"
		mkfifo "$T/fifo"
		"$DEV/smtp-stdio" -C /dev/null -o "DeliverPath $DEV/deliver" -o "Mailbox $T/box/in/" <"$T/fifo" >"$T/out" 2>"$T/log" &
		pid=$!
		exec 8>"$T/fifo"
		wait_for grep -q ^220 "$T/out"
		says 'EHLO x' 'MAIL FROM:<a@b>' 'RCPT TO:<c@d>' DATA x . >&8
		while kill -TERM "$pid" && kill -WINCH "$pid" && kill -URG "$pid" && kill -CONT "$pid"; do :; done 2>/dev/null
		exec 8>&-
		wait "$pid"
		ended $? "$T/log"
		assertEquals 'said and done' "$(grep -c '^250 2.0.0 .* delivered' "$T/out")" "$(find "$T/box/in" -path '*/new/*' 2>/dev/null | wc -l)"
		assertEquals 'a good end' '' "$(grep -av '^delivered \|^stopped ' "$T/log")"
	done
}

# Exim: the text of a refusal overflowed where it was logged, after two senders and a huge message; and the user of
# the daemon could name the configuration that root then read.
testCVE_2010_4344_4345_ARefusalIsALineAndNobodyNamesTheSettings() {
	local long
	long=$(repeated 200 'a%n$')
	{
		says "EHLO $(repeated 50 b)" "MAIL FROM:<${long:0:255}@x.test>" 'MAIL FROM:<again@x.test>'
		for _ in {1..60}; do says "RCPT TO:<${long:0:250}@mx.test>"; done
		says 'RCPT TO:<alice@mx.test>' DATA 'Subject: x' "X-Long: $(repeated 3000 'y ')"
		yes "Subject: $(repeated 80 'z')"$'\r' | head -n 1500
		says . 'MAIL FROM:<a@b>' "RCPT TO:<\"$(repeated 200 '\\')\"@elsewhere.test>" QUIT
	} >"$T/in"
	talk -o "Mailbox $T/box/%u" -o 'SizeLimit 65536' -o 'Domain mx.test' -o 'Postmaster alice' -o 'ErrorLimit 1000' <"$T/in"
	assertEquals 'the second sender' 503 "$(codes | cut -d ' ' -f 4)"
	assertEquals 'too large, then another domain' '552 250 550 221' "$(codes | awk '{ print $(NF - 3), $(NF - 2), $(NF - 1), $NF }')"
	assertEquals 'the log is of lines' '' "$(grep -avE '^[a-z-]+ session=[ -~]+$' "$T/log"; awk 'length > 4096' "$T/log")"
	assertEquals 'that were not formats' 0 "$(grep -c '(null)' "$T/log")"
	assertContains "$(cat "$T/log")" 'refused '
	make -s -C "$TOP" install DESTDIR="$T/installed" >"$T/install.log" 2>&1
	assertTrue 'installed' "[ -x $T/installed/usr/local/sbin/smtp-stdio ]"
	assertEquals 'nothing gains by being run' '' "$(find "$T/installed" -perm /6000; getcap -r "$T/installed" 2>/dev/null)"
	[ "$(id -u)" -ne 0 ] || called deliver testSetUidRootGivesNothing
}

# Dovecot: odd parameters of NOOP, text that ends inside a character, MIME without end, NUL in a name of the header.
testCVE_2020_10957_7046_12100_2011_1929_EachStepTakesSomething() {
	local text n
	for text in '"' '\' '""' '"\' "'" '"a' 'a b' '%' '(' '{1}' '{1+}' '~{1}' $'\302' $'\342\202' $'\360\237\230' "$(repeated 1000 '"\')"; do
		printf 'EHLO x\r\nNOOP %s\r\nNOOP\0%s\r\nMAIL FROM:<%s@b> SMTPUTF8\r\nMAIL FROM:<a@b> SMTPUTF8\r\nRCPT TO:<c@%s>\r\nVRFY %s\r\nNOOP\r\nQUIT\r\n' \
			"$text" "$text" "$text" "$text" "$text" | (ulimit -t 2 && talk)
		assertContains "$text: $(codes)" "$(codes)" '250 221'
	done
	{
		printf 'A\0B: x\nDelivered-To\0: c@d\nContent-Type: multipart/mixed; boundary=\0b0\n\n'
		for ((n = 0; n < 5000; n++)); do printf -- '--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n' $n $((n + 1)); done
		printf 'the end \303'
	} >"$T/want"
	{ says 'EHLO x' 'MAIL FROM:<a@b> BODY=BINARYMIME' 'RCPT TO:<c@d>' "BDAT $(stat -c %s "$T/want") LAST" && cat "$T/want" && says QUIT; } |
		(ulimit -t 5 && talk -o "Mailbox $T/box/in/")
	# A binary message into a Maildir has its octets.
	arrived "$T/box/in" | cmp - "$T/want" || fail 'another message'
	assertEquals '220 250 250 250 250 221' "$(codes)"
}

# ---- files of users

# OpenSMTPD: root opened what was in a directory that others could write to, and ran what the caller's PATH had.
testCVE_2020_8793_RootOpensNothingOfAUsers() {
	need_root || return 0
	local name
	user_directories alice bob
	install -d "$T/trap"
	for name in deliver getent sh sendmail note smtp-stdio; do
		printf '#!/bin/sh\n: >%q\n' "$T/owned.$name" >"$T/trap/$name"
		chmod 755 "$T/trap/$name"
	done
	printf 'list: alice, bob, "|true"\nalice: alice\n' >"$T/aliases"
	cd "$T/trap" || return
	for name in Maildir/ mbox; do
		says 'EHLO x' 'MAIL FROM:<a@b>' 'RCPT TO:<list@mx.test>' DATA x . QUIT |
			PATH=$T/trap:$PATH strace -f -qq -o "$T/trace" "$BIN/smtp-stdio" -C /dev/null -o "DeliverPath $BIN/deliver" -o 'Domain mx.test' \
				-o 'Postmaster alice' -o "Aliases $T/aliases" -o "Users $T/users/%u" -o "Mailbox $name" >"$T/out" 2>"$T/log"
		assertContains "$(cat "$T/out" "$T/log")" "$(cat "$T/out")" ' delivered'
		# Who is somebody else; and what root does to files of theirs.
		awk -v users="$T/users" '
			/ setresuid\([1-9][0-9]*, / && / = 0$/ { other[$1] = 1 }
			/ (open|openat|creat|link|linkat|rename|renameat|unlink|unlinkat|mkdir|mkdirat|mknod|mknodat|chmod|fchmodat|chown|fchownat|truncate|symlink)\(/ &&
				index($0, users) { seen[other[$1] ? "other" : "root"]++; if (!other[$1]) print }
			END { print "others:", (seen["other"] > 0) }' "$T/trace" >"$T/opened"
		assertEquals "$name" 'others: 1' "$(cat "$T/opened")"
	done
	cd "$T" || return
	assertEquals 'nothing of the path is run' '' "$(ls "$T"/owned.* 2>/dev/null)"
}

# mail.local, Postfix, Exim: between a look at a mailbox and its use somebody put a link there, to the file that was
# then written to, or given away.
testCVE_2016_6253_2008_2936_2008_2937_2010_2023_2010_2024_AMailboxIsNoLink() {
	need_root || return 0
	local pid n name
	user_directories alice
	install -d -m 700 -o 2001 -g 2001 "$T/users/alice/Maildir/"{,tmp,new,cur}
	install -d -m 755 -o 2002 -g 2002 "$T/bob" "$T/bob/place"
	install -m 666 -o 2002 -g 2002 <(echo "bob's") "$T/bob/file"
	as_user 2001 "$PYTHON" "$T/history_race.py" "$T/users/alice" "$T/bob/file" "$T/bob/place" >"$T/turns" &
	pid=$!
	says 'EHLO x' 'MAIL FROM:<a@b>' 'RCPT TO:<alice@mx.test>' DATA x . QUIT >"$T/in"
	PROGRAMS=$BIN
	for ((n = 0; n < 60; n++)); do
		for name in box Maildir/; do
			talk -o 'Domain mx.test' -o 'Postmaster alice' -o "Users $T/users/%u" -o "Mailbox $name" -o 'CreateMailbox no' <"$T/in"
			cat "$T/log" >>"$T/all"
		done
	done
	as_user 2001 touch "$T/users/alice/stop"
	wait "$pid"
	assertTrue "it was changed meanwhile: $(cat "$T/turns")" "[ $(cat "$T/turns") -gt 100 ]"
	assertEquals "bob's file" "bob's 2002 2002 666" "$(cat "$T/bob/file") $(stat -c '%u %g %a' "$T/bob/file")"
	assertEquals "bob's directory" '' "$(ls "$T/bob/place")"
	assertContains 'some were put off' "$(cat "$T/all")" 'failed '
	assertContains 'and some were not' "$(cat "$T/all")" 'delivered '
}

# mbox and Maildir, before there were numbers for holes: two that wrote at once, half an entry before the next, a
# line that began an entry, a name used twice, a 250 for what was not synced.
testMboxAndMaildirKeepMessagesApartAndWhole() {
	called deliver testFiftyAtOnceLoseAndInterleaveNothing testMboxThatWasCutShortIsMended testMboxrdQuotingIsAsWritten testNameThatIsTakenInNewIsNotReplaced
	called durability testMaildirFileThenDirectoryAreSyncedBefore250 testMboxIsSyncedBefore250
}

# ---- outages

# A mail service told for hours that its users did not exist, when it could not look them up.
testOutage2020_WhoCannotBeLookedUpIsNotUnknown() {
	user_directories alice
	printf 'bob: alice\n' >"$T/aliases"
	says 'EHLO x' 'MAIL FROM:<a@b>' 'RCPT TO:<alice@mx.test>' 'RCPT TO:<bob@mx.test>' 'RCPT TO:<nobody@mx.test>' QUIT >"$T/in"
	local known=(-o 'Domain mx.test' -o 'Postmaster alice' -o "Users $T/users/%u" -o "Aliases $T/aliases") fault
	talk "${known[@]}" <"$T/in"
	assertEquals 'all is well' '220 250 250 250 250 550 221' "$(codes)"
	mv "$T/aliases" "$T/away"
	talk "${known[@]}" <"$T/in"
	assertEquals 'no aliases' '220 250 250 451 451 451 221' "$(codes)"
	mv "$T/away" "$T/aliases"
	echo 'a line that is none' >>"$T/aliases"
	talk "${known[@]}" <"$T/in"
	assertEquals 'a fault in them' '220 250 250 451 451 451 221' "$(codes)"
	sed -i '$d' "$T/aliases"
	for fault in EIO EACCES ENFILE ENOMEM ELOOP; do
		strace -f -qq -o "$T/trace" -P "$T/users/alice" -P "$T/users/nobody" -e trace=%stat,newfstatat,statx -e inject=%stat,newfstatat,statx:error=$fault \
			"$BIN/smtp-stdio" -C /dev/null -o 'Hostname mx.test' "${known[@]}" <"$T/in" 2>"$T/log" | tr -d '\r' >"$T/out"
		assertEquals "$fault" '220 250 250 451 451 451 221' "$(codes)"
	done
	[ "$(id -u)" -ne 0 ] || called identity testAPasswdThatCannotBeReadIsNoRefusal testASourceThatFailsIsNoRefusal
}

# Another could deliver nothing from New Year's Day 2022 on: the date as a number, 2201010001, was more than an int.
testOutage2022_NoDateIsTooLargeForItsNumber() {
	local day later file
	cc -shared -fPIC -O1 -o "$T/later.so" "$TOP/tests/later.c" || { fail 'later.so'; return; }
	# What makes a time ahead, for a deliver that is given no environment.
	printf '#!/bin/sh\nexport LD_PRELOAD=%s ASAN_OPTIONS=verify_asan_link_order=0 LATER\n. %s\nexec %s "$@"\n' \
		"$T/later.so" "$T/later" "$DEV/deliver" >"$T/bin/late"
	chmod 755 "$T/bin/late"
	for day in '2022-01-01 00:01' '2038-01-19 03:14:08' '2042-01-01' '2106-02-07 06:28:16' '2261-01-01' '3000-02-28'; do
		rm -rf "$T/box/in"* 
		later=$(($(date -ud "$day" +%s) - $(date +%s)))
		echo "LATER=$later" >"$T/later"
		for file in in/ in.mbox; do
			says 'EHLO x' 'MAIL FROM:<a@b>' 'RCPT TO:<c@d>' DATA x . QUIT | LD_PRELOAD=$T/later.so LATER=$later ASAN_OPTIONS=verify_asan_link_order=0 \
				"$DEV/smtp-stdio" -C /dev/null -o "DeliverPath $T/bin/late" -o "Mailbox $T/box/$file" >"$T/out" 2>"$T/log"
			assertContains "$day: $(cat "$T/out" "$T/log")" "$(cat "$T/out")" ' delivered'
		done
		day=$(date -ud "$day" '+%-d %b %Y')
		assertEquals "$day: Received" "$day" "$(sed -n 's/^	[A-Z][a-z][a-z], \(.*\) [0-9:]* +0000$/\1/p' "$T/box/in/new/"*)"
		assertEquals "$day: the name" "$day" "$(date -ud "@$(basename "$T/box/in/new/"* | cut -d . -f 1)" '+%-d %b %Y')"
		assertEquals "$day: From" "$day" "$(date -ud "$(sed -n '1s/^From a@b //p' "$T/box/in.mbox")" '+%-d %b %Y')"
		assertEquals "$day: the session" "$day" "$(date -ud "@$((0x$(sed -n 's/.* session=\([0-9a-f]*\)\..*/\1/p' "$T/log" | tail -n 1)))" '+%-d %b %Y')"
	done
}

# shellcheck source=/dev/null
. shunit2
