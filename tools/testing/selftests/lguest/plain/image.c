// SPDX-License-Identifier: GPL-2.0
/*
 * Kernels in a bzImage: entered at the 32-bit entry, or unpacked here out of each
 * format; and files that only look like one. What a whole start leaves in memory
 * (kernel_load()) is looked at as the Guest finds it.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <asm/bootparam.h>
#include <asm/lguest.h>

#include "kernel.h"
#include "lib/bzimage.h"
#include "pack.h"
#include "unpack.h"

#include "../harness.h"

#define MIB		(1u << 20)
#define MEMORY		(32 * MIB)
#define TEXT		(2 * MIB)	/* of the kernel in the kernel: more than one chunk */
#define LOAD		0x400000u
#define SETUP		1024u		/* one sector and the boot sector */
#define CODE		512u		/* in front of the payload */

/* ---- Making one ---- */

struct elf_file {
	Elf32_Ehdr header;
	Elf32_Phdr segment;
	uint8_t text[TEXT];
};

/* Packs well, but not to nothing: 2 MiB become some hundred KiB. */
static void make_elf(struct elf_file *file)
{
	uint32_t state = 1, i;

	*file = (struct elf_file){
		.header = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB,
				     EV_CURRENT },
			.e_type = ET_EXEC, .e_machine = EM_386, .e_version = EV_CURRENT,
			.e_entry = LOAD + 16, .e_phoff = offsetof(struct elf_file, segment),
			.e_ehsize = sizeof(Elf32_Ehdr), .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 1,
		},
		.segment = {
			.p_type = PT_LOAD, .p_offset = offsetof(struct elf_file, text),
			.p_vaddr = 0xc0000000 + LOAD, .p_paddr = LOAD, .p_filesz = TEXT, .p_memsz = TEXT + MIB,
		},
	};
	for (i = 0; i < TEXT; i++) {
		state = state * 1103515245 + 12345;
		file->text[i] = i % 16 ? "Linux guest of lg"[i % 16] : state >> 24;
	}
}

/* The whole file; size_is_there: gzip has it by itself, others get it from the kernel's build. */
struct bz {
	uint8_t *data;
	size_t size;
	struct setup_header *header;
};

static void make_bzimage(struct bz *bz, const void *inner, size_t inner_size,
			 size_t (*pack)(const void *, size_t, uint8_t *, size_t))
{
	size_t room = inner_size + inner_size / 8 + 4096, len = 0;
	uint32_t word = inner_size;

	bz->data = calloc(1, SETUP + CODE + room + 4);
	if (pack) {
		len = pack(inner, inner_size, bz->data + SETUP + CODE, room);
		if (pack != pack_gzip) {
			memcpy(bz->data + SETUP + CODE + len, &word, 4);
			len += 4;
		}
	}
	memset(bz->data + SETUP, 0xc0, CODE);
	bz->data[0x200] = 0xeb;
	bz->data[0x201] = sizeof(struct setup_header) + 0x1f1 - 0x202;
	bz->header = (struct setup_header *)(bz->data + 0x1f1);
	*bz->header = (struct setup_header){
		.setup_sects = 1,
		.boot_flag = 0xaa55,
		.jump = 0xeb | bz->data[0x201] << 8,
		.header = 0x53726448,
		.version = 0x20f,
		.loadflags = LOADED_HIGH,
		.syssize = (CODE + len + 15) / 16,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 0x200000,
		.relocatable_kernel = 1,
		.cmdline_size = 2047,
		.payload_offset = CODE,
		.payload_length = len,
		.pref_address = LOAD,
		.init_size = 4 * MIB,
	};
	bz->size = SETUP + CODE + len;
}

/* ---- Whole starts ---- */

FIXTURE(start) {
	struct elf_file *elf;
	struct lguest_memory memory;
	struct kernel_start start;
	struct lguest_error error;
	char kernel[32], initrd[32];
	struct bz bz;
};

