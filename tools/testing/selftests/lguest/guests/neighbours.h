/* SPDX-License-Identifier: GPL-2.0 */
/* What guests/neighbours.c is told by its launcher in mailbox.in. */
#ifndef LGUEST_TEST_NEIGHBOURS_H
#define LGUEST_TEST_NEIGHBOURS_H

/* Where all of them, and their launchers, have something; pages. */
#define NEIGHBOURS_ADDRESS	0x40000000u
#define NEIGHBOURS_PAGES	32

/* mailbox.in: a number that is nobody else's; not 0: come to an end; whether to use PAE. */
#define NEIGHBOURS_SALT		0
#define NEIGHBOURS_STOP		1
#define NEIGHBOURS_PAE		2

#endif
