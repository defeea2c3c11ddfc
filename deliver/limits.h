/* limits.h -- every number of deliver, with where it comes from. */
#ifndef DELIVER_LIMITS_H
#define DELIVER_LIMITS_H

enum {
	MAILBOXES_MAX = 16,     /* on one command line; a jail needs few descriptors */
	RECIPIENTS_MAX = 1000,  /* -r; as many as smtp-stdio ever accepts */
	ADDRESS_MAX = 1000,     /* octets of -f and -r; RFC 5321 4.5.3.1.6: a text line */
	HEADER_LINE_MAX = 1024, /* longest header line that is looked at; RFC 5322 2.1.1: 998 */
	BLOCK = 65536,          /* octets read and written at a time; smtp-stdio's largest packet */
	FILES_MAX = 64,         /* descriptors: 3, the handshake, 3 for each mailbox, and room */
	UNIQUE_MAX = 255,       /* NAME_MAX: a file name in a Maildir */
	HOST_MAX = 190,         /* of it, the escaped host name; Linux: 64 octets unescaped */
	UNIQUE_TRIES = 8,       /* other names tried when one is taken */
	CLEAN_BLOCKS = 64,      /* of 4096 octets of names in tmp/ that one delivery looks at */
	TMP_AGE = 36 * 3600,    /* s; Maildir paper: a file in tmp/ this old may be removed */
	LOCK_WAIT = 60,      /* s in all for the locks of an mbox; well inside RFC 5321 4.5.3.2.6 */
	LOCK_PAUSE_MIN = 10, /* ms; the first pause between two tries, doubled each time */
	LOCK_PAUSE_MAX = 1000, /* ms; Postfix's deliver_lock_delay */
	LOCK_STALE = 500,      /* s; Postfix's stale_lock_time */
};

#endif
