// SPDX-License-Identifier: GPL-2.0
/*
 * What a launcher can do wrong, and what /dev/lguest answers: every errno of
 * include/uapi/linux/lguest.h (M6); signals, threads and processes that are not the vCPU's.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "harness.h"
#include "launcher.h"
#include "helper.h"
#include "guests/work.h"

#include <asm/lguest.h>

#define PAGE		4096ul
/* Beyond what any program of this word size can map with five levels of tables; page aligned. */
#define NO_ADDRESS	(sizeof(long) == 8 ? (unsigned long)0x0100000000000000 : 0xfffff000ul)

/* An address at which nothing is; kept from the compiler, which would know that. */
static void *volatile nowhere = (void *)8;

#define WORDS(fd, ...)									\
	({										\
		unsigned long words_[] = { __VA_ARGS__ };				\
											\
		lguest_write_words(fd, words_, ARRAY_SIZE(words_));			\
	})

FIXTURE(misuse) {
	struct vm vm;
	unsigned long base, pages, pgdir, start;
};

FIXTURE_SETUP(misuse)
{
	vm_load(&self->vm, "work", NULL);
	self->base = (unsigned long)self->vm.memory.base;
	self->pages = self->vm.memory.size / PAGE;
	self->pgdir = self->vm.pgdir;
	self->start = self->vm.entry;
}

FIXTURE_TEARDOWN(misuse)
{
	vm_stop(&self->vm);
}

#define INITIALIZE(base, pages, pgdir, start) \
	WORDS(self->vm.fd, LHREQ_INITIALIZE, base, pages, pgdir, start)

/* Whatever was refused has changed nothing: the Guest still starts, and comes to its end. */
static void still_good(FIXTURE_DATA(misuse) *self, struct __test_metadata *_metadata)
{
	ASSERT_EQ(5 * sizeof(long), INITIALIZE(self->base, self->pages, self->pgdir, self->start));
	self->vm.mailbox->in[WORK_STOP] = 1;
	vm_pass(&self->vm);
}

/* ---- INITIALIZE ---- */
TEST_F(misuse, initialize_twice)
{
	ASSERT_EQ(5 * sizeof(long), INITIALIZE(self->base, self->pages, self->pgdir, self->start));
	EXPECT_EQ(-EBUSY, INITIALIZE(self->base, self->pages, self->pgdir, self->start));
	EXPECT_EQ(-EBUSY, INITIALIZE(0, 0, 0, 0));
	self->vm.mailbox->in[WORK_STOP] = 1;
	vm_pass(&self->vm);
	EXPECT_EQ(-EBUSY, INITIALIZE(self->base, self->pages, self->pgdir, self->start));
}

TEST_F(misuse, initialize_with_bad_limit)
{
	EXPECT_EQ(-EINVAL, INITIALIZE(self->base, 0, self->pgdir, self->start));
	EXPECT_EQ(-EINVAL, INITIALIZE(self->base, LGUEST_MAX_PFN + 1, self->pgdir, self->start));
	EXPECT_EQ(-EINVAL, INITIALIZE(self->base, -1ul, self->pgdir, self->start));
	EXPECT_EQ(-EINVAL, INITIALIZE(self->base, ~0ul >> 12, self->pgdir, self->start));
	if (sizeof(long) == 8) {
		EXPECT_EQ(-EINVAL, INITIALIZE(self->base, (1ul << 31 << 21) + self->pages,
					      self->pgdir, self->start));
	}
	still_good(self, _metadata);
}

TEST_F(misuse, initialize_beyond_the_address_space)
{
	EXPECT_EQ(-EINVAL, INITIALIZE(-PAGE, 2, 0, 0));
	EXPECT_EQ(-EINVAL, INITIALIZE(-PAGE, 1, 0, 0));
	EXPECT_EQ(-EINVAL, INITIALIZE(NO_ADDRESS, self->pages, 0, 0));
	if (sizeof(long) == 8) {
		/* Where the host's own memory is. */
		EXPECT_EQ(-EINVAL, INITIALIZE((unsigned long)0xffff888000000000, 16, 0, 0));
		EXPECT_EQ(-EINVAL, INITIALIZE((unsigned long)0xffffffff81000000, 16, 0, 0));
		EXPECT_EQ(-EINVAL, INITIALIZE((unsigned long)0x00fffffffffff000, 16, 0, 0));
	}
	still_good(self, _metadata);
}

