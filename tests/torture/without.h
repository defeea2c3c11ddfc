/*
 * without.h -- deliver without some of its syncs: included before each of its files, with WITHOUT as the
 * sum of what is left out.  To show that power sees the loss.
 */
#include <sys/stat.h>
#include <unistd.h>

enum {
	WITHOUT_FILES = 1,
	WITHOUT_DIRECTORIES = 2
};

static inline int
sync_some(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 &&
	    WITHOUT & (S_ISDIR(st.st_mode) ? WITHOUT_DIRECTORIES : WITHOUT_FILES))
		return 0;
	return fsync(fd);
}

static inline int
sync_all(int fd)
{
	return WITHOUT & WITHOUT_DIRECTORIES ? 0 : syncfs(fd);
}

#define fsync  sync_some
#define syncfs sync_all
