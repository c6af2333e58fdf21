// SPDX-License-Identifier: GPL-2.0
/* The devices that a Guest was told to have: see hardware.h. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "hardware.h"
#include "pci.h"
#include "serial.h"
#include "virtio/devices.h"
#include "virtio/net.h"
#include "virtio/transport.h"

static struct virtio *create_disk(const char *wish, struct lguest_error *error)
{
	char name[PATH_MAX];
	size_t len = strlen(wish);
	bool readonly = len > 3 && !strcmp(wish + len - 3, ",ro");

	if (readonly)
		len -= 3;
	if (len >= sizeof(name)) {
		lguest_fail(error, "%s: %s", wish, strerror(ENAMETOOLONG));
		return NULL;
	}
	memcpy(name, wish, len);
	name[len] = 0;
	return blk_create(name, readonly, error);
}

/* Locally administered, and not the same for two Guests on one bridge. */
static void make_mac(uint8_t mac[6], unsigned int card)
{
	uint32_t pid = getppid();

	mac[0] = 0x52;
	mac[1] = 0x4c;
	mac[2] = pid >> 16;
	mac[3] = pid >> 8;
	mac[4] = pid;
	mac[5] = card;
}

static struct virtio *create_card(const char *wish, unsigned int card, struct lguest_error *error)
{
	struct net_backend *backend;
	uint8_t mac[6];

	backend = strcmp(wish, "passt") ? tap_open(wish + 4, error) : passt_open(error);
	make_mac(mac, card);
	return backend ? net_create(backend, mac, error) : NULL;
}

int hardware_create(struct hardware *hardware, const struct options *options,
		    struct lguest_error *error)
{
	struct virtio **device = hardware->device;
	unsigned int n = 0, i;

	device[n++] = console_create(error);
	for (i = 0; device[n - 1] && i < options->consoles; i++)
		device[n++] = console_create_file(options->console[i], error);
	for (i = 0; device[n - 1] && i < options->disks; i++)
		device[n++] = create_disk(options->disk[i], error);
	for (i = 0; device[n - 1] && i < options->networks; i++)
		device[n++] = create_card(options->network[i], i, error);
	if (device[n - 1] && options->rng)
		device[n++] = rng_create(error);
	hardware->count = n;
	return device[n - 1] ? 0 : -1;
}

int hardware_connect(struct hardware *hardware, const struct options *options,
		     struct machine *machine, struct lguest_error *error)
{
	unsigned int i;

	if (serial_init(&machine->bus, error) || pci_init(&machine->bus, error))
		return -1;
	for (i = 0; i < hardware->count; i++)
		if (virtio_pci_add(&machine->bus, hardware->device[i], &machine->memory,
				   options->bar, error))
			return -1;
	return 0;
}
