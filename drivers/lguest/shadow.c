// SPDX-License-Identifier: GPL-2.0
/*
 * The shadow is filled here: by page faults, and ahead of them where that is cheap; and what became
 * stale is compared with the Guest's tables again. It is a TLB (design.md, decision 4): every entry
 * was made of what the Guest's tables said, and lives no longer than the Guest may count on.
 *
 * Who enters is the vCPU's own task, loaded or not; it may come back not loaded. Guest memory is
 * walked and Host frames are got with no lock held; then, under the lock, what was found is
 * installed if no flush and no notifier came between. Under the lock Guest memory is only peeked
 * at.
 *
 * How tables lie. The hardware has four levels whatever the Guest has. Entries 0 to 3 of a vCPU's
 * top table of a view (lg_world_low(), 1 GiB each) point to shadow pages of level 2 and are always
 * either 0 or right for the current CR3. One page of a 2-level Guest's table maps more than one of
 * ours: quadrants.
 */
#include <linux/io.h>
#include <linux/sched.h>

#include "shadow.h"
#include "trace.h"

/*
 * How often a fill is begun anew here; then the Guest faults again, and the run loop has looked at
 * signals.
 */
#define MAX_TRIES	4

/* Entries of a Guest's table that are looked at together, aligned to their number. */
#define GROUP		8u

/*
 * How many pages of level 1 are compared at once when their directory is; the others when they are
 * needed.
 */
#define SYNC_CHILDREN	64

/* ---- Keys ---- */

/* As an initialiser would, without masking what fits. */
static union lg_spage_key make_key(const struct lg_paging *paging, enum lg_view view, u64 gfn,
				   unsigned int level, u64 quadrant, bool direct)
{
	return (union lg_spage_key){
		.raw = gfn | (u64)level << 40 | quadrant << 43 | (u64)view << 47 |
		       (u64)paging->format << 48 | (u64)direct << 50,
	};
}

union lg_spage_key lg_table_key(const struct lg_paging *paging, enum lg_view view, u64 table,
				u64 gva, unsigned int level)
{
	u64 quadrant = 0;

	/* Its tables map 2^10 entries where ours map 2^9: one bit more at each level. */
	if (paging->format == LG_FMT_2LEVEL)
		quadrant = gva >> lg_level_shift(level + 1) & ((1u << level) - 1);
	return make_key(paging, view, table >> PAGE_SHIFT, level, quadrant, false);
}

/* A piece of a large page, or of memory itself where paging is off. gpa is where gva leads. */
static union lg_spage_key direct_key(const struct lg_paging *paging, enum lg_view view, u64 gpa,
				     unsigned int level)
{
	unsigned int shift = lg_level_shift(level + 1);

	return make_key(paging, view, gpa >> shift << (shift - PAGE_SHIFT), level, 0, true);
}

bool lg_top_key(const struct lg_paging *paging, enum lg_view view, u64 gva, union lg_spage_key *key)
{
	u64 pdpte;

	switch (paging->format) {
	case LG_FMT_2LEVEL:
		*key = lg_table_key(paging, view, lg_table_gpa(paging, paging->cr3), gva,
				    LG_TOP_LEVEL);
		return true;
	case LG_FMT_PAE:
		pdpte = paging->pdpte[gva >> 30 & 3];
		if (!(pdpte & LG_PTE_PRESENT))
			return false;
		*key = lg_table_key(paging, view, lg_table_gpa(paging, pdpte), gva, LG_TOP_LEVEL);
		return true;
	default:
		*key = direct_key(paging, view, gva, LG_TOP_LEVEL);
		return true;
	}
}

/*
 * The Guest's entries that belong to `count` slots of this page, above the lowest level only one.
 * False: they cannot be had without sleeping.
 */
static bool peek(struct lg_cpu *cpu, const struct lg_spage *sp, unsigned int slot,
		 unsigned int count, u64 *entries)
{
	unsigned int index = sp->key.quadrant << LG_SLOT_BITS | slot, size = sizeof(u64);

	if (sp->key.format == LG_FMT_2LEVEL) {
		/* Above the lowest level, one of its entries has two slots or more. */
		index >>= sp->key.level - 1;
		size = sizeof(u32);
	}
	return lg_entries_peek(cpu, ((u64)sp->key.gfn << PAGE_SHIFT) + index * size, size, count,
			       entries);
}

/* ---- Rights ---- */

