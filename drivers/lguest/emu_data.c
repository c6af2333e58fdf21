// SPDX-License-Identifier: GPL-2.0
/*
 * Data instructions, for operands that are devices: MOV, MOVZX, MOVSX, XCHG, arithmetic and logic,
 * MOVS, STOS, LODS. They need no privilege; they come here because a page fault found no memory
 * behind their address. Plain C (env.h).
 *
 * A read and the write of its result are two accesses, and LOCK changes nothing: no device of the
 * Launcher's has a bus.
 */
#include "env.h"

#define ARITHMETIC_FLAGS \
	(LG_FLAGS_CF | LG_FLAGS_PF | LG_FLAGS_AF | LG_FLAGS_ZF | LG_FLAGS_SF | LG_FLAGS_OF)

/* The operations by their numbers in opcodes (SDM vol. 2, table A-6, group 1). */
enum { ADD, OR, ADC, SBB, AND, SUB, XOR, CMP };

static u32 size_mask(unsigned int size)
{
	return size == 4 ? U32_MAX : (1u << 8 * size) - 1;
}

/* PF: even number of bits in the lowest byte. */
static bool even_parity(u8 byte)
{
	byte ^= byte >> 4;
	byte ^= byte >> 2;
	byte ^= byte >> 1;
	return !(byte & 1);
}

static u32 result_flags(u32 result, unsigned int size)
{
	u32 flags = 0;

	if (even_parity(result))
		flags |= LG_FLAGS_PF;
	if (!(result & size_mask(size)))
		flags |= LG_FLAGS_ZF;
	if (result >> (8 * size - 1) & 1)
		flags |= LG_FLAGS_SF;
	return flags;
}

/**
 * lg_alu() - an arithmetic or logic operation with its flags
 * @op: 0 to 7: ADD, OR, ADC, SBB, AND, SUB, XOR, CMP
 * @dst: first operand
 * @src: second operand
 * @size: bytes of both: 1, 2 or 4
 * @flags: EFLAGS before and after; AF, which the logic ones leave undefined, becomes 0
 *
 * Return: the result; of CMP, the first operand.
 */
u32 lg_alu(unsigned int op, u32 dst, u32 src, unsigned int size, u32 *flags)
{
	u32 mask = size_mask(size), sign = mask ^ mask >> 1, result, new;
	u32 carry = (op == ADC || op == SBB) && *flags & LG_FLAGS_CF;
	bool adds = op == ADD || op == ADC;
	u64 wide;

	dst &= mask;
	src &= mask;
	switch (op) {
	case OR:
		result = dst | src;
		break;
	case AND:
		result = dst & src;
		break;
	case XOR:
		result = dst ^ src;
		break;
	default:
		wide = adds ? (u64)dst + src + carry : (u64)dst - src - carry;
		result = wide & mask;
		new = result_flags(result, size);
		/* Into or out of the bit above the highest; of the lower half byte; of the sign. */
		if (wide >> 8 * size & 1)
			new |= LG_FLAGS_CF;
		if ((dst ^ src ^ result) & 0x10)
			new |= LG_FLAGS_AF;
		if ((adds ? ~(dst ^ src) : dst ^ src) & (dst ^ result) & sign)
			new |= LG_FLAGS_OF;
		*flags = (*flags & ~ARITHMETIC_FLAGS) | new;
		return op == CMP ? dst : result;
	}
	*flags = (*flags & ~ARITHMETIC_FLAGS) | result_flags(result, size);
	return result;
}

static void set_arithmetic_flags(struct lg_cpu *cpu, u32 flags)
{
	struct lg_frame *frame = &cpu->state->frame;

	frame->flags = (frame->flags & ~(u64)ARITHMETIC_FLAGS) | (flags & ARITHMETIC_FLAGS);
}

/*
 * The r/m operand of what writes its result there: a fault of the write comes before the read,
 * which a device notices.
 */
static int read_to_write(struct lg_cpu *cpu, const struct lg_insn *insn, u32 *value)
{
	if (insn->in_memory &&
	    lg_emu_probe_write(cpu, insn->sreg, lg_emu_offset(cpu, insn), insn->operand))
		return -EFAULT;
	return lg_emu_read_rm(cpu, insn, insn->operand, value);
}

