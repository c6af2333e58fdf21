// SPDX-License-Identifier: GPL-2.0
/*
 * Delivery of exceptions and interrupts (drivers/lguest/trap.c), gate by gate against the SDM, vol.
 * 3, chapter 6 and vol. 2, INT n: where the Guest goes on, what lies on its stack, which fault it
 * is instead, and what a fault of that fault becomes. Lines are in interrupts.c, short_way.c compares
 * the two ways that a delivery can go.
 */
#include "delivery.h"

/* ---- What a good delivery leaves ---- */

TEST(from_kernel_level_through_an_interrupt_gate)
{
	start(false);
	set_gate(0x21, gate(INT32, 0, MODEL_KERNEL_CS, HANDLER));
	frame->flags |= LG_FLAGS_TF | LG_FLAGS_RF | LG_FLAGS_AC;
	ASSERT_EQ(LG_RUN, lg_deliver(cpu, 0x21, false, 0, false));
	ASSERT_EQ(HANDLER, frame->ip);
	ASSERT_EQ(STACK - 12, frame->sp);
	ASSERT_EQ(MODEL_KERNEL_CS | 3, frame->cs);
	ASSERT_EQ(CODE_AT, stacked(0));
	/* The Guest's kernel has privilege level 1. */
	ASSERT_EQ(MODEL_KERNEL_CS, stacked(1));
	ASSERT_EQ(LG_FLAGS_FIXED | LG_FLAGS_CF | LG_FLAGS_DF | LG_FLAGS_TF | LG_FLAGS_IF | LG_FLAGS_RF |
		  LG_FLAGS_AC, stacked(2));
	/* TF and RF are cleared, AC and DF are not; virtual IF is off, the hardware's never. */
	ASSERT_EQ(LG_FLAGS_FIXED | LG_FLAGS_CF | LG_FLAGS_DF | LG_FLAGS_IF | LG_FLAGS_AC, frame->flags);
	ASSERT_FALSE(cpu->virtual_if);
	ASSERT_FALSE(cpu->user);
	model_check(&m, LG_RUN);
}

TEST(from_kernel_level_with_an_error_code_through_a_trap_gate)
{
	start(false);
	set_gate(LG_TRAP_GP, gate(TRAP32, 0, MODEL_KERNEL_CS, HANDLER));
	ASSERT_EQ(LG_RUN, lg_deliver(cpu, LG_TRAP_GP, true, 0xabcd, false));
	ASSERT_EQ(STACK - 16, frame->sp);
	ASSERT_EQ(0xabcd, stacked(0));
	ASSERT_EQ(CODE_AT, stacked(1));
	ASSERT_TRUE(cpu->virtual_if);
}

TEST(from_user_level)
{
	start(true);
	m.state.regs.ds = MODEL_USER_CS;
	frame->flags |= LG_FLAGS_AC;
	cpu->iopl = 3;
	set_gate(0x80, gate(TRAP32, 3, MODEL_KERNEL_CS, HANDLER));
	frame->ip = CODE_AT + 2;
	ASSERT_EQ(LG_RUN, lg_deliver(cpu, 0x80, false, 0, true));
	ASSERT_FALSE(cpu->user);
	ASSERT_EQ(ENTRY_STACK - 20, frame->sp);
	ASSERT_EQ(MODEL_KERNEL_DS | 3, frame->ss);
	ASSERT_EQ(CODE_AT + 2, stacked(0));
	ASSERT_EQ(MODEL_USER_CS, stacked(1));
	ASSERT_EQ(LG_FLAGS_FIXED | LG_FLAGS_CF | LG_FLAGS_DF | LG_FLAGS_IF | LG_FLAGS_AC | LG_FLAGS_IOPL,
		  stacked(2));
	ASSERT_EQ(USER_STACK, stacked(3));
	ASSERT_EQ(MODEL_USER_DS, stacked(4));
	/* DS stays what it was, and can be loaded at kernel level. */
	ASSERT_EQ(MODEL_USER_CS, m.state.regs.ds);
	ASSERT_TRUE(lg_desc_loadable(lg_seg_running(cpu, LG_SREG_DS), LG_SREG_DS));
	ASSERT_EQ(0, frame->flags & LG_FLAGS_AC);
	model_check(&m, LG_RUN);
}

