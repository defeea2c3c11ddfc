/*
 * escape.c -- try one thing from inside a jail: linked into smtp-stdio, deliver and check-policy in the place of
 * their call of sandbox_filter() (ld's --wrap), so it runs in the real process behind all the steps of its jail.
 *
 * ESCAPE in the environment names the attempt; ESCAPE_IN=child has it made by a process that the program
 * started (the writer of an mbox, the keeper of a quota), otherwise it is made by the first.  A line before it and
 * one with how it ended (errno, or 0) go to descriptor 2, or, where that is closed, to 1.  Without ESCAPE nothing is changed, and
 * with ESCAPE=? all are listed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../sandbox/sandbox.h"

int __real_sandbox_filter(enum sandbox_policy policy);
int __wrap_sandbox_filter(enum sandbox_policy policy);
pid_t __real_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);

#define HERE  AT_FDCWD
#define AT(x) ((long)(uintptr_t)(x))

enum { /* newer than a distribution's headers may be; the same on every architecture */
	NR_PIDFD_SEND_SIGNAL = 424,
	NR_IO_URING_SETUP = 425,
	NR_OPEN_TREE = 428,
	NR_MOVE_MOUNT = 429,
	NR_FSOPEN = 430,
	NR_PIDFD_OPEN = 434,
	NR_CLONE3 = 435,
	NR_OPENAT2 = 437,
	NR_PIDFD_GETFD = 438,
	NR_PROCESS_MADVISE = 440,
	NR_LANDLOCK_RESTRICT_SELF = 446,
	NR_MEMFD_SECRET = 447,
};

/* What they are made with.  A pipe's two ends, and whoever started the program. */
static pid_t first, parent;
static char passwd[] = "/etc/passwd";
static char there[] = "there", made[] = "made"; /* where all may write */
static char sh[] = "/bin/sh";
static char memory[4096];
static char *none[] = {NULL};
static struct iovec piece = {memory, sizeof memory};
static union {
	struct cmsghdr header;
	char octets[CMSG_SPACE(sizeof(int))];
} gift;
static struct msghdr message = {
    .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &gift, .msg_controllen = sizeof gift};
static struct sockaddr_in tcp = {.sin_family = AF_INET};
static struct open_how how = {.flags = O_RDONLY};
static struct sigaction taken;
static uint64_t caps[3];
static struct f_owner_ex owner = {F_OWNER_PID, 1};

#define CALL(...) syscall(__VA_ARGS__)

/* Up from each directory that is open. */
static long
beyond(void)
{
	int why = EBADF;

	for (long fd = 3; fd < 12; fd++) {
		long r = CALL(SYS_openat, fd, "../../../../../../../../../../etc/passwd", O_RDONLY);
		if (r >= 0)
			return r;
		if (errno != EBADF && errno != ENOTDIR)
			why = errno;
	}
	errno = why;
	return -1;
}

