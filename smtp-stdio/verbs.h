/* verbs.h -- what is permitted when, and what each command does.  Pure. */
#ifndef VERBS_H
#define VERBS_H

#include "smtp.h"

/* Carry out the command line that was read, without its CRLF. */
void verbs_do_line(struct smtp *smtp);

/* The same for what stands before a bare LF: it is refused, whatever it says. */
void verbs_refuse_bare(struct smtp *smtp);

#endif
