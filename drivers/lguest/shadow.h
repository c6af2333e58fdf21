/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The inside of the shadow, which three rooms share: shadow.c fills it, shadow_flush.c drops what
 * the Guest takes back and chooses what stands in the top tables, shadow_page.c keeps the pages and
 * serves the Host. Nobody else includes this. Documentation/virt/lguest/shadow.rst tells the words
 * and the rules.
 */
#ifndef _LGUEST_SHADOW_H
#define _LGUEST_SHADOW_H

#include <linux/bitmap.h>
#include <linux/list.h>
#include <linux/mm.h>

#include "lg.h"

#define LG_SLOTS		512	/* entries of a hardware page table */
#define LG_SLOT_BITS		9

/* The level of the pages that top tables point to. */
#define LG_TOP_LEVEL		2

/* Shadow pages that one fill may need: all levels below the top table. */
#define LG_FILL_PAGES		LG_TOP_LEVEL

/* Set in all entries that the shadow makes (M1); rights are taken away by what is not added. */
#define LG_BASE_FLAGS		(_PAGE_PRESENT | _PAGE_USER | _PAGE_ACCESSED)
#define LG_WRITE_FLAGS		(_PAGE_RW | _PAGE_DIRTY)

/* Rights in an entry: what must agree for it to be the same. */
#define LG_RIGHTS		(_PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_NX)

/* What a shadow page is the shadow of (M2). make_key() in shadow.c knows the places of the bits. */
union lg_spage_key {
	struct {
		u64 gfn : 40; /* of the Guest's table; direct: of the first frame that it maps */
		u64 level : 3;		/* 1: its entries map 4 KiB, 2: 2 MiB */
		/* Which part of the Guest's table, where that maps more than one of ours. */
		u64 quadrant : 4;
		u64 view : 1;		/* enum lg_view (M5) */
		u64 format : 2;		/* enum lg_format */
		/* No table of the Guest's but a piece of a large page, frame after frame. */
		u64 direct : 1;
	};
	u64 raw;
};

/*
 * A shadow page: one page table of the hardware, and what must be known of it. All under
 * lg_shadow.lock.
 *
 * An entry has a number, entry_of(): page id and slot. Entries that lead to the same thing form a
 * list: to a frame of Guest memory (the reverse map), or to a shadow page (its parents). next[] and
 * prev[] hold numbers of entries, so that making and dropping an entry takes the same few steps
 * whatever the Guest did, and no memory.
 */
struct lg_spage {
	u64 *table;			/* one page; entries that are not present are 0 (L1TF) */
	union lg_spage_key key;
	struct hlist_node hash;
	struct list_head age;		/* lg_shadow.pages */
	struct list_head dir;		/* lg_shadow.dirs, if of level 2 */
	u32 id;
	u32 parents;			/* first entry that points here, 0: none */
	u64 fresh; /* lg_shadow.gen when it was last known to be as the Guest's table */
	u64 orphaned;			/* lg_shadow.gen when it lost its last parent */
	u32 place;			/* gva where it begins, as its oldest parent has it */
	bool aliased;			/* since then there was another parent with another gva */
	bool local;			/* has, or had, an entry that is not global to the Guest */
	bool going;			/* not found any more, what points to it is being dropped */
	DECLARE_BITMAP(present, LG_SLOTS);
	u32 next[LG_SLOTS], prev[LG_SLOTS];
	/*
	 * The Guest's entry that a slot was made of: which frame (of a leaf, that it maps) and
	 * low_bits().
	 */
	u32 gfn[LG_SLOTS];
	u16 low[LG_SLOTS];
};

struct lg_shadow {
	struct lguest *lg;
	struct list_head guests;	/* all shadows there are: shadow_page.c */
	spinlock_t lock; /* everything from here on, but frame[] may be looked at without */

	/*
	 * gen counts the Guest's flushes of every kind. An entry made of what a walk read before a
	 * flush may not be installed after it. The others are gen at the last flush of everything
	 * and of all that is not global.
	 */
	u64 gen, all_flushed, local_flushed;
	u64 mode_changed; /* gen when what entries mean last changed: CR0, CR4, EFER */

	/* Host pages on their way out, now and until now: no entry is made meanwhile (M3). */
	unsigned int invalidating;
	u64 invalidated;

	/*
	 * Counts what makes a remembered top table worthless: flushes, and pages of LG_TOP_LEVEL
	 * that go.
	 */
	u64 epoch;

	struct list_head pages;		/* in use, oldest first */
	struct list_head dirs;		/* those of level 2 */
	unsigned int nr_used;		/* length of pages */
	unsigned int nr_pages;		/* with those that lie ready in the vCPUs */
	unsigned int max_pages;
	struct lg_spage **by_id;	/* 1 .. max_pages */
	unsigned long *ids;		/* bitmap of those taken */

	struct hlist_head *hash;
	unsigned int hash_bits;

