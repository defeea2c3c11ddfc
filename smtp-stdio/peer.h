/* peer.h -- who is at the other end of descriptor 0. */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>

#include "limits.h"

struct peer {
	bool socket;   /* descriptor 0 is a socket: the kernel can keep the client's time */
	unsigned port; /* of our end; 0: none, or not known */
	char address[CLIENT_TEXT]; /* IPv4 or IPv6, or "local" */
};

/* From getpeername(2); where that tells nothing, from the environment of tcpserver, socat, stunnel
   or systemd, if it holds an address. */
void peer_find(struct peer *peer);

#endif
