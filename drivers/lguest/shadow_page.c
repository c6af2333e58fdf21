// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow pages: made, found, linked, mapped, zapped, and given back to the Host.
 *
 * Here live the lists that say which entries lead to a frame or to a shadow page, so that either
 * can go away with nothing left that points to it (M2, M3); the bound on shadow memory; and what
 * the Host calls when it wants frames (mmu notifier) or memory (shrinker) back. Nothing here reads
 * Guest memory or knows the Guest's formats.
 */
#include <linux/gfp.h>
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "shadow.h"
#include "trace.h"

/* Spare pages are made this many at once. */
#define SPARE_BATCH	ARRAY_SIZE(((struct lg_shadow_spare *)NULL)->page)

/* Before there is no memory for a fill. */
#define TOP_UP_TRIES	8

/*
 * How many pages that were used since the last look are passed over before one is recycled all the
 * same.
 */
#define SECOND_CHANCES	32

/* Frames to look at, or entries to zap, before the lock is let go for a moment. */
#define ZAP_BATCH	1024

/*
 * Entries that are asked whether what they lead to was used: of one list, and for one question of
 * the Host's. It asks with its own spinlocks held; and only wants a hint.
 */
#define ASK_ENTRIES	64
#define ASK_ALL		4096

/* One instruction may need this many at once, or it would never be done. */
#define PAGES_MIN	16

static unsigned int shadow_pages_max = 1u << 16;
module_param(shadow_pages_max, uint, 0644);
MODULE_PARM_DESC(shadow_pages_max,
		 "Most shadow pages (about 11 KiB each) that a new Guest may have (at least 16, default 65536)");

static struct kmem_cache *spage_cache;

/* All shadows, for the shrinker. Held while it works on one, so that none is destroyed under it. */
static DEFINE_MUTEX(guests_lock);
static LIST_HEAD(guests);

/* ---- Lists of entries ---- */

static void list_push(struct lg_shadow *s, u32 *first, struct lg_spage *sp, unsigned int slot)
{
	u32 entry = entry_of(sp, slot), next = *first;

	sp->prev[slot] = 0;
	sp->next[slot] = next;
	if (next)
		spage_of_entry(s, next)->prev[next % LG_SLOTS] = entry;
	*first = entry;
}

static void list_remove(struct lg_shadow *s, u32 *first, struct lg_spage *sp, unsigned int slot)
{
	u32 next = sp->next[slot], prev = sp->prev[slot];

	if (next)
		spage_of_entry(s, next)->prev[next % LG_SLOTS] = prev;
	if (prev)
		spage_of_entry(s, prev)->next[prev % LG_SLOTS] = next;
	else
		*first = next;
}

static u32 *list_of_leaf(struct lg_shadow *s, const struct lg_spage *sp, unsigned int slot)
{
	u32 gfn = sp->gfn[slot];

	return sp->key.level == 1 ? &s->rmap[gfn] : &s->rmap_large[gfn / LG_SLOTS];
}

static bool is_leaf(const struct lg_spage *sp, u64 pte)
{
	return sp->key.level == 1 || pte & _PAGE_PSE;
}

void lg_spage_link(struct lg_shadow *s, struct lg_spage *sp, unsigned int slot,
		   struct lg_spage *child, u64 flags, u64 entry)
{
	sp->gfn[slot] = entry >> PAGE_SHIFT;
	sp->low[slot] = low_bits(entry);
	list_push(s, &child->parents, sp, slot);
	__set_bit(slot, sp->present);
	WRITE_ONCE(sp->table[slot], spage_pa(child) | flags);
}

void lg_spage_map(struct lg_shadow *s, struct lg_spage *sp, unsigned int slot, u64 gfn, u64 pte,
		  u64 entry)
{
	sp->gfn[slot] = gfn;
	sp->low[slot] = low_bits(entry);
	list_push(s, list_of_leaf(s, sp, slot), sp, slot);
	__set_bit(slot, sp->present);
	WRITE_ONCE(sp->table[slot], pte);
}

