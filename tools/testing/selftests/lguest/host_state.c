// SPDX-License-Identifier: GPL-2.0
/* A read() that compares all registers of this process before and after: see host_state.h. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <asm/ldt.h>
#include <asm/prctl.h>

#include "host_state.h"
#include "launcher.h"

_Static_assert(offsetof(struct host_state, general) == STATE_GENERAL, "host_state.h");
_Static_assert(offsetof(struct host_state, flags) == STATE_FLAGS, "host_state.h");
_Static_assert(offsetof(struct host_state, sp) == STATE_SP, "host_state.h");
_Static_assert(offsetof(struct host_state, result) == STATE_RESULT, "host_state.h");
_Static_assert(offsetof(struct host_state, selector) == STATE_SELECTORS, "host_state.h");
_Static_assert(offsetof(struct host_state, xsave) == STATE_XSAVE, "host_state.h");

void host_state_call(struct host_state *set, struct host_state *got, long number,
		     uint32_t xsave_low, uint32_t xsave_high);

/*
 * CF, PF, AF, ZF, SF, DF, OF, AC, ID: what a program can set for itself without consequences here.
 */
#define FLAGS_ALL	0x240cd5u
#define FLAGS_FIXED	0x202u
#define FLAGS_TF	0x100u

#define LEAF_XSAVE	0xd
#define LEAF_FEATURES	1
#define HAS_OSXSAVE	(1u << 27)
/* Components of XSAVE (SDM vol. 1, 13.1). */
#define XSTATE_AVX	2
#define XSTATE_ZMM_HI	6
#define XSTATE_ZMM_16	7
#define XSTATE_PKRU	9
/*
 * Tiles are too large and cannot be used by 32-bit code; bounds registers change at every branch.
 */
#define XSTATE_NOT	(3ull << 17 | 3ull << 3)
/* The legacy part of its area, and where MXCSR and the registers are in it (13.4.1). */
#define XSAVE_FCW	0
#define XSAVE_MXCSR	24
#define XSAVE_MXCSR_MASK	28
#define XSAVE_X87_REGS	32
#define XSAVE_XMM_REGS	160
#define XSAVE_BV	512
#define X87_REG_BYTES	10

/*
 * A 32-bit program has half of the vector registers, so XSAVE writes and reads half of their parts.
 */
#define VECTOR_REGS	(sizeof(long) == 8 ? 16u : 8u)

#define LDT_SELECTOR	7
#define USER_DS		0x2b

static bool use_ldt;
static uint64_t components;
static __thread struct host_state set, got;

static const char *const selector_name[] = { "CS", "SS", "DS", "ES", "FS", "GS" };

static const char *const general_name[] = {
#ifdef __x86_64__
	"RBX", "RBP", "RDI", "RSI", "RDX", "R8", "R9", "R10", "R12", "R13", "R14", "R15",
#else
	"EBX", "EBP", "EDI", "ESI", "EDX", "ECX",
#endif
};

#define GENERALS	(sizeof(general_name) / sizeof(general_name[0]))

void host_state_use_ldt(void)
{
	/* Flat, so that it does wherever DS and ES are used. */
	struct user_desc flat = {
		.base_addr = 0, .limit = 0xfffff, .limit_in_pages = 1, .seg_32bit = 1, .useable = 1
	};

	if (syscall(SYS_modify_ldt, 1, &flat, sizeof(flat)))
		FAIL("modify_ldt: %s", strerror(errno));
	use_ldt = true;
}

static uint64_t xgetbv(void)
{
	uint32_t low, high;

	asm volatile("xgetbv" : "=a" (low), "=d" (high) : "c" (0));
	return (uint64_t)high << 32 | low;
}

