/* SPDX-License-Identifier: GPL-2.0 */
/* What guests/tlb.c is told in mailbox.in, and says in mailbox.out. */
#ifndef LGUEST_TEST_TLB_H
#define LGUEST_TEST_TLB_H

/* mailbox.in */
#define TLB_MODE	0
#define TLB_FLUSHES	0	/* each way to flush, one by one */
#define TLB_DIRECTORIES	1	/* several page directories */
#define TLB_RANDOM	2	/* TLB_STEPS random steps from TLB_SEED */
#define TLB_LARGE	3	/* large pages: content, changes, parts */
#define TLB_PAE		1	/* 1: PAE */
#define TLB_STEPS	2
#define TLB_SEED	3

/* mailbox.out: steps done; accesses that were allowed, that faulted, that found something stale. */
#define TLB_DONE	0
#define TLB_ALLOWED	1
#define TLB_FAULTED	2
#define TLB_STALE	3

#endif
