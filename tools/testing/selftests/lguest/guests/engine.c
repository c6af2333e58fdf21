// SPDX-License-Identifier: GPL-2.0
/*
 * Runs what its launcher writes into a table (guests/engine.h), each case by itself, and keeps
 * itself out of harm's way as far as it can: kernel memory is not there for user level, nor at
 * virtual == physical. A case that runs at kernel level may damage the Guest all the same. Then the
 * launcher makes another one.
 */
#include "guest.h"
#include "../guests/engine.h"

#define MXCSR_DEFAULT	0x1f80u

static u32 code, data, stack;

/*
 * As Linux does for a signal's handler. Else an error that one case leaves waiting in the FPU is
 * met by another. With CR0.TS there is nothing to reset it for.
 */
static void reset_fpu(u32 mxcsr)
{
	asm volatile("fninit; ldmxcsr %0" : : "m" (mxcsr));
}

static void run(struct engine_case *c)
{
	struct trap_frame state = {
		.di = c->di, .si = c->si, .bp = c->bp, .bx = c->bx, .dx = c->dx, .cx = c->cx, .ax = c->ax,
		.gs = c->gs, .fs = c->fs, .es = c->es, .ds = c->ds,
		.ip = c->ip, .cs = c->cs, .flags = c->flags, .sp = c->sp, .ss = c->ss,
	};
	struct trap trap;

	memset(va(code), 0xcc, 2 * ENGINE_CODE_BYTES);
	memcpy(va(code), c->code, ENGINE_CODE_BYTES);
	memset(va(data), 0, PAGE_SIZE);
	memset(va(stack), 0, PAGE_SIZE);
	if ((c->sp & -PAGE_SIZE) == ENGINE_STACK &&
	    (c->sp & (PAGE_SIZE - 1)) <= PAGE_SIZE - sizeof(c->stack))
		memcpy(va(stack) + (c->sp & (PAGE_SIZE - 1)), c->stack, sizeof(c->stack));
	guest_try(reset_fpu, MXCSR_DEFAULT, &trap);
	guest_try_state(&state);

	c->vector = state.vector;
	c->error = state.error;
	c->cr2 = lguest_data.cr2;
	c->di = state.di;
	c->si = state.si;
	c->bp = state.bp;
	c->bx = state.bx;
	c->dx = state.dx;
	c->cx = state.cx;
	c->ax = state.ax;
	c->gs = state.gs;
	c->fs = state.fs;
	c->es = state.es;
	c->ds = state.ds;
	c->ip = state.ip;
	c->cs = state.cs;
	c->flags = state.flags;
	c->sp = state.sp;
	c->ss = state.ss;
}

static u32 map_one(u32 address, u32 rights)
{
	u32 gpa = guest_alloc(1, PAGE_SIZE);

	guest_map(lguest_pgdir, address, gpa | rights);
	return gpa;
}

/* What the launcher's own process has: its outcomes are compared with ours. */
static void enable_avx(void)
{
	u32 low, a = 0xd, b, c = 0, d;

	asm volatile("cpuid" : "+a" (a), "=b" (b), "+c" (c), "=d" (d));
	low = a & 7;
	write_cr4(read_cr4() | 1u << 18);
	asm volatile("xsetbv" : : "c" (0), "a" (low), "d" (0));
}

void guest_main(void)
{
	const u32 kernel = LGUEST_PAGE_OFFSET >> 22;
	struct engine_case *cases = va(ENGINE_CASES_GPA);
	u32 i;

	enable_avx();
	for (i = 0; i < 1024; i++)
		lguest_pgdir[i] = i < kernel ? 0 : lguest_pgdir[i] & ~PTE_U;
	code = map_one(ENGINE_CODE, PTE_P | PTE_U);
	data = map_one(ENGINE_DATA, PTE_ALL);
	stack = map_one(ENGINE_STACK, PTE_ALL);
	guest_flush_all();
	memset(va(code), 0xcc, PAGE_SIZE);
	/*
	 * Segments of user level where the host's own 32-bit programs have them, to compare with
	 * those.
	 */
	hypercall(LHCALL_LOAD_GDT_ENTRY, ENGINE_USER_CS / 8, 0x0000ffff, 0x00cffb00, 0);
	hypercall(LHCALL_LOAD_GDT_ENTRY, ENGINE_USER_DS / 8, 0x0000ffff, 0x00cff300, 0);

	for (;;) {
		guest_sync(0);
		for (i = mailbox->in[ENGINE_FIRST]; i < mailbox->in[ENGINE_COUNT]; i++) {
			mailbox->out[ENGINE_CURRENT] = i;
			run(&cases[i]);
		}
	}
}
