// SPDX-License-Identifier: GPL-2.0
/*
 * Many Guests, on few CPUs: killed at any moment, sharing a CPU, moving from one to another. Each
 * looks for damage to its own registers and memory; each launcher looks for damage to its own (S5,
 * S6, S8, M2).
 *
 * lguest-host: smp=2 mem=2048 timeout=900
 * lguest-host: smp=2 mem=2048 timeout=900 cpu=max,+la57,erms=off args=pti=on
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>

#include "harness.h"
#include "helper.h"
#include "launcher.h"
#include "guests/work.h"

#define GUESTS		200
#define AT_ONCE		4

static int module_users(void)
{
	FILE *file = fopen("/sys/module/lguest/refcnt", "r");
	int users = -1;

	if (file) {
		if (fscanf(file, "%d", &users) != 1)
			users = -1;
		fclose(file);
	}
	return users;
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		FAIL("CPU %d: %s", cpu, strerror(errno));
}

static void set_work(struct vm *vm, uint32_t mode, uint32_t salt)
{
	vm->mailbox->in[WORK_MODE] = mode;
	vm->mailbox->in[WORK_PAGES] = mode == WORK_MEMORY ? 256 : 0;
	vm->mailbox->in[WORK_SALT] = salt;
}

/* One read, which a signal may end. */
static int run(struct vm *vm)
{
	int came = vm_run(vm);

	if (came < 0 && came != -EINTR)
		FAIL("read: %s", strerror(-came));
	if (came == LGUEST_EXIT_DEATH)
		FAIL("guest died: %s", vm->exit.text);
	return came;
}

/* ---- Killed at random moments ---- */
static void doomed_launcher(uint64_t random)
{
	static const uint32_t modes[] = { WORK_SPIN, WORK_MEMORY, WORK_SYNC, WORK_FPU };
	struct vm vm;

	run_on(random & 1);
	vm_start(&vm, "work", NULL);
	set_work(&vm, modes[random >> 1 & 3], random);
	for (;;)
		run(&vm);
}

static void bury(struct __test_metadata *_metadata)
{
	int status;

	ASSERT_LT(0, wait(&status));
	/* Killed, and not failed: its own checks had nothing to say. */
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) TH_LOG("status 0x%x", status);
}

TEST(guests_killed_at_random_moments)
{
	int number = test_is_long() ? 10 * GUESTS : GUESTS, i;
	uint64_t random = test_seed(1);
	pid_t child[AT_ONCE] = { 0 };

	for (i = 0; i < number; i++) {
		int at = i % AT_ONCE;

		if (child[at]) {
			ASSERT_EQ(0, kill(child[at], SIGKILL));
			bury(_metadata);
		}
		child[at] = fork();
		ASSERT_LE(0, child[at]);
		if (!child[at])
			doomed_launcher(test_random(&random) + i);
		/* From in the middle of its open to deep in its work. */
		usleep(test_random(&random) % 8000);
	}
	for (i = 0; i < AT_ONCE; i++) {
		ASSERT_EQ(0, kill(child[i], SIGKILL));
		bury(_metadata);
	}
	EXPECT_EQ(0, module_users());
}

/* ---- Sharing and moving ---- */
/* Timer ticks come to all children; here only so that reads end now and then. */
static void on_alarm(int number)
{
}

/* A child that runs a Guest, on one CPU or, moved every few ms, on both. */
static pid_t worker(int number, uint32_t mode, bool moves)
{
	uint32_t turns = test_is_long() ? 3000 : 600;
	pid_t child = fork();
	struct vm vm;
	int cpu = 0;

	if (child)
		return child;
	if (!moves)
		run_on(0);
	signal(SIGALRM, on_alarm);
	ualarm(7000, 7000);
	vm_start(&vm, "work", NULL);
	set_work(&vm, mode, number * 0x9e3779b9);
	while (vm.mailbox->out[WORK_TURNS] < turns) {
		if (moves)
			run_on(cpu = !cpu);
		run(&vm);
	}
	vm.mailbox->in[WORK_STOP] = 1;
	while (run(&vm) != LGUEST_EXIT_SHUTDOWN)
		;
	if (strcmp(vm.exit.text, "passed"))
		FAIL("%s", vm.exit.text);
	vm_stop(&vm);
	_exit(0);
}

static void all_end_well(struct __test_metadata *_metadata, int children)
{
	int status;

	while (children--) {
		ASSERT_LT(0, wait(&status));
		EXPECT_EQ(0, status);
	}
	EXPECT_EQ(0, module_users());
}

TEST(two_guests_on_one_cpu)
{
	worker(1, WORK_MEMORY, false);
	worker(2, WORK_FPU, false);
	all_end_well(_metadata, 2);
}

TEST(two_guests_with_fpu_on_one_cpu)
{
	worker(1, WORK_FPU, false);
	worker(2, WORK_FPU, false);
	all_end_well(_metadata, 2);
}

TEST(one_guest_over_two_cpus)
{
	worker(1, WORK_MEMORY, true);
	all_end_well(_metadata, 1);
	worker(2, WORK_FPU, true);
	all_end_well(_metadata, 1);
}

TEST(four_guests_over_two_cpus)
{
	worker(1, WORK_MEMORY, true);
	worker(2, WORK_FPU, true);
	worker(3, WORK_MEMORY, true);
	worker(4, WORK_FPU, true);
	all_end_well(_metadata, 4);
}

TEST_HARNESS_MAIN
