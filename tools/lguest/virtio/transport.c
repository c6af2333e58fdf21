// SPDX-License-Identifier: GPL-2.0
/*
 * virtio over PCI: see transport.h. One BAR holds the four structures of virtio 1.1,
 * 4.1.4, each at a place of its own; the fifth capability reaches the BAR through
 * the configuration space. All of it runs in the vCPU's thread; doorbells do not:
 * the Host turns them into eventfds.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include "lib/device.h"
#include "util.h"
#include "virtio/transport.h"

#define VENDOR 0x1af4
#define DEVICE_BASE 0x1040 /* plus the virtio ID */
#define CLASS_OTHER 0xff0000u
#define REVISION 1 /* no legacy interface */

/* What is where in the BAR. */
#define COMMON 0x00
#define ISR 0x40
#define NOTIFY 0x50
#define NOTIFY_STEP 4
#define CONFIG 0x80
#define BAR_PORTS 0x100
#define BAR_MEMORY 0x1000
#define NOTIFY_SIZE (VIRTIO_QUEUES_MAX * NOTIFY_STEP)

_Static_assert(sizeof(struct virtio_pci_common_cfg) <= ISR - COMMON,
	       "common configuration");
_Static_assert(NOTIFY + NOTIFY_SIZE <= CONFIG, "doorbells");
_Static_assert(CONFIG + VIRTIO_CONFIG_MAX <= BAR_PORTS, "configuration");

struct transport {
	struct pci_function function;
	struct virtio *device;
	unsigned int window; /* offset of VIRTIO_PCI_CAP_PCI_CFG */

	/* Registers of the common configuration. */
	uint32_t features_select[2]; /* the device's, the driver's */
	uint32_t driver_features[2];
	uint16_t queue_select;
	uint8_t status;
};

/* ---- Common configuration ---- */

/* The queue that is selected, or NULL if there is none. */
static struct queue *selected(struct transport *t)
{
	return t->queue_select < t->device->kind->queues ?
		       &t->device->queue[t->queue_select] :
		       NULL;
}

static uint8_t status(const struct transport *t)
{
	return t->status |
	       (t->device->needs_reset ? VIRTIO_CONFIG_S_NEEDS_RESET : 0);
}

static uint32_t features(const struct transport *t)
{
	uint32_t select = t->features_select[0];

	return select < 2 ? t->device->features >> 32 * select : 0;
}

static uint32_t driver_features(const struct transport *t)
{
	uint32_t select = t->features_select[1];

	return select < 2 ? t->driver_features[select] : 0;
}

static uint32_t common_read(struct transport *t, unsigned int offset)
{
	const struct queue *q = selected(t);

	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		return t->features_select[0];
	case VIRTIO_PCI_COMMON_DF:
		return features(t);
	case VIRTIO_PCI_COMMON_GFSELECT:
		return t->features_select[1];
	case VIRTIO_PCI_COMMON_GF:
		return driver_features(t);
	case VIRTIO_PCI_COMMON_MSIX:
	case VIRTIO_PCI_COMMON_Q_MSIX:
		return VIRTIO_MSI_NO_VECTOR;
	case VIRTIO_PCI_COMMON_NUMQ:
		return t->device->kind->queues;
	case VIRTIO_PCI_COMMON_STATUS:
		return status(t);
	case VIRTIO_PCI_COMMON_CFGGENERATION:
		return t->device->generation & 0xff;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		return t->queue_select;
	}
	if (!q)
		return 0;
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		return q->size;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		return q->enabled;
	case VIRTIO_PCI_COMMON_Q_NOFF:
		return t->queue_select;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		return q->desc_gpa;
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		return q->desc_gpa >> 32;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		return q->avail_gpa;
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		return q->avail_gpa >> 32;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		return q->used_gpa;
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		return q->used_gpa >> 32;
	}
	return 0;
}

/* True if what the driver accepts can be had. */
static bool features_ok(const struct transport *t)
{
	uint64_t wanted = t->driver_features[0] |
			  (uint64_t)t->driver_features[1] << 32;

	return !(wanted & ~t->device->features) &&
	       wanted >> VIRTIO_F_VERSION_1 & 1;
}

