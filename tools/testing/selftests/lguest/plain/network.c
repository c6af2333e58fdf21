// SPDX-License-Identifier: GPL-2.0
/*
 * The network card of the `lguest` command, driven by a toy Guest (toy.h) in this process, under
 * ASan; and the stream of frames between it and passt.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_pci.h>

#include "pci.h"
#include "toy.h"
#include "virtio/devices.h"
#include "virtio/net.h"
#include "virtio/transport.h"

#include "../harness.h"

#define RING_FEATURES	(1ull << VIRTIO_RING_F_EVENT_IDX | 1ull << VIRTIO_RING_F_INDIRECT_DESC)

/* A backend of datagrams, so that each frame stays one. */
struct fake_backend {
	struct net_backend backend;
	int other;
	uint64_t agreed;
	bool full, dead;
};

static int fake_send(struct net_backend *b, struct iovec *iov, unsigned int count)
{
	struct fake_backend *f = (struct fake_backend *)b;

	if (f->full)
		return 0;
	return writev(b->fd, iov, count) >= 0 || errno != EAGAIN;
}

static ssize_t fake_receive(struct net_backend *b, uint8_t *to)
{
	ssize_t got = recv(b->fd, to, NET_FRAME_MAX, MSG_DONTWAIT);

	if (((struct fake_backend *)b)->dead)
		return -1;
	return got < 0 ? 0 : got;
}

static bool fake_unsent(struct net_backend *b)
{
	return ((struct fake_backend *)b)->full;
}

static void fake_agreed(struct net_backend *b, uint64_t features)
{
	((struct fake_backend *)b)->agreed = features;
}

FIXTURE(net) {
	struct toy toy;
	struct toy_device device;
	struct toy_queue rx, tx;
	struct fake_backend backend;
	uint32_t gpa;
};

FIXTURE_VARIANT(net) {
	uint64_t features;
};

FIXTURE_VARIANT_ADD(net, plain) { .features = 0 };
FIXTURE_VARIANT_ADD(net, mergeable) { .features = 1ull << VIRTIO_NET_F_MRG_RXBUF | RING_FEATURES };

FIXTURE_SETUP(net)
{
	static const uint8_t mac[6] = { 2, 3, 4, 5, 6, 7 };
	int fds[2], size = 1 << 20;
	struct lguest_error error;
	struct virtio *virtio;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds));
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	self->backend = (struct fake_backend){
		.backend = { .fd = fds[0], .send = fake_send, .receive = fake_receive,
			     .unsent = fake_unsent, .agreed = fake_agreed,
			     .features = 1ull << VIRTIO_NET_F_CSUM },
		.other = fds[1],
	};
	toy_start(&self->toy);
	virtio = net_create(&self->backend.backend, mac, &error);
	ASSERT_EQ(0, pci_init(&self->toy.bus, &error));
	ASSERT_EQ(0, virtio_pci_add(&self->toy.bus, virtio, &self->toy.memory, LGUEST_SPACE_MEMORY,
				    &error));
	ASSERT_TRUE(toy_probe(&self->device, &self->toy, virtio, 1));
	ASSERT_TRUE(toy_negotiate(&self->device, variant->features) & VIRTIO_CONFIG_S_FEATURES_OK);
	toy_queue_init(&self->rx, &self->device, 0, 64);
	toy_queue_init(&self->tx, &self->device, 1, 64);
	toy_driver_ok(&self->device);
	toy_work(&self->device);
	self->gpa = toy_alloc(&self->toy, 1 << 20);
}

FIXTURE_TEARDOWN(net)
{
	toy_stop(&self->toy);
}

TEST_F(net, says_what_it_is)
{
	uint64_t offered = toy_offered(&self->device);
	int i;

	for (i = 0; i < 6; i++)
		EXPECT_EQ(2 + i,
			  toy_read(&self->toy, self->device.space, self->device.config + i, 1));
	EXPECT_EQ(VIRTIO_NET_S_LINK_UP,
		  toy_read(&self->toy, self->device.space, self->device.config + 6, 2));
	EXPECT_TRUE(offered >> VIRTIO_NET_F_CSUM & 1);
	EXPECT_FALSE(offered >> VIRTIO_NET_F_HOST_TSO4 & 1);
	EXPECT_EQ(variant->features | 1ull << VIRTIO_F_VERSION_1, self->backend.agreed);
}

