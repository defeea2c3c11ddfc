/*
 * sources.h -- where connections come from, and how many each place may have.  Pure: no clock, no
 * memory of its own.
 *
 * A source is an IPv4 address, or the first SOURCE_OCTETS of an IPv6 address.
 */
#ifndef SOURCES_H
#define SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "limits.h"

/* One connection's other end. */
struct client {
	char text[CLIENT_TEXT]; /* IPv4 or IPv6, or "local" */
	bool counted;           /* false for a Unix socket: its directory says who may come */
	uint64_t source;
};

/* Who accept(2) says it is. */
void client_from(struct client *client, const struct sockaddr_storage *name);

struct source {
	uint64_t source;
	unsigned sessions;
	unsigned taken; /* connections in the second of the last one; 0: nobody's place */
	int64_t second;
};

struct sources {
	struct source *table; /* all zero at first */
	size_t size; /* more than there are ever sessions, or it forgets sources too soon */
	unsigned most_sessions, most_per_second;
};

enum sources_verdict {
	SOURCES_YES,
	SOURCES_MANY, /* it has most_sessions */
	SOURCES_OFTEN /* it had most_per_second connections in this second */
};

/* One more session of this client's; only a yes is counted.  `now` in milliseconds, and never less
   than before. */
enum sources_verdict sources_enter(
    struct sources *sources, const struct client *client, int64_t now);

/* One session less.  It must have been let in. */
void sources_leave(struct sources *sources, const struct client *client);

#endif
