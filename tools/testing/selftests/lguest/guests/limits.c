// SPDX-License-Identifier: GPL-2.0
/*
 * Accesses up to the end of a segment and one byte beyond, for segments of every kind; accesses
 * that a segment's type forbids; jumps behind the end of the code; misaligned accesses with AC; SSE
 * errors. At user level as programs, at kernel level as functions.
 */
#include "user.h"

#define CODE		0x00400000u
#define STACK		0x00500000u
#define DATA		0x00600000u	/* a page, and the next one */

#define SEL_SMALL	(20 * 8 + 3)	/* data: 0x100 bytes at DATA */
#define SEL_DOWN	(21 * 8 + 3)	/* data from 0x1000 to 4 GiB, at DATA - 0x1000 */
#define SEL_DOWN16	(22 * 8 + 3)	/* the same, to 64 KiB */
#define SEL_READ_ONLY	(23 * 8 + 3)	/* data, flat */
#define SEL_SHORT_CODE	(24 * 8 + 3)	/* 0x40 bytes at CODE */
#define SEL_EXECUTE	(25 * 8 + 3)	/* flat, not to be read */

/* Byte-granular, 32-bit, DPL 3: 0x40 is B or D, 0xf2 data, 0xf6 expand-down data, 0xfa code. */
#define SEGMENT(base, limit, access, flags)						\
	((u64)((base) >> 24) << 56 | (u64)((flags) | (limit) >> 16) << 48 |		\
	 (u64)(access) << 40 | (u64)((base) & 0xffffff) << 16 | ((limit) & 0xffff))
#define BIG		0x40
#define PAGES		0x80

#define WORD(x)	(u8)(x), (u8)((x) >> 8)
#define LONG(x)	(u8)(x), (u8)((x) >> 8), (u8)((x) >> 16), (u8)((x) >> 24)

/* mov $SEL, %ax; mov %ax, %fs or %ss (6 bytes); far jump (7). */
#define FS(sel)		0x66, 0xb8, WORD(sel), 0x8e, 0xe0
#define SS(sel)		0x66, 0xb8, WORD(sel), 0x8e, 0xd0
#define JUMP(sel, to)	0xea, LONG(to), WORD(sel)
#define SYSCALL		0xcd, 0x80

#define VEC_DONE	0x80u

struct program {
	const char *what;
	u8 code[24];
	u32 vector;
	u32 ip;			/* where the frame points to, from the program's start */
	u32 sp;			/* at its start; 0: STACK */
	u32 flags, cs;		/* besides FLAGS_ONE and FLAGS_IF; 0: USER_CS in the frame */
};

