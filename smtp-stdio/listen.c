/*
 * smtp-listen -- start smtp-stdio for each connection to the sockets that it listens on.
 *
 * The one process of this project that lives long.  It reads nothing that a client sends, and writes
 * one thing to some of them: a 421.  What it needs it has from its start on: after that a connection
 * costs it no memory and no descriptor.  See smtp-listen(8).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "../sandbox/identity.h"
#include "../sandbox/signals.h"
#include "clock.h"
#include "journal.h"
#include "limits.h"
#include "log.h"
#include "notify.h"
#include "sockets.h"
#include "sources.h"

struct session {
	pid_t pid; /* 0: none */
	struct client client;
};

enum stage {
	STAGE_SERVING,
	STAGE_FINISHING, /* nothing is accepted, and sessions come to their end */
	STAGE_ENDING,    /* they got SIGTERM */
	STAGE_KILLING,   /* they got SIGKILL */
	STAGE_OVER
};

struct listener {
	char **program;     /* its path and its arguments */
	char **test;        /* the same, and -T */
	char **environment; /* the first names the client; without it for a client without a name */
	char remote[sizeof "REMOTE_ADDR=" + CLIENT_TEXT];

	const char *wanted[SOCKETS_MAX]; /* -l, in their order */
	size_t wanted_count;
	struct sockets sockets;
	int signals;
	struct session *sessions;
	unsigned most;
	struct sources sources;
	struct notify_counts counts;

	bool test_wanted;
	pid_t tester; /* 0: none */
	int64_t test_deadline;

	enum stage stage;
	int64_t grace, stage_deadline; /* milliseconds; as clock_now */
};

/* ---- starting a process -------------------------------------------------------------------- */

/*
 * The child of vfork: it shares our memory until it execs, so it changes none of it but `*failed`.
 * It gets a process group of its own, so that Ctrl-C on a terminal is for us to hear.
 */
static _Noreturn void
child(int fd, char *const *argv, char *const *environment, volatile int *failed)
{
	const struct sigaction normal = {.sa_handler = SIG_DFL};
	sigset_t none;

	(void)sigemptyset(&none);
	if (sigaction(SIGPIPE, &normal, NULL) == 0 && sigaction(SIGXFSZ, &normal, NULL) == 0 &&
	    sigprocmask(SIG_SETMASK, &none, NULL) == 0 && setpgid(0, 0) == 0 && dup2(fd, 0) == 0 &&
	    dup2(fd, 1) == 1)
		(void)execve(argv[0], argv, environment);
	*failed = errno;
	_exit(EX_OSERR);
}

/* Start a program with `fd` as its descriptors 0 and 1.  -1 with errno if it does not run. */
static pid_t
start(int fd, char *const *argv, char *const *environment)
{
	volatile int failed = 0;

	pid_t pid = vfork();
	if (pid == 0)
		child(fd, argv, environment, &failed);
	if (pid < 0 || failed == 0)
		return pid;
	errno = failed; /* reap() takes in what is left of it */
	return -1;
}

/* ---- connections --------------------------------------------------------------------------- */

/* The client hears why, and the listener waits for nothing. */
static void
turn_away(struct listener *l, int fd, const char *reply)
{
	char line[128];

	int n = snprintf(line, sizeof line, "%s\r\n", reply);
	(void)!send(fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL); /* or it does not hear */
	l->counts.turned_away++;
}

static void
beyond_limit(struct listener *l, int fd, const struct client *client, enum event event)
{
	static const struct {
		enum event event;
		char option;
		const char *reply;
	} limits[] = {
	    {EVENT_FULL, 'c', "421 4.3.2 too many connections; try again later"},
	    {EVENT_MANY, 's', "421 4.7.0 too many connections from your address; try again later"},
	    {EVENT_OFTEN, 'r', "421 4.7.0 too many connections in a second; try again later"},
	};
	size_t i = 0;

	while (limits[i].event != event)
		i++;
	turn_away(l, fd, limits[i].reply);
	journal_line(
	    event, client->text, "limit=-%c reply=\"%s\"", limits[i].option, limits[i].reply);
}

/* The place of that process; 0: a free one.  NULL if there is none. */
static struct session *
find(const struct listener *l, pid_t pid)
{
	for (unsigned i = 0; i < l->most; i++)
		if (l->sessions[i].pid == pid)
			return &l->sessions[i];
	return NULL;
}

