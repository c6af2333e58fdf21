// SPDX-License-Identifier: GPL-2.0
/*
 * Guests that want more shadow pages than they get, whose pages the host takes back while they run,
 * that map one frame hundreds of thousands of times, or in every table the same: they see their
 * memory as it is, the Host keeps its rules M1, M2 and M5 (debugfs has a file that looks), and
 * their launcher's cgroup pays.
 *
 * lguest-host: smp=1 mem=1024 timeout=600
 * lguest-host: smp=2 mem=1024 timeout=600
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness.h"
#include "helper.h"
#include "host_memory.h"
#include "launcher.h"
#include "rival.h"
#include "guests/tables.h"
#include "guests/work.h"

#define MIB		(1ull << 20)
#define PAGE		4096ul
#define CHECK		"/sys/kernel/debug/lguest/shadow_check"
#define LIMIT		"/sys/module/lguest/parameters/shadow_pages_max"

static int rounds(void)
{
	return test_rounds(4, 20);
}

/* Of what is the same each time, or takes the Guest long. */
static int few_rounds(void)
{
	return test_rounds(2, 4);
}

static void set_file(const char *name, const char *text)
{
	if (!write_file(name, text))
		FAIL("%s: %s", name, strerror(errno));
}

/* What the Host says of the only Guest, by its words; none of its rules may be broken. */
struct shadow {
	unsigned long used, made, most, leaves, large, links, frames, recycled;
};

static struct shadow check_shadow(void)
{
	FILE *file = fopen(CHECK, "r");
	struct shadow shadow = { 0 };
	char line[256], *at;
	int guests = 0;

	if (!file)
		FAIL(CHECK ": %s", strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (strstr(line, " wrong: "))
			FAIL("%s", line);
		if (sscanf(line, "memory %*u pages; shadow pages %lu used, %lu made, %lu at most; "
			   "leaves %lu, large %lu, links %lu, frames %lu",
			   &shadow.used, &shadow.made, &shadow.most, &shadow.leaves, &shadow.large,
			   &shadow.links, &shadow.frames) == 7)
			guests++;
		at = strstr(line, "recycled ");
		if (at)
			shadow.recycled = strtoul(at + 9, NULL, 10);
	}
	fclose(file);
	if (guests != 1)
		FAIL("the Host knows %d Guests", guests);
	return shadow;
}

FIXTURE(limits) {
	struct vm vm;
	struct helper helper;
	char limit[16];
};

FIXTURE_VARIANT(limits) {
	const char *limit;
};

FIXTURE_VARIANT_ADD(limits, tight) { .limit = "24" };
FIXTURE_VARIANT_ADD(limits, as_usual) { .limit = "65536" };

FIXTURE_SETUP(limits)
{
	FILE *file = fopen(LIMIT, "r");

	ASSERT_NE(NULL, file);
	ASSERT_EQ(1, fscanf(file, "%15s", self->limit));
	fclose(file);
	set_file(LIMIT, variant->limit);
	vm_start(&self->vm, "tables", &(struct vm_options){ .memory = 64 * MIB });
	self->vm.mailbox->in[TABLES_SEED] = test_seed(sysconf(_SC_NPROCESSORS_ONLN));
}

FIXTURE_TEARDOWN(limits)
{
	vm_stop(&self->vm);
	set_file(LIMIT, self->limit);
}

/* Less than a Guest can be with is not what it gets. */
TEST(the_least)
{
	static const char *const few[] = { "0", "1", "5" };
	char kept[16];
	FILE *file = fopen(LIMIT, "r");

	ASSERT_NE(NULL, file);
	ASSERT_EQ(1, fscanf(file, "%15s", kept));
	fclose(file);
	for (int i = 0; i < ARRAY_SIZE(few); i++) {
		struct vm vm;

		set_file(LIMIT, few[i]);
		vm_start(&vm, "remap", NULL);
		vm_pass(&vm);
		EXPECT_LE(check_shadow().most, 16);
		vm_stop(&vm);
	}
	set_file(LIMIT, kept);
}

static void look(struct vm *vm)
{
	for (int i = 0; i < rounds(); i++) {
		wait_for_turns(vm, 1);
		check_shadow();
	}
}

static void finish(struct vm *vm)
{
	wait_for_turns(vm, 1);
	vm->mailbox->in[WORK_STOP] = 1;
}

/* More directories than have room: the oldest pages make place for new ones. */
static void watch_crowd(struct vm *vm)
{
	struct shadow s;

	look(vm);
	s = check_shadow();
	if (s.made > s.most)
		FAIL("%lu shadow pages, at most %lu", s.made, s.most);
	if (s.most == 24 && s.recycled < 100)
		FAIL("%lu recycled: this was no test", s.recycled);
	finish(vm);
}

