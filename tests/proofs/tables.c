/*
 * tables.c -- where a table is gone through, for Eva: every row, and any octets that are looked up.
 */
#include "__fc_builtin.h"

#include "../../smtp-stdio/command.c"
#include "../../smtp-stdio/help.c"
#include "../../smtp-stdio/reply.c"
#include "../../smtp-stdio/request.c"

/* Any octets, one more than the longest word of a table. */
static unsigned char octets[12];

static char out[REPLY_MAX];

static void
words(void)
{
	struct mail_arguments arguments;
	unsigned seen = Frama_C_unsigned_int_interval(0, 7);
	struct parameter p = {.name = octets, .value = octets};

	for (size_t len = 0; len <= sizeof octets; len++) {
		Frama_C_make_unknown((char *)octets, sizeof octets);
		(void)verb_of(octets, len);
		(void)help_text(octets, len, Frama_C_interval(0, 1) != 0);
		p.name_len = len;
		p.value_len = (size_t)Frama_C_interval(0, sizeof octets);
		(void)mail_parameter(&p, &arguments, &seen);
	}
}

static void
replies(void)
{
	char status[11];

	Frama_C_make_unknown(status, sizeof status);
	status[sizeof status - 1] = 0;
	(void)answer_code(status);
	for (int reply = 0; reply < REPLIES; reply++)
		(void)reply_write(out, (enum reply)reply, NULL);
}

int
main(void)
{
	words();
	replies();
	return 0;
}
