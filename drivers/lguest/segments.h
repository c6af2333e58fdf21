/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Segments: what the Guest asked for, and the vetted copies that the processor may see (S3). Plain
 * C, like walk.h.
 */
#ifndef _LGUEST_SEGMENTS_H
#define _LGUEST_SEGMENTS_H

#include "plain.h"
#include "walk.h"

struct lg_cpu;

/* Entries of a GDT and of an LDT that the Host keeps for a Guest: those of an LDT fill a page. */
#define LG_SEG_GDT_ENTRIES	504
#define LG_SEG_LDT_ENTRIES	512

/* A segment descriptor as 64 bits (SDM vol. 3, 3.4.5). */
#define LG_DESC_ACCESSED	BIT_ULL(40)
#define LG_DESC_WRITABLE	BIT_ULL(41)	/* of data; code: readable */
#define LG_DESC_DOWN		BIT_ULL(42)	/* data that expands down; code: conforming */
#define LG_DESC_CODE		BIT_ULL(43)
#define LG_DESC_SEGMENT		BIT_ULL(44)	/* code or data; clear: system */
#define LG_DESC_DPL_SHIFT	45
#define LG_DESC_DPL		(3ULL << LG_DESC_DPL_SHIFT)
#define LG_DESC_PRESENT		BIT_ULL(47)
#define LG_DESC_LONG		BIT_ULL(53)
/* Code: 32 bits. Stack: ESP, not SP. Data that expands down: to 4 GiB. */
#define LG_DESC_BIG		BIT_ULL(54)
#define LG_DESC_PAGES		BIT_ULL(55)	/* the limit counts 4 KiB */

/* Types of system descriptors (SDM vol. 3, table 3-2) that LLDT and LTR accept. */
#define LG_DESC_TYPE(desc)	((unsigned int)((desc) >> 40) & 0x1f)
#define LG_TYPE_TSS16		1
#define LG_TYPE_LDT		2
#define LG_TYPE_TSS32		9
#define LG_TYPE_BUSY		2		/* this bit of a TSS type */

/* A selector (SDM vol. 3, 3.4.2). */
#define LG_SEL_RPL		3u
#define LG_SEL_LDT		4u
#define LG_SEL_INDEX(sel)	((u16)(sel) >> 3)

/* What the Guest sees as the privilege level of its kernel, where the hardware has 3. */
#define LG_KERNEL_RPL		1u

/* Segment registers, by their numbers in instructions. */
enum lg_sreg { LG_SREG_ES, LG_SREG_CS, LG_SREG_SS, LG_SREG_DS, LG_SREG_FS, LG_SREG_GS, LG_SREGS };

/*
 * Descriptor tables of a Guest, as it gave them: by hypercall, or by LGDT, LLDT and LTR from its
 * memory. The raw copies say what the Guest wrote; what the processor sees is made of them by
 * lg_vet_descriptor() alone.
 */
struct lg_segments {
	u64 gdt[LG_SEG_GDT_ENTRIES];	/* raw descriptors, DPL as the Guest wrote it */
	u64 ldt[LG_SEG_LDT_ENTRIES];
	bool gdt_in_memory;		/* LGDT gave the table: gdt[] follows Guest memory */
	u32 gdt_base, gdt_limit;
	u16 ldt_sel, tr;		/* selectors as LLDT and LTR had them; null: none */
	u32 ldt_base, ldt_limit, tss_base, tss_limit;
	u8 tss_type;			/* LG_TYPE_TSS16 or LG_TYPE_TSS32 */
	/*
	 * Entries (selectors without RPL) whose running copy is older than the raw one, because a
	 * segment register still has it: on a processor, the register would keep what it loaded. 0:
	 * none.
	 */
	u16 held[LG_SREGS];
	bool holds;			/* there is one */
};

static inline u32 lg_desc_base(u64 desc)
{
	return (desc >> 16 & 0xffffff) | (desc >> 32 & 0xff000000);
}

/* The highest offset of a segment that does not expand down. */
static inline u32 lg_desc_limit(u64 desc)
{
	u32 limit = (desc & 0xffff) | (desc >> 32 & 0xf0000);

	return desc & LG_DESC_PAGES ? limit << 12 | 0xfff : limit;
}

static inline unsigned int lg_desc_dpl(u64 desc)
{
	return desc >> LG_DESC_DPL_SHIFT & 3;
}

static inline bool lg_desc_is_code(u64 desc)
{
	return (desc & (LG_DESC_SEGMENT | LG_DESC_CODE)) == (LG_DESC_SEGMENT | LG_DESC_CODE);
}

static inline bool lg_desc_is_data(u64 desc)
{
	return (desc & (LG_DESC_SEGMENT | LG_DESC_CODE)) == LG_DESC_SEGMENT;
}

static inline bool lg_desc_conforms(u64 desc)
{
	return lg_desc_is_code(desc) && desc & LG_DESC_DOWN;
}

