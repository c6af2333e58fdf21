// SPDX-License-Identifier: GPL-2.0
/*
 * A Guest whose tables and registers the test knows: guests/looked_at.h. It spins until it is
 * killed.
 */
#include "guest.h"
#include "../guests/looked_at.h"

void guest_main(void)
{
	u32 page = guest_alloc(2, PAGE_SIZE), i;

	guest_map(lguest_pgdir, LOOKED_USER, page | PTE_P | PTE_U);
	guest_map(lguest_pgdir, LOOKED_KERNEL, (page + PAGE_SIZE) | PTE_P | PTE_W);
	guest_flush_all();
	/* The kernel's view gets an entry for both; nobody was in user mode. */
	(void)*(volatile u32 *)LOOKED_USER;
	*(volatile u32 *)LOOKED_KERNEL = 1;

	hypercall(LHCALL_LOAD_GDT_ENTRY, LOOKED_GDT_ENTRY, LOOKED_GDT_LOW, LOOKED_GDT_HIGH, 0);
	for (i = 0; i < LOOKED_FLUSHES; i++)
		hypercall(LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);

	mailbox->out[LOOKED_PAGE] = page;
	mailbox->out[LOOKED_PGDIR] = pa(lguest_pgdir);
	asm volatile("movl $1f, %0; movl %%esp, %1; jmp 2f; 1: jmp 1b; 2:"
		     : "=m" (mailbox->out[LOOKED_SPIN]), "=m" (mailbox->out[LOOKED_STACK]));
	guest_sync(1);
	asm volatile("movl %0, %%eax; movl %1, %%ebx; movl %2, %%ecx; movl %3, %%edx; movl %4, %%esi;"
		     "movl %5, %%edi; movl %6, %%ebp; clc; cld; stc; jmp *%7"
		     : : "i" (LOOKED_AX), "i" (LOOKED_BX), "i" (LOOKED_CX), "i" (LOOKED_DX), "i" (LOOKED_SI),
		       "i" (LOOKED_DI), "i" (LOOKED_BP), "m" (mailbox->out[LOOKED_SPIN]));
	__builtin_unreachable();
}
