// SPDX-License-Identifier: GPL-2.0
/*
 * What a host does with pages on its own while a Guest uses them: swaps them out, moves them to
 * another node or frame, merges equal ones, makes huge ones and splits them. The Guest writes and
 * reads its pages all the time and sees no damage (M3, M4).
 *
 * lguest-host: smp=2 args=iomem=relaxed,numa=fake=2,secretmem.enable=1 timeout=300
 */
#include <sys/syscall.h>

#include "harness.h"
#include "helper.h"
#include "host_memory.h"
#include "launcher.h"
#include "guests/work.h"

#define PAGE		4096ul
#define PAGES		512
#define HUGE		(2ul << 20)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

static int rounds(void)
{
	return test_rounds(3, 50);
}

/* The pages that the Guest works with, here. */
static uint8_t *work_pages(struct vm *vm)
{
	while (!*(volatile uint32_t *)&vm->mailbox->out[WORK_FIRST])
		usleep(100);
	return vm->memory.base + vm->mailbox->out[WORK_FIRST];
}

static void finish(struct vm *vm)
{
	wait_for_turns(vm, 2);
	vm->mailbox->in[WORK_STOP] = 1;
}

FIXTURE(moving) {
	struct vm vm;
	struct helper helper;
};

FIXTURE_VARIANT(moving) {
	enum lguest_memory_kind kind;
};

FIXTURE_VARIANT_ADD(moving, anonymous) { .kind = LGUEST_MEMORY_ANONYMOUS };
FIXTURE_VARIANT_ADD(moving, file) { .kind = LGUEST_MEMORY_FILE };

FIXTURE_SETUP(moving)
{
	vm_start(&self->vm, "work", &(struct vm_options){ .kind = variant->kind });
	self->vm.mailbox->in[WORK_MODE] = WORK_MEMORY;
	self->vm.mailbox->in[WORK_PAGES] = PAGES;
}

FIXTURE_TEARDOWN(moving)
{
	vm_stop(&self->vm);
}

/* ---- Swap ---- */
static void page_out_once(uint8_t *pages)
{
	if (madvise(pages, PAGES * PAGE, MADV_PAGEOUT))
		FAIL("MADV_PAGEOUT: %s", strerror(errno));
}

/*
 * A page that was used since this was last asked stays once more, and the Guest uses all of them
 * all the time: so once, for certain, while it spins beside them; then under its hands, where this
 * may come too late each time.
 */
static void page_out(struct vm *vm)
{
	volatile uint32_t *paused = &vm->mailbox->out[WORK_PAUSED];
	uint8_t *pages = work_pages(vm);
	long out = vmstat("pswpout");
	int i;

	wait_for_turns(vm, 0);
	vm->mailbox->in[WORK_PAUSE] = 1;
	while (!*paused)
		usleep(100);
	while (vmstat("pswpout") == out)
		page_out_once(pages);
	vm->mailbox->in[WORK_PAUSE] = 0;
	for (i = 0; i < rounds(); i++) {
		page_out_once(pages);
		wait_for_turns(vm, i % 3);
	}
	finish(vm);
}

TEST_F(moving, swapped_out_under_a_running_guest)
{
	long out, in;

	if (!make_swap())
		SKIP(return, "this host has no zram to swap to");
	out = vmstat("pswpout");
	in = vmstat("pswpin");
	start_helper(&self->helper, &self->vm, page_out);
	vm_pass(&self->vm);
	pthread_join(self->helper.thread, NULL);
	/* It really was out, and came back. */
	EXPECT_LT(out, vmstat("pswpout"));
	EXPECT_LT(in, vmstat("pswpin"));
	EXPECT_TRUE(end_swap());
}

/* ---- Migration ---- */
static void move_between_nodes(struct vm *vm)
{
	static void *address[PAGES];
	static int node[PAGES], status[PAGES];
	uint8_t *pages = work_pages(vm);
	int i, round;

	for (round = 0; round < rounds(); round++) {
		for (i = 0; i < PAGES; i++) {
			address[i] = pages + i * PAGE;
			node[i] = (round + i / 16) & 1;
		}
		if (syscall(SYS_move_pages, 0, PAGES, address, node, status, 2) < 0)
			FAIL("move_pages: %s", strerror(errno));
		wait_for_turns(vm, round % 3);
	}
	finish(vm);
}

TEST_F(moving, migrated_under_a_running_guest)
{
	long moved = vmstat("pgmigrate_success");

	if (access("/sys/devices/system/node/node1", F_OK))
		SKIP(return, "this host has one node only (numa=fake=2)");
	start_helper(&self->helper, &self->vm, move_between_nodes);
	vm_pass(&self->vm);
	pthread_join(self->helper.thread, NULL);
	EXPECT_LT(moved + PAGES, vmstat("pgmigrate_success"));
}

