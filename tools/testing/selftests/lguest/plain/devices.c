// SPDX-License-Identifier: GPL-2.0
/*
 * The devices of the `lguest` command, driven by a toy Guest (toy.h) in this
 * process, under ASan: what a driver may rely on, and what a hostile one can do.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_console.h>
#include <linux/virtio_pci.h>

#include "pci.h"
#include "serial.h"
#include "terminal.h"
#include "toy.h"
#include "virtio/devices.h"
#include "virtio/transport.h"

#include "../harness.h"

#define RING_FEATURES	(1ull << VIRTIO_RING_F_EVENT_IDX | 1ull << VIRTIO_RING_F_INDIRECT_DESC)

/* ---- The PCI bus ---- */

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

/* ---- What all devices share: negotiation and queues ---- */

FIXTURE(rng) {
	struct toy toy;
	struct toy_device device;
	struct toy_queue queue;
	struct virtio *virtio;
	uint32_t gpa;
};

FIXTURE_SETUP(rng)
{
	struct lguest_error error;

	toy_start(&self->toy);
	self->virtio = rng_create(&error);
	ASSERT_EQ(0, pci_init(&self->toy.bus, &error));
	ASSERT_EQ(0, virtio_pci_add(&self->toy.bus, self->virtio, &self->toy.memory,
				    LGUEST_SPACE_MEMORY, &error));
	ASSERT_TRUE(toy_probe(&self->device, &self->toy, self->virtio, 1));
	self->gpa = toy_alloc(&self->toy, 4096);
}

FIXTURE_TEARDOWN(rng)
{
	toy_stop(&self->toy);
}

static void start_rng(struct __test_metadata *_metadata, FIXTURE_DATA(rng) *self, uint64_t features)
{
	ASSERT_TRUE(toy_negotiate(&self->device, features) & VIRTIO_CONFIG_S_FEATURES_OK);
	toy_queue_init(&self->queue, &self->device, 0, 8);
	ASSERT_FALSE(toy_driver_ok(&self->device) & VIRTIO_CONFIG_S_NEEDS_RESET);
	toy_work(&self->device);
}

