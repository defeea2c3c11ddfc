/*
 * onefault.c -- run an SMTP server with one fault in it, and be its client.
 *
 *   onefault DIALOGUE REPLIES list COMMAND ARG ...
 *   onefault DIALOGUE REPLIES PROCESS CALL NUMBER FAULT[:PROCESS] COMMAND ARG ...
 *
 * COMMAND has a socket as its descriptors 0 and 1.  The client at the other end says the lines of
 * DIALOGUE one by one, waiting for the reply to each; after a 354 all up to a line with a dot; then
 * it hears the rest.  REPLIES is what it read.
 *
 * All processes that come of COMMAND are traced.  The first is called 0, its children 0.1, 0.2 ..., by
 * the order in which they were made, and theirs 0.2.1 and so on.  What a process asks of the system from
 * there on is numbered for each call by itself: "0.2 write 3" is the third write of the second child.
 *
 * FAULT is the name of an error, which that call then gives: the kernel does not come to do it, but for
 * close(2), which on Linux gives the descriptor back whatever it returns.  Or it is SHORT: the call is
 * done for one octet, where it was asked for more and is not for a packet, which is never divided.  Or
 * it is KILL: the process, or the other one that is named, is killed before the call is done, and
 * everything else waits for that.
 *
 * Ends when all processes have.  Prints one line of five words; with list, before it every call that was
 * made, as it can be told to fail:
 *
 *   hit, missed or lost   lost: what failed was the sync of a file or the close of one that was written;
 *                         missed: it never came to that call, there was no such process, or nothing to
 *                         make short
 *   a number              of helpers to which process 0 has said the octet 'k', or that were told 'a' and
 *                         have found that they may keep their copy (deliver(8), -c)
 *   a number              that it may be: one more if somebody was killed doing so
 *   a number              that it was, or was about to become, when the fault came
 *   ended or hung         hung: PATIENCE was over
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lockstep.h"

enum {
	PATIENCE = 40,  /* s; more than all the deadlines of one delivery under test */
	PROCESSES = 64, /* in one run; a delivery to three has about ten */
	CALLS = 512,    /* above the highest number of a call that is made here */
	NAME = 16,      /* octets of "0.2.1" */
};

/* ---- the registers of a process at a system call ------------------------------------------------ */

#ifdef __x86_64__
#define NUMBER(r) ((r).orig_rax)
#define FIRST(r)  ((r).rdi)
#define SECOND(r) ((r).rsi)
#define THIRD(r)  ((r).rdx)
#define RESULT(r) ((r).rax)
#else
#error "this reads the registers of x86-64"
#endif

static struct user_regs_struct
registers(pid_t pid)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &r) < 0 && errno != ESRCH)
		err(1, "registers");
	return r;
}

static void
set_registers(pid_t pid, struct user_regs_struct *r)
{
	if (ptrace(PTRACE_SETREGS, pid, NULL, r) < 0 && errno != ESRCH)
		err(1, "registers");
}

/* ---- the processes ------------------------------------------------------------------------------- */

static struct process {
	pid_t pid; /* 0: nobody any more */
	char name[NAME];
	int children;
	unsigned calls[CALLS];
	bool inside;  /* a call */
	bool stopped; /* and not named: it was seen before its parent's word came */
	bool new;     /* has not had the SIGSTOP that every new one gets */
	long result;  /* that the call shall have */
	bool has_result;
} processes[PROCESSES];

static struct fault {
	const char *process, *other;
	long call;
	unsigned number;
	int error;
	enum {
		NONE,
		ERROR,
		SHORT,
		KILL
	} what;
	bool hit, lost;
	unsigned then;        /* helpers that were to keep their copy by then, or about to be */
	struct process *held; /* while another is being killed */
} fault;

static bool listing;
static unsigned kept;           /* helpers that are to keep their copy */
static struct process *keeping; /* who is at a call that may make them one more */

static struct process *
find(pid_t pid)
{
	for (size_t i = 0; i < PROCESSES; i++)
		if (processes[i].pid == pid)
			return &processes[i];
	return NULL;
}

static struct process *
find_name(const char *name)
{
	for (size_t i = 0; i < PROCESSES; i++)
		if (processes[i].pid != 0 && strcmp(processes[i].name, name) == 0)
			return &processes[i];
	return NULL;
}

static struct process *
add(pid_t pid)
{
	struct process *p = find(0);

	if (p == NULL)
		errx(1, "more than %d processes at once", PROCESSES);
	*p = (struct process){.pid = pid, .new = true};
	return p;
}

static void
go_on(const struct process *p, int number)
{
	if (ptrace(PTRACE_SYSCALL, p->pid, NULL, (long)number) < 0 && errno != ESRCH)
		err(1, "PTRACE_SYSCALL"); /* ESRCH: killed meanwhile */
}

