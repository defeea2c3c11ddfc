/*
 * fuzz_aliases.c -- an address in the first line, then a file of aliases; or an :include: file, if that
 * line is empty.  In pieces of any size it reads as the same, which is what a plain reading of the whole
 * text finds: the name, its line, and all that stands behind it.  Of that each target is one of the
 * pieces between commas, is nothing that may be taken for another thing, and written anew reads back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../smtp-stdio/aliases.h"
#include "fuzz.h"

enum {
	FILE_MAX = 4096,
	NAMES = 3,
	LIST_MAX = FILE_MAX,
	AGAIN_MAX = FILE_MAX * 8 /* a target of one octet has two quotes, comma, and line end */
};

/* ---- what was read --------------------------------------------------------------------------- */

struct list {
	size_t count;
	enum target_kind kind[LIST_MAX];
	enum verdict verdict[LIST_MAX];
	unsigned line[LIST_MAX];
	const char *why;
	char *text[LIST_MAX];
};

struct result {
	enum alias_found found;
	struct alias_entry entry;
	struct list list;
};

static void
forget(struct result *r)
{
	for (size_t i = 0; i < r->list.count; i++)
		free(r->list.text[i]);
	r->list.count = 0;
}

static void
read_targets(struct targets *targets, struct list *list)
{
	static struct target target;

	for (list->count = 0; list->count < LIST_MAX; list->count++) {
		size_t at = targets->at;
		memset(&target, 0xa5, sizeof target);
		enum target_kind kind = targets_next(targets, &target);
		demand(targets->at <= targets->len, "aliases: read beyond the end");
		if (kind == TARGET_END)
			return;
		demand(targets->at > at || kind == TARGET_WRONG, "aliases: stands still");
		list->kind[list->count] = kind;
		list->line[list->count] = target.line;
		list->verdict[list->count] = target.verdict;
		list->why = kind == TARGET_WRONG ? target.why : NULL;
		list->text[list->count] = kind == TARGET_WRONG ? NULL : strdup(target.text);
	}
	demand(false, "aliases: no end of targets");
}

static void
read_in(struct result *r, const struct alias_name *names, size_t count, const char *file,
    size_t len, size_t piece)
{
	static struct aliases a;
	bool more = true;

	forget(r);
	memset(&a, 0xa5, sizeof a);
	memset(&r->entry, 0x5a, sizeof r->entry);
	aliases_begin(&a, names, count, &r->entry);
	for (size_t at = 0; more && at < len; at += piece)
		more = aliases_read(&a, file + at, piece < len - at ? piece : len - at);
	r->found = aliases_end(&a);
	if (r->found == ALIAS_FOUND) {
		struct targets *targets = &r->entry.targets;
		read_targets(targets, &r->list);
		targets->at = 0;
	}
}

static void
same_lists(const struct list *a, const struct list *b, const char *what)
{
	demand(a->count == b->count && (a->count == 0 || a->why == b->why), what);
	for (size_t i = 0; i < a->count; i++) {
		demand(a->kind[i] == b->kind[i], what);
		demand(a->kind[i] == TARGET_WRONG || strcmp(a->text[i], b->text[i]) == 0, what);
		demand(a->kind[i] != TARGET_ERROR || a->verdict[i] == b->verdict[i], what);
	}
}

static void
same(const struct result *a, const struct result *b, const char *what)
{
	demand(a->found == b->found, what);
	if (a->found == ALIAS_NONE)
		return;
	demand(a->entry.line == b->entry.line, what);
	demand(a->found != ALIAS_WRONG || a->entry.why == b->entry.why, what);
	if (a->found == ALIAS_FOUND)
		same_lists(&a->list, &b->list, what);
}

/* ---- a plain reading of the whole text ------------------------------------------------------- */

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool
one_of(char c, const char *set)
{
	return c != 0 && strchr(set, c) != NULL;
}

static bool
bad(char c)
{
	return ((unsigned char)c < ' ' && !blank(c)) || c == 0x7f;
}

/* A name in one form: the local part between quotes, all in small letters. */
struct form {
	char text[FILE_MAX * 2 + 8];
	size_t len;
};

