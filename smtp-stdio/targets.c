/*
 * targets.c -- see targets.h.  Runs as the monitor.
 *
 * What two programs that know this format would read in two ways is wrong here.
 */
#include "targets.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r'; /* a CR may stand before the LF */
}

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* ---- what a target means: each returns what is wrong, or NULL -------------------------------- */

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
parse_error(const char *text, struct target *target)
{
	const struct error *e = NULL;
	char status[sizeof "5.999.999"], reply[ANSWER_TEXT_MAX + 1];

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
	int n = snprintf(reply, sizeof reply,
	    e->verdict == VERDICT_MOVED ? "%s user not local; please try <%s>" : "%s %s", status,
	    words);
	if (n >= (int)sizeof reply)
		return "error: with a text that is too long";
	(void)strcpy(target->text, reply);
	target->verdict = e->verdict;
	return NULL;
}

static void
cut_front(char *text, size_t n)
{
	n += strspn(text + n, " ");
	memmove(text, text + n, strlen(text + n) + 1);
}

static const char *
parse_user(struct target *target, enum target_kind *kind)
{
	*kind = strchr(target->text, '@') != NULL ? TARGET_ADDRESS : TARGET_USER;
	if (target->text[0] == '\\') {
		cut_front(target->text, 1);
		*kind = TARGET_EXACT;
	}
	if (target->text[0] == '-') /* it could be taken for an option */
		return "a target that begins with a dash";
	if (strchr("|/~", target->text[0]) != NULL || !is_path(target->text, false) ||
	    (*kind == TARGET_EXACT && strchr(target->text, '@') != NULL))
		return "a target that is no user, address, command, file, :include: or error:";
	return NULL;
}

/* What a text means that is a target as a whole, without its quotes. */
static const char *
parse_target(struct target *target, enum target_kind *kind)
{
	static const char include[] = ":include:";
	char *text = target->text;

	for (const char *c = text; *c != 0; c++)
		if (*c < ' ' || *c > '~')
			return "a target with an octet that is not printable ASCII";
	if (*text == 0)
		return "a name without a target";
	if (strncasecmp(text, "error:", 6) == 0) {
		*kind = TARGET_ERROR;
		return parse_error(text + 6, target);
	}
	if (*text == '|') {
		*kind = TARGET_COMMAND;
		cut_front(text, 1);
		return *text != 0 ? NULL : "a command without a name";
	}
	if (strncasecmp(text, include, sizeof include - 1) == 0) {
		*kind = TARGET_INCLUDE;
		cut_front(text, sizeof include - 1);
		return *text == '/' ? NULL : ":include: wants a path that begins with a slash";
	}
	if (*text == '/') {
		*kind = TARGET_FILE;
		return text[strspn(text, "/")] != 0 ? NULL : "a file without a name";
	}
	return parse_user(target, kind);
}

/* ---- targets: each returns what is wrong, or NULL -------------------------------------------- */

/* A target that is being read. */
struct word {
	struct targets *from;
	struct target *target;
	size_t len; /* of the target so far */
};

static const char open_quote[] = "a quote without its end";
static const char open_bracket[] = "a bracket without its end";
static const char too_long[] = "the target is too long";

static char
peek(const struct targets *t)
{
	return t->text[t->at]; /* there is a NUL behind the last */
}

/* Go on behind one octet. */
static void
pass(struct targets *t)
{
	t->line += peek(t) == '\n';
	t->at++;
}

/* Comments of RFC 5322 3.2.2. */
static const char *
skip_brackets(struct targets *t)
{
	unsigned depth = 0;

	do {
		depth += peek(t) == '(';
		depth -= peek(t) == ')';
		if (peek(t) == '\\')
			pass(t);
		if (peek(t) == 0 || (t->list && peek(t) == '\n'))
			return open_bracket;
		pass(t);
	} while (depth > 0);
	return NULL;
}

/* A '#' behind a blank begins a comment. */
static bool
at_comment(const struct targets *t)
{
	return peek(t) == '#' && t->at > 0 &&
	       (is_blank(t->text[t->at - 1]) || t->text[t->at - 1] == '\n');
}

/* What counts for nothing: blanks, comments, and the ends of lines where they separate nothing. */
static const char *
skip(struct targets *t)
{
	const char *why = NULL;

	while (why == NULL) {
		if (at_comment(t))
			t->at += strcspn(t->text + t->at, "\n");
		if (peek(t) == '(')
			why = skip_brackets(t);
		else if (is_blank(peek(t)) || (peek(t) == '\n' && !t->list))
			pass(t);
		else
			return NULL;
	}
	return why;
}

static const char *
add(struct word *w, char c)
{
	if (w->len == ALIAS_TARGET_MAX)
		return too_long;
	w->target->text[w->len++] = is_blank(c) ? ' ' : c; /* in a reply there is no tab */
	w->target->text[w->len] = 0;
	return NULL;
}

