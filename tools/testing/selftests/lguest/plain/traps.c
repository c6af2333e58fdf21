// SPDX-License-Identifier: GPL-2.0
/*
 * Delivery of exceptions and interrupts (drivers/lguest/trap.c), gate by gate against the SDM, vol.
 * 3, chapter 6 and vol. 2, INT n: where the Guest goes on, what lies on its stack, which fault it
 * is instead, and what a fault of that fault becomes.
 */
#include "model.h"

#include "../harness.h"

static struct model m;
static struct lg_cpu *const cpu = &m.cpu;
static struct lg_frame *const frame = &m.state.frame;

#define IDT_AT		0x2000u
#define DATA_AT		0x4000u		/* struct lguest_data */
#define TSS_AT		0x6000u
#define CODE_AT		0x8000u		/* where the Guest is */
#define HANDLER		0x9000u
#define PF_HANDLER	0x9100u
#define GP_HANDLER	0x9200u
#define DF_HANDLER	0x9300u
#define STACK		0xb000u		/* of kernel level */
#define USER_STACK	0xd000u
#define ENTRY_STACK	0xf000u		/* of kernel level, on entries from user level */

#define TRAP32		0xf
#define INT32		0xe
#define TRAP16		0x7
#define INT16		0x6
#define TASK		0x5

static u64 gate(unsigned int type, unsigned int dpl, u16 sel, u32 offset)
{
	return (offset & 0xffff) | (u64)sel << 16 | (u64)(type | dpl << 5 | 0x80) << 40 |
	       (u64)(offset >> 16) << 48;
}

static void set_gate(unsigned int vector, u64 desc)
{
	cpu->idt[vector] = desc;
	memcpy(m.memory + IDT_AT + vector * 8, &desc, 8);
}

/* A Guest with handlers for the exceptions that delivery raises. */
static void start(bool user)
{
	model_start(&m);
	if (user)
		model_to_user(&m);
	cpu->ss1 = MODEL_KERNEL_DS;
	cpu->esp1 = ENTRY_STACK;
	frame->ip = CODE_AT;
	frame->sp = user ? USER_STACK : STACK;
	frame->flags |= LG_FLAGS_CF | LG_FLAGS_DF;
	set_gate(LG_TRAP_DF, gate(INT32, 0, MODEL_KERNEL_CS, DF_HANDLER));
	set_gate(LG_TRAP_TS, gate(INT32, 0, MODEL_KERNEL_CS, GP_HANDLER));
	set_gate(LG_TRAP_NP, gate(INT32, 0, MODEL_KERNEL_CS, GP_HANDLER));
	set_gate(LG_TRAP_SS, gate(INT32, 0, MODEL_KERNEL_CS, GP_HANDLER));
	set_gate(LG_TRAP_GP, gate(INT32, 0, MODEL_KERNEL_CS, GP_HANDLER));
	set_gate(LG_TRAP_PF, gate(INT32, 0, MODEL_KERNEL_CS, PF_HANDLER));
}

static void use_memory_idt(unsigned int limit)
{
	memset(cpu->idt, 0, sizeof(cpu->idt));
	cpu->idt_in_memory = true;
	cpu->idt_base = IDT_AT;
	cpu->idt_limit = limit;
}

static u32 stacked(unsigned int word)
{
	return model_read32(&m, (u32)frame->sp + word * 4);
}

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

/* ---- The short way and the long one ---- */

static struct model longer;

#define QUICK_DATA	0x30000u

static u32 pick(const u32 *values, unsigned int count)
{
	m.random = m.random * 6364136223846793005ull + 1442695040888963407ull;
	return values[(m.random >> 33) % count];
}

#define PICK(...) pick((const u32[]){ __VA_ARGS__ }, sizeof((u32[]){ __VA_ARGS__ }) / sizeof(u32))

