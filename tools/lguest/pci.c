// SPDX-License-Identifier: GPL-2.0
/* The PCI bus: see pci.h. Register names are those of the PCI specification. */
#include <string.h>
#include <linux/pci_regs.h>

#include "pci.h"
#include "util.h"

/* Mechanism 1: an address at 0xcf8, the data at 0xcfc. */
#define CONFIG_PORT 0xcf8
#define CONFIG_PORTS 8
#define DATA 4
#define ADDRESS_ENABLE 0x80000000u

/* Slot 0 is the bridge. Lines below are the timer's and the serial port's. */
#define SLOTS (PCI_DEVICES_MAX + 1)
#define FIRST_LINE 4

/* Where BARs are before the Guest moves them: behind each other. */
#define MEMORY_START 0xf0000000u
#define MEMORY_STEP 0x1000u
#define PORT_START 0xc000u
#define PORT_STEP 0x100u

/* A host bridge that no kernel has special code for. */
#define BRIDGE_VENDOR 0x1b36
#define BRIDGE_DEVICE 0x0008
#define BRIDGE_CLASS 0x060000

static struct pci_function bridge;

static struct pci {
	uint32_t address;
	struct pci_function *slot[SLOTS];
	unsigned int used;
} pci;

uint32_t pci_get(const struct pci_function *function, unsigned int offset,
		 unsigned int size)
{
	uint32_t value = 0;

	memcpy(&value, function->config + offset, size);
	return value;
}

void pci_put(struct pci_function *function, unsigned int offset,
	     unsigned int size, uint32_t value)
{
	memcpy(function->config + offset, &value, size);
}

/* ---- The BAR ---- */

static void unmap(struct pci_function *f)
{
	if (!f->is_mapped)
		return;
	f->mapped(f->owner, false);
	bus_remove(f->bus, &f->bar);
	f->is_mapped = false;
}

/*
 * Makes the region what BAR and command register say. An address that cannot be
 * (in RAM, on another device) is one where nothing answers.
 */
static void remap(struct pci_function *f)
{
	bool port = f->bar.space == LGUEST_SPACE_PORT;
	uint16_t enable = port ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	uint32_t start = pci_get(f, PCI_BASE_ADDRESS_0, 4) & -f->bar.size;
	bool on = pci_get(f, PCI_COMMAND, 2) & enable;

	if (on == f->is_mapped && (!on || start == f->bar.start))
		return;
	unmap(f);
	if (!on)
		return;
	f->bar.start = start;
	if (bus_add(f->bus, &f->bar))
		return;
	if (f->mapped(f->owner, true)) {
		bus_remove(f->bus, &f->bar);
		return;
	}
	f->is_mapped = true;
}

static void init_bar(struct pci_function *f, unsigned int slot)
{
	uint32_t flags = PCI_BASE_ADDRESS_SPACE_MEMORY;
	uint32_t start = MEMORY_START + slot * MEMORY_STEP;
	uint16_t command = PCI_COMMAND_MEMORY;

	if (f->bar.space == LGUEST_SPACE_PORT) {
		flags = PCI_BASE_ADDRESS_SPACE_IO;
		start = PORT_START + slot * PORT_STEP;
		command = PCI_COMMAND_IO;
	}
	pci_put(f, PCI_BASE_ADDRESS_0, 4, start | flags);
	pci_put(f, PCI_COMMAND, 2, command);
	/* The size is told by which bits cannot be set. */
	memset(f->writable + PCI_BASE_ADDRESS_0, 0xff, 4);
	f->writable[PCI_BASE_ADDRESS_0] = -f->bar.size;
	f->writable[PCI_BASE_ADDRESS_0 + 1] = -f->bar.size >> 8;
	f->writable[PCI_BASE_ADDRESS_0 + 2] = -f->bar.size >> 16;
	f->writable[PCI_COMMAND] = command | PCI_COMMAND_MASTER;
}

/* ---- Configuration space ---- */

static uint32_t config_read(struct pci_function *f, unsigned int offset,
			    unsigned int size)
{
	if (f->before_read)
		f->before_read(f->owner, offset, size);
	return pci_get(f, offset, size);
}

static void config_write(struct pci_function *f, unsigned int offset,
			 unsigned int size, uint32_t value)
{
	unsigned int i;

	for (i = 0; i < size; i++, value >>= 8) {
		uint8_t mask = f->writable[offset + i];
		uint8_t *byte = &f->config[offset + i];

		*byte = (*byte & ~mask) | (value & mask);
	}
	if (f->mapped)
		remap(f);
	if (f->after_write)
		f->after_write(f->owner, offset, size);
}

/* Whom the address register names, or NULL. Bus 0, function 0. */
static struct pci_function *addressed(void)
{
	unsigned int slot = pci.address >> 11 & 0x1f;

	if (!(pci.address & ADDRESS_ENABLE) || pci.address & 0x00ff0700)
		return NULL;
	return slot < SLOTS ? pci.slot[slot] : NULL;
}

/* The data port's bytes are those of the register that is addressed. */
static uint32_t ports_read(void *owner, uint32_t offset, unsigned int size)
{
	struct pci_function *f = addressed();

	if (offset < DATA)
		return offset ? ~0u : pci.address;
	if (!f || (offset & 3) + size > 4)
		return ~0u;
	return config_read(f, (pci.address & 0xfc) + (offset & 3), size);
}

static void ports_write(void *owner, uint32_t offset, unsigned int size,
			uint32_t value)
{
	struct pci_function *f = addressed();

	if (offset < DATA) {
		if (!offset && size == 4)
			pci.address = value;
	} else if (f && (offset & 3) + size <= 4) {
		config_write(f, (pci.address & 0xfc) + (offset & 3), size,
			     value);
	}
}

static struct region ports = {
	.space = LGUEST_SPACE_PORT,
	.start = CONFIG_PORT,
	.size = CONFIG_PORTS,
	.read = ports_read,
	.write = ports_write,
};

/* ---- Setting up ---- */

int pci_init(struct bus *bus, struct lguest_error *error)
{
	int err;

	memset(&pci, 0, sizeof(pci));
	pci_put(&bridge, PCI_VENDOR_ID, 2, BRIDGE_VENDOR);
	pci_put(&bridge, PCI_DEVICE_ID, 2, BRIDGE_DEVICE);
	pci_put(&bridge, PCI_CLASS_REVISION, 4, BRIDGE_CLASS << 8);
	pci.slot[pci.used++] = &bridge;
	err = bus_add(bus, &ports);
	return err ? lguest_fail(error, "the PCI bus: %s", strerror(-err)) : 0;
}

int pci_add(struct bus *bus, struct pci_function *f, struct lguest_error *error)
{
	unsigned int slot = pci.used;

	if (slot == SLOTS)
		return lguest_fail(error, "too many devices; %u are possible", PCI_DEVICES_MAX);
	pci.used++;
	pci.slot[slot] = f;
	f->bus = bus;
	f->line = FIRST_LINE + slot;
	pci_put(f, PCI_INTERRUPT_LINE, 1, f->line);
	pci_put(f, PCI_INTERRUPT_PIN, 1, 1);
	f->writable[PCI_INTERRUPT_LINE] = 0xff;
	init_bar(f, slot);
	remap(f);
	if (!f->is_mapped)
		return lguest_fail(error, "no room for a device at 0x%x",
				   f->bar.start);
	return 0;
}
