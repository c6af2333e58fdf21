// SPDX-License-Identifier: GPL-2.0
/*
 * Producer and consumer over interrupts: a thread of the launcher's puts items into a ring and
 * signals an eventfd that raises a line; the Guest takes them in its handler, and sends each back
 * through another ring, whose doorbell is a store to a device. When there is nothing to do, the
 * Guest halts.
 */
#include "guest.h"
#include "../guests/channel.h"

#define DEVICE_AT	0x70000000u

static volatile struct channel *channel;
static volatile u32 received, handled, halts;

static void ring_doorbell(void)
{
	*(volatile u32 *)(DEVICE_AT + (DOORBELL_GPA - DEVICE_GPA)) = 1;
}

/* Full: the other side takes something sooner or later. */
static void send(u32 item)
{
	volatile struct channel_ring *ring = &channel->from_guest;

	while (ring->put - ring->taken == CHANNEL_SLOTS)
		ring_doorbell();
	ring->item[ring->put % CHANNEL_SLOTS] = item;
	asm volatile("" : : : "memory");
	ring->put++;
}

static bool on_line(struct trap_frame *frame)
{
	volatile struct channel_ring *ring = &channel->to_guest;

	handled++;
	while (ring->taken != ring->put) {
		u32 item = ring->item[ring->taken % CHANNEL_SLOTS];

		GUEST_ASSERT_EQ(channel_item(received), item);
		asm volatile("" : : : "memory");
		ring->taken++;
		received++;
		send(~item);
	}
	ring_doorbell();
	return true;
}

/* The gates of the small kernel leave interrupts on; the line's is to be off in its handler. */
extern char trap_stubs[];

static void interrupt_gate(u32 vector)
{
	u32 stub = (u32)trap_stubs + vector * 16;

	hypercall(LHCALL_LOAD_IDT_ENTRY, vector, KERNEL_CS << 16 | (stub & 0xffff),
		  (stub & 0xffff0000) | 0x8e00, 0);
}

void guest_main(void)
{
	u32 page = guest_alloc(1, PAGE_SIZE);

	channel = va(page);
	mailbox->out[0] = page;
	guest_map(lguest_pgdir, DEVICE_AT, DEVICE_GPA | PTE_P | PTE_W);
	guest_handle(LGUEST_FIRST_IRQ_VECTOR + CHANNEL_LINE, on_line);
	interrupt_gate(LGUEST_FIRST_IRQ_VECTOR + CHANNEL_LINE);
	lguest_data.blocked_interrupts = ~(1u << CHANNEL_LINE);
	guest_sync(1);

	/*
	 * Interrupts come while it halts, and only then: HALT switches them on, their handler's
	 * IRET does, too.
	 */
	while (received < CHANNEL_ITEMS) {
		lguest_data.irq_enabled = 0;
		if (received < CHANNEL_ITEMS && channel->to_guest.taken == channel->to_guest.put) {
			halts++;
			hypercall(LHCALL_HALT, 0, 0, 0, 0);
		} else {
			lguest_data.irq_enabled = LGUEST_IF;
			if (lguest_data.irq_pending)
				hypercall(LHCALL_SEND_INTERRUPTS, 0, 0, 0, 0);
		}
	}
	lguest_data.irq_enabled = 0;
	guest_printf("%u items in %u interrupts, %u halts", received, handled, halts);
}
