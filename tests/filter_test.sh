#!/bin/bash
# filter_test.sh -- filters, which see a message before it is delivered, and checks, which see a
# recipient: what their end means, and that it comes.
# shellcheck source-path=SCRIPTDIR disable=SC2016  # what stands in a script is expanded there
. "$(dirname "$0")/lib.sh"

BOX=$T/box # what the scripts note; of the user who runs them
FILTERER=daemon
[ "$(id -u)" -eq 0 ] || FILTERER=$(id -un)
mkdir "$T/f"

setUp() {
	rm -rf "$BOX"
	user_directories alice bob carol
	install -d -m 755 "$BOX"
	[ "$(id -u)" -ne 0 ] || chown "$FILTERER" "$BOX"
	SETTINGS=()
}

# script NAME -- $T/f/NAME does what standard input says; it notes things in $box.
script() {
	{ printf '#!/bin/sh\nbox=%s\n' "$BOX"; cat; } >"$T/f/$1"
	chmod 755 "$T/f/$1"
}

# says LINE ... -- lines of a client.
says() {
	printf '%s\r\n' "$@"
}

# message USER ... -- a session with one message to them.
message() {
	local user
	says 'EHLO client.test' 'MAIL FROM:<Sender@client.test> SIZE=100'
	for user; do says "RCPT TO:<$user@mx.test>"; done
	says DATA 'Subject: a colour' '' 'what colour' . QUIT
}

# session [ARG ...] -- the program with $SETTINGS; heard in ./heard, logged in ./log.
session() {
	smtp -o "Users $T/users/%u" -o 'Postmaster alice' -o "FilterUser $FILTERER" "${SETTINGS[@]}" "$@" >said 2>log
	tr -d '\r' <said | sed -E 's/^(250 2\.0\.0) [0-9a-f]+\.[0-9a-f]+\./\1 ID./' >heard
}

# filtered NAME ... -- a message to alice through those scripts, and the reply after the dot.
filtered() {
	local name options=()
	for name; do options+=(-o "Filter $T/f/$name"); done
	message alice | session "${options[@]}"
	tail -n 2 heard | head -n 1
}
DELIVERED='250 2.0.0 ID.1 delivered'

