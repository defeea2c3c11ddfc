#!/bin/bash
# day_test.sh -- a short day of tests/torture/day, and that what holds the mailboxes against what clients
# were told sees all that can be wrong.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# make torture does the same with 200,000.
testTwoThousandMessagesOfFiftyClients() {
	need_root || return 0
	local status
	"$TOP/tests/torture/day" 2000 1 >said 2>&1
	status=$?
	[ $status -ne 77 ] || { skip "$(tail -n 1 said)"; return 0; }
	ended $status said
	assertTrue "$(cat said)" "tail -n 1 said | grep -qx 'day: 20[0-9][0-9] tried, 0 violations'"
}

# ---- the reader ---------------------------------------------------------------------------------

# copy SENDER USER -- a message as it lies in a mailbox.
copy() {
	printf 'Return-Path: <%s@client.test>\nDelivered-To: %s@here.test\n' "$1" "$2"
	printf 'Received: from client.test ([127.1.0.1])\n\tby here.test with SMTP id a.1\n\tfor <%s@here.test>;\n' "$2"
	printf '\tThu, 26 Nov 2026 00:00:00 +0000\nhello\n'
}

# Of four messages: one to two users, one whose client vanished, likewise, one that is refused.
a_day() {
	local sender user
	rm -rf homes mboxes && mkdir -p homes/u0{1,2}/Maildir/{tmp,new,cur} mboxes
	for user in u01 u02; do
		copy 1.0 $user >homes/$user/Maildir/new/1
		copy 2.0 $user >homes/$user/Maildir/new/2
	done
	{ echo 'From 3.0@client.test Thu Nov 26 00:00:00 2026'; copy 3.0 u03; echo; } >mboxes/u03
	for sender in 1.0 2.0 3.0; do
		echo "delivered session=a client=127.1.0.1 from=<$sender@client.test> to=<u01@here.test>"
	done >log
	cat >record <<-END
		1.0 there 6 363a3020 u01,u02
		2.0 perhaps 6 363a3020 u01,u02
		3.0 there 6 363a3020 u03
		4.0 never 6 363a3020 u01
	END
}

# sees COMMAND WHAT NUMBER -- what is found when that has happened in the meantime.
sees() {
	a_day
	eval "$1"
	/usr/bin/python3 "$TOP/tests/torture/day_read.py" homes mboxes log record >said 2>&1
	assertEquals "$1: $(cat said)" "$3" "$(tail -n 1 said)"
	assertEquals "$1: $(cat said)" "$2" "$(sed -n 's/^violation: \([^:]*\): .*/\1/p' said | sort -u | paste -sd,)"
}

testTheReaderSeesWhatIsWrong() {
	sees : '' 0
	sees 'rm homes/u02/Maildir/new/1' lost 1
	sees 'rm homes/u0?/Maildir/new/1' 'log counts otherwise,lost' 3
	sees ': >mboxes/u03; sed -i /3.0@/d log' lost 1
	sees 'rm homes/u02/Maildir/new/2' 'in some mailboxes only' 1
	sees 'rm homes/u0?/Maildir/new/2; sed -i /2.0@/d log' '' 0
	sees 'cp homes/u02/Maildir/new/1 homes/u02/Maildir/cur/1:2,S' doubled 1
	sees 'cat mboxes/u03 mboxes/u03 >both; mv both mboxes/u03' doubled 1
	sees 'copy 4.0 u01 >homes/u01/Maildir/new/4' visible 1
	sees 'copy smuggled u01 >homes/u01/Maildir/new/4' visible 1
	sees 'copy 1.0 u03 >mboxes/add; { echo "From 1.0@client.test Thu Nov 26 00:00:00 2026"; cat mboxes/add; echo; } >>mboxes/u03; rm mboxes/add' visible 1
	sees 'sed -i s/hello/hallo/ homes/u01/Maildir/new/1' 'not whole' 1
	sees 'sed -i s/hello/hello./ mboxes/u03' 'not whole' 1
	sees 'head -c 40 homes/u01/Maildir/new/2 >half; mv half homes/u01/Maildir/new/2' 'in some mailboxes only,not whole' 2
	sees 'echo more >>mboxes/u03' 'log counts otherwise,lost,no mbox' 3
	sees ': >homes/u01/Maildir/tmp/1' 'left over' 1
	sees 'sed -i 1d log' 'log counts otherwise' 1
	sees 'sed -i 1p log' 'log counts otherwise' 1
	sees 'echo error session=a client=local what="something" >>log' log 1
	sees 'sed -i s/never/later/ record; echo failed session=a reply=\"4.2.0 mailbox is locked\" >>log' '' 0
	sees 'printf "%s.0 later 6 363a3020 u01\\n" 5 6 7 >>record' locked 1
	sees 'echo failed session=a reply=\"4.3.1 no room\" >>log' log 1
	sees 'echo Segmentation fault >>log' log 1
}

# shellcheck source=/dev/null
. shunit2
