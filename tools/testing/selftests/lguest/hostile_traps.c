// SPDX-License-Identifier: GPL-2.0
/*
 * Ways into the kernel and back that are none: INT n for all n, SYSENTER, SYSCALL; IRET frames of
 * every kind; flags that a Guest may not have; stacks that are not there, wrap, or may not be
 * written (S1, S2, S3, G1).
 *
 * lguest-host: timeout=600
 */
#include "harness.h"
#include "engine.h"

#include <asm/lguest.h>

#define VEC_DB		1
#define VEC_BP		3
#define VEC_OF		4
#define VEC_UD		6
#define VEC_GP		13
#define VEC_PF		14
#define SYSCALL_VECTOR	0x80

#define FLAGS_FIXED	0x2u
#define FLAGS_TF	0x100u
#define FLAGS_IF	0x200u
#define FLAGS_IOPL	0x3000u
#define FLAGS_NT	0x4000u
#define FLAGS_RF	0x10000u
#define FLAGS_VM	0x20000u
/* CF PF AF ZF SF DF OF AC ID: any Guest's own. */
#define FLAGS_FREE	0x240cd5u

FIXTURE(traps) {
	struct engine engine;
	struct engine_case cases[ENGINE_CASES];
	struct engine_result results[ENGINE_CASES];
};

FIXTURE_VARIANT(traps) {
	bool user;
};

FIXTURE_VARIANT_ADD(traps, from_user_level) { .user = true };
FIXTURE_VARIANT_ADD(traps, from_kernel_level) { .user = false };

FIXTURE_SETUP(traps)
{
	engine_start(&self->engine, 20000, 200);
}

FIXTURE_TEARDOWN(traps)
{
	engine_stop(&self->engine);
}

#define CODE(...)	((const uint8_t []){ __VA_ARGS__ }), sizeof((const uint8_t []){ __VA_ARGS__ })

static bool trapped(const struct engine_result *result, const struct engine_case *c, uint32_t vector,
		    uint32_t error)
{
	return result->outcome == ENGINE_TRAPPED && c->vector == vector && c->error == error;
}

/* ---- INT n ---- */
/* The engine's gates: 3, 4 and 0x80 are open to user level; the Host keeps four for itself. */
static bool gate_is_open(int n)
{
	return n == VEC_BP || n == VEC_OF || n == SYSCALL_VECTOR;
}

static bool gate_is_none(int n)
{
	return n == 2 || n == 8 || n == 15 || n == LGUEST_TRAP_ENTRY;
}

/* The stubs of these vectors take the first word for an error code, which INT n does not push. */
static bool stub_wants_error(int n)
{
	return n == 8 || (n >= 10 && n <= 14) || n == 17 || n == 21 || n == 29 || n == 30;
}

TEST_F(traps, int_n)
{
	int n;

	for (n = 0; n < 256; n++)
		self->cases[n] = engine_case(variant->user, CODE(0xcd, n));
	engine_run(&self->engine, self->cases, self->results, 256);
	for (n = 0; n < 256; n++) {
		struct engine_case *c = &self->cases[n];
		struct engine_result *result = &self->results[n];

		if (n == LGUEST_TRAP_ENTRY && !variant->user) {
			EXPECT_EQ(ENGINE_DIED, result->outcome);
			EXPECT_NE(NULL, strstr(result->sentence, "unknown hypercall"));
		} else if (variant->user ? !gate_is_open(n) : gate_is_none(n)) {
			EXPECT_TRUE(trapped(result, c, VEC_GP, n * 8 + 2)) {
				TH_LOG("INT %d: vector %u, error 0x%x", n, c->vector, c->error);
			}
			EXPECT_EQ(ENGINE_CODE, c->ip);
		} else {
			EXPECT_EQ(ENGINE_TRAPPED, result->outcome);
			EXPECT_EQ(n, c->vector);
			EXPECT_EQ(ENGINE_CODE + 2, stub_wants_error(n) ? c->error : c->ip);
		}
	}
}

/*
 * The fast ways lead nowhere that the Guest has not said (world-switch.rst: they led into the host
 * once).
 */
