/* SPDX-License-Identifier: GPL-2.0 */
/* A Guest whose instruction at CODE is emulated: for the tests of emulate.c, emu_*.c. */
#ifndef LGUEST_TEST_EMULATED_H
#define LGUEST_TEST_EMULATED_H

#include "model.h"

#include "../harness.h"

static struct model m;
static struct lg_cpu *const cpu = &m.cpu;
static struct lg_frame *const frame = &m.state.frame;
static struct lg_regs *const regs = &m.state.regs;

#define CODE		0x8000u
#define DATA		0xa000u
#define STACK		0xc000u
#define USER_STACK	0xd000u
#define OTHER_STACK	0x7000u
#define TSS_AT		0xe000u
#define GDT_AT		0x6000u
#define HANDLERS	0x1000u		/* handler of vector n is at HANDLERS + n */
#define ENTRY_STACK	0x3000u

/* No vector: what trapped() says of an instruction that was done. */
#define DONE		(-1)

static inline void start(bool user)
{
	unsigned int vector;

	model_start(&m);
	if (user)
		model_to_user(&m);
	cpu->ss1 = MODEL_KERNEL_DS;
	cpu->esp1 = ENTRY_STACK;
	frame->ip = CODE;
	frame->sp = user ? USER_STACK : STACK;
	for (vector = 0; vector < 256; vector++) {
		u32 offset = HANDLERS + vector;

		cpu->idt[vector] = (offset & 0xffff) | (u64)MODEL_KERNEL_CS << 16 | 0x8e00ull << 32;
	}
}

static inline void put_code(const void *bytes, unsigned int len)
{
	memcpy(m.memory + CODE, bytes, len);
}

/* The vector whose handler the Guest is at, or DONE. */
static inline int trapped(void)
{
	return frame->ip >= HANDLERS && frame->ip < HANDLERS + 256 ? (int)(frame->ip - HANDLERS) : DONE;
}

static inline u32 stacked(unsigned int word)
{
	return model_read32(&m, (u32)frame->sp + word * 4);
}

static inline void at_kernel(const void *bytes, unsigned int len)
{
	frame->ip = CODE;
	put_code(bytes, len);
	lg_emulate(cpu, LG_TRAP_GP, 0);
}


#endif /* LGUEST_TEST_EMULATED_H */
