/* smtp.c -- see smtp.h.  Octets in: command lines, messages, answers; events out. */
#include "smtp.h"

#include <string.h>

#include "events.h"
#include "verbs.h"

enum {
	TLS_HANDSHAKE = 0x16 /* the first octet of a TLS client's: RFC 8446 5.1 */
};

/* ---- lines --------------------------------------------------------------------------------- */

static void
next_line(struct smtp *s)
{
	s->fresh = false;
	s->line_len = 0;
	s->line_cr = s->line_long = s->line_bare = false;
}

/* A whole line has come; if it had a bare LF, it is refused already. */
static void
end_line(struct smtp *s)
{
	static const char note = NOTE_COMMAND;

	if (!s->line_bare)
		verbs_do_line(s);
	if (s->mode == SMTP_LINE && !s->told)
		events_tell(s, REQUEST_NOTE, &note, 1);
	next_line(s);
}

/*
 * One octet of a command line.  Only CRLF ends it.  A bare LF is refused at once, so that a person
 * who types without CR learns why, and what follows on the line is swallowed: it is no command.
 */
static void
line_octet(struct smtp *s, unsigned char octet)
{
	if (octet == '\n' && (s->line_cr || s->settings->normalize)) {
		s->line_len -= s->line_cr; /* the CR; it is there unless the line is too long */
		end_line(s);
		return;
	}
	if (octet == '\n' && !s->line_bare) {
		s->line_bare = true;
		verbs_refuse_bare(s);
	}
	s->line_cr = octet == '\r';
	if (s->line_len == sizeof s->line - 1) /* room for the LF belongs to the limit */
		s->line_long = true;
	else
		s->line[s->line_len++] = octet;
}

static size_t
take_line(struct smtp *s, const unsigned char *in, size_t len)
{
	size_t at = 0;

	if (s->fresh && s->line_len == 0 && in[0] == TLS_HANDSHAKE) {
		events_give_up(s, REPLY_FOREIGN, NOTE_FOREIGN);
		return len;
	}
	while (at < len && s->owed_to == 0 && s->mode == SMTP_LINE)
		line_octet(s, in[at++]);
	return at;
}

/* ---- messages ------------------------------------------------------------------------------ */

/* A message is whole: what it will be told, if it is refused, and how often. */
static void
end_message(struct smtp *s, enum reply refusal)
{
	if (refusal == REPLY_NONE && s->header.received > HOPS_MOST)
		refusal = REPLY_HOPS;
	s->refusal = refusal;
	s->due = s->settings->protocol == SMTP_LMTP ? s->recipients : 1;
	s->now = true;
	s->alone = false;
	s->mode = SMTP_EACH;
	if (refusal != REPLY_NONE)
		events_forget(s);
}

/* The next answer to a message: one in all, or by LMTP one for each recipient (RFC 2033 4.2). */
static void
answer_each(struct smtp *s)
{
	if (s->due == 0) {
		s->mode = SMTP_LINE;
		s->phase = SMTP_HELLO; /* the monitor has forgotten the message, too */
		s->recipients = 0;
		s->binary = s->utf8 = false;
		return;
	}
	s->due--;
	if (s->refusal != REPLY_NONE)
		events_reply_to_message(s, s->refusal);
	else
		events_ask(s, REQUEST_END, "", 0);
}

static void
give_piece(struct smtp *s, const unsigned char *out, size_t count, struct smtp_event *event)
{
	if (count == 0)
		return;
	header_step(&s->header, out, count);
	*event = (struct smtp_event){.what = SMTP_PIECE, .octets = out, .len = count};
}

/*
 * A chunk that was refused has been read.  One that was too much spoils its message, which goes on to
 * its LAST (RFC 3030 2).  By LMTP a LAST has as many replies as there are recipients, and none where
 * there is none (RFC 2033 4.3).
 */
