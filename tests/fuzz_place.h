/* fuzz_place.h -- a directory of their own for the targets whose part writes files. */
#ifndef FUZZ_PLACE_H
#define FUZZ_PLACE_H

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

enum {
	PLACE_PATH = 512
};

/* The path of a name in it.  It is made at the first call, below TMPDIR, and whoever set that removes
   it. */
static inline const char *
place_path(char out[PLACE_PATH], const char *name)
{
	static char place[PLACE_PATH / 4];

	if (place[0] == 0) {
		const char *above = getenv("TMPDIR");
		int n =
		    snprintf(place, sizeof place, "%s/fuzz.XXXXXX", above != NULL ? above : "/tmp");
		demand((size_t)n < sizeof place && mkdtemp(place) != NULL, "no place");
	}
	(void)snprintf(out, PLACE_PATH, "%s/%s", place, name);
	return out;
}

/* A new file with that content. */
static inline void
place_file(const char *path, const void *octets, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	demand(fd >= 0 && write(fd, octets, len) == (ssize_t)len && close(fd) == 0, "no file");
}

/* What is in it: its length, at most `size`. */
static inline size_t
place_content(const char *path, void *octets, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, octets, size);

	demand(n >= 0 && close(fd) == 0, "no content");
	return (size_t)n;
}

#endif
