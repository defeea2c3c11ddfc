/*
 * policy.c -- the jails, as lists.  What is not listed kills the process.
 *
 * A call is listed because the code makes it, in the musl build or in the glibc build; where both
 * libraries make the same request by different calls, both stand on one line.
 */
#include "policy.h"

/*
 * The session, and check-policy: it pumps bytes between descriptors that it was given, and ends.  No call here takes
 * a path, makes a descriptor, a process or a mapping, or names another process.  The kernel needs
 * none after a signal either: nothing is caught, and read and write are restarted in place.
 */
static const char *const session[] = {
    "read",
    "write",
    "exit_group",
    NULL,
};

static const char *const deliver[] = {
    /* the message, standard error and the handshake descriptor */
    "read",
    "pread64",
    "recvfrom", /* a look at the handshake's next octet, which stays there for the guard */
    "ppoll",    /* whether its other end is open still */
    "recvmsg",  /* and another message by it */
    "write",
    "writev", /* musl's stderr writes by writev */
    "close",
    /* the mailbox, named relative to directories that were opened before the jail */
    "openat",
    "linkat",
    "unlinkat",
    "renameat", /* a new maildirsize; glibc and musl ask so for it */
    "lseek",
    "ftruncate",
    "fsync",
    "getdents64", /* old files in tmp/; a Maildir that is counted for its quota */
    "fstat",
    "newfstatat", /* musl asks by descriptor, glibc by an empty path */
    "mknodat",    /* the dot lock of an mbox: made, never opened */
    "fcntl",      /* the other lock */
    /* waiting for a lock, with an end */
    "clock_gettime", /* only where the vDSO has no clock */
    "nanosleep",
    "clock_nanosleep",
    "restart_syscall", /* a sleep that was stopped and continued */
    "rt_sigreturn",    /* the writer of an mbox learns by a signal that its guard has died */
    "wait4",           /* the guard of an mbox learns how its writer ended */
    "exit_group",
    NULL,
};

const struct policy policies[] = {
    {"session", session},
    {"deliver", deliver},
};
const size_t policies_count = sizeof policies / sizeof *policies;
