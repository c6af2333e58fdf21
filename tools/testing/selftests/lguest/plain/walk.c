// SPDX-License-Identifier: GPL-2.0
/*
 * The walk of a Guest's page tables (drivers/lguest/walk.c) against the SDM, vol. 3, chapter 4:
 * every combination of rights at every level in every format, every bit that may be reserved,
 * accessed and dirty, tables outside memory, entries that change under the walk, and random tables
 * against a second walker, which is written down here as the manual tells it, entry by entry.
 */
#include <stdlib.h>

#include "walk.h"

#include "../harness.h"

#define PAGE		4096u
#define MEMORY		(64 * PAGE)
#define GONE_PAGE	63u		/* of memory that the Launcher has unmapped */

/* Where the tables of a test lie, [0] the page table. */
#define TABLE(level)	((8u + (level)) * PAGE)
#define FRAME		0x3000u		/* of the page that a test maps */
#define GVA		0xb1c8d6e8u	/* something in every field */

#define P		LG_PTE_PRESENT
#define W		LG_PTE_WRITE
#define U		LG_PTE_USER
#define A		LG_PTE_ACCESSED
#define D		LG_PTE_DIRTY
#define PS		LG_PTE_LARGE
#define NX		LG_PTE_NX

static uint8_t memory[MEMORY] __attribute__((aligned(4096)));
/* What somebody else does just before the walk writes an entry. */
static void (*interfere)(u64 gpa);
static unsigned int reads, writes;

static int check(u64 gpa, unsigned int size)
{
	if (gpa % size || (size != 4 && size != 8))
		abort();
	if (gpa >= MEMORY)
		return -EFAULT;
	return gpa / PAGE == GONE_PAGE ? -ENXIO : 0;
}

int lg_entry_read(struct lg_cpu *cpu, u64 gpa, unsigned int size, u64 *entry)
{
	int err = check(gpa, size);

	reads++;
	if (err)
		return err;
	*entry = 0;
	memcpy(entry, memory + gpa, size);
	return 0;
}

int lg_entry_cmpxchg(struct lg_cpu *cpu, u64 gpa, unsigned int size, u64 old, u64 new)
{
	int err = check(gpa, size);

	writes++;
	if (err)
		return err;
	if (interfere)
		interfere(gpa);
	if (memcmp(memory + gpa, &old, size))
		return -EAGAIN;
	memcpy(memory + gpa, &new, size);
	return 0;
}

/* ---- The formats, and the second walker ---- */

struct shape {
	const char *name;
	u8 format;
	unsigned int size, levels, shift[4], bits[4];
};

static const struct shape shapes[] = {
	{ "2-level", LG_FMT_2LEVEL, 4, 2, { 12, 22 }, { 10, 10 } },
	{ "PAE", LG_FMT_PAE, 8, 2, { 12, 21 }, { 9, 9 } },
	{ "4-level", LG_FMT_4LEVEL, 8, 4, { 12, 21, 30, 39 }, { 9, 9, 9, 9 } },
};

static u64 index_in(const struct shape *s, u64 gva, unsigned int level)
{
	return gva >> s->shift[level] & ((1u << s->bits[level]) - 1);
}

static u64 entry_gpa(const struct shape *s, u64 table, u64 gva, unsigned int level)
{
	return table + index_in(s, gva, level) * s->size;
}

static u64 get(const struct shape *s, u64 gpa)
{
	u64 entry = 0;

	memcpy(&entry, memory + gpa, s->size);
	return entry;
}

static void put(const struct shape *s, u64 gpa, u64 entry)
{
	memcpy(memory + gpa, &entry, s->size);
}

static u64 entry_at(const struct shape *s, unsigned int level)
{
	return get(s, entry_gpa(s, TABLE(level), GVA, level));
}

static void set_entry(const struct shape *s, unsigned int level, u64 entry)
{
	put(s, entry_gpa(s, TABLE(level), GVA, level), entry);
}

