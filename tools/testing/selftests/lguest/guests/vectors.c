// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupt lines where the Guest wants them: vector of line 0 in mailbox->in[0]. The launcher has
 * changed the extension before the start, and raises three lines each time it is asked.
 */
#include "guest.h"
#include "../guests/vectors.h"

struct lguest_extension lguest_extension __attribute__((section(".lguest_extension"))) = {
	.magic = { LGUEST_EXTENSION_MAGIC_0, LGUEST_EXTENSION_MAGIC_1 },
	.version = LGUEST_EXTENSION_VERSION,
	.first_irq_vector = LGUEST_FIRST_IRQ_VECTOR,
};

extern char trap_stubs[];

static u32 came[256];

static bool on_line(struct trap_frame *frame)
{
	came[frame->vector]++;
	return true;
}

static void interrupt_gate(u32 vector)
{
	u32 stub = (u32)trap_stubs + vector * 16;

	hypercall(LHCALL_LOAD_IDT_ENTRY, vector, KERNEL_CS << 16 | (stub & 0xffff),
		  (stub & 0xffff0000) | 0x8e00, 0);
}

/* Whatever is raised comes, once each, and nothing else does. */
static void one_round(u32 first, u32 number)
{
	u32 vector;

	guest_sync(number);
	lguest_data.irq_enabled = LGUEST_IF;
	hypercall(LHCALL_SEND_INTERRUPTS, 0, 0, 0, 0);
	lguest_data.irq_enabled = 0;
	for (vector = VECTORS_FIRST; vector < 256; vector++) {
		u32 line = vector - first;

		GUEST_ASSERT_EQ(line < 32 && VECTORS_LINES & 1u << line ? number : 0, came[vector]);
	}
}

void guest_main(void)
{
	u32 first = mailbox->in[0], vector;

	GUEST_ASSERT_EQ(mailbox->in[1], lguest_extension.features);
	for (vector = VECTORS_FIRST; vector < 256; vector++)
		guest_handle(vector, on_line);
	lguest_data.blocked_interrupts = 0;

	for (vector = VECTORS_FIRST; vector < 256; vector++)
		interrupt_gate(vector);
	one_round(first, 1);
	one_round(first, 2);
	/* A trap gate leaves them on: one may come in the handler of the other. */
	for (vector = VECTORS_FIRST; vector < 256; vector++)
		guest_set_gate(vector, 0);
	one_round(first, 3);
}
