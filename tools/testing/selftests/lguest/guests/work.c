// SPDX-License-Identifier: GPL-2.0
/* A Guest that works until it is told to stop: guests/work.h says at what. */
#include "guest.h"
#include "../guests/work.h"

/* One number a page, and at another place in each. */
static volatile u32 *cell(u32 first, u32 page)
{
	return va(first + page * PAGE_SIZE + page % 1024 * 4);
}

static void memory_turn(u32 first, u32 pages, u32 turn, u32 salt)
{
	u32 page;

	for (page = 0; page < pages; page++) {
		/* What the last turn wrote; nothing, in the first one. */
		GUEST_ASSERT_EQ(turn ? (turn - 1) * 0x01000193 ^ page ^ salt : 0,
				*cell(first, page));
		*cell(first, page) = turn * 0x01000193 ^ page ^ salt;
	}
}

/* Every page becomes the same as all others, with another content when the launcher says so. */
static void same_turn(u32 first, u32 pages, u32 turn)
{
	static u32 now;
	u32 wanted = mailbox->in[WORK_SALT], page, i;

	for (page = 0; page < pages; page++) {
		volatile u32 *word = va(first + page * PAGE_SIZE);

		for (i = 0; i < PAGE_SIZE / sizeof(u32); i += 61) {
			if (turn)
				GUEST_ASSERT_EQ(now + i, word[i]);
			if (!turn || wanted != now)
				word[i] = wanted + i;
		}
	}
	now = wanted;
}

/* Eight numbers on the x87 stack, pushed and popped; and a control word with another rounding. */
static void fpu_turn(u32 turn, u32 salt)
{
	u32 i, back;
	u16 control = 0x0f7f, now;

	asm volatile("fninit; fldcw %0" : : "m" (control));
	for (i = 0; i < 8; i++)
		asm volatile("fildl %0" : : "m" ((u32){ (turn + i * salt) & 0x7fffffff }));
	for (i = 0; i < 20000; i++)
		asm volatile("");
	for (i = 8; i-- > 0;) {
		asm volatile("fistpl %0" : "=m" (back));
		GUEST_ASSERT_EQ((turn + i * salt) & 0x7fffffff, back);
	}
	asm volatile("fnstcw %0" : "=m" (now));
	GUEST_ASSERT_EQ(control, now);
}

void guest_main(void)
{
	u32 mode = mailbox->in[WORK_MODE], pages = mailbox->in[WORK_PAGES],
	    salt = mailbox->in[WORK_SALT];
	u32 first = pages ? guest_alloc(pages, PAGE_SIZE) : 0, turn;

	mailbox->out[WORK_FIRST] = first;
	for (turn = 0; !mailbox->in[WORK_STOP]; turn++) {
		volatile u32 *target = va(mailbox->in[WORK_ADDRESS]);

		while (mailbox->in[WORK_PAUSE])
			mailbox->out[WORK_PAUSED] = 1;
		mailbox->out[WORK_PAUSED] = 0;
		switch (mode) {
		case WORK_SPIN:
			break;
		case WORK_MEMORY:
			memory_turn(first, pages, turn, salt);
			break;
		case WORK_TOUCH:
			*target = turn;
			break;
		case WORK_READ:
			mailbox->out[WORK_VALUE] = *target;
			break;
		case WORK_CHANGE:
			mailbox->out[WORK_VALUE] = *target;
			*target = turn;
			break;
		case WORK_SYNC:
			guest_sync(0);
			break;
		case WORK_SAME:
			same_turn(first, pages, turn);
			break;
		case WORK_FPU:
			fpu_turn(turn, salt);
			break;
		}
		mailbox->out[WORK_TURNS] = turn + 1;
	}
}
