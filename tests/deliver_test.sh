#!/bin/bash
# The program deliver alone: Maildir, mbox, what a message gets and loses, locks, all or none, -c.
. "$(dirname "$0")/lib.sh"

# shellcheck source=deliver_lib.sh
. "$TOP/tests/deliver_lib.sh"

OTHER=2002
D=$T/d

# refuses STATUS TEXT ARG ... -- deliver ends with that status and says that first.
refuses() {
	local status=$1 text=$2
	shift 2
	deliver "$@" 2>"$T/err"
	assertEquals "status of deliver $*" "$status" $?
	assertEquals "deliver $* says first" "$text" "$(head -n 1 "$T/err")"
}

setUp() {
	rm -rf "$D"
	mkdir "$D" && cd "$D" || exit 1
	[ "$(id -u)" -ne 0 ] || chown "$OWNER:$OWNER" "$D"
	printf 'Subject: short\n\nText.\n' >"$T/short"
}

oneTimeTearDown() {
	leave
}

# ---- command line and identity ----------------------------------------------------------------

testUsageErrorsEnd64AndWriteNothing() {
	local long before
	old_mbox box
	before=$(state box)
	long=$(printf '%01001d' 0)
	usage() {
		deliver "$@" <"$T/short" 2>"$T/err"
		assertEquals "status of deliver $*" 64 $?
		assertTrue "deliver $* says why" "[ -s $T/err ]"
	}
	usage
	usage -z box
	usage -f
	usage -f "$(printf 'a\nb')" box
	usage -f "$(printf 'a\177b')" box
	usage -f "$long" box
	usage -r "$(printf 'a\rb')" box
	usage -r "$long" box
	usage -c 9 box
	usage -c 3x box
	usage -c '' box
	usage -c -1 box
	usage -c 1 box
	usage box box
	usage -m M/ box M/
	usage -x M/
	usage -n '' M/
	usage -n .a M/
	usage -n a/b M/
	usage -n a:b M/
	usage -n "$(printf '%065d' 0)" M/
	usage 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17
	assertUntouched box "$before"
	assertEquals "nothing was made" box "$(ls)"
}

testRootIsRefusedUnlessToldWhomToBecome() {
	need_root || return 0
	"$BIN/deliver" box <"$T/short" 2>/dev/null
	assertEquals "without -u" 78 $?
	"$BIN/deliver" -u root box <"$T/short" 2>/dev/null
	assertEquals "-u root" 78 $?
	"$BIN/deliver" -u nobody-of-that-name box <"$T/short" 2>/dev/null
	assertEquals "-u of nobody" 75 $?
	assertEquals "nothing was made" "" "$(ls)"
}

testRootBecomesTheUserNamed() {
	need_root || return 0
	local here=$T/home/alice
	with_users "$BIN/deliver" -m -u alice "$here/Maildir/" "$here/box" <"$T/short"
	assertEquals 0 $?
	assertEquals "the file in new" "2001:2001 600" "$(stat -c '%u:%g %a' "$here"/Maildir/new/*)"
	assertEquals "the mbox" "2001:2001 600" "$(stat -c '%u:%g %a' "$here/box")"
	with_users setpriv --reuid=2002 --regid=2002 --clear-groups \
		"$BIN/deliver" -u alice "$here/box" <"$T/short" 2>/dev/null
	assertEquals "another user cannot" 78 $?
	with_users setpriv --reuid=2001 --regid=2001 --clear-groups \
		"$BIN/deliver" -u alice "$here/box" <"$T/short"
	assertEquals "the same user can" 0 $?
	assertHolds "$here/box" "$T/short" "$T/short"
}

testSetUidRootGivesNothing() {
	need_root || return 0
	cp "$BIN/deliver" setuid && chmod 4755 setuid
	as_user "$OWNER" ./setuid box <"$T/short" 2>/dev/null
	assertEquals 78 $?
	assertFalse "nothing was made" "[ -e box ]"
}

# ---- Maildir ------------------------------------------------------------------------------------

testMaildirFileIsInNewAloneAndTmpIsEmpty() {
	made M
	deliver M/ <"$T/short"
	assertEquals 0 $?
	assertFiles "0 1 0" M
	assertOctets "$T/short" M/new/*
	assertEquals "its mode, names" "600 1" "$(stat -c '%a %h' M/new/*)"
}

testMaildirIsMadeWithM() {
	deliver -m M/ <"$T/short"
	assertEquals 0 $?
	assertEquals "modes" "700 700 700 700" "$(stat -c %a M M/tmp M/new M/cur | tr '\n' ' ' | sed 's/ $//')"
	assertFiles "0 1 0" M
	rmdir M/cur
	deliver -m M/ <"$T/short"
	assertFiles "0 2 0" M
}

testMaildirIsNotMadeWithoutM() {
	refuses 75 "4.2.0 mailbox is not there" M/ <"$T/short"
	assertEquals "nothing was made" "" "$(ls)"
	local part
	for part in tmp new cur; do
		made "$part.M" && rmdir "$part.M/$part"
		refuses 75 "4.2.0 mailbox is not there" "$part.M/" <"$T/short"
		assertEquals "files" 0 "$(find "$part.M" -type f | wc -l)"
	done
	refuses 75 "4.2.0 mailbox is not there" -m no/where/ <"$T/short"
	owner touch file
	refuses 75 "4.2.0 mailbox cannot be used" -m file/ <"$T/short"
}

testNameHasSecondsMicrosecondsPidAndCounter() {
	local before after name n=0 form='^([0-9]+)\.M([0-9]{6})P([0-9]+)Q([0-9]+)\.([^/:]+)$'
	before=$(date +%s)
	# shellcheck disable=SC2016  # expanded by the inner shell
	owner sh -c 'echo $$ >pid; exec "$@"' - "$BIN/deliver" -m M/ N/ <"$T/short"
	after=$(date +%s)
	for name in M/new/* N/new/*; do
		n=$((n + 1))
		name=${name##*/}
		[[ $name =~ $form ]] || { fail "a name of another form: $name"; continue; }
		assertTrue "seconds: $name" \
			"[ ${BASH_REMATCH[1]} -ge $before -a ${BASH_REMATCH[1]} -le $after ]"
		assertEquals "pid" "$(cat pid)" "${BASH_REMATCH[3]}"
		assertEquals "counter" "$n" "${BASH_REMATCH[4]}"
		assertEquals "host" "$(hostname)" "${BASH_REMATCH[5]}"
	done
	assertEquals "two names" 2 "$n"
}

testMicrosecondsInTheNameDiffer() {
	local i
	for i in 1 2 3 4; do : "$i"; deliver -m M/ <"$T/short"; done
	assertTrue "$(ls M/new)" "[ $(find M/new -type f | sed 's/.*\.M\([0-9]*\)P.*/\1/' | sort -u | wc -l) -gt 1 ]"
}

