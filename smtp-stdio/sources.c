/* sources.c -- see sources.h. */
#include "sources.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

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
static void
set(struct client *client, int family, const unsigned char *octets)
{
	client->counted = inet_ntop(family, octets, client->text, sizeof client->text) != NULL;
	client->source = number(octets, family == AF_INET ? 4 : SOURCE_OCTETS);
}

/* An IPv4 address that came to an IPv6 socket is written, and counted, as what it is. */
void
client_from(struct client *client, const struct sockaddr_storage *name)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	*client = (struct client){.text = "local"};
	if (name->ss_family == AF_INET) {
		memcpy(&v4, name, sizeof v4);
		set(client, AF_INET, (const unsigned char *)&v4.sin_addr);
	} else if (name->ss_family == AF_INET6) {
		memcpy(&v6, name, sizeof v6);
		if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
			set(client, AF_INET, v6.sin6_addr.s6_addr + 12);
		else
			set(client, AF_INET6, v6.sin6_addr.s6_addr);
	}
}

/*
 * The source's place, or one for it: of those without a session that whose last connection is the
 * longest ago.  A walk through a thousand places takes a microsecond, and the start of a session
 * hundreds; nor can anybody choose addresses that make it longer.
 */
static struct source *
place_of(const struct sources *sources, uint64_t source)
{
	struct source *free = NULL;

	for (size_t i = 0; i < sources->size; i++) {
		struct source *s = &sources->table[i];
		if (s->source == source && s->taken > 0)
			return s;
		if (s->sessions == 0 && (free == NULL || s->second < free->second))
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
