/*
 * string.h -- what the proofs believe of the C library: C11 7.24, as far as lengths and places go.
 */
#ifndef __FC_STRING_H_
#define __FC_STRING_H_ /* in the place of the one that comes with Frama-C, which asks for more than can be proved */

#include <stddef.h>

/*@
	predicate is_string(char *s) = \exists integer n; 0 <= n && \valid_read(s + (0 .. n)) && s[n] == 0;

	// What follows octets that are no NUL is a string, too: the n of the one without them is the n of the other.
	axiomatic Rest {
		axiom rest{L}: \forall char *s, integer i; is_string(s) ==> 0 <= i ==>
		    (\forall integer j; 0 <= j < i ==> s[j] != 0) ==> is_string(s + i);
	}
*/

/*@
	requires \valid_read((unsigned char *)s + (0 .. n - 1));
	assigns \nothing;
	ensures \result == \null ||
	    \exists integer i; 0 <= i < n && \result == (unsigned char *)s + i && ((unsigned char *)s)[i] == (unsigned char)c;
*/
void *memchr(const void *s, int c, size_t n);

/*@
	requires \valid_read((unsigned char *)a + (0 .. n - 1)) && \valid_read((unsigned char *)b + (0 .. n - 1));
	assigns \nothing;
*/
int memcmp(const void *a, const void *b, size_t n);

/*@
	requires \valid((unsigned char *)to + (0 .. n - 1)) && \valid_read((unsigned char *)from + (0 .. n - 1));
	requires \separated((unsigned char *)to + (0 .. n - 1), (unsigned char *)from + (0 .. n - 1));
	assigns ((unsigned char *)to)[0 .. n - 1] \from ((unsigned char *)from)[0 .. n - 1];
	ensures \result == to;
*/
void *memcpy(void *to, const void *from, size_t n);

/*@
	requires \valid((unsigned char *)to + (0 .. n - 1)) && \valid_read((unsigned char *)from + (0 .. n - 1));
	assigns ((unsigned char *)to)[0 .. n - 1] \from ((unsigned char *)from)[0 .. n - 1];
	ensures \result == to;
*/
void *memmove(void *to, const void *from, size_t n);

/*@
	requires is_string(s);
	assigns \nothing;
	ensures \valid_read(s + (0 .. \result)) && s[\result] == 0;
	ensures \forall integer i; 0 <= i < \result ==> s[i] != 0;
*/
size_t strlen(const char *s);

/*@
	requires is_string(s);
	assigns \nothing;
	// where c is no NUL, the rest is a string, too
	ensures \result == \null || \exists integer i; 0 <= i && \result == s + i && s[i] == (char)c &&
	    \exists integer n; i <= n && \valid_read(s + (0 .. n)) && s[n] == 0;
*/
char *strchr(const char *s, int c);

/*@
	requires is_string(a) && is_string(b);
	assigns \nothing;
*/
int strcmp(const char *a, const char *b);

#endif