/* ---- the fault ----------------------------------------------------------------------------------- */

/* A copy of a descriptor of its; -1 if there is none. */
static int
copy_of(pid_t pid, int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0U);
	int ours = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0U);

	(void)close(pidfd);
	return ours;
}

/* A packet is read or written whole. */
static bool
is_packet(pid_t pid, int fd)
{
	int ours = copy_of(pid, fd), type = 0;
	socklen_t len = sizeof type;
	bool packet =
	    getsockopt(ours, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;

	(void)close(ours);
	return packet;
}

/* A call whose failure may mean that what was written is lost: a sync, or the close of a file that is
   open for nothing but writing, unless a signal came between (close(2)). */
static bool
may_lose(pid_t pid, int fd)
{
	int ours = copy_of(pid, fd);
	struct stat st;
	bool written = fstat(ours, &st) == 0 && S_ISREG(st.st_mode) &&
		       (fcntl(ours, F_GETFL) & O_ACCMODE) == O_WRONLY;

	(void)close(ours);
	return fault.call == SYS_fsync || fault.call == SYS_syncfs ||
	       (fault.call == SYS_close && fault.error != EINTR && written);
}

/* At the start of the call that it is for.  False if the process must wait. */
static bool
inject(struct process *p, struct user_regs_struct *r)
{
	struct process *other;

	fault.then = kept + (keeping != NULL);
	switch (fault.what) {
	case NONE:
		break;
	case ERROR:
		p->result = -fault.error;
		p->has_result = fault.hit = true;
		fault.lost = may_lose(p->pid, (int)FIRST(*r));
		if (fault.call == SYS_close)
			break;
		/* Every jail lets this pass, and it does nothing. */
		NUMBER(*r) = SYS_read;
		FIRST(*r) = (unsigned long long)-1;
		set_registers(p->pid, r);
		break;
	case SHORT:
		if (THIRD(*r) <= 1 || is_packet(p->pid, (int)FIRST(*r)))
			break;
		fault.hit = true;
		THIRD(*r) = 1;
		set_registers(p->pid, r);
		break;
	case KILL:
		other = fault.other != NULL ? find_name(fault.other) : p;
		if (other == NULL)
			break;
		fault.hit = true;
		keeping = other != p ? keeping : NULL; /* it does not come to do it */
		(void)kill(other->pid, SIGKILL);
		fault.held = other == p ? NULL : p;
		return fault.held == NULL;
	}
	return true;
}

static bool
is_first(const struct process *p)
{
	return strcmp(p->name, "0") == 0;
}

/* Process 0 tells a helper to keep its copy; or a helper that was told beforehand (deliver(8), -c, 'a') asks
   whether it may, which is all that deliver has this call for. */
static bool
is_keep(const struct process *p, const struct user_regs_struct *r)
{
	char octet = 0;
	struct iovec here = {&octet, 1}, there = {(void *)(uintptr_t)SECOND(*r), 1};

	if (!is_first(p))
		return NUMBER(*r) == SYS_ppoll;
	return NUMBER(*r) == SYS_sendto && THIRD(*r) == 1 &&
	       process_vm_readv(p->pid, &here, 1, &there, 1, 0) == 1 && octet == 'k';
}

/* A call begins.  False if the process must wait. */
static bool
enter(struct process *p)
{
	struct user_regs_struct r = registers(p->pid);
	long call = (long)NUMBER(r);

	if (call < 0 || call >= CALLS)
		errx(1, "system call %ld", call);
	unsigned number = ++p->calls[call];
	keeping = is_keep(p, &r) ? p : keeping;
	if (listing) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)call);
		printf("%s %s %u\n", p->name, name, number);
		free(name);
	} else if (call == fault.call && number == fault.number &&
		   strcmp(p->name, fault.process) == 0) {
		return inject(p, &r);
	}
	return true;
}

static void
leave(struct process *p)
{
	struct user_regs_struct r = registers(p->pid);

	if (p == keeping) {
		kept += !p->has_result &&
			RESULT(r) == is_first(p); /* one octet; or nobody has hung up */
		keeping = NULL;
	}
	if (p->has_result) {
		RESULT(r) = (unsigned long long)p->result;
		set_registers(p->pid, &r);
	}
	p->has_result = false;
}

/* ---- what the kernel tells of them --------------------------------------------------------------- */