testSlashAndColonOfTheHostNameAreEscaped() {
	need_root || return 0
	# shellcheck disable=SC2016  # expanded by the inner shell
	unshare -u sh -c 'echo "a/b:c.d" >/proc/sys/kernel/hostname && exec "$@"' - \
		setpriv --reuid="$OWNER" --regid="$OWNER" --clear-groups "$BIN/deliver" -m M/ <"$T/short"
	assertEquals 0 $?
	case $(ls M/new) in
	*'.a\057b\072c.d') ;;
	*) fail "$(ls M/new)" ;;
	esac
}

# A long host name is 64 octets; escaped it takes four times as many.
testLongHostNameStillMakesAName() {
	need_root || return 0
	# shellcheck disable=SC2016  # expanded by the inner shell
	unshare -u sh -c 'printf "%064d" 0 | tr 0 / >/proc/sys/kernel/hostname && exec "$@"' - \
		setpriv --reuid="$OWNER" --regid="$OWNER" --clear-groups "$BIN/deliver" -m M/ <"$T/short"
	assertEquals 0 $?
	assertFiles "0 1 0" M
	assertOctets "$T/short" M/new/*
}

testNameThatIsTakenInTmpIsNotUsed() {
	local n
	pliant_deliver
	made M probe
	owner strace -o trace -e trace=openat "$BIN/pliant" probe/ </dev/null
	n=$(grep -n O_EXCL trace | cut -d: -f1)
	# shellcheck disable=SC2046  # words are wanted
	owner $(failing openat EEXIST "$n") "$BIN/pliant" M/ <"$T/short"
	assertEquals 0 $?
	assertFiles "0 1 0" M
	assertEquals "the second name" 1 "$(find M/new -name '*Q2.*' | wc -l)"
	# shellcheck disable=SC2046  # words are wanted
	owner $(failing openat EEXIST "$n+") "$BIN/pliant" M/ <"$T/short" 2>/dev/null
	assertEquals "gives up in the end" 75 $?
	assertFiles "0 1 0" M
}

testNameThatIsTakenInNewIsNotReplaced() {
	pliant_deliver
	made M
	# shellcheck disable=SC2046  # words are wanted
	owner $(failing linkat EEXIST 1) "$BIN/pliant" M/ <"$T/short" 2>/dev/null
	assertEquals 75 $?
	assertFiles "0 0 0" M
}

testOldFilesInTmpAreRemovedAndYoungOnesStay() {
	local now old
	made M
	now=$(date +%s)
	old=$((now - 36 * 3600 - 60))
	owner touch -d @$old M/tmp/$old.M1P1Q1.host M/tmp/1000000.other
	owner touch -d @$((old + 120)) M/tmp/$((old + 120)).M1P1Q1.host
	owner touch M/tmp/$old.written-now
	owner mkdir M/tmp/1000000.directory
	owner touch -d @$old M/tmp/1000000.directory
	owner touch -d @$old M/new/$old.M1P1Q1.host M/cur/$old.M1P1Q1.host
	deliver M/ <"$T/short"
	assertEquals 0 $?
	assertEquals "what stays" "$(printf '%s\n' $((old + 120)).M1P1Q1.host "$old.written-now" \
		1000000.directory | sort)" "$(ls M/tmp)"
	assertEquals "in new" 2 "$(files M/new)"
	assertEquals "in cur" 1 "$(files M/cur)"
}

testMaildirOfAnotherOwnerIsRefused() {
	need_root || return 0
	mkdir M M/tmp M/new M/cur
	chown -R "$OTHER" M && chmod -R 777 M
	refuses 75 "4.2.0 mailbox cannot be used" -m M/ <"$T/short"
	assertFiles "0 0 0" M
}

# ---- what a message gets and loses ----------------------------------------------------------------

testReturnPathAndDeliveredToStandOnTop() {
	deliver -m -f 'sender@example.org' -r one@example.net -r two@example.net M/ <"$T/short"
	{ printf 'Return-Path: <sender@example.org>\nDelivered-To: one@example.net\n'
	  printf 'Delivered-To: two@example.net\n'
	  cat "$T/short"; } >"$T/want"
	assertOctets "$T/want" M/new/*
}

testNullSenderIsAnEmptyReturnPath() {
	deliver -m -f '' M/ <"$T/short"
	{ printf 'Return-Path: <>\n'; cat "$T/short"; } >"$T/want"
	assertOctets "$T/want" M/new/*
}

# brought -- a header with everything that is taken away and much that only looks like it.
brought() {
	tr '~' '\t' <<-'M'
	From me Thu Jan  1 00:00:00 1970
	 continued
	Received: by here
	Return-Path: <a@example.org>
	RETURN-path:
	 <b@example.org>
	~and more
	Return-Path-Not: stays
	X-Return-Path: <c@example.org>
	Subject: text
	 Return-Path: of the subject
	Delivered-To: other@example.net
	Delivered-To: me@example.netx
	Delivered-To: xme@example.net
	X-Delivered-To: me@example.net
	Comment: text
	 Delivered-To: me@example.net
	Return-Path: <d@example.org>

	Return-Path: <e@example.org>
	From the body
	Delivered-To: me@example.net
	M
}

stripped() {
	brought | sed -e '1,2d' -e '4,7d' -e '18d'
}

testReturnPathsThatItBroughtGoWithTheirContinuations() {
	brought >message
	{ printf 'Return-Path: <s@example.org>\nDelivered-To: me@example.net\n'; stripped; } >want
	deliver -m -f s@example.org -r me@example.net M/ <message
	assertEquals 0 $?
	assertOctets want M/new/*
}

testReturnPathsStayWithoutASender() {
	brought >message
	sed 1,2d message >want
	deliver -m M/ <message
	assertOctets want M/new/*
}

testReturnPathWithCrlfGoesToo() {
	printf 'A: b\r\nReturn-Path: <x@y>\r\n more\r\nC: d\r\n\r\ntext\r\n' >message
	printf 'Return-Path: <s@y>\nA: b\r\nC: d\r\n\r\ntext\r\n' >want
	deliver -m -f s@y M/ <message
	assertOctets want M/new/*
}

testFromLineIsDroppedAtTheBeginOnly() {
	printf 'From a b\nA: b\nFrom c d\n\nFrom e f\n' >message
	printf 'A: b\nFrom c d\n\nFrom e f\n' >want
	deliver -m M/ <message
	assertOctets want M/new/*
	printf '>From a b\nA: b\n\n' >message
	deliver -m N/ <message
	assertOctets message N/new/*
	printf 'From: a\n\n' >message
	deliver -m O/ <message
	assertOctets message O/new/*
}

# loops ARG ... -- the message on standard input is a loop for both kinds of mailbox.
loops() {
	cat >"$T/loop"
	rm -rf M box
	made M
	old_mbox box
	refuses 65 "5.4.6 mail loop: delivered here before" "$@" M/ <"$T/loop"
	assertFiles "0 0 0" M
	refuses 65 "5.4.6 mail loop: delivered here before" "$@" box <"$T/loop"
	assertUntouched box "$(state "$T/old")"
}

testLoopIsDetectedInAnyCaseOfLetters() {
	printf 'Delivered-To: me@example.net\n\n' | loops -r me@example.net
	printf 'A: b\nDELIVERED-TO:ME@Example.NET\n\n' | loops -r me@example.net
	printf 'delivered-to: \t me@example.net \t\n\n' | loops -r Me@Example.Net
	printf 'A: b\r\nDelivered-To: me@example.net\r\n\r\n' | loops -r me@example.net
	printf 'Delivered-To: you@example.net\nDelivered-To: me@example.net' | loops -r me@example.net
	printf 'Delivered-To: three@x\n' | loops -r one@x -r two@x -r three@x
	{ printf 'Subject: '; printf '%05000d' 0; printf '\nDelivered-To: me@x\n\n'; } | loops -r me@x
}

testNoLoopIsSeenWhereThereIsNone() {
	brought >message
	deliver -m -r me@example.net M/ <message
	assertEquals "other addresses and the body" 0 $?
	printf 'Delivered-To: me@example.net\n\n' >message
	deliver -r you@example.net M/ <message
	assertEquals "another recipient" 0 $?
	deliver -r me@example.network M/ <message
	assertEquals "an address that begins so" 0 $?
	deliver M/ <message
	assertEquals "no recipient" 0 $?
	printf 'Delivered-To:\n\n' >message
	deliver -r me@example.net M/ <message
	assertEquals "an empty field" 0 $?
	printf '\nDelivered-To: me@example.net\n' >message
	deliver -r me@example.net M/ <message
	assertEquals "no header" 0 $?
	printf 'no header\nDelivered-To: me@example.net\n' >message
	deliver -r me@example.net M/ <message
	assertEquals "a body at once" 0 $?
	assertFiles "0 7 0" M
}

testLongHeaderLinesPassUnchanged() {
	local n
	for n in 1000 1023 1024 1025 1026 5000 200000; do
		{ printf 'Subject: '; head -c "$((n - 9))" /dev/zero | tr '\0' x
		  printf '\nReturn-Path: <x@y>\nLast: 1\n\ntext\n'; } >message
		{ printf 'Return-Path: <s@y>\n'; grep -av '^Return-Path' message; } >want
		rm -rf M
		deliver -m -f s@y M/ <message
		cmp want M/new/* || fail "a line of $n octets"
		{ printf 'A: b\nReturn-Path: '; head -c "$n" /dev/zero | tr '\0' x
		  printf '\n and more\nLast: 1\n\ntext\n'; } >message
		printf 'Return-Path: <s@y>\nA: b\nLast: 1\n\ntext\n' >want
		rm -rf M
		deliver -m -f s@y M/ <message
		cmp want M/new/* || fail "a Return-Path of $n octets"
	done
}

# Messages whose octets are the matter: one per file in $T/octets.
octets() {
	local dir=$T/octets
	[ ! -d "$dir" ] || return
	mkdir "$dir"
	: >"$dir/empty"
	printf '\n' >"$dir/line-feed"
	printf 'x' >"$dir/one-octet"
	printf 'A: b\n\ntext' >"$dir/no-final-newline"
	printf 'A: b' >"$dir/header-alone"
	printf 'A: \0b\n\0\n\n\0\0text\0\n' >"$dir/nul"
	printf '\0\0\0' >"$dir/nul-alone"
	printf 'A: \200\377\n\n\303\244\n' >"$dir/8-bit"
	printf 'A: b\r\n\r\nx\ry\n\rz\r\n\r' >"$dir/cr"
	{ printf 'A: b\n\n'; head -c 1048576 /dev/zero | tr '\0' x; printf '\n'; } >"$dir/line-of-1MiB"
	head -c 1048576 /dev/zero >"$dir/nul-1MiB"
	{ printf 'A: b\n\n'; "$PYTHON" -c 'import sys
sys.stdout.buffer.write(bytes(range(256)) * 1200)'; } >"$dir/all-octets"
}

testOctetsPassUnchangedIntoAMaildir() {
	local file
	octets
	for file in "$T"/octets/*; do
		rm -rf M
		deliver -m M/ <"$file"
		assertEquals "status for $file" 0 $?
		assertOctets "$file" M/new/*
	done
}

# An mbox has lines: one that lacks its end gets it.
testOctetsPassUnchangedThroughAnMbox() {
	local file
	octets
	for file in "$T"/octets/*; do
		rm -f box
		deliver box <"$file"
		assertEquals "status for $file" 0 $?
		cp "$file" want
		[ ! -s want ] || [ "$(tail -c 1 want | od -An -c)" = '  \n' ] || echo >>want
		assertHolds box "$PWD/want"
	done
}

testEveryWayToCutTheInputGivesTheSame() {
	local n=0 file runs
	brought >message
	{ printf '>From here\nFrom there\n>>From\n\nFrom \n>'; } >>message
	runs=$(($(stat -c %s message) - 1))
	{ printf 'Return-Path: <s@x>\nDelivered-To: me@example.net\n'; stripped
	  printf '>From here\nFrom there\n>>From\n\nFrom \n>'; } >want
	made M
	assertEquals "cut in two" "0: $runs" \
		"$(owner "$PYTHON" "$T/deliver_feed.py" message each \
			"$BIN/deliver" -f s@x -r me@example.net M/ box)"
	assertEquals "octets" "0: 1" \
		"$(owner "$PYTHON" "$T/deliver_feed.py" message octets \
			"$BIN/deliver" -f s@x -r me@example.net M/ box)"
	for file in M/new/*; do
		n=$((n + 1))
		assertOctets want "$file"
	done
	assertEquals "files" $((runs + 1)) $n
	echo >>want
	read_mbox box read
	assertEquals "messages" $((runs + 1)) "$(files read)"
	for file in read/*; do assertOctets want "$file"; done
}

testLoopIsDetectedHoweverTheInputIsCut() {
	printf 'A: b\nDelivered-To: me@example.net\r\nC: d\n\ntext\n' >message
	made M
	assertEquals "65: $(($(stat -c %s message) - 1))" \
		"$(owner "$PYTHON" "$T/deliver_feed.py" message each "$BIN/deliver" -r me@example.net M/)"
	assertFiles "0 0 0" M
}

testCutsAroundTheLongestCollectedLineGiveTheSame() {
	local file
	{ printf 'Return-Path: <'; printf '%01015d' 0; printf '>\n more\nB: '; printf '%01030d' 0
	  printf '\nReturn-Path: x\nC: d\n\ntext\n'; } >message
	{ printf 'Return-Path: <s>\nB: '; printf '%01030d' 0; printf '\nC: d\n\ntext\n'; } >want
	made M
	owner "$PYTHON" "$T/deliver_feed.py" message 1018-1045 "$BIN/deliver" -f s M/ >/dev/null
	owner "$PYTHON" "$T/deliver_feed.py" message 2058-2085 "$BIN/deliver" -f s M/ >/dev/null
	owner "$PYTHON" "$T/deliver_feed.py" message octets "$BIN/deliver" -f s M/ >/dev/null
	assertFiles "0 57 0" M
	for file in M/new/*; do assertOctets want "$file"; done
}

# filled N TEXT ... -- a header, filling up to octet N, then the TEXT.
filled() {
	local n=$1
	shift
	printf 'A: b\n\n'
	head -c $((n - 7)) /dev/zero | tr '\0' x
	printf '\n'
	printf '%b' "$@"
}

testCutsAroundBlockBoundariesGiveTheSame() {
	local file
	filled 65530 'From a\n>From b\n>>From c\nx From\n' >message
	filled 65530 'x\n' | tail -c +65531 >>message
	made M
	owner "$PYTHON" "$T/deliver_feed.py" message 65520-65560 "$BIN/deliver" M/ box >/dev/null
	assertFiles "0 41 0" M
	for file in M/new/*; do assertOctets message "$file"; done
	read_mbox box read
	assertEquals "messages" 41 "$(files read)"
	for file in read/*; do assertOctets message "$file"; done
}

# A page that is written in two parts is looked up twice.
testLargeMessageIsWrittenInWholeBlocks() {
	{ printf 'A: b\n\n'; head -c 200000 /dev/zero; } >message
	made M
	owner strace -f -o trace -e trace=write "$BIN/deliver" -f s@x -r a@b M/ <message
	assertEquals "65536 65536 65536 $(($(stat -c %s M/new/*) - 3 * 65536))" \
		"$(sed -n 's/.*write(.* = \([0-9]*\)$/\1/p' trace | xargs)"
}

# ---- mbox -----------------------------------------------------------------------------------------

testMboxHasAPostmarkAndEndsInAnEmptyLine() {
	local before
	before=$(date -u '+%a %b %e %H:%M')
	deliver -f 'sender@example.org' box <"$T/short"
	assertEquals 0 $?
	assertEquals "mode" 600 "$(stat -c %a box)"
	head -n 1 box >line
	grep -Eq '^From sender@example.org (Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z][a-z] [ 123][0-9] [0-9:]{8} [0-9]{4}$' line ||
		fail "$(cat line)"
	case $(cat line) in
	"From sender@example.org $before"* | \
	"From sender@example.org $(date -u '+%a %b %e %H:%M')"*) ;;
	*) fail "not the time in UTC: $(cat line)" ;;
	esac
	{ cat line; printf 'Return-Path: <sender@example.org>\n'; cat "$T/short"; echo; } >want
	assertOctets want box
}

testPostmarkNamesTheSender() {
	local sender want
	while IFS='|' read -r sender want; do
		rm -f box
		deliver -f "$sender" box <"$T/short"
		assertEquals "for $sender" "From $want" "$(head -n 1 box | cut -d ' ' -f 1,2)"
		assertEquals "words for $sender" 7 "$(head -n 1 box | wc -w)"
	done <<-'E'
	a@b|a@b
	"a b"@c|"a-b"@c
	ä@b|--@b
	E
	rm -f box
	deliver -f '' box <"$T/short"
	assertEquals "null sender" "From MAILER-DAEMON" "$(head -n 1 box | cut -d ' ' -f 1,2)"
	rm -f box
	deliver box <"$T/short"
	assertEquals "no sender" "From MAILER-DAEMON" "$(head -n 1 box | cut -d ' ' -f 1,2)"
}

testMboxrdQuotingIsAsWritten() {
	printf '\nFrom a\n>From b\n>>From c\n>>>>>>From d\nfrom e\nFrom\nFrom:\n> From f\n From g\n>F\nFFrom \n' >message
	printf '\n>From a\n>>From b\n>>>From c\n>>>>>>>From d\nfrom e\nFrom\nFrom:\n> From f\n From g\n>F\nFFrom \n\n' >want
	deliver box <message
	tail -n +2 box >got
	assertOctets want got
	assertHolds box "$PWD/message"
}

# Around the blocks that are read and the blocks that are written, which begin with a postmark.
testQuotingSurvivesAtEveryBlockBoundary() {
	local mark at n=0
	local -a messages=()
	deliver box </dev/null
	mark=$(stat -c %s box)
	rm -f box
	for at in $(seq 65524 65540) $(seq $((65524 - mark)) $((65540 - mark))); do
		n=$((n + 1))
		filled "$at" 'From a\n>From b\n>>From c\n' >"message.$n"
		messages+=("$PWD/message.$n")
		deliver box <"message.$n"
	done
	assertHolds box "${messages[@]}"
}

testQuotingSurvivesAtTheVeryEnd() {
	local end n=0
	local -a messages=()
	for end in F Fr Fro From 'From ' 'From x' '>' '>F' '>From ' '>>From ' '>>' '\n' '\nFrom ' 'From \n' \
		'>From \n' '\n\n'; do
		n=$((n + 1))
		{ printf 'A: b\n\ntext\n'; printf '%b' "$end"; } >"message.$n"
		deliver box <"message.$n"
		case $end in *'\n') ;; *) echo >>"message.$n" ;; esac
		messages+=("$PWD/message.$n")
	done
	assertHolds box "${messages[@]}"
}

testMboxThatWasCutShortIsMended() {
	local end
	for end in '' '\n' '\n\n'; do
		rm -f box
		# shellcheck disable=SC2016  # expanded by the inner shell
		owner sh -c 'printf "From a Thu Jan  1 00:00:00 1970\nA: b\n\ntext$0" >box' "$end"
		deliver box <"$T/short"
		printf 'A: b\n\ntext\n' >want
		assertHolds box "$PWD/want" "$T/short"
	done
	owner sh -c 'printf x >tiny'
	deliver tiny <"$T/short"
	assertEquals "one octet" "$(printf 'x\n\nFrom ')" "$(head -c 8 tiny)"
	owner sh -c 'printf "\n" >tiny'
	deliver tiny <"$T/short"
	assertEquals "one line feed" "$(printf '\nFrom ')" "$(head -c 6 tiny)"
}

testMboxIsNotReachedByASymbolicLink() {
	old_mbox real
	owner ln -s real box
	owner ln -s nowhere dangling
	refuses 75 "4.2.0 mailbox cannot be used" box <"$T/short"
	refuses 75 "4.2.0 mailbox cannot be used" dangling <"$T/short"
	assertUntouched real "$(state "$T/old")"
	assertFalse "nothing was made" "[ -e nowhere ]"
}

testSymbolicLinkOfADirectoryOnTheWayIsFine() {
	owner mkdir real
	owner ln -s real way
	deliver way/box <"$T/short"
	assertEquals 0 $?
	assertHolds real/box "$T/short"
	deliver -m way/M/ <"$T/short"
	assertFiles "0 1 0" real/M
}

testMboxWithASecondNameIsRefused() {
	old_mbox box
	owner ln box other
	refuses 75 "4.2.0 mailbox cannot be used" box <"$T/short"
	assertUntouched box "$(state "$T/old")"
}

testFifoDeviceAndDirectoryAreRefusedWithoutWaiting() {
	owner mkfifo fifo
	owner mkdir dir
	local path
	for path in fifo dir /dev/null; do
		owner timeout 5 "$BIN/deliver" "$path" <"$T/short" 2>err
		assertEquals "status for $path" 75 $?
		assertEquals "$path" "4.2.0 mailbox cannot be used" "$(head -n 1 err)"
	done
	assertEquals "in the directory" "" "$(ls dir)"
}

testMboxOfAnotherOwnerIsRefused() {
	need_root || return 0
	old_mbox box
	chown "$OTHER" box && chmod 666 box
	refuses 75 "4.2.0 mailbox cannot be used" box <"$T/short"
	assertUntouched box "$(state "$T/old")"
}

testMboxInADirectoryThatCannotBeReadOrIsNotThere() {
	owner mkdir -m 700 dir
	old_mbox dir/box
	owner chmod 300 dir
	deliver dir/box <"$T/short"
	assertEquals "only passable and writable" 0 $?
	owner chmod 700 dir
	assertHolds dir/box "$T/old.message" "$T/short"
	refuses 75 "4.2.0 mailbox cannot be used" no/where <"$T/short"
}

# The fcntl lock alone must do where a dot lock cannot be made.
testMboxInADirectoryThatCannotBeWritten() {
	owner mkdir dir
	old_mbox dir/box
	owner chmod 500 dir
	deliver dir/box <"$T/short"
	assertEquals 0 $?
	owner chmod 700 dir
	assertHolds dir/box "$T/old.message" "$T/short"
}

# ---- locks ----------------------------------------------------------------------------------------

# hold KIND -- another program holds that lock of ./box until `let_go`.
hold() {
	rm -f "$T/held"
	mkfifo "$T/let-go.$1"
	owner "$PYTHON" "$T/deliver_lock.py" hold "$1" box <"$T/let-go.$1" >"$T/held" 7>&- 8>&- &
	HOLDER=$!
	exec 8>"$T/let-go.$1"
	wait_for grep -q held "$T/held"
	rm "$T/let-go.$1"
}

let_go() {
	exec 8>&-
	wait "$HOLDER"
}

# deliver_traced -- deliver into ./box in the background, with its waits in the file "trace".
deliver_traced() {
	rm -f trace
	owner strace -f -o trace -e trace=fcntl,mknodat,nanosleep,clock_nanosleep \
		"$BIN/deliver" box <"$T/short" 2>err 7>&- 8>&- &
	DELIVER=$!
}

waited() {
	[ "$(grep -c 'nanosleep(' trace)" -ge 3 ]
}

testLocksOfOthersAreWaitedFor() {
	local kind
	for kind in fcntl dot both; do
		old_mbox box
		hold $kind
		deliver_traced
		wait_for waited || fail "does not wait for $kind"
		assertEquals "untouched while $kind is held" "$(state "$T/old")" "$(state box)"
		let_go
		wait $DELIVER
		assertEquals "status after $kind" 0 $?
		assertHolds box "$T/old.message" "$T/short"
		assertFalse "a dot lock stays" "[ -e box.lock ]"
	done
}

# What waits for the dot lock does not keep the fcntl lock, or two programs that take them in
# different orders would wait for each other.
testFcntlLockIsGivenBackWhileTheDotLockIsWaitedFor() {
	old_mbox box
	hold dot
	deliver_traced
	wait_for waited
	exec 7>&8 8>&-
	hold fcntl || fail "the fcntl lock is kept"
	assertEquals "the other program got it" held "$(cat "$T/held")"
	let_go
	exec 7>&-
	wait $DELIVER
	assertEquals 0 $?
}

testLockThatIsNeverGivenBackMeansLater() {
	local kind begin
	pliant_deliver
	for kind in fcntl dot; do
		old_mbox box
		hold $kind
		begin=$SECONDS
		owner "$BIN/pliant" box <"$T/short" 2>err
		assertEquals "status for $kind" 75 $?
		assertTrue "it took $((SECONDS - begin)) s" "[ $((SECONDS - begin)) -le 8 ]"
		assertEquals "4.2.0 mailbox is locked" "$(head -n 1 err)"
		assertEquals "untouched" "$(state "$T/old")" "$(state box)"
		[ $kind = fcntl ] || assertTrue "the dot lock of the other stays" "[ -e box.lock ]"
		let_go
	done
}

testStaleDotLockIsRemovedAndAYoungOneIsNot() {
	pliant_deliver
	old_mbox box
	owner touch -d '-490 seconds' box.lock
	owner "$BIN/pliant" box <"$T/short" 2>/dev/null
	assertEquals "490 s" 75 $?
	assertTrue "490 s" "[ -e box.lock ]"
	owner touch -d '-510 seconds' box.lock
	deliver box <"$T/short"
	assertEquals "510 s" 0 $?
	assertHolds box "$T/old.message" "$T/short"
	assertFalse "510 s" "[ -e box.lock ]"
}

# While the lock was waited for, the file may have become something else.
testMboxIsLookedAtAgainUnderTheLock() {
	old_mbox box
	hold fcntl
	deliver_traced
	wait_for waited
	owner ln box other
	let_go
	wait $DELIVER
	assertEquals 75 $?
	assertUntouched box "$(state "$T/old")"
}

# numbered FROM TO -- messages of about 20 kB that cannot be taken for each other, $D/in/N.
numbered() {
	mkdir -p in
	local n
	for ((n = $1; n <= $2; n++)); do
		{ printf 'Subject: %d\n\n' "$n"; yes "this is line of message $n" | head -n 900; } >"in/$n"
	done
}

sums() {
	(cd "$1" && sha256sum -- * | cut -d ' ' -f 1 | sort)
}

testFiftyAtOnceLoseAndInterleaveNothing() {
	local n
	local -a jobs=()
	numbered 1 60
	made M
	owner "$PYTHON" "$T/deliver_lock.py" append box in/5[1-9] in/60 &
	jobs+=($!)
	for ((n = 1; n <= 50; n++)); do
		deliver box M/ <"in/$n" &
		jobs+=($!)
	done
	for n in "${jobs[@]}"; do
		wait "$n"
		assertEquals "status" 0 $?
	done
	sums in >want
	read_mbox box read
	sums read >got
	assertOctets want got
	rm in/5[1-9] in/60
	sums in >want
	sums M/new >got
	assertOctets want got
	assertEquals "tmp" 0 "$(files M/tmp)"
	assertFalse "a dot lock stays" "[ -e box.lock ]"
}

# ---- all or none ------------------------------------------------------------------------------------

testOneMailboxThatFailsStopsTheOthers() {
	local bad order
	for bad in 'chmod 500 M/tmp' 'chmod 500 M/new' 'chmod 400 box' 'rmdir M/cur'; do
		for order in 'N/ M/ box' 'box N/ M/' 'M/ box N/'; do
			rm -rf M N box
			made M N
			old_mbox box
			# shellcheck disable=SC2086  # words are wanted
			owner $bad
			# shellcheck disable=SC2086  # words are wanted
			deliver $order <"$T/short" 2>/dev/null
			assertEquals "$bad; deliver $order" 75 $?
			assertEquals "files after $bad; deliver $order" 0 "$(find M N -type f | wc -l)"
			assertUntouched box "$(state "$T/old")"
			owner chmod 700 M/tmp M/new
		done
	done
	rm -rf M N box
	made M N
	old_mbox box
	deliver N/ M/ box <"$T/short"
	assertEquals "nothing wrong" 0 $?
	assertFiles "0 1 0" M
	assertFiles "0 1 0" N
	assertHolds box "$T/old.message" "$T/short"
}

testMailboxThatGrowsTooLargeStopsTheOthers() {
	local order
	head -c 300000 /dev/zero >message
	for order in 'M/ box N/' 'box M/ N/'; do
		rm -rf M N box
		made M N
		old_mbox box
		# shellcheck disable=SC2086  # words are wanted
		owner prlimit --fsize=200000 "$BIN/deliver" $order <message 2>err
		assertEquals "deliver $order" 75 $?
		assertEquals "4.2.2 mailbox is full" "$(head -n 1 err)"
		assertFiles "0 0 0" M
		assertFiles "0 0 0" N
		assertUntouched box "$(state "$T/old")"
	done
}

# ---- -c ---------------------------------------------------------------------------------------------

look() {
	echo "M $(find M/tmp -type f | wc -l)+$(find M/new -type f | wc -l)" \
		"box $(stat -c %s box) lock $(find . -name box.lock | wc -l)"
}
export -f look

# hand STEPS WANT ARG ... -- be the other end of -c, and compare what was heard and seen.
hand() {
	local steps=$1 want=$2
	shift 2
	rm -rf M box box.lock
	made M
	old_mbox box
	assertEquals "$steps" "$want" \
		"$(owner "$PYTHON" "$T/deliver_hand.py" "$T/short" "$steps" "$BIN/deliver" -c HAND "$@" |
			sed -n 's/ *$//;/ /p' | paste -sd ';')"
}

BEFORE='look M 0+0 box 53 lock 0'

testNothingIsVisibleBeforeTheWordAndItStandsAfterTheLast() {
	hand 'hear look say:c hear look say:k hear end look' \
		'hear s;look M 1+0 box 53 lock 0;hear v;look M 1+1 box 53 lock 0;hear d;end 0;look M 0+1 box 53 lock 0' M/
	assertOctets "$T/short" M/new/*
	hand 'hear say:c hear say:k end' 'hear s;hear v;end 0' M/ box
	assertHolds box "$T/old.message" "$T/short"
	assertFiles "0 1 0" M
}

# Who honours the locks does not see an mbox that is staged.
testStagedMboxIsLocked() {
	hand 'hear look close end look' "hear s;look M 0+0 box 120 lock 1;end 75;$BEFORE" box
	assertUntouched box "$(state "$T/old")"
}

testHangUpUndoesEverything() {
	local boxes
	for boxes in M/ box 'M/ box' 'box M/'; do
		# shellcheck disable=SC2086  # words are wanted
		{
			hand 'close end look' "end 75;$BEFORE" $boxes
			assertUntouched box "$(state "$T/old")"
			hand 'hear close end look' "hear s;end 75;$BEFORE" $boxes
			assertUntouched box "$(state "$T/old")"
			hand 'hear say:c hear close end look' "hear s;hear v;end 75;$BEFORE" $boxes
			assertUntouched box "$(state "$T/old")"
		}
	done
}

# One that is alone is asked nothing; and a Maildir's waits for another message, for as long as it is wanted.
testOneAfterAnother() {
	hand 'alone hear look close end' 'hear w;look M 0+1 box 53 lock 0;end 0' M/
	hand 'alone hear next:nu1/s@x/r@y hear look next:nu2/s@x hear look close end look' \
		'hear w;hear w;look M 0+2 box 53 lock 0;hear w;look M 0+3 box 53 lock 0;end 0;look M 0+3 box 53 lock 0' \
		-n u0 -f s@x -r r@x M/
	assertEquals "the names" 'u0 u1 u2' "$(cd M/new && printf '%s\n' * | cut -d. -f1 | paste -sd ' ')"
	printf 'Return-Path: <s@x>\nDelivered-To: r@y\n' | cat - "$T/short" >want
	assertOctets want M/new/u1.*
	printf 'Return-Path: <s@x>\n' | cat - "$T/short" >want
	assertOctets want M/new/u2.*
	hand 'alone hear end' 'hear d;end 0' box
	hand 'alone hear end' 'hear d;end 0' M/ box
	hand 'hear say:c hear say:k hear end' 'hear s;hear v;hear d;end 0' M/
}

# The next message may fail as the first may, and takes nothing with it.
testNextMessageThatFails() {
	hand 'alone hear next:nu0/s@x hear end look' 'hear w;hear -;end 75;look M 0+1 box 53 lock 0' -n u0 M/
	hand 'alone hear next:nu1/s@x signal:STOP close signal:CONT end look' \
		'hear w;end 75;look M 0+1 box 53 lock 0' -n u0 M/
	printf 'Delivered-To: r@x\n\nx\n' >"$T/short.loop"
	rm -r M
	made M
	assertEquals "a loop" 'hear w;next;hear -;end 65' "$(
		owner "$PYTHON" "$T/deliver_hand.py" "$T/short.loop" 'alone hear next:nu1//r@x hear end' \
			"$BIN/deliver" -c HAND -n u0 M/ | sed 's/:.*//;s/ *$//' | grep -v '^alone' | paste -sd ';')"
}