void lg_spage_zap(struct lg_shadow *s, struct lg_spage *sp, unsigned int slot)
{
	u64 pte = sp->table[slot];

	if (!pte)
		return;
	WRITE_ONCE(sp->table[slot], 0);
	s->stats.zaps++;
	__clear_bit(slot, sp->present);
	if (is_leaf(sp, pte)) {
		list_remove(s, list_of_leaf(s, sp, slot), sp, slot);
	} else {
		struct lg_spage *child = spage_of_pte(pte);

		list_remove(s, &child->parents, sp, slot);
		if (!child->parents)
			child->orphaned = s->gen;
	}
}

void lg_spage_zap_range(struct lg_shadow *s, struct lg_spage *sp, unsigned int first,
			unsigned int last)
{
	unsigned int slot = first;

	for_each_set_bit_from(slot, sp->present, last)
		lg_spage_zap(s, sp, slot);
}

/*
 * A work that a hostile Guest can make long: entries by the million that lead to one frame, or to
 * each of many. It is done with the lock held, but for no more than ZAP_BATCH steps at once (G1).
 */
struct work {
	unsigned int steps;
	bool may_sleep;			/* give the processor away, too */
};

/* Counts steps of the work; with the lock held, which may be let go for a moment. */
static void work_on(struct lg_shadow *s, struct work *work, unsigned int steps)
	__must_hold(&s->lock)
{
	work->steps += steps;
	if (work->steps < ZAP_BATCH)
		return;
	work->steps = 0;
	spin_unlock(&s->lock);
	if (work->may_sleep)
		cond_resched();
	spin_lock(&s->lock);
}

/*
 * Zaps all entries of a list. As the lock may be let go, the caller has seen to it that the list
 * gets no longer meanwhile.
 */
static void zap_list(struct lg_shadow *s, u32 *first, struct work *work)
{
	u32 entry;

	while ((entry = *first) != 0) {
		lg_spage_zap(s, spage_of_entry(s, entry), entry % LG_SLOTS);
		work_on(s, work, 1);
	}
}

/* ---- Pages ---- */

static struct hlist_head *bucket(struct lg_shadow *s, union lg_spage_key key)
{
	return &s->hash[hash_64(key.raw, s->hash_bits)];
}

struct lg_spage *lg_spage_find(struct lg_shadow *s, union lg_spage_key key)
{
	struct lg_spage *sp;

	hlist_for_each_entry(sp, bucket(s, key), hash) {
		if (sp->key.raw == key.raw)
			return sp;
	}
	return NULL;
}

struct lg_spage *lg_spage_get(struct lg_shadow *s, struct lg_cpu *cpu, union lg_spage_key key)
{
	struct lg_spage *sp = lg_spage_find(s, key);

	if (sp)
		return sp;
	sp = cpu->spare.page[--cpu->spare.count];
	sp->key = key;
	sp->parents = 0;
	sp->fresh = s->gen;
	sp->orphaned = s->gen;
	sp->aliased = false;
	sp->local = false;
	hlist_add_head(&sp->hash, bucket(s, key));
	list_add_tail(&sp->age, &s->pages);
	if (key.level == 2)
		list_add(&sp->dir, &s->dirs);
	else
		INIT_LIST_HEAD(&sp->dir);
	s->nr_used++;
	s->stats.made++;
	return sp;
}

/* Calls for each top-table entry of each vCPU that points to the page; true if any did. */
static bool visit_tops(struct lg_shadow *s, const struct lg_spage *sp, bool (*what)(u64 *top))
{
	enum lg_view view = sp->key.view;
	u64 *low = lg_world_low(&s->lg->cpu, view);
	bool any = false;

	for (unsigned int i = 0; i < LG_TOPS; i++) {
		if (low[i] && spage_of_pte(low[i]) == sp)
			any |= what(&low[i]);
	}
	return any;
}

static bool clear_top(u64 *top)
{
	WRITE_ONCE(*top, 0);
	return true;
}

static bool test_and_clear_young(u64 *pte)
{
	return test_and_clear_bit(_PAGE_BIT_ACCESSED, (unsigned long *)pte);
}

