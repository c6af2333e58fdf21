/* SPDX-License-Identifier: GPL-2.0 */
/* What guests/wild_tables.c is told in mailbox.in, and says in mailbox.out. */
#ifndef LGUEST_TEST_WILD_TABLES_H
#define LGUEST_TEST_WILD_TABLES_H

/* mailbox.in */
#define WILD_FORMAT	0	/* 0: 2-level with PSE, 1: PAE, 2: PAE with NX */
#define WILD_TABLES	1	/* how many to make */
#define WILD_SEED	2

/* mailbox.out: tables made; reads that were allowed, that found nobody's memory, that faulted. */
#define WILD_DONE	0
#define WILD_ALLOWED	1
#define WILD_OUTSIDE	2
#define WILD_FAULTED	3

#endif