testWhatIsNoNextMessageEndsIt() {
	local text
	# no name, none that is one, no sender, a control character: as on the command line
	for text in next:n next:n/s next:n.u/s next:nu1 "next:nu1/$(printf 's\001x')"; do
		hand "alone hear $text hear end look" 'hear w;hear -;end 64;look M 0+1 box 53 lock 0' -n u0 M/
	done
	# no message, another word, no end, too long
	for text in bare:nu1/s next:cu1/s next: say:c "next:nu1/s/$(printf 'r%.0s' {1..4090})"; do
		hand "alone hear $text hear end look" 'hear w;hear -;end 75;look M 0+1 box 53 lock 0' -n u0 M/
	done
}

testWrongWordUndoesEverything() {
	local boxes
	for boxes in M/ box 'M/ box'; do
		# shellcheck disable=SC2086  # words are wanted
		{
			hand 'hear say:k end look' "hear s;end 75;$BEFORE" $boxes
			assertUntouched box "$(state "$T/old")"
			hand 'hear say:s end look' "hear s;end 75;$BEFORE" $boxes
			assertUntouched box "$(state "$T/old")"
			hand 'hear say:c hear say:c end look' "hear s;hear v;end 75;$BEFORE" $boxes
			assertUntouched box "$(state "$T/old")"
		}
	done
}

