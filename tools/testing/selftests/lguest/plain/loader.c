// SPDX-License-Identifier: GPL-2.0
/*
 * Loading a kernel, with files that mean it and files that do not: each fault of an ELF file has
 * its sentence, none writes outside memory, and a good file lands where its physical addresses say.
 * Also the first page tables, the boot parameters, and the check of Guest-physical addresses.
 */
#include <elf.h>

#include <asm/bootparam.h>
#include <asm/lguest.h>

#include "lib/boot.h"
#include "lib/elf.h"
#include "lib/memory.h"
#include "lib/pagetable.h"

#include "../harness.h"

#define MIB		(1u << 20)
#define MEMORY		(16 * MIB)
#define SEGMENTS	3

/* A small kernel: three segments, each with a virtual-physical difference of its own. */
struct file {
	Elf32_Ehdr header;
	Elf32_Phdr segment[SEGMENTS];
	uint8_t text[4096], data[100], boot[16];
};

static const Elf32_Phdr good_segment[SEGMENTS] = {
	{ .p_type = PT_LOAD, .p_offset = offsetof(struct file, text), .p_vaddr = 0xc0100000,
	  .p_paddr = 0x100000, .p_filesz = 4096, .p_memsz = 4096, .p_flags = PF_R | PF_X },
	{ .p_type = PT_LOAD, .p_offset = offsetof(struct file, data), .p_vaddr = 0xd0000000,
	  .p_paddr = 0x200000, .p_filesz = 100, .p_memsz = 5000, .p_flags = PF_R | PF_W },
	{ .p_type = PT_LOAD, .p_offset = offsetof(struct file, boot), .p_vaddr = 0x300000,
	  .p_paddr = 0x300000, .p_filesz = 16, .p_memsz = 16, .p_flags = PF_R | PF_X },
};

static void make_file(struct file *file)
{
	memset(file, 0, sizeof(*file));
	file->header = (Elf32_Ehdr){
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_386,
		.e_version = EV_CURRENT,
		.e_entry = 0xc0100010,
		.e_phoff = offsetof(struct file, segment),
		.e_ehsize = sizeof(Elf32_Ehdr),
		.e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = SEGMENTS,
	};
	memcpy(file->segment, good_segment, sizeof(good_segment));
	memset(file->text, 0x11, sizeof(file->text));
	memset(file->data, 0x22, sizeof(file->data));
	memset(file->boot, 0x33, sizeof(file->boot));
}

FIXTURE(loader) {
	struct file file;
	struct lguest_memory mem;
	struct lguest_loaded loaded;
	struct lguest_error error;
};

FIXTURE_SETUP(loader)
{
	make_file(&self->file);
	ASSERT_EQ(0, lguest_memory_map(&self->mem, MEMORY, LGUEST_MEMORY_ANONYMOUS, &self->error));
}

FIXTURE_TEARDOWN(loader)
{
	lguest_memory_unmap(&self->mem);
}

/*
 * Loads the first `size` bytes from a buffer that ends there, so that ASan sees each byte too many.
 */
static int load(FIXTURE_DATA(loader) *self, size_t size, uint64_t limit)
{
	uint8_t *copy = malloc(size ?: 1);
	struct lguest_image image = { .name = "the-file", .data = copy, .size = size };
	int err;

	memcpy(copy, &self->file, size);
	memset(&self->error, 0, sizeof(self->error));
	err = lguest_elf_load(&image, &self->mem, LGUEST_BOOT_END, limit, &self->loaded,
			      &self->error);
	free(copy);
	return err;
}

static bool all_bytes(const uint8_t *p, size_t len, uint8_t value)
{
	while (len--)
		if (*p++ != value)
			return false;
	return true;
}

TEST_F(loader, good_file_lands_where_it_says)
{
	uint8_t *base = self->mem.base;

	memset(base, 0xff, MEMORY);
	ASSERT_EQ(0, load(self, sizeof(self->file), MEMORY)) TH_LOG("%s", self->error.text);
	EXPECT_EQ(0x100010, self->loaded.entry);
	EXPECT_EQ(0x100000, self->loaded.lowest);
	EXPECT_EQ(0x300010, self->loaded.end);
	EXPECT_TRUE(all_bytes(base, 0x100000, 0xff));
	EXPECT_TRUE(all_bytes(base + 0x100000, 4096, 0x11));
	EXPECT_TRUE(all_bytes(base + 0x101000, 0xff000, 0xff));
	EXPECT_TRUE(all_bytes(base + 0x200000, 100, 0x22));
	EXPECT_TRUE(all_bytes(base + 0x200064, 4900, 0));
	EXPECT_TRUE(all_bytes(base + 0x201388, 0xfec78, 0xff));
	EXPECT_TRUE(all_bytes(base + 0x300000, 16, 0x33));
	EXPECT_TRUE(all_bytes(base + 0x300010, MEMORY - 0x300010, 0xff));
}

