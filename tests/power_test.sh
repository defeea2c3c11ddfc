#!/bin/bash
# power_test.sh -- a few of the power cuts of tests/torture/power, and the control that shows that it sees
# a loss.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
# shellcheck source=torture/rig.sh
. "$TOP/tests/torture/rig.sh"

testWhatHadIts250OutlivesAPowerCut() {
	why_not=$(can_break_disks) || { skip "$why_not"; return 0; }
	"$TOP/tests/torture/power" -q 2 ext4 >out 2>&1
	ended $? out
	assertEquals "power: 2 tried, 0 violations" "$(tail -n 1 out)"
	assertEquals "the control: $(cat out)" 1 "$(grep -c '^control: without any sync, cut [0-9]* loses [1-9]' out)"
}

# shellcheck source=/dev/null
. shunit2
