/*
 * recipient.h -- who is this address: trusted side.  Three answers from every look-up: yes, no, and
 * "cannot tell", which is never taken for a no.
 */
#ifndef RECIPIENT_H
#define RECIPIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "config.h"
#include "environment.h"
#include "limits.h"
#include "request.h"

struct recipient {
	bool foreign; /* a command takes the message, and cannot give it back: it is alone in it */
	uid_t uid;    /* whom to become, never 0 */
	gid_t gid;
	gid_t extra; /* MailGroup, or (gid_t)-1 */
	char address[MAILBOX_MAX + 1];
	char user[LOCAL_MAX + 1]; /* its local part as it was looked up */
	char domain[DOMAIN_MAX + 1];
	char home[PATH_OCTETS];         /* the directory of the user, or "" */
	char mailbox[PATH_OCTETS];      /* a path for deliver(8) */
	char forward[NEW_PATH_MAX + 1]; /* the address that it is forwarded to, or "" */
	dev_t device;                   /* of the directory, if `inode` is not 0 */
	ino_t inode;
};

/* The monitor's own rule for the client's name, which goes into a header line and the log: 1 to
   DOMAIN_MAX letters, digits and ".-_:[]". */
bool recipient_host_rule(const unsigned char *host, size_t len);

/*
 * The monitor's own rule for what the session may send as a mailbox, shorter than RFC 5321's grammar;
 * request_decode has seen to it that it is printable UTF-8.  A local part of 1 to LOCAL_MAX octets;
 * then, but for "postmaster", and for VRFY if `name_only`, an '@' and a domain of at most DOMAIN_MAX:
 * as the client's name, with characters that are not ASCII, or anything without blanks in brackets.
 */
bool recipient_rule(const unsigned char *mailbox, size_t len, bool name_only);

/*
 * Look an address up that recipient_rule() has passed.  YES and FORWARDED fill `recipient`; all but
 * YES set *text to the reply, which begins with an enhanced code and stands until the next call.  Logs
 * what the administrator must mend.
 */
enum verdict recipient_find(const struct config *config, const unsigned char *mailbox, size_t len,
    struct recipient *recipient, const char **text);

/* Fill in what a program is told of a recipient, and of the user that it runs as.  Stands until the next call. */
void recipient_facts(const struct recipient *recipient, struct facts *facts);

#endif
