#!/bin/bash
# 250 means it is in the mailbox; anything else, or nothing, means that it is in none.
# smtp-stdio and deliver together.  As root in a mount namespace of its own: what it mounts, ends with it.
if [ "$(id -u)" -eq 0 ] && [ -z "${DURABILITY_APART:-}" ]; then
	DURABILITY_APART=1 exec unshare -m --propagation private bash "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
# shellcheck source=deliver_lib.sh
. "$TOP/tests/deliver_lib.sh"

cp "$TOP"/tests/durability_*.py "$TOP/tests/converse.py" "$T/"
ROOT=$(id -u)
D=$T/d

# dialogue NAME ... -- one message, $T/message, for these.
dialogue() {
	local name
	printf 'EHLO client.test\r\nMAIL FROM:<sender@client.test>\r\n'
	for name in "$@"; do printf 'RCPT TO:<%s@mx.test>\r\n' "$name"; done
	printf 'DATA\r\n'
	crlf <"$T/message"
	printf '.\r\n'
}

# receive ARG ... -- smtp-stdio for alice and bob, each with a directory of that name; HELPER stands
# where deliver stands.
receive() {
	"$BIN/smtp-stdio" -C /dev/null -o "DeliverPath ${HELPER:-$BIN/deliver}" -o "Hostname mx.test" \
		-o "Users $D/%u" -o 'Postmaster postmaster' "$@"
}

# send "NAME ..." ARG ... -- a message for these; $T/replies is what the client read, and the reply
# after the dot is printed.
send() {
	local names=$1
	shift
	# shellcheck disable=SC2086  # words are wanted
	dialogue $names >"$T/asked"
	receive "$@" <"$T/asked" >"$T/replies" 2>"$T/log"
	tr -d '\r' <"$T/replies" | sed '1,/^354/d'
}

# assertReply WANT REPLY [WHAT] -- it begins so.
assertReply() {
	case $2 in
	"$1"*) ;;
	*) fail "${3:-}: want a reply $1, not: $2" ;;
	esac
}

# users KIND -- alice and bob with empty Maildirs, or an mbox with one message.
users() {
	local name
	rm -rf "$D"
	mkdir "$D"
	for name in alice bob; do
		mkdir "$D/$name"
		[ "$ROOT" -ne 0 ] || chown "$OWNER:$OWNER" "$D/$name"
		if [ "$1" = M/ ]; then made "$D/$name/M"; else old_mbox "$D/$name/box"; fi
	done
}

