/* oracle.c -- see oracle.h. */
#include "oracle.h"

#include <stdlib.h>
#include <string.h>

/* ---- the trace ----------------------------------------------------------------------------- */

static void *
more(void *old, size_t *room, size_t want, size_t unit)
{
	if (want <= *room)
		return old;
	*room = want * 2 + 64;
	void *new = realloc(old, *room * unit);
	if (new == NULL)
		abort();
	return new;
}

static void
add_octets(struct trace *t, const unsigned char *octets, size_t len)
{
	t->octets = more(t->octets, &t->size, t->len + len, 1);
	if (len > 0)
		memcpy(t->octets + t->len, octets, len);
	t->len += len;
}

static void
add(struct trace *t, struct record record, const unsigned char *octets, size_t len)
{
	t->records = more(t->records, &t->room, t->count + 1, sizeof *t->records);
	record.from = t->len;
	record.len = len;
	t->records[t->count++] = record;
	add_octets(t, octets, len);
}

void
oracle_free(struct trace *t)
{
	free(t->records);
	free(t->octets);
	*t = (struct trace){0};
}

const char *
oracle_same(const struct trace *one, const struct trace *other)
{
	for (size_t i = 0; i < one->count && i < other->count; i++) {
		const struct record *a = &one->records[i], *b = &other->records[i];
		if (a->what != b->what || a->letter != b->letter || a->verdict != b->verdict ||
		    a->now != b->now || a->len != b->len || a->from != b->from)
			return "cuts: another event";
	}
	if (one->count != other->count || one->len != other->len)
		return "cuts: more or fewer events";
	return one->len == 0 || memcmp(one->octets, other->octets, one->len) == 0
		   ? NULL
		   : "cuts: other octets";
}

/* ---- the grammar of events ----------------------------------------------------------------- */

enum stage {
	START, /* the greeting is due */
	LINES, /* between replies */
	RESET, /* told X: what it was for is due */
	HELLO, /* told H: its reply is due */
	ASKED, /* the answer is due */
	YES,   /* and was this: the reply that says so is due */
	LATER,
	NEVER,
	FORWARD,
	MOVED,
	TEXT,    /* in a message */
	DROPPED, /* told X in a message: the refusal is due */
	BYE,     /* nothing but the end is due */
	OVER,
	WRONG
};

/*
 * Which token leads from where to where.  Tokens: w more input wanted, c close, P piece, X H told,
 * F R V E asked, replies g 220, q 221, t 421, d 354, f 251, m 551, 2 4 5 any other of that class,
 * answers y l n f m as the letters of request.h in small.
 */
static const struct arrow {
	enum stage from;
	char tokens[12];
	enum stage to;
} arrows[] = {
    {START, "g", LINES},
    {LINES, "w245", LINES},
    {LINES, "d", TEXT},
    {LINES, "qt", BYE},
    {LINES, "X", RESET},
    {LINES, "H", HELLO},
    {LINES, "FRV", ASKED},
    {RESET, "H", HELLO},
    {RESET, "2", LINES},
    {RESET, "qt", BYE},
    {HELLO, "2", LINES},
    {ASKED, "y", YES},
    {ASKED, "l", LATER},
    {ASKED, "n", NEVER},
    {ASKED, "f", FORWARD},
    {ASKED, "m", MOVED},
    {YES, "2", LINES},
    {LATER, "4", LINES},
    {NEVER, "5", LINES},
    {FORWARD, "f", LINES},
    {MOVED, "m", LINES},
    {TEXT, "wP", TEXT},
    {TEXT, "E", ASKED},
    {TEXT, "X", DROPPED},
    {DROPPED, "5", LINES},
    {DROPPED, "t", BYE},
    {BYE, "c", OVER},
};

/* What the monitor's table allows: the letter, where, where a yes leads. */
enum place {
	IDLE = 1,
	FROM = 2,
	RCPT = 4,
};

