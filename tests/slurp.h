/* slurp.h -- what engine.c and pump.c read their recorded dialogues with. */
#ifndef SLURP_H
#define SLURP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* A file's octets, with a CR before each LF if `crlf`; no more than `room`.  Exits if there is none. */
static size_t
slurp(const char *path, bool crlf, unsigned char *octets, size_t room)
{
	FILE *file = fopen(path, "rb");
	size_t n = 0;
	int c;

	if (file == NULL) {
		perror(path);
		exit(1);
	}
	while ((c = getc(file)) != EOF && n < room - 1) {
		if (c == '\n' && crlf)
			octets[n++] = '\r';
		octets[n++] = (unsigned char)c;
	}
	(void)fclose(file);
	return n;
}

#endif
