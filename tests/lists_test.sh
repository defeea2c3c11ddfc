#!/bin/bash
# lists_test.sh -- addresses that stand for several: users, addresses elsewhere, commands, files; and
# that a message goes to all of them or to none.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
# shellcheck source=aliases_lib.sh
. "$TOP/tests/aliases_lib.sh"

# arrives WANT RECIPIENT ... -- one message for these is delivered, and to whom.
arrives() {
	local want=$1
	shift
	rm -rf "$T"/users/*/*/Maildir
	message a@client.test "$@" | session
	assertEquals "$*: $(cat log)" "250 2.0.0" "$(reply $(($# + 5)) | cut -c1-9)"
	assertEquals "$*" "$want" "$(delivered)"
}

# told WHY -- what the administrator reads of the last session.
told() {
	assertEquals "$1" "$(errors log)"
}

# ---- users --------------------------------------------------------------------------------------

testAListGoesToAllItsMembers() {
	aliases 'team: alice, bob' 'both: alice@mx.test, alice@two.test' 'more: team,' '  alice@two.test,' "	alice"
	arrives 'mx.test/alice mx.test/bob' team@mx.test
	assertTrue "as it was addressed" "grep -qx 'Delivered-To: team@mx.test' $T/users/mx.test/bob/Maildir/new/*"
	arrives 'mx.test/alice two.test/alice' both@mx.test
	arrives 'two.test/alice two.test/bob' team@two.test
	arrives 'mx.test/alice mx.test/bob two.test/alice' more@mx.test
	arrives 'mx.test/alice mx.test/bob' team@mx.test alice@mx.test bob@mx.test
	assertTrue "once for each address" "grep -qx 'Delivered-To: alice@mx.test' $T/users/mx.test/alice/Maildir/new/*"
	assertEquals "$OK" "$(rcpt team)"
	assertEquals "a list has no other name" '250 2.1.5 <team@mx.test>' "$(vrfy team@mx.test)"
}

# By its name and by its path it is one mailbox, for one address.
testAMailboxNamedTwiceHasOneCopy() {
	aliases "both: alice, $T/users/mx.test/alice/Maildir/"
	arrives mx.test/alice alice@mx.test
	arrives mx.test/alice both@mx.test
	assertEquals 1 "$(cat "$T"/users/mx.test/alice/Maildir/new/* | grep -c '^Delivered-To: both@mx.test$')"
}

testMoreTargetsThanThereIsRoomForAreSaid() {
	aliases 'big: alice,'
	seq 6000 | sed 's/.*/	user&@else.test,/' >>aliases
	assertEquals "$WRONG" "$(rcpt big)"
	assertContains "$(errors log)" ': more targets than there is room for'
}

testAnAliasOfAnAlias() {
	aliases 'a: b' 'b: c@two.test' 'c: D' 'd: alice'
	arrives 'two.test/alice' a@mx.test
	assertEquals '250 2.1.5 <alice@two.test>' "$(vrfy a@mx.test)"
	aliases 'a: b' 'b: error:551 c@else.test'
	assertEquals '551 5.1.6 user not local; please try <c@else.test>' "$(rcpt a)"
	aliases 'a: b' 'b: c@else.test'
	assertEquals '251 2.1.5 user not local; will forward to <c@else.test>' "$(rcpt a)"
}

testANameThatStandsForItselfIsTheUserToo() {
	aliases 'alice: alice, bob' 'bob: x' 'x: bob'
	arrives 'mx.test/alice mx.test/bob' alice@mx.test
	arrives 'mx.test/bob' bob@mx.test
	aliases 'alice: alice, erin@else.test'
	assertEquals "$OK" "$(rcpt alice)"
	arrives 'mx.test/alice' alice@mx.test
	assertEquals "and elsewhere" '<erin@else.test>' "$(tail -n 1 "$BOX/arguments")"
}

testABackslashIsNoAlias() {
	# shellcheck disable=SC1003  # a backslash is meant
	aliases 'alice: bob' 'x: \alice' 'y: \nosuch'
	arrives 'mx.test/alice' x@mx.test
	arrives 'mx.test/bob' alice@mx.test
	assertEquals "$NO" "$(rcpt y)"
}

