// SPDX-License-Identifier: GPL-2.0
/*
 * The shadow as the Guest drives it: page faults fill it, loads of CR3 choose what stands in the top tables, flushes
 * and page-table hypercalls drop from it. It is a TLB (design.md, decision 4): every entry was made from a walk of the
 * Guest's tables and lives no longer than the Guest may count on.
 *
 * Who enters is the vCPU's own task, loaded or not; it may come back not loaded. Guest memory is read and Host frames
 * are got with no lock held; then, under the lock, what was found is installed if no flush and no notifier came
 * between.
 *
 * How tables lie. The hardware has four levels whatever the Guest has. Entries 0 to 3 of a vCPU's top table of a view
 * (lg_world_low(), 1 GiB each) point to shadow pages of level 2 and are always either 0 or right for the current CR3.
 * One page of a 2-level Guest's table maps more than one of ours: quadrants.
 */
#include <linux/sched.h>

#include "shadow.h"

/* How often a fill is begun anew here; then the Guest faults again, and the run loop has looked at signals. */
#define MAX_TRIES	4

#define RIGHTS		(_PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_NX)

/* Set in all entries made here (M1): rights are taken away by what is not added. */
#define BASE_FLAGS	(_PAGE_PRESENT | _PAGE_USER | _PAGE_ACCESSED)
#define WRITE_FLAGS	(_PAGE_RW | _PAGE_DIRTY)

#define TOP_LEVEL	2

static unsigned int slot_of(u64 gva, unsigned int level)
{
	return gva >> (PAGE_SHIFT + LG_SLOT_BITS * (level - 1)) & (LG_SLOTS - 1);
}

/* Bytes that one entry of this level maps, as a shift. */
static unsigned int shift_of(unsigned int level)
{
	return PAGE_SHIFT + LG_SLOT_BITS * (level - 1);
}

/* ---- Keys ---- */

/* The shadow, for gva, of the Guest's table at `table`. */
static union lg_spage_key table_key(const struct lg_paging *paging, enum lg_view view, u64 table, u64 gva,
				    unsigned int level)
{
	union lg_spage_key key = { .gfn = table >> PAGE_SHIFT, .level = level, .view = view, .format = paging->format };

	/* Its tables map 2^10 entries where ours map 2^9: one bit more at each level. */
	if (paging->format == LG_FMT_2LEVEL)
		key.quadrant = gva >> shift_of(level + 1) & ((1u << level) - 1);
	return key;
}

/* A piece of a large page, or of memory itself where paging is off. gpa is where gva leads. */
static union lg_spage_key direct_key(const struct lg_paging *paging, enum lg_view view, u64 gpa, unsigned int level)
{
	return (union lg_spage_key){
		.gfn = gpa >> shift_of(level + 1) << (shift_of(level + 1) - PAGE_SHIFT),
		.level = level, .view = view, .format = paging->format, .direct = true,
	};
}

/* The shadow page that belongs into the top table for gva; false: the Guest has none there (PAE). */
static bool top_key(const struct lg_paging *paging, enum lg_view view, u64 gva, union lg_spage_key *key)
{
	u64 pdpte;

	switch (paging->format) {
	case LG_FMT_2LEVEL:
		*key = table_key(paging, view, lg_table_gpa(paging, paging->cr3), gva, TOP_LEVEL);
		return true;
	case LG_FMT_PAE:
		pdpte = paging->pdpte[gva >> 30 & 3];
		if (!(pdpte & LG_PTE_PRESENT))
			return false;
		*key = table_key(paging, view, lg_table_gpa(paging, pdpte), gva, TOP_LEVEL);
		return true;
	default:
		*key = direct_key(paging, view, gva, TOP_LEVEL);
		return true;
	}
}

/* ---- Freshness ---- */

static bool in_kernel_part(const struct lg_cpu *cpu, u64 gva)
{
	return cpu->kernel_address && gva >= cpu->kernel_address;
}

/* A page of the top table holds what the Guest flushed. Flushes of less than everything saw to it when they came. */
static bool top_stale(const struct lg_shadow *s, const struct lg_spage *sp)
{
	return !sp->key.direct && sp->fresh < s->all_flushed;
}

