#!/bin/bash
# The monitor against a session that an attacker has taken over: it serves what its table permits, and kills the
# session at the first packet that is not so.  By tests/hostile.c, case by case; by tests/hostile_fuzz at random.
. "$(dirname "$0")/lib.sh"
cp "$O/bin/hostile" "$BIN/" || exit 1

last_words=$'421 4.3.0 service not available; closing\r\n'
slow_words=$'421 4.4.2 too slow, or too long; closing\r\n'
# N is a note of a command, G one that gives the client up.
readonly LETTERS=(H F R B E X V L N P G)
declare -rA PACKET=([H]='8:HSMTP me' [F]='8:F0 0 a@b?' [R]='14:Ralice@mx.test?' [B]='6:Bhello' [E]='1:E?'
	[X]='1:X' [V]='14:Valice@mx.test?' [L]='14:Lalice@mx.test?' [N]='2:Nc' [P]='1:P?' [G]='2:Ne')
# How an honest session comes into a state.
declare -rA WALK=([IDLE]='' [FROM]=${PACKET[F]} [RCPT]=${PACKET[F]}${PACKET[R]}
	[BODY]=${PACKET[F]}${PACKET[R]}${PACKET[B]})
# What may be asked when, and where it leads: every other pair is out of turn.
declare -rA NEXT=(
	[IDLE H]=IDLE [IDLE F]=FROM [IDLE X]=IDLE [IDLE V]=IDLE [IDLE L]=IDLE [IDLE N]=IDLE [IDLE P]=IDLE [IDLE G]=DONE
	[FROM R]=RCPT [FROM X]=IDLE [FROM V]=FROM [FROM L]=FROM [FROM N]=FROM [FROM P]=FROM [FROM G]=DONE
	[RCPT R]=RCPT [RCPT B]=BODY [RCPT E]=IDLE [RCPT X]=IDLE [RCPT V]=RCPT [RCPT L]=RCPT [RCPT N]=RCPT [RCPT P]=RCPT
	[RCPT G]=DONE
	[BODY B]=BODY [BODY E]=IDLE [BODY X]=IDLE [BODY V]=BODY [BODY L]=BODY [BODY N]=BODY [BODY P]=BODY [BODY G]=DONE)

setUp() {
	user_directories alice bob
	RUN=()
	SESSION=()
}

# netstring OCTETS -- as one packet of the script.
netstring() {
	printf '%d:%s' "${#1}" "$1"
}

# octets N -- so many.
octets() {
	local text
	printf -v text '%*s' "$1" ''
	printf '%s' "${text// /x}"
}

# hostile [ARG ...] -- the session does what the script on standard input says; $T/out and $T/log are
# what the client and the administrator see, $status the monitor's exit status.
hostile() {
	timeout -k 1 5 "${RUN[@]}" "$BIN/hostile" -C /dev/null -o "DeliverPath $BIN/deliver" -o "Hostname mx.test" \
		-o "Users $T/users/%u" -o 'Postmaster postmaster' -o "SizeLimit 65536" -o "RecipientLimit 3" "${SESSION[@]}" "$@" >"$T/out" 2>"$T/log"
	status=$?
}