testALoopIsTold() {
	aliases 'a: b' 'b: a, alice'
	assertEquals "$WRONG" "$(rcpt a)"
	told "$T/aliases:2: a@mx.test: stands for itself, and is no user"
	aliases 'a: a'
	assertEquals "$WRONG" "$(rcpt a)"
	aliases 'bob: x' 'x: bob'
	assertEquals "seen from the user, and from the other" "$OK"$'\n'"$WRONG" "$(rcpt bob x)"
}

testAMemberWhoIsMissingStopsTheList() {
	aliases 'team: alice, nosuch' 'only: nosuch' 'deep: only' 'wide: only, alice'
	assertEquals "$WRONG"$'\n'"$NO"$'\n'"$NO"$'\n'"$WRONG" "$(rcpt team only deep wide)"
	assertEquals "$T/aliases:1: nosuch@mx.test: is a target, and no user
$T/aliases:2: nosuch@mx.test: is a target, and no user" "$(errors log)"
	aliases 'team: alice, moved' 'moved: error:551 x@else.test' 'here: error:550 no, alice'
	assertEquals "$WRONG" "$(rcpt team)"
	told "$T/aliases:2: error: beside another target"
}

testDepthAndNumberAreLimited() {
	local n
	aliases 'a0: alice'
	for n in 1 2 3 4 5 6 7 8 9 10 11; do
		echo "a$n: a$((n - 1))" >>aliases
	done
	assertEquals "$OK"$'\n'"$WRONG" "$(rcpt a9 a10)"
	told "$T/aliases:1: aliases of aliases of aliases: too deep"
	{ printf 'big:'; seq -f ' u%g@else.test,' 999; } | tr -d '\n' | fold -s -w 1000 | sed '2,$s/^/ /' >aliases
	echo >>aliases
	assertEquals "$OK" "$(rcpt big)"
	{ printf 'big:'; seq -f ' u%g@else.test,' 1000; } | tr -d '\n' | fold -s -w 1000 | sed '2,$s/^/ /' >aliases
	echo >>aliases
	assertEquals "$WRONG" "$(rcpt big)"
	assertTrue "$(errors log)" "errors log | grep -qx '$T/aliases:[0-9]*: too many names'"
}

testWhatIsTooMuchForAnyMessageIsTold() {
	aliases "many: $(seq -s ', ' -f "$T/users/mx.test/alice/%g" 1000)" "more: $(seq -s ', ' -f "$T/users/mx.test/alice/%g" 1001)"
	assertEquals "$OK"$'\n'"$WRONG" "$(rcpt many more)"
	told "$T/aliases: an address for too many places"
}

testWhatIsTooMuchForOneMessageGoesIntoTheNext() {
	{ printf 'big:'; seq -f ' u%g@else.test,' 600; } | tr -d '\n' | fold -s -w 1000 | sed '2,$s/^/ /' >aliases
	printf '\nalso: big\n' >>aliases
	message a@client.test big@mx.test also@mx.test alice@mx.test | session
	assertEquals "$OK"$'\n452 4.5.3 too many mailboxes; send the others in another message\n'"$OK" \
		"$(sed -n 4,6p heard.lf)"
	assertEquals "250 2.0.0" "$(reply 8 | cut -c1-9)"
	assertEquals 604 "$(wc -l <"$BOX/arguments")"
}

# ---- names --------------------------------------------------------------------------------------

testTheWholeAddressComesBeforeTheUser() {
	aliases 'x: alice' 'x@two.test: bob' 'X@MX.test: error:550 y'
	assertEquals '550 5.1.1 y' "$(rcpt x)"
	arrives 'two.test/bob' x@two.test
}

testTheDomainAloneIsForWhomNobodyHas() {
	aliases '@two.test: alice@mx.test' 'info: bob'
	arrives 'mx.test/alice' nosuch@two.test
	arrives 'two.test/bob' bob@two.test
	arrives 'two.test/bob' info@two.test
	assertEquals "not in the other" "$NO" "$(rcpt nosuch)"
	aliases '@two.test: nosuch'
	assertEquals "$NO" "$(rcpt other@two.test)"
	aliases '@mx.test: error:550 5.1.1 ask the porter'
	assertEquals "550 5.1.1 ask the porter" "$(rcpt other)"
}

