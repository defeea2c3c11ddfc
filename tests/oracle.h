/*
 * oracle.h -- what the engine's tests know of SMTP and LMTP, stated without the engine's code: a run
 * records the trace of events and checks their grammar; framing says from the client's octets alone
 * which line and which message each event must belong to.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
	bool timeout;   /* the client falls silent at the end */
	unsigned hasty; /* the client did not wait: 0 never, 1 for the greeting, n + 1 for the n-th
			   reply that is to be waited for alone */
};

struct record {
	char what; /* R reply, T told, A asked, P message, C close */
	char letter;
	char verdict;
	bool now, alone;
	size_t from, len;
};

/* The events of a run.  The pieces of a message are one record before its first A 'E'; those of a
   message that is refused are none, because how many were given out before the fault depends on the
   cuts. */
struct trace {
	struct record *records;
	size_t count, room;
	unsigned char *octets;
	size_t len, size;
	unsigned char *pieces; /* of the message that is being read */
	size_t pieces_len, pieces_size;
};

/* Each returns NULL, or what is wrong. */
const char *oracle_run(struct trace *trace, const struct scene *scene, const unsigned char *in,
    size_t len, struct cuts cuts);
const char *oracle_framing(
    const struct trace *trace, const struct scene *scene, const unsigned char *in, size_t len);
const char *oracle_same(const struct trace *one, const struct trace *other);

void oracle_free(struct trace *trace);

/* ---- oracle_grammar.c ---------------------------------------------------------------------- */

/* Where a conversation stands, as the events alone tell. */
struct grammar {
	const struct smtp_settings *settings;
	int stage;
	int place; /* the monitor's */
	bool hello;
	bool paused; /* before the reply that is due */
	char question;
	uint64_t pieces;
	unsigned recipients, due;
};

void grammar_begin(struct grammar *grammar, const struct smtp_settings *settings);

/* The next event, and the answer to a question.  Each returns NULL, or what is wrong. */
const char *grammar_event(struct grammar *grammar, const struct smtp_event *event);
const char *grammar_answer(
    struct grammar *grammar, enum request_letter question, const struct answer *answer);

/* The conversation is over. */
bool grammar_is_over(const struct grammar *grammar);

#endif
