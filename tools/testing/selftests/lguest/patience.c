// SPDX-License-Identifier: GPL-2.0
/*
 * Work that a hostile Guest makes long for the Host, entries by the hundred thousand, gives way:
 * nobody else waits long for the CPU meanwhile (G1). Time is counted in instructions here, so what
 * is found does not depend on the machine that this runs on.
 *
 * lguest-host: smp=1 mem=1024 icount=yes timeout=600
 */
#include <sys/mman.h>

#include "harness.h"
#include "helper.h"
#include "host_memory.h"
#include "launcher.h"
#include "rival.h"
#include "guests/tables.h"
#include "guests/work.h"

#define MIB		(1ull << 20)
#define PAGE		4096ul

/* Nobody waits longer, in instructions; work that does not take many times that is no test. */
#define PATIENCE	250000
#define LONG		(16 * PATIENCE)

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* Does it, while somebody else wants the CPU. */
static void do_patiently(struct vm *vm, const char *name, void (*what)(struct vm *vm))
{
	struct rival rival;
	unsigned long turns;
	int64_t took;

	start_rival(&rival, 0, 50000);
	/* Only what comes from here on counts. */
	rival.latest = 0;
	turns = rival.turns;
	took = cpu_ns();
	what(vm);
	took = cpu_ns() - took;
	/* The one who waits now is counted, too. */
	turns = rival.turns - turns;
	stop_rival(&rival);
	fprintf(stderr,
		"# %s: %lld instructions, %lu turns of another, who waited for %lld at most\n",
		name, (long long)took, turns, (long long)rival.latest);
	if (took < LONG)
		FAIL("%s: %lld instructions: this was no test", name, (long long)took);
	if (rival.latest > PATIENCE)
		FAIL("%s: another one waited for %lld instructions", name,
		     (long long)rival.latest);
}

/* One frame at 130 tables full of addresses. */
static void start_million(struct vm *vm)
{
	vm_start(vm, "tables", &(struct vm_options){ .memory = 64 * MIB });
	/* Or khugepaged would take the frame away first. It is no harm if there are none. */
	madvise(vm->memory.base, vm->memory.size, MADV_NOHUGEPAGE);
	vm->mailbox->in[TABLES_SEED] = 1;
	vm->mailbox->in[TABLES_MODE] = TABLES_MILLION;
	vm->mailbox->in[TABLES_COUNT] = 130;
}

static void take_frame(struct vm *vm)
{
	if (madvise(vm->memory.base + vm->mailbox->out[TABLES_FRAME], PAGE, MADV_DONTNEED))
		FAIL("madvise: %s", strerror(errno));
}

static void take_it_away(struct vm *vm)
{
	wait_for_turns(vm, 1);
	do_patiently(vm, "a frame is taken away", take_frame);
	wait_for_turns(vm, 1);
	vm->mailbox->in[WORK_STOP] = 1;
}

TEST(a_frame_that_is_mapped_everywhere_goes)
{
	struct helper helper;
	struct vm vm;

	run_on(0);
	start_million(&vm);
	start_helper(&helper, &vm, take_it_away);
	vm_pass(&vm);
	pthread_join(helper.thread, NULL);
	vm_stop(&vm);
}

static void shrink(struct vm *vm)
{
	if (!write_file("/proc/sys/vm/drop_caches", "2"))
		FAIL("drop_caches: %s", strerror(errno));
}

static void take_shadow_away(struct vm *vm)
{
	wait_for_turns(vm, 1);
	do_patiently(vm, "all of the shadow is taken away", shrink);
	wait_for_turns(vm, 1);
	vm->mailbox->in[WORK_STOP] = 1;
}

TEST(the_shrinker_takes_all)
{
	struct helper helper;
	struct vm vm;

	run_on(0);
	start_million(&vm);
	start_helper(&helper, &vm, take_shadow_away);
	vm_pass(&vm);
	pthread_join(helper.thread, NULL);
	vm_stop(&vm);
}

static void stop_soon(struct vm *vm)
{
	wait_for_turns(vm, 1);
	vm->mailbox->in[WORK_STOP] = 1;
}

TEST(a_guest_goes)
{
	struct helper helper;
	struct vm vm;

	run_on(0);
	start_million(&vm);
	start_helper(&helper, &vm, stop_soon);
	vm_pass(&vm);
	pthread_join(helper.thread, NULL);
	do_patiently(&vm, "a Guest goes with all its shadow", vm_stop);
}

TEST_HARNESS_MAIN