delivered() {
	local found=("$T"/users/*/Maildir/new/[0-9]*)
	if [ -e "${found[0]}" ]; then echo ${#found[@]}; else echo 0; fi
}

# logged -- the log, whatever the session said its client's name is.
logged() {
	events "$T/log" | sed 's/ helo=[^ ]*//'
}

# killed WHAT SCRIPT REASON [SAID] -- after the script the session is killed: it neither reads an
# answer nor goes on, the monitor says why and ends well, and nothing is delivered.
killed() {
	printf '%s?!' "$2" >"$T/script"
	killed_by_file "$1" "$3" "${4:-}"
}
killed_by_file() {
	local before log
	before=$(delivered)
	hostile <"$T/script"
	log=$(logged)
	assertEquals "$1: exit status" 0 "$status"
	assertEquals "$1: log" "killed session=ID client=local why=\"$2\"" "${log##*$'\n'}"
	printf '%s%s' "$3" "$last_words" | cmp - "$T/out" || fail "$1: the client read something else"
	assertEquals "$1: delivered" "$before" "$(delivered)"
}

# served WHAT SCRIPT SAID -- the whole script is served, with those answers, one a line.
served() {
	hostile < <(printf '%s' "$2")
	assertEquals "$1: exit status" 0 "$status"
	assertEquals "$1: answers" "$3" "$(sed 's/^\(Y2\.0\.0\) .* delivered$/\1/' "$T/out")"
}

# Whatever was done to it, no session outlives its test.
tearDown() {
	local left
	left=$(pgrep -f "^$BIN/hostile") || return 0
	fail "left behind: $left"
	# shellcheck disable=SC2086  # a list of pids, our own
	kill -KILL $left
}

# Every pair of state and letter, and after every pair that is permitted every letter again: so the
# state that it led to is seen too.
testWhatMayBeAskedWhenIsTheTable() {
	local state letter after next want=0
	SESSION=(-o 'Expand yes') # or there is no yes to L
	for state in IDLE FROM RCPT BODY; do
		for letter in "${LETTERS[@]}"; do
			next=${NEXT[$state $letter]:-}
			hostile < <(printf '%s' "${WALK[$state]}${PACKET[$letter]}")
			judge_turn "$state $letter" "$next"
			[ -n "$next" ] || continue
			[ "$letter" != E ] || want=$((want + 1))
			for after in "${LETTERS[@]}"; do
				# A pause takes its time: few of those, where they tell most.
				[ "$after" != P ] || [ "$next" = DONE ] || continue
				[[ $letter != P || $after == [FE] ]] || continue
				hostile < <(printf '%s' "${WALK[$state]}${PACKET[$letter]}${PACKET[$after]}")
				judge_turn "$state $letter $after" "${NEXT[$next $after]:-}"
				[ "$letter" != E ] || want=$((want + 1))
				[ "$after" != E ] || [ -z "${NEXT[$next $after]:-}" ] || want=$((want + 1))
			done
		done
	done
	assertEquals 'one delivery for each permitted E' "$want" "$(delivered)"
}
judge_turn() {
	local log='' out=''
	if [ -z "$2" ]; then
		log='killed session=ID client=local why="a request is out of turn"'
		out=${last_words%$'\r\n'}
	fi
	assertEquals "$1: exit status" 0 "$status"
	assertEquals "$1: log" "$log" "$(logged | grep -v '^delivered \|^gave-up ')"
	assertEquals "$1: last words" "$out" "$(tr -d '\r' <"$T/out" | grep '^421')"
}

testARefusedRecipientChangesNoState() {
	local nobody='15:Rnobody@mx.test?' said=$'Y\nN5.1.1 no such mailbox here\n'
	killed 'a body' "${PACKET[F]}$nobody${PACKET[B]}" 'a request is out of turn' "$said"
	killed 'an end' "${PACKET[F]}$nobody${PACKET[E]}" 'a request is out of turn' "$said"
	served 'another one' "${PACKET[F]}$nobody${PACKET[R]}$nobody${PACKET[B]}" \
		"${said}Y"$'\nN5.1.1 no such mailbox here'
}

testALookUpTellsNothingUnlessItIsAllowed() {
	served 'neither' '14:Valice@mx.test?15:Vnobody@mx.test?14:Lalice@mx.test?15:Lnobody@mx.test?' $'Y\nY\nN\nN'
	SESSION=(-o 'Verify yes')
	served 'VRFY' '6:Valice?15:Vnobody@mx.test?6:Lalice?' $'Y<alice@mx.test>\nN5.1.1 no such mailbox here\nN'
	SESSION=(-o 'Expand yes')
	served 'EXPN' '6:Valice?6:Lalice?15:Lnobody@mx.test?' $'Y\nY<alice@mx.test>\nN5.1.1 no such mailbox here'
}

testAnUnknownLetter() {
	local octet text
	for ((octet = 0; octet < 256; octet++)); do
		case $octet in 72 | 70 | 82 | 66 | 69 | 88 | 86 | 76 | 78 | 80) continue ;; esac # HFRBEXVLNP
		printf -v text '\\%03o' "$octet"
		# shellcheck disable=SC2059  # the octet is written by the format
		printf "1:$text?!" >"$T/script"
		killed_by_file "octet $octet" 'a packet is malformed' ''
	done
}

