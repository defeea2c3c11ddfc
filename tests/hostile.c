/*
 * hostile.c -- a session that an attacker has taken over: in the place of smtp-stdio/session.c, in
 * the real jail, it sends the monitor what a script on descriptor 0 says.
 *
 * The script is a run of
 *     LENGTH:OCTETS  one packet of so many octets
 *     ?              read one answer, and write it and a line feed to descriptor 1
 *     !              spin for ever
 *     #              make a system call that is not one of its own
 *     .              sleep for ever, where an answer would come
 * and at its end the session ends.
 */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "../smtp-stdio/session.h"

static unsigned char script[1 << 20];

static size_t
slurp(void)
{
	size_t len = 0;
	ssize_t n;

	while (len < sizeof script && (n = read(SESSION_IN, script + len, sizeof script - len)) > 0)
		len += (size_t)n;
	return len;
}

static void
show_answer(void)
{
	unsigned char answer[ANSWER_MAX + 1];

	ssize_t n = read(SESSION_MONITOR, answer, sizeof answer - 1);
	if (n <= 0)
		_exit(0);
	answer[n] = '\n';
	if (write(SESSION_OUT, answer, (size_t)n + 1) != n + 1)
		_exit(3);
}

/* One packet: where the next record begins. */
static size_t
send_packet(size_t at, size_t until)
{
	size_t len = 0;

	for (; at < until && script[at] >= '0' && script[at] <= '9'; at++)
		len = len * 10 + (size_t)(script[at] - '0');
	if (at == until || script[at] != ':' || len > until - at - 1)
		_exit(4); /* the script is wrong */
	(void)!write(SESSION_MONITOR, script + at + 1, len);
	return at + 1 + len;
}

void
session_run(const struct session_settings *settings)
{
	size_t at = 0, until = slurp();

	(void)settings;
	while (at < until) {
		switch (script[at]) {
		case '?':
			show_answer();
			at++;
			break;
		case '!':
			for (volatile uint64_t turns = 0;; turns++)
				continue;
		case '#':
			(void)getppid();
			at++;
			break;
		case '.':
			while (read(SESSION_MONITOR, script, sizeof script) > 0)
				continue;
			return;
		default:
			at = send_packet(at, until);
		}
	}
}
