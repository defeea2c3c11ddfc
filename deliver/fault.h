/* fault.h -- everything that can stop a delivery, in one table: exit status and reply. */
#ifndef FAULT_H
#define FAULT_H

enum fault {
	FAULT_NONE,
	FAULT_SYSTEM, /* a system call failed; errno says why */
	FAULT_ABSENT,
	FAULT_OWNER,
	FAULT_KIND,
	FAULT_LOCKED,
	FAULT_REPLACED,
	FAULT_FULL,
	FAULT_FULL_NOW,      /* only with what is being delivered at this moment */
	FAULT_FULL_FOR_GOOD, /* FAULT_FULL under -Q */
	FAULT_LOOP,
	FAULT_HUNG_UP,
	FAULT_ORPHANED, /* the guard of an mbox was killed */
	FAULT_KILLED,   /* its writer was */
};

/*
 * Say what stopped a delivery: on standard error one line that begins with an enhanced status code
 * (RFC 3463) and names nothing of this machine, fit for an SMTP reply, then one for the log that
 * names the mailbox and, for FAULT_SYSTEM, the error `why`.
 * Returns the exit status (sysexits): EX_DATAERR for a fact about the message, EX_UNAVAILABLE for
 * FAULT_FULL_FOR_GOOD, otherwise EX_TEMPFAIL.
 */
int fault_report(enum fault fault, int why, const char *mailbox);

/* What -Q makes of a fault: a mailbox that is full, by its maildirsize or by the system's quota, is
   FAULT_FULL_FOR_GOOD; not FAULT_FULL_NOW. */
enum fault fault_for_good(enum fault fault, int why);

/* For what goes wrong before a mailbox is touched: a line on standard error, and the end. */
__attribute__((format(printf, 2, 3))) _Noreturn void die(int status, const char *format, ...);

#endif
