/* verify.c -- VRFY and EXPN, of serve.h.  Runs as the monitor. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "serve.h"
#include "utf8.h"

enum {
	PATH_SHOWN = MAILBOX_MAX + sizeof "<>"
};
_Static_assert(PATH_SHOWN >= ANSWER_TEXT_MAX + 1, "an answer's text fits, too");

/* A place as it is told: the address of a user, or one elsewhere.  For a command or a file it is the
   list's own: nobody is told what those are. */
static void
show_place(const char *address, const struct place *place, char path[PATH_SHOWN])
{
	bool command = place->kind == PLACE_COMMAND && place->text[0] != 0; /* an alias's */

	if (place->kind == PLACE_FORWARD)
		(void)snprintf(path, PATH_SHOWN, "<%.*s>", NEW_PATH_MAX, place->text);
	else if (!command && place->user[0] != 0)
		(void)snprintf(path, PATH_SHOWN, "<%s@%s>", place->user, place->domain);
	else
		(void)snprintf(path, PATH_SHOWN, "<%s>", address);
}

/* It is ASCII, so that replies stay it (RFC 6531 3.7.4.2), and there is room for it beside so much. */
static bool
can_be_told(const char *path, size_t beside)
{
	size_t len = strlen(path);

	return beside + len <= ANSWER_TEXT_MAX && utf8_is_ascii((const unsigned char *)path, len);
}

/* What VRFY is told: the user where the address is one; a list has no other name than its own. */
static void
show_name(const char *address, const struct places *places, char text[PATH_SHOWN])
{
	if (places->count == 1)
		show_place(address, places->at, text);
	else
		(void)snprintf(text, PATH_SHOWN, "<%s>", address);
	if (!can_be_told(text, 0))
		text[0] = 0; /* 252 */
}

static bool
is_shown_before(const char *address, const struct places *places, size_t at, const char *path)
{
	char other[PATH_SHOWN];

	for (size_t i = 0; i < at; i++) {
		show_place(address, &places->at[i], other);
		if (strcasecmp(other, path) == 0)
			return true;
	}
	return false;
}

/* What EXPN is told: each member once, a blank between them, as many as a reply has lines and room for;
   and in the last word how many more there are.  The session makes a line of each word, so one with a
   blank in it is only counted.  If none can be told, it is 252. */
static void
show_members(const char *address, const struct places *places, char text[PATH_SHOWN])
{
	char path[PATH_SHOWN];
	size_t n = 0, lines = 0, more = 0;

	text[0] = 0;
	for (size_t i = 0; i < places->count; i++) {
		show_place(address, &places->at[i], path);
		if (is_shown_before(address, places, i, path))
			continue;
		if (lines == REPLY_LINES_MAX - 1 || strchr(path, ' ') != NULL ||
		    !can_be_told(path, n + MORE_SHOWN)) {
			more++;
			continue;
		}
		n += (size_t)snprintf(text + n, PATH_SHOWN - n, "%s%s", n > 0 ? " " : "", path);
		lines++;
	}
	if (more > 0 && lines > 0)
		(void)snprintf(text + n, PATH_SHOWN - n, " +%zu", more);
}

/* Answer with what `show` says of an address that is taken, if that is `allowed`; otherwise with
   nothing but `untold`, and without a look-up. */
static bool
tell(struct monitor *m, const struct request *request, bool allowed, enum verdict untold,
    void (*show)(const char *, const struct places *, char[PATH_SHOWN]))
{
	/* Behind those of the message, where nothing is yet. */
	struct places found = {
	    .at = m->places + m->places_count, .room = PLACES_MOST - m->places_count};
	char address[MAILBOX_MAX + 1], shown[PATH_SHOWN];
	bool whole = memchr(request->data, '@', request->len) != NULL;
	const char *text = "";

	if (!recipient_rule(request->data, request->len, true))
		return false;
	if (!allowed) {
		answer_set(&m->answer, untold, "");
		return true;
	}
	(void)snprintf(address, sizeof address, "%.*s%s%s", (int)request->len,
	    (const char *)request->data, whole ? "" : "@",
	    whole ? "" : recipient_domain(m->config));
	enum verdict verdict = recipient_find(m->config, address, &found, &text);
	if (verdict == VERDICT_YES) {
		show(address, &found, shown);
		text = shown;
	}
	answer_set(&m->answer, verdict, text);
	return true;
}

/* Untold, it is 252. */
bool
serve_verify(struct monitor *m, const struct request *request)
{
	return tell(m, request, m->config->number[KEY_VERIFY] != 0, VERDICT_YES, show_name);
}

/* Untold, it is 502. */
bool
serve_expand(struct monitor *m, const struct request *request)
{
	return tell(m, request, m->config->number[KEY_EXPAND] != 0, VERDICT_NEVER, show_members);
}
