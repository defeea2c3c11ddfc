# deliver_lib.sh -- what the suites of deliver and of durability share; sourced after lib.sh.
# shellcheck shell=bash
cp "$TOP"/tests/deliver_*.py "$T/"
PYTHON=/usr/bin/python3 # one that every user can run
OWNER=2001

# owner CMD ... -- as the owner of the mailboxes, who is not root.
owner() {
	if [ "$(id -u)" -eq 0 ]; then as_user "$OWNER" "$@"; else "$@"; fi
}

deliver() {
	owner "$BIN/deliver" "$@"
}

# made DIR ... -- Maildirs of the owner, empty.
made() {
	local dir
	for dir in "$@"; do
		owner mkdir -m 700 "$dir" "$dir/tmp" "$dir/new" "$dir/cur"
	done
}

# assertFiles "TMP NEW CUR" DIR -- how many there are in each.
assertFiles() {
	assertEquals "files in tmp, new and cur of $2" "$1" \
		"$(files "$2/tmp") $(files "$2/new") $(files "$2/cur")"
}

# assertOctets WANT FILE -- to the octet.
assertOctets() {
	cmp "$1" "$2" || fail "$2 is not as it should be"
}

# read_mbox MBOX DIR -- the reference reader makes DIR/1 ... of it.
read_mbox() {
	rm -rf "$2" && mkdir "$2"
	"$PYTHON" "$T/deliver_read.py" "$1" "$2" || fail "$1 cannot be read"
}

# assertHolds MBOX MESSAGE ... -- read by the reference reader, it holds these and no more.
assertHolds() {
	local box=$1 n=0 message
	shift
	read_mbox "$box" "$T/read"
	assertEquals "messages in $box" $# "$(files "$T/read")"
	for message in "$@"; do
		n=$((n + 1))
		assertOctets "$message" "$T/read/$n"
	done
}

# assertUntouched FILE STATE -- as it was when `state` said that, and without a dot lock.
assertUntouched() {
	assertEquals "$1 is as before" "$2" "$(state "$1")"
	[ ! -e "$1.lock" ] || fail "$1.lock is still there"
}

# old_mbox FILE -- with one message, of the owner.
old_mbox() {
	printf 'From old Thu Jan  1 00:00:00 1970\nSubject: old\n\nold\n\n' >"$T/old"
	owner cp "$T/old" "$1"
	printf 'Subject: old\n\nold\n' >"$T/old.message"
}

# pliant_deliver -- build $BIN/pliant: deliver with a LOCK_WAIT of 1 s, and with getpid in its jail.
# strace makes a call fail by putting another one in its place; this one the jail lets pass.
pliant_deliver() {
	local tree=$T/tree
	[ ! -e "$BIN/pliant" ] || return 0
	mkdir "$tree" && cp -r "$TOP/Makefile" "$TOP/deliver" "$TOP/sandbox" "$tree" || return 1
	sed -i 's/LOCK_WAIT = 60,/LOCK_WAIT = 1,/' "$tree/deliver/limits.h"
	sed -i '/const deliver\[\]/a"getpid",' "$tree/sandbox/policy.c"
	assertEquals "what was to be changed is there" 2 \
		"$(cat "$tree/deliver/limits.h" "$tree/sandbox/policy.c" | grep -c 'LOCK_WAIT = 1,\|^"getpid",')"
	make -s -C "$tree" O=out out/bin/deliver >/dev/null && cp "$tree/out/bin/deliver" "$BIN/pliant"
}

# failing CALL ERROR WHEN -- the words before a command line of deliver that make that call fail.
failing() {
	echo strace -f -o /dev/null -e "inject=$1:error=$2:syscall=getpid:when=$3"
}