TEST_F(misuse, initialize_not_aligned)
{
	static const unsigned long off[] = { 1, 4, 2048, 4095 };
	int i;

	for (i = 0; i < ARRAY_SIZE(off); i++) {
		EXPECT_EQ(-EINVAL, INITIALIZE(self->base + off[i], self->pages - 1,
					      self->pgdir - PAGE, self->start));
		EXPECT_EQ(-EINVAL,
			  INITIALIZE(self->base, self->pages, self->pgdir + off[i], self->start));
	}
	still_good(self, _metadata);
}

TEST_F(misuse, initialize_with_pgdir_or_start_outside_memory)
{
	const unsigned long size = self->pages * PAGE;
	const unsigned long outside[] = { size, size + PAGE, 0x80000000, 0xfffff000, -PAGE };
	int i;

	for (i = 0; i < ARRAY_SIZE(outside); i++) {
		EXPECT_EQ(-EINVAL, INITIALIZE(self->base, self->pages, outside[i], self->start));
		EXPECT_EQ(-EINVAL, INITIALIZE(self->base, self->pages, self->pgdir, outside[i]));
	}
	EXPECT_EQ(-EINVAL, INITIALIZE(self->base, self->pages, self->pgdir, -1ul));
	still_good(self, _metadata);
}

TEST_F(misuse, initialize_with_memory_that_is_not_there)
{
	const size_t size = 16 * PAGE;
	uint8_t *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long base = (unsigned long)at;

	ASSERT_NE(MAP_FAILED, at);
	/* The first page, the page directory's, one that is neither. */
	ASSERT_EQ(0, mprotect(at, PAGE, PROT_NONE));
	EXPECT_EQ(-EFAULT, INITIALIZE(base, 16, 8 * PAGE, 0));
	ASSERT_EQ(0, mprotect(at, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, INITIALIZE(base, 16, 8 * PAGE, 0));
	ASSERT_EQ(0, mprotect(at, PAGE, PROT_READ | PROT_WRITE));
	ASSERT_EQ(0, mprotect(at + 8 * PAGE, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, INITIALIZE(base, 16, 8 * PAGE, 0));
	ASSERT_EQ(0, mprotect(at, size, PROT_READ));
	EXPECT_EQ(-EFAULT, INITIALIZE(base, 16, 8 * PAGE, 0));
	ASSERT_EQ(0, munmap(at, size));
	EXPECT_EQ(-EFAULT, INITIALIZE(base, 16, 8 * PAGE, 0));
	EXPECT_EQ(-EFAULT, INITIALIZE(0, 16, 8 * PAGE, 0));
	still_good(self, _metadata);
}

TEST_F(misuse, wrong_number_of_words)
{
	/* Words behind the request that each takes, or -1. */
	static const struct { int request, least, most; } counts[] = {
		{ LHREQ_INITIALIZE, 4, 4 }, { LHREQ_IRQ, 1, 1 }, { LHREQ_BREAK, 1, 1 },
		{ LHREQ_GETREG, 2, 2 }, { LHREQ_SETREG, 2, 2 }, { LHREQ_TRAP, 1, 1 },
		{ LHREQ_ANSWER, 1, 2 },
	};
	unsigned long words[10] = { 0 };
	int round, i, n;

	/* Before and after INITIALIZE. */
	for (round = 0; round < 2; round++) {
		for (i = 0; i < ARRAY_SIZE(counts); i++) {
			words[0] = counts[i].request;
			for (n = 0; n < 9; n++) {
				if (n >= counts[i].least && n <= counts[i].most)
					continue;
				EXPECT_EQ(-EINVAL, lguest_write_words(self->vm.fd, words, n + 1))
					TH_LOG("request %d with %d words", counts[i].request, n);
			}
		}
		if (!round) {
			ASSERT_EQ(5 * sizeof(long),
				  INITIALIZE(self->base, self->pages, self->pgdir, self->start));
		}
	}
	/* Not a whole word, and an address that cannot be read. */
	words[0] = LHREQ_IRQ;
	EXPECT_EQ(-1, write(self->vm.fd, words, 2 * sizeof(long) - 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->vm.fd, nowhere, 2 * sizeof(long)));
	EXPECT_EQ(EFAULT, errno);
	self->vm.mailbox->in[WORK_STOP] = 1;
	vm_pass(&self->vm);
}

/* ---- Before the start, and after the end ---- */
TEST_F(misuse, nothing_works_before_initialize)
{
	struct lguest_exit exit;
	uint64_t value;

	EXPECT_EQ(-EINVAL, lguest_run(self->vm.fd, &exit));
	EXPECT_EQ(-EINVAL, lguest_irq(self->vm.fd, 0));
	EXPECT_EQ(-EINVAL, lguest_break(self->vm.fd, 1));
	EXPECT_EQ(-EINVAL, lguest_get_reg(self->vm.fd, LGUEST_REG_AX, &value));
	EXPECT_EQ(-EINVAL, lguest_set_reg(self->vm.fd, LGUEST_REG_AX, 0));
	EXPECT_EQ(-EINVAL, lguest_trap(self->vm.fd, 6));
	EXPECT_EQ(-EINVAL, lguest_answer(self->vm.fd, 0));
	still_good(self, _metadata);
}

TEST_F(misuse, dead_is_dead)
{
	struct lguest_exit first;
	uint64_t value;
	int i;

	still_good(self, _metadata);
	first = self->vm.exit;
	for (i = 0; i < 3; i++) {
		vm_pass(&self->vm);
		EXPECT_EQ(0, memcmp(&first, &self->vm.exit, sizeof(first)));
	}
	EXPECT_EQ(-ENOENT, lguest_irq(self->vm.fd, 0));
	EXPECT_EQ(-ENOENT, lguest_break(self->vm.fd, 1));
	EXPECT_EQ(-ENOENT, lguest_get_reg(self->vm.fd, LGUEST_REG_AX, &value));
	EXPECT_EQ(-ENOENT, lguest_set_reg(self->vm.fd, LGUEST_REG_AX, 0));
	EXPECT_EQ(-ENOENT, lguest_trap(self->vm.fd, 6));
	EXPECT_EQ(-ENOENT, lguest_answer(self->vm.fd, 0));
}

/* ---- A Guest that is there ---- */
FIXTURE(started) {
	struct vm vm;
};

FIXTURE_SETUP(started)
{
	vm_start(&self->vm, "work", NULL);
}

FIXTURE_TEARDOWN(started)
{
	vm_stop(&self->vm);
}

static void ends_well(struct vm *vm)
{
	vm->mailbox->in[WORK_STOP] = 1;
	vm_pass(vm);
}

TEST_F(started, wrong_values)
{
	static const unsigned long lines[] = { LGUEST_IRQ_LINES, 0x7fffffff, 0xffffffff, -1ul };
	uint64_t value;
	int fd = self->vm.fd, i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		EXPECT_EQ(-EINVAL, WORDS(fd, LHREQ_IRQ, lines[i]));
		EXPECT_EQ(-EINVAL, WORDS(fd, LHREQ_TRAP, lines[i]));
		EXPECT_EQ(-EINVAL, WORDS(fd, LHREQ_BREAK, lines[i]));
		EXPECT_EQ(-EINVAL, WORDS(fd, LHREQ_GETREG, lines[i], (unsigned long)&value));
		EXPECT_EQ(-EINVAL, WORDS(fd, LHREQ_SETREG, lines[i], 0));
	}
	EXPECT_EQ(-EINVAL, WORDS(fd, LHREQ_GETREG, LGUEST_REG_COUNT, (unsigned long)&value));
	EXPECT_EQ(-EINVAL, WORDS(fd, LHREQ_SETREG, LGUEST_REG_COUNT, 0));
	EXPECT_EQ(-EFAULT, WORDS(fd, LHREQ_GETREG, LGUEST_REG_AX, 8));
	EXPECT_EQ(-EFAULT, WORDS(fd, LHREQ_GETREG, LGUEST_REG_AX, -8ul));
	/* No access waits for an answer. */
	EXPECT_EQ(-EINVAL, WORDS(fd, LHREQ_ANSWER, 0));
	EXPECT_EQ(-EINVAL, WORDS(fd, LHREQ_ANSWER, 0, 0));
	if (sizeof(long) == 8) {
		/* A request's number is a whole word, not its low half. */
		EXPECT_EQ(-EINVAL, WORDS(fd, (1ul << 31 << 1) + LHREQ_IRQ, 1));
		EXPECT_EQ(-EINVAL, WORDS(fd, LHREQ_IRQ, (1ul << 31 << 1) + 1));
	}
	ends_well(&self->vm);
}

TEST_F(started, registers_can_be_read_and_set)
{
	uint64_t value, again;
	int reg;

	for (reg = LGUEST_REG_AX; reg <= LGUEST_REG_SP; reg++) {
		ASSERT_EQ(0, lguest_get_reg(self->vm.fd, reg, &value));
		EXPECT_EQ(0, value);
		ASSERT_EQ(0, lguest_set_reg(self->vm.fd, reg, 0x81234567 + reg));
		ASSERT_EQ(0, lguest_get_reg(self->vm.fd, reg, &again));
		EXPECT_EQ(0x81234567 + reg, again);
		ASSERT_EQ(0, lguest_set_reg(self->vm.fd, reg, 0));
	}
	ASSERT_EQ(0, lguest_get_reg(self->vm.fd, LGUEST_REG_IP, &value));
	EXPECT_EQ(self->vm.entry, value);
	ASSERT_EQ(0, lguest_get_reg(self->vm.fd, LGUEST_REG_CR3, &value));
	EXPECT_EQ(self->vm.pgdir, value);
	ASSERT_EQ(0, lguest_get_reg(self->vm.fd, LGUEST_REG_LEVEL, &value));
	EXPECT_EQ(1, value);
	ASSERT_EQ(0, lguest_get_reg(self->vm.fd, LGUEST_REG_CS, &value));
	EXPECT_EQ(LGUEST_BOOT_CS, value);
	ASSERT_EQ(0, lguest_get_reg(self->vm.fd, LGUEST_REG_SS, &value));
	EXPECT_EQ(LGUEST_BOOT_DS, value);
	ends_well(&self->vm);
}

/* S2, S3: what no Guest may have, it does not get from its launcher either. */
TEST_F(started, registers_that_no_guest_may_have)
{
	/* IOPL, NT, RF, VM, VIF, VIP. */
	static const uint32_t flags[] = { 0x1000,  0x2000,  0x3000,  0x4000,
					  0x10000, 0x20000, 0x80000, 0x100000 };
	static const enum lguest_reg selectors[] = { LGUEST_REG_CS, LGUEST_REG_SS, LGUEST_REG_DS,
						     LGUEST_REG_ES, LGUEST_REG_FS, LGUEST_REG_GS };
	uint64_t before, after;
	int i, selector;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		EXPECT_EQ(-EINVAL, lguest_set_reg(self->vm.fd, LGUEST_REG_FLAGS, 0x202 | flags[i]))
			TH_LOG("flags 0x%x", flags[i]);
	}
	EXPECT_EQ(-EINVAL, lguest_set_reg(self->vm.fd, LGUEST_REG_LEVEL, 0));

	/*
	 * Whatever it says to a selector, the Guest can be run afterwards, or has ended with a
	 * sentence.
	 */
	for (i = 0; i < ARRAY_SIZE(selectors); i++) {
		ASSERT_EQ(0, lguest_get_reg(self->vm.fd, selectors[i], &before));
		for (selector = 0; selector < 0x10000; selector++) {
			int err = lguest_set_reg(self->vm.fd, selectors[i], selector);

			if (err) {
				ASSERT_EQ(-EINVAL, err);
				ASSERT_EQ(0, lguest_get_reg(self->vm.fd, selectors[i], &after));
			}
		}
		EXPECT_EQ(-EINVAL, lguest_set_reg(self->vm.fd, selectors[i], 0x10000));
		ASSERT_EQ(0, lguest_set_reg(self->vm.fd, selectors[i], before));
	}
	ends_well(&self->vm);
}