TEST_F(traps, fast_system_calls)
{
	int i;

	self->cases[0] = engine_case(variant->user, CODE(0x0f, 0x34));	/* SYSENTER */
	self->cases[1] = engine_case(variant->user, CODE(0x0f, 0x35));	/* SYSEXIT */
	self->cases[2] = engine_case(variant->user, CODE(0x0f, 0x05));	/* SYSCALL */
	self->cases[3] = engine_case(variant->user, CODE(0x0f, 0x07));	/* SYSRET */
	engine_run(&self->engine, self->cases, self->results, 4);
	EXPECT_TRUE(trapped(&self->results[0], &self->cases[0], VEC_GP, 0));
	EXPECT_TRUE(trapped(&self->results[1], &self->cases[1], VEC_GP, 0));
	EXPECT_TRUE(trapped(&self->results[2], &self->cases[2], VEC_UD, 0));
	EXPECT_TRUE(trapped(&self->results[3], &self->cases[3], VEC_UD, 0) ||
		    trapped(&self->results[3], &self->cases[3], VEC_GP, 0));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(ENGINE_CODE, self->cases[i].ip);
}

/* ---- Flags ---- */
/* POPF, and what PUSHF shows then. */
TEST_F(traps, popf_of_every_bit)
{
	uint32_t flags, changed;
	int bit;

	for (bit = 0; bit < 32; bit++) {
		/* POPF; NOP; PUSHF; POP EAX; INT3 */
		self->cases[bit] = engine_case(variant->user, CODE(0x9d, 0x90, 0x9c, 0x58, 0xcc));
		self->cases[bit].stack[0] = FLAGS_FIXED | 1u << bit;
	}
	engine_run(&self->engine, self->cases, self->results, 32);
	for (bit = 0; bit < 32; bit++) {
		struct engine_case *c = &self->cases[bit];

		flags = 1u << bit;
		EXPECT_EQ(ENGINE_TRAPPED, self->results[bit].outcome);
		if (flags == FLAGS_TF) {
			/* The trap comes behind the instruction after POPF. */
			EXPECT_EQ(VEC_DB, c->vector);
			EXPECT_EQ(ENGINE_CODE + 2, c->ip);
			continue;
		}
		EXPECT_EQ(VEC_BP, c->vector) TH_LOG("bit %d", bit);
		/*
		 * Its own bits are as it wants them; IOPL, VM, VIF, VIP and what is reserved never.
		 */
		changed = c->ax & ~(FLAGS_FIXED | FLAGS_IF | FLAGS_NT);
		EXPECT_EQ(flags & FLAGS_FREE, changed) TH_LOG("bit %d: flags 0x%x", bit, c->ax);
	}
}

/* NT makes IRET a task switch, which nobody gets; and it is gone at the next trap. */
TEST_F(traps, iret_with_nt)
{
	/* PUSHF; OR [ESP], NT; POPF; IRET */
	self->cases[0] = engine_case(variant->user,
				     CODE(0x9c, 0x81, 0x0c, 0x24, 0, 0x40, 0, 0, 0x9d, 0xcf));
	self->cases[1] = engine_case(variant->user, CODE(0x9c, 0x58, 0xcc));
	engine_run(&self->engine, self->cases, self->results, 2);
	EXPECT_NE(ENGINE_HUNG, self->results[0].outcome);
	EXPECT_EQ(ENGINE_TRAPPED, self->results[1].outcome);
	EXPECT_EQ(0, self->cases[1].ax & FLAGS_NT);
}

/* ---- IRET frames ---- */
static const uint16_t code_selectors[] = {
	0, 1, 3, 8, 0x10, 0x23, 0x20, 0x2b, 0x33, 0x40, 0x60, 0x61, 0x62, 0x63, 0x69, 0x73, 0x70, 0x7b, 7, 0x64,
	0x67, 0xfc8, 0xfcb, 0xfd3, 0xfe3, 0xff8, 0xffb, 0x1003, 0xfffb, 0xffff,
};

static const uint16_t stack_selectors[] = { 0, 3, 0x2b, 0x28, 0x7b, 0x69, 0x73, 0xfd3, 0xffff };

/* VM is not among those that go to ring 3 by themselves: QEMU hangs of it (testing.rst). */
static const uint32_t frame_flags[] = {
	0x202, 0x2, 0x302, 0x3202, 0x4202, 0x10202, 0x40202, 0x200202, 0x80202, 0x100202, 0x602, 0xffc1ffff & ~FLAGS_TF,
};

static bool is_user_code(uint16_t sel)
{
	return sel == 0x23 || sel == 0x73;
}

static bool is_user_data(uint16_t sel)
{
	return sel == 0x2b || sel == 0x7b;
}

