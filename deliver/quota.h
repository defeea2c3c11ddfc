/*
 * quota.h -- the quota of a Maildir, by its file maildirsize, as maildrop, Courier and Dovecot keep it:
 * a line with the limits, "10000000S,1000C", then lines "octets files" that add up to what is there.
 *
 * A message is noted before it can be seen and struck out when it is taken back.  So whatever is
 * killed, the sum is never less than what is there; and before a message is refused for what stands
 * in more than one line, the Maildir is counted anew.
 *
 * Every change is made under a lock on the file.  Other programs do not know of it; they get what the
 * format promises without one.
 */
#ifndef QUOTA_H
#define QUOTA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fault.h"

struct quota {
	int root;  /* the Maildir's own directory */
	int fd;    /* its maildirsize; -1: it is gone, and the quota with it */
	pid_t pid; /* for the name of a new one */
	bool locked;
	enum {
		QUOTA_NOTHING, /* is noted */
		QUOTA_NOTED,   /* and cannot be seen yet */
		QUOTA_HELD,    /* it may be seen or not: one or the other is about to change */
		QUOTA_STANDS   /* it can be seen */
	} state;
	int64_t size; /* of the message that is noted */
};

/* Open the maildirsize in the directory `root`.  False if there is none; `fault` then says whether all
   is well without.  `root` is kept where there is one. */
bool quota_open(struct quota *q, int root, enum fault *fault);

/* Would a message of that size fit?  FAULT_FULL if not; may count anew.  FAULT_FULL_NOW: not beside what
   others have noted at this moment. */
enum fault quota_ask(struct quota *q, int64_t size);

/* The same, and note it if it does. */
enum fault quota_note(struct quota *q, int64_t size);

/* Around each step that makes the noted message visible, or takes it away: nobody counts meanwhile. */
enum fault quota_hold(struct quota *q);

/* That step is done: the message stands, or it does not and is struck out. */
void quota_release(struct quota *q, bool stands);

/* Whoever was to say so has died: strike out what cannot have been seen. */
void quota_end(struct quota *q);

/* Count anew, after something was taken away, of which it is not known whether it was noted.  If that
   cannot be done the sum is too large until it is counted for another reason. */
void quota_recount(struct quota *q);

#endif
