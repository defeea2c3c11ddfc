/*
 * message.h -- what a message gets and loses on its last step: Return-Path and Delivered-To on top
 * (RFC 5321 4.4; Delivered-To as qmail and Postfix write it), Return-Path lines that it brought and
 * a leading mbox "From " line away.  Pure: octets in, pieces out.
 *
 * Everything else passes to the octet.  Octets are counted, never NUL-terminated.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "limits.h"

enum message_where {
	MESSAGE_FIRST,  /* at the first octet */
	MESSAGE_HEADER, /* in a header line that is collected */
	MESSAGE_LONG,   /* in the rest of a header line too long to collect */
	MESSAGE_BODY,
};

struct message {
	const char *sender;            /* NULL: no Return-Path is added or taken away */
	const char *const *recipients; /* Delivered-To, in this order */
	size_t recipients_count;
	enum message_where where;
	bool dropping; /* the header field that continuation lines belong to is dropped */
	bool looped;   /* a Delivered-To line names one of the recipients */
	size_t len;
	unsigned char line[HEADER_LINE_MAX];
};

struct message_piece {
	const unsigned char *octets; /* in the input or in the message; valid until the next call */
	size_t len;
};

/* The lines that go on top, one per call: their length, at most `size`; 0 when there are no more.
   `turn` counts the calls from 0. */
size_t message_top(const struct message *m, size_t turn, char *line, size_t size);

/* Take some of the input; returns how many octets (at least 1 of len > 0) and sets what is to be
   written, which may be nothing. */
size_t message_step(
    struct message *m, const unsigned char *in, size_t len, struct message_piece *piece);

/* The input is at its end: what is still to be written. */
void message_end(struct message *m, struct message_piece *piece);

#endif
