/* day_text.c -- see day.h. */
#include "day.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	POOL = 65536,
	LINE_MOST = 5000,     /* octets of a line of a message, of which RFC 5321 allows 998 */
	ROOM = 2 * SIZE_LIMIT /* more than the dots that are doubled need */
};

static unsigned char pool[POOL + LINE_MOST];
static unsigned char *plain, *wire; /* the text, and what is sent of it */
static uint32_t sums[256];

/* Any octet but CR and LF, most of them printable. */
static void
begin(void)
{
	struct random r = {1};

	for (size_t i = 0; i < sizeof pool; i++) {
		unsigned octet = (unsigned)random_below(&r, 16) == 0
				     ? (unsigned)random_below(&r, 256)
				     : ' ' + (unsigned)random_below(&r, 95);
		pool[i] = (unsigned char)(octet == '\r' || octet == '\n' ? 0 : octet);
	}
	for (uint32_t i = 0; i < 256; i++) {
		sums[i] = i;
		for (int bit = 0; bit < 8; bit++)
			sums[i] = sums[i] >> 1 ^ (sums[i] & 1 ? 0xedb88320U : 0);
	}
	plain = malloc(ROOM);
	wire = malloc(ROOM);
	if (plain == NULL || wire == NULL)
		err(1, "memory for a message");
}

/* ---- the text ------------------------------------------------------------------------------ */

/* A line of `len` octets, CRLF included: one that ends messages or mboxes elsewhere, or any. */
static void
make_line(struct random *r, unsigned char *to, size_t len)
{
	static const char *const starts[] = {".", "..", "From ", ">From ", ">>From ", "\t.", ""};
	unsigned which = random_below(r, 64);

	memcpy(to, pool + random_below(r, POOL), len - 2);
	if (which < sizeof starts / sizeof *starts) {
		size_t n = strlen(starts[which]);
		memcpy(to, starts[which], n < len - 2 ? n : len - 2);
	}
	memcpy(to + len - 2, "\r\n", 2);
}

/* A field on top, if there is room; otherwise one line that begins as no field of a trace does. */
static size_t
make_plain(struct random *r, const struct message *m)
{
	size_t n = 0;

	if (m->size >= 64)
		n = (size_t)sprintf((char *)plain, "Subject: %u.%u\r\n\r\n", m->session, m->number);
	else if (m->size > 0)
		n = m->size, make_line(r, plain, n), memset(plain, 'x', n - 2);
	while (n < m->size) {
		size_t left = m->size - n,
		       len = 2 + random_below(r, random_below(r, 500) > 0 ? 80 : LINE_MOST - 2);
		if (len + 2 > left) /* a line of one octet cannot be */
			len = left < LINE_MOST ? left : LINE_MOST - 2;
		make_line(r, plain + n, len);
		n += len;
	}
	return n;
}

static void
sum_up(struct text *text, size_t len)
{
	uint32_t sum = ~0U;

	text->size = 0;
	for (size_t i = 0; i < len; i++)
		if (plain[i] != '\r') {
			sum = sum >> 8 ^ sums[(sum ^ plain[i]) & 255];
			text->size++;
		}
	text->sum = ~sum;
}

/* ---- as it is sent ------------------------------------------------------------------------- */

static void
put(struct text *text, const void *octets, size_t len)
{
	memcpy(text->wire + text->len, octets, len);
	text->len += len;
}

/* Whole lines, with their dots doubled (RFC 5321 4.5.2). */
static void
put_lines(struct text *text, const unsigned char *lines, size_t len)
{
	for (size_t at = 0; at < len;) {
		const unsigned char *lf = memchr(lines + at, '\n', len - at);
		size_t n = (size_t)(lf - (lines + at)) + 1;
		if (lines[at] == '.')
			put(text, ".", 1);
		put(text, lines + at, n);
		at += n;
	}
}

static void
put_chunks(struct text *text, struct random *r, size_t len)
{
	unsigned count = 1 + random_below(r, CHUNKS_MOST);
	char command[40];

	for (size_t at = 0, n; count > 0; at += n, count--) {
		n = count == 1 ? len - at : random_below(r, (unsigned)(len - at) + 1);
		put(text, command,
		    (size_t)sprintf(command, "BDAT %zu%s\r\n", n, count == 1 ? " LAST" : ""));
		put(text, plain + at, n);
		text->replies++;
	}
}

void
text_make(struct text *text, struct random *r, const struct message *m)
{
	if (plain == NULL)
		begin();
	*text = (struct text){.wire = wire};
	size_t len = make_plain(r, m);
	sum_up(text, len);
	if (m->manner == CHUNKED) {
		put_chunks(text, r, len);
		return;
	}
	put_lines(text, plain, len);
	put(text, ".\r\n", 3);
	text->replies = 1;
}

/* ---- smuggling ----------------------------------------------------------------------------- */

/* What some server has taken for CRLF.CRLF. */
static const char *const ends[] = {"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n",
    "\n.\r", "\r\n\n.\r\n", "\r\n.\r\r\n"};
static const char second[] = "MAIL FROM:<smuggled@client.test>\r\nRCPT TO:<u01@here.test>\r\n"
			     "RCPT TO:<u50@here.test>\r\nDATA\r\nSubject: smuggled\r\n\r\n";

void
text_smuggle(struct text *text, struct random *r, const struct message *m)
{
	if (plain == NULL)
		begin();
	*text = (struct text){.wire = wire, .replies = 1};
	size_t len = make_plain(r, m), at = random_below(r, (unsigned)len + 1);
	while (at > 0 && plain[at - 1] != '\n')
		at--;
	put_lines(text, plain, at);
	const char *end = ends[random_below(r, sizeof ends / sizeof *ends)];
	put(text, "x", 1);
	put(text, end, strlen(end));
	put(text, second, sizeof second - 1);
	put_lines(text, plain + at, len - at);
	put(text, ".\r\n", 3);
}