/* Tables that map GVA to FRAME, or with a large leaf to 0, with all rights at all levels. */
static void map(const struct shape *s, unsigned int leaf)
{
	memset(memory, 0, MEMORY);
	for (unsigned int level = leaf; level < s->levels; level++) {
		u64 entry = P | W | U;

		if (level > leaf)
			entry |= TABLE(level - 1);
		else if (leaf)
			entry |= PS;
		else
			entry |= FRAME;
		set_entry(s, level, entry);
	}
}

static struct lg_paging paging_for(const struct shape *s, bool wp, bool nxe)
{
	struct lg_paging paging = {
		.cr0 = LG_CR0_PG | (wp ? LG_CR0_WP : 0),
		.cr3 = TABLE(s->levels - 1),
		.cr4 = s->format == LG_FMT_2LEVEL ? LG_CR4_PSE : LG_CR4_PAE,
		.efer = (nxe ? LG_EFER_NXE : 0) | (s->format == LG_FMT_4LEVEL ? LG_EFER_LME : 0),
		.phys_bits = 40,
	};

	paging.format = lg_paging_format(paging.cr0, paging.cr4, paging.efer);
	if (paging.format != s->format)
		abort();
	if (s->format == LG_FMT_PAE) {
		paging.cr3 = 0xdead0000;
		for (int i = 0; i < 4; i++)
			paging.pdpte[i] = TABLE(1) | P;
	}
	return paging;
}

/* Is any bit of this present entry reserved? Tables 4-4 to 4-20 of the manual. */
static bool bad_bits(const struct lg_paging *paging, const struct shape *s, u64 entry,
		     unsigned int level)
{
	bool large = level && entry & PS;
	unsigned int max = paging->phys_bits;

	for (unsigned int bit = 0; bit < 64; bit++) {
		if (!(entry >> bit & 1))
			continue;
		if (s->format == LG_FMT_2LEVEL) {
			/*
			 * Only in a 4 MiB page: bit 21, and bits 20:13 beyond MAXPHYADDR (at most
			 * 40).
			 */
			if (large && paging->cr4 & LG_CR4_PSE && bit >= 13 && bit <= 21 &&
			    (bit == 21 || bit - 13 + 32 >= max))
				return true;
			continue;
		}
		if (bit == 63) {
			if (!(paging->efer & LG_EFER_NXE))
				return true;
			continue;
		}
		/* 62:52 are ignored in 4-level tables, reserved in PAE ones. */
		if (bit >= max && (bit < 52 || s->format == LG_FMT_PAE))
			return true;
		if (level == 3 && bit == 7)
			return true;
		if (large && level == 1 && bit >= 13 && bit <= 20)
			return true;
		if (large && level == 2 && bit >= 13 && bit <= 29)
			return true;
	}
	return false;
}

struct outcome {
	int err;
	u32 error;			/* of -EFAULT */
	u64 gpa;
	unsigned int leaf;
};

static struct outcome page_fault(u32 error)
{
	return (struct outcome){ .err = -EFAULT, .error = error };
}

