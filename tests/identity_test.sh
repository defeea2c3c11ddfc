#!/bin/bash
# Who does what as whom: root, the session's user and the recipients; who is a recipient; and what a
# client never reads.
. "$(dirname "$0")/lib.sh"

SMTP=("$BIN/smtp-stdio" -C /dev/null -o "DeliverPath $BIN/deliver" -o 'Hostname mx.test' -o 'Domain mx.test')
readonly NO='550 5.1.1 no such mailbox here'

setUp() {
	[ "$(id -u)" -ne 0 ] || with_users true
	rm -rf "$T"/home/*/[mM]* "${T:?}/srv" "${T:?}/var"
	mkdir -p "$T/srv/mx.test" "$T/var"
}

# dialogue RECIPIENT ... -- one message to them, as the client says it.
dialogue() {
	printf 'HELO me\r\nMAIL FROM:<a@b.test>\r\n'
	printf 'RCPT TO:<%s>\r\n' "$@"
	printf 'DATA\r\nSubject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n'
}

# reply RECIPIENT CMD ... -- the reply to RCPT; the log is in $T/log.
reply() {
	printf 'HELO me\r\nMAIL FROM:<>\r\nRCPT TO:<%s>\r\nQUIT\r\n' "$1" | "${@:2}" 2>"$T/log" |
		tr -d '\r' | sed -n '4p'
}

# send "RECIPIENT ..." CMD ... -- the reply to the message's end.
send() {
	# shellcheck disable=SC2086  # words are wanted
	dialogue $1 | "${@:2}" 2>"$T/log" | tr -d '\r' | tail -n 2 | head -n 1
}

# who PID -- its user, group and supplementary groups.
who() {
	awk '/^(Uid|Gid|Groups):/ { $1 = $1; print }' "/proc/$1/status" | paste -sd ' '
}

# is UID GID GROUPS -- as who says it.
is() {
	echo "Uid: $1 $1 $1 $1 Gid: $2 $2 $2 $2 Groups:${3:+ $3}"
}

# pid_of PATTERN UID -- sets PID to that process, once it is there.
find_pid() {
	PID=$(pgrep -o -U "$2" -f "^$BIN/$1")
}
pid_of() {
	wait_for find_pid "$@"
	find_pid "$@"
}

# three DIR LOCK ARG ... -- a message to alice, bob and carol, which waits where bob's mailbox is locked.
three() {
	: >"$1/$2"
	dialogue alice@mx.test bob@mx.test carol@mx.test >"$T/in"
	with_users setpriv --groups 4,24 "${SMTP[@]}" -o 'Users passwd' -o 'Postmaster postmaster' "${@:3}" <"$T/in" >"$T/out" 2>"$T/log" &
	WAITED=$!
	pid_of deliver 2002
}
let_go() {
	rm -f "$1"
	wait "$WAITED"
	assertEquals 'delivered' 1 "$(grep -c '^250 2.0.0 .* delivered' "$T/out")"
}

testItServesAsThreeUsersAtTheSameTime() {
	need_root || return 0
	local user n=2000
	three "$T/home/bob" mbox.lock -o 'Mailbox mbox'
	assertEquals 'bob' "$(is 2002 2002)" "$(who "$PID")"
	pid_of deliver 2001
	assertEquals 'alice' "$(is 2001 2001)" "$(who "$PID")"
	# bob's own reading of the message has not moved alice's
	assertEquals 'descriptors of their own' "$(stat -L -c %s "/proc/$PID/fd/0")" \
		"$(awk '/^pos:/ { print $2 }' "/proc/$PID/fdinfo/0")"
	pid_of smtp-stdio 0
	assertEquals 'monitor' "Uid: 0 0 0 0" "$(who "$PID" | cut -d ' ' -f 1-5)"
	pid_of smtp-stdio "$(id -u nobody)"
	assertEquals 'session' "$(is "$(id -u nobody)" "$(id -g nobody)")" "$(who "$PID")"
	let_go "$T/home/bob/mbox.lock"
	for user in alice bob carol; do
		n=$((n + 1))
		assertEquals "$user" "$n $n 600" "$(stat -c '%u %g %a' "$T/home/$user/mbox")"
		assertContains "$user" "$(cat "$T/home/$user/mbox")" "Delivered-To: $user@mx.test"
	done
}

testMailGroupIsTheOneMoreGroup() {
	need_root || return 0
	local mail
	mail=$(getent group mail | cut -d : -f 3)
	chgrp mail "$T/var" && chmod 2775 "$T/var"
	three "$T/var" bob.lock -o "Mailbox $T/var/%u" -o 'MailGroup mail'
	assertEquals 'bob' "$(is 2002 2002 "$mail")" "$(who "$PID")"
	assertEquals 'the lock of alice' "2001 $mail" "$(stat -c '%u %g' "$T/var/alice.lock")"
	let_go "$T/var/bob.lock"
	assertEquals 'mailboxes' "alice 2001 $mail 600
bob 2002 $mail 600
carol 2003 $mail 600" "$(cd "$T/var" && stat -c '%n %u %g %a' ./* | sed 's|^\./||')"
	rm -f "$T/var/"*
	assertContains 'without it' "$(send alice@mx.test with_users "${SMTP[@]}" -o 'Users passwd' -o 'Postmaster postmaster' -o "Mailbox $T/var/%u")" '451 4'
	assertEquals 'a group that is none' '451 4.3.5 the mailbox is misconfigured' \
		"$(reply alice@mx.test with_users "${SMTP[@]}" -o 'Users passwd' -o 'Postmaster postmaster' -o 'MailGroup nosuch')"
}

# in_passwd NAME [ARG ...]
in_passwd() {
	reply "$1@mx.test" with_users "${SMTP[@]}" -o 'Users passwd' -o 'Postmaster postmaster' "${@:2}"
}

testUsersOfPasswd() {
	need_root || return 0
	local name
	cp "$T/passwd" "$T/passwd.kept"
	printf '%s:x:%d:5:x:/home/x:/bin/sh\n' low 999 toor 0 nocarry 4294967296 high 65534 >>"$T/passwd"
	for name in daemon low toor nobody high nosuch alic alice2 '"alice:x"' '"alice:x:2001"'; do
		assertEquals "$name" "$NO" "$(in_passwd "$name")"
	done
	assertContains 'a uid that is none' "$(in_passwd nocarry)" '451 4.3.0'
	for name in alice ALICE aLice; do
		assertContains "$name" "$(in_passwd "$name")" '250 '
	done
	assertContains 'least' "$(in_passwd alice -o 'MinimumUid 2001')" '250 '
	assertEquals 'below' "$NO" "$(in_passwd alice -o 'MinimumUid 2002')"
	assertContains 'never root' "$(in_passwd root -o 'MinimumUid 1')" '451 4.3.5'
	assertEquals 'but the postmaster' '250 2.1.5 recipient ok' "$(reply root@mx.test with_users "${SMTP[@]}" \
		-o 'Users passwd' -o 'Postmaster alice' | tr -d '\r')"
	printf 'large:x:70000:70000:x:/home/x:/bin/sh\nlast:x:2004:2004:x:/home/x:/bin/sh' >>"$T/passwd"
	assertContains 'a large uid' "$(in_passwd large)" '250 '
	assertContains 'a last line without its end' "$(in_passwd last)" '250 '
	cp "$T/passwd.kept" "$T/passwd"
}

# Nor is what cannot be asked.
testAGetentThatCannotBeStartedIsNoRefusal() {
	need_root || return 0
	assertEquals '451 4.3.0 cannot look this mailbox up now' "$(reply nosuch@mx.test \
		strace -qq -o "$T/trace" -e inject=vfork:error=EAGAIN "${SMTP[@]}" -o 'Users nss' -o 'Postmaster alice')"
	assertContains "$(cat "$T/log")" '/usr/bin/getent: '
}

# What cannot be read is no fact.
testANumberIsNoName() {
	local name
	[ -x /usr/bin/getent ] || { skip "no getent"; return 0; }
	for name in 0 65534 +1; do
		printf 'HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<%s@mx.test>\r\nQUIT\r\n' "$name" |
			smtp -o 'Users nss' -o 'Postmaster alice' >heard 2>log
		assertContains "$name: $(cat log)" "$(cat heard)" '550 5.1.1 no such mailbox here'
		assertEquals "$name" "" "$(errors log)"
	done
}

testAPasswdThatCannotBeReadIsNoRefusal() {
	need_root || return 0
	local fault line
	for fault in open,openat:error=EACCES open,openat:error=EMFILE read:error=EIO; do
		assertEquals "$fault" '451 4.3.0 cannot look this mailbox up now' "$(reply nosuch@mx.test with_users \
			strace -qq -o "$T/trace" -P /etc/passwd -e trace="${fault%:*}" -e inject="$fault:when=2+" \
			"${SMTP[@]}" -o 'Users passwd' -o 'Postmaster postmaster')"
		assertContains "$fault: log" "$(cat "$T/log")" '/etc/passwd: '
	done
	cp "$T/passwd" "$T/passwd.kept"
	printf -v line '%20000s' ''
	printf 'long:x:2009:2009:%s:/:/bin/sh\n' "$line" >>"$T/passwd"
	assertContains 'a line too long' "$(in_passwd nosuch)" '451 4.3.0'
	assertContains 'and before it' "$(in_passwd alice)" '250 '
	cp "$T/passwd.kept" "$T/passwd"
}

# with_nss FILE CMD ... -- run where dora, uid 2301, is a user of another source than /etc/passwd, in
# Debian's libnss-extrausers, and FILE stands where getent stands.
with_nss() {
	local dir=$T/nss getent=$1
	shift
	if [ ! -e "$dir" ]; then
		mkdir "$dir" "$dir/lib" && cp "$PARTS"/usr/lib/libnss_extrausers.so.2 "$dir/lib"
		sed 's/^passwd:.*/passwd: files extrausers/' /etc/nsswitch.conf >"$dir/nsswitch.conf"
		{ cat /etc/ld.so.conf; echo "$dir/lib"; } >"$dir/ld.so.conf"
		/sbin/ldconfig -f "$dir/ld.so.conf" -C "$dir/ld.so.cache" 2>/dev/null
		printf '%s\n' "dora:x:2301:2301:Dora:$T/home/dora:/bin/sh" "low:x:999:999::/:" >"$dir/passwd"
		install -d -m 700 -o 2301 -g 2301 "$T/home/dora"
	fi
	# shellcheck disable=SC2016  # expanded by the inner shell
	unshare -m --propagation private sh -c 'mount -t tmpfs none /var/lib && mkdir /var/lib/extrausers &&
		cp "$0/passwd" /var/lib/extrausers && mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf &&
		mount --bind "$0/ld.so.cache" /etc/ld.so.cache && mount --bind "$1" /usr/bin/getent && shift && exec "$@"' \
		"$dir" "$getent" "$@"
}

