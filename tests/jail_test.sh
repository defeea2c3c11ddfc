#!/bin/bash
# The jails of session, deliver and check-policy: seen from outside, tried from inside (tests/probe.c, tests/jail),
# planted with faults, and not to be had at all.
. "$(dirname "$0")/lib.sh"
cp "$O/bin/hostile" "$O/bin/probe" "$BIN/" || exit 1

# What each jail admits: names as in syscalls(2).
readonly SESSION='read write exit_group'
readonly DELIVER='read pread64 recvfrom ppoll recvmsg write writev close openat linkat unlinkat renameat lseek ftruncate fsync getdents64 fstat
	newfstatat mknodat fcntl clock_gettime nanosleep clock_nanosleep restart_syscall rt_sigreturn wait4
	exit_group'
printf 'From: a@b\n\nhello\n' >"$T/message"

setUp() {
	rm -rf "$T/box"
	install -d -m 700 "$T/box"
	[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$T/box"
	USER_ID=$(id -u)
	[ "$USER_ID" -ne 0 ] || USER_ID=2001
}

# as_one_user CMD ... -- as an ordinary user, whoever runs the suite.
as_one_user() {
	if [ "$(id -u)" -eq 0 ]; then
		exec setpriv --reuid=2001 --regid=2001 --clear-groups -- "$@"
	fi
	exec "$@"
}

# converse CMD ... -- start it with a socket as its descriptors 0 and 1.  What it says comes into
# $T/out, what is written to descriptor 7 goes to it, $PID is its number, and $T/log has its errors.
converse() {
	rm -f "$T/in" "$T/out" "$T/pid"
	mkfifo "$T/in"
	{
		declare -f as_one_user inherits gifted staged staged_as
		declare -p BIN T
		printf 'echo $$ >%q.new; mv %q.new %q\n' "$T/pid" "$T/pid" "$T/pid"
		declare -F "$1" >"$T/null" || printf 'exec '
		printf '%q ' "$@"
		printf '2>%q\n' "$T/log"
	} >"$T/serve"
	: >"$T/out"
	socat - EXEC:"bash $T/serve" <"$T/in" >"$T/out" 2>/dev/null &
	PIDS+=($!)
	exec 7>"$T/in"
	wait_for test -s "$T/pid"
	PID=$(cat "$T/pid")
	PIDS+=("$PID")
}

said() {
	grep -q "$1" "$T/out"
}

gone() {
	[ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"
}

child() {
	CHILD=$(cat "/proc/$1/task/$1/children")
	CHILD=${CHILD%% *}
	[ -n "$CHILD" ]
}

# facts PID -- who it is and what it has.
facts() {
	awk '/^(Uid|Gid|Groups|Cap(Inh|Prm|Eff|Amb)|NoNewPrivs|Seccomp):/ { $1 = $1; print }' "/proc/$1/status"
	awk '/^Max (core file size|processes|open files)/ {
		soft = $(NF - 2); hard = $(NF - 1); sub(/  +.*/, ""); print $0, soft, hard }' "/proc/$1/limits"
	# shellcheck disable=SC2012  # numbers
	echo "Descriptors: $(ls "/proc/$1/fd" | sort -n | paste -sd ' ')"
}

# want UID GID CAPABILITIES NO_NEW_PRIVS SECCOMP -- the same as they ought to be.
want() {
	printf '%s\n' "Uid: $1 $1 $1 $1" "Gid: $2 $2 $2 $2" Groups: 'CapInh: 0000000000000000' "CapPrm: $3" \
		"CapEff: $3" 'CapAmb: 0000000000000000' "NoNewPrivs: $4" "Seccomp: $5"
}
readonly NONE=0000000000000000
readonly SESSION_LIMITS='Max core file size 0 0
Max processes 0 0
Max open files 0 0
Descriptors: 0 1 3'

# session_is UID GID PROGRAM -- start that program; true if its session is as it ought to be.
session_is() {
	converse "${@:4}" "$3" -C /dev/null
	wait_for said ^220 && wait_for child "$PID" || return 1
	facts "$CHILD" >"$T/is"
	{ want "$1" "$2" "$NONE" 1 2 && echo "$SESSION_LIMITS"; } >"$T/want"
	diff "$T/want" "$T/is"
}

hang_up() {
	exec 7>&-
	wait_for gone "$PID"
}

testTheSessionOfRoot() {
	need_root || return 0
	session_is "$(id -u nobody)" "$(id -g nobody)" "$BIN/smtp-stdio" || fail 'session'
	assertEquals 'its root directory' '' "$(ls -A "/proc/$CHILD/root/")"
	assertEquals 'and working directory' "$(readlink "/proc/$CHILD/root")" "$(readlink "/proc/$CHILD/cwd")"
	# CAP_KILL, CAP_SETGID, CAP_SETUID; its root and its filter are as it found them
	assertEquals 'the monitor' "$(want 0 0 00000000000000e0 0 0 | grep -v ^Groups)" \
		"$(facts "$PID" | grep -vE '^(Groups|Max|Desc)')"
	assertEquals 'its descriptors' 'Descriptors: 0 1 2 3' "$(facts "$PID" | grep Desc)"
	assertEquals 'an empty root leaves nothing' '' "$(find /dev/shm /run /tmp -maxdepth 1 -name 'smtp-stdio.??????' -newer "$T/serve")"
	hang_up
	wait_for gone "$CHILD" || fail 'the session is still there'
}

testTheSessionOfAnOrdinaryUser() {
	need_root || return 0 # to see its descriptors: it is not dumpable
	session_is "$USER_ID" "$(stat -c %g "$T/box")" "$BIN/smtp-stdio" as_one_user || fail 'session'
	hang_up
}

# inherits CMD ... -- run it with descriptors that nobody meant to give away.
inherits() {
	exec "$@" 5</etc/passwd 9</etc 200</etc/passwd
}

testNoDescriptorIsInherited() {
	need_root || return 0
	session_is "$(id -u nobody)" "$(id -g nobody)" "$BIN/smtp-stdio" inherits || fail 'session'
	assertEquals 'monitor' 'Descriptors: 0 1 2 3' "$(facts "$PID" | grep Desc)"
	hang_up
}

# gifted CMD ... -- run it as an ordinary user who was given a capability to keep.
gifted() {
	exec setpriv --reuid=2001 --regid=2001 --clear-groups --inh-caps +net_bind_service \
		--ambient-caps +net_bind_service -- "$@"
}

testNoCapabilityIsInherited() {
	need_root || return 0
	session_is 2001 2001 "$BIN/smtp-stdio" gifted || fail 'session'
	hang_up
	converse staged_as gifted "$T/box/"
	wait_for said s
	deliver_is "$PID" '0 1 2 3 5 6' || fail 'deliver'
	hang_up
}

# deliver_is PID FDS -- a deliver that has staged: it, or the one of its two processes that is given.
deliver_is() {
	facts "$1" >"$T/is"
	{
		want "$USER_ID" "$(stat -c %g "$T/box")" "$NONE" 1 2
		printf '%s\n' 'Max core file size 0 0' 'Max open files 144 144' "Descriptors: $2"
	} >"$T/want"
	sed -i '/^Max processes/d' "$T/is"
	diff "$T/want" "$T/is"
}

# staged DIR -- deliver into it, to stand before its commit; descriptor 5 is not meant for it.
staged() {
	staged_as as_one_user "$1"
}
staged_as() {
	"$1" "$BIN/deliver" -m -c 3 "$2" 3<&0 <"$T/message" 5</etc/passwd >/dev/null
}

testDeliverIntoAMaildir() {
	need_root || return 0 # to see its descriptors: it is not dumpable
	converse staged "$T/box/"
	wait_for said s
	deliver_is "$PID" '0 1 2 3 5 6' || fail 'deliver'
	hang_up
	assertEquals 'nothing delivered' 0 "$(files "$T/box/new")"
}

# The keeper of a quota is confined as the process that reads the message is, and has no end of what that has.
testDeliverIntoAMaildirWithAQuota() {
	need_root || return 0 # to see its descriptors: it is not dumpable
	install -d -o 2001 -g 2001 "$T/box/tmp" "$T/box/new" "$T/box/cur"
	printf '100S\n0 0\n' >"$T/box/maildirsize"
	chown 2001:2001 "$T/box/maildirsize"
	converse staged "$T/box/"
	wait_for said s
	child "$PID"
	deliver_is "$PID" '0 1 2 3 5 6 8' || fail 'the writer'
	deliver_is "$CHILD" '4 5 6 7 9' || fail 'the keeper'
	hang_up
	wait_for gone "$CHILD" || fail 'the keeper stays'
	assertEquals 'nothing delivered' 0 "$(files "$T/box/new")"
}

testDeliverIntoAnMbox() {
	need_root || return 0 # to see its descriptors: it is not dumpable
	converse staged "$T/box/mbox"
	wait_for said s
	child "$PID"
	deliver_is "$PID" '0 1 2 3 4 5' || fail 'the guard'
	deliver_is "$CHILD" '0 1 2 3 4 5' || fail 'the writer'
	hang_up
	assertEquals 'nothing delivered' 0 "$(stat -c %s "$T/box/mbox")"
}

# However the monitor ends, the session does not go on without it.
testTheSessionEndsWithItsMonitor() {
	local as
	for as in as_one_user ''; do # the second: root's, where the suite is root's
		converse ${as:+"$as"} "$BIN/hostile" -C /dev/null
		printf '!' >&7
		exec 7>&-
		wait_for child "$PID"
		wait_for grep -q '^Seccomp:.2' "/proc/$CHILD/status"
		kill -KILL "$PID"
		wait_for gone "$CHILD" || { fail "$as: the session goes on"; kill -KILL "$CHILD"; }
	done
}

# numbers NAME ... -- of those calls here.
numbers() {
	{ echo '#include <sys/syscall.h>'; printf 'call SYS_%s\n' "$@"; } | cc -E -P - | sed -n 's/^call //p'
}

# survivors PROGRAM JAIL [N] -- what that jail admits, or the first N of it.  The kernel takes uretprobe and uprobe past every
# filter of x86-64, and does nothing for them but where a probe was set.
survivors() {
	local run=()
	[ "$(id -u)" -ne 0 ] || run=(unshare -i setpriv --reuid=2001 --regid=2001 --clear-groups --)
	"${run[@]}" "$1" calls "$2" | sed "${3:-9999}q" >"$T/survivors"
	case $(uname -m) in
	x86_64) grep -vx -e 'native 335 SIGILL' -e 'native 336' "$T/survivors" ;;
	*) cat "$T/survivors" ;;
	esac
}

