/* oracle_grammar.c -- see oracle.h.  Which event may follow which, whatever the client said. */
#include "oracle.h"

#include <string.h>

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
	TEXT,     /* in a message, after 354 */
	DROPPED,  /* told X in a message: the refusal is due */
	FAREWELL, /* said: N with the reason is due */
	BYE,      /* nothing but the end is due */
	OVER,
	WRONG
};

/*
 * Which token leads from where to where.  Tokens: w more input wanted, c close, o octets of a message,
 * X H N told, B told with N that the session ends, F R V L E asked, replies g 220, q 221, t 421, d 354,
 * f 251, m 551, h 554 5.5.0, 2 4 5 any other of that class, answers y l n f m as the letters of
 * request.h in small.  P is apart: see pause().
 */
static const struct arrow {
	enum stage from;
	char tokens[12];
	enum stage to;
} arrows[] = {
    {START, "g5", LINES},
    {START, "h", FAREWELL},
    {LINES, "wo245N", LINES},
    {LINES, "d", TEXT},
    {LINES, "q", BYE},
    {LINES, "X", RESET},
    {LINES, "H", HELLO},
    {LINES, "FRVLE", ASKED},
    {LINES, "th", FAREWELL},
    {RESET, "H", HELLO},
    {RESET, "N", LINES},
    {RESET, "25", LINES},
    {RESET, "q", BYE},
    {RESET, "th", FAREWELL},
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
    {TEXT, "woN", TEXT},
    {TEXT, "E", ASKED},
    {TEXT, "X", DROPPED},
    {DROPPED, "5", LINES},
    {DROPPED, "th", FAREWELL},
    {FAREWELL, "B", BYE},
    {BYE, "c", OVER},
};

/* What the monitor's table allows: the letter, where, where a yes leads. */
enum place {
	IDLE = 1,
	FROM = 2,
	RCPT = 4,
	BODY = 8, /* a message has octets */
	DUE = 16, /* LMTP: more answers to it are due */
	ANY = IDLE | FROM | RCPT | BODY
};

static const struct turn {
	char letter;
	unsigned where;
	enum place to; /* 0: stays */
} turns[] = {
    {'H', IDLE, 0},
    {'F', IDLE, FROM},
    {'R', FROM | RCPT, RCPT},
    {'o', RCPT | BODY, BODY},
    {'E', RCPT | BODY | DUE, 0},
    {'X', FROM | RCPT | BODY, IDLE},
    {'V', ANY, 0},
    {'L', ANY, 0},
    {'P', ANY, 0},
    {'N', ANY, 0},
    {'B', IDLE, 0},
    /* no packets, but true only there */
    {'d', RCPT, 0},
    {'q', IDLE, 0},
    {'t', IDLE, 0},
    {'h', IDLE, 0},
    {'w', ANY, 0},
};

void
grammar_begin(struct grammar *g, const struct smtp_settings *settings)
{
	*g = (struct grammar){.settings = settings, .stage = START, .place = IDLE};
}

bool
grammar_is_over(const struct grammar *g)
{
	return g->stage == OVER;
}

static const struct turn *
turn_of(char token)
{
	for (size_t i = 0; i < sizeof turns / sizeof *turns; i++)
		if (turns[i].letter == token)
			return &turns[i];
	return NULL;
}

static bool
among(char token, const char *tokens)
{
	return token != 0 && strchr(tokens, token) != NULL;
}

/* Where a token leads that has its place; a yes leads there only once it is said. */
static void
move(struct grammar *g, char token, const struct turn *turn)
{
	if (among(token, "FRVLE"))
		g->question = token;
	if (turn != NULL && among(token, "oX"))
		g->place = turn->to;
	if (token == 'H')
		g->hello = true;
	if (token == 'E') {
		if (g->place != DUE)
			g->due = g->settings->protocol == SMTP_LMTP ? g->recipients : 1;
		g->place = --g->due > 0 ? DUE : IDLE;
	}
	if (g->stage == YES || (g->stage == FORWARD && token == 'f')) {
		turn = turn_of(g->question);
		g->place = turn != NULL && turn->to != 0 ? (int)turn->to : g->place;
	}
}

