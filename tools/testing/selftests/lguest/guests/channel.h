/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What guests/lines.c and machine.c share: two rings in a page of Guest memory, one for each
 * direction, and the devices that both know.
 */
#ifndef LGUEST_TEST_GUESTS_CHANNEL_H
#define LGUEST_TEST_GUESTS_CHANNEL_H

#include <linux/types.h>

#define CHANNEL_LINE	5		/* raised when something was put into ring[0] */
#define CHANNEL_ITEMS	20000		/* that go each way */
#define CHANNEL_SLOTS	64

/* Guest-physical: a window of the Launcher's, and a doorbell in it. */
#define DEVICE_GPA	0xe0000000u
#define DEVICE_SIZE	0x1000u
#define DOORBELL_GPA	(DEVICE_GPA + 0x800)
/* Ports of the Launcher's. */
#define DEVICE_PORT	0x300
#define DEVICE_PORTS	0x10

/* One who puts, one who takes; each writes its own word. */
struct channel_ring {
	__u32 put, taken;
	__u32 item[CHANNEL_SLOTS];
};

struct channel {
	struct channel_ring to_guest, from_guest;
};

static inline __u32 channel_item(__u32 n)
{
	return n * 0x9e3779b9u ^ n >> 7;
}

#endif /* LGUEST_TEST_GUESTS_CHANNEL_H */
