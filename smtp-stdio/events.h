/*
 * events.h -- what the engine has to say: the events that it owes, and the errors it counts.  Pure.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp.h"

/*
 * A reply to the client: of the table, or with another text.  One to an error is counted; beyond half
 * of the settings' error_limit the monitor is asked for a pause before it, and with the last of them
 * the session is at its end.
 */
void events_reply(struct smtp *smtp, enum reply which);
void events_reply_text(struct smtp *smtp, enum reply which, const char *text);

/* A reply that counts as no error: to a whole message. */
void events_reply_to_message(struct smtp *smtp, enum reply which);

/* The monitor's answer to the question that was open. */
void events_reply_with(struct smtp *smtp, enum reply which, const struct answer *answer);

/* A request to the monitor that has no answer. */
void events_tell(struct smtp *smtp, enum request_letter letter, const char *data, size_t len);

/* One that has: the engine is held until smtp_answer, then goes on as it was. */
void events_ask(struct smtp *smtp, enum request_letter letter, const char *data, size_t len);

/* The one place where a transaction is forgotten. */
void events_forget(struct smtp *smtp);

/* After what is owed and asked already, end the session with that farewell; the monitor is told why. */
void events_give_up(struct smtp *smtp, enum reply farewell, enum request_note why);

/* The farewell is due: it, and what comes before it. */
void events_farewell(struct smtp *smtp);

/* Owe the reply that stands ready in smtp->reply: the greeting, or one whose pause is over. */
void events_give_reply(struct smtp *smtp);

/* Take the next event that is owed; false if there is none. */
bool events_next(struct smtp *smtp, struct smtp_event *event);

/* Nothing is owed any more. */
void events_drop(struct smtp *smtp);

#endif
