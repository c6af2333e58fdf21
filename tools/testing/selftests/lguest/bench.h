/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a benchmark needs: to time an operation a number of times, and to say how
 * long it took. Under `make bench` a nanosecond of CLOCK_MONOTONIC is an instruction.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BENCH_ROUNDS	31

static inline long long bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int bench_compare(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return x < y ? -1 : x > y;
}

/* Prints what @rounds measurements of an operation found, in instructions. */
static inline void bench_result(const char *name, const char *environment, long long *round,
				int rounds)
{
	qsort(round, rounds, sizeof(round[0]), bench_compare);
	printf("{\"operation\": \"%s\", \"environment\": \"%s\", \"unit\": \"instructions\", ",
	       name, environment);
	printf("\"median\": %lld, \"min\": %lld, \"max\": %lld}\n",
	       round[rounds / 2], round[0], round[rounds - 1]);
	fflush(stdout);
}

/*
 * Times @count calls of @operation, BENCH_ROUNDS times after one that is not
 * counted, and prints instructions for one call.
 */
static inline void bench(const char *name, const char *environment, void (*operation)(void),
			 int count)
{
	long long round[BENCH_ROUNDS + 1], start;
	int i, j;

	for (i = 0; i <= BENCH_ROUNDS; i++) {
		start = bench_now();
		for (j = 0; j < count; j++)
			operation();
		round[i] = (bench_now() - start) / count;
	}
	bench_result(name, environment, round + 1, BENCH_ROUNDS);
}

#endif /* BENCH_H */
