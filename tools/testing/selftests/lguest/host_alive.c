// SPDX-License-Identifier: GPL-2.0
/*
 * A Guest that never exits, on the host's only CPU: the host has its timer ticks, its network and
 * its console all the same (S8), and its other processes their share.
 *
 * lguest-host: timeout=120
 * lguest-host: timeout=120 args=preempt=full
 * lguest-host: timeout=120 args=preempt=none
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <termios.h>

#include "harness.h"
#include "cpus.h"
#include "launcher.h"
#include "guests/work.h"

FIXTURE(spinning) {
	volatile uint32_t *turns;	/* of the Guest's loop */
	pid_t launcher;
};

FIXTURE_SETUP(spinning)
{
	struct vm vm;

	/* Memory of a file is the child's and ours. */
	vm_load(&vm, "work", &(struct vm_options){ .kind = LGUEST_MEMORY_FILE });
	self->turns = &vm.mailbox->out[WORK_TURNS];
	self->launcher = fork();
	ASSERT_LE(0, self->launcher);
	if (!self->launcher) {
		run_on(0);
		if (lguest_initialize(vm.fd, vm.memory.base, vm.memory.size / LGUEST_PAGE_SIZE,
				      vm.pgdir, vm.entry))
			_exit(1);
		while (vm_run(&vm) == -EINTR)
			;
		_exit(2);
	}
	close(vm.fd);
	while (!*self->turns)
		usleep(1000);
}

FIXTURE_TEARDOWN(spinning)
{
	uint32_t turns = *self->turns;
	int status;

	/* It has been running all the time. */
	while (*self->turns == turns)
		usleep(1000);
	EXPECT_EQ(0, waitpid(self->launcher, &status, WNOHANG));
	EXPECT_EQ(0, kill(self->launcher, SIGKILL));
	EXPECT_EQ(self->launcher, waitpid(self->launcher, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
}

/* Sum of a line of /proc/interrupts over all CPUs. */
static long interrupts(const char *name)
{
	FILE *file = fopen("/proc/interrupts", "r");
	char line[512];
	long sum = 0;

	while (file && fgets(line, sizeof(line), file)) {
		char *at = strstr(line, name), *end;

		if (!at)
			continue;
		for (at += strlen(name);; at = end) {
			long n = strtol(at, &end, 10);

			if (end == at)
				break;
			sum += n;
		}
	}
	if (file)
		fclose(file);
	return sum;
}

TEST_F(spinning, host_has_its_timer)
{
	long before = interrupts("LOC:");
	int i;

	/* Each of these ends by an interrupt that came while the Guest ran. */
	for (i = 0; i < 100; i++)
		usleep(1000);
	EXPECT_LE(before + 100, interrupts("LOC:"));
}

TEST_F(spinning, host_has_its_network)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0), i, got;
	socklen_t len = sizeof(here);

	if (a < 0 && errno == EAFNOSUPPORT)
		SKIP(return, "this kernel has no IPv4");
	ASSERT_EQ(0, bind(b, (void *)&here, len));
	ASSERT_EQ(0, getsockname(b, (void *)&here, &len));
	ASSERT_EQ(0, connect(a, (void *)&here, len));
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(sizeof(i), send(a, &i, sizeof(i), 0));
		ASSERT_EQ(sizeof(got), recv(b, &got, sizeof(got), 0));
		ASSERT_EQ(i, got);
	}
}

/* A serial port sends by interrupts. */
TEST_F(spinning, host_has_its_console)
{
	static const char line[] = "a line from host_alive, which is meant to be here\n";
	int fd = open("/dev/ttyS0", O_WRONLY | O_NOCTTY), i;

	ASSERT_LE(0, fd);
	for (i = 0; i < 50; i++)
		ASSERT_EQ(sizeof(line) - 1, write(fd, line, sizeof(line) - 1));
	EXPECT_EQ(0, tcdrain(fd));
	close(fd);
}

/* Two that want the CPU as much as the Guest does. */
TEST_F(spinning, other_processes_run)
{
	volatile long count;
	pid_t child[2];
	int status, i;

	for (i = 0; i < 2; i++) {
		child[i] = fork();
		ASSERT_LE(0, child[i]);
		if (!child[i]) {
			for (count = 0; count < 20000000; count++)
				;
			_exit(0);
		}
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(child[i], waitpid(child[i], &status, 0));
		EXPECT_EQ(0, status);
	}
}

/* RCU waits for every CPU, one that runs a Guest included. */
TEST_F(spinning, rcu_does_not_wait_for_the_guest)
{
	int i;

	/* Making and removing a network namespace waits for grace periods. */
	for (i = 0; i < 5; i++) {
		pid_t child = fork();
		int status;

		if (!child)
			_exit(unshare(CLONE_NEWNET) ? 1 : 0);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_EQ(0, status);
	}
}

TEST_HARNESS_MAIN
