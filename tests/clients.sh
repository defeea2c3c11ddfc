# clients.sh -- the real clients, each started in one place.  Sourced after lib.sh.
#
# Every client calls itself client.test and sends from a@client.test where nothing else is asked
# for.  One that waits for ever fails: timeout(1) ends it.
# shellcheck shell=bash

# offered WORD || return 0 -- skip what EHLO's reply does not offer yet.
offered() {
	printf '%s\r\n' 'EHLO client.test' QUIT | smtp 2>/dev/null | grep -q "^250[ -]$1" ||
		{ skip "smtp-stdio does not offer $1 yet"; return 1; }
}

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

# ---- mail systems -------------------------------------------------------------------------------

UNPACKED=$T/parts
UNPACKED_LIBS=$UNPACKED/usr/lib/postfix:$UNPACKED/usr/lib/x86_64-linux-gnu

# mail_users CMD ... -- become CMD, where the users of Exim and Postfix exist, and what is unpacked
# beside the build is at $UNPACKED, which they can reach wherever this tree lies; root only.
mail_users() {
	if [ ! -e "$T/mail.passwd" ]; then
		mkdir "$UNPACKED"
		{
			grep -Ev '^(Debian-exim|postfix):' /etc/passwd
			echo "Debian-exim:x:2011:2011::/nonexistent:/usr/sbin/nologin"
			echo "postfix:x:2012:2012::/nonexistent:/usr/sbin/nologin"
		} >"$T/mail.passwd"
		{
			grep -Ev '^(Debian-exim|postfix|postdrop):' /etc/group
			printf '%s:\n' Debian-exim:x:2011 postfix:x:2012 postdrop:x:2013
		} >"$T/mail.group"
	fi
	# shellcheck disable=SC2016  # expanded by the inner shell
	exec unshare -m --propagation private env LD_LIBRARY_PATH="$UNPACKED_LIBS" sh -c '
		mount --bind "$0/mail.passwd" /etc/passwd && mount --bind "$0/mail.group" /etc/group &&
		mount --bind "$1" "$0/parts" && shift && exec "$@"' "$T" "$PARTS" "$@"
}
with_mail_users() {
	(mail_users "$@")
}

# with_exim PORT RECIPIENT ... -- Exim sends standard input at once, as its queue runner would.  It
# adds no field of its own, so that what arrives can be compared.  Its log is $T/exim/mainlog.
with_exim() {
	mkdir -p "$T/exim/spool"
	chown -R 2011:2011 "$T/exim"
	cat >"$T/exim.conf" <<-END
		exim_path = $UNPACKED/exim/usr/sbin/exim4
		spool_directory = $T/exim/spool
		log_file_path = $T/exim/%slog
		primary_hostname = client.test
		keep_environment = LD_LIBRARY_PATH
		deliver_drop_privilege
		local_from_check = false
		received_header_text =
		allow_utf8_domains
		tls_advertise_hosts =
		begin routers
		all:
		  driver = manualroute
		  route_list = * 127.0.0.1::$1
		  self = send
		  transport = out
		begin transports
		out:
		  driver = smtp
		  message_linelength_limit = 100000
	END
	with_mail_users timeout 20 "$UNPACKED/exim/usr/sbin/exim4" -C "$T/exim.conf" -oi -odf \
		-f "${SENDER:-a@client.test}" "${@:2}"
}

# ---- the wire -----------------------------------------------------------------------------------

mkdir "$T/wire"

# wire NAME ADDRESS -- a server for one session at that address of socat's, with the settings of
# $T/wire/NAME.conf.  What the client says comes to $T/wire/NAME.raw, what it hears to NAME.out.
wire() {
	local at=$T/wire/$1
	rm -f "$at.raw" "$at.out"
	timeout 30 socat -d -d -r "$at.raw" -R "$at.out" "$2" \
		"EXEC:$BIN/smtp-stdio -C $at.conf" 2>"$at.log" </dev/null &
	WIRE=$!
	wait_for grep -q 'listening on' "$at.log"
}

# wire_port NAME -- the same on a port of its own, $PORT.
wire_port() {
	PORT=$(free_port)
	wire "$1" "TCP-LISTEN:$PORT,bind=127.0.0.1,reuseaddr"
}

# wire_end -- until the session is over.
wire_end() {
	wait "$WIRE"
}
