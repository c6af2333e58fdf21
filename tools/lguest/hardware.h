/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which devices a machine has: the one place that knows all of them. It goes from the options to
 * devices, and from there to a bus; what a device does is its own file's.
 */
#ifndef LGUEST_HARDWARE_H
#define LGUEST_HARDWARE_H

#include "machine.h"
#include "options.h"
#include "virtio/device.h"

struct hardware {
	struct virtio *device[3 * DEVICES_MAX + 2]; /* the console is first */
	unsigned int count;
};

/* Makes the virtio devices and opens what they need: files, taps, passt. -1 with a sentence. */
int hardware_create(struct hardware *hardware, const struct options *options,
		    struct lguest_error *error);
/*
 * Puts everything, the serial port too, on the bus of a machine that has been created, and starts
 * to listen to the terminal. -1 with a sentence.
 */
int hardware_connect(struct hardware *hardware, const struct options *options,
		     struct machine *machine, struct lguest_error *error);

#endif /* LGUEST_HARDWARE_H */
