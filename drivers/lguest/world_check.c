// SPDX-License-Identifier: GPL-2.0
/*
 * Looks whether the page tables that the processor gets for a Guest hold what they may (S4, S7):
 * all that CR3 leads to, but for the shadow, which is shadow_check.c's. It only reads, and what it
 * reads does not change while the vCPU exists.
 */
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/vmalloc.h>

#include "lg.h"
#include "switcher.h"

#define CR3_KEEP_TLB	BIT_ULL(63)

struct check {
	struct seq_file *m;
	struct lg_cpu *cpu;
	enum lg_view view;
	unsigned int levels;
	unsigned long pages, aliases, wrong;
};

static void wrong(struct check *c, unsigned long va, u64 entry, const char *what)
{
	c->wrong++;
	seq_printf(c->m, "  wrong: view %d, %#lx: %#llx %s\n", c->view, va, entry, what);
}

/* S4: a page outside the Guest's addresses. */
static void check_page(struct check *c, unsigned long va, u64 entry)
{
	const u64 text = _PAGE_PRESENT | _PAGE_ACCESSED,
		  state = text | _PAGE_RW | _PAGE_DIRTY | _PAGE_NX;
	u64 flags = __sme_clr(entry) & ~(u64)PHYSICAL_PAGE_MASK, must;
	unsigned long first = (unsigned long)c->cpu->state, alias = va - LG_ALIAS_START(c->levels);
	phys_addr_t pa;

	if (alias < LG_ALIAS_SIZE)
		c->aliases++;
	else
		c->pages++;
	if (va >= (unsigned long)lg_switcher_text && va < (unsigned long)lg_switcher_text_end) {
		must = text;
		pa = PFN_PHYS(vmalloc_to_pfn((void *)va));
	} else if (va >= first && va < first + LG_STATE_SHARED) {
		must = state;
		pa = __pa(va);
	} else if (alias < LG_ALIAS_SIZE && alias % LG_ALIAS_STEP == 0) {
		must = state;
		pa = __pa(&c->cpu->state->self);
	} else {
		wrong(c, va, entry, "is no page of the switcher's");
		return;
	}
	if (flags & _PAGE_USER)
		wrong(c, va, entry, "is the Guest's to use");
	/* S7: it would stay in the TLB when CR3 is loaded. */
	if (flags & _PAGE_GLOBAL)
		wrong(c, va, entry, "is global");
	/* The processor may set these two, where they were not. */
	if ((flags | _PAGE_ACCESSED | _PAGE_DIRTY) != (must | _PAGE_ACCESSED | _PAGE_DIRTY))
		wrong(c, va, entry, "has other rights");
	if ((__sme_clr(entry) & PHYSICAL_PAGE_MASK) != pa)
		wrong(c, va, entry, "leads elsewhere");
}

/* A table of this level (1: page table), whose first entry is for va. */
static void check_table(struct check *c, const u64 *table, unsigned int level, unsigned long va)
{
	const u64 *low = lg_world_low(c->cpu, c->view);
	const unsigned int shift = PAGE_SHIFT + 9 * (level - 1);

	/* Its first entries are the shadow's. */
	for (unsigned int i = table == low ? LG_TOPS : 0; i < 512; i++) {
		unsigned long at = va + ((unsigned long)i << shift);
		u64 entry = READ_ONCE(table[i]);

		if (!entry)
			continue;
		/* Addresses are sign-extended. */
		if (level == c->levels && i >= 256)
			at |= ~0ul << (shift + 9);
		if (level == 1) {
			check_page(c, at, entry);
		} else if (!(entry & _PAGE_PRESENT) || entry & _PAGE_PSE) {
			wrong(c, at, entry, "leads to no table");
		} else {
			const u64 *next = __va(__sme_clr(entry) & PHYSICAL_PAGE_MASK);

			if (entry & _PAGE_USER && at)
				wrong(c, at, entry, "leads to what is not the Guest's");
			check_table(c, next, level - 1, at);
		}
	}
}

/**
 * lg_world_check() - what of S4 and S7 stands in page tables and CR3
 * @cpu: a vCPU that has run, and that is not unmade meanwhile
 * @m: gets a line for each thing that is wrong, and how much was looked at
 *
 * Return: how many things are wrong.
 */
unsigned long lg_world_check(struct lg_cpu *cpu, struct seq_file *m)
{
	struct check c = {
		.m = m, .cpu = cpu, .levels = lg_host_levels(),
	};
	const unsigned long pages = (lg_switcher_text_end - lg_switcher_text + PAGE_SIZE - 1) /
				    PAGE_SIZE + LG_STATE_SHARED / PAGE_SIZE;

	for (c.view = 0; c.view < LG_VIEWS; c.view++) {
		u64 cr3 = lg_world_cr3(cpu, c.view), pcid = cr3 & ~PAGE_MASK;

		c.pages = 0;
		c.aliases = 0;
		if (cr3 & CR3_KEEP_TLB)
			wrong(&c, 0, cr3, "in CR3 flushes nothing");
		if (pcid)
			wrong(&c, 0, cr3, "in CR3 has a PCID that is not ours");
		check_table(&c, __va(__sme_clr(cr3) & PHYSICAL_PAGE_MASK), c.levels, 0);
		if (c.pages != pages)
			wrong(&c, 0, c.pages, "pages of the switcher are mapped");
		if (c.aliases != LG_ALIAS_SIZE / LG_ALIAS_STEP)
			wrong(&c, 0, c.aliases, "aliases of the exit stack are mapped");
	}
	seq_printf(m, "  switcher pages %lu in each view\n", pages);
	return c.wrong;
}
