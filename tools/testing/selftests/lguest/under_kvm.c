// SPDX-License-Identifier: GPL-2.0
/*
 * A host that is a guest of KVM's, which takes its pages away and lets it wait for them: KVM tells
 * of that by page faults that come to the Guest (S8). The emulated host is the outer one here; its
 * KVM boots the same kernel again, with this program as its init, which loads the module and
 * runs a Guest that looks whether all it has written is there still.
 *
 * lguest-host: nested=yes
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/io.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "harness.h"
#include "helper.h"
#include "kvm_machine.h"

#define PAGE		4096ul
#define MEMORY		(160ul << 20)
#define GUEST_PAGES	1024
#define KERNEL		"/lguest/host/vmlinux"
#define COMMAND_LINE	"earlyprintk=serial,ttyS0,115200,keep loglevel=4 panic=-1 reboot=t " \
			"cryptomgr.notests no_timer_check mitigations=off rdinit=/init"
#define GUEST		"work.c0000000.elf"
/* How long a page is away, and how many are taken each time. */
#define AWAY_US		1000
#define TAKEN		64
#define TAKE_EACH_US	20000
/* How often they are taken after KVM's word: what comes then, the inner host does not see. */
#define TAKE_AFTERWARDS	20
#define WORD		"takes no more asynchronous page faults"

/* What the inner host writes to KM_PORT. */
#define IS_UP		1
#define IS_DONE		2
#define HAS_FAILED	3

/* ---- In the inner host ---- */

static void say(uint8_t byte)
{
	outb(byte, KM_PORT);
}

/* All that fails there ends with abort(). */
static void on_abort(int number)
{
	say(HAS_FAILED);
	reboot(RB_AUTOBOOT);
}

/* A program of the inner host's own, whose pages go away as well: it must never sleep for ever. */
static void count_in_memory(volatile unsigned long *turns)
{
	static volatile unsigned long page[GUEST_PAGES][PAGE / sizeof(long)];
	unsigned long i;

	for (;; ++*turns) {
		for (i = 0; i < GUEST_PAGES; i++) {
			if (page[i][i % 512] != (*turns ? (*turns - 1) ^ i : 0))
				abort();
			page[i][i % 512] = *turns ^ i;
		}
	}
}

static bool kernel_has_said(const char *text)
{
	static char log[1 << 18];
	int length = klogctl(3, log, sizeof(log) - 1);

	log[length < 0 ? 0 : length] = 0;
	return strstr(log, text);
}

static volatile unsigned long *program_turns;

/* Beside the running Guest, until all have gone on after KVM's word. */
static void wait_for_all(struct vm *vm)
{
	unsigned long before;

	while (!kernel_has_said(WORD))
		usleep(10000);
	before = *program_turns;
	wait_for_turns(vm, 5);
	while (*program_turns - before < 5)
		usleep(10000);
	vm->mailbox->in[WORK_STOP] = 1;
}

static void inner_host(void)
{
	struct helper helper;
	struct vm vm;
	int fd, pid;

	if (iopl(3))
		reboot(RB_AUTOBOOT);
	signal(SIGABRT, on_abort);
	if (mount("proc", "/proc", "proc", 0, NULL) ||
	    mount("dev", "/dev", "devtmpfs", 0, NULL))
		FAIL("mount: %s", strerror(errno));
	fd = open("/dev/kmsg", O_WRONLY);
	dup2(fd, 1);
	dup2(fd, 2);
	klogctl(8, NULL, 7);
	fd = open("/lguest.ko", O_RDONLY);
	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		FAIL("lguest.ko: %s", strerror(errno));

	program_turns = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = fork();
	if (!pid)
		count_in_memory(program_turns);
	vm_start(&vm, "work", NULL);
	vm.mailbox->in[WORK_MODE] = WORK_MEMORY;
	vm.mailbox->in[WORK_PAGES] = GUEST_PAGES;
	say(IS_UP);
	start_helper(&helper, &vm, wait_for_all);
	vm_pass(&vm);
	pthread_join(helper.thread, NULL);
	vm_stop(&vm);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	say(IS_DONE);
	reboot(RB_AUTOBOOT);
}

static void __attribute__((constructor)) as_init(void)
{
	if (getpid() == 1)
		inner_host();
}

/* ---- In the outer one ---- */