/* The second walker: reads only. */
static struct outcome expected(const struct lg_paging *paging, const struct shape *s, u64 gva,
			       u32 access)
{
	bool user = true, writable = true, nx = false, wrong = false;
	u32 error = access & (LG_PF_WRITE | LG_PF_USER);
	u64 table, entry = paging->cr3;
	unsigned int level = s->levels;

	if (s->format != LG_FMT_4LEVEL)
		gva &= 0xffffffff;
	if (access & LG_PF_FETCH && s->format != LG_FMT_2LEVEL && paging->efer & LG_EFER_NXE)
		error |= LG_PF_FETCH;
	if (s->format == LG_FMT_PAE) {
		entry = paging->pdpte[gva >> 30];
		if (!(entry & P))
			return page_fault(error);
	}
	do {
		level--;
		table = entry & (s->size == 4 ? 0xfffff000 : 0xffffffffff000);
		if (table >= MEMORY)
			return page_fault(error | LG_PF_PRESENT | LG_PF_RSVD);
		if (table / PAGE == GONE_PAGE)
			return (struct outcome){ .err = -ENXIO };
		entry = get(s, entry_gpa(s, table, gva, level));
		if (!(entry & P))
			return page_fault(error);
		if (bad_bits(paging, s, entry, level))
			return page_fault(error | LG_PF_PRESENT | LG_PF_RSVD);
		user &= !!(entry & U);
		writable &= !!(entry & W);
		nx |= !!(entry & NX);
	} while (level &&
		 !(entry & PS && (s->format != LG_FMT_2LEVEL || paging->cr4 & LG_CR4_PSE)));

	if (access & LG_PF_USER) {
		wrong |= !user;
		wrong |= access & LG_PF_WRITE && !writable;
	} else {
		wrong |= access & LG_PF_WRITE && !writable && paging->cr0 & LG_CR0_WP;
	}
	wrong |= access & LG_PF_FETCH && nx;
	if (wrong)
		return page_fault(error | LG_PF_PRESENT);

	u64 offset = gva & ((1ull << s->shift[level]) - 1);

	if (s->format == LG_FMT_2LEVEL && level)
		return (struct outcome){ 0, 0,
					 (entry & 0xffc00000) + (entry >> 13 << 56 >> 24) + offset,
					 level };
	return (struct outcome){ 0, 0,
				 (entry & 0xffffffffff000 & -(1ull << s->shift[level])) + offset,
				 level };
}

/* One walk against the second walker; says what differs, or NULL. */
static const char *compare(const struct lg_paging *paging, const struct shape *s, u64 gva,
			   u32 access)
{
	struct outcome want = expected(paging, s, gva, access);
	struct lg_translation t;
	struct lg_fault fault = { 0 };
	int err;

	err = lg_walk(NULL, paging, gva, access, &t, &fault);
	if (err != want.err)
		return "result";
	if (err) {
		if (fault.vector != 14 || !fault.has_error)
			return "vector";
		if (fault.gva != (s->format == LG_FMT_4LEVEL ? gva : (u32)gva))
			return "fault address";
		return err == -EFAULT && fault.error != want.error ? "error code" : NULL;
	}
	if (t.leaf != want.leaf)
		return "leaf";
	return t.gpa != want.gpa ? "gpa" : NULL;
}

#define EXPECT_SAME(paging, s, gva, access)						\
	do {										\
		const char *what_ = compare(paging, s, gva, access);			\
											\
		EXPECT_EQ(NULL, what_)							\
			TH_LOG("%s differs: %s, gva 0x%llx, access 0x%x, cr0 0x%llx, "	\
			       "cr4 0x%llx, efer 0x%llx, entries 0x%llx 0x%llx",	\
			       what_, (s)->name, (unsigned long long)(gva), access,	\
			       (unsigned long long)(paging)->cr0,			\
			       (unsigned long long)(paging)->cr4,			\
			       (unsigned long long)(paging)->efer,			\
			       (unsigned long long)entry_at(s, 0),			\
			       (unsigned long long)entry_at(s, 1));			\
	} while (0)

/* ---- The tests ---- */

FIXTURE(walk) {
	const struct shape *s;
};

FIXTURE_VARIANT(walk) {
	int shape;
	unsigned int leaf;
};

FIXTURE_VARIANT_ADD(walk, two_level_4K) { 0, 0 };
FIXTURE_VARIANT_ADD(walk, two_level_4M) { 0, 1 };
FIXTURE_VARIANT_ADD(walk, pae_4K) { 1, 0 };
FIXTURE_VARIANT_ADD(walk, pae_2M) { 1, 1 };
FIXTURE_VARIANT_ADD(walk, four_level_4K) { 2, 0 };
FIXTURE_VARIANT_ADD(walk, four_level_2M) { 2, 1 };
FIXTURE_VARIANT_ADD(walk, four_level_1G) { 2, 2 };

