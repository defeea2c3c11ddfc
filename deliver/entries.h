/* entries.h -- the names in a directory, by getdents64(2) alone: libc's reader brings an allocator. */
#ifndef ENTRIES_H
#define ENTRIES_H

#include "limits.h"

struct entries {
	int fd;        /* set by the caller; its offset moves */
	unsigned most; /* set by the caller: blocks that are looked at; 0: all there are */
	unsigned blocks;
	long at, until; /* [at, until): read, and not looked at yet */
	_Alignas(8) char block[ENTRIES_BLOCK];
};

/* The next name, of a file of any kind, "." and ".." too; NULL with errno 0 at the end or after `most`
   blocks, else with what went wrong. */
const char *entries_next(struct entries *e);

#endif