# arrived -- the one message of alice's, without the header fields that are ours.
arrived() {
	cat "$T"/users/alice/Maildir/new/* | sed '/^Return-Path:/d; /^Delivered-To:/d; /^Received: /,/;$/d; /^	.* +0000$/d'
}
deliveries() {
	find "$T/users" -path '*/new/*' | wc -l
}

# told EVENT -- the lines of that event in the log, without the session, message and client.
told() {
	sed -nE "s/^$1 session=[^ ]* client=local id=[^ ]* //p" log
}

gone() {
	[ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"
}

# ---- what goes through --------------------------------------------------------------------------

testTheOutputIsDelivered() {
	message alice | session -o 'Filter /bin/sed s/colour/color/'
	assertEquals "$DELIVERED" "$(tail -n 2 heard | head -n 1)"
	printf 'Subject: a color\n\nwhat color\n' >want
	arrived | cmp - want || fail 'other octets'
	assertEquals 'nothing to say' delivered "$(cut -d' ' -f1 log)"
	# and an mbox, and a foreign command
	message alice | session -o 'Filter /bin/sed s/colour/color/' -o 'Mailbox mbox'
	assertTrue mbox "grep -qx 'what color' $T/users/alice/mbox"
	printf '#!/bin/sh\ncat >%s/users/alice/got\n' "$T" >"$T/mda"
	chmod 755 "$T/mda"
	message alice | session -o 'Filter /bin/sed s/colour/color/' -o "DeliverCommand $T/mda"
	assertTrue command "grep -qx 'what color' $T/users/alice/got"
}

testFormailUnchanged() {
	message alice | session -o 'Filter /usr/bin/formail -A X-Seen:here -i Subject:replaced'
	assertEquals "$DELIVERED" "$(tail -n 2 heard | head -n 1)"
	assertTrue 'added' "arrived | grep -qx 'X-Seen: *here'"
	assertTrue 'replaced' "arrived | grep -qx 'Subject: *replaced'"
	assertTrue 'text' "arrived | grep -qx 'what colour'"
}

testSeveralGoInTheirOrder() {
	message alice | session -o 'Filter /bin/sed s/colour/red/' -o 'Filter /bin/sed s/red/green/' -o 'Filter /bin/cat'
	assertEquals 'Subject: a green' "$(arrived | head -n 1)"
	message alice | session -o 'Filter /bin/sed s/red/green/' -o 'Filter /bin/sed s/colour/red/'
	assertEquals 2 "$(files "$T/users/alice/Maildir/new")"
	assertTrue 'the other way' "arrived | grep -qx 'Subject: a red'"
}

# The message has our Received field, and no filter can write into what the next one reads.
testAFilterReadsTheSealedMessage() {
	local before
	script look <<-'END'
		cat >"$box/message"
		{ echo scribbled 1<>/proc/self/fd/0 || echo no >"$box/no"; } 2>/dev/null
		echo seen >>"$box/log"
		cat "$box/message"
	END
	script cat <<<'exec cat'
	for before in '' cat; do # the message as it came, and as a filter has made it
		rm -f "$BOX/no" "$BOX/log"
		# shellcheck disable=SC2086  # words are wanted
		assertEquals "$DELIVERED" "$(filtered $before look cat)"
		assertTrue 'trace' "head -n 1 $BOX/message | grep -qx 'Received: from client.test'"
		assertTrue "$before: not to be written" "[ -e $BOX/no ]"
		assertEquals 'once' seen "$(cat "$BOX/log")"
	done
	assertEquals 2 "$(arrived | grep -cx 'what colour')"
}

testABinaryMessageGoesThroughToTheOctet() {
	python3 -c 'import sys
body = bytes(range(256)) * 40
sys.stdout.buffer.write(b"EHLO c\r\nMAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<alice@mx.test>\r\nBDAT %d LAST\r\na: b\r\n\r\n%bQUIT\r\n"
    % (len(body) + 8, body))
open("want", "wb").write(b"a: b\n\n" + body)' | session -o 'Filter /bin/cat' -o 'Filter /bin/cat'
	assertTrue "$(cat heard)" "grep -q '^250 2.0.0 .* delivered' heard"
	tail -c "$(stat -c %s want)" "$T"/users/alice/Maildir/new/* | cmp - want || fail 'other octets'
}

testLargerMessagesSkipTheFilters() {
	local size
	for size in 1024 1025; do # as they are written: two CR less
		rm -rf "$T/users/alice/Maildir"
		{
			says 'EHLO c' 'MAIL FROM:<>' 'RCPT TO:<alice@mx.test>' "BDAT $((size + 2)) LAST"
			printf "a: colour\r\n\r\n%$((size - 11))s" ''
			says QUIT
		} | session -o 'Filter /bin/sed s/colour/color/' -o 'FilterSizeLimit 1K'
		assertEquals "$size" "$([ $size -eq 1024 ] && echo 'a: color' || echo 'a: colour')" "$(arrived | head -n 1)"
	done
	message alice | session -o 'Filter /bin/false' -o 'FilterSizeLimit 1K'
	assertEquals 'small' '451 4.3.0 a filter failed; try again later' "$(tail -n 2 heard | head -n 1)"
}

# ---- what its end means -------------------------------------------------------------------------

testEveryStatus() {
	local status want before
	for status in 0 1 2 63 {64..78} 98 99 100 101 111 126 127 128 254 255; do
		before=$(deliveries)
		script end <<<"cat; exit $status"
		case $status in
		0) want=$DELIVERED before=$((before + 1)) ;;
		75) want='450 4.7.1 not now; try again later' ;;
		65 | 69 | 77 | 100) want='554 5.7.1 refused' ;;
		99) want='250 2.0.0 ID.1 discarded' ;;
		*) want='451 4.3.0 a filter failed; try again later' ;;
		esac
		assertEquals "status $status" "$want" "$(filtered end)"
		assertEquals "$status: delivered" "$before" "$(deliveries)"
		assertEquals "$status: the session goes on" '221 2.0.0 goodbye' "$(tail -n 1 heard)"
		case $status in
		0) want='' ;;
		65 | 69 | 75 | 77 | 99 | 100) want="command=$T/f/end status=$status why=\"said no\" text=\"\"" ;;
		*) want="command=$T/f/end status=$status why=\"failed\" text=\"\"" ;;
		esac
		assertEquals "$status: logged" "$want" "$(told filter)"
	done
}

testWhatIsThrownAwayIsLogged() {
	script drop <<<'echo "a virus" >&2; exit 99'
	assertEquals '250 2.0.0 ID.1 discarded' "$(filtered drop)"
	assertEquals "command=$T/f/drop status=99 why=\"said no\" text=\"a virus \"" "$(told filter)"
	assertEquals 'proto=ESMTP from=<Sender@client.test> to=<alice@mx.test> size=31 reply="2.0.0 ID.1 discarded"' \
		"$(told discarded | sed -E 's/^helo=client.test //; s/ seconds=[0-9.]*//; s/2\.0\.0 [^ ]*\.1 /2.0.0 ID.1 /')"
	assertEquals 'and nothing else is' 2 "$(wc -l <log)"
}

# said STATUS TEXT WANT -- a filter that says this, and what the client hears.
said() {
	printf '%b' "$2" >"$T/f/text"
	chmod 644 "$T/f/text"
	script talk <<<"cat $T/f/text >&2; exit $1"
	assertEquals "status $1, $2" "$3" "$(filtered talk)"
}

