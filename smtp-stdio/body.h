/*
 * body.h -- the text after DATA: where it ends, and what of it is the message.  Pure.
 *
 * CRLF "." CRLF ends it and nothing else does, whatever came before.  The dot that a client put
 * before a line's own is taken away (RFC 5321 4.5.2), and each CRLF becomes the LF that ends a line
 * in a file.  Because a bare CR or LF is a fault, that last step can be undone without loss, unless:
 *
 * normalized, a bare LF ends a line as CRLF does, but is never part of the end of the text: neither
 * before the dot nor behind it.  A dot alone between such lines is a line of the message.
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
	bool normalize;  /* a bare LF is no fault */
	bool after_crlf; /* this line began after CRLF, or begins the text */
	bool bare;       /* the fault: a CR without LF, or an LF without CR */
	uint64_t octets; /* on the wire, without added dots and the end; RFC 1870 counts these */
};

void body_begin(struct body *body, bool normalize);

/*
 * Take octets up to the end of the text or of `len`; returns how many.  Those of the message are written
 * to `out`, *count of them: as many as were taken at most, and a dot that had been held back before.
 * `out` may lie before `in` in one buffer, with a place between them for the dot.  After a fault they
 * mean nothing.
 */
size_t body_step(
    struct body *body, const unsigned char *in, size_t len, unsigned char *out, size_t *count);

#endif
