// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz target: the virtual processor as a whole. The input is a Guest that does its worst:
 * registers, descriptors, gates, page rights, code, and a row of events (exceptions, device faults,
 * interrupts, answers of the Launcher, stores to memory), with memory that changes while it is
 * looked at. What must hold after each is in model_check().
 */
#include "input.h"
#include "model.h"

#define EVENTS	24

static struct model m;
static struct lg_cpu *const cpu = &m.cpu;

/* Somebody else's stores: into the page of code, stack and tables that events look at. */
static void interfere(struct model *model)
{
	u64 z = model->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z ^= z >> 31;
	if (z % 16 == 0)
		model->memory[(z >> 8) % MODEL_MEMORY] = z >> 40;
}

/* An address where something is, most of the time. */
static u32 address(struct input *in)
{
	u32 at = input32(in);

	switch (at >> 28) {
	case 0:
		return MODEL_DEVICE + at % (2 * MODEL_WINDOW);
	case 1:
		return MODEL_DEVICE - 8 + at % 16;
	case 2:
		return at;
	case 3:
		return U32_MAX - at % 64;
	default:
		return at % MODEL_MEMORY;
	}
}

/* A selector of an entry that is likely to be there. */
static u16 selector(struct input *in)
{
	u16 sel = input16(in);

	if (sel % 4 == 0)
		return sel >> 2;
	return (sel >> 2) % (32 * 8);
}

static u64 descriptor(struct input *in)
{
	u64 desc = input64(in);

	switch (desc % 8) {
	case 0:
		return MODEL_CODE32 | (desc & (LG_DESC_DPL | LG_DESC_DOWN));
	case 1:
		return MODEL_DATA32 | (desc & (LG_DESC_DPL | LG_DESC_DOWN | LG_DESC_BIG));
	case 2:
		return 0;
	default:
		return desc;
	}
}

static void set_registers(struct input *in)
{
	struct lg_regs *regs = &m.state.regs;

	regs->ax = input32(in);
	regs->bx = address(in);
	regs->cx = input32(in);
	regs->dx = input16(in);
	regs->si = address(in);
	regs->di = address(in);
	regs->bp = address(in);
	m.state.frame.sp = address(in);
	m.state.frame.flags = (input32(in) & LG_FLAGS_GUEST) | LG_FLAGS_FIXED | LG_FLAGS_IF;
}

/* False: no processor is ever in this state. */
static bool set_guest(struct input *in)
{
	unsigned int i, n;
	u8 bits;

	model_start(&m);
	bits = input8(in);
	n = bits & 15;
	for (i = 0; i < n; i++)
		lg_segment_set(cpu, input8(in) % 32, descriptor(in));
	for (i = 0; i < n; i++)
		cpu->idt[input8(in)] = input64(in) | (u64)0x8e << 40;
	m.random = input64(in);
	if (bits & 0x80)
		m.interfere = interfere;
	cpu->ss1 = selector(in) & ~2;
	cpu->esp1 = address(in);
	cpu->virtual_if = bits & 0x10;
	cpu->iopl = bits >> 5 & 3;
	cpu->noirq_iret = address(in);
	if (bits & 0x20)
		cpu->data_gpa = address(in) % (MODEL_MEMORY - sizeof(struct lguest_data)) + 1;
	set_registers(in);
	m.state.frame.ip = address(in);
	/* As if the Guest had loaded them: what can be loaded. */
	if (bits & 0x40) {
		u16 cs = selector(in), ss = selector(in);

		cpu->user = input8(in) & 1;
		if (cpu->user)
			model_to_user(&m);
		lg_seg_release(cpu);
		if (!(cs & 4) && lg_desc_loadable(m.state.gdt[cpu->user][cs >> 3 & 31], LG_SREG_CS))
			lg_seg_put(cpu, LG_SREG_CS, cs & 0xff);
		if (!(ss & 4) && lg_desc_loadable(m.state.gdt[cpu->user][ss >> 3 & 31], LG_SREG_SS))
			lg_seg_put(cpu, LG_SREG_SS, ss & 0xff);
		m.state.regs.fs = selector(in);
		m.state.regs.gs = selector(in);
		lg_seg_drop_unusable(cpu);
	}
	return lg_desc_loadable(lg_seg_running(cpu, LG_SREG_CS), LG_SREG_CS) &&
	       lg_desc_loadable(lg_seg_running(cpu, LG_SREG_SS), LG_SREG_SS);
}

/* Where CS:EIP is, if that is memory. */
static u8 *code(void)
{
	u32 at = lg_linear_ip(cpu);

	return at <= MODEL_MEMORY - 32 ? m.memory + at : NULL;
}

static enum lg_next event(struct input *in)
{
	static const u8 vectors[] = { LG_TRAP_GP, LG_TRAP_GP, LG_TRAP_UD, LG_TRAP_NP, LG_TRAP_SS };
	u8 what = input8(in), bytes[16];
	u32 at;

	switch (what % 16) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
		/* Most of it: new code, and a trap. */
		input_bytes(in, bytes, sizeof(bytes));
		if (code())
			memcpy(code(), bytes, sizeof(bytes));
		return lg_emulate(cpu, vectors[what % 5], what & 0x80 ? 0 : input16(in));
	case 5:
	case 6:
		input_bytes(in, bytes, sizeof(bytes));
		if (code())
			memcpy(code(), bytes, sizeof(bytes));
		return lg_emulate_device(cpu, MODEL_DEVICE, MODEL_DEVICE, input8(in));
	case 7:
		return lg_deliver(cpu, input8(in), what & 0x20, input16(in), what & 0x40);
	case 8:
		cpu->irqs_pending |= input32(in);
		cpu->halted = what & 0x80;
		return lg_deliver_interrupts(cpu);
	case 9:
		return lg_handle_exception(cpu, input8(in) % 32, input16(in));
	case 10:
		at = address(in) % (MODEL_MEMORY - 16);
		input_bytes(in, m.memory + at, 16);
		return LG_RUN;
	case 11:
		/* Hypercalls come from kernel level. */
		if (!cpu->user)
			lg_segment_set(cpu, input8(in) % 32, descriptor(in));
		return LG_RUN;
	case 12:
		at = input8(in);
		model_set_page(&m, at % (MODEL_PAGES + 1) * MODEL_PAGE, what & 0x80, what & 0x40,
			       what & 0x20);
		return LG_RUN;
	case 13:
		set_registers(in);
		return LG_RUN;
	case 14:
		/* Loads that the hardware does without asking. */
		m.state.regs.gs = selector(in);
		if (!lg_desc_loadable(lg_seg_running(cpu, LG_SREG_GS), LG_SREG_GS))
			m.state.regs.gs = 0;
		return LG_RUN;
	default:
		m.state.frame.ip = address(in);
		return LG_RUN;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct input in = { bytes, len };
	unsigned int i, told = 0;
	enum lg_next next;

	if (!set_guest(&in))
		return -1;
	for (i = 0; i < EVENTS && in.left && !m.dead; i++) {
		next = event(&in);
		model_check(&m, next);
		/* The Launcher answers, or not. A guest that is dead stays so. */
		while (next == LG_LAUNCHER && !m.dead && told++ < 64) {
			cpu->exit.reason = 0;
			if (input8(&in) & 7)
				lg_io_answer(cpu, input32(&in));
			next = lg_io_waits(cpu) ? lg_emulate_again(cpu) : LG_RUN;
			model_check(&m, next);
		}
		cpu->exit.reason = 0;
		cpu->io.count = 0;
	}
	return 0;
}
