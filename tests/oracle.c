/* oracle.c -- see oracle.h.  The run: octets in, the trace of events out. */
#include "oracle.h"

#include <stdlib.h>
#include <string.h>

/* ---- the trace ----------------------------------------------------------------------------- */

static void *
more(void *old, size_t *room, size_t want, size_t unit)
{
	if (want <= *room)
		return old;
	*room = want * 2 + 64;
	void *new = realloc(old, *room * unit);
	if (new == NULL)
		abort();
	return new;
}

static void
add(struct trace *t, struct record record, const unsigned char *octets, size_t len)
{
	t->records = more(t->records, &t->room, t->count + 1, sizeof *t->records);
	t->octets = more(t->octets, &t->size, t->len + len, 1);
	record.from = t->len;
	record.len = len;
	t->records[t->count++] = record;
	if (len > 0)
		memcpy(t->octets + t->len, octets, len);
	t->len += len;
}

static void
add_piece(struct trace *t, const unsigned char *octets, size_t len)
{
	t->pieces = more(t->pieces, &t->pieces_size, t->pieces_len + len, 1);
	memcpy(t->pieces + t->pieces_len, octets, len);
	t->pieces_len += len;
}

void
oracle_free(struct trace *t)
{
	free(t->records);
	free(t->octets);
	free(t->pieces);
	*t = (struct trace){0};
}

const char *
oracle_same(const struct trace *one, const struct trace *other)
{
	for (size_t i = 0; i < one->count && i < other->count; i++) {
		const struct record *a = &one->records[i], *b = &other->records[i];
		if (a->what != b->what || a->letter != b->letter || a->verdict != b->verdict ||
		    a->now != b->now || a->alone != b->alone || a->len != b->len ||
		    a->from != b->from)
			return "cuts: another event";
	}
	if (one->count != other->count || one->len != other->len)
		return "cuts: more or fewer events";
	return one->len == 0 || memcmp(one->octets, other->octets, one->len) == 0
		   ? NULL
		   : "cuts: other octets";
}

/* ---- the run ------------------------------------------------------------------------------- */

struct run {
	struct smtp smtp;
	struct trace *trace;
	const struct scene *scene;
	struct grammar grammar;
	unsigned asked, alone;
	unsigned char *memory; /* of just the input's size, and a place before it */
	size_t memory_len;
	bool message; /* a message has been begun, and none of it is in a record */
};

