/*
 * config.h -- smtp-stdio.conf(5): "Keyword value", one a line.  Parsing is pure: text in, settings
 * or one error out.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limits.h"

enum keyword {
	KEY_HOSTNAME,
	KEY_DOMAIN,
	KEY_USERS,
	KEY_MAILBOX,
	KEY_CREATE_MAILBOX,
	KEY_MINIMUM_UID,
	KEY_MAIL_GROUP,
	KEY_POSTMASTER,
	KEY_VERIFY,
	KEY_EXPAND,
	KEY_PROTOCOL,
	KEY_NEWLINES,
	KEY_DELIVER_PATH,
	KEY_DELIVER_COMMAND,
	KEY_SESSION_USER,
	KEY_LANDLOCK,
	KEY_SIZE_LIMIT,
	KEY_RECIPIENT_LIMIT,
	KEY_MESSAGE_LIMIT,
	KEY_SESSION_SIZE_LIMIT,
	KEY_ERROR_LIMIT,
	KEY_MINIMUM_RATE,
	KEY_GREET_DELAY,
	KEY_COMMAND_TIMEOUT,
	KEY_SESSION_TIMEOUT,
	KEY_DELIVER_TIMEOUT,
	KEY_ALIASES,
	KEY_FORWARD_COMMAND,
	KEY_FORWARD_USER,
	KEY_RECIPIENT_DELIMITER,
	KEY_OVER_QUOTA,
	KEY_FILTER,
	KEY_FILTER_USER,
	KEY_FILTER_TIMEOUT,
	KEY_FILTER_SIZE_LIMIT,
	KEY_CHECK,
	KEY_CHECK_TIMEOUT,
	KEYWORDS
};

enum config_users {
	USERS_ANY,
	USERS_PASSWD,
	USERS_NSS,       /* and who else is known by nsswitch.conf(5) */
	USERS_DIRECTORY, /* the value is the pattern of a directory */
	USERS_NONE,      /* no mail is taken */
};

struct config {
	/* As texts, ended by NUL; what was not set has its default once config_finish was called. */
	const char *text[KEYWORDS];
	const char *domains[DOMAINS_MAX];
	size_t domains_count; /* 0: every domain */
	const char *filters[FILTERS_MAX], *checks[FILTERS_MAX];
	size_t filters_count, checks_count;
	enum config_users users;
	uint64_t
	    number[KEYWORDS]; /* numbers, times in seconds; yes, require, lmtp, normalize and never
				 as 1;
				 RecipientDelimiter's character, or 0 */
	/* Where a keyword was set last: by the file or by -o; for "duplicate". */
	const char *source[KEYWORDS];
};

struct config_error {
	const char *source; /* file name, or "-o" */
	unsigned line;      /* from 1 */
	char key[32];       /* the keyword as it stands there; empty if there is none */
	const char *what;
};

/*
 * Read settings from `text`, which is changed and must live as long as the configuration.
 * `text[len]` must be there: a NUL is written to it.  Keywords that an earlier source set are set
 * anew; twice in one source is an error.  False with *error on the first error.
 */
bool config_parse(
    struct config *config, const char *source, char *text, size_t len, struct config_error *error);

/* Fill in the defaults.  False with *error if settings contradict each other. */
bool config_finish(struct config *config, const char *hostname, struct config_error *error);

/* The name of a keyword. */
const char *config_name(enum keyword keyword);

/* The values of a keyword, one for each line that sets it or could; returns how many. */
size_t config_values(const struct config *config, enum keyword keyword, const char *const **values);

#endif
