/* engine.h -- what the parts of the engine's test share. */
#ifndef ENGINE_H
#define ENGINE_H

#include <stdbool.h>
#include <stddef.h>

#include "oracle.h"

/* How often the engine was run. */
extern unsigned long runs;

/* A line about what is wrong. */
void complain(const char *name, const char *how, size_t at, const char *wrong);

/* The defaults of smtp-stdio.conf(5), at mx.test. */
struct smtp_settings usual(void);

/* What a NAME.conf changes, as the real monitor would act on it. */
struct part {
	bool users, verify,
	    expand; /* users: alice, bob and postmaster, at mx.test, and a list: staff */
};

/* The monitor's answers; scene->closure is a struct part. */
void play(const struct scene *scene, unsigned asked, const struct smtp_event *question,
    struct answer *answer);

/* The trace's replies, one after the other, are these octets. */
bool says(const struct trace *trace, const unsigned char *expected, size_t len);

/*
 * Whole, octet by octet, `random` times cut at random, and at every split in two if `splits`: each is
 * well-formed, as the client's octets demand, and the same.
 */
bool all_cuts(const char *name, const struct scene *scene, const unsigned char *in, size_t len,
    bool splits, unsigned long long seed, unsigned long random);

/* Each is one of the program's arguments and returns its exit status. */
int smuggling(void);
int long_lines(void);
int large(void);
int limits(void);
int answers(void);
int body(void);
int chunks(void);
int utf8(void);
int matrix(void);

#endif
