// SPDX-License-Identifier: GPL-2.0
/*
 * Every exception that a program can make at user level, each with the frame that the SDM (vol. 3,
 * chapter 6) promises its kernel; what a program may not do, judged by its level; and a kernel that
 * makes signals of them: it sends the program to a handler of its own, which repairs what was wrong
 * and goes on.
 *
 * QEMU checks neither limits nor types of segments at an access, and has neither #AC nor #XM: those
 * are in limits.c.
 */
#include "user.h"

#define CODE		0x00400000u
#define STACK		0x00500000u
#define ABSENT		0x00600000u	/* no page */
#define READ_ONLY	0x00601000u
#define KERNEL_ONLY	0x00602000u

#define SEL_ABSENT_DATA	(20 * 8 + 3)
#define SEL_ABSENT_CODE	(21 * 8 + 3)
#define SEL_READ_ONLY	(22 * 8 + 3)
#define SEL_CODE_ONLY	(23 * 8 + 3)
#define SEL_EMPTY	(26 * 8 + 3)

#define ANY		0xffffffffu

struct program {
	const char *what;
	u8 code[16];
	u32 vector, error, cr2;		/* cr2: ANY if it is no page fault */
	u32 ip;				/* where the frame points to, from the program's start */
	u32 flags;			/* besides FLAGS_ONE and FLAGS_IF */
	u32 ts;				/* CR0.TS is set */
};

#define WORD(x)	(u8)(x), (u8)((x) >> 8)
#define LONG(x)	(u8)(x), (u8)((x) >> 8), (u8)((x) >> 16), (u8)((x) >> 24)

#define KERNEL_ADDRESS	(LGUEST_PAGE_OFFSET + 0x100000)

