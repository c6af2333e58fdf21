// SPDX-License-Identifier: GPL-2.0
/* Boot parameters: see boot.h. */
#include <string.h>
#include <asm/bootparam.h>
#include <asm/lguest.h>

#include "boot.h"

/* Type of a range of memory that may be used (boot protocol, E820). */
#define E820_RAM	1

_Static_assert(sizeof(struct boot_params) <= LGUEST_BOOT_CMDLINE - LGUEST_BOOT_PARAMS,
	       "boot parameters reach into the command line");

int lguest_boot_params(const struct lguest_memory *mem, const char *cmdline,
		       struct lguest_error *error)
{
	struct boot_params *params = lguest_memory_at(mem, LGUEST_BOOT_PARAMS, LGUEST_BOOT_END);
	size_t len = strlen(cmdline) + 1;

	if (!params)
		return lguest_fail(error, "%llu bytes of memory do not hold the boot parameters",
				   (unsigned long long)mem->size);
	if (len > LGUEST_CMDLINE_MAX)
		return lguest_fail(error, "a command line of %zu bytes; %u are possible", len,
				   LGUEST_CMDLINE_MAX);

	memset(params, 0, sizeof(*params));
	params->hdr.hardware_subarch = LGUEST_SUBARCH;
	params->hdr.cmd_line_ptr = LGUEST_BOOT_CMDLINE;
	params->hdr.cmdline_size = LGUEST_CMDLINE_MAX - 1;
	params->e820_entries = 1;
	params->e820_table[0].addr = 0;
	params->e820_table[0].size = mem->size;
	params->e820_table[0].type = E820_RAM;
	memcpy(lguest_memory_at(mem, LGUEST_BOOT_CMDLINE, len), cmdline, len);
	return 0;
}