/* r/m = r/m op src. */
static int alu_to_rm(struct lg_cpu *cpu, const struct lg_insn *insn, unsigned int op, u32 src)
{
	u32 flags = cpu->state->frame.flags, dst;
	int err;

	err = op == CMP ? lg_emu_read_rm(cpu, insn, insn->operand, &dst) :
			  read_to_write(cpu, insn, &dst);
	if (err)
		return err;
	dst = lg_alu(op, dst, src, insn->operand, &flags);
	if (op != CMP) {
		err = lg_emu_write_rm(cpu, insn, insn->operand, dst);
		if (err)
			return err;
	}
	set_arithmetic_flags(cpu, flags);
	return 0;
}

static int alu_to_reg(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 flags = cpu->state->frame.flags, src, dst;
	int err;

	err = lg_emu_read_rm(cpu, insn, insn->operand, &src);
	if (err)
		return err;
	dst = lg_alu(insn->arg, lg_emu_reg(cpu, insn->reg, insn->operand), src, insn->operand,
		     &flags);
	if (insn->arg != CMP)
		lg_emu_set_reg(cpu, insn->reg, insn->operand, dst);
	set_arithmetic_flags(cpu, flags);
	return 0;
}

/* The flags of TEST are those of AND. */
static int test(struct lg_cpu *cpu, const struct lg_insn *insn, u32 src)
{
	u32 flags = cpu->state->frame.flags, dst;
	int err;

	err = lg_emu_read_rm(cpu, insn, insn->operand, &dst);
	if (err)
		return err;
	lg_alu(AND, dst, src, insn->operand, &flags);
	set_arithmetic_flags(cpu, flags);
	return 0;
}

/*
 * TEST, NOT, NEG. Multiplication and division of a device's register is nothing that anybody does.
 */
static int group3(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 flags = cpu->state->frame.flags, value;
	int err;

	if (insn->reg <= 1)
		return test(cpu, insn, insn->imm);
	if (insn->reg > 3)
		return LG_EMU_NOT_OURS;
	err = read_to_write(cpu, insn, &value);
	if (err)
		return err;
	value = insn->reg == 2 ? ~value : lg_alu(SUB, 0, value, insn->operand, &flags);
	err = lg_emu_write_rm(cpu, insn, insn->operand, value);
	if (err)
		return err;
	set_arithmetic_flags(cpu, flags);
	return 0;
}

/* INC, DEC: ADD and SUB of 1 that leave CF alone. */
static int inc_dec(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 flags = cpu->state->frame.flags, carry = flags & LG_FLAGS_CF, value;
	int err;

	err = read_to_write(cpu, insn, &value);
	if (err)
		return err;
	value = lg_alu(insn->reg ? SUB : ADD, value, 1, insn->operand, &flags);
	err = lg_emu_write_rm(cpu, insn, insn->operand, value);
	if (err)
		return err;
	set_arithmetic_flags(cpu, (flags & ~LG_FLAGS_CF) | carry);
	return 0;
}

static int exchange(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 value;
	int err;

	err = read_to_write(cpu, insn, &value);
	if (!err)
		err = lg_emu_write_rm(cpu, insn, insn->operand,
				      lg_emu_reg(cpu, insn->reg, insn->operand));
	if (!err)
		lg_emu_set_reg(cpu, insn->reg, insn->operand, value);
	return err;
}

static int mov_from_rm(struct lg_cpu *cpu, const struct lg_insn *insn, unsigned int reg)
{
	u32 value;
	int err;

	err = lg_emu_read_rm(cpu, insn, insn->operand, &value);
	if (!err)
		lg_emu_set_reg(cpu, reg, insn->operand, value);
	return err;
}

static int mov_extended(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 value;
	int err;

	err = lg_emu_read_rm(cpu, insn, insn->arg, &value);
	if (err)
		return err;
	if (insn->kind == LG_INSN_MOVSX)
		value = insn->arg == 1 ? (u32)(s8)value : (u32)(s16)value;
	lg_emu_set_reg(cpu, insn->reg, insn->operand, value);
	return 0;
}

/* ---- Strings ---- */

enum { AX = 0, CX = 1, SI = 6, DI = 7 };

/**
 * lg_emu_advance() - move SI or DI behind the element of a string
 * @cpu: the vCPU
 * @insn: the string instruction
 * @reg: which of the two
 */
