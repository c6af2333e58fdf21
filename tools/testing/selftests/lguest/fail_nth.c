// SPDX-License-Identifier: GPL-2.0
/*
 * The Host has no memory, just when it is asked for: each allocation behind each request, behind a
 * look from outside and behind loading the module fails once. What was asked for is done all the
 * same, or is refused with an errno and can be asked for again; the Guest is right afterwards: it is
 * neither told of it nor ended; nothing is lost (G1). Where a whole Guest has to run for each, or the
 * module to be loaded, a slice is every so many of them, other ones each time.
 *
 * lguest-host: smp=1 mem=1024 timeout=900
 */
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "harness.h"
#include "fail_nth.h"
#include "look.h"
#include "guests/channel.h"
#include "guests/trapped.h"
#include "guests/work.h"

#define SYSFS		"/sys/class/misc/lguest"
#define TEXT		(4 << 20)

static void sweep(const struct request *request, void *arg)
{
	unsigned int all, refused;

	all = try_without_each(request, arg, &refused);
	fprintf(stderr, "# %s: %u allocations, refused without %u of them\n", request->name, all,
		refused);
}

/* ---- A Guest is made ---- */

static int try_open(void *arg)
{
	int *fd = arg;

	*fd = lguest_open();
	return *fd < 0 ? *fd : 0;
}

static void undo_open(void *arg)
{
	close(*(int *)arg);
}

TEST(opening)
{
	int fd;

	ALLOCATIONS_FAIL_OR_SKIP();
	sweep(&(struct request){ "open", try_open, undo_open }, &fd);
	close(fd);
}

static int try_initialize(void *arg)
{
	struct vm *vm = arg;

	return lguest_initialize(vm->fd, vm->memory.base, vm->memory.size / LGUEST_PAGE_SIZE,
				 vm->pgdir, vm->entry);
}

/* What came about without all that it asked for is a whole Guest. */
static void undo_initialize(void *arg)
{
	struct vm *vm = arg;

	vm->mailbox->in[WORK_STOP] = 1;
	vm_pass(vm);
	vm_stop(vm);
	vm_load(vm, "work", NULL);
}

/* A refusal leaves the file as it was: the next INITIALIZE is of the same one. */
TEST(initializing)
{
	struct vm vm;

	ALLOCATIONS_FAIL_OR_SKIP();
	vm_load(&vm, "work", NULL);
	sweep(&(struct request){ "INITIALIZE", try_initialize, undo_initialize }, &vm);
	vm.mailbox->in[WORK_STOP] = 1;
	vm_pass(&vm);
	vm_stop(&vm);
}

/* ---- Requests ---- */

#define WINDOW_PORT	0x500
#define LINE		3
#define TRAP_VECTOR	6

static struct vm *vm_of(void *arg)
{
	return arg;
}

static int event_fd;

static int try_name(void *arg) { return lguest_set_name(vm_of(arg)->fd, "a name"); }
static int try_irq(void *arg) { return lguest_irq(vm_of(arg)->fd, LINE); }
static int try_break(void *arg) { return lguest_break(vm_of(arg)->fd, 1); }
static int try_no_break(void *arg) { return lguest_break(vm_of(arg)->fd, 0); }

static int try_set_reg(void *arg)
{
	return lguest_set_reg(vm_of(arg)->fd, LGUEST_REG_FLAGS, 0x202);
}

static int try_get_reg(void *arg)
{
	uint64_t value;

	return lguest_get_reg(vm_of(arg)->fd, LGUEST_REG_FLAGS, &value);
}

static int try_window(void *arg)
{
	return lguest_window(vm_of(arg)->fd, LGUEST_SPACE_PORT, WINDOW_PORT, 4, true);
}

static void undo_window(void *arg)
{
	if (lguest_window(vm_of(arg)->fd, LGUEST_SPACE_PORT, WINDOW_PORT, 4, false))
		FAIL("the window was not there");
}

static int try_irqfd(void *arg) { return lguest_irqfd(vm_of(arg)->fd, LINE, event_fd, true); }

static void undo_irqfd(void *arg)
{
	if (lguest_irqfd(vm_of(arg)->fd, LINE, event_fd, false))
		FAIL("the eventfd was not there");
}

static int try_doorbell(void *arg)
{
	return lguest_doorbell(vm_of(arg)->fd, LGUEST_SPACE_PORT, WINDOW_PORT, 4, event_fd, true);
}

static void undo_doorbell(void *arg)
{
	if (lguest_doorbell(vm_of(arg)->fd, LGUEST_SPACE_PORT, WINDOW_PORT, 4, event_fd, false))
		FAIL("the doorbell was not there");
}

/* In this order; each is left as it is when all of it has been tried. */
static const struct request requests[] = {
	{ "NAME", try_name, NULL },
	{ "IRQ", try_irq, NULL },
	{ "GETREG", try_get_reg, NULL },
	{ "SETREG", try_set_reg, NULL },
	{ "BREAK", try_break, NULL },
	{ "BREAK, off", try_no_break, NULL },
	{ "WINDOW", try_window, undo_window },
	{ "IRQFD", try_irqfd, undo_irqfd },
	{ "DOORBELL", try_doorbell, undo_doorbell },
};

