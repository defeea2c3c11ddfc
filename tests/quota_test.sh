#!/bin/bash
# The quota of a Maildir: maildirsize as maildrop, Courier and Dovecot keep it, and deliver beside them.
. "$(dirname "$0")/lib.sh"
# shellcheck source=deliver_lib.sh
. "$TOP/tests/deliver_lib.sh"

D=$T/d
# Where the owner of the mailboxes finds the others' programs: a clone may be where nobody else may look.
PEERS=$T/peers

setUp() {
	rm -rf "$D"
	mkdir "$D" && cd "$D" || exit 1
	[ "$(id -u)" -ne 0 ] || chown "$OWNER:$OWNER" "$D"
	printf 'Subject: short\n\nA text\n' >"$T/short" # 23 octets
	made M
}

oneTimeTearDown() {
	leave
}

# limits LINE ... -- M's maildirsize has these lines.
limits() {
	printf '%s\n' "$@" | owner tee M/maildirsize >/dev/null
}

# sum -- "octets files", as the lines of maildirsize add up.
sum() {
	awk 'NR > 1 { octets += $1; files += $2 } END { print octets + 0, files + 0 }' M/maildirsize
}

# there -- the same, of the files that are in new and cur of M and its folders.
there() {
	find M -path '*/new/*' -type f -printf '%s\n' -o -path '*/cur/*' -type f -printf '%s\n' |
		awk '{ octets += $1; files++ } END { print octets + 0, files + 0 }'
}

lines() {
	wc -l <M/maildirsize
}

# tells STATUS TEXT ARG ... -- deliver ends with that status and says that first.
tells() {
	local status=$1 text=$2
	shift 2
	deliver "$@" <"$T/short" 2>"$T/err"
	assertEquals "status of deliver $*" "$status" $?
	assertEquals "deliver $* says first" "$text" "$(head -n 1 "$T/err")"
}

# assertSum WANT [WHAT] -- and that is what is there.
assertSum() {
	assertEquals "${2:-} sum" "$1" "$(sum)"
	assertEquals "${2:-} files" "$1" "$(there)"
}

# two_in LIMITS -- M has those limits, and 46 octets in two files.
two_in() {
	limits "$1" '0 0'
	deliver M/ <"$T/short" && deliver M/ <"$T/short" || fail "cannot fill M"
}

# ---- the usual way ------------------------------------------------------------------------------

testWithoutMaildirsizeNothingIsDone() {
	owner strace -f -o trace -e trace=openat,fork,clone,socketpair "$BIN/deliver" M/ <"$T/short"
	assertEquals "calls" 1 "$(grep -c 'maildirsize.*ENOENT' trace)"
	assertEquals "in all" 6 "$(grep -c . <(grep -v '+++' trace))"
	# shellcheck disable=SC2012  # names of ours
	assertEquals "no such file is made" "cur new tmp" "$(ls M | paste -sd ' ')"
	assertEquals "a name without a size" 0 "$(find M/new -name '*,S=*' | wc -l)"
	assertFiles "0 1 0" M
}

