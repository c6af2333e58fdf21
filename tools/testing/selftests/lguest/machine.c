// SPDX-License-Identifier: GPL-2.0
/*
 * What a Guest's kernel finds of a processor: processes, traps, interrupts, devices, by hypercalls
 * and without any. Each Guest is a kernel that checks by itself what it finds.
 *
 * lguest-host: timeout=600
 * lguest-host: smp=2 timeout=600
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>

#include <asm/lguest.h>

#include "harness.h"
#include "look.h"
#include "guests/calls.h"
#include "guests/channel.h"
#include "guests/clock.h"
#include "guests/kernel_stacks.h"
#include "guests/promises.h"
#include "guests/stacks.h"
#include "guests/trapped.h"
#include "guests/vectors.h"

TEST(processes)
{
	vm_passes("processes", NULL);
	vm_passes("processes", &(struct vm_options){ .page_offset = PAGE_OFFSET_OTHER });
}

TEST(exceptions_of_user_level)
{
	vm_passes("exceptions", NULL);
}

TEST(instructions_of_kernel_level)
{
	vm_passes("instructions", NULL);
}

TEST(breakpoints_and_cr4)
{
	vm_passes("breakpoints", NULL);
	vm_passes("breakpoints", &(struct vm_options){ .page_offset = PAGE_OFFSET_OTHER });
}

TEST(a_kernel_that_knows_nothing_of_us)
{
	vm_passes("unaware", NULL);
	vm_passes("unaware", &(struct vm_options){ .page_offset = PAGE_OFFSET_OTHER });
}

TEST(a_kernel_of_the_old_interface)
{
	vm_passes("historic", NULL);
	vm_passes("historic", &(struct vm_options){ .page_offset = PAGE_OFFSET_OTHER });
}

TEST(kernel_stacks_of_two_pages)
{
	uint32_t low;
	struct vm vm;

	vm_passes("kernel_stacks", NULL);
	/* A frame of which one page can be written: not a byte of it is (M6), and the Guest ends. */
	for (low = KERNEL_STACKS_ABSENT; low <= KERNEL_STACKS_READ_ONLY; low++) {
		vm_start(&vm, "kernel_stacks", NULL);
		vm.mailbox->in[KERNEL_STACKS_LOW] = low;
		vm_dies(&vm, "no handler for double fault (#DF, 8)");
		EXPECT_EQ(0, *(uint64_t *)lguest_memory_at(&vm.memory,
							   vm.mailbox->out[KERNEL_STACKS_MIDDLE], 8));
		vm_stop(&vm);
	}
}

/* S9: what IRET leaves of ESP is no address of the Host's. */
TEST(stacks_of_16_bits)
{
	struct vm vm;

	vm_start(&vm, "stacks", NULL);
	vm.mailbox->in[STACKS_TURNS] = test_rounds(100000, 1000000);
	vm_pass(&vm);
	vm_stop(&vm);
}

/* ---- Traps that the launcher wants ---- */

/* Where the vCPU is to be when it is taken back: asleep, or at user level. */
struct where {
	struct vm *vm;
	char folder[LOOK_FOLDER];
	const volatile uint32_t *counter;	/* or NULL: asleep */
};

static void *take_back(void *argument)
{
	struct where *where = argument;
	char state[32];

	for (;;) {
		if (where->counter) {
			if (*where->counter)
				break;
		} else {
			look_file(where->folder, "state", state, sizeof(state));
			if (!strcmp(state, "halted\n"))
				break;
		}
		usleep(1000);
	}
	lguest_break(where->vm->fd, 1);
	return NULL;
}

/* Runs until it is there, and makes a trap there. */
static void trap_there(struct where *where, unsigned int vector)
{
	struct vm *vm = where->vm;
	pthread_t thread;

	if (pthread_create(&thread, NULL, take_back, where))
		FAIL("no thread");
	if (lguest_run(vm->fd, &vm->exit) || vm->exit.reason != LGUEST_EXIT_BREAK)
		FAIL("exit %u, not a break", vm->exit.reason);
	pthread_join(thread, NULL);
	if (lguest_break(vm->fd, 0) || lguest_trap(vm->fd, vector))
		FAIL("the trap is refused");
}

