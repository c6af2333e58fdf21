// SPDX-License-Identifier: GPL-2.0
/*
 * Emulation of what ring 3 may not do (drivers/lguest/emulate.c, emu_*.c): each instruction at both
 * virtual levels, as a table; system registers; instructions that cross pages, lie at the end of their
 * segment, are too long, or change while they are looked at. Ways to other code are in transfers.c,
 * what the Launcher answers in ports.c.
 */
#include "emulated.h"

/* ---- Every instruction at both levels ---- */

struct level_case {
	const char *what;
	u8 bytes[12];
	u8 len;
	int kernel, user;		/* DONE, or the vector that it becomes */
	u8 hardware;			/* the exception that ring 3 makes of it; 0: #GP */
};

static const struct level_case level_cases[] = {
	{ "cli", { 0xfa }, 1, DONE, LG_TRAP_GP },
	{ "sti", { 0xfb }, 1, DONE, LG_TRAP_GP },
	{ "hlt", { 0xf4 }, 1, DONE, LG_TRAP_GP },
	{ "clts", { 0x0f, 0x06 }, 2, DONE, LG_TRAP_GP },
	{ "invd", { 0x0f, 0x08 }, 2, DONE, LG_TRAP_GP },
	{ "wbinvd", { 0x0f, 0x09 }, 2, DONE, LG_TRAP_GP },
	{ "wbnoinvd", { 0xf3, 0x0f, 0x09 }, 3, DONE, LG_TRAP_GP },
	{ "mov %cr0, %eax", { 0x0f, 0x20, 0xc0 }, 3, DONE, LG_TRAP_GP },
	{ "mov %cr1, %eax", { 0x0f, 0x20, 0xc8 }, 3, LG_TRAP_UD, LG_TRAP_GP },
	{ "mov %cr2, %eax", { 0x0f, 0x20, 0xd0 }, 3, DONE, LG_TRAP_GP },
	{ "mov %cr3, %eax", { 0x0f, 0x20, 0xd8 }, 3, DONE, LG_TRAP_GP },
	{ "mov %cr4, %eax", { 0x0f, 0x20, 0xe0 }, 3, DONE, LG_TRAP_GP },
	{ "mov %cr5, %eax", { 0x0f, 0x20, 0xe8 }, 3, LG_TRAP_UD, LG_TRAP_GP },
	{ "mov %cr8, %eax", { 0x0f, 0x20, 0xf8 }, 3, LG_TRAP_UD, LG_TRAP_GP },
	/* The register form whatever mod says. */
	{ "mov %cr0, %eax, mod 0", { 0x0f, 0x20, 0x00 }, 3, DONE, LG_TRAP_GP },
	{ "mov %cr0, %eax, mod 1", { 0x0f, 0x20, 0x40 }, 3, DONE, LG_TRAP_GP },
	{ "mov %cr0, %eax, mod 2, rm 4", { 0x0f, 0x20, 0x84 }, 3, DONE, LG_TRAP_GP },
	{ "mov %dr0, %eax, mod 0, rm 5", { 0x0f, 0x21, 0x05 }, 3, DONE, LG_TRAP_GP },
	{ "mov %eax, %cr2", { 0x0f, 0x22, 0xd0 }, 3, DONE, LG_TRAP_GP },
	{ "mov %eax, %cr3", { 0x0f, 0x22, 0xd8 }, 3, DONE, LG_TRAP_GP },
	{ "mov %eax, %cr4", { 0x0f, 0x22, 0xe0 }, 3, DONE, LG_TRAP_GP },
	{ "mov %eax, %cr6", { 0x0f, 0x22, 0xf0 }, 3, LG_TRAP_UD, LG_TRAP_GP },
	{ "mov %dr0, %eax", { 0x0f, 0x21, 0xc0 }, 3, DONE, LG_TRAP_GP },
	{ "mov %dr4, %eax", { 0x0f, 0x21, 0xe0 }, 3, DONE, LG_TRAP_GP },
	{ "mov %dr7, %eax", { 0x0f, 0x21, 0xf8 }, 3, DONE, LG_TRAP_GP },
	{ "mov %eax, %dr3", { 0x0f, 0x23, 0xd8 }, 3, DONE, LG_TRAP_GP },
	{ "mov %eax, %dr6", { 0x0f, 0x23, 0xf0 }, 3, DONE, LG_TRAP_GP },
	{ "lgdt", { 0x0f, 0x01, 0x15, 0x00, 0xa0, 0, 0 }, 7, DONE, LG_TRAP_GP },
	{ "lidt", { 0x0f, 0x01, 0x1d, 0x00, 0xa0, 0, 0 }, 7, DONE, LG_TRAP_GP },
	{ "sgdt", { 0x0f, 0x01, 0x05, 0x00, 0xa0, 0, 0 }, 7, DONE, DONE },
	{ "sidt", { 0x0f, 0x01, 0x0d, 0x00, 0xa0, 0, 0 }, 7, DONE, DONE },
	{ "smsw %ax", { 0x0f, 0x01, 0xe0 }, 3, DONE, DONE },
	{ "smsw mem", { 0x0f, 0x01, 0x25, 0x00, 0xa0, 0, 0 }, 7, DONE, DONE },
	{ "lmsw %cx", { 0x0f, 0x01, 0xf1 }, 3, DONE, LG_TRAP_GP },
	{ "invlpg", { 0x0f, 0x01, 0x3d, 0x00, 0xa0, 0, 0 }, 7, DONE, LG_TRAP_GP },
	{ "sldt %eax", { 0x0f, 0x00, 0xc0 }, 3, DONE, DONE },
	{ "str %eax", { 0x0f, 0x00, 0xc8 }, 3, DONE, DONE },
	{ "lldt, null", { 0x0f, 0x00, 0xd1 }, 3, DONE, LG_TRAP_GP },
	{ "ltr, null", { 0x0f, 0x00, 0xd9 }, 3, LG_TRAP_GP, LG_TRAP_GP },
	{ "monitor", { 0x0f, 0x01, 0xc8 }, 3, DONE, LG_TRAP_UD, LG_TRAP_UD },
	{ "mwait", { 0x0f, 0x01, 0xc9 }, 3, DONE, LG_TRAP_UD, LG_TRAP_UD },
	{ "clac", { 0x0f, 0x01, 0xca }, 3, DONE, LG_TRAP_UD, LG_TRAP_UD },
	{ "stac", { 0x0f, 0x01, 0xcb }, 3, DONE, LG_TRAP_UD, LG_TRAP_UD },
	{ "xsetbv without OSXSAVE", { 0x0f, 0x01, 0xd1 }, 3, LG_TRAP_UD, LG_TRAP_UD, LG_TRAP_UD },
	{ "vmcall", { 0x0f, 0x01, 0xc1 }, 3, LG_TRAP_UD, LG_TRAP_UD, LG_TRAP_UD },
	{ "swapgs", { 0x0f, 0x01, 0xf8 }, 3, LG_TRAP_UD, LG_TRAP_UD, LG_TRAP_UD },
	{ "rdmsr of an unknown", { 0x0f, 0x32 }, 2, LG_TRAP_GP, LG_TRAP_GP },
	{ "wrmsr of an unknown", { 0x0f, 0x30 }, 2, LG_TRAP_GP, LG_TRAP_GP },
	{ "rdpmc", { 0x0f, 0x33 }, 2, LG_TRAP_GP, LG_TRAP_GP },
	{ "cpuid", { 0x0f, 0xa2 }, 2, DONE, DONE },
	{ "in $0x80, %al", { 0xe4, 0x80 }, 2, DONE, LG_TRAP_GP },
	{ "in $0x80, %eax", { 0xe5, 0x80 }, 2, DONE, LG_TRAP_GP },
	{ "in %dx, %ax", { 0x66, 0xed }, 2, DONE, LG_TRAP_GP },
	{ "out %al, $0x80", { 0xe6, 0x80 }, 2, DONE, LG_TRAP_GP },
	{ "out %eax, %dx", { 0xef }, 1, DONE, LG_TRAP_GP },
	{ "rep insb, none", { 0xf3, 0x6c }, 2, DONE, DONE },
	{ "insl", { 0x6d }, 1, DONE, LG_TRAP_GP },
	{ "outsw", { 0x66, 0x6f }, 2, DONE, LG_TRAP_GP },
	{ "sysexit without MSR", { 0x0f, 0x35 }, 2, LG_TRAP_GP, LG_TRAP_GP },
	{ "sysenter without MSR", { 0x0f, 0x34 }, 2, LG_TRAP_GP, LG_TRAP_GP },
	{ "int $0x40", { 0xcd, 0x40 }, 2, 0x40, LG_TRAP_GP },
	/* LOCK where it may not be, and what is no instruction. */
	{ "lock cli", { 0xf0, 0xfa }, 2, LG_TRAP_UD, LG_TRAP_UD, LG_TRAP_UD },
	{ "lock mov %cr0, %eax", { 0xf0, 0x0f, 0x20, 0xc0 }, 4, LG_TRAP_UD, LG_TRAP_UD, LG_TRAP_UD },
	{ "ud2", { 0x0f, 0x0b }, 2, LG_TRAP_UD, LG_TRAP_UD, LG_TRAP_UD },
	{ "mov %eax, %cs", { 0x8e, 0xc8 }, 2, LG_TRAP_UD, LG_TRAP_UD, LG_TRAP_UD },
	{ "mov to segment 7", { 0x8e, 0xf8 }, 2, LG_TRAP_UD, LG_TRAP_UD, LG_TRAP_UD },
	{ "lds of a register", { 0xc5, 0xc0 }, 2, LG_TRAP_UD, LG_TRAP_UD, LG_TRAP_UD },
	{ "ljmp of a register", { 0xff, 0xe8 }, 2, LG_TRAP_UD, LG_TRAP_UD, LG_TRAP_UD },
	/* Not ours: what the hardware says stands. */
	{ "mov (%eax), %eax", { 0x8b, 0x00 }, 2, LG_TRAP_GP, LG_TRAP_GP },
	{ "vmovaps (%eax), %xmm0", { 0xc5, 0xf8, 0x28, 0x00 }, 4, LG_TRAP_GP, LG_TRAP_GP },
	{ "fnop", { 0xd9, 0xd0 }, 2, LG_TRAP_NM, LG_TRAP_NM, LG_TRAP_NM },
};

