// SPDX-License-Identifier: GPL-2.0
/*
 * What page tables cost in a Guest, in ticks of the time-stamp counter: out[] of the mailbox has
 * the mean of each operation, in the order in which the launcher names them. in[0]: again; in[1]:
 * only this one, 1 the first.
 */
#include "guest.h"

#define PAGES		256u
#define WINDOW		0x10000000u	/* where pages are mapped: nothing else is there */
#define APART(page)	(0x20000000u + (page) * 8 * PAGE_SIZE)

static u32 frames, other_pgdir;
static u32 *pgdir = lguest_pgdir;

static u32 touch_all(u32 pages, bool write)
{
	u32 sum = 0, page;

	for (page = 0; page < pages; page++) {
		volatile u32 *p = (u32 *)(WINDOW + page * PAGE_SIZE);

		if (write)
			*p = page;
		else
			sum += *p;
	}
	return sum;
}

/*
 * Pages far enough from each other that none is mapped ahead of its fault, each of which is mapped
 * to another frame than the last time, so that nothing of it is left.
 */
static u32 fill(bool write, u32 flags)
{
	u32 page, sum = 0, count = 0;
	u64 start, ticks = 0;

	for (page = 0; page < PAGES; page++)
		*guest_pte(pgdir, APART(page)) = (frames + (page ^ 1) * PAGE_SIZE) | PTE_ALL | flags;
	guest_flush_all();
	for (page = 0; page < PAGES; page++) {
		volatile u32 *p = (u32 *)APART(page);

		start = rdtsc();
		if (write)
			*p = page;
		else
			sum += *p;
		/* The first in a page table pays for that. */
		if (page % 64) {
			ticks += rdtsc() - start;
			count++;
		}
	}
	for (page = 0; page < PAGES; page++)
		*guest_pte(pgdir, APART(page)) = (frames + page * PAGE_SIZE) | PTE_ALL | flags;
	guest_flush_all();
	for (page = 0; page < PAGES; page++)
		sum += *(volatile u32 *)APART(page);
	return ticks / count;
}

static u32 fill_read(void)
{
	return fill(false, PTE_A | PTE_D);
}

static u32 fill_write(void)
{
	return fill(true, PTE_A | PTE_D);
}

static u32 fill_first(void)
{
	return fill(true, 0);
}

static u32 switch_hypercall(void)
{
	u64 start;
	u32 i;

	for (i = 0; i < 4; i++)
		hypercall(LHCALL_NEW_PGTABLE, i & 1 ? pa(pgdir) : other_pgdir, 0, 0, 0);
	start = rdtsc();
	for (i = 0; i < 100; i++)
		hypercall(LHCALL_NEW_PGTABLE, i & 1 ? pa(pgdir) : other_pgdir, 0, 0, 0);
	return (rdtsc() - start) / 100;
}

/* A plain CR3 load, and then a few pages of user and kernel that a process would touch. */
static u32 cr3_load_and_touch(void)
{
	u64 start;
	u32 i;

	touch_all(16, true);
	start = rdtsc();
	for (i = 0; i < 10; i++) {
		write_cr3(pa(pgdir));
		touch_all(16, true);
	}
	return (rdtsc() - start) / 10;
}

static u32 flush_user_and_touch(void)
{
	u64 start;
	u32 i;

	touch_all(16, true);
	start = rdtsc();
	for (i = 0; i < 10; i++) {
		hypercall(LHCALL_FLUSH_TLB, 0, 0, 0, 0);
		touch_all(16, true);
	}
	return (rdtsc() - start) / 10;
}

static u32 set_pte_and_touch(void)
{
	u32 i, pte = *guest_pte(pgdir, WINDOW);
	u64 start;

	touch_all(1, true);
	start = rdtsc();
	for (i = 0; i < 100; i++) {
		hypercall(LHCALL_SET_PTE, pa(pgdir), WINDOW, pte | PTE_A | PTE_D, 0);
		touch_all(1, true);
	}
	return (rdtsc() - start) / 100;
}

static u32 set_pte_zero(void)
{
	u64 start;
	u32 i;

	start = rdtsc();
	for (i = 0; i < 100; i++)
		hypercall(LHCALL_SET_PTE, pa(pgdir), WINDOW, 0, 0);
	return (rdtsc() - start) / 100;
}

static u32 empty_hypercall(void)
{
	u64 start;
	u32 i;

	start = rdtsc();
	for (i = 0; i < 100; i++)
		hypercall(LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);
	return (rdtsc() - start) / 100;
}

static u32 (*const operation[])(void) = {
	fill_read, fill_write, fill_first, switch_hypercall, cr3_load_and_touch, flush_user_and_touch,
	set_pte_and_touch, set_pte_zero, empty_hypercall,
};

void guest_main(void)
{
	u32 i;

	frames = guest_alloc(PAGES, PAGE_SIZE);
	for (i = 0; i < 32; i++)
		guest_map(pgdir, WINDOW + i * PAGE_SIZE, (frames + i * PAGE_SIZE) | PTE_ALL | PTE_A | PTE_D);
	for (i = 0; i < PAGES; i++)
		guest_map(pgdir, APART(i), (frames + i * PAGE_SIZE) | PTE_ALL);
	other_pgdir = guest_alloc(1, PAGE_SIZE);
	memcpy(va(other_pgdir), pgdir, PAGE_SIZE);
	for (;;) {
		for (i = 0; i < ARRAY_SIZE(operation); i++)
			if (!mailbox->in[1] || mailbox->in[1] == i + 1)
				mailbox->out[i] = operation[i]();
		guest_sync(0);
		if (!mailbox->in[0])
			return;
	}
}