TEST(traps_by_the_launcher)
{
	/* LOAD_IDT_ENTRY sets none for these. */
	const uint32_t no_gate = 1u << 2 | 1u << 8 | 1u << 15 | 1u << 31;
	struct where where;
	unsigned int vector, count = 0;
	struct vm vm;
	uint32_t *out;

	vm_start(&vm, "trapped", NULL);
	where.vm = &vm;
	look_folder(where.folder, sizeof(where.folder));
	out = vm.mailbox->out;
	vm_sync(&vm, TRAPPED_GOES_ON);
	for (vector = 0; vector < 32; vector++) {
		if (!(no_gate >> vector & 1)) {
			out[TRAPPED_ERROR] = 0xdead;
			ASSERT_EQ(0, lguest_trap(vm.fd, vector));
			count++;
		}
		vm_sync(&vm, vector < 31 ? TRAPPED_GOES_ON : TRAPPED_HALTS);
		EXPECT_EQ(count, out[TRAPPED_COUNT]);
		if (no_gate >> vector & 1)
			continue;
		EXPECT_EQ(vector, out[TRAPPED_VECTOR]);
		EXPECT_EQ(0, out[TRAPPED_ERROR]);
		EXPECT_EQ(1, out[TRAPPED_LEVEL]);
	}

	/* An exception ends a HLT; a Guest that slept on would never come here. */
	where.counter = NULL;
	trap_there(&where, 6);
	vm_sync(&vm, TRAPPED_COUNTS);
	EXPECT_EQ(count + 1, out[TRAPPED_COUNT]);
	EXPECT_EQ(6, out[TRAPPED_VECTOR]);

	where.counter = lguest_memory_at(&vm.memory, out[TRAPPED_COUNTER], 4);
	trap_there(&where, 13);
	vm_pass(&vm);
	EXPECT_EQ(13, out[TRAPPED_VECTOR]);
	EXPECT_EQ(3, out[TRAPPED_LEVEL]);
	vm_stop(&vm);

	vm_start(&vm, "trapped", NULL);
	vm_sync(&vm, TRAPPED_GOES_ON);
	ASSERT_EQ(0, lguest_trap(vm.fd, 2));
	vm_dies(&vm, "no handler for NMI (2)");
	vm_stop(&vm);
}

/* ---- Hypercalls in a ring; the window at an IRET ---- */

TEST(calls_keep_their_order)
{
	uint32_t next = CALLS_FIRST;
	struct vm vm;
	int came;

	vm_start(&vm, "calls", NULL);
	while ((came = vm_run(&vm)) == LGUEST_EXIT_NOTIFY) {
		ASSERT_EQ(next, vm.exit.gpa);
		next++;
	}
	ASSERT_EQ(LGUEST_EXIT_SHUTDOWN, came);
	ASSERT_STREQ("passed", vm.exit.text) TH_LOG("%s", vm.exit.text);
	EXPECT_EQ(CALLS_FIRST + CALLS_ROUNDS * (CALLS_ROUND + 1), next);
	vm_stop(&vm);
}

static atomic_bool fill, filled;

/* All 64 entries wait, and as soon as one is done it waits again. */
static void *fill_ring(void *argument)
{
	volatile struct lguest_data *data = argument;
	int i;

	while (fill) {
		for (i = 0; i < LGUEST_HCALL_RING; i++)
			data->hcall_status[i] = LGUEST_HCALL_WAITING;
		filled = true;
	}
	return NULL;
}

static unsigned long long stat_of(const char *folder, const char *name)
{
	static char text[4096];

	look_file(folder, "stats", text, sizeof(text));
	return look_number(text, name, 10);
}

/* However fast the ring is filled, a call waits for one round of it. */
TEST(a_ring_that_never_empties)
{
	unsigned long long before, done;
	struct lguest_data *data;
	char folder[LOOK_FOLDER];
	pthread_t thread;
	struct vm vm;

	vm_start(&vm, "promises", NULL);
	vm.mailbox->in[PROMISES_MODE] = PROMISES_RING;
	vm_sync(&vm, 1);
	look_folder(folder, sizeof(folder));
	data = lguest_memory_at(&vm.memory, vm.mailbox->out[PROMISES_DATA], sizeof(*data));
	memset(data->hcalls, 0, sizeof(data->hcalls));
	before = stat_of(folder, "hypercalls_ring");
	fill = true;
	ASSERT_EQ(0, pthread_create(&thread, NULL, fill_ring, data));
	/* The Guest's calls are soon made: not before the thread has come to run. */
	while (!filled)
		sched_yield();
	vm_sync(&vm, 2);
	fill = false;
	pthread_join(thread, NULL);
	done = stat_of(folder, "hypercalls_ring") - before;
	TH_LOG("%llu calls by the ring with %u by INT", done, PROMISES_CALLS + 1);
	EXPECT_LT(0, done);
	EXPECT_GE((PROMISES_CALLS + 1) * LGUEST_HCALL_RING, done);
	vm_pass(&vm);
	vm_stop(&vm);
}

