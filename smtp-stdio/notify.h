/*
 * notify.h -- what smtp-listen tells systemd of itself; sd_notify(3).  Where nobody asks, nothing is
 * said.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

struct notify_counts {
	unsigned sessions;     /* now */
	uint64_t started;      /* sessions */
	uint64_t turned_away;  /* clients that got a 421 */
	bool settings_are_bad; /* when they were last looked at */
};

/* Everything is ready, again after a reload. */
void notify_ready(void);

/* The settings are looked at.  notify_ready() must follow. */
void notify_reloading(void);

/* The end has begun, and takes that many seconds at most. */
void notify_stopping(int64_t seconds);

/*
 * What is due by `now` (milliseconds, as clock_now): the watchdog's sign of life, and a status that
 * has changed.  Returns when it is to be called again, or INT64_MAX.
 */
int64_t notify_due(const struct notify_counts *counts, int64_t now);

#endif
