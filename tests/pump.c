/*
 * pump.c -- the whole session, its pump included, as one function: what a client sends, cut into reads
 * as one likes, gives the same replies and the same messages.
 *
 *   pump SEED N FILE ...   NAME.in or NAME.raw: at once, octet by octet, at every cut in two, and N
 *                          times at random
 *
 * The session's read and write are ours; what it writes to the monitor is answered yes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static ssize_t pump_read(int fd, void *octets, size_t len);
static ssize_t pump_write(int fd, const void *octets, size_t len);
static _Noreturn void pump_exit(int status);

#define read  pump_read
#define write pump_write
#define _exit pump_exit
#include "../smtp-stdio/session.c"
#include "slurp.h"
#undef read
#undef write
#undef _exit

enum {
	ROOM_FOR_ALL = 1 << 20
};

/* What came of a run: replies, and packets with those of a message joined.  Those of a message that is
   dropped are left out, because how many there were depends on the cuts. */
struct outcome {
	size_t replies_len, packets_len, body_at;
	unsigned char replies[ROOM_FOR_ALL], packets[ROOM_FOR_ALL];
	bool in_body;
	int status;
};

static struct {
	const unsigned char *in;
	size_t len, at;
	size_t cut;              /* the first read ends here; 0: no cut */
	size_t most;             /* octets of a read */
	unsigned long long seed; /* of random reads; 0: none */
	unsigned char answer[ANSWER_MAX];
	size_t answer_len;
	struct outcome *outcome;
	jmp_buf end;
} pump;

static unsigned long runs;

static size_t
read_size(size_t len)
{
	size_t n = pump.len - pump.at;

	if (pump.at < pump.cut)
		n = pump.cut - pump.at;
	if (pump.seed != 0) {
		pump.seed = pump.seed * 6364136223846793005ULL + 1442695040888963407ULL;
		n = 1 + (size_t)(pump.seed >> 33) % ((pump.seed >> 20) % 4 == 0 ? 5000 : 40);
	}
	if (n > pump.most)
		n = pump.most;
	if (n > pump.len - pump.at)
		n = pump.len - pump.at;
	return n < len ? n : len;
}

static ssize_t
pump_read(int fd, void *octets, size_t len)
{
	size_t n = fd == SESSION_IN ? read_size(len) : pump.answer_len;

	if (fd == SESSION_IN) {
		memcpy(octets, pump.in + pump.at, n);
		pump.at += n;
		return (ssize_t)n;
	}
	if (n == 0 || n > len)
		abort(); /* it asks for an answer to nothing */
	memcpy(octets, pump.answer, n);
	pump.answer_len = 0;
	return (ssize_t)n;
}

static void
put_down(unsigned char *to, size_t *at, const void *octets, size_t len)
{
	if (len > ROOM_FOR_ALL - *at)
		abort();
	memcpy(to + *at, octets, len);
	*at += len;
}

static ssize_t
pump_write(int fd, const void *octets, size_t len)
{
	struct outcome *o = pump.outcome;
	const unsigned char *packet = octets;
	struct request request;
	struct answer answer;

	if (fd == SESSION_OUT) {
		put_down(o->replies, &o->replies_len, octets, len);
		return (ssize_t)len;
	}
	if (fd != SESSION_MONITOR || !request_decode(packet, len, &request) || pump.answer_len != 0)
		abort();
	if (request.letter == REQUEST_NOTE && request.data[0] == NOTE_REFUSED)
		return (ssize_t)len; /* of a message that is dropped */
	bool body = request.letter == REQUEST_BODY;
	if (body && !o->in_body)
		o->body_at = o->packets_len;
	if (o->in_body && request.letter == REQUEST_RESET)
		o->packets_len = o->body_at;
	put_down(
	    o->packets, &o->packets_len, packet + (body && o->in_body), len - (body && o->in_body));
	o->in_body = body;
	answer_set(&answer, VERDICT_YES, request.letter == REQUEST_END ? "2.0.0 ID delivered" : "");
	if (strchr("FRVLEP", (char)request.letter) != NULL)
		pump.answer_len = answer_encode(pump.answer, &answer);
	return (ssize_t)len;
}

