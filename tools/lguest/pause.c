// SPDX-License-Identifier: GPL-2.0
/* lguest pause: halt a guest until it is resumed. */
#include "control.h"
#include "verb.h"

static const char usage[] =
	"usage: lguest pause NAME...\n"
	"\n"
	"Halts each of these guests before its next instruction.\n"
	"\n"
	"NAME is what 'lguest run --name' was told, or the name that 'lguest list'\n"
	"shows.\n";

static int pause_guests(int argc, char **argv)
{
	return control_verb(argc, argv, "pause");
}

const struct verb verb_pause = {
	.name = "pause",
	.summary = "Halt a guest until it is resumed",
	.usage = usage,
	.run = pause_guests,
};
