// SPDX-License-Identifier: GPL-2.0
/*
 * What debugfs and sysfs say of a Guest is true: of one whose tables and registers are known
 * (guests/looked_at.c), while it runs, while it is stopped, and when it has died.
 *
 * lguest-host: smp=1
 * lguest-host: smp=2
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include "harness.h"
#include "helper.h"
#include "look.h"
#include "guests/looked_at.h"

#include <asm/lguest.h>

#define TEXT	(1 << 20)

FIXTURE(guest) {
	struct vm vm;
	char folder[LOOK_FOLDER];
	char *text;
};

FIXTURE_SETUP(guest)
{
	vm_start(&self->vm, "looked_at", NULL);
	look_folder(self->folder, sizeof(self->folder));
	self->text = malloc(TEXT);
	ASSERT_NE(NULL, self->text);
	vm_sync(&self->vm, 1);
}

FIXTURE_TEARDOWN(guest)
{
	vm_stop(&self->vm);
}

static void expect_registers(const char *text, const struct mailbox *box)
{
	static const struct {
		const char *name;
		uint32_t value;
	} known[] = {
		{ "eax", LOOKED_AX }, { "ebx", LOOKED_BX }, { "ecx", LOOKED_CX }, { "edx", LOOKED_DX },
		{ "esi", LOOKED_SI }, { "edi", LOOKED_DI }, { "ebp", LOOKED_BP },
		{ "cs", LGUEST_BOOT_CS }, { "ss", LGUEST_BOOT_DS }, { "ds", LGUEST_BOOT_DS },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		uint32_t value = look_number(text, known[i].name, 16);

		if (value != known[i].value)
			FAIL("%s is said to be %#x, not %#x", known[i].name, value, known[i].value);
	}
	if (look_number(text, "eip", 16) != box->out[LOOKED_SPIN])
		FAIL("not at the loop:\n%s", text);
	if (look_number(text, "esp", 16) != box->out[LOOKED_STACK])
		FAIL("another stack:\n%s", text);
	if (look_number(text, "cr3", 16) != box->out[LOOKED_PGDIR])
		FAIL("another page directory:\n%s", text);
	/* Carry was set; virtual interrupts are off. */
	if ((look_number(text, "eflags", 16) & 0x201) != 0x1 || !strstr(look_line(text, "eflags"), " CF"))
		FAIL("other flags:\n%s", text);
	/* jmp to itself. */
	if (!look_line(text, "level  kernel") || !look_line(text, "exact  yes") || !look_line(text, "code   eb fe"))
		FAIL("not what was expected:\n%s", text);
}

static bool spins(struct vm *vm, const char *folder, char *text)
{
	look_file(folder, "vcpu0/regs", text, TEXT);
	return look_number(text, "eip", 16) == vm->mailbox->out[LOOKED_SPIN];
}

/* Of the test that runs; its helper has no other way to get them. */
static char *helper_text, *helper_folder;

static void look_while_it_spins(struct vm *vm)
{
	while (!spins(vm, helper_folder, helper_text))
		usleep(1000);
	for (int i = 0; i < 20; i++) {
		look_file(helper_folder, "vcpu0/regs", helper_text, TEXT);
		expect_registers(helper_text, vm->mailbox);
	}
	/* Now and then it is between two read()s. */
	do
		look_file(helper_folder, "state", helper_text, TEXT);
	while (!strcmp(helper_text, "launcher\n"));
	if (strcmp(helper_text, "guest\n") && strcmp(helper_text, "host\n"))
		FAIL("state is %s", helper_text);
	lguest_break(vm->fd, 1);
}

TEST_F(guest, registers_of_one_that_runs_and_of_one_that_is_stopped)
{
	struct helper helper;

	helper_text = self->text;
	helper_folder = self->folder;
	start_helper(&helper, &self->vm, look_while_it_spins);
	EXPECT_EQ(LGUEST_EXIT_BREAK, vm_run(&self->vm));
	pthread_join(helper.thread, NULL);

	look_file(self->folder, "vcpu0/regs", self->text, TEXT);
	expect_registers(self->text, self->vm.mailbox);
	look_file(self->folder, "state", self->text, TEXT);
	EXPECT_STREQ("launcher\n", self->text);
}

TEST_F(guest, registers_that_the_launcher_has_set)
{
	EXPECT_EQ(0, lguest_set_reg(self->vm.fd, LGUEST_REG_CX, 0x31415926));
	look_file(self->folder, "vcpu0/regs", self->text, TEXT);
	EXPECT_EQ(0x31415926, look_number(self->text, "ecx", 16));
}