# in_nss GETENT NAME [ARG ...]
in_nss() {
	reply "$2@mx.test" with_nss "$1" "${SMTP[@]}" -o 'Users nss' -o 'Postmaster postmaster' "${@:3}"
}

testUsersOfAnotherSource() {
	need_root && part usr/lib/libnss_extrausers.so.2 libnss-extrausers || return 0
	local name where=/usr/bin/getent
	assertContains 'she is there' "$(with_nss $where getent passwd dora)" 'dora:x:2301:'
	for name in dora DORA dora+lists; do
		assertContains "$name: $(cat log)" "$(in_nss $where "$name")" '250 '
	done
	assertEquals 'delivered' '250 2.0.0' "$(send dora@mx.test with_nss $where "${SMTP[@]}" -o 'Users nss' \
		-o 'Postmaster postmaster' | cut -c1-9)"
	assertEquals 'as herself' '2301 2301' "$(stat -c '%u %g' "$T"/home/dora/Maildir/new/*)"
	for name in nosuch low daemon -h --help -- 2301 +2301 '"dora:x"' '"dora/../x"'; do
		assertEquals "$name" "$NO" "$(in_nss $where "$name")"
		assertEquals "$name: no error" '' "$(errors log)"
	done
	assertEquals 'only where it is said' "$NO" "$(reply dora@mx.test with_nss $where "${SMTP[@]}" -o 'Users passwd' \
		-o 'Postmaster postmaster')"
}

