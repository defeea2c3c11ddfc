/* serve.c -- see serve.h.  Runs as the monitor. */
#include "serve.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "../sandbox/large.h"
#include "clock.h"
#include "commit.h"
#include "filter.h"
#include "log.h"
#include "received.h"
#include "stop.h"
#include "utf8.h"

/* "WORD name", where that is the protocol that is spoken. */
static bool
take_hello(struct monitor *m, const struct request *request, const char *word)
{
	size_t n = strlen(word);

	if (request->len <= n + 1 || memcmp(request->data, word, n) != 0 || request->data[n] != ' ')
		return false;
	const unsigned char *name = request->data + n + 1;
	size_t len = request->len - n - 1;
	if (!recipient_host_rule(name, len))
		return false;
	memcpy(m->protocol, word, n + 1);
	memcpy(m->helo, name, len);
	m->helo[len] = 0;
	return true;
}

bool
serve_hello(struct monitor *m, const struct request *request)
{
	if (m->config->number[KEY_PROTOCOL])
		return take_hello(m, request, "LMTP");
	return take_hello(m, request, "ESMTP") || take_hello(m, request, "SMTP");
}

static void
forget(struct monitor *m)
{
	spool_drop(&m->spool);
	memset(m->has_answer, 0, m->count);
	m->count = m->next = m->places_count = 0;
	m->octets = 0;
	m->failed = m->discarded = false;
}

/* It would become a word of a command line, and be taken for an option. */
static const char dash[] = "5.1.7 a sender that begins with - is not taken here";

bool
serve_from(struct monitor *m, const struct request *request)
{
	struct request_from from;

	if (!request_from(request, &from))
		return false;
	m->utf8 = (from.form & FORM_UTF8) != 0;
	m->binary = (from.form & FORM_BINARY) != 0;
	m->declared = from.size;
	if (m->messages >= m->config->number[KEY_MESSAGE_LIMIT] ||
	    from.size > m->config->number[KEY_SIZE_LIMIT] ||
	    (from.len > 0 && !recipient_rule(from.path, from.len, false)) ||
	    (!m->utf8 && !utf8_is_ascii(from.path, from.len)))
		return false;
	forget(m);
	memcpy(m->sender, from.path, from.len);
	m->sender[from.len] = 0;
	m->begun = clock_now();
	(void)snprintf(m->id, sizeof m->id, "%s.%u", m->session_id, m->messages + 1);
	if (m->config->text[KEY_DELIVER_COMMAND] != NULL && m->sender[0] == '-') {
		answer_set(&m->answer, VERDICT_NEVER, dash);
		return true;
	}
	m->messages++;
	answer_set(&m->answer, VERDICT_YES, "");
	return true;
}

/* How the message came, as RFC 3848 and RFC 6531 4.3 name it. */
static const char *
protocol_of(const struct monitor *m)
{
	if (!m->utf8)
		return m->protocol;
	return m->config->number[KEY_PROTOCOL] ? "UTF8LMTP" : "UTF8SMTP";
}

/* What programs may know of the message; of a recipient, if it is to be one, and of its one place. */
static struct facts
facts_of(const struct monitor *m, const char *address, const struct place *place)
{
	struct facts facts = {.id = m->id,
	    .sender = m->sender,
	    .size = m->declared,
	    .address = m->peer->address,
	    .helo = m->helo,
	    .protocol = protocol_of(m),
	    .hostname = m->config->text[KEY_HOSTNAME]};

	if (address != NULL)
		place_facts(place, address, &facts);
	return facts;
}

static void
refuse(struct monitor *m, const char *address, enum verdict verdict, const char *text)
{
	char from[2 * MAILBOX_MAX], to[2 * MAILBOX_MAX], reply[2 * ANSWER_TEXT_MAX];

	log_event(LOG_NOTICE, "refused", "id=%s helo=%s from=<%s> to=<%s> reply=\"%s\"", m->id,
	    m->helo, log_word(from, sizeof from, m->sender), log_word(to, sizeof to, address),
	    log_text(reply, sizeof reply, text));
	answer_set(&m->answer, verdict, text);
	/* A session that has been taken over counts no errors. */
	if (++m->refusals > REFUSALS_MOST)
		(void)poll(NULL, 0, ERROR_PAUSE * 1000);
}

static bool
has(const struct place *places, size_t count, enum place_kind kind)
{
	for (size_t i = 0; i < count; i++)
		if (places[i].kind == kind)
			return true;
	return false;
}

/* A command takes part in a message alone, but several addresses elsewhere are one ForwardCommand's:
   commit.h.  By LMTP each recipient is a message. */
