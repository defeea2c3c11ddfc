/*
 * deliver -- write the message on standard input to every mailbox named, or to none.
 *
 * One program, one delivery, running as the owner of the mailboxes.  It opens what it needs, locks
 * itself in, and only then reads.  See deliver(8).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "../sandbox/identity.h"
#include "../sandbox/landlock.h"
#include "../sandbox/large.h"
#include "../sandbox/rlimits.h"
#include "../sandbox/sandbox.h"
#include "../sandbox/signals.h"
#include "fault.h"
#include "hand.h"
#include "limits.h"
#include "mailbox.h"
#include "message.h"
#include "options.h"

enum {
	HAND = 3 /* where the descriptor of -c is moved to */
};

/* Every failure before a mailbox is touched is the administrator's to mend: later, never lost. */
static void
become(const struct job *job)
{
	struct identity who = {.uid = geteuid(), .gid = getegid()};

	if (job->user != NULL) {
		switch (identity_find(job->user, &who)) {
		case IDENTITY_FOUND:
			break;
		case IDENTITY_NONE:
			die(EX_TEMPFAIL, "-u %s: there is no such user", job->user);
		case IDENTITY_UNKNOWN:
			die(EX_TEMPFAIL, "-u %s: %s", job->user, strerror(errno));
		}
	}
	if (geteuid() == 0 || getuid() == 0) {
		if (job->user == NULL || who.uid == 0)
			die(EX_CONFIG, "will not deliver as root; name a user with -u");
		if (identity_become(who.uid, who.gid, (gid_t)-1) < 0)
			die(EX_OSERR, "cannot become %s: %s", job->user, strerror(errno));
	} else if (who.uid != geteuid()) {
		die(EX_CONFIG, "only root can deliver as %s", job->user);
	}
	if (identity_keep_none() < 0)
		die(EX_OSERR, "capabilities: %s", strerror(errno));
}