TEST_F(rng, features_are_negotiated)
{
	struct toy_device *d = &self->device;

	EXPECT_EQ(RING_FEATURES | 1ull << VIRTIO_F_VERSION_1, toy_offered(d));
	EXPECT_TRUE(toy_negotiate(d, 0) & VIRTIO_CONFIG_S_FEATURES_OK);
	/* What was not offered is refused. */
	EXPECT_FALSE(toy_negotiate(d, 1) & VIRTIO_CONFIG_S_FEATURES_OK);
	EXPECT_FALSE(toy_negotiate(d, 1ull << 63) & VIRTIO_CONFIG_S_FEATURES_OK);
	/* A driver of the old days, too. */
	toy_set_common(d, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	toy_set_common(d, VIRTIO_PCI_COMMON_STATUS, 1, 3);
	toy_set_common(d, VIRTIO_PCI_COMMON_STATUS, 1, 11);
	EXPECT_EQ(3, toy_common(d, VIRTIO_PCI_COMMON_STATUS, 1));
	/* And it cannot be started without. */
	toy_set_common(d, VIRTIO_PCI_COMMON_STATUS, 1, 7);
	EXPECT_TRUE(toy_common(d, VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_NEEDS_RESET);
	toy_set_common(d, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	EXPECT_EQ(0, toy_common(d, VIRTIO_PCI_COMMON_STATUS, 1));
	/* Features beyond the 64 there are. */
	toy_set_common(d, VIRTIO_PCI_COMMON_DFSELECT, 4, 2);
	EXPECT_EQ(0, toy_common(d, VIRTIO_PCI_COMMON_DF, 4));
	toy_set_common(d, VIRTIO_PCI_COMMON_DFSELECT, 4, 0xffffffff);
	EXPECT_EQ(0, toy_common(d, VIRTIO_PCI_COMMON_DF, 4));
}

/* Requests of every shape, through every combination of ring features, around the ring's end. */
TEST_F(rng, serves_requests)
{
	static const uint64_t features[] = { 0, 1ull << VIRTIO_RING_F_EVENT_IDX,
					     1ull << VIRTIO_RING_F_INDIRECT_DESC, RING_FEATURES };
	static const uint8_t zero[64];
	uint32_t len;
	int i, f;

	for (f = 0; f < ARRAY_SIZE(features); f++) {
		bool indirect = features[f] >> VIRTIO_RING_F_INDIRECT_DESC & 1;

		start_rng(_metadata, self, features[f]);
		for (i = 0; i < 100; i++) {
			struct toy_buffer buffers[] = { { self->gpa, 10, true },
							{ self->gpa + 100, 0, true },
							{ self->gpa + 200, 54, true } };
			uint8_t *at = toy_at(&self->toy, self->gpa);
			int head;

			memset(at, 0, 4096);
			head = toy_offer(&self->queue, buffers, 3, indirect && i & 1);
			toy_ring(&self->queue);
			toy_work(&self->device);
			ASSERT_EQ(head, toy_used(&self->queue, &len));
			ASSERT_EQ(64, len);
			ASSERT_NE(0, memcmp(at, zero, 10));
			ASSERT_EQ(0, memcmp(at + 10, zero, 64));
			ASSERT_NE(0, memcmp(at + 200, zero, 54));
			ASSERT_EQ(-1, toy_used(&self->queue, &len));
			/* event_idx: an interrupt only for the entry that was waited for. */
			if (!(features[f] >> VIRTIO_RING_F_EVENT_IDX & 1) || !i) {
				ASSERT_TRUE(toy_interrupted(&self->device)) TH_LOG("%d %d", f, i);
				ASSERT_EQ(1, toy_read(&self->toy, self->device.space,
						      self->device.isr, 1));
			} else {
				ASSERT_FALSE(toy_interrupted(&self->device));
			}
			ASSERT_EQ(0, toy_read(&self->toy, self->device.space, self->device.isr, 1));
		}
	}
	EXPECT_EQ(400, fakes.rung);
}

/* Nobody is woken who does not want to be. */
TEST_F(rng, interrupts_can_be_switched_off)
{
	struct toy_buffer buffer = { self->gpa, 16, true };
	uint16_t *used_event;

	start_rng(_metadata, self, 0);
	self->queue.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	toy_offer(&self->queue, &buffer, 1, false);
	toy_ring(&self->queue);
	toy_work(&self->device);
	EXPECT_EQ(0, toy_used(&self->queue, NULL));
	EXPECT_FALSE(toy_interrupted(&self->device));

	start_rng(_metadata, self, RING_FEATURES);
	used_event = &self->queue.avail->ring[8];
	*used_event = 2;
	toy_offer(&self->queue, &buffer, 1, false);
	toy_offer(&self->queue, &buffer, 1, false);
	toy_ring(&self->queue);
	toy_work(&self->device);
	EXPECT_EQ(0, toy_used(&self->queue, NULL));
	EXPECT_FALSE(toy_interrupted(&self->device));
	toy_offer(&self->queue, &buffer, 1, false);
	toy_ring(&self->queue);
	toy_work(&self->device);
	EXPECT_TRUE(toy_interrupted(&self->device));
	/* And the device says from which entry on it wants to be told. */
	EXPECT_EQ(3, *(uint16_t *)&self->queue.used->ring[8]);
}

/* While the reason for the last one is unread, there is no second interrupt. */
TEST_F(rng, interrupt_is_a_level_made_an_edge)
{
	struct toy_buffer buffer = { self->gpa, 16, true };
	int i;

	start_rng(_metadata, self, 0);
	for (i = 0; i < 3; i++) {
		toy_offer(&self->queue, &buffer, 1, false);
		toy_ring(&self->queue);
		toy_work(&self->device);
		EXPECT_EQ(!i, toy_interrupted(&self->device));
	}
	EXPECT_EQ(1, toy_read(&self->toy, self->device.space, self->device.isr, 1));
	toy_offer(&self->queue, &buffer, 1, false);
	toy_ring(&self->queue);
	toy_work(&self->device);
	EXPECT_TRUE(toy_interrupted(&self->device));
}

/* A doorbell of another width reaches the device by way of the bus. */
TEST_F(rng, doorbell_without_an_eventfd)
{
	struct toy_buffer buffer = { self->gpa, 16, true };

	start_rng(_metadata, self, 0);
	toy_offer(&self->queue, &buffer, 1, false);
	toy_write(&self->toy, self->device.space, self->device.notify, 4, 0);
	EXPECT_EQ(0, fakes.rung);
	toy_work(&self->device);
	EXPECT_EQ(0, toy_used(&self->queue, NULL));
}

/* Reset forgets all, and what was rung before it does no harm. */
TEST_F(rng, reset)
{
	struct toy_buffer buffer = { self->gpa, 16, true };
	struct toy_device *d = &self->device;

	start_rng(_metadata, self, 0);
	toy_offer(&self->queue, &buffer, 1, false);
	toy_ring(&self->queue);
	toy_set_common(d, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	EXPECT_EQ(0, toy_common(d, VIRTIO_PCI_COMMON_Q_ENABLE, 2));
	EXPECT_EQ(0, toy_common(d, VIRTIO_PCI_COMMON_Q_DESCLO, 4));
	EXPECT_EQ(QUEUE_MAX, toy_common(d, VIRTIO_PCI_COMMON_Q_SIZE, 2));
	toy_work(d);
	EXPECT_EQ(-1, toy_used(&self->queue, NULL));
	start_rng(_metadata, self, 0);
	toy_offer(&self->queue, &buffer, 1, false);
	toy_ring(&self->queue);
	toy_work(d);
	EXPECT_EQ(0, toy_used(&self->queue, NULL));
}

TEST_F(rng, queue_registers_are_checked)
{
	static const uint16_t bad[] = { 0, 3, 100, 257, 512, 0x8000, 0xffff };
	struct toy_device *d = &self->device;
	int i;

	toy_negotiate(d, 0);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		toy_set_common(d, VIRTIO_PCI_COMMON_Q_SIZE, 2, bad[i]);
		EXPECT_EQ(QUEUE_MAX, toy_common(d, VIRTIO_PCI_COMMON_Q_SIZE, 2));
	}
	/* Queues that there are not. */
	for (i = 1; i < 0x10000; i += 0x111) {
		toy_set_common(d, VIRTIO_PCI_COMMON_Q_SELECT, 2, i);
		EXPECT_EQ(0, toy_common(d, VIRTIO_PCI_COMMON_Q_SIZE, 2));
		toy_set_common(d, VIRTIO_PCI_COMMON_Q_DESCLO, 4, 0x1000);
		toy_set_common(d, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	}
	/* An enabled queue is not changed any more. */
	toy_queue_init(&self->queue, d, 0, 8);
	toy_set_common(d, VIRTIO_PCI_COMMON_Q_DESCLO, 4, 0x5000);
	EXPECT_EQ(self->queue.gpa, toy_common(d, VIRTIO_PCI_COMMON_Q_DESCLO, 4));
}

/* Rings anywhere but in memory: the device wants a reset, and gets along after it. */
TEST_F(rng, rings_outside_memory)
{
	static const struct {
		unsigned int reg;
		uint32_t low, high;
	} wild[] = {
		{ VIRTIO_PCI_COMMON_Q_DESCLO, TOY_MEMORY - 16, 0 },
		{ VIRTIO_PCI_COMMON_Q_DESCLO, 0xfffffff0, 0xffffffff },
		{ VIRTIO_PCI_COMMON_Q_DESCLO, 8, 0 },
		{ VIRTIO_PCI_COMMON_Q_AVAILLO, TOY_MEMORY - 20, 0 },
		{ VIRTIO_PCI_COMMON_Q_AVAILLO, 1, 0 },
		{ VIRTIO_PCI_COMMON_Q_AVAILLO, 0x1000, 1 },
		{ VIRTIO_PCI_COMMON_Q_USEDLO, TOY_MEMORY - 68, 0 },
		{ VIRTIO_PCI_COMMON_Q_USEDLO, 2, 0 },
		{ VIRTIO_PCI_COMMON_Q_USEDLO, 0xfffffffc, 0xffffffff },
	};
	struct toy_device *d = &self->device;
	int i;

	for (i = 0; i < ARRAY_SIZE(wild); i++) {
		toy_negotiate(d, 0);
		toy_set_common(d, VIRTIO_PCI_COMMON_Q_SIZE, 2, 8);
		toy_set_common(d, VIRTIO_PCI_COMMON_Q_DESCLO, 4, 0x1000);
		toy_set_common(d, VIRTIO_PCI_COMMON_Q_AVAILLO, 4, 0x2000);
		toy_set_common(d, VIRTIO_PCI_COMMON_Q_USEDLO, 4, 0x3000);
		toy_set_common(d, wild[i].reg, 4, wild[i].low);
		toy_set_common(d, wild[i].reg + 4, 4, wild[i].high);
		toy_set_common(d, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
		EXPECT_TRUE(toy_driver_ok(d) & VIRTIO_CONFIG_S_NEEDS_RESET) TH_LOG("%d", i);
		toy_work(d);
	}
	start_rng(_metadata, self, 0);
}

/* Each breaks one rule of chains; the device stops there, and works again after a reset. */
TEST_F(rng, hostile_descriptors)
{
	enum { NEXT = VRING_DESC_F_NEXT, WRITE = VRING_DESC_F_WRITE, IND = VRING_DESC_F_INDIRECT };
	const struct {
		struct vring_desc desc[3];
		uint64_t features;
		uint16_t head, ahead;
	} bad[] = {
		{ { { TOY_MEMORY - 4, 8, WRITE } } },
		{ { { TOY_MEMORY, 1, WRITE } } },
		{ { { UINT64_MAX, 1, WRITE } } },
		{ { { 0, UINT32_MAX, WRITE } } },
		{ { { UINT64_MAX - 3, 8, WRITE } } },
		{ { { 0x1000, 8, WRITE | NEXT, 8 } } },
		{ { { 0x1000, 8, WRITE | NEXT, 0xffff } } },
		{ { { 0x1000, 8, WRITE | NEXT, 0 } } },
		{ { { 0x1000, 8, WRITE | NEXT, 1 }, { 0x1000, 8, WRITE | NEXT, 0 } } },
		{ { { 0x1000, 8, WRITE | NEXT, 1 }, { 0x1000, 8, 0 } } },
		{ { { 0x1000, 8, WRITE } }, .head = 8 },
		{ { { 0x1000, 8, WRITE } }, .head = 0xffff },
		{ { { 0x1000, 8, WRITE } }, .ahead = 8 },
		{ { { 0x1000, 8, WRITE } }, .ahead = 0x7fff },
		{ { { 0x1000, 16, IND } } },
		{ { { 0x1000, 0, IND } }, RING_FEATURES },
		{ { { 0x1000, 15, IND } }, RING_FEATURES },
		{ { { 0x1000, 17, IND } }, RING_FEATURES },
		{ { { 0x1000, UINT32_MAX - 15, IND } }, RING_FEATURES },
		{ { { TOY_MEMORY - 8, 16, IND } }, RING_FEATURES },
		{ { { UINT64_MAX - 15, 16, IND } }, RING_FEATURES },
		{ { { 0x1000, 16, IND | NEXT, 1 } }, RING_FEATURES },
		{ { { 0x1000, 16, IND | WRITE } }, RING_FEATURES },
		/* A table in a table: the first descriptor is found in the ring itself. */
		{ { { 0, 16, IND } }, RING_FEATURES, .ahead = 0xfff },
	};
	struct toy_device *d = &self->device;
	struct toy_buffer buffer = { self->gpa, 16, true };
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		start_rng(_metadata, self, bad[i].features);
		memcpy(self->queue.desc, bad[i].desc, sizeof(bad[i].desc));
		if (bad[i].ahead == 0xfff)
			self->queue.desc[0].addr = self->queue.gpa;
		self->queue.avail->ring[0] = bad[i].head;
		self->queue.avail->idx = 1 + (bad[i].ahead == 0xfff ? 0 : bad[i].ahead);
		toy_ring(&self->queue);
		toy_work(d);
		EXPECT_TRUE(toy_common(d, VIRTIO_PCI_COMMON_STATUS, 1) &
			    VIRTIO_CONFIG_S_NEEDS_RESET)
		TH_LOG("case %d was let through", i);
		EXPECT_EQ(-1, toy_used(&self->queue, NULL));
		EXPECT_EQ(2, toy_read(&self->toy, d->space, d->isr, 1));
		/* It is deaf until then. */
		toy_ring(&self->queue);
		toy_work(d);
	}
	start_rng(_metadata, self, 0);
	toy_offer(&self->queue, &buffer, 1, false);
	toy_ring(&self->queue);
	toy_work(d);
	EXPECT_EQ(0, toy_used(&self->queue, NULL));
}

/* ---- The disk ---- */

#define DISK	(1u << 20)

FIXTURE(disk) {
	struct toy toy;
	struct toy_device device;
	struct toy_queue queue;
	struct virtio *virtio;
	struct lguest_error error;
	char name[32];
	int fd;				/* to look behind the device's back */
	uint32_t header, data, status;
};

FIXTURE_VARIANT(disk) {
	bool readonly;
};

FIXTURE_VARIANT_ADD(disk, writable) { .readonly = false };
FIXTURE_VARIANT_ADD(disk, readonly) { .readonly = true };

FIXTURE_SETUP(disk)
{
	unsigned int i;

	strcpy(self->name, "/tmp/lguest-disk.XXXXXX");
	self->fd = mkstemp(self->name);
	ASSERT_LE(0, self->fd);
	for (i = 0; i < DISK; i += sizeof(i))
		ASSERT_EQ(sizeof(i), pwrite(self->fd, &i, sizeof(i), i));

	toy_start(&self->toy);
	self->virtio = blk_create(self->name, variant->readonly, &self->error);
	/* Its name says what the disk is called; no file of it is to outlive a broken test. */
	unlink(self->name);
	ASSERT_NE(NULL, self->virtio) TH_LOG("%s", self->error.text);
	ASSERT_EQ(0, pci_init(&self->toy.bus, &self->error));
	ASSERT_EQ(0, virtio_pci_add(&self->toy.bus, self->virtio, &self->toy.memory,
				    LGUEST_SPACE_MEMORY, &self->error));
	ASSERT_TRUE(toy_probe(&self->device, &self->toy, self->virtio, 1));
	ASSERT_TRUE(toy_negotiate(&self->device, toy_offered(&self->device)) &
		    VIRTIO_CONFIG_S_FEATURES_OK);
	toy_queue_init(&self->queue, &self->device, 0, 64);
	toy_driver_ok(&self->device);
	self->header = toy_alloc(&self->toy, 4096);
	self->data = toy_alloc(&self->toy, 1 << 20);
	self->status = toy_alloc(&self->toy, 4096);
}

FIXTURE_TEARDOWN(disk)
{
	toy_stop(&self->toy);
}

/* One request; its status, or -1 if it did not come back. */
static int request(FIXTURE_DATA(disk) *self, uint32_t type, uint64_t sector,
		   const struct toy_buffer *data, unsigned int count, uint32_t *len)
{
	struct virtio_blk_outhdr header = { .type = type, .sector = sector };
	uint8_t *status = toy_at(&self->toy, self->status);
	struct toy_buffer buffers[40] = { { self->header, sizeof(header), false } };

	if (count)
		memcpy(buffers + 1, data, count * sizeof(*data));
	buffers[count + 1] = (struct toy_buffer){ self->status, 1, true };
	memcpy(toy_at(&self->toy, self->header), &header, sizeof(header));
	*status = 99;
	toy_offer(&self->queue, buffers, count + 2, count > 4);
	toy_ring(&self->queue);
	toy_work(&self->device);
	if (toy_used(&self->queue, len) < 0)
		return -1;
	return *status;
}

TEST_F(disk, says_what_it_is)
{
	struct virtio_blk_config config;
	uint8_t *bytes = (uint8_t *)&config;
	int i;

	for (i = 0; i < sizeof(config); i++)
		bytes[i] = toy_read(&self->toy, self->device.space, self->device.config + i, 1);
	EXPECT_EQ(DISK / 512, config.capacity);
	EXPECT_EQ(512, config.blk_size);
	EXPECT_EQ(variant->readonly, toy_offered(&self->device) >> VIRTIO_BLK_F_RO & 1);
	EXPECT_EQ(!variant->readonly, toy_offered(&self->device) >> VIRTIO_BLK_F_DISCARD & 1);
}

TEST_F(disk, reads)
{
	struct toy_buffer whole = { self->data, 1 << 20, true };
	struct toy_buffer parts[] = { { self->data + 1, 100, true },
				      { self->data + 1000, 412, true },
				      { self->data + 2000, 512, true } };
	struct toy_buffer many[32];
	uint32_t len, *word, odd;
	int i;

	ASSERT_EQ(VIRTIO_BLK_S_OK, request(self, VIRTIO_BLK_T_IN, 0, &whole, 1, &len));
	EXPECT_EQ(DISK + 1, len);
	word = toy_at(&self->toy, self->data);
	for (i = 0; i < DISK / 4; i++)
		ASSERT_EQ(4 * i, word[i]);

	ASSERT_EQ(VIRTIO_BLK_S_OK, request(self, VIRTIO_BLK_T_IN, 7, parts, 3, &len));
	EXPECT_EQ(1025, len);
	memcpy(&odd, toy_at(&self->toy, self->data + 1), sizeof(odd));
	EXPECT_EQ(7 * 512, odd);
	word = toy_at(&self->toy, self->data + 2000);
	EXPECT_EQ(8 * 512, word[0]);

	for (i = 0; i < 32; i++)
		many[i] = (struct toy_buffer){ self->data + 1024 * i, 512, true };
	ASSERT_EQ(VIRTIO_BLK_S_OK, request(self, VIRTIO_BLK_T_IN, 100, many, 32, &len));
	EXPECT_EQ(32 * 512 + 1, len);
	word = toy_at(&self->toy, self->data + 1024 * 31);
	EXPECT_EQ(131 * 512, word[0]);
}

TEST_F(disk, writes_reach_the_file_unless_it_is_readonly)
{
	struct toy_buffer parts[] = { { self->data + 3, 1000, false },
				      { self->data + 5000, 24, false } };
	uint8_t got[1024];
	uint32_t len;
	int i;

	memset(toy_at(&self->toy, self->data), 0xaa, 4096);
	memset(toy_at(&self->toy, self->data + 5000), 0xbb, 24);
	i = request(self, VIRTIO_BLK_T_OUT, 2, parts, 2, &len);
	EXPECT_EQ(1, len);
	ASSERT_EQ(1024, pread(self->fd, got, 1024, 1024));
	if (variant->readonly) {
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, i);
		EXPECT_EQ(0, got[0]);
		return;
	}
	EXPECT_EQ(VIRTIO_BLK_S_OK, i);
	for (i = 0; i < 1024; i++)
		ASSERT_EQ(i < 1000 ? 0xaa : 0xbb, got[i]);
	ASSERT_EQ(4, pread(self->fd, got, 4, 1020));
	EXPECT_EQ(0x03fc, got[0] | got[1] << 8);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(self, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, &len));
}

TEST_F(disk, discards_and_zeroes)
{
	struct virtio_blk_discard_write_zeroes *range = toy_at(&self->toy, self->data);
	struct toy_buffer one = { self->data, sizeof(*range), false };
	struct toy_buffer two = { self->data, 2 * sizeof(*range), false };
	struct toy_buffer half = { self->data, sizeof(*range) / 2, false };
	struct toy_buffer lots = { self->data, 17 * sizeof(*range), false };
	int ok = variant->readonly ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
	uint8_t got[512], zero[512] = {};
	uint32_t len;

	range[0] = (struct virtio_blk_discard_write_zeroes){ .sector = 16, .num_sectors = 8 };
	range[1] = (struct virtio_blk_discard_write_zeroes){ .sector = 100, .num_sectors = 1 };
	EXPECT_EQ(ok, request(self, VIRTIO_BLK_T_WRITE_ZEROES, 0, &two, 1, &len));
	EXPECT_EQ(ok, request(self, VIRTIO_BLK_T_DISCARD, 0, &one, 1, &len));
	ASSERT_EQ(512, pread(self->fd, got, 512, 100 * 512));
	EXPECT_EQ(variant->readonly, !!memcmp(got, zero, 512));
	ASSERT_EQ(512, pread(self->fd, got, 512, 101 * 512));
	EXPECT_NE(0, memcmp(got, zero, 512));
	if (variant->readonly)
		return;

	range[0].flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(self, VIRTIO_BLK_T_WRITE_ZEROES, 0, &one, 1, &len));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, request(self, VIRTIO_BLK_T_DISCARD, 0, &one, 1, &len));
	range[0].flags = 2;
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, request(self, VIRTIO_BLK_T_WRITE_ZEROES, 0, &one, 1, &len));
	range[0].flags = 0;
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(self, VIRTIO_BLK_T_DISCARD, 0, &half, 1, &len));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(self, VIRTIO_BLK_T_DISCARD, 0, &lots, 1, &len));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(self, VIRTIO_BLK_T_DISCARD, 0, NULL, 0, &len));
	range[0].sector = DISK / 512;
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(self, VIRTIO_BLK_T_DISCARD, 0, &one, 1, &len));
	range[0].sector = UINT64_MAX;
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(self, VIRTIO_BLK_T_WRITE_ZEROES, 0, &one, 1, &len));
	range[0].sector = 0;
	range[0].num_sectors = UINT32_MAX;
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(self, VIRTIO_BLK_T_WRITE_ZEROES, 0, &one, 1, &len));
	/* The file is as long as it was. */
	EXPECT_EQ(DISK, lseek(self->fd, 0, SEEK_END));
}

