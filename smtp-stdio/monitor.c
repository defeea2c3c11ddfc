/*
 * monitor.c -- see monitor.h.
 *
 * Three places: the transport (monitor_run: one packet, one request), the dispatch (the table of
 * what is allowed when), the policy (one function for each letter).
 */
#include "monitor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "../sandbox/identity.h"
#include "clock.h"
#include "commit.h"
#include "log.h"
#include "received.h"
#include "recipient.h"
#include "request.h"
#include "spool.h"
#include "utf8.h"

enum state {
	IDLE,
	FROM, /* there is a sender */
	RCPT, /* and a recipient */
	BODY, /* and the start of a message */
	EACH, /* and its end; by LMTP, recipients whose answers are due */
	DONE, /* the session has given the client up */
	SAME, /* no state: the one before stays */
};

struct monitor {
	const struct config *config;
	const struct peer *peer;
	pid_t session;
	uid_t session_uid;
	enum state state;
	int64_t deadline; /* of the whole session */
	int64_t patience; /* of the next packet */
	int64_t told;     /* when a message was answered last */
	bool extended;    /* the deadline was put off, for the answer to a message */
	bool stopping;    /* SIGTERM has come, and the deadline is near */
	unsigned messages, deliveries;
	uint64_t total; /* octets of all messages */
	char protocol[8], helo[DOMAIN_MAX + 1];
	/* the message */
	char sender[MAILBOX_MAX + 1];
	bool utf8; /* it was sent with SMTPUTF8 */
	char id[48];
	size_t count;
	struct recipient recipients[RECIPIENTS_MOST];
	struct answer answers[RECIPIENTS_MOST]; /* by LMTP, of the first `answered` recipients */
	size_t answered;
	struct spool spool;
	uint64_t octets; /* without our own lines */
	bool failed;     /* it could not be kept: it will be refused at its end */
	int64_t begun;
	struct answer answer;
};

/* ---- ending a session ---------------------------------------------------------------------- */

/* The session is gone, and did not say goodbye: the one thing the monitor ever tells a client. */
static void
last_words(const char *text)
{
	struct pollfd out = {STDOUT_FILENO, POLLOUT, 0};

	if (poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0)
		(void)!write(
		    STDOUT_FILENO, text, strlen(text)); /* or the client does not hear it */
}

static const char failure[] = "421 4.3.0 service not available; closing\r\n";

/* It is not reaped yet, so it is there; where it cannot be killed there is nothing left to wait for. */
static void
kill_session(const struct monitor *m)
{
	if (identity_kill(m->session_uid, m->session, SIGKILL) < 0)
		_exit(EX_OSERR);
}

static int
await(const struct monitor *m)
{
	int status = 0;

	while (waitpid(m->session, &status, 0) < 0)
		if (errno != EINTR)
			return 0;
	return status;
}

/* The session has ended: say how, if it was not as it should. */
static void
reap(struct monitor *m)
{
	int status = await(m);

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		log_line(LOG_CRIT,
		    "jail: client=%s the session made a forbidden system call and was killed",
		    m->peer->address);
	else if (WIFEXITED(status) && WEXITSTATUS(status) == EX_NOPERM)
		log_line(LOG_CRIT, "jail: client=%s the system-call filter cannot be loaded",
		    m->peer->address);
	else if (WIFSIGNALED(status))
		log_line(LOG_ERR, "session: client=%s ended by signal %d", m->peer->address,
		    WTERMSIG(status));
	else
		log_line(LOG_ERR, "session: client=%s ended with status %d", m->peer->address,
		    WEXITSTATUS(status));
	last_words(failure);
}

static void
finish_off(struct monitor *m, const char *reason)
{
	log_line(LOG_CRIT, "monitor: client=%s session killed: %s", m->peer->address, reason);
	kill_session(m);
	(void)await(m);
	last_words(failure);
}

/* Its time is over, or ours. */
static void
end_session(struct monitor *m)
{
	kill_session(m);
	(void)await(m);
	if (m->state == DONE)
		return; /* its client was told */
	log_line(
	    LOG_NOTICE, "%s: client=%s", m->stopping ? "stopped" : "timeout", m->peer->address);
	last_words(m->stopping ? "421 4.3.2 shutting down; closing\r\n"
			       : "421 4.4.2 too slow, or too long; closing\r\n");
}

