// SPDX-License-Identifier: GPL-2.0
/* Loading a bzImage: see bzimage.h. Field names and offsets are the boot protocol's. */
#include <string.h>

#include "bzimage.h"

#define HEADER_START	0x1f1u
#define HEADER_MAGIC	0x202u
#define JUMP_OFFSET	0x201u		/* of the jump over the header: how long it is */
#define SECTOR		512u
#define OLD_SETUP_SECTS	4u		/* what a setup_sects of 0 means */

#define PROTOCOL_SUBARCH	0x207
#define PROTOCOL_PAYLOAD	0x208
#define PROTOCOL_INIT_SIZE	0x20a
#define PROTOCOL_XLOADFLAGS	0x20c

/* Where a kernel that cannot be moved is loaded to, and the lowest address for one that can. */
#define LOAD_ADDRESS	0x100000u

bool lguest_image_is_bzimage(const struct lguest_image *image)
{
	const uint8_t *data = image->data;

	return image->size >= HEADER_MAGIC + 4 && data[0x1fe] == 0x55 && data[0x1ff] == 0xaa &&
	       !memcmp(data + HEADER_MAGIC, "HdrS", 4);
}

int lguest_bzimage_parse(const struct lguest_image *image, struct lguest_bzimage *bz,
			 struct lguest_error *error)
{
	const char *name = image->name;
	const uint8_t *data = image->data;
	struct setup_header *hdr = &bz->header;
	size_t end, setup, size;

	if (!lguest_image_is_bzimage(image))
		return lguest_fail(error, "%s: not a bzImage", name);

	memset(bz, 0, sizeof(*bz));
	bz->name = name;
	end = HEADER_MAGIC + data[JUMP_OFFSET];
	if (end > HEADER_START + sizeof(*hdr))
		end = HEADER_START + sizeof(*hdr);
	if (end > image->size)
		return lguest_fail(error, "%s: truncated: %zu bytes do not hold the setup header; copy it anew",
				   name, image->size);
	memcpy(hdr, data + HEADER_START, end - HEADER_START);

	if (hdr->version < PROTOCOL_SUBARCH)
		return lguest_fail(
			error, "%s: boot protocol %u.%02u; a kernel for lguest has 2.07 or later",
			name, hdr->version >> 8, hdr->version & 0xff);
	if (hdr->version >= PROTOCOL_XLOADFLAGS && hdr->xloadflags & XLF_KERNEL_64)
		return lguest_fail(error, "%s: a 64-bit kernel; only 32-bit ones run: build one for i386 with CONFIG_LGUEST_GUEST", name);
	if (!(hdr->loadflags & LOADED_HIGH))
		return lguest_fail(
			error,
			"%s: a zImage, which loads below 1 MiB; only a bzImage can be loaded",
			name);

	setup = ((hdr->setup_sects ?: OLD_SETUP_SECTS) + 1) * SECTOR;
	size = (size_t)hdr->syssize * 16;
	if (setup >= image->size || !size)
		return lguest_fail(error, "%s: truncated: it ends before its kernel; copy it anew", name);
	/* syssize counts in 16 bytes, the file need not be as long as its last one. */
	if (size > image->size - setup) {
		if (size - (image->size - setup) >= 16)
			return lguest_fail(error,
					   "%s: truncated: %zu bytes of its kernel are missing; copy it anew",
					   name, size - (image->size - setup));
		size = image->size - setup;
	}
	bz->kernel = (struct lguest_image){ .name = name, .data = data + setup, .size = size };

	if (hdr->version >= PROTOCOL_PAYLOAD && hdr->payload_length) {
		if (hdr->payload_offset > size || hdr->payload_length > size - hdr->payload_offset)
			return lguest_fail(
				error, "%s: its payload of %u bytes at 0x%x ends behind the kernel",
				name, hdr->payload_length, hdr->payload_offset);
		bz->payload = (struct lguest_image){
			.name = name,
			.data = data + setup + hdr->payload_offset,
			.size = hdr->payload_length,
		};
	}
	return 0;
}

int lguest_bzimage_load(const struct lguest_bzimage *bz, const struct lguest_memory *mem,
			uint64_t floor, uint64_t limit, struct lguest_loaded *loaded,
			struct lguest_error *error)
{
	const struct setup_header *hdr = &bz->header;
	uint64_t align = hdr->kernel_alignment ?: LGUEST_PAGE_SIZE;
	uint64_t load = LOAD_ADDRESS, room = bz->kernel.size, start;

	if (limit > mem->size)
		limit = mem->size;
	if (hdr->relocatable_kernel && align & (align - 1))
		return lguest_fail(error, "%s: an alignment of 0x%llx is not a power of two",
				   bz->name, (unsigned long long)align);

	/*
	 * The room that is asked for counts from where the kernel will run, not from where it is
	 * put.
	 */
	start = load;
	if (hdr->version >= PROTOCOL_INIT_SIZE) {
		if (room < hdr->init_size)
			room = hdr->init_size;
		start = hdr->pref_address;
		if (hdr->relocatable_kernel) {
			if (start < LOAD_ADDRESS || start > limit || room > limit - start)
				start = (LOAD_ADDRESS + align - 1) & -align;
			load = start;
		}
	} else if (hdr->relocatable_kernel) {
		load = (load + align - 1) & -align;
		start = load;
	}
	if (start < floor || start > limit || room > limit - start)
		return lguest_fail(
			error,
			"%s: needs %llu KiB at 0x%llx, guest memory is free from 0x%llx to 0x%llx; give it more (-m)",
			bz->name, (unsigned long long)room >> 10, (unsigned long long)start,
			(unsigned long long)floor, (unsigned long long)limit);
	if (load < floor || load > limit || bz->kernel.size > limit - load)
		return lguest_fail(error, "%s: %zu bytes do not fit at 0x%llx; give it more memory (-m)", bz->name,
				   bz->kernel.size, (unsigned long long)load);

	memcpy(lguest_memory_at(mem, load, bz->kernel.size), bz->kernel.data, bz->kernel.size);
	loaded->entry = load;
	loaded->lowest = load < start ? load : start;
	loaded->end = start + room;
	if (loaded->end < load + bz->kernel.size)
		loaded->end = load + bz->kernel.size;
	return 0;
}
