/* commit.c -- see commit.h.  Runs as the monitor. */
#include "commit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "spawn.h"

enum {
	UNIQUE_OCTETS = 64,
	/* deliver -L -n unique -m -c 3 -f sender -- mailbox, and -r recipient for each */
	ARGUMENTS = 16 + 2 * RECIPIENTS_MOST,
	/* what a helper says and hears: deliver(8), -c */
	HEAR_STAGED = 's',
	SAY_COMMIT = 'c',
	HEAR_VISIBLE = 'v',
	SAY_KEEP = 'k',
	HEAR_KEPT = 'd',
};

/* The recipients of one mailbox: a run in the sorted list. */
struct copy {
	struct recipient *first;
	size_t count;
	char unique[UNIQUE_OCTETS];
	struct helper helper;
};

/* One message on its way into its mailboxes. */
struct job {
	const struct config *config;
	const struct envelope *envelope;
	int message;
	int64_t deadline;
	struct copy *copies;
	size_t count;
	size_t running; /* of them, started */
	size_t failed;  /* the one that stopped it all, if one did */
};

/* By the paths of their mailboxes, with few moves, for they are large. */
static void
sort(struct recipient *r, size_t count)
{
	static struct recipient spare;

	for (size_t i = 0; i + 1 < count; i++) {
		size_t least = i;
		for (size_t j = i + 1; j < count; j++)
			if (strcmp(r[j].mailbox, r[least].mailbox) < 0)
				least = j;
		if (least == i)
			continue;
		spare = r[i];
		r[i] = r[least];
		r[least] = spare;
	}
}

/* The same place in the same directory, whatever path leads there. */
static bool
is_same_place(const struct recipient *a, const struct recipient *b)
{
	size_t n = strlen(a->home), m = strlen(b->home);

	return a->inode != 0 && a->device == b->device && a->inode == b->inode &&
	       strncmp(a->mailbox, a->home, n) == 0 && strncmp(b->mailbox, b->home, m) == 0 &&
	       strcmp(a->mailbox + n, b->mailbox + m) == 0;
}

bool
commit_same_mailbox(const struct recipient *a, const struct recipient *b)
{
	return !a->foreign && !b->foreign &&
	       (strcmp(a->mailbox, b->mailbox) == 0 || is_same_place(a, b));
}

/* Two addresses whose directories are one, by a symbolic link, have one mailbox: give it one path. */
static void
unite(const struct envelope *envelope)
{
	for (size_t i = 1; i < envelope->count; i++) {
		struct recipient *r = &envelope->recipients[i];
		size_t j = 0;
		while (j < i && !is_same_place(&envelope->recipients[j], r))
			j++;
		if (j < i)
			(void)strcpy(r->mailbox, envelope->recipients[j].mailbox);
	}
}

/* A name for each copy, known here so that it can be taken back: as deliver makes its own, but with
   the monitor's number in it, and counted, should two paths be one Maildir. */
static void
make_unique(struct job *job, struct copy *copy)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
	(void)snprintf(copy->unique, sizeof copy->unique, "%lld.M%06ldP%ldQ%zu",
	    (long long)now.tv_sec, now.tv_nsec / 1000, (long)getpid(),
	    (size_t)job->envelope->message * RECIPIENTS_MOST + (size_t)(copy - job->copies));
}

enum purpose {
	DELIVER,
	TAKE_BACK
};

static void
deliver_arguments(
    const struct job *job, const struct copy *copy, enum purpose purpose, const char **argv)
{
	const struct config *config = job->config;
	size_t n = 0;

	argv[n++] = config->text[KEY_DELIVER_PATH];
	if (config->number[KEY_LANDLOCK])
		argv[n++] = "-L";
	argv[n++] = "-n";
	argv[n++] = copy->unique;
	if (purpose == TAKE_BACK) {
		argv[n++] = "-x";
	} else {
		if (config->number[KEY_CREATE_MAILBOX])
			argv[n++] = "-m";
		argv[n++] = "-c";
		argv[n++] = "3"; /* SPAWN_HAND */
		argv[n++] = "-f";
		argv[n++] = job->envelope->sender;
	}
	for (size_t i = 0; i < copy->count && purpose == DELIVER; i++) {
		argv[n++] = "-r";
		argv[n++] = copy->first[i].address;
	}
	argv[n++] = "--";
	argv[n++] = copy->first->mailbox;
	argv[n] = NULL;
}

