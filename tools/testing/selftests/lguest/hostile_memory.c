// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of every kind behind a Guest: files that nobody may write, device memory, secret memory,
 * huge pages, pages that another thread supplies, files that get shorter, two Guests on the same
 * pages. What the launcher may not do to it, its Guest does not do either; what cannot be had ends
 * the Guest with a sentence; what is taken back is gone at once (M1, M3, G1).
 *
 * lguest-host: smp=2 args=iomem=relaxed,numa=fake=2,secretmem.enable=1
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "harness.h"
#include "helper.h"
#include "host_memory.h"
#include "launcher.h"
#include "guests/work.h"

#define PAGE		4096ul
#define HUGE		(2ul << 20)
/* Where the other kind of memory is: far from all that the Guest needs. */
#define TARGET		0x800000
#define GONE		"is gone or may not be used so"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

static volatile uint32_t *target_of(struct vm *vm)
{
	return (void *)(vm->memory.base + TARGET);
}

/* A Guest that is about to use TARGET; the memory there may be replaced before it starts. */
static void load(struct vm *vm, uint32_t mode, enum lguest_memory_kind kind)
{
	vm_load(vm, "work", &(struct vm_options){ .kind = kind });
	vm->mailbox->in[WORK_MODE] = mode;
	vm->mailbox->in[WORK_ADDRESS] = TARGET;
}

static void start(struct vm *vm)
{
	int err = lguest_initialize(vm->fd, vm->memory.base, vm->memory.size / LGUEST_PAGE_SIZE,
				    vm->pgdir, vm->entry);

	if (err)
		FAIL("INITIALIZE: %s", strerror(-err));
}

static void map_at_target(struct vm *vm, size_t size, int flags, int fd, off_t offset)
{
	void *at = vm->memory.base + TARGET;

	if (mmap(at, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, offset) != at)
		FAIL("mmap: %s", strerror(errno));
}

/* ---- A file that may be read only, mapped privately ---- */
#define FILE_WORD	0x600dc0deu

static int read_only_file(void)
{
	char name[] = "/tmp/hostile_memory.XXXXXX";
	uint32_t word[PAGE / 4];
	int fd = mkstemp(name), i, again;

	for (i = 0; i < ARRAY_SIZE(word); i++)
		word[i] = FILE_WORD;
	if (fd < 0 || write(fd, word, sizeof(word)) != sizeof(word))
		FAIL("%s: %s", name, strerror(errno));
	again = open(name, O_RDONLY | O_CLOEXEC);
	unlink(name);
	close(fd);
	return again;
}

static uint32_t file_word(int fd)
{
	uint32_t word = 0;

	if (pread(fd, &word, sizeof(word), 0) != sizeof(word))
		FAIL("read: %s", strerror(errno));
	return word;
}

static int the_file;

/* Each time that the private copy is dropped, the Guest has the file's page again, to read. */
static void drop_private_copies(struct vm *vm)
{
	int rounds = test_rounds(150, 5000), i;

	for (i = 0; i < rounds; i++) {
		if (madvise((void *)target_of(vm), PAGE, MADV_DONTNEED))
			FAIL("madvise");
		if (i % 10 == 0)
			wait_for_turns(vm, 2);
		if (file_word(the_file) != FILE_WORD)
			FAIL("the file has changed after %d rounds", i);
	}
	vm->mailbox->in[WORK_STOP] = 1;
}

/* It reads, so that the file's own page is mapped; then it writes. */
TEST(read_only_file_is_not_written)
{
	struct helper helper;
	struct vm vm;

	the_file = read_only_file();
	load(&vm, WORK_CHANGE, LGUEST_MEMORY_ANONYMOUS);
	map_at_target(&vm, PAGE, MAP_PRIVATE, the_file, 0);
	start(&vm);
	start_helper(&helper, &vm, drop_private_copies);
	vm_pass(&vm);
	pthread_join(helper.thread, NULL);
	EXPECT_EQ(FILE_WORD, file_word(the_file));
	close(the_file);
	vm_stop(&vm);
}