TEST_F(disk, beyond_its_end_is_an_error)
{
	static const uint64_t sectors[] = { DISK / 512, DISK / 512 - 1, UINT64_MAX,
					    UINT64_MAX / 512, 1ull << 55 };
	struct toy_buffer in = { self->data, 1024, true }, out = { self->data, 1024, false };
	struct toy_buffer odd = { self->data, 513, true };
	uint32_t len;
	int i;

	for (i = 0; i < ARRAY_SIZE(sectors); i++) {
		EXPECT_EQ(VIRTIO_BLK_S_IOERR,
			  request(self, VIRTIO_BLK_T_IN, sectors[i], &in, 1, &len));
		EXPECT_EQ(VIRTIO_BLK_S_IOERR,
			  request(self, VIRTIO_BLK_T_OUT, sectors[i], &out, 1, &len));
	}
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(self, VIRTIO_BLK_T_IN, 0, &odd, 1, &len));
	EXPECT_EQ(DISK, lseek(self->fd, 0, SEEK_END));
}

/* The file became shorter: an I/O error for the Guest, and nothing worse. */
TEST_F(disk, truncated_under_it)
{
	struct toy_buffer in = { self->data, 4096, true };
	uint32_t len;

	ASSERT_EQ(0, ftruncate(self->fd, 2048));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(self, VIRTIO_BLK_T_IN, 0, &in, 1, &len));
}