TEST(other_requests)
{
	struct vm vm;
	size_t i;

	ALLOCATIONS_FAIL_OR_SKIP();
	event_fd = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, event_fd);
	vm_start(&vm, "work", NULL);
	vm.mailbox->in[WORK_MODE] = WORK_SYNC;
	vm_sync(&vm, 0);
	for (i = 0; i < ARRAY_SIZE(requests); i++)
		sweep(&requests[i], &vm);
	/* What is left of them is there, and can be taken back. */
	undo_doorbell(&vm);
	undo_irqfd(&vm);
	undo_window(&vm);
	vm.mailbox->in[WORK_STOP] = 1;
	vm_pass(&vm);
	vm_stop(&vm);
	close(event_fd);
}

/* It is wanted when the Guest waits for a device. */
static int try_answer(void *arg) { return lguest_answer(vm_of(arg)->fd, 0); }

static void until_it_reads(void *arg)
{
	struct vm *vm = arg;

	do {
		int came = vm_run(vm);

		if (came != LGUEST_EXIT_MEMORY && came != LGUEST_EXIT_PORT)
			FAIL("read() %d, %s: not a device", came, vm->exit.text);
	} while (vm->exit.write);
}

TEST(answering)
{
	struct vm vm;

	ALLOCATIONS_FAIL_OR_SKIP();
	vm_start(&vm, "devices", NULL);
	ASSERT_EQ(0, lguest_window(vm.fd, LGUEST_SPACE_MEMORY, DEVICE_GPA, DEVICE_SIZE, true));
	ASSERT_EQ(0, lguest_window(vm.fd, LGUEST_SPACE_PORT, DEVICE_PORT, DEVICE_PORTS, true));
	until_it_reads(&vm);
	sweep(&(struct request){ "ANSWER", try_answer, until_it_reads }, &vm);
	ASSERT_EQ(-EINVAL, try_answer(&vm));
	vm_stop(&vm);
}

static void check_shadow(void)
{
	static char text[TEXT];

	look_file(LOOK_DEBUGFS, "shadow_check", text, sizeof(text));
	if (strstr(text, "wrong:"))
		FAIL("%s", text);
}

/*
 * Whenever this thread has been moved or preempted, the kernel writes to its struct rseq, and kills
 * it if it cannot: fork() shares that page, so it is copied before an allocation fails.
 */
static void own_rseq(void)
{
	volatile uint32_t *flags = __builtin_thread_pointer() + __rseq_offset +
				   offsetof(struct rseq, flags);

	__atomic_fetch_or(flags, 0, __ATOMIC_RELAXED);
}

/*
 * A trap's frame goes to the Guest's stack, a page that a child has, too: so it is copied for that.
 * Where it cannot be, the trap comes when the Guest runs.
 */
static bool trap_without(unsigned int n, unsigned int *put_off)
{
	uint64_t before, after;
	struct vm vm;
	pid_t child;
	bool failed;
	int err;

	vm_start(&vm, "trapped", NULL);
	vm_sync(&vm, TRAPPED_GOES_ON);
	child = fork();
	if (child < 0)
		FAIL("fork: %s", strerror(errno));
	if (!child) {
		/* However this test ends: it has the Guest open, and the module is in use by it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	lguest_get_reg(vm.fd, LGUEST_REG_IP, &before);
	own_rseq();
	fail_nth(n);
	err = lguest_trap(vm.fd, TRAP_VECTOR);
	failed = has_failed();
	lguest_get_reg(vm.fd, LGUEST_REG_IP, &after);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	if (err)
		FAIL("TRAP: %s", strerror(-err));
	check_shadow();
	if (before == after) {
		++*put_off;
		/* The next one would have to wait behind it. */
		if (!failed || lguest_trap(vm.fd, TRAP_VECTOR) != -ENOMEM)
			FAIL("TRAP without its allocation %u", n);
	}
	vm_sync(&vm, TRAPPED_GOES_ON);
	if (vm.mailbox->out[TRAPPED_COUNT] != 1 || vm.mailbox->out[TRAPPED_VECTOR] != TRAP_VECTOR)
		FAIL("the trap did not come");
	vm_stop(&vm);
	return failed;
}

TEST(trapping)
{
	unsigned int n = 1, put_off = 0;

	ALLOCATIONS_FAIL_OR_SKIP();
	ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	while (n < ALLOCATIONS_MAX && trap_without(n, &put_off))
		n++;
	TH_LOG("TRAP: %u allocations; without %u it was put off", n - 1, put_off);
	EXPECT_LT(1, n);
}

/* ---- A Guest runs ---- */

static unsigned int every(unsigned int slice)
{
	return test_rounds(0, 1) ? 1 : slice;
}

/*
 * A Guest from its start to its end, once for each allocation on the way, which fails: read() says
 * so, and the next one goes on; or the Host does without.
 */
