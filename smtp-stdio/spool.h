/*
 * spool.h -- the message that is being received: an unnamed file in memory (memfd_create(2)), which
 * goes with the process whatever happens to it.  Trusted side.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include <stdbool.h>
#include <stddef.h>

struct spool {
	int fd; /* -1: there is none */
};

/* Begin a message; false with errno. */
bool spool_begin(struct spool *spool);

/* Add all of it; false with errno. */
bool spool_add(struct spool *spool, const void *octets, size_t len);

/* Nobody, whoever holds a descriptor, can change it from here on; false with errno. */
bool spool_seal(struct spool *spool);

/* Forget it, if there is one. */
void spool_drop(struct spool *spool);

#endif