TEST(through_16_bit_gates)
{
	u16 words[5];

	start(true);
	set_gate(0x30, gate(INT16, 3, MODEL_KERNEL_CS, 0x12340000 | HANDLER));
	ASSERT_EQ(LG_RUN, lg_deliver_int(cpu, 0x30, CODE_AT));
	ASSERT_EQ(HANDLER, frame->ip);
	ASSERT_EQ(ENTRY_STACK - 10, frame->sp);
	memcpy(words, m.memory + frame->sp, sizeof(words));
	ASSERT_EQ(CODE_AT, words[0]);
	ASSERT_EQ(MODEL_USER_CS, words[1]);
	ASSERT_EQ(USER_STACK, words[3]);
	ASSERT_EQ(MODEL_USER_DS, words[4]);
	ASSERT_FALSE(cpu->virtual_if);

	start(false);
	set_gate(0x30, gate(TRAP16, 3, MODEL_KERNEL_CS, HANDLER));
	ASSERT_EQ(LG_RUN, lg_deliver_int(cpu, 0x30, CODE_AT));
	ASSERT_EQ(STACK - 6, frame->sp);
	ASSERT_TRUE(cpu->virtual_if);
}

/* The upper half of ESP is not touched where the stack is a 16-bit one. */
TEST(on_a_16_bit_stack)
{
	start(false);
	lg_segment_set(cpu, 20, (MODEL_DATA32 & ~(LG_DESC_BIG | LG_DESC_PAGES | 0xffffull)) | 0xffff);
	m.state.gdt[0][20] &= ~(0xfull << 48);
	lg_seg_put(cpu, LG_SREG_SS, 20 * 8);
	set_gate(0x21, gate(INT32, 0, MODEL_KERNEL_CS, HANDLER));
	frame->sp = 0x7fff0000 | STACK;
	ASSERT_EQ(LG_RUN, lg_deliver(cpu, 0x21, false, 0, false));
	ASSERT_EQ((0x7fff0000 | STACK) - 12, frame->sp);
	ASSERT_EQ(CODE_AT, model_read32(&m, STACK - 12));
}

TEST(to_a_handler_at_user_level)
{
	start(true);
	set_gate(0x30, gate(TRAP32, 3, MODEL_USER_CS, HANDLER));
	ASSERT_EQ(LG_RUN, lg_deliver_int(cpu, 0x30, CODE_AT));
	ASSERT_TRUE(cpu->user);
	ASSERT_EQ(HANDLER, frame->ip);
	ASSERT_EQ(USER_STACK - 12, frame->sp);
	ASSERT_EQ(MODEL_USER_CS, stacked(1));
	/* Written with the rights of user level. */
	start(true);
	set_gate(0x30, gate(TRAP32, 3, MODEL_USER_CS, HANDLER));
	model_set_page(&m, USER_STACK - 12, true, true, false);
	ASSERT_EQ(LG_RUN, lg_deliver_int(cpu, 0x30, CODE_AT));
	ASSERT_EQ(PF_HANDLER, frame->ip);
	ASSERT_EQ(LG_PF_PRESENT | LG_PF_WRITE | LG_PF_USER, stacked(0));
}

TEST(conforming_handlers_stay_at_the_level)
{
	start(true);
	lg_segment_set(cpu, 20, MODEL_CODE32 | LG_DESC_DOWN);
	set_gate(0x30, gate(TRAP32, 3, 20 * 8, HANDLER));
	ASSERT_EQ(LG_RUN, lg_deliver_int(cpu, 0x30, CODE_AT));
	ASSERT_TRUE(cpu->user);
	ASSERT_EQ(20 * 8 | 3, frame->cs);
	ASSERT_EQ(USER_STACK - 12, frame->sp);
	model_check(&m, LG_RUN);
}

/* ---- Faults on the way, gate by gate ---- */

#define NO_FAULT	(-1)

