// SPDX-License-Identifier: GPL-2.0
/*
 * Hostile page tables: noise by the thousand, whose reads are what a walk of the Guest's own says;
 * and boot page directories from which nothing can run (M1, M4, M6, G1).
 *
 * lguest-host: mem=1024 timeout=600
 */
#include <signal.h>

#include "harness.h"
#include "launcher.h"
#include "guests/wild_tables.h"

#include <asm/lguest.h>

FIXTURE(wild) {
	struct vm vm;
};

FIXTURE_VARIANT(wild) {
	uint32_t format;
};

FIXTURE_VARIANT_ADD(wild, of_2_levels) { 0 };
FIXTURE_VARIANT_ADD(wild, of_pae) { 1 };
FIXTURE_VARIANT_ADD(wild, of_pae_with_nx) { 2 };

FIXTURE_SETUP(wild)
{
	vm_start(&self->vm, "wild_tables", NULL);
}

FIXTURE_TEARDOWN(wild)
{
	vm_stop(&self->vm);
}

TEST_F(wild, tables_show_what_they_say)
{
	uint32_t tables = test_rounds(1000, 4000), *in = self->vm.mailbox->in;
	const uint32_t *out = self->vm.mailbox->out;

	in[WILD_FORMAT] = variant->format;
	in[WILD_TABLES] = tables;
	in[WILD_SEED] = test_seed(variant->format);
	in[WILD_SEED + 1] = self->vm.memory.size;
	vm_pass(&self->vm);
	EXPECT_EQ(tables, out[WILD_DONE]);
	/* All three happened often. */
	EXPECT_LT(tables / 10, out[WILD_ALLOWED]);
	EXPECT_LT(tables / 100, out[WILD_OUTSIDE]);
	EXPECT_LT(tables / 10, out[WILD_FAULTED]);
	TH_LOG("%u reads allowed, %u outside memory, %u faults", out[WILD_ALLOWED],
	       out[WILD_OUTSIDE], out[WILD_FAULTED]);
}

/*
 * ---- Boot directories that are no good: the Guest ends with its first instruction, in order. ----
 */
#define LAST_TABLE_MAPS	(4u << 20)

static void boot_with(uint32_t fill_with, bool self_reference)
{
	struct vm vm;
	uint32_t *pgdir;
	int i, came;

	vm_load(&vm, "identity", NULL);
	pgdir = lguest_memory_at(&vm.memory, vm.pgdir, LGUEST_PAGE_SIZE);
	for (i = 0; i < 1024; i++)
		pgdir[i] = self_reference ? vm.pgdir | 7 : fill_with;
	/*
	 * The last table everywhere leads to memory that nobody uses: it would be run through, and
	 * megabytes of zeroes take an emulator long.
	 */
	memcpy(vm.memory.base + vm.memory.size - LAST_TABLE_MAPS + vm.entry, "\x0f\x0b", 2);
	if (lguest_initialize(vm.fd, vm.memory.base, vm.memory.size / LGUEST_PAGE_SIZE, vm.pgdir,
			      vm.entry))
		FAIL("INITIALIZE");
	came = vm_run(&vm);
	if (came != LGUEST_EXIT_DEATH || strlen(vm.exit.text) < 10)
		FAIL("entry 0x%x: %d, %s", fill_with, came, vm.exit.text);
	vm_stop(&vm);
}

TEST(boot_directory_from_which_nothing_runs)
{
	static const uint32_t entries[] = { 0,		6,	    7,		0xfffff007,
					    0x80000007, 0x01000007, 0xffffffff, 0x00fff003 };
	int i;

	for (i = 0; i < ARRAY_SIZE(entries); i++)
		boot_with(entries[i], false);
	boot_with(0, true);
}

/*
 * Noise for a boot directory: it dies, spins, or even runs; each of that is the Guest's own affair.
 */
TEST(boot_directory_of_noise)
{
	uint64_t random = test_seed(0);
	int i, j, came, number = test_rounds(100, 1000);
	struct vm vm;

	vm_small_pages();
	for (i = 0; i < number; i++) {
		uint32_t *table;

		vm_load(&vm, "identity", NULL);
		/* The directory, and the first table with it. */
		table = lguest_memory_at(&vm.memory, vm.pgdir, 2 * LGUEST_PAGE_SIZE);
		for (j = 0; j < 2048; j++)
			if (i & 1 || j == 0 || test_random(&random) & 1)
				table[j] = test_random(&random) %
					   (i & 2 ? vm.memory.size : 1ull << 32);
		if (i & 4)
			table[0] = (vm.pgdir + LGUEST_PAGE_SIZE) | 7;
		if (lguest_initialize(vm.fd, vm.memory.base, vm.memory.size / LGUEST_PAGE_SIZE,
				      vm.pgdir, vm.entry))
			FAIL("INITIALIZE");
		ualarm(50000, 50000);
		came = vm_run(&vm);
		ualarm(0, 0);
		if (came == LGUEST_EXIT_DEATH)
			EXPECT_LT(10, strlen(vm.exit.text));
		vm_stop(&vm);
	}
}

static void on_alarm(int number)
{
}

static void __attribute__((constructor)) alarms_end_reads(void)
{
	signal(SIGALRM, on_alarm);
}

TEST_HARNESS_MAIN