# assertClean WHAT -- no mailbox shows anything, and there is nothing in tmp either.
assertClean() {
	local name
	for name in alice bob; do
		[ ! -d "$D/$name/M" ] ||
			assertEquals "$1: new and cur of $name" "0 0" "$(files "$D/$name/M/new") $(files "$D/$name/M/cur")"
		[ ! -e "$D/$name/box" ] ||
			assertEquals "$1: mbox of $name" "$(state "$T/old")" "$(state "$D/$name/box")"
		[ ! -e "$D/$name/box.lock" ] || fail "$1: a dot lock of $name"
	done
	assertEquals "$1: files in tmp" 0 "$(find "$D" -path "$D/*/tmp/*" -type f | wc -l)"
}

# as_deliver LINE ... -- $T/helper is a script of these lines, to stand where deliver stands.
as_deliver() {
	{ echo '#!/bin/sh'; printf '%s\n' "$@"; } >"$T/helper.new"
	chmod 755 "$T/helper.new" && mv "$T/helper.new" "$T/helper"
}

setUp() {
	cd "$T" || exit 1
	printf 'Subject: text\n\nThe text.\n' >message
}

oneTimeTearDown() {
	leave
}

# ---- the order ----------------------------------------------------------------------------------

# order "NAME ..." ARG ... -- the steps of a delivery.  Only root may see what descriptors a process
# has that is not dumpable.
order() {
	local names=$1
	shift
	# shellcheck disable=SC2086  # words are wanted
	dialogue $names >asked
	strace -f -y -s 80 -o trace -e trace=write,fsync,syncfs,linkat "$BIN/smtp-stdio" -C /dev/null \
		-o "DeliverPath $BIN/deliver" -o "Hostname mx.test" -o "Users $D/%u" -o 'Postmaster postmaster' "$@" \
		<asked >replies 2>log
	"$PYTHON" durability_order.py trace "$D"
}

testMaildirFileThenDirectoryAreSyncedBefore250() {
	need_root || return 0
	users M/
	assertEquals "$(printf '%s\n' 'write alice/M/tmp/FILE' 'sync alice/M/tmp/FILE' \
		'link alice/M/new/FILE' 'sync alice/M/new' 'reply 250')" "$(order alice -o 'Mailbox M/')"
}

testNewMaildirIsSyncedWithAllAboveIt() {
	need_root || return 0
	users M/
	rm -r "$D/alice/M"
	assertEquals "$(printf '%s\n' 'syncfs alice/M' 'write alice/M/tmp/FILE' 'sync alice/M/tmp/FILE' \
		'link alice/M/new/FILE' 'sync alice/M/new' 'reply 250')" "$(order alice -o 'Mailbox M/')"
}

testMboxIsSyncedBefore250() {
	need_root || return 0
	users box
	assertEquals "$(printf '%s\n' 'write alice/box' 'sync alice/box' 'reply 250')" \
		"$(order alice -o 'Mailbox box')"
}

testNewMboxHasItsDirectorySyncedToo() {
	need_root || return 0
	users box
	rm "$D/alice/box"
	assertEquals "$(printf '%s\n' 'write alice/box' 'sync alice/box' 'sync alice' 'reply 250')" \
		"$(order alice -o 'Mailbox box')"
}

testBothMailboxesAreSyncedBefore250() {
	need_root || return 0
	users M/
	assertEquals "$(printf '%s\n' 'write alice/M/tmp/FILE' 'sync alice/M/tmp/FILE' \
		'write bob/M/tmp/FILE' 'sync bob/M/tmp/FILE' 'link alice/M/new/FILE' 'sync alice/M/new' \
		'link bob/M/new/FILE' 'sync bob/M/new' 'reply 250')" "$(order 'bob alice' -o 'Mailbox M/')"
	users box
	assertEquals "$(printf '%s\n' 'write alice/box' 'sync alice/box' 'write bob/box' \
		'sync bob/box' 'reply 250')" "$(order 'alice bob' -o 'Mailbox box')"
}

# ---- faults -------------------------------------------------------------------------------------

testMessageWithoutFaultsIsDelivered() {
	users M/
	assertReply "250 2.0.0 " "$(send 'alice bob' -o 'Mailbox M/')"
	assertFiles "0 1 0" "$D/alice/M"
	assertFiles "0 1 0" "$D/bob/M"
	users box
	assertReply "250 2.0.0 " "$(send 'alice bob' -o 'Mailbox box')"
	read_mbox "$D/alice/box" read
	assertEquals "messages" 2 "$(files read)"
}

# code ERROR -- the reply that a client is to read.
code() {
	if [ "$1" = EIO ]; then echo 451; else echo 452; fi
}

# fails_at MAILBOX CALL N ERROR -- a failure of that call means later, and nothing to be seen.
fails_at() {
	local what="$4 from $2 number $3"
	users "$1"
	as_deliver "exec $(failing "$2" "$4" "$3") $BIN/pliant \"\$@\""
	assertReply "$(code "$4") 4." "$(HELPER=$T/helper send alice -o "Mailbox $1")" "$what"
	assertClean "$what"
}

# sweep_test.sh has every call; this is what the client reads.
testTheReplyTellsWhatFailed() {
	local mailbox call error
	pliant_deliver
	for mailbox in M/ box; do
		for call in write fsync; do
			for error in ENOSPC EDQUOT EIO; do fails_at $mailbox $call 1 $error; done
		done
	done
}

# What a disk does, and a quota, see tests/torture/disk.
testFullFileSystemMeansLater() {
	need_root || return 0
	local fs mailbox
	head -c 300000 /dev/zero | base64 >message
	for fs in "tmpfs" "tmpfs without inodes"; do
		for mailbox in M/ box; do
			users none
			case $fs in
			tmpfs) mount -t tmpfs -o size=100k,mode=755 none "$D/alice" ;;
			tmpfs*)
				[ $mailbox = M/ ] || continue
				mount -t tmpfs -o nr_inodes=5,mode=755 none "$D/alice"
				;;
			esac
			chown "$OWNER:$OWNER" "$D/alice"
			if [ $mailbox = M/ ]; then made "$D/alice/M"; else old_mbox "$D/alice/box"; fi
			assertReply "452 4.3.1 " "$(send alice -o "Mailbox $mailbox")" "$fs, $mailbox"
			assertClean "$fs, $mailbox"
			umount "$D/alice"
		done
	done
}

testMailboxThatCannotBeUsedMeansLater() {
	local bad
	for bad in tmp new; do
		users M/
		owner chmod 500 "$D/alice/M/$bad"
		assertReply "451 4.2.0 " "$(send alice -o 'Mailbox M/')" "unwritable $bad"
		assertClean "unwritable $bad"
		owner chmod 700 "$D/alice/M/$bad"
	done
	users box
	owner chmod 400 "$D/alice/box"
	assertReply "451 4.2.0 " "$(send alice -o 'Mailbox box')" "unwritable mbox"
	assertClean "unwritable mbox"
}

testMissingMailboxIsMadeOnlyIfConfigured() {
	users none
	rm "$D"/*/box
	assertReply "451 4.2.0 " "$(send alice -o 'Mailbox M/' -o 'CreateMailbox no')"
	assertEquals "nothing was made" "" "$(ls "$D/alice")"
	assertReply "250 2.0.0 " "$(send alice -o 'Mailbox M/')"
	assertFiles "0 1 0" "$D/alice/M"
}

