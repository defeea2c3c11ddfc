/* command.c -- see command.h. */
#include "command.h"

#include <string.h>

#include "utf8.h"
#include "word.h"

static const struct {
	char name[9];
	enum verb verb;
} verbs[] = {
    {"HELO", VERB_HELO},
    {"EHLO", VERB_EHLO},
    {"LHLO", VERB_LHLO},
    {"MAIL", VERB_MAIL},
    {"RCPT", VERB_RCPT},
    {"DATA", VERB_DATA},
    {"BDAT", VERB_BDAT},
    {"RSET", VERB_RSET},
    {"NOOP", VERB_NOOP},
    {"QUIT", VERB_QUIT},
    {"VRFY", VERB_VRFY},
    {"EXPN", VERB_EXPN},
    {"HELP", VERB_HELP},
    {"SEND", VERB_UNOFFERED},
    {"SOML", VERB_UNOFFERED},
    {"SAML", VERB_UNOFFERED},
    {"TURN", VERB_UNOFFERED},
    {"ETRN", VERB_UNOFFERED},
    {"AUTH", VERB_UNOFFERED},
    {"STARTTLS", VERB_UNOFFERED},
    {"GET", VERB_FOREIGN},
    {"HEAD", VERB_FOREIGN},
    {"POST", VERB_FOREIGN},
    {"PUT", VERB_FOREIGN},
    {"DELETE", VERB_FOREIGN},
    {"CONNECT", VERB_FOREIGN},
    {"OPTIONS", VERB_FOREIGN},
    {"TRACE", VERB_FOREIGN},
    {"PATCH", VERB_FOREIGN},
    {"PRI", VERB_FOREIGN},
};

static enum verb
verb_of(const unsigned char *name, size_t len)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (word_is(name, len, verbs[i].name))
			return verbs[i].verb;
	return VERB_UNKNOWN;
}

static enum fine
check_octets(const unsigned char *line, size_t len, bool utf8)
{
	bool control = false;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_char(line + i, len - i);
		if (n == 0 || (n > 1 && !utf8))
			return BAD_OCTETS;
		control = control || line[i] < ' ' || line[i] == 0x7f;
	}
	return control ? BAD_CONTROL : FINE;
}

enum fine
command_parse(const unsigned char *line, size_t len, struct command *command)
{
	size_t verb = 0;

	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--; /* RFC 5321 4.1.1: white space at the end is tolerated */
	while (verb < len && line[verb] != ' ' && line[verb] != '\t')
		verb++;
	command->verb = verb_of(line, verb);
	while (verb < len && line[verb] == ' ')
		verb++;
	command->argument = line + verb;
	command->len = len - verb;
	return check_octets(line, len,
	    command->verb == VERB_MAIL || command->verb == VERB_RCPT ||
		command->verb == VERB_VRFY || command->verb == VERB_EXPN);
}

/* The next parameter, "keyword[=value]", at *at; false at the end.  A keyword may not be empty. */
struct parameter {
	const unsigned char *name, *value; /* value NULL: there is no '=' */
	size_t name_len, value_len;
};

static bool
next_parameter(const struct command *command, size_t *at, struct parameter *p)
{
	const unsigned char *in = command->argument;

	while (*at < command->len && in[*at] == ' ')
		++*at;
	if (*at == command->len)
		return false;
	size_t begin = *at;
	while (*at < command->len && in[*at] != ' ')
		++*at;
	const unsigned char *equals = memchr(in + begin, '=', *at - begin);
	p->name = in + begin;
	p->name_len = equals != NULL ? (size_t)(equals - p->name) : *at - begin;
	p->value = equals != NULL ? equals + 1 : NULL;
	p->value_len = equals != NULL ? *at - begin - p->name_len - 1 : 0;
	return true;
}

/* 1 to 20 digits; a number beyond 64 bits stays at the largest, and is too large for everybody. */
static bool
number(const unsigned char *digits, size_t len, uint64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < len; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return false;
		unsigned digit = digits[i] - (unsigned)'0';
		*value = *value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *value * 10 + digit;
	}
	return len > 0 && len <= SIZE_DIGITS;
}

