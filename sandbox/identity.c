/* identity.c -- see identity.h. */
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "large.h"

/*
 * /etc/passwd and /etc/group, a line at a time, by read(2) alone: libc's readers bring an allocator
 * with them that nothing else here needs, and this runs for every connection.
 */
struct table {
	int fd;
	size_t from, until; /* [from, until): read, and not looked at yet */
	char block[16384];
};

/* The next line, ended by NUL; NULL at the end, or with errno set on an error.  A line that does
   not fit is an error: what it says cannot be known. */
static char *
next_line(struct table *t)
{
	for (;;) {
		char *lf = memchr(t->block + t->from, '\n', t->until - t->from);
		if (lf != NULL) {
			char *line = t->block + t->from;
			*lf = 0;
			t->from = (size_t)(lf - t->block) + 1;
			return line;
		}
		memmove(t->block, t->block + t->from, t->until - t->from);
		t->until -= t->from;
		t->from = 0;
		if (t->until == sizeof t->block) {
			errno = E2BIG;
			return NULL;
		}
		ssize_t n = read(t->fd, t->block + t->until, sizeof t->block - t->until);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return NULL;
		if (n == 0 && t->until == 0) {
			errno = 0;
			return NULL;
		}
		if (n == 0) /* the last line lacks its line feed; there is room for one */
			t->block[t->until] = '\n';
		t->until += n == 0 ? 1 : (size_t)n;
	}
}

/* Split at colons; how many fields there are, at most `most`. */
static size_t
split(char *line, char *fields[], size_t most)
{
	size_t n = 0;

	while (line != NULL && n < most) {
		fields[n++] = line;
		line = strchr(line, ':');
		if (line != NULL)
			*line++ = 0;
	}
	return n;
}

static bool
number(const char *text, unsigned *value)
{
	unsigned long long n = 0;

	for (const char *c = text; *c != 0; c++) {
		if (*c < '0' || *c > '9' || n > UINT_MAX)
			return false;
		n = n * 10 + (unsigned long long)(*c - '0');
	}
	*value = (unsigned)n;
	return *text != 0 && n < UINT_MAX; /* (uid_t)-1 is nobody */
}

/* The line of `file` whose first field is `name`, if it has `want` fields. */
static enum identity_found
find(struct table *t, const char *file, const char *name, char *fields[], size_t want)
{
	enum identity_found found = IDENTITY_NONE;
	char *line;

	t->from = t->until = 0;
	t->fd = open(file, O_RDONLY | O_CLOEXEC);
	if (t->fd < 0)
		return IDENTITY_UNKNOWN;
	while (found == IDENTITY_NONE && (line = next_line(t)) != NULL)
		if (split(line, fields, want) == want && strcmp(fields[0], name) == 0)
			found = IDENTITY_FOUND;
	if (found == IDENTITY_NONE && errno != 0)
		found = IDENTITY_UNKNOWN;
	int why = errno;
	(void)close(t->fd); /* read only */
	errno = why;
	return found;
}

enum {
	PASSWD_FIELDS = 6 /* passwd(5), up to the home */
};

static enum identity_found
take(char *const fields[PASSWD_FIELDS], struct identity *who)
{
	if (!number(fields[2], &who->uid) || !number(fields[3], &who->gid) ||
	    strlen(fields[5]) >= sizeof who->home) {
		errno = EINVAL;
		return IDENTITY_UNKNOWN;
	}
	(void)strcpy(who->home, fields[5]);
	return IDENTITY_FOUND;
}

enum identity_found
identity_find(const char *name, struct identity *who)
{
	static LARGE struct table table;
	char *fields[PASSWD_FIELDS];

	enum identity_found found = find(&table, "/etc/passwd", name, fields, PASSWD_FIELDS);
	return found == IDENTITY_FOUND ? take(fields, who) : found;
}

