/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The page that a test's Guest and its launcher share: a fixed place in Guest memory, which the
 * launcher reads when LHCALL_NOTIFY names it. The same layout in 32-bit and 64-bit code.
 */
#ifndef LGUEST_TEST_MAILBOX_H
#define LGUEST_TEST_MAILBOX_H

/* Guest-physical address of the mailbox, one page; between the command line and the kernel. */
#define MAILBOX_GPA		0x2000
/* Guests are linked to lie here (Guest-physical). */
#define GUEST_LOAD_GPA		0x10000

/* mailbox.op, what the Guest wants. */
#define MAILBOX_PRINT		1	/* text is a line for the log */
#define MAILBOX_FAILED		2	/* an assertion: file, line, text, value */
#define MAILBOX_SYNC		3	/* number says what; the launcher's test goes on */

#define MAILBOX_WORDS		256

#ifndef __ASSEMBLY__
#include <linux/types.h>

struct mailbox {
	__u32 op;
	__u32 number;
	/* Written by the launcher before the start: free memory, Guest-physical, page aligned. */
	__u32 free_start, free_end;
	/* Written by the launcher: what a test wants to tell its Guest. */
	__u32 in[16];
	/* Written by the Guest: what it wants to tell the test. */
	__u32 out[MAILBOX_WORDS];
	__u32 line;
	__u32 value[2];
	char file[64];
	char text[512];
};

_Static_assert(sizeof(struct mailbox) <= 4096, "the mailbox is one page");
#endif /* !__ASSEMBLY__ */
#endif /* LGUEST_TEST_MAILBOX_H */
