/*
 * commit.h -- one message into the mailboxes of all its recipients, or into none.  Trusted side.
 */
#ifndef COMMIT_H
#define COMMIT_H

#include "config.h"
#include "environment.h"
#include "recipient.h"
#include "request.h"

struct envelope {
	const char *id;            /* of the message, for the log */
	const char *sender;        /* "" for the null path */
	const struct facts *facts; /* without a recipient, for a foreign command */
	struct recipient *recipients;
	size_t count;     /* at least 1 */
	unsigned message; /* how many this process has seen; makes names unique */
};

/* Two recipients have one mailbox, whatever paths lead there.  A foreign one has none that we know. */
bool commit_same_mailbox(const struct recipient *a, const struct recipient *b);

/*
 * Deliver the message behind the descriptor to every recipient.  Recipients with the same mailbox
 * get one copy.
 *
 * Each mailbox has a helper of its own, which stages its copy (whole, synced, invisible); when all
 * have, each makes it visible and durable; when all have, each is told to keep it.  Whatever fails
 * before that last word, every helper takes its copy back, and so does the monitor's own end.  A copy
 * whose helper was killed is taken back by another run of deliver.  Mailboxes are staged one after
 * another in the order of their paths, so that two messages never wait for each other's locks.
 *
 * A foreign command knows nothing of this: it is alone in its message, and its exit status is all.
 */
void commit_message(const struct config *config, const struct envelope *envelope, int message,
    struct answer *answer);

#endif
