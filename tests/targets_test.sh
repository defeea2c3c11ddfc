#!/bin/bash
# targets_test.sh -- what a file of aliases has for a name: pure, and the same as for Postfix and sendmail.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

S=$TOP/smtp-stdio

oneTimeSetUp() {
	cc -D_GNU_SOURCE -std=c11 -O1 -g -fsanitize=undefined -fno-sanitize-recover=all -o "$T/targets" \
		"$TOP/tests/targets.c" "$S"/{aliases,targets,request,utf8}.c || exit 1
}

# aliases LINE ... -- the file.
aliases() {
	printf '%s\n' "$@" >aliases
}

# has WANT NAME ... -- what the file has for the first of the names that it has; targets are one a line.
has() {
	assertEquals "${*:2}" "$1" "$(timeout 10 "$T/targets" aliases "${@:2}" 2>&1)"
}

# stands WANT TARGETS ... -- what each stands for, behind the same name.
stands() {
	local want=$1 targets
	shift
	for targets; do
		aliases 'before: a' "name:$targets" 'behind: b'
		assertEquals "$targets" "$want" "$(timeout 10 "$T/targets" aliases name 2>&1)"
		has '1 user a' before
	done
}

# tells WHY TARGETS ... -- each is a fault, which is told with its line and for that name only.
tells() {
	local why=$1 targets
	shift
	for targets; do
		stands "2 wrong $why" "$targets"
		has '3 user b' behind
	done
}

# hides LINE WHY FILE-LINE ... -- a fault of the file, which hides what is behind it, and that only.
hides() {
	aliases 'before: a' "${@:3}" 'behind: b'
	has "$1 wrong $2" behind
	has "$1 wrong $2" nosuch
	has "$1 wrong $2" before@mx.test before
	has '1 user a' before
}

# includes WANT LINE ... -- an :include: file has that.
includes() {
	printf '%s\n' "${@:2}" >list
	assertEquals "${*:2}" "$1" "$(timeout 10 "$T/targets" -i list 2>&1)"
}

# ---- names --------------------------------------------------------------------------------------

testANameIsFoundInEveryForm() {
	cat >aliases <<'END'
# comments
   # and one behind blanks
plain: 3
Capital: 4
"quoted": 5
"two words": 6
"a:b#c@d": 7
"back\\slash \"x\"" : 8
#commented: 9
on-the-next:

	# not yet

	14
user@Domain.Test: 15
"two words"@domain.test : 16
@domain.test: 17
@[IPv6:::1]: 18
x@[IPv6:::1]: 19
spaced   Words	here: 20
es\:caped\ x: 21
END
	printf 'blanks\t :\t 22 \t\ncrlf: 23\r\n\r\nnext:\r\n\t26\r\nlast: 27' >>aliases
	has '3 user 3' plain
	has '3 user 3' PLAIN
	has '4 user 4' capital
	has '5 user 5' quoted
	has '5 user 5' '"quoted"'
	has '6 user 6' '"Two WORDS"'
	has '7 user 7' '"a:b#c@d"'
	has '8 user 8' '"back\\slash \"x\""'
	has '14 user 14' on-the-next
	has '15 user 15' USER@domain.test
	has '16 user 16' '"two words"@domain.test'
	has '17 user 17' @DOMAIN.test
	has '18 user 18' '@[IPv6:::1]'
	has '19 user 19' 'x@[ipv6:::1]'
	has '20 user 20' '"spaced words here"'
	has '21 user 21' '"es:caped x"'
	has '22 user 22' blanks
	has '23 user 23' crlf
	has '26 user 26' next
	has '27 user 27' last
	local name
	for name in commented '"# comments"' two words '"next:"' plai plain2 las '"plain:"' '"plain: 3"' '""' user \
		domain.test user@domain user@domain.test2 plain@domain.test @plain '"user@domain.test"' '"@domain.test"' \
		'"a:b#c"@d' x@ipv6 spaced es; do
		has none "$name"
	done
}

