/* nss.c -- see nss.h.  Runs as the monitor. */
#include "nss.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "../sandbox/large.h"
#include "clock.h"
#include "limits.h"
#include "log.h"
#include "spawn.h"

enum {
	GETENT_NONE = 2 /* getent(1), EXIT STATUS: the key is not there */
};

static int64_t deadline;

void
nss_begin(void)
{
	deadline = clock_now() + (int64_t)NSS_LIMIT * 1000;
}

enum identity_found
nss_find(const char *name, struct identity *who)
{
	static LARGE struct helper getent;
	const char *argv[] = {"/usr/bin/getent", "passwd", "--", name, NULL};
	char *environment[] = {NULL};
	const struct spawn_order order = {.uid = UID_NOBODY,
	    .gid = GID_NOGROUP,
	    .extra = (gid_t)-1,
	    .argv = (char *const *)(uintptr_t)argv,
	    .environment = environment,
	    .directory = "/",
	    .message = -1,
	    .output = -1,
	    .rest = true};
	struct answer answer;

	if (name[strspn(name, "+0123456789")] == 0)
		return IDENTITY_NONE; /* getent would look for the user of that number */
	if (!spawn(&getent, &order)) {
		log_error("%s: %s", argv[0], strerror(errno));
		return IDENTITY_UNKNOWN;
	}
	spawn_end(&getent, deadline, &answer);
	if (getent.status == GETENT_NONE)
		return IDENTITY_NONE;
	getent.said[strcspn(getent.said, "\n")] = 0;
	if (getent.status == 0 && identity_read(getent.said, name, who) == IDENTITY_FOUND)
		return IDENTITY_FOUND;
	log_error("%s passwd %s: status %d: %s", argv[0], name, getent.status, getent.said);
	return IDENTITY_UNKNOWN;
}
