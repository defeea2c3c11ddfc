/*
 * policy.h -- which system calls each jail admits.  Read by compile.c when the programs are built;
 * nothing of this is in them but the compiled filters.
 */
#ifndef POLICY_H
#define POLICY_H

#include <stddef.h>

struct policy {
	const char *name;         /* the filter is called NAME_filter in the generated header */
	const char *const *calls; /* names as in syscalls(2), ended by NULL */
};

extern const struct policy policies[];
extern const size_t policies_count;

#endif
