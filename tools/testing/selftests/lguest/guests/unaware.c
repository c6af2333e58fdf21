// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel that does all of it as on a PC, by instructions that trap: a GDT with selectors of level
 * 0, an IDT and a TSS in its memory; CLI, STI, HLT and IRET; control registers and INVLPG;
 * SYSENTER; an LDT. No hypercall but those that talk to the test, whose way back from user level is
 * an IRET like any other.
 */
#include "user.h"

#define CPUID_7_ECX_UMIP	0x4u
#define NEW_CS		(2 * 8)
#define NEW_DS		(3 * 8)
#define FAST_CS		(12 * 8)	/* what SYSENTER wants: four in a row */
#define TSS_SEL		(6 * 8)
#define LDT_SEL		(7 * 8)
#define TLS_SEL		(8 * 8 + 3)
#define LATE_SEL	(9 * 8)		/* written after LGDT */

#define FLAT_CODE	0x00cf9a000000ffffull	/* not accessed: the processor would set that */
#define FLAT_DATA	0x00cf92000000ffffull
#define DPL3		0x0000600000000000ull

struct table_register {
	u16 limit;
	u32 base;
} __attribute__((packed));

static u64 gdt[16] = {
	[NEW_CS / 8] = FLAT_CODE, [NEW_DS / 8] = FLAT_DATA,
	/* What entry.S loads into DS and ES; nothing where CS is until now. */
	[KERNEL_DS / 8] = FLAT_DATA,
	[USER_CS / 8] = FLAT_CODE | DPL3, [USER_DS / 8] = FLAT_DATA | DPL3,
};

static u64 idt[256];
static u64 ldt[4];
static u32 tss[26];
static u8 kernel_stack[4096] __attribute__((aligned(16)));

static u64 system_descriptor(u32 type, const void *base, u32 limit)
{
	u32 at = (u32)base;

	return (limit & 0xffff) | (u64)(at & 0xffffff) << 16 | (u64)(0x80 | type) << 40 | (u64)(at >> 24) << 56;
}

static void set_idt_gate(u32 vector, u32 type, u32 dpl)
{
	u32 stub = (u32)trap_stubs + vector * 16;

	idt[vector] = (stub & 0xffff) | NEW_CS << 16 | (u64)(0x80 | dpl << 5 | type) << 40 | (u64)(stub >> 16) << 48;
}

/* ---- Tables and segments ---- */

/* Where the processor has no UMIP, these instructions do not trap, and show the Host's. */
static bool has_umip(void)
{
	u32 ax = 7, bx, cx = 0, dx;

	asm volatile("cpuid" : "+a" (ax), "=b" (bx), "+c" (cx), "=d" (dx));
	return cx & CPUID_7_ECX_UMIP;
}

static void look_at_tables(const struct table_register *gdtr, const struct table_register *idtr)
{
	struct table_register now;
	u16 tr;

	asm volatile("sgdt %0" : "=m" (now));
	GUEST_ASSERT_EQ(gdtr->limit, now.limit);
	GUEST_ASSERT_EQ(gdtr->base, now.base);
	asm volatile("sidt %0" : "=m" (now));
	GUEST_ASSERT_EQ(idtr->limit, now.limit);
	GUEST_ASSERT_EQ(idtr->base, now.base);
	asm volatile("str %0" : "=m" (tr));
	GUEST_ASSERT_EQ(TSS_SEL, tr);
}

