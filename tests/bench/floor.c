/*
 * floor.c -- what make bench compares with: the same processes, the same jails and the same syncs as
 * smtp-stdio and deliver, and nothing else.
 *
 *   floor ROOT MAILDIR UID GID   one connection on descriptors 0 and 1; ROOT is an empty directory
 *   floor MAILDIR                one delivery of standard input
 *
 * It checks nothing: no settings, no look-up, no grammar, no limits, no log, no headers, no clock,
 * and a failure ends it.  As an ordinary user it leaves chroot and setuid out, as smtp-stdio does.
 */
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../sandbox/landlock.h"
#include "../../sandbox/sandbox.h"

enum {
	PAIR = 3,
	NOBODY = 65534,
	ROOM = 65536,
};

static char room[ROOM];

/* A step that may not fail. */
static int
must(long result)
{
	if (result < 0)
		_exit(1);
	return (int)result;
}

static void
become(uid_t uid, gid_t gid)
{
	if (geteuid() != 0)
		return;
	must(syscall(SYS_setgroups, 0L, NULL));
	must(syscall(SYS_setresgid, gid, gid, gid));
	must(syscall(SYS_setresuid, uid, uid, uid));
}

/* ---- deliver ------------------------------------------------------------------------------- */

static void
confine(int tmp, int new)
{
	const uint64_t name = LANDLOCK_MAY_MAKE | LANDLOCK_MAY_REMOVE | LANDLOCK_MAY_REFER;
	const struct landlock_grant grants[] = {
	    {tmp, name | LANDLOCK_MAY_WRITE | LANDLOCK_MAY_LIST}, {new, name}};

	must(sandbox_alone());
	must(landlock_confine(grants, 2));
	must(sandbox_filter(SANDBOX_DELIVER));
}

static _Noreturn void
deliver(const char *maildir)
{
	struct timespec now;
	char name[64];
	ssize_t n;

	int dir = must(open(maildir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int tmp = must(openat(dir, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int new = must(openat(dir, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	must(clock_gettime(CLOCK_REALTIME, &now));
	(void)snprintf(
	    name, sizeof name, "%lld.%ld.%ld", (long long)now.tv_sec, now.tv_nsec, (long)getpid());
	confine(tmp, new);
	int file = must(openat(tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	while ((n = read(0, room, sizeof room)) > 0)
		must(write(file, room, (size_t)n));
	must(n);
	must(fsync(file));
	must(close(file));
	must(linkat(tmp, name, new, name, 0));
	must(fsync(new));
	must(unlinkat(tmp, name, 0));
	_exit(0);
}

/* ---- session ------------------------------------------------------------------------------- */

static void
jail(const char *root)
{
	const struct rlimit none = {0, 0};

	must(dup2(PAIR + 1, PAIR));
	must(syscall(SYS_close_range, PAIR + 1U, ~0U, 0U));
	if (geteuid() == 0) {
		must(chdir(root));
		must(chroot("."));
	}
	become(NOBODY, NOBODY);
	must(sandbox_alone());
	must(landlock_confine(NULL, 0));
	must(setrlimit(RLIMIT_NPROC, &none));
	must(setrlimit(RLIMIT_NOFILE, &none));
	must(setrlimit(RLIMIT_CORE, &none));
	must(sandbox_filter(SANDBOX_SESSION));
}

/* A packet to the monitor, and its answer if there is one. */
static void
ask(const char *packet, size_t len, int answered)
{
	char answer;

	must(write(PAIR, packet, len));
	if (answered && read(PAIR, &answer, 1) != 1)
		_exit(1);
}

static const char *
command(const char *line, size_t len)
{
	switch (line[0]) {
	case 'E':
		return "250-mx.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n";
	case 'M':
	case 'R':
		ask(line, len, 1);
		return "250 ok\r\n";
	case 'D':
		return "354 go on\r\n";
	default:
		return "221 bye\r\n";
	}
}

/* One message: the client sends it whole and then waits. */
static size_t
message(size_t at)
{
	for (;;) {
		if (at >= 5 && memcmp(room + at - 5, "\r\n.\r\n", 5) == 0)
			break;
		ssize_t n = read(0, room + at, sizeof room - at);
		if (n <= 0)
			_exit(1);
		at += (size_t)n;
	}
	return at - 3;
}

static void
session(void)
{
	char out[1024] = "220 mx.test ESMTP\r\n", line[4096];
	size_t held = strlen(out);

	for (;;) {
		must(write(1, out, held));
		held = 0;
		ssize_t n = read(0, line, sizeof line);
		if (n <= 0)
			_exit(0);
		char *from = line, *lf;
		while ((lf = memchr(from, '\n', (size_t)(line + n - from))) != NULL) {
			const char *reply = command(from, (size_t)(lf - from));
			memcpy(out + held, reply, strlen(reply));
			held += strlen(reply);
			char verb = *from;
			from = lf + 1;
			if (verb == 'Q') {
				must(write(1, out, held));
				_exit(0);
			}
			if (verb != 'D')
				continue;
			must(write(1, out, held));
			room[0] = 'B';
			ask(room, message(1), 0);
			ask("E", 1, 1);
			memcpy(out, "250 ok\r\n", held = 8);
		}
	}
}

/* ---- monitor ------------------------------------------------------------------------------- */

static void
run_deliver(int text, char **argv)
{
	char self[] = "/proc/self/exe";
	char *args[] = {self, argv[2], NULL}, *environment[] = {NULL};
	int status = 0;

	must(lseek(text, 0, SEEK_SET));
	pid_t pid = must(vfork());
	if (pid == 0) {
		must(dup2(text, 0));
		must(syscall(SYS_close_range, PAIR, ~0U, 0U));
		become((uid_t)atoi(argv[3]), (gid_t)atoi(argv[4]));
		must(execve(self, args, environment));
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		_exit(1);
}

static void
monitor(char **argv)
{
	int text = -1;
	ssize_t n;

	while ((n = read(PAIR, room, sizeof room)) > 0) {
		if (room[0] == 'B') {
			text = must(memfd_create("message", MFD_CLOEXEC));
			must(write(text, room + 1, (size_t)n - 1));
			continue;
		}
		if (room[0] == 'E') {
			run_deliver(text, argv);
			must(close(text));
		}
		must(write(PAIR, "Y", 1));
	}
}

int
main(int argc, char **argv)
{
	int pair[2];

	if (argc == 2)
		deliver(argv[1]);
	if (argc != 5)
		return 64;
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	if (pair[0] != PAIR || pair[1] != PAIR + 1)
		return 1;
	pid_t child = must(fork());
	if (child == 0) {
		jail(argv[1]);
		session();
	}
	must(close(PAIR + 1));
	monitor(argv);
	return waitpid(child, NULL, 0) == child ? 0 : 1;
}
