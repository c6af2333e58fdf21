// SPDX-License-Identifier: GPL-2.0
/*
 * Devices: IN, OUT, INS and OUTS, and the way of any device access, port or memory, to the Launcher
 * and back (struct lg_io). Plain C (env.h).
 *
 * An access that no window of the Launcher's claims is answered here at once: reads give all ones,
 * writes go nowhere. Port 0x42, the counter that old kernels calibrate with, reads 0, which ends
 * that early.
 */
#include "env.h"

#define PIT_COUNTER_2	0x42

enum { AX = 0, DX = 2, SI = 6, DI = 7 };

/* Offset of the I/O map base in a TSS (SDM vol. 3, figure 8-2). */
#define TSS_IO_BASE	0x66

/* ---- To the Launcher ---- */

static enum lg_emulated tell_launcher(struct lg_cpu *cpu, const struct lg_access *access)
{
	cpu->exit = (struct lguest_exit){
		.reason = access->kind == LGUEST_SPACE_PORT ? LGUEST_EXIT_PORT : LGUEST_EXIT_MEMORY,
		.size = access->size,
		.write = access->write,
		.gpa = access->addr,
		.value = access->write ? access->value : 0,
	};
	return LG_EMU_LAUNCHER;
}

/* What nobody answers. */
static u32 nobody(unsigned int kind, u64 addr)
{
	return kind == LGUEST_SPACE_PORT && addr == PIT_COUNTER_2 ? 0 : U32_MAX;
}

/**
 * lg_emu_device() - one access to a device
 * @cpu: the vCPU
 * @kind: LGUEST_SPACE_PORT, LGUEST_SPACE_MEMORY
 * @addr: the port, or the Guest-physical address
 * @size: 1, 2 or 4 bytes
 * @write: or read
 * @value: what is written; gets what is read
 *
 * The accesses of one instruction come in the same order each time that it is executed; those that
 * the Launcher has been told of are in the log.
 *
 * Return: 0, or LG_EMU_LAUNCHER: the Launcher is told now, and the instruction is to be executed
 * again.
 */
int lg_emu_device(struct lg_cpu *cpu, unsigned int kind, u64 addr, unsigned int size, bool write,
		  u32 *value)
{
	struct lg_io *io = &cpu->io;
	struct lg_access *access;

	if (io->next < io->count) {
		access = &io->log[io->next];
		if (access->kind == kind && access->addr == addr && access->size == size &&
		    access->write == write) {
			if (!access->done)
				return tell_launcher(cpu, access);
			io->next++;
			if (!write)
				*value = access->value;
			return 0;
		}
		/* Not what it was: it was changed meanwhile, or its registers were. */
		io->count = io->next;
	}

	if (!lg_window_claims(cpu, kind, addr, size)) {
		if (!write)
			*value = nobody(kind, addr);
		return 0;
	}
	/* Told twice is told: an eventfd counts. So this one needs no place in the log. */
	if (write && lg_doorbell_rings(cpu, kind, addr, size))
		return 0;
	if (io->count == LG_IO_LOG) {
		lg_kill(cpu, "one instruction makes more than %u device accesses", LG_IO_LOG);
		return LG_EMU_LAUNCHER;
	}
	access = &io->log[io->count++];
	*access = (struct lg_access){
		.kind = kind, .addr = addr, .size = size, .write = write, .done = write,
		.value = write ? *value : 0,
	};
	return tell_launcher(cpu, access);
}

/* ---- IN and OUT ---- */

/*
 * The I/O permission map (SDM vol. 1, 18.5.2): the bits of all ports of the access are 0, in a map
 * that is inside the TSS. Two bytes are read, whatever the size.
 */
static int map_allows(struct lg_cpu *cpu, u32 port, unsigned int size)
{
	struct lg_segments *seg = &cpu->seg;
	u16 base, bits;

	if (!seg->tr || seg->tss_type != LG_TYPE_TSS32 || seg->tss_limit < TSS_IO_BASE + 1)
		return lg_raise(cpu, LG_TRAP_GP, 0);
	if (lg_read_gva(cpu, (u32)(seg->tss_base + TSS_IO_BASE), &base, sizeof(base), 0))
		return -EFAULT;
	if ((u64)base + port / 8 + 1 > seg->tss_limit)
		return lg_raise(cpu, LG_TRAP_GP, 0);
	if (lg_read_gva(cpu, (u32)(seg->tss_base + base + port / 8), &bits, sizeof(bits), 0))
		return -EFAULT;
	if (bits >> port % 8 & ((1u << size) - 1))
		return lg_raise(cpu, LG_TRAP_GP, 0);
	return 0;
}

/* Kernel level may; user level if IOPL or the TSS allow it. */
static int port_allowed(struct lg_cpu *cpu, u32 port, unsigned int size)
{
	if (!cpu->user || cpu->iopl == 3)
		return 0;
	return map_allows(cpu, port, size);
}

/* An access goes to port and the ones after it; there are 0x10000. */
static int access_port(struct lg_cpu *cpu, u32 port, unsigned int size, bool write, u32 *value)
{
	if (port + size > 0x10000) {
		if (!write)
			*value = U32_MAX;
		return 0;
	}
	return lg_emu_device(cpu, LGUEST_SPACE_PORT, port, size, write, value);
}

static int in_out(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 value = lg_emu_reg(cpu, AX, insn->operand), port;
	bool write = insn->kind == LG_INSN_OUT;
	int err;

	/* Opcodes 0xe4 to 0xe7 have the port in them. */
	port = insn->opcode < 0xe8 ? insn->imm & 0xff : lg_emu_reg(cpu, DX, 2);
	err = port_allowed(cpu, port, insn->operand);
	if (!err)
		err = access_port(cpu, port, insn->operand, write, &value);
	if (!err && !write)
		lg_emu_set_reg(cpu, AX, insn->operand, value);
	return err;
}

static int ins_step(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 port = lg_emu_reg(cpu, DX, 2), di = lg_emu_reg(cpu, DI, insn->address), value = 0;
	int err;

	err = port_allowed(cpu, port, insn->operand);
	/* What is read from a port is gone: so first, whether it can be stored. */
	if (!err)
		err = lg_emu_probe_write(cpu, LG_SREG_ES, di, insn->operand);
	if (!err)
		err = access_port(cpu, port, insn->operand, false, &value);
	if (!err)
		err = lg_emu_write(cpu, LG_SREG_ES, di, insn->operand, value);
	if (!err)
		lg_emu_advance(cpu, insn, DI);
	return err;
}

static int outs_step(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 port = lg_emu_reg(cpu, DX, 2), value;
	int err;

	err = port_allowed(cpu, port, insn->operand);
	if (!err)
		err = lg_emu_read(cpu, insn->sreg, lg_emu_reg(cpu, SI, insn->address),
				  insn->operand, &value);
	if (!err)
		err = access_port(cpu, port, insn->operand, true, &value);
	if (!err)
		lg_emu_advance(cpu, insn, SI);
	return err;
}

/**
 * lg_emu_port() - IN, OUT, INS, OUTS
 * @cpu: the vCPU
 * @insn: one of these
 *
 * Return: see enum lg_emulated.
 */
int lg_emu_port(struct lg_cpu *cpu, struct lg_insn *insn)
{
	switch (insn->kind) {
	case LG_INSN_IN:
	case LG_INSN_OUT:
		return in_out(cpu, insn);
	case LG_INSN_INS:
		return lg_emu_rep(cpu, insn, ins_step);
	case LG_INSN_OUTS:
		return lg_emu_rep(cpu, insn, outs_step);
	default:
		return LG_EMU_NOT_OURS;
	}
}
