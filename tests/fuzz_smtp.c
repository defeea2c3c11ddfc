/*
 * fuzz_smtp.c -- the engine: a conversation, cut and answered as the input says, against oracle.h.
 *
 * Input: an octet for the protocol, silence at the end and haste; one for the limits; one for the cuts;
 * one that says how many answers follow (up to 15, used in turn; none: always yes); the answers; what
 * the client sends.
 */
#include <stdio.h>
#include <stdlib.h>

#include "oracle.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

struct answers {
	const unsigned char *octets;
	size_t count;
};

static void
reply_to(const struct scene *scene, unsigned asked, const struct smtp_event *question,
    struct answer *answer)
{
	static const struct {
		enum verdict verdict;
		const char *text;
	} all[] = {
	    {VERDICT_YES, ""},
	    {VERDICT_LATER, ""},
	    {VERDICT_NEVER, ""},
	    {VERDICT_YES, "2.1.5 <a@mx.test>"},
	    {VERDICT_LATER, "4.2.2 mailbox full"},
	    {VERDICT_LATER, "5.2.2 of another class"},
	    {VERDICT_NEVER, "5.1.3 not allowed"},
	    {VERDICT_NEVER, "5.7.1"},
	    {VERDICT_NEVER, "5.7.1 "},
	    {VERDICT_LATER, "4.1000.1 no enhanced code"},
	    {VERDICT_YES, "2.00.0 neither"},
	    /* only where the monitor says them */
	    {VERDICT_FORWARDED, "<b@elsewhere.test>"},
	    {VERDICT_MOVED, "5.1.6 <b@elsewhere.test>"},
	    {VERDICT_FORWARDED, ""},
	    {VERDICT_MOVED, ""},
	};
	const struct answers *answers = scene->closure;
	bool address = question->letter == REQUEST_RCPT || question->letter == REQUEST_VERIFY ||
		       question->letter == REQUEST_EXPAND;
	size_t most = address ? sizeof all / sizeof *all : sizeof all / sizeof *all - 4;
	size_t which = answers->count > 0 ? answers->octets[asked % answers->count] % most : 0;

	answer_set(answer, all[which].verdict, all[which].text);
}

static void
demand(const char *wrong)
{
	if (wrong == NULL)
		return;
	(void)fprintf(stderr, "%s\n", wrong);
	abort();
}

/* Two bits each, or one. */
static struct smtp_settings
settings_of(unsigned char how, unsigned char limits)
{
	static const enum smtp_protocol protocols[] = {SMTP_SMTP, SMTP_LMTP, SMTP_NULL, SMTP_SMTP};
	static const uint64_t sizes[] = {SIZE_DEFAULT, 8, 64, 1000};
	static const uint64_t octets[] = {OCTETS_DEFAULT, 20, 200, UINT64_MAX};
	static const unsigned errors[] = {ERRORS_MOST, ERRORS_DEFAULT, 1, 4};

	return (struct smtp_settings){.hostname = "mx.test",
	    .protocol = protocols[how & 3],
	    .normalize = (how & 4) != 0,
	    .size_limit = sizes[limits & 3],
	    .recipient_limit = limits & 4 ? 2 : RECIPIENTS_DEFAULT,
	    .octets_limit = octets[limits >> 3 & 3],
	    .message_limit = limits & 32 ? 1 : MESSAGES_DEFAULT,
	    .error_limit = errors[limits >> 6]};
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct trace whole, other;

	if (size < 4)
		return 0;
	size_t count = data[3] % 16;
	if (count > size - 4)
		return 0;
	const struct answers answers = {data + 4, count};
	const struct scene scene = {.settings = settings_of(data[0], data[1]),
	    .answer = reply_to,
	    .closure = &answers,
	    .timeout = (data[0] & 8) != 0,
	    .hasty = data[0] >> 4};
	const unsigned char *in = data + 4 + count;
	size_t len = size - 4 - count;
	struct cuts cuts = {.how = CUT_RANDOM, .seed = data[2]};
	if (data[2] == 0)
		cuts.how = CUT_OCTETS;

	demand(oracle_run(&whole, &scene, in, len, (struct cuts){.how = CUT_NOT}));
	demand(oracle_framing(&whole, &scene, in, len));
	demand(oracle_run(&other, &scene, in, len, cuts));
	demand(oracle_same(&whole, &other));
	return 0;
}
