// SPDX-License-Identifier: GPL-2.0
/*
 * Time: the Host's TSC, which can be read in ring 3, with the frequency that the Host knows; its
 * wall clock; and one alarm, which comes on interrupt line 0. If the Host has no use for its TSC,
 * neither have we: then the wall clock counts, as of the last interrupt.
 */
#include <linux/clockchips.h>
#include <linux/clocksource.h>
#include <linux/interrupt.h>
#include <linux/math64.h>
#include <linux/time.h>
#include <asm/cpufeature.h>
#include <asm/tsc.h>
#include <asm/x86_init.h>

#include "lguest.h"

#define TIMER_LINE	0

/* ---- Clocks ---- */

static unsigned long __init tsc_frequency(void)
{
	return lguest_data.tsc_khz;
}

/* The Host writes it with each interrupt, between any two instructions of ours. */
static void read_wall_clock(struct timespec64 *now)
{
	u32 seconds;

	do {
		seconds = READ_ONCE(lguest_data.time[0]);
		now->tv_nsec = READ_ONCE(lguest_data.time[1]);
	} while (seconds != READ_ONCE(lguest_data.time[0]));
	now->tv_sec = seconds;
}

/* What the wall clock and the TSC said when we began. */
static struct timespec64 first_time;
static u64 first_tsc;

/*
 * For the kernel, which asks before interrupts are on: what the Host has written is then as old as
 * the kernel, which on a busy machine may be seconds. The TSC knows how old.
 */
static void read_persistent_clock(struct timespec64 *now)
{
	read_wall_clock(now);
	if (lguest_data.tsc_khz && timespec64_equal(now, &first_time))
		timespec64_add_ns(now, mul_u64_u32_div(rdtsc() - first_tsc, USEC_PER_SEC,
						       lguest_data.tsc_khz));
}

static int no_wall_clock_to_set(const struct timespec64 *now)
{
	return -ENODEV;
}

static u64 wall_clock_cycles(struct clocksource *cs)
{
	struct timespec64 now;

	read_wall_clock(&now);
	return timespec64_to_ns(&now);
}

static struct clocksource wall_clock = {
	.name	= "lguest",
	.rating	= 200,
	.read	= wall_clock_cycles,
	.mask	= CLOCKSOURCE_MASK(64),
	.mult	= 1 << 22,
	.shift	= 22,
	.flags	= CLOCK_SOURCE_IS_CONTINUOUS,
};

/* ---- The alarm ---- */

static int set_alarm(unsigned long ns, struct clock_event_device *evt)
{
	lguest_hcall(LHCALL_SET_CLOCKEVENT, ns, 0, 0, 0);
	return 0;
}

static int cancel_alarm(struct clock_event_device *evt)
{
	lguest_hcall(LHCALL_SET_CLOCKEVENT, 0, 0, 0, 0);
	return 0;
}

static struct clock_event_device alarm = {
	.name			= "lguest",
	.features		= CLOCK_EVT_FEAT_ONESHOT,
	.rating			= 400,
	.set_next_event		= set_alarm,
	.set_state_shutdown	= cancel_alarm,
};

static irqreturn_t alarm_rings(int irq, void *unused)
{
	alarm.event_handler(&alarm);
	return IRQ_HANDLED;
}

static void __init init_timer(void)
{
	if (!lguest_data.tsc_khz)
		clocksource_register_hz(&wall_clock, NSEC_PER_SEC);
	alarm.cpumask = cpumask_of(0);
	alarm.irq = TIMER_LINE;
	if (request_irq(TIMER_LINE, alarm_rings, IRQF_TIMER | IRQF_NOBALANCING, "timer", NULL))
		panic("lguest: no interrupt for the timer");
	clockevents_config_and_register(&alarm, NSEC_PER_SEC, 1, U32_MAX);
}

/**
 * lguest_init_time() - say what clocks there are
 */
void __init lguest_init_time(void)
{
	read_wall_clock(&first_time);
	if (lguest_data.tsc_khz) {
		first_tsc = rdtsc();
		setup_force_cpu_cap(X86_FEATURE_TSC_KNOWN_FREQ);
		setup_force_cpu_cap(X86_FEATURE_TSC_RELIABLE);
	} else {
		setup_clear_cpu_cap(X86_FEATURE_TSC);
	}
	x86_platform.calibrate_cpu = tsc_frequency;
	x86_platform.calibrate_tsc = tsc_frequency;
	x86_platform.get_wallclock = read_persistent_clock;
	x86_platform.set_wallclock = no_wall_clock_to_set;
	x86_init.timers.timer_init = init_timer;
	x86_init.timers.wallclock_init = x86_init_noop;
	x86_init.timers.setup_percpu_clockev = x86_init_noop;
}
