/*
 * check-policy -- ask a policy server whether this recipient's mail is to be taken.
 *
 * A Check of smtp-stdio(8): it runs at RCPT, is told by its environment who wants to send what to whom,
 * and asks in the way of Postfix's check_policy_service.  It connects, locks itself in, and only then
 * reads what the server says.  See check-policy(8).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "../sandbox/landlock.h"
#include "../sandbox/rlimits.h"
#include "../sandbox/sandbox.h"
#include "../sandbox/signals.h"
#include "limits.h"
#include "request.h"

enum {
	SERVER_ADDRESSES = 2, /* localhost by IPv4 and by IPv6 */
	SAID_MAX = HELPER_SAYS_MAX
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

/* Where to ask: the first of these that answers. */
static struct server {
	const char *name; /* as it was given */
	size_t count;
	union address addresses[SERVER_ADDRESSES];
} server;

/* ---- what is said ---------------------------------------------------------------------------- */

static const char cannot_ask[] = "4.3.5 the policy of this server cannot be asked now";

/* The reply, if there is one, in a line of its own; then a line for the log. */
static size_t
compose(char said[SAID_MAX], const char *reply, const char *what)
{
	int n = snprintf(said, SAID_MAX, "%s%scheck-policy: %s: %s\n", reply,
	    *reply != 0 ? "\n" : "", server.name, what);

	return n < SAID_MAX ? (size_t)n : SAID_MAX - 1;
}

static _Noreturn void
end(int status, const char *reply, const char *what)
{
	char said[SAID_MAX];

	/* The status is what counts, whether or not anybody reads this. */
	(void)!write(STDOUT_FILENO, said, compose(said, reply, what));
	_exit(status);
}

static _Noreturn void
cannot(const char *what)
{
	end(EX_TEMPFAIL, cannot_ask, what);
}

/* What the handler says is made before: it may not format.  Nor does it return, so that the jail needs
   no call for that. */
static char too_late[SAID_MAX];
static size_t too_late_len;

static void
on_alarm(int number)
{
	(void)number;
	(void)!write(STDOUT_FILENO, too_late, too_late_len);
	_exit(EX_TEMPFAIL);
}

static void
set_deadline(unsigned seconds)
{
	char what[64];

	(void)snprintf(what, sizeof what, "no answer in %u s", seconds);
	too_late_len = compose(too_late, cannot_ask, what);
	(void)signal(SIGALRM, on_alarm); /* a valid number: cannot fail */
	(void)alarm(seconds);
}

/* ---- the command line ------------------------------------------------------------------------ */

static _Noreturn void
usage(void)
{
	(void)fputs("usage: check-policy [-t seconds] unix:/path | inet:host:port\n", stderr);
	exit(EX_USAGE);
}

static unsigned
number(const char *text, unsigned least, unsigned most)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long n = strtoul(text, NULL, 10);

	if (digits == 0 || digits > 5 || text[digits] != 0 || n < least || n > most)
		usage();
	return (unsigned)n;
}

static void
add_v4(const char *host, in_port_t port)
{
	struct sockaddr_in *v4 = &server.addresses[server.count++].v4;

	v4->sin_family = AF_INET;
	v4->sin_port = port;
	if (inet_pton(AF_INET, host, &v4->sin_addr) != 1)
		usage();
}

static void
add_v6(const char *host, in_port_t port)
{
	struct sockaddr_in6 *v6 = &server.addresses[server.count++].v6;

	v6->sin6_family = AF_INET6;
	v6->sin6_port = port;
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
		usage();
}

/* Numbers and localhost only: a look-up would need the system's resolver, and more time. */
static void
find_inet(const char *text)
{
	char host[CLIENT_TEXT + 2];
	const char *colon = strrchr(text, ':');
	size_t len = colon == NULL ? 0 : (size_t)(colon - text);

	if (len == 0 || len >= sizeof host)
		usage();
	memcpy(host, text, len);
	host[len] = 0;
	in_port_t port = htons((in_port_t)number(colon + 1, 1, 65535));
	if (strcmp(host, "localhost") == 0) {
		add_v4("127.0.0.1", port);
		add_v6("::1", port);
	} else if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = 0;
		add_v6(host + 1, port);
	} else {
		add_v4(host, port);
	}
}

