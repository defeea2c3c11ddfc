/* identity.c -- see identity.h. */
#include "identity.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static enum identity_found
take(const struct passwd *entry, struct identity *who)
{
	who->uid = entry->pw_uid;
	who->gid = entry->pw_gid;
	size_t n = strlen(entry->pw_dir);
	if (n >= sizeof who->home) {
		errno = ENAMETOOLONG;
		return IDENTITY_UNKNOWN;
	}
	memcpy(who->home, entry->pw_dir, n + 1);
	return IDENTITY_FOUND;
}

enum identity_found
identity_find(const char *name, struct identity *who)
{
	FILE *file = fopen("/etc/passwd", "re");
	if (file == NULL)
		return IDENTITY_UNKNOWN;

	enum identity_found found = IDENTITY_NONE;
	struct passwd *entry;
	errno = 0;
	while (found == IDENTITY_NONE && (entry = fgetpwent(file)) != NULL)
		if (strcmp(entry->pw_name, name) == 0)
			found = take(entry, who);
	if (found == IDENTITY_NONE && ferror(file))
		found = IDENTITY_UNKNOWN;
	int why = errno;
	(void)fclose(file); /* read only */
	errno = why;
	return found;
}

enum identity_found
identity_group(const char *name, gid_t *gid)
{
	FILE *file = fopen("/etc/group", "re");
	if (file == NULL)
		return IDENTITY_UNKNOWN;

	enum identity_found found = IDENTITY_NONE;
	struct group *entry;
	while (found == IDENTITY_NONE && (entry = fgetgrent(file)) != NULL)
		if (strcmp(entry->gr_name, name) == 0) {
			*gid = entry->gr_gid;
			found = IDENTITY_FOUND;
		}
	if (found == IDENTITY_NONE && ferror(file))
		found = IDENTITY_UNKNOWN;
	(void)fclose(file); /* read only */
	return found;
}

/* True if any of the three ids could be made 0 again, or a group list set. */
static int
can_return(uid_t uid, gid_t gid)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;

	if (syscall(SYS_setresuid, -1L, 0L, -1L) == 0 || syscall(SYS_setuid, 0L) == 0 ||
	    syscall(SYS_setgroups, 0L, NULL) == 0)
		return 1;
	if (gid != 0 && syscall(SYS_setresgid, -1L, 0L, -1L) == 0)
		return 1;
	if (getresuid(&ruid, &euid, &suid) < 0 || getresgid(&rgid, &egid, &sgid) < 0)
		return 1;
	return ruid != uid || euid != uid || suid != uid || rgid != gid || egid != gid || sgid != gid;
}

int
identity_become(uid_t uid, gid_t gid, gid_t extra)
{
	if (uid == 0) {
		errno = EPERM;
		return -1;
	}
	int groups = extra != (gid_t)-1 && extra != gid;
	if (syscall(SYS_setgroups, (long)groups, &extra) < 0 ||
	    syscall(SYS_setresgid, (long)gid, (long)gid, (long)gid) < 0 ||
	    syscall(SYS_setresuid, (long)uid, (long)uid, (long)uid) < 0)
		return -1;
	if (can_return(uid, gid)) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

int
identity_keep_setid(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];
	const __u32 keep = 1U << CAP_SETUID | 1U << CAP_SETGID;

	if (syscall(SYS_capget, &header, data) < 0)
		return -1;
	data[0].permitted &= keep;
	data[0].effective = data[0].permitted;
	data[0].inheritable = 0;
	memset(&data[1], 0, sizeof data[1]);
	return (int)syscall(SYS_capset, &header, data);
}
