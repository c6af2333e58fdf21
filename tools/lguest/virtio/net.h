/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The two ways out of a network card: a tap device, and passt. A backend moves
 * whole Ethernet frames and never waits.
 */
#ifndef LGUEST_VIRTIO_NET_H
#define LGUEST_VIRTIO_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <linux/virtio_net.h>

#include "lib/error.h"

/* Of the header in front of each frame in a virtqueue (virtio 1.1, 5.1.6). */
#define NET_HEADER sizeof(struct virtio_net_hdr_v1)
/* The largest frame, with segmentation left to the other side; and its header. */
#define NET_FRAME_MAX (65535 + 14 + NET_HEADER)

struct net_backend {
	int fd; /* to be polled */
	uint64_t features; /* of VIRTIO_NET_F_*, what it can do */
	bool checksums; /* the driver takes frames without, and has what is known of others' told */
	/*
	 * One frame with its header. 1 if it is gone (or lost, as frames may
	 * be), 0 if it would have to wait, -1 if the other side is gone.
	 */
	int (*send)(struct net_backend *backend, struct iovec *iov,
		    unsigned int count);
	/* Bytes of header and frame, 0 if there is none, -1 as above. */
	ssize_t (*receive)(struct net_backend *backend, uint8_t *to);
	/* Half a frame is left, which waits for the fd to be writable. */
	bool (*unsent)(struct net_backend *backend);
	/* Offloads that the Guest agreed to. Optional. */
	void (*agreed)(struct net_backend *backend, uint64_t features);
};

/* NULL with a sentence. */
struct net_backend *tap_open(const char *name, struct lguest_error *error);
struct net_backend *passt_open(struct lguest_error *error);
/* To a passt that is there already, by a stream socket, which becomes the backend's. */
struct net_backend *passt_attach(int fd, struct lguest_error *error);

#endif /* LGUEST_VIRTIO_NET_H */
