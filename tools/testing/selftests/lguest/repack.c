// SPDX-License-Identifier: GPL-2.0
/*
 * repack BZIMAGE FORMAT OUTPUT: the same kernel, its payload packed in another format. What would
 * unpack it in a Guest stays as it was: it is for who unpacks it outside.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/bzimage.h"
#include "plain/pack.h"
#include "unpack.h"

#define LIMIT	(256u << 20)

static int fail(const char *sentence)
{
	fprintf(stderr, "repack: %s\n", sentence);
	return 1;
}

int main(int argc, char *argv[])
{
	const struct packer *packer = NULL;
	struct lguest_image image, kernel;
	struct setup_header *header;
	struct lguest_bzimage bz;
	struct lguest_error error;
	size_t front, room, size;
	uint8_t *out;
	uint32_t word;
	int fd, i;

	for (i = 0; argc == 4 && i < sizeof(packers) / sizeof(packers[0]); i++)
		if (!strcmp(argv[2], packers[i].name))
			packer = &packers[i];
	if (!packer)
		return fail("BZIMAGE gzip|bzip2|xz|lzma|zstd|lz4 OUTPUT");
	if (lguest_image_open(&image, argv[1], &error) || lguest_bzimage_parse(&image, &bz, &error) ||
	    unpack(&bz.payload, LIMIT, &kernel, NULL, &error))
		return fail(error.text);

	front = (const uint8_t *)bz.payload.data - (const uint8_t *)image.data;
	room = kernel.size + kernel.size / 8 + 4096;
	out = calloc(1, front + room + 4);
	if (!out)
		return fail("no memory");
	memcpy(out, image.data, front);
	size = packer->pack(kernel.data, kernel.size, out + front, room);
	if (!size)
		return fail("the library does not pack it");
	/* gzip has the size by itself, others get it from the kernel's build. */
	if (strcmp(packer->name, "gzip")) {
		word = kernel.size;
		memcpy(out + front + size, &word, 4);
		size += 4;
	}
	header = (struct setup_header *)(out + 0x1f1);
	header->payload_length = size;
	header->syssize = (bz.header.payload_offset + size + 15) / 16;
	fd = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, out, front + size) != (ssize_t)(front + size) || close(fd))
		return fail("the output cannot be written");
	printf("%s: %zu bytes become %zu\n", packer->name, kernel.size, size);
	return 0;
}
