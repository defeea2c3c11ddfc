/*
 * oracle_framing.c -- see oracle.h.  The whole input is there: it is cut into lines, messages and
 * chunks, and for each the events are named that must be in the trace next.
 */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle_text.h"

enum stand {
	NEW,
	GREETED,
	SPOILED, /* a chunk was too much, and its message is not at its end */
	MAILED,
	ADDRESSED,
	CHUNKED
};

struct framing {
	const struct trace *trace;
	const struct scene *scene;
	const struct smtp_settings *settings;
	size_t at;         /* records seen */
	struct slice rest; /* what the client sent and is not looked at yet */
	const char *wrong; /* the first thing that is */
	bool shut;
	/* the transaction */
	enum stand stand;
	bool binary, utf8, pipelining;
	unsigned recipients;
	uint64_t sum;                    /* octets of its chunks */
	unsigned char *chunks, *content; /* each has room for all the input */
	size_t chunks_len;
	/* the session */
	uint64_t octets;
	unsigned messages, errors, junk, overshoot, waits;
	/* the line */
	bool now, alone, excess, requested, line_next;
};

/* ---- records ------------------------------------------------------------------------------- */

static void
fault(struct framing *f, const char *wrong)
{
	if (f->wrong == NULL)
		f->wrong = wrong;
}

/* The next record, which must be of that kind; NULL if it is not, or something was wrong before. */
static const struct record *
take(struct framing *f, char what, char letter)
{
	static const char *const wrongs[] = {"R", "framing: a reply is due", "T",
	    "framing: something is to be told", "A", "framing: something is to be asked", "P",
	    "framing: a message is due", "C", "framing: the end is due"};
	size_t i = 0;

	if (f->wrong != NULL || f->shut)
		return NULL;
	if (f->at < f->trace->count) {
		const struct record *record = &f->trace->records[f->at];
		if (record->what == what && (letter == 0 || record->letter == letter)) {
			f->at++;
			return record;
		}
	}
	while (wrongs[i][0] != what)
		i += 2;
	fault(f, wrongs[i + 1]);
	return NULL;
}

static bool
holds(const struct framing *f, const struct record *record, const void *octets, size_t len)
{
	return record->len == len &&
	       (len == 0 || memcmp(f->trace->octets + record->from, octets, len) == 0);
}

static void
told(struct framing *f, char letter, const char *data)
{
	const struct record *record = take(f, 'T', letter);

	f->requested = true;
	if (record != NULL && !holds(f, record, data, strlen(data)))
		fault(f, "framing: told something else");
}

/* The verdict, or 0. */
static char
asked(struct framing *f, char letter, const char *data, size_t len)
{
	const struct record *record = take(f, 'A', letter);

	f->requested = true;
	if (record != NULL && !holds(f, record, data, len))
		fault(f, "framing: asked about something else");
	return record != NULL ? record->verdict : 0;
}

/* ---- replies ------------------------------------------------------------------------------- */

static void farewell(struct framing *f, const char *note, const char *reply);

/* RFC 2034 4: an enhanced code of the same class in all replies but those that `begin` names without
   one; a class alone is one digit. */
static bool
is_reply(const unsigned char *o, size_t len, const char *begin)
{
	size_t n = strlen(begin);
	bool enhanced = len > 5 && o[4] == o[0] && o[5] == '.';

	if (len < n || memcmp(o, begin, n) != 0)
		return false;
	return n == 4 ? !enhanced : n > 4 || enhanced;
}

static void
said(struct framing *f, const char *begin)
{
	const struct record *record = take(f, 'R', 0);

	if (record == NULL)
		return;
	if (!is_reply(f->trace->octets + record->from, record->len, begin))
		fault(f, "framing: a reply that this cannot have");
	if (record->now != f->now)
		fault(f, record->now ? "framing: a reply is not held back"
				     : "framing: a reply is held back");
	if (record->alone != f->alone)
		fault(f, "framing: a reply to be waited for alone, or not");
	f->waits += f->alone;
	if (f->alone && f->scene->hasty == f->waits + 1)
		farewell(f, "h", "554 5.5.0 ");
}

