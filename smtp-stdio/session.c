/*
 * session.c -- see session.h.  Runs as the session, in its jail; whatever it holds belongs to
 * whoever can break the code behind smtp_step.
 *
 * One buffer holds both what came from the client and what of it is the message: the engine writes that
 * together at its start, each octet to the left of where it was read, so that a packet of up to BODY_MAX
 * octets goes to the monitor by one write.  Between the two there is always room for one octet that the
 * engine has taken earlier and held back.
 */
#include "session.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "../sandbox/large.h"

enum {
	BEGIN = 1, /* where octets begin in the buffer; before them, the letter of a packet */
	ROOM = 1,  /* for an octet that was held back */
	READ_LEAST = 4096 /* a packet goes out when there is less room than this; a page */
};

struct session {
	size_t message;   /* [BEGIN, message): octets of the message, not sent yet */
	size_t at, until; /* [at, until): octets of the client, not taken yet */
	size_t held;      /* octets of replies */
	bool deaf;        /* nobody reads them */
	bool waits;       /* as in the settings */
	struct smtp smtp;
	unsigned char replies[REPLIES_HELD];
	unsigned char buffer[PACKET_MAX]; /* last: mostly never touched */
};

static LARGE struct session session;

/* The client is gone: there is nobody to tell. */
static _Noreturn void
leave(void)
{
	_exit(0);
}

/* The monitor is not to be talked with.  If it lives, it sees that this is no good end. */
static _Noreturn void
fail(void)
{
	_exit(EX_PROTOCOL);
}

/* A client that has gone does not hear; what it had said before still counts (RFC 5321 4.1.1.10). */
static void
say(struct session *s, const unsigned char *octets, size_t len)
{
	for (size_t sent = 0; sent < len && !s->deaf;) {
		ssize_t n = write(SESSION_OUT, octets + sent, len - sent);
		if (n > 0)
			sent += (size_t)n;
		else if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			s->deaf = true;
		else if (n == 0 || errno != EINTR)
			leave(); /* it does not read */
	}
}

static void
send_replies(struct session *s)
{
	say(s, s->replies, s->held);
	s->held = 0;
}

/* There are octets behind a command whose reply the client had to wait for: those that have come by
   the same read.  Later ones could have been sent after it. */
static bool
is_hasty(const struct session *s, const struct smtp_event *event)
{
	return s->waits && event->alone && s->at < s->until;
}

static void
hold_reply(struct session *s, const struct smtp_event *event)
{
	if (is_hasty(s, event)) {
		smtp_hasty(&s->smtp);
		return;
	}
	if (event->len > sizeof s->replies - s->held)
		send_replies(s);
	if (event->now && s->held == 0) {
		say(s, event->octets, event->len);
		return;
	}
	memcpy(s->replies + s->held, event->octets, event->len);
	s->held += event->len;
	if (event->now)
		send_replies(s);
}

/* A packet is written by one call, or it is not the packet that was meant. */
static void
send_packet(const unsigned char *packet, size_t len)
{
	ssize_t n;

	while ((n = write(SESSION_MONITOR, packet, len)) < 0 && errno == EINTR)
		continue;
	if (len == 0 || n != (ssize_t)len)
		fail();
}

static void
send_message(struct session *s)
{
	if (s->message == BEGIN)
		return;
	s->buffer[0] = REQUEST_BODY;
	send_packet(s->buffer, s->message);
	s->message = BEGIN;
}

static void
send_request(struct session *s, const struct smtp_event *event)
{
	unsigned char packet[1 + FROM_MAX];
	const struct request request = {event->letter, event->octets, event->len};

	send_message(s);
	send_packet(packet, request_encode(packet, sizeof packet, &request));
}

static void
ask(struct session *s, const struct smtp_event *event)
{
	unsigned char packet[ANSWER_MAX + 1]; /* one more, to see a packet that is too long */
	struct answer answer;
	ssize_t n;

	send_request(s, event);
	while ((n = read(SESSION_MONITOR, packet, sizeof packet)) < 0 && errno == EINTR)
		continue;
	if (n <= 0 || !answer_decode(packet, (size_t)n, &answer))
		fail();
	smtp_answer(&s->smtp, &answer);
}

/* All octets are taken.  Replies go out before anything is waited for (RFC 2920 3.2). */
static void
more(struct session *s)
{
	send_replies(s);
	if (sizeof s->buffer - s->message < READ_LEAST)
		send_message(s);
	s->at = s->until = s->message + ROOM;
	ssize_t n;
	while ((n = read(SESSION_IN, s->buffer + s->at, sizeof s->buffer - s->at)) < 0 &&
	       errno == EINTR)
		continue;
	if (n < 0 && errno == EAGAIN)
		smtp_timeout(&s->smtp);
	else if (n <= 0)
		leave(); /* RFC 5321 4.1.1.5: as QUIT, and no message is complete without its end */
	else
		s->until += (size_t)n;
}

/* After a farewell: what the client still sends is taken, or closing the socket would take our last
   words from it (RFC 1122 4.2.2.13).  The monitor puts an end to it. */
static void
hear_out(struct session *s)
{
	while (read(SESSION_IN, s->buffer, sizeof s->buffer) > 0)
		continue;
}

void
session_run(const struct session_settings *settings)
{
	struct session *s = &session;
	struct smtp_event event;

	s->message = BEGIN;
	s->at = s->until = BEGIN + ROOM;
	s->waits = settings->waits;
	smtp_begin(&s->smtp, &settings->smtp);
	if (settings->early)
		smtp_hasty(&s->smtp);
	for (;;) {
		s->at += smtp_step(
		    &s->smtp, s->buffer + s->at, s->until - s->at, s->buffer + s->message, &event);
		switch (event.what) {
		case SMTP_WANT:
			more(s);
			break;
		case SMTP_REPLY:
			hold_reply(s, &event);
			break;
		case SMTP_TELL:
			send_request(s, &event);
			break;
		case SMTP_ASK:
			ask(s, &event);
			break;
		case SMTP_PIECE:
			s->message += event.len;
			break;
		case SMTP_CLOSE:
			send_replies(s);
			if (s->waits && event.farewell)
				hear_out(s);
			return;
		}
	}
}
