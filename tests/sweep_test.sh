#!/bin/bash
# sweep_test.sh -- a message for three, with one fault at each step of its delivery in turn: a system call
# that fails, a process that is killed, a disk that is full, a client that goes away.  Each time all three
# have it and the client read 250, or none has it and the client read anything else: sweep_lib.sh, judge.
#
# This is the short form of torture/calls: two faults where that has all, from the start of the message on.
# shellcheck source-path=SCRIPTDIR
if [ "$(id -u)" -eq 0 ] && [ -z "${SWEEP_APART:-}" ]; then
	SWEEP_APART=1 exec unshare -m --propagation private bash "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
# shellcheck source=sweep_lib.sh
. "$TOP/tests/sweep_lib.sh"

oneTimeSetUp() {
	! can_sweep >/dev/null || sweep_begin || fail "nothing to sweep with"
}
setUp() {
	! can_sweep >/dev/null || sweep_in "$T/work" M/ box M/ || fail "no place to work in"
}
tearDown() {
	[ ! -d "$T/work" ] || sweep_out # shunit2 calls this once more at its end
}

# undisturbed -- a delivery without a fault; $T/points is what it does from the start of the message on, but
# for the start of a program and its jail, of which jail_test.sh has every step.
undisturbed() {
	listed "$T/all"
	judge - - - -
	assertEquals "$VERDICT; $(cat "$W/log")" '250 missed' "$REPLY $VERDICT"
	{ [ -n "$FIRST" ] || sed '1,/^0 memfd_create/d'; cat; } <"$T/all" | grep -Ev ' (execve|brk|mmap|arch_prctl|set_tid_address|rt_sig[a-z]*|prctl|prlimit64|capset|get[a-z]*id|set[a-z]*id|setgroups|umask|uname|seccomp|landlock_[a-z_]*|setitimer|dup2|close_range|exit_group) ' >"$T/points"
}

# two_faults -- of each point on standard input: an error, and death.
two_faults() {
	local process call number
	while read -r process call number; do
		faults_of "$call"
		[ "${FAULTS[0]}" = KILL ] || echo "$process $call $number ${FAULTS[0]%% *}"
		echo "$process $call $number KILL"
	done
}

# swept WHAT DELIVERED REFUSED -- with the faults on standard input: there are as many of each at least, and no
# violation.  What README excepts is counted and printed.
swept() {
	local word
	local -A came=([delivered]=0 [refused]=0 [excepted]=0 [missed]=0)
	sweep >"$T/verdicts"
	while read -r _ _ _ _ word _; do came[$word]=$((${came[$word]:-0} + 1)); done <"$T/verdicts"
	echo "$1: $(wc -l <"$T/verdicts") faults: ${came[delivered]} delivered, ${came[refused]} not, ${came[excepted]} excepted"
	assertEquals "$1" '' "$(grep ' VIOLATION ' "$T/verdicts")"
	assertTrue "$1: faults are seen" "[ ${came[delivered]} -ge $2 -a ${came[refused]} -ge $3 ]"
}

testEachStepOfADelivery() {
	can_sweep || return 0
	undisturbed
	swept 'each step' 100 200 < <(two_faults <"$T/points")
}

# For whom there is nobody to wait.
testEachStepOfADeliveryToOne() {
	can_sweep || return 0
	local kind
	for kind in M/ box; do
		sweep_out
		sweep_in "$T/work" $kind
		undisturbed
		swept "each step, $kind" 30 60 < <(two_faults <"$T/points"
			deaths "$T/all" | grep -E '^0 (sendto|poll) |^0.2(.1)? (fsync|linkat|ppoll|write) ')
	done
}

# By the deliver that has delivered one.
testEachStepOfADeliveryOfAnotherMessage() {
	can_sweep || return 0
	local FIRST=yes
	sweep_out
	sweep_in "$T/work" M/
	undisturbed
	assertEquals "by one deliver" '0.2 fsync 3;0.2 fsync 4' "$(grep -E '^0[.]([^1].* fsync|[3-9])' "$T/points" | paste -sd ';')"
	swept 'each step of another message' 30 30 < <(two_faults <"$T/points"
		deaths "$T/all" | grep -E '^0 (sendto|sendmsg|poll) |^0.2 (fsync|linkat|ppoll|write) ')
}