FIXTURE_SETUP(start)
{
	self->elf = malloc(sizeof(*self->elf));
	make_elf(self->elf);
	strcpy(self->kernel, "/tmp/lguest-kernel.XXXXXX");
	close(mkstemp(self->kernel));
	strcpy(self->initrd, "/tmp/lguest-initrd.XXXXXX");
	close(mkstemp(self->initrd));
	ASSERT_EQ(0, lguest_memory_map(&self->memory, MEMORY, LGUEST_MEMORY_ANONYMOUS, &self->error));
}

FIXTURE_TEARDOWN(start)
{
	unlink(self->kernel);
	unlink(self->initrd);
	lguest_memory_unmap(&self->memory);
	free(self->elf);
	free(self->bz.data);
}

static void write_file(const char *name, const void *data, size_t size)
{
	int fd = open(name, O_WRONLY | O_TRUNC);

	if (write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
}

static int load(FIXTURE_DATA(start) *self, bool initrd, enum kernel_unpack unpack)
{
	struct kernel_files files = { .kernel = self->kernel, .initrd = initrd ? self->initrd : NULL,
				      .cmdline = "console=hvc0 quiet", .unpack = unpack };

	memset(&self->error, 0, sizeof(self->error));
	return kernel_load(&files, &self->memory, false, &self->start, &self->error);
}

TEST_F(start, unpacked_from_each_format)
{
	struct boot_params *params = lguest_memory_at(&self->memory, 0, 4096);
	int i;

	for (i = 0; i < ARRAY_SIZE(packers); i++) {
		make_bzimage(&self->bz, self->elf, sizeof(*self->elf), packers[i].pack);
		ASSERT_LT(1000, self->bz.header->payload_length);
		write_file(self->kernel, self->bz.data, self->bz.size);
		memset(lguest_memory_at(&self->memory, LOAD, TEXT), 0, TEXT);
		ASSERT_EQ(0, load(self, false, UNPACK_LAUNCHER))
			TH_LOG("%s: %s", packers[i].name, self->error.text);
		EXPECT_EQ(LOAD + 16, self->start.entry);
		EXPECT_EQ(MEMORY - 9 * 4096, self->start.pgdir);
		EXPECT_EQ(0, memcmp(lguest_memory_at(&self->memory, LOAD, TEXT), self->elf->text, TEXT))
			TH_LOG("%s", packers[i].name);
		EXPECT_EQ(LGUEST_SUBARCH, params->hdr.hardware_subarch);
		EXPECT_TRUE(params->hdr.loadflags & KEEP_SEGMENTS);
		EXPECT_EQ(0x20f, params->hdr.version);
		EXPECT_STREQ("console=hvc0 quiet", lguest_memory_at(&self->memory, params->hdr.cmd_line_ptr, 19));
		free(self->bz.data);
	}
	self->bz.data = NULL;
}

TEST_F(start, entered_at_the_32_bit_entry)
{
	struct boot_params *params = lguest_memory_at(&self->memory, 0, 4096);

	make_bzimage(&self->bz, self->elf, sizeof(*self->elf), pack_lz4);
	write_file(self->kernel, self->bz.data, self->bz.size);
	ASSERT_EQ(0, load(self, false, UNPACK_GUEST)) TH_LOG("%s", self->error.text);
	EXPECT_EQ(LOAD, self->start.entry);
	EXPECT_EQ(LOAD, params->hdr.code32_start);
	EXPECT_EQ(0, memcmp(lguest_memory_at(&self->memory, LOAD, 4096), self->bz.data + SETUP, 4096));
	EXPECT_EQ(0, memcmp(&params->hdr.payload_offset, &self->bz.header->payload_offset, 24));

	/* Where it would like to be is too high: as low as it may. */
	self->bz.header->pref_address = MEMORY;
	write_file(self->kernel, self->bz.data, self->bz.size);
	ASSERT_EQ(0, load(self, false, UNPACK_GUEST)) TH_LOG("%s", self->error.text);
	EXPECT_EQ(0x200000, self->start.entry);

	/* One that cannot be moved is put at 1 MiB, and must find its room elsewhere. */
	self->bz.header->relocatable_kernel = 0;
	write_file(self->kernel, self->bz.data, self->bz.size);
	ASSERT_EQ(-1, load(self, false, UNPACK_GUEST));
	EXPECT_NE(NULL, strstr(self->error.text, "needs 4096 KiB at 0x2000000"));
	self->bz.header->pref_address = LOAD;
	write_file(self->kernel, self->bz.data, self->bz.size);
	ASSERT_EQ(0, load(self, false, UNPACK_GUEST)) TH_LOG("%s", self->error.text);
	EXPECT_EQ(0x100000, self->start.entry);

	/* A format that nobody here knows is left to the kernel. */
	memcpy(self->bz.data + SETUP + CODE, "odd!", 4);
	write_file(self->kernel, self->bz.data, self->bz.size);
	ASSERT_EQ(0, load(self, false, UNPACK_LAUNCHER)) TH_LOG("%s", self->error.text);
	EXPECT_EQ(0x100000, self->start.entry);
}

TEST_F(start, initrd_lies_above_the_page_tables)
{
	struct boot_params *params = lguest_memory_at(&self->memory, 0, 4096);
	uint8_t *data = malloc(MIB + 5);
	int i;

	for (i = 0; i < MIB + 5; i++)
		data[i] = i * 11 >> 3;
	write_file(self->initrd, data, MIB + 5);
	make_bzimage(&self->bz, self->elf, sizeof(*self->elf), pack_zstd);
	write_file(self->kernel, self->bz.data, self->bz.size);
	ASSERT_EQ(0, load(self, true, UNPACK_LAUNCHER)) TH_LOG("%s", self->error.text);
	EXPECT_EQ(MIB + 5, params->hdr.ramdisk_size);
	EXPECT_EQ(MEMORY - MIB - 4096, params->hdr.ramdisk_image);
	EXPECT_EQ(params->hdr.ramdisk_image - 9 * 4096, self->start.pgdir);
	EXPECT_EQ(0, memcmp(lguest_memory_at(&self->memory, params->hdr.ramdisk_image, MIB + 5), data, MIB + 5));

	/* As low as the header asks. */
	self->bz.header->initrd_addr_max = 0xffffff;
	write_file(self->kernel, self->bz.data, self->bz.size);
	ASSERT_EQ(0, load(self, true, UNPACK_LAUNCHER)) TH_LOG("%s", self->error.text);
	EXPECT_EQ(0x1000000 - MIB - 4096, params->hdr.ramdisk_image);

	/* An ELF kernel gets one as well. */
	write_file(self->kernel, self->elf, sizeof(*self->elf));
	ASSERT_EQ(0, load(self, true, UNPACK_LAUNCHER)) TH_LOG("%s", self->error.text);
	EXPECT_EQ(MEMORY - MIB - 4096, params->hdr.ramdisk_image);

	/* Larger than memory, empty, not there. */
	ASSERT_EQ(0, truncate(self->initrd, MEMORY));
	EXPECT_EQ(-1, load(self, true, UNPACK_LAUNCHER));
	EXPECT_NE(NULL, strstr(self->error.text, "an initrd of 32768 KiB does not fit into 32768 KiB"));
	ASSERT_EQ(0, truncate(self->initrd, 0));
	EXPECT_EQ(-1, load(self, true, UNPACK_LAUNCHER));
	unlink(self->initrd);
	EXPECT_EQ(-1, load(self, true, UNPACK_LAUNCHER));
	EXPECT_NE(NULL, strstr(self->error.text, "No such file"));
	free(data);
}

/* The string in front of the entry, in an ELF kernel of 2007. */
TEST_F(start, entry_behind_the_magic_string)
{
	memcpy(self->elf->text + 0x12345, "GenuineLguest", 13);
	write_file(self->kernel, self->elf, sizeof(*self->elf));
	ASSERT_EQ(0, load(self, false, UNPACK_LAUNCHER)) TH_LOG("%s", self->error.text);
	EXPECT_EQ(LOAD + 0x12345 + 13, self->start.entry);
	/* Later kernels go by the boot protocol, whatever they contain. */
	make_bzimage(&self->bz, self->elf, sizeof(*self->elf), pack_lz4);
	write_file(self->kernel, self->bz.data, self->bz.size);
	ASSERT_EQ(0, load(self, false, UNPACK_LAUNCHER)) TH_LOG("%s", self->error.text);
	EXPECT_EQ(LOAD + 16, self->start.entry);
}

/* One field each, and what the sentence has to hold. */
static const struct fault {
	size_t at, len;
	uint64_t value;
	enum kernel_unpack unpack;
	const char *sentence;
} faults[] = {
#define FIELD(name, value, unpack, sentence) \
	{ offsetof(struct setup_header, name), sizeof(((struct setup_header *)0)->name), value, unpack, sentence }
	FIELD(version, 0x206, UNPACK_LAUNCHER, "boot protocol 2.06; a kernel for lguest has 2.07"),
	FIELD(version, 0, UNPACK_GUEST, "boot protocol 0.00"),
	FIELD(xloadflags, XLF_KERNEL_64, UNPACK_LAUNCHER, "a 64-bit kernel; only 32-bit ones run"),
	FIELD(loadflags, 0, UNPACK_GUEST, "a zImage"),
	FIELD(setup_sects, 255, UNPACK_GUEST, "bytes of its kernel are missing"),
	FIELD(syssize, 0, UNPACK_GUEST, "truncated"),
	FIELD(syssize, 0xffffffff, UNPACK_GUEST, "truncated"),
	FIELD(payload_offset, 0xffffffff, UNPACK_LAUNCHER, "its payload of"),
	FIELD(payload_length, 0xffffffff, UNPACK_LAUNCHER, "ends behind the kernel"),
	FIELD(init_size, 0xffffffff, UNPACK_GUEST, "give it more"),
	FIELD(kernel_alignment, 3, UNPACK_GUEST, "not a power of two"),
	FIELD(cmdline_size, 17, UNPACK_LAUNCHER, "a command line of 18 bytes; this kernel takes 17"),
	FIELD(header, 0, UNPACK_LAUNCHER, "neither an ELF kernel"),
	FIELD(boot_flag, 0, UNPACK_LAUNCHER, "neither an ELF kernel"),
};

TEST_F(start, each_fault_has_its_sentence)
{
	struct setup_header good;
	int i;

	make_bzimage(&self->bz, self->elf, sizeof(*self->elf), pack_lz4);
	good = *self->bz.header;
	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		*self->bz.header = good;
		memcpy((uint8_t *)self->bz.header + faults[i].at, &faults[i].value, faults[i].len);
		write_file(self->kernel, self->bz.data, self->bz.size);
		EXPECT_EQ(-1, load(self, false, faults[i].unpack)) TH_LOG("%s", faults[i].sentence);
		EXPECT_NE(NULL, strstr(self->error.text, faults[i].sentence))
			TH_LOG("'%s' lacks '%s'", self->error.text, faults[i].sentence);
		EXPECT_EQ(i != 11, !strncmp(self->error.text, self->kernel, strlen(self->kernel)));
		EXPECT_EQ(NULL, strchr(self->error.text, '\n'));
	}
}

