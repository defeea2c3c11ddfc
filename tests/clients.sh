# clients.sh -- the real clients, each started in one place.  Sourced after lib.sh.
#
# Every client calls itself client.test and sends from a@client.test where nothing else is asked
# for.  One that waits for ever fails: timeout(1) ends it.
# shellcheck shell=bash

# with_swaks PORT ARG ...
with_swaks() {
	timeout 20 swaks --server "127.0.0.1:$1" --helo client.test --from a@client.test "${@:2}"
}

# with_msmtp PORT RECIPIENT ... -- the message is standard input.
with_msmtp() {
	timeout 20 msmtp -C /dev/null --host=127.0.0.1 --port="$1" --tls=off --auth=off \
		--domain=client.test --from=a@client.test -- "${@:2}"
}

# with_curl PORT FILE ARG ... -- to ann@mx.test.
with_curl() {
	timeout 20 curl -sS --crlf -T "$2" --mail-from a@client.test --mail-rcpt ann@mx.test "${@:3}" \
		"smtp://127.0.0.1:$1/client.test"
}

# with_smtp_source ARG ... -- Postfix's load generator, to ann@mx.test.
with_smtp_source() {
	timeout 20 env LD_LIBRARY_PATH="$PARTS/usr/lib/postfix:$PARTS/usr/lib/x86_64-linux-gnu" \
		"$PARTS/usr/sbin/smtp-source" -M client.test -f a@client.test -t ann@mx.test "$@"
}
