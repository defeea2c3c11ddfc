/* place.c -- see place.h.  Runs as the monitor. */
#include "place.h"

#include <stdio.h>
#include <string.h>

#include "../sandbox/large.h"

bool
place_is_maildir(const struct place *place)
{
	size_t n = strlen(place->text);

	return place->kind == PLACE_MAILBOX && n > 0 && place->text[n - 1] == '/';
}

void
place_small(char *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
	out[len] = 0;
}

void
place_facts(const struct place *place, const char *address, struct facts *facts)
{
	static LARGE char whole[MAILBOX_MAX + 1], local[LOCAL_MAX + 1];
	const char *at = strrchr(address, '@');
	size_t len = at != NULL ? (size_t)(at - address) : strlen(address);

	(void)snprintf(local, sizeof local, "%.*s", (int)len, address);
	facts->original = address;
	facts->local = place != NULL ? place->local : local;
	facts->domain = place != NULL ? place->domain : at != NULL ? at + 1 : "";
	facts->extension = place != NULL ? place->extension : "";
	(void)snprintf(whole, sizeof whole, "%s@%s", facts->local, facts->domain);
	facts->recipient = whole;
	if (place != NULL) {
		facts->user = place->user[0] != 0 ? place->user : NULL;
		facts->home = place->home[0] != 0 ? place->home : NULL;
	}
}
