// SPDX-License-Identifier: GPL-2.0
/* Guest memory: see memory.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory.h"

/* A stretch of address space that starts aligned, or MAP_FAILED. */
static uint8_t *reserve(size_t size)
{
	size_t all = size + LGUEST_MEMORY_ALIGN, before;
	uint8_t *at;

	if (all < size) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	at = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return at;

	before = -(uintptr_t)at % LGUEST_MEMORY_ALIGN;
	if (before)
		munmap(at, before);
	munmap(at + before + size, LGUEST_MEMORY_ALIGN - before);
	return at + before;
}

int lguest_memory_map(struct lguest_memory *mem, uint64_t size, enum lguest_memory_kind kind,
		      struct lguest_error *error)
{
	int flags = MAP_FIXED | MAP_NORESERVE;
	const char *failed;
	void *at;

	mem->fd = -1;
	size = (size + LGUEST_PAGE_SIZE - 1) & -(uint64_t)LGUEST_PAGE_SIZE;
	if (!size || size != (size_t)size)
		return lguest_fail(error, "%llu bytes of guest memory: not possible here",
				   (unsigned long long)size);

	if (kind == LGUEST_MEMORY_FILE) {
		mem->fd = memfd_create("guest-memory", MFD_CLOEXEC);
		failed = "memfd_create";
		if (mem->fd < 0)
			goto fail;
		failed = "ftruncate";
		if (ftruncate(mem->fd, size))
			goto fail;
		flags |= MAP_SHARED;
	} else {
		flags |= MAP_PRIVATE | MAP_ANONYMOUS;
	}

	failed = "mmap";
	at = reserve(size);
	if (at == MAP_FAILED)
		goto fail;
	mem->base = mmap(at, size, PROT_READ | PROT_WRITE, flags, mem->fd, 0);
	if (mem->base == MAP_FAILED) {
		munmap(at, size);
		goto fail;
	}
	mem->size = size;
	return 0;

fail:
	lguest_fail(error, "%llu bytes of guest memory: %s: %s; give it less (-m)", (unsigned long long)size, failed,
		    strerror(errno));
	if (mem->fd >= 0)
		close(mem->fd);
	return -1;
}

void lguest_memory_unmap(struct lguest_memory *mem)
{
	munmap(mem->base, mem->size);
	if (mem->fd >= 0)
		close(mem->fd);
	memset(mem, 0, sizeof(*mem));
	mem->fd = -1;
}

void *lguest_memory_at(const struct lguest_memory *mem, uint64_t gpa, uint64_t len)
{
	if (gpa > mem->size || len > mem->size - gpa)
		return NULL;
	return mem->base + gpa;
}
