/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The Host has no memory, just when it is asked for: one allocation of this task fails.
 *
 * A kernel with CONFIG_FAULT_INJECTION (HOST_KERNEL=debug) counts a task's allocations down from
 * the number in its fail-nth, and fails the one at which it arrives; modules/fail_nth.c gives that a
 * file of its own, and in a distribution's kernel does the work, as long as there are the two
 * functions that this needs (up to 6.10).
 */
#ifndef LGUEST_TEST_FAIL_NTH_H
#define LGUEST_TEST_FAIL_NTH_H

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "launcher.h"

#define FAIL_NTH	"/proc/self/fail-nth"
#define OWN_FAIL_NTH	"/sys/kernel/debug/lguest_fail_nth"
#define FAULTS		"/sys/kernel/debug/"

/* Nothing here needs that many. */
#define ALLOCATIONS_MAX	20000

static int fail_nth_fd;

/* From here on; 0: none any more. */
static inline void fail_nth(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fail_nth_fd, text, len, 0) != len)
		FAIL("fail-nth: %s", strerror(errno));
}

/*
 * How many are left until then; none fails afterwards. *at_init: how many were left when the
 * kernel began with the initialisation of a module; may be NULL.
 */
static inline unsigned int allocations_left(unsigned int *at_init)
{
	unsigned int n, init = 0;
	char text[32] = "";

	if (pread(fail_nth_fd, text, sizeof(text) - 1, 0) <= 0 ||
	    sscanf(text, "%u %u", &n, &init) < 1)
		FAIL("fail-nth: %s", strerror(errno));
	if (at_init)
		*at_init = init;
	fail_nth(0);
	return n;
}

static inline bool has_failed(void)
{
	return !allocations_left(NULL);
}

static inline bool fail_nth_set(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

/* Allocations that may sleep are the ones of interest. */
static inline bool kernel_lets_fail(void)
{
	return fail_nth_set(FAULTS "failslab/ignore-gfp-wait", "N") &&
	       fail_nth_set(FAULTS "failslab/verbose", "0") &&
	       fail_nth_set(FAULTS "fail_page_alloc/ignore-gfp-wait", "N") &&
	       fail_nth_set(FAULTS "fail_page_alloc/ignore-gfp-highmem", "N") &&
	       fail_nth_set(FAULTS "fail_page_alloc/min-order", "0") &&
	       fail_nth_set(FAULTS "fail_page_alloc/verbose", "0");
}

/* By the module that lies beside this program. */
static inline bool module_lets_fail(void)
{
	char self[PATH_MAX], path[PATH_MAX + 96];
	struct utsname host;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int fd, err;

	if (len < 0)
		return false;
	self[len] = 0;
	uname(&host);
	snprintf(path, sizeof(path), "%s/fail_nth-%s.ko", dirname(self), host.release);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	err = syscall(SYS_finit_module, fd, "", 0) ? errno : 0;
	close(fd);
	return !err || err == EEXIST;
}

static inline void unload_fail_nth(void)
{
	syscall(SYS_delete_module, "fail_nth", O_NONBLOCK);
}

/* Of the program as a whole; its tests are processes that end otherwise. */
static void __attribute__((constructor)) unload_fail_nth_at_the_end(void)
{
	atexit(unload_fail_nth);
}

static inline bool allocations_fail(void)
{
	if (!module_lets_fail())
		return false;
	fail_nth_fd = open(OWN_FAIL_NTH, O_RDWR | O_CLOEXEC);
	return fail_nth_fd >= 0 && (access(FAIL_NTH, F_OK) || kernel_lets_fail());
}

/* Each test that needs this begins with it. */
#define ALLOCATIONS_FAIL_OR_SKIP() \
	do { \
		if (!allocations_fail()) \
			SKIP(return, "no allocation fails on demand in this kernel"); \
	} while (0)

/* How a request may go: try() is 0 or a negative errno; undo() takes it back, if that is needed. */
struct request {
	const char *name;
	int (*try)(void *arg);
	void (*undo)(void *arg);
};

/* Without its nth allocation. False: it has come to its end without that many, and stands. */
static inline bool try_without(const struct request *request, void *arg, unsigned int n,
			       unsigned int *refused)
{
	bool failed;
	int err;

	fail_nth(n);
	err = request->try(arg);
	failed = has_failed();
	if (err && (!failed || err != -ENOMEM))
		FAIL("%s: %s, allocation %u %s", request->name, strerror(-err), n,
		     failed ? "failed" : "did not fail");
	*refused += !!err;
	if (failed && !err && request->undo)
		request->undo(arg);
	return failed;
}

/*
 * Once without each of its allocations, or every so many from the first one that is told; then with
 * all: its work stands. How many there are, about; *refused: without how many of them it was not
 * done.
 */
static inline unsigned int try_without_some(const struct request *request, void *arg,
					    unsigned int first, unsigned int every,
					    unsigned int *refused)
{
	unsigned int n = first;

	*refused = 0;
	while (n < ALLOCATIONS_MAX && try_without(request, arg, n, refused))
		n += every;
	return n - 1;
}

static inline unsigned int try_without_each(const struct request *request, void *arg,
					    unsigned int *refused)
{
	return try_without_some(request, arg, 1, 1, refused);
}

#endif /* LGUEST_TEST_FAIL_NTH_H */