static void
serve(struct listener *l, int fd, const struct client *client)
{
	struct session *session = find(l, 0);
	if (session == NULL) {
		beyond_limit(l, fd, client, EVENT_FULL);
		return;
	}
	switch (sources_enter(&l->sources, client, clock_now())) {
	case SOURCES_YES:
		break;
	case SOURCES_MANY:
		beyond_limit(l, fd, client, EVENT_MANY);
		return;
	case SOURCES_OFTEN:
		beyond_limit(l, fd, client, EVENT_OFTEN);
		return;
	}
	(void)snprintf(l->remote, sizeof l->remote, "REMOTE_ADDR=%s", client->text);
	pid_t pid = start(fd, l->program, l->environment + !client->counted);
	if (pid < 0) {
		char word[256];
		int why = errno;
		journal_line(EVENT_CANNOT_START, client->text, "program=%s error=\"%s\"",
		    log_word(word, sizeof word, l->program[0]), strerror(why));
		turn_away(l, fd, "421 4.3.0 service not available; try again later");
		sources_leave(&l->sources, client);
		return;
	}
	*session = (struct session){pid, *client};
	l->counts.sessions++;
	l->counts.started++;
}

/*
 * The connection is lost, or it never was one: accept(2) also tells what went wrong with it in the
 * network.  Whatever else it may be, the next attempt would fail alike, so it is put off: the
 * connections wait in the kernel.
 */
static void
cannot_accept(struct listening *listening)
{
	static const int passing[] = {EAGAIN, EINTR, ECONNABORTED, EPROTO, ENOPROTOOPT, ENETDOWN,
	    ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, ENONET, EOPNOTSUPP};

	for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
		if (errno == passing[i])
			return;
	listening->asleep = clock_now() + ACCEPT_PAUSE;
	journal_line(EVENT_CANNOT_ACCEPT, NULL, "address=%s error=\"%s\"", listening->address,
	    strerror(errno));
}

static void
take(struct listener *l, struct listening *listening)
{
	struct sockaddr_storage name = {0};
	socklen_t len = sizeof name;
	struct client client;

	int fd = accept4(listening->fd, (struct sockaddr *)&name, &len, SOCK_CLOEXEC);
	if (fd < 0) {
		cannot_accept(listening);
		return;
	}
	client_from(&client, &name);
	serve(l, fd, &client);
	(void)close(fd); /* what was written is the kernel's to send */
}

/* ---- the settings -------------------------------------------------------------------------- */

/* smtp-stdio reads its settings for each connection; a reload looks whether they are good. */
static void
tested(struct listener *l, int status)
{
	l->tester = 0;
	if (l->stage != STAGE_SERVING)
		return; /* nobody asks any more, and it was killed */
	l->counts.settings_are_bad = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	if (!l->counts.settings_are_bad)
		journal_line(EVENT_SETTINGS, NULL, "state=good");
	else if (WIFEXITED(status))
		journal_line(
		    EVENT_WRONG_SETTINGS, NULL, "state=wrong status=%d", WEXITSTATUS(status));
	else
		journal_line(
		    EVENT_WRONG_SETTINGS, NULL, "state=unknown signal=%d", WTERMSIG(status));
	notify_ready();
}

static void
test(struct listener *l)
{
	l->test_wanted = false;
	notify_reloading();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid = null < 0 ? -1 : start(null, l->test, l->environment + 1);
	int why = errno;
	if (null >= 0)
		(void)close(null); /* nothing was written */
	if (pid < 0) {
		journal_line(
		    EVENT_WRONG_SETTINGS, NULL, "state=unknown error=\"%s\"", strerror(why));
		notify_ready();
		return;
	}
	l->tester = pid;
	l->test_deadline = clock_now() + SETTINGS_LIMIT * 1000;
}

/* ---- the end ------------------------------------------------------------------------------- */

static void
tell_all(const struct listener *l, int number)
{
	for (unsigned i = 0; i < l->most; i++)
		if (l->sessions[i].pid != 0)
			(void)kill(l->sessions[i].pid, number); /* not reaped: it is there */
}

/* The next step to the end: at SIGTERM, and when the time for the last step is over. */
static void
stop(struct listener *l)
{
	const char *signal = "none";
	int64_t grace = l->grace;

	switch (l->stage) {
	case STAGE_SERVING:
		sockets_close(&l->sockets);
		if (l->tester != 0)
			(void)kill(l->tester, SIGKILL); /* not reaped: it is there */
		notify_stopping(grace / 1000 + ENDING_LIMIT + KILL_GRACE);
		break;
	case STAGE_FINISHING:
		tell_all(l, SIGTERM);
		signal = "SIGTERM";
		grace = ENDING_LIMIT * 1000;
		break;
	case STAGE_ENDING:
		tell_all(l, SIGKILL);
		signal = "SIGKILL";
		grace = KILL_GRACE * 1000;
		break;
	case STAGE_KILLING:
	case STAGE_OVER:
		l->stage = STAGE_OVER;
		return;
	}
	journal_line(EVENT_STOPPING, NULL, "sessions=%u signal=%s", l->counts.sessions, signal);
	l->stage++;
	l->stage_deadline = clock_now() + grace;
}

