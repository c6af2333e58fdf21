// SPDX-License-Identifier: GPL-2.0
/*
 * A Guest that has pages where its neighbours have theirs, all of them global (S7): whatever the
 * CPU kept of somebody else's, it would show.
 */
#include "guest.h"
#include "../guests/neighbours.h"

static u32 first, table;

static void map(void)
{
	u32 page;

	table = guest_alloc(1, PAGE_SIZE);
	first = guest_alloc(NEIGHBOURS_PAGES, PAGE_SIZE);
	for (page = 0; page < NEIGHBOURS_PAGES; page++)
		guest_write_entry(table, page, (first + page * PAGE_SIZE) | PTE_ALL | PTE_G);
	guest_write_pde(NEIGHBOURS_ADDRESS, table | PTE_ALL);
	guest_flush_all();
}

void guest_main(void)
{
	u32 salt = mailbox->in[NEIGHBOURS_SALT], page, turn;

	if (mailbox->in[NEIGHBOURS_PAE])
		guest_enter_pae(false);
	write_cr4(read_cr4() | CR4_PGE);
	map();
	for (turn = 0; !mailbox->in[NEIGHBOURS_STOP]; turn++) {
		for (page = 0; page < NEIGHBOURS_PAGES; page++) {
			volatile u32 *word = (u32 *)(NEIGHBOURS_ADDRESS + page * PAGE_SIZE);

			GUEST_ASSERT_EQ(turn ? salt + page + turn - 1 : 0, *word);
			*word = salt + page + turn;
		}
		guest_sync(0);
	}
}
