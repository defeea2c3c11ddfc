/*
 * reply.h -- every reply, in one table: code, enhanced code (RFC 3463), text.  Pure.
 *
 * Nothing that the client sent is in any of them, but the address in the answers to VRFY and EXPN.
 */
#ifndef REPLY_H
#define REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "request.h"

enum reply {
	REPLY_STATUS,
	REPLY_HELP,
	REPLY_GREETING,
	REPLY_BYE,
	REPLY_HELO,
	REPLY_EHLO,
	REPLY_MAIL,
	REPLY_RCPT,
	REPLY_RESET,
	REPLY_NOOP,
	REPLY_VERIFIED,
	REPLY_CHUNK,
	REPLY_TAKEN,
	REPLY_FORWARD,
	REPLY_UNVERIFIED,
	REPLY_DATA,
	REPLY_TIMEOUT,
	REPLY_ERRORS,
	REPLY_MESSAGES_MANY,
	REPLY_OCTETS_MANY,
	REPLY_STRAY,
	REPLY_FOREIGN,
	REPLY_LATER,
	REPLY_RCPTS_MANY,
	REPLY_LINE_LONG,
	REPLY_LINE_BARE,
	REPLY_LINE_8BIT,
	REPLY_UNKNOWN,
	REPLY_CONTROL,
	REPLY_SYNTAX,
	REPLY_SYNTAX_HELO,
	REPLY_SYNTAX_MAIL,
	REPLY_SYNTAX_RCPT,
	REPLY_SYNTAX_VRFY,
	REPLY_SYNTAX_EXPN,
	REPLY_SYNTAX_BDAT,
	REPLY_ARGUMENT,
	REPLY_UNOFFERED,
	REPLY_NO_HELLO,
	REPLY_NESTED,
	REPLY_NO_MAIL,
	REPLY_NO_RCPT_LMTP,
	REPLY_BEGUN,
	REPLY_BINARY,
	REPLY_NO_HELP,
	REPLY_NULL_GREETING,
	REPLY_NULL,
	REPLY_NO_MAILBOX,
	REPLY_UTF8_MAIL,
	REPLY_REFUSED,
	REPLY_BARE_NEWLINE,
	REPLY_MOVED,
	REPLY_TOO_LARGE,
	REPLY_UTF8_RCPT,
	REPLY_NO_RCPT,
	REPLY_HOPS,
	REPLY_HASTY,
	REPLY_NEVER,
	REPLY_NO_PARAMETER,
	REPLIES,
	REPLY_NONE = REPLIES
};

/*
 * Write a reply with its CRLF; returns its length, at most REPLY_MAX.  `text`, if not NULL, stands
 * in the place of the table's; a line feed in it begins another line of the reply, and a line that
 * would be longer than RFC 5321 4.5.3.1.5 allows is cut off.
 */
size_t reply_write(char out[REPLY_MAX], enum reply reply, const char *text);

/*
 * Write a reply of the monitor's making: `reply` unless the text begins with an enhanced code of
 * the same class, which then says the code, too (4.2.2 is 452, 4.5.3 is 452, 5.2.2 is 552 ...).
 * An empty text leaves the table's.
 */
size_t reply_answer(char out[REPLY_MAX], enum reply reply, const struct answer *answer);

#endif
