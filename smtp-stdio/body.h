/*
 * body.h -- the text after DATA: where it ends, and what of it is the message.  Pure.
 *
 * CRLF "." CRLF ends it and nothing else does, whatever came before.  The dot that a client put
 * before a line's own is taken away (RFC 5321 4.5.2), and each CRLF becomes the LF that ends a line
 * in a file.  Because a bare CR or LF is a fault, that last step can be undone without loss.
 */
#ifndef BODY_H
#define BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum body_at {
	BODY_LINE,   /* at a line's start */
	BODY_TEXT,   /* in a line */
	BODY_CR,     /* after a CR in a line */
	BODY_DOT,    /* after a dot at a line's start */
	BODY_DOT_CR, /* and a CR */
	BODY_DONE,
};

struct body {
	enum body_at at;
	bool bare;       /* there was a CR without LF or an LF without CR */
	uint64_t octets; /* on the wire, without added dots and the end; RFC 1870 counts these */
};

void body_begin(struct body *body);

/*
 * Take octets up to the end of the text or of `len`; returns how many.  *from and *count say which
 * of them are the next octets of the message: some, or none.  After a fault they mean nothing.
 */
size_t body_step(
    struct body *body, const unsigned char *in, size_t len, size_t *from, size_t *count);

#endif
