/*
 * fuzz_mbox.c -- a message appended to an mbox, in pieces of any size: a reader of mboxrd, which knows
 * nothing of how it was written, finds what was there before, and one entry more, whose text without
 * the quoting is the message.  What is taken back leaves the file as it was.
 *
 * Input: an octet, 1 to take it back and 2 for no sender; one for the cuts; two for the length of a
 * line that stands before the message, so that a buffer may end anywhere in that; one for how many
 * octets are in the mbox; a line for the sender; the mbox; the message.
 */
#include "../deliver/mbox.h"

#include <stdint.h>
#include <time.h>

#include "fuzz.h"
#include "fuzz_place.h"

enum {
	BEFORE_MOST = 255,
	MESSAGE_MOST = 65536 + 8192,
	FILE_MOST = BEFORE_MOST + 3 * MESSAGE_MOST + ADDRESS_MAX + 64 /* a '>' for each "From " */
};

struct text {
	size_t len;
	unsigned char *octets;
};

static char name[PLACE_PATH], lock[PLACE_PATH];

/* ---- as a reader of mboxrd has it -------------------------------------------------------------- */

/* The length of the line at the start, its end included. */
static size_t
line_of(struct text t)
{
	const unsigned char *lf = t.len > 0 ? memchr(t.octets, '\n', t.len) : NULL;

	return lf != NULL ? (size_t)(lf - t.octets) + 1 : t.len;
}

static struct text
behind(struct text t, size_t len)
{
	return (struct text){t.len - len, t.octets + len};
}

static bool
is_from(struct text t)
{
	return t.len >= 5 && memcmp(t.octets, "From ", 5) == 0;
}

/* How many entries there are: "From " at the start, and behind each empty line. */
static unsigned
entries(struct text t)
{
	unsigned count = 0;
	bool empty = true;

	while (t.len > 0) {
		size_t n = line_of(t);
		count += empty && is_from(t);
		empty = n == 1 && t.octets[0] == '\n';
		t = behind(t, n);
	}
	return count;
}

/* Of the lines of an entry one '>' is taken from each that has at least one before "From ". */
static size_t
unquote(struct text entry, unsigned char *out)
{
	size_t len = 0;

	while (entry.len > 0) {
		size_t n = line_of(entry), marks = 0;
		demand(!is_from(entry), "mbox: a line of the message begins an entry");
		while (marks < n && entry.octets[marks] == '>')
			marks++;
		bool quoted = marks > 0 && is_from(behind(entry, marks));
		memcpy(out + len, entry.octets + quoted, n - quoted);
		len += n - quoted;
		entry = behind(entry, n);
	}
	return len;
}

/* "From sender date", the sender in one word of ASCII; its length. */
static size_t
check_postmark(struct text t, const char *sender, time_t begin)
{
	char want[ADDRESS_MAX + 16] = "", line[ADDRESS_MAX + 64];
	struct tm tm = {0};
	size_t n = line_of(t), word = 0;

	if (sender == NULL || *sender == 0)
		sender = "MAILER-DAEMON";
	for (; sender[word] != 0; word++)
		want[word] = strchr(" \t\n\v\f\r", sender[word]) != NULL || sender[word] < ' ' ||
				     sender[word] > '~'
				 ? '-'
				 : sender[word];
	demand(n < sizeof line && n > word + 6 && is_from(t) && t.octets[n - 1] == '\n' &&
		   memcmp(t.octets + 5, want, word) == 0 && t.octets[5 + word] == ' ',
	    "mbox: another postmark");
	memcpy(line, t.octets, n);
	line[n - 1] = 0;
	const char *end = strptime(line + 6 + word, "%a %b %e %H:%M:%S %Y", &tm);
	time_t when = timegm(&tm);
	demand(
	    end != NULL && *end == 0 && n - 7 - word == 24 && when >= begin && when <= time(NULL),
	    "mbox: another date");
	return n;
}