static void take_frames_offline(struct vm *vm)
{
	uint8_t *pages = work_pages(vm);
	int i;

	for (i = 0; i < 8; i++) {
		/*
		 * Refused while somebody holds the page, as the Host does for a moment when it maps
		 * it.
		 */
		while (madvise(pages + i * PAGE, PAGE, MADV_SOFT_OFFLINE)) {
			if (errno != EBUSY && errno != EIO)
				FAIL("MADV_SOFT_OFFLINE: %s", strerror(errno));
			usleep(1000);
		}
	}
	finish(vm);
}

TEST_F(moving, frames_taken_offline_under_a_running_guest)
{
	start_helper(&self->helper, &self->vm, take_frames_offline);
	vm_pass(&self->vm);
	pthread_join(self->helper.thread, NULL);
}

static void compact(struct vm *vm)
{
	int i;

	work_pages(vm);
	for (i = 0; i < rounds() / 2; i++) {
		if (!write_file("/proc/sys/vm/compact_memory", "1"))
			FAIL("compact_memory: %s", strerror(errno));
		wait_for_turns(vm, 1);
	}
	finish(vm);
}

TEST_F(moving, compacted_under_a_running_guest)
{
	start_helper(&self->helper, &self->vm, compact);
	vm_pass(&self->vm);
	pthread_join(self->helper.thread, NULL);
}

/* ---- Merging ---- */
static uint32_t pages_to_merge(void)
{
	return test_rounds(0, 1) ? PAGES : PAGES / 4;
}

static void merge_and_part(struct vm *vm)
{
	int times = test_rounds(1, 3), i;
	uint8_t *pages = work_pages(vm);

	if (madvise(pages, pages_to_merge() * PAGE, MADV_MERGEABLE))
		FAIL("MADV_MERGEABLE: %s", strerror(errno));
	/* Until some pages are one; then the Guest changes them all, which parts them. */
	for (i = 1; i <= times; i++) {
		while (read_number("/sys/kernel/mm/ksm/pages_sharing", NULL) < pages_to_merge() / 8)
			usleep(5000);
		vm->mailbox->in[WORK_SALT] = i * 1000;
		wait_for_turns(vm, 2);
	}
	finish(vm);
}

TEST(merged_under_a_running_guest)
{
	struct helper helper;
	struct vm vm;

	/*
	 * Not as fast as it can: locks are not fair in emulated hosts, and ksmd takes that of the
	 * page table for each page; a vCPU that wants it too starved for 21 s once.
	 */
	if (!write_file("/sys/kernel/mm/ksm/pages_to_scan", "500") ||
	    !write_file("/sys/kernel/mm/ksm/sleep_millisecs", "5") ||
	    !write_file("/sys/kernel/mm/ksm/run", "1"))
		SKIP(return, "this host has no KSM");
	vm_start(&vm, "work", NULL);
	vm.mailbox->in[WORK_MODE] = WORK_SAME;
	vm.mailbox->in[WORK_PAGES] = pages_to_merge();
	start_helper(&helper, &vm, merge_and_part);
	vm_pass(&vm);
	pthread_join(helper.thread, NULL);
	vm_stop(&vm);
	EXPECT_TRUE(write_file("/sys/kernel/mm/ksm/run", "2"));
	EXPECT_TRUE(write_file("/sys/kernel/mm/ksm/run", "0"));
}

/* ---- Huge pages ---- */
static void collapse_and_split(struct vm *vm)
{
	uint8_t *first = work_pages(vm);
	uint8_t *huge = (uint8_t *)(((uintptr_t)first + HUGE - 1) & -HUGE);
	int i, err;

	for (i = 0; i < rounds(); i++) {
		/*
		 * Refused while a page is in somebody's hands; khugepaged does not insist either.
		 */
		err = madvise(huge, HUGE, MADV_COLLAPSE) ? errno : 0;
		if (err && err != EAGAIN && err != EBUSY && err != EINVAL && err != ENOMEM)
			FAIL("MADV_COLLAPSE: %s", strerror(err));
		wait_for_turns(vm, 1);
		/* A part of it without access, and with it again: two rights, so two mappings. */
		if (mprotect(huge + 16 * PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) ||
		    mprotect(huge + 16 * PAGE, PAGE, PROT_READ | PROT_WRITE))
			FAIL("mprotect: %s", strerror(errno));
		wait_for_turns(vm, 1);
	}
	finish(vm);
}

TEST_F(moving, huge_pages_made_and_split_under_a_running_guest)
{
	if (madvise(self->vm.memory.base, self->vm.memory.size, MADV_HUGEPAGE))
		SKIP(return, "this host has no transparent huge pages");
	/* Enough that a whole huge page lies in them. */
	self->vm.mailbox->in[WORK_PAGES] = 3 * HUGE / PAGE / 2;
	start_helper(&self->helper, &self->vm, collapse_and_split);
	vm_pass(&self->vm);
	pthread_join(self->helper.thread, NULL);
}

TEST_HARNESS_MAIN