testTheFirstLineIsTheReply() {
	said 100 'looks like spam\nscore 17\n' '554 5.7.1 looks like spam'
	assertTrue 'all of it is logged' "told filter | grep -qF 'text=\"looks like spam/score 17 \"'"
	said 69 '5.6.1 no such content\n' '554 5.6.1 no such content'
	said 65 '5.3.4 too much of it\r\n' '552 5.3.4 too much of it'
	said 77 '4.2.2 of another class\n' '554 5.7.1 4.2.2 of another class'
	said 75 'come again\n' '450 4.7.1 come again'
	said 75 '4.3.2 come again\n' '451 4.3.2 come again'
	said 75 '5.7.1 come again\n' '450 4.7.1 5.7.1 come again'
	said 100 '\nsecond line\n' '554 5.7.1 refused'
	said 100 '' '554 5.7.1 refused'
	said 100 '5.7.1 \n' '554 5.7.1 '
	said 100 'a\tb\001c\303\251\033[2J\n' '554 5.7.1 a?b?c???[2J'
	said 100 'x\r250 ok\r\n' '554 5.7.1 x'
	said 100 "$(printf %03000d 0)\n" "554 5.7.1 $(printf %0394d 0)"
	# what a program says that fails is for the administrator
	said 2 'sh: 1: frob: not found\n' '451 4.3.0 a filter failed; try again later'
	assertTrue 'logged' "told filter | grep -qF 'text=\"sh: 1: frob: not found \"'"
	said 0 'a warning\n' '451 4.3.0 a filter wrote nothing; try again later'
}

testStandardOutputIsNotTheReply() {
	script talk <<<'echo 5.7.1 this; echo 5.7.1 that >&2; exit 100'
	assertEquals '554 5.7.1 that' "$(filtered talk)"
}

testAnEmptyOutputIsAFailure() {
	script nothing <<<'cat >/dev/null'
	assertEquals '451 4.3.0 a filter wrote nothing; try again later' "$(filtered nothing)"
	assertEquals "command=$T/f/nothing status=0 why=\"wrote nothing\" text=\"\"" "$(told filter)"
	script closes <<<'exec >&-; cat >/dev/null'
	assertEquals '451 4.3.0 a filter wrote nothing; try again later' "$(filtered closes)"
	assertEquals 'behind another' '451 4.3.0 a filter wrote nothing; try again later' "$(script good <<<cat; filtered good nothing)"
	assertEquals 'nothing is delivered' 0 "$(deliveries)"
}

testTheFirstNoEndsIt() {
	script note <<<'echo seen >>"$box/log"; cat'
	script no <<<'exit 100'
	assertEquals '554 5.7.1 refused' "$(filtered note no note)"
	assertEquals seen "$(cat "$BOX/log")"
	script no <<<'exit 99'
	assertEquals '250 2.0.0 ID.1 discarded' "$(filtered no note)"
	assertEquals seen "$(cat "$BOX/log")"
}

testASignalIsLater() {
	local signal number
	while read -r signal number; do
		script die <<<"cat; kill -$signal \$\$; exit 0"
		assertEquals "$signal" '451 4.3.0 a filter failed; try again later' "$(filtered die)"
		assertEquals "command=$T/f/die status=$number why=\"failed\" text=\"\"" "$(told filter)"
	done <<-END
		KILL 137
		TERM 143
		SEGV 139
	END
	assertEquals 0 "$(deliveries)"
}

testAProgramThatIsNotThereIsLater() {
	local before
	assertEquals '451 4.3.0 a filter failed; try again later' "$(filtered absent)"
	assertTrue "$(cat log)" "told filter | grep -q 'status=71 why=\"failed\" text=\".*cannot run the program'"
	: >"$T/f/plain" && chmod 644 "$T/f/plain"
	assertEquals '451 4.3.0 a filter failed; try again later' "$(filtered plain)"
	message alice >in
	for before in memfd_create:error=ENOMEM:when=2 pipe2:error=EMFILE:when=1 vfork:error=EAGAIN:when=1; do
		strace -f -qq -o trace -e trace="${before%%:*}" -e inject="$before" "$BIN/smtp-stdio" -C /dev/null -o "Users $T/users/%u" \
			-o 'Postmaster alice' -o 'Hostname mx.test' -o "DeliverPath $BIN/deliver" -o 'Filter /bin/cat' <in >heard 2>log
		assertTrue "$before" "grep -q INJECTED trace"
		assertEquals "$before" '451 4.3.0 a filter failed; try again later' "$(tail -n 2 heard | head -n 1 | tr -d '\r')"
	done
	assertEquals 0 "$(deliveries)"
}

# ---- its limits ---------------------------------------------------------------------------------

# late NAME ... -- these scripts take too long, and the last of them is ended with what it started.
late() {
	local begin=$SECONDS want='451 4.3.0 a filter took too long; try again later'
	SETTINGS=(-o 'FilterTimeout 1s')
	assertEquals "$*" "$want" "$(filtered "$@")"
	assertTrue "$*: $((SECONDS - begin)) s" "[ $((SECONDS - begin)) -lt ${LIMIT:-5} ]"
	assertTrue "$*: $(told filter)" "told filter | grep -q 'why=\"took too long\"'"
	assertEquals "$*: delivered" 0 "$(deliveries)"
	while read -r pid; do
		wait_for gone "$pid" || fail "$*: $pid is still there"
	done <"$BOX/pids"
	assertEquals '221 2.0.0 goodbye' "$(tail -n 1 heard)"
}