struct gate_case {
	const char *what;
	unsigned int type, dpl;
	u16 sel;
	bool absent, user, soft;
	int vector;			/* NO_FAULT: delivered */
	u32 error;
	u32 offset;
};

/* Entries of the GDT that the cases need. */
#define SEL_ABSENT	(20 * 8)
#define SEL_DATA	MODEL_KERNEL_DS
#define SEL_LONG	(21 * 8)
#define SEL_SYSTEM	(22 * 8)
#define SEL_SMALL	(23 * 8)		/* ends at 0xffff */
#define SEL_BEYOND	(LG_SEG_GDT_ENTRIES * 8)

#define VECTOR		0x40
#define IDT_ERROR	(VECTOR * 8 + 2)

static const struct gate_case gate_cases[] = {
	{ "interrupt gate", INT32, 0, MODEL_KERNEL_CS, .vector = NO_FAULT },
	{ "trap gate", TRAP32, 0, MODEL_KERNEL_CS, .vector = NO_FAULT },
	{ "16-bit interrupt gate", INT16, 0, MODEL_KERNEL_CS, .vector = NO_FAULT },
	{ "16-bit trap gate", TRAP16, 0, MODEL_KERNEL_CS, .vector = NO_FAULT },
	{ "from user level", INT32, 0, MODEL_KERNEL_CS, .user = true, .vector = NO_FAULT },
	{ "selector with RPL 3", INT32, 0, MODEL_KERNEL_CS | 3, .user = true, .vector = NO_FAULT },
	/* DPL counts for software interrupts of user level only. */
	{ "INT, DPL 3", INT32, 3, MODEL_KERNEL_CS, .user = true, .soft = true, .vector = NO_FAULT },
	{ "INT, DPL 2", INT32, 2, MODEL_KERNEL_CS, .user = true, .soft = true, .vector = LG_TRAP_GP, .error = IDT_ERROR },
	{ "INT, DPL 0", INT32, 0, MODEL_KERNEL_CS, .user = true, .soft = true, .vector = LG_TRAP_GP, .error = IDT_ERROR },
	{ "INT of the kernel, DPL 0", INT32, 0, MODEL_KERNEL_CS, .soft = true, .vector = NO_FAULT },
	/* Types that are no gates, or none for an IDT. */
	{ "type 0", 0x0, 0, MODEL_KERNEL_CS, .vector = LG_TRAP_GP, .error = IDT_ERROR | 1 },
	{ "TSS", 0x9, 0, MODEL_KERNEL_CS, .vector = LG_TRAP_GP, .error = IDT_ERROR | 1 },
	{ "call gate", 0xc, 0, MODEL_KERNEL_CS, .vector = LG_TRAP_GP, .error = IDT_ERROR | 1 },
	{ "code", 0x1b, 0, MODEL_KERNEL_CS, .vector = LG_TRAP_GP, .error = IDT_ERROR | 1 },
	{ "INT through a call gate", 0xc, 3, MODEL_KERNEL_CS, .user = true, .soft = true, .vector = LG_TRAP_GP, .error = IDT_ERROR },
	/* The order of the checks: type, DPL, present. */
	{ "not present", INT32, 0, MODEL_KERNEL_CS, .absent = true, .vector = LG_TRAP_NP, .error = IDT_ERROR | 1 },
	{ "INT, not present", INT32, 3, MODEL_KERNEL_CS, .absent = true, .user = true, .soft = true,
	  .vector = LG_TRAP_NP, .error = IDT_ERROR },
	{ "INT, DPL 0, not present", INT32, 0, MODEL_KERNEL_CS, .absent = true, .user = true, .soft = true,
	  .vector = LG_TRAP_GP, .error = IDT_ERROR },
	{ "call gate, not present", 0xc, 0, MODEL_KERNEL_CS, .absent = true, .vector = LG_TRAP_GP, .error = IDT_ERROR | 1 },
	/* The selector. */
	{ "null selector", INT32, 0, 0, .vector = LG_TRAP_GP, .error = 1 },
	{ "null selector with RPL", INT32, 0, 3, .vector = LG_TRAP_GP, .error = 1 },
	{ "INT, null selector", INT32, 3, 0, .user = true, .soft = true, .vector = LG_TRAP_GP, .error = 0 },
	{ "data segment", INT32, 0, SEL_DATA, .vector = LG_TRAP_GP, .error = (SEL_DATA & ~3) | 1 },
	{ "system segment", INT32, 0, SEL_SYSTEM, .vector = LG_TRAP_GP, .error = SEL_SYSTEM | 1 },
	{ "64-bit code", INT32, 0, SEL_LONG, .vector = LG_TRAP_GP, .error = SEL_LONG | 1 },
	{ "beyond the table", INT32, 0, SEL_BEYOND, .vector = LG_TRAP_GP, .error = SEL_BEYOND | 1 },
	{ "of an LDT that is not there", INT32, 0, 0xc, .vector = LG_TRAP_GP, .error = 0xc | 1 },
	{ "empty entry", INT32, 0, 30 * 8, .vector = LG_TRAP_GP, .error = 30 * 8 + 1 },
	{ "code, not present", INT32, 0, SEL_ABSENT, .vector = LG_TRAP_NP, .error = SEL_ABSENT | 1 },
	{ "INT, code not present", INT32, 3, SEL_ABSENT, .soft = true, .user = true, .vector = LG_TRAP_NP, .error = SEL_ABSENT },
	{ "user code from kernel level", INT32, 0, MODEL_USER_CS, .vector = LG_TRAP_GP, .error = (MODEL_USER_CS & ~3) | 1 },
	{ "offset beyond the code", INT32, 0, SEL_SMALL, .offset = 0x10000, .vector = LG_TRAP_GP, .error = 1 },
	{ "offset at the code's end", INT32, 0, SEL_SMALL, .offset = 0xffff, .vector = NO_FAULT },
};

