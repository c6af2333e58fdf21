/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The bus: which region of ports or of memory outside RAM belongs to which
 * device, here and (as windows) at the Host. Only the vCPU's thread uses it.
 */
#ifndef LGUEST_BUS_H
#define LGUEST_BUS_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/lguest.h>

/*
 * Accesses are of 1, 2 or 4 bytes and lie in the region as a whole; offset is
 * from its start. They need not be aligned.
 */
struct region {
	unsigned int space; /* LGUEST_SPACE_* */
	uint32_t start, size;
	void *owner;
	uint32_t (*read)(void *owner, uint32_t offset, unsigned int size);
	void (*write)(void *owner, uint32_t offset, unsigned int size,
		      uint32_t value);
	struct region *next; /* the bus's */
};

struct bus {
	int guest; /* file descriptor of /dev/lguest, initialised */
	struct region *regions;
};

/* 0, or a negative errno of LHREQ_WINDOW's. The region must live on. */
int bus_add(struct bus *bus, struct region *region);
void bus_remove(struct bus *bus, struct region *region);

/* Does the access that the Guest waits for, and answers it; negative errno. */
int bus_access(struct bus *bus, const struct lguest_exit *exit);

#endif /* LGUEST_BUS_H */
