/*
 * fuzz_policy.c -- check-policy, between a server's octets in pieces of any size and its exit status and
 * lines, against a reading of the whole answer by Postfix's access(5); and what it asks, of facts that
 * are any octets at all.
 *
 * Input: an octet for the pieces; a line for each of seven facts; the answer.
 */
#include <errno.h>
#include <setjmp.h>

#include "fuzz.h"

/* What it may call is here, and takes the place of the system's. */
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static const char *fact(const char *name);
static ssize_t take(void *octets, size_t size);
static ssize_t put(const void *octets, size_t len);
static _Noreturn void finish(int status);

#define getenv(name)            fact(name)
#define read(fd, octets, size)  take(octets, size)
#define write(fd, octets, size) put(octets, size)
#define _exit(status)           finish(status)
#define main                    check_policy
int check_policy(int argc, char **argv);
#include "../smtp-stdio/check-policy.c" /* for its functions, which are its own */
#undef getenv
#undef read
#undef write
#undef _exit
#undef main

enum {
	FACTS = 7,
	FACT_OCTETS = 1200 /* more than the question has room for, all together */
};

/* ---- the system -------------------------------------------------------------------------------- */

/* Nothing is confined. */
int
sandbox_alone(void)
{
	return 0;
}

int
sandbox_filter(enum sandbox_policy policy)
{
	return (int)policy;
}

enum landlock_state
landlock_confine(const struct landlock_grant *grants, size_t count)
{
	return grants != NULL && count > 0 ? LANDLOCK_FAILED : LANDLOCK_DONE;
}

int
rlimits_nothing(void)
{
	return 0;
}

void
signals_reset(void)
{
}

static char facts[FACTS][FACT_OCTETS];
static struct input server_says;
static unsigned cuts;
static char said[SAID_MAX + 1];
static size_t said_len;
static int status;
static jmp_buf ended;

static const char *
fact(const char *name)
{
	static const char *const names[FACTS] = {"CLIENT_PROTOCOL", "CLIENT_HELO", "QUEUE_ID",
	    "SENDER", "ORIGINAL_RECIPIENT", "SIZE", "CLIENT_ADDRESS"};

	for (size_t i = 0; i < FACTS; i++)
		if (strcmp(name, names[i]) == 0)
			return facts[i];
	return NULL;
}

static ssize_t
take(void *octets, size_t size)
{
	return (ssize_t)input_read(&server_says, &cuts, octets, size);
}

static ssize_t
put(const void *octets, size_t len)
{
	demand(said_len + len < sizeof said, "policy: says too much");
	memcpy(said + said_len, octets, len);
	said_len += len;
	return (ssize_t)len;
}

static _Noreturn void
finish(int with)
{
	status = with;
	said[said_len] = 0;
	longjmp(ended, 1);
}

/* ---- the answer, as it should be --------------------------------------------------------------- */

struct meaning {
	int status;
	char reply[512]; /* the first line, where there are two; cut at what an answer may have */
};

static void
set(struct meaning *m, int with, const char *class, const char *text)
{
	char all[POLICY_ANSWER_MAX + 16];

	m->status = with;
	(void)snprintf(all, sizeof all, "%s%s", class, text);
	for (char *c = all; *c != 0; c++)
		*c = *c >= ' ' && *c <= '~' ? *c : '?';
	(void)snprintf(m->reply, sizeof m->reply, "%.*s", ANSWER_TEXT_MAX, all);
}

/* An enhanced code (RFC 3463 2) of a class that is said at all, and a blank. */
static bool
is_coded(const char *text)
{
	unsigned subject, detail;
	char class, again[16], blank;

	if (sscanf(text, "%c.%3u.%3u%c", &class, &subject, &detail, &blank) != 4 || blank != ' ' ||
	    strchr("245", class) == NULL)
		return false;
	int n = snprintf(again, sizeof again, "%c.%u.%u ", class, subject, detail);
	return strncmp(text, again, (size_t)n) == 0;
}

static void
set_spoken(struct meaning *m, int with, char class, const char *text)
{
	char begin[16];

	(void)snprintf(begin, sizeof begin, "%c%s", class, is_coded(text) ? "" : ".7.1 ");
	if (*text == 0)
		set(m, with, "",
		    class == '5' ? "5.7.1 refused by the policy of this server"
				 : "4.7.1 put off by the policy of this server");
	else
		set(m, with, begin, text + (is_coded(text) ? 1 : 0));
}

static bool
is_word(const char *word, const char *words)
{
	char with[64];

	if (strlen(word) > 20 || strchr(word, '|') != NULL)
		return false;
	(void)snprintf(with, sizeof with, "|%s|", word);
	return strcasestr(words, with) != NULL;
}

/* Of "WORD text". */
static void
judge(struct meaning *m, const char *action)
{
	char word[POLICY_ANSWER_MAX + 1];
	size_t len = strcspn(action, " \t");
	const char *text = action + len + strspn(action + len, " \t");

	memcpy(word, action, len);
	word[len] = 0;
	bool digits = len > 0 && strspn(word, "0123456789") == len;
	bool code = digits && len == 3 && *text != 0;
	if ((digits && action[len] == 0) || (code && word[0] == '2') ||
	    is_word(word, "|OK|RELAY|PERMIT|DUNNO|DEFER_IF_REJECT|INFO|WARN|PREPEND|BCC|"))
		set(m, EX_OK, "", "");
	else if ((code && word[0] == '5') || is_word(word, "|REJECT|"))
		set_spoken(m, EX_NOPERM, '5', text);
	else if ((code && word[0] == '4') || is_word(word, "|DEFER|DEFER_IF_PERMIT|"))
		set_spoken(m, EX_TEMPFAIL, '4', text);
	else if (is_word(word, "|HOLD|"))
		set_spoken(m, EX_TEMPFAIL, '4', "");
	else if (is_word(word, "|DISCARD|"))
		set_spoken(m, EX_NOPERM, '5', "");
	else
		set(m, EX_TEMPFAIL, "", cannot_ask);
}

