/* received.c -- see received.h.  Runs as the monitor. */
#include "received.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"

size_t
received_line(char out[RECEIVED_MAX], const struct trace *t)
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	struct tm tm;
	char from[128] = "";

	if (localtime_r(&t->when, &tm) == NULL)
		memset(&tm, 0, sizeof tm); /* a year beyond an int */
	long zone = tm.tm_gmtoff / 60;
	if (strcmp(t->address, "local") != 0)
		(void)snprintf(from, sizeof from, " ([%s%s])",
		    strchr(t->address, ':') != NULL ? "IPv6:" : "", t->address);
	int n = snprintf(out, RECEIVED_MAX,
	    "Received: from %s%s\n\tby %s with %s id %s%s%s%s;\n"
	    "\t%s, %d %s %d %02d:%02d:%02d %c%02ld%02ld\n",
	    t->helo, from, t->hostname, t->protocol, t->id, t->recipient != NULL ? "\n\tfor <" : "",
	    t->recipient != NULL ? t->recipient : "", t->recipient != NULL ? ">" : "",
	    days[tm.tm_wday], tm.tm_mday, clock_months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
	    tm.tm_min, tm.tm_sec, zone < 0 ? '-' : '+', (zone < 0 ? -zone : zone) / 60,
	    (zone < 0 ? -zone : zone) % 60);
	return n < 0 || n >= RECEIVED_MAX ? 0 : (size_t)n;
}