testDeliveryIsAddedAndTheNameTellsTheSize() {
	limits 10000S,10C '0 0'
	deliver M/ <"$T/short"
	assertEquals 0 $?
	assertEquals "$(printf '10000S,10C\n0 0\n23 1')" "$(cat M/maildirsize)"
	assertEquals "its name" 1 "$(find M/new -name '*,S=23' | wc -l)"
	assertOctets "$T/short" M/new/*
	deliver -f s@x -r me@x M/ <"$T/short"
	assertSum "$(there)"
	assertEquals "what was put on top counts" 1 "$(find M/new -name '*,S=61' | wc -l)"
	assertFiles "0 2 0" M
}

testFullIsLaterOrNever() {
	local limit
	for limit in 60S 2C 60S,100C 1000000S,2C; do
		rm -rf M && made M
		two_in $limit
		tells 75 "4.2.2 mailbox is full" M/
		assertContains "the log" "$(cat "$T/err")" "deliver: M/: over its quota"
		tells 69 "5.2.2 mailbox is full" -Q M/
		assertFiles "0 2 0" M
		assertSum "46 2" "$limit"
	done
}

testWhatIsWithinTheLimitGoesIn() {
	local limit
	for limit in 69S 3C '0S,3C' '69S,0C' 0S 100X '69S,3C,1X' ' 69S , 3C'; do
		rm -rf M && made M
		two_in "$limit"
		tells 0 "" M/
		assertSum "69 3" "$limit"
	done
}

testSystemsQuotaIsForGoodWithQ() {
	local message=$D/message
	rm -f M/maildirsize
	head -c 300000 /dev/zero >"$message"
	owner prlimit --fsize=200000 "$BIN/deliver" -Q M/ <"$message" 2>err
	assertEquals 69 $?
	assertEquals "5.2.2 mailbox is full" "$(head -n 1 err)"
	assertFiles "0 0 0" M
}

testMaildirsizeThatCannotBeUsedMeansLater() {
	owner mkfifo M/maildirsize
	tells 75 "4.2.0 mailbox cannot be used" M/
	owner rm M/maildirsize && owner touch other && owner ln -s ../other M/maildirsize
	tells 75 "4.2.0 mailbox cannot be used" M/
	owner rm M/maildirsize && limits 100S '0 0' && owner chmod 400 M/maildirsize
	tells 75 "4.2.0 mailbox cannot be used" M/
	assertFiles "0 0 0" M
}

# ---- folders ------------------------------------------------------------------------------------

testFolderCountsTowardsTheMaildirAndTrashDoesNot() {
	made M/.sub M/.Trash M/.Trash.old
	owner touch M/.sub/maildirfolder M/.Trash/maildirfolder
	limits 69S '0 0'
	deliver -e sub M/ <"$T/short"
	deliver M/.sub/ <"$T/short"
	assertFiles "0 2 0" M/.sub
	assertSum "46 2" "by -e and by its path"
	deliver -e Trash M/ <"$T/short"
	deliver M/.Trash/ <"$T/short"
	assertFiles "0 2 0" M/.Trash
	assertEquals "trash" "46 2" "$(sum)"
	assertEquals "no size in the name" 0 "$(find M/.Trash -name '*,S=*' | wc -l)"
	deliver -e Trash.old M/ <"$T/short"
	assertEquals "a folder of it" "69 3" "$(sum)"
	tells 75 "4.2.2 mailbox is full" -e sub M/
	tells 75 "4.2.2 mailbox is full" M/.sub/
	assertFiles "0 2 0" M/.sub
	assertEquals "counted anew" "$(printf '69S\n69 3')" "$(cat M/maildirsize)"
}

# ---- counted anew -------------------------------------------------------------------------------

testMoreThanOneLineIsCountedAnewBeforeItRefuses() {
	limits 50S '40 2' '9 1'
	tells 0 "" M/
	assertEquals "$(printf '50S\n0 0\n23 1')" "$(cat M/maildirsize)"
	limits 20S '0 0' '0 0'
	tells 75 "4.2.2 mailbox is full" M/
	assertEquals "$(printf '20S\n23 1')" "$(cat M/maildirsize)"
}

testOneLineIsBelievedForAQuarterOfAnHour() {
	limits 50S '40 2'
	owner touch -d '-14 minutes' M/maildirsize
	tells 75 "4.2.2 mailbox is full" M/
	assertEquals "$(printf '50S\n40 2')" "$(cat M/maildirsize)"
	owner touch -d '-16 minutes' M/maildirsize
	tells 0 "" M/
	assertEquals "$(printf '50S\n0 0\n23 1')" "$(cat M/maildirsize)"
}

# long_file LIMITS [MORE] -- a maildirsize of 5119 octets and MORE that says "23 1"; LIMITS has 7.
long_file() {
	{ printf '%s\n23 1\n00 0 %s\n' "$1" "${2:-}"; yes '0 0' | head -n 1275; } | owner tee M/maildirsize >/dev/null
}

testFileOf5120OctetsIsCountedAnew() {
	long_file 100000S
	assertEquals "length" 5119 "$(stat -c %s M/maildirsize)"
	deliver M/ <"$T/short"
	assertEquals "one octet less is believed" "46 2" "$(sum)"
	assertEquals "and it is now longer" 5124 "$(stat -c %s M/maildirsize)"
	deliver M/ <"$T/short"
	assertEquals "$(printf '100000S\n23 1\n23 1')" "$(cat M/maildirsize)"
	long_file 100000S ' '
	assertEquals "length" 5120 "$(stat -c %s M/maildirsize)"
	deliver M/ <"$T/short"
	assertEquals "of 5120" "$(printf '100000S\n46 2\n23 1')" "$(cat M/maildirsize)"
}

testBrokenFileIsCountedAnew() {
	local broken
	for broken in '0 0\n5\n' '0 0\nx y\n' '0 0\n1 1 x\n' '0 0\n1 1' '-5 0\n' '0 -1\n' '' '0 0\n\0\0\n' \
		'0 0\n\n' '99999999999999999999 1\n' '9000000000000000000 1\n9000000000000000000 1\n'; do
		rm -rf M && made M
		deliver M/ <"$T/short"
		# shellcheck disable=SC2059  # it is a format
		printf "100S,9C\n$broken" | owner tee M/maildirsize >/dev/null
		deliver M/ <"$T/short"
		assertEquals "status after $broken" 0 $?
		assertEquals "$broken" "$(printf '100S,9C\n23 1\n23 1')" "$(cat M/maildirsize)"
	done
}

testFileWithoutAFirstLineLimitsNothing() {
	local text
	for text in '' '10S'; do
		printf %s "$text" | owner tee M/maildirsize >/dev/null
		tells 0 "" M/
		assertEquals "$text" "$text" "$(cat M/maildirsize)"
	done
}

testFirstLineAndModeAreKept() {
	limits ' 100S , 9C, 7X' '-1 -1'
	owner chmod 664 M/maildirsize
	deliver M/ <"$T/short"
	assertEquals "$(printf ' 100S , 9C, 7X\n0 0\n23 1')" "$(cat M/maildirsize)"
	assertEquals 664 "$(stat -c %a M/maildirsize)"
	assertEquals "nothing is left in tmp" 0 "$(files M/tmp)"
}

testWhatIsCounted() {
	made M/.sub M/.sub.deep M/.Trash M/other away
	owner tee <"$T/short" M/new/1 M/cur/2:2,S M/.sub/new/3 M/.sub.deep/cur/4 >/dev/null           # 4 of 23
	owner tee </dev/null 'M/new/5,S=1000' 'M/cur/6,S=1000:2,RS' 'M/cur/7,S=1000,W=1010:2,' >/dev/null # 3 of 1000
	owner tee <"$T/short" 'M/cur/8,S=10x:2,' 'M/cur/9:2,S=5' 'M/cur/10,S=:2,' >/dev/null              # 3 of 23
	# neither what is marked as deleted, nor the trash, nor what is no folder
	owner tee <"$T/short" M/cur/11:2,ST M/.Trash/cur/12 M/other/cur/13 M/.sub/tmp/14 M/tmp/15 M/new/.16 \
		M/.file away/new/17 >/dev/null
	owner ln -s ../away M/.linked
	limits 100000S,100C '-1 -1'
	deliver M/ <"$T/short"
	assertEquals "$(printf '100000S,100C\n3161 10\n23 1')" "$(cat M/maildirsize)"
}

testNewFileIsSyncedBeforeItHasTheName() {
	limits 1000S '-1 -1'
	owner strace -f -qq -o trace -e trace=renameat,fsync,openat,linkat "$BIN/deliver" M/ <"$T/short"
	assertEquals "$(printf 'fsync\nrenameat')" \
		"$(sed -n 's/^[0-9]* *\([a-z]*\)(.*/\1/p' trace | grep -B1 renameat)"
}

