#!/bin/bash
# sweep_test.sh -- a message for three, with one fault at each step of its delivery in turn: a system call
# that fails, a process that is killed, a disk that is full, a client or a session that goes away.
# Each time all three have it and the client read 250, or none has it and the client read anything else.
#
# What README excepts is counted and printed: a process that dies when the word to keep it has been given.
# shellcheck source-path=SCRIPTDIR
if [ "$(id -u)" -eq 0 ] && [ -z "${SWEEP_APART:-}" ]; then
	SWEEP_APART=1 exec unshare -m --propagation private bash "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
# shellcheck source=deliver_lib.sh
. "$TOP/tests/deliver_lib.sh"

D=$T/d
NAMES=(alice bob carol)
declare -A BOX=([alice]=M/ [bob]=box [carol]=M/)
printf 'Subject: a fault\n\nThe text.\nMore of it.\n' >"$T/message"
sed '1,/^$/d' "$T/message" >"$T/body"

# The lists are files named by aliases: three mailboxes of three owners, of two kinds.
for name in "${NAMES[@]}"; do echo "$name: $D/$name/${BOX[$name]}"; done >"$T/aliases"
echo "list: \"|cat >$T/taken/message\"" >>"$T/aliases"
cat >"$T/conf" <<END
Hostname mx.test
Domain mx.test
Users $T/users/%u
Aliases $T/aliases
ForwardUser daemon
Postmaster alice
DeliverTimeout 5s
CommandTimeout 1s
END

# dialogue NAME ... -- the message, for these.
dialogue() {
	printf 'EHLO client.test\r\nMAIL FROM:<sender@client.test>\r\n'
	printf 'RCPT TO:<%s@mx.test>\r\n' "$@"
	printf 'DATA\r\n'
	crlf <"$T/message"
	printf '.\r\n'
}

# The mailboxes anew: each with an old message.
mailboxes() {
	local name n=2100 OWNER
	rm -rf "$D" "$T/taken"
	mkdir "$D"
	install -d -o daemon "$T/taken"
	for name in "${NAMES[@]}"; do
		n=$((n + 1))
		OWNER=$n
		install -d -o $n -g $n "$D/$name"
		if [ "${BOX[$name]}" = box ]; then
			old_mbox "$D/$name/box"
		else
			made "$D/$name/M"
			echo new >"$D/$name/M/new/1.old"
			echo cur >"$D/$name/M/cur/2.old:2,S"
		fi
	done
}