static void find_components(void)
{
	uint32_t a, b, c, d;

	__cpuid(LEAF_FEATURES, a, b, c, d);
	if (!(c & HAS_OSXSAVE))
		FAIL("this host's CPU has no XSAVE");
	__cpuid_count(LEAF_XSAVE, 0, a, b, c, d);
	components = xgetbv() & ~XSTATE_NOT;
	if (VECTOR_REGS < 16)
		components &= ~(1ull << XSTATE_ZMM_16);
	if (b > XSAVE_SIZE && components >> 17 == 0)
		FAIL("an XSAVE area of %u bytes", b);
}

static void fill(uint8_t *to, size_t len, uint64_t *random)
{
	uint64_t word;
	size_t part;

	for (; len; len -= part, to += part) {
		word = test_random(random);
		part = len < sizeof(word) ? len : sizeof(word);
		memcpy(to, &word, part);
	}
}

/* A value for each component that is neither its first one nor one that has consequences. */
static void fill_xsave(uint8_t *area, uint64_t *random)
{
	uint32_t size, at, ecx, edx, pkru = test_random(random) & ~3u;
	int i;

	/* The mask of MXCSR is the processor's to write: taken from an area that it wrote. */
	asm volatile("fxsave %0" : "=m" (*(uint8_t (*)[512])area));
	memset(area, 0, XSAVE_MXCSR_MASK);
	memset(area + XSAVE_X87_REGS, 0, XSAVE_SIZE - XSAVE_X87_REGS);
	memcpy(area + XSAVE_FCW, &(uint16_t){ 0x0e7f },
	       2); /* all masked, other precision and rounding */
	memcpy(area + XSAVE_MXCSR, &(uint32_t){ 0xff80 }, 4); /* all masked, other rounding, FTZ */
	for (i = 0; i < 8; i++)
		fill(area + XSAVE_X87_REGS + 16 * i, X87_REG_BYTES, random);
	fill(area + XSAVE_XMM_REGS, 16 * VECTOR_REGS, random);
	for (i = XSTATE_AVX; i < 63; i++) {
		if (!(components >> i & 1))
			continue;
		__cpuid_count(LEAF_XSAVE, i, size, at, ecx, edx);
		if (i == XSTATE_PKRU)
			memcpy(area + at, &pkru, sizeof(pkru));
		else if (i == XSTATE_AVX || i == XSTATE_ZMM_HI)
			fill(area + at, size / 16 * VECTOR_REGS, random);
		else
			fill(area + at, size, random);
	}
	memcpy(area + XSAVE_BV, &components, sizeof(components));
}

#ifdef __x86_64__
static uint64_t base_of(int which)
{
	unsigned long base;

	syscall(SYS_arch_prctl, which, &base);
	return base;
}
#endif

/* What everything is to be before the call. */
static void prepare(void)
{
	static uint64_t random = 1;
	static unsigned int calls;
	uint16_t data[] = { 0, USER_DS, use_ldt ? LDT_SELECTOR : USER_DS };
	unsigned int i, kind = __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);

	for (i = 0; i < GENERALS; i++)
		set.general[i] = (unsigned long)test_random(&random);
	set.flags = (test_random(&random) & FLAGS_ALL) | FLAGS_FIXED;
	fill_xsave(set.xsave, &random);

	asm volatile("movw %%cs, %0" : "=m" (set.selector[0]));
	asm volatile("movw %%ss, %0" : "=m" (set.selector[1]));
	asm volatile("movw %%ds, %0" : "=m" (set.selector[2]));
	asm volatile("movw %%fs, %0" : "=m" (set.selector[4]));
	asm volatile("movw %%gs, %0" : "=m" (set.selector[5]));
#ifdef __x86_64__
	set.selector[2] = data[kind % 3];
	set.selector[3] = data[kind / 3 % 3];
	/* With a null selector GS has any base; with another its descriptor's, here 0. */
	asm volatile("movw %w0, %%gs" : : "r" (0));
	set.selector[5] = use_ldt && kind / 9 % 2 ? LDT_SELECTOR : 0;
	set.gs_base = set.selector[5] ? 0 : test_random(&random) & 0x7ffffffff000;
	if (!set.selector[5])
		syscall(SYS_arch_prctl, ARCH_SET_GS, set.gs_base);
	set.fs_base = base_of(ARCH_GET_FS);