testChangeWhileItIsCountedIsNotMissed() {
	limits 1000S '-1 -1'
	deliver -n 1.a M/ <"$T/short"
	limits 1000S '-1 -1'
	owner strace -f -qq -o trace -e trace=renameat -e inject=renameat:delay_enter=300000:when=1 \
		"$BIN/deliver" M/ <"$T/short" &
	wait_for grep -q 'renameat(' trace
	owner touch 'M/cur/other,S=100:2,'
	wait $!
	assertEquals 0 $?
	assertEquals "$(printf '1000S\n123 2\n23 1')" "$(cat M/maildirsize)"
	assertEquals "twice" 2 "$(grep -c 'renameat(' trace)"
}

testCountThatCannotBeMadeMeansLater() {
	local call
	pliant_deliver
	for call in renameat getdents64; do
		limits 100S '-1 -1'
		# shellcheck disable=SC2046  # words are wanted
		owner $(failing $call EIO 1) "$BIN/pliant" M/ <"$T/short" 2>err
		assertEquals "$call" 75 $?
		assertEquals "$call" "4.3.0 mailbox cannot be written now" "$(grep -v ^strace err | head -n 1)"
		assertFiles "0 0 0" M
		assertEquals "$call" "$(printf '100S\n-1 -1')" "$(cat M/maildirsize)"
	done
}

