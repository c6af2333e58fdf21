// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/lguest is a file: all that a program can do with one besides read() and write(), and these
 * two by other ways: in vectors, through pipes, by io_uring, by many at once, into the Guest's own
 * memory. Each is refused, or does what read() and write() of the vCPU's task do (M6, G1).
 *
 * lguest-host: smp=2
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <linux/io_uring.h>

#include "harness.h"
#include "launcher.h"
#include "guests/work.h"

#include <asm/lguest.h>

#define PAGE	4096ul

FIXTURE(file) {
	struct vm vm;
};

FIXTURE_SETUP(file)
{
	vm_start(&self->vm, "work", NULL);
}

FIXTURE_TEARDOWN(file)
{
	vm_stop(&self->vm);
}

static void ends_well(struct vm *vm)
{
	vm->mailbox->in[WORK_STOP] = 1;
	vm_pass(vm);
}

#define REFUSED(error, call)						\
	({								\
		errno = 0;						\
		EXPECT_EQ(-1, (long)(call)) TH_LOG("%s", #call);	\
		EXPECT_EQ(error, errno) TH_LOG("%s", #call);		\
	})

/* ---- What the file does not do ---- */
TEST_F(file, what_it_does_not_do)
{
	int fd = self->vm.fd, pipes[2], epoll = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN };
	unsigned long number;
	char bytes[64] = { 0 };

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(32, write(pipes[1], bytes, 32));
	for (number = 0; number < 0x100; number++) {
		REFUSED(ENOTTY, ioctl(fd, 0xae00 + number, bytes));
		REFUSED(ENOTTY, ioctl(fd, 0xc0080000 + number * 0x101, bytes));
	}
	REFUSED(ENODEV, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
	REFUSED(ENODEV, mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, PAGE));
	REFUSED(EINVAL, ftruncate(fd, 0));
	REFUSED(ENODEV, fallocate(fd, 0, 0, PAGE));
	REFUSED(EPERM, epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	REFUSED(EINVAL, splice(pipes[0], NULL, fd, NULL, 32, 0));
	REFUSED(EINVAL, splice(fd, NULL, pipes[1], NULL, 32, 0));
	REFUSED(EINVAL, sendfile(fd, open("/proc/self/exe", O_RDONLY), NULL, 64));
	REFUSED(EINVAL, sendfile(open("/dev/null", O_WRONLY), fd, NULL, 64));
	REFUSED(EINVAL, fsync(fd));
	/* A module or a program is not in it. The host's log may say so, which is no fault. */
	EXPECT_EQ(-1, syscall(SYS_finit_module, fd, "", 0));
	EXPECT_EQ(-1, fexecve(fd, (char *[]){ "x", NULL }, (char *[]){ NULL }));
	close(epoll);
	close(pipes[0]);
	close(pipes[1]);
	ends_well(&self->vm);
}

/* Opened for one of the two only: the other is refused before anybody looks. */
TEST_F(file, opened_for_less)
{
	unsigned long words[] = { LHREQ_IRQ, 1 };
	struct lguest_exit exit;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->vm.fd);
	/* That is another open file, and so no Guest. */
	fd = open(path, O_RDONLY);
	ASSERT_LE(0, fd);
	REFUSED(EBADF, write(fd, words, sizeof(words)));
	REFUSED(EINVAL, read(fd, &exit, sizeof(exit)));
	close(fd);
	fd = open(path, O_WRONLY | O_APPEND);
	ASSERT_LE(0, fd);
	REFUSED(EBADF, read(fd, &exit, sizeof(exit)));
	REFUSED(EINVAL, write(fd, words, sizeof(words)));
	close(fd);
	fd = open(path, O_PATH);
	ASSERT_LE(0, fd);
	REFUSED(EBADF, write(fd, words, sizeof(words)));
	close(fd);
	ends_well(&self->vm);
}

/* The file position is the number of a vCPU: it stays where it was put, and there is only 0. */
TEST_F(file, position)
{
	unsigned long words[] = { LHREQ_BREAK, 0 };
	struct lguest_exit exit;
	int fd = self->vm.fd;

	ASSERT_EQ(sizeof(words), write(fd, words, sizeof(words)));
	EXPECT_EQ(0, lseek(fd, 0, SEEK_CUR));
	ASSERT_EQ(1, lseek(fd, 1, SEEK_SET));
	REFUSED(EINVAL, write(fd, words, sizeof(words)));
	REFUSED(EINVAL, read(fd, &exit, sizeof(exit)));
	EXPECT_EQ(1, lseek(fd, 0, SEEK_CUR));
	lseek(fd, 0x7fffffffffffffff, SEEK_SET);
	REFUSED(EINVAL, write(fd, words, sizeof(words)));
	ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
	ends_well(&self->vm);
}

/* ---- In vectors: each piece is a request, or a read, of its own ---- */
TEST_F(file, vectors)
{
	unsigned long on[] = { LHREQ_BREAK, 1 }, off[] = { LHREQ_BREAK, 0 };
	unsigned long bad[] = { LHREQ_BREAK, 2 };
	struct iovec good[] = { { on, sizeof(on) }, { off, sizeof(off) } };
	struct iovec mixed[] = { { on, sizeof(on) }, { bad, sizeof(bad) }, { off, sizeof(off) } };
	struct iovec split[] = { { on, sizeof(long) }, { on + 1, sizeof(long) } };
	struct lguest_exit exit[2];
	struct iovec buffers[] = { { &exit[0], sizeof(*exit) }, { &exit[1], sizeof(*exit) } };
	struct iovec small[] = { { &exit[0], 8 }, { &exit[1], sizeof(*exit) } };
	static struct iovec many[1024];
	int fd = self->vm.fd, i;

	self->vm.mailbox->in[WORK_MODE] = WORK_SYNC;
	EXPECT_EQ(sizeof(on) + sizeof(off), writev(fd, good, 2));
	vm_sync(&self->vm, 0);
	/* Up to the one that is refused. */
	EXPECT_EQ(sizeof(on), writev(fd, mixed, 3));
	EXPECT_EQ(LGUEST_EXIT_BREAK, vm_run(&self->vm));
	EXPECT_EQ(sizeof(off), write(fd, off, sizeof(off)));
	REFUSED(EINVAL, writev(fd, split, 2));
	for (i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = good[i & 1];
	EXPECT_EQ(512 * (sizeof(on) + sizeof(off)), writev(fd, many, ARRAY_SIZE(many)));
	vm_sync(&self->vm, 0);

	memset(exit, 0x5a, sizeof(exit));
	EXPECT_LT(0, preadv(fd, buffers, 2, 0));
	EXPECT_EQ(LGUEST_EXIT_NOTIFY, exit[0].reason);
	EXPECT_EQ(0x5a5a5a5a, exit[1].reason);
	REFUSED(EINVAL, preadv(fd, small, 2, 0));
	REFUSED(EINVAL, preadv(fd, buffers, 2, 1));
	ends_well(&self->vm);
}

/* Sizes beyond all sense. */
TEST_F(file, huge_counts)
{
	static const size_t sizes[] = { 7 * sizeof(long), PAGE, 0x7fffffff, 0x7ffff000,
					(size_t)-1 / 2, (size_t)-1 };
	void *all = mmap(NULL, 64ul << 20, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int i;

	ASSERT_NE(MAP_FAILED, all);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		/* One that is too long for the address space is not even looked at. */
		EXPECT_EQ(-1, syscall(SYS_write, self->vm.fd, all, sizes[i]));
		EXPECT_TRUE(errno == EINVAL || errno == EFAULT);
	}
	self->vm.mailbox->in[WORK_MODE] = WORK_SYNC;
	ASSERT_LT(0, syscall(SYS_read, self->vm.fd, all, 64ul << 20));
	EXPECT_EQ(LGUEST_EXIT_NOTIFY, ((struct lguest_exit *)all)->reason);
	munmap(all, 64ul << 20);
	ends_well(&self->vm);
}

/* ---- The Guest's own memory as a buffer ---- */
TEST_F(file, exits_into_guest_memory)
{
	struct vm *vm = &self->vm;
	unsigned long words[] = { LHREQ_GETREG, LGUEST_REG_IP, 0 };
	unsigned int i;

	vm->mailbox->in[WORK_MODE] = WORK_SYNC;
	vm_sync(vm, 0);
	/* Somewhere in its memory; then in its page directory, which it bears or not. */
	ASSERT_LT(0, pread(vm->fd, vm->memory.base + 0x800000, PAGE, 0));
	EXPECT_EQ(LGUEST_EXIT_NOTIFY, *(uint32_t *)(vm->memory.base + 0x800000));
	words[2] = (unsigned long)vm->memory.base + 0x800000;
	ASSERT_EQ(sizeof(words), write(vm->fd, words, sizeof(words)));
	for (i = 0; i < 100; i++) {
		words[2] = (unsigned long)vm->memory.base + vm->pgdir + 8 * i;
		ASSERT_EQ(sizeof(words), write(vm->fd, words, sizeof(words)));
	}
	/* The request itself lies there, too. */
	memcpy(vm->memory.base + 0x900000, words, sizeof(words));
	ASSERT_EQ(sizeof(words), write(vm->fd, vm->memory.base + 0x900000, sizeof(words)));
	for (i = 0; i < 4; i++)
		if (pread(vm->fd, vm->memory.base + vm->pgdir, PAGE, 0) < 0)
			break;
}

/* ---- Many at once ---- */
#define THREADS	8

static struct vm shared_vm;
static pthread_barrier_t barrier;
static int initialized, refused;

static void *initialize_at_once(void *arg)
{
	int err;

	pthread_barrier_wait(&barrier);
	err = lguest_initialize(shared_vm.fd, shared_vm.memory.base,
				shared_vm.memory.size / LGUEST_PAGE_SIZE, shared_vm.pgdir,
				shared_vm.entry);
	__atomic_add_fetch(err ? &refused : &initialized, 1, __ATOMIC_RELAXED);
	if (err && err != -EBUSY)
		FAIL("INITIALIZE: %s", strerror(-err));
	if (err) {
		if (lguest_run(shared_vm.fd, &(struct lguest_exit){ 0 }) != -EPERM)
			FAIL("another thread's vCPU ran");
		return NULL;
	}
	shared_vm.mailbox->in[WORK_STOP] = 1;
	vm_pass(&shared_vm);
	return NULL;
}

TEST(initialize_by_many_threads_at_once)
{
	pthread_t thread[THREADS];
	int rounds = test_rounds(10, 100), round, i;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (round = 0; round < rounds; round++) {
		vm_load(&shared_vm, "work", NULL);
		initialized = 0;
		refused = 0;
		for (i = 0; i < THREADS; i++)
			ASSERT_EQ(0, pthread_create(&thread[i], NULL, initialize_at_once, NULL));
		for (i = 0; i < THREADS; i++)
			pthread_join(thread[i], NULL);
		EXPECT_EQ(1, initialized);
		EXPECT_EQ(THREADS - 1, refused);
		vm_stop(&shared_vm);
	}
}

/* Requests that are anybody's, from several threads, while the Guest runs and when it has ended. */
static volatile int stop;

static void *ask_for_all(void *arg)
{
	uint64_t random = (uintptr_t)arg;
	int fd = shared_vm.fd;

	while (!stop) {
		uint64_t r = test_random(&random);
		unsigned long words[] = { r % 13, r >> 8 & 3, r >> 12 & 0xffff, r >> 32 & 0xff,
					  r >> 40 & 3, r >> 44 & 1 };

		/* Not those of the vCPU's own task: this one is refused there. */
		if (write(fd, words, (2 + r % 5) * sizeof(long)) < 0 && errno == EIO)
			FAIL("%s", strerror(errno));
		if (words[0] == LHREQ_BREAK)
			lguest_break(fd, 0);
	}
	return NULL;
}

TEST(requests_of_many_threads)
{
	pthread_t thread[4];
	int rounds = test_rounds(2000, 10000), i, came;

	vm_start(&shared_vm, "work", NULL);
	shared_vm.mailbox->in[WORK_MODE] = WORK_SYNC;
	stop = 0;
	for (i = 0; i < ARRAY_SIZE(thread); i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, ask_for_all, (void *)(uintptr_t)i));
	for (i = 0; i < rounds; i++) {
		came = vm_run(&shared_vm);
		ASSERT_TRUE(came == LGUEST_EXIT_NOTIFY || came == LGUEST_EXIT_BREAK ||
			    came == -EINTR) {
			TH_LOG("%d: %s", came, shared_vm.exit.text);
		}
	}
	shared_vm.mailbox->in[WORK_STOP] = 1;
	do
		came = vm_run(&shared_vm);
	while (came != LGUEST_EXIT_SHUTDOWN);
	/* They go on for a while with one that is dead. */
	usleep(20000);
	stop = 1;
	for (i = 0; i < ARRAY_SIZE(thread); i++)
		pthread_join(thread[i], NULL);
	vm_stop(&shared_vm);
}

/* ---- io_uring: other tasks of the kernel's, which have the launcher's memory ---- */
struct uring {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static bool uring_open(struct uring *ring)
{
	struct io_uring_params p = { 0 };
	size_t size;
	char *at;

	ring->fd = syscall(SYS_io_uring_setup, 8, &p);
	if (ring->fd < 0)
		return false;
	size = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, p.sq_entries * sizeof(*ring->sqes), PROT_READ | PROT_WRITE,
			  MAP_SHARED, ring->fd, IORING_OFF_SQES);
	if (at == MAP_FAILED || ring->sqes == MAP_FAILED)
		FAIL("io_uring: %s", strerror(errno));
	ring->sq_tail = (void *)(at + p.sq_off.tail);
	ring->sq_mask = (void *)(at + p.sq_off.ring_mask);
	ring->sq_array = (void *)(at + p.sq_off.array);
	ring->cq_head = (void *)(at + p.cq_off.head);
	ring->cq_tail = (void *)(at + p.cq_off.tail);
	ring->cq_mask = (void *)(at + p.cq_off.ring_mask);
	ring->cqes = (void *)(at + p.cq_off.cqes);
	return true;
}

static void uring_submit(struct uring *ring, int op, int fd, void *buffer, unsigned int len)
{
	unsigned int tail = *ring->sq_tail, at = tail & *ring->sq_mask;

	ring->sqes[at] = (struct io_uring_sqe){
		.opcode = op, .fd = fd, .addr = (uintptr_t)buffer, .len = len, .off = 0,
	};
	ring->sq_array[at] = at;
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0) != 1)
		FAIL("io_uring_enter: %s", strerror(errno));
}