TEST_F(disk, odd_requests)
{
	struct toy_buffer in = { self->data, 100, true };
	uint32_t len;

	ASSERT_EQ(VIRTIO_BLK_S_OK, request(self, VIRTIO_BLK_T_GET_ID, 0, &in, 1, &len));
	EXPECT_EQ(21, len);
	EXPECT_EQ(0, memcmp(toy_at(&self->toy, self->data), self->name + 5, 18));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, request(self, 77, 0, &in, 1, &len));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, request(self, UINT32_MAX, 0, NULL, 0, &len));
	/* Nothing to read or write is no fault. */
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(self, VIRTIO_BLK_T_IN, 0, NULL, 0, &len));
}

/* How often the disk asked for what was written to be safe. */
static unsigned int synced;

int fdatasync(int fd)
{
	synced++;
	return fsync(fd);
}

/* Who agreed on FLUSH says when; who did not counts on each write. */
TEST_F(disk, is_safe_when_it_has_to_be)
{
	struct virtio_blk_discard_write_zeroes *range = toy_at(&self->toy, self->data);
	struct toy_buffer data = { self->data, 512, false };
	struct toy_buffer one = { self->data, sizeof(*range), false };
	uint64_t all = toy_offered(&self->device);
	unsigned int each = variant->readonly ? 0 : 1, i;
	uint32_t len;

	*range = (struct virtio_blk_discard_write_zeroes){ .sector = 16, .num_sectors = 8 };
	for (i = 0; i < 2; i++) {
		toy_negotiate(&self->device, i ? all & ~(1ull << VIRTIO_BLK_F_FLUSH) : all);
		toy_queue_init(&self->queue, &self->device, 0, 64);
		toy_driver_ok(&self->device);
		synced = 0;
		request(self, VIRTIO_BLK_T_OUT, 2, &data, 1, &len);
		EXPECT_EQ(i * each, synced);
		request(self, VIRTIO_BLK_T_WRITE_ZEROES, 0, &one, 1, &len);
		EXPECT_EQ(2 * i * each, synced);
		EXPECT_EQ(VIRTIO_BLK_S_OK, request(self, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, &len));
		EXPECT_EQ(2 * i * each + 1, synced);
	}
}

