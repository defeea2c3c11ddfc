#!/bin/bash
# check-policy: what it asks, what it makes of each answer and of each failure, and the real servers.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

readonly PAGE=$TOP/smtp-stdio/check-policy.8 LATER='4.3.5 the policy of this server cannot be asked now'

cat >"$T/server.py" <<'END'
"""A policy server for one connection: server.py PATH|PORT DO ...; the question goes to the file "question".
  say OCTETS     read the question and answer (python's escapes)
  drip S OCTETS  the same, octet by octet, S seconds apart
  hush           read the question, and wait for the client to leave
  close          read the question, and close
  deaf           read nothing
"""
import os, socket, sys, time

where, deed, *rest = sys.argv[1:]
if where.isdigit():
    listener = socket.create_server(("127.0.0.1", int(where)))
    open("ready", "w").close()
else:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(where + ".new")
    listener.listen()
    os.chmod(where + ".new", 0o777)
    os.rename(where + ".new", where)
client = listener.accept()[0]
client.settimeout(20)
if deed == "deaf":
    time.sleep(20)
    sys.exit()
question = b""
while not question.endswith(b"\n\n"):
    more = client.recv(65536)
    if not more:
        break
    question += more
open("question", "wb").write(question)
octets = rest[-1].encode().decode("unicode_escape").encode("latin-1") if rest else b""
try:
    if deed == "say":
        client.sendall(octets)
    if deed == "drip":
        for octet in octets:
            client.sendall(bytes([octet]))
            time.sleep(float(rest[0]))
    if deed in ("say", "hush"):
        client.recv(1)
except OSError:
    pass
END

setUp() {
	rm -rf "$T/s" "$T/question" "$T/ready"
	FACTS=(CLIENT_ADDRESS=192.0.2.1 CLIENT_HELO=mx.example.com CLIENT_PROTOCOL=ESMTP QUEUE_ID=6b02ad7b.6af4.1
		SENDER=alice@example.com ORIGINAL_RECIPIENT=bob+list@example.org RECIPIENT=bob@example.org SIZE=1042)
	SERVER=unix:$T/s
	SAYING=
	OPTIONS=()
	INSIDE=()
}

# serve DO ... -- start the server of the tests.
serve() {
	rm -f "$T/s" "$T/ready" "$T/question"
	python3 "$T/server.py" "${PORT:-$T/s}" "$@" &
	SERVING=$!
	PIDS+=("$SERVING")
	wait_for test -S "$T/s" -o -e "$T/ready"
}

# check -- run it as the monitor does: with these facts and no other variable; $STATUS, and $T/out.
check() {
	"${INSIDE[@]}" timeout 30 env -i "${FACTS[@]}" "$BIN/check-policy" "${OPTIONS[@]}" "$SERVER" >"$T/out" 2>"$T/err" </dev/null
	STATUS=$?
}

listening() {
	"${INSIDE[@]}" ss -Hltn "sport = :$1" | grep -q .
}

# ask DO ... -- check against a server that does that.
ask() {
	serve "$@"
	check
	kill "$SERVING" 2>/dev/null
	wait "$SERVING" 2>/dev/null || :
}

# says STATUS [LINE ...] -- what the check came to.
says() {
	local status=$1
	shift
	assertEquals "$SAYING: status" "$status" "$STATUS"
	assertEquals "$SAYING" "$(printf '%s\n' "$@")" "$(cat "$T/out")"
	assertEquals "$SAYING: standard error" "" "$(cat "$T/err")"
}

# ---- the question

testTheQuestionIsPostfixs() {
	ask say 'action=DUNNO\n\n'
	SAYING=question
	says 0
	assertEquals "$(printf '%s\n' request=smtpd_access_policy protocol_state=RCPT protocol_name=ESMTP \
		helo_name=mx.example.com queue_id=6b02ad7b.6af4.1 instance=6b02ad7b.6af4.1 sender=alice@example.com \
		recipient=bob+list@example.org recipient_count=0 size=1042 client_address=192.0.2.1 client_name=unknown \
		reverse_client_name=unknown client_port= server_address= server_port= sasl_method= sasl_username= \
		sasl_sender= ccert_subject= ccert_issuer= ccert_fingerprint= ccert_pubkey_fingerprint= encryption_protocol= \
		encryption_cipher= encryption_keysize=0 etrn_domain= stress= policy_context= '' end)" "$(cat question; echo end)"
}

