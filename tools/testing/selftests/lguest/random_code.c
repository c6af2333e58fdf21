// SPDX-License-Identifier: GPL-2.0
/*
 * Random code at both levels, streams of bytes: half of them pure noise, half made of instructions
 * that matter to a hypervisor with random operands. Other ones each time, 100,000 over the two hosts
 * in check-long. A Guest may come to
 * any end; the Host has to have a sentence for it, and this process keeps its registers (S1 to S6,
 * G1).
 *
 * Without AVX: QEMU 7.2 itself ends at some of its encodings that no processor has (testing.rst).
 *
 * lguest-host: cpu=max,-avx,erms=off,-smap timeout=900
 * lguest-host: smp=2 cpu=max,-avx,+la57,erms=off,-smap args=pti=on timeout=900
 */
#include "harness.h"
#include "engine.h"
#include "host_state.h"

/*
 * QEMU takes the VM flag from an IRET in ring 3, which no processor does, and its host hangs of
 * that, with or without a Guest (testing.rst). So there is none here; hostile_traps.c has all
 * others.
 */
#define IRET	0xcf
#define INT3	0xcc

/* Beginnings of instructions that trap, switch, or change what a trap does. Random bytes follow. */
static const struct {
	uint8_t len, code[4];
} sharp[] = {
	{ 1, { 0xcb } },		/* RET far */
	{ 1, { 0x9d } },		/* POPF */
	{ 1, { 0x9c } },
	{ 1, { 0xfa } },		/* CLI, STI */
	{ 1, { 0xfb } },
	{ 1, { 0xcc } },
	{ 1, { 0xce } },
	{ 1, { 0x60 } },		/* PUSHA, POPA */
	{ 1, { 0x61 } },
	{ 1, { 0xc9 } },		/* LEAVE */
	{ 1, { 0x17 } },		/* POP SS, DS, ES */
	{ 1, { 0x1f } },
	{ 1, { 0x07 } },
	{ 1, { 0xec } },		/* IN, OUT */
	{ 1, { 0xef } },
	{ 2, { 0xf3, 0x6d } },		/* REP INS, OUTS */
	{ 2, { 0xf3, 0x6f } },
	{ 2, { 0xcd, 0x1f } },		/* hypercall, system call */
	{ 2, { 0xcd, 0x80 } },
	{ 1, { 0xcd } },
	{ 1, { 0x8e } },		/* MOV to a segment register */
	{ 1, { 0xc4 } },		/* LES, LDS */
	{ 1, { 0xc5 } },
	{ 1, { 0x9a } },		/* far CALL, JMP */
	{ 1, { 0xea } },
	{ 1, { 0xff } },
	{ 1, { 0xbc } },		/* MOV to ESP */
	{ 1, { 0x94 } },		/* XCHG EAX, ESP */
	{ 2, { 0x0f, 0x00 } },		/* SLDT, STR, LLDT, LTR, VERR, VERW */
	{ 2, { 0x0f, 0x01 } },		/* SGDT, SIDT, LGDT, LIDT, SMSW, LMSW, INVLPG */
	{ 2, { 0x0f, 0x05 } },
	{ 2, { 0x0f, 0x34 } },
	{ 2, { 0x0f, 0x35 } },
	{ 2, { 0x0f, 0x06 } },
	{ 2, { 0x0f, 0x20 } },		/* control and debug registers */
	{ 2, { 0x0f, 0x21 } },
	{ 2, { 0x0f, 0x22 } },
	{ 2, { 0x0f, 0x23 } },
	{ 2, { 0x0f, 0x30 } },		/* MSRs */
	{ 2, { 0x0f, 0x32 } },
	{ 2, { 0x0f, 0xae } },		/* FPU state */
	{ 2, { 0x0f, 0xc7 } },
	{ 2, { 0x0f, 0xb2 } },		/* LSS, LFS, LGS */
	{ 2, { 0x0f, 0xb4 } },
	{ 2, { 0x0f, 0xb5 } },
	{ 1, { 0xd9 } },		/* x87 */
	{ 1, { 0xf0 } },		/* LOCK */
	{ 1, { 0x64 } },
	{ 1, { 0x67 } },
};

