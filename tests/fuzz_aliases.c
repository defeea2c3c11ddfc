/*
 * fuzz_aliases.c -- a local part in the first line, then a file of aliases: in pieces of any size it
 * reads as the same record, which is what a plain reading of the whole text finds, fits a reply, and
 * written anew reads back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../smtp-stdio/aliases.h"
#include "fuzz.h"

enum {
	FILE_MAX = 65536,
	ADDED_MAX = 2 * (LOCAL_MAX + ANSWER_TEXT_MAX + 64),
};

static struct alias
read_in(const char *local, const char *file, size_t len, size_t piece)
{
	static struct aliases a;
	struct alias alias;
	bool more = true;

	memset(&a, 0xa5, sizeof a);
	memset(&alias, 0x5a, sizeof alias);
	aliases_begin(&a, local);
	for (size_t at = 0; more && at < len; at += piece)
		more = aliases_read(&a, file + at, piece < len - at ? piece : len - at);
	aliases_end(&a, &alias);
	return alias;
}

static void
same(const struct alias *a, const struct alias *b, const char *what)
{
	demand(a->kind == b->kind, what);
	demand(a->kind == ALIAS_NONE || a->line == b->line, what);
	demand(a->kind != ALIAS_WRONG || strcmp(a->why, b->why) == 0, what);
	demand((a->kind != ALIAS_ERROR && a->kind != ALIAS_PATH) || strcmp(a->text, b->text) == 0,
	    what);
	demand(a->kind != ALIAS_ERROR || a->verdict == b->verdict, what);
}

/* ---- a plain reading of the whole text ------------------------------------------------------- */

enum place {
	NOWHERE,
	FAULT,
	THERE
};

struct found {
	enum place what;
	unsigned line;
	const char *target, *end; /* on that line; NULL if there is more of it on others */
};

/* The name that a line begins with, without its quotes; what follows the colon, or NULL. */
static const char *
name_of(const char *line, const char *end, char *name)
{
	if (*line == '"') {
		for (line++; line < end && *line != '"'; *name++ = *line++)
			if (*line == '\\' && line + 1 < end)
				line++;
		if (line++ == end)
			return NULL;
	} else {
		while (line < end && strchr(": \t\"@", *line) == NULL)
			*name++ = *line++;
	}
	*name = 0;
	while (line < end && (*line == ' ' || *line == '\t'))
		line++;
	return line < end && *line == ':' ? line + 1 : NULL;
}

