/* engine_sessions.c -- whole conversations with the engine, made up around its limits. */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- smuggling ----------------------------------------------------------------------------- */

/* Why the message is refused: never, for its LFs unless they are normalized, for a CR. */
enum fault {
	NO_FAULT,
	BARE_LF,
	BARE_CR
};

static const struct {
	const char *octets;
	size_t len;
	enum fault fault;
} endings[] = {
#define ENDING(text, fault)                                                                        \
	{                                                                                          \
		text, sizeof text - 1, fault                                                       \
	}
    ENDING("\n.\n", BARE_LF),
    ENDING("\n.\r\n", BARE_LF),
    ENDING("\n.\r", BARE_CR),
    ENDING("\r.\r", BARE_CR),
    ENDING("\r.\n", BARE_CR),
    ENDING("\r.\r\n", BARE_CR),
    ENDING("\r\n.\n", BARE_LF),
    ENDING("\r\n.\r", BARE_CR),
    ENDING("\r\n.\r\r\n", BARE_CR),
    ENDING("\r\r\n.\r\r\n", BARE_CR),
    ENDING("\r\n\r.\r\n", BARE_CR),
    ENDING("\n\n.\r\n", BARE_LF),
    ENDING("\n\r.\r\n", BARE_CR),
    ENDING("\r\n\n.\r\n", BARE_LF),
    ENDING("\r\n.\r\x00\n", BARE_CR),
    ENDING("\r\x00\n.\r\n", BARE_CR),
    ENDING("\r\n\x00.\r\n", NO_FAULT),
    ENDING("\r\n.\x00\r\n", NO_FAULT),
    ENDING("\r\n..\r\n", NO_FAULT),
    ENDING("\r\n .\r\n", NO_FAULT),
    ENDING("\r\n. \r\n", NO_FAULT),
    ENDING("\x00\r\n\x00.\x00\r\n", NO_FAULT),
    ENDING("\x85.\x85", NO_FAULT),
    ENDING("\r\n\xef\xbb\xbf.\r\n", NO_FAULT),
#undef ENDING
};

static const char before[] = "EHLO client.test\r\nMAIL FROM:<a@client.test>\r\n"
			     "RCPT TO:<b@mx.test>\r\nDATA\r\nSubject: one\r\n\r\ntext";
static const char after[] = "MAIL FROM:<evil@client.test>\r\nRCPT TO:<c@mx.test>\r\nDATA\r\n"
			    "Subject: two\r\n\r\nsmuggled\r\n.\r\n"
			    "NOOP\r\nMAIL FROM:<d@client.test>\r\nQUIT\r\n";

/* Where the real replies should be: after the text of the second, which belongs to the first. */
static bool
in_step(const struct trace *trace, bool fault)
{
	static const char *const good[] = {
	    "220", "250", "250", "250", "354", "250 2.0.0 ID", "250 2.0.0 ok", "250 2.1.0", "221"};
	size_t at = 0;

	for (size_t i = 0; i < trace->count; i++) {
		const struct record *record = &trace->records[i];
		const char *octets = (const char *)trace->octets + record->from;
		if (record->what == 'A' && memmem(octets, record->len, "evil", 4) != NULL)
			return false;
		if (record->what != 'R')
			continue;
		const char *wanted = at == 5 && fault ? "550 5.5.2" : good[at];
		if (at++ == sizeof good / sizeof *good ||
		    strncmp(octets, wanted, strlen(wanted)) != 0)
			return false;
	}
	return at == sizeof good / sizeof *good;
}

static bool
ending(size_t i, const struct scene *scene)
{
	struct trace trace = {0};
	unsigned char in[1024];
	size_t len = sizeof before - 1;
	bool fault = endings[i].fault >= (scene->settings.normalize ? BARE_CR : BARE_LF);

	memcpy(in, before, len);
	memcpy(in + len, endings[i].octets, endings[i].len);
	len += endings[i].len;
	memcpy(in + len, after, sizeof after - 1);
	len += sizeof after - 1;
	const char *wrong = oracle_run(&trace, scene, in, len, (struct cuts){.how = CUT_NOT});
	if (wrong == NULL && !in_step(&trace, fault))
		wrong = "smuggling: not the replies of one message";
	if (wrong != NULL)
		complain("ending", scene->settings.normalize ? "normalized" : "number", i, wrong);
	oracle_free(&trace);
	return wrong == NULL && all_cuts("ending", scene, in, len, true, 1, 200);
}

