/*
 * load.c -- the client of make bench.
 *
 *   load COUNT MESSAGES OCTETS PROGRAM ARG ... -- PROGRAM ARG ...
 *
 * Runs both programs COUNT times by turns, each on one end of a socket pair as its descriptors 0 and
 * 1, and hands each MESSAGES messages of OCTETS octets.  Prints for each the median, in microseconds,
 * from before its start to the banner and to the last message's 250.  The next one starts when this
 * one has ended.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	PROGRAMS = 2,
	COUNT_MOST = 10000,
	OCTETS_MOST = 60000,
	LINE = 72, /* of the message, CRLF included */
};

static char text[OCTETS_MOST + 8];
static size_t text_len;
static int64_t banner[PROGRAMS][COUNT_MOST], done[PROGRAMS][COUNT_MOST];

static int64_t
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
say(int fd, const char *octets, size_t len)
{
	if (send(fd, octets, len, MSG_NOSIGNAL) != (ssize_t)len)
		err(1, "send");
}

/* Read until the last of `lines` replies (not counting lines that go on) is here and begins with
   that code. */
static void
expect(int fd, unsigned replies, const char *code)
{
	static char in[8192];
	size_t len = 0, at = 0;

	while (replies > 0) {
		char *lf = memchr(in + at, '\n', len - at);
		if (lf == NULL) {
			ssize_t n = read(fd, in + len, sizeof in - len);
			if (n <= 0)
				errx(1, "the program ended early");
			len += (size_t)n;
			continue;
		}
		const char *line = in + at;
		at = (size_t)(lf - in) + 1;
		if (line[3] == '-')
			continue;
		if (line[0] > '3' || (--replies == 0 && memcmp(line, code, 3) != 0))
			errx(1, "want %s, not %.*s", code, (int)(lf - line), line);
	}
}

static void
make_text(size_t octets)
{
	static const char header[] = "From: <a@b.test>\r\nSubject: bench\r\n\r\n";

	text_len = sizeof header - 1;
	memcpy(text, header, text_len);
	while (text_len < octets) {
		size_t left = octets - text_len, n = left < LINE ? left : LINE;
		memset(text + text_len, 'x', n);
		text_len += n;
		memcpy(text + text_len - 2, "\r\n", 2);
	}
	memcpy(text + text_len, ".\r\n", 3);
	text_len += 3;
}

static void
talk(int fd, unsigned messages, int64_t *greeted, int64_t *delivered)
{
	static const char envelope[] =
	    "MAIL FROM:<sender@client.test>\r\nRCPT TO:<alice@mx.test>\r\nDATA\r\n";

	expect(fd, 1, "220");
	*greeted = now();
	say(fd, "EHLO client.test\r\n", 18);
	expect(fd, 1, "250");
	for (unsigned i = 0; i < messages; i++) {
		say(fd, envelope, sizeof envelope - 1);
		expect(fd, 3, "354");
		say(fd, text, text_len);
		expect(fd, 1, "250");
	}
	*delivered = now();
	say(fd, "QUIT\r\n", 6);
	expect(fd, 1, "221");
}

static void
once(char **argv, unsigned messages, int64_t *to_banner, int64_t *to_done)
{
	int pair[2], status = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		err(1, "socketpair");
	int64_t begin = now();
	pid_t pid = vfork();
	if (pid == 0) {
		if (dup2(pair[1], 0) == 0 && dup2(pair[1], 1) == 1)
			(void)execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || close(pair[1]) < 0)
		err(1, "fork");
	talk(pair[0], messages, to_banner, to_done);
	*to_banner -= begin;
	*to_done -= begin;
	if (waitpid(pid, &status, 0) != pid || status != 0)
		errx(1, "%s ended with %#x", argv[0], (unsigned)status);
	(void)close(pair[0]);
}

static int
by_value(const void *a, const void *b)
{
	const int64_t *one = a, *other = b;

	return (*one > *other) - (*one < *other);
}

static double
median(int64_t *values, unsigned count)
{
	qsort(values, count, sizeof *values, by_value);
	return (double)values[count / 2] / 1000;
}

/* What stands behind the next "--", which becomes the end of what is before it. */
static char **
behind(char **argv)
{
	while (*argv != NULL && strcmp(*argv, "--") != 0)
		argv++;
	if (argv[0] == NULL || argv[1] == NULL)
		return NULL;
	*argv = NULL;
	return argv + 1;
}

int
main(int argc, char **argv)
{
	char **programs[PROGRAMS] = {argv + 4, argc > 5 ? behind(argv + 5) : NULL};
	unsigned count = argc > 5 ? (unsigned)atoi(argv[1]) : 0;

	if (programs[1] == NULL || count == 0 || count > COUNT_MOST)
		errx(64, "usage: load count messages octets program ... -- program ...");
	unsigned messages = (unsigned)atoi(argv[2]);
	size_t octets = (size_t)atoi(argv[3]);
	if (octets > OCTETS_MOST)
		errx(64, "a message of more than %d octets", OCTETS_MOST);
	make_text(octets);
	for (unsigned i = 0; i < count; i++)
		for (unsigned p = 0; p < PROGRAMS; p++)
			once(programs[p], messages, &banner[p][i], &done[p][i]);
	for (unsigned p = 0; p < PROGRAMS; p++)
		(void)printf("%.1f %.1f%c", median(banner[p], count), median(done[p], count),
		    p + 1 < PROGRAMS ? ' ' : '\n');
	return 0;
}
