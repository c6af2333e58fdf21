// SPDX-License-Identifier: GPL-2.0
/*
 * Registers that a hostile launcher sets, and traps that it sends, in a Guest that then runs with
 * them: selectors of the Host's among them, flags, stacks and instruction pointers anywhere. The
 * Guest goes on, or ends with a sentence; the Host and this process keep what is theirs (S1, S2,
 * S3, S5, G1).
 */
#include <signal.h>

#include "harness.h"
#include "host_state.h"
#include "launcher.h"
#include "guests/work.h"

#include <asm/lguest.h>

/* It ends a read. */
static void on_alarm(int number)
{
}

/* At its first word to the launcher, deep in C code; an endless loop of it is ended by a signal. */
static void start(struct vm *vm)
{
	vm_start(vm, "work", NULL);
	vm->mailbox->in[WORK_MODE] = WORK_SYNC;
	vm_sync(vm, 0);
}

/*
 * True if the Guest is there still and as good as before. Its own handler may have something to
 * say of a trap, which is no failure here.
 */
static bool bears(struct __test_metadata *_metadata, struct vm *vm, const char *what,
		  uint32_t value)
{
	int came;

	ualarm(100000, 100000);
	came = host_state_run(vm->fd, &vm->exit) ?: vm->exit.reason;
	ualarm(0, 0);
	EXPECT_TRUE(came > 0 || came == -EINTR) {
		TH_LOG("%s 0x%x: %s", what, value, strerror(-came));
	}
	if (came == LGUEST_EXIT_DEATH)
		EXPECT_LT(10, strlen(vm->exit.text));
	return came == LGUEST_EXIT_NOTIFY && vm->mailbox->op == MAILBOX_SYNC;
}

/* Null, the Guest's own, the host's code, data, TSS and LDT, ours at the top, the last ones. */
static const uint16_t selectors[] = {
	0, 1, 2, 3, 4, 7, 8, 0x10, 0x13, 0x18, 0x1b, 0x23, 0x2b, 0x33, 0x38, 0x40, 0x43, 0x48, 0x60,
	0x61, 0x63, 0x64, 0x68, 0x69, 0x6b, 0x6f, 0x70, 0x73, 0x78, 0x7b, 0x80, 0xd8, 0xf8,
	0xfb8, 0xfbb, 0xfc0, 0xfc8, 0xfcb, 0xfcc, 0xfd0, 0xfd1, 0xfd3, 0xfd8, 0xfe0, 0xfe3, 0xfe8,
	0xff0, 0xff3, 0xff8, 0xffb, 0xfff, 0x1000, 0x1003, 0x8000, 0xfff8, 0xfffc, 0xffff,
};

FIXTURE(selectors) {
	struct vm vm;
};

FIXTURE_VARIANT(selectors) {
	enum lguest_reg reg;
};

FIXTURE_VARIANT_ADD(selectors, cs) { LGUEST_REG_CS };
FIXTURE_VARIANT_ADD(selectors, ss) { LGUEST_REG_SS };
FIXTURE_VARIANT_ADD(selectors, ds) { LGUEST_REG_DS };
FIXTURE_VARIANT_ADD(selectors, es) { LGUEST_REG_ES };
FIXTURE_VARIANT_ADD(selectors, fs) { LGUEST_REG_FS };
FIXTURE_VARIANT_ADD(selectors, gs) { LGUEST_REG_GS };

FIXTURE_SETUP(selectors)
{
	signal(SIGALRM, on_alarm);
	start(&self->vm);
}

FIXTURE_TEARDOWN(selectors)
{
	vm_stop(&self->vm);
}

TEST_F(selectors, are_run_with)
{
	unsigned int i, lived = 0;
	uint64_t before, now;

	for (i = 0; i < ARRAY_SIZE(selectors); i++) {
		ASSERT_EQ(0, lguest_get_reg(self->vm.fd, variant->reg, &before));
		ASSERT_EQ(0, lguest_set_reg(self->vm.fd, variant->reg, selectors[i]));
		if (!bears(_metadata, &self->vm, "selector", selectors[i])) {
			vm_stop(&self->vm);
			start(&self->vm);
			continue;
		}
		lived++;
		/* None of the Host's has stayed in a register. */
		ASSERT_EQ(0, lguest_get_reg(self->vm.fd, variant->reg, &now));
		EXPECT_TRUE((now & ~3ull) == 0x60 || (now & ~3ull) == 0x68 || !(now & ~3ull) ||
			    now >> 3 < LGUEST_IRQ_LINES) {
			TH_LOG("0x%x for 0x%x", (int)now, selectors[i]);
		}
		ASSERT_EQ(0, lguest_set_reg(self->vm.fd, variant->reg, before));
	}
	/* Its own at least. */
	EXPECT_LT(0, lived);
}

FIXTURE(registers) {
	struct vm vm;
};

FIXTURE_SETUP(registers)
{
	signal(SIGALRM, on_alarm);
	start(&self->vm);
}

