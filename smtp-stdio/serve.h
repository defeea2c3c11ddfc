/*
 * serve.h -- what the monitor does for each request.  Trusted side.
 *
 * Each function serves one letter of request.h, in a state in which the monitor's table permits it,
 * and sets `answer` where it has one.  False: the session has asked for what an honest one cannot.
 */
#ifndef SERVE_H
#define SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "config.h"
#include "peer.h"
#include "recipient.h"
#include "request.h"
#include "spool.h"

enum state {
	STATE_IDLE,
	STATE_FROM, /* there is a sender */
	STATE_RCPT, /* and a recipient */
	STATE_BODY, /* and the start of a message */
	STATE_EACH, /* and its end; by LMTP, recipients whose answers are due */
	STATE_DONE, /* the session has given the client up */
	STATE_SAME, /* no state: the one before stays */
};

enum {
	MORE_SHOWN =
	    sizeof ",+1000" /* behind as many as there is room for: how many more there are */
};

/* What the monitor knows of its session. */
struct monitor {
	/* Large, mostly never touched, and what follows them ends where the program's own memory may be
	   near: less of the system's tables. */
	struct answer answers[RECIPIENTS_MOST];
	char addresses[RECIPIENTS_MOST][MAILBOX_MAX + 1];
	struct place places[PLACES_MOST]; /* in the order of their addresses */
	struct place *going[PLACES_MOST]; /* those that are delivered to now */
	size_t first[RECIPIENTS_MOST];    /* of the places of each */
	bool has_answer[RECIPIENTS_MOST]; /* by LMTP, there already */
	/* the session */
	const struct config *config;
	const struct peer *peer;
	const char *session_id;
	pid_t session;
	uid_t session_uid;
	int pair; /* to it */
	enum state state;
	int64_t deadline;    /* of the whole session */
	int64_t patience;    /* of the next packet */
	int64_t answered_at; /* when a message was, last */
	bool extended;       /* the deadline was put off, for the answers to a message */
	bool granted;        /* which may be put off for each answer to this one */
	bool stopping;       /* SIGTERM has come, and the deadline is near */
	unsigned messages, deliveries;
	unsigned refusals; /* of recipients, since the last message that was delivered */
	uint64_t total;    /* octets of all messages */
	char protocol[8], helo[DOMAIN_MAX + 1];
	/* the message */
	char sender[MAILBOX_MAX + 1];
	bool utf8, binary; /* it was sent with SMTPUTF8, BODY=BINARYMIME */
	uint64_t declared; /* its size, or 0 */
	char id[SESSION_ID_MAX + sizeof ".999999"];
	struct spool spool;
	uint64_t octets; /* without our own lines */
	bool failed;     /* it could not be kept: it will be refused at its end */
	bool discarded;  /* a filter has thrown it away */
	int64_t begun;
	struct answer answer;
	size_t count, places_count;
	size_t next; /* by LMTP, the recipient whose answer is due */
};

bool serve_hello(struct monitor *m, const struct request *request);
bool serve_from(struct monitor *m, const struct request *request);
bool serve_rcpt(struct monitor *m, const struct request *request);
bool serve_body(struct monitor *m, const struct request *request);
bool serve_end(struct monitor *m, const struct request *request);
bool serve_reset(struct monitor *m, const struct request *request);
bool serve_verify(struct monitor *m, const struct request *request);
bool serve_expand(struct monitor *m, const struct request *request);
bool serve_note(struct monitor *m, const struct request *request);
bool serve_pause(struct monitor *m, const struct request *request);

#endif