static bool
is_one_too_many(const struct monitor *m, const struct places *new)
{
	bool command = has(m->places, m->places_count, PLACE_COMMAND);
	bool forward = has(m->places, m->places_count, PLACE_FORWARD);

	if (m->config->number[KEY_PROTOCOL])
		return false;
	return ((command || forward) && has(new->at, new->count, PLACE_COMMAND)) ||
	       (command && has(new->at, new->count, PLACE_FORWARD));
}

/* What stands against these places, although the address is good; or NULL. */
static const char *
objection(const struct monitor *m, const struct places *new, enum verdict *verdict)
{
	bool forward = has(new->at, new->count, PLACE_FORWARD);

	*verdict = VERDICT_LATER;
	if (is_one_too_many(m, new))
		return "4.5.3 one recipient at a time; send the others in another message";
	*verdict = VERDICT_NEVER;
	if (forward && m->sender[0] == '-') /* DeliverCommand's was refused at MAIL */
		return dash;
	if (forward && m->binary) /* sendmail(1) takes lines: RFC 3030 3 */
		return "5.6.1 a binary message cannot be forwarded";
	return NULL;
}

/* Take the address in, and its places. */
static void
add_recipient(struct monitor *m, const struct places *new)
{
	for (size_t i = 0; i < new->count; i++)
		new->at[i].address = m->count;
	m->first[m->count] = m->places_count;
	m->places_count += new->count;
	m->count++;
}

/* What is told beforehand is no promise: deliver looks again when the message is there. */
static bool
fits(struct monitor *m, const struct places *new)
{
	int64_t deadline = clock_now() + (int64_t)QUOTA_LIMIT * 1000;

	for (size_t i = 0; i < new->count && m->declared > 0; i++)
		if (!commit_fits(m->config, &new->at[i], m->declared, deadline, &m->answer))
			return false;
	return true;
}

static bool
passes_checks(struct monitor *m, const char *address, const struct places *new)
{
	const struct facts facts = facts_of(m, address, new->count == 1 ? new->at : NULL);

	return filter_recipient(m->config, &facts, &m->answer) == FILTER_PASSED;
}

bool
serve_rcpt(struct monitor *m, const struct request *request)
{
	struct places new = {
	    .at = m->places + m->places_count, .room = PLACES_MOST - m->places_count};
	char *address = m->addresses[m->count];
	const char *text = "", *against = NULL;

	if (m->count >= m->config->number[KEY_RECIPIENT_LIMIT] ||
	    !recipient_rule(request->data, request->len, false) ||
	    (!m->utf8 && !utf8_is_ascii(request->data, request->len)))
		return false;
	memcpy(address, request->data, request->len);
	address[request->len] = 0;
	enum verdict verdict = recipient_find(m->config, address, &new, &text), other;
	bool yes = verdict == VERDICT_YES || verdict == VERDICT_FORWARDED;
	if (yes)
		against = objection(m, &new, &other);
	if (against != NULL) {
		refuse(m, address, other, against);
	} else if (!yes) {
		refuse(m, address, verdict, text);
	} else if (!fits(m, &new) || !passes_checks(m, address, &new)) {
		refuse(m, address, m->answer.verdict, m->answer.text);
	} else {
		add_recipient(m, &new);
		answer_set(&m->answer, verdict, verdict == VERDICT_FORWARDED ? text : "");
	}
	return true;
}

/* ---- the message --------------------------------------------------------------------------- */

/* What ends the session, for the log; all of it the client's doing. */
static const struct {
	enum request_note note;
	const char *why;
} reasons[] = {
    {NOTE_SILENT, "nothing came for too long"},
    {NOTE_ERRORS, "too many errors"},
    {NOTE_MESSAGES, "too many messages"},
    {NOTE_OCTETS, "too many octets"},
    {NOTE_HASTY, "did not wait for a reply"},
    {NOTE_STRAY, "BDAT that cannot be read"},
    {NOTE_FOREIGN, "speaks another protocol"},
};

/* After a farewell the client hears that nothing follows; what it still sends is thrown away. */
bool
serve_note(struct monitor *m, const struct request *request)
{
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		if (request->data[0] != (unsigned char)reasons[i].note)
			continue;
		log_event(LOG_NOTICE, "gave-up", "helo=%s why=\"%s\"", m->helo, reasons[i].why);
		m->state = STATE_DONE;
		m->deadline = clock_now() + ANSWER_GRACE * 1000;
		if (m->peer->socket)
			(void)shutdown(STDOUT_FILENO, SHUT_WR); /* it may be gone */
	}
	return true;
}

bool
serve_pause(struct monitor *m, const struct request *request)
{
	(void)request;
	(void)poll(NULL, 0, ERROR_PAUSE * 1000);
	answer_set(&m->answer, VERDICT_YES, "");
	return true;
}

