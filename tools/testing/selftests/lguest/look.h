/* SPDX-License-Identifier: GPL-2.0 */
/* The files of debugfs, for tests: found, read whole, and searched. */
#ifndef LGUEST_TEST_LOOK_H
#define LGUEST_TEST_LOOK_H

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher.h"

#define LOOK_DEBUGFS	"/sys/kernel/debug/lguest"

/* Sizes of paths: of a Guest's folder, and of a file in it. */
#define LOOK_FOLDER	64
#define LOOK_PATH	128

/* The folder of the last Guest that this process made; fails the test if there is none. */
static inline void look_folder(char *path, size_t size)
{
	DIR *dir = opendir(LOOK_DEBUGFS);
	struct dirent *entry;
	long newest = 0;
	int pid;
	long n;

	if (!dir)
		FAIL(LOOK_DEBUGFS ": %s", strerror(errno));
	while ((entry = readdir(dir))) {
		if (sscanf(entry->d_name, "%d-%ld", &pid, &n) == 2 && pid == getpid() &&
		    n > newest) {
			newest = n;
			snprintf(path, size, "%s/%.30s", LOOK_DEBUGFS, entry->d_name);
		}
	}
	closedir(dir);
	if (!newest)
		FAIL("this process has no Guest in " LOOK_DEBUGFS);
}

/* Reads all that there is: how many bytes, or a negative errno. text ends with NUL. */
static inline ssize_t look_fd(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t got;

	while (len < size - 1 && (got = read(fd, text + len, size - 1 - len)) != 0) {
		if (got < 0)
			return -errno;
		len += got;
	}
	text[len] = 0;
	return len;
}

static inline void look_file(const char *folder, const char *name, char *text, size_t size)
{
	char path[LOOK_PATH];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		FAIL("%s: %s", path, strerror(errno));
	len = look_fd(fd, text, size);
	if (len < 0)
		FAIL("%s: %s", path, strerror(-len));
	close(fd);
}

/* The first line that begins with this; NULL: none. */
static inline const char *look_line(const char *text, const char *start)
{
	size_t len = strlen(start);

	for (; text; text = strchr(text, '\n'), text += !!text) {
		if (!strncmp(text, start, len))
			return text;
	}
	return NULL;
}

/* Of a line "name value": the value. */
static inline unsigned long long look_number(const char *text, const char *name, int base)
{
	char start[64];
	const char *line;

	snprintf(start, sizeof(start), "%s ", name);
	line = look_line(text, start);
	if (!line)
		FAIL("no line '%s' in:\n%s", name, text);
	return strtoull(line + strlen(start), NULL, base);
}

#endif /* LGUEST_TEST_LOOK_H */
