/*
 * volatile.c -- a disk with a volatile write cache, as a plugin of nbdkit.
 *
 *   nbdkit volatile.so file=IMAGE reach=PERCENT
 *
 * Of the blocks that are written, PERCENT (0) reach IMAGE at once, and the others when the disk is told
 * to flush: a real one, too, may write its cache out in any order.  SIGKILL is the power cut.  What was
 * not flushed is then lost, or there in part.
 */
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_SERIALIZE_ALL_REQUESTS

enum {
	BLOCK =
	    4096, /* what disks of today write whole or not at all, and the file systems count on */
};

static char *file;
static int reach, fd = -1;
static int64_t size;
static unsigned char *cache; /* as large as the disk; the kernel gives memory for what is used */
static bool *held;           /* by block: it is in the cache alone */

static int
config(const char *key, const char *value)
{
	if (strcmp(key, "file") == 0)
		return (file = nbdkit_realpath(value)) == NULL ? -1 : 0;
	if (strcmp(key, "reach") == 0)
		return nbdkit_parse_int(key, value, &reach);
	nbdkit_error("there is no parameter %s", key);
	return -1;
}

static int
get_ready(void)
{
	struct stat st;

	if (file == NULL || (fd = open(file, O_RDWR | O_CLOEXEC)) < 0 || fstat(fd, &st) < 0) {
		nbdkit_error("file: %m");
		return -1;
	}
	size = st.st_size / BLOCK * BLOCK;
	srandom((unsigned)getpid());
	cache = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	held = calloc((size_t)(size / BLOCK), sizeof *held);
	return cache == MAP_FAILED || held == NULL ? -1 : 0;
}

static void *
opened(int readonly)
{
	(void)readonly;
	return NBDKIT_HANDLE_NOT_NEEDED;
}

static int64_t
get_size(void *handle)
{
	(void)handle;
	return size;
}

/* How much of a request that begins there lies in its first block. */
static uint32_t
piece(uint64_t at, uint32_t count)
{
	uint32_t left = BLOCK - (uint32_t)(at % BLOCK);

	return count < left ? count : left;
}

static int
get(void *handle, void *to, uint32_t count, uint64_t at, uint32_t flags)
{
	unsigned char *out = to;

	(void)handle, (void)flags;
	for (uint32_t n; count > 0; out += n, at += n, count -= n) {
		n = piece(at, count);
		if (held[at / BLOCK])
			memcpy(out, cache + at, n);
		else if (pread(fd, out, n, (off_t)at) != (ssize_t)n)
			return -1;
	}
	return 0;
}

static int
put(void *handle, const void *from, uint32_t count, uint64_t at, uint32_t flags)
{
	const unsigned char *in = from;

	(void)handle, (void)flags;
	for (uint32_t n; count > 0; in += n, at += n, count -= n) {
		uint64_t block = at / BLOCK, begin = block * BLOCK;
		n = piece(at, count);
		if (!held[block] && pread(fd, cache + begin, BLOCK, (off_t)begin) != BLOCK)
			return -1;
		memcpy(cache + at, in, n);
		held[block] = random() % 100 >= reach;
		if (!held[block] && pwrite(fd, cache + begin, BLOCK, (off_t)begin) != BLOCK)
			return -1;
	}
	return 0;
}

static int
flush(void *handle, uint32_t flags)
{
	(void)handle, (void)flags;
	for (uint64_t block = 0; block < (uint64_t)size / BLOCK; block++) {
		if (held[block] &&
		    pwrite(fd, cache + block * BLOCK, BLOCK, (off_t)(block * BLOCK)) != BLOCK)
			return -1;
		held[block] = false;
	}
	return 0;
}

static struct nbdkit_plugin plugin = {
    .name = "volatile",
    .config = config,
    .get_ready = get_ready,
    .open = opened,
    .get_size = get_size,
    .pread = get,
    .pwrite = put,
    .flush = flush,
};

NBDKIT_REGISTER_PLUGIN(plugin)