testAPacketThatIsTooLong() {
	killed 'a body' "${WALK[RCPT]}$(netstring "B$(octets 65537)")" 'a packet is too long' $'Y\nY\n'
	killed 'an unknown letter' "$(netstring "Q$(octets 100000)")" 'a packet is too long'
}

testAnEmptyPacket() {
	killed 'at once' '0:' 'a packet is empty'
	killed 'in a message' "${WALK[BODY]}0:" 'a packet is empty' $'Y\nY\n'
}

# malformed LETTER TEXT -- data of that letter that cannot be decoded.
malformed() {
	local walk='' said='' form=''
	case $1 in
	R) walk=${WALK[FROM]} said=$'Y\n' ;;
	B | E) walk=${WALK[RCPT]} said=$'Y\nY\n' ;;
	esac
	[ "$1" != F ] || form='0 0 '
	killed "$(printf '%s %.20q, %d octets' "$1" "$2" "${#2}")" "$walk$(netstring "$1$form$2")" \
		"${3:-a packet is malformed}" "$said"
}

testDataThatIsMalformed() {
	local letter text before
	for letter in H F R V L; do
		for text in $'a\001@b' $'a\n@b' $'a\t@b' $'a\177@b' $'a\351@b' $'a\xc3@b' $'\xc2\x80@b' $'a@b\r'; do
			before=''
			[ "$letter" != H ] || before='SMTP '
			malformed "$letter" "$before$text"
		done
	done
	malformed H $'SMTP m\xc3\xa4'
	killed 'a sender without its form' 1:F 'a packet is malformed'
	for text in '4 0 a@b' '0a@b' '0 a@b' '0  a@b' '0 00 a@b' '0 01 a@b' '0 +1 a@b' '0 1' '0 1073741825 a@b' '0 11111111111 a@b' \
		'0 18446744073709551616 a@b'; do
		killed "a sender as $text" "$(netstring "F$text")" 'a packet is malformed'
	done
	for text in '' x cc C; do
		malformed N "$text"
	done
	malformed P x
	for letter in H R B V L; do
		malformed "$letter" ''
	done
	malformed H "ESMTP $(octets 256)"
	for letter in F R V L; do
		malformed "$letter" "a@$(octets 510)"
	done
	malformed E x
	malformed X x
}

# What can be decoded, and is not what the monitor's own rule lets pass.
testDataBeyondTheMonitorsRule() {
	local letter text no='a request is beyond the limits'
	for text in alice @mx.test alice@ alice@mx/test alice@.. 'alice@mx test' 'alice@"mx"' 'alice@mx%test' \
		"$(octets 256)@mx.test" "alice@$(octets 256)" 'alice@mx.test,bob@mx.test ' 'a@b@'; do
		for letter in F R V L; do
			case "$letter $text" in
			[VL]' alice' | *@..) continue ;; # VRFY and EXPN take a name; dots are for the look-up
			esac
			malformed "$letter" "$text" "$no"
		done
	done
	# What is not ASCII must have been announced.
	for letter in F R; do
		malformed "$letter" $'j\xc3\xb6rg@mx.test' "$no"
		malformed "$letter" $'a@m\xc3\xbc.test' "$no"
	done
	for text in 'LMTP me' 'esmtp me' 'me' 'SMTP' 'SMTP ' 'SMTPS me' 'ESMTP  me' 'SMTP you me' "SMTP $(octets 256)"; do
		malformed H "$text" "$no"
	done
}

