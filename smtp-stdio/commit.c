/* commit.c -- see commit.h.  Runs as the monitor. */
#include "commit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "clock.h"
#include "log.h"
#include "spawn.h"

enum {
	ENVIRONMENT = 8,
	/* deliver -m -L -c 3 -f sender -- mailbox, and -r recipient for each */
	ARGUMENTS = 16 + 2 * RECIPIENTS_MOST,
	/* what a helper says and hears: deliver(8), -c */
	HEAR_STAGED = 's',
	SAY_COMMIT = 'c',
	HEAR_VISIBLE = 'v',
	SAY_KEEP = 'k',
};

/* The recipients of one mailbox: a run in the sorted list. */
struct copy {
	struct recipient *first;
	size_t count;
	struct helper helper;
};

static int
by_mailbox(const void *a, const void *b)
{
	const struct recipient *one = a, *other = b;

	return strcmp(one->mailbox, other->mailbox);
}

bool
commit_is_foreign(const struct config *config)
{
	return config->text[KEY_DELIVER_COMMAND] != NULL;
}

static void
deliver_arguments(const struct config *config, const struct envelope *envelope,
    const struct copy *copy, bool handshake, const char **argv)
{
	size_t n = 0;

	argv[n++] = config->text[KEY_DELIVER_PATH];
	if (config->number[KEY_CREATE_MAILBOX])
		argv[n++] = "-m";
	if (config->number[KEY_LANDLOCK])
		argv[n++] = "-L";
	if (handshake) {
		argv[n++] = "-c";
		argv[n++] = "3"; /* SPAWN_HAND */
	}
	argv[n++] = "-f";
	argv[n++] = envelope->sender;
	for (size_t i = 0; i < copy->count; i++) {
		argv[n++] = "-r";
		argv[n++] = copy->first[i].address;
	}
	argv[n++] = "--";
	argv[n++] = copy->first->mailbox;
	argv[n] = NULL;
}

/* The words of DeliverCommand, blanks between them; a word that is "%u", "%d", "%r" or "%s" is the
   user, the domain, the recipient or the sender. */
static void
command_arguments(const struct config *config, const struct envelope *envelope,
    const struct copy *copy, const char **argv)
{
	static char words[VALUE_MAX + 1];
	char *rest = words, *word;
	size_t n = 0;

	(void)snprintf(words, sizeof words, "%s", config->text[KEY_DELIVER_COMMAND]);
	while (n < WORDS_MAX && (word = strtok_r(n == 0 ? words : NULL, " \t", &rest)) != NULL) {
		argv[n++] = strcmp(word, "%u") == 0   ? copy->first->user
			    : strcmp(word, "%d") == 0 ? copy->first->domain
			    : strcmp(word, "%r") == 0 ? copy->first->address
			    : strcmp(word, "%s") == 0 ? envelope->sender
						      : word;
	}
	argv[n] = NULL;
}

/* A clean environment; of the client's making there are only the two addresses. */
static void
environment(const struct envelope *envelope, const struct recipient *recipient, char **out)
{
	static char lines[ENVIRONMENT][PATH_OCTETS + 16];
	size_t n = 0;

	(void)snprintf(lines[n++], sizeof *lines, "PATH=/usr/local/bin:/usr/bin:/bin");
	(void)snprintf(lines[n++], sizeof *lines, "HOME=%s", recipient->home);
	(void)snprintf(lines[n++], sizeof *lines, "USER=%s", recipient->user);
	(void)snprintf(lines[n++], sizeof *lines, "LOGNAME=%s", recipient->user);
	(void)snprintf(lines[n++], sizeof *lines, "SENDER=%s", envelope->sender);
	(void)snprintf(lines[n++], sizeof *lines, "RECIPIENT=%s", recipient->address);
	for (size_t i = 0; i < n; i++)
		out[i] = lines[i];
	out[n] = NULL;
}

static bool
start(const struct config *config, const struct envelope *envelope, struct copy *copy, int message,
    bool handshake)
{
	static const char *argv[ARGUMENTS];
	char *environ_lines[ENVIRONMENT + 1];

	if (commit_is_foreign(config))
		command_arguments(config, envelope, copy, argv);
	else
		deliver_arguments(config, envelope, copy, handshake, argv);
	environment(envelope, copy->first, environ_lines);
	const struct spawn_order order = {.uid = copy->first->uid,
	    .gid = copy->first->gid,
	    .extra = copy->first->extra,
	    .argv = (char *const *)(uintptr_t)argv,
	    .environment = environ_lines,
	    .message = message,
	    .handshake = handshake};
	if (spawn(&copy->helper, &order))
		return true;
	log_line(LOG_ERR, "%s: cannot be started: %s", argv[0], strerror(errno));
	return false;
}

