/* help.h -- what HELP says.  Pure. */
#ifndef HELP_H
#define HELP_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The text of a 214: on HELP's argument, which is the name of a command, in any case of letters, or
 * nothing (then on all commands).  A line feed parts its lines.  NULL: there is none.
 */
const char *help_text(const unsigned char *topic, size_t len, bool lmtp);

#endif
