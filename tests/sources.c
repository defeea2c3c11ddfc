/*
 * sources.c -- who counts as one source, and that limits hold, against a model that has room for all.
 *
 *   sources SEED
 *
 * Prints how many steps were taken of each kind.
 */
#include "../smtp-stdio/sources.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	STEPS = 300000,
	MANY = 400, /* sources of the model */
	SESSIONS = 24,
};

static int failed;

static void
expect(int is, const char *what)
{
	if (is)
		return;
	(void)printf("wrong: %s\n", what);
	failed = 1;
}

/* ---- who is one source --------------------------------------------------------------------- */

static struct client
client(const char *text)
{
	struct sockaddr_storage name = {0};
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct client client;

	name.ss_family = AF_UNIX;
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		memcpy(&name, &v4, sizeof v4);
	else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
		memcpy(&name, &v6, sizeof v6);
	client_from(&client, &name);
	return client;
}

static void
same(const char *left, const char *right, int want)
{
	struct client a = client(left), b = client(right);

	expect(a.counted && b.counted && (a.source == b.source) == want, left);
}

static void
identities(void)
{
	same("192.0.2.1", "192.0.2.1", 1);
	same("192.0.2.1", "192.0.2.2", 0);
	same("192.0.2.1", "192.0.3.1", 0);
	same("192.0.2.1", "::ffff:192.0.2.1", 1);
	same("::ffff:192.0.2.1", "::ffff:192.0.2.2", 0);
	same("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", 1);
	same("2001:db8:1:2::1", "2001:db8:1:3::1", 0);
	same("::1", "192.0.2.1", 0);
	same("::1", "127.0.0.1", 0);
	same("fe80::1", "fe80::2", 1);
	expect(strcmp(client("::ffff:192.0.2.1").text, "192.0.2.1") == 0, "a mapped address");
	expect(strcmp(client("2001:db8::1").text, "2001:db8::1") == 0, "an IPv6 address");
	expect(strcmp(client("/run/socket").text, "local") == 0, "a Unix socket");
	expect(!client("/run/socket").counted, "a Unix socket counts");
}

/* ---- limits -------------------------------------------------------------------------------- */

/* What one source has had, without a limit on how many are remembered. */
static struct model {
	unsigned sessions, taken;
	int64_t second;
} model[MANY];

static struct client
source(unsigned n)
{
	return (struct client){.counted = true, .source = 1 + n};
}

static enum sources_verdict
by_model(const struct sources *sources, unsigned n, int64_t now)
{
	struct model *m = &model[n];

	if (m->sessions == sources->most_sessions)
		return SOURCES_MANY;
	if (m->second != now / 1000)
		m->taken = 0;
	if (m->taken == sources->most_per_second)
		return SOURCES_OFTEN;
	m->second = now / 1000;
	m->sessions++;
	m->taken++;
	return SOURCES_YES;
}

/* A table with room for all that come does as the model; one with room for the sessions and one more
   source may forget how often a source came, and nothing else. */
static void
walk(size_t size, unsigned come, const char *name)
{
	static struct source table[MANY + SESSIONS];
	struct sources sources = {table, size, 3, 5};
	unsigned open[SESSIONS], count = 0, verdicts[3] = {0}, forgotten = 0;
	int64_t now = 5000;

	memset(table, 0, sizeof table);
	memset(model, 0, sizeof model);
	for (int step = 0; step < STEPS && !failed; step++) {
		now += rand() % 8;
		if (count == SESSIONS || (count > 0 && rand() % 2)) {
			unsigned i = (unsigned)rand() % count;
			struct client left = source(open[i]);
			sources_leave(&sources, &left);
			model[open[i]].sessions--;
			open[i] = open[--count];
			continue;
		}
		unsigned n = rand() % 2 ? (unsigned)rand() % come : (unsigned)rand() % 4;
		struct client entered = source(n);
		struct model before = model[n];
		enum sources_verdict want = by_model(&sources, n, now);
		enum sources_verdict got = sources_enter(&sources, &entered, now);
		if (want == SOURCES_OFTEN && got == SOURCES_YES && come > size) {
			forgotten++;
			before.sessions++;
			model[n] = before;
			want = got;
		}
		expect(got == want, name);
		verdicts[got]++;
		if (got == SOURCES_YES)
			open[count++] = n;
	}
	(void)printf("%s: %u taken, %u too many, %u too often, %u forgotten\n", name, verdicts[0],
	    verdicts[1], verdicts[2], forgotten);
	expect(verdicts[0] > 0 && verdicts[1] > 0 && verdicts[2] > 0, "a verdict never came");
}

int
main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	identities();
	walk(MANY + SESSIONS, MANY, "room for all");
	walk(SESSIONS + 1, MANY, "room for few");
	return failed;
}
