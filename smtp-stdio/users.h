/*
 * users.h -- one user, one place: as Users and Mailbox say.  Trusted side.  Three answers from every
 * look-up: yes, no, and "cannot tell", which is never taken for a no.
 */
#ifndef USERS_H
#define USERS_H

#include <stdbool.h>

#include "config.h"
#include "place.h"
#include "request.h"

/* Fit to be a part of a path, and a word of a command line: letters, digits, "._+=-" and characters
   that are not ASCII, without a dot or dash in front. */
bool users_safe(const char *name);

/* What deliver looks for in a Maildir: a folder of that name, or "". */
const char *users_folder(const struct place *place);

/* Begin an address: what is asked about all its names together has NSS_LIMIT. */
void users_begin(void);

/*
 * Find the place of `local`, a local-part, in place->domain; behind a '+' may stand an extension.
 * YES fills `place`; all others set *text to the reply, which begins with an enhanced code.  Logs
 * what the administrator must mend.
 */
enum verdict users_find(
    const struct config *config, struct place *place, const char *local, const char **text);

/* The place of the postmaster's mail where nobody has that name: Postmaster's. */
enum verdict users_postmaster(const struct config *config, struct place *place, const char **text);

/* The place that is the mailbox at `path`, an alias's target, which belongs to no user: its owner writes
   it, or, where it is missing, the owner of the directory that it is to be made in. */
enum verdict users_path(struct place *place, const char *path, const char **text);

/* Which mailbox it is, as its user sees it, who may be the only one to see it: place->device, inode and
   name; and no extension, if there is no folder for it.  Does nothing for what is none, or cannot be
   seen. */
void users_locate(struct place *place);

/* The place of a command, or an address elsewhere, from an alias: `uid` and `gid` run it, or, where
   that is root, ForwardUser; without root we do, but nobody else's command. */
enum verdict users_command(
    const struct config *config, struct place *place, uid_t uid, gid_t gid, const char **text);

#endif
