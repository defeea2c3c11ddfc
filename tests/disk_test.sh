#!/bin/bash
# disk_test.sh -- a short form of tests/torture/disk: disks that are full, over quota or broken while mail
# comes, and then are not.  Without writes that fail: a young ext4 may lose its journal by them, and all
# that is in it with it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
# shellcheck source=torture/rig.sh
. "$TOP/tests/torture/rig.sh"

testServiceGoesOnWhenADiskIsWellAgain() {
	why_not=$(can_break_disks) || { skip "$why_not"; return 0; }
	"$TOP/tests/torture/disk" 5 full inodes quota reads >out 2>&1
	ended $? out
	assertEquals "disk: 4 tried, 0 violations" "$(tail -n 1 out)"
}

# shellcheck source=/dev/null
. shunit2