/* Of the octets up to and with an empty line; a server need not wait for anything to say more. */
static void
understand(struct meaning *m, const unsigned char *octets, size_t len)
{
	static char text[POLICY_ANSWER_MAX + 1];

	set(m, EX_TEMPFAIL, "", cannot_ask);
	memcpy(text, octets, len);
	text[len] = 0;
	for (char *line = text, *lf; (lf = strchr(line, '\n')) != NULL && lf > line;
	     line = lf + 1) {
		*lf = 0;
		if (strncmp(line, "action=", 7) == 0) {
			judge(m, line + 7);
			return;
		}
	}
}

/* As far as the server's octets are read: up to the piece with an empty line in it.  Without one, or
   with a NUL, they are no answer. */
static void
expect(struct meaning *m, struct input says, unsigned seed)
{
	size_t n = 0;

	set(m, EX_TEMPFAIL, "", cannot_ask);
	while (n < POLICY_ANSWER_MAX) {
		size_t more = input_piece(&seed, says.len - n);
		if (more == 0)
			return;
		n = n + more < POLICY_ANSWER_MAX ? n + more : POLICY_ANSWER_MAX;
		if (memchr(says.at, 0, n) != NULL)
			return;
		if (says.at[0] == '\n' || memmem(says.at, n, "\n\n", 2) != NULL) {
			understand(m, says.at, n);
			return;
		}
	}
}

/* ---- what was said ----------------------------------------------------------------------------- */

/* Printable, each line ended; how many lines. */
static unsigned
lines_of(const char *text)
{
	unsigned lines = 0;

	for (; *text != 0; text++) {
		demand(*text == '\n' || (*text >= ' ' && *text <= '~'),
		    "policy: says what is no text");
		lines += *text == '\n';
		demand(*text == '\n' || text[1] != 0, "policy: a line without an end");
	}
	return lines;
}

static void
check_answer(const struct meaning *want)
{
	unsigned lines = lines_of(said);
	size_t len = strcspn(said, "\n");

	demand(status == want->status, "policy: another status");
	if (want->status == EX_OK) {
		demand(lines <= 1, "policy: says more to a yes than a line for the log");
		return;
	}
	demand(lines == 2, "policy: not a reply and a line for the log");
	demand(len == strlen(want->reply) && strncmp(said, want->reply, len) == 0,
	    "policy: another reply");
	demand(strncmp(said + len, "\ncheck-policy: unix:/s: ", 24) == 0,
	    "policy: another line for the log");
}

/* Lines "name=value", the facts in them what they are but for what could end a line, and an empty line. */
static void
check_question(const char *question, size_t len)
{
	static const struct {
		const char *begin;
		size_t fact;
		const char *otherwise;
	} some[] = {{"\nprotocol_name=", 0, ""}, {"\nhelo_name=", 1, ""}, {"\ninstance=", 2, ""},
	    {"\nsender=", 3, ""}, {"\nrecipient=", 4, ""}, {"\nsize=", 5, "0"},
	    {"\nclient_address=", 6, ""}};
	char want[FACT_OCTETS + 32];

	demand(len < POLICY_REQUEST_MAX && question[len - 1] == '\n' && question[len - 2] == '\n' &&
		   memmem(question, len, "\n\n", 2) == question + len - 2,
	    "policy: the question does not end where it does");
	demand(
	    memcmp(question, "request=smtpd_access_policy\n", 28) == 0, "policy: another question");
	for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
		const char *value = facts[some[i].fact];
		int n = snprintf(want, sizeof want, "%s%s\n", some[i].begin,
		    *value != 0 ? value : some[i].otherwise);
		for (int c = 1; c < n - 1; c++)
			want[c] = (unsigned char)want[c] < 32 || want[c] == 127 ? '_' : want[c];
		demand(memmem(question, len, want, (size_t)n) != NULL, "policy: another fact");
	}
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static char question[POLICY_REQUEST_MAX], answer[POLICY_ANSWER_MAX + 1];
	struct input in = {data, size};
	struct meaning want;

	server.name = "unix:/s";
	unsigned seed = cuts = input_octet(&in);
	size_t used = 0;
	for (size_t i = 0; i < FACTS; i++)
		used += strlen(input_line(&in, facts[i], sizeof *facts)) * (i == 2 ? 2 : 1);
	server_says = in;

	said_len = 0;
	if (setjmp(ended) == 0)
		check_question(question, make_request(question));
	else
		demand(used > POLICY_REQUEST_MAX - 1000, "policy: the question was not asked");
	expect(&want, in, seed);
	said_len = 0;
	if (setjmp(ended) == 0) {
		hear(-1, answer);
		decide(find_action(answer));
	}
	check_answer(&want);
	return 0;
}