/* Without a header, without a status: there is no way to answer. */
TEST_F(disk, requests_without_a_frame)
{
	struct toy_buffer none[] = { { self->header, 15, false }, { self->status, 1, true } };
	struct toy_buffer deaf[] = { { self->header, 16, false }, { self->data, 512, false } };
	struct toy_buffer empty[] = { { self->header, 16, false }, { self->status, 0, true } };
	const struct toy_buffer *all[] = { none, deaf, empty };
	int i;

	for (i = 0; i < 3; i++) {
		toy_negotiate(&self->device, 0);
		toy_queue_init(&self->queue, &self->device, 0, 8);
		toy_driver_ok(&self->device);
		toy_offer(&self->queue, all[i], 2, false);
		toy_ring(&self->queue);
		toy_work(&self->device);
		EXPECT_EQ(-1, toy_used(&self->queue, NULL));
		EXPECT_TRUE(toy_common(&self->device, VIRTIO_PCI_COMMON_STATUS, 1) &
			    VIRTIO_CONFIG_S_NEEDS_RESET);
	}
}

/* A header and a status that are cut into bytes, as a driver may. */
TEST_F(disk, frame_in_pieces)
{
	struct virtio_blk_outhdr header = { .type = VIRTIO_BLK_T_IN, .sector = 3 };
	struct toy_buffer buffers[20];
	uint32_t len, *word;
	int i;

	memcpy(toy_at(&self->toy, self->header), &header, 16);
	for (i = 0; i < 16; i++)
		buffers[i] = (struct toy_buffer){ self->header + i, 1, false };
	/* The last byte of the data's buffer is the status. */
	buffers[16] = (struct toy_buffer){ self->data, 300, true };
	buffers[17] = (struct toy_buffer){ self->data + 300, 213, true };
	buffers[18] = (struct toy_buffer){ self->data + 3000, 0, true };
	toy_offer(&self->queue, buffers, 19, true);
	toy_ring(&self->queue);
	toy_work(&self->device);
	ASSERT_LE(0, toy_used(&self->queue, &len));
	EXPECT_EQ(513, len);
	word = toy_at(&self->toy, self->data);
	for (i = 0; i < 128; i++)
		EXPECT_EQ(3 * 512 + 4 * i, word[i]);
	EXPECT_EQ(VIRTIO_BLK_S_OK, *(uint8_t *)toy_at(&self->toy, self->data + 512));
}

