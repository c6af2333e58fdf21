// SPDX-License-Identifier: GPL-2.0
/*
 * What a processor's work costs in a Guest: guests/cost_machine.c counts, this says it, with the
 * spread of three Guests.
 */
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "launcher.h"
#include "guests/cost_machine.h"

static const char *const operation[COST_MACHINE_OPERATIONS] = {
	[COST_SYSCALL] = "guest_syscall",
	[COST_INJECT] = "irq_inject",
	[COST_PIO_HOST] = "pio_host",
	[COST_PIO_EXIT] = "pio_exit",
	[COST_TICK] = "timer_tick",
	[COST_WAKE] = "halt_wake",
	[COST_CLI_STI] = "cli_sti",
};

#define GUESTS	3

static void run(struct vm *vm)
{
	int line = eventfd(0, 0), came;

	vm_start(vm, "cost_machine", NULL);
	if (lguest_window(vm->fd, LGUEST_SPACE_PORT, COST_PORT, 1, true) ||
	    lguest_window(vm->fd, LGUEST_SPACE_MEMORY, COST_DEVICE, 0x1000, true) ||
	    lguest_irqfd(vm->fd, COST_LINE, line, true) ||
	    lguest_doorbell(vm->fd, LGUEST_SPACE_MEMORY, COST_DEVICE, 4, line, true))
		FAIL("the devices are refused");
	while (!(came = lguest_run(vm->fd, &vm->exit)) && vm->exit.reason == LGUEST_EXIT_PORT)
		lguest_answer(vm->fd, 0);
	if (came || vm->exit.reason != LGUEST_EXIT_SHUTDOWN)
		FAIL("exit %u: %s", vm->exit.reason, vm->exit.text);
	close(line);
}

int main(void)
{
	uint32_t median[COST_MACHINE_OPERATIONS][GUESTS];
	struct vm vm;
	int i, j;

	for (j = 0; j < GUESTS; j++) {
		run(&vm);
		for (i = 0; i < COST_MACHINE_OPERATIONS; i++)
			median[i][j] = vm.mailbox->out[i * 3];
		vm_stop(&vm);
	}
	for (i = 0; i < COST_MACHINE_OPERATIONS; i++) {
		const uint32_t *m = median[i];
		uint32_t low = m[0], high = m[0];

		for (j = 1; j < GUESTS; j++) {
			low = m[j] < low ? m[j] : low;
			high = m[j] > high ? m[j] : high;
		}
		printf("{\"operation\": \"%s\", \"environment\": \"lguest\", \"unit\": \"instructions\", ",
		       operation[i]);
		printf("\"median\": %u, \"min\": %u, \"max\": %u}\n",
		       m[0] + m[1] + m[2] - low - high, low, high);
	}
	return 0;
}