/* An attempt: its name, and an expression that is below 0 when it failed. */
#define ATTEMPTS                                                                                   \
	/* files */                                                                                \
	TRY("openat /etc/passwd", CALL(SYS_openat, HERE, passwd, O_RDONLY))                        \
	TRY("openat2 /etc/passwd", CALL(NR_OPENAT2, HERE, passwd, &how, sizeof how))               \
	TRY("openat /proc/self/mem", CALL(SYS_openat, HERE, "/proc/self/mem", O_RDWR))             \
	TRY("openat a new file", CALL(SYS_openat, HERE, made, O_WRONLY | O_CREAT, 0600))           \
	TRY("openat by ..", beyond())                                                              \
	TRY("openat to list /", CALL(SYS_openat, HERE, "/", O_RDONLY | O_DIRECTORY))               \
	TRY("name_to_handle_at", CALL(SYS_name_to_handle_at, HERE, passwd, memory, memory, 0))     \
	TRY("open_by_handle_at", CALL(SYS_open_by_handle_at, 4, memory, O_RDONLY))                 \
	TRY("linkat", CALL(SYS_linkat, HERE, there, HERE, made, 0))                                \
	TRY("renameat", CALL(SYS_renameat, HERE, there, HERE, made))                               \
	TRY("unlinkat", CALL(SYS_unlinkat, HERE, there, 0))                                        \
	TRY("symlinkat", CALL(SYS_symlinkat, passwd, HERE, made))                                  \
	TRY("mkdirat", CALL(SYS_mkdirat, HERE, made, 0700))                                        \
	TRY("mknodat a device", CALL(SYS_mknodat, HERE, made, S_IFCHR | 0600, 0x101))              \
	TRY("mknodat a FIFO", CALL(SYS_mknodat, HERE, made, S_IFIFO | 0600, 0))                    \
	TRY("mknodat a file", CALL(SYS_mknodat, HERE, made, S_IFREG | 0600, 0))                    \
	TRY("truncate", CALL(SYS_truncate, there, 0))                                              \
	TRY("fchmodat", CALL(SYS_fchmodat, HERE, there, 04755))                                    \
	TRY("fchownat", CALL(SYS_fchownat, HERE, there, 0, 0, 0))                                  \
	TRY("setxattr", CALL(SYS_setxattr, there, "user.x", memory, 1, 0))                         \
	TRY("chdir ..", CALL(SYS_chdir, ".."))                                                     \
	TRY("fchdir", CALL(SYS_fchdir, 4))                                                         \
	TRY("chroot", CALL(SYS_chroot, "."))                                                       \
	TRY("pivot_root", CALL(SYS_pivot_root, ".", "."))                                          \
	TRY("mount", CALL(SYS_mount, "none", "/tmp", "tmpfs", 0, 0))                               \
	TRY("umount2", CALL(SYS_umount2, "/tmp", 2))                                               \
	TRY("open_tree", CALL(NR_OPEN_TREE, HERE, "/", 1))                                         \
	TRY("move_mount", CALL(NR_MOVE_MOUNT, HERE, "/", HERE, "/tmp", 0))                         \
	TRY("fsopen", CALL(NR_FSOPEN, "tmpfs", 0))                                                 \
	TRY("memfd_create", CALL(SYS_memfd_create, "x", 0))                                        \
	TRY("memfd_secret", CALL(NR_MEMFD_SECRET, 0))                                              \
	TRY("ioctl TIOCSTI", CALL(SYS_ioctl, 0, TIOCSTI, "x"))                                     \
	TRY("fcntl F_DUPFD", CALL(SYS_fcntl, 0, F_DUPFD, 9))                                       \
	TRY("fcntl F_SETOWN process 1", CALL(SYS_fcntl, 0, F_SETOWN_EX, &owner))                   \
	/* processes */                                                                            \
	TRY("clone", CALL(SYS_clone, SIGCHLD, 0, 0, 0, 0))                                         \
	TRY("clone3", CALL(NR_CLONE3, memory, 64))                                                 \
	TRY("execve /bin/sh", CALL(SYS_execve, sh, none, none))                                    \
	TRY("execveat /bin/sh", CALL(SYS_execveat, HERE, sh, none, none, 0))                       \
	TRY("ptrace its parent", CALL(SYS_ptrace, PTRACE_ATTACH, parent, 0, 0))                    \
	TRY("process_vm_readv", CALL(SYS_process_vm_readv, parent, &piece, 1, &piece, 1, 0))       \
	TRY("process_vm_writev", CALL(SYS_process_vm_writev, parent, &piece, 1, &piece, 1, 0))     \
	TRY("process_madvise", CALL(NR_PROCESS_MADVISE, 0, &piece, 1, 4, 0))                       \
	TRY("kill its parent", CALL(SYS_kill, parent, 0))                                          \
	TRY("kill all of its user", CALL(SYS_kill, -1, 0))                                         \
	TRY("tgkill its parent", CALL(SYS_tgkill, parent, parent, 0))                              \
	TRY("rt_sigqueueinfo", CALL(SYS_rt_sigqueueinfo, parent, SIGUSR1, memory))                 \
	TRY("pidfd_open", CALL(NR_PIDFD_OPEN, parent, 0))                                          \
	TRY("pidfd_getfd", CALL(NR_PIDFD_GETFD, 0, 0, 0))                                          \
	TRY("pidfd_send_signal", CALL(NR_PIDFD_SEND_SIGNAL, 0, SIGKILL, 0, 0))                     \
	TRY("wait4 any", CALL(SYS_wait4, -1, 0, 1, 0))                                             \
	TRY("prlimit64 its parent", CALL(SYS_prlimit64, parent, 7, memory, 0))                     \
	TRY("setpgid", CALL(SYS_setpgid, 0, 0))                                                    \
	TRY("setsid", CALL(SYS_setsid))                                                            \
	TRY("kcmp", CALL(SYS_kcmp, parent, parent, 0, 0, 0))                                       \
	/* the network, and other ends */                                                          \
	TRY("socket AF_INET", CALL(SYS_socket, AF_INET, SOCK_STREAM, 0))                           \
	TRY("socket AF_UNIX", CALL(SYS_socket, AF_UNIX, SOCK_STREAM, 0))                           \
	TRY("socket AF_NETLINK", CALL(SYS_socket, AF_NETLINK, SOCK_RAW, 0))                        \
	TRY("socketpair", CALL(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, memory))                   \
	TRY("connect", CALL(SYS_connect, 0, &tcp, sizeof tcp))                                     \
	TRY("bind", CALL(SYS_bind, 0, &tcp, sizeof tcp))                                           \
	TRY("listen", CALL(SYS_listen, 0, 1))                                                      \
	TRY("accept4", CALL(SYS_accept4, 0, 0, 0, 0))                                              \
	TRY("sendto", CALL(SYS_sendto, 0, memory, 1, MSG_DONTWAIT, 0, 0))                          \
	TRY("sendmsg SCM_RIGHTS", CALL(SYS_sendmsg, 3, &message, MSG_DONTWAIT))                    \
	TRY("recvmsg", CALL(SYS_recvmsg, 3, &message, MSG_DONTWAIT))                               \
	TRY("recvfrom", CALL(SYS_recvfrom, 3, memory, 1, MSG_DONTWAIT, 0, 0))                      \
	TRY("shutdown", CALL(SYS_shutdown, 0, 2))                                                  \
	TRY("setsockopt", CALL(SYS_setsockopt, 0, SOL_SOCKET, SO_RCVBUF, memory, 4))               \
	/* the kernel */                                                                           \
	TRY("io_uring_setup", CALL(NR_IO_URING_SETUP, 1, memory))                                  \
	TRY("bpf", CALL(SYS_bpf, 0, memory, 120))                                                  \
	TRY("userfaultfd", CALL(SYS_userfaultfd, 1))                                               \
	TRY("perf_event_open", CALL(SYS_perf_event_open, memory, 0, -1, -1, 0))                    \
	TRY("mmap executable",                                                                     \
	    CALL(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))    \
	TRY("mmap", CALL(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))        \
	TRY("mprotect executable",                                                                 \
	    CALL(SYS_mprotect, AT(memory) & -4096L, 4096, PROT_READ | PROT_EXEC))                  \
	TRY("brk", CALL(SYS_brk, 0))                                                               \
	TRY("keyctl", CALL(SYS_keyctl, 0, -3, 1))                                                  \
	TRY("add_key", CALL(SYS_add_key, "user", "x", memory, 1, -3))                              \
	TRY("init_module", CALL(SYS_init_module, memory, 1, ""))                                   \
	TRY("kexec_load", CALL(SYS_kexec_load, 0, 0, 0, 0))                                        \
	TRY("reboot", CALL(SYS_reboot, 0, 0, 0, 0))                                                \
	TRY("settimeofday", CALL(SYS_settimeofday, memory, 0))                                     \
	TRY("sethostname", CALL(SYS_sethostname, "x", 1))                                          \
	/* powers */                                                                               \
	TRY("unshare a user namespace", CALL(SYS_unshare, CLONE_NEWUSER))                          \
	TRY("setns", CALL(SYS_setns, 0, 0))                                                        \
	TRY("setuid 0", CALL(SYS_setuid, 0))                                                       \
	TRY("setresuid 0", CALL(SYS_setresuid, 0, 0, 0))                                           \
	TRY("setresgid 0", CALL(SYS_setresgid, 0, 0, 0))                                           \
	TRY("setgroups", CALL(SYS_setgroups, 0, memory))                                           \
	TRY("capset", CALL(SYS_capset, caps, caps))                                                \
	TRY("setrlimit", CALL(SYS_setrlimit, 6, memory))                                           \
	TRY("prctl PR_SET_DUMPABLE", CALL(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0))                 \
	TRY("prctl PR_SET_SECCOMP", CALL(SYS_prctl, PR_SET_SECCOMP, 0, 0, 0, 0))                   \
	TRY("prctl PR_SET_PDEATHSIG", CALL(SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0))               \
	TRY("seccomp", CALL(SYS_seccomp, 1, 0, memory))                                            \
	TRY("landlock_restrict_self", CALL(NR_LANDLOCK_RESTRICT_SELF, 0, 0))                       \
	TRY("personality", CALL(SYS_personality, 0x40000))                                         \
	TRY("rt_sigaction", CALL(SYS_rt_sigaction, SIGTERM, &taken, 0, 8))                         \
	TRY("rt_sigprocmask", CALL(SYS_rt_sigprocmask, SIG_BLOCK, memory, 0, 8))

