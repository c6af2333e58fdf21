// SPDX-License-Identifier: GPL-2.0
/*
 * The shadow is a TLB: what a Guest has changed in its tables may live on until it flushes, never
 * grants more than the tables once allowed, and is gone after the flush (SDM vol. 3, 4.10;
 * guest-interface.rst).
 */
#include "guest.h"
#include "../guests/tlb.h"

/* Two entries of the page directory, and addresses in each. */
#define SLOTS		2
#define PER_SLOT	4
#define ADDRESSES	(SLOTS * PER_SLOT)
#define FRAMES		6
#define TABLES		2		/* that an entry of the directory may point to */

#define R_P		1u
#define R_W		2u
#define R_U		4u
#define R_ALL		7u

/* Each frame says at its start which it is; writes go to another place. */
#define STAMP		0x51a3b000u
#define WRITE_OFFSET	64

static u32 frame[FRAMES], table[SLOTS][TABLES], user_code;

static u32 slot_address(u32 slot)
{
	return 0x40000000 + slot * (4u << 20);
}

static u32 address_of(u32 n)
{
	/* Far enough apart that every one has another entry, near both ends of a table. */
	return slot_address(n / PER_SLOT) + n % PER_SLOT * 0x55000;
}

static u64 random_state;

static u32 random(u32 below)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(random_state >> 33) % below;
}

/* ---- Access ---- */
static u32 seen;

static void kernel_read(u32 address)
{
	seen = *(volatile u32 *)address;
}

static void kernel_write(u32 address)
{
	*(volatile u32 *)(address + WRITE_OFFSET) = 0xd1;
}

/*
 * mov (%eax), %ecx; int $0x80 and mov %eax, 64(%eax); int $0x80, at user level; ECX comes back by a
 * handler.
 */
static const u8 user_stub[2][16] = {
	{ 0x8b, 0x08, 0xcd, 0x80 },
	{ 0xc7, 0x40, WRITE_OFFSET, 0xd1, 0, 0, 0, 0xcd, 0x80 },
};

static bool take_cx(struct trap_frame *trap_frame)
{
	seen = trap_frame->cx;
	return false;
}

/* NO_TRAP or the error code of the page fault; *which: the frame that was read or written. */
static u32 try_access(u32 address, bool write, bool user, u32 *which)
{
	struct trap trap;
	u32 vector, i;

	for (i = 0; write && i < FRAMES; i++)
		*(volatile u32 *)(va(frame[i]) + WRITE_OFFSET) = 0;
	if (user)
		vector = guest_try_user(user_code + write * 16, 0, FLAGS_IF, address, &trap);
	else
		vector = guest_try(write ? kernel_write : kernel_read, address, &trap);
	if (vector == VEC_PF) {
		GUEST_ASSERT_EQ(address + (write ? WRITE_OFFSET : 0), trap.cr2);
		return trap.error;
	}
	GUEST_ASSERT_EQ(user ? 0x80 : NO_TRAP, vector);

	if (!write) {
		*which = seen - STAMP;
		GUEST_ASSERT(*which < FRAMES);
		return NO_TRAP;
	}
	*which = FRAMES;
	for (i = 0; i < FRAMES; i++) {
		if (*(volatile u32 *)(va(frame[i]) + WRITE_OFFSET) == 0xd1) {
			GUEST_ASSERT_EQ(FRAMES, *which);
			*which = i;
		}
	}
	GUEST_ASSERT(*which < FRAMES);
	return NO_TRAP;
}

/* What address shows now: the frame, or that it faulted. */
#define FAULT	0x100u
static u32 look(u32 address)
{
	u32 which;

	return try_access(address, false, false, &which) == NO_TRAP ? which : FAULT;
}

static void set_pte(u32 slot, u32 t, u32 address, u32 which, u32 rights)
{
	guest_write_entry(table[slot][t], guest_pte_index(address), frame[which] | rights);
}

static void set_pde(u32 slot, u32 t, u32 rights)
{
	guest_write_pde(slot_address(slot), table[slot][t] | rights);
}

static void prepare(void)
{
	u32 i, slot;

	for (i = 0; i < FRAMES; i++) {
		frame[i] = guest_alloc(1, PAGE_SIZE);
		*(u32 *)va(frame[i]) = STAMP + i;
	}
	for (slot = 0; slot < SLOTS; slot++)
		for (i = 0; i < TABLES; i++)
			table[slot][i] = guest_alloc(1, PAGE_SIZE);
	user_code = guest_alloc(1, PAGE_SIZE);
	memcpy(va(user_code), user_stub, sizeof(user_stub));
	guest_handle(0x80, take_cx);
}

