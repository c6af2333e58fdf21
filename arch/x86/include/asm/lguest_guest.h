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

/* ---- special_insns.h: where the last page fault was, and which page tables there are ---- */

static __always_inline unsigned long lguest_read_cr2(void)
{
	unsigned long address;

	asm volatile(ALTERNATIVE("mov %%cr2, %0", "movl %1, %0", X86_FEATURE_LGUEST_GUEST)
		     : "=r" (address) : "m" (lguest_data.cr2) : "memory");
	return address;
}

/* The hypercall flushes nothing: all flushes are told when they are asked for (mmu.c). */
static __always_inline void lguest_write_cr3(unsigned long cr3)
{
	asm volatile(ALTERNATIVE("mov %%ebx, %%cr3", "int %2", X86_FEATURE_LGUEST_GUEST)
		     : : "a" (LHCALL_NEW_PGTABLE), "b" (cr3), "i" (LGUEST_TRAP_ENTRY) : "memory");
}

/* ---- desc.h, tlb.c ---- */

struct thread_struct;
struct mm_struct;

void lguest_load_tls(struct thread_struct *t, unsigned int cpu);
void lguest_set_ldt(const void *addr, unsigned int entries);
bool lguest_flush_mm(struct mm_struct *mm, unsigned long start, unsigned long end,
		     bool freed_tables);

#endif /* !__ASSEMBLY__ */
#endif /* _ASM_X86_LGUEST_GUEST_H */