/* Packed bytes that are cut or changed: noticed, and no byte outside is touched. */
TEST_F(start, damaged_payloads)
{
	unsigned int i, j, accepted;

	srand(7);
	for (i = 0; i < ARRAY_SIZE(packers); i++) {
		struct lguest_image packed = { .name = "the-file" }, unpacked;
		uint32_t wrong = sizeof(*self->elf) - 1;
		uint8_t *copy;

		make_bzimage(&self->bz, self->elf, sizeof(*self->elf), packers[i].pack);
		packed.size = self->bz.header->payload_length;
		copy = malloc(packed.size);
		packed.data = copy;
		accepted = 0;
		for (j = 0; j < 30; j++) {
			memcpy(copy, self->bz.data + SETUP + CODE, packed.size);
			copy[8 + rand() % (packed.size - 12)] ^= 1 << rand() % 8;
			memset(&self->error, 0, sizeof(self->error));
			if (!unpack(&packed, sizeof(*self->elf), &unpacked, NULL, &self->error)) {
				accepted++;
				lguest_image_close(&unpacked);
			} else {
				EXPECT_NE(NULL, strstr(self->error.text, "the-file: "));
			}
		}
		/* lzma and lz4 have no check of their own: much of that is only other bytes. */
		if (strcmp(packers[i].name, "lzma") && strcmp(packers[i].name, "lz4") &&
		    strcmp(packers[i].name, "zstd"))
			EXPECT_GE(1, accepted) TH_LOG("%s: %u", packers[i].name, accepted);

		/* One byte less than it says it is; more than there may be; cut. */
		memcpy(copy, self->bz.data + SETUP + CODE, packed.size);
		EXPECT_EQ(-1, unpack(&packed, sizeof(*self->elf) - 1, &unpacked, NULL, &self->error));
		EXPECT_NE(NULL, strstr(self->error.text, "are possible"));
		memcpy(copy + packed.size - 4, &wrong, 4);
		EXPECT_EQ(-1, unpack(&packed, sizeof(*self->elf), &unpacked, NULL, &self->error))
			TH_LOG("%s", packers[i].name);
		memcpy(copy, self->bz.data + SETUP + CODE, packed.size);
		wrong += 1;
		packed.size /= 2;
		memcpy(copy + packed.size - 4, &wrong, 4);
		EXPECT_EQ(-1, unpack(&packed, sizeof(*self->elf), &unpacked, NULL, &self->error))
			TH_LOG("%s", packers[i].name);
		EXPECT_NE(NULL, strstr(self->error.text, "is damaged"));
		free(copy);
		free(self->bz.data);
	}
	self->bz.data = NULL;
}

