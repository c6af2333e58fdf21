// SPDX-License-Identifier: GPL-2.0
/*
 * What the Guest takes back: flushes, page-table hypercalls, loads of CR3 and of the registers that
 * go with it; and the top tables, which say what page directory the vCPU is on. Nothing is filled
 * here.
 *
 * A flush drops entries where that is few of them, and otherwise only counts (lg_shadow.gen and its
 * like): what it meant is found stale when it is used again, and compared then. TLBs are no matter:
 * a vCPU flushes its own with each entry, and other vCPUs' are the Guest's to flush.
 */
#include "shadow.h"
#include "trace.h"

#define TOP_SPAN	(1ULL << lg_level_shift(LG_TOP_LEVEL + 1))

/* Pages of level 2 that are visited for a flush of one address in all directories. */
#define MAX_VISITS	4096

/* ---- Top tables ---- */

static void clear_tops(struct lg_cpu *cpu)
{
	for (enum lg_view view = 0; view < LG_VIEWS; view++) {
		for (unsigned int i = 0; i < LG_TOPS; i++)
			WRITE_ONCE(lg_world_low(cpu, view)[i], 0);
	}
}

/* Puts into both top tables what is known of the current directory; the rest comes with faults. */
static void find_tops(struct lg_shadow *s, struct lg_cpu *cpu)
{
	clear_tops(cpu);
	for (enum lg_view view = 0; view < LG_VIEWS; view++) {
		u64 *low = lg_world_low(cpu, view);

		for (unsigned int i = 0; i < LG_TOPS; i++) {
			union lg_spage_key key;
			struct lg_spage *sp;

			if (!lg_top_key(&cpu->paging, view, i * TOP_SPAN, &key))
				continue;
			sp = lg_spage_find(s, key);
			if (sp && !lg_top_stale(s, sp))
				WRITE_ONCE(low[i], spage_pa(sp) | LG_BASE_FLAGS | LG_WRITE_FLAGS);
		}
	}
}

/*
 * Remembers the top tables of the directory that is left, and takes those of another from memory if
 * they are good.
 */
static void switch_tops(struct lg_shadow *s, struct lg_cpu *cpu)
{
	const struct lg_paging *paging = &cpu->paging;
	struct lg_root *root = &cpu->root[cpu->root_now];
	unsigned int i;

	lg_mem_forget(cpu);
	for (enum lg_view view = 0; view < LG_VIEWS; view++)
		memcpy(root->top[view], lg_world_low(cpu, view), sizeof(root->top[view]));
	root->epoch = s->epoch;

	for (i = 0; i < LG_ROOTS; i++) {
		root = &cpu->root[i];
		if (root->cr3 == paging->cr3 && root->epoch == s->epoch &&
		    !memcmp(root->pdpte, paging->pdpte, sizeof(root->pdpte)))
			break;
	}
	if (i < LG_ROOTS) {
		for (enum lg_view view = 0; view < LG_VIEWS; view++)
			memcpy(lg_world_low(cpu, view), root->top[view], sizeof(root->top[view]));
	} else {
		i = (cpu->root_now + 1) % LG_ROOTS;
		root = &cpu->root[i];
		find_tops(s, cpu);
		root->cr3 = paging->cr3;
		memcpy(root->pdpte, paging->pdpte, sizeof(root->pdpte));
		root->epoch = s->epoch;
	}
	cpu->root_now = i;
}

/* ---- Flushes ---- */

/*
 * All that was made before is stale from now on; or, with local, all that is not global to the
 * Guest.
 */
static void flush_everything(struct lg_shadow *s, struct lg_cpu *cpu, bool local)
{
	lg_mem_forget(cpu);
	clear_tops(cpu);
	s->gen++;
	s->epoch++;
	s->local_flushed = s->gen;
	if (local) {
		s->stats.flushes_local++;
	} else {
		s->all_flushed = s->gen;
		s->stats.flushes_all++;
	}
}

void lg_shadow_flush_all(struct lg_cpu *cpu)
{
	struct lg_shadow *s = cpu->lg->shadow;

	trace_lguest_flush(cpu, LG_FLUSH_ALL, 0);
	spin_lock(&s->lock);
	flush_everything(s, cpu, false);
	spin_unlock(&s->lock);
}

void lg_shadow_flush_user(struct lg_cpu *cpu)
{
	struct lg_shadow *s = cpu->lg->shadow;
	union lg_spage_key key;
	struct lg_spage *sp;

	/* Nothing is known to be the user's. */
	if (!cpu->kernel_address) {
		lg_shadow_flush_all(cpu);
		return;
	}

	trace_lguest_flush(cpu, LG_FLUSH_USER, 0);
	lg_mem_forget(cpu);
	spin_lock(&s->lock);
	s->gen++;
	s->stats.flushes_user++;
	for (enum lg_view view = 0; view < LG_VIEWS; view++) {
		for (u64 gva = 0; gva < cpu->kernel_address; gva += TOP_SPAN) {
			u64 span = min_t(u64, cpu->kernel_address - gva, TOP_SPAN);

			if (!lg_top_key(&cpu->paging, view, gva, &key) || key.direct)
				continue;
			sp = lg_spage_find(s, key);
			if (sp)
				lg_spage_zap_range(
					s, sp, 0,
					DIV_ROUND_UP(span, 1ULL << lg_level_shift(LG_TOP_LEVEL)));
		}
	}
	spin_unlock(&s->lock);
}