TEST_F(started, buffer_of_the_wrong_size)
{
	char buffer[2 * sizeof(struct lguest_exit)] __attribute__((aligned(8)));
	struct lguest_exit *exit = (void *)buffer;
	size_t size;

	self->vm.mailbox->in[WORK_MODE] = WORK_SYNC;
	for (size = 0; size < sizeof(*exit); size += 1 + size / 16) {
		EXPECT_EQ(-1, pread(self->vm.fd, buffer, size, 0));
		EXPECT_EQ(EINVAL, errno);
	}
	/* More is no harm: what was not filled is not touched. */
	memset(buffer, 0x5a, sizeof(buffer));
	ASSERT_LT(0, pread(self->vm.fd, buffer, sizeof(buffer), 0));
	EXPECT_EQ(LGUEST_EXIT_NOTIFY, exit->reason);
	EXPECT_EQ(MAILBOX_GPA, exit->gpa);
	EXPECT_EQ(0x5a, buffer[sizeof(buffer) - 1]);
	ends_well(&self->vm);
}

/* An exit that could not be told is told by the next read. */
TEST_F(started, buffer_that_cannot_be_written)
{
	void *read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int i;

	self->vm.mailbox->in[WORK_MODE] = WORK_SYNC;
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-1, pread(self->vm.fd, nowhere, sizeof(struct lguest_exit), 0));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(-1, pread(self->vm.fd, read_only, PAGE, 0));
		EXPECT_EQ(EFAULT, errno);
	}
	EXPECT_EQ(0, self->vm.mailbox->out[WORK_TURNS]);
	vm_sync(&self->vm, 0);
	EXPECT_EQ(0, self->vm.mailbox->out[WORK_TURNS]);
	vm_sync(&self->vm, 0);
	EXPECT_EQ(1, self->vm.mailbox->out[WORK_TURNS]);
	ends_well(&self->vm);
}

