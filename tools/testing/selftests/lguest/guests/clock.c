// SPDX-License-Identifier: GPL-2.0
/*
 * A clock as kernels make one: the wall clock of the first tick, and from then on the time-stamp
 * counter at the rate that the Host has told; without one, the wall clock of each tick. It says what time it is whenever
 * it is asked, or sleeps between its ticks.
 */
#include "guest.h"
#include "../guests/clock.h"

#define TICK_NS		1000000u
#define IDLE_NS		50000000u

static volatile u32 ticks;
static u32 tick_ns;
extern char trap_stubs[];

static bool on_tick(struct trap_frame *frame)
{
	ticks++;
	hypercall(LHCALL_SET_CLOCKEVENT, tick_ns, 0, 0, 0);
	return true;
}

/* ticks of the counter as nanoseconds; both of 64 bits, and the product of 96. */
static u64 to_ns(u64 cycles, u32 khz)
{
	u64 ms = cycles / khz, rest = cycles % khz;

	return ms * 1000000 + rest * 1000000 / khz;
}

static void say(u64 start)
{
	volatile u32 *time = lguest_data.time;
	u32 before = ticks;
	u64 ns;

	if (lguest_data.tsc_khz) {
		ns = to_ns(rdtsc() - start, lguest_data.tsc_khz) + mailbox->in[3];
		mailbox->out[CLOCK_SECONDS] = mailbox->in[2] + (u32)(ns / 1000000000);
		mailbox->out[CLOCK_NS] = ns % 1000000000;
	} else {
		/* Nothing to count by: what the next tick brings. */
		while (ticks == before)
			;
		lguest_data.irq_enabled = 0;
		mailbox->out[CLOCK_SECONDS] = time[0];
		mailbox->out[CLOCK_NS] = time[1];
		lguest_data.irq_enabled = LGUEST_IF;
		if (lguest_data.irq_pending)
			hypercall(LHCALL_SEND_INTERRUPTS, 0, 0, 0, 0);
	}
	mailbox->out[CLOCK_TICKS] = ticks;
}

void guest_main(void)
{
	u32 stub = (u32)trap_stubs + LGUEST_FIRST_IRQ_VECTOR * 16;
	bool idle = mailbox->in[CLOCK_MODE] == CLOCK_IDLE;
	u64 start;

	guest_handle(LGUEST_FIRST_IRQ_VECTOR, on_tick);
	hypercall(LHCALL_LOAD_IDT_ENTRY, LGUEST_FIRST_IRQ_VECTOR, KERNEL_CS << 16 | (stub & 0xffff),
		  (stub & 0xffff0000) | 0x8e00, 0);
	lguest_data.blocked_interrupts = ~1u;
	mailbox->out[CLOCK_TSC_KHZ] = lguest_data.tsc_khz;
	tick_ns = idle ? IDLE_NS : TICK_NS;

	/* The first tick brings the wall clock of that moment. */
	hypercall(LHCALL_SET_CLOCKEVENT, tick_ns, 0, 0, 0);
	lguest_data.irq_enabled = 0;
	hypercall(LHCALL_HALT, 0, 0, 0, 0);
	start = rdtsc();
	mailbox->in[2] = ((volatile u32 *)lguest_data.time)[0];
	mailbox->in[3] = ((volatile u32 *)lguest_data.time)[1];

	lguest_data.irq_enabled = LGUEST_IF;
	while (!mailbox->in[CLOCK_STOP]) {
		if (idle) {
			hypercall(LHCALL_HALT, 0, 0, 0, 0);
			mailbox->out[CLOCK_TICKS] = ticks;
			continue;
		}
		say(start);
		guest_sync(1);
	}
	lguest_data.irq_enabled = 0;
}