/* Gates, segments and stack of the kernel's, as hypercalls set them; also wrong ones. */
static void random_tables(struct lg_cpu *c, u64 seed)
{
	static const u8 vectors[] = { 0x80, 0x21, 0x22, 0x3f, LG_TRAP_PF, LG_TRAP_GP };
	u64 kept = m.random;
	unsigned int i;

	m.random = seed;
	lg_quick_forget(c);
	for (i = 0; i < sizeof(vectors); i++)
		c->idt[vectors[i]] = PICK(0, 1, 1, 1, 1) ?
			gate(PICK(TRAP32, INT32, TRAP32, INT32, INT16), PICK(0, 3),
			     PICK(MODEL_KERNEL_CS, MODEL_KERNEL_CS, MODEL_KERNEL_CS, MODEL_USER_CS,
				  20 * 8), HANDLER) : 0;
	lg_segment_set(c, 20, PICK(0, 1) ? MODEL_CODE32 | LG_DESC_DOWN : MODEL_CODE32 & ~0xfffull);
	lg_segment_set(c, 21, PICK(0, 1, 2) ? MODEL_DATA32 | 0x1000ull << 16 :
					     MODEL_DATA32 & ~LG_DESC_BIG);
	lg_segment_set(c, MODEL_USER_CS / 8,
		       PICK(0, 1, 2, 3) ? MODEL_CODE32 | MODEL_DPL3 :
					  (MODEL_CODE32 | MODEL_DPL3) & ~LG_DESC_PAGES);
	c->ss1 = PICK(MODEL_KERNEL_DS, MODEL_KERNEL_DS, MODEL_KERNEL_DS, 21 * 8, MODEL_USER_DS);
	c->esp1 = PICK(ENTRY_STACK, ENTRY_STACK, ENTRY_STACK + 8, 0xc, 0);
	m.random = kept;
}

/* The Guest's registers and stack, as its code may make them. */
static void random_state(struct model *model, u64 seed)
{
	struct lg_state *state = &model->state;
	u64 kept = m.random;
	u32 frame[5];

	m.random = seed;
	state->frame.ip = PICK(CODE_AT, CODE_AT + 2, 0xffffffff);
	state->frame.flags = LG_FLAGS_FIXED | LG_FLAGS_IF |
			     PICK(0, LG_FLAGS_TF, LG_FLAGS_AC, LG_FLAGS_RF, LG_FLAGS_DF | LG_FLAGS_CF);
	model->cpu.iopl = PICK(0, 3);
	model_write32(model, QUICK_DATA, PICK(0, LGUEST_IF));
	if (!model->cpu.user) {
		state->frame.sp = PICK(STACK, STACK, STACK + 6, 8, 0);
		state->frame.ss = PICK(MODEL_KERNEL_DS, MODEL_KERNEL_DS, MODEL_KERNEL_DS, 21 * 8) | 3;
		state->regs.ds = PICK(MODEL_USER_DS, MODEL_USER_DS, MODEL_KERNEL_DS, 0);
	} else {
		state->frame.sp = PICK(USER_STACK, 3);
	}
	frame[0] = PICK(CODE_AT, CODE_AT + 7, 0x12345678);
	frame[1] = PICK(MODEL_USER_CS, MODEL_USER_CS, MODEL_USER_CS, MODEL_KERNEL_CS, 20 * 8,
			MODEL_USER_CS | 0x10000);
	frame[2] = PICK(LG_FLAGS_IF | 2, 2, LG_FLAGS_VM, LG_FLAGS_TF | LG_FLAGS_IOPL | LG_FLAGS_NT,
			LG_FLAGS_RF | LG_FLAGS_IF);
	frame[3] = PICK(USER_STACK, 1);
	frame[4] = PICK(MODEL_USER_DS, MODEL_USER_DS, MODEL_USER_DS, MODEL_KERNEL_DS, 0);
	memcpy(model->memory + STACK, frame, sizeof(frame));
	m.random = kept;
}

enum event { IRET, SYSTEM_CALL, EXCEPTION, PAGE_FAULT, LINE };

/* Which one, and what the Guest has for it. */
static enum event random_event(struct model *model, u64 seed)
{
	struct lg_cpu *c = &model->cpu;
	u64 kept = m.random;
	enum event event;

	m.random = seed;
	event = c->user ? PICK(SYSTEM_CALL, SYSTEM_CALL, EXCEPTION, PAGE_FAULT, LINE) :
			  PICK(IRET, IRET, IRET, IRET, EXCEPTION, PAGE_FAULT, LINE);
	if (event == IRET) {
		model->memory[CODE_AT] = 0xcf;
		model->state.frame.ip = CODE_AT;
	}
	if (event == LINE) {
		c->irqs_pending = PICK(2, 2, 6, 0x80000004);
		c->halted = PICK(0, 0, 1);
		c->sti_shadow = PICK(0, 0, 0, 1);
		c->noirq_iret = PICK(0, 0, 0, CODE_AT);
		model_write32(model, QUICK_DATA + offsetof(struct lguest_data, blocked_interrupts),
			      PICK(0, 0, 2, 6));
		model_write32(model, QUICK_DATA + offsetof(struct lguest_data, irq_pending),
			      PICK(0, LGUEST_IF));
	}
	m.random = kept;
	return event;
}

