/* SPDX-License-Identifier: GPL-2.0 */
/* How long a test goes on: a slice in make check, all of it in make check-long. */
#ifndef LGUEST_TEST_ROUNDS_H
#define LGUEST_TEST_ROUNDS_H

#include <stdlib.h>

/*
 * How often to do what could go on for long: a slice of the rounds in make check, all of them in
 * make check-long (LGUEST_TEST_LONG=1), N times as many with LGUEST_TEST_LONG=N.
 */
static inline unsigned long test_rounds(unsigned long slice, unsigned long full)
{
	const char *depth = getenv("LGUEST_TEST_LONG");
	unsigned long times;

	if (!depth || !*depth)
		return slice;
	times = strtoul(depth, NULL, 0);
	return full * (times ?: 1);
}

/* How many times longer than elsewhere things may take: a kernel with KASAN, say (SLOW, scripts/check). */
static inline unsigned long test_slowness(void)
{
	const char *slow = getenv("SLOW");
	unsigned long times = slow ? strtoul(slow, NULL, 0) : 1;

	return times ?: 1;
}

#endif /* LGUEST_TEST_ROUNDS_H */
