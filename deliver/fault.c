/* fault.c -- see fault.h. */
#include "fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct meaning {
	int status;
	const char *reply;  /* what the client may read */
	const char *detail; /* what the log says; NULL: the text of errno */
};

static const struct meaning meanings[] = {
    [FAULT_NONE] = {EX_OK, "2.0.0 delivered", "delivered"},
    [FAULT_SYSTEM] = {EX_TEMPFAIL, "4.3.0 mailbox cannot be written now", NULL},
    [FAULT_ABSENT] = {EX_TEMPFAIL, "4.2.0 mailbox is not there", "no such Maildir (-m makes it)"},
    [FAULT_OWNER] = {EX_TEMPFAIL, "4.2.0 mailbox cannot be used", "belongs to somebody else"},
    [FAULT_KIND] = {EX_TEMPFAIL, "4.2.0 mailbox cannot be used",
	"not a directory (Maildir) or a regular file with one name (mbox)"},
    [FAULT_LOCKED] = {EX_TEMPFAIL, "4.2.0 mailbox is locked", "locked by another program"},
    [FAULT_REPLACED] = {EX_TEMPFAIL, "4.2.0 mailbox has changed", "another file took its place"},
    [FAULT_FULL] = {EX_TEMPFAIL, "4.2.2 mailbox is full", "over its quota"},
    [FAULT_FULL_NOW] = {EX_TEMPFAIL, "4.2.2 mailbox is full",
	"over its quota with what is being delivered"},
    [FAULT_FULL_FOR_GOOD] = {EX_UNAVAILABLE, "5.2.2 mailbox is full", "over its quota"},
    [FAULT_LOOP] = {EX_DATAERR, "5.4.6 mail loop: delivered here before",
	"the message has a Delivered-To line for this recipient"},
    [FAULT_HUNG_UP] = {EX_TEMPFAIL, "4.3.0 delivery was called off",
	"called off by -c's other end"},
    [FAULT_ORPHANED] = {EX_TEMPFAIL, "4.3.0 delivery was interrupted",
	"the guard process was killed"},
    [FAULT_KILLED] = {EX_TEMPFAIL, "4.3.0 delivery was interrupted",
	"the writing process was killed"},
};

/* As Postfix has it, but with 4.3.1, which means 452, for its 4.3.0. */
static const char *
reply_for(int why)
{
	switch (why) {
	case ENOSPC:
		return "4.3.1 no space for the message";
	case EDQUOT:
	case EFBIG:
		return meanings[FAULT_FULL].reply;
	case EAGAIN:
	case ESTALE:
	case EACCES:
	case EPERM:
	case EROFS:
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
	case EISDIR:
		return "4.2.0 mailbox cannot be used";
	default:
		return meanings[FAULT_SYSTEM].reply;
	}
}

enum fault
fault_for_good(enum fault fault, int why)
{
	bool full =
	    fault == FAULT_FULL || (fault == FAULT_SYSTEM && (why == EDQUOT || why == EFBIG));

	return full ? FAULT_FULL_FOR_GOOD : fault;
}

int
fault_report(enum fault fault, int why, const char *mailbox)
{
	const struct meaning *meaning = &meanings[fault];
	const char *reply = fault == FAULT_SYSTEM ? reply_for(why) : meaning->reply;
	const char *detail = meaning->detail != NULL ? meaning->detail : strerror(why);

	(void)fprintf(stderr, "%s\ndeliver: %s: %s\n", reply, mailbox, detail);
	return meaning->status;
}

void
die(int status, const char *format, ...)
{
	va_list args;

	(void)fputs("deliver: ", stderr);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	exit(status);
}
