// SPDX-License-Identifier: GPL-2.0
/*
 * Ways to other code and other segments (drivers/lguest/emu_transfer.c): IRET, RET, JMP, CALL,
 * SYSENTER, SYSEXIT and segment loads of every kind, as tables.
 */
#include "emulated.h"

#define SEL_ABSENT	(20 * 8)
#define SEL_CONFORMING	(21 * 8)
#define SEL_USER_ABSENT	(22 * 8 + 3)
#define SEL_USER_RO	(23 * 8 + 3)
#define SEL_SMALL	(24 * 8)

static void start_transfers(void)
{
	start(false);
	lg_segment_set(cpu, SEL_ABSENT / 8, MODEL_CODE32 & ~LG_DESC_PRESENT);
	lg_segment_set(cpu, SEL_CONFORMING / 8, MODEL_CODE32 | LG_DESC_DOWN);
	lg_segment_set(cpu, SEL_USER_ABSENT / 8, (MODEL_DATA32 | MODEL_DPL3) & ~LG_DESC_PRESENT);
	lg_segment_set(cpu, SEL_USER_RO / 8, (MODEL_DATA32 | MODEL_DPL3) & ~LG_DESC_WRITABLE);
	lg_segment_set(cpu, SEL_SMALL / 8, 0x00409b000000ffffull);
	frame->sp = STACK - 0x40;
}

struct return_case {
	const char *what;
	u16 cs, ss;
	u32 flags;
	int vector;			/* DONE, or the fault */
	u32 error;
	bool user;			/* DONE: at user level */
	u32 ip;
};

#define OK_FLAGS (LG_FLAGS_FIXED | LG_FLAGS_IF)

static const struct return_case return_cases[] = {
	{ "to the kernel, RPL 1", MODEL_KERNEL_CS, 0, OK_FLAGS, DONE },
	{ "to the kernel, RPL 0", MODEL_KERNEL_CS & ~3, 0, OK_FLAGS, DONE },
	/* What PUSH CS gives at kernel level. */
	{ "to the kernel, RPL 3", MODEL_KERNEL_CS | 3, 0, OK_FLAGS, DONE },
	{ "to user", MODEL_USER_CS, MODEL_USER_DS, OK_FLAGS, DONE, .user = true },
	{ "to conforming kernel code", SEL_CONFORMING, 0, OK_FLAGS, DONE },
	{ "to conforming code as user", SEL_CONFORMING | 3, MODEL_USER_DS, OK_FLAGS, DONE, .user = true },
	{ "null", 0, 0, OK_FLAGS, LG_TRAP_GP, 0 },
	{ "null with RPL", 3, 0, OK_FLAGS, LG_TRAP_GP, 0 },
	{ "data", MODEL_KERNEL_DS, 0, OK_FLAGS, LG_TRAP_GP, MODEL_KERNEL_DS & ~3 },
	{ "empty", 40 * 8, 0, OK_FLAGS, LG_TRAP_GP, 40 * 8 },
	{ "user code with RPL 1", (MODEL_USER_CS & ~3) | 1, MODEL_USER_DS, OK_FLAGS, LG_TRAP_GP, MODEL_USER_CS & ~3 },
	{ "not present", SEL_ABSENT, 0, OK_FLAGS, LG_TRAP_NP, SEL_ABSENT },
	{ "beyond the code", SEL_SMALL, 0, OK_FLAGS, LG_TRAP_GP, 0, .ip = 0x10000 },
	{ "VM86", MODEL_USER_CS, MODEL_USER_DS, OK_FLAGS | LG_FLAGS_VM, LG_TRAP_GP, 0 },
	{ "user, null stack", MODEL_USER_CS, 3, OK_FLAGS, LG_TRAP_GP, 0 },
	{ "user, kernel's stack", MODEL_USER_CS, MODEL_KERNEL_DS, OK_FLAGS, LG_TRAP_GP, MODEL_KERNEL_DS & ~3 },
	{ "user, stack with RPL 0", MODEL_USER_CS, MODEL_USER_DS & ~3, OK_FLAGS, LG_TRAP_GP, MODEL_USER_DS & ~3 },
	{ "user, read-only stack", MODEL_USER_CS, SEL_USER_RO, OK_FLAGS, LG_TRAP_GP, SEL_USER_RO & ~3 },
	{ "user, stack is code", MODEL_USER_CS, MODEL_USER_CS, OK_FLAGS, LG_TRAP_GP, MODEL_USER_CS & ~3 },
	{ "user, stack not present", MODEL_USER_CS, SEL_USER_ABSENT, OK_FLAGS, LG_TRAP_SS, SEL_USER_ABSENT & ~3 },
};

