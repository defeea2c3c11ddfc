# xinetd.sh -- xinetd as the launcher.  Sourced after peer.sh.
# shellcheck shell=bash

# xinetd_settings PROGRAM ARG ... -- in $DIR/xinetd.conf: start that for each connection.
xinetd_settings() {
	cat >"$DIR/xinetd.conf" <<-END
		service smtp
		{
			type = UNLISTED
			socket_type = stream
			protocol = tcp
			bind = 127.0.0.1
			port = $PORT
			wait = no
			user = root
			server = $1
			server_args = ${*:2}
			# no limit of sessions, of a source, or of connections in a second; no line in the log
			instances = UNLIMITED
			per_source = UNLIMITED
			cps = 100000 1
			log_on_success =
			log_on_failure =
		}
	END
}

# under_xinetd CMD ... -- become CMD with xinetd and its arguments behind it.
under_xinetd() {
	"$@" "$UNPACKED/usr/sbin/xinetd" -dontfork -f "$DIR/xinetd.conf" -pidfile "$DIR/xinetd.pid"
}
