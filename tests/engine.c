/*
 * engine.c -- the pure engine alone, against what oracle.h states.
 *
 *   engine dialogues SEED N FILE ...   NAME.in or NAME.raw with NAME.out: whole, at every split in
 *                                      two, octet by octet, and N times cut at random
 *   engine smuggling                   what looks like the end of a message and is none
 *   engine body                        every short text, cut in every two places
 *   engine long                        lines around the limit and far beyond it
 *   engine large                       messages around the limit
 *   engine answers                     every answer of the monitor's to every question
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "oracle.h"

enum {
	FILE_MAX = 65536
};

static unsigned long runs;

static void
complain(const char *name, const char *how, size_t at, const char *wrong)
{
	printf("%s (%s %zu): %s\n", name, how, at, wrong);
}

/* ---- the monitor of the recorded dialogues ------------------------------------------------- */

/* What a NAME.conf changes, as the real monitor would act on it. */
struct part {
	bool users, verify; /* users: alice, bob and postmaster, at mx.test */
};

static void
look_up(const struct part *part, const struct smtp_event *question, struct answer *answer)
{
	static const char *const users[] = {"alice", "bob", "postmaster"};
	char mailbox[MAILBOX_MAX + 1];

	memcpy(mailbox, question->octets, question->len);
	mailbox[question->len] = 0;
	char *at = strrchr(mailbox, '@');
	if (at != NULL)
		*at++ = 0;
	if (!part->users) {
		answer_set(answer, VERDICT_YES, "");
		return;
	}
	if (at != NULL && strcasecmp(at, "mx.test") != 0) {
		answer_set(answer, VERDICT_NEVER, "5.7.1 mail for this domain is not taken here");
		return;
	}
	for (size_t i = 0; i < sizeof users / sizeof *users; i++)
		if (strcasecmp(mailbox, users[i]) == 0) {
			char text[64];
			(void)snprintf(text, sizeof text, "<%s@mx.test>", users[i]);
			answer_set(
			    answer, VERDICT_YES, question->letter == REQUEST_VERIFY ? text : "");
			return;
		}
	answer_set(answer, VERDICT_NEVER, "5.1.1 no such mailbox here");
}

static void
play(const struct scene *scene, unsigned asked, const struct smtp_event *question,
    struct answer *answer)
{
	const struct part *part = scene->closure;

	(void)asked;
	answer_set(answer, VERDICT_YES, "");
	if (question->letter == REQUEST_END)
		answer_set(answer, VERDICT_YES, "2.0.0 ID delivered");
	else if (question->letter == REQUEST_RCPT ||
		 (question->letter == REQUEST_VERIFY && part->verify))
		look_up(part, question, answer);
}

static void
read_conf(const char *path, struct scene *scene, struct part *part)
{
	char line[256], key[64], value[128];
	FILE *file = fopen(path, "r");

	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		if (sscanf(line, "%63s %127s", key, value) != 2)
			continue;
		if (strcmp(key, "SizeLimit") == 0)
			scene->settings.size_limit = strtoull(value, NULL, 10);
		else if (strcmp(key, "RecipientLimit") == 0)
			scene->settings.recipient_limit = (unsigned)strtoul(value, NULL, 10);
		else if (strcmp(key, "Users") == 0)
			part->users = true;
		else if (strcmp(key, "Verify") == 0)
			part->verify = true;
	}
	if (file != NULL)
		(void)fclose(file);
}

/* ---- recorded dialogues -------------------------------------------------------------------- */

/* A file's octets, with a CR before each LF if `crlf`. */
static size_t
slurp(const char *path, bool crlf, unsigned char octets[FILE_MAX])
{
	FILE *file = fopen(path, "rb");
	size_t n = 0;
	int c;

	if (file == NULL) {
		perror(path);
		exit(1);
	}
	while ((c = getc(file)) != EOF && n < FILE_MAX - 1) {
		if (c == '\n' && crlf)
			octets[n++] = '\r';
		octets[n++] = (unsigned char)c;
	}
	(void)fclose(file);
	return n;
}