static void
find_unix(const char *path)
{
	struct sockaddr_un *local = &server.addresses[server.count++].local;

	if (path[0] != '/' || strlen(path) >= sizeof local->sun_path)
		usage();
	local->sun_family = AF_UNIX;
	(void)strcpy(local->sun_path, path);
}

/* The time in seconds. */
static unsigned
options(int argc, char **argv)
{
	unsigned seconds = POLICY_DEFAULT;
	int option;

	while ((option = getopt(argc, argv, "t:")) != -1) {
		if (option != 't')
			usage();
		seconds = number(optarg, POLICY_LEAST, POLICY_MOST);
	}
	if (optind + 1 != argc)
		usage();
	server.name = argv[optind];
	if (strncmp(server.name, "unix:", 5) == 0)
		find_unix(server.name + 5);
	else if (strncmp(server.name, "inet:", 5) == 0)
		find_inet(server.name + 5);
	else
		usage();
	return seconds;
}

/* ---- the question ---------------------------------------------------------------------------- */

/* All that Postfix 3.2 and later send: a name, the variable that has the value, and what stands where
   that has none or is empty. */
static const struct attribute {
	const char *name, *variable, *preset;
} attributes[] = {
    {"request", NULL, "smtpd_access_policy"},
    {"protocol_state", NULL, "RCPT"},
    {"protocol_name", "CLIENT_PROTOCOL", ""},
    {"helo_name", "CLIENT_HELO", ""},
    {"queue_id", "QUEUE_ID", ""},
    {"instance", "QUEUE_ID", ""},
    {"sender", "SENDER", ""},
    {"recipient", "ORIGINAL_RECIPIENT", ""},
    {"recipient_count", NULL, "0"},
    {"size", "SIZE", "0"},
    {"client_address", "CLIENT_ADDRESS", ""},
    {"client_name", NULL, "unknown"},
    {"reverse_client_name", NULL, "unknown"},
    {"client_port", NULL, ""},
    {"server_address", NULL, ""},
    {"server_port", NULL, ""},
    {"sasl_method", NULL, ""},
    {"sasl_username", NULL, ""},
    {"sasl_sender", NULL, ""},
    {"ccert_subject", NULL, ""},
    {"ccert_issuer", NULL, ""},
    {"ccert_fingerprint", NULL, ""},
    {"ccert_pubkey_fingerprint", NULL, ""},
    {"encryption_protocol", NULL, ""},
    {"encryption_cipher", NULL, ""},
    {"encryption_keysize", NULL, "0"},
    {"etrn_domain", NULL, ""}, /* without it postgrey takes the client for an old Postfix */
    {"stress", NULL, ""},
    {"policy_context", NULL, ""},
};

static const char *
value_of(const struct attribute *attribute)
{
	const char *value = attribute->variable != NULL ? getenv(attribute->variable) : NULL;

	return value != NULL && *value != 0 ? value : attribute->preset;
}

/* A value cannot end its line, nor the request. */
static void
clean(char *value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)value[i] < ' ' || value[i] == 0x7f)
			value[i] = '_';
}

static size_t
make_request(char out[POLICY_REQUEST_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
		size_t room = POLICY_REQUEST_MAX - 1 - n; /* and the empty line */
		const char *name = attributes[i].name;
		int len = snprintf(out + n, room, "%s=%s\n", name, value_of(&attributes[i]));
		if (len < 0 || (size_t)len >= room)
			cannot("the question is too long");
		clean(out + n, (size_t)len - 1);
		n += (size_t)len;
	}
	out[n++] = '\n';
	return n;
}

