/* SPDX-License-Identifier: GPL-2.0 */
/* What guests/selectors.c is told in mailbox.in, and says in mailbox.out. */
#ifndef LGUEST_TEST_SELECTORS_H
#define LGUEST_TEST_SELECTORS_H

/* mailbox.in */
#define SELECTORS_WHAT	0
#define LOAD_DS		0
#define LOAD_ES		1
#define LOAD_FS		2
#define LOAD_GS		3
#define LOAD_SS		4
#define FAR_JMP		5
#define FAR_CALL	6
#define FAR_RET		7
#define SELECTORS_KINDS	8
#define SELECTORS_USER	1	/* 1: at user level */
#define SELECTORS_STEP	2	/* all of the first ones, then every so many ... */
#define SELECTORS_SKIP	3	/* ... after leaving out so many */
#define SELECTORS_ALL_BELOW 0x1000

/* mailbox.out: selectors tried, how many of them were loaded. */
#define SELECTORS_DONE	0
#define SELECTORS_GOOD	1

#endif