enum identity_found
identity_read(char *line, const char *name, struct identity *who)
{
	char *fields[PASSWD_FIELDS];

	if (split(line, fields, PASSWD_FIELDS) == PASSWD_FIELDS && strcmp(fields[0], name) == 0)
		return take(fields, who);
	errno = EINVAL;
	return IDENTITY_UNKNOWN;
}

enum identity_found
identity_group(const char *name, gid_t *gid)
{
	static LARGE struct table table;
	char *fields[3];

	enum identity_found found = find(&table, "/etc/group", name, fields, 3);
	if (found != IDENTITY_FOUND || number(fields[2], gid))
		return found;
	errno = EINVAL;
	return IDENTITY_UNKNOWN;
}

/* True if any of the three ids could be made 0 again, or a group list set. */
static int
can_return(uid_t uid, gid_t gid)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;

	if (syscall(SYS_setresuid, -1L, 0L, -1L) == 0 || syscall(SYS_setuid, 0L) == 0 ||
	    syscall(SYS_setgroups, 0L, NULL) == 0)
		return 1;
	if (gid != 0 && syscall(SYS_setresgid, -1L, 0L, -1L) == 0)
		return 1;
	if (getresuid(&ruid, &euid, &suid) < 0 || getresgid(&rgid, &egid, &sgid) < 0)
		return 1;
	return ruid != uid || euid != uid || suid != uid || rgid != gid || egid != gid ||
	       sgid != gid;
}

int
identity_become(uid_t uid, gid_t gid, gid_t extra)
{
	if (uid == 0 || gid == 0 || extra == 0) {
		errno = EPERM;
		return -1;
	}
	int groups = extra != (gid_t)-1 && extra != gid;
	if (syscall(SYS_setgroups, (long)groups, &extra) < 0 ||
	    syscall(SYS_setresgid, (long)gid, (long)gid, (long)gid) < 0 ||
	    syscall(SYS_setresuid, (long)uid, (long)uid, (long)uid) < 0)
		return -1;
	if (can_return(uid, gid)) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

int
identity_keep_none(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	const struct __user_cap_data_struct none[2] = {0};

	return (int)syscall(SYS_capset, &header, none);
}

/* fstatat(2) as `uid` would see it, if we are root. */
static int
look(uid_t uid, const char *path, int flags, struct stat *st)
{
	bool root = geteuid() == 0;

	if (root && seteuid(uid) < 0)
		return -1;
	int r = fstatat(AT_FDCWD, path, st, flags), why = errno;
	if (root && seteuid(0) < 0)
		_exit(EX_OSERR); /* as below */
	errno = why;
	return r;
}

bool
identity_sees(uid_t uid, const char *path)
{
	struct stat st;

	return look(uid, path, AT_SYMLINK_NOFOLLOW, &st) == 0 ||
	       (errno != ENOENT && errno != ENOTDIR);
}

int
identity_stat(uid_t uid, const char *path, struct stat *st)
{
	return look(uid, path, 0, st);
}

int
identity_kill(uid_t uid, pid_t pid, int number)
{
	if (kill(pid, number) == 0)
		return 0;
	if (geteuid() != 0 || seteuid(uid) < 0)
		return -1;
	int r = kill(pid, number);
	int why = errno;
	if (seteuid(0) < 0)
		_exit(EX_OSERR); /* half of somebody else is nothing to go on as */
	errno = why;
	return r;
}

/* Of the permitted capabilities keep some, and have them in effect or not. */
static int
keep(__u32 some, int effective)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return -1;
	data[0].permitted &= some;
	data[0].effective = effective ? data[0].permitted : 0;
	data[0].inheritable = 0;
	memset(&data[1], 0, sizeof data[1]);
	return (int)syscall(SYS_capset, &header, data);
}

int
identity_keep_few(void)
{
	return keep(1U << CAP_SETUID | 1U << CAP_SETGID | 1U << CAP_KILL, 1);
}

int
identity_keep_for_exec(void)
{
	return keep(1U << CAP_SETUID | 1U << CAP_SETGID | 1U << CAP_SYS_CHROOT | 1U << CAP_KILL, 0);
}
