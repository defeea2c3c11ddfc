/*
 * fuzz_identity.c -- a file in the form of passwd(5), read a block at a time, and getent's answer, against
 * a reading of the whole text: the first line of that name with all its fields, or what is wrong.
 *
 * Input: two octets for the length of a line that stands before the file, so that a block may end
 * anywhere in that; one for the pieces; a line with the name; the file.
 */
#include <fcntl.h>
#include <limits.h>

#include "fuzz.h"

/* The file is here, and takes the place of the system's. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

static int open_here(const char *path, int flags);
static ssize_t feed(void *octets, size_t size);

#define open(path, flags)      open_here(path, flags)
#define read(fd, octets, size) feed(octets, size)
#define close(fd)              0
#include "../sandbox/identity.c" /* for what stands between the file and its functions */
#undef open
#undef read
#undef close

enum {
	BLOCK_OCTETS = sizeof((struct table *)NULL)->block,
	FILE_MOST = 65536 + 8192,
	NAME_MOST = 255
};

static struct input file;
static unsigned cuts;

static int
open_here(const char *path, int flags)
{
	demand(strcmp(path, "/etc/passwd") == 0 && flags == (O_RDONLY | O_CLOEXEC),
	    "identity: another file");
	return 0;
}

static ssize_t
feed(void *octets, size_t size)
{
	demand(size > 0, "identity: a block without room");
	return (ssize_t)input_read(&file, &cuts, octets, size);
}

/* ---- as it should be --------------------------------------------------------------------------- */

/* A number below that of nobody at all. */
static bool
is_number(const char *text, unsigned *number)
{
	unsigned long long n = 0;

	if (*text == 0 || strspn(text, "0123456789") != strlen(text))
		return false;
	for (; *text != 0; text++) {
		n = n * 10 + (unsigned)(*text - '0');
		if (n >= UINT_MAX)
			return false;
	}
	*number = (unsigned)n;
	return true;
}

/* "name:password:uid:gid:comment:home", more or nothing behind it. */
static enum identity_found
understand(const char *line, const char *name, struct identity *who)
{
	static char home[FILE_MOST + 1];
	const char *field[6] = {line};
	char number[2][32];

	for (int i = 1; i < 6; i++) {
		const char *colon = strchr(field[i - 1], ':');
		if (colon == NULL)
			return IDENTITY_NONE;
		field[i] = colon + 1;
	}
	if (strcspn(line, ":") != strlen(name) || strncmp(line, name, strlen(name)) != 0)
		return IDENTITY_NONE;
	for (int i = 0; i < 2; i++) { /* leading zeros would not have room */
		const char *text = field[2 + i];
		size_t len = strcspn(text, ":"), zeros = strspn(text, "0");
		zeros = len > 0 && zeros == len ? len - 1 : zeros;
		(void)snprintf(number[i], sizeof *number, "%.*s", (int)(len - zeros), text + zeros);
	}
	size_t len = strcspn(field[5], ":");
	memcpy(home, field[5], len);
	home[len] = 0;
	if (!is_number(number[0], &who->uid) || !is_number(number[1], &who->gid) ||
	    len >= sizeof who->home)
		return IDENTITY_UNKNOWN;
	(void)strcpy(who->home, home);
	return IDENTITY_FOUND;
}

/* A line with its end that is longer than a block cannot be read; what stands before it can. */
static enum identity_found
expect(const char *text, size_t len, const char *name, struct identity *who)
{
	static char line[FILE_MOST + 1];

	for (size_t at = 0, n; at < len; at += n + 1) {
		const char *lf = memchr(text + at, '\n', len - at);
		n = lf != NULL ? (size_t)(lf - text) - at : len - at;
		if (n >= BLOCK_OCTETS)
			return IDENTITY_UNKNOWN;
		memcpy(line, text + at, n);
		line[n] = 0;
		enum identity_found found = understand(line, name, who);
		if (found != IDENTITY_NONE)
			return found;
	}
	return IDENTITY_NONE;
}

/* ---- one and the other ------------------------------------------------------------------------- */

static void
same(enum identity_found want, const struct identity *a, enum identity_found got,
    const struct identity *b)
{
	demand(got == want, "identity: found or not, wrongly");
	demand(want != IDENTITY_FOUND || (a->uid == b->uid && a->gid == b->gid &&
					     a->uid != (uid_t)-1 && strcmp(a->home, b->home) == 0),
	    "identity: somebody else");
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static char text[FILE_MOST + 1], name[NAME_MOST + 1];
	struct identity want = {0}, got = {0};
	struct input in = {data, size};

	if (size > 4096)
		return 0;
	size_t filler = input_octet(&in) << 8;
	filler |= input_octet(&in);
	cuts = input_octet(&in);
	(void)input_line(&in, name, sizeof name);
	if (in.len > 0)
		memcpy(text, in.at, in.len);
	text[in.len] = 0;

	char *line = strdup(text);
	demand(line != NULL, "identity: no memory");
	line[strcspn(line, "\n")] = 0;
	enum identity_found found = understand(line, name, &want);
	found = found == IDENTITY_NONE ? IDENTITY_UNKNOWN : found;
	same(found, &want, identity_read(line, name, &got), &got);
	free(line);

	size_t begin = filler + (filler > 0);
	memset(text, ':', filler);
	text[filler] = '\n';
	if (in.len > 0)
		memcpy(text + begin, in.at, in.len);
	file = (struct input){(unsigned char *)text, begin + in.len};
	found = expect(text, file.len, name, &want);
	same(found, &want, identity_find(name, &got), &got);
	return 0;
}
