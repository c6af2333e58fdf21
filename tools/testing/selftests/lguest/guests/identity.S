/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A Guest that never leaves virtual == physical and has nothing: no stack, no IDT, no page tables
 * of its own. It looks at what it was promised at the start, writes what it found into the mailbox,
 * and ends.
 */
#include <asm/lguest.h>
#include "mailbox.h"

#define pa(symbol)	((symbol) - LGUEST_PAGE_OFFSET)
/* mailbox.out: behind op, number, free_start, free_end and in[16]. */
#define OUT(n)		(MAILBOX_GPA + 16 + 64 + 4 * (n))

	.section .head.text, "ax", @progbits
	.globl	lguest_entry
lguest_entry:
	/* All that a register can tell, as the launcher expects it: guests/identity.S in boot.c. */
	movl	%eax, OUT(0)
	movl	%ebx, OUT(1)
	movl	%ecx, OUT(2)
	movl	%edx, OUT(3)
	movl	%esi, OUT(4)
	movl	%edi, OUT(5)
	movl	%ebp, OUT(6)
	movl	%esp, OUT(7)
	xorl	%eax, %eax
	movw	%ds, %ax
	movl	%eax, OUT(8)
	movw	%es, %ax
	movl	%eax, OUT(9)
	movw	%fs, %ax
	movl	%eax, OUT(10)
	movw	%gs, %ax
	movl	%eax, OUT(11)

	movl	$LHCALL_LGUEST_INIT, %eax
	movl	$pa(lguest_data), %ebx
	int	$LGUEST_TRAP_ENTRY

	/* Hypercalls change no register. */
	movl	$LHCALL_NOTIFY, %eax
	movl	$MAILBOX_GPA, %ebx
	movl	$0x11111111, %ecx
	movl	$0x22222222, %edx
	movl	$0x33333333, %esi
	movl	$0x44444444, %edi
	movl	$0x55555555, %ebp
	movl	$0x66666666, %esp
	movl	$MAILBOX_SYNC, MAILBOX_GPA
	int	$LGUEST_TRAP_ENTRY
	movl	%eax, OUT(16)
	movl	%ebx, OUT(17)
	movl	%ecx, OUT(18)
	movl	%edx, OUT(19)
	movl	%esi, OUT(20)
	movl	%edi, OUT(21)
	movl	%ebp, OUT(22)
	movl	%esp, OUT(23)

	movl	$LHCALL_SHUTDOWN, %eax
	movl	$pa(message), %ebx
	movl	$LGUEST_SHUTDOWN_POWEROFF, %ecx
	int	$LGUEST_TRAP_ENTRY
	ud2

	.data
message:
	.asciz	"passed"

	/* struct lguest_data: offsets are the interface's, all else may be 0. */
	.balign	4
	.globl	lguest_data
lguest_data:
	.long	0, 0xffffffff, 0, 0, 0, 0
	.fill	LGUEST_HCALL_RING, 1, LGUEST_HCALL_FREE
	.fill	LGUEST_HCALL_RING * 5, 4, 0
	.long	0, 0, 0, 0xc0000000, 0x80

	.section .note.GNU-stack, "", @progbits