FIXTURE_SETUP(walk)
{
	self->s = &shapes[variant->shape];
	interfere = NULL;
	map(self->s, variant->leaf);
}

FIXTURE_TEARDOWN(walk)
{
}

static u64 rights(unsigned int bits, bool nx)
{
	return (bits & 1 ? P : 0) | (bits & 2 ? W : 0) | (bits & 4 ? U : 0) |
	       (bits & 8 && nx ? NX : 0);
}

/* Present, writable, user, no-execute at the leaf and at one level above, for each access. */
TEST_F(walk, every_right)
{
	const struct shape *s = self->s;
	const unsigned int leaf = variant->leaf;

	for (unsigned int above = leaf; above < s->levels; above++)
		for (unsigned int low = 0; low < 16; low++)
			for (unsigned int high = 0; high < 16; high++)
				for (unsigned int mode = 0; mode < 4; mode++)
					for (u32 access = 0; access < 32; access++) {
						struct lg_paging paging =
							paging_for(s, mode & 1, mode & 2);
						bool nx = s->size == 8;
						u64 keep = P | W | U | NX;

						if (access & (LG_PF_PRESENT | LG_PF_RSVD))
							continue;
						map(s, leaf);
						set_entry(s, leaf,
							  (entry_at(s, leaf) & ~keep) |
								  rights(low, nx));
						if (above > leaf)
							set_entry(s, above,
								  (entry_at(s, above) & ~keep) |
									  rights(high, nx));
						EXPECT_SAME(&paging, s, GVA, access);
					}
}

/*
 * What the table above says must hold here, in plain words: so that two walkers are not wrong
 * together.
 */
TEST_F(walk, a_few_rights_by_hand)
{
	const struct shape *s = self->s;
	struct lg_paging wp = paging_for(s, true, true), no_wp = paging_for(s, false, true);
	struct lg_translation t;
	struct lg_fault fault;
	u64 all = entry_at(s, variant->leaf);

	EXPECT_EQ(0, lg_walk(NULL, &wp, GVA, LG_PF_USER | LG_PF_WRITE | LG_PF_FETCH, &t, &fault));
	EXPECT_TRUE(t.writable && t.user && !t.nx);

	set_entry(s, variant->leaf, all & ~W);
	EXPECT_EQ(-EFAULT, lg_walk(NULL, &wp, GVA, LG_PF_WRITE, &t, &fault));
	EXPECT_EQ(LG_PF_PRESENT | LG_PF_WRITE, fault.error);
	EXPECT_EQ(0, lg_walk(NULL, &no_wp, GVA, LG_PF_WRITE, &t, &fault));
	EXPECT_FALSE(t.writable);
	EXPECT_EQ(-EFAULT, lg_walk(NULL, &no_wp, GVA, LG_PF_WRITE | LG_PF_USER, &t, &fault));
	EXPECT_EQ(LG_PF_PRESENT | LG_PF_WRITE | LG_PF_USER, fault.error);

	set_entry(s, variant->leaf, all & ~U);
	EXPECT_EQ(-EFAULT, lg_walk(NULL, &wp, GVA, LG_PF_USER, &t, &fault));
	EXPECT_EQ(LG_PF_PRESENT | LG_PF_USER, fault.error);
	EXPECT_EQ(0, lg_walk(NULL, &wp, GVA, LG_PF_WRITE, &t, &fault));
	EXPECT_FALSE(t.user);

	set_entry(s, variant->leaf, 0);
	EXPECT_EQ(-EFAULT, lg_walk(NULL, &wp, GVA, LG_PF_WRITE, &t, &fault));
	EXPECT_EQ(LG_PF_WRITE, fault.error);
	EXPECT_EQ(GVA, fault.gva);

	if (s->size == 8) {
		struct lg_paging no_nxe = paging_for(s, true, false);

		set_entry(s, variant->leaf, all | NX);
		EXPECT_EQ(-EFAULT, lg_walk(NULL, &wp, GVA, LG_PF_FETCH, &t, &fault));
		EXPECT_EQ(LG_PF_PRESENT | LG_PF_FETCH, fault.error);
		EXPECT_EQ(0, lg_walk(NULL, &wp, GVA, 0, &t, &fault));
		EXPECT_TRUE(t.nx);
		EXPECT_EQ(-EFAULT, lg_walk(NULL, &no_nxe, GVA, LG_PF_FETCH, &t, &fault));
		EXPECT_EQ(LG_PF_PRESENT | LG_PF_RSVD, fault.error);
	} else {
		/* No NX: fetches are not told apart. */
		set_entry(s, variant->leaf, 0);
		EXPECT_EQ(-EFAULT, lg_walk(NULL, &wp, GVA, LG_PF_FETCH, &t, &fault));
		EXPECT_EQ(0, fault.error);
	}
}

