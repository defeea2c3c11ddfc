/* message.c -- see message.h. */
#include "message.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

size_t
message_top(const struct message *m, size_t turn, char *line, size_t size)
{
	int n;

	if (m->sender != NULL && turn-- == 0)
		n = snprintf(line, size, "Return-Path: <%s>\n", m->sender);
	else if (turn < m->recipients_count)
		n = snprintf(line, size, "Delivered-To: %s\n", m->recipients[turn]);
	else
		return 0;
	return n < 0 || (size_t)n >= size ? 0 : (size_t)n;
}

/* Where the value of the collected line's field begins; 0 if the line is no field.  White space before
   the colon is of old times (RFC 5322 4.5). */
static size_t
value_at(const struct message *m)
{
	size_t i = 0;

	while (i < m->len && m->line[i] > ' ' && m->line[i] < 0x7f && m->line[i] != ':')
		i++;
	if (i == 0)
		return 0;
	while (i < m->len && (m->line[i] == ' ' || m->line[i] == '\t'))
		i++;
	return i < m->len && m->line[i] == ':' ? i + 1 : 0;
}

/* The collected line is a field of that name, in any case of letters. */
static bool
is_named(const struct message *m, const char *name)
{
	size_t n = strlen(name);

	return value_at(m) > n && strncasecmp((const char *)m->line, name, n) == 0 &&
	       (m->line[n] == ':' || m->line[n] == ' ' || m->line[n] == '\t');
}

static bool
names_recipient(const struct message *m)
{
	size_t from = value_at(m), to = m->len;

	while (from < to && (m->line[from] == ' ' || m->line[from] == '\t'))
		from++;
	while (to > from && m->line[to - 1] != 0 && strchr(" \t\r\n", m->line[to - 1]) != NULL)
		to--;
	for (size_t i = 0; i < m->recipients_count; i++)
		if (strlen(m->recipients[i]) == to - from &&
		    strncasecmp(m->recipients[i], (const char *)m->line + from, to - from) == 0)
			return true;
	return false;
}

/* What is known when a line is whole, or as long as it may be collected. */
static void
judge(struct message *m)
{
	bool first = m->where == MESSAGE_FIRST;

	m->where = MESSAGE_HEADER;
	if (first && m->len >= 5 && memcmp(m->line, "From ", 5) == 0) {
		m->dropping = true;
		return;
	}
	if (!first && (m->line[0] == ' ' || m->line[0] == '\t'))
		return; /* goes the way of the line that it continues */
	m->dropping = m->sender != NULL && is_named(m, "Return-Path");
	if (is_named(m, "Delivered-To") && names_recipient(m))
		m->looped = true;
	if (value_at(m) == 0)
		m->where = MESSAGE_BODY;
}

static void
release(struct message *m, struct message_piece *piece)
{
	if (!m->dropping)
		*piece = (struct message_piece){m->line, m->len};
	m->len = 0;
}

size_t
message_step(struct message *m, const unsigned char *in, size_t len, struct message_piece *piece)
{
	*piece = (struct message_piece){in, 0};
	if (m->where == MESSAGE_BODY) {
		piece->len = len;
		return len;
	}
	const unsigned char *lf = memchr(in, '\n', len);
	size_t n = lf != NULL ? (size_t)(lf - in) + 1 : len;
	if (m->where == MESSAGE_LONG) {
		if (!m->dropping)
			piece->len = n;
		if (lf != NULL)
			m->where = MESSAGE_HEADER;
		return n;
	}
	if (n > sizeof m->line - m->len) {
		n = sizeof m->line - m->len;
		lf = NULL;
	}
	memcpy(m->line + m->len, in, n);
	m->len += n;
	if (lf == NULL && m->len < sizeof m->line)
		return n;
	judge(m);
	if (lf == NULL && m->where == MESSAGE_HEADER)
		m->where = MESSAGE_LONG;
	release(m, piece);
	return n;
}

void
message_end(struct message *m, struct message_piece *piece)
{
	*piece = (struct message_piece){m->line, 0};
	if (m->len == 0)
		return;
	judge(m);
	release(m, piece);
}
