/*
 * floor.c -- what the race compares with: what must be done for a message by a process that is started for it,
 * and nothing else.  (A deliver may take several messages of a connection; these do not.)
 *
 *   floor listen PORT PROGRAM ARG ...   start PROGRAM for each connection to 127.0.0.1:PORT
 *   floor bare MAILDIR UID GID          a session on descriptors 0 and 1: one process, and a helper
 *                                       for each message
 *   floor jailed ROOT MAILDIR UID GID   the same processes, jails and syncs as smtp-stdio and deliver
 *                                       have; ROOT is an empty directory
 *   floor deliver MAILDIR               the helpers: one delivery of standard input
 *   floor confined MAILDIR
 *
 * It checks nothing: no settings, no look-up, no grammar, no limits, no log, no headers, no clock,
 * and a failure ends it.
 */
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
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
deliver(const char *maildir, int confined)
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
	if (confined)
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

/* What a session does with an envelope, with octets of a message (there is room for one more before
   them), and with its end. */
struct way {
	void (*envelope)(const char *, size_t);
	void (*text)(char *, size_t);
	void (*end)(void);
};

static const char *
command(const struct way *way, const char *line, size_t len)
{
	switch (line[0]) {
	case 'E':
		return "250-mx.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n";
	case 'H':
		return "250 mx.test\r\n";
	case 'M':
	case 'R':
		way->envelope(line, len);
		return "250 ok\r\n";
	case 'D':
		return "354 go on\r\n";
	default:
		return "221 bye\r\n";
	}
}

/* One message: the client sends it whole and then waits.  The three octets of its end may come in
   pieces, so the last five of what came are kept back. */
static void
message(const struct way *way)
{
	enum {
		END = 5
	};
	char *text = room + 1; /* behind the letter of a packet */
	size_t held = 0;

	for (;;) {
		ssize_t n = read(0, text + held, sizeof room - 1 - held);
		if (n <= 0)
			_exit(1);
		held += (size_t)n;
		if (held < END)
			continue;
		if (memcmp(text + held - END, "\r\n.\r\n", END) == 0)
			break;
		way->text(text, held - END);
		memmove(text, text + held - END, END);
		held = END;
	}
	way->text(text, held - 3);
	way->end();
}

static void
session(const struct way *way)
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
			const char *reply = command(way, from, (size_t)(lf - from));
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
			message(way);
			memcpy(out, "250 ok\r\n", held = 8);
		}
	}
}

/* ---- one process --------------------------------------------------------------------------- */

static char *maildir;
static char *helper;
static uid_t owner;
static gid_t group;
static int spooled = -1;

static void
nothing(const char *line, size_t len)
{
	(void)line;
	(void)len;
}

static void
spool(char *text, size_t len)
{
	if (spooled < 0)
		spooled = must(memfd_create("message", MFD_CLOEXEC));
	must(write(spooled, text, len));
}

static void
hand_over(void)
{
	char self[] = "/proc/self/exe";
	char *args[] = {self, helper, maildir, NULL}, *environment[] = {NULL};
	int status = 0;

	must(lseek(spooled, 0, SEEK_SET));
	pid_t pid = must(vfork());
	if (pid == 0) {
		must(dup2(spooled, 0));
		must(syscall(SYS_close_range, PAIR, ~0U, 0U));
		become(owner, group);
		must(execve(self, args, environment));
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		_exit(1);
	must(close(spooled));
	spooled = -1;
}

/* ---- two processes ------------------------------------------------------------------------- */

static void
jail(const char *root)
{
	const struct rlimit none = {0, 0};

	must(dup2(PAIR + 1, PAIR));
	must(syscall(SYS_close_range, PAIR + 1U, ~0U, 0U));
	must(chdir(root));
	must(chroot("."));
	become(NOBODY, NOBODY);
	must(sandbox_alone());
	must(landlock_confine(NULL, 0));
	must(setrlimit(RLIMIT_NPROC, &none));
	must(setrlimit(RLIMIT_NOFILE, &none));
	must(setrlimit(RLIMIT_CORE, &none));
	must(sandbox_filter(SANDBOX_SESSION));
}

/* A packet to the monitor, and its answer. */
static void
ask(const char *packet, size_t len)
{
	char answer;

	must(write(PAIR, packet, len));
	if (read(PAIR, &answer, 1) != 1)
		_exit(1);
}

static void
send_text(char *text, size_t len)
{
	text[-1] = 'B';
	must(write(PAIR, text - 1, len + 1));
}

static void
ask_end(void)
{
	ask("E", 1);
}

static void
monitor(void)
{
	ssize_t n;

	while ((n = read(PAIR, room, sizeof room)) > 0) {
		if (room[0] == 'B') {
			spool(room + 1, (size_t)n - 1);
			continue;
		}
		if (room[0] == 'E')
			hand_over();
		must(write(PAIR, "Y", 1));
	}
}

static _Noreturn void
jailed(const char *root)
{
	static const struct way way = {ask, send_text, ask_end};
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	if (pair[0] != PAIR || pair[1] != PAIR + 1)
		_exit(1);
	pid_t child = must(fork());
	if (child == 0) {
		jail(root);
		session(&way);
	}
	must(close(PAIR + 1));
	monitor();
	_exit(waitpid(child, NULL, 0) == child ? 0 : 1);
}

/* ---- listener ------------------------------------------------------------------------------ */

static _Noreturn void
serve(const char *port, char **program)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	const int on = 1;

	at.sin_port = htons((uint16_t)atoi(port));
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int listener = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	must(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
	must(bind(listener, (const struct sockaddr *)&at, sizeof at));
	must(listen(listener, SOMAXCONN));
	(void)signal(SIGCHLD, SIG_IGN); /* nobody waits for them */
	for (;;) {
		/* cppcheck-suppress nullPointer ; accept4(2): who calls may not want to be told */
		int client = must(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
		pid_t pid = must(vfork());
		if (pid == 0) {
			(void)signal(SIGCHLD, SIG_DFL);
			must(dup2(client, 0));
			must(dup2(client, 1));
			(void)execv(program[0], program);
			_exit(127);
		}
		must(close(client));
	}
}

/* ---- main ---------------------------------------------------------------------------------- */

static void
own(char **argv)
{
	maildir = argv[0];
	owner = (uid_t)atoi(argv[1]);
	group = (gid_t)atoi(argv[2]);
}

int
main(int argc, char **argv)
{
	static const struct way bare = {nothing, spool, hand_over};
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "listen") == 0 && argc > 3)
		serve(argv[2], argv + 3);
	if (strcmp(what, "deliver") == 0 && argc == 3)
		deliver(argv[2], 0);
	if (strcmp(what, "confined") == 0 && argc == 3)
		deliver(argv[2], 1);
	if (strcmp(what, "bare") == 0 && argc == 5) {
		own(argv + 2);
		helper = "deliver";
		session(&bare);
	}
	if (strcmp(what, "jailed") == 0 && argc == 6) {
		own(argv + 3);
		helper = "confined";
		jailed(argv[2]);
	}
	return 64;
}