/* A parameter's value; false if it cannot have that. */
static bool
size_value(const struct parameter *p, struct mail_arguments *arguments)
{
	return p->value != NULL && number(p->value, p->value_len, &arguments->size);
}

static bool
body_value(const struct parameter *p, struct mail_arguments *arguments)
{
	if (p->value == NULL)
		return false;
	arguments->binary = word_is(p->value, p->value_len, "BINARYMIME");
	return arguments->binary || word_is(p->value, p->value_len, "7BIT") ||
	       word_is(p->value, p->value_len, "8BITMIME");
}

static bool
smtputf8_value(const struct parameter *p, struct mail_arguments *arguments)
{
	arguments->utf8 = true;
	return p->value == NULL;
}

/* One parameter of MAIL's; `seen` has a bit for each that was there before. */
static enum fine
mail_parameter(const struct parameter *p, struct mail_arguments *arguments, unsigned *seen)
{
	static const struct {
		char name[9];
		bool (*value)(const struct parameter *, struct mail_arguments *);
	} known[] = {{"SIZE", size_value}, {"BODY", body_value}, {"SMTPUTF8", smtputf8_value}};

	if (p->name_len == 0)
		return BAD_SYNTAX;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (!word_is(p->name, p->name_len, known[i].name))
			continue;
		bool again = (*seen & 1U << i) != 0;
		*seen |= 1U << i;
		return known[i].value(p, arguments) && !again ? FINE : BAD_PARAMETER;
	}
	return NO_PARAMETER;
}

/* `prefix` path; where it ends, or 0. */
static size_t
path(const struct command *command, const char *prefix, struct address *address)
{
	size_t at = strlen(prefix);

	if (command->len < at || !word_is(command->argument, at, prefix))
		return 0;
	while (at < command->len && command->argument[at] == ' ')
		at++;
	size_t taken = address_path(command->argument + at, command->len - at, address);
	at += taken;
	if (taken == 0 || (at < command->len && command->argument[at] != ' '))
		return 0;
	return at;
}

static bool
is_ascii(const struct address *address)
{
	return utf8_is_ascii((const unsigned char *)address->text, address->len);
}

enum fine
command_mail(const struct command *command, struct mail_arguments *arguments)
{
	struct parameter p;
	unsigned seen = 0;
	enum fine fine = FINE;

	arguments->size = 0;
	arguments->binary = arguments->utf8 = false;
	size_t at = path(command, "FROM:", &arguments->from);
	if (at == 0)
		return BAD_SYNTAX;
	while (fine == FINE && next_parameter(command, &at, &p))
		fine = mail_parameter(&p, arguments, &seen);
	if (fine == FINE && !arguments->utf8 && !is_ascii(&arguments->from))
		fine = WANT_SMTPUTF8;
	return fine;
}

enum fine
command_rcpt(const struct command *command, bool utf8, struct address *to)
{
	struct parameter p;

	size_t at = path(command, "TO:", to);
	if (at == 0 || to->len == 0)
		return BAD_SYNTAX;
	if (next_parameter(command, &at, &p))
		return p.name_len == 0 ? BAD_SYNTAX : NO_PARAMETER;
	return utf8 || is_ascii(to) ? FINE : WANT_SMTPUTF8;
}

enum fine
command_vrfy(const struct command *command, struct address *who)
{
	static const char parameter[] = " SMTPUTF8";
	const unsigned char *name = command->argument;
	size_t n = sizeof parameter - 1, len = command->len;
	bool utf8 = len > n && word_is(name + len - n, n, parameter);

	for (len -= utf8 ? n : 0; len > 0 && name[len - 1] == ' ';)
		len--;
	if (!address_name(name, len, who))
		return BAD_SYNTAX;
	return utf8 || is_ascii(who) ? FINE : WANT_SMTPUTF8;
}

enum fine
command_bdat(const struct command *command, uint64_t *size, bool *last)
{
	const unsigned char *in = command->argument;
	size_t digits = 0, rest;

	while (digits < command->len && in[digits] != ' ')
		digits++;
	for (rest = digits; rest < command->len && in[rest] == ' ';)
		rest++;
	*last = word_is(in + rest, command->len - rest, "LAST");
	return number(in, digits, size) && (*last || rest == command->len) ? FINE : BAD_SYNTAX;
}
