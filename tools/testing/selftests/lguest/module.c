// SPDX-License-Identifier: GPL-2.0
/*
 * Loading and unloading: any number of times, never twice, never under an open
 * /dev/lguest, and nothing stays behind.
 *
 * lguest-host: smp=2
 * lguest-host: cpu=max,+la57,erms=off args=pti=on
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "harness.h"
#include "rounds.h"

/* insmod, without what modprobe looks up: 0 or the errno. */
static int load(void)
{
	struct utsname host;
	char path[256];
	int fd, err;

	uname(&host);
	snprintf(path, sizeof(path), "/lib/modules/%s/updates/lguest.ko", host.release);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	err = syscall(SYS_finit_module, fd, "", 0) ? errno : 0;
	close(fd);
	return err;
}

/* rmmod: 0 or the errno. */
static int unload(void)
{
	return syscall(SYS_delete_module, "lguest", O_NONBLOCK) ? errno : 0;
}

static bool there(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

/* The runner has loaded the module before each test. */
FIXTURE(unloaded) {
};

FIXTURE_SETUP(unloaded)
{
	int err = unload();

	ASSERT_TRUE(err == 0 || err == ENOENT);
}

FIXTURE_TEARDOWN(unloaded)
{
	unload();
}

/* A hundred times on two CPUs, where something else may go on at the same time. */
TEST_F_TIMEOUT(unloaded, load_and_unload_again_and_again, 280)
{
	int times = test_rounds(sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 100 : 20, 100), i;

	for (i = 0; i < times; i++) {
		ASSERT_EQ(0, load());
		ASSERT_TRUE(there("/dev/lguest"));
		ASSERT_EQ(0, unload());
	}
}

/*
 * An open that comes while the module goes either works or fails; it never hangs on to what is
 * gone.
 */
TEST_F_TIMEOUT(unloaded, open_races_with_unload, 280)
{
	int races = test_rounds(10, 50), i, err, fd, opened = 0, status;
	volatile bool *stop = mmap(NULL, sizeof(*stop), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t opener;

	ASSERT_NE(MAP_FAILED, (void *)stop);
	opener = fork();
	ASSERT_GE(opener, 0);
	if (opener == 0) {
		while (!*stop) {
			fd = open("/dev/lguest", O_RDWR);
			if (fd >= 0)
				close(fd);
		}
		_exit(0);
	}
	for (i = 0; i < races; i++) {
		/* The opener may have been faster: an open loads the module. */
		err = load();
		EXPECT_TRUE(err == 0 || err == EEXIST);
		fd = open("/dev/lguest", O_RDWR);
		if (fd >= 0) {
			opened++;
			close(fd);
		}
		do
			err = unload();
		while (err == EAGAIN || err == EWOULDBLOCK || err == EBUSY);
		EXPECT_EQ(0, err);
	}
	/* Not killed: what loads the module for its last open would go on without it. */
	*stop = true;
	waitpid(opener, &status, 0);
	unload();
	EXPECT_EQ(races, opened);
}

TEST_F(unloaded, leaves_nothing_behind)
{
	FILE *misc;
	char line[128];

	ASSERT_EQ(0, load());
	EXPECT_TRUE(there("/dev/lguest"));
	EXPECT_TRUE(there("/sys/module/lguest"));
	EXPECT_TRUE(there("/sys/class/misc/lguest"));
	EXPECT_TRUE(there("/sys/kernel/debug/lguest"));
	ASSERT_EQ(0, unload());
	EXPECT_FALSE(there("/dev/lguest"));
	EXPECT_FALSE(there("/sys/module/lguest"));
	EXPECT_FALSE(there("/sys/class/misc/lguest"));
	EXPECT_FALSE(there("/sys/kernel/debug/lguest"));

	misc = fopen("/proc/misc", "r");
	ASSERT_NE(NULL, misc);
	while (fgets(line, sizeof(line), misc))
		EXPECT_EQ(NULL, strstr(line, "lguest"));
	fclose(misc);
}

TEST_F(unloaded, second_load_is_refused)
{
	ASSERT_EQ(0, load());
	EXPECT_EQ(EEXIST, load());
	/* and the first is none the worse for it */
	EXPECT_TRUE(there("/dev/lguest"));
	EXPECT_EQ(0, unload());
}

TEST_F(unloaded, unload_is_refused_while_open)
{
	int fd;

	ASSERT_EQ(0, load());
	fd = open("/dev/lguest", O_RDWR);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(EWOULDBLOCK, unload());
	EXPECT_TRUE(there("/dev/lguest"));
	close(fd);
	EXPECT_EQ(0, unload());
}

TEST_HARNESS_MAIN
