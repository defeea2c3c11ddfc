/*
 * fuzz_peer.c -- who is at the other end, by what the kernel or the environment says: an address that
 * means the same when it is read back, or "local", and nothing else gets into a header line; and what
 * smtp-listen counts it as.
 *
 * Input: an octet for the families of both ends; two for the port of ours; 16 for the address of theirs; a
 * line for each of the variables.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../smtp-stdio/sources.h"
#include "fuzz.h"

/* The kernel and the environment are here. */
static const char *variable(const char *name);
static int name_of(const struct sockaddr_storage *end, struct sockaddr *name, socklen_t *len);
static struct sockaddr_storage theirs_is, ours_is;

#define getenv(name)               variable(name)
#define getpeername(fd, name, len) name_of(&theirs_is, name, len)
#define getsockname(fd, name, len) name_of(&ours_is, name, len)
#include "../smtp-stdio/peer.c" /* for its calls */
#undef getenv
#undef getpeername
#undef getsockname

enum {
	VALUES = 4,
	VALUE_MOST = 256
};

static char values[VALUES][VALUE_MOST];

static const char *
variable(const char *name)
{
	static const char *const names[VALUES] = {
	    "REMOTE_ADDR", "TCPREMOTEIP", "SOCAT_PEERADDR", "REMOTE_HOST"};

	for (size_t i = 0; i < VALUES; i++)
		if (strcmp(name, names[i]) == 0)
			return values[i][0] != 0 ? values[i] : NULL;
	demand(false, "peer: another variable");
	return NULL;
}

static int
name_of(const struct sockaddr_storage *end, struct sockaddr *name, socklen_t *len)
{
	if (end->ss_family == AF_UNSPEC)
		return -1; /* it is no socket */
	demand(*len >= sizeof *end, "peer: too little room");
	memcpy(name, end, sizeof *end);
	*len = end->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	return 0;
}

static void
set_end(
    struct sockaddr_storage *end, unsigned family, const unsigned char octets[16], in_port_t port)
{
	static const sa_family_t families[] = {AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};

	memset(end, 0, sizeof *end);
	end->ss_family = families[family % 4];
	memcpy(&v4.sin_addr, octets, sizeof v4.sin_addr);
	memcpy(&v6.sin6_addr, octets, sizeof v6.sin6_addr);
	if (end->ss_family == AF_INET)
		memcpy(end, &v4, sizeof v4);
	if (end->ss_family == AF_INET6)
		memcpy(end, &v6, sizeof v6);
}

/* The text is that address in the one form that RFC 5952 recommends; which 64 bits it counts as. */
static void
check_kernels(const char *text, const struct client *client, const unsigned char octets[16])
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool v6 = theirs_is.ss_family == AF_INET6 && memcmp(octets, mapped, sizeof mapped) != 0;
	const unsigned char *four = theirs_is.ss_family == AF_INET ? octets : octets + 12;
	unsigned char back[16];
	char again[INET6_ADDRSTRLEN];
	uint64_t source = 0;

	if (v6) {
		demand(inet_pton(AF_INET6, text, back) == 1 && memcmp(back, octets, 16) == 0,
		    "peer: another IPv6 address");
		for (int i = 0; i < 8; i++)
			source = source * 256 + octets[i];
	} else {
		(void)snprintf(
		    again, sizeof again, "%u.%u.%u.%u", four[0], four[1], four[2], four[3]);
		demand(strcmp(text, again) == 0, "peer: another IPv4 address");
		for (int i = 0; i < 4; i++)
			source = source * 256 + four[i];
	}
	demand(strcmp(client->text, text) == 0 && client->counted && client->source == source,
	    "client: another source");
}

/* The first variable that is nothing but digits, letters up to f, dots and colons, in brackets or not. */
static void
check_environments(const char *text)
{
	for (size_t i = 0; i < VALUES; i++) {
		const char *value = values[i] + (values[i][0] == '[');
		size_t len = 0;
		while (value[len] != 0 && strchr("0123456789.:abcdefABCDEF", value[len]) != NULL)
			len++;
		if (len == 0 || len > 45 || (value[len] != 0 && value[len] != ']'))
			continue;
		demand(
		    strlen(text) == len && memcmp(text, value, len) == 0, "peer: another address");
		return;
	}
	demand(strcmp(text, "local") == 0, "peer: an address of nobody");
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const unsigned char ours[16] = {127, 0, 0, 1};
	unsigned char octets[16];
	struct input in = {data, size};
	struct peer peer;
	struct client client;

	unsigned families = input_octet(&in), port = input_octet(&in) << 8;
	port |= input_octet(&in);
	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = (unsigned char)input_octet(&in);
	set_end(&theirs_is, families, octets, 1);
	set_end(&ours_is, families >> 2, ours, htons((in_port_t)port));
	for (size_t i = 0; i < VALUES; i++)
		(void)input_line(&in, values[i], sizeof *values);

	memset(&peer, 0xa5, sizeof peer);
	peer_find(&peer);
	client_from(&client, &theirs_is);
	bool internet = theirs_is.ss_family == AF_INET || theirs_is.ss_family == AF_INET6;
	bool has_port = ours_is.ss_family == AF_INET || ours_is.ss_family == AF_INET6;
	demand(peer.port == (has_port ? port : 0), "peer: another port");
	if (internet)
		check_kernels(peer.address, &client, octets);
	else
		check_environments(peer.address);
	demand(internet || (!client.counted && strcmp(client.text, "local") == 0),
	    "client: counts a Unix socket");
	return 0;
}