/* The words of DeliverCommand, blanks between them; a word that is "%u", "%d", "%r" or "%s" is the
   user, the domain, the recipient or the sender.  Of ForwardCommand, "%r" is the new address, and
   there is no user or domain of ours. */
static void
command_arguments(const struct job *job, const struct copy *copy, const char **argv)
{
	static char words[VALUE_MAX + 1];
	const struct recipient *r = copy->first;
	bool forward = r->forward[0] != 0;
	char *rest = words, *word;
	size_t n = 0;

	(void)snprintf(words, sizeof words, "%s",
	    job->config->text[forward ? KEY_FORWARD_COMMAND : KEY_DELIVER_COMMAND]);
	while (n < WORDS_MAX && (word = strtok_r(n == 0 ? words : NULL, " \t", &rest)) != NULL) {
		argv[n++] = strcmp(word, "%s") == 0   ? job->envelope->sender
			    : strcmp(word, "%r") == 0 ? (forward ? r->forward : r->address)
			    : forward                 ? word
			    : strcmp(word, "%u") == 0 ? r->user
			    : strcmp(word, "%d") == 0 ? r->domain
						      : word;
	}
	argv[n] = NULL;
}

/* A foreign command knows what there is to know, and deliver nothing, for it is told all. */
static void
tell(const struct job *job, const struct copy *copy, struct environment *environment)
{
	struct facts facts = *job->envelope->facts;

	recipient_facts(copy->first, &facts);
	environment_make(environment, &facts);
	if (!copy->first->foreign)
		environment->variables[0] = NULL;
}

static bool
start(const struct job *job, struct copy *copy, enum purpose purpose)
{
	static const char *argv[ARGUMENTS];
	static struct environment environment;
	bool foreign = copy->first->foreign;

	if (foreign)
		command_arguments(job, copy, argv);
	else
		deliver_arguments(job, copy, purpose, argv);
	tell(job, copy, &environment);
	const struct spawn_order order = {.uid = copy->first->uid,
	    .gid = copy->first->gid,
	    .extra = copy->first->extra,
	    .argv = (char *const *)(uintptr_t)argv,
	    .environment = environment.variables,
	    .message = job->message,
	    .output = -1,
	    .directory = !foreign                    ? NULL
			 : copy->first->home[0] != 0 ? copy->first->home
						     : "/",
	    .handshake = !foreign && purpose == DELIVER,
	    .gentle = !foreign};
	if (spawn(&copy->helper, &order))
		return true;
	log_error("%s: cannot be started: %s", argv[0], strerror(errno));
	return false;
}

/* Everything a helper said but the text that became the reply is for the administrator. */
static void
report(const struct job *job, const struct copy *copy, const struct answer *answer)
{
	char to[2 * MAILBOX_MAX], said[LOG_FIELDS_MAX - LOG_FIXED_MAX - 2 * MAILBOX_MAX],
	    text[HELPER_SAYS_MAX + 1];

	if (answer->verdict == VERDICT_YES)
		return;
	log_event(LOG_WARNING, "said", "id=%s to=<%s> text=\"%s\"", job->envelope->id,
	    log_word(to, sizeof to, copy->first->address),
	    log_text(said, sizeof said, spawn_said(&copy->helper, text)));
}

static bool
is_maildir(const struct copy *copy)
{
	return copy->first->mailbox[strlen(copy->first->mailbox) - 1] == '/';
}

/* What a killed deliver may have left in a Maildir.  (An mbox has a guard of its own.) */
static void
take_back(const struct job *job, const struct copy *killed, int64_t deadline)
{
	struct copy copy = *killed;
	struct answer answer;

	if (!is_maildir(killed) || !start(job, &copy, TAKE_BACK))
		return;
	spawn_end(&copy.helper, deadline, &answer);
	if (answer.verdict != VERDICT_YES)
		log_error("message %s may be in %s, and could not be taken back", copy.unique,
		    copy.first->mailbox);
}