# ---- only asked -----------------------------------------------------------------------------------

testAskedItAnswersAndReadsNothing() {
	two_in 69S
	cp M/maildirsize before
	tells 0 "" -q 23 M/
	tells 0 "" -q 0 M/
	tells 75 "4.2.2 mailbox is full" -q 24 M/
	tells 69 "5.2.2 mailbox is full" -Q -q 24 M/
	tells 75 "4.2.2 mailbox is full" -q 99999999999999999999 M/
	limits 2C '46 2'
	tells 75 "4.2.2 mailbox is full" -q 0 M/
	assertFiles "0 2 0" M
	deliver -q 23 M/ <&- 2>/dev/null
	assertEquals "standard input is expected" 71 $?
	{ deliver -q 1 M/ 2>/dev/null; cat >rest; } <"$T/short"
	assertOctets "$T/short" rest
}

testAskedItCountsAnew() {
	limits 50S '40 2' '9 1'
	tells 0 "" -q 50 M/
	assertEquals "$(printf '50S\n0 0')" "$(cat M/maildirsize)"
	tells 75 "4.2.2 mailbox is full" -q 51 M/
}

testAskedForWhatHasNoQuotaItSaysYes() {
	tells 0 "" -q 1000000 M/
	tells 0 "" -q 1000000 -m absent/
	tells 0 "" -q 1000000 box
	tells 0 "" -q 1000000 -e none M/ box absent/
	assertEquals "nothing was made" "M" "$(ls)"
	made M/.Trash
	limits 10S '0 0'
	tells 75 "4.2.2 mailbox is full" -q 11 box absent/ M/
	tells 75 "4.2.2 mailbox is full" -q 11 -e none M/
	tells 0 "" -q 11 -e Trash M/
}

testUsageOfQ() {
	local size
	for size in '' x -1 1k '1 '; do
		deliver -q "$size" M/ <"$T/short" 2>/dev/null
		assertEquals "-q '$size'" 64 $?
	done
	deliver -q 1 -x -n 1.a M/ <"$T/short" 2>/dev/null
	assertEquals "with -x" 64 $?
}

# ---- all or none ------------------------------------------------------------------------------------

show() {
	echo "$(awk 'NR > 1 { o += $1; f += $2 } END { print o, f }' M/maildirsize) new $(find M/new -type f | wc -l)"
}
# Another program counts M anew, and knows of no lock.
renew() {
	{ head -n 1 M/maildirsize; find M/new -type f -printf '%s\n' |
		awk '{ o += $1; f++ } END { print o + 0, f + 0 }'; } >M/tmp/renewed
	mv M/tmp/renewed M/maildirsize
	show
}
look() {
	"${LOOK:-show}"
}
export -f look show renew