FIXTURE_TEARDOWN(registers)
{
	vm_stop(&self->vm);
}

/* Each flag that may be set, alone: TF single-steps a Guest that has no handler, and so on. */
TEST_F(registers, flags)
{
	unsigned int bit;
	uint64_t before;

	for (bit = 0; bit < 32; bit++) {
		ASSERT_EQ(0, lguest_get_reg(self->vm.fd, LGUEST_REG_FLAGS, &before));
		if (lguest_set_reg(self->vm.fd, LGUEST_REG_FLAGS, 2 | 1u << bit))
			continue;
		if (!bears(_metadata, &self->vm, "flag", bit)) {
			vm_stop(&self->vm);
			start(&self->vm);
			continue;
		}
		ASSERT_EQ(0, lguest_set_reg(self->vm.fd, LGUEST_REG_FLAGS, before));
	}
}

/* Where code or stack may not be, wraps, or is not there. */
static const uint32_t addresses[] = {
	0, 1, 3, 0xfff, 0x1000, 0x7fffffff, 0x80000000, 0xbfffffff, 0xc0000000, 0xc0fffffe,
	0xc1000000, 0xfee00000, 0xfffff000, 0xfffffffe, 0xffffffff,
};

TEST_F(registers, code_and_stack_anywhere)
{
	static const enum lguest_reg regs[] = { LGUEST_REG_IP, LGUEST_REG_SP, LGUEST_REG_BP };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(regs); i++) {
		for (j = 0; j < ARRAY_SIZE(addresses); j++) {
			ASSERT_EQ(0, lguest_set_reg(self->vm.fd, regs[i], addresses[j]));
			bears(_metadata, &self->vm, "register", addresses[j]);
			vm_stop(&self->vm);
			start(&self->vm);
		}
	}
}

/* ---- Traps of the launcher's ---- */
TEST_F(registers, each_trap_at_the_first_instruction)
{
	unsigned int vector;
	struct vm vm;

	for (vector = 0; vector < 32; vector++) {
		vm_start(&vm, "work", NULL);
		ASSERT_EQ(0, lguest_trap(vm.fd, vector));
		/* It has no handler yet: there is one sentence for each, and it is the end. */
		EXPECT_EQ(LGUEST_EXIT_DEATH, vm_run(&vm));
		EXPECT_NE(NULL, strstr(vm.exit.text, "no handler")) TH_LOG("%s", vm.exit.text);
		EXPECT_EQ(-ENOENT, lguest_trap(vm.fd, vector));
		vm_stop(&vm);
	}
}

TEST_F(registers, each_trap_later)
{
	unsigned int vector, times;

	for (vector = 0; vector < 32; vector++) {
		/* One upon the other, until its stack is used up or it has no handler for one. */
		for (times = 0; times < 20; times++)
			if (lguest_trap(self->vm.fd, vector))
				break;
		bears(_metadata, &self->vm, "trap", vector);
		vm_stop(&self->vm);
		start(&self->vm);
	}
	/* However often: its stack has an end. */
	for (times = 0; times < 1000000; times++)
		if (lguest_trap(self->vm.fd, 3))
			break;
	EXPECT_GT(1000000, times);
	EXPECT_EQ(LGUEST_EXIT_DEATH, vm_run(&self->vm));
}

/* An access that waits for its answer, and the ground goes from under it. */
TEST_F(registers, moved_while_an_access_waits)
{
	static const enum lguest_reg regs[] = { LGUEST_REG_IP, LGUEST_REG_DX, LGUEST_REG_SP,
						LGUEST_REG_CS, LGUEST_REG_SS };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(regs); i++) {
		for (j = 0; j < ARRAY_SIZE(addresses); j += 3) {
			struct vm vm;

			vm_start(&vm, "work", NULL);
			/* rep insb; at its very start, by the launcher's hand */
			memcpy(vm.memory.base + vm.entry, "\xf3\x6c\xeb\xfc", 4);
			ASSERT_EQ(0, lguest_window(vm.fd, LGUEST_SPACE_PORT, 0x70, 2, true));
			ASSERT_EQ(0, lguest_set_reg(vm.fd, LGUEST_REG_DX, 0x70));
			ASSERT_EQ(0, lguest_set_reg(vm.fd, LGUEST_REG_DI, 0x800ffe));
			ASSERT_EQ(0, lguest_set_reg(vm.fd, LGUEST_REG_CX, 0xffffffff));
			ASSERT_EQ(LGUEST_EXIT_PORT, vm_run(&vm));
			lguest_set_reg(vm.fd, regs[i],
				       addresses[j] & (regs[i] == LGUEST_REG_CS ||
						       regs[i] == LGUEST_REG_SS ? 0xffff : ~0u));
			lguest_answer(vm.fd, 0x5a);
			bears(_metadata, &vm, "moved", addresses[j]);
			lguest_trap(vm.fd, 13);
			bears(_metadata, &vm, "moved and trapped", addresses[j]);
			vm_stop(&vm);
		}
	}
}

TEST_HARNESS_MAIN