testTheFirstOfTheNamesCountsAndOfItsLinesTheFirst() {
	aliases '@mx.test: all' 'u@two.test: other' 'U: one' 'u: error:550 no' 'u@MX.test: two,' ' three' 'u@mx.test: x' 'v: w'
	has $'5 user two\n6 user three' u@mx.test u @mx.test
	has '3 user one' u @mx.test
	has '3 user one' u@x.test u
	has '1 user all' none@mx.test none @mx.test
	has '8 user w' v@mx.test v @mx.test
	has none n@x.test n @x.test
	aliases 'u@mx.test: two' 'u: one'
	has '1 user two' u@mx.test u
	aliases 'u: one,' ' more' 'u+x: plus' 'u@mx.test:' ' two'
	has '5 user two' u+x@mx.test u@mx.test u+x u @mx.test
	has '3 user plus' u+x@mx.test u+x u@mx.test u @mx.test
	aliases 'u: one' '	, more' 'no colon'
	has '3 wrong no colon behind the name' u@mx.test u
	has $'1 user one\n2 user more' u
}

testAnEmptyFileHasNoNames() {
	: >aliases
	has none x
	printf '\n\n# nothing\n \t\n \n#' >aliases
	has none x
}

# What another program would take for more than a name is just a name here.
testNamesOfEveryKindAreOnlyNames() {
	local name
	# shellcheck disable=SC2016  # just names
	for name in '%u' '%s%n' 'a%b' '$HOME' '`x`' "it's" 'a|b' '|x' '/etc/passwd' 'a/b' '-x' '--' '*' '{a}' '~' '=' '!a' \
		'[x]' 'a[:b]' $'\303\251' 'x#'; do
		aliases "$name: found" 'alice: bob'
		[ "$name" = 'a[:b]' ] && name='a['
		timeout 10 "$T/targets" aliases "$name" | grep -q '^1 ' || fail "$name"
	done
	# shellcheck disable=SC1003  # a backslash is meant
	for name in 'a/../b' '..' ' ' '@' 'a@b' ':' '#' '\\' '\"' 'a,b' ':include:/x' '<>' '()' $'\377\200'; do
		aliases "\"$name\": found" 'alice: bob'
		has '1 user found' "\"$name\""
	done
	name=$(printf %0255d 0)
	aliases "${name}0: no" "$(printf %01000d 0): no" "x@$(printf %01000d 0): no" "$name@$name: yes" "$name: x"
	has '4 user yes' "$name@$name"
	has '5 user x' "$name"
}

testAFaultInANameHidesWhatIsBehindIt() {
	local line
	for line in alone '"alone"' '"a" b: c' 'user@domain' 'a b' 'user@domain x: y'; do
		hides 2 'no colon behind the name' "$line"
	done
	hides 2 'no name before the colon' ': x'
	hides 2 'no name before the colon' '"": x'
	hides 2 'no domain behind the @' '@: x'
	hides 2 'no domain behind the @' 'user@ x: x'
	hides 2 'a quote without its end' '"open: x'
	hides 2 'a quote without its end' '"open\": x'
	for line in 'a"b": x' 'a "b": x' '"a""b": x' 'x@y"b": x'; do
		hides 2 'quotes around a part of a name' "$line"
	done
	for line in 'a, b: x' 'Alice <alice@mx.test>: x' 'a@b@c: x' 'a (b): x' 'a;b: x' 'a@b(c): x'; do
		hides 2 'one of @,<>(); in a name outside of quotes' "$line"
	done
	for line in $'a\001: x' $'"a\177": x' $'x@a\001: x' $'a\\\001: x'; do
		hides 2 'a control character in a name' "$line"
	done
	aliases '# comment' '  alice' 'behind: b'
	has '2 wrong a line that continues none' behind
	printf 'before: a\na: b\n# \0\nbehind: b\n' >aliases
	has '3 wrong a NUL character' behind
	has '1 user a' before
	printf 'before: a\n \0\nbehind: b\n' >aliases
	has '2 wrong a NUL character' before
}

# ---- targets ------------------------------------------------------------------------------------

