#!/bin/bash
# recorded_test.sh -- the dialogues of real clients in dialogues/client-* are what these clients say
# and hear today.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

D=$TOP/tests/dialogues

# settled NAME FILE -- what that client sent, without what differs from day to day: dates, boundaries,
# numbers of processes and of queue files, and the size that follows from their lengths.
settled() {
	local date='[A-Z][a-z]{2}, [0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} \+0000'
	case $1 in
	swaks) sed -E "s/$date/DATE/" "$2" ;;
	smtplib) sed -E 's/={15}[0-9]{19}==/BOUNDARY/' "$2" ;;
	smtp-source) sed -E "s/$date/DATE/; s/^(Message-Id: <)[0-9a-f.]+@/\1ID@/" "$2" ;;
	postfix) sed -E "s/$date/DATE/; s/^(\tid )[0-9A-F]+;/\1ID;/; s/ SIZE=[0-9]+ / SIZE=N /" "$2" ;;
	*) cat "$2" ;;
	esac
}

testEveryClientSaysAndHearsWhatIsRecorded() {
	local name why n=0
	mkdir anew
	"$TOP/tests/record" "$T/anew" >log 2>&1
	ended $? log
	while read -r name; do
		why=$(sed -n "s/^SKIP: $name: //p" log)
		[ -z "$why" ] || { skip "$name: $why"; continue; }
		n=$((n + 1))
		settled "$name" "$D/client-$name.raw" >recorded
		settled "$name" "anew/client-$name.raw" >said
		cmp -s recorded said || { diff -a recorded said; fail "$name does not say what is recorded"; }
		diff -a "$D/client-$name.out" "anew/client-$name.out" || fail "$name hears something else"
	done < <(find "$D" anew -name 'client-*.raw' | sed 's/.*client-//; s/\.raw$//' | sort -u)
	assertTrue "there are recorded clients ($n)" "[ $n -ge 5 ]"
}

# shellcheck source=/dev/null
. shunit2