static int uring_wait(struct uring *ring)
{
	unsigned int head = *ring->cq_head;
	int result;

	while (__atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) == head)
		if (syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) <
			    0 &&
		    errno != EINTR)
			FAIL("io_uring_enter: %s", strerror(errno));
	result = ring->cqes[head & *ring->cq_mask].res;
	__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
	return result;
}

/* By a worker, this thread's vCPU is not run; what is anybody's is done. */
TEST_F(file, io_uring_is_another_task)
{
	unsigned long irq[] = { LHREQ_IRQ, 1 }, name[] = { LHREQ_NAME, (unsigned long)"ring", 4 };
	unsigned long reg[] = { LHREQ_SETREG, LGUEST_REG_IP, 0 };
	struct lguest_exit exit;
	struct uring ring;

	if (!uring_open(&ring))
		SKIP(return, "no io_uring");
	uring_submit(&ring, IORING_OP_READ, self->vm.fd, &exit, sizeof(exit));
	EXPECT_EQ(-EPERM, uring_wait(&ring));
	uring_submit(&ring, IORING_OP_WRITE, self->vm.fd, reg, sizeof(reg));
	EXPECT_EQ(-EPERM, uring_wait(&ring));
	uring_submit(&ring, IORING_OP_WRITE, self->vm.fd, irq, sizeof(irq));
	EXPECT_EQ(sizeof(irq), uring_wait(&ring));
	uring_submit(&ring, IORING_OP_WRITE, self->vm.fd, name, sizeof(name));
	EXPECT_EQ(sizeof(name), uring_wait(&ring));
	close(ring.fd);
	ends_well(&self->vm);
}

