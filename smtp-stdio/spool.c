/* spool.c -- see spool.h.  Runs as the monitor. */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

bool
spool_begin(struct spool *spool)
{
	spool->fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return spool->fd >= 0;
}

bool
spool_add(struct spool *spool, const void *octets, size_t len)
{
	const unsigned char *from = octets;

	while (len > 0) {
		ssize_t n = write(spool->fd, from, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		from += n;
		len -= (size_t)n;
	}
	return true;
}

bool
spool_seal(struct spool *spool)
{
	/* One recipient's helper must not be able to write what another one's will read. */
	return fcntl(spool->fd, F_ADD_SEALS,
		   F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0;
}

void
spool_drop(struct spool *spool)
{
	if (spool->fd >= 0)
		(void)close(spool->fd); /* memory: there is nothing that could fail to be written */
	spool->fd = -1;
}
