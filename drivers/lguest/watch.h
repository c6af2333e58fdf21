/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the rooms of the Host tell those who watch: one line each where a thing
 * happens. Here it is counted (stats.h) and, where that is all there is to do,
 * traced (trace.h).
 */
#ifndef _LGUEST_WATCH_H
#define _LGUEST_WATCH_H

#include <linux/jump_label.h>

#include "lg.h"
#include "trace.h"

/*
 * Is a tracepoint on that is on the way of every exit: lguest_enter, lguest_exit, lguest_hypercall?
 * If not, that costs one instruction where it is asked, and nothing has to be kept for it.
 */
#ifdef TRACEPOINTS_ENABLED
DECLARE_STATIC_KEY_FALSE(lg_traced_key);
#define lg_traced()	static_branch_unlikely(&lg_traced_key)
#else
#define lg_traced()	false
#endif

/* What is to be known of an exit at once, by what lg_world_enter() returns. */
#define LG_EXIT_VECTORS (LG_EXIT_ABORTED + 1)
struct lg_exit_kind {
	u16 account;	/* where its account is in struct lg_stats */
	bool rare;	/* there is more to do than to count it: world.c */
};

extern struct lg_exit_kind lg_exit_kinds[LG_EXIT_VECTORS];

/*
 * The time that is owed to an account ends. Signed: CPUs' counters may differ
 * by a little.
 */
static __always_inline void lg_charge(struct lg_stats *s, u64 end)
{
	struct lg_account *owed = s->owed;
	s64 ticks = end - s->left;

	owed->ticks += ticks;
	if (unlikely(ticks > (s64)owed->worst))
		owed->worst = ticks;
}

/*
 * The next thing that the vCPU does is to enter the Guest; then lg_watch_exit()
 * must follow. Both are on the way of every exit, in world.c, with interrupts
 * off: some 40 instructions together. By the vCPU's own task, like all here
 * unless said otherwise.
 */
static __always_inline struct lg_exit_record *
lg_watch_enter(struct lg_cpu *cpu, bool user)
{
	struct lg_stats *s = &cpu->stats;
	struct lg_exit_record *record = &s->last[s->exits % LG_LAST_EXITS];
	u64 now = rdtsc();

	/* Not to be computed twice. */
	OPTIMIZER_HIDE_VAR(record);
	record->entered = now;
	record->user = user;
	lg_charge(s, now);
	return record;
}

/* It has come out. left: rdtsc() when it did. */
static __always_inline void lg_watch_exit(struct lg_cpu *cpu,
					  const struct lg_state *state,
					  struct lg_exit_record *record,
					  unsigned int vector, u64 left)
{
	struct lg_stats *s = &cpu->stats;
	struct lg_account *account;

	account = (void *)s + lg_exit_kinds[vector].account;
	OPTIMIZER_HIDE_VAR(account);
	account->count++;
	s->owed = account;
	s->left = left;
	record->left = left;
	record->ip = state->frame.ip;
	record->error = state->frame.error;
	record->ax = state->regs.ax;
	record->bx = state->regs.bx;
	record->vector = vector;
	/* Readers believe in what stands before it. */
	smp_wmb();
	s->exits++;
}

/* One hypercall is about to be done: a valid one, but for its arguments. */
static __always_inline void lg_watch_hypercall(struct lg_cpu *cpu, u32 nr,
					       bool ring)
{
	struct lg_stats *s = &cpu->stats;

	if (ring) {
		s->ring_calls[nr]++;
	} else {
		s->owed = &s->account[LG_ACCOUNT_HYPERCALL + nr];
		s->owed->count++;
	}
}

/* The vCPU's task begins and ends to work on it: lg_run(), some requests. */
static inline void lg_watch_begin(struct lg_cpu *cpu)
{
	WRITE_ONCE(cpu->runs, cpu->runs + 1);
	/* Who still sees it even has copied what was before. */
	smp_wmb();
}

static inline void lg_watch_end(struct lg_cpu *cpu)
{
	/* Who sees it even sees all that was done. */
	smp_wmb();
	WRITE_ONCE(cpu->runs, cpu->runs + 1);
	/* Who asked before that waits for an answer. */
	lg_snapshot_answer(cpu);
}

/* From now on time goes to another account: the vCPU sleeps, or is put. */
static inline void lg_watch_pause(struct lg_cpu *cpu,
				  enum lg_account_of account)
{
	struct lg_stats *s = &cpu->stats;
	u64 now = rdtsc();

	lg_charge(s, now);
	s->left = now;
	s->owed = &s->account[account];
	s->owed->count++;
}

/* The Guest goes on at the handler of a vector. line: by that interrupt line, or -1. */
static inline void lg_watch_inject(struct lg_cpu *cpu, u8 vector,
				   bool has_error, u32 error, int line)
{
	if (line >= 0)
		cpu->stats.irqs[line]++;
	else
		cpu->stats.traps++;
	trace_lguest_inject(cpu, vector, has_error, error);
}

/* What the emulation made of an instruction: enum lg_emulated, 0 or -EFAULT. */
static inline void lg_watch_emulate(struct lg_cpu *cpu, u32 ip,
				    const struct lg_insn *insn, int result)
{
	cpu->stats.emulated += result != LG_EMU_NOT_OURS;
	trace_lguest_emulate(cpu, ip, insn, result);
}

/* In HALT, about to sleep and awake again. */
static inline void lg_watch_halt(struct lg_cpu *cpu, bool asleep)
{
	if (asleep)
		lg_watch_pause(cpu, LG_ACCOUNT_HALTED);
	trace_lguest_halt(cpu, asleep);
}

#endif /* _LGUEST_WATCH_H */