static const struct program programs[] = {
	/* mov %fs:N, %eax: 6 bytes at 6. */
	{ "last word", { FS(SEL_SMALL), 0x64, 0xa1, LONG(0xfc), SYSCALL }, VEC_DONE, 14 },
	{ "a byte beyond", { FS(SEL_SMALL), 0x64, 0xa1, LONG(0xfd), SYSCALL }, VEC_GP, 6 },
	{ "far beyond", { FS(SEL_SMALL), 0x64, 0xa1, LONG(0x10000), SYSCALL }, VEC_GP, 6 },
	{ "around 4 GiB", { FS(SEL_SMALL), 0x64, 0xa1, LONG(0xfffffffe), SYSCALL }, VEC_GP, 6 },
	{ "write of the last", { FS(SEL_SMALL), 0x64, 0xa3, LONG(0xfc), SYSCALL }, VEC_DONE, 14 },
	{ "write beyond", { FS(SEL_SMALL), 0x64, 0xa3, LONG(0xfd), SYSCALL }, VEC_GP, 6 },
	{ "byte at the end", { FS(SEL_SMALL), 0x64, 0xa0, LONG(0xff), SYSCALL }, VEC_DONE, 14 },
	{ "byte behind it", { FS(SEL_SMALL), 0x64, 0xa0, LONG(0x100), SYSCALL }, VEC_GP, 6 },
	{ "down: first", { FS(SEL_DOWN), 0x64, 0xa1, LONG(0x1000), SYSCALL }, VEC_DONE, 14 },
	{ "down: before it", { FS(SEL_DOWN), 0x64, 0xa1, LONG(0xfff), SYSCALL }, VEC_GP, 6 },
	{ "down: 64 KiB are no end", { FS(SEL_DOWN), 0x64, 0xa1, LONG(0x11000), SYSCALL }, VEC_DONE, 14 },
	{ "down, 16 bits: first", { FS(SEL_DOWN16), 0x64, 0xa1, LONG(0x1000), SYSCALL }, VEC_DONE, 14 },
	{ "down, 16 bits: behind 64 KiB", { FS(SEL_DOWN16), 0x64, 0xa1, LONG(0xfffd), SYSCALL }, VEC_GP, 6 },
	{ "null", { FS(0), 0x64, 0xa1, LONG(DATA), SYSCALL }, VEC_GP, 6 },
	/* Types. */
	{ "read of read-only", { FS(SEL_READ_ONLY), 0x64, 0xa1, LONG(DATA), SYSCALL }, VEC_DONE, 14 },
	{ "write to read-only", { FS(SEL_READ_ONLY), 0x64, 0xa3, LONG(DATA), SYSCALL }, VEC_GP, 6 },
	{ "write to code", { 0x2e, 0xa3, LONG(DATA), SYSCALL }, VEC_GP, 0 },
	{ "read of code", { 0x2e, 0xa1, LONG(DATA), SYSCALL }, VEC_DONE, 8 },
	{ "read of execute-only code", { JUMP(SEL_EXECUTE, CODE + 7), 0x2e, 0xa1, LONG(CODE), SYSCALL },
	  VEC_GP, 7, 0, 0, SEL_EXECUTE },
	/* The stack: pushes are #SS. */
	{ "push of the first", { SS(SEL_SMALL), 0x50, SYSCALL }, VEC_DONE, 9, 4 },
	{ "push around the end", { SS(SEL_SMALL), 0x50, SYSCALL }, VEC_SS, 6, 2 },
	{ "push behind the end", { SS(SEL_SMALL), 0x50, SYSCALL }, VEC_SS, 6, 0x101 + 4 },
	{ "pop of the last", { SS(SEL_SMALL), 0x58, SYSCALL }, VEC_DONE, 9, 0xfc },
	{ "pop beyond", { SS(SEL_SMALL), 0x58, SYSCALL }, VEC_SS, 6, 0xfe },
	{ "call", { SS(SEL_SMALL), 0xe8, LONG(0), SYSCALL }, VEC_SS, 6, 2 },
	{ "pusha half of which has room", { SS(SEL_SMALL), 0x60, SYSCALL }, VEC_SS, 6, 16 },
	{ "read by EBP", { SS(SEL_SMALL), 0xbd, LONG(0xfe), 0x8b, 0x45, 0, SYSCALL }, VEC_SS, 11, 0x80 },
	{ "read by ESP", { SS(SEL_SMALL), 0x8b, 0x84, 0x24, LONG(0x7d), SYSCALL }, VEC_SS, 6, 0x80 },
	/* Code. */
	{ "jump inside", { JUMP(SEL_SHORT_CODE, 7), SYSCALL }, VEC_DONE, 9, 0, 0, SEL_SHORT_CODE },
	{ "far jump beyond", { JUMP(SEL_SHORT_CODE, 0x40), SYSCALL }, VEC_GP, 0 },
	{ "near jump beyond", { JUMP(SEL_SHORT_CODE, 7), 0xe9, LONG(0x40), SYSCALL }, VEC_GP, 7, 0, 0,
	  SEL_SHORT_CODE },
	{ "jump to the last byte, which is not all", { JUMP(SEL_SHORT_CODE, 0x3f) }, VEC_GP, 0x3f, 0, 0,
	  SEL_SHORT_CODE },
	{ "return beyond", { JUMP(SEL_SHORT_CODE, 7), 0x68, LONG(0x1000), 0xc3 }, VEC_GP, 12, 0, 0,
	  SEL_SHORT_CODE },
	/* IN, which the Host carries out, in the last two bytes: the next fetch is beyond. */
	{ "on behind the end", { JUMP(SEL_SHORT_CODE, 0x3e) }, VEC_GP, 0x40, 0, FLAGS_IOPL,
	  SEL_SHORT_CODE },
	/* Sixteen bytes are none. */
	{ "too long", { 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e,
			0x3e, 0x90, SYSCALL }, VEC_GP, 0 },
	/* Alignment: CR0.AM is set. */
	{ "aligned", { 0xa1, LONG(DATA + 4), SYSCALL }, VEC_DONE, 7, 0, FLAGS_AC },
	{ "a byte", { 0xa0, LONG(DATA + 1), SYSCALL }, VEC_DONE, 7, 0, FLAGS_AC },
	{ "misaligned", { 0xa1, LONG(DATA + 1), SYSCALL }, VEC_AC, 0, 0, FLAGS_AC },
	{ "misaligned write", { 0xa3, LONG(DATA + 2), SYSCALL }, VEC_AC, 0, 0, FLAGS_AC },
	{ "misaligned, two bytes", { 0x66, 0xa1, LONG(DATA + 1), SYSCALL }, VEC_AC, 0, 0, FLAGS_AC },
	{ "misaligned push", { 0x50, SYSCALL }, VEC_AC, 0, STACK - 2, FLAGS_AC },
	{ "misaligned without AC", { 0xa1, LONG(DATA + 1), SYSCALL }, VEC_DONE, 7 },
	/* ldmxcsr; divss by zero, where that is unmasked and where it is not. */
	{ "SSE error", { 0x0f, 0xae, 0x15, LONG(DATA + 0x200), 0x0f, 0x57, 0xc0, 0xf3, 0x0f, 0x5e, 0xc8,
			 SYSCALL }, VEC_XM, 10 },
	{ "masked SSE error", { 0x0f, 0xae, 0x15, LONG(DATA + 0x204), 0x0f, 0x57, 0xc0, 0xf3, 0x0f, 0x5e,
				0xc8, SYSCALL }, VEC_DONE, 16 },
};

