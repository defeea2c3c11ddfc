/* fuzz.h -- what the fuzz targets share. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* End loudly, as a fuzzer wants it. */
static inline _Noreturn void
refuse_to_go_on(const char *what)
{
	(void)fprintf(stderr, "%s\n", what);
	abort();
}

/* Where that does not hold.  A macro, so that who reads it without running it sees what holds behind it. */
#define demand(holds, what) ((holds) ? (void)0 : refuse_to_go_on(what))

/* What is left of an input: octets that choose, lines that are texts, and the rest. */
struct input {
	const unsigned char *at;
	size_t len;
};

/* The next octet, or 0. */
static inline unsigned
input_octet(struct input *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return *in->at++;
}

/* The next line, its line feed away, as a string: it ends at a NUL, and where there is no more room. */
static inline char *
input_line(struct input *in, char *out, size_t size)
{
	const unsigned char *lf = in->len > 0 ? memchr(in->at, '\n', in->len) : NULL;
	size_t len = lf != NULL ? (size_t)(lf - in->at) : in->len;
	size_t kept = len < size ? len : size - 1;

	if (kept > 0)
		memcpy(out, in->at, kept);
	out[kept] = 0;
	in->at += len + (lf != NULL);
	in->len -= len + (lf != NULL);
	return out;
}

/* How many of the `left` octets come next: all with a seed of 0, one with 1, else what the seed, which
   moves on, makes of it; small and large pieces are equally frequent. */
static inline size_t
input_piece(unsigned *seed, size_t left)
{
	if (*seed < 2)
		return *seed == 0 ? left : left > 0;
	*seed = *seed * 1664525 + 1013904223; /* the generator of Numerical Recipes */
	size_t most = (size_t)1 << (*seed >> 28);
	size_t piece = 1 + (*seed >> 8) % most;
	*seed |= 2;
	return piece < left ? piece : left;
}

/* What is left, read as by read(2), in such pieces. */
static inline size_t
input_read(struct input *in, unsigned *seed, void *octets, size_t size)
{
	size_t n = input_piece(seed, in->len);

	n = n < size ? n : size;
	if (n > 0)
		memcpy(octets, in->at, n);
	in->at += n;
	in->len -= n;
	return n;
}

#endif
