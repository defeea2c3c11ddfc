/*
 * aliases.h -- aliases(5): what stands in the place of a user.  Trusted side.
 *
 * Reading is pure, octets in, one record out; only aliases_find() opens a file.
 */
#ifndef ALIASES_H
#define ALIASES_H

#include <stdbool.h>
#include <stddef.h>

#include "limits.h"
#include "request.h"

enum alias_kind {
	ALIAS_NONE,  /* the file was read to its end, and has no such name */
	ALIAS_PATH,  /* text: a user, or user@domain */
	ALIAS_ERROR, /* text: a reply, with an enhanced code in front */
	ALIAS_WRONG, /* what the file means cannot be told */
};

struct alias {
	enum alias_kind kind;
	enum verdict verdict; /* of ALIAS_ERROR: later, never, moved */
	const char *why;      /* of ALIAS_WRONG: for the administrator */
	unsigned line;        /* where it stands; 0: the file cannot be read */
	char text[ANSWER_TEXT_MAX + 1];
};

/* A file that is being read for one name. */
struct aliases {
	size_t name_len;
	char name[LOCAL_MAX + 1]; /* in small letters, without quotes */
	const char *why;
	bool begun;        /* there was a name: a line that begins with a blank continues it */
	bool ours;         /* it was the name that is looked for */
	bool done;         /* and what it stands for is whole */
	unsigned line, at; /* lines so far; where our name stands */
	size_t len, target_len;
	char text[ALIAS_LINE_MAX]; /* of the line so far */
	char target[ALIAS_TARGET_MAX + 1];
};

/* Begin to look for a local part, as RFC 5321 4.1.2 writes it, at most LOCAL_MAX octets. */
void aliases_begin(struct aliases *aliases, const char *local);

/* The next octets of the file.  False when no more are needed. */
bool aliases_read(struct aliases *aliases, const char *octets, size_t len);

/* The end of the file, or of what is needed of it. */
void aliases_end(struct aliases *aliases, struct alias *alias);

/* Look a local part up in a file, which is read to the first line that has it. */
void aliases_find(const char *path, const char *local, struct alias *alias);

#endif