/* The message begins: with our own line.  A blank as its first octet would continue that line, so
   the header then ends there. */
static bool
begin_message(struct monitor *m, const struct request *request)
{
	bool blank = request->len > 0 && (request->data[0] == ' ' || request->data[0] == '\t');
	char line[RECEIVED_MAX];
	const struct trace trace = {.protocol = protocol_of(m),
	    .helo = m->helo,
	    .address = m->peer->address,
	    .hostname = m->config->text[KEY_HOSTNAME],
	    .id = m->id,
	    .recipient = m->count == 1 ? m->addresses[0] : NULL,
	    .when = time(NULL)};

	return spool_begin(&m->spool) && spool_add(&m->spool, line, received_line(line, &trace)) &&
	       spool_add(&m->spool, "\n", blank);
}

/* A message that cannot be kept is heard to its end all the same: the session cannot be told before. */
bool
serve_body(struct monitor *m, const struct request *request)
{
	if (request->len > m->config->number[KEY_SIZE_LIMIT] - m->octets)
		return false;
	m->octets += request->len;
	m->total += request->len;
	if (m->total > m->config->number[KEY_SESSION_SIZE_LIMIT])
		return false;
	if (m->failed)
		return true;
	if ((m->state == STATE_RCPT && !begin_message(m, request)) ||
	    !spool_add(&m->spool, request->data, request->len)) {
		log_error("message %s cannot be kept: %s", m->id, strerror(errno));
		m->failed = true;
	}
	return true;
}

enum {
	FROM_SHOWN = 2 * MAILBOX_MAX,
	REPLY_SHOWN = 2 * ANSWER_TEXT_MAX,
	TO_SHOWN = LOG_FIELDS_MAX - LOG_FIXED_MAX - DOMAIN_MAX - FROM_SHOWN - REPLY_SHOWN
};
_Static_assert(TO_SHOWN >= 2 * MAILBOX_MAX + sizeof "<>" + MORE_SHOWN, "one fits, whoever it is");

/* "<a>,<b>,+8": as many as there is room for, and how many more there are. */
static const char *
show_recipients(char out[TO_SHOWN], const char addresses[][MAILBOX_MAX + 1], size_t count)
{
	char one[2 * MAILBOX_MAX];
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		const char *comma = i > 0 ? "," : "";
		(void)log_word(one, sizeof one, addresses[i]);
		if (n + strlen(comma) + strlen(one) + strlen("<>") + MORE_SHOWN > TO_SHOWN) {
			(void)snprintf(out + n, TO_SHOWN - n, "%s+%zu", comma, count - i);
			break;
		}
		n += (size_t)snprintf(out + n, TO_SHOWN - n, "%s<%s>", comma, one);
	}
	return out;
}

static void
log_message(const struct monitor *m, size_t first, size_t count)
{
	char from[FROM_SHOWN], to[TO_SHOWN], reply[REPLY_SHOWN];
	bool yes = m->answer.verdict == VERDICT_YES;
	int64_t ms = clock_now() - m->begun;

	log_event(yes ? LOG_INFO : LOG_WARNING,
	    !yes           ? "failed"
	    : m->discarded ? "discarded"
			   : "delivered",
	    "id=%s helo=%s proto=%s from=<%s> to=%s size=%llu seconds=%lld.%03d reply=\"%s\"",
	    m->id, m->helo, protocol_of(m), log_word(from, sizeof from, m->sender),
	    show_recipients(to, &m->addresses[first], count), (unsigned long long)m->octets,
	    (long long)(ms / 1000), (int)(ms % 1000),
	    log_text(reply, sizeof reply, m->answer.text));
}

/* Nothing is begun any more when there is no time to tell what came of it; NULL: there is. */
static const char *
too_late(const struct monitor *m)
{
	if (m->stopping || stop_came())
		return "4.3.2 shutting down; try again later";
	return m->extended ? "4.4.2 the session has lasted too long; try again" : NULL;
}

/* To some of the places, all or nothing: those in `going`. */
static void
deliver(struct monitor *m, size_t count)
{
	const char *late = too_late(m);
	const struct facts facts = facts_of(m, NULL, NULL);
	const struct envelope envelope = {.id = m->id,
	    .sender = m->sender,
	    .facts = &facts,
	    .addresses = m->addresses,
	    .places = m->going,
	    .count = count,
	    .message = ++m->deliveries,
	    .pair = m->pair};

	if (late != NULL)
		answer_set(&m->answer, VERDICT_LATER, late);
	else if (m->failed)
		answer_set(&m->answer, VERDICT_LATER, "4.3.1 no room for the message now");
	else
		commit_message(m->config, &envelope, m->spool.fd, &m->answer);
	if (m->answer.verdict == VERDICT_YES) {
		char text[96 + PATH_OCTETS];
		bool forward = count == 1 && m->going[0]->kind == PLACE_FORWARD;
		(void)snprintf(text, sizeof text, "2.0.0 %s %s%s", m->id,
		    forward ? "forwarded to " : "delivered", forward ? m->going[0]->text : "");
		answer_set(&m->answer, VERDICT_YES, text);
		m->refusals = 0;
	}
}

