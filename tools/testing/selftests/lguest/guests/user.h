/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guests with user programs. Such a program is C in the section user_code, whose pages each process
 * has at USER_CODE: so it names nothing outside itself, neither by data nor by call, and asks its
 * kernel by INT $0x80 (EAX number, EBX and ECX arguments, EAX result).
 */
#ifndef LGUEST_TEST_GUESTS_USER_H
#define LGUEST_TEST_GUESTS_USER_H

#include "guest.h"

#define USER		__attribute__((section("user_code"), noinline, optimize("no-jump-tables")))

#define USER_CODE	0x08048000u
#define USER_HEAP	0x10000000u
#define USER_STACK	0x20000000u		/* its top; one page */

/* The section begins at a page. */
asm(".pushsection user_code, \"ax\"; .balign 4096; .popsection");

extern char __start_user_code[], __stop_user_code[];

/* Where a function of user_code is for a process. */
#define user_address(function)	((u32)(function) - (u32)__start_user_code + USER_CODE)

static inline u32 syscall(u32 number, u32 a, u32 b)
{
	u32 result;

	asm volatile("int $0x80" : "=a" (result) : "0" (number), "b" (a), "c" (b) : "memory");
	return result;
}

/*
 * A page directory with the kernel for the kernel only, the program, and a stack; Guest-physical.
 */
static inline u32 user_pgdir(void)
{
	u32 gpa = guest_new_pgdir(), at, i;
	u32 *pgdir = va(gpa);

	for (i = LGUEST_PAGE_OFFSET >> 22; i < 1024; i++)
		pgdir[i] &= ~PTE_U;
	for (at = 0; at < (u32)(__stop_user_code - __start_user_code); at += PAGE_SIZE)
		guest_map(pgdir, USER_CODE + at, pa(__start_user_code + at) | PTE_P | PTE_U);
	guest_map(pgdir, USER_STACK - PAGE_SIZE, guest_alloc(1, PAGE_SIZE) | PTE_ALL);
	return gpa;
}

static inline void user_load_pgdir(u32 gpa)
{
	hypercall(LHCALL_NEW_PGTABLE, gpa, 0, 0, 0);
}

/* Gates that switch virtual interrupts off, as those of devices should. */
extern char trap_stubs[];

static inline void user_interrupt_gate(u32 vector)
{
	u32 stub = (u32)trap_stubs + vector * 16;

	hypercall(LHCALL_LOAD_IDT_ENTRY, vector, KERNEL_CS << 16 | (stub & 0xffff),
		  (stub & 0xffff0000) | 0x8e00, 0);
}

#endif /* LGUEST_TEST_GUESTS_USER_H */
