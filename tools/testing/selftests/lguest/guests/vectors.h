/* SPDX-License-Identifier: GPL-2.0 */
/* What guests/vectors.c and machine.c agree upon. */
#ifndef LGUEST_TEST_VECTORS_H
#define LGUEST_TEST_VECTORS_H

/* The lines that are raised. */
#define VECTORS_LINES	(1u << 0 | 1u << 5 | 1u << 31)
/* Where no exception is. */
#define VECTORS_FIRST	0x20u
#define VECTORS_ROUNDS	3

#endif /* LGUEST_TEST_VECTORS_H */