TEST_F(started, no_other_vcpu_is_there)
{
	static const off_t positions[] = { 1, 8, 0x7fffffff };
	unsigned long words[] = { LHREQ_IRQ, 1 };
	struct lguest_exit exit;
	int i;

	for (i = 0; i < ARRAY_SIZE(positions); i++) {
		EXPECT_EQ(-1, pread(self->vm.fd, &exit, sizeof(exit), positions[i]));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, pwrite(self->vm.fd, words, sizeof(words), positions[i]));
		EXPECT_EQ(EINVAL, errno);
	}
	ends_well(&self->vm);
}

/* ---- Signals ---- */
static volatile sig_atomic_t signals;

static void count_signal(int number)
{
	signals++;
}

static void every_10_ms(int flags)
{
	struct sigaction action = { .sa_handler = count_signal, .sa_flags = flags };
	struct itimerval timer = { { 0, 10000 }, { 0, 10000 } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* The Guest spins without an exit; each signal ends the read, and the Guest goes on at the next. */
TEST_F(started, signal_ends_read_with_EINTR)
{
	uint32_t turns = 0;
	int i;

	signals = 0;
	every_10_ms(SA_RESTART);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(-EINTR, vm_run(&self->vm));
		EXPECT_LT(i, signals);
	}
	/* It has come into its loop at last, and stands still between reads. */
	while (!self->vm.mailbox->out[WORK_TURNS])
		ASSERT_EQ(-EINTR, vm_run(&self->vm));
	turns = self->vm.mailbox->out[WORK_TURNS];
	usleep(20000);
	EXPECT_EQ(turns, self->vm.mailbox->out[WORK_TURNS]);
	ASSERT_EQ(-EINTR, vm_run(&self->vm));
	EXPECT_LT(turns, self->vm.mailbox->out[WORK_TURNS]);
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	ends_well(&self->vm);
}

/* One that is there before the read begins, too: not one turn is made. */
TEST_F(started, signal_that_waits_already)
{
	int i;
	sigset_t set, old;

	signal(SIGUSR1, count_signal);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	self->vm.mailbox->in[WORK_MODE] = WORK_SYNC;
	for (i = 0; i < 10; i++) {
		sigprocmask(SIG_BLOCK, &set, &old);
		raise(SIGUSR1);
		/* Blocked, it is nobody's business. */
		vm_sync(&self->vm, 0);
		sigprocmask(SIG_SETMASK, &old, NULL);
	}
	EXPECT_EQ(10, signals);
	ends_well(&self->vm);
}

/* The launcher's process in a child, which spins until it is killed. */
static pid_t spinning_child(struct vm *vm)
{
	pid_t child = fork();

	if (!child) {
		vm_start(vm, "work", NULL);
		/* SIGCONT and whatever else it gets ends a read, but not the Guest. */
		while (vm_run(vm) == -EINTR)
			;
		_exit(1);
	}
	return child;
}

TEST(sigkill_ends_a_launcher_whose_guest_spins)
{
	struct vm vm;
	int i, status;

	for (i = 0; i < 10; i++) {
		pid_t child = spinning_child(&vm);

		ASSERT_LT(0, child);
		usleep(1000 * i * 3);
		ASSERT_EQ(0, kill(child, SIGKILL));
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
		EXPECT_EQ(SIGKILL, WTERMSIG(status));
	}
}

TEST(stop_and_continue)
{
	struct vm vm;
	pid_t child;
	int i, status;

	child = spinning_child(&vm);
	ASSERT_LT(0, child);
	for (i = 0; i < 10; i++) {
		usleep(5000);
		ASSERT_EQ(0, kill(child, SIGSTOP));
		ASSERT_EQ(child, waitpid(child, &status, WUNTRACED));
		ASSERT_TRUE(WIFSTOPPED(status));
		ASSERT_EQ(0, kill(child, SIGCONT));
	}
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
}

/* ---- Other threads ---- */
static void other_thread_tries(struct vm *vm)
{
	struct lguest_exit exit;
	uint64_t value;
	int i, err = 0;

	for (i = 0; i < 100; i++) {
		err |= lguest_run(vm->fd, &exit) != -EPERM;
		err |= lguest_get_reg(vm->fd, LGUEST_REG_AX, &value) != -EPERM;
		err |= lguest_set_reg(vm->fd, LGUEST_REG_AX, 0) != -EPERM;
		err |= lguest_trap(vm->fd, 6) != -EPERM;
		err |= lguest_answer(vm->fd, 0) != -EPERM;
		/* Lines are anybody's; this one is blocked. */
		err |= lguest_irq(vm->fd, i % LGUEST_IRQ_LINES) != 0;
	}
	if (err)
		FAIL("another thread was not refused");
	vm->mailbox->in[WORK_STOP] = 1;
}

TEST_F(started, two_threads_reading_one_vcpu)
{
	struct helper helper;

	start_helper(&helper, &self->vm, other_thread_tries);
	vm_pass(&self->vm);
	pthread_join(helper.thread, NULL);
}

static void switch_break_on(struct vm *vm)
{
	wait_for_turns(vm, 1000);
	if (lguest_break(vm->fd, 1))
		FAIL("BREAK");
}

TEST_F(started, break_makes_read_return_until_it_is_off)
{
	struct helper helper;
	uint32_t turns;
	int i;

	start_helper(&helper, &self->vm, switch_break_on);
	ASSERT_EQ(LGUEST_EXIT_BREAK, vm_run(&self->vm));
	pthread_join(helper.thread, NULL);
	turns = self->vm.mailbox->out[WORK_TURNS];
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(LGUEST_EXIT_BREAK, vm_run(&self->vm));
	}
	EXPECT_EQ(turns, self->vm.mailbox->out[WORK_TURNS]);
	ASSERT_EQ(0, lguest_break(self->vm.fd, 0));
	ends_well(&self->vm);
}

