/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a Guest finds in memory beside its kernel: the boot parameters of the x86 boot protocol
 * (Documentation/x86/boot.rst of the kernel), the command line, and the initrd.
 */
#ifndef LGUEST_BOOT_H
#define LGUEST_BOOT_H

#include "memory.h"

struct setup_header;

/* Where they lie (Guest-physical); what a kernel may be loaded to starts behind them. */
#define LGUEST_BOOT_PARAMS	0x0000
#define LGUEST_BOOT_CMDLINE	0x1000
#define LGUEST_BOOT_END		0x2000

/* Bytes of a command line, its NUL included; the kernel's header may allow fewer. */
#define LGUEST_CMDLINE_MAX	2048

struct lguest_boot {
	const char *cmdline;
	const struct setup_header *header;	/* a bzImage's; NULL: a kernel without one */
	uint32_t load; /* Guest-physical address of a bzImage's 32-bit entry, or 0 */
	uint64_t initrd, initrd_size;		/* Guest-physical; size 0: none */
};

/*
 * Writes both. E820 says that all of memory may be used. -1 with a sentence if the line is longer
 * than the header allows or memory ends too early.
 */
int lguest_boot_params(const struct lguest_memory *mem, const struct lguest_boot *boot,
		       struct lguest_error *error);

/*
 * Where an initrd of this size goes: as high as memory and the header (or NULL) let it, page
 * aligned. Returns its Guest-physical address, which is not below LGUEST_BOOT_END; -1 with a
 * sentence that names it.
 */
int64_t lguest_place_initrd(const struct lguest_memory *mem, const struct setup_header *header,
			    const char *name, uint64_t size, struct lguest_error *error);

#endif /* LGUEST_BOOT_H */