static void
end_refused(struct smtp *s)
{
	static const char note = NOTE_COMMAND;
	unsigned recipients = s->recipients;
	bool large = s->refusal == REPLY_TOO_LARGE;

	if (large && s->chunk.last) {
		end_message(s, REPLY_TOO_LARGE);
		return;
	}
	s->mode = SMTP_LINE;
	if (large || (s->refusal == REPLY_NO_RCPT_LMTP && s->chunk.last))
		events_forget(s);
	events_tell(s, REQUEST_NOTE, &note, 1);
	if (large) {
		s->phase = SMTP_SPOILED;
		s->recipients = recipients;
		if (s->excess)
			events_reply(s, REPLY_TOO_LARGE);
		else
			events_reply_to_message(s, REPLY_TOO_LARGE);
	} else if (s->refusal != REPLY_NO_RCPT_LMTP || !s->chunk.last) {
		events_reply(s, s->refusal);
	}
}

/* The monitor hears of what a message brings, and so of its pace; of one that is refused it hears by a
   note at once, and for each BODY_MAX octets. */
static void
note_refused(struct smtp *s, uint64_t taken)
{
	static const char note = NOTE_REFUSED;

	if (!s->noted)
		events_tell(s, REQUEST_NOTE, &note, 1);
	s->noted = true;
	if (taken > 0 && taken % BODY_MAX == 0)
		events_tell(s, REQUEST_NOTE, &note, 1);
}

/* Octets before the next note is due. */
static uint64_t
before_note(uint64_t taken)
{
	return BODY_MAX - taken % BODY_MAX;
}

/* Sets the event if there is a piece of the message. */
static size_t
take_body(struct smtp *s, const unsigned char *in, size_t len, unsigned char *out,
    struct smtp_event *event)
{
	uint64_t left = s->settings->octets_limit - s->octets;
	uint64_t most = left < before_note(s->octets) ? left : before_note(s->octets);
	size_t count;

	if (left == 0) {
		events_give_up(s, REPLY_OCTETS_MANY, NOTE_OCTETS);
		return 0;
	}
	size_t taken = body_step(&s->body, in, len < most ? len : (size_t)most, out, &count);
	s->octets += taken;
	/* A message that will be refused is read to its end, and not kept. */
	bool large = s->body.octets > s->settings->size_limit;
	if (!s->body.bare && !large)
		give_piece(s, out, count, event);
	else if (taken > 0)
		note_refused(s, s->octets);
	if (s->body.at == BODY_DONE)
		end_message(s, s->body.bare ? REPLY_BARE_NEWLINE
			       : large      ? REPLY_TOO_LARGE
					    : REPLY_NONE);
	return taken;
}

static size_t
take_chunk(struct smtp *s, const unsigned char *in, size_t len, unsigned char *out,
    struct smtp_event *event)
{
	bool refused = s->refusal != REPLY_NONE;
	uint64_t most = refused ? before_note(s->swallowed) : len;
	size_t count;

	size_t taken = chunk_step(&s->chunk, in, len < most ? len : (size_t)most, out, &count);
	if (!refused)
		give_piece(s, out, count, event);
	else if (taken > 0)
		note_refused(s, s->swallowed += taken);
	if (!chunk_done(&s->chunk))
		return taken;
	if (refused) {
		end_refused(s);
	} else if (s->chunk.last) {
		end_message(s, REPLY_NONE);
	} else {
		s->mode = SMTP_LINE;
		events_reply(s, REPLY_CHUNK);
	}
	return taken;
}

/* ---- in and out ---------------------------------------------------------------------------- */

void
smtp_begin(struct smtp *s, const struct smtp_settings *settings)
{
	static const struct {
		enum reply reply;
		const char *text;
	} greetings[] = {
	    [SMTP_SMTP] = {REPLY_GREETING, " ESMTP"},
	    [SMTP_LMTP] = {REPLY_GREETING, " LMTP"},
	    [SMTP_NULL] = {REPLY_NULL_GREETING, " does not accept mail"},
	};
	char text[DOMAIN_MAX + 32];
	size_t n = strlen(settings->hostname);

	memset(
	    s, 0, offsetof(struct smtp, request)); /* its room is not touched before it is used */
	s->settings = settings;
	s->fresh = true;
	s->now = true;
	memcpy(text, settings->hostname, n);
	memcpy(text + n, greetings[settings->protocol].text,
	    strlen(greetings[settings->protocol].text) + 1);
	s->reply_len = reply_write(s->reply, greetings[settings->protocol].reply, text);
	events_give_reply(s);
}

