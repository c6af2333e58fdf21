/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Somebody who wants a CPU for a moment, again and again, before all others: a thread that sleeps
 * and looks how much later than it wanted it woke. Where an instruction is a nanosecond
 * (icount=yes, see testing.rst), that is how many instructions the CPU did not give way for.
 */
#ifndef LGUEST_TEST_RIVAL_H
#define LGUEST_TEST_RIVAL_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "cpus.h"
#include "launcher.h"

struct rival {
	pthread_t thread;
	int cpu;
	long sleep_ns;		/* the shorter, the less others get done */
	volatile bool stop;
	volatile unsigned long turns;
	volatile int64_t latest;	/* ns; whoever looks at it may set it to 0 */
};

static inline int64_t ns_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static inline void *rival_thread(void *argument)
{
	const struct sched_param first = { .sched_priority = 1 };
	struct rival *rival = argument;
	const struct timespec soon = { .tv_nsec = rival->sleep_ns };
	int64_t began, late;

	run_on(rival->cpu);
	if (sched_setscheduler(0, SCHED_FIFO, &first))
		FAIL("SCHED_FIFO: %s", strerror(errno));
	while (!rival->stop) {
		began = ns_now();
		nanosleep(&soon, NULL);
		late = ns_now() - began - rival->sleep_ns;
		if (late > rival->latest)
			rival->latest = late;
		rival->turns++;
	}
	return NULL;
}

/* Returns when it has had its first turns. */
static inline void start_rival(struct rival *rival, int cpu, long sleep_ns)
{
	struct timespec resolution;
	int tries = 1000;

	/* In the first second or two of a host timers wait for the next tick: then all are late. */
	while (!clock_getres(CLOCK_MONOTONIC, &resolution) && resolution.tv_nsec > 1) {
		if (!tries--)
			FAIL("this host's timers are of %ld ns", resolution.tv_nsec);
		usleep(10000);
	}
	*rival = (struct rival){ .cpu = cpu, .sleep_ns = sleep_ns };
	if (pthread_create(&rival->thread, NULL, rival_thread, rival))
		FAIL("no thread");
	while (rival->turns < 2)
		usleep(100);
}

static inline void stop_rival(struct rival *rival)
{
	rival->stop = true;
	pthread_join(rival->thread, NULL);
}

#endif /* LGUEST_TEST_RIVAL_H */
