/*
 * aliases.c -- see aliases.h.  Runs as the monitor.
 *
 * A line is understood as far as it must be: of the names that are not looked for only where they
 * end, so that what is not there yet stands in nobody else's way.
 */
#include "aliases.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BLOCK = 16384 /* octets of one read */
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* ---- what a target means: each returns what is wrong, or NULL -------------------------------- */

/* What a target may not begin with. */
static const struct {
	char begin;
	const char *why;
} refused[] = {
    {'|', "not there yet: a command as a target"}, {'/', "not there yet: a file as a target"},
    {':', "not there yet: :include:"}, {'\\', "not there yet: a backslash before a user"},
    {'-', "a target that begins with a dash"}, /* it could be taken for an option */
};

/* The codes that a reply to RCPT may have, with the enhanced code that is given if none is written. */
static const struct error {
	char code[4], status[6];
	enum verdict verdict;
} errors[] = {
    {"450", "4.2.1", VERDICT_LATER},
    {"451", "4.3.0", VERDICT_LATER},
    {"452", "4.2.2", VERDICT_LATER},
    {"550", "5.1.1", VERDICT_NEVER},
    {"551", "5.1.6", VERDICT_MOVED},
    {"552", "5.2.2", VERDICT_NEVER},
    {"553", "5.1.3", VERDICT_NEVER},
};

/* RFC 5321 4.1.2: a Dot-string, then, if `domain` or if there is an '@', a domain by the monitor's own
   rule for one.  So none of it is special in a reply or to sendmail(8). */
static bool
is_path(const char *text, bool domain)
{
	size_t local = strcspn(text, "@"), len = strlen(text);
	const char *host = text + local + 1;

	if (local == 0 || len > NEW_PATH_MAX || text[local - 1] == '.')
		return false;
	for (size_t i = 0; i < local; i++)
		if (!is_alnum(text[i]) && strchr("!#$%&'*+-/=?^_`{|}~", text[i]) == NULL &&
		    !(text[i] == '.' && i > 0 && text[i - 1] != '.'))
			return false;
	if (local == len)
		return !domain;
	for (const char *c = host; *c != 0; c++)
		if (!is_alnum(*c) && strchr(".-_:[]", *c) == NULL)
			return false;
	return *host != 0 && *host != '.' && *host != '-';
}

/* The same code goes with both enhanced codes, as reply.c gives it. */
static bool
same_code(const char *status, const char *other)
{
	const char *one = answer_code(status), *two = answer_code(other);

	return one == two || (one != NULL && two != NULL && strcmp(one, two) == 0);
}

/* "CODE [enhanced code] text", behind "error:". */
static const char *
parse_error(const char *text, struct alias *alias)
{
	const struct error *e = NULL;
	char status[sizeof "5.999.999"];

	text += strspn(text, " ");
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (strncmp(text, errors[i].code, 3) == 0)
			e = &errors[i];
	if (e == NULL || text[3] != ' ')
		return "error: wants 450, 451, 452, 550, 551, 552 or 553, and a text";
	text += 3;
	text += strspn(text, " ");
	const char *words = answer_after_status(text, e->code[0]);
	(void)snprintf(status, sizeof status, "%s", words != NULL ? text : e->status);
	status[strcspn(status, " ")] = 0;
	words = words != NULL ? words + strspn(words, " ") : text;
	if (words[strspn(words, "0123456789.")] == 0)
		return "error: without a text";
	if (!same_code(status, e->status) || answer_after_status(words, '2') != NULL ||
	    answer_after_status(words, '4') != NULL || answer_after_status(words, '5') != NULL)
		return "error: with an enhanced code that goes with another code";
	if (e->verdict == VERDICT_MOVED && !is_path(words, true))
		return "error:551 wants the new address, user@domain";
	int n = snprintf(alias->text, sizeof alias->text,
	    e->verdict == VERDICT_MOVED ? "%s user not local; please try <%s>" : "%s %s", status,
	    words);
	alias->kind = ALIAS_ERROR;
	alias->verdict = e->verdict;
	return n < (int)sizeof alias->text ? NULL : "error: with a text that is too long";
}

/* Take the quotes away from a target that is in them as a whole. */
static const char *
unquote(char *text)
{
	const char *from = text;
	char *to = text;

	if (*from++ != '"')
		return NULL;
	while (*from != '"') {
		from += *from == '\\' && from[1] != 0;
		if (*from == 0)
			return "a quote without its end";
		*to++ = *from++;
	}
	*to = 0; /* at the most where the quote is */
	if (from[1] == 0)
		return NULL;
	return strchr(" ,", from[1]) != NULL ? "not there yet: several targets"
					     : "quotes around a part of a target";
}

static const char *
parse_target(char *target, struct alias *alias)
{
	for (const char *c = target; *c != 0; c++)
		if (*c < ' ' || *c > '~')
			return "a target with an octet that is not printable ASCII";
	const char *why = unquote(target);
	if (why != NULL)
		return why;
	if (*target == 0)
		return "a name without a target";
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (*target == refused[i].begin)
			return refused[i].why;
	if (strncasecmp(target, "error:", 6) == 0)
		return parse_error(target + 6, alias);
	if (strchr(target, ',') != NULL)
		return "not there yet: several targets";
	if (!is_path(target, false))
		return "a target that is no user, user@domain or error:CODE text";
	(void)strcpy(alias->text, target); /* NEW_PATH_MAX at most */
	alias->kind = ALIAS_PATH;
	return NULL;
}