/* The entry may be virtual or physical, and is translated by the segment that holds it. */
TEST_F(loader, entry_is_translated_by_its_own_segment)
{
	static const uint32_t entry[][2] = {
		{ 0xc0100000, 0x100000 }, { 0xc0100fff, 0x100fff }, { 0xd0000004, 0x200004 },
		{ 0xd0001387, 0x201387 }, { 0x300008, 0x300008 }, { 0x100020, 0x100020 },
		{ 0x200100, 0x200100 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(entry); i++) {
		self->file.header.e_entry = entry[i][0];
		ASSERT_EQ(0, load(self, sizeof(self->file), MEMORY));
		EXPECT_EQ(entry[i][1], self->loaded.entry);
	}
}

/* A fault of the file: the bytes to write where, and what the sentence has to hold. */
static const struct fault {
	size_t at, len;
	uint32_t value;
	const char *sentence;
} faults[] = {
#define HEADER(field, value, sentence)                                                         \
	{                                                                                      \
		offsetof(struct file, header.field), sizeof(((struct file *)0)->header.field), \
			value, sentence                                                        \
	}
#define SEGMENT(n, field, value, sentence) \
	{ offsetof(struct file, segment[n].field), 4, value, sentence }
	HEADER(e_ident[0], 0, "not an ELF file"),
	HEADER(e_ident[EI_CLASS], ELFCLASS64, "a 64-bit kernel"),
	HEADER(e_ident[EI_CLASS], 0, "not a little-endian 32-bit ELF file"),
	HEADER(e_ident[EI_CLASS], 99, "not a little-endian 32-bit ELF file"),
	HEADER(e_ident[EI_DATA], ELFDATA2MSB, "not a little-endian 32-bit ELF file"),
	HEADER(e_ident[EI_VERSION], 0, "of version 1"),
	HEADER(e_version, 2, "of version 1"),
	HEADER(e_machine, EM_X86_64, "for machine 62"),
	HEADER(e_machine, EM_ARM, "for machine 40"),
	HEADER(e_type, ET_REL, "not an executable"),
	HEADER(e_type, ET_CORE, "not an executable"),
	HEADER(e_phnum, 0, "0 program headers"),
	HEADER(e_phnum, 65, "65 program headers"),
	HEADER(e_phnum, 0xffff, "65535 program headers"),
	HEADER(e_phentsize, 31, "program headers of 31 bytes"),
	HEADER(e_phentsize, 56, "program headers of 56 bytes"),
	HEADER(e_phentsize, 0, "program headers of 0 bytes"),
	HEADER(e_phoff, sizeof(struct file), "program headers end behind the file"),
	HEADER(e_phoff, sizeof(struct file) - 95, "program headers end behind the file"),
	HEADER(e_phoff, 0xffffffff, "program headers end behind the file"),
	HEADER(e_phoff, 0xffffffe0, "program headers end behind the file"),
	HEADER(e_entry, 0, "its entry 0x0 is in none"),
	HEADER(e_entry, 0xc0101000, "its entry 0xc0101000 is in none"),
	HEADER(e_entry, 0xffffffff, "its entry 0xffffffff is in none"),
	SEGMENT(0, p_offset, 0xffffffff, "segment 0 ends behind the file"),
	SEGMENT(0, p_offset, 0xfffff000, "segment 0 ends behind the file"),
	SEGMENT(1, p_offset, sizeof(struct file) - 99, "segment 1 ends behind the file"),
	SEGMENT(0, p_filesz, 4097, "segment 0 has 0x1001 bytes in the file but 0x1000"),
	SEGMENT(0, p_filesz, 0xffffffff, "segment 0 has 0xffffffff bytes in the file"),
	SEGMENT(0, p_memsz, 0, "segment 0 has 0x1000 bytes in the file but 0x0"),
	SEGMENT(0, p_memsz, 0x100001, "segments overlap at 0x100000 and 0x200000"),
	SEGMENT(1, p_memsz, 0xffffffff, "needs 0xffffffff bytes at 0x200000"),
	SEGMENT(1, p_memsz, MEMORY - 0x200000 + 1, "guest memory is free from 0x2000 to 0x1000000"),
	SEGMENT(2, p_memsz, 0xffe00000, "segment 2 needs 0xffe00000 bytes"),
	SEGMENT(0, p_paddr, 0, "at 0x0, guest memory is free from 0x2000"),
	SEGMENT(0, p_paddr, 0x1fff, "at 0x1fff, guest memory is free from 0x2000"),
	SEGMENT(0, p_paddr, MEMORY, "at 0x1000000, guest memory"),
	SEGMENT(0, p_paddr, MEMORY - 4095, "at 0xfff001, guest memory"),
	SEGMENT(0, p_paddr, 0xfffff000, "at 0xfffff000, guest memory"),
	SEGMENT(0, p_paddr, 0xffffffff, "at 0xffffffff, guest memory"),
	SEGMENT(1, p_paddr, 0x100fff, "segments overlap at 0x100000 and 0x100fff"),
	SEGMENT(2, p_paddr, 0x100008, "segments overlap at 0x100000 and 0x100008"),
	SEGMENT(0, p_vaddr, 0xfffff001, "segment 0 wraps around"),
	SEGMENT(0, p_vaddr, 0xffffffff, "segment 0 wraps around"),
};

TEST_F(loader, each_fault_has_its_sentence)
{
	const struct fault *f;

	for (f = faults; f < faults + ARRAY_SIZE(faults); f++) {
		make_file(&self->file);
		memcpy((uint8_t *)&self->file + f->at, &f->value, f->len);
		EXPECT_EQ(-1, load(self, sizeof(self->file), MEMORY)) TH_LOG("%s", f->sentence);
		EXPECT_NE(NULL, strstr(self->error.text, f->sentence))
			TH_LOG("'%s' lacks '%s'", self->error.text, f->sentence);
		EXPECT_EQ(0, strncmp(self->error.text, "the-file: ", 10));
		EXPECT_EQ(NULL, strchr(self->error.text, '\n'));
	}
}

/* A segment without a byte is none, wherever it says it is. */
TEST_F(loader, empty_segments_are_left_out)
{
	self->file.segment[0].p_filesz = 0;
	self->file.segment[0].p_memsz = 0;
	self->file.segment[0].p_paddr = 0xfffff000;
	self->file.header.e_entry = 0x300000;
	EXPECT_EQ(0, load(self, sizeof(self->file), MEMORY));
	EXPECT_EQ(0x200000, self->loaded.lowest);
}

TEST_F(loader, nothing_to_load)
{
	int i;

	for (i = 0; i < SEGMENTS; i++)
		self->file.segment[i].p_type = PT_NOTE;
	EXPECT_EQ(-1, load(self, sizeof(self->file), MEMORY));
	EXPECT_STREQ("the-file: nothing in it is to be loaded", self->error.text);
}

/* Cut anywhere, the file is refused; the last byte counts. */
TEST_F(loader, truncated_anywhere)
{
	size_t size;

	for (size = 0; size < sizeof(self->file); size++) {
		ASSERT_EQ(-1, load(self, size, MEMORY)) TH_LOG("%zu bytes", size);
		EXPECT_NE(NULL,
			  strstr(self->error.text, size < 4 ? "not an ELF file" : "truncated"))
		TH_LOG("%zu bytes: %s", size, self->error.text);
	}
}

/* What lies above the limit (page tables, an initrd) is not the kernel's to overwrite. */
TEST_F(loader, limit_is_kept)
{
	EXPECT_EQ(0, load(self, sizeof(self->file), 0x300010));
	EXPECT_EQ(-1, load(self, sizeof(self->file), 0x30000f));
	EXPECT_NE(NULL, strstr(self->error.text, "segment 2"));
	EXPECT_EQ(-1, load(self, sizeof(self->file), 0));
	/* A limit behind memory means memory. */
	self->file.segment[2].p_paddr = MEMORY - 8;
	EXPECT_EQ(-1, load(self, sizeof(self->file), UINT64_MAX));
}

/* Bytes changed at random: accepted or refused with a sentence, and never a byte outside (ASan). */
TEST_F(loader, random_headers)
{
	const size_t headers = offsetof(struct file, text);
	unsigned int accepted = 0, i, j, changes;

	srand(1);
	for (i = 0; i < 20000; i++) {
		make_file(&self->file);
		changes = 1 + rand() % 4;
		for (j = 0; j < changes; j++)
			((uint8_t *)&self->file)[rand() % headers] = rand() % 3 ? rand() :
										  rand() % 2 * 255;
		if (!load(self, sizeof(self->file), MEMORY)) {
			accepted++;
			EXPECT_LE(LGUEST_BOOT_END, self->loaded.lowest);
			EXPECT_LT(self->loaded.lowest, self->loaded.end);
			EXPECT_LE(self->loaded.end, MEMORY);
			EXPECT_GE(self->loaded.entry, self->loaded.lowest);
			EXPECT_LT(self->loaded.entry, self->loaded.end);
		} else {
			EXPECT_NE(0, self->error.text[0]);
		}
	}
	EXPECT_GT(accepted, 1000);
	EXPECT_LT(accepted, 19000);
}

TEST_F(loader, magic_entry)
{
	static const char magic[] = "GenuineLguest";
	uint8_t *base = self->mem.base;

	EXPECT_EQ(-1, lguest_find_magic_entry(&self->mem, 0, MEMORY));
	memcpy(base + MEMORY - 13, magic, 13);
	EXPECT_EQ(MEMORY, lguest_find_magic_entry(&self->mem, 0, MEMORY));
	EXPECT_EQ(-1, lguest_find_magic_entry(&self->mem, 0, MEMORY - 1));
	EXPECT_EQ(MEMORY, lguest_find_magic_entry(&self->mem, MEMORY - 13, MEMORY));
	EXPECT_EQ(-1, lguest_find_magic_entry(&self->mem, MEMORY - 12, MEMORY));
	memcpy(base + 0x4ffc, magic, 13);
	EXPECT_EQ(0x5009, lguest_find_magic_entry(&self->mem, 0, MEMORY));
	EXPECT_EQ(-1, lguest_find_magic_entry(&self->mem, 0, MEMORY + 1));
	EXPECT_EQ(-1, lguest_find_magic_entry(&self->mem, 10, 5));
}

TEST(missing_and_odd_files)
{
	struct lguest_error error;
	struct lguest_image image;

	EXPECT_EQ(-1, lguest_image_open(&image, "/nowhere/at-all", &error));
	EXPECT_STREQ("/nowhere/at-all: No such file or directory", error.text);
	EXPECT_EQ(-1, lguest_image_open(&image, "/", &error));
	EXPECT_STREQ("/: not a regular file", error.text);
	EXPECT_EQ(-1, lguest_image_open(&image, "/dev/null", &error));
	EXPECT_STREQ("/dev/null: not a regular file", error.text);
	ASSERT_EQ(0, lguest_image_open(&image, "/proc/self/exe", &error));
	EXPECT_TRUE(lguest_image_is_elf(&image));
	lguest_image_close(&image);
}

/* ---- The rest of memory ---- */
TEST(linear_page_tables_name_every_page)
{
	static const uint64_t sizes[] = { MIB,	    MIB + 4096,	  4 * MIB, 4 * MIB + 4096,
					  64 * MIB, 3072ull * MIB };
	struct lguest_error error;
	struct lguest_memory mem;
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t page, pages = sizes[i] / 4096, top = sizes[i] - 8 * 4096;
		uint32_t *pgdir, *table = NULL;
		int64_t gpa;

		ASSERT_EQ(0, lguest_memory_map(&mem, sizes[i], LGUEST_MEMORY_FILE, &error));
		gpa = lguest_linear_page_tables(&mem, top, &error);
		ASSERT_EQ(top - ((pages + 1023) / 1024 + 1) * 4096, gpa) TH_LOG("%s", error.text);
		pgdir = lguest_memory_at(&mem, gpa, 4096);
		for (page = 0; page < pages; page++) {
			ASSERT_EQ(7, pgdir[page / 1024] & 0xfff);
			table = lguest_memory_at(&mem, pgdir[page / 1024] & -4096u, 4096);
			ASSERT_NE(NULL, table);
			ASSERT_EQ(page * 4096 + 7, table[page % 1024]);
		}
		/* And nothing beyond memory. */
		for (page = pages; page % 1024; page++) {
			ASSERT_EQ(0, table[page % 1024]);
		}
		for (page = (pages + 1023) / 1024; page < 1024; page++) {
			ASSERT_EQ(0, pgdir[page]);
		}
		lguest_memory_unmap(&mem);
	}
}

