/*
 * place.h -- a place that a message goes to.  An address of the envelope stands for one or several.
 * Trusted side.
 */
#ifndef PLACE_H
#define PLACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "environment.h"
#include "limits.h"

enum place_kind {
	PLACE_MAILBOX, /* deliver(8) writes it, and can take it back */
	PLACE_COMMAND, /* takes the message, and cannot give it back */
	PLACE_FORWARD, /* nor can ForwardCommand, which takes the message to an address elsewhere */
};

struct place {
	enum place_kind kind;
	size_t address; /* which one of the envelope's it is for */
	uid_t uid;      /* whom to become, never 0 */
	gid_t gid;
	gid_t extra;                   /* MailGroup, or (gid_t)-1 */
	char local[LOCAL_MAX + 1];     /* the local-part that was looked up, in small letters */
	char user[LOCAL_MAX + 1];      /* as it was looked up, without the extension */
	char extension[LOCAL_MAX + 1]; /* as the client wrote it: what is behind the '+', or "" */
	char domain[DOMAIN_MAX + 1];
	char home[PATH_OCTETS]; /* the directory of the user, or "" */
	/* A mailbox's path for deliver(8); the text of an alias's command, or "" for DeliverCommand;
	   the address that is forwarded to. */
	char text[PATH_OCTETS];
	/* Of a mailbox, if `inode` is not 0 (users_locate()): the directory that it lies in, and where in
	   `text` its name there begins.  Whatever paths lead to a mailbox, these are the same. */
	dev_t device;
	ino_t inode;
	size_t name;
};

/* A mailbox whose path ends in a slash. */
bool place_is_maildir(const struct place *place);

/* Copy `len` octets in small letters, as far as ASCII goes, and end them. */
void place_small(char *out, const char *text, size_t len);

/*
 * Fill in what a program is told of a recipient, whose address the client wrote so: with its place, or,
 * if it has several, NULL.  Stands until the next call.
 */
void place_facts(const struct place *place, const char *address, struct facts *facts);

#endif
