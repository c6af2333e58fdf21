// SPDX-License-Identifier: GPL-2.0
/*
 * Every page fault that rights can give, and its error code: present x writable x user x NX in both
 * levels of the tables, with and without CR0.WP, for reads, writes and fetches of both privilege
 * levels; and what becomes of the accessed and dirty bits. Against the SDM, vol. 3, 4.6 to 4.8.
 */
#include "guest.h"
#include "../guests/page_faults.h"

/* Where the page is that is accessed; nothing else is mapped by its entry of the page directory. */
#define ADDRESS		0x40000000u
#define DATA_OFFSET	64

/* Rights, as this file counts them: bits 0-2 as in an entry, then NX. */
#define R_P		1u
#define R_W		2u
#define R_U		4u
#define R_NX		8u

enum access { READ, WRITE, FETCH, ACCESSES };
static const char *const access_name[] = { "read", "write", "fetch" };

static u32 page, table, user_code;
static bool large;

/* Each ends in a trap, if only that of vector 0x80 when it was allowed. */
static void kernel_read(u32 address)
{
	(void)*(volatile u32 *)(address + DATA_OFFSET);
}

static void kernel_write(u32 address)
{
	*(volatile u32 *)(address + DATA_OFFSET) = 1;
}

static void kernel_fetch(u32 address)
{
	((void (*)(void))address)();
}

static void (*const kernel_access[ACCESSES])(u32) = { kernel_read, kernel_write, kernel_fetch };

/* The same for user level, by the address in EAX; each at a place of its own in a page. */
#define USER_STUB	16
static const u8 user_stub[ACCESSES][USER_STUB] = {
	{ 0x8b, 0x48, DATA_OFFSET, 0xcd, 0x80 },	/* mov 64(%eax), %ecx; int $0x80 */
	{ 0x89, 0x48, DATA_OFFSET, 0xcd, 0x80 },	/* mov %ecx, 64(%eax); int $0x80 */
	{ 0xff, 0xe0 },					/* jmp *%eax */
};

/* Makes the access; the vector, NO_TRAP if it was allowed. */
static u32 try_access(enum access access, bool user, struct trap *trap)
{
	u32 vector;

	if (user)
		vector = guest_try_user(user_code + access * USER_STUB, 0, FLAGS_IF, ADDRESS, trap);
	else
		vector = guest_try(kernel_access[access], ADDRESS, trap);
	return vector == 0x80 ? NO_TRAP : vector;
}

/* An entry of these rights for what is at gpa. */
static u64 entry_of(u32 gpa, u32 rights, u32 more)
{
	return gpa | (rights & 7) | more | (rights & R_NX ? PTE_NX : 0);
}

static void set_entries(u32 upper, u32 leaf)
{
	static u32 flushes;

	if (large) {
		guest_write_pde(ADDRESS, entry_of(page, leaf, PTE_PS));
	} else {
		guest_write_entry(table, 0, entry_of(page, leaf, 0));
		guest_write_pde(ADDRESS, entry_of(table, upper, 0));
	}
	/* Every way to flush. */
	switch (flushes++ % 4) {
	case 0:
		invlpg(ADDRESS);
		break;
	case 1:
		guest_flush_all();
		break;
	case 2:
		write_cr3(read_cr3());
		break;
	case 3:
		hypercall(LHCALL_FLUSH_TLB, 0, 0, 0, 0);
		break;
	}
}

static u64 leaf_entry(void)
{
	return large ? guest_read_pde(ADDRESS) : guest_read_entry(table, 0);
}

/* The error code that the SDM asks for, or NO_TRAP. */
static u32 expected_error(u32 upper, u32 leaf, bool wp, enum access access, bool user)
{
	u32 both = large ? leaf : upper & leaf, either = large ? leaf : upper | leaf;
	u32 error = (access == WRITE ? PF_WRITE : 0) | (user ? PF_USER : 0) |
		    (access == FETCH && guest_has_nx ? PF_FETCH : 0);

	if (!(both & R_P))
		return error;
	error |= PF_PRESENT;
	if (user && !(both & R_U))
		return error;
	if (access == WRITE && !(both & R_W) && (user || wp))
		return error;
	if (access == FETCH && either & R_NX)
		return error;
	return NO_TRAP;
}

