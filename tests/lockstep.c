/* lockstep.c -- see lockstep.h. */
#include "lockstep.h"

#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	DIALOGUE_MAX = 1 << 20
};

/* One reply, all its lines, into `to`; its code, 0 at the end. */
static int
hear(FILE *from, FILE *to)
{
	char line[1024];

	while (fgets(line, sizeof line, from) != NULL) {
		(void)fputs(line, to);
		if (strlen(line) > 3 && line[3] != '-')
			return atoi(line);
	}
	return 0;
}

/* Behind the next of these. */
static const char *
after(const char *text, const char *what)
{
	const char *at = strstr(text, what);

	if (at == NULL)
		errx(1, "the dialogue ends within a line or a message");
	return at + strlen(what);
}

void
lockstep(int fd, const char *dialogue, const char *replies)
{
	static const char line[] = "\r\n", message[] = "\r\n.\r\n";
	static char text[DIALOGUE_MAX + 1];
	FILE *in = fopen(dialogue, "r"), *to = fopen(replies, "w"), *from = fdopen(fd, "r");
	const char *at = text, *end;
	bool data = false; /* DATA was said */
	int code;

	if (in == NULL || to == NULL || from == NULL)
		err(1, "%s, %s", dialogue, replies);
	text[fread(text, 1, DIALOGUE_MAX, in)] = 0;
	while ((code = hear(from, to)) != 0 && *at != 0) {
		if (data && code != 354)
			at = after(at, message); /* nobody wants it */
		end = after(at, code == 354 ? message : line);
		data = strncmp(at, "DATA\r\n", 6) == 0;
		if (write(fd, at, (size_t)(end - at)) != end - at)
			break;
		at = end;
	}
	(void)shutdown(fd, SHUT_WR);
	while (hear(from, to) != 0)
		continue;
	if (fclose(in) != 0 || fclose(to) != 0)
		err(1, "%s", replies);
}
