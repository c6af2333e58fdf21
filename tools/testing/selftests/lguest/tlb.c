// SPDX-License-Identifier: GPL-2.0
/*
 * The shadow is a TLB (design decision 4; M1, M2, M4): what may be stale, for how long, and what
 * never.
 *
 * lguest-host: mem=1024 timeout=200
 */
#include "harness.h"
#include "launcher.h"
#include "guests/tlb.h"

#include <sys/mman.h>

#define MIB	(1ull << 20)

FIXTURE(tlb) {
	struct vm vm;
};

FIXTURE_VARIANT(tlb) {
	uint32_t pae, page_offset;
};

FIXTURE_VARIANT_ADD(tlb, of_2_level_tables) { 0, PAGE_OFFSET_DEFAULT };
FIXTURE_VARIANT_ADD(tlb, of_2_level_tables_elsewhere) { 0, PAGE_OFFSET_OTHER };
FIXTURE_VARIANT_ADD(tlb, of_pae_tables) { 1, PAGE_OFFSET_DEFAULT };

FIXTURE_SETUP(tlb)
{
	vm_start(&self->vm, "tlb", &(struct vm_options){ .page_offset = variant->page_offset,
							 .memory = 64 * MIB });
	self->vm.mailbox->in[TLB_PAE] = variant->pae;
}

FIXTURE_TEARDOWN(tlb)
{
	vm_stop(&self->vm);
}

TEST_F(tlb, nothing_stale_after_any_flush)
{
	self->vm.mailbox->in[TLB_MODE] = TLB_FLUSHES;
	vm_pass(&self->vm);
}

/*
 * Tables, ten thousand in check-long, each accessed, against a model of all that the tables said since the last
 * flush.
 */
TEST_F(tlb, random_tables_grant_what_they_once_allowed)
{
	uint64_t seed = test_seed(variant->pae);
	uint32_t steps = test_rounds(3000, 10000);

	self->vm.mailbox->in[TLB_MODE] = TLB_RANDOM;
	self->vm.mailbox->in[TLB_STEPS] = steps;
	self->vm.mailbox->in[TLB_SEED] = seed;
	vm_pass(&self->vm);
	EXPECT_EQ(steps, self->vm.mailbox->out[TLB_DONE]);
	/* It was a test: both happened often, and stale entries were seen. */
	EXPECT_LT(steps / 10, self->vm.mailbox->out[TLB_ALLOWED]);
	EXPECT_LT(steps / 10, self->vm.mailbox->out[TLB_FAULTED]);
	TH_LOG("%u allowed, %u of them by something stale, %u faults",
	       self->vm.mailbox->out[TLB_ALLOWED], self->vm.mailbox->out[TLB_STALE],
	       self->vm.mailbox->out[TLB_FAULTED]);
}

TEST_F(tlb, large_pages)
{
	self->vm.mailbox->in[TLB_MODE] = TLB_LARGE;
	vm_pass(&self->vm);
}

/* The same with huge pages behind them in the host. */
TEST_F(tlb, large_pages_on_huge_pages)
{
	ASSERT_EQ(0, madvise(self->vm.memory.base, self->vm.memory.size, MADV_HUGEPAGE));
	self->vm.mailbox->in[TLB_MODE] = TLB_LARGE;
	vm_pass(&self->vm);
}

TEST(page_directories_come_and_go)
{
	static const uint32_t offset[] = { PAGE_OFFSET_DEFAULT, PAGE_OFFSET_OTHER };
	struct vm vm;
	int i;

	for (i = 0; i < ARRAY_SIZE(offset); i++) {
		vm_start(&vm, "tlb", &(struct vm_options){ .page_offset = offset[i] });
		vm.mailbox->in[TLB_MODE] = TLB_DIRECTORIES;
		vm_pass(&vm);
		vm_stop(&vm);
	}
}

TEST_HARNESS_MAIN