static const struct turn {
	char letter;
	unsigned where;
	enum place to; /* 0: stays */
} turns[] = {
    {'H', IDLE, 0},
    {'F', IDLE, FROM},
    {'R', FROM | RCPT, RCPT},
    {'P', RCPT, 0},
    {'E', RCPT, IDLE},
    {'X', IDLE | FROM | RCPT, IDLE},
    {'V', IDLE | FROM | RCPT, 0},
    /* no packets, but true only there */
    {'d', RCPT, 0},
    {'q', IDLE, 0},
    {'t', IDLE, 0},
};

struct grammar {
	enum stage stage;
	enum place place;
	bool hello;
	char question;
	uint64_t pieces, most;
	unsigned recipients, recipients_most;
};

static const struct turn *
turn_of(char token)
{
	for (size_t i = 0; i < sizeof turns / sizeof *turns; i++)
		if (turns[i].letter == token)
			return &turns[i];
	return NULL;
}

static const char *
advance(struct grammar *g, char token)
{
	const struct turn *turn = turn_of(token);
	enum stage to = WRONG;

	for (size_t i = 0; i < sizeof arrows / sizeof *arrows; i++)
		if (arrows[i].from == g->stage && strchr(arrows[i].tokens, token) != NULL)
			to = arrows[i].to;
	if (to == WRONG)
		return "grammar: this event cannot follow";
	if (turn != NULL && (turn->where & g->place) == 0)
		return "grammar: the monitor is not in the state for this";
	if (token == 'F' && !g->hello)
		return "grammar: a sender before HELO";
	g->stage = to;
	if (strchr("FRVE", token) != NULL)
		g->question = token;
	if (token == 'H')
		g->hello = true;
	if (token == 'X' || token == 'E')
		g->place = IDLE;
	if (strchr("yf", token) != NULL && (to == YES || to == FORWARD)) {
		turn = turn_of(g->question);
		g->place = turn->to != 0 ? turn->to : g->place;
	}
	return NULL;
}

/* One reply: lines of one code, the last with a blank behind it, printable, not too long. */
static const char *
well_formed(const unsigned char *octets, size_t len)
{
	const char *text = (const char *)octets;
	bool last = false;

	for (size_t at = 0, end; at < len; at = end + 2) {
		const char *crlf = memmem(text + at, len - at, "\r\n", 2);
		if (crlf == NULL || last)
			return "reply: lines do not end well";
		end = (size_t)(crlf - text);
		if (end + 2 - at > 512 || end - at < 4 || memcmp(text + at, text, 3) != 0)
			return "reply: a line is too long, too short or of another code";
		for (size_t i = at; i < end; i++)
			if (octets[i] < ' ' || octets[i] > '~')
				return "reply: not printable";
		if (text[at + 3] != ' ' && text[at + 3] != '-')
			return "reply: neither blank nor hyphen after the code";
		last = text[at + 3] == ' ';
		if (end - at > 9 && text[at + 5] == '.' && text[at + 4] != text[at])
			return "reply: enhanced code of another class";
	}
	return last ? NULL : "reply: no last line";
}

static bool
begins(const unsigned char *octets, size_t len, const char *text)
{
	return len >= strlen(text) && memcmp(octets, text, strlen(text)) == 0;
}

static char
reply_token(const unsigned char *octets, size_t len)
{
	static const char *const codes[] = {"220", "221", "421", "354", "251", "551"};
	static const char tokens[] = "gqtdfm";

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (begins(octets, len, codes[i]))
			return tokens[i];
	return len > 0 ? (char)octets[0] : 0;
}

/* RFC 2920 3.2 and the rest of what a reply has to do with where it stands. */
static const char *
check_reply(const struct grammar *g, const struct smtp_event *event)
{
	const unsigned char *o = event->octets;
	size_t n = event->len;
	char token = reply_token(o, n);
	bool waited = (token != 0 && strchr("gqtd", token) != NULL) || g->stage == HELLO ||
		      g->stage == DROPPED ||
		      (strchr("EV", g->question) != NULL && g->stage >= YES && g->stage <= MOVED);

	if (waited && !event->now)
		return "reply: held back though the client waits";
	if (begins(o, n, "250 2.0.0 reset") && g->place != IDLE)
		return "grammar: reset, and the monitor was not told";
	if (g->stage == LINES && begins(o, n, "25") && !begins(o, n, "250 2.0.0 "))
		return "grammar: a yes that nobody gave";
	if (g->stage == RESET && token == '2' && !begins(o, n, "250 2.0.0 reset"))
		return "grammar: a reset that nobody asked for";
	if (g->stage == TEXT)
		return "grammar: a reply in a message";
	return well_formed(o, n);
}

