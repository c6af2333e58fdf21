// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz target: the page walk (drivers/lguest/walk.c) over page tables that are the input. It ends,
 * stays inside memory, changes nothing but accessed and dirty bits, gives an error code that is
 * one, and says the same when it is asked again.
 */
#include "input.h"
#include "walk.h"

#define PAGE	4096u
#define PAGES	16u
#define MEMORY	(PAGES * PAGE)

static uint8_t memory[MEMORY], before[MEMORY];

int lg_entry_read(struct lg_cpu *cpu, u64 gpa, unsigned int size, u64 *entry)
{
	FUZZ_CHECK(size == 4 || size == 8);
	FUZZ_CHECK(gpa % size == 0);
	if (gpa > MEMORY - size)
		return -EFAULT;
	if (gpa / PAGE == PAGES - 1)
		return -ENXIO;
	*entry = 0;
	memcpy(entry, memory + gpa, size);
	return 0;
}

int lg_entry_cmpxchg(struct lg_cpu *cpu, u64 gpa, unsigned int size, u64 old, u64 new)
{
	u64 now;
	int err = lg_entry_read(cpu, gpa, size, &now);

	if (err)
		return err;
	FUZZ_CHECK(!((old ^ new) & ~(LG_PTE_ACCESSED | LG_PTE_DIRTY)));
	FUZZ_CHECK((old & new) == old);
	if (now != old)
		return -EAGAIN;
	memcpy(memory + gpa, &new, size);
	return 0;
}

/* Tables that lead somewhere: frames inside memory, most of the time. */
static void fill(struct input *in, unsigned int size)
{
	unsigned int i, n = input8(in);
	u64 entry;
	u32 at;

	memset(memory, 0, sizeof(memory));
	for (i = 0; i < n && in->left; i++) {
		at = input32(in) % MEMORY / size * size;
		entry = input64(in);
		if (entry & 0x800)
			entry = (entry & 0xfff) | (entry >> 12) % PAGES * PAGE |
				(entry & LG_PTE_NX);
		memcpy(memory + at, &entry, size);
	}
	memcpy(before, memory, sizeof(memory));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct input in = { bytes, len };
	struct lg_paging paging = { 0 };
	struct lg_translation t, again;
	struct lg_fault fault = { 0 };
	unsigned int i;
	u32 access;
	u64 gva;
	int err;

	paging.format = input8(&in) % 4;
	paging.phys_bits = 32 + input8(&in) % 21;
	paging.cr0 = input8(&in) & 1 ? LG_CR0_WP | LG_CR0_PG : LG_CR0_PG;
	paging.cr4 = input8(&in) & 1 ? LG_CR4_PSE : 0;
	paging.efer = input8(&in) & 1 ? LG_EFER_NXE : 0;
	paging.cr3 = input16(&in) % MEMORY;
	for (i = 0; i < 4; i++)
		paging.pdpte[i] = (u64)(input16(&in) % (2 * PAGES)) * PAGE | (input8(&in) & 1);
	gva = paging.format == LG_FMT_4LEVEL ? input64(&in) : input32(&in);
	access = input8(&in) & (LG_PF_WRITE | LG_PF_USER | LG_PF_FETCH);
	fill(&in, paging.format == LG_FMT_2LEVEL ? 4 : 8);

	err = lg_walk(NULL, &paging, gva, access, &t, &fault);
	if (!err) {
		FUZZ_CHECK(!(access & LG_PF_USER) || t.user);
		FUZZ_CHECK(!(access & LG_PF_USER && access & LG_PF_WRITE) || t.writable);
		FUZZ_CHECK(t.gpa % PAGE == gva % PAGE);
		FUZZ_CHECK(t.leaf <= LG_LEAF_NONE);
		/* All is accessed now: a second walk finds the same, and has nothing to set. */
		memcpy(before, memory, sizeof(memory));
		FUZZ_CHECK(!lg_walk(NULL, &paging, gva, access, &again, &fault));
		FUZZ_CHECK(again.gpa == t.gpa && again.leaf == t.leaf && again.user == t.user &&
			   again.writable == t.writable && again.nx == t.nx);
		FUZZ_CHECK(!memcmp(before, memory, sizeof(memory)));
	} else {
		FUZZ_CHECK(err == -EFAULT || err == -ENXIO);
		FUZZ_CHECK(fault.vector == LG_PF_VECTOR && fault.has_error && fault.gva == gva);
		FUZZ_CHECK(!(fault.error & ~0x1fu));
		FUZZ_CHECK(!((fault.error ^ access) & (LG_PF_WRITE | LG_PF_USER)));
		FUZZ_CHECK(!(fault.error & LG_PF_RSVD) || fault.error & LG_PF_PRESENT);
		FUZZ_CHECK(!(fault.error & LG_PF_FETCH) || access & LG_PF_FETCH);
	}
	return 0;
}
