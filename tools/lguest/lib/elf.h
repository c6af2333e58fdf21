/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A kernel in an ELF file of the i386, put into Guest memory by the physical addresses of its
 * segments. The difference between virtual and physical may be another one in each segment. Nothing
 * in the file is believed before it is checked; whatever is wrong is said in one sentence that
 * names the file.
 */
#ifndef LGUEST_ELF_H
#define LGUEST_ELF_H

#include <stdbool.h>

#include "memory.h"

/* The bytes of a file, and what to call it in a sentence. */
struct lguest_image {
	const char *name;
	const void *data;
	size_t size;
};

/* Where a kernel went. All Guest-physical. */
struct lguest_loaded {
	uint64_t lowest, end;		/* first byte used, and the one after the last */
	uint32_t entry;
};

/* Maps a file's bytes; -1 with a sentence. The name must live as long as the image. */
int lguest_image_open(struct lguest_image *image, const char *name, struct lguest_error *error);
void lguest_image_close(struct lguest_image *image);

bool lguest_image_is_elf(const struct lguest_image *image);

/*
 * Loads the kernel into [floor, limit) of Guest memory and finds its entry: the file's, which is a
 * physical address if a segment was loaded there, else a virtual one in a segment. -1 with a
 * sentence; Guest memory may have been written to then.
 */
int lguest_elf_load(const struct lguest_image *image, const struct lguest_memory *mem,
		    uint64_t floor, uint64_t limit, struct lguest_loaded *loaded,
		    struct lguest_error *error);

/*
 * The oldest kernels for lguest are entered behind the bytes "GenuineLguest" (abi.md, 1): looks for
 * them in [from, to) of Guest memory. Returns the Guest-physical address behind the first ones, or
 * -1.
 */
int64_t lguest_find_magic_entry(const struct lguest_memory *mem, uint64_t from, uint64_t to);

#endif /* LGUEST_ELF_H */