# ---- -n and -x --------------------------------------------------------------------------------------

testNameOfTheCallersChoosingIsUsed() {
	deliver -m -n 12.Ab M/ N/ <"$T/short"
	assertEquals 0 $?
	assertEquals "12.Ab.$(hostname)" "$(ls M/new)"
	assertEquals "12.Ab.$(hostname)" "$(ls N/new)"
	# A second time it is taken, and what is there is not touched.
	echo other | deliver -n 12.Ab M/ 2>/dev/null
	assertEquals 75 $?
	assertFiles "0 1 0" M
	assertOctets "$T/short" M/new/*
}

testTakingBackRemovesThatNameAlone() {
	deliver -m -n 1.a M/ N/ <"$T/short"
	deliver -n 1.b M/ N/ <"$T/short"
	owner touch "M/tmp/1.a.$(hostname)"
	old_mbox box
	deliver -x -n 1.a M/ box N/
	assertEquals 0 $?
	assertEquals "1.b.$(hostname)" "$(ls M/new)"
	assertEquals "1.b.$(hostname)" "$(ls N/new)"
	assertEquals "" "$(ls M/tmp)"
	assertUntouched box "$(state "$T/old")"
	deliver -x -n 1.a M/
	assertEquals "nothing to take back is no fault" 0 $?
	owner chmod 500 M/new
	deliver -x -n 1.b M/ 2>/dev/null
	assertEquals "it cannot be taken back" 75 $?
	owner chmod 700 M/new
	assertFiles "0 1 0" M
}


# ---- -e ---------------------------------------------------------------------------------------------

# found FOLDER -- the one file of M is in its new.
found() {
	assertEquals "where it is" "${1:+$1/}new" "$(find M -type f -printf '%P\n' | sed 's:/[^/]*$::' | sort -u)"
}

testExtensionNamesAFolderAsGivenThenInSmallLetters() {
	local folder extension
	for folder in .lists:lists .lists:Lists .Lists:Lists .a.B_c+d=e-9:a.B_c+d=e-9 .größe:größe .größe:GRößE \
		:lists .Lists:lists .lists:list; do
		extension=${folder#*:} folder=${folder%:*}
		rm -rf M
		made M
		[ -z "$folder" ] || made "M/$folder"
		[ "$folder:$extension" != .Lists:lists ] && [ "$folder:$extension" != .lists:list ] || folder=
		deliver -e "$extension" M/ <"$T/short"
		assertEquals "-e $extension" 0 $?
		found "$folder"
	done
	rm -rf M
	made M M/.X M/.x
	deliver -e X M/ <"$T/short"
	found .X
}

testWhatIsNoFolderIsNotDeliveredInto() {
	made M M/.cur M/.new M/.tmp other
	rmdir M/.cur/cur M/.new/new M/.tmp/tmp
	owner mkdir M/.empty
	owner touch M/.file
	owner ln -s ../other M/.linked
	owner ln -s nowhere M/.dangling
	local n=0 name
	for name in cur new tmp empty file linked dangling absent; do
		n=$((n + 1))
		deliver -m -e $name M/ <"$T/short"
		assertEquals "-e $name" 0 $?
		assertEquals "-e $name: into the Maildir" $n "$(files M/new)"
	done
	assertEquals "nothing was made" "" "$(find M/.* -name '[0-9]*.M*')"
	assertFiles "0 0 0" other
	owner chmod 0 M/.empty
	[ "$(id -u)" -ne 0 ] || refuses 75 "4.2.0 mailbox cannot be used" -e empty M/ <"$T/short"
	owner chmod 700 M/.empty
}

testFolderOfAnotherOwnerIsNone() {
	need_root || return 0
	made M M/.sub
	chown "$OTHER" M/.sub && chmod 777 M/.sub M/.sub/*
	deliver -e sub M/ <"$T/short"
	assertEquals 0 $?
	found ""
}

testExtensionIsNothingToAnMboxAndToAMaildirThatIsMade() {
	deliver -m -e sub box M/ <"$T/short"
	assertEquals 0 $?
	assertHolds box "$T/short"
	found ""
	# shellcheck disable=SC2012  # names of ours
	assertEquals "no folder is made" "cur new tmp" "$(ls -A M | paste -sd ' ')"
}

testExtensionThatCouldBeAnotherPathIsRefused() {
	made M M/.a
	local extension
	for extension in '' . .. .a -a a/b /a a/ '../a' 'a b' 'a|b' 'a\b' 'a*' 'a:b' 'a,b' $'a\nb' $'a\177' 'a@b' "$(printf '%0255d' 0)"; do
		deliver -e "$extension" M/ <"$T/short" 2>"$T/err"
		assertEquals "-e '$extension'" 64 $?
	done
	deliver -e "$(printf '%0254d' 0)" M/ <"$T/short"
	assertEquals "of 254" 0 $?
	found ""
}

# A folder may have come or gone since the delivery that is taken back.
testTakingBackLooksWhereverTheMessageMayBe() {
	made M M/.sub
	deliver -n 1.a -e Sub M/ <"$T/short"
	found .sub
	made M/.Sub
	deliver -x -n 1.a -e Sub M/
	assertEquals 0 $?
	assertEquals "another folder came" "" "$(find M -type f)"
	owner rm -r M/.sub M/.Sub
	deliver -n 1.b -e Sub M/ <"$T/short"
	deliver -n 1.c -e Sub M/ <"$T/short"
	found ""
	made M/.sub
	deliver -x -n 1.b -e Sub M/
	assertEquals 0 $?
	assertEquals "a folder came" "1.c.$(hostname)" "$(find M -type f -printf %f)"
	deliver -x -n 1.c -e Sub absent/ M/
	assertEquals "one that is not there is passed over" 0 $?
	assertEquals "and the next is not" "" "$(find M -type f)"
	assertEquals "nothing was made" "M" "$(ls)"
}

testTwoStepsIntoAFolder() {
	made M M/.sub
	owner "$PYTHON" "$T/deliver_hand.py" "$T/short" 'hear say:c hear close end' "$BIN/deliver" -c HAND -e sub M/ >got
	assertEquals "end 75" "$(tail -n 1 got)"
	assertEquals "" "$(find M -type f)"
	owner "$PYTHON" "$T/deliver_hand.py" "$T/short" 'hear say:c hear say:k end' "$BIN/deliver" -c HAND -e sub M/ >got
	assertEquals "end 0" "$(tail -n 1 got)"
	found .sub
}

# ---- killed -----------------------------------------------------------------------------------------

# Before anything is visible the guard restores the file; once it is, the word is the other end's.
testKilledWriterLeavesTheMboxAsBefore() {
	local boxes
	for boxes in box 'M/ box'; do
		# shellcheck disable=SC2086  # words are wanted
		hand "hear kill-writer end look" "hear s;end 75;$BEFORE" $boxes
		assertUntouched box "$(state "$T/old")"
		# shellcheck disable=SC2086  # words are wanted
		hand "hear say:c hear kill-writer hear close end look" \
			"hear s;hear v;hear v;end 75;$BEFORE" $boxes
		assertUntouched box "$(state "$T/old")"
	done
	deliver box <"$T/short"
	assertHolds box "$T/old.message" "$T/short"
}

# An mbox that is moved away while its lock is awaited must not get the message under its new name.
testMboxThatIsReplacedWhileItIsLockedIsLater() {
	old_mbox box
	local before
	before=$(state box)
	hold fcntl
	owner strace -f -o waiting -e trace=fcntl "$BIN/deliver" box <"$T/short" 2>said 8>&- &
	local pid=$!
	wait_for grep -q EAGAIN waiting
	owner mv box box.1
	old_mbox box
	let_go
	wait $pid
	assertEquals 75 $?
	assertEquals "4.2.0 mailbox has changed" "$(head -n 1 said)"
	assertEquals 'the one moved away' "$before" "$(state box.1)"
	assertEquals 'the one in its place' "$before" "$(state box)"
	rm -f box.1
}

testFieldsWithABlankBeforeTheColonCount() {
	printf 'Return-Path : <old@x>\nDelivered-To : a@b\n\ntext\n' >message
	made M
	deliver -f s@x -r c@d M/ <message
	assertEquals 0 $?
	assertEquals 'brought one away' 0 "$(grep -c old@x M/new/*)"
	made M2
	deliver -f s@x -r a@b M2/ <message 2>/dev/null
	assertEquals 'a loop' 65 $?
	rm -rf M M2
}

testKilledWriterOfAKeptMboxLeavesTheMessage() {
	hand "hear say:c hear kill-writer hear say:k end" "hear s;hear v;hear v;end 0" box
	assertHolds box "$T/old.message" "$T/short"
	assertFalse "the dot lock is gone" "[ -e box.lock ]"
}

# The writer's pieces are the postmark, blocks of the message, and the end.
testWriterKilledAtAnyWriteLeavesTheMboxAsBefore() {
	local n writes
	head -c 200000 /dev/zero >message
	old_mbox box
	owner strace -f -o trace -e trace=write "$BIN/deliver" box <message
	writes=$(grep -c 'write(' trace)
	assertTrue "$writes writes" "[ $writes -ge 4 ]"
	for ((n = 1; n <= writes; n++)); do
		old_mbox box
		owner strace -f -o /dev/null -e trace=write -e "inject=write:signal=KILL:when=$n" \
			"$BIN/deliver" box <message 2>/dev/null
		assertEquals "killed at write $n" 75 $?
		assertUntouched box "$(state "$T/old")"
	done
}

testWriterKilledAtTheSyncLeavesTheMboxAsBefore() {
	old_mbox box
	rm -f trace
	# Only the writer's first fsync is long enough to be met; the guard's is held up too.
	owner strace -f -o trace -e trace=fsync -e inject=fsync:delay_enter=300000:when=1 \
		"$BIN/deliver" box <"$T/short" 2>err 7>&- 8>&- &
	DELIVER=$!
	wait_for grep -q 'fsync(' trace
	owner kill -KILL "$(sed -n 's/^\([0-9]*\) *fsync.*/\1/p' trace | head -n 1)"
	wait $DELIVER
	assertEquals 75 $?
	assertEquals "4.3.0 delivery was interrupted" "$(grep -v '^strace' err | head -n 1)"
	assertUntouched box "$(state "$T/old")"
}

