// SPDX-License-Identifier: GPL-2.0
/* A toy Guest: see toy.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include "lib/device.h"
#include "terminal.h"
#include "thread.h"
#include "toy.h"

struct fakes fakes;

/* ---- Stand-ins: the Host, threads, the terminal ---- */

static struct doorbell {
	unsigned int space, size;
	uint32_t address;
	int eventfd;
} doorbell[128];
static uint64_t answer;

int lguest_window(int guest, unsigned int space, uint32_t start, uint32_t size, bool on)
{
	if (space == LGUEST_SPACE_MEMORY && start < TOY_MEMORY)
		return -22;
	fakes.windows += on ? 1 : -1;
	return 0;
}

int lguest_doorbell(int guest, unsigned int space, uint32_t address, unsigned int size, int eventfd,
		    bool on)
{
	unsigned int i;

	for (i = 0; i < fakes.doorbells; i++)
		if (doorbell[i].space == space && doorbell[i].address == address)
			break;
	if (on) {
		if (i < fakes.doorbells)
			return -17;
		doorbell[fakes.doorbells++] = (struct doorbell){ space, size, address, eventfd };
	} else if (i < fakes.doorbells) {
		doorbell[i] = doorbell[--fakes.doorbells];
	}
	return 0;
}

int lguest_irqfd(int guest, unsigned int line, int eventfd, bool on)
{
	fakes.irqfds += on ? 1 : -1;
	return 0;
}

int lguest_irq(int guest, unsigned int line)
{
	fakes.irqs[line]++;
	return 0;
}

int lguest_answer(int guest, uint64_t value)
{
	answer = value;
	return 0;
}

int thread_start(const char *name, void *(*body)(void *), void *arg, struct lguest_error *error)
{
	return 0;
}

/* Of further consoles, which the toy has not. */
void terminal_write_to(int fd, const void *bytes, size_t count)
{
	abort();
}

void terminal_write(const void *bytes, size_t count)
{
	size_t room = sizeof(fakes.output) - 1;
	size_t at = fakes.written < room ? fakes.written : room;

	memcpy(fakes.output + at, bytes, count < room - at ? count : room - at);
	fakes.written += count;
}

void terminal_add_input(struct terminal_input *input)
{
	if (fakes.inputs < 4)
		fakes.input[fakes.inputs++] = input;
}

void terminal_room(void)
{
	fakes.rooms++;
}

void terminal_hold(void)
{
	if (fakes.held)
		abort();
	fakes.held = true;
}

void terminal_give_back(const uint8_t *bytes, size_t count)
{
	if (!fakes.held || count > TERMINAL_GIVEN_BACK_MAX)
		abort();
	if (count > sizeof(fakes.back) - fakes.given_back)
		fakes.given_back = 0;
	memcpy(fakes.back + fakes.given_back, bytes, count);
	fakes.given_back += count;
}

void terminal_release(void)
{
	if (!fakes.held)
		abort();
	fakes.held = false;
}

/* ---- Memory and accesses ---- */

void toy_start(struct toy *toy)
{
	struct lguest_error error;

	memset(&fakes, 0, sizeof(fakes));
	memset(toy, 0, sizeof(*toy));
	if (lguest_memory_map(&toy->memory, TOY_MEMORY + LGUEST_PAGE_SIZE, LGUEST_MEMORY_ANONYMOUS,
			      &error)) {
		fprintf(stderr, "%s\n", error.text);
		abort();
	}
	toy->memory.size = TOY_MEMORY;
	mprotect(toy->memory.base + TOY_MEMORY, LGUEST_PAGE_SIZE, PROT_NONE);
	toy->bus.guest = -1;
	toy->free = LGUEST_PAGE_SIZE;
}

void toy_stop(struct toy *toy)
{
	toy->memory.size += LGUEST_PAGE_SIZE;
	lguest_memory_unmap(&toy->memory);
}

uint32_t toy_alloc(struct toy *toy, uint32_t bytes)
{
	uint32_t gpa = toy->free;

	toy->free += (bytes + LGUEST_PAGE_SIZE - 1) & -LGUEST_PAGE_SIZE;
	if (toy->free > TOY_MEMORY)
		abort();
	memset(toy_at(toy, gpa), 0, bytes);
	return gpa;
}

void *toy_at(struct toy *toy, uint32_t gpa)
{
	return toy->memory.base + gpa;
}

