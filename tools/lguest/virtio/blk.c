// SPDX-License-Identifier: GPL-2.0
/*
 * A disk (virtio 1.1, 5.2): a file or a block device. Written data is safe when
 * the Guest's FLUSH has come back, not earlier. What fails here, fails in the
 * Guest: with an I/O error, for that request.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include "util.h"
#include "virtio/devices.h"

#define SECTOR_SHIFT 9
/* Sectors of one DISCARD or WRITE_ZEROES range, and ranges of one request. */
#define RANGE_SECTORS (1u << 21)
#define RANGES 16

struct blk {
	struct virtio device;
	struct chain chain; /* the request at work */
	uint64_t sectors;
	bool readonly;
	char serial[VIRTIO_BLK_ID_BYTES];
};

/* True if [sector, sector + bytes) is on the disk. */
static bool on_disk(const struct blk *b, uint64_t sector, uint64_t bytes)
{
	uint64_t count = bytes >> SECTOR_SHIFT;

	return !(bytes & ((1u << SECTOR_SHIFT) - 1)) && sector <= b->sectors &&
	       count <= b->sectors - sector;
}

/*
 * The buffers that hold data, without the header in front of the readable ones
 * or the status behind the writable ones; false if these are not there.
 */
static bool trim(struct iovec *iov, unsigned int count, size_t front, size_t back)
{
	unsigned int i;
	size_t n;

	for (i = 0; i < count && front; i++) {
		n = min(front, iov[i].iov_len);
		iov[i].iov_base = (uint8_t *)iov[i].iov_base + n;
		iov[i].iov_len -= n;
		front -= n;
	}
	for (i = count; i && back; i--) {
		n = min(back, iov[i - 1].iov_len);
		iov[i - 1].iov_len -= n;
		back -= n;
	}
	return !front && !back;
}

