/* environment.c -- see environment.h. */
#include "environment.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void
clean(char *value)
{
	static const char plain[] = "!@%-_+=:,./0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (*value == '-') /* it would be an option where it becomes a word */
		*value = '_';
	for (char *c = value; *c != 0; c++)
		if ((unsigned char)*c < 0x80 && strchr(plain, *c) == NULL)
			*c = '_';
}

void
environment_make(struct environment *environment, const struct facts *facts)
{
	char size[24] = "";

	if (facts->size > 0)
		(void)snprintf(size, sizeof size, "%llu", (unsigned long long)facts->size);
	const struct {
		const char *name, *value;
		bool ours; /* the administrator's, and nothing of a client's */
	} all[VARIABLES] = {{"PATH=", "/usr/local/bin:/usr/bin:/bin", true},
	    {"SHELL=", "/bin/sh", true}, {"HOME=", facts->home, true},
	    {"USER=", facts->user, false}, {"LOGNAME=", facts->user, false},
	    {"SENDER=", facts->sender, false}, {"RECIPIENT=", facts->recipient, false},
	    {"ORIGINAL_RECIPIENT=", facts->original, false}, {"LOCAL=", facts->local, false},
	    {"DOMAIN=", facts->domain, false}, {"HOST=", facts->domain, false},
	    {"EXTENSION=", facts->extension, false}, {"EXT=", facts->extension, false},
	    {"CLIENT_ADDRESS=", facts->address, false}, {"CLIENT_HELO=", facts->helo, false},
	    {"CLIENT_PROTOCOL=", facts->protocol, false}, {"QUEUE_ID=", facts->id, false},
	    {"SIZE=", size, false}, {"HOSTNAME=", facts->hostname, false}};
	size_t n = 0;

	for (size_t i = 0; i < VARIABLES; i++) {
		if (all[i].value == NULL)
			continue;
		char *text = environment->text[n];
		(void)snprintf(text, sizeof *environment->text, "%s%s", all[i].name, all[i].value);
		if (!all[i].ours)
			clean(text + strlen(all[i].name));
		environment->variables[n++] = text;
	}
	environment->variables[n] = NULL;
}