# Once it has said that all is visible the word is the other end's, which may have told others to keep theirs.
testWriterUndoesWhenTheGuardIsKilled() {
	local boxes
	for boxes in box 'M/ box'; do
		# shellcheck disable=SC2086  # words are wanted
		{
			hand 'hear kill-guard hear end-writer look' "hear s;hear -;end-writer 75;$BEFORE" $boxes
			assertUntouched box "$(state "$T/old")"
			hand 'hear say:c hear kill-guard close end-writer look' \
				"hear s;hear v;end-writer 75;$BEFORE" $boxes
			assertUntouched box "$(state "$T/old")"
			hand 'hear say:c hear kill-guard say:k hear end-writer' 'hear s;hear v;hear d;end-writer 0' $boxes
			assertHolds box "$T/old.message" "$T/short"
		}
	done
}

testSignalToTheGroupLeavesTheMboxAsBefore() {
	local name
	for name in TERM INT HUP; do
		hand "hear signal:$name end look" "hear s;end 75;$BEFORE" box
		assertUntouched box "$(state "$T/old")"
		hand "hear say:c hear signal:$name hear close end look" \
			"hear s;hear v;hear v;end 75;$BEFORE" M/ box
		assertUntouched box "$(state "$T/old")"
	done
}

. shunit2
