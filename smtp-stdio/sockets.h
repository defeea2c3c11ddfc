/*
 * sockets.h -- the sockets that smtp-listen listens on: those that systemd hands over, and those that
 * it opens itself.  What is wrong with one ends the program.
 */
#ifndef SOCKETS_H
#define SOCKETS_H

#include <stddef.h>
#include <stdint.h>

#include "limits.h"

struct listening {
	int fd;          /* accept(2) does not wait on it */
	int64_t asleep;  /* until then nothing is accepted: milliseconds, as clock_now */
	const char *own; /* the path of one that was made here, or NULL */
	char address[256];
};

struct sockets {
	struct listening at[SOCKETS_MAX];
	size_t count;
};

/* Take what systemd hands over (sd_listen_fds(3)), which may be nothing; close all else above
   descriptor 2. */
void sockets_take(struct sockets *sockets);

/* Listen on ADDRESS:PORT, with an IPv6 address in brackets, or on the path of a Unix socket. */
void sockets_open(struct sockets *sockets, const char *where);

/* Close all, and remove the paths that were made here. */
void sockets_close(struct sockets *sockets);

#endif
