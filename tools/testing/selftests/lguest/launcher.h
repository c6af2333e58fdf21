/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The minimal launcher of the selftests: a Guest in three lines, on top of liblguest
 * (tools/lguest/lib/). Whatever goes wrong here is the test's failure: it is said on standard error
 * and the test's process aborts, which the harness counts. So nothing here returns an error that a
 * test did not ask for.
 */
#ifndef LGUEST_TEST_LAUNCHER_H
#define LGUEST_TEST_LAUNCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/boot.h"
#include "lib/device.h"
#include "lib/elf.h"
#include "lib/memory.h"
#include "lib/pagetable.h"
#include "guest/mailbox.h"
#include "rounds.h"

/* Where Guests are linked to: each is built for all of these. */
#define PAGE_OFFSET_DEFAULT	0xc0000000u
#define PAGE_OFFSET_OTHER	0x80000000u

struct vm_options {
	uint64_t memory;		/* bytes; 0: 16 MiB */
	uint32_t page_offset;		/* 0: PAGE_OFFSET_DEFAULT */
	enum lguest_memory_kind kind;
};

struct vm {
	const char *name;
	int fd;
	struct lguest_memory memory;
	struct mailbox *mailbox;
	uint32_t pgdir, entry;		/* Guest-physical */
	struct lguest_exit exit;	/* of the last vm_run() */
};

/*
 * From here on this process's Guests have small pages: where they come and go by the hundred, the
 * host would spend most of its time with clearing huge ones.
 */
void vm_small_pages(void);
/*
 * Memory, kernel, page tables, boot parameters and mailbox as a Guest finds them; not yet
 * INITIALIZEd.
 */
void vm_load(struct vm *vm, const char *guest, const struct vm_options *options);
/* vm_load(), and INITIALIZE: the caller's thread is the one that runs it. options may be NULL. */
void vm_start(struct vm *vm, const char *guest, const struct vm_options *options);
void vm_stop(struct vm *vm);

/*
 * Runs until the Guest wants something that is not the mailbox's business: enum lguest_exit_reason,
 * or a negative errno. What it prints is printed; an assertion of its own that fails, fails the
 * test. After each single return of the Host, this process's own registers must be what they were
 * (host_state.h).
 */
int vm_run(struct vm *vm);

/* Runs to the end, which must be that guest_main() returned. */
void vm_pass(struct vm *vm);
/* Runs to the Guest's next guest_sync(), which must have this number. */
void vm_sync(struct vm *vm, uint32_t number);
/* Runs to the end, which must be death by the Host, with a sentence that holds this text. */
void vm_dies(struct vm *vm, const char *sentence);

/* vm_start(), vm_pass(), vm_stop(). */
void vm_passes(const char *guest, const struct vm_options *options);

/* Fails the test with a message, its place before it. */
#define FAIL(...)	test_failed(__FILE__, __LINE__, __VA_ARGS__)
void __attribute__((noreturn, format(printf, 3, 4)))
test_failed(const char *file, int line, const char *format, ...);

/*
 * A seed that is another one in each run, or follows from LGUEST_TEST_SEED; and that is another one
 * for each salt: what is tried in one place need not be tried in the next.
 */
uint64_t test_seed(uint64_t salt);
/* The next number of a sequence (SplitMix64). */
uint64_t test_random(uint64_t *state);

#endif /* LGUEST_TEST_LAUNCHER_H */
