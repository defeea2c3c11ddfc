#!/bin/bash
# The session, its pump included: the same replies and the same messages however the client's octets come
# in, and no system call but three.
. "$(dirname "$0")/lib.sh"

D=$TOP/tests/dialogues
PURE=(smtp verbs events command address literal body chunk header reply help utf8 word request)

testEveryDialogueIsTheSameHoweverItIsRead() {
	local seed=$((RANDOM * 32768 + RANDOM)) sources=("${PURE[@]/#/$TOP/smtp-stdio/}")
	cc -D_GNU_SOURCE -std=c11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -o "$T/pump" \
		"$TOP/tests/pump.c" "${sources[@]/%/.c}" || { fail "pump does not build"; return; }
	echo "seed $seed"
	"$T/pump" $seed 100 "$D"/*.in "$D"/*.raw >"$T/said" 2>&1
	assertEquals "$(tail -n 20 "$T/said")" 0 $?
	assertTrue "they were run: $(cat "$T/said")" "grep -qE '^seed $seed: [0-9]{2} dialogues, [0-9]{5,} runs, 0 wrong' $T/said"
}

# Whatever is said to it, the session reads, writes and ends.
testTheSessionMakesThreeSystemCalls() {
	need_root || return 0 # to trace what may not be traced
	local box=$T/box name
	install -d -o nobody -g nogroup "$box"
	for name in bdat lmtp smtputf8 errors; do
		crlf <"$D/$name.in" >"$T/in"
		strace -f -qq -o "$T/trace" "$BIN/smtp-stdio" -C /dev/null -o "DeliverPath $BIN/deliver" -o "Mailbox $box/in/" \
			-o "Protocol $([ $name = lmtp ] && echo lmtp || echo smtp)" <"$T/in" >"$T/out" 2>"$T/log"
		# the session is the process that loaded a filter and reads from descriptor 0
		awk '/seccomp\(SECCOMP_SET_MODE_FILTER/ && !pid { pid = $1; next } $1 == pid { sub(/\(.*/, "", $2); print $2 }' \
			"$T/trace" | sort -u | grep '^[a-z]' | xargs >"$T/calls"
		assertEquals "$name" 'exit_group read write' "$(cat "$T/calls")"
	done
}

. shunit2
