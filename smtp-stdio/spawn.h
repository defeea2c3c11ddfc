/*
 * spawn.h -- one helper program: become the recipient, exec, hear it, read its fate.  Trusted side.
 */
#ifndef SPAWN_H
#define SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "limits.h"
#include "request.h"

struct helper {
	pid_t pid;
	int pidfd;
	int says; /* what it writes to standard output and error */
	int hand; /* the handshake of deliver -c, or -1 */
	uid_t uid;
	bool gentle, rest; /* as in the order */
	bool late;         /* it had not ended, or said its last word, at the deadline */
	bool killed;       /* set by spawn_end: a signal ended it */
	int status; /* and as a shell has it: 128 and the signal's number, or its exit status */
	size_t said_len;
	char said[HELPER_SAYS_MAX + 1];
};

enum {
	SPAWN_HAND = 3 /* the number of the handshake's descriptor in the helper */
};

struct spawn_order {
	uid_t uid;
	gid_t gid, extra;  /* as identity_become() takes them; unused unless we are root */
	char *const *argv; /* argv[0] is the absolute path */
	char *const *environment;
	const char *directory; /* to run in; NULL: as we do */
	int message;           /* the helper's standard input, from its start; -1: it has none */
	int output;            /* its standard output; -1: that is what it says, like its errors */
	bool rest;             /* at its end, end what it started and left behind */
	bool handshake;
	char word; /* said by it before the helper begins; 0: none */
	bool
	    gentle; /* deliver: it undoes its work when it is hung up on, and is not killed at it */
};

/* Start a helper.  False with errno if it could not be started. */
bool spawn(struct helper *helper, const struct spawn_order *order);

/* Wait for that octet on the handshake; false if another came, or the end of it, or the deadline. */
bool spawn_hear(struct helper *helper, char want, int64_t deadline);

/* Wait until there is something on `fd`, or the end of it, or the helper has ended.  False at the deadline. */
bool spawn_attend(struct helper *helper, int fd, int64_t deadline);

/* It has ended, or that cannot be seen. */
bool spawn_has_ended(const struct helper *helper);

/* Say one octet; false if the helper is gone, or it cannot be said before the deadline. */
bool spawn_say(struct helper *helper, char octet, int64_t deadline);

/* Close the handshake, and wake a helper that was stopped: deliver then takes back what it did. */
void spawn_call_off(struct helper *helper);

/*
 * Close the handshake and wait for the end; after the deadline, bring it about, or leave a gentle one
 * that takes longer than HELPER_GRACE to itself.  The verdict by
 * sysexits(3): 0 is yes; EX_DATAERR, EX_NOUSER, EX_NOHOST, EX_UNAVAILABLE and EX_NOPERM are never;
 * everything else, a signal included, is later.  The first line that it said, if it begins with an
 * enhanced code of that class, becomes the text; otherwise a fixed one that begins with such a code.
 */
void spawn_end(struct helper *helper, int64_t deadline, struct answer *answer);

/*
 * The next octet on the handshake, which is the last that is waited for; 0 if it ends without one.  From
 * the deadline, or the end of whoever is behind `whom` on, if that is not -1, our direction is closed, and
 * *deadline is what is left for spawn_end(): the helper has HELPER_GRACE for its octet.
 */
char spawn_last_word(struct helper *helper, int whom, int64_t *deadline);

/* Give another message to a helper that has said that it waits: a packet, and with it a descriptor.  False
   if it is gone, or does not read. */
bool spawn_next(struct helper *helper, const char *packet, size_t len, int message);

/* End a helper that waits for one: at once, whatever it does, for it holds nothing that could be lost. */
void spawn_dismiss(struct helper *helper);

/* All that it said, its lines joined by slashes. */
const char *spawn_said(const struct helper *helper, char text[HELPER_SAYS_MAX + 1]);

#endif
