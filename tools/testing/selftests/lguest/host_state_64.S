/* SPDX-License-Identifier: GPL-2.0 */
/*
 * void host_state_call(const struct host_state *set, struct host_state *got, long number, uint32_t
 * xsave_low,
 *			uint32_t xsave_high): loads everything of *set, makes the system call whose number and
 * arguments stand there, and saves everything in *got. See host_state.h.
 *
 * Two things may differ after a system call: RCX and R11, which are free here therefore.
 */
#ifdef __x86_64__
#include "host_state.h"

	.text
	.globl	host_state_call
host_state_call:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rsi				/* 32(%rsp): got */
	pushq	%rdx				/* 24(%rsp): number */
	pushq	%rcx				/* 16(%rsp): xsave_low */
	pushq	%r8				/*  8(%rsp): xsave_high */
	pushq	$0				/* selectors DS ES FS GS of the caller */
	movw	%ds, (%rsp)
	movw	%es, 2(%rsp)
	movw	%fs, 4(%rsp)
	movw	%gs, 6(%rsp)

	movq	%rdi, %r11
	movl	%ecx, %eax
	movl	%r8d, %edx
	xrstor64 STATE_XSAVE(%r11)
	movw	STATE_SELECTORS + 4(%r11), %ds
	movw	STATE_SELECTORS + 6(%r11), %es
	/*
	 * Loading a null GS may or may not clear its base, so a base is only expected of others. FS
	 * is the TLS.
	 */
	cmpw	$0, STATE_SELECTORS + 10(%r11)
	je	1f
	movw	STATE_SELECTORS + 10(%r11), %gs
1:	movq	STATE_GENERAL(%r11), %rbx
	movq	STATE_GENERAL + 8(%r11), %rbp
	movq	STATE_GENERAL + 16(%r11), %rdi
	movq	STATE_GENERAL + 24(%r11), %rsi
	movq	STATE_GENERAL + 32(%r11), %rdx
	movq	STATE_GENERAL + 40(%r11), %r8
	movq	STATE_GENERAL + 48(%r11), %r9
	movq	STATE_GENERAL + 56(%r11), %r10
	movq	STATE_GENERAL + 64(%r11), %r12
	movq	STATE_GENERAL + 72(%r11), %r13
	movq	STATE_GENERAL + 80(%r11), %r14
	movq	STATE_GENERAL + 88(%r11), %r15
	movq	24(%rsp), %rax
	movq	%rsp, STATE_SP(%r11)
	pushq	STATE_FLAGS(%r11)
	popfq

	syscall

	/* Nothing that changes flags before they are saved, and no register but RCX and R11. */
	movq	32(%rsp), %rcx
	movq	%rsp, STATE_SP(%rcx)
	pushfq
	popq	STATE_FLAGS(%rcx)
	cld
	movq	%rax, STATE_RESULT(%rcx)
	movq	%rbx, STATE_GENERAL(%rcx)
	movq	%rbp, STATE_GENERAL + 8(%rcx)
	movq	%rdi, STATE_GENERAL + 16(%rcx)
	movq	%rsi, STATE_GENERAL + 24(%rcx)
	movq	%rdx, STATE_GENERAL + 32(%rcx)
	movq	%r8, STATE_GENERAL + 40(%rcx)
	movq	%r9, STATE_GENERAL + 48(%rcx)
	movq	%r10, STATE_GENERAL + 56(%rcx)
	movq	%r12, STATE_GENERAL + 64(%rcx)
	movq	%r13, STATE_GENERAL + 72(%rcx)
	movq	%r14, STATE_GENERAL + 80(%rcx)
	movq	%r15, STATE_GENERAL + 88(%rcx)
	movw	%cs, STATE_SELECTORS(%rcx)
	movw	%ss, STATE_SELECTORS + 2(%rcx)
	movw	%ds, STATE_SELECTORS + 4(%rcx)
	movw	%es, STATE_SELECTORS + 6(%rcx)
	movw	%fs, STATE_SELECTORS + 8(%rcx)
	movw	%gs, STATE_SELECTORS + 10(%rcx)
	movl	16(%rsp), %eax
	movl	8(%rsp), %edx
	xsave64	STATE_XSAVE(%rcx)

	/* The alignment check and all else back to what C expects. */
	pushq	$0x202
	popfq
	movw	(%rsp), %ds
	movw	2(%rsp), %es
	addq	$40, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
#endif
	.section .note.GNU-stack, "", @progbits
