#!/bin/bash
# Each fuzz target for a second, and each with a fault planted in what it looks at.
. "$(dirname "$0")/lib.sh"

TARGETS='smtp address request config aliases users identity environment peer log policy message mbox quota'

testASecondOfEachTargetFindsNothing() {
	local target status
	"$TOP/tests/fuzz" -l 1 >"$T/said" 2>&1
	status=$?
	assertEquals "$(cat "$T/said")" 0 $status
	for target in $TARGETS; do
		grep -qE "^libFuzzer $target +[0-9]{2,} executions, cov: [0-9]{2,}, 0 crashes$" "$T/said" ||
			fail "$target did not run: $(cat "$T/said")"
	done
}

# copy NAME -- a copy of the tests and of what they look at, in $T/NAME.
copy() {
	local part
	for part in smtp-stdio deliver sandbox; do
		mkdir -p "$T/$1/$part"
		cp "$TOP/$part"/*.[ch] "$T/$1/$part/"
	done
	cp -r "$TOP/tests" "$T/$1/"
}

# plant NAME FILE SED -- put a fault into the copy.
plant() {
	sed -i "$3" "$T/$1/$2"
	cmp -s "$T/$1/$2" "$TOP/$2" && fail "no fault was planted in $2"
}

testAPlantedFaultIsFoundByEachTarget() {
	local target status
	copy each
	plant each smtp-stdio/body.c 's/body->bare |= !after_cr && !body->normalize;//'
	plant each smtp-stdio/address.c "s/plain\[i\] == '\"' || plain\[i\] == .*)/plain[i] == '\"')/"
	plant each smtp-stdio/request.c 's/\*least = 1;/*least = 0;/'
	plant each smtp-stdio/config.c 's/(n > row->most \/ factor)/(n > row->most)/'
	plant each smtp-stdio/aliases.c 's/ && a->best == 0)/)/'
	plant each smtp-stdio/users.c 's/return errno == ENOENT || errno == ENOTDIR;/return true;/'
	plant each sandbox/identity.c 's/n < UINT_MAX;/n <= UINT_MAX;/'
	plant each smtp-stdio/environment.c "s/\*value == '-'/*value == '+'/"
	plant each smtp-stdio/peer.c 's/n >= sizeof peer->address/n > sizeof peer->address/'
	plant each smtp-stdio/log.c 's/sizeof "\\\\xNN" + 3 > size/sizeof "\\\\xNN" + 2 > size/'
	plant each smtp-stdio/check-policy.c "s/answer\[0\] == '.n' ? answer : //"
	plant each deliver/message.c 's/if (n > sizeof m->line - m->len)/if (n >= sizeof m->line - m->len)/'
	plant each deliver/mbox.c 's/return n == 0 ? 0 : output_write(&m->out, from, n);/return n < 2 ? 0 : output_write(\&m->out, from, n);/'
	plant each deliver/quota.c 's/have > most - more/have >= most - more/'
	"$T/each/tests/fuzz" -l 10 >"$T/said" 2>&1
	status=$?
	assertEquals "$(cat "$T/said")" 1 $status
	for target in $TARGETS; do
		grep -qE "^libFuzzer $target .* 1 crashes$" "$T/said" ||
			fail "$target found nothing: $(cat "$T/said")"
	done
}

# What several targets need is looked at alone.
testAFaultInChunksOrCharactersIsFoundToo() {
	local pids=() name
	copy chunk
	plant chunk smtp-stdio/chunk.c 's/chunk->cr = true;/chunk->cr = at + 1 < most;/'
	copy utf8
	plant utf8 smtp-stdio/utf8.c 's/{0xed, 0xed, 3, 0x80, 0x9f}/{0xed, 0xed, 3, 0x80, 0xbf}/'
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
