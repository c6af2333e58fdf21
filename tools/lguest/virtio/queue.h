/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A split virtqueue, seen from the device (virtio 1.1, 2.6). The one place that
 * reads rings and descriptors: whatever the Guest writes there, a device gets
 * chains of buffers that lie in Guest memory, or hears that the queue is broken.
 * Everything is copied once and then checked; the Guest may change it meanwhile.
 *
 * A queue belongs to its device's thread while the device runs.
 */
#ifndef LGUEST_QUEUE_H
#define LGUEST_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include <linux/virtio_ring.h>

#include "lib/memory.h"

/* Entries of the largest queue, and buffers of the longest chain. */
#define QUEUE_MAX 256

struct queue {
	/* What the driver chose, kept by the transport; addresses are gpas. */
	uint16_t size; /* entries: a power of two, at most QUEUE_MAX */
	bool enabled;
	uint64_t desc_gpa, avail_gpa, used_gpa;

	/* From queue_start() on. */
	const struct lguest_memory *memory;
	const struct vring_desc *desc;
	const struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next_avail; /* entries taken so far */
	uint16_t next_used; /* and given back */
	uint16_t signalled; /* next_used, when the Guest was last asked */
	bool event_idx, indirect; /* negotiated */
	const char *broken; /* what the Guest did wrong, or NULL */
};

/*
 * Buffers of one request: first those that the device reads, then those that it
 * writes. Its pointers are into Guest memory: what is read there twice may
 * differ.
 */
struct chain {
	uint16_t head;
	unsigned int readable, writable; /* buffers of each kind in iov */
	size_t readable_bytes, writable_bytes;
	struct iovec iov[QUEUE_MAX];
};

/* Forgets everything: the state after a reset, with the largest size there is. */
void queue_reset(struct queue *queue, uint16_t size);

/*
 * Finds an enabled queue's rings in memory. False, and queue->broken, if they
 * are not there.
 */
bool queue_start(struct queue *queue, const struct lguest_memory *memory,
		 bool event_idx, bool indirect);

/*
 * Takes the next chain. False if there is none; then the Guest will tell of the
 * next one. False for ever once the queue is broken.
 */
bool queue_pop(struct queue *queue, struct chain *chain);
/* Gives the last chain back, so that the next queue_pop() finds it again. */
void queue_unpop(struct queue *queue);

/* The device is done with a chain and has written so many bytes to it. */
void queue_push(struct queue *queue, uint16_t head, uint32_t written);

/* True if an interrupt is wanted for what was pushed since the last question. */
bool queue_interrupt(struct queue *queue);

/*
 * Copies between a chain's readable or writable bytes, from `offset` on, and a
 * buffer; returns how many bytes there were to copy.
 */
size_t chain_read(const struct chain *chain, size_t offset, void *to,
		  size_t count);
size_t chain_write(const struct chain *chain, size_t offset, const void *from,
		   size_t count);

#endif /* LGUEST_QUEUE_H */
