/*
 * engine_matrix.c -- a table that a person can read: every command in every state, as it should be,
 * with a wrong argument and too long; the codes that it is told, and the state it leads to, which is
 * found by asking what the next command would be told.
 */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	STATES = 6,
	LONG = 2049 /* octets of a line that is too long, CRLF included */
};

/* How to come into each state, each from the one before. */
static const struct {
	const char *name, *smtp, *lmtp;
} states[STATES] = {
    {"NEW", "", ""},
    {"HELLO", "EHLO client.test\r\n", "LHLO client.test\r\n"},
    {"MAIL", "MAIL FROM:<a@client.test>\r\n", "MAIL FROM:<a@client.test>\r\n"},
    {"RCPT", "RCPT TO:<b@mx.test>\r\n", "RCPT TO:<b@mx.test>\r\nRCPT TO:<c@mx.test>\r\n"},
    {"CHUNKS", "BDAT 1\r\n\n", "BDAT 1\r\n\n"},
    {"SPOILED", "BDAT 20\r\n12345678901234567890", "BDAT 20\r\n12345678901234567890"},
};

/* Each command right and wrong; what has no wrong argument has a control octet.  The octets of a
   chunk follow its line. */
static const struct {
	const char *right, *wrong, *octets;
} commands[] = {
    {"HELO client.test", "HELO", ""},
    {"EHLO client.test", "EHLO", ""},
    {"LHLO client.test", "LHLO", ""},
    {"MAIL FROM:<a@client.test>", "MAIL FROM", ""},
    {"RCPT TO:<b@mx.test>", "RCPT TO:<>", ""},
    {"DATA", "DATA now", ""},
    {"BDAT 4", "BDAT four", "\r\n.\n"},
    {"BDAT 4 LAST", "BDAT LAST", "\r\n.\n"},
    {"RSET", "RSET now", ""},
    {"NOOP", "NOOP \001", ""},
    {"QUIT", "QUIT now", ""},
    {"VRFY b", "VRFY", ""},
    {"HELP", "HELP nothing", ""},
    {"EXPN list", "EXPN", ""},
    {"SEND FROM:<a@client.test>", "SEND", ""},
    {"SOML FROM:<a@client.test>", "SOML", ""},
    {"SAML FROM:<a@client.test>", "SAML", ""},
    {"TURN", "TURN now", ""},
    {"STARTTLS", "STARTTLS now", ""},
    {"WIZ", "WIZ \001", ""},
    {"GET / HTTP/1.1", "GET", ""},
};

/* What has been sent. */
struct sent {
	char octets[4096];
	size_t len;
};

static void
send(struct sent *sent, const char *text)
{
	size_t n = strlen(text);

	if (n > sizeof sent->octets - sent->len)
		abort();
	memcpy(sent->octets + sent->len, text, n);
	sent->len += n;
}

/* The trace of all that was sent, and of a probe behind it. */
static void
run(const struct scene *scene, struct sent sent, const char *probe, struct trace *trace)
{
	send(&sent, probe);
	runs++;
	const char *wrong = oracle_run(trace, scene, (const unsigned char *)sent.octets, sent.len,
	    (struct cuts){.how = CUT_NOT});
	if (wrong == NULL)
		return;
	complain("matrix", "octets", sent.len, wrong);
	exit(1);
}

static size_t
count(const struct trace *trace, char what, char letter)
{
	size_t n = 0;

	for (size_t i = 0; i < trace->count; i++)
		n += trace->records[i].what == what &&
		     (letter == 0 || trace->records[i].letter == letter);
	return n;
}

/* What the probe is told begins so. */
static bool
is_told(const struct scene *scene, const struct sent *sent, const char *probe, const char *reply)
{
	static struct trace trace;

	run(scene, *sent, "", &trace);
	size_t before = count(&trace, 'R', 0);
	run(scene, *sent, probe, &trace);
	for (size_t i = 0; i < trace.count; i++)
		if (trace.records[i].what == 'R' && before-- == 0)
			return memcmp(trace.octets + trace.records[i].from, reply, strlen(reply)) ==
			       0;
	return false;
}