static enum lg_next happen(struct model *model, enum event event)
{
	struct lg_cpu *c = &model->cpu;

	switch (event) {
	case IRET:
		return model->state.frame.sp == STACK ? lg_emulate(c, LG_TRAP_GP, 0) : LG_RUN;
	case SYSTEM_CALL:
		return lg_deliver(c, 0x80, false, 0, true);
	case EXCEPTION:
		return lg_deliver(c, LG_TRAP_GP, true, 0x1234, false);
	case PAGE_FAULT:
		c->fault = (struct lg_fault){ .vector = LG_TRAP_PF, .has_error = true, .error = 6,
					      .gva = 0x5678 };
		return lg_deliver_fault(c);
	case LINE:
		return lg_deliver_interrupts(c);
	}
	return LG_LAUNCHER;
}

/* A page table or two change. */
static void random_pages(struct model *model, u64 seed)
{
	u64 kept = m.random;

	m.random = seed;
	model_set_page(model, ENTRY_STACK - 4096, true, PICK(1, 1, 1, 0), true);
	model_set_page(model, STACK, PICK(1, 1, 1, 1, 0), true, true);
	m.random = kept;
}

/* One model takes the short way when it can, the other never: nobody can tell them apart. */
TEST(the_short_way_leads_where_the_long_one_does)
{
	unsigned int guest, turn, used = 0;
	u64 seed = 1, tables;

	for (guest = 0; guest < 1000; guest++) {
		start(false);
		cpu->data_gpa = QUICK_DATA;
		set_gate(0x21, gate(INT32, 0, MODEL_KERNEL_CS, HANDLER));
		set_gate(0x22, gate(TRAP32, 0, MODEL_KERNEL_CS, HANDLER));
		m.random = ++seed;
		memcpy(&longer, &m, sizeof(m));
		longer.cpu.state = &longer.state;
		longer.cpu.lg = &longer.lg;
		tables = PICK(1, 2, 3, 4, 5, 6) + guest;
		for (turn = 0; turn < 60; turn++) {
			u64 state = pick((const u32[]){ 1, 2, 3, 4, 5, 6, 7, 8, 9 }, 9) + 16 * turn + guest;
			enum lg_next one, other;

			if (turn % 20 == 0) {
				tables++;
				random_tables(&m.cpu, tables);
				random_tables(&longer.cpu, tables);
			}
			random_state(&m, state);
			random_state(&longer, state);
			m.words = 0;
			one = happen(&m, random_event(&m, state));
			random_pages(&m, state);
			used += m.words > 0;
			lg_quick_forget(&longer.cpu);
			other = happen(&longer, random_event(&longer, state));
			random_pages(&longer, state);

			ASSERT_EQ(one, other) TH_LOG("guest %u, turn %u", guest, turn);
			ASSERT_EQ(m.cpu.user, longer.cpu.user) TH_LOG("guest %u, turn %u", guest, turn);
			ASSERT_EQ(0, memcmp(&m.state.frame, &longer.state.frame, sizeof(*frame)))
				TH_LOG("guest %u, turn %u", guest, turn);
			ASSERT_EQ(0, memcmp(&m.state.regs, &longer.state.regs, sizeof(m.state.regs)))
				TH_LOG("guest %u, turn %u", guest, turn);
			ASSERT_EQ(0, memcmp(m.memory, longer.memory, sizeof(m.memory)))
				TH_LOG("guest %u, turn %u", guest, turn);
			ASSERT_EQ(m.cpu.iopl, longer.cpu.iopl);
			ASSERT_EQ(m.cpu.virtual_if, longer.cpu.virtual_if);
			ASSERT_EQ(m.cpu.cr2, longer.cpu.cr2);
			ASSERT_EQ(m.cpu.irqs_pending, longer.cpu.irqs_pending);
			ASSERT_EQ(m.cpu.told_pending, longer.cpu.told_pending);
			ASSERT_EQ(m.cpu.halted, longer.cpu.halted);
			ASSERT_EQ(m.cpu.sti_shadow, longer.cpu.sti_shadow);
			ASSERT_EQ(m.cpu.stepping, longer.cpu.stepping);
			if (one != LG_RUN)
				break;
		}
	}
	/* It was gone. */
	ASSERT_LT(500, used);
}

