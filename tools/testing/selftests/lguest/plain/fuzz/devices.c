// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz target: all devices of the `lguest` command. The input is a Guest: a row of accesses to PCI,
 * to registers and to memory, of chains with a little sense in them, and of what comes from outside
 * meanwhile. Nothing outside Guest memory is touched (ASan, and a page that nobody may touch),
 * nothing loops.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include "input.h"
#include "pci.h"
#include "serial.h"
#include "terminal.h"
#include "toy.h"
#include "virtio/devices.h"
#include "virtio/net.h"
#include "virtio/transport.h"

#define EVENTS	200
#define DEVICES	5
#define RAM	0x10000u		/* that addresses of the input are in, mostly */
#define RING(device, queue)	(0x1000u + ((device) * 4 + (queue)) % 8 * 0x1000u)
#define RING_SIZE	16u

static struct toy toy;
static struct virtio *device[DEVICES];
static struct toy_device driver[DEVICES];
static struct net_backend backend;
static int wire;			/* the other end of the backend */

static int wire_send(struct net_backend *b, struct iovec *iov, unsigned int count)
{
	return writev(b->fd, iov, count) >= 0 || errno != EAGAIN;
}

static ssize_t wire_receive(struct net_backend *b, uint8_t *to)
{
	ssize_t got = recv(b->fd, to, NET_FRAME_MAX, MSG_DONTWAIT);

	return got < 0 ? 0 : got;
}

static void check(bool ok)
{
	if (!ok)
		abort();
}

static struct virtio *make_disk(bool readonly)
{
	char name[] = "/tmp/lguest-fuzz.XXXXXX";
	struct lguest_error error;
	int fd = mkstemp(name);
	struct virtio *disk;

	check(fd >= 0 && !ftruncate(fd, 1 << 16));
	disk = blk_create(name, readonly, &error);
	unlink(name);
	close(fd);
	return disk;
}

static void set_up(void)
{
	static const uint8_t mac[6] = { 2 };
	struct lguest_error error;
	int fds[2], i;

	check(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds));
	wire = fds[1];
	backend = (struct net_backend){ .fd = fds[0], .send = wire_send, .receive = wire_receive };
	toy_start(&toy);
	check(!serial_init(&toy.bus, &error) && !pci_init(&toy.bus, &error));
	device[0] = console_create(&error);
	device[1] = make_disk(false);
	device[2] = make_disk(true);
	device[3] = net_create(&backend, mac, &error);
	device[4] = rng_create(&error);
	for (i = 0; i < DEVICES; i++) {
		check(device[i]);
		check(!virtio_pci_add(&toy.bus, device[i], &toy.memory,
				      i & 1 ? LGUEST_SPACE_PORT : LGUEST_SPACE_MEMORY, &error));
		check(toy_probe(&driver[i], &toy, device[i], i + 1));
	}
}

/* As a machine that was just switched on: BARs where they were, devices reset. */
static void reset(void)
{
	uint8_t buffer[256];
	int i;

	for (i = 0; i < DEVICES; i++) {
		bool port = driver[i].space == LGUEST_SPACE_PORT;

		toy_config_write(&toy, i + 1, PCI_BASE_ADDRESS_0, 4, driver[i].common);
		toy_config_write(&toy, i + 1, PCI_COMMAND, 2,
				 port ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY);
		toy_set_common(&driver[i], VIRTIO_PCI_COMMON_STATUS, 1, 0);
	}
	while (recv(wire, buffer, sizeof(buffer), MSG_DONTWAIT) >= 0)
		;
	while (recv(backend.fd, buffer, sizeof(buffer), MSG_DONTWAIT) >= 0)
		;
	memset(toy_at(&toy, 0), 0, RAM);
}

