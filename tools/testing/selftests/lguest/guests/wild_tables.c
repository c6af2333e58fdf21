// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables of noise: entries that lead to themselves, to the directory, to this very code,
 * outside memory, with reserved bits, large or not. What an address then shows is worked out here,
 * by a walk of our own (SDM vol. 3, 4.3 and 4.4), and compared with what a read finds. Reads only:
 * a write through such tables would end the experiment, and hostile code has done that already
 * (random_code.c).
 */
#include "guest.h"
#include "../guests/wild_tables.h"

#define ADDRESS		0x40000000u	/* one entry of the directory from here on is the noise's */
#define READS		4
#define NOBODYS		0xffffffffu	/* what memory that is none reads as */

static u32 table, code_copy, memory_end;

static u64 random_state;

static u32 random32(void)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return random_state >> 32;
}

/*
 * Noise with a grain of sense: half of the frames are in memory, many of those what must not
 * matter.
 */
static u64 random_entry(bool upper)
{
	u32 r = random32(), flags = random32() & 0x7f, frame;
	u64 entry;

	switch (r & 7) {
	case 0:
		frame = table;
		break;
	case 1:
		frame = guest_has_pae ? pa(guest_pae_pde(ADDRESS)) : pa(lguest_pgdir);
		break;
	case 2:
		frame = pa(&random_entry);
		break;
	case 3:
		frame = MAILBOX_GPA;
		break;
	case 4:
		frame = random32();
		break;
	default:
		frame = random32() % memory_end;
	}
	/* Whoever walks a table marks its entries as accessed: better not in what we are made of. */
	if (upper && frame >= MAILBOX_GPA + PAGE_SIZE && frame < mailbox->free_start)
		frame = code_copy;
	entry = (frame & -PAGE_SIZE) | flags | (r & 0x100 ? 0 : PTE_P);
	if (upper && r & 0x200)
		entry |= PTE_PS;
	if (upper && r & 0x400)
		entry = table | PTE_ALL;
	if (guest_has_pae) {
		if (!(r & 0xf000))
			entry |= (u64)(random32() & 0x7fffffff) << 32;
		if (r & 0x800)
			entry |= PTE_NX;
	}
	return entry;
}

/* ---- Our own walk ---- */
#define WALK_FAULT	(1ull << 63)

/*
 * Bits of an entry that must not be set; addresses above 36 bits are left to the Host's processor
 * to judge.
 */
static u64 reserved(u64 entry, bool large)
{
	u64 bits = 0;

	if (guest_has_pae) {
		bits = 0x7ffull << 52;
		if (!guest_has_nx)
			bits |= PTE_NX;
		if (large)
			bits |= 0x1fe000;
	} else if (large) {
		bits = 1u << 21;
	}
	return entry & bits;
}

/* True if only the processor's number of address bits decides whether this is reserved. */
static bool undecided(u64 entry, bool large)
{
	if (guest_has_pae)
		return entry & (0xffffull << 36);
	return large && entry & 0x1fe000;	/* PSE-36 */
}

struct found {
	bool decided;
	u32 error;			/* of the fault, or NO_TRAP */
	u64 gpa;
};

/* An entry of a table that may lie anywhere: ours to read if it is in memory, else not. */
static bool entry_at(u64 gpa, u32 index, u64 *entry)
{
	gpa &= -(u64)PAGE_SIZE;
	if (gpa >= memory_end)
		return false;
	*entry = guest_read_entry(gpa, index);
	return true;
}

static struct found walk(u32 address, bool user)
{
	struct found found = { .decided = true, .error = user ? PF_USER : 0 };
	u64 pde = guest_read_pde(address), pte;
	bool large = pde & PTE_PS;

	if (!(pde & PTE_P))
		return found;
	if (undecided(pde, large)) {
		found.decided = false;
		return found;
	}
	if (reserved(pde, large)) {
		found.error |= PF_PRESENT | PF_RSVD;
		return found;
	}
	if (large) {
		if (user && !(pde & PTE_U)) {
			found.error |= PF_PRESENT;
			return found;
		}
		found.error = NO_TRAP;
		found.gpa = (pde & 0xfffffffff000ull & -(u64)guest_large_size()) +
			    (address & (guest_large_size() - 1));
		return found;
	}
	if (!entry_at(pde & 0xfffffffff000ull, guest_pte_index(address), &pte)) {
		/* A table that is nobody's memory: the Host says of it what it likes to. */
		found.decided = false;
		return found;
	}
	if (!(pte & PTE_P))
		return found;
	if (undecided(pte, false)) {
		found.decided = false;
		return found;
	}
	if (reserved(pte, false)) {
		found.error |= PF_PRESENT | PF_RSVD;
		return found;
	}
	if (user && !(pde & pte & PTE_U)) {
		found.error |= PF_PRESENT;
		return found;
	}
	found.error = NO_TRAP;
	found.gpa = (pte & 0xfffffffff000ull) + (address & (PAGE_SIZE - 1));
	return found;
}

