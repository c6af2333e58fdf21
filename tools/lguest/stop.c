// SPDX-License-Identifier: GPL-2.0
/* lguest stop: end a guest, as if its power were switched off. */
#include "control.h"
#include "verb.h"

static const char usage[] =
	"usage: lguest stop NAME...\n"
	"\n"
	"Ends each of these guests. What its disks were asked to FLUSH is safe; the guest\n"
	"is not told. Waits until it is gone.\n"
	"\n"
	"NAME is what 'lguest run --name' was told, or the name that 'lguest list'\n"
	"shows.\n";

static int stop_guests(int argc, char **argv)
{
	return control_verb(argc, argv, "stop");
}

const struct verb verb_stop = {
	.name = "stop",
	.summary = "End a guest, as if its power were switched off",
	.usage = usage,
	.run = stop_guests,
};
