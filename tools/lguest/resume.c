// SPDX-License-Identifier: GPL-2.0
/* lguest resume: let a paused guest go on. */
#include "control.h"
#include "verb.h"

static const char usage[] =
	"usage: lguest resume NAME...\n"
	"\n"
	"Lets each of these guests go on after 'lguest pause'.\n"
	"\n"
	"NAME is what 'lguest run --name' was told, or the name that 'lguest list'\n"
	"shows.\n";

static int resume_guests(int argc, char **argv)
{
	return control_verb(argc, argv, "resume");
}

const struct verb verb_resume = {
	.name = "resume",
	.summary = "Let a paused guest go on",
	.usage = usage,
	.run = resume_guests,
};
