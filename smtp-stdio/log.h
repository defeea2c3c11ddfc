/*
 * log.h -- one line per event.  Trusted side only.
 *
 * To descriptor 2, with the journal's "<N>" before it where that is the journal; to syslog(3),
 * facility mail, where descriptor 2 is the client's socket, as under inetd.
 */
#ifndef LOG_H
#define LOG_H

#include <stddef.h>

/* Find out where the log goes.  Descriptors 0, 1 and 2 must be open. */
void log_open(void);

/* A line; priorities as in syslog(3). */
__attribute__((format(printf, 2, 3))) void log_line(int priority, const char *format, ...);

/*
 * Text that came from outside, fit to stand in a line: every octet that is not printable ASCII, and
 * every quote, backslash and angle bracket, is written as \xNN; a text that is too long ends in
 * "...".  log_word() does so with blanks, too, for a value that is not in quotes.
 */
const char *log_text(char *out, size_t size, const char *text);
const char *log_word(char *out, size_t size, const char *text);

#endif
