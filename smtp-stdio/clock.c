/* clock.c -- see clock.h. */
#include "clock.h"

#include <limits.h>
#include <time.h>

const char clock_months[12][4] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

int64_t
clock_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int
clock_left(int64_t deadline)
{
	int64_t left = deadline - clock_now();

	return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}