# hand STEPS WANT ARG ... -- be the other end of -c, with one message of 23 octets in M.
hand() {
	local steps=$1 want=$2
	shift 2
	rm -rf M box
	made M
	limits 100S '0 0'
	deliver M/ <"$T/short"
	old_mbox box
	assertEquals "$steps" "$want" \
		"$(owner "$PYTHON" "$T/deliver_hand.py" "$T/short" "$steps" "$BIN/deliver" -c HAND "$@" |
			sed -n 's/ *$//;/ /p' | paste -sd ';')"
	assertEquals "$steps: sum" "$(there)" "$(sum)"
}

testItIsAddedBeforeItIsSeenAndTakenOffWithIt() {
	hand 'hear look say:c hear look say:k hear end look' \
		'hear s;look 46 2 new 1;hear v;look 46 2 new 2;hear d;end 0;look 46 2 new 2' M/
	hand 'hear close end look' 'hear s;end 75;look 23 1 new 1' M/
	hand 'hear say:c hear close end look' 'hear s;hear v;end 75;look 23 1 new 1' M/
	hand 'hear say:c hear say:x end look' 'hear s;hear v;end 75;look 23 1 new 1' M/
	hand 'hear say:c hear say:k end look' 'hear s;hear v;end 0;look 46 2 new 2' M/
}

testItIsRightThoughItIsCountedAnewMeanwhile() {
	local -x LOOK=renew
	hand 'hear look say:c hear say:k end' 'hear s;look 23 1 new 1;hear v;end 0' M/
	hand 'hear look close end' 'hear s;look 23 1 new 1;end 75' M/
	hand 'hear say:c hear look close end' 'hear s;hear v;look 46 2 new 2;end 75' M/
	hand 'hear say:c hear look say:k end' 'hear s;hear v;look 46 2 new 2;end 0' M/
}

testMailboxThatFailsLeavesTheSumOfTheOthers() {
	made N
	limits 100S '0 0'
	owner cp M/maildirsize N/maildirsize
	owner chmod 500 N/new
	deliver M/ N/ <"$T/short" 2>/dev/null
	assertEquals 75 $?
	assertSum "0 0"
	owner chmod 700 N/new && printf '1S\n0 0\n' | owner tee N/maildirsize >/dev/null
	tells 75 "4.2.2 mailbox is full" M/ N/
	assertSum "0 0" "the other is full"
	tells 75 "4.2.2 mailbox is full" N/ M/
	assertSum "0 0" "the other is full"
	owner rm N/maildirsize
	tells 0 "" N/ M/
	assertSum "23 1"
}

testTwoPlacesOfOneQuotaAreBothAdded() {
	made M/.sub
	limits 50S '0 0'
	tells 0 "" M/ M/.sub/
	owner touch M/.sub/maildirfolder
	limits 50S '-1 -1'
	tells 75 "4.2.2 mailbox is full" M/ M/.sub/
	assertSum "46 2" "one too many"
	limits 100S '-1 -1'
	tells 0 "" M/ M/.sub/
	assertSum "92 4"
}

# With an mbox there is a guard, too, who goes on where its writer was killed.
testGuardOfAnMboxTakesItOff() {
	hand 'hear kill-last end look' 'hear s;end 75;look 23 1 new 1' M/ box
	hand 'hear say:c hear kill-last hear close end look' 'hear s;hear v;hear v;end 75;look 23 1 new 1' M/ box
	hand 'hear say:c hear kill-last hear say:k end look' 'hear s;hear v;hear v;end 0;look 46 2 new 2' M/ box
	assertHolds box "$T/old.message" "$T/short"
}

testWithoutItsKeeperNothingIsDelivered() {
	limits 100S '0 0'
	owner "$PYTHON" "$T/deliver_hand.py" "$T/short" 'hear kill-writer say:c end look' "$BIN/deliver" -c HAND M/ >got
	assertEquals "not seen, though added" "end 75;look 23 1 new 0" "$(grep -e ^end -e ^look got | paste -sd ';')"
	hand 'hear say:c hear kill-writer say:k end look' 'hear s;hear v;end 0;look 46 2 new 2' M/
}

# ---- killed -----------------------------------------------------------------------------------------