TEST_F(net, sends_and_waits_when_the_wire_is_full)
{
	struct toy_buffer parts[] = { { self->gpa, 12, false }, { self->gpa + 100, 60, false } };
	uint8_t got[256];
	int i;

	memset(toy_at(&self->toy, self->gpa + 100), 0x77, 60);
	self->backend.full = true;
	toy_offer(&self->tx, parts, 2, false);
	toy_offer(&self->tx, parts, 2, false);
	toy_ring(&self->tx);
	toy_work(&self->device);
	EXPECT_EQ(-1, toy_used(&self->tx, NULL));
	self->backend.full = false;
	toy_work(&self->device);
	for (i = 0; i < 2; i++) {
		EXPECT_LE(0, toy_used(&self->tx, NULL));
		EXPECT_EQ(72, recv(self->backend.other, got, sizeof(got), 0));
		EXPECT_EQ(0x77, got[71]);
	}
	EXPECT_EQ(-1, recv(self->backend.other, got, sizeof(got), 0));
}

/* Larger than a buffer: in pieces if that was agreed on, else lost, and the next one comes. */
TEST_F(net, receives)
{
	bool pieces = variant->features;
	uint8_t frame[5000], *at = toy_at(&self->toy, self->gpa);
	uint32_t len, total = 0;
	int i, count = 0;

	for (i = 0; i < sizeof(frame); i++)
		frame[i] = i < 12 ? 0 : i * 3;
	/* No buffer yet: it waits, and is not lost. */
	ASSERT_EQ(sizeof(frame), send(self->backend.other, frame, sizeof(frame), 0));
	if (!pieces)
		ASSERT_EQ(1000, send(self->backend.other, frame, 1000, 0));
	toy_work(&self->device);
	EXPECT_EQ(-1, toy_used(&self->rx, NULL));

	for (i = 0; i < 4; i++) {
		/* The number of pieces stands across two buffers. */
		struct toy_buffer parts[] = { { self->gpa + 1536 * i, 11, true },
					      { self->gpa + 1536 * i + 11, 1525, true } };

		toy_offer(&self->rx, parts, 2, false);
	}
	toy_ring(&self->rx);
	toy_work(&self->device);
	while (toy_used(&self->rx, &len) >= 0) {
		count++;
		total += len;
	}
	EXPECT_EQ(pieces ? 4 : 1, count);
	EXPECT_EQ(pieces ? sizeof(frame) : 1000, total);
	EXPECT_EQ(count, at[10] | at[11] << 8);
	for (i = 12; i < total; i++)
		ASSERT_EQ(frame[i], at[i]);
}

/* More than the whole ring can hold never comes in; and does not bar the way for what follows. */
TEST_F(net, frame_larger_than_the_ring)
{
	struct toy_buffer buffer = { self->gpa, 100, true };
	uint8_t frame[6401] = {};
	uint32_t len, total = 0;
	int i, count = 0;

	for (i = 0; i < 64; i++)
		toy_offer(&self->rx, &buffer, 1, false);
	ASSERT_EQ(6401, send(self->backend.other, frame, 6401, 0));
	ASSERT_EQ(60, send(self->backend.other, frame, 60, 0));
	toy_ring(&self->rx);
	toy_work(&self->device);
	ASSERT_LE(0, toy_used(&self->rx, &len));
	EXPECT_EQ(60, len);
	EXPECT_EQ(-1, toy_used(&self->rx, NULL));
	/* What just fits does come, if it may be in pieces. */
	toy_offer(&self->rx, &buffer, 1, false);
	ASSERT_EQ(6400, send(self->backend.other, frame, 6400, 0));
	toy_ring(&self->rx);
	toy_work(&self->device);
	for (; toy_used(&self->rx, &len) >= 0; count++)
		total += len;
	EXPECT_EQ(variant->features ? 64 : 0, count);
	EXPECT_EQ(variant->features ? 6400 : 0, total);
}

