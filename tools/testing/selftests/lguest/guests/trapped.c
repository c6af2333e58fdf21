// SPDX-License-Identifier: GPL-2.0
/*
 * Traps that the launcher wants (LHREQ_TRAP): each goes to its handler as if an instruction had made
 * it, wherever the Guest is: at kernel level, at user level, asleep.
 */
#include "guest.h"
#include "../guests/trapped.h"

#define CODE	0x00400000u
#define STACK	0x00402000u

static bool on_trap(struct trap_frame *frame)
{
	bool user = (frame->cs & 3) == 3;

	mailbox->out[TRAPPED_COUNT]++;
	mailbox->out[TRAPPED_VECTOR] = frame->vector;
	mailbox->out[TRAPPED_ERROR] = frame->error;
	mailbox->out[TRAPPED_LEVEL] = frame->cs & 3;
	mailbox->out[TRAPPED_CR2] = lguest_data.cr2;
	/* At user level, it is what guest_try_user() waits for. */
	return !user;
}

void guest_main(void)
{
	/* 1: incl CODE + PAGE_SIZE; jmp 1b */
	static const u8 count[] = { 0xff, 0x05, 0x00, 0x10, 0x40, 0x00, 0xeb, 0xf8 };
	u32 code = guest_alloc(2, PAGE_SIZE), vector, before;
	struct trap trap;

	memcpy(va(code), count, sizeof(count));
	guest_map(lguest_pgdir, CODE, code | PTE_ALL);
	guest_map(lguest_pgdir, CODE + PAGE_SIZE, (code + PAGE_SIZE) | PTE_ALL);
	guest_flush_all();
	mailbox->out[TRAPPED_COUNTER] = code + PAGE_SIZE;
	for (vector = 0; vector < 32; vector++)
		guest_handle(vector, on_trap);

	for (vector = 0; vector < 32; vector++)
		guest_sync(TRAPPED_GOES_ON);
	guest_sync(TRAPPED_HALTS);
	before = mailbox->out[TRAPPED_COUNT];
	hypercall(LHCALL_HALT, 0, 0, 0, 0);
	GUEST_ASSERT_EQ(before + 1, mailbox->out[TRAPPED_COUNT]);
	lguest_data.irq_enabled = 0;
	guest_sync(TRAPPED_COUNTS);
	GUEST_ASSERT_EQ(VEC_GP, guest_try_user(CODE, STACK, FLAGS_ONE | FLAGS_IF, 0, &trap));
	GUEST_ASSERT(trap.ip == CODE || trap.ip == CODE + 6);
	GUEST_ASSERT_EQ(STACK, trap.sp);
}
