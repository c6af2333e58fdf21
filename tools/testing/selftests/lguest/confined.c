// SPDX-License-Identifier: GPL-2.0
/*
 * The sandbox of `lguest run` (tools/lguest/sandbox.c) denies what it is there to deny: whatever is
 * not on its list ends the process, in every thread; and the process has no right left.
 *
 * lguest-host: load=no timeout=60
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <linux/if_tun.h>

#include "kselftest_harness.h"
#include "sandbox.h"

static int status_file, event;
static int pair[2];

/* ---- What is denied ---- */

static void open_a_file(void) { open("/etc/passwd", O_RDONLY); }
static void open_the_old_way(void) { syscall(SYS_open, "/etc/passwd", O_RDONLY); }
static void open_with_openat2(void) { syscall(437, AT_FDCWD, "/etc/passwd", NULL, 0); }
static void open_the_host(void) { open("/dev/lguest", O_RDWR); }
static void make_a_file(void) { creat("/tmp/confined", 0600); }
static void remove_a_file(void) { unlink("/tmp/confined"); }
static void make_a_socket(void) { socket(AF_INET, SOCK_STREAM, 0); }
static void connect_one(void) { connect(pair[0], NULL, 0); }
static void run_a_program(void) { execl("/bin/true", "true", NULL); }
static void fork_a_process(void) { syscall(SYS_fork); }
static void clone_a_process(void) { syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
static void trace_another(void) { ptrace(PTRACE_ATTACH, 1, 0, 0); }
static void kill_another(void) { kill(1, SIGTERM); }
static void signal_another(void) { syscall(SYS_tgkill, getppid(), getppid(), 0); }
static void write_into_another(void) { syscall(SYS_process_vm_writev, 1, NULL, 0, NULL, 0, 0); }
static void become_another(void) { syscall(SYS_setuid, 0); }
static void map_code(void) { mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
static void other_ioctl(void) { ioctl(pair[0], TUNSETIFF, NULL); }
static void inject_a_key(void) { ioctl(STDIN_FILENO, TIOCSTI, "x"); }
static void mount_something(void) { syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL); }
static void leave_namespaces(void) { unshare(CLONE_NEWUSER); }
static void load_a_module(void) { syscall(SYS_init_module, NULL, 0, ""); }
static void use_io_uring(void) { syscall(425, 1, NULL); }
static void use_bpf(void) { syscall(SYS_bpf, 0, NULL, 0); }
static void change_the_filter(void) { syscall(SYS_seccomp, 0, 0, NULL); }

static void make_memory_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

/* By the i386's numbers, where 5 is open. */
static void call_as_i386(void)
{
	long result = 5;

	asm volatile("int $0x80" : "+a" (result) : "b" (0l), "c" (0l), "d" (0l) : "memory", "r8", "r9", "r10", "r11");
}

static void call_as_x32(void) { syscall(0x40000000 | SYS_read, 0, NULL, 0); }

static const struct {
	const char *name;
	void (*act)(void);
} denied[] = {
#define DENIED(name) { #name, name }
	DENIED(open_a_file), DENIED(open_the_old_way), DENIED(open_with_openat2), DENIED(open_the_host),
	DENIED(make_a_file), DENIED(remove_a_file), DENIED(make_a_socket), DENIED(connect_one),
	DENIED(run_a_program), DENIED(fork_a_process), DENIED(clone_a_process), DENIED(trace_another),
	DENIED(kill_another), DENIED(signal_another), DENIED(write_into_another), DENIED(become_another), DENIED(map_code),
	DENIED(make_memory_code), DENIED(other_ioctl), DENIED(inject_a_key), DENIED(mount_something),
	DENIED(leave_namespaces), DENIED(load_a_module), DENIED(use_io_uring), DENIED(use_bpf),
	DENIED(change_the_filter), DENIED(call_as_i386), DENIED(call_as_x32),
};

/* In a process of its own, confined; its wait status. */
static int confined(void (*act)(void))
{
	struct lguest_error error;
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (sandbox_drop_rights(&error) || sandbox_enter(&error)) {
			fprintf(stderr, "# %s\n", error.text);
			_exit(1);
		}
		act();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

TEST(whatever_is_not_needed_ends_the_process)
{
	int i, status;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	for (i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
		status = confined(denied[i].act);
		EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
			TH_LOG("%s: status 0x%x", denied[i].name, status);
	}
}

static void work(void)
{
	struct winsize size;
	struct pollfd fds = { .fd = event, .events = POLLIN };
	char bytes[16];
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED || eventfd_write(event, 1) || poll(&fds, 1, -1) != 1 ||
	    send(pair[0], "hello", 5, 0) != 5 || recv(pair[1], bytes, 5, 0) != 5 ||
	    getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		_exit(2);
	*page = 1;
	ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
	free(malloc(1 << 20));
}

TEST(what_is_needed_works)
{
	event = eventfd(0, 0);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	EXPECT_EQ(0, confined(work));
}

/* A thread that ran before is confined as well. */
static int go[2];

static void *old_thread(void *unused)
{
	char byte;

	if (read(go[0], &byte, 1) == 1)
		open_a_file();
	return NULL;
}

TEST(threads_that_ran_before_are_confined)
{
	struct lguest_error error;
	pthread_t thread;
	int status;
	pid_t pid;

	ASSERT_EQ(0, pipe(go));
	pid = fork();
	if (!pid) {
		if (sandbox_drop_rights(&error) ||
		    pthread_create(&thread, NULL, old_thread, NULL) || sandbox_enter(&error))
			_exit(1);
		if (write(go[1], "!", 1) != 1)
			_exit(3);
		pthread_join(thread, NULL);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) TH_LOG("status 0x%x", status);
}

static void tell_rights(void)
{
	static const char *const wanted[] = {
		"\nCapInh:\t0000000000000000\n", "\nCapPrm:\t0000000000000000\n",
		"\nCapEff:\t0000000000000000\n", "\nCapBnd:\t0000000000000000\n",
		"\nNoNewPrivs:\t1\n",		  "\nSeccomp:\t2\n",
	};
	static char text[8192];
	int i;

	if (pread(status_file, text, sizeof(text) - 1, 0) <= 0)
		_exit(10);
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!strstr(text, wanted[i]))
			_exit(20 + i);
}

TEST(no_right_is_left)
{
	int status;
	pid_t pid = fork();

	ASSERT_EQ(0, getuid());
	if (!pid) {
		/* Opened by the process itself: it is about that one. */
		struct lguest_error error;

		status_file = open("/proc/self/status", O_RDONLY);
		if (sandbox_drop_rights(&error) || sandbox_enter(&error))
			_exit(1);
		tell_rights();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status) TH_LOG("status 0x%x", status);
}

TEST_HARNESS_MAIN
