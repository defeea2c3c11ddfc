/* day_misbehave.c -- see day.h. */
#include "day.h"

#include <poll.h>
#include <string.h>

enum {
	DRIBBLE = 100,       /* ms between two octets of one who stalls */
	DRIBBLES_MOST = 600, /* longer than CommandTimeout by far */
	FLOOD = 2000,        /* commands */
};

/* ---- those that do not go on --------------------------------------------------------------- */

/* How much of the text is said; half of the cuts are in its last five octets. */
static size_t
cut_of(struct session *s)
{
	unsigned most = (unsigned)s->text.len - 1;

	if (random_below(&s->random, 2) == 0)
		return random_below(&s->random, most + 1);
	return most - random_below(&s->random, most < 5 ? most + 1 : 5);
}

/* Say a message up to its place, and hear what comes of that, unless it need not be waited for. */
static void
say_part(struct session *s, bool patient)
{
	enum place place = s->plan.place;
	bool ahead = s->plan.manner == CHUNKED || place < IN_TEXT;
	size_t len = 0;

	if (!envelope(s, place))
		return;
	speak(s);
	if ((patient || !ahead) && !hear(s))
		return;
	s->code_count = 0;
	if (place == AT_END) {
		record_of(s)->state = PERHAPS;
		len = s->text.len;
	} else if (place == IN_TEXT) {
		len = cut_of(s);
	}
	client_say(&s->client, s->text.wire, len);
}

static void
vanish(struct session *s)
{
	say_part(s, random_below(&s->random, 2) == 0);
	client_leave(&s->client, random_below(&s->random, 2) == 0);
}

/* A command may come octet by octet and never end; behind a recipient that would last for minutes, as
   MinimumRate has it. */
void
misbehave_by_stalling(struct session *s)
{
	struct pollfd in = {s->client.fd, POLLIN, 0};

	if (s->plan.place < AT_RCPT && random_below(&s->random, 2) == 0)
		for (int i = 0; i < DRIBBLES_MOST && poll(&in, 1, DRIBBLE) == 0; i++)
			client_say(&s->client, "N", 1);
	hear_last(s, 421, 421);
}

/* ---- those that say what they should not --------------------------------------------------- */

/* Who has said HELO may say nothing behind a command, and is hung up on at once. */
static void
flood(struct session *s)
{
	static const char *const lines[] = {"XYZZY\r\n", "RSET\r\n", "MAIL FROM:<\r\n", "\r\n"};
	const char *line = lines[random_below(&s->random, 4)];
	int code = s->plan.manner == PLAIN ? 554 : 421;

	for (int i = 0; i < FLOOD; i++)
		client_say(&s->client, line, strlen(line));
	hear_last(s, code, code);
}

static void
say_overlong(struct session *s)
{
	static char line[50 * LINE_LIMIT];
	size_t len = LINE_LIMIT + 1 + random_below(&s->random, sizeof line - LINE_LIMIT);

	memset(line, 'x', len);
	memcpy(line, "NOOP ", 5);
	memcpy(line + len - 2, "\r\n", 2);
	client_say(&s->client, line, len);
	(void)hear_code(s, 500);
}

static void
say_nul(struct session *s)
{
	static const char line[] = "MAIL FROM:<nul\0@client.test>\r\n";

	client_say(&s->client, line, sizeof line - 1);
	(void)hear_code(s, 501);
}

static void
hasten(struct session *s)
{
	static const char data[] = "DATA\r\n";
	size_t len = sizeof data - 1;

	if (!envelope(s, AT_RCPT))
		return;
	speak(s);
	if (!hear(s))
		return;
	memmove(s->text.wire + len, s->text.wire, s->text.len);
	memcpy(s->text.wire, data, len);
	client_say(&s->client, s->text.wire, s->text.len + len);
	hear_last(s, 554, 554);
}

static void
smuggle(struct session *s)
{
	text_smuggle(&s->text, &s->random, &s->message);
	if (!envelope_taken(s))
		return;
	client_say(&s->client, s->text.wire, s->text.len);
	(void)hear_code(s, 550);
}