	/*
	 * By gfn: what the Launcher's page tables say, as far as somebody asked, until the notifier
	 * takes it back (M3). Pages are not held by it. Bit 0: known, bit 1: writable.
	 */
	u64 *frame;
	/* By gfn / 512: the same if 512 frames are one huge page; bit 2: they are not. */
	u64 *frame_large;
	u32 *rmap;			/* by gfn: first entry that maps it, 0: none */
	u32 *rmap_large;		/* by gfn / 512: 2 MiB entries */

	struct lg_shadow_stats stats;
};

#define LG_FRAME_KNOWN		BIT_ULL(0)
#define LG_FRAME_WRITABLE	BIT_ULL(1)
#define LG_FRAME_SMALL		BIT_ULL(2)

static inline u32 entry_of(const struct lg_spage *sp, unsigned int slot)
{
	return sp->id << LG_SLOT_BITS | slot;
}

static inline struct lg_spage *spage_of_entry(const struct lg_shadow *s, u32 entry)
{
	return s->by_id[entry >> LG_SLOT_BITS];
}

/*
 * The shadow page that a present table entry, of a shadow page or of a vCPU's top table, points to.
 */
static inline struct lg_spage *spage_of_pte(u64 pte)
{
	return (struct lg_spage *)page_private(
		pfn_to_page((__sme_clr(pte) & PHYSICAL_PAGE_MASK) >> PAGE_SHIFT));
}

/* What an entry of the Guest's says besides the frame. */
static inline u16 low_bits(u64 entry)
{
	return (entry & ~PAGE_MASK) | (entry & LG_PTE_NX) >> 48;
}

static inline u64 spage_pa(const struct lg_spage *sp)
{
	return __sme_set(__pa(sp->table));
}

/* Bytes that an entry of this level maps, as a shift. */
static inline unsigned int lg_level_shift(unsigned int level)
{
	return PAGE_SHIFT + LG_SLOT_BITS * (level - 1);
}

static inline unsigned int lg_slot(u64 gva, unsigned int level)
{
	return gva >> lg_level_shift(level) & (LG_SLOTS - 1);
}

/* ---- shadow_page.c; all but the last one with the lock held ---- */
struct lg_spage *lg_spage_find(struct lg_shadow *s, union lg_spage_key key);
/* Finds it or takes one of the vCPU's spare pages, of which there must be one. */
struct lg_spage *lg_spage_get(struct lg_shadow *s, struct lg_cpu *cpu, union lg_spage_key key);
/* Points an empty slot at a child, made of this entry of the Guest's. */
void lg_spage_link(struct lg_shadow *s, struct lg_spage *sp, unsigned int slot,
		   struct lg_spage *child, u64 flags, u64 entry);
/* Maps a frame, or with _PAGE_PSE in pte 512 of them, in an empty slot. */
void lg_spage_map(struct lg_shadow *s, struct lg_spage *sp, unsigned int slot, u64 gfn, u64 pte,
		  u64 entry);
/* Empties a slot, present or not. */
void lg_spage_zap(struct lg_shadow *s, struct lg_spage *sp, unsigned int slot);
/* Empties slots first .. last - 1. */
void lg_spage_zap_range(struct lg_shadow *s, struct lg_spage *sp, unsigned int first,
			unsigned int last);
/*
 * Sees to it that the vCPU has LG_FILL_PAGES spare pages; may put the vCPU and sleep. 0 or -ENOMEM.
 */
int lg_spage_top_up(struct lg_cpu *cpu);

/* In use, not spare: found by its key. */
static inline bool lg_spage_used(const struct lg_spage *sp)
{
	return !hlist_unhashed(&sp->hash);
}

/*
 * Calls for each Guest there is, which does not go away meanwhile. May sleep; the lock is not held.
 */
void lg_shadow_for_each(void (*what)(struct lg_shadow *s, void *data), void *data);

/* ---- shadow.c; with the lock held ---- */
/* The shadow, for gva, of the Guest's table at `table`. */
union lg_spage_key lg_table_key(const struct lg_paging *paging, enum lg_view view, u64 table,
				u64 gva, unsigned int level);
/* The page that belongs into the top table for gva; false: the Guest has none there (PAE). */
bool lg_top_key(const struct lg_paging *paging, enum lg_view view, u64 gva,
		union lg_spage_key *key);
/* A page of LG_TOP_LEVEL may hold what the Guest has flushed since. */
bool lg_top_stale(const struct lg_shadow *s, const struct lg_spage *sp);
/* Flushes of this address go to all page directories, not to the current one alone. */
bool lg_in_kernel_part(const struct lg_cpu *cpu, u64 gva);
/*
 * Maps those of `count` slots of a page of level 1 that are empty and need nothing but what is
 * known: the Guest's entry has been used before, and its frame is known.
 */
void lg_shadow_prefill(struct lg_shadow *s, struct lg_cpu *cpu, struct lg_spage *sp,
		       unsigned int slot, unsigned int count);

#endif /* _LGUEST_SHADOW_H */
