#!/bin/bash
# systemd_test.sh -- installed on a machine with a real systemd, which is booted once for all tests.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/machine_lib.sh"

oneTimeSetUp() {
	boot || return 0
	cp "$T"/*.py "$M/share/"
	make -C "$TOP" -s install DESTDIR="$ROOT" >install.log 2>&1 || cat install.log
	inside systemd-sysusers 2>err
	inside systemd-tmpfiles --create smtp-stdio.conf
	inside useradd -m alice
	inside useradd -m bob
	inside chmod 700 /home/alice /home/bob
	mailboxes
}

# The two programs for port 25.
KINDS=(smtp-stdio smtp-listen)
UNITS=(smtp-stdio.socket smtp-listen.socket smtp-listen.service 'smtp-stdio@*.service')

# As the README makes them.
mailboxes() {
	inside install -d -o smtp-stdio -g smtp-stdio -m 700 /var/lib/smtp-stdio/here.test/ann
}

# settings LINE ... -- of smtp-stdio.
settings() {
	printf '%s\n' 'Hostname mx.test' 'Domain here.test' "$@" >"$ROOT/etc/smtp-stdio.conf"
}
virtual() {
	settings 'Users /var/lib/smtp-stdio/%d/%u' 'Postmaster ann' "$@"
}
passwd() {
	settings 'Users passwd' 'Postmaster alice' "$@"
}

stop() {
	inside systemctl stop "${UNITS[@]}" 2>err
	inside systemctl --quiet disable smtp-stdio.socket smtp-listen.socket 2>err
}
# serve KIND [DROP-IN ...] -- let its socket be the one that has the port.
serve() {
	local kind=$1 unit name
	shift
	stop
	for unit in smtp-stdio@.service smtp-listen.service; do
		inside rm -rf "/etc/systemd/system/$unit.d"
		for name in "$@"; do
			inside install -d "/etc/systemd/system/$unit.d"
			inside ln -s "/usr/local/share/smtp-stdio/$name" "/etc/systemd/system/$unit.d/"
		done
	done
	inside systemctl daemon-reload
	inside systemctl --quiet enable --now "$kind.socket" 2>err
	ended $? err
}

# send ADDRESS RECIPIENT -- one message from there by a real client; ./heard is the dialogue.
send() {
	inside timeout 60 swaks --server 127.0.0.1 --local-interface "$1" --helo client.test \
		--from a@client.test --to "$2" --header "Subject: from $1" >heard 2>&1
}
# send_by_python SERVER RECIPIENT -- the same, for what swaks cannot do: IPv6 without more of Perl, and 251.
send_by_python() {
	inside timeout 60 /usr/bin/python3 -c 'import smtplib, sys
with smtplib.SMTP(sys.argv[1], 25) as s:
    s.sendmail("a@client.test", [sys.argv[2]], "Subject: from " + sys.argv[1] + "\r\n\r\n")' "$@" >heard 2>&1
}

# journal [FORMAT] -- what the programs have logged so far.
journal() {
	inside journalctl --sync
	inside journalctl -q -o "${1:-cat}" -u 'smtp-*'
}

# logged PATTERN -- it stands in the journal.
logged() {
	journal >log
	assertTrue "logged: $1
$(tail -n 5 log)" "grep -q -- '$1' log"
}

# arrived DIRECTORY OWNER SUBJECT -- one message is there, and whose it is.
arrived() {
	assertEquals "messages in $1" 1 "$(inside grep -rlx "Subject: $3" "$1" | wc -l)"
	assertEquals "owner" "$2" "$(inside find "$1" -type f -exec stat -c %U {} + | sort -u)"
}

# call ADDRESS -- a client at hand, connected from there: then "ask LINE ..." or "say LINE", and "hear".
call() {
	local server=127.0.0.1 here=$1
	[[ $1 != *:* ]] || { server='[::1]'; here="[$1]"; }
	rm -f to from
	mkfifo to from
	inside timeout 60 socat STDIO "TCP:$server:25,crnl,bind=$here" <to >from 2>/dev/null &
	CLIENT=$!
	exec 8>to 9<from
	hear
}
say() {
	(trap '' PIPE && printf '%s\n' "$@" >&8) 2>/dev/null # or it is gone
}
# hear -- the last line of the next reply, as $HEARD; empty at the end of the connection.
hear() {
	while read -r -t 60 HEARD <&9; do
		[ "${HEARD:3:1}" = - ] || return 0
	done
	HEARD=
}
ask() {
	local line
	for line in "$@"; do
		say "$line"
		hear
	done
}
hang_up() {
	exec 8>&- 9<&-
	wait "$CLIENT" 2>/dev/null
	wait_for none_left
}
none_left() {
	[ -z "$(inside pgrep -x smtp-stdio)" ]
}

# listening -- what listens on the port.
listening() {
	inside ss -Hltn 'sport = 25'
}

# ---- install ------------------------------------------------------------------------------------

testInstalledUnitsAreWhatSystemdTakes() {
	machine || return 0
	local man=--man=no units=(smtp-stdio.socket smtp-stdio@.service)
	units+=(smtp-listen.socket smtp-listen.service)
	# With the manual pages that Documentation= names, where there is man.
	inside sh -c 'command -v man' >out && man=--man=yes
	inside systemd-analyze verify "$man" "${units[@]}" >out 2>&1
	assertEquals "status" 0 $?
	assertEquals "" "$(cat out)"
}

testUserAndDirectoryAreMade() {
	machine || return 0
	assertEquals "smtp-stdio:/var/lib/smtp-stdio:/usr/sbin/nologin" \
		"$(inside getent passwd smtp-stdio | cut -d: -f1,6,7)"
	assertTrue "a system user" "[ $(inside id -u smtp-stdio) -lt 1000 ]"
	assertEquals "smtp-stdio:smtp-stdio 700" "$(inside stat -c '%U:%G %a' /var/lib/smtp-stdio)"
}

testNoPortIsOpenedWithoutSettings() {
	machine || return 0
	local kind
	inside rm -f /etc/smtp-stdio.conf
	for kind in "${KINDS[@]}"; do
		inside systemctl enable --now "$kind.socket" >out 2>&1
		assertNotEquals "$kind" 0 $?
		assertTrue "it says why: $(cat out)" "grep -q 'Assertion failed' out"
		assertEquals "$kind listens" "" "$(listening)"
	done
}

testOneProgramAtATimeHasThePort() {
	machine || return 0
	virtual
	serve smtp-stdio
	inside systemctl start smtp-listen.socket
	assertEquals "inactive active" "$(inside systemctl is-active smtp-stdio.socket smtp-listen.socket | xargs)"
	inside systemctl start smtp-stdio.socket
	assertEquals "active inactive" "$(inside systemctl is-active smtp-stdio.socket smtp-listen.socket | xargs)"
}

# Whoever changes things by a program may restart a socket, or swap the two, more often than people do.
testASocketIsStartedHoweverOften() {
	machine || return 0
	local i
	virtual
	serve smtp-stdio
	for i in 1 2 3 4 5 6; do
		inside systemctl restart smtp-stdio.socket 2>err
		ended $? err
		inside systemctl start smtp-listen.socket 2>err
		ended $? err
		inside systemctl start smtp-stdio.socket 2>err
		ended $? err
	done
	send 127.0.0.1 ann@here.test
	ended $? heard
}

# ---- mail ---------------------------------------------------------------------------------------

testMailboxesWithoutALoginReceive() {
	machine || return 0
	local kind n=1
	virtual
	for kind in "${KINDS[@]}"; do
		n=$((n + 1))
		serve "$kind"
		send 127.0.0.$n ann@here.test
		ended $? heard
		arrived /var/lib/smtp-stdio/here.test/ann/Maildir/new smtp-stdio "from 127.0.0.$n"
		logged "delivered .* client=127\.0\.0\.$n .* to=<ann@here.test>"
		send 127.0.0.$n nobody@here.test
		ended $? heard 24 # as swaks has it where no recipient is taken
		logged "refused .* client=127\.0\.0\.$n .* to=<nobody@here.test>"
		journal json >log
		assertEquals "facility mail" 0 "$(grep '"delivered ' log | grep -vc '"SYSLOG_FACILITY":"2"')"
		assertEquals "$kind: found by its name" 0 "$(grep '"delivered ' log | grep -vc '"SYSLOG_IDENTIFIER":"smtp-stdio"')"
	done
	assertTrue "the listener by its own" "grep -q '\"SYSLOG_IDENTIFIER\":\"smtp-listen\"' log"
}

testUsersOfTheMachineReceive() {
	machine || return 0
	local kind n=10
	for kind in "${KINDS[@]}"; do
		n=$((n + 1))
		passwd
		serve "$kind" 50-system-users.conf
		send 127.0.0.$n alice@here.test
		ended $? heard
		arrived /home/alice/Maildir/new alice "from 127.0.0.$n"
		logged "delivered .* client=127\.0\.0\.$n .* to=<alice@here.test>"
		passwd 'Mailbox /var/mail/%u' 'MailGroup mail' # mboxes, as Debian has them
		send 127.0.0.$n bob@here.test
		ended $? heard
		arrived /var/mail/bob bob "from 127.0.0.$n"
	done
}

testIpv6IsServed() {
	machine || return 0
	inside test -e /proc/net/if_inet6 || { skip "there is no IPv6 here"; return 0; }
	virtual
	serve smtp-stdio
	send_by_python ::1 ann@here.test
	ended $? heard
	logged 'delivered .*=::1 .* to=<ann@here.test>'
}

# Whoever forgets the drop-in, or a directory in it, must not lose mail: what is out of reach is put off.
testWhatIsOutOfReachIsPutOff() {
	machine || return 0
	local users user
	inside install -d -o smtp-stdio -g smtp-stdio -m 755 /srv/mail /srv/mail/ann /home/mail /home/mail/ann
	serve smtp-stdio
	for users in passwd '/srv/mail/%u' '/home/mail/%u'; do
		settings "Users $users" 'Postmaster ann'
		user=ann
		[ "$users" != passwd ] || user=alice
		send 127.0.0.20 $user@here.test
		assertNotEquals "$users" 0 $?
		assertTrue "$users: $(cat heard)" "grep -q '^<\*\* 45[0-9] ' heard"
		assertFalse "$users: $(cat heard)" "grep -q '^<\*\* 5' heard"
	done
}

# As Postfix's sendmail does it: a set-group-id program writes a queue that only its group may write.
testAnAliasIsForwarded() {
	machine || return 0
	inside install -m 2755 -g mail /usr/bin/tee /usr/local/bin/postdrop
	inside install -d -g mail -m 730 /var/spool/drop
	printf '#!/bin/sh\nexec /usr/local/bin/postdrop /var/spool/drop/queued >/dev/null\n' >"$ROOT/usr/local/bin/sendmail"
	chmod 755 "$ROOT/usr/local/bin/sendmail"
	echo 'carol: carol@elsewhere.test' >"$ROOT/etc/aliases.smtp"
	passwd 'Aliases /etc/aliases.smtp' 'ForwardCommand /usr/local/bin/sendmail %s %r'
	serve smtp-stdio 50-system-users.conf 50-forward.conf
	send_by_python 127.0.0.1 carol@here.test
	ended $? heard
	assertTrue "it is in the queue" "inside grep -qx 'Subject: from 127.0.0.1' /var/spool/drop/queued"
	assertEquals "as that group" mail "$(inside stat -c %G /var/spool/drop/queued)"
}

# ---- fail2ban -----------------------------------------------------------------------------------

# fail2ban_runs || return 0 -- fail2ban in the machine, with the jail that its filter asks for.
fail2ban_runs() {
	part usr/bin/fail2ban-server fail2ban && part usr/lib/python3/dist-packages/systemd python3-systemd || return
	(cd "$PARTS" && cp -a --parents etc/fail2ban usr/bin/fail2ban-* usr/lib/python3/dist-packages/{fail2ban,systemd} \
		lib/systemd/system/fail2ban.service "$ROOT/")
	cp "$TOP/units/smtp-stdio.fail2ban" "$ROOT/etc/fail2ban/filter.d/smtp-stdio.conf"
	{
		# To ban is to write into a file: whether the kernel filters packets is not our business, and
		# 127.0.0.1 must go on.  ::1 is the machine itself, which is spared otherwise.
		printf '%s\n' '[DEFAULT]' 'banaction = dummy' 'ignoreself = no'
		printf '%s\n' '[sshd]' 'enabled = no' # Debian's, and here there is none
		sed -n 's/^#     //p' "$TOP/units/smtp-stdio.fail2ban"
	} >"$ROOT/etc/fail2ban/jail.local"
	inside install -d /var/lib/fail2ban
	inside systemctl daemon-reload
	inside systemctl start fail2ban.service 2>err
	ended $? err
	wait_for inside grep -q 'smtp-stdio. Jail is in operation' /var/log/fail2ban.log
}

# refused_from ADDRESS TIMES -- so many recipients are refused; the client says that it is 127.0.9.9.
refused_from() {
	local i
	call "$1"
	ask 'EHLO [127.0.9.9]' 'MAIL FROM:<client=127.0.9.9@client.test>'
	for ((i = 0; i < $2; i++)); do
		ask 'RCPT TO:<"x client=127.0.9.9"@elsewhere.test>'
		assertEquals "$1" 550 "${HEARD%% *}"
	done
	ask QUIT
	hang_up
}

# given_up_on ADDRESS TIMES -- so many clients speak HTTP.
given_up_on() {
	local i
	for ((i = 0; i < $2; i++)); do
		call "$1"
		ask 'GET / HTTP/1.1'
		assertEquals "$1" 421 "${HEARD%% *}"
		hang_up
	done
}

# banned NETWORK -- the addresses there that are banned, and ::1.
banned() {
	inside fail2ban-client get smtp-stdio banip | tr -s ' ' '\n' | grep "^127\.0\.$1\.\|^::1$" | sort | xargs
}
bans() {
	assertEquals "banned $*" "$2" "$(wait_for has_banned "$@"; banned "$1")"
}
has_banned() {
	[ "$(banned "$1")" = "$2" ]
}

# As many as the jail takes without a ban come first: when the others are banned, these have been read.
testFail2banBansWhoMisbehavesAndNobodyElse() {
	machine && fail2ban_runs || return 0
	local kind net=6 want
	virtual
	for kind in "${KINDS[@]}"; do
		net=$((net + 1))
		serve "$kind"
		refused_from 127.0.$net.1 4
		given_up_on 127.0.$net.2 4
		send 127.0.$net.3 ann@here.test
		ended $? heard
		refused_from 127.0.$net.4 5
		given_up_on 127.0.$net.5 5
		want="127.0.$net.4 127.0.$net.5"
		if inside test -e /proc/net/if_inet6; then
			inside fail2ban-client unban ::1 >out
			refused_from ::1 5
			want="$want ::1"
		fi
		bans $net "$want"
		assertEquals "$kind: whom a client named" "" "$(banned 9 | sed 's/::1//')"
	done
	inside systemctl stop fail2ban.service
}

# ---- filters ------------------------------------------------------------------------------------

# As spamc does it: a filter asks a server of this machine, and keeps a file.
testAFilterAsksAServer() {
	machine || return 0
	cat >"$ROOT/usr/local/bin/server" <<-'END'
		import socket
		listener = socket.create_server(("127.0.0.1", 7830))
		print("ready", flush=True)
		while True:
		    client = listener.accept()[0]
		    client.sendall(b"X-Judged: by a server\n")
		    client.close()
	END
	cat >"$ROOT/usr/local/bin/asks" <<-'END'
		#!/bin/bash
		exec 3<>/dev/tcp/127.0.0.1/7830 || exit 75
		head -n 1 <&3
		echo asked >>/var/lib/bogofilter/words || exit 75
		exec cat
	END
	chmod 755 "$ROOT/usr/local/bin/asks"
	inside install -d -o smtp-stdio /var/lib/bogofilter
	inside systemd-run -q --unit=judge python3 /usr/local/bin/server
	wait_for inside sh -c 'ss -Hltn "sport = :7830" | grep -q .'
	virtual 'Filter /usr/local/bin/asks'
	serve smtp-stdio
	send_by_python 127.0.0.1 ann@here.test
	assertNotEquals "without the drop-in" 0 $?
	logged 'failed .* to=<ann@here.test> .* reply="4'
	serve smtp-stdio 50-filter.conf
	send_by_python 127.0.0.1 ann@here.test
	ended $? heard
	assertTrue "it was asked" "inside grep -rqx 'X-Judged: by a server' /var/lib/smtp-stdio/here.test/ann"
	assertTrue "and wrote" "inside grep -qx asked /var/lib/bogofilter/words"
	inside systemctl stop judge
}

# ---- hardening ----------------------------------------------------------------------------------

# Everything that is tried must fail but what is named "may"; in ./result are those that went otherwise.
cat >"$T/try.py" <<'EOF'
import ctypes, mmap, os, socket, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    if getattr(libc, name)(*args) < 0:
        raise OSError(ctypes.get_errno(), name)
def write(path, text="#!/bin/sh\n"):
    with open(path, "w") as f:
        f.write(text)
def run_what_was_written(path):
    write(path)
    os.chmod(path, 0o755)
    subprocess.run([path], check=True)
def set_user_id(path):
    write(path)
    os.chmod(path, 0o4755)
def see(path):
    return os.listdir(path) if os.path.isdir(path) else open(path).read(1)
box = sys.argv[1]
tries = {
    "may write the mailbox": lambda: write(box + "/tried"),
    "may write /tmp": lambda: write("/tmp/tried"),
    "may speak to its own": lambda: socket.socketpair(),
    "write /etc": lambda: write("/etc/tried"),
    "write /usr": lambda: write("/usr/tried"),
    "write /var/lib": lambda: write("/var/lib/tried"),
    "run what was written": lambda: run_what_was_written(box + "/script"),
    "make a set-user-id file": lambda: set_user_id(box + "/suid"),
    "write a kernel setting": lambda: write("/proc/sys/kernel/core_pattern", "x"),
    "see the kernel's symbols": lambda: see("/proc/kallsyms"),
    "see its log": lambda: see("/dev/kmsg"),
    "see another's process": lambda: see("/proc/1/status"),
    "write a control group": lambda: write("/sys/fs/cgroup/tried"),
    "speak IPv4": lambda: socket.socket(socket.AF_INET),
    "speak IPv6": lambda: socket.socket(socket.AF_INET6),
    "speak netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "see the wire": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "write and run the same memory": lambda: mmap.mmap(-1, 4096, prot=7),
    "make a user namespace": lambda: call("unshare", 0x10000000),
    "make a mount namespace": lambda: call("unshare", 0x20000),
    "mount": lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
    "trace": lambda: call("ptrace", 0, 0, 0, 0),
    "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, 1),
    "set the host's name": lambda: socket.sethostname("tried"),
    "be another personality": lambda: call("personality", 8),
    "be real-time": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "choose its processor": lambda: os.sched_setaffinity(0, {0}),
    "become root": lambda: os.setuid(0),
    "become another": lambda: os.setuid(1),
    "change the root": lambda: os.chroot("/tmp"),
    "make a device": lambda: os.mknod("/tmp/device", 0o20600, os.makedev(1, 3)),
    "load a module": lambda: call("init_module", 0, 0, b""),
}
for path in sys.argv[2:]:
    tries["see " + path] = lambda path=path: see(path)
out = open(box + "/result", "w")
for name, attempt in tries.items():
    try:
        attempt()
        worked = True
    except OSError:
        worked = False
    if worked != name.startswith("may "):
        print(name, "WORKED" if worked else "failed", file=out)
print(len(tries), "tried", file=out)
EOF

# tried USER RECIPIENT BOX PATH ... -- try it from a delivery program; ./result is what it found.  BOX is a
# directory of USER's.
tried() {
	inside rm -rf "$3"
	inside install -d -o "$1" -m 700 "$3"
	inside install -m 755 /share/try.py /usr/local/lib/try.py
	echo "DeliverCommand /usr/bin/python3 /usr/local/lib/try.py ${*:3}" >>"$ROOT/etc/smtp-stdio.conf"
	send 127.0.0.30 "$2"
	ended $? heard
	inside cat "$3/result" >result
}

# status PID -- its identity and what it may do.
# shellcheck disable=SC2016  # the dollars are awk's
status() {
	inside awk '/^(Uid|CapPrm|CapEff|CapBnd|NoNewPrivs|Seccomp):/ { print $1 $2 }' "/proc/$1/status" | xargs
}

# apart PID -- which of its namespaces are not those of the machine.
apart() {
	local name
	for name in ipc mnt net user uts; do
		[ "$(inside readlink "/proc/$1/ns/$name")" = "$(inside readlink "/proc/1/ns/$name")" ] || printf '%s ' $name
	done
}

# mounted PID -- how / and /proc are for that process.
# shellcheck disable=SC2016  # the dollars are awk's
mounted() {
	inside awk '$5 == "/" { root = substr($6, 1, 2) } $5 == "/proc" { proc = $NF } END { print root, proc }' \
		"/proc/$1/mountinfo"
}

# find_both -- $MONITOR and $SESSION of the client that has called.
find_both() {
	MONITOR=$(inside pgrep -ox smtp-stdio)
	SESSION=$(inside pgrep -nx smtp-stdio)
	assertEquals "the session is the monitor's child" "$MONITOR" "$(inside ps -o ppid= -p "$SESSION" | tr -d ' ')"
}

# shellcheck disable=SC2016  # the dollars are awk's
testASessionSeesNothingAndMayNothing() {
	machine || return 0
	local kind process uid none=0000000000000000
	uid=$(inside id -u smtp-stdio)
	echo secret >"$ROOT/home/alice/secret"
	for kind in "${KINDS[@]}"; do
		virtual
		serve "$kind"
		call 127.0.0.31
		ask 'EHLO client.test' 'MAIL FROM:<a@client.test>' 'RCPT TO:<ann@here.test>'
		assertEquals "it is served" "250 2.1.5 recipient ok" "$HEARD"
		find_both
		for process in $MONITOR $SESSION; do
			assertEquals "$kind" "Uid:$uid CapPrm:$none CapEff:$none CapBnd:$none NoNewPrivs:1 Seccomp:2" "$(status "$process")"
			assertEquals "namespaces" "ipc mnt net user uts " "$(apart "$process")"
			assertEquals "network" "lo:" "$(inside awk 'NR > 2 { print $1 }' "/proc/$process/net/dev" | xargs)"
			assertEquals "files" "ro rw,hidepid=invisible,subset=pid" "$(mounted "$process")"
			assertEquals "homes" "" "$(inside ls -A "/proc/$process/root/home/"; inside ls -A "/proc/$process/root/root/")"
			assertEquals "users" "" "$(inside cat "/proc/$process/root/etc/passwd")"
		done
		hang_up
		tried smtp-stdio ann@here.test /var/lib/smtp-stdio/box /home /home/alice/secret /root /etc/passwd
		assertEquals "$kind" "36 tried" "$(cat result)"
	done
}

testAsRootFourCapabilitiesAreAllThereIs() {
	machine || return 0
	local kind nobody none=0000000000000000
	nobody=$(inside id -u nobody)
	for kind in "${KINDS[@]}"; do
		passwd
		serve "$kind" 50-system-users.conf
		call 127.0.0.32
		find_both
		# KILL, SETGID, SETUID are 5, 6, 7; SYS_CHROOT, 18, is given up when the session has its root
		assertEquals "monitor" "Uid:0 CapPrm:00000000000000e0 CapEff:00000000000000e0 CapBnd:00000000000400e0 NoNewPrivs:1 Seccomp:2" \
			"$(status "$MONITOR")"
		assertEquals "session" "Uid:$nobody CapPrm:$none CapEff:$none CapBnd:00000000000400e0 NoNewPrivs:1 Seccomp:2" \
			"$(status "$SESSION")"
		assertEquals "the session's files" "" "$(inside ls -A "/proc/$SESSION/root/")"
		assertEquals "namespaces" "ipc mnt net uts " "$(apart "$MONITOR")"
		assertEquals "files" "ro rw,hidepid=invisible,subset=pid" "$(mounted "$MONITOR")"
		hang_up
		tried alice alice@here.test /home/alice/box /home/bob /root /etc/shadow
		assertEquals "$kind" "run what was written WORKED 35 tried" "$(xargs <result)" # at home it may
	done
}

# ---- many clients, and bad ones -----------------------------------------------------------------

# N clients within some seconds, each from an address of its own: how many are served.
cat >"$T/storm.py" <<'EOF'
import asyncio, sys
n, within = int(sys.argv[1]), float(sys.argv[2])
async def client(i):
    await asyncio.sleep(within * i / n)
    try:
        r, w = await asyncio.open_connection("127.0.0.1", 25, local_addr=(f"127.1.{i // 250}.{1 + i % 250}", 0))
        first = await r.readline()
        w.write(b"QUIT\r\n")
        rest = await r.read()
        return first.startswith(b"220 ") and rest.startswith(b"221 ")
    except OSError:
        return False
async def clients():
    return await asyncio.gather(*(client(i) for i in range(n)))
print(sum(asyncio.run(clients())))
EOF

testNoneOf250ConnectionsIn2SecondsIsRefused() {
	machine || return 0
	local kind
	virtual
	for kind in "${KINDS[@]}"; do
		serve "$kind"
		assertEquals "$kind" 250 "$(inside timeout 180 python3 /share/storm.py 250 2)"
		assertEquals "the port is still open" active "$(inside systemctl is-active "$kind.socket")"
		send 127.0.0.40 ann@here.test
		ended $? heard
	done
}

# N clients one after the other, who each ask for eight recipients that are refused.
cat >"$T/refused.py" <<'EOF'
import smtplib, sys
for i in range(int(sys.argv[1])):
    with smtplib.SMTP("127.0.0.1", 25, source_address=("127.0.0.46", 0)) as s:
        s.ehlo("client.test")
        s.mail("a@client.test")
        for n in range(8):
            s.rcpt("nobody@here.test")
EOF

# The journal drops what a unit writes beyond a limit, which is low here: who has many refused would be rid
# of everybody's.
testTheLogOfEveryMessageIsKept() {
	machine || return 0
	local kind n=46
	inside install -d /run/systemd/journald.conf.d
	printf '%s\n' '[Journal]' RateLimitIntervalSec=1h RateLimitBurst=10 >"$ROOT/run/systemd/journald.conf.d/50-few.conf"
	inside systemctl restart systemd-journald.service
	virtual
	for kind in "${KINDS[@]}"; do
		n=$((n + 1))
		serve "$kind"
		inside timeout 60 python3 /share/refused.py 50 2>err
		ended $? err
		send 127.0.0.$n ann@here.test
		ended $? heard
		logged "delivered .* client=127\.0\.0\.$n "
	done
	assertEquals "refused" 800 "$(grep -c '^refused .* client=127\.0\.0\.46 ' log)"
	inside rm /run/systemd/journald.conf.d/50-few.conf
	inside systemctl restart systemd-journald.service
}

# N connections of one address and one of another: how many are greeted, and whether the other is.
cat >"$T/crowd.py" <<'EOF'
import socket, sys
def connect(address):
    s = socket.create_connection(("127.0.0.1", 25), source_address=(address, 0))
    s.settimeout(60)
    return s
def greeted(s):
    try:
        return s.recv(512).startswith(b"220 ")
    except OSError:
        return False
crowd = [connect("127.0.0.41") for i in range(int(sys.argv[1]))]
print(sum(greeted(s) for s in crowd), greeted(connect("127.0.0.42")))
EOF

testOneAddressHasItsLimit() {
	machine || return 0
	virtual
	serve smtp-stdio
	assertEquals "20 True" "$(inside timeout 60 python3 /share/crowd.py 25)"
}

# Clients that do what clients should not; the unit of each must go all the same.
cat >"$T/vandals.py" <<'EOF'
import socket, struct
for said in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b"\xff" * 5000, b"EHLO x\r\n" * 200,
             b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<ann@here.test>\r\nDATA\r\nx"):
    for reset in (False, True):
        s = socket.create_connection(("127.0.0.1", 25), source_address=("127.0.0.43", 0))
        s.settimeout(60)
        s.recv(512)
        s.sendall(said)
        if reset:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
print("done")
EOF
no_connection() {
	[ "$(inside systemctl show -P NConnections smtp-stdio.socket)" -eq 0 ]
}

testClientsAtFaultLeaveNothingBehind() {
	machine || return 0
	virtual
	serve smtp-stdio
	assertEquals "done" "$(inside timeout 60 python3 /share/vandals.py)"
	wait_for no_connection
	assertEquals "connections" 0 "$(inside systemctl show -P NConnections smtp-stdio.socket)"
	assertEquals "units" "" "$(inside systemctl list-units --all --no-legend --plain 'smtp-stdio@*')"
}

# Nor does a fault of ours: the program ends with 78, and the client is told to come again.
testBadSettingsLeaveNoFailedUnitBehind() {
	machine || return 0
	virtual
	serve smtp-stdio
	settings 'SizeLimit 4K'
	send 127.0.0.44 ann@here.test
	assertTrue "$(cat heard)" "grep -q '^<\*\* 421 4.3.5 ' heard"
	wait_for no_connection
	logged 'SizeLimit: too small'
	assertEquals "units" "" "$(inside systemctl list-units --all --no-legend --plain 'smtp-stdio@*')"
}

# ---- stop, restart ------------------------------------------------------------------------------

# begin_message SUBJECT -- up to the middle of it.
begin_message() {
	ask 'EHLO client.test' 'MAIL FROM:<a@client.test>' 'RCPT TO:<ann@here.test>' DATA
	assertEquals 354 "${HEARD%% *}"
	say "Subject: $1" '' 'the beginning'
}

messages() {
	inside find /var/lib/smtp-stdio/here.test/ann -type f | wc -l
}

testStopInTheMiddleOfAMessageDeliversNothing() {
	machine || return 0
	local kind
	virtual
	for kind in "${KINDS[@]}"; do
		inside rm -rf /var/lib/smtp-stdio/here.test/ann/Maildir
		serve "$kind"
		call 127.0.0.50
		begin_message stopped
		stop
		hear
		assertTrue "heard: $HEARD" "[ -z '$HEARD' ] || [ '${HEARD%% *}' = 421 ]"
		hang_up
		assertEquals "$kind: files" 0 "$(messages)"
		assertEquals "nothing listens" "" "$(listening)"
	done
}

# As the page has it: the port is closed, and who is served is not sent away.
testASocketThatIsStoppedLeavesItsSessions() {
	machine || return 0
	virtual
	inside rm -rf /var/lib/smtp-stdio/here.test/ann/Maildir
	serve smtp-stdio
	call 127.0.0.57
	begin_message kept
	inside systemctl --quiet disable --now smtp-stdio.socket 2>err
	ended $? err
	assertEquals "nothing listens" "" "$(listening)"
	say .
	hear
	assertEquals "the client is told" "250 2.0.0" "${HEARD:0:9}"
	assertEquals "it is there" 1 "$(messages)"
	hang_up
}

stopping() {
	inside systemctl list-units --no-legend --plain 'smtp-stdio@*' smtp-listen.service | grep -q stop-sigterm
}

# What is already being delivered is brought to its end, and the client told.
testStopLetsADeliveryEnd() {
	machine || return 0
	local kind box=/var/lib/smtp-stdio/box
	cat >"$ROOT/usr/local/bin/slow" <<-'EOF'
		#!/bin/sh
		cat >"$1/message"
		: >"$1/started"
		for i in $(seq 600); do
			[ ! -e "$1/go" ] || { : >"$1/ended"; exit 0; }
			sleep 0.05
		done
		exit 75
	EOF
	chmod 755 "$ROOT/usr/local/bin/slow"
	for kind in "${KINDS[@]}"; do
		inside rm -rf $box
		inside install -d -o smtp-stdio $box
		virtual "DeliverCommand /usr/local/bin/slow $box"
		serve "$kind"
		call 127.0.0.51
		begin_message slow
		say .
		wait_for inside test -e $box/started
		inside systemctl stop --no-block "${UNITS[@]}"
		wait_for stopping
		inside touch $box/go
		hear
		assertEquals "$kind: the client is told" "250 2.0.0" "${HEARD:0:9}"
		assertTrue "it was brought to its end" "inside test -e $box/ended"
		hang_up
	done
}

# However long it is: neither the listener nor systemd ends it before DeliverTimeout does, which is 575 s
# at most with what comes after it.
testStopWaitsForALongDelivery() {
	machine || return 0
	local box=/var/lib/smtp-stdio/box
	assertEquals "after SIGTERM systemd waits" 10min "$(inside systemctl show -P TimeoutStopUSec smtp-stdio@1.service)"
	cat >"$ROOT/usr/local/bin/long" <<-'EOF'
		#!/bin/sh
		cat >"$1/message"
		: >"$1/started"
		sleep 5
		: >"$1/ended"
	EOF
	chmod 755 "$ROOT/usr/local/bin/long"
	inside rm -rf $box
	inside install -d -o smtp-stdio $box
	virtual "DeliverCommand /usr/local/bin/long $box"
	serve smtp-listen
	inside install -d /etc/systemd/system/smtp-listen.service.d
	printf '%s\n' '[Service]' TimeoutStopSec=1 ExecStart= 'ExecStart=/usr/local/sbin/smtp-listen -g 1' \
		>"$ROOT/etc/systemd/system/smtp-listen.service.d/50-short.conf"
	inside systemctl daemon-reload
	call 127.0.0.56
	begin_message long
	say .
	wait_for inside test -e $box/started
	inside systemctl stop --no-block "${UNITS[@]}"
	hear
	assertEquals "the client is told" "250 2.0.0" "${HEARD:0:9}"
	assertTrue "it was brought to its end" "inside test -e $box/ended"
	hang_up
	logged 'signal=SIGTERM'
}

# The socket stays with systemd: a client that comes meanwhile waits, and is served.
testARestartOfTheListenerRefusesNobody() {
	machine || return 0
	virtual
	inside rm -rf /var/lib/smtp-stdio/here.test/ann/Maildir
	serve smtp-listen
	call 127.0.0.52
	begin_message across
	inside systemctl restart --no-block smtp-listen.service
	wait_for stopping
	say .
	hear
	assertEquals "the message that had begun" "250 2.0.0" "${HEARD:0:9}"
	send 127.0.0.53 ann@here.test
	ended $? heard
	assertEquals "both are there" 2 "$(messages)"
	hang_up
}

# It tells how it is, looks at its settings when asked, and comes back when it is killed.
testTheListenerIsLookedAfter() {
	machine || return 0
	virtual
	serve smtp-listen
	send 127.0.0.54 ann@here.test
	ended $? heard
	assertNotEquals "status" "" "$(inside systemctl show -P StatusText smtp-listen.service)"
	settings 'SizeLimit 4K'
	inside systemctl reload smtp-listen.service 2>err
	ended $? err
	wait_for has_logged 'SizeLimit: too small'
	virtual
	inside systemctl kill --kill-whom=main --signal=KILL smtp-listen.service
	send 127.0.0.55 ann@here.test
	ended $? heard
}
has_logged() {
	journal | grep -q -- "$1"
}

# ---- the package --------------------------------------------------------------------------------

# names -- the files of the machine that a package could leave behind.
names() {
	inside find /etc /usr /lib/systemd/ /var/lib/systemd /var/lib/smtp-stdio -xdev \( -path '/etc/*' \
		-o -path '/var/lib/*' -o -path '*smtp-stdio*' -o -path '*smtp-listen*' -o -name 'deliver*' \) ! -name '*-' 2>/dev/null | sort
}

testPackageReceivesAndAPurgeLeavesTheMail() {
	machine || return 0
	local kind unit n=59
	stop
	make -C "$TOP" -s uninstall DESTDIR="$ROOT"
	inside rm -rf /etc/systemd/system/smtp-stdio@.service.d /etc/systemd/system/smtp-listen.service.d \
		/etc/smtp-stdio.conf /var/lib/smtp-stdio
	names >before
	make -C "$TOP" -s deb O="$T/deb" VERSION=1 >deb.log 2>&1
	ended $? deb.log
	cp "$T"/deb/*.deb "$M/share/package.deb"
	inside env DEBIAN_FRONTEND=noninteractive dpkg -i /share/package.deb >dpkg.log 2>&1
	ended $? dpkg.log
	assertEquals "not enabled" "disabled disabled" "$(inside systemctl is-enabled smtp-stdio.socket smtp-listen.socket | xargs)"
	assertEquals "nothing listens" "" "$(listening)"

	mailboxes
	virtual
	for kind in "${KINDS[@]}"; do
		n=$((n + 1))
		inside systemctl --quiet enable --now "$kind.socket" 2>err
		ended $? err
		send 127.0.0.$n ann@here.test
		ended $? heard
		arrived /var/lib/smtp-stdio/here.test/ann/Maildir/new smtp-stdio "from 127.0.0.$n"
	done
	for unit in smtp-stdio@.service smtp-listen.service; do
		inside install -d "/etc/systemd/system/$unit.d"
		inside ln -s /usr/share/smtp-stdio/50-system-users.conf "/etc/systemd/system/$unit.d/"
	done
	inside systemctl daemon-reload
	inside systemctl stop smtp-listen.service 2>err
	passwd
	send 127.0.0.69 bob@here.test
	ended $? heard
	arrived /home/bob/Maildir/new bob "from 127.0.0.69"

	# ... and another version of it, over this one
	make -C "$TOP" -s deb O="$T/deb" VERSION=2 >deb.log 2>&1
	ended $? deb.log
	cp "$T"/deb/*.deb "$M/share/package.deb"
	inside env DEBIAN_FRONTEND=noninteractive dpkg -i /share/package.deb >dpkg.log 2>&1
	ended $? dpkg.log
	assertEquals "version" 2 "$(inside dpkg-query -W smtp-stdio | cut -f 2)"
	assertEquals "$kind: enabled" enabled "$(inside systemctl is-enabled "$kind.socket")"
	assertEquals "$kind: active" active "$(inside systemctl is-active "$kind.socket")"
	send 127.0.0.69 alice@here.test
	ended $? heard

	inside dpkg --purge smtp-stdio >dpkg.log 2>&1
	ended $? dpkg.log
	assertEquals "nothing listens" "" "$(listening)"
	names | diff before - | sed -n 's/^[<>] //p' >changed
	assertEquals "what is left is mail" "" "$(grep -v '^/var/lib/smtp-stdio' changed)"
	arrived /var/lib/smtp-stdio/here.test/ann/Maildir/new smtp-stdio "from 127.0.0.60"
	assertEquals "and who owns it" smtp-stdio "$(inside id -un smtp-stdio)"
}

# shellcheck source=/dev/null
. shunit2
