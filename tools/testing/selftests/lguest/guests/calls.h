/* SPDX-License-Identifier: GPL-2.0 */
/* What guests/calls.c and machine.c agree upon. */
#ifndef LGUEST_TEST_GUESTS_CALLS_H
#define LGUEST_TEST_GUESTS_CALLS_H

/* NOTIFY with these, from CALLS_FIRST on, one after the other. */
#define CALLS_FIRST	0x1000u
#define CALLS_ROUNDS	7u
#define CALLS_ROUND	20u		/* in the ring; then one by INT */

#endif /* LGUEST_TEST_GUESTS_CALLS_H */
