// SPDX-License-Identifier: GPL-2.0
/*
 * What a Linux system's operations cost, in instructions: the same static i386 program in the Host
 * itself and as the first process (/init) of a kernel that runs in that Host. System calls are made
 * by INT 0x80, which is what i386 kernels everywhere have. Counted by RDTSC, which under -icount is
 * one clock, of instructions, for all of them.
 *
 *	linux_ops ENVIRONMENT [OPERATION]	measure here; a line of JSON for each operation
 *	linux_ops launch PROGRAM ARGUMENT...	become that program; %TSC in its arguments is now
 *
 * As /init it powers off when it is done. What it needs stands in the kernel's command line, words
 * of which that have a = are init's environment: ops_environment=NAME and ops_only=OPERATION are
 * the arguments above, ops_launched=%TSC is when the launcher was started, ops_stay=1 means to do
 * nothing and stay.
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define ROUNDS		15
#define PAGES		256
#define PAGE		4096
#define LOOP		500000		/* of three instructions */

static const char *environment = "native", *self;

static inline long long rdtsc(void)
{
	return __builtin_ia32_rdtsc();
}

static long sys3(long nr, long a, long b, long c)
{
	long ret;

	asm volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
	return ret;
}

static long must(long result)
{
	if (result < 0)
		errx(1, "an operation failed: %s", strerror(-result));
	return result;
}

/* ---- What is measured: each is a function, called in a loop that is measured as a whole ---- */

static int zero, null, ping[2], pong[2];
static pid_t me;
static volatile char *page, *pages;

static void null_syscall(void)
{
	must(sys3(SYS_getppid, 0, 0, 0));
}

static void read1(void)
{
	char c;

	must(sys3(SYS_read, zero, (long)&c, 1));
}

static void write1(void)
{
	must(sys3(SYS_write, null, (long)"x", 1));
}

static void handler(int sig)
{
}

static void signal_handled(void)
{
	must(sys3(SYS_kill, me, SIGUSR1, 0));
}

/* To another process and back. */
static void pipe_pingpong(void)
{
	char c = 0;

	must(sys3(SYS_write, ping[1], (long)&c, 1));
	must(sys3(SYS_read, pong[0], (long)&c, 1));
}

static void wait_for(pid_t child)
{
	int status;

	must(sys3(SYS_waitpid, child, (long)&status, 0));
	if (status)
		errx(1, "a child failed: status %#x", status);
}

static void fork_exit(void)
{
	pid_t child = must(sys3(SYS_fork, 0, 0, 0));

	if (child == 0)
		sys3(SYS_exit, 0, 0, 0);
	wait_for(child);
}

static void fork_exec(void)
{
	static const char *const argv[] = { "linux_ops", "exit", NULL }, *const envp[] = { NULL };
	pid_t child = must(sys3(SYS_fork, 0, 0, 0));

	if (child == 0) {
		sys3(SYS_execve, (long)self, (long)argv, (long)envp);
		sys3(SYS_exit, 1, 0, 0);
	}
	wait_for(child);
}

static char *map(int count)
{
	char *p = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	/* A page at a time, wherever the kernel would take huge ones by itself. */
	madvise(p, count * PAGE, MADV_NOHUGEPAGE);
	return p;
}

/* The first write to a page of anonymous memory. Mapping and unmapping are not counted. */
static void page_fault(void)
{
	for (int i = 0; i < PAGES; i++)
		pages[i * PAGE] = 1;
}

static void pages_mapped(void)
{
	pages = map(PAGES);
}

static void pages_unmapped(void)
{
	munmap((void *)pages, PAGES * PAGE);
}

/* A write that the protection forbids, whose signal handler allows it; and the protection again. */
static void allow(int sig)
{
	must(sys3(SYS_mprotect, (long)page, PAGE, PROT_READ | PROT_WRITE));
}

static void prot_fault(void)
{
	*page = 1;
	must(sys3(SYS_mprotect, (long)page, PAGE, PROT_READ));
}

/* To read-only, to writable, and a write. */
static void mprotect_twice(void)
{
	must(sys3(SYS_mprotect, (long)page, PAGE, PROT_READ));
	must(sys3(SYS_mprotect, (long)page, PAGE, PROT_READ | PROT_WRITE));
	*page = 1;
}

/* A page is mapped, written to, unmapped. */
static void mmap_munmap(void)
{
	char *p = map(1);

	*p = 1;
	must(sys3(SYS_munmap, (long)p, PAGE, 0));
}

static void create_unlink(void)
{
	int fd = must(sys3(SYS_open, (long)"file", O_CREAT | O_EXCL | O_RDWR, 0600));

	must(sys3(SYS_close, fd, 0, 0));
	must(sys3(SYS_unlink, (long)"file", 0, 0));
}

static void user_loop(void)
{
	int i = LOOP;

	asm volatile("1: lea 0(%0), %0\n\tdec %0\n\tjnz 1b" : "+r"(i));
}