/* ---- what happens -------------------------------------------------------------------------- */

/* A session has ended, or, where we are process 1, anything else. */
static void
ended(struct listener *l, pid_t pid, int status)
{
	struct session *session = find(l, pid);

	if (session == NULL)
		return;
	if (!WIFEXITED(status))
		journal_line(EVENT_ENDED, session->client.text, "pid=%d signal=%d", (int)pid,
		    WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		journal_line(EVENT_ENDED, session->client.text, "pid=%d status=%d", (int)pid,
		    WEXITSTATUS(status));
	sources_leave(&l->sources, &session->client);
	session->pid = 0;
	l->counts.sessions--;
}

static void
reap(struct listener *l)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == l->tester)
			tested(l, status);
		else
			ended(l, pid, status);
	/* What accept(2) lacked may be there now. */
	for (size_t i = 0; i < l->sockets.count; i++)
		l->sockets.at[i].asleep = 0;
}

static void
hear(struct listener *l)
{
	struct signalfd_siginfo signal;

	while (read(l->signals, &signal, sizeof signal) == (ssize_t)sizeof signal)
		switch (signal.ssi_signo) {
		case SIGCHLD:
			reap(l);
			break;
		case SIGHUP:
			l->test_wanted = true;
			break;
		default:
			stop(l);
		}
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Do what is due; when something will be again. */
static int64_t
due(struct listener *l)
{
	int64_t now = clock_now();

	if (l->stage != STAGE_SERVING && l->stage_deadline <= now)
		stop(l);
	if (l->test_wanted && l->tester == 0 && l->stage == STAGE_SERVING)
		test(l);
	if (l->tester != 0 && l->test_deadline <= now)
		(void)kill(l->tester, SIGKILL); /* not reaped: it is there */
	int64_t next = earlier(journal_flush(now), notify_due(&l->counts, now));
	if (l->stage != STAGE_SERVING)
		next = earlier(next, l->stage_deadline);
	if (l->tester != 0 && l->test_deadline > now)
		next = earlier(next, l->test_deadline);
	return next;
}

/* One connection from each socket: what ends meanwhile is never far behind. */
static void
turn(struct listener *l)
{
	struct pollfd fds[1 + SOCKETS_MAX] = {{l->signals, POLLIN, 0}};
	int64_t next = due(l), now = clock_now();
	size_t count = l->sockets.count;

	for (size_t i = 0; i < count; i++) {
		const struct listening *listening = &l->sockets.at[i];
		bool asleep = listening->asleep > now;
		fds[1 + i] = (struct pollfd){asleep ? -1 : listening->fd, POLLIN, 0};
		if (asleep)
			next = earlier(next, listening->asleep);
	}
	if (poll(fds, 1 + count, clock_left(next)) < 0 && errno != EINTR)
		(void)poll(NULL, 0, ACCEPT_PAUSE); /* fewer descriptors are allowed than we have */
	hear(l);
	for (size_t i = 0; i < l->sockets.count; i++)
		if (fds[1 + i].revents != 0)
			take(l, &l->sockets.at[i]);
}

/* ---- the start ----------------------------------------------------------------------------- */

static _Noreturn void
usage(void)
{
	journal_die(EX_USAGE,
	    "usage: smtp-listen [-c sessions] [-g seconds] [-l address:port|path] "
	    "[-r connections] [-s sessions] [program [argument ...]]");
}

static unsigned
number(char option, const char *text, unsigned most)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != 0 || n < COUNT_LEAST || n > most)
		journal_die(
		    EX_USAGE, "-%c: want a number from %d to %u", option, COUNT_LEAST, most);
	return (unsigned)n;
}

/* Returns how many arguments were options. */
static int
parse(struct listener *l, int argc, char **argv)
{
	int option;

	opterr = 0;
	while ((option = getopt(argc, argv, "+c:g:l:r:s:")) != -1) {
		switch (option) {
		case 'c':
			l->most = number('c', optarg, SESSIONS_MOST);
			break;
		case 'g':
			l->grace = number('g', optarg, GRACE_MOST) * 1000;
			break;
		case 'l':
			if (l->wanted_count == SOCKETS_MAX)
				usage();
			l->wanted[l->wanted_count++] = optarg;
			break;
		case 'r':
			l->sources.most_per_second = number('r', optarg, SECOND_MOST);
			break;
		case 's':
			l->sources.most_sessions = number('s', optarg, SESSIONS_MOST);
			break;
		default:
			usage();
		}
	}
	return optind;
}

static void *
allocate(size_t count, size_t size)
{
	void *p = calloc(count, size);

	if (p == NULL)
		journal_die(EX_OSERR, "no memory for %zu sessions", count);
	return p;
}

