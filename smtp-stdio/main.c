/*
 * smtp-stdio -- one SMTP or LMTP session on descriptors 0 and 1.
 *
 * This is the only file that knows both halves: it reads the settings, makes the pair, forks before
 * a byte of the client's is read, locks the session in, and lets the two run.  See smtp-stdio(8).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "../sandbox/identity.h"
#include "../sandbox/landlock.h"
#include "../sandbox/large.h"
#include "../sandbox/rlimits.h"
#include "../sandbox/sandbox.h"
#include "../sandbox/signals.h"
#include "config.h"
#include "log.h"
#include "monitor.h"
#include "peer.h"
#include "session.h"
#include "stop.h"

static _Noreturn void
usage(void)
{
	log_line(LOG_ERR, "usage: smtp-stdio [-lT] [-C file] [-o \"Keyword value\"] ...");
	exit(EX_USAGE);
}

/* ---- settings ------------------------------------------------------------------------------ */

/* Bad settings stop the program before the client sees a greeting; a client that is there already
   is told to come again (RFC 5321 3.8). */
static _Noreturn void
bad_settings(const struct config_error *error)
{
	static const char text[] = "421 4.3.5 misconfigured; closing\r\n";
	struct stat st;
	char line[16] = ""; /* what is wrong in the whole has no line */

	if (error->line > 0)
		(void)snprintf(line, sizeof line, ":%u", error->line);
	log_line(LOG_ERR, "%s%s: %s%s%s", error->source != NULL ? error->source : "settings", line,
	    error->key, error->key[0] != 0 ? ": " : "", error->what);
	if (fstat(STDOUT_FILENO, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)!write(STDOUT_FILENO, text, sizeof text - 1); /* or nobody hears it */
	exit(EX_CONFIG);
}

/* Read a file into `text`; false if it is not there and need not be. */
static bool
slurp(const char *path, bool must, char text[CONFIG_MAX + 1], size_t *len)
{
	struct config_error error = {.source = path};
	ssize_t n = 0;

	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && !must)
		return false;
	*len = 0;
	while (
	    fd >= 0 && *len <= CONFIG_MAX && (n = read(fd, text + *len, CONFIG_MAX + 1 - *len)) > 0)
		*len += (size_t)n;
	if (fd < 0 || n < 0) {
		error.what = strerror(errno);
		bad_settings(&error);
	}
	if (*len > CONFIG_MAX) {
		error.what = "the file is too large";
		bad_settings(&error);
	}
	(void)close(fd); /* read only */
	return true;
}

struct arguments {
	const char *file;
	char *options[OPTIONS_MAX]; /* -o, in their order */
	size_t count;
	bool test;
};

static void
add_option(struct arguments *arguments, char *option)
{
	if (arguments->count == sizeof arguments->options / sizeof *arguments->options)
		usage();
	arguments->options[arguments->count++] = option;
}

static void
parse(struct arguments *arguments, int argc, char **argv)
{
	static char lmtp[] = "Protocol lmtp";
	int option;

	opterr = 0;
	while ((option = getopt(argc, argv, "C:lTo:")) != -1) {
		switch (option) {
		case 'C':
			arguments->file = optarg;
			break;
		case 'l':
			add_option(arguments, lmtp);
			break;
		case 'T':
			arguments->test = true;
			break;
		case 'o':
			add_option(arguments, optarg);
			break;
		default:
			usage();
		}
	}
	if (optind != argc)
		usage();
}

static void
settings(struct config *config, const struct arguments *arguments)
{
	static LARGE char text[CONFIG_MAX + 1], hostname[DOMAIN_MAX + 1];
	const char *path = arguments->file != NULL ? arguments->file : CONFIG_PATH;
	struct config_error error;
	size_t len;

	if (slurp(path, arguments->file != NULL, text, &len) &&
	    !config_parse(config, path, text, len, &error))
		bad_settings(&error);
	for (size_t i = 0; i < arguments->count; i++) {
		char *option = arguments->options[i];
		if (!config_parse(config, "-o", option, strlen(option), &error)) {
			error.line = (unsigned)i + 1;
			bad_settings(&error);
		}
	}
	if (gethostname(hostname, sizeof hostname - 1) < 0 || hostname[0] == 0)
		(void)strcpy(hostname, "localhost");
	if (!config_finish(config, hostname, &error))
		bad_settings(&error);
}

