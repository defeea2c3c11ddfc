/* word.c -- see word.h. */
#include "word.h"

bool
word_is(const unsigned char *octets, size_t len, const char *word)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = octets[i];
		if (c >= 'a' && c <= 'z')
			c = (unsigned char)(c - 'a' + 'A');
		if (word[i] == 0 || c != (unsigned char)word[i])
			return false;
	}
	return word[len] == 0;
}
