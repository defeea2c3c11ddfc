/*
 * hand.h -- the handshake of deliver -c: words of one octet, each a packet, and messages.  See
 * deliver(8).
 */
#ifndef HAND_H
#define HAND_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "limits.h"

/* What is said and heard. */
enum hand_word {
	SAY_STAGED = 's',
	HEAR_COMMIT = 'c',
	HEAR_ALONE = 'a', /* in place of 'c' and 'k' */
	SAY_VISIBLE = 'v',
	HEAR_KEEP = 'k',
	SAY_KEPT = 'd',
	SAY_WAITING = 'w', /* in place of 'd': kept, and there may be another message */
	HEAR_NEXT = 'n',
};

/* The guard of an mbox has died; set by a signal's handler. */
extern volatile sig_atomic_t hand_orphaned;

/*
 * Look at the next word, and leave it there for the guard, should this process be killed before it has
 * done what the word says.  0 at the end, or when the guard has died; but not once the other end is
 * `told` that all is visible: it may have told others to keep theirs by then.
 */
char hand_hear(int fd, bool told);

/* Take the word that was heard: or it would stand before the next one. */
void hand_take(int fd);

/* Say a word; false if nobody listens. */
bool hand_say(int fd, enum hand_word word);

/* The other end has nothing else to think of and said so beforehand: nothing is asked. */
bool hand_is_alone(int fd);

/* It may have thought better of it since: then it has hung up.  An error is as good as that. */
bool hand_was_called_off(int fd);

/*
 * Wait for the next message: a packet of up to NEXT_MAX octets, which begins with HEAR_NEXT and ends with
 * a NUL, and with it a descriptor.  Its length; 0 at the end of the connection; -1 if what comes is not
 * one, or cannot be taken.
 */
ssize_t hand_next(int fd, char packet[NEXT_MAX], int *message);

#endif
