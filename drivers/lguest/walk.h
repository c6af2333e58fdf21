/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The walk of a Guest's page tables: one walker for all formats. Plain C: this header and walk.c are also compiled into
 * userspace tests, which bring their own plain.h and their own two functions of Guest memory.
 */
#ifndef _LGUEST_WALK_H
#define _LGUEST_WALK_H

#include "plain.h"

struct lg_cpu;

/* Paging formats of a Guest (SDM vol. 3, 4.1). */
enum lg_format { LG_FMT_NONE, LG_FMT_2LEVEL, LG_FMT_PAE, LG_FMT_4LEVEL };

/* Page-fault error code (SDM vol. 3, 4.7); also the rights that a walk asks for. */
#define LG_PF_PRESENT	0x1u
#define LG_PF_WRITE	0x2u
#define LG_PF_USER	0x4u
#define LG_PF_RSVD	0x8u
#define LG_PF_FETCH	0x10u

/* What the processor would know of the Guest's paging. Changed by shadow.c alone. */
struct lg_paging {
	u64 cr0, cr3, cr4, efer;	/* as the Guest believes them to be */
	u64 pdpte[4];			/* PAE: loaded with CR3 (SDM vol. 3, 4.4.1) */
	u8 format;			/* enum lg_format, from the four above */
};

/* A trap for the Guest, not yet delivered. */
struct lg_fault {
	u8 vector;
	bool has_error;
	u32 error;
	u64 gva;			/* of a page fault: for CR2 */
};

/* What a successful walk found. */
struct lg_translation {
	u64 gpa;			/* of the byte asked for */
	u64 table[4];			/* gpa of the table walked at each level, [0] the lowest; 0 where there is none */
	u64 entry[4];			/* the entries, as they are after accessed and dirty were set */
	u8 leaf;			/* index into entry[]: 0 a 4 KiB page, 1 a 2 or 4 MiB page, 2 1 GiB */
	bool writable, user, nx;	/* rights of all levels together, CR0.WP not counted in */
};

/*
 * Walks gva for an access with the rights in `access` (LG_PF_WRITE, _USER, _FETCH), sets accessed (and, for a write,
 * dirty) in the Guest's entries. 0, or -EFAULT with *fault the page fault that the processor would raise.
 * May sleep (Guest memory).
 */
int lg_walk(struct lg_cpu *cpu, const struct lg_paging *paging, u64 gva, u32 access, struct lg_translation *t,
	    struct lg_fault *fault);

#endif /* _LGUEST_WALK_H */
