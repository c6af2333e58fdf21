/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory: one region of this program, Guest-physical 0 at its start. What the Guest, a file
 * or a device says about a place in it goes through lguest_memory_at(), which is the only check
 * there is.
 */
#ifndef LGUEST_MEMORY_H
#define LGUEST_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define LGUEST_PAGE_SIZE	4096u
/* Guest memory starts at a multiple of this here, so that the Host can use huge pages (bytes). */
#define LGUEST_MEMORY_ALIGN	(4u << 20)

/* What stands behind the region. */
enum lguest_memory_kind {
	LGUEST_MEMORY_ANONYMOUS,	/* private anonymous memory */
	LGUEST_MEMORY_FILE,		/* a memfd, shared: other processes can map it too */
};

struct lguest_memory {
	uint8_t *base;
	uint64_t size;			/* bytes, a multiple of LGUEST_PAGE_SIZE */
	int fd;				/* of LGUEST_MEMORY_FILE, else -1 */
};

/*
 * Maps `size` bytes (rounded up to a page), none of which takes memory before it is touched. -1
 * with a sentence if there is no room.
 */
int lguest_memory_map(struct lguest_memory *mem, uint64_t size, enum lguest_memory_kind kind,
		      struct lguest_error *error);
void lguest_memory_unmap(struct lguest_memory *mem);

/* Where [gpa, gpa + len) is here, or NULL if not all of it is Guest memory. */
void *lguest_memory_at(const struct lguest_memory *mem, uint64_t gpa, uint64_t len);

#endif /* LGUEST_MEMORY_H */
