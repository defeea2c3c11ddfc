/*
 * probe.c -- what a process can do in the jails.  For the tests; to be run as an ordinary user.
 *
 *     probe calls session|deliver
 *         Make every system call in that jail, each in a process of its own, by every entry that
 *         the processor has, and name those that were not fatal: "native 0".
 *     probe files session DIR
 *     probe files deliver DIR MAILBOX
 *     probe files keeper DIR MAILDIR
 *         Confine this process by Landlock as that program does, leave the filter out, try to do
 *         things in DIR (which has a file "there" and a directory "dir") and beyond, and say how
 *         each ended; deliver then also makes a delivery, and the keeper counts.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../deliver/limits.h"
#include "../deliver/mailbox.h"
#include "../sandbox/landlock.h"
#include "../sandbox/rlimits.h"
#include "../sandbox/sandbox.h"

enum {
	CALLS = 640,  /* more than there are: 470 in Linux 6.18 */
	PATIENCE = 3, /* s */
	NOT_IN_JAIL = 99
};

/* ---- system calls -------------------------------------------------------------------------- */

static void
native(long number)
{
	(void)syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
}

#ifdef __x86_64__
static void
x32(long number)
{
	(void)syscall(number | 0x40000000L, -1L, -1L, -1L, -1L, -1L, -1L);
}

static void
i386(long number)
{
	__asm__ volatile("int $0x80"
			 : "+a"(number)
			 : "b"(-1L), "c"(-1L), "d"(-1L), "S"(-1L), "D"(-1L)
			 : "memory", "r8", "r9", "r10", "r11");
}
#endif

static const struct entry {
	const char *name;
	void (*call)(long number);
} entries[] = {
    {"native", native},
#ifdef __x86_64__
    {"x32", x32},
    {"i386", i386},
#endif
};

/* As jail() of smtp-stdio/main.c. */
static bool
enter_session(void)
{
	return sandbox_alone() == 0 && landlock_confine(NULL, 0) != LANDLOCK_FAILED &&
	       rlimits_nothing() == 0 && sandbox_filter(SANDBOX_SESSION) == 0;
}

/* As main(), confine() and filter() of deliver/main.c. */
static bool
enter_deliver(void)
{
	return rlimits_files(FILES_MAX) == 0 && sandbox_alone() == 0 &&
	       landlock_confine(NULL, 0) != LANDLOCK_FAILED && sandbox_filter(SANDBOX_DELIVER) == 0;
}

/* The signal that the call ended its process by; 0: it came back. */
static int
end_of(bool (*enter)(void), const struct entry *entry, long number)
{
	const struct timespec patience = {.tv_sec = PATIENCE};
	sigset_t ends;
	int status;

	(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &ends, NULL);
	pid_t child = fork();
	if (child < 0)
		err(1, "fork");
	if (child == 0) {
		if (!enter())
			_exit(NOT_IN_JAIL);
		entry->call(number);
		(void)syscall(SYS_exit_group, 0L);
	}
	if (sigtimedwait(&ends, NULL, &patience) < 0)
		(void)kill(child, SIGKILL); /* a call that waits is no less admitted */
	if (waitpid(child, &status, 0) < 0)
		err(1, "waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_IN_JAIL)
		errx(1, "the jail cannot be entered");
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
try_calls(bool (*enter)(void))
{
	for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
		for (long number = -1; number < CALLS; number++) {
			int end = end_of(enter, &entries[i], number);
			if (end != SIGSYS)
				printf("%s %ld%s\n", entries[i].name, number,
				    end == SIGILL ? " SIGILL" : "");
		}
	}
}

/* ---- files --------------------------------------------------------------------------------- */

/* Sockets that were there before the jail. */
static struct sockaddr_in tcp = {.sin_family = AF_INET};
static struct sockaddr_un abstract = {.sun_family = AF_UNIX};

static int
opened(int at, const char *path, int flags)
{
	int fd = openat(at, path, flags, 0600);
	return fd < 0 ? -1 : close(fd);
}

static int
connected(const void *name, socklen_t len, int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		err(1, "socket");
	int r = connect(fd, name, len);
	int why = errno;
	(void)close(fd);
	errno = why;
	return r;
}

static int
bound(void)
{
	const struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"};

	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		err(1, "socket");
	return bind(fd, (const struct sockaddr *)&name, sizeof name);
}

static void
say(const char *what, int r)
{
	printf("%s: %s\n", what, r >= 0 ? "done" : strerror(errno));
}

static void
try_files(void)
{
	say("read", opened(AT_FDCWD, "there", O_RDONLY));
	say("write", opened(AT_FDCWD, "there", O_WRONLY));
	say("list", opened(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY));
	say("make", opened(AT_FDCWD, "made", O_WRONLY | O_CREAT));
	say("mkdir", mkdir("made", 0700));
	say("mkfifo", mkfifo("made", 0600));
	say("symlink", symlink("there", "made"));
	say("bind", bound());
	say("link", link("there", "dir/linked"));
	say("rename", rename("there", "moved"));
	say("rmdir", rmdir("dir"));
	say("unlink", unlink("there"));
	say("passwd", opened(AT_FDCWD, "/etc/passwd", O_RDONLY));
	say("abi 3 truncate", truncate("there", 0));
	say("abi 4 tcp", connected(&tcp, sizeof tcp, AF_INET));
	say("abi 6 abstract", connected(&abstract, sizeof abstract, AF_UNIX));
	say("abi 6 signal", kill(getppid(), 0));
	(void)fflush(stdout);
	say("execute", execl("/bin/echo", "echo", "execute: done", (char *)NULL));
}

static void
sockets(void)
{
	socklen_t tcp_len = sizeof tcp, abstract_len = sizeof abstract;
	int one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)snprintf(
	    abstract.sun_path + 1, sizeof abstract.sun_path - 1, "probe-%ld", (long)getpid());
	if (bind(one, (struct sockaddr *)&tcp, sizeof tcp) < 0 || listen(one, 1) < 0 ||
	    getsockname(one, (struct sockaddr *)&tcp, &tcp_len) < 0 ||
	    bind(other, (struct sockaddr *)&abstract, abstract_len) < 0 || listen(other, 1) < 0)
		err(1, "socket");
}