static void
put(struct form *f, char c)
{
	f->text[f->len++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	f->text[f->len] = 0;
}

/* In quotes: no tab either. */
static const char *
form_quoted(const char *c, const char *end, struct form *f)
{
	while (c < end && *c != '"') {
		c += *c == '\\' && c + 1 < end;
		if (bad(*c) || one_of(*c, "\t\r"))
			return NULL;
		put(f, *c++);
	}
	return c < end ? c + 1 : NULL;
}

static const char *
form_unquoted(const char *c, const char *end, struct form *f)
{
	while (c < end && !one_of(*c, ":@\",()<>;")) {
		const char *from = c;
		while (c < end && blank(*c))
			c++;
		if (c > from && c < end && !one_of(*c, ":@\",()<>;"))
			put(f, ' ');
		if (c > from)
			continue;
		c += *c == '\\' && c + 1 < end;
		if (bad(*c) || one_of(*c, "\t\r"))
			return NULL;
		put(f, *c++);
	}
	return c;
}

/* Where the name that a line begins with ends, behind its colon; NULL if it is none. */
static const char *
form_of(const char *c, const char *end, struct form *f)
{
	bool domain = false, literal = false;

	f->len = 0;
	put(f, '"');
	c = *c == '"' ? form_quoted(c + 1, end, f) : form_unquoted(c, end, f);
	if (c == NULL)
		return NULL;
	put(f, '"');
	if (c < end && *c == '@') {
		put(f, *c++);
		for (; c < end && !blank(*c) && (literal || !one_of(*c, ":@\",()<>;")); c++) {
			if (bad(*c))
				return NULL;
			literal = *c == '[' || (literal && *c != ']');
			put(f, *c);
			domain = true;
		}
		if (!domain)
			return NULL;
	}
	while (c < end && blank(*c))
		c++;
	return c < end && *c == ':' && f->len > 2 ? c + 1 : NULL;
}

struct reading {
	enum alias_found found;
	unsigned line;
	size_t name;
	char text[FILE_MAX + 2]; /* all that stands behind it */
};

/* The lines of a file, one after the other. */
struct line {
	const char *text, *end, *first, *next;
};

static struct line
cut(const char *file, const char *end)
{
	const char *lf = memchr(file, '\n', (size_t)(end - file));
	struct line l = {file, lf != NULL ? lf : end, file, lf != NULL ? lf + 1 : end};

	while (l.first < l.end && blank(*l.first))
		l.first++;
	return l;
}

static bool
says_nothing(const struct line *l)
{
	return l->first == l->end || *l->first == '#';
}

/* What stands in lines from there on that continue it; at the end no empty ones. */
static void
gather(char *out, struct line l, const char *text, const char *end, bool list)
{
	size_t n = 0, keep = 0;

	for (;;) {
		if (!says_nothing(&l) || text != l.text) {
			memcpy(out + n, text, (size_t)(l.end - text));
			n += (size_t)(l.end - text);
			keep = n + 1;
		}
		out[n++] = '\n';
		if (l.next >= end)
			break;
		l = cut(l.next, end);
		text = l.text;
		if (!list && !says_nothing(&l) && l.first == l.text)
			break;
	}
	out[keep] = 0;
}

static void
look(struct reading *r, const struct form *wanted, size_t count, const char *file, size_t len)
{
	static struct form form;
	const char *end = file + len;
	bool begun = false;
	unsigned line = 1;

	*r = (struct reading){
	    .found = count == 0 ? ALIAS_FOUND : ALIAS_NONE, .line = 1, .name = count};
	if (count == 0 && len > 0)
		gather(r->text, cut(file, end), file, end, true);
	for (struct line l = {.next = file}; l.next < end; line++) {
		l = cut(l.next, end);
		bool nothing = says_nothing(&l), name = l.first == l.text && !nothing && count > 0;
		if (name && r->name == 0)
			return; /* the first of the names is whole */
		const char *rest = name ? form_of(l.text, l.end, &form) : NULL;
		if (memchr(l.text, 0, (size_t)(l.end - l.text)) != NULL || (name && rest == NULL) ||
		    (!name && !nothing && !begun && count > 0)) {
			r->found = ALIAS_WRONG;
			r->line = line;
			return;
		}
		begun = begun || name;
		for (size_t i = 0; name && i < r->name; i++)
			if (strcmp(form.text, wanted[i].text) == 0) {
				r->found = ALIAS_FOUND;
				r->line = line;
				r->name = i;
				gather(r->text, l, rest, end, false);
			}
	}
}

static void
compare(const struct result *r, const struct reading *plain)
{
	demand(r->found == plain->found, "aliases: found another thing");
	demand(r->found == ALIAS_NONE || r->entry.line == plain->line, "aliases: in another line");
	demand(r->found != ALIAS_WRONG || r->entry.why != NULL, "aliases: a fault without a name");
	if (r->found != ALIAS_FOUND)
		return;
	demand(r->entry.name == plain->name, "aliases: another name");
	demand(r->entry.targets.len == strlen(plain->text) &&
		   strcmp(r->entry.targets.text, plain->text) == 0,
	    "aliases: another entry");
}

/* ---- targets --------------------------------------------------------------------------------- */

/* The pieces with something in them between commas that count, and the lines in which they begin; no
   error: among them. */
static size_t
pieces(const char *text, bool list, unsigned line, unsigned lines[LIST_MAX])
{
	size_t count = 0, depth = 0;
	bool some = false, quoted = false;

	for (const char *c = text; *c != 0; c++) {
		bool before = some;
		if (*c == '\\' && c[1] != 0) {
			some = some || depth == 0;
			c++;
		} else if (quoted || (*c == '"' && depth == 0)) {
			quoted = *c == '"' ? !quoted : quoted;
			some = true;
		} else if (*c == '(' || (*c == ')' && depth > 0)) {
			depth = *c == '(' ? depth + 1 : depth - 1;
		} else if (depth == 0 && *c == '#' && c > text && (blank(c[-1]) || c[-1] == '\n')) {
			c += strcspn(c, "\n") - 1;
		} else if (depth == 0 && (*c == ',' || (list && *c == '\n'))) {
			count += some;
			some = false;
		} else if (depth == 0 && !blank(*c) && *c != '\n') {
			some = true;
		}
		if (some && !before)
			lines[count] = line;
		line += *c == '\n';
	}
	return count + some;
}

static void
check_error(const char *text, enum verdict verdict)
{
	const char *words = answer_after_status(text, verdict == VERDICT_LATER ? '4' : '5');

	demand(strlen(text) <= ANSWER_TEXT_MAX && words != NULL && *words != 0,
	    "aliases: a reply that is no text behind an enhanced code");
	demand(verdict == VERDICT_LATER || verdict == VERDICT_NEVER || verdict == VERDICT_MOVED,
	    "aliases: an error that is none");
}

static void
check_path(const char *text, bool domain)
{
	const char *at = strchr(text, '@');

	demand(
	    strlen(text) >= 1 && strlen(text) <= NEW_PATH_MAX, "aliases: a path of another length");
	demand(strpbrk(text, " \t\",<>()\\;") == NULL, "aliases: not one path");
	demand(strchr("-|/:.@~", text[0]) == NULL, "aliases: a path that is none");
	demand((at != NULL) == domain, "aliases: a user with a domain, or an address without one");
	demand(at == NULL || (at[1] != 0 && strpbrk(at + 1, "@/%|-") != at + 1 &&
				 strpbrk(at + 1, "@/%|") == NULL),
	    "aliases: an address with a domain that is none");
}

static void
check_target(const struct list *list, size_t i, bool included)
{
	const char *text = list->text[i];

	for (const char *c = text; c != NULL && *c != 0; c++)
		demand(*c >= ' ' && *c <= '~', "aliases: an octet that cannot be said");
	demand(!included || list->kind[i] == TARGET_USER || list->kind[i] == TARGET_EXACT ||
		   list->kind[i] == TARGET_ADDRESS || list->kind[i] == TARGET_WRONG,
	    "aliases: an :include: file with more than addresses");
	switch (list->kind[i]) {
	case TARGET_USER:
	case TARGET_EXACT:
	case TARGET_ADDRESS:
		check_path(text, list->kind[i] == TARGET_ADDRESS);
		break;
	case TARGET_COMMAND:
		demand(text[0] != 0 && text[0] != ' ', "aliases: no command");
		break;
	case TARGET_FILE:
	case TARGET_INCLUDE:
		demand(text[0] == '/', "aliases: a path from somewhere");
		break;
	case TARGET_ERROR:
		check_error(text, list->verdict[i]);
		break;
	case TARGET_WRONG:
		demand(list->why != NULL && i == list->count - 1, "aliases: more behind a fault");
		break;
	case TARGET_END:
		demand(false, "aliases: no end");
	}
}

static void
check(const struct result *r)
{
	static unsigned lines[LIST_MAX];
	const struct targets *t = &r->entry.targets;
	const struct list *list = &r->list;
	size_t n = pieces(t->text, t->list, r->entry.line, lines);
	bool errors = false, wrong = list->count > 0 && list->kind[list->count - 1] == TARGET_WRONG;

	demand(list->count > 0 || t->list, "aliases: a name for nothing");
	for (size_t i = 0; i < list->count; i++) {
		check_target(list, i, t->list);
		demand(errors || list->kind[i] == TARGET_WRONG || list->line[i] == lines[i],
		    "aliases: a target in another line");
		errors = errors || list->kind[i] == TARGET_ERROR;
	}
	demand(
	    wrong ? list->count <= n + 1 : errors || list->count == n, "aliases: another number");
}

/* What is nothing but words with commas between them is just that. */
static void
literally(const struct result *r)
{
	char words[FILE_MAX + 2], *word, *rest = words;
	size_t i = 0;

	for (const char *c = r->entry.targets.text; *c != 0; c++)
		if (!one_of(*c, "abcdefghijklmnopqrstuvwxyz0123456789@.,/+ ") && c[1] != 0)
			return;
	(void)strcpy(words, r->entry.targets.text);
	while ((word = strsep(&rest, ",\n")) != NULL) {
		word += strspn(word, " ");
		size_t len = strcspn(word, " ");
		bool several = word[len + strspn(word + len, " ")] != 0;
		word[len] = 0;
		if (*word == 0)
			continue;
		demand(i < r->list.count, "aliases: a word is missing");
		if (r->list.kind[i] == TARGET_WRONG)
			return;
		demand(!several, "aliases: two words are one");
		demand(strcmp(r->list.text[i], word) == 0, "aliases: another word");
		demand(r->list.kind[i] == (*word == '/'                   ? TARGET_FILE
					      : strchr(word, '@') != NULL ? TARGET_ADDRESS
									  : TARGET_USER),
		    "aliases: a word of another kind");
		i++;
	}
}

/* ---- written anew ---------------------------------------------------------------------------- */

static char *
quote(char *out, const char *text)
{
	for (; *text != 0; text++) {
		if (*text == '"' || *text == '\\')
			*out++ = '\\';
		*out++ = *text;
	}
	return out;
}

static const char *
code_of(const char *text, enum verdict verdict)
{
	char status[16];

	(void)snprintf(status, sizeof status, "%.*s", (int)strcspn(text, " "), text);
	const char *code = verdict == VERDICT_MOVED ? "551" : answer_code(status);
	return code != NULL ? code : verdict == VERDICT_LATER ? "451" : "550";
}

/* "error:", the code, the text, and of that for 551 the path alone. */
static char *
print_error(char *out, const char *text, enum verdict verdict)
{
	out += sprintf(out, "error:%s ", code_of(text, verdict));
	if (verdict != VERDICT_MOVED)
		return quote(out, text);
	const char *path = strrchr(text, '<');
	demand(path != NULL && path[strlen(path) - 1] == '>', "aliases: moved to nowhere");
	return out + sprintf(out, "%.*s %.*s", (int)strcspn(text, " "), text, (int)strlen(path) - 2,
			 path + 1);
}

/* The list as it would be written by somebody who trusts nobody. */
static size_t
print(char *out, const struct list *list)
{
	static const char *const before[] = {[TARGET_EXACT] = "\\\\",
	    [TARGET_COMMAND] = "|",
	    [TARGET_INCLUDE] = ":include:",
	    [TARGET_WRONG] = ""};
	char *begin = out;

	for (size_t i = 0; i < list->count; i++) {
		const char *front = before[list->kind[i]];
		*out++ = '"';
		if (list->kind[i] == TARGET_ERROR)
			out = print_error(out, list->text[i], list->verdict[i]);
		else
			out = quote(
			    out + sprintf(out, "%s", front != NULL ? front : ""), list->text[i]);
		out += sprintf(out, "\",\n# \n\t");
	}
	return (size_t)(out - begin);
}

static void
read_back(const struct result *r, struct result *again)
{
	static char file[AGAIN_MAX + 64];
	static const struct alias_name name = {"x", NULL};
	bool list = r->entry.targets.list;

	if (r->list.count == 0 || r->list.kind[r->list.count - 1] == TARGET_WRONG)
		return;
	size_t n = (size_t)sprintf(file, "%s", list ? "# \n" : "x: # y\n ");
	n += print(file + n, &r->list);
	n += (size_t)sprintf(file + n, "\n");
	demand(n < sizeof file, "aliases: no room to write");
	read_in(again, &name, list ? 0 : 1, file, n, sizeof file);
	demand(again->found == ALIAS_FOUND, "aliases: written anew it is not there");
	same_lists(&r->list, &again->list, "aliases: written anew it is another");
}

/* ---- the input ------------------------------------------------------------------------------- */

/* The names that are looked for, as the plain reading compares them. */
static void
form_names(struct form forms[NAMES], const struct alias_name *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *local = names[i].local;
		size_t len = strlen(local);
		forms[i].len = 0;
		put(&forms[i], '"');
		if (len >= 2 && local[0] == '"' && local[len - 1] == '"') {
			for (const char *c = local + 1; c < local + len - 1; c++) {
				c += *c == '\\' && c + 1 < local + len - 1;
				put(&forms[i], *c);
			}
		} else {
			for (const char *c = local; *c != 0; c++)
				put(&forms[i], *c);
		}
		put(&forms[i], '"');
		for (const char *c = names[i].domain; c != NULL && *c != 0; c++) {
			if (c == names[i].domain)
				put(&forms[i], '@');
			put(&forms[i], *c);
		}
	}
}

