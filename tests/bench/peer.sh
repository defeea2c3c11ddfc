# peer.sh -- what the scripts of the peers share.  Sourced by each of them.
#
#   peers/NAME start DIR PORT   serve 127.0.0.1:PORT in the foreground until SIGTERM, as root; ends with 69 if
#                               it turns out that this cannot be done here
#   peers/NAME ready            whether it can be started here; if not, one line says what is missing
#
# The work is the same for all: take mail for alice@mx.test from anybody, and write it, synced, into the
# Maildir DIR/box of the user alice, who is not the mail system's own.  DIR is empty; queues are in it,
# too.  What a peer says of itself costs as little as it can: its syslog goes nowhere.
#
# A line "250: ..." in a script's comment says what that reply means; report.py prints it.
# shellcheck shell=bash
set -u
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PARTS=$TOP/.build/parts
# shellcheck disable=SC2034  # used by the peers
ALICE=2001

# What "start" is given, and the unpacked packages at a path that every user can reach.
DIR='' PORT='' UNPACKED=''

# peer VERB [DIR PORT] -- the script's start or ready, which the script has defined.
peer() {
	case ${1:-}:$# in
	ready:1) ready ;;
	start:3)
		ready || exit 1
		# shellcheck disable=SC2034  # used by the peers
		DIR=$2 PORT=$3 UNPACKED=$2/parts
		mkdir -p "$DIR/box/tmp" "$DIR/box/new" "$DIR/box/cur" "$DIR/bin" "$DIR/root" "$UNPACKED"
		chown -R "$ALICE:$ALICE" "$DIR/box"
		users
		# As many as one connection may need, and no limit of this shell's.
		ulimit -n 8192
		start
		;;
	*) echo "usage: $0 ready | start DIR PORT" >&2; exit 64 ;;
	esac
}

# unpacked FILE PACKAGE -- whether a package lies beside the build.
unpacked() {
	[ -e "$PARTS/$1" ] || { echo "$2 is not unpacked; tests/need bench does it"; return 1; }
}

# programs NAME ... -- copies of ours in $DIR/bin, as a package would have them.
programs() {
	local name
	for name; do
		cp "$TOP/.build/$name" "$DIR/bin/" && strip "$DIR/bin/${name##*/}" || exit 1
	done
}

# The users of all mail systems, and alice.
users() {
	{
		grep -Ev '^(alice|postfix|Debian-exim|opensmtp[dq]):' /etc/passwd
		printf '%s:/usr/sbin/nologin\n' "alice:x:$ALICE:$ALICE::$DIR" postfix:x:2012:2012::/nonexistent \
			Debian-exim:x:2011:2011::/nonexistent opensmtpd:x:2014:2014::/nonexistent \
			opensmtpq:x:2015:2015::/nonexistent
	} >"$DIR/passwd"
	{
		grep -Ev '^(alice|postfix|postdrop|Debian-exim|opensmtp[dq]):' /etc/group
		printf '%s:\n' "alice:x:$ALICE" postfix:x:2012 postdrop:x:2013 Debian-exim:x:2011 opensmtpd:x:2014 \
			opensmtpq:x:2015
	} >"$DIR/group"
	# OpenSMTPD's resolver has a word for "no name server"; others ask none.
	echo 'lookup file' >"$DIR/resolv.conf"
}

# apart CMD ... -- become CMD, where those users exist, the libraries that are unpacked beside the build are
# found as if they were installed, no syslog answers, and /run and the fixed places of OpenSMTPD and Exim are
# its own.
apart() {
	# shellcheck disable=SC2016  # expanded by the inner shell
	exec unshare -m --propagation private sh -c '
		dir=$1 parts=$2
		shift 2
		mount --bind "$parts" "$dir/parts" || exit
		{ cat /etc/ld.so.conf; echo "$dir/parts/usr/lib/postfix"; ls -d "$dir"/parts/usr/lib/*-linux-gnu; } >"$dir/ld.so.conf"
		ldconfig -X -f "$dir/ld.so.conf" -C "$dir/ld.so.cache" 2>/dev/null || exit
		for file in passwd group resolv.conf ld.so.cache; do mount --bind "$dir/$file" "/etc/$file" || exit; done
		for place in /run /var/spool /var/lib; do mount -t tmpfs -o mode=755 tmpfs $place || exit; done
		[ ! -S /dev/log ] || mount --bind /dev/null /dev/log || exit
		exec "$@"' sh "$DIR" "$PARTS" "$@"
}
