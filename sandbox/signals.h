/* signals.h -- signals as these programs want them, whatever they inherited. */
#ifndef SIGNALS_H
#define SIGNALS_H

/*
 * None is blocked.  SIGPIPE and SIGXFSZ are ignored, for an error of write tells as much; those that
 * end a process, tell of a child's end or stand for a clock do what they do by default.
 */
void signals_reset(void);

#endif
