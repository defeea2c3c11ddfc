# sweep_lib.sh -- a delivery with one fault in it, and what came of it: for sweep_test.sh, which has few
# faults for every day, and torture/calls, which has all of them.  Sourced after lib.sh, as root, in a
# mount namespace of its own.
#
# A point is "PROCESS CALL NUMBER", as onefault.c names it.
# shellcheck shell=bash disable=SC2034  # some are for who sources it

# can_sweep || return 0 -- skip a test where it cannot be done.
can_sweep() {
	need_root || return 1
	[ "$(uname -m)" = x86_64 ] || { skip "onefault.c has the registers of x86-64 only"; return 1; }
}

# sweep_begin -- once.  A session that is killed at its start leaves its empty root in /dev/shm.
sweep_begin() {
	cc -D_GNU_SOURCE -std=c11 -O1 -o "$T/onefault" "$TOP"/tests/{onefault,lockstep}.c -lseccomp &&
		mount -t tmpfs -o mode=1777 none /dev/shm
}

NAMES=(alice bob carol)
OLD_MBOX=$'From old Thu Jan  1 00:00:00 1970\nSubject: old\n\nold\n\n'
QUOTA=$'100000S\n8 2\n' # the two old messages
BODY=$'The text.\nMore of it.\n'

# What each call of ours may fail with: of ENOSPC, EIO, EDQUOT, EINTR, EMFILE, ENFILE, ENOMEM, EAGAIN, EACCES and
# EPERM those in its manual page (Linux man-pages 6.03, section 2), and what comes nearest where it
# has only others; EIO also for every call that asks a file system, which may have to ask a disk.
# "-": it gives none, if its arguments are right.
declare -A ERRORS=(
	[read]='EIO EINTR EAGAIN' [pread64]='EIO EINTR' [write]='ENOSPC EIO EDQUOT EINTR EAGAIN EPERM' [writev]='ENOSPC EIO EINTR EAGAIN'
	[open]='EACCES EPERM EDQUOT EINTR EIO EMFILE ENFILE ENOMEM ENOSPC' [close]='ENOSPC EIO EDQUOT EINTR'
	[openat]='EACCES EPERM EDQUOT EINTR EIO EMFILE ENFILE ENOMEM ENOSPC'
	[fsync]='ENOSPC EIO EDQUOT EINTR' [syncfs]='ENOSPC EIO EDQUOT' [ftruncate]='EINTR EIO EPERM'
	[linkat]='ENOSPC EIO EDQUOT ENOMEM EACCES EPERM' [renameat]='ENOSPC EIO EDQUOT ENOMEM EACCES EPERM'
	[unlinkat]='EIO ENOMEM EACCES EPERM' [mknodat]='ENOSPC EIO EDQUOT ENOMEM EACCES EPERM'
	[mkdir]='ENOSPC EIO EDQUOT ENOMEM EACCES EPERM' [mkdirat]='ENOSPC EIO EDQUOT ENOMEM EACCES EPERM'
	[rmdir]='EIO ENOMEM EACCES EPERM' [lseek]='EIO EOVERFLOW' [getdents64]='EIO ENOENT'
	[stat]='EIO ENOMEM EACCES' [fstat]='EIO ENOMEM' [newfstatat]='EIO ENOMEM EACCES' [faccessat]='EIO ENOMEM EACCES'
	[chdir]='EIO ENOMEM EACCES' [fchdir]='EIO ENOMEM EACCES' [chroot]='EIO ENOMEM EACCES EPERM'
	[fcntl]='EAGAIN EACCES EINTR ENOLCK EMFILE EPERM' [dup2]='EINTR EMFILE' [close_range]='EMFILE ENOMEM'
	[pipe2]='EMFILE ENFILE ENOMEM' [socketpair]='EMFILE ENFILE ENOMEM' [memfd_create]='EMFILE ENFILE ENOMEM'
	[pidfd_open]='EMFILE ENFILE ENOMEM' [poll]='ENOMEM EINTR' [ppoll]='ENOMEM EINTR' [ioctl]='ENOTTY'
	[sendto]='EAGAIN EINTR ENOMEM ENOBUFS' [sendmsg]='EAGAIN EINTR ENOMEM ENOBUFS' [recvmsg]='ENOMEM EAGAIN EINTR' [recvfrom]='ENOMEM EAGAIN EINTR'
	[setsockopt]='ENOMEM EPERM' [getpeername]='ENOBUFS' [getsockname]='ENOBUFS' [uname]='-'
	[mmap]='EAGAIN ENFILE ENOMEM EPERM' [munmap]='ENOMEM' [mprotect]='ENOMEM EACCES' [brk]='ENOMEM' [mremap]='EAGAIN ENOMEM'
	[fork]='EAGAIN ENOMEM' [vfork]='EAGAIN ENOMEM' [clone]='EAGAIN ENOMEM'
	[execve]='EAGAIN EACCES EIO EMFILE ENFILE ENOMEM EPERM' [wait4]='EINTR ECHILD' [kill]='EPERM ESRCH'
	[setuid]='EAGAIN EPERM' [setresuid]='EAGAIN EPERM ENOMEM' [setresgid]='EPERM ENOMEM' [setgroups]='EPERM ENOMEM'
	[capget]='EPERM' [capset]='EPERM' [prctl]='EACCES EPERM' [prlimit64]='EPERM' [setpgid]='EACCES EPERM' [setsid]='EPERM'
	[seccomp]='EACCES ENOMEM' [landlock_create_ruleset]='EMFILE ENFILE ENOMEM' [landlock_add_rule]='ENOMEM EPERM'
	[landlock_restrict_self]='ENOMEM EPERM' [nanosleep]='EINTR' [clock_nanosleep]='EINTR'
	[rt_sigaction]=- [rt_sigprocmask]=- [rt_sigpending]=- [rt_sigreturn]=- [restart_syscall]=- [setitimer]=- [umask]=-
	[getpid]=- [getppid]=- [gettid]=- [getuid]=- [geteuid]=- [getgid]=- [getegid]=- [getresuid]=- [getresgid]=-
	[arch_prctl]=- [set_tid_address]=- [exit_group]=- [clock_gettime]=-)
