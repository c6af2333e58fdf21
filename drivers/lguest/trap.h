/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Traps: how exceptions and interrupts reach the Guest. Plain C (env.h).
 *
 * All by the task of the vCPU, unless said otherwise; may sleep (Guest memory).
 */
#ifndef _LGUEST_TRAP_H
#define _LGUEST_TRAP_H

#include "plain.h"

struct lg_cpu;

/*
 * What was found right when it was last looked at, and is right until the Guest's tables change
 * (lg_quick_forget()): so that a system call need not look at it again. All of tables that the Host
 * keeps, as others change without a word.
 */
struct lg_quick {
	u64 gates[4];		/* a bit per vector: 32-bit gate, present; flat code of the kernel's */
	bool stack;		/* of SET_STACK: flat, the kernel's */
	/* Flat code and stack, as the hardware has their selectors at kernel level; or 0. */
	u16 kernel_cs, kernel_ss;
	u16 user_cs, user_ss;	/* an IRET may go there, to any address; or 0 */
	u64 user_data;		/* DS, ES, FS and GS that user level may have, as one */
};

/* One event on its way into the Guest. */
struct lg_event {
	u8 vector;
	u8 cause;			/* the first event, whose delivery met this one */
	bool has_error;
	bool soft;			/* by an instruction of the Guest: INT n, INT3, INTO */
	bool interrupt;			/* by a line */
	bool unsure;			/* of insn_ip, which there was no memory to find out */
	u32 error;
	u32 insn_ip;			/* soft: where the instruction is; frame.ip is behind it */
	u64 gva;			/* of a page fault */
};

/* cpu->untold: what struct lguest_data does not say, as there was no memory for that. */
#define LG_UNTOLD_IF	1u		/* virtual IF: cpu->virtual_if is right */
#define LG_UNTOLD_CR2	2u
#define LG_UNTOLD_TABLES 4u		/* nor do the running segments what the Guest's tables say */

/* What a handler of an exit tells the run loop. */
enum lg_next {
	LG_RUN,			/* enter the Guest again */
	LG_LAUNCHER,		/* cpu->exit says why the Launcher is needed */
};

/* Exceptions (SDM vol. 3, table 6-1). */
enum lg_trap {
	LG_TRAP_DE,
	LG_TRAP_DB,
	LG_TRAP_NMI,
	LG_TRAP_BP,
	LG_TRAP_OF,
	LG_TRAP_BR,
	LG_TRAP_UD,
	LG_TRAP_NM,
	LG_TRAP_DF,
	LG_TRAP_OLD_MF,
	LG_TRAP_TS,
	LG_TRAP_NP,
	LG_TRAP_SS,
	LG_TRAP_GP,
	LG_TRAP_PF,
	LG_TRAP_MF = 16,
	LG_TRAP_AC,
	LG_TRAP_MC,
	LG_TRAP_XM,
	LG_TRAPS = 32
};

/* Bits of an error code that names a selector or a vector (SDM vol. 3, 6.13). */
#define LG_ERROR_EXT	1u
#define LG_ERROR_IDT	2u

/* EFLAGS (SDM vol. 1, 3.4.3). */
#define LG_FLAGS_CF	0x1u
#define LG_FLAGS_FIXED	0x2u
#define LG_FLAGS_PF	0x4u
#define LG_FLAGS_AF	0x10u
#define LG_FLAGS_ZF	0x40u
#define LG_FLAGS_SF	0x80u
#define LG_FLAGS_TF	0x100u
#define LG_FLAGS_IF	0x200u
#define LG_FLAGS_DF	0x400u
#define LG_FLAGS_OF	0x800u
#define LG_FLAGS_IOPL	0x3000u
#define LG_FLAGS_NT	0x4000u
#define LG_FLAGS_RF	0x10000u
#define LG_FLAGS_VM	0x20000u
#define LG_FLAGS_AC	0x40000u
#define LG_FLAGS_ID	0x200000u
/* Those that the Guest has in the hardware (S2). */
#define LG_FLAGS_GUEST                                                                       \
	(LG_FLAGS_CF | LG_FLAGS_PF | LG_FLAGS_AF | LG_FLAGS_ZF | LG_FLAGS_SF | LG_FLAGS_TF | \
	 LG_FLAGS_DF | LG_FLAGS_OF | LG_FLAGS_RF | LG_FLAGS_AC | LG_FLAGS_ID)