#define MXCSR_DEFAULT	0x1f80u
#define MXCSR_IM	0x80u		/* masks invalid operations */
#define MXCSR_ZM	0x200u		/* and divisions by zero */
#define CR0_AM		0x40000u
#define CR4_OSFXSR	0x200u
#define CR4_OSXMMEXCPT	0x400u

static u32 pgdir;
static u8 *code;
static u32 *data;

static void set_descriptor(u32 sel, u64 desc)
{
	hypercall(LHCALL_LOAD_GDT_ENTRY, sel / 8, (u32)desc, desc >> 32, 0);
}

static void run(const struct program *p)
{
	u32 start = CODE, cs = p->cs ?: USER_CS;
	struct trap trap;

	memcpy(code, p->code, sizeof(p->code));
	/*
	 * The bytes at the end of SEL_SHORT_CODE: IN from a port; the second one of it is an
	 * instruction that goes on behind the end.
	 */
	code[0x3e] = 0xe4;
	code[0x3f] = 0xb8;
	data[0x200 / 4] = MXCSR_DEFAULT & ~(MXCSR_IM | MXCSR_ZM);
	data[0x204 / 4] = MXCSR_DEFAULT;
	guest_try_user(start, p->sp ?: STACK, FLAGS_ONE | FLAGS_IF | p->flags, 0, &trap);

	/* In SEL_SHORT_CODE, CODE is 0. */
	if (cs == SEL_SHORT_CODE)
		start = 0;
	if (trap.vector != p->vector || trap.error || trap.ip != start + p->ip || trap.cs != cs)
		GUEST_FAIL("%s: vector %u error 0x%x cs 0x%x ip 0x%x", p->what, trap.vector, trap.error,
			   trap.cs, trap.ip);
	if (p->flags & FLAGS_AC)
		GUEST_ASSERT_EQ(FLAGS_AC, trap.flags & FLAGS_AC);
}

/* ---- At kernel level ---- */

