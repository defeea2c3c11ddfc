/*
 * aliases.c -- see aliases.h.  Runs as the monitor.
 *
 * A file is understood as far as it must be: of the names that are not looked for only where they end,
 * and their targets not at all, so that a fault there stands in nobody else's way.
 */
#include "aliases.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../sandbox/large.h"

enum {
	BLOCK = 65536 /* octets of one read */
};

static const char open_quote[] = "a quote without its end";

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r'; /* a CR may stand before the LF */
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* ---- lines: each returns false when the rest of the file is not needed ----------------------- */

static bool
wrong(struct aliases *a, const char *why)
{
	a->entry->why = why;
	a->entry->line = a->line;
	return false;
}

/* Add a line to our entry. */
static bool
add_line(struct aliases *a, const char *text, const char *end)
{
	struct targets *t = &a->entry->targets;
	size_t len = (size_t)(end - text);

	if (a->skipped + len + 1 > ALIAS_ENTRY_MAX - t->len)
		return wrong(a, "more targets than there is room for");
	memset(t->text + t->len, '\n', a->skipped);
	t->len += a->skipped;
	a->skipped = 0;
	memcpy(t->text + t->len, text, len);
	t->len += len;
	t->text[t->len++] = '\n';
	return true;
}

/* -Os alone would call it for each octet of each name. */
__attribute__((always_inline)) static inline void
add_octet(struct alias_plain *name, char c)
{
	if (name->len < sizeof name->text)
		name->text[name->len] = c;
	name->len++;
}

/* In an unquoted name: what ends it, or can be in none. */
static const bool special[1 << CHAR_BIT] = {
    [':'] = true,
    ['@'] = true,
    ['"'] = true,
    [','] = true,
    ['('] = true,
    [')'] = true,
    ['<'] = true,
    ['>'] = true,
    [';'] = true,
};

static bool
is_special(char c)
{
	return special[(unsigned char)c];
}

/* The local part of a name in the file.  Returns what is wrong, or NULL. */
static const char *
read_local(const char **text, const char *end, struct alias_plain *name)
{
	const char *c = *text;
	bool quoted = *c == '"', blank = false;

	for (c += quoted; c < end && (quoted ? *c != '"' : !is_special(*c)); c++) {
		if (!quoted && (unsigned char)*c <= ' ' && is_blank(*c)) {
			blank = true;
			continue;
		}
		if (*c == '\\' && c + 1 < end)
			c++;
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return "a control character in a name";
		if (blank) /* one in the place of several, and none before the colon */
			add_octet(name, ' ');
		blank = false;
		add_octet(name, *c);
	}
	*text = c + (quoted && c < end);
	return quoted && c == end ? open_quote : NULL;
}

/* Behind the '@'; in an address literal there may be colons. */
static const char *
read_domain(const char **text, const char *end, struct alias_plain *name)
{
	const char *c = *text;
	bool literal = false;

	name->at = name->len;
	add_octet(name, '@');
	for (; c < end && (literal || !is_special(*c)) && !is_blank(*c); c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return "a control character in a name";
		literal = *c == '[' || (literal && *c != ']');
		add_octet(name, *c);
	}
	*text = c;
	return name->len > name->at + 1 ? NULL : "no domain behind the @";
}

/* "name:", the local part in quotes or without. */
static const char *
read_name(const char **text, const char *end, struct alias_plain *name)
{
	name->len = 0;
	const char *why = read_local(text, end, name);
	if (why != NULL)
		return why;
	name->at = name->len;
	if (*text < end && **text == '@') {
		++*text;
		why = read_domain(text, end, name);
	}
	while (*text < end && is_blank(**text))
		++*text;
	if (why != NULL)
		return why;
	if (name->len == 0)
		return "no name before the colon";
	if (*text < end && **text == '"')
		return "quotes around a part of a name";
	if (*text < end && **text != ':' && is_special(**text))
		return "one of @,<>(); in a name outside of quotes";
	return *text < end && **text == ':' ? NULL : "no colon behind the name";
}

static bool
is_same(const struct alias_plain *one, const struct alias_plain *other)
{
	if (one->len != other->len || one->at != other->at || one->len > sizeof one->text)
		return false;
	for (size_t i = 0; i < one->len; i++)
		if (lower(one->text[i]) != lower(other->text[i]))
			return false;
	return true;
}

static bool
begin_entry(struct aliases *a, const char *text, const char *end)
{
	struct alias_plain name;

	const char *why = read_name(&text, end, &name);
	if (why != NULL)
		return wrong(a, why);
	a->begun = true;
	a->ours = false;
	for (size_t i = 0; i < a->best && !a->ours; i++)
		if (is_same(&name, &a->names[i])) {
			a->best = i;
			a->ours = true;
		}
	if (!a->ours)
		return true;
	a->skipped = 0;
	a->entry->line = a->entry->targets.line = a->line;
	a->entry->targets.len = 0;
	return add_line(a, text + 1, end);
}

