/* commit.c -- see commit.h.  Runs as the monitor. */
#include "commit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "../sandbox/identity.h"
#include "clock.h"
#include "log.h"
#include "spawn.h"
#include "users.h"

enum {
	UNIQUE_OCTETS = 64,
	/* deliver -L -Q -e extension -n unique -m -c 3 -f sender -- mailbox, and -r recipient for
	   each */
	ARGUMENTS = 20 + 2 * RECIPIENTS_MOST,
	/* what a helper says and hears: deliver(8), -c */
	HEAR_STAGED = 's',
	SAY_COMMIT = 'c',
	SAY_ALONE = 'a', /* in place of 'c' and 'k' */
	HEAR_VISIBLE = 'v',
	SAY_KEEP = 'k',
	HEAR_KEPT = 'd',
};

static const char delivery_failed[] = "4.3.0 delivery failed; try again later";

/* One mailbox: a run in the sorted list of places. */
struct copy {
	struct place **places;
	size_t count;
	char unique[UNIQUE_OCTETS];
	struct helper helper;
};

/* One message on its way. */
struct job {
	const struct config *config;
	const struct envelope *envelope;
	int message;
	int64_t deadline;
	struct copy *copies;
	size_t count;
	size_t running;      /* of them, started */
	size_t failed;       /* the one that stopped it all, if one did */
	struct copy foreign; /* what no mailbox is */
};

static bool
is_maildir(const struct place *place)
{
	size_t n = strlen(place->text);

	return n > 0 && place->text[n - 1] == '/';
}

/* What deliver looks for in a Maildir: a folder of that name. */
static const char *
folder(const struct place *place)
{
	return is_maildir(place) && users_safe(place->extension) ? place->extension : "";
}

/* In its directory; the whole path if that is not known. */
static const char *
name_of(const struct place *place)
{
	return place->text + (place->inode != 0 ? place->name : 0);
}

/* Mailboxes by the directories that they lie in and their names there, whatever paths lead to them, or
   two messages could lock two mboxes each in another order; and what is no mailbox behind them. */
static int
compare(const struct place *a, const struct place *b)
{
	int order = (a->kind != PLACE_MAILBOX) - (b->kind != PLACE_MAILBOX);

	if (order == 0 && a->kind != PLACE_MAILBOX)
		order = strcmp(a->text, b->text);
	if (order == 0 && a->kind == PLACE_MAILBOX) {
		order = (a->device > b->device) - (a->device < b->device);
		order = order != 0 ? order : (a->inode > b->inode) - (a->inode < b->inode);
		order = order != 0 ? order : strcmp(name_of(a), name_of(b));
		order = order != 0 ? order : strcmp(folder(a), folder(b));
	}
	return order != 0 ? order : (a->address > b->address) - (a->address < b->address);
}

static void
sort(struct place **places, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct place *place = places[i];
		size_t j = i;
		for (; j > 0 && compare(places[j - 1], place) > 0; j--)
			places[j] = places[j - 1];
		places[j] = place;
	}
}

void
commit_locate(struct place *places, size_t count)
{
	for (size_t i = 0; i < count && count > 1; i++)
		users_locate(&places[i]);
}

bool
commit_same_mailbox(const struct place *a, const struct place *b)
{
	return a->kind == PLACE_MAILBOX && b->kind == PLACE_MAILBOX && a->device == b->device &&
	       a->inode == b->inode && strcmp(name_of(a), name_of(b)) == 0 &&
	       strcmp(folder(a), folder(b)) == 0;
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

/* What holds for a mailbox whatever is to be done there; how many words it is. */
static size_t
mailbox_arguments(const struct config *config, const struct place *place, const char **argv)
{
	size_t n = 0;

	argv[n++] = config->text[KEY_DELIVER_PATH];
	if (config->number[KEY_LANDLOCK])
		argv[n++] = "-L";
	if (config->number[KEY_OVER_QUOTA])
		argv[n++] = "-Q";
	if (folder(place)[0] != 0) {
		argv[n++] = "-e";
		argv[n++] = place->extension;
	}
	return n;
}

static void
deliver_arguments(
    const struct job *job, const struct copy *copy, enum purpose purpose, const char **argv)
{
	const struct config *config = job->config;
	size_t n = mailbox_arguments(config, copy->places[0], argv);

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
		if (i > 0 && copy->places[i]->address == copy->places[i - 1]->address)
			continue;
		argv[n++] = "-r";
		argv[n++] = job->envelope->addresses[copy->places[i]->address];
	}
	argv[n++] = "--";
	argv[n++] = copy->places[0]->text;
	argv[n] = NULL;
}

