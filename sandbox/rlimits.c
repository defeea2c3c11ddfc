/* rlimits.c -- see rlimits.h. */
#include "rlimits.h"

#include <sys/resource.h>

int
rlimits_files(unsigned files)
{
	const struct rlimit none = {0, 0}, some = {files, files};

	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return -1;
	return setrlimit(RLIMIT_NOFILE, &some);
}

int
rlimits_nothing(void)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_NPROC, &none) < 0)
		return -1;
	return rlimits_files(0);
}
