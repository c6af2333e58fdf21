// SPDX-License-Identifier: GPL-2.0
/*
 * What command.sh runs under the `lguest` command: does what its command line says, a word after
 * the other, with a virtio driver of its own over PCI. Waits for interrupts, by HALT; speaks over
 * the serial port.
 */
#include <linux/pci_regs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>

#include "guest.h"
#include "command.h"

#define RING	16u
#define MIB	(1u << 20)

static inline void out32(u16 port, u32 value)
{
	asm volatile("outl %0, %1" : : "a" (value), "Nd" (port) : "memory");
}

static inline void out16(u16 port, u16 value)
{
	asm volatile("outw %0, %1" : : "a" (value), "Nd" (port) : "memory");
}

static inline void out8(u16 port, u8 value)
{
	asm volatile("outb %0, %1" : : "a" (value), "Nd" (port) : "memory");
}

static inline u32 in32(u16 port)
{
	u32 value;

	asm volatile("inl %1, %0" : "=a" (value) : "Nd" (port) : "memory");
	return value;
}

static inline u8 in8(u16 port)
{
	u8 value;

	asm volatile("inb %1, %0" : "=a" (value) : "Nd" (port) : "memory");
	return value;
}

static void say(const char *text)
{
	for (; *text; text++)
		out8(0x3f8, *text);
}

