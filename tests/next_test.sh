#!/bin/bash
# next_test.sh -- a deliver that waits for another message of the connection: whom it serves, when it goes, and what
# becomes of a message when it is killed, stopped or gone.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
cp "$TOP/tests/next_client.py" "$TOP/tests/converse.py" "$T/"

setUp() {
	user_directories alice bob
	mailboxes alice/M alice/M/.sub bob/M
}

# mailboxes DIR ... -- Maildirs below $T/users.
mailboxes() {
	local dir
	for dir; do
		mkdir "$T/users/$dir" "$T/users/$dir"/{tmp,new,cur}
		[ "$(id -u)" -ne 0 ] || chown -R --reference="$T/users/${dir%%/*}" "$T/users/$dir"
	done
}

# says STEPS WANT [ARG ...] -- what the client saw; ";" for the ends of its lines.
says() {
	local steps=$1 want=$2
	shift 2
	assertEquals "$steps" "$want" "$(cd "$T" && python3 next_client.py "$steps" "$BIN/smtp-stdio" -C /dev/null \
		-o 'Hostname mx.test' -o "DeliverPath ${DELIVER:-$BIN/deliver}" -o "Users $T/users/%u" -o "Mailbox ${MAILBOX:-M/}" \
		-o 'Postmaster alice' "$@" 2>"$T/log" | paste -sd ';')"
}

# holds DIR "N ..." -- the Maildir holds those messages, whole, with the right names on top, and nothing else.
holds() {
	local n file
	assertEquals "$1: tmp" '' "$(ls "$T/users/$1/tmp")"
	assertEquals "$1" "$2" "$(cat "$T/users/$1/new/"* 2>/dev/null | sed -n 's/^Subject: //p' | sort -n | paste -sd ' ')"
	for n in $2; do
		file=$(grep -l "^Subject: $n$" "$T/users/$1/new/"*)
		assertEquals "$1: $n" "Return-Path: <s$n@client.test>;Delivered-To: ${1%%/*}@mx.test;Subject: $n;;Text $n." \
			"$(sed '/^Received:/d;/^\t/d' "$file" | paste -sd ';')"
	done
}

testOneServesOneMailbox() {
	says 'to:alice who to:alice who to:alice who quit' 'to:alice 250;who A;to:alice 250;who A;to:alice 250;who A;quit 0'
	holds alice/M '1 2 3'
	assertEquals "names" 3 "$(cd "$T/users/alice/M/new" && printf '%s\n' * | sort -u | wc -l)"
}

testAnotherMailboxHasAnotherOne() {
	says 'to:alice who to:bob who to:alice who to:alice,bob who to:bob who quit' \
		'to:alice 250;who A;to:bob 250;who B;to:alice 250;who C;to:alice,bob 250;who -;to:bob 250;who D;quit 0'
	assertEquals "alice" 3 "$(files "$T/users/alice/M/new")"
	assertEquals "bob" 3 "$(files "$T/users/bob/M/new")"
}

testAFolderIsAnotherMailbox() {
	says 'to:alice who to:alice+sub who to:alice+sub who to:alice who quit' \
		'to:alice 250;who A;to:alice+sub 250;who B;to:alice+sub 250;who B;to:alice 250;who C;quit 0'
	assertEquals "the folder" '2 3' "$(cat "$T/users/alice/M/.sub/new/"* | sed -n 's/^Subject: //p' | sort | paste -sd ' ')"
	holds alice/M '1 4'
}

# By LMTP each recipient is a delivery.
testByLmtpToo() {
	says 'to:alice who to:alice who to:bob who quit' 'to:alice 250;who A;to:alice 250;who A;to:bob 250;who B;quit 0' -l
}

# Whoever keeps a lock, or has a quota to see to, waits for nobody.
testOthersDoNotWait() {
	MAILBOX=box says 'to:alice who quit' 'to:alice 250;who -;quit 0'
	printf '100000S\n0 0\n' >"$T/users/alice/M/maildirsize"
	[ "$(id -u)" -ne 0 ] || chown --reference="$T/users/alice" "$T/users/alice/M/maildirsize"
	says 'to:alice who to:alice who quit' 'to:alice 250;who -;to:alice 250;who -;quit 0'
}

testItGoesAfterItsTimeAlthoughTheClientStays() {
	says 'to:alice who gone to:alice who quit' 'to:alice 250;who A;gone;to:alice 250;who B;quit 0'
}

# It opened the mailbox when it started: so however busy, it is soon replaced by one that looks again.
testABusyOneIsReplacedToo() {
	says 'to:alice who to-other:alice who quit' 'to:alice 250;who A;to-other:alice 250;who B;quit 0' \
		-o 'MessageLimit 999999'
}