/*
 * Takes a page out of use: empties it and whatever points to it. Its memory may be reused once no
 * vCPU can have it in its TLB: lg_world_flush_tlbs(), which wants the lock free. May let go of the
 * lock meanwhile.
 */
static void retire(struct lg_shadow *s, struct lg_spage *sp, struct work *work)
{
	/* Nobody finds it any more, to link it or to put it into a top table. */
	sp->going = true;
	hlist_del_init(&sp->hash);
	list_del(&sp->age);
	list_del(&sp->dir);
	s->nr_used--;
	if (sp->key.level == LG_TOP_LEVEL) {
		visit_tops(s, sp, clear_top);
		s->epoch++;
	}
	zap_list(s, &sp->parents, work);
	/* Last, as it could still be filled through a parent. */
	lg_spage_zap_range(s, sp, 0, LG_SLOTS);
	sp->going = false;
	work_on(s, work, LG_SLOTS);
}

/*
 * Used since the last time that this was asked? By hardware, that is: through an entry that points
 * to it.
 */
static bool was_used(struct lg_shadow *s, struct lg_spage *sp)
{
	bool used = visit_tops(s, sp, test_and_clear_young);
	unsigned int asked = 0;

	for (u32 entry = sp->parents; entry && asked < ASK_ENTRIES; asked++) {
		struct lg_spage *parent = spage_of_entry(s, entry);
		unsigned int slot = entry % LG_SLOTS;

		/* One that says so is enough. */
		if (test_and_clear_young(&parent->table[slot]))
			return true;
		entry = parent->next[slot];
	}
	return used;
}

/*
 * The page that is missed least, as far as can be told cheaply, out of use; NULL if there is none.
 */
static struct lg_spage *retire_oldest(struct lg_shadow *s, struct work *work)
{
	struct lg_spage *sp = NULL;

	for (unsigned int i = 0; i <= SECOND_CHANCES && !list_empty(&s->pages); i++) {
		sp = list_first_entry(&s->pages, struct lg_spage, age);
		if (!was_used(s, sp))
			break;
		list_move_tail(&sp->age, &s->pages);
	}
	if (sp)
		retire(s, sp, work);
	return sp;
}

/* A number for a new page, or 0 if there may be no more. Takes the lock. */
static u32 take_id(struct lg_shadow *s, struct lg_spage *sp)
{
	u32 id = 0;

	spin_lock(&s->lock);
	if (s->nr_pages < s->max_pages) {
		id = find_next_zero_bit(s->ids, s->max_pages + 1, 1);
		__set_bit(id, s->ids);
		s->by_id[id] = sp;
		s->nr_pages++;
	}
	spin_unlock(&s->lock);
	return id;
}

static void free_spage(struct lg_spage *sp)
{
	free_page((unsigned long)sp->table);
	kmem_cache_free(spage_cache, sp);
}

/* Of pages that are out of use; with the lock held, and then free_spage() without. */
static void give_id_back(struct lg_shadow *s, struct lg_spage *sp)
{
	s->by_id[sp->id] = NULL;
	__clear_bit(sp->id, s->ids);
	s->nr_pages--;
}

/* A new page, or NULL: no memory, or as many as there may be. May sleep. */
static struct lg_spage *new_spage(struct lg_shadow *s)
{
	struct lg_spage *sp;

	if (READ_ONCE(s->nr_pages) >= s->max_pages)
		return NULL;
	sp = kmem_cache_alloc(spage_cache, GFP_KERNEL_ACCOUNT);
	if (!sp)
		return NULL;
	sp->table = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!sp->table)
		goto no_table;
	bitmap_zero(sp->present, LG_SLOTS);
	INIT_HLIST_NODE(&sp->hash);
	sp->going = false;
	set_page_private(virt_to_page(sp->table), (unsigned long)sp);
	sp->id = take_id(s, sp);
	if (!sp->id)
		goto no_id;
	return sp;

no_id:
	free_page((unsigned long)sp->table);
no_table:
	kmem_cache_free(spage_cache, sp);
	return NULL;
}

static struct lg_spage *recycle_spage(struct lg_shadow *s)
{
	struct work work = { .may_sleep = true };
	struct lg_spage *sp;

