#!/bin/bash
# install_test.sh -- what make install and make deb put where, and what systemd and Debian say of it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# install_into DIR [VARIABLE=VALUE ...] -- with the build that the suites use.
install_into() {
	make -C "$TOP" -s install DESTDIR="$1" "${@:2}" >"$T/install.log" 2>&1
	ended $? "$T/install.log"
}

# deb -- make the package $DEB, once.
deb() {
	[ ! -e "$T/deb" ] || return 0
	MAINTAINER='A Tester <tester@debian.org>' make -C "$TOP" -s deb O="$T/deb" VERSION=1.2.3 >"$T/deb.log" 2>&1
	ended $? "$T/deb.log"
	DEB=$(echo "$T"/deb/*.deb)
}

# installed PREFIX -- what must be there.
installed() {
	sed "s|^|.$1/|" <<-'END' | sort
		bin/deliver
		lib/systemd/catalog/smtp-listen.catalog
		lib/systemd/system/smtp-listen.service
		lib/systemd/system/smtp-listen.service.d/10-hardening.conf
		lib/systemd/system/smtp-listen.socket
		lib/systemd/system/smtp-stdio.socket
		lib/systemd/system/smtp-stdio@.service
		lib/systemd/system/smtp-stdio@.service.d/10-hardening.conf
		lib/sysusers.d/smtp-stdio.conf
		lib/tmpfiles.d/smtp-stdio.conf
		libexec/smtp-stdio/check-policy
		sbin/smtp-listen
		sbin/smtp-stdio
		share/doc/smtp-stdio/LICENSE
		share/doc/smtp-stdio/README.md
		share/doc/smtp-stdio/examples/inetd.conf
		share/doc/smtp-stdio/examples/s6.run
		share/doc/smtp-stdio/examples/smtp-stdio.conf
		share/doc/smtp-stdio/examples/smtp-stdio.fail2ban
		share/doc/smtp-stdio/examples/smtp-stdio.xinetd
		share/doc/smtp-stdio/examples/tcpserver.run
		share/man/man5/smtp-stdio.conf.5
		share/man/man7/smtp-stdio.7
		share/man/man8/check-policy.8
		share/man/man8/deliver.8
		share/man/man8/smtp-listen.8
		share/man/man8/smtp-stdio.8
		share/smtp-stdio/50-filter.conf
		share/smtp-stdio/50-forward.conf
		share/smtp-stdio/50-system-users.conf
	END
}

# ---- make install -------------------------------------------------------------------------------

testInstallPutsEverythingBelowDestdirAndUninstallTakesItAway() {
	local prefix
	deb # has made another build for /usr, for smtp-stdio knows where deliver is
	for prefix in /usr/local /usr; do
		if [ $prefix = /usr ]; then
			install_into "$T/root" prefix=$prefix O="$T/deb/deb"
		else
			install_into "$T/root"
		fi
		assertTrue "$prefix: smtp-stdio knows deliver" "strings root$prefix/sbin/smtp-stdio | grep -qx $prefix/bin/deliver"
		assertEquals "files" "$(installed $prefix)" "$(cd root && find . -type f | sort)"
		assertEquals "programs and scripts, and nothing else, can be run" "$(installed $prefix | grep 'bin/\|libexec/\|\.run$')" \
			"$(cd root && find . -type f -perm /111 | sort)"
		make -C "$TOP" -s uninstall DESTDIR="$T/root" prefix=$prefix
		assertEquals "left over" "" "$(find root -type f)"
		assertEquals "directories left over" "" "$(find root -name '*smtp*')"
	done
}

testUninstallLeavesWhatIsNotItsOwn() {
	install_into "$T/root"
	touch root/usr/local/lib/systemd/system/smtp-stdio@.service.d/mine.conf root/usr/local/sbin/other
	make -C "$TOP" -s uninstall DESTDIR="$T/root"
	assertEquals "./usr/local/lib/systemd/system/smtp-stdio@.service.d/mine.conf ./usr/local/sbin/other" \
		"$(cd root && find . -type f | sort | xargs)"
	rm -r root
}

testPathsInTheTextsAreThoseOfTheInstallation() {
	install_into "$T/root" prefix=/opt/mail sysconfdir=/opt/etc -o all
	assertEquals "elsewhere" "" "$(grep -rn '/usr/local/s*bin\|/usr/local/libexec\|/usr/local/share\|[^t]/etc/smtp-stdio.conf' root)"
	local units=root/opt/mail/lib/systemd/system
	assertTrue "ExecStart" "grep -qx 'ExecStart=/opt/mail/sbin/smtp-stdio' $units/smtp-stdio@.service"
	assertTrue "ExecStart" "grep -qx 'ExecStart=/opt/mail/sbin/smtp-listen' $units/smtp-listen.service"
	assertTrue "ExecPaths" "grep -qx 'ExecPaths=/usr /opt/mail/sbin /opt/mail/bin /opt/mail/libexec' $units/smtp-stdio@.service.d/10*"
	assertEquals "settings" 2 "$(cat $units/*.socket | grep -c '^AssertPathExists=/opt/etc/smtp-stdio.conf$')"
	assertTrue "inetd.conf" "grep -q 'root	/opt/mail/sbin/smtp-stdio	smtp-stdio$' root/opt/mail/share/doc/smtp-stdio/examples/inetd.conf"
	assertTrue "the page" "grep -qx '.Cm /opt/mail/bin/deliver .' root/opt/mail/share/man/man5/smtp-stdio.conf.5"
	assertTrue "the other page" "grep -q '^.Dl Check /opt/mail/libexec/smtp-stdio/check-policy ' root/opt/mail/share/man/man8/check-policy.8"
	rm -r root
}

# ---- the example of a configuration -------------------------------------------------------------

testExampleSaysNothing() {
	assertEquals "$(smtp -T)" "$("$BIN/smtp-stdio" -C "$TOP/units/smtp-stdio.conf" -T -o "DeliverPath $BIN/deliver" -o 'Hostname mx.test')"
}

testExampleHasEveryKeywordWithItsDefault() {
	local key value
	sed -n 's/^#\([A-Z][A-Za-z]* .*\)/\1/p' "$TOP/units/smtp-stdio.conf" >shown
	assertEquals "each once" "$(sed -n 's/^ *\[KEY_[A-Z_]*\] = {"\([A-Za-z]*\)".*/\1/p' "$TOP/smtp-stdio/config.c" | sort)" \
		"$(cut -d ' ' -f 1 shown | sort)"
	"$BIN/smtp-stdio" -C /dev/null -T >defaults
	while read -r key value; do
		case $key in
		Hostname) assertEquals "$key" "the machine's name" "${value#*\# }" ;;
		*) assertEquals "$key" "$(sed -n "s/^$key //p" defaults)" "$([ "${value%# none}" != "$value" ] || echo "$value")" ;;
		esac
	done <shown
	sed 's/ *#.*//' shown >all
	"$BIN/smtp-stdio" -C all -T >out 2>&1
	ended $? out
}