/* Those that the message has, over and over. */
static void
too_many_recipients(struct session *s)
{
	bool good = envelope(s, AT_MAIL);

	for (unsigned i = 0, n = 0; good && n < RCPT_LIMIT + 10; i = (i + 1) % MAILBOXES) {
		if ((s->message.recipients >> i & 1) == 0)
			continue;
		good =
		    command(s, n < RCPT_LIMIT ? 250 : 452, "RCPT TO:<u%02u@here.test>\r\n", i + 1);
		n++;
	}
	if (good && (s->plan.manner == CHUNKED || command(s, 354, "DATA\r\n")))
		(void)finish_message(s);
}

static void
no_recipient(struct session *s)
{
	if (envelope(s, AT_MAIL) && command(s, 550, "RCPT TO:<nobody.here@here.test>\r\n") &&
	    command(s, 550, "RCPT TO:<u01@elsewhere.test>\r\n") && command(s, 250, "RSET\r\n")) {
		speak(s);
		(void)hear(s);
	}
}

/* In truth, where the message is; otherwise as SIZE= declares it, or a chunk that does not come. */
static void
oversize(struct session *s)
{
	if (s->message.size > SIZE_LIMIT) {
		if (!envelope_taken(s))
			return;
		client_say(&s->client, s->text.wire, s->text.len);
		(void)hear_code(s, 552);
	} else if (random_below(&s->random, 2) == 0) {
		if (command(s, 552, "MAIL FROM:<a@client.test> SIZE=%d\r\n", SIZE_LIMIT + 1)) {
			speak(s);
			(void)hear(s);
		}
	} else if (envelope(s, AT_RCPT)) {
		speak(s);
		if (!hear(s))
			return;
		client_say(&s->client, "BDAT 99999999 LAST\r\nand no more", 32);
		client_leave(&s->client, false);
	}
}

/* Behind the message, or in the middle of it; what has come whole still counts (RFC 5321 4.1.1.10). */
static void
half_close(struct session *s)
{
	bool whole = random_below(&s->random, 2) == 0;

	if (!envelope_taken(s))
		return;
	client_say(&s->client, s->text.wire, whole ? s->text.len : cut_of(s));
	client_half_close(&s->client);
	if (!whole) {
		hear_last(s, 0, 250); /* for each chunk but the last */
		return;
	}
	(void)(hear_verdict(s) && hear_code(s, 0));
	client_leave(&s->client, false);
}

/* Half of them have heard the greeting.  Those that have not hear 554, unless they were greeted
   meanwhile. */
void
misbehave_at_the_door(struct session *s)
{
	static const char hello[] = "\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03"
				    "and so on",
			  get[] = "GET / HTTP/1.1\r\nHost: here.test\r\n\r\n",
			  early[] = "EHLO client.test\r\nMAIL FROM:<early@client.test>\r\n"
				    "RCPT TO:<u01@here.test>\r\nDATA\r\n";
	bool waits = s->plan.kind != EARLY && random_below(&s->random, 2) == 0;

	if (waits && !hear_code(s, 220))
		return;
	if (s->plan.kind == TLS)
		client_say(&s->client, hello, sizeof hello - 1);
	else if (s->plan.kind == HTTP)
		client_say(&s->client, get, sizeof get - 1);
	else
		client_say(&s->client, early, sizeof early - 1);
	hear_last(s, s->plan.kind == EARLY ? 554 : 421, waits ? 421 : 554);
}

/* ---- which --------------------------------------------------------------------------------- */

static void
misbehave_with_message(struct session *s)
{
	switch (s->plan.kind) {
	case VANISHING:
		vanish(s);
		break;
	case STALLING:
		say_part(s, true);
		misbehave_by_stalling(s);
		break;
	case HASTY:
		hasten(s);
		break;
	case SMUGGLING:
		smuggle(s);
		break;
	case RECIPIENTS:
		if (random_below(&s->random, 2) == 0)
			too_many_recipients(s);
		else
			no_recipient(s);
		break;
	case OVERSIZE:
		oversize(s);
		break;
	case HALF_CLOSED:
		half_close(s);
		break;
	case GOOD:
	case FLOODING:
	case EARLY:
	case OVERLONG:
	case TLS:
	case HTTP:
	case NUL:
	case KINDS:
		break;
	}
}

void
misbehave(struct session *s, unsigned number)
{
	if (s->plan.kind == FLOODING) {
		flood(s);
	} else if (s->plan.kind == OVERLONG) {
		say_overlong(s);
	} else if (s->plan.kind == NUL) {
		say_nul(s);
	} else {
		begin_message(s, number);
		misbehave_with_message(s);
	}
}