static bool ignores_wp(const struct lg_paging *paging, enum lg_view view)
{
	/*
	 * With WP off the kernel writes where it pleases; the views are apart (M5), so user mode
	 * does not.
	 */
	return view == LG_VIEW_KERNEL && !(paging->cr0 & LG_CR0_WP);
}

/*
 * What an entry of the Guest's grants: the flags of ours at the same level. leaf: it maps a page,
 * of whatever size.
 */
static u64 flags_of(const struct lg_paging *paging, enum lg_view view, u64 entry, bool leaf)
{
	bool write = entry & LG_PTE_WRITE || ignores_wp(paging, view);

	/* The first write must be seen, to set dirty. */
	if (leaf && !(entry & LG_PTE_DIRTY))
		write = false;
	return LG_BASE_FLAGS | (write ? LG_WRITE_FLAGS : 0) | (entry & LG_PTE_NX ? _PAGE_NX : 0);
}

/* The same of a walk, for one level. */
static u64 walk_flags(const struct lg_paging *paging, enum lg_view view,
		      const struct lg_translation *t, unsigned int index)
{
	/* Inside a large page: the large page's entry has said it. */
	if (index < t->leaf)
		return LG_BASE_FLAGS | LG_WRITE_FLAGS;
	return flags_of(paging, view, t->entry[index], index == t->leaf);
}

/*
 * All levels of the Guest together allow writing, without another look at its tables: dirty is set.
 */
static bool may_write(const struct lg_paging *paging, enum lg_view view,
		      const struct lg_translation *t)
{
	if (t->leaf == LG_LEAF_NONE)
		return true;
	return t->entry[t->leaf] & LG_PTE_DIRTY && (t->writable || ignores_wp(paging, view));
}

static bool is_global(const struct lg_paging *paging, u64 entry)
{
	return entry & LG_PTE_GLOBAL && paging->cr4 & LG_CR4_PGE;
}

/* ---- Leaves ---- */

/*
 * With the lock, and the frame known and writable: as if the Launcher had unmapped a dirty page
 * just here.
 */
static void mark_dirty(u64 frame)
{
	struct page *page = pfn_to_page(frame >> PAGE_SHIFT);

	if (!PageDirty(page))
		set_page_dirty(page);
}

static void map_leaf(struct lg_shadow *s, struct lg_spage *sp, unsigned int slot, u64 gfn,
		     u64 frame, u64 flags, u64 entry)
{
	if (!(frame & LG_FRAME_WRITABLE))
		flags &= ~(u64)LG_WRITE_FLAGS;
	if (flags & _PAGE_RW)
		mark_dirty(frame);
	lg_spage_map(s, sp, slot, gfn, __sme_set(frame & PAGE_MASK) | flags, entry);
}

/*
 * Bits of an entry through which a view can go without another walk: one has been here, and has set
 * accessed.
 */
static u64 walked_bits(enum lg_view view)
{
	return LG_PTE_PRESENT | LG_PTE_ACCESSED | (view == LG_VIEW_USER ? LG_PTE_USER : 0);
}

/*
 * What a leaf may be for this entry of the Guest's, with nothing left to ask the Guest or the Host:
 * its frame as in frame[], or 0; and the flags.
 */
static u64 leaf_of(const struct lg_shadow *s, const struct lg_paging *paging, enum lg_view view,
		   u64 entry, u64 *gfn, u64 *flags)
{
	bool large;
	u64 gpa;

	if (~entry & walked_bits(view) || !lg_walk_entry(paging, 0, entry, &gpa, &large) ||
	    !lg_gpa_ok(s->lg, gpa, PAGE_SIZE))
		return 0;
	*gfn = gpa >> PAGE_SHIFT;
	*flags = flags_of(paging, view, entry, true);
	return s->frame[*gfn];
}

void lg_shadow_prefill(struct lg_shadow *s, struct lg_cpu *cpu, struct lg_spage *sp,
		       unsigned int slot, unsigned int count)
{
	const struct lg_paging *paging = &cpu->paging;
	const u64 need = walked_bits(sp->key.view);
	u64 entry[GROUP], gfn, frame, flags;

	if (!peek(cpu, sp, slot, count, entry))
		return;
	for (unsigned int i = 0; i < count; i++, slot++) {
		if (~entry[i] & need || sp->table[slot])
			continue;
		frame = leaf_of(s, paging, sp->key.view, entry[i], &gfn, &flags);
		if (!frame)
			continue;
		sp->local |= !is_global(paging, entry[i]);
		/* It is the Host that wants to know whether this one is used. */
		map_leaf(s, sp, slot, gfn, frame, flags & ~(u64)_PAGE_ACCESSED, entry[i]);
		s->stats.prefills++;
	}
}

