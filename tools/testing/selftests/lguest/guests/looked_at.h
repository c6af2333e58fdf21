/* SPDX-License-Identifier: GPL-2.0 */
/* What guests/looked_at.c makes of itself, for those who look at it. */
#ifndef LGUEST_TEST_LOOKED_AT_H
#define LGUEST_TEST_LOOKED_AT_H

/*
 * Three pages of its memory, mapped once more: for all to read, for the kernel alone, the third not
 * at all.
 */
#define LOOKED_USER	0x40000000u
#define LOOKED_KERNEL	0x40001000u
#define LOOKED_ABSENT	0x40002000u

/* A descriptor that nothing uses: data, level 3, 1 MiB, from here. */
#define LOOKED_GDT_ENTRY	20
#define LOOKED_GDT_BASE		0x12345000u
#define LOOKED_GDT_LOW		0x5000ffffu
#define LOOKED_GDT_HIGH		0x124ff334u

/* In the registers while it spins. */
#define LOOKED_AX	0xa1a2a3a4u
#define LOOKED_BX	0xb1b2b3b4u
#define LOOKED_CX	0xc1c2c3c4u
#define LOOKED_DX	0xd1d2d3d4u
#define LOOKED_SI	0x51525354u
#define LOOKED_DI	0xd1616263u
#define LOOKED_BP	0xb9a9c9d9u

/*
 * mailbox.out: addresses, then the physical ones of the first two pages and of the page directory.
 */
#define LOOKED_SPIN	0
#define LOOKED_STACK	1
#define LOOKED_PAGE	2
#define LOOKED_PGDIR	4

/* Hypercalls that do nothing, before guest_sync(1). */
#define LOOKED_FLUSHES	17u

#endif