/* A transaction is forgotten, if there is one. */
static void
forget(struct framing *f)
{
	if (f->stand >= MAILED)
		told(f, 'X', "");
	if (f->stand > GREETED)
		f->stand = GREETED;
}

static void
farewell(struct framing *f, const char *note, const char *reply)
{
	f->now = true;
	f->alone = false;
	forget(f);
	said(f, reply);
	told(f, 'N', note); /* upon which the monitor lets nothing more through to the client */
	(void)take(f, 'C', 0);
	f->shut = true;
}

/* The reply to a command, after which there may be an end. */
static void
reply_and(struct framing *f, const char *begin, const char *note, const char *last)
{
	bool error = begin[0] == '5' || f->excess;
	unsigned most = f->settings->error_limit;

	f->errors += error;
	if (error && f->errors > most / 2)
		(void)asked(f, 'P', "", 0);
	said(f, begin);
	if (error && f->errors >= most && note == NULL) {
		note = "e";
		last = "421 4.7.0 too many errors";
	}
	if (note != NULL && !f->shut)
		farewell(f, note, last);
}

static void
reply(struct framing *f, const char *begin)
{
	reply_and(f, begin, NULL, NULL);
}

/* What an answer must lead to; R, V and L may be forwarded. */
static const char *
class_of(char verdict, bool address)
{
	switch (verdict) {
	case 'Y':
		return "2";
	case 'N':
		return "5";
	case 'F':
		return address ? "251 2." : "4";
	case 'M':
		return address ? "551 5." : "4";
	default:
		return "4";
	}
}

/* ---- the envelope -------------------------------------------------------------------------- */

static void
hello(struct framing *f, struct slice argument, const char *protocol)
{
	const struct smtp_settings *s = f->settings;
	char text[512];

	if (!oracle_hello(argument)) {
		reply(f, "501 ");
		return;
	}
	forget(f);
	f->stand = GREETED;
	f->pipelining = strcmp(protocol, "SMTP") != 0;
	(void)snprintf(
	    text, sizeof text, "%s %.*s", protocol, (int)argument.len, (const char *)argument.at);
	told(f, 'H', text);
	if (strcmp(protocol, "SMTP") == 0)
		(void)snprintf(text, sizeof text, "250 %s\r\n", s->hostname);
	else
		(void)snprintf(text, sizeof text,
		    "250-%s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n250-8BITMIME\r\n"
		    "250-SMTPUTF8\r\n250-CHUNKING\r\n250-BINARYMIME\r\n"
		    "250-ENHANCEDSTATUSCODES\r\n250-LIMITS MAILMAX=%u RCPTMAX=%u\r\n250 HELP\r\n",
		    s->hostname, (unsigned long long)s->size_limit, s->message_limit,
		    s->recipient_limit);
	reply(f, text);
}

static void
do_helo(struct framing *f, struct slice argument)
{
	hello(f, argument, "SMTP");
}

static void
do_ehlo(struct framing *f, struct slice argument)
{
	hello(f, argument, "ESMTP");
}

static void
do_lhlo(struct framing *f, struct slice argument)
{
	hello(f, argument, "LMTP");
}

static void
do_mail(struct framing *f, struct slice argument)
{
	static struct mail mail;
	char data[2050];

	if (f->stand == SPOILED)
		forget(f);
	if (f->stand != GREETED) {
		reply(f, "503 5.5.1 ");
		return;
	}
	const char *no = oracle_mail(argument, &mail);
	if (no == NULL && mail.size > f->settings->size_limit)
		no = "552 5.3.4 ";
	if (no != NULL) {
		reply(f, no);
	} else if (f->messages >= f->settings->message_limit) {
		farewell(f, "m", "421 4.7.0 ");
	} else if (mail.size > f->settings->octets_limit - f->octets) {
		farewell(f, "o", "421 4.7.0 ");
	} else {
		size_t n = (size_t)snprintf(data, sizeof data, "%d %llu ",
		    mail.utf8 + 2 * mail.binary, (unsigned long long)mail.size);
		memcpy(data + n, mail.path.text, mail.path.text_len);
		char verdict = asked(f, 'F', data, n + mail.path.text_len);
		if (verdict == 'Y') {
			f->stand = MAILED;
			f->messages++;
			f->binary = mail.binary;
			f->utf8 = mail.utf8;
			f->recipients = f->overshoot = 0;
			f->sum = f->chunks_len = 0;
		}
		reply(f, class_of(verdict, false));
	}
}

