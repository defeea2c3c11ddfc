/* day_plan.c -- see day.h. */
#include "day.h"

/* ---- numbers ------------------------------------------------------------------------------- */

/* SplitMix64 (Steele, Lea and Flood 2014): good enough, and any number can be its seed. */
uint64_t
random_next(struct random *r)
{
	uint64_t x = r->state += 0x9e3779b97f4a7c15U;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
	x = (x ^ x >> 27) * 0x94d049bb133111ebU;
	return x ^ x >> 31;
}

struct random
random_of(uint64_t seed, unsigned session)
{
	struct random r = {seed};

	r.state = random_next(&r) + session;
	r.state = random_next(&r);
	return r;
}

unsigned
random_below(struct random *r, unsigned n)
{
	return (unsigned)((random_next(r) >> 32) * n >> 32);
}

size_t
random_size(struct random *r, size_t least, size_t most)
{
	size_t low = least;

	while (low * 2 <= most && random_below(r, 2) == 0)
		low *= 2;
	size_t high = low * 2 < most ? low * 2 : most;
	return low + random_below(r, (unsigned)(high - low) + 1);
}

/* ---- sessions ------------------------------------------------------------------------------ */

const char *const kind_names[KINDS] = {"good", "vanishing", "stalling", "flooding", "early",
    "hasty", "overlong", "smuggling", "TLS", "HTTP", "NUL", "recipients", "oversize",
    "half-closed"};

/* Of a hundred sessions that misbehave.  Who stalls or floods takes seconds. */
static const unsigned weights[KINDS] = {[VANISHING] = 40,
    [STALLING] = 3,
    [FLOODING] = 2,
    [EARLY] = 6,
    [HASTY] = 6,
    [OVERLONG] = 6,
    [SMUGGLING] = 10,
    [TLS] = 5,
    [HTTP] = 5,
    [NUL] = 5,
    [RECIPIENTS] = 4,
    [OVERSIZE] = 4,
    [HALF_CLOSED] = 4};

bool
kind_is_between(enum kind kind)
{
	return kind == FLOODING || kind == OVERLONG || kind == NUL;
}

static enum kind
bad_kind(struct random *r)
{
	unsigned share = random_below(r, 100);
	unsigned kind = VANISHING;

	while (share >= weights[kind])
		share -= weights[kind++];
	return (enum kind)kind;
}

/* 70 of 100 sessions have one message, 20 up to five, 10 up to thirty. */
static unsigned
message_count(struct random *r)
{
	unsigned share = random_below(r, 100);

	if (share < 70)
		return 1;
	return share < 90 ? 2 + random_below(r, 4) : 6 + random_below(r, MESSAGES_MOST - 5);
}

/* Many go no further than where they misbehave. */
static unsigned
messages_begun(const struct plan *plan)
{
	switch (plan->kind) {
	case EARLY:
	case TLS:
	case HTTP:
		return 0;
	case VANISHING:
	case STALLING:
		return plan->place < AT_MAIL ? 0 : plan->bad + 1;
	case FLOODING:
		return plan->bad;
	case HASTY:
	case HALF_CLOSED:
		return plan->bad + 1;
	case GOOD:
	case OVERLONG:
	case SMUGGLING:
	case NUL:
	case RECIPIENTS:
	case OVERSIZE:
	case KINDS:
		return plan->messages;
	}
	return 0; /* there is no other */
}

struct plan
plan_of(struct random *r, unsigned session)
{
	struct plan plan = {.kind = random_below(r, 2) == 0 ? GOOD : bad_kind(r)};

	/* Those with a message of a size that comes rarely. */
	if (session % LARGE_EACH <= LARGE_OVER)
		plan.kind = session % LARGE_EACH < LARGE_OVER ? GOOD : OVERSIZE;
	plan.manner = (enum manner)random_below(r, 3);
	if (plan.manner == CHUNKED &&
	    (plan.kind == OVERSIZE || plan.kind == SMUGGLING || plan.kind == HASTY))
		plan.manner = PIPELINED; /* it is about DATA */
	plan.messages = message_count(r);
	plan.bad = session % LARGE_EACH == LARGE_OVER ? 0 : random_below(r, plan.messages);
	plan.place = (enum place)random_below(r, AT_END + 1);
	if (plan.place == AT_DATA && plan.manner == CHUNKED)
		plan.place = IN_TEXT;
	if (plan.kind == STALLING && plan.place == AT_END)
		plan.place = IN_TEXT;
	plan.messages = messages_begun(&plan);
	return plan;
}

/* ---- messages ------------------------------------------------------------------------------ */

/*
 * Of a thousand messages 10 are empty, 200 have up to 1 KiB, 600 up to 8, 185 up to 64 and 5 up to
 * 1024; and see LARGE_EACH.
 */
static size_t
message_size(struct random *r, unsigned session, unsigned number)
{
	static const size_t large[] = {25U << 20, SIZE_LIMIT, SIZE_LIMIT + 1};
	unsigned share = random_below(r, 1000);

	if (session % LARGE_EACH <= LARGE_OVER && number == 0)
		return large[session % LARGE_EACH];
	if (share < 10)
		return 0;
	if (share < 210)
		return random_size(r, 2, 1024);
	if (share < 810)
		return random_size(r, 1024, 8192);
	return share < 995 ? random_size(r, 8192, 65536) : random_size(r, 65536, 1U << 20);
}

/* 80 of 100 messages have one recipient, 15 two or three, 5 up to ten. */
static uint64_t
message_recipients(struct random *r)
{
	unsigned share = random_below(r, 100), count = 1;
	uint64_t recipients = 0;

	if (share >= 80)
		count = share < 95 ? 2 + random_below(r, 2) : 4 + random_below(r, 7);
	while (count-- > 0)
		recipients |= 1ULL << random_below(r, MAILBOXES);
	return recipients;
}

struct message
message_of(struct random *r, unsigned session, unsigned number, enum manner manner)
{
	struct message m = {.session = session, .number = number, .manner = manner};

	m.size = message_size(r, session, number);
	m.recipients = message_recipients(r);
	return m;
}
