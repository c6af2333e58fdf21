/* SPDX-License-Identifier: GPL-2.0 */
/* What guests/work.c is told by its launcher in mailbox.in, and what it says in mailbox.out. */
#ifndef LGUEST_TEST_WORK_H
#define LGUEST_TEST_WORK_H

/* mailbox.in[WORK_MODE] */
#define WORK_MODE	0
#define WORK_SPIN	0	/* an endless loop without an exit */
#define WORK_MEMORY	1 /* writes pages and reads them again, over and over, looking for damage */
#define WORK_TOUCH	2 /* writes to mailbox.in[WORK_ADDRESS] (Guest-physical), over and over */
#define WORK_READ	3	/* reads there, into mailbox.out[WORK_VALUE] */
#define WORK_SYNC	4	/* tells the launcher at each turn: guest_sync(0) */
#define WORK_FPU	5	/* keeps numbers in the FPU and looks for damage */
#define WORK_SAME	6 /* makes whole pages alike (for KSM to merge), then looks at them again */
#define WORK_CHANGE	7	/* WORK_READ, then WORK_TOUCH at the same address */

/* mailbox.in[WORK_STOP]: not 0: come to an end. May be written while the Guest runs. */
#define WORK_STOP	1
#define WORK_ADDRESS	2
/* Pages of WORK_MEMORY and WORK_SAME. */
#define WORK_PAGES	3
/* A number that is no other Guest's; of WORK_SAME, what the pages hold, and it may change. */
#define WORK_SALT	4

/* Not 0: no turn is begun; the Guest spins, and says so in WORK_PAUSED. May change at any time. */
#define WORK_PAUSE	5

/* mailbox.out: turns done; the first page of WORK_MEMORY and WORK_SAME; what WORK_READ saw. */
#define WORK_TURNS	0
#define WORK_FIRST	1
#define WORK_VALUE	2
#define WORK_PAUSED	3

#endif
