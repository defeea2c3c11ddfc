/*
 * recipient.c -- see recipient.h.  Runs as the monitor.
 *
 * An address is a list of names to look up, which grows while aliases are found: each name has the
 * one that brought it about as its parent, so that a name which is one of its own parents is seen.
 */
#include "recipient.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "../sandbox/large.h"
#include "aliases.h"
#include "log.h"
#include "users.h"

static const char no_mailbox[] = "5.1.1 no such mailbox here";
static const char no_relay[] = "5.7.1 mail for this domain is not taken here";
static const char misconfigured[] = "4.3.5 the mailbox is misconfigured";

/* ---- what the session may send ------------------------------------------------------------- */

static bool
is_alnum(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool
recipient_host_rule(const unsigned char *host, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(host[i]) && (host[i] == 0 || strchr(".-_:[]", host[i]) == NULL))
			return false;
	return len >= 1 && len <= DOMAIN_MAX;
}

static bool
domain_rule(const unsigned char *domain, size_t len)
{
	bool literal = len > 2 && domain[0] == '[' && domain[len - 1] == ']';

	for (size_t i = 0; i < len; i++)
		if (literal ? domain[i] <= ' ' || domain[i] > '~'
			    : domain[i] < 0x80 && !recipient_host_rule(domain + i, 1))
			return false;
	return len >= 1 && len <= DOMAIN_MAX;
}

bool
recipient_rule(const unsigned char *mailbox, size_t len, bool name_only)
{
	const unsigned char *at = memrchr(mailbox, '@', len);
	size_t local = at != NULL ? (size_t)(at - mailbox) : len;

	if (local < 1 || local > LOCAL_MAX || len > MAILBOX_MAX)
		return false;
	if (at == NULL)
		return name_only ||
		       (len == 10 && strncasecmp((const char *)mailbox, "postmaster", len) == 0);
	return domain_rule(at + 1, len - local - 1);
}

/* ---- names --------------------------------------------------------------------------------- */

/* A name to be looked up. */
struct name {
	size_t parent; /* its place in the list; the first one's is its own */
	unsigned depth;
	unsigned line; /* of the alias that names it; 0: it is in an included file */
	bool exact;    /* a user, whatever aliases there are */
	char text[MAILBOX_MAX + 1];
};

struct search {
	const struct config *config;
	struct places *places;
	const char **text;  /* of the reply */
	const char *domain; /* of a name without one */
	unsigned line;      /* of the first name's alias; 0: it has none */
	size_t count;
	struct name names[NAMES_MOST];
};

/* The end of its local-part. */
static size_t
local_len(const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL ? (size_t)(at - address) : strlen(address);
}

static const char *
domain_of(const struct search *s, const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL ? at + 1 : s->domain;
}

static bool
is_served(const struct config *config, const char *domain)
{
	if (config->domains_count == 0)
		return true;
	for (size_t i = 0; i < config->domains_count; i++)
		if (strcasecmp(config->domains[i], domain) == 0)
			return true;
	return false;
}

static bool
is_local(const char *address, const char *name)
{
	size_t len = local_len(address);

	return len == strlen(name) && strncasecmp(address, name, len) == 0;
}

/* What a client or an alias named, with the domain behind it if it has none. */
static void
complete(char out[MAILBOX_MAX + 1], const char *address, const char *domain)
{
	bool bare = strchr(address, '@') == NULL;

	_Static_assert(NEW_PATH_MAX + 1 + DOMAIN_MAX <= MAILBOX_MAX, "it fits");
	(void)snprintf(
	    out, MAILBOX_MAX + 1, "%s%s%s", address, bare ? "@" : "", bare ? domain : "");
}

/* What the administrator must mend, and where. */
static enum verdict
wrong(struct search *s, const char *path, unsigned line, const char *why)
{
	char where[16] = "";

	if (line > 0) /* otherwise it is the whole file */
		(void)snprintf(where, sizeof where, ":%u", line);
	log_error("%s%s: %s", path, where, why);
	*s->text = misconfigured;
	return VERDICT_LATER;
}

/* ---- places -------------------------------------------------------------------------------- */

static enum verdict
no_room(struct search *s)
{
	if (s->places->room == PLACES_MOST) /* no other message has more */
		return wrong(s, s->config->text[KEY_ALIASES], 0, "an address for too many places");
	*s->text = "4.5.3 too many mailboxes; send the others in another message";
	return VERDICT_LATER;
}

