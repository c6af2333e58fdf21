/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From bytes to an instruction: as much of the instruction set as the emulation knows. Plain C, no
 * vCPU: what an instruction does and whether it may, is not decided here.
 */
#ifndef _LGUEST_DECODE_H
#define _LGUEST_DECODE_H

#include "plain.h"

/* The longest instruction (SDM vol. 2, 2.3.11). */
#define LG_INSN_MAX	15

/* What an instruction does. Names as in the SDM, vol. 2, appendix A. */
enum lg_insn_kind {
	LG_INSN_UNKNOWN,
	/* Data, which a device may be at the other end of. */
	LG_INSN_ALU_MR,
	LG_INSN_ALU_RM,
	LG_INSN_ALU_MI, /* add, or, adc, sbb, and, sub, xor, cmp: insn->arg */
	LG_INSN_TEST_MR,
	LG_INSN_GROUP3,
	LG_INSN_GROUP4,
	LG_INSN_XCHG,
	LG_INSN_MOV_MR,
	LG_INSN_MOV_RM,
	LG_INSN_MOV_MI,
	LG_INSN_MOV_AX_M,
	LG_INSN_MOV_M_AX,
	LG_INSN_MOVZX,
	LG_INSN_MOVSX,
	LG_INSN_MOVS,
	LG_INSN_STOS,
	LG_INSN_LODS,
	LG_INSN_LAST_DATA = LG_INSN_LODS,
	/* Ports. */
	LG_INSN_IN,
	LG_INSN_OUT,
	LG_INSN_INS,
	LG_INSN_OUTS,
	/* Segments and far transfers. */
	LG_INSN_MOV_SREG,
	LG_INSN_POP_SREG,
	LG_INSN_LDS,
	LG_INSN_JMP_FAR,
	LG_INSN_CALL_FAR,
	LG_INSN_GROUP5,
	LG_INSN_RET_FAR,
	LG_INSN_IRET,
	LG_INSN_INT,
	LG_INSN_SYSENTER,
	LG_INSN_SYSEXIT,
	/* The system's own. */
	LG_INSN_CLI,
	LG_INSN_STI,
	LG_INSN_HLT,
	LG_INSN_CLTS,
	LG_INSN_CACHE,
	LG_INSN_GROUP6,
	LG_INSN_GROUP7,
	LG_INSN_MOV_FROM_CR,
	LG_INSN_MOV_TO_CR,
	LG_INSN_MOV_FROM_DR,
	LG_INSN_MOV_TO_DR,
	LG_INSN_RDMSR,
	LG_INSN_WRMSR,
	LG_INSN_RDPMC,
	LG_INSN_CPUID,
	LG_INSNS
};

/* insn->rep */
#define LG_REP_NONE	0
#define LG_REPNE	0xf2
#define LG_REP		0xf3

/* No register in an address. */
#define LG_NO_REG	0xff

struct lg_insn {
	u8 kind;			/* enum lg_insn_kind */
	u8 arg;				/* of the kind: the operation, or a segment register */
	u8 opcode;			/* its last byte */
	u8 len;				/* bytes */
	u8 operand;			/* size of operands: 1, 2 or 4 */
	u8 word;			/* operand size without regard to byte operations: 2 or 4 */
	u8 address;			/* size of addresses: 2 or 4 */
	u8 rep;				/* LG_REP_NONE, LG_REPNE, LG_REP */
	bool lock;
	/* ModRM. With mod 3 the operand is the register rm, else it is in memory. */
	u8 mod, reg, rm;
	bool in_memory;
	u8 base, index, scale;		/* registers, or LG_NO_REG; log2 */
	s32 disp;
	/* Segment of the memory operand, and of a string's source: prefix or default. */
	u8 sreg;
	u32 imm;			/* sign-extended to the operand's size */
	u16 imm2;			/* selector of a far pointer */
};

enum lg_decoded {
	LG_DECODED,
	LG_DECODE_MORE, /* the instruction goes on behind the bytes given */
	LG_DECODE_UNKNOWN, /* none that the emulation knows */
	LG_DECODE_LOCKED, /* LOCK where it may not be: #UD */
	LG_DECODE_TOO_LONG, /* #GP(0) */
};

/* big: the code segment has 32-bit operands and addresses. len at most LG_INSN_MAX. */
enum lg_decoded lg_decode(struct lg_insn *insn, const u8 *bytes, unsigned int len, bool big);

#endif /* _LGUEST_DECODE_H */
