/* arguments.c -- see arguments.h.  Runs as the monitor. */
#include "arguments.h"

#include <stdio.h>
#include <string.h>

#include "../sandbox/large.h"
#include "users.h"

/* What holds for a mailbox whatever is to be done there; how many words it is. */
static size_t
mailbox(const struct config *config, const struct place *place, const char **argv)
{
	size_t n = 0;

	argv[n++] = config->text[KEY_DELIVER_PATH];
	if (config->number[KEY_LANDLOCK])
		argv[n++] = "-L";
	if (config->number[KEY_OVER_QUOTA])
		argv[n++] = "-Q";
	if (users_folder(place)[0] != 0) {
		argv[n++] = "-e";
		argv[n++] = place->extension;
	}
	return n;
}

static void
end(const struct place *place, const char **argv, size_t n)
{
	argv[n++] = "--";
	argv[n++] = place->text;
	argv[n] = NULL;
}

/* The address that the i-th place is for, or NULL if the one before is for it, too. */
static const char *
address_of(const struct envelope *envelope, const struct copy *copy, size_t i)
{
	size_t address = copy->places[i]->address;

	return i > 0 && address == copy->places[i - 1]->address ? NULL
								: envelope->addresses[address];
}

void
arguments_deliver(const struct config *config, const struct envelope *envelope,
    const struct copy *copy, const char *argv[ARGUMENTS])
{
	size_t n = mailbox(config, copy->places[0], argv);
	const char *address;

	argv[n++] = "-n";
	argv[n++] = copy->unique;
	if (config->number[KEY_CREATE_MAILBOX])
		argv[n++] = "-m";
	argv[n++] = "-c";
	argv[n++] = "3"; /* SPAWN_HAND */
	argv[n++] = "-f";
	argv[n++] = envelope->sender;
	for (size_t i = 0; i < copy->count; i++) {
		if ((address = address_of(envelope, copy, i)) == NULL)
			continue;
		argv[n++] = "-r";
		argv[n++] = address;
	}
	end(copy->places[0], argv, n);
}

void
arguments_take_back(
    const struct config *config, const struct copy *copy, const char *argv[ARGUMENTS])
{
	size_t n = mailbox(config, copy->places[0], argv);

	argv[n++] = "-n";
	argv[n++] = copy->unique;
	argv[n++] = "-x";
	end(copy->places[0], argv, n);
}

void
arguments_ask(const struct config *config, const struct place *place, const char *size,
    const char *argv[ARGUMENTS_ASK])
{
	size_t n = mailbox(config, place, argv);

	argv[n++] = "-q";
	argv[n++] = size;
	end(place, argv, n);
}

size_t
arguments_next(
    const struct envelope *envelope, const struct copy *copy, char packet[HELPER_NEXT_MAX])
{
	size_t n = 1;

	packet[0] = 'n';
	for (size_t i = 0; i < 2 + copy->count; i++) {
		const char *word = i == 0   ? copy->unique
				   : i == 1 ? envelope->sender
					    : address_of(envelope, copy, i - 2);
		size_t len = word != NULL ? strlen(word) + 1 : 0;
		if (len > HELPER_NEXT_MAX - n)
			return 0;
		memcpy(packet + n, word != NULL ? word : "", len);
		n += len;
	}
	return n;
}

/* The words of DeliverCommand, blanks between them; a word that is "%u", "%d", "%r" or "%s" is the
   user, the domain, the recipient or the sender. */
static void
command(const struct envelope *envelope, const struct place *place, char *words, const char **argv)
{
	char *rest = words, *word;
	size_t n = 0;

	while (n < WORDS_MAX && (word = strtok_r(n == 0 ? words : NULL, " \t", &rest)) != NULL)
		argv[n++] = strcmp(word, "%s") == 0   ? envelope->sender
			    : strcmp(word, "%r") == 0 ? envelope->addresses[place->address]
			    : strcmp(word, "%u") == 0 ? place->user
			    : strcmp(word, "%d") == 0 ? place->domain
						      : word;
	argv[n] = NULL;
}

/* The words of ForwardCommand: "%r" is the addresses elsewhere, each a word, and there is no user or
   domain of ours. */
static void
forward(const struct envelope *envelope, const struct copy *copy, char *words, const char **argv)
{
	char *rest = words, *word;
	size_t n = 0;

	_Static_assert(WORDS_MAX + PLACES_MOST <= ARGUMENTS, "config.c has seen to one %r");
	for (size_t i = 0; i < WORDS_MAX; i++) {
		word = strtok_r(i == 0 ? words : NULL, " \t", &rest);
		if (word == NULL)
			break;
		if (strcmp(word, "%r") != 0) {
			argv[n++] = strcmp(word, "%s") == 0 ? envelope->sender : word;
			continue;
		}
		for (size_t j = 0; j < copy->count; j++)
			argv[n++] = copy->places[j]->text;
	}
	argv[n] = NULL;
}

void
arguments_foreign(const struct config *config, const struct envelope *envelope,
    const struct copy *copy, const char *argv[ARGUMENTS])
{
	static LARGE char words[VALUE_MAX + 1];
	const struct place *place = copy->places[0];
	bool elsewhere = place->kind == PLACE_FORWARD;

	(void)snprintf(words, sizeof words, "%s",
	    config->text[elsewhere ? KEY_FORWARD_COMMAND : KEY_DELIVER_COMMAND]);
	if (elsewhere) {
		forward(envelope, copy, words, argv);
	} else if (place->text[0] == 0) {
		command(envelope, place, words, argv);
	} else {
		argv[0] = "/bin/sh";
		argv[1] = "-c";
		argv[2] = place->text;
		argv[3] = NULL;
	}
}
