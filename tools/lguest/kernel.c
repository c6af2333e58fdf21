// SPDX-License-Identifier: GPL-2.0
/* Loading what a Guest starts from: see kernel.h. Only the order of things lives
 * here; each form of a kernel is a file of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel.h"
#include "lib/bzimage.h"
#include "lib/pagetable.h"
#include "unpack.h"

/* Relocations behind the unpacked kernel, and the like (bytes). */
#define UNPACKED_EXTRA (64u << 20)

static void show_progress(size_t done, size_t all)
{
	fprintf(stderr, "\rlguest: unpacking the kernel: %3u %%", (unsigned int)(done * 100 / all));
	/* Only the end of the work is worth no line. */
	if (done == all)
		fprintf(stderr, "\r\033[K");
}

/* Opens the initrd and finds its place; *fd is -1 without one. */
static int open_initrd(const char *name, const struct lguest_memory *mem,
		       const struct setup_header *header, struct lguest_boot *boot, int *fd,
		       struct lguest_error *error)
{
	struct stat st;
	int64_t gpa;

	*fd = -1;
	if (!name)
		return 0;
	*fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0 || fstat(*fd, &st))
		return lguest_fail(error, "%s: %s", name, strerror(errno));
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return lguest_fail(
			error, "%s: not a regular file with something in it; -i wants an initrd",
			name);
	gpa = lguest_place_initrd(mem, header, name, st.st_size, error);
	if (gpa < 0)
		return -1;
	boot->initrd = gpa;
	boot->initrd_size = st.st_size;
	return 0;
}

static int read_initrd(const char *name, const struct lguest_memory *mem,
		       const struct lguest_boot *boot, int fd, struct lguest_error *error)
{
	uint8_t *to = lguest_memory_at(mem, boot->initrd, boot->initrd_size);
	uint64_t done = 0;

	while (done < boot->initrd_size) {
		ssize_t got = pread(fd, to + done, boot->initrd_size - done, done);

		if (got < 0)
			return lguest_fail(error, "%s: %s", name, strerror(errno));
		if (!got)
			return lguest_fail(error, "%s: became shorter while it was read; try again",
					   name);
		done += got;
	}
	return 0;
}

/* An ELF kernel, perhaps of the time when the entry was marked by a string. */
static int load_elf(const struct lguest_image *image, const struct lguest_memory *mem,
		    uint64_t limit, bool may_have_magic, struct lguest_loaded *loaded,
		    struct lguest_error *error)
{
	int64_t entry;

	if (lguest_elf_load(image, mem, LGUEST_BOOT_END, limit, loaded, error))
		return -1;
	if (may_have_magic) {
		entry = lguest_find_magic_entry(mem, loaded->lowest, loaded->end);
		if (entry >= 0)
			loaded->entry = entry;
	}
	return 0;
}

static int load_unpacked(const struct lguest_bzimage *bz, const struct lguest_memory *mem,
			 uint64_t limit, bool progress, struct lguest_loaded *loaded,
			 struct lguest_error *error)
{
	struct lguest_image inner;
	int err;

	if (unpack(&bz->payload, mem->size + UNPACKED_EXTRA, &inner,
		   progress ? show_progress : NULL, error))
		return -1;
	err = load_elf(&inner, mem, limit, false, loaded, error);
	lguest_image_close(&inner);
	return err;
}

/* All but closing what was opened. */
static int load(const struct kernel_files *files, const struct lguest_image *image,
		const struct lguest_memory *mem, bool progress, int *initrd,
		struct kernel_start *start, struct lguest_error *error)
{
	struct lguest_boot boot = { .cmdline = files->cmdline };
	bool packed = lguest_image_is_bzimage(image);
	struct lguest_loaded loaded;
	struct lguest_bzimage bz;
	int64_t pgdir;
	int err;

	if (!packed && !lguest_image_is_elf(image))
		return lguest_fail(
			error,
			"%s: neither an ELF kernel (vmlinux) nor a bzImage (vmlinuz); -k wants one of these",
			image->name);
	if (packed) {
		if (lguest_bzimage_parse(image, &bz, error))
			return -1;
		boot.header = &bz.header;
	}
	if (open_initrd(files->initrd, mem, boot.header, &boot, initrd, error))
		return -1;
	pgdir = lguest_linear_page_tables(mem, boot.initrd_size ? boot.initrd : mem->size, error);
	if (pgdir < 0)
		return -1;

	if (!packed) {
		err = load_elf(image, mem, pgdir, true, &loaded, error);
	} else if (files->unpack == UNPACK_LAUNCHER && unpack_format(&bz.payload)) {
		err = load_unpacked(&bz, mem, pgdir, progress, &loaded, error);
	} else {
		err = lguest_bzimage_load(&bz, mem, LGUEST_BOOT_END, pgdir, &loaded, error);
		boot.load = loaded.entry;
	}
	if (err || lguest_boot_params(mem, &boot, error))
		return -1;
	if (boot.initrd_size && read_initrd(files->initrd, mem, &boot, *initrd, error))
		return -1;

	start->pgdir = pgdir;
	start->entry = loaded.entry;
	return 0;
}

int kernel_load(const struct kernel_files *files, const struct lguest_memory *mem, bool progress,
		struct kernel_start *start, struct lguest_error *error)
{
	struct lguest_image image;
	int initrd = -1, err;

	if (lguest_image_open(&image, files->kernel, error))
		return -1;
	err = load(files, &image, mem, progress, &initrd, start, error);
	if (initrd >= 0)
		close(initrd);
	lguest_image_close(&image);
	return err;
}
