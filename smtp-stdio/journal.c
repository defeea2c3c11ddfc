/* journal.c -- see journal.h. */
#include "journal.h"

#define SD_JOURNAL_SUPPRESS_LOCATION /* a client's doing has no place in the source */
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "clock.h"
#include "limits.h"
#include "log.h"

static const struct row {
	const char *name;
	int priority;
	bool often; /* clients can bring it about */
	const char *id;
} rows[EVENTS] = {
    [EVENT_LISTENING] = {"listening", LOG_INFO, false, "dfe234d6da7444b286e42c9d9b1cd1cc"},
    [EVENT_FULL] = {"turned-away", LOG_WARNING, true, "fae4706925fe423a892a9c4b8963cd5c"},
    [EVENT_MANY] = {"turned-away", LOG_NOTICE, true, "67670f61f53c4fd2854a6b5c6399e546"},
    [EVENT_OFTEN] = {"turned-away", LOG_NOTICE, true, "551792b7741e44328f8368a33c73cadf"},
    [EVENT_CANNOT_START] = {"cannot-start", LOG_ERR, true, "8841c460ed544898b7a4c454fa3ab56b"},
    [EVENT_CANNOT_ACCEPT] = {"cannot-accept", LOG_ERR, true, "ddd6baf1886e411892fcefcc41e2f4b6"},
    [EVENT_ENDED] = {"ended", LOG_ERR, true, "5ec141a0dcbf4b8fa3cda1ce4924ce9e"},
    [EVENT_SETTINGS] = {"settings", LOG_INFO, false, "adc17dded6be4f23bf59f278189638fc"},
    [EVENT_WRONG_SETTINGS] = {"settings", LOG_ERR, false, "ab74f06168c24146bcd864c1e27ba0e0"},
    [EVENT_STOPPING] = {"stopping", LOG_INFO, false, "596777beabaa4bc89dd5ed779fffe07f"},
    [EVENT_STOPPED] = {"stopped", LOG_INFO, false, "1030a9b5884b4501b9942a5e18bd506b"},
    [EVENT_FAULT] = {"", LOG_CRIT, false, "c8fdb3453b4548fa866bf87c016b9b08"},
};

static struct burst {
	int64_t until;
	unsigned again; /* lines since then that were not written; the last of them: */
	char client[CLIENT_TEXT], line[JOURNAL_LINE];
} bursts[EVENTS];

void
journal_open(void)
{
	log_open(false);
}

/* sd_journal_sendv(3) is content where nobody hears it, and waits for ever for a journal that hangs:
   so, whether it would. */
static bool
journal_listens(void)
{
	static const struct sockaddr_un name = {
	    .sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};
	struct pollfd there = {socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), POLLOUT, 0};

	if (there.fd < 0)
		return true; /* its own socket may be open, and it tells if not */
	bool listens = connect(there.fd, (const struct sockaddr *)&name, sizeof name) == 0 &&
		       poll(&there, 1, LOG_PATIENCE * 1000) != 0;
	(void)close(there.fd); /* nothing was written */
	return listens;
}

/* A field of the journal's own protocol, "NAME=value". */
static struct iovec
field(char *out, size_t size, const char *name, const char *value)
{
	int n = snprintf(out, size, "%s=%s", name, value);

	return (struct iovec){out, (size_t)n < size ? (size_t)n : size - 1};
}

/* False if it is not there to take it. */
static bool
send_to_journal(const struct row *row, const char *client, const char *line)
{
	char priority[16], number[8], id[64], address[CLIENT_TEXT + 16], facility[32],
	    message[JOURNAL_LINE + 16];
	struct iovec fields[5];

	(void)snprintf(number, sizeof number, "%d", row->priority);
	fields[0] = field(message, sizeof message, "MESSAGE", line);
	fields[1] = field(priority, sizeof priority, "PRIORITY", number);
	fields[2] = field(id, sizeof id, "MESSAGE_ID", row->id);
	(void)snprintf(number, sizeof number, "%d", LOG_FAC(LOG_MAIL));
	fields[3] = field(facility, sizeof facility, "SYSLOG_FACILITY", number);
	fields[4] = field(address, sizeof address, "SMTP_CLIENT", client);
	return sd_journal_sendv(fields, client[0] != 0 ? 5 : 4) >= 0;
}

/* `again` lines like it, itself included, if it was counted. */
static void
put(enum event event, const char *client, const char *line, unsigned again)
{
	const struct row *row = &rows[event];
	char text[JOURNAL_LINE], count[32] = "";

	if (again > 0)
		(void)snprintf(count, sizeof count, " again=%u", again);
	(void)snprintf(text, sizeof text, "%s%s", line, count);
	if (!log_to_journal() || !journal_listens() || !send_to_journal(row, client, text))
		log_line(row->priority, "%s", text);
}

void
journal_line(enum event event, const char *client, const char *format, ...)
{
	struct burst *burst = &bursts[event];
	char fields[JOURNAL_LINE / 2];
	int64_t now = clock_now();
	va_list args;

	va_start(args, format);
	(void)vsnprintf(fields, sizeof fields, format, args);
	va_end(args);
	(void)snprintf(burst->line, sizeof burst->line, "%s%s%s %s", rows[event].name,
	    client != NULL ? " client=" : "", client != NULL ? client : "", fields);
	(void)snprintf(burst->client, sizeof burst->client, "%s", client != NULL ? client : "");
	if (rows[event].often && (burst->again > 0 || now < burst->until)) {
		burst->again++;
		return;
	}
	burst->until = now + BURST;
	put(event, burst->client, burst->line, 0);
}

int64_t
journal_flush(int64_t now)
{
	int64_t next = INT64_MAX;

	for (int event = 0; event < EVENTS; event++) {
		struct burst *burst = &bursts[event];
		if (burst->again > 0 && burst->until <= now) {
			put((enum event)event, burst->client, burst->line, burst->again);
			burst->again = 0;
			burst->until = clock_now() + BURST;
		}
		if (burst->again > 0 && burst->until < next)
			next = burst->until;
	}
	return next;
}

void
journal_die(int status, const char *format, ...)
{
	char line[JOURNAL_LINE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof line, format, args);
	va_end(args);
	put(EVENT_FAULT, "", line, 0);
	exit(status);
}