# The deliver waits, 10 s at most, until the monitor has called it off.
testASessionThatDiesBesideOneDeliver() {
	can_sweep || return 0
	local kind
	printf '%s\n' '#!/usr/bin/python3' 'import os, select, sys' 'hand = select.poll()' \
		'hand.register(3, select.POLLRDHUP)' 'hand.poll(10000)' "os.execv('$BIN/deliver', sys.argv)" >"$T/helper"
	chmod 755 "$T/helper"
	for kind in M/ box; do
		sweep_out
		sweep_in "$T/work" $kind
		"$BIN/smtp-stdio" -C "$W/conf" -o "DeliverPath $T/helper" -o "DeliverTimeout 60s" <"$W/asked" >"$W/replies" 2>"$W/log" &
		wait_for pgrep -f "python3 $T/helper"
		pkill -KILL -P $! -U nobody || fail "no session"
		wait $!
		echo missed 0 0 0 ended >"$W/came"
		judge - - - -
		assertEquals "$kind: $VERDICT" missed "$VERDICT"
		assertNotEquals "$kind" 250 "$REPLY"
	done
}

# Whoever dies while the monitor says a word: the session, a deliver, a guard, a writer.
testEachDeathBesideAWord() {
	can_sweep || return 0
	undisturbed
	swept 'each death' 10 10 < <(deaths "$T/all" | grep '^0 sendto ')
}

# From the command's start to the end of the first deliver.  It has taken the message when what comes behind
# it fails: README excepts it, not the mailboxes.
testEachStepBesideACommand() {
	can_sweep || return 0
	install -d -o daemon "$W/taken"
	echo "list: \"|cat >$W/taken/message\"" >>"$W/aliases"
	TO+=(list)
	dialogue "${TO[@]}" >"$W/asked"
	undisturbed
	assertEquals "and it has run" "$BODY" "$(sed '1,/^$/d' "$W/taken/message")"$'\n'
	sed '1,/^0 vfork 3$/d;/^0 wait4 2$/,$d' "$T/points" | grep '^0 ' >"$T/some"
	swept 'beside a command' 10 20 < <(two_faults <"$T/some")
}

testAFullDisk() {
	can_sweep || return 0
	local i size dir n short=$BODY
	for i in 0 1 2; do
		dir=$W/d/${NAMES[i]}
		# Not even a name, or not the whole message.
		for size in nr_inodes=7 size=200k; do
			mount -t tmpfs -o "$size" none "$dir"
			mailbox "$i" >/dev/null
			if [ $size = size=200k ]; then
				BODY=$(head -c 300000 /dev/zero | base64)$'\n'
			else
				n=1
				while : >"$dir/$n"; do n=$((n + 1)); done 2>/dev/null
			fi
			dialogue "${TO[@]}" >"$W/asked"
			listed "$T/all"
			judge - - - -
			assertEquals "${NAMES[i]}, $size: $VERDICT; $(cat "$W/log")" '452 missed' "$REPLY $VERDICT"
			umount "$dir"
			BODY=$short
		done
	done
}

# The client goes away before the end: nobody has it.
testAClientThatIsGoneBeforeTheEnd() {
	can_sweep || return 0
	local whole at
	sed -i '/^QUIT/d' "$W/asked"
	whole=$(stat -c %s "$W/asked")
	echo missed 0 0 0 ended >"$W/came"
	for ((at = whole - 1; at > whole - 60; at -= 3)); do
		head -c $at "$W/asked" | timeout -k 1 20 "$BIN/smtp-stdio" -C "$W/conf" >"$W/replies" 2>"$W/log"
		judge - - - -
		assertEquals "gone at $at of $whole: $VERDICT" ' missed' "$REPLY $VERDICT"
	done
}

# shellcheck source=/dev/null
. shunit2