/*
 * May a page that was found by its key, not by its parent, be linked under gva as it is? Flushes reach what is linked
 * where they act. One that was linked nowhere has missed all of them since; one that is linked in another directory
 * only has missed those of user addresses. (Kernel addresses are flushed in all directories.)
 */
static bool child_stale(const struct lg_shadow *s, const struct lg_cpu *cpu, const struct lg_spage *sp, u64 gva)
{
	u64 start = gva & ~((1ULL << shift_of(sp->key.level + 1)) - 1);

	if (sp->key.direct)
		return false;
	if (!sp->parents && sp->orphaned != s->gen)
		return true;
	if (in_kernel_part(cpu, start))
		return sp->fresh < s->all_flushed;
	return sp->fresh < (sp->parents ? s->gen : s->user_flushed);
}

/* Drops all that a stale page holds. What it points to stays findable, and is looked at when it is linked again. */
static void refresh(struct lg_shadow *s, struct lg_spage *sp)
{
	lg_spage_zap_range(s, sp, 0, LG_SLOTS);
	sp->fresh = s->gen;
	sp->orphaned = s->gen;
}

/* ---- Filling ---- */

/* What the Guest's entry of one level grants: the flags of ours at the same level. */
static u64 entry_flags(const struct lg_paging *paging, enum lg_view view, const struct lg_translation *t,
		       unsigned int index)
{
	u64 entry = t->entry[index];
	bool write;

	/* Inside a large page: the large page's entry has said it. */
	if (index < t->leaf)
		return BASE_FLAGS | WRITE_FLAGS;

	/* With WP off the kernel writes where it pleases; the views are apart (M5), so user mode does not. */
	write = entry & LG_PTE_WRITE || (view == LG_VIEW_KERNEL && !(paging->cr0 & LG_CR0_WP));
	/* The first write must be seen, to set dirty. */
	if (index == t->leaf && !(entry & LG_PTE_DIRTY))
		write = false;
	return BASE_FLAGS | (write ? WRITE_FLAGS : 0) | (entry & LG_PTE_NX ? _PAGE_NX : 0);
}

/* All levels of the Guest together allow writing now, without another look at its tables. */
static bool may_write(const struct lg_paging *paging, enum lg_view view, const struct lg_translation *t)
{
	if (t->leaf == LG_LEAF_NONE)
		return true;
	return t->entry[t->leaf] & LG_PTE_DIRTY &&
	       (t->writable || (view == LG_VIEW_KERNEL && !(paging->cr0 & LG_CR0_WP)));
}

static struct lg_spage *top_page(struct lg_shadow *s, struct lg_cpu *cpu, enum lg_view view, u64 gva)
{
	u64 *top = &lg_world_low(cpu, view)[gva >> shift_of(TOP_LEVEL + 1) & (LG_TOPS - 1)];
	union lg_spage_key key;
	struct lg_spage *sp;

	if (*top)
		return spage_of_pte(*top);
	if (!top_key(&cpu->paging, view, gva, &key))
		return NULL;
	sp = lg_spage_get(s, cpu, key);
	if (top_stale(s, sp))
		refresh(s, sp);
	WRITE_ONCE(*top, spage_pa(sp) | BASE_FLAGS | WRITE_FLAGS);
	return sp;
}

/* The shadow page below a slot: what is there if it is the right one, else another in its place (M2, M4). */
static struct lg_spage *child_page(struct lg_shadow *s, struct lg_cpu *cpu, struct lg_spage *sp, u64 gva,
				   union lg_spage_key key, u64 flags)
{
	unsigned int slot = slot_of(gva, sp->key.level);
	u64 old = sp->table[slot];
	struct lg_spage *child;

	if (old && !(old & _PAGE_PSE)) {
		child = spage_of_pte(old);
		if (child->key.raw == key.raw && (old & RIGHTS) == (flags & RIGHTS))
			return child;
	}
	lg_spage_zap(s, sp, slot);
	child = lg_spage_get(s, cpu, key);
	if (child_stale(s, cpu, child, gva))
		refresh(s, child);
	lg_spage_link(s, sp, slot, child, flags);
	return child;
}

