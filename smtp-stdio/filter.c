/* filter.c -- see filter.h.  Runs as the monitor. */
#include "filter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "../sandbox/identity.h"
#include "../sandbox/large.h"
#include "clock.h"
#include "log.h"
#include "spawn.h"

enum {
	/* qmail-command(8)'s; the others are of sysexits.h */
	STATUS_DISCARD = 99,
	STATUS_NEVER = 100,
};

/* One program after another, until one does not say yes. */
struct run {
	const struct config *config;
	struct facts facts;
	struct identity who;
	int64_t deadline;
	bool filter; /* or a check */
	const char *command;
	struct helper helper;
	uint64_t wrote;  /* octets of a filter's */
	const char *bad; /* what is wrong with it, or NULL */
};

/* False, and the answer is set, if there is no such user. */
static bool
begin(struct run *run, struct answer *answer)
{
	const char *name = run->config->text[KEY_FILTER_USER];
	enum keyword timeout = run->filter ? KEY_FILTER_TIMEOUT : KEY_CHECK_TIMEOUT;

	run->deadline = clock_now() + (int64_t)run->config->number[timeout] * 1000;
	run->who = (struct identity){.uid = geteuid(), .gid = getegid()};
	run->facts.user = run->facts.home = NULL;
	if (run->who.uid != 0)
		return true;
	if (identity_find(name, &run->who) != IDENTITY_FOUND || run->who.uid == 0) {
		log_error("FilterUser %s: no such user, or root", name);
		answer_set(answer, VERDICT_LATER, "4.3.5 filters and checks are misconfigured");
		return false;
	}
	if (run->who.gid == 0)
		run->who.gid = GID_NOGROUP;
	run->facts.user = name;
	run->facts.home = run->who.home;
	return true;
}

/* Its words as they stand in the settings. */
static bool
start(struct run *run, int message, int output)
{
	static LARGE struct environment environment;
	static LARGE char words[VALUE_MAX + 1];
	char *argv[WORDS_MAX + 1], *rest = words;
	size_t n = 0;

	(void)strcpy(words, run->command);
	while (n < WORDS_MAX && (argv[n] = strtok_r(n == 0 ? words : NULL, " \t", &rest)) != NULL)
		n++;
	argv[n] = NULL;
	environment_make(&environment, &run->facts);
	const struct spawn_order order = {.uid = run->who.uid,
	    .gid = run->who.gid,
	    .extra = (gid_t)-1,
	    .argv = argv,
	    .environment = environment.variables,
	    .directory = run->who.home[0] != 0 ? run->who.home : "/",
	    .message = message,
	    .output = output,
	    .rest = true};
	if (spawn(&run->helper, &order))
		return true;
	log_error("%s: cannot be started: %s", argv[0], strerror(errno));
	return false;
}

/* ---- what came of it ----------------------------------------------------------------------- */

/* The status is one of those that are defined, and what the program says then is for the client. */
static bool
is_meant(const struct run *run, int status)
{
	return status == EX_TEMPFAIL || status == EX_DATAERR || status == EX_UNAVAILABLE ||
	       status == EX_NOPERM || status == STATUS_NEVER ||
	       (run->filter && status == STATUS_DISCARD);
}

/* A mailbox or a policy says "later" with a code that brings no reply code with it: 451 would be our own
   fault, and 450 comes with 4.7.1. */
static bool
is_put_off(const char *said)
{
	char status[sizeof "4.999.999"];

	(void)snprintf(status, sizeof status, "%.*s", (int)strcspn(said, " "), said);
	return (strncmp(status, "4.2.", 4) == 0 || strncmp(status, "4.7.", 4) == 0) &&
	       answer_code(status) == NULL;
}

/* The first line, with an enhanced code of that class in front: its own, or that of a policy. */
static void
answer_said(struct answer *answer, enum verdict verdict, const char *said)
{
	char text[sizeof "5.7.1 " + HELPER_SAYS_MAX];
	bool never = verdict == VERDICT_NEVER;
	size_t status = strlen("5.7.1 ");

	(void)snprintf(text, sizeof text, "%s%s", never ? "5.7.1 " : "4.7.1 ", said);
	text[strcspn(text, "\r\n")] = 0;
	if (text[status] == 0)
		(void)strcpy(text + status, never ? "refused" : "not now; try again later");
	char *own = text + status;
	const char *rest = answer_after_status(own, text[0]);
	if (rest != NULL && is_put_off(own))
		memmove(own, rest, strlen(rest) + 1);
	else if (rest != NULL)
		memmove(text, own, strlen(own) + 1);
	answer_set(answer, verdict, text);
}

/* For the administrator: which one it was, its status, and all that it said. */
static void
report(const struct run *run, const char *why, bool meant)
{
	char text[HELPER_SAYS_MAX + 1], command[LOG_COMMAND_MAX], to[2 * MAILBOX_MAX],
	    said[LOG_FIELDS_MAX - LOG_FIXED_MAX - LOG_COMMAND_MAX - 2 * MAILBOX_MAX],
	    path[VALUE_MAX + 1];

	(void)snprintf(path, sizeof path, "%.*s", (int)strcspn(run->command, " \t"), run->command);
	(void)log_word(command, sizeof command, path);
	(void)log_text(said, sizeof said, spawn_said(&run->helper, text));
	if (run->filter)
		log_event(meant ? LOG_INFO : LOG_WARNING, "filter",
		    "id=%s command=%s status=%d why=\"%s\" text=\"%s\"", run->facts.id, command,
		    run->helper.status, why, said);
	else
		log_event(meant ? LOG_INFO : LOG_WARNING, "check",
		    "id=%s to=<%s> command=%s status=%d why=\"%s\" text=\"%s\"", run->facts.id,
		    log_word(to, sizeof to, run->facts.original), command, run->helper.status, why,
		    said);
}