/* Each bit of each entry, alone and with each MAXPHYADDR. */
TEST_F(walk, every_reserved_bit)
{
	const struct shape *s = self->s;

	for (unsigned int phys_bits = 32; phys_bits <= 52; phys_bits++)
		for (unsigned int level = variant->leaf; level < s->levels; level++)
			for (unsigned int bit = 0; bit < s->size * 8; bit++)
				for (unsigned int mode = 0; mode < 4; mode++) {
					struct lg_paging paging = paging_for(s, mode & 1, mode & 2);
					u64 entry;

					paging.phys_bits = phys_bits;
					map(s, variant->leaf);
					entry = entry_at(s, level);
					set_entry(s, level, entry ^ 1ull << bit);
					EXPECT_SAME(&paging, s, GVA, 0);
					EXPECT_SAME(&paging, s, GVA, LG_PF_USER | LG_PF_WRITE);
				}
}

/* CR4.PSE is what makes 4 MiB pages; without it the bit means nothing. */
TEST(large_pages_of_two_levels_need_PSE)
{
	const struct shape *s = &shapes[0];
	struct lg_paging paging = paging_for(s, true, false);
	struct lg_translation t;
	struct lg_fault fault;

	map(s, 0);
	set_entry(s, 1, entry_at(s, 1) | PS);
	ASSERT_EQ(0, lg_walk(NULL, &paging, GVA, 0, &t, &fault));
	EXPECT_EQ(1, t.leaf);
	paging.cr4 = 0;
	ASSERT_EQ(0, lg_walk(NULL, &paging, GVA, 0, &t, &fault));
	EXPECT_EQ(0, t.leaf);
	EXPECT_EQ(FRAME | (GVA & 0xfff), t.gpa);

	/* PSE-36: bits 20:13 are bits 39:32. */
	paging.cr4 = LG_CR4_PSE;
	set_entry(s, 1, 0x12c00000 | 0xa5u << 13 | P | W | U | PS);
	ASSERT_EQ(0, lg_walk(NULL, &paging, GVA, 0, &t, &fault));
	EXPECT_EQ(1, t.leaf);
	EXPECT_EQ(0xa512c00000 | (GVA & 0x3fffff), t.gpa);
}