TEST(linear_page_tables_need_room)
{
	struct lguest_error error;
	struct lguest_memory mem;

	ASSERT_EQ(0, lguest_memory_map(&mem, 2 * 4096, LGUEST_MEMORY_ANONYMOUS, &error));
	EXPECT_EQ(0, lguest_linear_page_tables(&mem, 2 * 4096, &error));
	EXPECT_EQ(-1, lguest_linear_page_tables(&mem, 4096, &error));
	EXPECT_EQ(-1, lguest_linear_page_tables(&mem, 3 * 4096, &error));
	EXPECT_EQ(-1, lguest_linear_page_tables(&mem, 8191, &error));
	lguest_memory_unmap(&mem);

	mem = (struct lguest_memory){ .size = (4096ull << 20) + 4096 };
	EXPECT_EQ(-1, lguest_linear_page_tables(&mem, mem.size, &error));
	EXPECT_NE(NULL, strstr(error.text, "a 32-bit guest can name only 4096"));
}

TEST(memory_at_checks_both_ends)
{
	struct lguest_error error;
	struct lguest_memory mem;

	EXPECT_EQ(-1, lguest_memory_map(&mem, 0, LGUEST_MEMORY_ANONYMOUS, &error));
	ASSERT_EQ(0, lguest_memory_map(&mem, MIB - 1, LGUEST_MEMORY_ANONYMOUS, &error));
	EXPECT_EQ(MIB, mem.size);
	EXPECT_EQ(0, (uintptr_t)mem.base % LGUEST_MEMORY_ALIGN);
	EXPECT_EQ(mem.base, lguest_memory_at(&mem, 0, MIB));
	EXPECT_EQ(mem.base + MIB - 1, lguest_memory_at(&mem, MIB - 1, 1));
	EXPECT_NE(NULL, lguest_memory_at(&mem, MIB, 0));
	EXPECT_EQ(NULL, lguest_memory_at(&mem, MIB, 1));
	EXPECT_EQ(NULL, lguest_memory_at(&mem, 0, MIB + 1));
	EXPECT_EQ(NULL, lguest_memory_at(&mem, UINT64_MAX, 1));
	EXPECT_EQ(NULL, lguest_memory_at(&mem, UINT64_MAX, UINT64_MAX));
	EXPECT_EQ(NULL, lguest_memory_at(&mem, 4096, UINT64_MAX - 4095));
	lguest_memory_unmap(&mem);
}

