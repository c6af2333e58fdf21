/* SPDX-License-Identifier: GPL-2.0 */
/* What guests/clock.c tells machine.c, in the mailbox's out[]. */
#ifndef LGUEST_TEST_GUESTS_CLOCK_H
#define LGUEST_TEST_GUESTS_CLOCK_H

#define CLOCK_MODE	0		/* in[]: CLOCK_KEEP or CLOCK_IDLE */
#define CLOCK_STOP	1		/* in[]: end */
enum { CLOCK_KEEP, CLOCK_IDLE };

enum { CLOCK_SECONDS, CLOCK_NS, CLOCK_TICKS, CLOCK_TSC_KHZ };

#endif /* LGUEST_TEST_GUESTS_CLOCK_H */