# What can be seen is always counted; at most what cannot be seen is, too.
assertNotTooLittle() {
	local sum there
	read -r -a sum <<<"$(sum)"
	read -r -a there <<<"$(there)"
	[ "${sum[1]}" -ge "${there[1]}" ] && [ "${sum[1]}" -le $((there[1] + 1)) ] &&
		[ "${sum[0]}" -eq $((sum[1] * 23)) ] || fail "$1: ${sum[*]} for ${there[*]}"
}

testKilledDeliverIsTakenOffByItsKeeper() {
	hand 'hear kill-guard end-writer look' 'hear s;end-writer 0;look 23 1 new 1' M/
	hand 'hear say:c hear kill-guard end-writer look' 'hear s;hear v;end-writer 0;look 46 2 new 2' M/
}

testKilledAtAnyStepTheSumIsNotTooSmall() {
	local call n count killed=0
	for call in write fsync linkat unlinkat fstat newfstatat fcntl recvfrom lseek; do
		rm -rf M && made M && limits 1000S '0 0'
		owner strace -f -o trace -e "trace=$call" "$BIN/deliver" M/ <"$T/short"
		count=$(awk '{ n[$1]++ } END { for (p in n) if (n[p] > most) most = n[p]; print most + 0 }' trace)
		for ((n = 1; n <= count; n++)); do
			rm -rf M && made M && limits 1000S '0 0'
			deliver M/ <"$T/short"
			owner strace -f -qq -o trace -e "trace=$call" -e "inject=$call:signal=KILL:when=$n" \
				"$BIN/deliver" -n 1.x M/ <"$T/short" 2>/dev/null
			! grep -q SIGKILL trace || killed=$((killed + 1))
			assertNotTooLittle "killed at $call number $n"
			deliver -x -n 1.x M/
			assertEquals "taken back after $call number $n" 0 $?
			assertSum "23 1" "after $call number $n"
		done
	done
	assertTrue "$killed killed" "[ $killed -ge 20 ]"
}

testFailedCallLeavesTheSum() {
	local call n count error status failed=0
	pliant_deliver
	for call in openat write fsync linkat fstat fcntl lseek read; do
		rm -rf M && made M && limits 1000S '0 0'
		owner strace -f -o trace -e "trace=$call" "$BIN/pliant" M/ <"$T/short"
		count=$(awk '{ n[$1]++ } END { for (p in n) if (n[p] > most) most = n[p]; print most + 0 }' trace)
		for ((n = 1; n <= count; n++)); do
			for error in ENOSPC EIO; do
				rm -rf M && made M && limits 1000S '0 0'
				deliver M/ <"$T/short"
				# shellcheck disable=SC2046  # words are wanted
				owner $(failing $call $error "$n") "$BIN/pliant" M/ <"$T/short" 2>/dev/null
				status=$?
				[ $status -eq 0 ] || failed=$((failed + 1))
				assertEquals "$status: seen after $error from $call number $n" \
					"$([ $status -eq 0 ] && echo 2 || echo 1)" "$(files M/new)"
				assertNotTooLittle "$error from $call number $n"
			done
		done
	done
	assertTrue "$failed failed" "[ $failed -ge 20 ]"
}

# What one delivery has noted, another does not take for room, nor for good.
testWhatIsBeingDeliveredIsNotCountedAway() {
	# shellcheck disable=SC2317  # called by deliver_hand.py
	one_more() {
		"$BIN/deliver" -Q M/ <"$T/short" 2>&1 | head -n 1
	}
	export -f one_more
	limits 40S '0 0'
	# shellcheck disable=SC2097,SC2098  # what it starts gets the values that are here
	BIN=$BIN T=$T LOOK=one_more owner "$PYTHON" "$T/deliver_hand.py" "$T/short" \
		'hear look say:c hear look say:k end' "$BIN/deliver" -c HAND M/ >got
	assertEquals "look 4.2.2 mailbox is full;look 5.2.2 mailbox is full" "$(grep ^look got | paste -sd ';')"
	assertSum "23 1"
}

# ---- many at once -----------------------------------------------------------------------------------

