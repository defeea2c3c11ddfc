#!/bin/bash
# together_test.sh -- many deliveries at once into the same mailboxes, ours and other programs', and into
# more mailboxes than there is room for: nothing is lost, nothing mixed up, and nobody waits for ever.
# shellcheck source-path=SCRIPTDIR
if [ "$(id -u)" -eq 0 ] && [ -z "${TOGETHER_APART:-}" ]; then
	TOGETHER_APART=1 exec unshare -m --propagation private bash "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
# shellcheck source=deliver_lib.sh
. "$TOP/tests/deliver_lib.sh"

D=$T/d
cat >"$T/conf" <<END
Hostname mx.test
Domain mx.test
Users $D/%u
Mailbox M/
Aliases $T/aliases
Postmaster alice
DeliverPath $BIN/deliver
END

# says NUMBER NAME ... -- what a client says to deliver message NUMBER to these.
says() {
	local number=$1
	shift
	printf 'EHLO client.test\r\nMAIL FROM:<sender@client.test>\r\n'
	printf 'RCPT TO:<%s@mx.test>\r\n' "$@"
	printf 'DATA\r\n'
	text "$number" | crlf
	printf '.\r\nQUIT\r\n'
}

# text NUMBER -- the message: each line has its number.
text() {
	printf 'Subject: %s\n\n' "$1"
	seq -f "message $1 line %g" 20
}

# session [ARG ...] -- the reply after the dot.
session() {
	"$BIN/smtp-stdio" -C "$T/conf" "$@" 2>>"$T/log" | tr -d '\r' | sed '1,/^354/d' | head -n 1
}

setUp() {
	cd "$T" || exit 1
	rm -rf "$D" log
	mkdir "$D"
	: >aliases
	: >log
}

# places NAME ... -- a directory of each one's own.
places() {
	local name n=2200
	for name; do
		n=$((n + 1))
		install -d -m 755 "$D/$name"
		[ "$(id -u)" -ne 0 ] || chown $n:$n "$D/$name"
	done
}

# split MBOX -- read/1 ... are its messages, whoever wrote them: our own reader is stricter.
split() {
	rm -rf read && mkdir read
	awk '/^From / && (NR == 1 || last == "") { file = "read/" ++n } { print >file; last = $0 }' "$1"
}

# assertAll WHAT COUNT FILE ... -- the files are the messages 1 to COUNT, each once and whole.
assertAll() {
	local what=$1 count=$2 file number
	shift 2
	assertEquals "$what: messages" "$count" $#
	for file; do
		number=$(sed -n 's/^Subject: //p' "$file")
		text "$number" | sed '1,/^$/d' | cmp -s - <(sed '1,/^$/d' "$file" | grep .) || echo "$what: message $number is not what was sent"
		echo "$number" >&3
	done 3>numbers >wrong
	assertEquals "" "$(cat wrong)"
	assertEquals "$what: each once" "$(seq "$count" | paste -sd' ')" "$(sort -n numbers | paste -sd' ')"
}

# ---- with other programs ------------------------------------------------------------------------

