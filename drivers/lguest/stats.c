// SPDX-License-Identifier: GPL-2.0
/*
 * What is counted of a vCPU: the accounts, and what they are called. The
 * counting itself is in watch.h, as it has to cost next to nothing.
 */
#include <linux/math64.h>
#include <asm/tsc.h>

#include "watch.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#ifdef TRACEPOINTS_ENABLED
DEFINE_STATIC_KEY_FALSE(lg_traced_key);

/* One of the tracepoints of lg_traced() goes on or off: by the kernel's own, one at a time. */
int lg_trace_begins(void)
{
	static_branch_inc(&lg_traced_key);
	return 0;
}

void lg_trace_ends(void)
{
	static_branch_dec(&lg_traced_key);
}
#endif

struct lg_exit_kind lg_exit_kinds[LG_EXIT_VECTORS] __ro_after_init;

/* As in trace.h. */
static const char *const vector_names[] = {
	[0] = "divide_error",
	[1] = "debug",
	[2] = "nmi",
	[3] = "breakpoint",
	[4] = "overflow",
	[5] = "bounds",
	[6] = "invalid_opcode",
	[7] = "no_fpu",
	[8] = "double_fault",
	[10] = "invalid_tss",
	[11] = "segment_not_present",
	[12] = "stack_fault",
	[13] = "general_protection",
	[14] = "page_fault",
	[16] = "fpu_error",
	[17] = "alignment",
	[18] = "machine_check",
	[19] = "simd_error",
};

static const char *const account_names[] = {
	[LG_ACCOUNT_HOST_IRQ] = "host_interrupt",
	[LG_ACCOUNT_SYSCALL] = "system_call",
	[LG_ACCOUNT_REFUSED] = "refused",
	[LG_ACCOUNT_HALTED] = "halted",
	[LG_ACCOUNT_LAUNCHER] = "launcher",
};

/**
 * lg_vector_name() - an exception, as tracepoints and debugfs call it
 * @vector: any
 *
 * Return: a word, or NULL.
 */
const char *lg_vector_name(unsigned int vector)
{
	return vector < ARRAY_SIZE(vector_names) ? vector_names[vector] : NULL;
}

/**
 * lg_account_name() - what an account is called
 * @account: enum lg_account_of
 *
 * Return: a word.
 */
const char *lg_account_name(unsigned int account)
{
	const char *name = NULL;

	if (account == LGUEST_TRAP_ENTRY)
		name = "bad_hypercall";
	else if (account < LG_ACCOUNT_HOST_IRQ)
		name = lg_vector_name(account);
	else if (account < LG_ACCOUNT_HYPERCALL)
		name = account_names[account];
	else if (account < LG_ACCOUNTS)
		name = lg_hypercall_name(account - LG_ACCOUNT_HYPERCALL);
	return name ?: "unknown";
}

/**
 * lg_ticks_to_ns() - TSC ticks as time
 * @ticks: a difference of two readings
 *
 * Return: nanoseconds; 0 if the kernel does not know the rate.
 */
u64 lg_ticks_to_ns(u64 ticks)
{
	return tsc_khz ? mul_u64_u32_div(ticks, 1000000, tsc_khz) : 0;
}

/**
 * lg_stats_init() - begin to count
 * @cpu: a vCPU that did not run yet
 */
void lg_stats_init(struct lg_cpu *cpu)
{
	struct lg_stats *s = &cpu->stats;

	s->born = rdtsc();
	s->left = s->born;
	s->owed = &s->account[LG_ACCOUNT_LAUNCHER];
}

/* At module load. */
void __init lg_stats_module_init(void)
{
	unsigned int vector;

	for (vector = 0; vector < LG_EXIT_VECTORS; vector++) {
		u8 account = vector;

		if (vector == IA32_SYSCALL_VECTOR && !lg_host_vector(vector))
			account = LG_ACCOUNT_SYSCALL;
		else if (vector == LG_EXIT_ABORTED)
			account = LG_ACCOUNT_REFUSED;
		else if (vector >= FIRST_EXTERNAL_VECTOR)
			account = LG_ACCOUNT_HOST_IRQ;
		BUILD_BUG_ON(offsetof(struct lg_stats, account[LG_ACCOUNTS]) > U16_MAX);
		lg_exit_kinds[vector] = (struct lg_exit_kind){
			.account = offsetof(struct lg_stats, account) +
				   account * sizeof(struct lg_account),
			.rare = lg_host_vector(vector) || vector == X86_TRAP_PF ||
				vector == X86_TRAP_DB || vector == X86_TRAP_MC,
		};
	}
}