static _Noreturn void
pump_exit(int status)
{
	pump.outcome->status = status;
	longjmp(pump.end, 1);
}

static void
run(struct outcome *outcome, const struct session_settings *settings)
{
	runs++;
	memset(&session, 0, sizeof session);
	pump.outcome = outcome;
	pump.at = pump.answer_len = 0;
	outcome->replies_len = outcome->packets_len = 0;
	outcome->in_body = false;
	outcome->status = 0;
	if (setjmp(pump.end) == 0)
		session_run(settings);
}

static bool
same(const struct outcome *a, const struct outcome *b)
{
	return a->status == b->status && a->replies_len == b->replies_len &&
	       a->packets_len == b->packets_len &&
	       memcmp(a->replies, b->replies, a->replies_len) == 0 &&
	       memcmp(a->packets, b->packets, a->packets_len) == 0;
}

static struct outcome whole, other;

static bool
try_cut(const char *path, const struct session_settings *settings, size_t cut, size_t most,
    unsigned long long seed)
{
	pump.cut = cut;
	pump.most = most;
	pump.seed = seed;
	run(&other, settings);
	if (same(&whole, &other))
		return true;
	printf("%s: cut at %zu, reads of %zu at most, seed %llu: another outcome\n", path, cut,
	    most, seed);
	return false;
}

/* What of a NAME.conf concerns the session. */
static void
read_conf(const char *path, struct smtp_settings *settings)
{
	char line[256], key[64], value[128];
	FILE *file = fopen(path, "r");

	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		if (sscanf(line, "%63s %127s", key, value) != 2)
			continue;
		if (strcmp(key, "Protocol") == 0)
			settings->protocol = strcmp(value, "lmtp") == 0 ? SMTP_LMTP : SMTP_SMTP;
		else if (strcmp(key, "Users") == 0 && strcmp(value, "none") == 0)
			settings->protocol = SMTP_NULL;
		else if (strcmp(key, "Newlines") == 0)
			settings->normalize = strcmp(value, "normalize") == 0;
		else if (strcmp(key, "SizeLimit") == 0)
			settings->size_limit = strtoull(value, NULL, 10);
		else if (strcmp(key, "ErrorLimit") == 0)
			settings->error_limit = (unsigned)strtoul(value, NULL, 10);
	}
	if (file != NULL)
		(void)fclose(file);
}

static bool
dialogue(const char *path, unsigned long long seed, unsigned long random)
{
	static unsigned char in[ROOM_FOR_ALL];
	char conf[256];
	struct session_settings settings = {.smtp = {.hostname = "mx.test",
						.size_limit = SIZE_DEFAULT,
						.octets_limit = OCTETS_DEFAULT,
						.recipient_limit = RECIPIENTS_DEFAULT,
						.message_limit = MESSAGES_DEFAULT,
						.error_limit = ERRORS_DEFAULT}};

	const char *dot = strrchr(path, '.');
	(void)snprintf(conf, sizeof conf, "%.*s.conf", (int)(dot - path), path);
	read_conf(conf, &settings.smtp);
	pump.in = in;
	pump.len = slurp(path, strcmp(dot, ".in") == 0, in, sizeof in);
	pump.cut = pump.seed = 0;
	pump.most = ROOM_FOR_ALL;
	run(&whole, &settings);
	bool ok = try_cut(path, &settings, 0, 1, 0);
	for (size_t at = 1; at < pump.len && ok; at++)
		ok = try_cut(path, &settings, at, ROOM_FOR_ALL, 0);
	for (unsigned long i = 0; i < random && ok; i++)
		ok = try_cut(path, &settings, 0, ROOM_FOR_ALL, seed + i * 2 + 1);
	return ok;
}

int
main(int argc, char **argv)
{
	int failed = 0;

	if (argc < 4) {
		(void)fprintf(stderr, "usage: pump SEED N FILE ...\n");
		return 64;
	}
	for (int i = 3; i < argc; i++)
		failed +=
		    !dialogue(argv[i], strtoull(argv[1], NULL, 10), strtoul(argv[2], NULL, 10));
	printf("seed %s: %d dialogues, %lu runs, %d wrong\n", argv[1], argc - 3, runs, failed);
	return failed > 0;
}
