// SPDX-License-Identifier: GPL-2.0
/*
 * lguest debug: where a guest's kernel is, and how it came there.
 *
 * Registers and page tables are those of debugfs; memory is read through the
 * process that runs the guest. All of it goes on meanwhile: what is shown is as
 * good as a snapshot only if the guest waits or is paused.
 *
 * With a vmlinux, elfutils unwinds by its call frame information (DWARF) and knows
 * lines of source. With a System.map, frame pointers are followed where there are
 * any; what else on the stack may be a return address has a question mark.
 */
#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "look.h"
#include "symbols.h"
#include "verb.h"

static const char usage[] =
	"usage: lguest debug GUEST FILE\n"
	"\n"
	"Shows the registers of a guest and a stack trace of its kernel. FILE is the\n"
	"vmlinux of that kernel (best with debug information) or its System.map.\n"
	"\n"
	"GUEST is its name, or the number that 'lguest list' shows. The guest goes on\n"
	"meanwhile; 'lguest pause' first makes it stand still.\n";

#define FRAMES_MAX 64
/* Words of the stack that are looked at for return addresses. */
#define STACK_WORDS 1024

/* Registers by their DWARF numbers (System V ABI, Intel386, table 2.14). */
static const char *const dwarf_registers[] = {
	"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip",
};

#define REG_SP 4
#define REG_BP 5
#define REG_IP 8
#define REGS ARRAY_SIZE(dwarf_registers)

struct target {
	struct look_guest guest;
	struct look_range *ranges; /* the guest's own page tables */
	size_t range_count;
	uint64_t memory; /* its address in the process that runs it */
	int fd; /* of that process's memory */
	uint32_t reg[REGS];
	unsigned int frames;
};

/* ---- The guest ---- */

/* Bytes of guest memory by their virtual address, inside one page. */
static bool read_memory(const struct target *t, uint64_t address, void *to,
			size_t len)
{
	size_t i;

	for (i = 0; i < t->range_count; i++) {
		const struct look_range *r = &t->ranges[i];
		uint64_t gpa = r->gpa + (address - r->start);

		if (address < r->start || address + len - 1 > r->end)
			continue;
		return pread(t->fd, to, len, t->memory + gpa) == (ssize_t)len;
	}
	return false;
}

static bool read_word(const struct target *t, uint64_t address, uint32_t *word)
{
	uint8_t byte[4];
	unsigned int i;

	/* Its bytes may lie in two pages. */
	for (i = 0; i < 4; i++) {
		if (!read_memory(t, (uint32_t)(address + i), &byte[i], 1))
			return false;
	}
	*word = byte[0] | byte[1] << 8 | byte[2] << 16 | (uint32_t)byte[3] << 24;
	return true;
}

static int open_target(struct target *t, struct lguest_error *error)
{
	char *regs = look_read(&t->guest, "vcpu0/regs");
	char *tables = look_read(&t->guest, "vcpu0/pagetables");
	char *memory = look_read(&t->guest, "memory");
	char path[32];
	size_t i;
	int err;

	if (!regs || !tables || !memory) {
		err = lguest_fail(error, "%s cannot be looked at: %s",
				  t->guest.name, strerror(errno));
		goto out;
	}
	look_print(stdout, regs);
	for (i = 0; i < REGS; i++)
		t->reg[i] = look_number(regs, dwarf_registers[i], 16, 0);
	t->memory = look_number(memory, "launcher_address", 16, 0);
	t->range_count = look_ranges(tables, "", &t->ranges);
	snprintf(path, sizeof(path), "/proc/%d/mem", t->guest.pid);
	t->fd = open(path, O_RDONLY | O_CLOEXEC);
	err = t->fd < 0 ? lguest_fail(error, "%s: %s", path, strerror(errno)) :
			  0;
out:
	free(regs);
	free(tables);
	free(memory);
	return err;
}

static void close_target(struct target *t)
{
	if (t->fd >= 0)
		close(t->fd);
	free(t->ranges);
}

/* ---- With a System.map ---- */

static bool show_address(const struct symbols *symbols, uint32_t address,
			 bool sure)
{
	uint64_t offset;
	const char *name = symbols_find(symbols, address, &offset);

	if (!name)
		return false;
	printf("  %s[%08x] %s+0x%" PRIx64 "\n", sure ? "  " : "? ", address, name,
	       offset);
	return true;
}

/*
 * From the stack pointer up: words that point into the text. One that stands where
 * the chain of frame pointers has its return address is sure.
 */
static void trace_by_map(struct target *t, const struct symbols *symbols)
{
	uint32_t sp = t->reg[REG_SP] & -4u, frame = t->reg[REG_BP], word, next;
	unsigned int i;

	if (!show_address(symbols, t->reg[REG_IP], true))
		printf("    [%08x] not in the kernel's text\n", t->reg[REG_IP]);
	for (i = 0; i < STACK_WORDS && t->frames < FRAMES_MAX; i++, sp += 4) {
		if (!read_word(t, sp, &word))
			break;
		if (sp == frame + 4) {
			t->frames += show_address(symbols, word, true);
			/* Outward only, and not far: else it is no frame pointer. */
			if (read_word(t, frame, &next) && next > frame &&
			    next - frame < STACK_WORDS * 4)
				frame = next;
		} else {
			t->frames += show_address(symbols, word, false);
		}
	}
}

