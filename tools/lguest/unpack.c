// SPDX-License-Identifier: GPL-2.0
/*
 * Unpacking kernels: see unpack.h. Every format is one function that turns all
 * of the input into exactly as many bytes as the output has room for; what it
 * returns is how many it made, or -1. None of them keeps a window of its own
 * where its library can do without.
 */
#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include "unpack.h"
#include "util.h"

/* Of input, between two calls of the progress function (bytes). */
#define CHUNK (256u << 10)
/* For the decoders of xz and lzma; the kernel is packed with 32 MiB at most. */
#define LZMA_MEMORY (256u << 20)
/* The largest block of the old lz4 format (bytes). */
#define LZ4_BLOCK (8u << 20)

/* The bytes still to be read, and the place for what comes of them. */
struct job {
	const uint8_t *in;
	size_t in_size, in_all;
	uint8_t *out;
	size_t out_size;
	unpack_progress progress;
};

static size_t next_chunk(struct job *job)
{
	if (job->progress)
		job->progress(job->in_all - job->in_size, job->in_all);
	return min(job->in_size, (size_t)CHUNK);
}

static void took(struct job *job, size_t bytes)
{
	job->in += bytes;
	job->in_size -= bytes;
}

static ssize_t from_gzip(struct job *job)
{
	z_stream z = { .next_out = job->out, .avail_out = job->out_size };
	int ret = Z_OK;

	/* 16: with gzip's header and trailer. */
	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return -1;
	while (ret == Z_OK && job->in_size) {
		size_t chunk = next_chunk(job);

		z.next_in = (uint8_t *)job->in;
		z.avail_in = chunk;
		ret = inflate(&z, Z_NO_FLUSH);
		took(job, chunk - z.avail_in);
	}
	inflateEnd(&z);
	return ret == Z_STREAM_END ? job->out_size - z.avail_out : -1;
}

static ssize_t from_bzip2(struct job *job)
{
	bz_stream z = { .next_out = (char *)job->out, .avail_out = job->out_size };
	int ret = BZ_OK;

	if (BZ2_bzDecompressInit(&z, 0, 0) != BZ_OK)
		return -1;
	while (ret == BZ_OK && job->in_size) {
		size_t chunk = next_chunk(job);
		unsigned int room = z.avail_out;

		z.next_in = (char *)job->in;
		z.avail_in = chunk;
		ret = BZ2_bzDecompress(&z);
		/* Full, and it asks for more room: without an error. */
		if (z.avail_in == chunk && z.avail_out == room)
			break;
		took(job, chunk - z.avail_in);
	}
	BZ2_bzDecompressEnd(&z);
	return ret == BZ_STREAM_END ? job->out_size - z.avail_out : -1;
}

/* Both of them: their streams differ only in how they begin. */
static ssize_t from_liblzma(struct job *job, lzma_stream *z)
{
	lzma_ret ret = LZMA_OK;

	z->next_out = job->out;
	z->avail_out = job->out_size;
	while (ret == LZMA_OK && job->in_size) {
		size_t chunk = next_chunk(job);

		z->next_in = job->in;
		z->avail_in = chunk;
		ret = lzma_code(z, LZMA_RUN);
		took(job, chunk - z->avail_in);
	}
	lzma_end(z);
	/* The end of old lzma is often only that no more is wanted. */
	if (ret != LZMA_STREAM_END && (ret != LZMA_OK || z->avail_out))
		return -1;
	return job->out_size - z->avail_out;
}

static ssize_t from_xz(struct job *job)
{
	lzma_stream z = LZMA_STREAM_INIT;

	if (lzma_stream_decoder(&z, LZMA_MEMORY, 0) != LZMA_OK)
		return -1;
	return from_liblzma(job, &z);
}

static ssize_t from_lzma(struct job *job)
{
	lzma_stream z = LZMA_STREAM_INIT;

	if (lzma_alone_decoder(&z, LZMA_MEMORY) != LZMA_OK)
		return -1;
	return from_liblzma(job, &z);
}

