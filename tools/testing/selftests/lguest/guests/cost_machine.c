// SPDX-License-Identifier: GPL-2.0
/*
 * What traps, interrupts and emulation cost, counted by the Guest as in guests/cost.c. Its own
 * handlers are an instruction or two.
 */
#include "user.h"
#include "../guests/cost_machine.h"
#include "../guests/measure.h"

#define USER_AT		0x00400000u
#define DEVICE_AT	0x70000000u

static void set_gate(u32 vector, u32 type, const void *handler)
{
	u32 at = (u32)handler;

	hypercall(LHCALL_LOAD_IDT_ENTRY, vector, KERNEL_CS << 16 | (at & 0xffff),
		  (at & 0xffff0000) | type << 8, 0);
}

/* Handlers: a system call that does nothing; an interrupt that notes when it came. */
extern char null_syscall[], note_time[];
u32 noted;
asm("	.text\n"
    "null_syscall:\n"
    "	iret\n"
    "note_time:\n"
    "	pushl	%eax\n"
    "	pushl	%edx\n"
    "	rdtsc\n"
    "	movl	%eax, noted\n"
    "	popl	%edx\n"
    "	popl	%eax\n"
    "	iret\n");

/* At user level: an array of costs on its heap, then another way out. */
USER void syscalls(void)
{
	u32 *costs = (u32 *)USER_HEAP, i, from, to;

	for (i = 0; i < COST_TIMES; i++) {
		asm volatile("rdtsc; movl %%eax, %0; int $0x80; rdtsc"
			     : "=&r"(from), "=&a"(to)
			     :
			     : "edx", "memory");
		costs[i] = to - from;
	}
	asm volatile("ud2");
}

static void measure_syscall(u32 nothing)
{
	u32 pgdir = user_pgdir(), heap = guest_alloc(1, PAGE_SIZE), i;
	struct trap trap;

	guest_map(va(pgdir), USER_HEAP, heap | PTE_ALL);
	set_gate(0x80, 0xef, null_syscall);
	user_load_pgdir(pgdir);
	GUEST_ASSERT_EQ(VEC_UD, guest_try_user(user_address(syscalls), USER_STACK - 16,
					       FLAGS_ONE | FLAGS_IF, 0, &trap));
	for (i = 0; i < COST_TIMES; i++)
		cost[i] = ((u32 *)va(heap))[i] - nothing;
	report(COST_SYSCALL);
	user_load_pgdir(pa(lguest_pgdir));
}

static void measure_inject(void)
{
	u32 i, t;

	guest_map(lguest_pgdir, DEVICE_AT, COST_DEVICE | PTE_P | PTE_W);
	for (i = 0; i < COST_TIMES; i++) {
		lguest_data.irq_enabled = 0;
		*(volatile u32 *)DEVICE_AT = 1;
		GUEST_ASSERT_EQ(LGUEST_IF, lguest_data.irq_pending);
		lguest_data.irq_enabled = LGUEST_IF;
		t = rdtsc();
		hypercall(LHCALL_SEND_INTERRUPTS, 0, 0, 0, 0);
		cost[i] = noted - t;
	}
	lguest_data.irq_enabled = 0;
	report(COST_INJECT);
}

static void measure_ports(u32 nothing)
{
	u32 i, t;

	for (i = 0; i < COST_TIMES; i++) {
		t = rdtsc();
		asm volatile("inb $0x80, %%al" : : : "eax");
		cost[i] = (u32)rdtsc() - t - nothing;
	}
	report(COST_PIO_HOST);
	for (i = 0; i < COST_TIMES; i++) {
		t = rdtsc();
		asm volatile("inb %w0, %%al" : : "d" (COST_PORT) : "eax");
		cost[i] = (u32)rdtsc() - t - nothing;
	}
	report(COST_PIO_EXIT);
	for (i = 0; i < COST_TIMES; i++) {
		t = rdtsc();
		asm volatile("cli; sti");
		cost[i] = (u32)rdtsc() - t - nothing;
	}
	report(COST_CLI_STI);
}

static void measure_timer(bool halts)
{
	u32 i, t;

	for (i = 0; i < COST_TIMES; i++) {
		noted = 0;
		lguest_data.irq_enabled = LGUEST_IF;
		t = rdtsc();
		hypercall(LHCALL_SET_CLOCKEVENT, COST_TIMER_NS, 0, 0, 0);
		if (halts)
			hypercall(LHCALL_HALT, 0, 0, 0, 0);
		while (!*(volatile u32 *)&noted)
			;
		cost[i] = noted - t - COST_TIMER_NS;
	}
	lguest_data.irq_enabled = 0;
	report(halts ? COST_WAKE : COST_TICK);
}

void guest_main(void)
{
	u32 nothing = empty();

	set_gate(LGUEST_FIRST_IRQ_VECTOR, 0x8e, note_time);
	set_gate(LGUEST_FIRST_IRQ_VECTOR + COST_LINE, 0x8e, note_time);
	lguest_data.blocked_interrupts = ~(1u | 1u << COST_LINE);
	measure_syscall(nothing);
	measure_inject();
	measure_ports(nothing);
	measure_timer(false);
	measure_timer(true);
}