static void set_status(struct transport *t, uint8_t value)
{
	uint8_t fresh = value & ~t->status;

	if (!value) {
		virtio_reset(t->device);
		memset(t->driver_features, 0, sizeof(t->driver_features));
		t->status = 0;
		return;
	}
	/* Bits are set one after the other, and only a reset clears them. */
	if (fresh & VIRTIO_CONFIG_S_FEATURES_OK && !features_ok(t)) {
		value &= ~VIRTIO_CONFIG_S_FEATURES_OK;
		fresh &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	}
	t->status |= value & ~VIRTIO_CONFIG_S_NEEDS_RESET;
	if (!(fresh & VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	if (t->status & VIRTIO_CONFIG_S_FEATURES_OK)
		virtio_start(t->device,
			     t->driver_features[0] |
				     (uint64_t)t->driver_features[1] << 32);
	else
		virtio_broken(t->device);
}

static void low(uint64_t *gpa, uint32_t value)
{
	*gpa = (*gpa & ~0xffffffffull) | value;
}

static void high(uint64_t *gpa, uint32_t value)
{
	*gpa = (*gpa & 0xffffffffull) | (uint64_t)value << 32;
}

/* A queue's registers: fixed once it is enabled, and while the device runs. */
static void queue_write(struct transport *t, unsigned int offset,
			uint32_t value)
{
	struct queue *q = selected(t);

	if (!q || q->enabled || t->device->running)
		return;
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		if (value && value <= t->device->kind->entries && !(value & (value - 1)))
			q->size = value;
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		q->enabled = value == 1;
		break;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		low(&q->desc_gpa, value);
		break;
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		high(&q->desc_gpa, value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		low(&q->avail_gpa, value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		high(&q->avail_gpa, value);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		low(&q->used_gpa, value);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		high(&q->used_gpa, value);
		break;
	}
}

static void common_write(struct transport *t, unsigned int offset,
			 uint32_t value)
{
	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		t->features_select[0] = value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		t->features_select[1] = value;
		break;
	case VIRTIO_PCI_COMMON_GF:
		if (t->features_select[1] < 2 &&
		    !(t->status & VIRTIO_CONFIG_S_FEATURES_OK))
			t->driver_features[t->features_select[1]] = value;
		break;
	case VIRTIO_PCI_COMMON_STATUS:
		set_status(t, value);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		t->queue_select = value;
		break;
	default:
		queue_write(t, offset, value);
	}
}

/* ---- The BAR ---- */

static uint32_t bar_read(void *owner, uint32_t offset, unsigned int size)
{
	struct transport *t = owner;

	if (offset >= CONFIG)
		return virtio_read_config(t->device, offset - CONFIG, size);
	if (offset >= NOTIFY)
		return 0;
	if (offset == ISR)
		return atomic_exchange(&t->device->isr, 0);
	return offset < ISR ? common_read(t, offset - COMMON) : 0;
}

static void bar_write(void *owner, uint32_t offset, unsigned int size,
		      uint32_t value)
{
	struct transport *t = owner;
	struct virtio *device = t->device;

	if (offset >= CONFIG) {
		offset -= CONFIG;
		if (device->kind->write_config &&
		    offset < device->config_size &&
		    size <= device->config_size - offset)
			device->kind->write_config(device, offset, size, value);
	} else if (offset >= NOTIFY) {
		/* A doorbell that no eventfd serves: of another size, say. */
		offset = (offset - NOTIFY) / NOTIFY_STEP;
		if (offset < device->kind->queues)
			virtio_kick(device, offset);
	} else if (offset < ISR) {
		common_write(t, offset - COMMON, value);
	}
}

/* The doorbells go where the BAR goes. */
static int doorbells(struct transport *t, unsigned int count, bool on)
{
	const struct region *bar = &t->function.bar;
	unsigned int i;
	int err;

	for (i = 0; i < count; i++) {
		err = lguest_doorbell(t->function.bus->guest, bar->space,
				      bar->start + NOTIFY + i * NOTIFY_STEP, 2,
				      t->device->kick[i], on);
		if (err && on) {
			doorbells(t, i, false);
			return err;
		}
	}
	return 0;
}

static int mapped(void *owner, bool on)
{
	struct transport *t = owner;

	return doorbells(t, t->device->kind->queues, on);
}

/* ---- The configuration space ---- */

/*
 * The window: bar, offset and length say which bytes of the BAR the four bytes
 * behind them stand for. True if they are written or read, and may be.
 */
static bool in_window(struct transport *t, unsigned int offset,
		      unsigned int size, uint32_t *at, uint32_t *length)
{
	unsigned int data = t->window + sizeof(struct virtio_pci_cap);

	if (offset >= data + 4 || offset + size <= data)
		return false;
	*at = pci_get(&t->function, t->window + VIRTIO_PCI_CAP_OFFSET, 4);
	*length = pci_get(&t->function, t->window + VIRTIO_PCI_CAP_LENGTH, 4);
	return !pci_get(&t->function, t->window + VIRTIO_PCI_CAP_BAR, 1) &&
	       (*length == 1 || *length == 2 || *length == 4) &&
	       *at < t->function.bar.size && !(*at % *length);
}

static void before_read(void *owner, unsigned int offset, unsigned int size)
{
	struct transport *t = owner;
	uint32_t at, length;

	if (in_window(t, offset, size, &at, &length))
		pci_put(&t->function, t->window + sizeof(struct virtio_pci_cap),
			length, bar_read(t, at, length));
}

static void after_write(void *owner, unsigned int offset, unsigned int size)
{
	struct transport *t = owner;
	uint32_t at, length;

	if (in_window(t, offset, size, &at, &length))
		bar_write(t, at, length,
			  pci_get(&t->function,
				  t->window + sizeof(struct virtio_pci_cap),
				  length));
}

/* Returns the offset of the next one. */
static unsigned int add_capability(struct pci_function *f, unsigned int at,
				   uint8_t type, uint32_t start,
				   uint32_t length, unsigned int extra)
{
	unsigned int next = at + sizeof(struct virtio_pci_cap) + extra;

	pci_put(f, at + VIRTIO_PCI_CAP_VNDR, 1, PCI_CAP_ID_VNDR);
	pci_put(f, at + VIRTIO_PCI_CAP_NEXT, 1,
		type == VIRTIO_PCI_CAP_PCI_CFG ? 0 : next);
	pci_put(f, at + VIRTIO_PCI_CAP_LEN, 1, next - at);
	pci_put(f, at + VIRTIO_PCI_CAP_CFG_TYPE, 1, type);
	pci_put(f, at + VIRTIO_PCI_CAP_OFFSET, 4, start);
	pci_put(f, at + VIRTIO_PCI_CAP_LENGTH, 4, length);
	return next;
}

static void fill_config(struct transport *t)
{
	struct pci_function *f = &t->function;
	const struct virtio *device = t->device;
	unsigned int at = PCI_STD_HEADER_SIZEOF;

	pci_put(f, PCI_VENDOR_ID, 2, VENDOR);
	pci_put(f, PCI_DEVICE_ID, 2, DEVICE_BASE + device->kind->id);
	pci_put(f, PCI_SUBSYSTEM_VENDOR_ID, 2, VENDOR);
	pci_put(f, PCI_SUBSYSTEM_ID, 2, DEVICE_BASE + device->kind->id);
	pci_put(f, PCI_CLASS_REVISION, 4, CLASS_OTHER << 8 | REVISION);
	pci_put(f, PCI_STATUS, 2, PCI_STATUS_CAP_LIST);
	pci_put(f, PCI_CAPABILITY_LIST, 1, at);

	at = add_capability(f, at, VIRTIO_PCI_CAP_COMMON_CFG, COMMON,
			    sizeof(struct virtio_pci_common_cfg), 0);
	at = add_capability(f, at, VIRTIO_PCI_CAP_ISR_CFG, ISR, 1, 0);
	pci_put(f, at + sizeof(struct virtio_pci_cap), 4, NOTIFY_STEP);
	at = add_capability(f, at, VIRTIO_PCI_CAP_NOTIFY_CFG, NOTIFY,
			    device->kind->queues * NOTIFY_STEP, 4);
	if (device->config_size)
		at = add_capability(f, at, VIRTIO_PCI_CAP_DEVICE_CFG, CONFIG,
				    device->config_size, 0);
	t->window = at;
	add_capability(f, at, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 4);
	f->writable[at + VIRTIO_PCI_CAP_BAR] = 0xff;
	memset(f->writable + at + VIRTIO_PCI_CAP_OFFSET, 0xff, 12);
}

int virtio_pci_add(struct bus *bus, struct virtio *device,
		   const struct lguest_memory *memory, unsigned int space,
		   struct lguest_error *error)
{
	struct transport *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return lguest_fail(error, "no memory for a device");
	if (virtio_init(device, memory, error))
		goto free;
	t->device = device;
	t->function.owner = t;
	t->function.mapped = mapped;
	t->function.before_read = before_read;
	t->function.after_write = after_write;
	t->function.bar = (struct region){
		.space = space,
		.size = space == LGUEST_SPACE_PORT ? BAR_PORTS : BAR_MEMORY,
		.owner = t,
		.read = bar_read,
		.write = bar_write,
	};
	fill_config(t);
	if (pci_add(bus, &t->function, error))
		return -1; /* the bus knows it: it stays */
	err = lguest_irqfd(bus->guest, t->function.line, device->irq, true);
	if (err)
		return lguest_fail(error, "an interrupt for %s: %s",
				   device->kind->name, strerror(-err));
	return 0;

free:
	free(t);
	return -1;
}