/* ---- With a vmlinux ---- */

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
	struct target *t = arg;

	/* One, and then no more. */
	if (*thread_arg)
		return 0;
	*thread_arg = t;
	return t->guest.pid;
}

static bool memory_read(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *result,
			void *arg)
{
	uint32_t word;

	if (!read_word(arg, address, &word))
		return false;
	*result = word;
	return true;
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
	struct target *t = arg;
	Dwarf_Word word[REGS];
	size_t i;

	for (i = 0; i < REGS; i++)
		word[i] = t->reg[i];
	return dwfl_thread_state_registers(thread, 0, REGS, word);
}

static int show_frame(Dwfl_Frame *frame, void *arg)
{
	Dwfl *dwfl = dwfl_thread_dwfl(dwfl_frame_thread(frame));
	struct target *t = arg;
	const char *name = NULL, *file = NULL;
	Dwarf_Addr pc, in_call;
	Dwfl_Module *module;
	GElf_Off offset = 0;
	bool is_call_site;
	GElf_Sym symbol;
	Dwfl_Line *line;
	int number = 0;

	if (!dwfl_frame_pc(frame, &pc, &is_call_site))
		return DWARF_CB_ABORT;
	/* The return address may be behind the function that called. */
	in_call = is_call_site ? pc : pc - 1;
	module = dwfl_addrmodule(dwfl, in_call);
	if (module) {
		name = dwfl_module_addrinfo(module, in_call, &offset, &symbol,
					    NULL, NULL, NULL);
		line = dwfl_module_getsrc(module, in_call);
		if (line)
			file = dwfl_lineinfo(line, NULL, &number, NULL, NULL,
					     NULL);
	}
	printf("    [%08" PRIx64 "]", (uint64_t)pc);
	if (name)
		printf(" %s+0x%" PRIx64, name, (uint64_t)(offset + pc - in_call));
	if (file)
		printf("  %s:%d", file, number);
	putchar('\n');
	return ++t->frames < FRAMES_MAX ? DWARF_CB_OK : DWARF_CB_ABORT;
}

static int trace_by_elf(struct target *t, const char *path,
			struct lguest_error *error)
{
	static const Dwfl_Thread_Callbacks threads = {
		.next_thread = next_thread,
		.memory_read = memory_read,
		.set_initial_registers = set_registers,
	};
	static char *no_debuginfo_path;
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_build_id_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
		.section_address = dwfl_offline_section_address,
		.debuginfo_path = &no_debuginfo_path,
	};
	Dwfl *dwfl = dwfl_begin(&callbacks);
	int err = 0;

	/* An ET_EXEC goes where it was linked to. */
	if (!dwfl || !dwfl_report_elf(dwfl, "kernel", path, -1, 0, false) ||
	    dwfl_report_end(dwfl, NULL, NULL) ||
	    !dwfl_attach_state(dwfl, NULL, t->guest.pid, &threads, t)) {
		err = lguest_fail(error, "%s: %s", path, dwfl_errmsg(-1));
		goto out;
	}
	/* It ends with an error where the stack does, too. */
	if (dwfl_getthread_frames(dwfl, t->guest.pid, show_frame, t) &&
	    !t->frames)
		err = lguest_fail(error, "no stack trace: %s", dwfl_errmsg(-1));
out:
	dwfl_end(dwfl);
	return err;
}

/* ELF begins with these bytes; anything else is taken for a System.map. */
static bool is_elf(const char *path)
{
	char magic[4] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool elf;

	if (fd < 0)
		return false;
	elf = read(fd, magic, sizeof(magic)) == sizeof(magic) &&
	      !memcmp(magic, "\177ELF", sizeof(magic));
	close(fd);
	return elf;
}

static int debug(int argc, char **argv)
{
	struct target t = { .fd = -1 };
	struct symbols symbols = {};
	struct lguest_error error;
	const char *file;
	bool elf;
	int err;

	if (argc != 3)
		return verb_misused("which guest, and which vmlinux or System.map?");
	file = argv[2];
	if (access(file, R_OK))
		return verb_fail(STATUS_USAGE, "%s: %s", file, strerror(errno));
	elf = is_elf(file);
	if (!elf && symbols_load(&symbols, file, &error))
		return verb_fail(STATUS_USAGE, "%s", error.text);
	err = look_find(argv[1], &t.guest, &error);
	if (!err)
		err = open_target(&t, &error);
	if (!err) {
		printf("stack\n");
		if (elf)
			err = trace_by_elf(&t, file, &error);
		else
			trace_by_map(&t, &symbols);
	}
	close_target(&t);
	symbols_free(&symbols);
	return err ? verb_fail(STATUS_FAILED, "%s", error.text) : STATUS_OK;
}

const struct verb verb_debug = {
	.name = "debug",
	.summary = "Show where a guest's kernel is, and how it came there",
	.usage = usage,
	.run = debug,
};
