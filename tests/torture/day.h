/*
 * day.h -- the clients of a day's load.
 *
 * Everything a session does follows from the seed and its number; what it takes from the server is
 * only the right to go on.
 */
#ifndef DAY_H
#define DAY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MAILBOXES = 50,        /* u01 ... u50 */
	MESSAGES_MOST = 30,    /* of a session */
	SIZE_LIMIT = 36700160, /* SizeLimit's default */
	RCPT_LIMIT = 100,      /* RecipientLimit's default */
	CHUNKS_MOST = 4,
	LINE_LIMIT = 2048, /* of a command; smtp-stdio(8), SMTP */
	/* Sessions 0, 1 and LARGE_OVER of this many have a message of 25 MiB, of SizeLimit, and of an
	   octet more. */
	LARGE_EACH = 5000,
	LARGE_OVER = 2,
};

/* ---- day_plan.c: what a session will do ---------------------------------------------------- */

struct random {
	uint64_t state;
};

/* What only depends on the seed and a session's number. */
struct random random_of(uint64_t seed, unsigned session);
uint64_t random_next(struct random *);
/* From 0 to `n` - 1; `n` is not 0. */
unsigned random_below(struct random *, unsigned n);
/* From `least` to `most`; to have twice the size is half as likely. */
size_t random_size(struct random *, size_t least, size_t most);

enum kind {
	GOOD,
	VANISHING,   /* gone without a word, anywhere */
	STALLING,    /* says nothing more, or an octet now and then */
	FLOODING,    /* with commands that lead nowhere */
	EARLY,       /* does not wait for the greeting */
	HASTY,       /* does not wait for 354 */
	OVERLONG,    /* a command line */
	SMUGGLING,   /* a second message behind what is no end of the first */
	TLS,         /* a ClientHello */
	HTTP,        /* a request */
	NUL,         /* in a command */
	RECIPIENTS,  /* too many, or none that exists */
	OVERSIZE,    /* by SIZE=, by BDAT, or in truth */
	HALF_CLOSED, /* has no more to say, and listens */
	KINDS
};

enum manner {
	PLAIN,
	PIPELINED,
	CHUNKED
};

/* Where a client stops that does not go on. */
enum place {
	AT_GREETING,
	AT_HELLO,
	AT_MAIL,
	AT_RCPT,
	AT_DATA,
	IN_TEXT,
	AT_END
};

struct plan {
	enum kind kind;
	enum manner manner;
	enum place place;  /* for those that vanish or stall */
	unsigned messages; /* that it begins */
	unsigned bad;      /* the one at which it misbehaves; before it, if the kind `is_between` */
};

extern const char *const kind_names[KINDS];
bool kind_is_between(enum kind);
/* The random numbers go on with what the session says. */
struct plan plan_of(struct random *, unsigned session);

struct message {
	unsigned session, number;
	enum manner manner;
	size_t size;         /* octets, with CRLF; 0, or 2 at least */
	uint64_t recipients; /* bit 0 is u01 */
};
struct message message_of(struct random *, unsigned session, unsigned number, enum manner);

/* ---- day_text.c: what a message says ------------------------------------------------------- */

struct text {
	unsigned char *wire; /* behind DATA, or from the first BDAT on, with its end */
	size_t len;
	unsigned replies; /* to that */
	size_t size;      /* as it lies in a mailbox, where lines end in LF ... */
	uint32_t sum;     /* ... and the CRC-32 of that (ISO 3309) */
};

/* Make the text of a message; it lasts until the next one is made. */
void text_make(struct text *, struct random *, const struct message *);
/* Make one, by DATA, with a second message behind what looks like its end and is not. */
void text_smuggle(struct text *, struct random *, const struct message *);

/* ---- day_talk.c: a connection -------------------------------------------------------------- */

struct client {
	int fd; /* -1: there is none */
	size_t at, until;
	char in[4096];
	char line[128]; /* the last that was heard, or its beginning */
};

/* Connect from 127.1.0.`row` + 1.  The program ends if that cannot be done. */
void client_connect(struct client *, unsigned row);
/* A server that has gone shows at the next reply. */
void client_say(struct client *, const void *octets, size_t len);
/* The code of the next reply; 0 at the end, -1 if nothing comes for minutes. */
int client_hear(struct client *);
/* The code of the last reply before the end, or of one that says farewell; 0 if there is none, -1 if
   neither comes for minutes. */
int client_hear_out(struct client *);
/* Gone, with a reset or without. */
void client_leave(struct client *, bool reset);
/* Nothing more will be said. */
void client_half_close(struct client *);

/* ---- day_session.c: what is said ----------------------------------------------------------- */

enum state {
	UNTRIED,
	NEVER,
	LATER, /* refused for now: the mailbox was locked for as long as deliver waits */
	PERHAPS,
	THERE,
	STATES
};

/* What must be found of a message: nothing, all or nothing, or all. */
struct record {
	enum state state;
	uint32_t sum;
	size_t size;
	uint64_t recipients;
};

struct session {
	unsigned number;
	uint64_t seed;
	struct record *records; /* MESSAGES_MOST */
	atomic_uint *surprises; /* counts replies that should not have been heard */

	struct client client;
	struct random random;
	struct plan plan;
	struct message message; /* the present one */
	struct text text;
	char out[16384]; /* commands that were not said yet */
	size_t out_len;
	int codes[RCPT_LIMIT + 20]; /* of the replies that they should get */
	unsigned code_count;
};

/* Run one session, whose first four members are set. */
void session_run(struct session *, unsigned row);

/*
 * The parts of a session.  Those that hear replies are false when another came than should, which is
 * told on standard output, or when the connection is closed; it is closed then.
 */

/* The next reply is that; 0: there is none. */
bool hear_code(struct session *, int code);
/* The last before the server has had enough is one of these; the connection is closed in any case. */
void hear_last(struct session *, int code, int other);
/* Say a command, or keep it for the next `speak` if the session pipelines; so for its reply, and `hear`. */
__attribute__((format(printf, 3, 4))) bool command(
    struct session *, int code, const char *format, ...);
void speak(struct session *);
bool hear(struct session *);

/* Make a message; it is never to be found, unless something else becomes of it. */
void begin_message(struct session *, unsigned number);
struct record *record_of(struct session *);
/* Up to that place, by `command`. */
bool envelope(struct session *, enum place stop);
/* All of the envelope, and its replies. */
bool envelope_taken(struct session *);
/* The replies to the text, and what they make of it. */
bool hear_verdict(struct session *);
/* What comes behind the envelope, and its replies. */
bool finish_message(struct session *);

/* ---- day_misbehave.c ----------------------------------------------------------------------- */

/* Do what the kind does at its message `number`, or before it. */
void misbehave(struct session *, unsigned number);
/* Say what is no SMTP, or before it is time. */
void misbehave_at_the_door(struct session *);
/* Say nothing more, or too little. */
void misbehave_by_stalling(struct session *);

#endif
