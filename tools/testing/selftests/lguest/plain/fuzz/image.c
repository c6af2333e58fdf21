// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz target: kernel images of every form, up to a Guest's memory. The input is the file; a good
 * header is put in front of it now and then, so that what lies behind is reached. Whatever is
 * accepted is where it says it is.
 */
#include <stddef.h>

#include <asm/bootparam.h>

#include "input.h"
#include "lib/boot.h"
#include "lib/bzimage.h"
#include "lib/pagetable.h"
#include "unpack.h"

#define MEMORY	(4u << 20)
#define LIMIT	(MEMORY - 64 * 1024)
#define SETUP	1024u
#define FILE_MAX	65536u

static struct lguest_memory memory;

static void check_loaded(const struct lguest_loaded *loaded)
{
	FUZZ_CHECK(loaded->lowest >= LGUEST_BOOT_END);
	FUZZ_CHECK(loaded->end <= LIMIT);
	FUZZ_CHECK(loaded->entry >= loaded->lowest && loaded->entry < loaded->end);
}

static void load_elf(const struct lguest_image *image)
{
	struct lguest_loaded loaded;
	struct lguest_error error = {};

	if (!lguest_elf_load(image, &memory, LGUEST_BOOT_END, LIMIT, &loaded, &error)) {
		check_loaded(&loaded);
		lguest_find_magic_entry(&memory, loaded.lowest, loaded.end);
	} else {
		FUZZ_CHECK(error.text[0]);
	}
}

static void load_bzimage(const struct lguest_image *image)
{
	struct lguest_image inner;
	struct lguest_loaded loaded;
	struct lguest_error error = {};
	struct lguest_bzimage bz;
	struct lguest_boot boot = { .cmdline = "quiet", .header = &bz.header };

	if (lguest_bzimage_parse(image, &bz, &error)) {
		FUZZ_CHECK(error.text[0]);
		return;
	}
	lguest_place_initrd(&memory, &bz.header, "initrd", 4096, &error);
	lguest_boot_params(&memory, &boot, &error);
	if (!lguest_bzimage_load(&bz, &memory, LGUEST_BOOT_END, LIMIT, &loaded, &error))
		check_loaded(&loaded);
	if (!bz.payload.size || unpack(&bz.payload, 1 << 20, &inner, NULL, &error))
		return;
	load_elf(&inner);
	lguest_image_close(&inner);
}

/* A header that is right, but for the fields that the input has. */
static size_t put_header(struct input *in, uint8_t *file)
{
	struct setup_header *hdr = (struct setup_header *)(file + 0x1f1);
	size_t payload = in->left - (in->left > 8 ? 8 : in->left);
	uint32_t init_size = input32(in), word = input32(in);

	memset(file, 0, SETUP);
	*hdr = (struct setup_header){
		.setup_sects = 1,
		.boot_flag = 0xaa55,
		.jump = 0x6aeb,
		.header = 0x53726448,
		.version = 0x20f,
		.loadflags = LOADED_HIGH,
		.syssize = (payload + 4 + 15) / 16,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 1u << (word & 31),
		.relocatable_kernel = word >> 5 & 1,
		.cmdline_size = 2047,
		.payload_length = payload + 4,
		.pref_address = 0x100000,
		.init_size = init_size % MEMORY,
	};
	input_bytes(in, file + SETUP, payload);
	/* The size when unpacked. */
	word = word >> 8 & 0xffff;
	memcpy(file + SETUP + payload, &word, 4);
	return SETUP + payload + 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct input in = { bytes, len };
	struct lguest_error error;
	struct lguest_image image = { .name = "the-file" };
	uint8_t how = input8(&in);
	uint8_t *file, *exact;

	if (!memory.base && lguest_memory_map(&memory, MEMORY, LGUEST_MEMORY_ANONYMOUS, &error))
		abort();
	if (in.left > FILE_MAX)
		return -1;
	file = malloc(SETUP + FILE_MAX + 4);
	if (how & 1) {
		image.size = put_header(&in, file);
	} else {
		image.size = in.left;
		input_bytes(&in, file, image.size);
	}
	/* To end where it ends, for ASan. */
	exact = malloc(image.size ?: 1);
	memcpy(exact, file, image.size);
	image.data = exact;
	if (lguest_image_is_bzimage(&image))
		load_bzimage(&image);
	else
		load_elf(&image);
	free(exact);
	free(file);
	return 0;
}