testTheSizeLimit() {
	local many one no='a request is beyond the limits' said=$'Y\nY\n'
	one=$(netstring "B$(octets 65536)")
	many=$(netstring "B$(octets 1000)")
	printf -v many "$many%.0s" {1..65}
	killed 'one packet' "${WALK[BODY]}$one" "$no" "$said"
	killed 'a size that is declared' '12:F0 65537 a@b' "$no"
	served 'the largest' '12:F0 65536 a@b?' Y
	killed 'one octet more' "${WALK[RCPT]}${one}2:Bx" "$no" "$said"
	killed 'many packets' "${WALK[RCPT]}$many$(netstring "B$(octets 537)")" "$no" "$said"
	served 'just as much, twice' "${WALK[RCPT]}$one${PACKET[E]}${WALK[RCPT]}$many$(netstring "B$(octets 536)")${PACKET[E]}" \
		$'Y\nY\nY2.0.0\nY\nY\nY2.0.0'
	assertEquals 2 "$(delivered)"
}

testTheRecipientLimit() {
	local three=${PACKET[R]}${PACKET[R]}${PACKET[R]} refused='15:Rnobody@mx.test?'
	killed 'one more' "${WALK[FROM]}$three${PACKET[R]}" 'a request is beyond the limits' $'Y\nY\nY\nY\n'
	killed 'one more that is none' "${WALK[FROM]}$three$refused" 'a request is beyond the limits' $'Y\nY\nY\nY\n'
	served 'counted anew' "${WALK[FROM]}${three}1:X${WALK[FROM]}$three" $'Y\nY\nY\nY\nY\nY\nY\nY'
}

testTheLimitsOfASession() {
	local no='a request is beyond the limits' one two
	two=$(netstring "B$(octets 40000)")
	printf '%s?!' "${WALK[RCPT]}${two}1:X${WALK[RCPT]}$two" >"$T/script"
	SESSION=(-o 'SessionSizeLimit 65536')
	killed_by_file 'octets of all messages' "$no" $'Y\nY\nY\nY\n'
	SESSION=(-o 'MessageLimit 2')
	one=${PACKET[F]}1:X
	printf '%s?!' "$one$one${PACKET[F]}" >"$T/script"
	killed_by_file 'messages' "$no" $'Y\nY\n'
	SESSION=()
}

# A domain is a word of a command line as much as a user is, the postmaster's too.
testADomainReachesNoCommandUnchecked() {
	printf 'postmaster: root\n' >"$T/aliases"
	printf '%s' "${PACKET[F]}14:Rpostmaster@-x?" | timeout 5 "$BIN/hostile" -C /dev/null -o 'Hostname mx.test' \
		-o 'Mailbox /tmp/' -o 'Postmaster alice' -o "Aliases $T/aliases" -o 'DeliverCommand /bin/true %u %d %r' >"$T/out" 2>"$T/log"
	assertEquals $'Y\nN5.1.1 no such mailbox here' "$(cat "$T/out")"
}

# The announcement is one message's.
testWhatIsNotAsciiIsAnnouncedForEachMessage() {
	killed 'the next message' "8:F1 0 a@b?1:X8:F0 0 a@b?$(netstring $'Rj\xc3\xb6rg@mx.test')" 'a request is beyond the limits' $'Y\nY\n'
}

# Each refusal is a line in the log: a session that has been taken over writes them as it likes, so they
# come slowly beyond a number that no client needs.
testAFloodOfRefusalsIsSlowedDown() {
	local flood begin
	printf -v flood '15:Rnobody@mx.test?%.0s' {1..1002}
	begin=$(date +%s%N)
	hostile < <(printf '%s' "${WALK[FROM]}$flood")
	assertTrue 'two seconds for two of them' "[ $((($(date +%s%N) - begin) / 1000000)) -ge 2000 ]"
	assertEquals 1002 "$(grep -c '^refused' "$T/log")"
}

