/*
 * fuzz_users.c -- an address as a session that was taken over may send it, and the place that the monitor
 * finds for it: the path of no file but what the configuration's pattern makes of a safe user and domain,
 * never root's, and "cannot tell" never taken for yes or no.  What exists, and whose it is, the input
 * says.
 *
 * Input: an octet for the configuration; ANSWERS that the system gives in turn, the last of which also
 * says whether there is room for the place; the address.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../smtp-stdio/recipient.h"
#include "fuzz.h"

/* The system is here. */
static int look(const char *path, struct stat *st);

#define stat(path, st)  look(path, st)
#define lstat(path, st) look(path, st)
#define geteuid()       0U
#include "../smtp-stdio/users.c" /* for its calls */
#undef stat
#undef lstat
#undef geteuid

enum {
	ANSWERS = 8
};

static const unsigned char *answers;
static unsigned asked;
static bool untold; /* one of them was that it cannot be told */

static unsigned
answer_of(unsigned count)
{
	return answers[asked++ % ANSWERS] % count;
}

/* ---- as it should be --------------------------------------------------------------------------- */

static bool
is_safe(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if ((name[i] & 0x80) == 0 &&
		    strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+=-",
			name[i]) == NULL)
			return false;
	return len > 0 && name[0] != '.' && name[0] != '-';
}

/* The pattern with its parts in it; false if it may not be. */
static bool
expand(char *out, size_t size, const char *pattern, const char *user, const char *domain)
{
	size_t n = 0;

	for (; *pattern != 0; pattern++) {
		char one[2] = {*pattern, 0};
		const char *part = one;
		if (*pattern == '%') {
			pattern++;
			part = *pattern == 'u' ? user : *pattern == 'd' ? domain : "%";
			if (*pattern != '%' && !is_safe(part))
				return false;
		}
		for (; *part != 0; part++) {
			if (n + 1 >= size)
				return false;
			out[n++] = *part;
		}
	}
	out[n] = 0;
	return true;
}

/* What recipient_rule() lets pass. */
static bool
may_be_asked(const char *address, size_t len)
{
	size_t at = len;

	while (at > 0 && address[at - 1] != '@')
		at--;
	if (at == 0)
		return len == 10 && strncasecmp(address, "postmaster", len) == 0;
	const char *domain = address + at;
	size_t rest = len - at;
	if (at - 1 < 1 || at - 1 > 255 || rest < 1 || rest > 255)
		return false;
	bool literal = rest > 2 && domain[0] == '[' && domain[rest - 1] == ']';
	for (size_t i = 0; i < rest; i++) {
		unsigned char c = (unsigned char)domain[i];
		if (literal ? c < '!' || c > '~'
			    : c < 128 && !(c >= '0' && c <= '9') &&
				  !((c | 32) >= 'a' && (c | 32) <= 'z') &&
				  (c == 0 || strchr("-._:[]", c) == NULL))
			return false;
	}
	return true;
}

/* Whatever is looked at lies where a pattern or a home says, and nothing in it leads elsewhere. */
static void
check_path(const char *path)
{
	demand(strlen(path) < PATH_OCTETS, "users: a path that is too long");
	demand(strncmp(path, "/m/", 3) == 0 || strncmp(path, "/home/x/", 8) == 0,
	    "users: a path beside the pattern");
	for (const char *slash = path; slash != NULL; slash = strchr(slash + 1, '/'))
		demand(slash[1] != '.' || strcmp(slash, "/.") == 0, "users: a path with a dot");
	demand(strstr(path, "//") == NULL, "users: a path with an empty part");
}

/* ---- the system -------------------------------------------------------------------------------- */

