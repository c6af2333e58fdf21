// SPDX-License-Identifier: GPL-2.0
/*
 * Every hypercall with arguments that a hostile Guest would think of, and before LGUEST_INIT: the
 * Guest goes on or ends with a sentence that names the call; the Host has no other answer (M6, G1).
 *
 * lguest-host: timeout=600
 */
#include <sys/klog.h>
#include <time.h>

#include "harness.h"
#include "engine.h"
#include "host_state.h"

#include <asm/lguest.h>

/* Of the engine's Guest. */
#define MEMORY		(16u << 20)

static const char *const names[] = {
	[LHCALL_FLUSH_ASYNC] = "FLUSH_ASYNC", [LHCALL_LGUEST_INIT] = "LGUEST_INIT",
	[LHCALL_SHUTDOWN] = "SHUTDOWN", [LHCALL_NEW_PGTABLE] = "NEW_PGTABLE",
	[LHCALL_FLUSH_TLB] = "FLUSH_TLB", [LHCALL_LOAD_IDT_ENTRY] = "LOAD_IDT_ENTRY",
	[LHCALL_SET_STACK] = "SET_STACK", [LHCALL_TS] = "TS", [LHCALL_SET_CLOCKEVENT] = "SET_CLOCKEVENT",
	[LHCALL_HALT] = "HALT", [LHCALL_SET_PMD] = "SET_PMD", [LHCALL_SET_PTE] = "SET_PTE",
	[LHCALL_SET_PGD] = "SET_PGD", [LHCALL_LOAD_TLS] = "LOAD_TLS", [LHCALL_NOTIFY] = "NOTIFY",
	[LHCALL_LOAD_GDT_ENTRY] = "LOAD_GDT_ENTRY", [LHCALL_SEND_INTERRUPTS] = "SEND_INTERRUPTS",
};

#define NUMBERS		ARRAY_SIZE(names)

static const uint32_t values[] = {
	0, 1, 2, 31, 255, 511, 1023, 1024, 0xfff, 0x1000, 0xffff, 0x10000, MEMORY - 4096, MEMORY - 4, MEMORY - 1,
	MEMORY, MEMORY + 4, 0x7fffffff, 0x80000000, 0xc0000000, 0xfffff000, 0xfffffffc, 0xffffffff,
};

static const uint8_t call[] = { 0xcd, LGUEST_TRAP_ENTRY, 0xcc };

static struct engine_case hypercall(uint32_t number, uint32_t bx, uint32_t cx, uint32_t dx, uint32_t si)
{
	struct engine_case c = engine_case(false, call, sizeof(call));

	c.ax = number;
	c.bx = bx;
	c.cx = cx;
	c.dx = dx;
	c.si = si;
	return c;
}

/*
 * Ticks until a case is said to hang. Many do, of wild arguments; where none may, that is found out at
 * leisure, however slow the machine is.
 */
#define AT_ONCE		4
#define AT_LEISURE	400

FIXTURE(hypercalls) {
	struct engine engine;
	struct engine_case cases[ENGINE_CASES];
	struct engine_result results[ENGINE_CASES];
};

FIXTURE_SETUP(hypercalls)
{
	engine_start(&self->engine, 5000, AT_ONCE);
}

FIXTURE_TEARDOWN(hypercalls)
{
	engine_stop(&self->engine);
}

/*
 * One of the arguments wild, the others each of a few values; in a slice half of the wild ones, each
 * with one of these. A call that asks for something that ends the Guest only later (tables, stacks,
 * gates) may do that; what is told here and now names the call.
 */