/* The same as page tables: accessed and dirty bits go to the launcher's copy. */
TEST(page_tables_in_a_read_only_file)
{
	unsigned long pages = 8, i;
	char name[] = "/tmp/hostile_memory.XXXXXX";
	int fd = mkstemp(name);
	uint8_t before[PAGE], after[PAGE];
	struct vm vm;

	vm_load(&vm, "work", NULL);
	vm.mailbox->in[WORK_STOP] = 1;
	/* Page directory and tables, as they are, become a file's. */
	ASSERT_EQ(pages * PAGE, write(fd, vm.memory.base + vm.pgdir, pages * PAGE) < 0 ? 0 :
				pages * PAGE);
	close(fd);
	fd = open(name, O_RDONLY);
	unlink(name);
	if (vm.pgdir + pages * PAGE > vm.memory.size)
		pages = (vm.memory.size - vm.pgdir) / PAGE;
	ASSERT_NE(MAP_FAILED, mmap(vm.memory.base + vm.pgdir, pages * PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_FIXED, fd, 0));
	ASSERT_EQ(PAGE, pread(fd, before, PAGE, 0));
	for (i = 0; i < PAGE; i += 4)
		EXPECT_EQ(0, *(uint32_t *)(before + i) & 0x20);
	start(&vm);
	vm_pass(&vm);
	ASSERT_EQ(PAGE, pread(fd, after, PAGE, 0));
	EXPECT_EQ(0, memcmp(before, after, PAGE));
	/* And they are set where the Guest has them. */
	EXPECT_NE(0, memcmp(before, vm.memory.base + vm.pgdir, PAGE));
	close(fd);
	vm_stop(&vm);
}

/* ---- What the Host can give nobody a page of ---- */
TEST(device_memory)
{
	/* No RAM, so that anybody's root may map it: where a PC has its VGA. */
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	struct vm vm;

	if (fd < 0)
		SKIP(return, "no /dev/mem");
	load(&vm, WORK_CHANGE, LGUEST_MEMORY_ANONYMOUS);
	map_at_target(&vm, PAGE, MAP_SHARED, fd, 0xa0000);
	start(&vm);
	vm_dies(&vm, GONE);
	vm_stop(&vm);

	/* As a page directory it may be read, but not run from. */
	vm_load(&vm, "identity", NULL);
	ASSERT_NE(MAP_FAILED, mmap(vm.memory.base + vm.pgdir, PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_FIXED, fd, 0xa0000));
	start(&vm);
	EXPECT_EQ(LGUEST_EXIT_DEATH, vm_run(&vm));
	close(fd);
	vm_stop(&vm);
}

TEST(secret_memory)
{
	int fd = syscall(SYS_memfd_secret, O_CLOEXEC);
	struct vm vm;

	if (fd < 0)
		SKIP(return, "no secret memory: secretmem.enable=1");
	ASSERT_EQ(0, ftruncate(fd, PAGE));
	load(&vm, WORK_CHANGE, LGUEST_MEMORY_ANONYMOUS);
	map_at_target(&vm, PAGE, MAP_SHARED, fd, 0);
	*target_of(&vm) = 1;
	start(&vm);
	/* No page of it may have an address anywhere else. */
	vm_dies(&vm, GONE);
	close(fd);
	vm_stop(&vm);
}

/* ---- Huge pages of the launcher's ---- */
static void drop_huge_page(struct vm *vm)
{
	int i;

	for (i = 0; i < 20; i++) {
		wait_for_turns(vm, 100);
		if (madvise((void *)target_of(vm), HUGE, MADV_DONTNEED))
			FAIL("madvise");
	}
	munmap((void *)target_of(vm), HUGE);
}