static bool
says(const struct trace *trace, const unsigned char *expected, size_t len)
{
	size_t at = 0;

	for (size_t i = 0; i < trace->count; i++) {
		const struct record *record = &trace->records[i];
		if (record->what != 'R')
			continue;
		if (record->len > len - at ||
		    memcmp(trace->octets + record->from, expected + at, record->len) != 0)
			return false;
		at += record->len;
	}
	return at == len;
}

static bool
one_cut(const char *name, const struct scene *scene, const unsigned char *in, size_t len,
    const struct trace *whole, struct cuts cuts)
{
	static const char *const hows[] = {"whole", "cut at", "octets", "seed"};
	static struct trace trace;

	runs++;
	const char *wrong = oracle_run(&trace, scene, in, len, cuts);
	if (wrong == NULL)
		wrong = oracle_same(whole, &trace);
	if (wrong != NULL)
		complain(
		    name, hows[cuts.how], cuts.how == CUT_TWO ? cuts.at : (size_t)cuts.seed, wrong);
	return wrong == NULL;
}

static bool
all_cuts(const char *name, const struct scene *scene, const unsigned char *in, size_t len,
    bool splits, unsigned long long seed, unsigned long random)
{
	struct trace whole = {0};
	bool ok = true;

	const char *wrong = oracle_run(&whole, scene, in, len, (struct cuts){.how = CUT_NOT});
	if (wrong == NULL)
		wrong = oracle_framing(&whole, scene, in, len);
	if (wrong != NULL) {
		complain(name, "whole", 0, wrong);
		ok = false;
	}
	for (size_t at = 1; splits && at < len && ok; at++)
		ok = one_cut(name, scene, in, len, &whole, (struct cuts){.how = CUT_TWO, .at = at});
	ok = ok && one_cut(name, scene, in, len, &whole, (struct cuts){.how = CUT_OCTETS});
	for (unsigned long i = 0; i < random && ok; i++)
		ok = one_cut(name, scene, in, len, &whole,
		    (struct cuts){.how = CUT_RANDOM, .seed = seed + i * 2 + 1});
	oracle_free(&whole);
	return ok;
}

static bool
dialogue(const char *path, unsigned long long seed, unsigned long random)
{
	static unsigned char in[FILE_MAX], out[FILE_MAX];
	char other[256];
	struct part part = {0};
	struct trace whole = {0};
	struct scene scene = {.settings = {.hostname = "mx.test",
				  .size_limit = SIZE_DEFAULT,
				  .recipient_limit = RECIPIENTS_DEFAULT},
	    .answer = play,
	    .closure = &part};

	const char *dot = strrchr(path, '.');
	size_t len = slurp(path, strcmp(dot, ".in") == 0, in);
	(void)snprintf(other, sizeof other, "%.*s.conf", (int)(dot - path), path);
	read_conf(other, &scene, &part);
	(void)snprintf(other, sizeof other, "%.*s.out", (int)(dot - path), path);
	size_t expected = slurp(other, true, out);

	const char *wrong = oracle_run(&whole, &scene, in, len, (struct cuts){.how = CUT_NOT});
	if (!says(&whole, out, expected)) {
		complain(path, "replies", 0, "dialogue: not the recorded ones");
		oracle_free(&whole);
		return false;
	}
	oracle_free(&whole);
	if (wrong != NULL)
		complain(path, "whole", 0, wrong);
	bool ok = wrong == NULL && all_cuts(path, &scene, in, len, true, seed, random);
	for (size_t at = 0; at <= len && ok; at += 1 + len / 200) { /* the client falls silent */
		scene.timeout = true;
		ok = all_cuts(path, &scene, in, at, false, seed, 0);
	}
	return ok;
}

