/*
 * fuzz_log.c -- what the monitor writes of a client: texts in the log, which read back and are one line
 * whatever they hold; and the Received line, which a reader takes apart into what went in.
 *
 * Input: an octet for the room that a text has; one for the time zone; four for the time; lines for
 * HELO's name, the client's address, our name, the message's id and the recipient, who may be none; the
 * text.
 */
#include "../smtp-stdio/log.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "../smtp-stdio/limits.h"
#include "../smtp-stdio/received.h"
#include "fuzz.h"

enum {
	TEXT_MOST = 8192,
	LINE_ROOM = 2 * LOG_LINE_MAX
};

/* ---- the log ----------------------------------------------------------------------------------- */

/* Read a value that was written for the log: how many octets; none may be one of `special`. */
static size_t
read_back(char *out, const char *shown, size_t len, const char *special)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned octet = (unsigned char)shown[i];
		demand(octet >= 32 && octet <= 126, "log: an octet that is not printable");
		if (octet == '\\') {
			demand(len - i >= 4 && sscanf(shown + i, "\\x%2x", &octet) == 1,
			    "log: a backslash that says nothing");
			i += 3;
		} else {
			demand(strchr(special, (int)octet) == NULL, "log: what could end a value");
		}
		out[n++] = (char)octet;
	}
	return n;
}

/* The text, or as much of it as there is room for and three dots. */
static void
check_shown(const char *shown, size_t size, const char *text, const char *special)
{
	static char plain[LINE_ROOM];
	size_t len = strlen(shown), whole = strlen(text);

	demand(len < size, "log: more than there is room for");
	size_t n = read_back(plain, shown, len, special);
	if (n == whole && memcmp(plain, text, n) == 0)
		return;
	demand(n >= 3 && memcmp(plain + n - 3, "...", 3) == 0, "log: another text");
	n -= 3;
	demand(n < whole && memcmp(plain, text, n) == 0, "log: another text before the dots");
	demand(len - 3 + sizeof "\\xNN..." > size - 1, "log: dots where there is room");
}

static void
check_values(const char *text, size_t room)
{
	static char shown[LINE_ROOM];

	room = sizeof "\\xNN..." + room * 8;
	memset(shown, 0x7f, sizeof shown);
	demand(log_text(shown, room, text) == shown, "log: elsewhere");
	check_shown(shown, room, text, "\"\\<>");
	demand(log_word(shown, room, text) == shown && shown[room] == 0x7f, "log: beyond its room");
	check_shown(shown, room, text, " \"\\<>");
}

/* What comes out, by an event or as it is; standard error goes into a file meanwhile. */
static size_t
written(char line[LINE_ROOM], const char *text, bool event)
{
	static int file = -1, old = -1;

	if (file < 0) {
		file = memfd_create("log", MFD_CLOEXEC);
		old = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
		log_session("s", "192.0.2.1");
	}
	demand(file >= 0 && old >= 0 && ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0 &&
		   dup2(file, STDERR_FILENO) >= 0,
	    "no log");
	if (event)
		log_error("%s", text);
	else
		log_line(LOG_ERR, "%s", text);
	demand(dup2(old, STDERR_FILENO) >= 0, "no standard error");
	ssize_t len = pread(file, line, LINE_ROOM, 0);
	demand(len >= 1 && len <= LOG_LINE_MAX && line[len - 1] == '\n', "log: not a line");
	line[len - 1] = 0;
	demand(strlen(line) == (size_t)len - 1, "log: a NUL in a line");
	return (size_t)len - 1;
}

