// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables. The Host's shadow is a TLB: what is written to a page table needs no telling until
 * it is flushed.
 */
#include <asm/paravirt.h>
#include <asm/pgtable.h>

#include "lguest.h"

static void flush_user(void)
{
	lguest_hcall(LHCALL_FLUSH_TLB, 0, 0, 0, 0);
}

static void flush_all(void)
{
	lguest_hcall(LHCALL_FLUSH_TLB, 1, 0, 0, 0);
}

static void flush_one(unsigned long addr)
{
	lguest_hcall(LHCALL_SET_PTE, __read_cr3(), addr, 0, 0);
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