/* how: 0 IRET, 1 RETF, 2 RETF 8 */
static void run_return(const struct return_case *c, int how, bool narrow)
{
	static const char *const insns[] = { "\xcf", "\xcb", "\xca\x08\x00" };
	u32 words[8] = { c->ip ? c->ip : DATA, c->cs }, n = 2, i;
	u16 word;

	start_transfers();
	regs->ds = MODEL_KERNEL_DS;
	regs->fs = MODEL_USER_DS;
	if (how == 0)
		words[n++] = c->flags;
	if (how == 2)
		n += narrow ? 4 : 2;
	words[n++] = USER_STACK;
	words[n++] = c->ss;
	for (i = 0; i < n; i++) {
		if (narrow) {
			word = words[i];
			memcpy(m.memory + frame->sp + i * 2, &word, 2);
		} else {
			model_write32(&m, frame->sp + i * 4, words[i]);
		}
	}
	put_code(narrow ? "\x66" : "", narrow);
	memcpy(m.memory + CODE + narrow, insns[how], how == 2 ? 3 : 1);
	lg_emulate(cpu, LG_TRAP_GP, c->cs & ~3);
}

TEST(returns_of_every_kind)
{
	unsigned int i, how, narrow;

	for (i = 0; i < ARRAY_SIZE(return_cases); i++) {
		const struct return_case *c = &return_cases[i];

		for (how = 0; how < 3; how++) {
			for (narrow = 0; narrow < 2; narrow++) {
				/* What RETF has no flags for, and 16 bits no room for. */
				if ((c->flags & LG_FLAGS_VM && (how || narrow)) || (c->ip && narrow))
					continue;
				run_return(c, how, narrow);
				ASSERT_EQ(0, m.dead) TH_LOG("%s: %s", c->what, m.sentence);
				model_check(&m, LG_RUN);
				if (c->vector == DONE) {
					unsigned int width = narrow ? 2 : 4, words = how == 0 ? 3 : 2;
					u32 sp = STACK - 0x40 + words * width + (how == 2 ? 8 : 0);

					ASSERT_EQ(DATA, frame->ip) TH_LOG("%s, %u", c->what, how);
					ASSERT_EQ(c->cs | 3, frame->cs);
					ASSERT_EQ(c->user, cpu->user);
					ASSERT_EQ(c->user ? USER_STACK + (how == 2 ? 8 : 0) : sp, frame->sp)
						TH_LOG("%s, %u", c->what, how);
					/* User level has none of the kernel's segments. */
					ASSERT_EQ(c->user ? 0 : MODEL_KERNEL_DS, regs->ds);
					ASSERT_EQ(MODEL_USER_DS, regs->fs);
				} else {
					ASSERT_EQ(c->vector, trapped()) TH_LOG("%s, %u", c->what, how);
					ASSERT_EQ(c->error, stacked(0)) TH_LOG("%s, %u", c->what, how);
					ASSERT_EQ(CODE, stacked(1));
					ASSERT_EQ(STACK - 0x40 - 16, frame->sp);
					ASSERT_EQ(MODEL_KERNEL_DS, regs->ds);
				}
			}
		}
	}
}

TEST(iret_loads_flags)
{
	struct return_case c = { "", MODEL_KERNEL_CS, 0, 0xffffffff & ~LG_FLAGS_VM };

	run_return(&c, 0, false);
	/* All that the hardware may have (S2): the rest is virtual, or dropped. */
	ASSERT_EQ(LG_FLAGS_GUEST | LG_FLAGS_FIXED | LG_FLAGS_IF, frame->flags);
	ASSERT_EQ(3, cpu->iopl);
	ASSERT_TRUE(cpu->virtual_if);
	c.flags = 0;
	run_return(&c, 0, false);
	ASSERT_EQ(LG_FLAGS_FIXED | LG_FLAGS_IF, frame->flags);
	ASSERT_EQ(0, cpu->iopl);
	ASSERT_FALSE(cpu->virtual_if);
	/* With 16 bits, the upper half stays. */
	c.flags = LG_FLAGS_FIXED;
	start(false);
	frame->sp = STACK - 0x40;
	frame->flags |= LG_FLAGS_ID | LG_FLAGS_CF;
	memcpy(m.memory + frame->sp, (u16[]){ DATA, MODEL_KERNEL_CS, LG_FLAGS_FIXED }, 6);
	put_code("\x66\xcf", 2);
	lg_emulate(cpu, LG_TRAP_GP, MODEL_KERNEL_CS & ~3);
	ASSERT_EQ(LG_FLAGS_FIXED | LG_FLAGS_IF | LG_FLAGS_ID, frame->flags);
}

