/* lockstep.h -- a client of SMTP that does not pipeline. */
#ifndef LOCKSTEP_H
#define LOCKSTEP_H

/*
 * Say the lines of the file `dialogue` on a socket one by one, waiting for the reply to each; after a 354
 * all up to a line with a dot, which is left out where DATA has another reply.  Then end this side, and hear
 * the rest.  What was read is written to the file `replies`.  Does not return if there is no such file.
 */
void lockstep(int fd, const char *dialogue, const char *replies);

#endif
