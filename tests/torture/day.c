/*
 * day.c -- the clients of a day's load, on port 25 of 127.0.0.1.
 *
 *   day SEED FIRST MESSAGES CLIENTS RECORD
 *
 * Session FIRST and those after it, until MESSAGES messages were begun, CLIENTS at a time, each row of
 * them from an address of its own.  RECORD gets a line for each message that was begun,
 *
 *   SESSION.NUMBER STATE SIZE SUM MAILBOX,MAILBOX...
 *
 * where its return path is SESSION.NUMBER@client.test, and the state is "there" (250 was read for it),
 * "perhaps" (its client vanished when it had sent all), "later" (it was refused for now) or "never".  Prints a line for each reply that a
 * client should not have heard, a table, and the number of sessions.  The exit status is 1 if a client
 * could not go on; then nothing is known.
 */
#include <err.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "day.h"

struct shared {
	atomic_uint next; /* session */
	atomic_uint surprises;
};
static struct shared *shared;
static struct record *records; /* MESSAGES_MOST for each session */
static unsigned first;
static uint64_t seed;

/* How many sessions begin so many messages. */
static unsigned
sessions_for(unsigned messages)
{
	unsigned n = 0, begun = 0;

	while (begun < messages) {
		struct random r = random_of(seed, first + n);
		begun += plan_of(&r, first + n++).messages;
	}
	return n;
}

static void *
share(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		err(1, "memory");
	return p;
}

/* A line of the record for each message. */
static void
write_record(unsigned sessions, const char *path)
{
	static const char *const names[] = {"", "never", "later", "perhaps", "there"};
	FILE *file = fopen(path, "w");

	if (file == NULL)
		err(1, "%s", path);
	for (unsigned i = 0; i < sessions * MESSAGES_MOST; i++) {
		const struct record *r = &records[i];
		const char *comma = "";
		if (r->state == UNTRIED)
			continue;
		(void)fprintf(file, "%u.%u %s %zu %08x ", first + i / MESSAGES_MOST,
		    i % MESSAGES_MOST, names[r->state], r->size, (unsigned)r->sum);
		for (unsigned u = 0; u < MAILBOXES; u++)
			if ((r->recipients >> u & 1) != 0) {
				(void)fprintf(file, "%su%02u", comma, u + 1);
				comma = ",";
			}
		(void)fputc('\n', file);
	}
	if (ferror(file) || fclose(file) != 0)
		err(1, "%s", path);
}

static void
report(unsigned sessions)
{
	unsigned messages[KINDS][STATES] = {{0}}, number[KINDS] = {0};

	for (unsigned n = 0; n < sessions; n++) {
		struct random r = random_of(seed, first + n);
		enum kind kind = plan_of(&r, first + n).kind;
		number[kind]++;
		for (unsigned i = 0; i < MESSAGES_MOST; i++)
			messages[kind][records[n * MESSAGES_MOST + i].state]++;
	}
	(void)printf("%-12s %9s %9s %9s %9s %9s %9s\n", "sessions", "number", "messages",
	    "250 read", "later", "perhaps", "never");
	for (int kind = 0; kind < KINDS; kind++) {
		const unsigned *of = messages[kind];
		(void)printf("%-12s %9u %9u %9u %9u %9u %9u\n", kind_names[kind], number[kind],
		    of[NEVER] + of[LATER] + of[PERHAPS] + of[THERE], of[THERE], of[LATER],
		    of[PERHAPS], of[NEVER]);
	}
	(void)printf("sessions: %u\n", sessions);
}

/* One after the other, as they are free. */
static _Noreturn void
client(unsigned sessions, unsigned row)
{
	static struct session s;
	unsigned n;

	while ((n = atomic_fetch_add(&shared->next, 1)) < sessions) {
		s.number = first + n;
		s.seed = seed;
		s.records = records + (size_t)n * MESSAGES_MOST;
		s.surprises = &shared->surprises;
		session_run(&s, row);
	}
	_exit(0);
}

int
main(int argc, char **argv)
{
	if (argc != 6)
		errx(64, "usage: day seed first messages clients record");
	seed = strtoull(argv[1], NULL, 10);
	first = (unsigned)atoi(argv[2]);
	unsigned sessions = sessions_for((unsigned)atoi(argv[3])), rows = (unsigned)atoi(argv[4]);
	shared = share(sizeof *shared);
	records = share((size_t)sessions * MESSAGES_MOST * sizeof *records);
	for (unsigned row = 0; row < rows; row++) {
		pid_t pid = fork();
		if (pid < 0)
			err(1, "fork");
		if (pid == 0)
			client(sessions, row);
	}
	int status, failed = 0;
	while (wait(&status) > 0)
		failed |= status;
	write_record(sessions, argv[5]);
	report(sessions);
	return failed != 0;
}
