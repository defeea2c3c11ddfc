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

size_t
chunk_step(struct chunk *chunk, const unsigned char *in, size_t len, const unsigned char **piece,
    size_t *count)
{
	static const unsigned char cr = '\r';
	size_t most = len < chunk->left ? len : (size_t)chunk->left;

	*piece = in;
	*count = 0;
	if (chunk->cr && (most > 0 ? in[0] != '\n' : chunk->last && chunk->left == 0)) {
		*piece = &cr; /* no LF has come: it is an octet of the message */
		*count = 1;
		chunk->line_start = false;
		chunk->cr = false;
		return 0;
	}
	if (most == 0)
		return 0;
	chunk->cr = false;
	if (chunk->in_header)
		*count = run_header(chunk, in, most);
	else
		*count = chunk->binary ? most : run(in, most);
	size_t taken = *count;
	if (taken < most && in[taken] == '\r' && !(chunk->binary && !chunk->in_header)) {
		chunk->cr = true;
		taken++;
	}
	chunk->left -= taken;
	return taken;
}
