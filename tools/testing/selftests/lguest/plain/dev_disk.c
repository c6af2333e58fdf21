// SPDX-License-Identifier: GPL-2.0
/*
 * The disk of the `lguest` command: requests of every kind and form, what reaches its file and when,
 * and what is refused.
 * Driven by a toy Guest (toy.h) in this process, under ASan.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include "pci.h"
#include "toy.h"
#include "virtio/devices.h"
#include "virtio/transport.h"

#include "../harness.h"

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

TEST_HARNESS_MAIN