/* ---- Ways to flush ---- */
static void by_invlpg(u32 address)
{
	invlpg(address);
}

static void by_cr3(u32 address)
{
	write_cr3(read_cr3());
}

static void by_flush_all(u32 address)
{
	hypercall(LHCALL_FLUSH_TLB, 1, 0, 0, 0);
}

static void by_flush_user(u32 address)
{
	hypercall(LHCALL_FLUSH_TLB, 0, 0, 0, 0);
}

static u64 entry_for(u32 address)
{
	u32 pde = (u32)guest_read_pde(address) & -PAGE_SIZE;

	return guest_read_entry(pde, guest_pte_index(address));
}

static void by_set_pte(u32 address)
{
	u64 entry = entry_for(address);

	hypercall(LHCALL_SET_PTE, read_cr3(), address, (u32)entry, (u32)(entry >> 32));
}

/* How the guests of old flush one address. */
static void by_set_pte_to_0(u32 address)
{
	hypercall(LHCALL_SET_PTE, read_cr3(), address, 0, 0);
}

static void by_set_pgd(u32 address)
{
	if (guest_has_pae)
		hypercall(LHCALL_SET_PMD, pa(guest_pae_pde(address & 0xc0000000)),
			  address >> 21 & 511, 0, 0);
	else
		hypercall(LHCALL_SET_PGD, pa(lguest_pgdir), address >> 22, 0, 0);
}

static void by_cr4(u32 address)
{
	write_cr4(read_cr4() ^ CR4_PGE);
}

struct way {
	const char *name;
	void (*flush)(u32 address);
	bool of_tables;			/* also after a change of the directory's entry */
};

static const struct way ways[] = {
	{ "INVLPG", by_invlpg, true },
	{ "CR3", by_cr3, true },
	{ "CR4.PGE", by_cr4, true },
	{ "FLUSH_TLB(1)", by_flush_all, true },
	{ "FLUSH_TLB(0)", by_flush_user, true },
	{ "SET_PTE", by_set_pte, false },
	{ "SET_PTE(0)", by_set_pte_to_0, false },
	{ "SET_PGD", by_set_pgd, true },
};

static void after(const struct way *way, const char *what, u32 expected, u32 found)
{
	if (expected != found)
		GUEST_FAIL("after %s and %s: %u instead of %u", what, way->name, found, expected);
}

static void one_way(const struct way *way)
{
	u32 address = address_of(1), which, was;

	/* Another frame: one of the two until the flush, then the new one. */
	set_pde(0, 0, R_ALL);
	set_pte(0, 0, address, 0, R_ALL);
	way->flush(address);
	after(way, "a first entry", 0, look(address));
	set_pte(0, 0, address, 1, R_ALL);
	was = look(address);
	GUEST_ASSERT(was == 0 || was == 1);
	mailbox->out[TLB_STALE] += was == 0;
	way->flush(address);
	after(way, "another frame", 1, look(address));
	GUEST_ASSERT_EQ(NO_TRAP, try_access(address, true, true, &which));
	GUEST_ASSERT_EQ(1, which);

	/* Fewer rights: perhaps still there until the flush, then not. */
	set_pte(0, 0, address, 1, R_P | R_U);
	try_access(address, true, false, &which);
	GUEST_ASSERT_EQ(1, which);
	way->flush(address);
	after(way, "losing W", PF_PRESENT | PF_WRITE, try_access(address, true, false, &which));
	after(way, "losing W", PF_PRESENT | PF_WRITE | PF_USER,
	      try_access(address, true, true, &which));
	set_pte(0, 0, address, 1, R_P);
	way->flush(address);
	after(way, "losing U", PF_PRESENT | PF_USER, try_access(address, false, true, &which));
	after(way, "keeping P", 1, look(address));
	set_pte(0, 0, address, 1, 0);
	way->flush(address);
	after(way, "losing P", FAULT, look(address));

	/* More rights need no flush: the fault finds them. */
	set_pte(0, 0, address, 2, R_P);
	after(way, "nothing", 2, look(address));
	set_pte(0, 0, address, 2, R_P | R_W);
	GUEST_ASSERT_EQ(NO_TRAP, try_access(address, true, false, &which));
	set_pte(0, 0, address, 2, R_ALL);
	GUEST_ASSERT_EQ(NO_TRAP, try_access(address, true, true, &which));

	/* The other table, or none, in the directory. */
	if (!way->of_tables)
		return;
	set_pte(0, 1, address, 3, R_ALL);
	set_pde(0, 1, R_ALL);
	was = look(address);
	GUEST_ASSERT(was == 2 || was == 3);
	way->flush(address);
	after(way, "another table", 3, look(address));
	set_pde(0, 1, R_P | R_U);
	way->flush(address);
	after(way, "a table without W", PF_PRESENT | PF_WRITE,
	      try_access(address, true, false, &which));
	set_pde(0, 1, R_P | R_W);
	way->flush(address);
	after(way, "a table without U", PF_PRESENT | PF_USER,
	      try_access(address, false, true, &which));
	set_pde(0, 1, 0);
	way->flush(address);
	after(way, "no table", FAULT, look(address));
}

