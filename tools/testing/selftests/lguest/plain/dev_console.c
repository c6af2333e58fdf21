// SPDX-License-Identifier: GPL-2.0
/*
 * The console and the serial port of the `lguest` command: what is written and what comes in, which
 * waits until the driver has a use for it.
 * Driven by a toy Guest (toy.h) in this process, under ASan.
 */
#define _GNU_SOURCE

#include <linux/virtio_console.h>
#include <linux/virtio_pci.h>

#include "pci.h"
#include "serial.h"
#include "terminal.h"
#include "toy.h"
#include "virtio/devices.h"
#include "virtio/transport.h"

#include "../harness.h"

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
