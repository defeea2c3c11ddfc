/*
 * chunk.h -- the octets after BDAT (RFC 3030): counted, never searched for an end.  Pure.
 *
 * Nothing is unstuffed and nothing is a fault.  Each CRLF becomes LF, as in a message by DATA; a CR
 * or LF alone, a NUL and all else is kept.  Of a binary message (BODY=BINARYMIME) only the header is
 * treated so: what follows its first empty line is kept to the octet.
 */
#ifndef CHUNK_H
#define CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chunk {
	bool binary;     /* the message's body is binary */
	bool in_header;  /* of a binary message */
	bool line_start; /* of the header */
	bool cr;         /* a CR is held back: it goes if an LF follows */
	bool last;       /* of the message */
	uint64_t left;   /* octets of this chunk that are still to come */
	uint64_t octets; /* of all chunks so far, this one included */
};

/* A message begins: no chunk yet. */
void chunk_begin(struct chunk *chunk, bool binary);

/* A chunk of that many octets begins; all of the one before have been taken. */
void chunk_next(struct chunk *chunk, uint64_t octets, bool last);

/*
 * Take octets up to the end of the chunk or of `len`; returns how many.  Those of the message are written
 * to `out`, *count of them: as many as were taken at most, and a CR that had been held back before.
 * `out` may lie before `in` in one buffer, with a place between them for the CR.
 */
size_t chunk_step(
    struct chunk *chunk, const unsigned char *in, size_t len, unsigned char *out, size_t *count);

/* All octets of the chunk are taken, and a last one's have been given out. */
bool chunk_done(const struct chunk *chunk);

#endif