testWhatIsMissingIsEmpty() {
	FACTS=(CLIENT_ADDRESS=2001:db8::1 ORIGINAL_RECIPIENT=b@c SIZE= SENDER=)
	ask say 'action=DUNNO\n\n'
	says 0
	assertEquals "$(printf '%s\n' client_address=2001:db8::1 helo_name= instance= protocol_name= queue_id= \
		recipient=b@c sender= size=0)" \
		"$(grep -E '^(client_address|helo_name|instance|protocol_name|queue_id|recipient|sender|size)=' question | sort)"
}

testNoValueEndsItsLine() {
	FACTS+=($'SENDER=a\nsasl_username=root\r\n\n\x01\x7f\tb@c' $'CLIENT_HELO=x\n\naction=OK' $'SIZE=1\n')
	ask say 'action=DUNNO\n\n'
	says 0
	assertEquals "as many lines" 30 "$(wc -l <question)"
	assertTrue "sender" "grep -qx 'sender=a_sasl_username=root______b@c' question"
	assertTrue "helo" "grep -qx 'helo_name=x__action=OK' question"
	assertTrue "size" "grep -qx 'size=1_' question"
}

testAQuestionThatIsTooLongIsNotAsked() {
	local longest most n
	most=$(printf '%s@%s' "$(head -c 255 /dev/zero | tr '\0' a)" "$(head -c 255 /dev/zero | tr '\0' b)")
	longest=$(head -c 261 /dev/zero | tr '\0' c)
	FACTS+=("SENDER=$most" "ORIGINAL_RECIPIENT=$most" "CLIENT_HELO=$longest")
	ask say 'action=DUNNO\n\n'
	SAYING='the longest that smtp-stdio takes'
	says 0
	SAYING='too long'
	for n in 2000 2500 3000 3500 4000 100000; do
		FACTS+=("SENDER=$(head -c $n /dev/zero | tr '\0' a)")
		check # nobody listens: either is later
		assertEquals "$n" 75 "$STATUS"
	done
	says 75 "$LATER" "check-policy: $SERVER: the question is too long"
}

testWhoIsNotAskedAbout() {
	local who
	for who in CLIENT_ADDRESS=local ORIGINAL_RECIPIENT=postmaster ORIGINAL_RECIPIENT=Postmaster; do
		SAYING=$who
		check
		says 75 "$LATER" "check-policy: $SERVER: No such file or directory"
		FACTS+=("$who")
		check
		says 0
		setUp
	done
	SAYING='postmaster of a domain'
	FACTS+=(ORIGINAL_RECIPIENT=postmaster@example.org)
	check
	says 75 "$LATER" "check-policy: $SERVER: No such file or directory"
}

testWithoutTheFactsNothingIsAccepted() {
	SAYING='no facts'
	FACTS=(SENDER=a@b)
	check
	says 75 "$LATER" "check-policy: $SERVER: CLIENT_ADDRESS or ORIGINAL_RECIPIENT is not set"
	FACTS=(CLIENT_ADDRESS=local)
	check
	says 75 "$LATER" "check-policy: $SERVER: CLIENT_ADDRESS or ORIGINAL_RECIPIENT is not set"
	for FACTS in CLIENT_ADDRESS= CLIENT_ADDRESS=example.org CLIENT_ADDRESS=1.2.3; do
		FACTS=("$FACTS" ORIGINAL_RECIPIENT=b@c)
		check
		says 75 "$LATER" "check-policy: $SERVER: CLIENT_ADDRESS is not an address"
	done
}

# ---- the answer

