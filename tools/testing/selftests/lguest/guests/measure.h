/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guests that measure: COST_TIMES (of the includer's own header) ticks of each operation, of which
 * the launcher gets median, least and most in mailbox.out.
 */
#ifndef LGUEST_TEST_MEASURE_H
#define LGUEST_TEST_MEASURE_H

#include "guest.h"

static u32 cost[COST_TIMES];

static inline void report(u32 operation)
{
	u32 i, j, x;

	for (i = 1; i < COST_TIMES; i++) {
		x = cost[i];
		for (j = i; j > 0 && cost[j - 1] > x; j--)
			cost[j] = cost[j - 1];
		cost[j] = x;
	}
	mailbox->out[operation * 3] = cost[COST_TIMES / 2];
	mailbox->out[operation * 3 + 1] = cost[0];
	mailbox->out[operation * 3 + 2] = cost[COST_TIMES - 1];
}

/* The two RDTSCs of a measurement cost as much with nothing between them. */
static inline u32 empty(void)
{
	u32 least = ~0u, i, t;

	for (i = 0; i < 16; i++) {
		t = rdtsc();
		t = (u32)rdtsc() - t;
		if (t < least)
			least = t;
	}
	return least;
}

#endif