TEST_F(limits, many_directories)
{
	self->vm.mailbox->in[TABLES_MODE] = TABLES_CROWD;
	self->vm.mailbox->in[TABLES_COUNT] = 100;
	start_helper(&self->helper, &self->vm, watch_crowd);
	vm_pass(&self->vm);
	pthread_join(self->helper.thread, NULL);
}

/*
 * The host's memory is short, again and again: all shadow pages go, and come back as they are
 * needed.
 */
static void shrink(struct vm *vm)
{
	unsigned long least = ~0ul;
	struct shadow s;

	wait_for_turns(vm, 1);
	for (int i = 0; i < rounds(); i++) {
		set_file("/proc/sys/vm/drop_caches", "2");
		s = check_shadow();
		least = s.used < least ? s.used : least;
		wait_for_turns(vm, i & 1);
	}
	s = check_shadow();
	/*
	 * The Guest goes on using some; a hundred directories with four pages each come from
	 * before.
	 */
	if (s.most > 24 && least > 200)
		FAIL("never less than %lu shadow pages", least);
	finish(vm);
}

TEST_F(limits, the_shrinker_takes_all)
{
	self->vm.mailbox->in[TABLES_MODE] = TABLES_CROWD;
	self->vm.mailbox->in[TABLES_COUNT] = 100;
	start_helper(&self->helper, &self->vm, shrink);
	vm_pass(&self->vm);
	pthread_join(self->helper.thread, NULL);
}

/* ---- One frame, mapped as often as there is room for, or in a slice a tenth of that ---- */
static uint32_t many_tables(const char *limit)
{
	return strlen(limit) < 3 ? 20 : test_rounds(0, 1) ? 300 : 30;
}

/* Entries that lead to it, at least. */
static unsigned long many_leaves(void)
{
	return test_rounds(0, 1) ? 100000 : 24000;
}

/*
 * Sleeps until so many do. The Host moves a frame when it likes, too (khugepaged does, where a page
 * was taken out of a huge one): then all entries go, and it takes a turn until they are back.
 */
static void wait_for_leaves(struct vm *vm)
{
	struct shadow s;

	for (int i = 0; i < 50; i++) {
		wait_for_turns(vm, 1);
		s = check_shadow();
		if (s.most == 24 || s.leaves >= many_leaves())
			return;
	}
	FAIL("%lu leaves: this was no test", s.leaves);
}

/*
 * Does something to the frame, when as many entries as there can be lead to it, and while somebody
 * else wants the CPU. (patience.c is about how long he waits.)
 */
static void while_mapped_everywhere(struct vm *vm, int times, int (*what)(void *frame))
{
	void *frame = vm->memory.base + vm->mailbox->out[TABLES_FRAME];
	int cpu = sysconf(_SC_NPROCESSORS_ONLN) - 1;
	struct rival rival;

	run_on(cpu);
	start_rival(&rival, cpu, 1000000);
	for (int i = 0; i < times; i++) {
		wait_for_leaves(vm);
		if (what(frame))
			FAIL("%s", strerror(errno));
		check_shadow();
	}
	stop_rival(&rival);
}

static int take_away(void *frame)
{
	return madvise(frame, PAGE, MADV_DONTNEED);
}

static void take_the_frame(struct vm *vm)
{
	wait_for_turns(vm, 0);
	while_mapped_everywhere(vm, few_rounds(), take_away);
	finish(vm);
}

TEST_F(limits, one_frame_everywhere)
{
	self->vm.mailbox->in[TABLES_MODE] = TABLES_MILLION;
	self->vm.mailbox->in[TABLES_COUNT] = many_tables(variant->limit);
	start_helper(&self->helper, &self->vm, take_the_frame);
	vm_pass(&self->vm);
	pthread_join(self->helper.thread, NULL);
}

/* It stays if it was used since this was last asked; or if somebody holds it just now. */
static int swap_out(void *frame)
{
	return madvise(frame, PAGE, MADV_PAGEOUT) ?: madvise(frame, PAGE, MADV_PAGEOUT);
}

/*
 * The host is short of memory: of each page of this test it asks whether it was used, of the frame,
 * too, with its own spinlocks held. Not all is taken: that is no error.
 */
static int reclaim(void *frame)
{
	int times = test_rounds(3, 8);

	for (int i = 0; i < times; i++)
		write_file("/sys/fs/cgroup/test/memory.reclaim", "4M");
	return 0;
}

static void swap_the_frame(struct vm *vm)
{
	long out = vmstat("pswpout");

	wait_for_turns(vm, 0);
	while_mapped_everywhere(vm, test_rounds(1, 4), reclaim);
	/* Once at least, while the stamp has not been written to swap: until then it is dirty. */
	do
		while_mapped_everywhere(vm, test_rounds(1, 4), swap_out);
	while (vmstat("pswpout") == out);
	finish(vm);
}