/* The words of DeliverCommand, blanks between them; a word that is "%u", "%d", "%r" or "%s" is the
   user, the domain, the recipient or the sender. */
static void
command_arguments(const struct job *job, char *words, const char **argv)
{
	const struct place *place = job->foreign.places[0];
	char *rest = words, *word;
	size_t n = 0;

	while (n < WORDS_MAX && (word = strtok_r(n == 0 ? words : NULL, " \t", &rest)) != NULL)
		argv[n++] = strcmp(word, "%s") == 0   ? job->envelope->sender
			    : strcmp(word, "%r") == 0 ? job->envelope->addresses[place->address]
			    : strcmp(word, "%u") == 0 ? place->user
			    : strcmp(word, "%d") == 0 ? place->domain
						      : word;
	argv[n] = NULL;
}

/* The words of ForwardCommand: "%r" is the addresses elsewhere, each a word, and there is no user or
   domain of ours. */
static void
forward_arguments(const struct job *job, char *words, const char **argv)
{
	char *rest = words, *word;
	size_t n = 0;

	_Static_assert(WORDS_MAX + PLACES_MOST <= ARGUMENTS, "config.c has seen to one %r");
	for (size_t i = 0; i < WORDS_MAX; i++) {
		word = strtok_r(i == 0 ? words : NULL, " \t", &rest);
		if (word == NULL)
			break;
		if (strcmp(word, "%r") != 0) {
			argv[n++] = strcmp(word, "%s") == 0 ? job->envelope->sender : word;
			continue;
		}
		for (size_t j = 0; j < job->foreign.count; j++)
			argv[n++] = job->foreign.places[j]->text;
	}
	argv[n] = NULL;
}

/* An alias's command is for a shell, as its author wrote it: nothing of a client's is in it. */
static void
foreign_arguments(const struct job *job, const char **argv)
{
	static char words[VALUE_MAX + 1];
	const struct place *place = job->foreign.places[0];
	bool forward = place->kind == PLACE_FORWARD;

	(void)snprintf(words, sizeof words, "%s",
	    job->config->text[forward ? KEY_FORWARD_COMMAND : KEY_DELIVER_COMMAND]);
	if (forward) {
		forward_arguments(job, words, argv);
	} else if (place->text[0] == 0) {
		command_arguments(job, words, argv);
	} else {
		argv[0] = "/bin/sh";
		argv[1] = "-c";
		argv[2] = place->text;
		argv[3] = NULL;
	}
}

/* A foreign command knows what there is to know, and deliver nothing, for it is told all. */
static void
tell(const struct job *job, const struct copy *copy, struct environment *environment)
{
	struct facts facts = *job->envelope->facts;

	const struct place *place = copy->places[0];

	environment->variables[0] = NULL;
	if (place->kind == PLACE_MAILBOX)
		return;
	place_facts(place, job->envelope->addresses[place->address], &facts);
	environment_make(environment, &facts);
}

/* Nothing else has to be waited for: the helper need not ask. */
static bool
is_alone(const struct job *job)
{
	return job->count == 1 && job->foreign.count == 0;
}

