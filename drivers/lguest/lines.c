// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupt lines: from a bit that is pending, which any context may set (timer.c), to the Guest's
 * handler, with what struct lguest_data says of them: virtual IF, the lines that are blocked, the
 * time, and whether something waits. How the handler is reached is trap.c's. Plain C (env.h).
 */
#include "env.h"
#include "quick.h"

#define NS_PER_SECOND	1000000000u

/* What lines need of struct lguest_data. */
struct line_words {
	u32 enabled, blocked, pending;
};

/* Most instructions end it unseen, by being executed. */
static inline bool lg_in_sti_shadow(const struct lg_cpu *cpu)
{
	return cpu->sti_shadow && (u32)cpu->state->frame.ip == cpu->sti_ip;
}

static bool read_line_words(struct lg_cpu *cpu, struct line_words *words)
{
	/* What the structure begins with, as words. */
	u32 data[offsetof(struct lguest_data, irq_pending) / 4 + 1];

	if (!cpu->data_gpa) {
		*words = (struct line_words){ .enabled = cpu->virtual_if ? LGUEST_IF : 0 };
		return true;
	}
	if (lg_read_gpa(cpu, cpu->data_gpa, data, sizeof(data)))
		return false;
	words->enabled = data[offsetof(struct lguest_data, irq_enabled) / 4];
	words->blocked = data[offsetof(struct lguest_data, blocked_interrupts) / 4];
	words->pending = data[offsetof(struct lguest_data, irq_pending) / 4];
	return true;
}

/* Keeps irq_pending as it should be, without a write where it is so already. */
static void tell_pending(struct lg_cpu *cpu, const struct line_words *words, bool waits)
{
	u32 value = waits ? LGUEST_IF : 0;

	if (cpu->data_gpa && words->pending != value)
		lg_write_gpa(cpu, cpu->data_gpa + offsetof(struct lguest_data, irq_pending), &value,
			     sizeof(value));
	cpu->told_pending = waits;
}

/* With a line that is about to be delivered: the time, and that nothing else waits. */
static void tell_line(struct lg_cpu *cpu, const struct line_words *words)
{
	u64 now = lg_wall_clock();
	u32 time[2] = { now / NS_PER_SECOND, now % NS_PER_SECOND };

	if (cpu->data_gpa)
		lg_write_gpa(cpu, cpu->data_gpa + offsetof(struct lguest_data, time), time,
			     sizeof(time));
	tell_pending(cpu, words, false);
}

/*
 * The lowest line that is not blocked, and all that goes with it, in one go: by the way of
 * deliver_quick(), through an interrupt gate, so that no other line can follow at once. False:
 * nothing has been done, and the long way has to be gone.
 */
static __always_inline bool deliver_line_quick(struct lg_cpu *cpu, unsigned long lines)
{
	/* By pointers: a kernel may check the bounds of arrays, by a call, which is not to be below. */
	const u64 *gates = cpu->idt, *good = cpu->quick.gates;
	struct lguest_data __user *data = lg_data_user(cpu);
	u32 flags = quick_flags(cpu), seconds, enabled, blocked, pending, waits, sp;
	bool user = cpu->user;
	unsigned int line, vector;
	lg_words_t at;
	u64 gate, now;
	u16 ss;

	if (lg_in_sti_shadow(cpu) || (!cpu->user && cpu->state->frame.ip == cpu->noirq_iret) ||
	    !quick_stack(cpu, 3, &ss, &sp))
		return false;
	now = lg_wall_clock();
	seconds = now / NS_PER_SECOND;
	if (!quick_begin(cpu, 3, sp, &at))
		return false;
	lg_word_get(enabled, &data->irq_enabled, fault);
	lg_word_get(blocked, &data->blocked_interrupts, fault);
	lg_word_get(pending, &data->irq_pending, fault);
	lines &= ~(unsigned long)blocked;
	if (!lines || !(enabled & LGUEST_IF))
		goto fault;
	line = __ffs(lines);
	vector = cpu->first_irq_vector + line;
	gate = gates[vector];
	if (!(good[vector / 64] & BIT_ULL(vector % 64)) || !is_interrupt_gate(gate))
		goto fault;
	waits = lines & (lines - 1) ? LGUEST_IF : 0;
	lg_word_put(seconds, &data->time[0], fault);
	lg_word_put((u32)(now - (u64)seconds * NS_PER_SECOND), &data->time[1], fault);
	if (pending != waits)
		lg_word_put(waits, &data->irq_pending, fault);
	if (!quick_frame(cpu, gate, at, data, user, flags, LGUEST_IF))
		goto fault;
	lg_words_end();

	/* Whoever raised it once more in the meantime did so before its handler began. */
	clear_bit(line, &cpu->irqs_pending);
	cpu->told_pending = waits;
	cpu->halted = false;
	quick_arrive(cpu, vector, gate, ss, sp);
	lg_watch_inject(cpu, vector, false, 0, line);
	return true;
fault:
	lg_words_end();
	return false;
}