testATargetIsOneOfThese() {
	stands '2 user alice' alice ' alice' $'\talice\t' ' "alice"' '"al\ice"' 'al\ice' '<alice>' ' alice (the boss)' '(a) alice' \
		' Alice Smith <alice>' '"Smith, Alice" (x, y) < alice > ' ' alice # the boss' 'alice,' ',alice,,' '((a) \) ,)alice'
	# shellcheck disable=SC2016  # a '#' that follows no blank
	stands '2 user a+b!#$%&*/=?^_`{|}~' ' a+b!#$%&*/=?^_`{|}~' '"a+b!#$%&*/=?^_`{|}~"'
	stands '2 user #x' '#x'
	stands '2 exact alice' '\alice' ' "\\alice"' ' \al\ice'
	stands '2 address New@Else.Test' New@Else.Test '"New@Else.Test"' '<New@Else.Test>' 'a.b c@d e <New@Else.Test>' \
		'"New"@Else.Test' '"x y"<New@Else.Test>(z)'
	stands '2 address a@[IPv6:::1]' 'a@[IPv6:::1]'
	stands '2 command /bin/true' '|/bin/true' '| /bin/true' '"|/bin/true"' '"|  /bin/true"' '|"/bin/true"' '| "/bin/true"'
	stands "2 command /usr/bin/prog -a 'b, c' # <x>" "\"|/usr/bin/prog -a 'b, c' # <x>\"" "|\"/usr/bin/prog -a 'b, c' # <x>\""
	stands '2 command echo "a\b"' '"|echo \"a\\b\""' '|echo\ \"a\\b\"'
	stands '2 file /var/mail/x' /var/mail/x '"/var/mail/x"'
	stands '2 file /srv/a b/' '"/srv/a b/"' '/srv/a\ b/'
	stands '2 include /etc/list' :include:/etc/list ':include: /etc/list' ':Include:"/etc/list"' '":include: /etc/list"'
	stands '2 error N 5.1.1 he left, in "May" (or June)' ' error:550 he left, in "May" (or June) # a comment'
	stands '2 error L 4.2.1 busy' 'error:450 busy' '"error:450 4.2.1 busy"'
	stands '2 error M 5.1.6 user not local; please try <a@b.test>' 'Error:551 a@b.test'
}

testTargetsMayBeSeveralInSeveralLines() {
	stands $'2 user a\n2 address b@c.test\n2 exact d\n2 command e f, g\n2 file /h\n2 include /i\n2 error N 5.1.1 j, k' \
		'a,b@c.test, \d , "|e f, g",/h,,:include:/i, error:550 j, k'
	cat >aliases <<'END'
name: one, # first
# a comment
  two (the
   second),

	"|a \
	b" ,
 # another, three
	four,
last: x
name: not this
END
	has $'1 user one\n3 user two\n6 command a  b\n9 user four' name
	sed -i 's/ \\$/  /' aliases
	has $'1 user one\n3 user two\n6 command a   b\n9 user four' name
	aliases 'name: error:550 a,' '	b' '   # no' ' c '
	has '1 error N 5.1.1 a, b c' name
	aliases 'name: a' '	, wrong target'
	has $'1 user a\n2 wrong a blank outside of quotes' name
}