# held NAME -- 0: the mailbox is to the octet what it was; 1: and behind that has the message, once; or
# what else it is.
held() {
	local box=$D/$1/${BOX[$1]} found
	if [ "${BOX[$1]}" = box ]; then
		cmp -s "$T/old" "$box" && { echo 0; return; }
		head -c "$(stat -c %s "$T/old")" "$box" | cmp -s "$T/old" - || { echo "the old message changed"; return; }
		tail -c +$(($(stat -c %s "$T/old") + 1)) "$box" >"$T/found"
		{ sed '1,/^$/d' "$T/found" | cmp -s <(cat "$T/body"; echo) -; } || { echo "an unknown message"; return; }
		echo 1
		return
	fi
	found=("$box"cur/*)
	[ "${found[*]}:$(<"${box}cur/2.old:2,S")" = "${box}cur/2.old:2,S:cur" ] || { echo "cur/ is changed"; return; }
	found=("$box"new/*)
	[ "$(<"${box}new/1.old")" = new ] || { echo "new/ is changed"; return; }
	[ ${#found[@]} -gt 1 ] || { echo 0; return; }
	[ ${#found[@]} -eq 2 ] || { echo "${#found[@]} messages"; return; }
	sed '1,/^$/d' "${found[1]}" | cmp -s "$T/body" - || { echo "an unknown message"; return; }
	echo 1
}

# idle -- no deliver of this suite is at work.
idle() {
	! pgrep -f "^($BIN/|strace .*$BIN/)" >/dev/null
}

# judge WHAT [EXCEPTION] -- what the client read and what the mailboxes hold agree; and they are made anew
# if they hold anything.  EXCEPTION: states that may stand beside another reply than they should.
judge() {
	local reply
	reply=$(tr -d '\r' <"$T/replies" | sed '1,/^354/d' | head -n 1)
	STATE="$(held alice) $(held bob) $(held carol)"
	case "${reply:0:3} $STATE" in
	"250 1 1 1") DONE=$((DONE + 1)) ;;
	[45]??" 0 0 0" | " 0 0 0") LATER=$((LATER + 1)) ;;
	*)
		# shellcheck disable=SC2053  # a pattern
		if [[ $STATE == ${2:-} && ${reply:0:3} != 250 ]]; then
			EXCEPTED=$((EXCEPTED + 1))
		else
			fail "$1: the client read \"$reply\", and the mailboxes hold: $STATE; $(tail -n 3 "$T/log")"
		fi
		;;
	esac
	# What cannot be removed goes stale; and where both processes are killed nobody can.
	[[ ! -e $D/bob/box.lock || $1 == *" unlinkat "* || -n ${2:-} ]] || fail "$1: a dot lock stays"
	[[ $STATE == "0 0 0" && ! -e $D/bob/box.lock ]] || mailboxes
}

# counted NAME -- how often what came out.
counted() {
	echo "$1: $((DONE + LATER + EXCEPTED)) faults: $DONE delivered, $LATER not, $EXCEPTED excepted"
	assertTrue "$1: faults are seen" "[ $DONE -gt 0 -a $LATER -gt 5 ]"
}

setUp() {
	DONE=0 LATER=0 EXCEPTED=0
	mailboxes
	dialogue "${NAMES[@]}" >"$T/asked"
}

# monitored "STRACE ARGUMENTS" -- smtp-stdio, of which the monitor alone is traced.
monitored() {
	local begin=$SECONDS
	# bash tells of a child that is killed.
	# shellcheck disable=SC2086  # words are wanted
	{ timeout -k 1 20 strace -o "$T/trace" $1 "$BIN/smtp-stdio" -C "$T/conf" -o "DeliverPath ${HELPER:-$BIN/deliver}" \
		<"$T/asked" >"$T/replies" 2>"$T/log"; } 2>/dev/null || :
	[ $((SECONDS - begin)) -lt 15 ] || fail "$1: it came to no end"
}

# numbered FILE -- each call of a trace of one process as "NAME NUMBER", its number among those of that name.
numbered() {
	awk -F '[(]' '/^[a-z0-9_]+\(/ { print $1, ++n[$1] }' "$1"
}

# position PATTERN FILE -- the lines of a trace where calls like that stand, calls alone counted.
position() {
	grep '^[a-z0-9_]*(' "$2" | grep -n "$1" | cut -d: -f1
}

# Its steps from the end of the message on; KEEP is the first that gives the word.
steps_of_the_monitor() {
	local first words
	monitored ''
	assertEquals "all are taken" 0 "$(grep -c '^[45]' "$T/replies")"
	judge 'no fault'
	first=$(position '^recvfrom(3, "E"' "$T/trace")
	words=$(position '^sendto([0-9]*, "k"' "$T/trace")
	numbered "$T/trace" | tail -n +$((first + 1)) | grep -v '^exit' >"$T/steps"
	KEEP=$((${words%%$'\n'*} - first))
	assertTrue "steps up to the keeping: $KEEP of $(wc -l <"$T/steps")" "[ $KEEP -gt 40 ]"
}

# said_keep -- to how many mailboxes the traced monitor has said that they may keep their copy; what comes
# when differs from run to run.
said_keep() {
	grep -c '^sendto([0-9]*, "k"' "$T/trace"
}

# swept WHAT FIRST LAST -- each of these steps from there to there fails, and at each the monitor is killed.
swept() {
	local call number n=0 all one kept
	while read -r call number; do
		n=$((n + 1)) all='' one=''
		[[ $n -ge $2 && $n -le $3 ]] || continue
		monitored "-e trace=$call,sendto -e inject=$call:error=EIO:when=$number"
		[ "$(said_keep)" -eq 0 ] || all='1 1 1'
		judge "$1: EIO from $call $number" "$all"
		monitored "-e trace=$call,sendto -e inject=$call:signal=KILL:when=$number"
		wait_for idle
		kept=$(said_keep)
		[ "$kept" -eq 0 ] || one='[01] [01] [01]'
		[[ $kept -lt ${#NAMES[@]} || $call = sendto ]] || one='1 1 1'
		judge "$1: killed at $call $number" "$one"
	done <"$T/steps"
	counted "$1"
}

testEachStepOfTheMonitor() {
	need_root || return 0
	local n
	steps_of_the_monitor
	for n in 1 2 3 4 5; do # before the end of the message
		monitored "-e trace=recvfrom -e inject=recvfrom:error=EIO:when=$n"
		judge "the monitor: EIO from recvfrom $n"
	done
	swept 'the monitor' 1 "$(wc -l <"$T/steps")"
}

# From its start to the keeping.  It has taken the message when what comes behind it fails: README excepts
# it, not the mailboxes.
testEachStepOfTheMonitorBesideACommand() {
	need_root || return 0
	dialogue "${NAMES[@]}" list >"$T/asked"
	steps_of_the_monitor
	swept 'the monitor, beside a command' "$(grep -n '^vfork' "$T/steps" | sed -n 4s/:.*//p)" "$KEEP"
	monitored ''
	assertEquals "and it has run" "$(cat "$T/body")" "$(sed '1,/^$/d' "$T/taken/message")"
}