static void
check_lines(const char *text)
{
	static const char begin[] = "error session=s client=192.0.2.1 what=\"";
	static char line[LINE_ROOM], cut[LOG_FIELDS_MAX / 2];

	size_t len = written(line, text, true);
	demand(len >= sizeof begin && strncmp(line, begin, sizeof begin - 1) == 0 &&
		   line[len - 1] == '"',
	    "log: another line");
	line[len - 1] = 0;
	(void)snprintf(cut, sizeof cut, "%s", text);
	check_shown(line + sizeof begin - 1, LOG_FIELDS_MAX - sizeof "what=\"\"", cut, "\"\\<>");

	len = written(line, text, false);
	demand(strncmp(line, text, len) == 0 && (text[len] == 0 || len + 3 >= LOG_LINE_MAX),
	    "log: another line as it is");
}

/* ---- Received ---------------------------------------------------------------------------------- */

/* What stands there must be that text; returns what is behind it. */
static const char *
expect(const char *at, const char *text)
{
	size_t len = strlen(text);

	demand(strncmp(at, text, len) == 0, "received: another text");
	return at + len;
}

static void
check_date(const char *at, time_t when)
{
	static const char *const zones[] = {"+0000", "+0530", "-0330"};
	struct tm tm = {0};
	char line[64];
	size_t zone = 0;

	const char *end = strptime(at, "%a, %d %b %Y %H:%M:%S ", &tm);
	while (end != NULL && zone < 3 && strncmp(end, zones[zone], 5) != 0)
		zone++;
	demand(zone < 3 && strcmp(end + 5, "\n") == 0, "received: no date");
	static const int minutes[] = {0, 330, -210};
	demand(timegm(&tm) - minutes[zone] * 60 == when, "received: another time");
	(void)strftime(line, sizeof line, "%a, %-d %b %Y", &tm);
	(void)expect(at, line);
}

static void
check_received(const struct trace *t)
{
	static char line[RECEIVED_MAX];

	size_t len = received_line(line, t);
	size_t texts = strlen(t->helo) + strlen(t->address) + strlen(t->hostname) + strlen(t->id) +
		       (t->recipient != NULL ? strlen(t->recipient) : 0);
	demand(len < sizeof line && (len > 0 || texts > RECEIVED_MAX - 160), "received: no line");
	if (len == 0)
		return;
	demand(strlen(line) == len, "received: another length");
	const char *at = expect(expect(line, "Received: from "), t->helo);
	if (strcmp(t->address, "local") != 0) {
		at = expect(at, strchr(t->address, ':') != NULL ? " ([IPv6:" : " ([");
		at = expect(expect(at, t->address), "])");
	}
	at = expect(expect(at, "\n\tby "), t->hostname);
	at = expect(expect(at, " with ESMTP id "), t->id);
	if (t->recipient != NULL)
		at = expect(expect(expect(at, "\n\tfor <"), t->recipient), ">");
	check_date(expect(at, ";\n\t"), t->when);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static char helo[DOMAIN_MAX + 1], address[CLIENT_TEXT], hostname[DOMAIN_MAX + 1],
	    id[SESSION_ID_MAX], recipient[RECEIVED_MAX], text[TEXT_MOST + 1];
	static const char *const zones[] = {"UTC0", "IST-5:30", "NST3:30"};
	struct input in = {data, size};

	if (size > TEXT_MOST)
		return 0;
	unsigned room = input_octet(&in);
	demand(setenv("TZ", zones[input_octet(&in) % 3], 1) == 0, "no time zone");
	tzset();
	uint32_t when = 0;
	for (int i = 0; i < 4; i++)
		when = when << 8 | input_octet(&in);
	struct trace t = {.protocol = "ESMTP", .when = (time_t)when};
	t.helo = input_line(&in, helo, sizeof helo);
	t.address = input_line(&in, address, sizeof address);
	t.hostname = input_line(&in, hostname, sizeof hostname);
	t.id = input_line(&in, id, sizeof id);
	t.recipient = input_line(&in, recipient, sizeof recipient);
	t.recipient = recipient[0] != 0 ? t.recipient : NULL;
	check_received(&t);

	if (in.len > 0)
		memcpy(text, in.at, in.len);
	text[in.len] = 0;
	check_values(text, room);
	check_lines(text);
	return 0;
}
