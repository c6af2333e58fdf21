/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The PCI bus: configuration mechanism 1, a host bridge, and up to 27 functions
 * with one BAR and one interrupt line each. Knows nothing of what they are. Only
 * the vCPU's thread works here.
 */
#ifndef LGUEST_PCI_H
#define LGUEST_PCI_H

#include "bus.h"
#include "lib/error.h"

#define PCI_CONFIG_SIZE 256
/* On the bus, beside its bridge. */
#define PCI_DEVICES_MAX 27

struct pci_function {
	/*
	 * Filled by the owner before pci_add(): the header, capabilities, and
	 * which bits the Guest may change. What the bus decides itself (BAR,
	 * command, interrupt) is put in by pci_add().
	 */
	uint8_t config[PCI_CONFIG_SIZE];
	uint8_t writable[PCI_CONFIG_SIZE];
	/* The BAR: space, size (a power of two, 256 at least), and accesses. */
	struct region bar;
	void *owner;
	/* The BAR is where bar.start says now, or nowhere. Negative errno. */
	int (*mapped)(void *owner, bool on);
	/* Some of [offset, offset + size) is read next, or was just written. */
	void (*before_read)(void *owner, unsigned int offset,
			    unsigned int size);
	void (*after_write)(void *owner, unsigned int offset,
			    unsigned int size);
	unsigned int line; /* of the interrupt; from pci_add() on */

	/* The bus's own. */
	struct bus *bus;
	bool is_mapped;
};

/* There is one bus. -1 with a sentence. */
int pci_init(struct bus *bus, struct lguest_error *error);
int pci_add(struct bus *bus, struct pci_function *function,
	    struct lguest_error *error);

/* Numbers in configuration space, which is little-endian. */
uint32_t pci_get(const struct pci_function *function, unsigned int offset,
		 unsigned int size);
void pci_put(struct pci_function *function, unsigned int offset,
	     unsigned int size, uint32_t value);

#endif /* LGUEST_PCI_H */
