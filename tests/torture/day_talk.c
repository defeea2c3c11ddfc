/* day_talk.c -- see day.h. */
#include "day.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	PORT = 25,
	PATIENCE = 330, /* s for any answer: DeliverTimeout, and what comes after it */
};

static in_addr_t
loopback(uint32_t host)
{
	return htonl(0x7f000000U + host);
}

void
client_connect(struct client *c, unsigned row)
{
	const struct timeval patience = {.tv_sec = PATIENCE};
	const int yes = 1;
	struct sockaddr_in own = {
	    .sin_family = AF_INET, .sin_addr.s_addr = loopback(0x10001U + row)};
	const struct sockaddr_in server = {
	    .sin_family = AF_INET, .sin_addr.s_addr = loopback(1), .sin_port = htons(PORT)};

	c->at = c->until = 0;
	c->line[0] = 0;
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0 ||
	    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
	    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
	    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) < 0 ||
	    bind(c->fd, (struct sockaddr *)&own, sizeof own) < 0 ||
	    connect(c->fd, (const struct sockaddr *)&server, sizeof server) < 0)
		err(1, "a client cannot connect");
}

void
client_say(struct client *c, const void *octets, size_t len)
{
	const char *at = octets;

	for (ssize_t n; c->fd >= 0 && len > 0; at += n, len -= (size_t)n)
		if ((n = send(c->fd, at, len, MSG_NOSIGNAL)) <= 0)
			return;
}

/* A line, without its end; false if none comes. */
static bool
hear_line(struct client *c)
{
	size_t n = 0;
	char octet;

	do {
		if (c->at == c->until) {
			ssize_t got = c->fd < 0 ? 0 : read(c->fd, c->in, sizeof c->in);
			if (got <= 0) {
				(void)strcpy(c->line,
				    got < 0 && errno == EAGAIN ? "nothing for minutes" : "");
				return false;
			}
			c->at = 0;
			c->until = (size_t)got;
		}
		octet = c->in[c->at++];
		if (octet != '\r' && octet != '\n' && n < sizeof c->line - 1)
			c->line[n++] = octet;
	} while (octet != '\n');
	c->line[n] = 0;
	return true;
}

int
client_hear(struct client *c)
{
	do {
		if (!hear_line(c))
			return c->line[0] == 0 ? 0 : -1;
	} while (strlen(c->line) > 3 && c->line[3] == '-');
	int code = 0;
	for (size_t i = 0; i < 3 && c->line[i] >= '0' && c->line[i] <= '9'; i++)
		code = code * 10 + c->line[i] - '0';
	return code;
}

int
client_hear_out(struct client *c)
{
	int last = 0, code;

	while ((code = client_hear(c)) > 0) {
		last = code;
		if (code == 421 || code == 221 || strncmp(c->line, "554 5.5.0", 9) == 0)
			return code; /* it waits for us to close */
	}
	return code < 0 ? code : last;
}

void
client_leave(struct client *c, bool reset)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	if (c->fd < 0)
		return;
	if (reset)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	(void)close(c->fd);
	c->fd = -1;
}

void
client_half_close(struct client *c)
{
	(void)shutdown(c->fd, SHUT_WR); /* a server that has gone shows at the next reply */
}
