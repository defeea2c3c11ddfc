/* stop.h -- SIGTERM: a super-server or the machine wants us to end.  Trusted side. */
#ifndef STOP_H
#define STOP_H

#include <signal.h>
#include <stdbool.h>

/*
 * From here on SIGTERM ends nothing by itself: it is held back, and let in only where somebody waits
 * with this mask (ppoll(2)), so that a delivery is brought to its end.
 */
void stop_hold(sigset_t *mask);

/* It has come, though it may be held back still. */
bool stop_came(void);

#endif