/* A worker initialises a Guest and runs it, for as long as it is let; nobody else can. */
static void run_by_workers(bool spins)
{
	struct lguest_exit exit;
	struct uring ring;
	struct vm vm;
	int came;

	if (!uring_open(&ring))
		_exit(4);
	vm_load(&vm, "work", NULL);
	{
		unsigned long words[] = { LHREQ_INITIALIZE, (unsigned long)vm.memory.base,
					  vm.memory.size / PAGE, vm.pgdir, vm.entry };

		uring_submit(&ring, IORING_OP_WRITE, vm.fd, words, sizeof(words));
		if (uring_wait(&ring) != sizeof(words))
			FAIL("INITIALIZE by a worker");
	}
	if (lguest_run(vm.fd, &exit) != -EPERM)
		FAIL("a worker's Guest ran elsewhere");
	if (!spins)
		vm.mailbox->in[WORK_STOP] = 1;
	uring_submit(&ring, IORING_OP_READ, vm.fd, &exit, sizeof(exit));
	if (spins)
		for (;;)
			pause();
	/* The same worker, or another one of whom it is not. */
	came = uring_wait(&ring);
	if (came < 0 ? came != -EPERM && came != -EINTR : exit.reason != LGUEST_EXIT_SHUTDOWN)
		FAIL("read by a worker: %d", came);
	_exit(0);
}

TEST(guest_of_an_io_uring_worker)
{
	int status, spins, i;
	pid_t child;

	for (i = 0; i < 10; i++) {
		spins = i & 1;
		child = fork();
		ASSERT_LE(0, child);
		if (!child)
			run_by_workers(spins);
		if (spins) {
			usleep(20000 * i);
			ASSERT_EQ(0, kill(child, SIGKILL));
		}
		/* A worker inside a Guest goes when its process does. */
		ASSERT_EQ(child, waitpid(child, &status, 0));
		if (!spins && WIFEXITED(status) && WEXITSTATUS(status) == 4)
			SKIP(return, "no io_uring");
		EXPECT_TRUE(spins ? WIFSIGNALED(status) : !status) TH_LOG("status 0x%x", status);
	}
}

TEST_HARNESS_MAIN
