// SPDX-License-Identifier: GPL-2.0
/* What a kernel finds once it has moved to its PAGE_OFFSET. */
#include "guest.h"

static volatile u32 in_data = 0x12345678, in_bss;

void guest_main(void)
{
	u32 here;

	asm volatile("call 1f; 1: popl %0" : "=r" (here));
	GUEST_ASSERT(here > LGUEST_PAGE_OFFSET);
	GUEST_ASSERT((u32)&in_data > LGUEST_PAGE_OFFSET);

	/* The same memory at both addresses, both ways. */
	GUEST_ASSERT_EQ(0x12345678, *(u32 *)pa(&in_data));
	GUEST_ASSERT_EQ(0, in_bss);
	*(volatile u32 *)pa(&in_bss) = 0x9abcdef0;
	GUEST_ASSERT_EQ(0x9abcdef0, *(volatile u32 *)&in_bss);

	/* The Host has filled in its part of lguest_data. */
	GUEST_ASSERT_EQ(0, lguest_data.reserve_mem);
	GUEST_ASSERT(lguest_data.time[0] > 1000000000);
	GUEST_ASSERT(lguest_data.time[1] < 1000000000);

	mailbox->out[0] = LGUEST_PAGE_OFFSET;
}
