/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Making the devices, each by a function of its own file; they still have to be
 * put on a bus. All open what they need now, before rights are given up. NULL with
 * a sentence.
 */
#ifndef LGUEST_VIRTIO_DEVICES_H
#define LGUEST_VIRTIO_DEVICES_H

#include "device.h"

/* The terminal, as hvc0. There is one. */
struct virtio *console_create(struct lguest_error *error);
/* A further console, whose output is appended to a file. */
struct virtio *console_create_file(const char *name, struct lguest_error *error);
/* The terminal has changed its size; from a signal handler too. */
void console_resized(void);

/* A file or block device, read-only or not. */
struct virtio *blk_create(const char *name, bool readonly,
			  struct lguest_error *error);

struct net_backend;
/* The backend becomes the device's. */
struct virtio *net_create(struct net_backend *backend, const uint8_t mac[6],
			  struct lguest_error *error);

struct virtio *rng_create(struct lguest_error *error);

#endif /* LGUEST_VIRTIO_DEVICES_H */
