#!/bin/bash
# The engine alone: pure, the same events however its input is cut, one reply for each line and each
# message, and a message that ends where RFC 5321 says.
. "$(dirname "$0")/lib.sh"

D=$TOP/tests/dialogues
S=$TOP/smtp-stdio
PURE=(smtp events verbs command address literal body chunk header utf8 word help reply request)

# By the machine's own compiler, with sanitizers.
oneTimeSetUp() {
	local sources=("${PURE[@]/#/$S/}")
	cc -D_GNU_SOURCE -std=c11 -O1 -g -fsanitize=address,undefined \
		-fno-sanitize-recover=all -o "$T/engine" \
		"$TOP"/tests/engine*.c "$TOP"/tests/oracle*.c "${sources[@]/%/.c}" || exit 1
}

# engine ARG ... -- run it, and show what it says when it fails.
engine() {
	"$T/engine" "$@" >"$T/said" 2>&1 || {
		tail -n 40 "$T/said"
		fail "engine $1"
		return 1
	}
}

testRecordedDialoguesAreTheSameHoweverTheyAreCut() {
	local seed=$((RANDOM * 32768 + RANDOM))
	echo "seed $seed"
	engine dialogues $seed 200 "$D"/*.in "$D"/*.raw || return
	assertTrue "dialogues were run" \
		"grep -qE '^seed $seed: [0-9]{2,} dialogues, [0-9]{5,} runs' $T/said"
}

testNothingButItsTrueEndEndsAMessage() {
	engine smuggling
}

testEveryShortTextEndsAndIsTakenOrRefusedAsStated() {
	engine body || return
	assertEquals "with and without normalizing" "174762 texts, 113152 lines" "$(cut -d, -f1,2 "$T/said")"
}

testEveryShortTextInChunksIsTheMessageThatIsStated() {
	engine chunks || return
	assertEquals "5461 texts" "$(cut -d, -f1 "$T/said")"
}

testNoOctetsButThoseOfCharactersAreCharacters() {
	engine utf8 || return
	assertEquals "16777216 sequences" "$(cat "$T/said")"
}

testALineOf2048OctetsIsTakenAndALongerOneRefused() {
	engine long
}

testAMessageOfSizeLimitIsTakenAndALargerOneRefused() {
	engine large
}

testASessionEndsAtEachOfItsLimitsAndNotBefore() {
	engine limits
}

testEveryAnswerOfTheMonitorHasItsReply() {
	engine answers
}

# The table's heading ends at the first empty line.
testEveryCommandInEveryStateIsToldAsTheTableSays() {
	engine matrix || return
	sed '1,/^$/d' "$TOP/tests/matrix.txt" >"$T/expected"
	assertEquals "both tables are there" 129 "$(wc -l <"$T/expected")"
	diff "$T/expected" "$T/said" || fail "another reply, or another state"
}

# undefined OBJECT ... -- the names that the objects want from elsewhere.
undefined() {
	local objects=("${@/#/$O/obj/smtp-stdio/}")
	objects=("${objects[@]/%/.o}")
	nm --undefined-only -j "${objects[@]}" | grep -v ':$' | sort -u >"$T/wanted"
	nm --defined-only -j "${objects[@]}" | grep -v ':$' | sort -u >"$T/have"
	comm -23 "$T/wanted" "$T/have" | grep .
}

# What a pure function may call: nothing that has a state, waits or allocates.
testThePureFilesCallNothingButEachOtherAndMemcpysKin() {
	local compiler='__stack_chk_fail|__stack_chk_guard|_GLOBAL_OFFSET_TABLE_|__mem(cpy|move|set)_chk'
	local kin='mem(chr|cpy|move|set|cmp)|str(chr|len|cmp|cspn)'
	undefined "${PURE[@]}" >"$T/names"
	assertEquals "" "$(grep -vxE "$compiler|$kin" "$T/names")"
	assertContains "the objects were looked at" "$(cat "$T/names")" strlen
	undefined config utf8 >"$T/names"
	assertEquals "" "$(grep -vxE "$compiler|$kin|strspn|str(n)?(case)?cmp" "$T/names")"
	assertContains "the objects were looked at" "$(cat "$T/names")" strlen
}

# No state of its own either: nothing writable, so two conversations cannot meet.
testThePureFilesHaveNoVariables() {
	local file writable
	for file in "${PURE[@]}" config; do
		writable=$(objdump -h "$O/obj/smtp-stdio/$file.o" |
			awk '$2 ~ /^\.(t?data|t?bss)/ && $2 !~ /^\.data\.rel\.ro/ && $3 !~ /^0+$/ { print $2 }')
		assertEquals "$file" "" "$writable"
		objdump -h "$O/obj/smtp-stdio/$file.o" | grep -q ' \.text' || fail "$file was not read"
	done
}

. shunit2
