// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables and segments, as far as the Host must be told of what a processor would notice by
 * itself.
 *
 * The Host's shadow page tables are a TLB with an address space for each page directory. So what is
 * written to a page table needs no telling until it is flushed, as on any processor; but where
 * Linux leaves the flushing to the next load of CR3, it is told here at once, and a load of CR3
 * flushes nothing.
 */
#include <linux/mm_types.h>
#include <linux/sched.h>
#include <asm/desc.h>
#include <asm/mmu_context.h>
#include <asm/paravirt.h>
#include <asm/pgtable.h>
#include <asm/tlbflush.h>

#include "lguest.h"

/* More pages than these are not flushed one by one: half the ring of hypercalls. */
#define SINGLE_FLUSHES_MAX (LGUEST_HCALL_RING / 2ul)

/* ---- Flushes ---- */

static void flush_user(void)
{
	lguest_hcall(LHCALL_FLUSH_TLB, 0, 0, 0, 0);
}

static void flush_all(void)
{
	lguest_hcall(LHCALL_FLUSH_TLB, 1, 0, 0, 0);
}

/* Kernel addresses are flushed in all directories, whichever is named. */
static void flush_one(unsigned long addr)
{
	u32 pgd = addr < PAGE_OFFSET ? __read_cr3() : __pa(swapper_pg_dir);

	lguest_hcall(LHCALL_SET_PTE, pgd, addr, 0, 0);
}

/*
 * All user addresses of a directory. The Host keeps the four entries of a PAE directory as a
 * processor does, until it is loaded again.
 */
static void flush_directory(u32 pgd)
{
	unsigned long flags;
	u32 cr3;

	local_irq_save(flags);
	cr3 = __pa(this_cpu_read(cpu_tlbstate.loaded_mm)->pgd);
	if (pgd != cr3 || IS_ENABLED(CONFIG_X86_PAE))
		lguest_hcall_later(LHCALL_NEW_PGTABLE, pgd, 0, 0, 0);
	if (pgd == cr3) {
		lguest_hcall(LHCALL_FLUSH_TLB, 0, 0, 0, 0);
	} else {
		lguest_hcall_later(LHCALL_FLUSH_TLB, 0, 0, 0, 0);
		lguest_hcall(LHCALL_NEW_PGTABLE, cr3, 0, 0, 0);
	}
	local_irq_restore(flags);
}

static void flush_pages(u32 pgd, unsigned long start, unsigned long end)
{
	for (; start + PAGE_SIZE < end; start += PAGE_SIZE)
		lguest_hcall_later(LHCALL_SET_PTE, pgd, start, 0, 0);
	lguest_hcall(LHCALL_SET_PTE, pgd, start, 0, 0);
}

/**
 * lguest_flush_mm() - flush user addresses of an address space, whether it is loaded or not
 * @mm: the address space
 * @start: the first address, page aligned
 * @end: the address behind the last one, or TLB_FLUSH_ALL
 * @freed_tables: page tables are about to be freed, too
 *
 * Return: false if the kernel is no Guest and has to do it itself.
 */
bool lguest_flush_mm(struct mm_struct *mm, unsigned long start, unsigned long end,
		     bool freed_tables)
{
	if (!boot_cpu_has(X86_FEATURE_LGUEST_GUEST))
		return false;

	if (freed_tables || end == TLB_FLUSH_ALL || end - start > SINGLE_FLUSHES_MAX << PAGE_SHIFT)
		flush_directory(__pa(mm->pgd));
	else
		flush_pages(__pa(mm->pgd), start, end);
	return true;
}

/* ---- Segments ---- */

/**
 * lguest_load_tls() - load the three segments that each thread has for itself
 * @t: the thread that runs next
 * @cpu: the only one
 *
 * A kernel thread has no use for its own. If the user thread before it comes back, nothing has
 * changed.
 */
void lguest_load_tls(struct thread_struct *t, unsigned int cpu)
{
	struct desc_struct *gdt = get_cpu_gdt_rw(cpu) + GDT_ENTRY_TLS_MIN;

	if (!boot_cpu_has(X86_FEATURE_LGUEST_GUEST)) {
		native_load_tls(t, cpu);
		return;
	}
	if (container_of(t, struct task_struct, thread)->flags & PF_KTHREAD ||
	    !memcmp(gdt, t->tls_array, sizeof(t->tls_array)))
		return;
	native_load_tls(t, cpu);
	lguest_hcall(LHCALL_LOAD_TLS, __pa(t->tls_array), cpu, 0, 0);
}

/**
 * lguest_set_ldt() - load a table of local segments, or none
 * @addr: where it is
 * @entries: how many; 0: none
 *
 * LOAD_TLS has made the Host's copy of the GDT the one that counts; LLDT wants what stands in
 * memory.
 */
void lguest_set_ldt(const void *addr, unsigned int entries)
{
	if (entries && boot_cpu_has(X86_FEATURE_LGUEST_GUEST))
		load_direct_gdt(smp_processor_id());
	native_set_ldt(addr, entries);
}

/**
 * lguest_init_mmu() - say how the TLB is flushed here
 */
void __init lguest_init_mmu(void)
{
	pv_ops.mmu.flush_tlb_user = flush_user;
	pv_ops.mmu.flush_tlb_kernel = flush_all;
	pv_ops.mmu.flush_tlb_one_user = flush_one;
}