/* 500 headers and more, changed at random, read out of a buffer of their exact size. */
TEST_F(start, mutated_headers)
{
	unsigned int accepted = 0, i, j;
	struct lguest_loaded loaded;
	struct lguest_bzimage bz;
	struct lguest_image image = { .name = "the-file" };

	make_bzimage(&self->bz, "not much", 8, pack_gzip);
	srand(1);
	for (i = 0; i < 20000; i++) {
		size_t size = rand() % 8 ? self->bz.size : rand() % self->bz.size;
		uint8_t *copy = malloc(size ?: 1);

		memcpy(copy, self->bz.data, size);
		for (j = rand() % 4; j; j--) {
			size_t at = 0x1f1 + rand() % sizeof(struct setup_header);

			if (at < size)
				copy[at] = rand() % 3 ? rand() : rand() % 2 * 255;
		}
		image.data = copy;
		image.size = size;
		self->error.text[0] = 0;
		if (lguest_bzimage_parse(&image, &bz, &self->error) ||
		    lguest_bzimage_load(&bz, &self->memory, LGUEST_BOOT_END, MEMORY, &loaded, &self->error)) {
			ASSERT_NE(0, self->error.text[0]);
		} else {
			accepted++;
			ASSERT_LE(LGUEST_BOOT_END, loaded.lowest);
			ASSERT_LE(loaded.end, MEMORY);
			ASSERT_LE(loaded.lowest, loaded.entry);
			ASSERT_LT(loaded.entry, loaded.end);
		}
		free(copy);
	}
	EXPECT_LT(2000, accepted);
	EXPECT_GT(18000, accepted);
}

TEST_HARNESS_MAIN