/* What an IRET of these words must come to: a vector and its error code. */
static void expected_iret(bool user, uint16_t cs, uint32_t flags, uint16_t ss, uint32_t *vector, uint32_t *error)
{
	*vector = VEC_GP;
	*error = cs & 0xfffc;
	if (!(cs & ~3))
		*error = 0;
	else if (user ? is_user_code(cs) : cs >> 3 == 0x61 >> 3 && !(cs & 4))
		*vector = flags & FLAGS_TF ? VEC_DB : VEC_BP;
	else if (!user && is_user_code(cs)) {
		*error = ss & ~3 ? ss & 0xfffc : 0;
		if (is_user_data(ss))
			*vector = flags & FLAGS_TF ? VEC_DB : VEC_BP;
	}
	if (*vector != VEC_GP)
		*error = 0;
}

static void check_iret(struct __test_metadata *_metadata, FIXTURE_DATA(traps) *self, bool user, int count)
{
	static struct engine_case start[ENGINE_CASES];
	uint32_t vector, error;
	int i;

	memcpy(start, self->cases, sizeof(start));
	engine_run(&self->engine, self->cases, self->results, count);
	for (i = 0; i < count; i++) {
		uint16_t cs = start[i].stack[1], ss = start[i].stack[4];
		struct engine_case *c = &self->cases[i];

		expected_iret(user, cs, start[i].stack[2], ss, &vector, &error);
		/*
		 * Behind an IRET with TF there is INT3: which of the two comes first is not told
		 * here.
		 */
		EXPECT_TRUE(trapped(&self->results[i], c, vector, error) ||
			    (vector == VEC_DB && trapped(&self->results[i], c, VEC_BP, 0))) {
			TH_LOG("CS 0x%x, flags 0x%x, SS 0x%x: outcome %u (%s), vector %u, error 0x%x for %u, 0x%x",
			       cs, start[i].stack[2], ss, self->results[i].outcome, self->results[i].sentence,
			       c->vector, c->error, vector, error);
		}
		if (self->results[i].outcome != ENGINE_TRAPPED)
			continue;
		/* Whatever it loaded, it has not got what nobody may have (S2). */
		EXPECT_EQ(0, c->flags & (FLAGS_VM | 0x180000));
		if (vector == VEC_BP)
			EXPECT_EQ(is_user_code(cs) ? 3 : 1, c->cs & 3);
	}
}

TEST_F(traps, iret_frames_of_every_kind)
{
	int i, j, k, n = 0;

	for (i = 0; i < ARRAY_SIZE(code_selectors); i++) {
		for (j = 0; j < ARRAY_SIZE(frame_flags); j++) {
			for (k = 0; k < ARRAY_SIZE(stack_selectors); k++) {
				struct engine_case *c = &self->cases[n];

				/* Only a return to another level takes SS. */
				if (k && (variant->user || !is_user_code(code_selectors[i])))
					continue;
				/* IRET; NOPs; where it goes to: INT3 */
				*c = engine_case(variant->user, CODE(0xcf, 0x90, 0x90, 0x90, 0xcc));
				c->stack[0] = ENGINE_CODE + 4;
				c->stack[1] = code_selectors[i];
				c->stack[2] = frame_flags[j];
				c->stack[3] = ENGINE_STACK_MIDDLE;
				c->stack[4] = stack_selectors[k];
				if (++n == ENGINE_CASES) {
					check_iret(_metadata, self, variant->user, n);
					n = 0;
				}
			}
		}
	}
	check_iret(_metadata, self, variant->user, n);
}

/* ---- Stacks ---- */
static const uint32_t bad_stacks[] = {
	0, 1, 4, 8, 12, 0x50000000, 0x7fffffff, 0x80000000, 0xbffffffc, 0xfffffff0, 0xfffffffc, 0xffffffff,
	ENGINE_CODE + 0x800, ENGINE_CODE, ENGINE_CODE + 4, ENGINE_STACK, ENGINE_STACK + 4, ENGINE_STACK + 2,
	ENGINE_DATA + 2, ENGINE_STACK + 0x1004,
};

/*
 * A trap whose frame has no place: at kernel level the Guest's end, at user level nobody's
 * business.
 */