# shellcheck disable=SC1003,SC2088  # just targets
testATargetThatIsNoneIsAFault() {
	tells 'a name without a target' '' ' ' '""' ' # alice' ',,' '(x)' ', # x'
	tells 'a blank outside of quotes' 'alice bob' '|/bin/echo x' '|"a" b' 'a (x) b' '"a" "b"' '"a" b' '"" b' '/a b' ':include:/a b'
	aliases 'name: alice' ' bob' 'behind: b'
	has '1 wrong a blank outside of quotes' name
	tells 'one of <>(); outside of quotes' 'a;b' 'a; b' 'a>b' '|/bin/cat </x>' '|a>b' 'a)' '|a <b>' 'b;' '/a <b@c.test>' \
		'"|a" <b@c.test>'
	tells 'brackets around something other than an address' '<|a>' '<"|a b">' '<:include:/a>' '</a>' '<>' 'a <b> c' '<a> <b>' '<a>"b"' '<\a>'
	tells 'a bracket without its end' 'a <b' 'a (b' '<a b>' 'a (b\)' '((a)' '<a,b>' '<a<b>>'
	tells 'a quote without its end' '"alice' '"alice\"' '"' 'a "'
	tells 'quotes around a part of a target' '"a"b' '""x' 'a"b"' 'a"b"@c.test' '|a"b"' '/a"b"' '"a"|b' '"a""b"'
	tells 'a backslash at the end of a line' 'alice\' '\\'
	tells 'a target that begins with a dash' -x -x@else.test '"-x"' '<-x>' '\-x' '"\\-x"'
	tells 'a target with an octet that is not printable ASCII' $'al\303\251' $'alice\001' $'a\177@else.test' $'|\033' \
		$'"a\001"' $'error:550 caf\303\251'
	tells 'a command without a name' '|' '"|"' '"| "' '|""' '|(x)'
	tells 'a file without a name' / '"//"'
	tells ':include: wants a path that begins with a slash' :include: :include:list ':include:""' '":include:~/x"'
	tells 'a target that is no user, address, command, file, :include: or error:' 'a@b@c' @mx.test alice@ .alice alice. a..b \
		'alice@.test' 'alice@-test' 'alice@a/b' "$(printf %0255d 0)" '" "' '"a b"' '"a b"@else.test' '~/mail' '~bob' ':fail:' \
		'\a@b.test' '\' '\|a' '\/a' ':blackhole:' 'a:b' '"<a>"'
}

testAFaultIsToldOnceAndHidesWhatIsBehindIt() {
	stands $'2 user a\n2 wrong a quote without its end' 'a, "b, c'
	stands $'2 user a\n2 wrong a blank outside of quotes' 'a, b c, d'
}

testErrorsAreReplies() {
	stands '2 wrong error: without a text' error:550\ 5.1.1
	stands '2 wrong error: wants 450, 451, 452, 550, 551, 552 or 553, and a text' 'error:554 x' error:550 '"error:"' '<error:550>'
	stands '2 error N 5.123.45 x' 'error:550 5.123.45 x'
	stands "2 error N 5.1.1 x$(printf %0393d 0)" "error:550 x$(printf %0393d 0)"
	stands '2 wrong error: with a text that is too long' "error:550 x$(printf %0394d 0)"
}

testAnIncludedFileHasUsersAndAddressesAlone() {
	includes '' ''
	includes '' '# nobody' ' # nobody' '(nobody)' ' , '
	includes $'2 user a\n2 user b\n4 address c@d.test\n6 exact e\n7 user f' '# list' 'a, b,' '' ' Carol <c@d.test> (x)' '#' '\e # x' '"f"'
	printf 'a\r\nb@c.test' >list
	assertEquals $'1 user a\n2 address b@c.test' "$("$T/targets" -i list)"
	local target
	for target in '|a' '"|a b"' /a :include:/a '"error:550 no"'; do
		includes $'1 user a\n3 wrong an :include: file has only users and addresses' a '' "$target" b
	done
	includes $'1 user a\n2 wrong a quote without its end' a '"b' 'c"'
	includes $'1 user a\n2 wrong a bracket without its end' a 'b (c' 'd)'
	includes $'1 user a\n2 wrong a bracket without its end' a 'B <b' '@c.test>'
	includes '1 wrong a target that begins with a dash' -a
	printf 'a\nb\0\n' >list
	assertEquals '2 wrong a NUL character' "$("$T/targets" -i list)"
	rm list
	assertEquals '0 wrong No such file or directory' "$("$T/targets" -i list)"
	mkfifo list
	assertEquals '0 wrong not a regular file' "$(timeout 10 "$T/targets" -i list)"
	rm list
}

