/* reply.c -- see reply.h. */
#include "reply.h"

#include <string.h>

struct row {
	char code[4];
	char status
	    [6]; /* empty: RFC 2034 4 exempts the greeting, HELO's and EHLO's replies, and 354 */
	const char *text;
};

static const struct row table[] = {
    [REPLY_STATUS] = {"211", "2.0.0", ""},
    [REPLY_HELP] = {"214", "2.0.0", ""},
    [REPLY_GREETING] = {"220", "", ""},
    [REPLY_BYE] = {"221", "2.0.0", "goodbye"},
    [REPLY_HELO] = {"250", "", ""},
    [REPLY_EHLO] = {"250", "", ""},
    [REPLY_MAIL] = {"250", "2.1.0", "sender ok"},
    [REPLY_RCPT] = {"250", "2.1.5", "recipient ok"},
    [REPLY_RESET] = {"250", "2.0.0", "reset"},
    [REPLY_NOOP] = {"250", "2.0.0", "ok"},
    [REPLY_VERIFIED] = {"250", "2.1.5", "mailbox exists"},
    [REPLY_CHUNK] = {"250", "2.0.0", "chunk taken"},
    [REPLY_TAKEN] = {"250", "2.0.0", "delivered"},
    [REPLY_FORWARD] = {"251", "2.1.5", "user not local; will forward"},
    [REPLY_UNVERIFIED] = {"252", "2.5.2",
	"not verified; mail to it is accepted or refused at RCPT"},
    [REPLY_DATA] = {"354", "", "send the message; end it with CRLF.CRLF"},
    [REPLY_TIMEOUT] = {"421", "4.4.2", "nothing came for too long; closing"},
    [REPLY_ERRORS] = {"421", "4.7.0", "too many errors; closing"},
    [REPLY_MESSAGES_MANY] = {"421", "4.7.0", "enough messages for one connection; closing"},
    [REPLY_OCTETS_MANY] = {"421", "4.7.0", "enough octets for one connection; closing"},
    [REPLY_STRAY] = {"421", "4.5.0", "the next command cannot be found; closing"},
    [REPLY_FOREIGN] = {"421", "4.7.0", "this is a mail server; closing"},
    [REPLY_LATER] = {"451", "4.3.0", "not now; try again later"},
    [REPLY_RCPTS_MANY] = {"452", "4.5.3",
	"too many recipients; send the others in another message"},
    [REPLY_LINE_LONG] = {"500", "5.5.2", "line too long"},
    [REPLY_LINE_BARE] = {"500", "5.5.2", "a command ends in CRLF, not in a bare LF"},
    [REPLY_LINE_8BIT] = {"500", "5.5.2", "an octet that is neither ASCII nor UTF-8 in its place"},
    [REPLY_UNKNOWN] = {"500", "5.5.1", "unknown command"},
    [REPLY_CONTROL] = {"501", "5.5.2", "control character in a command"},
    [REPLY_SYNTAX] = {"501", "5.5.4", "this command takes no argument"},
    [REPLY_SYNTAX_HELO] = {"501", "", "want: a domain or address literal for a name"},
    [REPLY_SYNTAX_MAIL] = {"501", "5.5.4", "want: MAIL FROM:<address> [parameters]"},
    [REPLY_SYNTAX_RCPT] = {"501", "5.5.4", "want: RCPT TO:<address> [parameters]"},
    [REPLY_SYNTAX_VRFY] = {"501", "5.5.4", "want: VRFY user or address [SMTPUTF8]"},
    [REPLY_SYNTAX_EXPN] = {"501", "5.5.4", "want: EXPN list or address [SMTPUTF8]"},
    [REPLY_SYNTAX_BDAT] = {"501", "5.5.4", "want: BDAT octets [LAST]"},
    [REPLY_ARGUMENT] = {"501", "5.5.4", "parameter repeated, or with a wrong value"},
    [REPLY_UNOFFERED] = {"502", "5.5.1", "command not implemented"},
    [REPLY_NO_HELLO] = {"503", "5.5.1", "say hello first"},
    [REPLY_NESTED] = {"503", "5.5.1", "there is a sender already; RSET forgets it"},
    [REPLY_NO_MAIL] = {"503", "5.5.1", "say MAIL first"},
    [REPLY_NO_RCPT_LMTP] = {"503", "5.5.1", "no valid recipients"}, /* RFC 2033 4.2 */
    [REPLY_BEGUN] = {"503", "5.5.1", "the message has begun: BDAT goes on, RSET forgets it"},
    [REPLY_BINARY] = {"503", "5.5.1", "BINARYMIME goes by BDAT, not by DATA"},
    [REPLY_NO_HELP] = {"504", "5.5.4", "no help on that; HELP lists what there is"},
    [REPLY_NULL_GREETING] = {"521", "", ""},
    [REPLY_NULL] = {"521", "5.3.2", "no mail is taken here"},
    [REPLY_NO_MAILBOX] = {"550", "5.1.1", "no such mailbox here"},
    [REPLY_UTF8_MAIL] = {"550", "5.6.7", "an address that is not ASCII wants SMTPUTF8"},
    [REPLY_REFUSED] = {"550", "5.7.1", "refused"},
    [REPLY_BARE_NEWLINE] = {"550", "5.5.2",
	"message refused: a CR or LF that is not part of CRLF (RFC 5321 2.3.8)"},
    [REPLY_MOVED] = {"551", "5.1.6", "user not local"},
    [REPLY_TOO_LARGE] = {"552", "5.3.4", "message too large"},
    [REPLY_UTF8_RCPT] = {"553", "5.6.7", "an address that is not ASCII wants MAIL with SMTPUTF8"},
    [REPLY_NO_RCPT] = {"554", "5.5.1", "no valid recipients"},
    [REPLY_HOPS] = {"554", "5.4.6", "too many Received fields: the message goes round in a loop"},
    [REPLY_HASTY] = {"554", "5.5.0", "sent before the reply that it has to wait for; closing"},
    [REPLY_NEVER] = {"554", "5.0.0", "refused"},
    [REPLY_NO_PARAMETER] = {"555", "5.5.4", "unknown parameter"},
};

