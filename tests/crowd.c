/*
 * crowd.c -- many clients at once, for smtp-listen.
 *
 *   crowd ADDRESS PORT COUNT PARALLEL
 *
 * COUNT connections to an IPv4 address, PARALLEL at a time, each row of them from an address of its
 * own in 127.1.0.0/16.  Each client waits for the greeting, says QUIT after a 220, closes its side,
 * and hears what comes until the other is closed.  Prints how many heard which code first (000: nothing), and
 * the median and the 99th percentile of the time from connect(2) to the greeting, in microseconds.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	CODES = 1000,
	PATIENCE = 60, /* s for any answer */
};

static struct sockaddr_in server = {.sin_family = AF_INET};

static int64_t
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Read a line, or as much as there is before the end. */
static size_t
hear(int fd, char *line, size_t size)
{
	size_t n = 0;

	while (n < size && (n == 0 || line[n - 1] != '\n') && read(fd, line + n, 1) == 1)
		n++;
	return n;
}

/* The code that the client hears; `time` is how long it took. */
static int
client(unsigned row, int64_t *time)
{
	const struct timeval patience = {.tv_sec = PATIENCE};
	struct sockaddr_in own = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f010001U + row)};
	char line[512];
	int code = 0;

	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int64_t begin = now();
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
	    bind(fd, (struct sockaddr *)&own, sizeof own) < 0 ||
	    connect(fd, (struct sockaddr *)&server, sizeof server) < 0)
		err(1, "a client cannot connect");
	size_t n = hear(fd, line, sizeof line);
	*time = now() - begin;
	for (size_t i = 0; n > 3 && i < 3; i++)
		code = code * 10 + (line[i] - '0') % 10;
	if (code == 220 && send(fd, "QUIT\r\n", 6, MSG_NOSIGNAL) == 6 && shutdown(fd, SHUT_WR) == 0)
		while (hear(fd, line, sizeof line) > 0)
			;
	(void)close(fd);
	return code < 0 ? 0 : code;
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	if (argc != 5 || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1)
		errx(64, "usage: crowd address port count parallel");
	server.sin_port = htons((in_port_t)atoi(argv[2]));
	unsigned count = (unsigned)atoi(argv[3]), rows = (unsigned)atoi(argv[4]),
		 codes[CODES] = {0};
	if (count == 0 || rows == 0)
		errx(64, "nothing to do");
	struct heard {
		int64_t time;
		int code;
	} *heard = mmap(
	    NULL, count * sizeof *heard, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int64_t *times = calloc(count, sizeof *times);
	if (heard == MAP_FAILED || times == NULL)
		err(1, "memory");

	for (unsigned row = 0; row < rows; row++) {
		pid_t pid = fork();
		if (pid < 0)
			err(1, "fork");
		for (unsigned i = row; pid == 0 && i < count; i += rows)
			heard[i].code = client(row, &heard[i].time);
		if (pid == 0)
			_exit(0);
	}
	int status, failed = 0;
	while (wait(&status) > 0)
		failed |= status;

	for (unsigned i = 0; i < count; i++) {
		codes[heard[i].code]++;
		times[i] = heard[i].time;
	}
	for (int code = 0; code < CODES; code++)
		if (codes[code] > 0)
			(void)printf("%03d: %u\n", code, codes[code]);
	qsort(times, count, sizeof *times, compare);
	(void)printf("median %ld us, 99 of 100 within %ld us\n", (long)times[count / 2],
	    (long)times[count - 1 - count / 100]);
	return failed != 0;
}
