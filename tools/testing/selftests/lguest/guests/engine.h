/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What guests/engine.c shares with its launcher: a table of cases, each some bytes of code and the
 * registers with which they are to be run, at kernel or user level, until the first trap; and what
 * came of that.
 */
#ifndef LGUEST_TEST_ENGINE_GUEST_H
#define LGUEST_TEST_ENGINE_GUEST_H

/* Guest-physical: between the mailbox and the kernel. */
#define ENGINE_CASES_GPA	0x4000
#define ENGINE_CASES		256

/* mailbox.in */
#define ENGINE_COUNT		0	/* cases in the table */
#define ENGINE_FIRST		1	/* the one to begin with */
/* mailbox.out */
#define ENGINE_CURRENT		0	/* the one that runs now */

/*
 * Where things are while a case runs; nothing else is mapped below PAGE_OFFSET. One page each, and
 * no more.
 */
#define ENGINE_CODE		0x40000000u	/* the case's bytes, then INT3s; read-only */
#define ENGINE_DATA		0x40010000u
#define ENGINE_STACK		0x40020000u

/* What a case may point its registers to. */
#define ENGINE_DATA_MIDDLE	(ENGINE_DATA + 0x800)
#define ENGINE_STACK_MIDDLE	(ENGINE_STACK + 0x800)

#define ENGINE_CODE_BYTES	32
#define ENGINE_STACK_WORDS	6

/* Selectors of user level; the same as of a 32-bit program on Linux. */
#define ENGINE_USER_CS		0x23
#define ENGINE_USER_DS		0x2b

#include <linux/types.h>

struct engine_case {
	/* As they are to be, and as they became. CS says the level. */
	__u32 di, si, bp, sp, bx, dx, cx, ax;
	__u32 ip, flags;
	__u16 cs, ss, ds, es, fs, gs;
	/* What came of it: the trap. */
	__u32 vector, error, cr2;
	/* Begins at ENGINE_CODE; these words lie at SP. */
	__u8 code[ENGINE_CODE_BYTES];
	__u32 stack[ENGINE_STACK_WORDS];
};

#endif /* LGUEST_TEST_ENGINE_GUEST_H */