/* When the other side is gone, so is the carrier; the Guest is told once. */
TEST_F(net, loses_its_carrier)
{
	struct toy_buffer out = { self->gpa, 100, false }, in = { self->gpa, 100, true };
	int i;

	toy_interrupted(&self->device);
	self->backend.dead = true;
	ASSERT_EQ(10, send(self->backend.other, "0123456789", 10, 0));
	toy_work(&self->device);
	EXPECT_EQ(0, toy_read(&self->toy, self->device.space, self->device.config + 6, 2));
	EXPECT_TRUE(toy_interrupted(&self->device));
	EXPECT_EQ(VIRTIO_ISR_CONFIG, toy_read(&self->toy, self->device.space, self->device.isr, 1));
	/* What it sends is lost, and does not wait for ever. */
	for (i = 0; i < 3; i++) {
		toy_offer(&self->rx, &in, 1, false);
		toy_ring(&self->rx);
		toy_offer(&self->tx, &out, 1, false);
		toy_ring(&self->tx);
		toy_work(&self->device);
		EXPECT_LE(0, toy_used(&self->tx, NULL));
		EXPECT_EQ(-1, toy_used(&self->rx, NULL));
		EXPECT_FALSE(toy_read(&self->toy, self->device.space, self->device.isr, 1) &
			     VIRTIO_ISR_CONFIG);
	}
}

TEST_F(net, hostile_frames)
{
	struct toy_buffer shorter = { self->gpa, 11, false }, both[] = { { self->gpa, 20, false },
								       { self->gpa, 20, true } };
	struct toy_buffer tiny = { self->gpa, 11, true };
	uint8_t frame[100] = {};
	int i;

	for (i = 0; i < 3; i++) {
		toy_negotiate(&self->device, variant->features);
		toy_queue_init(&self->rx, &self->device, 0, 8);
		toy_queue_init(&self->tx, &self->device, 1, 8);
		toy_driver_ok(&self->device);
		if (i == 0)
			toy_offer(&self->tx, &shorter, 1, false);
		else if (i == 1)
			toy_offer(&self->tx, both, 2, false);
		else
			toy_offer(&self->rx, &tiny, 1, false);
		send(self->backend.other, frame, sizeof(frame), 0);
		toy_ring(&self->tx);
		toy_work(&self->device);
		EXPECT_TRUE(toy_common(&self->device, VIRTIO_PCI_COMMON_STATUS, 1) &
			    VIRTIO_CONFIG_S_NEEDS_RESET) TH_LOG("%d", i);
	}
}

/* ---- The stream to passt ---- */

FIXTURE(passt) {
	struct net_backend *backend;
	int other;
	uint8_t frame[NET_FRAME_MAX], stream[2 * NET_FRAME_MAX];
};

FIXTURE_SETUP(passt)
{
	struct lguest_error error;
	int fds[2], size = 1 << 16;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds));
	ASSERT_EQ(0, setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	self->other = fds[1];
	self->backend = passt_attach(fds[0], &error);
	ASSERT_NE(NULL, self->backend);
}

FIXTURE_TEARDOWN(passt)
{
	close(self->backend->fd);
	close(self->other);
	free(self->backend);
}

/* Byte `at` of frame `n`, and how long that is: some tiny, some as large as they get. */
static uint8_t frame_byte(unsigned int n, size_t at)
{
	return n * 31 + at * 7 + (at >> 8);
}

static size_t frame_bytes(unsigned int n)
{
	return n % 5 ? 1 + n * 797 % 3000 : NET_FRAME_MAX - NET_HEADER - n % 3;
}

