/*
 * fuzz_address.c -- paths, VRFY's argument and HELO's, against RFC 5321 4.1.2 and RFC 6531 3.3 written
 * down another way: see oracle_path.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../smtp-stdio/address.h"
#include "fuzz.h"
#include "oracle_text.h"

static void
same(const struct address *address, const struct path *e)
{
	demand(address->len == e->text_len && address->local == e->local &&
		   memcmp(address->text, e->text, e->text_len) == 0,
	    "address: another text");
	demand(address->text[address->len] == 0, "address: does not end in NUL");
}

/* The path in brackets; if `quote`, its local part in quotes, a backslash before all that is ASCII. */
static size_t
write_path(char *out, const struct address *address, bool quote)
{
	size_t n = 0, i = 0;

	out[n++] = '<';
	if (quote && address->len > 0) {
		bool quoted = address->text[0] == '"';
		out[n++] = '"';
		for (i = quoted; i < address->local - quoted; i++) {
			i += quoted && address->text[i] == '\\';
			if ((unsigned char)address->text[i] < 128)
				out[n++] = '\\';
			out[n++] = address->text[i];
		}
		out[n++] = '"';
		i = address->local;
	}
	memcpy(out + n, address->text + i, address->len - i);
	n += address->len - i;
	out[n++] = '>';
	return n;
}

/* An address that was taken is its own form, and every way to quote it is the same. */
static void
again(const struct address *address)
{
	char path[4 * MAILBOX_MAX];
	struct address other;

	for (int quote = 0; quote < 2; quote++) {
		size_t n = write_path(path, address, quote);
		demand(address_path((const unsigned char *)path, n, &other) == n,
		    "address: its own form is none");
		demand(other.len == address->len && other.local == address->local &&
			   memcmp(other.text, address->text, other.len) == 0,
		    "address: has two forms");
	}
}

static bool
is_utf8(struct slice s)
{
	for (size_t i = 0, n; i < s.len; i += n)
		if ((n = oracle_utf8(s.at + i, s.len - i)) == 0)
			return false;
	return true;
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct path e;
	const struct slice in = {data, size};
	struct address address;

	demand(address_hello(data, size) == oracle_hello(in), "hello: taken or refused wrongly");
	if (!is_utf8(in)) { /* which the caller sees to: nothing but the memory is looked at */
		(void)address_path(data, size, &address);
		(void)address_name(data, size, &address);
		return 0;
	}

	memset(&address, 0xa5, sizeof address);
	oracle_path(in, &e);
	size_t taken = address_path(data, size, &address);
	demand((taken > 0) == e.taken, taken > 0 ? "path: should be none" : "path: should be one");
	if (taken > 0) {
		demand(taken == e.len, "path: ends elsewhere");
		same(&address, &e);
		again(&address);
	}

	memset(&address, 0xa5, sizeof address);
	oracle_name(in, &e);
	bool name = address_name(data, size, &address);
	demand(name == e.taken, name ? "name: should be none" : "name: should be one");
	if (name)
		same(&address, &e);
	return 0;
}
