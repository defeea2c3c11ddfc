/*
 * engine.c -- the pure engine alone, against what oracle.h states.
 *
 *   engine dialogues SEED N FILE ...   NAME.in or NAME.raw with NAME.out: whole, at every split in
 *                                      two, octet by octet, and N times cut at random; with a client
 *                                      that falls silent, and one that does not wait
 *   engine smuggling                   what looks like the end of a message and is none
 *   engine long                        lines around the limit and far beyond it
 *   engine large                       messages around the limit
 *   engine limits                      sessions around every limit that they have
 *   engine answers                     every answer of the monitor's to every question
 *   engine body                        every short text after DATA, cut in every two places
 *   engine chunks                      every short text as chunks of every size, cut likewise
 *   engine utf8                        every octet sequence that could be a character
 *   engine matrix                      a table: every command in every state, and what comes of it
 */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "slurp.h"

enum {
	FILE_MAX = 65536
};

unsigned long runs;

void
complain(const char *name, const char *how, size_t at, const char *wrong)
{
	printf("%s (%s %zu): %s\n", name, how, at, wrong);
}

struct smtp_settings
usual(void)
{
	return (struct smtp_settings){.hostname = "mx.test",
	    .size_limit = SIZE_DEFAULT,
	    .octets_limit = OCTETS_DEFAULT,
	    .recipient_limit = RECIPIENTS_DEFAULT,
	    .message_limit = MESSAGES_DEFAULT,
	    .error_limit = ERRORS_DEFAULT};
}

/* ---- the monitor of the recorded dialogues ------------------------------------------------- */

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
			    answer, VERDICT_YES, question->letter == REQUEST_RCPT ? "" : text);
			return;
		}
	if (question->letter == REQUEST_EXPAND && strcasecmp(mailbox, "staff") == 0) {
		answer_set(answer, VERDICT_YES, "<alice@mx.test> <bob@mx.test>");
		return;
	}
	answer_set(answer, VERDICT_NEVER, "5.1.1 no such mailbox here");
}

void
play(const struct scene *scene, unsigned asked, const struct smtp_event *question,
    struct answer *answer)
{
	const struct part *part = scene->closure;

	(void)asked;
	answer_set(answer, VERDICT_YES, "");
	if (question->letter == REQUEST_END)
		answer_set(answer, VERDICT_YES, "2.0.0 ID delivered");
	else if (question->letter == REQUEST_EXPAND && !part->expand)
		answer_set(answer, VERDICT_NEVER, "");
	else if (question->letter == REQUEST_RCPT || question->letter == REQUEST_EXPAND ||
		 (question->letter == REQUEST_VERIFY && part->verify))
		look_up(part, question, answer);
}

static void
read_number(const char *key, const char *value, struct smtp_settings *settings)
{
	unsigned long long number = strtoull(value, NULL, 10);

	if (strcmp(key, "SizeLimit") == 0)
		settings->size_limit = number;
	else if (strcmp(key, "SessionSizeLimit") == 0)
		settings->octets_limit = number;
	else if (strcmp(key, "RecipientLimit") == 0)
		settings->recipient_limit = (unsigned)number;
	else if (strcmp(key, "MessageLimit") == 0)
		settings->message_limit = (unsigned)number;
	else if (strcmp(key, "ErrorLimit") == 0)
		settings->error_limit = (unsigned)number;
}

static void
read_conf(const char *path, struct smtp_settings *settings, struct part *part)
{
	char line[256], key[64], value[128];
	FILE *file = fopen(path, "r");

	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		if (sscanf(line, "%63s %127s", key, value) != 2)
			continue;
		read_number(key, value, settings);
		if (strcmp(key, "Protocol") == 0 && strcmp(value, "lmtp") == 0)
			settings->protocol = SMTP_LMTP;
		else if (strcmp(key, "Newlines") == 0)
			settings->normalize = strcmp(value, "normalize") == 0;
		else if (strcmp(key, "Users") == 0 && strcmp(value, "none") == 0)
			settings->protocol = SMTP_NULL;
		else if (strcmp(key, "Users") == 0)
			part->users = true;
		else if (strcmp(key, "Verify") == 0)
			part->verify = true;
		else if (strcmp(key, "Expand") == 0)
			part->expand = true;
	}
	if (file != NULL)
		(void)fclose(file);
}