TEST(disks_that_cannot_be)
{
	struct lguest_error error;
	char small[] = "/tmp/lguest-disk.XXXXXX";
	int fd = mkstemp(small);
	struct virtio *first;

	EXPECT_EQ(NULL, blk_create("/nowhere/at-all", false, &error));
	EXPECT_STREQ("/nowhere/at-all: No such file or directory; make one with 'truncate -s SIZE FILE'",
		     error.text);
	EXPECT_EQ(NULL, blk_create("/tmp", true, &error));
	EXPECT_STREQ("/tmp: neither a file nor a block device", error.text);
	EXPECT_EQ(NULL, blk_create("/dev/null", true, &error));
	EXPECT_STREQ("/dev/null: neither a file nor a block device", error.text);
	EXPECT_EQ(NULL, blk_create(small, true, &error));
	EXPECT_NE(NULL, strstr(error.text, "smaller than a sector"));

	/* Two Guests, one disk: both may read, and nobody may write beside another. */
	ASSERT_EQ(0, ftruncate(fd, 4096));
	first = blk_create(small, true, &error);
	ASSERT_NE(NULL, first);
	EXPECT_NE(NULL, blk_create(small, true, &error));
	EXPECT_EQ(NULL, blk_create(small, false, &error));
	EXPECT_NE(NULL, strstr(error.text, "in use by another guest"));
	unlink(small);
}

/* ---- The console and the serial port ---- */

FIXTURE(console) {
	struct toy toy;
	struct toy_device device;
	struct toy_queue rx, tx;
	struct terminal_input *input;
	uint32_t gpa;
};

FIXTURE_SETUP(console)
{
	struct lguest_error error;
	struct virtio *virtio;

	toy_start(&self->toy);
	virtio = console_create(&error);
	ASSERT_EQ(0, pci_init(&self->toy.bus, &error));
	ASSERT_EQ(0, virtio_pci_add(&self->toy.bus, virtio, &self->toy.memory, LGUEST_SPACE_MEMORY,
				    &error));
	ASSERT_TRUE(toy_probe(&self->device, &self->toy, virtio, 1));
	ASSERT_EQ(1, fakes.inputs);
	self->input = fakes.input[0];
	EXPECT_EQ(-1, self->input->room(self->input->owner));
	toy_negotiate(&self->device, toy_offered(&self->device));
	toy_queue_init(&self->rx, &self->device, 0, 8);
	toy_queue_init(&self->tx, &self->device, 1, 8);
	toy_driver_ok(&self->device);
	self->gpa = toy_alloc(&self->toy, 8192);
}

static void read_size(FIXTURE_DATA(console) *self)
{
	toy_read(&self->toy, self->device.space, self->device.config, 2);
	toy_read(&self->toy, self->device.space, self->device.config + 2, 2);
}

FIXTURE_TEARDOWN(console)
{
	toy_stop(&self->toy);
}

