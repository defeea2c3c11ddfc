/* smtp.c -- see smtp.h. */
#include "smtp.h"

#include <string.h>

/* ---- events that are owed ------------------------------------------------------------------ */

static void
owe(struct smtp *s, struct smtp_event event)
{
	if (s->owed_to < SMTP_OWED)
		s->owed[s->owed_to++] = event;
}

static void
owe_reply(struct smtp *s, size_t len, bool now)
{
	owe(s, (struct smtp_event){.what = SMTP_REPLY,
		   .now = now,
		   .octets = (const unsigned char *)s->reply,
		   .len = len});
}

static void
reply_text(struct smtp *s, enum reply which, const char *text)
{
	owe_reply(s, reply_write(s->reply, which, text), s->now);
}

static void
reply(struct smtp *s, enum reply which)
{
	reply_text(s, which, NULL);
}

static void
tell(struct smtp *s, enum request_letter letter, const char *data, size_t len)
{
	owe(s, (struct smtp_event){.what = SMTP_TELL,
		   .letter = letter,
		   .octets = (const unsigned char *)data,
		   .len = len});
}

static void
ask(struct smtp *s, enum request_letter letter)
{
	owe(s, (struct smtp_event){.what = SMTP_ASK,
		   .letter = letter,
		   .octets = (const unsigned char *)s->address.text,
		   .len = s->address.len});
	s->question = letter;
	s->mode = SMTP_HELD;
}

/* The one place where a transaction is forgotten. */
static void
forget(struct smtp *s)
{
	if (s->phase == SMTP_MAIL || s->phase == SMTP_RCPT) {
		tell(s, REQUEST_RESET, "", 0);
		s->phase = SMTP_HELLO;
	}
	s->recipients = 0;
}

/* ---- what is permitted when ---------------------------------------------------------------- */

enum {
	IN_NEW = 1 << SMTP_NEW,
	IN_HELLO = 1 << SMTP_HELLO,
	IN_MAIL = 1 << SMTP_MAIL,
	IN_RCPT = 1 << SMTP_RCPT,
	ANY = IN_NEW | IN_HELLO | IN_MAIL | IN_RCPT
};

enum argument {
	ARGUMENT_NONE, /* there must be none */
	ARGUMENT_OWN   /* the verb looks at it itself */
};

/* RFC 5321 4.1.4.  `refusals` are for the phases, in their order, where the verb is not permitted. */
static const struct rule {
	unsigned char phases;
	enum argument argument;
	bool now; /* RFC 2920 3.2: a client that pipelines waits for the reply */
	enum reply refusals[SMTP_PHASES];
} rules[VERBS] = {
    [VERB_UNKNOWN] = {ANY, ARGUMENT_OWN, true, {0}},
    [VERB_HELO] = {ANY, ARGUMENT_OWN, true, {0}},
    [VERB_EHLO] = {ANY, ARGUMENT_OWN, true, {0}},
    [VERB_MAIL] = {IN_HELLO, ARGUMENT_OWN, false, {REPLY_NO_HELLO, 0, REPLY_NESTED, REPLY_NESTED}},
    [VERB_RCPT] = {IN_MAIL | IN_RCPT, ARGUMENT_OWN, false, {REPLY_NO_HELLO, REPLY_NO_MAIL, 0, 0}},
    [VERB_DATA] = {IN_RCPT, ARGUMENT_NONE, true, {REPLY_NO_HELLO, REPLY_NO_MAIL, REPLY_NO_RCPT, 0}},
    [VERB_RSET] = {ANY, ARGUMENT_NONE, false, {0}},
    [VERB_NOOP] = {ANY, ARGUMENT_OWN, true, {0}},
    [VERB_QUIT] = {ANY, ARGUMENT_NONE, true, {0}},
    [VERB_VRFY] = {ANY, ARGUMENT_OWN, true, {0}},
    [VERB_HELP] = {ANY, ARGUMENT_OWN, true, {0}},
    [VERB_UNOFFERED] = {ANY, ARGUMENT_OWN, true, {0}},
};

/* ---- the commands -------------------------------------------------------------------------- */

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

static void
do_hello(struct smtp *s, const struct command *command)
{
	bool extended = command->verb == VERB_EHLO;
	char text[REPLY_MAX];

	if (!address_hello(command->argument, command->len)) {
		reply(s, REPLY_SYNTAX_HELO);
		return;
	}
	forget(s); /* RFC 5321 4.1.4: as RSET does */
	s->phase = SMTP_HELLO;
	size_t at = put(s->hello, 0, extended ? "ESMTP " : "SMTP ");
	memcpy(s->hello + at, command->argument, command->len);
	tell(s, REQUEST_HELLO, s->hello, at + command->len);

	at = put(text, 0, s->settings->hostname);
	if (extended) {
		at = put(text, at, "\nPIPELINING\nSIZE ");
		at = put_number(text, at, s->settings->size_limit);
		put(text, at, "\n8BITMIME\nENHANCEDSTATUSCODES");
	}
	reply_text(s, extended ? REPLY_EHLO : REPLY_HELO, text);
}