/* Page directories share the shadow of what they have in common, and keep theirs. */
TEST(directories_back_and_forth_cost_no_refill)
{
	unsigned long long fills, made, faults;
	char folder[LOOK_FOLDER];
	struct vm vm;

	vm_start(&vm, "promises", NULL);
	vm.mailbox->in[PROMISES_MODE] = PROMISES_DIRECTORIES;
	vm_sync(&vm, 1);
	look_folder(folder, sizeof(folder));
	fills = stat_of(folder, "shadow_fills") + stat_of(folder, "shadow_prefills");
	made = stat_of(folder, "shadow_pages_made");
	faults = stat_of(folder, "page_faults");
	vm_sync(&vm, 2);
	/* Two hundred visits of 64 pages; what little there is, the host may have taken. */
	EXPECT_GE(fills + 64, stat_of(folder, "shadow_fills") + stat_of(folder, "shadow_prefills"));
	EXPECT_EQ(made, stat_of(folder, "shadow_pages_made"));
	EXPECT_GE(faults + 64, stat_of(folder, "page_faults"));
	vm_pass(&vm);
	vm_stop(&vm);
}

/* ---- Time ---- */

static atomic_bool spin;

static void *spinner(void *unused)
{
	while (spin)
		;
	return NULL;
}

static int64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* By how much the Guest's clock is ahead of ours: somewhere between these, in ns. */
struct offset {
	int64_t low, high;
};

/*
 * Asks until the answer is a good one; a clock that only ticks cannot give one that good, nor can an
 * emulator that is slow by its own clock as well. Never so bad that a drift of two milliseconds is not
 * seen.
 */
static struct offset compare_clocks(struct vm *vm)
{
	struct offset offset;
	int64_t before, after, guest, good;
	int tries = 0;

	do {
		before = now(CLOCK_REALTIME);
		vm_sync(vm, 1);
		after = now(CLOCK_REALTIME);
		guest = vm->mailbox->out[CLOCK_SECONDS] * 1000000000ll + vm->mailbox->out[CLOCK_NS];
		offset = (struct offset){ guest - after, guest - before };
		good = !vm->mailbox->out[CLOCK_TSC_KHZ] ? 20000000 : ++tries < 1000 ? 200000 : 500000;
	} while (offset.high - offset.low > good);
	return offset;
}

/* A minute in check-long. However busy the host is, it can only make the test slow. */
TEST(clocks_do_not_drift)
{
	int64_t seconds = test_rounds(2, 60), end, drift;
	pthread_t busy[3];
	struct offset first, last;
	struct vm vm;
	int i;

	spin = true;
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&busy[i], NULL, spinner, NULL));
	vm_start(&vm, "clock", NULL);
	first = compare_clocks(&vm);
	for (end = now(CLOCK_MONOTONIC) + seconds * 1000000000; now(CLOCK_MONOTONIC) < end;)
		vm_sync(&vm, 1);
	last = compare_clocks(&vm);
	spin = false;
	/* What is certain of it. */
	drift = last.low - first.high > 0 ? last.low - first.high :
		first.low - last.high > 0 ? first.low - last.high : 0;
	TH_LOG("%lld ns in %lld s, give or take %lld; %u ticks", (long long)drift,
	       (long long)seconds, (long long)(last.high - last.low + first.high - first.low),
	       vm.mailbox->out[CLOCK_TICKS]);
	EXPECT_GT(1000000, drift);
	EXPECT_LT(0, vm.mailbox->out[CLOCK_TICKS]);
	vm.mailbox->in[CLOCK_STOP] = 1;
	vm_pass(&vm);
	vm_stop(&vm);
	for (i = 0; i < 3; i++)
		pthread_join(busy[i], NULL);
}

static int64_t cpu_time(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000ll +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000ll;
}

/* Of 50 ms. */
static int ticks_to_sleep(void)
{
	return test_rounds(25, 200);
}