static void
do_rcpt(struct framing *f, struct slice argument)
{
	static struct path path;

	if (f->stand != MAILED && f->stand != ADDRESSED) {
		reply(f, "503 5.5.1 ");
		return;
	}
	const char *no = oracle_rcpt(argument, f->utf8, &path);
	if (no == NULL && f->recipients >= f->settings->recipient_limit) {
		no = "452 4.5.3 ";
		f->excess = ++f->overshoot > 1000;
	}
	if (no != NULL) {
		reply(f, no);
		return;
	}
	char verdict = asked(f, 'R', path.text, path.text_len);
	if (verdict == 'Y' || verdict == 'F') {
		f->stand = ADDRESSED;
		f->recipients++;
	}
	reply(f, class_of(verdict, true));
}

static void
look_up(struct framing *f, struct slice argument, char letter)
{
	static struct path path;

	const char *no = oracle_vrfy(argument, &path);
	if (no == NULL)
		no = class_of(asked(f, letter, path.text, path.text_len), true);
	reply(f, no);
}

static void
do_vrfy(struct framing *f, struct slice argument)
{
	look_up(f, argument, 'V');
}

static void
do_expn(struct framing *f, struct slice argument)
{
	look_up(f, argument, 'L');
}

/* ---- messages ------------------------------------------------------------------------------ */

static void
skip(struct framing *f, size_t n)
{
	f->rest = (struct slice){f->rest.at + n, f->rest.len - n};
}

static bool
is_lmtp(const struct framing *f)
{
	return f->settings->protocol == SMTP_LMTP;
}

/* Of octets that are thrown away the monitor hears by notes, one for each 65536 at the most. */
static void
hear_refused(struct framing *f)
{
	uint64_t most = 2 + f->octets / 65536; /* one more at its begin */

	while (f->wrong == NULL && f->at < f->trace->count && most-- > 0) {
		const struct record *record = &f->trace->records[f->at];
		if (record->what != 'T' || record->letter != 'N' || !holds(f, record, "r", 1))
			break;
		f->at++;
	}
}

/* `times` the same reply to a message that is refused. */
static void
refuse_message(struct framing *f, const char *begin, unsigned times)
{
	forget(f);
	while (times-- > 0)
		said(f, begin);
}

/* A whole message: refused, or it is in the trace and each answer is told. */
static void
end_message(struct framing *f, const char *no, const unsigned char *content, size_t len)
{
	unsigned times = is_lmtp(f) ? f->recipients : 1;

	f->now = true;
	f->alone = false;
	if (no == NULL && oracle_received(content, len) > 100)
		no = "554 5.4.6 ";
	if (no != NULL) {
		refuse_message(f, no, times);
		return;
	}
	const struct record *message = take(f, 'P', 0);
	if (message != NULL && !holds(f, message, content, len))
		fault(f, "framing: not the message that was sent");
	while (times-- > 0) {
		char verdict = asked(f, 'E', "", 0);
		if (verdict == 'Y')
			f->errors = f->junk = 0;
		said(f, class_of(verdict, false));
	}
	f->stand = GREETED;
}