testATimeoutLeavesNoProcessBehind() {
	local note='echo $$ >"$box/pids"; sleep 1000 & echo $! >>"$box/pids"'
	script hangs <<<"$note; wait"
	late hangs
	script talks <<<"$note; while :; do echo more; sleep 0.1; done"
	late talks
	script complains <<<"$note; yes >&2"
	late complains
	script closed <<<"$note; cat; exec >&- 2>&-; wait"
	late closed
	script polite <<<"$note; trap 'exit 0' TERM; cat; wait"
	late polite
	script stubborn <<<"$note; trap '' TERM; cat; while :; do wait; sleep 0.1; done"
	LIMIT=10 late stubborn
	script stopped <<<"$note"'; kill -STOP $$'
	late stopped
}

testTheTimeIsThatOfAllFilters() {
	script half <<<'echo $$ >"$box/pids"; cat; sleep 0.6'
	late half half
	SETTINGS=(-o 'FilterTimeout 10s')
	assertEquals "$DELIVERED" "$(filtered half half)"
}

# flood OCTETS -- a filter that writes so many.
flood() {
	script flood <<<"cat >/dev/null; printf 'a: b\n\n'; head -c $(($1 - 6)) /dev/zero"
	SETTINGS=(-o 'SizeLimit 64K')
	filtered flood
}

testTheOutputIsBounded() {
	local most=$((65536 + 1048576))
	assertEquals "$DELIVERED" "$(flood $most)"
	assertEquals '451 4.3.0 a filter wrote too much; try again later' "$(flood $((most + 1)))"
	assertTrue 'logged' "told filter | grep -q 'why=\"wrote too much\"'"
	script endless <<<'echo $$ >"$box/pids"; exec cat /dev/zero'
	assertEquals '451 4.3.0 a filter wrote too much; try again later' "$(filtered endless)"
	wait_for gone "$(cat "$BOX/pids")" || fail 'it is still there'
	assertEquals 1 "$(deliveries)"
}

testAMebibyteOfErrorsBlocksNobody() {
	script loud <<<'head -c 1048576 /dev/zero | tr "\0" x >&2; cat; head -c 1048576 /dev/zero | tr "\0" x >&2'
	assertEquals "$DELIVERED" "$(filtered loud)"
	arrived | tail -n 1 | grep -qx 'what colour' || fail "$(arrived | tail -n 1 | head -c 100)"
}

# What a filter leaves behind is ended, and adds nothing to the message.
testChildrenAreNotLeftBehind() {
	script leaves <<<'cat; (sleep 1000; echo late) & echo $! >"$box/pids"; (while :; do sleep 0.01; done) & echo $! >>"$box/pids"'
	local begin=$SECONDS
	assertEquals "$DELIVERED" "$(filtered leaves)"
	assertTrue 'at once' "[ $((SECONDS - begin)) -lt 5 ]"
	while read -r pid; do
		wait_for gone "$pid" || fail "$pid is still there"
	done <"$BOX/pids"
	printf 'Subject: a colour\n\nwhat colour\n' >want
	arrived | cmp - want || fail 'other octets'
}

# One that has left the group lives on, but its pipe is closed, and the message is what it was.
testADaemonThatAFilterStartsAddsNothing() {
	script daemon <<<'cat; setsid sh -c '\''echo $$ >"'"$BOX"'/pids"; trap "" PIPE; while sleep 0.01; do echo late || exit; done'\'' &
		until [ -s "$box/pids" ]; do sleep 0.01; done'
	assertEquals "$DELIVERED" "$(filtered daemon)"
	wait_for gone "$(cat "$BOX/pids")" || { fail 'its pipe is not closed'; kill "$(cat "$BOX/pids")"; }
	assertEquals 'behind the message' '' "$(arrived | sed '1,/^what colour$/d' | grep -v '^late$')"
}

testManyMessagesNeedFewDescriptors() {
	local n
	{
		says 'EHLO client.test'
		for ((n = 0; n < 40; n++)); do message alice | sed '/^EHLO/d; /^QUIT/d; s/colour\r/colour '$n'\r/'; done
		says QUIT
	} >in
	(ulimit -n 16 && session -o 'Filter /bin/cat' -o 'Filter /bin/sed s/colour/color/' -o 'Check /bin/true' <in)
	assertEquals 40 "$(grep -c '^250 2.0.0 .* delivered' heard)"
	assertEquals 'each its own' 40 "$(cat "$T"/users/alice/Maildir/new/* | grep '^what color' | sort -u | wc -l)"
}

# ---- who runs it, and what it knows -------------------------------------------------------------

testAFilterIsNeverInGroupRoot() {
	need_root || return 0
	cp /etc/passwd "$T/passwd"
	echo 'filterer:x:2004:0::/:/bin/sh' >>"$T/passwd"
	chown 2004 "$BOX"
	script who <<<'id -G >"$box/who"; cat'
	message alice | with_users "$BIN/smtp-stdio" -C /dev/null -o "DeliverPath $BIN/deliver" -o 'Hostname mx.test' \
		-o "Users $T/users/%u" -o 'Postmaster alice' -o 'FilterUser filterer' -o "Filter $T/f/who" >said 2>log
	assertEquals 1 "$(deliveries)"
	assertEquals "$(getent group nogroup | cut -d: -f3)" "$(cat "$BOX/who")"
	rm "$T/passwd"
}

