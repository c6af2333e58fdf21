// SPDX-License-Identifier: GPL-2.0
/*
 * Breakpoints of the Guest's own (SDM vol. 3, 17.2 and 17.3), in its kernel and in a program of
 * its; and CR4, whose bits can be set where CPUID has the feature.
 */
#include "user.h"

#define DR6_FIXED	0xffff0ff0u
#define DR6_B(n)	(1u << (n))
#define DR6_BD		0x2000u
#define DR7_FIXED	0x400u
#define DR7_GD		0x2000u
#define DR7_LOCAL(n)	(1u << 2 * (n))
#define DR7_GLOBAL(n)	(2u << 2 * (n))
#define DR7_WHAT(n, rw, len)	(((u32)(rw) | (u32)(len) << 2) << (16 + 4 * (n)))
enum { ON_EXECUTION, ON_WRITE, ON_PORT, ON_ACCESS };
enum { BYTE, LONG = 3 };

#define USER_PAGE	0x00400000u
#define USER_DATA	0x00402000u
#define FRESH		0x7f000000u

#define DEFINE_DR(n)									\
	static inline u32 read_dr##n(void)						\
	{										\
		u32 value;								\
											\
		asm volatile("movl %%dr" #n ", %0" : "=r" (value) : : "memory");		\
		return value;								\
	}										\
	static inline void write_dr##n(u32 value)					\
	{										\
		asm volatile("movl %0, %%dr" #n : : "r" (value) : "memory");		\
	}
DEFINE_DR(0)
DEFINE_DR(1)
DEFINE_DR(2)
DEFINE_DR(3)
DEFINE_DR(6)
DEFINE_DR(7)

/* What the handler was told, the last time. */
static u32 hits, hit_ip, hit_dr6, hit_cs;

static bool on_debug(struct trap_frame *frame)
{
	hits++;
	hit_ip = frame->ip;
	hit_cs = frame->cs;
	hit_dr6 = read_dr6();
	write_dr6(0);
	/* Over the instruction; harmless behind one. */
	frame->flags |= FLAGS_RF;
	return true;
}

static void expect_hit(u32 breakpoint, u32 ip)
{
	GUEST_ASSERT_EQ(1, hits);
	GUEST_ASSERT_EQ(DR6_FIXED | DR6_B(breakpoint), hit_dr6);
	GUEST_ASSERT_EQ(ip, hit_ip);
	hits = 0;
}

/* ---- Kernel level ---- */

u32 watched, calls;
extern char store[], stored[], load[], loaded[], called[];
asm("	.text\n"
    "store:\n"
    "	movl	%eax, watched\n"
    "stored:\n"
    "	ret\n"
    "load:\n"
    "	movl	watched, %eax\n"
    "loaded:\n"
    "	ret\n"
    "called:\n"
    "	incl	calls\n"
    "	ret\n");

static void do_store(void)
{
	asm volatile("call store" : : "a" (7) : "memory");
}

static void do_load(void)
{
	asm volatile("call load" : : : "eax", "memory");
}

static void do_call(void)
{
	asm volatile("call called" : : : "memory", "cc");
}

static void kernel_data(void)
{
	write_dr0((u32)&watched);
	write_dr7(DR7_LOCAL(0) | DR7_WHAT(0, ON_WRITE, LONG));
	GUEST_ASSERT_EQ(DR7_FIXED | DR7_LOCAL(0) | DR7_WHAT(0, ON_WRITE, LONG), read_dr7());
	do_load();
	GUEST_ASSERT_EQ(0, hits);
	do_store();
	expect_hit(0, (u32)stored);
	GUEST_ASSERT_EQ(KERNEL_CS, hit_cs);
	GUEST_ASSERT_EQ(7, watched);

	/* The last byte of it, read or written, by another register. */
	write_dr3((u32)&watched + 3);
	write_dr7(DR7_GLOBAL(3) | DR7_WHAT(3, ON_ACCESS, BYTE));
	do_load();
	expect_hit(3, (u32)loaded);
	do_store();
	expect_hit(3, (u32)stored);

	/* A neighbour, and nothing at all. */
	write_dr3((u32)&watched + 4);
	do_store();
	write_dr3((u32)&watched);
	write_dr7(DR7_WHAT(3, ON_ACCESS, LONG));
	do_store();
	GUEST_ASSERT_EQ(0, hits);
	GUEST_ASSERT_EQ(DR6_FIXED, read_dr6());
}

static void kernel_code(void)
{
	u32 i;

	write_dr1((u32)called);
	write_dr7(DR7_LOCAL(1) | DR7_WHAT(1, ON_EXECUTION, BYTE));
	for (i = 1; i <= 3; i++) {
		do_call();
		expect_hit(1, (u32)called);
		GUEST_ASSERT_EQ(i, calls);
	}
	/* What the Host does for an instruction does not make it met twice: demand paging. */
	guest_map(lguest_pgdir, FRESH, guest_alloc(1, PAGE_SIZE) | PTE_ALL);
	memcpy((void *)FRESH, (u8[]){ 0x8b, 0x05, 0x00, 0x10, 0x00, 0x7f, 0xc3 }, 7);
	guest_map(lguest_pgdir, FRESH + PAGE_SIZE, guest_alloc(1, PAGE_SIZE) | PTE_ALL);
	write_dr1(FRESH);
	asm volatile("call *%0" : : "r" (FRESH) : "eax", "memory");
	expect_hit(1, FRESH);
	/* An instruction that is emulated, and the one behind it. */
	memcpy((void *)FRESH, (u8[]){ 0x0f, 0x20, 0xc0, 0x90, 0xc3 }, 5);
	asm volatile("call *%0" : : "r" (FRESH) : "eax", "memory");
	expect_hit(1, FRESH);
	write_dr2(FRESH + 3);
	write_dr7(DR7_LOCAL(1) | DR7_LOCAL(2));
	asm volatile("call *%0" : : "r" (FRESH) : "eax", "memory");
	GUEST_ASSERT_EQ(2, hits);
	hits = 1;
	expect_hit(2, FRESH + 3);
	/* Off. */
	write_dr7(0);
	do_call();
	GUEST_ASSERT_EQ(0, hits);
}

/* Access to debug registers traps, once: the handler may use them. */
static void general_detect(void)
{
	u32 before;

	write_dr7(DR7_GD);
	asm volatile("nop");
	GUEST_ASSERT_EQ(0, hits);
	before = read_dr0();
	GUEST_ASSERT_EQ(1, hits);
	GUEST_ASSERT_EQ(DR6_FIXED | DR6_BD, hit_dr6);
	GUEST_ASSERT_EQ((u32)&watched, before);
	GUEST_ASSERT_EQ(DR7_FIXED, read_dr7());
	hits = 0;
}

/* ---- User level ---- */

static void user_level(void)
{
	/* movl %eax, USER_DATA; nop; movl USER_DATA, %eax; int $0x80 */
	static const u8 program[] = {
		0xa3, 0x00, 0x20, 0x40, 0x00, 0x90, 0xa1, 0x00, 0x20, 0x40, 0x00, 0xcd, 0x80,
	};
	u32 pgdir = user_pgdir(), page = guest_alloc(1, PAGE_SIZE), data = guest_alloc(1, PAGE_SIZE);
	struct trap trap;

	guest_map(va(pgdir), USER_PAGE, page | PTE_ALL);
	guest_map(va(pgdir), USER_DATA, data | PTE_ALL);
	memcpy(va(page), program, sizeof(program));
	user_load_pgdir(pgdir);

	write_dr0(USER_DATA);
	write_dr7(DR7_LOCAL(0) | DR7_WHAT(0, ON_WRITE, LONG));
	GUEST_ASSERT_EQ(0x80, guest_try_user(USER_PAGE, USER_STACK, FLAGS_ONE | FLAGS_IF, 0x77, &trap));
	GUEST_ASSERT_EQ(0x77, trap.ax);
	expect_hit(0, USER_PAGE + 5);
	GUEST_ASSERT_EQ(USER_CS, hit_cs);

	write_dr2(USER_PAGE + 5);
	write_dr7(DR7_LOCAL(2));
	GUEST_ASSERT_EQ(0x80, guest_try_user(USER_PAGE, USER_STACK, FLAGS_ONE | FLAGS_IF, 0x78, &trap));
	GUEST_ASSERT_EQ(0x78, trap.ax);
	expect_hit(2, USER_PAGE + 5);
	GUEST_ASSERT_EQ(USER_CS, hit_cs);

	/* The first instruction: RF of the IRET that goes there steps over it. */
	write_dr2(USER_PAGE);
	GUEST_ASSERT_EQ(0x80, guest_try_user(USER_PAGE, USER_STACK, FLAGS_ONE | FLAGS_IF | FLAGS_RF,
					     0x79, &trap));
	GUEST_ASSERT_EQ(0, hits);
	GUEST_ASSERT_EQ(0x80, guest_try_user(USER_PAGE, USER_STACK, FLAGS_ONE | FLAGS_IF, 0x79, &trap));
	expect_hit(2, USER_PAGE);
	write_dr7(0);
	user_load_pgdir(pa(lguest_pgdir));
}

/* ---- CR4 ---- */

static void cpuid(u32 leaf, u32 reg[4])
{
	asm volatile("cpuid" : "=a" (reg[0]), "=b" (reg[1]), "=c" (reg[2]), "=d" (reg[3])
			     : "a" (leaf), "c" (0));
}

static void set_cr4(u32 value)
{
	write_cr4(value);
}

/* Bits that a 32-bit kernel sets by CPUID: leaf, register, bit; shown when set. */
static const struct {
	u32 cr4, leaf, reg, bit, shown;
} features[] = {
	{ 1u << 11, 7, 2, 2, 1 },	/* UMIP */
	{ 1u << 16, 7, 1, 0, 0 },	/* FSGSBASE */
	{ 1u << 18, 1, 2, 26, 1 },	/* OSXSAVE */
	{ 1u << 20, 7, 1, 7, 0 },	/* SMEP */
	{ 1u << 21, 7, 1, 20, 0 },	/* SMAP */
	{ 1u << 22, 7, 2, 3, 0 },	/* PKE */
};

static void cr4(void)
{
	u32 before = read_cr4(), reg[4], shown = 0, i;
	struct trap trap;
	bool has;

	for (i = 0; i < ARRAY_SIZE(features); i++) {
		cpuid(0, reg);
		has = reg[0] >= features[i].leaf;
		cpuid(features[i].leaf, reg);
		has = has && reg[features[i].reg] >> features[i].bit & 1;
		shown += has;
		GUEST_ASSERT_EQ(has ? NO_TRAP : VEC_GP, guest_try(set_cr4, before | features[i].cr4, &trap));
		GUEST_ASSERT_EQ(before | (has && features[i].shown ? features[i].cr4 : 0), read_cr4());
		write_cr4(before);
		GUEST_ASSERT_EQ(before, read_cr4());
	}
	GUEST_ASSERT(shown);
	GUEST_ASSERT_EQ(VEC_GP, guest_try(set_cr4, before | 1u << 31, &trap));
	GUEST_ASSERT_EQ(VEC_GP, guest_try(set_cr4, before | 1u << 19, &trap));
}

/* ---- What the Host knows of the Guest's tables is what a TLB would ---- */

#define ENTRY_PAGE	(FRESH + 16 * PAGE_SIZE)

/* A system call; its frame is in the page that is now at ENTRY_PAGE, and not in the other. */
static void expect_frame_in(u32 page, u32 other)
{
	u32 *words = va(page + PAGE_SIZE - 20);
	struct trap trap;

	memset(va(page), 0, PAGE_SIZE);
	memset(va(other), 0, PAGE_SIZE);
	/* Twice: the second time the Host has seen it all. */
	GUEST_ASSERT_EQ(0x80, guest_try_user(USER_PAGE, USER_STACK, FLAGS_ONE | FLAGS_IF, 0, &trap));
	GUEST_ASSERT_EQ(0x80, guest_try_user(USER_PAGE, USER_STACK, FLAGS_ONE | FLAGS_IF, 0, &trap));
	GUEST_ASSERT_EQ(USER_PAGE + 2, words[0]);
	GUEST_ASSERT_EQ(USER_CS, words[1]);
	GUEST_ASSERT_EQ(USER_DS, words[4]);
	GUEST_ASSERT_EQ(0, *(u32 *)va(other + PAGE_SIZE - 20));
}

static void stack_moves(void)
{
	u32 a = guest_alloc(1, PAGE_SIZE), b = guest_alloc(1, PAGE_SIZE), swap, turn;
	u32 pgdir = user_pgdir(), other, page = guest_alloc(1, PAGE_SIZE), *pte;

	guest_map(va(pgdir), USER_PAGE, page | PTE_ALL);
	memcpy(va(page), (u8[]){ 0xcd, 0x80 }, 2);
	guest_map(va(pgdir), ENTRY_PAGE, a | PTE_P | PTE_W);
	other = user_pgdir();
	guest_map(va(other), USER_PAGE, page | PTE_ALL);
	guest_map(va(other), ENTRY_PAGE, b | PTE_P | PTE_W);
	hypercall(LHCALL_SET_STACK, KERNEL_DS, ENTRY_PAGE + PAGE_SIZE, 1, 0);

	user_load_pgdir(pgdir);
	pte = guest_pte(va(pgdir), ENTRY_PAGE);
	for (turn = 0; turn < 12; turn++) {
		expect_frame_in(a, b);
		if (turn % 6 == 5) {
			/* Another directory, and back. */
			user_load_pgdir(other);
			expect_frame_in(b, a);
			user_load_pgdir(pgdir);
			continue;
		}
		swap = a;
		a = b;
		b = swap;
		*pte = a | PTE_P | PTE_W;
		switch (turn % 6) {
		case 0:
			invlpg(ENTRY_PAGE);
			break;
		case 1:
			hypercall(LHCALL_SET_PTE, pgdir, ENTRY_PAGE, *pte, 0);
			break;
		case 2:
			write_cr3(pgdir);
			break;
		case 3:
			hypercall(LHCALL_FLUSH_TLB, 1, 0, 0, 0);
			break;
		case 4:
			write_cr4(read_cr4() ^ CR4_PGE);
			break;
		}
		*guest_pte(va(other), ENTRY_PAGE) = b | PTE_P | PTE_W;
		hypercall(LHCALL_SET_PTE, other, ENTRY_PAGE, b | PTE_P | PTE_W, 0);
	}
	user_load_pgdir(pa(lguest_pgdir));
}

void guest_main(void)
{
	guest_handle(VEC_DB, on_debug);
	kernel_data();
	kernel_code();
	general_detect();
	user_level();
	guest_handle(VEC_DB, NULL);
	cr4();
	stack_moves();
}