/* The descriptors that are meant to be there: 0, 1, 2, and HAND.  Whatever else came is closed. */
static void
descriptors(struct job *job)
{
	for (int fd = 0; fd < HAND; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			die(EX_OSERR, "descriptor %d is not open", fd);
	unsigned first = HAND;
	if (job->hand >= 0) {
		if (job->hand < HAND)
			die(EX_USAGE, "-c %d: that is a standard descriptor", job->hand);
		if (job->hand != HAND && dup2(job->hand, HAND) < 0)
			die(EX_OSERR, "-c %d: %s", job->hand, strerror(errno));
		job->hand = HAND;
		first = HAND + 1;
	}
	if (syscall(SYS_close_range, first, ~0U, 0U) < 0)
		die(EX_OSERR, "close_range: %s", strerror(errno));
}

static bool
any_mbox(const struct job *job)
{
	for (size_t i = 0; i < job->count; i++)
		if (mailbox_kind(job->paths[i]) == MAILBOX_MBOX)
			return true;
	return false;
}

static int
report(const struct job *job, enum fault fault, int why, const char *path)
{
	return fault_report(job->full_for_good ? fault_for_good(fault, why) : fault, why, path);
}

static _Noreturn void
give_up(const struct job *job, enum fault fault, int why, const char *path)
{
	/* Before the undoing, which may have words of its own: the first line may become the reply. */
	int status = report(job, fault, why, path);

	for (size_t i = 0; i < job->count; i++)
		mailbox_undo(&job->boxes[i]);
	_exit(status);
}

static void
keep_all(const struct job *job)
{
	for (size_t i = 0; i < job->count; i++)
		mailbox_keep(&job->boxes[i]);
}

static void
open_all(struct job *job)
{
	static LARGE struct mailbox own[MAILBOXES_MAX];
	const struct maildir_how how = {.make = job->make,
	    .only_look = job->take_back || job->ask,
	    .extension = job->extension,
	    .unique = job->unique,
	    .keeper = &job->keeper};

	job->boxes = own;
	if (any_mbox(job)) /* its guard sees how far the writer came */
		job->boxes = mmap(
		    NULL, sizeof own, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (job->boxes == MAP_FAILED)
		die(EX_TEMPFAIL, "no memory");
	for (size_t i = 0; i < job->count; i++) {
		enum fault fault = mailbox_open(&job->boxes[i], job->paths[i], &how);
		if (fault == FAULT_ABSENT && how.only_look)
			continue; /* nothing is in it: a deliver was killed before it made it */
		if (fault != FAULT_NONE)
			exit(report(job, fault, errno, job->paths[i]));
	}
}

/* To these, and no way back. */
static void
jail(const struct job *job, const struct landlock_grant *grants, size_t n)
{
	if (sandbox_alone() < 0)
		die(EX_OSERR, "no_new_privs: %s", strerror(errno));
	switch (landlock_confine(grants, n)) {
	case LANDLOCK_DONE:
		break;
	case LANDLOCK_ABSENT:
		if (job->need_landlock)
			die(EX_CONFIG, "-L: this kernel has no Landlock");
		break;
	case LANDLOCK_FAILED:
		die(EX_OSERR, "Landlock: %s", strerror(errno));
	}
}

static void
filter(void)
{
	if (sandbox_filter(SANDBOX_DELIVER) < 0)
		die(EX_OSERR, "the system-call filter cannot be loaded: %s", strerror(errno));
}

/* Who reads the message. */
static void
confine(const struct job *job)
{
	struct landlock_grant grants[MAILBOXES_MAX * MAILBOX_GRANTS];
	size_t n = 0;

	for (size_t i = 0; i < job->count; i++)
		n += mailbox_grants(&job->boxes[i], grants + n);
	jail(job, grants, n);
}

/* Who reads none, and may have to count a Maildir. */
static void
confine_counting(const struct job *job)
{
	struct landlock_grant grants[MAILBOXES_MAX * (MAILBOX_GRANTS + 1)];
	size_t n = keeper_grants(&job->keeper, grants);

	for (size_t i = 0; i < job->count; i++)
		n += mailbox_grants(&job->boxes[i], grants + n);
	(void)umask(0); /* a new maildirsize has the mode of the old */
	jail(job, grants, n);
	filter();
}

static _Noreturn void
call_off(const struct job *job)
{
	give_up(job, hand_orphaned ? FAULT_ORPHANED : FAULT_HUNG_UP, 0, job->paths[0]);
}

/* With -c: say how far this delivery came, and go on only when the other end says so. */
static void
agree(const struct job *job, enum hand_word say, enum hand_word want)
{
	bool told = job->boxes[0].visible;

	if (hand_orphaned)
		call_off(job);
	if (job->hand >= 0 &&
	    (!hand_say(job->hand, say) || hand_hear(job->hand, told) != (char)want))
		call_off(job);
}

static bool
is_alone(const struct job *job)
{
	return job->hand >= 0 && (job->next || hand_is_alone(job->hand));
}

/* Visible and durable in every mailbox: may it stay? */
static void
agree_to_keep(const struct job *job, bool alone)
{
	if (!alone)
		agree(job, SAY_VISIBLE, HEAR_KEEP);
	else if (hand_orphaned || hand_was_called_off(job->hand))
		call_off(job);
}

static void
on_orphaned(int number)
{
	(void)number;
	hand_orphaned = 1;
}

static void
on_endings(void (*what)(int))
{
	(void)signal(SIGTERM, what); /* valid numbers: cannot fail */
	(void)signal(SIGINT, what);
	(void)signal(SIGHUP, what);
}

/* Where a Maildir has a quota: the process that keeps it.  It outlives this one for as long as it takes
   to strike out what was not delivered. */
static void
start_keeper(struct job *job)
{
	struct keeper *k = &job->keeper;
	int pair[2];

	if (k->count == 0)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die(EX_TEMPFAIL, "socketpair: %s", strerror(errno));
	pid_t keeper = fork();
	if (keeper < 0)
		die(EX_TEMPFAIL, "fork: %s", strerror(errno));
	k->fd = pair[keeper == 0 ? 1 : 0];
	(void)close(pair[keeper == 0 ? 0 : 1]);
	if (keeper > 0) {
		keeper_leave(k);
		return;
	}
	on_endings(SIG_IGN); /* they end the other, and this one then */
	confine_counting(job);
	for (int fd = 0; fd <= HAND; fd++) /* whoever waits for their end waits for the other's */
		if (fd != HAND || job->hand == HAND)
			(void)close(fd);
	keeper_serve(k);
	_exit(EX_OK);
}

/*
 * An append to an mbox cannot be made invisible until it is whole, so two processes look after each
 * other: should the writer be killed, the guard, which holds the same locks, restores the file;
 * should the guard be killed, the writer hears of it and undoes its work.  Returns in the writer.
 */
static void
guard(struct job *job)
{
	pid_t self = getpid();
	int status;

	on_endings(SIG_IGN); /* they end the writer; then there is work for the guard */
	pid_t writer = fork();
	if (writer < 0)
		die(EX_TEMPFAIL, "fork: %s", strerror(errno));
	if (writer == 0) {
		on_endings(SIG_DFL);
		const struct sigaction act = {.sa_handler = on_orphaned};
		if (sigaction(SIGUSR1, &act, NULL) < 0 ||
		    prctl(PR_SET_PDEATHSIG, (long)SIGUSR1) < 0)
			die(EX_OSERR, "cannot watch the guard: %s", strerror(errno));
		if (getppid() != self)
			hand_orphaned = 1;
		return;
	}
	keeper_inherit(&job->keeper);
	filter();
	while (waitpid(writer, &status, 0) < 0)
		if (errno != EINTR)
			give_up(job, FAULT_SYSTEM, errno, job->paths[0]);
	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	/* The writer was killed.  Once all was visible the word is the other end's. */
	if (job->boxes[0].visible && !job->boxes[0].kept)
		agree_to_keep(job, is_alone(job)); /* asked again, should it not have been asked */
	if (!job->boxes[0].visible)
		give_up(job, FAULT_KILLED, 0, job->paths[0]);
	keep_all(job);
	_exit(EX_OK);
}

/* To every mailbox.  On failure *path is the one. */
static enum fault
write_all(const struct job *job, const void *octets, size_t len, const char **path)
{
	for (size_t i = 0; i < job->count; i++) {
		enum fault fault = mailbox_write(&job->boxes[i], octets, len);
		if (fault != FAULT_NONE) {
			*path = job->paths[i];
			return fault;
		}
	}
	return FAULT_NONE;
}

/* The next octets of the message, `len` at most.  With -c a file is read from its start, whatever its
   offset: who gave it to several delivers does not want one to move the place of another in it. */
static ssize_t
take(const struct job *job, unsigned char *block, size_t len, off_t at)
{
	if (job->hand >= 0) {
		ssize_t got = pread(job->message, block, len, at);
		if (got >= 0 || errno != ESPIPE)
			return got;
	}
	return read(job->message, block, len);
}

static enum fault
copy(const struct job *job, struct message *m, const char **path)
{
	static LARGE unsigned char block[BLOCK];
	struct message_piece piece;
	char line[ADDRESS_MAX + 32];
	enum fault fault;
	off_t at = 0;
	size_t n, top = 0;

	for (size_t turn = 0; (n = message_top(m, turn, line, sizeof line)) > 0; turn++) {
		if ((fault = write_all(job, line, n, path)) != FAULT_NONE)
			return fault;
		top += n;
	}
	for (;;) {
		/* Less by what is on top, the first time: so all that is written begins at a page. */
		ssize_t got = take(job, block, BLOCK - (at == 0 ? top % BLOCK : 0), at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			*path = "standard input";
			return FAULT_SYSTEM;
		}
		if (got == 0)
			break;
		at += got;
		for (size_t done = 0; done < (size_t)got;) {
			done += message_step(m, block + done, (size_t)got - done, &piece);
			if ((fault = write_all(job, piece.octets, piece.len, path)) != FAULT_NONE)
				return fault;
		}
	}
	message_end(m, &piece);
	return write_all(job, piece.octets, piece.len, path);
}

/* Whole, synced and invisible, in every mailbox. */
static void
stage(const struct job *job)
{
	struct message m = {.sender = job->sender,
	    .recipients = job->recipients,
	    .recipients_count = job->recipients_count};
	const char *path = job->paths[0];
	enum fault fault = FAULT_NONE;

	for (size_t i = 0; i < job->count && fault == FAULT_NONE; i++) {
		path = job->paths[i];
		fault = mailbox_begin(&job->boxes[i], job->sender);
	}
	if (fault == FAULT_NONE)
		fault = copy(job, &m, &path);
	if (fault == FAULT_NONE && m.looped)
		fault = FAULT_LOOP;
	for (size_t i = 0; i < job->count && fault == FAULT_NONE; i++) {
		path = job->paths[i];
		fault = mailbox_stage(&job->boxes[i]);
	}
	if (fault != FAULT_NONE)
		give_up(job, fault, errno, path);
}

/* There may be another message: for a single Maildir, which is not locked meanwhile, and whose quota
   nobody keeps. */
static bool
may_wait(const struct job *job)
{
	return job->count == 1 && job->keeper.count == 0 && !any_mbox(job);
}

/* Keep what was staged; whether another message is waited for. */
static bool
finish(const struct job *job)
{
	bool alone = is_alone(job), wait = alone && may_wait(job);

	if (!alone) {
		agree(job, SAY_STAGED, HEAR_COMMIT);
		if (job->hand >= 0)
			hand_take(job->hand);
	}
	for (size_t i = 0; i < job->count; i++) {
		enum fault fault = mailbox_commit(&job->boxes[i]);
		if (fault != FAULT_NONE)
			give_up(job, fault, errno, job->paths[i]);
	}
	job->boxes[0].visible = true;
	agree_to_keep(job, alone);
	job->boxes[0].kept = true; /* from here on nobody takes anything back */
	if (job->hand >= 0 && !job->next)
		hand_take(job->hand);
	keep_all(job);
	/* If nobody listens any more the exit status tells. */
	return job->hand >= 0 && hand_say(job->hand, wait ? SAY_WAITING : SAY_KEPT) && wait;
}

/* Another message for the same mailbox. */
static bool
next(struct job *job)
{
	static LARGE char packet[NEXT_MAX];

	(void)close(job->message); /* read only */
	ssize_t len = hand_next(job->hand, packet, &job->message);
	if (len < 0)
		die(EX_TEMPFAIL, "-c: what came is no message");
	if (len == 0)
		return false;
	job->next = true;
	options_next(job, packet + 1, (size_t)len - 1);
	mailbox_next(&job->boxes[0], job->unique);
	return true;
}

/* -x: all of them, as far as it goes. */
static _Noreturn void
take_back(const struct job *job)
{
	int status = EX_OK;

	for (size_t i = 0; i < job->count; i++) {
		enum fault fault = mailbox_take_back(&job->boxes[i]);
		if (fault != FAULT_NONE)
			status = report(job, fault, errno, job->paths[i]);
	}
	_exit(status);
}

/* -q: the first that is full is the answer. */
static _Noreturn void
ask(const struct job *job)
{
	for (size_t i = 0; i < job->count; i++) {
		enum fault fault = mailbox_ask(&job->boxes[i], job->size);
		if (fault != FAULT_NONE)
			_exit(report(job, fault, errno, job->paths[i]));
	}
	_exit(EX_OK);
}

int
main(int argc, char **argv)
{
	static struct job job = {.hand = -1, .message = STDIN_FILENO};

	(void)umask(077);
	signals_reset();
	options_parse(&job, argc, argv);
	descriptors(&job);
	if (rlimits_files(FILES_MAX) < 0)
		die(EX_OSERR, "resource limits: %s", strerror(errno));
	become(&job);
	open_all(&job);
	if (job.take_back || job.ask)
		confine_counting(&job);
	if (job.take_back)
		take_back(&job);
	if (job.ask)
		ask(&job);
	start_keeper(&job);
	confine(&job);
	if (any_mbox(&job))
		guard(&job);
	filter();
	do
		stage(&job);
	while (finish(&job) && next(&job));
	_exit(EX_OK);
}
