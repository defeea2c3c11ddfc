/* help.c -- see help.h. */
#include "help.h"

#include "word.h"

enum {
	IN_SMTP = 1,
	IN_LMTP = 2,
	IN_BOTH = IN_SMTP | IN_LMTP
};

static const struct {
	char topic[5];
	unsigned char where;
	const char *text;
} texts[] = {
    {"", IN_SMTP,
	"EHLO HELO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP\n"
	"A message: EHLO me, MAIL FROM:<sender>, RCPT TO:<recipient>, DATA, its lines, a dot\n"
	"Lines end in CRLF; 250 after the dot means it is in the mailbox\n"
	"HELP and a command's name tells more; HELP STATUS, where this session stands"},
    {"", IN_LMTP,
	"LHLO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP\n"
	"A message: LHLO me, MAIL FROM:<sender>, RCPT TO:<recipient>, DATA, its lines, a dot\n"
	"Lines end in CRLF; each recipient has a reply after the dot\n"
	"HELP and a command's name tells more; HELP STATUS, where this session stands"},
    {"HELO", IN_SMTP,
	"HELO name\nBegins a session without extensions; forgets a message that was begun"},
    {"EHLO", IN_SMTP,
	"EHLO name\nBegins a session, lists the extensions; forgets a message that was begun"},
    {"LHLO", IN_LMTP,
	"LHLO name\nBegins a session, lists the extensions; forgets a message that was begun"},
    {"MAIL", IN_BOTH,
	"MAIL FROM:<address> [SIZE=octets] [BODY=7BIT|8BITMIME|BINARYMIME] [SMTPUTF8]\n"
	"Begins a message; <> is the sender of bounces"},
    {"RCPT", IN_BOTH,
	"RCPT TO:<address>\nNames a recipient, once for each; 250 means mail to it is taken"},
    {"DATA", IN_BOTH,
	"DATA\nAfter 354 send the message and end it with a line that is a dot\n"
	"Put a dot before each line that begins with one"},
    {"BDAT", IN_BOTH,
	"BDAT octets [LAST]\nSo many octets of the message follow the line, without dots added\n"
	"LAST ends the message"},
    {"RSET", IN_BOTH, "RSET\nForgets the message that was begun"},
    {"NOOP", IN_BOTH, "NOOP [anything]\nDoes nothing"},
    {"QUIT", IN_BOTH, "QUIT\nEnds the session"},
    {"VRFY", IN_BOTH,
	"VRFY user or address [SMTPUTF8]\nAsks whether mail to it is taken, if that is told"},
    {"HELP", IN_BOTH,
	"HELP [command|STATUS]\nExplains a command, or tells where the session stands"},
};

const char *
help_text(const unsigned char *topic, size_t len, bool lmtp)
{
	unsigned here = lmtp ? IN_LMTP : IN_SMTP;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if ((texts[i].where & here) != 0 && word_is(topic, len, texts[i].topic))
			return texts[i].text;
	return NULL;
}
