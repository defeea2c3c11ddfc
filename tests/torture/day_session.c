/* day_session.c -- see day.h. */
#include "day.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- replies ------------------------------------------------------------------------------- */

static void
surprised(struct session *s, int code, const char *where)
{
	(void)dprintf(STDOUT_FILENO,
	    "violation: session %u, %s at message %u of %u: wants %d%s, heard \"%s\"\n", s->number,
	    kind_names[s->plan.kind], s->plan.bad + 1, s->plan.messages, code, where,
	    s->client.line);
	atomic_fetch_add(s->surprises, 1);
	client_leave(&s->client, false);
}

bool
hear_code(struct session *s, int code)
{
	if (s->client.fd < 0)
		return false;
	if (client_hear(&s->client) == code)
		return true;
	surprised(s, code, "");
	return false;
}

void
hear_last(struct session *s, int code, int other)
{
	int heard = s->client.fd >= 0 ? client_hear_out(&s->client) : code;

	if (heard != code && heard != other)
		surprised(s, code, " at last");
	client_leave(&s->client, false);
}

/* ---- commands ------------------------------------------------------------------------------ */

void
speak(struct session *s)
{
	client_say(&s->client, s->out, s->out_len);
	s->out_len = 0;
}

bool
hear(struct session *s)
{
	bool good = s->client.fd >= 0;

	for (unsigned i = 0; good && i < s->code_count; i++)
		good = hear_code(s, s->codes[i]);
	s->code_count = 0;
	return good;
}

bool
command(struct session *s, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	s->out_len +=
	    (size_t)vsnprintf(s->out + s->out_len, sizeof s->out - s->out_len, format, args);
	va_end(args);
	s->codes[s->code_count++] = code;
	if (s->plan.manner != PLAIN)
		return s->client.fd >= 0;
	speak(s);
	return hear(s);
}

/* ---- messages ------------------------------------------------------------------------------ */

struct record *
record_of(struct session *s)
{
	return &s->records[s->message.number];
}

void
begin_message(struct session *s, unsigned number)
{
	const struct message *m = &s->message;

	if (number == 0 && s->records[0].state != UNTRIED)
		return; /* made before the connection */
	s->message = message_of(&s->random, s->number, number, s->plan.manner);
	text_make(&s->text, &s->random, m);
	*record_of(s) = (struct record){NEVER, s->text.sum, s->text.size, m->recipients};
}

static bool
say_mail(struct session *s)
{
	const struct message *m = &s->message;

	if (s->plan.manner == PLAIN)
		return command(s, 250, "MAIL FROM:<%u.%u@client.test>\r\n", m->session, m->number);
	return command(s, 250, "MAIL FROM:<%u.%u@client.test> SIZE=%zu BODY=8BITMIME\r\n",
	    m->session, m->number, m->size <= SIZE_LIMIT ? m->size : 0);
}

bool
envelope(struct session *s, enum place stop)
{
	bool good = say_mail(s);

	if (stop == AT_MAIL)
		return good;
	for (unsigned i = 0; good && i < MAILBOXES; i++)
		if ((s->message.recipients >> i & 1) != 0)
			good = command(s, 250, "RCPT TO:<u%02u@here.test>\r\n", i + 1);
	if (stop == AT_RCPT || s->plan.manner == CHUNKED)
		return good;
	return good && command(s, 354, "DATA\r\n");
}

bool
envelope_taken(struct session *s)
{
	if (!envelope(s, AT_END))
		return false;
	speak(s);
	return hear(s);
}

bool
hear_verdict(struct session *s)
{
	static const char locked[] = "451 4.2.0 ";

	for (unsigned i = 1; i < s->text.replies; i++)
		if (!hear_code(s, 250)) /* a chunk */
			return false;
	if (s->client.fd < 0)
		return false;
	int code = client_hear(&s->client);
	if (code == 250) {
		record_of(s)->state = THERE;
	} else if (strncmp(s->client.line, locked, sizeof locked - 1) == 0) {
		record_of(s)->state = LATER;
	} else {
		surprised(s, 250, "");
		return false;
	}
	return true;
}

/* By BDAT nothing need be waited for. */
bool
finish_message(struct session *s)
{
	bool ahead = s->plan.manner == CHUNKED;

	speak(s);
	if (!ahead && !hear(s))
		return false;
	client_say(&s->client, s->text.wire, s->text.len);
	return (!ahead || hear(s)) && hear_verdict(s);
}

/* ---- sessions ------------------------------------------------------------------------------ */

static bool
stops_at(const struct session *s, enum place place)
{
	return (s->plan.kind == VANISHING || s->plan.kind == STALLING) && s->plan.place == place;
}

/* The greeting and EHLO; false if the session goes no further.  Half of those that vanish do so before
   they have heard the reply. */
static bool
greet(struct session *s)
{
	bool deaf = s->plan.kind == VANISHING && random_below(&s->random, 2) == 0,
	     greeting = stops_at(s, AT_GREETING), hello = stops_at(s, AT_HELLO);

	if (!(greeting && deaf) && !hear_code(s, 220))
		return false;
	if (!greeting)
		(void)command(
		    s, 250, "%s client.test\r\n", s->plan.manner == PLAIN ? "HELO" : "EHLO");
	speak(s);
	if (!(hello && deaf) && !hear(s))
		return false;
	s->code_count = 0;
	if (!greeting && !hello)
		return true;
	if (s->plan.kind == STALLING)
		misbehave_by_stalling(s);
	client_leave(&s->client, random_below(&s->random, 2) == 0);
	return false;
}

void
session_run(struct session *s, unsigned row)
{
	s->random = random_of(s->seed, s->number);
	s->plan = plan_of(&s->random, s->number);
	s->out_len = s->code_count = 0;
	if (s->plan.messages > 0)
		begin_message(s, 0); /* the server waits for nobody who makes 35 MiB */
	client_connect(&s->client, row);
	if (s->plan.kind == EARLY || s->plan.kind == TLS || s->plan.kind == HTTP) {
		misbehave_at_the_door(s);
		return;
	}
	if (!greet(s))
		return;
	for (unsigned i = 0; s->client.fd >= 0 && i <= s->plan.messages; i++) {
		bool bad = s->plan.kind != GOOD && i == s->plan.bad;
		if (bad)
			misbehave(s, i);
		if (i == s->plan.messages || (bad && !kind_is_between(s->plan.kind)))
			continue;
		begin_message(s, i);
		(void)(envelope(s, AT_END) && finish_message(s));
	}
	client_say(&s->client, "QUIT\r\n", 6);
	(void)hear_code(s, 221);
	client_leave(&s->client, false);
}