static uint32_t access_bus(struct toy *toy, unsigned int space, uint32_t address, unsigned int size,
			   bool write, uint32_t value)
{
	struct lguest_exit exit = {
		.reason = space == LGUEST_SPACE_PORT ? LGUEST_EXIT_PORT : LGUEST_EXIT_MEMORY,
		.gpa = address,
		.size = size,
		.write = write,
		.value = value,
	};

	if (bus_access(&toy->bus, &exit))
		abort();
	return answer;
}

uint32_t toy_read(struct toy *toy, unsigned int space, uint32_t address, unsigned int size)
{
	return access_bus(toy, space, address, size, false, 0);
}

void toy_write(struct toy *toy, unsigned int space, uint32_t address, unsigned int size,
	       uint32_t value)
{
	unsigned int i;

	for (i = 0; i < fakes.doorbells; i++) {
		if (doorbell[i].space == space && doorbell[i].address == address &&
		    doorbell[i].size == size) {
			eventfd_write(doorbell[i].eventfd, 1);
			fakes.rung++;
			return;
		}
	}
	access_bus(toy, space, address, size, true, value);
}

static void select_config(struct toy *toy, unsigned int slot, unsigned int offset)
{
	toy_write(toy, LGUEST_SPACE_PORT, 0xcf8, 4, 0x80000000 | slot << 11 | (offset & 0xfc));
}

uint32_t toy_config_read(struct toy *toy, unsigned int slot, unsigned int offset, unsigned int size)
{
	select_config(toy, slot, offset);
	return toy_read(toy, LGUEST_SPACE_PORT, 0xcfc + (offset & 3), size);
}

void toy_config_write(struct toy *toy, unsigned int slot, unsigned int offset, unsigned int size,
		      uint32_t value)
{
	select_config(toy, slot, offset);
	toy_write(toy, LGUEST_SPACE_PORT, 0xcfc + (offset & 3), size, value);
}

/* ---- The driver ---- */

bool toy_probe(struct toy_device *d, struct toy *toy, struct virtio *virtio, unsigned int slot)
{
	unsigned int at = toy_config_read(toy, slot, PCI_CAPABILITY_LIST, 1);
	uint32_t bar = toy_config_read(toy, slot, PCI_BASE_ADDRESS_0, 4);

	*d = (struct toy_device){ .toy = toy, .device = virtio, .slot = slot };
	d->space = bar & PCI_BASE_ADDRESS_SPACE_IO ? LGUEST_SPACE_PORT : LGUEST_SPACE_MEMORY;
	bar &= d->space == LGUEST_SPACE_PORT ? ~3u : ~15u;
	for (; at; at = toy_config_read(toy, slot, at + 1, 1)) {
		uint32_t start = bar + toy_config_read(toy, slot, at + VIRTIO_PCI_CAP_OFFSET, 4);

		if (toy_config_read(toy, slot, at, 1) != PCI_CAP_ID_VNDR)
			continue;
		switch (toy_config_read(toy, slot, at + VIRTIO_PCI_CAP_CFG_TYPE, 1)) {
		case VIRTIO_PCI_CAP_COMMON_CFG:
			d->common = start;
			break;
		case VIRTIO_PCI_CAP_ISR_CFG:
			d->isr = start;
			break;
		case VIRTIO_PCI_CAP_NOTIFY_CFG:
			d->notify = start;
			d->notify_step = toy_config_read(toy, slot, at + 16, 4);
			break;
		case VIRTIO_PCI_CAP_DEVICE_CFG:
			d->config = start;
			break;
		}
	}
	return d->common && d->isr && d->notify && d->notify_step;
}

uint32_t toy_common(struct toy_device *d, unsigned int offset, unsigned int size)
{
	return toy_read(d->toy, d->space, d->common + offset, size);
}

void toy_set_common(struct toy_device *d, unsigned int offset, unsigned int size, uint32_t value)
{
	toy_write(d->toy, d->space, d->common + offset, size, value);
}

static uint8_t add_status(struct toy_device *d, uint8_t bits)
{
	toy_set_common(d, VIRTIO_PCI_COMMON_STATUS, 1,
		       toy_common(d, VIRTIO_PCI_COMMON_STATUS, 1) | bits);
	return toy_common(d, VIRTIO_PCI_COMMON_STATUS, 1);
}

uint64_t toy_offered(struct toy_device *d)
{
	uint64_t offered;

	toy_set_common(d, VIRTIO_PCI_COMMON_DFSELECT, 4, 1);
	offered = (uint64_t)toy_common(d, VIRTIO_PCI_COMMON_DF, 4) << 32;
	toy_set_common(d, VIRTIO_PCI_COMMON_DFSELECT, 4, 0);
	return offered | toy_common(d, VIRTIO_PCI_COMMON_DF, 4);
}

