// SPDX-License-Identifier: GPL-2.0
/*
 * Deliveries at random: the short way (drivers/lguest/quick.h) leads where the long one does; and
 * what the Host has no memory for comes later, as if nothing had been.
 */
#include "delivery.h"

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
	static const u8 vectors[] = { 0x80, 0x21, 0x22, 0x3f, LG_TRAP_PF, LG_TRAP_GP, LG_TRAP_BP };
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

enum event { IRET, SYSTEM_CALL, BREAKPOINT, EXCEPTION, PAGE_FAULT, LINE };

/* Which one, and what the Guest has for it. */
static enum event random_event(struct model *model, u64 seed)
{
	struct lg_cpu *c = &model->cpu;
	u64 kept = m.random;
	enum event event;

	m.random = seed;
	event = c->user ? PICK(SYSTEM_CALL, SYSTEM_CALL, BREAKPOINT, EXCEPTION, PAGE_FAULT, LINE) :
			  PICK(IRET, IRET, IRET, IRET, BREAKPOINT, EXCEPTION, PAGE_FAULT, LINE);
	if (event == IRET) {
		model->memory[CODE_AT] = 0xcf;
		model->state.frame.ip = CODE_AT;
	}
	/* INT 3 or INT3, just executed. */
	if (event == BREAKPOINT) {
		model->memory[CODE_AT] = 0xcd;
		model->memory[CODE_AT + 1] = PICK(3, 0xcc);
		model->state.frame.ip = CODE_AT + 2;
	}
	if (event == LINE) {
		c->irqs_pending = PICK(2, 2, 6, 0x80000004);
		c->halted = PICK(0, 0, 1);
		c->sti_shadow = PICK(0, 0, 0, 1);
		c->sti_ip = model->state.frame.ip + PICK(0, 0, 1);
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
	case BREAKPOINT:
		return lg_deliver(c, LG_TRAP_BP, false, 0, true);
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
