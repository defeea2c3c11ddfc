/*
 * environment.h -- the environment of a program that delivers, filters or checks: Postfix's names and
 * qmail's.  Pure.
 */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include <stdint.h>

#include "limits.h"

/* What such a program may know.  NULL: it is not told. */
struct facts {
	const char *id; /* the message */
	const char *sender;
	uint64_t size; /* as MAIL declared it, or 0 */
	/* the client */
	const char *address, *helo, *protocol;
	const char *hostname; /* ours */
	/* the recipient, as it is delivered, and as the client wrote it */
	const char *recipient, *original;
	const char *local, *domain, *extension;
	/* whom the program runs as */
	const char *user, *home;
};

enum {
	VARIABLES = 19
};

struct environment {
	char *variables[VARIABLES + 1]; /* as execve(2) takes them */
	char text[VARIABLES][PATH_OCTETS + 24];
};

/*
 * "NAME=value" for each that is not NULL, and of nothing that was inherited.  In what may have come
 * from a client every octet that a shell could take for more than a letter, and a dash in front, is made
 * a '_'; what is left is what Postfix lets pass, and characters that are not ASCII.  A value ends where PATH_OCTETS do.
 */
void environment_make(struct environment *environment, const struct facts *facts);

#endif