/* Kernel addresses: FLUSH_TLB(0) leaves them alone, FLUSH_TLB(1) does not. */
static void kernel_part(void)
{
	u32 address = LGUEST_PAGE_OFFSET + 0x30000000, was;

	guest_write_pde(address, table[1][1] | R_ALL);
	set_pte(1, 1, address, 0, R_P | R_W);
	GUEST_ASSERT_EQ(0, look(address));
	set_pte(1, 1, address, 1, R_P | R_W);
	by_flush_user(address);
	was = look(address);
	GUEST_ASSERT(was == 0 || was == 1);
	by_flush_all(address);
	GUEST_ASSERT_EQ(1, look(address));
	set_pte(1, 1, address, 2, R_P | R_W);
	invlpg(address);
	GUEST_ASSERT_EQ(2, look(address));
	set_pte(1, 1, address, 3, R_P | R_W);
	by_set_pte(address);
	GUEST_ASSERT_EQ(3, look(address));
	guest_write_pde(address, 0);
	by_flush_all(address);
	GUEST_ASSERT_EQ(FAULT, look(address));
}

/* A table that has been used at y is used at x as well: what was flushed at x is new there. */
static void one_table_twice(u32 x, u32 y)
{
	u32 away = 0x55000;

	guest_write_pde(y, table[1][1] | R_ALL);
	set_pte(1, 1, y, 0, R_ALL);
	set_pte(1, 1, y + away, 1, R_ALL);
	by_flush_all(y);
	GUEST_ASSERT_EQ(0, look(y));
	GUEST_ASSERT_EQ(1, look(y + away));
	guest_write_pde(x, table[1][1] | R_ALL);
	set_pte(1, 1, x, 2, R_ALL);
	set_pte(1, 1, x + away, 3, R_ALL);
	invlpg(x);
	invlpg(x + away);
	GUEST_ASSERT_EQ(2, look(x));
	GUEST_ASSERT_EQ(3, look(x + away));
	/* And at y, whatever x has found since. */
	set_pte(1, 1, y, 4, R_ALL);
	invlpg(y);
	GUEST_ASSERT_EQ(4, look(y));
	guest_write_pde(x, 0);
	guest_write_pde(y, 0);
	by_flush_all(x);
	GUEST_ASSERT_EQ(FAULT, look(x));
}

static void flushes(void)
{
	u32 i, round;

	for (round = 0; round < 3; round++)
		for (i = 0; i < ARRAY_SIZE(ways); i++)
			one_way(&ways[i]);
	kernel_part();
	one_table_twice(slot_address(0), slot_address(1));
	one_table_twice(LGUEST_PAGE_OFFSET + 0x30000000, LGUEST_PAGE_OFFSET + 0x31000000);
}

/* ---- Several directories (2-level) ---- */
#define DIRECTORIES	3

static void load_directory(u32 gpa, bool by_hypercall)
{
	if (by_hypercall)
		hypercall(LHCALL_NEW_PGTABLE, gpa, 0, 0, 0);
	else
		write_cr3(gpa);
}