# More recipients than a packet tells of are told on a command line, of another.
testMoreRecipientsThanAPacketHolds() {
	local n names
	for n in {1..80}; do printf '%064d\n' "$n"; done >"$T/names"
	names=$(paste -sd , "$T/names")
	sed "s|$|: $T/users/alice/M/|" "$T/names" >"$T/aliases"
	says "to:alice who to:$names who to:$names who quit" "to:alice 250;who A;to:$names 250;who B;to:$names 250;who C;quit 0" \
		-o "Aliases $T/aliases"
	assertEquals 160 "$(cat "$T/users/alice/M/new/"* | grep -c '^Delivered-To: 0')"
}

testKilledWhileItWaitsIsReplaced() {
	says 'to:alice who kill dead to:alice who quit' 'to:alice 250;who A;kill;dead;to:alice 250;who B;quit 0'
	holds alice/M '1 2'
}

testKilledAtWorkMeansLaterAndTheNextIsDelivered() {
	need_root || return 0
	[ "$(uname -m)" = x86_64 ] || { skip "the number of poll(2) is that of x86-64"; return 0; }
	says 'to:alice stop stopped begin:alice at-work kill reply to:alice quit' \
		'to:alice 250;stop;stopped;begin:alice;at-work;kill;reply 451;to:alice 250;quit 0'
	holds alice/M '1 3'
}

# What it cannot take in it has not taken.
testAMessageThatDoesNotReachItMeansLater() {
	says 'to:alice no-room to:alice who to:alice quit' 'to:alice 250;no-room;to:alice 451;who -;to:alice 250;quit 0'
	holds alice/M '1 3'
}

# Nobody waits for one that is stopped, or reads nothing: neither another mailbox's message nor the end.
testStoppedWhileItWaitsHoldsUpNobody() {
	local begin=$SECONDS
	says 'to:alice stop stopped to:bob stop stopped quit' 'to:alice 250;stop;stopped;to:bob 250;stop;stopped;quit 0' \
		-o 'DeliverTimeout 2'
	assertTrue "took $((SECONDS - begin)) s" "[ $((SECONDS - begin)) -lt 4 ]"
}

testOneThatNeverReadsIsReplaced() {
	mkdir -p "$T/taken-over"
	printf '%s\n' '#!/usr/bin/python3' 'import os, signal' 'for _ in range(1000): os.write(3, b"w")' 'signal.pause()' \
		>"$T/taken-over/deliver"
	chmod 755 "$T/taken-over/deliver"
	DELIVER=$T/taken-over/deliver says 'to:alice to-other:alice quit' 'to:alice 250;to-other:alice 250;quit 0'
}

# An mbox's guard; its writer undoes the work.
testKilledAtAnMboxMeansLater() {
	: >"$T/users/alice/box.lock"
	MAILBOX=box MEANWHILE="rm $T/users/alice/box.lock" says 'begin:alice run:1 kill meanwhile reply to:alice quit' \
		'begin:alice;run:1;kill;meanwhile;reply 451;to:alice 250;quit 0'
	assertEquals 1 "$(grep -c '^From ' "$T/users/alice/box")"
}

testStoppedAtWorkIsLateAndTakesNothing() {
	says 'to:alice stop stopped begin:alice reply to:alice quit' \
		'to:alice 250;stop;stopped;begin:alice;reply 451;to:alice 250;quit 0' -o 'DeliverTimeout 1'
	holds alice/M '1 3'
}

# A session that has died tells its client nothing: the client sends the message again.
testTheMessageOfADeadSessionIsTakenBack() {
	says 'to:alice stop stopped begin:alice kill-session reply' 'to:alice 250;stop;stopped;begin:alice;kill-session;reply 421'
	holds alice/M 1
}

testWhatIsWrongWithAMessageIsItsOwnReply() {
	MEANWHILE="rm -r $T/users/alice/M/tmp" says 'to:alice meanwhile to:alice who quit' \
		'to:alice 250;meanwhile;to:alice 451;who -;quit 0'
	assertEquals 1 "$(files "$T/users/alice/M/new")"
	assertContains "$(cat "$T/log")" 'reply="4.'
}

# With several (in one directory: in the order of their names) there is no next message, but a deliver may be killed as
# well: the one that has staged, while the other waits for a lock.  Another run takes its copy back.
testKilledBesideAnotherMeansLaterForBoth() {
	printf 'alice: %s\nbob: %s\n' "$T/users/alice/M/" "$T/users/alice/box" >"$T/aliases"
	: >"$T/users/alice/box.lock"
	MEANWHILE="rm $T/users/alice/box.lock" says 'begin:alice,bob run:2 kill-first meanwhile reply who to:alice,bob quit' \
		'begin:alice,bob;run:2;kill-first;meanwhile;reply 451;who -;to:alice,bob 250;quit 0' -o "Aliases $T/aliases"
	assertEquals "alice" 1 "$(files "$T/users/alice/M/new")"
	assertEquals "alice: tmp" 0 "$(files "$T/users/alice/M/tmp")"
	assertEquals "bob" 1 "$(grep -c '^From ' "$T/users/alice/box")"
}

. shunit2
