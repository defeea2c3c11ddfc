/* verbs.c -- see verbs.h. */
#include "verbs.h"

#include <string.h>

#include "events.h"
#include "help.h"
#include "word.h"

/* ---- what is permitted when ---------------------------------------------------------------- */

enum {
	IN_NEW = 1 << SMTP_NEW,
	IN_HELLO = 1 << SMTP_HELLO,
	IN_SPOILED = 1 << SMTP_SPOILED,
	IN_MAIL = 1 << SMTP_MAIL,
	IN_RCPT = 1 << SMTP_RCPT,
	IN_CHUNKS = 1 << SMTP_CHUNKS,
	ANY = IN_NEW | IN_HELLO | IN_SPOILED | IN_MAIL | IN_RCPT | IN_CHUNKS
};

/* RFC 5321 4.1.4.  `refusals` are for the phases, in their order, where the verb is not permitted. */
static const struct rule {
	unsigned char phases;
	bool bare;  /* takes no argument */
	bool now;   /* RFC 2920 3.2: a client that pipelines waits for the reply */
	bool alone; /* RFC 2920 3.1: nothing may come behind it before the reply */
	bool idle;  /* brings no message nearer */
	enum reply refusals[SMTP_PHASES];
} rules[VERBS] = {
    [VERB_UNKNOWN] = {ANY, false, true, false, false, {0}},
    [VERB_HELO] = {ANY, false, true, true, true, {0}},
    [VERB_EHLO] = {ANY, false, true, true, true, {0}},
    [VERB_LHLO] = {ANY, false, true, true, true, {0}},
    [VERB_MAIL] = {IN_HELLO | IN_SPOILED, false, false, false, false,
	{REPLY_NO_HELLO, 0, 0, REPLY_NESTED, REPLY_NESTED, REPLY_NESTED}},
    [VERB_RCPT] = {IN_MAIL | IN_RCPT, false, false, false, false,
	{REPLY_NO_HELLO, REPLY_NO_MAIL, REPLY_NO_MAIL, 0, 0, REPLY_BEGUN}},
    [VERB_DATA] = {IN_RCPT, true, true, true, false,
	{REPLY_NO_HELLO, REPLY_NO_MAIL, REPLY_NO_MAIL, REPLY_NO_RCPT, 0, REPLY_BEGUN}},
    [VERB_BDAT] = {IN_RCPT | IN_CHUNKS, false, false, false, false,
	{REPLY_NO_HELLO, REPLY_NO_MAIL, REPLY_TOO_LARGE, REPLY_NO_RCPT, 0, 0}},
    [VERB_RSET] = {ANY, true, false, false, true, {0}},
    [VERB_NOOP] = {ANY, false, true, true, true, {0}},
    [VERB_QUIT] = {ANY, true, true, false, false, {0}},
    [VERB_VRFY] = {ANY, false, true, true, true, {0}},
    [VERB_EXPN] = {ANY, false, true, true, true, {0}},
    [VERB_HELP] = {ANY, false, true, false, true, {0}},
    [VERB_UNOFFERED] = {ANY, false, true, false, false, {0}},
    [VERB_FOREIGN] = {ANY, false, true, false, false, {0}},
};

/* ---- texts --------------------------------------------------------------------------------- */

static size_t
put(char *out, size_t at, const char *text)
{
	size_t n = strlen(text);

	memcpy(out + at, text, n + 1);
	return at + n;
}

static size_t
put_number(char *out, size_t at, uint64_t n)
{
	char digits[SIZE_DIGITS + 1];
	size_t from = sizeof digits - 1;

	digits[from] = 0;
	do
		digits[--from] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	return put(out, at, digits + from);
}

/* "word n of m"; without "of m" where m is 0. */
static size_t
put_count(char *out, size_t at, const char *word, uint64_t n, uint64_t m)
{
	at = put_number(out, put(out, at, word), n);
	return m == 0 ? at : put_number(out, put(out, at, " of "), m);
}

/* ---- hello --------------------------------------------------------------------------------- */