static const char *
advance(struct grammar *g, char token)
{
	const struct turn *turn = turn_of(token);
	enum stage to = WRONG;

	for (size_t i = 0; i < sizeof arrows / sizeof *arrows; i++)
		if ((int)arrows[i].from == g->stage && among(token, arrows[i].tokens))
			to = arrows[i].to;
	if (to == WRONG)
		return "grammar: this event cannot follow";
	if (turn != NULL && (turn->where & (unsigned)g->place) == 0)
		return "grammar: the monitor is not in the state for this";
	if (token == 'F' && !g->hello)
		return "grammar: a sender before HELO";
	g->stage = (int)to;
	move(g, token, turn);
	return NULL;
}

/* A pause is asked for right before a reply to an error. */
static const char *
pause(struct grammar *g)
{
	static const enum stage where[] = {LINES, RESET, HELLO, YES, LATER, NEVER, FORWARD, MOVED};

	if (g->paused)
		return "grammar: a pause too many";
	for (size_t i = 0; i < sizeof where / sizeof *where; i++)
		g->paused = g->paused || g->stage == (int)where[i];
	return g->paused ? NULL : "grammar: a pause where no reply to a command is due";
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
	static const char *const codes[] = {
	    "220", "221", "421", "354", "251", "551", "554 5.5.0 sent before"};
	static const char tokens[] = "gqtdfmh";

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
	bool answer = g->stage >= YES && g->stage <= MOVED;
	bool waited = among(token, "gqtdh") || g->stage == HELLO || g->stage == DROPPED ||
		      (among(g->question, "EVL") && answer);

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
	if (g->paused && !among(token, "245fm"))
		return "grammar: a pause before another reply than an error's";
	return well_formed(o, n);
}

static const char *
check_limits(struct grammar *g, const struct smtp_event *event)
{
	if (event->what == SMTP_PIECE) {
		g->pieces += event->len;
		if (event->len == 0 || g->pieces > g->settings->size_limit)
			return "grammar: an empty piece, or more of a message than is allowed";
	}
	if (event->what == SMTP_ASK && event->letter == REQUEST_FROM)
		g->pieces = g->recipients = 0;
	if (event->what == SMTP_ASK && event->letter == REQUEST_RCPT &&
	    g->recipients >= g->settings->recipient_limit)
		return "grammar: more recipients than are allowed";
	if (event->what != SMTP_REPLY && (event->now || event->alone))
		return "grammar: now or alone, and no reply";
	return NULL;
}

static char
request_token(const struct smtp_event *event)
{
	if (event->letter != REQUEST_NOTE)
		return (char)event->letter;
	bool ends = event->len != 1 || (event->octets[0] != 'c' && event->octets[0] != 'r');
	return ends ? 'B' : 'N';
}

const char *
grammar_event(struct grammar *g, const struct smtp_event *event)
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
		token = request_token(event);
		if (among(token, "XHNB") != (event->what == SMTP_TELL))
			return "grammar: told instead of asked, or asked instead of told";
		break;
	case SMTP_PIECE:
		token = 'o';
		break;
	case SMTP_CLOSE:
		token = 'c';
		break;
	}
	if (wrong != NULL)
		return wrong;
	if (token == 'P')
		return pause(g);
	if (g->paused && event->what != SMTP_REPLY)
		return "grammar: a pause, and no reply after it";
	g->paused = false;
	return advance(g, token);
}

const char *
grammar_answer(struct grammar *g, enum request_letter question, const struct answer *answer)
{
	char token = (char)(answer->verdict | 0x20);

	if (question == REQUEST_PAUSE)
		return NULL;
	if (g->question == 'R' && among(token, "yf"))
		g->recipients++;
	return advance(g, token);
}
