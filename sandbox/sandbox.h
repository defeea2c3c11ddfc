/*
 * sandbox.h -- system-call filters, each loaded by one call.  No step back: a caller for whom one
 * of these fails must not go on.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

enum sandbox_policy {
	SANDBOX_SESSION,
	SANDBOX_DELIVER,
};

/*
 * Give up for ever what an exec could add (no_new_privs), and become invisible to other processes
 * of the same user: no ptrace, no core, /proc/PID owned by root.  0, or -1 with errno.
 */
int sandbox_alone(void);

/*
 * Load the filter that policy.c lists under that name.  sandbox_alone() must have come before.
 * From its return on, a system call that is not listed kills the process (SIGSYS).
 * 0, or -1 with errno.
 */
int sandbox_filter(enum sandbox_policy policy);

#endif
