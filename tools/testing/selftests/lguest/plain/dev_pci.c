// SPDX-License-Identifier: GPL-2.0
/*
 * The bus that the devices of the `lguest` command are on: configuration space, BARs, what a hostile
 * driver makes of them.
 * Driven by a toy Guest (toy.h) in this process, under ASan.
 */
#define _GNU_SOURCE

#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include "pci.h"
#include "toy.h"
#include "virtio/devices.h"
#include "virtio/transport.h"

#include "../harness.h"

FIXTURE(pci) {
	struct toy toy;
	struct toy_device device;
	struct virtio *virtio;
	struct lguest_error error;
};

FIXTURE_VARIANT(pci) {
	unsigned int space;
};

FIXTURE_VARIANT_ADD(pci, memory_bar) { .space = LGUEST_SPACE_MEMORY };
FIXTURE_VARIANT_ADD(pci, port_bar) { .space = LGUEST_SPACE_PORT };

FIXTURE_SETUP(pci)
{
	toy_start(&self->toy);
	ASSERT_EQ(0, pci_init(&self->toy.bus, &self->error));
	self->virtio = rng_create(&self->error);
	ASSERT_EQ(0, virtio_pci_add(&self->toy.bus, self->virtio, &self->toy.memory, variant->space,
				    &self->error)) TH_LOG("%s", self->error.text);
}

FIXTURE_TEARDOWN(pci)
{
	toy_stop(&self->toy);
}

TEST_F(pci, bus_has_a_bridge_a_device_and_nothing_else)
{
	unsigned int slot;

	EXPECT_EQ(0x060000, toy_config_read(&self->toy, 0, PCI_CLASS_REVISION, 4) >> 8);
	EXPECT_EQ(0x10441af4, toy_config_read(&self->toy, 1, PCI_VENDOR_ID, 4));
	EXPECT_EQ(1, toy_config_read(&self->toy, 1, PCI_INTERRUPT_PIN, 1));
	EXPECT_EQ(5, toy_config_read(&self->toy, 1, PCI_INTERRUPT_LINE, 1));
	for (slot = 2; slot < 32; slot++)
		EXPECT_EQ(0xffffffff, toy_config_read(&self->toy, slot, PCI_VENDOR_ID, 4));

	/* Another bus, another function, and the mechanism switched off. */
	toy_write(&self->toy, LGUEST_SPACE_PORT, 0xcf8, 4, 0x80010800);
	EXPECT_EQ(0xffffffff, toy_read(&self->toy, LGUEST_SPACE_PORT, 0xcfc, 4));
	toy_write(&self->toy, LGUEST_SPACE_PORT, 0xcf8, 4, 0x80000900);
	EXPECT_EQ(0xffffffff, toy_read(&self->toy, LGUEST_SPACE_PORT, 0xcfc, 4));
	toy_write(&self->toy, LGUEST_SPACE_PORT, 0xcf8, 4, 0x800);
	EXPECT_EQ(0xffffffff, toy_read(&self->toy, LGUEST_SPACE_PORT, 0xcfc, 4));
	EXPECT_EQ(0x800, toy_read(&self->toy, LGUEST_SPACE_PORT, 0xcf8, 4));
}

/* As every kernel sizes a BAR; and what is read-only stays. */
TEST_F(pci, bar_is_sized_and_moved)
{
	bool port = variant->space == LGUEST_SPACE_PORT;
	uint32_t flags = port ? PCI_BASE_ADDRESS_SPACE_IO : 0;
	uint32_t other = port ? 0xe100 : 0xf8000000;
	uint16_t on = port ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	struct toy *toy = &self->toy;
	uint32_t bar, size;

	bar = toy_config_read(toy, 1, PCI_BASE_ADDRESS_0, 4);
	ASSERT_TRUE(toy_probe(&self->device, toy, self->virtio, 1));
	EXPECT_EQ(1, toy_common(&self->device, VIRTIO_PCI_COMMON_NUMQ, 2));
	EXPECT_EQ(2, fakes.windows);
	EXPECT_EQ(1, fakes.doorbells);
	EXPECT_EQ(1, fakes.irqfds);

	toy_config_write(toy, 1, PCI_COMMAND, 2, 0);
	EXPECT_EQ(1, fakes.windows);
	EXPECT_EQ(0, fakes.doorbells);
	toy_config_write(toy, 1, PCI_BASE_ADDRESS_0, 4, 0xffffffff);
	size = -(toy_config_read(toy, 1, PCI_BASE_ADDRESS_0, 4) & ~15u);
	EXPECT_EQ(port ? 0x100 : 0x1000, size);
	toy_config_write(toy, 1, PCI_BASE_ADDRESS_0, 4, other);
	EXPECT_EQ(other | flags, toy_config_read(toy, 1, PCI_BASE_ADDRESS_0, 4));
	EXPECT_EQ(0xffff, toy_common(&self->device, VIRTIO_PCI_COMMON_NUMQ, 2));
	toy_config_write(toy, 1, PCI_COMMAND, 2, on);
	ASSERT_TRUE(toy_probe(&self->device, toy, self->virtio, 1));
	EXPECT_EQ(other, self->device.common & -size);
	EXPECT_EQ(1, toy_common(&self->device, VIRTIO_PCI_COMMON_NUMQ, 2));
	EXPECT_EQ(2, fakes.windows);
	EXPECT_EQ(1, fakes.doorbells);

	/* No other BAR, no ROM, no identity to be changed. */
	toy_config_write(toy, 1, PCI_BASE_ADDRESS_1, 4, 0xffffffff);
	EXPECT_EQ(0, toy_config_read(toy, 1, PCI_BASE_ADDRESS_1, 4));
	toy_config_write(toy, 1, PCI_ROM_ADDRESS, 4, 0xffffffff);
	EXPECT_EQ(0, toy_config_read(toy, 1, PCI_ROM_ADDRESS, 4));
	toy_config_write(toy, 1, PCI_VENDOR_ID, 4, 0);
	EXPECT_EQ(0x10441af4, toy_config_read(toy, 1, PCI_VENDOR_ID, 4));
	EXPECT_NE(other, bar);
}

