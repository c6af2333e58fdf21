/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a Guest finds in memory beside its kernel: the boot parameters of the x86 boot protocol
 * (Documentation/x86/boot.rst of the kernel) and the command line.
 */
#ifndef LGUEST_BOOT_H
#define LGUEST_BOOT_H

#include "memory.h"

/* Where they lie (Guest-physical); what a kernel may be loaded to starts behind them. */
#define LGUEST_BOOT_PARAMS	0x0000
#define LGUEST_BOOT_CMDLINE	0x1000
#define LGUEST_BOOT_END		0x2000

/* Bytes of a command line, its NUL included. */
#define LGUEST_CMDLINE_MAX	2048

/*
 * Writes both. E820 says that all of memory may be used. -1 with a sentence if the line is too long or
 * memory ends too early.
 */
int lguest_boot_params(const struct lguest_memory *mem, const char *cmdline,
		       struct lguest_error *error);

#endif /* LGUEST_BOOT_H */