static void start_gate_case(const struct gate_case *c, bool in_memory)
{
	u64 desc = gate(c->type & 0xf, c->dpl, c->sel, c->offset ? c->offset : HANDLER) | (u64)(c->type & 0x10) << 40;

	start(c->user);
	lg_segment_set(cpu, SEL_ABSENT / 8, MODEL_CODE32 & ~LG_DESC_PRESENT);
	lg_segment_set(cpu, SEL_LONG / 8, (MODEL_CODE32 | LG_DESC_LONG) & ~LG_DESC_BIG);
	lg_segment_set(cpu, SEL_SYSTEM / 8, 0x0000890000000067ull);
	lg_segment_set(cpu, SEL_SMALL / 8, 0x00409b000000ffffull);
	if (c->absent)
		desc &= ~LG_DESC_PRESENT;
	set_gate(VECTOR, desc);
	if (in_memory)
		use_memory_idt(0x7ff);
}

TEST(gate_by_gate)
{
	unsigned int i, in_memory;

	for (i = 0; i < ARRAY_SIZE(gate_cases); i++) {
		const struct gate_case *c = &gate_cases[i];

		for (in_memory = 0; in_memory < 2; in_memory++) {
			unsigned int words = c->user ? 5 : 3;
			u32 top = c->user ? ENTRY_STACK : STACK;
			enum lg_next next;

			start_gate_case(c, in_memory);
			frame->ip = c->soft ? CODE_AT + 2 : CODE_AT;
			next = lg_deliver(cpu, VECTOR, false, 0, c->soft);
			ASSERT_EQ(LG_RUN, next) TH_LOG("%s: %s", c->what, m.sentence);
			model_check(&m, next);
			if (c->vector == NO_FAULT) {
				ASSERT_EQ(c->offset ? c->offset : HANDLER, frame->ip) TH_LOG("%s", c->what);
				continue;
			}
			ASSERT_EQ(GP_HANDLER, frame->ip) TH_LOG("%s", c->what);
			ASSERT_EQ(top - (words + 1) * 4, frame->sp) TH_LOG("%s", c->what);
			ASSERT_EQ(c->error, stacked(0)) TH_LOG("%s", c->what);
			/* The instruction that faulted, not the one after it. */
			ASSERT_EQ(CODE_AT, stacked(1)) TH_LOG("%s", c->what);
			/* Which of the faults it was: again, with a handler for that one only. */
			start_gate_case(c, in_memory);
			set_gate(c->vector, gate(INT32, 0, MODEL_KERNEL_CS, HANDLER));
			frame->ip = c->soft ? CODE_AT + 2 : CODE_AT;
			ASSERT_EQ(LG_RUN, lg_deliver(cpu, VECTOR, false, 0, c->soft));
			ASSERT_EQ(HANDLER, frame->ip) TH_LOG("%s", c->what);
		}
	}
}

