/*
 * command.h -- command lines: the verb, and the arguments of MAIL and RCPT.  Pure.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"

enum verb {
	VERB_UNKNOWN,
	VERB_HELO,
	VERB_EHLO,
	VERB_LHLO,
	VERB_MAIL,
	VERB_RCPT,
	VERB_DATA,
	VERB_BDAT,
	VERB_RSET,
	VERB_NOOP,
	VERB_QUIT,
	VERB_VRFY,
	VERB_EXPN,
	VERB_HELP,
	VERB_UNOFFERED, /* known and not implemented: SEND SOML SAML TURN ETRN AUTH STARTTLS */
	VERB_FOREIGN,   /* not a mail client's: the methods of HTTP */
	VERBS
};

struct command {
	enum verb verb;
	const unsigned char *argument; /* in the line, without white space around it */
	size_t len;
};

/* What is wrong with a line's octets or an argument, in the order in which it is looked for. */
enum fine {
	FINE,
	BAD_OCTETS,  /* 8-bit, where there may be none (RFC 5321 2.4), or no UTF-8 (RFC 6531 3.3) */
	BAD_CONTROL, /* a control character: 4.1.2 */
	BAD_SYNTAX,
	BAD_PARAMETER, /* a known parameter with a value that it cannot have, or twice */
	NO_PARAMETER,  /* an unknown one: 4.1.1.11 */
	WANT_SMTPUTF8, /* an address that is not ASCII, and not announced: RFC 6531 3.5 */
};

/*
 * Take a line apart; `line` is without its CRLF.  The verb is set even where the octets are bad.
 * Only MAIL, RCPT, VRFY and EXPN may have octets that are not ASCII.
 */
enum fine command_parse(const unsigned char *line, size_t len, struct command *command);

struct mail_arguments {
	struct address from;
	uint64_t size; /* SIZE=, RFC 1870; 0: not told.  Stops at UINT64_MAX */
	bool binary;   /* BODY=BINARYMIME, RFC 3030 */
	bool utf8;     /* SMTPUTF8, RFC 6531 */
};

/*
 * "FROM:" path [parameters]: SIZE (RFC 1870), BODY (RFC 6152, RFC 3030), SMTPUTF8 (RFC 6531).
 * As Postfix and Exim do, blanks before the path are passed over, and a mailbox without its brackets
 * is taken.
 */
enum fine command_mail(const struct command *command, struct mail_arguments *arguments);

/* "TO:" path [parameters], of which there are none.  `utf8`: MAIL had SMTPUTF8. */
enum fine command_rcpt(const struct command *command, bool utf8, struct address *to);

/* VRFY's and EXPN's mailbox or local part ["SMTPUTF8"] (RFC 6531 3.7.4.2). */
enum fine command_vrfy(const struct command *command, struct address *who);

/* BDAT's size ["LAST"] (RFC 3030 2).  The size stops at UINT64_MAX. */
enum fine command_bdat(const struct command *command, uint64_t *size, bool *last);

#endif
