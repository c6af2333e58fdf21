/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The short way of a trap into the Guest: for one whose tables are as kernels have them, and were
 * found right at the last trap (struct lg_quick). For trap.c and lines.c only: it is compiled into
 * each of its uses, as every system call goes it. Plain C (env.h).
 */
#ifndef _LGUEST_QUICK_H
#define _LGUEST_QUICK_H

#include "env.h"

/* A selector as the Guest's frames show it: kernel code and stack have privilege level 1 there. */
static __always_inline u32 shown(bool user, u16 sel)
{
	return user ? sel : (sel & ~LG_SEL_RPL) | LG_KERNEL_RPL;
}

/* The registers, when all else is done. */
static __always_inline void arrive(struct lg_cpu *cpu, u8 vector, bool to_user, u16 cs, u32 ip,
				   u16 ss, u32 sp)
{
	struct lg_frame *frame = &cpu->state->frame;
	u64 flags = frame->flags & ~(u64)(LG_FLAGS_TF | LG_FLAGS_NT | LG_FLAGS_RF);

	if (cpu->user && !to_user)
		flags &= ~(u64)LG_FLAGS_AC;
	frame->flags = flags;
	cpu->sti_shadow = false;
	cpu->stepping = false;
	cpu->user = to_user;
	frame->cs = cs | LG_SEL_RPL;
	frame->ip = ip;
	frame->ss = ss | LG_SEL_RPL;
	frame->sp = sp;
	/* The handler may use what it is to look at (SDM vol. 3, 17.2.4). */
	if (unlikely(vector == LG_TRAP_DB))
		cpu->dr[7] &= ~LG_DR7_GD;
}

/*
 * Where an event of so many words goes by the short way. The words of an entry from user level are
 * not counted.
 */
static __always_inline bool quick_stack(const struct lg_cpu *cpu, u32 words, u16 *ss, u32 *sp)
{
	const struct lg_quick *quick = &cpu->quick;
	const struct lg_frame *frame = &cpu->state->frame;

	if (cpu->user) {
		if (!quick->stack)
			return false;
		*ss = cpu->ss1;
		*sp = cpu->esp1;
		words += 2;
	} else {
		*ss = frame->ss;
		*sp = frame->sp;
		if (*ss != quick->kernel_ss)
			return false;
	}
	if (*sp < words * 4)
		return false;
	*sp -= words * 4;
	return true;
}

/* Opens Guest memory for that: lg_words_end() closes it. Numbers that are known cost less. */
static __always_inline bool quick_begin(struct lg_cpu *cpu, u32 words, u32 sp, lg_words_t *at)
{
	if (cpu->user)
		return lg_words_begin(cpu, sp, words + 2, LG_PF_WRITE, at);
	return lg_words_begin(cpu, sp, words, LG_PF_WRITE, at);
}

static __always_inline bool is_interrupt_gate(u64 gate)
{
	return !(LG_DESC_TYPE(gate) & 1);
}

/*
 * The flags that the frame shows, but for virtual IF. This, and whether it comes from user level, is
 * looked at before Guest memory is open: a kernel may check the values of a bool, by a call, which
 * is not to be there.
 */
static __always_inline u32 quick_flags(const struct lg_cpu *cpu)
{
	u32 flags = (cpu->state->frame.flags & (LG_FLAGS_GUEST | LG_FLAGS_NT)) | LG_FLAGS_FIXED |
		    (u32)cpu->iopl << 12;

	return unlikely(cpu->stepping) ? flags & ~LG_FLAGS_TF : flags;
}

/*
 * Writes the frame, but for an error code, to `at`, and what becomes of virtual IF, which is
 * `enabled`, to `data`. False: Guest memory is not there.
 */
static __always_inline bool quick_frame(struct lg_cpu *cpu, u64 gate, lg_words_t at,
					struct lguest_data __user *data, bool user, u32 flags,
					u32 enabled)
{
	const struct lg_frame *frame = &cpu->state->frame;

	lg_word_put((u32)frame->ip, at, fault);
	lg_word_put(shown(user, frame->cs), at + 1, fault);
	lg_word_put(flags | enabled, at + 2, fault);
	if (user) {
		lg_word_put((u32)frame->sp, at + 3, fault);
		lg_word_put((u32)(u16)frame->ss, at + 4, fault);
	}
	if (enabled && is_interrupt_gate(gate)) {
		lg_word_put(0u, &data->irq_enabled, fault);
		cpu->virtual_if = false;
	}
	return true;
fault:
	return false;
}

static __always_inline void quick_arrive(struct lg_cpu *cpu, u8 vector, u64 gate, u16 ss, u32 sp)
{
	arrive(cpu, vector, false, gate >> 16, (gate & 0xffff) | (u32)(gate >> 32 & 0xffff0000), ss,
	       sp);
}

/*
 * Delivers as deliver_one() would, for a Guest whose tables are as kernels have them: from user or
 * kernel level to flat code and stack of its kernel. False: nothing has been done, but for words
 * below the stack perhaps, and that way has to be gone.
 */
static __always_inline bool deliver_quick(struct lg_cpu *cpu, u8 vector, bool has_error, u32 error,
					  bool soft)
{
	struct lguest_data __user *data = lg_data_user(cpu);
	u32 words = has_error ? 4 : 3, flags = quick_flags(cpu), enabled, sp;
	u64 gate = cpu->idt[vector];
	bool user = cpu->user;
	lg_words_t at;
	bool done;
	u16 ss;

	if (!(cpu->quick.gates[vector / 64] & BIT_ULL(vector % 64)) || !cpu->data_gpa ||
	    (soft && cpu->user && !lg_desc_is_user(gate)) ||
	    !quick_stack(cpu, words, &ss, &sp) || !quick_begin(cpu, words, sp, &at))
		return false;
	lg_word_get(enabled, &data->irq_enabled, fault);
	if (has_error) {
		lg_word_put(error, at, fault);
		at++;
	}
	done = quick_frame(cpu, gate, at, data, user, flags, enabled & LGUEST_IF);
	lg_words_end();
	if (!done)
		return false;
	quick_arrive(cpu, vector, gate, ss, sp);
	return true;
fault:
	lg_words_end();
	return false;
}

#endif /* _LGUEST_QUICK_H */
