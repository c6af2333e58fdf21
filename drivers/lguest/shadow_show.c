// SPDX-License-Identifier: GPL-2.0
/*
 * The shadow for those who look at it: sizes, counters, and what stands in the
 * hardware's tables. By any task that keeps the Guest from going away
 * (debugfs.h). Takes the lock in short pieces: a table at most.
 */
#include "shadow.h"

/* Not present, or a page that no shadow page stands behind: NULL. */
static struct lg_spage *top_of(struct lg_cpu *cpu, enum lg_view view, u64 gva)
{
	u64 top = READ_ONCE(lg_world_low(
		cpu, view)[gva >> lg_level_shift(LG_TOP_LEVEL + 1) & (LG_TOPS - 1)]);

	return top ? spage_of_pte(top) : NULL;
}

/**
 * lg_shadow_get_paging() - the Guest's paging registers, of one moment
 * @cpu: any vCPU
 * @paging: gets them
 */
void lg_shadow_get_paging(struct lg_cpu *cpu, struct lg_paging *paging)
{
	struct lg_shadow *s = cpu->lg->shadow;

	spin_lock(&s->lock);
	*paging = cpu->paging;
	spin_unlock(&s->lock);
}

/**
 * lg_shadow_get_stats() - what the shadow has counted
 * @lg: the Guest
 * @stats: gets it
 */
void lg_shadow_get_stats(struct lguest *lg, struct lg_shadow_stats *stats)
{
	spin_lock(&lg->shadow->lock);
	*stats = lg->shadow->stats;
	spin_unlock(&lg->shadow->lock);
}

/**
 * lg_shadow_get_size() - what the shadow costs
 * @lg: the Guest
 * @size: gets it
 */
void lg_shadow_get_size(struct lguest *lg, struct lg_shadow_size *size)
{
	struct lg_shadow *s = lg->shadow;

	size->used = READ_ONCE(s->nr_used);
	size->pages = READ_ONCE(s->nr_pages);
	size->max = s->max_pages;
	/* Each with its table; then what there is one of. */
	size->bytes = (u64)size->pages * (sizeof(struct lg_spage) + PAGE_SIZE) +
		      sizeof(*s) + (sizeof(*s->hash) << s->hash_bits) +
		      (s->max_pages + 1) * sizeof(*s->by_id) +
		      BITS_TO_LONGS(s->max_pages + 1) * sizeof(long) +
		      (u64)lg->pfn_limit * sizeof(*s->frame) +
		      (u64)lg->pfn_limit * sizeof(*s->rmap) +
		      DIV_ROUND_UP(lg->pfn_limit, LG_SLOTS) *
			      sizeof(*s->rmap_large);
}

/**
 * lg_shadow_get_view_size() - what the current directory costs in a view
 * @cpu: any vCPU
 * @view: the view
 * @size: gets it
 */
void lg_shadow_get_view_size(struct lg_cpu *cpu, enum lg_view view,
			     struct lg_shadow_view_size *size)
{
	struct lg_shadow *s = cpu->lg->shadow;
	struct lg_spage *top;
	unsigned int i, slot;

	*size = (struct lg_shadow_view_size){};
	for (i = 0; i < LG_TOPS; i++) {
		spin_lock(&s->lock);
		top = top_of(cpu, view, (u64)i << lg_level_shift(LG_TOP_LEVEL + 1));
		if (top) {
			size->pages[1]++;
			for_each_set_bit(slot, top->present, LG_SLOTS) {
				u64 pte = top->table[slot];

				if (pte & _PAGE_PSE) {
					size->entries++;
					continue;
				}
				size->pages[0]++;
				size->entries += bitmap_weight(
					spage_of_pte(pte)->present, LG_SLOTS);
			}
		}
		spin_unlock(&s->lock);
	}
}

static void fill_piece(struct lg_piece *piece, enum lg_view view, u64 start,
		       unsigned int shift, u64 gfn, u64 rights, u64 nx)
{
	*piece = (struct lg_piece){
		.start = start,
		.end = start + (1ULL << shift) - 1,
		.gpa = gfn << PAGE_SHIFT,
		.page_shift = shift,
		.view = view,
		.flags = (rights & _PAGE_RW ? LG_PIECE_WRITE : 0) |
			 (view == LG_VIEW_USER ? LG_PIECE_USER : 0) |
			 (nx & _PAGE_NX ? LG_PIECE_NX : 0),
	};
}

/* In a page of level 1, from its slot for *gva on. */
static bool look_in_table(struct lg_spage *sp, enum lg_view view, u64 *gva,
			  u64 rights, u64 nx, struct lg_piece *piece)
{
	unsigned int slot =
		find_next_bit(sp->present, LG_SLOTS, lg_slot(*gva, 1));
	u64 base = *gva >> lg_level_shift(LG_TOP_LEVEL) << lg_level_shift(LG_TOP_LEVEL);

	if (slot == LG_SLOTS) {
		*gva = base + (1ULL << lg_level_shift(LG_TOP_LEVEL));
		return false;
	}
	fill_piece(piece, view, base + ((u64)slot << PAGE_SHIFT), PAGE_SHIFT,
		   sp->gfn[slot], rights & sp->table[slot],
		   nx | sp->table[slot]);
	*gva = piece->end + 1;
	return true;
}

/**
 * lg_shadow_look() - the next entry of a view
 * @cpu: any vCPU
 * @view: the view
 * @gva: where to look from; moved behind what was looked at
 * @piece: gets the entry
 *
 * Looks into one table at most.
 *
 * Return: true if there is one; false if not so far.
 */
bool lg_shadow_look(struct lg_cpu *cpu, enum lg_view view, u64 *gva,
		    struct lg_piece *piece)
{
	const u64 step = 1ULL << lg_level_shift(LG_TOP_LEVEL + 1);
	struct lg_shadow *s = cpu->lg->shadow;
	u64 base = *gva & ~(step - 1), pte;
	struct lg_spage *top;
	unsigned int slot;
	bool found;

	spin_lock(&s->lock);
	top = top_of(cpu, view, *gva);
	slot = top ? find_next_bit(top->present, LG_SLOTS,
				   lg_slot(*gva, LG_TOP_LEVEL)) :
		     LG_SLOTS;
	if (slot == LG_SLOTS) {
		spin_unlock(&s->lock);
		*gva = base + step;
		return false;
	}
	*gva = max(*gva, base + ((u64)slot << lg_level_shift(LG_TOP_LEVEL)));
	pte = top->table[slot];
	if (pte & _PAGE_PSE) {
		fill_piece(piece, view,
			   base + ((u64)slot << lg_level_shift(LG_TOP_LEVEL)),
			   lg_level_shift(LG_TOP_LEVEL), top->gfn[slot], pte, pte);
		*gva = piece->end + 1;
		found = true;
	} else {
		found = look_in_table(spage_of_pte(pte), view, gva, pte, pte,
				      piece);
	}
	spin_unlock(&s->lock);
	return found;
}
