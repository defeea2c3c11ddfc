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

enum state {
	IDLE,
	FROM, /* there is a sender */
	RCPT, /* and a recipient */
	BODY, /* and the start of a message */
};

struct monitor {
	const struct config *config;
	const struct peer *peer;
	pid_t session;
	uid_t session_uid;
	enum state state;
	int64_t deadline; /* of the whole session */
	bool extended;    /* it was put off, for the answer to a message */
	unsigned messages;
	char protocol[8], helo[DOMAIN_MAX + 1];
	char sender[MAILBOX_MAX + 1];
	char id[48];
	size_t count;
	struct recipient recipients[RECIPIENTS_MOST];
	struct spool spool;
	uint64_t octets; /* of the message, without our own lines */
	bool failed;     /* the message could not be kept: it will be refused at its end */
	int64_t begun;
	struct answer answer;
};

/* ---- ending a session ---------------------------------------------------------------------- */

/* The session is gone, and did not say goodbye: the one thing the monitor ever tells a client. */
static void
last_words(void)
{
	static const char text[] = "421 4.3.0 service not available; closing\r\n";
	struct pollfd out = {STDOUT_FILENO, POLLOUT, 0};

	if (poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0)
		(void)!write(
		    STDOUT_FILENO, text, sizeof text - 1); /* or the client does not hear it */
}

/* It is not reaped yet, so it is there; where it cannot be killed there is nothing left to wait for. */
static void
kill_session(const struct monitor *m)
{
	if (identity_kill(m->session_uid, m->session, SIGKILL) < 0)
		_exit(EX_OSERR);
}

/* Wait for the session and say how it ended. */
static void
reap(struct monitor *m)
{
	int status = 0;

	while (waitpid(m->session, &status, 0) < 0)
		if (errno != EINTR)
			return;
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
	last_words();
}

static void
finish_off(struct monitor *m, const char *reason)
{
	log_line(LOG_CRIT, "monitor: client=%s session killed: %s", m->peer->address, reason);
	kill_session(m);
	while (waitpid(m->session, NULL, 0) < 0 && errno == EINTR)
		continue;
	last_words();
}

/* ---- policy: one function for each letter; false: the session has broken the rules ----------- */

static bool
do_hello(struct monitor *m, const struct request *request)
{
	static const char *const protocols[] = {"ESMTP ", "SMTP "};

	for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
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
	m->count = 0;
	m->octets = 0;
	m->failed = false;
}

/* It would become a word of a command line, and be taken for an option. */
static const char dash[] = "5.1.7 a sender that begins with - is not taken here";

static bool
do_from(struct monitor *m, const struct request *request)
{
	if (request->len > 0 && !recipient_rule(request->data, request->len, false))
		return false;
	forget(m);
	memcpy(m->sender, request->data, request->len);
	m->sender[request->len] = 0;
	m->begun = clock_now();
	(void)snprintf(m->id, sizeof m->id, "%llx.%lx.%u", (unsigned long long)time(NULL),
	    (unsigned long)getpid(), ++m->messages);
	if (m->config->text[KEY_DELIVER_COMMAND] != NULL && m->sender[0] == '-')
		answer_set(&m->answer, VERDICT_NEVER, dash);
	else
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
	    !recipient_rule(request->data, request->len, false))
		return false;
	enum verdict verdict = recipient_find(m->config, request->data, request->len, r, &text);
	bool yes = verdict == VERDICT_YES || verdict == VERDICT_FORWARDED;
	if (yes && m->count > 0 && (r->foreign || m->recipients[0].foreign)) {
		yes = false;
		verdict = VERDICT_LATER;
		text = "4.5.3 one recipient at a time; send the others in another message";
	} else if (yes && r->foreign && m->sender[0] == '-') {
		yes = false; /* DeliverCommand's was refused at MAIL */
		verdict = VERDICT_NEVER;
		text = dash;
	}
	if (yes) {
		m->count++;
		answer_set(&m->answer, verdict, verdict == VERDICT_FORWARDED ? text : "");
	} else {
		refuse(m, r, verdict, text);
	}
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
	answer_set(&m->answer, verdict, verdict == VERDICT_YES ? path : text);
	return true;
}

/* The message begins: with our own line.  A blank as its first octet would continue that line, so
   the header then ends there. */