static void one(u32 upper, u32 leaf, bool wp, enum access access, bool user)
{
	u32 expected = expected_error(upper, leaf, wp, access, user), vector;
	struct trap trap;
	u64 entry;

	set_entries(upper, leaf);
	vector = try_access(access, user, &trap);
	entry = leaf_entry();
	mailbox->out[FAULTS_DONE]++;

	if (expected == NO_TRAP) {
		if (vector != NO_TRAP)
			GUEST_FAIL(
				"%s %s, upper 0x%x, leaf 0x%x, WP %d: vector %u, error 0x%x, ip 0x%x",
				user ? "user" : "kernel", access_name[access], upper, leaf, wp,
				vector, trap.error, trap.ip);
		if (!(entry & PTE_A) || (access == WRITE) != !!(entry & PTE_D))
			GUEST_FAIL("%s %s, upper 0x%x, leaf 0x%x, WP %d: the entry became 0x%x",
				   user ? "user" : "kernel", access_name[access], upper, leaf, wp,
				   (u32)entry);
		if (!large && !(guest_read_pde(ADDRESS) & PTE_A))
			GUEST_FAIL("the upper entry was not marked as accessed");
		return;
	}

	mailbox->out[FAULTS_FAULTED]++;
	if (vector != VEC_PF || trap.error != expected || trap.cr2 != (access == FETCH ? ADDRESS :
								       ADDRESS + DATA_OFFSET))
		GUEST_FAIL(
			"%s %s, upper 0x%x, leaf 0x%x, WP %d: vector %u, error 0x%x for 0x%x, cr2 0x%x",
			user ? "user" : "kernel", access_name[access], upper, leaf, wp, vector,
			trap.error, expected, trap.cr2);
	/* The one who looks after a fault finds the level that was left. */
	GUEST_ASSERT_EQ(user ? 3 : 1, trap.cs & 3);
	/* What was not allowed has not made the page dirty, nor changed it. */
	if (entry & PTE_D)
		GUEST_FAIL("a fault made the page dirty: 0x%x", (u32)entry);
	GUEST_ASSERT_EQ(0, *(u32 *)(va(page) + DATA_OFFSET));
}

/* A page that was read is not writable unseen: its first write marks it dirty. */
static void dirty_after_read(bool user)
{
	struct trap trap;
	u32 i;

	set_entries(R_P | R_W | R_U, R_P | R_W | R_U);
	for (i = 0; i < 3; i++) {
		GUEST_ASSERT_EQ(NO_TRAP, try_access(READ, user, &trap));
		GUEST_ASSERT(!(leaf_entry() & PTE_D));
	}
	GUEST_ASSERT_EQ(NO_TRAP, try_access(WRITE, user, &trap));
	GUEST_ASSERT(leaf_entry() & PTE_D);
}

/*
 * The kernel may write where CR0.WP is off; what was entered into the shadow for that is not there
 * for user level (M5), and not there any more when CR0.WP is on again.
 */
static void write_protection_comes_back(void)
{
	u32 cr0 = read_cr0();
	struct trap trap;

	write_cr0(cr0 & ~CR0_WP);
	set_entries(R_P | R_W | R_U, R_P | R_U);
	GUEST_ASSERT_EQ(NO_TRAP, try_access(WRITE, false, &trap));
	GUEST_ASSERT_EQ(VEC_PF, try_access(WRITE, true, &trap));
	GUEST_ASSERT_EQ(PF_PRESENT | PF_WRITE | PF_USER, trap.error);
	GUEST_ASSERT_EQ(NO_TRAP, try_access(WRITE, false, &trap));
	write_cr0(cr0 | CR0_WP);
	GUEST_ASSERT_EQ(VEC_PF, try_access(WRITE, false, &trap));
	GUEST_ASSERT_EQ(PF_PRESENT | PF_WRITE, trap.error);
	GUEST_ASSERT_EQ(VEC_PF, try_access(WRITE, true, &trap));
	GUEST_ASSERT_EQ(NO_TRAP, try_access(READ, true, &trap));
	write_cr0(cr0);
}

