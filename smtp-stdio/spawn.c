/* spawn.c -- see spawn.h.  Runs as the monitor. */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "../sandbox/identity.h"
#include "../sandbox/rlimits.h"
#include "clock.h"

/*
 * A process group of its own, which kill_group() can reach.  Where there is a terminal, a session of
 * its own, too, so that the recipient's program cannot type on it; not elsewhere, because the kernel
 * gives each session a share of the processor of its own (sched(7), autogroup), and the client's
 * answer then waits for that share.
 */
static int
stand_apart(void)
{
	int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (terminal < 0 && errno == ENXIO)
		return setpgid(0, 0);
	if (terminal >= 0)
		(void)close(terminal);
	return (int)setsid();
}

/* What a program may expect that is not deliver, which sees to itself. */
static int
be_usual(void)
{
	const struct sigaction normal = {.sa_handler = SIG_DFL};

	if (rlimits_usual_files() < 0 || sigaction(SIGPIPE, &normal, NULL) < 0 ||
	    sigaction(SIGXFSZ, &normal, NULL) < 0)
		return -1;
	return stand_apart();
}

/*
 * The child of vfork: it shares the monitor's memory until it execs, so it changes none of it, and
 * calls nothing that could.
 */
static _Noreturn void
child(const struct spawn_order *order, int message, int says, int hand)
{
	int output = order->output >= 0 ? order->output : says;
	static const char cannot_become[] =
	    "4.3.0 mailbox cannot be opened now\ncannot become the recipient\n";
	static const char cannot_exec[] =
	    "4.3.0 mailbox cannot be opened now\ncannot run the program\n";
	const struct sigaction normal = {.sa_handler = SIG_DFL};
	unsigned first = SPAWN_HAND;
	sigset_t none;

	(void)umask(077);
	(void)sigemptyset(&none);
	/* SIGTERM first: a handler that ran here would write to the monitor's memory. */
	if (sigaction(SIGTERM, &normal, NULL) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0 ||
	    (order->gentle ? setpgid(0, 0) : be_usual()) < 0 || dup2(message, 0) < 0 ||
	    dup2(output, 1) < 0 || dup2(says, 2) < 0)
		_exit(EX_OSERR);
	if (hand >= 0) {
		if (dup2(hand, SPAWN_HAND) < 0)
			_exit(EX_OSERR);
		first++;
	}
	if (syscall(SYS_close_range, first, ~0U, 0U) < 0)
		_exit(EX_OSERR);
	if (geteuid() == 0 && identity_become(order->uid, order->gid, order->extra) < 0) {
		(void)!write(2, cannot_become, sizeof cannot_become - 1);
		_exit(EX_OSERR);
	}
	if (order->directory != NULL && chdir(order->directory) < 0 && chdir("/") < 0)
		_exit(EX_OSERR);
	(void)execve(order->argv[0], order->argv, order->environment);
	(void)!write(2, cannot_exec, sizeof cannot_exec - 1);
	_exit(EX_OSERR);
}

static void
close_pair(int pair[2])
{
	if (pair[0] >= 0)
		(void)close(pair[0]);
	if (pair[1] >= 0)
		(void)close(pair[1]);
}

/* The message from its start, by a descriptor that shares no offset with another helper's: one
   recipient must not be able to move another's place in it.  deliver has no use for the offset, and
   need not wait for /proc. */
__attribute__((noinline)) static int /* none of its variables stands in the frame of vfork */
reopen(const struct spawn_order *order)
{
	char name[32] = "/dev/null";

	if (order->message >= 0 && order->handshake)
		return order->message;
	if (order->message >= 0)
		(void)snprintf(name, sizeof name, "/proc/self/fd/%d", order->message);
	return open(name, O_RDONLY | O_CLOEXEC);
}

static bool
start(struct helper *helper, const struct spawn_order *order, int says, int hand)
{
	int message = reopen(order);
	if (message < 0)
		return false;
	/* Once the child is the recipient's, the recipient may stop it, and vfork has no deadline. */
	(void)alarm(EXEC_LIMIT);
	helper->pid = vfork();
	if (helper->pid == 0)
		child(order, message, says, hand);
	(void)alarm(0);
	int why = errno;
	if (message != order->message)
		(void)close(message); /* read only */
	errno = why;
	if (helper->pid < 0)
		return false;
	helper->pidfd = (int)syscall(SYS_pidfd_open, helper->pid, 0U);
	return true; /* without a pidfd its end is seen on `says` */
}

static bool
shake_hands(int hand[2], char word)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, hand) == 0 &&
	       (word == 0 || send(hand[0], &word, 1, MSG_NOSIGNAL) == 1);
}

