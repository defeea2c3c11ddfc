/* stop.c -- see stop.h. */
#include "stop.h"

#include <stddef.h>

static volatile sig_atomic_t came;

static void
on_sigterm(int number)
{
	(void)number;
	came = 1;
}

void
stop_hold(sigset_t *mask)
{
	const struct sigaction act = {.sa_handler = on_sigterm};
	sigset_t term;

	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &term, mask); /* valid numbers: these cannot fail */
	(void)sigdelset(mask, SIGTERM);
	(void)sigaction(SIGTERM, &act, NULL);
}

bool
stop_came(void)
{
	sigset_t held;

	return came != 0 || (sigpending(&held) == 0 && sigismember(&held, SIGTERM) == 1);
}
