/*
 * fuzz_quota.c -- a maildirsize that a user or any other program wrote, and a file in the Maildir of any
 * name: whether a message fits, when the Maildir is counted anew, and what is in the file after that,
 * against a reading of the format that does its sums in 128 bits.
 *
 * Input: an octet, of enum how added; a line with the size of the message; one with the name of the
 * file in the Maildir, which holds FILE_SIZE octets; the maildirsize.
 */
#include "../deliver/quota.h"

#include <inttypes.h>
#include <sys/time.h>

#include "../deliver/limits.h"
#include "fuzz.h"
#include "fuzz_place.h"

enum how {
	HOW_NOTE = 1,    /* it is noted if it fits, not only asked for */
	HOW_STANDS = 2,  /* and stands, or is struck out */
	HOW_OLD = 4,     /* the maildirsize was last written long ago */
	HOW_PENDING = 8, /* somebody has noted what cannot be seen yet */
	HOW_CUR = 16,    /* the file is in cur/ */
	HOW_FOLDER = 32  /* of a folder */
};

enum {
	FILE_SIZE = 7,
	CONTENT_MAX = 8192
};

/* A sum beyond any disk. */
typedef __int128 wide;

static char name[PLACE_PATH];

/* ---- as the format has it ---------------------------------------------------------------------- */

/* Decimal digits; how many there are. */
static size_t
digits(const char *text, size_t len, wide *value)
{
	size_t n = 0;

	for (*value = 0; n < len && text[n] >= '0' && text[n] <= '9'; n++)
		if (*value < (wide)INT64_MAX * 10)
			*value = *value * 10 + (text[n] - '0');
	return n;
}

/* The last number before that letter.  Whoever writes 20 digits means no limit that could be met. */
static wide
limit(const char *line, size_t len, char letter)
{
	wide value = 0, number;

	for (size_t at = 0, n; at < len; at += n + 1) {
		n = digits(line + at, len - at, &number);
		if (at + n < len && line[at + n] == letter)
			value = number / 10 >= INT64_MAX / 10 ? INT64_MAX / 10 : number;
	}
	return value;
}

/* A number of a line, with blanks before it; its length, or 0. */
static size_t
number(const char *text, size_t len, wide *value)
{
	size_t blanks = 0, n;

	while (blanks < len && (text[blanks] == ' ' || text[blanks] == '\t'))
		blanks++;
	bool minus = blanks < len && text[blanks] == '-';
	n = digits(text + blanks + minus, len - blanks - minus, value);
	if (n == 0 || *value / 10 >= INT64_MAX / 10)
		return 0;
	*value = minus ? -*value : *value;
	return blanks + minus + n;
}

struct sums {
	bool limited;  /* there is a first line */
	bool believed; /* what follows can be, too */
	size_t head;
	wide most_octets, most_files, octets, files;
	unsigned lines;
};

static bool
add(struct sums *s, const char *line, size_t len)
{
	wide octets, files;
	size_t one = number(line, len, &octets);
	size_t other = one == 0 ? 0 : number(line + one, len - one, &files);

	for (size_t at = one + other; at < len; at++)
		if (strchr(" \t\r", line[at]) == NULL || line[at] == 0)
			return false;
	if (other == 0)
		return false;
	s->octets += octets;
	s->files += files;
	s->lines++;
	return s->octets == (int64_t)s->octets && s->files == (int64_t)s->files;
}

static void
read_sums(struct sums *s, const char *text, size_t len)
{
	*s = (struct sums){0};
	bool whole = len < QUOTA_FILE_MAX;
	len = whole ? len : QUOTA_FILE_MAX;
	const char *lf = len > 0 ? memchr(text, '\n', len) : NULL;
	if (lf == NULL || lf == text)
		return;
	s->limited = true;
	s->head = (size_t)(lf - text);
	s->most_octets = limit(text, s->head, 'S');
	s->most_files = limit(text, s->head, 'C');
	for (const char *line = lf + 1; line < text + len; line = lf + 1) {
		lf = memchr(line, '\n', len - (size_t)(line - text));
		if (lf == NULL || !add(s, line, (size_t)(lf - line)))
			return;
	}
	s->believed = whole && s->lines > 0 && s->octets >= 0 && s->files >= 0;
}

static bool
is_full(const struct sums *s, wide size)
{
	return (s->most_octets > 0 && s->octets + size > s->most_octets) ||
	       (s->most_files > 0 && s->files + 1 > s->most_files);
}