bool
spawn(struct helper *helper, const struct spawn_order *order)
{
	int says[2] = {-1, -1}, hand[2] = {-1, -1};

	helper->uid = order->uid;
	helper->gentle = order->gentle;
	helper->rest = order->rest;
	helper->late = false;
	helper->said_len = 0;
	if (pipe2(says, O_CLOEXEC) < 0 || fcntl(says[0], F_SETFL, O_NONBLOCK) < 0 ||
	    (order->handshake && !shake_hands(hand, order->word)) ||
	    !start(helper, order, says[1], hand[1])) {
		int why = errno;
		close_pair(says);
		close_pair(hand);
		errno = why;
		return false;
	}
	(void)close(says[1]);
	if (hand[1] >= 0)
		(void)close(hand[1]);
	helper->says = says[0];
	helper->hand = hand[0];
	return true;
}

/* Read what the helper said, not more than a pipe holds: it may never stop.  Keep the start of it.
   False at its end. */
static bool
listen_to(struct helper *helper)
{
	char rest[512];

	for (size_t heard = 0; heard < HELPER_PIPE;) {
		size_t room = HELPER_SAYS_MAX - helper->said_len;
		ssize_t n = room > 0 ? read(helper->says, helper->said + helper->said_len, room)
				     : read(helper->says, rest, sizeof rest);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return true; /* nothing more for now */
		if (n == 0)
			return false;
		heard += (size_t)n;
		helper->said_len += room > 0 ? (size_t)n : 0;
	}
	return true;
}

/* Until there is something on `fd` or the other one, if there is one, taking in what the helper says
   meanwhile; with no `fd` (-1), until it has nothing more to say.  False at the deadline. */
static bool
attend(struct helper *helper, int fd, struct pollfd *other, int64_t deadline)
{
	struct pollfd none = {-1, 0, 0};
	bool saying = true;

	other = other != NULL ? other : &none;
	while (fd >= 0 || saying) {
		struct pollfd fds[] = {
		    {fd, POLLIN, 0}, {saying ? helper->says : -1, POLLIN, 0}, *other};
		int n = poll(fds, 3, clock_left(deadline));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		other->revents = fds[2].revents;
		bool there = fds[0].revents != 0 || other->revents != 0;
		if (!there && clock_left(deadline) == 0)
			return false; /* it only talks */
		if (fds[1].revents != 0)
			saying = listen_to(helper);
		if (there)
			break;
	}
	return true;
}

bool
spawn_attend(struct helper *helper, int fd, int64_t deadline)
{
	struct pollfd end = {helper->pidfd, POLLIN, 0};

	return attend(helper, fd, &end, deadline);
}

bool
spawn_has_ended(const struct helper *helper)
{
	struct pollfd fd = {helper->pidfd, POLLIN, 0};

	return poll(&fd, 1, 0) == 1;
}

bool
spawn_hear(struct helper *helper, char want, int64_t deadline)
{
	char heard = 0;

	return attend(helper, helper->hand, NULL, deadline) && read(helper->hand, &heard, 1) == 1 &&
	       heard == want;
}

bool
spawn_say(struct helper *helper, char octet, int64_t deadline)
{
	while (send(helper->hand, &octet, 1, MSG_NOSIGNAL) != 1) {
		if (errno == EPIPE || errno == ECONNRESET || clock_left(deadline) == 0)
			return false;
		(void)poll(NULL, 0, 1); /* what the system lacks for one octet it soon has again */
	}
	return true;
}

static void
hang_up(struct helper *helper)
{
	if (helper->hand >= 0)
		(void)close(helper->hand);
	helper->hand = -1;
}

/* To everything in the helper's group; it is not reaped yet, so its group is there. */
static void
kill_group(const struct helper *helper, int number)
{
	(void)identity_kill(
	    helper->uid, -helper->pid, number); /* the deadlines hold all the same */
}

void
spawn_call_off(struct helper *helper)
{
	hang_up(helper);
	kill_group(helper, SIGCONT);
}

/* Until the helper has ended; false at the deadline. */
static bool
await(struct helper *helper, int64_t deadline)
{
	if (!attend(helper, helper->pidfd, NULL, deadline))
		return false;
	(void)listen_to(helper); /* its last words */
	return true;
}

static int
reap(struct helper *helper)
{
	int status = 0;

	while (waitpid(helper->pid, &status, 0) < 0)
		if (errno != EINTR)
			return SIGKILL; /* as if a signal had ended it: later */
	return status;
}

struct meaning {
	int status;
	enum verdict verdict;
	const char *text;
};

