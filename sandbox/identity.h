/*
 * identity.h -- who a process is: looking a user up, becoming that user for good, and giving up
 * the powers of root that are not needed.
 */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct identity {
	uid_t uid;
	gid_t gid;
	char home[512];
};

enum identity_found {
	IDENTITY_FOUND,
	IDENTITY_NONE,   /* a fact: the file was read to its end */
	IDENTITY_UNKNOWN /* the file could not be read: errno says why */
};

/* Look a login name up in /etc/passwd.  A home of more than 511 bytes counts as unknown. */
enum identity_found identity_find(const char *name, struct identity *who);

/* The same of one line in the form of passwd(5), which is changed.  Unknown if it is another's. */
enum identity_found identity_read(char *line, const char *name, struct identity *who);

/* The number of a group, by /etc/group. */
enum identity_found identity_group(const char *name, gid_t *gid);

/*
 * Become that user and group, in all three ids each, with no other group but `extra` (or none, when
 * extra is (gid_t)-1), then try to come back and to take another group.
 * 0 only if every step held and no way back was found; otherwise -1 with errno, and the caller
 * must end.  User and group 0 are refused (EPERM).  One thread only: raw system calls, fit for a child of vfork.
 */
int identity_become(uid_t uid, gid_t gid, gid_t extra);

/* Keep no capability, ambient and inheritable ones included: an ordinary user's process may have been
   given some.  0, or -1 with errno. */
int identity_keep_none(void);

/*
 * Whether there is a file of that path, as far as `uid` can see, if we are root: true if that cannot
 * be told, too.  A symbolic link counts as one.  Ends the process if it cannot come back.
 */
bool identity_sees(uid_t uid, const char *path);

/* stat(2), as `uid` sees the file, if we are root.  0, or -1 with errno; ends as identity_sees(). */
int identity_stat(uid_t uid, const char *path, struct stat *st);

/*
 * kill(2).  Root that was started without CAP_KILL may not signal another user's processes, but that
 * user may: so it is done as `uid` then.  0, or -1 with errno; ends the process if it cannot come back.
 */
int identity_kill(uid_t uid, pid_t pid, int number);

/*
 * Of the capabilities this process has, keep CAP_SETUID and CAP_SETGID, and CAP_KILL, without which
 * the death signal (prctl(2)) of a child that is somebody else is not sent.  0, or -1 with errno.
 */
int identity_keep_few(void);

/*
 * Have no capability in effect, and of those that could be keep what a smtp-stdio that is started
 * needs: CAP_SETUID, CAP_SETGID, CAP_SYS_CHROOT and CAP_KILL.  With no_new_privs root's exec gives no
 * other ones than these.  0, or -1 with errno.
 */
int identity_keep_for_exec(void);

#endif