#define CHECK(condition)								\
	do {										\
		if (!(condition)) {							\
			say("failed: " #condition "\n");				\
			guest_shutdown("failed: " #condition, 99);			\
		}									\
	} while (0)

/* ---- A virtio device over PCI ---- */

struct device {
	u32 slot, bar, line;
	bool port;			/* the BAR is of ports */
};

struct ring {
	struct vring_desc desc[RING];
	u16 avail_flags, avail_index, avail[RING], avail_event;
	u16 used_flags __attribute__((aligned(4))), used_index;
	struct vring_used_elem used[RING];
	u16 used_event;
	u16 seen;
} __attribute__((aligned(16)));

static volatile u32 interrupts[32];

static u32 config_read(u32 slot, u32 offset)
{
	out32(0xcf8, 0x80000000 | slot << 11 | offset);
	return in32(0xcfc);
}

static u32 reg_read(const struct device *d, u32 offset, u32 size)
{
	u32 at = d->bar + offset;

	if (d->port)
		return size == 1 ? in8(at) : in32(at);
	return size == 1 ? *(volatile u8 *)at : *(volatile u32 *)at;
}

static void reg_write(const struct device *d, u32 offset, u32 size, u32 value)
{
	u32 at = d->bar + offset;

	if (d->port && size == 1)
		out8(at, value);
	else if (d->port && size == 2)
		out16(at, value);
	else if (d->port)
		out32(at, value);
	else if (size == 1)
		*(volatile u8 *)at = value;
	else if (size == 2)
		*(volatile u16 *)at = value;
	else
		*(volatile u32 *)at = value;
}

static bool interrupt(struct trap_frame *frame)
{
	interrupts[frame->vector - LGUEST_FIRST_IRQ_VECTOR]++;
	return true;
}

/* Where structures are in the BAR: as the first capability of each type says. */
static u32 structure(const struct device *d, u8 type)
{
	u32 at = config_read(d->slot, PCI_CAPABILITY_LIST) & 0xff;

	for (; at; at = config_read(d->slot, at) >> 8 & 0xff)
		if (config_read(d->slot, at) >> 24 == type)
			return config_read(d->slot, at + VIRTIO_PCI_CAP_OFFSET);
	CHECK(!"a capability");
	return 0;
}

static u32 common_cfg, notify_cfg, isr_cfg;

static void find(struct device *d, u16 id)
{
	u32 bar;

	for (d->slot = 1; config_read(d->slot, 0) != (0x10401af4u + ((u32)id << 16)); d->slot++)
		CHECK(d->slot < 31);
	bar = config_read(d->slot, PCI_BASE_ADDRESS_0);
	d->port = bar & PCI_BASE_ADDRESS_SPACE_IO;
	d->bar = bar & (d->port ? ~3u : ~15u);
	d->line = config_read(d->slot, PCI_INTERRUPT_LINE & ~3u) & 0xff;
	CHECK(d->line < 32);
	if (!d->port) {
		guest_map(lguest_pgdir, d->bar, d->bar | PTE_P | PTE_W);
		guest_flush_all();
	}
	common_cfg = structure(d, VIRTIO_PCI_CAP_COMMON_CFG);
	notify_cfg = structure(d, VIRTIO_PCI_CAP_NOTIFY_CFG);
	isr_cfg = structure(d, VIRTIO_PCI_CAP_ISR_CFG);
	guest_handle(LGUEST_FIRST_IRQ_VECTOR + d->line, interrupt);
	reg_write(d, common_cfg + VIRTIO_PCI_COMMON_STATUS, 1, 0);
	reg_write(d, common_cfg + VIRTIO_PCI_COMMON_STATUS, 1, 3);
	if (id == VIRTIO_ID_BLOCK)
		reg_write(d, common_cfg + VIRTIO_PCI_COMMON_GF, 4, 1u << VIRTIO_BLK_F_FLUSH);
	reg_write(d, common_cfg + VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	reg_write(d, common_cfg + VIRTIO_PCI_COMMON_GF, 4, 1u << (VIRTIO_F_VERSION_1 - 32));
	reg_write(d, common_cfg + VIRTIO_PCI_COMMON_STATUS, 1, 11);
	CHECK(reg_read(d, common_cfg + VIRTIO_PCI_COMMON_STATUS, 1) == 11);
}

/* The first word of its own configuration. */
static u32 device_config(const struct device *d)
{
	return reg_read(d, structure(d, VIRTIO_PCI_CAP_DEVICE_CFG), 4);
}

static void add_ring(const struct device *d, u16 index, struct ring *ring)
{
	memset(ring, 0, sizeof(*ring));
	reg_write(d, common_cfg + VIRTIO_PCI_COMMON_Q_SELECT, 2, index);
	reg_write(d, common_cfg + VIRTIO_PCI_COMMON_Q_SIZE, 2, RING);
	reg_write(d, common_cfg + VIRTIO_PCI_COMMON_Q_DESCLO, 4, pa(ring->desc));
	reg_write(d, common_cfg + VIRTIO_PCI_COMMON_Q_AVAILLO, 4, pa(&ring->avail_flags));
	reg_write(d, common_cfg + VIRTIO_PCI_COMMON_Q_USEDLO, 4, pa(&ring->used_flags));
	reg_write(d, common_cfg + VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

static void go(const struct device *d)
{
	reg_write(d, common_cfg + VIRTIO_PCI_COMMON_STATUS, 1, 15);
	CHECK(reg_read(d, common_cfg + VIRTIO_PCI_COMMON_STATUS, 1) == 15);
}

static void set_desc(struct ring *ring, u32 i, void *at, u32 len, u16 flags)
{
	ring->desc[i] = (struct vring_desc){ pa(at), len, flags, i + 1 };
}

static void offer(const struct device *d, struct ring *ring, u16 index, u16 head)
{
	ring->avail[ring->avail_index % RING] = head;
	asm volatile("" : : : "memory");
	(*(volatile u16 *)&ring->avail_index)++;
	reg_write(d, notify_cfg + 4 * index, 2, index);
}

/* Sleeps until an interrupt has come. */
static void wait_for_interrupt(void)
{
	hypercall(LHCALL_HALT, 0, 0, 0, 0);
	lguest_data.irq_enabled = 0;
}

/* Sleeps until something has come back; its length. */
static u32 wait_for(const struct device *d, struct ring *ring)
{
	u32 len;

	while (*(volatile u16 *)&ring->used_index == ring->seen) {
		wait_for_interrupt();
		reg_read(d, isr_cfg, 1);
	}
	len = ring->used[ring->seen % RING].len;
	ring->seen++;
	return len;
}

/* ---- The words ---- */

static u8 sector[64 * 1024] __attribute__((aligned(4096)));
static struct ring rx, tx;
static struct device dev;

/* Of len bytes of sector[]; its status. */
static u8 try_request(u32 type, u32 at, u32 len)
{
	static struct virtio_blk_outhdr header;
	static volatile u8 status;

	header = (struct virtio_blk_outhdr){ .type = type, .sector = at };
	status = 99;
	set_desc(&rx, 0, &header, sizeof(header), VRING_DESC_F_NEXT);
	set_desc(&rx, 1, sector, len, VRING_DESC_F_NEXT | (type == VIRTIO_BLK_T_IN ? VRING_DESC_F_WRITE : 0));
	set_desc(&rx, 2, (void *)&status, 1, VRING_DESC_F_WRITE);
	if (!len)
		rx.desc[0].next = 2;
	offer(&dev, &rx, 0, 0);
	wait_for(&dev, &rx);
	return status;
}

static void disk_request(u32 type, u32 at, u32 len)
{
	CHECK(try_request(type, at, len) == VIRTIO_BLK_S_OK);
}

static void open_disk(void)
{
	find(&dev, VIRTIO_ID_BLOCK);
	add_ring(&dev, 0, &rx);
	go(&dev);
}

/* All of the disk written, flushed, read again. */
static void disk(void)
{
	u32 at, i, size, *word = (u32 *)sector;

	open_disk();
	size = device_config(&dev) * 512;
	say("writing\n");
	for (at = 0; at < size; at += sizeof(sector)) {
		for (i = 0; i < sizeof(sector) / 4; i++)
			word[i] = (at + 4 * i) * DISK_FACTOR;
		disk_request(VIRTIO_BLK_T_OUT, at / 512, sizeof(sector));
	}
	disk_request(VIRTIO_BLK_T_FLUSH, 0, 0);
	say("reading\n");
	for (at = 0; at < size; at += sizeof(sector)) {
		memset(sector, 0, sizeof(sector));
		disk_request(VIRTIO_BLK_T_IN, at / 512, sizeof(sector));
		for (i = 0; i < sizeof(sector) / 4; i++)
			CHECK(word[i] == (at + 4 * i) * DISK_FACTOR);
	}
	CHECK(interrupts[dev.line]);
	say("disk ok\n");
}

static void say_number(u32 n)
{
	if (n > 9)
		say_number(n / 10);
	out8(0x3f8, '0' + n % 10);
}

/* Each request for the whole disk: how many came back as what they should, and how many did not. */
static void errors(void)
{
	static const struct {
		const char *name;
		u32 type;
	} passes[] = {
		{ "out ", VIRTIO_BLK_T_OUT }, { "flush ", VIRTIO_BLK_T_FLUSH }, { "in ", VIRTIO_BLK_T_IN },
	};
	u32 count[256], size, at, i, *word = (u32 *)sector;

	open_disk();
	size = device_config(&dev) * 512;
	/* What does not get smaller when something below packs it. */
	for (i = 0; i < sizeof(sector) / 4; i++)
		word[i] = (i ^ i << 13) * 2654435761u;
	for (i = 0; i < ARRAY_SIZE(passes); i++) {
		memset(count, 0, sizeof(count));
		if (passes[i].type == VIRTIO_BLK_T_FLUSH)
			count[try_request(VIRTIO_BLK_T_FLUSH, 0, 0)]++;
		else
			for (at = 0; at < size; at += sizeof(sector))
				count[try_request(passes[i].type, at / 512, sizeof(sector))]++;
		say(passes[i].name);
		say_number(count[VIRTIO_BLK_S_OK]);
		say("+");
		say_number(count[VIRTIO_BLK_S_IOERR]);
		say(" ");
	}
	say(".\n");
}

/* Counts its starts on the disk, and restarts until there were three. */
static void thrice(void)
{
	open_disk();
	disk_request(VIRTIO_BLK_T_IN, 0, 512);
	sector[0]++;
	disk_request(VIRTIO_BLK_T_OUT, 0, 512);
	say("start\n");
	if (sector[0] < 3)
		guest_shutdown("again", LGUEST_SHUTDOWN_RESTART);
}

static void again(void)
{
	guest_shutdown("again", LGUEST_SHUTDOWN_RESTART);
}

/* Writes one sector after the other, each once, and says so after each FLUSH. */
static void flushes(void)
{
	u32 n;

	open_disk();
	for (n = 0; n < 16000; n++) {
		memset(sector, 1 + n % 255, 512);
		disk_request(VIRTIO_BLK_T_OUT, n, 512);
		disk_request(VIRTIO_BLK_T_FLUSH, 0, 0);
		out8(0x3f8, '0' + n % 10);
	}
	for (;;)
		;
}

/* Console to console, until ^D. */
static void echo(void)
{
	bool end = false;
	u32 len;

	find(&dev, VIRTIO_ID_CONSOLE);
	add_ring(&dev, 0, &rx);
	add_ring(&dev, 1, &tx);
	go(&dev);
	while (!end) {
		set_desc(&rx, 0, sector, 100, VRING_DESC_F_WRITE);
		offer(&dev, &rx, 0, 0);
		len = wait_for(&dev, &rx);
		CHECK(len && len <= 100);
		end = sector[len - 1] == 4;
		if (!(len - end))
			break;
		set_desc(&tx, 0, sector, len - end, 0);
		offer(&dev, &tx, 1, 0);
		wait_for(&dev, &tx);
	}
}

static u32 flood_bytes = FLOOD, serial_bytes = SERIAL_FLOOD;

static void slice(void)
{
	flood_bytes /= FLOOD_SLICES;
	serial_bytes /= FLOOD_SLICES;
}

/* Both ways at once and as fast as it goes: what comes must be what the other side sends. */
static void duplex(void)
{
	u32 sent = 0, got = 0, len, i, n;

	find(&dev, VIRTIO_ID_CONSOLE);
	add_ring(&dev, 0, &rx);
	add_ring(&dev, 1, &tx);
	go(&dev);
	set_desc(&rx, 0, sector, 1000, VRING_DESC_F_WRITE);
	offer(&dev, &rx, 0, 0);
	for (;;) {
		if (tx.seen == tx.avail_index && sent < flood_bytes) {
			n = flood_bytes - sent < 700 ? flood_bytes - sent : 700;
			for (i = 0; i < n; i++)
				sector[4096 + i] = flood_byte(sent++, 1);
			set_desc(&tx, 0, sector + 4096, n, 0);
			offer(&dev, &tx, 1, 0);
		}
		if (*(volatile u16 *)&tx.used_index != tx.seen)
			tx.seen++;
		else if (*(volatile u16 *)&rx.used_index == rx.seen && tx.seen != tx.avail_index)
			wait_for_interrupt();
		reg_read(&dev, isr_cfg, 1);
		if (*(volatile u16 *)&rx.used_index != rx.seen) {
			len = wait_for(&dev, &rx);
			for (i = 0; i < len; i++)
				CHECK(sector[i] == flood_byte(got++, 0));
			offer(&dev, &rx, 0, 0);
		}
		if (sent == flood_bytes && got == flood_bytes && tx.seen == tx.avail_index)
			return;
		if (sent == flood_bytes && tx.seen == tx.avail_index && *(volatile u16 *)&rx.used_index == rx.seen)
			wait_for_interrupt();
	}
}

static void serial_duplex(void)
{
	u32 sent = 0, got = 0;

	guest_handle(LGUEST_FIRST_IRQ_VECTOR + 4, interrupt);
	out8(0x3fa, 1);
	out8(0x3f9, 1);
	while (sent < serial_bytes || got < serial_bytes) {
		if (sent < serial_bytes)
			out8(0x3f8, flood_byte(sent++, 1));
		else if (!(in8(0x3fd) & 1))
			wait_for_interrupt();
		while (in8(0x3fd) & 1)
			CHECK(in8(0x3f8) == flood_byte(got++, 0));
	}
}

/* The terminal's size, whenever it changes. */
static void size(void)
{
	find(&dev, VIRTIO_ID_CONSOLE);
	add_ring(&dev, 0, &rx);
	add_ring(&dev, 1, &tx);
	go(&dev);
	for (;;) {
		say_number(device_config(&dev) & 0xffff);
		say(" ");
		say_number(device_config(&dev) >> 16);
		say(".\n");
		do
			wait_for_interrupt();
		while (!(reg_read(&dev, isr_cfg, 1) & 2));
	}
}

/* ---- What devices cost, for bench_command.c ---- */

#define REQUESTS	1024u
#define FEW		128u
static u32 requests = REQUESTS;

static void few(void)
{
	requests = FEW;
}

static u64 clock(void)
{
	u64 ticks;

	asm volatile("rdtsc" : "=A" (ticks));
	return ticks;
}

/* Requests of one ring, so many at a time, each chain as it stands there; says ticks for one. */
static void measure(struct ring *ring, u16 index, u32 depth, u32 descriptors)
{
	u64 start = 0;
	u32 n, i;

	/* The first quarter is not counted. */
	for (n = 0; n < requests + requests / 4; n += depth) {
		if (n >= requests / 4 && !start)
			start = clock();
		for (i = 0; i < depth; i++) {
			ring->avail[ring->avail_index % RING] = i * descriptors;
			asm volatile("" : : : "memory");
			(*(volatile u16 *)&ring->avail_index)++;
		}
		reg_write(&dev, notify_cfg + 4 * index, 2, index);
		for (i = 0; i < depth; i++)
			wait_for(&dev, ring);
	}
	say_number((u32)(clock() - start) / requests);
	say(" ticks\n");
}

static void measure_disk(u32 type, u32 depth)
{
	static struct virtio_blk_outhdr header[RING];
	static u8 status[RING];
	u32 i;

	open_disk();
	for (i = 0; i < depth; i++) {
		header[i].type = type;
		header[i].sector = 8 * i;
		set_desc(&rx, 3 * i, &header[i], sizeof(header[i]), VRING_DESC_F_NEXT);
		set_desc(&rx, 3 * i + 1, sector + 4096 * i, 4096,
			 VRING_DESC_F_NEXT | (type == VIRTIO_BLK_T_IN ? VRING_DESC_F_WRITE : 0));
		set_desc(&rx, 3 * i + 2, &status[i], 1, VRING_DESC_F_WRITE);
	}
	measure(&rx, 0, depth, 3);
}

static void get_one(void)
{
	measure_disk(VIRTIO_BLK_T_IN, 1);
}

static void get_four(void)
{
	measure_disk(VIRTIO_BLK_T_IN, 4);
}

static void put_one(void)
{
	measure_disk(VIRTIO_BLK_T_OUT, 1);
}

static void put_four(void)
{
	measure_disk(VIRTIO_BLK_T_OUT, 4);
}

/* Frames of a protocol that nobody has, to all. */
static void measure_net(u32 depth)
{
	u32 i;

	find(&dev, VIRTIO_ID_NET);
	add_ring(&dev, 0, &rx);
	add_ring(&dev, 1, &tx);
	go(&dev);
	memset(sector, 0, 2048);
	memset(sector + 12, 0xff, 6);
	sector[12 + 6] = 0x52;
	sector[12 + 12] = 0x88;
	sector[12 + 13] = 0xb5;
	for (i = 0; i < depth; i++)
		set_desc(&tx, i, sector, 12 + 1514, 0);
	measure(&tx, 1, depth, 1);
}

static void net_one(void)
{
	measure_net(1);
}

static void net_eight(void)
{
	measure_net(8);
}

/*
 * Out and in again: who has 10.9.2.1? The tap's interface has it, and passt answers for whatever is
 * not the Guest's. What else comes in does not count.
 */
static void net_ask(void)
{
	static const u8 question[] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x4c, 0, 0, 0, 9, 0x08, 0x06,
		0, 1, 0x08, 0, 6, 4, 0, 1,
		0x52, 0x4c, 0, 0, 0, 9, 10, 9, 2, 9, 0, 0, 0, 0, 0, 0, 10, 9, 2, 1,
	};
	const volatile u8 *frame;
	u64 start = 0;
	u32 n, i;

	find(&dev, VIRTIO_ID_NET);
	add_ring(&dev, 0, &rx);
	add_ring(&dev, 1, &tx);
	go(&dev);
	memset(sector, 0, 128);
	memcpy(sector + 12, question, sizeof(question));
	set_desc(&tx, 0, sector, 12 + 60, 0);
	for (i = 0; i < RING; i++) {
		set_desc(&rx, i, sector + 2048 + 2048 * i, 2048, VRING_DESC_F_WRITE);
		offer(&dev, &rx, 0, i);
	}
	for (n = 0; n < requests + requests / 4; n++) {
		if (n == requests / 4)
			start = clock();
		offer(&dev, &tx, 1, 0);
		wait_for(&dev, &tx);
		do {
			wait_for(&dev, &rx);
			i = rx.used[(u16)(rx.seen - 1) % RING].id;
			frame = sector + 2048 + 2048 * i + 12;
			offer(&dev, &rx, 0, i);
		} while (frame[12] != 0x08 || frame[13] != 0x06 || frame[21] != 2);
	}
	say_number((u32)(clock() - start) / requests);
	say(" ticks\n");
}

static void ready(void)
{
	say("ready\n");
}

/* For one byte. */
static void wait_key(void)
{
	guest_handle(LGUEST_FIRST_IRQ_VECTOR + 4, interrupt);
	out8(0x3f9, 1);
	while (!(in8(0x3fd) & 1))
		;
	in8(0x3f8);
	out8(0x3f9, 0);
}

/* Serial port to serial port, by interrupts, until ^D. */
static void serial(void)
{
	u8 byte = 0;

	guest_handle(LGUEST_FIRST_IRQ_VECTOR + 4, interrupt);
	out8(0x3fa, 1);
	out8(0x3f9, 1);
	while (byte != 4) {
		while (!(in8(0x3fd) & 1))
			wait_for_interrupt();
		byte = in8(0x3f8);
		if (byte != 4)
			out8(0x3f8, byte);
	}
}

static void rng(void)
{
	u32 len;

	find(&dev, VIRTIO_ID_RNG);
	add_ring(&dev, 0, &rx);
	go(&dev);
	memset(sector, 0, 64);
	set_desc(&rx, 0, sector, 64, VRING_DESC_F_WRITE);
	offer(&dev, &rx, 0, 0);
	len = wait_for(&dev, &rx);
	CHECK(len == 64 && *(u64 *)sector && *(u64 *)(sector + 56));
	say("rng ok\n");
}

static void pour(u32 bytes)
{
	u32 i;

	for (i = 0; i < bytes; i++)
		out8(0x3f8, "0123456789abcdef"[i % 16]);
}

static void spill(void)
{
	pour(2000);
}

static void flood(void)
{
	pour(20000);
}

static void notify(void)
{
	static const char text[] = "early words\n";

	hypercall(LHCALL_NOTIFY, pa(text), 0, 0, 0);
}

static void crash(void)
{
	guest_shutdown("on purpose", 99);
}

static void die(void)
{
	hypercall(0xdead, 0, 0, 0, 0);
}

static void spin(void)
{
	say("spinning\n");
	for (;;)
		;
}

static const struct word {
	const char *word;
	void (*run)(void);
} words[] = {
	{ "disk", disk }, { "thrice", thrice }, { "again", again }, { "flushes", flushes }, { "echo", echo }, { "serial", serial },
	{ "rng", rng },	  { "spill", spill },	{ "flood", flood },	{ "notify", notify },	{ "crash", crash }, { "die", die },
	{ "spin", spin }, { "errors", errors },	{ "duplex", duplex },	{ "serial_duplex", serial_duplex },
	{ "size", size }, { "ready", ready },	{ "wait", wait_key },
	{ "slice", slice },
	{ "few", few },	  { "get_one", get_one },   { "get_four", get_four },
	{ "put_one", put_one }, { "put_four", put_four },
	{ "net_one", net_one }, { "net_eight", net_eight }, { "net_ask", net_ask },
};

static bool begins(const char **text, const char *with)
{
	const char *c = *text;

	while (*with && *c == *with) {
		c++;
		with++;
	}
	if (*with || (*c && *c != ' '))
		return false;
	*text = c;
	return true;
}

void guest_main(void)
{
	const char *line = va(0x1000);
	u32 i;

	lguest_data.blocked_interrupts = 0;
	/* Nobody else has said where there is free memory. */
	mailbox->free_start = 4 * MIB;
	mailbox->free_end = 6 * MIB;
	while (*line) {
		if (*line == ' ') {
			line++;
			continue;
		}
		for (i = 0; i < ARRAY_SIZE(words) && !begins(&line, words[i].word); i++)
			;
		CHECK(i < ARRAY_SIZE(words));
		words[i].run();
	}
}
