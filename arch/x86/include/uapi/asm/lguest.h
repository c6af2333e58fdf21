/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The Guest-Host interface: what a 32-bit Guest kernel says to the Host (hypercalls) and what both
 * of them write (struct lguest_data). Only numbers and layouts live here; what they mean is told in
 * Documentation/virt/lguest/guest-interface.rst.
 *
 * Usable from C and from assembly. A "word" is 32 bits. Nothing may be renumbered or moved: kernels
 * built years ago rely on every line. New fields go to the end of struct lguest_data.
 */
#ifndef _UAPI_ASM_X86_LGUEST_H
#define _UAPI_ASM_X86_LGUEST_H

/*
 * int $LGUEST_TRAP_ENTRY in Guest kernel mode: EAX is the number, EBX, ECX, EDX, ESI are its
 * arguments.
 */
#define LGUEST_TRAP_ENTRY		0x1f

#define LHCALL_FLUSH_ASYNC		0
#define LHCALL_LGUEST_INIT		1
#define LHCALL_SHUTDOWN			2
#define LHCALL_NEW_PGTABLE		4
#define LHCALL_FLUSH_TLB		5
#define LHCALL_LOAD_IDT_ENTRY		6
#define LHCALL_SET_STACK		7
#define LHCALL_TS			8
#define LHCALL_SET_CLOCKEVENT		9
#define LHCALL_HALT			10
#define LHCALL_SET_PMD			13
#define LHCALL_SET_PTE			14
#define LHCALL_SET_PGD			15
#define LHCALL_LOAD_TLS			16
#define LHCALL_NOTIFY			17
#define LHCALL_LOAD_GDT_ENTRY		18
#define LHCALL_SEND_INTERRUPTS		19

/* Second argument of LHCALL_SHUTDOWN; any other value is a crash. */
#define LGUEST_SHUTDOWN_POWEROFF	1
#define LGUEST_SHUTDOWN_RESTART		2
/* A message of LHCALL_SHUTDOWN is cut here, its NUL included (bytes). */
#define LGUEST_SHUTDOWN_MESSAGE_MAX	128

/* hardware_subarch of the x86 boot protocol. */
#define LGUEST_SUBARCH			1

/* Interrupt line n arrives as this vector plus n, unless struct lguest_extension says otherwise. */
#define LGUEST_FIRST_IRQ_VECTOR		0x20
#define LGUEST_IRQ_LINES		32

/* lguest_data.irq_enabled and .irq_pending: the interrupt flag as EFLAGS has it. */
#define LGUEST_IF			0x200

/* GDT entries in which a Guest finds its flat segments at the start. */
#define LGUEST_BOOT_CS			0x61
#define LGUEST_BOOT_DS			0x69

#define LGUEST_HCALL_RING		64
#define LGUEST_HCALL_FREE		0xff
#define LGUEST_HCALL_WAITING		0

#ifndef __ASSEMBLY__
#include <linux/types.h>

/* One entry of the asynchronous ring. */
struct lguest_hcall {
	__u32 number;
	__u32 arg[4];
};

/*
 * Lies in Guest memory wherever LHCALL_LGUEST_INIT said; may cross pages. "G" and "H" say who
 * writes a field.
 */
struct lguest_data {
	__u32 irq_enabled;			/* G, H: virtual interrupt flag, LGUEST_IF or 0 */
	__u32 blocked_interrupts;		/* G: a bit per line */
	__u32 cr2;				/* H: address of the last page fault delivered */
	__u32 time[2];				/* H: wall clock: seconds, nanoseconds */
	__u32 irq_pending;			/* H: LGUEST_IF if a line waits for virtual IF */
	__u8 hcall_status[LGUEST_HCALL_RING];	/* G: LGUEST_HCALL_WAITING, H: LGUEST_HCALL_FREE */
	struct lguest_hcall hcalls[LGUEST_HCALL_RING];	/* G */
	__u32 reserve_mem; /* H at INIT: bytes to leave free at the top of the address space: 0 */
	__u32 tsc_khz;				/* H at INIT: TSC frequency, 0 unknown */
	__u32 noirq_iret;     /* G before INIT: address of the iret no interrupt may hit */
	__u32 kernel_address; /* G before INIT: lowest address common to all page directories */
	__u32 syscall_vec;			/* G before INIT: vector of system calls */
};

/* lguest_extension.magic, in its order: what is in memory there by chance is something else. */
#define LGUEST_EXTENSION_MAGIC_0	0x6575674c
#define LGUEST_EXTENSION_MAGIC_1	0x2b217473
/* lguest_extension.version: first_irq_vector is the last field. */
#define LGUEST_EXTENSION_VERSION	1
/* lguest_extension.features */
#define LGUEST_FEATURE_IRQ_VECTOR	0x1	/* lines come where first_irq_vector says */

/* May lie right behind struct lguest_data. The Host touches it only where magic is right. */
struct lguest_extension {
	__u32 magic[2];				/* G before INIT: LGUEST_EXTENSION_MAGIC_0, 1 */
	__u32 version;				/* G before INIT: LGUEST_EXTENSION_VERSION */
	__u32 features;				/* H at INIT: what it has heeded, LGUEST_FEATURE_ */
	/* G before INIT: vector of line 0, from 0x20 to 0xe0 */
	__u32 first_irq_vector;
};

#endif /* !__ASSEMBLY__ */
#endif /* _UAPI_ASM_X86_LGUEST_H */
