/* keeper.c -- see keeper.h. */
#include "keeper.h"

#include <errno.h>
#include <unistd.h>

/* Both ways.  The two ends are one program, forked. */
struct word {
	unsigned turn;
	enum {
		WORD_NOTE,
		WORD_HOLD,
		WORD_STANDS,
		WORD_FALLS
	} what;
	int which;
	int64_t size; /* WORD_NOTE */
	enum fault fault;
	int why; /* errno of a FAULT_SYSTEM */
};

enum fault
keeper_add(struct keeper *k, int root, int *which)
{
	enum fault fault;

	*which = KEEPER_NONE;
	if (quota_open(&k->quotas[k->count], root, &fault))
		*which = (int)k->count++;
	return fault;
}

size_t
keeper_grants(const struct keeper *k, struct landlock_grant grants[MAILBOXES_MAX])
{
	for (size_t i = 0; i < k->count; i++)
		grants[i] = (struct landlock_grant){k->quotas[i].root,
		    LANDLOCK_MAY_READ | LANDLOCK_MAY_WRITE | LANDLOCK_MAY_LIST | LANDLOCK_MAY_MAKE |
			LANDLOCK_MAY_REMOVE | LANDLOCK_MAY_REFER};
	return k->count;
}

/* ---- the keeper -------------------------------------------------------------------------------- */

static void
serve(struct quota *q, struct word *word)
{
	switch (word->what) {
	case WORD_NOTE:
		word->fault = quota_note(q, word->size);
		break;
	case WORD_HOLD:
		word->fault = quota_hold(q);
		break;
	case WORD_STANDS:
		quota_release(q, true);
		break;
	case WORD_FALLS:
		quota_release(q, false);
		break;
	}
	word->why = errno;
}

static bool
is_sound(const struct keeper *k, const struct word *word)
{
	return word->what <= WORD_FALLS && word->which >= 0 && (size_t)word->which < k->count &&
	       word->size >= 0;
}

void
keeper_serve(struct keeper *k)
{
	struct word word;
	ssize_t n;

	while ((n = read(k->fd, &word, sizeof word)) == (ssize_t)sizeof word ||
	       (n < 0 && errno == EINTR)) {
		if (n < 0)
			continue;
		if (!is_sound(k, &word))
			break;
		word.fault = FAULT_NONE;
		serve(&k->quotas[word.which], &word);
		if (write(k->fd, &word, sizeof word) != (ssize_t)sizeof word)
			break;
	}
	for (size_t i = 0; i < k->count; i++)
		quota_end(&k->quotas[i]);
}

/* ---- the other end ----------------------------------------------------------------------------- */

void
keeper_leave(struct keeper *k)
{
	for (size_t i = 0; i < k->count; i++) {
		(void)close(k->quotas[i].root); /* nothing was written */
		(void)close(k->quotas[i].fd);
	}
}

static enum fault
say(struct keeper *k, struct word word)
{
	struct word heard = {0};

	if (word.which == KEEPER_NONE)
		return FAULT_NONE;
	word.turn = ++k->turn;
	if (write(k->fd, &word, sizeof word) != (ssize_t)sizeof word)
		return FAULT_SYSTEM;
	do {
		ssize_t n = read(k->fd, &heard, sizeof heard);
		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof heard) {
			errno = EPIPE;
			return FAULT_SYSTEM;
		}
	} while (heard.turn != word.turn);
	errno = heard.why;
	return heard.fault;
}

enum fault
keeper_note(struct keeper *k, int which, int64_t size)
{
	return say(k, (struct word){.what = WORD_NOTE, .which = which, .size = size});
}

enum fault
keeper_hold(struct keeper *k, int which)
{
	return say(k, (struct word){.what = WORD_HOLD, .which = which});
}

void
keeper_release(struct keeper *k, int which, bool stands)
{
	/* If the keeper has died the sum is too large, until it is counted anew. */
	(void)say(k, (struct word){.what = stands ? WORD_STANDS : WORD_FALLS, .which = which});
}

void
keeper_inherit(struct keeper *k)
{
	k->turn = 1U << 31;
}
