/* SPDX-License-Identifier: GPL-2.0 */
/* What the test tells guests/stacks.c: mailbox->in. */
#ifndef LGUEST_TEST_GUESTS_STACKS_H
#define LGUEST_TEST_GUESTS_STACKS_H

/* How often a program looks at its stack pointer. */
#define STACKS_TURNS	0

#endif /* LGUEST_TEST_GUESTS_STACKS_H */
