/* limits.h -- every number of deliver, with where it comes from. */
#ifndef DELIVER_LIMITS_H
#define DELIVER_LIMITS_H

enum {
	MAILBOXES_MAX = 16,     /* on one command line; a jail needs few descriptors */
	RECIPIENTS_MAX = 1000,  /* -r; as many as smtp-stdio ever accepts */
	ADDRESS_MAX = 1000,     /* octets of -f and -r; RFC 5321 4.5.3.1.6: a text line */
	HEADER_LINE_MAX = 1024, /* longest header line that is looked at; RFC 5322 2.1.1: 998 */
	BLOCK = 65536,          /* octets read and written at a time; smtp-stdio's largest packet */
	FILES_MAX = 144,        /* descriptors: 3, the handshake, 8 for each mailbox, and room */
	NEXT_MAX = 4096,      /* octets of what is told of another message; most fit into a page */
	WORD_TRIES = 2,       /* at a word of -c; an error is the system's, not a no */
	UNIQUE_MAX = 255,     /* NAME_MAX: a file name in a Maildir */
	SIZE_TAG_MAX = 23,    /* of it, ",S=" and a size */
	HOST_MAX = 167,       /* and the escaped host name; Linux: 64 octets unescaped */
	EXTENSION_MAX = 254,  /* -e; NAME_MAX less the dot of a folder's name */
	PLACES_MAX = 3,       /* where -x looks: two ways to write a folder, and the Maildir */
	UNIQUE_TRIES = 8,     /* other names tried when one is taken */
	ENTRIES_BLOCK = 4096, /* octets of names read at a time; enough for one of NAME_MAX */
	CLEAN_BLOCKS = 64,    /* of names in tmp/ that one delivery looks at */
	TMP_AGE = 36 * 3600,  /* s; Maildir paper: a file in tmp/ this old may be removed */
	LOCK_WAIT = 60,      /* s in all for the locks of an mbox; well inside RFC 5321 4.5.3.2.6 */
	LOCK_PAUSE_MIN = 10, /* ms; the first pause between two tries, doubled each time */
	LOCK_PAUSE_MAX = 50, /* ms; by Postfix's 1000, newcomers passed for a minute */
	LOCK_STALE = 500,    /* s; Postfix's stale_lock_time */
	QUOTA_FILE_MAX = 5120, /* octets; Maildir++: a maildirsize this large is counted anew */
	QUOTA_LINE_MAX = 48,   /* two numbers of 20 octets, a blank, the end */
	QUOTA_AGE = 15 * 60,   /* s; Maildir++: one that says "full" for so long is counted anew */
	QUOTA_TRIES = 5,       /* counts while a reader changes the Maildir; maildrop's number */
	QUOTA_WAIT = 30, /* s for the lock of a maildirsize, which is held for one count at most */
};

#endif