TEST(hugetlb_memory)
{
	struct helper helper;
	struct vm vm;

	write_file("/proc/sys/vm/nr_hugepages", "4");
	if (read_number("/proc/sys/vm/nr_hugepages", NULL) < 2)
		SKIP(return, "no huge pages");
	load(&vm, WORK_TOUCH, LGUEST_MEMORY_ANONYMOUS);
	map_at_target(&vm, HUGE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	start(&vm);
	start_helper(&helper, &vm, drop_huge_page);
	vm_dies(&vm, GONE);
	pthread_join(helper.thread, NULL);
	vm_stop(&vm);
	/* Every one has come back. */
	EXPECT_EQ(read_number("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", NULL),
		  read_number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", NULL));
	write_file("/proc/sys/vm/nr_hugepages", "0");
}

/* ---- Files that change ---- */
static void truncate_file(struct vm *vm)
{
	wait_for_turns(vm, 1000);
	if (ftruncate(vm->memory.fd, TARGET))
		FAIL("ftruncate");
}

TEST(file_that_gets_shorter)
{
	struct helper helper;
	struct vm vm;

	load(&vm, WORK_TOUCH, LGUEST_MEMORY_FILE);
	start(&vm);
	start_helper(&helper, &vm, truncate_file);
	vm_dies(&vm, GONE);
	pthread_join(helper.thread, NULL);
	vm_stop(&vm);
}

static void punch_holes(struct vm *vm)
{
	volatile uint32_t *seen = &vm->mailbox->out[WORK_VALUE];
	int i;

	for (i = 1; i < 100; i++) {
		*target_of(vm) = i;
		wait_for_turns(vm, 2);
		if (*seen != i)
			FAIL("the guest sees %u, not %u", *seen, i);
		if (i & 1 ? fallocate(vm->memory.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				      TARGET, PAGE) :
			    madvise((void *)target_of(vm), PAGE, MADV_REMOVE))
			FAIL("hole: %s", strerror(errno));
		wait_for_turns(vm, 2);
		if (*seen)
			FAIL("the guest sees %u in a hole", *seen);
	}
	vm->mailbox->in[WORK_STOP] = 1;
}

TEST(file_with_holes)
{
	struct helper helper;
	struct vm vm;

	load(&vm, WORK_READ, LGUEST_MEMORY_FILE);
	start(&vm);
	start_helper(&helper, &vm, punch_holes);
	vm_pass(&vm);
	pthread_join(helper.thread, NULL);
	vm_stop(&vm);
}

/* ---- Pages that are free to go, until they are written again ---- */
static void free_and_reclaim(struct vm *vm)
{
	uint32_t value;
	int i;

	for (i = 0; i < 50; i++) {
		if (madvise((void *)target_of(vm), PAGE, MADV_FREE))
			FAIL("MADV_FREE: %s", strerror(errno));
		/* The Guest writes, and so wants to keep it. */
		wait_for_turns(vm, 2);
		vm->mailbox->in[WORK_PAUSE] = 1;
		while (!*(volatile uint32_t *)&vm->mailbox->out[WORK_PAUSED])
			usleep(100);
		/* It is not looked at here before, as the Host would know of it by that. */
		value = vm->mailbox->out[WORK_TURNS] - 1;
		if (madvise((void *)target_of(vm), PAGE, MADV_PAGEOUT))
			FAIL("MADV_PAGEOUT: %s", strerror(errno));
		if (*target_of(vm) != value)
			FAIL("round %d: %u is there, not %u", i, *target_of(vm), value);
		vm->mailbox->in[WORK_PAUSE] = 0;
	}
	vm->mailbox->in[WORK_STOP] = 1;
}

TEST(freed_and_written_again)
{
	bool swap = make_swap();
	struct helper helper;
	struct vm vm;

	load(&vm, WORK_TOUCH, LGUEST_MEMORY_ANONYMOUS);
	start(&vm);
	start_helper(&helper, &vm, free_and_reclaim);
	vm_pass(&vm);
	pthread_join(helper.thread, NULL);
	vm_stop(&vm);
	if (swap)
		end_swap();
}

/* ---- userfaultfd: another thread says what is there, and when it may be written ---- */
static int faults;			/* the userfaultfd */

static bool watch_target(struct vm *vm)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (unsigned long)target_of(vm), PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
	};

	faults = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (faults < 0 || ioctl(faults, UFFDIO_API, &api) ||
	    madvise((void *)target_of(vm), PAGE, MADV_DONTNEED) ||
	    ioctl(faults, UFFDIO_REGISTER, &range))
		return false;
	return true;
}

/* Waits for a fault, and says whether it was one of write protection. */
static bool next_fault(void)
{
	struct pollfd wait = { .fd = faults, .events = POLLIN };
	struct uffd_msg message;

	do
		poll(&wait, 1, -1);
	while (read(faults, &message, sizeof(message)) != sizeof(message));
	return message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP;
}

