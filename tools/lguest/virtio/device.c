// SPDX-License-Identifier: GPL-2.0
/* What all virtio devices have in common: see device.h. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>

#include "device.h"
#include "thread.h"
#include "util.h"

/* A level becomes an edge: the line is raised when there was no reason before. */
static void interrupt(struct virtio *device, unsigned int reason)
{
	if (!atomic_fetch_or(&device->isr, reason))
		eventfd_write(device->irq, 1);
}

void virtio_pushed(struct virtio *device, unsigned int queue)
{
	if (queue_interrupt(&device->queue[queue]))
		interrupt(device, VIRTIO_ISR_QUEUE);
}

void virtio_set_config(struct virtio *device, unsigned int offset,
		       const void *bytes, unsigned int count)
{
	pthread_mutex_lock(&device->config_lock);
	memcpy(device->config + offset, bytes, count);
	device->generation++;
	pthread_mutex_unlock(&device->config_lock);
	if (device->running)
		interrupt(device, VIRTIO_ISR_CONFIG);
}

uint32_t virtio_read_config(struct virtio *device, unsigned int offset,
			    unsigned int size)
{
	uint32_t value = 0;

	if (offset > device->config_size || size > device->config_size - offset)
		return 0;
	pthread_mutex_lock(&device->config_lock);
	memcpy(&value, device->config + offset, size);
	pthread_mutex_unlock(&device->config_lock);
	if (device->kind->read_config)
		device->kind->read_config(device, offset);
	return value;
}

void virtio_kick(struct virtio *device, unsigned int queue)
{
	eventfd_write(device->kick[queue], 1);
}

void put_le(uint8_t *to, unsigned int size, uint64_t value)
{
	while (size--) {
		*to++ = value;
		value >>= 8;
	}
}

void virtio_broken(struct virtio *device)
{
	device->needs_reset = true;
	interrupt(device, VIRTIO_ISR_CONFIG);
}

/* After each piece of work: has the Guest been found to break a rule? */
static void check_queues(struct virtio *device)
{
	unsigned int i;

	for (i = 0; i < device->kind->queues; i++) {
		if (!device->queue[i].broken || device->needs_reset)
			continue;
		/* Once per reset; nothing here can flood more than the Guest. */
		virtio_broken(device);
	}
}

/* The backend's events that are of interest now, or 0. */
static short wanted_events(struct virtio *device)
{
	short events = 0;

	pthread_mutex_lock(&device->lock);
	if (device->running && !device->needs_reset && device->fd >= 0 &&
	    device->kind->fd_events)
		events = device->kind->fd_events(device);
	pthread_mutex_unlock(&device->lock);
	return events;
}

void virtio_work(struct virtio *device, int timeout)
{
	const struct virtio_kind *kind = device->kind;
	struct pollfd fds[VIRTIO_QUEUES_MAX + 1];
	short events = wanted_events(device);
	struct pollfd *own = &fds[kind->queues];
	eventfd_t unused;
	unsigned int i;

	for (i = 0; i < kind->queues; i++)
		fds[i] = (struct pollfd){ .fd = device->kick[i],
					  .events = POLLIN };
	*own = (struct pollfd){ .fd = events ? device->fd : -1,
				.events = events };
	if (poll(fds, kind->queues + 1, timeout) <= 0)
		return;

	pthread_mutex_lock(&device->lock);
	for (i = 0; i < kind->queues; i++) {
		if (!fds[i].revents)
			continue;
		eventfd_read(device->kick[i], &unused);
		if (device->running && !device->needs_reset)
			kind->notify(device, i);
	}
	if (own->revents && device->running && !device->needs_reset)
		kind->ready(device);
	if (device->running)
		check_queues(device);
	pthread_mutex_unlock(&device->lock);
}

static void *device_thread(void *arg)
{
	for (;;)
		virtio_work(arg, -1);
	return NULL;
}

int virtio_init(struct virtio *device, const struct lguest_memory *memory,
		struct lguest_error *error)
{
	unsigned int i;

	device->memory = memory;
	pthread_mutex_init(&device->lock, NULL);
	pthread_mutex_init(&device->config_lock, NULL);
	device->features |= 1ull << VIRTIO_F_VERSION_1 |
			    1ull << VIRTIO_RING_F_EVENT_IDX |
			    1ull << VIRTIO_RING_F_INDIRECT_DESC;
	device->irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (device->irq < 0)
		goto failed;
	for (i = 0; i < device->kind->queues; i++) {
		queue_reset(&device->queue[i], device->kind->entries);
		device->kick[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (device->kick[i] < 0)
			goto failed;
	}
	return thread_start(device->kind->name, device_thread, device, error);

failed:
	return lguest_fail(error, "%s: eventfd: %s", device->kind->name,
			   strerror(errno));
}

void virtio_start(struct virtio *device, uint64_t agreed)
{
	unsigned int i;

	pthread_mutex_lock(&device->lock);
	device->agreed = agreed;
	device->running = true;
	for (i = 0; i < device->kind->queues; i++) {
		struct queue *queue = &device->queue[i];

		/* A driver need not use all queues: the others stay empty. */
		if (queue->enabled &&
		    !queue_start(queue, device->memory,
				 virtio_agreed(device, VIRTIO_RING_F_EVENT_IDX),
				 virtio_agreed(device,
					       VIRTIO_RING_F_INDIRECT_DESC)))
			check_queues(device);
	}
	if (!device->needs_reset && device->kind->start)
		device->kind->start(device);
	pthread_mutex_unlock(&device->lock);
	/* Whatever is there already; and what is polled for has changed. */
	for (i = 0; i < device->kind->queues; i++)
		virtio_kick(device, i);
}

void virtio_reset(struct virtio *device)
{
	unsigned int i;

	pthread_mutex_lock(&device->lock);
	if (device->running && device->kind->stop)
		device->kind->stop(device);
	device->running = false;
	device->agreed = 0;
	for (i = 0; i < device->kind->queues; i++)
		queue_reset(&device->queue[i], device->kind->entries);
	device->needs_reset = false;
	device->isr = 0;
	pthread_mutex_unlock(&device->lock);
}