testAnExtensionIsTheUsers() {
	aliases 'info: alice' 'info+x: bob' 'info+y@two.test: bob'
	arrives 'mx.test/alice' alice+lists@mx.test
	arrives 'mx.test/alice' info+lists@mx.test
	arrives 'mx.test/bob' INFO+X@mx.test
	arrives 'two.test/bob' info+y@two.test
	arrives 'mx.test/alice' info+y@mx.test
	assertEquals '250 2.1.5 <alice@mx.test>' "$(vrfy alice+lists+more@mx.test)"
	assertEquals "$NO"$'\n'"$NO"$'\n'"$NO" "$(rcpt +alice nosuch+x +)"
	SETTINGS=(-o 'RecipientDelimiter -')
	assertEquals "$NO"$'\n'"$OK"$'\n'"$OK" "$(rcpt alice+x alice-x info-x)"
	SETTINGS=(-o 'RecipientDelimiter none')
	assertEquals "$NO"$'\n'"$NO"$'\n'"$OK" "$(rcpt alice+x alice-x alice)"
	SETTINGS=()
	install -d "$T/users/mx.test/alice+own"
	[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$T/users/mx.test/alice+own"
	arrives 'mx.test/alice+own' alice+own@mx.test
}

testAnExtensionGoesIntoTheFolderIfThereIsOne() {
	local folder=$T/users/mx.test/alice/Maildir/.Lists
	install -d "$folder/new" "$folder/cur" "$folder/tmp" "$T/users/mx.test/alice/Maildir"/{new,cur,tmp}
	[ "$(id -u)" -ne 0 ] || chown -R 2001:2001 "$T/users/mx.test/alice"
	: >aliases
	message a@client.test alice+Lists@mx.test alice+other@mx.test alice@mx.test alice+a/b@mx.test | session
	assertEquals "$(cat log)" "250 2.0.0" "$(reply 9 | cut -c1-9)"
	assertEquals 1 "$(files "$folder/new")"
	assertEquals "the others have one mailbox" 1 "$(files "$T/users/mx.test/alice/Maildir/new")"
	assertEquals "and it is for each of them" 3 "$(grep -c ^Delivered-To: "$T/users/mx.test/alice/Maildir/new/"*)"
	message a@client.test alice+LISTS@mx.test alice+Other@mx.test | session
	assertEquals "the folder in small letters is not there" 2 "$(files "$T/users/mx.test/alice/Maildir/new")"
	mv "$folder" "${folder%Lists}lists"
	message a@client.test alice+LISTS@mx.test alice+Other@mx.test | session
	assertEquals "and now it is" 2 "$(files "${folder%Lists}lists/new")"
	[ "$(id -u)" -eq 0 ] || return 0
	assertEquals 2001 "$(stat -c %u "${folder%Lists}lists/new/"* | sort -u)"
}

# ---- quota --------------------------------------------------------------------------------------

# sized SIZE RECIPIENT ... -- the reply to each, by a client that declares the message's size.
sized() {
	local size=$1
	shift
	{
		printf 'EHLO client.test\r\nMAIL FROM:<a@client.test> SIZE=%s\r\n' "$size"
		printf 'RCPT TO:<%s>\r\n' "$@"
		printf 'QUIT\r\n'
	} | aliased | tr -d '\r' | grep -A "$#" '^250 2.1.0' | sed 1d
}

testAFullMailboxIsToldAtOnceAndAtTheEnd() {
	local box=$T/users/mx.test/alice/Maildir full='452 4.2.2 mailbox is full'
	install -d -m 700 "$box" "$box/new" "$box/cur" "$box/tmp"
	printf '1000S\n0 0\n' >"$box/maildirsize"
	chmod 700 "$T/users/mx.test/alice"
	[ "$(id -u)" -ne 0 ] || chown -R 2001:2001 "$box"
	aliases 'team: bob, alice'
	assertEquals "$OK"$'\n'"$OK"$'\n'"$OK" "$(sized 900 alice@mx.test bob@mx.test team@mx.test)"
	assertEquals "$full"$'\n'"$OK"$'\n'"$full" "$(sized 1001 alice@mx.test bob@mx.test team@mx.test)"
	SETTINGS=(-o 'OverQuota never')
	assertEquals "552 5.2.2 mailbox is full" "$(sized 1001 alice+x@mx.test)"
	SETTINGS=()
	printf '100S\n0 0\n' >"$box/maildirsize"
	message a@client.test alice@mx.test bob@mx.test | session
	assertEquals "without a size it is told at the end" "$full" "$(reply 7)"
	assertEquals "and nobody has it" "" "$(delivered)"
	assertEquals "and it counts for nothing" '0 0' "$(awk 'NR > 1 { o += $1; n += $2 } END { print o + 0, n + 0 }' "$box/maildirsize")"
	message a@client.test alice@mx.test | session -o 'OverQuota never'
	assertEquals "552 5.2.2 mailbox is full" "$(reply 6)"
}

testWithoutAQuotaNobodyIsAsked() {
	need_root || return 0
	: >aliases
	asked alice@mx.test >in
	sed -i 's/\(MAIL FROM.*>\)/\1 SIZE=1000/; s/HELO/EHLO/' in
	strace -qq -f -e trace=execve -o trace "$BIN/smtp-stdio" -C conf <in >heard 2>log
	assertTrue "$(cat heard)" "grep -q '^250 2.1.5' heard"
	assertEquals "smtp-stdio, and nothing else" 1 "$(grep -c execve trace)"
}

# with_less_time -- $BIN/hasty, which gives an address 2 s for what takes 60.
with_less_time() {
	[ -x "$BIN/hasty" ] && return
	mkdir "$T/tree"
	cp -r "$TOP/Makefile" "$TOP/smtp-stdio" "$TOP/sandbox" "$T/tree/"
	sed -i 's,NSS_LIMIT = RCPT_WAIT / 5,NSS_LIMIT = 2,' "$T/tree/smtp-stdio/limits.h"
	make -s -C "$T/tree" CFLAGS=-O0 .build/bin/smtp-stdio >make.log 2>&1 || cat make.log
	cp "$T/tree/.build/bin/smtp-stdio" "$BIN/hasty"
}

# A client waits for the reply to RCPT, whatever the address stands for.
testAllQuotasOfAnAddressHaveOneTime() {
	local box
	with_less_time
	for box in mx.test/alice mx.test/bob two.test/alice; do
		install -d "$T/users/$box/Maildir"
		echo 1000S >"$T/users/$box/Maildir/maildirsize"
	done
	printf '#!/bin/sh\nexec sleep 1.2\n' >"$T/sent/slow"
	chmod 755 "$T/sent/slow"
	aliases 'two: alice, bob' 'three: alice, bob, alice@two.test'
	asked two three | sed 's/\(MAIL FROM.*>\)/\1 SIZE=10/; s/HELO/EHLO/' |
		timeout 30 "$BIN/hasty" -C conf -o "DeliverPath $T/sent/slow" >heard 2>log
	assertEquals "$OK"$'\n''451 4.3.0 cannot look into this mailbox now' "$(tr -d '\r' <heard | grep -A 1 '^250 2.1.0' | grep -v -e '^250 2.1.0' -e --)"
}

testAllNamesOfAnAddressHaveOneTime() {
	need_root || return 0
	with_less_time
	# shellcheck disable=SC2016  # for the other shell
	printf '%s\n' '#!/bin/sh' 'sleep 1.2' 'echo "$3:x:2001:2001::/:"' >"$T/sent/getent"
	chmod 755 "$T/sent/getent"
	aliases 'one: una' 'three: una, duo, tria'
	asked one three >in
	# shellcheck disable=SC2016  # for the other shell
	timeout 30 unshare -m --propagation private sh -c 'mount --bind "$0" /usr/bin/getent && exec "$@"' "$T/sent/getent" \
		"$BIN/hasty" -C conf -o 'Users nss' <in >heard 2>log
	assertEquals "$OK"$'\n''451 4.3.0 cannot look this mailbox up now' "$(tr -d '\r' <heard | grep -A 1 '^250 2.1.0' | grep -v -e '^250 2.1.0' -e --)"
}

testRootsMailIsThePostmasters() {
	: >aliases
	SETTINGS=(-o 'Postmaster bob')
	assertEquals '250 2.1.5 <bob@mx.test>' "$(vrfy root@mx.test)"
	aliases 'root: alice'
	assertEquals '250 2.1.5 <alice@mx.test>' "$(vrfy root@mx.test)"
	SETTINGS=()
}

# ---- elsewhere ----------------------------------------------------------------------------------

testAddressesElsewhereAreOneCommands() {
	aliases 'fw: x@else.test' 'two: y@else.test, X@else.test, z@more.test' 'mixed: alice, w@else.test'
	assertEquals '251 2.1.5 user not local; will forward to <x@else.test>'$'\n'"$OK" "$(rcpt fw two)"
	arrives 'mx.test/alice mx.test/bob' fw@mx.test bob@mx.test two@mx.test mixed@mx.test
	assertEquals '<-i> <-f> <a@client.test> <--> <X@else.test> <w@else.test> <x@else.test> <y@else.test> <z@more.test>' \
		"$(xargs <"$BOX/arguments")"
}

testACommandThatFailsTakesAllBack() {
	local end want
	aliases 'mixed: alice, x@else.test, bob'
	while read -r end want; do
		echo "$end" | tr _ ' ' >"$T/sent/end"
		message a@client.test mixed@mx.test | session
		assertEquals "$end" "$want" "$(reply 6)"
		assertEquals "$end" "" "$(delivered)"
		assertTrue "it ran" "[ -e $BOX/message ]"
		rm "$BOX/message"
	done <<-END
		exit_75 $LATER
		exit_69 554 5.3.0 message refused
		kill_-KILL_\$\$ $LATER
	END
}

# What it takes it cannot give back, so all else must be ready before.
testACommandRunsWhenAllElseIsReady() {
	aliases 'mixed: x@else.test, alice, bob'
	rm -rf "$T/users/mx.test/bob/Maildir"
	: >"$T/users/mx.test/bob/Maildir" # in the way
	message a@client.test mixed@mx.test | session
	assertEquals "451" "$(reply 6 | cut -c1-3)"
	assertEquals "" "$(delivered)"
	assertFalse "it did not run" "[ -e $BOX/message ]"
	echo "[ -z \"\$(find $T/users -path '*/new/*')\" ] || exit 1" >"$T/sent/end"
	rm "$T/users/mx.test/bob/Maildir"
	message a@client.test mixed@mx.test | session
	assertEquals "nothing was visible while it ran" "250 2.0.0" "$(reply 6 | cut -c1-9)"
	assertEquals "mx.test/alice mx.test/bob" "$(delivered)"
}

# Who can trace their own deliver makes it say and do anything.
testAMailboxThatIsGivenUpAfterTheCommandIsNoSuccess() {
	aliases 'mixed: x@else.test, alice, bob'
	cat >"$T/sent/leaves" <<-END
		#!/bin/sh
		case \$* in *users/mx.test/bob*) ;; *) exec "$BIN/deliver" "\$@" ;; esac
		printf s >&3
		head -c 1 <&3
	END
	chmod 755 "$T/sent/leaves"
	message a@client.test mixed@mx.test | session -o "DeliverPath $T/sent/leaves"
	assertTrue "the command ran" "[ -e $BOX/message ]"
	assertEquals "$LATER" "$(reply 6)"
	assertEquals "" "$(delivered)"
}

