/* mbox.c -- see mbox.h. */
#include "mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const unsigned char from[] = {'F', 'r', 'o', 'm', ' '};

enum {
	FROM_NONE = 99 /* not at a line's start: nothing can match */
};

/* It is the recipient's, a regular file, and has no other name. */
static enum fault
check(int fd, uid_t uid)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return FAULT_SYSTEM;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return FAULT_KIND;
	return st.st_uid == uid ? FAULT_NONE : FAULT_OWNER;
}

/* Split `path`: open its directory, note the name of the dot lock, return the last part. */
static const char *
split(struct mbox *m, const char *path)
{
	char dir[4096];
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	size_t n = slash == NULL ? 0 : (size_t)(slash - path) + 1;

	if (n >= sizeof dir || strlen(name) + sizeof ".lock" > sizeof m->lock) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	memcpy(dir, path, n);
	dir[n] = 0;
	(void)snprintf(m->name, sizeof m->name, "%s", name);
	(void)snprintf(m->lock, sizeof m->lock, "%s.lock", name);
	/* Read, so that it can be synced; a directory that only lets pass is good enough otherwise. */
	m->dir = open(n > 0 ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	m->dir_read = m->dir >= 0;
	if (m->dir < 0 && errno == EACCES)
		m->dir = open(n > 0 ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return m->dir < 0 ? NULL : name;
}

enum fault
mbox_open(struct mbox *m, const char *path)
{
	m->fcntl_lock = m->dot_lock = m->appending = false;
	m->uid = geteuid(); /* here: the jail does not admit it */
	const char *name = split(m, path);
	if (name == NULL)
		return FAULT_SYSTEM;
	/* O_NONBLOCK: a FIFO at that place must not hold us up until check() sees it. */
	m->out.fd = openat(m->dir, name,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_APPEND | O_CLOEXEC, 0600);
	if (m->out.fd < 0)
		return FAULT_SYSTEM;
	enum fault fault = check(m->out.fd, m->uid);
	if (fault != FAULT_NONE || m->dir_read)
		return fault;
	/* A file that is empty may have been made just now, and its directory cannot be synced alone,
	   as mbox_stage does where it can. */
	off_t size = lseek(m->out.fd, 0, SEEK_END);
	return size < 0 || (size == 0 && syncfs(m->out.fd) < 0) ? FAULT_SYSTEM : FAULT_NONE;
}

/* One try for the dot lock: 0, or -1 with errno.  mknod makes it at once or not at all, as open
   with O_EXCL does, and needs no right to write any file of the directory. */
static int
try_dot_lock(struct mbox *m)
{
	struct stat st;

	if (mknodat(m->dir, m->lock, S_IFREG | 0600, 0) == 0) {
		m->dot_lock = true;
		return 0;
	}
	if (errno != EEXIST)
		return -1;
	if (fstatat(m->dir, m->lock, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    time(NULL) - st.st_mtime > LOCK_STALE)
		(void)unlinkat(
		    m->dir, m->lock, 0); /* its owner does not hold the fcntl lock either */
	errno = EEXIST;
	return -1;
}

static int
set_fcntl_lock(int fd, short type)
{
	/* Of the open file, not of the process: held for as long as one of writer and guard lives,
	   and not lost when some other descriptor of the same file is closed. */
	struct flock whole = {.l_type = type, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_SETLK, &whole);
}

/* One try for both: 0 held, 1 busy, -1 with errno.  When the second is busy the first is let go,
   so that a program that takes them in the other order is not held up for ever. */
static int
try_locks(struct mbox *m)
{
	if (set_fcntl_lock(m->out.fd, F_WRLCK) < 0)
		return errno == EAGAIN || errno == EACCES ? 1 : -1;
	m->fcntl_lock = true;
	if (try_dot_lock(m) == 0 || errno == EACCES || errno == EPERM || errno == EROFS)
		return 0;
	int busy = errno == EEXIST;
	int why = errno;
	(void)set_fcntl_lock(m->out.fd, F_UNLCK); /* cannot fail: it is ours */
	m->fcntl_lock = false;
	errno = why;
	return busy ? 1 : -1;
}

static enum fault
lock(struct mbox *m)
{
	long pause = LOCK_PAUSE_MIN;
	time_t end = time(NULL) + LOCK_WAIT;

	for (;;) {
		int busy = try_locks(m);
		if (busy <= 0)
			return busy == 0 ? FAULT_NONE : FAULT_SYSTEM;
		if (time(NULL) >= end)
			return FAULT_LOCKED;
		struct timespec nap = {pause / 1000, pause % 1000 * 1000000};
		(void)nanosleep(&nap, NULL); /* cut short: one try more */
		pause = pause * 2 < LOCK_PAUSE_MAX ? pause * 2 : LOCK_PAUSE_MAX;
	}
}

/* While the lock was waited for, somebody gave the file another name and put one in its place. */
static bool
is_replaced(const struct mbox *m)
{
	struct stat ours, there;

	return fstat(m->out.fd, &ours) < 0 ||
	       fstatat(m->dir, m->name, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
	       ours.st_dev != there.st_dev || ours.st_ino != there.st_ino;
}

/* An mbox that was cut short by some accident gets the line feeds that it lacks, so that the
   postmark stands at a line's start after an empty line. */
static int
mend_end(struct mbox *m)
{
	char last[2] = {'\n', '\n'};

	if (m->before == 0)
		return 0;
	off_t at = m->before < 2 ? 0 : m->before - 2;
	if (lseek(m->out.fd, at, SEEK_SET) < 0)
		return -1;
	ssize_t n = read(m->out.fd, last + (2 - (m->before - at)), (size_t)(m->before - at));
	if (n != m->before - at) {
		errno = n < 0 ? errno : EIO;
		return -1;
	}
	size_t lack = last[1] != '\n' ? 2 : m->before > 1 && last[0] != '\n' ? 1 : 0;
	return output_write(&m->out, "\n\n", lack);
}

/* "From sender date": an address without white space or control octets, the date in UTC. */
static int
postmark(struct mbox *m, const char *sender)
{
	char who[ADDRESS_MAX + 1], line[ADDRESS_MAX + 64], date[32];
	size_t n = 0;
	time_t now = time(NULL);
	struct tm tm;

	if (sender == NULL || *sender == 0)
		sender = "MAILER-DAEMON";
	for (; n < ADDRESS_MAX && sender[n] != 0; n++)
		who[n] = sender[n] > ' ' && sender[n] < 0x7f ? sender[n] : '-';
	who[n] = 0;
	if (gmtime_r(&now, &tm) == NULL || asctime_r(&tm, date) == NULL) {
		errno = EOVERFLOW;
		return -1;
	}
	int len = snprintf(line, sizeof line, "From %s %s", who, date); /* date ends the line */
	return output_write(&m->out, line, (size_t)len);
}

enum fault
mbox_begin(struct mbox *m, const char *sender)
{
	m->out.len = 0;
	enum fault f = lock(m);
	if (f == FAULT_NONE)
		f = check(m->out.fd, m->uid);
	if (f != FAULT_NONE)
		return f;
	if (is_replaced(m))
		return FAULT_REPLACED;
	m->before = lseek(m->out.fd, 0, SEEK_END);
	if (m->before < 0)
		return FAULT_SYSTEM;
	m->appending = true;
	m->matched = 0;
	m->line_begun = false;
	return mend_end(m) < 0 || postmark(m, sender) < 0 ? FAULT_SYSTEM : FAULT_NONE;
}

/* An octet that could be part of ">>>From " at a line's start.  Nonzero if it was used up. */
static int
quote(struct mbox *m, unsigned char octet)
{
	if (m->matched == 0 && octet == '>')
		return 0; /* written as it is; still at the start */
	if (octet != from[m->matched]) {
		unsigned n = m->matched;

		m->matched = FROM_NONE;
		return n == 0 ? 0 : output_write(&m->out, from, n);
	}
	if (++m->matched < sizeof from)
		return 1;
	m->matched = FROM_NONE;
	return output_write(&m->out, ">From ", 6) < 0 ? -1 : 1;
}

enum fault
mbox_write(struct mbox *m, const unsigned char *octets, size_t len)
{
	const unsigned char *end = octets + len;

	while (octets < end) {
		if (m->matched != FROM_NONE) {
			int used = quote(m, *octets);
			if (used < 0)
				return FAULT_SYSTEM;
			if (used > 0) {
				octets++;
				m->line_begun = true;
				continue;
			}
		}
		const unsigned char *lf =
		    m->matched == FROM_NONE ? memchr(octets, '\n', (size_t)(end - octets)) : octets;
		const unsigned char *stop = lf != NULL ? lf + 1 : end;
		if (output_write(&m->out, octets, (size_t)(stop - octets)) < 0)
			return FAULT_SYSTEM;
		m->line_begun = stop[-1] != '\n';
		if (!m->line_begun)
			m->matched = 0;
		octets = stop;
	}
	return FAULT_NONE;
}

enum fault
mbox_stage(struct mbox *m)
{
	unsigned held = m->matched != FROM_NONE ? m->matched : 0;

	if (output_write(&m->out, from, held) < 0 ||
	    output_write(&m->out, "\n\n", m->line_begun ? 2 : 1) < 0 || output_flush(&m->out) < 0 ||
	    fsync(m->out.fd) < 0)
		return FAULT_SYSTEM;
	/* A file that was empty may have been made just now: its name must last too. */
	if (m->before == 0 && m->dir_read && fsync(m->dir) < 0)
		return FAULT_SYSTEM;
	return FAULT_NONE;
}

static void
unlock(struct mbox *m)
{
	if (m->dot_lock)
		(void)unlinkat(m->dir, m->lock, 0); /* goes stale at worst */
	m->dot_lock = false;
	if (m->fcntl_lock)
		(void)set_fcntl_lock(m->out.fd, F_UNLCK);
	m->fcntl_lock = false;
}

void
mbox_keep(struct mbox *m)
{
	m->appending = false;
	unlock(m);
}

void
mbox_undo(struct mbox *m)
{
	if (m->appending && (ftruncate(m->out.fd, m->before) < 0 || fsync(m->out.fd) < 0))
		(void)fprintf(stderr, "deliver: an mbox could not be cut back to %lld octets: %s\n",
		    (long long)m->before, strerror(errno));
	m->appending = false;
	unlock(m);
}