static void run_without_each(const char *guest)
{
	unsigned int step = every(6), n, told = 0;
	uint64_t random = test_seed(guest[0]);
	bool failed;

	for (n = 1 + test_random(&random) % step; n < ALLOCATIONS_MAX; n += step) {
		struct vm vm;
		int came;

		vm_start(&vm, guest, NULL);
		fail_nth(n);
		came = vm_run(&vm);
		failed = has_failed();
		if (failed && came == -ENOMEM) {
			told++;
			check_shadow();
			came = vm_run(&vm);
		}
		if (came != LGUEST_EXIT_SHUTDOWN || strcmp(vm.exit.text, "passed"))
			FAIL("%s, allocation %u: read() %d, %s", guest, n, came, vm.exit.text);
		check_shadow();
		vm_stop(&vm);
		if (!failed)
			break;
	}
	fprintf(stderr, "# %s: %u allocations; read() told of %u\n", guest, n - 1, told);
}

/* With huge pages, which it does well without; and without, when each page is asked for. */
TEST(guest_that_uses_memory)
{
	ALLOCATIONS_FAIL_OR_SKIP();
	run_without_each("fail_nth");
	ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	run_without_each("fail_nth");
}

TEST(guest_with_processes)
{
	ALLOCATIONS_FAIL_OR_SKIP();
	ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	run_without_each("processes");
}

/* ---- It is looked at ---- */

struct look {
	const char *path;
	char *text;
	ssize_t len;
};

static int try_look(void *arg)
{
	struct look *look = arg;
	int fd = open(look->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	look->len = look_fd(fd, look->text, TEXT);
	close(fd);
	return look->len < 0 ? look->len : 0;
}

static void look_at_each(const char *folder, char *text)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[256];
	struct stat st;

	if (!dir)
		FAIL("%s: %s", folder, strerror(errno));
	while ((entry = readdir(dir))) {
		struct look look = { .path = path, .text = text };

		if (snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >= sizeof(path) ||
		    entry->d_name[0] == '.' || lstat(path, &st))
			continue;
		if (S_ISDIR(st.st_mode) && strcmp(entry->d_name, "power"))
			look_at_each(path, text);
		else if (S_ISREG(st.st_mode) && st.st_mode & 0400)
			sweep(&(struct request){ path, try_look, NULL }, &look);
	}
	closedir(dir);
}

TEST(looking)
{
	char *text = malloc(TEXT);
	struct vm vm;

	ALLOCATIONS_FAIL_OR_SKIP();
	ASSERT_NE(NULL, text);
	vm_start(&vm, "work", NULL);
	vm.mailbox->in[WORK_MODE] = WORK_SYNC;
	vm_sync(&vm, 0);
	look_at_each(LOOK_DEBUGFS, text);
	look_at_each(SYSFS, text);
	vm.mailbox->in[WORK_STOP] = 1;
	vm_pass(&vm);
	vm_stop(&vm);
	free(text);
}

/* ---- The module is loaded ---- */

static bool there(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static int try_load(void *arg)
{
	return syscall(SYS_finit_module, *(int *)arg, "", 0) ? -errno : 0;
}

static void unload(void)
{
	if (syscall(SYS_delete_module, "lguest", O_NONBLOCK) && errno != ENOENT)
		FAIL("the module does not unload: %s", strerror(errno));
	if (there("/sys/module/lguest") || there(SYSFS) || there(LOOK_DEBUGFS))
		FAIL("something is left of the module");
}

/* Without its node, which udev would make, too, there is a module, but nothing to open. */
static void undo_load(void *arg)
{
	if (there(LGUEST_DEVICE))
		vm_passes("remap", NULL);
	unload();
}

/*
 * Before the module's own initialisation it is all the kernel's work, which complains in places
 * about what it then does without.
 */
TEST(loading)
{
	const struct request request = { "loading", try_load, undo_load };
	unsigned int step = every(4), n, left, at_init, refused = 0;
	uint64_t random = test_seed(0);
	struct utsname host;
	char path[256];
	int fd;

	ALLOCATIONS_FAIL_OR_SKIP();
	uname(&host);
	snprintf(path, sizeof(path), "/lib/modules/%s/updates/lguest.ko", host.release);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	unload();
	fail_nth(ALLOCATIONS_MAX);
	ASSERT_EQ(0, try_load(&fd));
	left = allocations_left(&at_init);
	undo_load(NULL);
	if (!at_init)
		SKIP(return, "where the module's own allocations begin is not known");
	n = ALLOCATIONS_MAX - at_init + 1 + test_random(&random) % step;
	for (; n <= ALLOCATIONS_MAX - left; n += step) {
		/* Not each time are there equally many. */
		if (!try_without(&request, &fd, n, &refused))
			undo_load(NULL);
	}
	TH_LOG("%u allocations, refused without %u of them", at_init - left, refused);
	ASSERT_EQ(0, try_load(&fd));
	vm_passes("remap", NULL);
	close(fd);
}

TEST_HARNESS_MAIN
