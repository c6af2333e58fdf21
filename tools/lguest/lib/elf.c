// SPDX-License-Identifier: GPL-2.0
/*
 * Loading an ELF kernel: see elf.h. The file is hostile: every field is checked here, once, before
 * its use.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf.h"

/* A kernel has three or four; more than this is not one, and every pair is compared. */
#define SEGMENTS_MAX	64

static const char magic[] = "GenuineLguest";

int lguest_image_open(struct lguest_image *image, const char *name, struct lguest_error *error)
{
	/* O_NONBLOCK: a FIFO's writer is not waited for. */
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	void *data;

	if (fd < 0)
		return lguest_fail(error, "%s: %s", name, strerror(errno));
	if (fstat(fd, &st)) {
		lguest_fail(error, "%s: %s", name, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		lguest_fail(error, "%s: not a regular file", name);
	} else if (!st.st_size || st.st_size != (off_t)(size_t)st.st_size) {
		lguest_fail(error, "%s: %lld bytes cannot be a kernel", name,
			    (long long)st.st_size);
	} else {
		data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		close(fd);
		if (data == MAP_FAILED)
			return lguest_fail(error, "%s: %s", name, strerror(errno));
		*image = (struct lguest_image){ .name = name, .data = data, .size = st.st_size };
		return 0;
	}
	close(fd);
	return -1;
}

void lguest_image_close(struct lguest_image *image)
{
	munmap((void *)image->data, image->size);
}

bool lguest_image_is_elf(const struct lguest_image *image)
{
	return image->size >= SELFMAG && !memcmp(image->data, ELFMAG, SELFMAG);
}

/* The file is a kernel for this machine, and its table of segments is in it. */
static int check_header(const struct lguest_image *image, Elf32_Ehdr *header,
			struct lguest_error *error)
{
	const char *name = image->name;

	if (!lguest_image_is_elf(image))
		return lguest_fail(error, "%s: not an ELF file", name);
	if (image->size < sizeof(*header))
		return lguest_fail(error, "%s: truncated: %zu bytes do not hold an ELF header; copy it anew",
				   name, image->size);
	memcpy(header, image->data, sizeof(*header));

	if (header->e_ident[EI_CLASS] == ELFCLASS64)
		return lguest_fail(error, "%s: a 64-bit kernel; only 32-bit ones run: build one for i386 with CONFIG_LGUEST_GUEST", name);
	if (header->e_ident[EI_CLASS] != ELFCLASS32 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_ident[EI_VERSION] != EV_CURRENT || header->e_version != EV_CURRENT)
		return lguest_fail(error, "%s: not a little-endian 32-bit ELF file of version 1",
				   name);
	if (header->e_machine != EM_386)
		return lguest_fail(error, "%s: for machine %u, not for the i386 (%u)", name,
				   header->e_machine, EM_386);
	if (header->e_type != ET_EXEC)
		return lguest_fail(error, "%s: type %u, not an executable (%u)", name,
				   header->e_type, ET_EXEC);
	if (!header->e_phnum || header->e_phnum > SEGMENTS_MAX)
		return lguest_fail(error, "%s: %u program headers; 1 to %u are possible", name,
				   header->e_phnum, SEGMENTS_MAX);
	if (header->e_phentsize != sizeof(Elf32_Phdr))
		return lguest_fail(error, "%s: program headers of %u bytes instead of %zu", name,
				   header->e_phentsize, sizeof(Elf32_Phdr));
	if (header->e_phoff > image->size ||
	    image->size - header->e_phoff < header->e_phnum * sizeof(Elf32_Phdr))
		return lguest_fail(error, "%s: truncated: program headers end behind the file; copy it anew",
				   name);
	return 0;
}

/* Segment i is in the file, fits into [floor, limit), and does not wrap. */
static int check_segment(const struct lguest_image *image, const Elf32_Phdr *segment,
			 unsigned int i, uint64_t floor, uint64_t limit, struct lguest_error *error)
{
	const char *name = image->name;

	if (segment->p_filesz > segment->p_memsz)
		return lguest_fail(error,
				   "%s: segment %u has 0x%x bytes in the file but 0x%x in memory",
				   name, i, segment->p_filesz, segment->p_memsz);
	if (segment->p_offset > image->size || segment->p_filesz > image->size - segment->p_offset)
		return lguest_fail(error, "%s: truncated: segment %u ends behind the file; copy it anew", name,
				   i);
	if (segment->p_paddr < floor || segment->p_paddr > limit ||
	    segment->p_memsz > limit - segment->p_paddr)
		return lguest_fail(
			error,
			"%s: segment %u needs 0x%x bytes at 0x%x, guest memory is free from 0x%llx to 0x%llx; give it more (-m)",
			name, i, segment->p_memsz, segment->p_paddr, (unsigned long long)floor,
			(unsigned long long)limit);
	if ((uint64_t)segment->p_vaddr + segment->p_memsz > 1ull << 32)
		return lguest_fail(
			error, "%s: segment %u wraps around the end of the address space", name, i);
	return 0;
}

/* True, and the physical address, if addr is in one of the segments, virtually or physically. */
static bool find_address(const Elf32_Phdr *segments, unsigned int count, uint32_t addr,
			 bool virtual, uint32_t *gpa)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		uint32_t start = virtual ? segments[i].p_vaddr : segments[i].p_paddr;

		if (addr >= start && addr - start < segments[i].p_memsz) {
			*gpa = segments[i].p_paddr + (addr - start);
			return true;
		}
	}
	return false;
}