/*
 * Who is not asked about: a client without an address, of which a server knows nothing to judge by, and
 * postmaster without a domain, whom everybody must be able to reach (RFC 5321 4.5.1).
 */
static bool
is_exempt(void)
{
	const char *client = getenv("CLIENT_ADDRESS"), *recipient = getenv("ORIGINAL_RECIPIENT");
	struct in6_addr address;

	if (client == NULL || recipient == NULL)
		cannot("CLIENT_ADDRESS or ORIGINAL_RECIPIENT is not set");
	/* cppcheck-suppress nullPointerRedundantCheck ; cannot() does not return */
	if (strcmp(client, "local") == 0 || strcasecmp(recipient, "postmaster") == 0)
		return true;
	if (inet_pton(AF_INET, client, &address) != 1 && inet_pton(AF_INET6, client, &address) != 1)
		cannot("CLIENT_ADDRESS is not an address");
	return false;
}

/* ---- the server ------------------------------------------------------------------------------ */

static socklen_t
length_of(const union address *address)
{
	switch (address->any.sa_family) {
	case AF_INET:
		return sizeof address->v4;
	case AF_INET6:
		return sizeof address->v6;
	default:
		return sizeof address->local;
	}
}

static int
reach(void)
{
	int why = 0;

	for (size_t i = 0; i < server.count; i++) {
		const union address *address = &server.addresses[i];
		int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, &address->any, length_of(address)) == 0)
			return fd;
		why = errno;
		if (fd >= 0)
			(void)close(fd); /* nothing was written to it */
	}
	cannot(strerror(why));
}

/* From here on it can read, write and end. */
static void
confine(void)
{
	if (sandbox_alone() < 0 || landlock_confine(NULL, 0) == LANDLOCK_FAILED ||
	    rlimits_nothing() < 0 || sandbox_filter(SANDBOX_SESSION) < 0)
		cannot("the jail cannot be made");
}

static void
ask(int fd, const char *request, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, request + done, len - done);
		if (n < 0)
			cannot(strerror(errno));
		done += (size_t)n;
	}
}

/* The answer's lines, up to the empty one. */
static void
hear(int fd, char answer[POLICY_ANSWER_MAX + 1])
{
	for (size_t n = 0; n < POLICY_ANSWER_MAX;) {
		ssize_t got = read(fd, answer + n, POLICY_ANSWER_MAX - n);
		if (got < 0)
			cannot(strerror(errno));
		if (got == 0)
			cannot("the server hung up without an answer");
		n += (size_t)got;
		answer[n] = 0;
		if (strlen(answer) != n)
			cannot("the answer has a NUL");
		char *last = answer[0] == '\n' ? answer : strstr(answer, "\n\n");
		if (last != NULL) {
			*last = 0;
			return;
		}
	}
	cannot("the answer is too long");
}

static const char *
find_action(char *answer)
{
	static const char name[] = "action=";

	for (char *line = strtok(answer, "\n"); line != NULL; line = strtok(NULL, "\n"))
		if (strncmp(line, name, sizeof name - 1) == 0)
			return line + sizeof name - 1;
	cannot("the answer has no action");
}

/* ---- what its answer means ------------------------------------------------------------------- */

struct action {
	const char *name;
	enum verdict verdict;
	bool speaks;      /* the text behind it is for the client */
	const char *text; /* the reply, or its stand-in; to a yes what the log says, if anything */
};

/*
 * As access(5) of Postfix has them.  What would only add something is left out and noted; what would
 * send the message elsewhere, or keep it for somebody to look at, leaves it with the client, for it is
 * not to be delivered as it is; and what nobody shall get is refused, for a 250 means delivered.
 */
