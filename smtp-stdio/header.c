/* header.c -- see header.h. */
#include "header.h"

#include <string.h>

static const char name[] = "received";

enum {
	NAME = sizeof name - 1, /* all of it: the colon is due, after blanks of old times */
	START = 0,
	OTHER = NAME + 1, /* the line is another one */
};

void
header_begin(struct header *h)
{
	*h = (struct header){.matched = START};
}

static void
in_line(struct header *h, unsigned char octet)
{
	if (h->matched == NAME && octet == ':') {
		h->received++;
		h->matched = OTHER;
	} else if (h->matched == NAME && (octet == ' ' || octet == '\t')) {
		return;
	} else if (h->matched < NAME && (octet | 0x20) == (unsigned char)name[h->matched]) {
		h->matched++;
	} else {
		h->matched = OTHER;
	}
}

void
header_step(struct header *h, const unsigned char *octets, size_t len)
{
	const unsigned char *end = octets + len;

	while (!h->over && octets < end) {
		if (h->matched == OTHER) {
			octets = memchr(octets, '\n', (size_t)(end - octets));
			if (octets == NULL)
				return;
			octets++;
			h->matched = START;
		} else if (*octets == '\n') {
			h->over = h->matched == START;
			h->matched = START;
			octets++;
		} else {
			in_line(h, *octets++);
		}
	}
}
