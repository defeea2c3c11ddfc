/*
 * mailbox.h -- one mailbox of either kind: a path that ends in a slash is a Maildir, any other an
 * mbox.  The steps in their order: open, begin, write ..., stage, commit, keep; undo after any of them.
 */
#ifndef MAILBOX_H
#define MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../sandbox/landlock.h"
#include "fault.h"
#include "maildir.h"
#include "mbox.h"

enum {
	MAILBOX_GRANTS = 2 * PLACES_MAX /* Landlock rules that one mailbox needs at most */
};

struct mailbox {
	/* Set by the caller, in the first of a call's mailboxes, for all of them. */
	bool visible; /* there is nothing left but to hear whether it stands */
	bool kept;    /* it stands, whatever comes */
	enum mailbox_kind {
		MAILBOX_MAILDIR,
		MAILBOX_MBOX
	} kind;
	union {
		struct maildir maildir;
		struct mbox mbox;
	} in;
};

enum mailbox_kind mailbox_kind(const char *path);

/* Open the mailbox; `how` is for a Maildir.  A missing mbox is made, but an mbox is not touched where the
   caller will only look. */
enum fault mailbox_open(struct mailbox *box, const char *path, const struct maildir_how *how);

/* Would a message of that size fit, by the quota?  For mailboxes opened to be looked at. */
enum fault mailbox_ask(const struct mailbox *box, int64_t size);

/* Take back what a killed process delivered under the same unique name.  Nothing for an mbox: its
   guard has done so. */
enum fault mailbox_take_back(struct mailbox *box);

/* What the mailbox needs below its directories once the process is confined: the number of grants. */
size_t mailbox_grants(const struct mailbox *box, struct landlock_grant grants[MAILBOX_GRANTS]);

enum fault mailbox_begin(struct mailbox *box, const char *sender);
enum fault mailbox_write(struct mailbox *box, const void *octets, size_t len);

/* Whole and synced, and nobody sees it. */
enum fault mailbox_stage(struct mailbox *box);

/* Everybody may see it, and it lasts; mailbox_undo can still take it back. */
enum fault mailbox_commit(struct mailbox *box);

/* It stands: let go of what is held.  May be called twice. */
void mailbox_keep(struct mailbox *box);

void mailbox_undo(struct mailbox *box);

/* Another message for a Maildir that keeps the last one: its file will be called so. */
void mailbox_next(struct mailbox *box, const char *unique);

#endif