# crowd N ARG ... -- that many delivers at once; prints how many took it, how many were full, and whatever
# else was said.
crowd() {
	local n=$1 i yes=0 no=0
	local -a jobs=()
	shift
	rm -f "$T/crowd"
	for ((i = 0; i < n; i++)); do
		deliver "$@" <"$T/short" 2>>"$T/crowd" &
		jobs+=($!)
	done
	for i in "${jobs[@]}"; do
		wait "$i"
		case $? in 0) yes=$((yes + 1)) ;; 69 | 75) no=$((no + 1)) ;; esac
	done
	echo "$yes $no"
	grep -v -e ': over its quota' -e 'mailbox is full' "$T/crowd" | sort -u
}

testFiftyAtOnceAreAllAdded() {
	limits 100000S '0 0'
	assertEquals "50 0" "$(crowd 50 M/)"
	assertSum "1150 50"
	assertEquals "none was lost to a count" 52 "$(lines)"
}

testFiftyAtOnceAreAllAddedThoughItIsCountedAnewMeanwhile() {
	deliver M/ <"$T/short"
	long_file 100000S
	assertEquals "50 0" "$(crowd 50 M/)"
	assertSum "1173 51"
	assertTrue "counted" "[ $(stat -c %s M/maildirsize) -lt 600 ]"
}

testFiftyAtOnceDoNotExceedTheLimit() {
	limits 920S '0 0'
	assertEquals "40 10" "$(crowd 50 -Q M/)"
	assertSum "920 40"
}

# ---- through SMTP -----------------------------------------------------------------------------------

# What the client reads of a mailbox that is full, here after DATA; for RCPT see tests/engine_sessions.c.
testClientReads452Or552() {
	user_directories alice
	made "$T/users/alice/M"
	printf '10S\n0 0\n' | owner tee "$T/users/alice/M/maildirsize" >/dev/null
	printf '#!/bin/sh\nexec "%s" -Q "$@"\n' "$BIN/deliver" >"$T/for-good" && chmod 755 "$T/for-good"
	full() {
		printf '%s\r\n' 'EHLO client.test' 'MAIL FROM:<>' 'RCPT TO:<alice@mx.test>' DATA 'Subject: x' '' . QUIT |
			"$BIN/smtp-stdio" -C /dev/null -o "DeliverPath $1" -o 'Hostname mx.test' -o "Users $T/users/%u" \
				-o 'Postmaster postmaster' -o 'Mailbox M/' 2>"$T/log" |
			tr -d '\r' | sed '1,/^354/d;/^221/d'
	}
	assertEquals "452 4.2.2 mailbox is full" "$(full "$BIN/deliver")"
	assertEquals "552 5.2.2 mailbox is full" "$(full "$T/for-good")"
	assertContains "the log" "$(cat "$T/log")" "over its quota"
	assertFiles "0 0 0" "$T/users/alice/M"
}

# ---- taking back ------------------------------------------------------------------------------------

testTakingBackFindsTheNameThatTellsTheSize() {
	limits 1000S '0 0'
	deliver -n 1.a M/ <"$T/short"
	deliver -n 1.ab M/ <"$T/short"
	deliver -n 1.b M/ <"$T/short"
	assertEquals "1.a.$(hostname),S=23" "$(find M/new -name '1.a.*' -printf %f)"
	deliver -x -n 1.a M/
	assertEquals 0 $?
	assertEquals "the others stay" 2 "$(files M/new)"
	assertSum "46 2"
	owner rm M/maildirsize
	deliver -x -n 1.b M/
	assertEquals "and without the quota" "1.ab.$(hostname),S=23" "$(ls M/new)"
	limits 1000S '7 7'
	deliver -x -n 1.c M/
	assertEquals "nothing to take back" 0 $?
	assertEquals "but it is counted" "$(printf '1000S\n23 1')" "$(cat M/maildirsize)"
}

