// SPDX-License-Identifier: GPL-2.0
/*
 * The asynchronous ring of hypercalls keeps its order, and the call that is made by INT comes last;
 * and the window in which a return must not be interrupted: at noirq_iret, an interrupt comes when
 * the return is done.
 */
#include "guest.h"
#include "../guests/calls.h"

#define FRESH		0x7f000000u
#define SCRATCH		20u		/* an entry of the GDT that nobody uses */
#define DATA_LOW	0x0000ffffu
#define DATA_HIGH	0x00cff300u

/* ---- The ring ---- */

static void put(u32 number, u32 a, u32 b, u32 c)
{
	GUEST_ASSERT_EQ(LGUEST_HCALL_FREE, lguest_data.hcall_status[guest_ring_next]);
	guest_queue(number, a, b, c);
}

static u32 waiting(void)
{
	u32 i, n = 0;

	for (i = 0; i < LGUEST_HCALL_RING; i++)
		n += ((volatile u8 *)lguest_data.hcall_status)[i] != LGUEST_HCALL_FREE;
	return n;
}

/* Limit of a segment, as the processor has it. */
static u32 limit_of(u32 index)
{
	u32 limit;

	asm volatile("lsl %1, %0" : "=r" (limit) : "r" (index * 8 + 3));
	return limit;
}

static void set_limit(u32 pages)
{
	put(LHCALL_LOAD_GDT_ENTRY, SCRATCH, pages & 0xffff, DATA_HIGH & ~0xf0000u);
}

static void ring(void)
{
	u32 i, round, said = CALLS_FIRST, kept;

	/* The launcher is told in this order, whatever of it fits into one read(). */
	for (round = 0; round < CALLS_ROUNDS; round++) {
		for (i = 0; i < CALLS_ROUND; i++)
			put(LHCALL_NOTIFY, said++, 0, 0);
		hypercall(LHCALL_NOTIFY, said++, 0, 0, 0);
		GUEST_ASSERT_EQ(0, waiting());
	}

	/* A full ring, all of which is about one thing: the last one counts. */
	for (i = 0; i < LGUEST_HCALL_RING; i++)
		set_limit(100 + i);
	GUEST_ASSERT_EQ(LGUEST_HCALL_RING, waiting());
	hypercall(LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);
	GUEST_ASSERT_EQ(0, waiting());
	GUEST_ASSERT_EQ((100 + LGUEST_HCALL_RING - 1) << 12 | 0xfff, limit_of(SCRATCH));
	/* Before the synchronous one. */
	set_limit(7);
	hypercall(LHCALL_LOAD_GDT_ENTRY, SCRATCH, 9, DATA_HIGH & ~0xf0000u, 0);
	GUEST_ASSERT_EQ(9 << 12 | 0xfff, limit_of(SCRATCH));

	/* What is behind a free entry waits for its turn. */
	kept = guest_ring_next;
	guest_ring_next = (kept + 1) % LGUEST_HCALL_RING;
	set_limit(11);
	hypercall(LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);
	GUEST_ASSERT_EQ(1, waiting());
	GUEST_ASSERT_EQ(9 << 12 | 0xfff, limit_of(SCRATCH));
	guest_ring_next = kept;
	set_limit(10);
	hypercall(LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);
	GUEST_ASSERT_EQ(0, waiting());
	GUEST_ASSERT_EQ(11 << 12 | 0xfff, limit_of(SCRATCH));
}

/* ---- The window ---- */

extern char guest_iret[], returned[], trap_stubs[];
static volatile u32 interrupts, interrupted_ip, interrupted_flags;

static bool on_line(struct trap_frame *frame)
{
	interrupts++;
	interrupted_ip = frame->ip;
	interrupted_flags = frame->flags;
	return true;
}

/*
 * A line waits. On a page of its own: drop the page with the IRET, switch interrupts on, go there.
 * The Host has to bring the page, and is at the IRET with a line to deliver.
 */
static void return_with_a_line_waiting(u32 flags)
{
	static const u8 code[] = {
		0x50, 0x53, 0x56,				/* push %eax, %ebx, %esi */
		0x0f, 0x01, 0x39,				/* invlpg (%ecx) */
		0xc7, 0x07, LGUEST_IF & 0xff, LGUEST_IF >> 8, 0, 0,	/* movl $LGUEST_IF, (%edi) */
		0xff, 0xe2,					/* jmp *%edx */
	};

	memcpy((void *)FRESH, code, sizeof(code));
	lguest_data.irq_enabled = 0;
	hypercall(LHCALL_SET_CLOCKEVENT, 1000, 0, 0, 0);
	while (!*(volatile u32 *)&lguest_data.irq_pending)
		;
	GUEST_ASSERT_EQ(0, interrupts);
	asm volatile("pushl %%ebp\n"
		     "movl %[fresh], %%ebp\n"
		     "jmp *%%ebp\n"
		     "returned:\n"
		     "popl %%ebp\n"
		     : : "a" (flags), "b" (KERNEL_CS), "S" (returned), "c" (guest_iret),
		       "D" (&lguest_data.irq_enabled), "d" (guest_iret), [fresh] "i" (FRESH)
		     : "memory", "cc");
}

static void window(void)
{
	u32 stub = (u32)trap_stubs + LGUEST_FIRST_IRQ_VECTOR * 16;

	guest_map(lguest_pgdir, FRESH, guest_alloc(1, PAGE_SIZE) | PTE_ALL);
	guest_handle(LGUEST_FIRST_IRQ_VECTOR, on_line);
	hypercall(LHCALL_LOAD_IDT_ENTRY, LGUEST_FIRST_IRQ_VECTOR, KERNEL_CS << 16 | (stub & 0xffff),
		  (stub & 0xffff0000) | 0x8e00, 0);
	lguest_data.blocked_interrupts = ~1u;

	return_with_a_line_waiting(FLAGS_ONE | FLAGS_IF);
	GUEST_ASSERT_EQ(1, interrupts);
	GUEST_ASSERT_EQ((u32)returned, interrupted_ip);
	GUEST_ASSERT_EQ(FLAGS_IF, interrupted_flags & FLAGS_IF);
	interrupts = 0;

	/* The frame says that interrupts are off: none comes, however irq_enabled was before. */
	return_with_a_line_waiting(FLAGS_ONE);
	GUEST_ASSERT_EQ(0, interrupts);
	GUEST_ASSERT_EQ(0, lguest_data.irq_enabled);
	lguest_data.irq_enabled = LGUEST_IF;
	hypercall(LHCALL_SEND_INTERRUPTS, 0, 0, 0, 0);
	GUEST_ASSERT_EQ(1, interrupts);
	lguest_data.irq_enabled = 0;
}

void guest_main(void)
{
	window();
	ring();
}