# What getent does not say clearly is no fact.
testASourceThatFailsIsNoRefusal() {
	need_root && part usr/lib/libnss_extrausers.so.2 libnss-extrausers || return 0
	local what later='451 4.3.0 cannot look this mailbox up now'
	while read -r what; do
		printf '#!/bin/sh\n%s\n' "$what" >getent && chmod 755 getent
		assertEquals "$what" "$later" "$(in_nss "$T/getent" dora)"
		assertContains "$what: logged" "$(errors log)" '/usr/bin/getent passwd dora: status '
		assertContains "$what: whom it does not need" "$(with_users true; reply alice@mx.test with_users "${SMTP[@]}" -o 'Users nss' -o 'Postmaster x')" '250 '
	done <<-'END'
		exit 1
		exit 3
		kill -KILL $$
		exit 0
		echo mallory:x:2301:2301::/:
		echo dora:x:2301
		echo dora:x:-1:2301::/:
		echo dora:x:2301:2301::/:; exit 1
	END
	printf '#!/bin/sh\nexit 2\n' >getent
	assertEquals 'that says no' "$NO" "$(in_nss "$T/getent" dora)"
	chmod 644 getent
	assertEquals 'that cannot be run' "$later" "$(in_nss "$T/getent" dora)"
	assertContains 'logged' "$(errors log)" 'status 71: '
}