static void
message(struct framing *f)
{
	uint64_t left = f->settings->octets_limit - f->octets;
	struct message m;

	bool whole =
	    oracle_message(f->rest.at, f->rest.len, f->settings->normalize, f->content, &m);
	size_t end = whole ? m.end : f->rest.len;
	if (end > left) {
		f->octets += left;
		hear_refused(f);
		farewell(f, "o", "421 4.7.0 ");
		return;
	}
	f->octets += end;
	skip(f, end);
	hear_refused(f);
	if (whole)
		end_message(f,
		    m.bare                             ? "550 5.5.2 "
		    : m.wire > f->settings->size_limit ? "552 5.3.4 "
						       : NULL,
		    f->content, m.count);
}

/* Why there may be no message here, or NULL. */
static const char *
no_message(const struct framing *f)
{
	if (f->settings->protocol == SMTP_NULL)
		return "521 5.3.2 ";
	if (f->stand == MAILED)
		return is_lmtp(f) ? "503 5.5.1 " : "554 5.5.1 ";
	return f->stand < MAILED ? "503 5.5.1 " : NULL;
}

static void
do_data(struct framing *f, struct slice argument)
{
	const char *no = no_message(f);

	(void)argument;
	if (no == NULL && (f->stand == CHUNKED || f->binary))
		no = "503 5.5.1 ";
	reply(f, no != NULL ? no : "354 ");
	f->line_next = no != NULL;
	if (no == NULL && !f->shut && f->wrong == NULL)
		message(f);
}

/* A chunk whose octets are all there and that is in its place. */
static void
chunk(struct framing *f, struct slice octets, bool last)
{
	memcpy(f->chunks + f->chunks_len, octets.at, octets.len);
	f->chunks_len += octets.len;
	if (!last) {
		reply(f, "250 2.0.0 chunk");
		return;
	}
	size_t n = oracle_chunks(f->chunks, f->chunks_len, f->binary, f->content);
	end_message(f, NULL, f->content, n);
}

static void
do_bdat(struct framing *f, struct slice argument)
{
	const char *no = no_message(f);
	struct bdat bdat;

	f->line_next = false;
	if (oracle_bdat(argument, &bdat) != NULL) {
		reply_and(f, "501 5.5.4 ", "b", "421 4.5.0 ");
		return;
	}
	f->now = bdat.last;
	if (bdat.size > f->settings->octets_limit - f->octets) {
		farewell(f, "o", "421 4.7.0 ");
		return;
	}
	f->octets += bdat.size;
	bool spoiled = f->stand == SPOILED;
	f->excess = (spoiled || bdat.size == 0) && !bdat.last && ++f->junk > 100;
	bool large = spoiled || bdat.size > f->settings->size_limit - f->sum;
	if (spoiled)
		no = NULL;
	if (no == NULL && !spoiled) {
		f->stand = CHUNKED;
		f->sum += bdat.size;
	}
	bool whole = bdat.size <= f->rest.len;
	struct slice octets = {f->rest.at, whole ? (size_t)bdat.size : f->rest.len};
	skip(f, octets.len);
	hear_refused(f);
	if (!whole)
		return;
	if (no != NULL && is_lmtp(f) && bdat.last && f->stand == MAILED) {
		forget(f); /* RFC 2033 4.3: as many replies as there are recipients */
		told(f, 'N', "c");
	} else if (no != NULL) {
		told(f, 'N', "c");
		reply(f, no);
	} else if (large && bdat.last) { /* the same */
		refuse_message(f, "552 5.3.4 ", is_lmtp(f) ? f->recipients : 1);
	} else if (large) {
		forget(f);
		told(f, 'N', "c");
		f->stand = SPOILED;
		if (f->excess)
			reply(f, "552 5.3.4 ");
		else
			said(f, "552 5.3.4 ");
	} else {
		chunk(f, octets, bdat.last);
	}
}

/* ---- the other commands -------------------------------------------------------------------- */

static void
do_rset(struct framing *f, struct slice argument)
{
	(void)argument;
	forget(f);
	reply(f, "250 2.0.0 reset");
}

static void
do_noop(struct framing *f, struct slice argument)
{
	(void)argument;
	reply(f, "250 2.0.0 ok");
}