static void protect(struct vm *vm, bool on)
{
	struct uffdio_writeprotect change = {
		.range = { (unsigned long)target_of(vm), PAGE },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	if (ioctl(faults, UFFDIO_WRITEPROTECT, &change))
		FAIL("UFFDIO_WRITEPROTECT: %s", strerror(errno));
}

static void supply_and_protect(struct vm *vm)
{
	static uint32_t page[PAGE / 4] __attribute__((aligned(4096)));
	struct uffdio_range range = { (unsigned long)target_of(vm), PAGE };
	struct uffdio_copy copy = {
		.dst = (unsigned long)target_of(vm), .src = (unsigned long)page, .len = PAGE,
	};
	uint32_t value;
	int i;

	for (i = 0; i < 50; i++) {
		while (next_fault())
			;
		page[0] = 0xabc00000 + i;
		if (ioctl(faults, UFFDIO_COPY, &copy))
			FAIL("UFFDIO_COPY: %s", strerror(errno));
		wait_for_turns(vm, 2);
		/* From when this returns, nothing is written. */
		protect(vm, true);
		value = *target_of(vm);
		if (!next_fault())
			FAIL("the page is missing");
		if (*target_of(vm) != value)
			FAIL("written while it was protected");
		protect(vm, false);
		wait_for_turns(vm, 2);
		if (madvise((void *)target_of(vm), PAGE, MADV_DONTNEED))
			FAIL("madvise");
	}
	vm->mailbox->in[WORK_STOP] = 1;
	/*
	 * The last one, for which the Guest may wait. No close() with faults to come: in Linux 6.1 whoever
	 * asks for the page meanwhile, as the Host does, and close() can wait for each other for ever.
	 */
	if (ioctl(faults, UFFDIO_UNREGISTER, &range))
		FAIL("UFFDIO_UNREGISTER: %s", strerror(errno));
	close(faults);
}

TEST(supplied_by_another_thread)
{
	struct helper helper;
	struct vm vm;

	load(&vm, WORK_TOUCH, LGUEST_MEMORY_ANONYMOUS);
	if (!watch_target(&vm))
		SKIP(return, "no userfaultfd with write protection");
	start(&vm);
	start_helper(&helper, &vm, supply_and_protect);
	vm_pass(&vm);
	pthread_join(helper.thread, NULL);
	vm_stop(&vm);
}

/* Nobody supplies anything: then there is SIGKILL. */
TEST(supplied_by_nobody)
{
	struct vm vm;
	pid_t child;
	int status;

	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		load(&vm, WORK_TOUCH, LGUEST_MEMORY_ANONYMOUS);
		if (!watch_target(&vm))
			_exit(4);
		start(&vm);
		for (;;)
			vm_run(&vm);
	}
	usleep(300000);
	kill(child, SIGTERM);
	usleep(10000);
	kill(child, SIGKILL);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 4);
}

/* ---- Two Guests, the same pages ---- */
TEST(two_guests_in_the_same_memory)
{
	struct vm vm, other;
	unsigned int i;

	load(&vm, WORK_SYNC, LGUEST_MEMORY_ANONYMOUS);
	start(&vm);
	/* Where they begin, one does not disturb the other: it is the same program. */
	other = vm;
	other.fd = lguest_open();
	ASSERT_LE(0, other.fd);
	vm_sync(&vm, 0);
	start(&other);
	EXPECT_LT(0, vm_run(&other));
	for (i = 0; i < 100; i++) {
		if (vm_run(i & 1 ? &vm : &other) != LGUEST_EXIT_NOTIFY)
			break;
	}
	/* What is taken away is taken from both. */
	ASSERT_EQ(0, munmap(vm.memory.base, vm.memory.size));
	EXPECT_EQ(LGUEST_EXIT_DEATH, lguest_run(vm.fd, &vm.exit) ?: vm.exit.reason);
	EXPECT_NE(LGUEST_EXIT_NOTIFY, lguest_run(other.fd, &other.exit) ?: other.exit.reason);
	close(vm.fd);
	close(other.fd);
}

/* ---- All of it, at any moment ---- */
static void protect_all(struct vm *vm)
{
	static const int rights[] = { PROT_NONE, PROT_READ };
	static uint64_t random = 11;

	wait_for_turns(vm, 1);
	usleep(test_random(&random) % 3000);
	if (mprotect(vm->memory.base, vm->memory.size, rights[test_random(&random) & 1]))
		FAIL("mprotect");
}

/* Page tables, struct lguest_data, code, stack: it dies by whatever it comes to first. */
TEST(all_of_it_protected_at_random_moments)
{
	static const uint32_t modes[] = { WORK_SPIN, WORK_MEMORY, WORK_FPU };
	struct helper helper;
	int rounds = test_rounds(6, 120), i;
	struct vm vm;

	for (i = 0; i < rounds; i++) {
		vm_start(&vm, "work", NULL);
		vm.mailbox->in[WORK_MODE] = modes[i % 3];
		vm.mailbox->in[WORK_PAGES] = modes[i % 3] == WORK_MEMORY ? 64 : 0;
		start_helper(&helper, &vm, protect_all);
		EXPECT_EQ(LGUEST_EXIT_DEATH, lguest_run(vm.fd, &vm.exit) ?: vm.exit.reason);
		EXPECT_LT(10, strlen(vm.exit.text));
		pthread_join(helper.thread, NULL);
		vm_stop(&vm);
	}
}

TEST_HARNESS_MAIN
