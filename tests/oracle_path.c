/*
 * oracle_path.c -- see oracle_text.h.  The octets are first cut at their marks, and then each part is
 * judged.
 */
#include "oracle_text.h"

#include <string.h>
#include <strings.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
static const char atoms[] = "!#$%&'*+-/=?^_`{|}~";
static const char dotted[] = "!#$%&'*+-/=?^_`{|}~.";

/* ---- characters ---------------------------------------------------------------------------- */

size_t
oracle_utf8(const unsigned char *in, size_t len)
{
	static const unsigned long least[] = {0, 0, 0xa0, 0x800, 0x10000};
	size_t ones = 0;

	while (len > 0 && ones < 8 && (in[0] >> (7 - ones) & 1) != 0)
		ones++;
	size_t n = ones > 0 ? ones : 1;
	if (ones == 1 || n > 4 || n > len)
		return 0;
	unsigned long number = in[0] & 0xffUL >> (ones + 1);
	for (size_t i = 1; i < n; i++) {
		if (in[i] >> 6 != 2)
			return 0;
		number = number * 64 + in[i] % 64;
	}
	if (number < least[n] || number > 0x10ffff || (number >= 0xd800 && number <= 0xdfff))
		return 0;
	return n;
}

bool
oracle_is(struct slice s, const char *text)
{
	return s.len == strlen(text) && (s.len == 0 || memchr(s.at, 0, s.len) == NULL) &&
	       strncasecmp((const char *)s.at, text, s.len) == 0;
}

/* Octets of one of the sets, or of characters that are not ASCII. */
static bool
all_of(struct slice s, const char *one, const char *other, bool utf8)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] > 127 && utf8)
			continue;
		if (s.at[i] == 0 ||
		    (strchr(one, s.at[i]) == NULL && strchr(other, s.at[i]) == NULL))
			return false;
	}
	return true;
}

/* How many octets at the start are of one of the sets, or not ASCII. */
static size_t
span(struct slice s, const char *one, const char *other)
{
	size_t n = 0;

	while (n < s.len && all_of((struct slice){s.at + n, 1}, one, other, true))
		n++;
	return n;
}

static struct slice
behind(struct slice s, size_t n)
{
	return (struct slice){s.at + n, s.len - n};
}

/* The part before the first `mark`, which is taken off `rest`, with the mark if *found. */
static struct slice
part(struct slice *rest, unsigned char mark, bool *found)
{
	const unsigned char *at = rest->len > 0 ? memchr(rest->at, mark, rest->len) : NULL;
	struct slice s = {rest->at, at != NULL ? (size_t)(at - rest->at) : rest->len};

	*found = at != NULL;
	*rest = behind(*rest, s.len + *found);
	return s;
}

/* ---- domains ------------------------------------------------------------------------------- */

static bool
is_ipv4(struct slice s)
{
	bool more = true;
	unsigned parts = 0;

	while (more) {
		struct slice number = part(&s, '.', &more);
		unsigned value = 0;
		if (number.len < 1 || number.len > 3 || !all_of(number, "0123456789", "", false))
			return false;
		for (size_t i = 0; i < number.len; i++)
			value = value * 10 + (number.at[i] - '0');
		if (value > 255)
			return false;
		parts++;
	}
	return parts == 4;
}

/* Groups with colons between them; 99: something else is there.  An IPv4 address counts as two. */
static unsigned
groups(struct slice s, bool ipv4)
{
	unsigned n = 0;

	for (bool more = s.len > 0; more; n++) {
		struct slice rest = s, group = part(&s, ':', &more);
		if (ipv4 && !more && is_ipv4(rest))
			n++;
		else if (group.len < 1 || group.len > 4 ||
			 !all_of(group, "0123456789", "abcdefABCDEF", false))
			return 99;
	}
	return n;
}

/* RFC 5321 4.1.3: "::" stands for two groups at least. */
static bool
is_ipv6(struct slice s)
{
	const unsigned char *gap = s.len > 0 ? memmem(s.at, s.len, "::", 2) : NULL;

	if (gap == NULL)
		return groups(s, true) == 8;
	struct slice left = {s.at, (size_t)(gap - s.at)};
	return groups(left, false) + groups(behind(s, left.len + 2), true) <= 6;
}

/* What stands between the brackets. */
static bool
is_literal(struct slice s)
{
	bool found;

	if (is_ipv4(s))
		return true;
	struct slice tag = part(&s, ':', &found);
	if (oracle_is(tag, "IPV6") && found)
		return is_ipv6(s);
	if (!found || tag.len == 0 || !all_of(tag, letters, "-", false) ||
	    tag.at[tag.len - 1] == '-' || s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] < 33 || s.at[i] > 126 || memchr("[\\]", s.at[i], 3) != NULL)
			return false;
	return true;
}

static size_t
characters(struct slice s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; n++) {
		size_t octets = oracle_utf8(s.at + i, s.len - i);
		i += octets > 0 ? octets : 1;
	}
	return n;
}

static bool
is_domain(struct slice s)
{
	bool more = true;

	if (s.len == 0 || s.len > 255)
		return false;
	if (s.at[0] == '[')
		return s.len > 2 && memchr(s.at, ']', s.len) == s.at + s.len - 1 &&
		       is_literal((struct slice){s.at + 1, s.len - 2});
	while (more) {
		struct slice label = part(&s, '.', &more);
		if (label.len < 1 || !all_of(label, letters, "-_", true) ||
		    characters(label) > 63 || label.at[0] == '-' || label.at[label.len - 1] == '-')
			return false;
	}
	return true;
}