testAFilterRunsAsFilterUser() {
	need_root || return 0
	script who <<<'{ id -u; id -g; id -G; pwd; ls /proc/self/fd | xargs; grep -c "CapEff:.*0000000000000000" /proc/self/status; } >"$box/who"; cat'
	assertEquals "$DELIVERED" "$(filtered who)"
	printf '%s\n' "$(id -u daemon)" "$(id -g daemon)" "$(id -g daemon)" "$(getent passwd daemon | cut -d: -f6)" \
		'0 1 2 3' 1 | diff - "$BOX/who" || fail 'somebody else'
	chmod 777 "$BOX" && rm "$BOX/who"
	message alice | smtp -o "Users $T/users/%u" -o 'Postmaster alice' -o "Filter $T/f/who" >heard 2>log
	assertEquals 'nobody by default' "$(id -u nobody)" "$(head -n 1 "$BOX/who")"
	for user in root frobnicator; do
		message alice | smtp -o "Users $T/users/%u" -o 'Postmaster alice' -o "FilterUser $user" -o "Filter $T/f/who" >heard 2>log
		assertEquals "$user" '451 4.3.5 filters and checks are misconfigured' "$(tail -n 2 heard | head -n 1 | tr -d '\r')"
		assertEquals "FilterUser $user: no such user, or root" "$(errors log)"
		message alice | smtp -o "Users $T/users/%u" -o 'Postmaster alice' -o "FilterUser $user" -o "Check $T/f/who" >heard 2>log
		assertTrue "$user" "grep -q '^451 4.3.5 filters and checks are misconfigured' heard"
	done
}

testStartedByAnOrdinaryUserItRunsAsThat() {
	need_root || return 0
	script who <<<'id -u >"$box/who"; env | LC_ALL=C sort | grep -E "^(HOME|USER|LOGNAME)=" >>"$box/who"; cat'
	chmod 777 "$BOX"
	message alice | as_user 2001 "$BIN/smtp-stdio" -C /dev/null -o "Users $T/users/%u" -o 'Postmaster alice' -o 'Hostname mx.test' \
		-o "DeliverPath $BIN/deliver" -o "Filter $T/f/who" >heard 2>log
	assertTrue "$(cat heard log)" "grep -q '^250 2.0.0 .* delivered' heard"
	assertEquals 2001 "$(cat "$BOX/who")"
}

# notes_environment -- a script that does.
notes_environment() {
	script environment <<<'tr "\0" "\n" <"/proc/$$/environ" | LC_ALL=C sort >>"$box/environment"; cat'
}

testTheEnvironment() {
	need_root || return 0
	local id
	notes_environment
	message Alice | session -o "Filter $T/f/environment"
	id=$(sed -n 's/^delivered .* id=\([^ ]*\) .*/\1/p' log)
	cat >want <<-END
		CLIENT_ADDRESS=local
		CLIENT_HELO=client.test
		CLIENT_PROTOCOL=ESMTP
		DOMAIN=mx.test
		EXT=
		EXTENSION=
		HOME=$(getent passwd daemon | cut -d: -f6)
		HOST=mx.test
		HOSTNAME=mx.test
		LOCAL=alice
		LOGNAME=daemon
		ORIGINAL_RECIPIENT=Alice@mx.test
		PATH=/usr/local/bin:/usr/bin:/bin
		QUEUE_ID=$id
		RECIPIENT=alice@mx.test
		SENDER=Sender@client.test
		SHELL=/bin/sh
		SIZE=100
		USER=daemon
	END
	diff want "$BOX/environment" || fail 'of a filter'
	rm "$BOX/environment"
	message Alice | session -o "Check $T/f/environment"
	sed -i "s/^QUEUE_ID=.*/QUEUE_ID=$(sed -n 's/^delivered .* id=\([^ ]*\) .*/\1/p' log)/" want
	diff want "$BOX/environment" || fail 'of a check'
	rm "$BOX/environment"
	message alice bob | session -o "Filter $T/f/environment"
	assertEquals 'of several' '' "$(grep -E '^(ORIGINAL_)?RECIPIENT=|^LOCAL=|^DOMAIN=|^HOST=|^EXT' "$BOX/environment")"
	assertEquals 'but the rest' 12 "$(wc -l <"$BOX/environment")"
}

# What a client says reaches no shell in an environment.
testNothingSharpIsInTheEnvironment() {
	notes_environment
	says 'EHLO [IPv6:::1]' 'MAIL FROM:<"() { :;}; $x`y`*"@c.test>' 'RCPT TO:<alice@MX.test>' DATA . QUIT |
		session -o "Filter $T/f/environment" -o "Check $T/f/environment"
	assertEquals 'twice' 2 "$(grep -cx 'SENDER=______:_____x_y__@c.test\|SENDER=______:_____x_y___@c.test' "$BOX/environment")"
	assertEquals 2 "$(grep -cx 'CLIENT_HELO=_IPv6:::1_' "$BOX/environment")"
	assertEquals 'no size' 2 "$(grep -cx 'SIZE=' "$BOX/environment")"
	assertEquals 2 "$(grep -cx 'RECIPIENT=alice@mx.test' "$BOX/environment")"
	assertEquals 2 "$(grep -cx 'ORIGINAL_RECIPIENT=alice@MX.test' "$BOX/environment")"
}