/* The next free place, for a name; NULL if there is none. */
static struct place *
next_place(struct search *s, const char *address)
{
	if (s->places->count == s->places->room)
		return NULL;
	struct place *place = &s->places->at[s->places->count];
	const char *domain = domain_of(s, address);
	place_small(place->domain, domain, strlen(domain));
	place_small(place->local, address, local_len(address));
	place->user[0] = place->extension[0] = 0;
	return place;
}

/* The next place is taken if it was found. */
static enum verdict
count_in(struct search *s, enum verdict verdict)
{
	s->places->count += verdict == VERDICT_YES;
	return verdict;
}

static enum verdict
add_user(struct search *s, const char *address)
{
	char local[LOCAL_MAX + 1];
	struct place *place = next_place(s, address);
	size_t len = local_len(address);

	if (place == NULL)
		return no_room(s);
	memcpy(local, address, len);
	local[len] = 0;
	enum verdict verdict = users_find(s->config, place, local, s->text);
	/* Somebody reads their mail (RFC 5321 4.5.1), and nobody is root here. */
	if (verdict == VERDICT_NEVER &&
	    (is_local(address, "postmaster") || is_local(address, "root")))
		verdict = users_postmaster(s->config, place, s->text);
	return count_in(s, verdict);
}

/* For what no user has: users_find() knows a user's. */
static void
set_extension(const struct search *s, struct place *place, const char *address)
{
	char delimiter = (char)s->config->number[KEY_RECIPIENT_DELIMITER];
	size_t len = local_len(address), cut = strcspn(address, (const char[]){delimiter, 0});

	if (address[0] != '"' && cut > 0 && cut < len)
		(void)snprintf(place->extension, sizeof place->extension, "%.*s",
		    (int)(len - cut - 1), address + cut + 1);
}

/* For a program, it is for the address that the client named. */
static enum verdict
add_forward(struct search *s, const char *address)
{
	struct place *place = next_place(s, s->names[0].text);

	if (place == NULL)
		return no_room(s);
	enum verdict verdict = users_command(s->config, place, 0, 0, s->text);
	place->kind = PLACE_FORWARD;
	set_extension(s, place, s->names[0].text);
	(void)strcpy(place->text, address); /* NEW_PATH_MAX at most */
	return count_in(s, verdict);
}

/* It runs as the owner of the file that names it: who can write there can do what it does. */
static enum verdict
add_command(
    struct search *s, const char *address, const char *command, const struct alias_entry *entry)
{
	struct place *place = next_place(s, address);

	if (place == NULL)
		return no_room(s);
	enum verdict verdict = users_command(s->config, place, entry->owner, entry->group, s->text);
	place->kind = PLACE_COMMAND;
	set_extension(s, place, address);
	(void)strcpy(place->text, command); /* ALIAS_TARGET_MAX at most */
	return count_in(s, verdict);
}

/* Who owns the file that names it may have mail put into no files but their own: root may. */
static enum verdict
add_file(struct search *s, const char *address, const struct target *target,
    const struct alias_entry *entry)
{
	struct place *place = next_place(s, address);

	if (place == NULL)
		return no_room(s);
	enum verdict verdict = users_path(place, target->text, s->text);
	if (verdict == VERDICT_YES && entry->owner != 0 && entry->owner != place->uid)
		return wrong(s, s->config->text[KEY_ALIASES], target->line,
		    "a file of another user than this one's owner");
	return count_in(s, verdict);
}

/* ---- aliases ------------------------------------------------------------------------------- */

/* The name, or one that it comes from, has that text. */
static bool
is_above(const struct search *s, size_t at, const char *text)
{
	for (;; at = s->names[at].parent) {
		if (strcasecmp(s->names[at].text, text) == 0)
			return true;
		if (at == s->names[at].parent)
			return false;
	}
}

/* A name that an alias stands for.  One that is there already counts once; but one that it comes
   from is the user of that name, who keeps a copy, as every alias(5) has it. */
static const char *
add_name(struct search *s, size_t parent, const char *target, unsigned line, bool exact)
{
	struct name *name = &s->names[s->count];

	if (s->count == NAMES_MOST)
		return "too many names";
	complete(name->text, target, domain_of(s, s->names[parent].text));
	name->parent = parent;
	name->line = line;
	name->depth = s->names[parent].depth + 1;
	name->exact = exact || is_above(s, parent, name->text);
	if (name->depth > ALIAS_DEPTH)
		return "aliases of aliases of aliases: too deep";
	for (size_t i = 0; i < s->count; i++)
		if (s->names[i].exact == name->exact &&
		    strcasecmp(s->names[i].text, name->text) == 0)
			return NULL;
	s->count++;
	return NULL;
}

