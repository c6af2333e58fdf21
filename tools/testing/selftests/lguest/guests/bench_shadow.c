// SPDX-License-Identifier: GPL-2.0
/*
 * What page tables cost in a Guest, in ticks of the time-stamp counter: out[] of the mailbox has the mean of
 * each operation, in the order in which the launcher names them. in[0]: again; in[1]: only this one, 1 the
 * first.
 */
#include "guest.h"

#define PAGES		256u
#define WINDOW		0x10000000u	/* where pages are mapped: nothing else is there */

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

static u32 fill(bool write)
{
	u64 start;

	guest_flush_all();
	touch_all(1, write);		/* the tables above are there, and this code */
	start = rdtsc();
	touch_all(PAGES, write);
	return (rdtsc() - start) / (PAGES - 1);
}

static u32 fill_read(void)
{
	return fill(false);
}

static u32 fill_write(void)
{
	return fill(true);
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
	fill_read, fill_write, switch_hypercall, cr3_load_and_touch, flush_user_and_touch,
	set_pte_and_touch, set_pte_zero, empty_hypercall,
};

void guest_main(void)
{
	u32 i;

	frames = guest_alloc(PAGES, PAGE_SIZE);
	for (i = 0; i < PAGES; i++)
		guest_map(pgdir, WINDOW + i * PAGE_SIZE, (frames + i * PAGE_SIZE) | PTE_ALL | PTE_A | PTE_D);
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