static void directories(void)
{
	u32 address = address_of(0), kernel = LGUEST_PAGE_OFFSET + 0x30000000, i, round, which;
	u32 gpa[DIRECTORIES], own[DIRECTORIES], kernel_table = guest_alloc(1, PAGE_SIZE);

	/*
	 * A table of the kernel's that all of them share, and one of their own at another address.
	 */
	lguest_pgdir[kernel >> 22] = kernel_table | R_ALL;
	guest_write_entry(kernel_table, guest_pte_index(kernel), frame[5] | R_ALL);
	for (i = 0; i < DIRECTORIES; i++) {
		u32 *pgdir;

		gpa[i] = guest_new_pgdir();
		own[i] = guest_alloc(1, PAGE_SIZE);
		pgdir = va(gpa[i]);
		/* Identity, where user level has its code. */
		pgdir[0] = lguest_pgdir[0];
		pgdir[address >> 22] = own[i] | R_ALL;
		guest_write_entry(own[i], guest_pte_index(address), frame[i] | R_ALL);
	}

	for (round = 0; round < 20; round++) {
		for (i = 0; i < DIRECTORIES; i++) {
			load_directory(gpa[i], round & 1);
			GUEST_ASSERT_EQ(gpa[i], read_cr3());
			GUEST_ASSERT_EQ(i, look(address));
			GUEST_ASSERT_EQ(NO_TRAP, try_access(address, true, true, &which));
			GUEST_ASSERT_EQ(i, which);
			GUEST_ASSERT_EQ(5, look(kernel));
		}
	}

	/*
	 * An entry that changes while another directory is loaded: MOV to CR3 flushes, NEW_PGTABLE
	 * does not.
	 */
	for (round = 0; round < 4; round++) {
		u32 now = 3 + (round & 1), before = round ? 4 - (round & 1) : 1;

		load_directory(gpa[0], false);
		guest_write_entry(own[1], guest_pte_index(address), frame[now] | R_ALL);
		load_directory(gpa[1], true);
		which = look(address);
		GUEST_ASSERT(which == now || which == before);
		load_directory(gpa[1], false);
		GUEST_ASSERT_EQ(now, look(address));
	}

	/* SET_PTE and SET_PGD for a directory that is not loaded. */
	load_directory(gpa[0], false);
	guest_write_entry(own[1], guest_pte_index(address), frame[2] | R_ALL);
	hypercall(LHCALL_SET_PTE, gpa[1], address, frame[2] | R_ALL, 0);
	load_directory(gpa[1], true);
	GUEST_ASSERT_EQ(2, look(address));
	load_directory(gpa[0], true);
	GUEST_ASSERT_EQ(0, look(address));
	((u32 *)va(gpa[1]))[address >> 22] = own[2] | R_ALL;
	hypercall(LHCALL_SET_PGD, gpa[1], address >> 22, 0, 0);
	guest_write_entry(own[2], guest_pte_index(address), frame[4] | R_ALL);
	hypercall(LHCALL_SET_PTE, gpa[2], address, frame[4] | R_ALL, 0);
	load_directory(gpa[1], true);
	which = look(address);
	GUEST_ASSERT(which == 4 || which == 2);
	hypercall(LHCALL_SET_PTE, gpa[1], address, frame[4] | R_ALL, 0);
	GUEST_ASSERT_EQ(4, look(address));

	/* At a kernel address, SET_PTE holds for every directory, whichever it names. */
	for (round = 0; round < 6; round++) {
		for (i = 0; i < DIRECTORIES; i++) {
			load_directory(gpa[i], true);
			look(kernel);
		}
		guest_write_entry(kernel_table, guest_pte_index(kernel), frame[round % 5] | R_ALL);
		hypercall(LHCALL_SET_PTE, gpa[round % DIRECTORIES], kernel,
			  frame[round % 5] | R_ALL, 0);
		for (i = 0; i < DIRECTORIES; i++) {
			load_directory(gpa[i], true);
			GUEST_ASSERT_EQ(round % 5, look(kernel));
		}
	}

	/*
	 * A directory's page that becomes something else: a table, a page; and a directory again.
	 */
	load_directory(gpa[0], true);
	guest_write_entry(own[0], guest_pte_index(address) + 1, gpa[2] | R_ALL);
	invlpg(address + PAGE_SIZE);
	((volatile u32 *)(address + PAGE_SIZE))[address >> 22] = own[0] | R_ALL;
	load_directory(gpa[2], false);
	GUEST_ASSERT_EQ(0, look(address));
	load_directory(pa(lguest_pgdir), false);
	GUEST_ASSERT_EQ(FAULT, look(address));
}

/* ---- Random tables against a model ---- */
/* An entry's value as the model has it: rights, and the table or frame. */
#define VALUE(what, rights)	((what) * 8 + (rights))
#define VALUES_PDE		(TABLES * 8)
#define VALUES_PTE		(FRAMES * 8)

static u8 pde_now[SLOTS], pte_now[ADDRESSES][TABLES];
/* All values since the last flush of each address: a bit for each value. */
static u16 pde_ever[ADDRESSES];
static u64 pte_ever[ADDRESSES][TABLES];