/* ---- Reads ---- */
static u32 seen;

static void kernel_read(u32 address)
{
	seen = *(volatile u32 *)address;
}

extern char user_read[];
asm(".text\n"
    "user_read: movl (%eax), %eax; int $0x80\n");

static u32 read_as(u32 address, bool user, struct trap *trap)
{
	u32 vector;

	if (!user)
		return guest_try(kernel_read, address, trap);
	vector = guest_try_user((u32)user_read, 0, FLAGS_IF, address, trap);
	seen = trap->ax;
	return vector == 0x80 ? NO_TRAP : vector;
}

static void one_read(void)
{
	u32 address = (ADDRESS + random32() % guest_large_size()) & ~3u, vector, should;
	bool user = random32() & 1;
	struct found found = walk(address, user);
	struct trap trap;

	vector = read_as(address, user, &trap);
	if (vector != NO_TRAP)
		GUEST_ASSERT_EQ(VEC_PF, vector);
	if (!found.decided)
		return;
	if (found.error != NO_TRAP) {
		mailbox->out[WILD_FAULTED]++;
		if (vector != VEC_PF || trap.error != found.error || trap.cr2 != address)
			GUEST_FAIL("table %u, 0x%x, user %u: vector %u, error 0x%x for 0x%x",
				   mailbox->out[WILD_DONE], address, user, vector, trap.error,
				   found.error);
		return;
	}
	if (vector != NO_TRAP)
		GUEST_FAIL("table %u, 0x%x, user %u: vector %u, error 0x%x, but it leads to 0x%x",
			   mailbox->out[WILD_DONE], address, user, vector, trap.error,
			   (u32)found.gpa);
	if (found.gpa >= memory_end) {
		mailbox->out[WILD_OUTSIDE]++;
		should = NOBODYS;
	} else {
		mailbox->out[WILD_ALLOWED]++;
		should = *(volatile u32 *)va((u32)found.gpa);
		/* What changes between the two reads: stacks, this counter, accessed bits. */
		if ((u32)found.gpa < mailbox->free_start || ((u32)found.gpa & -PAGE_SIZE) == table)
			return;
	}
	if (seen != should)
		GUEST_FAIL("table %u, 0x%x: read 0x%x for 0x%x at 0x%x", mailbox->out[WILD_DONE],
			   address, seen, should, (u32)found.gpa);
}

void guest_main(void)
{
	u32 tables = mailbox->in[WILD_TABLES], entries, gpa, i, n;

	random_state = mailbox->in[WILD_SEED];
	code_copy = guest_alloc(1, PAGE_SIZE);
	memcpy(va(code_copy), (void *)((u32)&random_entry & -PAGE_SIZE), PAGE_SIZE);
	table = guest_alloc(1, PAGE_SIZE);
	/* The boot page tables end where memory does. */
	memory_end = mailbox->in[WILD_SEED + 1];
	/* Memory that nobody uses says where it is. */
	for (gpa = table + PAGE_SIZE; gpa < mailbox->free_end; gpa += 4)
		*(u32 *)va(gpa) = gpa;
	if (mailbox->in[WILD_FORMAT])
		guest_enter_pae(mailbox->in[WILD_FORMAT] == 2);
	else
		write_cr4(read_cr4() | CR4_PSE);
	entries = guest_has_pae ? 512 : 1024;

	for (n = 0; n < tables; n++) {
		mailbox->out[WILD_DONE] = n;
		for (i = n ? random32() % entries & ~7u : 0; i < entries; i++) {
			guest_write_entry(table, i, random_entry(false));
			/* Not all of it anew each time. */
			if (n && random32() % 16 == 0)
				break;
		}
		guest_write_pde(ADDRESS, random_entry(true));
		if (random32() & 1)
			guest_flush_all();
		else
			write_cr3(read_cr3());
		for (i = 0; i < READS; i++)
			one_read();
	}
	guest_write_pde(ADDRESS, 0);
	guest_flush_all();
	mailbox->out[WILD_DONE] = tables;
}