/* ---- The Host has no memory ---- */

static struct model without;

/* As the run loop does: what was left undone is done now, and the hardware does its part again. */
static enum lg_next go_on(struct model *model, enum event event, enum lg_next next)
{
	struct lg_cpu *c = &model->cpu;

	model->lacking = 0;
	c->no_memory = false;
	if (c->untold)
		lg_tell_again(c);
	if (c->event_waits)
		return lg_deliver_again(c);
	return next == LG_LAUNCHER || event == LINE ? happen(model, event) : next;
}

static void same(struct __test_metadata *_metadata, const struct model *a, const struct model *b)
{
	ASSERT_EQ(a->dead, b->dead);
	ASSERT_STREQ(a->sentence, b->sentence);
	ASSERT_EQ(a->cpu.user, b->cpu.user);
	ASSERT_EQ(0, memcmp(&a->state.frame, &b->state.frame, sizeof(a->state.frame)));
	ASSERT_EQ(0, memcmp(&a->state.regs, &b->state.regs, sizeof(a->state.regs)));
	ASSERT_EQ(0, memcmp(a->memory, b->memory, sizeof(a->memory)));
	ASSERT_EQ(a->cpu.iopl, b->cpu.iopl);
	ASSERT_EQ(a->cpu.virtual_if, b->cpu.virtual_if);
	ASSERT_EQ(a->cpu.cr2, b->cpu.cr2);
	ASSERT_EQ(a->cpu.irqs_pending, b->cpu.irqs_pending);
	ASSERT_EQ(a->cpu.told_pending, b->cpu.told_pending);
	ASSERT_EQ(a->cpu.halted, b->cpu.halted);
	ASSERT_EQ(a->cpu.sti_shadow, b->cpu.sti_shadow);
	ASSERT_EQ(a->cpu.stepping, b->cpu.stepping);
}

/*
 * Each access of a delivery or an IRET lacks memory once: the Guest is told nothing of it, does not
 * end, and finds itself later where it would have been.
 */
TEST(what_lacks_memory_comes_later)
{
	unsigned int guest, n, i, lacked = 0, put_off = 0;
	enum lg_next one, other;
	enum event event;

	for (guest = 0; guest < 3000; guest++) {
		start(guest & 1);
		cpu->data_gpa = QUICK_DATA;
		set_gate(0x21, gate(INT32, 0, MODEL_KERNEL_CS, HANDLER));
		set_gate(0x22, gate(TRAP32, 0, MODEL_KERNEL_CS, HANDLER));
		m.random = guest + 1;
		random_tables(cpu, guest);
		random_state(&m, guest * 7);
		model_set_page(&m, ENTRY_STACK - 4096, true, guest % 8, true);
		event = random_event(&m, guest * 13);
		lg_quick_forget(cpu);
		memcpy(&longer, &m, sizeof(m));
		one = happen(&m, event);
		for (n = 1; ; n++) {
			memcpy(&without, &longer, sizeof(m));
			without.cpu.state = &without.state;
			without.cpu.lg = &without.lg;
			without.lacking = n;
			other = happen(&without, event);
			if (!without.cpu.no_memory)
				break;
			ASSERT_FALSE(without.dead) TH_LOG("%s", without.sentence);
			ASSERT_EQ(0, without.cpu.exit.reason);
			lacked++;
			put_off += without.cpu.event_waits;
			other = go_on(&without, event, other);
			/* Lines that could follow do so before the next entry. */
			for (i = 0; i < 3 && event == LINE && other == LG_RUN; i++)
				other = happen(&without, event);
			if (n == 1)
				for (i = 0; i < 3 && event == LINE && one == LG_RUN; i++)
					one = happen(&m, event);
			ASSERT_EQ(one, other) TH_LOG("guest %u, access %u", guest, n);
			same(_metadata, &m, &without);
		}
	}
	TH_LOG("%u accesses, %u events put off", lacked, put_off);
	ASSERT_LT(3000, lacked);
	ASSERT_LT(1000, put_off);
}

TEST_HARNESS_MAIN
