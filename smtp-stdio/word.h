/* word.h -- words of a protocol, which are the same in capital and small letters.  Pure. */
#ifndef WORD_H
#define WORD_H

#include <stdbool.h>
#include <stddef.h>

/* The octets are that word, which is given in capitals. */
bool word_is(const unsigned char *octets, size_t len, const char *word);

#endif