/* From a quote to the next. */
static const char *
read_quoted(struct word *w)
{
	struct targets *t = w->from;
	const char *why = NULL;

	for (pass(t); why == NULL && peek(t) != '"'; pass(t)) {
		if (peek(t) == '\\')
			pass(t);
		if (peek(t) == 0 || (t->list && peek(t) == '\n'))
			return open_quote;
		if (peek(t) != '\n') /* the line that follows has a blank in front */
			why = add(w, peek(t));
	}
	if (why != NULL)
		return why;
	pass(t);
	return strchr(" \t\r\n,<>(@", peek(t)) != NULL ? NULL : "quotes around a part of a target";
}

/* Nothing of the word is there yet but what may have blanks or a quote behind it. */
static bool
is_prefix(const struct word *w)
{
	return w->len == 0 || strcmp(w->target->text, "|") == 0 ||
	       strcasecmp(w->target->text, ":include:") == 0;
}

/* To the next blank or separator. */
static const char *
read_word(struct word *w)
{
	struct targets *t = w->from;
	const char *why = NULL;

	w->len = 0;
	w->target->text[0] = 0;
	while (why == NULL && strchr("\n,<>();", peek(t)) == NULL) {
		if (is_blank(peek(t))) {
			if (w->len == 0 || !is_prefix(w))
				break;
			why = skip(t);
			continue;
		}
		if (peek(t) == '"') {
			why = is_prefix(w) ? read_quoted(w) : "quotes around a part of a target";
			if (peek(t) != '@')
				break;
			continue;
		}
		if (peek(t) == '\\' && w->len > 0)
			pass(t);
		if (peek(t) == 0 || peek(t) == '\n')
			return "a backslash at the end of a line";
		why = add(w, peek(t));
		pass(t);
	}
	return why;
}

static bool
at_end(const struct targets *t)
{
	return strchr(",\n", peek(t)) != NULL; /* or NUL */
}

/* "<user@domain>", as in the address of a letter. */
static const char *
read_angle(struct word *w)
{
	struct targets *t = w->from;

	pass(t);
	const char *why = skip(t);
	if (why == NULL)
		why = read_word(w);
	if (why == NULL)
		why = skip(t);
	if (why != NULL)
		return why;
	if (peek(t) != '>')
		return open_bracket;
	pass(t);
	why = skip(t);
	if (why != NULL)
		return why;
	/* The shell's brackets are none of ours. */
	if (!at_end(t) || strchr("|/:\\", w->target->text[0]) != NULL)
		return "brackets around something other than an address";
	return NULL;
}

/* A word, or an address in angle brackets, with or without somebody's name before it. */
static const char *
read_target(struct word *w)
{
	struct targets *t = w->from;
	const char *why = NULL;
	char first = 0;

	for (unsigned words = 0; why == NULL; words++) {
		if (at_end(t))
			return words == 1 ? NULL : "a blank outside of quotes";
		if (peek(t) == '<' && (first == 0 || strchr("|/:\\", first) == NULL))
			return read_angle(w);
		if (strchr("<>);", peek(t)) != NULL)
			return "one of <>(); outside of quotes";
		why = read_word(w);
		if (words == 0)
			first = w->target->text[0];
		if (why == NULL)
			why = skip(t);
	}
	return why;
}

/* All that is left, commas and quotes as they are: the text of a reply. */
static const char *
read_rest(struct word *w)
{
	struct targets *t = w->from;
	const char *why = NULL;
	bool quoted = false;
	size_t len = 0; /* without the blanks at its end */

	for (w->len = 0; why == NULL && peek(t) != 0;) {
		if (peek(t) == '"')
			quoted = !quoted;
		if (at_comment(t) && !quoted)
			t->at += strcspn(t->text + t->at, "\n");
		if (peek(t) == '\n') {
			w->len = len;
			while (is_blank(peek(t)) || peek(t) == '\n')
				pass(t);
			why = peek(t) != 0 && !at_comment(t) ? add(w, ' ') : NULL;
			continue;
		}
		why = add(w, peek(t));
		len = is_blank(peek(t)) ? len : w->len;
		pass(t);
	}
	w->target->text[len] = 0;
	return why;
}

enum target_kind
targets_next(struct targets *t, struct target *target)
{
	struct word w = {.from = t, .target = target};
	enum target_kind kind = TARGET_END;

	target->line = t->line;
	const char *why = skip(t);
	while (why == NULL && peek(t) != 0 && at_end(t)) {
		pass(t);
		why = skip(t);
	}
	if (why == NULL && peek(t) == 0) {
		if (t->some || t->list)
			return TARGET_END;
		why = "a name without a target";
	}
	if (why == NULL)
		target->line = t->line;
	if (why == NULL)
		why = strncasecmp(t->text + t->at, "error:", 6) == 0 && !t->list ? read_rest(&w)
										 : read_target(&w);
	if (why == NULL)
		why = parse_target(target, &kind);
	if (why == NULL && t->list && kind != TARGET_USER && kind != TARGET_EXACT &&
	    kind != TARGET_ADDRESS)
		why = "an :include: file has only users and addresses";
	t->some = true;
	if (why == NULL)
		return kind;
	t->at = t->len;
	target->why = why;
	return TARGET_WRONG;
}
