#!/bin/bash
# What is built: kind, size, hardening, layering, warnings, format.
. "$(dirname "$0")/lib.sh"

sources() {
	(cd "$TOP" && ls smtp-stdio/*.[ch] deliver/*.[ch] sandbox/*.[ch])
}

testProgramsAreStaticPie() {
	local program
	for program in smtp-stdio deliver check-policy; do
		assertEquals "$program is position independent" "DYN" \
			"$(readelf -h "$BIN/$program" | awk '/Type:/ { print $2 }')"
		assertEquals "$program asks for no interpreter" 0 "$(readelf -lW "$BIN/$program" | grep -c INTERP)"
		assertEquals "$program needs no library" 0 "$(readelf -d "$BIN/$program" | grep -c NEEDED)"
	done
}

testSmtpListenNeedsLibsystemdAndLibcAlone() {
	assertEquals "position independent" "DYN" "$(readelf -h "$BIN/smtp-listen" | awk '/Type:/ { print $2 }')"
	assertEquals "libc libsystemd" "$(readelf -d "$BIN/smtp-listen" |
		sed -n 's/.*(NEEDED).*\[\(lib[a-z]*\)\.so\..*/\1/p' | sort | paste -sd ' ')"
	assertTrue "lengths are checked" "nm -D $BIN/smtp-listen | grep -q __snprintf_chk"
}

testWithoutLibsystemdTheBuildSaysSo() {
	make -C "$TOP" -s O="$T/without" LISTENCC="cc -nostdinc" "$T/without/bin/smtp-listen" >"$T/without.log" 2>&1
	assertNotEquals 0 $?
	assertEquals "smtp-listen needs the headers of libsystemd; see tests/need build" \
		"$(grep -v '^make' "$T/without.log")"
}

testProgramsAreHardened() {
	local program
	for program in smtp-stdio deliver check-policy smtp-listen; do
		assertEquals "$program: no executable stack" "RW" \
			"$(readelf -lW "$BIN/$program" | awk '/GNU_STACK/ { print $7 }')"
		assertEquals "$program: no segment both writable and executable" 0 \
			"$(readelf -lW "$BIN/$program" | grep -c 'RWE')"
		assertTrue "$program: bound at once" "readelf -d $BIN/$program | grep -q BIND_NOW"
		assertEquals "$program: nothing relocated in code" 0 \
			"$(readelf -d "$BIN/$program" | grep -c TEXTREL)"
		assertTrue "$program: stack protector" "nm $BIN/$program | grep -q __stack_chk_fail"
	done
	# Of a static program of musl nothing would make use of it.
	assertEquals "smtp-listen: relocations read only" 1 "$(readelf -lW "$BIN/smtp-listen" | grep -c GNU_RELRO)"
}

# The kernel maps 64 KiB around a page that is touched (fault_around_bytes): two such windows are all
# that a start should have to touch of the code.
testTheCodeOfSmtpStdioIsAtMost128KiB() {
	local size
	size=$((0x$(objdump -h "$BIN/smtp-stdio" | awk '$2 == ".text" { print $3 }')))
	assertTrue "$size octets" "[ $size -gt 10000 -a $size -le 131072 ]"
}

# Two pages, which a start pays for; the first of the others is main.c's (sandbox/large.h).
testTheSmallVariablesOfSmtpStdioAreTwoPages() {
	local begin first
	begin=$((0x$(objdump -h "$BIN/smtp-stdio" | awk '$2 == ".data.rel.ro" { print $4 }')))
	first=$((0x$(nm "$BIN/smtp-stdio" | awk '$3 ~ /^hostname/ { print $1 }')))
	assertEquals "they begin a page" 0 $((begin % 4096))
	assertTrue "$((first - begin)) octets" "[ $((first - begin)) -gt 4096 -a $((first - begin)) -le 8192 ]"
}

# file: what it may include of ours, as one extended regular expression; nothing means nothing.  Where a variable
# lies (large.h), each may say.
layers() {
	cat <<-'E'
	smtp-stdio/(smtp|verbs|events|command|address|literal|body|chunk|header|reply|help|utf8|word|request|environment)\.[ch]	(smtp|verbs|events|command|address|literal|body|chunk|header|reply|help|utf8|word|request|environment|limits)\.h
	smtp-stdio/session\.[ch]	(session|smtp|request|limits)\.h
	smtp-stdio/monitor\.[ch]	(monitor|serve|commit|stop|config|peer|clock|log|limits)\.h|\.\./sandbox/identity\.h
	smtp-stdio/(serve|verify)\.[ch]	(serve|config|peer|clock|commit|environment|filter|log|received|recipient|request|spool|stop|utf8|limits)\.h
	smtp-stdio/filter\.[ch]	(filter|config|environment|request|spool|clock|log|spawn|limits)\.h|\.\./sandbox/identity\.h
	smtp-stdio/arguments\.[ch]	(arguments|commit|config|place|users|spawn|limits)\.h
	smtp-stdio/commit\.[ch]	(commit|arguments|config|environment|place|users|request|clock|log|spawn|limits)\.h|\.\./sandbox/identity\.h
	smtp-stdio/spawn\.[ch]	(spawn|limits|request|clock)\.h|\.\./sandbox/(identity|rlimits)\.h
	smtp-stdio/aliases\.[ch]	(aliases|targets|limits)\.h
	smtp-stdio/targets\.[ch]	(targets|limits|request)\.h
	smtp-stdio/recipient\.[ch]	(recipient|aliases|users|config|place|request|log)\.h
	smtp-stdio/users\.[ch]	(users|nss|config|place|request|log)\.h|\.\./sandbox/identity\.h
	smtp-stdio/nss\.[ch]	(nss|clock|limits|log|spawn)\.h|\.\./sandbox/identity\.h
	smtp-stdio/place\.[ch]	(place|environment|limits)\.h
	smtp-stdio/config\.[ch]	(config|utf8|limits)\.h
	smtp-stdio/(spool|log|received|clock|stop)\.[ch]	(spool|log|received|clock|stop|limits)\.h
	smtp-stdio/endpoint\.[ch]	(endpoint|limits)\.h
	smtp-stdio/peer\.[ch]	(peer|endpoint|limits)\.h
	smtp-stdio/check-policy\.c	(request|limits)\.h|\.\./sandbox/(landlock|rlimits|sandbox|signals)\.h
	smtp-stdio/listen\.c	(sockets|sources|journal|log|notify|clock|limits)\.h|\.\./sandbox/(identity|signals)\.h
	smtp-stdio/sockets\.[ch]	(sockets|journal|log|limits)\.h
	smtp-stdio/sources\.[ch]	(sources|endpoint|limits)\.h
	smtp-stdio/journal\.[ch]	(journal|log|clock|limits)\.h
	smtp-stdio/notify\.[ch]	(notify|clock|limits)\.h
	smtp-stdio/limits\.h	nothing
	smtp-stdio/main\.c	(config|log|monitor|peer|session|stop|limits)\.h|\.\./sandbox/(identity|landlock|rlimits|sandbox|signals)\.h
	deliver/.*	(limits|fault|output|message|mailbox|maildir|mbox|options|keeper|quota|count|entries|hand)\.h|\.\./sandbox/(identity|landlock|rlimits|sandbox|signals)\.h
	sandbox/.*	(policy|sandbox|landlock|identity|rlimits|signals|policies)\.h
	E
}

testFilesIncludeOnlyWhatTheirLayerMay() {
	local file pattern allowed header known wrong=''
	for file in $(sources); do
		known=
		while IFS=$'\t' read -r pattern allowed; do
			[[ $file =~ ^$pattern$ ]] || continue
			known=1
			# shellcheck disable=SC2013  # no name has a blank
			for header in $(sed -n 's/^#include "\(.*\)"/\1/p' "$TOP/$file"); do
				[[ ${header##*/} = large.h || $header =~ ^($allowed)$ ]] || wrong="$wrong $file:$header"
			done
		done < <(layers)
		[ -n "$known" ] || wrong="$wrong $file:(no layer)"
	done
	assertEquals "" "$wrong"
}

testNoFunctionIsLongerThanSixtyLines() {
	local long
	long=$(cd "$TOP" && awk '
		/^[a-z_].*\(/ { name = $0 }
		/^\{/ { from = FNR }
		/^\}/ { if (from && FNR - from > 60) print FILENAME ": " name ": " FNR - from; from = 0 }
	' smtp-stdio/*.c deliver/*.c sandbox/*.c tests/*.c tests/bench/*.c tests/torture/*.c)
	assertEquals "" "$long"
}

testNothingIsFormattedOtherwise() {
	local file wrong=''
	for file in $(sources) $(cd "$TOP" && ls tests/*.c tests/bench/*.c tests/torture/*.c); do
		(cd "$TOP" && clang-format "$file" | cmp -s - "$file") || wrong="$wrong $file"
	done
	assertEquals "" "$wrong"
}

# build COMPILER [ARG ...] -- a build of its own that must not say a word about the code.
build() {
	local cc=$1
	shift
	make -C "$TOP" -s O="$T/$cc" CC="$cc" CFLAGS="-O2 -Werror" "$@" all >"$T/$cc.log" 2>&1
	local status=$?
	assertEquals "$cc: $(grep -E 'error:|warning:' "$T/$cc.log")" 0 $status
	assertTrue "$cc made the programs" "[ -x $T/$cc/bin/smtp-stdio -a -x $T/$cc/bin/deliver -a -x $T/$cc/bin/smtp-listen ]"
	assertTrue "$cc: glibc checks lengths" "nm $T/$cc/bin/smtp-stdio | grep -q __snprintf_chk"
}

# The jail of another libc's build is the same jail: it must deliver, too.
delivers() {
	local bin=$1
	mkdir "$bin/inbox"
	[ "$(id -u)" -ne 0 ] || chown nobody:nogroup "$bin/inbox"
	printf 'EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<b@c>\r\nDATA\r\nx: y\r\n.\r\nQUIT\r\n' |
		"$bin/smtp-stdio" -C /dev/null -o "DeliverPath $bin/deliver" -o "Mailbox $bin/inbox/" >"$bin/out" 2>&1
	assertTrue "$bin: $(cat "$bin/out")" "grep -q '^250 2.0.0 .*delivered' $bin/out"
	assertEquals "$bin: one file" 1 "$(files "$bin/inbox/new")"
	# ... and an mbox, which needs more of the jail
	rm -rf "$bin/inbox"
	mkdir "$bin/inbox"
	[ "$(id -u)" -ne 0 ] || chown nobody:nogroup "$bin/inbox"
	printf 'x: y\n\nFrom z\n' >"$bin/message"
	if [ "$(id -u)" -eq 0 ]; then
		"$bin/deliver" -u nobody -f a@b "$bin/inbox/mbox" <"$bin/message"
	else
		"$bin/deliver" -f a@b "$bin/inbox/mbox" <"$bin/message"
	fi
	assertEquals "$bin: mbox" 0 $?
	assertTrue "$bin: quoted" "grep -q '^>From z' $bin/inbox/mbox"
}

testGccAndGlibcBuildItToo() {
	build cc
	delivers "$T/cc/bin"
}

testClangBuildsItToo() {
	build clang
	delivers "$T/clang/bin"
}

testSanitizersBuildItToo() {
	sanitized "$T/sanitized" || return
	assertTrue "instrumented" "nm $T/sanitized/deliver | grep -q __asan_report"
	delivers "$T/sanitized"
}

testFlagsOfTheUserAreRespected() {
	make -C "$TOP" -n O="$T/flags" V=1 CC=gcc CFLAGS=-DMINE_C LDFLAGS=-Wl,-DMINE_LD all >"$T/flags.log" 2>&1
	assertTrue "CC and CFLAGS" "grep -q '^gcc .*-DMINE_C .*smtp.c' $T/flags.log"
	assertTrue "LDFLAGS" "grep -q 'MINE_LD.*bin/smtp-stdio' $T/flags.log"
}

testHelpNamesEveryTarget() {
	local target
	for target in all demo serve check fuzz coverage lint prove bench torture dev install uninstall deb clean help; do
		assertTrue "$target" "make -C $TOP -s help | grep -q '^$target  *[a-z]'"
	done
}

testDemoShowsTheWholePath() {
	local jailed=2 status
	"$TOP/tests/demo" >"$T/demo" 2>&1
	status=$?
	assertEquals "$(tail -n 3 "$T/demo")" 0 $status
	[ "$(id -u)" -ne 0 ] || assertTrue "the monitor" "grep -q 'root  *0  *smtp-stdio' $T/demo"
	assertTrue "the session in its jail" "grep -q '$jailed  *smtp-stdio' $T/demo"
	assertTrue "deliver in its jail" "grep -q '$jailed  *deliver' $T/demo"
	assertTrue "the reply" "grep -q '<-  250 2.0.0 .* delivered' $T/demo"
	assertTrue "the file" "grep -q '^ *Return-Path: <alice@example.com>' $T/demo"
}

testReadmeCountsTheTrustedLines() {
	local lines files count rows=0 file
	while IFS='|' read -r _ lines files _; do
		count=0
		for file in ${files//,/}; do
			count=$((count + $(wc -l <"$TOP/smtp-stdio/$file.c")))
		done
		assertTrue "$files: $count" "[ $((lines - count)) -lt 40 -a $((count - lines)) -lt 40 ]"
		rows=$((rows + 1))
	done < <(sed -n '/^| lines | files/,/^$/{/^| [0-9]/p;}' "$TOP/README.md")
	assertEquals "rows" 6 $rows
	assertEquals "every file of the monitor is there" "$(sed -n '/^MONITOR = /,/[^\\]$/p' "$TOP/Makefile" | grep -o 'smtp-stdio/[a-z-]*' |
		cut -d/ -f2 | sort)" "$(sed -n '/^| lines | files/,/^$/{/^| [0-9]/p;}' "$TOP/README.md" | cut -d'|' -f3 | tr -d ',' | tr ' ' '\n' |
		grep -v '^$\|identity\|^main$\|^config$\|^peer$\|^endpoint$\|^request$\|^utf8$' | sort)"
}

testNothingLiesBesideWhatTheReadmeNames() {
	git -C "$TOP" rev-parse 2>"$T/git.log" || { skip "this is no git tree: $(head -n 1 "$T/git.log")"; return 0; }
	assertEquals ".ci .clang-format .clang-tidy .gitignore LICENSE Makefile README.md deliver sandbox smtp-stdio tests units" \
		"$(git -C "$TOP" ls-files | cut -d / -f 1 | sort -u | xargs)"
}

. shunit2
