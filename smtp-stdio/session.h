/*
 * session.h -- the untrusted half: the only code that reads the network.
 */
#ifndef SESSION_H
#define SESSION_H

#include "smtp.h"

struct session_settings {
	struct smtp_settings smtp;
	bool
	    waits; /* the client is a program at the other end of a socket, and waits where it must */
	bool early; /* it did not wait for the greeting */
};

enum {
	SESSION_IN = 0,
	SESSION_OUT = 1,
	SESSION_MONITOR = 3 /* the session's end of the pair */
};

/*
 * Speak SMTP or LMTP on descriptors 0 and 1 until the client or the conversation is at its end.  Runs
 * in its jail: read, write and exit are all that it can do.  A read or write that the kernel times out
 * (SO_RCVTIMEO, SO_SNDTIMEO) ends the session, the first with a 421.
 */
void session_run(const struct session_settings *settings);

#endif