	spin_lock(&s->lock);
	sp = retire_oldest(s, &work);
	if (sp)
		s->stats.reused++;
	spin_unlock(&s->lock);
	if (sp)
		lg_world_flush_tlbs(s->lg);
	return sp;
}

int lg_spage_top_up(struct lg_cpu *cpu)
{
	struct lg_shadow_spare *spare = &cpu->spare;
	struct lg_shadow *s = cpu->lg->shadow;
	struct lg_spage *sp;

	if (likely(spare->count >= LG_FILL_PAGES))
		return 0;

	lg_world_put(cpu);
	/*
	 * Both fail if the shrinker came between them and took all: then there is room for a new
	 * one.
	 */
	for (unsigned int i = 0; i < TOP_UP_TRIES && spare->count < LG_FILL_PAGES; i++) {
		while (spare->count < SPARE_BATCH && (sp = new_spage(s)))
			spare->page[spare->count++] = sp;
		while (spare->count < LG_FILL_PAGES && (sp = recycle_spage(s)))
			spare->page[spare->count++] = sp;
	}
	return spare->count < LG_FILL_PAGES ? -ENOMEM : 0;
}

/* ---- The Host wants frames back: mmu notifier ---- */

/*
 * The gfns of [start, end) of the Launcher's memory: false if there are none. last is one of them.
 */
static bool to_gfns(const struct lguest *lg, unsigned long start, unsigned long end, u64 *first,
		    u64 *last)
{
	unsigned long memory_end = lg->base + (lg->pfn_limit << PAGE_SHIFT);

	start = max(start, lg->base);
	end = min(end, memory_end);
	if (start >= end)
		return false;
	*first = (start - lg->base) >> PAGE_SHIFT;
	*last = (end - 1 - lg->base) >> PAGE_SHIFT;
	return true;
}

/* No entry for them is made meanwhile. TLBs are the caller's. */
static void zap_memory(struct lg_shadow *s, u64 first, u64 last, bool may_sleep)
{
	struct work work = { .may_sleep = may_sleep };

	spin_lock(&s->lock);
	for (u64 large = first / LG_SLOTS; large <= last / LG_SLOTS; large++) {
		zap_list(s, &s->rmap_large[large], &work);
		WRITE_ONCE(s->frame_large[large], 0);
		work_on(s, &work, 1);
	}
	for (u64 gfn = first; gfn <= last; gfn++) {
		zap_list(s, &s->rmap[gfn], &work);
		WRITE_ONCE(s->frame[gfn], 0);
		work_on(s, &work, 1);
	}
	spin_unlock(&s->lock);
}

static int invalidate_start(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct lguest *lg = container_of(notifier, struct lguest, notifier);
	struct lg_shadow *s = lg->shadow;
	u64 first, last;

	if (!to_gfns(lg, range->start, range->end, &first, &last))
		return 0;

	spin_lock(&s->lock);
	s->invalidating++;
	s->stats.invalidations++;
	spin_unlock(&s->lock);

	trace_lguest_shadow_zap(lg, first, last);
	/*
	 * No new entry can be made from here on. Who may not wait (the OOM reaper) is not made to:
	 * it costs him no more than there are entries, which shadow_pages_max bounds.
	 */
	zap_memory(s, first, last, mmu_notifier_range_blockable(range));
	lg_world_flush_tlbs(lg);
	return 0;
}

static void invalidate_end(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct lguest *lg = container_of(notifier, struct lguest, notifier);
	struct lg_shadow *s = lg->shadow;
	u64 first, last;

	if (!to_gfns(lg, range->start, range->end, &first, &last))
		return;

	spin_lock(&s->lock);
	s->invalidated++;
	s->invalidating--;
	spin_unlock(&s->lock);
}

/*
 * The Launcher's memory goes for good. Nobody can run the vCPU any more: it was this memory's task
 * that did.
 */
static void release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct lguest *lg = container_of(notifier, struct lguest, notifier);

	zap_memory(lg->shadow, 0, lg->pfn_limit - 1, true);
	lg_world_flush_tlbs(lg);
}

