// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/lguest before any Guest: who may open it, and what garbage does to it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/lguest.h>

#include "harness.h"

#define DEVICE	"/dev/lguest"
#define DEBUGFS	"/sys/kernel/debug/lguest"

TEST(node_is_for_root_alone)
{
	struct stat st;

	ASSERT_EQ(0, stat(DEVICE, &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_EQ(0, st.st_uid);
	EXPECT_EQ(0, st.st_gid);
}

TEST(open_by_others_is_refused)
{
	ASSERT_EQ(0, setgid(65534));
	ASSERT_EQ(0, setuid(65534));
	EXPECT_EQ(-1, open(DEVICE, O_RDWR));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, open(DEVICE, O_RDONLY));
	EXPECT_EQ(EACCES, errno);
}

FIXTURE(device) {
	int fd;
	char before[4096], after[4096];
};

/* What can be seen of the module from outside: its users, its state, what debugfs lists. */
static void picture(char *text, size_t size)
{
	struct dirent **names;
	int fd, n, i;
	size_t used = 0;

	fd = open("/sys/module/lguest/refcnt", O_RDONLY);
	if (fd >= 0) {
		n = read(fd, text, size - 1);
		used = n > 0 ? n : 0;
		close(fd);
	}
	n = scandir(DEBUGFS, &names, NULL, alphasort);
	for (i = 0; i < n && used < size - 1; i++)
		used += snprintf(text + used, size - used, "%s\n", names[i]->d_name);
	text[used < size ? used : size - 1] = '\0';
}

FIXTURE_SETUP(device)
{
	memset(self->before, 0, sizeof(self->before));
	memset(self->after, 0, sizeof(self->after));
	self->fd = open(DEVICE, O_RDWR);
	ASSERT_GE(self->fd, 0);
	picture(self->before, sizeof(self->before));
}

FIXTURE_TEARDOWN(device)
{
	char buffer[sizeof(struct lguest_exit)];

	/* Still the device of no Guest: it can neither be run nor be told anything. */
	EXPECT_EQ(-1, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(EINVAL, errno);
	picture(self->after, sizeof(self->after));
	EXPECT_STREQ(self->before, self->after);
	EXPECT_EQ(0, close(self->fd));
}

/* xorshift64: the same garbage each time. */
static __u64 garbage(void)
{
	static __u64 x = 0x9e3779b97f4a7c15;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static const unsigned long unknown[] = {
	1, 4, 63, 64, 255, 256, 0x7fffffff, 0x80000000, 0xffffffff,
	1UL << 32, (1UL << 32) + LHREQ_IRQ, 1UL << 63, -1UL,
};

TEST_F(device, unknown_requests)
{
	unsigned long words[8];
	int i, n;

	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		for (n = 1; n <= ARRAY_SIZE(words); n++) {
			memset(words, 0, sizeof(words));
			words[0] = unknown[i];
			EXPECT_EQ(-1, write(self->fd, words, n * sizeof(words[0])));
			EXPECT_EQ(EINVAL, errno) TH_LOG("request %#lx, %d words", words[0], n);
		}
	}
}

TEST_F(device, random_words)
{
	unsigned long words[16];
	int i, n;

	for (i = 0; i < 20000; i++) {
		n = 1 + garbage() % ARRAY_SIZE(words);
		words[0] = garbage() | 0x100;
		for (int j = 1; j < n; j++)
			words[j] = garbage();
		ASSERT_EQ(-1, write(self->fd, words, n * sizeof(words[0])));
		ASSERT_EQ(EINVAL, errno) TH_LOG("request %#lx, %d words", words[0], n);
	}
}

/* Every request but INITIALIZE wants a Guest that has been initialised. */
TEST_F(device, known_requests_before_initialize)
{
	unsigned long words[3];
	int nr, n;

	for (nr = LHREQ_INITIALIZE + 1; nr <= LHREQ_ANSWER; nr++) {
		for (n = 1; n <= ARRAY_SIZE(words); n++) {
			memset(words, 0, sizeof(words));
			words[0] = nr;
			EXPECT_EQ(-1, write(self->fd, words, n * sizeof(words[0])));
			EXPECT_EQ(EINVAL, errno) TH_LOG("request %d, %d words", nr, n);
		}
	}
}

/* Not a whole number of words, none at all, far too many. */
TEST_F(device, odd_sizes)
{
	static char big[1 << 20];
	size_t size;

	memset(big, 0xff, sizeof(big));
	for (size = 1; size < 64; size++) {
		if (size % sizeof(long) == 0)
			continue;
		EXPECT_EQ(-1, write(self->fd, big, size));
		EXPECT_EQ(EINVAL, errno) TH_LOG("%zu bytes", size);
	}
	EXPECT_EQ(-1, write(self->fd, big, sizeof(big)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, syscall(SYS_write, self->fd, NULL, LONG_MAX));
	EXPECT_TRUE(errno == EINVAL || errno == EFAULT);
}

TEST_F(device, other_positions)
{
	unsigned long words[2] = { LHREQ_IRQ, 1 };
	static const off_t positions[] = { 1, 2, 4096, 0x7fffffff, 0x80000000, (off_t)1 << 40, ~(1UL << 63) };
	int i;

	for (i = 0; i < ARRAY_SIZE(positions); i++) {
		/* A device that does not seek is as good as one that knows no such vCPU. */
		EXPECT_EQ(-1, pwrite(self->fd, words, sizeof(words), positions[i]));
		EXPECT_TRUE(errno == EINVAL || errno == ESPIPE || errno == EOVERFLOW)
			TH_LOG("position %#lx: errno %d", positions[i], errno);
	}
}

TEST_HARNESS_MAIN
