/* SPDX-License-Identifier: GPL-2.0 */
/* What guests/promises.c is told in mailbox.in, and says in mailbox.out. */
#ifndef LGUEST_TEST_PROMISES_H
#define LGUEST_TEST_PROMISES_H

/* mailbox.in */
#define PROMISES_MODE		0
#define PROMISES_RING		0	/* PROMISES_CALLS calls by INT, while others fill the ring */
#define PROMISES_DIRECTORIES	1	/* back and forth between page directories, then once more */

#define PROMISES_CALLS		300

/* mailbox.out: Guest-physical, struct lguest_data. */
#define PROMISES_DATA		0

#endif
