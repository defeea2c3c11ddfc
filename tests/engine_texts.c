/* engine_texts.c -- the parts that take texts apart, each alone, on all the short ones. */
#include "engine.h"

#include <stdio.h>
#include <string.h>

#include "../smtp-stdio/utf8.h"
#include "oracle_text.h"

enum {
	SHORT = 8,      /* octets of a text after DATA */
	LINE = 17,      /* of a line: two words that are looked at as such, and one more */
	TAIL = 6,       /* a true end, and one octet that is not of the message */
	CHUNKS_MOST = 6 /* octets of a text in chunks */
};

static const char letters[] = "\r\n.a";

/* The n-th text of `len` of the letters. */
static void
spell(unsigned char *text, size_t len, unsigned n)
{
	for (size_t i = 0; i < len; i++)
		text[i] = (unsigned char)letters[n >> 2 * i & 3];
}

static void
show(const unsigned char *in, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02x ", in[i]);
}

/* ---- after DATA ---------------------------------------------------------------------------- */

/* body_step on `in`, cut at two places, against the statement: in place, one octet to the left. */
static const char *
body_cut(const unsigned char *in, size_t len, bool normalize, const size_t stops[3],
    const struct message *m, const unsigned char *content)
{
	unsigned char got[1 + LINE + TAIL], *text = got + 1;
	struct body body;
	size_t at = 0, count = 0, n;

	memcpy(text, in, len);
	body_begin(&body, normalize);
	for (size_t i = 0; i < 3; i++)
		while (at < stops[i] && body.at != BODY_DONE) {
			size_t taken = body_step(&body, text + at, stops[i] - at, got + count, &n);
			if (taken == 0 || taken > stops[i] - at)
				return "body: takes nothing, or more than there is";
			at += taken;
			count += body.bare ? 0 : n;
			bool held = body.at == BODY_DOT || body.at == BODY_DOT_CR;
			if (count + held > at || memcmp(text + at, in + at, len - at) != 0)
				return "body: writes over what is not taken";
		}
	if (body.at != BODY_DONE || at != m->end)
		return "body: another end";
	if (body.bare != m->bare)
		return m->bare ? "body: a fault overlooked" : "body: refused for nothing";
	if (!m->bare && (count != m->count || memcmp(got, content, count) != 0))
		return "body: another content";
	return m->bare || body.octets == m->wire ? NULL : "body: counts other octets";
}

/* A text, with an end behind it, cut in every two of the first `places`. */
static bool
body_text(const unsigned char *text, size_t len, bool normalize, size_t places)
{
	unsigned char in[LINE + TAIL], content[LINE + TAIL];
	struct message m;

	memcpy(in, text, len);
	memcpy(in + len, "\r\n.\r\nX", TAIL);
	len += TAIL;
	if (!oracle_message(in, len, normalize, content, &m))
		return false;
	for (size_t one = 0; one < places; one++)
		for (size_t two = one; two < places; two++) {
			runs++;
			const char *wrong = body_cut(
			    in, len, normalize, (const size_t[3]){one, two, len}, &m, content);
			if (wrong == NULL)
				continue;
			show(in, len);
			complain(normalize ? "normalized" : "text", "cut", one * 100 + two, wrong);
			return false;
		}
	return true;
}

/* Each octet at each place of a line that else has one octet, of those that are near to CR and LF, by a
   bit or by one, and at the bounds. */
static unsigned long
body_lines(unsigned long *lines)
{
	static const unsigned char others[] = {
	    0, '\t', '\n', 0x0b, 0x0c, '\r', 0x0e, '.', 0x7f, 0x80, '\n' | 0x80, '\r' | 0x80, 0xff};
	unsigned char text[LINE];
	unsigned long failed = 0;

	for (unsigned n = 0; n < sizeof others * LINE * 256 * 2; n++) {
		memset(text, others[n / 2 / 256 / LINE], LINE);
		text[n / 2 / 256 % LINE] = (unsigned char)(n / 2);
		++*lines;
		failed += !body_text(text, LINE, n & 1, 2);
	}
	return failed;
}