/* The parent's word about a child, which may be stopped already. */
static void
name_child(struct process *parent)
{
	unsigned long pid;

	if (ptrace(PTRACE_GETEVENTMSG, parent->pid, NULL, &pid) < 0)
		return; /* it was killed, and so will be the child */
	struct process *child = find((pid_t)pid);
	if (child == NULL)
		child = add((pid_t)pid);
	if (snprintf(child->name, NAME, "%s.%d", parent->name, ++parent->children) >= NAME)
		errx(1, "too deep");
	if (child->stopped)
		go_on(child, 0);
	child->stopped = false;
}

static void
has_stopped(struct process *p, int status)
{
	int number = WSTOPSIG(status);

	if (number == (SIGTRAP | 0x80)) {
		p->inside = !p->inside;
		if (!p->inside)
			leave(p);
		else if (!enter(p))
			return;
		number = 0;
	} else if (status >> 8 == (SIGTRAP | PTRACE_EVENT_FORK << 8) ||
		   status >> 8 == (SIGTRAP | PTRACE_EVENT_VFORK << 8) ||
		   status >> 8 == (SIGTRAP | PTRACE_EVENT_CLONE << 8)) {
		name_child(p);
		number = 0;
	} else if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
		number = 0;
	} else if (number == SIGSTOP && p->new) {
		p->new = false;
		p->stopped = p->name[0] == 0;
		if (p->stopped)
			return;
		number = 0;
	}
	go_on(p, number);
}

static void
has_ended(struct process *p)
{
	p->pid = 0;
	if (fault.held != NULL && strcmp(p->name, fault.other) == 0) {
		go_on(fault.held, 0);
		fault.held = NULL;
	}
}

static void
tell(const char *end)
{
	(void)fflush(stdout);
	dprintf(STDOUT_FILENO, "%s %u %u %u %s\n",
	    fault.lost  ? "lost"
	    : fault.hit ? "hit"
			: "missed",
	    kept, kept + (keeping != NULL), fault.then, end);
}

static void
out_of_patience(int number)
{
	(void)number;
	tell("hung");
	_exit(0); /* PTRACE_O_EXITKILL */
}

static void
trace(pid_t first)
{
	int status;
	pid_t pid;

	if (waitpid(first, &status, 0) < 0 || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, first, NULL,
		PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
		    PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) < 0)
		errx(1, "the command cannot be traced");
	struct process *p = add(first);
	(void)strcpy(p->name, "0");
	p->new = false;
	go_on(p, 0);
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		p = find(pid);
		if (p == NULL && WIFSTOPPED(status))
			p = add(pid); /* before its parent's word */
		if (p != NULL && WIFSTOPPED(status))
			has_stopped(p, status);
		else if (p != NULL)
			has_ended(p);
	}
}

/* ---- the command line ---------------------------------------------------------------------------- */

static int
error_number(const char *name)
{
	for (int i = 1; i < 134; i++) /* EHWPOISON, the last */
		if (strerrorname_np(i) != NULL && strcmp(strerrorname_np(i), name) == 0)
			return i;
	errx(1, "%s: no such error", name);
}

static void
parse(char **argv)
{
	char *colon = strchr(argv[3], ':');

	fault.process = argv[0];
	fault.call = seccomp_syscall_resolve_name(argv[1]);
	fault.number = (unsigned)atoi(argv[2]);
	if (colon != NULL) {
		*colon = 0;
		fault.other = colon + 1;
	}
	if (fault.call < 0)
		errx(1, "%s: no such system call", argv[1]);
	fault.what = strcmp(argv[3], "KILL") == 0    ? KILL
		     : strcmp(argv[3], "SHORT") == 0 ? SHORT
						     : ERROR;
	if (fault.what == ERROR)
		fault.error = error_number(argv[3]);
}

int
main(int argc, char **argv)
{
	int pair[2];
	char **command = argv + 7;

	if (argc > 4 && strcmp(argv[3], "list") == 0) {
		listing = true;
		command = argv + 4;
	} else if (argc > 7) {
		parse(argv + 3);
	} else {
		errx(64, "usage: onefault DIALOGUE REPLIES list|FAULT COMMAND ...; see onefault.c");
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		err(1, "socketpair");
	pid_t client = fork();
	if (client == 0) {
		(void)signal(SIGPIPE, SIG_IGN);
		(void)close(pair[1]);
		lockstep(pair[0], argv[1], argv[2]);
		_exit(0);
	}
	(void)close(pair[0]);
	pid_t first = fork();
	if (first == 0) {
		if (dup2(pair[1], 0) < 0 || dup2(pair[1], 1) < 0 ||
		    ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			err(1, "the command cannot be traced");
		(void)execvp(command[0], command);
		err(1, "%s", command[0]);
	}
	(void)close(pair[1]);
	if (client < 0 || first < 0)
		err(1, "fork");
	(void)signal(SIGALRM, out_of_patience);
	(void)alarm(PATIENCE);
	trace(first);
	tell("ended");
	return 0;
}