/* ---- Freshness ---- */

bool lg_in_kernel_part(const struct lg_cpu *cpu, u64 gva)
{
	return gva >= cpu->kernel_address;
}

bool lg_top_stale(const struct lg_shadow *s, const struct lg_spage *sp)
{
	/* Single entries were dropped when the Guest said so. */
	return !sp->key.direct && sp->fresh < max(s->all_flushed, s->local_flushed);
}

/* Where a page begins that has gva. */
static u32 place_of(const struct lg_spage *sp, u64 gva)
{
	return gva & ~((1ULL << lg_level_shift(sp->key.level + 1)) - 1);
}

/*
 * May a page that was found by its key not be linked under gva as it is, or not stay linked where a
 * whole directory was flushed? Flushes of single addresses, and of the user part, reach what is
 * linked where they act: those of user addresses in one directory, those of kernel addresses in
 * all. So a page has missed none only if it has been linked since it was fresh, at the address in
 * question and at no other, and that is the kernel's; or if there was none.
 */
static bool child_stale(const struct lg_shadow *s, const struct lg_cpu *cpu,
			const struct lg_spage *sp, u64 gva)
{
	u32 place = place_of(sp, gva);

	if (sp->key.direct)
		return false;
	if ((!sp->parents && sp->orphaned != s->gen) || sp->aliased || sp->place != place ||
	    !lg_in_kernel_part(cpu, place))
		return sp->fresh < s->gen;
	return sp->fresh < s->all_flushed || (sp->local && sp->fresh < s->local_flushed);
}

/* A page is about to be linked under gva, and as fresh as it has to be there. */
static void note_place(struct lg_spage *sp, u64 gva)
{
	u32 place = place_of(sp, gva);

	sp->aliased = sp->parents && (sp->aliased || sp->place != place);
	if (!sp->parents)
		sp->place = place;
}

static void is_fresh(struct lg_shadow *s, struct lg_spage *sp)
{
	sp->fresh = s->gen;
	sp->orphaned = s->gen;
	s->stats.syncs++;
}

/*
 * The Guest's entry is the one that the slot was made of. (Of PAE and above, NX is not part of the
 * frame.)
 */
static bool same_entry(u64 entry, u32 gfn, u16 low)
{
	return (entry & ~LG_PTE_NX) >> PAGE_SHIFT == gfn && low_bits(entry) == low;
}

/* The entry changed: keeps what it still allows, less where it allows less. */
static void sync_leaf(struct lg_shadow *s, const struct lg_paging *paging, struct lg_spage *sp,
		      unsigned int slot, u64 entry)
{
	u64 old = sp->table[slot], frame, gfn, flags;

	frame = leaf_of(s, paging, sp->key.view, entry, &gfn, &flags);
	if (!frame || gfn != sp->gfn[slot] || (old ^ flags) & _PAGE_NX) {
		lg_spage_zap(s, sp, slot);
		return;
	}
	if (old & ~flags & _PAGE_RW)
		WRITE_ONCE(sp->table[slot], old & ~(u64)LG_WRITE_FLAGS);
	sp->low[slot] = low_bits(entry);
}

/* Compares a page of level 1 with the Guest's table. */
static void sync_table(struct lg_shadow *s, struct lg_cpu *cpu, struct lg_spage *sp)
{
	bool mode_changed = sp->fresh < s->mode_changed;
	u64 entry[BITS_PER_LONG], global = LG_PTE_GLOBAL;

	for (unsigned int base = 0; base < LG_SLOTS; base += BITS_PER_LONG) {
		unsigned long bits = sp->present[base / BITS_PER_LONG];
		unsigned int first, i;

		if (!bits)
			continue;
		first = __ffs(bits);
		if (!peek(cpu, sp, base + first, __fls(bits) - first + 1, entry + first)) {
			lg_spage_zap_range(s, sp, base, base + BITS_PER_LONG);
			continue;
		}
		for (; bits; bits &= bits - 1) {
			i = __ffs(bits);
			global &= entry[i];
			if (mode_changed ||
			    !same_entry(entry[i], sp->gfn[base + i], sp->low[base + i]))
				sync_leaf(s, &cpu->paging, sp, base + i, entry[i]);
		}
	}
	sp->local = !is_global(&cpu->paging, global);
	is_fresh(s, sp);
}

