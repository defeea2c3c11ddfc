/* users.c -- see users.h.  Runs as the monitor. */
#include "users.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../sandbox/identity.h"
#include "log.h"
#include "nss.h"

static const char no_mailbox[] = "5.1.1 no such mailbox here";
static const char cannot_tell[] = "4.3.0 cannot look this mailbox up now";
static const char misconfigured[] = "4.3.5 the mailbox is misconfigured";

static bool
is_alnum(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool
users_safe(const char *name)
{
	if (name[0] == 0 || name[0] == '.' || name[0] == '-')
		return false;
	for (const char *c = name; *c != 0; c++)
		if ((unsigned char)*c < 0x80 && !is_alnum((unsigned char)*c) &&
		    strchr("._+=-", *c) == NULL)
			return false;
	return true;
}

const char *
users_folder(const struct place *place)
{
	return place_is_maildir(place) && users_safe(place->extension) ? place->extension : "";
}

/* Fill %u, %d and %% in.  False if the result is too long or a part of it is not safe. */
static bool
fill(char out[PATH_OCTETS], const char *base, const char *pattern, const struct place *place)
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
			piece = *c == 'u' ? place->user : place->domain;
			if (!users_safe(piece))
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
may_become(struct place *place, uid_t uid, gid_t gid, const char **text)
{
	if (uid == 0 || (geteuid() != 0 && uid != geteuid())) {
		log_error("%s belongs to uid %lu, and uid %lu cannot deliver as that",
		    place->text[0] != 0 ? place->text : place->home, (unsigned long)uid,
		    (unsigned long)geteuid());
		*text = misconfigured;
		return VERDICT_LATER;
	}
	place->uid = uid;
	place->gid = gid != 0 ? gid : GID_NOGROUP;
	return VERDICT_YES;
}

static enum verdict
find_login(const struct config *config, struct place *place, const char **text)
{
	struct identity who;

	*text = no_mailbox;
	if (!users_safe(place->user))
		return VERDICT_NEVER;
	enum identity_found found = identity_find(place->user, &who);
	if (found == IDENTITY_UNKNOWN)
		log_error("/etc/passwd: %s", strerror(errno));
	else if (found == IDENTITY_NONE && config->users == USERS_NSS)
		found = nss_find(place->user, &who);
	if (found == IDENTITY_UNKNOWN)
		*text = cannot_tell;
	if (found != IDENTITY_FOUND)
		return found == IDENTITY_UNKNOWN ? VERDICT_LATER : VERDICT_NEVER;
	if (who.uid < config->number[KEY_MINIMUM_UID] || who.uid == UID_NOBODY)
		return VERDICT_NEVER;
	if (geteuid() != 0 && who.uid != geteuid())
		return VERDICT_NEVER; /* one user's server: the others have no mailbox here */
	(void)strcpy(place->home, who.home);
	return may_become(place, who.uid, who.gid, text);
}

/*
 * The path is missing: nobody has that name.  But where the directory is missing, too, that all names
 * are in, as on a volume that is not mounted, or a link leads nowhere, that is no fact.  errno is why.
 */
static bool
is_nobodys(const struct config *config, const struct place *place)
{
	const char *pattern = config->text[KEY_USERS];
	char above[PATH_OCTETS], path[PATH_OCTETS];
	struct stat st;

	/* In a checked pattern each '%' is the first of two. */
	size_t n = 0;
	while (pattern[n] != '%' || pattern[n + 1] != 'u')
		n += pattern[n] == '%' ? 2 : 1;
	while (pattern[n] != '/')
		n--;
	(void)snprintf(above, sizeof above, "%.*s/", (int)n, pattern);
	if (!fill(path, "", above, place) || stat(path, &st) < 0)
		return false;
	if (lstat(place->home, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR;
	errno = ENOENT;
	return false;
}

static enum verdict
find_directory(const struct config *config, struct place *place, const char **text)
{
	struct stat st;

	*text = no_mailbox;
	if (!fill(place->home, "", config->text[KEY_USERS], place))
		return VERDICT_NEVER;
	if (stat(place->home, &st) < 0) {
		if (errno == ENAMETOOLONG || errno == EILSEQ)
			return VERDICT_NEVER; /* nor can anybody */
		if ((errno == ENOENT || errno == ENOTDIR) && is_nobodys(config, place))
			return VERDICT_NEVER;
		log_error("%s: %s", place->home, strerror(errno));
		*text = cannot_tell;
		return VERDICT_LATER;
	}
	if (!S_ISDIR(st.st_mode))
		return VERDICT_NEVER;
	return may_become(place, st.st_uid, st.st_gid, text);
}

/* The directory that a path lies in; where in the path its name there begins. */
static size_t
directory_of(char dir[PATH_OCTETS], const char *path)
{
	size_t n = strlen(path);

	while (n > 0 && path[n - 1] == '/')
		n--;
	while (n > 0 && path[n - 1] != '/')
		n--;
	memcpy(dir, path, n);
	(void)strcpy(dir + n, ".");
	return n;
}

/* The Maildir's folder of that name, or of that in small letters, which deliver looks for next. */
static bool
has_folder(const struct place *place)
{
	char path[PATH_OCTETS + sizeof "." + LOCAL_MAX];
	size_t n = strlen(place->text), len = strlen(place->extension);

	if (users_folder(place)[0] == 0)
		return false;
	(void)snprintf(path, sizeof path, "%s.%s", place->text, place->extension);
	if (identity_sees(place->uid, path))
		return true;
	place_small(path + n + 1, place->extension, len);
	return identity_sees(place->uid, path);
}

void
users_locate(struct place *place)
{
	char dir[PATH_OCTETS];
	struct stat st;

	if (place->kind != PLACE_MAILBOX)
		return;
	if (!has_folder(place))
		place->extension[0] = 0;
	place->name = directory_of(dir, place->text);
	if (identity_stat(place->uid, dir, &st) < 0)
		return;
	place->device = st.st_dev;
	place->inode = st.st_ino;
}

/* Of the process's user, or, for root, of its owner or else of the owner of the directory that it is
   to be made in. */
static enum verdict
find_owner(struct place *place, const char **text)
{
	struct stat st;
	char dir[PATH_OCTETS];

	if (geteuid() != 0)
		return may_become(place, geteuid(), getegid(), text);
	if (stat(place->text, &st) < 0) {
		(void)directory_of(dir, place->text);
		if (errno != ENOENT || stat(dir, &st) < 0) {
			log_error("%s: %s", place->text, strerror(errno));
			*text = cannot_tell;
			return VERDICT_LATER;
		}
	}
	return may_become(place, st.st_uid, st.st_gid, text);
}

/* The user that place->user names, and where the mailbox is. */
static enum verdict
find_user(const struct config *config, struct place *place, const char **text)
{
	enum verdict verdict = VERDICT_YES;
	bool any = config->users == USERS_ANY;

	*text = no_mailbox;
	place->home[0] = place->text[0] = 0;
	switch (config->users) {
	case USERS_PASSWD:
	case USERS_NSS:
		verdict = find_login(config, place, text);
		break;
	case USERS_DIRECTORY:
		verdict = find_directory(config, place, text);
		break;
	case USERS_NONE:
		return VERDICT_NEVER;
	case USERS_ANY:
		break;
	}
	if (verdict != VERDICT_YES)
		return verdict;
	if (!fill(place->text, place->home, config->text[KEY_MAILBOX], place))
		return VERDICT_NEVER;
	return any ? find_owner(place, text) : verdict;
}

/* What the user's mail is given to, besides the user. */
static enum verdict
equip(const struct config *config, struct place *place, const char **text)
{
	const char *name = config->text[KEY_MAIL_GROUP];

	place->kind = PLACE_MAILBOX;
	place->inode = 0;
	if (config->text[KEY_DELIVER_COMMAND] != NULL) {
		place->kind = PLACE_COMMAND;
		place->text[0] = 0;
	}
	if (name == NULL || geteuid() != 0 || identity_group(name, &place->extra) == IDENTITY_FOUND)
		return VERDICT_YES;
	log_error("MailGroup %s: cannot be found in /etc/group", name);
	*text = misconfigured;
	return VERDICT_LATER;
}

/* User and domain may become words of DeliverCommand. */
static bool
fits_command(const struct config *config, const struct place *place)
{
	return config->text[KEY_DELIVER_COMMAND] == NULL ||
	       (users_safe(place->user) && users_safe(place->domain));
}

/* The first `len` octets of a local-part are the user, and behind the next are the extension. */
static void
set_user(struct place *place, const char *local, size_t len)
{
	place_small(place->user, local, len);
	(void)strcpy(place->extension, local[len] != 0 ? local + len + 1 : "");
}

void
users_begin(void)
{
	nss_begin();
}

enum verdict
users_find(const struct config *config, struct place *place, const char *local, const char **text)
{
	char delimiter = (char)config->number[KEY_RECIPIENT_DELIMITER];
	size_t len = strlen(local), cut = strcspn(local, (const char[]){delimiter, 0});
	bool cuts = cut > 0 && cut < len && config->users != USERS_ANY;

	*text = no_mailbox;
	place->extra = (gid_t)-1;
	set_user(place, local, len);
	if (!fits_command(config, place))
		return VERDICT_NEVER;
	enum verdict verdict = find_user(config, place, text);
	if (verdict == VERDICT_NEVER && cuts) {
		set_user(place, local, cut);
		verdict = find_user(config, place, text);
	}
	return verdict == VERDICT_YES ? equip(config, place, text) : verdict;
}

enum verdict
users_postmaster(const struct config *config, struct place *place, const char **text)
{
	const char *name = config->text[KEY_POSTMASTER];

	*text = no_mailbox;
	if (name == NULL ||
	    (config->text[KEY_DELIVER_COMMAND] != NULL && !users_safe(place->domain)))
		return VERDICT_NEVER;
	enum verdict verdict = users_find(config, place, name, text);
	if (verdict != VERDICT_NEVER)
		return verdict;
	log_error("Postmaster %s: no such mailbox", name);
	*text = misconfigured;
	return VERDICT_LATER;
}

enum verdict
users_path(struct place *place, const char *path, const char **text)
{
	place->kind = PLACE_MAILBOX;
	place->inode = 0;
	place->extra = (gid_t)-1;
	place->home[0] = 0;
	_Static_assert(ALIAS_TARGET_MAX < PATH_OCTETS, "it fits");
	(void)strcpy(place->text, path);
	return find_owner(place, text);
}

enum verdict
users_command(
    const struct config *config, struct place *place, uid_t uid, gid_t gid, const char **text)
{
	struct identity who = {.uid = geteuid(), .gid = getegid()};
	const char *name = config->text[KEY_FORWARD_USER];

	if (who.uid != 0 && uid != 0 && uid != who.uid) {
		log_error("a command of uid %lu's file, and uid %lu cannot become that",
		    (unsigned long)uid, (unsigned long)who.uid);
		*text = misconfigured;
		return VERDICT_LATER;
	}
	if (who.uid == 0 && uid != 0) {
		who = (struct identity){.uid = uid, .gid = gid};
	} else if (who.uid == 0) {
		if (identity_find(name, &who) != IDENTITY_FOUND || who.uid == 0) {
			log_error("ForwardUser %s: no such user, or root", name);
			*text = misconfigured;
			return VERDICT_LATER;
		}
		set_user(place, name, strlen(name));
	}
	place->uid = who.uid;
	place->gid = who.gid != 0 ? who.gid : GID_NOGROUP;
	place->extra = (gid_t)-1;
	(void)strcpy(place->home, who.home);
	return VERDICT_YES;
}
