/*
 * mbox.h -- appending to an mbox file: RFC 4155's postmark, mboxrd quoting, both of the locks of
 * Debian policy 11.6 (fcntl, then dot lock), the length of before restored on any failure.
 */
#ifndef MBOX_H
#define MBOX_H

#include <stdbool.h>
#include <sys/types.h>

#include "fault.h"
#include "output.h"

struct mbox {
	uid_t uid;       /* whose it must be */
	int dir;         /* the directory of the file */
	bool dir_read;   /* it was opened for reading and can be synced */
	char name[256];  /* of the file in it */
	char lock[256];  /* the name of the dot lock in it */
	bool fcntl_lock; /* held */
	bool dot_lock;   /* ours is there */
	bool appending;  /* octets from `before` on are ours */
	off_t before;    /* length under the lock */
	unsigned
	    matched;     /* octets of "From " withheld at a line's start; FROM_NONE inside a line */
	bool line_begun; /* the last octet was not a line feed */
	struct output out;
};

/*
 * Open or make (0600) the file at `path`, never through a symbolic link at its end.  It must be a
 * regular file with one name that belongs to the process's user; the same is looked at again under
 * the lock.
 */
enum fault mbox_open(struct mbox *m, const char *path);

/*
 * Take both locks (waiting at most LOCK_WAIT), note the length, write the postmark.  Where the
 * directory does not let this user make the dot lock, the fcntl lock alone must do, as in Postfix.
 */
enum fault mbox_begin(struct mbox *m, const char *sender);
enum fault mbox_write(struct mbox *m, const unsigned char *octets, size_t len);

/* The message is whole: end it with an empty line and sync.  Programs that honour the locks do not
   see it yet. */
enum fault mbox_stage(struct mbox *m);

/* Nothing more is to come that can fail: give the locks back. */
void mbox_keep(struct mbox *m);

/* Restore the length of before and give the locks back, after a failure at any step.  May be
   called by another process that shares *m and inherited its descriptors. */
void mbox_undo(struct mbox *m);

#endif