uint8_t toy_negotiate(struct toy_device *d, uint64_t features)
{
	features |= 1ull << VIRTIO_F_VERSION_1;
	toy_set_common(d, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	add_status(d, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	add_status(d, VIRTIO_CONFIG_S_DRIVER);
	toy_set_common(d, VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	toy_set_common(d, VIRTIO_PCI_COMMON_GF, 4, features);
	toy_set_common(d, VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	toy_set_common(d, VIRTIO_PCI_COMMON_GF, 4, features >> 32);
	return add_status(d, VIRTIO_CONFIG_S_FEATURES_OK);
}

void toy_queue_init(struct toy_queue *q, struct toy_device *d, unsigned int index,
		    unsigned int size)
{
	uint32_t avail = size * sizeof(*q->desc);
	uint32_t used = (avail + 6 + 2 * size + 3) & ~3u;

	*q = (struct toy_queue){ .device = d, .index = index, .size = size };
	q->gpa = toy_alloc(d->toy, used + 6 + 8 * size);
	q->desc = toy_at(d->toy, q->gpa);
	q->avail = toy_at(d->toy, q->gpa + avail);
	q->used = toy_at(d->toy, q->gpa + used);
	toy_set_common(d, VIRTIO_PCI_COMMON_Q_SELECT, 2, index);
	toy_set_common(d, VIRTIO_PCI_COMMON_Q_SIZE, 2, size);
	toy_set_common(d, VIRTIO_PCI_COMMON_Q_DESCLO, 4, q->gpa);
	toy_set_common(d, VIRTIO_PCI_COMMON_Q_AVAILLO, 4, q->gpa + avail);
	toy_set_common(d, VIRTIO_PCI_COMMON_Q_USEDLO, 4, q->gpa + used);
	toy_set_common(d, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

uint8_t toy_driver_ok(struct toy_device *d)
{
	return add_status(d, VIRTIO_CONFIG_S_DRIVER_OK);
}

/* Descriptors are taken in turn: tests never have a whole queue of them in flight. */
static uint16_t fill(struct vring_desc *table, unsigned int size, unsigned int first,
		     const struct toy_buffer *buffers, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct vring_desc *desc = &table[(first + i) % size];

		desc->addr = buffers[i].gpa;
		desc->len = buffers[i].len;
		desc->flags = (buffers[i].writable ? VRING_DESC_F_WRITE : 0) |
			      (i + 1 < count ? VRING_DESC_F_NEXT : 0);
		desc->next = (first + i + 1) % size;
	}
	return first % size;
}

uint16_t toy_offer(struct toy_queue *q, const struct toy_buffer *buffers, unsigned int count,
		   bool indirect)
{
	uint16_t head = q->next_desc % q->size;

	if (indirect) {
		uint32_t table = toy_alloc(q->device->toy, count * sizeof(struct vring_desc));

		fill(toy_at(q->device->toy, table), count, 0, buffers, count);
		q->desc[head] = (struct vring_desc){ .addr = table,
						     .len = count * sizeof(struct vring_desc),
						     /* The second flag is to be ignored. */
						     .flags = VRING_DESC_F_INDIRECT |
							      (head & 1 ? VRING_DESC_F_WRITE : 0) };
		q->next_desc++;
	} else {
		fill(q->desc, q->size, head, buffers, count);
		q->next_desc += count;
	}
	q->avail->ring[q->avail->idx % q->size] = head;
	q->avail->idx++;
	return head;
}

void toy_ring(struct toy_queue *q)
{
	toy_write(q->device->toy, q->device->space,
		  q->device->notify + q->index * q->device->notify_step, 2, q->index);
}

void toy_work(struct toy_device *d)
{
	int i;

	/* A round serves whatever is there; some of it leads to more. */
	for (i = 0; i < 8; i++)
		virtio_work(d->device, 0);
}

int toy_used(struct toy_queue *q, uint32_t *len)
{
	struct vring_used_elem *elem = &q->used->ring[q->next_used % q->size];

	if (q->used->idx == q->next_used)
		return -1;
	q->next_used++;
	if (len)
		*len = elem->len;
	return elem->id;
}

bool toy_interrupted(struct toy_device *d)
{
	eventfd_t count;

	return !eventfd_read(d->device->irq, &count);
}
