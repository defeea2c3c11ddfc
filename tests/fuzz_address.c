/*
 * fuzz_address.c -- paths, VRFY's argument and HELO's, against RFC 5321 4.1.2 written down another
 * way: the octets are first cut at their marks, and then each part is judged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../smtp-stdio/address.h"
#include "fuzz.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

struct slice {
	const unsigned char *at;
	size_t len;
};

/* What the statement expects: whether there is an address, how many octets it takes, its form. */
struct expected {
	bool taken;
	size_t len;
	size_t local, text_len;
	char text[2048];
};

static bool
all_of(struct slice s, const char *one, const char *other)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] == 0 ||
		    (strchr(one, s.at[i]) == NULL && strchr(other, s.at[i]) == NULL))
			return false;
	return true;
}

/* The part before the first `mark`, which is taken off `rest`, with the mark if *found. */
static struct slice
part(struct slice *rest, unsigned char mark, bool *found)
{
	const unsigned char *at = rest->len > 0 ? memchr(rest->at, mark, rest->len) : NULL;
	struct slice s = {rest->at, at != NULL ? (size_t)(at - rest->at) : rest->len};

	*found = at != NULL;
	rest->at += s.len + *found;
	rest->len -= s.len + *found;
	return s;
}

static bool
is_domain(struct slice s)
{
	bool more = true;

	if (s.len == 0 || s.len > 255)
		return false;
	if (s.at[0] == '[')
		return s.len > 2 && s.at[s.len - 1] == ']' &&
		       all_of((struct slice){s.at + 1, s.len - 2}, letters, ".:-_");
	while (more) {
		struct slice label = part(&s, '.', &more);
		if (label.len < 1 || label.len > 63 || !all_of(label, letters, "-_") ||
		    label.at[0] == '-' || label.at[label.len - 1] == '-')
			return false;
	}
	return true;
}

static bool
is_dot_string(struct slice s)
{
	bool more = true;

	while (more) {
		struct slice atom = part(&s, '.', &more);
		if (atom.len == 0 || !all_of(atom, letters, "!#$%&'*+-/=?^_`{|}~"))
			return false;
	}
	return true;
}

/* A quoted string's content without its quotes and backslashes; false if it is none. */
static bool
unquote(struct slice s, unsigned char *out, size_t *len)
{
	*len = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '\\' && ++i == s.len)
			return false;
		if (s.at[i] < 32 || s.at[i] > 126)
			return false;
		out[(*len)++] = s.at[i];
	}
	return *len <= 255;
}

/* `text` is the content in its one form; false if that is longer than a local part may be. */
static bool
canonical(struct slice content, struct expected *e)
{
	size_t n = 0;

	if (is_dot_string(content)) {
		memcpy(e->text, content.at, content.len);
		e->local = e->text_len = content.len;
		return content.len <= 255;
	}
	e->text[n++] = '"';
	for (size_t i = 0; i < content.len; i++) {
		if (strchr("\"\\", content.at[i]) != NULL)
			e->text[n++] = '\\';
		e->text[n++] = (char)content.at[i];
	}
	e->text[n++] = '"';
	e->local = e->text_len = n;
	return n <= 255;
}

/* Where the quoted string that begins at 0 ends: the place of its last quote, or 0. */
static size_t
last_quote(struct slice s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.at[i] == '"')
			return i;
		if (s.at[i] == '\\')
			i++;
	}
	return 0;
}

static bool
is_mailbox(struct slice s, struct expected *e)
{
	static unsigned char content[1 << 16];
	struct slice local = {s.at, 0};
	size_t len;

	if (s.len > sizeof content)
		return false;
	if (s.len > 0 && s.at[0] == '"') {
		size_t quote = last_quote(s);
		if (quote == 0 || !unquote((struct slice){s.at + 1, quote - 1}, content, &len))
			return false;
		local.len = quote + 1;
		if (!canonical((struct slice){content, len}, e))
			return false;
	} else {
		const unsigned char *at = s.len > 0 ? memchr(s.at, '@', s.len) : NULL;
		local.len = at != NULL ? (size_t)(at - s.at) : s.len;
		if (local.len > 255 || !is_dot_string(local) || !canonical(local, e))
			return false;
	}
	if (local.len == s.len)
		return true;
	struct slice domain = {s.at + local.len + 1, s.len - local.len - 1};
	if (s.at[local.len] != '@' || !is_domain(domain))
		return false;
	e->text[e->text_len++] = '@';
	memcpy(e->text + e->text_len, domain.at, domain.len);
	e->text_len += domain.len;
	return true;
}

