/*
 * fuzz_message.c -- the lines that deliver puts on top of a message, and those that it takes away, against
 * a reading of the whole message line by line; the same however it is cut.
 *
 * Input: an octet, 1 for a sender and 2 for each recipient; one for the cuts; a line for each of these;
 * the message.
 */
#include "../deliver/message.h"

#include <strings.h>

#include "fuzz.h"

enum {
	MESSAGE_MOST = 8192,
	RECIPIENTS = 3,
};

struct output {
	size_t len;
	unsigned char octets[MESSAGE_MOST + (RECIPIENTS + 1) * (ADDRESS_MAX + 32)];
};

static void
put(struct output *out, const void *octets, size_t len)
{
	demand(len <= sizeof out->octets - out->len, "message: more than it was");
	if (len > 0)
		memcpy(out->octets + out->len, octets, len);
	out->len += len;
}

static void
put_text(struct output *out, const char *text)
{
	put(out, text, strlen(text));
}

/* ---- as it should be --------------------------------------------------------------------------- */

/* One header line, or as much of it as is looked at: where its value begins, 0 if it is no field. */
static size_t
field(const unsigned char *line, size_t len, char name[HEADER_LINE_MAX + 1])
{
	size_t n = 0, at;

	while (n < len && line[n] >= 33 && line[n] <= 126 && line[n] != ':') {
		name[n] = (char)line[n];
		n++;
	}
	name[n] = 0;
	for (at = n; at < len && strchr(" \t", line[at]) != NULL && line[at] != 0; at++)
		;
	return n > 0 && at < len && line[at] == ':' ? at + 1 : 0;
}

static bool
is_recipient(const struct message *m, const unsigned char *value, size_t len)
{
	static char text[HEADER_LINE_MAX + 1];

	memcpy(text, value, len);
	text[len] = 0;
	if (strlen(text) != len)
		return false;
	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
		text[--len] = 0;
	for (size_t i = 0; i < m->recipients_count; i++)
		if (strcasecmp(text + strspn(text, " \t"), m->recipients[i]) == 0)
			return true;
	return false;
}

/* All of a message with its last line. */
static void
whole(struct message *m, const unsigned char *in, size_t len, struct output *out)
{
	static char name[HEADER_LINE_MAX + 1];
	bool drops = false, first = true;

	for (size_t at = 0, n; at < len; at += n, first = false) {
		const unsigned char *line = in + at, *lf = memchr(line, '\n', len - at);
		n = lf != NULL ? (size_t)(lf - line) + 1 : len - at;
		size_t seen = n < HEADER_LINE_MAX ? n : HEADER_LINE_MAX;
		if (first && seen >= 5 && memcmp(line, "From ", 5) == 0) {
			drops = true;
			continue;
		}
		if (first || (line[0] != ' ' && line[0] != '\t')) {
			size_t value = field(line, seen, name);
			if (value == 0) { /* the body, from here on */
				put(out, line, len - at);
				return;
			}
			drops = m->sender != NULL && strcasecmp(name, "Return-Path") == 0;
			m->looped |= strcasecmp(name, "Delivered-To") == 0 &&
				     is_recipient(m, line + value, seen - value);
		}
		if (!drops)
			put(out, line, n);
	}
}

static void
top(const struct message *m, struct output *out)
{
	if (m->sender != NULL) {
		put_text(out, "Return-Path: <");
		put_text(out, m->sender);
		put_text(out, ">\n");
	}
	for (size_t i = 0; i < m->recipients_count; i++) {
		put_text(out, "Delivered-To: ");
		put_text(out, m->recipients[i]);
		put_text(out, "\n");
	}
}

/* ---- as it is ---------------------------------------------------------------------------------- */

static void
step_through(
    struct message *m, const unsigned char *in, size_t len, unsigned cuts, struct output *out)
{
	char line[ADDRESS_MAX + 32];
	struct message_piece piece;
	size_t n;

	for (size_t turn = 0; (n = message_top(m, turn, line, sizeof line)) > 0; turn++)
		put(out, line, n);
	while (len > 0) {
		size_t most = input_piece(&cuts, len);
		size_t taken = message_step(m, in, most, &piece);
		demand(taken >= 1 && taken <= most, "message: takes none, or too many");
		put(out, piece.octets, piece.len);
		in += taken;
		len -= taken;
	}
	message_end(m, &piece);
	put(out, piece.octets, piece.len);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static char sender[ADDRESS_MAX + 1], texts[RECIPIENTS][ADDRESS_MAX + 1];
	static const char *const recipients[RECIPIENTS] = {texts[0], texts[1], texts[2]};
	static struct output want, got;
	static struct message m;
	struct input in = {data, size};

	if (size > MESSAGE_MOST)
		return 0;
	unsigned how = input_octet(&in), cuts = input_octet(&in);
	const struct message begin = {
	    .sender = how & 1 ? input_line(&in, sender, sizeof sender) : NULL,
	    .recipients = recipients,
	    .recipients_count = how / 2 % (RECIPIENTS + 1)};
	for (size_t i = 0; i < begin.recipients_count; i++)
		(void)input_line(&in, texts[i], sizeof *texts);

	want.len = got.len = 0;
	m = begin;
	top(&m, &want);
	whole(&m, in.at, in.len, &want);
	bool looped = m.looped;
	m = begin;
	step_through(&m, in.at, in.len, cuts, &got);
	demand(got.len == want.len && memcmp(got.octets, want.octets, want.len) == 0,
	    "message: another message");
	demand(m.looped == looped,
	    looped ? "message: a loop is not seen" : "message: there is no loop");
	return 0;
}
