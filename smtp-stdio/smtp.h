/*
 * smtp.h -- the SMTP server's side of a conversation (RFC 5321) as a pure function: octets in, one
 * event out.  No I/O, no clock, no allocation, no errno.
 */
#ifndef SMTP_H
#define SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "body.h"
#include "command.h"
#include "limits.h"
#include "reply.h"
#include "request.h"

struct smtp_settings {
	const char *hostname;
	uint64_t size_limit;      /* octets of a message */
	unsigned recipient_limit; /* recipients of a message */
};

enum smtp_mode {
	SMTP_LINE, /* reading a command */
	SMTP_HELD, /* a question is open: smtp_answer must come */
	SMTP_BODY, /* reading a message */
	SMTP_SHUT, /* said goodbye */
};

enum smtp_phase {
	SMTP_NEW,   /* no HELO or EHLO yet */
	SMTP_HELLO, /* between messages */
	SMTP_MAIL,  /* there is a sender */
	SMTP_RCPT,  /* and a recipient */
	SMTP_PHASES
};

enum smtp_what {
	SMTP_WANT,  /* all octets are taken: more, please */
	SMTP_REPLY, /* send octets to the client; if `now`, before anything else is read */
	SMTP_TELL,  /* send the request to the monitor, which says nothing */
	SMTP_ASK,   /* send the request, then hand the answer to smtp_answer */
	SMTP_PIECE, /* the next octets of the message, in the input of this call */
	SMTP_CLOSE, /* the conversation is over */
};

struct smtp_event {
	enum smtp_what what;
	bool now;
	enum request_letter letter;  /* of SMTP_TELL, SMTP_ASK */
	const unsigned char *octets; /* valid until the next call */
	size_t len;
};

enum {
	SMTP_OWED = 4 /* events that one command can bring about: reset, hello, reply, and room */
};

struct smtp {
	const struct smtp_settings *settings;
	enum smtp_mode mode;
	enum smtp_phase phase;
	struct body body;
	enum request_letter question; /* in SMTP_HELD */
	bool now;                     /* the client waits for the reply to this command */
	unsigned recipients;          /* accepted in this transaction */
	/* the command line so far */
	size_t line_len;
	bool line_cr;   /* the last octet was a CR */
	bool line_long; /* does not fit */
	bool line_bare; /* had a bare LF, and its reply */
	unsigned char line[LINE_MAX_OCTETS];
	/* events that are still to be given out */
	unsigned owed_from, owed_to;
	struct smtp_event owed[SMTP_OWED];
	char hello[HELLO_MAX + 1];
	struct address address;
	char reply[REPLY_MAX];
};

/* Begin a conversation.  The first event is the greeting. */
void smtp_begin(struct smtp *smtp, const struct smtp_settings *settings);

/*
 * Take octets that the client sent, none or some of them, and set one event.  Returns how many were
 * taken.  Called again with the rest, until the event is SMTP_WANT (then all are taken), SMTP_ASK
 * or SMTP_CLOSE; never while a question is open.
 */
size_t smtp_step(struct smtp *smtp, const unsigned char *in, size_t len, struct smtp_event *event);

/* The answer to the last SMTP_ASK. */
void smtp_answer(struct smtp *smtp, const struct answer *answer);

/* Nothing came from the client for too long: the next events are a 421 and SMTP_CLOSE. */
void smtp_timeout(struct smtp *smtp);

#endif
