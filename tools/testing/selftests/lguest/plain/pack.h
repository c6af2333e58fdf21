/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packing a kernel, in each of the formats that the kernel's build knows, and as that does it but
 * for the effort. All return the bytes they have made, or 0. For image.c, which is linked with the
 * libraries.
 */
#ifndef LGUEST_TEST_PACK_H
#define LGUEST_TEST_PACK_H

#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

static size_t pack_gzip(const void *in, size_t size, uint8_t *out, size_t room)
{
	z_stream z = { .next_in = (uint8_t *)in, .avail_in = size, .next_out = out, .avail_out = room };

	if (deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, 0) || deflate(&z, Z_FINISH) != Z_STREAM_END)
		return 0;
	deflateEnd(&z);
	return room - z.avail_out;
}

static size_t pack_bzip2(const void *in, size_t size, uint8_t *out, size_t room)
{
	unsigned int len = room;

	return BZ2_bzBuffToBuffCompress((char *)out, &len, (char *)in, size, 1, 0, 0) ? 0 : len;
}

/* As scripts/xz_wrap.sh does it: x86 filter, 32 MiB, CRC32. */
static size_t pack_xz(const void *in, size_t size, uint8_t *out, size_t room)
{
	lzma_options_lzma options;
	lzma_filter filters[] = { { LZMA_FILTER_X86, NULL }, { LZMA_FILTER_LZMA2, &options },
				  { LZMA_VLI_UNKNOWN, NULL } };
	size_t len = 0;

	lzma_lzma_preset(&options, 0);
	options.dict_size = 32u << 20;
	return lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, in, size, out, &len, room) ? 0 :
													len;
}

static size_t pack_lzma(const void *in, size_t size, uint8_t *out, size_t room)
{
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_options_lzma options;

	lzma_lzma_preset(&options, 0);
	if (lzma_alone_encoder(&z, &options))
		return 0;
	z.next_in = in;
	z.avail_in = size;
	z.next_out = out;
	z.avail_out = room;
	if (lzma_code(&z, LZMA_FINISH) != LZMA_STREAM_END)
		return 0;
	lzma_end(&z);
	return room - z.avail_out;
}

/*
 * Through a stream of unknown length, as the kernel's build does: the window is as large as can be.
 */
static size_t pack_zstd(const void *in, size_t size, uint8_t *out, size_t room)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();
	ZSTD_inBuffer from = { in, size, 0 };
	ZSTD_outBuffer to = { out, room, 0 };
	size_t left;

	ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, 1);
	ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, 27);
	do {
		left = ZSTD_compressStream2(z, &to, &from, ZSTD_e_continue);
	} while (!ZSTD_isError(left) && from.pos < from.size);
	left = ZSTD_compressStream2(z, &to, &from, ZSTD_e_end);
	ZSTD_freeCCtx(z);
	return left ? 0 : to.pos;
}

/* The old format, `lz4 -l`: blocks of 8 MiB. Here smaller ones, so that there are several. */
static size_t pack_lz4(const void *in, size_t size, uint8_t *out, size_t room)
{
	uint32_t word = 0x184c2102;
	size_t at = 4, done, n;
	int len;

	memcpy(out, &word, 4);
	for (done = 0; done < size; done += n) {
		n = size - done < 700000 ? size - done : 700000;
		len = LZ4_compress_default((char *)in + done, (char *)out + at + 4, n, room - at - 4);
		if (len <= 0)
			return 0;
		word = len;
		memcpy(out + at, &word, 4);
		at += 4 + len;
	}
	return at;
}

static const struct packer {
	const char *name;
	size_t (*pack)(const void *in, size_t size, uint8_t *out, size_t room);
} packers[] = {
	{ "gzip", pack_gzip }, { "bzip2", pack_bzip2 }, { "xz", pack_xz },
	{ "lzma", pack_lzma }, { "zstd", pack_zstd },	{ "lz4", pack_lz4 },
};

#endif /* LGUEST_TEST_PACK_H */
