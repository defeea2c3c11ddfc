#!/bin/bash
# The manual pages: valid mdoc, as long as the programs are wide, and every example runs.
. "$(dirname "$0")/lib.sh"
shopt -s extglob

SMTP=$TOP/smtp-stdio/smtp-stdio.8 CONF=$TOP/smtp-stdio/smtp-stdio.conf.5 DELIVER=$TOP/deliver/deliver.8
LISTEN=$TOP/smtp-stdio/smtp-listen.8 POLICY=$TOP/smtp-stdio/check-policy.8
# GUIDE's examples need a machine: see guide_test.sh.
GUIDE=$TOP/smtp-stdio/smtp-stdio.7
PAGES=("$SMTP" "$CONF" "$DELIVER" "$LISTEN" "$POLICY")

# same WHAT LEFT RIGHT -- two lists, in any order; what stands in one only is shown.
same() {
	local differ
	[ -n "$2" ] || fail "$1: there is nothing to compare"
	differ=$(diff <(sort -u <<<"$2") <(sort -u <<<"$3") | grep '^[<>]')
	assertEquals "$1 (< only in the page, > only in the source)" "" "$differ"
}

# A word such as "In" or "No" in a title or at the head of an item would be a macro.
testTitlesAreShownAsTheyAreWritten() {
	local page title count=0
	for page in "${PAGES[@]}" "$GUIDE"; do
		mandoc -Tascii "$page" | sed 's/.\x08//g' >"$T/shown"
		while IFS= read -r title; do
			count=$((count + 1))
			assertTrue "$(basename "$page"): $title" "sed 's/^ *//' $T/shown | grep -qxF -- '$title'"
		done < <(sed -nE 's/^\.Ss (.*)/\1/p; /^\.It (Em|Cm|Ar|Fl|Pa|Ev|Sq|Xr|Dv)/d; s/^\.It ([A-Z0-9\\].* .*)/\1/p' "$page" |
			grep -v ' Ta ' | sed 's/^\\&//')
	done
	assertTrue "there are some" "[ $count -gt 20 ]"
}

# options SOURCE -- the letters of getopt's string.
options() {
	grep -o 'getopt(argc, argv, "[^"]*"' "$1" | sed 's/.*"\(.*\)"/\1/; s/[+:]//g' | fold -w1
}

testPagesHaveTheOptionsThatTheProgramsTake() {
	local items synopsis
	items='s/^\.It Fl \([A-Za-z]\).*/\1/p'
	synopsis='/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/{s/^\.Op Fl \([A-Za-z]*\).*/\1/p;}'
	same "options of smtp-stdio" "$(sed -n "$items" "$SMTP")" "$(options "$TOP/smtp-stdio/main.c")"
	same "options of deliver" "$(sed -n "$items" "$DELIVER")" "$(options "$TOP/deliver/options.c")"
	same "options of smtp-listen" "$(sed -n "$items" "$LISTEN")" "$(options "$TOP/smtp-stdio/listen.c")"
	same "options of check-policy" "$(sed -n "$items" "$POLICY")" "$(options "$TOP/smtp-stdio/check-policy.c")"
	same "synopsis of check-policy" "$(sed -n "$synopsis" "$POLICY" | fold -w1)" "$(options "$TOP/smtp-stdio/check-policy.c")"
	same "synopsis of smtp-listen" "$(sed -n "$synopsis" "$LISTEN" | fold -w1)" "$(options "$TOP/smtp-stdio/listen.c")"
	same "synopsis of smtp-stdio" "$(sed -n "$synopsis" "$SMTP" | fold -w1)" "$(options "$TOP/smtp-stdio/main.c")"
	same "synopsis of deliver" "$(sed -n "$synopsis" "$DELIVER" | fold -w1)" "$(options "$TOP/deliver/options.c")"
}

# item KEYWORD -- its entry in the page.
item() {
	awk -v k="$1" '/^\.It Cm [A-Z]/ || /^\.S[hs]/ { on = $3 == k && /^\.It/ } on' "$CONF"
}

# stated KEYWORD WORD -- what the page gives as its "Default", "least" or "most".
stated() {
	item "$1" | sed -n "/^\\(.*, \\)*$2\$/{n;s/ [.,;:]\$//;s/^\\.Cm //p;q;}"
}

