/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel's C has and the C library does not. */
#ifndef LGUEST_UTIL_H
#define LGUEST_UTIL_H

#include <stddef.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define __printf(fmt, args) __attribute__((__format__(__printf__, fmt, args)))
#define container_of(pointer, type, member) \
	((type *)((char *)(pointer) - offsetof(type, member)))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))

#endif /* LGUEST_UTIL_H */
