/*
 * count.h -- what is in a Maildir and its folders, counted as maildrop and Courier count for a quota:
 * the files in new/ and cur/, not those that are marked as deleted, and not the folder Trash.
 */
#ifndef COUNT_H
#define COUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define COUNT_TRASH ".Trash" /* the folder that nothing is counted in */

struct count {
	int64_t octets, files;
	struct timespec newest; /* when one of the directories was last changed */
};

/*
 * Count in the Maildir whose directory is open as `root`.  The size is the one that a name tells
 * (,S=size), else the file is asked.  Without `files` only `newest` is found out.  What vanishes
 * meanwhile, and a folder that cannot be opened, counts nothing.  0, or -1 with errno.
 */
int count_maildir(int root, bool files, struct count *count);

#endif
