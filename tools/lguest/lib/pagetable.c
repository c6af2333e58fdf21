// SPDX-License-Identifier: GPL-2.0
/* The first page tables of a Guest: see pagetable.h. */
#include <string.h>

#include "pagetable.h"

/* SDM vol. 3, 4.3. */
#define ENTRIES		1024u
#define PRESENT		0x1u
#define WRITABLE	0x2u
#define USER		0x4u
#define FLAGS		(PRESENT | WRITABLE | USER)

int64_t lguest_linear_page_tables(const struct lguest_memory *mem, uint64_t top,
				  struct lguest_error *error)
{
	uint64_t pages = mem->size / LGUEST_PAGE_SIZE;
	uint64_t tables = (pages + ENTRIES - 1) / ENTRIES;
	uint64_t size = (tables + 1) * LGUEST_PAGE_SIZE;
	uint32_t *entry, *pgdir;
	uint64_t i;

	if (tables > ENTRIES)
		return lguest_fail(error, "%llu MiB of memory: a 32-bit guest can name only 4096",
				   (unsigned long long)mem->size >> 20);
	if (top > mem->size || top % LGUEST_PAGE_SIZE || top < size)
		return lguest_fail(
			error,
			"no room for %llu KiB of page tables below 0x%llx, in memory of %llu KiB",
			(unsigned long long)size >> 10, (unsigned long long)top,
			(unsigned long long)mem->size >> 10);

	pgdir = lguest_memory_at(mem, top - size, size);
	entry = pgdir + ENTRIES;
	memset(pgdir, 0, size);
	for (i = 0; i < tables; i++)
		pgdir[i] = (top - size + (i + 1) * LGUEST_PAGE_SIZE) | FLAGS;
	for (i = 0; i < pages; i++)
		entry[i] = i * LGUEST_PAGE_SIZE | FLAGS;
	return top - size;
}
