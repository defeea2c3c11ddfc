#!/bin/bash
# Each fuzz target for a few seconds, and each with a fault planted in what it looks at.
. "$(dirname "$0")/lib.sh"

testThreeSecondsOfEachTargetFindNothing() {
	local target status
	"$TOP/tests/fuzz" -l 3 >"$T/said" 2>&1
	status=$?
	assertEquals "$(cat "$T/said")" 0 $status
	for target in smtp address request config aliases; do
		grep -qE "^libFuzzer $target +[0-9]{4,} executions, cov: [0-9]{2,}, 0 crashes$" "$T/said" ||
			fail "$target did not run: $(cat "$T/said")"
	done
}

# plant FILE SED -- put a fault into the copy.
plant() {
	sed -i "$2" "$T/copy/smtp-stdio/$1"
	cmp -s "$T/copy/smtp-stdio/$1" "$TOP/smtp-stdio/$1" && fail "no fault was planted in $1"
}

testAPlantedFaultIsFoundByEachTarget() {
	local target status
	mkdir -p "$T/copy/smtp-stdio"
	cp -r "$TOP/tests" "$T/copy/"
	cp "$TOP"/smtp-stdio/*.[ch] "$T/copy/smtp-stdio/"
	plant body.c 's/body->bare |= !after_cr;//'
	plant address.c "s/plain\[i\] == '\"' || plain\[i\] == .*)/plain[i] == '\"')/"
	plant request.c 's/\*least = 1;/*least = 0;/'
	plant config.c 's/(n > row->most \/ factor)/(n > row->most)/'
	plant aliases.c 's/a->ours = same && n == a->name_len;/a->ours = same;/'
	"$T/copy/tests/fuzz" -l 10 >"$T/said" 2>&1
	status=$?
	assertEquals "$(cat "$T/said")" 1 $status
	for target in smtp address request config aliases; do
		grep -qE "^libFuzzer $target .* 1 crashes$" "$T/said" ||
			fail "$target found nothing: $(cat "$T/said")"
	done
}

. shunit2
