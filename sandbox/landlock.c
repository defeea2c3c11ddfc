/*
 * landlock.c -- see landlock.h.
 *
 * The numbers are the kernel's ABI and stand here because a distribution's header is older than the
 * kernel that runs: what the kernel knows is asked, not assumed.
 */
#include "landlock.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	NR_CREATE_RULESET = 444, /* the same on every architecture */
	NR_ADD_RULE = 445,
	NR_RESTRICT_SELF = 446,
	CREATE_VERSION = 1,
	RULE_PATH_BENEATH = 1,
	ABI_REFER = 2,
	ABI_TRUNCATE = 3,
	ABI_NET = 4,
	ABI_IOCTL = 5,
	ABI_SCOPE = 6,
};

struct ruleset {
	uint64_t fs;    /* access rights that are denied unless granted */
	uint64_t net;   /* ABI 4: bind, connect */
	uint64_t scope; /* ABI 6: abstract Unix sockets, signals */
};

struct path_rule {
	uint64_t rights;
	int32_t dirfd;
} __attribute__((packed));

/* Everything that this version of the interface can deny. */
static struct ruleset
everything(long abi)
{
	struct ruleset all = {.fs = (1ULL << 14) - 1}; /* ABI 2: execute ... make_sym, refer */

	if (abi >= ABI_TRUNCATE)
		all.fs |= 1ULL << 14;
	if (abi >= ABI_NET)
		all.net = 3;
	if (abi >= ABI_IOCTL)
		all.fs |= 1ULL << 15;
	if (abi >= ABI_SCOPE)
		all.scope = 3;
	return all;
}

enum landlock_state
landlock_confine(const struct landlock_grant *grants, size_t n)
{
	long abi = syscall(NR_CREATE_RULESET, NULL, 0UL, CREATE_VERSION);
	if (abi < ABI_REFER)
		return LANDLOCK_ABSENT;

	struct ruleset all = everything(abi);
	int ruleset = (int)syscall(NR_CREATE_RULESET, &all, sizeof all, 0UL);
	if (ruleset < 0)
		return LANDLOCK_FAILED;
	long r = 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		struct path_rule rule = {grants[i].rights, grants[i].dirfd};
		r = syscall(NR_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0UL);
	}
	if (r == 0)
		r = syscall(NR_RESTRICT_SELF, ruleset, 0UL);
	int why = errno;
	(void)close(ruleset); /* nothing was written to it */
	errno = why;
	return r == 0 ? LANDLOCK_DONE : LANDLOCK_FAILED;
}
