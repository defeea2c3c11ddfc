/*
 * log.h -- one line per event.  Trusted side, and smtp-listen's.
 *
 * To descriptor 2, with the journal's "<N>" before it where that is the journal; to the system's
 * log, facility mail, where descriptor 2 is the client's socket, as under inetd.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>

/* Find out where the log goes; `served`: descriptors 0 and 1 are a client's.  All three must be
   open. */
void log_open(bool served);

/* Descriptor 2 is the journal. */
bool log_to_journal(void);

/* The session and its client, for every event from here on; both strings must last. */
void log_session(const char *id, const char *address);

/* A line that belongs to no session: usage, wrong settings; priorities as in syslog(3). */
__attribute__((format(printf, 2, 3))) void log_line(int priority, const char *format, ...);

/*
 * "EVENT session=ID client=ADDRESS " and the fields: the one form that smtp-stdio(8) promises.  A
 * value that may hold a blank is in quotes, and one that came from outside was escaped as below.
 * The fields have room for LOG_FIELDS_MAX octets; a caller with more sees to it what is left out.
 */
__attribute__((format(printf, 3, 4))) void log_event(
    int priority, const char *event, const char *format, ...);

/* The event "error", for what the administrator must mend.  The text is escaped here. */
__attribute__((format(printf, 1, 2))) void log_error(const char *format, ...);

/*
 * Text that came from outside, fit to stand in a line: every octet that is not printable ASCII, and
 * every quote, backslash and angle bracket, is written as \xNN; a text that is too long ends in
 * "...".  log_word() does so with blanks, too, for a value that is not in quotes.
 */
const char *log_text(char *out, size_t size, const char *text);
const char *log_word(char *out, size_t size, const char *text);

#endif
