/*
 * header.h -- how often a message has been received: its Received fields, counted while it passes
 * (RFC 5321 6.3).  Pure.
 */
#ifndef HEADER_H
#define HEADER_H

#include <stdbool.h>
#include <stddef.h>

struct header {
	bool over; /* there was an empty line */
	unsigned
	    matched; /* octets of "received" that this line has begun with; beyond: none of it */
	unsigned received; /* fields so far */
};

void header_begin(struct header *header);

/* Take the next octets of the message, whose lines end in LF. */
void header_step(struct header *header, const unsigned char *octets, size_t len);

#endif
