/*
 * address.c -- see address.h.
 *
 * Each taker reads one thing of the grammar at `at` and returns where it ends, or 0 when it is not
 * there; nothing but a '<' begins at 0, so 0 is never the end of a thing.
 */
#include "address.h"

#include <string.h>

#include "literal.h"
#include "utf8.h"

struct input {
	const unsigned char *in;
	size_t len;
};

static bool
is_alnum(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool
is_atext(unsigned char c)
{
	return c >= 0x80 || is_alnum(c) || (c != 0 && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool
at_octet(const struct input *input, size_t at, unsigned char octet)
{
	return at < input->len && input->in[at] == octet;
}

/* A letter, digit or hyphen, an octet of a U-label, or '_'. */
static bool
is_label(unsigned char c)
{
	return c >= 0x80 || is_alnum(c) || c == '-' || c == '_';
}

/* The characters of a label: those that are not ASCII have several octets. */
static size_t
characters(const unsigned char *in, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += (in[i] & 0xc0) != 0x80;
	return n;
}

/* sub-domain *("." sub-domain) */
static size_t
take_labels(const struct input *input, size_t at)
{
	size_t begin = at;

	for (;;) {
		size_t label = at;
		while (at < input->len && is_label(input->in[at]))
			at++;
		if (at == label || characters(input->in + label, at - label) > LABEL_MAX ||
		    input->in[label] == '-' || input->in[at - 1] == '-')
			return 0;
		if (!at_octet(input, at, '.'))
			break;
		at++;
	}
	return at - begin <= DOMAIN_MAX ? at : 0;
}

/* "[" literal "]" */
static size_t
take_literal(const struct input *input, size_t at)
{
	const unsigned char *begin = input->in + at + 1;
	const unsigned char *end = memchr(begin, ']', input->len - at - 1);

	if (end == NULL || (size_t)(end - begin) + 2 > DOMAIN_MAX ||
	    !literal_is(begin, (size_t)(end - begin)))
		return 0;
	return at + (size_t)(end - begin) + 2;
}

static size_t
take_domain(const struct input *input, size_t at)
{
	return at_octet(input, at, '[') ? take_literal(input, at) : take_labels(input, at);
}

/* "@" domain *("," "@" domain) ":" */
static size_t
take_route(const struct input *input, size_t at)
{
	for (;;) {
		if (!at_octet(input, at, '@'))
			return 0;
		at = take_domain(input, at + 1);
		if (at == 0)
			return 0;
		if (at_octet(input, at, ':'))
			return at + 1;
		if (!at_octet(input, at, ','))
			return 0;
		at++;
	}
}

/* Put one octet of the local part down; false when it is full. */
static bool
keep(struct address *address, unsigned char octet)
{
	if (address->len >= LOCAL_MAX)
		return false;
	address->text[address->len++] = (char)octet;
	return true;
}

/* atom *("." atom) */
static size_t
take_dot_string(const struct input *input, size_t at, struct address *address)
{
	for (;;) {
		size_t atom = at;
		while (at < input->len && is_atext(input->in[at]))
			if (!keep(address, input->in[at++]))
				return 0;
		if (at == atom)
			return 0;
		if (!at_octet(input, at, '.'))
			return at;
		if (!keep(address, input->in[at++]))
			return 0;
	}
}

/* DQUOTE *(qtext / quoted-pair) DQUOTE; stored without quotes and backslashes.  What a backslash
   quotes is ASCII even where qtext need not be. */
static size_t
take_quoted(const struct input *input, size_t at, struct address *address)
{
	for (at++; at < input->len && input->in[at] != '"'; at++) {
		bool pair = input->in[at] == '\\';
		at += pair;
		if (at >= input->len || input->in[at] < ' ' || input->in[at] == 0x7f ||
		    (pair && input->in[at] >= 0x80) || !keep(address, input->in[at]))
			return 0;
	}
	return at < input->len ? at + 1 : 0;
}

/* The local part could stand without quotes. */
static bool
is_dot_string(const char *text, size_t len)
{
	bool atom = false;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.' ? !atom : !is_atext((unsigned char)text[i]))
			return false;
		atom = text[i] != '.';
	}
	return atom;
}

/* Write the local part in its one form; false if that is too long. */
static bool
requote(struct address *address)
{
	char plain[LOCAL_MAX];
	size_t len = address->len;

	if (is_dot_string(address->text, len))
		return true;
	memcpy(plain, address->text, len);
	address->len = 0;
	bool fits = keep(address, '"');
	for (size_t i = 0; i < len && fits; i++) {
		if (plain[i] == '"' || plain[i] == '\\')
			fits = keep(address, '\\');
		fits = fits && keep(address, (unsigned char)plain[i]);
	}
	return fits && keep(address, '"');
}

static size_t
take_local(const struct input *input, size_t at, struct address *address)
{
	address->len = 0;
	if (!at_octet(input, at, '"'))
		at = take_dot_string(input, at, address);
	else if ((at = take_quoted(input, at, address)) > 0 && !requote(address))
		at = 0;
	address->local = address->len;
	return at;
}

/* local-part ["@" domain] */
static size_t
take_mailbox(const struct input *input, size_t at, struct address *address)
{
	at = take_local(input, at, address);
	if (at == 0 || !at_octet(input, at, '@'))
		return at;
	size_t domain = at + 1;
	at = take_domain(input, domain);
	if (at == 0)
		return 0;
	address->text[address->len++] = '@';
	memcpy(address->text + address->len, input->in + domain, at - domain);
	address->len += at - domain;
	return at;
}

static bool
is_postmaster(const struct address *address)
{
	static const char name[] = "postmaster";

	if (address->len != sizeof name - 1)
		return false;
	for (size_t i = 0; i < address->len; i++)
		if ((address->text[i] | 0x20) != name[i])
			return false;
	return true;
}

/* [source-route ":"] mailbox ">", after the "<" */
static size_t
take_bracketed(const struct input *input, size_t at, struct address *address)
{
	if (at_octet(input, at, '@'))
		at = take_route(input, at);
	if (at > 0)
		at = take_mailbox(input, at, address);
	return at > 0 && at_octet(input, at, '>') ? at + 1 : 0;
}

size_t
address_path(const unsigned char *in, size_t len, struct address *address)
{
	const struct input input = {in, len};

	address->len = address->local = 0;
	address->text[0] = 0;
	if (at_octet(&input, 0, '<') && at_octet(&input, 1, '>'))
		return 2;
	size_t at = at_octet(&input, 0, '<') ? take_bracketed(&input, 1, address)
					     : take_mailbox(&input, 0, address);
	if (at == 0)
		return 0;
	address->text[address->len] = 0;
	return address->local < address->len || is_postmaster(address) ? at : 0;
}

bool
address_name(const unsigned char *in, size_t len, struct address *address)
{
	if (len > 2 && in[0] == '<' && in[len - 1] == '>') {
		in++;
		len -= 2;
	}
	const struct input input = {in, len};
	if (len == 0 || take_mailbox(&input, 0, address) != len)
		return false;
	/* A quoted local part alone may hold an '@', and the monitor would see a domain behind it. */
	if (address->local == address->len && memchr(address->text, '@', address->len) != NULL)
		return false;
	address->text[address->len] = 0;
	return true;
}

bool
address_hello(const unsigned char *in, size_t len)
{
	if (len == 0 || len > DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(in[i]) && (in[i] == 0 || strchr(".-_:[]", in[i]) == NULL))
			return false;
	return true;
}