int
smuggling(void)
{
	const struct part part = {0};
	struct scene scene = {.settings = usual(), .answer = play, .closure = &part};
	size_t count = sizeof endings / sizeof *endings;
	int failed = 0;

	for (size_t i = 0; i < 2 * count; i++) {
		scene.settings.normalize = i >= count;
		failed += !ending(i % count, &scene);
	}
	printf("%zu endings, %lu runs, %d wrong\n", 2 * count, runs, failed);
	return failed > 0;
}

/* ---- long lines ---------------------------------------------------------------------------- */

/*
 * A line of `len` octets with its end that begins with `begin`, then NOOP: `reply` is the only one to
 * the first, and if the session goes on the second has its own.
 */
static bool
line_of(const char *begin, size_t len, bool lf, const char *reply)
{
	const struct part part = {0};
	struct scene scene = {.settings = usual(), .answer = play, .closure = &part};
	bool shut = strstr(reply, "421") != NULL;
	char expected[256];
	struct trace whole = {0};
	unsigned char *in = malloc(len + 6);

	if (in == NULL)
		abort();
	scene.settings.normalize = lf;
	memset(in, 'x', len);
	memcpy(in, begin, strlen(begin));
	memcpy(in + len - 2, lf ? "x\nNOOP\r\n" : "\r\nNOOP\r\n", 8);
	(void)snprintf(expected, sizeof expected, "220 mx.test ESMTP\r\n%s\r\n%s", reply,
	    shut ? "" : "250 2.0.0 ok\r\n");
	const char *wrong = oracle_run(&whole, &scene, in, len + 6, (struct cuts){.how = CUT_NOT});
	bool ok = wrong == NULL &&
		  says(&whole, (const unsigned char *)expected, strlen(expected)) &&
		  all_cuts(begin, &scene, in, len + 6, len < 2100, 1, 20);
	if (!ok)
		complain(begin, "octets", len, wrong != NULL ? wrong : "a wrong reply");
	oracle_free(&whole);
	free(in);
	return ok;
}

int
long_lines(void)
{
	static const char ok[] = "250 2.0.0 ok", no[] = "500 5.5.2 line too long";
	static const char stray[] =
	    "500 5.5.2 line too long\r\n421 4.5.0 the next command cannot be found; closing";
	static const size_t lens[] = {2047, 2048, 2049, 2050, 4096};
	bool good = line_of("NOOP ", 1048576, false, no);

	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++)
		for (int lf = 0; lf < 2; lf++) {
			bool fits = lens[i] <= 2048;
			good = line_of("NOOP ", lens[i], lf, fits ? ok : no) && good;
			if (fits)
				continue;
			good = line_of("MAIL FROM:<", lens[i], lf, no) && good;
			good = line_of("BDAT 1 ", lens[i], lf, stray) && good;
			good = line_of("bdat 1", lens[i], lf, stray) && good;
			good = line_of("BDATX 1 ", lens[i], lf, no) && good;
		}
	printf("%lu runs\n", runs);
	return good ? 0 : 1;
}

/* ---- large messages ------------------------------------------------------------------------ */

/* The input of a session, put together. */
struct input {
	unsigned char octets[65536];
	size_t len;
};

static void
put(struct input *in, const char *text)
{
	size_t n = strlen(text);

	if (n > sizeof in->octets - in->len)
		abort();
	memcpy(in->octets + in->len, text, n);
	in->len += n;
}

static void
begin(struct input *in, const struct smtp_settings *settings)
{
	in->len = 0;
	put(in, settings->protocol == SMTP_LMTP ? "LHLO client.test\r\n" : "EHLO client.test\r\n");
	put(in, "MAIL FROM:<a@client.test> BODY=8BITMIME\r\nRCPT TO:<b@mx.test>\r\n");
	if (settings->protocol == SMTP_LMTP)
		put(in, "RCPT TO:<c@mx.test>\r\n");
}

static void
put_octets(struct input *in, size_t n, char octet)
{
	while (n-- > 0)
		put(in, (const char[2]){octet, 0});
}

/* `octets` on the wire after DATA, every dot of the lines doubled beyond that. */
static void
put_data(struct input *in, size_t octets)
{
	put(in, "DATA\r\n..\r\n..");
	put_octets(in, octets - 6, 'x'); /* two dots and two line ends are the others */
	put(in, "\r\n.\r\n");
}

