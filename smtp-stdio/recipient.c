/*
 * recipient.c -- see recipient.h.  Runs as the monitor.
 *
 * What an address contains reaches a path or a name only through safe(): letters, digits, "._+=-"
 * and characters that are not ASCII, without a dot or dash in front.  There is no slash among them.
 */
#include "recipient.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../sandbox/identity.h"
#include "aliases.h"
#include "log.h"

static const char no_mailbox[] = "5.1.1 no such mailbox here";
static const char no_relay[] = "5.7.1 mail for this domain is not taken here";
static const char cannot_tell[] = "4.3.0 cannot look this mailbox up now";
static const char misconfigured[] = "4.3.5 the mailbox is misconfigured";

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

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

/* Fit to be a part of a path, and a name. */
static bool
safe(const char *name)
{
	if (name[0] == 0 || name[0] == '.' || name[0] == '-')
		return false;
	for (const char *c = name; *c != 0; c++)
		if ((unsigned char)*c < 0x80 && !is_alnum((unsigned char)*c) &&
		    strchr("._+=-", *c) == NULL)
			return false;
	return true;
}

/* In small letters, as far as there is room. */
static void
copy_small(char *out, const char *text, size_t len, size_t most)
{
	size_t i = 0;

	for (; i < len && i < most; i++)
		out[i] = lower(text[i]);
	out[i] = 0;
}

/* Take an address apart into user and domain; without one, the domain stays. */
static void
split(struct recipient *r, const char *address)
{
	const char *at = strrchr(address, '@');

	copy_small(
	    r->user, address, at != NULL ? (size_t)(at - address) : strlen(address), LOCAL_MAX);
	if (at != NULL)
		copy_small(r->domain, at + 1, strlen(at + 1), DOMAIN_MAX);
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

/* Fill %u, %d and %% in.  False if the result is too long or a part of it is not safe. */
static bool
fill(char out[PATH_OCTETS], const char *base, const char *pattern, const struct recipient *r)
{
	size_t n = 0;

	if (pattern[0] != '/' && base[0] != 0) {
		int len = snprintf(out, PATH_OCTETS, "%s/", base);
		if (len < 0 || len >= PATH_OCTETS)
			return false;
		n = (size_t)len;
	}
	for (const char *c = pattern; *c != 0; c++) {
		const char one[2] = {*c, 0};
		const char *piece = one;
		if (*c == '%' && *++c != '%') {
			piece = *c == 'u' ? r->user : r->domain;
			if (!safe(piece))
				return false;
		}
		size_t len = strlen(piece);
		if (len >= PATH_OCTETS - n)
			return false;
		memcpy(out + n, piece, len);
		n += len;
	}
	out[n] = 0;
	return true;
}

/* The process can become that user: anybody but root if it is root, else only itself.  Group root is
   never taken: a directory that was only given to another user still has it. */
static enum verdict
may_become(struct recipient *r, uid_t uid, gid_t gid, const char **text)
{
	if (uid == 0 || (geteuid() != 0 && uid != geteuid())) {
		log_error("mailbox of %s belongs to uid %lu, and uid %lu cannot deliver as that",
		    r->address, (unsigned long)uid, (unsigned long)geteuid());
		*text = misconfigured;
		return VERDICT_LATER;
	}
	r->uid = uid;
	r->gid = gid != 0 ? gid : GID_NOGROUP;
	return VERDICT_YES;
}

static enum verdict
find_in_passwd(const struct config *config, struct recipient *r, const char **text)
{
	struct identity who;

	*text = no_mailbox;
	if (!safe(r->user))
		return VERDICT_NEVER;
	switch (identity_find(r->user, &who)) {
	case IDENTITY_NONE:
		return VERDICT_NEVER;
	case IDENTITY_UNKNOWN:
		log_error("/etc/passwd: %s", strerror(errno));
		*text = cannot_tell;
		return VERDICT_LATER;
	case IDENTITY_FOUND:
		break;
	}
	if (who.uid < config->number[KEY_MINIMUM_UID] || who.uid == UID_NOBODY)
		return VERDICT_NEVER;
	if (geteuid() != 0 && who.uid != geteuid())
		return VERDICT_NEVER; /* one user's server: the others have no mailbox here */
	(void)strcpy(r->home, who.home);
	return may_become(r, who.uid, who.gid, text);
}

static enum verdict
find_directory(const struct config *config, struct recipient *r, const char **text)
{
	struct stat st;

	*text = no_mailbox;
	if (!fill(r->home, "", config->text[KEY_USERS], r))
		return VERDICT_NEVER;
	if (stat(r->home, &st) < 0) {
		/* There is none, or none can have that name. */
		if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG || errno == EILSEQ)
			return VERDICT_NEVER;
		log_error("%s: %s", r->home, strerror(errno));
		*text = cannot_tell;
		return VERDICT_LATER;
	}
	if (!S_ISDIR(st.st_mode))
		return VERDICT_NEVER;
	r->device = st.st_dev;
	r->inode = st.st_ino;
	return may_become(r, st.st_uid, st.st_gid, text);
}

