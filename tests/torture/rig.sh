# rig.sh -- a mail server on a disk that can be broken; what power and disk share.
#
# Sourced by a script that begins with "apart".  $DISKS is a tmpfs for images of disks, $MAIL where one
# is mounted; the mailboxes are below $MAIL/home, each in a directory of an owner of its own: a Maildir
# for users m..., an mbox for b..., both for x... (mail.py).
# shellcheck shell=bash source-path=SCRIPTDIR/..

# can_break_disks -- or why not.
can_break_disks() {
	local program
	if [ "$(id -u)" -ne 0 ]; then echo "needs root"; return 1; fi
	if [ ! -c /dev/fuse ]; then echo "there is no /dev/fuse"; return 1; fi
	if [ ! -c /dev/loop-control ]; then echo "there are no loop devices"; return 1; fi
	for program in nbdkit nbdfuse fusermount3; do
		if ! command -v $program >/dev/null; then echo "$program is not installed"; return 1; fi
	done
}

# apart ARG ... -- go on in a mount namespace of our own: what is mounted ends with it.
apart() {
	if ! can_break_disks; then exit 1; fi
	[ -n "${RIG_APART:-}" ] || RIG_APART=1 exec unshare -m --propagation private bash "$0" "$@"
}

# start_rig -- the programs, the plugin, the directories.
start_rig() {
	. "$TORTURE/../lib.sh"
	PYTHON=/usr/bin/python3
	DISKS=$T/disks MAIL=$T/mail
	mkdir "$DISKS" "$MAIL" "$T/fuse"
	mount -t tmpfs -o mode=755 none "$DISKS"
	trap end_rig EXIT
	: >"$T/verdict"
	ulimit -c 0 # nbdfuse aborts when its disk is gone
	cc -std=gnu11 -O2 -shared -fPIC -o "$T/volatile.so" "$TORTURE/volatile.c" || exit 1
	{
		printf 'Hostname mx.test\nUsers %s/home/%%u\nMailbox Maildir/\n' "$MAIL"
		printf 'DeliverTimeout 10s\n' # which also ends the wait for a dot lock that was left
		printf 'Aliases %s/aliases\nPostmaster m1\nDeliverPath %s/deliver\n' "$T" "$BIN"
	} >"$T/conf"
}

end_rig() {
	local mounted
	[ ${#PIDS[@]} -eq 0 ] || halt
	for mounted in "$MAIL" "$T/fuse" "$DISKS"; do
		! mountpoint -q "$mounted" || wait_for umount "$mounted"
	done
	leave
}

# boot -- the machine: a listener as process 1 of processes of its own.
boot() {
	: >"$T/log"
	unshare --pid --fork --kill-child=KILL "$BIN/smtp-listen" -l 127.0.0.1:0 -r 1000 "$BIN/smtp-stdio" -C "$T/conf" 2>>"$T/log" &
	MACHINE=$!
	PIDS=("$MACHINE")
	wait_for grep -q '^listening' "$T/log"
	# shellcheck disable=SC2034  # used by the rigs
	PORT=$(sed -n 's/^listening address=127.0.0.1:\([0-9]*\) .*/\1/p' "$T/log")
	LISTENER=$(pgrep -P "$MACHINE")
}

# halt -- all its processes end at once.
halt() {
	kill -KILL "$MACHINE" 2>/dev/null
	wait "$MACHINE" 2>/dev/null
	PIDS=()
}

# aliases NAME ... -- of users, those who have an mbox.
aliases() {
	local name
	for name; do
		case $name in
		b*) echo "$name: $MAIL/home/$name/box" ;;
		x*) echo "$name: $MAIL/home/$name/Maildir/, $MAIL/home/$name/box" ;;
		esac
	done >"$T/aliases"
}

# homes NAME ... -- on the disk that is mounted.
homes() {
	local name n=2300
	mkdir -p "$MAIL/home"
	for name; do
		n=$((n + 1))
		install -d -m 711 -o $n -g $n "$MAIL/home/$name"
	done
	aliases "$@"
	sync -f "$MAIL"
}

# format FS [OPTION ...] -- $DISKS/image, as small as each admits.
format() {
	local size=64M fs=$1
	shift
	case $fs in
	xfs) size=300M ;;
	btrfs) size=128M ;;
	esac
	rm -f "$DISKS/image"
	truncate -s $size "$DISKS/image"
	"mkfs.$fs" -q "$@" "$DISKS/image" >"$T/mkfs.out" 2>&1 || { cat "$T/mkfs.out"; exit 1; }
}

# plug OPTIONS FILTER ... -- the image as a disk behind nbdkit, and mount it.
plug() {
	local options=$1
	shift
	rm -f "$T/disk.sock"
	nbdkit -f -U "$T/disk.sock" "$@" 2>>"$T/nbdkit.log" &
	DISK=$!
	disown "$DISK" # the shell need not say that it was killed
	wait_for test -S "$T/disk.sock"
	nbdfuse "$T/fuse/disk" --unix "$T/disk.sock" 2>>"$T/nbdfuse.log" &
	FUSE=$!
	disown "$FUSE"
	wait_for test -e "$T/fuse/disk"
	mount -o "loop$options" "$T/fuse/disk" "$MAIL"
}

gone() {
	! kill -0 "$1"
}

# age_locks -- a dot lock that could not be removed lasts until it is stale (deliver(8)): say that it takes
# so long until the disk is back.  $locks is how many there were.
age_locks() {
	local stale
	stale=$(find "$MAIL/home" -name '*.lock')
	[ -n "$stale" ] || return 0
	locks=$((locks + $(wc -l <<<"$stale")))
	xargs touch -d '-501 seconds' <<<"$stale"
}

# again_mounted -- the same disk, with nothing of it in memory.
again_mounted() {
	wait_for umount "$MAIL" && mount -o loop "$T/fuse/disk" "$MAIL"
}

# unplug -- the disk is gone, or not needed any more.
unplug() {
	wait_for umount "$MAIL"
	umount "$T/fuse"
	kill "$DISK" 2>/dev/null
	wait_for gone "$DISK"
	wait_for gone "$FUSE"
}

no_sessions() {
	! pgrep -P "$LISTENER" >/dev/null
}

# sound FS -- the file system of the image has no fault, its journal replayed.
sound() {
	case $1 in
	ext4) e2fsck -fn "$DISKS/image" ;;
	xfs) xfs_repair -n "$DISKS/image" ;;
	btrfs) btrfs check "$DISKS/image" ;;
	esac >"$T/fsck.out" 2>&1 || { echo "$1 is not sound:"; tail -n 5 "$T/fsck.out"; return 1; }
}

# judged -- the verdict.
judged() {
	"$PYTHON" "$TORTURE/verdict.py" "$T/ledger" "$MAIL/home" >"$T/verdict" 2>&1
}

# number WORD -- of the last verdict.
number() {
	sed -n "1s/.*\b$1 \([0-9]*\).*/\1/p" "$T/verdict"
}

# replies CODE -- how many there are in the ledger, by a pattern.
replies() {
	grep -c "^[0-9]* $1 " "$T/ledger"
}

# enough CODE COUNT
enough() {
	[ "$(replies "$1")" -ge "$2" ]
}
