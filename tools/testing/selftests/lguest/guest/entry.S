/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The small kernel's assembly: a stub for each vector, and the way into guest_try() and out of it.
 * Stacks: what head_32.S gave, for everything at kernel level; user_trap_stack, for traps from user
 * level.
 */
#include <asm/lguest.h>
#include "mailbox.h"

#define KERNEL_DS	LGUEST_BOOT_DS
#define STUB_SIZE	16

/* Vectors with which the processor pushes an error code (SDM vol. 3, 6.3.1; #VC and #SX of AMD's). */
#define HAS_ERROR	((1 << 8) | (0x1f << 10) | (1 << 17) | (1 << 21) | (3 << 29))

	.text
	.globl	trap_stubs
	.balign	STUB_SIZE
trap_stubs:
	vector = 0
	.rept	256
	.balign	STUB_SIZE
	.if	vector >= 32
	pushl	$0
	.elseif	!((HAS_ERROR >> vector) & 1)
	pushl	$0
	.endif
	pushl	$vector
	jmp	trap_common
	vector = vector + 1
	.endr

/* Stack: vector, error, then what the processor pushed. Makes a struct trap_frame of it. */
trap_common:
	pushl	%ds
	pushl	%es
	pushl	%fs
	pushl	%gs
	pushal
	movl	$KERNEL_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	cld
	pushl	%esp
	call	guest_trap
	addl	$4, %esp
trap_return:
	popal
	popl	%gs
	popl	%fs
	popl	%es
	popl	%ds
	addl	$8, %esp
	/*
	 * The one iret after which virtual interrupts may be on already (lguest_data.noirq_iret).
	 */
	.globl	guest_iret
guest_iret:
	iret

/*
 * u32 guest_setjmp(u32 save[6]): 0 now; guest_longjmp() makes it return again, with what that one
 * says.
 */
	.globl	guest_setjmp
guest_setjmp:
	movl	4(%esp), %eax
	movl	%ebx, (%eax)
	movl	%esi, 4(%eax)
	movl	%edi, 8(%eax)
	movl	%ebp, 12(%eax)
	movl	%esp, 16(%eax)
	movl	(%esp), %edx
	movl	%edx, 20(%eax)
	xorl	%eax, %eax
	ret

/* void guest_longjmp(u32 save[6], u32 value), on whatever stack. */
	.globl	guest_longjmp
guest_longjmp:
	movl	4(%esp), %edx
	movl	8(%esp), %ebx
	/* Whoever trapped may have had a stack segment of its own. */
	movl	$KERNEL_DS, %eax
	movl	%eax, %ss
	movl	%ebx, %eax
	movl	(%edx), %ebx
	movl	4(%edx), %esi
	movl	8(%edx), %edi
	movl	12(%edx), %ebp
	movl	16(%edx), %esp
	movl	20(%edx), %ecx
	movl	%ecx, (%esp)
	ret

/*
 * void guest_return(struct trap_frame *frame): to where it says, the frame being on the stack to be
 * used.
 */
	.globl	guest_return
guest_return:
	movl	4(%esp), %esp
	jmp	trap_return

/*
 * void guest_enter_user(u32 ip, u32 cs, u32 flags, u32 sp, u32 ss, u32 ax): the frame of an iret,
 * and EAX.
 */
	.globl	guest_enter_user
guest_enter_user:
	addl	$4, %esp
	movl	16(%esp), %eax
	movl	%eax, %ds
	movl	%eax, %es
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movl	20(%esp), %eax
	jmp	guest_iret

/*
 * void guest_switch_paging(u32 cr3, u32 cr4): with paging off in between, so at virtual ==
 * physical, which both the old and the new tables must map.
 */
#define CR0_PG		0x80000000

	.globl	guest_switch_paging
guest_switch_paging:
	movl	4(%esp), %ecx
	movl	8(%esp), %edx
	movl	$1f - LGUEST_PAGE_OFFSET, %eax
	jmp	*%eax
1:	movl	%cr0, %eax
	andl	$~CR0_PG, %eax
	movl	%eax, %cr0
	movl	%ecx, %cr3
	movl	%edx, %cr4
	orl	$CR0_PG, %eax
	movl	%eax, %cr0
	movl	$2f, %eax
	jmp	*%eax
2:	ret

	.bss
	.balign	4096
	.globl	lguest_pgdir
lguest_pgdir:
	.skip	4096
	.globl	lguest_stack_top, user_trap_stack_top
	.skip	16384
lguest_stack_top:
	.skip	8192
user_trap_stack_top:

	.section .note.GNU-stack, "", @progbits
