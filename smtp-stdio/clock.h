/* clock.h -- deadlines, in milliseconds of a clock that never goes back; and the names of months. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/* As RFC 5322 and RFC 3164 want them, in English whatever the locale. */
extern const char clock_months[12][4];

int64_t clock_now(void);

/* Milliseconds until then, as poll(2) wants them: 0 if it is over, INT_MAX at most. */
int clock_left(int64_t deadline);

#endif