/* True if the slot maps a large page, or pieces of one. */
static bool slot_is_large(const struct lg_spage *sp, unsigned int slot)
{
	u64 pte = sp->table[slot];

	return pte && (pte & _PAGE_PSE || spage_of_pte(pte)->key.direct);
}

/* Drops gva below a page of level 2, with all of the large page that it lies in. */
static void zap_gva(struct lg_shadow *s, struct lg_spage *sp, u64 gva)
{
	unsigned int slot = lg_slot(gva, LG_TOP_LEVEL);

	/* A large page of 4 MiB has two slots. */
	if (sp->key.format == LG_FMT_2LEVEL && slot_is_large(sp, slot ^ 1))
		lg_spage_zap(s, sp, slot ^ 1);
	if (slot_is_large(sp, slot))
		lg_spage_zap(s, sp, slot);
	else if (sp->table[slot])
		lg_spage_zap(s, spage_of_pte(sp->table[slot]), lg_slot(gva, 1));
}

/* Drops gva in all directories of this format. False: there are too many to visit. */
static bool zap_gva_everywhere(struct lg_shadow *s, const struct lg_paging *paging, u64 gva)
{
	unsigned int visits = 0;
	struct lg_spage *sp;

	list_for_each_entry(sp, &s->dirs, dir) {
		if (++visits > MAX_VISITS)
			return false;
		if (sp->key.direct || sp->key.format != paging->format)
			continue;
		/* Of PAE it is not known which GiB a page is used for; it may be zapped in vain. */
		if (paging->format != LG_FMT_2LEVEL || sp->key.quadrant == gva / TOP_SPAN)
			zap_gva(s, sp, gva);
	}
	return true;
}

/*
 * Drops gva in the directory of `paging`, both views; an address of the kernel part in all
 * directories. With prefill, what stands in the Guest's table now may take its place, in the view
 * that will want it first.
 */
static void flush_gva(struct lg_cpu *cpu, const struct lg_paging *paging, u64 gva, bool prefill)
{
	bool kernel = lg_in_kernel_part(cpu, gva);
	enum lg_view wanted = kernel ? LG_VIEW_KERNEL : LG_VIEW_USER;
	struct lg_shadow *s = cpu->lg->shadow;
	union lg_spage_key key;
	struct lg_spage *sp;
	unsigned int slot;

	trace_lguest_flush(cpu, LG_FLUSH_GVA, gva);
	lg_mem_forget(cpu);
	spin_lock(&s->lock);
	s->gen++;
	s->stats.flushes_one++;
	if (kernel && !zap_gva_everywhere(s, paging, gva))
		flush_everything(s, cpu, false);
	for (enum lg_view view = 0; view < LG_VIEWS; view++) {
		if (!lg_top_key(paging, view, gva, &key) || key.direct)
			continue;
		sp = lg_spage_find(s, key);
		if (!sp)
			continue;
		if (!kernel)
			zap_gva(s, sp, gva);
		slot = lg_slot(gva, LG_TOP_LEVEL);
		if (prefill && view == wanted && sp->table[slot] && !slot_is_large(sp, slot) &&
		    !s->invalidating)
			lg_shadow_prefill(s, cpu, spage_of_pte(sp->table[slot]), lg_slot(gva, 1),
					  1);
	}
	spin_unlock(&s->lock);
}

void lg_shadow_flush_gva(struct lg_cpu *cpu, u64 gva)
{
	flush_gva(cpu, &cpu->paging, gva & 0xffffffff, false);
}

/* ---- CR3 and the registers that go with it ---- */

/* Of a PAE directory; -EFAULT: outside memory, or a reserved bit. */
static int read_pdptes(struct lg_cpu *cpu, struct lg_paging *paging)
{
	u64 gpa = paging->cr3 & 0xffffffe0;

	if (lg_read_gpa(cpu, gpa, paging->pdpte, sizeof(paging->pdpte)))
		return -EFAULT;
	for (unsigned int i = 0; i < ARRAY_SIZE(paging->pdpte); i++) {
		if (!lg_pdpte_ok(paging, paging->pdpte[i]))
			return -EFAULT;
	}
	return 0;
}