int
body(void)
{
	unsigned char text[SHORT];
	unsigned long failed = 0, texts = 0, lines = 0;

	for (size_t len = 0; len <= SHORT; len++)
		for (unsigned n = 0; n < 2U << 2 * len; n++) {
			spell(text, len, n >> 1);
			texts++;
			if (!body_text(text, len, n & 1, len + TAIL) && ++failed == 10)
				return 1;
		}
	failed += body_lines(&lines);
	printf("%lu texts, %lu lines, %lu runs, %lu wrong\n", texts, lines, runs, failed);
	return failed > 0;
}

/* ---- after BDAT ---------------------------------------------------------------------------- */

/*
 * A text cut into chunks.  Behind each chunk stands an LF that is not of it, so that whoever looks at
 * what comes next sees an LF after a CR.
 */
struct cut_up {
	unsigned char stream[3 * CHUNKS_MOST + 2];
	size_t sizes[2 * CHUNKS_MOST + 1];
	size_t len, count;
};

static void
end_chunk(struct cut_up *c)
{
	c->stream[c->len++] = '\n';
	c->count++;
}

/* Bit n of `ends`: octet n is its chunk's last.  With `empty`, where the text is a
   little shorter, one of no octets comes after each. */
static void
cut_up(struct cut_up *c, const unsigned char *text, size_t len, unsigned ends, bool empty)
{
	*c = (struct cut_up){0};
	for (size_t i = 0; i < len; i++) {
		c->stream[c->len++] = text[i];
		c->sizes[c->count]++;
		if ((ends >> i & 1) == 0 && i + 1 < len)
			continue;
		end_chunk(c);
		if (empty)
			end_chunk(c);
	}
	if (len == 0)
		end_chunk(c);
}

/* How far octets are there that were fed together, and more than have been taken. */
static size_t
stop_after(const size_t stops[3], size_t at)
{
	size_t i = 0;

	while (i < 2 && stops[i] <= at)
		i++;
	return stops[i];
}

static const char *
chunks_cut(const struct cut_up *c, bool binary, const size_t stops[3], const unsigned char *content,
    size_t len)
{
	unsigned char got[1 + sizeof c->stream], *stream = got + 1;
	struct chunk chunk;
	size_t at = 0, count = 0, n;

	memcpy(stream, c->stream, sizeof c->stream);
	chunk_begin(&chunk, binary);
	for (size_t i = 0; i < c->count; i++) {
		size_t end = at + c->sizes[i];
		unsigned idle = 0;
		chunk_next(&chunk, c->sizes[i], i + 1 == c->count);
		do { /* even of a chunk without octets, as the engine does */
			size_t left = at < end ? stop_after(stops, at) - at : 0;
			size_t taken = chunk_step(&chunk, stream + at, left, got + count, &n);
			idle = taken > 0 ? 0 : idle + 1;
			if (idle > 1 || taken > end - at)
				return "chunks: takes nothing, or more than the chunk";
			at += taken;
			count += n;
			if (count + chunk.cr > at ||
			    memcmp(stream + at, c->stream + at, c->len - at) != 0)
				return "chunks: writes over what is not taken";
		} while (!chunk_done(&chunk));
		if (at != end)
			return "chunks: another end";
		at++;
	}
	return count == len && memcmp(got, content, len) == 0 ? NULL : "chunks: another content";
}

/* One text in its chunks, fed in every two cuts. */
static bool
chunks_text(const unsigned char *text, size_t len, unsigned ends, bool empty, bool binary)
{
	unsigned char content[CHUNKS_MOST + 1];
	struct cut_up c;

	cut_up(&c, text, len, ends, empty);
	size_t count = oracle_chunks(text, len, binary, content);
	for (size_t one = 0; one < c.len; one++)
		for (size_t two = one; two < c.len; two++) {
			runs++;
			const char *wrong = chunks_cut(
			    &c, binary, (const size_t[3]){one, two, c.len}, content, count);
			if (wrong == NULL)
				continue;
			show(text, len);
			printf("ends %x %s", ends, empty ? "and empty ones " : "");
			complain(binary ? "binary" : "text", "cut", one * 100 + two, wrong);
			return false;
		}
	return true;
}