/* ---- lines: each returns false when the rest of the file is not needed ----------------------- */

static bool
wrong(struct aliases *a, const char *why)
{
	a->why = why;
	return false;
}

/* A '#' behind a blank begins a comment, but not in quotes.  Something stands before `text`. */
static const char *
end_of_target(const char *text, const char *end)
{
	bool quoted = false;

	for (const char *c = text; c < end; c++) {
		if (*c == '#' && !quoted && is_blank(c[-1]))
			return c;
		if (*c == '"')
			quoted = !quoted;
		else if (*c == '\\' && c + 1 < end)
			c++;
	}
	return end;
}

/* Add a part of our target, and a blank between it and the part before. */
static bool
add_target(struct aliases *a, const char *text, const char *end)
{
	end = end_of_target(text, end);
	while (text < end && is_blank(*text))
		text++;
	while (text < end && is_blank(end[-1]))
		end--;
	size_t len = (size_t)(end - text), blank = len > 0 && a->target_len > 0;
	if (blank + len > ALIAS_TARGET_MAX - a->target_len)
		return wrong(a, "the target is too long");
	if (blank > 0)
		a->target[a->target_len++] = ' ';
	for (; text < end; text++) /* in a reply there is no tab */
		a->target[a->target_len++] = *text == '\t' ? ' ' : *text;
	return true;
}

/* "name:", the name in quotes or without. */
static bool
begin_entry(struct aliases *a, const char *text, const char *end)
{
	bool quoted = *text == '"', same = true;
	size_t n = 0;

	text += quoted;
	for (; text < end && (quoted ? *text != '"' : *text != ':' && !is_blank(*text)); text++) {
		if (quoted && *text == '\\' && text + 1 < end)
			text++;
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return wrong(a, "a control character in a name");
		if (!quoted && *text == '@')
			return wrong(a, "not there yet: a name with a domain");
		if (!quoted && *text == '"')
			return wrong(a, "quotes around a part of a name");
		same = same && n < a->name_len && lower(*text) == a->name[n];
		n++;
	}
	if (quoted && text++ == end)
		return wrong(a, "a quote without its end");
	if (n == 0)
		return wrong(a, "no name before the colon");
	while (text < end && is_blank(*text))
		text++;
	if (text == end || *text != ':')
		return wrong(a, "no colon behind the name");
	a->begun = true;
	a->ours = same && n == a->name_len;
	a->at = a->line;
	return !a->ours || add_target(a, text + 1, end);
}

static bool
do_line(struct aliases *a)
{
	const char *text = a->text, *end = a->text + a->len, *first = text;

	a->line++;
	a->len = 0;
	while (end > text && (is_blank(end[-1]) || end[-1] == '\r'))
		end--;
	while (first < end && is_blank(*first))
		first++;
	bool comment = first == end || *first == '#';
	a->done = a->ours && !comment && first == text;
	if (a->done)
		return false;
	if (memchr(text, 0, (size_t)(end - text)) != NULL)
		return wrong(a, "a NUL character");
	if (comment)
		return true;
	if (first == text)
		return begin_entry(a, text, end);
	if (!a->begun)
		return wrong(a, "a line that continues none");
	return !a->ours || add_target(a, first, end);
}

/* ---- in and out ------------------------------------------------------------------------------ */

void
aliases_begin(struct aliases *a, const char *local)
{
	size_t len = strlen(local);
	bool quoted = len >= 2 && local[0] == '"' && local[len - 1] == '"';

	a->name_len = 0;
	for (const char *c = local + quoted; c < local + len - quoted; c++) {
		if (quoted && *c == '\\' && c + 1 < local + len - 1)
			c++;
		a->name[a->name_len++] = lower(*c);
	}
	a->why = NULL;
	a->begun = a->ours = a->done = false;
	a->line = a->at = 0;
	a->len = a->target_len = 0;
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
		memcpy(a->text + a->len, octets, n);
		a->len += n;
		if (lf == NULL)
			break;
		if (!do_line(a))
			return false;
		octets += n + 1;
		len -= n + 1;
	}
	return true;
}

void
aliases_end(struct aliases *a, struct alias *alias)
{
	if (a->why == NULL && a->len > 0) /* the last line lacks its line feed */
		(void)do_line(a);
	alias->kind = ALIAS_NONE;
	alias->why = a->why;
	alias->line = a->line;
	if (a->why == NULL && a->ours) {
		a->target[a->target_len] = 0;
		alias->line = a->at;
		alias->why = parse_target(a->target, alias);
	}
	if (alias->why != NULL)
		alias->kind = ALIAS_WRONG;
}

void
aliases_find(const char *path, const char *local, struct alias *alias)
{
	static struct aliases a;
	static char block[BLOCK];
	struct stat st;
	ssize_t n = 0;
	bool more = true;

	aliases_begin(&a, local);
	/* Without O_NONBLOCK a FIFO would wait for a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		more = wrong(&a, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		more = wrong(&a, "not a regular file");
	while (more && (n = read(fd, block, sizeof block)) != 0) {
		if (n > 0)
			more = aliases_read(&a, block, (size_t)n);
		else if (errno != EINTR)
			break;
	}
	if (n < 0) {
		a.line = 0;
		(void)wrong(&a, strerror(errno));
	}
	if (fd >= 0)
		(void)close(fd); /* read only */
	aliases_end(&a, alias);
}
