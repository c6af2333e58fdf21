// SPDX-License-Identifier: GPL-2.0
/*
 * Two Guests and their launchers take turns on one CPU, and all four have something else at the
 * same linear addresses, the Guests in global pages: nobody sees what the CPU kept of another
 * (S7). And the Host's own look at what CR3 leads to finds nothing that it should not: no global
 * entry, no PCID of Linux's, no page but the Guest's and the switcher's (S4).
 *
 * An emulator without PCIDs that flushes all with CR3 shows only the second half.
 *
 * lguest-host: smp=1
 * lguest-host: smp=1 cpu=max,+la57,erms=off args=pti=on
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "cpus.h"
#include "launcher.h"
#include "guests/neighbours.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 0		/* scripts/check watches the whole program */

#define CHECK	"/sys/kernel/debug/lguest/shadow_check"
#define SIZE	(NEIGHBOURS_PAGES * LGUEST_PAGE_SIZE)

/* The launcher's own pages at that address hold this and the turn's number. */
static void own_pages(uint32_t salt, uint32_t turn)
{
	volatile uint32_t *word = (void *)(uintptr_t)NEIGHBOURS_ADDRESS;

	for (uint32_t page = 0; page < NEIGHBOURS_PAGES; page++, word += LGUEST_PAGE_SIZE / 4) {
		if (*word != (turn ? salt + page + turn - 1 : 0))
			FAIL("turn %u: the launcher's page %u holds 0x%x", turn, page, *word);
		*word = salt + page + turn;
	}
}

static void no_rule_broken(void)
{
	unsigned long pages, switcher = 0, guests = 0, leaves;
	FILE *file = fopen(CHECK, "r");
	char line[256];

	if (!file)
		FAIL(CHECK ": %s", strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (strstr(line, " wrong: "))
			FAIL("%s", line);
		if (sscanf(line, "memory %*u pages; shadow pages %*u used, %*u made, %*u at most; "
			   "leaves %lu,", &leaves) == 1 && leaves >= NEIGHBOURS_PAGES)
			guests++;
		if (sscanf(line, " switcher pages %lu in each view", &pages) == 1 && pages > 1)
			switcher++;
	}
	fclose(file);
	if (guests != 2 || switcher != 2)
		FAIL("the Host looked at %lu Guests, %lu of which had a switcher", guests, switcher);
}

/* A launcher: at each byte from its socket, its Guest and itself have a turn. */
static void neighbour(int fd, uint32_t salt, uint32_t pae)
{
	struct vm vm;
	char byte;

	vm_start(&vm, "neighbours", NULL);
	if (mmap((void *)(uintptr_t)NEIGHBOURS_ADDRESS, SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
		FAIL("no page at that address: %s", strerror(errno));
	vm.mailbox->in[NEIGHBOURS_SALT] = salt;
	vm.mailbox->in[NEIGHBOURS_PAE] = pae;
	for (uint32_t turn = 0; read(fd, &byte, 1) == 1; turn++) {
		own_pages(~salt, turn);
		vm_sync(&vm, 0);
		if (write(fd, &byte, 1) != 1)
			break;
	}
	vm.mailbox->in[NEIGHBOURS_STOP] = 1;
	vm_pass(&vm);
	vm_stop(&vm);
	exit(0);
}

FIXTURE(neighbours) {
};

FIXTURE_VARIANT(neighbours) {
	uint32_t pae[2];
};

FIXTURE_VARIANT_ADD(neighbours, of_2_levels) { { 0, 0 } };
FIXTURE_VARIANT_ADD(neighbours, of_pae) { { 1, 1 } };
FIXTURE_VARIANT_ADD(neighbours, of_both) { { 0, 1 } };

FIXTURE_SETUP(neighbours)
{
}

FIXTURE_TEARDOWN(neighbours)
{
}

TEST_F(neighbours, see_nothing_of_each_other)
{
	int fd[2][2], status, turns = test_rounds(200, 5000);
	pid_t pid[2];
	char byte = 0;

	run_on(0);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd[i]));
		pid[i] = fork();
		ASSERT_LE(0, pid[i]);
		if (!pid[i]) {
			for (int j = 0; j <= i; j++)
				close(fd[j][0]);
			neighbour(fd[i][1], (i + 1) * 0x1234567, variant->pae[i]);
		}
		close(fd[i][1]);
	}
	for (int turn = 0; turn < turns; turn++) {
		for (int i = 0; i < 2; i++) {
			ASSERT_EQ(1, write(fd[i][0], &byte, 1));
			ASSERT_EQ(1, read(fd[i][0], &byte, 1));
		}
		if (turn % 100 == 0)
			no_rule_broken();
	}
	for (int i = 0; i < 2; i++) {
		close(fd[i][0]);
		ASSERT_EQ(pid[i], waitpid(pid[i], &status, 0));
		EXPECT_EQ(0, status);
	}
}

TEST_HARNESS_MAIN