/* No gate at all by hypercall is not #GP but the end, unless an instruction asked for it. */
TEST(no_handler)
{
	start(false);
	ASSERT_EQ(LG_LAUNCHER, lg_deliver(cpu, 0x21, false, 0, false));
	ASSERT_STREQ("no handler for interrupt vector 0x21", m.sentence);
	start(false);
	ASSERT_EQ(LG_LAUNCHER, lg_deliver(cpu, LG_TRAP_UD, false, 0, false));
	ASSERT_STREQ("no handler for invalid opcode (#UD, 6)", m.sentence);
	start(false);
	cpu->idt[LG_TRAP_PF] = 0;
	cpu->fault = (struct lg_fault){ LG_TRAP_PF, true, 7, 0xdeadbeef };
	ASSERT_EQ(LG_LAUNCHER, lg_deliver_fault(cpu));
	ASSERT_STREQ("no handler for page fault (#PF, 14): address 0xdeadbeef, error code 0x7", m.sentence);
	start(true);
	ASSERT_EQ(LG_RUN, lg_deliver_int(cpu, 0x21, CODE_AT));
	ASSERT_EQ(GP_HANDLER, frame->ip);
	ASSERT_EQ(0x21 * 8 + 2, stacked(0));
}

TEST(task_gates_are_refused_with_a_sentence)
{
	start(false);
	set_gate(VECTOR, gate(TASK, 0, 16 * 8, 0));
	ASSERT_EQ(LG_LAUNCHER, lg_deliver(cpu, VECTOR, false, 0, false));
	ASSERT_NE(NULL, strstr(m.sentence, "task gate"));
	/* User level cannot get there by INT. */
	start(true);
	set_gate(VECTOR, gate(TASK, 0, 16 * 8, 0));
	ASSERT_EQ(LG_RUN, lg_deliver_int(cpu, VECTOR, CODE_AT));
	ASSERT_EQ(GP_HANDLER, frame->ip);
}

TEST(the_table_in_memory_ends_somewhere)
{
	start(true);
	set_gate(VECTOR, gate(INT32, 3, MODEL_KERNEL_CS, HANDLER));
	use_memory_idt(VECTOR * 8 + 7);
	ASSERT_EQ(LG_RUN, lg_deliver_int(cpu, VECTOR, CODE_AT));
	ASSERT_EQ(HANDLER, frame->ip);
	start(true);
	set_gate(VECTOR, gate(INT32, 3, MODEL_KERNEL_CS, HANDLER));
	use_memory_idt(VECTOR * 8 + 6);
	ASSERT_EQ(LG_RUN, lg_deliver_int(cpu, VECTOR, CODE_AT));
	ASSERT_EQ(GP_HANDLER, frame->ip);
	ASSERT_EQ(IDT_ERROR, stacked(0));
	/* A table of nothing: how kernels restart a PC. */
	start(false);
	use_memory_idt(0);
	cpu->idt_limit = 0;
	ASSERT_EQ(LG_LAUNCHER, lg_deliver_int(cpu, 3, CODE_AT));
	ASSERT_NE(NULL, strstr(m.sentence, "triple fault"));
}

/* ---- Stacks ---- */

struct stack_case {
	const char *what;
	u16 ss;
	u32 sp;
	int vector;
	u32 error;
};

#define SEL_READ_ONLY	(24 * 8)
#define SEL_SS_ABSENT	(25 * 8)
#define SEL_TINY	(26 * 8)		/* 0 to 0xfff */
#define SEL_DOWN	(27 * 8)		/* from 0xf000 up */

