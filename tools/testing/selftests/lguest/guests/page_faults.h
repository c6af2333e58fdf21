/* SPDX-License-Identifier: GPL-2.0 */
/* What guests/page_faults.c is told in mailbox.in, and says in mailbox.out. */
#ifndef LGUEST_TEST_PAGE_FAULTS_H
#define LGUEST_TEST_PAGE_FAULTS_H

/* mailbox.in */
#define FAULTS_FORMAT	0
#define FORMAT_2LEVEL	0
#define FORMAT_PAE	1
#define FORMAT_PAE_NX	2
#define FAULTS_LARGE	1	/* 1: the entry of the page directory is the page's */

/* mailbox.out: accesses made, and how many of them faulted. */
#define FAULTS_DONE	0
#define FAULTS_FAULTED	1

#endif