void
smtp_timeout(struct smtp *s)
{
	events_give_up(s, REPLY_TIMEOUT, NOTE_SILENT);
}

void
smtp_hasty(struct smtp *s)
{
	events_drop(s);
	events_give_up(s, REPLY_HASTY, NOTE_HASTY);
}

size_t
smtp_step(struct smtp *s, const unsigned char *in, size_t len, unsigned char *out,
    struct smtp_event *event)
{
	size_t taken = 0;

	*event = (struct smtp_event){.what = SMTP_WANT};
	while (event->what == SMTP_WANT && !events_next(s, event)) {
		const unsigned char *rest = in + taken;
		size_t left = len - taken;
		switch (s->mode) {
		case SMTP_LINE:
			if (left == 0)
				return taken;
			taken += take_line(s, rest, left);
			break;
		case SMTP_BODY:
			if (left == 0)
				return taken;
			taken += take_body(s, rest, left, out, event);
			break;
		case SMTP_CHUNK:
			if (left == 0 && s->chunk.left > 0)
				return taken;
			taken += take_chunk(s, rest, left, out, event);
			break;
		case SMTP_EACH:
			answer_each(s);
			break;
		case SMTP_FED_UP:
			events_farewell(s);
			break;
		case SMTP_HELD: /* only if the caller owes an answer */
		case SMTP_SHUT:
			event->what = SMTP_CLOSE;
			event->farewell = s->said_farewell;
			break;
		}
	}
	return taken;
}

/* What an answer means to the client. */
static enum reply
reply_to(enum request_letter question, enum verdict verdict, bool text)
{
	bool end = question == REQUEST_END, from = question == REQUEST_FROM;

	switch (verdict) {
	case VERDICT_YES:
		if (question == REQUEST_VERIFY || question == REQUEST_EXPAND)
			return text ? REPLY_VERIFIED : REPLY_UNVERIFIED;
		return end ? REPLY_TAKEN : from ? REPLY_MAIL : REPLY_RCPT;
	case VERDICT_LATER:
		return REPLY_LATER;
	case VERDICT_NEVER:
		if (question == REQUEST_EXPAND && !text)
			return REPLY_UNOFFERED;
		return end ? REPLY_NEVER : from ? REPLY_REFUSED : REPLY_NO_MAILBOX;
	case VERDICT_FORWARDED:
		return end || from ? REPLY_LATER : REPLY_FORWARD;
	case VERDICT_MOVED:
		return end || from ? REPLY_LATER : REPLY_MOVED;
	}
	return REPLY_LATER;
}

/* What a yes changes. */
static void
accepted(struct smtp *s)
{
	if (s->question == REQUEST_FROM) {
		s->phase = SMTP_MAIL;
		s->recipients = s->overshoot = 0;
		s->messages++;
	} else if (s->question == REQUEST_RCPT) {
		s->phase = SMTP_RCPT;
		s->recipients++;
	} else if (s->question == REQUEST_END) {
		s->errors = s->junk = 0;
	}
}

/* The members of a list: each word is a line. */
static void
reply_members(struct smtp *s, const struct answer *answer)
{
	char text[ANSWER_TEXT_MAX + 1];

	for (size_t i = 0; i <= answer->len; i++)
		text[i] = answer->text[i] == ' ' ? '\n' : answer->text[i];
	events_reply_text(s, REPLY_VERIFIED, text);
}

void
smtp_answer(struct smtp *s, const struct answer *answer)
{
	bool yes = answer->verdict == VERDICT_YES ||
		   (answer->verdict == VERDICT_FORWARDED && s->question == REQUEST_RCPT);

	if (s->mode != SMTP_HELD)
		return;
	s->mode = s->resume;
	if (s->question == REQUEST_PAUSE) {
		events_give_reply(s);
		return;
	}
	if (yes)
		accepted(s);
	if (s->question == REQUEST_EXPAND && answer->verdict == VERDICT_YES && answer->len > 0)
		reply_members(s, answer);
	else
		events_reply_with(
		    s, reply_to(s->question, answer->verdict, answer->len > 0), answer);
}
