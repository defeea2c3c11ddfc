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

# copy NAME -- a copy of the tests and of what they look at, in $T/NAME.
copy() {
	mkdir -p "$T/$1/smtp-stdio"
	cp -r "$TOP/tests" "$T/$1/"
	cp "$TOP"/smtp-stdio/*.[ch] "$T/$1/smtp-stdio/"
}

# plant NAME FILE SED -- put a fault into the copy.
plant() {
	sed -i "$3" "$T/$1/smtp-stdio/$2"
	cmp -s "$T/$1/smtp-stdio/$2" "$TOP/smtp-stdio/$2" && fail "no fault was planted in $2"
}

testAPlantedFaultIsFoundByEachTarget() {
	local target status
	copy each
	plant each body.c 's/body->bare |= !after_cr && !body->normalize;//'
	plant each address.c "s/plain\[i\] == '\"' || plain\[i\] == .*)/plain[i] == '\"')/"
	plant each request.c 's/\*least = 1;/*least = 0;/'
	plant each config.c 's/(n > row->most \/ factor)/(n > row->most)/'
	plant each aliases.c 's/ && a->best == 0)/)/'
	"$T/each/tests/fuzz" -l 10 >"$T/said" 2>&1
	status=$?
	assertEquals "$(cat "$T/said")" 1 $status
	for target in smtp address request config aliases; do
		grep -qE "^libFuzzer $target .* 1 crashes$" "$T/said" ||
			fail "$target found nothing: $(cat "$T/said")"
	done
}

# What several targets need is looked at alone.
testAFaultInChunksOrCharactersIsFoundToo() {
	local pids=() name
	copy chunk
	plant chunk chunk.c 's/chunk->cr = true;/chunk->cr = taken + 1 < most;/'
	copy utf8
	plant utf8 utf8.c 's/{0xed, 0xed, 3, 0x80, 0x9f}/{0xed, 0xed, 3, 0x80, 0xbf}/'
	"$T/chunk/tests/fuzz" -l 10 smtp >"$T/chunk.said" 2>&1 &
	pids+=($!)
	"$T/utf8/tests/fuzz" -l 10 request >"$T/utf8.said" 2>&1 &
	pids+=($!)
	wait "${pids[@]}"
	for name in chunk utf8; do
		grep -qE '^libFuzzer .* 1 crashes$' "$T/$name.said" ||
			fail "nothing found in $name: $(cat "$T/$name.said")"
	done
}

. shunit2