/* ---- cuts ---------------------------------------------------------------------------------- */

bool
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

bool
all_cuts(const char *name, const struct scene *scene, const unsigned char *in, size_t len,
    bool splits, unsigned long long seed, unsigned long random)
{
	struct trace whole = {0};
	bool ok = true;

	const char *wrong = oracle_run(&whole, scene, in, len, (struct cuts){.how = CUT_NOT});
	if (wrong == NULL)
		wrong = oracle_framing(&whole, scene, in, len);
	if (wrong != NULL) {
		complain(name, scene->hasty > 0 ? "hasty" : "whole", scene->hasty, wrong);
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

/* ---- recorded dialogues -------------------------------------------------------------------- */

/* What is said that was not recorded, to be seen. */
static void
show(const struct trace *trace)
{
	for (size_t i = 0; i < trace->count; i++)
		if (trace->records[i].what == 'R')
			(void)fwrite(trace->octets + trace->records[i].from, 1,
			    trace->records[i].len, stdout);
}

/* The client that does not wait for the greeting, or for a reply that it has to wait for alone. */
static bool
hasty(const char *path, struct scene *scene, const unsigned char *in, size_t len,
    const struct trace *whole, unsigned long long seed)
{
	unsigned waits = 1;
	bool ok = true;

	for (size_t i = 0; i < whole->count; i++)
		waits += whole->records[i].alone;
	for (scene->hasty = 1; scene->hasty <= waits && ok; scene->hasty++)
		ok = all_cuts(path, scene, in, len, false, seed, 3);
	scene->hasty = 0;
	return ok;
}

static bool
dialogue(const char *path, unsigned long long seed, unsigned long random)
{
	static unsigned char in[FILE_MAX], out[FILE_MAX];
	char other[256];
	struct part part = {0};
	struct trace whole = {0};
	struct scene scene = {.settings = usual(), .answer = play, .closure = &part};

	const char *dot = strrchr(path, '.');
	size_t len = slurp(path, strcmp(dot, ".in") == 0, in, sizeof in);
	(void)snprintf(other, sizeof other, "%.*s.out", (int)(dot - path), path);
	size_t out_len = slurp(other, true, out, sizeof out);
	(void)snprintf(other, sizeof other, "%.*s.conf", (int)(dot - path), path);
	read_conf(other, &scene.settings, &part);

	const char *wrong = oracle_run(&whole, &scene, in, len, (struct cuts){.how = CUT_NOT});
	bool ok = wrong == NULL && says(&whole, out, out_len);
	if (!ok) {
		complain(path, "whole", 0, wrong != NULL ? wrong : "not what was recorded");
		show(&whole);
	}
	ok = all_cuts(path, &scene, in, len, true, seed, random) && ok;
	ok = ok && hasty(path, &scene, in, len, &whole, seed);
	scene.timeout = true; /* wherever the client falls silent */
	for (size_t at = 0; at <= len && ok; at += 1 + len / 200)
		ok = all_cuts(path, &scene, in, at, false, seed, 0);
	oracle_free(&whole);
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

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} parts[] = {{"smuggling", smuggling}, {"long", long_lines}, {"large", large},
	    {"limits", limits}, {"answers", answers}, {"body", body}, {"chunks", chunks},
	    {"utf8", utf8}, {"matrix", matrix}};
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "dialogues") == 0)
		return dialogues(argc, argv);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (strcmp(what, parts[i].name) == 0)
			return parts[i].run();
	(void)fprintf(stderr,
	    "usage: engine dialogues SEED N FILE ... | smuggling | long | large | "
	    "limits | answers | body | chunks | utf8 | matrix\n");
	return 64;
}
