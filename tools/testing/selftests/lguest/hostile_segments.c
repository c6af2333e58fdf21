// SPDX-License-Identifier: GPL-2.0
/*
 * Every selector into every segment register, and far jumps, calls and returns to every selector,
 * at both levels: nothing is reachable but the Guest's own segments (S3). guests/selectors.c says
 * what is right.
 *
 * lguest-host: timeout=600
 */
#include "harness.h"
#include "launcher.h"
#include "guests/selectors.h"

FIXTURE(selectors) {
};

FIXTURE_VARIANT(selectors) {
	uint32_t what;
	bool user, all;			/* all: also in a slice */
	uint32_t good;			/* how many can be loaded */
};

#define VARIANT(name, ...) FIXTURE_VARIANT_ADD(selectors, name) { __VA_ARGS__ }

#define BOTH(name, what, all, kernel_good, user_good)					\
	VARIANT(name##_at_kernel_level, what, false, all, kernel_good);			\
	VARIANT(name##_at_user_level, what, true, all, user_good)

/* Null with four RPLs, and each loadable segment with those that it may have. */
BOTH(into_ds, LOAD_DS, true, 20, 12);
BOTH(into_es, LOAD_ES, false, 20, 12);
BOTH(into_fs, LOAD_FS, false, 20, 12);
BOTH(into_gs, LOAD_GS, false, 20, 12);
BOTH(into_ss, LOAD_SS, true, 5, 1);
BOTH(by_far_jmp, FAR_JMP, true, 4, 4);
BOTH(by_far_call, FAR_CALL, false, 4, 4);
BOTH(by_far_ret, FAR_RET, false, 5, 1);

FIXTURE_SETUP(selectors)
{
}

FIXTURE_TEARDOWN(selectors)
{
}

TEST_F(selectors, every_value)
{
	uint32_t step = variant->all || test_rounds(0, 1) ? 1 : 61;
	struct vm vm;

	vm_start(&vm, "selectors", NULL);
	vm.mailbox->in[SELECTORS_WHAT] = variant->what;
	vm.mailbox->in[SELECTORS_USER] = variant->user;
	vm.mailbox->in[SELECTORS_STEP] = step;
	vm_pass(&vm);
	EXPECT_LE(0x1000 + 0xf000 / step, vm.mailbox->out[SELECTORS_DONE]);
	EXPECT_EQ(variant->good, vm.mailbox->out[SELECTORS_GOOD]);
	vm_stop(&vm);
}

TEST_HARNESS_MAIN