/* What is one target's own to say; replies and included files are add_targets's. */
static enum verdict
add_target(struct search *s, size_t at, enum target_kind kind, const struct target *target,
    const char *path, const struct alias_entry *entry)
{
	unsigned line = entry->targets.list ? 0 : target->line;
	const char *why = NULL;

	switch (kind) {
	case TARGET_USER:
	case TARGET_ADDRESS:
		why = add_name(s, at, target->text, line, false);
		break;
	case TARGET_EXACT:
		why = add_name(s, at, target->text, line, true);
		break;
	case TARGET_COMMAND:
		return add_command(s, s->names[at].text, target->text, entry);
	case TARGET_FILE:
		return add_file(s, s->names[at].text, target, entry);
	case TARGET_WRONG:
		why = target->why;
		break;
	case TARGET_END:
	case TARGET_INCLUDE:
	case TARGET_ERROR:
		break;
	}
	return why != NULL ? wrong(s, path, target->line, why) : VERDICT_YES;
}

static enum verdict
include(struct search *s, size_t at, const char *path)
{
	static LARGE struct alias_entry entry;
	static LARGE struct target target;
	enum verdict verdict = VERDICT_YES;
	enum target_kind kind;

	if (aliases_include(path, &entry) == ALIAS_WRONG)
		return wrong(s, path, entry.line, entry.why);
	while (
	    verdict == VERDICT_YES && (kind = targets_next(&entry.targets, &target)) != TARGET_END)
		verdict = add_target(s, at, kind, &target, path, &entry);
	return verdict;
}

/* A reply in the place of a mailbox: it must be all that there is. */
static enum verdict
reply(struct search *s, size_t at, struct alias_entry *entry, const struct target *target)
{
	static LARGE struct target other;
	static LARGE char text[sizeof target->text];

	if (s->count != at + 1 || s->places->count != 0 ||
	    targets_next(&entry->targets, &other) != TARGET_END)
		return wrong(
		    s, s->config->text[KEY_ALIASES], target->line, "error: beside another target");
	(void)strcpy(text, target->text);
	*s->text = text;
	return target->verdict;
}

static enum verdict
add_targets(struct search *s, size_t at, struct alias_entry *entry)
{
	static LARGE struct target target;
	const char *path = s->config->text[KEY_ALIASES];
	enum verdict verdict = VERDICT_YES;
	enum target_kind kind;

	while (
	    verdict == VERDICT_YES && (kind = targets_next(&entry->targets, &target)) != TARGET_END)
		verdict = kind == TARGET_ERROR     ? reply(s, at, entry, &target)
			  : kind == TARGET_INCLUDE ? include(s, at, target.text)
						   : add_target(s, at, kind, &target, path, entry);
	return verdict;
}

/* What an alias of a name may be called: all of it before its local-part alone, and each before the
   same without what is behind the '+'. */
static enum alias_found
find_alias(struct search *s, const char *address, struct alias_entry *entry)
{
	static LARGE char whole[LOCAL_MAX + 1], user[LOCAL_MAX + 1];
	const char *domain = domain_of(s, address);
	char delimiter = (char)s->config->number[KEY_RECIPIENT_DELIMITER];
	const struct alias_name names[] = {
	    {whole, domain}, {whole, NULL}, {user, domain}, {user, NULL}};

	(void)snprintf(whole, sizeof whole, "%.*s", (int)local_len(address), address);
	size_t cut = strcspn(whole, (const char[]){delimiter, 0});
	bool cuts = whole[0] != '"' && cut > 0 && whole[cut] != 0;
	(void)snprintf(user, sizeof user, "%.*s", (int)cut, whole);
	return aliases_find(s->config->text[KEY_ALIASES], names, cuts ? 4 : 2, entry);
}

/* ---- all together -------------------------------------------------------------------------- */

static enum verdict
take_entry(struct search *s, size_t at, enum alias_found found, struct alias_entry *entry)
{
	if (found == ALIAS_WRONG)
		return wrong(s, s->config->text[KEY_ALIASES], entry->line, entry->why);
	if (at == 0)
		s->line = entry->line;
	return add_targets(s, at, entry);
}