static void load_tables(void)
{
	struct table_register gdtr = { sizeof(gdt) - 1, (u32)gdt }, idtr = { sizeof(idt) - 1, (u32)idt };
	u32 vector, sel;

	for (vector = 0; vector < 256; vector++)
		set_idt_gate(vector, vector >= 0x20 && vector < 0x40 ? 0xe : 0xf, vector == 0x80 || vector == 3 ? 3 : 0);
	gdt[TSS_SEL / 8] = system_descriptor(9, tss, sizeof(tss) - 1);
	gdt[LDT_SEL / 8] = system_descriptor(2, ldt, sizeof(ldt) - 1);
	gdt[TLS_SEL / 8] = FLAT_DATA | DPL3;
	tss[1] = (u32)(kernel_stack + sizeof(kernel_stack));
	tss[2] = NEW_DS;

	/*
	 * The old selectors name other entries now; they stay what they were until they are loaded.
	 */
	asm volatile("lgdt %0\n"
		     "movl %%ds:%1, %%eax\n"
		     "ljmp %2, $1f\n"
		     "1: movl %3, %%eax\n"
		     "movl %%eax, %%ss\n"
		     "movl %%eax, %%ds\n"
		     "movl %%eax, %%es\n"
		     "xorl %%eax, %%eax\n"
		     "movl %%eax, %%fs\n"
		     "movl %%eax, %%gs\n"
		     "lidt %4\n"
		     "ltr %%cx\n"
		     : : "m" (gdtr), "m" (gdtr), "i" (NEW_CS), "i" (NEW_DS), "m" (idtr), "c" (TSS_SEL) : "eax", "memory");

	if (has_umip())
		look_at_tables(&gdtr, &idtr);
	/* Busy now. */
	GUEST_ASSERT_EQ(0x8b, gdt[TSS_SEL / 8] >> 40 & 0xff);

	/* An entry that was not there, loaded as soon as it is written. */
	gdt[LATE_SEL / 8] = FLAT_DATA;
	asm volatile("movl %1, %%gs; movl %%gs, %0; movl %2, %%gs" : "=r" (sel) : "r" (LATE_SEL), "r" (0));
	GUEST_ASSERT_EQ(LATE_SEL, sel);
}

static void load_late(u32 sel)
{
	asm volatile("movl %0, %%fs" : : "r" (sel));
}

static void load_stack(u32 sel)
{
	asm volatile("movl %0, %%ss" : : "r" (sel));
}

static void far_calls(void)
{
	struct { u32 offset; u16 sel; } __attribute__((packed)) pointer = { 0, NEW_CS };
	u32 flags, result = 0;

	/* RETF to a selector of level 0, and to one that CS gave. */
	asm volatile("pushl %1; pushl $1f; lret; 1:\n"
		     "pushl %%cs; pushl $2f; lret; 2:\n"
		     "incl %0" : "+r" (result) : "i" (NEW_CS) : "memory");
	GUEST_ASSERT_EQ(1, result);
	asm volatile("movl $1f, %0; lcall *%0; jmp 2f; 1: incl %1; lret; 2:" : "+m" (pointer), "+r" (result) : : "memory");
	GUEST_ASSERT_EQ(2, result);
	asm volatile("movl $1f, %0; ljmp *%0; 1: incl %1" : "+m" (pointer), "+r" (result) : : "memory");
	GUEST_ASSERT_EQ(3, result);
	/* IRET with what PUSHF and PUSH CS give. */
	asm volatile("pushfl; pushl %%cs; pushl $1f; iret; 1: pushfl; popl %0" : "=r" (flags) : : "memory");
	GUEST_ASSERT_EQ(0, flags & (FLAGS_NT | FLAGS_VM | FLAGS_TF));
}

static void segments(void)
{
	struct trap trap;

	far_calls();
	gdt[LATE_SEL / 8] = 0;
	GUEST_ASSERT_EQ(VEC_GP, guest_try(load_late, 11 * 8, &trap));
	GUEST_ASSERT_EQ(11 * 8, trap.error);
	gdt[10] = FLAT_DATA & ~(1ull << 47);
	GUEST_ASSERT_EQ(VEC_NP, guest_try(load_late, 10 * 8, &trap));
	GUEST_ASSERT_EQ(10 * 8, trap.error);
	GUEST_ASSERT_EQ(VEC_SS, guest_try(load_stack, 10 * 8, &trap));
	GUEST_ASSERT_EQ(10 * 8, trap.error);
	GUEST_ASSERT_EQ(VEC_GP, guest_try(load_stack, NEW_CS, &trap));
	GUEST_ASSERT_EQ(NEW_CS, trap.error);
	GUEST_ASSERT_EQ(VEC_GP, guest_try(load_stack, 0, &trap));
	GUEST_ASSERT_EQ(0, trap.error);
	/* User code can be read at kernel level, and is no code there. */
	GUEST_ASSERT_EQ(NO_TRAP, guest_try(load_late, USER_CS, &trap));
	load_late(0);
}

/* ---- Flags and interrupts ---- */

static volatile u32 ticks;

static bool on_tick(struct trap_frame *frame)
{
	ticks++;
	GUEST_ASSERT_EQ(0, lguest_data.irq_enabled);
	return true;
}

