/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the rest of the kernel does differently when it is an lguest Guest: the few instructions
 * that neither trap in ring 3 nor mean there what they mean in ring 0, and those whose trap would
 * be too dear. Included by the headers that glue.patch touches, and by the Guest itself
 * (arch/x86/lguest).
 *
 * Each is the native instruction until boot.c has replaced it, which it does before anything else
 * runs: as alternatives of X86_FEATURE_LGUEST_GUEST. So a kernel with this in it is the same as
 * another on a PC, but for a few bytes of padding.
 */
#ifndef _ASM_X86_LGUEST_GUEST_H
#define _ASM_X86_LGUEST_GUEST_H

#include <asm/lguest.h>

#ifndef __ASSEMBLY__
#include <asm/alternative.h>
#include <asm/cpufeatures.h>

extern struct lguest_data lguest_data;

/* ---- irqflags.h: the interrupt flag is a word in memory, entry_32.S ---- */

static __always_inline unsigned long arch_local_save_flags(void)
{
	unsigned long flags;

	asm volatile(ALTERNATIVE("pushf; pop %0", "movl %1, %0", X86_FEATURE_LGUEST_GUEST)
		     : "=r" (flags) : "m" (lguest_data.irq_enabled) : "memory");
	return flags;
}

static __always_inline void arch_local_irq_disable(void)
{
	asm volatile(ALTERNATIVE("cli", "movl $0, %0", X86_FEATURE_LGUEST_GUEST)
		     : "+m" (lguest_data.irq_enabled) : : "memory");
}

/*
 * Interrupts that came while they were off are asked for: in lguest_irq_enable, which changes no
 * register.
 */
static __always_inline void arch_local_irq_enable(void)
{
	asm volatile(ALTERNATIVE("sti", "call lguest_irq_enable", X86_FEATURE_LGUEST_GUEST)
		     : : : "memory");
}

static __always_inline unsigned long arch_local_irq_save(void)
{
	unsigned long flags = arch_local_save_flags();

	arch_local_irq_disable();
	return flags;
}

static inline __cpuidle void arch_safe_halt(void)
{
	asm volatile(ALTERNATIVE("sti; hlt", "call lguest_safe_halt", X86_FEATURE_LGUEST_GUEST)
		     : : : "memory");
}

static inline __cpuidle void halt(void)
{
	native_halt();
}

#endif /* !__ASSEMBLY__ */
#endif /* _ASM_X86_LGUEST_GUEST_H */