TEST_F(console, writes_and_early_writes)
{
	struct toy_buffer parts[] = { { self->gpa, 5, false }, { self->gpa + 100, 0, false },
				      { self->gpa + 200, 6, false } };

	memcpy(toy_at(&self->toy, self->gpa), "hello", 5);
	memcpy(toy_at(&self->toy, self->gpa + 200), " world", 6);
	toy_offer(&self->tx, parts, 3, false);
	toy_ring(&self->tx);
	toy_work(&self->device);
	EXPECT_STREQ("hello world", fakes.output);
	EXPECT_EQ(0, toy_used(&self->tx, NULL));

	toy_write(&self->toy, self->device.space,
		  self->device.config + offsetof(struct virtio_console_config, emerg_wr), 4, '!');
	EXPECT_STREQ("hello world!", fakes.output);
	/* Elsewhere in the configuration, a write does nothing. */
	toy_write(&self->toy, self->device.space, self->device.config, 4, '?');
	EXPECT_STREQ("hello world!", fakes.output);
}

/* A flood of input, with little room: no byte is lost, and none comes twice. */
TEST_F(console, input_arrives_whole)
{
	unsigned int sent = 0, got = 0, round;
	uint32_t len, i;

	read_size(self);
	for (round = 0; got < 100000; round++) {
		int room = self->input->room(self->input->owner);
		uint8_t bytes[2048];

		ASSERT_LE(0, room);
		ASSERT_GE(sizeof(bytes), room);
		for (i = 0; i < room; i++)
			bytes[i] = (sent + i) * 7;
		if (room)
			self->input->take(self->input->owner, bytes, room);
		sent += room;
		if (round % 3) {
			struct toy_buffer buffer = { self->gpa, 1 + round % 97, true };

			toy_offer(&self->rx, &buffer, 1, false);
			toy_ring(&self->rx);
		}
		toy_work(&self->device);
		while (toy_used(&self->rx, &len) >= 0) {
			uint8_t *at = toy_at(&self->toy, self->gpa);

			for (i = 0; i < len; i++)
				ASSERT_EQ((uint8_t)((got + i) * 7), at[i]);
			got += len;
		}
	}
	EXPECT_LE(got, sent);
}

/*
 * A driver that agreed on the size is told of one, and hears nothing else before it has looked; one
 * that did not, listens from the start.
 */
TEST_F(console, input_waits_for_the_driver)
{
	struct toy_buffer buffer = { self->gpa, 100, true };
	struct toy_device *d = &self->device;
	uint32_t len;

	toy_offer(&self->rx, &buffer, 1, false);
	toy_ring(&self->rx);
	toy_work(d);
	EXPECT_EQ(-1, self->input->room(self->input->owner));
	EXPECT_TRUE(toy_interrupted(d));
	EXPECT_EQ(2, toy_read(&self->toy, d->space, d->isr, 1));
	read_size(self);
	EXPECT_LT(0, self->input->room(self->input->owner));
	self->input->take(self->input->owner, (const uint8_t *)"typed", 5);
	toy_work(d);
	EXPECT_EQ(0, toy_used(&self->rx, &len));
	EXPECT_EQ(5, len);
	EXPECT_EQ(0, memcmp(toy_at(&self->toy, self->gpa), "typed", 5));

	/* The next driver begins anew; what was typed meanwhile waits for it. */
	self->input->take(self->input->owner, (const uint8_t *)"more", 4);
	toy_work(d);
	toy_negotiate(d, toy_offered(d));
	toy_queue_init(&self->rx, d, 0, 8);
	toy_driver_ok(d);
	toy_offer(&self->rx, &buffer, 1, false);
	toy_ring(&self->rx);
	toy_work(d);
	EXPECT_EQ(-1, self->input->room(self->input->owner));
	EXPECT_EQ(-1, toy_used(&self->rx, &len));
	read_size(self);
	toy_work(d);
	EXPECT_EQ(0, toy_used(&self->rx, &len));
	EXPECT_EQ(4, len);

	toy_negotiate(d, 0);
	toy_queue_init(&self->rx, d, 0, 8);
	toy_driver_ok(d);
	toy_work(d);
	EXPECT_LT(0, self->input->room(self->input->owner));
}

/* Linux has a page for each entry of the queues of each console. */
TEST_F(console, queues_are_small)
{
	toy_negotiate(&self->device, 0);
	EXPECT_EQ(16, toy_common(&self->device, VIRTIO_PCI_COMMON_Q_SIZE, 2));
	toy_set_common(&self->device, VIRTIO_PCI_COMMON_Q_SIZE, 2, 32);
	EXPECT_EQ(16, toy_common(&self->device, VIRTIO_PCI_COMMON_Q_SIZE, 2));
}

FIXTURE(serial) {
	struct toy toy;
	struct terminal_input *input;
};

FIXTURE_SETUP(serial)
{
	struct lguest_error error;

	toy_start(&self->toy);
	ASSERT_EQ(0, serial_init(&self->toy.bus, &error));
	ASSERT_EQ(1, fakes.inputs);
	self->input = fakes.input[0];
}

FIXTURE_TEARDOWN(serial)
{
	toy_stop(&self->toy);
}

static uint8_t inb(FIXTURE_DATA(serial) *self, unsigned int reg)
{
	return toy_read(&self->toy, LGUEST_SPACE_PORT, 0x3f8 + reg, 1);
}

static void outb(FIXTURE_DATA(serial) *self, unsigned int reg, uint8_t value)
{
	toy_write(&self->toy, LGUEST_SPACE_PORT, 0x3f8 + reg, 1, value);
}

/* What Linux's 8250 driver looks at to tell a 16550A from others. */
TEST_F(serial, is_a_16550a)
{
	outb(self, 1, 0);
	EXPECT_EQ(0, inb(self, 1));
	outb(self, 1, 0x0f);
	EXPECT_EQ(0x0f, inb(self, 1));
	outb(self, 1, 0);
	/* Loopback: the outputs of the modem control come back. */
	outb(self, 4, 0x1a);
	EXPECT_EQ(0x90, inb(self, 6) & 0xf0);
	outb(self, 4, 0x15);
	EXPECT_EQ(0x60, inb(self, 6) & 0xf0);
	outb(self, 4, 0);
	EXPECT_EQ(0xb0, inb(self, 6) & 0xf0);
	outb(self, 2, 1);
	EXPECT_EQ(0xc0, inb(self, 2) & 0xc0);
	outb(self, 2, 0);
	EXPECT_EQ(0, inb(self, 2) & 0xc0);
	outb(self, 3, 0x80);
	outb(self, 0, 0x34);
	outb(self, 1, 0x12);
	EXPECT_EQ(0x34, inb(self, 0));
	EXPECT_EQ(0x12, inb(self, 1));
	outb(self, 3, 3);
	EXPECT_EQ(3, inb(self, 3));
	EXPECT_EQ(0, inb(self, 1));
	outb(self, 7, 0xa5);
	EXPECT_EQ(0xa5, inb(self, 7));
	EXPECT_EQ(0x60, inb(self, 5));
}