/* One line after the other, by the long way. */
static noinline enum lg_next deliver_lines(struct lg_cpu *cpu)
{
	struct lg_frame *frame = &cpu->state->frame;
	struct line_words words;
	unsigned int turns, line;
	enum lg_next next;
	unsigned long lines;
	int err;

	/* Bounded, however fast lines are raised and wherever an IRET goes. */
	for (turns = 0; turns < LGUEST_IRQ_LINES; turns++) {
		lines = READ_ONCE(cpu->irqs_pending);
		if ((!lines && !cpu->told_pending) || (!cpu->data_gpa && !cpu->idt_in_memory))
			return LG_RUN;
		if (!read_line_words(cpu, &words))
			return LG_RUN;

		lines &= ~(unsigned long)words.blocked;
		if (!lines || !(words.enabled & LGUEST_IF)) {
			tell_pending(cpu, &words, lines);
			return LG_RUN;
		}
		if (lg_in_sti_shadow(cpu) && !cpu->halted) {
			/* One instruction more. The Guest's own TF ends the shadow as well. */
			if (!(frame->flags & LG_FLAGS_TF)) {
				cpu->stepping = true;
				frame->flags |= LG_FLAGS_TF;
			}
			return LG_RUN;
		}
		if (!cpu->user && cpu->noirq_iret && frame->ip == cpu->noirq_iret && !cpu->halted) {
			err = lg_iret(cpu, 4);
			if (err == -EFAULT)
				return lg_deliver_found(cpu);
			if (err != LG_EMU_JUMPED)
				return LG_LAUNCHER;
			continue;
		}

		line = __ffs(lines);
		/* Unless the next turn finds that something still waits. */
		tell_line(cpu, &words);
		if (cpu->no_memory)
			return LG_RUN;
		clear_bit(line, &cpu->irqs_pending);
		cpu->halted = false;
		next = lg_deliver_line(cpu, line);
		if (next != LG_RUN)
			return next;
	}
	return LG_RUN;
}

/**
 * lg_deliver_interrupts() - deliver what is pending and may be
 * @cpu: the vCPU
 *
 * Before each entry. Nothing arrives at a Guest that has neither done LHCALL_LGUEST_INIT nor LIDT.
 * The lowest unblocked line first; a trap gate leaves virtual IF on, so the next may follow at
 * once. At the Guest's noirq_iret, the IRET is done first.
 *
 * Return: LG_RUN, or LG_LAUNCHER if the Guest died or read() has to say that there is no memory.
 */
enum lg_next lg_deliver_interrupts(struct lg_cpu *cpu)
{
	unsigned long lines = READ_ONCE(cpu->irqs_pending);
	enum lg_next next;

	if (likely(lines && cpu->data_gpa && deliver_line_quick(cpu, lines)))
		return LG_RUN;
	next = deliver_lines(cpu);
	return cpu->no_memory ? LG_LAUNCHER : next;
}
