// SPDX-License-Identifier: GPL-2.0
/* A Guest whose memory is not there until it uses it: some pages, each twice. */
#include "guest.h"

#define PAGES	48

static volatile u32 *cell(u32 first, u32 page)
{
	return va(first + page * PAGE_SIZE + page % 1024 * 4);
}

void guest_main(void)
{
	u32 first = guest_alloc(PAGES, PAGE_SIZE), page;

	for (page = 0; page < PAGES; page++) {
		GUEST_ASSERT_EQ(0, *cell(first, page));
		*cell(first, page) = page ^ 0x5a5a5a5a;
	}
	for (page = 0; page < PAGES; page++)
		GUEST_ASSERT_EQ(page ^ 0x5a5a5a5a, *cell(first, page));
}