/* The same in chunks of five octets at most, of which the last may be empty. */
static void
put_chunks(struct input *in, size_t octets, bool empty)
{
	char line[32];

	for (size_t n; octets > 0; octets -= n) {
		n = octets < 5 ? octets : 5;
		(void)snprintf(
		    line, sizeof line, "BDAT %zu%s\r\n", n, n == octets && !empty ? " LAST" : "");
		put(in, line);
		put_octets(in, n, '\n');
	}
	if (empty)
		put(in, "BDAT 0 LAST\r\n");
}

/* How often the text is in what was said. */
static unsigned
times(const struct trace *trace, const char *text)
{
	const unsigned char *at = trace->octets;
	unsigned n = 0;

	for (size_t left = trace->len; left > 0; n++) {
		at = memmem(at, left, text, strlen(text));
		if (at == NULL)
			break;
		at += strlen(text);
		left = trace->len - (size_t)(at - trace->octets);
	}
	return n;
}

/* The session is well formed, however it is cut, and that text is said so often. */
static bool
session(const char *name, size_t at, const struct scene *scene, const struct input *in,
    const char *text, unsigned often)
{
	struct trace trace = {0};

	runs++;
	const char *wrong =
	    oracle_run(&trace, scene, in->octets, in->len, (struct cuts){.how = CUT_NOT});
	if (wrong == NULL && text != NULL && times(&trace, text) != often)
		wrong = "a wrong reply, or not so often";
	if (wrong != NULL)
		complain(name, "number", at, wrong);
	oracle_free(&trace);
	return wrong == NULL && all_cuts(name, scene, in->octets, in->len, in->len < 1000, 1, 20);
}

int
large(void)
{
	static struct input in;
	const struct part part = {0};
	struct scene scene = {.settings = usual(), .answer = play, .closure = &part};
	bool ok = true;

	scene.settings.size_limit = 20;
	for (size_t octets = 18; octets < 24; octets++)
		for (unsigned how = 0; how < 8; how++) {
			bool lmtp = (how & 1) != 0;
			scene.settings.protocol = lmtp ? SMTP_LMTP : SMTP_SMTP;
			begin(&in, &scene.settings);
			if (how < 2)
				put_data(&in, octets);
			else
				put_chunks(&in, octets, how < 4);
			put(&in, how < 6 ? "DATA\r\nQUIT\r\n" : "BDAT 1 LAST\r\nxQUIT\r\n");
			/* What is too much is the last chunk, unless an empty one comes after it: then
			   it has a reply of its own before. */
			bool before = how >= 2 && how < 4 && octets > 20;
			ok = session("large", octets * 10 + how, &scene, &in,
				 octets <= 20 ? "250 2.0.0 ID" : "552 5.3.4",
				 (lmtp ? 2U : 1U) + before) &&
			     ok;
		}
	scene.settings.protocol = SMTP_SMTP;
	begin(&in, &scene.settings);
	put(&in, "DATA\r\nmore than twenty octets, and\na bare LF\r\n.\r\nQUIT\r\n");
	ok = session("large and bare", 0, &scene, &in, "550 5.5.2", 1) && ok;
	printf("%lu runs\n", runs);
	return ok ? 0 : 1;
}

/* ---- limits of a session ------------------------------------------------------------------- */

/* `n` times the same line, with a message after every `message`-th if that is not 0. */
static bool
lines(const char *line, unsigned n, unsigned message, const struct scene *scene, const char *text,
    unsigned often)
{
	static struct input in;

	in.len = 0;
	for (unsigned i = 0; i < n; i++) {
		put(&in, line);
		if (message > 0 && (i + 1) % message == 0)
			put(&in, "EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n.\r\n");
	}
	return session(line, n, scene, &in, text, often);
}