static void *stop_clock(void *argument)
{
	struct vm *vm = argument;

	while (vm->mailbox->out[CLOCK_TICKS] < ticks_to_sleep())
		usleep(10000);
	vm->mailbox->in[CLOCK_STOP] = 1;
	return NULL;
}

/* Ticks, and sleep between them. */
TEST(who_sleeps_uses_no_cpu)
{
	int64_t began, used;
	pthread_t stopper;
	struct vm vm;

	vm_load(&vm, "clock", NULL);
	vm.mailbox->in[CLOCK_MODE] = CLOCK_IDLE;
	ASSERT_EQ(0, lguest_initialize(vm.fd, vm.memory.base, vm.memory.size / LGUEST_PAGE_SIZE,
				       vm.pgdir, vm.entry));
	ASSERT_EQ(0, pthread_create(&stopper, NULL, stop_clock, &vm));
	began = now(CLOCK_MONOTONIC);
	used = cpu_time();
	vm_pass(&vm);
	used = cpu_time() - used;
	began = now(CLOCK_MONOTONIC) - began;
	pthread_join(stopper, NULL);
	TH_LOG("%lld us of %lld", (long long)used / 1000, (long long)began / 1000);
	EXPECT_LE(ticks_to_sleep() * 50000000ll, began);
	EXPECT_GT(began / 5, used);
	vm_stop(&vm);
}

/* ---- Devices: bytes that the launcher keeps ---- */

struct device {
	uint8_t memory[DEVICE_SIZE], port[DEVICE_PORTS];
	unsigned int accesses;
};

static void claim_device(struct vm *vm)
{
	if (lguest_window(vm->fd, LGUEST_SPACE_MEMORY, DEVICE_GPA, DEVICE_SIZE, true) ||
	    lguest_window(vm->fd, LGUEST_SPACE_PORT, DEVICE_PORT, DEVICE_PORTS, true))
		FAIL("the windows are refused");
}

/*
 * Serves one access; now and then the launcher reads again before it answers, and is told the same.
 */
static void serve_device(struct vm *vm, struct device *device, int came)
{
	struct lguest_exit first = vm->exit;
	bool memory = came == LGUEST_EXIT_MEMORY;
	uint64_t start = memory ? DEVICE_GPA : DEVICE_PORT,
		 size = memory ? DEVICE_SIZE : DEVICE_PORTS, value = 0;
	uint8_t *at = memory ? device->memory : device->port;

	if (first.gpa < start || first.size > 4 || first.gpa + first.size > start + size)
		FAIL("an access outside the windows: 0x%llx, %u", (unsigned long long)first.gpa,
		     first.size);
	at += first.gpa - start;
	device->accesses++;
	if (first.write) {
		memcpy(at, &first.value, first.size);
		if (!lguest_answer(vm->fd, 0))
			FAIL("a write takes an answer");
		return;
	}
	if (device->accesses % 7 == 0 && (vm_run(vm) != came || vm->exit.gpa != first.gpa ||
					  vm->exit.size != first.size || vm->exit.write))
		FAIL("without an answer, another access is told");
	memcpy(&value, at, first.size);
	/* Only as many bytes as were asked for count. */
	if (lguest_answer(vm->fd, value | 0xa5a5a500ull << 8 * (first.size - 1)))
		FAIL("the answer is refused");
}

TEST(devices)
{
	static struct device device;
	struct vm vm;
	int came;

	vm_start(&vm, "devices", NULL);
	claim_device(&vm);
	while ((came = vm_run(&vm)) == LGUEST_EXIT_MEMORY || came == LGUEST_EXIT_PORT)
		serve_device(&vm, &device, came);
	ASSERT_EQ(LGUEST_EXIT_SHUTDOWN, came);
	ASSERT_STREQ("passed", vm.exit.text) TH_LOG("%s", vm.exit.text);
	EXPECT_EQ(-ENOENT, lguest_answer(vm.fd, 0));
	TH_LOG("%u accesses", device.accesses);
	vm_stop(&vm);
}