/* It has ended, or is brought to its end. */
static enum filter_fate
end(struct run *run, struct answer *answer)
{
	char text[64];

	spawn_end(&run->helper, run->bad != NULL ? clock_now() : run->deadline, answer);
	int status = run->helper.status;
	if (run->bad == NULL && clock_left(run->deadline) == 0)
		run->bad = "took too long";
	if (run->bad == NULL && status == 0 && run->filter && run->wrote == 0)
		run->bad = "wrote nothing";
	if (run->bad == NULL && status == 0) {
		if (!run->filter && run->helper.said_len > 0)
			report(run, "said yes", true);
		return FILTER_PASSED;
	}
	bool meant = run->bad == NULL && is_meant(run, status);
	if (run->bad == NULL)
		run->bad = meant ? "said no" : "failed";
	report(run, run->bad, meant);
	if (meant && status == STATUS_DISCARD)
		return FILTER_DISCARDED;
	if (meant) {
		answer_said(answer, status == EX_TEMPFAIL ? VERDICT_LATER : VERDICT_NEVER,
		    run->helper.said);
		return FILTER_REFUSED;
	}
	(void)snprintf(text, sizeof text, "4.3.0 a %s %s; try again later",
	    run->filter ? "filter" : "check", run->bad);
	answer_set(answer, VERDICT_LATER, text);
	return FILTER_REFUSED;
}

/* ---- filters ------------------------------------------------------------------------------- */

/*
 * Take what the filter writes.  It is the monitor's own: the filter, and what it leaves behind, can but
 * add to it, and not any more when it has ended.
 */
static void
take(struct run *run, int from, struct spool *into)
{
	static LARGE unsigned char block[HELPER_PIPE];
	bool ended = false;

	while (run->bad == NULL) {
		ssize_t n = read(from, block, sizeof block);
		if (n == 0 || (n < 0 && ended))
			return;
		if (n < 0 && !spawn_attend(&run->helper, from, run->deadline))
			return; /* end() sees that it is late */
		if (n < 0) {
			ended = spawn_has_ended(&run->helper);
			continue;
		}
		run->wrote += (uint64_t)n;
		if (run->wrote > run->config->number[KEY_SIZE_LIMIT] + FILTER_ROOM)
			run->bad = "wrote too much";
		else if (!spool_add(into, block, (size_t)n))
			run->bad = "wrote what cannot be kept";
	}
}

/* Start a filter with a pipe as its output, whose other end is returned; -1: it cannot be done. */
static int
start_filter(struct run *run, int message)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	bool started = fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 && start(run, message, ends[1]);
	(void)close(ends[1]);
	if (started)
		return ends[0];
	(void)close(ends[0]);
	return -1;
}

/* One filter, into a spool of its own. */
static enum filter_fate
run_filter(struct run *run, int message, struct spool *output, struct answer *answer)
{
	int from;

	answer_set(answer, VERDICT_LATER, "4.3.0 a filter failed; try again later");
	if (!spool_begin(output) || (from = start_filter(run, message)) < 0)
		return FILTER_REFUSED;
	take(run, from, output);
	(void)close(from); /* if it writes on, it ends */
	enum filter_fate fate = end(run, answer);
	if (fate == FILTER_PASSED && !spool_seal(output)) {
		log_error("message %s cannot be sealed: %s", run->facts.id, strerror(errno));
		return FILTER_REFUSED;
	}
	return fate;
}

enum filter_fate
filter_message(const struct config *config, const struct facts *facts, struct spool *message,
    uint64_t octets, struct answer *answer)
{
	struct run run = {.config = config, .facts = *facts, .filter = true};
	enum filter_fate fate = FILTER_PASSED;

	if (config->filters_count == 0 || octets > config->number[KEY_FILTER_SIZE_LIMIT])
		return FILTER_PASSED;
	if (!begin(&run, answer))
		return FILTER_REFUSED;
	for (size_t i = 0; i < config->filters_count && fate == FILTER_PASSED; i++) {
		struct spool output = {.fd = -1};
		run.command = config->filters[i];
		run.wrote = 0;
		fate = run_filter(&run, message->fd, &output, answer);
		spool_drop(fate == FILTER_PASSED ? message : &output);
		if (fate == FILTER_PASSED)
			*message = output;
	}
	return fate;
}

/* ---- checks -------------------------------------------------------------------------------- */

enum filter_fate
filter_recipient(const struct config *config, const struct facts *facts, struct answer *answer)
{
	struct run run = {.config = config, .facts = *facts};
	enum filter_fate fate = FILTER_PASSED;

	if (config->checks_count == 0)
		return FILTER_PASSED;
	if (!begin(&run, answer))
		return FILTER_REFUSED;
	for (size_t i = 0; i < config->checks_count && fate == FILTER_PASSED; i++) {
		run.command = config->checks[i];
		answer_set(answer, VERDICT_LATER, "4.3.0 a check failed; try again later");
		fate = start(&run, -1, -1) ? end(&run, answer) : FILTER_REFUSED;
	}
	return fate;
}
