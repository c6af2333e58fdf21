/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A toy Guest for tests of the `lguest` command's devices: it has memory, PCI and a
 * virtio driver, and there is neither a Host nor a second thread. Also what
 * stands in for both, and for the terminal. Used by devices.c and by the fuzzers.
 */
#ifndef LGUEST_TEST_TOY_H
#define LGUEST_TEST_TOY_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_ring.h>

#include "bus.h"
#include "lib/memory.h"
#include "virtio/device.h"

#define TOY_MEMORY	(8u << 20)	/* bytes */

struct toy {
	struct lguest_memory memory;	/* a page behind it kills whoever touches it */
	struct bus bus;
	uint32_t free;			/* gpa of the next toy_alloc() */
};

/* What the stand-ins saw. */
struct fakes {
	unsigned int irqs[32];		/* raised by lguest_irq() */
	unsigned int windows, doorbells, irqfds;	/* that are there now */
	unsigned int rung;		/* writes that a doorbell took */
	char output[1 << 16];		/* to the terminal; cut behind that */
	size_t written;			/* all of it */
	struct terminal_input *input[4];
	unsigned int inputs, rooms;	/* registered; calls of terminal_room() */
	uint8_t back[1 << 10];		/* what devices gave back, in the order of their calls */
	size_t given_back;
	bool held;
};

extern struct fakes fakes;

void toy_start(struct toy *toy);
void toy_stop(struct toy *toy);
/* Zeroed memory of the Guest's, page aligned. */
uint32_t toy_alloc(struct toy *toy, uint32_t bytes);
void *toy_at(struct toy *toy, uint32_t gpa);

/* One access, as the processor makes it: doorbells first, then the bus. */
uint32_t toy_read(struct toy *toy, unsigned int space, uint32_t address, unsigned int size);
void toy_write(struct toy *toy, unsigned int space, uint32_t address, unsigned int size,
	       uint32_t value);
uint32_t toy_config_read(struct toy *toy, unsigned int slot, unsigned int offset,
			 unsigned int size);
void toy_config_write(struct toy *toy, unsigned int slot, unsigned int offset, unsigned int size,
		      uint32_t value);

/* A device, as its driver knows it. */
struct toy_device {
	struct toy *toy;
	struct virtio *device;		/* for toy_work() only */
	unsigned int slot, space;
	uint32_t common, isr, notify, config, notify_step;	/* addresses; step in bytes */
};

struct toy_queue {
	struct toy_device *device;
	unsigned int index, size;
	uint32_t gpa;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next_desc, next_used;
};

struct toy_buffer {
	uint32_t gpa, len;
	bool writable;
};

/* Finds its capabilities. False if they are not there. */
bool toy_probe(struct toy_device *device, struct toy *toy, struct virtio *virtio,
	       unsigned int slot);
uint32_t toy_common(struct toy_device *device, unsigned int offset, unsigned int size);
void toy_set_common(struct toy_device *device, unsigned int offset, unsigned int size,
		    uint32_t value);
/* Reset, and up to FEATURES_OK with these features (VERSION_1 is added); the status then. */
uint8_t toy_negotiate(struct toy_device *device, uint64_t features);
uint64_t toy_offered(struct toy_device *device);
void toy_queue_init(struct toy_queue *queue, struct toy_device *device, unsigned int index,
		    unsigned int size);
uint8_t toy_driver_ok(struct toy_device *device);
/* Offers a chain (through an indirect table, if wanted); its head. Does not ring. */
uint16_t toy_offer(struct toy_queue *queue, const struct toy_buffer *buffers, unsigned int count,
		   bool indirect);
void toy_ring(struct toy_queue *queue);
/* The device's thread, until there is nothing to do. */
void toy_work(struct toy_device *device);
/* The next chain that came back: its head, or -1; *len of what was written. */
int toy_used(struct toy_queue *queue, uint32_t *len);
/* True if the interrupt line was raised since the last question. */
bool toy_interrupted(struct toy_device *device);

#endif /* LGUEST_TEST_TOY_H */
