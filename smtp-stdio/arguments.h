/* arguments.h -- what a delivery's program is told on its command line.  Trusted side. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <stddef.h>

#include "commit.h"
#include "config.h"
#include "limits.h"
#include "place.h"
#include "spawn.h"

enum {
	/* deliver -L -Q -e extension -n unique -m -c 3 -f sender -- mailbox, and -r recipient for
	   each */
	ARGUMENTS = 20 + 2 * RECIPIENTS_MOST,
	ARGUMENTS_ASK = 10, /* deliver -L -Q -e extension -q size -- mailbox */
	UNIQUE_OCTETS = 64,
};

/* One mailbox: a run in the list of places, and whoever writes the copy in it. */
struct copy {
	struct place **places;
	size_t count;
	char unique[UNIQUE_OCTETS]; /* how the name of its file begins, in a Maildir */
	struct helper helper;
};

/* deliver, to deliver. */
void arguments_deliver(const struct config *config, const struct envelope *envelope,
    const struct copy *copy, const char *argv[ARGUMENTS]);

/* deliver, to take a copy back. */
void arguments_take_back(
    const struct config *config, const struct copy *copy, const char *argv[ARGUMENTS]);

/* deliver, to ask whether so many octets, in decimal, would fit. */
void arguments_ask(const struct config *config, const struct place *place, const char *size,
    const char *argv[ARGUMENTS_ASK]);

/* What a deliver is told that waits for another message (deliver(8), the handshake); its length, or 0 if
   that is too long. */
size_t arguments_next(
    const struct envelope *envelope, const struct copy *copy, char packet[HELPER_NEXT_MAX]);

/*
 * A command: an alias's, for a shell, as its author wrote it: nothing of a client's is in it;
 * DeliverCommand; or ForwardCommand, for all the places.  What argv points to stands until the next call.
 */
void arguments_foreign(const struct config *config, const struct envelope *envelope,
    const struct copy *copy, const char *argv[ARGUMENTS]);

#endif