static bool
errors(struct scene *scene)
{
	static const char *const wrong[] = {"FOO\r\n", "NOOP \xff\r\n", "\x01\r\n",
	    "NOOP\nNOOP\r\n", "EHLO\r\n", "MAIL\r\n", "DATA\r\n", "BDAT 3 LAST\r\n250",
	    "HELP FOO\r\n", "EXPN a\r\n", "VRFY\r\n", "QUIT now\r\n", "VRFY \xc3\xa9\r\n",
	    "RSET x\r\nRSET\r\n"};
	static const char last[] = "421 4.7.0 too many errors; closing\r\n";
	bool ok = true;

	for (unsigned most = 1; most < 6; most++)
		for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
			scene->settings.error_limit = most;
			ok = lines(wrong[i], most - 1, 0, scene, last, 0) && ok;
			ok = lines(wrong[i], most, 0, scene, last, 1) && ok;
			ok = lines(wrong[i], most + 1, 0, scene, last, 1) && ok;
			ok = lines(wrong[i], 3 * most, most, scene, last, 1) && ok;
			/* a message that is delivered in time begins a new count */
			ok =
			    (most < 2 || lines(wrong[i], 3 * most, most - 1, scene, last, 0)) && ok;
		}
	/* not errors: a 452, a refused message, an HTTP request */
	scene->settings.error_limit = 1;
	scene->settings.recipient_limit = 1;
	ok =
	    lines("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n\n\r\n.\r\n",
		3, 0, scene, last, 0) &&
	    ok;
	ok = lines("GET / HTTP/1.1\r\n", 2, 0, scene, last, 0) && ok;
	scene->settings = usual();
	return ok;
}

/* Commands that bring no message nearer: 100 of them are free. */
static bool
junk(struct scene *scene)
{
	static const char *const idle[] = {"NOOP\r\n", "RSET\r\n", "VRFY a\r\n", "HELP\r\n",
	    "EHLO a\r\n", "HELO a\r\n", "NOOP\r\nHELP STATUS\r\nEXPN a\r\nRSET\r\nEHLO\r\n"};
	static const char last[] = "421 4.7.0 too many errors; closing\r\n";
	bool ok = true;

	scene->settings.error_limit = 3;
	for (size_t i = 0; i < 6; i++) {
		ok = lines(idle[i], 102, 0, scene, last, 0) && ok;
		ok = lines(idle[i], 103, 0, scene, last, 1) && ok;
		ok = lines(idle[i], 180, 60, scene, last, 0) && ok;
		ok = lines(idle[i], 206, 103, scene, last, 1) && ok;
	}
	scene->settings.error_limit = 100;
	for (unsigned n = 20; n < 50; n++)
		ok = lines(idle[6], n, 0, scene, NULL, 0) && ok;
	scene->settings = usual();
	scene->settings.protocol = SMTP_LMTP;
	ok = lines("LHLO a\r\nNOOP\r\n", 70, 0, scene, last, 1) && ok;
	scene->settings = usual();
	/* where EXPN is no error it is such a command */
	const void *part = scene->closure;
	scene->closure = &(const struct part){.expand = true};
	scene->settings.error_limit = 3;
	ok = lines("EXPN a\r\n", 102, 0, scene, last, 0) && ok;
	ok = lines("EXPN a\r\n", 103, 0, scene, last, 1) && ok;
	scene->settings = usual();
	scene->closure = part;
	return ok;
}

static bool
messages(struct scene *scene)
{
	static const char text[] =
	    "MAIL FROM:<>\r\nRSET\r\nMAIL\r\nMAIL FROM:<> SIZE=99999999999\r\n";
	static const char last[] = "421 4.7.0 enough messages for one connection; closing\r\n";
	static struct input in;
	bool ok = true;

	for (unsigned most = 1; most < 4; most++)
		for (unsigned n = most - 1; n < most + 2; n++) {
			scene->settings.message_limit = most;
			in.len = 0;
			put(&in, "EHLO a\r\n");
			for (unsigned i = 0; i < n; i++)
				put(&in, text);
			ok = session("messages", n, scene, &in, last, n > most) && ok;
		}
	scene->settings = usual();
	return ok;
}

/* A message of 20 octets three times, by DATA and by BDAT, refused and not, where that many fit. */
static bool
octets(struct scene *scene)
{
	static const char *const texts[] = {"DATA\r\n..abcdefghijklm\r\n.\r\n",
	    "BDAT 19\r\nabcdefghijklmnopqrsBDAT 1 LAST\r\n\n",
	    "BDAT 20\r\nabcdefghijklmnopqrstRSET\r\n", "DATA\r\n\nabcdefghijklmn\r\n.\r\n",
	    "RSET\r\nBDAT 20 LAST\r\nabcdefghijklmnopqrst"};
	static const char last[] = "421 4.7.0 enough octets for one connection; closing\r\n";
	static struct input in;
	char mail[64];
	bool ok = true;

	for (unsigned most = 0; most < 64; most++)
		for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
			scene->settings.octets_limit = most;
			in.len = 0;
			put(&in, "EHLO a\r\n");
			for (unsigned n = 0; n < 3; n++) {
				(void)snprintf(mail, sizeof mail,
				    "MAIL FROM:<>%s\r\nRCPT TO:<a@b>\r\n",
				    most % 2 == 1 ? " SIZE=10" : "");
				put(&in, mail);
				put(&in, texts[i]);
			}
			ok = session("octets", most * 10 + i, scene, &in, last, most < 60) && ok;
		}
	scene->settings = usual();
	return ok;
}