/* Everything into one mailbox: of the process's user, or, for root, of its owner or else of the
   owner of the directory that it is to be made in. */
static enum verdict
find_any(struct recipient *r, const char **text)
{
	struct stat st;
	char dir[PATH_OCTETS];

	r->home[0] = 0;
	if (geteuid() != 0)
		return may_become(r, geteuid(), getegid(), text);
	if (stat(r->mailbox, &st) < 0) {
		(void)strcpy(dir, r->mailbox);
		size_t n = strlen(dir);
		while (n > 0 && dir[n - 1] == '/')
			n--;
		while (n > 0 && dir[n - 1] != '/')
			n--;
		(void)strcpy(dir + n, ".");
		if (errno != ENOENT || stat(dir, &st) < 0) {
			log_error("%s: %s", r->mailbox, strerror(errno));
			*text = cannot_tell;
			return VERDICT_LATER;
		}
	}
	return may_become(r, st.st_uid, st.st_gid, text);
}

static enum verdict
find_user(const struct config *config, struct recipient *r, const char **text)
{
	enum verdict verdict = VERDICT_YES;

	*text = no_mailbox;
	switch (config->users) {
	case USERS_PASSWD:
		verdict = find_in_passwd(config, r, text);
		break;
	case USERS_DIRECTORY:
		verdict = find_directory(config, r, text);
		break;
	case USERS_NONE:
		return VERDICT_NEVER;
	case USERS_ANY:
		break;
	}
	if (verdict != VERDICT_YES)
		return verdict;
	if (!fill(r->mailbox, config->users == USERS_ANY ? "" : r->home, config->text[KEY_MAILBOX],
		r))
		return VERDICT_NEVER;
	return config->users == USERS_ANY ? find_any(r, text) : verdict;
}

static enum verdict
add_group(const struct config *config, struct recipient *r, const char **text)
{
	const char *name = config->text[KEY_MAIL_GROUP];

	r->extra = (gid_t)-1;
	if (name == NULL || geteuid() != 0 || identity_group(name, &r->extra) == IDENTITY_FOUND)
		return VERDICT_YES;
	log_error("MailGroup %s: cannot be found in /etc/group", name);
	*text = misconfigured;
	return VERDICT_LATER;
}

/* User and domain may become words of a command line, if there is one. */
static bool
fits_command(const struct recipient *r)
{
	return !r->foreign || (safe(r->user) && safe(r->domain));
}

/* Somebody reads the postmaster's mail (RFC 5321 4.5.1): if nobody else, whom Postmaster names. */
static enum verdict
find_postmaster(const struct config *config, struct recipient *r, const char **text)
{
	const char *name = config->text[KEY_POSTMASTER];

	if (name == NULL || !fits_command(r))
		return VERDICT_NEVER;
	(void)strcpy(r->user, name);
	enum verdict verdict = find_user(config, r, text);
	if (verdict != VERDICT_NEVER)
		return verdict;
	log_error("Postmaster %s: no such mailbox", name);
	*text = misconfigured;
	return VERDICT_LATER;
}

static bool
is_postmaster(const struct recipient *r)
{
	return strcmp(r->user, "postmaster") == 0;
}

static enum verdict
find_mailbox(const struct config *config, struct recipient *r, const char **text)
{
	*text = no_mailbox;
	if (!fits_command(r))
		return VERDICT_NEVER;
	enum verdict verdict = find_user(config, r, text);
	if (verdict == VERDICT_NEVER && is_postmaster(r))
		verdict = find_postmaster(config, r, text);
	return verdict == VERDICT_YES ? add_group(config, r, text) : verdict;
}

