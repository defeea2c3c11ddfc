/*
 * aliases.h -- aliases(5): what stands in the place of a name.  Trusted side.
 *
 * Reading is pure, octets in, an entry out; only aliases_find() and aliases_include() open a file.
 */
#ifndef ALIASES_H
#define ALIASES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "limits.h"
#include "targets.h"

/* A name that is looked for: user@domain, user in every domain, or @domain. */
struct alias_name {
	const char
	    *local; /* as RFC 5321 4.1.2 writes it, quoted or not, at most LOCAL_MAX; or "" */
	const char *domain; /* at most DOMAIN_MAX; or NULL */
};

enum alias_found {
	ALIAS_FOUND,
	ALIAS_NONE,  /* the file was read to its end, and has none of the names */
	ALIAS_WRONG, /* what the file means cannot be told */
};

struct alias_entry {
	const char *why; /* of ALIAS_WRONG: for the administrator */
	unsigned line;   /* where the name or the fault stands; 0: the file cannot be read */
	size_t name;     /* of ALIAS_FOUND: which of the names it is, from 0 */
	uid_t owner;     /* of the file */
	gid_t group;
	struct targets targets;
};

/*
 * Look names up, ALIAS_NAMES_MAX at most, of which the first that the file has counts, and of its lines
 * the first: the file is read to the end of that, and to its own if it does not have the first name.
 * A line above there that is none hides what is behind it: ALIAS_WRONG.
 */
enum alias_found aliases_find(
    const char *path, const struct alias_name names[], size_t count, struct alias_entry *entry);

/* The whole of an :include: file, which has no names. */
enum alias_found aliases_include(const char *path, struct alias_entry *entry);

/* ---- what the two look-ups are made of: pure ------------------------------------------------- */

/* A name without its quotes, as it is compared but for the case of its letters. */
struct alias_plain {
	size_t len; /* more than there is text: nobody looks for it */
	size_t at;  /* where the '@' before its domain is; len if there is none */
	char text[MAILBOX_MAX];
};

/* A file that is being read. */
struct aliases {
	struct alias_entry *entry;
	size_t count; /* of the names */
	struct alias_plain names[ALIAS_NAMES_MAX];
	size_t best;      /* the first of them that was found; count if none was */
	bool begun;       /* there was a name: a line that begins with a blank continues it */
	bool ours;        /* it is that of `best` */
	unsigned line;    /* lines so far */
	unsigned skipped; /* since the last of ours: comments and empty lines */
	size_t len;       /* of the line so far */
	char text[ALIAS_LINE_MAX];
};

/* Begin to look for names; for none: to read an :include: file. */
void aliases_begin(struct aliases *aliases, const struct alias_name names[], size_t count,
    struct alias_entry *entry);

/* The next octets of the file.  False when no more are needed. */
bool aliases_read(struct aliases *aliases, const char *octets, size_t len);

/* The end of the file, or of what is needed of it. */
enum alias_found aliases_end(struct aliases *aliases);

#endif
