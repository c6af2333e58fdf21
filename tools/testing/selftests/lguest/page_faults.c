// SPDX-License-Identifier: GPL-2.0
/*
 * Page faults have the error code that the processor would give for the Guest's own tables, in each
 * format (M1): guests/page_faults.c has the table, this counts that all of it was gone through.
 */
#include "harness.h"
#include "launcher.h"
#include "guests/page_faults.h"

FIXTURE(page_faults) {
};

FIXTURE_VARIANT(page_faults) {
	uint32_t format, large;
	int rights;			/* bits of them: present, writable, user, NX */
};

FIXTURE_VARIANT_ADD(page_faults, of_2_level_tables) { FORMAT_2LEVEL, 0, 3 };
FIXTURE_VARIANT_ADD(page_faults, of_4_MiB_pages) { FORMAT_2LEVEL, 1, 3 };
FIXTURE_VARIANT_ADD(page_faults, of_pae_tables) { FORMAT_PAE, 0, 3 };
FIXTURE_VARIANT_ADD(page_faults, of_pae_2_MiB_pages) { FORMAT_PAE, 1, 3 };
FIXTURE_VARIANT_ADD(page_faults, of_pae_tables_with_nx) { FORMAT_PAE_NX, 0, 4 };
FIXTURE_VARIANT_ADD(page_faults, of_pae_2_MiB_pages_with_nx) { FORMAT_PAE_NX, 1, 4 };

FIXTURE_SETUP(page_faults)
{
}

FIXTURE_TEARDOWN(page_faults)
{
}

static void check(struct __test_metadata *_metadata, const FIXTURE_VARIANT(page_faults) *variant,
		  uint32_t page_offset)
{
	/* Rights of one level or of two; WP; read, write, fetch; kernel, user. */
	int cases = (variant->large ? 1 << variant->rights : 1 << 2 * variant->rights) * 2 * 3 * 2;
	struct vm vm;

	vm_start(&vm, "page_faults", &(struct vm_options){ .page_offset = page_offset });
	vm.mailbox->in[FAULTS_FORMAT] = variant->format;
	vm.mailbox->in[FAULTS_LARGE] = variant->large;
	vm_pass(&vm);
	EXPECT_EQ(cases, vm.mailbox->out[FAULTS_DONE]);
	/* Some were allowed, most were not. */
	EXPECT_LT(cases / 2, vm.mailbox->out[FAULTS_FAULTED]);
	EXPECT_LT(vm.mailbox->out[FAULTS_FAULTED], cases);
	vm_stop(&vm);
}

TEST_F(page_faults, have_the_right_error_code)
{
	check(_metadata, variant, PAGE_OFFSET_DEFAULT);
}

TEST_F(page_faults, have_the_right_error_code_elsewhere)
{
	check(_metadata, variant, PAGE_OFFSET_OTHER);
}

TEST_HARNESS_MAIN
