// SPDX-License-Identifier: GPL-2.0
/* Counts what a hypercall that does nothing costs, again and again; bench_trace.c. */
#include "guest.h"

#define CALLS	1000u

void guest_main(void)
{
	while (mailbox->in[0]) {
		u32 calls = CALLS;
		u64 start = rdtsc();

		asm volatile("1: int %1; dec %0; jnz 1b"
			     : "+D" (calls) : "N" (LGUEST_TRAP_ENTRY), "a" (LHCALL_FLUSH_ASYNC));
		mailbox->out[0] = (u32)(rdtsc() - start) / CALLS;
		guest_sync(0);
	}
}