static bool
do_line(struct aliases *a, const char *text, size_t len)
{
	const char *end = text + len, *first = text;

	a->line++;
	while (first < end && is_blank(*first))
		first++;
	bool comment = first == end || *first == '#';
	bool begins = !comment && first == text && !a->entry->targets.list;
	if (begins && a->ours && a->best == 0)
		return false;
	if (memchr(text, 0, len) != NULL)
		return wrong(a, "a NUL character");
	if (begins)
		return begin_entry(a, text, end);
	a->skipped += comment;
	if (comment)
		return true;
	if (!a->begun)
		return wrong(a, "a line that continues none");
	return !a->ours || add_line(a, text, end);
}

/* ---- in and out ------------------------------------------------------------------------------ */

/* A name that is looked for, as it is compared. */
static void
plain(struct alias_plain *out, const struct alias_name *name)
{
	size_t len = strlen(name->local);
	bool quoted = len >= 2 && name->local[0] == '"' && name->local[len - 1] == '"';

	out->len = 0;
	for (const char *c = name->local + quoted; c < name->local + len - quoted; c++) {
		if (quoted && *c == '\\' && c + 1 < name->local + len - 1)
			c++;
		add_octet(out, *c);
	}
	out->at = out->len;
	if (name->domain == NULL)
		return;
	add_octet(out, '@');
	for (const char *c = name->domain; *c != 0; c++)
		add_octet(out, *c);
}

void
aliases_begin(
    struct aliases *a, const struct alias_name names[], size_t count, struct alias_entry *e)
{
	a->entry = e;
	a->best = a->count = count;
	for (size_t i = 0; i < count; i++)
		plain(&a->names[i], &names[i]);
	e->targets.list = a->begun = a->ours = count == 0;
	a->line = a->skipped = 0;
	a->len = 0;
	e->why = NULL;
	e->line = e->targets.line = 1;
	e->owner = (uid_t)-1;
	e->group = (gid_t)-1;
	e->targets.some = false;
	e->targets.at = e->targets.len = 0;
}

bool
aliases_read(struct aliases *a, const char *octets, size_t len)
{
	while (len > 0) {
		const char *lf = memchr(octets, '\n', len);
		size_t n = lf != NULL ? (size_t)(lf - octets) : len;
		if (n > sizeof a->text - a->len) {
			a->line++;
			return wrong(a, "the line is too long");
		}
		if (lf == NULL || a->len > 0) { /* otherwise it is whole as it stands */
			memcpy(a->text + a->len, octets, n);
			a->len += n;
		}
		if (lf == NULL)
			break;
		bool more = a->len > 0 ? do_line(a, a->text, a->len) : do_line(a, octets, n);
		a->len = 0;
		if (!more)
			return false;
		octets += n + 1;
		len -= n + 1;
	}
	return true;
}

enum alias_found
aliases_end(struct aliases *a)
{
	struct alias_entry *e = a->entry;

	if (e->why == NULL && a->len > 0) /* the last line lacks its line feed */
		(void)do_line(a, a->text, a->len);
	e->name = a->best;
	e->targets.text[e->targets.len] = 0;
	if (e->why != NULL)
		return ALIAS_WRONG;
	return a->best < a->count || e->targets.list ? ALIAS_FOUND : ALIAS_NONE;
}

/* Read a file that may be anything: without O_NONBLOCK a FIFO would wait for a writer. */
static void
read_file(struct aliases *a, const char *path, int flags)
{
	static LARGE char block[BLOCK];
	struct stat st;
	ssize_t n = 0;
	bool more = true;

	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
	if (fd < 0 || fstat(fd, &st) < 0)
		more = wrong(a, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		more = wrong(a, "not a regular file");
	else if ((st.st_mode & S_IWOTH) != 0)
		more = wrong(a, "everybody may write it");
	else {
		a->entry->owner = st.st_uid;
		a->entry->group = st.st_gid;
	}
	while (more && (n = read(fd, block, sizeof block)) != 0) {
		if (n > 0)
			more = aliases_read(a, block, (size_t)n);
		else if (errno != EINTR)
			break;
	}
	if (n < 0) {
		a->line = 0;
		(void)wrong(a, strerror(errno));
	}
	if (fd >= 0)
		(void)close(fd); /* read only */
}

enum alias_found
aliases_find(
    const char *path, const struct alias_name names[], size_t count, struct alias_entry *entry)
{
	static LARGE struct aliases a;

	aliases_begin(&a, names, count, entry);
	/* Who owns a list must not have us read for them what they may not. */
	read_file(&a, path, count == 0 ? O_NOFOLLOW : 0);
	return aliases_end(&a);
}

enum alias_found
aliases_include(const char *path, struct alias_entry *entry)
{
	return aliases_find(path, NULL, 0, entry);
}