static const char *
check_limits(struct grammar *g, const struct smtp_event *event)
{
	if (event->what == SMTP_PIECE) {
		g->pieces += event->len;
		if (event->len == 0 || g->pieces > g->most)
			return "grammar: an empty piece, or more of a message than is allowed";
	}
	if (event->what == SMTP_ASK && event->letter == REQUEST_FROM)
		g->pieces = g->recipients = 0;
	if (event->what == SMTP_ASK && event->letter == REQUEST_RCPT &&
	    g->recipients >= g->recipients_most)
		return "grammar: more recipients than are allowed";
	return NULL;
}

static const char *
judge(struct grammar *g, const struct smtp_event *event)
{
	const char *wrong = check_limits(g, event);
	char token = 0;

	switch (event->what) {
	case SMTP_WANT:
		token = 'w';
		break;
	case SMTP_REPLY:
		if (wrong == NULL)
			wrong = check_reply(g, event);
		token = reply_token(event->octets, event->len);
		break;
	case SMTP_TELL:
	case SMTP_ASK:
		token = (char)event->letter;
		if ((strchr("XH", token) != NULL) != (event->what == SMTP_TELL))
			return "grammar: told instead of asked, or asked instead of told";
		break;
	case SMTP_PIECE:
		token = 'P';
		break;
	case SMTP_CLOSE:
		token = 'c';
		break;
	}
	return wrong != NULL ? wrong : advance(g, token);
}

static const char *
answered(struct grammar *g, const struct answer *answer)
{
	char token = (char)(answer->verdict | 0x20);

	if (g->question == 'R' && strchr("yf", token) != NULL)
		g->recipients++;
	return advance(g, token);
}

/* ---- the run ------------------------------------------------------------------------------- */

struct run {
	struct smtp smtp;
	struct trace *trace;
	const struct scene *scene;
	struct grammar grammar;
	unsigned asked;
	unsigned char *memory; /* of just the input's size */
	size_t memory_len;
	size_t kept; /* octets of the trace before the message that is being read */
	bool text;
};