# Its words are split at blanks, and nothing in them means anything.
testThereIsNoShell() {
	script words <<<'printf "<%s>\n" "$@" >"$box/arguments"; cat'
	message alice | session -o "Filter $T/f/words  \"a b\"	\$HOME %u %r * ; >x"
	printf '<%s>\n' '"a' 'b"' '$HOME' %u %r '*' ';' '>x' | diff - "$BOX/arguments" || fail 'arguments'
}

# ---- LMTP ---------------------------------------------------------------------------------------

# by_lmtp NAME ... -- the replies after the dot to a message for three.
by_lmtp() {
	local name options=()
	for name; do options+=(-o "Filter $T/f/$name"); done
	message alice bob carol | sed 's/^EHLO/LHLO/' | session -l "${options[@]}"
	sed '1,/^354/d; $d' heard
}

testByLmtpAFilterRunsOnceAndItsNoIsForAll() {
	script once <<<'echo seen >>"$box/log"; sed s/colour/color/'
	assertEquals "$DELIVERED
$DELIVERED
$DELIVERED" "$(by_lmtp once)"
	assertEquals seen "$(cat "$BOX/log")"
	assertEquals 3 "$(cat "$T"/users/*/Maildir/new/* | grep -cx 'what color')"
	script no <<<'echo looks like spam >&2; echo seen >>"$box/log"; exit 100'
	assertEquals '554 5.7.1 looks like spam
554 5.7.1 looks like spam
554 5.7.1 looks like spam' "$(by_lmtp no)"
	assertEquals 'a line for each' 3 "$(grep -c '^failed .*reply="5.7.1 looks like spam"' log)"
	script drop <<<'echo seen >>"$box/log"; exit 99'
	assertEquals '250 2.0.0 ID.1 discarded
250 2.0.0 ID.1 discarded
250 2.0.0 ID.1 discarded' "$(by_lmtp drop)"
	assertEquals 'a line for each' 3 "$(grep -c '^discarded ' log)"
	assertEquals 'each once' 3 "$(wc -l <"$BOX/log")"
	assertEquals 'nothing more' 3 "$(deliveries)"
}

# What became of one message is not said of the next.
testTheNextMessageIsAnother() {
	local protocol subject want
	for protocol in smtp lmtp; do
		{
			says "$([ $protocol = lmtp ] && echo LHLO || echo EHLO) c"
			for subject in drop keep drop keep; do
				says 'MAIL FROM:<>' 'RCPT TO:<alice@mx.test>' 'RCPT TO:<bob@mx.test>' DATA "Subject: $subject" .
			done
			says QUIT
		} >in
		script choose <<<'cat >"$box/m"; grep -q "^Subject: drop" "$box/m" && exit 99; cat "$box/m"'
		session -o "Protocol $protocol" -o "Filter $T/f/choose" <in
		want=$([ $protocol = lmtp ] && echo 4 || echo 2)
		assertEquals "$protocol" "$want $want" "$(grep -c ' discarded$' heard) $(grep -c ' delivered$' heard)"
		assertEquals "$protocol: logged" "$want $want" "$(grep -c '^discarded ' log) $(grep -c '^delivered ' log)"
	done
	assertEquals 8 "$(deliveries)"
}

# ---- checks -------------------------------------------------------------------------------------

# checked NAME ... -- the reply to RCPT with those scripts.
checked() {
	local name options=()
	for name; do options+=(-o "Check $T/f/$name"); done
	says 'EHLO client.test' 'MAIL FROM:<Sender@client.test>' 'RCPT TO:<alice@mx.test>' QUIT | session "${options[@]}"
	tail -n 2 heard | head -n 1
}

testEveryStatusOfACheck() {
	local status want
	for status in 0 1 2 64 65 66 67 68 69 70 71 75 76 77 78 99 100 101 111 127 255; do
		script end <<<"exit $status"
		case $status in
		0) want='250 2.1.5 recipient ok' ;;
		75) want='450 4.7.1 not now; try again later' ;;
		65 | 69 | 77 | 100) want='550 5.7.1 refused' ;;
		*) want='451 4.3.0 a check failed; try again later' ;;
		esac
		assertEquals "status $status" "$want" "$(checked end)"
		[ $status -ne 0 ] || { assertEquals 'nothing to say' '' "$(cat log)"; continue; }
		assertEquals "$status: refused" "helo=client.test from=<Sender@client.test> to=<alice@mx.test> reply=\"${want#??? }\"" \
			"$(told refused)"
	done
}