testHelperThatCannotRunMeansLater() {
	users M/
	assertReply "451 4.3.0 " "$(HELPER=/nowhere/deliver send alice -o 'Mailbox M/')"
	assertClean "not there"
	assertReply "451 4.3.0 " "$(HELPER=/nowhere/deliver send 'alice bob' -o 'Mailbox M/')"
	assertClean "not there, for two"
}

# Stopped when the message is written and, of an mbox, synced: at a call that its guard does not make.
# The tracer is in another session, so that what is ended is deliver itself.
testStoppedDeliverIsEndedAtItsTimeout() {
	local mailbox at begin
	for mailbox in M/ box; do
		users $mailbox
		at=fsync:signal=STOP:when=1
		[ $mailbox = M/ ] || at=recvfrom:signal=STOP:when=1
		as_deliver "case \$* in *' -x '*) exec $BIN/deliver \"\$@\" ;; esac" \
			"exec strace -DDD -f -o /dev/null -e inject=$at $BIN/deliver \"\$@\""
		begin=$SECONDS
		assertReply "451 4.3.0 " \
			"$(HELPER=$T/helper send alice -o "Mailbox $mailbox" -o 'DeliverTimeout 1')" $mailbox
		assertTrue "took $((SECONDS - begin)) s" "[ $((SECONDS - begin)) -le 5 ]"
		assertClean "stopped, $mailbox"
	done
}

# ---- several recipients ---------------------------------------------------------------------------

testOneRecipientThatFailsStopsTheOthers() {
	local bad name
	for name in alice bob; do
		for bad in 'chmod 500 tmp' 'chmod 500 new' 'rmdir tmp'; do
			users M/
			# shellcheck disable=SC2086  # words are wanted
			(cd "$D/$name/M" && owner $bad) || fail "$bad"
			assertReply "451 4." "$(send 'alice bob' -o 'Mailbox M/' -o 'CreateMailbox no')" "$name: $bad"
			assertClean "$name: $bad"
		done
		users box
		owner chmod 400 "$D/$name/box"
		assertReply "451 4.2.0 " "$(send 'alice bob' -o 'Mailbox box')" "$name: unwritable mbox"
		assertClean "$name: unwritable mbox"
	done
}

# ---- a client that goes away ------------------------------------------------------------------------