TEST(windows_that_cannot_be)
{
	const unsigned int memory = LGUEST_SPACE_MEMORY, port = LGUEST_SPACE_PORT;
	unsigned int i;
	struct vm vm;

	vm_start(&vm, "devices", NULL);
	EXPECT_EQ(-EINVAL, lguest_window(vm.fd, 2, DEVICE_GPA, 1, true));
	EXPECT_EQ(-EINVAL, lguest_window(vm.fd, memory, DEVICE_GPA, 0, true));
	EXPECT_EQ(-EINVAL, lguest_window(vm.fd, memory, 0xffffffff, 2, true));
	EXPECT_EQ(-EINVAL, lguest_window(vm.fd, port, 0xffff, 2, true));
	EXPECT_EQ(-EINVAL, lguest_window(vm.fd, port, 0x10000, 1, true));
	/* RAM. */
	EXPECT_EQ(-EINVAL, lguest_window(vm.fd, memory, 0, 0x1000, true));
	EXPECT_EQ(-EINVAL, lguest_window(vm.fd, memory, vm.memory.size - 1, 2, true));
	EXPECT_EQ(0, lguest_window(vm.fd, memory, vm.memory.size, 2, true));
	/* Overlaps, of the same kind. */
	EXPECT_EQ(0, lguest_window(vm.fd, port, 0x100, 0x10, true));
	EXPECT_EQ(-EEXIST, lguest_window(vm.fd, port, 0x100, 0x10, true));
	EXPECT_EQ(-EEXIST, lguest_window(vm.fd, port, 0x10f, 1, true));
	EXPECT_EQ(-EEXIST, lguest_window(vm.fd, port, 0x0, 0x101, true));
	EXPECT_EQ(-EEXIST, lguest_window(vm.fd, port, 0x0, 0x1000, true));
	EXPECT_EQ(0, lguest_window(vm.fd, port, 0x110, 1, true));
	EXPECT_EQ(0, lguest_window(vm.fd, port, 0xff, 1, true));
	/* Removed by the same words only. */
	EXPECT_EQ(-ESRCH, lguest_window(vm.fd, port, 0x100, 0xf, false));
	EXPECT_EQ(-ESRCH, lguest_window(vm.fd, memory, vm.memory.size, 3, false));
	EXPECT_EQ(0, lguest_window(vm.fd, port, 0x100, 0x10, false));
	EXPECT_EQ(-ESRCH, lguest_window(vm.fd, port, 0x100, 0x10, false));
	/* As many as there may be. */
	for (i = 0; !lguest_window(vm.fd, port, 0x1000 + i, 1, true) && i < 10000; i++)
		;
	EXPECT_EQ(-ENOSPC, lguest_window(vm.fd, port, 0x1000 + i, 1, true));
	EXPECT_GE(i, 32);
	vm_stop(&vm);
}

TEST(eventfds_that_cannot_be)
{
	const unsigned int memory = LGUEST_SPACE_MEMORY;
	int fd = eventfd(0, 0), other = eventfd(0, 0), i, err = 0;
	struct vm vm;

	vm_start(&vm, "devices", NULL);
	claim_device(&vm);
	EXPECT_EQ(-EBADF, lguest_irqfd(vm.fd, 1, -1, true));
	EXPECT_EQ(-EBADF, lguest_irqfd(vm.fd, 1, 0, true));
	EXPECT_EQ(-EINVAL, lguest_irqfd(vm.fd, 32, fd, true));
	EXPECT_EQ(-ESRCH, lguest_irqfd(vm.fd, 1, fd, false));
	EXPECT_EQ(0, lguest_irqfd(vm.fd, 1, fd, true));
	EXPECT_EQ(-EBUSY, lguest_irqfd(vm.fd, 1, fd, true));
	EXPECT_EQ(0, lguest_irqfd(vm.fd, 2, fd, true));
	EXPECT_EQ(0, lguest_irqfd(vm.fd, 1, other, true));
	EXPECT_EQ(0, lguest_irqfd(vm.fd, 1, fd, false));
	EXPECT_EQ(-ESRCH, lguest_irqfd(vm.fd, 1, fd, false));

	EXPECT_EQ(-EINVAL, lguest_doorbell(vm.fd, memory, DEVICE_GPA - 4, 4, fd, true));
	EXPECT_EQ(-EINVAL,
		  lguest_doorbell(vm.fd, memory, DEVICE_GPA + DEVICE_SIZE - 2, 4, fd, true));
	EXPECT_EQ(-EINVAL, lguest_doorbell(vm.fd, memory, DEVICE_GPA, 3, fd, true));
	EXPECT_EQ(-EBADF, lguest_doorbell(vm.fd, memory, DEVICE_GPA, 4, vm.fd, true));
	EXPECT_EQ(0, lguest_doorbell(vm.fd, memory, DEVICE_GPA, 4, fd, true));
	EXPECT_EQ(-EEXIST, lguest_doorbell(vm.fd, memory, DEVICE_GPA, 4, other, true));
	EXPECT_EQ(0, lguest_doorbell(vm.fd, memory, DEVICE_GPA, 2, other, true));
	EXPECT_EQ(-ESRCH, lguest_doorbell(vm.fd, memory, DEVICE_GPA, 4, other, false));
	EXPECT_EQ(0, lguest_doorbell(vm.fd, memory, DEVICE_GPA, 4, fd, false));

	/* More than there may be; and closing them makes room again, sooner or later. */
	for (i = 0; i < 1000 && !err; i++) {
		close(fd);
		fd = eventfd(0, 0);
		err = lguest_irqfd(vm.fd, 3, fd, true);
	}
	EXPECT_TRUE(!err || err == -ENOSPC) TH_LOG("%d", err);
	vm_stop(&vm);
	close(fd);
	close(other);
}

