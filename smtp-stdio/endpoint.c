/* endpoint.c -- see endpoint.h. */
#include "endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static void
set(struct endpoint *endpoint, int family, const void *octets, in_port_t port)
{
	endpoint->len = family == AF_INET ? 4 : 16;
	memcpy(endpoint->octets, octets, endpoint->len);
	endpoint->port = ntohs(port);
	(void)inet_ntop(family, octets, endpoint->text, sizeof endpoint->text); /* it has room */
}

void
endpoint_from(struct endpoint *endpoint, const struct sockaddr_storage *name)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	*endpoint = (struct endpoint){.text = "local"};
	if (name->ss_family == AF_INET) {
		memcpy(&v4, name, sizeof v4);
		set(endpoint, AF_INET, &v4.sin_addr, v4.sin_port);
	} else if (name->ss_family == AF_INET6) {
		memcpy(&v6, name, sizeof v6);
		if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
			set(endpoint, AF_INET, v6.sin6_addr.s6_addr + 12, v6.sin6_port);
		else
			set(endpoint, AF_INET6, v6.sin6_addr.s6_addr, v6.sin6_port);
	}
}
