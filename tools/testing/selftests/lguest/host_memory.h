/* SPDX-License-Identifier: GPL-2.0 */
/* What tests ask of the host's memory management, by its files. */
#ifndef LGUEST_TEST_HOST_MEMORY_H
#define LGUEST_TEST_HOST_MEMORY_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

#define SWAP_DISK	"/dev/zram0"

static inline bool write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

/* A number of a file of "name number" lines, or of a file with nothing else; -1: none. */
static inline long read_number(const char *file_name, const char *name)
{
	FILE *file = fopen(file_name, "r");
	char word[64];
	long number = -1;

	if (!file)
		return -1;
	if (!name) {
		if (fscanf(file, "%ld", &number) != 1)
			number = -1;
	} else {
		while (fscanf(file, "%63s %ld", word, &number) == 2 && strcmp(word, name))
			number = -1;
	}
	fclose(file);
	return number;
}

/* A counter that is not there would never move. */
static inline long vmstat(const char *name)
{
	long value = read_number("/proc/vmstat", name);

	if (value < 0)
		FAIL("this kernel counts no %s", name);
	return value;
}

/* A zram disk as swap, until end_swap(); false if this host has none. */
static inline bool make_swap(void)
{
	const unsigned int page = 4096, size = 256 << 20;
	static uint8_t header[4096];
	int fd;

	if (access(SWAP_DISK, F_OK) && system("modprobe zram"))
		return false;
	if (read_number("/sys/block/zram0/disksize", NULL) <= 0 &&
	    !write_file("/sys/block/zram0/disksize", "256M"))
		return false;
	/* What mkswap writes: version, last page, and the magic at the end of the first page. */
	memcpy(header + 1024, (uint32_t [2]){ 1, size / page - 1 }, 8);
	memcpy(header + page - 10, "SWAPSPACE2", 10);
	fd = open(SWAP_DISK, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, header, page) != page || fsync(fd))
		return false;
	close(fd);
	return !swapon(SWAP_DISK, 0) || errno == EBUSY;
}

/* The disk is nobody's then, for tests that share this host. */
static inline bool end_swap(void)
{
	return !swapoff(SWAP_DISK) && write_file("/sys/block/zram0/reset", "1");
}

#endif /* LGUEST_TEST_HOST_MEMORY_H */
