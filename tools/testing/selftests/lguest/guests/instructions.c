// SPDX-License-Identifier: GPL-2.0
/*
 * What a kernel may do that a program may not, one instruction after the other at kernel level: that
 * each traps in ring 3, is done, and gives what a processor would. Those that change the machine for
 * good are in guests/unaware.c, devices in guests/devices.c.
 */
#include "guest.h"

#define CODE		0x00400000u
#define DATA		0x00401000u
#define ABSENT		0x00402000u	/* no page */

#define WORD(x)	(u8)(x), (u8)((x) >> 8)
#define LONG(x)	(u8)(x), (u8)((x) >> 8), (u8)((x) >> 16), (u8)((x) >> 24)
#define ANY	0xffffffffu
#define RET	0xc3

struct instruction {
	const char *what;
	u8 code[20];
	u32 vector, error;		/* NO_TRAP: it is done */
	u32 ax;				/* after it; ANY: never mind */
	u32 data;			/* what the word at DATA is after it, it was DATA_BEFORE; or ANY */
	bool umip;			/* without UMIP, ring 3 may do it, and sees the Host's */
};

#define DATA_BEFORE	0x5a5aa5a5u
/* PE, ET, NE, WP and PG: the state in which a Guest starts. */
#define CR0_START	0x80010031u

#define DONE(what, ax, ...)	{ what, { __VA_ARGS__, RET }, NO_TRAP, 0, ax, ANY }
#define STORES(what, data, ...)	{ what, { __VA_ARGS__, RET }, NO_TRAP, 0, ANY, data }
#define TRAPS(what, vector, error, ...) { what, { __VA_ARGS__, RET }, vector, error, ANY, ANY }
#define DONE_UMIP(what, ax, ...)	{ what, { __VA_ARGS__, RET }, NO_TRAP, 0, ax, ANY, true }
#define STORES_UMIP(what, data, ...)	{ what, { __VA_ARGS__, RET }, NO_TRAP, 0, ANY, data, true }

