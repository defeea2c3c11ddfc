/*
 * sanitized.c -- what lets the sanitizers' programs (make dev) live in the jails, which admit nothing for
 * them.
 */
#include <stdlib.h>

const char *__asan_default_options(void);
void __wrap___asan_handle_no_return(void);

enum {
	SMALL = 4096 /* octets; what libc may want while it writes a date */
};

/* To look for leaks a process would be started, and none of the programs frees what it has until it
   ends. */
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* Before each call that does not return the kernel would be asked for the signal stack, in case it is a
   jump to another frame.  No program here jumps. */
void
__wrap___asan_handle_no_return(void)
{
}

/* The first piece of each size would be asked of the kernel when it is wanted. */
__attribute__((constructor)) static void
have_memory(void)
{
	for (size_t size = 1; size <= SMALL; size += 16) {
		void *volatile piece =
		    malloc(size); /* a pair that does nothing would be left out */
		free(piece);
	}
}