/* The source route, "@a,@b:", is taken off; false if it is none. */
static bool
take_route(struct slice *s)
{
	size_t colon = 0;
	bool literal = false, more = true;

	if (s->len == 0 || s->at[0] != '@')
		return true;
	while (colon < s->len && (literal || s->at[colon] != ':')) {
		literal = s->at[colon] == '[' || (literal && s->at[colon] != ']');
		colon++;
	}
	if (colon == s->len)
		return false;
	struct slice route = {s->at, colon};
	s->at += colon + 1;
	s->len -= colon + 1;
	while (more) {
		struct slice hop = part(&route, ',', &more);
		if (hop.len == 0 || hop.at[0] != '@' ||
		    !is_domain((struct slice){hop.at + 1, hop.len - 1}))
			return false;
	}
	return true;
}

/* Where the first '>' outside of quotes stands, or `len`. */
static size_t
bracket(struct slice s)
{
	bool quoted = false;

	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '>' && !quoted)
			return i;
		if (s.at[i] == '"')
			quoted = !quoted;
		else if (s.at[i] == '\\' && quoted)
			i++;
	}
	return s.len;
}

static void
expect_path(struct slice in, struct expected *e)
{
	e->taken = false;
	e->local = e->text_len = 0;
	if (in.len == 0 || in.at[0] != '<')
		return;
	size_t end = bracket(in);
	if (end == in.len)
		return;
	e->len = end + 1;
	struct slice inner = {in.at + 1, end - 1};
	if (inner.len == 0) {
		e->taken = true;
		return;
	}
	if (!take_route(&inner) || !is_mailbox(inner, e))
		return;
	e->taken = e->local < e->text_len ||
		   (e->local == 10 && strncasecmp(e->text, "postmaster", 10) == 0);
}

static void
expect_name(struct slice in, struct expected *e)
{
	if (in.len > 2 && in.at[0] == '<' && in.at[in.len - 1] == '>')
		in = (struct slice){in.at + 1, in.len - 2};
	e->local = e->text_len = 0;
	e->taken = in.len > 0 && is_mailbox(in, e) &&
		   (e->local < e->text_len || memchr(e->text, '@', e->local) == NULL);
}

static void
same(const struct address *address, const struct expected *e)
{
	demand(address->len == e->text_len && address->local == e->local &&
		   memcmp(address->text, e->text, e->text_len) == 0,
	    "address: another text");
	demand(address->text[address->len] == 0, "address: does not end in NUL");
}

/* The path in brackets, its local part quoted octet by octet if `quote`. */
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

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct expected e;
	const struct slice in = {data, size};
	struct address address;

	memset(&address, 0xa5, sizeof address);
	expect_path(in, &e);
	size_t taken = address_path(data, size, &address);
	demand((taken > 0) == e.taken, taken > 0 ? "path: should be none" : "path: should be one");
	if (taken > 0) {
		demand(taken == e.len, "path: ends elsewhere");
		same(&address, &e);
		again(&address);
	}

	memset(&address, 0xa5, sizeof address);
	expect_name(in, &e);
	bool name = address_name(data, size, &address);
	demand(name == e.taken, name ? "name: should be none" : "name: should be one");
	if (name)
		same(&address, &e);

	demand(
	    address_hello(data, size) == (size > 0 && size <= 255 && all_of(in, letters, ".-_:[]")),
	    "hello: taken or refused wrongly");
	return 0;
}
