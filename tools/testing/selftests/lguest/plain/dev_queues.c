// SPDX-License-Identifier: GPL-2.0
/*
 * What all virtio devices of the `lguest` command share: features, registers, rings, interrupts; by
 * the example of the entropy device, whose own part is the least.
 * Driven by a toy Guest (toy.h) in this process, under ASan.
 */
#define _GNU_SOURCE

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include "pci.h"
#include "toy.h"
#include "virtio/devices.h"
#include "virtio/transport.h"

#include "../harness.h"

#define RING_FEATURES	(1ull << VIRTIO_RING_F_EVENT_IDX | 1ull << VIRTIO_RING_F_INDIRECT_DESC)

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

TEST_HARNESS_MAIN
