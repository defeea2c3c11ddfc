#!/bin/bash
# Every reply code of the classic list, brought about for real: by a client, by what the administrator
# wrote, or by what happened to a mailbox.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

readonly CLASSIC='211 214 220 221 250 251 252 354 421 450 451 452 500 501 502 503 504 550 551 552 553 554 555'
SEEN=

setUp() {
	user_directories alice bob jörg
}

printf '%s\n' 'away: erin@else.test' 'gone: error:551 new@else.test' 'busy: error:450 busy until May' >"$T/aliases"

# code WANTED WHAT LINE ... -- the session of those lines, with $SETTINGS, has a reply with that code.
SETTINGS=()
code() {
	local wanted=$1 what=$2
	shift 2
	printf '%s\r\n' "$@" QUIT | smtp -o "Users $T/users/%u" -o 'Postmaster alice' -o 'Domain mx.test' -o "Aliases $T/aliases" \
		"${SETTINGS[@]}" >"$T/out" 2>"$T/log"
	assertTrue "$wanted $what: $(cat "$T/out")" "grep -q '^${wanted}[ -]' $T/out"
	SEEN="$SEEN $wanted"
}

HELLO='EHLO client.test' MAIL='MAIL FROM:<a@client.test>' RCPT='RCPT TO:<alice@mx.test>'

testCodesOfAnOrdinarySession() {
	code 220 'the greeting'
	code 221 'QUIT'
	code 250 'EHLO' "$HELLO"
	code 354 'DATA' "$HELLO" "$MAIL" "$RCPT" DATA 'x: y' .
	assertEquals 'and it arrives' 1 "$(files "$T/users/alice/Maildir/new")"
	code 211 'where the session stands' 'HELP STATUS'
	code 214 'help' HELP
	code 252 'a name that is not told' 'VRFY alice'
	SETTINGS=(-o 'Verify yes')
	code 250 'a name that is' 'VRFY alice'
	assertTrue "$(cat "$T/out")" "grep -q '^250 2.1.5 <alice@mx.test>' $T/out"
	SETTINGS=()
}

testCodesOfUsersWhoAreElsewhere() {
	code 251 'forwarded' "$HELLO" "$MAIL" 'RCPT TO:<away@mx.test>'
	assertTrue 'says where to' "grep -q '^251 2.1.5 .*<erin@else.test>' $T/out"
	code 551 'moved' "$HELLO" "$MAIL" 'RCPT TO:<gone@mx.test>'
	assertTrue 'says where to' "grep -q '^551 5.1.6 .*<new@else.test>' $T/out"
	SETTINGS=(-o 'Expand yes')
	code 250 'EXPN' 'EXPN alice'
	assertTrue "$(cat "$T/out")" "grep -q '^250 2.1.5 <alice@mx.test>' $T/out"
	code 251 'EXPN' 'EXPN away'
	code 252 'EXPN' $'EXPN j\xc3\xb6rg SMTPUTF8'
	code 450 'EXPN' 'EXPN busy'
	code 550 'EXPN' 'EXPN nobody'
	code 551 'EXPN' 'EXPN gone'
	SETTINGS=(-o 'Verify yes')
	code 251 'VRFY' 'VRFY away'
	code 551 'VRFY' 'VRFY gone'
	SETTINGS=()
}

testCodesOfWhatTheClientDidWrong() {
	code 500 'no command' FROB
	code 501 'an argument' "$HELLO" 'MAIL FROM:<a@@b>'
	code 502 'known, not implemented' 'SEND FROM:<a@client.test>'
	code 502 'not allowed' 'EXPN alice'
	code 503 'out of order' "$HELLO" "$RCPT"
	code 504 'no help on it' 'HELP FROB'
	code 550 'no such user' "$HELLO" "$MAIL" 'RCPT TO:<nobody@mx.test>'
	code 550 'another domain' "$HELLO" "$MAIL" 'RCPT TO:<alice@else.test>'
	code 552 'too large' "$HELLO" "$MAIL SIZE=36700161"
	code 553 'a name that is not ASCII' "$HELLO" "$MAIL" $'RCPT TO:<j\xc3\xb6rg@mx.test>'
	code 554 'nobody to send it to' "$HELLO" "$MAIL" DATA
	code 555 'a parameter' "$HELLO" "$MAIL RET=HDRS"
	SETTINGS=(-o 'ErrorLimit 1')
	code 421 'too many errors' FROB
	SETTINGS=()
}

testCodesOfWhatHappenedHere() {
	code 450 'a user who is busy' "$HELLO" "$MAIL" 'RCPT TO:<busy@mx.test>'
	: >"$T/users/alice/Maildir"
	code 451 'a mailbox that cannot be used' "$HELLO" "$MAIL" "$RCPT" DATA 'x: y' .
	SETTINGS=(-o 'RecipientLimit 1')
	code 452 'too many recipients' "$HELLO" "$MAIL" "$RCPT" 'RCPT TO:<bob@mx.test>'
	SETTINGS=()
}

testCodesOfWhatProgramsSay() {
	local status
	for status in 69 75; do
		printf '#!/bin/sh\nexit %d\n' $status >"$T/$status"
		chmod 755 "$T/$status"
	done
	SETTINGS=(-o "Check $T/75")
	code 450 'a check: later' "$HELLO" "$MAIL" "$RCPT"
	SETTINGS=(-o "Check $T/69")
	code 550 'a check: never' "$HELLO" "$MAIL" "$RCPT"
	SETTINGS=(-o "Filter $T/69")
	code 554 'a filter: never' "$HELLO" "$MAIL" "$RCPT" DATA 'x: y' .
	SETTINGS=()
}

testAFullDiskIs452() {
	need_root || return 0
	install -d "$T/users"
	# shellcheck disable=SC2016  # expanded by the inner shell
	unshare -m --propagation private bash -c 'mount -t tmpfs -o size=64k none "$1/users" &&
		install -d -o 2001 -g 2001 "$1/users/alice" && shift && exec "$@"' - "$T" "$BIN/smtp-stdio" -C /dev/null \
		-o "DeliverPath $BIN/deliver" -o "Users $T/users/%u" -o 'Postmaster alice' -o 'Domain mx.test' \
		>"$T/out" 2>"$T/log" < <(printf '%s\r\n' "$HELLO" "$MAIL" "$RCPT" DATA "$(head -c 100000 /dev/zero | base64)" . QUIT | sed 's/\r*$/\r/')
	assertTrue "$(cat "$T/out")" "grep -q '^452 4.3.1 ' $T/out"
}

testTheListIsWhole() {
	local code
	for code in $CLASSIC; do
		assertContains "$code was brought about" "$SEEN " " $code "
	done
	# and every code of the reply table is in it, but those that RFC 5321 has from elsewhere
	# shellcheck disable=SC2013  # words
	for code in $(sed -nE 's/^    \[REPLY_[A-Z0-9_]+\] = \{"([0-9]{3})".*/\1/p' "$TOP/smtp-stdio/reply.c" | sort -u); do
		[ "$code" = 521 ] || assertContains "$code" "$CLASSIC " "$code "
	done
}

. shunit2