/* ---- local parts --------------------------------------------------------------------------- */

static bool
is_dot_string(struct slice s)
{
	bool more = true;

	while (more) {
		struct slice atom = part(&s, '.', &more);
		if (atom.len == 0 || !all_of(atom, letters, atoms, true))
			return false;
	}
	return true;
}

/* A quoted string's content without its quotes and backslashes; false if it is none.  A backslash
   stands before ASCII only (RFC 5321 4.1.2; RFC 6531 3.3 adds to qtextSMTP alone). */
static bool
unquote(struct slice s, unsigned char *out, size_t *len)
{
	*len = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '\\' && (++i == s.len || s.at[i] > 127))
			return false;
		if (s.at[i] < 32 || s.at[i] == 127)
			return false;
		out[(*len)++] = s.at[i];
	}
	return *len <= 255;
}

/* `text` is the content in its one form; false if that is longer than a local part may be. */
static bool
canonical(struct slice content, struct path *p)
{
	size_t n = 0;

	if (is_dot_string(content)) {
		memcpy(p->text, content.at, content.len);
		p->local = p->text_len = content.len;
		return content.len <= 255;
	}
	p->text[n++] = '"';
	for (size_t i = 0; i < content.len; i++) {
		if (strchr("\"\\", content.at[i]) != NULL)
			p->text[n++] = '\\';
		p->text[n++] = (char)content.at[i];
	}
	p->text[n++] = '"';
	p->local = p->text_len = n;
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
is_mailbox(struct slice s, struct path *p)
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
		if (!canonical((struct slice){content, len}, p))
			return false;
	} else {
		const unsigned char *at = s.len > 0 ? memchr(s.at, '@', s.len) : NULL;
		local.len = at != NULL ? (size_t)(at - s.at) : s.len;
		if (local.len > 255 || !is_dot_string(local) || !canonical(local, p))
			return false;
	}
	if (local.len == s.len)
		return true;
	struct slice domain = behind(s, local.len + 1);
	if (s.at[local.len] != '@' || !is_domain(domain))
		return false;
	p->text[p->text_len++] = '@';
	memcpy(p->text + p->text_len, domain.at, domain.len);
	p->text_len += domain.len;
	return true;
}

/* ---- paths --------------------------------------------------------------------------------- */

/* Where one of the marks stands that is neither in quotes nor in an address literal, or `len`. */
static size_t
find(struct slice s, const char *marks)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] != 0 && strchr(marks, s.at[i]) != NULL)
			return i;
		if (s.at[i] == '"') {
			size_t quote = last_quote(behind(s, i));
			i = quote > 0 ? i + quote : s.len;
		} else if (s.at[i] == '[') {
			const unsigned char *end = memchr(s.at + i, ']', s.len - i);
			i = end != NULL ? (size_t)(end - s.at) : s.len;
		}
	}
	return s.len;
}

/* The source route, "@a,@b:", is taken off; false if it is none. */
static bool
take_route(struct slice *s)
{
	if (s->len == 0 || s->at[0] != '@')
		return true;
	struct slice route = {s->at, find(*s, ":")};
	if (route.len == s->len)
		return false;
	*s = behind(*s, route.len + 1);
	for (bool more = true; more;) {
		struct slice hop = {route.at, find(route, ",")};
		if (hop.len == 0 || hop.at[0] != '@' || !is_domain(behind(hop, 1)))
			return false;
		more = hop.len < route.len;
		route = behind(route, hop.len + more);
	}
	return true;
}

/* How far a mailbox without brackets can go. */
static size_t
reach(struct slice in)
{
	size_t n = in.len > 0 && in.at[0] == '"' ? last_quote(in) + 1 : span(in, letters, dotted);

	if (n == in.len || in.at[n] != '@')
		return n;
	struct slice domain = behind(in, n + 1);
	if (domain.len > 0 && domain.at[0] == '[') {
		const unsigned char *end = memchr(domain.at, ']', domain.len);
		return end != NULL ? (size_t)(end - in.at) + 1 : in.len;
	}
	return n + 1 + span(domain, letters, "-_.");
}

void
oracle_path(struct slice in, struct path *p)
{
	bool brackets = in.len > 0 && in.at[0] == '<';
	struct slice inner = in;

	p->taken = false;
	p->local = p->text_len = 0;
	if (brackets) {
		size_t end = find(in, ">");
		if (end == in.len)
			return;
		p->len = end + 1;
		inner = (struct slice){in.at + 1, end - 1};
		p->taken = inner.len == 0;
		if (p->taken || !take_route(&inner))
			return;
	} else {
		p->len = inner.len = reach(in);
	}
	if (!is_mailbox(inner, p))
		return;
	p->taken = p->local < p->text_len ||
		   (p->local == 10 && strncasecmp(p->text, "postmaster", 10) == 0);
}

void
oracle_name(struct slice in, struct path *p)
{
	if (in.len > 2 && in.at[0] == '<' && in.at[in.len - 1] == '>')
		in = (struct slice){in.at + 1, in.len - 2};
	p->len = in.len;
	p->local = p->text_len = 0;
	p->taken = in.len > 0 && is_mailbox(in, p) &&
		   (p->local < p->text_len || memchr(p->text, '@', p->local) == NULL);
}

bool
oracle_hello(struct slice in)
{
	return in.len > 0 && in.len <= 255 && all_of(in, letters, ".-_:[]", false);
}
