/*
 * request.h -- what the session may ask of the monitor, and how it is written.  Pure.
 *
 * One packet of a SOCK_SEQPACKET pair is one request: its letter, then its data.  Above each letter
 * stands what it lets a session do that an attacker has taken over.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limits.h"

enum request_letter {
	/* Choose the name and the protocol that the Received line and the log show.
	   Data: "SMTP", "ESMTP" or "LMTP", a blank, the name. */
	REQUEST_HELLO = 'H',
	/* Choose the return path of one message, the size that it is said to have, and whether it counts as
	   internationalized and as binary.  Data: as request_from() reads them. */
	REQUEST_FROM = 'F',
	/* Learn whether an address receives mail here or where instead, and add it to the message:
	   RecipientLimit of them, each by the same rule as an honest session's. */
	REQUEST_RCPT = 'R',
	/* Add octets to the message, SizeLimit in all. */
	REQUEST_BODY = 'B',
	/* Have the message delivered to the recipients that were accepted; by LMTP once for each, in
	   their order, and each asked for once. */
	REQUEST_END = 'E',
	/* Drop the message. */
	REQUEST_RESET = 'X',
	/* Learn what VRFY would tell: nothing, unless the administrator allows it. */
	REQUEST_VERIFY = 'V',
	/* Learn what EXPN would tell: nothing, unless the administrator allows it. */
	REQUEST_EXPAND = 'L',
	/* Put off the end of its patience, until SessionTimeout at most; or have one log line written, of those that the monitor has
	   for enum request_note, after which nothing more is served. */
	REQUEST_NOTE = 'N',
	/* Be kept waiting. */
	REQUEST_PAUSE = 'P',
};

/* REQUEST_FROM's first octet: a digit, of these added. */
enum request_form {
	FORM_UTF8 = 1,   /* MAIL had SMTPUTF8 (RFC 6531) */
	FORM_BINARY = 2, /* and BODY=BINARYMIME (RFC 3030) */
	FORMS = 4
};

/* REQUEST_NOTE's octet: what the client did.  All but the first two end the session. */
enum request_note {
	NOTE_COMMAND = 'c',  /* one of those that nothing else is asked for */
	NOTE_REFUSED = 'r',  /* sends a message that is refused already: at its begin, then each
			       BODY_MAX octets */
	NOTE_SILENT = 's',   /* nothing came for CommandTimeout */
	NOTE_ERRORS = 'e',   /* too many errors */
	NOTE_MESSAGES = 'm', /* too many messages */
	NOTE_OCTETS = 'o',   /* too many octets */
	NOTE_HASTY = 'h',   /* did not wait for a reply where it must: RFC 5321 3.1, RFC 2920 3.1 */
	NOTE_STRAY = 'b',   /* BDAT that cannot be read: the next command cannot be found */
	NOTE_FOREIGN = 'f', /* speaks another protocol */
};

struct request {
	enum request_letter letter;
	const unsigned char *data;
	size_t len;
};

/*
 * Write a request's packet.  Returns its length, or 0 if it is none that request_decode would take
 * or is longer than `size`.
 */
size_t request_encode(unsigned char *packet, size_t size, const struct request *request);

/*
 * Read a packet.  False if the letter is unknown, its data too short or too long, or, for any but
 * REQUEST_BODY, not printable UTF-8; nor, for REQUEST_HELLO, ASCII.  `request->data` points into the
 * packet.
 */
bool request_decode(const unsigned char *packet, size_t len, struct request *request);

/* What a REQUEST_FROM says: "form size path". */
struct request_from {
	unsigned form;             /* of enum request_form, added */
	uint64_t size;             /* as MAIL declared it, at most SIZE_MOST; 0 if it did not */
	const unsigned char *path; /* in the request's data */
	size_t len;
};

/* Take it apart.  False, which request_decode saw to, if a number is written in more than one way. */
bool request_from(const struct request *request, struct request_from *from);

enum verdict {
	VERDICT_YES = 'Y',
	VERDICT_LATER = 'L',
	VERDICT_NEVER = 'N',
	/* To R, V and L, for an alias; the text names the new path. */
	VERDICT_FORWARDED = 'F', /* a yes (251) */
	VERDICT_MOVED = 'M',     /* a no (551) */
};

struct answer {
	enum verdict verdict;
	size_t len;
	char text[ANSWER_TEXT_MAX + 1]; /* printable ASCII, ended by NUL; may be empty */
};

/* As above, for the way back. */
size_t answer_encode(unsigned char packet[ANSWER_MAX], const struct answer *answer);
bool answer_decode(const unsigned char *packet, size_t len, struct answer *answer);

/* Where the text goes on after an enhanced code of that class (RFC 3463 2: '2', '4' or '5') and a blank
   at its start; NULL if there is none. */
const char *answer_after_status(const char *text, char class);

/* The reply code that goes with an enhanced code, where that says more than the usual one; else NULL. */
const char *answer_code(const char *status);

/* Fill an answer, with every octet of `text` that is not printable ASCII replaced by '?' and the
   rest of a text that is too long cut off. */
void answer_set(struct answer *answer, enum verdict verdict, const char *text);

#endif
