/* entries.c -- see entries.h. */
#include "entries.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* An entry of getdents64(2). */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

/* Where only so many blocks are wanted, one that has much room left is the last: that saves a call, and
   a file system that breaks off early costs no more than what is left for another time. */
static int
is_last(const struct entries *e)
{
	return e->most > 0 && e->blocks > 0 &&
	       (e->blocks == e->most || e->until < (long)sizeof e->block / 2);
}

const char *
entries_next(struct entries *e)
{
	errno = 0;
	if (e->at == e->until) {
		if (is_last(e))
			return NULL;
		e->at = 0;
		e->until = syscall(SYS_getdents64, e->fd, e->block, sizeof e->block);
		e->blocks++;
	}
	if (e->until <= 0) {
		e->until = 0;
		return NULL;
	}
	const struct entry *entry = (const struct entry *)(const void *)(e->block + e->at);
	e->at += entry->size;
	return entry->name;
}
