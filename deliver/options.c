/* options.c -- see options.h. */
#include "options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "fault.h"

static _Noreturn void
usage(void)
{
	(void)fputs(
	    "usage: deliver [-LmQx] [-c fd] [-e extension] [-f sender] [-n unique] [-q size] "
	    "[-r recipient] [-u user] mailbox ...\n",
	    stderr);
	exit(EX_USAGE);
}

/* An address goes into a header line: no control octets, and no end to it. */
static const char *
address(const char *text)
{
	if (strlen(text) > ADDRESS_MAX)
		die(EX_USAGE, "an address of more than %d octets", ADDRESS_MAX);
	for (const char *c = text; *c != 0; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			die(EX_USAGE, "an address with a control character");
	return text;
}

static int
descriptor(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	struct stat st;

	if (!isdigit((unsigned char)*text) || *end != 0 || n > 65535 || fstat((int)n, &st) < 0 ||
	    !S_ISSOCK(st.st_mode))
		die(EX_USAGE, "-c %s: not a socket", text);
	return (int)n;
}

/* The first part of a file name. */
static const char *
unique(const char *text)
{
	if (*text == 0 || *text == '.' || strlen(text) > UNIQUE_MAX - SIZE_TAG_MAX - HOST_MAX - 1)
		die(EX_USAGE, "-n %s: not the start of a file name", text);
	for (const char *c = text; *c != 0; c++)
		if (!isalnum((unsigned char)*c) && *c != '.')
			die(EX_USAGE, "-n %s: want letters, digits and dots", text);
	return text;
}

/* What stands behind a "+" in an address; it becomes the name of a directory. */
static const char *
extension(const char *text)
{
	if (*text == 0 || *text == '.' || *text == '-' || strlen(text) > EXTENSION_MAX)
		die(EX_USAGE, "-e %s: not the name of a folder", text);
	for (const char *c = text; *c != 0; c++)
		if ((unsigned char)*c < 0x80 && !isalnum((unsigned char)*c) &&
		    strchr("._+=-", *c) == NULL)
			die(EX_USAGE, "-e %s: want letters, digits and ._+=-", text);
	return text;
}

static int64_t
size(const char *text)
{
	int64_t n = 0;

	for (const char *c = text; *c != 0; c++) {
		if (*c < '0' || *c > '9')
			die(EX_USAGE, "-q %s: not a size", text);
		/* RFC 1870: up to 20 digits, and so more than there can be. */
		n = n > INT64_MAX / 10 - 1 ? INT64_MAX / 10 : n * 10 + (*c - '0');
	}
	if (*text == 0)
		die(EX_USAGE, "-q: not a size");
	return n;
}

static void
add_recipient(struct job *job, const char *text)
{
	if (job->recipients_count == RECIPIENTS_MAX)
		die(EX_USAGE, "more than %d recipients", RECIPIENTS_MAX);
	job->recipients[job->recipients_count++] = address(text);
}

/* What is left of the command line. */
static void
mailboxes(struct job *job, char *const *paths, size_t count)
{
	job->paths = paths;
	job->count = count;
	if (count > MAILBOXES_MAX)
		die(EX_USAGE, "more than %d mailboxes", MAILBOXES_MAX);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(paths[i], paths[j]) == 0)
				die(EX_USAGE, "%s: named twice", paths[i]);
}

static void
flag(struct job *job, int option)
{
	switch (option) {
	case 'L':
		job->need_landlock = true;
		break;
	case 'm':
		job->make = true;
		break;
	case 'Q':
		job->full_for_good = true;
		break;
	case 'x':
		job->take_back = true;
		break;
	default:
		usage();
	}
}

void
options_parse(struct job *job, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "LQmxc:e:f:n:q:r:u:")) != -1) {
		switch (option) {
		case 'c':
			job->hand = descriptor(optarg);
			break;
		case 'e':
			job->extension = extension(optarg);
			break;
		case 'f':
			job->sender = address(optarg);
			break;
		case 'n':
			job->unique = unique(optarg);
			break;
		case 'q':
			job->ask = true;
			job->size = size(optarg);
			break;
		case 'r':
			add_recipient(job, optarg);
			break;
		case 'u':
			job->user = optarg;
			break;
		default:
			flag(job, option);
		}
	}
	if (optind == argc || (job->take_back && (job->ask || job->unique == NULL)))
		usage();
	mailboxes(job, argv + optind, (size_t)(argc - optind));
}

void
options_next(struct job *job, const char *text, size_t len)
{
	const char *end = text + len;

	job->unique = unique(text);
	text += strlen(text) + 1;
	if (text == end)
		die(EX_USAGE, "a message without a sender");
	job->sender = address(text);
	job->recipients_count = 0;
	while ((text += strlen(text) + 1) < end)
		add_recipient(job, text);
}
