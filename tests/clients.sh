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

# postfix_up SOCKET -- start a Postfix that hands everything over by LMTP to that socket, but what is
# for client.test, which it drops.  Its log is $T/postfix/log.
postfix_up() {
	local dir=$T/postfix name
	mkdir -p "$dir/conf" "$dir/queue/pid"
	install -d -o 2012 "$dir/data"
	for name in active bounce corrupt defer deferred flush hold incoming private saved trace; do
		install -d -m 700 -o 2012 "$dir/queue/$name"
	done
	install -d -m 710 -o 2012 -g 2013 "$dir/queue/public"
	install -d -m 730 -o 2012 -g 2013 "$dir/queue/maildrop"
	cat >"$dir/conf/main.cf" <<-END
		compatibility_level = 3.6
		queue_directory = $dir/queue
		data_directory = $dir/data
		daemon_directory = $UNPACKED/usr/lib/postfix/sbin
		command_directory = $UNPACKED/usr/sbin
		shlib_directory = $UNPACKED/usr/lib/postfix
		import_environment = MAIL_CONFIG LD_LIBRARY_PATH
		export_environment = MAIL_CONFIG LD_LIBRARY_PATH
		maillog_file = $dir/log
		maillog_file_prefixes = $dir
		myhostname = client.test
		mydestination = mx.test
		alias_maps =
		transport_maps = inline:{ client.test=discard: }
		local_transport = lmtp:unix:$1
		lmtp_line_length_limit = 0
		smtp_dns_support_level = disabled
	END
	cat >"$dir/conf/master.cf" <<-END
		postlog unix-dgram n - n - 1 postlogd
		pickup unix n - n 60 1 pickup
		cleanup unix n - n - 0 cleanup
		qmgr unix n - n 300 1 qmgr
		rewrite unix - - n - - trivial-rewrite
		bounce unix - - n - 0 bounce
		defer unix - - n - 0 bounce
		showq unix n - n - - showq
		error unix - - n - - error
		retry unix - - n - - error
		discard unix - - n - - discard
		lmtp unix - - n - - lmtp
	END
	# It waits before it reads a file that may still be written, and closes every descriptor that
	# there may be.  It ends by itself after a minute.
	touch -d '1 minute ago' "$dir/conf/main.cf"
	(ulimit -n 256 && mail_users "$UNPACKED/usr/lib/postfix/sbin/master" -c "$dir/conf" -e 60) \
		>"$T/postfix.err" 2>&1 </dev/null &
	POSTFIX=$!
	PIDS+=("$POSTFIX")
	wait_for grep -q 'daemon started' "$dir/log" || { cat "$T/postfix.err"; return 1; }
}

# postfix_down -- end it, and everything that it started, which is one process group.
postfix_down() {
	local i
	kill "$POSTFIX"
	wait "$POSTFIX"
	for i in "${!PIDS[@]}"; do
		[ "${PIDS[i]}" != "$POSTFIX" ] || unset "PIDS[i]"
	done
	wait_for postfix_gone
}
postfix_gone() {
	! pgrep -g "$POSTFIX"
}

# postfix_sendmail RECIPIENT ... -- give Postfix the message on standard input.
postfix_sendmail() {
	MAIL_CONFIG=$T/postfix/conf with_mail_users timeout 20 "$UNPACKED/usr/sbin/sendmail" -i \
		-B 8BITMIME -f "${SENDER:-a@client.test}" "$@"
}

# postfix_queue -- what it still has: each recipient, sorted.
postfix_queue() {
	MAIL_CONFIG=$T/postfix/conf with_mail_users timeout 20 "$UNPACKED/usr/sbin/postqueue" -j |
		grep -o '"address": "[^"]*"' | cut -d '"' -f 4 | sort
}

# postfix_retry -- let it try again at once what it has put off.
postfix_retry() {
	MAIL_CONFIG=$T/postfix/conf with_mail_users timeout 20 "$UNPACKED/usr/sbin/postqueue" -f
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
