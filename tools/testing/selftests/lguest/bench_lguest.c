// SPDX-License-Identifier: GPL-2.0
/*
 * What the world switch costs: guests/cost.c counts, this says it, with the
 * spread of three Guests.
 */
#include <stdio.h>

#include "launcher.h"
#include "guests/cost.h"

static const char *const operation[COST_OPERATIONS] = {
	[COST_HYPERCALL] = "hypercall",
	[COST_SHADOW_FILL] = "shadow_fill",
	[COST_FAULT_REFLECT] = "fault_reflect",
};

#define GUESTS	3

int main(void)
{
	uint32_t median[COST_OPERATIONS][GUESTS], low, high, middle;
	struct vm vm;
	int i, j;

	for (j = 0; j < GUESTS; j++) {
		vm_start(&vm, "cost", NULL);
		vm_pass(&vm);
		for (i = 0; i < COST_OPERATIONS; i++)
			median[i][j] = vm.mailbox->out[i * 3];
		vm_stop(&vm);
	}
	for (i = 0; i < COST_OPERATIONS; i++) {
		low = high = median[i][0];
		middle = 0;
		for (j = 0; j < GUESTS; j++) {
			low = median[i][j] < low ? median[i][j] : low;
			high = median[i][j] > high ? median[i][j] : high;
			middle += median[i][j];
		}
		middle -= low + high;	/* of three */
		printf("{\"operation\": \"%s\", \"environment\": \"lguest\", \"unit\": \"instructions\", ",
		       operation[i]);
		printf("\"median\": %u, \"min\": %u, \"max\": %u}\n", middle, low, high);
	}
	return 0;
}