/* A file, or a directory if it is NULL, into an archive as the kernel unpacks it. */
static void pack(FILE *archive, const char *name, const char *from)
{
	void *data = NULL;
	size_t size = from ? km_file(from, &data) : 0;

	fprintf(archive, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x%s%c",
		1, from ? 0100755 : 0040755, 0, 0, 1, 0, size, 0, 0, 0, 0, strlen(name) + 1, 0,
		name, 0);
	while (ftell(archive) % 4)
		fputc(0, archive);
	fwrite(data, 1, size, archive);
	while (ftell(archive) % 4)
		fputc(0, archive);
}

static size_t make_root(char **root)
{
	char module[300], guest[300], self[256] = "";
	struct utsname name;
	size_t size;
	FILE *archive;

	uname(&name);
	snprintf(module, sizeof(module), "/lib/modules/%s/updates/lguest.ko", name.release);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		FAIL("/proc/self/exe: %s", strerror(errno));
	snprintf(guest, sizeof(guest), "%.*s/" GUEST, (int)(strrchr(self, '/') - self), self);
	archive = open_memstream(root, &size);
	pack(archive, "proc", NULL);
	pack(archive, "init", self);
	pack(archive, "lguest.ko", module);
	pack(archive, GUEST, guest);
	pack(archive, "TRAILER!!!", NULL);
	fclose(archive);
	return size;
}

static struct kvm_machine machine;
/* What pages hold that are away. */
static uint8_t *store;
static int uffd;
static volatile unsigned long brought;

/* Brings back what is touched, after a while. */
static void *bring(void *unused)
{
	struct pollfd ready = { .fd = uffd, .events = POLLIN };
	struct uffd_msg message;

	while (poll(&ready, 1, -1) == 1 &&
	       read(uffd, &message, sizeof(message)) == sizeof(message)) {
		unsigned long at = message.arg.pagefault.address & -PAGE;
		struct uffdio_copy copy = {
			.dst = at, .src = (uintptr_t)store + (at - (uintptr_t)machine.memory),
			.len = PAGE,
		};

		usleep(AWAY_US);
		if (ioctl(uffd, UFFDIO_COPY, &copy) && errno != EEXIST)
			FAIL("UFFDIO_COPY: %s", strerror(errno));
		brought++;
	}
	return NULL;
}

/* The machine does not run meanwhile. What is away already reads as it will come back. */
static void take(uint64_t *random)
{
	int i;

	for (i = 0; i < TAKEN; i++) {
		size_t at = test_random(random) % (MEMORY / PAGE) * PAGE;
		unsigned char there;

		if (mincore(machine.memory + at, PAGE, &there) || !there)
			continue;
		memcpy(store + at, machine.memory + at, PAGE);
		madvise(machine.memory + at, PAGE, MADV_DONTNEED);
	}
}

static void on_alarm(int number)
{
}

static void let_pages_go(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register all = {
		.range = { .start = (uintptr_t)machine.memory, .len = MEMORY },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	pthread_t thread;
	sigset_t alarms;

	store = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (store == MAP_FAILED || uffd < 0)
		FAIL("userfaultfd: %s", strerror(errno));
	KM_IOCTL(uffd, UFFDIO_API, &api);
	KM_IOCTL(uffd, UFFDIO_REGISTER, &all);

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL);
	if (pthread_create(&thread, NULL, bring, NULL))
		FAIL("no thread");
	pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
	ualarm(TAKE_EACH_US, TAKE_EACH_US);
}

TEST(pages_of_a_host_in_kvm_go_away)
{
	uint64_t random = test_seed(0);
	int said, afterwards = 0;
	char *root;
	size_t size;

	if (access("/dev/kvm", F_OK) && system("modprobe kvm_amd 2>/dev/null"))
		SKIP(return, "no KVM here");
	machine.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (machine.kvm < 0)
		SKIP(return, "no KVM here");
	if (access(KERNEL, F_OK))
		SKIP(return, "no kernel for it");
	signal(SIGALRM, on_alarm);
	size = make_root(&root);
	km_make(&machine, MEMORY);
	km_start(&machine, KERNEL, COMMAND_LINE, root, size);
	do {
		said = km_run(&machine);
		if (said == IS_UP)
			let_pages_go();
		if (said == -EINTR)
			take(&random);
		if (afterwards || strstr(machine.log, WORD))
			afterwards++;
		if (afterwards == TAKE_AFTERWARDS)
			ualarm(0, 0);
	} while (said == IS_UP || said == -EINTR);
	ualarm(0, 0);
	if (said != IS_DONE)
		fprintf(stderr, "%s\n", machine.log);
	TH_LOG("%lu pages were brought back", brought);
	EXPECT_EQ(IS_DONE, said);
	EXPECT_NE(NULL, strstr(machine.log, WORD));
	km_drop(&machine);
}

TEST_HARNESS_MAIN
