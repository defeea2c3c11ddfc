/*
 * received.h -- the Received line (RFC 5321 4.4).  The trusted side writes it, so that it tells the
 * truth about the client's address and the time even when the session has been taken over.
 */
#ifndef RECEIVED_H
#define RECEIVED_H

#include <stddef.h>
#include <time.h>

struct trace {
	const char *protocol; /* "SMTP", "ESMTP" */
	const char *helo;
	const char *address;  /* of the client, or "local" */
	const char *hostname; /* ours */
	const char *id;
	const char *recipient; /* NULL: several, and none is given away (RFC 5321 7.6) */
	time_t when;
};

enum {
	RECEIVED_MAX = 2048
};

/* Write the line, ended by LF; its length, at most RECEIVED_MAX. */
size_t received_line(char out[RECEIVED_MAX], const struct trace *trace);

#endif
