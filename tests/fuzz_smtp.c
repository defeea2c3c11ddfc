/*
 * fuzz_smtp.c -- the engine: a conversation, cut and answered as the input says, against oracle.h.
 *
 * Input: an octet for the settings, one for the cuts, one that says how many answers follow (up to
 * 15, used in turn; none: always yes), the answers, what the client sends.
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
	bool address = question->letter == REQUEST_RCPT || question->letter == REQUEST_VERIFY;
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

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct trace whole, other;
	static const size_t limits[] = {SIZE_DEFAULT, 8, 64, 1000};

	if (size < 3)
		return 0;
	size_t count = data[2] % 16;
	if (count > size - 3)
		return 0;
	const struct answers answers = {data + 3, count};
	const struct scene scene = {.settings = {.hostname = "mx.test",
					.size_limit = limits[data[0] % 4],
					.recipient_limit = data[0] & 4 ? 2 : RECIPIENTS_DEFAULT},
	    .answer = reply_to,
	    .closure = &answers,
	    .timeout = (data[0] & 8) != 0};
	const unsigned char *in = data + 3 + count;
	size_t len = size - 3 - count;
	struct cuts cuts = {.how = CUT_RANDOM, .seed = data[1]};
	if (data[1] == 0)
		cuts.how = CUT_OCTETS;

	demand(oracle_run(&whole, &scene, in, len, (struct cuts){.how = CUT_NOT}));
	demand(oracle_framing(&whole, &scene, in, len));
	demand(oracle_run(&other, &scene, in, len, cuts));
	demand(oracle_same(&whole, &other));
	return 0;
}
