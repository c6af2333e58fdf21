// SPDX-License-Identifier: GPL-2.0
/*
 * Enters the Host with data segments that begin far away: by page faults that have memory populated,
 * and by hypercalls. In 64-bit mode the base of DS is nothing; but an emulator may add it where an
 * instruction names the segment, as Linux on one CPU does wherever it would lock the bus on two.
 * So the Host has to have its own in DS (S5).
 */
#include "guest.h"

#define FAR_DATA	(20 * 8)
#define PAGES		32u
#define CALLS		1000u

/* Beyond all memory of a small Host; then into some of it. */
static const u32 bases[] = { 0x80000000, 0xff000000, 0x40000000, 0x00800000 };

static void set_base(u32 base)
{
	hypercall(LHCALL_LOAD_GDT_ENTRY, FAR_DATA / 8, base << 16 | 0xffff,
		  (base & 0xff000000) | 0x00cfb300 | (base >> 16 & 0xff), 0);
}

/* Writes to each of the pages from linear address @first on, and makes hypercalls. */
static void run_with_far_data(u32 base, u32 first)
{
	u32 at = first - base, pages = PAGES, calls = CALLS;

	asm volatile("movl %[far], %%eax\n"
		     "movl %%eax, %%es\n"
		     "movl %%eax, %%ds\n"
		     "1: movl %[at], (%[at])\n"
		     "addl %[page_size], %[at]\n"
		     "decl %[pages]\n"
		     "jnz 1b\n"
		     "xorl %%ebx, %%ebx\n"
		     "2: movl %[flush], %%eax\n"
		     "int %[vector]\n"
		     "decl %[calls]\n"
		     "jnz 2b\n"
		     "movl %[flat], %%eax\n"
		     "movl %%eax, %%es\n"
		     "movl %%eax, %%ds\n"
		     : [at] "+D" (at), [pages] "+c" (pages), [calls] "+S" (calls)
		     : [far] "i" (FAR_DATA), [flat] "i" (KERNEL_DS), [page_size] "i" (PAGE_SIZE),
		       [flush] "i" (LHCALL_FLUSH_TLB), [vector] "N" (LGUEST_TRAP_ENTRY)
		     : "eax", "ebx", "edx", "memory", "cc");
}

void guest_main(void)
{
	u32 i, page, first;

	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		first = guest_alloc(PAGES, PAGE_SIZE);
		set_base(bases[i]);
		run_with_far_data(bases[i], (u32)va(first));
		for (page = 0; page < PAGES; page++)
			GUEST_ASSERT_EQ((u32)va(first + page * PAGE_SIZE) - bases[i],
					*(u32 *)va(first + page * PAGE_SIZE));
	}
}
