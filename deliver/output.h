/* output.h -- buffered octets to a descriptor. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stddef.h>

#include "limits.h"

struct output {
	int fd;
	size_t len; /* waiting in buf */
	unsigned char buf[BLOCK];
};

/* All of it, or -1 with errno; what was written by then is unknown.  A block that is large goes
   straight to the descriptor. */
int output_write(struct output *out, const void *octets, size_t len);

/* Write what waits.  0, or -1 with errno. */
int output_flush(struct output *out);

#endif