/* RFC 5321 4.1.1.1: a keyword for each thing that a client may use and cannot take for granted. */
static void
reply_extensions(struct smtp *s)
{
	const struct smtp_settings *settings = s->settings;
	char text[REPLY_MAX];

	size_t at = put(text, 0, settings->hostname);
	at = put_count(text, at, "\nPIPELINING\nSIZE ", settings->size_limit, 0);
	at = put(text, at, "\n8BITMIME\nSMTPUTF8\nCHUNKING\nBINARYMIME\nENHANCEDSTATUSCODES");
	at = put_count(text, at, "\nLIMITS MAILMAX=", settings->message_limit, 0);
	at = put_count(text, at, " RCPTMAX=", settings->recipient_limit, 0);
	put(text, at, "\nHELP");
	events_reply_text(s, REPLY_EHLO, text);
}

static void
do_hello(struct smtp *s, const struct command *command)
{
	const char *protocol = command->verb == VERB_HELO   ? "SMTP "
			       : command->verb == VERB_EHLO ? "ESMTP "
							    : "LMTP ";

	if (!address_hello(command->argument, command->len)) {
		events_reply(s, REPLY_SYNTAX_HELO);
		return;
	}
	events_forget(s); /* RFC 5321 4.1.4: as RSET does */
	s->phase = SMTP_HELLO;
	s->pipelining = command->verb != VERB_HELO;
	size_t at = put(s->request, 0, protocol);
	memcpy(s->request + at, command->argument, command->len);
	events_tell(s, REQUEST_HELLO, s->request, at + command->len);
	if (command->verb == VERB_HELO)
		events_reply_text(s, REPLY_HELO, s->settings->hostname);
	else
		reply_extensions(s);
}

/* ---- the envelope -------------------------------------------------------------------------- */

/* The refusal of an argument of MAIL's or RCPT's. */
static enum reply
refusal_of(enum fine fine, enum reply syntax, enum reply utf8)
{
	switch (fine) {
	case FINE:
		return REPLY_NONE;
	case BAD_OCTETS:
	case BAD_CONTROL:
	case BAD_SYNTAX:
		return syntax;
	case BAD_PARAMETER:
		return REPLY_ARGUMENT;
	case NO_PARAMETER:
		return REPLY_NO_PARAMETER;
	case WANT_SMTPUTF8:
		return utf8;
	}
	return syntax;
}

static void
do_mail(struct smtp *s, const struct command *command)
{
	struct mail_arguments arguments;

	if (s->phase == SMTP_SPOILED)
		events_forget(s); /* what went before is over, whatever becomes of this */
	enum reply refusal =
	    refusal_of(command_mail(command, &arguments), REPLY_SYNTAX_MAIL, REPLY_UTF8_MAIL);
	if (refusal == REPLY_NONE && arguments.size > s->settings->size_limit)
		refusal = REPLY_TOO_LARGE;
	if (refusal != REPLY_NONE) {
		events_reply(s, refusal);
		return;
	}
	if (s->messages >= s->settings->message_limit) {
		events_give_up(s, REPLY_MESSAGES_MANY, NOTE_MESSAGES);
		return;
	}
	if (arguments.size > s->settings->octets_limit - s->octets) {
		events_give_up(s, REPLY_OCTETS_MANY, NOTE_OCTETS);
		return;
	}
	s->binary = arguments.binary;
	s->utf8 = arguments.utf8;
	unsigned form =
	    (unsigned)arguments.utf8 * FORM_UTF8 + (unsigned)arguments.binary * FORM_BINARY;
	size_t at = put_count(s->request, 0, "", form, 0);
	at = put(s->request, put_count(s->request, at, " ", arguments.size, 0), " ");
	memcpy(s->request + at, arguments.from.text, arguments.from.len);
	events_ask(s, REQUEST_FROM, s->request, at + arguments.from.len);
}

static void
do_rcpt(struct smtp *s, const struct command *command)
{
	enum reply refusal = refusal_of(
	    command_rcpt(command, s->utf8, &s->address), REPLY_SYNTAX_RCPT, REPLY_UTF8_RCPT);

	if (refusal == REPLY_NONE && s->recipients >= s->settings->recipient_limit) {
		refusal = REPLY_RCPTS_MANY;
		s->excess = ++s->overshoot > OVERSHOOT_MOST;
	}
	if (refusal != REPLY_NONE)
		events_reply(s, refusal);
	else
		events_ask(s, REQUEST_RCPT, s->address.text, s->address.len);
}

