// SPDX-License-Identifier: GPL-2.0
/*
 * The walk of a Guest's page tables: what the processor's page walker would do with them (SDM vol.
 * 3, chapter 4).
 *
 * What enters is the Guest's own tables, which are hostile and may change at any moment, also
 * between two reads here (M4): each entry is read once, judged as read, and written only by
 * compare-and-exchange. What leaves is a translation or the fault that the processor would raise.
 * Nothing here knows the shadow, the Host's tables or the Launcher.
 *
 * All formats are one function, compiled once for each description below.
 */
#include "walk.h"

/* How often entries may change under one walk. */
#define MAX_RETRIES	16

#define FRAME_MASK	0x000ffffffffff000ULL

struct format {
	u8 id;			/* enum lg_format */
	u8 entry_size;		/* bytes */
	u8 index_bits;		/* of a gva, per level */
	u8 levels;		/* that lie in memory: of PAE two, its PDPTEs being registers */
	u8 large_levels;	/* highest index of a level that may hold a large page */
	u64 gva_mask;
	/* Bits of an entry that neither the processor nor the reserved-bit check looks at. */
	u64 ignored;
};

static const struct format format_2level = {
	.id = LG_FMT_2LEVEL, .entry_size = 4, .index_bits = 10, .levels = 2, .large_levels = 1,
	.gva_mask = 0xffffffff,
};

static const struct format format_pae = {
	.id = LG_FMT_PAE, .entry_size = 8, .index_bits = 9, .levels = 2, .large_levels = 1,
	.gva_mask = 0xffffffff,
};

static const struct format format_4level = {
	.id = LG_FMT_4LEVEL, .entry_size = 8, .index_bits = 9, .levels = 4, .large_levels = 2,
	.gva_mask = ~0ULL, .ignored = 0x7ff0000000000000ULL,
};

u8 lg_paging_format(u64 cr0, u64 cr4, u64 efer)
{
	if (!(cr0 & LG_CR0_PG))
		return LG_FMT_NONE;
	if (!(cr4 & LG_CR4_PAE))
		return LG_FMT_2LEVEL;
	return efer & LG_EFER_LME ? LG_FMT_4LEVEL : LG_FMT_PAE;
}

bool lg_pdpte_ok(const struct lg_paging *paging, u64 pdpte)
{
	return !(pdpte & LG_PTE_PRESENT) || !(pdpte & (~0ULL << paging->phys_bits | 0x1e6));
}

static __always_inline unsigned int level_shift(const struct format *f, unsigned int level)
{
	return 12 + f->index_bits * level;
}

/* Bits that must be 0 in every present entry. */
static __always_inline u64 reserved_bits(const struct format *f, const struct lg_paging *paging)
{
	u64 bits;

	if (f->id == LG_FMT_2LEVEL)
		return 0;
	bits = (~0ULL << paging->phys_bits) & ~f->ignored;
	return paging->efer & LG_EFER_NXE ? bits & ~LG_PTE_NX : bits;
}

/* Bits that must be 0 besides in a large page's entry. */
static __always_inline u64 reserved_bits_large(const struct format *f,
					       const struct lg_paging *paging, unsigned int level)
{
	/*
	 * PSE-36: bits 20:13 are bits 39:32 of the frame, as far as MAXPHYADDR goes; the rest up to
	 * bit 21 is reserved.
	 */
	if (f->id == LG_FMT_2LEVEL) {
		unsigned int bits = paging->phys_bits < 40 ? paging->phys_bits : 40;

		return (~0ULL << (bits - 32 + 13)) & 0x3fe000;
	}
	return ((1ULL << level_shift(f, level)) - 1) & ~0x1fffULL;
}

static __always_inline u64 large_frame(const struct format *f, u64 entry, unsigned int level)
{
	if (f->id == LG_FMT_2LEVEL)
		return (entry & 0xffc00000) | (entry & 0x1fe000) << 19;
	return entry & FRAME_MASK & (~0ULL << level_shift(f, level));
}

