// SPDX-License-Identifier: GPL-2.0
/* lguest run: start a Guest. */
#include "verb.h"

static int run(int argc, char **argv)
{
	return verb_fail(STATUS_FAILED, "cannot run a guest yet");
}

const struct verb verb_run = {
	.name = "run",
	.summary = "Run a guest",
	.usage = "usage: lguest run -k KERNEL [OPTION]...\n",
	.run = run,
};
