# lib.sh -- what the suites share.  Sourced by every *_test.sh, which ends with ". shunit2".
#
# A suite works in $T, a directory of its own that everybody may enter, with copies of the programs
# in $BIN: so a clone under /root can be tested, and other users can run what is tested.
# shellcheck shell=bash
set -u
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
O=$TOP/.build
# shellcheck disable=SC2034  # used by the suites
PARTS=$O/parts
export LC_ALL=C SHUNIT_COLOR=none
umask 022

T=$(mktemp -d /tmp/smtp-stdio-test.XXXXXX)
chmod 755 "$T"
BIN=$T/bin
mkdir "$BIN"
cp "$O/bin/smtp-stdio" "$O/bin/deliver" "$O/bin/check-policy" "$O/bin/smtp-listen" "$BIN/" || exit 1
PIDS=()
leave() {
	for pid in "${PIDS[@]:-}"; do
		[ -z "$pid" ] || kill "$pid" 2>/dev/null
	done
	PIDS=()
	cd / && rm -rf "$T"
}
# shunit2 takes the EXIT trap for itself, and calls this at its end.
oneTimeTearDown() {
	leave
}
trap leave EXIT
cd "$T" || exit 1

# With ONLY="testA testB" in the environment a suite runs these tests alone.
if [ -n "${ONLY:-}" ]; then
	suite() {
		local name
		for name in $ONLY; do suite_addTest "$name"; done
	}
fi

# skip REASON -- the test that calls it and returns is counted as skipped.
skip() {
	echo "SKIP: $*"
}

# need_root || return 0 -- skip a test that only root can run.
need_root() {
	[ "$(id -u)" -eq 0 ] || { skip "needs root"; return 1; }
}

# part FILE PACKAGE || return 0 -- skip a test if a package could not be unpacked beside the build.
part() {
	[ -e "$PARTS/$1" ] || { skip "$2 could not be downloaded"; return 1; }
}

# ended STATUS FILE [WANT] -- an exit status is WANT (0); if it is not, FILE says why.  An argument that
# runs a command would itself set $?.
ended() {
	assertEquals "status: $(tail -n 20 "$2")" "${3:-0}" "$1"
}

# smtp [ARG ...] -- smtp-stdio with the programs under test and no configuration file of this machine.
smtp() {
	"$BIN/smtp-stdio" -C /dev/null -o "DeliverPath $BIN/deliver" -o "Hostname mx.test" "$@"
}

# sanitized DIR -- the programs built with sanitizers, in DIR; once, whichever suite wants them first.
sanitized() {
	flock "$O/dev.lock" make -s -C "$TOP" dev >"$T/dev.log" 2>&1 || {
		fail "$(grep -E 'error|warning' "$T/dev.log" || tail -n 3 "$T/dev.log")"
		return 1
	}
	mkdir -p "$1" && cp "$O/dev/bin/"* "$1/"
}

# crlf -- standard input with CRLF at the line ends.
crlf() {
	sed 's/$/\r/'
}

# as_user UID CMD ... -- run as an ordinary user; root only.
as_user() {
	local uid=$1
	shift
	setpriv --reuid="$uid" --regid="$uid" --clear-groups -- "$@"
}

# user_directories NAME ... -- $T/users anew, with an empty directory for each; of uids 2001 and up if
# we are root.
user_directories() {
	local n=2000 user
	rm -rf "$T/users"
	for user; do
		n=$((n + 1))
		install -d "$T/users/$user"
		[ "$(id -u)" -ne 0 ] || chown "$n:$n" "$T/users/$user"
	done
}

# with_users CMD ... -- run where /etc/passwd also has alice, bob and carol (uids 2001 to 2003, homes
# $T/home/NAME), without touching the machine's own; root only.
with_users() {
	local n=2000 user
	if [ ! -e "$T/passwd" ]; then
		cp /etc/passwd "$T/passwd"
		for user in alice bob carol; do
			n=$((n + 1))
			echo "$user:x:$n:$n:$user:$T/home/$user:/bin/sh" >>"$T/passwd"
			install -d -m 700 -o "$n" -g "$n" "$T/home/$user"
		done
	fi
	# shellcheck disable=SC2016  # expanded by the inner shell
	unshare -m --propagation private sh -c 'mount --bind "$0" /etc/passwd && exec "$@"' "$T/passwd" "$@"
}

# wait_for CMD ... -- until the command succeeds, 10 s at most.
wait_for() {
	local i
	for ((i = 0; i < 500; i++)); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.02
	done
	echo "wait_for: never came true: $*" >&2
	return 1
}

# free_port -- a TCP port that nobody has at any address, not even for a connection.
free_port() {
	python3 -c '
import socket
try:
    s = socket.socket(socket.AF_INET6)
    s.bind(("::", 0))
except OSError:  # there is no IPv6
    s = socket.socket()
    s.bind(("", 0))
print(s.getsockname()[1])'
}

# files DIR -- how many files are in it.
files() {
	find "$1" -maxdepth 1 -type f | wc -l
}

# events FILE -- a log with "ID" for the session's.
events() {
	sed -E 's/^([a-z-]+ session=)[0-9a-f]+\.[0-9a-f]+ /\1ID /' "$1"
}

# errors FILE -- what it tells the administrator to mend.
errors() {
	events "$1" | sed -n 's/^error session=ID client=local what="\(.*\)"$/\1/p'
}

# state FILE -- its size and checksum, to see that nothing has changed.
state() {
	if [ -e "$1" ]; then stat -c %s "$1"; sha256sum <"$1"; else echo absent; fi
}

# noting FILE -- FILE becomes a command that first notes how it was called, in the directory "box" beside
# its own ($box; its own is $here), and then does what standard input says.
noting() {
	cat >"$1" <<-'END'
		#!/bin/sh
		here=${0%/*}
		box=${here%/*}/box
		tr '\0' '\n' <"/proc/$$/environ" | LC_ALL=C sort >"$box/environment"
		printf '<%s>\n' "$@" >"$box/arguments"
		id -u >"$box/uid"
		id -G >"$box/groups"
	END
	cat >>"$1"
	chmod 755 "$1"
}