TEST_F(guest, name)
{
	static const char name[] = "a name with spaces, and \xc3\xa4";

	look_file(self->folder, "name", self->text, TEXT);
	EXPECT_STREQ("look\n", self->text);
	EXPECT_EQ(3 * sizeof(long),
		  lguest_write_words(self->vm.fd, (unsigned long[]){ LHREQ_NAME, (long)name, strlen(name) }, 3));
	look_file(self->folder, "name", self->text, TEXT);
	EXPECT_EQ(0, strncmp(self->text, name, strlen(name)));
	EXPECT_STREQ("\n", self->text + strlen(name));

	EXPECT_EQ(-EINVAL, lguest_write_words(self->vm.fd, (unsigned long[]){ LHREQ_NAME, (long)name, 0 }, 3));
	EXPECT_EQ(-EINVAL, lguest_write_words(self->vm.fd, (unsigned long[]){ LHREQ_NAME, (long)name, 64 }, 3));
	EXPECT_EQ(-EINVAL, lguest_write_words(self->vm.fd, (unsigned long[]){ LHREQ_NAME, (long)"a\nb", 3 }, 3));
	EXPECT_EQ(-EFAULT, lguest_write_words(self->vm.fd, (unsigned long[]){ LHREQ_NAME, 8, 3 }, 3));
	/* Nothing of that has changed it. */
	look_file(self->folder, "name", self->text, TEXT);
	EXPECT_EQ(0, strncmp(self->text, name, strlen(name)));
}

TEST_F(guest, numbers)
{
	look_file(self->folder, "memory", self->text, TEXT);
	EXPECT_EQ(self->vm.memory.size, look_number(self->text, "guest_bytes", 10));
	EXPECT_LT(0, look_number(self->text, "host_bytes", 10));
	EXPECT_LE(look_number(self->text, "shadow_pages", 10), look_number(self->text, "shadow_pages_max", 10));

	look_file(self->folder, "stats", self->text, TEXT);
	EXPECT_LE(LOOKED_FLUSHES, look_number(self->text, "hypercalls", 10));
	EXPECT_LT(look_number(self->text, "hypercalls", 10), look_number(self->text, "exits", 10));
	EXPECT_LT(0, look_number(self->text, "page_faults", 10));
	EXPECT_LT(0, look_number(self->text, "shadow_fills", 10));
	EXPECT_EQ(0, look_number(self->text, "page_faults_reflected", 10));

	look_file(self->folder, "uptime", self->text, TEXT);
	EXPECT_LT(0.0, atof(self->text));
	EXPECT_GT(1000.0, atof(self->text));
}