TEST_F(walk, accessed_and_dirty)
{
	const struct shape *s = self->s;
	struct lg_paging paging = paging_for(s, true, true);
	struct lg_translation t;
	struct lg_fault fault;
	u64 entry[4];

	for (unsigned int level = 0; level < s->levels; level++)
		entry[level] = entry_at(s, level);

	/* A look changes nothing. */
	ASSERT_EQ(0, lg_walk(NULL, &paging, GVA, LG_WALK_LOOK, &t, &fault));
	/* Nor does what is forbidden. */
	set_entry(s, variant->leaf, entry[variant->leaf] & ~(W | U));
	EXPECT_EQ(-EFAULT, lg_walk(NULL, &paging, GVA, LG_PF_WRITE, &t, &fault));
	EXPECT_EQ(-EFAULT, lg_walk(NULL, &paging, GVA, LG_PF_USER, &t, &fault));
	set_entry(s, variant->leaf, entry_at(s, variant->leaf) | W | U);
	for (unsigned int level = variant->leaf; level < s->levels; level++)
		EXPECT_EQ(entry[level], entry_at(s, level));

	ASSERT_EQ(0, lg_walk(NULL, &paging, GVA, 0, &t, &fault));
	for (unsigned int level = variant->leaf; level < s->levels; level++) {
		EXPECT_EQ(entry[level] | A, entry_at(s, level));
		EXPECT_EQ(entry[level] | A, t.entry[level]);
		EXPECT_EQ(TABLE(level), t.table[level]);
	}
	for (unsigned int level = 0; level < variant->leaf; level++)
		EXPECT_EQ(0, t.table[level] | t.entry[level]);
	for (unsigned int level = s->levels; level < 4; level++)
		EXPECT_EQ(0, t.table[level] | t.entry[level]);

	ASSERT_EQ(0, lg_walk(NULL, &paging, GVA, LG_PF_WRITE, &t, &fault));
	for (unsigned int level = variant->leaf; level < s->levels; level++)
		EXPECT_EQ(entry[level] | A | (level == variant->leaf ? D : 0), entry_at(s, level));

	/* Nothing is written that is there already. */
	writes = 0;
	reads = 0;
	ASSERT_EQ(0, lg_walk(NULL, &paging, GVA, LG_PF_WRITE, &t, &fault));
	EXPECT_EQ(0, writes);
	EXPECT_EQ(s->levels - variant->leaf, reads);
}

static const struct shape *interfered;
static unsigned int interfered_level, interferences;

static void unmap_once(u64 gpa)
{
	put(interfered, entry_gpa(interfered, TABLE(interfered_level), GVA, interfered_level), 0);
	interferences++;
	interfere = NULL;
}

static void flip_always(u64 gpa)
{
	put(interfered, gpa, get(interfered, gpa) ^ 0x200);
	interferences++;
}

static void flip_once(u64 gpa)
{
	flip_always(gpa);
	interfere = NULL;
}

/* An entry that changed since it was read is not written; the walk begins again (M4). */
TEST_F(walk, entries_change_under_it)
{
	const struct shape *s = self->s;
	struct lg_paging paging = paging_for(s, true, true);
	struct lg_translation t;
	struct lg_fault fault;

	interfered = s;
	interfered_level = s->levels - 1;
	interfere = unmap_once;
	EXPECT_EQ(-EFAULT, lg_walk(NULL, &paging, GVA, LG_PF_USER, &t, &fault));
	EXPECT_EQ(LG_PF_USER, fault.error);
	EXPECT_EQ(0, entry_at(s, interfered_level));

	map(s, variant->leaf);
	interfere = flip_once;
	EXPECT_EQ(0, lg_walk(NULL, &paging, GVA, LG_PF_WRITE, &t, &fault));
	EXPECT_EQ(0x200, entry_at(s, interfered_level) & 0x200);
	EXPECT_EQ(A | D, entry_at(s, variant->leaf) & (A | D));

	/* A walk ends, whatever others do. */
	map(s, variant->leaf);
	interferences = 0;
	interfere = flip_always;
	EXPECT_EQ(-EAGAIN, lg_walk(NULL, &paging, GVA, LG_PF_WRITE, &t, &fault));
	EXPECT_LT(1, interferences);
	EXPECT_GT(1000, interferences);
	interfere = NULL;
	EXPECT_EQ(0, lg_walk(NULL, &paging, GVA, LG_PF_WRITE, &t, &fault));
}