static const struct instruction instructions[] = {
	DONE("clts", ANY, 0x0f, 0x06),
	DONE("invd", ANY, 0x0f, 0x08),
	DONE("wbinvd", ANY, 0x0f, 0x09),
	DONE("wbnoinvd", ANY, 0xf3, 0x0f, 0x09),
	DONE("invlpg", ANY, 0x0f, 0x01, 0x3d, LONG(ABSENT)),
	DONE("monitor, mwait", ANY, 0xb8, LONG(DATA), 0x31, 0xc9, 0x31, 0xd2, 0x0f, 0x01, 0xc8, 0x31, 0xc0,
	     0x0f, 0x01, 0xc9),
	TRAPS("rdpmc", VEC_GP, 0, 0x31, 0xc9, 0x0f, 0x33),
	/* CR0 to CR4; there are no others. */
	DONE("mov %cr0, %eax", CR0_START, 0x0f, 0x20, 0xc0),
	DONE("mov %eax, %cr2; mov %cr2, %eax", 0x12345678, 0xb8, LONG(0x12345678), 0x0f, 0x22, 0xd0,
	     0x31, 0xc0, 0x0f, 0x20, 0xd0),
	DONE("mov %cr4, %eax", 0, 0x0f, 0x20, 0xe0),
	TRAPS("mov %cr1, %eax", VEC_UD, 0, 0x0f, 0x20, 0xc8),
	TRAPS("mov %eax, %cr5", VEC_UD, 0, 0x0f, 0x22, 0xe8),
	TRAPS("mov %eax, %cr7", VEC_UD, 0, 0x0f, 0x22, 0xf8),
	TRAPS("lock cli", VEC_UD, 0, 0xf0, 0xfa),
	DONE_UMIP("smsw %ax", (u16)CR0_START, 0x31, 0xc0, 0x66, 0x0f, 0x01, 0xe0),
	STORES_UMIP("smsw (mem)", (DATA_BEFORE & 0xffff0000) | (u16)CR0_START, 0x0f, 0x01, 0x25, LONG(DATA)),
	/* It can set PE, not clear it. */
	DONE_UMIP("lmsw 0; smsw %ax", (u16)CR0_START, 0x31, 0xc0, 0x0f, 0x01, 0xf0, 0x66, 0x0f, 0x01, 0xe0),
	DONE_UMIP("lmsw TS, MP; smsw %ax", (u16)CR0_START | 0xa, 0xb8, LONG(0xa), 0x0f, 0x01, 0xf0, 0x66, 0x0f, 0x01,
	     0xe0),
	DONE_UMIP("lmsw (mem); smsw %eax", CR0_START | 4, 0x66, 0xc7, 0x05, LONG(DATA), WORD(4), 0x0f, 0x01, 0x35,
	     LONG(DATA), 0x0f, 0x01, 0xe0),
	/* Debug registers; 4 and 5 are 6 and 7 unless CR4.DE is set. */
	DONE("dr0", 0x11223344, 0xb8, LONG(0x11223344), 0x0f, 0x23, 0xc0, 0x31, 0xc0, 0x0f, 0x21, 0xc0),
	DONE("dr3", 0xfffffff0, 0xb8, LONG(0xfffffff0), 0x0f, 0x23, 0xd8, 0x31, 0xc0, 0x0f, 0x21, 0xd8),
	DONE("dr6", 0xffff0ff0, 0x31, 0xc0, 0x0f, 0x23, 0xf0, 0x0f, 0x21, 0xf0),
	DONE("dr4", 0xffff0fff, 0xb8, LONG(0xffff0fff), 0x0f, 0x23, 0xf0, 0x31, 0xc0, 0x0f, 0x21, 0xe0),
	DONE("dr5", 0x400, 0x31, 0xc0, 0x0f, 0x23, 0xf8, 0x0f, 0x21, 0xe8),
	/* Tables: that of a Guest which has given none. */
	DONE_UMIP("str %ax", 0, 0x0f, 0x00, 0xc8),
	STORES_UMIP("str (mem)", DATA_BEFORE & 0xffff0000, 0x0f, 0x00, 0x0d, LONG(DATA)),
	DONE_UMIP("sldt %eax", 0, 0x0f, 0x00, 0xc0),
	STORES_UMIP("sgdt (mem)", 0, 0x0f, 0x01, 0x05, LONG(DATA)),
	STORES_UMIP("sidt (mem)", 0, 0x0f, 0x01, 0x0d, LONG(DATA)),
	DONE("lldt 0", ANY, 0x31, 0xc0, 0x0f, 0x00, 0xd0),
	TRAPS("lldt of code", VEC_GP, KERNEL_CS & ~3, 0xb8, LONG(KERNEL_CS), 0x0f, 0x00, 0xd0),
	TRAPS("ltr 0", VEC_GP, 0, 0x31, 0xc0, 0x0f, 0x00, 0xd8),
	TRAPS("ltr of data", VEC_GP, KERNEL_DS & ~3, 0xb8, LONG(KERNEL_DS), 0x0f, 0x00, 0xd8),
	TRAPS("lgdt of nothing", VEC_PF, 0, 0x0f, 0x01, 0x15, LONG(ABSENT)),
	TRAPS("lidt that ends in nothing", VEC_PF, 0, 0x0f, 0x01, 0x1d, LONG(ABSENT - 4)),
	TRAPS("sidt into nothing", VEC_PF, PF_WRITE, 0x0f, 0x01, 0x0d, LONG(ABSENT - 3)),
	/* MSRs. */
	DONE("rdmsr EFER", 0, 0xb9, LONG(0xc0000080), 0x0f, 0x32),
	TRAPS("rdmsr of none", VEC_GP, 0, 0xb9, LONG(0x12345), 0x0f, 0x32),
	TRAPS("wrmsr to none", VEC_GP, 0, 0xb9, LONG(0x12345), 0x0f, 0x30),
	TRAPS("xsetbv without CR4.OSXSAVE", VEC_UD, 0, 0x31, 0xc9, 0x31, 0xd2, 0xb8, LONG(1), 0x0f, 0x01, 0xd1),
	TRAPS("sysenter without its MSR", VEC_GP, 0, 0x0f, 0x34),
	TRAPS("sysexit without its MSR", VEC_GP, 0, 0x0f, 0x35),
	TRAPS("rsm", VEC_UD, 0, 0x0f, 0xaa),
	/* Interrupts by instruction: a kernel's own gates are open to it. */
	TRAPS("int $0x21", 0x21, 0, 0xcd, 0x21),
	TRAPS("int $0x21 after a prefix", 0x21, 0, 0x3e, 0xcd, 0x21),
	TRAPS("int $0x80", 0x80, 0, 0xcd, 0x80),
	/* Segments and far transfers. */
	TRAPS("mov %eax, %cs", VEC_UD, 0, 0x8e, 0xc8),
	TRAPS("null stack", VEC_GP, 0, 0x31, 0xc0, 0x8e, 0xd0),
	TRAPS("jump to the program's code", VEC_GP, USER_CS & ~3, 0xea, LONG(CODE), WORD(USER_CS)),
	TRAPS("call of null", VEC_GP, 0, 0x9a, LONG(CODE), WORD(0)),
	DONE("call of the kernel's code", 7, 0x9a, LONG(CODE + 8), WORD(KERNEL_CS), RET, /* CODE + 8: */ 0xb8, LONG(7),
	     0xcb),
	DONE("push %ss; pop %ss", ANY, 0x16, 0x17),
	DONE("lss", KERNEL_DS & ~3, 0x89, 0xe2, 0x8c, 0xd0, 0x50, 0x52, 0x0f, 0xb2, 0x24, 0x24, 0x8c, 0xd0, 0x83,
	     0xe0, 0xfc),
	/* Ports that nobody has. */
	DONE("in $0x80, %al", 0xff, 0x31, 0xc0, 0xe4, 0x80),
	DONE("in $0x80, %ax", 0x1234ffff, 0xb8, LONG(0x12340000), 0x66, 0xe5, 0x80),
	DONE("out %eax, %dx", ANY, 0xba, LONG(0x80), 0xef),
	STORES("insw", DATA_BEFORE | 0xffff, 0xba, LONG(0x80), 0xbf, LONG(DATA), 0x66, 0x6d),
	STORES("rep insb", DATA_BEFORE | 0xffffff, 0xba, LONG(0x80), 0xb9, LONG(3), 0xf3, 0x6c),
};

