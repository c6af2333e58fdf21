/* SPDX-License-Identifier: GPL-2.0 */
/* What guests/tables.c does, besides what guests/work.h says: in[] and out[] of the mailbox. */
#ifndef LGUEST_TEST_TABLES_H
#define LGUEST_TEST_TABLES_H

/* in[] */
#define TABLES_MODE		8
#define TABLES_CROWD		1	/* many directories, each with pages of its own, by turns */
#define TABLES_MILLION		2	/* one frame at hundreds of thousands of addresses */
#define TABLES_PARENTS		3	/* one table in every entry of every directory */
#define TABLES_LARGE		4	/* large pages, all of memory */
#define TABLES_COUNT		9	/* of directories, or of tables */
#define TABLES_SEED		10

/* out[] */
#define TABLES_FRAME		16	/* Guest-physical address of the one frame */

#endif /* LGUEST_TEST_TABLES_H */