/* ---- Producer and consumer ---- */

static struct channel *channel;
static int line_fd, bell_fd;
static atomic_bool channel_failed;

static void *produce(void *unused)
{
	volatile struct channel_ring *ring = &channel->to_guest;
	uint32_t n;

	for (n = 0; n < CHANNEL_ITEMS; n++) {
		while (ring->put - ring->taken == CHANNEL_SLOTS)
			sched_yield();
		ring->item[ring->put % CHANNEL_SLOTS] = channel_item(n);
		atomic_thread_fence(memory_order_seq_cst);
		ring->put++;
		if (eventfd_write(line_fd, 1))
			channel_failed = true;
	}
	return NULL;
}

static void *consume(void *unused)
{
	volatile struct channel_ring *ring = &channel->from_guest;
	uint32_t n = 0;
	eventfd_t rings;

	while (n < CHANNEL_ITEMS) {
		if (eventfd_read(bell_fd, &rings))
			channel_failed = true;
		for (; ring->taken != ring->put; n++) {
			if (ring->item[ring->taken % CHANNEL_SLOTS] != ~channel_item(n))
				channel_failed = true;
			atomic_thread_fence(memory_order_seq_cst);
			ring->taken++;
		}
	}
	return NULL;
}

TEST(lines_and_doorbells)
{
	pthread_t producer, consumer;
	struct vm vm;

	vm_start(&vm, "lines", NULL);
	claim_device(&vm);
	line_fd = eventfd(0, 0);
	bell_fd = eventfd(0, 0);
	ASSERT_EQ(0, lguest_irqfd(vm.fd, CHANNEL_LINE, line_fd, true));
	ASSERT_EQ(0, lguest_doorbell(vm.fd, LGUEST_SPACE_MEMORY, DOORBELL_GPA, 4, bell_fd, true));
	vm_sync(&vm, 1);
	channel = lguest_memory_at(&vm.memory, vm.mailbox->out[0], sizeof(*channel));
	ASSERT_EQ(0, pthread_create(&producer, NULL, produce, NULL));
	ASSERT_EQ(0, pthread_create(&consumer, NULL, consume, NULL));
	vm_pass(&vm);
	pthread_join(producer, NULL);
	pthread_join(consumer, NULL);
	EXPECT_FALSE(channel_failed);
	vm_stop(&vm);
	/* The Guest is gone: its line raises nothing, its bell is nobody's. */
	EXPECT_EQ(0, eventfd_write(line_fd, 1));
	close(line_fd);
	close(bell_fd);
}

/* ---- Lines as the Guest's choice of vectors ---- */

/* The extension of guests/vectors.c, which has not started. */
static struct lguest_extension *extension_of(struct vm *vm)
{
	size_t at;

	for (at = 0; at + sizeof(struct lguest_extension) <= vm->memory.size; at += 4) {
		struct lguest_extension *e = lguest_memory_at(&vm->memory, at, sizeof(*e));

		if (e->magic[0] == LGUEST_EXTENSION_MAGIC_0 &&
		    e->magic[1] == LGUEST_EXTENSION_MAGIC_1)
			return e;
	}
	FAIL("no extension");
}

