/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Segment registers and the running tables (segments.h), for those on whose way every trap of the
 * Guest's is. The last part of lg.h and env.h, as it wants to see struct lg_cpu. Plain C.
 */
#ifndef _LGUEST_SEGREG_H
#define _LGUEST_SEGREG_H

/* The selector in a segment register, as the hardware has it. */
static __always_inline u16 lg_seg_get(const struct lg_cpu *cpu, enum lg_sreg reg)
{
	const struct lg_state *state = cpu->state;

	switch (reg) {
	case LG_SREG_ES:
		return state->regs.es;
	case LG_SREG_CS:
		return state->frame.cs;
	case LG_SREG_SS:
		return state->frame.ss;
	case LG_SREG_DS:
		return state->regs.ds;
	case LG_SREG_FS:
		return state->regs.fs;
	default:
		return state->regs.gs;
	}
}

/*
 * Loads a segment register with a selector that the Guest may have there at its virtual level; CS
 * and SS get RPL 3, as the hardware wants it.
 */
static __always_inline void lg_seg_put(struct lg_cpu *cpu, enum lg_sreg reg, u16 sel)
{
	struct lg_state *state = cpu->state;

	switch (reg) {
	case LG_SREG_ES:
		state->regs.es = sel;
		break;
	case LG_SREG_CS:
		state->frame.cs = sel | LG_SEL_RPL;
		break;
	case LG_SREG_SS:
		state->frame.ss = sel | LG_SEL_RPL;
		break;
	case LG_SREG_DS:
		state->regs.ds = sel;
		break;
	case LG_SREG_FS:
		state->regs.fs = sel;
		break;
	default:
		state->regs.gs = sel;
		break;
	}
}

/* DS, ES, FS and GS as one number, to be compared. */
static __always_inline u64 lg_data_selectors(const struct lg_state *state)
{
	const struct lg_regs *regs = &state->regs;

	return regs->ds | (u64)regs->es << 16 | (u64)regs->fs << 32 | (u64)regs->gs << 48;
}

/*
 * The running copy that a selector names at a level; NULL for null selectors and what is outside
 * the tables.
 */
static __always_inline u64 *lg_running_entry(struct lg_cpu *cpu, u16 sel, bool user)
{
	unsigned int index = LG_SEL_INDEX(sel);

	if (sel & LG_SEL_LDT) {
		if (index >= LG_SEG_LDT_ENTRIES || !cpu->state->guest_ldt)
			return NULL;
		return &cpu->state->ldt[user][index];
	}
	if (!index || index >= LG_SEG_GDT_ENTRIES)
		return NULL;
	return &cpu->state->gdt[user][index];
}

static __always_inline u64 lg_running_desc(struct lg_cpu *cpu, u16 sel)
{
	const u64 *entry = lg_running_entry(cpu, sel, cpu->user);

	return entry ? *entry : 0;
}

/* The descriptor that the processor has for a register, a vetted one; 0 for a null selector. */
static __always_inline u64 lg_seg_running(struct lg_cpu *cpu, enum lg_sreg reg)
{
	return lg_running_desc(cpu, lg_seg_get(cpu, reg));
}

/*
 * The Guest's descriptor, raw, as it is in its table now. 0; -ENOENT for null selectors and beyond
 * the table (*desc is 0 then); -EFAULT: a page fault, in cpu->fault. May sleep.
 */
static __always_inline int lg_seg_fetch(struct lg_cpu *cpu, u16 sel, u64 *desc)
{
	unsigned int index = LG_SEL_INDEX(sel);

	if (sel & LG_SEL_LDT || cpu->seg.gdt_in_memory || !index || index >= LG_SEG_GDT_ENTRIES)
		return lg_seg_reread(cpu, sel, desc);
	*desc = cpu->seg.gdt[array_index_nospec(index, LG_SEG_GDT_ENTRIES)];
	return 0;
}

#endif /* _LGUEST_SEGREG_H */
