/* SPDX-License-Identifier: GPL-2.0 */
/*
 * host_state_call() of a 32-bit program: see host_state_64.S. The arguments are on the stack, the
 * system call is INT 0x80, which keeps every register but EAX.
 */
#ifdef __i386__
#include "host_state.h"

	.text
	.globl	host_state_call
host_state_call:
	pushl	%ebx
	pushl	%ebp
	pushl	%esi
	pushl	%edi
	pushl	%es
#define ARG(n)	(24 + 4 * (n))

	movl	ARG(0)(%esp), %ecx
	movl	ARG(3)(%esp), %eax
	movl	ARG(4)(%esp), %edx
	xrstor	STATE_XSAVE(%ecx)
	movw	STATE_SELECTORS + 6(%ecx), %es
	movw	STATE_SELECTORS + 8(%ecx), %fs
	movl	STATE_GENERAL(%ecx), %ebx
	movl	STATE_GENERAL + 8(%ecx), %ebp
	movl	STATE_GENERAL + 16(%ecx), %edi
	movl	STATE_GENERAL + 24(%ecx), %esi
	movl	STATE_GENERAL + 32(%ecx), %edx
	movl	ARG(2)(%esp), %eax
	movl	%esp, STATE_SP(%ecx)
	pushl	STATE_FLAGS(%ecx)
	movl	STATE_GENERAL + 40(%ecx), %ecx
	popfl

	int	$0x80

	/* Nothing that changes flags before they are saved. */
	xchgl	%ecx, ARG(1)(%esp)
	movl	%esp, STATE_SP(%ecx)
	pushfl
	popl	STATE_FLAGS(%ecx)
	cld
	movl	%eax, STATE_RESULT(%ecx)
	movl	%ebx, STATE_GENERAL(%ecx)
	movl	%ebp, STATE_GENERAL + 8(%ecx)
	movl	%edi, STATE_GENERAL + 16(%ecx)
	movl	%esi, STATE_GENERAL + 24(%ecx)
	movl	%edx, STATE_GENERAL + 32(%ecx)
	movl	ARG(1)(%esp), %eax
	movl	%eax, STATE_GENERAL + 40(%ecx)
	movw	%cs, STATE_SELECTORS(%ecx)
	movw	%ss, STATE_SELECTORS + 2(%ecx)
	movw	%ds, STATE_SELECTORS + 4(%ecx)
	movw	%es, STATE_SELECTORS + 6(%ecx)
	movw	%fs, STATE_SELECTORS + 8(%ecx)
	movw	%gs, STATE_SELECTORS + 10(%ecx)
	movl	ARG(3)(%esp), %eax
	movl	ARG(4)(%esp), %edx
	xsave	STATE_XSAVE(%ecx)

	pushl	$0x202
	popfl
	popl	%es
	popl	%edi
	popl	%esi
	popl	%ebp
	popl	%ebx
	ret
#endif
	.section .note.GNU-stack, "", @progbits