static void close_file(struct vm *vm)
{
	wait_for_turns(vm, 1000);
	close(vm->fd);
	vm->mailbox->in[WORK_STOP] = 1;
}

/*
 * The read that is under way keeps the Guest; when it returns, the Guest goes. (The kernel may
 * begin a read anew on its own, which finds no file any more then.)
 */
TEST_F(started, close_from_another_thread)
{
	struct helper helper;
	int came;

	start_helper(&helper, &self->vm, close_file);
	came = vm_run(&self->vm);
	EXPECT_TRUE(came == LGUEST_EXIT_SHUTDOWN || came == -EBADF) TH_LOG("%d", came);
	pthread_join(helper.thread, NULL);
	EXPECT_EQ(-EBADF, vm_run(&self->vm));
}

/* The thread whose vCPU it is goes away; the others may not run it in its place. */
static void *initialize_and_go(void *arg)
{
	vm_start(arg, "work", NULL);
	return NULL;
}

TEST(thread_of_the_vcpu_goes_away)
{
	pthread_t thread;
	struct vm vm;

	ASSERT_EQ(0, pthread_create(&thread, NULL, initialize_and_go, &vm));
	pthread_join(thread, NULL);
	EXPECT_EQ(-EPERM, vm_run(&vm));
	EXPECT_EQ(0, lguest_irq(vm.fd, 3));
	EXPECT_EQ(0, lguest_break(vm.fd, 1));
	EXPECT_EQ(-EPERM, vm_run(&vm));
	vm_stop(&vm);
}

