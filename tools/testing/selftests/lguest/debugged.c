// SPDX-License-Identifier: GPL-2.0
/*
 * A launcher that somebody debugs: breakpoint registers are the launcher's and never the Guest's,
 * and single steps end where the Guest begins (S5).
 */
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "harness.h"
#include "helper.h"
#include "launcher.h"
#include "guests/work.h"

#define PAGE		4096ul
#define TARGET		0x800000ul
/* Where the Guest's TARGET is to the Guest; the launcher has a page of its own there. */
#define SAME_ADDRESS	(PAGE_OFFSET_DEFAULT + TARGET)

static int watch(unsigned long address)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = address,
		.bp_len = HW_BREAKPOINT_LEN_4,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static uint64_t hits(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : -1;
}

static void stop_after_some_turns(struct vm *vm)
{
	wait_for_turns(vm, 10000);
	vm->mailbox->in[WORK_STOP] = 1;
}

TEST(breakpoint_of_the_launcher_is_not_the_guests)
{
	volatile uint32_t *same;
	struct helper helper;
	struct vm vm;
	int fd;

	vm_start(&vm, "work", NULL);
	same = mmap((void *)SAME_ADDRESS, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT_EQ(SAME_ADDRESS, (unsigned long)same);
	fd = watch(SAME_ADDRESS);
	ASSERT_LE(0, fd) TH_LOG("%s", strerror(errno));
	*same = 1;
	ASSERT_EQ(1, hits(fd));

	/* The Guest writes to that address ten thousand times; nobody is told. */
	vm.mailbox->in[WORK_MODE] = WORK_TOUCH;
	vm.mailbox->in[WORK_ADDRESS] = TARGET;
	start_helper(&helper, &vm, stop_after_some_turns);
	vm_pass(&vm);
	pthread_join(helper.thread, NULL);
	EXPECT_EQ(1, hits(fd));
	EXPECT_EQ(1, *same);

	/* And it is armed still. */
	*same = 2;
	EXPECT_EQ(2, hits(fd));
	close(fd);
	vm_stop(&vm);
}

/* Both have breakpoints, at addresses that mean something to the other. */
TEST(breakpoints_of_both)
{
	volatile uint32_t *same;
	struct vm vm;
	int fd, turn;

	same = mmap((void *)SAME_ADDRESS, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT_EQ(SAME_ADDRESS, (unsigned long)same);
	fd = watch(SAME_ADDRESS);
	ASSERT_LE(0, fd) TH_LOG("%s", strerror(errno));
	for (turn = 1; turn <= 3; turn++) {
		vm_start(&vm, "breakpoints", NULL);
		vm_pass(&vm);
		vm_stop(&vm);
		EXPECT_EQ(turn - 1, hits(fd));
		*same = turn;
		EXPECT_EQ(turn, hits(fd));
	}
	close(fd);
}

/* A launcher under a debugger that steps: every instruction of user space, none of the Guest. */
TEST(single_stepped_launcher)
{
	int status, steps, reads;
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		struct vm vm;

		vm_start(&vm, "work", NULL);
		vm.mailbox->in[WORK_MODE] = WORK_SYNC;
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		/* Looking at all registers takes many steps; once is enough. */
		for (reads = 0; reads < 3; reads++)
			if (lguest_run(vm.fd, &vm.exit) || vm.exit.reason != LGUEST_EXIT_NOTIFY)
				_exit(1);
		vm.mailbox->in[WORK_STOP] = 1;
		vm_pass(&vm);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	for (steps = 0; WIFSTOPPED(status); steps++) {
		ASSERT_EQ(0, ptrace(PTRACE_SINGLESTEP, child, 0, 0));
		ASSERT_EQ(child, waitpid(child, &status, 0));
		if (WIFSTOPPED(status))
			ASSERT_EQ(SIGTRAP, WSTOPSIG(status));
	}
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_LT(1000, steps);
}

/* A debugger that comes and goes while the Guest spins. */
TEST(attached_and_detached)
{
	int status, i;
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		struct vm vm;

		vm_start(&vm, "work", NULL);
		while (vm_run(&vm) == -EINTR)
			;
		_exit(1);
	}
	for (i = 0; i < 20; i++) {
		usleep(2000);
		ASSERT_EQ(0, ptrace(PTRACE_ATTACH, child, 0, 0));
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_TRUE(WIFSTOPPED(status)) TH_LOG("0x%x", status);
		ASSERT_EQ(0, ptrace(PTRACE_DETACH, child, 0, 0));
	}
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
}

TEST_HARNESS_MAIN