/* Was the frame used through one of the first entries of its list? left: how many may be asked. */
static bool list_young(struct lg_shadow *s, u32 entry, bool clear, unsigned int *left)
{
	bool young = false;

	for (unsigned int asked = 0; entry && asked < ASK_ENTRIES && *left; asked++, --*left) {
		struct lg_spage *sp = spage_of_entry(s, entry);
		unsigned int slot = entry % LG_SLOTS;

		if (clear)
			young |= test_and_clear_young(&sp->table[slot]);
		else
			young |= !!(sp->table[slot] & _PAGE_ACCESSED);
		entry = sp->next[slot];
	}
	return young;
}

/*
 * Did the Guest use these frames? TLBs may keep one young a little longer, and of one that is
 * mapped very often not all is known: the Host asks for a hint. Does not sleep.
 */
static bool gfns_young(struct lguest *lg, unsigned long start, unsigned long end, bool clear)
{
	struct lg_shadow *s = lg->shadow;
	unsigned int left = ASK_ALL;
	bool young = false;
	u64 first, last;

	if (!to_gfns(lg, start, end, &first, &last))
		return false;

	spin_lock(&s->lock);
	for (u64 large = first / LG_SLOTS; large <= last / LG_SLOTS; large++)
		young |= list_young(s, s->rmap_large[large], clear, &left);
	for (u64 gfn = first; gfn <= last && left; gfn++)
		young |= list_young(s, s->rmap[gfn], clear, &left);
	spin_unlock(&s->lock);
	return young;
}

static lg_young_t clear_young(struct mmu_notifier *notifier, struct mm_struct *mm,
			      unsigned long start, unsigned long end)
{
	return gfns_young(container_of(notifier, struct lguest, notifier), start, end, true);
}

static lg_young_t test_young(struct mmu_notifier *notifier, struct mm_struct *mm,
			     unsigned long address)
{
	return gfns_young(container_of(notifier, struct lguest, notifier), address,
			  address + PAGE_SIZE, false);
}

static const struct mmu_notifier_ops notifier_ops = {
	.release = release,
	.clear_flush_young = clear_young,
	.clear_young = clear_young,
	.test_young = test_young,
	.invalidate_range_start = invalidate_start,
	.invalidate_range_end = invalidate_end,
};

/* ---- The Host wants memory back: shrinker ---- */

static unsigned long shrink_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long count = 0;
	struct lg_shadow *s;

	if (!mutex_trylock(&guests_lock))
		return 0;
	list_for_each_entry(s, &guests, guests)
		count += READ_ONCE(s->nr_used);
	mutex_unlock(&guests_lock);
	return count;
}

/* Frees up to `most` pages of one Guest; says how many. */
static unsigned long shrink_guest(struct lg_shadow *s, unsigned long most)
{
	struct work work = { .may_sleep = true };
	struct lg_spage *sp, *next;
	unsigned long freed = 0;
	LIST_HEAD(victims);

	spin_lock(&s->lock);
	while (freed < most && (sp = retire_oldest(s, &work))) {
		list_add(&sp->age, &victims);
		give_id_back(s, sp);
		freed++;
	}
	spin_unlock(&s->lock);
	if (!freed)
		return 0;
	lg_world_flush_tlbs(s->lg);
	list_for_each_entry_safe(sp, next, &victims, age)
		free_spage(sp);
	return freed;
}

static unsigned long shrink_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long freed = 0;
	struct lg_shadow *s;

	if (!mutex_trylock(&guests_lock))
		return SHRINK_STOP;
	list_for_each_entry(s, &guests, guests) {
		if (freed >= sc->nr_to_scan)
			break;
		freed += shrink_guest(s, sc->nr_to_scan - freed);
	}
	/* Another one first the next time. */
	list_rotate_left(&guests);
	mutex_unlock(&guests_lock);
	return freed ?: SHRINK_STOP;
}

static struct shrinker *shrinker;

void lg_shadow_for_each(void (*what)(struct lg_shadow *s, void *data), void *data)
{
	struct lg_shadow *s;

	mutex_lock(&guests_lock);
	list_for_each_entry(s, &guests, guests)
		what(s, data);
	mutex_unlock(&guests_lock);
}