testTheFirstLineOfACheckIsTheReply() {
	local stream
	for stream in 1 2; do
		script talk <<<"echo not you >&$stream; echo more >&$stream; exit 100"
		assertEquals '550 5.7.1 not you' "$(checked talk)"
		assertEquals "to=<alice@mx.test> command=$T/f/talk status=100 why=\"said no\" text=\"not you/more \"" "$(told check)"
		assertEquals 'helo=client.test from=<Sender@client.test> to=<alice@mx.test> reply="5.7.1 not you"' "$(told refused)"
	done
	script talk <<<'echo 4.2.1 greylisted; exit 75'
	assertEquals '450 4.2.1 greylisted' "$(checked talk)"
	script talk <<<'echo 4.7.0 greylisted; exit 75' # a policy, whose code would not go with 450
	assertEquals '450 4.7.1 greylisted' "$(checked talk)"
	script talk <<<'echo 5.1.1 nobody; exit 69'
	assertEquals '550 5.1.1 nobody' "$(checked talk)"
	script talk <<<'echo 2.1.5 welcome; exit 0'
	assertEquals '250 2.1.5 recipient ok' "$(checked talk)"
}

testTheFirstNoOfSeveralChecksCounts() {
	script yes <<<'echo yes >>"$box/log"'
	script no <<<'echo no >>"$box/log"; exit 77'
	assertEquals '550 5.7.1 refused' "$(checked yes no yes)"
	assertEquals 'yes no' "$(xargs <"$BOX/log")"
	assertEquals '250 2.1.5 recipient ok' "$(checked yes yes)"
}

testAChecksNoIsForOneRecipient() {
	script some <<<'echo $LOCAL >>"$box/log"; [ "$LOCAL" != bob ]  || exit 100'
	message alice bob nobody carol | session -o "Check $T/f/some"
	assertEquals '250 550 550 250' "$(sed -n '/^250 HELP/,/^354/p' heard | sed '1,2d;$d' | cut -c1-3 | xargs)"
	assertEquals 'only those who exist are asked about' 'alice bob carol' "$(xargs <"$BOX/log")"
	assertEquals 'delivered' "1 0 1" "$(for user in alice bob carol; do find "$T/users/$user" -path '*/new/*' | wc -l; done | xargs)"
	says 'EHLO c' 'VRFY alice' QUIT | session -o "Check $T/f/some" -o 'Verify yes'
	assertEquals 'VRFY asks nobody' 3 "$(wc -l <"$BOX/log")"
}

testACheckHasNoMessage() {
	script reads <<<'wc -c >"$box/octets"; readlink /proc/self/fd/0 >"$box/stdin"'
	assertEquals '250 2.1.5 recipient ok' "$(checked reads)"
	assertEquals '0 /dev/null' "$(cat "$BOX/octets" "$BOX/stdin" | xargs)"
}

testCheckTimeoutIsThatOfAllChecksOfARecipient() {
	local begin=$SECONDS pid
	SETTINGS=(-o 'CheckTimeout 1s')
	script hangs <<<'echo $$ >"$box/pids"; sleep 1000 & echo $! >>"$box/pids"; wait'
	assertEquals '451 4.3.0 a check took too long; try again later' "$(checked hangs)"
	assertTrue "$((SECONDS - begin)) s" "[ $((SECONDS - begin)) -lt 5 ]"
	while read -r pid; do
		wait_for gone "$pid" || fail "$pid is still there"
	done <"$BOX/pids"
	script half <<<'sleep 0.6'
	assertEquals '451 4.3.0 a check took too long; try again later' "$(checked half half)"
	assertEquals '250 2.1.5 recipient ok' "$(checked half)"
	script leaves <<<'sleep 1000 & echo $! >"$box/pids"'
	assertEquals '250 2.1.5 recipient ok' "$(checked leaves)"
	wait_for gone "$(cat "$BOX/pids")" || fail 'a child is left behind'
}

# One who is forwarded is checked as well.
testAForwardedRecipientIsChecked() {
	printf 'away: erin@else.test\n' >"$T/aliases"
	script note <<<'echo "$RECIPIENT $LOCAL $DOMAIN" >"$box/log"; exit 100'
	says 'EHLO c' 'MAIL FROM:<>' 'RCPT TO:<Away@mx.test>' QUIT | session -o "Aliases $T/aliases" -o "Check $T/f/note"
	assertEquals '550 5.7.1 refused' "$(tail -n 2 heard | head -n 1)"
	assertEquals 'away@mx.test away mx.test' "$(cat "$BOX/log")"
}

# ---- settings -----------------------------------------------------------------------------------

testTimesThatAClientDoesNotWaitForAreRefused() {
	local wrong='-o: FilterTimeout: with DeliverTimeout longer than a client waits'
	assertEquals "$wrong" "$(smtp -T -o 'Filter /bin/cat' -o 'FilterTimeout 4m' -o 'DeliverTimeout 291s' 2>&1)"
	assertEquals 'just as long' 'FilterTimeout 4m' \
		"$(smtp -T -o 'Filter /bin/cat' -o 'FilterTimeout 4m' -o 'DeliverTimeout 290s' 2>&1 | grep ^FilterT)"
	assertEquals 'without a filter' 'FilterTimeout 4m' "$(smtp -T -o 'FilterTimeout 4m' -o 'DeliverTimeout 9m' 2>&1 | grep ^FilterT)"
	assertEquals 'no command' '-o:3: Filter: want an absolute path' "$(smtp -T -o 'Filter cat' 2>&1)"
}

# ---- the real ones ------------------------------------------------------------------------------