static const struct action actions[] = {
    {"OK", VERDICT_YES, false, NULL},
    {"RELAY", VERDICT_YES, false, NULL},
    {"PERMIT", VERDICT_YES, false, NULL},
    {"DUNNO", VERDICT_YES, false, NULL},
    {"DEFER_IF_REJECT", VERDICT_YES, false, NULL},
    {"INFO", VERDICT_YES, false, "noted"},
    {"WARN", VERDICT_YES, false, "noted"},
    {"PREPEND", VERDICT_YES, false, "not done"},
    {"BCC", VERDICT_YES, false, "not done"},
    {"REJECT", VERDICT_NEVER, true, "5.7.1 refused by the policy of this server"},
    {"DEFER", VERDICT_LATER, true, "4.7.1 put off by the policy of this server"},
    {"DEFER_IF_PERMIT", VERDICT_LATER, true, "4.7.1 put off by the policy of this server"},
    {"HOLD", VERDICT_LATER, false, "4.7.1 put off by the policy of this server"},
    {"DISCARD", VERDICT_NEVER, false, "5.7.1 refused by the policy of this server"},
    {"REDIRECT", VERDICT_LATER, false, cannot_ask},
    {"FILTER", VERDICT_LATER, false, cannot_ask},
};

static const struct action *
named(const char *name, size_t len)
{
	static const struct action unknown = {"", VERDICT_LATER, false, cannot_ask};

	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		if (strncasecmp(actions[i].name, name, len) == 0 && actions[i].name[len] == 0)
			return &actions[i];
	return &unknown;
}

/* Digits alone are an OK; a reply code and a text are what the code's class says. */
static const struct action *
meaning_of(const char *word, size_t len, const char *text)
{
	size_t digits = strspn(word, "0123456789");
	bool code = digits == 3 && len == 3 && *text != 0;

	if ((digits > 0 && word[digits] == 0) || (code && word[0] == '2'))
		return named("OK", 2);
	if (code && word[0] == '4')
		return named("DEFER", 5);
	if (code && word[0] == '5')
		return named("REJECT", 6);
	return named(word, len);
}

/* The server's text, with its enhanced code or x.7.1, in the class that the action has. */
static void
make_reply(struct answer *reply, const struct action *action, const char *text)
{
	char line[POLICY_ANSWER_MAX + sizeof "4.7.1 "];
	bool coded = (text[0] == '2' || text[0] == '4' || text[0] == '5') &&
		     answer_after_status(text, text[0]) != NULL;

	if (!action->speaks || *text == 0)
		(void)strcpy(line, action->text);
	else if (coded)
		(void)snprintf(line, sizeof line, "%c%s", action->text[0], text + 1);
	else
		(void)snprintf(line, sizeof line, "%c.7.1 %s", action->text[0], text);
	answer_set(reply, action->verdict, line);
}

static _Noreturn void
decide(const char *said)
{
	struct answer reply, log;
	char line[POLICY_ANSWER_MAX + 32];
	size_t len = strcspn(said, " \t");
	const char *text = said + len + strspn(said + len, " \t");
	const struct action *action = meaning_of(said, len, text);

	if (action->text == NULL)
		_exit(EX_OK);
	bool yes = action->verdict == VERDICT_YES;
	(void)snprintf(
	    line, sizeof line, "%s%saction=%s", yes ? action->text : "", yes ? ": " : "", said);
	answer_set(&log, action->verdict, line);
	if (yes)
		end(EX_OK, "", log.text);
	make_reply(&reply, action, text);
	end(action->verdict == VERDICT_NEVER ? EX_NOPERM : EX_TEMPFAIL, reply.text, log.text);
}

int
main(int argc, char **argv)
{
	static char request[POLICY_REQUEST_MAX], answer[POLICY_ANSWER_MAX + 1];

	unsigned seconds = options(argc, argv);
	signals_reset();
	set_deadline(seconds);
	if (syscall(SYS_close_range, STDERR_FILENO + 1U, ~0U, 0U) < 0)
		cannot("close_range");
	if (is_exempt())
		return EX_OK;
	size_t len = make_request(request);
	int fd = reach();
	confine();
	ask(fd, request, len);
	hear(fd, answer);
	decide(find_action(answer));
}
