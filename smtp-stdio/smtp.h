/*
 * smtp.h -- the server's side of a conversation in SMTP (RFC 5321) or LMTP (RFC 2033) as a pure
 * function: octets in, one event out.  No I/O, no clock, no allocation, no errno.
 */
#ifndef SMTP_H
#define SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "body.h"
#include "chunk.h"
#include "command.h"
#include "header.h"
#include "limits.h"
#include "reply.h"
#include "request.h"

enum smtp_protocol {
	SMTP_SMTP,
	SMTP_LMTP, /* one answer for each recipient of a message */
	SMTP_NULL, /* no mail is taken here: RFC 7504 3 */
};

struct smtp_settings {
	const char *hostname;
	enum smtp_protocol protocol;
	bool normalize;           /* a bare LF ends a line as CRLF does */
	uint64_t size_limit;      /* octets of a message */
	uint64_t octets_limit;    /* octets of all messages */
	unsigned recipient_limit; /* recipients of a message */
	unsigned message_limit;   /* senders that are taken */
	unsigned error_limit;     /* errors since the last message that was delivered */
};

enum smtp_mode {
	SMTP_LINE,   /* reading a command */
	SMTP_HELD,   /* a question is open: smtp_answer must come */
	SMTP_BODY,   /* reading a message after DATA */
	SMTP_CHUNK,  /* reading octets after BDAT */
	SMTP_EACH,   /* a message is whole: answers are due */
	SMTP_FED_UP, /* the farewell is due */
	SMTP_SHUT,   /* said goodbye */
};

enum smtp_phase {
	SMTP_NEW,     /* no HELO, EHLO or LHLO yet */
	SMTP_HELLO,   /* between messages */
	SMTP_SPOILED, /* a chunk was too much, and its message is not at its end (RFC 3030 2) */
	SMTP_MAIL,    /* there is a sender */
	SMTP_RCPT,    /* and a recipient */
	SMTP_CHUNKS,  /* and the begin of a message, by BDAT */
	SMTP_PHASES
};

enum smtp_what {
	SMTP_WANT,  /* all octets are taken: more, please */
	SMTP_REPLY, /* send octets to the client; if `now`, before anything else is read */
	SMTP_TELL,  /* send the request to the monitor, which says nothing */
	SMTP_ASK,   /* send the request, then hand the answer to smtp_answer */
	SMTP_PIECE, /* the next octets of the message: at this call's `out` */
	SMTP_CLOSE, /* the conversation is over */
};

struct smtp_event {
	enum smtp_what what;
	bool now;
	bool alone; /* of SMTP_REPLY: a client may send nothing behind the command that this replies
		       to until it has the reply (RFC 2920 3.1); see smtp_hasty */
	bool farewell; /* of SMTP_CLOSE: we said it, and the client may be sending still */
	enum request_letter letter;  /* of SMTP_TELL, SMTP_ASK */
	const unsigned char *octets; /* valid until the next call */
	size_t len;
};

enum {
	SMTP_OWED =
	    6 /* events that one step can bring about: three notes, reset, reply, and room */
};

struct smtp {
	const struct smtp_settings *settings;
	enum smtp_mode mode;
	enum smtp_phase phase;
	/* the question that is open */
	enum request_letter question;
	enum smtp_mode resume; /* the mode after its answer */
	/* the transaction */
	bool binary, utf8;   /* of BODY=BINARYMIME, SMTPUTF8 */
	unsigned recipients; /* accepted */
	struct body body;
	struct chunk chunk;
	struct header header;
	enum reply refusal; /* of the chunk or the message that is read, or REPLY_NONE */
	bool noted;         /* the monitor knows that it is refused */
	unsigned due;       /* answers to the message that are still to be given */
	/* the session */
	bool pipelining;    /* it was offered */
	uint64_t octets;    /* of messages, refused ones too */
	uint64_t swallowed; /* of chunks that were refused */
	unsigned messages, errors, junk, overshoot;
	enum reply farewell; /* in SMTP_FED_UP */
	bool said_farewell;
	enum request_note why;
	/* the command line so far */
	bool fresh; /* it is the first */
	size_t line_len;
	bool line_cr;   /* the last octet was a CR */
	bool line_long; /* does not fit */
	bool line_bare; /* had a bare LF, and its reply */
	/* the command */
	bool now, alone; /* of its reply */
	bool excess;     /* one too many of its kind: an error, whatever its reply */
	bool told;       /* the monitor knows of it */
	/* events that are still to be given out */
	unsigned owed_from, owed_to;
	struct smtp_event owed[SMTP_OWED];
	struct address address;
	size_t reply_len;
	/* Room: what is in it is told by what stands above. */
	char request[FROM_MAX + SIZE_DIGITS]; /* a number may be longer than request.h takes */
	char reply[REPLY_MAX];
	unsigned char line[LINE_MAX_OCTETS];
};

/* Begin a conversation.  The first event is the greeting. */
void smtp_begin(struct smtp *smtp, const struct smtp_settings *settings);

/*
 * Take octets that the client sent, none or some of them, and set one event.  Returns how many were
 * taken.  Called again with the rest, until the event is SMTP_WANT (then all are taken), SMTP_ASK
 * or SMTP_CLOSE; never while a question is open.  `out` has room for `len` octets and one that was held
 * back.  It may lie before `in` in one buffer: what of it is given away stays, and a place between the
 * two, where there was one at first, is there whenever an octet is held back.
 */
size_t smtp_step(struct smtp *smtp, const unsigned char *in, size_t len, unsigned char *out,
    struct smtp_event *event);

/* The answer to the last SMTP_ASK. */
void smtp_answer(struct smtp *smtp, const struct answer *answer);

/* Nothing came from the client for too long: the next events are a 421 and SMTP_CLOSE. */
void smtp_timeout(struct smtp *smtp);

/*
 * The client did not wait: there is input before the greeting, or behind a command whose reply is
 * `alone`.  That reply, just given out, is not to be sent; the next events are a 554 and SMTP_CLOSE.
 */
void smtp_hasty(struct smtp *smtp);

#endif
