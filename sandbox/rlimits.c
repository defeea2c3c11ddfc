/* rlimits.c -- see rlimits.h. */
#include "rlimits.h"

#include <sys/resource.h>

enum {
	USUAL_FILES = 1024 /* the kernel's own soft limit; more breaks programs that select(2) */
};

int
rlimits_files(unsigned files)
{
	const struct rlimit none = {0, 0};
	struct rlimit most;

	if (setrlimit(RLIMIT_CORE, &none) < 0 || getrlimit(RLIMIT_NOFILE, &most) < 0)
		return -1;
	if (most.rlim_max > files)
		most.rlim_max = files;
	most.rlim_cur = most.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &most);
}

int
rlimits_raise_files(void)
{
	struct rlimit most;

	if (getrlimit(RLIMIT_NOFILE, &most) < 0)
		return -1;
	most.rlim_cur = most.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &most);
}

int
rlimits_usual_files(void)
{
	struct rlimit usual;

	if (getrlimit(RLIMIT_NOFILE, &usual) < 0)
		return -1;
	if (usual.rlim_cur > USUAL_FILES)
		usual.rlim_cur = USUAL_FILES;
	return setrlimit(RLIMIT_NOFILE, &usual);
}

int
rlimits_nothing(void)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_NPROC, &none) < 0)
		return -1;
	return rlimits_files(0);
}