/* ---- policy: one function for each letter; false: the session has broken the rules ----------- */

static bool
do_hello(struct monitor *m, const struct request *request)
{
	static const char *const protocols[] = {"LMTP ", "ESMTP ", "SMTP "};
	bool lmtp = m->config->number[KEY_PROTOCOL] != 0;

	for (size_t i = lmtp ? 0 : 1; i < (lmtp ? 1 : sizeof protocols / sizeof *protocols); i++) {
		size_t n = strlen(protocols[i]);
		if (request->len <= n || memcmp(request->data, protocols[i], n) != 0)
			continue;
		const unsigned char *name = request->data + n;
		size_t len = request->len - n;
		if (!recipient_host_rule(name, len))
			return false;
		memcpy(m->protocol, protocols[i], n - 1);
		m->protocol[n - 1] = 0;
		memcpy(m->helo, name, len);
		m->helo[len] = 0;
		return true;
	}
	return false;
}

static void
forget(struct monitor *m)
{
	spool_drop(&m->spool);
	m->count = m->answered = 0;
	m->octets = 0;
	m->failed = false;
}

static bool
do_from(struct monitor *m, const struct request *request)
{
	const unsigned char *path = request->data + 1;
	size_t len = request->len - 1;

	m->utf8 = request->data[0] == FORM_UTF8;
	if (m->messages >= m->config->number[KEY_MESSAGE_LIMIT] ||
	    (len > 0 && !recipient_rule(path, len, false)) ||
	    (!m->utf8 && !utf8_is_ascii(path, len)))
		return false;
	forget(m);
	memcpy(m->sender, path, len);
	m->sender[len] = 0;
	m->begun = clock_now();
	(void)snprintf(m->id, sizeof m->id, "%llx.%lx.%u", (unsigned long long)time(NULL),
	    (unsigned long)getpid(), m->messages + 1);
	if (commit_is_foreign(m->config) && m->sender[0] == '-') {
		/* It would become a word of a command line, and be taken for an option. */
		answer_set(&m->answer, VERDICT_NEVER,
		    "5.1.7 a sender that begins with - is not taken here");
		return true;
	}
	m->messages++;
	answer_set(&m->answer, VERDICT_YES, "");
	return true;
}

static void
refuse(struct monitor *m, const struct recipient *r, enum verdict verdict, const char *text)
{
	char from[2 * MAILBOX_MAX], to[2 * MAILBOX_MAX];

	log_line(LOG_NOTICE, "refused id=%s client=%s helo=%s from=<%s> to=<%s> reply=\"%s\"",
	    m->id, m->peer->address, m->helo, log_word(from, sizeof from, m->sender),
	    log_word(to, sizeof to, r->address), text);
	answer_set(&m->answer, verdict, text);
}

static bool
do_rcpt(struct monitor *m, const struct request *request)
{
	struct recipient *r = &m->recipients[m->count];
	const char *text = "";

	if (m->count >= m->config->number[KEY_RECIPIENT_LIMIT] ||
	    !recipient_rule(request->data, request->len, false) ||
	    (!m->utf8 && !utf8_is_ascii(request->data, request->len)))
		return false;
	enum verdict verdict = recipient_find(m->config, request->data, request->len, r, &text);
	if (verdict == VERDICT_YES && m->count > 0 && commit_is_foreign(m->config) &&
	    !m->config->number[KEY_PROTOCOL]) {
		verdict = VERDICT_LATER;
		text = "4.5.3 one recipient at a time; send the others in another message";
	}
	if (verdict != VERDICT_YES) {
		refuse(m, r, verdict, text);
		return true;
	}
	m->count++;
	answer_set(&m->answer, VERDICT_YES, "");
	return true;
}

static bool
do_verify(struct monitor *m, const struct request *request)
{
	static struct recipient r;
	const char *text = "";

	if (!recipient_rule(request->data, request->len, true))
		return false;
	if (!m->config->number[KEY_VERIFY]) {
		answer_set(&m->answer, VERDICT_YES, ""); /* not looked up: 252 */
		return true;
	}
	enum verdict verdict = recipient_find(m->config, request->data, request->len, &r, &text);
	char path[MAILBOX_MAX + 3];
	(void)snprintf(path, sizeof path, "<%s@%s>", r.user, r.domain);
	if (verdict == VERDICT_YES) /* one that is not ASCII is not shown: 252 (RFC 6531 3.7.4.2) */
		text = utf8_is_ascii((const unsigned char *)path, strlen(path)) ? path : "";
	answer_set(&m->answer, verdict, text);
	return true;
}

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
    {NOTE_STRAY, "BDAT without its size"},
    {NOTE_FOREIGN, "speaks another protocol"},
};

