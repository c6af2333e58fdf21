// SPDX-License-Identifier: GPL-2.0
/*
 * Disks of `lguest run`: all that was written is there, with the launcher stopped and continued
 * meanwhile; and what fails below them fails in the Guest, for that request, and nowhere else.
 *
 * lguest-host: smp=2 timeout=900
 */
#include <sys/mount.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "run_command.h"
#include "guests/command.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 0		/* scripts/check watches the whole program */

#define MIB		(1ul << 20)
#define REQUEST		(64ul << 10)		/* of guests/command.c */
#define DISK		"/tmp/lguest-test-disk"
#define MOUNT		"/tmp/lguest-test-mount"

static void make_file(const char *name, off_t size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, size))
		FAIL("%s: %s", name, strerror(errno));
	close(fd);
}

static void write_text(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		FAIL("%s: %s", file, strerror(errno));
	close(fd);
}

/* Every word of the file is what the Guest wrote there. */
static void check_file(const char *name, size_t size)
{
	static uint32_t words[REQUEST / 4];
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	size_t at, i;

	for (at = 0; at < size; at += sizeof(words)) {
		if (pread(fd, words, sizeof(words), at) != sizeof(words))
			FAIL("%s: %zu: %s", name, at, strerror(errno));
		for (i = 0; i < ARRAY_SIZE(words); i++)
			if (words[i] != (uint32_t)(at + 4 * i) * DISK_FACTOR)
				FAIL("%s: 0x%08x at %zu", name, words[i], at + 4 * i);
	}
	close(fd);
}

/* Stops the Guest's process now and then, for so many times, and lets it go on. */
static void stop_and_go(pid_t pid, unsigned int times)
{
	while (times--) {
		kill(pid, SIGSTOP);
		usleep(30000);
		kill(pid, SIGCONT);
		usleep(50000);
	}
}

/* 256 MiB of it, or a slice of that. */
TEST(all_written_and_read_back_with_the_launcher_stopped_meanwhile)
{
	size_t size = test_rounds(32, 256) * MIB;
	struct command c;

	make_file(DISK, size);
	command_start(&c, -1, "disk", "-d", DISK, NULL);
	command_until(&c, c.out, "writing");
	stop_and_go(command_second(&c), 10);
	command_until(&c, c.out, "reading");
	stop_and_go(command_second(&c), 10);
	command_until(&c, c.out, "disk ok");
	EXPECT_EQ(0, command_end(&c)) TH_LOG("%s", command_complaint(&c));
	check_file(DISK, size);
	unlink(DISK);
}

/* Runs the Guest over a disk, and returns what it counted: "out OK+ERRORS flush ... in ... ." */
static const char *count_errors(const char *disk)
{
	static char text[256];
	struct command c;
	ssize_t got;
	size_t n = 0;

	command_start(&c, -1, "errors", "-d", disk, NULL);
	while ((got = read(c.out, text + n, sizeof(text) - 1 - n)) > 0)
		n += got;
	text[n] = 0;
	if (command_end(&c))
		FAIL("%s: %s", disk, command_complaint(&c));
	return text;
}

TEST(without_errors)
{
	make_file(DISK, 4 * MIB);
	EXPECT_STREQ("out 64+0 flush 1+0 in 64+0 .\n", count_errors(DISK));
	unlink(DISK);
}

TEST(read_only)
{
	make_file(DISK, 4 * MIB);
	EXPECT_STREQ("out 0+64 flush 1+0 in 64+0 .\n", count_errors(DISK ",ro"));
	unlink(DISK);
}

/* A sparse file on a file system with room for a quarter of it. */
TEST(on_a_full_file_system)
{
	unsigned int ok, failed;
	const char *text;

	mkdir(MOUNT, 0700);
	ASSERT_EQ(0, mount("tmpfs", MOUNT, "tmpfs", 0, "size=1m"));
	make_file(MOUNT "/disk", 4 * MIB);
	text = count_errors(MOUNT "/disk");
	ASSERT_EQ(2, sscanf(text, "out %u+%u", &ok, &failed));
	EXPECT_EQ(64, ok + failed);
	EXPECT_LE(10, ok);
	EXPECT_LE(40, failed);
	/* What could be written can be flushed, and all of it read. */
	EXPECT_NE(NULL, strstr(text, "flush 1+0 in 64+0 ."));
	ASSERT_EQ(0, umount(MOUNT));
	rmdir(MOUNT);
}

/* The file becomes shorter below the Guest: what is behind its end cannot be read. */
TEST(that_shrinks)
{
	struct command c;

	make_file(DISK, 4 * MIB);
	command_start(&c, -1, "ready wait errors", "-d", DISK ",ro", NULL);
	command_until(&c, c.out, "ready");
	ASSERT_EQ(0, truncate(DISK, 1 * MIB));
	ASSERT_EQ(1, write(c.in, "!", 1));
	command_until(&c, c.out, "in 16+48 .");
	EXPECT_EQ(0, command_end(&c)) TH_LOG("%s", command_complaint(&c));
	unlink(DISK);
}

/* A block device; then one whose own medium takes no more, which shows in the FLUSH. */
TEST(of_a_block_device)
{
	const char *text;
	struct command c;

	if (system("modprobe zram"))
		SKIP(return, "this kernel has no zram");
	write_text("/sys/block/zram0/disksize", "8M");
	command_start(&c, -1, "disk", "-d", "/dev/zram0", NULL);
	EXPECT_EQ(0, command_end(&c)) TH_LOG("%s", command_complaint(&c));
	check_file("/dev/zram0", 8 * MIB);
	/* What is written waits in the host's page cache, so it is not the write that fails. */
	write_text("/sys/block/zram0/reset", "1");
	write_text("/sys/block/zram0/disksize", "8M");
	write_text("/sys/block/zram0/mem_limit", "4K");
	text = count_errors("/dev/zram0");
	EXPECT_NE(NULL, strstr(text, "out 128+0 flush 0+1 ")) TH_LOG("%s", text);
	write_text("/sys/block/zram0/reset", "1");
	/* Unless it is a part of the kernel. */
	if (!access("/sys/module/zram/initstate", F_OK))
		EXPECT_EQ(0, system("rmmod zram"));
}

TEST(is_of_one_guest_alone)
{
	struct command one, other;

	make_file(DISK, 4 * MIB);
	command_start(&one, -1, "ready wait", "-d", DISK, NULL);
	command_until(&one, one.out, "ready");
	command_start(&other, -1, "ready", "-d", DISK, NULL);
	EXPECT_EQ(2, command_end(&other));
	EXPECT_NE(NULL, strstr(command_complaint(&other), "in use by another guest"));
	command_start(&other, -1, "ready", "-d", DISK ",ro", NULL);
	EXPECT_EQ(2, command_end(&other));
	EXPECT_EQ(1, write(one.in, "!", 1));
	EXPECT_EQ(0, command_end(&one));

	/* Any number may read. */
	command_start(&one, -1, "ready wait", "-d", DISK ",ro", NULL);
	command_until(&one, one.out, "ready");
	command_start(&other, -1, "ready", "-d", DISK ",ro", NULL);
	EXPECT_EQ(0, command_end(&other));
	EXPECT_EQ(1, write(one.in, "!", 1));
	EXPECT_EQ(0, command_end(&one));
	unlink(DISK);
}

TEST_HARNESS_MAIN