static void lines_come_at(struct vm *vm, uint32_t first, uint32_t features)
{
	int i, line;

	vm->mailbox->in[0] = first;
	vm->mailbox->in[1] = features;
	for (i = 1; i <= VECTORS_ROUNDS; i++) {
		vm_sync(vm, i);
		for (line = 0; line < 32; line++)
			if (VECTORS_LINES & 1u << line)
				lguest_irq(vm->fd, line);
	}
	vm_pass(vm);
	vm_stop(vm);
}

TEST(lines_come_where_the_guest_wants_them)
{
	static const uint32_t good[] = { 0x20, 0x30, 0x6b, 0xe0 };
	static const uint32_t bad[] = { 0, 8, 0x1f, 0xe1, 0xff, 0x100, 0x120, 0xffffffe0 };
	struct lguest_extension *e;
	struct vm vm;
	int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		vm_start(&vm, "vectors", NULL);
		extension_of(&vm)->first_irq_vector = good[i];
		lines_come_at(&vm, good[i], LGUEST_FEATURE_IRQ_VECTOR);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		vm_start(&vm, "vectors", NULL);
		extension_of(&vm)->first_irq_vector = bad[i];
		vm_dies(&vm, "LGUEST_INIT with interrupt lines from vector");
		vm_stop(&vm);
	}
	/* Memory of a Guest that knows of no extension: not a bit is changed. */
	for (i = 0; i < 3; i++) {
		vm_start(&vm, "vectors", NULL);
		e = extension_of(&vm);
		e->first_irq_vector = 0x40;
		e->features = 0x1234;
		if (i < 2)
			e->magic[i] ^= 0x100;
		else
			e->version = 0;
		lines_come_at(&vm, LGUEST_FIRST_IRQ_VECTOR, 0x1234);
	}
}

/* ---- Hostile tables ---- */

struct scribbler {
	struct vm *vm;
	uint64_t seed;
	atomic_bool stop;
};

/* Writes what the Guest and the Host read, raises lines, and after a while wants the vCPU back. */
static void *scribble(void *argument)
{
	struct scribbler *s = argument;
	volatile uint32_t *area =
		lguest_memory_at(&s->vm->memory, s->vm->mailbox->out[0], 8 * 4096);
	volatile uint32_t *tried = &s->vm->mailbox->out[1];
	unsigned int i;

	/* A Guest that gets nowhere is given up soon, one that does is given time. */
	for (i = 0; i < 3000 + 200 * (*tried < 100 ? *tried : 100) && !s->stop; i++) {
		uint64_t r = test_random(&s->seed);

		area[r % (8 * 1024)] = r >> 32;
		if (r >> 20 & 15)
			continue;
		lguest_irq(s->vm->fd, r >> 24 & 31);
		sched_yield();
	}
	lguest_break(s->vm->fd, 1);
	return NULL;
}

TEST(hostile_tables)
{
	uint64_t seed = test_seed(0);
	unsigned int guests = test_rounds(50, 500), n, survived = 0, tried = 0;
	struct scribbler scribbler;
	pthread_t thread;
	struct vm vm;
	int came;

	vm_small_pages();
	for (n = 0; n < guests; n++) {
		vm_load(&vm, "descriptors", NULL);
		vm.mailbox->in[0] = test_random(&seed);
		ASSERT_EQ(0,
			  lguest_initialize(vm.fd, vm.memory.base,
					    vm.memory.size / LGUEST_PAGE_SIZE, vm.pgdir, vm.entry));
		vm_sync(&vm, 1);
		scribbler = (struct scribbler){ .vm = &vm, .seed = test_random(&seed) };
		ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, &scribbler));
		/* Whatever it says by accident is not for us. */
		do {
			came = lguest_run(vm.fd, &vm.exit);
		} while (came == 0 && vm.exit.reason == LGUEST_EXIT_NOTIFY);
		scribbler.stop = true;
		pthread_join(thread, NULL);
		ASSERT_EQ(0, came);
		tried += vm.mailbox->out[1];
		if (vm.exit.reason == LGUEST_EXIT_BREAK)
			survived++;
		else
			ASSERT_TRUE(vm.exit.reason == LGUEST_EXIT_DEATH ||
				    vm.exit.reason == LGUEST_EXIT_SHUTDOWN);
		/* Whoever dies, dies of a sentence. */
		if (vm.exit.reason == LGUEST_EXIT_DEATH)
			ASSERT_NE(0, vm.exit.text[0]);
		vm_stop(&vm);
	}
	TH_LOG("%u of %u guests lived on, %u rounds", survived, guests, tried);
}

TEST_HARNESS_MAIN