static void
do_quit(struct framing *f, struct slice argument)
{
	(void)argument;
	forget(f);
	said(f, "221 2.0.0 ");
	(void)take(f, 'C', 0);
	f->shut = true;
}

static void
do_help(struct framing *f, struct slice argument)
{
	static const char *const topics[] = {
	    "", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "QUIT", "VRFY", "HELP"};
	const char *begin = oracle_is(argument, "STATUS") ? "211" : "504 5.5.4 ";

	for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
		if (oracle_is(argument, topics[i]))
			begin = "214";
	if (is_lmtp(f) ? oracle_is(argument, "LHLO")
		       : oracle_is(argument, "EHLO") || oracle_is(argument, "HELO"))
		begin = "214";
	reply(f, begin);
}

static void
do_unoffered(struct framing *f, struct slice argument)
{
	(void)argument;
	reply(f, "502 5.5.1 ");
}

static void
do_unknown(struct framing *f, struct slice argument)
{
	(void)argument;
	reply(f, "500 5.5.1 ");
}

/* ---- lines --------------------------------------------------------------------------------- */

enum {
	BARE = 1,  /* takes no argument */
	NOW = 2,   /* a client that pipelines waits for the reply: RFC 2920 3.2 */
	ALONE = 4, /* and nothing may come behind it: 3.1 */
	IDLE = 8,  /* brings no message nearer */
	UTF8 = 16, /* may have octets that are not ASCII */
	NO_SMTP = 32,
	NO_LMTP = 64
};

static const struct known {
	const char *name;
	void (*does)(struct framing *f, struct slice argument);
	unsigned kind;
} verbs[] = {
    {"HELO", do_helo, NOW | ALONE | IDLE | NO_LMTP},
    {"EHLO", do_ehlo, NOW | ALONE | IDLE | NO_LMTP},
    {"LHLO", do_lhlo, NOW | ALONE | IDLE | NO_SMTP},
    {"MAIL", do_mail, UTF8},
    {"RCPT", do_rcpt, UTF8},
    {"DATA", do_data, BARE | NOW | ALONE},
    {"BDAT", do_bdat, 0},
    {"RSET", do_rset, BARE | IDLE},
    {"NOOP", do_noop, NOW | ALONE | IDLE},
    {"QUIT", do_quit, BARE | NOW},
    {"VRFY", do_vrfy, NOW | ALONE | IDLE | UTF8},
    {"EXPN", do_expn, NOW | ALONE | IDLE | UTF8},
    {"HELP", do_help, NOW | IDLE},
    {"SEND", do_unoffered, NOW},
    {"SOML", do_unoffered, NOW},
    {"SAML", do_unoffered, NOW},
    {"TURN", do_unoffered, NOW},
    {"ETRN", do_unoffered, NOW},
    {"AUTH", do_unoffered, NOW},
    {"STARTTLS", do_unoffered, NOW},
    {NULL, do_unknown, NOW},
};

static const struct known *
verb_of(const struct framing *f, struct slice word)
{
	const struct known *verb = verbs;
	unsigned none = is_lmtp(f) ? NO_LMTP : NO_SMTP;

	while (verb->name != NULL && (!oracle_is(word, verb->name) || (verb->kind & none) != 0))
		verb++;
	return verb;
}

