/*
 * literal.h -- address literals (RFC 5321 4.1.3): what stands in place of a domain in brackets.  Pure.
 */
#ifndef LITERAL_H
#define LITERAL_H

#include <stdbool.h>
#include <stddef.h>

/* The octets between the brackets are an IPv4 address, "IPv6:" and an IPv6 address, or another tag, a
   colon and printable ASCII without brackets and backslash. */
bool literal_is(const unsigned char *in, size_t len);

#endif