/* Chunks whose sizes are beyond everything, where nothing else is. */
static bool
huge(struct scene *scene)
{
	static const char *const sizes[] = {"18446744073709551615", "18446744073709551616",
	    "99999999999999999999", "18446744073709551606"};
	static struct input in;
	char line[64];
	bool ok = true;

	scene->settings.octets_limit = UINT64_MAX;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (unsigned first = 0; first < 2; first++) {
			begin(&in, &scene->settings);
			put(&in, first > 0 ? "BDAT 10\r\n0123456789" : "");
			(void)snprintf(line, sizeof line, "BDAT %s LAST\r\n\r\nNOOP\r\n", sizes[i]);
			put(&in, line);
			scene->timeout = true;
			ok = session("huge", i, scene, &in, NULL, 0) && ok;
		}
	scene->timeout = false;
	scene->settings = usual();
	return ok;
}

/* What counts as a Received field behind 100 of them, and what does not. */
static const struct {
	const char *line;
	bool counts;
} fields[] = {
    {"Received: by x", true},
    {"RECEIVED:", true},
    {"received \t :", true},
    {"", false},
    {"Received", false},
    {"Received by: x", false},
    {"Received-SPF: pass", false},
    {"X-Received: x", false},
    {"Receive: x", false},
    {" Received: x", false},
    {"\tReceived: x", false},
    {"\r\nReceived: x", false},
    {":Received:", false},
};

/* `n` fields, a last line, and a body; in chunks of which some end between CR and LF. */
static void
put_hops(struct input *in, unsigned n, const char *last, bool chunks)
{
	char text[128];

	(void)snprintf(text, sizeof text, "%s\r\n\r\nReceived: y\r\n", last);
	put(in, chunks ? "" : "DATA\r\n");
	while (n-- > 0)
		put(in,
		    chunks ? "BDAT 5\r\nReceiBDAT 7\r\nved: x\rBDAT 1\r\n\n" : "Received: x\r\n");
	if (chunks) {
		char line[32];
		(void)snprintf(line, sizeof line, "BDAT %zu LAST\r\n", strlen(text));
		put(in, line);
	}
	put(in, text);
	put(in, chunks ? "" : ".\r\n");
}

/* More than 100 Received fields: a loop.  Each session has two messages, the first with 60. */
static bool
hops(struct scene *scene)
{
	static struct input in;
	bool ok = true;

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		for (unsigned how = 0; how < 4; how++) {
			bool lmtp = (how & 2) != 0;
			scene->settings.protocol = lmtp ? SMTP_LMTP : SMTP_SMTP;
			begin(&in, &scene->settings);
			put_hops(&in, 60, "To: x", how & 1);
			put(&in,
			    "MAIL FROM:<> BODY=8BITMIME\r\nRCPT TO:<a@b>\r\nRCPT TO:<a@b>\r\n");
			put_hops(&in, 100, fields[i].line, how & 1);
			put(&in, "NOOP\r\n");
			unsigned often = fields[i].counts ? lmtp ? 2 : 1 : 0;
			ok = session("hops", i * 10 + how, scene, &in, "554 5.4.6", often) && ok;
		}
	scene->settings = usual();
	return ok;
}

static void
refuse(const struct scene *scene, unsigned asked, const struct smtp_event *question,
    struct answer *answer)
{
	(void)scene, (void)asked;
	answer_set(answer, question->letter == REQUEST_END ? VERDICT_NEVER : VERDICT_YES, "");
}