/* VRFY and EXPN. */
static void
do_look_up(
    struct smtp *s, const struct command *command, enum request_letter letter, enum reply syntax)
{
	enum reply refusal =
	    refusal_of(command_vrfy(command, &s->address), syntax, REPLY_UTF8_RCPT);

	if (refusal != REPLY_NONE)
		events_reply(s, refusal);
	else
		events_ask(s, letter, s->address.text, s->address.len);
}

/* ---- the message --------------------------------------------------------------------------- */

static void
do_data(struct smtp *s)
{
	if (s->binary) {
		events_reply(s, REPLY_BINARY);
		return;
	}
	body_begin(&s->body, s->settings->normalize);
	header_begin(&s->header);
	s->noted = false;
	s->mode = SMTP_BODY;
	events_reply(s, REPLY_DATA);
}

/* A chunk's octets follow the line whatever becomes of it (RFC 3030 2): one that is refused, because
   of its place or its size, is thrown away when it has been read. */
static void
do_bdat(struct smtp *s, const struct command *command, enum reply refusal)
{
	uint64_t size;
	bool last;

	if (command_bdat(command, &size, &last) != FINE) {
		events_reply(s, REPLY_SYNTAX_BDAT);
		events_give_up(s, REPLY_STRAY, NOTE_STRAY);
		return;
	}
	if (size > s->settings->octets_limit - s->octets) {
		events_give_up(s, REPLY_OCTETS_MANY, NOTE_OCTETS);
		return;
	}
	s->octets += size;
	if (refusal == REPLY_NONE && s->phase == SMTP_RCPT) {
		chunk_begin(&s->chunk, s->binary);
		header_begin(&s->header);
		s->phase = SMTP_CHUNKS;
	}
	if (refusal != REPLY_NONE)
		chunk_begin(&s->chunk, false);
	chunk_next(&s->chunk, size, last);
	if (refusal == REPLY_NONE && s->chunk.octets > s->settings->size_limit)
		refusal = REPLY_TOO_LARGE;
	/* One without octets brings no message nearer, nor one of a message that is refused. */
	s->excess = (size == 0 || s->phase == SMTP_SPOILED) && !last && ++s->junk > JUNK_MOST;
	s->refusal = refusal;
	s->noted = false;
	s->now = last;
	s->mode = SMTP_CHUNK;
}

/* ---- help ---------------------------------------------------------------------------------- */

/* Where the session stands, in numbers and words of our own. */
static void
reply_status(struct smtp *s)
{
	static const char *const phases[SMTP_PHASES] = {"no hello yet", "no message begun",
	    "a message refused", "a sender, no recipient", "a sender", "a message begun by BDAT"};
	const struct smtp_settings *settings = s->settings;
	char text[REPLY_MAX];

	size_t at = put(text, 0, settings->hostname);
	at = put(text, put(text, at, "\n"), phases[s->phase]);
	at = put_count(text, at, "; recipients ", s->recipients, settings->recipient_limit);
	at = put_count(text, at, "\nmessages ", s->messages, settings->message_limit);
	at = put_count(text, at, ", octets ", s->octets, settings->octets_limit);
	put_count(text, at, ", errors ", s->errors, settings->error_limit);
	events_reply_text(s, REPLY_STATUS, text);
}

static void
do_help(struct smtp *s, const struct command *command)
{
	bool lmtp = s->settings->protocol == SMTP_LMTP;
	const char *text = help_text(command->argument, command->len, lmtp);

	if (word_is(command->argument, command->len, "STATUS"))
		reply_status(s);
	else if (text != NULL)
		events_reply_text(s, REPLY_HELP, text);
	else
		events_reply(s, REPLY_NO_HELP);
}

/* ---- a command ----------------------------------------------------------------------------- */

