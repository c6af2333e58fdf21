/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A second thread of a test's launcher, which does something while the first one runs a Guest
 * (guests/work.c).
 */
#ifndef LGUEST_TEST_HELPER_H
#define LGUEST_TEST_HELPER_H

#include <pthread.h>

#include "launcher.h"
#include "guests/work.h"

struct helper {
	pthread_t thread;
	struct vm *vm;
	void (*function)(struct vm *vm);
};

static inline void *helper_thread(void *arg)
{
	struct helper *helper = arg;

	helper->function(helper->vm);
	return NULL;
}

static inline void start_helper(struct helper *helper, struct vm *vm,
				void (*function)(struct vm *vm))
{
	helper->vm = vm;
	helper->function = function;
	if (pthread_create(&helper->thread, NULL, helper_thread, helper))
		FAIL("no thread");
}

/*
 * Sleeps until the Guest has begun and ended this many turns of its work, at least. Each look takes
 * the CPU from a Guest that is on the same one: the longer its turns, the fewer.
 */
static inline void wait_for_turns(struct vm *vm, uint32_t more)
{
	volatile uint32_t *turns = &vm->mailbox->out[WORK_TURNS];
	uint32_t start;

	/* What was written before is there for the Guest before its turns are counted: short ones are over sooner. */
	__sync_synchronize();
	start = *turns;
	for (useconds_t us = 50; *turns - start < more + 1; us = us < 3000 ? 2 * us : us)
		usleep(us);
}

#endif /* LGUEST_TEST_HELPER_H */