/* "NR NAME COUNT ..." */
static unsigned long long count_of(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

TEST_F(guest, hypercalls_and_exits_are_counted)
{
	look_file(self->folder, "vcpu0/hypercalls", self->text, TEXT);
	EXPECT_EQ(LOOKED_FLUSHES, count_of(self->text, " FLUSH_ASYNC "));
	EXPECT_EQ(1, count_of(self->text, " LGUEST_INIT "));
	EXPECT_EQ(1, count_of(self->text, " NOTIFY "));
	EXPECT_EQ(0, count_of(self->text, " SHUTDOWN "));

	look_file(self->folder, "vcpu0/exits", self->text, TEXT);
	EXPECT_LT(LOOKED_FLUSHES, count_of(self->text, "hypercall "));
	EXPECT_LT(0, count_of(self->text, "page_fault "));
	EXPECT_LT(0, count_of(self->text, "launcher "));
	EXPECT_EQ(0, count_of(self->text, "bad_hypercall "));
}

TEST_F(guest, last_exits)
{
	char *line, *next = self->text;
	unsigned int flushes = 0, lines = 0;
	double left, before = 0;
	char last[256] = "";

	look_file(self->folder, "vcpu0/last_exits", self->text, TEXT);
	strsep(&next, "\n");
	while ((line = strsep(&next, "\n")) && *line) {
		left = atof(line);
		EXPECT_LE(before, left) TH_LOG("%s", line);
		before = left;
		flushes += !!strstr(line, " hypercall FLUSH_ASYNC ebx 00000000");
		EXPECT_NE(NULL, strstr(line, " kernel "));
		snprintf(last, sizeof(last), "%s", line);
		lines++;
	}
	EXPECT_EQ(LOOKED_FLUSHES, flushes);
	EXPECT_GE(256, lines);
	/* It waits for the Launcher, which guest_sync() has called. */
	EXPECT_NE(NULL, strstr(last, " hypercall NOTIFY ebx 00002000")) TH_LOG("%s", last);
}

TEST_F(guest, descriptors)
{
	const char *line;

	look_file(self->folder, "vcpu0/gdt", self->text, TEXT);
	EXPECT_NE(NULL, look_line(self->text, "gdt by hypercalls\n"));
	line = look_line(self->text, "00a0 ");
	ASSERT_NE(NULL, line);
	EXPECT_EQ(0, strncmp(line, "00a0 base 12345000 limit 000fffff dpl 3 present data rw 32",
			     strlen("00a0 base 12345000 limit 000fffff dpl 3 present data rw 32")))
		TH_LOG("%s", line);
	line = look_line(self->text, "0060 ");
	ASSERT_NE(NULL, line);
	EXPECT_EQ(0, strncmp(line, "0060 base 00000000 limit ffffffff dpl 1 present code rx 32 accessed usable: kernel\n",
			     strlen("0060 base 00000000 limit ffffffff dpl 1 present code rx 32 accessed usable: kernel\n")))
		TH_LOG("%s", line);

	look_file(self->folder, "vcpu0/idt", self->text, TEXT);
	line = look_line(self->text, "0e 0061:c00");
	ASSERT_NE(NULL, line);
	EXPECT_NE(NULL, strstr(line, " dpl 0 present trap gate page_fault\n"));
	/* Never the Guest's. */
	EXPECT_EQ(NULL, look_line(self->text, "08 "));
	EXPECT_EQ(NULL, look_line(self->text, "1f "));

	look_file(self->folder, "vcpu0/tss", self->text, TEXT);
	EXPECT_NE(NULL, look_line(self->text, "by hypercall: level 1 ss 0069 esp c0"));
	EXPECT_NE(NULL, look_line(self->text, "no task register\n"));
}

TEST_F(guest, page_tables_and_shadow)
{
	uint32_t page = self->vm.mailbox->out[LOOKED_PAGE];
	char want[128];

	look_file(self->folder, "vcpu0/pagetables", self->text, TEXT);
	snprintf(want, sizeof(want), "paging 2-level cr3 %08x\n", self->vm.mailbox->out[LOOKED_PGDIR]);
	EXPECT_NE(NULL, look_line(self->text, want));
	snprintf(want, sizeof(want), "40000000-40000fff        4K %08x r-x user 4K\n", page);
	EXPECT_NE(NULL, look_line(self->text, want)) TH_LOG("%s", self->text);
	snprintf(want, sizeof(want), "40001000-40001fff        4K %08x rwx kernel 4K\n", page + 4096);
	EXPECT_NE(NULL, look_line(self->text, want)) TH_LOG("%s", self->text);
	EXPECT_NE(NULL, look_line(self->text, "c0000000-c0ffffff    16384K 00000000 rwx user 4K\n"));
	EXPECT_EQ(NULL, look_line(self->text, "40002000-"));

	look_file(self->folder, "vcpu0/shadow", self->text, TEXT);
	snprintf(want, sizeof(want), "kernel 40000000-40000fff        4K %08x r-x kernel 4K\n", page);
	EXPECT_NE(NULL, look_line(self->text, want)) TH_LOG("%s", self->text);
	snprintf(want, sizeof(want), "kernel 40001000-40001fff        4K %08x rwx kernel 4K\n", page + 4096);
	EXPECT_NE(NULL, look_line(self->text, want)) TH_LOG("%s", self->text);
	EXPECT_EQ(NULL, look_line(self->text, "user   "));
	EXPECT_NE(NULL, look_line(self->text, "user view: 0 shadow pages of level 2, 0 of level 1, 0 entries\n"));
}

static void translate(const char *folder, const char *address, char *text)
{
	char path[LOOK_PATH];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/vcpu0/translate", folder);
	fd = open(path, O_RDWR);
	if (fd < 0 || write(fd, address, strlen(address)) != strlen(address))
		FAIL("%s: %s", path, strerror(errno));
	len = look_fd(fd, text, TEXT);
	if (len < 0)
		FAIL("%s: %s", path, strerror(-len));
	close(fd);
}

TEST_F(guest, translate)
{
	uint32_t page = self->vm.mailbox->out[LOOKED_PAGE];
	char want[128], path[LOOK_PATH], again[4096];
	int fd;

	translate(self->folder, "40000123\n", self->text);
	EXPECT_NE(NULL, look_line(self->text, "address 40000123 paging 2-level\n"));
	snprintf(want, sizeof(want), "guest: %08x r-x user\n", page + 0x123);
	EXPECT_NE(NULL, look_line(self->text, want)) TH_LOG("%s", self->text);
	snprintf(want, sizeof(want), "kernel view: %08x r-x\n", page + 0x123);
	EXPECT_NE(NULL, look_line(self->text, want)) TH_LOG("%s", self->text);
	EXPECT_NE(NULL, look_line(self->text, "user view: no entry\n"));
	EXPECT_NE(NULL, look_line(self->text, "differ: only the kernel view has an entry\n"));

	/* Another reader who does not say what he wants gets the same. */
	look_file(self->folder, "vcpu0/translate", again, sizeof(again));
	EXPECT_STREQ(again, self->text);

	translate(self->folder, "40002000", self->text);
	EXPECT_NE(NULL, look_line(self->text, "guest: page fault, error 0\n")) TH_LOG("%s", self->text);

	snprintf(path, sizeof(path), "%s/vcpu0/translate", self->folder);
	fd = open(path, O_WRONLY);
	EXPECT_EQ(-1, write(fd, "100000000", 9));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(fd, "nonsense", 8));
	EXPECT_EQ(EINVAL, errno);
	close(fd);
}

