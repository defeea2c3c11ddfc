/*
 * load.c -- what smtp-source does not measure.
 *
 *   load banner PORT COUNT   connect COUNT times, one after the other, and print the median from
 *                            connect to the greeting, in microseconds
 *   load idle PORT COUNT     open COUNT connections, wait for all their greetings, print a line, and
 *                            hold them until standard input ends
 */
#include <arpa/inet.h>
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	COUNT_MOST = 10000,
};

static struct sockaddr_in at = {.sin_family = AF_INET};

static int64_t
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int
connection(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof at) < 0)
		err(1, "connect");
	return fd;
}

/* Read replies until the end of one, which must begin with that code. */
static void
expect(int fd, const char *code)
{
	char in[512];
	size_t len = 0;

	do {
		ssize_t n = read(fd, in + len, sizeof in - len);
		if (n <= 0)
			errx(1, "the connection was closed before %s", code);
		len += (size_t)n;
	} while (in[len - 1] != '\n' && len < sizeof in);
	if (memcmp(in, code, 3) != 0)
		errx(1, "want %s, not %.*s", code, (int)len, in);
}

static int
by_value(const void *a, const void *b)
{
	const int64_t *one = a, *other = b;

	return (*one > *other) - (*one < *other);
}

/* The server has ended the session before the next one begins. */
static void
banner(unsigned count)
{
	static int64_t took[COUNT_MOST];
	char rest[512];

	for (unsigned i = 0; i < count; i++) {
		int64_t begin = now();
		int fd = connection();
		expect(fd, "220");
		took[i] = now() - begin;
		if (send(fd, "QUIT\r\n", 6, MSG_NOSIGNAL) != 6)
			err(1, "send");
		while (read(fd, rest, sizeof rest) > 0)
			continue;
		(void)close(fd);
	}
	qsort(took, count, sizeof *took, by_value);
	(void)printf("%.1f\n", (double)took[count / 2] / 1000);
}

/* By and by: OpenSMTPD lets 5 wait to be accepted, and who comes when they are there tries again in 1 s. */
static void
idle(unsigned count)
{
	enum {
		AT_ONCE = 5
	};
	static int fds[COUNT_MOST];
	const struct rlimit most = {COUNT_MOST + 16, COUNT_MOST + 16};
	char none;

	if (setrlimit(RLIMIT_NOFILE, &most) < 0)
		err(1, "setrlimit");
	for (unsigned i = 0; i < count; i += AT_ONCE) {
		unsigned end = i + AT_ONCE < count ? i + AT_ONCE : count;
		for (unsigned j = i; j < end; j++)
			fds[j] = connection();
		for (unsigned j = i; j < end; j++)
			expect(fds[j], "220");
	}
	(void)puts("all are greeted");
	(void)fflush(stdout);
	while (read(STDIN_FILENO, &none, 1) > 0)
		continue;
}

int
main(int argc, char **argv)
{
	unsigned count = argc == 4 ? (unsigned)atoi(argv[3]) : 0;

	if (count == 0 || count > COUNT_MOST)
		errx(64, "usage: load banner|idle port count");
	at.sin_port = htons((uint16_t)atoi(argv[2]));
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (strcmp(argv[1], "banner") == 0)
		banner(count);
	else
		idle(count);
	return 0;
}
