// SPDX-License-Identifier: GPL-2.0
/* The bus: see bus.h. */
#include <errno.h>
#include <stddef.h>

#include "bus.h"
#include "lib/device.h"

int bus_add(struct bus *bus, struct region *region)
{
	int err = lguest_window(bus->guest, region->space, region->start,
				region->size, true);

	if (err)
		return err;
	region->next = bus->regions;
	bus->regions = region;
	return 0;
}

void bus_remove(struct bus *bus, struct region *region)
{
	struct region **link = &bus->regions;

	while (*link && *link != region)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = region->next;
	lguest_window(bus->guest, region->space, region->start, region->size,
		      false);
}

static const struct region *find(const struct bus *bus, unsigned int space,
				 uint64_t address, unsigned int size)
{
	const struct region *r;

	for (r = bus->regions; r; r = r->next)
		if (r->space == space && address >= r->start &&
		    address - r->start < r->size &&
		    size <= r->size - (address - r->start))
			return r;
	return NULL;
}

int bus_access(struct bus *bus, const struct lguest_exit *exit)
{
	unsigned int space = exit->reason == LGUEST_EXIT_PORT ?
				     LGUEST_SPACE_PORT :
				     LGUEST_SPACE_MEMORY;
	const struct region *r = find(bus, space, exit->gpa, exit->size);
	uint32_t mask = exit->size < 4 ? (1u << exit->size * 8) - 1 : ~0u;
	uint32_t value = ~0u;

	if (exit->size != 1 && exit->size != 2 && exit->size != 4)
		return -EPROTO;
	if (exit->write) {
		if (r)
			r->write(r->owner, exit->gpa - r->start, exit->size,
				 exit->value & mask);
		return 0;
	}
	if (r)
		value = r->read(r->owner, exit->gpa - r->start, exit->size);
	return lguest_answer(bus->guest, value & mask);
}
