/*
 * maildir.h -- delivery into a Maildir, by its author's paper: unique name, O_EXCL in tmp/, sync,
 * link into new/, and here also a sync of new/ itself, so that the name is as durable as the file.
 */
#ifndef MAILDIR_H
#define MAILDIR_H

#include <stdbool.h>
#include <sys/types.h>

#include "fault.h"
#include "limits.h"
#include "output.h"

struct maildir {
	int tmp, new; /* the two directories */
	enum {
		MAILDIR_IDLE,
		MAILDIR_WRITING, /* there is a file in tmp/ */
		MAILDIR_VISIBLE  /* and a link to it in new/ */
	} state;
	const char *unique; /* NULL: a name of our own making */
	pid_t pid;
	char host[HOST_MAX + 1];
	char name[UNIQUE_MAX + 1];
	struct output out;
};

/*
 * Open the Maildir at `path`, making it and its cur, new, tmp (0700) where missing if `make`.
 * It must belong to the process's user.  The file will be called `unique` and the host's name;
 * where that is NULL, the name begins with the time and this process's number.
 */
enum fault maildir_open(struct maildir *m, const char *path, bool make, const char *unique);

/* Take a delivery back that another process made under the same unique name. */
enum fault maildir_take_back(struct maildir *m);

/* Make a file in tmp/; maildir_write then fills it. */
enum fault maildir_begin(struct maildir *m);
enum fault maildir_write(struct maildir *m, const void *octets, size_t len);

/* The file is whole: sync it.  Nothing can be seen in new/ yet. */
enum fault maildir_stage(struct maildir *m);

/* Make it visible and durable: link into new/, sync new/. */
enum fault maildir_commit(struct maildir *m);

/* The delivery stands: take the name in tmp/ away, and files there that are older than 36 hours.
   Nothing here can fail the delivery. */
void maildir_keep(struct maildir *m);

/* Take everything back, after a failure at any step. */
void maildir_undo(struct maildir *m);

#endif
