/* monitor.h -- the trusted half: it serves the session's requests, and distrusts every one. */
#ifndef MONITOR_H
#define MONITOR_H

#include <signal.h>
#include <sys/types.h>

#include "config.h"
#include "peer.h"

enum {
	MONITOR_PAIR = 3 /* the monitor's end of the pair */
};

/*
 * Serve until the session ends; end it at a deadline or at the first packet that is not as request.h
 * and the table of states say.  `session_id` begins the
 * id of each message, `mask` is stop_hold's.  Returns when the session is gone and reaped.
 */
void monitor_run(const struct config *config, const struct peer *peer, const char *session_id,
    pid_t session, uid_t session_uid, const sigset_t *mask);

#endif
