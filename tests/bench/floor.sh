# floor.sh -- the bare loops.  Sourced after peer.sh.
# shellcheck shell=bash

ready() {
	[ -x "$TOP/.build/bench/floor" ] || { echo "floor.c is not built"; return 1; }
}