keywords() {
	sed -n 's/^ *\[KEY_[A-Z_]*\] = {"\([A-Za-z]*\)".*/\1/p' "$TOP/smtp-stdio/config.c"
}

testPageHasEveryKeyword() {
	same keywords "$(sed -n 's/^\.It Cm \([A-Z][A-Za-z]*\).*/\1/p' "$CONF")" "$(keywords)"
}

testPageHasTheRealDefaults() {
	local key real
	"$BIN/smtp-stdio" -C /dev/null -T >"$T/defaults"
	for key in $(keywords); do
		real=$(sed -n "s/^$key //p" "$T/defaults")
		[ "$key" != Hostname ] || real=none # it is the machine's
		assertEquals "default of $key" "${real:-none}" "$(stated "$key" Default)"
	done
	assertEquals "Mailbox, with users" "Maildir/" \
		"$(smtp -T -o 'Users passwd' -o 'Postmaster x' | sed -n 's/^Mailbox //p')"
	assertTrue "the page says so" "sed -n '/^\\.It Cm Mailbox/,/^\\.It Cm CreateMailbox/p' $CONF | grep -qx '.Cm Maildir/ .'"
}

# accepts KEYWORD VALUE
accepts() {
	local more=()
	[ "$1" != SessionSizeLimit ] || more=(-o 'SizeLimit 64K') # which is less than any of it
	smtp -T -o "$1 $2" "${more[@]}" >/dev/null 2>&1
}

# octets VALUE -- or seconds: the number without its unit.
octets() {
	case $1 in
	*K) echo $((${1%K} * 1024)) ;;
	*M) echo $((${1%M} * 1048576)) ;;
	*G) echo $((${1%G} * 1073741824)) ;;
	*s) echo "${1%s}" ;;
	*m) echo $((${1%m} * 60)) ;;
	*h) echo $((${1%h} * 3600)) ;;
	*d) echo $((${1%d} * 86400)) ;;
	*) echo "$1" ;;
	esac
}

keywords_with_bounds() {
	grep -c '^    \[KEY_.*KIND_\(NUMBER\|SIZE\|SECONDS\)' "$TOP/smtp-stdio/config.c"
}

# number LIMITS EXPRESSION -- what it is by that header.
number() {
	printf '#include "%s"\n#include <stdio.h>\nint main(void){return printf("%%ld",(long)(%s))<0;}\n' "$@" |
		cc -x c -o "$T/number" - && "$T/number"
}

testPageHasTheRealBounds() {
	local key least most count=0
	for key in $(keywords); do
		least=$(stated "$key" least) most=$(stated "$key" most)
		if ! grep -q "{\"$key\", KIND_\(NUMBER\|SIZE\|SECONDS\)" "$TOP/smtp-stdio/config.c"; then
			assertEquals "$key has no bounds" "" "$least$most"
			continue
		fi
		count=$((count + 1))
		assertTrue "$key takes $least" "accepts $key $least"
		assertTrue "$key takes $most" "accepts $key $most"
		assertFalse "$key takes less than $least" "accepts $key $(($(octets "$least") - 1))"
		assertFalse "$key takes more than $most" "accepts $key $(($(octets "$most") + 1))"
	done
	assertEquals "keywords with bounds" "$(keywords_with_bounds)" "$count"
}

# What -T shows is the text of config.c's table, what counts is the number beside it.
testDefaultsShownAreThoseInEffect() {
	local count=0 key preset name
	while read -r key preset name; do
		count=$((count + 1))
		assertEquals "default of $key" "$(octets "$preset")" "$(number "$TOP/smtp-stdio/limits.h" "$name")"
	done < <(sed -n 's/^ .*{"\([A-Za-z]*\)", KIND_\(NUMBER\|SIZE\|SECONDS\), "\([^"]*\)", \([A-Z_]*\),.*/\1 \3 \4/p' \
		"$TOP/smtp-stdio/config.c")
	assertEquals "$(keywords_with_bounds)" "$count"
}

testPageHasTheMostWordsOfACommand() {
	local most
	most=$(number "$TOP/smtp-stdio/limits.h" WORDS_MAX)
	assertTrue "$most words" "accepts DeliverCommand '/bin/x $(seq -s ' ' 2 "$most")'"
	assertFalse "one more" "accepts DeliverCommand '/bin/x $(seq -s ' ' 2 $((most + 1)))'"
}