TEST_F(serial, transmitter_interrupts_when_asked)
{
	outb(self, 0, 'a');
	EXPECT_STREQ("a", fakes.output);
	EXPECT_EQ(0, fakes.irqs[4]);
	outb(self, 1, 2);
	EXPECT_EQ(1, fakes.irqs[4]);
	EXPECT_EQ(2, inb(self, 2) & 0xf);
	EXPECT_EQ(1, inb(self, 2) & 0xf);
	outb(self, 0, 'b');
	EXPECT_EQ(2, fakes.irqs[4]);
	EXPECT_EQ(2, inb(self, 2) & 0xf);
	EXPECT_STREQ("ab", fakes.output);
}

/* Modem lines that changed, and a byte too many: told once each, with an interrupt if asked. */
TEST_F(serial, loopback)
{
	inb(self, 6);
	outb(self, 4, 0x10);
	EXPECT_EQ(0x0b, inb(self, 6));
	EXPECT_EQ(0, inb(self, 6));
	outb(self, 4, 0x14);
	EXPECT_EQ(0x40, inb(self, 6));
	outb(self, 4, 0x10);
	EXPECT_EQ(0x04, inb(self, 6));

	outb(self, 1, 8);
	EXPECT_EQ(0, fakes.irqs[4]);
	outb(self, 4, 0x12);
	EXPECT_EQ(1, fakes.irqs[4]);
	EXPECT_EQ(0, inb(self, 2) & 0xf);
	EXPECT_EQ(0x11, inb(self, 6));
	EXPECT_EQ(1, inb(self, 2) & 0xf);

	outb(self, 1, 4);
	outb(self, 0, 'x');
	EXPECT_EQ(1, fakes.irqs[4]);
	outb(self, 0, 'y');
	EXPECT_EQ(2, fakes.irqs[4]);
	EXPECT_EQ(6, inb(self, 2) & 0xf);
	EXPECT_EQ(0x63, inb(self, 5));
	EXPECT_EQ(0x61, inb(self, 5));
	EXPECT_EQ(1, inb(self, 2) & 0xf);
	EXPECT_EQ('x', inb(self, 0));
	EXPECT_STREQ("", fakes.output);
}

/* Input in any pieces: each byte once, with an interrupt whenever there is a first one. */
TEST_F(serial, receiver_loses_nothing)
{
	unsigned int sent = 0, got = 0, before;
	uint8_t bytes[16];
	int room, i;

	EXPECT_EQ(-1, self->input->room(self->input->owner));
	outb(self, 2, 1);
	outb(self, 1, 1);
	EXPECT_EQ(16, self->input->room(self->input->owner));
	while (got < 50000) {
		room = self->input->room(self->input->owner);
		ASSERT_LE(0, room);
		room = room > 1 + sent % 16 ? 1 + sent % 16 : room;
		for (i = 0; i < room; i++)
			bytes[i] = (sent + i) * 13;
		before = fakes.irqs[4];
		self->input->take(self->input->owner, bytes, room);
		ASSERT_LT(before, fakes.irqs[4]);
		sent += room;
		ASSERT_EQ(4, inb(self, 2) & 0xf);
		for (i = 0; i < 1 + got % 5 || (inb(self, 5) & 1 && sent - got >= 16); i++) {
			if (!(inb(self, 5) & 1))
				break;
			ASSERT_EQ((uint8_t)(got * 13), inb(self, 0));
			got++;
		}
	}
	while (inb(self, 5) & 1) {
		ASSERT_EQ((uint8_t)(got * 13), inb(self, 0));
		got++;
	}
	EXPECT_EQ(sent, got);
	EXPECT_EQ(1, inb(self, 2) & 0xf);
}

/* What a driver does with the port before it reads from it costs nobody a byte. */
TEST_F(serial, input_waits_for_the_driver)
{
	struct terminal_input *input = self->input;

	/* Are there four bits? */
	outb(self, 1, 0x0f);
	EXPECT_EQ(1, input->room(input->owner));
	input->take(input->owner, (const uint8_t *)"p", 1);
	EXPECT_EQ(0, input->room(input->owner));
	outb(self, 1, 0);
	EXPECT_EQ(-1, input->room(input->owner));
	EXPECT_EQ(0, inb(self, 5) & 1);
	EXPECT_EQ(1, fakes.given_back);

	/* Is there a FIFO? And then it is emptied. */
	outb(self, 1, 5);
	input->take(input->owner, (const uint8_t *)"p", 1);
	outb(self, 2, 1);
	EXPECT_EQ(2, fakes.given_back);
	input->take(input->owner, (const uint8_t *)"power", 5);
	EXPECT_EQ('p', inb(self, 0));
	outb(self, 2, 3);
	EXPECT_EQ(0, inb(self, 5) & 1);
	EXPECT_EQ(6, fakes.given_back);
	EXPECT_EQ(0, memcmp(fakes.back, "ppower", 6));

	/* What it said to itself was never typed. */
	outb(self, 4, 0x10);
	outb(self, 0, 'x');
	outb(self, 2, 3);
	outb(self, 0, 'x');
	outb(self, 1, 0);
	EXPECT_EQ(1, inb(self, 5) & 1);
	EXPECT_EQ(6, fakes.given_back);
}

TEST_HARNESS_MAIN