#ifdef __x86_64__
static long
by_int80(long number, long a, long b)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "0"(number), "b"(a), "c"(b), "d"(0L)
			 : "memory", "r8", "r9", "r10", "r11");
	errno = (int)-r;
	return r;
}

enum {
	X32 = 0x40000000,
	I386_READ = 3,
	I386_GETPID = 20,
	I386_EXECVE = 11,
	I386_SOCKETCALL = 102,
	UPROBE = 336 /* which the kernel takes past every filter, and does nothing for here */
};

#define ENTRIES                                                                                    \
	TRY("open /etc/passwd", CALL(SYS_open, passwd, O_RDONLY))                                  \
	TRY("creat", CALL(SYS_creat, made, 0600))                                                  \
	TRY("dup2", CALL(SYS_dup2, 0, 9))                                                          \
	TRY("fork", CALL(SYS_fork))                                                                \
	TRY("vfork", CALL(SYS_vfork))                                                              \
	TRY("int 0x80: read", by_int80(I386_READ, 0, 0))                                           \
	TRY("int 0x80: getpid", by_int80(I386_GETPID, 0, 0))                                       \
	TRY("int 0x80: execve", by_int80(I386_EXECVE, 0, 0))                                       \
	TRY("int 0x80: socketcall", by_int80(I386_SOCKETCALL, 1, 0))                               \
	TRY("x32: read", CALL(X32 | SYS_read, 0, memory, 0))                                       \
	TRY("x32: openat", CALL(X32 | SYS_openat, HERE, passwd, O_RDONLY))                         \
	TRY("x32: execve", CALL(X32 | 520, sh, none, none))                                        \
	TRY("x32: recvmsg", CALL(X32 | 519, 3, &message, 0))                                       \
	TRY("uprobe", CALL(UPROBE))
