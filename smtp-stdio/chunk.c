/* chunk.c -- see chunk.h. */
#include "chunk.h"

#include <string.h>

void
chunk_begin(struct chunk *chunk, bool binary)
{
	*chunk = (struct chunk){.binary = binary, .in_header = binary, .line_start = true};
}

void
chunk_next(struct chunk *chunk, uint64_t octets, bool last)
{
	chunk->left = octets;
	chunk->octets += octets;
	chunk->last = last;
}

bool
chunk_done(const struct chunk *chunk)
{
	return chunk->left == 0 && !(chunk->last && chunk->cr);
}

/* Octets from the start that stand together in the message: up to a CR that an LF follows, or that is
   the last octet there is. */
static size_t
run(const unsigned char *in, size_t len)
{
	size_t at = 0;

	for (const unsigned char *cr; (cr = memchr(in + at, '\r', len - at)) != NULL;) {
		at = (size_t)(cr - in);
		if (at + 1 == len || cr[1] == '\n')
			return at;
		at++;
	}
	return len;
}

/* The same in the header of a binary message, up to its end. */
static size_t
run_header(struct chunk *chunk, const unsigned char *in, size_t len)
{
	size_t at = 0;

	while (at < len && chunk->in_header &&
	       !(in[at] == '\r' && (at + 1 == len || in[at + 1] == '\n'))) {
		chunk->in_header = !(in[at] == '\n' && chunk->line_start);
		chunk->line_start = in[at] == '\n';
		at++;
	}
	return at;
}

/* The same, whatever is read. */
static size_t
together(struct chunk *chunk, const unsigned char *in, size_t len)
{
	if (chunk->in_header)
		return run_header(chunk, in, len);
	return chunk->binary ? len : run(in, len);
}

/* The CR that was held back is an octet of the message: no LF has come. */
static size_t
give_cr(struct chunk *chunk, unsigned char *out)
{
	*out = '\r';
	chunk->line_start = false;
	chunk->cr = false;
	return 1;
}

size_t
chunk_step(
    struct chunk *chunk, const unsigned char *in, size_t len, unsigned char *out, size_t *count)
{
	size_t most = len < chunk->left ? len : (size_t)chunk->left;
	size_t at = 0, n = 0;

	while (at < most) {
		if (chunk->cr && in[at] != '\n')
			n += give_cr(chunk, out + n);
		chunk->cr = false;
		size_t inside = together(chunk, in + at, most - at);
		memmove(out + n, in + at, inside);
		n += inside;
		at += inside;
		if (at < most && in[at] == '\r' && (!chunk->binary || chunk->in_header)) {
			chunk->cr = true;
			at++;
		}
	}
	chunk->left -= at;
	if (chunk->cr && chunk->last && chunk->left == 0)
		n += give_cr(chunk, out + n);
	*count = n;
	return at;
}
