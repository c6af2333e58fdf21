// SPDX-License-Identifier: GPL-2.0
/* lguest version: which command this is, and whether the Host's half is here. */
#include <stdio.h>
#include <unistd.h>

#include "lib/device.h"
#include "verb.h"

static int version(int argc, char **argv)
{
	if (argc > 1)
		return verb_misused("'%s': no arguments are known", argv[1]);

	printf("lguest " LGUEST_VERSION "\n");
	if (!access("/sys/module/lguest", F_OK))
		printf("The module is loaded.\n");
	else
		printf("The module is not loaded ('modprobe lguest').\n");
	return STATUS_OK;
}

const struct verb verb_version = {
	.name = "version",
	.summary = "Tell the version",
	.usage = "usage: lguest version\n",
	.run = version,
};
