// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupt lines (drivers/lguest/lines.c), what struct lguest_data says of them, and when they may
 * come; and exceptions of the hardware on their way in (lg_handle_exception()).
 */
#include "delivery.h"

/* ---- Interrupt lines ---- */

static u32 data_word(size_t offset)
{
	return model_read32(&m, DATA_AT + offset);
}

static void set_data_word(size_t offset, u32 value)
{
	model_write32(&m, DATA_AT + offset, value);
}

#define WORD(field)		data_word(offsetof(struct lguest_data, field))
#define SET_WORD(field, value)	set_data_word(offsetof(struct lguest_data, field), value)

static void start_lines(bool user)
{
	unsigned int line;

	start(user);
	cpu->data_gpa = DATA_AT;
	SET_WORD(irq_enabled, LGUEST_IF);
	for (line = 0; line < 32; line++)
		set_gate(0x20 + line, gate(INT32, 0, MODEL_KERNEL_CS, HANDLER + line));
}

TEST(lines_come_lowest_first)
{
	start_lines(false);
	cpu->irqs_pending = 1u << 31 | 1u << 7 | 1u << 3;
	SET_WORD(blocked_interrupts, 1u << 3);
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(HANDLER + 7, frame->ip);
	ASSERT_EQ(1u << 31 | 1u << 3, cpu->irqs_pending);
	ASSERT_EQ(0, WORD(irq_enabled));
	/* Something waits for the flag. */
	ASSERT_EQ(LGUEST_IF, WORD(irq_pending));
	ASSERT_EQ(1000000000, WORD(time[0]));
	ASSERT_EQ(999999999, WORD(time[1]));
	ASSERT_EQ(LGUEST_IF, stacked(2) & LG_FLAGS_IF);
	/* Off: nothing. */
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(HANDLER + 7, frame->ip);
	/* On: the next, and nothing waits that is not blocked. */
	SET_WORD(irq_enabled, LGUEST_IF);
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(HANDLER + 31, frame->ip);
	ASSERT_EQ(0, WORD(irq_pending));
	SET_WORD(irq_enabled, LGUEST_IF);
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(HANDLER + 31, frame->ip);
	ASSERT_EQ(0, WORD(irq_pending));
	/* Unblocked. */
	SET_WORD(blocked_interrupts, 0);
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(HANDLER + 3, frame->ip);
	ASSERT_EQ(0, cpu->irqs_pending);
}

TEST(irq_pending_is_true_in_both_directions)
{
	start_lines(false);
	SET_WORD(irq_enabled, 0);
	cpu->irqs_pending = 1;
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(CODE_AT, frame->ip);
	ASSERT_EQ(LGUEST_IF, WORD(irq_pending));
	/* The Guest blocks it. */
	SET_WORD(blocked_interrupts, 1);
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(0, WORD(irq_pending));
	SET_WORD(blocked_interrupts, 0);
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(LGUEST_IF, WORD(irq_pending));
	/* Somebody takes the line back. */
	cpu->irqs_pending = 0;
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(0, WORD(irq_pending));
	/* A trap gate leaves the flag on: all at once, the last one on top. */
	set_gate(0x20, gate(TRAP32, 0, MODEL_KERNEL_CS, HANDLER));
	set_gate(0x21, gate(TRAP32, 0, MODEL_KERNEL_CS, HANDLER + 1));
	cpu->irqs_pending = 3;
	SET_WORD(irq_enabled, LGUEST_IF);
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(HANDLER + 1, frame->ip);
	ASSERT_EQ(HANDLER, stacked(0));
	ASSERT_EQ(STACK - 24, frame->sp);
}

TEST(nothing_arrives_before_init_or_lidt)
{
	start_lines(false);
	cpu->data_gpa = 0;
	cpu->irqs_pending = 1;
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(CODE_AT, frame->ip);
	use_memory_idt(0x7ff);
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(HANDLER, frame->ip);
	ASSERT_FALSE(cpu->virtual_if);
}

TEST(a_line_ends_a_halt)
{
	start_lines(false);
	cpu->halted = true;
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_TRUE(cpu->halted);
	/* Not if it is blocked, nor with the flag off. */
	cpu->irqs_pending = 2;
	SET_WORD(blocked_interrupts, 2);
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_TRUE(cpu->halted);
	SET_WORD(blocked_interrupts, 0);
	SET_WORD(irq_enabled, 0);
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_TRUE(cpu->halted);
	SET_WORD(irq_enabled, LGUEST_IF);
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_FALSE(cpu->halted);
	ASSERT_EQ(HANDLER + 1, frame->ip);
}