# of_the_helper NAME "STRACE ARGUMENTS" -- deliver for NAME is traced, with its guard or writer.
of_the_helper() {
	{
		echo '#!/bin/sh'
		# What takes a copy back is another run.
		echo "case \$* in *' -x '*) ;; *$D/$1/*) exec strace -f -o $T/anybody/trace $2 $BIN/pliant \"\$@\" ;; esac"
		echo "exec $BIN/deliver \"\$@\""
	} >"$T/helper.new"
	chmod 755 "$T/helper.new" && mv "$T/helper.new" "$T/helper"
	rm -f "$T/anybody/trace"
	timeout -k 1 20 "$BIN/smtp-stdio" -C "$T/conf" -o "DeliverPath $T/helper" <"$T/asked" >"$T/replies" 2>"$T/log"
}

# Its calls, but those of a program's start and of its jail.
steps_of_the_helper() {
	of_the_helper "$1" ''
	judge 'no fault'
	# Each call as often as the process does it that does it most often.
	awk '$2 ~ /^[a-z0-9_]+\(/ { sub(/\(.*/, "", $2); n[$1, $2]++; if (n[$1, $2] > most[$2]) { most[$2] = n[$1, $2]; print $2, most[$2] } }' \
		"$T/anybody/trace" | grep -Ev '^(execve|exit_group|brk|mmap|arch_prctl|set_tid_address|rt_sig[a-z]*|prctl|prlimit64|cap[sg]et|gete?[ug]id|seccomp|landlock_[a-z_]*) ' >"$T/steps"
}

