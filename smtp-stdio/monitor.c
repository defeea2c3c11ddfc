/*
 * monitor.c -- see monitor.h.
 *
 * Three places: the transport (monitor_run: one packet, one request), the dispatch (the table of
 * what is allowed when), the policy (one function for each letter: serve.c).
 */
#include "monitor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "../sandbox/identity.h"
#include "../sandbox/large.h"
#include "clock.h"
#include "commit.h"
#include "log.h"
#include "serve.h"
#include "stop.h"

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
		log_event(LOG_CRIT, "jail", "why=\"%s\"",
		    "the session made a forbidden system call and was killed");
	else if (WIFEXITED(status) && WEXITSTATUS(status) == EX_NOPERM)
		log_event(
		    LOG_CRIT, "jail", "why=\"%s\"", "the system-call filter cannot be loaded");
	else if (WIFSIGNALED(status))
		log_event(LOG_ERR, "ended", "signal=%d", WTERMSIG(status));
	else
		log_event(LOG_ERR, "ended", "status=%d", WEXITSTATUS(status));
	last_words(failure);
}

static void
finish_off(struct monitor *m, const char *reason)
{
	log_event(LOG_CRIT, "killed", "helo=%s why=\"%s\"", m->helo, reason);
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
	if (m->state == STATE_DONE)
		return; /* its client was told */
	if (m->stopping) {
		log_event(LOG_NOTICE, "stopped", "helo=%s", m->helo);
		last_words("421 4.3.2 shutting down; closing\r\n");
	} else {
		log_event(LOG_NOTICE, "timeout", "helo=%s", m->helo);
		last_words("421 4.4.2 too slow, or too long; closing\r\n");
	}
}

/* ---- dispatch ------------------------------------------------------------------------------ */

enum {
	IN_IDLE = 1 << STATE_IDLE,
	IN_FROM = 1 << STATE_FROM,
	IN_RCPT = 1 << STATE_RCPT,
	IN_BODY = 1 << STATE_BODY,
	IN_EACH = 1 << STATE_EACH,
	ANY = IN_IDLE | IN_FROM | IN_RCPT | IN_BODY,
};

