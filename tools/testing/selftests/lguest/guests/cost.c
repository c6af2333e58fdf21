// SPDX-License-Identifier: GPL-2.0
/*
 * What the world switch costs, counted by the Guest: each operation COST_TIMES
 * times, and what each of them took. Under `make bench` the time stamp counter
 * counts instructions.
 */
#include "guest.h"
#include "cost.h"
#include "../guests/measure.h"

/* A page that no table maps: below PAGE_OFFSET and above all of memory. */
#define NOWHERE		0x70000000u

/* Where nothing is, either. */
#define APART(i)	(0x20000000u + (i) * 16 * PAGE_SIZE)

static bool skip_load(struct trap_frame *frame)
{
	frame->ip += 2;			/* mov (%ecx), %eax */
	return true;
}

void guest_main(void)
{
	u32 first = guest_alloc(COST_TIMES, PAGE_SIZE), nothing = empty(), i, t;

	for (i = 0; i < COST_TIMES; i++) {
		t = rdtsc();
		hypercall(LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);
		cost[i] = (u32)rdtsc() - t - nothing;
	}
	report(COST_HYPERCALL);

	/*
	 * Pages that the Host has and that only the shadow lacks; far enough from
	 * each other that none is mapped along with another.
	 */
	for (i = 0; i < COST_TIMES; i++) {
		*(volatile u32 *)va(first + i * PAGE_SIZE) = i;
		guest_map(lguest_pgdir, APART(i),
			  (first + i * PAGE_SIZE) | PTE_ALL | PTE_A | PTE_D);
	}
	for (i = 0; i < COST_TIMES; i++) {
		t = rdtsc();
		(void)*(volatile u32 *)APART(i);
		cost[i] = (u32)rdtsc() - t - nothing;
	}
	report(COST_SHADOW_FILL);

	guest_handle(VEC_PF, skip_load);
	for (i = 0; i < COST_TIMES; i++) {
		t = rdtsc();
		asm volatile("mov (%%ecx), %%eax" : : "c" (NOWHERE) : "eax", "memory");
		cost[i] = (u32)rdtsc() - t - nothing;
	}
	report(COST_FAULT_REFLECT);
}
