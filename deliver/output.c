/* output.c -- see output.h. */
#include "output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int
write_all(int fd, const unsigned char *octets, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, octets, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		octets += n;
		len -= (size_t)n;
	}
	return 0;
}

int
output_flush(struct output *out)
{
	size_t len = out->len;

	out->len = 0;
	return write_all(out->fd, out->buf, len);
}

int
output_write(struct output *out, const void *octets, size_t len)
{
	if (len > sizeof out->buf - out->len && output_flush(out) < 0)
		return -1;
	if (len >= sizeof out->buf / 2 && out->len == 0)
		return write_all(out->fd, octets, len);
	memcpy(out->buf + out->len, octets, len);
	out->len += len;
	return 0;
}