/* "local@domain" into three names, or "local" into one. */
static size_t
split(char *address, struct alias_name names[NAMES])
{
	char *at = strrchr(address, '@');

	if (address[0] == 0)
		return 0;
	if (at == NULL || at[1] == 0) {
		names[0] = (struct alias_name){address, NULL};
		return 1;
	}
	*at = 0;
	names[0] = (struct alias_name){address, at + 1};
	names[1] = (struct alias_name){address, NULL};
	names[2] = (struct alias_name){"", at + 1};
	return 3;
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static char address[LOCAL_MAX + 1];
	static struct result whole, cut_up;
	static struct reading plain;
	static struct form forms[NAMES];
	struct alias_name names[NAMES];

	if (size < 2 || size > FILE_MAX)
		return 0;
	const char *lf = memchr(data + 1, '\n', size - 1);
	size_t n = lf != NULL ? (size_t)(lf - (const char *)data) - 1 : 0;
	if (lf == NULL || n > LOCAL_MAX || memchr(data + 1, 0, n) != NULL)
		return 0;
	memcpy(address, data + 1, n);
	address[n] = 0;
	size_t count = split(address, names), len = size - n - 2;

	read_in(&whole, names, count, lf + 1, len, FILE_MAX);
	read_in(&cut_up, names, count, lf + 1, len, 1 + data[0] % 64U);
	same(&whole, &cut_up, "aliases: in pieces it reads as another");
	form_names(forms, names, count);
	look(&plain, forms, count, lf + 1, len);
	compare(&whole, &plain);
	if (whole.found != ALIAS_FOUND)
		return 0;
	check(&whole);
	literally(&whole);
	read_back(&whole, &cut_up);
	return 0;
}
