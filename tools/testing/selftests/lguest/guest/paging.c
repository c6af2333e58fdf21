// SPDX-License-Identifier: GPL-2.0
/* The small kernel's memory: pages that nobody else has, and 2-level page tables. */
#include "guest.h"

static u32 next_free;

u32 guest_alloc(u32 pages, u32 align)
{
	u32 start, size = pages * PAGE_SIZE;

	if (!next_free)
		next_free = mailbox->free_start;
	start = (next_free + align - 1) & -align;
	GUEST_ASSERT(start >= next_free && start <= mailbox->free_end &&
		     size <= mailbox->free_end - start);
	next_free = start + size;
	memset(va(start), 0, size);
	return start;
}

u32 *guest_pte(u32 *pgdir, u32 address)
{
	u32 *table = va(pgdir[address >> 22] & -PAGE_SIZE);

	return &table[address >> 12 & 1023];
}

void guest_map(u32 *pgdir, u32 address, u32 entry)
{
	u32 *pde = &pgdir[address >> 22];

	if (!(*pde & PTE_P))
		*pde = guest_alloc(1, PAGE_SIZE) | PTE_ALL;
	*guest_pte(pgdir, address) = entry;
}

u32 guest_new_pgdir(void)
{
	const u32 first = LGUEST_PAGE_OFFSET >> 22;
	u32 gpa = guest_alloc(1, PAGE_SIZE);
	u32 *pgdir = va(gpa);

	memcpy(&pgdir[first], &lguest_pgdir[first], (1024 - first) * sizeof(*pgdir));
	return gpa;
}

void guest_flush_all(void)
{
	hypercall(LHCALL_FLUSH_TLB, 1, 0, 0, 0);
}