/* Every helper makes its copy visible. */
static bool
show_all(struct job *job)
{
	for (size_t i = 0; i < job->count; i++) {
		struct helper *helper = &job->copies[i].helper;
		job->failed = i;
		if (job->count > 1 && !spawn_say(helper, SAY_COMMIT))
			return false;
		if (!spawn_hear(helper, HEAR_VISIBLE, job->deadline))
			return false;
	}
	return true;
}

/* Start one helper after another, each when the one before has staged. */
static bool
stage_all(struct job *job)
{
	while (job->running < job->count) {
		struct copy *copy = &job->copies[job->running];
		job->failed = job->running;
		make_unique(job, copy);
		if (!start(job, copy, DELIVER))
			return false;
		job->running++;
		/* Where there is no other to wait for, what it will hear is said already. */
		if (job->count == 1 && !spawn_say(&copy->helper, SAY_COMMIT))
			return false;
		if (!spawn_hear(&copy->helper, HEAR_STAGED, job->deadline))
			return false;
	}
	return true;
}

/* Call everything off.  The answer is that of the helper that failed; the others only follow. */
static void
abandon(struct job *job, struct answer *answer)
{
	struct answer one;
	int64_t soon = clock_now() + HELPER_GRACE * 1000;

	for (size_t i = 0; i < job->running; i++)
		spawn_call_off(&job->copies[i].helper);
	for (size_t i = 0; i < job->running; i++) {
		struct copy *copy = &job->copies[i];
		spawn_end(&copy->helper, soon, &one);
		report(job, copy, &one);
		if (i == job->failed && one.verdict != VERDICT_YES)
			*answer = one;
		if (copy->helper.killed)
			take_back(job, copy, soon + HELPER_GRACE * 1000);
	}
}

/* All copies are visible and synced, and may stay. */
static void
keep_all(struct job *job, struct answer *answer)
{
	struct answer one;
	/* Nobody waits for anything any more; and a mailbox that is kept must not be told to end. */
	int64_t deadline = clock_now() + (int64_t)KEEP_LIMIT * 1000;

	for (size_t i = 0; i < job->count; i++)
		(void)spawn_say(&job->copies[i].helper, SAY_KEEP); /* its end will tell */
	answer_set(answer, VERDICT_YES, "");
	for (size_t i = 0; i < job->count; i++) {
		struct copy *copy = &job->copies[i];
		bool kept = spawn_hear(&copy->helper, HEAR_KEPT, deadline);
		spawn_end(&copy->helper, deadline, &one);
		/* A Maildir's helper that was killed cannot take back what it made visible. */
		kept = kept || (copy->helper.killed && is_maildir(copy));
		if (kept)
			continue;
		report(job, copy, &one);
		if (answer->verdict == VERDICT_YES)
			*answer = one;
	}
}

static void
run_foreign(struct job *job, struct answer *answer)
{
	if (!start(job, job->copies, DELIVER))
		return;
	spawn_end(&job->copies->helper, job->deadline, answer);
	report(job, job->copies, answer);
}

void
commit_message(const struct config *config, const struct envelope *envelope, int message,
    struct answer *answer)
{
	static struct copy copies[RECIPIENTS_MOST];
	struct job job = {.config = config,
	    .envelope = envelope,
	    .message = message,
	    .deadline = clock_now() + (int64_t)config->number[KEY_DELIVER_TIMEOUT] * 1000,
	    .copies = copies};

	answer_set(answer, VERDICT_LATER, "4.3.0 delivery failed; try again later");
	unite(envelope);
	sort(envelope->recipients, envelope->count);
	for (size_t i = 0; i < envelope->count; i++) {
		struct recipient *r = &envelope->recipients[i];
		if (job.count == 0 || strcmp(copies[job.count - 1].first->mailbox, r->mailbox) != 0)
			copies[job.count++] = (struct copy){.first = r};
		copies[job.count - 1].count++;
	}
	if (envelope->recipients->foreign)
		run_foreign(&job, answer);
	else if (stage_all(&job) && show_all(&job))
		keep_all(&job, answer);
	else
		abandon(&job, answer);
}
