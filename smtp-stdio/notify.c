/* notify.c -- see notify.h. */
#include "notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "limits.h"

static bool stopping;

void
notify_ready(void)
{
	(void)sd_notify(0, "READY=1"); /* here and below: who does not listen need not know */
}

/* The time is Type=notify-reload's; systemd.service(5). */
void
notify_reloading(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
	    (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void
notify_stopping(int64_t seconds)
{
	stopping = true;
	(void)sd_notifyf(0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64, seconds * 1000000);
}

static void
write_status(char *text, size_t size, const struct notify_counts *counts)
{
	const char *s = counts->sessions == 1 ? "" : "s";

	if (stopping)
		(void)snprintf(
		    text, size, "STATUS=stopping, %u session%s left", counts->sessions, s);
	else
		(void)snprintf(text, size,
		    "STATUS=%u session%s, %" PRIu64 " since the start, %" PRIu64 " turned away%s",
		    counts->sessions, s, counts->started, counts->turned_away,
		    counts->settings_are_bad ? "; the settings are wrong" : "");
}

/* A sign twice in the time that systemd gives, as sd_watchdog_enabled(3) has it.  In milliseconds. */
static int64_t
watchdog_interval(void)
{
	static int64_t interval = -1;
	uint64_t usec = 0;

	if (interval < 0 && sd_watchdog_enabled(0, &usec) > 0)
		interval = (int64_t)(usec / 2000);
	else if (interval < 0)
		interval = 0;
	return interval;
}

int64_t
notify_due(const struct notify_counts *counts, int64_t now)
{
	static int64_t next_sign, next_status;
	static char said[128];
	char text[sizeof said];
	int64_t next = INT64_MAX;

	if (watchdog_interval() > 0) {
		if (now >= next_sign) {
			(void)sd_notify(0, "WATCHDOG=1");
			next_sign = now + watchdog_interval();
		}
		next = next_sign;
	}
	write_status(text, sizeof text, counts);
	if (strcmp(text, said) == 0)
		return next;
	if (now >= next_status) {
		(void)sd_notify(0, text);
		(void)strcpy(said, text);
		next_status = now + STATUS_PAUSE;
		return next;
	}
	return next_status < next ? next_status : next;
}
