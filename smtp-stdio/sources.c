/* sources.c -- see sources.h. */
#include "sources.h"

#include <string.h>

#include "endpoint.h"

/* The octets as a number. */
static uint64_t
number(const unsigned char *octets, size_t len)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++)
		n = n << 8 | octets[i];
	return n;
}

/* An IPv4 address stands where IPv6 has no host's: 0::/8 is reserved (RFC 4291 4). */
void
client_from(struct client *client, const struct sockaddr_storage *name)
{
	struct endpoint there;

	endpoint_from(&there, name);
	(void)strcpy(client->text, there.text);
	client->counted = there.len > 0;
	client->source =
	    number(there.octets, there.len < SOURCE_OCTETS ? there.len : SOURCE_OCTETS);
}

/*
 * The source's place, or one for it: of those without a session that whose last connection is the
 * longest ago.  A walk through a thousand places takes a microsecond, and the start of a session
 * hundreds; nor can anybody choose addresses that make it longer.
 */
static struct source *
place_of(const struct sources *sources, uint64_t source)
{
	struct source *free = sources->table;

	for (size_t i = 0; i < sources->size; i++) {
		struct source *s = &sources->table[i];
		if (s->source == source && s->taken > 0)
			return s;
		if (s->sessions == 0 && (free->sessions > 0 || s->second < free->second))
			free = s;
	}
	*free = (struct source){.source = source};
	return free;
}

enum sources_verdict
sources_enter(struct sources *sources, const struct client *client, int64_t now)
{
	int64_t second = now / 1000;

	if (!client->counted)
		return SOURCES_YES;
	struct source *s = place_of(sources, client->source);
	if (s->sessions >= sources->most_sessions)
		return SOURCES_MANY;
	if (s->second != second)
		s->taken = 0;
	if (s->taken >= sources->most_per_second)
		return SOURCES_OFTEN;
	s->second = second;
	s->sessions++;
	s->taken++;
	return SOURCES_YES;
}

void
sources_leave(struct sources *sources, const struct client *client)
{
	if (client->counted)
		place_of(sources, client->source)->sessions--;
}