#else
#define ENTRIES
#endif

static const char *const names[] = {
#define TRY(name, call) name,
    ATTEMPTS ENTRIES
#undef TRY
};

static long
attempt(size_t which)
{
	size_t at = 0;

	errno = 0;
#define TRY(name, call)                                                                            \
	if (which == at++)                                                                         \
		return call;
	ATTEMPTS ENTRIES
#undef TRY
	    return -1;
}

static void
say(const char *text)
{
	size_t len = strlen(text);

	if (write(STDERR_FILENO, text, len) < 0 && write(STDOUT_FILENO, text, len) < 0)
		syscall(SYS_exit_group, 3L);
}

__attribute__((constructor)) static void
begin(void)
{
	const char *name = getenv("ESCAPE");

	first = getpid();
	parent = getppid();
	if (name != NULL && strcmp(name, "?") == 0) {
		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			(void)puts(names[i]);
		exit(0);
	}
}

static void
prepare(void)
{
	gift.header.cmsg_level = SOL_SOCKET;
	gift.header.cmsg_type = SCM_RIGHTS;
	gift.header.cmsg_len = CMSG_LEN(sizeof(int));
	parent = getppid();
}

int
__wrap_sandbox_filter(enum sandbox_policy policy)
{
	const char *name = getenv("ESCAPE"), *in = getenv("ESCAPE_IN");
	bool child = getpid() != first;
	size_t which = 0;
	char line[64];

	if (name == NULL || (policy == SANDBOX_DELIVER && child != (in != NULL)))
		return __real_sandbox_filter(policy);
	while (which < sizeof names / sizeof *names && strcmp(names[which], name) != 0)
		which++;
	prepare();
	(void)snprintf(line, sizeof line, "escape: %ld tries\n", (long)getpid());
	if (__real_sandbox_filter(policy) < 0)
		return -1;
	say(line);
	long r = attempt(which);
	(void)snprintf(line, sizeof line, "escape: ended %d\n", r >= 0 ? 0 : errno);
	say(line);
	syscall(SYS_exit_group, 0L);
	return -1;
}

/* What the program learns of the end of such a process is told here, too. */
pid_t
__wrap_waitpid(pid_t pid, int *status, int options)
{
	char line[64];

	pid_t r = __real_waitpid(pid, status, options);
	if (r > 0 && WIFSIGNALED(*status) && getenv("ESCAPE") != NULL) {
		(void)snprintf(
		    line, sizeof line, "escape: %ld killed %d\n", (long)r, WTERMSIG(*status));
		say(line);
	}
	return r;
}