#define KERNEL_LIMITED	(26 * 8 + 1)	/* 0x100 bytes at DATA, DPL 1 */

static void load_limited(void)
{
	asm volatile("movl %0, %%fs" : : "r" (KERNEL_LIMITED));
}

static void kernel_read(u32 offset)
{
	load_limited();
	asm volatile("movl %%fs:(%0), %%eax" : : "r" (offset) : "eax");
}

static void kernel_write(u32 offset)
{
	load_limited();
	asm volatile("movl %%eax, %%fs:(%0)" : : "r" (offset));
}

static void kernel_misaligned(u32 unused)
{
	asm volatile("pushfl; orl %1, (%%esp); popfl; movl 1(%0), %%eax\n"
		     "pushfl; andl %2, (%%esp); popfl"
		     : : "r" (data), "i" (FLAGS_AC), "i" (~FLAGS_AC) : "eax", "cc", "memory");
}

/* An instruction that the Host carries out: it looks at limits itself. */
static void kernel_lmsw(u32 offset)
{
	load_limited();
	asm volatile("lmsw %%fs:(%0)" : : "r" (offset));
}

static void at_kernel_level(void)
{
	static const struct {
		void (*function)(u32);
		u32 argument, vector;
	} tries[] = {
		{ kernel_read, 0xfc, NO_TRAP }, { kernel_read, 0xfd, VEC_GP },
		{ kernel_write, 0xfc, NO_TRAP }, { kernel_write, 0xfd, VEC_GP },
		{ kernel_lmsw, 0xfe, NO_TRAP }, { kernel_lmsw, 0xff, VEC_GP },
		{ kernel_misaligned, 0, NO_TRAP },
	};
	struct trap trap;
	u32 i;

	/* LMSW finds there what CR0 has. */
	*(u16 *)((u8 *)data + 0xfe) = read_cr0();
	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		guest_try(tries[i].function, tries[i].argument, &trap);
		if (trap.vector != tries[i].vector || (trap.vector != NO_TRAP && trap.error))
			GUEST_FAIL("kernel level, %u: vector %u error 0x%x", i, trap.vector, trap.error);
	}
}

void guest_main(void)
{
	u32 i;

	pgdir = user_pgdir();
	code = va(guest_alloc(1, PAGE_SIZE));
	data = va(guest_alloc(18, PAGE_SIZE));
	guest_map(va(pgdir), CODE, pa(code) | PTE_ALL);
	guest_map(va(pgdir), STACK - PAGE_SIZE, guest_alloc(1, PAGE_SIZE) | PTE_ALL);
	for (i = 0; i < 18; i++)
		guest_map(va(pgdir), DATA + i * PAGE_SIZE, (pa(data) + i * PAGE_SIZE) | PTE_ALL);
	user_load_pgdir(pgdir);

	set_descriptor(SEL_SMALL, SEGMENT(DATA, 0xffu, 0xf2, BIG));
	set_descriptor(SEL_DOWN, SEGMENT(DATA - 0x1000, 0xfffu, 0xf6, BIG));
	set_descriptor(SEL_DOWN16, SEGMENT(DATA - 0x1000, 0xfffu, 0xf6, 0));
	set_descriptor(SEL_READ_ONLY, SEGMENT(0u, 0xfffffu, 0xf0, BIG | PAGES));
	set_descriptor(SEL_SHORT_CODE, SEGMENT(CODE, 0x3fu, 0xfa, BIG));
	set_descriptor(SEL_EXECUTE, SEGMENT(0u, 0xfffffu, 0xf8, BIG | PAGES));
	set_descriptor(KERNEL_LIMITED, SEGMENT(DATA, 0xffu, 0xb2, BIG));
	write_cr0(read_cr0() | CR0_AM);
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
	lguest_data.irq_enabled = LGUEST_IF;

	for (i = 0; i < ARRAY_SIZE(programs); i++)
		run(&programs[i]);
	/* AC means nothing unless the kernel wants it. */
	write_cr0(read_cr0() & ~CR0_AM);
	at_kernel_level();
}