static void
print(const struct config *config)
{
	bool ok = true;

	for (unsigned key = 0; key < KEYWORDS; key++) {
		const char *const *values;
		size_t count = config_values(config, (enum keyword)key, &values);
		for (size_t i = 0; i < count; i++)
			ok = ok && dprintf(STDOUT_FILENO, "%s %s\n", config_name((enum keyword)key),
				       values[i]) > 0;
	}
	if (!ok)
		exit(EX_IOERR);
}

/* ---- the session's jail -------------------------------------------------------------------- */

static _Noreturn void
no_jail(const char *step)
{
	log_event(LOG_CRIT, "jail", "why=\"%s: %s\"", step, strerror(errno));
	_exit(EX_OSERR);
}

/* A root directory that is empty for ever: one that has been removed. */
static void
empty_root(void)
{
	static const char *const places[] = {"/dev/shm", "/run", "/tmp"};
	char name[64];

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		(void)snprintf(name, sizeof name, "%s/smtp-stdio.XXXXXX", places[i]);
		if (mkdtemp(name) == NULL)
			continue;
		int dir = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (rmdir(name) < 0 || dir < 0 || fchdir(dir) < 0 || chroot(".") < 0)
			no_jail("chroot");
		(void)close(dir);
		return;
	}
	no_jail("no directory for an empty root");
}

static void
jail(const struct config *config, const struct identity *who, int monitor, pid_t parent)
{
	if (dup2(monitor, SESSION_MONITOR) < 0 ||
	    syscall(SYS_close_range, SESSION_MONITOR + 1U, ~0U, 0U) < 0)
		no_jail("descriptors");
	if (geteuid() == 0) {
		empty_root();
		if (identity_become(who->uid, who->gid, (gid_t)-1) < 0)
			no_jail("SessionUser");
	}
	if (identity_keep_none() < 0)
		no_jail("capabilities");
	/* A super-server that stops tells all processes; the monitor decides when this one ends. */
	if (signal(SIGTERM, SIG_IGN) == SIG_ERR)
		no_jail("SIGTERM");
	/* After the change of identity, which forgets it.  However the monitor ends. */
	if (prctl(PR_SET_PDEATHSIG, (long)SIGKILL) < 0 || getppid() != parent)
		no_jail("death signal");
	if (sandbox_alone() < 0)
		no_jail("no_new_privs");
	switch (landlock_confine(NULL, 0)) {
	case LANDLOCK_DONE:
		break;
	case LANDLOCK_ABSENT:
		errno = ENOSYS;
		if (config->number[KEY_LANDLOCK])
			no_jail("Landlock is required");
		break;
	case LANDLOCK_FAILED:
		no_jail("Landlock");
	}
	if (rlimits_nothing() < 0)
		no_jail("resource limits");
	/* Nothing more can be said from here on; the monitor tells by the exit status. */
	if (close(STDERR_FILENO) < 0 || sandbox_filter(SANDBOX_SESSION) < 0)
		_exit(EX_NOPERM);
}

/* ---- the two halves ------------------------------------------------------------------------ */

static void
session_user(const struct config *config, struct identity *who)
{
	const char *name = config->text[KEY_SESSION_USER];

	who->uid = geteuid();
	who->gid = getegid();
	if (who->uid != 0)
		return; /* an ordinary user's server has one user */
	if (identity_find(name, who) != IDENTITY_FOUND || who->uid == 0) {
		struct config_error error = {.source = config->source[KEY_SESSION_USER],
		    .key = "SessionUser",
		    .what = "no such user, or root"};
		bad_settings(&error);
	}
}

/* Descriptors 0, 1 and 2 are open, so that none of ours can become one of them. */
static void
standard_descriptors(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		/* cppcheck-suppress leakReturnValNotUsed ; it stays open, as one of the three */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_CLOEXEC) != fd)
			_exit(EX_OSERR);
}

