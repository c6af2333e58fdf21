// SPDX-License-Identifier: GPL-2.0
/*
 * Time and interrupt lines from outside: a line may be raised from any context;
 * the Guest's one timer raises line 0. Delivery is lines.c's, by the vCPU
 * itself.
 */
#include <linux/hrtimer.h>
#include <linux/ktime.h>

#include "watch.h"

#define TIMER_LINE 0

/**
 * lg_raise_irq() - an interrupt line becomes pending
 * @cpu: any vCPU
 * @line: 0 .. LGUEST_IRQ_LINES - 1
 *
 * It stays so until it is delivered. Any context but NMI.
 */
void lg_raise_irq(struct lg_cpu *cpu, unsigned int line)
{
	trace_lguest_interrupt(cpu, line);
	set_bit(line, &cpu->irqs_pending);
	lg_kick(cpu);
}

static enum hrtimer_restart timer_fires(struct hrtimer *timer)
{
	struct lg_cpu *cpu = container_of(timer, struct lg_cpu, timer);

	trace_lguest_timer(cpu, 0, true);
	lg_raise_irq(cpu, TIMER_LINE);
	return HRTIMER_NORESTART;
}

void lg_timer_init(struct lg_cpu *cpu)
{
	lg_hrtimer_setup(&cpu->timer, timer_fires, CLOCK_MONOTONIC,
			 HRTIMER_MODE_REL);
}

void lg_timer_destroy(struct lg_cpu *cpu)
{
	hrtimer_cancel(&cpu->timer);
}

/**
 * lg_timer_set() - line 0 once, later
 * @cpu: vCPU of the running task
 * @ns: from now; 0 cancels what was set
 */
void lg_timer_set(struct lg_cpu *cpu, u32 ns)
{
	trace_lguest_timer(cpu, ns, false);
	cpu->stats.timer_set += !!ns;
	if (ns)
		hrtimer_start(&cpu->timer, ns_to_ktime(ns), HRTIMER_MODE_REL);
	else
		hrtimer_cancel(&cpu->timer);
}