/* Looking sets no bit in the Guest's tables: an entry that was never used stays so. */
TEST_F(guest, looking_does_not_touch)
{
	uint32_t *pgdir = (uint32_t *)((char *)self->vm.memory.base + self->vm.mailbox->out[LOOKED_PGDIR]);
	uint32_t *table = (uint32_t *)((char *)self->vm.memory.base + (pgdir[LOOKED_USER >> 22] & -4096u));

	table[LOOKED_ABSENT >> 12 & 1023] = self->vm.mailbox->out[LOOKED_PAGE] | 7;
	translate(self->folder, "40002000", self->text);
	EXPECT_NE(NULL, strstr(self->text, " rw user\n")) TH_LOG("%s", self->text);
	look_file(self->folder, "vcpu0/pagetables", self->text, TEXT);
	EXPECT_NE(NULL, look_line(self->text, "40002000-40002fff"));
	EXPECT_EQ(self->vm.mailbox->out[LOOKED_PAGE] | 7, table[LOOKED_ABSENT >> 12 & 1023]);
}

/*
 * Memory that the Launcher has never touched, or gives back, cannot be read, and does not come back
 * by looking.
 */
TEST_F(guest, a_table_that_is_gone)
{
	uint32_t gone = self->vm.memory.size - (4 << 20);
	uint32_t *pgdir = (uint32_t *)((char *)self->vm.memory.base + self->vm.mailbox->out[LOOKED_PGDIR]);
	unsigned char in_memory;
	char want[128];

	gone &= -4096u;
	ASSERT_EQ(0, madvise((char *)self->vm.memory.base + gone, 4096, MADV_DONTNEED));
	pgdir[0x50000000 >> 22] = gone | 7;
	look_file(self->folder, "vcpu0/pagetables", self->text, TEXT);
	snprintf(want, sizeof(want), "50000000-503fffff     4096K the table at %08x cannot be read\n", gone);
	EXPECT_NE(NULL, look_line(self->text, want)) TH_LOG("%s", self->text);
	ASSERT_EQ(0, mincore((char *)self->vm.memory.base + gone, 4096, &in_memory));
	EXPECT_EQ(0, in_memory & 1);
}

TEST_F(guest, death)
{
	struct vm vm;
	char folder[LOOK_FOLDER];

	look_file(self->folder, "vcpu0/death", self->text, TEXT);
	EXPECT_STREQ("", self->text);

	vm_start(&vm, "looked_at", NULL);
	look_folder(folder, sizeof(folder));
	EXPECT_STRNE(self->folder, folder);
	vm_sync(&vm, 1);
	/* A second LGUEST_INIT. */
	EXPECT_EQ(0, lguest_set_reg(vm.fd, LGUEST_REG_AX, LHCALL_LGUEST_INIT));
	memcpy((char *)vm.memory.base + GUEST_LOAD_GPA, "\xcd\x1f", 2);
	EXPECT_EQ(0, lguest_set_reg(vm.fd, LGUEST_REG_IP, PAGE_OFFSET_DEFAULT + GUEST_LOAD_GPA));
	vm_dies(&vm, "LGUEST_INIT a second time");
	look_file(folder, "vcpu0/death", self->text, TEXT);
	EXPECT_STREQ(vm.exit.text, self->text);
	look_file(folder, "state", self->text, TEXT);
	EXPECT_STREQ("dead\n", self->text);
	/* The rest can be looked at still. */
	look_file(folder, "vcpu0/regs", self->text, TEXT);
	EXPECT_EQ(LHCALL_LGUEST_INIT, look_number(self->text, "eax", 16));
	vm_stop(&vm);
}