testAThousandLookUpsAreNoRecipients() {
	local flood
	printf -v flood '15:Rnobody@mx.test?%.0s' {1..1000}
	killed 'flood' "${WALK[FROM]}$flood${PACKET[B]}" 'a request is out of turn' \
		"$(printf 'Y\n'; printf 'N5.1.1 no such mailbox here\n%.0s' {1..1000})"$'\n'
}

testASessionThatReadsNoAnswers() {
	local flood
	printf -v flood '14:Valice@mx.test%.0s' {1..9000}
	hostile -o 'SessionTimeout 1h' < <(printf '%s!' "$flood")
	assertEquals 'exit status' 0 "$status"
	assertEquals 'killed session=ID client=local why="answers are not read"' "$(logged)"
}

# stalled WHAT SCRIPT DELIVERED [ARG ...] -- a session that comes to no end is brought to it.
stalled() {
	local what=$1 script=$2 want=$3
	shift 3
	hostile -o 'SessionTimeout 1' "$@" < <(printf '%s' "$script")
	assertEquals "$what: exit status" 0 "$status"
	assertEquals "$what: log" 'timeout session=ID client=local' "$(logged | grep -v '^delivered ')"
	assertEquals "$what: last words" "${slow_words%$'\r\n'}" "$(tail -n 1 "$T/out" | tr -d '\r')"
	assertEquals "$what: delivered" "$want" "$(delivered)"
}

testASessionThatStallsIsEndedByTheClock() {
	stalled 'says nothing' '.' 0
	stalled 'spins' '!' 0
	stalled 'stops in a message' "${WALK[BODY]}." 0
	stalled 'stops after the end' "${WALK[BODY]}${PACKET[E]}." 1
	stalled 'spins after an end that it does not hear' "${WALK[BODY]}1:E!" 2
	hostile -o 'CommandTimeout 1' < <(printf .) # no socket: the monitor keeps the client's time too
	assertEquals 'CommandTimeout' 'timeout session=ID client=local' "$(logged)"
}

testWithUsersNoneNobodyHasAMailbox() {
	printf '8:F0 0 a@b?11:Rpostmaster?14:Ralice@mx.test?' | timeout 5 "$BIN/hostile" -C /dev/null -o 'Users none' \
		-o 'Hostname mx.test' >"$T/out" 2>"$T/log"
	assertEquals $'Y\nN5.1.1 no such mailbox here\nN5.1.1 no such mailbox here' "$(cat "$T/out")"
}

testASessionThatMakesAForbiddenSystemCallIsTold() {
	hostile < <(printf '%s#1:E?' "${WALK[BODY]}")
	assertEquals 'exit status' 0 "$status"
	assertEquals 'jail session=ID client=local why="the session made a forbidden system call and was killed"' "$(logged)"
	assertEquals $'Y\nY\n421 4.3.0 service not available; closing' "$(tr -d '\r' <"$T/out")"
	assertEquals 0 "$(delivered)"
}

testMessagesOfOneSessionKnowNothingOfEachOther() {
	served 'two messages' "${WALK[RCPT]}12:Rbob@mx.test?4:Bone1:E?8:F0 0 c@d?12:Rbob@mx.test?4:Btwo1:E?" $'Y\nY\nY\nY2.0.0\nY\nY\nY2.0.0'
	assertEquals 'alice' 1 "$(files "$T/users/alice/Maildir/new")"
	assertEquals 'bob' 2 "$(files "$T/users/bob/Maildir/new")"
	local second
	second=$(grep -l two "$T/users/bob/Maildir/new/"*)
	assertNotContains 'the second' "$(cat "$second")" one
	assertNotContains 'the second' "$(cat "$second")" alice
	assertContains 'the second' "$(cat "$second")" 'Return-Path: <c@d>'
	assertNotContains 'the first' "$(cat "$T/users/alice/Maildir/new/"*)" two
}