static __always_inline bool is_large(const struct format *f, const struct lg_paging *paging,
				     u64 entry, unsigned int level)
{
	if (level > f->large_levels || !(entry & LG_PTE_LARGE))
		return false;
	return f->id != LG_FMT_2LEVEL || paging->cr4 & LG_CR4_PSE;
}

static __always_inline bool entry_ok(const struct format *f, const struct lg_paging *paging,
				     u64 entry, unsigned int level, bool large)
{
	u64 reserved = reserved_bits(f, paging);

	if (large)
		reserved |= reserved_bits_large(f, paging, level);
	if (level == 3)
		reserved |= LG_PTE_LARGE;
	return !(entry & reserved);
}

static __always_inline u64 table_of(const struct format *f, u64 entry)
{
	return f->id == LG_FMT_2LEVEL ? entry & 0xfffff000 : entry & FRAME_MASK;
}

static __always_inline bool walk_entry(const struct format *f, const struct lg_paging *paging,
				       unsigned int level, u64 entry, u64 *gpa, bool *large)
{
	if (!(entry & LG_PTE_PRESENT))
		return false;
	*large = level && is_large(f, paging, entry, level);
	*gpa = *large ? large_frame(f, entry, level) : table_of(f, entry);
	return entry_ok(f, paging, entry, level, *large);
}

bool lg_walk_entry(const struct lg_paging *paging, unsigned int level, u64 entry, u64 *gpa,
		   bool *large)
{
	switch (paging->format) {
	case LG_FMT_2LEVEL:
		return walk_entry(&format_2level, paging, level, entry, gpa, large);
	case LG_FMT_PAE:
		return walk_entry(&format_pae, paging, level, entry, gpa, large);
	case LG_FMT_4LEVEL:
		return walk_entry(&format_4level, paging, level, entry, gpa, large);
	default:
		return false;
	}
}

static int page_fault(const struct lg_paging *paging, u64 gva, u32 access, u32 error,
		      struct lg_fault *fault)
{
	error |= access & (LG_PF_WRITE | LG_PF_USER);
	/* Told only where instruction fetches can be forbidden. */
	if (access & LG_PF_FETCH && paging->cr4 & LG_CR4_PAE && paging->efer & LG_EFER_NXE)
		error |= LG_PF_FETCH;
	*fault = (struct lg_fault){
		.vector = LG_PF_VECTOR, .has_error = true, .error = error, .gva = gva
	};
	return -EFAULT;
}

/*
 * Says of a table that cannot be read what one with a reserved bit in the entry above it would say.
 */
static int bad_table(const struct lg_paging *paging, u64 gva, u32 access, int err,
		     struct lg_fault *fault)
{
	page_fault(paging, gva, access, LG_PF_PRESENT | LG_PF_RSVD, fault);
	return err;
}

/* SDM vol. 3, 4.6: the rights of one translation. */
static __always_inline bool allowed(const struct lg_paging *paging, const struct lg_translation *t,
				    u32 access)
{
	if (access & LG_PF_USER && !t->user)
		return false;
	if (access & LG_PF_WRITE && !t->writable &&
	    (access & LG_PF_USER || paging->cr0 & LG_CR0_WP))
		return false;
	return !(access & LG_PF_FETCH && t->nx);
}

static __always_inline void no_tables(struct lg_translation *t, unsigned int first,
				      unsigned int end)
{
	for (; first < end; first++) {
		t->table[first] = 0;
		t->entry[first] = 0;
	}
}

/* One try; -EAGAIN if an entry changed since it was read. */
static __always_inline int walk_once(const struct format *f, struct lg_cpu *cpu,
				     const struct lg_paging *paging, u64 gva, u32 access,
				     struct lg_translation *t, struct lg_fault *fault)
{
	unsigned int level = f->levels - 1;
	u64 table, entry, rights = LG_PTE_WRITE | LG_PTE_USER, nx = 0;
	u64 frame, offset;
	bool large;
	int err;