static const struct stack_case stack_cases[] = {
	{ "kernel data", MODEL_KERNEL_DS, ENTRY_STACK, NO_FAULT },
	{ "kernel data with RPL 0", MODEL_KERNEL_DS & ~3, ENTRY_STACK, NO_FAULT },
	{ "user data", MODEL_USER_DS, ENTRY_STACK, LG_TRAP_TS, (MODEL_USER_DS & ~3) | 1 },
	{ "code", MODEL_KERNEL_CS, ENTRY_STACK, LG_TRAP_TS, (MODEL_KERNEL_CS & ~3) | 1 },
	{ "read-only data", SEL_READ_ONLY, ENTRY_STACK, LG_TRAP_TS, SEL_READ_ONLY | 1 },
	{ "not present", SEL_SS_ABSENT, ENTRY_STACK, LG_TRAP_SS, SEL_SS_ABSENT | 1 },
	{ "empty entry", 30 * 8, ENTRY_STACK, LG_TRAP_TS, 30 * 8 + 1 },
	{ "beyond the table", SEL_BEYOND, ENTRY_STACK, LG_TRAP_TS, SEL_BEYOND | 1 },
	{ "room for all", SEL_TINY, 20, NO_FAULT },
	{ "no room for all", SEL_TINY, 16, LG_TRAP_SS, SEL_TINY | 1 },
	{ "above the limit", SEL_TINY, 0x1010, LG_TRAP_SS, SEL_TINY | 1 },
	{ "the last bytes", SEL_TINY, 0x1000, NO_FAULT },
	{ "expand-down", SEL_DOWN, 0xf000 + 20, NO_FAULT },
	{ "expand-down, no room", SEL_DOWN, 0xf000 + 19, LG_TRAP_SS, SEL_DOWN | 1 },
};

TEST(stacks_for_entries_from_user_level)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(stack_cases); i++) {
		const struct stack_case *c = &stack_cases[i];
		struct lg_fault seen = { 0 };

		start(true);
		lg_segment_set(cpu, SEL_READ_ONLY / 8, MODEL_DATA32 & ~LG_DESC_WRITABLE);
		lg_segment_set(cpu, SEL_SS_ABSENT / 8, MODEL_DATA32 & ~LG_DESC_PRESENT);
		lg_segment_set(cpu, SEL_TINY / 8, 0x0040930000000fffull);
		lg_segment_set(cpu, SEL_DOWN / 8, 0x0040970000000000ull | 0xefff);
		set_gate(VECTOR, gate(INT32, 0, MODEL_KERNEL_CS, HANDLER));
		/* The handler of the fault is at user level, so it needs no other stack. */
		set_gate(LG_TRAP_TS, gate(TRAP32, 0, MODEL_USER_CS, 0x7000));
		set_gate(LG_TRAP_SS, gate(TRAP32, 0, MODEL_USER_CS, 0x7001));
		cpu->ss1 = c->ss;
		cpu->esp1 = c->sp;
		ASSERT_EQ(LG_RUN, lg_deliver(cpu, VECTOR, false, 0, false)) TH_LOG("%s: %s", c->what, m.sentence);
		seen = cpu->fault;
		model_check(&m, LG_RUN);
		if (c->vector == NO_FAULT) {
			ASSERT_EQ(HANDLER, frame->ip) TH_LOG("%s", c->what);
			ASSERT_EQ(c->sp - 20, frame->sp) TH_LOG("%s", c->what);
		} else {
			ASSERT_EQ(c->vector, seen.vector) TH_LOG("%s", c->what);
			ASSERT_EQ(c->error, stacked(0)) TH_LOG("%s", c->what);
			ASSERT_EQ(c->vector == LG_TRAP_TS ? 0x7000 : 0x7001, frame->ip) TH_LOG("%s", c->what);
		}
	}
}

TEST(no_stack_was_ever_set)
{
	start(true);
	cpu->ss1 = 0;
	set_gate(VECTOR, gate(INT32, 0, MODEL_KERNEL_CS, HANDLER));
	/* #TS, whose handler has none either. */
	ASSERT_EQ(LG_LAUNCHER, lg_deliver(cpu, VECTOR, false, 0, false));
	ASSERT_NE(NULL, strstr(m.sentence, "triple fault"));
}

