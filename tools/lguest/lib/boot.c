// SPDX-License-Identifier: GPL-2.0
/* Boot parameters: see boot.h. */
#include <string.h>
#include <asm/bootparam.h>
#include <asm/lguest.h>

#include "boot.h"

/* Type of a range of memory that may be used (boot protocol, E820). */
#define E820_RAM	1
#define BELOW_1M	(1ull << 20)

/* Constants of the boot protocol. */
#define BOOT_FLAG	0xaa55
#define HEADER_MAGIC	0x53726448	/* "HdrS" */
#define LOADER_UNKNOWN	0xff

/*
 * What a kernel without a header gets: a version that has all fields that are filled, and the
 * limits of the i386.
 */
#define PROTOCOL	0x20c
#define INITRD_MAX	0x7fffffff

/* Versions at which fields became valid, and what held before. */
#define PROTOCOL_INITRD_MAX	0x203
#define OLD_INITRD_MAX		0x37ffffff
#define PROTOCOL_CMDLINE_SIZE	0x206
#define OLD_CMDLINE_SIZE	255

_Static_assert(sizeof(struct boot_params) <= LGUEST_BOOT_CMDLINE - LGUEST_BOOT_PARAMS,
	       "boot parameters reach into the command line");

/* Bytes of the longest line, its NUL included. */
static size_t cmdline_max(const struct setup_header *header)
{
	size_t max = OLD_CMDLINE_SIZE;

	if (!header)
		return LGUEST_CMDLINE_MAX;
	if (header->version >= PROTOCOL_CMDLINE_SIZE)
		max = header->cmdline_size;
	return max < LGUEST_CMDLINE_MAX ? max + 1 : LGUEST_CMDLINE_MAX;
}

static void add_e820(struct boot_params *params, uint64_t addr, uint64_t size)
{
	params->e820_table[params->e820_entries++] = (struct boot_e820_entry){
		.addr = addr, .size = size, .type = E820_RAM,
	};
}

int lguest_boot_params(const struct lguest_memory *mem, const struct lguest_boot *boot,
		       struct lguest_error *error)
{
	struct boot_params *params = lguest_memory_at(mem, LGUEST_BOOT_PARAMS, LGUEST_BOOT_END);
	size_t len = strlen(boot->cmdline) + 1, max = cmdline_max(boot->header);
	struct setup_header *hdr;

	if (!params)
		return lguest_fail(error, "%llu bytes of memory do not hold the boot parameters",
				   (unsigned long long)mem->size);
	if (len > max)
		return lguest_fail(error, "a command line of %zu bytes; this kernel takes %zu; shorten it (-p)",
				   len - 1, max - 1);

	memset(params, 0, sizeof(*params));
	hdr = &params->hdr;
	if (boot->header) {
		*hdr = *boot->header;
	} else {
		hdr->boot_flag = BOOT_FLAG;
		hdr->header = HEADER_MAGIC;
		hdr->version = PROTOCOL;
		hdr->loadflags = LOADED_HIGH;
		hdr->initrd_addr_max = INITRD_MAX;
		hdr->cmdline_size = LGUEST_CMDLINE_MAX - 1;
	}
	hdr->type_of_loader = LOADER_UNKNOWN;
	hdr->loadflags = (hdr->loadflags | KEEP_SEGMENTS) & ~CAN_USE_HEAP;
	hdr->code32_start = boot->load;
	hdr->hardware_subarch = LGUEST_SUBARCH;
	hdr->hardware_subarch_data = 0;
	hdr->cmd_line_ptr = LGUEST_BOOT_CMDLINE;
	hdr->setup_data = 0;
	hdr->ramdisk_image = boot->initrd_size ? boot->initrd : 0;
	hdr->ramdisk_size = boot->initrd_size;

	/* All of memory is memory; but Linux takes a map of one entry for none. */
	add_e820(params, 0, mem->size < BELOW_1M ? mem->size : BELOW_1M);
	if (mem->size > BELOW_1M)
		add_e820(params, BELOW_1M, mem->size - BELOW_1M);
	memcpy(lguest_memory_at(mem, LGUEST_BOOT_CMDLINE, len), boot->cmdline, len);
	return 0;
}

int64_t lguest_place_initrd(const struct lguest_memory *mem, const struct setup_header *header,
			    const char *name, uint64_t size, struct lguest_error *error)
{
	uint64_t top = INITRD_MAX;

	if (header && header->version >= PROTOCOL_INITRD_MAX)
		top = header->initrd_addr_max;
	else if (header)
		top = OLD_INITRD_MAX;
	top++;
	if (top > mem->size)
		top = mem->size;

	if (top < LGUEST_BOOT_END || size > top - LGUEST_BOOT_END)
		return lguest_fail(
			error,
			"%s: an initrd of %llu KiB does not fit into %llu KiB of guest memory; give it more (-m)",
			name, (unsigned long long)size >> 10, (unsigned long long)top >> 10);
	return (top - size) & -(uint64_t)LGUEST_PAGE_SIZE;
}
