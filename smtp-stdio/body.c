/* body.c -- see body.h. */
#include "body.h"

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

size_t
body_step(struct body *body, const unsigned char *in, size_t len, const unsigned char **piece,
    size_t *count)
{
	static const unsigned char dot = '.';
	size_t at = 0;

	*piece = in;
	*count = 0;
	while (at < len && body->at != BODY_DONE) {
		if (is_lone_dot(body, in[at])) { /* nothing is before it: its dot was a gap */
			body->at = body->at == BODY_DOT ? BODY_TEXT : BODY_CR;
			*piece = &dot;
			*count = 1;
			break;
		}
		bool after_cr = body->at == BODY_CR;
		bool part = step(body, in[at++]);
		if (!part && *count > 0)
			break; /* a gap: what follows is the next piece */
		if (!part)
			continue;
		if ((*count)++ == 0)
			*piece = in + at - 1;
		if (body->at == BODY_LINE)
			body->octets += after_cr; /* the CR that was left out */
		else                              /* the quick way through the inside of a line */
			for (; at < len && in[at] != '\r' && in[at] != '\n'; at++)
				++*count;
	}
	body->octets += *count;
	return at;
}