static void
small(char *text)
{
	for (; *text != 0; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
}

/* A local part without its quotes. */
static void
plain(char name[LOCAL_MAX + 1], const char *local)
{
	size_t n = strlen(local), to = 0;
	bool quoted = n >= 2 && local[0] == '"' && local[n - 1] == '"';

	for (size_t i = quoted; i < n - quoted; i++) {
		if (quoted && local[i] == '\\' && i + 1 < n - 1)
			i++;
		name[to++] = local[i];
	}
	name[to] = 0;
	small(name);
}

static struct found
look(const char *wanted, const char *file, size_t len)
{
	static char name[FILE_MAX + 1];
	const char *end = file + len, *next;
	struct found found = {.what = NOWHERE};
	bool begun = false;
	unsigned line = 0;

	for (; file < end; file = next) {
		const char *lf = memchr(file, '\n', (size_t)(end - file));
		const char *stop = lf != NULL ? lf : end, *first = file;
		next = lf != NULL ? lf + 1 : end;
		line++;
		if (stop - file > ALIAS_LINE_MAX)
			return (struct found){.what = FAULT, .line = line};
		while (stop > file && strchr(" \t\r", stop[-1]) != NULL && stop[-1] != 0)
			stop--;
		while (first < stop && (*first == ' ' || *first == '\t'))
			first++;
		if (first == file && first < stop && *first != '#' && found.what == THERE)
			return found;
		if (memchr(file, 0, (size_t)(stop - file)) != NULL)
			return (struct found){.what = FAULT, .line = line};
		if (first == stop || *first == '#')
			continue;
		if (first > file) {
			if (!begun)
				return (struct found){.what = FAULT, .line = line};
			found.target = NULL;
			continue;
		}
		const char *rest = name_of(file, stop, name);
		if (rest == NULL || name[0] == 0)
			return (struct found){.what = FAULT, .line = line};
		for (const char *c = name; *c != 0; c++)
			if ((unsigned char)*c < ' ' || *c == 0x7f)
				return (struct found){.what = FAULT, .line = line};
		begun = true;
		small(name);
		if (strcmp(name, wanted) == 0)
			found = (struct found){THERE, line, rest, stop};
	}
	return found;
}

/* What stands there may be a target that is wrong; everything else must be the same. */
static void
compare(const struct alias *alias, const struct found *found)
{
	switch (alias->kind) {
	case ALIAS_NONE:
		demand(found->what == NOWHERE, "aliases: a name that is there was not found");
		break;
	case ALIAS_PATH:
	case ALIAS_ERROR:
		demand(found->what == THERE, "aliases: a name that is not there was found");
		demand(alias->line == found->line, "aliases: found in another line");
		break;
	case ALIAS_WRONG:
		demand(found->what != NOWHERE, "aliases: a fault where there is none");
		demand(
		    found->what == THERE ? alias->line >= found->line : alias->line <= found->line,
		    "aliases: a fault in another line");
		break;
	}
}

static bool
ends_in(const char *text, const char *end, const char *tail)
{
	size_t len = strlen(tail);

	return (size_t)(end - text) >= len && memcmp(end - len, tail, len) == 0;
}

static const char *
code_of(const struct alias *alias)
{
	char status[16];

	(void)snprintf(status, sizeof status, "%.*s", (int)strcspn(alias->text, " "), alias->text);
	const char *code = alias->verdict == VERDICT_MOVED ? "551" : answer_code(status);
	return code != NULL ? code : alias->verdict == VERDICT_LATER ? "451" : "550";
}

/* "<path>" at the end of a text, without the brackets. */
static const char *
path_of(const struct alias *alias, char path[ANSWER_TEXT_MAX + 1])
{
	const char *from = strrchr(alias->text, '<');

	demand(from != NULL && from[strlen(from) - 1] == '>', "aliases: moved to nowhere");
	(void)snprintf(path, ANSWER_TEXT_MAX + 1, "%.*s", (int)strlen(from) - 2, from + 1);
	return path;
}

/* Where the target stands on one line, with nothing to be taken out of it, the record is what stands
   there, and a reply has the code that stands there. */
static void
literally(const struct alias *alias, const struct found *found)
{
	const char *text = found->target, *end = found->end, *special = "\"\\\t#";
	char path[ANSWER_TEXT_MAX + 1];

	if (text == NULL)
		return;
	text += strspn(text, " ");
	if (end - text >= 2 && *text == '"' && end[-1] == '"') {
		text++, end--;
		special = "\"\\\t";
	}
	for (const char *c = text; c < end; c++)
		if (strchr(special, *c) != NULL)
			return;
	if (alias->kind == ALIAS_PATH) {
		demand(
		    ends_in(text, end, alias->text) && strlen(alias->text) == (size_t)(end - text),
		    "aliases: another path");
		return;
	}
	text += strcspn(text, ":") + 1;
	text += strspn(text, " ");
	demand(strncmp(text, code_of(alias), 3) == 0, "aliases: another code");
	demand(ends_in(text, end,
		   alias->verdict == VERDICT_MOVED ? path_of(alias, path)
						   : strchr(alias->text, ' ') + 1),
	    "aliases: another text");
}

/* ---- what a record must be ------------------------------------------------------------------- */

static void
check(const struct alias *alias)
{
	const char class = alias->verdict == VERDICT_LATER ? '4' : '5';
	size_t len = strlen(alias->text);

	for (const char *c = alias->text; *c != 0; c++)
		demand(*c >= ' ' && *c <= '~', "aliases: an octet that cannot be said");
	if (alias->kind == ALIAS_PATH) {
		demand(len >= 1 && len <= NEW_PATH_MAX, "aliases: a path of another length");
		demand(strpbrk(alias->text, " \t\",<>()\\;") == NULL, "aliases: not one path");
		demand(strchr("-|/:.@", alias->text[0]) == NULL, "aliases: a path that is none");
		const char *at = strchr(alias->text, '@');
		demand(at == NULL || (at[1] != 0 && strchr(at + 1, '@') == NULL),
		    "aliases: a path without a domain, or with two");
		return;
	}
	const char *words = answer_after_status(alias->text, class);
	demand(len <= ANSWER_TEXT_MAX && words != NULL && *words != 0,
	    "aliases: a reply that is no text behind an enhanced code");
	demand(alias->verdict != VERDICT_YES && alias->verdict != VERDICT_FORWARDED,
	    "aliases: an error that is none");
}

static size_t
quote(char *out, const char *text)
{
	size_t n = 0;

	out[n++] = '"';
	for (; *text != 0; text++) {
		if (*text == '"' || *text == '\\')
			out[n++] = '\\';
		out[n++] = *text;
	}
	out[n++] = '"';
	return n;
}

/* The record as a line for that name. */
static size_t
print(char out[ADDED_MAX], const char *name, const struct alias *alias)
{
	char target[ANSWER_TEXT_MAX + 32], path[ANSWER_TEXT_MAX + 1];

	if (alias->kind == ALIAS_PATH)
		(void)snprintf(target, sizeof target, "%s", alias->text);
	else if (alias->verdict == VERDICT_MOVED)
		(void)snprintf(target, sizeof target, "error:551 %.*s %s",
		    (int)strcspn(alias->text, " "), alias->text, path_of(alias, path));
	else
		(void)snprintf(target, sizeof target, "error:%s %s", code_of(alias), alias->text);
	size_t n = 0;
	out[n++] = '\n';
	n += quote(out + n, name);
	out[n++] = ':';
	n += quote(out + n, target);
	out[n++] = '\n';
	return n;
}

/* A name of the file has no control character. */
static bool
is_writable(const char *name)
{
	for (const char *c = name; *c != 0; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	return name[0] != 0;
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static char local[LOCAL_MAX + 1], name[LOCAL_MAX + 1], file[FILE_MAX + ADDED_MAX];
	static const struct alias path = {.kind = ALIAS_PATH, .text = "x@y.z"};

	if (size < 2 || size > FILE_MAX)
		return 0;
	const unsigned char *lf = memchr(data + 1, '\n', size - 1);
	size_t n = lf != NULL ? (size_t)(lf - data) - 1 : 0;
	if (n < 1 || n > LOCAL_MAX || memchr(data + 1, 0, n) != NULL)
		return 0;
	memcpy(local, data + 1, n);
	local[n] = 0;
	size_t len = size - n - 2;
	memcpy(file, lf + 1, len);

	struct alias alias = read_in(local, file, len, FILE_MAX);
	struct alias again = read_in(local, file, len, 1 + data[0] % 64U);
	same(&alias, &again, "aliases: in pieces it reads as another record");
	plain(name, local);
	struct found found = look(name, file, len);
	compare(&alias, &found);
	if (alias.kind == ALIAS_WRONG) {
		demand(alias.line >= 1 && alias.why != NULL, "aliases: a fault without a name");
		return 0;
	}
	if (alias.kind != ALIAS_NONE) {
		check(&alias);
		literally(&alias, &found);
	}
	if (!is_writable(name))
		return 0;

	/* The first line that has the name counts. */
	len += print(file + len, name, &path);
	again = read_in(local, file, len, FILE_MAX);
	if (alias.kind == ALIAS_NONE)
		demand(again.kind == ALIAS_PATH && strcmp(again.text, path.text) == 0,
		    "aliases: what was added was not found");
	else
		same(&alias, &again, "aliases: another line counts");
	if (alias.kind == ALIAS_NONE)
		return 0;
	len = print(file, name, &alias);
	again = read_in(local, file, len, FILE_MAX);
	again.line = alias.line;
	same(&alias, &again, "aliases: written anew it is another record");
	return 0;
}