TEST(the_instruction_after_sti_comes_first)
{
	start_lines(false);
	SET_WORD(irq_enabled, 0);
	cpu->irqs_pending = 1;
	m.memory[CODE_AT] = 0xfb;
	ASSERT_EQ(LG_RUN, lg_emulate(cpu, LG_TRAP_GP, 0));
	ASSERT_EQ(CODE_AT + 1, frame->ip);
	ASSERT_EQ(LGUEST_IF, WORD(irq_enabled));
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(CODE_AT + 1, frame->ip);
	ASSERT_NE(0, frame->flags & LG_FLAGS_TF);
	/* One step of the hardware's, which the Guest does not see. */
	frame->ip++;
	cpu->exit_dr6 = LG_DR6_BS;
	ASSERT_EQ(LG_RUN, lg_handle_exception(cpu, LG_TRAP_DB, 0));
	ASSERT_EQ(0, frame->flags & LG_FLAGS_TF);
	ASSERT_EQ(0, cpu->dr[6]);
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(HANDLER, frame->ip);
	ASSERT_EQ(CODE_AT + 2, stacked(0));
	ASSERT_EQ(0, stacked(2) & LG_FLAGS_TF);

	/* An exception of that instruction ends it as well. */
	start_lines(false);
	SET_WORD(irq_enabled, 0);
	m.memory[CODE_AT] = 0xfb;
	cpu->irqs_pending = 1;
	lg_emulate(cpu, LG_TRAP_GP, 0);
	lg_deliver_interrupts(cpu);
	set_gate(LG_TRAP_DE, gate(TRAP32, 0, MODEL_KERNEL_CS, HANDLER + 0x80));
	ASSERT_EQ(LG_RUN, lg_handle_exception(cpu, LG_TRAP_DE, 0));
	ASSERT_EQ(0, stacked(2) & LG_FLAGS_TF);
	ASSERT_FALSE(cpu->stepping);
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(HANDLER, frame->ip);

	/* STI; HLT does not sleep. */
	start_lines(false);
	SET_WORD(irq_enabled, 0);
	memcpy(m.memory + CODE_AT, "\xfb\xf4", 2);
	cpu->irqs_pending = 1;
	lg_emulate(cpu, LG_TRAP_GP, 0);
	lg_deliver_interrupts(cpu);
	lg_emulate(cpu, LG_TRAP_GP, 0);
	ASSERT_TRUE(cpu->halted);
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_FALSE(cpu->halted);
	ASSERT_EQ(CODE_AT + 2, stacked(0));
	/* An STI with the flag on begins no shadow. */
	start_lines(false);
	m.memory[CODE_AT] = 0xfb;
	cpu->irqs_pending = 1;
	lg_emulate(cpu, LG_TRAP_GP, 0);
	lg_deliver_interrupts(cpu);
	ASSERT_EQ(HANDLER, frame->ip);
}

/* What was executed unseen, or is executed behind a jump, is not behind the STI any more. */
TEST(sti_holds_back_one_instruction_and_no_other)
{
	start_lines(false);
	SET_WORD(irq_enabled, 0);
	m.memory[CODE_AT] = 0xfb;
	ASSERT_EQ(LG_RUN, lg_emulate(cpu, LG_TRAP_GP, 0));
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(0, frame->flags & LG_FLAGS_TF);
	frame->ip += 0x40;
	cpu->irqs_pending = 1;
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(HANDLER, frame->ip);
	ASSERT_EQ(CODE_AT + 0x41, stacked(0));
}

TEST(a_new_stack_comes_with_its_pointer)
{
	/* mov %eax, %ss; pop %ss; mov %eax, %ds */
	static const struct {
		u8 code[2];
		unsigned int len;
		bool holds;
	} loads[] = { { { 0x8e, 0xd0 }, 2, true }, { { 0x17 }, 1, true }, { { 0x8e, 0xd8 }, 2, false } };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(loads); i++) {
		start_lines(false);
		memcpy(m.memory + CODE_AT, loads[i].code, 2);
		m.state.regs.ax = MODEL_KERNEL_DS;
		model_write32(&m, frame->sp, MODEL_KERNEL_DS);
		cpu->irqs_pending = 1;
		ASSERT_EQ(LG_RUN, lg_emulate(cpu, LG_TRAP_GP, 0));
		ASSERT_EQ(CODE_AT + loads[i].len, frame->ip);
		ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
		ASSERT_EQ(loads[i].holds ? CODE_AT + loads[i].len : HANDLER, frame->ip);
		ASSERT_EQ(loads[i].holds, !!(frame->flags & LG_FLAGS_TF));
	}
}