static void
do_mail(struct smtp *s, const struct command *command)
{
	struct mail_arguments arguments;

	enum fine fine = command_mail(command, &arguments);
	switch (fine) {
	case FINE:
		break;
	case BAD_OCTETS:
	case BAD_CONTROL:
	case BAD_SYNTAX:
		reply(s, REPLY_SYNTAX_MAIL);
		return;
	case BAD_PARAMETER:
		reply(s, REPLY_ARGUMENT);
		return;
	case NO_PARAMETER:
		reply(s, REPLY_NO_PARAMETER);
		return;
	}
	if (arguments.size > s->settings->size_limit) {
		reply(s, REPLY_TOO_LARGE);
		return;
	}
	s->address = arguments.from;
	ask(s, REQUEST_FROM);
}

static void
do_rcpt(struct smtp *s, const struct command *command)
{
	switch (command_rcpt(command, &s->address)) {
	case FINE:
		break;
	case BAD_OCTETS:
	case BAD_CONTROL:
	case BAD_SYNTAX:
		reply(s, REPLY_SYNTAX_RCPT);
		return;
	case BAD_PARAMETER:
	case NO_PARAMETER:
		reply(s, REPLY_NO_PARAMETER);
		return;
	}
	if (s->recipients >= s->settings->recipient_limit)
		reply(s, REPLY_RCPTS_MANY);
	else
		ask(s, REQUEST_RCPT);
}

static void
do_vrfy(struct smtp *s, const struct command *command)
{
	if (address_name(command->argument, command->len, &s->address))
		ask(s, REQUEST_VERIFY);
	else
		reply(s, REPLY_SYNTAX_VRFY);
}

static void
do_data(struct smtp *s)
{
	body_begin(&s->body);
	s->mode = SMTP_BODY;
	reply(s, REPLY_DATA);
}

static void
do_command(struct smtp *s, const struct command *command)
{
	const struct rule *rule = &rules[command->verb];

	s->now = rule->now;
	if (rule->argument == ARGUMENT_NONE && command->len > 0) {
		reply(s, REPLY_SYNTAX);
		return;
	}
	if (!(rule->phases & 1 << s->phase)) {
		reply(s, rule->refusals[s->phase]);
		return;
	}
	switch (command->verb) {
	case VERB_HELO:
	case VERB_EHLO:
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
		forget(s);
		reply(s, REPLY_RESET);
		break;
	case VERB_NOOP:
		reply(s, REPLY_NOOP);
		break;
	case VERB_QUIT:
		forget(s);
		reply(s, REPLY_BYE);
		s->mode = SMTP_SHUT;
		break;
	case VERB_VRFY:
		do_vrfy(s, command);
		break;
	case VERB_HELP:
		reply(s, REPLY_HELP);
		break;
	case VERB_UNOFFERED:
		reply(s, REPLY_UNOFFERED);
		break;
	case VERB_UNKNOWN:
	case VERBS:
		reply(s, REPLY_UNKNOWN);
		break;
	}
}

/* ---- lines --------------------------------------------------------------------------------- */

/* A whole line, without its CRLF. */
static void
do_line(struct smtp *s)
{
	struct command command;

	s->now = true;
	if (s->line_bare)
		return; /* refused already */
	if (s->line_long) {
		reply(s, REPLY_LINE_LONG);
		return;
	}
	switch (command_parse(s->line, s->line_len, &command)) {
	case BAD_OCTETS:
		reply(s, REPLY_LINE_8BIT);
		break;
	case BAD_CONTROL:
		reply(s, REPLY_CONTROL);
		break;
	case FINE:
	case BAD_SYNTAX:
	case BAD_PARAMETER:
	case NO_PARAMETER:
		do_command(s, &command);
		break;
	}
}

static void
next_line(struct smtp *s)
{
	s->line_len = 0;
	s->line_cr = s->line_long = s->line_bare = false;
}

/*
 * One octet of a command line.  Only CRLF ends it.  A bare LF is refused at once, so that a person
 * who types without CR learns why, and what follows on the line is swallowed: it is no command.
 */
static bool
line_octet(struct smtp *s, unsigned char octet)
{
	if (octet == '\n' && s->line_cr) {
		s->line_len--; /* the CR; it is there unless the line is too long */
		return true;
	}
	if (octet == '\n' && !s->line_bare) {
		s->line_bare = true;
		s->now = true;
		reply(s, REPLY_LINE_BARE);
	}
	s->line_cr = octet == '\r';
	if (s->line_len == sizeof s->line - 1) /* room for the LF belongs to the limit */
		s->line_long = true;
	else
		s->line[s->line_len++] = octet;
	return false;
}