static unsigned long long
next_random(unsigned long long *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static size_t
cut(struct cuts *cuts, size_t at, size_t len)
{
	size_t n = len - at;

	switch (cuts->how) {
	case CUT_NOT:
		break;
	case CUT_TWO:
		n = at < cuts->at ? cuts->at - at : n;
		break;
	case CUT_OCTETS:
		n = 1;
		break;
	case CUT_RANDOM:
		n = 1 + next_random(&cuts->seed) % (next_random(&cuts->seed) % 4 == 0 ? 300 : 9);
		break;
	}
	return n < len - at ? n : len - at;
}

/* A message is over: it is kept if the next event is the question for it. */
static void
end_text(struct run *r, const struct smtp_event *event)
{
	size_t len = r->trace->len - r->kept;

	r->text = false;
	r->trace->len = r->kept;
	if (event->what != SMTP_ASK)
		return;
	/* The octets stand there already. */
	add(r->trace, (struct record){.what = 'P'}, NULL, 0);
	r->trace->records[r->trace->count - 1].len = len;
	r->trace->len = r->kept + len;
}

static const char *
put_down(struct run *r, const struct smtp_event *event)
{
	struct record record = {.letter = (char)event->letter, .now = event->now};
	struct answer answer;

	if (event->what == SMTP_WANT)
		return NULL;
	if (event->what == SMTP_PIECE) {
		add_octets(r->trace, event->octets, event->len);
		return NULL;
	}
	if (r->text)
		end_text(r, event);
	if (event->what == SMTP_ASK) {
		r->scene->answer(r->scene, r->asked++, event, &answer);
		record.verdict = (char)answer.verdict;
	}
	record.what = event->what == SMTP_REPLY  ? 'R'
		      : event->what == SMTP_TELL ? 'T'
		      : event->what == SMTP_ASK  ? 'A'
						 : 'C';
	add(r->trace, record, event->octets, event->len);
	if (event->what == SMTP_REPLY && begins(event->octets, event->len, "354")) {
		r->text = true;
		r->kept = r->trace->len;
	}
	if (event->what != SMTP_ASK)
		return NULL;
	smtp_answer(&r->smtp, &answer);
	return answered(&r->grammar, &answer);
}

static bool
inside(const unsigned char *in, size_t taken, const struct smtp_event *event)
{
	return event->what != SMTP_PIECE ||
	       (event->octets >= in && event->octets + event->len <= in + taken);
}

/* Feed octets until all are taken. */
static const char *
feed(struct run *r, const unsigned char *in, size_t len)
{
	struct smtp_event event = {.what = SMTP_REPLY};
	size_t at = 0;
	unsigned idle = 0;

	while (event.what != SMTP_WANT && event.what != SMTP_CLOSE) {
		size_t taken = smtp_step(&r->smtp, in + at, len - at, &event);
		if (taken > len - at || !inside(in + at, taken, &event))
			return "run: took more than there was";
		idle = taken > 0 ? 0 : idle + 1;
		if (idle > 8)
			return "run: events without end";
		at += taken;
		if (event.what == SMTP_WANT && at < len)
			return "run: wants more than it has taken";
		const char *wrong = judge(&r->grammar, &event);
		if (wrong == NULL)
			wrong = put_down(r, &event);
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

/* Feed octets from the very end of the run's memory, so that a look behind them is seen; what lies
   there afterwards is something else, so that a look back is seen. */
static const char *
feed_copy(struct run *r, const unsigned char *in, size_t len)
{
	unsigned char *copy = r->memory + r->memory_len - len;

	if (len > 0)
		memcpy(copy, in, len);
	const char *wrong = feed(r, copy, len);
	if (len > 0)
		memset(copy, 0xa5, len);
	return wrong;
}

const char *
oracle_run(struct trace *trace, const struct scene *scene, const unsigned char *in, size_t len,
    struct cuts cuts)
{
	static struct run r;

	memset(&r, 0xa5, sizeof r); /* smtp_begin has to set all that is read */
	trace->count = trace->len = 0;
	r.trace = trace;
	r.scene = scene;
	r.grammar = (struct grammar){.place = IDLE,
	    .most = scene->settings.size_limit,
	    .recipients_most = scene->settings.recipient_limit};
	r.asked = 0;
	r.text = false;
	r.memory_len = len;
	r.memory = malloc(len > 0 ? len : 1);
	if (r.memory == NULL)
		abort();
	smtp_begin(&r.smtp, &scene->settings);
	const char *wrong = feed_copy(&r, in, 0);
	for (size_t at = 0, n; wrong == NULL && at < len && r.grammar.stage != OVER; at += n) {
		n = cut(&cuts, at, len);
		wrong = feed_copy(&r, in + at, n);
	}
	if (wrong == NULL && scene->timeout && r.grammar.stage != OVER) {
		smtp_timeout(&r.smtp);
		wrong = feed_copy(&r, in, 0);
		if (wrong == NULL && r.grammar.stage != OVER)
			wrong = "grammar: no end after silence";
	}
	free(r.memory);
	if (r.text) /* broken off in a message */
		trace->len = r.kept;
	return wrong;
}

/* ---- framing ------------------------------------------------------------------------------- */

bool
oracle_message(const unsigned char *in, size_t len, unsigned char *content, struct message *m)
{
	const unsigned char *end = memmem(in, len, "\r\n.\r\n", 5);
	size_t stop = end != NULL ? (size_t)(end - in) + 2 : 0; /* where the last dot stands */

	*m = (struct message){0};
	if (len >= 3 && memcmp(in, ".\r\n", 3) == 0)
		stop = 0;
	else if (end == NULL)
		return false;
	m->end = stop + 3;
	for (size_t i = 0; i < stop; i++) {
		bool begin = i == 0 || (i >= 2 && memcmp(in + i - 2, "\r\n", 2) == 0);
		if (in[i] == '\r' && in[i + 1] != '\n')
			m->bare = true;
		if (in[i] == '\n' && (i == 0 || in[i - 1] != '\r'))
			m->bare = true;
		if (begin && in[i] == '.')
			continue;
		m->wire++;
		if (in[i] != '\r')
			content[m->count++] = in[i];
	}
	return true;
}

struct framing {
	const struct trace *trace;
	size_t at;                    /* records seen */
	const struct record *message; /* since the last reply */
	bool hello;
	unsigned parts; /* of a transaction: sender, recipient */
};

/* The next reply's octets, or NULL. */
static const unsigned char *
next_reply(struct framing *f, size_t *len)
{
	f->message = NULL;
	while (f->at < f->trace->count) {
		const struct record *record = &f->trace->records[f->at++];
		if (record->what == 'P')
			f->message = record;
		if (record->what != 'R')
			continue;
		*len = record->len;
		return f->trace->octets + record->from;
	}
	return NULL;
}

/* What each verb may be told, by the begins of codes. */
static const struct {
	char verb[5];
	bool bare;         /* takes no argument */
	const char *codes; /* that may be told, apart by blanks; NULL: see order() */
} verbs[] = {
    {"HELO", false, "250 501"}, {"EHLO", false, "250 501"}, {"MAIL", false, NULL},
    {"RCPT", false, NULL}, {"DATA", true, NULL}, {"RSET", true, "250"}, {"NOOP", false, "250"},
    {"QUIT", true, "221"}, {"VRFY", false, "250 251 252 45 50 55"}, {"HELP", false, "214"},
    {"EXPN", false, "502"}, {"SEND", false, "502"}, {"SOML", false, "502"}, {"SAML", false, "502"},
    {"TURN", false, "502"}, {"", false, "500"}, /* any other */
};

static bool
one_of(const char *codes, const unsigned char *reply, size_t len)
{
	while (*codes != 0) {
		size_t n = strcspn(codes, " ");
		if (n <= len && memcmp(codes, reply, n) == 0)
			return true;
		codes += n + (codes[n] == ' ');
	}
	return false;
}

/* What MAIL, RCPT and DATA are told where they are out of order, and where not. */
static const char *
order(const struct framing *f, const char *verb)
{
	if (strcmp(verb, "MAIL") == 0)
		return !f->hello || f->parts > 0 ? "503" : "250 251 45 501 55";
	if (strcmp(verb, "RCPT") == 0)
		return f->parts < 1 ? "503" : "250 251 45 501 55";
	return f->parts == 2 ? "354" : f->parts == 1 ? "554 5.5.1" : "503";
}

static void
learn(struct framing *f, const char *verb, bool yes)
{
	if (!yes)
		return;
	if (strcmp(verb, "HELO") == 0 || strcmp(verb, "EHLO") == 0) {
		f->hello = true;
		f->parts = 0;
	}
	if (strcmp(verb, "RSET") == 0)
		f->parts = 0;
	if (strcmp(verb, "MAIL") == 0)
		f->parts = 1;
	if (strcmp(verb, "RCPT") == 0)
		f->parts = 2;
}

/* What a line must be told whatever it says, or NULL. */
static const char *
by_octets(const unsigned char *line, size_t len)
{
	const char *wanted = NULL;

	if (len > 2046)
		return "500 5.5.2 line too long";
	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	for (size_t i = len; i-- > 0;)
		if (line[i] < 32 || line[i] == 127)
			wanted = "501 5.5.2 control";
	for (size_t i = len; i-- > 0;)
		if (line[i] > 127)
			wanted = "500 5.5.2 8-bit";
	return wanted;
}

static const char *
check_line(struct framing *f, const unsigned char *line, size_t len, const unsigned char *reply,
    size_t reply_len)
{
	const char *wanted = by_octets(line, len);
	char text[2048];
	size_t i = 0;

	if (wanted != NULL)
		return begins(reply, reply_len, wanted)
			   ? NULL
			   : "framing: octets of a line that should be refused";
	memcpy(text, line, len);
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	text[len] = 0;
	size_t n = strcspn(text, " ");
	while (verbs[i].verb[0] != 0 && (n != 4 || strncasecmp(text, verbs[i].verb, 4) != 0))
		i++;
	const char *codes = verbs[i].codes != NULL ? verbs[i].codes : order(f, verbs[i].verb);
	if (verbs[i].bare && len > n)
		codes = "501";
	if (!one_of(codes, reply, reply_len))
		return "framing: a reply that this line cannot have";
	learn(f, verbs[i].verb, reply[0] == '2');
	return NULL;
}

/* A message, if it is whole; *taken octets. */
static const char *
check_message(struct framing *f, const struct scene *scene, const unsigned char *in, size_t len,
    size_t *taken)
{
	unsigned char *content = malloc(len + 1);
	const char *wrong = NULL;
	struct message m;
	size_t n;

	if (content == NULL)
		abort();
	*taken = len;
	if (!oracle_message(in, len, content, &m)) {
		free(content);
		return NULL;
	}
	*taken = m.end;
	f->parts = 0;
	const unsigned char *reply = next_reply(f, &n);
	const struct record *kept = f->message;
	if (reply == NULL)
		wrong = "framing: a message without a reply";
	else if (m.bare || m.wire > scene->settings.size_limit)
		wrong = kept == NULL && begins(reply, n, m.bare ? "550 5.5.2" : "552 5.3.4")
			    ? NULL
			    : "framing: a message that should be refused";
	else if (kept == NULL || kept->len != m.count ||
		 memcmp(f->trace->octets + kept->from, content, m.count) != 0)
		wrong = "framing: not the message that was sent";
	free(content);
	return wrong;
}

/* Lines and messages up to the end or a goodbye; *shut says which. */
static const char *
walk(struct framing *f, const struct scene *scene, const unsigned char *in, size_t len, bool *shut)
{
	const char *wrong = NULL;
	size_t n, taken;

	while (wrong == NULL && len > 0 && !*shut) {
		const unsigned char *crlf = memmem(in, len, "\r\n", 2);
		size_t line = crlf != NULL ? (size_t)(crlf - in) : len;
		bool bare = memchr(in, '\n', line) != NULL;
		const unsigned char *reply = crlf != NULL || bare ? next_reply(f, &n) : NULL;
		if (reply == NULL)
			return crlf != NULL || bare ? "framing: a line without a reply" : NULL;
		if (bare)
			wrong = begins(reply, n, "500 5.5.2 a command ends")
				    ? NULL
				    : "framing: a bare LF should be refused";
		else
			wrong = check_line(f, in, line, reply, n);
		taken = crlf != NULL ? line + 2 : len;
		in += taken;
		len -= taken;
		*shut = begins(reply, n, "221");
		if (wrong == NULL && begins(reply, n, "354")) {
			wrong = check_message(f, scene, in, len, &taken);
			in += taken;
			len -= taken;
		}
	}
	return wrong;
}

const char *
oracle_framing(
    const struct trace *trace, const struct scene *scene, const unsigned char *in, size_t len)
{
	struct framing f = {.trace = trace};
	bool shut = false;
	size_t n;

	if (next_reply(&f, &n) == NULL)
		return "framing: no greeting";
	const char *wrong = walk(&f, scene, in, len, &shut);
	if (wrong != NULL)
		return wrong;
	const unsigned char *reply = next_reply(&f, &n);
	if (scene->timeout && !shut) {
		if (reply == NULL || !begins(reply, n, "421"))
			return "framing: silence without a 421";
		reply = next_reply(&f, &n);
	}
	return reply == NULL ? NULL : "framing: a reply too many";
}
