/*
 * fuzz_request.c -- the codec between session and monitor: what is read is what was written, and
 * nothing else is read.  The input is a packet; it is tried as a request and as an answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../smtp-stdio/request.h"
#include "fuzz.h"
#include "oracle_text.h"

static bool
is_text(const unsigned char *octets, size_t len)
{
	while (len > 0 && octets[len - 1] >= 32 && octets[len - 1] <= 126)
		len--;
	return len == 0;
}

/* Printable UTF-8. */
static bool
is_utf8(const unsigned char *octets, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = oracle_utf8(octets + i, len - i);
		if (n == 0 || (n == 1 && !is_text(octets + i, 1)))
			return false;
	}
	return true;
}

/* A digit up to 3 and a number up to 1 GiB as printf writes it, a blank behind each; a path. */
static bool
is_from(const unsigned char *data, size_t size)
{
	char text[16] = "", again[64];
	unsigned long long number = 0;
	char form = 0;

	if (size > 0)
		memcpy(text, data, size < sizeof text - 1 ? size : sizeof text - 1);
	if (sscanf(text, "%c %llu", &form, &number) != 2 || form < '0' || form > '3' ||
	    number > 1073741824)
		return false;
	size_t n = (size_t)snprintf(again, sizeof again, "%c %llu ", form, number);
	return size >= n && size - n <= 511 && memcmp(data, again, n) == 0 &&
	       is_utf8(data + n, size - n);
}

/* Letters and sizes: a name of 255 octets, "ESMTP " before it; a mailbox of 511, for F 13 octets
   before it; 64 KiB. */
static bool
should_be_request(const unsigned char *data, size_t size)
{
	static const struct {
		char letter;
		size_t least, most;
	} letters[] = {{'H', 1, 261}, {'F', 4, 524}, {'R', 1, 511}, {'V', 1, 511}, {'L', 1, 511},
	    {'B', 1, 65536}, {'E', 0, 0}, {'X', 0, 0}, {'N', 1, 1}, {'P', 0, 0}};
	size_t i = 0;

	while (i < sizeof letters / sizeof *letters && (size == 0 || data[0] != letters[i].letter))
		i++;
	if (i == sizeof letters / sizeof *letters || size - 1 < letters[i].least ||
	    size - 1 > letters[i].most)
		return false;
	switch (data[0]) {
	case 'H':
		return is_text(data + 1, size - 1);
	case 'F':
		return is_from(data + 1, size - 1);
	case 'R':
	case 'V':
	case 'L':
		return is_utf8(data + 1, size - 1);
	case 'N':
		return memchr("crsemohbf", data[1], 9) != NULL;
	default:
		return true;
	}
}

static void
try_request(const unsigned char *data, size_t size)
{
	static unsigned char packet[PACKET_MAX + 16];
	struct request request;

	bool taken = request_decode(data, size, &request);
	demand(taken == should_be_request(data, size), "request: taken or refused wrongly");
	if (taken) {
		demand(request.data == data + 1 && request.len == size - 1,
		    "request: its data is elsewhere");
		size_t n = request_encode(packet, sizeof packet, &request);
		demand(n == size && memcmp(packet, data, n) == 0, "request: is written otherwise");
		demand(request_encode(packet, size - 1, &request) == 0,
		    "request: written into too little room");
	} else if (size > 0 && size <= sizeof packet) {
		request = (struct request){(enum request_letter)data[0], data + 1, size - 1};
		demand(request_encode(packet, sizeof packet, &request) == 0,
		    "request: written, and would not be read");
	}
}

static void
try_answer(const unsigned char *data, size_t size)
{
	unsigned char packet[ANSWER_MAX];
	struct answer answer;

	memset(&answer, 0xa5, sizeof answer);
	bool good = size >= 1 && size <= 401 && data[0] != 0 && strchr("YLNFM", data[0]) != NULL &&
		    is_text(data + 1, size - 1);
	demand(answer_decode(data, size, &answer) == good, "answer: taken or refused wrongly");
	if (good) {
		demand(answer.len == size - 1 && strlen(answer.text) == size - 1,
		    "answer: another text");
		size_t n = answer_encode(packet, &answer);
		demand(n == size && memcmp(packet, data, n) == 0, "answer: is written otherwise");
	} else if (size > 0 && size <= sizeof answer.text) {
		answer.verdict = (enum verdict)data[0];
		answer.len = size - 1;
		memcpy(answer.text, data + 1, size - 1);
		demand(
		    answer_encode(packet, &answer) == 0, "answer: written, and would not be read");
	}
}

/* Any text can be made an answer's. */
static void
try_set(const unsigned char *data, size_t size)
{
	static char text[1024];
	unsigned char packet[ANSWER_MAX];
	struct answer answer;

	size = size < sizeof text ? size : sizeof text - 1;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = 0;
	size = strlen(text);
	answer_set(&answer, VERDICT_LATER, text);
	demand(answer.len == (size < 400 ? size : 400), "answer_set: another length");
	for (size_t i = 0; i < answer.len; i++)
		demand(is_text((const unsigned char *)text + i, 1) ? answer.text[i] == text[i]
								   : answer.text[i] == '?',
		    "answer_set: another octet");
	demand(answer_encode(packet, &answer) == answer.len + 1, "answer_set: cannot be written");
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	try_request(data, size);
	try_answer(data, size);
	try_set(data, size);
	return 0;
}
