/* options.h -- the command line of deliver, and with it one delivery. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <stdint.h>

#include "keeper.h"
#include "limits.h"
#include "mailbox.h"

struct job {
	const char *sender; /* NULL: not told */
	const char *recipients[RECIPIENTS_MAX];
	size_t recipients_count;
	const char *user;
	int hand;    /* -1: nobody to agree with */
	int message; /* a descriptor */
	bool next;   /* it is not the first */
	bool make;
	bool need_landlock;
	bool take_back;
	bool ask; /* only whether `size` octets would fit */
	int64_t size;
	bool full_for_good;
	const char *unique;    /* NULL: deliver makes a name */
	const char *extension; /* NULL: no folder */
	struct keeper keeper;
	char *const *paths;
	struct mailbox *boxes;
	size_t count;
};

/* Read the command line; ends the program with EX_USAGE if it is wrong.  Touches nothing. */
void options_parse(struct job *job, int argc, char **argv);

/* What is told of another message for the same mailbox (hand.h), in the place of -n, -f and -r: strings,
   each with its end; `text` must last.  Ends the program with EX_USAGE if it is wrong. */
void options_next(struct job *job, const char *text, size_t len);

#endif
