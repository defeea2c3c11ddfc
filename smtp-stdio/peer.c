/* peer.c -- see peer.h. */
#include "peer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "endpoint.h"

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
	struct sockaddr_storage theirs = {0}, ours = {0};
	socklen_t theirs_len = sizeof theirs, ours_len = sizeof ours;
	struct endpoint there, here;
	struct stat st;

	/* What fails leaves a name that is none. */
	(void)getpeername(0, (struct sockaddr *)&theirs, &theirs_len);
	(void)getsockname(0, (struct sockaddr *)&ours, &ours_len);
	endpoint_from(&there, &theirs);
	endpoint_from(&here, &ours);
	peer->socket = fstat(0, &st) == 0 && S_ISSOCK(st.st_mode);
	peer->port = here.port;
	if (there.len > 0 || !from_environment(peer))
		(void)strcpy(peer->address, there.text);
}
