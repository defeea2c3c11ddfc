/* literal.c -- see literal.h. */
#include "literal.h"

#include <string.h>

#include "word.h"

static bool
is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex(unsigned char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool
is_letter_or_digit(unsigned char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* Four numbers of up to three digits, none beyond 255, dots between them. */
static bool
is_ipv4(const unsigned char *in, size_t len)
{
	size_t at = 0;

	for (unsigned part = 0; part < 4; part++) {
		unsigned value = 0, digits = 0;
		if (part > 0 && (at == len || in[at++] != '.'))
			return false;
		for (; at < len && is_digit(in[at]) && digits < 3; digits++)
			value = value * 10 + in[at++] - '0';
		if (digits == 0 || value > 255)
			return false;
	}
	return at == len;
}

/*
 * Groups of up to four hexadecimal digits, colons between them: eight, or with one "::", which stands
 * for two at least, up to six.  An IPv4 address may stand for the last two.
 */
static bool
is_ipv6(const unsigned char *in, size_t len)
{
	unsigned groups = 0;
	bool gap = false;
	size_t at = 0;

	if (len >= 2 && memcmp(in, "::", 2) == 0) {
		gap = true;
		at = 2;
	}
	while (at < len) {
		size_t digits = 0;
		if (is_ipv4(in + at, len - at)) {
			groups += 2;
			break;
		}
		for (; at < len && is_hex(in[at]); at++)
			digits++;
		if (digits < 1 || digits > 4 || ++groups > 8)
			return false;
		if (at == len)
			break;
		if (in[at++] != ':' || at == len)
			return false;
		if (in[at] == ':') {
			if (gap)
				return false;
			gap = true;
			at++;
		}
	}
	return gap ? groups <= 6 : groups == 8;
}

static bool
is_general(const unsigned char *in, size_t len)
{
	size_t tag = 0;

	while (tag < len && (is_letter_or_digit(in[tag]) || in[tag] == '-'))
		tag++;
	if (tag == 0 || in[tag - 1] == '-' || len - tag < 2 || in[tag] != ':')
		return false;
	for (size_t i = tag + 1; i < len; i++)
		if (in[i] <= ' ' || in[i] > '~' || (in[i] >= '[' && in[i] <= ']'))
			return false;
	return true;
}

bool
literal_is(const unsigned char *in, size_t len)
{
	enum {
		TAG = sizeof "IPv6:" - 1
	};

	if (len >= TAG && word_is(in, TAG, "IPV6:"))
		return is_ipv6(in + TAG, len - TAG);
	return is_ipv4(in, len) || is_general(in, len);
}