/* As Postfix's pipe(8) maps sysexits. */
static const struct meaning meanings[] = {
    {EX_OK, VERDICT_YES, "2.0.0 delivered"},
    {EX_DATAERR, VERDICT_NEVER, "5.6.0 message refused"},
    {EX_NOUSER, VERDICT_NEVER, "5.1.1 no such mailbox here"},
    {EX_NOHOST, VERDICT_NEVER, "5.1.2 no such domain here"},
    {EX_UNAVAILABLE, VERDICT_NEVER, "5.3.0 message refused"},
    {EX_NOPERM, VERDICT_NEVER, "5.7.0 message refused"},
};

static struct meaning
meaning_of(int status)
{
	static const struct meaning later = {
	    0, VERDICT_LATER, "4.3.0 delivery failed; try again later"};

	if (!WIFEXITED(status))
		return later;
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (meanings[i].status == WEXITSTATUS(status))
			return meanings[i];
	return later;
}

/*
 * The deadline is over: bring the end about.  False if it does not come, as in a call to a disk that
 * hangs.  deliver is not killed: it was hung up on, and takes back what it did as soon as it can; a
 * deliver that was killed instead could not.
 */
static bool
stop(struct helper *helper, int64_t deadline)
{
	int64_t end = deadline + HELPER_GRACE * 1000;

	if (!helper->gentle)
		kill_group(helper, SIGTERM);
	kill_group(helper, SIGCONT); /* a stopped one hears of nothing else */
	if (await(helper, end))
		return true;
	if (helper->gentle)
		return false;
	kill_group(helper, SIGKILL);
	return await(helper, clock_now() + HELPER_GRACE * 1000);
}

/* It has ended, or is left behind. */
static void
conclude(struct helper *helper, bool ended, struct answer *answer)
{
	if (ended && helper->rest)
		kill_group(helper, SIGKILL);
	int status = ended ? reap(helper) : SIGKILL; /* of one that is left behind: later */
	struct meaning meaning = meaning_of(status);
	helper->killed = ended && !WIFEXITED(status);
	helper->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	(void)close(helper->says);
	if (helper->pidfd >= 0)
		(void)close(helper->pidfd);

	helper->said[helper->said_len] = 0;
	size_t line = strcspn(helper->said, "\r\n");
	char end = helper->said[line];
	helper->said[line] = 0;
	bool own = meaning.verdict != VERDICT_YES &&
		   answer_after_status(helper->said, meaning.text[0]) != NULL;
	if (helper->late && meaning.verdict == VERDICT_LATER)
		answer_set(answer, VERDICT_LATER, "4.3.0 delivery took too long; try again later");
	else
		answer_set(answer, meaning.verdict, own ? helper->said : meaning.text);
	helper->said[line] = end;
}

void
spawn_end(struct helper *helper, int64_t deadline, struct answer *answer)
{
	hang_up(helper);
	bool ended = await(helper, deadline);
	helper->late = helper->late || !ended;
	conclude(helper, ended || stop(helper, deadline), answer);
}

char
spawn_last_word(struct helper *helper, int whom, int64_t *deadline)
{
	struct pollfd listener = {whom, 0, 0};
	char heard = 0;

	helper->late = !attend(helper, helper->hand, &listener, *deadline);
	if (helper->late || listener.revents != 0) {
		(void)shutdown(helper->hand, SHUT_WR); /* of a socket pair: cannot fail */
		kill_group(helper, SIGCONT);
		*deadline = clock_now();
		(void)attend(helper, helper->hand, NULL, *deadline + HELPER_GRACE * 1000);
	}
	for (int tries = WORD_TRIES; tries > 0 && recv(helper->hand, &heard, 1, MSG_DONTWAIT) < 0;)
		tries--;
	return heard;
}

bool
spawn_next(struct helper *helper, const char *packet, size_t len, int message)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof message)] = {0};
	struct iovec all = {(void *)(uintptr_t)packet, len};
	struct msghdr msg = {.msg_iov = &all,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof control};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof message);
	memcpy(CMSG_DATA(c), &message, sizeof message);
	return sendmsg(helper->hand, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

void
spawn_dismiss(struct helper *helper)
{
	struct answer answer; /* it has said what there was to say */

	hang_up(helper);
	kill_group(helper, SIGKILL);
	conclude(helper, await(helper, clock_now() + HELPER_GRACE * 1000), &answer);
}

const char *
spawn_said(const struct helper *helper, char text[HELPER_SAYS_MAX + 1])
{
	(void)strcpy(text, helper->said);
	for (char *c = text; *c != 0; c++)
		if (*c == '\n')
			*c = c[1] == 0 ? ' ' : '/';
	return text;
}