static enum lg_next run_case(const struct level_case *c, bool user)
{
	u8 vector = c->hardware ? c->hardware : LG_TRAP_GP;
	enum lg_next next;

	start(user);
	put_code(c->bytes, c->len);
	regs->dx = 0x80;
	regs->di = DATA;
	regs->si = DATA;
	next = lg_handle_exception(cpu, vector, 0);
	model_check(&m, next);
	return next;
}

TEST(every_instruction_at_both_levels)
{
	unsigned int i;
	bool user;

	for (i = 0; i < ARRAY_SIZE(level_cases); i++) {
		const struct level_case *c = &level_cases[i];

		for (user = false; ; user = true) {
			int expected = user ? c->user : c->kernel;

			ASSERT_EQ(LG_RUN, run_case(c, user)) TH_LOG("%s: %s", c->what, m.sentence);
			ASSERT_EQ(expected, trapped()) TH_LOG("%s, %s", c->what, user ? "user" : "kernel");
			if (expected == DONE) {
				ASSERT_EQ(CODE + c->len, frame->ip) TH_LOG("%s", c->what);
				ASSERT_EQ(user, cpu->user);
			} else if (expected != 0x40) {
				unsigned int ip_at = lg_has_error_code(expected);

				ASSERT_EQ(CODE, stacked(ip_at)) TH_LOG("%s", c->what);
				if (ip_at)
					ASSERT_EQ(c->bytes[0] == 0xcd ? 0x40 * 8 + 2 : 0, stacked(0))
						TH_LOG("%s", c->what);
			}
			if (user)
				break;
		}
	}
}

