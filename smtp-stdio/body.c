/* body.c -- see body.h. */
#include "body.h"

#include <string.h>

void
body_begin(struct body *body, bool normalize)
{
	*body = (struct body){.at = BODY_LINE, .normalize = normalize, .after_crlf = true};
}

/* An LF: where it leads. */
static enum body_at
line_end(struct body *body, bool after_cr)
{
	bool end = body->at == BODY_DOT_CR && body->after_crlf;

	body->bare |= !after_cr && !body->normalize;
	body->after_crlf = after_cr;
	return end ? BODY_DONE : after_cr || body->normalize ? BODY_LINE : BODY_TEXT;
}

/* What one octet does, and whether it is part of the message. */
static bool
step(struct body *body, unsigned char octet)
{
	bool after_cr = body->at == BODY_CR || body->at == BODY_DOT_CR;

	if (octet == '\r') {
		body->bare |= after_cr;
		body->at = body->at == BODY_DOT ? BODY_DOT_CR : BODY_CR;
		return false;
	}
	if (octet == '\n') {
		body->at = line_end(body, after_cr);
		return body->at != BODY_DONE;
	}
	body->bare |= after_cr;
	if (octet == '.' && body->at == BODY_LINE) {
		body->at = BODY_DOT;
		return false;
	}
	body->at = BODY_TEXT;
	return true;
}

/* A dot stands alone on a line, and that is not the end of the text: so it is the line. */
static bool
is_lone_dot(const struct body *body, unsigned char octet)
{
	return body->normalize && octet == '\n' &&
	       (body->at == BODY_DOT || (body->at == BODY_DOT_CR && !body->after_crlf));
}

/* Eight octets: one load, to a compiler. */
static uint64_t
word_at(const unsigned char *in)
{
	return (uint64_t)in[0] | (uint64_t)in[1] << 8 | (uint64_t)in[2] << 16 |
	       (uint64_t)in[3] << 24 | (uint64_t)in[4] << 32 | (uint64_t)in[5] << 40 |
	       (uint64_t)in[6] << 48 | (uint64_t)in[7] << 56;
}

/* An octet of the word is below `bound`, which is at most 128: the first that is borrows its top bit. */
static bool
has_below(uint64_t word, unsigned char bound)
{
	const uint64_t ones = UINT64_MAX / UINT8_MAX;

	return ((word - ones * bound) & ~word & ones << 7) != 0;
}

static bool
has(uint64_t word, unsigned char octet)
{
	return has_below(word ^ UINT64_MAX / UINT8_MAX * octet, 1);
}

/* The quick way through the inside of a line: move octets up to a CR or LF; returns how many. */
static size_t
move_inside(unsigned char *out, const unsigned char *in, size_t len)
{
	size_t at = 0;

	for (; len - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
		uint64_t word = word_at(in + at);
		if (has_below(word, '\r' + 1) && (has(word, '\r') || has(word, '\n')))
			break; /* most words without them have no control octet at all */
		memmove(out + at, in + at, sizeof word);
	}
	for (; at < len && in[at] != '\r' && in[at] != '\n'; at++)
		out[at] = in[at];
	return at;
}

size_t
body_step(struct body *body, const unsigned char *in, size_t len, unsigned char *out, size_t *count)
{
	size_t at = 0, n = 0;

	while (at < len && body->at != BODY_DONE) {
		if (is_lone_dot(body, in[at])) { /* it had been held back */
			body->at = body->at == BODY_DOT ? BODY_TEXT : BODY_CR;
			out[n++] = '.';
		}
		bool after_cr = body->at == BODY_CR;
		unsigned char octet = in[at++];
		if (!step(body, octet))
			continue;
		out[n++] = octet;
		if (body->at == BODY_LINE) {
			body->octets += after_cr; /* the CR that was left out */
			continue;
		}
		size_t inside = move_inside(out + n, in + at, len - at);
		n += inside;
		at += inside;
	}
	body->octets += n;
	*count = n;
	return at;
}