static size_t
put(char *out, size_t at, const char *text, size_t len)
{
	memcpy(out + at, text, len);
	return at + len;
}

static size_t
write_lines(char *out, const char code[4], const char *status, const char *text)
{
	size_t at = 0;

	for (unsigned lines = 0; lines < REPLY_LINES_MAX; lines++) {
		size_t status_len = strlen(status);
		size_t room = REPLY_LINE_MAX - sizeof "250 " + 1 - status_len - 1 - 2;
		const char *lf = strchr(text, '\n');
		size_t len = lf != NULL ? (size_t)(lf - text) : strlen(text);
		bool last = lf == NULL || lines == REPLY_LINES_MAX - 1;

		at = put(out, at, code, 3);
		at = put(out, at, last ? " " : "-", 1);
		if (status_len > 0) {
			at = put(out, at, status, status_len);
			at = put(out, at, " ", 1);
		}
		at = put(out, at, text, len < room ? len : room);
		at = put(out, at, "\r\n", 2);
		if (last)
			break;
		text = lf + 1;
	}
	return at;
}

size_t
reply_write(char out[REPLY_MAX], enum reply reply, const char *text)
{
	const struct row *row = &table[reply];

	return write_lines(out, row->code, row->status, text != NULL ? text : row->text);
}

size_t
reply_answer(char out[REPLY_MAX], enum reply reply, const struct answer *answer)
{
	const struct row *row = &table[reply];
	char status[sizeof "5.999.999"];

	if (answer->len == 0)
		return reply_write(out, reply, NULL);
	const char *text = answer_after_status(answer->text, row->code[0]);
	if (text == NULL)
		return reply_write(out, reply, answer->text);
	size_t n = (size_t)(text - answer->text) - 1;
	memcpy(status, answer->text, n);
	status[n] = 0;
	const char *telling = answer_code(status);
	return write_lines(out, telling != NULL ? telling : row->code, status, text);
}
