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
#include "../sandbox/large.h"
#include "arguments.h"
#include "clock.h"
#include "log.h"
#include "spawn.h"
#include "users.h"

/* What deliver says and hears: deliver(8), the handshake. */
enum {
	HEAR_STAGED = 's',
	SAY_COMMIT = 'c',
	SAY_ALONE = 'a', /* in place of 'c' and 'k' */
	HEAR_VISIBLE = 'v',
	SAY_KEEP = 'k',
	HEAR_KEPT = 'd',
	HEAR_WAITING = 'w', /* in place of 'd': and there may be another message */
};

static const char delivery_failed[] = "4.3.0 delivery failed; try again later";

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
		order = order != 0 ? order : strcmp(users_folder(a), users_folder(b));
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
	       strcmp(users_folder(a), users_folder(b)) == 0;
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

/* A foreign command knows what there is to know. */
static void
tell(const struct job *job, const struct copy *copy, struct environment *environment)
{
	struct facts facts = *job->envelope->facts;
	const struct place *place = copy->places[0];

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
	static LARGE const char *argv[ARGUMENTS];
	static LARGE struct environment environment;
	static char *none[] = {NULL}; /* deliver is told all as arguments */
	const struct place *place = copy->places[0];
	bool mailbox = place->kind == PLACE_MAILBOX;

	if (!mailbox) {
		arguments_foreign(job->config, job->envelope, copy, argv);
		tell(job, copy, &environment);
	} else if (purpose == DELIVER) {
		arguments_deliver(job->config, job->envelope, copy, argv);
	} else {
		arguments_take_back(job->config, copy, argv);
	}
	const struct spawn_order order = {.uid = place->uid,
	    .gid = place->gid,
	    .extra = place->extra,
	    .argv = (char *const *)(uintptr_t)argv,
	    .environment = mailbox ? none : environment.variables,
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
	static LARGE struct helper helper;
	const char *argv[ARGUMENTS_ASK];
	char file[PATH_OCTETS + sizeof "maildirsize"], digits[SIZE_DIGITS + 1], *none[] = {NULL};
	const struct spawn_order order = {.uid = place->uid,
	    .gid = place->gid,
	    .extra = place->extra,
	    .argv = (char *const *)(uintptr_t)argv,
	    .environment = none,
	    .message = -1,
	    .output = -1,
	    .gentle = true};

	if (!place_is_maildir(place))
		return true;
	(void)snprintf(file, sizeof file, "%smaildirsize", place->text);
	if (!identity_sees(place->uid, file))
		return true;
	(void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)size);
	arguments_ask(config, place, digits, argv);
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

	if (!place_is_maildir(killed->places[0]) || !start(job, &copy, TAKE_BACK))
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
		char word = spawn_last_word(&copy->helper, -1, &deadline);
		spawn_end(&copy->helper, deadline, &one);
		/* A Maildir's helper that was killed cannot take back what it made visible. */
		if (word == HEAR_KEPT || (copy->helper.killed && place_is_maildir(copy->places[0])))
			continue;
		report(job, copy, &one);
		if (answer->verdict == VERDICT_YES)
			*answer = one;
	}
}

/* A deliver that waits for another message, and for which mailbox.  It has opened that a while ago; so it is
   let go a fixed time after its start, however many messages come, or what has become of the mailbox
   since would be nothing to it. */
static bool is_waiting;
static int64_t waits_until;
static LARGE struct {
	struct helper helper;
	uid_t uid;
	gid_t gid, extra;
	char text[PATH_OCTETS], folder[LOCAL_MAX + 1];
} waiting;

int64_t
commit_waits_until(void)
{
	return is_waiting ? waits_until : INT64_MAX;
}

void
commit_dismiss(void)
{
	if (is_waiting)
		spawn_dismiss(&waiting.helper);
	is_waiting = false;
}

static void
let_wait(const struct copy *copy)
{
	const struct place *place = copy->places[0];

	is_waiting = true;
	waiting.helper = copy->helper;
	waiting.uid = place->uid;
	waiting.gid = place->gid;
	waiting.extra = place->extra;
	(void)strcpy(waiting.text, place->text);
	(void)strcpy(waiting.folder, users_folder(place));
}

static bool
waits_for(const struct place *place)
{
	return is_waiting && clock_now() < waits_until && place->kind == PLACE_MAILBOX &&
	       waiting.uid == place->uid && waiting.gid == place->gid &&
	       waiting.extra == place->extra && strcmp(waiting.text, place->text) == 0 &&
	       strcmp(waiting.folder, users_folder(place)) == 0;
}

/* Give the message to a helper that waits for one; false if there is none for this mailbox, and then
   none at all. */
static bool
hand_on(const struct job *job, struct copy *copy)
{
	static LARGE char packet[HELPER_NEXT_MAX];

	size_t len = waits_for(copy->places[0]) ? arguments_next(job->envelope, copy, packet) : 0;
	if (len == 0 || !spawn_next(&waiting.helper, packet, len, job->message)) {
		commit_dismiss();
		return false;
	}
	copy->helper = waiting.helper;
	is_waiting = false;
	return true;
}

/* Stage, show and keep in one.  It is called off at the deadline, and when the session dies, unless it
   was kept before. */
static void
deliver_alone(struct job *job, struct answer *answer)
{
	struct copy *copy = &job->copies[0];

	make_unique(job, copy);
	if (!hand_on(job, copy)) {
		waits_until = clock_now() + HELPER_LIFE * 1000;
		if (!start(job, copy, DELIVER))
			return;
	}
	char word = spawn_last_word(&copy->helper, job->envelope->pair, &job->deadline);
	if (word == HEAR_WAITING)
		let_wait(copy);
	else
		spawn_end(&copy->helper, job->deadline, answer);
	if (word == HEAR_WAITING || word == HEAR_KEPT) {
		answer_set(answer, VERDICT_YES, "");
		return;
	}
	/* An mbox's guard that had to end its writer's work says nothing. */
	bool mute = answer->verdict == VERDICT_YES && place_is_maildir(copy->places[0]);
	if (mute)
		answer_set(answer, VERDICT_LATER, delivery_failed);
	if (mute || copy->helper.killed)
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

/* Room for that many copies; NULL with errno.  There is one for one: the others are not among what every
   session touches; see monitor.c. */
static struct copy *
room(size_t count)
{
	static LARGE struct copy one;
	static struct copy *several;

	if (count > 1 && several == NULL) {
		several = mmap(NULL, PLACES_MOST * sizeof *several, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (several == MAP_FAILED)
			several = NULL;
	}
	return count > 1 ? several : &one;
}

void
commit_message(const struct config *config, const struct envelope *envelope, int message,
    struct answer *answer)
{
	struct job job = {.config = config,
	    .envelope = envelope,
	    .message = message,
	    .deadline = clock_now() + (int64_t)config->number[KEY_DELIVER_TIMEOUT] * 1000,
	    .copies = room(envelope->count)};

	answer_set(answer, VERDICT_LATER, delivery_failed);
	if (job.copies == NULL) {
		log_error("no memory for a delivery: %s", strerror(errno));
		return;
	}
	divide(&job);
	if (is_alone(&job)) {
		deliver_alone(&job, answer);
		return;
	}
	commit_dismiss();
	if (stage_all(&job) && run_foreign(&job, answer) && show_all(&job) && is_awaited(&job))
		keep_all(&job, answer);
	else
		abandon(&job, answer);
}
