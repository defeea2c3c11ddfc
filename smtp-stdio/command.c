/* command.c -- see command.h. */
#include "command.h"

#include <string.h>

static const struct {
	char name[5];
	enum verb verb;
} verbs[] = {
    {"HELO", VERB_HELO},
    {"EHLO", VERB_EHLO},
    {"MAIL", VERB_MAIL},
    {"RCPT", VERB_RCPT},
    {"DATA", VERB_DATA},
    {"RSET", VERB_RSET},
    {"NOOP", VERB_NOOP},
    {"QUIT", VERB_QUIT},
    {"VRFY", VERB_VRFY},
    {"HELP", VERB_HELP},
    {"EXPN", VERB_UNOFFERED},
    {"SEND", VERB_UNOFFERED},
    {"SOML", VERB_UNOFFERED},
    {"SAML", VERB_UNOFFERED},
    {"TURN", VERB_UNOFFERED},
};

/* The octets are that text, which is in capitals, in any case of letters. */
static bool
is(const unsigned char *octets, size_t len, const char *text)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = octets[i];
		if (c >= 'a' && c <= 'z')
			c = (unsigned char)(c - 'a' + 'A');
		if (text[i] == 0 || c != (unsigned char)text[i])
			return false;
	}
	return text[len] == 0;
}

static enum fine
octets(const unsigned char *line, size_t len)
{
	enum fine fine = FINE;

	for (size_t i = 0; i < len; i++) {
		if (line[i] >= 0x80)
			return BAD_OCTETS;
		if (line[i] < ' ' || line[i] == 0x7f)
			fine = BAD_CONTROL;
	}
	return fine;
}

enum fine
command_parse(const unsigned char *line, size_t len, struct command *command)
{
	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--; /* RFC 5321 4.1.1: white space at the end is tolerated */
	enum fine fine = octets(line, len);
	if (fine != FINE)
		return fine;

	size_t verb = 0;
	while (verb < len && line[verb] != ' ')
		verb++;
	command->verb = VERB_UNKNOWN;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (is(line, verb, verbs[i].name))
			command->verb = verbs[i].verb;
	while (verb < len && line[verb] == ' ')
		verb++;
	command->argument = line + verb;
	command->len = len - verb;
	return FINE;
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

enum {
	SEEN_SIZE = 1,
	SEEN_BODY = 2
};

static enum fine
mail_parameter(const struct parameter *p, struct mail_arguments *arguments, unsigned *seen)
{
	if (is(p->name, p->name_len, "SIZE")) {
		if (*seen & SEEN_SIZE || p->value == NULL ||
		    !number(p->value, p->value_len, &arguments->size))
			return BAD_PARAMETER;
		*seen |= SEEN_SIZE;
		return FINE;
	}
	if (is(p->name, p->name_len, "BODY")) {
		if (*seen & SEEN_BODY || p->value == NULL ||
		    (!is(p->value, p->value_len, "7BIT") &&
			!is(p->value, p->value_len, "8BITMIME")))
			return BAD_PARAMETER;
		*seen |= SEEN_BODY;
		return FINE;
	}
	return p->name_len == 0 ? BAD_SYNTAX : NO_PARAMETER;
}

/* `prefix` path; where it ends, or 0. */
static size_t
path(const struct command *command, const char *prefix, struct address *address)
{
	size_t n = strlen(prefix);

	if (command->len < n || !is(command->argument, n, prefix))
		return 0;
	size_t taken = address_path(command->argument + n, command->len - n, address);
	if (taken == 0 || (n + taken < command->len && command->argument[n + taken] != ' '))
		return 0;
	return n + taken;
}

enum fine
command_mail(const struct command *command, struct mail_arguments *arguments)
{
	struct parameter p;
	unsigned seen = 0;
	enum fine fine = FINE;

	arguments->size = 0;
	size_t at = path(command, "FROM:", &arguments->from);
	if (at == 0)
		return BAD_SYNTAX;
	while (fine == FINE && next_parameter(command, &at, &p))
		fine = mail_parameter(&p, arguments, &seen);
	return fine;
}

enum fine
command_rcpt(const struct command *command, struct address *to)
{
	struct parameter p;

	size_t at = path(command, "TO:", to);
	if (at == 0 || to->len == 0)
		return BAD_SYNTAX;
	if (!next_parameter(command, &at, &p))
		return FINE;
	return p.name_len == 0 ? BAD_SYNTAX : NO_PARAMETER;
}