/* Everything a helper said but the text that became the reply is for the administrator. */
static void
report(const struct copy *copy, const struct answer *answer)
{
	char who[2 * MAILBOX_MAX], why[2 * HELPER_SAYS_MAX], text[HELPER_SAYS_MAX + 1];

	if (answer->verdict == VERDICT_YES)
		return;
	(void)strcpy(text, copy->helper.said);
	for (char *c = text; *c != 0; c++)
		if (*c == '\n')
			*c = c[1] == 0 ? ' ' : '/';
	log_line(LOG_WARNING, "delivery failed: to=<%s> said=\"%s\"",
	    log_word(who, sizeof who, copy->first->address), log_text(why, sizeof why, text));
}

/* Wait for all; the answer is the first that is not yes. */
static void
end_all(struct copy *copies, size_t count, int64_t deadline, struct answer *answer)
{
	for (size_t i = 0; i < count; i++) {
		struct answer one;

		spawn_end(&copies[i].helper, deadline, &one);
		report(&copies[i], &one);
		if (answer->verdict == VERDICT_YES)
			*answer = one;
	}
}

/* Say and hear, to and from all in their order; how many went along. */
static size_t
all_hear(struct copy *copies, size_t count, char say, char want, int64_t deadline)
{
	size_t i = 0;

	while (i < count && spawn_say(&copies[i].helper, say) &&
	       spawn_hear(&copies[i].helper, want, deadline))
		i++;
	return i;
}

static void
hang_up(struct copy *copies, size_t count)
{
	for (size_t i = 0; i < count; i++)
		spawn_hang_up(&copies[i].helper);
}

static void
commit_many(const struct config *config, const struct envelope *envelope, struct copy *copies,
    size_t count, int message, struct answer *answer)
{
	int64_t deadline = clock_now() + (int64_t)config->number[KEY_DELIVER_TIMEOUT] * 1000;
	size_t running = 0, staged = 0;

	answer_set(answer, VERDICT_YES, "");
	while (staged < count && start(config, envelope, &copies[running], message, true)) {
		running++;
		if (!spawn_hear(&copies[staged].helper, HEAR_STAGED, deadline))
			break;
		staged++;
	}
	bool agreed =
	    staged == count && all_hear(copies, count, SAY_COMMIT, HEAR_VISIBLE, deadline) == count;
	for (size_t i = 0; agreed && i < count; i++)
		(void)spawn_say(&copies[i].helper, SAY_KEEP); /* its end will tell */
	if (!agreed) {
		/* The one that failed is the reason; the others only follow. */
		size_t culprit = staged < count && staged < running ? staged : count;
		if (culprit < count)
			end_all(&copies[culprit], 1, deadline, answer);
		hang_up(copies, culprit < running ? culprit : running);
		struct answer ignored = {.verdict = VERDICT_LATER};
		end_all(copies, culprit < running ? culprit : running, deadline, &ignored);
		if (answer->verdict == VERDICT_YES)
			answer_set(answer, VERDICT_LATER, "4.3.0 delivery failed; try again later");
		return;
	}
	end_all(copies, count, deadline, answer);
}

void
commit_message(const struct config *config, const struct envelope *envelope, int message,
    struct answer *answer)
{
	static struct copy copies[RECIPIENTS_MOST];
	size_t count = 0;

	answer_set(answer, VERDICT_LATER, "4.3.0 delivery failed; try again later");
	qsort(envelope->recipients, envelope->count, sizeof *envelope->recipients, by_mailbox);
	memset(copies, 0, envelope->count * sizeof *copies);
	for (size_t i = 0; i < envelope->count; i++) {
		struct recipient *r = &envelope->recipients[i];
		if (count == 0 || strcmp(copies[count - 1].first->mailbox, r->mailbox) != 0)
			copies[count++].first = r;
		copies[count - 1].count++;
	}
	if (count > 1) {
		commit_many(config, envelope, copies, count, message, answer);
	} else if (start(config, envelope, copies, message, false)) {
		answer_set(answer, VERDICT_YES, "");
		end_all(copies, 1,
		    clock_now() + (int64_t)config->number[KEY_DELIVER_TIMEOUT] * 1000, answer);
	}
}
