/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The page tables with which a Guest starts: virtual == physical for all of its memory, two levels,
 * one entry for each page, present + writable + user.
 */
#ifndef LGUEST_PAGETABLE_H
#define LGUEST_PAGETABLE_H

#include "memory.h"

/*
 * Writes them directly below `top` (Guest-physical, page aligned: the start of the initrd, or the
 * end of memory). Memory is at most 4 GiB. Returns the Guest-physical address of the page
 * directory, which is also the lowest byte used; -1 with a sentence if there is no room below top.
 */
int64_t lguest_linear_page_tables(const struct lguest_memory *mem, uint64_t top,
				  struct lguest_error *error);

#endif /* LGUEST_PAGETABLE_H */