testNothingIsLongerThanItsLimit() {
	local x
	x=$(printf %01022d 0)
	stands "2 file /$x" "/$x"
	tells 'the target is too long' "/0$x"
	stands "2 command $x" "|$x" "\"|$x\""
	tells 'the target is too long' "|0$x" "\"|0$x\"" "a <0$x@x>" "|$x\\ "
	stands "2 address a@$(printf %0252d 0)" "a@$(printf %0252d 0)"
	# a line of 65536 octets, and one more
	{ printf 'name: '; yes abcdefghijklmno, | head -n 4095 | tr -d '\n'; echo 'abcdefghi '; echo 'behind: b'; } >aliases
	assertEquals "the line" 65536 "$(head -n 1 aliases | tr -d '\n' | wc -c)"
	assertEquals 4096 "$("$T/targets" aliases name | grep -c '^1 user abcdefghi')"
	has '2 user b' behind
	sed -i '1s/$/ /' aliases
	has '1 wrong the line is too long' behind
	# 65536 octets in lines, each with its end
	{ printf 'before: a\nname:\n'; yes ' abcdefghijklm,' | head -n 4095; echo ' abcdefghijklm'; echo 'behind: b'; } >aliases
	assertEquals 4096 "$("$T/targets" aliases name | grep -c 'user abcdefghijklm$')"
	sed -i '4s/,/, /' aliases
	has '4098 wrong more targets than there is room for' name
	has '4099 user b' behind
	has '1 user a' before
	sed -n '3,4097s/,//p' aliases >list
	assertEquals 4095 "$("$T/targets" -i list | grep -c 'user abcdefghijklm$')"
	yes ' abcdefghijklm' | head -n 300 >>list
	assertEquals '4370 wrong more targets than there is room for' "$("$T/targets" -i list)"
	# what is behind an entry is none of it
	{ printf 'name: a\n'; yes '#' | head -n 70000; echo 'name@mx.test: b'; } >aliases
	has '70002 user b' name@mx.test name
	has '1 user a' name@two.test name
}

# ---- what others read in the same file ----------------------------------------------------------

# The words of a list of targets as these programs write them, one a line: without quotes, comments and
# phrases.
cat >words.py <<'END'
import re, sys
for line in sys.stdin:
    line = re.sub(r'"(?:\\.|[^"\\])*"|\((?:\\.|[^)\\])*\)', lambda m: "" if m[0][0] == "(" else m[0], line.strip("\n"))
    for word in re.findall(r'(?:"(?:\\.|[^"\\])*"|[^,"])+', line):
        word = re.sub(r'^.*<(.*)>$', r'\1', word.strip())
        word = re.sub(r'"((?:\\.|[^"\\])*)"', lambda m: re.sub(r'\\(.)', r'\1', m[1]), word)
        word = re.sub(r'^(:include:|\|) *', r'\1', word).lstrip("\\")
        if word:
            print(word)
END

# ours NAME -- the same of what we read for a name.
ours() {
	"$T/targets" aliases "\"$1\"" | sed -E 's/^[0-9]+ //; s/^command /|/; s/^include /:include:/; s/^(user|exact|address|file) //'
}

corpus() {
	cat >aliases <<'END'
# /etc/aliases
mailer-daemon: postmaster
postmaster: root
nobody: root

Root:	alice, Bob@Else.Test
"two words": alice
"com,ma": alice
staff: alice,
	bob,carol ,
  # dave is away
	"erin"
owner-staff: alice
empty-members: ,alice,,bob,
quoted: "|/usr/bin/prog -a 'b c'"
inner: |"/usr/bin/prog -a b"
bare: |/usr/bin/prog
comma: "|/bin/echo a, b", alice
escapes: "|/bin/echo \"a\" \\b"
file: /var/spool/file
maildir: "/srv/my mail/"
null: /dev/null
both: /var/spool/file, alice, "|/bin/cat"
backslash: \alice, bob@else.test
comment: alice (the, boss), bob (here)
phrase: Alice Smith <alice@else.test>, "Doe, J." <j@else.test>, <carol>
plus: alice+x, a.b, a_b-c, x=y@else.test
literal: a@[192.0.2.1]
crlf: alice
last: z
END
}