/* ---- Other processes ---- */
TEST_F(started, forked_child_has_no_rights)
{
	struct lguest_exit exit;
	uint64_t value;
	int status;
	pid_t child;

	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		if (lguest_run(self->vm.fd, &exit) != -EPERM ||
		    lguest_get_reg(self->vm.fd, LGUEST_REG_AX, &value) != -EPERM ||
		    lguest_set_reg(self->vm.fd, LGUEST_REG_IP, 0) != -EPERM ||
		    lguest_trap(self->vm.fd, 6) != -EPERM ||
		    lguest_initialize(self->vm.fd, self->vm.memory.base, 1, 0, 0) != -EBUSY ||
		    lguest_irq(self->vm.fd, 1))
			_exit(1);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	ends_well(&self->vm);
}

/*
 * The launcher is gone, but a child of its has the file still: nothing to run, nothing to crash
 * over.
 */
TEST(child_outlives_the_launcher)
{
	int pipes[2], status;
	char byte;
	pid_t launcher;

	ASSERT_EQ(0, pipe(pipes));
	launcher = fork();
	ASSERT_LE(0, launcher);
	if (!launcher) {
		struct vm vm;

		vm_start(&vm, "work", NULL);
		vm.mailbox->in[WORK_MODE] = WORK_SYNC;
		vm_sync(&vm, 0);
		if (!fork()) {
			struct lguest_exit exit;
			pid_t parent = getppid();

			kill(parent, SIGKILL);
			while (getppid() == parent)
				usleep(1000);
			byte = lguest_run(vm.fd, &exit) == -EPERM && !lguest_irq(vm.fd, 1);
			_exit(write(pipes[1], &byte, 1) != 1);
		}
		pause();
	}
	ASSERT_EQ(launcher, waitpid(launcher, &status, 0));
	ASSERT_EQ(1, read(pipes[0], &byte, 1));
	EXPECT_EQ(1, byte);
}