TEST_F(traps, with_bad_stacks)
{
	/* MOV ESP, imm; then UD2, INT3, a PUSH, a CALL, a page fault, a POPF. */
	static const uint8_t then[][5] = {
		{ 0x0f, 0x0b }, { 0xcc }, { 0x50, 0xcc }, { 0xe8, 0, 0, 0, 0 }, { 0xa1, 0, 0, 0, 0x60 }, { 0x9d, 0xcc },
	};
	int i, j, n;

	for (i = 0; i < ARRAY_SIZE(bad_stacks); i++) {
		uint32_t sp = bad_stacks[i];

		for (j = n = 0; j < ARRAY_SIZE(then); j++, n++)
			self->cases[n] = engine_case(variant->user,
						     CODE(0xbc, sp, sp >> 8, sp >> 16, sp >> 24, then[j][0], then[j][1],
							  then[j][2], then[j][3], then[j][4], 0xcc));
		engine_run(&self->engine, self->cases, self->results, n);
		for (j = 0; j < n; j++) {
			EXPECT_NE(ENGINE_HUNG, self->results[j].outcome) TH_LOG("ESP 0x%x", sp);
			if (variant->user) {
				EXPECT_EQ(ENGINE_TRAPPED, self->results[j].outcome) {
					TH_LOG("ESP 0x%x: %s", sp, self->results[j].sentence);
				}
			} else if (self->results[j].outcome == ENGINE_DIED) {
				EXPECT_LT(10, strlen(self->results[j].sentence));
			}
		}
		/*
		 * UD2 without a stack: a page fault on the way, and no handler for what that makes.
		 */
		if (!variant->user && (sp & 0xfff00000) == 0x50000000) {
			EXPECT_EQ(ENGINE_DIED, self->results[0].outcome);
			EXPECT_NE(NULL, strstr(self->results[0].sentence, "fault")) {
				TH_LOG("%s", self->results[0].sentence);
			}
		}
	}
}

/* SET_STACK to anywhere, and then a trap from user level. */
TEST(traps_with_bad_kernel_stacks)
{
	static const uint32_t selectors[] = { 0x69, 0x68, 0x61, 0, 0x7b, 0xfd0, 0x1000, 0xfff8 };
	struct engine_result results[2];
	struct engine_case cases[2];
	struct engine engine;
	int i, j;

	engine_start(&engine, 20000, 200);
	for (i = 0; i < ARRAY_SIZE(bad_stacks); i++) {
		for (j = 0; j < ARRAY_SIZE(selectors); j++) {
			/* INT 0x1f, EAX and the others being the call's; INT3 */
			cases[0] = engine_case(false, CODE(0xcd, 0x1f, 0xcc));
			cases[0].ax = LHCALL_SET_STACK;
			cases[0].bx = selectors[j];
			cases[0].cx = bad_stacks[i];
			/* Each stack is said to have no page, one and two. */
			cases[0].dx = (i + j) % 3;
			cases[1] = engine_case(true, CODE(0x0f, 0x0b));
			memset(results, 0, sizeof(results));
			engine_run(&engine, cases, results, 2);
			EXPECT_NE(ENGINE_HUNG, results[0].outcome);
			EXPECT_NE(ENGINE_HUNG, results[1].outcome);
			/* Where nothing is mapped nothing can be pushed. */
			if (bad_stacks[i] == 0x50000000) {
				EXPECT_TRUE(results[0].outcome == ENGINE_DIED ||
					    results[1].outcome == ENGINE_DIED);
				EXPECT_LT(10, strlen(results[0].sentence) + strlen(results[1].sentence));
			}
			/* The next ones get a Guest with a stack of its own. */
			engine_drop(&engine);
		}
	}
	engine_stop(&engine);
}

/* More pages than there may be end the Guest, whatever else is right. */
TEST(kernel_stacks_of_too_many_pages)
{
	static const uint32_t pages[] = { 3, 0xff, 0x10001, 0x7fffffff, 0x80000002, 0xffffffff };
	struct engine_result results[ARRAY_SIZE(pages)] = {};
	struct engine_case cases[ARRAY_SIZE(pages)];
	struct engine engine;
	char want[64];
	int i;

	engine_start(&engine, 20000, 200);
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		cases[i] = engine_case(false, CODE(0xcd, 0x1f, 0xcc));
		cases[i].ax = LHCALL_SET_STACK;
		cases[i].bx = 0x69;
		cases[i].cx = ENGINE_STACK + 0x1000;
		cases[i].dx = pages[i];
	}
	engine_run(&engine, cases, results, ARRAY_SIZE(pages));
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		snprintf(want, sizeof(want), "SET_STACK with %u stack pages", pages[i]);
		EXPECT_EQ(ENGINE_DIED, results[i].outcome);
		EXPECT_NE(NULL, strstr(results[i].sentence, want)) TH_LOG("%s", results[i].sentence);
	}
	engine_stop(&engine);
}

TEST_HARNESS_MAIN
