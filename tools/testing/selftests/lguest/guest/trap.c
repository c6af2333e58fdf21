// SPDX-License-Identifier: GPL-2.0
/*
 * The small kernel's start and its traps. A trap goes to the handler of its vector, if there is one
 * that wants it, then to the innermost guest_try(); one that nobody waits for fails the test.
 */
#include "guest.h"

/* entry.S */
extern char trap_stubs[], guest_iret[], user_trap_stack_top[];
u32 guest_setjmp(u32 *save) __attribute__((returns_twice));
void __attribute__((noreturn)) guest_longjmp(u32 *save, u32 value);
void __attribute__((noreturn)) guest_enter_user(u32 ip, u32 cs, u32 flags, u32 sp, u32 ss, u32 ax);
void __attribute__((noreturn)) guest_return(struct trap_frame *frame);
void guest_trap(struct trap_frame *frame);
void __attribute__((noreturn)) lguest_start(void *boot_params);

#define STUB_SIZE	16
#define TRAP_GATE	0x8f00u		/* present, 32-bit; the privilege level goes to bits 13, 14 */

/* Flat segments of the user level: code and data, DPL 3, 4 GiB (SDM vol. 3, 3.4.5). */
#define USER_CODE_HIGH	0x00cffb00u
#define USER_DATA_HIGH	0x00cff300u
#define FLAT_LOW	0x0000ffffu

/* A Guest may have a struct lguest_extension right behind it (guest.lds.S). */
struct lguest_data lguest_data __attribute__((section(".lguest_data"))) = {
	.blocked_interrupts = 0xffffffff,
	.hcall_status = { [0 ... LGUEST_HCALL_RING - 1] = LGUEST_HCALL_FREE },
	.noirq_iret = (u32)guest_iret,
	.kernel_address = LGUEST_PAGE_OFFSET,
	.syscall_vec = 0x80,
};

/* The innermost guest_try(): where it goes on, and what it wants to know. */
struct attempt {
	u32 save[6];
	struct trap *trap;
	struct trap_frame *state;	/* or NULL: all that the trap left */
	struct attempt *outer;
};

static struct attempt *attempt;
static bool (*handlers[256])(struct trap_frame *frame);

void guest_handle(u32 vector, bool (*handler)(struct trap_frame *frame))
{
	handlers[vector] = handler;
}

u32 guest_ring_next;

void guest_queue(u32 number, u32 a, u32 b, u32 c)
{
	u32 at = guest_ring_next;

	if (lguest_data.hcall_status[at] != LGUEST_HCALL_FREE) {
		hypercall(number, a, b, c, 0);
		return;
	}
	lguest_data.hcalls[at] = (struct lguest_hcall){ number, { a, b, c } };
	asm volatile("" : : : "memory");
	lguest_data.hcall_status[at] = LGUEST_HCALL_WAITING;
	guest_ring_next = (at + 1) % LGUEST_HCALL_RING;
}

static u32 gate_low(u32 vector)
{
	return KERNEL_CS << 16 | (((u32)trap_stubs + vector * STUB_SIZE) & 0xffff);
}

static u32 gate_high(u32 vector, u32 dpl)
{
	return (((u32)trap_stubs + vector * STUB_SIZE) & 0xffff0000) | TRAP_GATE | dpl << 13;
}

void guest_set_gate(u32 vector, u32 dpl)
{
	hypercall(LHCALL_LOAD_IDT_ENTRY, vector, gate_low(vector), gate_high(vector, dpl), 0);
}

void guest_trap(struct trap_frame *frame)
{
	bool from_user = frame->cs & 2;
	struct trap *trap;

	if (handlers[frame->vector] && handlers[frame->vector](frame))
		return;

	if (!attempt) {
		guest_printf("unexpected trap %u, error 0x%x, cr2 0x%x, ip 0x%x, cs 0x%x, flags 0x%x",
			     frame->vector, frame->error, lguest_data.cr2, frame->ip, frame->cs,
			     frame->flags);
		guest_failed(__FILE__, __LINE__, "no trap", frame->vector, frame->error);
	}

	trap = attempt->trap;
	*trap = (struct trap) {
		.vector = frame->vector,
		.error = frame->error,
		.cr2 = lguest_data.cr2,
		.ip = frame->ip,
		.cs = frame->cs,
		.flags = frame->flags,
		.sp = from_user ? frame->sp : (u32)&frame->sp,
		.ss = from_user ? frame->ss : 0,
		.ax = frame->ax,
	};
	if (attempt->state) {
		memcpy(attempt->state, frame, offsetof(struct trap_frame, sp));
		attempt->state->sp = trap->sp;
		attempt->state->ss = trap->ss;
	}
	guest_longjmp(attempt->save, 1);
}

u32 guest_try(void (*function)(u32 argument), u32 argument, struct trap *trap)
{
	struct attempt here = { .trap = trap, .outer = attempt };

	trap->vector = NO_TRAP;
	if (!guest_setjmp(here.save)) {
		attempt = &here;
		function(argument);
	}
	attempt = here.outer;
	return trap->vector;
}

u32 guest_try_user(u32 ip, u32 sp, u32 flags, u32 ax, struct trap *trap)
{
	struct attempt here = { .trap = trap, .outer = attempt };

	trap->vector = NO_TRAP;
	if (!guest_setjmp(here.save)) {
		attempt = &here;
		guest_enter_user(ip, USER_CS, flags, sp, USER_DS, ax);
	}
	attempt = here.outer;
	return trap->vector;
}

/* Where a frame has to lie: at kernel level it ends where the stack is to begin. */
static struct trap_frame *place_frame(struct trap_frame *frame)
{
	struct trap_frame *at;

	if (frame->cs & 2)
		return frame;
	at = (void *)(frame->sp - offsetof(struct trap_frame, sp));
	memcpy(at, frame, offsetof(struct trap_frame, sp));
	return at;
}

u32 guest_try_state(struct trap_frame *state)
{
	struct trap trap;
	struct attempt here = { .trap = &trap, .state = state, .outer = attempt };
	struct trap_frame frame = *state;

	trap.vector = NO_TRAP;
	if (!guest_setjmp(here.save)) {
		attempt = &here;
		guest_return(place_frame(&frame));
	}
	attempt = here.outer;
	return trap.vector;
}

void lguest_start(void *boot_params)
{
	u32 vector, dpl;

	GUEST_ASSERT_EQ(LGUEST_PAGE_OFFSET, boot_params);
	/* Through the ring: tests start Guests by the thousand, and a world switch is dear. */
	for (vector = 0; vector < 256; vector++) {
		if (vector == LGUEST_TRAP_ENTRY)
			continue;
		dpl = vector == VEC_BP || vector == VEC_OF || vector == lguest_data.syscall_vec ? 3 : 0;
		guest_queue(LHCALL_LOAD_IDT_ENTRY, vector, gate_low(vector), gate_high(vector, dpl));
	}
	guest_queue(LHCALL_LOAD_GDT_ENTRY, USER_CS / 8, FLAT_LOW, USER_CODE_HIGH);
	guest_queue(LHCALL_LOAD_GDT_ENTRY, USER_DS / 8, FLAT_LOW, USER_DATA_HIGH);
	hypercall(LHCALL_SET_STACK, KERNEL_DS, (u32)user_trap_stack_top, 1, 0);

	guest_main();
	guest_shutdown("passed", LGUEST_SHUTDOWN_POWEROFF);
}
