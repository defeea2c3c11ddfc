/* body.c -- see body.h. */
#include "body.h"

void
body_begin(struct body *body)
{
	*body = (struct body){.at = BODY_LINE};
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
		body->bare |= !after_cr;
		body->at = body->at == BODY_DOT_CR ? BODY_DONE : after_cr ? BODY_LINE : BODY_TEXT;
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

size_t
body_step(struct body *body, const unsigned char *in, size_t len, size_t *from, size_t *count)
{
	size_t at = 0;

	*from = *count = 0;
	while (at < len && body->at != BODY_DONE) {
		bool part = step(body, in[at++]);
		if (!part && *count > 0)
			break; /* a gap: what follows is the next piece */
		if (!part)
			continue;
		if ((*count)++ == 0)
			*from = at - 1;
		if (body->at == BODY_LINE)
			body->octets++; /* the CR that was left out */
		else                    /* the quick way through the inside of a line */
			for (; at < len && in[at] != '\r' && in[at] != '\n'; at++)
				++*count;
	}
	body->octets += *count;
	return at;
}