/* The program that a name without a slash stands for, by PATH; for a name with one, itself. */
static char *
program_path(const char *name)
{
	const char *path = strchr(name, '/') != NULL ? "" : getenv("PATH");
	static char file[PATH_MAX];
	struct stat st;

	for (size_t n; path != NULL; path = path[n] != 0 ? path + n + 1 : NULL) {
		n = strcspn(path, ":");
		(void)snprintf(file, sizeof file, "%.*s%s%s", (int)n, path, n > 0 ? "/" : "", name);
		if (stat(file, &st) == 0 && S_ISREG(st.st_mode) && access(file, X_OK) == 0)
			return file;
	}
	journal_die(EX_UNAVAILABLE, "%s: there is no such program", name);
}

/* Arguments that begin with an option are for smtp-stdio. */
static void
prepare_program(struct listener *l, int argc, char **argv)
{
	static char own[] = SMTP_STDIO_PATH, dash_t[] = "-T";
	bool named = argc > 0 && argv[0][0] != '-';
	size_t count = (size_t)argc - named;

	l->program = allocate(count + 2, sizeof *l->program);
	l->test = allocate(count + 3, sizeof *l->test);
	memcpy(l->program + 1, argv + named, count * sizeof *argv);
	l->program[0] = program_path(named ? argv[0] : own);
	memcpy(l->test, l->program, (count + 1) * sizeof *argv);
	l->test[count + 1] = dash_t;
}

/* What a session inherits: not what is between systemd and us, nor what tells of another client. */
static void
prepare_environment(struct listener *l)
{
	static const char *const kept_back[] = {"NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=",
	    "REMOTE_ADDR=", "REMOTE_HOST=", "TCPREMOTEIP=", "SOCAT_PEERADDR="};
	size_t count = 0, kept = 1;

	while (environ[count] != NULL)
		count++;
	l->environment = allocate(count + 2, sizeof *l->environment);
	l->environment[0] = l->remote;
	for (size_t i = 0; i < count; i++) {
		bool keep = true;
		for (size_t k = 0; k < sizeof kept_back / sizeof *kept_back; k++)
			if (strncmp(environ[i], kept_back[k], strlen(kept_back[k])) == 0)
				keep = false;
		if (keep)
			l->environment[kept++] = environ[i];
	}
}

/* They are read as they come, between connections: a handler could starve, for poll(2) need not let
   a signal in while there is always another connection. */
static int
open_signals(void)
{
	sigset_t mask;

	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGCHLD);
	(void)sigaddset(&mask, SIGHUP);
	(void)sigaddset(&mask, SIGINT);
	(void)sigaddset(&mask, SIGTERM);
	int fd = sigprocmask(SIG_BLOCK, &mask, NULL) < 0
		     ? -1
		     : signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		journal_die(EX_OSERR, "signals: %s", strerror(errno));
	return fd;
}

static void
standard_descriptors(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		/* cppcheck-suppress leakReturnValNotUsed ; it stays open, as one of the three */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(EX_OSERR);
}

int
main(int argc, char **argv)
{
	static struct listener l = {.most = SESSIONS_DEFAULT,
	    .grace = GRACE_DEFAULT * 1000,
	    .sources = {.most_sessions = SOURCE_DEFAULT, .most_per_second = SECOND_DEFAULT}};

	standard_descriptors();
	signals_reset();
	journal_open();
	sockets_take(&l.sockets);
	l.signals = open_signals();
	int options = parse(&l, argc, argv);
	if (l.sockets.count + l.wanted_count == 0)
		journal_die(
		    EX_USAGE, "no socket to listen on: start it by its socket unit, or use -l");
	prepare_program(&l, argc - options, argv + options);
	prepare_environment(&l);
	for (size_t i = 0; i < l.wanted_count; i++)
		sockets_open(&l.sockets, l.wanted[i]);
	l.sessions = allocate(l.most, sizeof *l.sessions);
	l.sources.size = l.most + SOURCES_IDLE;
	l.sources.table = allocate(l.sources.size, sizeof *l.sources.table);
	/* The port is open. */
	if ((geteuid() == 0 ? identity_keep_for_exec() : identity_keep_none()) < 0)
		journal_die(EX_OSERR, "capabilities: %s", strerror(errno));
	notify_ready();
	while (l.stage == STAGE_SERVING || (l.stage != STAGE_OVER && l.counts.sessions > 0))
		turn(&l);
	(void)journal_flush(INT64_MAX);
	journal_line(EVENT_STOPPED, NULL, "sessions=%u started=%lu turned-away=%lu",
	    l.counts.sessions, (unsigned long)l.counts.started,
	    (unsigned long)l.counts.turned_away);
	return EX_OK;
}