testAQuotaThatCannotBeAskedIsNoRefusal() {
	need_root || return 0
	limits 1000S '0 0'
	printf '%s\r\n' 'EHLO client.test' 'MAIL FROM:<> SIZE=100' 'RCPT TO:<alice@mx.test>' QUIT |
		timeout 20 strace -qq -o trace -e inject=vfork:error=EAGAIN "$BIN/smtp-stdio" -C /dev/null \
			-o "DeliverPath $BIN/deliver" -o "Mailbox $PWD/M/" >heard 2>log
	assertContains "$(cat log)" "$(cat heard)" '451 4.3.0 cannot look into this mailbox now'
	assertContains "$(errors log)" "$BIN/deliver: cannot be started: "
}

# ---- beside the others ------------------------------------------------------------------------------

# peer FILE PACKAGE || return 0 -- the programs of others are there.
peer() {
	part "$@" || return
	[ -d "$PEERS" ] || { mkdir "$PEERS" && cp -a "$PARTS/usr" "$PARTS/lib" "$PEERS"; }
}

with_libraries() {
	LD_LIBRARY_PATH=$PEERS/usr/lib:$PEERS/usr/lib/x86_64-linux-gnu:$PEERS/lib/x86_64-linux-gnu:$PEERS/usr/lib/dovecot "$@"
}

maildirmake() {
	with_libraries owner "$PEERS/usr/bin/maildirmake.maildrop" "$@"
}

testMaildropAndDeliverKeepOneQuota() {
	need_root || return 0
	peer usr/bin/maildrop maildrop || return 0
	local i
	rm -rf M
	maildirmake M && maildirmake -q 230S,100C M && maildirmake -f sub M || fail "maildirmake"
	printf 'to "%s/M"\n' "$D" >rc && chown 2001 rc && chmod 600 rc
	maildrop() {
		with_libraries with_users setpriv --reuid=2001 --regid=2001 --clear-groups \
			"$PEERS/usr/bin/maildrop" "$D/rc" <"$T/short" 2>>maildrop.log
	}
	for i in 1 2 3; do
		deliver M/ <"$T/short" && maildrop && deliver -e sub M/ <"$T/short" || fail "turn $i: $(cat maildrop.log)"
		assertSum "$((i * 69)) $((i * 3))" "turn $i"
	done
	maildrop || fail "the last that fits"
	assertSum "230 10"
	tells 75 "4.2.2 mailbox is full" M/
	maildrop
	assertEquals "maildrop" 75 $?
	assertEquals "names alike" 10 "$(find M -path '*/new/*,S=23' | wc -l)"
	owner find M/new -type f -delete
	owner touch -d '-16 minutes' M/maildirsize
	maildrop || fail "maildrop counts what deliver left"
	tells 0 "" M/
	assertSum "115 5" "counted anew"
}

testDovecotAndDeliverKeepOneQuota() {
	need_root || return 0
	peer usr/lib/dovecot/dovecot-lda dovecot-core || return 0
	cat >dovecot.conf <<-C
		base_dir = $D/run
		mail_location = maildir:$D/M
		mail_plugin_dir = $PEERS/usr/lib/dovecot/modules
		mail_plugins = quota
		plugin {
		  quota = maildir:User quota
		}
		log_path = /dev/stderr
		ssl = no
		default_internal_user = nobody
		default_login_user = nobody
		first_valid_uid = 1
	C
	lda() {
		with_libraries owner env USER=alice HOME="$D" "$PEERS/usr/bin/doveconf" -c "$D/dovecot.conf" \
			-f service=lda -e "$PEERS/usr/lib/dovecot/dovecot-lda" -e <"$T/short" >>lda.log 2>&1
	}
	limits 100S,10C '0 0'
	deliver M/ <"$T/short" && lda && deliver M/ <"$T/short" && lda || fail "$(cat lda.log)"
	assertSum "92 4"
	tells 75 "4.2.2 mailbox is full" M/
	lda
	ended $? lda.log 77
	assertContains "$(cat lda.log)" 'Quota exceeded'
	assertSum "92 4"
	owner find M/new -name '*P*Q*' -delete
	owner touch -d '-16 minutes' M/maildirsize
	deliver M/ <"$T/short" && lda || fail "$(cat lda.log)"
	assertSum "92 4" "counted anew"
}

. shunit2