TEST(stacks_from_a_tss)
{
	unsigned int type;

	for (type = LG_TYPE_TSS16; ; type = LG_TYPE_TSS32) {
		unsigned int sp_at = type == LG_TYPE_TSS16 ? 2 : 4;

		start(true);
		lg_segment_set(cpu, 29, 0x67 | (u64)TSS_AT << 16 | (u64)type << 40 | LG_DESC_PRESENT);
		ASSERT_EQ(0, lg_seg_load_tr(cpu, 29 * 8));
		model_write32(&m, TSS_AT + sp_at, ENTRY_STACK - 0x100);
		model_write32(&m, TSS_AT + sp_at * 2, MODEL_KERNEL_DS);
		if (type == LG_TYPE_TSS16)
			memcpy(m.memory + TSS_AT + 4, &(u16){ MODEL_KERNEL_DS }, 2);
		set_gate(VECTOR, gate(INT32, 0, MODEL_KERNEL_CS, HANDLER));
		ASSERT_EQ(LG_RUN, lg_deliver(cpu, VECTOR, false, 0, false));
		ASSERT_EQ(HANDLER, frame->ip);
		ASSERT_EQ(ENTRY_STACK - 0x100 - 20, frame->sp);

		/* It is too small: #TS with its selector, which finds no stack either. */
		start(true);
		set_gate(VECTOR, gate(INT32, 0, MODEL_KERNEL_CS, HANDLER));
		set_gate(LG_TRAP_TS, gate(TRAP32, 0, MODEL_USER_CS, 0x7000));
		lg_segment_set(cpu, 29, sp_at * 2 | (u64)TSS_AT << 16 | (u64)type << 40 | LG_DESC_PRESENT);
		ASSERT_EQ(0, lg_seg_load_tr(cpu, 29 * 8));
		ASSERT_EQ(LG_RUN, lg_deliver(cpu, VECTOR, false, 0, false));
		ASSERT_EQ(0x7000, frame->ip);
		ASSERT_EQ(29 * 8 | 1, stacked(0));
		if (type == LG_TYPE_TSS32)
			break;
	}
}

/* ---- Faults of faults: SDM vol. 3, table 6-5 ---- */

/* Delivers `first`, whose handler's code is not there: #GP. */
static enum lg_next fault_twice(unsigned int first)
{
	u64 bad = gate(INT32, 0, 30 * 8, HANDLER);

	start(false);
	use_memory_idt(0x7ff);
	memcpy(m.memory + IDT_AT + first * 8, &bad, 8);
	return lg_deliver(cpu, first, lg_has_error_code(first), 0, false);
}

TEST(contributory_faults_make_a_double_fault)
{
	static const u8 contributory[] = { LG_TRAP_DE, LG_TRAP_TS, LG_TRAP_NP, LG_TRAP_SS, LG_TRAP_PF };
	static const u8 benign[] = { LG_TRAP_DB, LG_TRAP_BP, LG_TRAP_OF, LG_TRAP_BR, LG_TRAP_UD, LG_TRAP_NM,
				     LG_TRAP_MF, LG_TRAP_AC, LG_TRAP_XM, 0x21, 0x80 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(contributory); i++) {
		ASSERT_EQ(LG_RUN, fault_twice(contributory[i]));
		ASSERT_EQ(DF_HANDLER, frame->ip) TH_LOG("vector %u", contributory[i]);
		ASSERT_EQ(0, stacked(0));
		ASSERT_EQ(CODE_AT, stacked(1));
	}
	for (i = 0; i < ARRAY_SIZE(benign); i++) {
		ASSERT_EQ(LG_RUN, fault_twice(benign[i]));
		ASSERT_EQ(GP_HANDLER, frame->ip) TH_LOG("vector %u", benign[i]);
		ASSERT_EQ(30 * 8 + 1, stacked(0));
	}
	/*
	 * A vector that means an exception to the processor, as an interrupt or by INT, is benign.
	 */
	start(true);
	set_gate(LG_TRAP_DE, gate(INT32, 3, 30 * 8, HANDLER));
	ASSERT_EQ(LG_RUN, lg_deliver_int(cpu, LG_TRAP_DE, CODE_AT));
	ASSERT_EQ(GP_HANDLER, frame->ip);
	/* #DF itself. */
	ASSERT_EQ(LG_LAUNCHER, fault_twice(LG_TRAP_DF));
	ASSERT_NE(NULL, strstr(m.sentence, "triple fault"));
}

