/*
 * limits.h -- every number of smtp-stdio, smtp-listen and check-policy, with where it comes from.  What an
 * administrator may want to change is a keyword of smtp-stdio.conf(5) or an option of smtp-listen(8);
 * its default and its bounds stand here too.
 */
#ifndef LIMITS_H
#define LIMITS_H

enum {
	/* The wire. */
	LINE_MAX_OCTETS = 2048, /* a command line, CRLF included; Postfix's line_length_limit.
	                           RFC 5321 4.5.3.1.4: at least 512, more with extensions */
	LOCAL_MAX = 255,  /* a local-part; RFC 5321 4.5.3.1.1: at least 64.  VERP needs more */
	DOMAIN_MAX = 255, /* a domain; RFC 5321 4.5.3.1.2 */
	LABEL_MAX = 63,   /* characters of its parts; RFC 1035 2.3.4 */
	MAILBOX_MAX = LOCAL_MAX + 1 + DOMAIN_MAX,
	REPLY_LINE_MAX = 512, /* RFC 5321 4.5.3.1.5, CRLF included */
	REPLY_LINES_MAX = 12, /* our longest replies: EHLO's, and EXPN's */
	REPLY_MAX = REPLY_LINE_MAX * REPLY_LINES_MAX,
	REPLIES_HELD = REPLY_MAX, /* octets of replies kept back for a pipelining client */
	LMTP_NOT = 25,            /* the port that LMTP must not be spoken on; RFC 2033 5 */
	SIZE_DIGITS = 20,         /* SIZE= and BDAT; RFC 1870 3, RFC 3030 2 */
	HOPS_MOST = 100,          /* Received fields of a message; RFC 5321 6.3: at least 100 */
	JUNK_MOST = 100, /* commands that bring no message nearer, before each counts as an error;
			    Postfix's smtpd_junk_command_limit */
	OVERSHOOT_MOST =
	    1000, /* RCPT beyond RecipientLimit, before each counts as an error; Postfix's
				  smtpd_recipient_overshoot_limit */

	/* Where it comes from. */
	CLIENT_TEXT = 46, /* an address; INET6_ADDRSTRLEN */

	/* Session and monitor. */
	BODY_MAX = 65536,          /* message octets in one packet */
	PACKET_MAX = 1 + BODY_MAX, /* its letter before it */
	ANSWER_TEXT_MAX = 400,     /* text of an answer; leaves room for code and CRLF in a
	                                       reply line */
	ANSWER_MAX = 1 + ANSWER_TEXT_MAX,
	HELLO_MAX = 6 + DOMAIN_MAX,               /* "ESMTP " and the name */
	FROM_DIGITS = 10,                         /* of the declared size, at most SIZE_MOST */
	FROM_MAX = 3 + FROM_DIGITS + MAILBOX_MAX, /* how the message is sent, its size, the return
						     path, and blanks between them */

	/* Configuration. */
	CONFIG_MAX = 65536, /* octets of the file */
	VALUE_MAX = 1024,   /* octets of a value */
	DOMAINS_MAX = 64,   /* Domain */
	PATH_OCTETS = 1024, /* a mailbox path once its pattern is filled in */
	WORDS_MAX = 32,     /* words of a command */
	FILTERS_MAX = 16,   /* Filter, and Check */
	OPTIONS_MAX = 64,   /* -o; three times the keywords */
	NAME_OCTETS = 64,   /* a user's or group's name; Linux: 32 */

	/* Aliases. */
	ALIAS_ENTRY_MAX =
	    65536, /* octets of a name's targets in all their lines, and of an :include:
				    file: two thousand addresses.  sendmail takes 8192 */
	ALIAS_LINE_MAX = ALIAS_ENTRY_MAX, /* octets of a line, which may have all of them */
	ALIAS_TARGET_MAX =
	    PATH_OCTETS - 1,      /* octets of a target; with its end it is a place's path */
	ALIAS_NAMES_MAX = 5,      /* user+ext@domain, user+ext, user@domain, user, @domain */
	NEW_PATH_MAX = 254,       /* an address or user that an alias names; RFC 5321 4.5.3.1.3: a
				    path has 256 with its brackets */
	NAMES_MOST = 1000,        /* that an address stands for, and their places; Postfix's
			      virtual_alias_expansion_limit */
	ALIAS_DEPTH = 10,         /* aliases of aliases; Sendmail's MAXRCRSN */
	PLACES_MOST = NAMES_MOST, /* of a message */