TEST(iret_from_bad_stacks)
{
	start_transfers();
	model_set_page(&m, STACK, false, false, false);
	/* The last word of three is on the next page. */
	frame->sp = STACK - 8;
	put_code("\xcf", 1);
	cpu->ss1 = MODEL_KERNEL_DS;
	lg_emulate(cpu, LG_TRAP_GP, 0);
	ASSERT_EQ(LG_TRAP_PF, trapped());
	ASSERT_EQ(STACK, cpu->cr2);
	ASSERT_EQ(STACK - 8 - 16, frame->sp);
	/* Three words are enough for the kernel. */
	start_transfers();
	model_set_page(&m, STACK, false, false, false);
	frame->sp = STACK - 12;
	memcpy(m.memory + STACK - 12, (u32[]){ DATA, MODEL_KERNEL_CS, OK_FLAGS }, 12);
	put_code("\xcf", 1);
	lg_emulate(cpu, LG_TRAP_GP, 0);
	ASSERT_EQ(DATA, frame->ip);
}

TEST(far_jumps_and_calls)
{
	static const u8 jmp[] = { 0xea, 0, 0xa0, 0, 0, MODEL_KERNEL_CS, 0 };
	static const u8 call[] = { 0x9a, 0, 0xa0, 0, 0, MODEL_KERNEL_CS, 0 };
	u8 other[7];

	start_transfers();
	put_code(jmp, 7);
	lg_emulate(cpu, LG_TRAP_GP, MODEL_KERNEL_CS & ~3);
	ASSERT_EQ(DATA, frame->ip);
	start_transfers();
	put_code(call, 7);
	lg_emulate(cpu, LG_TRAP_GP, MODEL_KERNEL_CS & ~3);
	ASSERT_EQ(DATA, frame->ip);
	ASSERT_EQ(STACK - 0x48, frame->sp);
	ASSERT_EQ(CODE + 7, stacked(0));
	ASSERT_EQ(MODEL_KERNEL_CS, stacked(1));
	/* Through memory. */
	start_transfers();
	memcpy(m.memory + DATA, "\x78\x56\x00\x00", 4);
	memcpy(m.memory + DATA + 4, &(u16){ MODEL_KERNEL_CS }, 2);
	put_code("\xff\x2d\x00\xa0\x00\x00", 6);
	lg_emulate(cpu, LG_TRAP_GP, MODEL_KERNEL_CS & ~3);
	ASSERT_EQ(0x5678, frame->ip);
	/* Not to user level, and through no gate. */
	start_transfers();
	memcpy(other, jmp, 7);
	other[5] = MODEL_USER_CS;
	put_code(other, 7);
	lg_emulate(cpu, LG_TRAP_GP, MODEL_USER_CS & ~3);
	ASSERT_EQ(LG_TRAP_GP, trapped());
	ASSERT_EQ(MODEL_USER_CS & ~3, stacked(0));
	start_transfers();
	lg_segment_set(cpu, 12 + 18, 0x00008c0000600000ull);
	other[5] = 30 * 8;
	put_code(other, 7);
	lg_emulate(cpu, LG_TRAP_GP, 30 * 8);
	ASSERT_EQ(LG_TRAP_GP, trapped());
	ASSERT_EQ(30 * 8, stacked(0));
	/* At user level the hardware is right. */
	start(true);
	put_code(jmp, 7);
	lg_emulate(cpu, LG_TRAP_GP, MODEL_KERNEL_CS & ~3);
	ASSERT_EQ(LG_TRAP_GP, trapped());
	ASSERT_EQ(MODEL_KERNEL_CS & ~3, stacked(0));
}

