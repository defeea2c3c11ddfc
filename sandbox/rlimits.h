/* rlimits.h -- resource limits, hard and soft alike. */
#ifndef RLIMITS_H
#define RLIMITS_H

/* No new process, no new descriptor, no core.  0, or -1 with errno. */
int rlimits_nothing(void);

/* No core, and `files` descriptors at most (numbers below `files`).  0, or -1 with errno. */
int rlimits_files(unsigned files);

#endif