static void
check(struct text file, struct text before, struct text message, const char *sender, time_t begin)
{
	static unsigned char plain[FILE_MOST];
	size_t at = before.len;

	demand(file.len > at && (at == 0 || memcmp(file.octets, before.octets, at) == 0),
	    "mbox: what was there before has changed");
	while (at < file.len && file.octets[at] == '\n')
		at++;
	demand(entries(file) == entries((struct text){at, file.octets}) + 1,
	    "mbox: it is not one entry more");
	demand(at - before.len <= 2 && (at == before.len || before.octets[before.len - 1] != '\n' ||
					   at - before.len == 1),
	    "mbox: more empty lines than are needed");
	struct text entry = behind(file, at);
	entry = behind(entry, check_postmark(entry, sender, begin));
	size_t len = unquote(entry, plain);
	demand(len >= 1 && plain[len - 1] == '\n' && (len == 1 || plain[len - 2] == '\n'),
	    "mbox: the entry does not end in an empty line");
	len--;
	bool ended = message.len == 0 || message.octets[message.len - 1] == '\n';
	demand(len == message.len + !ended && memcmp(plain, message.octets, message.len) == 0,
	    "mbox: another message");
}

/* ---- as it is ---------------------------------------------------------------------------------- */

/* The first `whole` octets in one piece. */
static void
append(struct mbox *m, const char *sender, struct text message, size_t whole, unsigned cuts)
{
	demand(mbox_open(m, name) == FAULT_NONE && mbox_begin(m, sender) == FAULT_NONE,
	    "mbox: cannot be begun");
	for (size_t n = whole; message.len > 0; n = input_piece(&cuts, message.len)) {
		demand(mbox_write(m, message.octets, n) == FAULT_NONE, "mbox: cannot be written");
		message = behind(message, n);
	}
	demand(mbox_stage(m) == FAULT_NONE, "mbox: cannot be staged");
}

/* Nobody holds either lock. */
static void
check_locks(void)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(name, O_RDWR | O_CLOEXEC);

	demand(fd >= 0 && fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type == F_UNLCK &&
		   close(fd) == 0 && access(lock, F_OK) < 0,
	    "mbox: is locked");
}

static void
end(struct mbox *m)
{
	check_locks();
	demand(close(m->out.fd) == 0 && close(m->dir) == 0 && unlink(name) == 0, "mbox: no end");
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static unsigned char message[MESSAGE_MOST], octets[FILE_MOST];
	static char line[ADDRESS_MAX + 1];
	static struct mbox m;
	struct input in = {data, size};

	if (size > 4096)
		return 0;
	(void)place_path(name, "inbox");
	(void)place_path(lock, "inbox.lock");
	unsigned how = input_octet(&in), cuts = input_octet(&in);
	size_t filler = input_octet(&in) << 8;
	filler |= input_octet(&in);
	size_t most = input_octet(&in);
	const char *sender = input_line(&in, line, sizeof line);
	sender = how & 2 ? NULL : sender;
	struct text before = {most < in.len ? most : in.len, (unsigned char *)(uintptr_t)in.at};
	memset(message, 'x', filler);
	message[filler] = '\n';
	filler += filler > 0;
	if (in.len > before.len)
		memcpy(message + filler, in.at + before.len, in.len - before.len);

	const struct text whole = {filler + in.len - before.len, message};
	place_file(name, before.octets, before.len);
	time_t begin = time(NULL);
	append(&m, sender, whole, filler, cuts);
	struct text file = {place_content(name, octets, sizeof octets), octets};
	check(file, before, whole, sender, begin);
	if (how & 1)
		mbox_undo(&m);
	else
		mbox_keep(&m);
	size_t len = place_content(name, octets, sizeof octets);
	demand(len == (how & 1 ? before.len : file.len) &&
		   (before.len == 0 || memcmp(octets, before.octets, before.len) == 0),
	    "mbox: is cut back, or not, wrongly");
	end(&m);
	return 0;
}
