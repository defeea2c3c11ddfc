/* quota.c -- see quota.h. */
#include "quota.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "count.h"
#include "limits.h"

static const char file_name[] = "maildirsize";

/* What the file says. */
struct ledger {
	size_t head; /* length of the first line, without its end; 0: there is none */
	int64_t most_octets, most_files; /* 0: no limit */
	int64_t octets, files;
	unsigned lines;
	bool stale; /* it is to be counted anew before it is believed */
	char text[QUOTA_FILE_MAX];
};

static int
open_file(int root)
{
	struct stat st;

	/* O_NONBLOCK: a FIFO of that name must not hold us up. */
	int fd = openat(root, file_name, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
		return fd;
	(void)close(fd); /* nothing was written */
	errno = EISDIR;
	return -1;
}

bool
quota_open(struct quota *q, int root, enum fault *fault)
{
	*q = (struct quota){.root = root, .fd = open_file(root)};
	*fault = q->fd < 0 && errno != ENOENT ? FAULT_SYSTEM : FAULT_NONE;
	if (q->fd >= 0)
		q->pid = getpid(); /* here: the jail does not admit it */
	return q->fd >= 0;
}

/* ---- the lock ---------------------------------------------------------------------------------- */

static bool
is_current(const struct quota *q)
{
	struct stat ours, there;

	return fstat(q->fd, &ours) == 0 &&
	       fstatat(q->root, file_name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

/* Two octets of the file, whatever stands there, are locked. */
enum octet {
	CHANGING, /* by whoever reads it and then writes it */
	PENDING,  /* shared, by everybody who has noted a message that cannot be seen yet */
};

static int
set_lock(int fd, enum octet octet, short type)
{
	struct flock one = {.l_type = type, .l_whence = SEEK_SET, .l_start = octet, .l_len = 1};

	return fcntl(fd, F_OFD_SETLK, &one);
}

static bool
is_pending(int fd)
{
	struct flock one = {
	    .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = PENDING, .l_len = 1};

	return fcntl(fd, F_OFD_GETLK, &one) == 0 && one.l_type != F_UNLCK;
}

/* The file of that name, should another have taken the place of ours; *renewed is set if so. */
static enum fault
follow(struct quota *q, bool *renewed)
{
	if (q->fd < 0 || is_current(q))
		return FAULT_NONE;
	*renewed = true;
	(void)close(q->fd); /* every write was looked at */
	q->fd = open_file(q->root);
	return q->fd < 0 && errno != ENOENT ? FAULT_SYSTEM : FAULT_NONE;
}

/* On the file that has the name while it is locked.  Where the lock cannot be had in time all goes on
   without it: the sum may then be wrong until it is counted anew, but mail comes in. */
static enum fault
lock(struct quota *q, bool *renewed)
{
	const struct timespec nap = {0, LOCK_PAUSE_MIN * 1000000};
	time_t end = time(NULL) + QUOTA_WAIT;

	*renewed = false;
	for (;;) {
		enum fault fault = follow(q, renewed);
		if (fault != FAULT_NONE || q->fd < 0)
			return fault;
		q->locked = set_lock(q->fd, CHANGING, F_WRLCK) == 0;
		if (q->locked && is_current(q))
			return FAULT_NONE;
		if (!q->locked && ((errno != EAGAIN && errno != EACCES) || time(NULL) >= end))
			return FAULT_NONE;
		if (!q->locked)
			(void)nanosleep(&nap, NULL); /* cut short: one try more */
	}
}

static void
unlock(struct quota *q)
{
	if (q->locked && q->fd >= 0)
		(void)set_lock(q->fd, CHANGING, F_UNLCK); /* cannot fail: it is ours */
	q->locked = false;
}

/* ---- what it says ------------------------------------------------------------------------------ */

/* "10000000S,1000C".  A kind of limit that is not known here limits nothing. */
static void
read_limits(struct ledger *l)
{
	const char *c = l->text, *end = l->text + l->head;

	while (c < end) {
		int64_t n = 0;
		for (; c < end && *c >= '0' && *c <= '9'; c++)
			n = n > INT64_MAX / 10 - 1 ? INT64_MAX / 10 : n * 10 + (*c - '0');
		if (c < end && *c == 'S')
			l->most_octets = n;
		if (c < end && *c == 'C')
			l->most_files = n;
		c++;
	}
}

/* A number behind blanks; where the text goes on, or NULL. */
static const char *
number(const char *c, const char *end, int64_t *value)
{
	while (c < end && (*c == ' ' || *c == '\t'))
		c++;
	bool minus = c < end && *c == '-';
	c += minus ? 1 : 0;
	if (c == end || *c < '0' || *c > '9')
		return NULL;
	for (*value = 0; c < end && *c >= '0' && *c <= '9'; c++) {
		if (*value > INT64_MAX / 10 - 1)
			return NULL;
		*value = *value * 10 + (*c - '0');
	}
	*value = minus ? -*value : *value;
	return c;
}

static bool
add_line(struct ledger *l, const char *c, const char *end)
{
	int64_t octets, files;

	c = number(c, end, &octets);
	c = c == NULL ? NULL : number(c, end, &files);
	while (c != NULL && c < end && (*c == ' ' || *c == '\t' || *c == '\r'))
		c++;
	l->lines++;
	return c == end && !__builtin_add_overflow(l->octets, octets, &l->octets) &&
	       !__builtin_add_overflow(l->files, files, &l->files);
}

/* A line that is not ended was not written as a whole. */
static void
read_lines(struct ledger *l, size_t len)
{
	const char *c = l->text + l->head + 1, *end = l->text + len;

	while (c < end && !l->stale) {
		const char *lf = memchr(c, '\n', (size_t)(end - c));
		if (lf == NULL || !add_line(l, c, lf))
			l->stale = true;
		else
			c = lf + 1;
	}
	if (l->lines == 0 || l->octets < 0 || l->files < 0)
		l->stale = true;
}

static enum fault
read_ledger(int fd, struct ledger *l)
{
	size_t len = 0;
	ssize_t n = 0;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return FAULT_SYSTEM;
	while (len < sizeof l->text && (n = read(fd, l->text + len, sizeof l->text - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		return FAULT_SYSTEM;
	const char *lf = memchr(l->text, '\n', len);
	if (lf == NULL)
		return FAULT_NONE;
	l->head = (size_t)(lf - l->text);
	read_limits(l);
	l->stale = len == sizeof l->text;
	read_lines(l, len);
	return FAULT_NONE;
}

static bool
exceeds(int64_t most, int64_t have, int64_t more)
{
	return most > 0 && (more > most || have > most - more);
}

static bool
is_full(const struct ledger *l, int64_t size)
{
	return exceeds(l->most_octets, l->octets, size) || exceeds(l->most_files, l->files, 1);
}

/* ---- a new one --------------------------------------------------------------------------------- */

/* Write it all at once.  What is written in part would spoil the next line. */
static int
put(int fd, const char *text, size_t len)
{
	ssize_t n = write(fd, text, len);

	if (n >= 0 && (size_t)n < len)
		errno = ENOSPC;
	return n >= 0 && (size_t)n == len ? 0 : -1;
}

static int
put_line(int fd, int64_t octets, int64_t files)
{
	char line[QUOTA_LINE_MAX];
	int len = snprintf(line, sizeof line, "%lld %lld\n", (long long)octets, (long long)files);

	return put(fd, line, (size_t)len);
}

/* Synced: after a loss of power the limits must still be there. */
static int
fill(int fd, const struct ledger *l)
{
	if (put(fd, l->text, l->head + 1) < 0 || put_line(fd, l->octets, l->files) < 0)
		return -1;
	return fsync(fd);
}

/* A new file takes the place of ours; it is locked as ours was, before anybody can see it. */
static enum fault
renew(struct quota *q, const struct ledger *l)
{
	char name[UNIQUE_MAX + 1];
	struct timespec now;
	struct stat st;

	if (fstat(q->fd, &st) < 0)
		return FAULT_SYSTEM;
	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
	/* Begins as all names in tmp/ do, so that what a killed process leaves is found there. */
	(void)snprintf(name, sizeof name, "tmp/%lld.M%06ldP%ld.maildirsize", (long long)now.tv_sec,
	    now.tv_nsec / 1000, (long)q->pid);
	int fd = openat(
	    q->root, name, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 0666);
	if (fd < 0)
		return FAULT_SYSTEM;
	bool locked = set_lock(fd, CHANGING, F_WRLCK) == 0;
	if (fill(fd, l) < 0 || renameat(q->root, name, q->root, file_name) < 0) {
		int why = errno;
		(void)unlinkat(q->root, name, 0); /* found in 36 hours at the latest */
		(void)close(fd);
		errno = why;
		return FAULT_SYSTEM;
	}
	(void)close(q->fd); /* every write was looked at */
	q->fd = fd;
	q->locked = locked;
	return FAULT_NONE;
}

/* Count, and write what was counted; again, a few times, if a reader changed something meanwhile. */
static enum fault
count_anew(struct quota *q, struct ledger *l)
{
	struct count count, after;

	for (int i = 0; i < QUOTA_TRIES; i++) {
		if (count_maildir(q->root, true, &count) < 0)
			return FAULT_SYSTEM;
		l->octets = count.octets;
		l->files = count.files;
		enum fault fault = renew(q, l);
		if (fault != FAULT_NONE)
			return fault;
		if (count_maildir(q->root, false, &after) < 0)
			return FAULT_SYSTEM;
		if (memcmp(&count.newest, &after.newest, sizeof count.newest) == 0)
			break;
	}
	return FAULT_NONE;
}

/* ---- the steps --------------------------------------------------------------------------------- */

static bool
is_old(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && time(NULL) - st.st_mtime >= QUOTA_AGE;
}

/* Locked.  A file without a whole first line limits nothing, and is nothing to write to. */
static enum fault
fits(struct quota *q, int64_t size)
{
	struct ledger l = {0};

	enum fault fault = read_ledger(q->fd, &l);
	if (fault != FAULT_NONE)
		return fault;
	if (l.head == 0) {
		(void)close(q->fd); /* nothing was written */
		q->fd = -1;
		q->locked = false;
		return FAULT_NONE;
	}
	bool doubtful = is_full(&l, size) && (l.lines > 1 || is_old(q->fd));
	/* What is noted and cannot be seen would not be counted, and the limit exceeded by it. */
	if (doubtful && !l.stale && is_pending(q->fd))
		return FAULT_FULL_NOW;
	if (doubtful || l.stale)
		fault = count_anew(q, &l);
	if (fault != FAULT_NONE)
		return fault;
	return is_full(&l, size) ? FAULT_FULL : FAULT_NONE;
}

static int
put_note(const struct quota *q)
{
	/* Where it cannot be had, the limit may be exceeded by this message. */
	(void)set_lock(q->fd, PENDING, F_RDLCK);
	return put_line(q->fd, q->size, 1);
}

static enum fault
ask(struct quota *q, int64_t size, bool note)
{
	bool renewed;

	enum fault fault = lock(q, &renewed);
	if (fault == FAULT_NONE && q->fd >= 0)
		fault = fits(q, size);
	if (fault == FAULT_NONE && note && q->fd >= 0) {
		q->size = size;
		fault = put_note(q) < 0 ? FAULT_SYSTEM : FAULT_NONE;
		q->state = fault == FAULT_NONE ? QUOTA_NOTED : QUOTA_NOTHING;
	}
	int why = errno;
	unlock(q);
	errno = why;
	return fault;
}

enum fault
quota_ask(struct quota *q, int64_t size)
{
	return ask(q, size, false);
}

enum fault
quota_note(struct quota *q, int64_t size)
{
	return ask(q, size, true);
}

enum fault
quota_hold(struct quota *q)
{
	bool renewed = false;

	if (q->state == QUOTA_NOTHING)
		return FAULT_NONE;
	enum fault fault = lock(q, &renewed);
	/* It was counted anew: what cannot be seen was not. */
	if (fault == FAULT_NONE && renewed && q->state == QUOTA_NOTED && q->fd >= 0 &&
	    put_note(q) < 0)
		fault = FAULT_SYSTEM;
	q->state = fault == FAULT_NONE ? QUOTA_HELD : QUOTA_NOTHING;
	return fault;
}

void
quota_release(struct quota *q, bool stands)
{
	if (q->state == QUOTA_HELD && !stands && q->fd >= 0)
		(void)put_line(q->fd, -q->size, -1); /* else the sum is too large for a while */
	if (q->fd >= 0)
		(void)set_lock(q->fd, PENDING, F_UNLCK); /* cannot fail: it is ours */
	if (q->state == QUOTA_HELD)
		q->state = stands ? QUOTA_STANDS : QUOTA_NOTHING;
	unlock(q);
}

void
quota_end(struct quota *q)
{
	if (q->state == QUOTA_NOTED && quota_hold(q) == FAULT_NONE)
		quota_release(q, false);
}

void
quota_recount(struct quota *q)
{
	struct ledger l = {0};
	bool renewed;

	if (lock(q, &renewed) == FAULT_NONE && q->fd >= 0 && read_ledger(q->fd, &l) == FAULT_NONE &&
	    l.head > 0)
		(void)count_anew(q, &l); /* else the sum is too large for a while */
	unlock(q);
}