/* No reply to a message is an error, whoever refuses it and why. */
static bool
refused(void)
{
	static const char *const texts[] = {"DATA\r\n.\r\n", "BDAT 1 LAST\r\n\n",
	    "DATA\r\n\n\r\n.\r\n", "DATA\r\nmore than twenty octets\r\n.\r\n",
	    "BDAT 21\r\nmore than twenty octe", "BDAT 21 LAST\r\nmore than twenty octe"};
	static struct input in;
	struct scene scene = {.settings = usual(), .answer = refuse};
	bool ok = true;

	scene.settings.error_limit = 1;
	scene.settings.size_limit = 20;
	for (size_t i = 0; i < sizeof texts / sizeof *texts * 2; i++) {
		scene.settings.protocol = i % 2 == 1 ? SMTP_LMTP : SMTP_SMTP;
		begin(&in, &scene.settings);
		for (unsigned n = 0; n < 3; n++) {
			put(&in, texts[i / 2]);
			put(&in, "MAIL FROM:<>\r\nRCPT TO:<a@b>\r\n");
		}
		ok = session("refused", i, &scene, &in, "421 ", 0) && ok;
	}
	return ok;
}

/* A line that is refused before its argument is read, and what was to follow it. */
static bool
strays(struct scene *scene)
{
	static const char *const lines[] = {"BDAT 4\xff\r\n", "BDAT 4 \xc3\xa9\r\n",
	    "BDAT 4 \x01\r\n", "BDAT \x7f\r\n", "BDAT 4 LAST\nX\r\n", "bdat\n\r\n", "BDAT\r\n",
	    "BDAT  \t\r\n", "BDAT 4 LAST x\r\n", "BDAT 4LAST\r\n", "BDAT -1\r\n", "BDAT +4\r\n",
	    "BDAT 000000000000000000004\r\n", "BDAT\t4\r\n"};
	static const char *const others[] = {"BDATX 4\xff\r\n", "BDA 4 \x01\r\n", "BDATA\n4\r\n",
	    " BDAT x\r\n", "\x16\x03\x01\r\n", "VRFY a\x01\r\n", "RCPT TO:<a\x7f@b>\r\n",
	    "MAIL FROM:<a@b>\x01\xc3\xa9\r\n"};
	static const char *const http[] = {"GET / HTTP/1.1\r\n", "post\r\n", "PRI * HTTP/2.0\r\n",
	    "HEAD /\xff\r\n", "PUT \x01\r\n", "DELETE x\ny\r\n", "CONNECT\n", "OPTIONS *\r\n",
	    "TRACE /\r\n", "PATCH /\r\n"};
	static const char evil[] = "MAIL FROM:<evil@client.test>\r\n";
	static struct input in;
	bool ok = true;

	for (size_t i = 0; i < 14 + 8 + 10; i++)
		for (unsigned rcpt = 0; rcpt < 2; rcpt++) {
			const char *line = i < 14   ? lines[i]
					   : i < 22 ? others[i - 14]
						    : http[i - 22];
			in.len = 0;
			if (rcpt > 0)
				begin(&in, &scene->settings);
			put(&in, line);
			put(&in, evil);
			ok = session(line, i, scene, &in, i < 22 ? "421 4.5.0" : "421 4.7.0",
				 i < 14 || i >= 22) &&
			     ok;
		}
	return ok;
}

int
limits(void)
{
	const struct part part = {0};
	struct scene scene = {.settings = usual(), .answer = play, .closure = &part};

	bool ok = errors(&scene);
	ok = junk(&scene) && ok;
	ok = messages(&scene) && ok;
	ok = octets(&scene) && ok;
	ok = huge(&scene) && ok;
	ok = hops(&scene) && ok;
	ok = refused() && ok;
	ok = strays(&scene) && ok;
	printf("%lu runs\n", runs);
	return ok ? 0 : 1;
}

/* ---- answers ------------------------------------------------------------------------------- */

