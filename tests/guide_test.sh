#!/bin/bash
# guide_test.sh -- smtp-stdio.7, followed from its first line to its last on a machine that was just installed.
#
# What runs is what the page shows; the comments before an example, which smtp-stdio.7 explains, say what
# must come of it.  Each section is a test, in the page's order: one goes on where the one before ended.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/machine_lib.sh"

SECTIONS=()
SOURCE=/root/smtp-stdio # where the machine has this tree
STEP=/share/step

# packages || return 0 -- skip a test if there is nothing to install from.
packages() {
	[ -e "$PARTS/debs.done" ] || { skip "packages could not be downloaded"; return 1; }
}

# What somebody who has just rented a machine has: Debian, its packages, a name server for the domain and
# this tree; and the page, with the paths of the package.
oneTimeSetUp() {
	mkdir examples page
	make -C "$TOP" -s install DESTDIR="$T/page" prefix=/usr -o all >install.log 2>&1 || cat install.log
	python3 "$TOP/tests/examples.py" "$T/examples" page/usr/share/man/man7/smtp-stdio.7
	[ -e "$PARTS/debs.done" ] && boot || return 0
	cp -r "$PARTS/debs" "$M/share/"
	rm -rf "$ROOT"/etc/apt/sources.list.d/*
	echo 'deb [trusted=yes] file:/share/debs ./' >"$ROOT/etc/apt/sources.list"
	echo 'APT::Get::Assume-Yes "true";' >"$ROOT/etc/apt/apt.conf.d/99assume-yes"
	# shellcheck disable=SC2016  # expanded by the editor's shell
	printf '#!/bin/bash\ncp %s/block "${!#}"\n' "$STEP" >"$M/share/editor"
	chmod 755 "$M/share/editor"
	mkdir "$ROOT$SOURCE"
	tar -C "$TOP" --exclude=./.build --exclude=./.git -c . | tar -C "$ROOT$SOURCE" -x
	# Somebody may be installing something here.
	run 'dpkg --configure -a' >prepare.log 2>&1 || cat prepare.log
	run 'apt-get update && apt-get install nsd bind9-host ssl-cert' >prepare.log 2>&1 || cat prepare.log
	# Made when that package is installed, and often missing in an image.
	run 'make-ssl-cert generate-default-snakeoil' >prepare.log 2>&1 || cat prepare.log
	run 'ip address add 192.0.2.25/32 dev lo; [ ! -e /proc/net/if_inet6 ] || ip address add 2001:db8::25/128 dev lo'
}

# wrong TEXT -- what comes behind it cannot go on from there.
BROKEN=''
wrong() {
	BROKEN=1
	fail "$1"
}

# run COMMAND [DIRECTORY] -- a shell's command in the machine, as root.
run() {
	timeout 180 nsenter --target "$LEADER" --all --root --wd="$ROOT${2:-/root}" -- \
		env DEBIAN_FRONTEND=noninteractive HOME=/root SYSTEMD_EDITOR=/share/editor \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /bin/bash -c "$1"
}

# marks EXAMPLE KIND -- what stands behind that word in its comments.
marks() {
	sed -n "s/^$2 //p" "$1/marks"
}

# said -- what came of the example.
said() {
	tail -n 20 "$M"/share/step/{stdout,stderr,screen} 2>/dev/null
}

# checks EXAMPLE KIND -- each command of these comments must succeed; they see what the example wrote.
checks() {
	local check
	while IFS= read -r check; do
		run "cd $DIRECTORY && $check" >"$T/check.log" 2>&1 </dev/null ||
			wrong "$(cat "$1/section"): $2 $check
$(tail -n 20 "$T/check.log")
$(said)"
	done < <(marks "$1" "$2")
}

# shell EXAMPLE -- the example as its user types it, on a terminal where there is something to see.
shell() {
	local how="bash -e -o pipefail $STEP/block" user
	user=$(marks "$1" as)
	[ -z "$user" ] || how="runuser -l $user -c '$how'"
	if [ -n "$(marks "$1" screen)" ]; then
		marks "$1" screen >keys
		python3 "$TOP/tests/terminal.py" "$M/share/step/screen" \
			nsenter --target "$LEADER" --all --root --wd -- /bin/bash -c "$how" <keys 2>"$M/share/step/stderr"
	else
		printf '%b' "$(marks "$1" type)" | run "$how >$STEP/stdout 2>$STEP/stderr" "$PLACE"
	fi
}

do_run() {
	local status
	shell "$1"
	status=$?
	[ $status -eq "${2:-0}" ] || wrong "$(cat "$1/section"): $(cat "$1/block")
status $status, not ${2:-0}
$(said)"
}
do_file() {
	grep -qF ".Pa $2 " "$T/page/usr/share/man/man7/smtp-stdio.7" || fail "the page does not name $2"
	install -D -m 644 "$1/block" "$ROOT$2"
}
do_edit() {
	grep -qxF ".Ql systemctl edit $2" "$T/page/usr/share/man/man7/smtp-stdio.7" || fail "the page does not edit $2"
	python3 "$TOP/tests/terminal.py" "$M/share/step/screen" nsenter --target "$LEADER" --all --root --wd -- \
		env SYSTEMD_EDITOR=/share/editor systemctl edit "$2" </dev/null || wrong "systemctl edit $2: $(said)"
}
do_zone() {
	{
		# shellcheck disable=SC2016  # so it is written
		printf '$TTL 3600\n%s\n' 'example.org. IN SOA ns.example.org. root.example.org. 1 3600 600 86400 3600' \
			'example.org. IN NS ns.example.org.' 'ns.example.org. IN A 127.0.0.1'
		cat "$1/block"
	} >"$ROOT/etc/nsd/example.org"
	printf '%s\n' 'server:' ' ip-address: 127.0.0.1' 'zone:' ' name: example.org' ' zonefile: /etc/nsd/example.org' \
		>"$ROOT/etc/nsd/nsd.conf.d/example.org.conf"
	echo 'nameserver 127.0.0.1' >"$ROOT/etc/resolv.conf"
	run 'systemctl restart nsd' || wrong "nsd does not start"
}

# follow SECTION -- do what its examples show.
follow() {
	local example kind what DIRECTORY PLACE found=''
	SECTIONS+=("$1")
	machine && packages || return 0
	[ -z "$BROKEN" ] || { fail "an earlier step has failed"; return; }
	for example in examples/*; do
		[ "$(cat "$example/section")" = "$1" ] || continue
		found=1
		read -r kind what <"$example/mark"
		rm -rf "$M/share/step"
		install -d -m 777 "$M/share/step"
		install -m 644 "$example/block" "$M/share/step/block"
		DIRECTORY=$STEP PLACE=/root
		[ -z "$(marks "$example" in)" ] || DIRECTORY=$SOURCE PLACE=$SOURCE
		checks "$example" before
		run 'journalctl --sync'
		"do_$kind" "$example" "$what"
		checks "$example" see
		checks "$example" after
		[ -z "$BROKEN" ] || return
	done
	assertNotNull "there is a section $1" "$found"
}

# ---- from nothing to a mailbox ------------------------------------------------------------------

testTheDomain() {
	follow 'The domain'
}
testInstall() {
	follow 'Install'
	machine && packages || return 0
	assertTrue "the page of the package is this one" \
		"zcat $ROOT/usr/share/man/man7/smtp-stdio.7.gz | cmp - page/usr/share/man/man7/smtp-stdio.7"
}
testSettings() {
	follow 'Settings'
}
testThePort() {
	follow 'The port'
}
testAFirstMessage() {
	follow 'A first message'
}
testMutt() {
	follow 'Read it with mutt'
}
testImap() {
	follow 'Read it by IMAP'
}
testWhenSomethingDoesNotWork() {
	follow 'When something does not work'
}
testUsersOfTheMachine() {
	follow 'Users of the machine instead'
}
testKeepingItAlive() {
	follow 'Keeping it alive'
}

# ---- beside other programs ----------------------------------------------------------------------

testBehindPostfix() {
	follow 'Behind Postfix, by LMTP'
}
testInFrontOfDovecotLda() {
	follow 'In front of dovecot-lda'
}

CONTAINER='' # what is started for it, and then its first process
FIRST=''
container_listens() {
	kill -0 "$CONTAINER" || return 0 # there is nothing to wait for
	FIRST=$(child_of "$CONTAINER")
	nsenter --target "$FIRST" --net ss -Hltn 'sport = :2525' | grep -q .
}
do_dockerfile() {
	local owner
	mkdir -p context/.build container
	cp "$1/block" context/Dockerfile
	cp "$ROOT$SOURCE"/.build/smtp-stdio_*.deb context/.build/
	"$TOP/tests/container" "$T/container" "$PARTS/debian" "$PARTS/debs" "$T/context" >container.log 2>&1 </dev/null &
	CONTAINER=$!
	PIDS+=("$CONTAINER")
	for _ in 1 2 3 4 5 6; do # it installs first
		wait_for container_listens 2>/dev/null && break
	done
	kill -0 "$CONTAINER" || { fail "$(tail -n 20 container.log)"; return; }
	assertEquals "from" "debian:$(sed -n 's/^VERSION_ID="\(.*\)"/\1/p' "$PARTS/debian/etc/os-release")" \
		"$(sed -n 's/^from //p' container.log)"
	assertEquals "it is process 1" "1 smtp-listen" "$(sed -n 's/^NSpid:.*\t//p' "/proc/$FIRST/status") $(cat "/proc/$FIRST/comm")"
	nsenter --target "$FIRST" --net swaks --server 127.0.0.1:2525 --to anybody@example.net \
		--header 'Subject: contained' >heard 2>&1
	ended $? heard
	assertEquals "it is there" 1 "$(grep -lx 'Subject: contained' "/proc/$FIRST/root/mail/new/"* | wc -l)"
	owner=$(sed -n 's/^smtp-stdio:[^:]*:\([0-9]*\):.*/\1/p' "/proc/$FIRST/root/etc/passwd")
	assertEquals "whose it is" "$owner" "$(stat -c %u "/proc/$FIRST/root/mail/new/"*)"
	assertEquals "as whom it runs" "$owner" "$(stat -c %u "/proc/$FIRST")"
	assertTrue "the log: $(cat container.log)" "grep -q '^delivered .* to=<anybody@example.net>' container.log"
	kill "$FIRST"
	wait "$CONTAINER"
	assertEquals "at SIGTERM it ends" 0 $?
}
testInAContainer() {
	[ ! -e "$PARTS/debs.done" ] || [ -e "$PARTS/debian.done" ] || { skip "no Debian for a container"; return 0; }
	follow 'A catch-all in a container'
}
testInACiJob() {
	follow 'In a CI job'
}