/* All of the buffers, or an error: short transfers are continued. */
static int transfer(struct blk *b, bool write, struct iovec *iov, unsigned int count, off_t at)
{
	while (count) {
		ssize_t done;

		if (!iov->iov_len) {
			iov++;
			count--;
			continue;
		}
		done = write ? pwritev(b->device.fd, iov, count, at) :
			       preadv(b->device.fd, iov, count, at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		at += done;
		while (count && (size_t)done >= iov->iov_len) {
			done -= iov->iov_len;
			iov++;
			count--;
		}
		if (count) {
			iov->iov_base = (uint8_t *)iov->iov_base + done;
			iov->iov_len -= done;
		}
	}
	return 0;
}

/* WRITE_ZEROES where the file system knows no quick way. */
static int write_zeroes(int fd, off_t at, off_t length)
{
	static const uint8_t zeroes[1 << 16];

	while (length) {
		ssize_t done = pwrite(fd, zeroes, min(length, (off_t)sizeof(zeroes)), at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		at += done;
		length -= done;
	}
	return 0;
}

static int clear(struct blk *b, bool discard, uint64_t sector, uint32_t sectors, bool may_unmap)
{
	int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	int zero = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
	off_t at = sector << SECTOR_SHIFT;
	off_t length = (off_t)sectors << SECTOR_SHIFT;

	if (!sectors)
		return 0;
	if (!fallocate(b->device.fd, discard || may_unmap ? punch : zero, at, length))
		return 0;
	if (errno != EOPNOTSUPP && errno != ENODEV && errno != EINVAL)
		return -1;
	/* Nobody may rely on what a DISCARD does: nothing, if need be. */
	return discard ? 0 : write_zeroes(b->device.fd, at, length);
}

/* A driver that did not agree on FLUSH counts on what it wrote being safe at once. */
static uint8_t settle(struct blk *b, uint8_t status)
{
	if (status != VIRTIO_BLK_S_OK || virtio_agreed(&b->device, VIRTIO_BLK_F_FLUSH))
		return status;
	return fdatasync(b->device.fd) ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

/* The ranges of a DISCARD or WRITE_ZEROES. */
static uint8_t clear_ranges(struct blk *b, bool discard)
{
	struct virtio_blk_discard_write_zeroes range[RANGES];
	size_t bytes = b->chain.readable_bytes - sizeof(struct virtio_blk_outhdr);
	unsigned int i;

	if (b->readonly || !bytes || bytes > sizeof(range) || bytes % sizeof(*range))
		return VIRTIO_BLK_S_IOERR;
	chain_read(&b->chain, sizeof(struct virtio_blk_outhdr), range, bytes);
	for (i = 0; i < bytes / sizeof(*range); i++) {
		bool unmap = range[i].flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;

		if (range[i].flags & ~VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP || (discard && unmap))
			return VIRTIO_BLK_S_UNSUPP;
		if (range[i].num_sectors > RANGE_SECTORS ||
		    !on_disk(b, range[i].sector, (uint64_t)range[i].num_sectors << SECTOR_SHIFT) ||
		    clear(b, discard, range[i].sector, range[i].num_sectors, unmap))
			return VIRTIO_BLK_S_IOERR;
	}
	return VIRTIO_BLK_S_OK;
}

/* Data between the chain and the disk; *written: what the Guest gets of it. */
static uint8_t read_write(struct blk *b, bool write, uint64_t sector, size_t *written)
{
	struct chain *chain = &b->chain;
	size_t bytes;

	if (write) {
		bytes = chain->readable_bytes - sizeof(struct virtio_blk_outhdr);
		if (b->readonly || !on_disk(b, sector, bytes))
			return VIRTIO_BLK_S_IOERR;
		trim(chain->iov, chain->readable, sizeof(struct virtio_blk_outhdr), 0);
		return transfer(b, true, chain->iov, chain->readable, sector << SECTOR_SHIFT) ?
			       VIRTIO_BLK_S_IOERR :
			       VIRTIO_BLK_S_OK;
	}
	bytes = chain->writable_bytes - 1;
	if (!on_disk(b, sector, bytes))
		return VIRTIO_BLK_S_IOERR;
	trim(chain->iov + chain->readable, chain->writable, 0, 1);
	if (transfer(b, false, chain->iov + chain->readable, chain->writable,
		     sector << SECTOR_SHIFT))
		return VIRTIO_BLK_S_IOERR;
	*written = bytes;
	return VIRTIO_BLK_S_OK;
}

/* Does what the header asks for; the status byte's place is kept before. */
static uint8_t serve(struct blk *b, size_t *written)
{
	struct virtio_blk_outhdr header;

	chain_read(&b->chain, 0, &header, sizeof(header));
	switch (header.type) {
	case VIRTIO_BLK_T_IN:
		return read_write(b, false, header.sector, written);
	case VIRTIO_BLK_T_OUT:
		return settle(b, read_write(b, true, header.sector, written));
	case VIRTIO_BLK_T_FLUSH:
		return fdatasync(b->device.fd) ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_DISCARD:
		return clear_ranges(b, true);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return settle(b, clear_ranges(b, false));
	case VIRTIO_BLK_T_GET_ID:
		*written = chain_write(&b->chain, 0, b->serial,
				       min(sizeof(b->serial), b->chain.writable_bytes - 1));
		return VIRTIO_BLK_S_OK;
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

/* The last byte that may be written to. */
static uint8_t *status_byte(const struct chain *chain)
{
	unsigned int i = chain->readable + chain->writable;

	while (!chain->iov[i - 1].iov_len)
		i--;
	return (uint8_t *)chain->iov[i - 1].iov_base + chain->iov[i - 1].iov_len - 1;
}

static void notify(struct virtio *device, unsigned int number)
{
	struct blk *b = container_of(device, struct blk, device);
	struct queue *queue = &device->queue[number];

	while (queue_pop(queue, &b->chain)) {
		size_t written = 0;
		uint8_t *status;

		if (b->chain.readable_bytes < sizeof(struct virtio_blk_outhdr) ||
		    !b->chain.writable_bytes) {
			queue->broken = "a request without header or status";
			return;
		}
		status = status_byte(&b->chain);
		*status = serve(b, &written);
		queue_push(queue, b->chain.head, written + 1);
		virtio_pushed(device, number);
	}
}

static const struct virtio_kind kind = {
	.name = "disk",
	.id = VIRTIO_ID_BLOCK,
	.queues = 1,
	.entries = QUEUE_MAX,
	.notify = notify,
};

/* ---- Opening ---- */

static int disk_size(int fd, uint64_t *bytes, struct stat *st)
{
	if (fstat(fd, st))
		return -1;
	if (S_ISBLK(st->st_mode))
		return ioctl(fd, BLKGETSIZE64, bytes);
	errno = ENOTBLK;
	*bytes = st->st_size;
	return S_ISREG(st->st_mode) ? 0 : -1;
}

/* Two Guests with one disk would destroy what is on it. */
static int lock_disk(int fd, bool readonly)
{
	struct flock lock = { .l_type = readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &lock);
}

static void fill_config(struct blk *b, const struct stat *st)
{
	struct virtio_blk_config config = {
		.capacity = b->sectors,
		.seg_max = QUEUE_MAX - 2,
		.blk_size = 1u << SECTOR_SHIFT,
		.max_discard_sectors = RANGE_SECTORS,
		.max_discard_seg = RANGES,
		.discard_sector_alignment = 1,
		.max_write_zeroes_sectors = RANGE_SECTORS,
		.max_write_zeroes_seg = RANGES,
		.write_zeroes_may_unmap = 1,
	};

	if (st->st_blksize >= 512 && st->st_blksize <= 1 << 16) {
		config.discard_sector_alignment = st->st_blksize >> SECTOR_SHIFT;
	}
	memcpy(b->device.config, &config, sizeof(config));
	b->device.config_size = sizeof(config);
	b->device.features = 1ull << VIRTIO_BLK_F_SEG_MAX | 1ull << VIRTIO_BLK_F_BLK_SIZE |
			     1ull << VIRTIO_BLK_F_FLUSH;
	if (b->readonly)
		b->device.features |= 1ull << VIRTIO_BLK_F_RO;
	else
		b->device.features |= 1ull << VIRTIO_BLK_F_DISCARD |
				      1ull << VIRTIO_BLK_F_WRITE_ZEROES;
}

struct virtio *blk_create(const char *name, bool readonly, struct lguest_error *error)
{
	struct blk *b = calloc(1, sizeof(*b));
	const char *base = strrchr(name, '/');
	struct stat st;
	uint64_t bytes;

	if (!b) {
		lguest_fail(error, "no memory for a device");
		return NULL;
	}
	b->device.kind = &kind;
	b->readonly = readonly;
	b->device.fd = open(name, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (b->device.fd < 0) {
		lguest_fail(error, "%s: %s%s", name, strerror(errno),
			    errno == EACCES || errno == EROFS ? "; read-only, perhaps: -d FILE,ro" :
			    errno == ENOENT ? "; make one with 'truncate -s SIZE FILE'" :
					      "");
		goto free;
	}
	if (disk_size(b->device.fd, &bytes, &st)) {
		lguest_fail(error, "%s: %s", name,
			    errno == ENOTBLK ? "neither a file nor a block device" :
					       strerror(errno));
		goto close;
	}
	if (bytes < 1u << SECTOR_SHIFT) {
		lguest_fail(
			error,
			"%s: smaller than a sector of 512 bytes; give it a size with 'truncate -s SIZE FILE'",
			name);
		goto close;
	}
	if (lock_disk(b->device.fd, readonly)) {
		if (errno == EAGAIN || errno == EACCES)
			lguest_fail(
				error,
				"%s: in use by another guest, or given twice; stop that one, or have both read only (FILE,ro)",
				name);
		else
			lguest_fail(error, "%s: it cannot be locked: %s", name, strerror(errno));
		goto close;
	}
	b->sectors = bytes >> SECTOR_SHIFT;
	/* Padded with zeroes; a string of full length has none. */
	base = base ? base + 1 : name;
	memcpy(b->serial, base, min(strlen(base), sizeof(b->serial)));
	fill_config(b, &st);
	return &b->device;

close:
	close(b->device.fd);
free:
	free(b);
	return NULL;
}
