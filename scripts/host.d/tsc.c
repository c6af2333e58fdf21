// SPDX-License-Identifier: GPL-2.0
/*
 * How fast this machine's TSC runs, in kHz: QEMU's emulated one is the same. Whoever is interrupted
 * between looking at TSC and clock looks again: so it is right on a busy machine, too.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define MEASURE_NS	50000000
#define LOOKS		50

struct moment {
	uint64_t tsc, ns;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* The clock, between two looks at the TSC that are as near to each other as can be had. */
static struct moment moment(void)
{
	uint64_t shortest = UINT64_MAX, before, after, ns;
	struct moment best = { 0 };

	for (int i = 0; i < LOOKS; i++) {
		before = __rdtsc();
		ns = now_ns();
		after = __rdtsc();
		if (after - before < shortest) {
			shortest = after - before;
			best = (struct moment){ before + shortest / 2, ns };
		}
	}
	return best;
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = MEASURE_NS };
	struct moment first, last;

	first = moment();
	nanosleep(&pause, NULL);
	last = moment();
	printf("%llu\n", (unsigned long long)((last.tsc - first.tsc) * 1000000 /
					      (last.ns - first.ns)));
	return 0;
}