static int boot_params_with(const struct lguest_memory *mem, const char *cmdline,
			    struct lguest_error *error)
{
	return lguest_boot_params(mem, &(struct lguest_boot){ .cmdline = cmdline }, error);
}

TEST(boot_params_follow_the_protocol)
{
	struct boot_params *params;
	struct lguest_error error;
	struct lguest_memory mem;
	char line[LGUEST_CMDLINE_MAX + 1];

	ASSERT_EQ(0, lguest_memory_map(&mem, 3 * MIB, LGUEST_MEMORY_ANONYMOUS, &error));
	ASSERT_EQ(0, boot_params_with(&mem, "console=hvc0", &error));
	params = lguest_memory_at(&mem, LGUEST_BOOT_PARAMS, sizeof(*params));
	EXPECT_EQ(LGUEST_SUBARCH, params->hdr.hardware_subarch);
	EXPECT_STREQ("console=hvc0", lguest_memory_at(&mem, params->hdr.cmd_line_ptr, 13));
	EXPECT_EQ(2, params->e820_entries);
	EXPECT_EQ(MIB, params->e820_table[0].size);
	EXPECT_EQ(MIB, params->e820_table[1].addr);
	EXPECT_EQ(2 * MIB, params->e820_table[1].size);

	memset(line, 'x', sizeof(line));
	line[LGUEST_CMDLINE_MAX] = 0;
	EXPECT_EQ(-1, boot_params_with(&mem, line, &error));
	line[LGUEST_CMDLINE_MAX - 1] = 0;
	EXPECT_EQ(0, boot_params_with(&mem, line, &error));
	lguest_memory_unmap(&mem);

	ASSERT_EQ(0, lguest_memory_map(&mem, 4096, LGUEST_MEMORY_ANONYMOUS, &error));
	EXPECT_EQ(-1, boot_params_with(&mem, "", &error));
	lguest_memory_unmap(&mem);
}

TEST_HARNESS_MAIN
