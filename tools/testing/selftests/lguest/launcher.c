// SPDX-License-Identifier: GPL-2.0
/* The minimal launcher: see launcher.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include <asm/lguest.h>

#include "host_state.h"
#include "launcher.h"

#define MEMORY_DEFAULT	(16ull << 20)

void test_failed(const char *file, int line, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "# %s:%d: ", file, line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

uint64_t test_seed(uint64_t salt)
{
	const char *wish = getenv("LGUEST_TEST_SEED");
	uint64_t seed;

	if (wish)
		seed = strtoull(wish, NULL, 0);
	else if (getrandom(&seed, sizeof(seed), GRND_INSECURE) != sizeof(seed))
		FAIL("getrandom: %s", strerror(errno));
	fprintf(stderr, "# LGUEST_TEST_SEED=0x%llx\n", (unsigned long long)seed);
	seed ^= test_random(&salt);
	return test_random(&seed);
}

uint64_t test_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Guests lie beside the test's program: NAME.PAGE_OFFSET.elf. */
static void guest_path(char *path, size_t size, const char *guest, uint32_t page_offset)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len < 0)
		FAIL("/proc/self/exe: %s", strerror(errno));
	self[len] = 0;
	snprintf(path, size, "%s/%s.%08x.elf", dirname(self), guest, page_offset);
}

void vm_small_pages(void)
{
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		FAIL("PR_SET_THP_DISABLE: %s", strerror(errno));
}

void vm_load(struct vm *vm, const char *guest, const struct vm_options *options)
{
	static const struct vm_options none;
	struct lguest_loaded loaded;
	struct lguest_error error;
	struct lguest_image image;
	char path[2 * PATH_MAX];
	int64_t pgdir;

	if (!options)
		options = &none;
	memset(vm, 0, sizeof(*vm));
	vm->name = guest;
	guest_path(path, sizeof(path), guest, options->page_offset ?: PAGE_OFFSET_DEFAULT);

	if (lguest_image_open(&image, path, &error) ||
	    lguest_memory_map(&vm->memory, options->memory ?: MEMORY_DEFAULT, options->kind,
			      &error) ||
	    lguest_boot_params(&vm->memory, &(struct lguest_boot){ .cmdline = "" }, &error))
		FAIL("%s", error.text);
	pgdir = lguest_linear_page_tables(&vm->memory, vm->memory.size, &error);
	if (pgdir < 0 ||
	    lguest_elf_load(&image, &vm->memory, GUEST_LOAD_GPA, pgdir, &loaded, &error))
		FAIL("%s", error.text);
	lguest_image_close(&image);

	vm->pgdir = pgdir;
	vm->entry = loaded.entry;
	vm->mailbox = lguest_memory_at(&vm->memory, MAILBOX_GPA, LGUEST_PAGE_SIZE);
	vm->mailbox->free_start = (loaded.end + LGUEST_PAGE_SIZE - 1) & -LGUEST_PAGE_SIZE;
	vm->mailbox->free_end = pgdir;

	vm->fd = lguest_open();
	if (vm->fd < 0)
		FAIL(LGUEST_DEVICE ": %s", strerror(-vm->fd));
}

void vm_start(struct vm *vm, const char *guest, const struct vm_options *options)
{
	int err;

	vm_load(vm, guest, options);
	do
		err = lguest_initialize(vm->fd, vm->memory.base, vm->memory.size / LGUEST_PAGE_SIZE,
					vm->pgdir, vm->entry);
	while (err == -EINTR);
	if (err)
		FAIL("%s: INITIALIZE: %s", guest, strerror(-err));
}

void vm_stop(struct vm *vm)
{
	close(vm->fd);
	lguest_memory_unmap(&vm->memory);
}

/* True if the Guest's word was meant for this file. */
static bool mailbox_serve(struct vm *vm)
{
	const struct mailbox *box = vm->mailbox;

	if (vm->exit.reason != LGUEST_EXIT_NOTIFY || vm->exit.gpa != MAILBOX_GPA)
		return false;

	switch (box->op) {
	case MAILBOX_PRINT:
		fprintf(stderr, "# guest %s: %.*s\n", vm->name, (int)sizeof(box->text), box->text);
		return true;
	case MAILBOX_FAILED:
		test_failed(box->file, box->line,
			    "guest %s: expected %.*s: 0x%x (%u), not 0x%x (%u)", vm->name,
			    (int)sizeof(box->text), box->text, box->value[0], box->value[0],
			    box->value[1], box->value[1]);
	default:
		return false;
	}
}

int vm_run(struct vm *vm)
{
	int err;

	do {
		err = host_state_run(vm->fd, &vm->exit);
		if (err)
			return err;
	} while (mailbox_serve(vm));
	return vm->exit.reason;
}

/* One line about what the last vm_run() came back with. */
static const char *describe(struct vm *vm, int came)
{
	static char text[LGUEST_TEXT_MAX + 128];

	if (came < 0)
		snprintf(text, sizeof(text), "read: %s", strerror(-came));
	else
		snprintf(text, sizeof(text), "exit %u, gpa 0x%llx, value 0x%llx: %s",
			 vm->exit.reason, (unsigned long long)vm->exit.gpa,
			 (unsigned long long)vm->exit.value, vm->exit.text);
	return text;
}

void vm_pass(struct vm *vm)
{
	int came = vm_run(vm);

	if (came != LGUEST_EXIT_SHUTDOWN || vm->exit.value != LGUEST_SHUTDOWN_POWEROFF ||
	    strcmp(vm->exit.text, "passed"))
		FAIL("guest %s did not pass: %s", vm->name, describe(vm, came));
}

void vm_sync(struct vm *vm, uint32_t number)
{
	int came = vm_run(vm);

	if (came != LGUEST_EXIT_NOTIFY || vm->exit.gpa != MAILBOX_GPA ||
	    vm->mailbox->op != MAILBOX_SYNC || vm->mailbox->number != number)
		FAIL("guest %s did not reach point %u: %s", vm->name, number, describe(vm, came));
}

void vm_dies(struct vm *vm, const char *sentence)
{
	int came = vm_run(vm);

	if (came != LGUEST_EXIT_DEATH || !strstr(vm->exit.text, sentence))
		FAIL("guest %s did not die of \"%s\": %s", vm->name, sentence, describe(vm, came));
}

void vm_passes(const char *guest, const struct vm_options *options)
{
	struct vm vm;

	vm_start(&vm, guest, options);
	vm_pass(&vm);
	vm_stop(&vm);
}