/* Host's lines are the only devices; this is the one word that is paravirtual. */
static void raise_soon(void)
{
	hypercall(LHCALL_SET_CLOCKEVENT, 1, 0, 0, 0);
}

static void interrupts(void)
{
	u32 before, i;

	guest_handle(LGUEST_FIRST_IRQ_VECTOR, on_tick);
	lguest_data.blocked_interrupts = ~1u;

	asm volatile("cli");
	GUEST_ASSERT_EQ(0, lguest_data.irq_enabled);
	raise_soon();
	while (!lguest_data.irq_pending)
		asm volatile("cli" : : : "memory");
	GUEST_ASSERT_EQ(0, ticks);
	/* Not before the instruction after STI is done. */
	asm volatile("sti; movl %1, %0" : "=r" (before) : "m" (ticks) : "memory");
	GUEST_ASSERT_EQ(0, before);
	GUEST_ASSERT_EQ(1, ticks);
	GUEST_ASSERT_EQ(LGUEST_IF, lguest_data.irq_enabled);

	/*
	 * What came before the STI does not sleep in the HLT after it; what comes later wakes it.
	 */
	for (i = 0; i < 20; i++) {
		asm volatile("cli");
		raise_soon();
		asm volatile("sti; hlt" : : : "memory");
		GUEST_ASSERT_EQ(2 + i, ticks);
	}
	asm volatile("cli");
}

/* ---- Control registers ---- */

static void write_cr4_bad(u32 value)
{
	write_cr4(value);
}

static void write_cr0_bad(u32 value)
{
	write_cr0(value);
}

static void use_fpu(u32 unused)
{
	asm volatile("fnop");
}

static void control_registers(void)
{
	u32 cr0 = read_cr0(), cr3 = read_cr3(), page = guest_alloc(2, PAGE_SIZE), address = 0x7f000000;
	struct trap trap;
	u16 msw;

	GUEST_ASSERT_EQ(CR0_PE | CR0_PG | CR0_WP, cr0 & (CR0_PE | CR0_PG | CR0_WP | CR0_TS));
	asm volatile("smsw %0" : "=r" (msw));
	if (has_umip())
		GUEST_ASSERT_EQ((u16)cr0, msw);
	write_cr0(cr0 | CR0_TS);
	GUEST_ASSERT_EQ(cr0 | CR0_TS, read_cr0());
	GUEST_ASSERT_EQ(VEC_NM, guest_try(use_fpu, 0, &trap));
	asm volatile("clts");
	GUEST_ASSERT_EQ(NO_TRAP, guest_try(use_fpu, 0, &trap));
	asm volatile("lmsw %0" : : "r" ((u16)(cr0 | 8)));
	GUEST_ASSERT_EQ(VEC_NM, guest_try(use_fpu, 0, &trap));
	write_cr0(cr0 | CR0_EM);
	GUEST_ASSERT_EQ(cr0 | CR0_EM, read_cr0());
	GUEST_ASSERT_EQ(VEC_NM, guest_try(use_fpu, 0, &trap));
	write_cr0(cr0);
	GUEST_ASSERT_EQ(NO_TRAP, guest_try(use_fpu, 0, &trap));
	GUEST_ASSERT_EQ(VEC_GP, guest_try(write_cr4_bad, 1u << 15, &trap));
	GUEST_ASSERT_EQ(VEC_GP, guest_try(write_cr0_bad, CR0_PG, &trap));

	/* The TLB is a TLB: INVLPG and CR3 make a new entry seen. */
	*(u32 *)va(page) = 1;
	*(u32 *)va(page + PAGE_SIZE) = 2;
	guest_map(lguest_pgdir, address, page | PTE_ALL);
	invlpg(address);
	GUEST_ASSERT_EQ(1, *(volatile u32 *)address);
	*guest_pte(lguest_pgdir, address) = (page + PAGE_SIZE) | PTE_ALL;
	invlpg(address);
	GUEST_ASSERT_EQ(2, *(volatile u32 *)address);
	*guest_pte(lguest_pgdir, address) = page | PTE_ALL;
	write_cr3(cr3);
	GUEST_ASSERT_EQ(1, *(volatile u32 *)address);
	*guest_pte(lguest_pgdir, address) = 0;
	write_cr3(cr3);
	GUEST_ASSERT_EQ(cr3, read_cr3());
}