static const char *
state_after(const struct scene *scene, const struct sent *sent)
{
	static struct trace trace;

	run(scene, *sent, "", &trace);
	if (count(&trace, 'C', 0) > 0)
		return "SHUT";
	size_t ends = count(&trace, 'A', 'E');
	run(scene, *sent, ".\r\n", &trace);
	if (count(&trace, 'A', 'E') > ends)
		return "BODY";
	if (is_told(scene, sent, "BDAT 0\r\n", "552"))
		return "SPOILED";
	if (is_told(scene, sent, "MAIL FROM:<p@q>\r\n", "250"))
		return "HELLO";
	if (is_told(scene, sent, "DATA\r\n", "354"))
		return "RCPT";
	if (is_told(scene, sent, "RCPT TO:<p@q>\r\n", "250"))
		return "MAIL";
	if (is_told(scene, sent, "BDAT 0\r\n", "250"))
		return "CHUNKS";
	return is_told(scene, sent, "MAIL FROM:<p@q>\r\n", "503 5.5.1 say hello") ? "NEW" : "?";
}

/* "250>MAIL", or "501 421>SHUT" where there are two replies. */
static void
cell(const struct scene *scene, size_t state, const char *line, const char *octets)
{
	static struct trace trace;
	static struct sent sent;
	char text[64];
	size_t n = 0, seen = 0;

	sent.len = 0;
	for (size_t i = 0; i <= state; i++)
		send(
		    &sent, scene->settings.protocol == SMTP_LMTP ? states[i].lmtp : states[i].smtp);
	run(scene, sent, "", &trace);
	size_t before = count(&trace, 'R', 0);
	send(&sent, line);
	send(&sent, "\r\n");
	send(&sent, octets);
	run(scene, sent, "", &trace);
	for (size_t i = 0; i < trace.count && n < sizeof text - 20; i++)
		if (trace.records[i].what == 'R' && seen++ >= before) {
			memcpy(text + n, trace.octets + trace.records[i].from, 3);
			n += 3;
			text[n++] = ' ';
		}
	(void)snprintf(text + n - (n > 0), sizeof text - n, ">%s", state_after(scene, &sent));
	printf(state + 1 < STATES ? "%-14s" : "%s\n", text);
}

static void
row(const struct scene *scene, const char *line, const char *label, const char *octets)
{
	printf("%-27s", label);
	for (size_t i = 0; i < STATES; i++)
		cell(scene, i, line, octets);
}

static void
table(const struct scene *scene, const char *name)
{
	char line[LONG], label[64];

	printf("%-27s", name);
	for (size_t i = 0; i < STATES; i++)
		printf(i + 1 < STATES ? "%-14s" : "%s\n", states[i].name);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		const char *right = commands[i].right, *wrong = commands[i].wrong;
		row(scene, right, right, commands[i].octets);
		const char *control = strchr(wrong, '\001');
		(void)snprintf(label, sizeof label, "%.*s%s", (int)strcspn(wrong, "\001"), wrong,
		    control != NULL ? "^A" : "");
		row(scene, wrong, label, "");
		(void)snprintf(line, sizeof line, "%s ", right);
		memset(line + strlen(line), 'x', LONG - 2 - strlen(line));
		line[LONG - 2] = 0;
		bool chunk = strncmp(right, "BDAT", 4) == 0;
		(void)snprintf(label, sizeof label, "%.*s xx.. too long",
		    (int)strcspn(right, chunk ? "" : " "), right);
		row(scene, line, label, "");
	}
}

int
matrix(void)
{
	const struct part part = {0};
	struct scene scene = {.settings = usual(), .answer = play, .closure = &part};

	scene.settings.size_limit = 10; /* so that twenty octets spoil a message */
	table(&scene, "SMTP");
	printf("\n");
	scene.settings.protocol = SMTP_LMTP;
	table(&scene, "LMTP");
	return 0;
}