testWhatToBeginWithIsAccepted() {
	local users
	for users in /var/lib/smtp-stdio/%d/%u passwd; do
		sed -n "/^# Domain example.org/{N;N;/Users ${users//\//.}/s/# //gp;}" "$TOP/units/smtp-stdio.conf" >begin
		assertEquals "$users" 3 "$(grep -c . begin)"
		"$BIN/smtp-stdio" -C begin -T >out 2>&1
		ended $? out
		assertTrue "$users" "grep -qx 'Users $users' out"
	done
}

# ---- units --------------------------------------------------------------------------------------

# units [DROP-IN ...] -- ./verify has the units with the programs of this build and those drop-ins.
units() {
	local service name
	install_into "$T/root"
	rm -rf verify
	mv root/usr/local/lib/systemd/system verify
	for service in smtp-stdio@ smtp-listen; do
		for name in "$@"; do
			cp "root/usr/local/share/smtp-stdio/$name" "verify/$service.service.d/"
		done
		sed -i "s|^ExecStart=.*|ExecStart=$BIN/smtp-stdio|" "verify/$service.service"
		assertTrue "the program of this build" "grep -q '^ExecStart=$BIN' verify/$service.service"
	done
	rm -r root
}

testSystemdHasNothingToSayOfTheUnits() {
	local form
	for form in '' 50-filter.conf 50-system-users.conf '50-system-users.conf 50-forward.conf 50-filter.conf'; do
		# shellcheck disable=SC2086  # words are wanted
		units $form
		(cd verify && systemd-analyze verify --man=no -- *.service *.socket) >out 2>&1
		assertEquals "status" 0 $?
		assertEquals "$form" "" "$(cat out)"
	done
}