static void debug_registers(void)
{
	u32 value;

	asm volatile("movl %0, %%dr0" : : "r" (0x12345678));
	asm volatile("movl %%dr0, %0" : "=r" (value));
	GUEST_ASSERT_EQ(0x12345678, value);
	asm volatile("movl %%dr7, %0" : "=r" (value));
	GUEST_ASSERT_EQ(0x400, value);
}

/* ---- User level ---- */

#define USER_PAGE	0x00400000u
#define USER_SP		0x00402000u

static u32 pgdir;
static u8 *user_page;

/* Runs code at user level; an IRET of our own. */
static u32 to_user(const void *program, u32 size, u32 ax, struct trap *trap)
{
	memcpy(user_page, program, size);
	return guest_try_user(USER_PAGE, USER_SP, FLAGS_ONE | FLAGS_IF, ax, trap);
}

static void user_level(void)
{
	static const u8 call[] = { 0xcd, 0x80 }, halt[] = { 0xf4 }, bad_int[] = { 0xcd, 0x21 };
	static const u8 load_tls[] = { 0x8e, 0xe8, 0x65, 0xa1, 0x10, 0, 0, 0, 0xcd, 0x80 };
	/* sidt on the stack, pop the limit: no CR4.UMIP, so it is allowed. */
	static const u8 sidt[] = { 0x83, 0xec, 0x08, 0x0f, 0x01, 0x0c, 0x24, 0x8b, 0x04, 0x24, 0xcd, 0x80 };
	struct trap trap;

	GUEST_ASSERT_EQ(0x80, to_user(call, sizeof(call), 0, &trap));
	GUEST_ASSERT_EQ(USER_CS, trap.cs);
	GUEST_ASSERT_EQ(USER_DS, trap.ss);
	GUEST_ASSERT_EQ(USER_SP, trap.sp);
	GUEST_ASSERT_EQ(VEC_GP, to_user(halt, sizeof(halt), 0, &trap));
	GUEST_ASSERT_EQ(0, trap.error);
	GUEST_ASSERT_EQ(VEC_GP, to_user(bad_int, sizeof(bad_int), 0, &trap));
	GUEST_ASSERT_EQ(0x21 * 8 + 2, trap.error);

	/* TLS by a store to the GDT, as Linux switches it: seen from user level on, each time. */
	((u32 *)user_page)[1023] = 0xcafe;
	gdt[TLS_SEL / 8] = FLAT_DATA | DPL3 | (u64)(USER_PAGE + 0xffc - 0x10) << 16;
	GUEST_ASSERT_EQ(0x80, to_user(load_tls, sizeof(load_tls), TLS_SEL, &trap));
	GUEST_ASSERT_EQ(0xcafe, trap.ax);
	((u32 *)user_page)[1022] = 0xbeef;
	gdt[TLS_SEL / 8] = FLAT_DATA | DPL3 | (u64)(USER_PAGE + 0xff8 - 0x10) << 16;
	GUEST_ASSERT_EQ(0x80, to_user(load_tls, sizeof(load_tls), TLS_SEL, &trap));
	GUEST_ASSERT_EQ(0xbeef, trap.ax);
	gdt[TLS_SEL / 8] = 0;
	GUEST_ASSERT_EQ(VEC_GP, to_user(load_tls, sizeof(load_tls), TLS_SEL, &trap));
	GUEST_ASSERT_EQ(TLS_SEL & ~3, trap.error);

	GUEST_ASSERT_EQ(0x80, to_user(sidt, sizeof(sidt), 0, &trap));
	if (has_umip())
		GUEST_ASSERT_EQ(sizeof(idt) - 1, trap.ax & 0xffff);

	/* IOPL 3 in the frame: CLI is the program's to use; POPF is, and does nothing to IF. */
	memcpy(user_page, "\xfa\xcd\x80", 3);
	GUEST_ASSERT_EQ(0x80, guest_try_user(USER_PAGE, USER_SP, FLAGS_ONE | FLAGS_IF | FLAGS_IOPL, 0, &trap));
	GUEST_ASSERT_EQ(FLAGS_IOPL, trap.flags & (FLAGS_IOPL | FLAGS_IF));
	asm volatile("cli");
}

/* ---- LDT ---- */

