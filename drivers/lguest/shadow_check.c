// SPDX-License-Identifier: GPL-2.0
/*
 * Looks whether the shadow keeps its rules: /sys/kernel/debug/lguest/shadow_check goes over all
 * shadow pages of all Guests, running or not, and says what is wrong. Tests read it after, and
 * while, they have done their worst.
 *
 * It only reads. The lock is held for one page or frame at a time, so that the Guests go on
 * between.
 */
#include <linux/debugfs.h>
#include <linux/io.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>

#include "shadow.h"

/* Complaints about one Guest that are printed. */
#define MAX_COMPLAINTS	20

struct check {
	struct seq_file *m;
	struct lg_shadow *s;
	unsigned long wrong, leaves, large, links, frames;
};

__printf(2, 3)
static void complain(struct check *c, const char *fmt, ...)
{
	va_list args;

	if (c->wrong++ >= MAX_COMPLAINTS)
		return;
	seq_puts(c->m, "  wrong: ");
	va_start(args, fmt);
	seq_vprintf(c->m, fmt, args);
	va_end(args);
	seq_putc(c->m, '\n');
}

/* An entry is in the list that starts at *first, as far as its neighbours say. */
static bool listed(const struct lg_shadow *s, const struct lg_spage *sp, unsigned int slot,
		   u32 first)
{
	u32 next = sp->next[slot], prev = sp->prev[slot], entry = entry_of(sp, slot);

	if (next && spage_of_entry(s, next)->prev[next % LG_SLOTS] != entry)
		return false;
	return (prev ? spage_of_entry(s, prev)->next[prev % LG_SLOTS] : first) == entry;
}

/* M1, M3: what a leaf may be. */
static void check_leaf(struct check *c, const struct lg_spage *sp, unsigned int slot, u64 pte)
{
	const struct lg_shadow *s = c->s;
	u32 gfn = sp->gfn[slot];
	bool large = sp->key.level > 1;
	u64 frame;

	if (large)
		c->large++;
	else
		c->leaves++;
	if (!lg_gpa_ok(s->lg, (u64)gfn << PAGE_SHIFT, large ? PAGE_SIZE * LG_SLOTS : PAGE_SIZE)) {
		complain(c, "page %u slot %u: gfn %#x is outside memory", sp->id, slot, gfn);
		return;
	}
	if (sp->key.direct && gfn != sp->key.gfn + (slot << LG_SLOT_BITS * (sp->key.level - 1)))
		complain(c, "page %u slot %u: direct, but of gfn %#x", sp->id, slot, gfn);
	if (!listed(s, sp, slot, large ? s->rmap_large[gfn / LG_SLOTS] : s->rmap[gfn]))
		complain(c, "page %u slot %u: not in the list of gfn %#x", sp->id, slot, gfn);
	frame = large ? s->frame_large[gfn / LG_SLOTS] : s->frame[gfn];
	if (!(frame & LG_FRAME_KNOWN) ||
	    (__sme_clr(pte) & PHYSICAL_PAGE_MASK) != (frame & PAGE_MASK))
		complain(c, "page %u slot %u: entry %#llx, but gfn %#x is at %#llx", sp->id, slot,
			 pte, gfn, frame);
	if (pte & _PAGE_RW && !(frame & LG_FRAME_WRITABLE))
		complain(c, "page %u slot %u: writable, but gfn %#x is not", sp->id, slot, gfn);
}

/* M2, M5: what a page may point to. */
static void check_link(struct check *c, const struct lg_spage *sp, unsigned int slot, u64 pte)
{
	const struct lg_spage *child = spage_of_pte(pte);

	c->links++;
	if (!child || child->id > c->s->max_pages || c->s->by_id[child->id] != child ||
	    (!child->going && lg_spage_find(c->s, child->key) != child)) {
		complain(c, "page %u slot %u: points to no shadow page in use", sp->id, slot);
		return;
	}
	if (child->key.level != sp->key.level - 1 || child->key.view != sp->key.view ||
	    child->key.format != sp->key.format || (sp->key.direct && !child->key.direct))
		complain(c, "page %u slot %u: points to page %u, which is none of its kind", sp->id,
			 slot, child->id);
	if (!listed(c->s, sp, slot, child->parents))
		complain(c, "page %u slot %u: not among the parents of page %u", sp->id, slot,
			 child->id);
}

static void check_page(struct check *c, const struct lg_spage *sp)
{
	const u64 must = _PAGE_PRESENT | _PAGE_USER,
		  may = must | _PAGE_RW | _PAGE_ACCESSED | _PAGE_DIRTY | _PAGE_NX;

	if (lg_spage_find(c->s, sp->key) != sp)
		complain(c, "page %u: not found by its key", sp->id);
	for (unsigned int slot = 0; slot < LG_SLOTS; slot++) {
		u64 pte = READ_ONCE(sp->table[slot]),
		    flags = __sme_clr(pte) & ~(u64)PHYSICAL_PAGE_MASK;

		if (test_bit(slot, sp->present) != !!pte)
			complain(c, "page %u slot %u: entry %#llx, present %d", sp->id, slot, pte,
				 test_bit(slot, sp->present));
		if (!pte)
			continue;
		if (~flags & must || flags & ~(may | (sp->key.level > 1 ? _PAGE_PSE : 0)))
			complain(c, "page %u slot %u: entry %#llx, flags that none has", sp->id,
				 slot, pte);
		if (sp->key.level == 1 || pte & _PAGE_PSE)
			check_leaf(c, sp, slot, pte);
		else
			check_link(c, sp, slot, pte);
	}
}

