/* SPDX-License-Identifier: GPL-2.0 */
/*
 * virtio over PCI (virtio 1.1, 4.1): the transport. It gives any device a PCI
 * function with the modern capabilities, and knows none of them.
 */
#ifndef LGUEST_VIRTIO_TRANSPORT_H
#define LGUEST_VIRTIO_TRANSPORT_H

#include "device.h"
#include "pci.h"

/*
 * Puts the device on the bus; space: of its BAR, for Guests that can reach only
 * one of LGUEST_SPACE_MEMORY and LGUEST_SPACE_PORT. The device must live on. -1
 * with a sentence.
 */
int virtio_pci_add(struct bus *bus, struct virtio *device,
		   const struct lguest_memory *memory, unsigned int space,
		   struct lguest_error *error);

#endif /* LGUEST_VIRTIO_TRANSPORT_H */
