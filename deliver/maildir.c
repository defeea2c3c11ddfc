/* maildir.c -- see maildir.h. */
#include "maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	DIRECTORY = O_RDONLY | O_DIRECTORY | O_CLOEXEC
};

/* A directory below `at`, made if it is missing and `make`, which sets *made.  -1 with errno. */
static int
open_dir(int at, const char *name, bool make, bool *made)
{
	int fd = openat(at, name, DIRECTORY);
	if (fd >= 0 || errno != ENOENT || !make)
		return fd;
	*made = true;
	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return -1;
	return openat(at, name, DIRECTORY);
}

static enum fault
fault_of(int why)
{
	return why == ENOENT ? FAULT_ABSENT : why == ENOTDIR ? FAULT_KIND : FAULT_SYSTEM;
}

/* The name of this machine, / and : escaped as the Maildir paper has it. */
static void
host(char *out, size_t size)
{
	char name[65] = "localhost";
	size_t n = 0;

	if (gethostname(name, sizeof name - 1) < 0)
		(void)strcpy(name, "localhost");
	for (const char *c = name; *c != 0 && n + 5 < size; c++) {
		if (*c == '/' || *c == ':')
			n += (size_t)snprintf(out + n, size - n, "\\%03o", (unsigned char)*c);
		else
			out[n++] = *c;
	}
	out[n] = 0;
}

enum fault
maildir_open(struct maildir *m, const char *path, bool make, const char *unique)
{
	struct stat st;
	bool made = false;

	m->state = MAILDIR_IDLE;
	m->pid = getpid(); /* here: the jail admits neither this nor uname */
	host(m->host, sizeof m->host);
	m->unique = unique;
	int top = open_dir(AT_FDCWD, path, make, &made);
	if (top < 0)
		return fault_of(errno);
	if (fstat(top, &st) < 0)
		return FAULT_SYSTEM;
	if (st.st_uid != geteuid())
		return FAULT_OWNER;
	m->tmp = open_dir(top, "tmp", make, &made);
	m->new = m->tmp < 0 ? -1 : open_dir(top, "new", make, &made);
	int cur = m->new < 0 ? -1 : open_dir(top, "cur", make, &made);
	if (cur < 0)
		return fault_of(errno);
	/* Directories that are new must last as the message in them does, up to the one above. */
	if ((made && syncfs(top) < 0) || close(cur) < 0 || close(top) < 0)
		return FAULT_SYSTEM;
	return FAULT_NONE;
}

static void
choose_name(struct maildir *m)
{
	static unsigned count;
	struct timespec now;

	if (m->unique != NULL) {
		(void)snprintf(m->name, sizeof m->name, "%s.%s", m->unique, m->host);
		return;
	}
	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
	(void)snprintf(m->name, sizeof m->name, "%lld.M%06ldP%ldQ%u.%s", (long long)now.tv_sec,
	    now.tv_nsec / 1000, (long)m->pid, ++count, m->host);
}

enum fault
maildir_begin(struct maildir *m)
{
	m->out.len = 0;
	for (int i = 0; i < UNIQUE_TRIES; i++) {
		choose_name(m);
		m->out.fd = openat(m->tmp, m->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (m->out.fd >= 0) {
			m->state = MAILDIR_WRITING;
			return FAULT_NONE;
		}
		if (errno != EEXIST || m->unique != NULL)
			break;
	}
	return FAULT_SYSTEM;
}

enum fault
maildir_write(struct maildir *m, const void *octets, size_t len)
{
	return output_write(&m->out, octets, len) < 0 ? FAULT_SYSTEM : FAULT_NONE;
}

enum fault
maildir_stage(struct maildir *m)
{
	if (output_flush(&m->out) < 0 || fsync(m->out.fd) < 0)
		return FAULT_SYSTEM;
	return close(m->out.fd) < 0 ? FAULT_SYSTEM : FAULT_NONE;
}

enum fault
maildir_commit(struct maildir *m)
{
	/* Never rename: it would take the place of a file that has this name by some mischance. */
	m->state =
	    MAILDIR_VISIBLE; /* before: the guard must know, should this process end in the call */
	if (linkat(m->tmp, m->name, m->new, m->name, 0) < 0) {
		m->state = MAILDIR_WRITING; /* what has that name is not ours */
		return FAULT_SYSTEM;
	}
	return fsync(m->new) < 0 ? FAULT_SYSTEM : FAULT_NONE;
}

/* An entry of getdents64(2). */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

/* A name in a Maildir begins with the time when it was made: only a name that looks too old is asked
   for its real age. */
static void
clean_one(int tmp, const char *name, time_t now)
{
	struct stat st;
	long long made = atoll(name);

	if (made > 0 && made < now - TMP_AGE && fstatat(tmp, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_mtime < now - TMP_AGE && st.st_atime < now - TMP_AGE)
		(void)unlinkat(tmp, name, 0); /* another delivery may have been first */
}

static void
clean(int tmp, time_t now)
{
	_Alignas(8) char block[4096];

	for (int blocks = 0; blocks < CLEAN_BLOCKS; blocks++) {
		long n = syscall(SYS_getdents64, tmp, block, sizeof block);
		for (long at = 0; at < n;) {
			const struct entry *e = (const struct entry *)(const void *)(block + at);
			clean_one(tmp, e->name, now);
			at += e->size;
		}
		if (n < (long)sizeof block / 2) /* no full block: the end */
			break;
	}
}

void
maildir_keep(struct maildir *m)
{
	(void)unlinkat(m->tmp, m->name, 0); /* what stays is found by clean() in 36 hours */
	m->state = MAILDIR_IDLE;
	clean(m->tmp, time(NULL));
}

void
maildir_undo(struct maildir *m)
{
	if (m->state == MAILDIR_VISIBLE) {
		(void)unlinkat(m->new, m->name, 0); /* a failure on the way back has no other way */
		(void)fsync(m->new);
	}
	if (m->state != MAILDIR_IDLE)
		(void)unlinkat(m->tmp, m->name, 0);
	m->state = MAILDIR_IDLE;
}

enum fault
maildir_take_back(struct maildir *m)
{
	choose_name(m);
	bool gone = unlinkat(m->new, m->name, 0) == 0 || errno == ENOENT;
	gone = (unlinkat(m->tmp, m->name, 0) == 0 || errno == ENOENT) && gone;
	return gone && fsync(m->new) == 0 ? FAULT_NONE : FAULT_SYSTEM;
}