TEST(bar_in_ram_is_nowhere)
{
	struct lguest_error error;
	struct toy toy;

	toy_start(&toy);
	ASSERT_EQ(0, pci_init(&toy.bus, &error));
	ASSERT_EQ(0, virtio_pci_add(&toy.bus, rng_create(&error), &toy.memory, LGUEST_SPACE_MEMORY,
				    &error));
	toy_config_write(&toy, 1, PCI_BASE_ADDRESS_0, 4, 0x1000);
	EXPECT_EQ(1, fakes.windows);
	EXPECT_EQ(0, fakes.doorbells);
	toy_config_write(&toy, 1, PCI_BASE_ADDRESS_0, 4, 0xf1000000);
	EXPECT_EQ(2, fakes.windows);
	EXPECT_EQ(1, fakes.doorbells);
	toy_stop(&toy);
}

/* The fifth capability: a BAR that is reached through configuration space. */
TEST_F(pci, window_reaches_the_bar)
{
	struct toy *toy = &self->toy;
	unsigned int at = toy_config_read(toy, 1, PCI_CAPABILITY_LIST, 1);

	while (toy_config_read(toy, 1, at + VIRTIO_PCI_CAP_CFG_TYPE, 1) != VIRTIO_PCI_CAP_PCI_CFG) {
		at = toy_config_read(toy, 1, at + 1, 1);
		ASSERT_NE(0, at);
	}
	toy_config_write(toy, 1, at + VIRTIO_PCI_CAP_BAR, 1, 0);
	toy_config_write(toy, 1, at + VIRTIO_PCI_CAP_OFFSET, 4, VIRTIO_PCI_COMMON_NUMQ);
	toy_config_write(toy, 1, at + VIRTIO_PCI_CAP_LENGTH, 4, 2);
	EXPECT_EQ(1, toy_config_read(toy, 1, at + 16, 2));
	toy_config_write(toy, 1, at + VIRTIO_PCI_CAP_OFFSET, 4, VIRTIO_PCI_COMMON_STATUS);
	toy_config_write(toy, 1, at + VIRTIO_PCI_CAP_LENGTH, 4, 1);
	toy_config_write(toy, 1, at + 16, 1, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	EXPECT_EQ(VIRTIO_CONFIG_S_ACKNOWLEDGE, toy_config_read(toy, 1, at + 16, 1));

	/* Outside, unaligned, of no size, in another BAR: nothing happens. */
	toy_config_write(toy, 1, at + VIRTIO_PCI_CAP_OFFSET, 4, 0xfffffffc);
	toy_config_write(toy, 1, at + VIRTIO_PCI_CAP_LENGTH, 4, 4);
	toy_config_read(toy, 1, at + 16, 4);
	toy_config_write(toy, 1, at + 16, 4, 1);
	toy_config_write(toy, 1, at + VIRTIO_PCI_CAP_OFFSET, 4, 0xffe);
	toy_config_read(toy, 1, at + 16, 4);
	toy_config_write(toy, 1, at + VIRTIO_PCI_CAP_LENGTH, 4, 0xffffffff);
	toy_config_read(toy, 1, at + 16, 4);
	toy_config_write(toy, 1, at + VIRTIO_PCI_CAP_BAR, 1, 5);
	toy_config_read(toy, 1, at + 16, 4);
}

/* Every register of every size, read and written with everything. */
TEST_F(pci, wild_accesses)
{
	static const uint32_t values[] = { 0, 1, 0x80000000, 0xffffffff, 0x55aa55aa };
	unsigned int offset, size, i;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		for (size = 1; size <= 4; size *= 2) {
			for (offset = 0; offset < 256; offset++) {
				if ((offset & 3) + size > 4)
					continue;
				toy_config_write(&self->toy, 1, offset, size, values[i]);
				toy_config_read(&self->toy, 1, offset, size);
			}
			for (offset = 0xcf0; offset < 0xd08; offset++) {
				toy_write(&self->toy, LGUEST_SPACE_PORT, offset, size, values[i]);
				toy_read(&self->toy, LGUEST_SPACE_PORT, offset, size);
			}
		}
	}
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		if (!toy_probe(&self->device, &self->toy, self->virtio, 1))
			continue;
		for (size = 1; size <= 4; size *= 2) {
			for (offset = 0; offset < 0x1000; offset++) {
				toy_write(&self->toy, variant->space, self->device.common + offset,
					  size, values[i]);
				toy_read(&self->toy, variant->space, self->device.common + offset,
					 size);
			}
		}
	}
}

TEST(pci_takes_27_devices)
{
	struct lguest_error error;
	struct toy toy;
	int i;

	toy_start(&toy);
	ASSERT_EQ(0, pci_init(&toy.bus, &error));
	for (i = 0; i < 27; i++)
		ASSERT_EQ(0, virtio_pci_add(&toy.bus, rng_create(&error), &toy.memory,
					    LGUEST_SPACE_MEMORY, &error));
	EXPECT_EQ(31, toy_config_read(&toy, 27, PCI_INTERRUPT_LINE, 1));
	EXPECT_EQ(-1, virtio_pci_add(&toy.bus, rng_create(&error), &toy.memory, LGUEST_SPACE_MEMORY,
				     &error));
	EXPECT_STREQ("too many devices; 27 are possible", error.text);
}

TEST_HARNESS_MAIN