static void model_flush(u32 n)
{
	u32 t;

	pde_ever[n] = 1u << pde_now[n / PER_SLOT];
	for (t = 0; t < TABLES; t++)
		pte_ever[n][t] = 1ull << pte_now[n][t];
}

static bool permits(u32 pde, u32 pte, bool write, bool user)
{
	u32 rights = pde & pte;

	return rights & R_P && (!write || rights & R_W) && (!user || rights & R_U);
}

static u32 model_error(u32 n, bool write, bool user)
{
	u32 pde = pde_now[n / PER_SLOT], pte = pte_now[n][pde / 8];

	if (permits(pde, pte, write, user))
		return NO_TRAP;
	return (pde & pte & R_P ? PF_PRESENT : 0) | (write ? PF_WRITE : 0) | (user ? PF_USER : 0);
}

/* True if some pair of entries since the last flush would have led there. */
static bool model_allows(u32 n, bool write, bool user, u32 which)
{
	u32 pde, rights;

	for (pde = 0; pde < VALUES_PDE; pde++) {
		if (!(pde_ever[n] >> pde & 1))
			continue;
		for (rights = 0; rights < 8; rights++)
			if (pte_ever[n][pde / 8] >> VALUE(which, rights) & 1 &&
			    permits(pde, rights, write, user))
				return true;
	}
	return false;
}

static void random_access(void)
{
	u32 n = random(ADDRESSES), write = random(2), user = random(2), which = 0;
	u32 error = try_access(address_of(n), write, user, &which),
	    expected = model_error(n, write, user);

	if (error != NO_TRAP) {
		mailbox->out[TLB_FAULTED]++;
		/* A fault is the tables' of now. */
		if (error != expected)
			GUEST_FAIL("step %u, address %u, write %u, user %u: error 0x%x for 0x%x",
				   mailbox->out[TLB_DONE], n, write, user, error, expected);
		return;
	}
	mailbox->out[TLB_ALLOWED]++;
	if (!model_allows(n, write, user, which))
		GUEST_FAIL(
			"step %u, address %u, write %u, user %u: frame %u, which no tables allowed",
			mailbox->out[TLB_DONE], n, write, user, which);
	if (expected != NO_TRAP || which != pte_now[n][pde_now[n / PER_SLOT] / 8] / 8)
		mailbox->out[TLB_STALE]++;
}

/* Rights that make sense more often than not. */
static u32 random_rights(void)
{
	static const u8 rights[] = { R_ALL, R_ALL, R_ALL, R_P | R_U, R_P | R_W, R_P, R_W | R_U, 0 };

	return rights[random(ARRAY_SIZE(rights))];
}

static void random_change(void)
{
	u32 slot = random(SLOTS), t = random(TABLES), n = slot * PER_SLOT + random(PER_SLOT), i;
	u32 which = random(FRAMES), rights = random_rights();

	if (random(5) == 0) {
		pde_now[slot] = VALUE(t, rights);
		set_pde(slot, t, rights);
		for (i = slot * PER_SLOT; i < (slot + 1) * PER_SLOT; i++)
			pde_ever[i] |= 1u << pde_now[slot];
		if (random(4) == 0) {
			by_set_pgd(slot_address(slot));
			for (i = slot * PER_SLOT; i < (slot + 1) * PER_SLOT; i++)
				pde_ever[i] = 1u << pde_now[slot];
		}
		return;
	}
	pte_now[n][t] = VALUE(which, rights);
	set_pte(slot, t, address_of(n), which, rights);
	pte_ever[n][t] |= 1ull << pte_now[n][t];
	if (random(4) == 0 && pde_now[slot] / 8 == t && pde_now[slot] & R_P) {
		by_set_pte(address_of(n));
		/*
		 * The Host was told this one; what was cached of the directory is its own matter.
		 */
		pte_ever[n][t] = 1ull << pte_now[n][t];
	}
}

static void random_flush(void)
{
	u32 n = random(ADDRESSES), i;

	switch (random(6)) {
	case 0:
	case 1:
	case 2:
		invlpg(address_of(n));
		model_flush(n);
		return;
	case 3:
		by_flush_all(0);
		break;
	case 4:
		by_flush_user(0);
		break;
	case 5:
		by_cr3(0);
		break;
	}
	for (i = 0; i < ADDRESSES; i++)
		model_flush(i);
}

