/* sandbox.c -- see sandbox.h.  The filters are compiled in; see policy.c and compile.c. */
#include "sandbox.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "policies.h"

#define COUNT(a) ((unsigned short)(sizeof(a) / sizeof *(a)))

int
sandbox_alone(void)
{
	if (prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) < 0)
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L);
}

int
sandbox_filter(enum sandbox_policy policy)
{
	struct sock_fprog program = {0, NULL};

	switch (policy) {
	case SANDBOX_SESSION:
		program.len = COUNT(session_filter);
		program.filter = (struct sock_filter *)(uintptr_t)session_filter;
		break;
	case SANDBOX_DELIVER:
		program.len = COUNT(deliver_filter);
		program.filter = (struct sock_filter *)(uintptr_t)deliver_filter;
		break;
	}
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0UL, &program);
}