static void
confine(const struct landlock_grant *grants, size_t n)
{
	if (sandbox_alone() < 0)
		err(1, "no_new_privs");
	switch (landlock_confine(grants, n)) {
	case LANDLOCK_DONE:
		return;
	case LANDLOCK_ABSENT:
		errx(77, "no Landlock");
	case LANDLOCK_FAILED:
		err(1, "Landlock");
	}
}

/* A whole delivery; then what a Maildir's two directories, or an mbox's one, do not admit. */
static void
deliver_into(struct mailbox *box)
{
	bool done = mailbox_begin(box, "a@b") == FAULT_NONE &&
		    mailbox_write(box, "hello\n", 6) == FAULT_NONE &&
		    mailbox_stage(box) == FAULT_NONE && mailbox_commit(box) == FAULT_NONE;

	const struct maildir_place *in = &box->in.maildir.places[0];
	say("mailbox", done ? 0 : -1);
	if (box->kind == MAILBOX_MAILDIR) {
		say("read in new", opened(in->new, box->in.maildir.name, O_RDONLY));
		say("write in new", opened(in->new, box->in.maildir.name, O_WRONLY));
		say("list new", opened(in->new, ".", O_RDONLY | O_DIRECTORY));
		say("mkdir in new", mkdirat(in->new, "made", 0700));
		say("read in tmp", opened(in->tmp, box->in.maildir.name, O_RDONLY));
		say("mkdir in tmp", mkdirat(in->tmp, "made", 0700));
		say("the quota", opened(in->new, "../maildirsize", O_WRONLY));
		say("out of new", opened(in->new, "../cur/there", O_WRONLY));
	} else {
		say("write beside", opened(box->in.mbox.dir, "beside", O_WRONLY));
		say("read beside", opened(box->in.mbox.dir, "beside", O_RDONLY));
		say("mkdir beside", mkdirat(box->in.mbox.dir, "made", 0700));
	}
	mailbox_keep(box);
}

/* Words that no sound process says: the keeper answers none, and ends in good order. */
static bool
ends_at(struct keeper *k, const int32_t *word, size_t len)
{
	int pair[2], status;
	char answer;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		err(1, "socketpair");
	pid_t child = fork();
	if (child < 0)
		err(1, "fork");
	if (child == 0) {
		(void)close(pair[0]);
		k->fd = pair[1];
		keeper_serve(k);
		_exit(0);
	}
	(void)close(pair[1]);
	bool silent = write(pair[0], word, len) == (ssize_t)len && read(pair[0], &answer, 1) == 0;
	(void)close(pair[0]);
	return waitpid(child, &status, 0) == child && silent && status == 0;
}

static void
speak_to_keeper(struct keeper *k)
{
	/* turn, what, which, -, size (two) ... */
	static const int32_t words[][8] = {{0, 0, 1}, {0, 1, 1 << 20}, {0, 1, -1}, {0, 2, -2},
	    {0, 9, 0}, {0, -1, 0}, {0, 0, 0, 0, -1, -1}};
	bool all = ends_at(k, words[0], 5);

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		all = ends_at(k, words[i], sizeof words[i]) && all;
	say("nonsense is the end", all ? 0 : -1);
}

/* A maildirsize that is to be counted anew; then what its keeper may not do in the Maildir. */
static void
keep_quota(struct keeper *k)
{
	struct quota *q = &k->quotas[0];

	say("quota", quota_note(q, 6) == FAULT_NONE && quota_hold(q) == FAULT_NONE ? 0 : -1);
	quota_release(q, true);
	speak_to_keeper(k);
	say("mkdir in it", mkdirat(q->root, "made", 0700));
	say("symlink in it", symlinkat("there", q->root, "made"));
}

int
main(int argc, char **argv)
{
	static struct mailbox box;
	static struct keeper keeper;
	struct landlock_grant grants[MAILBOX_GRANTS];
	struct landlock_grant all[MAILBOXES_MAX];

	if (argc < 3 || geteuid() == 0)
		errx(64, "usage, not as root: probe calls session|deliver | files "
			 "session|deliver|keeper DIR [MAILBOX]");
	bool session = strcmp(argv[2], "session") == 0;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(argv[1], "calls") == 0) {
		try_calls(session ? enter_session : enter_deliver);
		return 0;
	}
	if (argc != (session ? 4 : 5) || chdir(argv[3]) < 0)
		err(1, "directory");
	sockets();
	printf("abi %ld\n", syscall(444, NULL, 0UL, 1L)); /* landlock_create_ruleset, version */
	if (session) {
		confine(NULL, 0);
	} else {
		bool kept = strcmp(argv[2], "keeper") == 0;
		const struct maildir_how how = {.make = true, .keeper = kept ? &keeper : NULL};
		enum fault fault = mailbox_open(&box, argv[4], &how);
		if (fault != FAULT_NONE)
			return fault_report(fault, errno, argv[4]);
		if (kept) {
			confine(all, keeper_grants(&keeper, all));
			keep_quota(&keeper);
		} else {
			confine(grants, mailbox_grants(&box, grants));
			deliver_into(&box);
		}
	}
	try_files();
	return 0;
}