/* What a file of that name adds to a count. */
static void
count(struct sums *s, const char *file)
{
	const char *told = strstr(file, ",S="), *flags = strstr(file, ":2,");
	wide size;

	s->octets = s->files = 0;
	s->lines = 1;
	if (file[0] == 0 || file[0] == '.' ||
	    (flags != NULL &&
		memchr(flags, 'T', 3 + strspn(flags + 3, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")) != NULL))
		return;
	s->files = 1;
	s->octets = FILE_SIZE;
	if (told == NULL || memchr(file, ':', (size_t)(told - file)) != NULL)
		return;
	size_t n = digits(told + 3, strlen(told + 3), &size);
	if (n > 0 && size / 10 < INT64_MAX / 10 && strchr(",:", told[3 + n]) != NULL)
		s->octets = size;
}

/* ---- what is there ----------------------------------------------------------------------------- */

static void
make_place(void)
{
	static bool made;

	for (int i = 0; i < 6 && !made; i++) {
		static const char *const names[] = {"tmp", "new", "cur", ".f", ".f/new", ".f/cur"};
		demand(mkdir(place_path(name, names[i]), 0700) == 0, "no Maildir");
	}
	made = true;
	(void)place_path(name, "maildirsize");
}

/* A file, if there can be one of that name; `path` is "" if not. */
static void
make_file(unsigned how, char *file, char path[PLACE_PATH])
{
	char in[UNIQUE_MAX + 16];

	for (char *c = file; *c != 0; c++)
		*c = *c == '/' ? '_' : *c;
	path[0] = 0;
	if (file[0] == 0 || strcmp(file, ".") == 0 || strcmp(file, "..") == 0) {
		file[0] = 0;
		return;
	}
	(void)snprintf(in, sizeof in, "%s%s/%s", how & HOW_FOLDER ? ".f/" : "",
	    how & HOW_CUR ? "cur" : "new", file);
	place_file(place_path(path, in), "1234567", FILE_SIZE);
}

static void
make_ledger(unsigned how, const struct input *in)
{
	const struct timeval old[2] = {{1000000000, 0}, {1000000000, 0}}; /* in 2001 */

	place_file(name, in->at, in->len);
	demand((how & HOW_OLD) == 0 || utimes(name, old) == 0, "no old file");
}

static int
hold_pending(unsigned how)
{
	struct flock one = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};
	int fd = open(name, O_RDWR | O_CLOEXEC);

	demand(
	    fd >= 0 && ((how & HOW_PENDING) == 0 || fcntl(fd, F_OFD_SETLK, &one) == 0), "no lock");
	return fd;
}

/* ---- one and the other ------------------------------------------------------------------------- */

/* What is to be said, and in `text` what is to be in the file; returns its length. */
static enum fault
expect(unsigned how, int64_t size, const char *file, char text[CONTENT_MAX + 256], size_t *len)
{
	struct sums s;
	enum fault fault = FAULT_NONE;

	read_sums(&s, text, *len);
	if (!s.limited)
		return FAULT_NONE;
	bool doubtful = is_full(&s, size) && (s.lines > 1 || (how & HOW_OLD) != 0);
	if (doubtful && s.believed && (how & HOW_PENDING) != 0)
		return FAULT_FULL_NOW;
	if (doubtful || !s.believed) {
		count(&s, file);
		*len = s.head + 1 +
		       (size_t)sprintf(text + s.head + 1, "%" PRId64 " %" PRId64 "\n",
			   (int64_t)s.octets, (int64_t)s.files);
	}
	if (is_full(&s, size))
		fault = FAULT_FULL;
	if (fault == FAULT_NONE && (how & HOW_NOTE) != 0)
		*len += (size_t)sprintf(text + *len, "%" PRId64 " 1\n", size);
	if (fault == FAULT_NONE && (how & HOW_NOTE) != 0 && (how & HOW_STANDS) == 0)
		*len += (size_t)sprintf(text + *len, "%" PRId64 " -1\n", -size);
	return fault;
}

static enum fault
run(unsigned how, int64_t size)
{
	char path[PLACE_PATH];
	struct quota q;
	enum fault fault;

	int root = open(place_path(path, "."), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	demand(root >= 0 && quota_open(&q, root, &fault), "quota: cannot be opened");
	fault = how & HOW_NOTE ? quota_note(&q, size) : quota_ask(&q, size);
	demand(!q.locked, "quota: is locked");
	demand(quota_hold(&q) == FAULT_NONE, "quota: cannot be held");
	quota_release(&q, (how & HOW_STANDS) != 0);
	demand((q.fd < 0 || close(q.fd) == 0) && close(root) == 0, "quota: no end");
	return fault;
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static char want[CONTENT_MAX + 256], got[CONTENT_MAX + 256];
	char line[32], file[UNIQUE_MAX + 1], path[PLACE_PATH];
	struct input in = {data, size};

	if (size > CONTENT_MAX)
		return 0;
	make_place();
	unsigned how = input_octet(&in);
	int64_t octets = (int64_t)(strtoull(input_line(&in, line, sizeof line), NULL, 10) >> 1);
	make_file(how, input_line(&in, file, sizeof file), path);
	make_ledger(how, &in);
	int pending = hold_pending(how);
	size_t len = in.len;
	if (len > 0)
		memcpy(want, in.at, len);

	enum fault fault = expect(how, octets, file, want, &len);
	demand(run(how, octets) == fault, "quota: another verdict");
	demand(place_content(name, got, sizeof got) == len && memcmp(got, want, len) == 0,
	    "quota: another maildirsize");
	demand(close(pending) == 0 && unlink(name) == 0 && (path[0] == 0 || unlink(path) == 0),
	    "quota: no end");
	return 0;
}
