# machine_lib.sh -- a machine with a real systemd, which a suite boots once for all its tests.  Sourced
# after lib.sh.
# shellcheck shell=bash

M=$T/machine
# ROOT is its root directory as it is seen from here.
# NETWORK=shared before "boot" lets it share this machine's network.
NETWORK='' BOOTED='' WHY='that needs root' MACHINE='' LEADER='' ROOT=''

# inside CMD ... -- run in the machine.
inside() {
	nsenter --target "$LEADER" --all --root --wd -- "$@"
}

# machine || return 0 -- skip a test where no machine could be booted.
machine() {
	[ -n "$BOOTED" ] || { skip "no systemd could be booted: $WHY"; return 1; }
}

child_of() {
	local child=''
	[ -z "$1" ] || read -r child _ <"/proc/$1/task/$1/children"
	echo "$child"
}
is_up() {
	kill -0 "$MACHINE" || return 0 # there is nothing to wait for
	LEADER=$(child_of "$(child_of "$MACHINE")")
	[ -n "$LEADER" ] && inside systemctl is-system-running 2>/dev/null | grep -qx 'running\|degraded'
}

# boot || return 0 -- boot it; where that cannot be, "machine" tells why.
boot() {
	[ "$(id -u)" -eq 0 ] || return 1
	# For PrivateUsers=, which the services have; within a chroot the kernel refuses it.
	if ! unshare --user true 2>err; then
		WHY="no user namespace can be made here: $(cat err)"
		return 1
	fi
	mkdir "$M" "$M/files" "$M/share"
	"$TOP/tests/machine" boot "$M" "$NETWORK" >console 2>&1 </dev/null &
	MACHINE=$!
	if ! { wait_for is_up || wait_for is_up; } 2>/dev/null || ! kill -0 "$MACHINE"; then
		WHY=$(tail -n 1 console)
		return 1
	fi
	BOOTED=1
	# shellcheck disable=SC2034  # used by the suites
	ROOT=/proc/$LEADER/root
}

oneTimeTearDown() {
	# Nothing is running in it that anybody waits for: with its first process all are gone.
	[ -z "$MACHINE" ] || { kill -KILL "$(child_of "$MACHINE")" || kill -KILL "$MACHINE"; wait "$MACHINE"; } 2>/dev/null
	[ ! -d "$M" ] || wait_for "$TOP/tests/machine" clean "$M"
	leave
}
