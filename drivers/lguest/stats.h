/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is counted of a vCPU, always: exits and where the time goes, and the
 * last exits one by one.
 *
 * One writer, the vCPU's own task, which takes no lock and makes no atomic
 * operation; any number of readers at any time. Each number is right by itself;
 * two that are read one after the other may be of different moments. Times are
 * TSC ticks.
 */
#ifndef _LGUEST_STATS_H
#define _LGUEST_STATS_H

#include <linux/types.h>
#include <asm/lguest.h>

struct lg_cpu;
struct lguest;

/* Hypercalls by number; what is beyond has no name. */
#define LG_HYPERCALLS (LHCALL_SEND_INTERRUPTS + 1)

/*
 * Accounts of time: every tick from the Guest's birth on that its vCPU is not
 * inside belongs to one of them. The exceptions come first, by their vector;
 * LGUEST_TRAP_ENTRY among them counts all hypercalls, but keeps the time of
 * only those that are none: from user mode, or with an unknown number.
 */
enum lg_account_of {
	LG_ACCOUNT_HOST_IRQ = 32, /* an interrupt of the host's */
	LG_ACCOUNT_SYSCALL, /* INT with the vector of system calls */
	LG_ACCOUNT_REFUSED, /* no entry: the processor would not */
	LG_ACCOUNT_HALTED, /* asleep in HALT */
	LG_ACCOUNT_LAUNCHER, /* out of read() */
	LG_ACCOUNT_HYPERCALL, /* the first one's */
	LG_ACCOUNTS = LG_ACCOUNT_HYPERCALL + LG_HYPERCALLS
};

struct lg_account {
	u64 count;
	u64 ticks; /* from the exit to the next entry, all together */
	u64 worst; /* the longest of them */
	u64 reserved; /* to 32 bytes: what is counted at each exit is found fast */
};

/* How many of the last exits are kept; a power of two. */
#define LG_LAST_EXITS 256

struct lg_exit_record {
	u64 entered, left; /* TSC: the stay in the Guest that this exit ended */
	u64 ip;
	u64 address; /* of a page fault; of others nothing */
	u32 ax, bx;
	u32 error;
	u16 vector; /* LG_EXIT_ABORTED: there was no stay */
	bool user; /* virtual privilege level */
	u8 reserved[17]; /* to 64 bytes */
};

struct lg_stats {
	struct lg_exit_record last[LG_LAST_EXITS];
	u64 left; /* TSC: begin of what `owed` is charged next */
	struct lg_account *owed;
	u64 exits; /* so far; the last one's record is at exits - 1 */
	u64 born; /* TSC: nothing of the Guest is older */
	struct lg_account account[LG_ACCOUNTS];
	u64 ring_calls[LG_HYPERCALLS]; /* hypercalls from the ring */
	u64 irqs[LGUEST_IRQ_LINES]; /* delivered */
	u64 traps; /* exceptions and software interrupts delivered */
	u64 reflected; /* page faults that were the Guest's own */
	u64 emulated; /* instructions */
	u64 timer_set;
};

#endif /* _LGUEST_STATS_H */
