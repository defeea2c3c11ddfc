/* events.c -- see events.h. */
#include "events.h"

static void
owe(struct smtp *s, struct smtp_event event)
{
	if (s->owed_to < SMTP_OWED)
		s->owed[s->owed_to++] = event;
}

bool
events_next(struct smtp *s, struct smtp_event *event)
{
	if (s->owed_from == s->owed_to)
		return false;
	*event = s->owed[s->owed_from++];
	if (s->owed_from == s->owed_to)
		events_drop(s);
	return true;
}

void
events_drop(struct smtp *s)
{
	s->owed_from = s->owed_to = 0;
}

/* ---- the monitor --------------------------------------------------------------------------- */

static void
request(
    struct smtp *s, enum smtp_what what, enum request_letter letter, const char *data, size_t len)
{
	s->told = true;
	owe(s,
	    (struct smtp_event){
		.what = what, .letter = letter, .octets = (const unsigned char *)data, .len = len});
}

void
events_tell(struct smtp *s, enum request_letter letter, const char *data, size_t len)
{
	request(s, SMTP_TELL, letter, data, len);
}

void
events_ask(struct smtp *s, enum request_letter letter, const char *data, size_t len)
{
	request(s, SMTP_ASK, letter, data, len);
	s->question = letter;
	s->resume = s->mode;
	s->mode = SMTP_HELD;
}

void
events_forget(struct smtp *s)
{
	if (s->phase >= SMTP_MAIL)
		events_tell(s, REQUEST_RESET, "", 0);
	if (s->phase > SMTP_HELLO)
		s->phase = SMTP_HELLO;
	s->recipients = 0;
	s->binary = s->utf8 = false;
}

/* ---- the client ---------------------------------------------------------------------------- */

void
events_give_reply(struct smtp *s)
{
	owe(s, (struct smtp_event){.what = SMTP_REPLY,
		   .now = s->now,
		   .alone = s->alone,
		   .octets = (const unsigned char *)s->reply,
		   .len = s->reply_len});
}

/* The same, to a command. */
static void
count_and_give(struct smtp *s)
{
	unsigned most = s->settings->error_limit;

	if (s->reply[0] != '5' && !s->excess) {
		events_give_reply(s);
		return;
	}
	if (++s->errors >= most)
		events_give_up(s, REPLY_ERRORS, NOTE_ERRORS);
	if (s->errors > most / 2)
		events_ask(s, REQUEST_PAUSE, "", 0);
	else
		events_give_reply(s);
}

void
events_reply_text(struct smtp *s, enum reply which, const char *text)
{
	s->reply_len = reply_write(s->reply, which, text);
	count_and_give(s);
}

void
events_reply(struct smtp *s, enum reply which)
{
	events_reply_text(s, which, NULL);
}

void
events_reply_to_message(struct smtp *s, enum reply which)
{
	s->reply_len = reply_write(s->reply, which, NULL);
	events_give_reply(s);
}

void
events_reply_with(struct smtp *s, enum reply which, const struct answer *answer)
{
	s->reply_len = reply_answer(s->reply, which, answer);
	if (s->question == REQUEST_END)
		events_give_reply(s);
	else
		count_and_give(s);
}

/* ---- the end ------------------------------------------------------------------------------- */

void
events_give_up(struct smtp *s, enum reply farewell, enum request_note why)
{
	s->farewell = farewell;
	s->why = why;
	if (s->mode == SMTP_HELD)
		s->resume = SMTP_FED_UP;
	else
		s->mode = SMTP_FED_UP;
}

void
events_farewell(struct smtp *s)
{
	events_forget(s);
	s->now = true;
	s->alone = false;
	events_reply_to_message(s, s->farewell);
	s->request[0] = (char)s->why;
	events_tell(s, REQUEST_NOTE, s->request, 1); /* upon which the monitor ends what is sent */
	s->said_farewell = true;
	s->mode = SMTP_SHUT;
}
