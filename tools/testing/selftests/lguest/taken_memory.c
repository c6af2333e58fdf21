// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that the launcher takes away from a running Guest, or changes under it: unmapped, moved,
 * protected, dropped, replaced, copied on a fork. The Guest sees what the launcher's page tables
 * say from the moment that the call returns, or it ends with a sentence (M3).
 */
#include "harness.h"
#include "helper.h"
#include "launcher.h"
#include "guests/work.h"

#define PAGE		4096ul

FIXTURE(memory) {
	struct vm vm;
	struct helper helper;
};

FIXTURE_VARIANT(memory) {
	enum lguest_memory_kind kind;
};

FIXTURE_VARIANT_ADD(memory, anonymous) { .kind = LGUEST_MEMORY_ANONYMOUS };
FIXTURE_VARIANT_ADD(memory, file) { .kind = LGUEST_MEMORY_FILE };

FIXTURE_SETUP(memory)
{
	vm_start(&self->vm, "work", &(struct vm_options){ .kind = variant->kind });
}

FIXTURE_TEARDOWN(memory)
{
	vm_stop(&self->vm);
}

/* A page in the middle, far from all that the Guest needs. */
#define TARGET		0x800000
#define GONE		"is gone or may not be used so"

static void touch(struct vm *vm, uint32_t mode)
{
	vm->mailbox->in[WORK_MODE] = mode;
	vm->mailbox->in[WORK_ADDRESS] = TARGET;
}

static void unmap_target(struct vm *vm)
{
	wait_for_turns(vm, 1000);
	munmap(vm->memory.base + TARGET, 4 * PAGE);
}

TEST_F(memory, munmap)
{
	touch(&self->vm, WORK_TOUCH);
	start_helper(&self->helper, &self->vm, unmap_target);
	vm_dies(&self->vm, GONE);
	pthread_join(self->helper.thread, NULL);
}

static void remap_target(struct vm *vm)
{
	wait_for_turns(vm, 1000);
	mremap(vm->memory.base + TARGET, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
	       mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

TEST_F(memory, mremap)
{
	touch(&self->vm, WORK_TOUCH);
	start_helper(&self->helper, &self->vm, remap_target);
	vm_dies(&self->vm, GONE);
	pthread_join(self->helper.thread, NULL);
}

static void protect_target(struct vm *vm)
{
	wait_for_turns(vm, 1000);
	mprotect(vm->memory.base + TARGET, PAGE, PROT_READ);
}

TEST_F(memory, mprotect_ends_writing)
{
	touch(&self->vm, WORK_TOUCH);
	start_helper(&self->helper, &self->vm, protect_target);
	vm_dies(&self->vm, GONE);
	pthread_join(self->helper.thread, NULL);
}

static void protect_and_see_reads_go_on(struct vm *vm)
{
	int i;

	for (i = 0; i < 20; i++) {
		wait_for_turns(vm, 1000);
		mprotect(vm->memory.base + TARGET, PAGE,
			 i % 2 ? PROT_READ | PROT_WRITE : PROT_READ);
	}
	mprotect(vm->memory.base + TARGET, PAGE, PROT_READ);
	wait_for_turns(vm, 1000);
	vm->mailbox->in[WORK_STOP] = 1;
}

TEST_F(memory, mprotect_leaves_reading)
{
	*(volatile uint32_t *)(self->vm.memory.base + TARGET) = 0x600d;
	touch(&self->vm, WORK_READ);
	start_helper(&self->helper, &self->vm, protect_and_see_reads_go_on);
	vm_pass(&self->vm);
	pthread_join(self->helper.thread, NULL);
	EXPECT_EQ(0x600d, self->vm.mailbox->out[WORK_VALUE]);
}

/*
 * Anonymous memory is zero afterwards, a file's is what the file has: once the call has returned
 * and two more turns have been made, the Guest sees nothing else (M3).
 */
static void drop_target(struct vm *vm)
{
	volatile uint32_t *target = (void *)(vm->memory.base + TARGET);
	volatile uint32_t *seen = &vm->mailbox->out[WORK_VALUE];
	int i;

	for (i = 1; i < 100; i++) {
		*target = i;
		wait_for_turns(vm, 2);
		if (*seen != i)
			FAIL("the guest sees %u, not %u", *seen, i);
		if (madvise((void *)target, PAGE, MADV_DONTNEED))
			FAIL("madvise");
		wait_for_turns(vm, 2);
		if (*seen != (vm->memory.fd < 0 ? 0 : i))
			FAIL("the guest sees %u after MADV_DONTNEED of %u", *seen, i);
	}
	vm->mailbox->in[WORK_STOP] = 1;
}

TEST_F(memory, madv_dontneed)
{
	touch(&self->vm, WORK_READ);
	start_helper(&self->helper, &self->vm, drop_target);
	vm_pass(&self->vm);
	pthread_join(self->helper.thread, NULL);
}

/* Memory that is replaced as a whole, mapping and all: the Guest goes on with the new one. */
static void replace_target(struct vm *vm)
{
	volatile uint32_t *seen = &vm->mailbox->out[WORK_VALUE];
	uint32_t *target = (void *)(vm->memory.base + TARGET);
	int i;

	for (i = 1; i < 100; i++) {
		/* Made elsewhere and moved to its place, so that there is no moment without. */
		uint32_t *fresh = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		*fresh = 0xabcd0000 + i;
		if (mremap(fresh, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target) != target)
			FAIL("mremap");
		wait_for_turns(vm, 2);
		if (*seen != 0xabcd0000 + i)
			FAIL("the guest sees 0x%x after round %d", *seen, i);
	}
	vm->mailbox->in[WORK_STOP] = 1;
}

TEST_F(memory, replaced_by_another_mapping)
{
	touch(&self->vm, WORK_READ);
	start_helper(&self->helper, &self->vm, replace_target);
	vm_pass(&self->vm);
	pthread_join(self->helper.thread, NULL);
}

/*
 * Children of the launcher write all over their copy of the memory. Of anonymous memory the Guest
 * sees nothing of that; in memory of a file they are guests of the same house, and only look.
 */
static void fork_children(struct vm *vm)
{
	uint64_t i;
	int rounds = test_rounds(5, 20), status, n;

	while (!vm->mailbox->out[WORK_FIRST])
		usleep(100);
	for (n = 0; n < rounds; n++) {
		pid_t child = fork();

		if (!child) {
			volatile uint32_t *word =
				(void *)(vm->memory.base + vm->mailbox->out[WORK_FIRST]);

			for (i = 0; i < vm->mailbox->in[WORK_PAGES] * 1024; i += 64)
				if (vm->memory.fd < 0)
					word[i] = 0xdeadbeef;
				else
					(void)word[i];
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) != child)
			FAIL("fork");
		wait_for_turns(vm, 1);
	}
	vm->mailbox->in[WORK_STOP] = 1;
}

TEST_F(memory, fork_while_the_guest_runs)
{
	self->vm.mailbox->in[WORK_MODE] = WORK_MEMORY;
	self->vm.mailbox->in[WORK_PAGES] = 512;
	start_helper(&self->helper, &self->vm, fork_children);
	vm_pass(&self->vm);
	pthread_join(self->helper.thread, NULL);
}

TEST_HARNESS_MAIN
