// SPDX-License-Identifier: GPL-2.0
/*
 * The run loop: enter the Guest, look why it came back, do what that asks,
 * until the Launcher is needed. The loop knows which room an exit goes to and
 * nothing of what is done there.
 *
 * One turn begins with nothing owed to anybody: kicks, signals, rescheduling,
 * what waits of a hypercall, interrupts for the Guest are seen to before each
 * entry. A Guest that never exits by itself is brought back by the host's own
 * interrupts.
 */
#include <linux/interrupt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <asm/trapnr.h>

#include "watch.h"

/*
 * A hardware page fault: ours to resolve, the Guest's own, or an access to a
 * device.
 */
static enum lg_next page_fault(struct lg_cpu *cpu, u64 gva, u32 error)
{
	enum lg_shadow_result result;
	u64 gpa;

	result = lg_shadow_fault(cpu, gva, error, &gpa);
	trace_lguest_page_fault(cpu, gva, error, result);
	switch (result) {
	case LG_SHADOW_DONE:
		return LG_RUN;
	case LG_SHADOW_REFLECT:
		cpu->stats.reflected++;
		lg_mem_forget_gva(cpu, gva);
		return lg_deliver_fault(cpu);
	case LG_SHADOW_DEVICE:
		return lg_emulate_device(cpu, gva, gpa, error);
	case LG_SHADOW_NO_MEMORY:
		cpu->no_memory = true;
		return LG_RUN;
	case LG_SHADOW_GONE:
		break;
	}
	return lg_kill(
		cpu,
		"the Launcher's memory behind address %#llx is gone or may not be used so",
		gva);
}

/*
 * The processor would not load what the Guest's registers say (S3). A data
 * selector whose descriptor went away since it was loaded becomes null, and the
 * Guest faults when it uses it. An instruction pointer behind the end of its code,
 * where an emulated instruction or the Launcher has left it, is what the next fetch
 * would fault for. Without code or stack there is no Guest.
 */
static enum lg_next entry_refused(struct lg_cpu *cpu)
{
	struct lg_state *state = cpu->state;
	u64 code = lg_seg_running(cpu, LG_SREG_CS);
	u16 *data[] = { &state->regs.ds, &state->regs.es, &state->regs.fs,
			&state->regs.gs };
	u32 vector = state->abort_vector, error = state->abort_error;
	bool found = false;
	unsigned int i;

	if (vector == X86_TRAP_NMI || vector == X86_TRAP_MC ||
	    vector == X86_TRAP_DB)
		return LG_RUN;
	if ((vector == X86_TRAP_GP || vector == X86_TRAP_NP) && error) {
		for (i = 0; i < ARRAY_SIZE(data); i++) {
			if ((*data[i] & ~3u) == (error & 0xfffc)) {
				*data[i] = 0;
				found = true;
			}
		}
		if (found)
			return LG_RUN;
	}
	if (vector == X86_TRAP_GP && !error && lg_desc_is_code(code) &&
	    (u32)state->frame.ip > lg_desc_limit(code))
		return lg_deliver(cpu, X86_TRAP_GP, true, 0, false);
	return lg_kill(
		cpu,
		"its code or stack segment cannot be used (exception %u, error code %#x at the entry)",
		vector, error);
}

/*
 * What the end of an interrupt would have done in user mode: soft interrupts,
 * which newer kernels hold back while the FPU is the kernel's, and a word to
 * RCU, as a long run without sleep is no reason to let it wait.
 */
static void host_interrupted(struct lg_cpu *cpu)
{
	if (local_softirq_pending())
		lg_world_put(cpu);
	local_irq_disable();
	rcu_note_context_switch(false);
	local_irq_enable();
}

static enum lg_next handle_exit(struct lg_cpu *cpu, int vector)
{
	u32 error = cpu->state->frame.error;

	if (vector == LGUEST_TRAP_ENTRY && !cpu->user) {
		enum lg_next next = lg_hypercall(cpu);

		/* Instructions are executed again by themselves; it is behind this one. */
		if (unlikely(cpu->no_memory) && !cpu->exit.reason)
			cpu->hypercall_waits = true;
		return next;
	}
	if (vector == X86_TRAP_GP)
		return lg_emulate(cpu, vector, error);
	if (vector == IA32_SYSCALL_VECTOR)
		return lg_deliver(cpu, vector, false, 0, true);
	switch (vector) {
	case X86_TRAP_PF:
		return page_fault(cpu, cpu->exit_cr2, error);
	case LGUEST_TRAP_ENTRY:
		/*
		 * As if the Guest's kernel had a gate of its own level there.
		 */
		cpu->state->frame.ip -= 2;
		return lg_deliver(cpu, X86_TRAP_GP, true,
				  LGUEST_TRAP_ENTRY * 8 + 2, false);
	case X86_TRAP_NMI:
	case X86_TRAP_MC:
	case LG_EXIT_KICKED:
		return LG_RUN;
	case LG_EXIT_ABORTED:
		return entry_refused(cpu);
	}
	if (vector & LG_EXIT_HOST) {
		host_interrupted(cpu);
		return LG_RUN;
	}
	return lg_handle_exception(cpu, vector, error);
}