static int
dialogues(int argc, char **argv)
{
	int failed = 0;

	if (argc < 5)
		return 1;
	for (int i = 4; i < argc; i++)
		failed +=
		    !dialogue(argv[i], strtoull(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
	printf("seed %s: %d dialogues, %lu runs, %d wrong\n", argv[2], argc - 4, runs, failed);
	return failed > 0;
}

/* ---- smuggling ----------------------------------------------------------------------------- */

static const struct {
	const char *octets;
	size_t len;
	bool fault; /* a bare CR or LF, so that the message is refused */
} endings[] = {
#define ENDING(text, fault)                                                                        \
	{                                                                                          \
		text, sizeof text - 1, fault                                                       \
	}
    ENDING("\n.\n", true),
    ENDING("\n.\r\n", true),
    ENDING("\n.\r", true),
    ENDING("\r.\r", true),
    ENDING("\r.\n", true),
    ENDING("\r.\r\n", true),
    ENDING("\r\n.\n", true),
    ENDING("\r\n.\r", true),
    ENDING("\r\n.\r\r\n", true),
    ENDING("\r\r\n.\r\r\n", true),
    ENDING("\r\n\r.\r\n", true),
    ENDING("\n\n.\r\n", true),
    ENDING("\n\r.\r\n", true),
    ENDING("\r\n\n.\r\n", true),
    ENDING("\r\n.\r\x00\n", true),
    ENDING("\r\x00\n.\r\n", true),
    ENDING("\r\n\x00.\r\n", false),
    ENDING("\r\n.\x00\r\n", false),
    ENDING("\r\n..\r\n", false),
    ENDING("\r\n .\r\n", false),
    ENDING("\r\n. \r\n", false),
    ENDING("\x00\r\n\x00.\x00\r\n", false),
    ENDING("\x85.\x85", false),
    ENDING("\r\n\xef\xbb\xbf.\r\n", false),
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

static int
smuggling(void)
{
	const struct part part = {0};
	const struct scene scene = {.settings = {.hostname = "mx.test",
					.size_limit = SIZE_DEFAULT,
					.recipient_limit = RECIPIENTS_DEFAULT},
	    .answer = play,
	    .closure = &part};
	struct trace trace = {0};
	unsigned char in[1024];
	int failed = 0;

	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		size_t len = sizeof before - 1;
		memcpy(in, before, len);
		memcpy(in + len, endings[i].octets, endings[i].len);
		len += endings[i].len;
		memcpy(in + len, after, sizeof after - 1);
		len += sizeof after - 1;
		const char *wrong =
		    oracle_run(&trace, &scene, in, len, (struct cuts){.how = CUT_NOT});
		if (wrong == NULL && !in_step(&trace, endings[i].fault))
			wrong = "smuggling: not the replies of one message";
		if (wrong != NULL)
			complain("ending", "number", i, wrong);
		failed += wrong != NULL || !all_cuts("ending", &scene, in, len, true, 1, 200);
	}
	oracle_free(&trace);
	printf("%zu endings, %lu runs, %d wrong\n", sizeof endings / sizeof *endings, runs, failed);
	return failed > 0;
}

/* ---- bodies -------------------------------------------------------------------------------- */

enum {
	SHORT = 8,
	TAIL = 6 /* a true end, and one octet that is not of the message */
};

/* body_step on `in`, cut at two places, against the statement. */
static const char *
body_cut(const unsigned char *in, size_t len, size_t one, size_t two, const struct message *m,
    const unsigned char *content)
{
	const size_t stops[] = {one, two, len};
	unsigned char got[SHORT + TAIL];
	struct body body;
	size_t at = 0, count = 0, from, n;

	body_begin(&body);
	for (size_t i = 0; i < 3; i++)
		while (at < stops[i] && body.at != BODY_DONE) {
			size_t taken = body_step(&body, in + at, stops[i] - at, &from, &n);
			if (taken == 0 || taken > stops[i] - at || from + n > taken)
				return "body: takes nothing, or more than there is";
			if (!body.bare)
				memcpy(got + count, in + at + from, n);
			count += body.bare ? 0 : n;
			at += taken;
		}
	if (body.at != BODY_DONE || at != m->end)
		return "body: another end";
	if (body.bare != m->bare)
		return m->bare ? "body: a fault overlooked" : "body: refused for nothing";
	if (!m->bare && (count != m->count || memcmp(got, content, count) != 0))
		return "body: another content";
	return m->bare || body.octets == m->wire ? NULL : "body: counts other octets";
}

static bool
body_text(const unsigned char *text, size_t len)
{
	unsigned char in[SHORT + TAIL], content[SHORT + TAIL];
	struct message m;

	memcpy(in, text, len);
	memcpy(in + len, "\r\n.\r\nX", TAIL);
	len += TAIL;
	if (!oracle_message(in, len, content, &m))
		return false;
	for (size_t one = 0; one < len; one++)
		for (size_t two = one; two < len; two++) {
			runs++;
			const char *wrong = body_cut(in, len, one, two, &m, content);
			if (wrong == NULL)
				continue;
			for (size_t i = 0; i < len; i++)
				printf("%02x ", in[i]);
			complain("text", "cut", one * 100 + two, wrong);
			return false;
		}
	return true;
}

static int
body(void)
{
	static const unsigned char letters[] = "\r\n.a";
	unsigned char text[SHORT];
	unsigned long failed = 0, texts = 0;

	for (size_t len = 0; len <= SHORT; len++)
		for (unsigned n = 0; n < 1U << 2 * len; n++) {
			for (size_t i = 0; i < len; i++)
				text[i] = letters[n >> 2 * i & 3];
			texts++;
			if (!body_text(text, len) && ++failed == 10)
				return 1;
		}
	printf("%lu texts, %lu runs, %lu wrong\n", texts, runs, failed);
	return failed > 0;
}

/* ---- long lines ---------------------------------------------------------------------------- */

/* NOOP and letters, `len` octets with its CRLF, then NOOP: is the first refused, the second not? */
static bool
line_of(size_t len, bool refused)
{
	const struct part part = {0};
	const struct scene scene = {.settings = {.hostname = "mx.test",
					.size_limit = SIZE_DEFAULT,
					.recipient_limit = RECIPIENTS_DEFAULT},
	    .answer = play,
	    .closure = &part};
	static const char good[] = "220 mx.test ESMTP\r\n250 2.0.0 ok\r\n250 2.0.0 ok\r\n";
	static const char bad[] =
	    "220 mx.test ESMTP\r\n500 5.5.2 line too long\r\n250 2.0.0 ok\r\n";
	const char *expected = refused ? bad : good;
	struct trace whole = {0};
	unsigned char *in = malloc(len + 6);

	if (in == NULL)
		abort();
	memset(in, 'x', len);
	memcpy(in, "NOOP ", 5);
	memcpy(in + len - 2, "\r\nNOOP\r\n", 8);
	const char *wrong = oracle_run(&whole, &scene, in, len + 6, (struct cuts){.how = CUT_NOT});
	bool ok = wrong == NULL &&
		  says(&whole, (const unsigned char *)expected, strlen(expected)) &&
		  oracle_framing(&whole, &scene, in, len + 6) == NULL;
	for (size_t at = 2040; at < 2056 && at < len + 6 && ok; at++)
		ok = one_cut(
		    "long", &scene, in, len + 6, &whole, (struct cuts){.how = CUT_TWO, .at = at});
	ok = ok && one_cut("long", &scene, in, len + 6, &whole, (struct cuts){.how = CUT_OCTETS});
	if (!ok)
		complain("long", "octets", len, "a wrong reply");
	oracle_free(&whole);
	free(in);
	return ok;
}

static int
long_lines(void)
{
	return line_of(2047, false) && line_of(2048, false) && line_of(2049, true) &&
		       line_of(2050, true) && line_of(4096, true) && line_of(1048576, true)
		   ? 0
		   : 1;
}

/* ---- large messages ------------------------------------------------------------------------ */

/* A message of `octets` where LIMIT are allowed, every dot of its lines doubled on the wire. */
static bool
message_of(size_t octets)
{
	enum {
		LIMIT = 20
	};
	const struct part part = {0};
	const struct scene scene = {
	    .settings = {.hostname = "mx.test", .size_limit = LIMIT, .recipient_limit = 1},
	    .answer = play,
	    .closure = &part};
	static const char head[] = "EHLO client.test\r\nMAIL FROM:<a@client.test>\r\n"
				   "RCPT TO:<b@mx.test>\r\nDATA\r\n..\r\n..";
	static const char tail[] = "\r\n.\r\nDATA\r\nQUIT\r\n";
	unsigned char in[512];
	size_t len = sizeof head - 1;

	memcpy(in, head, len);
	memset(in + len, 'x', octets - 6); /* two dots and two line ends are the others */
	len += octets - 6;
	memcpy(in + len, tail, sizeof tail - 1);
	len += sizeof tail - 1;

	struct trace trace = {0};
	const char *wrong = oracle_run(&trace, &scene, in, len, (struct cuts){.how = CUT_NOT});
	const char *wanted = octets <= LIMIT ? "250 2.0.0 ID" : "552 5.3.4";
	bool ok = wrong == NULL &&
		  memmem(trace.octets, trace.len, wanted, strlen(wanted)) != NULL &&
		  all_cuts("large", &scene, in, len, true, 1, 200);
	if (!ok)
		complain("large", "octets", octets, wrong != NULL ? wrong : "a wrong reply");
	oracle_free(&trace);
	return ok;
}

static int
large(void)
{
	for (size_t octets = 18; octets < 24; octets++)
		if (!message_of(octets))
			return 1;
	return 0;
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

/* The reply after the question is the one of the row. */
static bool
told(const struct trace *trace, const struct said *row)
{
	for (size_t i = 0; i + 1 < trace->count; i++) {
		const struct record *asked = &trace->records[i], *reply = asked + 1;
		size_t len = strlen(row->reply);
		if (asked->what == 'A' && asked->letter == (char)row->letter)
			return reply->what == 'R' && reply->len == len + 2 &&
			       memcmp(trace->octets + reply->from, row->reply, len) == 0;
	}
	return false;
}

static int
answers(void)
{
	static const char in[] =
	    "EHLO a\r\nVRFY a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n.\r\n"
	    "RCPT TO:<a@b>\r\nMAIL FROM:<>\r\nQUIT\r\n";
	const unsigned char *octets = (const unsigned char *)in;
	struct scene scene = {.settings = {.hostname = "mx.test",
				  .size_limit = SIZE_DEFAULT,
				  .recipient_limit = RECIPIENTS_DEFAULT},
	    .answer = say};
	struct trace trace = {0};
	int failed = 0;

	for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
		/* Without a recipient DATA is refused, and its dot is a command. */
		scene.closure = &said[i];
		const char *wrong = oracle_run(
		    &trace, &scene, octets, sizeof in - 1, (struct cuts){.how = CUT_NOT});
		if (wrong == NULL)
			wrong = oracle_framing(&trace, &scene, octets, sizeof in - 1);
		if (wrong == NULL && !told(&trace, &said[i]))
			wrong = "another reply";
		if (wrong != NULL)
			complain(said[i].reply, "row", i, wrong);
		failed += wrong != NULL;
	}
	oracle_free(&trace);
	return failed > 0;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "dialogues") == 0)
		return dialogues(argc, argv);
	if (strcmp(what, "smuggling") == 0)
		return smuggling();
	if (strcmp(what, "body") == 0)
		return body();
	if (strcmp(what, "long") == 0)
		return long_lines();
	if (strcmp(what, "large") == 0)
		return large();
	if (strcmp(what, "answers") == 0)
		return answers();
	(void)fprintf(stderr, "usage: engine dialogues SEED N FILE ... | smuggling | body | long | "
			      "large | answers\n");
	return 64;
}
