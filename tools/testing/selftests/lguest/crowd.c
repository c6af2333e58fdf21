// SPDX-License-Identifier: GPL-2.0
/*
 * Many Guests, on few CPUs: killed at any moment, sharing a CPU, moving from one to another. Each
 * looks for damage to its own registers and memory; each launcher looks for damage to its own (S5,
 * S6, S8, M2).
 *
 * lguest-host: smp=2 timeout=900
 * lguest-host: smp=2 timeout=900 cpu=max,+la57,erms=off args=pti=on
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>

#include "harness.h"
#include "cpus.h"
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
	int number = test_rounds(60, GUESTS), i;
	uint64_t random = test_seed(0);
	pid_t child[AT_ONCE] = { 0 };

	vm_small_pages();
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
	uint32_t turns = test_rounds(200, 1000);
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

/* ---- CPUs that go ---- */
static bool switch_cpu(int cpu, bool on)
{
	char name[64];
	FILE *file;
	bool done;

	snprintf(name, sizeof(name), "/sys/devices/system/cpu/cpu%d/online", cpu);
	file = fopen(name, "w");
	if (!file)
		return false;
	done = fputs(on ? "1" : "0", file) >= 0;
	return !fclose(file) && done;
}

/* Wherever the host puts them; a vCPU may be inside its Guest on a CPU that is to go. */
static pid_t wanderer(int number, uint32_t mode)
{
	pid_t child = fork();
	struct vm vm;

	if (child)
		return child;
	vm_start(&vm, "work", NULL);
	set_work(&vm, mode, number * 0x9e3779b9);
	for (;;)
		run(&vm);
}

TEST(cpus_that_go_and_come)
{
	static const uint32_t modes[] = { WORK_SPIN, WORK_FPU, WORK_MEMORY, WORK_SYNC };
	int rounds = test_rounds(3, 20), i;
	pid_t child[ARRAY_SIZE(modes)];

	for (i = 0; i < ARRAY_SIZE(modes); i++)
		child[i] = wanderer(i, modes[i]);
	for (i = 0; i < rounds; i++) {
		usleep(20000);
		if (!switch_cpu(1, false) && !i) {
			for (i = 0; i < ARRAY_SIZE(modes); i++) {
				kill(child[i], SIGKILL);
				bury(_metadata);
			}
			SKIP(return, "no CPU can be switched off here");
		}
		usleep(20000);
		ASSERT_TRUE(switch_cpu(1, true));
	}
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, kill(child[i], SIGKILL));
		bury(_metadata);
	}
	EXPECT_EQ(0, module_users());
}

TEST_HARNESS_MAIN