# Those that may do less than they were asked for.
PARTIAL=' read pread64 write writev '

# With FIRST=yes another message for the same comes before it, and has no fault: what a deliver does for a
# message that is not its first.
FIRST=

# sweep_in DIR KIND ... -- from here on deliveries happen there, on a small disk of its own in memory; alice, bob
# and carol have a mailbox each, as far as there are KINDs: M/, box, or Q/, a Maildir with a quota.
sweep_in() {
	local kind n=0
	W=$1 LEFT=()
	shift
	KINDS=("$@") TO=() BOXES=()
	mkdir -p "$W" && mount -t tmpfs -o mode=755 none "$W" || return 1
	mkdir "$W/d" "$W/users"
	for kind; do
		TO+=("${NAMES[n]}") BOXES+=("$W/d/${NAMES[n]}/$kind")
		mailbox "$n"
		n=$((n + 1))
	done >"$W/aliases"
	printf '%s\n' 'Hostname mx.test' 'Domain mx.test' "Users $W/users/%u" "Aliases $W/aliases" 'Postmaster alice' \
		'ForwardUser daemon' 'DeliverTimeout 5s' 'CommandTimeout 2s' "DeliverPath $BIN/deliver" >"$W/conf"
	dialogue "${TO[@]}" >"$W/asked"
	in_order
}

sweep_out() {
	umount "$W" && rmdir "$W"
}

# dialogue NAME ... -- the message, for these.
dialogue() {
	printf '%s\r\n' 'EHLO client.test'
	if [ -n "$FIRST" ]; then
		printf '%s\r\n' 'MAIL FROM:<first@client.test>'
		printf 'RCPT TO:<%s@mx.test>\r\n' "$@"
		printf '%s\r\n' DATA 'Subject: the first' '' .
	fi
	printf '%s\r\n' 'MAIL FROM:<sender@client.test>'
	printf 'RCPT TO:<%s@mx.test>\r\n' "$@"
	printf '%s\r\n' DATA 'Subject: a fault' ''
	printf %s "$BODY" | crlf
	printf '%s\r\n' . QUIT
}

