/* signals.c -- see signals.h. */
#include "signals.h"

#include <signal.h>
#include <stddef.h>

void
signals_reset(void)
{
	static const struct {
		int number;
		void (*what)(int);
	} acts[] = {{SIGPIPE, SIG_IGN}, {SIGXFSZ, SIG_IGN}, {SIGCHLD, SIG_DFL}, {SIGTERM, SIG_DFL},
	    {SIGUSR1, SIG_DFL}, {SIGALRM, SIG_DFL}};
	sigset_t none;

	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
		(void)signal(acts[i].number, acts[i].what); /* valid numbers: cannot fail */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}