TEST_F(walk, tables_outside_memory)
{
	const struct shape *s = self->s;
	static const u64 outside[] = { MEMORY, 0xfffff000, 0xffff00000000, (u64)GONE_PAGE * PAGE };

	for (unsigned int level = variant->leaf + 1; level < s->levels; level++)
		for (int i = 0; i < ARRAY_SIZE(outside); i++) {
			struct lg_paging paging = paging_for(s, true, true);

			if (s->size == 4 && outside[i] >> 32)
				continue;
			paging.phys_bits = 52;
			map(s, variant->leaf);
			set_entry(s, level, outside[i] | P | W | U);
			EXPECT_SAME(&paging, s, GVA, LG_PF_USER);
		}

	/* The directory itself. */
	for (int i = 0; i < ARRAY_SIZE(outside); i++) {
		struct lg_paging paging = paging_for(s, true, true);

		if (s->size == 4 && outside[i] >> 32)
			continue;
		paging.cr3 = outside[i];
		for (int j = 0; j < 4; j++)
			paging.pdpte[j] = outside[i] | P;
		EXPECT_SAME(&paging, s, GVA, LG_PF_WRITE);
	}
}

/* A frame outside memory is somebody else's matter: a device's. */
TEST_F(walk, frames_outside_memory_are_found)
{
	const struct shape *s = self->s;
	struct lg_paging paging = paging_for(s, true, true);
	u64 mask = (1ull << s->shift[variant->leaf]) - 1;
	u64 frame = 0xc0000000;
	struct lg_translation t;
	struct lg_fault fault;

	set_entry(s, variant->leaf, frame | P | W | U | (variant->leaf ? PS : 0));
	ASSERT_EQ(0, lg_walk(NULL, &paging, GVA, LG_PF_WRITE, &t, &fault));
	EXPECT_EQ(frame | (GVA & mask), t.gpa);
}

TEST(paging_off)
{
	struct lg_paging paging = { .cr0 = LG_CR0_WP, .cr3 = 0xfffff000, .phys_bits = 40 };
	struct lg_translation t;
	struct lg_fault fault;

	paging.format = lg_paging_format(paging.cr0, 0, 0);
	reads = 0;
	ASSERT_EQ(0, lg_walk(NULL, &paging, 0x1fedcba98, LG_PF_USER | LG_PF_WRITE | LG_PF_FETCH, &t,
			     &fault));
	EXPECT_EQ(0xfedcba98, t.gpa);
	EXPECT_EQ(LG_LEAF_NONE, t.leaf);
	EXPECT_TRUE(t.user && t.writable && !t.nx);
	EXPECT_EQ(0, reads);
}

TEST(formats)
{
	const u64 pg = LG_CR0_PG, pae = LG_CR4_PAE, lme = LG_EFER_LME;

	EXPECT_EQ(LG_FMT_NONE, lg_paging_format(0, pae, lme));
	EXPECT_EQ(LG_FMT_2LEVEL, lg_paging_format(pg, 0, 0));
	EXPECT_EQ(LG_FMT_2LEVEL, lg_paging_format(pg, LG_CR4_PSE, LG_EFER_NXE));
	EXPECT_EQ(LG_FMT_PAE, lg_paging_format(pg, pae, 0));
	EXPECT_EQ(LG_FMT_4LEVEL, lg_paging_format(pg, pae, lme));
}

/* Bits 2:1, 8:5 and MAXPHYADDR and above; nothing in one that is not present. */
TEST(pdptes)
{
	struct lg_paging paging = { .phys_bits = 36 };

	for (unsigned int bit = 1; bit < 64; bit++) {
		bool bad = bit == 1 || bit == 2 || (bit >= 5 && bit <= 8) || bit >= 36;

		EXPECT_EQ(!bad, lg_pdpte_ok(&paging, P | 1ull << bit)) TH_LOG("bit %u", bit);
		EXPECT_TRUE(lg_pdpte_ok(&paging, 1ull << bit));
	}
}

