/*
 * recipient.h -- who is this address: the places that it stands for.  Trusted side.
 */
#ifndef RECIPIENT_H
#define RECIPIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "place.h"
#include "request.h"

/* The monitor's own rule for the client's name, which goes into a header line and the log: 1 to
   DOMAIN_MAX letters, digits and ".-_:[]". */
bool recipient_host_rule(const unsigned char *host, size_t len);

/*
 * The monitor's own rule for what the session may send as a mailbox, shorter than RFC 5321's grammar;
 * request_decode has seen to it that it is printable UTF-8.  A local part of 1 to LOCAL_MAX octets;
 * then, but for "postmaster", and for VRFY and EXPN if `name_only`, an '@' and a domain of at most
 * DOMAIN_MAX: as the client's name, with characters that are not ASCII, or anything without blanks in
 * brackets.
 */
bool recipient_rule(const unsigned char *mailbox, size_t len, bool name_only);

/* The domain of an address without one. */
const char *recipient_domain(const struct config *config);

/* The places of an address, and how many there may be. */
struct places {
	struct place *at;
	size_t count, room;
};

/*
 * Look up an address that recipient_rule() has passed.  YES fills `places`; FORWARDED, too: with the
 * one place elsewhere that the address stands for.  All but YES set *text to the reply, which begins
 * with an enhanced code and stands until the next call.  Logs what the administrator must mend.  The
 * rules, in their order, are those of smtp-stdio.conf(5), "Who receives mail".
 */
enum verdict recipient_find(
    const struct config *config, const char *address, struct places *places, const char **text);

#endif
