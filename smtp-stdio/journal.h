/*
 * journal.h -- smtp-listen's log: a line for what happens to it, and none for a session that goes as
 * it should.  By log.h, in its form; where that is the journal, by its own protocol, with fields.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdint.h>

/* The kinds of line: smtp-listen.catalog explains each. */
enum event {
	EVENT_LISTENING,
	EVENT_FULL,  /* turned away: -c */
	EVENT_MANY,  /* -s */
	EVENT_OFTEN, /* -r */
	EVENT_CANNOT_START,
	EVENT_CANNOT_ACCEPT,
	EVENT_ENDED, /* a session, and not as it should */
	EVENT_SETTINGS,
	EVENT_WRONG_SETTINGS,
	EVENT_STOPPING,
	EVENT_STOPPED,
	EVENT_FAULT, /* journal_die */
	EVENTS
};

/* Find out where the log goes.  Descriptor 2 must be open. */
void journal_open(void);

/*
 * A line: the event's name, client=CLIENT unless that is NULL, and the fields that the format makes,
 * which must be printable.  Of what clients can bring about one line is written in BURST; until then the others
 * are counted.
 */
__attribute__((format(printf, 3, 4))) void journal_line(
    enum event event, const char *client, const char *format, ...);

/*
 * Where that time is over by `now` (milliseconds, as clock_now), write the last of the lines that
 * were counted, with their number.  Returns when it is to be called again, or INT64_MAX.
 */
int64_t journal_flush(int64_t now);

/* A line without an event that says what is wrong, and the end of the program. */
__attribute__((format(printf, 2, 3))) _Noreturn void journal_die(
    int status, const char *format, ...);

#endif
