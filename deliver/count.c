/* count.c -- see count.h. */
#include "count.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "entries.h"

/* The flag T among the letters behind ":2,". */
static bool
is_deleted(const char *name)
{
	const char *flag = strstr(name, ":2,");

	if (flag == NULL)
		return false;
	for (flag += 3; *flag >= 'A' && *flag <= 'Z'; flag++)
		if (*flag == 'T')
			return true;
	return false;
}

/* -1 if the name does not tell. */
static int64_t
told_size(const char *name)
{
	const char *c = strstr(name, ",S="), *info = strchr(name, ':');
	int64_t size = 0;

	if (c == NULL || (info != NULL && info < c) || c[3] < '0' || c[3] > '9')
		return -1;
	for (c += 3; *c >= '0' && *c <= '9'; c++) {
		if (size > INT64_MAX / 10 - 1)
			return -1;
		size = size * 10 + (*c - '0');
	}
	return *c == 0 || *c == ',' || *c == ':' ? size : -1;
}

static int
add_file(int dir, const char *name, struct count *count)
{
	int64_t size = told_size(name);
	struct stat st;

	if (size < 0) {
		if (fstatat(dir, name, &st, 0) < 0)
			return errno == ENOENT ? 0 : -1;
		size = st.st_size;
	}
	count->files++;
	if (__builtin_add_overflow(count->octets, size, &count->octets))
		count->octets = INT64_MAX; /* a name may tell anything */
	return 0;
}

static int
add_files(int dir, struct count *count)
{
	struct entries names = {.fd = dir};
	const char *name;

	while ((name = entries_next(&names)) != NULL)
		if (name[0] != '.' && !is_deleted(name) && add_file(dir, name, count) < 0)
			return -1;
	return errno == 0 ? 0 : -1;
}

static bool
is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

/* There is nothing to be counted for this user. */
static bool
is_nothing(int why)
{
	return why == ENOENT || why == ENOTDIR || why == ELOOP || why == EACCES;
}

/* new/ before cur/: a message that a reader moves meanwhile is counted twice rather than not at all,
   until the change is seen. */
static int
add_folder(int at, bool files, struct count *count)
{
	static const char *const parts[] = {"new", "cur"};
	struct stat st;

	for (size_t i = 0; i < 2; i++) {
		int dir = openat(at, parts[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0 && is_nothing(errno))
			continue;
		if (dir < 0)
			return -1;
		int r = fstat(dir, &st);
		if (r == 0 && is_later(&st.st_mtim, &count->newest))
			count->newest = st.st_mtim;
		if (r == 0 && files)
			r = add_files(dir, count);
		int why = errno;
		(void)close(dir); /* read only */
		errno = why;
		if (r < 0)
			return -1;
	}
	return 0;
}

static bool
is_counted(const char *name)
{
	return name[0] == '.' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       strcmp(name, COUNT_TRASH) != 0;
}

/* A folder of that name, where it is one. */
static int
add_named(int root, const char *name, bool files, struct count *count)
{
	int at = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (at < 0)
		return is_nothing(errno) ? 0 : -1;
	int r = add_folder(at, files, count);
	int why = errno;
	(void)close(at); /* read only */
	errno = why;
	return r;
}

int
count_maildir(int root, bool files, struct count *count)
{
	struct entries names = {.fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	const char *name;

	*count = (struct count){0};
	if (names.fd < 0)
		return -1;
	int r = add_folder(root, files, count);
	while (r == 0 && (name = entries_next(&names)) != NULL)
		if (is_counted(name))
			r = add_named(root, name, files, count);
	if (r == 0 && errno != 0)
		r = -1;
	int why = errno;
	(void)close(names.fd); /* read only */
	errno = why;
	return r;
}
