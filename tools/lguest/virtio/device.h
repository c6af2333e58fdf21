/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtio device, between what it does (a kind: console.c, blk.c, ...) and how
 * the Guest reaches it (the transport: transport.c). A kind knows queues, features and
 * its own configuration, and nothing of PCI; a transport knows none of the kinds.
 *
 * Each device has a thread, in which all functions of its kind run but
 * read_config and write_config; the lock is held then. So a kind needs no lock of its own.
 */
#ifndef LGUEST_VIRTIO_DEVICE_H
#define LGUEST_VIRTIO_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>

#include "lib/error.h"
#include "queue.h"

#define VIRTIO_QUEUES_MAX 4
/* Bytes of a device's own configuration, at most. */
#define VIRTIO_CONFIG_MAX 128

/* Reasons for an interrupt, as the ISR register has them (4.1.4.5). */
#define VIRTIO_ISR_QUEUE 1u
#define VIRTIO_ISR_CONFIG 2u

struct virtio;

struct virtio_kind {
	const char *name; /* for messages, and of its thread */
	uint16_t id; /* VIRTIO_ID_* */
	unsigned int queues;
	unsigned int entries; /* of a queue, at most: a power of two, up to QUEUE_MAX */
	/* The Guest has set DRIVER_OK: features and queues are settled. */
	void (*start)(struct virtio *device);
	/* The Guest resets it: what was begun is to be forgotten. */
	void (*stop)(struct virtio *device);
	/* The Guest has put something into that queue, or there was time. */
	void (*notify)(struct virtio *device, unsigned int queue);
	/* device->fd is ready for what fd_events() asked for. */
	void (*ready)(struct virtio *device);
	/* poll()'s events that are of interest now; optional with no fd. */
	short (*fd_events)(struct virtio *device);
	/*
	 * The Guest read or wrote its configuration. Run in the vCPU's thread,
	 * without the lock. Optional.
	 */
	void (*read_config)(struct virtio *device, unsigned int offset);
	void (*write_config)(struct virtio *device, unsigned int offset,
			     unsigned int size, uint32_t value);
};

struct virtio {
	/* Filled by the kind before virtio_add(), and constant from then on. */
	const struct virtio_kind *kind;
	uint64_t features; /* offered */
	unsigned int config_size;
	int fd; /* of what it serves, to be polled; -1 */

	/* What the Guest reads of the configuration; config_lock. */
	uint8_t config[VIRTIO_CONFIG_MAX];
	pthread_mutex_t config_lock;
	atomic_uint generation; /* of config */

	/* The lock: held by the thread at work, and to start and stop. */
	pthread_mutex_t lock;
	atomic_bool running;
	uint64_t agreed; /* features; constant while running */
	struct queue queue[VIRTIO_QUEUES_MAX];
	const struct lguest_memory *memory;

	int kick[VIRTIO_QUEUES_MAX]; /* eventfds: the doorbells */
	int irq; /* eventfd: the interrupt line */
	atomic_uint isr; /* VIRTIO_ISR_*: why the line was raised */
	atomic_bool needs_reset; /* the Guest broke a rule */
};

/* ---- For kinds ---- */

/* An interrupt, if the Guest wants one for what was pushed to the queue. */
void virtio_pushed(struct virtio *device, unsigned int queue);
/* Replaces configuration bytes and tells the Guest. Any thread. */
void virtio_set_config(struct virtio *device, unsigned int offset,
		       const void *bytes, unsigned int count);
/* Has notify() called for the queue. Any thread, or a signal handler. */
void virtio_kick(struct virtio *device, unsigned int queue);
static inline bool virtio_agreed(const struct virtio *device, unsigned int bit)
{
	return device->agreed >> bit & 1;
}

/* ---- For transports, in the vCPU's thread ---- */

/* Makes eventfds and the thread. -1 with a sentence. */
int virtio_init(struct virtio *device, const struct lguest_memory *memory,
		struct lguest_error *error);
void virtio_start(struct virtio *device, uint64_t agreed);
/* The driver broke a rule: only a reset helps, which it is told to do. */
void virtio_broken(struct virtio *device);
/* When it returns, nothing of the device touches Guest memory any more. */
void virtio_reset(struct virtio *device);
uint32_t virtio_read_config(struct virtio *device, unsigned int offset,
			    unsigned int size);

/*
 * What the device's thread does for ever: waits, at most so many milliseconds (-1:
 * as long as it takes), and does what there is to do.
 */
void virtio_work(struct virtio *device, int timeout);

/* Writes a little-endian number of size bytes. */
void put_le(uint8_t *to, unsigned int size, uint64_t value);

#endif /* LGUEST_VIRTIO_DEVICE_H */