# exposure DROP-IN ... -- of both services with these, as systemd-analyze sees it, out of 10.
exposure() {
	local service
	units "$@"
	for service in smtp-stdio@ smtp-listen; do
		(cd verify && systemd-analyze security --offline=true --no-pager "./$service.service") |
			sed -n 's/.* exposure level for .*: \([0-9.]*\) .*/\1/p'
	done | xargs
}

# As the README says.
testServicesAreExposedToNextToNothing() {
	assertEquals "0.3 0.3" "$(exposure)"
	assertEquals "1.1 1.1" "$(exposure 50-filter.conf)"
	assertEquals "1.5 1.5" "$(exposure 50-system-users.conf)"
	assertEquals "2.6 2.6" "$(exposure 50-system-users.conf 50-forward.conf)"
}

testNoUnitHasWhatIsAgainstMail() {
	units
	assertEquals "the server speaks first" "" "$(grep -h '^DeferAcceptSec' verify/*.socket)"
	assertEquals "the port outlives a flood" 2 "$(cat verify/*.socket | grep -c '^TriggerLimitIntervalSec=0$')"
	assertEquals "no directory is given away" "" "$(grep -rh '^StateDirectory' verify)"
	assertEquals "no mailbox seems to be missing" "" "$(grep -rhE '^(ProtectHome=tmpfs|TemporaryFileSystem|RootDirectory)' verify)"
}

# ---- make deb -----------------------------------------------------------------------------------

testPackageHasTheVersionAndTheFiles() {
	deb
	assertEquals "smtp-stdio_1.2.3_$(dpkg --print-architecture).deb" "$(basename "$DEB")"
	assertEquals "1.2.3" "$(dpkg-deb -f "$DEB" Version)"
	dpkg-deb -x "$DEB" root
	assertEquals "files" "$(installed /usr | sed 's|^./usr/lib/systemd/system|./lib/systemd/system|; s|\(/man./.*\)|\1.gz|
		s|^.*/LICENSE|./usr/share/doc/smtp-stdio/copyright|' | sort)" \
		"$(cd root && find . -type f ! -path '*/lintian/*' ! -name 'changelog*' ! -name copyright.musl | sort)"
	assertEquals "all are root's" "root/root" "$(dpkg-deb -c "$DEB" | awk '{ print $2 }' | sort -u)"
	assertTrue "it is licensed" "grep -q 'THE SOFTWARE IS PROVIDED' root/usr/share/doc/smtp-stdio/copyright"
	rm -r root
}

testVersionIsThatOfTheTree() {
	git -C "$TOP" log -1 >out 2>&1 || { skip "this is no git tree: $(head -n 1 out)"; return 0; }
	local version
	version=$("$TOP/units/debian/build" -v)
	assertTrue "$version" "dpkg --validate-version $version"
	assertTrue "it is of this commit" "grep -q '$(git -C "$TOP" log -1 --format=%h)' <<<$version || git -C $TOP describe --exact-match"
}

# apt does not put an older version over a newer one.
testALaterCommitIsANewerVersion() {
	local n last='' version
	install -D "$TOP/units/debian/build" tree/units/debian/build
	git init -q tree
	for n in 1 2 3 4 5 6; do
		GIT_COMMITTER_DATE="2026-01-02T03:04:0$n+01:00" git -C tree -c user.name=a -c user.email=a@b.test \
			commit -q --allow-empty -m "$n" --date=2026-01-02T00:00:00Z
		version=$(tree/units/debian/build -v)
		[ -z "$last" ] || assertTrue "$version after $last" "dpkg --compare-versions $version gt $last"
		last=$version
	done
	rm -rf tree
}

testLintianHasNoErrorAndNoWarning() {
	deb
	lintian --allow-root --fail-on error,warning "$DEB" >out 2>&1
	ended $? out
}

# shellcheck source=/dev/null
. shunit2
