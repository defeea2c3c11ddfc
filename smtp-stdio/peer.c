/* peer.c -- see peer.h. */
#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

union name {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage room;
};

/* An IPv4 address that came to an IPv6 socket is written as what it is. */
static bool
from_socket(struct peer *peer)
{
	union name name = {0};
	socklen_t len = sizeof name;
	const void *octets = NULL;

	if (getpeername(0, &name.any, &len) < 0)
		return false;
	int family = name.any.sa_family;
	if (family == AF_INET) {
		octets = &name.v4.sin_addr;
	} else if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&name.v6.sin6_addr)) {
		family = AF_INET;
		octets = &name.v6.sin6_addr.s6_addr[12];
	} else if (family == AF_INET6) {
		octets = &name.v6.sin6_addr;
	}
	return octets != NULL &&
	       inet_ntop(family, octets, peer->address, sizeof peer->address) != NULL;
}

static unsigned
own_port(void)
{
	union name name = {0};
	socklen_t len = sizeof name;

	if (getsockname(0, &name.any, &len) < 0)
		return 0;
	return name.any.sa_family == AF_INET    ? ntohs(name.v4.sin_port)
	       : name.any.sa_family == AF_INET6 ? ntohs(name.v6.sin6_port)
						: 0;
}

static bool
from_environment(struct peer *peer)
{
	static const char *const names[] = {
	    "REMOTE_ADDR", "TCPREMOTEIP", "SOCAT_PEERADDR", "REMOTE_HOST"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *value = getenv(names[i]);
		if (value == NULL)
			continue;
		/* An address goes into a header line: only what one is made of, without socat's brackets. */
		value += value[0] == '[';
		size_t n = strspn(value, "0123456789abcdefABCDEF.:");
		if (n == 0 || n >= sizeof peer->address || (value[n] != 0 && value[n] != ']'))
			continue;
		memcpy(peer->address, value, n);
		peer->address[n] = 0;
		return true;
	}
	return false;
}

void
peer_find(struct peer *peer)
{
	struct stat st;

	peer->socket = fstat(0, &st) == 0 && S_ISSOCK(st.st_mode);
	peer->port = own_port();
	if (!from_socket(peer) && !from_environment(peer))
		(void)strcpy(peer->address, "local");
}