# With a limit of 1 s in the place of NSS_LIMIT.
testASourceThatIsSlowIsNoRefusal() {
	need_root && part usr/lib/libnss_extrausers.so.2 libnss-extrausers || return 0
	local tree=$T/tree begin
	mkdir "$tree" && cp -r "$TOP/Makefile" "$TOP/smtp-stdio" "$TOP/sandbox" "$tree" || return 1
	sed -i 's,NSS_LIMIT = RCPT_WAIT / 5,NSS_LIMIT = 1,' "$tree/smtp-stdio/limits.h"
	assertEquals 'what was to be changed is there' 1 "$(grep -c 'NSS_LIMIT = 1,' "$tree/smtp-stdio/limits.h")"
	make -s -C "$tree" O=out out/bin/smtp-stdio >/dev/null || fail 'it cannot be built'
	# shellcheck disable=SC2016  # for that shell
	printf '#!/bin/sh\necho $$ >%s/home/pid\ntrap "" TERM\nsleep 1000 & wait\nsleep 1000\n' "$T" >getent && chmod 755 getent
	chmod 777 "$T/home"
	begin=$SECONDS
	assertEquals '451 4.3.0 cannot look this mailbox up now' "$(reply dora@mx.test with_nss "$T/getent" "$tree/out/bin/smtp-stdio" \
		"${SMTP[@]:1}" -o 'Users nss' -o 'Postmaster postmaster')"
	assertTrue "took $((SECONDS - begin)) s" "[ $((SECONDS - begin)) -le 9 ]"
	assertContains 'logged' "$(errors log)" '/usr/bin/getent passwd dora: status '
	assertEquals 'as nobody' 65534 "$(stat -c %u "$T/home/pid")"
	wait_for no_group "$(cat "$T/home/pid")" || fail 'it is still there, or what it started'
}
no_group() {
	! pgrep -g "$1"
}