static int
look(const char *path, struct stat *st)
{
	static const struct {
		int error;
		mode_t mode;
		uid_t uid;
		gid_t gid;
	} all[] = {{0, S_IFDIR, 1000, 1000}, {ENOENT, 0, 0, 0}, {0, S_IFDIR, 0, 0},
	    {0, S_IFREG, 1000, 1000}, {EACCES, 0, 0, 0}, {ENAMETOOLONG, 0, 0, 0},
	    {0, S_IFDIR, 1001, 0}, {ENOTDIR, 0, 0, 0}};
	unsigned which = answer_of(sizeof all / sizeof *all);

	check_path(path);
	memset(st, 0, sizeof *st);
	st->st_mode = all[which].mode;
	st->st_uid = all[which].uid;
	st->st_gid = all[which].gid;
	errno = all[which].error;
	untold |= errno == EACCES;
	return errno == 0 ? 0 : -1;
}

static enum identity_found
find(const char *name, struct identity *who)
{
	static const struct {
		enum identity_found found;
		uid_t uid;
	} all[] = {{IDENTITY_FOUND, 1000}, {IDENTITY_NONE, 0}, {IDENTITY_UNKNOWN, 0},
	    {IDENTITY_FOUND, 0}, {IDENTITY_FOUND, 999}, {IDENTITY_FOUND, 65534}};
	unsigned which = answer_of(sizeof all / sizeof *all);

	demand(is_safe(name), "users: a name that is not safe is looked up");
	*who = (struct identity){all[which].uid, 0, "/home/x"};
	untold |= all[which].found == IDENTITY_UNKNOWN;
	return all[which].found;
}

enum identity_found
identity_find(const char *name, struct identity *who)
{
	return find(name, who);
}

enum identity_found
nss_find(const char *name, struct identity *who)
{
	return find(name, who);
}

void
nss_begin(void)
{
}

enum identity_found
identity_group(const char *name, gid_t *gid)
{
	demand(strcmp(name, "mail") == 0, "users: another group");
	*gid = 8;
	return IDENTITY_FOUND;
}

int
identity_stat(uid_t uid, const char *path, struct stat *st)
{
	check_path(path);
	demand(uid != 0, "users: looks as root");
	*st = (struct stat){.st_dev = 1, .st_ino = 2};
	return 0;
}

/* Of a folder: the Maildir, and in it a name that can lead nowhere else. */
bool
identity_sees(uid_t uid, const char *path)
{
	char box[2 * PATH_OCTETS];
	const char *folder = strrchr(path, '/');

	demand(uid != 0, "users: looks as root");
	demand(folder != NULL && folder[1] == '.' && is_safe(folder + 2), "users: no folder");
	(void)snprintf(box, sizeof box, "%.*s", (int)(folder + 1 - path), path);
	check_path(box);
	return answer_of(2) == 0;
}

void
log_error(const char *format, ...)
{
	demand(*format != 0, "users: says nothing");
}

/* ---- both -------------------------------------------------------------------------------------- */

/* The last is one that a name of three octets fills to the end of a path. */
#define LONG_8(part) part part part part part part part part
static const char *const homes[] = {"/m/%d/%u", "/m/%%%u", "/m/x%u/%d.d",
    "/m/" LONG_8(LONG_8("0123456789abcde")) LONG_8("fghijkl") "/%u"};
static const char *const mailboxes[] = {"Maildir/", "/m/%u", "/m/%d/%u/in/", "%u.%%"};

static void
configure(struct config *config, unsigned how)
{
	static const char *const words[] = {"passwd", "nss", "any"};
	static const enum config_users users[] = {USERS_PASSWD, USERS_NSS, USERS_ANY};
	unsigned which = how % 7;

	*config = (struct config){.users = which < 4 ? USERS_DIRECTORY : users[which - 4]};
	config->text[KEY_USERS] = which < 4 ? homes[which] : words[which - 4];
	config->text[KEY_MAILBOX] = mailboxes[config->users == USERS_ANY ? 2 : how / 7 % 4];
	config->text[KEY_POSTMASTER] = "pm";
	config->text[KEY_HOSTNAME] = "mx.test";
	config->text[KEY_MAIL_GROUP] = how & 64 ? "mail" : NULL;
	config->text[KEY_DELIVER_COMMAND] = how & 128 ? "mda %u" : NULL;
	config->number[KEY_MINIMUM_UID] = 1000;
	config->number[KEY_RECIPIENT_DELIMITER] = how & 32 ? '+' : how & 16 ? '-' : 0;
}