/* The driver's part, done right: so that the device runs. */
static void start(struct input *in, unsigned int which)
{
	struct toy_device *d = &driver[which];
	uint64_t features = toy_offered(d) & (input8(in) & 1 ? ~0ull : input64(in));
	unsigned int i;

	toy_negotiate(d, features);
	for (i = 0; i < device[which]->kind->queues; i++) {
		uint32_t gpa = RING(which, i);

		toy_set_common(d, VIRTIO_PCI_COMMON_Q_SELECT, 2, i);
		toy_set_common(d, VIRTIO_PCI_COMMON_Q_SIZE, 2, RING_SIZE);
		toy_set_common(d, VIRTIO_PCI_COMMON_Q_DESCLO, 4, gpa);
		toy_set_common(d, VIRTIO_PCI_COMMON_Q_AVAILLO, 4, gpa + 0x400);
		toy_set_common(d, VIRTIO_PCI_COMMON_Q_USEDLO, 4, gpa + 0x800);
		toy_set_common(d, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	}
	toy_driver_ok(d);
}

/* What a disk looks for at the start of a request. */
static void header(struct input *in, struct toy_buffer *buffers)
{
	struct virtio_blk_outhdr header = { .type = input8(in) % 16, .sector = input8(in) % 130 };

	buffers[0].len = sizeof(header);
	memcpy(toy_at(&toy, buffers[0].gpa), &header, sizeof(header));
}

/* A chain that may be what the device expects: readable buffers, then writable ones. */
static void offer(struct input *in, unsigned int which)
{
	struct toy_queue q = { .device = &driver[which], .size = RING_SIZE };
	unsigned int count = 1 + input8(in) % 6, readable = input8(in), i;
	struct toy_buffer buffers[6];
	uint32_t gpa;

	q.index = input8(in) % device[which]->kind->queues;
	gpa = RING(which, q.index);
	q.desc = toy_at(&toy, gpa);
	q.avail = toy_at(&toy, gpa + 0x400);
	q.used = toy_at(&toy, gpa + 0x800);
	q.next_desc = q.avail->idx * 6;
	toy.free = 0xe000 + input8(in) % 2 * 0x1000;
	for (i = 0; i < count; i++) {
		buffers[i].gpa = input16(in);
		buffers[i].len = input16(in);
		if (buffers[i].len & 0x8000)
			buffers[i].len = 16 + 512 * (buffers[i].len & 1);
		buffers[i].writable = i >= readable % 7;
	}
	if (readable & 0x40)
		header(in, buffers);
	toy_offer(&q, buffers, count, readable & 0x80);
	toy_ring(&q);
}

static void terminal_input(struct input *in, struct terminal_input *input)
{
	int room = input->room(input->owner);
	uint8_t bytes[32];
	size_t count = input8(in) % sizeof(bytes);

	if (room <= 0)
		return;
	input_bytes(in, bytes, sizeof(bytes));
	input->take(input->owner, bytes, count < room ? count : room);
}

static void event(struct input *in)
{
	unsigned int which = input8(in) % DEVICES, size = 1 << input8(in) % 3, what = input8(in);
	struct toy_device *d = &driver[which];
	uint8_t bytes[64];
	uint32_t at;

	switch (what % 12) {
	case 0:
		start(in, which);
		break;
	case 1:
	case 2:
		offer(in, which);
		break;
	case 3:
		toy_work(d);
		break;
	case 4:
		at = input16(in);
		input_bytes(in, bytes, sizeof(bytes));
		memcpy(toy_at(&toy, at), bytes, input8(in) % sizeof(bytes));
		break;
	case 5:
		toy_write(&toy, d->space, d->common + input8(in), size, input32(in));
		break;
	case 6:
		toy_read(&toy, d->space, d->common + input8(in), size);
		break;
	case 7:
		at = input8(in);
		if ((at & 3) + size <= 4)
			toy_config_write(&toy, input8(in) % (DEVICES + 2), at, size, input32(in));
		break;
	case 8:
		at = input8(in);
		if ((at & 3) + size <= 4)
			toy_config_read(&toy, input8(in) % (DEVICES + 2), at, size);
		break;
	case 9:
		input_bytes(in, bytes, sizeof(bytes));
		send(wire, bytes, input8(in) % sizeof(bytes), MSG_DONTWAIT);
		break;
	case 10:
		terminal_input(in, fakes.input[input8(in) % fakes.inputs]);
		break;
	default:
		if (what & 0x80)
			toy_write(&toy, LGUEST_SPACE_PORT, 0x3f8 + input8(in) % 8, 1, input8(in));
		else
			toy_read(&toy, LGUEST_SPACE_PORT, 0x3f8 + input8(in) % 8, 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct input in = { bytes, len };
	unsigned int i;

	if (!toy.memory.base)
		set_up();
	reset();
	for (i = 0; i < EVENTS && in.left; i++)
		event(&in);
	for (i = 0; i < DEVICES; i++)
		toy_work(&driver[i]);
	return 0;
}
