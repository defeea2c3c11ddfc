/* oracle_message.c -- see oracle_text.h.  The whole message is there, and is searched. */
#include "oracle_text.h"

#include <string.h>
#include <strings.h>

/* The lines of a text, each up to and with its LF, as one after the other is asked for. */
static struct slice
line_of(struct slice *text)
{
	const unsigned char *lf = text->len > 0 ? memchr(text->at, '\n', text->len) : NULL;
	struct slice line = {text->at, lf != NULL ? (size_t)(lf - text->at) + 1 : text->len};

	*text = (struct slice){text->at + line.len, text->len - line.len};
	return line;
}

static bool
ends_in_crlf(struct slice line)
{
	return line.len >= 2 && memcmp(line.at + line.len - 2, "\r\n", 2) == 0;
}

/* A CR that no LF follows, or an LF with no CR before it, unless it is normalized. */
static bool
is_bare(struct slice text, bool normalize)
{
	while (text.len > 0) {
		struct slice line = line_of(&text);
		const unsigned char *cr = memchr(line.at, '\r', line.len);
		if (cr != NULL && cr + 2 != line.at + line.len)
			return true;
		if (cr == NULL && !normalize)
			return true;
	}
	return false;
}

bool
oracle_message(
    const unsigned char *in, size_t len, bool normalize, unsigned char *content, struct message *m)
{
	const unsigned char *end = len > 0 ? memmem(in, len, "\r\n.\r\n", 5) : NULL;
	struct slice text = {in, end != NULL ? (size_t)(end - in) + 2 : 0};

	*m = (struct message){0};
	if (len >= 3 && memcmp(in, ".\r\n", 3) == 0)
		text.len = 0;
	else if (end == NULL)
		return false;
	m->end = text.len + 3;
	m->bare = is_bare(text, normalize);
	while (text.len > 0) {
		struct slice line = line_of(&text);
		bool crlf = ends_in_crlf(line);
		size_t inside = line.len - (crlf ? 2 : 1);
		/* A dot alone that is not the end is a line of the message. */
		size_t dot = inside > 1 && line.at[0] == '.' ? 1 : 0;
		memcpy(content + m->count, line.at + dot, inside - dot);
		m->count += inside - dot;
		content[m->count++] = '\n';
		m->wire += line.len - dot;
	}
	return true;
}

size_t
oracle_chunks(const unsigned char *in, size_t len, bool binary, unsigned char *content)
{
	struct slice text = {in, len};
	size_t count = 0;
	bool header = true;

	while (text.len > 0 && (header || !binary)) {
		struct slice line = line_of(&text);
		size_t cr = ends_in_crlf(line) ? 1 : 0;
		bool lf = line.at[line.len - 1] == '\n';
		memcpy(content + count, line.at, line.len - cr);
		count += line.len - cr;
		if (cr > 0)
			content[count - 1] = '\n';
		header = header && !(lf && line.len - cr == 1);
	}
	if (text.len > 0)
		memcpy(content + count, text.at, text.len);
	return count + text.len;
}

unsigned
oracle_received(const unsigned char *message, size_t len)
{
	struct slice text = {message, len};
	unsigned n = 0;

	while (text.len > 0 && text.at[0] != '\n') {
		struct slice line = line_of(&text);
		size_t at = 8;
		if (line.len <= 8 || !oracle_is((struct slice){line.at, 8}, "Received"))
			continue;
		while (at < line.len && (line.at[at] == ' ' || line.at[at] == '\t'))
			at++;
		n += at < line.len && line.at[at] == ':';
	}
	return n;
}