/* The kernel keeps the client's time on a socket. */
static void
client_timeouts(const struct config *config)
{
	const struct timeval limit = {.tv_sec = (time_t)config->number[KEY_COMMAND_TIMEOUT]};

	if (setsockopt(0, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
	    setsockopt(1, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0)
		log_error("the client's timeouts cannot be set: %s", strerror(errno));
}

/* The client speaks before it was greeted (RFC 5321 3.1): there is something to read within GreetDelay,
   and the session will. */
static bool
is_early(const struct config *config, const struct peer *peer, const sigset_t *mask)
{
	const struct timespec delay = {.tv_sec = (time_t)config->number[KEY_GREET_DELAY]};
	struct pollfd fd = {STDIN_FILENO, POLLIN, 0};
	int octets = 0;

	return peer->socket && ppoll(&fd, 1, &delay, mask) > 0 &&
	       ioctl(STDIN_FILENO, FIONREAD, &octets) == 0 && octets > 0;
}

static struct session_settings
session_settings(const struct config *config, const struct peer *peer, const sigset_t *mask)
{
	bool lmtp = config->number[KEY_PROTOCOL] != 0;
	bool one = config->text[KEY_DELIVER_COMMAND] != NULL && !lmtp; /* see commit.h */
	const struct smtp_settings smtp = {.hostname = config->text[KEY_HOSTNAME],
	    .protocol = config->users == USERS_NONE ? SMTP_NULL
			: lmtp                      ? SMTP_LMTP
						    : SMTP_SMTP,
	    .normalize = config->number[KEY_NEWLINES] != 0,
	    .size_limit = config->number[KEY_SIZE_LIMIT],
	    .octets_limit = config->number[KEY_SESSION_SIZE_LIMIT],
	    .recipient_limit = one ? 1 : (unsigned)config->number[KEY_RECIPIENT_LIMIT],
	    .message_limit = (unsigned)config->number[KEY_MESSAGE_LIMIT],
	    /* An LMTP client is a mail system of ours, whose errors are its own users'. */
	    .error_limit = lmtp ? UINT_MAX : (unsigned)config->number[KEY_ERROR_LIMIT]};

	return (struct session_settings){
	    .smtp = smtp, .waits = peer->socket, .early = is_early(config, peer, mask)};
}

static void
run(const struct config *config, const struct peer *peer, const char *session_id)
{
	sigset_t mask;
	struct identity who;
	pid_t parent = getpid();
	int pair[2];

	stop_hold(&mask);
	const struct session_settings settings = session_settings(config, peer, &mask);
	session_user(config, &who);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		no_jail("socketpair");
	pid_t session = fork();
	if (session < 0)
		no_jail("fork");
	if (session == 0) {
		jail(config, &who, pair[1], parent);
		session_run(&settings);
		_exit(0);
	}
	if (dup2(pair[0], MONITOR_PAIR) < 0 ||
	    syscall(SYS_close_range, MONITOR_PAIR + 1U, ~0U, 0U) < 0 ||
	    fcntl(MONITOR_PAIR, F_SETFD, FD_CLOEXEC) < 0 || prctl(PR_SET_DUMPABLE, 0L) < 0 ||
	    (geteuid() == 0 && identity_keep_few() < 0))
		no_jail("monitor");
	monitor_run(config, peer, session_id, session, who.uid, &mask);
}

/* A launcher's own way with the socket is not ours: a read waits, and SO_RCVTIMEO ends it. */
static void
blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0 && (flags & O_NONBLOCK) != 0)
		(void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK); /* fails for no open descriptor */
}

int
main(int argc, char **argv)
{
	static struct config config;
	struct arguments arguments = {0};
	struct peer peer;
	char session_id[SESSION_ID_MAX];

	standard_descriptors();
	signals_reset();
	blocking(STDIN_FILENO);
	blocking(STDOUT_FILENO);
	(void)rlimits_raise_files(); /* for many recipients; what there is will do otherwise */
	log_open(true);
	parse(&arguments, argc, argv);
	settings(&config, &arguments);
	if (arguments.test) {
		print(&config);
		return EX_OK;
	}
	peer_find(&peer);
	(void)snprintf(session_id, sizeof session_id, "%llx.%lx", (unsigned long long)time(NULL),
	    (unsigned long)getpid());
	log_session(session_id, peer.address);
	if (peer.port == LMTP_NOT && config.number[KEY_PROTOCOL]) {
		struct config_error error = {.source = config.source[KEY_PROTOCOL],
		    .key = "Protocol",
		    .what = "LMTP is not for port 25 (RFC 2033 5)"};
		bad_settings(&error);
	}
	if (peer.socket)
		client_timeouts(&config);
	run(&config, &peer, session_id);
	return EX_OK;
}