static void
do_permitted(struct smtp *s, const struct command *command)
{
	switch (command->verb) {
	case VERB_HELO:
	case VERB_EHLO:
	case VERB_LHLO:
		do_hello(s, command);
		break;
	case VERB_MAIL:
		do_mail(s, command);
		break;
	case VERB_RCPT:
		do_rcpt(s, command);
		break;
	case VERB_DATA:
		do_data(s);
		break;
	case VERB_RSET:
		events_forget(s);
		events_reply(s, REPLY_RESET);
		break;
	case VERB_NOOP:
		events_reply(s, REPLY_NOOP);
		break;
	case VERB_QUIT:
		events_forget(s);
		events_reply(s, REPLY_BYE);
		s->mode = SMTP_SHUT;
		break;
	case VERB_VRFY:
		do_look_up(s, command, REQUEST_VERIFY, REPLY_SYNTAX_VRFY);
		break;
	case VERB_EXPN:
		do_look_up(s, command, REQUEST_EXPAND, REPLY_SYNTAX_EXPN);
		break;
	case VERB_HELP:
		do_help(s, command);
		break;
	case VERB_UNOFFERED:
		events_reply(s, REPLY_UNOFFERED);
		break;
	case VERB_UNKNOWN:
	case VERB_BDAT: /* its octets are to come, whether it is permitted or not */
	case VERB_FOREIGN:
	case VERBS:
		events_reply(s, REPLY_UNKNOWN);
		break;
	}
}

/* LMTP has a hello of its own, and none of SMTP's (RFC 2033 4.1). */
static enum verb
verb_here(const struct smtp *s, enum verb verb)
{
	bool lmtp = s->settings->protocol == SMTP_LMTP;

	if (verb == (lmtp ? VERB_HELO : VERB_LHLO) || (lmtp && verb == VERB_EHLO))
		return VERB_UNKNOWN;
	return verb;
}

/* Why the command is not permitted here, or REPLY_NONE. */
static enum reply
refusal_here(const struct smtp *s, const struct rule *rule)
{
	if (rule->phases & 1 << s->phase)
		return REPLY_NONE;
	enum reply refusal = rule->refusals[s->phase];
	return refusal == REPLY_NO_RCPT && s->settings->protocol == SMTP_LMTP ? REPLY_NO_RCPT_LMTP
									      : refusal;
}

static void
do_command(struct smtp *s, struct command *command)
{
	command->verb = verb_here(s, command->verb);
	const struct rule *rule = &rules[command->verb];
	enum reply refusal = refusal_here(s, rule);

	s->now = rule->now;
	s->alone = rule->alone || (!s->pipelining && command->verb != VERB_QUIT);
	s->excess = rule->idle && ++s->junk > JUNK_MOST;
	if (s->settings->protocol == SMTP_NULL && command->verb != VERB_QUIT)
		refusal = REPLY_NULL;
	if (command->verb == VERB_FOREIGN)
		events_give_up(s, REPLY_FOREIGN, NOTE_FOREIGN);
	else if (command->verb == VERB_BDAT)
		do_bdat(s, command, refusal);
	else if (rule->bare && command->len > 0 && refusal != REPLY_NULL)
		events_reply(s, REPLY_SYNTAX);
	else if (refusal != REPLY_NONE)
		events_reply(s, refusal);
	else
		do_permitted(s, command);
}

/* ---- a line -------------------------------------------------------------------------------- */

static void
begin_line(struct smtp *s)
{
	s->now = true;
	s->alone = !s->pipelining;
	s->excess = s->told = false;
}

/* A line that is not looked at further.  What comes behind a BDAT is not known then. */
static void
refuse_line(struct smtp *s, enum reply refusal, const struct command *command)
{
	if (command->verb == VERB_FOREIGN) {
		events_give_up(s, REPLY_FOREIGN, NOTE_FOREIGN);
		return;
	}
	events_reply(s, refusal);
	if (command->verb == VERB_BDAT)
		events_give_up(s, REPLY_STRAY, NOTE_STRAY);
}

void
verbs_refuse_bare(struct smtp *s)
{
	struct command command;

	begin_line(s);
	(void)command_parse(s->line, s->line_len, &command);
	refuse_line(s, REPLY_LINE_BARE, &command);
}

void
verbs_do_line(struct smtp *s)
{
	struct command command;

	begin_line(s);
	enum fine fine = command_parse(s->line, s->line_len, &command);
	if (s->line_long)
		refuse_line(s, REPLY_LINE_LONG, &command);
	else if (fine == BAD_OCTETS)
		refuse_line(s, REPLY_LINE_8BIT, &command);
	else if (fine == BAD_CONTROL)
		refuse_line(s, REPLY_CONTROL, &command);
	else
		do_command(s, &command);
}