/* What may be asked when, whether there is an answer, and the state that a yes leads to. */
static const struct rule {
	enum request_letter letter;
	unsigned states;
	bool replies;
	bool always; /* the state changes whatever the answer */
	enum state next;
	bool (*serve)(struct monitor *, const struct request *);
} rules[] = {
    {REQUEST_HELLO, IN_IDLE, false, true, STATE_IDLE, serve_hello},
    {REQUEST_FROM, IN_IDLE, true, false, STATE_FROM, serve_from},
    {REQUEST_RCPT, IN_FROM | IN_RCPT, true, false, STATE_RCPT, serve_rcpt},
    {REQUEST_BODY, IN_RCPT | IN_BODY, false, true, STATE_BODY, serve_body},
    {REQUEST_END, IN_RCPT | IN_BODY | IN_EACH, true, true, STATE_EACH, serve_end},
    {REQUEST_RESET, ANY, false, true, STATE_IDLE, serve_reset},
    {REQUEST_VERIFY, ANY, true, false, STATE_SAME, serve_verify},
    {REQUEST_EXPAND, ANY, true, false, STATE_SAME, serve_expand},
    {REQUEST_NOTE, ANY, false, false, STATE_SAME, serve_note},
    {REQUEST_PAUSE, ANY, true, false, STATE_SAME, serve_pause},
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
 * one packet, then for those that have come.  One that is refused is not heard of but by notes, each
 * of which stands for a packet.
 */
static void
renew_patience(struct monitor *m, const struct request *request)
{
	uint64_t rate = m->config->number[KEY_MINIMUM_RATE];
	int64_t command = ((int64_t)m->config->number[KEY_COMMAND_TIMEOUT] + ANSWER_GRACE) * 1000;
	int64_t until = clock_now() + command;
	int64_t packet = rate > 0 ? (int64_t)(BODY_MAX * 1000ULL / rate) : 0;
	bool refused = request->letter == REQUEST_NOTE && request->data[0] == NOTE_REFUSED;
	bool message = refused || request->letter == REQUEST_BODY || m->state == STATE_RCPT ||
		       m->state == STATE_BODY;

	if (message && rate == 0)
		until = m->deadline;
	else if (refused)
		until = (until > m->patience ? until : m->patience) + packet;
	else if (request->letter == REQUEST_BODY)
		until = m->patience + (int64_t)(request->len * 1000 / rate);
	else if (message) /* DATA has its time, and then the text */
		until += command + packet;
	if (until > m->patience || !message)
		m->patience = until;
}

/* Send the answer; what is wrong with the session if it cannot be sent. */
static const char *
send_answer(const struct monitor *m)
{
	unsigned char packet[ANSWER_MAX];
	size_t n = answer_encode(packet, &m->answer);

	for (int tries = ANSWER_TRIES; tries > 0; tries--) {
		if (send(MONITOR_PAIR, packet, n, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return NULL;
		if (errno == EPIPE || errno == ECONNRESET)
			return NULL; /* a session that is gone shows at the next read */
		(void)poll(NULL, 0, 1);
	}
	return "answers are not read";
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
	if (rule->next != STATE_SAME && (rule->always || yes))
		m->state = rule->next;
	if (m->state == STATE_EACH && m->count == 0)
		m->state = STATE_IDLE;
	renew_patience(m, &request);
	return rule->replies ? send_answer(m) : NULL;
}

/* ---- transport ----------------------------------------------------------------------------- */

/* An empty packet reads as the end does, but only at the end is the other side closed. */
static bool
is_closed(void)
{
	struct pollfd fd = {MONITOR_PAIR, 0, 0};

	return poll(&fd, 1, 0) == 1 && (fd.revents & POLLHUP) != 0;
}

/* SIGTERM has come: end now, but let the session say first what became of a message. */
static void
begin_stop(struct monitor *m)
{
	int64_t until = m->answered_at + ANSWER_GRACE * 1000;

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
		if (stop_came())
			begin_stop(m);
		int64_t until = m->patience < m->deadline ? m->patience : m->deadline;
		bool helper = commit_waits_until() < until;
		int left = clock_left(helper ? commit_waits_until() : until);
		/* A session that never lets the pair run empty is not spared either. */
		if (clock_left(m->deadline) == 0)
			return false;
		const struct timespec limit = {left / 1000, left % 1000 * 1000000L};
		int ready = ppoll(&fd, 1, &limit, mask);
		if (ready > 0)
			return true;
		if (ready == 0 && helper) {
			commit_dismiss(); /* it has waited long enough */
			continue;
		}
		if (ready == 0)
			return false;
		if (errno == EINTR)
			continue;
		commit_dismiss();
		if (left == 0 && !helper)
			return false;
		(void)poll(NULL, 0, 1); /* what the system lacks it soon has again */
	}
}

/* Let go of what a message may have left. */
static void
put_away(struct monitor *m)
{
	spool_drop(&m->spool);
	commit_dismiss();
}

/* All zero.  It is large and hardly touched: among what the session's memory is forked from, it would
   cost both of them page tables. */
static struct monitor *
reserve(pid_t session, uid_t session_uid)
{
	struct monitor *m =
	    mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED) {
		log_error("no memory for the session: %s", strerror(errno));
		(void)identity_kill(session_uid, session, SIGKILL); /* else our end ends it */
		last_words(failure);
		_exit(EX_OSERR);
	}
	return m;
}

void
monitor_run(const struct config *config, const struct peer *peer, const char *session_id,
    pid_t session, uid_t session_uid, const sigset_t *mask)
{
	static LARGE unsigned char
	    packet[PACKET_MAX + 1]; /* one more, to see a packet that is too long */
	struct monitor *m = reserve(session, session_uid);

	m->config = config;
	m->peer = peer;
	m->session_id = session_id;
	m->session = session;
	m->session_uid = session_uid;
	m->pair = MONITOR_PAIR;
	m->spool.fd = -1;
	m->answered_at = -ANSWER_GRACE * 1000;
	m->deadline = clock_now() + (int64_t)config->number[KEY_SESSION_TIMEOUT] * 1000;
	renew_patience(m, &(const struct request){.letter = REQUEST_RESET});
	while (wait_packet(m, mask)) {
		ssize_t n = recv(MONITOR_PAIR, packet, sizeof packet, 0);
		if ((n < 0 && errno == ECONNRESET) || (n == 0 && is_closed())) {
			put_away(m);
			reap(m);
			return;
		}
		const char *wrong = n < 0 ? "requests cannot be read" : serve(m, packet, (size_t)n);
		if (wrong != NULL) {
			put_away(m);
			finish_off(m, wrong);
			return;
		}
	}
	put_away(m);
	end_session(m);
}