static void random_tables(u32 steps)
{
	u32 i, slot;

	for (slot = 0; slot < SLOTS; slot++)
		set_pde(slot, 0, 0);
	by_flush_all(0);
	for (i = 0; i < ADDRESSES; i++)
		model_flush(i);
	for (i = 0; i < steps; i++) {
		mailbox->out[TLB_DONE] = i;
		random_change();
		random_access();
		if (random(2))
			random_access();
		if (random(4) == 0)
			random_flush();
	}
	mailbox->out[TLB_DONE] = steps;
}

/* ---- Large pages ---- */
static void large_pages(void)
{
	u32 size = guest_large_size(), address = slot_address(0),
	    first = guest_alloc(size / PAGE_SIZE, size);
	u32 second = guest_alloc(size / PAGE_SIZE, size), i, which,
	    part = guest_alloc(1, PAGE_SIZE);
	struct trap trap;

	if (!guest_has_pae)
		write_cr4(read_cr4() | CR4_PSE);
	for (i = 0; i < size; i += PAGE_SIZE) {
		*(u32 *)va(first + i) = first + i;
		*(u32 *)va(second + i) = second + i;
	}
	guest_write_pde(address, first | PTE_ALL | PTE_PS);
	for (i = 0; i < size; i += PAGE_SIZE)
		GUEST_ASSERT_EQ(first + i, *(volatile u32 *)(address + i));
	/* Another one: old or new until the flush. */
	guest_write_pde(address, second | PTE_ALL | PTE_PS);
	for (i = 0; i < size; i += PAGE_SIZE) {
		which = *(volatile u32 *)(address + i);
		GUEST_ASSERT(which == first + i || which == second + i);
	}
	/* One INVLPG anywhere in it is enough for all of it (SDM vol. 3, 4.10.4.2). */
	invlpg(address + size / 2);
	for (i = 0; i < size; i += PAGE_SIZE)
		GUEST_ASSERT_EQ(second + i, *(volatile u32 *)(address + i));

	/* The same addresses by small pages, in reverse. */
	for (i = 0; i < size; i += PAGE_SIZE)
		guest_write_entry(part, guest_pte_index(address + i),
				  (first + size - PAGE_SIZE - i) | PTE_ALL);
	guest_write_pde(address, part | PTE_ALL);
	by_flush_all(0);
	for (i = 0; i < size; i += PAGE_SIZE)
		GUEST_ASSERT_EQ(first + size - PAGE_SIZE - i, *(volatile u32 *)(address + i));
	/* Large again, read-only: not one of its pages can be written. */
	guest_write_pde(address, first | R_P | PTE_PS);
	by_flush_all(0);
	for (i = 0; i < size; i += PAGE_SIZE) {
		GUEST_ASSERT_EQ(first + i, *(volatile u32 *)(address + i));
		GUEST_ASSERT_EQ(VEC_PF, guest_try(kernel_write, address + i, &trap));
		GUEST_ASSERT_EQ(PF_PRESENT | PF_WRITE, trap.error);
	}
	/* Dirty for the whole by one write. */
	guest_write_pde(address, first | PTE_ALL | PTE_PS);
	by_flush_all(0);
	(void)*(volatile u32 *)address;
	GUEST_ASSERT(!(guest_read_pde(address) & PTE_D));
	kernel_write(address + size - PAGE_SIZE);
	GUEST_ASSERT(guest_read_pde(address) & PTE_D);
	guest_write_pde(address, 0);
	by_flush_all(0);
	for (i = 0; i < size; i += PAGE_SIZE)
		GUEST_ASSERT_EQ(VEC_PF, guest_try(kernel_read, address + i, &trap));

	/* Without PSE the bit means nothing in 2-level tables: the entry leads to a table. */
	if (!guest_has_pae) {
		write_cr4(read_cr4() & ~CR4_PSE);
		guest_write_pde(address, part | PTE_ALL | PTE_PS);
		by_flush_all(0);
		GUEST_ASSERT_EQ(first + size - PAGE_SIZE, *(volatile u32 *)address);
		write_cr4(read_cr4() | CR4_PSE);
	}
}

void guest_main(void)
{
	prepare();
	if (mailbox->in[TLB_PAE])
		guest_enter_pae(false);
	random_state = mailbox->in[TLB_SEED];
	switch (mailbox->in[TLB_MODE]) {
	case TLB_FLUSHES:
		flushes();
		break;
	case TLB_DIRECTORIES:
		directories();
		break;
	case TLB_RANDOM:
		random_tables(mailbox->in[TLB_STEPS]);
		break;
	case TLB_LARGE:
		large_pages();
		break;
	}
}
