// SPDX-License-Identifier: GPL-2.0
/*
 * What page tables cost in a Guest. It is the Guest that counts. With the number of an operation (1
 * the first) and of rounds, only that is done, and nothing said: for a profiler.
 */
#include "bench.h"
#include "launcher.h"

static const char *const operation[] = {
	"fill for a read", "fill for a write", "fill that sets accessed and dirty",
	"page table switch (hypercall)", "CR3 load, 16 pages touched",
	"user part flushed, 16 pages touched", "SET_PTE, touched", "SET_PTE 0", "empty hypercall",
};

#define ROUNDS	15
#define OPERATIONS	(sizeof(operation) / sizeof(operation[0]))

int main(int argc, char *argv[])
{
	long long result[OPERATIONS][ROUNDS];
	struct vm vm;

	vm_start(&vm, "cost_shadow", NULL);
	if (argc == 3) {
		vm.mailbox->in[0] = 1;
		vm.mailbox->in[1] = atoi(argv[1]);
		for (int round = 0; round < atoi(argv[2]); round++)
			vm_sync(&vm, 0);
		return 0;
	}
	vm.mailbox->in[0] = 1;
	for (int round = -1; round < ROUNDS; round++) {
		vm_sync(&vm, 0);
		for (int i = 0; round >= 0 && i < OPERATIONS; i++)
			result[i][round] = vm.mailbox->out[i];
	}
	vm.mailbox->in[0] = 0;
	vm_pass(&vm);
	vm_stop(&vm);
	for (int i = 0; i < OPERATIONS; i++) {
		qsort(result[i], ROUNDS, sizeof(result[i][0]), bench_compare);
		printf("{\"operation\": \"%s\", \"environment\": \"lguest\", \"unit\": \"instructions\", ",
		       operation[i]);
		printf("\"median\": %lld, \"min\": %lld, \"max\": %lld}\n",
		       result[i][ROUNDS / 2], result[i][0], result[i][ROUNDS - 1]);
	}
	return 0;
}