/* To an address elsewhere, by a command that runs as ForwardUser if it can run as somebody else. */
static enum verdict
forward(const struct config *config, struct recipient *r, const char *path, const char **text)
{
	static char reply[64 + ANSWER_TEXT_MAX];
	struct identity who = {.uid = geteuid(), .gid = getegid()};
	const char *name = config->text[KEY_FORWARD_USER];

	if (who.uid == 0) {
		if (identity_find(name, &who) != IDENTITY_FOUND || who.uid == 0) {
			log_error("ForwardUser %s: no such user, or root", name);
			*text = misconfigured;
			return VERDICT_LATER;
		}
		copy_small(r->user, name, strlen(name), LOCAL_MAX);
	}
	r->uid = who.uid;
	r->gid = who.gid != 0 ? who.gid : GID_NOGROUP;
	r->extra = (gid_t)-1;
	(void)strcpy(r->home, who.home);
	r->mailbox[0] = 0;
	r->foreign = true;
	(void)strcpy(r->forward, path); /* at most NEW_PATH_MAX */
	(void)snprintf(reply, sizeof reply, "2.1.5 user not local; will forward to <%.*s>",
	    NEW_PATH_MAX, path);
	*text = reply;
	return VERDICT_FORWARDED;
}

static enum verdict
bad_alias(const struct config *config, unsigned at, const char *why, const char **text)
{
	char line[16] = "";

	if (at > 0) /* otherwise it is the whole file */
		(void)snprintf(line, sizeof line, ":%u", at);
	log_error("%s%s: %s", config->text[KEY_ALIASES], line, why);
	*text = misconfigured;
	return VERDICT_LATER;
}

/* The one target of the recipient's name; TARGET_END if it is not in the file. */
static enum target_kind
alias_of(const struct config *config, const struct recipient *r, struct target *target)
{
	static struct alias_entry entry;
	static struct target more;
	const struct alias_name names[] = {{r->user, r->domain}, {r->user, NULL}};

	enum alias_found found = aliases_find(config->text[KEY_ALIASES], names, 2, &entry);
	if (found == ALIAS_NONE)
		return TARGET_END;
	target->line = entry.line;
	target->why = entry.why;
	if (found == ALIAS_WRONG)
		return TARGET_WRONG;
	enum target_kind kind = targets_next(&entry.targets, target);
	if (kind == TARGET_WRONG)
		return kind;
	target->why = kind == TARGET_COMMAND   ? "not there yet: a command as a target"
		      : kind == TARGET_FILE    ? "not there yet: a file as a target"
		      : kind == TARGET_INCLUDE ? "not there yet: :include:"
		      : kind == TARGET_EXACT   ? "not there yet: a backslash before a user"
					       : NULL;
	enum target_kind next = targets_next(&entry.targets, &more);
	if (next != TARGET_END)
		target->why = next == TARGET_WRONG ? more.why : "not there yet: several targets";
	return target->why != NULL ? TARGET_WRONG : kind;
}

/* One step: what an alias names is looked up as a user, and not as another alias. */
static enum verdict
find_alias(const struct config *config, struct recipient *r, const char **text)
{
	static struct target target;
	bool postmaster = is_postmaster(r);

	enum target_kind kind = alias_of(config, r, &target);
	if (kind == TARGET_END)
		return find_mailbox(config, r, text);
	if (kind == TARGET_WRONG)
		return bad_alias(config, target.line, target.why, text);
	*text = target.text;
	if (kind == TARGET_ERROR)
		return target.verdict;
	const char *at = strchr(target.text, '@');
	if (at != NULL && !is_served(config, at + 1))
		return forward(config, r, target.text, text);
	split(r, target.text);
	enum verdict verdict = find_mailbox(config, r, text);
	if (verdict != VERDICT_NEVER)
		return verdict;
	kind = alias_of(config, r, &target);  /* then it is no user, but perhaps another alias */
	if (kind == TARGET_END && postmaster) /* Debian's is an alias of root */
		verdict = find_postmaster(config, r, text);
	if (kind == TARGET_END)
		return verdict == VERDICT_YES ? add_group(config, r, text) : verdict;
	return bad_alias(config, target.line,
	    kind == TARGET_WRONG ? target.why : "not there yet: an alias of an alias", text);
}

enum verdict
recipient_find(const struct config *config, const unsigned char *mailbox, size_t len,
    struct recipient *r, const char **text)
{
	const char *domain =
	    config->domains_count > 0 ? config->domains[0] : config->text[KEY_HOSTNAME];

	memcpy(r->address, mailbox, len);
	r->address[len] = 0;
	copy_small(r->domain, domain, strlen(domain), DOMAIN_MAX);
	split(r, r->address);
	r->inode = 0;
	r->forward[0] = 0;
	r->foreign = config->text[KEY_DELIVER_COMMAND] != NULL;
	if (!is_served(config, r->domain)) {
		*text = no_relay;
		return VERDICT_NEVER;
	}
	return config->text[KEY_ALIASES] != NULL ? find_alias(config, r, text)
						 : find_mailbox(config, r, text);
}