	/* The log. */
	LOG_LINE_MAX = 4096, /* octets; what a write to a pipe takes whole: PIPE_BUF */
	LOG_FIELDS_MAX =
	    LOG_LINE_MAX - 256, /* without the system's log's 48, the event, session and client */
	LOG_FIXED_MAX = 192,    /* names of fields, a message's id, protocol, size and time */
	LOG_COMMAND_MAX = 256,  /* a program's path */
	LOG_PATIENCE = 1,       /* s that whoever reads the log may keep a line waiting */
	SESSION_ID_MAX = 40,    /* two numbers of 64 bits in hexadecimal */

	/* Keywords: default, least, most. */
	SIZE_DEFAULT = 36700160, /* 35 MiB; OpenSMTPD's max-message-size */
	SIZE_LEAST = 65536,      /* RFC 5321 4.5.3.1.7 */
	SIZE_MOST = 1073741824,
	RECIPIENTS_DEFAULT = 100, /* RFC 5321 4.5.3.1.8 */
	RECIPIENTS_LEAST = 1,
	RECIPIENTS_MOST = 1000, /* Postfix's smtpd_recipient_limit */
	COMMAND_DEFAULT = 300,  /* s; RFC 5321 4.5.3.2.7 */
	SESSION_DEFAULT = 3600, /* s in all; long enough for SizeLimit at 10 kB/s */
	DELIVER_MOST =
	    540, /* s; with KEEP_LIMIT and HELPER_GRACE, and that again for a deliver that
			       waited, less than the 600 that a client waits: RFC 5321 4.5.3.2.6 */
	DELIVER_DEFAULT = 300, /* s; half of what a client waits: RFC 5321 4.5.3.2.6 */
	GREET_DEFAULT = 0,     /* s; Exim's smtp_enforce_sync looks without waiting */
	GREET_LEAST = 0,
	GREET_MOST = 60,     /* s; a fifth of what a client waits: RFC 5321 4.5.3.2.1 */
	ERRORS_DEFAULT = 20, /* Postfix's smtpd_hard_error_limit */
	ERRORS_LEAST = 1,
	ERRORS_MOST = 1000000,
	REFUSALS_MOST =
	    1000,        /* recipients, before each takes the monitor ERROR_PAUSE, too: as many as
				 a message may have */
	ERROR_PAUSE = 1, /* s before each reply to an error once half of ErrorLimit is used up;
			    Postfix's smtpd_error_sleep_time and smtpd_soft_error_limit */
	MESSAGES_DEFAULT = 1000, /* Exim's smtp_accept_max_per_connection */
	MESSAGES_LEAST = 1,
	MESSAGES_MOST = 999999,     /* six digits; RFC 9422 4 */
	OCTETS_DEFAULT = SIZE_MOST, /* of a session's messages: the largest SizeLimit */
	RATE_DEFAULT = 500,         /* octets/s of a message; Postfix's smtpd_min_data_rate */
	RATE_LEAST = 0,             /* any */
	RATE_MOST = 1048576,
	SECONDS_LEAST = 1,
	SECONDS_MOST = 86400, /* a day */
	UID_DEFAULT = 1000,   /* Debian's FIRST_UID */
	UID_LEAST = 1,        /* never root */
	UID_MOST = 65533,     /* 65534 is nobody */
	UID_NOBODY = 65534,   /* Debian's nobody: the user of what has no owner */
	GID_NOGROUP = 65534,  /* Debian's nogroup, in the place of group root */

