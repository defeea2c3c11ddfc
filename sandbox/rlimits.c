/* rlimits.c -- see rlimits.h. */
#include "rlimits.h"

#include <sys/resource.h>

static int
limit(int what, unsigned most)
{
	const struct rlimit value = {most, most};

	return setrlimit(what, &value);
}

int
rlimits_files(unsigned files)
{
	if (limit(RLIMIT_CORE, 0) < 0)
		return -1;
	return limit(RLIMIT_NOFILE, files);
}

int
rlimits_nothing(void)
{
	if (limit(RLIMIT_NPROC, 0) < 0)
		return -1;
	return rlimits_files(0);
}
