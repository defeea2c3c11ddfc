/*
 * landlock.h -- file-system (and, where the kernel can, network and signal) confinement by raw
 * system calls; landlock(7).  Needs no_new_privs.
 */
#ifndef LANDLOCK_H
#define LANDLOCK_H

#include <stddef.h>
#include <stdint.h>

/* What a rule may grant below one directory. */
enum {
	LANDLOCK_MAY_WRITE = 1 << 1,
	LANDLOCK_MAY_READ = 1 << 2,
	LANDLOCK_MAY_LIST = 1 << 3,
	LANDLOCK_MAY_REMOVE = 1 << 5,
	LANDLOCK_MAY_MAKE = 1 << 8,  /* regular files */
	LANDLOCK_MAY_REFER = 1 << 13 /* link from one directory into another; ABI 2 (Linux 5.19) */
};

struct landlock_grant {
	int dirfd; /* an open directory */
	uint64_t rights;
};

enum landlock_state {
	LANDLOCK_FAILED = -1, /* errno says why */
	LANDLOCK_DONE = 0,
	LANDLOCK_ABSENT = 1 /* the kernel has none, it is switched off, or it is older than ABI 2 */
};

/*
 * Deny this process, for ever, every file-system access (and TCP bind and connect, abstract Unix
 * sockets and signals to processes outside) that the running kernel's Landlock can deny, except
 * the n grants.  Descriptors that are already open keep their rights.
 */
enum landlock_state landlock_confine(const struct landlock_grant *grants, size_t n);

#endif