static size_t
take_line(struct smtp *s, const unsigned char *in, size_t len)
{
	size_t at = 0;

	while (at < len && s->owed_to == 0) {
		if (line_octet(s, in[at++])) {
			do_line(s);
			next_line(s);
		}
	}
	return at;
}

/* ---- messages ------------------------------------------------------------------------------ */

/* The text has come to its end. */
static void
do_end(struct smtp *s)
{
	s->mode = SMTP_LINE;
	s->now = true;
	if (s->body.bare) {
		forget(s);
		reply(s, REPLY_BARE_NEWLINE);
	} else if (s->body.octets > s->settings->size_limit) {
		forget(s);
		reply(s, REPLY_TOO_LARGE);
	} else {
		s->address.len = 0;
		ask(s, REQUEST_END);
	}
}

/* Sets the event if there is a piece of the message. */
static size_t
take_body(struct smtp *s, const unsigned char *in, size_t len, struct smtp_event *event)
{
	size_t from, count;

	size_t taken = body_step(&s->body, in, len, &from, &count);
	/* A message that will be refused is read to its end, and not kept. */
	if (count > 0 && !s->body.bare && s->body.octets <= s->settings->size_limit)
		*event = (struct smtp_event){.what = SMTP_PIECE, .octets = in + from, .len = count};
	if (s->body.at == BODY_DONE)
		do_end(s);
	return taken;
}

/* ---- in and out ---------------------------------------------------------------------------- */

void
smtp_begin(struct smtp *s, const struct smtp_settings *settings)
{
	char text[DOMAIN_MAX + 16];

	memset(s, 0, sizeof *s);
	s->settings = settings;
	s->now = true;
	put(text, put(text, 0, settings->hostname), " ESMTP");
	reply_text(s, REPLY_GREETING, text);
}

void
smtp_timeout(struct smtp *s)
{
	forget(s);
	s->now = true;
	reply(s, REPLY_TIMEOUT);
	s->mode = SMTP_SHUT;
}

static bool
pay(struct smtp *s, struct smtp_event *event)
{
	if (s->owed_from == s->owed_to)
		return false;
	*event = s->owed[s->owed_from++];
	if (s->owed_from == s->owed_to)
		s->owed_from = s->owed_to = 0;
	return true;
}

size_t
smtp_step(struct smtp *s, const unsigned char *in, size_t len, struct smtp_event *event)
{
	size_t taken = 0;

	*event = (struct smtp_event){.what = SMTP_WANT};
	while (event->what == SMTP_WANT && !pay(s, event)) {
		switch (s->mode) {
		case SMTP_LINE:
			if (taken == len)
				return taken;
			taken += take_line(s, in + taken, len - taken);
			break;
		case SMTP_BODY:
			if (taken == len)
				return taken;
			taken += take_body(s, in + taken, len - taken, event);
			break;
		case SMTP_HELD: /* only if the caller owes an answer */
		case SMTP_SHUT:
			event->what = SMTP_CLOSE;
			break;
		}
	}
	return taken;
}

/* What an answer means to the client. */
static enum reply
reply_to(enum request_letter question, enum verdict verdict, bool text)
{
	bool end = question == REQUEST_END, from = question == REQUEST_FROM;

	switch (verdict) {
	case VERDICT_YES:
		if (question == REQUEST_VERIFY)
			return text ? REPLY_VERIFIED : REPLY_UNVERIFIED;
		return end ? REPLY_TAKEN : from ? REPLY_MAIL : REPLY_RCPT;
	case VERDICT_LATER:
		return REPLY_LATER;
	case VERDICT_NEVER:
		return end ? REPLY_NEVER : from ? REPLY_REFUSED : REPLY_NO_MAILBOX;
	case VERDICT_FORWARDED:
		return end || from ? REPLY_LATER : REPLY_FORWARD;
	case VERDICT_MOVED:
		return end || from ? REPLY_LATER : REPLY_MOVED;
	}
	return REPLY_LATER;
}

void
smtp_answer(struct smtp *s, const struct answer *answer)
{
	bool yes = answer->verdict == VERDICT_YES ||
		   (answer->verdict == VERDICT_FORWARDED && s->question == REQUEST_RCPT);

	if (s->mode != SMTP_HELD)
		return;
	s->mode = SMTP_LINE;
	if (s->question == REQUEST_END) {
		s->phase = SMTP_HELLO; /* the monitor has forgotten the message, too */
		s->recipients = 0;
	} else if (s->question == REQUEST_FROM && yes) {
		s->phase = SMTP_MAIL;
	} else if (s->question == REQUEST_RCPT && yes) {
		s->phase = SMTP_RCPT;
		s->recipients++;
	}
	enum reply which = reply_to(s->question, answer->verdict, answer->len > 0);
	owe_reply(s, reply_answer(s->reply, which, answer), s->now);
}
