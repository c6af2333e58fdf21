// SPDX-License-Identifier: GPL-2.0
/*
 * What a processor looks at in each access, and QEMU does not: the limit and the type of the
 * segment, alignment, errors of SSE (S3). guests/limits.c has it all, at both levels.
 *
 * lguest-host: emulator=bochs
 */
#include "harness.h"
#include "launcher.h"

TEST(segments_end_where_they_say)
{
	vm_passes("limits", NULL);
}

TEST(also_with_another_kernel_address)
{
	vm_passes("limits", &(struct vm_options){ .page_offset = PAGE_OFFSET_OTHER });
}

TEST_HARNESS_MAIN