/* ---- Making and breaking ---- */

/* Enough for a Guest's working set of tables: its memory once, and a few hundred for the rest. */
static unsigned int pages_for(const struct lguest *lg)
{
	unsigned long most = max_t(unsigned long, READ_ONCE(shadow_pages_max), PAGES_MIN);

	return min_t(unsigned long, lg->pfn_limit / 64 + 256, most);
}

/* Nobody knows of it any more: no lock, no look at who points where. */
static void free_shadow(struct lg_shadow *s)
{
	unsigned int id = 1;

	if (s->ids && s->by_id) {
		for_each_set_bit_from(id, s->ids, s->max_pages + 1) {
			free_spage(s->by_id[id]);
			cond_resched();
		}
	}
	kvfree(s->rmap_large);
	kvfree(s->frame_large);
	kvfree(s->rmap);
	kvfree(s->frame);
	bitmap_free(s->ids);
	kvfree(s->by_id);
	kvfree(s->hash);
	kfree(s);
}

int lg_shadow_init(struct lguest *lg)
{
	unsigned long large;
	struct lg_shadow *s;
	int err = -ENOMEM;

	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		return err;
	lg->shadow = s;
	s->lg = lg;
	spin_lock_init(&s->lock);
	INIT_LIST_HEAD(&s->guests);
	INIT_LIST_HEAD(&s->pages);
	INIT_LIST_HEAD(&s->dirs);
	s->max_pages = pages_for(lg);
	s->hash_bits = order_base_2(s->max_pages);
	s->hash = kvcalloc(1ul << s->hash_bits, sizeof(*s->hash), GFP_KERNEL_ACCOUNT);
	s->by_id = kvcalloc(s->max_pages + 1, sizeof(*s->by_id), GFP_KERNEL_ACCOUNT);
	s->ids = bitmap_zalloc(s->max_pages + 1, GFP_KERNEL_ACCOUNT);
	s->frame = kvcalloc(lg->pfn_limit, sizeof(*s->frame), GFP_KERNEL_ACCOUNT);
	s->rmap = kvcalloc(lg->pfn_limit, sizeof(*s->rmap), GFP_KERNEL_ACCOUNT);
	large = DIV_ROUND_UP(lg->pfn_limit, LG_SLOTS);
	s->frame_large = kvcalloc(large, sizeof(*s->frame_large), GFP_KERNEL_ACCOUNT);
	s->rmap_large = kvcalloc(large, sizeof(*s->rmap_large), GFP_KERNEL_ACCOUNT);
	if (!s->hash || !s->by_id || !s->ids || !s->frame || !s->frame_large || !s->rmap ||
	    !s->rmap_large)
		goto fail;

	lg->notifier.ops = &notifier_ops;
	err = mmu_notifier_register(&lg->notifier, lg->mm);
	if (err)
		goto fail;
	mutex_lock(&guests_lock);
	list_add(&s->guests, &guests);
	mutex_unlock(&guests_lock);
	return 0;

fail:
	free_shadow(s);
	lg->shadow = NULL;
	return err;
}

void lg_shadow_destroy(struct lguest *lg)
{
	struct lg_shadow *s = lg->shadow;

	if (!s)
		return;
	mmu_notifier_unregister(&lg->notifier, lg->notifier.mm);
	mutex_lock(&guests_lock);
	list_del(&s->guests);
	mutex_unlock(&guests_lock);

	lg->cpu.spare.count = 0;
	free_shadow(s);
	lg->shadow = NULL;
}

int lg_shadow_module_init(void)
{
	spage_cache = KMEM_CACHE(lg_spage, 0);
	if (!spage_cache)
		return -ENOMEM;
	shrinker = lg_shrinker_register("lguest-shadow", shrink_count, shrink_scan);
	if (!shrinker) {
		kmem_cache_destroy(spage_cache);
		return -ENOMEM;
	}
	return 0;
}

void lg_shadow_module_exit(void)
{
	lg_shrinker_unregister(shrinker);
	kmem_cache_destroy(spage_cache);
}