/* False: a filter has answered for all recipients. */
static bool
passes_filters(struct monitor *m)
{
	const struct place *only = m->places_count == 1 ? m->places : NULL;
	const struct facts facts = facts_of(m, m->count == 1 ? m->addresses[0] : NULL, only);
	char text[sizeof "2.0.0  discarded" + sizeof m->id];

	if (m->failed || too_late(m) != NULL)
		return true; /* deliver() says so */
	enum filter_fate fate = filter_message(m->config, &facts, &m->spool, m->octets, &m->answer);
	if (fate == FILTER_DISCARDED) {
		m->discarded = true;
		(void)snprintf(text, sizeof text, "2.0.0 %s discarded", m->id);
		answer_set(&m->answer, VERDICT_YES, text);
	}
	return fate == FILTER_PASSED;
}

static void
deliver_to_all(struct monitor *m)
{
	for (size_t i = 0; i < m->places_count; i++)
		m->going[i] = &m->places[i];
	deliver(m, m->places_count);
}

/* Where the places of an address end. */
static size_t
places_end(const struct monitor *m, size_t address)
{
	return address + 1 < m->count ? m->first[address + 1] : m->places_count;
}

/* The only place of an address, or NULL. */
static struct place *
only_place(struct monitor *m, size_t address)
{
	return places_end(m, address) - m->first[address] == 1 ? &m->places[m->first[address]]
							       : NULL;
}

/* By LMTP: to the places of the next recipient, and for all who have the same one mailbox (RFC 2033
   4.2). */
static void
deliver_next(struct monitor *m)
{
	static LARGE size_t members[RECIPIENTS_MOST];
	size_t this = m->next++, count = 0, going = 0;
	const struct place *mailbox = only_place(m, this);

	for (size_t i = this; i < m->count && !m->has_answer[this]; i++) {
		struct place *other = only_place(m, i);
		if (i > this && (m->has_answer[i] || mailbox == NULL || other == NULL ||
				    !commit_same_mailbox(mailbox, other)))
			continue;
		for (size_t j = m->first[i]; j < places_end(m, i); j++)
			m->going[going++] = &m->places[j];
		members[count++] = i;
	}
	if (going > 0)
		deliver(m, going);
	for (size_t i = 0; i < count; i++) {
		m->answers[members[i]] = m->answer;
		m->has_answer[members[i]] = true;
	}
	m->answer = m->answers[this];
	log_message(m, this, 1);
}

/* The session must be able to say what came of a message: once after its time, or it could go on for
   ever, but then to each recipient. */
static void
grant_answer(struct monitor *m, bool first)
{
	m->answered_at = clock_now();
	int64_t until = m->answered_at + ANSWER_GRACE * 1000;
	if (first)
		m->granted = !m->extended;
	if (m->deadline >= until || !m->granted)
		return;
	m->deadline = until;
	m->extended = true;
}

/* The message is whole: what is done once, whoever it is for.  False: it is answered for all of them. */
static bool
finish_message(struct monitor *m, const struct request *request)
{
	if (m->state == STATE_RCPT && !begin_message(m, request)) /* an empty message */
		m->failed = true;
	if (!m->failed && !spool_seal(&m->spool)) {
		log_error("message %s cannot be sealed: %s", m->id, strerror(errno));
		m->failed = true;
	}
	commit_locate(m->places, m->places_count);
	if (passes_filters(m))
		return true;
	for (size_t i = 0; i < m->count; i++) {
		m->answers[i] = m->answer;
		m->has_answer[i] = true;
	}
	return false;
}

bool
serve_end(struct monitor *m, const struct request *request)
{
	bool first = m->state != STATE_EACH, lmtp = m->config->number[KEY_PROTOCOL] != 0;
	bool answered = first && !finish_message(m, request);

	if (lmtp) {
		deliver_next(m);
	} else {
		if (!answered)
			deliver_to_all(m);
		log_message(m, 0, m->count);
	}
	if (!lmtp || m->next == m->count)
		forget(m);
	grant_answer(m, first);
	return true;
}

bool
serve_reset(struct monitor *m, const struct request *request)
{
	(void)request;
	forget(m);
	return true;
}