# A message of SpamAssassin's own that every installation takes for spam.
GTUBE='XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X'

# sent TEXT ... -- the reply to a message with that text, to alice.
sent() {
	{
		says 'EHLO client.test' 'MAIL FROM:<a@client.test>' 'RCPT TO:<alice@mx.test>' DATA 'From: a@client.test' 'To: alice@mx.test' \
			'Subject: hello' 'Date: Wed, 25 Nov 2026 10:00:00 +0000' 'Message-ID: <1@client.test>' '' "$@" . QUIT
	} | session "${OPTIONS[@]}"
	tail -n 2 heard | head -n 1
}

# example NAME -- the script of that name in smtp-stdio.conf(5).
example() {
	awk -v mark=".\\\\\" script $1" '$0 == mark { on = 1 } on && /^#!/ { script = 1 } /^\.Ed/ && script { exit } script' \
		"$TOP/smtp-stdio/smtp-stdio.conf.5" | sed 's/\\e/\\/g'
}

testTheCheckOfThePage() {
	example members-only >"$T/f/members"
	chmod 755 "$T/f/members"
	install -d "$T/users/all"
	[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$T/users/all"
	says 'EHLO c' 'MAIL FROM:<a@else.test>' 'RCPT TO:<All@mx.test>' 'RCPT TO:<alice@mx.test>' RSET 'MAIL FROM:<a@example.org>' \
		'RCPT TO:<all@mx.test>' QUIT | session -o "Check $T/f/members"
	assertEquals '250 550 5.7.1 for members only/250 2.1.5 recipient ok/250 2.1.5 recipient ok' \
		"250 $(grep -E '^550|^250 2.1.5' heard | paste -sd/)"
}

testSpamAssassin() {
	need_root && part usr/sbin/spamd spamd || return 0
	local sock=$T/spamd/sock
	install -d -m 777 "$T/spamd"
	"$PARTS/usr/sbin/spamd" -L -x -s stderr --socketpath="$sock" --socketmode=0666 --min-children=1 --max-children=2 -u nobody \
		--cf='use_bayes 0' >spamd.log 2>&1 &
	local pid=$!
	PIDS+=("$pid")
	wait_for grep -q 'server pid' spamd.log || cat spamd.log
	OPTIONS=(-o "Filter /usr/bin/spamc -U $sock")
	assertEquals 'spamc alone marks' "$DELIVERED" "$(sent "$GTUBE")"
	assertTrue 'it did' "grep -q '^X-Spam-Flag: YES' $T/users/alice/Maildir/new/*"
	rm "$T"/users/alice/Maildir/new/*
	# The wrapper of smtp-stdio.conf(5).
	example refuse-spam | sed "s|^spamc |&-U $sock |" >"$T/f/spam"
	chmod 755 "$T/f/spam"
	assertTrue 'there is one' "grep -q '^spamc -U' $T/f/spam"
	OPTIONS=(-o "Filter $T/f/spam")
	assertEquals 'spam' '554 5.7.1 looks like spam' "$(sent "$GTUBE")"
	assertEquals 'nothing is delivered' 0 "$(deliveries)"
	assertEquals 'ham' "$DELIVERED" "$(sent 'Shall we meet on Friday?')"
	assertTrue 'it was looked at' "grep -q '^X-Spam-Status: No' $T/users/alice/Maildir/new/*"
	assertTrue 'whole' "grep -qx 'Shall we meet on Friday?' $T/users/alice/Maildir/new/*"
	kill $pid
	wait_for gone $pid
	assertEquals 'not there: later' '451 4.3.0 a filter failed; try again later' "$(sent 'Shall we meet?')"
	OPTIONS=(-o "Filter /usr/bin/spamc -U $sock")
	assertEquals 'not there: spamc alone lets pass' "$DELIVERED" "$(sent 'Shall we meet?')"
}

testBogofilter() {
	local n
	mkdir -p "$T/words"
	for ((n = 0; n < 20; n++)); do
		printf 'Subject: pills %d\n\ncheap pills casino winner lottery viagra\n' $n >spam
		printf 'Subject: meeting %d\n\nthe minutes of the meeting, the compiler and the garden\n' $n >ham
		bogofilter -d "$T/words" -s <spam
		bogofilter -d "$T/words" -n <ham
	done
	[ "$(id -u)" -ne 0 ] || chown -R "$FILTERER" "$T/words"
	OPTIONS=(-o "Filter /usr/bin/bogofilter -d $T/words -p -e")
	assertEquals spam "$DELIVERED" "$(sent 'cheap pills casino winner')"
	assertTrue 'marked' "grep -q '^X-Bogosity: Spam' $T/users/alice/Maildir/new/*"
	rm "$T"/users/alice/Maildir/new/*
	assertEquals ham "$DELIVERED" "$(sent 'the minutes of the meeting and the garden')"
	assertTrue 'marked' "grep -q '^X-Bogosity: Ham' $T/users/alice/Maildir/new/*"
	rm -r "$T/words"
	assertEquals 'without its words' '451 4.3.0 a filter failed; try again later' "$(sent 'cheap pills')"
}

# shellcheck source=/dev/null
. shunit2
