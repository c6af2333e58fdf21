/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What `lguest run` was told, as it was told: nothing here looks at a file or a device.
 */
#ifndef LGUEST_OPTIONS_H
#define LGUEST_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "control.h"
#include "kernel.h"

/* Of each kind; the PCI bus has room for 27 in all. */
#define DEVICES_MAX 16

struct options {
	struct kernel_files files;
	uint64_t memory; /* bytes */
	const char *disk[DEVICES_MAX]; /* as they were given */
	unsigned int disks;
	const char *network[DEVICES_MAX];
	unsigned int networks;
	const char *console[DEVICES_MAX];
	unsigned int consoles;
	bool rng;
	unsigned int bar; /* LGUEST_SPACE_* */
	char name[CONTROL_NAME_MAX];
	bool no_reboot, no_sandbox;
};

/* What `lguest run --help` prints. */
extern const char options_usage[];

/* Fills all of it. STATUS_OK, or STATUS_USAGE once the complaint is printed. */
int options_parse(int argc, char **argv, struct options *options);

#endif /* LGUEST_OPTIONS_H */