# status | the server's action | the reply | what the log says of it
actions() {
	cat <<-'END'
	0|OK||
	0|ok with a text||
	0|RELAY||
	0|permit||
	0|DUNNO||
	0|dunno||
	0|DUNNO see above||
	0|1700000000||
	0|450||
	0|250 2.1.5 welcome||
	0|DEFER_IF_REJECT perhaps||
	0|INFO seen it||noted: action=INFO seen it
	0|WARN||noted: action=WARN
	0|PREPEND X-Greylist: delayed 301 seconds||not done: action=PREPEND X-Greylist: delayed 301 seconds
	0|BCC archive@example.org||not done: action=BCC archive@example.org
	77|REJECT|5.7.1 refused by the policy of this server|action=REJECT
	77|REJECT   |5.7.1 refused by the policy of this server|action=REJECT   
	77|reject|5.7.1 refused by the policy of this server|action=reject
	77|REJECT not you|5.7.1 not you|action=REJECT not you
	77|REJECT	5.1.8 no such sender|5.1.8 no such sender|action=REJECT?5.1.8 no such sender
	77|REJECT 4.7.0 odd|5.7.0 odd|action=REJECT 4.7.0 odd
	77|REJECT 5.7.1|5.7.1 5.7.1|action=REJECT 5.7.1
	77|REJECT 5.7.1111 odd|5.7.1 5.7.1111 odd|action=REJECT 5.7.1111 odd
	77|550 5.7.23 SPF says no|5.7.23 SPF says no|action=550 5.7.23 SPF says no
	77|554 no|5.7.1 no|action=554 no
	77|521 go|5.7.1 go|action=521 go
	77|DISCARD a virus|5.7.1 refused by the policy of this server|action=DISCARD a virus
	75|DEFER|4.7.1 put off by the policy of this server|action=DEFER
	75|DEFER 4.2.0 soon|4.2.0 soon|action=DEFER 4.2.0 soon
	75|defer_if_permit Service temporarily unavailable|4.7.1 Service temporarily unavailable|action=defer_if_permit Service temporarily unavailable
	75|DEFER_IF_PERMIT 5.7.1 odd|4.7.1 odd|action=DEFER_IF_PERMIT 5.7.1 odd
	75|450 4.2.0 Greylisted|4.2.0 Greylisted|action=450 4.2.0 Greylisted
	75|421 bye|4.7.1 bye|action=421 bye
	75|HOLD for me|4.7.1 put off by the policy of this server|action=HOLD for me
	75|REDIRECT other@example.org|LATER|action=REDIRECT other@example.org
	75|FILTER smtp:[127.0.0.1]:10024|LATER|action=FILTER smtp:[127.0.0.1]:10024
	75||LATER|action=
	75|O|LATER|action=O
	75|OKAY|LATER|action=OKAY
	75|DEFER_IF|LATER|action=DEFER_IF
	75| OK|LATER|action= OK
	75|350 what|LATER|action=350 what
	75|650 what|LATER|action=650 what
	75|5500 what|LATER|action=5500 what
	75|550x what|LATER|action=550x what
	75|55 what|LATER|action=55 what
	75|1700000000 or so|LATER|action=1700000000 or so
	75|reject_unauth_destination|LATER|action=reject_unauth_destination
	75|check_client_access hash:/x|LATER|action=check_client_access hash:/x
	75|DUNNO\r|LATER|action=DUNNO?
	77|REJECT gr\xfc\xdfe \x1b[2J|5.7.1 gr??e ?[2J|action=REJECT gr??e ?[2J
	END
}

testEachAction() {
	local status action reply log want
	actions >"$T/actions"
	while IFS='|' read -r status action reply log; do
		SAYING="action=$action"
		want=()
		[ "$reply" != LATER ] || reply=$LATER
		[ -z "$reply" ] || want+=("$reply")
		[ -z "$log" ] || want+=("check-policy: $SERVER: $log")
		ask say "action=$action\n\n" </dev/null
		says "$status" "${want[@]}"
	done <"$T/actions"
	assertEquals "every action of the page is tried" "" "$(comm -23 \
		<(sed -n 's/^\.It \([A-Z_]*\) Ta [a-z]* Ta .*/\1/p' "$PAGE" | sort -u) \
		<(cut -d'|' -f2 "$T/actions" | tr 'a-z ' 'A-Z\n' | sort -u))"
}

testAReplyHasItsEnd() {
	SAYING='a long text'
	ask say "action=REJECT $(printf 'x%.0s' {1..8000})\n\n"
	assertEquals 77 "$STATUS"
	assertEquals "5.7.1 $(printf 'x%.0s' {1..394})" "$(head -n 1 out)"
	assertEquals "lines" 2 "$(wc -l <out)"
	assertTrue "the line for the log" "[ $(tail -n 1 out | wc -c) -lt 600 ]"
}

testTheFirstActionCounts() {
	SAYING='other attributes'
	ask say 'version=1\naction=DUNNO\naction=REJECT\n\n'
	says 0
	ask say 'reason=action=OK\naction=REJECT no\n\n'
	says 77 '5.7.1 no' "check-policy: $SERVER: action=REJECT no"
	SAYING='what comes behind the empty line'
	ask say 'action=DUNNO\n\naction=REJECT\n\n'
	says 0
}

testAnAnswerMayComeInPieces() {
	SAYING=pieces
	ask drip 0.01 'action=REJECT in pieces\n\n'
	says 77 '5.7.1 in pieces' "check-policy: $SERVER: action=REJECT in pieces"
}

# fails WHY DO ... -- with such a server it is later.
fails() {
	SAYING=$*
	ask "${@:2}"
	says 75 "$LATER" "check-policy: $SERVER: $1"
}

testAServerThatFailsIsLater() {
	fails 'the server hung up without an answer' close
	fails 'the server hung up without an answer' drip 0 'action=OK'
	fails 'the server hung up without an answer' drip 0 'action=OK\n'
	fails 'the answer has no action' say '\n'
	fails 'the answer has no action' say '\n\n'
	fails 'the answer has no action' say '\naction=OK\n\n'
	fails 'the answer has no action' say 'xaction=OK\n\n'
	fails 'the answer has no action' say 'x=1\n\naction=OK\n\n'
	fails 'the answer has no action' say 'Action=OK\nOK\n\n'
	fails 'the answer has no action' say '220 mx.example.org ESMTP\n\n'
	fails 'the answer has a NUL' say 'action=OK\0\n\n'
	fails 'the answer has a NUL' say '\0action=OK\n\n'
	fails 'the answer is too long' say "action=PREPEND X: $(printf 'x%.0s' {1..8175})\n\n"
	SAYING='the longest answer'
	ask say "action=PREPEND X: $(printf 'x%.0s' {1..8172})\n\n"
	assertEquals "$SAYING" 0 "$STATUS"
}

testAServerThatIsSlowIsLater() {
	local begin
	OPTIONS=(-t 1)
	for begin in hush 'drip 0.3 action=DUNNO\n\n' deaf; do
		SAYING=$begin
		# shellcheck disable=SC2086  # words are wanted
		serve $begin
		begin=$(date +%s%N)
		timeout 10 env -i "${FACTS[@]}" "$BIN/check-policy" -t 1 "$SERVER" >"$T/out" 2>"$T/err"
		STATUS=$?
		begin=$((($(date +%s%N) - begin) / 1000000))
		says 75 "$LATER" "check-policy: $SERVER: no answer in 1 s"
		assertTrue "$begin ms" "[ $begin -ge 900 -a $begin -lt 4000 ]"
		kill "$SERVING" 2>/dev/null
	done
}

# A server that does not even accept: its queue is full.
testAServerThatDoesNotAcceptIsLater() {
	python3 -c '
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind("s.new")
s.listen(0)
full = []
while True:
    c = socket.socket(socket.AF_UNIX)
    c.setblocking(False)
    try:
        c.connect("s.new")
    except BlockingIOError:
        break
    full.append(c)
os.rename("s.new", "s")
time.sleep(30)' &
	PIDS+=($!)
	wait_for test -S "$T/s"
	OPTIONS=(-t 1)
	SAYING='a full queue'
	check
	says 75 "$LATER" "check-policy: $SERVER: no answer in 1 s"
}

# ---- the server's address

testByTcp() {
	local host
	PORT=$(free_port)
	for host in 127.0.0.1 localhost; do
		SERVER=inet:$host:$PORT
		SAYING=$SERVER
		ask say 'action=REJECT by TCP\n\n'
		says 77 '5.7.1 by TCP' "check-policy: $SERVER: action=REJECT by TCP"
		check
		says 75 "$LATER" "check-policy: $SERVER: Connection refused"
	done
	unset PORT
}

testByTcpOfIPv6() {
	local port
	if ! grep -qs . /proc/net/if_inet6; then # a network may have what the machine's has not
		{ [ "$(id -u)" -eq 0 ] && unshare -n sh -c 'ip link set lo up && grep -qs . /proc/net/if_inet6'; } ||
			{ skip 'no IPv6'; return; }
		unshare -n sh -c 'ip link set lo up && exec sleep 60' &
		PIDS+=($!)
		INSIDE=(nsenter -t $! -n)
		wait_for grep -qx sleep "/proc/$!/comm"
	fi
	port=$(free_port)
	printf 'action=REJECT six\n\n' >"$T/six"
	"${INSIDE[@]}" socat "TCP6-LISTEN:$port,bind=[::1],reuseaddr,fork" "SYSTEM:sed /^$/q >/dev/null; cat $T/six" 2>/dev/null &
	PIDS+=($!)
	wait_for listening "$port"
	for SERVER in "inet:[::1]:$port" "inet:localhost:$port"; do
		SAYING=$SERVER
		check
		says 77 '5.7.1 six' "check-policy: $SERVER: action=REJECT six"
	done
}

testWhatIsNoServerIsWrongUsage() {
	local server
	while read -r server; do
		# shellcheck disable=SC2086  # words are wanted
		env -i "${FACTS[@]}" "$BIN/check-policy" $server >"$T/out" 2>"$T/err"
		assertEquals "$server" 64 $?
		assertEquals "$server: output" "" "$(cat "$T/out")"
		assertTrue "$server" "grep -q '^usage: check-policy ' $T/err"
	done <<-END

		unix:
		unix:s
		unix:/$(printf 'x%.0s' {1..107})
		/run/policy
		inet:
		inet:10023
		inet::10023
		inet:127.0.0.1
		inet:127.0.0.1:
		inet:127.0.0.1:0
		inet:127.0.0.1:65536
		inet:127.0.0.1:1e3
		inet:127.0.0.1:10023x
		inet:127.0.0.1:smtp
		inet:127.1:10023
		inet:::1:10023
		inet:[127.0.0.1]:10023
		inet:[::1:10023
		inet:example.org:10023
		tcp:127.0.0.1:10023
		-t 0 unix:/s
		-t 301 unix:/s
		-t 1s unix:/s
		-t -1 unix:/s
		-x unix:/s
		unix:/s unix:/t
	END
	SAYING='the longest path'
	SERVER=unix:/$(printf 'x%.0s' {1..106})
	check
	says 75 "$LATER" "check-policy: $SERVER: No such file or directory"
}

# ---- the jail

# Nor has it a descriptor that nobody meant to give away.
testItConfinesItselfBeforeItListens() {
	need_root || return 0 # to see its descriptors: it is not dumpable
	local pid
	serve hush
	env -i "${FACTS[@]}" setpriv --reuid=2001 --regid=2001 --clear-groups "$BIN/check-policy" "$SERVER" \
		>"$T/out" 2>"$T/err" </dev/null 7</etc/passwd &
	pid=$!
	PIDS+=("$pid")
	wait_for test -s "$T/question"
	assertEquals "2001 1 2 0 0 0 fds: 0 1 2 3" "$(awk '/^(Uid|NoNewPrivs|Seccomp):/ { printf "%s ", $2 }
		/^CapEff:/ { if ($2 != "0000000000000000") printf "capabilities " }' "/proc/$pid/status")$(
		awk '/^Max (core file size|processes|open files)/ { printf "%s ", $(NF - 1) }' "/proc/$pid/limits")$(
		# shellcheck disable=SC2012  # numbers
		echo "fds: $(ls "/proc/$pid/fd" | sort -n | paste -sd ' ')")"
	kill "$pid" "$SERVING"
	wait "$pid" 2>/dev/null || :
}

# refuses FAULT -- without its jail it does not ask.
refuses() {
	serve hush
	env -i "${FACTS[@]}" strace -qq -o "$T/trace" -e trace="${1%%:*}" -e inject="$1" \
		"$BIN/check-policy" "$SERVER" >"$T/out" 2>"$T/err"
	STATUS=$?
	SAYING=$1
	assertContains "$1" "$(cat "$T/trace")" INJECTED
	says 75 "$LATER" "check-policy: $SERVER: the jail cannot be made"
	wait "$SERVING"
	assertEquals "$1: what was asked" "" "$(cat "$T/question")"
}

testWithoutItsJailItDoesNotAsk() {
	refuses seccomp:error=EINVAL
	refuses prctl:error=EINVAL:when=2
	refuses prlimit64:error=EPERM
	refuses landlock_restrict_self:error=E2BIG
}

# ---- real servers

# Loose parts of Debian's: where perl and python find them.
readonly PERL=(perl -T "-I$PARTS/usr/share/perl5")

testPostgrey() {
	part usr/sbin/postgrey postgrey || return 0
	need_root || return 0 # it becomes its user
	local pid
	PORT=$(free_port)
	SERVER=$(sed -n 's/^\.Dl Check .*check-policy \(inet:.*\)/\1/p' "$PAGE" | sed "s/:[0-9]*$/:$PORT/")
	install -d -o nobody -g nogroup "$T/postgrey"
	: >"$T/none"
	"${PERL[@]}" "$PARTS/usr/sbin/postgrey" --inet="127.0.0.1:$PORT" --user=nobody --group=nogroup \
		--dbdir="$T/postgrey" --delay=2 --whitelist-clients="$T/none" --whitelist-recipients="$T/none" \
		>"$T/postgrey.log" 2>&1 &
	pid=$!
	PIDS+=("$pid")
	wait_for listening "$PORT" || fail "$(cat "$T/postgrey.log")"
	local text='4.2.0 Greylisted, see http://postgrey.schweikert.ch/help/example.org.html' begin=$SECONDS
	SAYING='the first try'
	check
	says 75 "$text" "check-policy: $SERVER: action=DEFER_IF_PERMIT $text"
	SAYING='a try after the delay'
	wait_for grey_no_more
	says 0 "$(grep -x "check-policy: $SERVER: not done: action=PREPEND X-Greylist: delayed [2-9] seconds by postgrey-.*" out)"
	assertTrue "not before" "[ $((SECONDS - begin)) -ge 1 ]"
	SAYING='the next message'
	FACTS+=(QUEUE_ID=6b02ad7b.6af4.2)
	check
	says 0
	SAYING='another sender'
	FACTS+=(SENDER=mallory@example.com)
	check
	says 75 "$text" "check-policy: $SERVER: action=DEFER_IF_PERMIT $text"
	assertContains "it names the message" "$(cat "$T/postgrey.log")" \
		'6b02ad7b.6af4.1: action=pass, reason=triplet found, delay='
	kill "$pid"
	wait "$pid" 2>/dev/null || :
	unset PORT
}

grey_no_more() {
	check
	[ "$STATUS" -eq 0 ]
}

# tries SENDER -- the reply to RCPT, and to the message if that is taken, by a client of the network.
tries() {
	python3 -c '
import smtplib, sys
with smtplib.SMTP("127.0.0.1", int(sys.argv[1])) as s:
    s.ehlo("client.test")
    s.mail(sys.argv[2])
    code, text = s.rcpt("alice@mx.test")
    print(code, text.decode())
    if code == 250:
        print(s.data(b"Subject: x\r\n\r\ntext\r\n")[0])' "$SMTP_PORT" "$1"
}
passes() {
	tries alice@client.test >passed && grep -q '^250 ' passed
}

testPostgreyBehindASession() {
	part usr/sbin/postgrey postgrey || return 0
	need_root || return 0 # it becomes its user
	local grey listener SMTP_PORT begin=$SECONDS
	SMTP_PORT=$(free_port)
	user_directories alice
	install -d -o nobody -g nogroup "$T/grey"
	: >"$T/none"
	"${PERL[@]}" "$PARTS/usr/sbin/postgrey" --unix="$T/grey/socket" --user=nobody --group=nogroup --dbdir="$T/grey" \
		--delay=2 --whitelist-clients="$T/none" --whitelist-recipients="$T/none" >"$T/grey.log" 2>&1 &
	grey=$!
	tcpserver -H -R -l 0 127.0.0.1 "$SMTP_PORT" "$BIN/smtp-stdio" -C /dev/null -o 'Hostname mx.test' -o "Users $T/users/%u" \
		-o 'Postmaster alice' -o "DeliverPath $BIN/deliver" -o 'FilterUser daemon' \
		-o "Check $BIN/check-policy unix:$T/grey/socket" 2>log &
	listener=$!
	PIDS+=("$grey" "$listener")
	wait_for test -S "$T/grey/socket" || fail "$(cat "$T/grey.log")"
	wait_for listening "$SMTP_PORT"
	assertEquals 'the first try' '450 4.7.1 Greylisted, see http://postgrey.schweikert.ch/help/mx.test.html' "$(tries alice@client.test)"
	assertEquals 'nothing yet' 0 "$(find "$T/users" -type f | wc -l)"
	wait_for passes
	assertTrue 'not before' "[ $((SECONDS - begin)) -ge 1 ]"
	assertEquals 'after the delay' '250 2.1.5 recipient ok'$'\n250' "$(cat passed)"
	assertEquals 'and it is there' 1 "$(files "$T/users/alice/Maildir/new")"
	assertEquals 'another sender' 450 "$(tries mallory@client.test | cut -c1-3)"
	kill "$grey"
	wait "$grey" 2>/dev/null || :
	assertEquals 'without postgrey' "451 $LATER" "$(tries alice@client.test)"
	kill "$listener"
	wait "$listener" 2>/dev/null || :
}

# A name server that knows one thing: who may send from example.com.
cat >"$T/names.py" <<'END'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 53))
open("names", "w").close()
text = b"v=spf1 ip4:192.0.2.1 -all"
txt = b"\xc0\x0c\0\x10\0\x01\0\0\0\x3c" + bytes([0, len(text) + 1, len(text)]) + text
while True:
    query, client = s.recvfrom(4096)
    end = query.index(0, 12) + 5
    known = query[12:end] == b"\x07example\x03com\0\0\x10\0\x01"
    s.sendto(query[:2] + b"\x84\0\0\x01" + bytes([0, known, 0, 0, 0, 0]) + query[12:end] + (txt if known else b""), client)
END

testPolicydSpf() {
	part usr/bin/policyd-spf postfix-policyd-spf-python || return 0
	need_root || return 0 # for a network where it finds that name server
	local command pid
	unshare -nm true 2>/dev/null || { skip 'no network namespace can be made'; return; }
	printf 'TestOnly = 1\nHELO_reject = Fail\nMail_From_reject = Fail\nskip_addresses = 127.0.0.0/8\n' >"$T/spf.conf"
	echo 'nameserver 127.0.0.1' >"$T/resolv.conf"
	# As in the page, but for paths.
	command=$(sed -n 's/^\.Dl \(systemd-socket-activate .*\)/\1/p' "$PAGE" |
		sed "s|/run/policyd-spf|$T/s|; s|policyd-spf\$|/usr/bin/python3 $PARTS/usr/bin/policyd-spf $T/spf.conf|")
	assertContains "$command" "$command" "-l $T/s --accept"
	unshare -nm --propagation private sh -c "ip link set lo up && mount --bind '$T/resolv.conf' /etc/resolv.conf &&
		{ python3 '$T/names.py' & echo \$! >'$T/names.pid'; exec $command; }" >"$T/spf.log" 2>&1 &
	pid=$!
	PIDS+=("$pid")
	wait_for test -S "$T/s" -a -e "$T/names" || fail "$(cat "$T/spf.log")"
	PIDS+=("$(cat "$T/names.pid")")
	SAYING='who may send'
	check
	says 0 "$(grep "^check-policy: $SERVER: not done: action=prepend Received-SPF: Pass " out)"
	SAYING='who may not'
	FACTS+=(CLIENT_ADDRESS=198.51.100.9)
	check
	says 77 "$(head -n 1 out | grep '^5\.7\.23 .*SPF fail')" "$(sed -n 2p out | grep "^check-policy: $SERVER: action=550 5\.7\.23 ")"
	SAYING='of whom nothing is known'
	FACTS+=(SENDER=bob@example.net CLIENT_HELO=mx.example.net)
	check
	says 0 "$(grep "^check-policy: $SERVER: not done: action=prepend Received-SPF: None " out)"
	SAYING='who is not looked up'
	FACTS+=(CLIENT_ADDRESS=127.0.0.2)
	check
	assertEquals 0 "$STATUS"
	kill "$pid" "$(cat "$T/names.pid")"
	wait "$pid" 2>/dev/null || :
}

# shellcheck source=/dev/null
. shunit2