testEachStepOfEachDeliver() {
	need_root || return 0
	local name call number both one fault
	local -A FAULTS=([alice]=error=EIO:syscall=getpid [bob]=error=ENOSPC:syscall=getpid [carol]='')
	pliant_deliver
	install -d -m 777 "$T/anybody"
	for name in "${NAMES[@]}"; do
		DONE=0 LATER=0 EXCEPTED=0
		steps_of_the_helper "$name"
		while read -r call number; do
			for fault in ${FAULTS[$name]} signal=KILL; do
				of_the_helper "$name" "-e trace=$call -e inject=$call:$fault:when=$number"
				# Both processes of an mbox delivery, at the same call: that is two faults.
				both='' one="$(grep -cE 'INJECTED|killed by SIGKILL' "$T/anybody/trace")"
				[ "$one" -lt 2 ] || [ "$name" != bob ] || both='0 *'
				judge "$name: $fault at $call $number" "$both"
			done
		done <"$T/steps"
		counted "deliver for $name"
	done
}

testAFullDisk() {
	need_root || return 0
	local name size
	cp "$T/message" "$T/small"
	head -c 300000 /dev/zero | base64 >>"$T/message"
	dialogue "${NAMES[@]}" >"$T/asked"
	sed '1,/^$/d' "$T/message" >"$T/body"
	for name in "${NAMES[@]}"; do
		# Not even a name, or not the whole message.
		for size in nr_inodes=7 size=200k; do
			mount -t tmpfs -o "$size,mode=755" none "$D/$name"
			chown "$(id_of "$name")" "$D/$name"
			# shellcheck disable=SC2034  # made() is of deliver_lib.sh
			OWNER=$(id_of "$name")
			if [ "${BOX[$name]}" = box ]; then
				old_mbox "$D/$name/box"
				[ $size != nr_inodes=7 ] || touch "$D/$name"/{1,2,3,4,5,6}
			else
				made "$D/$name/M"
				echo new >"$D/$name/M/new/1.old"
				echo cur >"$D/$name/M/cur/2.old:2,S"
			fi 2>"$T/made"
			smtp_once
			assertEquals "$name, $size: $(cat "$T/log")" 452 "$(tr -d '\r' <"$T/replies" | sed '1,/^354/d' | cut -c1-3)"
			judge "$name: $size"
			umount "$D/$name"
		done
	done
	assertEquals 6 "$LATER"
	cp "$T/small" "$T/message"
	sed '1,/^$/d' "$T/message" >"$T/body"
}
id_of() {
	case $1 in alice) echo 2101 ;; bob) echo 2102 ;; carol) echo 2103 ;; esac
}
smtp_once() {
	timeout -k 1 20 "$BIN/smtp-stdio" -C "$T/conf" -o "DeliverPath ${HELPER:-$BIN/deliver}" \
		<"$T/asked" >"$T/replies" 2>"$T/log"
}

# The client goes away before the end: nobody has it.
testAClientThatIsGoneBeforeTheEnd() {
	need_root || return 0
	local whole at
	whole=$(stat -c %s "$T/asked")
	cp "$T/asked" "$T/all"
	for ((at = whole - 1; at > whole - 60; at -= 3)); do
		head -c $at "$T/all" >"$T/asked"
		smtp_once
		judge "gone at $at of $whole"
	done
	assertEquals 20 "$LATER"
}

# The session is killed while the first, the second and the third deliver is at work: nobody has it.
testASessionThatIsKilled() {
	need_root || return 0
	local name
	for name in "${NAMES[@]}"; do
		{
			echo '#!/bin/sh'
			echo "case \$* in *$D/$name/*) until [ -e $T/killed ]; do sleep 0.01; done ;; esac"
			echo "exec $BIN/deliver \"\$@\""
		} >"$T/helper"
		chmod 755 "$T/helper"
		rm -f "$T/killed"
		HELPER=$T/helper smtp_once &
		wait_for waits "$name"
		kill -KILL "$(pgrep -U nobody -f "^$BIN/smtp-stdio -C $T/conf")" || fail "no session"
		: >"$T/killed"
		wait $!
		judge "killed beside $name"
	done
	assertEquals 3 "$LATER"
}
waits() {
	pgrep -f "^/bin/sh $T/helper .*$D/$1/"
}

# shellcheck source=/dev/null
. shunit2