# What they read in another way is not in it: '#' behind a target, and blanks between targets.
testPostfixReadsTheSameTargets() {
	part usr/sbin/postalias postfix || return 0
	local postfix=(env "LD_LIBRARY_PATH=$PARTS/usr/lib/postfix:$PARTS/usr/lib/x86_64-linux-gnu")
	local key value count=0
	mkdir -p etc
	printf '%s\n' 'compatibility_level = 3.6' 'mail_owner = daemon' 'setgid_group = mail' >etc/main.cf
	corpus
	cat >>aliases <<'END'
include: :include:/etc/list, :include: /etc/other
later: alice,

# a comment
	bob
spanning: "|/bin/echo a
   b", alice
Unquoted Words: alice
END
	"${postfix[@]}" "$PARTS/usr/sbin/postalias" -c etc hash:aliases 2>postfix.log
	assertEquals "it takes every line: $(cat postfix.log)" 0 "$(wc -l <postfix.log)"
	"${postfix[@]}" "$PARTS/usr/sbin/postalias" -c etc -s hash:aliases >postfix.out
	while IFS=$'\t' read -r key value; do
		key=${key%:}
		case $key in @ | YP_*) continue ;; esac
		count=$((count + 1))
		assertEquals "$key: $value" "$(python3 words.py <<<"$value")" "$(ours "$key")"
	done <postfix.out
	assertEquals "each name" "$(grep -c '^[^#	 ].*:' aliases)" "$count"
	"${postfix[@]}" "$PARTS/usr/sbin/postalias" -c etc -q staff hash:aliases >postfix.out
	assertEquals 'alice, bob, carol, "erin"' "$(cat postfix.out)"
}

# sendmail wants a configuration, a name with a dot for the machine, and directories that nobody else can
# write to, not even /tmp.
cat >sendmail.cf <<END
V10/Berkeley
Cwlocalhost mx.test
Djmx.test
O AliasFile=/mnt/aliases
O QueueDirectory=/mnt/queue
O DontBlameSendmail=NonRootSafeAddr,GroupWritableDirPathSafe,RunProgramInUnsafeDirPath
O DontProbeInterfaces=true
O ForwardPath=
O OperatorChars=.:%@!^/[]+
S0
R\$*<\$*>\$*	\$2
R\$*@\$*		\$#smtp \$@\$2 \$:\$1@\$2
R\$*		\$#local \$:\$1
S3
R\$*<\$*>\$*	\$2
S1
S2
S4
S5
Mlocal, P=/bin/false, F=lsDFMA5:/|, S=0, R=0, A=false
Mprog, P=/bin/sh, F=lsDFM, S=0, R=0, A=sh -c \$u
M*file*, P=[FILE], F=lsDFMPEu, S=0, R=0, A=FILE \$u
M*include*, P=/dev/null, F=su, A=INCLUDE
Msmtp, P=/bin/false, F=mDFMuX, A=false
END

# with_sendmail ARG ... -- run it where the machine is called mx.test, and /mnt/aliases is ours.
with_sendmail() {
	# shellcheck disable=SC2016  # expanded by the inner shell
	LD_LIBRARY_PATH=$PARTS/usr/lib/x86_64-linux-gnu timeout 20 unshare -m -u --propagation private sh -c \
		'mount --bind mnt /mnt && mount --bind mnt/hosts /etc/hosts && hostname mx.test && exec "$0" "$@"' \
		"$PARTS/sendmail/usr/libexec/sendmail/sendmail" -C "$T/sendmail.cf" "$@" </dev/null
}

testSendmailReadsTheSameTargets() {
	local name
	part sendmail/usr/libexec/sendmail/sendmail sendmail-bin || return 0
	need_root || return 0
	corpus
	# It goes on where an alias leads to, and a comment ends an entry.
	sed -i '/^  #/d; /^mailer-daemon:/d; /^postmaster:/d; /^nobody:/d' aliases
	install -d mnt
	install -d -m 700 mnt/queue
	printf '127.0.0.1 mx.test\n' >mnt/hosts
	cp aliases mnt/
	with_sendmail -bi >sendmail.log 2>&1
	assertContains "it takes every line: $(cat sendmail.log)" "$(cat sendmail.log)" \
		" $(grep -c '^[^#	 ].*:' aliases) aliases, "
	while IFS= read -r name; do
		with_sendmail -bv "$name" | sed -n 's/\.\.\. deliverable: mailer .*//p' | python3 words.py | sort >want
		assertTrue "$name: it knows" "[ -s want ]"
		name=${name#\"}
		assertEquals "$name" "$(cat want)" "$(ours "${name%\"}" | sort)"
	done < <(sed -n 's/^\([^#	 :][^:]*\):.*/\1/p' aliases)
}

# shellcheck source=/dev/null
. shunit2