/* DR6: which breakpoints were met, access to a debug register, single step. */
#define LG_DR6_B	0xfu
#define LG_DR6_NO_BUS_LOCK 0x800u	/* clear: a bus lock */
#define LG_DR6_BD	0x2000u
#define LG_DR6_BS	0x4000u
/* DR7: breakpoint n is on, by either of two bits; debug registers are not to be accessed. */
#define LG_DR7_ON(n)	(3u << 2 * (n))
#define LG_DR7_GD	0x2000u

/* Does the processor push an error code for this exception? */
bool lg_has_error_code(unsigned int vector);
/* "a general protection fault (#GP, 13)"; for 32 and above "an interrupt". */
const char *lg_trap_name(unsigned int vector);

/*
 * Puts an exception into cpu->fault. Returns -EFAULT, so that the finder of a fault may return it.
 */
int lg_raise(struct lg_cpu *cpu, enum lg_trap vector, u32 error);

/*
 * Delivers exception or interrupt `vector` as the processor would; error only if has_error. soft:
 * by INT n, INT3 or INTO, which the instruction pointer has passed: the gate's DPL is checked. A
 * Guest that has no handler for it dies.
 */
enum lg_next lg_deliver(struct lg_cpu *cpu, u8 vector, bool has_error, u32 error, bool soft);
/* The same for an INT n whose address is known (it may have prefixes). */
enum lg_next lg_deliver_int(struct lg_cpu *cpu, u8 vector, u32 insn_ip);
/* Delivers cpu->fault. */
enum lg_next lg_deliver_fault(struct lg_cpu *cpu);
/*
 * The same after -EFAULT of what reads or writes Guest memory, which may also mean that the Host has
 * none (cpu->no_memory): then nothing is delivered, and the instruction begins anew.
 */
enum lg_next lg_deliver_found(struct lg_cpu *cpu);
/* Delivers cpu->event, for which there was no memory. */
enum lg_next lg_deliver_again(struct lg_cpu *cpu);
/* Tells struct lguest_data what it could not be told (cpu->untold). */
void lg_tell_again(struct lg_cpu *cpu);
/* Delivers the interrupt of a line; virtual IF is on. */
enum lg_next lg_deliver_line(struct lg_cpu *cpu, unsigned int line);
/*
 * lines.c: delivers the lowest pending unblocked line if virtual IF allows; keeps irq_pending true.
 * Before each entry.
 */
enum lg_next lg_deliver_interrupts(struct lg_cpu *cpu);
/* What an exception in the Guest (hardware vector 0 to 31 but page faults, NMI and #MC) becomes. */
enum lg_next lg_handle_exception(struct lg_cpu *cpu, int vector, u32 error);

/*
 * The Guest's descriptor or gate tables, or its choice of a kernel stack, have changed: by whoever
 * changes them.
 */
void lg_quick_forget(struct lg_cpu *cpu);

/*
 * The virtual interrupt flag. If Guest memory is gone, it is off and stays as it is; if the Host has
 * no memory for it, what was set is kept, and told later.
 */
bool lg_virtual_if(struct lg_cpu *cpu);
void lg_set_virtual_if(struct lg_cpu *cpu, bool on);
/* EFLAGS as the Guest believes them to be, and their loading by its kernel (IRET, POPF). */
u32 lg_guest_flags(struct lg_cpu *cpu);
void lg_load_flags(struct lg_cpu *cpu, u32 flags);
/* The instruction after STI is done: nothing holds interrupts back. */
void lg_end_sti_shadow(struct lg_cpu *cpu);

#endif /* _LGUEST_TRAP_H */