/* Numbers that mean something to somebody: selectors, hypercalls, addresses, edges. */
static const uint32_t telling[] = {
	0,
	1,
	2,
	3,
	4,
	5,
	6,
	7,
	8,
	13,
	14,
	15,
	16,
	18,
	19,
	0x1f,
	0x23,
	0x2b,
	0x60,
	0x61,
	0x69,
	0x73,
	0x7b,
	0x80,
	0xfc0,
	0xfc8,
	0xfd0,
	0xfe0,
	0xff0,
	0xfff8,
	0xffff,
	0x1000,
	0x2004,
	0x10000,
	0xfffff000,
	0xfffffffc,
	0xffffffff,
	0x7fffffff,
	0x80000000,
	0xc0000000,
	0xc0000080,
	0xc0000081,
	0xc0000102,
	0x174,
	0x1b,
	0x10,
	0x21,
	0x30,
	0x80000011,
	0x80010033,
	ENGINE_CODE,
	ENGINE_CODE + 0xffe,
	ENGINE_DATA,
	ENGINE_DATA + 0xffc,
	ENGINE_STACK,
	ENGINE_STACK + 0xffc,
	0xc0010000,
	0xc0012000,
};

static uint32_t random_value(uint64_t *random)
{
	uint64_t r = test_random(random);

	switch (r & 3) {
	case 0:
		return r >> 32;
	case 1:
		return ENGINE_DATA + (r >> 32 & 0xfff);
	default:
		return telling[(r >> 32) % ARRAY_SIZE(telling)];
	}
}

static struct engine_case random_case(uint64_t *random, bool user)
{
	uint8_t code[ENGINE_CODE_BYTES];
	struct engine_case c;
	unsigned int i, n;
	uint64_t r;

	for (i = 0; i < sizeof(code); i++)
		code[i] = test_random(random);
	r = test_random(random);
	/* Every second stream: up to six sharp ones, each with random operands. */
	for (i = 0; r & 1 && i < sizeof(code) - 4; i += 1 + test_random(random) % 6) {
		n = test_random(random) % ARRAY_SIZE(sharp);
		memcpy(code + i, sharp[n].code, sharp[n].len);
		i += sharp[n].len;
	}
	for (i = 0; i < sizeof(code); i++)
		if (code[i] == IRET)
			code[i] = INT3;
	c = engine_case(user, code, sizeof(code));
	if (r & 2) {
		c.ax = random_value(random);
		c.bx = random_value(random);
		c.cx = random_value(random);
		c.dx = random_value(random);
		c.si = random_value(random);
		c.di = random_value(random);
		c.bp = random_value(random);
	}
	/* DF, TF, AC and the rest now and then. */
	if ((r & 0x1c) == 0x1c)
		c.flags |= test_random(random) & 0x240dd5;
	for (i = 0; i < ENGINE_STACK_WORDS; i++)
		c.stack[i] = random_value(random);
	return c;
}

FIXTURE(random_code) {
	struct engine engine;
};

FIXTURE_VARIANT(random_code) {
	bool user, ldt;
	unsigned int slice, full;
};

/* On each of the two hosts. */
FIXTURE_VARIANT_ADD(random_code, at_user_level) { .user = true, .slice = 4000, .full = 38000 };
FIXTURE_VARIANT_ADD(random_code, at_kernel_level) { .user = false, .slice = 1000, .full = 12000 };
/* And with an LDT of the launcher's, which has to be there again. */
FIXTURE_VARIANT_ADD(random_code, beside_an_ldt) { .user = true, .ldt = true, .slice = 500, .full = 2500 };

FIXTURE_SETUP(random_code)
{
	if (variant->ldt)
		host_state_use_ldt();
	engine_start(&self->engine, 2000 * test_slowness(), 2);
}

FIXTURE_TEARDOWN(random_code)
{
	engine_stop(&self->engine);
}

TEST_F(random_code, ends_in_a_trap_or_a_sentence)
{
	static struct engine_case cases[ENGINE_CASES];
	static struct engine_result result[ENGINE_CASES];
	unsigned int streams = test_rounds(variant->slice, variant->full), done, n, i;
	uint64_t random = test_seed(variant->user + 2 * variant->ldt + 4 * sysconf(_SC_NPROCESSORS_ONLN));

	for (done = 0; done < streams; done += n) {
		for (n = 0; n < ENGINE_CASES && done + n < streams; n++)
			cases[n] = random_case(&random, variant->user);
		engine_run(&self->engine, cases, result, n);
		for (i = 0; i < n; i++) {
			if (result[i].outcome != ENGINE_TRAPPED)
				continue;
			/* A trap that there is; nobody else's handler ran. */
			ASSERT_GT(256, cases[i].vector) TH_LOG("stream %u", done + i);
		}
	}
	/* User level cannot end its kernel. */
	if (variant->user) {
		EXPECT_EQ(0, self->engine.outcomes[ENGINE_DIED]);
		EXPECT_EQ(0, self->engine.outcomes[ENGINE_SHUT_DOWN]);
	}
	EXPECT_LT(streams / 2, self->engine.outcomes[ENGINE_TRAPPED]);
}

TEST_HARNESS_MAIN
