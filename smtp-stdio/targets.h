/*
 * targets.h -- aliases(5): what stands behind a name, or in an :include: file.  Pure.
 */
#ifndef TARGETS_H
#define TARGETS_H

#include <stdbool.h>
#include <stddef.h>

#include "limits.h"
#include "request.h"

/* Targets that are being read. */
struct targets {
	bool list;                      /* of an :include: file: a line's end separates them */
	bool some;                      /* there was one before text[at] */
	unsigned line;                  /* of text[at] */
	size_t at, len;                 /* the next is read from text[at] */
	char text[ALIAS_ENTRY_MAX + 1]; /* no NUL but the one behind `len` octets */
};

enum target_kind {
	TARGET_END,     /* there are no more */
	TARGET_USER,    /* text: a local part, a Dot-string */
	TARGET_EXACT,   /* the same, written \user: not another alias */
	TARGET_ADDRESS, /* text: user@domain */
	TARGET_COMMAND, /* text: a line for the shell */
	TARGET_FILE,    /* text: a path that begins with a slash */
	TARGET_INCLUDE, /* text: the same */
	TARGET_ERROR,   /* text: a reply, with an enhanced code in front */
	TARGET_WRONG,   /* what it means cannot be told, nor what is behind it */
};

struct target {
	unsigned line;                   /* where it begins */
	enum verdict verdict;            /* of TARGET_ERROR: later, never, moved */
	const char *why;                 /* of TARGET_WRONG: for the administrator */
	char text[ALIAS_TARGET_MAX + 1]; /* printable ASCII, unless it is wrong */
};

/* The next target.  Behind a name there is at least one; an :include: file may have none, and has
   nothing but users and addresses. */
enum target_kind targets_next(struct targets *targets, struct target *target);

#endif
