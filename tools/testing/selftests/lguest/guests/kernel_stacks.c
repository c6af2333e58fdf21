// SPDX-License-Identifier: GPL-2.0
/*
 * The stack that SET_STACK names: of no, one and two pages, each with nothing below and above it. A
 * system call arrives at its top, works down into the last page, meets a page fault there, flushes
 * all that the Host knows, and comes back with every byte as it was. Then frames that lie across
 * two pages, and one whose second page is not there.
 */
#include "user.h"
#include "../guests/kernel_stacks.h"

#define LOW		0x60000000u	/* the lower one of two pages */
#define MIDDLE		(LOW + PAGE_SIZE)
#define TOP		(LOW + 2 * PAGE_SIZE)
#define ABSENT		0x61000000u
#define TURNS		3

enum { SYS_DIG = 1, SYS_LOOK, SYS_DONE };

static u32 top, bottom, result;

/* ---- The program ---- */

USER void program(u32 turns)
{
	u32 i, sum = 0;

	for (i = 1; i <= turns; i++)
		sum += syscall(SYS_DIG, i, 0);
	syscall(SYS_DONE, sum, 0);
}

USER void looking_program(void)
{
	syscall(SYS_DONE, syscall(SYS_LOOK, 0x1234, 0x5678), 0);
}

/* ---- The kernel ---- */

static void fault(u32 address)
{
	*(volatile u32 *)address;
}

/* What is on a stack's last page when all of it is in use. */
static void at_the_bottom(u32 here)
{
	struct trap trap;

	guest_flush_all();
	GUEST_ASSERT_EQ(VEC_PF, guest_try(fault, ABSENT, &trap));
	GUEST_ASSERT_EQ(ABSENT, trap.cr2);
	GUEST_ASSERT_EQ(0, trap.error);
	GUEST_ASSERT_EQ(KERNEL_CS, trap.cs);
	/* The frame lies on the page on which we are. */
	GUEST_ASSERT(trap.sp < here && trap.sp > bottom);
	guest_flush_all();
}

/* How many of these fit, each with bytes of its own. */
static __attribute__((noinline)) u32 dig(u32 seed)
{
	volatile u32 area[32];
	u32 i, depth = 1;

	for (i = 0; i < ARRAY_SIZE(area); i++)
		area[i] = seed * 0x01000193 + i;
	if ((u32)area > bottom + 1024)
		depth += dig(seed + 1);
	else
		at_the_bottom((u32)area);
	for (i = 0; i < ARRAY_SIZE(area); i++)
		GUEST_ASSERT_EQ(seed * 0x01000193 + i, area[i]);
	return depth;
}

static bool on_syscall(struct trap_frame *frame)
{
	/* From the top on: SS, ESP, EFLAGS, CS, EIP, and what the stub pushes. */
	GUEST_ASSERT_EQ(top, frame + 1);
	GUEST_ASSERT_EQ(USER_CS, frame->cs);
	GUEST_ASSERT_EQ(USER_DS, frame->ss);
	GUEST_ASSERT_EQ(USER_STACK - PAGE_SIZE, frame->sp & -PAGE_SIZE);
	switch (frame->ax) {
	case SYS_DIG:
		frame->ax = dig(frame->bx);
		return true;
	case SYS_LOOK:
		GUEST_ASSERT_EQ(0x1234, frame->bx);
		GUEST_ASSERT_EQ(0x5678, frame->cx);
		frame->ax = 0x4321;
		return true;
	case SYS_DONE:
		result = frame->bx;
	}
	return false;
}

static void set_stack(u32 esp, u32 pages)
{
	top = esp;
	hypercall(LHCALL_SET_STACK, KERNEL_DS, esp, pages, 0);
}

/* Returns what the program ends with. */
static u32 run(u32 function, u32 argument)
{
	u32 *stack = va(*guest_pte(va(read_cr3()), USER_STACK - PAGE_SIZE) & -PAGE_SIZE);
	struct trap trap;

	stack[1023] = argument;
	GUEST_ASSERT_EQ(0x80, guest_try_user(function, USER_STACK - 8, FLAGS_ONE | FLAGS_IF, 0,
					     &trap));
	GUEST_ASSERT_EQ(SYS_DONE, trap.ax);
	return result;
}

static void good_stacks(void)
{
	u32 pages, used, shift;

	for (pages = 0; pages <= 2; pages++) {
		for (used = 1; used <= 2; used++) {
			set_stack(TOP, pages);
			bottom = TOP - used * PAGE_SIZE;
			/* How much of it is used is the Guest's business, whatever it said. */
			GUEST_ASSERT(run(user_address(program), TURNS) >=
				     TURNS * (used * PAGE_SIZE - 2048) / 256);
		}
	}
	for (shift = 4; shift < 80; shift += 4) {
		set_stack(MIDDLE + shift, 2);
		guest_flush_all();
		GUEST_ASSERT_EQ(0x4321, run(user_address(looking_program), 0));
	}
}

void guest_main(void)
{
	u32 pgdir = user_pgdir(), middle = guest_alloc(1, PAGE_SIZE);

	guest_map(va(pgdir), MIDDLE, middle | PTE_P | PTE_W);
	if (mailbox->in[KERNEL_STACKS_LOW] != KERNEL_STACKS_ABSENT)
		guest_map(va(pgdir), LOW, guest_alloc(1, PAGE_SIZE) | PTE_P |
			  (mailbox->in[KERNEL_STACKS_LOW] == KERNEL_STACKS_GOOD ? PTE_W : 0));
	user_load_pgdir(pgdir);
	guest_handle(0x80, on_syscall);
	if (mailbox->in[KERNEL_STACKS_LOW] == KERNEL_STACKS_GOOD) {
		good_stacks();
		return;
	}
	mailbox->out[KERNEL_STACKS_MIDDLE] = middle;
	set_stack(MIDDLE + 8, 2);
	run(user_address(looking_program), 0);
}
