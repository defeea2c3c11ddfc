# ours.sh -- smtp-stdio, whatever starts it.  Sourced after peer.sh by the scripts of its launchers.
# shellcheck shell=bash

ready() {
	[ -x "$TOP/.build/bin/smtp-stdio" ] || { echo "smtp-stdio is not built"; return 1; }
}

# configure [PROGRAM ...] -- the programs, and the settings in $DIR/conf: every other one is the default.
configure() {
	local name
	programs bin/smtp-stdio bin/deliver
	for name; do programs "bin/$name"; done
	cat >"$DIR/conf" <<-END
		Hostname mx.test
		Domain mx.test
		Users any
		Mailbox $DIR/box/
		DeliverPath $DIR/bin/deliver
	END
}
