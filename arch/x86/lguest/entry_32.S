/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a Guest does in assembly: the initial hypercall, the interrupt flag, and the end of every
 * IRET. head_32.S and entry_32.S of the kernel come here; boot.c has put the ways here into their
 * code.
 *
 * The interrupt flag is lguest_data.irq_enabled; the hardware's is always set, so nothing here may
 * count on it. A return with IRET by the kernel to itself needs no Host: in ring 3, IRET with a
 * selector of ring 3 is a jump that loads flags.
 */
#include <linux/linkage.h>
#include <linux/init.h>
#include <asm/asm.h>
#include <asm/asm-offsets.h>
#include <asm/lguest.h>
#include <asm/page_types.h>
#include <asm/segment.h>

/* Fields of struct lguest_data; boot.c checks them. */
#define IRQ_ENABLED	lguest_data + 0
#define IRQ_PENDING	lguest_data + 20

#define pa(symbol)	((symbol) - __PAGE_OFFSET)

/*
 * Called by startup_32 at virtual == physical, boot parameters copied, BSS cleared, on the first
 * stack. Nothing happens unless they name us. Changes EAX and EBX.
 */
	__HEAD
SYM_FUNC_START(lguest_head)
	cmpl	$LGUEST_SUBARCH, pa(boot_params + BP_hardware_subarch)
	jne	1f
	movl	$LHCALL_LGUEST_INIT, %eax
	movl	$pa(lguest_data), %ebx
	int	$LGUEST_TRAP_ENTRY
	movl	$lguest_start, pa(initial_code)
1:	ret
SYM_FUNC_END(lguest_head)

	.text

/* STI. If an interrupt waits, it comes here, before the return. Changes no register but flags. */
SYM_FUNC_START(lguest_irq_enable)
	movl	$LGUEST_IF, IRQ_ENABLED
	testl	$LGUEST_IF, IRQ_PENDING
	jnz	1f
	ret
1:	pushl	%eax
	movl	$LHCALL_SEND_INTERRUPTS, %eax
	int	$LGUEST_TRAP_ENTRY
	popl	%eax
	ret
SYM_FUNC_END(lguest_irq_enable)

/* STI; HLT. The Host switches the flag on: nothing can come between. */
SYM_FUNC_START(lguest_safe_halt)
	pushl	%eax
	movl	$LHCALL_HALT, %eax
	int	$LGUEST_TRAP_ENTRY
	popl	%eax
	ret
SYM_FUNC_END(lguest_safe_halt)

	.section .entry.text, "ax"

/*
 * IRET, jumped to with all registers as they shall be. DS and ES may be anybody's: memory is
 * reached through SS.
 *
 * To user mode it traps by itself, as user code segments are not code while the kernel runs; the
 * Host takes five words and gives interrupts that wait.
 */
SYM_CODE_START(lguest_iret)
	testb	$2, 4(%esp)
	jnz	.Liret
	orb	$3, 4(%esp)
	testl	$LGUEST_IF, 8(%esp)
	jz	.Liret				/* off before, off after */
	/*
	 * From here on interrupts are on, one word too early, so that one may come before the IRET
	 * is done. It returns here: that costs some stack, no more.
	 */
	movl	$LGUEST_IF, %ss:IRQ_ENABLED
	testl	$LGUEST_IF, %ss:IRQ_PENDING
	jz	.Liret
	pushl	%eax
	movl	$LHCALL_SEND_INTERRUPTS, %eax
	int	$LGUEST_TRAP_ENTRY
	popl	%eax
.Liret:
	iret

.Liret_failed:
	jmp	asm_iret_error
	_ASM_EXTABLE(.Liret, .Liret_failed)
SYM_CODE_END(lguest_iret)