/* After a farewell the client hears that nothing follows; what it still sends is thrown away. */
static bool
do_note(struct monitor *m, const struct request *request)
{
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		if (request->data[0] != (unsigned char)reasons[i].note)
			continue;
		log_line(LOG_NOTICE, "given up: client=%s helo=%s why=\"%s\"", m->peer->address,
		    m->helo, reasons[i].why);
		m->state = DONE;
		m->deadline = clock_now() + ANSWER_GRACE * 1000;
		if (m->peer->socket)
			(void)shutdown(STDOUT_FILENO, SHUT_WR); /* it may be gone */
	}
	return true;
}

static bool
do_pause(struct monitor *m, const struct request *request)
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
	bool lmtp = m->config->number[KEY_PROTOCOL] != 0;
	const char *international = lmtp ? "UTF8LMTP" : "UTF8SMTP"; /* RFC 6531 4.3 */
	const struct trace trace = {.protocol = m->utf8 ? international : m->protocol,
	    .helo = m->helo,
	    .address = m->peer->address,
	    .hostname = m->config->text[KEY_HOSTNAME],
	    .id = m->id,
	    .recipient = m->count == 1 ? m->recipients[0].address : NULL,
	    .when = time(NULL)};

	return spool_begin(&m->spool) && spool_add(&m->spool, line, received_line(line, &trace)) &&
	       spool_add(&m->spool, "\n", blank);
}

/* A message that cannot be kept is heard to its end all the same: the session cannot be told before. */
static bool
do_body(struct monitor *m, const struct request *request)
{
	if (request->len > m->config->number[KEY_SIZE_LIMIT] - m->octets)
		return false;
	m->octets += request->len;
	m->total += request->len;
	if (m->total > m->config->number[KEY_SESSION_SIZE_LIMIT])
		return false;
	if (m->failed)
		return true;
	if ((m->state == RCPT && !begin_message(m, request)) ||
	    !spool_add(&m->spool, request->data, request->len)) {
		log_line(LOG_ERR, "message id=%s client=%s cannot be kept: %s", m->id,
		    m->peer->address, strerror(errno));
		m->failed = true;
	}
	return true;
}

static void
log_message(const struct monitor *m, size_t first, size_t count)
{
	char from[2 * MAILBOX_MAX], to[2 * MAILBOX_MAX], reply[2 * ANSWER_TEXT_MAX];

	for (size_t i = first; i < first + count; i++)
		log_line(m->answer.verdict == VERDICT_YES ? LOG_INFO : LOG_WARNING,
		    "%s id=%s client=%s helo=%s proto=%s from=<%s> to=<%s> size=%llu ms=%lld "
		    "reply=\"%s\"",
		    m->answer.verdict == VERDICT_YES ? "delivered" : "failed", m->id,
		    m->peer->address, m->helo, m->protocol, log_word(from, sizeof from, m->sender),
		    log_word(to, sizeof to, m->recipients[i].address),
		    (unsigned long long)m->octets, (long long)(clock_now() - m->begun),
		    log_text(reply, sizeof reply, m->answer.text));
}

/* To some of the recipients, all or nothing. */
static void
deliver(struct monitor *m, size_t first, size_t count)
{
	const struct envelope envelope = {m->sender, m->recipients + first, count, ++m->deliveries};

	if (m->failed)
		answer_set(&m->answer, VERDICT_LATER, "4.3.1 no room for the message now");
	else
		commit_message(m->config, &envelope, m->spool.fd, &m->answer);
	if (m->answer.verdict == VERDICT_YES) {
		char text[96];
		(void)snprintf(text, sizeof text, "2.0.0 %s delivered", m->id);
		answer_set(&m->answer, VERDICT_YES, text);
	}
	log_message(m, first, count);
}

/* By LMTP: to the next recipient alone (RFC 2033 4.2).  Two with the same mailbox get one copy, and the
   same answer. */
