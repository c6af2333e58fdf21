// SPDX-License-Identifier: GPL-2.0
/*
 * What the Host promises of its work, for the launcher to count: a ring that is always full is one
 * round for each call; page directories that were seen once are loaded again for nothing.
 */
#include "guest.h"
#include "../guests/promises.h"

#define DIRECTORIES	4
#define PAGES		64
#define WINDOW		0x10000000u

static void calls(void)
{
	u32 i;

	mailbox->out[PROMISES_DATA] = pa(&lguest_data);
	guest_sync(1);
	for (i = 0; i < PROMISES_CALLS; i++)
		hypercall(LHCALL_SEND_INTERRUPTS, 0, 0, 0, 0);
	guest_sync(2);
}

static u32 pgdir[DIRECTORIES];

/* Each has its own pages at the same addresses. */
static void visit(u32 i, bool first)
{
	volatile u32 *page;
	u32 n;

	hypercall(LHCALL_NEW_PGTABLE, pgdir[i], 0, 0, 0);
	for (n = 0; n < PAGES; n++) {
		page = (u32 *)(WINDOW + n * PAGE_SIZE);
		if (first)
			*page = i * PAGES + n;
		GUEST_ASSERT_EQ(i * PAGES + n, *page);
	}
}

static void directories(void)
{
	u32 i, n, round;

	for (i = 0; i < DIRECTORIES; i++) {
		pgdir[i] = guest_new_pgdir();
		for (n = 0; n < PAGES; n++)
			guest_map(va(pgdir[i]), WINDOW + n * PAGE_SIZE,
				  guest_alloc(1, PAGE_SIZE) | PTE_ALL);
	}
	for (round = 0; round < 3; round++)
		for (i = 0; i < DIRECTORIES; i++)
			visit(i, !round);
	guest_sync(1);
	for (round = 0; round < 50; round++)
		for (i = 0; i < DIRECTORIES; i++)
			visit(i, false);
	guest_sync(2);
}

void guest_main(void)
{
	if (mailbox->in[PROMISES_MODE] == PROMISES_RING)
		calls();
	else
		directories();
}