# ---- the units of smtp-stdio.8 ------------------------------------------------------------------

# works COMMAND
works() {
	run "$1" >"$T/check.log" 2>&1 </dev/null || fail "$1: $(tail -n 20 "$T/check.log")"
}

# Its drop-ins and its second pair of units, beside what is installed.
testUnitsOfTheOtherPage() {
	machine && packages || return 0
	[ -z "$BROKEN" ] || { fail "an earlier step has failed"; return; }
	local example mark unit settings
	mkdir units
	python3 "$TOP/tests/examples.py" "$T/units" page/usr/share/man/man8/smtp-stdio.8
	for example in units/*; do
		read -r mark unit <"$example/mark"
		case $mark:$unit in
		unit:smtp-stdio.socket | unit:smtp-stdio@.service) ;; # those that are installed have more
		unit:*) install -D -m 644 "$example/block" "$ROOT/etc/systemd/system/$unit" ;;
		esac
	done
	settings='Domain example.org\nPostmaster alice\nUsers'
	# shellcheck disable=SC2059  # so it is meant
	printf "$settings %s\n" '/srv/mail/%u' >"$ROOT/etc/smtp-stdio.conf"
	works 'install -d -o smtp-stdio -g smtp-stdio -m 700 /srv/mail/alice'
	works 'ln -s /lib/systemd/system/smtp-stdio@.service.d /etc/systemd/system/smtp-lmtp@.service.d'
	works 'systemctl daemon-reload && systemctl restart smtp-stdio.socket smtp-lmtp.socket'
	assertEquals "addresses" "127.0.0.1:25 192.0.2.25:2525" \
		"$(run "ss -Hltn 'sport = :25 or sport = :2525'" | awk '{ print $4 }' | sort | xargs)"
	assertEquals "limits" "20 5" "$(run 'systemctl show -P MaxConnections -P MaxConnectionsPerSource smtp-stdio.socket' | xargs)"
	assertEquals "the socket" "root mail 660" "$(run 'stat -c "%U %G %a" /run/smtp-lmtp')"
	assertEquals "it is hardened" yes "$(run 'systemctl show -P PrivateNetwork smtp-lmtp@1.service')"
	works 'swaks --server 192.0.2.25:2525 --to alice@example.org'
	works 'grep -rq "with ESMTP id" /srv/mail/alice/Maildir/new'
	# shellcheck disable=SC2059  # so it is meant
	printf "$settings %s\n" '/var/lib/smtp-stdio/%d/%u' >"$ROOT/etc/smtp-stdio.conf" # where that service may write
	works 'swaks --protocol LMTP --socket /run/smtp-lmtp --to alice@example.org --header "Subject: by the group"'
	works 'grep -lx "Subject: by the group" /var/lib/smtp-stdio/example.org/alice/Maildir/new/* | xargs grep "with LMTP id"'
	works '! setpriv --reuid=65534 --regid=65534 --clear-groups -- swaks --protocol LMTP --socket /run/smtp-lmtp --quit-after CONNECT'
}

# -------------------------------------------------------------------------------------------------

testEveryExampleOfThePageIsTried() {
	local example
	assertEquals "sections with examples" "$(cat examples/*/section | sort -u)" "$(printf '%s\n' "${SECTIONS[@]}" | sort -u)"
	assertEquals "each has a comment" "" "$(grep -lx none examples/*/mark)"
	assertEquals "examples" "$(grep -c '^\.\(Bd\|Dl\)' "$TOP/smtp-stdio/smtp-stdio.7")" "$(find examples -mindepth 1 -maxdepth 1 | wc -l)"
	for example in examples/*; do
		assertEquals "comments that are understood: $(cat "$example/block")" "" \
			"$(grep -vE '^(run|file|edit|zone|dockerfile|before|see|after|as|in|type|screen)( |$)' "$example/marks")"
	done
}

# shellcheck source=/dev/null
. shunit2
