/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A bzImage: the header of the x86 boot protocol, a real-mode part that nobody needs here, and the
 * protected-mode kernel, which unpacks itself when it is entered, or out of which the payload can
 * be taken and unpacked by somebody else. The file is hostile.
 */
#ifndef LGUEST_BZIMAGE_H
#define LGUEST_BZIMAGE_H

#include <asm/bootparam.h>

#include "elf.h"

struct lguest_bzimage {
	const char *name;
	struct setup_header header;	/* what is behind the end of the file's own is 0 */
	struct lguest_image kernel;	/* the protected-mode part, in the file's bytes */
	struct lguest_image payload;	/* in those; size 0: the header names none */
};

bool lguest_image_is_bzimage(const struct lguest_image *image);

/*
 * Checks the header and fills *bz, whose pointers are into the image. -1 with a sentence, for a
 * 64-bit kernel and one whose boot protocol is too old to know hardware_subarch (2.07) too.
 */
int lguest_bzimage_parse(const struct lguest_image *image, struct lguest_bzimage *bz,
			 struct lguest_error *error);

/*
 * Loads the protected-mode part into [floor, limit), so that the kernel has there all the room that
 * its header asks for. loaded->entry is its 32-bit entry; loaded->end the end of that room.
 */
int lguest_bzimage_load(const struct lguest_bzimage *bz, const struct lguest_memory *mem,
			uint64_t floor, uint64_t limit, struct lguest_loaded *loaded,
			struct lguest_error *error);

#endif /* LGUEST_BZIMAGE_H */