# A comment "limit EXPRESSION" stands before each line that names a number of limits.h.
testNumbersAreThoseOfLimits() {
	local page header expression line value
	for page in "${PAGES[@]}"; do
		header=$(dirname "$page")/limits.h
		grep -A1 '^\.\\" limit [A-Z]' "$page" | grep -v '^--$' >"$T/numbers"
		assertTrue "$page names numbers" "[ -s $T/numbers ]"
		while read -r _ _ expression && read -r line; do
			value=$(number "$header" "$expression")
			assertTrue "$(basename "$page"): $expression is $value: $line" \
				"grep -qw -- '$value' <<<'${line//\'/}'"
		done <"$T/numbers"
	done
}

# What is left when examples, tables, options, references and the numbers above are taken away holds
# no number of more than one digit but these.
testNoNumberStandsWithoutItsLimit() {
	local page
	for page in "${PAGES[@]}"; do
		assertEquals "$(basename "$page")" "" "$(awk '
			/^\.\\" limit [A-Z]/ { skip = 2 }
			/^\.Bd/ { block = 1 }
			/^\.Ed/ { block = 0 }
			skip > 0 { skip--; next }
			/^\.(Dd|Dl|It|Bl|Cm|\\")/ || block || /RFC|section|\\e|8-bit/ { next }
			# modes, enhanced codes, exit statuses, reply codes, a version
			{ gsub(/0[67]00|[45]\.[0-9]\.[0-9]|status(es)? (is |of )?[0-9]+|65, 67, 68, 69 and 77|0 and 65|or 77/, "") }
			{ gsub(/25[0-2]|421|45[0-2]|50[23]|521|55[0-5]|Linux 5\.19/, "") }
			/[0-9][0-9]/' "$page")"
	done
}

# The codes that a client can read, "code status": of reply.c's table, and of the texts that begin
# with an enhanced code, which reply.c gives the code of its class or a more telling one.
codes_of_sources() {
	python3 - "$TOP" <<-'END'
		import re, sys
		top = sys.argv[1]
		read = lambda name: open(f"{top}/{name}").read()
		reply = read("smtp-stdio/reply.c")
		telling = dict(re.findall(r'\{"(\d\.\d+\.\d+)", "(\d{3})"\}', read("smtp-stdio/request.c")))
		for code, status in re.findall(r'\[REPLY_\w+\] = \{"(\d{3})", "([\d.]*)"', reply):
		    print(code, status)
		for status, code in telling.items():
		    print(code, status)
		never = {"recipient.c": "550", "serve.c": "550"}  # at RCPT and MAIL, not after the dot
		for name in ("smtp-stdio/recipient.c", "smtp-stdio/monitor.c", "smtp-stdio/serve.c", "smtp-stdio/commit.c",
		             "smtp-stdio/filter.c",
		             "smtp-stdio/spawn.c", "smtp-stdio/main.c", "deliver/fault.c"):
		    text = read(name)
		    for code, status in re.findall(r'"(\d{3}) (\d\.\d+\.\d+) ', text):
		        print(code, status)
		    for status in re.findall(r'"(\d\.\d+\.\d+) ', text):
		        usual = {"2": "250", "4": "451", "5": never.get(name.split("/")[1], "554")}
		        print(telling.get(status, usual[status[0]]), status)
	END
}

testPageHasEveryReplyCode() {
	same "reply codes" \
		"$(sed -n 's/^\.It \([2-5][0-9][0-9]\) Ta "*\([0-9.]*\)"* Ta .*/\1 \2/p' "$SMTP")" "$(codes_of_sources)"
	same "first lines of deliver" "$(sed -n '/^\.Sh DIAGNOSTICS/,/^\.Sh SEE/s/^\.It \([45]\.[0-9.]*\)$/\1/p' "$DELIVER")" \
		"$(grep -o '"[45]\.[0-9]*\.[0-9]* ' "$TOP/deliver/fault.c" | tr -d '" ')"
}

# The statuses that EX_ names in a program's own files stand for, but for what a session ends with in
# its jail: that is the monitor's to see, not the caller's.
statuses_of_sources() {
	grep -hv '_exit(EX_NOPERM)' "$@" | grep -oh '\<EX_[A-Z]*' | sort -u |
		python3 -c 'import os, sys
for name in sys.stdin: print(getattr(os, name.strip()))'
}

testPagesHaveEveryExitStatus() {
	local items='/^\.Sh EXIT STATUS/,/^\.Sh EX[A-Z]*$/s/^\.It \([0-9]*\)$/\1/p'
	same "exit statuses of smtp-stdio" "$(sed -n "$items" "$SMTP")" \
		"$(statuses_of_sources "$TOP/smtp-stdio/main.c")"
	same "exit statuses of smtp-listen" "$(sed -n "$items" "$LISTEN")" \
		"$(statuses_of_sources "$TOP"/smtp-stdio/{listen,sockets}.c)"
	same "exit statuses of check-policy" "$(sed -n "$items" "$POLICY")" \
		"$(statuses_of_sources "$TOP/smtp-stdio/check-policy.c")"
	same "exit statuses of deliver" "$(sed -n "$items" "$DELIVER")" \
		"$(statuses_of_sources "$TOP"/deliver/{main,options,fault}.c)"
}

# log_lines FILE ... -- each event with its fields in their order: of the page, or of the calls in sources.
log_lines() {
	python3 - "$@" <<-'END'
		import re, sys
		def shape(event, fields):
		    print(event, *re.findall(r"(\w+)=", fields))
		for name in sys.argv[1:]:
		    text = open(name).read()
		    if name.endswith(".8"):
		        for event, fields in re.findall(r"^\.It Em (\S+) (session=.*)", text, re.M):
		            shape(event, fields)
		        continue
		    for call in re.findall(r"\blog_event\(\s*((?:yes|meant|LOG_).*?)\);", text, re.S):
		        literals = re.findall(r'"((?:[^"\\]|\\.)*)"', call)
		        events = [l for l in literals if re.fullmatch("[a-z-]+", l)]
		        fields = "".join(l for l in literals if "=%" in l or '=\\"%' in l or "=<%" in l)
		        for event in events or ["?" + call]:
		            shape(event, "session= client= " + fields)
	END
}

# The same of smtp-listen's: the name is in the table of events.
listener_lines() {
	python3 - "$TOP/smtp-stdio" <<-'END'
		import re, sys
		read = lambda name: open(f"{sys.argv[1]}/{name}").read()
		names = dict(re.findall(r'\[(EVENT_\w+)\] = \{"([^"]*)"', read("journal.c")))
		for name in ("listen.c", "sockets.c"):
		    calls = re.findall(r"\bjournal_line\(\s*(\w+),\s*([^,]+),\s*(.*?)\);", read(name), re.S)
		    for event, client, rest in calls:
		        literal = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', rest))
		        fields = re.findall(r"([\w-]+)=", literal)
		        who = [] if client == "NULL" else ["client"]
		        print(names.get(event, "turned-away") + " " + " ".join(who + fields))
	END
}

testListenersPageHasItsLogLines() {
	same "log lines" "$(sed -n '/^\.Sh DIAGNOSTICS/,/^\.Sh SEE/s/^\.It Em \(.*=\)$/\1/p' "$LISTEN" | tr -d =)" \
		"$(listener_lines)"
	local often
	often=$(sed -n 's/.*= {"\([a-z-]*\)", [A-Z_]*, true,.*/\1/p' "$TOP/smtp-stdio/journal.c")
	same "lines that are counted" "$(sed -n 's/^\.Pq \(turned-away.*\)/\1/p' "$LISTEN" | sed 's/, /\n/g')" "$often"
}

testTheCatalogueHasEveryEvent() {
	local catalog=$TOP/smtp-stdio/smtp-listen.catalog
	same "events" "$(sed -n 's/^-- //p' "$catalog")" \
		"$(sed -n 's/^    \[EVENT_.*"\([0-9a-f]*\)"},$/\1/p' "$TOP/smtp-stdio/journal.c")"
	install -D -m 644 "$catalog" "$T/root/usr/lib/systemd/catalog/smtp-listen.catalog"
	mkdir -p "$T/root/var/lib/systemd/catalog"
	assertEquals "" "$(journalctl --root="$T/root" --update-catalog 2>&1)"
	assertEquals "systemd takes it" "$(grep -c '^-- ' "$catalog")" \
		"$(journalctl --root="$T/root" --list-catalog 2>/dev/null | wc -l)"
}

testListenersPageHasItsReplies() {
	same replies "$(sed -n 's/^\.It \(421\) Ta \([0-9.]*\) Ta .*/\1 \2/p' "$LISTEN")" \
		"$(grep -o '"421 [0-9.]*' "$TOP/smtp-stdio/listen.c" | tr -d '"')"
}

testPageHasTheLogLines() {
	local shapes
	shapes=$(log_lines "$SMTP")
	assertTrue "$shapes" "[ $(wc -l <<<"$shapes") -gt 10 ]"
	same "log lines" "$shapes" "$(log_lines "$TOP"/smtp-stdio/!(listen|sockets|sources|journal|notify).c)"
	same "fields" "$(sed -n '/^The fields:/,/^\.El/{s/^\.It Cm //p;}' "$SMTP" | tr -d '=,' | tr -s ' ' '\n')" \
		"$(cut -d' ' -f2- <<<"$shapes" | tr ' ' '\n')"
}

# Nothing of a session is logged in another shape: a plain line comes from where there is none yet.
# smtp-listen's lines, which journal.c hands on, are compared above.
testOnlySettingsAreToldInPlainLines() {
	assertEquals "smtp-stdio/main.c: bad_settings
smtp-stdio/main.c: usage" "$(cd "$TOP" && awk '
		/^[a-z_]+\(/ { name = $0; sub(/\(.*/, "", name) }
		/^\t+log_line\(/ { print FILENAME ": " name }
	' smtp-stdio/!(journal).c | sort -u)"
}

testPagesHaveTheVariablesThatArePassedOrRead() {
	local passed files=("$TOP"/smtp-stdio/!(listen|sockets|sources|journal|notify|check-policy).c)
	passed=$(grep -o '{"[A-Z_]*=", ' "$TOP/smtp-stdio/environment.c" | tr -dc 'A-Z_\n')
	same "variables" "$(sed -n '/^\.Sh ENV/,/^\.Sh FILES/{s/^\(\.It \)*\.*Ev //p;}' "$SMTP" | tr -s ' ,' '\n' | grep -v '^TZ$')" \
		"$passed
$(grep -oh 'getenv("[A-Z_]*")' "${files[@]}" | cut -d'"' -f2)
$(sed -n '/names\[\] = {/,/};/p' "$TOP/smtp-stdio/peer.c" | grep -o '"[A-Z_]*"' | tr -d '"')"
	# What libsystemd reads, what listen.c and log.c read, and what a session is not given.
	same "variables of smtp-listen" "$(sed -n '/^\.Sh ENV/,/^\.Sh EXIT/{s/^\(\.It \)*\.*Ev //p;}' "$LISTEN" | tr -s ' ,.' '\n')" \
		"$(printf 'LISTEN_%s\n' FDS PID FDNAMES)
$(grep -oh 'getenv("[A-Z_]*")' "$TOP"/smtp-stdio/{listen,log}.c | cut -d'"' -f2)
$(sed -n '/kept_back\[\] = {/,/};/p' "$TOP/smtp-stdio/listen.c" | grep -o '"[A-Z_]*=' | tr -d '"=')"
	same "variables of check-policy" "$(sed -n '/^\.Sh ENV/,/^\.Sh EXIT/{s/^\(\.It \)*\.*Ev //p;}' "$POLICY" | tr -s ' ,' '\n')" \
		"$(sed -n '/attributes\[\] = {/,/};/p' "$TOP/smtp-stdio/check-policy.c" | grep -o '"[A-Z_]*"' | tr -d '"' | grep _\\\|SENDER\\\|SIZE)"
	assertEquals "deliver reads none" "" "$(grep -l getenv "$TOP"/deliver/*.c)"
}

testPageHasEveryRequestLetter() {
	same "request letters" "$(sed -n 's/^\.It \([A-Z]\)$/\1/p' "$SMTP")" \
		"$(sed -n "s/^\tREQUEST_[A-Z]* = '\(.\)'.*/\1/p" "$TOP/smtp-stdio/request.h")"
}

testPageHasThePolicyProtocol() {
	same "actions" "$(sed -n 's/^\.It \([A-Z_]*\) Ta \([a-z]*\) Ta .*/\1 \2/p' "$POLICY")" \
		"$(sed -n 's/^ *{"\([A-Z_]*\)", VERDICT_\([A-Z]*\), .*/\1 \2/p' "$TOP/smtp-stdio/check-policy.c" |
			sed 's/YES$/accepted/; s/LATER$/later/; s/NEVER$/refused/')"
	same "attributes with a value" "$(sed -n '/^\.Ss The question/,/^\.Ss/s/^\.It \([a-z_]*\) Ta .*/\1/p' "$POLICY")" \
		"$(sed -n 's/^ *{"\([a-z_]*\)", \(NULL, "[^"].*\|"[A-Z].*\)/\1/p' "$TOP/smtp-stdio/check-policy.c")"
}

testPageHasTheHandshake() {
	same "octets of the handshake" \
		"$(sed -n '/^\.Bl -column/,/^\.El/p' "$DELIVER" | grep -o '(oq[a-z]' | cut -c4)" \
		"$(grep -oh "\<\(SAY\|HEAR\)_[A-Z]* = '.'" "$TOP/deliver/hand.h" | cut -d"'" -f2)"
}

# ---- examples ------------------------------------------------------------------------------------

# Each block of each page becomes a directory $T/examples/PAGE-NNN, see examples.py.
extract() {
	[ ! -d "$T/examples" ] || return 0
	mkdir "$T/examples"
	python3 "$TOP/tests/examples.py" "$T/examples" "${PAGES[@]}"
	# The programs as an administrator calls them, but those under test.
	mkdir "$T/path" "$T/homes"
	ln -s "$BIN/deliver" "$BIN/smtp-listen" "$BIN/check-policy" "$T/path/"
	printf '#!/bin/sh\nexec %s -C /dev/null -o "DeliverPath %s" "$@"\n' "$BIN/smtp-stdio" "$BIN/deliver" \
		>"$T/path/smtp-stdio"
	chmod 755 "$T/path/smtp-stdio"
	USER_OF_EXAMPLES=()
	if [ "$(id -u)" -eq 0 ]; then
		USER_OF_EXAMPLES=(setpriv --reuid=2001 --regid=2001 --clear-groups --)
		chown 2001:2001 "$T/homes"
	fi
}

# in_home EXAMPLE CMD ... -- as an ordinary user, in a home directory of its own.
in_home() {
	local home
	home=$T/homes/$(basename "$1")
	shift
	"${USER_OF_EXAMPLES[@]}" env -C "$T/homes" mkdir -p "$home"
	"${USER_OF_EXAMPLES[@]}" env -C "$home" HOME="$home" PATH="$T/path:$PATH" "$@"
}

marked() {
	extract
	grep -l "^$1" "$T"/examples/*/mark | xargs -r -n1 dirname
}

testTheLineForInetdIsTheSameEverywhere() {
	local file
	for file in README.md smtp-stdio/smtp-stdio.8; do
		assertEquals "$file" "$(grep '^smtp' "$TOP/units/inetd.conf" | tr '\t' ' ')" "$(grep -o '^ *smtp stream .*' "$TOP/$file" | sed 's/^ *//')"
	done
}

testEveryExampleHasAMark() {
	local known
	extract
	known=$(marked run; marked serve; marked config; marked aliases; marked unit; marked script; marked shown)
	same examples "$known" "$(ls -d "$T"/examples/*)"
	assertEquals "blocks in the pages" "$(cat "${PAGES[@]}" | grep -c '^\.Bd')" "$(wc -l <<<"$known")"
	assertTrue "few are only shown" "[ $(marked shown | wc -l) -le 5 ]"
}

testExamplesDoWhatThePageSays() {
	local example wanted status check
	assertNotEquals "there are some" "" "$(marked run)"
	for example in $(marked run); do
		wanted=$(cut -d' ' -f2 "$example/mark")
		# shellcheck disable=SC2016  # expanded by the inner shell
		in_home "$example" bash -c 'bash -o pipefail "$0" >stdout 2>stderr' "$example/block"
		status=$?
		assertEquals "$(cat "$example/block")" "$wanted" "$status"
		assertTrue "$(basename "$example") has a check" "[ -s $example/see ]"
		while read -r check; do
			in_home "$example" bash -c "$check" || fail "$(basename "$example"): $check"
		done <"$example/see"
	done
}

listening() {
	ss -Hltn "sport = :$1" | grep -q .
}

testExampleServersReceive() {
	local example
	assertEquals "servers" 2 "$(marked serve | wc -l)"
	for example in $(marked serve); do
		receives "$example"
	done
}

receives() {
	local example=$1 port pid
	port=$(free_port)
	sed "1s/^/exec /; s/2525/$port/" "$example/block" >"$example/serve"
	in_home "$example" true
	# One simple command, so that $! is the server.
	"${USER_OF_EXAMPLES[@]}" env -C "$T/homes/$(basename "$example")" HOME="$T/homes/$(basename "$example")" \
		PATH="$T/path:$PATH" bash "$example/serve" 2>"$T/serve.log" &
	pid=$!
	PIDS+=("$pid")
	wait_for listening "$port"
	python3 -c 'import smtplib, sys
with smtplib.SMTP("127.0.0.1", int(sys.argv[1])) as s:
    s.sendmail("a@example.com", ["b@example.org"], "Subject: served\r\n\r\n")' "$port"
	assertEquals "the client was told 250" 0 $?
	assertTrue "the message is there" "grep -qrx 'Subject: served' $T/homes/$(basename "$example")/Maildir/new"
	kill "$pid"
	wait "$pid" 2>/dev/null || :
}

testExampleSettingsAreAccepted() {
	local example line
	assertNotEquals "there are some" "" "$(marked config)"
	for example in $(marked config); do
		"$BIN/smtp-stdio" -C "$example/block" -T >"$T/effective"
		ended $? "$example/block"
		sed 's/[ \t]*#.*//' "$example/block" |
			awk '$1 == "Domain" { for (i = 2; i <= NF; i++) print $1, $i; next } { print }' >"$T/wanted"
		while read -r line; do
			assertTrue "in effect: $line" "grep -qxF -- '$line' $T/effective"
		done <"$T/wanted"
	done
}

testExampleAliasesStandForWhatThePageSays() {
	local example name want count=0
	mkdir -p "$T/users/alice"
	[ "$(id -u)" -ne 0 ] || chown 2001:2001 "$T/users/alice"
	for example in $(marked aliases); do
		while IFS= read -r name; do
			# shellcheck disable=SC2001  # a pattern with a group
			want=$(sed 's/.* \([2-5][0-9][0-9] [245]\.\)/\1/' <<<"$name")
			name=${name% "$want"}
			count=$((count + 1))
			assertEquals "$name" "$want" "$(printf 'HELO me\r\nMAIL FROM:<>\r\nRCPT TO:<%s@example.org>\r\n' "$name" |
				smtp -o 'Domain example.org' -o "Users $T/users/%u" -o 'Postmaster nosuch' -o "Aliases $example/block" 2>/dev/null |
				tr -d '\r' | tail -n 1)"
		done <"$example/see"
		# each, and one name that the file does not have
		assertEquals "replies" "$(($(grep -vc '^ ' "$example/block") + 1))" "$count"
	done
	assertTrue "there are some" "[ $count -gt 3 ]"
}

testExampleUnitsAreWhatSystemdTakes() {
	local example unit
	mkdir "$T/units"
	for example in $(marked unit); do
		unit=$T/units/$(cut -d' ' -f2 "$example/mark")
		mkdir -p "$(dirname "$unit")"
		sed "s,/usr/local/sbin/smtp-,$BIN/smtp-," "$example/block" >"$unit"
	done
	assertEquals "units" 6 "$(files "$T/units")"
	assertEquals "drop-ins" 3 "$(find "$T"/units/*.d -type f | wc -l)"
	assertEquals "of units that are there" "" "$(for unit in "$T"/units/*.d; do [ -f "${unit%.d}" ] || echo "$unit"; done)"
	# What it says of units of this machine does not count.
	assertEquals "" "$(systemd-analyze verify --man=no "$T"/units/*.socket "$T"/units/*.service 2>&1 | grep "$T/units")"
}

. shunit2