/* Bits that must be 0, one at a time: a fault that says so, whoever accesses and how. */
static void reserved_bits(void)
{
	u64 bit;
	struct trap trap;
	bool user;
	u32 i, access;

	if (!guest_has_pae && !large)
		return;				/* all 32 bits of such entries mean something */
	for (i = 0; i < 64; i++) {
		bit = 1ull << i;
		if (guest_has_pae) {
			/*
			 * PAE: what lies above any processor's physical addresses; NX if it is off.
			 */
			bool high = i >= 52 && (i < 63 || !guest_has_nx);
			/* 2 MiB pages: between the PAT bit and the frame. */
			bool low = large && i >= 13 && i <= 20;

			if (!high && !low)
				continue;
		} else if (i != 21) {
			continue;		/* 4 MiB pages: this one whatever PSE-36 says */
		}
		for (access = READ; access < ACCESSES; access++) {
			for (user = false;; user = true) {
				u32 error = PF_PRESENT | PF_RSVD |
					    (access == WRITE ? PF_WRITE : 0) |
					    (user ? PF_USER : 0) |
					    (access == FETCH && guest_has_nx ? PF_FETCH : 0);

				set_entries(R_P | R_W | R_U, R_P | R_W | R_U);
				if (large)
					guest_write_pde(ADDRESS, guest_read_pde(ADDRESS) | bit);
				else
					guest_write_entry(table, 0,
							  guest_read_entry(table, 0) | bit);
				GUEST_ASSERT_EQ(VEC_PF, try_access(access, user, &trap));
				if (trap.error != error)
					GUEST_FAIL("bit %u: error 0x%x for 0x%x", i, trap.error,
						   error);
				if (!large) {
					set_entries(R_P | R_W | R_U, R_P | R_W | R_U);
					guest_write_pde(ADDRESS, guest_read_pde(ADDRESS) | bit);
					GUEST_ASSERT_EQ(VEC_PF, try_access(access, user, &trap));
					GUEST_ASSERT_EQ(error, trap.error);
				}
				if (user)
					break;
			}
		}
	}
	set_entries(R_P | R_W | R_U, R_P | R_W | R_U);
}

void guest_main(void)
{
	u32 rights_end, upper, leaf, access, cr0;
	bool wp, user;

	large = mailbox->in[FAULTS_LARGE];
	page = guest_alloc(large ? 1024 : 1, large ? 4u << 20 : PAGE_SIZE);
	table = guest_alloc(1, PAGE_SIZE);
	user_code = guest_alloc(1, PAGE_SIZE);
	memcpy(va(user_code), user_stub, sizeof(user_stub));
	/* Whoever fetches from the page comes back by this: int $0x80. */
	memcpy(va(page), "\xcd\x80", 2);

	if (mailbox->in[FAULTS_FORMAT] != FORMAT_2LEVEL)
		guest_enter_pae(mailbox->in[FAULTS_FORMAT] == FORMAT_PAE_NX);
	else if (large)
		write_cr4(read_cr4() | CR4_PSE);
	rights_end = guest_has_nx ? 16 : 8;

	cr0 = read_cr0();
	for (wp = false;; wp = true) {
		write_cr0(wp ? cr0 | CR0_WP : cr0 & ~CR0_WP);
		for (upper = large ? rights_end - 1 : 0; upper < rights_end; upper++) {
			for (leaf = 0; leaf < rights_end; leaf++) {
				for (access = READ; access < ACCESSES; access++) {
					for (user = false;; user = true) {
						*(u32 *)(va(page) + DATA_OFFSET) = 0;
						one(upper, leaf, wp, access, user);
						if (user)
							break;
					}
				}
			}
		}
		if (wp)
			break;
	}
	write_cr0(cr0);
	dirty_after_read(false);
	dirty_after_read(true);
	write_protection_comes_back();
	reserved_bits();
}
