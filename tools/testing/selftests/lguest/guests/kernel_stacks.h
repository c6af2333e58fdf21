/* SPDX-License-Identifier: GPL-2.0 */
/* What guests/kernel_stacks.c is told in mailbox.in, and says in mailbox.out. */
#ifndef LGUEST_TEST_KERNEL_STACKS_H
#define LGUEST_TEST_KERNEL_STACKS_H

/* mailbox.in: how the lower page of the stack is. */
#define KERNEL_STACKS_LOW	0
#define KERNEL_STACKS_GOOD	0
#define KERNEL_STACKS_ABSENT	1	/* a frame lies across it; the Guest dies */
#define KERNEL_STACKS_READ_ONLY	2	/* the same */

/* mailbox.out: the Guest-physical address of the upper page, whose first 8 bytes the frame has. */
#define KERNEL_STACKS_MIDDLE	0

#endif
