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
	bool user;
	uint32_t good;			/* how many can be loaded */
};

#define VARIANT(name, ...) FIXTURE_VARIANT_ADD(selectors, name) { __VA_ARGS__ }

#define BOTH(name, what, kernel_good, user_good)					\
	VARIANT(name##_at_kernel_level, what, false, kernel_good);			\
	VARIANT(name##_at_user_level, what, true, user_good)

/* Null with four RPLs, and each loadable segment with those that it may have. */
BOTH(into_ds, LOAD_DS, 20, 12);
BOTH(into_es, LOAD_ES, 20, 12);
BOTH(into_fs, LOAD_FS, 20, 12);
BOTH(into_gs, LOAD_GS, 20, 12);
BOTH(into_ss, LOAD_SS, 5, 1);
BOTH(by_far_jmp, FAR_JMP, 4, 4);
BOTH(by_far_call, FAR_CALL, 4, 4);
BOTH(by_far_ret, FAR_RET, 5, 1);

FIXTURE_SETUP(selectors)
{
}

FIXTURE_TEARDOWN(selectors)
{
}

TEST_F(selectors, every_value)
{
	/* All that can lie in a GDT of ours, and a slice of the others, another one each time. */
	uint32_t step = test_rounds(0, 1) ? 1 : 61;
	struct vm vm;

	vm_start(&vm, "selectors", NULL);
	vm.mailbox->in[SELECTORS_WHAT] = variant->what;
	vm.mailbox->in[SELECTORS_USER] = variant->user;
	vm.mailbox->in[SELECTORS_STEP] = step;
	vm.mailbox->in[SELECTORS_SKIP] = test_seed(variant->what + SELECTORS_KINDS * variant->user) % step;
	vm_pass(&vm);
	EXPECT_LE(SELECTORS_ALL_BELOW + (0x10000 - SELECTORS_ALL_BELOW) / step,
		  vm.mailbox->out[SELECTORS_DONE]);
	EXPECT_EQ(variant->good, vm.mailbox->out[SELECTORS_GOOD]);
	vm_stop(&vm);
}

/* The Host works with its own data segments, whatever the Guest left in DS and ES (S5). */
TEST(data_far_away)
{
	struct vm vm;

	/* The Host has to find memory for each page. */
	vm_small_pages();
	vm_start(&vm, "far_data", NULL);
	vm_pass(&vm);
	vm_stop(&vm);
}

TEST_HARNESS_MAIN