static void
deliver_next(struct monitor *m)
{
	size_t this = m->answered++, same = 0;

	while (strcmp(m->recipients[same].mailbox, m->recipients[this].mailbox) != 0)
		same++;
	if (same < this && !commit_is_foreign(m->config)) {
		m->answer = m->answers[same];
		log_message(m, this, 1);
	} else {
		deliver(m, this, 1);
	}
	m->answers[this] = m->answer;
}

static bool
do_end(struct monitor *m, const struct request *request)
{
	if (m->state == RCPT && !begin_message(m, request)) /* an empty message */
		m->failed = true;
	if (m->state != EACH && !m->failed && !spool_seal(&m->spool)) {
		log_line(LOG_ERR, "message id=%s cannot be sealed: %s", m->id, strerror(errno));
		m->failed = true;
	}
	if (m->config->number[KEY_PROTOCOL])
		deliver_next(m);
	else
		deliver(m, 0, m->count);
	if (!m->config->number[KEY_PROTOCOL] || m->answered == m->count)
		forget(m);
	/* The session must be able to say what came of it; once, or it could go on for ever. */
	m->told = clock_now();
	if (!m->extended && clock_left(m->deadline) < ANSWER_GRACE * 1000) {
		m->deadline = m->told + ANSWER_GRACE * 1000;
		m->extended = true;
	}
	return true;
}

static bool
do_reset(struct monitor *m, const struct request *request)
{
	(void)request;
	forget(m);
	return true;
}

/* ---- dispatch ------------------------------------------------------------------------------ */

enum {
	IN_IDLE = 1 << IDLE,
	IN_FROM = 1 << FROM,
	IN_RCPT = 1 << RCPT,
	IN_BODY = 1 << BODY,
	IN_EACH = 1 << EACH,
	ANY = IN_IDLE | IN_FROM | IN_RCPT | IN_BODY,
};

/* What may be asked when, whether it is answered, and the state that a yes leads to. */
static const struct rule {
	enum request_letter letter;
	unsigned states;
	bool answered;
	bool always; /* the state changes whatever the answer */
	enum state next;
	bool (*serve)(struct monitor *, const struct request *);
} rules[] = {
    {REQUEST_HELLO, IN_IDLE, false, true, IDLE, do_hello},
    {REQUEST_FROM, IN_IDLE, true, false, FROM, do_from},
    {REQUEST_RCPT, IN_FROM | IN_RCPT, true, false, RCPT, do_rcpt},
    {REQUEST_BODY, IN_RCPT | IN_BODY, false, true, BODY, do_body},
    {REQUEST_END, IN_RCPT | IN_BODY | IN_EACH, true, true, EACH, do_end},
    {REQUEST_RESET, ANY, false, true, IDLE, do_reset},
    {REQUEST_VERIFY, ANY, true, false, SAME, do_verify},
    {REQUEST_NOTE, ANY, false, false, SAME, do_note},
    {REQUEST_PAUSE, ANY, true, false, SAME, do_pause},
};

static const struct rule *
rule_for(enum request_letter letter, enum state state)
{
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (rules[i].letter == letter && (rules[i].states & 1U << state) != 0)
			return &rules[i];
	return NULL;
}

/*
 * How long the next packet may take.  A command has CommandTimeout, and the session a little longer
 * to say so itself.  A message has that, and for each octet the time of MinimumRate: in advance for
 * one packet, then for those that have come.
 */
static void
renew_patience(struct monitor *m, const struct request *request)
{
	uint64_t rate = m->config->number[KEY_MINIMUM_RATE];
	int64_t command = (int64_t)m->config->number[KEY_COMMAND_TIMEOUT] + ANSWER_GRACE;
	int64_t until = clock_now() + command * 1000;
	bool message = m->state == RCPT || m->state == BODY;

	if (message && rate == 0)
		until = m->deadline;
	else if (request->letter == REQUEST_BODY)
		until = m->patience + (int64_t)(request->len * 1000 / rate);
	else if (message)
		until += (int64_t)(BODY_MAX * 1000ULL / rate);
	if (until > m->patience || !message)
		m->patience = until;
}

