/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A Guest whose first instruction reads the clock: it says what it has read, 16 hexadecimal digits,
 * and powers off. For bench_command.c.
 */
#include <asm/lguest.h>

#define pa(symbol)	((symbol) - LGUEST_PAGE_OFFSET)

	.section .head.text, "ax", @progbits
	.globl	lguest_entry
lguest_entry:
	rdtsc
	movl	$pa(digits), %edi
	xchgl	%eax, %edx
	movl	$2, %ebp
1:	movl	$8, %ecx
2:	roll	$4, %eax
	movl	%eax, %ebx
	andl	$15, %ebx
	movb	pa(hex)(%ebx), %bl
	movb	%bl, (%edi)
	incl	%edi
	loop	2b
	movl	%edx, %eax
	decl	%ebp
	jnz	1b

	movl	$LHCALL_LGUEST_INIT, %eax
	movl	$pa(lguest_data), %ebx
	int	$LGUEST_TRAP_ENTRY
	movl	$LHCALL_NOTIFY, %eax
	movl	$pa(digits), %ebx
	int	$LGUEST_TRAP_ENTRY
	movl	$LHCALL_SHUTDOWN, %eax
	movl	$pa(hex), %ebx
	movl	$LGUEST_SHUTDOWN_POWEROFF, %ecx
	int	$LGUEST_TRAP_ENTRY
3:	jmp	3b

	.data
digits:	.fill	16, 1, 0
	.asciz	"\n"
hex:	.asciz	"0123456789abcdef"

	/* struct lguest_data: offsets are the interface's, all else may be 0. */
	.balign	4
	.globl	lguest_data
lguest_data:
	.long	0, 0xffffffff, 0, 0, 0, 0
	.fill	LGUEST_HCALL_RING, 1, LGUEST_HCALL_FREE
	.fill	LGUEST_HCALL_RING * 5, 4, 0
	.long	0, 0, 0, 0xc0000000, 0x80

	.section .note.GNU-stack, "", @progbits