/* 4 GiB from 0 on, with 32-bit offsets. */
static inline bool lg_desc_is_flat(u64 desc)
{
	return !lg_desc_base(desc) && lg_desc_limit(desc) == U32_MAX && desc & LG_DESC_BIG;
}

/* Descriptor privilege levels 0 to 2 are the Guest's kernel. */
static inline bool lg_desc_is_user(u64 desc)
{
	return lg_desc_dpl(desc) == 3;
}

/*
 * The descriptor that may stand in the running GDT or LDT for the Guest's `desc` at virtual
 * privilege level `user`: code or data of DPL 3 with the accessed bit set, or 0 (S3).
 */
u64 lg_vet_descriptor(u64 desc, bool user);

/* Is [offset, offset + len), len at least 1, inside the segment? */
static __always_inline bool lg_desc_in_limit(u64 desc, u32 offset, u32 len)
{
	u64 last = (u64)offset + len - 1;

	if (lg_desc_is_data(desc) && desc & LG_DESC_DOWN)
		return offset > lg_desc_limit(desc) &&
		       last <= (desc & LG_DESC_BIG ? 0xffffffff : 0xffff);
	return last <= lg_desc_limit(desc);
}

/*
 * May an access be made through this vetted descriptor, of what a register has? access: LG_PF_WRITE,
 * LG_PF_FETCH or neither (SDM vol. 3, 5.3 to 5.5).
 */
static __always_inline bool lg_desc_allows(u64 desc, u32 offset, u32 len, u32 access)
{
	if (!(desc & LG_DESC_PRESENT) || !lg_desc_in_limit(desc, offset, len))
		return false;
	if (lg_desc_is_code(desc))
		return !(access & LG_PF_WRITE) && (access & LG_PF_FETCH || desc & LG_DESC_WRITABLE);
	return !(access & LG_PF_FETCH) && (!(access & LG_PF_WRITE) || desc & LG_DESC_WRITABLE);
}

/*
 * Would the processor load this vetted descriptor into this register? A null selector, which names
 * no descriptor, is another matter.
 */
static __always_inline bool lg_desc_loadable(u64 vetted, enum lg_sreg reg)
{
	if (reg == LG_SREG_CS)
		return vetted & LG_DESC_PRESENT && lg_desc_is_code(vetted);
	if (reg == LG_SREG_SS)
		return vetted & LG_DESC_PRESENT && lg_desc_is_data(vetted) &&
		       vetted & LG_DESC_WRITABLE;
	return vetted & LG_DESC_PRESENT && (lg_desc_is_data(vetted) || vetted & LG_DESC_WRITABLE);
}

/*
 * All below: by the task of the vCPU; those that read Guest memory may sleep. -EFAULT stands for a
 * fault of the Guest's own, which is in cpu->fault then.
 */

/*
 * LHCALL_LOAD_GDT_ENTRY, index below LG_SEG_GDT_ENTRIES: from now on the table is the Host's own
 * copy.
 */
void lg_segment_set(struct lg_cpu *cpu, unsigned int index, u64 desc);
/* LGDT: from now on the table is in Guest memory. */
void lg_seg_load_gdt(struct lg_cpu *cpu, u32 base, u16 limit);
/* LLDT and LTR. 0 or -EFAULT. */
int lg_seg_load_ldt(struct lg_cpu *cpu, u16 sel);
int lg_seg_load_tr(struct lg_cpu *cpu, u16 sel);

/* What lg_seg_fetch() (segreg.h) does for tables in Guest memory, the LDT and bad selectors. */
int lg_seg_reread(struct lg_cpu *cpu, u16 sel, u64 *desc);
/*
 * Rereads one descriptor: 1 if that changed what the processor sees of it, 0 if not, -EFAULT (a
 * page fault).
 */
int lg_seg_refresh(struct lg_cpu *cpu, u16 sel);
/*
 * Rereads all tables that are in Guest memory, as far as they can be read. On each return to user
 * level.
 */
void lg_seg_sync(struct lg_cpu *cpu);
/* Lets go of old copies that no segment register has any more. */
void lg_seg_release(struct lg_cpu *cpu);

/*
 * Makes DS, ES, FS and GS null where their segment may not be held at the virtual level: on a
 * return to user level.
 */
void lg_seg_drop_unusable(struct lg_cpu *cpu);
/* Both, in that order. */
void lg_seg_to_user(struct lg_cpu *cpu);

/*
 * Checks an access of len bytes through a segment register and gives its linear address; access as
 * for a walk (LG_PF_WRITE, LG_PF_FETCH). 0, or -EFAULT: #GP(0), #SS(0).
 */
int lg_seg_linear(struct lg_cpu *cpu, enum lg_sreg reg, u32 offset, u32 len, u32 access,
		  u32 *linear);
/* Linear address of the next instruction: CS base + EIP. */
u64 lg_linear_ip(struct lg_cpu *cpu);

#endif /* _LGUEST_SEGMENTS_H */