int
chunks(void)
{
	unsigned char text[CHUNKS_MOST];
	unsigned long failed = 0, texts = 0;

	for (size_t len = 0; len <= CHUNKS_MOST; len++)
		for (unsigned n = 0; n < 1U << 2 * len; n++) {
			spell(text, len, n);
			texts++;
			for (unsigned how = 0; how < 4U << (len > 0 ? len - 1 : 0); how++)
				if (((how & 1) == 0 || len < CHUNKS_MOST) &&
				    !chunks_text(text, len, how >> 2, how & 1, how & 2) &&
				    ++failed == 10)
					return 1;
		}
	printf("%lu texts, %lu runs, %lu wrong\n", texts, runs, failed);
	return failed > 0;
}

/* ---- characters ---------------------------------------------------------------------------- */

/* RFC 3629 3, as it is written there: the number's bits are laid into octets. */
static size_t
encode(unsigned long number, unsigned char out[4])
{
	size_t n = number < 0x80 ? 1 : number < 0x800 ? 2 : number < 0x10000 ? 3 : 4;
	static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};

	for (size_t i = n - 1; i > 0; i--) {
		out[i] = (unsigned char)(0x80 | (number & 0x3f));
		number >>= 6;
	}
	out[0] = (unsigned char)(first[n] | number);
	return n;
}

/* Every character is one, and not before its last octet has come. */
static bool
all_characters(void)
{
	unsigned char octets[4];

	for (unsigned long number = 0; number < 0x110000; number++) {
		bool good =
		    !(number >= 0x80 && number < 0xa0) && !(number >= 0xd800 && number < 0xe000);
		size_t n = encode(number, octets);
		bool same = oracle_utf8(octets, n) == (good ? n : 0);
		for (size_t len = 0; len <= n; len++)
			same = same && utf8_char(octets, len) == (good && len == n ? n : 0);
		if (same)
			continue;
		complain("utf8", "character", number, "is taken for another, or for none");
		return false;
	}
	return true;
}

/*
 * Nothing else is one: there are as many sequences as characters.  What begins with less than F0 is
 * decided in three octets, so the fourth need not be all that there are.
 */
static bool
no_others(void)
{
	static const unsigned long wanted[] = {
	    0, 128, 0x800 - 0xa0, 0x10000 - 0x800 - 0x800, 0x110000 - 0x10000};
	unsigned long found[5] = {0};

	for (unsigned long n = 0; n < 0x1000000; n++) {
		unsigned char in[4] = {
		    (unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n, 0x80};
		size_t one = utf8_char(in, 1), two = utf8_char(in, 2), three = utf8_char(in, 3);
		found[1] += one == 1 && n % 0x10000 == 0;
		found[2] += two == 2 && n % 0x100 == 0;
		found[3] += three == 3;
		if ((one > 0 && two != one) || (two > 0 && three != two) || three > 3)
			return false;
		for (unsigned last = 0; last < 0x100;
		     last += in[0] >= 0xf0 && in[0] <= 0xf4 ? 1 : 0x3f) {
			in[3] = (unsigned char)last;
			size_t four = utf8_char(in, 4);
			found[4] += four == 4;
			if (four != 4 && four != three)
				return false;
			if (in[0] < 0xf0 && four == 4)
				return false;
		}
		runs++;
	}
	return memcmp(found, wanted, sizeof found) == 0;
}

int
utf8(void)
{
	if (!all_characters())
		return 1;
	if (!no_others()) {
		complain("utf8", "all", 0, "a sequence is a character that should be none");
		return 1;
	}
	printf("%lu sequences\n", runs);
	return 0;
}
