/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Segments: what the Guest asked for, and the vetted copies that the processor may see (S3). Plain C, like walk.h.
 */
#ifndef _LGUEST_SEGMENTS_H
#define _LGUEST_SEGMENTS_H

#include "plain.h"

/* Entries of a GDT that the Host keeps for a Guest. */
#define LG_SEG_GDT_ENTRIES	504

/* Descriptor tables of a Guest, as it gave them. */
struct lg_segments {
	u64 gdt[LG_SEG_GDT_ENTRIES];	/* raw descriptors, DPL as the Guest wrote it */
	u32 gdt_base, gdt_limit;	/* by LGDT; limit 0: only hypercalls so far */
	u16 ldt, tr;			/* selectors as loaded */
	u32 ldt_base, ldt_limit, tss_base, tss_limit;
};

/*
 * The descriptor that may stand in the running GDT for the Guest's `desc` at virtual privilege level `user`: present
 * code or data of DPL 3 with the accessed bit set, or 0 (S3).
 */
u64 lg_vet_descriptor(u64 desc, bool user);

#endif /* _LGUEST_SEGMENTS_H */