static bool
start(const struct job *job, struct copy *copy, enum purpose purpose)
{
	static const char *argv[ARGUMENTS];
	static struct environment environment;
	const struct place *place = copy->places[0];
	bool mailbox = place->kind == PLACE_MAILBOX;

	if (mailbox)
		deliver_arguments(job, copy, purpose, argv);
	else
		foreign_arguments(job, argv);
	tell(job, copy, &environment);
	const struct spawn_order order = {.uid = place->uid,
	    .gid = place->gid,
	    .extra = place->extra,
	    .argv = (char *const *)(uintptr_t)argv,
	    .environment = environment.variables,
	    .message = job->message,
	    .output = -1,
	    .directory = mailbox               ? NULL
			 : place->home[0] != 0 ? place->home
					       : "/",
	    .rest = place->kind == PLACE_COMMAND, /* a sendmail may send in the background */
	    .handshake = mailbox && purpose == DELIVER,
	    .word = is_alone(job) ? SAY_ALONE : 0,
	    .gentle = mailbox};
	if (spawn(&copy->helper, &order))
		return true;
	log_error("%s: cannot be started: %s", argv[0], strerror(errno));
	return false;
}

bool
commit_fits(const struct config *config, const struct place *place, uint64_t size, int64_t deadline,
    struct answer *answer)
{
	static struct helper helper;
	const char *argv[16];
	char file[PATH_OCTETS + sizeof "maildirsize"], digits[SIZE_DIGITS + 1], *none[] = {NULL};
	const struct spawn_order order = {.uid = place->uid,
	    .gid = place->gid,
	    .extra = place->extra,
	    .argv = (char *const *)(uintptr_t)argv,
	    .environment = none,
	    .message = -1,
	    .output = -1,
	    .gentle = true};

	if (place->kind != PLACE_MAILBOX || !is_maildir(place))
		return true;
	(void)snprintf(file, sizeof file, "%smaildirsize", place->text);
	if (!identity_sees(place->uid, file))
		return true;
	(void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)size);
	size_t n = mailbox_arguments(config, place, argv);
	argv[n++] = "-q";
	argv[n++] = digits;
	argv[n++] = "--";
	argv[n++] = place->text;
	argv[n] = NULL;
	answer_set(answer, VERDICT_LATER, "4.3.0 cannot look into this mailbox now");
	if (clock_left(deadline) == 0) /* others took it all */
		return false;
	if (spawn(&helper, &order))
		spawn_end(&helper, deadline, answer);
	else
		log_error("%s: cannot be started: %s", argv[0], strerror(errno));
	return answer->verdict == VERDICT_YES;
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
	    log_word(to, sizeof to, job->envelope->addresses[copy->places[0]->address]),
	    log_text(said, sizeof said, spawn_said(&copy->helper, text)));
}

/* What a killed deliver may have left in a Maildir.  (An mbox has a guard of its own.) */
static void
take_back(const struct job *job, const struct copy *killed, int64_t deadline)
{
	struct copy copy = *killed;
	struct answer answer;

	if (!is_maildir(killed->places[0]) || !start(job, &copy, TAKE_BACK))
		return;
	spawn_end(&copy.helper, deadline, &answer);
	if (answer.verdict != VERDICT_YES)
		log_error("message %s may be in %s, and could not be taken back", copy.unique,
		    copy.places[0]->text);
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
		if (!spawn_hear(&copy->helper, HEAR_STAGED, job->deadline))
			return false;
	}
	return true;
}

/* The command, if there is one. */
static bool
run_foreign(struct job *job, struct answer *answer)
{
	if (job->foreign.count == 0)
		return true;
	job->failed = job->count; /* none of the mailboxes */
	if (!start(job, &job->foreign, DELIVER))
		return false;
	spawn_end(&job->foreign.helper, job->deadline, answer);
	report(job, &job->foreign, answer);
	return answer->verdict == VERDICT_YES;
}