/* What the tables that paging names are worth: PDPTEs are read. 0 or -EFAULT. */
static int check(struct lg_cpu *cpu, struct lg_paging *paging)
{
	memset(paging->pdpte, 0, sizeof(paging->pdpte));
	switch (paging->format) {
	case LG_FMT_PAE:
		return read_pdptes(cpu, paging);
	case LG_FMT_2LEVEL:
		return lg_gpa_ok(cpu->lg, lg_table_gpa(paging, paging->cr3), PAGE_SIZE) ? 0 :
											  -EFAULT;
	case LG_FMT_NONE:
		return 0;
	default:
		/* The walk could do it; what stands above 4 GiB here could not yet. */
		return -EFAULT;
	}
}

int lg_shadow_load_cr3(struct lg_cpu *cpu, u64 cr3, bool flush)
{
	struct lg_shadow *s = cpu->lg->shadow;
	struct lg_paging paging = cpu->paging;
	int err;

	paging.cr3 = cr3;
	err = check(cpu, &paging);
	if (err)
		return err;

	if (flush)
		trace_lguest_flush(cpu, LG_FLUSH_LOCAL, cr3);
	spin_lock(&s->lock);
	cpu->paging = paging;
	if (flush)
		flush_everything(s, cpu, true);
	switch_tops(s, cpu);
	spin_unlock(&s->lock);
	return 0;
}

int lg_shadow_set_mode(struct lg_cpu *cpu, u64 cr0, u64 cr4, u64 efer)
{
	struct lg_shadow *s = cpu->lg->shadow;
	struct lg_paging paging = cpu->paging;
	int err;

	paging.cr0 = cr0;
	paging.cr4 = cr4;
	paging.efer = efer;
	paging.format = lg_paging_format(cr0, cr4, efer);
	/* What the Guest sees: CPUID does not trap. */
	if (!paging.phys_bits)
		paging.phys_bits = cpuid_eax(0x80000008) & 0xff;
	err = check(cpu, &paging);
	if (err)
		return err;

	trace_lguest_flush(cpu, LG_FLUSH_ALL, 0);
	spin_lock(&s->lock);
	cpu->paging = paging;
	flush_everything(s, cpu, false);
	s->mode_changed = s->gen;
	switch_tops(s, cpu);
	spin_unlock(&s->lock);
	return 0;
}

/* ---- Hypercalls ---- */

void lg_shadow_set_pte(struct lg_cpu *cpu, u64 pgdir, u64 gva, u64 value)
{
	struct lg_paging paging = cpu->paging;

	paging.cr3 = pgdir;
	/*
	 * Of another directory, PDPTEs are in memory; one that cannot be read or is wrong was never
	 * used.
	 */
	if (paging.format == LG_FMT_PAE && (pgdir ^ cpu->paging.cr3) & 0xffffffe0 &&
	    read_pdptes(cpu, &paging))
		return;
	flush_gva(cpu, &paging, gva & 0xffffffff, value & LG_PTE_ACCESSED);
}

static void zap_slots(struct lg_cpu *cpu, u64 table, u64 gva, unsigned int first,
		      unsigned int count)
{
	struct lg_shadow *s = cpu->lg->shadow;
	struct lg_spage *sp;

	trace_lguest_flush(cpu, LG_FLUSH_TABLE, table);
	lg_mem_forget(cpu);
	spin_lock(&s->lock);
	s->gen++;
	s->stats.flushes_one++;
	for (enum lg_view view = 0; view < LG_VIEWS; view++) {
		sp = lg_spage_find(s, lg_table_key(&cpu->paging, view, table, gva, LG_TOP_LEVEL));
		if (sp)
			lg_spage_zap_range(s, sp, first, first + count);
	}
	spin_unlock(&s->lock);
}

/*
 * A PDPTE of the current directory changed: the processor would see it with the next load of CR3
 * only.
 */
static void reload_pdptes(struct lg_cpu *cpu, unsigned int index)
{
	struct lg_shadow *s = cpu->lg->shadow;

	if (!lg_shadow_load_cr3(cpu, cpu->paging.cr3, false))
		return;
	/* It is wrong in memory: not present. */
	spin_lock(&s->lock);
	cpu->paging.pdpte[index] = 0;
	switch_tops(s, cpu);
	spin_unlock(&s->lock);
}

void lg_shadow_set_pgd(struct lg_cpu *cpu, u64 pgdir, u32 index)
{
	const struct lg_paging *paging = &cpu->paging;
	u64 gva;

	switch (paging->format) {
	case LG_FMT_2LEVEL:
		gva = (u64)(index & 1023) << 22;
		zap_slots(cpu, lg_table_gpa(paging, pgdir), gva, lg_slot(gva, LG_TOP_LEVEL), 2);
		break;
	case LG_FMT_PAE:
		/* Other directories' PDPTEs are read when they are loaded. */
		if (!((pgdir ^ paging->cr3) & 0xffffffe0))
			reload_pdptes(cpu, index & 3);
		break;
	}
}

void lg_shadow_set_pmd(struct lg_cpu *cpu, u64 pmd, u32 index)
{
	if (cpu->paging.format == LG_FMT_PAE)
		zap_slots(cpu, lg_table_gpa(&cpu->paging, pmd), 0, index & (LG_SLOTS - 1), 1);
}
