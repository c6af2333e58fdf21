// SPDX-License-Identifier: GPL-2.0
/* The entropy source (virtio 1.1, 5.4): what the Host's getrandom() gives. */
#include <stdlib.h>
#include <sys/random.h>
#include <linux/virtio_ids.h>

#include "util.h"
#include "virtio/devices.h"

/* Of one request; a Guest that wants more asks again (bytes). */
#define REQUEST_MAX 256u

static void notify(struct virtio *device, unsigned int number)
{
	struct queue *queue = &device->queue[number];
	uint8_t bytes[REQUEST_MAX];
	struct chain chain;
	ssize_t got;

	while (queue_pop(queue, &chain)) {
		got = getrandom(bytes, min(chain.writable_bytes, sizeof(bytes)),
				0);
		if (got < 0)
			got = 0;
		queue_push(queue, chain.head,
			   chain_write(&chain, 0, bytes, got));
	}
	virtio_pushed(device, number);
}

static const struct virtio_kind kind = {
	.name = "rng",
	.id = VIRTIO_ID_RNG,
	.queues = 1,
	.entries = QUEUE_MAX,
	.notify = notify,
};

struct virtio *rng_create(struct lguest_error *error)
{
	struct virtio *device = calloc(1, sizeof(*device));

	if (!device) {
		lguest_fail(error, "no memory for a device");
		return NULL;
	}
	device->kind = &kind;
	device->fd = -1;
	return device;
}