static unsigned long long
next_random(unsigned long long *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static size_t
cut(struct cuts *cuts, size_t at, size_t len)
{
	size_t n = len - at;

	switch (cuts->how) {
	case CUT_NOT:
		break;
	case CUT_TWO:
		n = at < cuts->at ? cuts->at - at : n;
		break;
	case CUT_OCTETS:
		n = 1;
		break;
	case CUT_RANDOM:
		n = 1 + next_random(&cuts->seed) % (next_random(&cuts->seed) % 4 == 0 ? 300 : 9);
		break;
	}
	return n < len - at ? n : len - at;
}

static void
put_request_down(struct run *r, const struct smtp_event *event)
{
	if (event->letter == REQUEST_FROM)
		r->message = true;
	if (event->letter == REQUEST_FROM || event->letter == REQUEST_RESET)
		r->trace->pieces_len = 0;
	if (event->letter != REQUEST_END || !r->message)
		return;
	add(r->trace, (struct record){.what = 'P'}, r->trace->pieces, r->trace->pieces_len);
	r->message = false;
}

static const char *
put_down(struct run *r, const struct smtp_event *event)
{
	struct record record = {
	    .letter = (char)event->letter, .now = event->now, .alone = event->alone};
	struct answer answer;

	switch (event->what) {
	case SMTP_WANT:
		return NULL;
	case SMTP_PIECE:
		add_piece(r->trace, event->octets, event->len);
		return NULL;
	case SMTP_REPLY:
		record.what = 'R';
		break;
	case SMTP_TELL:
	case SMTP_ASK:
		record.what = event->what == SMTP_TELL ? 'T' : 'A';
		put_request_down(r, event);
		break;
	case SMTP_CLOSE:
		record.what = 'C';
		break;
	}
	if (event->what == SMTP_ASK) {
		r->scene->answer(r->scene, r->asked++, event, &answer);
		record.verdict = (char)answer.verdict;
	}
	add(r->trace, record, event->octets, event->len);
	if (event->what != SMTP_ASK)
		return NULL;
	smtp_answer(&r->smtp, &answer);
	return grammar_answer(&r->grammar, event->letter, &answer);
}

/* A piece is where it was asked for, and over nothing that is still to be taken. */
static bool
in_place(const unsigned char *out, const unsigned char *rest, const struct smtp_event *event)
{
	return event->what != SMTP_PIECE ||
	       (event->octets == out && event->octets + event->len <= rest);
}

/* The client did not wait for this reply. */
static void
hurry(struct run *r, const struct smtp_event *event)
{
	if (event->what != SMTP_REPLY || !event->alone)
		return;
	r->alone++;
	if (r->scene->hasty == r->alone + 1)
		smtp_hasty(&r->smtp);
}

/* Feed octets until all are taken; of the message they are moved together, one place to the left. */
static const char *
feed(struct run *r, unsigned char *in, size_t len)
{
	struct smtp_event event = {.what = SMTP_REPLY};
	unsigned char *out = in - 1;
	size_t at = 0;
	unsigned idle = 0;

	while (event.what != SMTP_WANT && event.what != SMTP_CLOSE) {
		size_t taken = smtp_step(&r->smtp, in + at, len - at, out, &event);
		if (taken > len - at || !in_place(out, in + at + taken, &event))
			return "run: took more than there was";
		idle = taken > 0 || event.what == SMTP_ASK ? 0 : idle + 1;
		if (idle > 8 + r->scene->settings.recipient_limit)
			return "run: events without end";
		at += taken;
		if (event.what == SMTP_WANT && at < len)
			return "run: wants more than it has taken";
		const char *wrong = grammar_event(&r->grammar, &event);
		if (wrong == NULL)
			wrong = put_down(r, &event);
		if (wrong != NULL)
			return wrong;
		out += event.what == SMTP_PIECE ? event.len : 0;
		hurry(r, &event);
	}
	return NULL;
}

/* Feed octets from the very end of the run's memory, so that a look behind them is seen; what lies
   there afterwards is something else, so that a look back is seen. */
static const char *
feed_copy(struct run *r, const unsigned char *in, size_t len)
{
	unsigned char *copy = r->memory + r->memory_len - len;

	if (len > 0)
		memcpy(copy, in, len);
	const char *wrong = feed(r, copy, len);
	if (len > 0)
		memset(copy, 0xa5, len);
	return wrong;
}

static const char *
feed_all(struct run *r, const unsigned char *in, size_t len, struct cuts cuts)
{
	const char *wrong = feed_copy(r, in, 0);

	for (size_t at = 0, n; wrong == NULL && at < len && !grammar_is_over(&r->grammar);
	     at += n) {
		n = cut(&cuts, at, len);
		wrong = feed_copy(r, in + at, n);
	}
	if (wrong == NULL && r->scene->timeout && !grammar_is_over(&r->grammar)) {
		smtp_timeout(&r->smtp);
		wrong = feed_copy(r, in, 0);
		if (wrong == NULL && !grammar_is_over(&r->grammar))
			wrong = "grammar: no end after silence";
	}
	return wrong;
}

const char *
oracle_run(struct trace *trace, const struct scene *scene, const unsigned char *in, size_t len,
    struct cuts cuts)
{
	static struct run r;

	memset(&r, 0xa5, sizeof r); /* smtp_begin has to set all that is read */
	trace->count = trace->len = trace->pieces_len = 0;
	r.trace = trace;
	r.scene = scene;
	r.asked = r.alone = 0;
	r.message = false;
	r.memory_len = len + 1;
	r.memory = malloc(r.memory_len);
	if (r.memory == NULL)
		abort();
	grammar_begin(&r.grammar, &scene->settings);
	smtp_begin(&r.smtp, &scene->settings);
	if (scene->hasty == 1)
		smtp_hasty(&r.smtp);
	const char *wrong = feed_all(&r, in, len, cuts);
	free(r.memory);
	return wrong;
}