int lguest_elf_load(const struct lguest_image *image, const struct lguest_memory *mem,
		    uint64_t floor, uint64_t limit, struct lguest_loaded *loaded,
		    struct lguest_error *error)
{
	Elf32_Phdr segments[SEGMENTS_MAX], segment;
	unsigned int count = 0, i, j;
	Elf32_Ehdr header;

	if (limit > mem->size)
		limit = mem->size;
	if (check_header(image, &header, error))
		return -1;

	for (i = 0; i < header.e_phnum; i++) {
		memcpy(&segment, image->data + header.e_phoff + i * sizeof(segment),
		       sizeof(segment));
		if (segment.p_type != PT_LOAD || !(segment.p_memsz | segment.p_filesz))
			continue;
		if (check_segment(image, &segment, i, floor, limit, error))
			return -1;
		for (j = 0; j < count; j++) {
			if (segment.p_paddr < segments[j].p_paddr + (uint64_t)segments[j].p_memsz &&
			    segments[j].p_paddr < segment.p_paddr + (uint64_t)segment.p_memsz)
				return lguest_fail(error, "%s: segments overlap at 0x%x and 0x%x",
						   image->name, segments[j].p_paddr,
						   segment.p_paddr);
		}
		segments[count++] = segment;
	}
	if (!count)
		return lguest_fail(error, "%s: nothing in it is to be loaded", image->name);

	if (!find_address(segments, count, header.e_entry, false, &loaded->entry) &&
	    !find_address(segments, count, header.e_entry, true, &loaded->entry))
		return lguest_fail(error, "%s: its entry 0x%x is in none of its segments",
				   image->name, header.e_entry);

	loaded->lowest = UINT64_MAX;
	loaded->end = 0;
	for (i = 0; i < count; i++) {
		const Elf32_Phdr *s = &segments[i];
		uint8_t *to = lguest_memory_at(mem, s->p_paddr, s->p_memsz);

		memcpy(to, image->data + s->p_offset, s->p_filesz);
		memset(to + s->p_filesz, 0, s->p_memsz - s->p_filesz);
		if (s->p_paddr < loaded->lowest)
			loaded->lowest = s->p_paddr;
		if ((uint64_t)s->p_paddr + s->p_memsz > loaded->end)
			loaded->end = (uint64_t)s->p_paddr + s->p_memsz;
	}
	return 0;
}

int64_t lguest_find_magic_entry(const struct lguest_memory *mem, uint64_t from, uint64_t to)
{
	const size_t len = sizeof(magic) - 1;
	const uint8_t *start, *found;

	if (to < from)
		return -1;
	start = lguest_memory_at(mem, from, to - from);
	if (!start)
		return -1;
	found = memmem(start, to - from, magic, len);
	return found ? (int64_t)(from + (found - start) + len) : -1;
}
