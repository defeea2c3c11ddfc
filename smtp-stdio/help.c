/* help.c -- see help.h. */
#include "help.h"

#include "command.h"

static const struct {
	char topic[9];
	const char *text;
} texts[] = {
    {"", "EHLO HELO LHLO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP\n"
	 "A message: EHLO me, MAIL FROM:<sender>, RCPT TO:<recipient>, DATA, its lines, a dot\n"
	 "Lines end in CRLF; 250 after the dot means it is in the mailbox\n"
	 "HELP and a command's name tells more; HELP STATUS, where this session stands"},
    {"HELO", "HELO name\nBegins a session without extensions; forgets a message that was begun"},
    {"EHLO", "EHLO name\nBegins a session, lists the extensions; forgets a message that was begun"},
    {"LHLO", "LHLO name\nEHLO's name in LMTP, where each recipient gets an answer to the message"},
    {"MAIL", "MAIL FROM:<address> [SIZE=octets] [BODY=7BIT|8BITMIME|BINARYMIME] [SMTPUTF8]\n"
	     "Begins a message; <> is the sender of bounces"},
    {"RCPT", "RCPT TO:<address>\nNames a recipient, once for each; 250 means mail to it is taken"},
    {"DATA", "DATA\nAfter 354 send the message and end it with a line that is a dot\n"
	     "Put a dot before each line that begins with one"},
    {"BDAT",
	"BDAT octets [LAST]\nSo many octets of the message follow the line, without dots added\n"
	"LAST ends the message"},
    {"RSET", "RSET\nForgets the message that was begun"},
    {"NOOP", "NOOP [anything]\nDoes nothing"},
    {"QUIT", "QUIT\nEnds the session"},
    {"VRFY", "VRFY user or address [SMTPUTF8]\nAsks whether mail to it is taken, if that is told"},
    {"HELP", "HELP [command|STATUS]\nExplains a command, or tells where the session stands"},
};

const char *
help_text(const unsigned char *topic, size_t len)
{
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (command_is(topic, len, texts[i].topic))
			return texts[i].text;
	return NULL;
}