	/* Helpers. */
	HELPER_SAYS_MAX = 2048, /* octets of a helper's output that are kept */
	HELPER_PIPE = 65536,    /* octets that a pipe holds; pipe(7) */
	HELPER_NEXT_MAX = 4096, /* octets; deliver's NEXT_MAX */
	HELPER_LIFE =
	    2, /* s from the start of a deliver in which it takes other messages; Postfix's
			    smtp_connection_cache_time_limit */
	EXEC_LIMIT = 10,           /* s from vfork to exec, which take 0.1 ms */
	WORD_TRIES = 2,            /* at a helper's word; an error is the system's, not a no */
	RCPT_WAIT = 300,           /* s that a client waits for RCPT's reply: RFC 5321 4.5.3.2.3 */
	NSS_LIMIT = RCPT_WAIT / 5, /* s for getent, about all names of an address */
	QUOTA_LIMIT = NSS_LIMIT,   /* s for the quotas of all its mailboxes */
	KEEP_LIMIT = 30,    /* s from "keep" to a helper's end, which only unlocks and unlinks */
	ANSWER_GRACE = 2,   /* s for the session to write the answer to a message: one write */
	ANSWER_TRIES = 100, /* at an answer, 1 ms apart; one is read before the next is asked for */
	HELPER_GRACE = 5,   /* s between SIGTERM and SIGKILL; Postfix's stop delay */

	/* Filters and checks: default, least, most. */
	FILTERED_MOST = DELIVER_MOST - 2 * HELPER_GRACE, /* s of filters and a delivery together */
	FILTER_DEFAULT = 120,         /* s; a fifth of what a client waits: RFC 5321 4.5.3.2.6 */
	FILTER_MOST = 480,            /* s; leaves a delivery some time */
	FILTER_SIZE_DEFAULT = 512000, /* 500 KiB; spamc's -s */
	FILTER_SIZE_LEAST = 1024,
	FILTER_ROOM = 1048576, /* octets that filters may add to SizeLimit: fields, a report */
	CHECK_DEFAULT = 100,   /* s; Postfix's smtpd_policy_service_timeout */
	CHECK_MOST = RCPT_WAIT - NSS_LIMIT - QUOTA_LIMIT - 7 * HELPER_GRACE, /* s; each of the three
			     may take that twice longer to end, and a deliver that waited once */

	/* check-policy. */
	POLICY_DEFAULT = 100, /* -t, s; Postfix's smtpd_policy_service_timeout */
	POLICY_LEAST = 1,
	POLICY_MOST = 300,         /* what a client waits for a reply to RCPT: RFC 5321 4.5.3.2.3 */
	POLICY_REQUEST_MAX = 4096, /* octets; two addresses, a name and 800 octets of names */
	POLICY_ANSWER_MAX = 8192,  /* octets; a header field of four of Postfix's
				      line_length_limit, with PREPEND */

	/* Options of smtp-listen: default, least, most. */
	SESSIONS_DEFAULT = 100, /* -c; MaxConnections in units/ */
	SESSIONS_MOST = 10000,  /* with three processes each below 32,768, the kernel's pid_max */
	SOURCE_DEFAULT = 20,    /* -s; Postfix's default_destination_concurrency_limit is what one
				   sender opens */
	SECOND_DEFAULT = 500,   /* -r; half of what keeps a processor busy */
	SECOND_MOST = 10000,
	GRACE_DEFAULT = 10, /* -g, s; most messages are in by then, the others come again */
	GRACE_MOST = 3600,
	COUNT_LEAST = 1, /* of each */

	/* What smtp-listen has no option for. */
	SOCKETS_MAX = 32,    /* that it listens on */
	SOURCE_OCTETS = 8,   /* of an IPv6 address; RFC 4291 2.5.1: a host chooses the others */
	SOURCES_IDLE = 1024, /* sources without a session that -r remembers */
	ACCEPT_PAUSE = 1000, /* ms without accept(2) when the system lacks something for it */
	STATUS_PAUSE = 1000, /* ms between two of STATUS= */
	BURST = 10000,       /* ms between two lines of the log that say the same */
	SETTINGS_LIMIT = 10, /* s for PROGRAM -T, which takes some milliseconds */
	ENDING_LIMIT = 600,  /* s from SIGTERM to SIGKILL; more than DELIVER_MOST, KEEP_LIMIT and
				HELPER_GRACE: whoever is killed cannot tell its client */
	KILL_GRACE = 5,      /* s from SIGKILL to the end; as HELPER_GRACE */
	JOURNAL_LINE = 1024, /* octets of a line */
};

/* octets of a session's messages; beyond an int: 64 of the largest */
#define OCTETS_MOST 68719476736

#endif
