/*
 * commit.h -- one message into the mailboxes of all its recipients, or into none.  Trusted side.
 */
#ifndef COMMIT_H
#define COMMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "environment.h"
#include "place.h"
#include "request.h"

struct envelope {
	const char *id;                           /* of the message, for the log */
	const char *sender;                       /* "" for the null path */
	const struct facts *facts;                /* without a recipient, for a command */
	const char (*addresses)[MAILBOX_MAX + 1]; /* as the client wrote them */
	struct place **places; /* where it goes, each for one of these; put in another order */
	size_t count;          /* at least 1; where it is more, commit_locate() has seen them */
	int pair;              /* to the session, which waits for the answer */
	unsigned message;      /* how many this process has seen; makes names unique */
};

/* Find out which mailboxes these are, if they are several.  One alone is compared with nothing. */
void commit_locate(struct place *places, size_t count);

/* Two places are one mailbox, whatever paths lead there.  commit_locate() has seen both. */
bool commit_same_mailbox(const struct place *a, const struct place *b);

/*
 * Whether a message of `size` octets fits into a place, as far as its quota tells beforehand: if it has
 * one, deliver is asked, as whose it is.  False with the answer if it does not, or if that cannot be told.
 */
bool commit_fits(const struct config *config, const struct place *place, uint64_t size,
    int64_t deadline, struct answer *answer);

/*
 * Deliver the message behind the descriptor to every place.  Places that are one mailbox get one copy.
 *
 * Each mailbox has a helper of its own, which stages its copy (whole, synced, invisible); when all
 * have, each makes it visible and durable; when all have, each is told to keep it.  Whatever fails
 * before that last word, the end of the session included, every helper takes its copy back, and so does
 * the monitor's own end.  A copy whose helper was killed is taken back by another run of deliver.
 *
 * Mailboxes are staged one after another, and an mbox stays locked from then on.  Two messages never
 * wait for each other's locks, because there is one order for all: by the directory that a mailbox
 * lies in (device and inode, not its path, of which there may be several) and its name there.  deliver
 * follows no symbolic link in the place of an mbox and takes none that has two names, so these are
 * one for each.  (Not for a file that is mounted at two places: then LOCK_WAIT is the end.)
 *
 * The deliver of a message for one Maildir alone waits, until HELPER_LIFE after its start, whether the
 * session brings another one for it: same mailbox, same user, same jail, and no start.
 *
 * A command knows nothing of this, and cannot give back what it took.  So there is one at most: a
 * PLACE_COMMAND, or ForwardCommand with every address elsewhere.  It runs when all mailboxes have
 * staged, which is when hardly anything can go wrong any more, and before they are told to show it;
 * its exit status is its verdict.
 */
void commit_message(const struct config *config, const struct envelope *envelope, int message,
    struct answer *answer);

/* Until when a deliver waits for another message; INT64_MAX if none does. */
int64_t commit_waits_until(void);

/* Let it go, if there is one. */
void commit_dismiss(void);

#endif
