/*
 * maildir.h -- delivery into a Maildir, by its author's paper: unique name, O_EXCL in tmp/, sync,
 * link into new/, and here also a sync of new/ itself, so that the name is as durable as the file.
 */
#ifndef MAILDIR_H
#define MAILDIR_H

#include <stdbool.h>
#include <sys/types.h>

#include "fault.h"
#include "keeper.h"
#include "limits.h"
#include "output.h"

/* How to open one. */
struct maildir_how {
	bool make;             /* it and its cur, new, tmp (0700), where missing */
	bool only_look;        /* make nothing, and open every place where a message may be */
	const char *extension; /* NULL, or the name of a folder in it */
	const char *unique;    /* NULL, or the start of the file's name */
	struct keeper *keeper; /* NULL: it has no quota */
};

struct maildir {
	struct maildir_place {
		int tmp, new;
	} places[PLACES_MAX]; /* the first is where it is delivered */
	size_t places_count;
	struct keeper *keeper;
	int quota; /* its number with the keeper */
	enum {
		MAILDIR_IDLE,
		MAILDIR_WRITING, /* there is a file in tmp/ */
		MAILDIR_VISIBLE  /* and a link to it in new/ */
	} state;
	const char *unique; /* NULL: a name of our own making */
	pid_t pid;
	char host[HOST_MAX + 1];
	char name[UNIQUE_MAX - SIZE_TAG_MAX + 1];
	char shown[UNIQUE_MAX + 1]; /* in new/: where there is a quota, it tells the size, too */
	struct output out;
};

/*
 * Open the Maildir at `path`, or the folder of it that the extension names: as given, otherwise in small
 * letters, if there is such a directory with a cur, new and tmp.  It must belong to the process's user.
 * The file will be called `unique` and the host's name; where that is NULL, the name begins with
 * the time and this process's number.
 */
enum fault maildir_open(struct maildir *m, const char *path, const struct maildir_how *how);

/* Take a delivery back that another process made under the same unique name, wherever it is. */
enum fault maildir_take_back(struct maildir *m);

/* Make a file in tmp/; maildir_write then fills it. */
enum fault maildir_begin(struct maildir *m);
enum fault maildir_write(struct maildir *m, const void *octets, size_t len);

/* The file is whole: note its size, if there is a quota; sync it.  Nothing can be seen in new/ yet. */
enum fault maildir_stage(struct maildir *m);

/* Make it visible and durable: link into new/, sync new/. */
enum fault maildir_commit(struct maildir *m);

/* The delivery stands: take the name in tmp/ away, and files there that are older than 36 hours.
   Nothing here can fail the delivery. */
void maildir_keep(struct maildir *m);

/* Take everything back, after a failure at any step. */
void maildir_undo(struct maildir *m);

#endif
