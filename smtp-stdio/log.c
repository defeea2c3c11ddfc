/* log.c -- see log.h. */
#include "log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "limits.h"

struct line {
	char text[LOG_LINE_MAX];
	size_t n;
};

static bool to_syslog, to_journal;
static const char *session = "", *client = "";

/* Two descriptors of the same socket. */
static bool
same(const struct stat *a, const struct stat *b)
{
	return S_ISSOCK(a->st_mode) && a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* systemd.exec(5), JOURNAL_STREAM */
static bool
is_journal(const struct stat *error)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char name[64];

	(void)snprintf(name, sizeof name, "%llu:%llu", (unsigned long long)error->st_dev,
	    (unsigned long long)error->st_ino);
	return stream != NULL && strcmp(stream, name) == 0;
}

void
log_open(bool served)
{
	struct stat in, out, error;

	if (fstat(0, &in) < 0 || fstat(1, &out) < 0 || fstat(2, &error) < 0 ||
	    (served && (same(&in, &error) || same(&out, &error))))
		to_syslog = true;
	else
		to_journal = is_journal(&error);
}

bool
log_to_journal(void)
{
	return to_journal;
}

void
log_session(const char *id, const char *address)
{
	session = id;
	client = address;
}

__attribute__((format(printf, 2, 0))) static void
add_args(struct line *line, const char *format, va_list args)
{
	size_t room = sizeof line->text - 1 - line->n; /* without the line feed's */
	int len = vsnprintf(line->text + line->n, room, format, args);

	if (len > 0)
		line->n += (size_t)len < room ? (size_t)len : room - 1;
}

__attribute__((format(printf, 2, 3))) static void
add(struct line *line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_args(line, format, args);
	va_end(args);
}

static void
begin(struct line *line, int priority)
{
	time_t now = time(NULL);
	struct tm tm;
	char when[32] = "";

	line->n = 0;
	if (to_syslog) { /* RFC 3164 4.1 */
		if (localtime_r(&now, &tm) != NULL)
			(void)snprintf(when, sizeof when, "%s %2d %02d:%02d:%02d",
			    clock_months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		add(line, "<%d>%s smtp-stdio[%ld]: ", LOG_MAIL | priority, when, (long)getpid());
	} else if (to_journal) {
		add(line, "<%d>", priority);
	}
}

/* syslog(3) of musl cuts a line at 1,024 octets, and waits for ever for a daemon that hangs.  A log
   that cannot be written must not stop the mail. */
static void
send_line(const struct line *line)
{
	static const struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	const struct timeval limit = {.tv_sec = LOG_PATIENCE};

	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	(void)sendto(
	    fd, line->text, line->n, MSG_NOSIGNAL, (const struct sockaddr *)&name, sizeof name);
	(void)close(fd); /* a datagram: nothing is pending */
}

static void
end(struct line *line)
{
	struct pollfd error = {STDERR_FILENO, POLLOUT, 0};

	if (to_syslog) {
		send_line(line);
		return;
	}
	line->text[line->n++] = '\n';
	if (poll(&error, 1, LOG_PATIENCE * 1000) == 0)
		return; /* as above: a journal that hangs, or a full pipe */
	if (write(STDERR_FILENO, line->text, line->n) < 0)
		return; /* as above */
}

void
log_line(int priority, const char *format, ...)
{
	struct line line;
	va_list args;

	begin(&line, priority);
	va_start(args, format);
	add_args(&line, format, args);
	va_end(args);
	end(&line);
}

void
log_event(int priority, const char *event, const char *format, ...)
{
	struct line line;
	va_list args;

	begin(&line, priority);
	add(&line, "%s session=%s client=%s ", event, session, client);
	va_start(args, format);
	add_args(&line, format, args);
	va_end(args);
	end(&line);
}

void
log_error(const char *format, ...)
{
	char what[LOG_FIELDS_MAX / 2], shown[LOG_FIELDS_MAX - sizeof "what=\"\""];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(what, sizeof what, format, args);
	va_end(args);
	if (len >= 0)
		log_event(LOG_ERR, "error", "what=\"%s\"", log_text(shown, sizeof shown, what));
}

static const char *
escape(char *out, size_t size, const char *text, const char *special)
{
	size_t n = 0;

	for (const char *c = text; *c != 0; c++) {
		if (n + sizeof "\\xNN" + 3 > size) {
			(void)strcpy(out + n, "...");
			return out;
		}
		if (*c >= ' ' && *c <= '~' && strchr(special, *c) == NULL)
			out[n++] = *c;
		else
			n += (size_t)snprintf(out + n, size - n, "\\x%02x", (unsigned char)*c);
	}
	out[n] = 0;
	return out;
}

const char *
log_text(char *out, size_t size, const char *text)
{
	return escape(out, size, text, "\"\\<>");
}

const char *
log_word(char *out, size_t size, const char *text)
{
	return escape(out, size, text, " \"\\<>");
}