TEST_F(hypercalls, with_wild_arguments)
{
	static const uint32_t others[] = { 0, 1, 0x1000, 0xffffffff };
	bool all = test_rounds(0, 1);
	int number, v, o, a, b, n, died = 0, step = all ? 1 : ARRAY_SIZE(others);
	uint64_t random = test_seed(0);
	uint32_t arg[4];

	for (number = 0; number < NUMBERS; number++) {
		/* A HALT never comes back here; one is enough. */
		int last = number == LHCALL_HALT ? 1 : ARRAY_SIZE(values);

		if (!names[number])
			continue;
		self->engine.patience = number == LHCALL_LGUEST_INIT ? AT_LEISURE : AT_ONCE;
		for (v = 0; v < last; v++) {
			if (!all && last > 1 && test_random(&random) & 1)
				continue;
			n = 0;
			for (a = 0; a < 4; a++) {
				for (o = test_random(&random) % step; o < ARRAY_SIZE(others); o += step) {
					for (b = 0; b < 4; b++)
						arg[b] = b == a ? values[v] : others[o];
					self->cases[n++] = hypercall(number, arg[0], arg[1], arg[2], arg[3]);
					if (number == LHCALL_HALT || number == LHCALL_LGUEST_INIT)
						break;
				}
				if (number == LHCALL_HALT)
					break;
			}
			engine_run(&self->engine, self->cases, self->results, n);
			/* What one call did is not the next one's business. */
			engine_drop(&self->engine);
			for (b = 0; b < n; b++) {
				const char *sentence = self->results[b].sentence;

				if (self->results[b].outcome != ENGINE_DIED)
					continue;
				died++;
				EXPECT_TRUE(strstr(sentence, names[number]) || strstr(sentence, "fault") ||
					    strstr(sentence, "handler") || strstr(sentence, "segment") ||
					    strstr(sentence, "memory")) {
					TH_LOG("%s: %s", names[number], sentence);
				}
			}
			if (number == LHCALL_HALT)
				EXPECT_EQ(ENGINE_HUNG, self->results[0].outcome);
			if (number == LHCALL_LGUEST_INIT)
				EXPECT_NE(NULL, strstr(self->results[0].sentence, "LGUEST_INIT a second time"));
		}
	}
	EXPECT_LT(100, died);
}

/* Not one register is another afterwards, whatever the call was. */
TEST_F(hypercalls, change_no_register)
{
	static const uint32_t harmless[] = { LHCALL_FLUSH_ASYNC, LHCALL_FLUSH_TLB, LHCALL_TS, LHCALL_SET_CLOCKEVENT,
					     LHCALL_SET_PGD, LHCALL_SET_PTE, LHCALL_SEND_INTERRUPTS, LHCALL_NOTIFY };
	int i;

	self->engine.patience = AT_LEISURE;
	for (i = 0; i < ARRAY_SIZE(harmless); i++) {
		struct engine_case before = hypercall(harmless[i], 0, 0, 0, 0), after = before;

		before.bp = after.bp = 0x12345678;
		before.di = after.di = 0x9abcdef0;
		engine_run(&self->engine, &after, self->results, 1);
		EXPECT_EQ(ENGINE_TRAPPED, self->results[0].outcome) TH_LOG("%s", names[harmless[i]]);
		EXPECT_EQ(3, after.vector);
		EXPECT_EQ(ENGINE_CODE + 3, after.ip);
		EXPECT_TRUE(before.ax == after.ax && before.bx == after.bx && before.cx == after.cx &&
			    before.dx == after.dx && before.si == after.si && before.di == after.di &&
			    before.bp == after.bp && before.sp == after.sp);
	}
}

TEST_F(hypercalls, unknown_numbers)
{
	static const uint32_t numbers[] = { 3, 11, 12, 20, 21, 63, 64, 255, 256, 0x7fffffff, 0x80000000, 0xffffffff,
					    0x10001 };
	char want[64];
	int i;

	self->engine.patience = AT_LEISURE;
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		self->cases[0] = hypercall(numbers[i], 0, 0, 0, 0);
		engine_run(&self->engine, self->cases, self->results, 1);
		snprintf(want, sizeof(want), "unknown hypercall %u", numbers[i]);
		EXPECT_EQ(ENGINE_DIED, self->results[0].outcome);
		EXPECT_NE(NULL, strstr(self->results[0].sentence, want)) TH_LOG("%s", self->results[0].sentence);
	}
}