testAResetForgetsEverything() {
	served 'reset' "${WALK[BODY]}1:X8:F0 0 c@d?12:Rbob@mx.test?4:Btwo1:E?" $'Y\nY\nY\nY\nY2.0.0'
	assertEquals 'deliveries' 1 "$(delivered)"
	assertEquals 'bob' 1 "$(files "$T/users/bob/Maildir/new")"
	assertNotContains "$(cat "$T/users/bob/Maildir/new/"*)" hello
	assertContains "$(cat "$T/users/bob/Maildir/new/"*)" 'Return-Path: <c@d>'
	killed 'and its recipients' "${WALK[BODY]}1:X${PACKET[F]}${PACKET[B]}" 'a request is out of turn' $'Y\nY\nY\n'
}

# An ordinary user's monitor kills its session too.
testTheSameForAnOrdinaryUser() {
	need_root || return 0
	RUN=(setpriv --reuid=2001 --regid=2001 --clear-groups --)
	killed 'out of turn' "${PACKET[B]}" 'a request is out of turn'
	served 'a message' "${WALK[BODY]}${PACKET[E]}" $'Y\nY\nY2.0.0'
	assertEquals 1 "$(delivered)"
	stalled 'spins' '!' 1
}

# Neither the client's end nor the log's that is closed ends the monitor.
testAClosedPipeEndsNothing() {
	mkfifo "$T/closed"
	# shellcheck disable=SC2094  # opened both ways, so that opening it to write finds a reader
	exec 8<>"$T/closed" 7>"$T/closed" 8>&- # a pipe that nobody reads any more
	printf '%s' "$(netstring Q)!" | timeout 5 "$BIN/hostile" -C /dev/null 2>"$T/log" >&7
	assertEquals 'client' '0 0' "${PIPESTATUS[*]}"
	printf '%s' "${PACKET[F]}15:Rnobody@mx.test?${PACKET[R]}${PACKET[B]}1:E?" | timeout 5 "$BIN/hostile" -C /dev/null \
		-o "DeliverPath $BIN/deliver" -o "Users $T/users/%u" -o 'Postmaster postmaster' -o 'Domain mx.test' >"$T/out" 2>&7
	assertEquals 'log' '0 0' "${PIPESTATUS[*]}"
	exec 7>&-
	assertEquals 'delivered' 1 "$(delivered)"
}

# The answer to a bad packet is the end: between it and the kill the monitor sends nothing.
testABadPacketIsNeverAnswered() {
	local packet
	for packet in 1:E 1:Q 0: 8:Ralice@. 9:F0\ 0\ a\@/; do
		printf '4:Va@b?%s?!' "$packet" | strace -f -qq -e trace=sendto,recvfrom,kill -o "$T/trace" \
			"$BIN/hostile" -C /dev/null >"$T/out" 2>"$T/log"
		assertEquals "$packet: answers" 1 "$(grep -c 'sendto(3' "$T/trace")"
		assertEquals "$packet: kills" 1 "$(grep -cE 'kill\([0-9]+, SIGKILL\) += 0' "$T/trace")"
	done
}

# Whatever is said to it, by whoever it is root for, it does what the model of it does (tests/hostile_model.py), and
# nothing else.
testAtRandomItDoesWhatItMayAndNothingElse() {
	need_root || return 0
	local seed=$((RANDOM * 32768 + RANDOM))
	echo "seed $seed"
	"$TOP/tests/hostile_fuzz" $seed 300 "$BIN" >"$T/said" 2>&1
	status=$?
	[ $status -ne 77 ] || { skip "$(cat "$T/said")"; return 0; }
	ended $status "$T/said"
	assertTrue "$(cat "$T/said")" "grep -qE '^300 sessions, [0-9]{4} packets, 0 violations$' $T/said"
}

. shunit2
