/* SPDX-License-Identifier: GPL-2.0 */
/* What guests/trapped.c tells its test of the last trap it met: mailbox->out. */
#ifndef LGUEST_TEST_GUESTS_TRAPPED_H
#define LGUEST_TEST_GUESTS_TRAPPED_H

#define TRAPPED_COUNT	0
#define TRAPPED_VECTOR	1
#define TRAPPED_ERROR	2
#define TRAPPED_LEVEL	3		/* 3 user, 1 kernel */
#define TRAPPED_CR2	4
/* Where its program counts: Guest-physical. */
#define TRAPPED_COUNTER	5

/* guest_sync() numbers: what it does next. */
#define TRAPPED_GOES_ON	1
#define TRAPPED_HALTS	2		/* until a trap wakes it */
#define TRAPPED_COUNTS	3		/* at user level, until a trap comes */

#endif /* LGUEST_TEST_GUESTS_TRAPPED_H */