/* At noirq_iret the return is done first: what is then on the stack is what it returned to. */
TEST(no_frame_at_the_last_iret)
{
	static const u32 to_kernel[] = { 0x8800, MODEL_KERNEL_CS, LG_FLAGS_IF | LG_FLAGS_ZF | LG_FLAGS_FIXED };
	static const u32 to_user[] = { 0x8800, MODEL_USER_CS, LG_FLAGS_IF | LG_FLAGS_FIXED, USER_STACK - 64, MODEL_USER_DS };

	start_lines(false);
	cpu->noirq_iret = CODE_AT;
	cpu->irqs_pending = 1;
	frame->sp = STACK - 12;
	memcpy(m.memory + STACK - 12, to_kernel, sizeof(to_kernel));
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(HANDLER, frame->ip);
	ASSERT_EQ(STACK - 12, frame->sp);
	ASSERT_EQ(0, memcmp(m.memory + STACK - 12, to_kernel, sizeof(to_kernel)));
	ASSERT_NE(0, frame->flags & LG_FLAGS_ZF);

	start_lines(false);
	cpu->noirq_iret = CODE_AT;
	cpu->irqs_pending = 1;
	frame->sp = STACK - 20;
	memcpy(m.memory + STACK - 20, to_user, sizeof(to_user));
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(HANDLER, frame->ip);
	ASSERT_FALSE(cpu->user);
	ASSERT_EQ(ENTRY_STACK - 20, frame->sp);
	ASSERT_EQ(0, memcmp(m.memory + ENTRY_STACK - 20, to_user, sizeof(to_user)));

	/* The flags that it returns to have interrupts off: none is delivered then. */
	start_lines(false);
	cpu->noirq_iret = CODE_AT;
	cpu->irqs_pending = 1;
	frame->sp = STACK - 12;
	memcpy(m.memory + STACK - 12, to_kernel, sizeof(to_kernel));
	model_write32(&m, STACK - 4, LG_FLAGS_FIXED);
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(0x8800, frame->ip);
	ASSERT_EQ(0, WORD(irq_enabled));
	ASSERT_EQ(LGUEST_IF, WORD(irq_pending));

	/* A return that faults, faults at the IRET. */
	start_lines(false);
	cpu->noirq_iret = CODE_AT;
	cpu->irqs_pending = 1;
	frame->sp = STACK - 12;
	memcpy(m.memory + STACK - 12, to_kernel, sizeof(to_kernel));
	model_write32(&m, STACK - 8, 30 * 8);
	ASSERT_EQ(LG_RUN, lg_deliver_interrupts(cpu));
	ASSERT_EQ(GP_HANDLER, frame->ip);
	ASSERT_EQ(30 * 8, stacked(0));
	ASSERT_EQ(CODE_AT, stacked(1));
}

/* ---- Exceptions of the hardware ---- */

TEST(single_step_is_the_guests)
{
	start(true);
	set_gate(LG_TRAP_DB, gate(INT32, 0, MODEL_KERNEL_CS, HANDLER));
	frame->flags |= LG_FLAGS_TF;
	cpu->exit_dr6 = 0xffff0ff0 | LG_DR6_BS;
	ASSERT_EQ(LG_RUN, lg_handle_exception(cpu, LG_TRAP_DB, 0));
	ASSERT_EQ(HANDLER, frame->ip);
	ASSERT_EQ(LG_DR6_BS, cpu->dr[6]);
	ASSERT_NE(0, stacked(2) & LG_FLAGS_TF);
	ASSERT_EQ(0, frame->flags & LG_FLAGS_TF);
}

TEST(alignment_is_checked_at_user_level_only)
{
	int i;

	start(false);
	frame->flags |= LG_FLAGS_AC;
	cpu->paging.cr0 |= LG_CR0_AM;
	ASSERT_EQ(LG_RUN, lg_handle_exception(cpu, LG_TRAP_AC, 0));
	ASSERT_EQ(CODE_AT, frame->ip);
	ASSERT_EQ(0, frame->flags & LG_FLAGS_AC);
	/* Not asked for. */
	start(true);
	frame->flags |= LG_FLAGS_AC;
	ASSERT_EQ(LG_RUN, lg_handle_exception(cpu, LG_TRAP_AC, 0));
	ASSERT_EQ(CODE_AT, frame->ip);
	start(true);
	frame->flags |= LG_FLAGS_AC;
	cpu->paging.cr0 |= LG_CR0_AM;
	set_gate(LG_TRAP_AC, gate(INT32, 0, MODEL_KERNEL_CS, HANDLER));
	ASSERT_EQ(LG_RUN, lg_handle_exception(cpu, LG_TRAP_AC, 0));
	ASSERT_EQ(HANDLER, frame->ip);
	ASSERT_EQ(0, stacked(0));
	/* A split lock. */
	for (i = 0; i < 2; i++) {
		start(i);
		set_gate(LG_TRAP_AC, gate(INT32, 0, MODEL_KERNEL_CS, HANDLER));
		ASSERT_EQ(LG_RUN, lg_handle_exception(cpu, LG_TRAP_AC, 0));
		ASSERT_EQ(HANDLER, frame->ip);
		ASSERT_EQ(0, stacked(0));
		ASSERT_EQ(CODE_AT, stacked(1));
	}
}

TEST_HARNESS_MAIN