/* A page fault in the delivery: on a stack that is not there. */
TEST(page_faults_on_the_stack)
{
	static const struct { u8 first; bool becomes_df; } cases[] = {
		{ LG_TRAP_UD, false }, { LG_TRAP_DE, false }, { LG_TRAP_GP, false }, { LG_TRAP_SS, false },
		{ LG_TRAP_PF, true }, { 0x21, false },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned int first = cases[i].first;

		/* The stack of user level is there: what has its handler there can be delivered. */
		start(true);
		cpu->data_gpa = DATA_AT;
		model_write32(&m, DATA_AT, LGUEST_IF);
		set_gate(first, gate(INT32, 0, MODEL_KERNEL_CS, HANDLER));
		set_gate(first == LG_TRAP_PF ? LG_TRAP_DF : LG_TRAP_PF, gate(TRAP32, 0, MODEL_USER_CS, 0x7000));
		model_set_page(&m, ENTRY_STACK - 0x1000, false, false, false);
		cpu->fault = (struct lg_fault){ first, lg_has_error_code(first), 0x55, 0x12345678 };
		ASSERT_EQ(LG_RUN, lg_deliver_fault(cpu));
		ASSERT_EQ(0x7000, frame->ip) TH_LOG("vector %u", first);
		ASSERT_TRUE(cpu->user);
		ASSERT_EQ(cases[i].becomes_df ? 0 : LG_PF_WRITE, stacked(0));
		/* CR2 is that of the last page fault, delivered or not. */
		ASSERT_EQ(lg_has_error_code(first) ? ENTRY_STACK - 24 : ENTRY_STACK - 20, cpu->cr2);
		ASSERT_EQ(cpu->cr2, model_read32(&m, DATA_AT + offsetof(struct lguest_data, cr2)));
		/* Nothing of the attempt is left but that. */
		ASSERT_EQ(CODE_AT, stacked(1));
		ASSERT_EQ(USER_STACK - 16, frame->sp);
	}
	/* And no stack for the double fault. */
	start(false);
	frame->sp = MODEL_DEVICE + 0x100000;
	ASSERT_EQ(LG_LAUNCHER, lg_deliver(cpu, LG_TRAP_GP, true, 0, false));
	ASSERT_STREQ("triple fault: page fault (#PF, 14), error code 0x2, after general protection fault (#GP, 13)",
		     m.sentence);
}

/* The software interrupt that faults is found again, whatever its length. */
TEST(a_soft_interrupt_restarts)
{
	static const struct { u8 bytes[2], len, vector; } insns[] = {
		{ { 0xcc }, 1, 3 }, { { 0xcd, 3 }, 2, 3 }, { { 0xce }, 1, 4 }, { { 0xcd, 4 }, 2, 4 },
		{ { 0xcd, 0x80 }, 2, 0x80 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(insns); i++) {
		start(true);
		set_gate(insns[i].vector, gate(INT32, 0, MODEL_KERNEL_CS, HANDLER));
		memcpy(m.memory + CODE_AT, insns[i].bytes, 2);
		frame->ip = CODE_AT + insns[i].len;
		ASSERT_EQ(LG_RUN, insns[i].vector == 0x80 ? lg_deliver(cpu, 0x80, false, 0, true) :
			  lg_handle_exception(cpu, insns[i].vector, 0));
		ASSERT_EQ(GP_HANDLER, frame->ip);
		ASSERT_EQ(insns[i].vector * 8 + 2, stacked(0));
		ASSERT_EQ(CODE_AT, stacked(1)) TH_LOG("instruction %u", i);
	}
}


TEST_HARNESS_MAIN