static const struct program programs[] = {
	{ "div", { 0x31, 0xc9, 0xf7, 0xf1 }, VEC_DE, 0, ANY, 2 },
	{ "idiv that overflows", { 0xb8, LONG(0x80000000), 0x99, 0x83, 0xc9, 0xff, 0xf7, 0xf9 }, VEC_DE, 0, ANY, 9 },
	{ "single step", { 0x90, 0x90 }, VEC_DB, 0, ANY, 1, FLAGS_TF },
	{ "single step of a long one", { 0xb8, LONG(0) }, VEC_DB, 0, ANY, 5, FLAGS_TF },
	{ "int3", { 0xcc }, VEC_BP, 0, ANY, 1 },
	{ "int $3", { 0xcd, 3 }, VEC_BP, 0, ANY, 2 },
	{ "into", { 0xb0, 0x7f, 0x04, 0x01, 0xce }, VEC_OF, 0, ANY, 5 },
	{ "int $4", { 0xcd, 4 }, VEC_OF, 0, ANY, 2 },
	{ "into without overflow", { 0xb0, 0x01, 0x04, 0x01, 0xce, 0xf4 }, VEC_GP, 0, ANY, 5 },
	{ "bound", { 0xb8, LONG(0x7fffffff), 0x62, 0x05, LONG(CODE + 0x100) }, VEC_BR, 0, ANY, 5 },
	{ "ud2", { 0x0f, 0x0b }, VEC_UD, 0, ANY, 0 },
	{ "lock nop", { 0xf0, 0x90 }, VEC_UD, 0, ANY, 0 },
	{ "fnop with TS", { 0xd9, 0xd0 }, VEC_NM, 0, ANY, 0, 0, 1 },
	{ "fwait after an error", { 0x9b }, VEC_MF, 0, ANY, 0 },
	/* Privileged. */
	{ "hlt", { 0xf4 }, VEC_GP, 0, ANY, 0 },
	{ "cli", { 0xfa }, VEC_GP, 0, ANY, 0 },
	{ "sti", { 0xfb }, VEC_GP, 0, ANY, 0 },
	{ "in", { 0xe4, 0x80 }, VEC_GP, 0, ANY, 0 },
	{ "outsb", { 0x6e }, VEC_GP, 0, ANY, 0 },
	{ "mov %cr0, %eax", { 0x0f, 0x20, 0xc0 }, VEC_GP, 0, ANY, 0 },
	{ "mov %eax, %cr3", { 0x0f, 0x22, 0xd8 }, VEC_GP, 0, ANY, 0 },
	{ "mov %dr7, %eax", { 0x0f, 0x21, 0xf8 }, VEC_GP, 0, ANY, 0 },
	{ "rdmsr", { 0x0f, 0x32 }, VEC_GP, 0, ANY, 0 },
	{ "wrmsr", { 0x0f, 0x30 }, VEC_GP, 0, ANY, 0 },
	{ "lgdt", { 0x0f, 0x01, 0x15, LONG(CODE) }, VEC_GP, 0, ANY, 0 },
	{ "lidt", { 0x0f, 0x01, 0x1d, LONG(CODE) }, VEC_GP, 0, ANY, 0 },
	{ "lldt", { 0x0f, 0x00, 0xd0 }, VEC_GP, 0, ANY, 0 },
	{ "ltr", { 0x0f, 0x00, 0xd8 }, VEC_GP, 0, ANY, 0 },
	{ "lmsw", { 0x0f, 0x01, 0xf0 }, VEC_GP, 0, ANY, 0 },
	{ "clts", { 0x0f, 0x06 }, VEC_GP, 0, ANY, 0 },
	{ "invlpg", { 0x0f, 0x01, 0x3d, LONG(CODE) }, VEC_GP, 0, ANY, 0 },
	{ "wbinvd", { 0x0f, 0x09 }, VEC_GP, 0, ANY, 0 },
	/* Software interrupts. */
	{ "int $0x1f", { 0xcd, LGUEST_TRAP_ENTRY }, VEC_GP, LGUEST_TRAP_ENTRY * 8 + 2, ANY, 0 },
	{ "int $0x20", { 0xcd, 0x20 }, VEC_GP, 0x20 * 8 + 2, ANY, 0 },
	{ "int $0", { 0xcd, 0 }, VEC_GP, 2, ANY, 0 },
	{ "int $14", { 0xcd, 14 }, VEC_GP, 14 * 8 + 2, ANY, 0 },
	{ "int $0xff", { 0xcd, 0xff }, VEC_GP, 0xff * 8 + 2, ANY, 0 },
	{ "int $0x2e after a prefix", { 0x3e, 0xcd, 0x2e }, VEC_GP, 0x2e * 8 + 2, ANY, 0 },
	{ "int $0x80", { 0xcd, 0x80 }, 0x80, 0, ANY, 2 },
	/* Segments. */
	{ "kernel data", { 0x66, 0xb8, WORD(KERNEL_DS), 0x8e, 0xd8 }, VEC_GP, KERNEL_DS & ~3, ANY, 4 },
	{ "kernel data as stack", { 0x66, 0xb8, WORD(KERNEL_DS), 0x8e, 0xd0 }, VEC_GP, KERNEL_DS & ~3, ANY, 4 },
	{ "empty entry", { 0x66, 0xb8, WORD(SEL_EMPTY), 0x8e, 0xe8 }, VEC_GP, SEL_EMPTY & ~3, ANY, 4 },
	{ "absent data", { 0x66, 0xb8, WORD(SEL_ABSENT_DATA), 0x8e, 0xd8 }, VEC_NP, SEL_ABSENT_DATA & ~3, ANY, 4 },
	{ "absent stack", { 0x66, 0xb8, WORD(SEL_ABSENT_DATA), 0x8e, 0xd0 }, VEC_SS, SEL_ABSENT_DATA & ~3, ANY, 4 },
	{ "execute-only data", { 0x66, 0xb8, WORD(SEL_CODE_ONLY), 0x8e, 0xd8 }, VEC_GP, SEL_CODE_ONLY & ~3, ANY, 4 },
	{ "read-only stack", { 0x66, 0xb8, WORD(SEL_READ_ONLY), 0x8e, 0xd0 }, VEC_GP, SEL_READ_ONLY & ~3, ANY, 4 },
	{ "null stack", { 0x31, 0xc0, 0x8e, 0xd0 }, VEC_GP, 0, ANY, 2 },
	{ "jump to the kernel's code", { 0xea, LONG(CODE), WORD(KERNEL_CS) }, VEC_GP, KERNEL_CS & ~3, ANY, 0 },
	{ "jump to absent code", { 0xea, LONG(CODE), WORD(SEL_ABSENT_CODE) }, VEC_NP, SEL_ABSENT_CODE & ~3, ANY, 0 },
	{ "jump to data", { 0xea, LONG(CODE), WORD(USER_DS) }, VEC_GP, USER_DS & ~3, ANY, 0 },
	{ "call of the kernel's code", { 0x9a, LONG(CODE), WORD(KERNEL_CS) }, VEC_GP, KERNEL_CS & ~3, ANY, 0 },
	{ "lds of the kernel's", { 0xc5, 0x05, LONG(CODE + 0x110) }, VEC_GP, KERNEL_DS & ~3, ANY, 0 },
	/* IRET to the kernel: push flags, CS, IP. */
	{ "iret to the kernel", { 0x9c, 0x6a, KERNEL_CS, 0x6a, 0, 0xcf }, VEC_GP, KERNEL_CS & ~3, ANY, 5 },
	{ "lret to the kernel", { 0x6a, KERNEL_CS, 0x6a, 0, 0xcb }, VEC_GP, KERNEL_CS & ~3, ANY, 4 },
	/* Pages. */
	{ "read of nothing", { 0xa1, LONG(ABSENT) }, VEC_PF, PF_USER, ABSENT, 0 },
	{ "write to nothing", { 0xa3, LONG(ABSENT + 8) }, VEC_PF, PF_USER | PF_WRITE, ABSENT + 8, 0 },
	{ "write to read-only", { 0xa3, LONG(READ_ONLY) }, VEC_PF, PF_USER | PF_WRITE | PF_PRESENT, READ_ONLY, 0 },
	{ "read of the kernel's", { 0xa1, LONG(KERNEL_ONLY) }, VEC_PF, PF_USER | PF_PRESENT, KERNEL_ONLY, 0 },
	{ "write to the kernel's", { 0xa3, LONG(KERNEL_ADDRESS) }, VEC_PF, PF_USER | PF_WRITE | PF_PRESENT, KERNEL_ADDRESS, 0 },
	{ "across into nothing", { 0xa1, LONG(ABSENT - 2) }, VEC_PF, PF_USER, ABSENT, 0 },
	{ "jump to nothing", { 0xb8, LONG(ABSENT), 0xff, 0xe0 }, VEC_PF, PF_USER, ABSENT, ABSENT - CODE },
	{ "jump to the kernel's", { 0xb8, LONG(KERNEL_ADDRESS), 0xff, 0xe0 }, VEC_PF, PF_USER | PF_PRESENT,
	  KERNEL_ADDRESS, KERNEL_ADDRESS - CODE },
};