# ---- commands and files -------------------------------------------------------------------------

# shellcheck disable=SC2016  # for the command's shell
testACommandIsGivenToAShellAsItIsWritten() {
	aliases "list: \"|$T/sent/run 'a b' \\\"\$SENDER\\\" \$0, c\"" 'both: alice, list'
	arrives '' list@mx.test
	assertEquals "nobody is told who runs it" '250 2.1.5 <list@mx.test>' "$(vrfy list@mx.test)"
	assertEquals '<a b>
<a@client.test>
</bin/sh,>
<c>' "$(cat "$BOX/arguments")"
	rm "$BOX/arguments"
	arrives 'mx.test/alice' both@mx.test
	assertEquals '<a b>' "$(head -n 1 "$BOX/arguments")"
	message '"$(touch x);`touch x`"@client.test' list@mx.test | session
	assertEquals '<___touch_x___touch_x__@client.test>' "$(sed -n 2p "$BOX/arguments")"
	message '-x@client.test' list+-y@mx.test | session
	assertEquals '<_x@client.test>' "$(sed -n 2p "$BOX/arguments")"
	assertEquals $'EXT=_y\nEXTENSION=_y\nSENDER=_x@client.test' "$(grep -e ^EXT -e ^SENDER "$BOX/environment")"
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

# shellcheck disable=SC2016  # for the command's shell
testWhatACommandLeavesBehindEndsWithIt() {
	aliases "list: \"|sleep 1000 & echo \$! >$BOX/left\"" 'fw: x@else.test'
	arrives '' list@mx.test
	assertTrue "it was there" "[ -s $BOX/left ]"
	wait_for gone "$(cat "$BOX/left")" || fail "it goes on"
	echo "sleep 1000 >/dev/null 2>&1 & echo \$! >$BOX/left" >"$T/sent/end"
	arrives '' fw@mx.test
	assertTrue "but a sendmail may send on" "kill -0 $(cat "$BOX/left")"
	kill "$(cat "$BOX/left")"
}

testWhoseFileItIsRunsTheCommand() {
	need_root || return 0
	aliases "list: |$T/sent/run"
	arrives '' list@mx.test
	assertEquals "root's: ForwardUser" "$(id -u $FORWARDER)" "$(cat "$BOX/uid")"
	chown 2007:2008 aliases
	rm -rf "$BOX"
	install -d -o 2007 "$BOX"
	arrives '' list@mx.test
	assertEquals "its owner" "2007 2008" "$(cat "$BOX/uid" "$BOX/groups" | xargs)"
	assertEquals / "$(cat "$BOX/directory")"
	rm "$BOX/uid"
	asked list >in
	as_user 2005 "$BIN/smtp-stdio" -C conf <in >heard 2>log
	assertContains "nobody else runs it" "$(cat heard)" "$WRONG"
	told "a command of uid 2007's file, and uid 2005 cannot become that"
}

testOneCommandAMessage() {
	aliases "list: |$T/sent/run" "second: |$T/sent/run" "three: list, second" 'fw: x@else.test' 'four: list, fw'
	message a@client.test list@mx.test second@mx.test fw@mx.test list@mx.test alice@mx.test | session
	assertEquals "$OK"$'\n'"$ALONE"$'\n'"$ALONE"$'\n'"$ALONE"$'\n'"$OK" "$(sed -n 4,8p heard.lf)"
	assertEquals "250 2.0.0" "$(reply 10 | cut -c1-9)"
	message a@client.test fw@mx.test list@mx.test | session
	assertEquals "$ALONE" "$(reply 5)"
	assertEquals "$WRONG"$'\n'"$WRONG" "$(rcpt three four)"
	assertEquals "$T/aliases:3: three@mx.test: stands for several commands
$T/aliases:5: four@mx.test: stands for several commands" "$(errors log)"
}

testAFileIsAMailbox() {
	local box=$T/archive
	install -d "$box"
	[ "$(id -u)" -ne 0 ] || chown 2004:2004 "$box"
	aliases "mbox: $box/mbox" "maildir: $box/dir/" "all: alice, $box/mbox, $box/dir/" "root: $T/nosuch/x" 'dev: /dev/null'
	arrives 'mx.test/alice' all@mx.test
	assertEquals 1 "$(grep -c '^From ' "$box/mbox")"
	assertEquals 1 "$(files "$box/dir/new")"
	arrives '' mbox@mx.test
	arrives '' maildir@mx.test
	assertEquals 2 "$(grep -c '^From ' "$box/mbox")"
	assertEquals 2 "$(files "$box/dir/new")"
	[ "$(id -u)" -ne 0 ] || assertEquals "2004 2004" "$(stat -c %u "$box/mbox" "$box/dir/new" | xargs)"
	message a@client.test dev@mx.test | session
	assertNotContains "no device" "$(cat heard.lf)" '250 2.0.0'
	chmod o+w aliases
	assertEquals "$WRONG" "$(rcpt mbox)"
	told "$T/aliases: everybody may write it"
	chmod o-w aliases
	[ "$(id -u)" -eq 0 ] || return 0
	chown 2007 aliases
	assertEquals "an owner of aliases has only files of their own" "$WRONG" "$(rcpt mbox)"
	told "$T/aliases:1: a file of another user than this one's owner"
	chown 2004 aliases
	assertEquals "$OK"$'\n'"$OK" "$(rcpt mbox maildir)"
	chown 0 aliases
	aliases "mbox: $T/roots"
	assertEquals "$WRONG" "$(rcpt mbox)"
	assertContains "$(errors log)" "$T/roots belongs to uid 0"
}

testThePathOfAFileHasALimit() {
	local dir=$T/long n
	while [ ${#dir} -lt 900 ]; do dir=$dir/$(printf %0100d 0); done
	mkdir -p "$dir"
	[ "$(id -u)" -ne 0 ] || chown 2004:2004 "$dir"
	for n in 1023 1024; do
		aliases "file: $dir/$(printf "%0$((n - ${#dir} - 1))d" 0)"
		rcpt file >"reply$n"
	done
	assertEquals "$OK" "$(cat reply1023)"
	assertEquals "$WRONG" "$(cat reply1024)"
	told "$T/aliases:1: the target is too long"
}

# ---- EXPN ---------------------------------------------------------------------------------------

# expands TEXT NAME -- what EXPN tells of it, the words of its lines between blanks.
expands() {
	expn "$2" >said
	assertEquals "$2" "$1" "$(sed 's/^250[ -]2\.1\.5 //' said | xargs -d '\n')"
	assertEquals "$2: one reply" 1 "$(grep -c '^... ' said)"
}

testExpnIsOffUnlessItIsAllowed() {
	aliases 'team: alice, bob'
	printf 'EXPN %s\r\n' team alice nosuch team@else.test >in
	assertEquals 4 "$(aliased -o 'Verify yes' <in | grep -c '^502 5\.5\.1 command not implemented')"
	assertEquals "and nothing is looked up" "" "$(strace -qq -f -e trace=%file -o trace "$BIN/smtp-stdio" -C conf <in >/dev/null 2>&1; grep -F "$T/aliases" trace)"
}

testExpnTellsWhoIsOnAList() {
	aliases 'team: alice, bob' 'all: team, ALICE@two.test, alice+x, erin@else.test' 'gone: error:551 new@else.test' \
		'fw: erin@else.test' 'bad: alice, nosuch' 'twice: alice+a, alice+b, alice' 'erins: Erin@else.test, alice'
	expands '<alice@mx.test> <bob@mx.test>' team
	expands '<alice@mx.test> <bob@mx.test>' '<TEAM@mx.test>'
	expands '<alice@two.test> <bob@two.test>' team@two.test
	expands '<alice@two.test> <alice@mx.test> <erin@else.test> <bob@mx.test>' all
	expands '<alice@mx.test>' twice
	expands '<Erin@else.test> <alice@mx.test>' erins
	expands '<alice@mx.test>' alice
	expands '551 5.1.6 user not local; please try <new@else.test>' gone
	expands '251 2.1.5 user not local; will forward to <erin@else.test>' fw
	expands "$NO" nosuch
	expands '550 5.7.1 mail for this domain is not taken here' team@else.test
	expands "$WRONG" bad
	expands '501 5.5.4 want: EXPN list or address [SMTPUTF8]' 'two words'
}

# What they are, and whose, is the administrator's.
testExpnDoesNotTellOfCommandsAndFiles() {
	local box=$T/archive
	install -d "$box"
	[ "$(id -u)" -ne 0 ] || chown 2004:2004 "$box"
	aliases "list: |$T/sent/run" "mixed: list, alice, $box/mbox, $box/dir/" "self: self, $box/mbox" 'self+x: self'
	expands '<list@mx.test>' list
	expands '<mixed@mx.test> <alice@mx.test>' mixed
	expands '<MIXED@two.test> <alice@two.test>' MIXED@two.test
	expands "$WRONG" self
	aliases "alice: alice, $box/mbox"
	expands '<ALICE@mx.test>' ALICE
	assertNotContains "$(cat said)" "$box"
	SETTINGS=(-o "DeliverCommand $T/sent/run")
	expands '<bob@mx.test>' bob
	SETTINGS=()
}

# members N [LENGTH] -- a list "big" of so many elsewhere, their local parts so long.
members() {
	{ printf 'big:'; seq -f " %0${2:-3}g@else.test," "$1"; } | tr -d '\n' | fold -s -w 1000 | sed '2,$s/^/ /' >aliases
	echo >>aliases
}

testExpnCountsWhomItDoesNotTell() {
	local many
	members 11
	many=$(seq -f '<%03g@else.test>' 11 | xargs)
	expands "$many" big
	members 12
	expands "$many +1" big
	members 999
	expands "$many +988" big
	# 400 octets: five of 65 with blanks between them, and the number
	members 7 53
	expn big >said
	assertEquals 6 "$(wc -l <said)"
	assertEquals '250 2.1.5 +2' "$(tail -n 1 said)"
	assertEquals 5 "$(grep -cE '^250-2\.1\.5 <[0-9]{53}@else\.test>$' said)"
	# 200 and 193 with a blank between them leave six for a number; 194 is one too many
	aliases "fits: $(printf %0188d 0)@else.test, $(printf %0181d 0)@else.test" \
		"big: $(printf %0188d 0)@else.test, $(printf %0182d 0)@else.test"
	assertEquals 2 "$(expn fits | grep -cE '^250[ -]2\.1\.5 <0{181,188}@else\.test>$')"
	assertEquals '250 2.1.5 +1' "$(expn big | tail -n 1)"
	# one that is long does not hide the others
	aliases "big: $(printf %0240d 0)@else.test, $(printf %0241d 0)@else.test, alice"
	expn big >said
	assertEquals '250-2.1.5 <alice@mx.test>' "$(sed -n 2p said)"
	assertEquals '250 2.1.5 +1' "$(sed -n 3p said)"
	# lines part at blanks, so an address with one is not told
	SETTINGS=(-o "Users any" -o "Mailbox $BOX/")
	expands '252 2.5.2 not verified; mail to it is accepted or refused at RCPT' '"carol d"'
	expands '<carol.d@mx.test>' '"carol.d"'
	SETTINGS=()
}

# ---- included -----------------------------------------------------------------------------------

testAListInAFileOfItsOwn() {
	printf '%s\n' '# members' alice 'bob, alice@two.test' '' '   ' ' x@else.test # away' >members
	aliases "team: :include:$T/members" "more: \":include:$T/members\", bob@two.test"
	arrives 'mx.test/alice mx.test/bob two.test/alice' team@mx.test
	assertEquals '<x@else.test>' "$(tail -n 1 "$BOX/arguments")"
	arrives 'mx.test/alice mx.test/bob two.test/alice two.test/bob' more@mx.test
	printf 'alice\n|/bin/true\n' >members
	assertEquals "$WRONG" "$(rcpt team)"
	assertContains "$(errors log)" "$T/members:2: "
	printf 'alice\n/etc/x\n' >members
	assertEquals "$WRONG" "$(rcpt team)"
	printf '# nobody yet\n' >members
	assertEquals "$WRONG" "$(rcpt team)"
	told "$T/aliases:1: team@mx.test: stands for nobody"
	mv members moved
	ln -s moved members
	assertEquals "who owns a list reads nothing by us" "$WRONG" "$(rcpt team)"
	assertContains "$(errors log)" "$T/members: "
	rm members
	assertEquals "$WRONG" "$(rcpt team)"
	told "$T/members: No such file or directory"
}

# ---- LMTP ---------------------------------------------------------------------------------------

testByLmtpEachAddressIsAMessage() {
	aliases 'team: alice, bob' 'fw: x@else.test' "list: |$T/sent/run" 'bad: alice, list'
	{
		printf 'LHLO x\r\nMAIL FROM:<>\r\n'
		printf 'RCPT TO:<%s@mx.test>\r\n' team fw list bob bad
		printf 'DATA\r\n\r\n.\r\nQUIT\r\n'
	} >in
	echo 'case $# in 0) exit 75; esac' >"$T/sent/end"
	session -l <in
	assertEquals "250
250
451
250
451" "$(tail -n 6 heard.lf | head -n 5 | cut -c1-3)"
	assertEquals "team, and bob; not bad" "mx.test/alice mx.test/bob mx.test/bob" "$(delivered)"
}

# shellcheck source=/dev/null
. shunit2