static void local_descriptors(void)
{
	/* ljmp 0x0f:USER_PAGE+16; there, mov %eax, %es; mov %es:0, %eax; int $0x80 */
	static u8 program[] = {
		0xea, 0x10, 0x00, 0x40, 0x00, 0x0f, 0x00, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
		0x8e, 0xc0, 0x26, 0xa1, 0x00, 0x00, 0x00, 0x00, 0xcd, 0x80,
	};
	struct trap trap;
	u16 sel;

	ldt[0] = 0;
	ldt[1] = FLAT_CODE | DPL3;
	ldt[2] = FLAT_DATA | DPL3 | (u64)(USER_PAGE + 0xff0) << 16;
	asm volatile("lldt %0" : : "r" ((u16)LDT_SEL));
	asm volatile("sldt %0" : "=m" (sel));
	if (has_umip())
		GUEST_ASSERT_EQ(LDT_SEL, sel);
	((u32 *)user_page)[1020] = 0x1d7;
	/* Its kernel is entered from code of an LDT, with data of it in ES. */
	GUEST_ASSERT_EQ(0x80, to_user(program, sizeof(program), 2 * 8 + 7, &trap));
	GUEST_ASSERT_EQ(0x1d7, trap.ax);
	GUEST_ASSERT_EQ(1 * 8 + 7, trap.cs);
	/* Changed in memory. */
	ldt[2] = FLAT_DATA | DPL3 | (u64)(USER_PAGE + 0xff4) << 16;
	((u32 *)user_page)[1021] = 0x1d8;
	GUEST_ASSERT_EQ(0x80, to_user(program, sizeof(program), 2 * 8 + 7, &trap));
	GUEST_ASSERT_EQ(0x1d8, trap.ax);
	/* Taken away. */
	asm volatile("lldt %0" : : "r" ((u16)0));
	GUEST_ASSERT_EQ(VEC_GP, to_user(program, sizeof(program), 2 * 8 + 7, &trap));
	GUEST_ASSERT_EQ(1 * 8 + 4, trap.error);
}

/* ---- SYSENTER ---- */

extern char sysenter_entry[];
asm("	.text\n"
    "sysenter_entry:\n"
    "	incl	sysenters\n"
    "	leal	1(%eax), %eax\n"
    "	sti\n"
    "	sysexit\n");
u32 sysenters;

static void sysenter(void)
{
	/* mov %esp, %ecx; mov $after, %edx; sysenter; after: int $0x80 */
	static const u8 program[] = {
		0x89, 0xe1, 0xba, 0x09, 0x00, 0x40, 0x00, 0x0f, 0x34, 0xcd, 0x80,
	};
	struct trap trap;

	gdt[FAST_CS / 8] = FLAT_CODE;
	wrmsr(0x174, FAST_CS);
	wrmsr(0x175, (u32)(kernel_stack + sizeof(kernel_stack)));
	wrmsr(0x176, (u32)sysenter_entry);
	GUEST_ASSERT_EQ(0x80, to_user(program, sizeof(program), 41, &trap));
	GUEST_ASSERT_EQ(42, trap.ax);
	GUEST_ASSERT_EQ(1, sysenters);
	GUEST_ASSERT_EQ(USER_SP, trap.sp);
	GUEST_ASSERT_EQ(USER_CS, trap.cs);
	GUEST_ASSERT_EQ(FLAGS_IF, trap.flags & FLAGS_IF);
	wrmsr(0x174, 0);
	GUEST_ASSERT_EQ(VEC_GP, to_user(program, sizeof(program), 41, &trap));
}

/* ---- MSRs ---- */

static void read_msr(u32 msr)
{
	rdmsr(msr);
}

static void msrs(void)
{
	struct trap trap;
	u64 before = rdmsr(0x10), after = rdtsc();

	GUEST_ASSERT(after >= before);
	wrmsr(0x277, 0x0007010600070106ull);
	GUEST_ASSERT_EQ(0x00070106, (u32)rdmsr(0x277));
	GUEST_ASSERT_EQ(VEC_GP, guest_try(read_msr, 0x12345, &trap));
}

void guest_main(void)
{
	load_tables();
	segments();
	interrupts();
	control_registers();
	debug_registers();
	msrs();

	pgdir = user_pgdir();
	user_page = va(guest_alloc(2, PAGE_SIZE));
	guest_map(va(pgdir), USER_PAGE, pa(user_page) | PTE_ALL);
	guest_map(va(pgdir), USER_PAGE + PAGE_SIZE, pa(user_page + PAGE_SIZE) | PTE_ALL);
	write_cr3(pgdir);
	user_level();
	local_descriptors();
	sysenter();
}