# Our sessions put each message into both; procmail locks as it is told by its two colons, and
# mutt_dotlock is what mutt calls where a mailbox is to be written to.
testTwoHundredIntoOneMboxAndOneMaildir() {
	need_root || return 0
	part usr/bin/mutt_dotlock mutt || return 0
	local n begin=$SECONDS
	OWNER=2201
	places alice
	made "$D/alice/M"
	owner touch "$D/alice/box"
	echo "both: $D/alice/box, $D/alice/M/" >aliases
	printf 'SHELL=/bin/sh\nLOCKSLEEP=1\nLOGFILE=%s/procmail.log\n:0:\n%s\n' "$D/alice" "$D/alice/box" >rc.mbox
	printf 'SHELL=/bin/sh\n:0\n%s\n' "$D/alice/M/" >rc.maildir
	cat >with_mutt <<-END
		#!/bin/sh
		# Status 1: the mailbox grew while it looked at it; 3: it is locked.  After its 10th try it ends
		# with 0 and no lock, so it has fewer.
		until $BIN/mutt_dotlock -r 4 $D/alice/box; do case \$? in 1 | 3) ;; *) exit 1 ;; esac; done
		{ echo "From mutt Thu Jan  1 00:00:00 1970"; cat; echo; } >>$D/alice/box
		$BIN/mutt_dotlock -u $D/alice/box
	END
	chmod 755 with_mutt
	cp "$PARTS/usr/bin/mutt_dotlock" "$BIN/"
	for ((n = 1; n <= 200; n++)); do
		if [ $n -le 120 ]; then
			says $n both | session &
		elif [ $((n % 2)) -eq 0 ]; then
			text $n | owner procmail -f sender -m "$T/rc.mbox" 2>>procmail.log && echo 0 || echo procmail &
			text $n | owner "$BIN/deliver" "$D/alice/M/" && echo 0 || echo deliver &
		else
			text $n | owner ./with_mutt && echo 0 || echo "mutt_dotlock $?" &
			text $n | owner procmail -f sender -m "$T/rc.maildir" 2>>procmail.log && echo 0 || echo procmail &
		fi
	done >ends
	wait
	assertEquals "all of ours" 120 "$(grep -c '^250 2.0.0' ends)"
	assertEquals "all of the others'" "" "$(grep -v '^250 2.0.0\|^0$' ends)"
	echo "200 and 200 deliveries in $((SECONDS - begin)) s"
	split "$D/alice/box"
	assertAll mbox 200 read/*
	assertAll Maildir 200 "$D"/alice/M/new/*
	assertEquals "nothing is left over" "" "$(find "$D" -name '*.lock' -o -path '*/M/tmp/*')"
}

# ---- locks --------------------------------------------------------------------------------------

# Two mboxes, and four paths that lead to them, in another order by name: by a symbolic link in the
# middle, and mounted a second time.
crossing() {
	places one two
	ln -s two "$D/a"
	if [ "$(id -u)" -eq 0 ]; then
		mkdir "$D/z" && mount --bind "$D/one" "$D/z"
	else
		ln -s one "$D/z"
	fi
	printf '%s\n' "a2: $D/a/box" "one: $D/one/box" "z1: $D/z/box" "two: $D/two/box" 'list: one, two' 'tsil: two, one' \
		"all: list, a2, z1" >aliases
}
uncross() {
	! mountpoint -q "$D/z" || umount "$D/z"
}

testManyMessagesInOppositeOrders() {
	local n begin=$SECONDS
	crossing
	for ((n = 1; n <= 36; n++)); do
		case $((n % 6)) in
		0) says $n one two | session & ;;
		1) says $n two one | session & ;;
		2) says $n a2 one | session & ;;
		3) says $n two z1 | session & ;;
		4) says $n tsil | session & ;;
		5) says $n list z1 a2 all | session & ;;
		esac
	done >ends
	wait
	assertEquals "$(tail log)" 36 "$(grep -c '^250 2.0.0' ends)"
	assertTrue "in $((SECONDS - begin)) s" "[ $((SECONDS - begin)) -lt 45 ]"
	for n in one two; do
		split "$D/$n/box"
		assertAll $n 36 read/*
	done
	uncross
}

# Each message has one mbox locked before it asks for another, if the two can have another order at all.
testTwoMessagesNeverWaitForEachOther() {
	local first second
	while read -r first second; do
		crossing
		mkdir -m 777 turns
		cat >helper <<-END
			#!/bin/sh
			if ! mkdir $T/turns/\$PPID 2>/dev/null; then
				n=0
				until [ -e $D/one/box.lock -a -e $D/two/box.lock ] || [ \$n -ge 15 ]; do
					sleep 0.05
					n=\$((n + 1))
				done
			fi
			exec $BIN/deliver "\$@"
		END
		chmod 755 helper
		# shellcheck disable=SC2086  # words are wanted
		{
			says 1 ${first//,/ } | session -o "DeliverPath $T/helper" &
			says 2 ${second//,/ } | session -o "DeliverPath $T/helper" &
			wait
		} >ends
		assertEquals "$first, $second: $(tail log)" 2 "$(grep -c '^250 2.0.0' ends)"
		assertTrue "nobody waited for a lock in vain: $(cat log)" "! grep -q 'seconds=[1-9][0-9]' log"
		uncross
		rm -rf "$D" turns log
	done <<-END
		one,two two,one
		a2,one two,z1
		a2,one one,two
		list tsil
		two,z1 all
	END
}

# Whose directory its user may not pass is in no order; it fails alone, and takes the other with it.
testAMailboxThatItsUserCannotReachMeansLaterForAll() {
	need_root || return 0
	places alice locked
	: >"$D/locked/box"
	chown 2202:2202 "$D/locked/box"
	chown 0:0 "$D/locked"
	chmod 700 "$D/locked"
	install -d -o 2201 -g 2201 "$D"/alice/M{,/tmp,/new,/cur}
	echo "far: $D/locked/box" >aliases
	assertEquals "451" "$(says 1 alice far | session | cut -c1-3)"
	assertEquals "nothing" '0 0' "$(files "$D/alice/M/new") $(stat -c %s "$D/locked/box")"
	assertEquals "250" "$(says 1 alice | session | cut -c1-3)"
}

testOneMboxByTwoPathsGetsOneCopy() {
	crossing
	assertEquals "250 2.0.0" "$(says 1 a2 two one z1 list | session | cut -c1-9)"
	for n in one two; do
		split "$D/$n/box"
		assertAll $n 1 read/*
		assertEquals "$n: for whom" 3 "$(grep -c '^Delivered-To: ' "$D/$n/box")"
	done
	uncross
}

# ---- room ---------------------------------------------------------------------------------------

# crowd COUNT -- so many mailboxes of one owner, and a list of them.
crowd() {
	seq -f "$D/u%g" "$1" | xargs mkdir
	[ "$(id -u)" -ne 0 ] || chown 2201:2201 "$D"/*
	seq -f 'u%g' "$1" >members
	echo "crowd: :include:$T/members" >aliases
}

# What a session says that tries the list twenty times, and then one of its members.
says_again() {
	local n
	says 1 crowd | sed '/^QUIT/d'
	for n in {2..20}; do
		says "$n" crowd | sed '/^EHLO/d; /^QUIT/d'
	done
	says 21 u1 | sed '/^EHLO/d'
}

testALongListNeedsAHelperForEach() {
	local begin=$SECONDS count=999
	need_root || return 0
	[ "$(ulimit -Hn)" -ge 4096 ] || { skip "needs 4096 descriptors"; return; }
	crowd $count
	assertEquals "$(tail -n 2 log)" "250 2.0.0" "$(says 1 crowd | session | cut -c1-9)"
	assertEquals $count "$(find "$D" -path '*/new/*' | wc -l)"
	echo "$count mailboxes in $((SECONDS - begin)) s"
}

# later MAILBOX WHY CMD ... -- where there is no room for all nobody gets it, and the next message is as any.
later() {
	local box=$1 why=$2
	shift 2
	says_again >in
	"$@" "$BIN/smtp-stdio" -C "$T/conf" -o "Mailbox $box" <in >heard 2>log
	assertEquals "$(head -n 3 log)" "20 451 4.3.0
1 250 2.0.0" "$(tr -d '\r' <heard | grep -A1 '^354' | grep -v '^354\|^--' | cut -c1-9 | uniq -c | sed 's/^ *//')"
	assertEquals "the last message alone, to one" 1 "$(find "$D" -type f -size +0 | wc -l)"
	assertEquals "nothing is left over" "" "$(find "$D" -path '*/M/tmp/*' -o -name '*.lock')"
	assertTrue "the log says why: $(head -n 3 log)" "grep -q '$why' log"
}

# Three for each mailbox, in the monitor.
testTooFewDescriptorsMeansLaterForAll() {
	local box
	for box in M/ box; do
		rm -rf "$D" && mkdir "$D"
		crowd 100
		later $box 'cannot be started: No file descriptors available' prlimit --nofile=64
	done
}

# An mbox has two processes.
testTooFewProcessesMeansLaterForAll() {
	need_root || return 0
	local box
	for box in M/ box; do
		rm -rf "$D" && mkdir "$D"
		crowd 100
		later $box 'Resource temporarily unavailable' setpriv --reuid=2201 --regid=2201 --clear-groups -- prlimit --nproc=50
	done
}

# shellcheck source=/dev/null
. shunit2
