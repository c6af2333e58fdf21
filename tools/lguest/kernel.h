/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From files to a Guest's memory as it is before its first instruction: the
 * kernel in whatever form it comes, boot parameters, initrd, page tables.
 */
#ifndef LGUEST_KERNEL_H
#define LGUEST_KERNEL_H

#include <stdbool.h>

#include "lib/boot.h"

/* Who unpacks a bzImage. */
enum kernel_unpack {
	UNPACK_LAUNCHER, /* this program, if it knows the format */
	UNPACK_GUEST, /* the kernel itself, as on a PC */
};

struct kernel_files {
	const char *kernel;
	const char *initrd; /* or NULL */
	const char *cmdline;
	enum kernel_unpack unpack;
};

/* For INITIALIZE; Guest-physical. */
struct kernel_start {
	uint32_t pgdir, entry;
};

/*
 * Does all of it. With progress, a line on standard error tells how far the
 * unpacking is. -1 with a sentence that names file and fault.
 */
int kernel_load(const struct kernel_files *files,
		const struct lguest_memory *mem, bool progress,
		struct kernel_start *start, struct lguest_error *error);

#endif /* LGUEST_KERNEL_H */
