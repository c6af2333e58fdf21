/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The first instructions of a Guest: from virtual == physical to C at its PAGE_OFFSET.
 *
 * For any 32-bit kernel that brings these symbols, linked at PAGE_OFFSET + physical address:
 *
 *	lguest_data		struct lguest_data; what it says of the Guest is filled in by the linker
 *	lguest_pgdir		a page, aligned: becomes the page directory
 *	lguest_stack_top	the end of the first stack
 *	lguest_start		C: void lguest_start(void *boot_params), does not return
 *
 * and is compiled with its PAGE_OFFSET, a multiple of 4 MiB, as LGUEST_PAGE_OFFSET. The Host is
 * told of no such address: all it hears is where lguest_data is.
 *
 * At the start (Documentation/virt/lguest, the start of a Guest): kernel privilege; CS, DS, ES, SS
 * flat; ESI is the physical address of the boot parameters; there is no stack, and any fault ends
 * the Guest. So until there is a stack, nothing here may push, pop or call.
 */
#include <asm/lguest.h>

/* Where a symbol is as long as virtual == physical. */
#define pa(symbol)	((symbol) - LGUEST_PAGE_OFFSET)

/* Entries of a page directory, 4 MiB each, below and from PAGE_OFFSET on. */
#define BELOW		(LGUEST_PAGE_OFFSET >> 22)
#define ABOVE		(1024 - BELOW)

	.section .head.text, "ax", @progbits
	.code32

	.globl	lguest_entry
	.type	lguest_entry, @function
lguest_entry:
	movl	%esi, %ebp			/* kept to the end; hypercalls change no register */

	/* The Host must know lguest_data before any other hypercall. */
	movl	$LHCALL_LGUEST_INIT, %eax
	movl	$pa(lguest_data), %ebx
	int	$LGUEST_TRAP_ENTRY

	/*
	 * A directory of our own that shares the page tables of the boot directory: what was there
	 * stays below PAGE_OFFSET, and from PAGE_OFFSET on it is there once more, from physical 0
	 * on. The boot directory itself is not written: with more memory than PAGE_OFFSET it is
	 * mapped, virtual == physical, by one of the very entries that would have to change.
	 */
	cld
	movl	%cr3, %edx
	movl	$pa(lguest_pgdir), %edi
	movl	%edx, %esi
	movl	$BELOW, %ecx
	rep movsl
	movl	%edx, %esi
	movl	$ABOVE, %ecx
	rep movsl

	movl	$LHCALL_NEW_PGTABLE, %eax
	movl	$pa(lguest_pgdir), %ebx
	int	$LGUEST_TRAP_ENTRY

	/* Now both addresses of this code work: off to the other one. */
	movl	$lguest_stack_top, %esp
	movl	$1f, %eax
	jmp	*%eax
1:	addl	$LGUEST_PAGE_OFFSET, %ebp
	pushl	%ebp
	xorl	%ebp, %ebp			/* the end of every backtrace */
	call	lguest_start
	ud2
	.size	lguest_entry, . - lguest_entry

	.section .note.GNU-stack, "", @progbits