/*
 * The gfn in the Guest's entry that a large leaf was made of: the second half of a 4 MiB page is 2
 * MiB further.
 */
static u32 large_gfn(const struct lg_spage *sp, unsigned int slot)
{
	return sp->gfn[slot] - (sp->key.format == LG_FMT_2LEVEL && slot & 1 ? LG_SLOTS : 0);
}

/* Does a slot above the lowest level, whose entry changed, still hold what that asks for? */
static bool allows_above(const struct lg_paging *paging, const struct lg_spage *sp,
			 unsigned int slot, u64 entry)
{
	u64 old = sp->table[slot], gpa, gfn;
	struct lg_spage *child;
	bool large;

	if (~entry & walked_bits(sp->key.view) ||
	    !lg_walk_entry(paging, sp->key.level - 1, entry, &gpa, &large))
		return false;
	if ((old ^ flags_of(paging, sp->key.view, entry, large)) & LG_RIGHTS)
		return false;
	gfn = gpa >> PAGE_SHIFT;
	if (old & _PAGE_PSE)
		return large && large_gfn(sp, slot) == gfn;
	if (large && sp->key.format == LG_FMT_2LEVEL && slot & 1)
		gfn += LG_SLOTS;
	child = spage_of_pte(old);
	return child->key.direct == large && child->key.gfn == gfn;
}

/*
 * A slot of a page of level 2, which starts at gva: is what it leads to fresh? A page is compared
 * if it was used lately and if that was not done for many others already.
 */
static bool sync_child(struct lg_shadow *s, struct lg_cpu *cpu, struct lg_spage *sp,
		       unsigned int slot, u64 gva, unsigned int *synced)
{
	u64 pte = sp->table[slot];
	struct lg_spage *child;

	if (pte & _PAGE_PSE)
		return true;
	child = spage_of_pte(pte);
	if (!child_stale(s, cpu, child, gva + ((u64)slot << lg_level_shift(sp->key.level))))
		return true;
	if (!(pte & _PAGE_ACCESSED) || *synced == SYNC_CHILDREN)
		return false;
	++*synced;
	sync_table(s, cpu, child);
	WRITE_ONCE(sp->table[slot], pte & ~(u64)_PAGE_ACCESSED);
	return true;
}

/*
 * Compares a page of level 2, which starts at gva, with the Guest's table; and so what it leads to.
 */
static void sync_directory(struct lg_shadow *s, struct lg_cpu *cpu, struct lg_spage *sp, u64 gva)
{
	/* Slots that one of the Guest's entries has, as a shift. */
	unsigned int halves = sp->key.format == LG_FMT_2LEVEL, synced = 0;
	bool mode_changed = sp->fresh < s->mode_changed;
	u64 entry[BITS_PER_LONG];

	for (unsigned int base = 0; base < LG_SLOTS; base += BITS_PER_LONG) {
		unsigned long bits = sp->present[base / BITS_PER_LONG];

		if (!bits)
			continue;
		if (!peek(cpu, sp, base, BITS_PER_LONG >> halves, entry)) {
			lg_spage_zap_range(s, sp, base, base + BITS_PER_LONG);
			continue;
		}
		for (; bits; bits &= bits - 1) {
			unsigned int slot = base + __ffs(bits);
			u64 now = entry[__ffs(bits) >> halves];
			u32 gfn = sp->table[slot] & _PAGE_PSE ? large_gfn(sp, slot) : sp->gfn[slot];

			if ((mode_changed || !same_entry(now, gfn, sp->low[slot])) &&
			    !allows_above(&cpu->paging, sp, slot, now)) {
				lg_spage_zap(s, sp, slot);
				continue;
			}
			sp->low[slot] = low_bits(now);
			if (!sync_child(s, cpu, sp, slot, gva, &synced))
				lg_spage_zap(s, sp, slot);
		}
	}
	is_fresh(s, sp);
}

/* ---- Filling ---- */

static struct lg_spage *top_page(struct lg_shadow *s, struct lg_cpu *cpu, enum lg_view view,
				 u64 gva)
{
	u64 *top =
		&lg_world_low(cpu, view)[gva >> lg_level_shift(LG_TOP_LEVEL + 1) & (LG_TOPS - 1)];
	union lg_spage_key key;
	struct lg_spage *sp;

	if (*top)
		return spage_of_pte(*top);
	if (!lg_top_key(&cpu->paging, view, gva, &key))
		return NULL;
	sp = lg_spage_get(s, cpu, key);
	if (lg_top_stale(s, sp))
		sync_directory(s, cpu, sp, gva & ~((1ULL << lg_level_shift(LG_TOP_LEVEL + 1)) - 1));
	WRITE_ONCE(*top, spage_pa(sp) | LG_BASE_FLAGS | LG_WRITE_FLAGS);
	return sp;
}

