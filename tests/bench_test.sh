#!/bin/bash
# bench_test.sh -- the benchmark runs: every peer starts, takes mail, is measured, and is gone.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# The shortest run of everything.
oneTimeSetUp() {
	[ "$(id -u)" -eq 0 ] && [ -e "$PARTS/usr/sbin/smtp-source" ] || return 0
	make -C "$TOP" -s -f Makefile -f tests/bench/build.mk bench-programs >build || cat build
	"$TOP/tests/bench/run" --out "$T/out" --places tmpfs --tables race --parallel 1 --rounds 1 --seconds 0.01 \
		>tables 2>notes &
	RUN=$!
	PIDS+=("$RUN")
	wait "$RUN"
	STATUS=$?
	PIDS=()
}

# raced || return 0 -- skip a test where it could not be run.
raced() {
	need_root && part usr/sbin/smtp-source postfix
}

peers() {
	ls "$TOP/tests/bench/peers"
}

testEveryPeerThatIsHereIsMeasured() {
	local peer
	raced || return 0
	ended "$STATUS" notes
	for peer in $(peers); do
		if grep -q "^$peer is not here: " notes; then
			skip "$(grep "^$peer is not here: " notes)"
			continue
		fi
		# of one message a connection, and of many
		assertEquals "$peer: $(cat notes)" 2 "$(grep -c $'\t'"$peer"$'\t0\trate\t[0-9.]*[1-9]' out/bench/figures)"
	done
}

testNobodyIsOutOfIt() {
	raced || return 0
	assertEquals "" "$(grep 'is out of it' notes)"
}

testNothingIsLeft() {
	raced || return 0
	assertEquals "processes" "" "$(pgrep -a -f "smtp-stdio-bench-$RUN")"
	assertEquals "control groups" "" "$(find /sys/fs/cgroup -name "*smtp-stdio-bench-$RUN*")"
	assertEquals "files" "" "$(find /dev/shm -maxdepth 1 -name "smtp-stdio-bench-$RUN*")"
}

# shellcheck source=/dev/null
. shunit2