/* Host pages and the Guest's flushes as they stood before a walk. */
struct moment {
	u64 gen, invalidated;
};

static struct moment moment_now(const struct lg_shadow *s)
{
	struct moment m = { READ_ONCE(s->gen), READ_ONCE(s->invalidated) };

	/* Before all reads of Guest memory, and before a Host frame is got. */
	smp_rmb();
	return m;
}

static bool moment_passed(const struct lg_shadow *s, struct moment m)
{
	return s->invalidating || s->invalidated != m.invalidated || s->gen != m.gen;
}

/* False: something came between, nothing was done. */
static bool install(struct lg_cpu *cpu, u64 gva, const struct lg_translation *t, struct page *page, bool writable,
		    struct moment m)
{
	const struct lg_paging *paging = &cpu->paging;
	enum lg_view view = cpu->user ? LG_VIEW_USER : LG_VIEW_KERNEL;
	struct lg_shadow *s = cpu->lg->shadow;
	union lg_spage_key key;
	struct lg_spage *sp;
	u64 flags;

	spin_lock(&s->lock);
	if (moment_passed(s, m)) {
		s->stats.retries++;
		spin_unlock(&s->lock);
		return false;
	}

	sp = top_page(s, cpu, view, gva);
	for (unsigned int level = TOP_LEVEL; level > 1; level--) {
		/* entry[i] stands in the table of level i + 1. */
		if (t->leaf < level - 1)
			key = table_key(paging, view, t->table[level - 2], gva, level - 1);
		else
			key = direct_key(paging, view, t->gpa, level - 1);
		sp = child_page(s, cpu, sp, gva, key, entry_flags(paging, view, t, level - 1));
	}

	flags = entry_flags(paging, view, t, 0);
	if (!writable)
		flags &= ~(u64)WRITE_FLAGS;
	lg_spage_zap(s, sp, slot_of(gva, 1));
	lg_spage_map(s, sp, slot_of(gva, 1), t->gpa >> PAGE_SHIFT, page_to_pfn(page), flags, false);
	/* As if the Launcher had unmapped a dirty page just here: the notifier is held off by the lock. */
	if (writable && !PageDirty(page))
		set_page_dirty(page);
	s->stats.fills++;
	spin_unlock(&s->lock);
	return true;
}

enum lg_shadow_result lg_shadow_fault(struct lg_cpu *cpu, u64 gva, u32 error, u64 *gpa)
{
	u32 access = (error & (LG_PF_WRITE | LG_PF_FETCH)) | (cpu->user ? LG_PF_USER : 0);
	enum lg_view view = cpu->user ? LG_VIEW_USER : LG_VIEW_KERNEL;
	struct lguest *lg = cpu->lg;
	struct lg_translation t;
	struct page *page;
	struct moment m;
	bool writable, done;
	int err;

	for (unsigned int i = 0; i < MAX_TRIES; i++) {
		m = moment_now(lg->shadow);
		err = lg_walk(cpu, &cpu->paging, gva, access, &t, &cpu->fault);
		if (err == -EFAULT)
			return LG_SHADOW_REFLECT;
		if (err == -EAGAIN)
			break;
		if (err)
			return LG_SHADOW_GONE;
		if (!lg_gpa_ok(lg, t.gpa & PAGE_MASK, PAGE_SIZE)) {
			*gpa = t.gpa;
			return LG_SHADOW_DEVICE;
		}
		if (lg_spage_top_up(cpu))
			return LG_SHADOW_GONE;

		writable = may_write(&cpu->paging, view, &t);
		page = lg_mem_page(cpu, t.gpa >> PAGE_SHIFT, access & LG_PF_WRITE, &writable);
		if (!page)
			return LG_SHADOW_GONE;
		done = install(cpu, gva & 0xffffffff, &t, page, writable, m);
		put_page(page);
		if (done)
			return LG_SHADOW_DONE;
		lg_world_put(cpu);
		cond_resched();
	}
	return LG_SHADOW_DONE;
}

/* ---- CR3 and the registers that go with it ---- */

