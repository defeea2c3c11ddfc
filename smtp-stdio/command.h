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
	VERB_MAIL,
	VERB_RCPT,
	VERB_DATA,
	VERB_RSET,
	VERB_NOOP,
	VERB_QUIT,
	VERB_VRFY,
	VERB_HELP,
	VERB_UNOFFERED, /* known and not implemented: EXPN SEND SOML SAML TURN */
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
	BAD_OCTETS,  /* 8-bit: RFC 5321 2.4 */
	BAD_CONTROL, /* a control character: 4.1.2 */
	BAD_SYNTAX,
	BAD_PARAMETER, /* a known parameter with a value that it cannot have, or twice */
	NO_PARAMETER,  /* an unknown one: 4.1.1.11 */
};

/* Take a line apart; `line` is without its CRLF. */
enum fine command_parse(const unsigned char *line, size_t len, struct command *command);

struct mail_arguments {
	struct address from;
	uint64_t size; /* SIZE=, RFC 1870; 0: not told.  Stops at UINT64_MAX */
};

/* "FROM:" path [parameters]: SIZE (RFC 1870), BODY (RFC 6152). */
enum fine command_mail(const struct command *command, struct mail_arguments *arguments);

/* "TO:" path [parameters], of which there are none. */
enum fine command_rcpt(const struct command *command, struct address *to);

#endif