# in_srv NAME [ARG ...] -- by a pattern of directories.
in_srv() {
	reply "$1" "${SMTP[@]}" -o "Users $T/srv/%d/%u" -o 'Postmaster postmaster' "${@:2}"
}

testUsersOfDirectories() {
	need_root || return 0
	local dir=$T/srv/mx.test name before
	install -d -o 2001 -g 2001 "$dir/alice" "$dir/a.b+c" "$T/srv/outside"
	install -d "$dir/owned-by-root"
	: >"$dir/file"
	ln -s "$T/srv/outside" "$dir/link"
	ln -s /root "$dir/root"
	ln -s absent "$dir/nowhere"
	ln -s loop "$dir/loop"
	for name in alice ALICE a.b+c link; do
		assertContains "$name" "$(in_srv "$name@mx.test")" '250 '
	done
	assertContains 'domain' "$(in_srv alice@MX.Test)" '250 '
	for name in owned-by-root root; do
		assertEquals "$name" '451 4.3.5 the mailbox is misconfigured' "$(in_srv "$name@mx.test")"
		assertContains "$name: log" "$(cat "$T/log")" 'belongs to uid 0, and uid 0 cannot deliver as that'
	done
	for name in loop nowhere; do
		assertContains "$name" "$(in_srv "$name@mx.test")" '451 4.3.0'
		assertContains "$name: log" "$(cat "$T/log")" "$dir/$name: "
	done
	# As on a volume that is not mounted.
	for name in "$T/nosuch/%d/%u" "$T/srv/no-%d/%u" "$T/srv/%d/no/%u/mail" "$T/srv/%d/file/%u"; do
		assertContains "$name" "$(reply alice@mx.test "${SMTP[@]}" -o "Users $name" -o 'Postmaster postmaster')" '451 4.3.0'
		assertContains "$name: log" "$(cat "$T/log")" ': No'
	done
	assertEquals "the user's own is missing" "$NO" \
		"$(reply alice@mx.test "${SMTP[@]}" -o "Users $T/srv/%d/%u/mail" -o 'Postmaster postmaster')"
	before=$(find "$T/srv" | sort)
	# shellcheck disable=SC2016  # for a shell that must not be there
	for name in nosuch file -alice '".alice"' '".."' '"."' '"../mx.test/alice"' '"alice/../alice"' '"/alice"' '"alice/"' \
		'a%u' '%u' '"a b"' '"al\ice\\"' "alice'" '$alice' '`alice`' 'alice*'; do
		assertEquals "$name" "$NO" "$(in_srv "$name@mx.test")"
	done
	assertEquals 'another domain' '550 5.7.1 mail for this domain is not taken here' "$(in_srv alice@other.test)"
	for name in .. . '[127.0.0.1]' -mx.test; do
		assertNotContains "$name" "$(reply "alice@$name" "${SMTP[@]}" -o 'Users any' -o "Users $T/srv/%d/%u" -o 'Postmaster postmaster' -o 'Domain x.test')" '250 '
	done
	assertEquals 'nothing made' "$before" "$(find "$T/srv" | sort)"
	assertContains 'delivered' "$(send link@mx.test "${SMTP[@]}" -o "Users $T/srv/%d/%u" -o 'Postmaster postmaster')" ' delivered'
	assertEquals 'as the owner' '2001 2001' "$(stat -c '%u %g' "$T/srv/outside/Maildir/new/"*)"
	install -d -o 2001 -g 0 "$dir/given"
	assertContains 'mkdir and chown' "$(send given@mx.test "${SMTP[@]}" -o "Users $T/srv/%d/%u" -o 'Postmaster postmaster')" ' delivered'
	assertEquals 'never as group root' '2001 65534' "$(stat -c '%u %g' "$dir/given/Maildir/new/"*)"
}

