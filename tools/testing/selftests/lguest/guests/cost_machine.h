/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What guests/cost_machine.c tells bench_machine.c: mailbox->out has median, least, most of each.
 */
#ifndef LGUEST_TEST_GUESTS_COST_MACHINE_H
#define LGUEST_TEST_GUESTS_COST_MACHINE_H

#define COST_TIMES	200
#define COST_PORT	0x300		/* of the launcher's */
#define COST_DEVICE	0xe0000000u	/* the launcher's, with a doorbell at its start that raises COST_LINE */
#define COST_LINE	1
#define COST_TIMER_NS	100000u

enum {
	COST_SYSCALL,			/* user level, kernel, user level */
	COST_INJECT,			/* SEND_INTERRUPTS to the handler of the line that waits */
	COST_PIO_HOST,			/* IN from a port that nobody claims */
	COST_PIO_EXIT,			/* IN from a port of the launcher's */
	COST_TICK,			/* a timer's time to its handler, while the Guest works */
	COST_WAKE,			/* the same, while it is halted */
	COST_CLI_STI,			/* CLI and STI that trap */
	COST_MACHINE_OPERATIONS
};

#endif /* LGUEST_TEST_GUESTS_COST_MACHINE_H */
