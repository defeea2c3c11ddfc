#!/bin/bash
# What reads everything in seconds: scripts, pages, words.  The analyzers of C are "make lint".
. "$(dirname "$0")/lib.sh"

testScriptsPagesAndWordsAreClean() {
	"$TOP/tests/lint" shell pages words >"$T/said" 2>&1
	ended $? "$T/said"
	assertEquals "each has looked" "$(printf '%s\n' shellcheck mandoc codespell)" \
		"$(awk '$2 > 4 && /  0 findings$/ { print $1 }' "$T/said")"
}

testAPlantedFaultIsFoundByEach() {
	local file
	while IFS= read -r file; do
		install -D -m "$(stat -c %a "$TOP/$file")" "$TOP/$file" "$T/copy/$file"
	done < <(cd "$TOP" && find README.md LICENSE Makefile .clang-* .ci deliver sandbox smtp-stdio units -type f)
	install -D "$TOP/tests/lint" "$T/copy/tests/lint"
	# shellcheck disable=SC2016  # the fault
	echo 'rm -rf $HOME/$1' >>"$T/copy/.ci/run"
	echo '.Bogus' >>"$T/copy/deliver/deliver.8"
	echo '/* rec''ieve */' >>"$T/copy/deliver/mbox.c"
	"$T/copy/tests/lint" shell pages words >"$T/said" 2>&1
	ended $? "$T/said" 1
	assertTrue "shellcheck" "grep -q 'SC2086' $T/said"
	assertTrue "mandoc" "grep -q 'unknown macro.*Bogus' $T/said"
	assertTrue "codespell" "grep -q 'mbox.c:.*==> receive' $T/said"
}

. shunit2
