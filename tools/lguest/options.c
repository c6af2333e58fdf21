// SPDX-License-Identifier: GPL-2.0
/* The words behind `lguest run`: see options.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/device.h"
#include "options.h"
#include "pci.h"
#include "verb.h"

#define MEMORY_DEFAULT (256ull << 20)

const char options_usage[] =
	"usage: lguest run -k KERNEL [OPTION]...\n"
	"\n"
	"Runs a guest, with this terminal as its console; ^A x ends it.\n"
	"\n"
	"  -k, --kernel FILE      vmlinux (32-bit ELF) or bzImage\n"
	"  -i, --initrd FILE      its initial RAM disk\n"
	"  -p, --params 'A B=C'   its command line; may be given again\n"
	"  -m, --mem SIZE         its memory, in MiB or with K, M or G (256M)\n"
	"  -d, --disk FILE[,ro]   a disk: a file or a block device; again for more\n"
	"  -n, --network HOW      a network card: tap=NAME, passt or none; again\n"
	"                         for more\n"
	"      --console FILE     a further console (hvc1, ...), which appends to a\n"
	"                         file; again for more\n"
	"      --rng              an entropy source\n"
	"      --pci-bar SPACE    devices' registers: memory or io\n"
	"      --unpack WHO       who unpacks a bzImage: launcher or guest\n"
	"      --name NAME        what it is called; no other guest may be\n"
	"      --no-reboot        end where the guest would restart\n"
	"      --no-sandbox       keep all rights while the guest runs\n"
	"\n"
	"Exit status: 0 the guest powered off or was stopped, 1 it crashed,\n"
	"2 wrong arguments or files, 3 this program or the host failed.\n";

/* Options without a letter. */
enum {
	OPT_UNPACK = 256,
	OPT_NO_REBOOT,
	OPT_NO_SANDBOX,
	OPT_RNG,
	OPT_CONSOLE,
	OPT_PCI_BAR,
	OPT_NAME,
};

static const struct option long_options[] = {
	{ "kernel", required_argument, NULL, 'k' },
	{ "initrd", required_argument, NULL, 'i' },
	{ "params", required_argument, NULL, 'p' },
	{ "mem", required_argument, NULL, 'm' },
	{ "unpack", required_argument, NULL, OPT_UNPACK },
	{ "disk", required_argument, NULL, 'd' },
	{ "network", required_argument, NULL, 'n' },
	{ "console", required_argument, NULL, OPT_CONSOLE },
	{ "rng", no_argument, NULL, OPT_RNG },
	{ "pci-bar", required_argument, NULL, OPT_PCI_BAR },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "no-reboot", no_argument, NULL, OPT_NO_REBOOT },
	{ "no-sandbox", no_argument, NULL, OPT_NO_SANDBOX },
	{},
};

/* 64, 64M, 65536K, 1G: bytes, or 0 if it is none of these. */
static uint64_t parse_size(const char *text)
{
	unsigned int shift = 20;
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || end == text || *text == '-')
		return 0;
	switch (*end) {
	case 'G':
	case 'g':
		shift = 30;
		end++;
		break;
	case 'M':
	case 'm':
		end++;
		break;
	case 'K':
	case 'k':
		shift = 10;
		end++;
		break;
	}
	if (*end || number > UINT64_MAX >> shift)
		return 0;
	return number << shift;
}

/* All of it, however long: what the kernel takes is not known here. */
static int add_params(struct options *options, const char *more)
{
	const char *before = options->files.cmdline;
	char *both;

	if (asprintf(&both, "%s%s%s", before, *before ? " " : "", more) < 0)
		return verb_fail(STATUS_FAILED, "%s", strerror(ENOMEM));
	options->files.cmdline = both;
	return STATUS_OK;
}

int options_parse(int argc, char **argv, struct options *options)
{
	unsigned int devices;
	int c;

	*options = (struct options){ .memory = MEMORY_DEFAULT, .files.cmdline = "" };
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":k:i:p:m:d:n:", long_options, NULL)) != -1) {
		switch (c) {
		case 'k':
			options->files.kernel = optarg;
			break;
		case 'i':
			options->files.initrd = optarg;
			break;
		case 'p':
			if (add_params(options, optarg))
				return STATUS_FAILED;
			break;
		case 'm':
			options->memory = parse_size(optarg);
			if (!options->memory)
				return verb_misused("'%s' is no size of memory", optarg);
			break;
		case OPT_UNPACK:
			if (!strcmp(optarg, "guest"))
				options->files.unpack = UNPACK_GUEST;
			else if (!strcmp(optarg, "launcher"))
				options->files.unpack = UNPACK_LAUNCHER;
			else
				return verb_misused(
					"'%s' unpacks nothing; 'launcher' and 'guest' do", optarg);
			break;
		case 'd':
			if (options->disks == DEVICES_MAX)
				return verb_misused("too many disks; %u are possible", DEVICES_MAX);
			options->disk[options->disks++] = optarg;
			break;
		case 'n':
			if (!strcmp(optarg, "none"))
				break;
			if (options->networks == DEVICES_MAX)
				return verb_misused("too many network cards; %u are possible",
						    DEVICES_MAX);
			if (strcmp(optarg, "passt") && (strncmp(optarg, "tap=", 4) || !optarg[4]))
				return verb_misused(
					"'%s' is no network; tap=NAME, passt and none are", optarg);
			options->network[options->networks++] = optarg;
			break;
		case OPT_CONSOLE:
			if (options->consoles == DEVICES_MAX)
				return verb_misused("too many consoles; %u are possible",
						    DEVICES_MAX);
			options->console[options->consoles++] = optarg;
			break;
		case OPT_RNG:
			options->rng = true;
			break;
		case OPT_PCI_BAR:
			if (!strcmp(optarg, "io"))
				options->bar = LGUEST_SPACE_PORT;
			else if (!strcmp(optarg, "memory"))
				options->bar = LGUEST_SPACE_MEMORY;
			else
				return verb_misused("'%s' is no space for a BAR; memory and io are",
						    optarg);
			break;
		case OPT_NAME:
			if (!control_name_ok(optarg))
				return verb_misused(
					"'%s' is no name: up to %u letters, digits, '.', '_' and '-'",
					optarg, CONTROL_NAME_MAX - 1);
			strcpy(options->name, optarg);
			break;
		case OPT_NO_REBOOT:
			options->no_reboot = true;
			break;
		case OPT_NO_SANDBOX:
			options->no_sandbox = true;
			break;
		case ':':
			return verb_misused("'%s' wants a value", verb_odd_option(argv));
		default:
			return verb_misused("'%s': no such option", verb_odd_option(argv));
		}
	}
	if (optind < argc)
		return verb_misused("'%s': no arguments without an option", argv[optind]);
	if (!options->files.kernel)
		return verb_misused("which kernel? -k FILE");
	devices = 1 + options->consoles + options->disks + options->networks + options->rng;
	if (devices > PCI_DEVICES_MAX)
		return verb_misused("%u devices; %u are possible", devices, PCI_DEVICES_MAX);
	if (!*options->name)
		snprintf(options->name, sizeof(options->name), "guest-%d", getpid());
	return STATUS_OK;
}