# A session that was taken over may ask for any name: those of directories that are there, too.
testNamesThatAreNoNames() {
	local name dir=$T/srv/mx.test
	cp "$O/bin/hostile" "$BIN/"
	mkdir -p "$dir/alice/sub" "$dir/.alice" "$dir/-alice" "$dir/a%u" "$dir/a b" "$dir/\$a"
	[ "$(id -u)" -ne 0 ] || chown -R 2001:2001 "$dir"
	# shellcheck disable=SC2016  # for a shell that must not be there
	for name in .alice . .. alice/ alice/sub alice/. alice/../alice ../mx.test/alice ./alice /alice -alice 'a%u' 'a b' '$a'; do
		printf '8:F0 0 a@b?%d:R%s@mx.test?' $((${#name} + 9)) "$name" | "$BIN/hostile" "${SMTP[@]:1}" \
			-o "Users $T/srv/%d/%u" -o 'Postmaster postmaster' >"$T/out" 2>"$T/log"
		assertEquals "$name" $'Y\nN5.1.1 no such mailbox here' "$(cat "$T/out")"
	done
}

testOneMailboxForAll() {
	need_root || return 0
	install -d -o 2002 -g 2002 "$T/srv/bob" "$T/srv/bob/box"
	install -d -o 2003 -g 2003 "$T/srv/carol"
	install -d "$T/srv/root"
	assertContains 'its owner' "$(send x@mx.test "${SMTP[@]}" -o 'Users any' -o "Mailbox $T/srv/bob/box/")" ' delivered'
	assertEquals '2002 2002' "$(stat -c '%u %g' "$T/srv/bob/box/new/"*)"
	assertContains 'to be made' "$(send x@mx.test "${SMTP[@]}" -o 'Users any' -o "Mailbox $T/srv/carol/box/")" ' delivered'
	assertEquals '2003 2003' "$(stat -c '%u %g' "$T/srv/carol/box/new/"*)"
	assertEquals 'of root' '451 4.3.5 the mailbox is misconfigured' \
		"$(reply x@mx.test "${SMTP[@]}" -o 'Users any' -o "Mailbox $T/srv/root/")"
	assertContains 'nowhere' "$(reply x@mx.test "${SMTP[@]}" -o 'Users any' -o "Mailbox $T/srv/no/such/")" '451 4.3.0'
}

testAnOrdinaryUserServesItself() {
	need_root || return 0
	local as=(with_users setpriv --reuid=2001 --regid=2001 --clear-groups -- "${SMTP[@]}" -o 'Users passwd' -o 'Postmaster postmaster') name
	assertContains alice "$(send alice@mx.test "${as[@]}")" ' delivered'
	assertEquals '2001 2001' "$(stat -c '%u %g' "$T/home/alice/Maildir/new/"*)"
	for name in bob nosuch; do
		assertEquals "$name" "$NO" "$(reply "$name@mx.test" "${as[@]}")"
	done
	install -d -o 2002 -g 2002 "$T/srv/mx.test/bob"
	assertContains 'a directory of another' "$(reply bob@mx.test setpriv --reuid=2001 --regid=2001 --clear-groups -- \
		"${SMTP[@]}" -o "Users $T/srv/%d/%u" -o 'Postmaster postmaster')" '451 4.3.5'
}

# ---- descriptor 2 is the client

# like_inetd ARG ... -- with one socket as descriptors 0, 1 and 2; standard input is the client.
# syslog is a socket of our own: what it gets is in $T/syslog, the exit status in $T/status.
like_inetd() {
	printf '%q ' "${SMTP[@]}" "$@" >"$T/serve"
	printf '\necho $? >%q\n' "$T/status" >>"$T/serve"
	mkdir -p "$T/dev"
	cp "$TOP/tests/converse.py" "$T/"
	rm -f "$T/syslog"
	cat >"$T/client"
	unshare -m --propagation private bash -s "$T" <<-'END'
		T=$1
		mount -t tmpfs none "$T/dev" && cp -a /dev/null /dev/urandom "$T/dev/" && mkdir -m 1777 "$T/dev/shm"
		socat -u UNIX-RECV:"$T/dev/log" OPEN:"$T/syslog",creat,append &
		log=$!
		for ((i = 0; i < 500; i++)); do [ -S "$T/dev/log" ] && break; sleep 0.02; done
		mount --bind "$T/dev" /dev
		python3 "$T/converse.py" -e bash "$T/serve" <"$T/client" >"$T/out"
		printf 'the end\n' | socat -u - UNIX-SENDTO:"$T/dev/log"
		for ((i = 0; i < 500; i++)); do grep -q 'the end' "$T/syslog" && break; sleep 0.02; done
		kill "$log"
	END
}

# only_smtp WHAT -- all that the client read are replies.
only_smtp() {
	assertNotEquals "$1: replies" 0 "$(wc -l <"$T/out")"
	assertEquals "$1" '' "$(grep -avE $'^[2-5][0-9][0-9][ -][ -~]*\r$' "$T/out")"
}

testNothingButSmtpReachesTheClient() {
	need_root || return 0
	install -d -o 2001 -g 2001 "$T/srv/mx.test/alice"
	: >"$T/srv/mx.test/alice/Maildir"
	dialogue nosuch@mx.test alice@mx.test | like_inetd -o "Users $T/srv/%d/%u" -o 'Postmaster postmaster'
	only_smtp 'refused and failed'
	assertContains 'refused' "$(cat "$T/out")" "$NO"
	assertContains 'failed' "$(cat "$T/out")" '451 4.2.0 '
	assertContains 'syslog' "$(cat "$T/syslog")" '<21>'
	assertContains 'syslog: refused' "$(cat "$T/syslog")" 'refused session='
	assertContains 'syslog: failed' "$(cat "$T/syslog")" 'failed session='
	assertContains 'syslog: what deliver said' "$(cat "$T/syslog")" 'not a directory'
	assertEquals 'status' 0 "$(cat "$T/status")"
}

testBadSettingsTellTheClientToComeAgain() {
	need_root || return 0
	like_inetd -o 'Nonsense 1' </dev/null
	printf '421 4.3.5 misconfigured; closing\r\n' | cmp - "$T/out" || fail "$(cat "$T/out")"
	assertEquals 78 "$(cat "$T/status")"
	assertContains "$(cat "$T/syslog")" '-o:4: Nonsense: unknown keyword'
	like_inetd -o 'SessionUser nosuch' </dev/null
	printf '421 4.3.5 misconfigured; closing\r\n' | cmp - "$T/out" || fail "$(cat "$T/out")"
	assertEquals 78 "$(cat "$T/status")"
	like_inetd -X </dev/null
	assertEquals 'wrong usage' '' "$(grep -avE '^421 ' "$T/out")"
	assertEquals 64 "$(cat "$T/status")"
}

# A log line before the pair is made must not make syslog's descriptor and the pair's the same.
testALogLineNeverGoesToTheSession() {
	cat >"$T/odd.py" <<-'END'
		import socket, subprocess, sys
		ours, theirs = socket.socketpair()
		program = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs)
		theirs.close()
		heard = program.stdout.readline()
		for line in b"HELO me", b"MAIL FROM:<>", b"RCPT TO:<nosuch@mx.test>", b"QUIT":
		    ours.sendall(line + b"\r\n")
		    heard += program.stdout.readline()
		print(heard.decode(), program.stdout.read())
		print("", ours.recv(9), program.wait())
	END
	timeout 20 python3 "$T/odd.py" "${SMTP[@]}" -o "Users $T/srv/%d/%u" -o 'Postmaster postmaster' >"$T/out"
	assertContains "$(cat "$T/out")" "$NO"
	assertContains "$(cat "$T/out")" '221 '
	assertEquals 'nor to the client' " b'' 0" "$(tail -n 1 "$T/out")"
}

. shunit2
