/*
 * fuzz_environment.c -- what a program is told of a message: the parts of an address, and variables that
 * hold nothing a shell would take for more than a letter.
 *
 * Input: two octets, a bit for each of the lines that is not told; lines for the address of the
 * recipient, the id, sender, client's address, HELO's name, protocol, our name, user and home.
 */
#include "../smtp-stdio/environment.h"

#include <ctype.h>
#include <strings.h>

#include "../smtp-stdio/place.h"
#include "fuzz.h"

enum {
	TEXTS = 9,
	TEXT_MOST = 2 * PATH_OCTETS
};

static char texts[TEXTS][TEXT_MOST];

/* ---- the parts of an address ------------------------------------------------------------------- */

/* An address that recipient_rule() lets pass, cut at its last '@'. */
static bool
cut(const char *address, char local[LOCAL_MAX + 1], char domain[DOMAIN_MAX + 1])
{
	size_t len = strlen(address);

	while (len > 0 && address[len - 1] != '@')
		len--;
	bool bare = len == 0;
	size_t end = bare ? strlen(address) : len - 1;
	if (end > LOCAL_MAX || strlen(address + len) > DOMAIN_MAX)
		return false;
	(void)snprintf(local, LOCAL_MAX + 1, "%.*s", (int)end, address);
	(void)snprintf(domain, DOMAIN_MAX + 1, "%s", bare ? "" : address + len);
	return true;
}

static void
check_recipient(const struct facts *f, const char *local, const char *domain)
{
	char whole[MAILBOX_MAX + 1];

	(void)snprintf(whole, sizeof whole, "%s@%s", local, domain);
	demand(strcmp(f->local, local) == 0 && strcmp(f->domain, domain) == 0 &&
		   strcmp(f->recipient, whole) == 0 && strcmp(f->original, texts[0]) == 0,
	    "place: another recipient");
}

static void
check_places(const char *local, const char *domain)
{
	static struct place place;
	struct facts f = {0};

	place_facts(NULL, texts[0], &f);
	check_recipient(&f, local, domain);
	demand(f.user == NULL && f.home == NULL && f.extension[0] == 0, "place: a user of nobody");

	place_small(place.local, local, strlen(local));
	place_small(place.domain, domain, strlen(domain));
	(void)strcpy(place.user, place.local);
	demand(strcasecmp(place.local, local) == 0, "place: another name");
	for (const char *c = place.local; *c != 0; c++)
		demand(*c < 'A' || *c > 'Z', "place: a capital letter");
	place_facts(&place, texts[0], &f);
	check_recipient(&f, place.local, place.domain);
	demand((place.user[0] == 0) == (f.user == NULL) && f.home == NULL, "place: another user");
}

/* ---- variables --------------------------------------------------------------------------------- */

/* The value of the variable of that name, of which there is at most one. */
static const char *
find(const struct environment *e, const char *name)
{
	const char *value = NULL;
	size_t len = strlen(name);

	for (size_t i = 0; e->variables[i] != NULL; i++) {
		if (strncmp(e->variables[i], name, len) != 0 || e->variables[i][len] != '=')
			continue;
		demand(value == NULL, "environment: a variable twice");
		value = e->variables[i] + len + 1;
	}
	return value;
}

/* Of ASCII letters, digits and what Postfix lets pass; a '_' for each other octet that is ASCII. */
static void
check_clean(const struct environment *e, const char *name, const char *fact)
{
	const char *value = find(e, name);
	size_t len = value != NULL ? strlen(value) : 0;

	demand((value != NULL) == (fact != NULL), "environment: told or not, wrongly");
	if (fact == NULL)
		return;
	demand(len == strlen(fact) || (len >= PATH_OCTETS && len < strlen(fact)),
	    "environment: cut too early");
	for (size_t i = 0; i < len; i++) {
		bool plain = isalnum((unsigned char)fact[i]) || (fact[i] & 0x80) != 0 ||
			     strchr("!@%_+=:,./", fact[i]) != NULL || (fact[i] == '-' && i > 0);
		demand(value[i] == (plain ? fact[i] : '_'), "environment: another octet");
	}
}

static void
check_variables(const struct facts *f)
{
	static struct environment e;
	char size[24] = "";

	environment_make(&e, f);
	const struct {
		const char *name, *fact;
	} all[] = {{"USER", f->user}, {"LOGNAME", f->user}, {"SENDER", f->sender},
	    {"RECIPIENT", f->recipient}, {"ORIGINAL_RECIPIENT", f->original}, {"LOCAL", f->local},
	    {"DOMAIN", f->domain}, {"HOST", f->domain}, {"EXTENSION", f->extension},
	    {"EXT", f->extension}, {"CLIENT_ADDRESS", f->address}, {"CLIENT_HELO", f->helo},
	    {"CLIENT_PROTOCOL", f->protocol}, {"QUEUE_ID", f->id}, {"HOSTNAME", f->hostname},
	    {"SIZE", size}};
	size_t count = 2; /* PATH and SHELL */

	if (f->size > 0)
		(void)snprintf(size, sizeof size, "%llu", (unsigned long long)f->size);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		check_clean(&e, all[i].name, all[i].fact);
		count += all[i].fact != NULL;
	}
	const char *home = find(&e, "HOME");
	demand((home != NULL) == (f->home != NULL) &&
		   (home == NULL || strncmp(home, f->home, PATH_OCTETS) == 0),
	    "environment: another home");
	count += home != NULL;
	const char *path = find(&e, "PATH"), *shell = find(&e, "SHELL");
	demand(path != NULL && strcmp(path, "/usr/local/bin:/usr/bin:/bin") == 0 && shell != NULL &&
		   strcmp(shell, "/bin/sh") == 0,
	    "environment: another shell");
	while (count > 0)
		demand(e.variables[--count] != NULL, "environment: too few variables");
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char local[LOCAL_MAX + 1], domain[DOMAIN_MAX + 1];
	struct input in = {data, size};
	struct facts f = {0};

	unsigned hidden = input_octet(&in) << 8;
	hidden |= input_octet(&in);
	const char **facts[TEXTS] = {NULL, &f.id, &f.sender, &f.address, &f.helo, &f.protocol,
	    &f.hostname, &f.user, &f.home};
	for (unsigned i = 0; i < TEXTS; i++) {
		const char *text = input_line(&in, texts[i], sizeof *texts);
		if (facts[i] != NULL && (hidden >> i & 1) == 0)
			*facts[i] = text;
	}
	f.size = hidden & 1 ? hidden : 0;
	if (cut(texts[0], local, domain)) {
		check_places(local, domain);
		const char *user = f.user, *home = f.home;
		place_facts(NULL, texts[0], &f);
		demand(f.user == user && f.home == home, "place: another user");
	}
	check_variables(&f);
	return 0;
}