/* Send the answer; what is wrong with the session if it cannot be sent. */
static const char *
send_answer(const struct monitor *m)
{
	unsigned char packet[ANSWER_MAX];
	size_t n = answer_encode(packet, &m->answer);

	/* A session that is gone shows at the next read. */
	if (send(MONITOR_PAIR, packet, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EAGAIN)
		return "answers are not read";
	return NULL;
}

/* Serve one packet; what the session has done wrong, or NULL. */
static const char *
serve(struct monitor *m, const unsigned char *packet, size_t len)
{
	struct request request;

	if (len == 0)
		return "a packet is empty";
	if (len > PACKET_MAX)
		return "a packet is too long";
	if (!request_decode(packet, len, &request))
		return "a packet is malformed";
	const struct rule *rule = rule_for(request.letter, m->state);
	if (rule == NULL)
		return "a request is out of turn";
	if (!rule->serve(m, &request))
		return "a request is beyond the limits";
	bool yes = m->answer.verdict == VERDICT_YES || m->answer.verdict == VERDICT_FORWARDED;
	if (rule->next != SAME && (rule->always || yes))
		m->state = rule->next;
	if (m->state == EACH && m->count == 0)
		m->state = IDLE;
	renew_patience(m, &request);
	return rule->answered ? send_answer(m) : NULL;
}

/* ---- transport ----------------------------------------------------------------------------- */

/* An empty packet reads as the end does, but only at the end is the other side closed. */
static bool
is_closed(void)
{
	struct pollfd fd = {MONITOR_PAIR, 0, 0};

	return poll(&fd, 1, 0) == 1 && (fd.revents & POLLHUP) != 0;
}

static volatile sig_atomic_t stop;

static void
on_sigterm(int number)
{
	(void)number;
	stop = 1;
}

/* SIGTERM is let in only while a packet is waited for: so a delivery is brought to its end, and the
   mask says what is let in then. */
static void
hold_sigterm(sigset_t *mask)
{
	const struct sigaction act = {.sa_handler = on_sigterm};
	sigset_t term;

	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &term, mask); /* valid numbers: these cannot fail */
	(void)sigaction(SIGTERM, &act, NULL);
}

/* SIGTERM has come: end now, but let the session say first what became of a message. */
static void
begin_stop(struct monitor *m)
{
	int64_t until = m->told + ANSWER_GRACE * 1000;

	if (m->stopping)
		return;
	m->stopping = true;
	if (m->deadline > until)
		m->deadline = until;
}

/* Wait for the next packet; false when the time for it is over. */
static bool
wait_packet(struct monitor *m, const sigset_t *mask)
{
	struct pollfd fd = {MONITOR_PAIR, POLLIN, 0};

	for (;;) {
		int64_t until = m->patience < m->deadline ? m->patience : m->deadline;
		int left = clock_left(until);
		/* A session that never lets the pair run empty is not spared either. */
		if (clock_left(m->deadline) == 0)
			return false;
		const struct timespec limit = {left / 1000, left % 1000 * 1000000L};
		int ready = ppoll(&fd, 1, &limit, mask);
		if (stop)
			begin_stop(m);
		if (ready >= 0)
			return ready > 0;
		if (errno != EINTR)
			return false;
	}
}

void
monitor_run(const struct config *config, const struct peer *peer, pid_t session, uid_t session_uid)
{
	static struct monitor m;
	static unsigned char
	    packet[PACKET_MAX + 1]; /* one more, to see a packet that is too long */
	sigset_t mask;

	m.config = config;
	m.peer = peer;
	m.session = session;
	m.session_uid = session_uid;
	m.spool.fd = -1;
	m.told = -ANSWER_GRACE * 1000;
	m.deadline = clock_now() + (int64_t)config->number[KEY_SESSION_TIMEOUT] * 1000;
	renew_patience(&m, &(const struct request){.letter = REQUEST_NOTE});
	hold_sigterm(&mask);
	while (wait_packet(&m, &mask)) {
		ssize_t n = recv(MONITOR_PAIR, packet, sizeof packet, 0);
		if (n < 0 || (n == 0 && is_closed())) {
			spool_drop(&m.spool);
			reap(&m);
			return;
		}
		const char *wrong = serve(&m, packet, (size_t)n);
		if (wrong != NULL) {
			spool_drop(&m.spool);
			finish_off(&m, wrong);
			return;
		}
	}
	spool_drop(&m.spool);
	end_session(&m);
}