/* Every helper makes its copy visible. */
static bool
show_all(struct job *job)
{
	for (size_t i = 0; i < job->count; i++) {
		struct helper *helper = &job->copies[i].helper;
		job->failed = i;
		if (!spawn_say(helper, SAY_COMMIT, job->deadline) ||
		    !spawn_hear(helper, HEAR_VISIBLE, job->deadline))
			return false;
	}
	return true;
}

/* A session that has died tells its client nothing, and the client sends the message again. */
static bool
is_awaited(const struct job *job)
{
	struct pollfd pair = {.fd = job->envelope->pair};

	(void)poll(&pair, 1, 0); /* failing, it does not say so */
	return (pair.revents & POLLHUP) == 0;
}

/* Call everything off.  The answer is that of the helper that failed; the others only follow. */
static void
abandon(struct job *job, struct answer *answer)
{
	struct answer one;
	int64_t soon = clock_now() + HELPER_GRACE * 1000;

	if (answer->verdict == VERDICT_YES) /* the command's, and then a helper ended too early */
		answer_set(answer, VERDICT_LATER, delivery_failed);
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
		(void)spawn_say(&job->copies[i].helper, SAY_KEEP, deadline); /* its end will tell */
	answer_set(answer, VERDICT_YES, "");
	for (size_t i = 0; i < job->count; i++) {
		struct copy *copy = &job->copies[i];
		bool kept = spawn_end_saying(&copy->helper, HEAR_KEPT, -1, deadline, &one);
		/* A Maildir's helper that was killed cannot take back what it made visible. */
		kept = kept || (copy->helper.killed && is_maildir(copy->places[0]));
		if (kept)
			continue;
		report(job, copy, &one);
		if (answer->verdict == VERDICT_YES)
			*answer = one;
	}
}

/* Stage, show and keep in one.  It is called off at the deadline, and when the session dies, unless it
   was kept before. */
static void
deliver_alone(struct job *job, struct answer *answer)
{
	struct copy *copy = &job->copies[0];

	make_unique(job, copy);
	if (!start(job, copy, DELIVER))
		return;
	if (spawn_end_saying(&copy->helper, HEAR_KEPT, job->envelope->pair, job->deadline, answer))
		answer_set(answer, VERDICT_YES, "");
	else if (copy->helper.killed)
		take_back(job, copy, clock_now() + HELPER_GRACE * 1000);
	report(job, copy, answer);
}

/* Sort the places into copies, and what is no mailbox. */
static void
divide(struct job *job)
{
	const struct envelope *envelope = job->envelope;

	sort(envelope->places, envelope->count);
	for (size_t i = 0; i < envelope->count; i++) {
		struct place **place = &envelope->places[i];
		struct copy *copy = &job->copies[job->count - (job->count > 0)];
		if ((*place)->kind != PLACE_MAILBOX) {
			job->foreign = (struct copy){.places = place, .count = envelope->count - i};
			break;
		}
		if (job->count == 0 || !commit_same_mailbox(copy->places[0], *place)) {
			copy = &job->copies[job->count++];
			*copy = (struct copy){.places = place};
		}
		copy->count++;
	}
}

void
commit_message(const struct config *config, const struct envelope *envelope, int message,
    struct answer *answer)
{
	static struct copy *copies; /* not among what every session touches; see monitor.c */
	struct job job = {.config = config,
	    .envelope = envelope,
	    .message = message,
	    .deadline = clock_now() + (int64_t)config->number[KEY_DELIVER_TIMEOUT] * 1000};

	answer_set(answer, VERDICT_LATER, delivery_failed);
	if (copies == NULL)
		copies = mmap(NULL, PLACES_MOST * sizeof *copies, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copies == MAP_FAILED) {
		copies = NULL;
		log_error("no memory for a delivery: %s", strerror(errno));
		return;
	}
	job.copies = copies;
	divide(&job);
	if (is_alone(&job))
		deliver_alone(&job, answer);
	else if (stage_all(&job) && run_foreign(&job, answer) && show_all(&job) && is_awaited(&job))
		keep_all(&job, answer);
	else
		abandon(&job, answer);
}