static bool
begin_message(struct monitor *m, const struct request *request)
{
	bool blank = request->len > 0 && (request->data[0] == ' ' || request->data[0] == '\t');
	char line[RECEIVED_MAX];
	const struct trace trace = {.protocol = m->protocol,
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
log_message(const struct monitor *m)
{
	char from[2 * MAILBOX_MAX], to[2 * MAILBOX_MAX], reply[2 * ANSWER_TEXT_MAX];

	for (size_t i = 0; i < m->count; i++)
		log_line(m->answer.verdict == VERDICT_YES ? LOG_INFO : LOG_WARNING,
		    "%s id=%s client=%s helo=%s proto=%s from=<%s> to=<%s> size=%llu ms=%lld "
		    "reply=\"%s\"",
		    m->answer.verdict == VERDICT_YES ? "delivered" : "failed", m->id,
		    m->peer->address, m->helo, m->protocol, log_word(from, sizeof from, m->sender),
		    log_word(to, sizeof to, m->recipients[i].address),
		    (unsigned long long)m->octets, (long long)(clock_now() - m->begun),
		    log_text(reply, sizeof reply, m->answer.text));
}

static bool
do_end(struct monitor *m, const struct request *request)
{
	const struct envelope envelope = {m->sender, m->recipients, m->count, m->messages};

	if (m->state == RCPT && !begin_message(m, request)) /* an empty message */
		m->failed = true;
	if (!m->failed && !spool_seal(&m->spool)) {
		log_line(LOG_ERR, "message id=%s cannot be sealed: %s", m->id, strerror(errno));
		m->failed = true;
	}
	if (m->failed)
		answer_set(&m->answer, VERDICT_LATER, "4.3.1 no room for the message now");
	else
		commit_message(m->config, &envelope, m->spool.fd, &m->answer);
	if (m->answer.verdict == VERDICT_YES) {
		char text[96 + NEW_PATH_MAX];
		const char *forward = m->recipients[0].forward;
		(void)snprintf(text, sizeof text, "2.0.0 %s %s%s", m->id,
		    forward[0] != 0 ? "forwarded to " : "delivered", forward);
		answer_set(&m->answer, VERDICT_YES, text);
	}
	log_message(m);
	forget(m);
	/* The session must be able to say what came of it; once, or it could go on for ever. */
	if (!m->extended && clock_left(m->deadline) < ANSWER_GRACE * 1000) {
		m->deadline = clock_now() + ANSWER_GRACE * 1000;
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
    {REQUEST_END, IN_RCPT | IN_BODY, true, true, IDLE, do_end},
    {REQUEST_RESET, IN_IDLE | IN_FROM | IN_RCPT | IN_BODY, false, true, IDLE, do_reset},
};

static const struct rule verify = {REQUEST_VERIFY, 0, true, false, IDLE, do_verify};

static const struct rule *
rule_for(enum request_letter letter, enum state state)
{
	if (letter == REQUEST_VERIFY)
		return &verify; /* in any state, and stays there */
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (rules[i].letter == letter && (rules[i].states & 1U << state) != 0)
			return &rules[i];
	return NULL;
}

/* Serve one packet; what the session has done wrong, or NULL. */
static const char *
serve(struct monitor *m, const unsigned char *packet, size_t len)
{
	unsigned char reply[ANSWER_MAX];
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
	if (rule != &verify && (rule->always || yes))
		m->state = rule->next;
	if (rule->answered) {
		size_t n = answer_encode(reply, &m->answer);
		/* A session that is gone shows at the next read. */
		if (send(MONITOR_PAIR, reply, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
		    errno == EAGAIN)
			return "answers are not read";
	}
	return NULL;
}

/* ---- transport ----------------------------------------------------------------------------- */

/* The time to wait for the next packet.  On a socket the session's own reads and writes end by
   CommandTimeout; on a pipe or terminal only this clock can end them. */
static int
patience(const struct monitor *m)
{
	int64_t until = m->deadline;
	int64_t command = clock_now() + (int64_t)m->config->number[KEY_COMMAND_TIMEOUT] * 1000;

	if (!m->peer->socket && command < until)
		until = command;
	return clock_left(until);
}

/* An empty packet reads as the end does, but only at the end is the other side closed. */
static bool
is_closed(void)
{
	struct pollfd fd = {MONITOR_PAIR, 0, 0};

	return poll(&fd, 1, 0) == 1 && (fd.revents & POLLHUP) != 0;
}

void
monitor_run(const struct config *config, const struct peer *peer, pid_t session, uid_t session_uid)
{
	static struct monitor m;
	static unsigned char
	    packet[PACKET_MAX + 1]; /* one more, to see a packet that is too long */
	struct pollfd fd = {MONITOR_PAIR, POLLIN, 0};

	m.config = config;
	m.peer = peer;
	m.session = session;
	m.session_uid = session_uid;
	m.spool.fd = -1;
	m.deadline = clock_now() + (int64_t)config->number[KEY_SESSION_TIMEOUT] * 1000;
	for (;;) {
		int ready = poll(&fd, 1, patience(&m));
		if (ready < 0 && errno == EINTR)
			continue;
		/* A session that never lets the pair run empty is not spared either. */
		if (ready == 0 || clock_left(m.deadline) == 0) {
			log_line(LOG_NOTICE, "timeout: client=%s", peer->address);
			kill_session(&m);
			break;
		}
		ssize_t n = recv(MONITOR_PAIR, packet, sizeof packet, 0);
		if (n < 0 || (n == 0 && is_closed()))
			break; /* the session has ended */
		const char *wrong = serve(&m, packet, (size_t)n);
		if (wrong != NULL) {
			finish_off(&m, wrong);
			spool_drop(&m.spool);
			return;
		}
	}
	spool_drop(&m.spool);
	reap(&m);
}