/* The monitor says this to one question, and yes to the others; the client is told that. */
static const struct said {
	enum request_letter letter;
	enum verdict verdict;
	const char *text, *reply;
} said[] = {
    {REQUEST_FROM, VERDICT_YES, "", "250 2.1.0 sender ok"},
    {REQUEST_FROM, VERDICT_LATER, "", "451 4.3.0 not now; try again later"},
    {REQUEST_FROM, VERDICT_NEVER, "", "550 5.7.1 refused"},
    {REQUEST_RCPT, VERDICT_YES, "", "250 2.1.5 recipient ok"},
    {REQUEST_RCPT, VERDICT_LATER, "", "451 4.3.0 not now; try again later"},
    {REQUEST_RCPT, VERDICT_NEVER, "", "550 5.1.1 no such mailbox here"},
    {REQUEST_RCPT, VERDICT_FORWARDED, "", "251 2.1.5 user not local; will forward"},
    {REQUEST_RCPT, VERDICT_FORWARDED, "<c@d>", "251 2.1.5 <c@d>"},
    {REQUEST_RCPT, VERDICT_MOVED, "", "551 5.1.6 user not local"},
    {REQUEST_RCPT, VERDICT_MOVED, "<c@d>", "551 5.1.6 <c@d>"},
    {REQUEST_VERIFY, VERDICT_YES, "",
	"252 2.5.2 not verified; mail to it is accepted or refused at RCPT"},
    {REQUEST_VERIFY, VERDICT_YES, "<c@d>", "250 2.1.5 <c@d>"},
    {REQUEST_VERIFY, VERDICT_LATER, "", "451 4.3.0 not now; try again later"},
    {REQUEST_VERIFY, VERDICT_NEVER, "", "550 5.1.1 no such mailbox here"},
    {REQUEST_VERIFY, VERDICT_FORWARDED, "<c@d>", "251 2.1.5 <c@d>"},
    {REQUEST_VERIFY, VERDICT_MOVED, "<c@d>", "551 5.1.6 <c@d>"},
    {REQUEST_VERIFY, VERDICT_YES, "<\"c d\"@e>", "250 2.1.5 <\"c d\"@e>"},
    {REQUEST_EXPAND, VERDICT_YES, "",
	"252 2.5.2 not verified; mail to it is accepted or refused at RCPT"},
    {REQUEST_EXPAND, VERDICT_YES, "<c@d>", "250 2.1.5 <c@d>"},
    {REQUEST_EXPAND, VERDICT_YES, "<c@d> <e@f> +7",
	"250-2.1.5 <c@d>\r\n250-2.1.5 <e@f>\r\n250 2.1.5 +7"},
    {REQUEST_EXPAND, VERDICT_YES, "a b c d e f g h i j k l m",
	"250-2.1.5 a\r\n250-2.1.5 b\r\n250-2.1.5 c\r\n250-2.1.5 d\r\n250-2.1.5 e\r\n"
	"250-2.1.5 f\r\n250-2.1.5 g\r\n250-2.1.5 h\r\n250-2.1.5 i\r\n250-2.1.5 j\r\n"
	"250-2.1.5 k\r\n250 2.1.5 l"},
    {REQUEST_EXPAND, VERDICT_LATER, "", "451 4.3.0 not now; try again later"},
    {REQUEST_EXPAND, VERDICT_LATER, "4.5.3 too many", "452 4.5.3 too many"},
    {REQUEST_EXPAND, VERDICT_NEVER, "", "502 5.5.1 command not implemented"},
    {REQUEST_EXPAND, VERDICT_NEVER, "5.1.1 not here", "550 5.1.1 not here"},
    {REQUEST_EXPAND, VERDICT_FORWARDED, "2.1.5 to <c@d>", "251 2.1.5 to <c@d>"},
    {REQUEST_EXPAND, VERDICT_MOVED, "<c@d>", "551 5.1.6 <c@d>"},
    {REQUEST_END, VERDICT_YES, "", "250 2.0.0 delivered"},
    {REQUEST_END, VERDICT_LATER, "", "451 4.3.0 not now; try again later"},
    {REQUEST_END, VERDICT_NEVER, "", "554 5.0.0 refused"},
    /* an enhanced code of the class comes first and says the code */
    {REQUEST_RCPT, VERDICT_LATER, "4.2.1 busy", "450 4.2.1 busy"},
    {REQUEST_RCPT, VERDICT_LATER, "4.2.2 full", "452 4.2.2 full"},
    {REQUEST_END, VERDICT_LATER, "4.3.1 full", "452 4.3.1 full"},
    {REQUEST_RCPT, VERDICT_LATER, "4.5.3 many", "452 4.5.3 many"},
    {REQUEST_RCPT, VERDICT_NEVER, "5.1.3 bad", "553 5.1.3 bad"},
    {REQUEST_END, VERDICT_NEVER, "5.2.2 full", "552 5.2.2 full"},
    {REQUEST_END, VERDICT_NEVER, "5.2.3 large", "552 5.2.3 large"},
    {REQUEST_END, VERDICT_NEVER, "5.3.4 large", "552 5.3.4 large"},
    {REQUEST_END, VERDICT_NEVER, "5.7.1 virus", "554 5.7.1 virus"},
    {REQUEST_END, VERDICT_NEVER, "5.999.999 x", "554 5.999.999 x"},
    {REQUEST_RCPT, VERDICT_NEVER, "5.7.1 ", "550 5.7.1 "},
    /* and anything else is text */
    {REQUEST_END, VERDICT_LATER, "5.2.2 full", "451 4.3.0 5.2.2 full"},
    {REQUEST_END, VERDICT_NEVER, "4.2.2 full", "554 5.0.0 4.2.2 full"},
    {REQUEST_END, VERDICT_LATER, "4.2.2", "451 4.3.0 4.2.2"},
    {REQUEST_END, VERDICT_LATER, "4.02.2 x", "451 4.3.0 4.02.2 x"},
    {REQUEST_END, VERDICT_LATER, "4.2.1000 x", "451 4.3.0 4.2.1000 x"},
    {REQUEST_END, VERDICT_LATER, "4.2. x", "451 4.3.0 4.2. x"},
    {REQUEST_END, VERDICT_LATER, "gone", "451 4.3.0 gone"},
    /* a pause is over whatever is said */
    {REQUEST_PAUSE, VERDICT_YES, "", "500 5.5.1 unknown command"},
    {REQUEST_PAUSE, VERDICT_LATER, "4.2.2 full", "500 5.5.1 unknown command"},
    {REQUEST_PAUSE, VERDICT_NEVER, "", "500 5.5.1 unknown command"},
    {REQUEST_PAUSE, VERDICT_MOVED, "<c@d>", "500 5.5.1 unknown command"},
};