static bool
is_http(struct slice word)
{
	static const char *const methods[] = {
	    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI"};

	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (oracle_is(word, methods[i]))
			return true;
	return false;
}

static void
command(struct framing *f, const struct known *verb, struct slice argument)
{
	f->now = (verb->kind & NOW) != 0;
	f->alone = (verb->kind & ALONE) != 0 || (!f->pipelining && verb->does != do_quit);
	f->junk += (verb->kind & IDLE) != 0;
	f->excess = (verb->kind & IDLE) != 0 && f->junk > 100;
	if (f->settings->protocol == SMTP_NULL && verb->does != do_quit && verb->does != do_bdat)
		reply(f, "521 5.3.2 ");
	else if ((verb->kind & BARE) != 0 && argument.len > 0)
		reply(f, "501 5.5.4 ");
	else
		verb->does(f, argument);
}

static struct slice
without_blanks(struct slice line)
{
	while (line.len > 0 && (line.at[line.len - 1] == ' ' || line.at[line.len - 1] == '\t'))
		line.len--;
	return line;
}

/* A line without its end; `no`: its octets are wrong before they are looked at. */
static void
one_line(struct framing *f, struct slice line, const char *no)
{
	struct slice text = without_blanks(line), argument;
	struct slice word = oracle_word(text, &argument);
	const unsigned char *tab = word.len > 0 ? memchr(word.at, '\t', word.len) : NULL;
	if (tab != NULL)
		word.len = (size_t)(tab - word.at);
	const struct known *verb = verb_of(f, word);

	f->now = true;
	f->alone = !f->pipelining;
	f->excess = f->requested = false;
	f->line_next = true;
	if (is_http(word)) {
		farewell(f, "f", "421 4.7.0 ");
		return;
	}
	if (no == NULL)
		no = oracle_octets(text, (verb->kind & UTF8) != 0);
	if (no == NULL)
		command(f, verb, argument);
	else if (verb->does == do_bdat)
		reply_and(f, no, "b", "421 4.5.0 ");
	else
		reply(f, no);
}

/* The next line off the stream; false if it is not told anything yet. */
static bool
next_line(struct framing *f)
{
	struct slice in = f->rest;
	const unsigned char *lf = memchr(in.at, '\n', in.len);

	if (lf == NULL)
		return false;
	size_t n = (size_t)(lf - in.at);
	bool crlf = n > 0 && in.at[n - 1] == '\r';
	skip(f, n + 1);
	if (crlf || f->settings->normalize) {
		one_line(f, (struct slice){in.at, n - crlf},
		    n + 1 > 2048 ? "500 5.5.2 line too long" : NULL);
		return true;
	}
	one_line(f, (struct slice){in.at, n}, "500 5.5.2 a command ends");
	const unsigned char *end =
	    f->rest.len > 0 ? memmem(f->rest.at, f->rest.len, "\r\n", 2) : NULL;
	f->line_next = f->line_next && end != NULL; /* until then the line goes on */
	skip(f, end != NULL ? (size_t)(end - f->rest.at) + 2 : f->rest.len);
	return true;
}

static void
walk(struct framing *f)
{
	static const char *const greetings[] = {[SMTP_SMTP] = "220 %s ESMTP\r\n",
	    [SMTP_LMTP] = "220 %s LMTP\r\n",
	    [SMTP_NULL] = "521 %s does not accept mail\r\n"};
	char text[300];

	f->now = true;
	if (f->scene->hasty == 1) {
		farewell(f, "h", "554 5.5.0 ");
		return;
	}
	(void)snprintf(text, sizeof text, greetings[f->settings->protocol], f->settings->hostname);
	said(f, text);
	if (f->rest.len > 0 && f->rest.at[0] == 0x16) {
		farewell(f, "f", "421 4.7.0 ");
		return;
	}
	while (f->wrong == NULL && !f->shut && f->rest.len > 0 && next_line(f))
		if (!f->shut && !f->requested && f->line_next)
			told(f, 'N', "c");
	if (f->scene->timeout && !f->shut)
		farewell(f, "s", "421 4.4.2 ");
}

const char *
oracle_framing(
    const struct trace *trace, const struct scene *scene, const unsigned char *in, size_t len)
{
	struct framing f = {
	    .trace = trace, .scene = scene, .settings = &scene->settings, .rest = {in, len}};

	f.chunks = malloc(len + 1);
	f.content = malloc(len + 1);
	if (f.chunks == NULL || f.content == NULL)
		abort();
	walk(&f);
	if (f.at < trace->count)
		fault(&f, "framing: an event too many");
	free(f.chunks);
	free(f.content);
	return f.wrong;
}
