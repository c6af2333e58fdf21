/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the Guest offer one another.
 */
#ifndef _LGUEST_GUEST_H
#define _LGUEST_GUEST_H

#include <linux/init.h>
#include <asm/lguest_guest.h>

/* One hypercall; no register but EAX..ESI is looked at, none is changed. */
static __always_inline void lguest_hcall(u32 number, u32 arg1, u32 arg2, u32 arg3, u32 arg4)
{
	asm volatile("int %0"
		     :
		     : "i"(LGUEST_TRAP_ENTRY), "a"(number), "b"(arg1), "c"(arg2), "d"(arg3),
		       "S"(arg4)
		     : "memory");
}

/* One that may wait for the next lguest_hcall(). Order is kept. */
void lguest_hcall_later(u32 number, u32 arg1, u32 arg2, u32 arg3, u32 arg4);

/* entry_32.S; called by alternatives, see asm/lguest_guest.h. */
void lguest_irq_enable(void);
void lguest_safe_halt(void);

void __init lguest_init_irqs(void);
void __init lguest_init_time(void);
void __init lguest_init_mmu(void);

#endif /* _LGUEST_GUEST_H */
