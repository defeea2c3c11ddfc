/* clock.h -- deadlines, in milliseconds of a clock that never goes back. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

int64_t clock_now(void);

/* Milliseconds until then, as poll(2) wants them: 0 if it is over, INT_MAX at most. */
int clock_left(int64_t deadline);

#endif