/* A file that went to a stranger by a socket. */
TEST_F(started, descriptor_passed_to_another_process)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec io = { &byte, 1 };
	struct msghdr message = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int sockets[2], status, fd;
	struct lguest_exit exit;
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(self->vm.fd);
		munmap(self->vm.memory.base, self->vm.memory.size);
		if (recvmsg(sockets[1], &message, 0) != 1)
			_exit(1);
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
		_exit(lguest_run(fd, &exit) != -EPERM || lguest_irq(fd, 2) || lguest_break(fd, 0));
	}
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &self->vm.fd, sizeof(int));
	ASSERT_EQ(1, sendmsg(sockets[0], &message, 0));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	ends_well(&self->vm);
}

/* After exec() it is the same task, but its memory is another: no Guest to run any more. */
TEST_F(started, exec_in_the_vcpu_task)
{
	char number[16];
	int status;
	pid_t child;

	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		struct vm vm;

		vm_start(&vm, "work", NULL);
		snprintf(number, sizeof(number), "%d", dup(vm.fd));
		setenv("MISUSE_EXEC_FD", number, 1);
		execl("/proc/self/exe", "misuse", NULL);
		_exit(99);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(EPERM, WEXITSTATUS(status));
}

static void __attribute__((constructor)) after_exec(void)
{
	const char *number = getenv("MISUSE_EXEC_FD");
	struct lguest_exit exit;

	if (number)
		_exit(-lguest_run(atoi(number), &exit));
}

TEST_HARNESS_MAIN