TEST(each_pdpte_has_its_gib)
{
	const struct shape *s = &shapes[1];
	struct lg_paging paging = paging_for(s, true, true);

	map(s, 0);
	for (unsigned int i = 0; i < 4; i++) {
		memset(paging.pdpte, 0, sizeof(paging.pdpte));
		paging.pdpte[i] = TABLE(1) | P;
		for (u64 gib = 0; gib < 4; gib++)
			EXPECT_SAME(&paging, s, (GVA & 0x3fffffff) | gib << 30, LG_PF_WRITE);
	}
}

/*
 * Addresses above 4 GiB do not exist for 32-bit formats: the upper half is dropped, also from CR2.
 */
TEST(addresses_wrap)
{
	for (int i = 0; i < 2; i++) {
		const struct shape *s = &shapes[i];
		struct lg_paging paging = paging_for(s, true, true);

		map(s, 0);
		EXPECT_SAME(&paging, s, GVA | 0xabcd00000000, LG_PF_WRITE);
		EXPECT_SAME(&paging, s, ~GVA | 0xabcd00000000, LG_PF_WRITE);
	}
}

/* A directory that is its own page table, as kernels have it, and one that is all its tables. */
TEST(tables_that_are_their_own)
{
	for (int i = 0; i < ARRAY_SIZE(shapes); i++) {
		const struct shape *s = &shapes[i];
		struct lg_paging paging = paging_for(s, true, true);
		struct lg_translation t;
		struct lg_fault fault;
		u64 gva = 0;

		for (unsigned int level = 0; level < s->levels; level++)
			gva |= 5ull << s->shift[level];
		memset(memory, 0, MEMORY);
		put(s, TABLE(s->levels - 1) + 5 * s->size, TABLE(s->levels - 1) | P | W | U);
		EXPECT_SAME(&paging, s, gva, LG_PF_WRITE);
		ASSERT_EQ(0, lg_walk(NULL, &paging, gva, LG_PF_WRITE, &t, &fault));
		EXPECT_EQ(TABLE(s->levels - 1), t.gpa & ~0xfffull);
		EXPECT_EQ(P | W | U | A | D, get(s, TABLE(s->levels - 1) + 5 * s->size) & 0xfff);
	}
}

static u64 next_random(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Entries that are mostly good, so that walks get deep; all of memory is table. */
TEST(random_tables)
{
	const char *wish = getenv("LGUEST_TEST_SEED");
	u64 seed = wish ? strtoull(wish, NULL, 0) : 20260101, state = seed;
	unsigned int found = 0;

	TH_LOG("seed 0x%llx", (unsigned long long)seed);
	for (unsigned int round = 0; round < 300; round++) {
		const struct shape *s = &shapes[next_random(&state) % ARRAY_SIZE(shapes)];
		struct lg_paging paging =
			paging_for(s, next_random(&state) & 1, next_random(&state) & 1);

		paging.phys_bits = 32 + next_random(&state) % 21;
		if (s->format == LG_FMT_2LEVEL && next_random(&state) & 1)
			paging.cr4 = 0;
		for (u64 gpa = 0; gpa < MEMORY; gpa += s->size) {
			u64 entry = next_random(&state) % (MEMORY / PAGE + 1) * PAGE;
			u64 low = next_random(&state) & 0xfff, wild = next_random(&state);

			entry |= low | (low & 0x300 ? P : 0);
			if (wild % 16)
				entry &= ~PS;
			if (wild >> 4 & 31)
				entry |= W | U;
			if (!(wild >> 9 & 63))
				entry ^= 1ull << (wild >> 16 & 63);
			put(s, gpa, entry);
		}
		for (unsigned int i = 0; i < 400; i++) {
			u64 gva = next_random(&state);
			u32 access = next_random(&state) & (LG_PF_WRITE | LG_PF_USER | LG_PF_FETCH);

			found += !expected(&paging, s, gva, access).err;
			EXPECT_SAME(&paging, s, gva, access);
		}
	}
	/* The test would show nothing if all ended in faults. */
	EXPECT_LT(10000, found);
	EXPECT_GT(110000, found);
}

TEST_HARNESS_MAIN