/* Something that a halted vCPU wakes up for. */
static bool has_work(struct lg_cpu *cpu)
{
	return READ_ONCE(cpu->kicked) || READ_ONCE(cpu->brk) ||
	       !READ_ONCE(cpu->halted);
}

/* In HALT. */
static noinline void sleep_halted(struct lg_cpu *cpu)
{
	lg_world_put(cpu);
	lg_watch_halt(cpu, true);
	/* A signal ends the wait; the run loop sees it. */
	wait_event_interruptible(cpu->wq, has_work(cpu));
	lg_watch_halt(cpu, false);
}

/* Goes on with what could not be done as a whole. */
static noinline void finish_left_over(struct lg_cpu *cpu)
{
	if (cpu->untold) {
		lg_tell_again(cpu);
	} else if (cpu->event_waits) {
		lg_deliver_again(cpu);
	} else if (cpu->hypercall_waits) {
		lg_hypercall_again(cpu);
	} else {
		cpu->io_waits = false;
		lg_emulate_again(cpu);
	}
}

/*
 * What the vCPU owes somebody before it may enter the Guest. True: look at everything anew before.
 */
static __always_inline bool see_to_waiting(struct lg_cpu *cpu)
{
	if (unlikely(cpu->left_over)) {
		finish_left_over(cpu);
		return true;
	}
	if (lg_deliver_interrupts(cpu) != LG_RUN)
		return true;
	if (!cpu->halted)
		return false;
	sleep_halted(cpu);
	return true;
}

/* What the running task may be asked for. Before it returns to user mode, a lazy wish counts, too. */
#ifdef _TIF_NEED_RESCHED_LAZY
#define RESCHED (_TIF_NEED_RESCHED | _TIF_NEED_RESCHED_LAZY)
#else
#define RESCHED _TIF_NEED_RESCHED
#endif
#define THREAD_WORK                                                  \
	(_TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL | _TIF_NOTIFY_RESUME | \
	 RESCHED)

/* 0, or the errno with which read() returns. */
static int thread_work(struct lg_cpu *cpu)
{
	if (signal_pending(current))
		return -EINTR;
	if (test_thread_flag(TIF_NOTIFY_RESUME)) {
		/*
		 * Task work wants to be done on the way to user mode; the
		 * pending flag makes the kernel restart the call behind it.
		 */
		set_thread_flag(TIF_SIGPENDING);
		return -ERESTARTNOINTR;
	}
	lg_world_put(cpu);
	if (read_thread_flags() & RESCHED)
		schedule();
	return 0;
}

/* Into the Guest and out, for those who trace that. */
static noinline int enter_traced(struct lg_cpu *cpu)
{
	int vector;

	trace_lguest_enter(cpu);
	vector = lg_world_enter(cpu);
	trace_lguest_exit(cpu, vector & ~LG_EXIT_HOST);
	return vector;
}

/**
 * lg_run() - run a vCPU until the Launcher is needed
 * @cpu: the vCPU of the running task, which lg_may_run() has found
 *
 * Context: sleeps.
 * Return: 0 with cpu->exit filled; -EINTR when a signal is pending;
 * -ENOMEM when the Host has no memory for what the Guest touched, or for what it was to be told,
 * which is done again when it is next run; -ERESTARTNOINTR when the task has work to do on its way to
 * user mode and the call should begin anew.
 */
int lg_run(struct lg_cpu *cpu)
{
	int vector, err = 0;

	lg_watch_begin(cpu);
	cpu->io_waits = lg_io_waits(cpu);
	/* BREAK may have been there before the call. */
	WRITE_ONCE(cpu->kicked, true);
	while (!cpu->exit.reason) {
		if (READ_ONCE(cpu->kicked)) {
			WRITE_ONCE(cpu->kicked, false);
			/*
			 * Who kicks after this is noticed by lg_world_enter()
			 * or has_work(); what came with a kick before, below.
			 */
			smp_mb();
			lg_snapshot_answer(cpu);
			if (READ_ONCE(cpu->brk)) {
				cpu->exit.reason = LGUEST_EXIT_BREAK;
				break;
			}
		}
		if (unlikely(read_thread_flags() & THREAD_WORK)) {
			err = thread_work(cpu);
			if (err)
				break;
		}

		if (unlikely(cpu->waits | READ_ONCE(cpu->irqs_pending)) && see_to_waiting(cpu)) {
			if (cpu->no_memory)
				break;
			continue;
		}

		vector = lg_traced() ? enter_traced(cpu) : lg_world_enter(cpu);
		handle_exit(cpu, vector);
		if (unlikely(cpu->no_memory))
			break;
	}
	/* What else ends the loop: cpu->no_memory. An exit that is there already is told first. */
	if (!err && !cpu->exit.reason)
		err = signal_pending(current) ? -EINTR : -ENOMEM;
	cpu->no_memory = false;
	lg_world_put(cpu);
	lg_watch_pause(cpu, LG_ACCOUNT_LAUNCHER);
	if (!err)
		trace_lguest_notify(cpu);
	lg_watch_end(cpu);
	return err;
}
