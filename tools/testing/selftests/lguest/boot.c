// SPDX-License-Identifier: GPL-2.0
/*
 * The start of a Guest: virtual == physical first, then at its PAGE_OFFSET, wherever that is, in
 * memory from 1 MiB to 3 GiB.
 */
#include "harness.h"
#include "launcher.h"

#include <asm/lguest.h>

#define MIB	(1ull << 20)

/* Promised at the start: no register holds anything but ESI, the boot parameters' address. */
TEST(identity_guest_finds_what_was_promised)
{
	static const uint32_t start[12] = { [4] = LGUEST_BOOT_PARAMS, [8] = LGUEST_BOOT_DS,
					    [9] = LGUEST_BOOT_DS };
	static const uint32_t later[8] = { LHCALL_NOTIFY, MAILBOX_GPA, 0x11111111, 0x22222222,
					   0x33333333, 0x44444444, 0x55555555, 0x66666666 };
	struct vm vm;
	int i;

	vm_start(&vm, "identity", NULL);
	vm_sync(&vm, 0);
	for (i = 0; i < ARRAY_SIZE(start); i++) {
		EXPECT_EQ(start[i], vm.mailbox->out[i]) TH_LOG("word %d", i);
	}
	vm_pass(&vm);
	for (i = 0; i < ARRAY_SIZE(later); i++) {
		EXPECT_EQ(later[i], vm.mailbox->out[16 + i]) TH_LOG("register %d", i);
	}

	/* Dead is dead: the same again. */
	vm_pass(&vm);
	EXPECT_EQ(-ENOENT, lguest_irq(vm.fd, 1));
	vm_stop(&vm);
}

FIXTURE(memory) {
};

FIXTURE_VARIANT(memory) {
	uint64_t size;
};

FIXTURE_VARIANT_ADD(memory, of_1_MiB) { .size = 1 * MIB };
FIXTURE_VARIANT_ADD(memory, of_1_MiB_and_a_page) { .size = 1 * MIB + 4096 };
FIXTURE_VARIANT_ADD(memory, of_16_MiB) { .size = 16 * MIB };
FIXTURE_VARIANT_ADD(memory, of_1_GiB) { .size = 1024 * MIB };
FIXTURE_VARIANT_ADD(memory, of_3_GiB) { .size = 3072 * MIB };

FIXTURE_SETUP(memory)
{
}

FIXTURE_TEARDOWN(memory)
{
}

TEST_F(memory, remaps_to_3_GiB)
{
	vm_passes("remap", &(struct vm_options){ .memory = variant->size });
}

/* The Host is never told which of the two it is. */
TEST_F(memory, remaps_to_2_GiB)
{
	vm_passes("remap", &(struct vm_options){ .memory = variant->size,
						 .page_offset = PAGE_OFFSET_OTHER });
}

TEST_HARNESS_MAIN
