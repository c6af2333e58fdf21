/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The walk of a Guest's page tables: one walker for all formats. Plain C: this header and walk.c
 * are also compiled into userspace tests, which bring the two functions of Guest memory that stand
 * at the end.
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
/* In the rights of a walk only: just look, ask for no right and leave accessed and dirty alone. */
#define LG_WALK_LOOK	0x80000000u

#define LG_PF_VECTOR	14

/* Bits of control registers and EFER that paging depends on. */
#define LG_CR0_WP	BIT_ULL(16)
#define LG_CR0_PG	BIT_ULL(31)
#define LG_CR4_PSE	BIT_ULL(4)
#define LG_CR4_PAE	BIT_ULL(5)
#define LG_CR4_PGE	BIT_ULL(7)
#define LG_EFER_LME	BIT_ULL(8)
#define LG_EFER_NXE	BIT_ULL(11)

/* Bits of a Guest's page-table entry, the same in all formats (SDM vol. 3, 4.3 to 4.5). */
#define LG_PTE_PRESENT	BIT_ULL(0)
#define LG_PTE_WRITE	BIT_ULL(1)
#define LG_PTE_USER	BIT_ULL(2)
#define LG_PTE_ACCESSED	BIT_ULL(5)
#define LG_PTE_DIRTY	BIT_ULL(6)
#define LG_PTE_LARGE	BIT_ULL(7)	/* above the lowest level */
#define LG_PTE_GLOBAL	BIT_ULL(8)	/* of leaves, with CR4.PGE */
#define LG_PTE_NX	BIT_ULL(63)

/* What the processor would know of the Guest's paging. Changed by shadow.c alone. */
struct lg_paging {
	u64 cr0, cr3, cr4, efer;	/* as the Guest believes them to be */
	u64 pdpte[4];			/* PAE: loaded with CR3 (SDM vol. 3, 4.4.1) */
	u8 format;			/* enum lg_format, from the four above */
	u8 phys_bits;			/* MAXPHYADDR that the Guest's CPUID shows, 32 to 52 */
};

/* A trap for the Guest, not yet delivered. */
struct lg_fault {
	u8 vector;
	bool has_error;
	u32 error;
	u64 gva;			/* of a page fault: for CR2 */
};

/*
 * What a walk found. Of a walk that failed, table[] and entry[] down to where it ended are right,
 * the rest is not. Paging off counts as one page of 4 GiB that no entry describes: leaf is
 * LG_LEAF_NONE.
 */
struct lg_translation {
	u64 gpa;			/* of the byte asked for */
	u64 table[4]; /* gpa of the table walked at each level, [0] the lowest; 0: none */
	u64 entry[4]; /* the entries, as they are after accessed and dirty were set */
	u8 leaf;      /* index into entry[]: 0 a 4 KiB page, 1 a 2 or 4 MiB page, 2 1 GiB */
	bool writable, user, nx;	/* rights of all levels together, CR0.WP not counted in */
};

#define LG_LEAF_NONE	3

/* The format that these registers select (SDM vol. 3, 4.1.1). */
u8 lg_paging_format(u64 cr0, u64 cr4, u64 efer);

/*
 * True if a PDPTE has no bit set that must be 0, or is not present (SDM vol. 3, 4.4.1): else
 * loading CR3 is #GP.
 */
bool lg_pdpte_ok(const struct lg_paging *paging, u64 pdpte);

/* The gpa of the table that a PDPTE, or CR3 but of PAE, names. */
static inline u64 lg_table_gpa(const struct lg_paging *paging, u64 entry)
{
	return entry & (paging->format == LG_FMT_2LEVEL ? 0xfffff000 : 0x000ffffffffff000ULL);
}

/*
 * What a walk that came to this entry at this level (0: the lowest) would make of it. False: a
 * fault, the entry is not present or has a reserved bit set. Else *large tells whether it maps a
 * large page, and *gpa is the frame or, above the lowest level, the table that it leads to.
 */
bool lg_walk_entry(const struct lg_paging *paging, unsigned int level, u64 entry, u64 *gpa,
		   bool *large);

/*
 * Walks gva for an access with the rights in `access` (LG_PF_WRITE, _USER, _FETCH), sets accessed
 * (and, for a write, dirty) in the Guest's entries.
 *
 * 0; -EFAULT: *fault is the page fault that the processor would raise, a table outside memory
 * counting as a reserved bit in the entry that names it; -ENXIO: the Launcher's memory is not there
 * (*fault then holds such a reserved-bit fault, too); -EAGAIN: somebody kept changing the entries:
 * ask again, after a look at signals.
 *
 * May sleep (Guest memory).
 */
int lg_walk(struct lg_cpu *cpu, const struct lg_paging *paging, u64 gva, u32 access,
	    struct lg_translation *t, struct lg_fault *fault);

/*
 * Guest memory, which mem.c has in the module and a test in userspace: one page-table entry of
 * `size` bytes, 4 or 8, that lies at its natural alignment. 0; -EFAULT: outside memory; -ENXIO: the
 * Launcher's memory is not there.
 */
int lg_entry_read(struct lg_cpu *cpu, u64 gpa, unsigned int size, u64 *entry);
/* Puts `new` there if it still holds `old`, atomically. Also -EAGAIN: it does not. */
int lg_entry_cmpxchg(struct lg_cpu *cpu, u64 gpa, unsigned int size, u64 old, u64 new);

#endif /* _LGUEST_WALK_H */