/*
 * The shadow page below a slot: what is there if it is the right one, else another in its place
 * (M2, M4).
 */
static struct lg_spage *child_page(struct lg_shadow *s, struct lg_cpu *cpu, struct lg_spage *sp,
				   u64 gva, union lg_spage_key key, u64 flags, u64 entry)
{
	unsigned int slot = lg_slot(gva, sp->key.level);
	u64 old = sp->table[slot];
	struct lg_spage *child;

	if (old && !(old & _PAGE_PSE)) {
		child = spage_of_pte(old);
		if (child->key.raw == key.raw && !((old ^ flags) & LG_RIGHTS))
			return child;
	}
	lg_spage_zap(s, sp, slot);
	child = lg_spage_get(s, cpu, key);
	if (child_stale(s, cpu, child, gva))
		sync_table(s, cpu, child);
	note_place(child, gva);
	lg_spage_link(s, sp, slot, child, flags, entry);
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

/* A fill, from the walk to the entry. */
struct fill {
	u64 gva;
	u32 access;			/* LG_PF_*, as for a walk */
	enum lg_view view;
	struct moment moment;
	struct lg_translation t;
	struct page *page;		/* got for it, or NULL if the frame was known */
	bool writable;			/* the page is */
	bool tried;			/* whether it is part of a huge page was found out: */
	bool large; /* it is, or was known to be; a large page of the Guest's is behind it, too */
};

static bool access_ok_for(const struct fill *f, u64 frame)
{
	return frame & LG_FRAME_KNOWN && (frame & LG_FRAME_WRITABLE || !(f->access & LG_PF_WRITE));
}

/* The entry for a fill, of 4 KiB or, large, of 2 MiB. */
static void install_locked(struct lg_shadow *s, struct lg_cpu *cpu, const struct fill *f, u64 frame)
{
	const unsigned int leaf_level = f->large ? 2 : 1, slot = lg_slot(f->gva, leaf_level);
	const struct lg_paging *paging = &cpu->paging;
	const struct lg_translation *t = &f->t;
	u64 flags, gfn = t->gpa >> PAGE_SHIFT;
	union lg_spage_key key;
	struct lg_spage *sp;

	sp = top_page(s, cpu, f->view, f->gva);
	for (unsigned int level = LG_TOP_LEVEL; level > leaf_level; level--) {
		/* entry[i] stands in the table of level i + 1. */
		if (t->leaf < level - 1)
			key = lg_table_key(paging, f->view, t->table[level - 2], f->gva, level - 1);
		else
			key = direct_key(paging, f->view, t->gpa, level - 1);
		sp = child_page(s, cpu, sp, f->gva, key, walk_flags(paging, f->view, t, level - 1),
				t->entry[level - 1]);
	}

	flags = walk_flags(paging, f->view, t, leaf_level - 1);
	if (!may_write(paging, f->view, t))
		flags &= ~(u64)LG_WRITE_FLAGS;
	lg_spage_zap(s, sp, slot);
	s->stats.fills++;
	trace_lguest_shadow_fill(cpu, f->gva, t->gpa,
				 flags & _PAGE_RW && frame & LG_FRAME_WRITABLE);
	if (f->large) {
		map_leaf(s, sp, slot, gfn & ~(u64)(LG_SLOTS - 1), frame, flags | _PAGE_PSE,
			 t->entry[1]);
		return;
	}
	map_leaf(s, sp, slot, gfn, frame, flags, t->entry[0]);
	if (!t->leaf) {
		sp->local |= !is_global(paging, t->entry[0]);
		lg_shadow_prefill(s, cpu, sp, slot & ~(GROUP - 1), GROUP);
	}
}

/* Keeps what was found out of a frame; with the lock, and nothing having come between. */
static void know_frame(struct lg_shadow *s, const struct fill *f, u64 gfn)
{
	u64 *large = &s->frame_large[gfn / LG_SLOTS], pa = page_to_phys(f->page);

	WRITE_ONCE(s->frame[gfn], pa | LG_FRAME_KNOWN | (f->writable ? LG_FRAME_WRITABLE : 0));
	s->stats.frames++;
	if (!f->tried)
		return;
	if (f->large)
		WRITE_ONCE(*large, (pa & PMD_MASK) | LG_FRAME_KNOWN | LG_FRAME_WRITABLE);
	else
		WRITE_ONCE(*large, LG_FRAME_SMALL);
}

/* False: something came between, nothing was done. */
static bool install(struct lg_cpu *cpu, const struct fill *f)
{
	struct lg_shadow *s = cpu->lg->shadow;
	u64 gfn = f->t.gpa >> PAGE_SHIFT, frame;
	bool done = false;

	spin_lock(&s->lock);
	if (moment_passed(s, f->moment)) {
		s->stats.retries++;
		goto out;
	}
	if (f->page)
		know_frame(s, f, gfn);
	frame = f->large ? s->frame_large[gfn / LG_SLOTS] : s->frame[gfn];
	/* Not so any more, if it was when the fill began. */
	if (!access_ok_for(f, frame))
		goto out;
	install_locked(s, cpu, f, frame);
	done = true;
out:
	spin_unlock(&s->lock);
	return done;
}

/*
 * Can the 2 MiB around this gfn be one entry? They are inside memory, the Launcher's address is as
 * aligned as the Guest's, and the page that was got is part of a huge one: then it pays to look at
 * all of it.
 */
static bool is_large(struct lg_cpu *cpu, const struct fill *f, u64 gfn)
{
	const struct lguest *lg = cpu->lg;
	u64 first = gfn & ~(u64)(LG_SLOTS - 1);

	return f->writable && !(lg->base & ~PMD_MASK) && first + LG_SLOTS <= lg->pfn_limit &&
	       compound_order(compound_head(f->page)) >= PMD_SHIFT - PAGE_SHIFT &&
	       lg_mem_contiguous(cpu, first);
}

/*
 * The frame for a fill, if it is not known: f->page, f->large. Or an errno: lg_mem_page()'s.
 */
static int find_frame(struct lg_cpu *cpu, struct fill *f, u64 gfn)
{
	const struct lg_shadow *s = cpu->lg->shadow;
	u64 large = READ_ONCE(s->frame_large[gfn / LG_SLOTS]);
	struct page *page;

	f->page = NULL;
	f->large = f->t.leaf && access_ok_for(f, large);
	f->tried = f->t.leaf && !large;
	if (f->large || (!f->tried && access_ok_for(f, READ_ONCE(s->frame[gfn]))))
		return 0;
	page = lg_mem_page(cpu, gfn, f->access & LG_PF_WRITE, &f->writable);
	if (IS_ERR(page))
		return PTR_ERR(page);
	f->page = page;
	if (f->tried)
		f->large = is_large(cpu, f, gfn);
	return 0;
}

enum lg_shadow_result lg_shadow_fault(struct lg_cpu *cpu, u64 gva, u32 error, u64 *gpa)
{
	struct fill f = {
		.gva = gva & 0xffffffff,
		.access = (error & (LG_PF_WRITE | LG_PF_FETCH)) | (cpu->user ? LG_PF_USER : 0),
		.view = cpu->user ? LG_VIEW_USER : LG_VIEW_KERNEL,
	};
	struct lguest *lg = cpu->lg;
	bool done;
	int err;

	for (unsigned int i = 0; i < MAX_TRIES; i++) {
		f.moment = moment_now(lg->shadow);
		err = lg_walk(cpu, &cpu->paging, gva, f.access, &f.t, &cpu->fault);
		if (err == -EFAULT)
			return LG_SHADOW_REFLECT;
		if (err == -EAGAIN)
			break;
		if (err)
			return err == -ENOMEM ? LG_SHADOW_NO_MEMORY : LG_SHADOW_GONE;
		if (!lg_gpa_ok(lg, f.t.gpa & PAGE_MASK, PAGE_SIZE)) {
			*gpa = f.t.gpa;
			return LG_SHADOW_DEVICE;
		}
		err = lg_spage_top_up(cpu) ?: find_frame(cpu, &f, f.t.gpa >> PAGE_SHIFT);
		if (err)
			return err == -ENOMEM ? LG_SHADOW_NO_MEMORY : LG_SHADOW_GONE;
		done = install(cpu, &f);
		if (f.page)
			put_page(f.page);
		if (done)
			return LG_SHADOW_DONE;
		lg_world_put(cpu);
		cond_resched();
	}
	return LG_SHADOW_DONE;
}
