/*
 * utf8.h -- well-formed UTF-8 (RFC 3629).  Pure.
 */
#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * How many octets the character at the start of `in` takes, 1 to 4; 0 if there is none that is well
 * formed: a stray or missing continuation octet, an overlong form, a surrogate, a number beyond
 * U+10FFFF.  The controls U+0080 to U+009F count as none, too: no address has one, and a terminal
 * may obey them.
 */
size_t utf8_char(const unsigned char *in, size_t len);

/* All octets are printable: ASCII from blank to tilde, or characters as above. */
bool utf8_printable(const unsigned char *in, size_t len);

/* All octets are ASCII. */
bool utf8_is_ascii(const unsigned char *in, size_t len);

#endif