/* What a client named, and nobody has: the alias of its whole domain. */
static enum verdict
catch_all(struct search *s, struct alias_entry *entry)
{
	const struct alias_name name = {"", domain_of(s, s->names[0].text)};

	*s->text = no_mailbox;
	if (s->config->text[KEY_ALIASES] == NULL)
		return VERDICT_NEVER;
	enum alias_found found = aliases_find(s->config->text[KEY_ALIASES], &name, 1, entry);
	return found == ALIAS_NONE ? VERDICT_NEVER : take_entry(s, 0, found, entry);
}

/* A name that an alias stands for, and nobody has.  Where it is the only one, the address that the
   client named is nobody's either; but a list is not cut short. */
static enum verdict
missing(struct search *s, const struct name *name)
{
	const char *path = s->config->text[KEY_ALIASES];
	struct place *place = next_place(s, s->names[0].text);
	char why[64 + MAILBOX_MAX];

	if (place != NULL && is_local(s->names[0].text, "postmaster")) {
		enum verdict verdict = users_postmaster(s->config, place, s->text);
		return count_in(s, verdict);
	}
	bool loop = name->exact && is_above(s, name->parent, name->text);
	(void)snprintf(why, sizeof why, "%s: %s", name->text,
	    loop ? "stands for itself, and is no user" : "is a target, and no user");
	if (loop || s->places->count > 0 || s->count != name->depth + 1)
		return wrong(s, path, name->line, why);
	*s->text = no_mailbox;
	return VERDICT_NEVER;
}

static enum verdict
look_up(struct search *s, size_t at)
{
	static LARGE struct alias_entry entry;
	const struct name *name = &s->names[at];

	if (!is_served(s->config, domain_of(s, name->text)))
		return add_forward(s, name->text);
	if (s->config->text[KEY_ALIASES] != NULL && !name->exact) {
		enum alias_found found = find_alias(s, name->text, &entry);
		if (found != ALIAS_NONE)
			return take_entry(s, at, found, &entry);
	}
	enum verdict verdict = add_user(s, name->text);
	if (verdict != VERDICT_NEVER)
		return verdict;
	return at == 0 ? catch_all(s, &entry) : missing(s, name);
}

/* What was found is something that can be done. */
static enum verdict
judge(struct search *s)
{
	static LARGE char forward[64 + NEW_PATH_MAX];
	const struct places *places = s->places;
	size_t commands = 0, forwards = 0;
	char why[64 + MAILBOX_MAX];
	bool words = false; /* DeliverCommand's: %r is the address as it is */

	for (size_t i = 0; i < places->count; i++) {
		commands += places->at[i].kind == PLACE_COMMAND;
		words |= places->at[i].kind == PLACE_COMMAND && places->at[i].text[0] == 0;
		forwards += places->at[i].kind == PLACE_FORWARD;
	}
	if (places->count == 0 || commands + (forwards > 0) > 1) {
		(void)snprintf(why, sizeof why, "%s: %s", s->names[0].text,
		    places->count == 0 ? "stands for nobody" : "stands for several commands");
		return wrong(s, s->config->text[KEY_ALIASES], s->line, why);
	}
	*s->text = no_mailbox;
	if (words && s->names[0].text[0] == '-') /* it could be taken for an option */
		return VERDICT_NEVER;
	if (forwards == 0 || places->count > 1)
		return VERDICT_YES;
	(void)snprintf(forward, sizeof forward, "2.1.5 user not local; will forward to <%.*s>",
	    NEW_PATH_MAX, places->at[0].text);
	*s->text = forward;
	return VERDICT_FORWARDED;
}

const char *
recipient_domain(const struct config *config)
{
	return config->domains_count > 0 ? config->domains[0] : config->text[KEY_HOSTNAME];
}

enum verdict
recipient_find(
    const struct config *config, const char *address, struct places *places, const char **text)
{
	static LARGE struct search s;
	enum verdict verdict = VERDICT_YES;

	s.config = config;
	s.places = places;
	s.text = text;
	s.domain = recipient_domain(config);
	s.line = 0;
	s.count = 1;
	places->count = 0;
	users_begin();
	complete(s.names[0].text, address, s.domain);
	if (!is_served(config, domain_of(&s, s.names[0].text))) {
		*text = no_relay;
		return VERDICT_NEVER;
	}
	for (size_t i = 0; i < s.count && verdict == VERDICT_YES; i++)
		verdict = look_up(&s, i);
	return verdict == VERDICT_YES ? judge(&s) : verdict;
}
