/* sockets.c -- see sockets.h. */
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "journal.h"
#include "log.h"

union name {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
	struct sockaddr_storage room;
};

/* ---- one socket, whoever made it ----------------------------------------------------------- */

/* Write the address as it is now, port 0 having become another.  False if the family is unknown. */
static bool
write_address(char *out, size_t size, int fd)
{
	char address[INET6_ADDRSTRLEN], path[sizeof(struct sockaddr_un) + 1] = "";
	union name name = {0};
	socklen_t len = sizeof name;

	if (getsockname(fd, &name.any, &len) < 0)
		return false;
	switch (name.any.sa_family) {
	case AF_INET:
		(void)inet_ntop(AF_INET, &name.v4.sin_addr, address, sizeof address);
		(void)snprintf(out, size, "%s:%u", address, ntohs(name.v4.sin_port));
		return true;
	case AF_INET6:
		(void)inet_ntop(AF_INET6, &name.v6.sin6_addr, address, sizeof address);
		(void)snprintf(out, size, "[%s]:%u", address, ntohs(name.v6.sin6_port));
		return true;
	case AF_UNIX:
		memcpy(path, name.local.sun_path, len - offsetof(struct sockaddr_un, sun_path));
		if (path[0] == 0)
			path[0] = '@'; /* an abstract one; unix(7) */
		(void)log_word(out, size, path);
		return true;
	default:
		return false;
	}
}

static void
add(struct sockets *sockets, int fd, const char *own, const char *name)
{
	char word[64];

	if (sockets->count == SOCKETS_MAX)
		journal_die(EX_CONFIG, "more than %d sockets", SOCKETS_MAX);
	struct listening *listening = &sockets->at[sockets->count++];
	listening->fd = fd;
	listening->own = own;
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    !write_address(listening->address, sizeof listening->address, fd))
		journal_die(EX_OSERR, "%s: %s", name, strerror(errno));
	journal_line(EVENT_LISTENING, NULL, "address=%s name=%s", listening->address,
	    log_word(word, sizeof word, name));
}

/* ---- handed over --------------------------------------------------------------------------- */

static bool
is_wanted(int fd)
{
	return sd_is_socket(fd, AF_INET, SOCK_STREAM, 1) > 0 ||
	       sd_is_socket(fd, AF_INET6, SOCK_STREAM, 1) > 0 ||
	       sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0;
}

void
sockets_take(struct sockets *sockets)
{
	char **names = NULL, word[64];

	int n = sd_listen_fds_with_names(1, &names);
	if (n < 0)
		journal_die(EX_OSERR, "the sockets of systemd: %s", strerror(-n));
	if (syscall(SYS_close_range, (unsigned)(SD_LISTEN_FDS_START + n), ~0U, 0U) < 0)
		journal_die(EX_OSERR, "close_range: %s", strerror(errno));
	for (int i = 0; i < n; i++) {
		const char *name = names != NULL ? names[i] : "unknown";
		if (!is_wanted(SD_LISTEN_FDS_START + i))
			journal_die(EX_CONFIG,
			    "%s: not a stream socket that listens; in its unit, Accept=no and "
			    "ListenStream=",
			    log_word(word, sizeof word, name));
		add(sockets, SD_LISTEN_FDS_START + i, NULL, name);
	}
	for (int i = 0; i < n && names != NULL; i++)
		free(names[i]);
	free(names);
}

/* ---- opened here --------------------------------------------------------------------------- */

/* The number of a port, or -1. */
static int
port_of(const char *text)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	return text[0] >= '0' && text[0] <= '9' && *end == 0 && port <= 65535 ? (int)port : -1;
}

/* "ADDRESS:PORT".  The length of the name, or 0 if that is not what it is. */
static socklen_t
parse_internet(union name *name, const char *where)
{
	char address[INET6_ADDRSTRLEN + 2]; /* and its brackets */
	const char *colon = strrchr(where, ':');
	size_t n = colon != NULL ? (size_t)(colon - where) : sizeof address;

	if (n == 0 || n >= sizeof address || port_of(colon + 1) < 0)
		return 0;
	memcpy(address, where, n);
	address[n] = 0;
	in_port_t port = htons((in_port_t)port_of(colon + 1));
	if (inet_pton(AF_INET, address, &name->v4.sin_addr) == 1) {
		name->v4.sin_family = AF_INET;
		name->v4.sin_port = port;
		return sizeof name->v4;
	}
	if (address[0] != '[' || address[n - 1] != ']')
		return 0;
	address[n - 1] = 0;
	if (inet_pton(AF_INET6, address + 1, &name->v6.sin6_addr) != 1)
		return 0;
	name->v6.sin6_family = AF_INET6;
	name->v6.sin6_port = port;
	return sizeof name->v6;
}

static socklen_t
parse(union name *name, const char *where)
{
	if (where[0] != '/')
		return parse_internet(name, where);
	if (strlen(where) >= sizeof name->local.sun_path)
		return 0;
	name->local.sun_family = AF_UNIX;
	(void)strcpy(name->local.sun_path, where);
	return sizeof name->local;
}

/* A socket's path that nobody listens on: the last one who did was killed. */
static bool
is_left_over(const union name *name)
{
	struct stat st;

	if (name->any.sa_family != AF_UNIX || lstat(name->local.sun_path, &st) < 0 ||
	    !S_ISSOCK(st.st_mode))
		return false;
	int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused = probe >= 0 && connect(probe, &name->any, sizeof name->local) < 0 &&
		       errno == ECONNREFUSED;
	if (probe >= 0)
		(void)close(probe); /* nothing was written */
	return refused;
}

void
sockets_open(struct sockets *sockets, const char *where)
{
	const int yes = 1;
	union name name = {0};
	char word[256];

	socklen_t len = parse(&name, where);
	(void)log_word(word, sizeof word, where);
	if (len == 0)
		journal_die(EX_USAGE, "-l %s: want 127.0.0.1:25, [::1]:25 or /a/short/path", word);
	if (is_left_over(&name))
		(void)unlink(name.local.sun_path); /* bind tells */
	int fd = socket(name.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* Everybody may connect who may pass the directory, as with systemd's SocketMode. */
	mode_t mask = umask(0111);
	bool up = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
		  bind(fd, &name.any, len) == 0 && listen(fd, SOMAXCONN) == 0;
	(void)umask(mask);
	if (!up)
		journal_die(EX_OSERR, "-l %s: %s", word, strerror(errno));
	add(sockets, fd, where[0] == '/' ? where : NULL, "-l");
}

void
sockets_close(struct sockets *sockets)
{
	for (size_t i = 0; i < sockets->count; i++) {
		struct listening *listening = &sockets->at[i];
		if (listening->own != NULL)
			(void)unlink(listening->own); /* it may have been removed, too */
		(void)close(listening->fd);           /* nothing was written */
	}
	sockets->count = 0;
}