/* Puts into both top tables what is known of the current directory; the rest comes with faults. */
static void set_tops(struct lg_shadow *s, struct lg_cpu *cpu)
{
	for (enum lg_view view = 0; view < LG_VIEWS; view++) {
		u64 *low = lg_world_low(cpu, view);

		for (unsigned int i = 0; i < LG_TOPS; i++) {
			union lg_spage_key key;
			struct lg_spage *sp = NULL;

			if (top_key(&cpu->paging, view, (u64)i << shift_of(TOP_LEVEL + 1), &key))
				sp = lg_spage_find(s, key);
			if (sp && !top_stale(s, sp))
				WRITE_ONCE(low[i], spage_pa(sp) | BASE_FLAGS | WRITE_FLAGS);
			else
				WRITE_ONCE(low[i], 0);
		}
	}
}

/* All that was made before is stale from now on. */
static void flush_everything(struct lg_shadow *s)
{
	s->gen++;
	s->user_flushed = s->gen;
	s->all_flushed = s->gen;
	s->stats.flushes_all++;
}

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

static int load(struct lg_cpu *cpu, struct lg_paging *paging, bool flush)
{
	struct lg_shadow *s = cpu->lg->shadow;

	switch (paging->format) {
	case LG_FMT_PAE:
		if (read_pdptes(cpu, paging))
			return -EFAULT;
		break;
	case LG_FMT_2LEVEL:
		if (!lg_gpa_ok(cpu->lg, lg_table_gpa(paging, paging->cr3), PAGE_SIZE))
			return -EFAULT;
		break;
	case LG_FMT_4LEVEL:
		/* The walk could do it; what stands above 4 GiB here could not yet. */
		return -EFAULT;
	}

	spin_lock(&s->lock);
	cpu->paging = *paging;
	if (flush)
		flush_everything(s);
	set_tops(s, cpu);
	spin_unlock(&s->lock);
	return 0;
}

int lg_shadow_load_cr3(struct lg_cpu *cpu, u64 cr3, bool flush)
{
	struct lg_paging paging = cpu->paging;

	paging.cr3 = cr3;
	return load(cpu, &paging, flush);
}

int lg_shadow_set_mode(struct lg_cpu *cpu, u64 cr0, u64 cr4, u64 efer)
{
	struct lg_paging paging = cpu->paging;

	paging.cr0 = cr0;
	paging.cr4 = cr4;
	paging.efer = efer;
	paging.format = lg_paging_format(cr0, cr4, efer);
	/* What the Guest sees: CPUID does not trap. */
	if (!paging.phys_bits)
		paging.phys_bits = cpuid_eax(0x80000008) & 0xff;
	return load(cpu, &paging, true);
}

/* ---- Flushes ---- */

void lg_shadow_flush_all(struct lg_cpu *cpu)
{
	struct lg_shadow *s = cpu->lg->shadow;

	spin_lock(&s->lock);
	flush_everything(s);
	set_tops(s, cpu);
	spin_unlock(&s->lock);
}