# gone HOW -- cut the dialogue everywhere; only the whole of it may deliver, and once.
gone() {
	local runs
	users M/
	dialogue alice >asked
	runs=$(($(stat -c %s asked) + 1))
	[ "$1" = eof ] || runs=$((runs - $(sed '/^DATA/q' asked | wc -c)))
	"$PYTHON" durability_client.py "$1" asked "$D/alice/M" "$BIN/smtp-stdio" -C /dev/null \
		-o "DeliverPath $BIN/deliver" -o "Hostname mx.test" -o "Users $D/%u" -o 'Postmaster postmaster' -o 'Mailbox M/' >told
	printf '1 at %d of %d\n%d runs\n' "$(stat -c %s asked)" "$(stat -c %s asked)" "$runs" >want
	assertEquals "what was delivered at which cut" "$(cat want)" "$(cat told)"
	assertFiles "0 1 0" "$D/alice/M"
	sed '1,/^$/d' "$D"/alice/M/new/* >body
	sed '1,/^$/d' message >want
	assertOctets want body
}

testClientThatEndsItsSideAnywhereDeliversOnlyTheWhole() {
	printf 'Subject: text\n\nA line.\n' >message
	gone eof
}

testClientThatClosesBehindDataDeliversOnlyTheWhole() {
	printf 'Subject: text\n\nA line.\n' >message
	gone close
}

testClientThatResetsBehindDataDeliversOnlyTheWhole() {
	printf 'Subject: text\n\nA line.\n\nAnother.\n' >message
	gone reset
}

# Two addresses whose directories are one: a copy for both, not one that waits for the other's lock.
testOneMailboxByTwoPathsGetsOneCopy() {
	local kind
	for kind in M/ box; do
		users $kind
		rm -rf "$D/bob"
		ln -s alice "$D/bob"
		assertReply "250 2.0.0 " "$(send "alice bob" -o "Mailbox $kind")" "$kind"
		if [ $kind = M/ ]; then
			assertEquals 1 "$(files "$D/alice/M/new")"
		else
			assertEquals 'the old one and this' 2 "$(grep -c '^From ' "$D/alice/box")"
		fi
	done
}

# The second fails for a reason of its own: that is what the client reads, not that the first was called off.
testTheReplyIsThatOfTheDeliveryThatFailed() {
	pliant_deliver
	users M/
	# shellcheck disable=SC2016  # for the helper's shell
	as_deliver 'case "$*" in' \
		"*alice*) exec $(failing linkat ENOSPC 1) $BIN/pliant \"\$@\" ;;" \
		"*) exec $BIN/deliver \"\$@\" ;;" 'esac'
	assertReply "452 4.3.1 " "$(HELPER=$T/helper send "alice bob" -o "Mailbox M/")"
	assertClean "both"
}

# A disk that hangs longer than anybody waits: deliver is left to itself, and undoes what it did when
# the call returns.
testADiskThatHangsMeansLaterAndNothingWhenItReturns() {
	users M/
	mkdir -m 777 "$T/anybody"
	as_deliver "echo \$\$ >$T/anybody/pid" \
		"exec strace -f -o /dev/null -e inject=fsync:delay_exit=13000000:when=2 $BIN/deliver \"\$@\""
	assertReply "451 4.3.0 " "$(HELPER=$T/helper send alice -o "Mailbox M/" -o "DeliverTimeout 1s")"
	assertTrue "it is still at work" "kill -0 $(cat "$T/anybody/pid")"
	assertEquals "and visible" 1 "$(files "$D/alice/M/new")"
	wait_for gone_away "$(cat "$T/anybody/pid")"
	assertClean "afterwards"
}
gone_away() {
	! kill -0 "$1"
}

# Everything said by a pipe, and gone without a word read.
testAClientThatSaysAllAndGoesIsHeardOut() {
	users M/
	dialogue alice >"$T/asked"
	mkfifo "$T/closed"
	# shellcheck disable=SC2094  # opened both ways, so that opening it to write finds a reader
	exec 8<>"$T/closed" 7>"$T/closed" 8>&- # a pipe that nobody reads any more
	timeout 20 "$BIN/smtp-stdio" -C /dev/null -o "DeliverPath $BIN/deliver" -o "Users $D/%u" \
		-o 'Postmaster postmaster' -o "Domain mx.test" -o "Mailbox M/" <"$T/asked" 2>"$T/log" >&7
	exec 7>&-
	assertEquals 1 "$(files "$D/alice/M/new")"
}

. shunit2
