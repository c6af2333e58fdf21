/* SPDX-License-Identifier: GPL-2.0 */
/* A Guest with handlers for what comes to it: for the tests of trap.c and lines.c. */
#ifndef LGUEST_TEST_DELIVERY_H
#define LGUEST_TEST_DELIVERY_H

#include "model.h"

#include "../harness.h"

static struct model m;
static struct lg_cpu *const cpu = &m.cpu;
static struct lg_frame *const frame = &m.state.frame;

#define IDT_AT		0x2000u
#define DATA_AT		0x4000u		/* struct lguest_data */
#define TSS_AT		0x6000u
#define CODE_AT		0x8000u		/* where the Guest is */
#define HANDLER		0x9000u
#define PF_HANDLER	0x9100u
#define GP_HANDLER	0x9200u
#define DF_HANDLER	0x9300u
#define STACK		0xb000u		/* of kernel level */
#define USER_STACK	0xd000u
#define ENTRY_STACK	0xf000u		/* of kernel level, on entries from user level */

#define TRAP32		0xf
#define INT32		0xe
#define TRAP16		0x7
#define INT16		0x6
#define TASK		0x5

static inline u64 gate(unsigned int type, unsigned int dpl, u16 sel, u32 offset)
{
	return (offset & 0xffff) | (u64)sel << 16 | (u64)(type | dpl << 5 | 0x80) << 40 |
	       (u64)(offset >> 16) << 48;
}

static inline void set_gate(unsigned int vector, u64 desc)
{
	cpu->idt[vector] = desc;
	memcpy(m.memory + IDT_AT + vector * 8, &desc, 8);
}

/* A Guest with handlers for the exceptions that delivery raises. */
static inline void start(bool user)
{
	model_start(&m);
	if (user)
		model_to_user(&m);
	cpu->ss1 = MODEL_KERNEL_DS;
	cpu->esp1 = ENTRY_STACK;
	frame->ip = CODE_AT;
	frame->sp = user ? USER_STACK : STACK;
	frame->flags |= LG_FLAGS_CF | LG_FLAGS_DF;
	set_gate(LG_TRAP_DF, gate(INT32, 0, MODEL_KERNEL_CS, DF_HANDLER));
	set_gate(LG_TRAP_TS, gate(INT32, 0, MODEL_KERNEL_CS, GP_HANDLER));
	set_gate(LG_TRAP_NP, gate(INT32, 0, MODEL_KERNEL_CS, GP_HANDLER));
	set_gate(LG_TRAP_SS, gate(INT32, 0, MODEL_KERNEL_CS, GP_HANDLER));
	set_gate(LG_TRAP_GP, gate(INT32, 0, MODEL_KERNEL_CS, GP_HANDLER));
	set_gate(LG_TRAP_PF, gate(INT32, 0, MODEL_KERNEL_CS, PF_HANDLER));
}

static inline void use_memory_idt(unsigned int limit)
{
	memset(cpu->idt, 0, sizeof(cpu->idt));
	cpu->idt_in_memory = true;
	cpu->idt_base = IDT_AT;
	cpu->idt_limit = limit;
}

static inline u32 stacked(unsigned int word)
{
	return model_read32(&m, (u32)frame->sp + word * 4);
}


#endif /* LGUEST_TEST_DELIVERY_H */
