/*
 * oracle.h -- what the engine's tests know of SMTP, stated without the engine's code: a run records
 * the trace of events and checks their grammar; framing says from the client's octets alone which
 * line and which message each reply must belong to.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stddef.h>

#include "../smtp-stdio/smtp.h"

/* How the input is cut before it is fed. */
struct cuts {
	enum {
		CUT_NOT,
		CUT_TWO,    /* at `at` */
		CUT_OCTETS, /* one by one */
		CUT_RANDOM, /* by `seed`, never 0 */
	} how;
	size_t at;
	unsigned long long seed;
};

/* One conversation: the settings, and who answers. */
struct scene {
	struct smtp_settings settings;
	/* The answer to the asked-th question, from 0. */
	void (*answer)(const struct scene *scene, unsigned asked, const struct smtp_event *question,
	    struct answer *answer);
	const void *closure;
	bool timeout; /* the client falls silent at the end */
};

struct record {
	char what; /* R reply, T told, A asked, P message, C close */
	char letter;
	char verdict;
	bool now;
	size_t from, len;
};

/* The events of a run.  The pieces of a message are one record before its A 'E'; those of a message
   that is refused are none, because how many were given out before the fault depends on the cuts. */
struct trace {
	struct record *records;
	size_t count, room;
	unsigned char *octets;
	size_t len, size;
};

/* Each returns NULL, or what is wrong. */
const char *oracle_run(struct trace *trace, const struct scene *scene, const unsigned char *in,
    size_t len, struct cuts cuts);
const char *oracle_framing(
    const struct trace *trace, const struct scene *scene, const unsigned char *in, size_t len);
const char *oracle_same(const struct trace *one, const struct trace *other);

void oracle_free(struct trace *trace);

/*
 * The text after DATA: it ends at the first CRLF.CRLF of CRLF and the stream.  *end is the octets up
 * to and with that end; false if it has none.  *bare: a CR without LF or an LF without CR before it.
 * *wire: its octets as RFC 1870 counts them.  `content` (of `len`) gets the message with LF line
 * ends, *count octets; both mean nothing if it is bare.
 */
struct message {
	size_t end, wire, count;
	bool bare;
};
bool oracle_message(
    const unsigned char *in, size_t len, unsigned char *content, struct message *message);

#endif