#else
	/* A program of 32 bits needs DS as it is, and GS is its TLS. */
	set.selector[3] = data[1 + kind % 2];
	set.selector[4] = data[kind / 2 % 3];
#endif
}

/*
 * Null selectors are all the same: Linux makes 3 of a 32-bit program's 0 after a signal, and an
 * IRET to user mode makes 0 of 3 (SDM vol. 2, IRET; QEMU's does not).
 */
static bool same_selector(uint64_t a, uint64_t b)
{
	return a == b || !((a | b) & ~3ull);
}

static void compare(void)
{
	unsigned int i;

	for (i = 0; i < GENERALS; i++)
		if (set.general[i] != got.general[i])
			FAIL("read() made %s 0x%llx of 0x%llx", general_name[i],
			     (long long)got.general[i], (long long)set.general[i]);
	/* A debugger's single steps show in TF. */
	got.flags &= ~FLAGS_TF;
	if (set.flags != got.flags)
		FAIL("read() made flags 0x%llx of 0x%llx", (long long)got.flags,
		     (long long)set.flags);
	if (set.sp != got.sp)
		FAIL("read() made SP 0x%llx of 0x%llx", (long long)got.sp, (long long)set.sp);
	for (i = 0; i < 6; i++)
		if (!same_selector(set.selector[i], got.selector[i]))
			FAIL("read() made %s 0x%x of 0x%x", selector_name[i], got.selector[i],
			     set.selector[i]);
#ifdef __x86_64__
	got.fs_base = base_of(ARCH_GET_FS);
	got.gs_base = base_of(ARCH_GET_GS);
	if (set.fs_base != got.fs_base || set.gs_base != got.gs_base)
		FAIL("read() made FS base 0x%llx of 0x%llx, GS base 0x%llx of 0x%llx",
		     (long long)got.fs_base, (long long)set.fs_base, (long long)got.gs_base,
		     (long long)set.gs_base);
#endif
	/* Nearly always the same; this is done a million times. */
	if (!memcmp(set.xsave, got.xsave, XSAVE_SIZE))
		return;
	for (i = 0; i < XSAVE_SIZE; i++)
		if (set.xsave[i] != got.xsave[i])
			FAIL("read() made byte %u of the XSAVE area 0x%x of 0x%x", i, got.xsave[i],
			     set.xsave[i]);
}

int host_state_run(int guest, struct lguest_exit *exit)
{
	static const uint8_t plain[XSAVE_SIZE] __attribute__((aligned(64))) = {
		[XSAVE_FCW] = 0x7f, [XSAVE_FCW + 1] = 0x03,
		[XSAVE_MXCSR] = 0x80, [XSAVE_MXCSR + 1] = 0x1f,
	};

	if (!components)
		find_components();
	memset(exit, 0, sizeof(*exit));
	memset(&got, 0, sizeof(got));
	prepare();
#ifdef __x86_64__
	set.general[2] = guest;
	set.general[3] = (unsigned long)exit;
	set.general[4] = sizeof(*exit);
	set.general[7] = 0;				/* R10: the position */
	host_state_call(&set, &got, SYS_pread64, components, components >> 32);
#else
	set.general[0] = guest;
	set.general[5] = (unsigned long)exit;
	set.general[4] = sizeof(*exit);
	set.general[3] = 0;				/* ESI, EDI: the position */
	set.general[2] = 0;
	host_state_call(&set, &got, SYS_pread64, components, components >> 32);
#endif
	/*
	 * Rounding and flushing as C expects them. All keys but 0 unusable matters to nobody here.
	 */
	asm volatile("fxrstor %0" : : "m" (plain));
	compare();
	exit->text[sizeof(exit->text) - 1] = 0;
	return (long)got.result < 0 ? (int)got.result : 0;
}
