/* endpoint.h -- one end of a connection, as the kernel names it.  Pure. */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <stddef.h>
#include <sys/socket.h>

#include "limits.h"

struct endpoint {
	char text[CLIENT_TEXT];   /* IPv4 or IPv6, or "local" */
	unsigned char octets[16]; /* the address */
	size_t len;               /* its octets: 4, 16, or 0 if it is neither */
	unsigned port;            /* 0: none */
};

/* Of what accept(2), getpeername(2) or getsockname(2) tells.  An IPv4 address that came to an IPv6
   socket is what it is. */
void endpoint_from(struct endpoint *endpoint, const struct sockaddr_storage *name);

#endif