static void check_tops(struct check *c)
{
	struct lg_cpu *cpu = &c->s->lg->cpu;

	/* Nothing was filled: the vCPU may not have its tables yet. */
	if (list_empty(&c->s->pages))
		return;
	for (enum lg_view view = 0; view < LG_VIEWS; view++) {
		for (unsigned int i = 0; i < LG_TOPS; i++) {
			u64 top = READ_ONCE(lg_world_low(cpu, view)[i]);
			union lg_spage_key key;

			if (!top)
				continue;
			if (!lg_top_key(&cpu->paging, view,
					(u64)i << lg_level_shift(LG_TOP_LEVEL + 1), &key) ||
			    lg_spage_find(c->s, key) != spage_of_pte(top) ||
			    lg_top_stale(c->s, spage_of_pte(top)))
				complain(c, "view %d top %u: %#llx is not of the current directory",
					 view, i, top);
		}
	}
}

/*
 * M1, M3: what is known of a frame, itself or as part of a huge page, is what the Launcher's page
 * tables say.
 */
static void check_frame(struct check *c, struct mm_struct *mm, u64 gfn, const u64 *known,
			u64 offset)
{
	struct lg_shadow *s = c->s;
	u64 was, frame, invalidated;
	struct page *page;
	bool same;
	int got;

	spin_lock(&s->lock);
	was = *known;
	invalidated = s->invalidated;
	spin_unlock(&s->lock);
	if (!(was & LG_FRAME_KNOWN))
		return;
	frame = was + offset;
	c->frames++;

	mmap_read_lock(mm);
	got = lg_get_page_remote(mm, s->lg->base + (gfn << PAGE_SHIFT),
				 FOLL_NOFAULT | (frame & LG_FRAME_WRITABLE ? FOLL_WRITE : 0),
				 &page);
	mmap_read_unlock(mm);

	spin_lock(&s->lock);
	same = !s->invalidating && s->invalidated == invalidated && *known == was;
	spin_unlock(&s->lock);
	if (same && (got != 1 || page_to_phys(page) != (frame & PAGE_MASK)))
		complain(c, "gfn %#llx: known to be at %#llx, but is at %#llx (%d)", gfn, frame,
			 got == 1 ? (u64)page_to_phys(page) : 0, got);
	if (got == 1)
		put_page(page);
}

static void check_frames(struct check *c)
{
	struct lguest *lg = c->s->lg;
	struct mm_struct *mm = lg->mm;

	if (!mmget_not_zero(mm))
		return;
	for (u64 gfn = 0; gfn < lg->pfn_limit; gfn++) {
		const u64 *large = &c->s->frame_large[gfn / LG_SLOTS];

		if (READ_ONCE(c->s->frame[gfn]))
			check_frame(c, mm, gfn, &c->s->frame[gfn], 0);
		if (READ_ONCE(*large) & LG_FRAME_KNOWN)
			check_frame(c, mm, gfn, large, gfn % LG_SLOTS * PAGE_SIZE);
		cond_resched();
	}
	mmput(mm);
}

/* By lg_shadow_for_each(). */
static void check_guest(struct lg_shadow *s, void *m)
{
	struct check c = { .m = m, .s = s };
	const struct lg_shadow_stats *st = &s->stats;
	bool ran;

	for (u32 id = 1; id <= s->max_pages; id++) {
		spin_lock(&s->lock);
		/* Spare pages are in no list. */
		if (s->by_id[id] && lg_spage_used(s->by_id[id]))
			check_page(&c, s->by_id[id]);
		spin_unlock(&s->lock);
		cond_resched();
	}
	spin_lock(&s->lock);
	check_tops(&c);
	ran = !list_empty(&s->pages);
	spin_unlock(&s->lock);
	check_frames(&c);

	seq_printf(m, "memory %lu pages; shadow pages %u used, %u made, %u at most; ",
		   s->lg->pfn_limit, s->nr_used, s->nr_pages, s->max_pages);
	seq_printf(m, "leaves %lu, large %lu, links %lu, frames %lu\n", c.leaves, c.large, c.links,
		   c.frames);
	seq_printf(
		m,
		"  fills %llu, ahead %llu, again %llu, asked for frames %llu, pages made %llu, recycled %llu\n",
		st->fills, st->prefills, st->retries, st->frames, st->made, st->reused);
	seq_printf(
		m,
		"  flushes of all %llu, local %llu, user part %llu, one %llu; compared %llu; taken back %llu\n",
		st->flushes_all, st->flushes_local, st->flushes_user, st->flushes_one, st->syncs,
		st->invalidations);
	/* What was never filled may not have its tables yet. */
	if (ran)
		c.wrong += lg_world_check(&s->lg->cpu, m);
	seq_printf(m, "  %lu wrong\n", c.wrong);
}

static int shadow_check_show(struct seq_file *m, void *unused)
{
	lg_shadow_for_each(check_guest, m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(shadow_check);

void lg_shadow_debugfs(void)
{
	debugfs_create_file("shadow_check", 0400, lg_debugfs, NULL, &shadow_check_fops);
}
