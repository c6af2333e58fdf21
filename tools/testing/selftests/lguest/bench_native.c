// SPDX-License-Identifier: GPL-2.0
/*
 * What plain processes pay in the emulated host, to hold the Guests' numbers against.
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static int zero;

static void null_syscall(void)
{
	syscall(SYS_getppid);
}

static void read_byte(void)
{
	char c;

	if (read(zero, &c, 1) != 1)
		_exit(1);
}

static void fork_exit_wait(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	if (child < 0 || waitpid(child, NULL, 0) != child)
		_exit(1);
}

int main(void)
{
	zero = open("/dev/zero", O_RDONLY);
	if (zero < 0)
		return 1;
	bench("null system call", "native 64", null_syscall, 1000);
	bench("read 1 byte of /dev/zero", "native 64", read_byte, 1000);
	bench("fork+exit+wait", "native 64", fork_exit_wait, 10);
	return 0;
}