static ssize_t from_zstd(struct job *job)
{
	ZSTD_outBuffer out = { .dst = job->out, .size = job->out_size };
	ZSTD_DCtx *z = ZSTD_createDCtx();
	size_t ret = 1;

	if (!z)
		return -1;
	/*
	 * The output is its own window: a kernel's is 128 MiB. What is written
	 * to it is never read by anybody else meanwhile, as this asks for.
	 */
	ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, 31);
	ZSTD_DCtx_setParameter(z, ZSTD_d_stableOutBuffer, 1);
	while (ret && !ZSTD_isError(ret) && job->in_size) {
		ZSTD_inBuffer in = { .src = job->in, .size = next_chunk(job) };
		size_t room = out.pos;

		ret = ZSTD_decompressStream(z, &out, &in);
		if (!in.pos && out.pos == room)
			break;
		took(job, in.pos);
	}
	ZSTD_freeDCtx(z);
	return ret ? -1 : (ssize_t)out.pos;
}

static uint32_t le32(const uint8_t *at)
{
	return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

/* A magic word, then blocks: a length and so many bytes, until the last word. */
static ssize_t from_lz4(struct job *job)
{
	size_t made = 0;

	took(job, 4);
	while (job->in_size > 4) {
		uint32_t block = le32(job->in);
		int ret;

		took(job, 4);
		if (!block || block > job->in_size || block > LZ4_BLOCK * 2)
			return -1;
		next_chunk(job);
		ret = LZ4_decompress_safe((const char *)job->in, (char *)job->out + made, block,
					  min(job->out_size - made, (size_t)LZ4_BLOCK));
		if (ret < 0)
			return -1;
		made += ret;
		took(job, block);
	}
	return made;
}

static const struct format {
	const char *name;
	uint8_t magic[6];
	uint8_t magic_size;
	ssize_t (*unpack)(struct job *job);
} formats[] = {
	{ "gzip", { 0x1f, 0x8b }, 2, from_gzip },
	{ "bzip2", "BZh", 3, from_bzip2 },
	{ "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, from_xz },
	{ "lzma", { 0x5d, 0, 0 }, 3, from_lzma },
	{ "lz4", { 0x02, 0x21, 0x4c, 0x18 }, 4, from_lz4 },
	{ "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, from_zstd },
};

static const struct format *find_format(const struct lguest_image *packed)
{
	size_t i;

	/* The four bytes of the size belong to no format. */
	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (packed->size > formats[i].magic_size + 4u &&
		    !memcmp(packed->data, formats[i].magic, formats[i].magic_size))
			return &formats[i];
	return NULL;
}

const char *unpack_format(const struct lguest_image *packed)
{
	const struct format *format = find_format(packed);

	return format ? format->name : NULL;
}

int unpack(const struct lguest_image *packed, size_t limit, struct lguest_image *unpacked,
	   unpack_progress progress, struct lguest_error *error)
{
	const struct format *format = find_format(packed);
	const char *name = packed->name;
	struct job job = {
		.in = packed->data,
		.in_size = packed->size,
		.in_all = packed->size,
		.progress = progress,
	};
	ssize_t made;

	if (!format)
		return lguest_fail(error, "%s: its payload is packed in no way that is known here",
				   name);
	job.out_size = le32(job.in + job.in_size - 4);
	if (!job.out_size || job.out_size > limit)
		return lguest_fail(error, "%s: %zu bytes when unpacked; at most %zu are possible",
				   name, job.out_size, limit);
	job.out = mmap(NULL, job.out_size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (job.out == MAP_FAILED)
		return lguest_fail(error, "%s: no memory to unpack %zu bytes", name, job.out_size);

	made = format->unpack(&job);
	if (progress)
		progress(job.in_all, job.in_all);
	if (made != (ssize_t)job.out_size) {
		munmap(job.out, job.out_size);
		return lguest_fail(error, "%s: its payload (%s) is damaged; copy the file anew",
				   name, format->name);
	}
	*unpacked = (struct lguest_image){ .name = name, .data = job.out, .size = job.out_size };
	return 0;
}
