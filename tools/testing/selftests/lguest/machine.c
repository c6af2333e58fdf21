// SPDX-License-Identifier: GPL-2.0
/*
 * What a Guest's kernel finds of a processor: processes, traps, interrupts, devices, by hypercalls and
 * without any. Each Guest is a kernel that checks by itself what it finds.
 *
 * lguest-host: timeout=600
 */
#include "kselftest_harness.h"
#include "launcher.h"

TEST(processes)
{
	vm_passes("processes", NULL);
	vm_passes("processes", &(struct vm_options){ .page_offset = PAGE_OFFSET_OTHER });
}


TEST(exceptions_of_user_level)
{
	vm_passes("exceptions", NULL);
}

TEST(a_kernel_that_knows_nothing_of_us)
{
	vm_passes("unaware", NULL);
	vm_passes("unaware", &(struct vm_options){ .page_offset = PAGE_OFFSET_OTHER });
}

TEST_HARNESS_MAIN