static void
say(const struct scene *scene, unsigned asked, const struct smtp_event *question,
    struct answer *answer)
{
	const struct said *row = scene->closure;
	bool here = question->letter == row->letter;

	(void)asked;
	answer_set(answer, here ? row->verdict : VERDICT_YES, here ? row->text : "");
}

/* The reply after each such question is the one of the row. */
static bool
told(const struct trace *trace, const struct said *row)
{
	bool once = false;

	for (size_t i = 0; i + 1 < trace->count; i++) {
		const struct record *asked = &trace->records[i], *reply = asked + 1;
		size_t len = strlen(row->reply);
		if (asked->what != 'A' || asked->letter != (char)row->letter)
			continue;
		if (reply->what != 'R' || reply->len != len + 2 ||
		    memcmp(trace->octets + reply->from, row->reply, len) != 0)
			return false;
		once = true;
	}
	return once;
}

int
answers(void)
{
	/* Without a recipient DATA is refused, and its dot is a command. */
	static const struct {
		enum smtp_protocol protocol;
		const char *in;
	} sessions[] = {
	    {SMTP_SMTP,
		"EHLO a\r\nFOO\r\nFOO\r\nVRFY a\r\nEXPN a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\n"
		"DATA\r\n.\r\nRCPT TO:<a@b>\r\nMAIL FROM:<>\r\nQUIT\r\n"},
	    {SMTP_SMTP,
		"EHLO a\r\nFOO\r\nFOO\r\nVRFY a\r\nEXPN a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\n"
		"BDAT 1 LAST\r\n\nRCPT TO:<a@b>\r\nMAIL FROM:<>\r\nQUIT\r\n"},
	    {SMTP_LMTP,
		"LHLO a\r\nFOO\r\nFOO\r\nVRFY a\r\nEXPN a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\n"
		"RCPT TO:<a@b>\r\nDATA\r\n.\r\nRCPT TO:<a@b>\r\nMAIL FROM:<>\r\nQUIT\r\n"},
	};
	struct scene scene = {.settings = usual(), .answer = say};
	struct trace trace = {0};
	int failed = 0;

	for (size_t i = 0; i < sizeof said / sizeof *said * 3; i++) {
		const struct said *row = scene.closure = &said[i / 3];
		const unsigned char *in = (const unsigned char *)sessions[i % 3].in;
		size_t len = strlen(sessions[i % 3].in);
		scene.settings.protocol = sessions[i % 3].protocol;
		scene.settings.error_limit = row->letter == REQUEST_PAUSE ? 3 : 100;
		const char *wrong =
		    oracle_run(&trace, &scene, in, len, (struct cuts){.how = CUT_NOT});
		if (wrong == NULL)
			wrong = oracle_framing(&trace, &scene, in, len);
		if (wrong == NULL && !told(&trace, row))
			wrong = "another reply";
		if (wrong != NULL)
			complain(row->reply, "row", i, wrong);
		failed += wrong != NULL;
	}
	oracle_free(&trace);
	return failed > 0;
}
