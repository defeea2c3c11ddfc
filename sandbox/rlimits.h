/* rlimits.h -- resource limits, hard and soft alike. */
#ifndef RLIMITS_H
#define RLIMITS_H

/* No new process, no new descriptor, no core.  0, or -1 with errno. */
int rlimits_nothing(void);

/* As many descriptors as the hard limit allows.  0, or -1 with errno. */
int rlimits_raise_files(void);

/* Not more descriptors than programs are used to.  0, or -1 with errno. */
int rlimits_usual_files(void);

/* No core, and `files` descriptors at most (numbers below `files`), or fewer where the hard limit says so.  0, or -1 with errno. */
int rlimits_files(unsigned files);

#endif