static u32 result;

static void call(u32 where)
{
	u32 ax, di = DATA;

	asm volatile("call *%2" : "=a" (ax), "+D" (di) : "r" (where) : "ecx", "edx", "memory", "cc");
	result = ax;
}

static void run(const struct instruction *i)
{
	struct trap trap;

	memcpy((void *)CODE, i->code, sizeof(i->code));
	*(volatile u32 *)DATA = DATA_BEFORE;
	guest_try(call, CODE, &trap);
	if (trap.vector != i->vector || (i->vector != NO_TRAP && trap.error != i->error))
		GUEST_FAIL("%s: vector %u error 0x%x ip 0x%x", i->what, trap.vector, trap.error, trap.ip);
	if (i->vector != NO_TRAP)
		return;
	if (i->ax != ANY && result != i->ax)
		GUEST_FAIL("%s: EAX 0x%x", i->what, result);
	if (i->data != ANY && *(volatile u32 *)DATA != i->data)
		GUEST_FAIL("%s: 0x%x in memory", i->what, *(volatile u32 *)DATA);
	/* As it was, whatever LMSW has made of it. */
	write_cr0(CR0_START);
}

static bool has_umip(void)
{
	u32 ax = 0, bx, cx = 0, dx;

	asm volatile("cpuid" : "+a" (ax), "=b" (bx), "+c" (cx), "=d" (dx));
	if (ax < 7)
		return false;
	ax = 7;
	cx = 0;
	asm volatile("cpuid" : "+a" (ax), "=b" (bx), "+c" (cx), "=d" (dx));
	return cx & 4;
}

void guest_main(void)
{
	bool umip = has_umip();
	u32 i;

	guest_map(lguest_pgdir, CODE, guest_alloc(1, PAGE_SIZE) | PTE_P | PTE_W);
	guest_map(lguest_pgdir, DATA, guest_alloc(1, PAGE_SIZE) | PTE_P | PTE_W);
	guest_map(lguest_pgdir, ABSENT, 0);
	guest_flush_all();
	for (i = 0; i < ARRAY_SIZE(instructions); i++)
		if (umip || !instructions[i].umip)
			run(&instructions[i]);
}
