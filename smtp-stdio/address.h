/*
 * address.h -- the paths of RFC 5321 4.1.2.  Pure.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "limits.h"

struct address {
	size_t len;   /* of text; 0: the null path <> */
	size_t local; /* octets of text before the '@'; len if there is no domain */
	char text[MAILBOX_MAX + 1];
};

/*
 * Read a path, "<" [source-route ":"] mailbox ">" or "<>", at the start of `in`; or a mailbox without
 * brackets, as Postfix and Exim take it from clients that forget them.
 *
 * Returns how many octets it takes, or 0 if there is no path.  The address is stored without its
 * source route and in one form: a local part is quoted only where it must be, so that all quoted
 * forms of a mailbox are the same text (RFC 5321 4.1.2).  The case of letters stays.  A local part
 * alone, without a domain, is taken only for "Postmaster", in any case (4.1.1.3).
 *
 * Octets that are not ASCII must be well-formed UTF-8, which the caller has seen to; they may stand in
 * a local part and a domain (RFC 6531 3.3).  One thing more than the RFCs' grammar, as in Postfix: '_'
 * in a domain.
 */
size_t address_path(const unsigned char *in, size_t len, struct address *address);

/*
 * Read all of `in` as a mailbox or a local part alone, with or without brackets: VRFY's and EXPN's
 * argument.
 * A local part alone has no '@' in it, not even in quotes.
 */
bool address_name(const unsigned char *in, size_t len, struct address *address);

/*
 * The argument of HELO and EHLO may be trusted in nothing, and RFC 5321 4.1.4 forbids to refuse mail
 * for it: as in Exim only its octets are looked at (letters, digits, ".-_:[]").
 */
bool address_hello(const unsigned char *in, size_t len);

#endif