TEST_F(guest, shutdown)
{
	struct vm vm;
	char folder[LOOK_FOLDER];

	vm_start(&vm, "remap", NULL);
	look_folder(folder, sizeof(folder));
	vm_pass(&vm);
	look_file(folder, "state", self->text, TEXT);
	EXPECT_STREQ("shutdown\n", self->text);
	look_file(folder, "vcpu0/death", self->text, TEXT);
	EXPECT_NE(NULL, look_line(self->text, "shutdown 1: "));
	vm_stop(&vm);
	EXPECT_EQ(-1, access(folder, F_OK));
}

/* A file that is open when its Guest goes. */
TEST_F(guest, gone)
{
	static const char *const files[] = { "name", "memory", "stats", "vcpu0/regs", "vcpu0/pagetables",
					     "vcpu0/shadow", "vcpu0/last_exits", "vcpu0/death", "vcpu0/translate" };
	int fd[ARRAY_SIZE(files)];
	char folder[LOOK_FOLDER], path[LOOK_PATH];
	struct vm vm;

	vm_start(&vm, "looked_at", NULL);
	look_folder(folder, sizeof(folder));
	vm_sync(&vm, 1);
	for (int i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		fd[i] = open(path, i == ARRAY_SIZE(files) - 1 ? O_RDWR : O_RDONLY);
		ASSERT_LE(0, fd[i]);
		if (i & 1)
			EXPECT_LE(0, look_fd(fd[i], self->text, 100));
	}
	vm_stop(&vm);
	for (int i = 0; i < ARRAY_SIZE(files); i++) {
		EXPECT_EQ(0, lseek(fd[i], 0, SEEK_SET));
		EXPECT_EQ(-ENODEV, look_fd(fd[i], self->text, TEXT)) TH_LOG("%s", files[i]);
	}
	EXPECT_EQ(-1, write(fd[ARRAY_SIZE(files) - 1], "1000", 4));
	EXPECT_EQ(ENODEV, errno);
	for (int i = 0; i < ARRAY_SIZE(files); i++)
		close(fd[i]);
}

/* Root's alone. */
TEST_F(guest, modes)
{
	char path[LOOK_PATH];
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/vcpu0", self->folder);
	dir = opendir(path);
	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir))) {
		ASSERT_EQ(0, fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW));
		if (S_ISREG(st.st_mode))
			EXPECT_EQ(0, st.st_mode & 0177) TH_LOG("%s", entry->d_name);
	}
	closedir(dir);
}

static long long attribute(const char *name, char *text)
{
	look_file("/sys/class/misc/lguest", name, text, TEXT);
	return atoll(text);
}

TEST_F(guest, sysfs)
{
	long long guests = attribute("guests", self->text), host = attribute("host_bytes", self->text);
	long long memory = attribute("guest_bytes", self->text);
	struct vm vm;

	EXPECT_EQ(LGUEST_ABI_VERSION, attribute("abi_version", self->text));
	EXPECT_EQ(LGUEST_MAX_PFN * 4096ll, attribute("max_guest_bytes", self->text));
	EXPECT_EQ(LGUEST_IRQ_LINES, attribute("irq_lines", self->text));
	EXPECT_EQ(1, attribute("max_vcpus", self->text));
	EXPECT_LE(1, guests);

	vm_start(&vm, "looked_at", &(struct vm_options){ .memory = 32 << 20 });
	EXPECT_EQ(guests + 1, attribute("guests", self->text));
	EXPECT_EQ(memory + (32 << 20), attribute("guest_bytes", self->text));
	EXPECT_LT(host, attribute("host_bytes", self->text));
	vm_stop(&vm);
	EXPECT_EQ(guests, attribute("guests", self->text));
	EXPECT_EQ(memory, attribute("guest_bytes", self->text));
}

TEST_HARNESS_MAIN
