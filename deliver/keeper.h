/*
 * keeper.h -- a process that keeps the quotas of one delivery, and never sees the message.
 *
 * To count a Maildir anew takes rights over all of it.  The process that reads the message must not have
 * them: it asks this one, by fixed words over a socket.  There is a keeper only where a Maildir has a
 * maildirsize.
 */
#ifndef KEEPER_H
#define KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../sandbox/landlock.h"
#include "fault.h"
#include "limits.h"
#include "quota.h"

enum {
	KEEPER_NONE = -1 /* this Maildir has no quota */
};

struct keeper {
	struct quota quotas[MAILBOXES_MAX];
	size_t count;
	int fd;        /* once there are two processes, to the other */
	unsigned turn; /* of the last word said */
};

/* Before the keeper is started: the quota of the Maildir open as `root`, if it has one; *which is then
   its number, otherwise KEEPER_NONE.  Keeps `root` in the first case. */
enum fault keeper_add(struct keeper *k, int root, int *which);

/* What the keeper's process needs once it is confined. */
size_t keeper_grants(const struct keeper *k, struct landlock_grant grants[MAILBOXES_MAX]);

/* Be the keeper, until nobody is left at the other end of k->fd. */
void keeper_serve(struct keeper *k);

/* Be the other end: what the keeper has open is closed here. */
void keeper_leave(struct keeper *k);

/*
 * The other end's: as quota_note, quota_hold and quota_release.  Nothing for KEEPER_NONE.  FAULT_SYSTEM
 * if the keeper has died.
 */
enum fault keeper_note(struct keeper *k, int which, int64_t size);
enum fault keeper_hold(struct keeper *k, int which);
void keeper_release(struct keeper *k, int which, bool stands);

/* To be called by the guard of an mbox: an answer that its writer did not live to hear is not its own. */
void keeper_inherit(struct keeper *k);

#endif
