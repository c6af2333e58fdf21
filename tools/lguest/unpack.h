/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unpacking what a kernel image is packed with: gzip, xz, lzma, bzip2, zstd and
 * the old lz4 format, told apart by their first bytes. The bytes are hostile.
 */
#ifndef LGUEST_UNPACK_H
#define LGUEST_UNPACK_H

#include "lib/elf.h"

/* Called now and then; bytes of the packed form. */
typedef void (*unpack_progress)(size_t done, size_t all);

/* What it is packed with, in a word; NULL if it is none of these. */
const char *unpack_format(const struct lguest_image *packed);

/*
 * Unpacks into new memory, which lguest_image_close() gives back; never more
 * than `limit` bytes. The size is that which stands in the last four bytes, as
 * the kernel's own build puts it there. -1 with a sentence.
 */
int unpack(const struct lguest_image *packed, size_t limit,
	   struct lguest_image *unpacked, unpack_progress progress,
	   struct lguest_error *error);

#endif /* LGUEST_UNPACK_H */