/* From user level it is no hypercall, whatever the number. */
TEST_F(hypercalls, not_from_user_level)
{
	int number;

	self->engine.patience = AT_LEISURE;
	for (number = 0; number < 32; number++) {
		self->cases[number] = engine_case(true, call, sizeof(call));
		self->cases[number].ax = number;
	}
	engine_run(&self->engine, self->cases, self->results, 32);
	for (number = 0; number < 32; number++) {
		EXPECT_EQ(ENGINE_TRAPPED, self->results[number].outcome);
		EXPECT_EQ(13, self->cases[number].vector);
		EXPECT_EQ(LGUEST_TRAP_ENTRY * 8 + 2, self->cases[number].error);
	}
}

/* ---- Guests that have not begun ---- */
/*
 * A Guest of a few bytes at physical 0x10000, which may set EAX and EBX by itself: runs to its end.
 */
static void first_call(struct vm *vm, uint32_t number, uint32_t bx)
{
	const uint8_t code[] = { 0xb8, number, number >> 8, number >> 16, number >> 24,
				 0xbb, bx, bx >> 8, bx >> 16, bx >> 24, 0xcd, LGUEST_TRAP_ENTRY, 0x0f, 0x0b };

	vm_load(vm, "identity", NULL);
	memcpy(vm->memory.base + vm->entry, code, sizeof(code));
	if (lguest_initialize(vm->fd, vm->memory.base, vm->memory.size / LGUEST_PAGE_SIZE, vm->pgdir, vm->entry))
		FAIL("INITIALIZE");
}

TEST(no_hypercall_before_init)
{
	struct vm vm;
	uint32_t n;

	for (n = 0; n < NUMBERS; n++) {
		if (!names[n] || n == LHCALL_LGUEST_INIT)
			continue;
		first_call(&vm, n, 0);
		vm_dies(&vm, "before LGUEST_INIT");
		EXPECT_NE(NULL, strstr(vm.exit.text, names[n]));
		vm_stop(&vm);
	}
	first_call(&vm, 3, 0);
	vm_dies(&vm, "unknown hypercall 3");
	vm_stop(&vm);
}

/* struct lguest_data where it cannot be, or only just not; and where it just can. */
TEST(init_with_data_anywhere)
{
	const uint32_t size = sizeof(struct lguest_data);
	const uint32_t bad[] = { 0, MEMORY, MEMORY - 4, MEMORY - size + 1, 0x7fffffff, 0x80000000, 0xc0000000,
				 0xfffff000, 0xffffffff, -size };
	struct vm vm;
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		first_call(&vm, LHCALL_LGUEST_INIT, bad[i]);
		vm_dies(&vm, "LGUEST_INIT");
		vm_stop(&vm);
	}
	/*
	 * The UD2 behind the call finds no handler: the call was all right. Also across a page,
	 * also odd.
	 */
	first_call(&vm, LHCALL_LGUEST_INIT, 0x8000 - 7);
	vm_dies(&vm, "invalid opcode");
	vm_stop(&vm);
	first_call(&vm, LHCALL_LGUEST_INIT, MEMORY - size);
	vm_dies(&vm, "");
	vm_stop(&vm);
}

/* What the host's log has of Guests that ended. */
static int lines_of_deaths(void)
{
	static char log[1 << 20];
	const char *line = log;
	int len = klogctl(3, log, sizeof(log) - 1), lines = 0;

	if (len < 0)
		FAIL("klogctl: %s", strerror(errno));
	log[len] = 0;
	for (; (line = strstr(line, "lguest: guest of ")); line++)
		lines++;
	return lines;
}

/* Each of them says why it ended, to its launcher; the host's log is not theirs to fill (G1). */
TEST(deaths_do_not_fill_the_log)
{
	const int guests = 60, burst = 10, seconds = 5;	/* of printk_ratelimit's default */
	int i, lines = lines_of_deaths();
	struct timespec began, ended;
	struct vm vm;

	clock_gettime(CLOCK_MONOTONIC, &began);
	for (i = 0; i < guests; i++) {
		first_call(&vm, 3, 0);
		vm_dies(&vm, "unknown hypercall 3");
		vm_stop(&vm);
	}
	clock_gettime(CLOCK_MONOTONIC, &ended);
	lines = lines_of_deaths() - lines;
	TH_LOG("%d lines of %d deaths", lines, guests);
	EXPECT_GE(burst * ((ended.tv_sec - began.tv_sec) / seconds + 2), lines);
}

TEST_HARNESS_MAIN