/* It is the mailbox of the user that the place has, in whose name there is nothing of the client's but
   the local-part, or the postmaster. */
static void
check_mailbox(const struct config *config, struct place *p, const char *address)
{
	static char home[PATH_OCTETS], box[PATH_OCTETS];
	const char *mailbox = config->text[KEY_MAILBOX];
	size_t len = strlen(p->user);

	demand(p->uid != 0 && p->gid != 0 && p->uid != 65534, "users: delivers as root or nobody");
	demand(strcmp(p->user, "pm") == 0 ||
		   (strncasecmp(p->user, address, len) == 0 &&
		       (address[len] == 0 || address[len] == '@' ||
			   address[len] == (char)config->number[KEY_RECIPIENT_DELIMITER])),
	    "users: another user");
	users_locate(p); /* nothing of a command's */
	if (p->kind == PLACE_COMMAND) {
		demand(is_safe(p->user) && is_safe(p->domain), "users: a word that is not safe");
		return;
	}
	if (config->users == USERS_DIRECTORY)
		demand(expand(home, sizeof home, config->text[KEY_USERS], p->user, p->domain),
		    "users: a home that cannot be");
	else
		(void)strcpy(home, config->users == USERS_ANY ? "" : "/home/x");
	demand(strcmp(p->home, home) == 0, "users: another home");
	demand(expand(box, sizeof box, mailbox, p->user, p->domain),
	    "users: a mailbox that cannot be");
	size_t above = mailbox[0] == '/' ? 0 : strlen(home);
	demand(strncmp(p->text, home, above) == 0 && (above == 0 || p->text[above++] == '/') &&
		   strcmp(p->text + above, box) == 0,
	    "users: another mailbox");
	size_t end = strlen(p->text);
	while (end > 0 && p->text[end - 1] == '/')
		end--;
	demand(p->name > 0 && p->name < end && p->text[p->name - 1] == '/' &&
		   memchr(p->text + p->name, '/', end - p->name) == NULL,
	    "users: its name is elsewhere");
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct place at[1];
	char address[MAILBOX_MAX + 1];
	struct places places = {.at = at};
	struct config config;
	const char *text = NULL;

	if (size < 1 + ANSWERS)
		return 0;
	configure(&config, data[0]);
	answers = data + 1;
	data += 1 + ANSWERS;
	size -= 1 + ANSWERS;
	bool asks = may_be_asked((const char *)data, size);
	demand(recipient_rule(data, size, false) == asks, "rule: let pass or not, wrongly");
	if (!asks || memchr(data, 0, size) != NULL) /* which the codec has seen to */
		return 0;
	memcpy(address, data, size);
	address[size] = 0;
	asked = 0;
	untold = false;
	places.room = answers[ANSWERS - 1] == UCHAR_MAX ? 0 : 1;

	enum verdict verdict = recipient_find(&config, address, &places, &text);
	demand(verdict == VERDICT_LATER || verdict == VERDICT_NEVER || verdict == VERDICT_YES,
	    "users: another verdict");
	demand(
	    !untold || verdict == VERDICT_LATER, "users: what cannot be told is taken for a fact");
	if (verdict == VERDICT_YES) {
		demand(places.count == 1 && places.room == 1, "users: not one place");
		check_mailbox(&config, at, address);
	} else {
		demand(text != NULL && text[0] == (verdict == VERDICT_LATER ? '4' : '5') &&
			   answer_after_status(text, text[0]) != NULL,
		    "users: another reply");
	}
	return 0;
}
