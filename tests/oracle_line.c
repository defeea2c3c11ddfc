/* oracle_line.c -- see oracle_text.h.  A line is taken apart at its blanks. */
#include "oracle_text.h"

#include <stdlib.h>
#include <string.h>

struct slice
oracle_word(struct slice in, struct slice *rest)
{
	const unsigned char *blank = in.len > 0 ? memchr(in.at, ' ', in.len) : NULL;
	struct slice word = {in.at, blank != NULL ? (size_t)(blank - in.at) : in.len};

	*rest = (struct slice){in.at + word.len, in.len - word.len};
	while (rest->len > 0 && rest->at[0] == ' ')
		*rest = (struct slice){rest->at + 1, rest->len - 1};
	while (rest->len > 0 && rest->at[rest->len - 1] == ' ')
		rest->len--;
	return word;
}

/* RFC 5321 2.4 and 4.1.2, RFC 6531 3.3. */
const char *
oracle_octets(struct slice line, bool utf8)
{
	bool control = false;

	for (size_t i = 0; i < line.len; i++) {
		size_t n = oracle_utf8(line.at + i, line.len - i);
		if (n == 0 || (n > 1 && !utf8))
			return "500 5.5.2 ";
		control |= line.at[i] < 32 || line.at[i] == 127;
		i += n - 1;
	}
	return control ? "501 5.5.2 " : NULL;
}

static bool
is_ascii(const struct path *p)
{
	for (size_t i = 0; i < p->text_len; i++)
		if ((unsigned char)p->text[i] > 127)
			return false;
	return true;
}

/* 1 to 20 digits.  Those beyond 64 bits say 2^64 - 1. */
static bool
number(struct slice s, uint64_t *value)
{
	char text[21] = "";

	if (s.len < 1 || s.len > 20)
		return false;
	memcpy(text, s.at, s.len);
	if (strspn(text, "0123456789") != s.len)
		return false;
	*value = strtoull(text, NULL, 10); /* which stops there, too */
	return true;
}

/* "TO:" and a path; then a blank or nothing. */
static bool
path_behind(const char *colon, struct slice *argument, struct path *p)
{
	size_t n = strlen(colon);

	if (argument->len < n || !oracle_is((struct slice){argument->at, n}, colon))
		return false;
	struct slice in = {argument->at + n, argument->len - n};
	while (in.len > 0 && in.at[0] == ' ')
		in = (struct slice){in.at + 1, in.len - 1};
	oracle_path(in, p);
	if (!p->taken || (p->len < in.len && in.at[p->len] != ' '))
		return false;
	*argument = (struct slice){in.at + p->len, in.len - p->len};
	(void)oracle_word(*argument, argument); /* the blanks are passed over */
	return true;
}

/* One parameter, and whether it was there before. */
static const char *
parameter(struct slice word, struct mail *mail, bool seen[3])
{
	const unsigned char *equals = memchr(word.at, '=', word.len);
	struct slice name = {word.at, equals != NULL ? (size_t)(equals - word.at) : word.len};
	struct slice value = {
	    equals != NULL ? equals + 1 : word.at, equals != NULL ? word.len - name.len - 1 : 0};
	static const char *const names[] = {"SIZE", "BODY", "SMTPUTF8"};
	size_t which = 0;
	bool good;

	while (which < 3 && !oracle_is(name, names[which]))
		which++;
	if (which == 3)
		return name.len == 0 ? "501 5.5.4 " : "555 5.5.4 ";
	if (which == 2) {
		mail->utf8 = true;
		good = equals == NULL;
	} else if (equals == NULL) {
		good = false;
	} else if (which == 0) {
		good = number(value, &mail->size);
	} else {
		mail->binary = oracle_is(value, "BINARYMIME");
		good = mail->binary || oracle_is(value, "7BIT") || oracle_is(value, "8BITMIME");
	}
	good = good && !seen[which];
	seen[which] = true;
	return good ? NULL : "501 5.5.4 ";
}

const char *
oracle_mail(struct slice argument, struct mail *mail)
{
	bool seen[3] = {false};
	const char *no = NULL;

	mail->size = 0;
	mail->binary = mail->utf8 = false;
	if (!path_behind("FROM:", &argument, &mail->path))
		return "501 5.5.4 ";
	while (no == NULL && argument.len > 0) {
		struct slice word = oracle_word(argument, &argument);
		no = parameter(word, mail, seen);
	}
	if (no == NULL && !mail->utf8 && !is_ascii(&mail->path))
		no = "550 5.6.7 ";
	return no;
}

const char *
oracle_rcpt(struct slice argument, bool utf8, struct path *p)
{
	if (!path_behind("TO:", &argument, p) || p->text_len == 0)
		return "501 5.5.4 ";
	if (argument.len > 0)
		return argument.at[0] == '=' ? "501 5.5.4 " : "555 5.5.4 ";
	return utf8 || is_ascii(p) ? NULL : "553 5.6.7 ";
}

const char *
oracle_vrfy(struct slice argument, struct path *p)
{
	static const char last[] = " SMTPUTF8";
	size_t n = sizeof last - 1;
	bool utf8 = false;

	if (argument.len > n &&
	    oracle_is((struct slice){argument.at + argument.len - n, n}, last)) {
		utf8 = true;
		argument.len -= n;
		while (argument.len > 0 && argument.at[argument.len - 1] == ' ')
			argument.len--;
	}
	oracle_name(argument, p);
	if (!p->taken)
		return "501 5.5.4 ";
	return utf8 || is_ascii(p) ? NULL : "553 5.6.7 ";
}

const char *
oracle_bdat(struct slice argument, struct bdat *bdat)
{
	struct slice rest, size = oracle_word(argument, &rest);

	bdat->last = oracle_is(rest, "LAST");
	return number(size, &bdat->size) && (bdat->last || rest.len == 0) ? NULL : "501 5.5.4 ";
}
