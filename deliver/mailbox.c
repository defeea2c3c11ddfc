/* mailbox.c -- see mailbox.h. */
#include "mailbox.h"

#include <string.h>

enum mailbox_kind
mailbox_kind(const char *path)
{
	size_t n = strlen(path);

	return n > 0 && path[n - 1] == '/' ? MAILBOX_MAILDIR : MAILBOX_MBOX;
}

enum fault
mailbox_open(struct mailbox *box, const char *path, const struct maildir_how *how)
{
	box->kind = mailbox_kind(path);
	if (box->kind == MAILBOX_MAILDIR)
		return maildir_open(&box->in.maildir, path, how);
	box->in.mbox.dir = -1;
	return how->only_look ? FAULT_NONE : mbox_open(&box->in.mbox, path);
}

enum fault
mailbox_ask(const struct mailbox *box, int64_t size)
{
	const struct maildir *m = &box->in.maildir;

	if (box->kind == MAILBOX_MBOX || m->quota == KEEPER_NONE)
		return FAULT_NONE;
	return quota_ask(&m->keeper->quotas[m->quota], size);
}

static size_t
maildir_grants(const struct maildir *m, struct landlock_grant grants[MAILBOX_GRANTS])
{
	const uint64_t name = LANDLOCK_MAY_MAKE | LANDLOCK_MAY_REMOVE | LANDLOCK_MAY_REFER;
	size_t n = 0;

	for (size_t i = 0; i < m->places_count; i++) {
		grants[n++] = (struct landlock_grant){
		    m->places[i].tmp, name | LANDLOCK_MAY_WRITE | LANDLOCK_MAY_LIST};
		grants[n++] = (struct landlock_grant){m->places[i].new, name};
	}
	return n;
}

size_t
mailbox_grants(const struct mailbox *box, struct landlock_grant grants[MAILBOX_GRANTS])
{
	if (box->kind == MAILBOX_MAILDIR)
		return maildir_grants(&box->in.maildir, grants);
	if (box->in.mbox.dir < 0)
		return 0;
	/* The file is open; only the dot lock comes and goes. */
	grants[0] =
	    (struct landlock_grant){box->in.mbox.dir, LANDLOCK_MAY_MAKE | LANDLOCK_MAY_REMOVE};
	return 1;
}

enum fault
mailbox_begin(struct mailbox *box, const char *sender)
{
	return box->kind == MAILBOX_MAILDIR ? maildir_begin(&box->in.maildir)
					    : mbox_begin(&box->in.mbox, sender);
}

enum fault
mailbox_write(struct mailbox *box, const void *octets, size_t len)
{
	return box->kind == MAILBOX_MAILDIR ? maildir_write(&box->in.maildir, octets, len)
					    : mbox_write(&box->in.mbox, octets, len);
}

enum fault
mailbox_stage(struct mailbox *box)
{
	return box->kind == MAILBOX_MAILDIR ? maildir_stage(&box->in.maildir)
					    : mbox_stage(&box->in.mbox);
}

enum fault
mailbox_commit(struct mailbox *box)
{
	/* An mbox is complete when it is staged: to let go of its locks is all that is left. */
	return box->kind == MAILBOX_MAILDIR ? maildir_commit(&box->in.maildir) : FAULT_NONE;
}

void
mailbox_keep(struct mailbox *box)
{
	if (box->kind == MAILBOX_MAILDIR)
		maildir_keep(&box->in.maildir);
	else
		mbox_keep(&box->in.mbox);
}

void
mailbox_undo(struct mailbox *box)
{
	if (box->kind == MAILBOX_MAILDIR)
		maildir_undo(&box->in.maildir);
	else
		mbox_undo(&box->in.mbox);
}

enum fault
mailbox_take_back(struct mailbox *box)
{
	return box->kind == MAILBOX_MAILDIR ? maildir_take_back(&box->in.maildir) : FAULT_NONE;
}

void
mailbox_next(struct mailbox *box, const char *unique)
{
	box->visible = box->kept = false;
	box->in.maildir.unique = unique;
}