static const struct operation {
	const char *name;
	void (*do_it)(void);
	int count;			/* how often in one round */
	int divisor;			/* how many operations are in one call: 0 is 1 */
	void (*before)(void);		/* and after a round, outside the measured time */
	void (*after)(void);
} operations[] = {
	{ "null_syscall", null_syscall, .count = 1000 },
	{ "read1", read1, .count = 1000 },
	{ "write1", write1, .count = 1000 },
	{ "signal", signal_handled, .count = 100 },
	{ "pipe_pingpong", pipe_pingpong, .count = 100 },
	{ "fork_exit", fork_exit, .count = 10 },
	{ "fork_exec", fork_exec, .count = 4 },
	{ "page_fault", page_fault, .count = 1, .divisor = PAGES,
	  .before = pages_mapped, .after = pages_unmapped },
	{ "prot_fault", prot_fault, .count = 100 },
	{ "mprotect", mprotect_twice, .count = 100, .divisor = 2 },
	{ "mmap", mmap_munmap, .count = 100 },
	{ "create_unlink", create_unlink, .count = 100 },
	{ "user_loop", user_loop, .count = 1 },
};

static void measure(const struct operation *op)
{
	long long round[ROUNDS + 1], start;

	for (int i = 0; i <= ROUNDS; i++) {	/* the first one is not counted */
		if (op->before)
			op->before();
		start = rdtsc();
		for (int j = 0; j < op->count; j++)
			op->do_it();
		round[i] = (rdtsc() - start) / (op->count * (op->divisor ?: 1));
		if (op->after)
			op->after();
	}
	bench_result(op->name, environment, round + 1, ROUNDS);
}

static void measure_all(const char *only)
{
	struct sigaction action = { .sa_handler = handler };
	pid_t echo;
	char c;

	zero = open("/dev/zero", O_RDONLY);
	null = open("/dev/null", O_WRONLY);
	if (zero < 0 || null < 0 || pipe(ping) || pipe(pong))
		err(1, "/dev/zero, /dev/null or a pipe");
	me = getpid();
	page = map(1);
	*page = 1;
	sigaction(SIGUSR1, &action, NULL);
	action.sa_handler = allow;
	sigaction(SIGSEGV, &action, NULL);

	echo = fork();
	if (echo == 0) {
		close(ping[1]);
		while (sys3(SYS_read, ping[0], (long)&c, 1) == 1)
			must(sys3(SYS_write, pong[1], (long)&c, 1));
		_exit(0);
	}
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (!only || !strcmp(only, operations[i].name))
			measure(&operations[i]);
	}
	close(ping[1]);
	waitpid(echo, NULL, 0);
}

/* ---- As the first process of a kernel ---- */

static void be_init(long long started)
{
	const char *launched = getenv("ops_launched");
	long long took = started - (launched ? atoll(launched) : 0);
	pid_t child;

	mkdir("/dev", 0755);
	mkdir("/tmp", 0755);
	mknod("/dev/zero", S_IFCHR | 0666, makedev(1, 5));
	mknod("/dev/null", S_IFCHR | 0666, makedev(1, 3));
	if (mount("tmpfs", "/tmp", "tmpfs", 0, NULL) || chdir("/tmp"))
		err(1, "/tmp");
	self = "/init";
	environment = getenv("ops_environment");
	if (!environment)
		errx(1, "no ops_environment= in the kernel's command line");
	if (launched)
		bench_result("boot_to_init", environment, &took, 1);
	if (getenv("ops_stay")) {
		puts("here");
		fflush(stdout);
		for (;;)
			pause();
	}
	/* In a process of its own, as the kernel is wordy about an init that faults. */
	child = fork();
	if (child == 0) {
		measure_all(getenv("ops_only"));
		_exit(0);
	}
	wait_for(child);
	reboot(RB_POWER_OFF);
}

static void launch(char *argv[])
{
	char now[32], *at;

	for (int i = 0; argv[i]; i++) {
		at = strstr(argv[i], "%TSC");
		if (at) {
			snprintf(now, sizeof(now), "%lld", rdtsc());
			if (asprintf(&argv[i], "%.*s%s%s", (int)(at - argv[i]), argv[i], now,
				     at + 4) < 0)
				err(1, "memory");
		}
	}
	execvp(argv[0], argv);
	err(1, "%s", argv[0]);
}

int main(int argc, char *argv[])
{
	long long started = rdtsc();

	if (getpid() == 1) {
		be_init(started);
	} else if (argc == 2 && !strcmp(argv[1], "exit")) {
		return 0;
	} else if (argc > 2 && !strcmp(argv[1], "launch")) {
		launch(argv + 2);
	} else if (argc >= 2) {
		self = "/proc/self/exe";
		environment = argv[1];
		measure_all(argv[2]);
	} else {
		errx(1, "usage: linux_ops ENVIRONMENT [OPERATION] | launch PROGRAM ARGUMENT...");
	}
	return 0;
}
