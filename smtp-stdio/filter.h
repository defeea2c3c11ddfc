/*
 * filter.h -- the administrator's programs that have a say in a message: filters, which see it whole,
 * and checks, which see a recipient.  Trusted side.
 *
 * Each runs as FilterUser.  Status 0 is a yes; 75 is later; 65, 69, 77 and 100 are never; of these the
 * first line that the program said is the reply.  99 from a filter: the message is taken and thrown
 * away.  Anything else, a signal and the deadline are later.
 */
#ifndef FILTER_H
#define FILTER_H

#include "config.h"
#include "environment.h"
#include "request.h"
#include "spool.h"

enum filter_fate {
	FILTER_PASSED,
	FILTER_REFUSED,   /* the answer says why */
	FILTER_DISCARDED, /* and nobody gets it */
};

/*
 * Run the filters over a sealed message, each over what the one before has made of it; the last one's takes
 * the place of the message, sealed.  One of more `octets` than FilterSizeLimit has none.
 */
enum filter_fate filter_message(const struct config *config, const struct facts *facts,
    struct spool *message, uint64_t octets, struct answer *answer);

/* Run the checks; the fate of the recipient that the facts name. */
enum filter_fate filter_recipient(
    const struct config *config, const struct facts *facts, struct answer *answer);

#endif
