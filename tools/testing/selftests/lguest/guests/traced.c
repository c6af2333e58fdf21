// SPDX-License-Identifier: GPL-2.0
/* Does each thing once that has a tracepoint; the test trace.c looks for them. */
#include "guest.h"

static bool timer_came;

static bool on_timer(struct trap_frame *frame)
{
	timer_came = true;
	return true;
}

static void divide(u32 by)
{
	u32 result;

	asm volatile("divl %3" : "=a" (result) : "a" (1), "d" (0), "r" (by));
}

static void absent(u32 address)
{
	(void)*(volatile u32 *)address;
}

void guest_main(void)
{
	u32 page = guest_alloc(1, PAGE_SIZE);

	/* Instructions that ring 3 may not execute. */
	write_cr0(read_cr0());
	/* An exception of its own, a page fault of its own. */
	GUEST_ASSERT_EQ(VEC_DE, guest_try(divide, 0, NULL));
	GUEST_ASSERT_EQ(VEC_PF, guest_try(absent, 0x50000000, NULL));
	/* Flushes of each kind. */
	hypercall(LHCALL_FLUSH_TLB, 1, 0, 0, 0);
	hypercall(LHCALL_FLUSH_TLB, 0, 0, 0, 0);
	guest_map(lguest_pgdir, 0x40000000, page | PTE_ALL);
	hypercall(LHCALL_SET_PTE, pa(lguest_pgdir), 0x40000000, page | PTE_ALL, 0);
	hypercall(LHCALL_SET_PGD, pa(lguest_pgdir), 0x40000000 >> 22, 0, 0);
	*(volatile u32 *)0x40000000 = 1;
	/*
	 * Timer, interrupt, sleep: long enough for it to fall asleep before, however slow the
	 * machine.
	 */
	guest_handle(LGUEST_FIRST_IRQ_VECTOR, on_timer);
	lguest_data.blocked_interrupts = ~1u;
	hypercall(LHCALL_SET_CLOCKEVENT, 50000000, 0, 0, 0);
	while (!timer_came)
		hypercall(LHCALL_HALT, 0, 0, 0, 0);
	/* And the Launcher. */
	guest_sync(1);
}