TEST(segment_loads)
{
	start_transfers();
	regs->ax = MODEL_KERNEL_DS;
	put_code("\x8e\xd0", 2);
	lg_emulate(cpu, LG_TRAP_GP, MODEL_KERNEL_DS & ~3);
	ASSERT_EQ(CODE + 2, frame->ip);
	ASSERT_EQ(MODEL_KERNEL_DS | 3, frame->ss);
	/* SS: null, code, user's, not present. */
	regs->ax = 0;
	at_kernel("\x8e\xd0", 2);
	ASSERT_EQ(LG_TRAP_GP, trapped());
	start_transfers();
	regs->ax = MODEL_USER_DS;
	at_kernel("\x8e\xd0", 2);
	ASSERT_EQ(LG_TRAP_GP, trapped());
	ASSERT_EQ(MODEL_USER_DS & ~3, stacked(0));
	start_transfers();
	lg_segment_set(cpu, 25, MODEL_DATA32 & ~LG_DESC_PRESENT);
	regs->ax = 25 * 8;
	at_kernel("\x8e\xd0", 2);
	ASSERT_EQ(LG_TRAP_SS, trapped());
	ASSERT_EQ(25 * 8, stacked(0));
	/* DS of the same: #NP. POP and LDS are no different. */
	start_transfers();
	lg_segment_set(cpu, 25, MODEL_DATA32 & ~LG_DESC_PRESENT);
	model_write32(&m, frame->sp, 25 * 8);
	put_code("\x1f", 1);
	lg_emulate(cpu, LG_TRAP_NP, 25 * 8);
	ASSERT_EQ(LG_TRAP_NP, trapped());
	start_transfers();
	model_write32(&m, frame->sp, MODEL_KERNEL_DS);
	put_code("\x17", 1);
	lg_emulate(cpu, LG_TRAP_GP, MODEL_KERNEL_DS & ~3);
	ASSERT_EQ(MODEL_KERNEL_DS | 3, frame->ss);
	ASSERT_EQ(STACK - 0x40 + 4, frame->sp);
	start_transfers();
	model_write32(&m, DATA, 0x11223344);
	model_write32(&m, DATA + 4, MODEL_KERNEL_DS);
	put_code("\x0f\xb2\x25\x00\xa0\x00\x00", 7);
	lg_emulate(cpu, LG_TRAP_GP, MODEL_KERNEL_DS & ~3);
	ASSERT_EQ(0x11223344, frame->sp);
	ASSERT_EQ(CODE + 7, frame->ip);
}

/*
 * A descriptor that the Guest has just written: the load is tried again, and nothing is emulated.
 */
TEST(a_stale_descriptor_is_reread)
{
	const u64 tables[] = { MODEL_CODE32, MODEL_DATA32 };
	const u64 tls = MODEL_DATA32 | MODEL_DPL3;

	start(true);
	cpu->user = false;
	memcpy(m.memory + GDT_AT + 12 * 8, tables, 16);
	memcpy(m.memory + GDT_AT + 14 * 8, (u64[]){ MODEL_CODE32 | MODEL_DPL3, tls }, 16);
	lg_seg_load_gdt(cpu, GDT_AT, 0xff);
	model_to_user(&m);
	memcpy(m.memory + GDT_AT + 6 * 8, &tls, 8);
	regs->ax = 6 * 8 + 3;
	put_code("\x8e\xe8", 2);
	ASSERT_EQ(LG_RUN, lg_emulate(cpu, LG_TRAP_GP, 6 * 8));
	ASSERT_EQ(CODE, frame->ip);
	ASSERT_EQ(lg_vet_descriptor(tls, true), m.state.gdt[1][6]);
	/* Still there, still refused: then it is the Guest's. */
	ASSERT_EQ(LG_RUN, lg_emulate(cpu, LG_TRAP_GP, 6 * 8));
	ASSERT_EQ(LG_TRAP_GP, trapped());
}

TEST(sysenter_and_sysexit)
{
	start(true);
	/* Kernel code and data, user code and data, one after the other. */
	lg_segment_set(cpu, 20, MODEL_CODE32);
	lg_segment_set(cpu, 21, MODEL_DATA32);
	lg_segment_set(cpu, 22, MODEL_CODE32 | MODEL_DPL3);
	lg_segment_set(cpu, 23, MODEL_DATA32 | MODEL_DPL3);
	cpu->msr[LG_MSR_SYSENTER_CS] = 20 * 8;
	cpu->msr[LG_MSR_SYSENTER_EIP] = DATA;
	cpu->msr[LG_MSR_SYSENTER_ESP] = STACK;
	put_code("\x0f\x34", 2);
	ASSERT_EQ(LG_RUN, lg_emulate(cpu, LG_TRAP_GP, 0));
	ASSERT_EQ(DATA, frame->ip);
	ASSERT_EQ(STACK, frame->sp);
	ASSERT_EQ(20 * 8 | 3, frame->cs);
	ASSERT_EQ(21 * 8 | 3, frame->ss);
	ASSERT_FALSE(cpu->user);
	ASSERT_FALSE(cpu->virtual_if);
	model_check(&m, LG_RUN);
	regs->dx = 0x1234;
	regs->cx = 0x5678;
	memcpy(m.memory + DATA, "\x0f\x35", 2);
	ASSERT_EQ(LG_RUN, lg_emulate(cpu, LG_TRAP_GP, 0));
	ASSERT_TRUE(cpu->user);
	ASSERT_EQ(0x1234, frame->ip);
	ASSERT_EQ(0x5678, frame->sp);
	ASSERT_EQ(22 * 8 | 3, frame->cs);
	ASSERT_EQ(23 * 8 | 3, frame->ss);
	model_check(&m, LG_RUN);
}

TEST_HARNESS_MAIN