TEST_F(limits, one_frame_everywhere_swapped_out)
{
	if (!make_swap())
		SKIP(return, "this host has no zram to swap to");
	ASSERT_TRUE(write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, access("/sys/fs/cgroup/test/memory.reclaim", W_OK));
	self->vm.mailbox->in[TABLES_MODE] = TABLES_MILLION;
	self->vm.mailbox->in[TABLES_COUNT] = many_tables(variant->limit);
	start_helper(&self->helper, &self->vm, swap_the_frame);
	vm_pass(&self->vm);
	pthread_join(self->helper.thread, NULL);
	EXPECT_TRUE(end_swap());
}

/* ---- Who pays ---- */
#define CGROUP		"/sys/fs/cgroup/launcher"

/* Bytes that the launcher's cgroup is charged with, of one kind. */
static long charged(const char *kind)
{
	return read_number(CGROUP "/memory.stat", kind);
}

/* The Guest's memory, and the Host's for it: both are the launcher's to pay, while it is there. */
TEST_F(limits, charged_to_the_launchers_cgroup)
{
	long kernel, anon, with_guest;
	struct shadow s;
	pid_t child;
	int status;

	if (!write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory"))
		SKIP(return, "this host has no memory controller");
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	/* This one was made by somebody else, and there is to be one only. */
	vm_stop(&self->vm);
	self->vm.fd = -1;
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		struct vm vm;

		if (!write_file(CGROUP "/cgroup.procs", "0"))
			FAIL("cgroup.procs: %s", strerror(errno));
		kernel = charged("kernel");
		anon = charged("anon");
		vm_start(&vm, "tables", &(struct vm_options){ .memory = 64 * MIB });
		vm.mailbox->in[TABLES_MODE] = TABLES_CROWD;
		vm.mailbox->in[TABLES_COUNT] = 100;
		start_helper(&self->helper, &vm, finish);
		vm_pass(&vm);
		pthread_join(self->helper.thread, NULL);
		s = check_shadow();
		with_guest = charged("kernel");
		if (with_guest - kernel < (long)(s.made * PAGE))
			FAIL("%ld bytes of the kernel's for %lu shadow pages", with_guest - kernel,
			     s.made);
		/* A page table and 12 pages for each directory, at least. */
		if (charged("anon") - anon < (long)(100 * 12 * PAGE))
			FAIL("%ld bytes for the Guest's memory", charged("anon") - anon);
		vm_stop(&vm);
		if (charged("kernel") - kernel > (with_guest - kernel) / 4)
			FAIL("%ld bytes are left of %ld", charged("kernel") - kernel,
			     with_guest - kernel);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, rmdir(CGROUP));
}

/* ---- One table everywhere ---- */
static void shrink_and_look(struct vm *vm)
{
	for (int i = 0; i < few_rounds(); i++) {
		wait_for_turns(vm, 0);
		check_shadow();
		set_file("/proc/sys/vm/drop_caches", "2");
		check_shadow();
	}
	finish(vm);
}

TEST_F(limits, one_table_everywhere)
{
	self->vm.mailbox->in[TABLES_MODE] = TABLES_PARENTS;
	self->vm.mailbox->in[TABLES_COUNT] = test_rounds(0, 1) ? 20 : 8;
	start_helper(&self->helper, &self->vm, shrink_and_look);
	vm_pass(&self->vm);
	pthread_join(self->helper.thread, NULL);
}

/* Huge pages of the host behind large pages of the Guest: made, split, and taken back. */
static void split(struct vm *vm)
{
	uint8_t *base = vm->memory.base;
	unsigned long most = 0;
	struct shadow s;

	for (int i = 0; i < few_rounds(); i++) {
		wait_for_turns(vm, 1);
		s = check_shadow();
		most = s.large > most ? s.large : most;
		/*
		 * A part of some without the right to execute, and with it again: two mappings,
		 * then one.
		 */
		for (uint64_t at = 16 * MIB; at < 48 * MIB; at += 6 * MIB) {
			if (mprotect(base + at + 5 * PAGE, PAGE,
				     PROT_READ | PROT_WRITE | PROT_EXEC) ||
			    mprotect(base + at + 5 * PAGE, PAGE, PROT_READ | PROT_WRITE))
				FAIL("mprotect: %s", strerror(errno));
		}
		check_shadow();
	}
	if (!most)
		FAIL("no large page ever: this was no test");
	finish(vm);
}

TEST_F(limits, large_pages)
{
	if (madvise(self->vm.memory.base, self->vm.memory.size, MADV_HUGEPAGE))
		SKIP(return, "this host has no transparent huge pages");
	self->vm.mailbox->in[TABLES_MODE] = TABLES_LARGE;
	start_helper(&self->helper, &self->vm, split);
	vm_pass(&self->vm);
	pthread_join(self->helper.thread, NULL);
}

TEST_HARNESS_MAIN
