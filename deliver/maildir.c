/* maildir.c -- see maildir.h. */
#include "maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "count.h"
#include "entries.h"

#define SIZE_TAG ",S=" /* Maildir++: what follows is the file's size */

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

/* A Maildir's directory and the three in it.  It is added to the places. */
static enum fault
open_place(struct maildir *m, int at, bool make, bool *made)
{
	struct maildir_place place = {-1, -1};
	struct stat st;

	if (fstat(at, &st) < 0)
		return FAULT_SYSTEM;
	if (st.st_uid != geteuid())
		return FAULT_OWNER;
	place.tmp = open_dir(at, "tmp", make, made);
	place.new = place.tmp < 0 ? -1 : open_dir(at, "new", make, made);
	int cur = place.new < 0 ? -1 : open_dir(at, "cur", make, made);
	if (cur < 0)
		return fault_of(errno);
	m->places[m->places_count++] = place;
	return close(cur) < 0 ? FAULT_SYSTEM : FAULT_NONE;
}

/* The folder of that name, if it is one; FAULT_ABSENT if not.  Never through a symbolic link: what lies
   behind it would not be counted. */
static enum fault
open_folder(struct maildir *m, int root, const char *name)
{
	int at = openat(root, name, DIRECTORY | O_NOFOLLOW);

	if (at < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? FAULT_ABSENT
									     : FAULT_SYSTEM;
	enum fault fault = open_place(m, at, false, NULL);
	if (close(at) < 0)
		return FAULT_SYSTEM;
	return fault == FAULT_KIND || fault == FAULT_OWNER ? FAULT_ABSENT : fault;
}

/* Write the name of a folder for that extension; false if it was in small letters all along. */
static bool
folder_name(char name[EXTENSION_MAX + 2], const char *extension, bool small)
{
	size_t n = 0;

	name[n++] = '.';
	for (const char *c = extension; *c != 0 && n <= EXTENSION_MAX; c++)
		name[n++] = small && *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
	name[n] = 0;
	return !small || strcmp(name + 1, extension) != 0;
}

static bool
is_trash(const char *name, size_t len)
{
	return len == sizeof COUNT_TRASH - 1 && memcmp(name, COUNT_TRASH, len) == 0;
}

/* Where to deliver; or, to look, every place where another process may have delivered: since then a
   folder may have come or gone. */
static enum fault
open_places(struct maildir *m, int root, const struct maildir_how *how, bool *made, bool *trash)
{
	char name[EXTENSION_MAX + 2];

	for (int small = 0; how->extension != NULL && small < 2; small++) {
		if (!folder_name(name, how->extension, small))
			break;
		enum fault fault = open_folder(m, root, name);
		if (fault == FAULT_ABSENT)
			continue;
		if (fault == FAULT_NONE)
			*trash = is_trash(name, strlen(name));
		if (fault != FAULT_NONE || !how->only_look)
			return fault;
	}
	enum fault fault = open_place(m, root, how->make && !how->only_look, made);
	return fault == FAULT_ABSENT && m->places_count > 0 ? FAULT_NONE : fault;
}

/* "Maildir/.folder/" itself was named: the folder's name; NULL if that is none. */
static const char *
folder_of(int root, const char *path, size_t *len)
{
	size_t end = strlen(path);

	while (end > 0 && path[end - 1] == '/')
		end--;
	size_t at = end;
	while (at > 0 && path[at - 1] != '/')
		at--;
	*len = end - at;
	return *len > 1 && path[at] == '.' && path[at + 1] != '.' &&
		       faccessat(root, "maildirfolder", F_OK, 0) == 0
		   ? path + at
		   : NULL;
}

/* The quota of a folder is that of the directory above.  Takes `root`: closes it unless the keeper has
   use for it. */
static enum fault
open_quota(struct maildir *m, int root, const char *path, const struct maildir_how *how)
{
	size_t len;
	const char *folder = folder_of(root, path, &len);
	enum fault fault = FAULT_NONE;

	if (folder != NULL) {
		int above = openat(root, "..", DIRECTORY);
		if (close(root) < 0 || above < 0)
			return FAULT_SYSTEM;
		root = above;
	}
	if (how->keeper != NULL && (folder == NULL || !is_trash(folder, len)))
		fault = keeper_add(how->keeper, root, &m->quota);
	return m->quota == KEEPER_NONE && close(root) < 0 ? FAULT_SYSTEM : fault;
}

enum fault
maildir_open(struct maildir *m, const char *path, const struct maildir_how *how)
{
	bool made = false, trash = false;

	m->state = MAILDIR_IDLE;
	m->pid = getpid(); /* here: the jail admits neither this nor uname */
	host(m->host, sizeof m->host);
	m->unique = how->unique;
	m->keeper = how->keeper;
	m->quota = KEEPER_NONE;
	int root = open_dir(AT_FDCWD, path, how->make && !how->only_look, &made);
	if (root < 0)
		return fault_of(errno);
	enum fault fault = open_places(m, root, how, &made, &trash);
	/* Directories that are new must last as the message in them does, up to the one above. */
	if (fault == FAULT_NONE && made && syncfs(root) < 0)
		fault = FAULT_SYSTEM;
	if (fault == FAULT_NONE && !trash)
		return open_quota(m, root, path, how);
	return close(root) < 0 ? FAULT_SYSTEM : fault;
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
		m->out.fd = openat(
		    m->places[0].tmp, m->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
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

/* Of the file that is whole. */
static enum fault
note_size(struct maildir *m)
{
	struct stat st;

	(void)strcpy(m->shown, m->name);
	if (m->quota == KEEPER_NONE)
		return FAULT_NONE;
	if (fstat(m->out.fd, &st) < 0)
		return FAULT_SYSTEM;
	(void)snprintf(m->shown, sizeof m->shown, "%s" SIZE_TAG "%llu", m->name,
	    (unsigned long long)st.st_size);
	return keeper_note(m->keeper, m->quota, st.st_size);
}

enum fault
maildir_stage(struct maildir *m)
{
	if (output_flush(&m->out) < 0)
		return FAULT_SYSTEM;
	enum fault fault = note_size(m);
	if (fault != FAULT_NONE)
		return fault;
	return fsync(m->out.fd) < 0 || close(m->out.fd) < 0 ? FAULT_SYSTEM : FAULT_NONE;
}

enum fault
maildir_commit(struct maildir *m)
{
	const struct maildir_place *in = &m->places[0];

	enum fault fault = keeper_hold(m->keeper, m->quota);
	if (fault != FAULT_NONE)
		return fault;
	/* Never rename: it would take the place of a file that has this name by some mischance. */
	m->state =
	    MAILDIR_VISIBLE; /* before: the guard must know, should this process end in the call */
	bool linked = linkat(in->tmp, m->name, in->new, m->shown, 0) == 0;
	int why = errno;
	if (!linked)
		m->state = MAILDIR_WRITING; /* what has that name is not ours */
	keeper_release(m->keeper, m->quota, linked);
	errno = why;
	return linked && fsync(in->new) == 0 ? FAULT_NONE : FAULT_SYSTEM;
}

/* A name in a Maildir begins with the time when it was made: only a name that looks too old is asked
   for its real age. */
static void
clean_one(int tmp, const char *name, time_t now)
{
	struct stat st;
	long long made = strtoll(name, NULL, 10);

	if (made > 0 && made < now - TMP_AGE && fstatat(tmp, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_mtime < now - TMP_AGE && st.st_atime < now - TMP_AGE)
		(void)unlinkat(tmp, name, 0); /* another delivery may have been first */
}

static void
clean(int tmp, time_t now)
{
	struct entries names = {.fd = tmp, .most = CLEAN_BLOCKS};
	const char *name;

	while ((name = entries_next(&names)) != NULL)
		clean_one(tmp, name, now);
}

void
maildir_keep(struct maildir *m)
{
	int tmp = m->places[0].tmp;

	(void)unlinkat(tmp, m->name, 0); /* what stays is found by clean() in 36 hours */
	m->state = MAILDIR_IDLE;
	clean(tmp, time(NULL));
}

void
maildir_undo(struct maildir *m)
{
	const struct maildir_place *in = &m->places[0];

	if (m->state == MAILDIR_IDLE)
		return;
	(void)keeper_hold(m->keeper, m->quota); /* a failure on the way back has no other way */
	if (m->state == MAILDIR_VISIBLE)
		(void)unlinkat(in->new, m->shown, 0);
	keeper_release(m->keeper, m->quota, false);
	if (m->state == MAILDIR_VISIBLE)
		(void)fsync(in->new);
	(void)unlinkat(in->tmp, m->name, 0);
	m->state = MAILDIR_IDLE;
}

/* In new/ the name may tell the size, which is not known here. */
static bool
take_from_new(int new, const char *name)
{
	struct entries names = {.fd = new};
	size_t n = strlen(name);
	const char *other;

	if (unlinkat(new, name, 0) == 0)
		return true;
	if (errno != ENOENT)
		return false;
	while ((other = entries_next(&names)) != NULL)
		if (strncmp(other, name, n) == 0 &&
		    strncmp(other + n, SIZE_TAG, sizeof SIZE_TAG - 1) == 0)
			return unlinkat(new, other, 0) == 0 || errno == ENOENT;
	return errno == 0;
}

enum fault
maildir_take_back(struct maildir *m)
{
	bool gone = true;

	choose_name(m);
	for (size_t i = 0; i < m->places_count; i++) {
		gone = take_from_new(m->places[i].new, m->name) && gone;
		gone = (unlinkat(m->places[i].tmp, m->name, 0) == 0 || errno == ENOENT) && gone;
		gone = fsync(m->places[i].new) == 0 && gone;
	}
	if (m->quota != KEEPER_NONE) /* whether it was noted is not known */
		quota_recount(&m->keeper->quotas[m->quota]);
	return gone ? FAULT_NONE : FAULT_SYSTEM;
}
