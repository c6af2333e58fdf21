// SPDX-License-Identifier: GPL-2.0
/*
 * The small kernel's memory: pages that nobody else has, and its page tables, 2-level at first and
 * PAE later.
 */
#include "guest.h"

static u32 next_free;

u32 guest_alloc(u32 pages, u32 align)
{
	u32 start, size = pages * PAGE_SIZE;

	if (!next_free)
		next_free = mailbox->free_start;
	start = (next_free + align - 1) & -align;
	GUEST_ASSERT(start >= next_free && start <= mailbox->free_end &&
		     size <= mailbox->free_end - start);
	next_free = start + size;
	memset(va(start), 0, size);
	return start;
}

u32 *guest_pte(u32 *pgdir, u32 address)
{
	u32 *table = va(pgdir[address >> 22] & -PAGE_SIZE);

	return &table[address >> 12 & 1023];
}

void guest_map(u32 *pgdir, u32 address, u32 entry)
{
	u32 *pde = &pgdir[address >> 22];

	if (!(*pde & PTE_P))
		*pde = guest_alloc(1, PAGE_SIZE) | PTE_ALL;
	*guest_pte(pgdir, address) = entry;
}

u32 guest_new_pgdir(void)
{
	const u32 first = LGUEST_PAGE_OFFSET >> 22;
	u32 gpa = guest_alloc(1, PAGE_SIZE);
	u32 *pgdir = va(gpa);

	memcpy(&pgdir[first], &lguest_pgdir[first], (1024 - first) * sizeof(*pgdir));
	return gpa;
}

void guest_flush_all(void)
{
	hypercall(LHCALL_FLUSH_TLB, 1, 0, 0, 0);
}

/* ---- PAE: four pointers, four directories, pages of 2 MiB (SDM vol. 3, 4.4) ---- */
#define PAE_LARGE	(2u << 20)

void guest_switch_paging(u32 cr3, u32 cr4);	/* entry.S */

bool guest_has_pae, guest_has_nx;
static u64 pdpt[4] __attribute__((aligned(32)));
static u64 directories[4][512] __attribute__((aligned(4096)));

u64 *guest_pae_pde(u32 address)
{
	return &directories[address >> 30][address >> 21 & 511];
}

void guest_enter_pae(bool nx)
{
	u32 memory = (mailbox->free_end + PAE_LARGE - 1) & -PAE_LARGE, gpa, i;

	for (i = 0; i < 4; i++)
		pdpt[i] = pa(directories[i]) | PTE_P;
	for (gpa = 0; gpa < memory; gpa += PAE_LARGE) {
		if (gpa < LGUEST_PAGE_OFFSET)
			*guest_pae_pde(gpa) = gpa | PTE_ALL | PTE_PS;
		if (gpa < -LGUEST_PAGE_OFFSET)
			*guest_pae_pde(gpa + LGUEST_PAGE_OFFSET) = gpa | PTE_ALL | PTE_PS;
	}
	if (nx)
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NX);
	guest_switch_paging(pa(pdpt), CR4_PAE);
	guest_has_pae = true;
	guest_has_nx = nx;
}

/* ---- Either format ---- */
u32 guest_large_size(void)
{
	return guest_has_pae ? PAE_LARGE : 4u << 20;
}

u64 guest_read_pde(u32 address)
{
	return guest_has_pae ? *guest_pae_pde(address) : lguest_pgdir[address >> 22];
}

void guest_write_pde(u32 address, u64 entry)
{
	if (guest_has_pae)
		*(volatile u64 *)guest_pae_pde(address) = entry;
	else
		*(volatile u32 *)&lguest_pgdir[address >> 22] = entry;
}

u64 guest_read_entry(u32 table, u32 index)
{
	return guest_has_pae ? ((volatile u64 *)va(table))[index] :
			       ((volatile u32 *)va(table))[index];
}

void guest_write_entry(u32 table, u32 index, u64 entry)
{
	if (guest_has_pae)
		((volatile u64 *)va(table))[index] = entry;
	else
		((volatile u32 *)va(table))[index] = entry;
}

u32 guest_pte_index(u32 address)
{
	return address >> 12 & (guest_has_pae ? 511 : 1023);
}
