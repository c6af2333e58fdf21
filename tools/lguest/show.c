// SPDX-License-Identifier: GPL-2.0
/* lguest show: one thing that the host knows of a guest, as text or as a picture. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "look.h"
#include "svg.h"
#include "verb.h"

static const char usage[] =
	"usage: lguest show GUEST WHAT\n"
	"       lguest show GUEST translate ADDRESS\n"
	"       lguest show GUEST map|last_exits --svg FILE\n"
	"\n"
	"Prints what the host knows of a guest, while it runs. WHAT is one of\n"
	"\n"
	"  name memory state uptime stats\n"
	"  regs                   registers, and the code that comes next\n"
	"  gdt idt tss            descriptor tables\n"
	"  pagetables             the guest's own\n"
	"  shadow                 what the processor has instead, in kernel and user mode\n"
	"  translate              the walk of one address (hexadecimal)\n"
	"  interrupts timer\n"
	"  hypercalls exits       how often, and what they cost\n"
	"  last_exits             one by one\n"
	"  death                  why it ended\n"
	"\n"
	"Pictures (SVG; FILE may be - for standard output):\n"
	"\n"
	"  map --svg FILE         its address space, pagetables beside shadow\n"
	"  last_exits --svg FILE  as time goes by\n"
	"\n"
	"GUEST is its name, or the number that 'lguest list' shows.\n";

static const struct {
	const char *name, *file;
} things[] = {
	{ "name", "name" },
	{ "memory", "memory" },
	{ "state", "state" },
	{ "uptime", "uptime" },
	{ "stats", "stats" },
	{ "regs", "vcpu0/regs" },
	{ "gdt", "vcpu0/gdt" },
	{ "idt", "vcpu0/idt" },
	{ "tss", "vcpu0/tss" },
	{ "pagetables", "vcpu0/pagetables" },
	{ "shadow", "vcpu0/shadow" },
	{ "translate", "vcpu0/translate" },
	{ "interrupts", "vcpu0/interrupts" },
	{ "timer", "vcpu0/timer" },
	{ "hypercalls", "vcpu0/hypercalls" },
	{ "exits", "vcpu0/exits" },
	{ "last_exits", "vcpu0/last_exits" },
	{ "death", "vcpu0/death" },
};

static const char *file_of(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(things); i++) {
		if (!strcmp(things[i].name, name))
			return things[i].file;
	}
	return NULL;
}

static int gone(const struct look_guest *guest, const char *what)
{
	if (errno == ENODEV || errno == ENOENT)
		return verb_fail(STATUS_FAILED, "%s has ended meanwhile",
				 guest->name);
	return verb_fail(STATUS_FAILED, "%s of %s: %s", what, guest->name,
			 strerror(errno));
}

/* ---- Pictures ---- */

static int draw_map(FILE *out, const struct look_guest *guest)
{
	struct svg_column column[3] = {
		{ .title = "guest's tables" },
		{ .title = "kernel view" },
		{ .title = "user view" },
	};
	static const char *const prefix[] = { "", "kernel ", "user " };
	char *tables = look_read(guest, "vcpu0/pagetables");
	char *shadow = look_read(guest, "vcpu0/shadow");
	struct look_range *ranges[3] = {};
	int i, status = STATUS_OK;
	char title[128];

	if (!tables || !shadow) {
		status = gone(guest, "map");
		goto out;
	}
	for (i = 0; i < 3; i++) {
		column[i].count = look_ranges(i ? shadow : tables, prefix[i],
					      &ranges[i]);
		column[i].ranges = ranges[i];
	}
	snprintf(title, sizeof(title), "%s (%lu): address space", guest->name,
		 guest->number);
	svg_map(out, title, column);
	for (i = 0; i < 3; i++)
		free(ranges[i]);
out:
	free(tables);
	free(shadow);
	return status;
}

static int draw_last_exits(FILE *out, const struct look_guest *guest)
{
	char *text = look_read(guest, "vcpu0/last_exits");
	char title[128];

	if (!text)
		return gone(guest, "last_exits");
	snprintf(title, sizeof(title), "%s (%lu): last exits", guest->name,
		 guest->number);
	svg_last_exits(out, title, text);
	free(text);
	return STATUS_OK;
}

static int draw(const struct look_guest *guest, const char *what,
		const char *file)
{
	bool to_stdout = !strcmp(file, "-");
	FILE *out = to_stdout ? stdout : fopen(file, "we");
	int status;

	if (!out)
		return verb_fail(STATUS_USAGE, "%s: %s", file, strerror(errno));
	status = strcmp(what, "map") ? draw_last_exits(out, guest) :
				       draw_map(out, guest);
	if (fflush(out) || ferror(out))
		status = verb_fail(STATUS_FAILED, "%s: %s", file,
				   strerror(errno));
	if (!to_stdout)
		fclose(out);
	return status;
}

/* ---- Text ---- */

static int print(const struct look_guest *guest, const char *what,
		 const char *question)
{
	char *text = look_ask(guest, file_of(what), question);

	if (!text && question && errno == EINVAL)
		return verb_fail(STATUS_USAGE,
				 "'%s' is no address: hexadecimal, up to ffffffff",
				 question);
	if (!text)
		return gone(guest, what);
	look_print(stdout, text);
	free(text);
	return STATUS_OK;
}

static int show(int argc, char **argv)
{
	static const struct option known[] = {
		{ "svg", required_argument, NULL, 's' }, {}
	};
	const char *svg = NULL, *what;
	struct look_guest guest;
	struct lguest_error error;
	bool asks;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", known, NULL)) >= 0) {
		if (c == ':')
			return verb_misused("'%s' wants a value",
					    verb_odd_option(argv));
		if (c != 's')
			return verb_misused("'%s': no such option",
					    verb_odd_option(argv));
		svg = optarg;
	}
	if (argc - optind < 2)
		return verb_misused("which guest, and what of it?");
	what = argv[optind + 1];
	asks = !strcmp(what, "translate");
	if (strcmp(what, "map") && !file_of(what))
		return verb_misused("'%s' is nothing that could be shown",
				    what);
	if (!strcmp(what, "map") && !svg)
		return verb_misused("a map is a picture: --svg FILE");
	if (svg && strcmp(what, "map") && strcmp(what, "last_exits"))
		return verb_misused("there is no picture of '%s'", what);
	if (argc - optind != 2 + asks)
		return verb_misused(asks ? "translate wants one address" :
					   "one thing at a time");
	if (look_find(argv[optind], &guest, &error))
		return verb_fail(STATUS_FAILED, "%s", error.text);
	if (svg)
		return draw(&guest, what, svg);
	return print(&guest, what, asks ? argv[optind + 2] : NULL);
}

const struct verb verb_show = {
	.name = "show",
	.summary = "Show what the host knows of a guest",
	.usage = usage,
	.run = show,
};