/* Frames cut anywhere, in the length as well, come out whole; several at once, one at a time. */
TEST_F(passt, receives_frames_that_come_in_pieces)
{
	size_t piece[] = { 1, 3, 4, 5, 1000, 40000 }, bytes, at, byte, n;
	unsigned int in = 0, out = 0, turn = 0;
	ssize_t got;

	for (in = 0; in < 60; in++) {
		uint32_t length;

		bytes = frame_bytes(in);
		length = htonl(bytes);
		memcpy(self->stream, &length, 4);
		for (at = 0; at < bytes; at++)
			self->stream[4 + at] = frame_byte(in, at);
		for (at = 0; at < bytes + 4; at += n) {
			n = piece[turn++ % 6];
			n = n < bytes + 4 - at ? n : bytes + 4 - at;
			ASSERT_EQ(n, send(self->other, self->stream + at, n, 0));
			/* Now and then what is there waits for more. */
			while (turn % 4) {
				got = self->backend->receive(self->backend, self->frame);
				if (!got)
					break;
				ASSERT_EQ(NET_HEADER + frame_bytes(out), got);
				for (byte = NET_HEADER; byte < got; byte++)
					ASSERT_EQ(frame_byte(out, byte - NET_HEADER),
						  self->frame[byte]);
				out++;
			}
		}
	}
	while (self->backend->receive(self->backend, self->frame) > 0)
		out++;
	EXPECT_EQ(in, out);
	close(self->other);
	EXPECT_EQ(-1, self->backend->receive(self->backend, self->frame));
}

/* What is no length cannot be followed by anything. */
TEST_F(passt, loses_the_thread)
{
	uint32_t length = htonl(NET_FRAME_MAX - NET_HEADER + 1);

	ASSERT_EQ(4, send(self->other, &length, 4, 0));
	EXPECT_EQ(-1, self->backend->receive(self->backend, self->frame));
	EXPECT_EQ(-1, self->backend->receive(self->backend, self->frame));
}

/* All that is in the socket, with what was there before: how many frames are whole in it. */
static unsigned int drain(FIXTURE_DATA(passt) *self, size_t *have, unsigned int n)
{
	for (;;) {
		ssize_t got = recv(self->other, self->stream + *have, 30000, 0);
		size_t at = 0, i;
		uint32_t length;

		if (got <= 0)
			return n;
		*have += got;
		while (*have - at >= 4) {
			memcpy(&length, self->stream + at, 4);
			length = ntohl(length);
			if (length != frame_bytes(n))
				return 0;
			if (*have - at - 4 < length)
				break;
			for (i = 0; i < length; i++)
				if (self->stream[at + 4 + i] != frame_byte(n, i))
					return 0;
			at += 4 + length;
			n++;
		}
		*have -= at;
		memmove(self->stream, self->stream + at, *have);
	}
}

/* A socket that takes a part of a frame gets the rest later, and no other frame in between. */
TEST_F(passt, sends_what_the_socket_takes_only_in_part)
{
	unsigned int sent = 0, got = 0, waited = 0, in_part = 0;
	size_t have = 0, at;

	while (sent < 200) {
		size_t bytes = frame_bytes(sent), head = bytes / 3;
		struct iovec iov[] = { { self->frame, 5 }, { self->frame + 5, NET_HEADER - 5 + head },
				       { self->frame + NET_HEADER + head, bytes - head } };

		for (at = 0; at < bytes; at++)
			self->frame[NET_HEADER + at] = frame_byte(sent, at);
		if (self->backend->send(self->backend, iov, 3)) {
			sent++;
			in_part += self->backend->unsent(self->backend);
			continue;
		}
		waited++;
		got = drain(self, &have, got);
		ASSERT_NE(0, got);
	}
	while (self->backend->unsent(self->backend))
		got = drain(self, &have, got);
	EXPECT_EQ(sent, drain(self, &have, got));
	EXPECT_EQ(0, have);
	EXPECT_LT(0, waited);
	EXPECT_LT(0, in_part);
	/* Too long a frame, and an empty one, are lost, and nothing else. */
	EXPECT_EQ(1, self->backend->send(self->backend,
					 &(struct iovec){ self->stream, NET_FRAME_MAX + 1 }, 1));
	EXPECT_EQ(1, self->backend->send(self->backend,
					 &(struct iovec){ self->stream, NET_HEADER }, 1));
	EXPECT_EQ(-1, recv(self->other, self->stream, 1, 0));
}

TEST_HARNESS_MAIN
