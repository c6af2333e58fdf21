// SPDX-License-Identifier: GPL-2.0
/*
 * A Guest that makes more page tables than its Host cares to shadow, and uses them until it is told
 * to stop (guests/work.h). What it reads must be what it wrote, whatever the Host throws away
 * meanwhile.
 */
#include "guest.h"
#include "../guests/tables.h"
#include "../guests/work.h"

#define LARGE		(4u << 20)

static u32 random_state;

static u32 random(u32 below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (u32)(((u64)random_state * below) >> 32);
}

static void load(u32 pgdir)
{
	if (random(4))
		hypercall(LHCALL_NEW_PGTABLE, pgdir, 0, 0, 0);
	else
		write_cr3(pgdir);
}

/* ---- Many directories ---- */
#define CROWD_TABLES	3
#define CROWD_PAGES	4		/* for each of them */

static u32 crowd[512];

static u32 crowd_address(u32 page)
{
	/* Tables far from each other, pages in both halves of each. */
	return 0x10000000 + page / CROWD_PAGES * 0x15400000 + page % CROWD_PAGES * 0xf7000;
}

static void make_crowd(u32 count)
{
	u32 i, page;

	for (i = 0; i < count; i++) {
		crowd[i] = guest_new_pgdir();
		for (page = 0; page < CROWD_TABLES * CROWD_PAGES; page++)
			guest_map(va(crowd[i]), crowd_address(page),
				  guest_alloc(1, PAGE_SIZE) | PTE_ALL);
	}
}

static void crowd_turn(u32 count)
{
	static u32 written[ARRAY_SIZE(crowd)];
	u32 i, page, times;

	for (times = 0; times < count; times++) {
		i = random(count);
		load(crowd[i]);
		for (page = 0; page < CROWD_TABLES * CROWD_PAGES; page++) {
			volatile u32 *p = (u32 *)crowd_address(page);

			GUEST_ASSERT_EQ(written[i] ? written[i] ^ i ^ page << 16 : 0, *p);
			*p = (written[i] + 1) ^ i ^ page << 16;
		}
		written[i]++;
	}
	load(pa(lguest_pgdir));
}

/* ---- One frame, everywhere ---- */
#define STAMP	0x600dbeefu

static u32 frame;

static void make_million(u32 tables)
{
	u32 i, j, *table;

	frame = guest_alloc(1, PAGE_SIZE);
	*(u32 *)va(frame) = STAMP;
	mailbox->out[TABLES_FRAME] = frame;
	for (i = 0; i < tables; i++) {
		table = va(guest_alloc(1, PAGE_SIZE));
		for (j = 0; j < 1024; j++)
			table[j] = frame | PTE_ALL | PTE_A | PTE_D;
		/* From 1 GiB on: below, there is memory at virtual == physical. */
		lguest_pgdir[256 + i] = pa(table) | PTE_ALL;
	}
}

static void million_turn(u32 tables)
{
	u32 i, address = 0x40000000, value;

	/*
	 * The entries beside one are mapped with it; the step finds all places in a group in turn.
	 */
	for (i = 0; i < tables * 1024 / 8; i++, address += 8 * PAGE_SIZE) {
		value = *(volatile u32 *)(address + (i & 7) * PAGE_SIZE);
		/* The launcher takes the frame away: another one is zero. */
		GUEST_ASSERT(value == STAMP || value == 0);
	}
}

/* ---- One table, everywhere ---- */
static void make_parents(u32 count)
{
	u32 table = guest_alloc(1, PAGE_SIZE), i, j;

	frame = guest_alloc(1, PAGE_SIZE);
	((u32 *)va(table))[0] = frame | PTE_ALL;
	((u32 *)va(table))[600] = frame | PTE_ALL;
	for (i = 0; i < count; i++) {
		crowd[i] = guest_new_pgdir();
		for (j = 256; j < LGUEST_PAGE_OFFSET >> 22; j++)
			((u32 *)va(crowd[i]))[j] = table | PTE_ALL;
	}
}

static void parents_turn(u32 count)
{
	u32 i, j;

	for (i = 0; i < count; i++) {
		load(crowd[i]);
		for (j = 256; j < LGUEST_PAGE_OFFSET >> 22; j++) {
			volatile u32 *p = (u32 *)(j << 22);

			*p = j ^ i;
			GUEST_ASSERT_EQ(j ^ i, p[600 * 1024]);
		}
	}
	load(pa(lguest_pgdir));
}

/* ---- Large pages ---- */
static u32 large_first, large_count;

static void make_large(void)
{
	u32 i, size = mailbox->free_end - mailbox->free_start;

	write_cr4(read_cr4() | CR4_PSE);
	large_count = size / LARGE - 2;
	large_first = guest_alloc(large_count * (LARGE / PAGE_SIZE), LARGE);
	for (i = 0; i < large_count; i++)
		lguest_pgdir[256 + i] = (large_first + i * LARGE) | PTE_ALL | PTE_PS |
					(i & 1 ? PTE_G : 0);
	write_cr4(read_cr4() | CR4_PGE);
}

static void large_turn(u32 turn)
{
	u32 i, at;

	if (random(2))
		write_cr3(read_cr3());
	for (i = 0; i < large_count; i++) {
		for (at = i * LARGE; at < (i + 1) * LARGE; at += 61 * PAGE_SIZE) {
			volatile u32 *p = (u32 *)(0x40000000 + at);

			GUEST_ASSERT_EQ(turn ? (turn - 1) ^ at : 0, *p);
			*p = turn ^ at;
			GUEST_ASSERT_EQ(turn ^ at, *(volatile u32 *)va(large_first + at));
		}
	}
}

void guest_main(void)
{
	u32 mode = mailbox->in[TABLES_MODE], count = mailbox->in[TABLES_COUNT], turn;

	random_state = mailbox->in[TABLES_SEED];
	switch (mode) {
	case TABLES_CROWD:
		make_crowd(count);
		break;
	case TABLES_MILLION:
		make_million(count);
		break;
	case TABLES_PARENTS:
		make_parents(count);
		break;
	case TABLES_LARGE:
		make_large();
		break;
	}
	for (turn = 0; !mailbox->in[WORK_STOP]; turn++) {
		switch (mode) {
		case TABLES_CROWD:
			crowd_turn(count);
			break;
		case TABLES_MILLION:
			million_turn(count);
			break;
		case TABLES_PARENTS:
			parents_turn(count);
			break;
		case TABLES_LARGE:
			large_turn(turn);
			break;
		}
		mailbox->out[WORK_TURNS] = turn + 1;
	}
}
