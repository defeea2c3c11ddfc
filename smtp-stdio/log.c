/* log.c -- see log.h. */
#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

enum {
	LINE = 4096
};

static bool to_syslog, to_journal;

/* Two descriptors of the same socket. */
static bool
same(const struct stat *a, const struct stat *b)
{
	return S_ISSOCK(a->st_mode) && a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

void
log_open(void)
{
	struct stat in, out, error;
	const char *journal = getenv("JOURNAL_STREAM");
	char name[64];

	if (fstat(0, &in) < 0 || fstat(1, &out) < 0 || fstat(2, &error) < 0 || same(&in, &error) ||
	    same(&out, &error)) {
		to_syslog = true;
		openlog("smtp-stdio", LOG_PID, LOG_MAIL);
		return;
	}
	(void)snprintf(name, sizeof name, "%llu:%llu", (unsigned long long)error.st_dev,
	    (unsigned long long)error.st_ino);
	to_journal = journal != NULL && strcmp(journal, name) == 0;
}

void
log_line(int priority, const char *format, ...)
{
	char line[LINE];
	va_list args;
	size_t n = 0;

	if (to_journal)
		n = (size_t)snprintf(line, sizeof line, "<%d>", priority);
	va_start(args, format);
	int len = vsnprintf(line + n, sizeof line - n - 1, format, args);
	va_end(args);
	if (len < 0)
		return;
	n += (size_t)len < sizeof line - n - 1 ? (size_t)len : sizeof line - n - 2;
	if (to_syslog) {
		syslog(priority, "%s", line);
		return;
	}
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* a log that cannot be written must not stop the mail */
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