	no_tables(t, f->levels, ARRAY_SIZE(t->table));

	if (f->id == LG_FMT_PAE) {
		/*
		 * Checked when it was loaded: a present one has no reserved bit. It grants and
		 * forbids nothing.
		 */
		entry = paging->pdpte[gva >> 30 & 3];
		if (!(entry & LG_PTE_PRESENT)) {
			no_tables(t, 0, f->levels);
			return page_fault(paging, gva, access, 0, fault);
		}
	} else {
		entry = paging->cr3;
	}

	for (table = table_of(f, entry);; table = frame, level--) {
		u64 index = gva >> level_shift(f, level) & ((1u << f->index_bits) - 1);

		t->table[level] = table;
		err = lg_entry_read(cpu, table + index * f->entry_size, f->entry_size, &entry);
		if (err)
			return bad_table(paging, gva, access, err, fault);
		t->entry[level] = entry;
		if (!(entry & LG_PTE_PRESENT))
			return page_fault(paging, gva, access, 0, fault);

		if (!walk_entry(f, paging, level, entry, &frame, &large))
			return page_fault(paging, gva, access, LG_PF_PRESENT | LG_PF_RSVD, fault);
		rights &= entry;
		nx |= entry;
		if (large || !level)
			break;
	}

	no_tables(t, 0, level);
	t->leaf = level;
	t->writable = rights & LG_PTE_WRITE;
	t->user = rights & LG_PTE_USER;
	t->nx = nx & LG_PTE_NX;
	offset = gva & ((1ULL << level_shift(f, level)) - 1);
	t->gpa = frame | offset;

	if (access & LG_WALK_LOOK)
		return 0;
	if (!allowed(paging, t, access))
		return page_fault(paging, gva, access, LG_PF_PRESENT, fault);

	for (unsigned int i = f->levels; i-- > level;) {
		u64 new = t->entry[i] | LG_PTE_ACCESSED;

		if (i == level && access & LG_PF_WRITE)
			new |= LG_PTE_DIRTY;
		if (new != t->entry[i]) {
			u64 index = gva >> level_shift(f, i) & ((1u << f->index_bits) - 1);

			err = lg_entry_cmpxchg(cpu, t->table[i] + index * f->entry_size,
					       f->entry_size, t->entry[i], new);
			if (err == -EAGAIN)
				return err;
			if (err)
				return bad_table(paging, gva, access, err, fault);
			t->entry[i] = new;
		}
	}
	return 0;
}

static __always_inline int walk(const struct format *f, struct lg_cpu *cpu,
				const struct lg_paging *paging, u64 gva, u32 access,
				struct lg_translation *t, struct lg_fault *fault)
{
	int err;

	for (unsigned int i = 0; i < MAX_RETRIES; i++) {
		err = walk_once(f, cpu, paging, gva & f->gva_mask, access, t, fault);
		if (err != -EAGAIN)
			break;
	}
	return err;
}

int lg_walk(struct lg_cpu *cpu, const struct lg_paging *paging, u64 gva, u32 access,
	    struct lg_translation *t, struct lg_fault *fault)
{
	switch (paging->format) {
	case LG_FMT_2LEVEL:
		return walk(&format_2level, cpu, paging, gva, access, t, fault);
	case LG_FMT_PAE:
		return walk(&format_pae, cpu, paging, gva, access, t, fault);
	case LG_FMT_4LEVEL:
		return walk(&format_4level, cpu, paging, gva, access, t, fault);
	default:
		*t = (struct lg_translation){
			.gpa = gva & 0xffffffff,
			.leaf = LG_LEAF_NONE,
			.writable = true,
			.user = true,
		};
		return 0;
	}
}
