/* SPDX-License-Identifier: GPL-2.0 */
/* Which CPU a thread runs on. */
#ifndef LGUEST_TEST_CPUS_H
#define LGUEST_TEST_CPUS_H

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "launcher.h"

/* The calling thread, on this CPU only from now on; so do those that it makes. */
static inline void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		FAIL("CPU %d: %s", cpu, strerror(errno));
}

#endif /* LGUEST_TEST_CPUS_H */
