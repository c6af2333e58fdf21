// SPDX-License-Identifier: GPL-2.0
/*
 * Every file of debugfs is read, over and over and by four at once, while Guests boot, run, die and
 * are killed, and while there is no memory to spare. Readers get what there was, or that it is
 * gone, and nothing else; the Host's kernel must have nothing to say about it (scripts/check
 * looks).
 *
 * lguest-host: smp=1 mem=512 timeout=300
 * lguest-host: smp=2 mem=512 timeout=300
 * lguest-host: smp=2 mem=512 timeout=300 cpu=max,+la57,erms=off args=pti=on,slub_debug=FZPU
 */
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

#include "harness.h"
#include "look.h"
#include "guests/work.h"

#define READERS		4
#define GUESTS		((int)test_rounds(9, 60))

struct shared {
	volatile int stop;
	/* Files read to the end; those that went away meanwhile. */
	volatile unsigned long read, gone;
};

static char text[1 << 16];

/* What a reader may be told: of the Guest, and where there is no memory for him. */
static bool expected(int err)
{
	return err == ENODEV || err == ENOENT || err == ENOMEM || err == EINTR;
}

static void read_one(struct shared *shared, int dir, const char *name)
{
	int fd = openat(dir, name, strcmp(name, "translate") ? O_RDONLY : O_RDWR);
	ssize_t got;

	if (fd < 0) {
		if (!expected(errno))
			FAIL("open %s: %s", name, strerror(errno));
		__atomic_add_fetch(&shared->gone, 1, __ATOMIC_RELAXED);
		return;
	}
	if (!strcmp(name, "translate") && write(fd, "c0010000", 8) != 8 && !expected(errno))
		FAIL("write %s: %s", name, strerror(errno));
	/* In small pieces, so that the Guest may go between two. */
	while ((got = read(fd, text, rand() & 1 ? 100 : sizeof(text))) > 0)
		;
	if (got < 0 && !expected(errno))
		FAIL("read %s: %s", name, strerror(errno));
	__atomic_add_fetch(got < 0 ? &shared->gone : &shared->read, 1, __ATOMIC_RELAXED);
	close(fd);
}

/* All files below a folder, which may go away at any moment. */
static void read_all(struct shared *shared, int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY);
	struct dirent *entry;
	DIR *dir;

	if (fd < 0) {
		if (!expected(errno))
			FAIL("%s: %s", name, strerror(errno));
		return;
	}
	dir = fdopendir(fd);
	if (!dir)
		FAIL("%s: %s", name, strerror(errno));
	while (!shared->stop && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (entry->d_type == DT_DIR)
			read_all(shared, fd, entry->d_name);
		else
			read_one(shared, fd, entry->d_name);
	}
	closedir(dir);
}

static void reader(struct shared *shared, int seed)
{
	srand(seed);
	while (!shared->stop)
		read_all(shared, AT_FDCWD, LOOK_DEBUGFS);
	_exit(0);
}

static struct shared *start_readers(pid_t *pid)
{
	struct shared *shared =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		FAIL("no memory");
	for (int i = 0; i < READERS; i++) {
		pid[i] = fork();
		if (pid[i] < 0)
			FAIL("fork: %s", strerror(errno));
		if (!pid[i])
			reader(shared, i);
	}
	return shared;
}

static void stop_readers(struct __test_metadata *_metadata, struct shared *shared, const pid_t *pid)
{
	int status;

	shared->stop = 1;
	for (int i = 0; i < READERS; i++) {
		ASSERT_EQ(pid[i], waitpid(pid[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	TH_LOG("%lu files read, %lu gone meanwhile", shared->read, shared->gone);
	/* Otherwise nothing was tested. */
	EXPECT_LT(0, shared->read);
}

static void launcher(uint32_t mode)
{
	struct vm vm;

	vm_start(&vm, "work", NULL);
	vm.mailbox->in[WORK_MODE] = mode;
	vm.mailbox->in[WORK_PAGES] = 512;
	for (;;)
		vm_run(&vm);
}

/* A Guest that ends: by its own wish, by a broken rule, by a signal to its Launcher. */
static void one_end(struct __test_metadata *_metadata, int how)
{
	static const uint32_t modes[] = { WORK_SPIN, WORK_MEMORY, WORK_SYNC, WORK_FPU };
	struct vm vm;
	pid_t pid;

	switch (how % 3) {
	case 0:
		vm_passes("remap", NULL);
		break;
	case 1:
		vm_start(&vm, "work", NULL);
		vm.mailbox->in[WORK_MODE] = WORK_SYNC;
		vm_sync(&vm, 0);
		EXPECT_EQ(0, lguest_set_reg(vm.fd, LGUEST_REG_CS, 8));
		vm_dies(&vm, "");
		usleep(20000);
		vm_stop(&vm);
		break;
	default:
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			launcher(modes[how / 3 % ARRAY_SIZE(modes)]);
		usleep(1000 * (how % 7) * 20);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	}
}

TEST(guests_that_come_and_go)
{
	struct shared *shared;
	pid_t pid[READERS];

	shared = start_readers(pid);
	for (int i = 0; i < GUESTS; i++)
		one_end(_metadata, i);
	stop_readers(_metadata, shared, pid);
}

TEST(a_guest_that_works)
{
	struct shared *shared;
	unsigned long enough = test_rounds(200, 1000);
	pid_t pid[READERS], guest;

	guest = fork();
	ASSERT_LE(0, guest);
	if (!guest)
		launcher(WORK_MEMORY);
	shared = start_readers(pid);
	while (shared->read < enough)
		usleep(10000);
	/* It has found no damage to its memory all the while. */
	EXPECT_EQ(0, waitpid(guest, NULL, WNOHANG));
	stop_readers(_metadata, shared, pid);
	kill(guest, SIGKILL);
	ASSERT_EQ(guest, waitpid(guest, NULL, 0));
}

/* Nearly all memory is somebody's who goes on touching it; the kernel may well kill him. */
static void hog(void)
{
	struct sysinfo info;
	size_t size;
	char *at;
	int fd;

	fd = open("/proc/self/oom_score_adj", O_WRONLY);
	if (fd < 0 || write(fd, "1000", 4) != 4)
		_exit(1);
	if (sysinfo(&info))
		_exit(1);
	size = (info.freeram + info.bufferram) * info.mem_unit;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		  -1, 0);
	if (at == MAP_FAILED)
		_exit(1);
	for (;;) {
		for (size_t i = 0; i < size; i += 4096)
			at[i]++;
	}
}

TEST(without_memory_to_spare)
{
	struct shared *shared;
	pid_t pid[READERS], hungry;
	int status;

	shared = start_readers(pid);
	for (int i = 0; i < GUESTS / 3; i++) {
		hungry = fork();
		ASSERT_LE(0, hungry);
		if (!hungry)
			hog();
		one_end(_metadata, 3 * i + 2);
		kill(hungry, SIGKILL);
		ASSERT_EQ(hungry, waitpid(hungry, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
	}
	stop_readers(_metadata, shared, pid);
}

TEST_HARNESS_MAIN
