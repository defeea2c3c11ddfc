# aliases_lib.sh -- users, a file of aliases, and what a client hears.  Sourced behind lib.sh.
# shellcheck shell=bash
# shellcheck disable=SC2034  # used by the suites

readonly OK='250 2.1.5 recipient ok' NO='550 5.1.1 no such mailbox here'
readonly WRONG='451 4.3.5 the mailbox is misconfigured'
readonly ALONE='452 4.5.3 one recipient at a time; send the others in another message'
readonly LATER='451 4.3.0 delivery failed; try again later'
BOX=$T/box # what the command notes; of the user who runs it
FORWARDER=daemon

# A command that stands where sendmail stands: notes how it was called, and ends as $T/sent/end says.
mkdir "$T/sent"
noting "$T/sent/run" <<'END'
pwd >"$box/directory"
cat >"$box/message"
. "$here/end"
END

setUp() {
	local n=2000 user
	rm -rf "$BOX" "$T/users" "$T/in" aliases
	for user in alice bob; do
		n=$((n + 1))
		install -d "$T/users/mx.test/$user" "$T/users/two.test/$user"
		[ "$(id -u)" -ne 0 ] || chown "$n:$n" "$T"/users/*/"$user"
	done
	install -d "$BOX"
	[ "$(id -u)" -ne 0 ] || chown $FORWARDER "$BOX"
	echo 'exit 0' >"$T/sent/end"
	SETTINGS=()
}

# aliases LINE ... -- the file.
aliases() {
	printf '%s\n' "$@" >aliases
}

cat >conf <<END
Hostname mx.test
Domain mx.test two.test
Users $T/users/%d/%u
Postmaster nosuch
Aliases $T/aliases
ForwardCommand $T/sent/run -i -f %s -- %r
ForwardUser $FORWARDER
DeliverPath $BIN/deliver
END
SETTINGS=()

# aliased [ARG ...] -- the program with that file, and $SETTINGS; logged in ./log.
aliased() {
	timeout 30 "$BIN/smtp-stdio" -C "$T/conf" "${SETTINGS[@]}" "$@" 2>log
}

# asked NAME ... -- what a client says to learn the replies to RCPT, each in a transaction of its own.
asked() {
	local name
	printf 'HELO client.test\r\n'
	for name; do
		case $name in *@*.test | *ostmaster) ;; *) name=$name@mx.test ;; esac
		printf 'MAIL FROM:<a@client.test>\r\nRCPT TO:<%s>\r\nRSET\r\n' "$name"
	done
	printf 'QUIT\r\n'
}

# rcpt NAME ... -- the reply to each, one a line; without a domain it is in mx.test.
rcpt() {
	asked "$@" | aliased | tr -d '\r' | awk 'NR > 3 && NR % 3 == 1'
}

# vrfy NAME ... -- the same for VRFY.
vrfy() {
	{
		printf 'HELO client.test\r\n'
		printf 'VRFY <%s>\r\n' "$@"
	} | aliased -o 'Verify yes' | tr -d '\r' | tail -n +3
}

# expn NAME ... -- all the lines that EXPN has for these.
expn() {
	{
		printf 'HELO client.test\r\n'
		printf 'EXPN %s\r\n' "$@"
	} | aliased -o 'Expand yes' | tr -d '\r' | tail -n +3
}

# message SENDER RECIPIENT ... -- a session with one message.
message() {
	printf 'HELO client.test\r\nMAIL FROM:<%s>\r\n' "$1"
	shift
	printf 'RCPT TO:<%s>\r\n' "$@"
	printf 'DATA\r\nSubject: to the octet\r\n\r\n..\r\n...\r\n\303\244 \t\r\n.\r\nQUIT\r\n'
}

# session [ARG ...] -- aliased, heard in ./heard.
session() {
	aliased "$@" >heard
	tr -d '\r' <heard >heard.lf
}

# reply N -- the Nth line that was heard: 2 greetings, MAIL, RCPT ..., DATA, the message, QUIT.
reply() {
	sed -n "$1p" heard.lf
}

delivered() {
	find "$T/users" -path '*/new/*' -type f | sed "s,^$T/users/\(.*\)/Maildir/.*,\1," | sort | xargs
}
