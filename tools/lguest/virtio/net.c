// SPDX-License-Identifier: GPL-2.0
/*
 * A network card (virtio 1.1, 5.1), in front of a backend (net.h). A frame that
 * the Guest has no room for waits in the backend.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <linux/virtio_ids.h>

#include "util.h"
#include "virtio/devices.h"
#include "virtio/net.h"

enum { RX, TX, QUEUES };

/* Between two looks at the other direction. */
#define BURST 64

struct net {
	struct virtio device;
	struct net_backend *backend;
	struct chain chain; /* at work */
	size_t waiting; /* bytes in frame, which wait for room; 0: none */
	uint8_t frame[NET_FRAME_MAX];
	bool no_room; /* the Guest has to give buffers first */
	bool blocked; /* the backend takes no frame now */
	bool gone; /* the backend's other side */
};

/* ---- To the Guest ---- */

/* Where the number of chains stands in the header, whatever buffers that has. */
static void find_number(const struct chain *chain, uint8_t *at[2])
{
	size_t skip = offsetof(struct virtio_net_hdr_v1, num_buffers);
	const struct iovec *iov = &chain->iov[chain->readable];
	unsigned int i;

	for (i = 0; i < 2; i++, skip++) {
		for (; skip >= iov->iov_len; iov++)
			skip -= iov->iov_len;
		at[i] = (uint8_t *)iov->iov_base + skip;
	}
}

/*
 * The frame that waits, into as many chains as it needs if the Guest can have it
 * in pieces, else into one. A frame for which the first chain, or all that the
 * ring can hold, is too small will never fit: it is lost. False if there are too
 * few chains now; then none is used.
 */
static bool deliver(struct net *n)
{
	struct queue *queue = &n->device.queue[RX];
	unsigned int most = virtio_agreed(&n->device, VIRTIO_NET_F_MRG_RXBUF) ? queue->size : 1;
	struct vring_used_elem used[QUEUE_MAX];
	unsigned int count = 0, i;
	uint8_t *number[2] = {};
	size_t done = 0;

	while (done < n->waiting) {
		struct vring_used_elem *piece = &used[count];
		bool never = count == most;

		if (never || !queue_pop(queue, &n->chain)) {
			while (count--)
				queue_unpop(queue);
			if (never)
				n->waiting = 0;
			return never;
		}
		if (!count) {
			if (n->chain.writable_bytes < NET_HEADER) {
				queue->broken = "no room for a header";
				return false;
			}
			find_number(&n->chain, number);
		}
		piece->id = n->chain.head;
		piece->len = chain_write(&n->chain, 0, n->frame + done,
					 n->waiting - done);
		done += piece->len;
		count++;
	}
	/* waiting is never 0 here: there was a first one. */
	*number[0] = count;
	*number[1] = count >> 8;
	for (i = 0; i < count; i++)
		queue_push(queue, used[i].id, used[i].len);
	n->waiting = 0;
	return true;
}

/* The backend's other side is gone: no carrier any more. */
static void gone(struct net *n)
{
	static const uint8_t status[2];

	if (n->gone)
		return;
	n->gone = true;
	virtio_set_config(&n->device, offsetof(struct virtio_net_config, status), status,
			  sizeof(status));
}

static void receive(struct net *n)
{
	unsigned int burst;
	ssize_t got;

	for (burst = 0; burst < BURST; burst++) {
		if (!n->waiting) {
			got = n->backend->receive(n->backend, n->frame);
			if (got < 0)
				gone(n);
			if (got <= 0)
				break;
			n->waiting = got;
		}
		n->no_room = !deliver(n);
		if (n->no_room)
			break;
	}
	virtio_pushed(&n->device, RX);
	/* The backend may hold frames that its fd does not tell of. */
	if (burst == BURST)
		virtio_kick(&n->device, RX);
}

/* ---- From the Guest ---- */

static void transmit(struct net *n)
{
	struct queue *queue = &n->device.queue[TX];
	unsigned int burst;
	int sent;

	n->blocked = n->backend->unsent && n->backend->unsent(n->backend);
	for (burst = 0; !n->blocked && queue_pop(queue, &n->chain); burst++) {
		if (n->chain.readable_bytes < NET_HEADER || n->chain.writable) {
			queue->broken = "a frame without a header";
			return;
		}
		sent = n->chain.readable_bytes > NET_FRAME_MAX || n->gone ?
			       1 :
			       n->backend->send(n->backend, n->chain.iov,
						n->chain.readable);
		if (sent < 0)
			gone(n);
		if (!sent) {
			queue_unpop(queue);
			n->blocked = true;
			break;
		}
		queue_push(queue, n->chain.head, 0);
		if (burst == BURST) {
			virtio_kick(&n->device, TX);
			break;
		}
	}
	/* Of the last frame, too, the rest goes as soon as it can. */
	if (n->backend->unsent && n->backend->unsent(n->backend))
		n->blocked = true;
	virtio_pushed(&n->device, TX);
}

/* ---- What the device's thread calls ---- */

static void notify(struct virtio *device, unsigned int queue)
{
	struct net *n = container_of(device, struct net, device);

	if (queue == TX)
		transmit(n);
	else
		receive(n);
}

static short fd_events(struct virtio *device)
{
	struct net *n = container_of(device, struct net, device);
	short events = 0;

	if (n->gone)
		return 0;
	if (!n->no_room)
		events |= POLLIN;
	if (n->blocked)
		events |= POLLOUT;
	return events;
}

static void ready(struct virtio *device)
{
	struct net *n = container_of(device, struct net, device);

	if (n->blocked)
		transmit(n);
	if (!n->no_room)
		receive(n);
}

static void start(struct virtio *device)
{
	struct net *n = container_of(device, struct net, device);

	if (n->backend->agreed)
		n->backend->agreed(n->backend, device->agreed);
}

static void stop(struct virtio *device)
{
	struct net *n = container_of(device, struct net, device);

	n->waiting = 0;
	n->no_room = false;
	n->blocked = false;
}

static const struct virtio_kind kind = {
	.name = "net",
	.id = VIRTIO_ID_NET,
	.queues = QUEUES,
	.entries = QUEUE_MAX,
	.start = start,
	.stop = stop,
	.notify = notify,
	.ready = ready,
	.fd_events = fd_events,
};

struct virtio *net_create(struct net_backend *backend, const uint8_t mac[6],
			  struct lguest_error *error)
{
	struct net *n = calloc(1, sizeof(*n));
	struct virtio_net_config config = { .status = VIRTIO_NET_S_LINK_UP };

	if (!n) {
		lguest_fail(error, "no memory for a device");
		return NULL;
	}
	n->backend = backend;
	n->device.kind = &kind;
	n->device.fd = backend->fd;
	n->device.features = backend->features | 1ull << VIRTIO_NET_F_MAC |
			     1ull << VIRTIO_NET_F_STATUS |
			     1ull << VIRTIO_NET_F_MRG_RXBUF;
	memcpy(config.mac, mac, sizeof(config.mac));
	/* Only what the features announce is there. */
	n->device.config_size = offsetof(struct virtio_net_config, status) +
				sizeof(config.status);
	memcpy(n->device.config, &config, n->device.config_size);
	return &n->device;
}