static u32 pgdir;
static u8 *code;

static void set_descriptor(u32 sel, u64 desc)
{
	hypercall(LHCALL_LOAD_GDT_ENTRY, sel / 8, (u32)desc, desc >> 32, 0);
}

/* An FPU error that waits for the next FPU instruction: 0 / 0, not masked. */
static void pending_fpu_error(void)
{
	u16 control = 0x037e;

	asm volatile("fninit; fldcw %0; fldz; fldz; fdivrp" : : "m" (control));
}

static void run(const struct program *p)
{
	struct trap trap;
	bool fpu = p->vector == VEC_MF;

	memcpy(code, p->code, sizeof(p->code));
	((u32 *)(code + 0x100))[0] = -1;
	((u32 *)(code + 0x100))[1] = 1;
	*(u16 *)(code + 0x114) = KERNEL_DS;
	if (fpu)
		pending_fpu_error();
	hypercall(LHCALL_TS, p->ts, 0, 0, 0);
	guest_try_user(CODE, STACK, FLAGS_ONE | FLAGS_IF | p->flags, 0, &trap);
	hypercall(LHCALL_TS, 0, 0, 0, 0);
	if (fpu)
		asm volatile("fninit");

	if (trap.vector != p->vector || trap.error != p->error || trap.ip != CODE + p->ip)
		guest_printf("%s: vector %u error 0x%x ip 0x%x", p->what, trap.vector, trap.error, trap.ip);
	GUEST_ASSERT_EQ(p->vector, trap.vector);
	GUEST_ASSERT_EQ(p->error, trap.error);
	GUEST_ASSERT_EQ(CODE + p->ip, trap.ip);
	GUEST_ASSERT_EQ(USER_CS, trap.cs);
	GUEST_ASSERT_EQ(USER_DS, trap.ss);
	GUEST_ASSERT_EQ(FLAGS_IF, trap.flags & (FLAGS_IF | FLAGS_IOPL | FLAGS_NT | FLAGS_VM));
	GUEST_ASSERT_EQ(p->flags & FLAGS_TF, trap.flags & FLAGS_TF);
	if (p->cr2 != ANY)
		GUEST_ASSERT_EQ(p->cr2, trap.cr2);
}

/* ---- Signals ---- */

#define SIGNAL_STACK	(STACK - 0x800)

enum { SYS_SIGRETURN = 1, SYS_DONE };

static struct trap_frame interrupted;
static u32 handler, signals;

/*
 * A program that makes one exception after the other, and counts what its handler was told. The
 * handler skips the instruction: that each is two bytes long is the program's own doing.
 */
USER void signal_handler(u32 vector)
{
	syscall(SYS_SIGRETURN, vector, 0);
}

USER void signalled_program(void)
{
	u32 sum = 0;

	asm volatile("movl $0, %%eax\n"
		     "xorl %%ecx, %%ecx; divl %%ecx\n"
		     "addl $1, %%eax\n"
		     "ud2\n"
		     "addl $10, %%eax\n"
		     "movl (%%ecx), %%edx\n"
		     "addl $100, %%eax\n"
		     ".byte 0xf4, 0x90\n"
		     "addl $1000, %%eax\n"
		     "int $0x55\n"
		     "addl $10000, %%eax\n"
		     "movl %%ecx, %%ss\n"
		     "addl $100000, %%eax\n"
		     : "=a" (sum) : : "ecx", "edx", "cc");
	syscall(SYS_DONE, sum, 0);
}

