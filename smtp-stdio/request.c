/* request.c -- see request.h. */
#include "request.h"

#include <string.h>

#include "utf8.h"

static bool
printable(const unsigned char *octets, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (octets[i] < ' ' || octets[i] > '~')
			return false;
	return true;
}

/* The bounds of the data that come with a letter; false for a letter that is none. */
static bool
bounds(int letter, size_t *least, size_t *most)
{
	switch ((enum request_letter)letter) {
	case REQUEST_HELLO:
		*least = 1;
		*most = HELLO_MAX;
		return true;
	case REQUEST_FROM:
		*least = sizeof "0 0 " - 1;
		*most = FROM_MAX;
		return true;
	case REQUEST_RCPT:
	case REQUEST_VERIFY:
	case REQUEST_EXPAND:
		*least = 1;
		*most = MAILBOX_MAX;
		return true;
	case REQUEST_BODY:
		*least = 1;
		*most = BODY_MAX;
		return true;
	case REQUEST_NOTE:
		*least = *most = 1;
		return true;
	case REQUEST_END:
	case REQUEST_RESET:
	case REQUEST_PAUSE:
		*least = *most = 0;
		return true;
	}
	return false;
}

/* A digit, a blank, decimal digits without a leading zero, a blank. */
bool
request_from(const struct request *request, struct request_from *from)
{
	const unsigned char *data = request->data;
	size_t at = 2;

	if (request->len < 2 || data[0] < '0' || data[0] >= '0' + FORMS || data[1] != ' ')
		return false;
	from->form = data[0] - (unsigned)'0';
	from->size = 0;
	for (; at < request->len && at < 2 + FROM_DIGITS && data[at] >= '0' && data[at] <= '9';
	     at++)
		from->size = from->size * 10 + (uint64_t)(data[at] - '0');
	if (at == 2 || at == request->len || data[at] != ' ' || from->size > SIZE_MOST ||
	    (data[2] == '0' && at > 3))
		return false;
	from->path = data + at + 1;
	from->len = request->len - at - 1;
	return from->len <= MAILBOX_MAX;
}

static bool
is_note(int note)
{
	switch ((enum request_note)note) {
	case NOTE_COMMAND:
	case NOTE_REFUSED:
	case NOTE_SILENT:
	case NOTE_ERRORS:
	case NOTE_MESSAGES:
	case NOTE_OCTETS:
	case NOTE_HASTY:
	case NOTE_STRAY:
	case NOTE_FOREIGN:
		return true;
	}
	return false;
}

/* The data are of the kind that comes with the letter. */
static bool
fits(const struct request *request)
{
	struct request_from from;

	switch (request->letter) {
	case REQUEST_HELLO:
		return printable(request->data, request->len);
	case REQUEST_FROM:
		return request_from(request, &from) && utf8_printable(from.path, from.len);
	case REQUEST_RCPT:
	case REQUEST_VERIFY:
	case REQUEST_EXPAND:
		return utf8_printable(request->data, request->len);
	case REQUEST_NOTE:
		return is_note(request->data[0]);
	case REQUEST_BODY:
	case REQUEST_END:
	case REQUEST_RESET:
	case REQUEST_PAUSE:
		return true;
	}
	return false;
}

bool
request_decode(const unsigned char *packet, size_t len, struct request *request)
{
	size_t least, most;

	if (len == 0 || !bounds(packet[0], &least, &most) || len - 1 < least || len - 1 > most)
		return false;
	request->letter = (enum request_letter)packet[0];
	request->data = packet + 1;
	request->len = len - 1;
	return fits(request);
}

size_t
request_encode(unsigned char *packet, size_t size, const struct request *request)
{
	struct request check;

	if (request->len >= size)
		return 0;
	packet[0] = (unsigned char)request->letter;
	if (request->len > 0)
		memmove(packet + 1, request->data, request->len); /* may be in place already */
	return request_decode(packet, 1 + request->len, &check) ? 1 + request->len : 0;
}

static bool
is_verdict(int letter)
{
	switch ((enum verdict)letter) {
	case VERDICT_YES:
	case VERDICT_LATER:
	case VERDICT_NEVER:
	case VERDICT_FORWARDED:
	case VERDICT_MOVED:
		return true;
	}
	return false;
}

bool
answer_decode(const unsigned char *packet, size_t len, struct answer *answer)
{
	if (len == 0 || len > ANSWER_MAX || !is_verdict(packet[0]) ||
	    !printable(packet + 1, len - 1))
		return false;
	answer->verdict = (enum verdict)packet[0];
	answer->len = len - 1;
	memcpy(answer->text, packet + 1, answer->len);
	answer->text[answer->len] = 0;
	return true;
}

size_t
answer_encode(unsigned char packet[ANSWER_MAX], const struct answer *answer)
{
	if (answer->len > ANSWER_TEXT_MAX || !is_verdict((int)answer->verdict) ||
	    !printable((const unsigned char *)answer->text, answer->len))
		return 0;
	packet[0] = (unsigned char)answer->verdict;
	memcpy(packet + 1, answer->text, answer->len);
	return 1 + answer->len;
}

void
answer_set(struct answer *answer, enum verdict verdict, const char *text)
{
	size_t n = 0;

	for (; n < ANSWER_TEXT_MAX && text[n] != 0; n++)
		answer->text[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
	answer->text[n] = 0;
	answer->len = n;
	answer->verdict = verdict;
}

/* 1 to 3 digits without a leading zero, then `end`; where the text goes on, or NULL. */
static const char *
digits(const char *text, char end)
{
	size_t n = 0;

	while (n < 3 && text[n] >= '0' && text[n] <= '9')
		n++;
	if (n == 0 || (n > 1 && text[0] == '0') || text[n] != end)
		return NULL;
	return text + n + 1;
}

const char *
answer_after_status(const char *text, char class)
{
	if (text[0] != class || text[1] != '.')
		return NULL;
	text = digits(text + 2, '.');
	return text == NULL ? NULL : digits(text, ' ');
}

const char *
answer_code(const char *status)
{
	static const struct {
		char status[6], code[4];
	} codes[] = {
	    {"4.2.1", "450"},                   /* mailbox disabled or busy */
	    {"4.2.2", "452"},                   /* mailbox full */
	    {"4.3.1", "452"},                   /* system full */
	    {"4.5.3", "452"},                   /* too many recipients */
	    {"4.7.1", "450"},                   /* a policy: RFC 5321 4.2.3 */
	    {"5.1.3", "553"},                   /* mailbox name not allowed */
	    {"5.2.2", "552"}, {"5.2.3", "552"}, /* message larger than the mailbox takes */
	    {"5.3.4", "552"},                   /* message larger than the system takes */
	};

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (strcmp(status, codes[i].status) == 0)
			return codes[i].code;
	return NULL;
}