listed() {
	# shellcheck disable=SC2086  # words are wanted
	numbers $1 | sort -n | sed 's/^/native /'
}

testEverySystemCallInEachJail() {
	assertEquals session "$(listed "$SESSION")" "$(survivors "$BIN/probe" session)"
	assertEquals deliver "$(listed "$DELIVER")" "$(survivors "$BIN/probe" deliver)"
	assertEquals 'the list of the session' 3 "$(listed "$SESSION" | wc -l)"
	assertEquals 'the list of deliver' 27 "$(listed "$DELIVER" | wc -l)"
}

# What somebody would try who runs code of theirs in one of the real processes.
testNothingThatIsTriedLeadsOut() {
	"$TOP/tests/jail" >"$T/table" 2>&1
	ended $? "$T/table"
	grep -q Landlock "$T/table" || skip 'no Landlock in this kernel'
	assertEquals "$(ESCAPE='?' "$O/bin/escape/deliver" | wc -l) attempts, 7 jails, 0 not stopped" "$(tail -n 1 "$T/table")"
}

# planted FILE FROM TO ... -- a copy of the tree with these faults, built, in $T/tree.
planted() {
	rm -rf "$T/tree"
	mkdir -p "$T/tree/.build"
	(cd "$TOP" && cp -a Makefile smtp-stdio deliver sandbox tests "$T/tree/")
	cp -a "$O/obj" "$O/flags" "$O/compile" "$O/policies.h" "$T/tree/.build/"
	while [ $# -gt 0 ]; do
		sed -i "s/$2/$3/" "$T/tree/$1"
		cmp -s "$TOP/$1" "$T/tree/$1" && fail "$1: nothing planted"
		shift 3
	done
	make -s -C "$T/tree" all .build/bin/probe .build/bin/escape/{smtp-stdio,deliver,check-policy} >"$T/make.log" 2>&1 ||
		fail "$(cat "$T/make.log")"
	chmod 755 "$T/tree/.build"
}

# escapes JAIL ... -- from these jails of $T/tree, one a line.
escapes() {
	ESCAPE_BIN=$T/tree/.build/bin/escape "$TOP/tests/jail" "$@" | sed -n 's/^NOT STOPPED: //p'
}

testACallTooManyIsNoticed() {
	planted sandbox/policy.c '"read",$' '"read", "socket",'
	assertNotEquals session "$(listed "$SESSION")" "$(survivors "$T/tree/.build/bin/probe" session)"
	assertEquals 'the one' "native $(numbers socket)" \
		"$(survivors "$T/tree/.build/bin/probe" session | grep -vxF "$(listed "$SESSION")")"
	assertEquals 'the one in deliver' "native $(numbers socket)" \
		"$(survivors "$T/tree/.build/bin/probe" deliver | grep -vxF "$(listed "$DELIVER")")"
	assertEquals 'in the real processes' "$(printf 'socket %s in check-policy\n' AF_INET AF_UNIX AF_NETLINK)" "$(escapes check-policy)"
}

testAnotherEntryAndAMissingLandlockAreNoticed() {
	local found what
	[ "$(uname -m)" = x86_64 ] || { skip 'one entry on this processor'; return 0; }
	planted sandbox/compile.c 'BADARCH, SCMP_ACT_KILL_PROCESS' 'BADARCH, SCMP_ACT_ALLOW' \
		sandbox/compile.c 'if (ctx == NULL)' 'if (ctx == NULL || seccomp_arch_add(ctx, SCMP_ARCH_X32) < 0)' \
		sandbox/compile.c seccomp_rule_add_exact seccomp_rule_add \
		sandbox/landlock.c 'if (abi < ABI_REFER)' 'if (abi != 0)'
	found=$(escapes session Maildir)
	for what in 'int 0x80: getpid in session' 'int 0x80: getpid in Maildir' 'x32: read in session' 'x32: openat in Maildir' \
		'openat /etc/passwd in Maildir' 'renameat in Maildir'; do
		assertContains "$found" "$what"
	done
}

testAMissingFilterIsNoticed() {
	need_root || return 0
	planted sandbox/sandbox.c 'return (int)syscall(SYS_seccomp.*' 'return program.len > 0 ? 0 : -1;'
	session_is "$(id -u nobody)" "$(id -g nobody)" "$T/tree/.build/bin/smtp-stdio" >/dev/null &&
		fail 'not seen from outside'
	assertEquals 'by that alone' 'Seccomp: 0' "$(diff "$T/want" "$T/is" | sed -n 's/^> //p')"
	hang_up
	assertEquals 'from inside' 20 "$(survivors "$T/tree/.build/bin/probe" session 20 | wc -l)"
}

# ---- Landlock, alone: the filter is left out

# landlocked ARG ... -- what the probe says, without what this kernel's version does not have.
landlocked() {
	rm -rf "$T/place"
	mkdir -p "$T/place/dir"
	: >"$T/place/there"
	chmod 777 "$T/place" "$T/place/"*
	(as_one_user "$BIN/probe" files "$@") >"$T/said" || return
	awk '$1 == "abi" && NF == 2 { abi = $2; next } $1 != "abi" || $2 <= abi' "$T/said"
}
readonly REFUSED='read write list make mkdir mkfifo symlink bind link rename rmdir unlink passwd execute'

# refused LINES NAME ... -- these were tried, and not permitted.
refused() {
	local lines=$1 name
	shift
	for name in "$@"; do
		assertContains "$name" "$lines" "$name: Permission denied"
	done
}

testLandlockOfTheSession() {
	local lines
	lines=$(landlocked session "$T/place")
	[ $? -ne 77 ] || { skip 'no Landlock in this kernel'; return; }
	# shellcheck disable=SC2086  # words are wanted
	refused "$lines" $REFUSED
	assertNotContains "$lines" "$lines" ': done'
	assertEquals 'all was tried' "$(echo "$REFUSED" | wc -w)" "$(grep -vc ^abi <<<"$lines")"
}

testLandlockOfDeliverWithAMaildir() {
	local lines
	install -m 666 /dev/null "$T/box/maildirsize"
	lines=$(landlocked deliver "$T/place" "$T/box/")
	[ $? -ne 77 ] || { skip 'no Landlock in this kernel'; return; }
	# shellcheck disable=SC2086  # words are wanted
	refused "$lines" $REFUSED 'read in new' 'write in new' 'list new' 'mkdir in new' 'read in tmp' 'mkdir in tmp' \
		'the quota'
	assertEquals 'what is permitted' 'mailbox: done' "$(grep ': done' <<<"$lines")"
	assertEquals 'delivered' 1 "$(files "$T/box/new")"
}

testLandlockOfTheKeeperOfAQuota() {
	local lines
	install -d -o "$USER_ID" "$T/box/tmp" "$T/box/new" "$T/box/cur"
	printf '100S\n-1 -1\n' >"$T/box/maildirsize"
	[ "$(id -u)" -ne 0 ] || chown 2001 "$T/box/maildirsize"
	lines=$(landlocked keeper "$T/place" "$T/box/")
	[ $? -ne 77 ] || { skip 'no Landlock in this kernel'; return; }
	# shellcheck disable=SC2086  # words are wanted
	refused "$lines" $REFUSED 'mkdir in it' 'symlink in it'
	assertEquals 'what is permitted' "$(printf '%s: done\n' quota 'nonsense is the end')" "$(grep ': done' <<<"$lines")"
	assertEquals 'counted anew' "$(printf '100S\n0 0\n6 1')" "$(cat "$T/box/maildirsize")"
}

testLandlockOfDeliverWithAnMbox() {
	local lines
	install -m 666 /dev/null "$T/box/beside"
	lines=$(landlocked deliver "$T/place" "$T/box/mbox")
	[ $? -ne 77 ] || { skip 'no Landlock in this kernel'; return; }
	# shellcheck disable=SC2086  # words are wanted
	refused "$lines" $REFUSED 'write beside' 'read beside' 'mkdir beside'
	assertEquals 'what is permitted' 'mailbox: done' "$(grep ': done' <<<"$lines")"
	assertContains 'delivered' "$(cat "$T/box/mbox")" hello
}

# ---- no jail, no service

# injected FAULT CMD ... -- one conversation under strace, which makes that call fail.
injected() {
	local fault=$1
	shift
	printf 'EHLO me\r\nQUIT\r\n' | timeout 20 strace -f -qq -o "$T/trace" -e trace="${fault%%:*}" -e inject="$fault" \
		"$@" -C /dev/null >"$T/out" 2>"$T/log"
	status=${PIPESTATUS[1]}
}

# refuses FAULT WHY [CMD ...] -- no greeting, a clean end, and the log names the step.
refuses() {
	local fault=$1 why=$2
	shift 2
	injected "$fault" "${@:-$BIN/smtp-stdio}"
	assertContains "$fault: injected" "$(cat "$T/trace")" INJECTED
	assertNotContains "$fault: greeting" "$(cat "$T/out")" 220
	assertContains "$fault: log" "$(events "$T/log")" "jail session=ID client=local why=\"$why"
	assertContains "$fault: exit status $status" ' 0 71 ' " $status "
}

testAJailThatCannotBeHadIsNoService() {
	refuses seccomp:error=EINVAL 'the system-call filter cannot be loaded'
	refuses landlock_create_ruleset:error=EPERM:when=2 'Landlock: Operation not permitted'
	refuses landlock_restrict_self:error=E2BIG 'Landlock: Argument list too long'
	refuses prctl:error=EINVAL:when=1 'death signal: Invalid argument'
	refuses prctl:error=EINVAL:when=2 'no_new_privs: Invalid argument'
	refuses prctl:error=EINVAL:when=3 'no_new_privs: Invalid argument'
	refuses close_range:error=ENOSYS 'descriptors: Function not implemented'
	refuses socketpair:error=EMFILE 'socketpair: '
	refuses prlimit64:error=EPERM 'resource limits: Operation not permitted'
	refuses capset:error=EPERM 'capabilities: Operation not permitted'
}

testARootThatCannotBeLeftIsNoService() {
	need_root || return 0
	refuses chroot:error=EPERM 'chroot: Operation not permitted'
	refuses fchdir:error=EACCES 'chroot: Permission denied'
	refuses mkdir,mkdirat:error=EROFS 'no directory for an empty root: Read-only file system'
	refuses setgroups:error=EPERM 'SessionUser: Operation not permitted'
	refuses setresgid:error=EPERM 'SessionUser: Operation not permitted'
	refuses setresuid:error=EAGAIN 'SessionUser: '
	# a change of identity that only says that it was made
	refuses setresuid:retval=0 'SessionUser: Operation not permitted'
	refuses setresgid:retval=0 'SessionUser: Operation not permitted'
	refuses setgroups:retval=0 'SessionUser: Operation not permitted'
}

testLandlockIsTriedOrRequired() {
	injected landlock_create_ruleset:error=ENOSYS "$BIN/smtp-stdio" -o 'Landlock try'
	assertContains try "$(cat "$T/out")" '221 '
	assertEquals 'and nothing logged' '' "$(cat "$T/log")"
	refuses landlock_create_ruleset:error=ENOSYS 'Landlock is required' \
		"$BIN/smtp-stdio" -o 'Landlock require'
	injected landlock_create_ruleset:error=EOPNOTSUPP "$BIN/smtp-stdio" -o 'Landlock try'
	assertContains 'switched off' "$(cat "$T/out")" '221 '
}

# deliver_refuses FAULT LOG -- nothing is delivered, and it is told why.
deliver_refuses() {
	local before
	before=$(find "$T/box" -path '*/new/*' | wc -l)
	(as_one_user strace -f -qq -o /dev/null -e trace="${1%%:*}" -e inject="$1" "$BIN/deliver" -m "${@:3}" "$T/box/") \
		<"$T/message" >"$T/out" 2>&1
	assertContains "$1: status $?" ' 71 78 ' " $? "
	assertContains "$1" "$(cat "$T/out")" "$2"
	assertEquals "$1: delivered" "$before" "$(find "$T/box" -path '*/new/*' | wc -l)"
}

testADeliverThatCannotBeJailedDeliversNothing() {
	deliver_refuses seccomp:error=EINVAL 'the system-call filter cannot be loaded: Invalid argument'
	deliver_refuses prctl:error=EINVAL 'no_new_privs: Invalid argument'
	deliver_refuses landlock_restrict_self:error=E2BIG 'Landlock: Argument list too long'
	deliver_refuses landlock_create_ruleset:error=ENOSYS 'this kernel has no Landlock' -L
	deliver_refuses close_range:error=ENOSYS 'close_range: '
}

. shunit2