void lg_emu_advance(struct lg_cpu *cpu, const struct lg_insn *insn, unsigned int reg)
{
	u32 at = lg_emu_reg(cpu, reg, insn->address);

	at += cpu->state->frame.flags & LG_FLAGS_DF ? -insn->operand : insn->operand;
	lg_emu_set_reg(cpu, reg, insn->address, at);
}

/* One element; a string's destination is always in ES. */
static int string_step(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 value = lg_emu_reg(cpu, AX, insn->operand), di = lg_emu_reg(cpu, DI, insn->address);
	int err;

	if (insn->kind == LG_INSN_MOVS && lg_emu_probe_write(cpu, LG_SREG_ES, di, insn->operand))
		return -EFAULT;
	if (insn->kind != LG_INSN_STOS) {
		err = lg_emu_read(cpu, insn->sreg, lg_emu_reg(cpu, SI, insn->address),
				  insn->operand, &value);
		if (err)
			return err;
	}
	if (insn->kind != LG_INSN_LODS) {
		err = lg_emu_write(cpu, LG_SREG_ES, di, insn->operand, value);
		if (err)
			return err;
		lg_emu_advance(cpu, insn, DI);
	} else {
		lg_emu_set_reg(cpu, AX, insn->operand, value);
	}
	if (insn->kind != LG_INSN_STOS)
		lg_emu_advance(cpu, insn, SI);
	return 0;
}

/**
 * lg_emu_rep() - one step of a string instruction, under its REP prefix if it has one
 * @cpu: the vCPU
 * @insn: REPNE counts as REP: none of these compares
 * @step: does one element
 *
 * Return: what step() returns, or LG_EMU_AGAIN after an element that is not the last.
 */
int lg_emu_rep(struct lg_cpu *cpu, const struct lg_insn *insn,
	       int (*step)(struct lg_cpu *cpu, const struct lg_insn *insn))
{
	u32 count;
	int err;

	if (!insn->rep)
		return step(cpu, insn);
	count = lg_emu_reg(cpu, CX, insn->address);
	if (!count)
		return 0;
	err = step(cpu, insn);
	if (err)
		return err;
	lg_emu_set_reg(cpu, CX, insn->address, --count);
	return count ? LG_EMU_AGAIN : 0;
}

/**
 * lg_emu_data() - a data instruction
 * @cpu: the vCPU
 * @insn: of the kinds up to LG_INSN_LAST_DATA
 *
 * Return: see enum lg_emulated.
 */
int lg_emu_data(struct lg_cpu *cpu, struct lg_insn *insn)
{
	switch (insn->kind) {
	case LG_INSN_ALU_MR:
		return alu_to_rm(cpu, insn, insn->arg, lg_emu_reg(cpu, insn->reg, insn->operand));
	case LG_INSN_ALU_RM:
		return alu_to_reg(cpu, insn);
	case LG_INSN_ALU_MI:
		return alu_to_rm(cpu, insn, insn->reg, insn->imm);
	case LG_INSN_TEST_MR:
		return test(cpu, insn, lg_emu_reg(cpu, insn->reg, insn->operand));
	case LG_INSN_GROUP3:
		return group3(cpu, insn);
	case LG_INSN_GROUP4:
		return insn->reg <= 1 ? inc_dec(cpu, insn) : LG_EMU_NOT_OURS;
	case LG_INSN_XCHG:
		return exchange(cpu, insn);
	case LG_INSN_MOV_MR:
		return lg_emu_write_rm(cpu, insn, insn->operand,
				       lg_emu_reg(cpu, insn->reg, insn->operand));
	case LG_INSN_MOV_RM:
		return mov_from_rm(cpu, insn, insn->reg);
	case LG_INSN_MOV_MI:
		return insn->reg ? LG_EMU_NOT_OURS :
				   lg_emu_write_rm(cpu, insn, insn->operand, insn->imm);
	case LG_INSN_MOV_AX_M:
		return mov_from_rm(cpu, insn, AX);
	case LG_INSN_MOV_M_AX:
		return lg_emu_write_rm(cpu, insn, insn->operand,
				       lg_emu_reg(cpu, AX, insn->operand));
	case LG_INSN_MOVZX:
	case LG_INSN_MOVSX:
		return mov_extended(cpu, insn);
	case LG_INSN_MOVS:
	case LG_INSN_STOS:
	case LG_INSN_LODS:
		return lg_emu_rep(cpu, insn, string_step);
	default:
		return LG_EMU_NOT_OURS;
	}
}