void lg_shadow_flush_user(struct lg_cpu *cpu)
{
	struct lg_shadow *s = cpu->lg->shadow;
	const u64 step = 1ULL << shift_of(TOP_LEVEL + 1);
	union lg_spage_key key;
	struct lg_spage *sp;

	/* Nothing is known to be the kernel's. */
	if (!cpu->kernel_address) {
		lg_shadow_flush_all(cpu);
		return;
	}

	spin_lock(&s->lock);
	s->user_flushed = ++s->gen;
	s->stats.flushes_user++;
	for (enum lg_view view = 0; view < LG_VIEWS; view++) {
		for (u64 gva = 0; gva < cpu->kernel_address; gva += step) {
			u64 end = min_t(u64, cpu->kernel_address - gva, step);

			if (!top_key(&cpu->paging, view, gva, &key) || key.direct)
				continue;
			sp = lg_spage_find(s, key);
			if (sp)
				lg_spage_zap_range(s, sp, 0, DIV_ROUND_UP(end, 1ULL << shift_of(TOP_LEVEL)));
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
	unsigned int slot = slot_of(gva, TOP_LEVEL);

	/* A large page of 4 MiB has two slots. */
	if (sp->key.format == LG_FMT_2LEVEL && slot_is_large(sp, slot ^ 1))
		lg_spage_zap(s, sp, slot ^ 1);
	if (slot_is_large(sp, slot))
		lg_spage_zap(s, sp, slot);
	else if (sp->table[slot])
		lg_spage_zap(s, spage_of_pte(sp->table[slot]), slot_of(gva, 1));
}

/* Drops gva in the directory of `paging`, both views; an address of the kernel part in all directories. */
static void flush_gva(struct lg_cpu *cpu, const struct lg_paging *paging, u64 gva)
{
	struct lg_shadow *s = cpu->lg->shadow;
	union lg_spage_key key;
	struct lg_spage *sp;

	gva &= 0xffffffff;
	spin_lock(&s->lock);
	s->gen++;
	s->stats.flushes_one++;
	if (in_kernel_part(cpu, gva)) {
		list_for_each_entry(sp, &s->dirs, dir) {
			if (sp->key.direct || sp->key.format != paging->format)
				continue;
			/* Of PAE it is not known which GiB a page is used for; it may be zapped in vain. */
			if (paging->format != LG_FMT_2LEVEL || sp->key.quadrant == gva >> shift_of(TOP_LEVEL + 1))
				zap_gva(s, sp, gva);
		}
	} else {
		for (enum lg_view view = 0; view < LG_VIEWS; view++) {
			if (!top_key(paging, view, gva, &key) || key.direct)
				continue;
			sp = lg_spage_find(s, key);
			if (sp)
				zap_gva(s, sp, gva);
		}
	}
	spin_unlock(&s->lock);
}

void lg_shadow_flush_gva(struct lg_cpu *cpu, u64 gva)
{
	flush_gva(cpu, &cpu->paging, gva);
}

void lg_shadow_set_pte(struct lg_cpu *cpu, u64 pgdir, u64 gva, u64 value)
{
	struct lg_paging paging = cpu->paging;

	paging.cr3 = pgdir;
	/* Of another directory, PDPTEs are in memory; one that cannot be read or is wrong was never used. */
	if (paging.format == LG_FMT_PAE && (pgdir ^ cpu->paging.cr3) & 0xffffffe0 && read_pdptes(cpu, &paging))
		return;
	flush_gva(cpu, &paging, gva);
}

static void zap_slots(struct lg_cpu *cpu, u64 table, u64 gva, unsigned int first, unsigned int count)
{
	struct lg_shadow *s = cpu->lg->shadow;
	struct lg_spage *sp;

	spin_lock(&s->lock);
	s->gen++;
	s->stats.flushes_one++;
	for (enum lg_view view = 0; view < LG_VIEWS; view++) {
		sp = lg_spage_find(s, table_key(&cpu->paging, view, table, gva, TOP_LEVEL));
		if (sp)
			lg_spage_zap_range(s, sp, first, first + count);
	}
	spin_unlock(&s->lock);
}

void lg_shadow_set_pgd(struct lg_cpu *cpu, u64 pgdir, u32 index)
{
	struct lg_shadow *s = cpu->lg->shadow;
	struct lg_paging paging = cpu->paging;
	u64 gva;

	switch (paging.format) {
	case LG_FMT_2LEVEL:
		gva = (u64)(index & 1023) << 22;
		zap_slots(cpu, lg_table_gpa(&paging, pgdir), gva, slot_of(gva, TOP_LEVEL), 2);
		break;
	case LG_FMT_PAE:
		/* Other directories' PDPTEs are read when they are loaded. */
		if ((pgdir ^ paging.cr3) & 0xffffffe0)
			break;
		if (load(cpu, &paging, false)) {
			/* It is wrong in memory: not present. */
			spin_lock(&s->lock);
			cpu->paging.pdpte[index & 3] = 0;
			set_tops(s, cpu);
			spin_unlock(&s->lock);
		}
		break;
	}
}

void lg_shadow_set_pmd(struct lg_cpu *cpu, u64 pmd, u32 index)
{
	if (cpu->paging.format == LG_FMT_PAE)
		zap_slots(cpu, lg_table_gpa(&cpu->paging, pmd), 0, index & (LG_SLOTS - 1), 1);
}