# mailbox INDEX -- anew, with an old message; its line of aliases is printed.
mailbox() {
	local owner=$((2101 + $1)) box=${BOXES[$1]} dir=$W/d/${NAMES[$1]}
	mkdir -p "$dir" && rm -rf "${dir:?}"/*
	if [ "${box: -1}" = / ]; then
		mkdir -m 700 "$box" "$box"/{tmp,new,cur}
		echo new >"${box}new/1.old"
		echo cur >"${box}cur/2.old:2,S"
		[ "${box: -2}" != Q/ ] || printf %s "$QUOTA" >"${box}maildirsize"
	else
		printf %s "$OLD_MBOX" >"$box"
	fi
	chown -R "$owner:$owner" "$dir"
	echo "${NAMES[$1]}: $box"
}

# The order in which the monitor takes the mailboxes: by the inodes of their directories.
in_order() {
	local name
	ORDER=()
	for name in $(cd "$W/d" && stat -c '%i %n' -- * | sort -n | cut -d' ' -f2); do
		case $name in alice) ORDER+=(0) ;; bob) ORDER+=(1) ;; carol) ORDER+=(2) ;; esac
	done
}

# contents FILE -- into $CONTENTS; false if there is a NUL in it.
contents() {
	! IFS= read -rd '' CONTENTS <"$1"
}

# counted MAILDIR FILES -- where there is a quota, it counts no fewer messages than the files in new/ and the
# one in cur/.
counted() {
	local n sum=0
	[ "${1: -2}" = Q/ ] || return 0
	while read -r _ n; do sum=$((sum + n)); done < <(sed 1d "${1}maildirsize")
	[ $sum -gt "$2" ]
}

# held INDEX -- $HELD is 0: the mailbox is to the octet what it was; 1: and behind that has the message,
# once, whole; or what else it is.
held() {
	local box=${BOXES[$1]} found
	HELD="something else"
	if [ "${box: -1}" != / ]; then
		contents "$box" && [[ $CONTENTS == "$OLD_MBOX"* ]] || return
		found=${CONTENTS#"$OLD_MBOX"}
		[ -n "$found" ] || { HELD=0; return; }
		[[ $found == 'From sender@client.test '*$'\nReturn-Path: <sender@client.test>\n'*$'\nSubject: a fault\n\n'"$BODY"$'\n' ]] &&
			[ "${found#*$'\n\n'}" = "$BODY"$'\n' ] && HELD=1
		return
	fi
	found=("${box}cur/"*)
	[ "${found[*]}" = "${box}cur/2.old:2,S" ] && contents "${found[0]}" && [ "$CONTENTS" = $'cur\n' ] || return
	found=("${box}new/"*)
	[ "${found[0]}" = "${box}new/1.old" ] && contents "${found[0]}" && [ "$CONTENTS" = $'new\n' ] || return
	counted "$box" ${#found[@]} || { HELD="more than is counted"; return; }
	[ ${#found[@]} -gt 1 ] || { HELD=0; return; }
	[ ${#found[@]} -eq 2 ] || { HELD="$((${#found[@]} - 1)) messages"; return; }
	contents "${found[1]}" || return
	[[ $CONTENTS == $'Return-Path: <sender@client.test>\n'*$'\nSubject: a fault\n\n'"$BODY" ]] &&
		[ "${CONTENTS#*$'\n\n'}" = "$BODY" ] && HELD=1
}

# emptied INDEX -- the mailbox of which `held` has told, as it was before.
emptied() {
	local box=${BOXES[$1]} found
	if [ "$HELD" != 0 ] && [ "$HELD" != 1 ]; then
		mailbox "$1" >/dev/null
		in_order
	elif [ "${box: -1}" != / ]; then
		[ "$HELD" = 0 ] || printf %s "$OLD_MBOX" >"$box"
	else
		found=("${box}new/"*)
		[ "$HELD" = 0 ] || rm "${found[1]}"
		[ "${box: -2}" != Q/ ] || printf %s "$QUOTA" >"${box}maildirsize"
	fi
}

# taken_away -- the first message, which every mailbox holds, once and whole.
taken_away() {
	local box found
	for box in "${BOXES[@]}"; do
		mapfile -t found < <(grep -ls '^Subject: the first$' "${box}new/"*)
		[ ${#found[@]} -eq 1 ] && contents "${found[0]}" || return
		[[ $CONTENTS == $'Return-Path: <first@client.test>\n'*$'\nSubject: the first\n\n' ]] && rm "${found[0]}" || return
	done
}

# listed FILE -- the points of a delivery without a fault, in the order in which they come; those of the
# first message are none.
listed() {
	"$T/onefault" "$W/asked" "$W/replies" list "$BIN/smtp-stdio" -C "$W/conf" >"$W/list" 2>"$W/log" </dev/null
	sed '/ended$/d' "$W/list" >"$1"
	[ -z "$FIRST" ] || sed -i '1,/^0 memfd_create 2$/d' "$1"
	tail -n 1 "$W/list" >"$W/came"
}

# faulted PROCESS CALL NUMBER FAULT -- a delivery with that fault.
faulted() {
	"$T/onefault" "$W/asked" "$W/replies" "$@" "$BIN/smtp-stdio" -C "$W/conf" >"$W/came" 2>"$W/log" </dev/null
}

# What the client read: ${ACCEPTED[@]} is 1 for each recipient that was, $REPLY the code of the reply to the
# message, or nothing.
replies() {
	local line n=0 codes=()
	while IFS= read -r line; do
		[ "${line:3:1}" = - ] || codes+=("${line:0:3}")
	done <"$W/replies"
	[ -z "$FIRST" ] || codes=("${codes[@]:$((${#TO[@]} + 3))}")
	ACCEPTED=() REPLY=
	for ((n = 0; n < ${#TO[@]}; n++)); do # behind the greeting and the replies to EHLO and MAIL
		[ "${codes[3 + n]:-}" = 250 ] && ACCEPTED+=(1) || ACCEPTED+=(0)
	done
	[ "${codes[3 + n]:-}" != 354 ] || REPLY=${codes[4 + n]:-}
}

# leftovers INDEX WHOSE CALL FAULT -- false if there is more beside the mailbox than there may be: a file
# in tmp/ where deliver was killed or could not remove it, a dot lock in the second case.  The file stays.
leftovers() {
	local box=${BOXES[$1]} found
	if [ "${box: -1}" != / ]; then
		[ -e "$box.lock" ] || return 0
		rm "$box.lock"
		[ "$3" = unlinkat ] && [ "$4" != KILL ]
		return
	fi
	found=("${box}tmp/"*)
	[ -e "${found[0]}" ] || return 0
	[ ${#found[@]} -gt "${LEFT[$1]:-0}" ] || return 0
	LEFT[$1]=${#found[@]}
	case $2 in 0.[2-9]*) [[ $3 = unlinkat || $4 == KILL* ]] ;; *) false ;; esac
}

# expected INDEX REPLY TOLD LEAST MOST -- what it should hold: 1 or 0, or [01] where the monitor was killed
# saying that it may be kept.  TOLD: of those that came before it, this many should hold the message.
expected() {
	if [ "${ACCEPTED[$1]}" = 0 ]; then
		WANT=0
	elif [ "$2" = 250 ] || [ "$3" -lt "$4" ]; then
		WANT=1
	elif [ "$3" -lt "$5" ]; then
		WANT='[01]'
	else
		WANT=0
	fi
}

# judge PROCESS CALL NUMBER FAULT -- $VERDICT on what came of it:
#
#   delivered  the client read 250, and the mailbox of every recipient that was accepted holds the message,
#              once and whole; no other does; and no deliver was told by a sync or a close that it is not
#   refused    it read something else or nothing, and no mailbox shows anything of it
#   missed     one of these two, and it did not come to that call
#   excepted   as README has it, "What is left": the monitor or the session was killed, or the session
#              could not read or write (which it tries again after EINTR), after the monitor had begun to
#              tell them to keep it; those that were told hold the message, in the order of the mailboxes,
#              and no other does.  (When the session dies beside a call of the monitor's, and there are
#              several, it is known which was first.)
#   or what is wrong; then it is false.
#
# And the mailboxes are as they were before.
judge() {
	local hit least most before how i told=0 whose=$1 states=() want=() stay=
	[[ $4 != *:* ]] || whose=${4#*:}
	read -r hit least most before how <"$W/came" || least=0 most=0 how='could not be run'
	replies
	if [ -n "$FIRST" ]; then
		taken_away || { VERDICT="the first message is not there"; return 1; }
		least=$((least - 1)) most=$((most - 1)) before=$((before - 1))
	fi
	# Of one mailbox that is kept without a word, what its deliver found is nothing if that was killed.
	[[ ${#BOXES[@]} -gt 1 || $whose != 0.[2-9]* || $REPLY = 250 ]] || least=0 most=0
	for i in "${ORDER[@]}"; do
		held "$i"
		states+=("$HELD")
		leftovers "$i" "$whose" "$2" "$4" || stay=", and something stays beside it"
		emptied "$i"
		expected "$i" "$REPLY" $told "$least" "$most"
		[ "$WANT" = 0 ] || told=$((told + 1))
		want+=("$WANT")
	done
	VERDICT="the client read \"$REPLY\", $least to $most were told to keep it, it $how, the mailboxes hold ${states[*]}$stay"
	# shellcheck disable=SC2053  # a pattern
	[[ $how = ended && "${states[*]}" == ${want[*]} && -z $stay ]] || return 1
	if [ "$REPLY" != 250 ] && [ "$most" -gt 0 ]; then
		case $whose,$4 in 0,KILL*) ;; 0.1,EINTR | 0.1,SHORT) return 1 ;; 0.1,*) ;; *) return 1 ;; esac
		[ "$1" != 0 ] || [ "$before" -gt 0 ] || [ ${#BOXES[@]} -eq 1 ] || return 1
		VERDICT=excepted
		return 0
	fi
	[[ $hit != lost || $REPLY != 250 || $1 != 0.[2-9]* ]] || { VERDICT="the client read 250, and it may be lost"; return 1; }
	VERDICT=refused
	[ "$REPLY" != 250 ] || VERDICT=delivered
	[ "$hit" != missed ] || VERDICT=missed
}

# faults_of CALL -- what can be done to it.
faults_of() {
	FAULTS=("${ERRORS[$1]:-UNLISTED}" KILL)
	[ "${FAULTS[0]}" != - ] || FAULTS=(KILL)
	[[ $PARTIAL != *" $1 "* ]] || FAULTS+=(SHORT)
}

# sweep -- of the points and faults on standard input each in turn; prints it and the verdict.
sweep() {
	local process call number fault tries
	while read -r process call number fault; do
		for tries in 1 2 3; do # who has to wait, and so how often poll(2) is called, differs
			faulted "$process" "$call" "$number" "$fault"
			judge "$process" "$call" "$number" "$fault" ||
				VERDICT="VIOLATION $VERDICT; $(tail -n 3 "$W/log" | tr '\n' ' ')"
			[ "$VERDICT" = missed ] || break
		done
		echo "$process $call $number $fault $VERDICT"
	done
}

# deaths FILE -- of the points in it, in their order: each at which another process is there, and that it
# is killed then.
deaths() {
	awk '
		{ point[NR] = $0; whose[NR] = $1; last[$1] = NR }
		!($1 in first) { first[$1] = NR; names[++n] = $1 }
		END {
			for (i = 1; i <= NR; i++)
				for (k = 1; k <= n; k++)
					if (first[names[k]] < i && i < last[names[k]] && names[k] != whose[i])
						print point[i], "KILL:" names[k]
		}' "$1"
}