/* INT n is judged by its gate, whatever error code the hardware gave. */
TEST(int_n_for_all_n)
{
	unsigned int n, dpl;

	for (n = 0; n < 256; n++) {
		for (dpl = 0; dpl < 4; dpl++) {
			start(true);
			cpu->idt[n] |= (u64)dpl << LG_DESC_DPL_SHIFT;
			put_code((u8[]){ 0xcd, n }, 2);
			/* QEMU's idea of it. */
			ASSERT_EQ(LG_RUN, lg_emulate(cpu, LG_TRAP_GP, n * 16 + 2));
			if (dpl == 3) {
				ASSERT_EQ(n, trapped());
				ASSERT_EQ(CODE + 2, stacked(0));
			} else {
				ASSERT_EQ(LG_TRAP_GP, trapped());
				ASSERT_EQ(n * 8 + 2, stacked(0));
				ASSERT_EQ(CODE, stacked(1));
			}
		}
	}
}

TEST(umip_is_the_guests_to_ask_for)
{
	static const u8 insns[][7] = {
		{ 0x0f, 0x01, 0x05, 0x00, 0xa0 }, { 0x0f, 0x01, 0x0d, 0x00, 0xa0 }, { 0x0f, 0x01, 0xe0 },
		{ 0x0f, 0x00, 0xc0 }, { 0x0f, 0x00, 0xc8 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(insns); i++) {
		start(true);
		cpu->paging.cr4 = LG_CR4_UMIP;
		put_code(insns[i], 7);
		ASSERT_EQ(LG_RUN, lg_emulate(cpu, LG_TRAP_GP, 0));
		ASSERT_EQ(LG_TRAP_GP, trapped());
		start(false);
		cpu->paging.cr4 = LG_CR4_UMIP;
		put_code(insns[i], 7);
		ASSERT_EQ(LG_RUN, lg_emulate(cpu, LG_TRAP_GP, 0));
		ASSERT_EQ(-1, trapped());
	}
}

TEST(iopl_lets_user_level_have_flags_and_ports)
{
	static const struct { u8 bytes[2]; } insns[] = { { { 0xfa } }, { { 0xfb } }, { { 0xe4, 0x80 } }, { { 0xee } } };
	unsigned int i, iopl;

	for (i = 0; i < ARRAY_SIZE(insns); i++) {
		for (iopl = 0; iopl < 4; iopl++) {
			start(true);
			cpu->iopl = iopl;
			put_code(insns[i].bytes, 2);
			ASSERT_EQ(LG_RUN, lg_emulate(cpu, LG_TRAP_GP, 0));
			ASSERT_EQ(iopl == 3 ? -1 : LG_TRAP_GP, trapped());
		}
	}
}

TEST(the_io_map_of_the_tss)
{
	static const struct { u16 port, base; u8 size_code; u32 limit; bool allowed; } cases[] = {
		{ 0x10, 0x68, 0xec, 0x200, true },	/* in %dx, %al */
		{ 0x11, 0x68, 0xec, 0x200, false },
		{ 0x10, 0x68, 0xed, 0x200, false },	/* in %dx, %eax: one of four is forbidden */
		{ 0x18, 0x68, 0xed, 0x200, true },
		/* The last one of a byte, and three of the next: two bytes count. */
		{ 0x1f, 0x68, 0xed, 0x200, true },
		{ 0x18, 0x68, 0xec, 0x68 + 4, true },
		{ 0x18, 0x68, 0xec, 0x68 + 3, false },	/* the second byte is outside */
		{ 0x18, 0xffff, 0xec, 0x200, false },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		start(true);
		lg_segment_set(cpu, 29, cases[i].limit | (u64)TSS_AT << 16 | (u64)LG_TYPE_TSS32 << 40 | LG_DESC_PRESENT);
		ASSERT_EQ(0, lg_seg_load_tr(cpu, 29 * 8));
		model_write32(&m, TSS_AT + 4, ENTRY_STACK);
		model_write32(&m, TSS_AT + 8, MODEL_KERNEL_DS);
		memcpy(m.memory + TSS_AT + 0x66, &cases[i].base, 2);
		m.memory[TSS_AT + 0x68 + 0x11 / 8] = 1 << (0x11 % 8);
		regs->dx = cases[i].port;
		put_code(&cases[i].size_code, 1);
		ASSERT_EQ(LG_RUN, lg_emulate(cpu, LG_TRAP_GP, 0));
		ASSERT_EQ(cases[i].allowed ? -1 : LG_TRAP_GP, trapped()) TH_LOG("case %u", i);
	}
}

/* ---- Registers ---- */

TEST(cr0)
{
	start(false);
	cpu->no_fpu = LG_CR0_TS;
	at_kernel("\x0f\x20\xc0", 3);
	ASSERT_EQ(cpu->paging.cr0 | LG_CR0_TS, regs->ax);
	at_kernel("\x0f\x06", 2);
	ASSERT_EQ(0, cpu->no_fpu);
	/* TS alone is nothing of paging's. */
	regs->ax |= LG_CR0_TS;
	at_kernel("\x0f\x22\xc0", 3);
	ASSERT_EQ(LG_CR0_TS, cpu->no_fpu);
	ASSERT_EQ(0, m.modes);
	regs->ax &= ~(LG_CR0_TS | LG_CR0_WP);
	at_kernel("\x0f\x22\xc0", 3);
	ASSERT_EQ(1, m.modes);
	ASSERT_EQ(0, cpu->no_fpu);
	/* LMSW sets and clears MP, EM and TS, and cannot clear PE. */
	regs->cx = LG_CR0_EM;
	at_kernel("\x0f\x01\xf1", 3);
	ASSERT_EQ(LG_CR0_PE | LG_CR0_EM, lg_guest_cr0(cpu) & 0xf);
	/* PG without PE, NW without CD. */
	start(false);
	regs->ax = LG_CR0_PG;
	at_kernel("\x0f\x22\xc0", 3);
	ASSERT_EQ(LG_TRAP_GP, trapped());
	start(false);
	regs->ax = LG_CR0_PE | LG_CR0_PG | LG_CR0_NW;
	at_kernel("\x0f\x22\xc0", 3);
	ASSERT_EQ(LG_TRAP_GP, trapped());
	/* Real mode. */
	start(false);
	regs->ax = LG_CR0_ET;
	at_kernel("\x0f\x22\xc0", 3);
	ASSERT_NE(NULL, strstr(m.sentence, "real mode"));
}

TEST(cr2_cr3_cr4)
{
	start(false);
	cpu->cr2 = 0x11223344;
	at_kernel("\x0f\x20\xd3", 3);
	ASSERT_EQ(0x11223344, regs->bx);
	regs->bx = 0x55667000;
	at_kernel("\x0f\x22\xdb", 3);
	ASSERT_EQ(0x55667000, cpu->paging.cr3);
	ASSERT_EQ(1, m.loads_cr3);
	regs->bx = 0x30;
	at_kernel("\x0f\x22\xe3", 3);
	ASSERT_EQ(0x30, cpu->paging.cr4);
	/* A page-directory-pointer table that is refused, and a reserved bit. */
	regs->bx = 1;
	at_kernel("\x0f\x22\xdb", 3);
	ASSERT_EQ(LG_TRAP_GP, trapped());
	start(false);
	regs->bx = 1u << 13;
	at_kernel("\x0f\x22\xe3", 3);
	ASSERT_EQ(LG_TRAP_GP, trapped());
	ASSERT_EQ(0, m.modes);
}

TEST(invlpg_names_a_linear_address)
{
	start(false);
	lg_segment_set(cpu, 20, MODEL_DATA32 | 0x30000ull << 16);
	lg_seg_put(cpu, LG_SREG_FS, 20 * 8);
	regs->bx = 0x5678;
	at_kernel("\x64\x0f\x01\x3b", 4);
	ASSERT_EQ(1, m.flushes);
	ASSERT_EQ(0x35678, m.flushed);
}

TEST(debug_registers)
{
	start(false);
	regs->ax = U32_MAX;
	at_kernel("\x0f\x23\xf0", 3);
	at_kernel("\x0f\x21\xf1", 3);
	ASSERT_EQ(0xffffefff, regs->cx);
	at_kernel("\x0f\x21\xe2", 3);
	ASSERT_EQ(regs->cx, regs->dx);
	at_kernel("\x0f\x21\xf9", 3);
	ASSERT_EQ(0x400, regs->cx);
	cpu->paging.cr4 = LG_CR4_DE;
	at_kernel("\x0f\x21\xe2", 3);
	ASSERT_EQ(LG_TRAP_UD, trapped());
}

TEST(msrs)
{
	static const struct { u32 msr; u64 value; } values[] = {
		{ 0x174, 0x60 }, { 0x175, 0xc0001000 }, { 0x176, 0xc0002000 }, { 0x277, 0x0606060606060606 },
	};
	static const u32 none[] = { 0xfe, 0x2ff, 0xc0010010 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		start(false);
		regs->cx = values[i].msr;
		regs->ax = (u32)values[i].value;
		regs->dx = values[i].value >> 32;
		at_kernel("\x0f\x30", 2);
		regs->ax = 0;
		regs->dx = 0;
		at_kernel("\x0f\x32", 2);
		ASSERT_EQ(-1, trapped());
		ASSERT_EQ(values[i].value, regs->dx << 32 | regs->ax);
	}
	/* MTRRs: none, whatever CPUID says; and AMD's SYSCFG, where a Linux looks for more of them. */
	for (i = 0; i < ARRAY_SIZE(none); i++) {
		start(false);
		regs->cx = none[i];
		regs->ax = 0x80000;
		at_kernel("\x0f\x30", 2);
		at_kernel("\x0f\x32", 2);
		ASSERT_EQ(-1, trapped());
		ASSERT_EQ(0, regs->dx << 32 | regs->ax);
	}
	start(false);
	regs->cx = 0x10;
	at_kernel("\x0f\x32", 2);
	ASSERT_EQ(0x9abcdef0, regs->ax);
	ASSERT_EQ(0x12345678, regs->dx);
	/* EFER: NXE and SCE; nothing else. */
	start(false);
	regs->cx = 0xc0000080;
	regs->ax = LG_EFER_NXE;
	at_kernel("\x0f\x30", 2);
	ASSERT_EQ(LG_EFER_NXE, cpu->paging.efer);
	regs->ax |= LG_EFER_LME;
	at_kernel("\x0f\x30", 2);
	ASSERT_EQ(LG_TRAP_GP, trapped());
	/* No APIC can be switched on. */
	start(false);
	regs->cx = 0x1b;
	at_kernel("\x0f\x32", 2);
	ASSERT_EQ(0, regs->ax & 0xc00);
	regs->ax |= 0x800;
	at_kernel("\x0f\x30", 2);
	ASSERT_EQ(LG_TRAP_GP, trapped());
}

TEST(table_registers)
{
	start(false);
	memcpy(m.memory + DATA, "\xff\x07\x78\x56\x34\x12", 6);
	at_kernel("\x0f\x01\x1d\x00\xa0\x00\x00", 7);
	ASSERT_TRUE(cpu->idt_in_memory);
	ASSERT_EQ(0x12345678, cpu->idt_base);
	ASSERT_EQ(0x7ff, cpu->idt_limit);
	at_kernel("\x0f\x01\x0d\x10\xa0\x00\x00", 7);
	ASSERT_EQ(0, memcmp(m.memory + DATA, m.memory + DATA + 16, 6));
	/* Gates by hypercall change the table, not the register. */
	cpu->idt_in_memory = false;
	at_kernel("\x0f\x01\x0d\x20\xa0\x00\x00", 7);
	ASSERT_EQ(0, memcmp(m.memory + DATA, m.memory + DATA + 32, 6));
	/* 16-bit operands: 24 bits of base. */
	at_kernel("\x66\x0f\x01\x1d\x00\xa0\x00\x00", 8);
	ASSERT_EQ(0x345678, cpu->idt_base);
	/* SGDT of half a page: nothing is written. */
	start(false);
	model_set_page(&m, DATA + 0x1000, false, false, false);
	frame->sp = OTHER_STACK;
	memset(m.memory + DATA + 0xffc, 0x77, 4);
	at_kernel("\x0f\x01\x05\xfc\xaf\x00\x00", 7);
	ASSERT_EQ(LG_TRAP_PF, trapped());
	ASSERT_EQ(DATA + 0x1000, cpu->cr2);
	ASSERT_EQ(0x77777777, model_read32(&m, DATA + 0xffc));
}

/* ---- Fetching ---- */

TEST(instructions_that_cross_pages)
{
	static const u8 mov_cr3[] = { 0x0f, 0x20, 0xd8 };
	unsigned int at;

	/*
	 * Wherever the border is; the page behind it is not there if nothing of the instruction is
	 * on it.
	 */
	for (at = 0; at <= 3; at++) {
		u32 ip = CODE + 0x1000 - at;

		start(false);
		cpu->paging.cr3 = 0x77000;
		memcpy(m.memory + ip, mov_cr3, 3);
		frame->ip = ip;
		if (at == 3)
			model_set_page(&m, CODE + 0x1000, false, false, false);
		lg_emulate(cpu, LG_TRAP_GP, 0);
		ASSERT_EQ(ip + 3, frame->ip);
		ASSERT_EQ(0x77000, regs->ax);
		if (at == 0 || at == 3)
			continue;
		/*
		 * The other half is missing: a page fault of a fetch there, at the instruction's
		 * address.
		 */
		start(false);
		memcpy(m.memory + ip, mov_cr3, 3);
		frame->ip = ip;
		model_set_page(&m, CODE + 0x1000, false, false, false);
		lg_emulate(cpu, LG_TRAP_GP, 0);
		ASSERT_EQ(LG_TRAP_PF, trapped());
		ASSERT_EQ(CODE + 0x1000, cpu->cr2);
		ASSERT_EQ(ip, stacked(1));
	}
}

TEST(instructions_at_the_end_of_their_segment)
{
	/* CS ends inside the instruction: #GP(0); behind it: fine. */
	start(false);
	lg_segment_set(cpu, 20, (0x0040930000000000ull | LG_DESC_CODE) | (CODE + 1));
	lg_seg_put(cpu, LG_SREG_CS, 20 * 8);
	put_code("\x0f\x20\xd8", 3);
	lg_emulate(cpu, LG_TRAP_GP, 0);
	ASSERT_EQ(LG_TRAP_GP, trapped());
	start(false);
	lg_segment_set(cpu, 20, (0x0040930000000000ull | LG_DESC_CODE) | (CODE + 2));
	lg_seg_put(cpu, LG_SREG_CS, 20 * 8);
	cpu->paging.cr3 = 0x77000;
	put_code("\x0f\x20\xd8", 3);
	lg_emulate(cpu, LG_TRAP_GP, 0);
	ASSERT_EQ(0x77000, regs->ax);
	/* Execute-only code is fetched. */
	start(false);
	lg_segment_set(cpu, 20, MODEL_CODE32 & ~LG_DESC_WRITABLE);
	lg_seg_put(cpu, LG_SREG_CS, 20 * 8);
	put_code("\xfa", 1);
	lg_emulate(cpu, LG_TRAP_GP, 0);
	ASSERT_EQ(CODE + 1, frame->ip);
}

TEST(fifteen_bytes_are_the_most)
{
	u8 bytes[16];
	unsigned int len;

	for (len = 13; len <= 16; len++) {
		start(false);
		cpu->virtual_if = true;
		memset(bytes, 0x3e, sizeof(bytes));
		bytes[len - 1] = 0xfa;
		put_code(bytes, len);
		lg_emulate(cpu, LG_TRAP_GP, 0);
		if (len <= 15) {
			ASSERT_EQ(CODE + len, frame->ip);
			ASSERT_FALSE(cpu->virtual_if);
		} else {
			ASSERT_EQ(LG_TRAP_GP, trapped());
		}
	}
}

TEST(user_level_fetches_with_its_own_rights)
{
	start(true);
	cpu->iopl = 3;
	put_code("\xfa", 1);
	model_set_page(&m, CODE, true, true, false);
	lg_emulate(cpu, LG_TRAP_GP, 0);
	ASSERT_EQ(LG_TRAP_PF, trapped());
	ASSERT_EQ(LG_PF_PRESENT | LG_PF_USER, stacked(0) & ~LG_PF_FETCH);
}

/* The bytes change after each look: what was fetched is done, or nothing. */
static unsigned int looks;

static void change_code(struct model *model)
{
	model->memory[CODE] = ++looks % 2 ? 0xfa : 0xfb;
}

TEST(instructions_that_change_under_the_decoder)
{
	unsigned int i;

	for (i = 0; i < 10; i++) {
		start(false);
		looks = i;
		m.memory[CODE] = 0xf4;
		m.interfere = change_code;
		cpu->virtual_if = i % 3;
		ASSERT_EQ(LG_RUN, lg_emulate(cpu, LG_TRAP_GP, 0));
		ASSERT_FALSE(cpu->halted);
		ASSERT_EQ(CODE + 1, frame->ip);
		ASSERT_EQ((i + 1) % 2 ? false : true, cpu->virtual_if);
	}
}

/* ---- Addresses ---- */

TEST(addresses_of_16_bits)
{
	static const struct { u8 modrm; u8 disp[2]; u32 offset; bool stack; } cases[] = {
		{ 0x38, { 0 }, 0x1000 + 0x200 }, { 0x39, { 0 }, 0x1000 + 0x3000 },
		{ 0x3a, { 0 }, 0x4000 + 0x200, true }, { 0x3b, { 0 }, 0x4000 + 0x3000, true },
		{ 0x3c, { 0 }, 0x200 }, { 0x3d, { 0 }, 0x3000 },
		{ 0x3e, { 0x34, 0x12 }, 0x1234 }, { 0x3f, { 0 }, 0x1000 },
		{ 0x7e, { 0xff }, 0x4000 - 1, true }, { 0x7c, { 0x80 }, 0x200 - 0x80 },
		{ 0xbf, { 0xff, 0xff }, 0x1000 - 1 },
		/* It wraps at 64 KiB. */
		{ 0xbd, { 0x00, 0xf0 }, 0x2000 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u8 code[7] = { 0x67, 0x0f, 0x01, cases[i].modrm, cases[i].disp[0], cases[i].disp[1] };

		start(false);
		/* To tell segments apart: SS has another base. */
		lg_segment_set(cpu, 20, MODEL_DATA32 | 0x100000ull << 16);
		lg_seg_put(cpu, LG_SREG_SS, 20 * 8);
		regs->bx = 0x77771000;
		regs->bp = 0x77774000;
		regs->si = 0x77770200;
		regs->di = 0x77773000;
		put_code(code, sizeof(code));
		lg_emulate(cpu, LG_TRAP_GP, 0);
		ASSERT_EQ(cases[i].offset + (cases[i].stack ? 0x100000 : 0), m.flushed) TH_LOG("case %u", i);
	}
}

/* In a 16-bit code segment, sizes are the other way round. */
TEST(code_of_16_bits)
{
	start(false);
	lg_segment_set(cpu, 20, MODEL_CODE32 & ~LG_DESC_BIG);
	lg_seg_put(cpu, LG_SREG_CS, 20 * 8);
	regs->bx = 0x77771000;
	put_code("\x0f\x01\x3f", 3);
	lg_emulate(cpu, LG_TRAP_GP, 0);
	ASSERT_EQ(0x1000, m.flushed);
	ASSERT_EQ(CODE + 3, frame->ip);
	frame->ip = CODE;
	put_code("\x67\x0f\x01\x7b\x01", 5);
	lg_emulate(cpu, LG_TRAP_GP, 0);
	ASSERT_EQ(0x77771001, m.flushed);
	/* IP has 16 bits. */
	memcpy(m.memory + 0xffff, "\xfa", 1);
	frame->ip = 0xffff;
	lg_emulate(cpu, LG_TRAP_GP, 0);
	ASSERT_EQ(0, frame->ip);
}

/* ---- Single step ---- */

TEST(single_step_over_an_emulated_instruction)
{
	start(false);
	frame->flags |= LG_FLAGS_TF;
	put_code("\xfa", 1);
	ASSERT_EQ(LG_RUN, lg_emulate(cpu, LG_TRAP_GP, 0));
	ASSERT_EQ(LG_TRAP_DB, trapped());
	ASSERT_EQ(CODE + 1, stacked(0));
	ASSERT_EQ(LG_DR6_BS, cpu->dr[6]);
}

TEST_HARNESS_MAIN