static bool send_signal(struct trap_frame *frame)
{
	u32 *stack;

	if (!handler)
		return false;
	GUEST_ASSERT_EQ(USER_CS, frame->cs);
	interrupted = *frame;
	signals = signals * 32 + frame->vector;
	/* The handler's argument and return address are on a stack of its own. */
	stack = va(*guest_pte(va(pgdir), STACK - PAGE_SIZE) & -PAGE_SIZE) + (SIGNAL_STACK & (PAGE_SIZE - 1));
	stack[1] = frame->vector;
	frame->ip = handler;
	frame->sp = SIGNAL_STACK;
	return true;
}

static bool on_syscall(struct trap_frame *frame)
{
	if (!handler || frame->ax != SYS_SIGRETURN)
		return false;
	GUEST_ASSERT_EQ(interrupted.vector, frame->bx);
	*frame = interrupted;
	frame->ip += 2;
	return true;
}

static void test_signals(void)
{
	static const u32 vectors[] = { VEC_DE, VEC_UD, VEC_PF, VEC_GP, VEC_GP, VEC_GP };
	struct trap trap;
	u32 i, expected = 0;

	for (i = 0; i < ARRAY_SIZE(vectors); i++) {
		guest_handle(vectors[i], send_signal);
		expected = expected * 32 + vectors[i];
	}
	guest_handle(0x80, on_syscall);
	handler = user_address(signal_handler);
	GUEST_ASSERT_EQ(0x80, guest_try_user(user_address(signalled_program), STACK - 0x100, FLAGS_ONE | FLAGS_IF, 0, &trap));
	GUEST_ASSERT_EQ(SYS_DONE, trap.ax);
	GUEST_ASSERT_EQ(expected, signals);
	handler = 0;
}

/* ---- Single step ---- */

static u32 steps, last_step;

static bool on_step(struct trap_frame *frame)
{
	u32 dr6;

	asm volatile("movl %%dr6, %0" : "=r" (dr6));
	GUEST_ASSERT_EQ(0xffff4ff0, dr6);
	asm volatile("movl %0, %%dr6" : : "r" (0));
	GUEST_ASSERT(frame->ip > last_step);
	last_step = frame->ip;
	steps++;
	return true;
}

static void test_steps(void)
{
	/*
	 * Ten instructions, and then one that ends it; the eighth is a system call, whose kernel is
	 * not stepped.
	 */
	static const u8 program[] = { 0x90, 0x31, 0xc0, 0x40, 0x50, 0x58, 0x9c, 0x58, 0x90, 0x90, 0xf4 };
	struct trap trap;

	memcpy(code, program, sizeof(program));
	guest_handle(VEC_DB, on_step);
	GUEST_ASSERT_EQ(VEC_GP, guest_try_user(CODE, STACK, FLAGS_ONE | FLAGS_IF | FLAGS_TF, 0, &trap));
	guest_handle(VEC_DB, NULL);
	GUEST_ASSERT_EQ(9, steps);
	GUEST_ASSERT_EQ(CODE + 10, last_step);
	/* PUSHF showed TF, as it was set. */
	GUEST_ASSERT_EQ(FLAGS_TF, trap.ax & FLAGS_TF);
}

void guest_main(void)
{
	u32 i;

	pgdir = user_pgdir();
	code = va(guest_alloc(1, PAGE_SIZE));
	guest_map(va(pgdir), CODE, pa(code) | PTE_ALL);
	guest_map(va(pgdir), STACK - PAGE_SIZE, guest_alloc(1, PAGE_SIZE) | PTE_ALL);
	guest_map(va(pgdir), ABSENT - PAGE_SIZE, guest_alloc(1, PAGE_SIZE) | PTE_ALL);
	guest_map(va(pgdir), READ_ONLY, guest_alloc(1, PAGE_SIZE) | PTE_P | PTE_U);
	guest_map(va(pgdir), KERNEL_ONLY, guest_alloc(1, PAGE_SIZE) | PTE_P | PTE_W);
	user_load_pgdir(pgdir);
	set_descriptor(SEL_ABSENT_DATA, 0x00cf72000000ffffull);
	set_descriptor(SEL_ABSENT_CODE, 0x00cf7a000000ffffull);
	set_descriptor(SEL_READ_ONLY, 0x00cff0000000ffffull);
	set_descriptor(SEL_CODE_ONLY, 0x00cff8000000ffffull);
	/* As Linux has it: the timer's line may come at any time. None does. */
	lguest_data.irq_enabled = LGUEST_IF;

	for (i = 0; i < ARRAY_SIZE(programs); i++)
		run(&programs[i]);
	test_signals();
	test_steps();
}
