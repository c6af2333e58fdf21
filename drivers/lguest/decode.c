// SPDX-License-Identifier: GPL-2.0
/*
 * From bytes to an instruction, by table. The bytes were fetched once; nothing here looks at Guest
 * memory, so nobody can change them under the decoder. Plain C.
 */
#include "decode.h"
#include "segments.h"

/* What follows the opcode, and how wide its operands are. */
#define M	0x01u			/* ModRM */
#define I8	0x02u			/* an immediate byte, sign-extended */
#define IZ	0x04u			/* an immediate of operand size */
#define I16	0x08u			/* an immediate of 16 bits */
#define PTR	0x10u			/* far pointer: offset of operand size, selector */
#define OFFS	0x20u			/* an address as it stands */
#define B	0x40u			/* operands of a byte */
#define L	0x80u			/* LOCK is allowed with a memory destination */

struct opcode {
	u8 kind, flags, arg;
};

#define ALU(n)								\
	[(n) * 8 + 0] = { LG_INSN_ALU_MR, M | B | L, n },		\
	[(n) * 8 + 1] = { LG_INSN_ALU_MR, M | L, n },			\
	[(n) * 8 + 2] = { LG_INSN_ALU_RM, M | B, n },			\
	[(n) * 8 + 3] = { LG_INSN_ALU_RM, M, n }

static const struct opcode one_byte[256] = {
	ALU(0), ALU(1), ALU(2), ALU(3), ALU(4), ALU(5), ALU(6), ALU(7),
	[0x07] = { LG_INSN_POP_SREG, 0, LG_SREG_ES },
	[0x17] = { LG_INSN_POP_SREG, 0, LG_SREG_SS },
	[0x1f] = { LG_INSN_POP_SREG, 0, LG_SREG_DS },
	[0x6c] = { LG_INSN_INS, B },
	[0x6d] = { LG_INSN_INS },
	[0x6e] = { LG_INSN_OUTS, B },
	[0x6f] = { LG_INSN_OUTS },
	[0x80] = { LG_INSN_ALU_MI, M | B | I8 | L },
	[0x81] = { LG_INSN_ALU_MI, M | IZ | L },
	[0x82] = { LG_INSN_ALU_MI, M | B | I8 | L },
	[0x83] = { LG_INSN_ALU_MI, M | I8 | L },
	[0x84] = { LG_INSN_TEST_MR, M | B },
	[0x85] = { LG_INSN_TEST_MR, M },
	[0x86] = { LG_INSN_XCHG, M | B | L },
	[0x87] = { LG_INSN_XCHG, M | L },
	[0x88] = { LG_INSN_MOV_MR, M | B },
	[0x89] = { LG_INSN_MOV_MR, M },
	[0x8a] = { LG_INSN_MOV_RM, M | B },
	[0x8b] = { LG_INSN_MOV_RM, M },
	[0x8e] = { LG_INSN_MOV_SREG, M },
	[0x9a] = { LG_INSN_CALL_FAR, PTR },
	[0xa0] = { LG_INSN_MOV_AX_M, OFFS | B },
	[0xa1] = { LG_INSN_MOV_AX_M, OFFS },
	[0xa2] = { LG_INSN_MOV_M_AX, OFFS | B },
	[0xa3] = { LG_INSN_MOV_M_AX, OFFS },
	[0xa4] = { LG_INSN_MOVS, B },
	[0xa5] = { LG_INSN_MOVS },
	[0xaa] = { LG_INSN_STOS, B },
	[0xab] = { LG_INSN_STOS },
	[0xac] = { LG_INSN_LODS, B },
	[0xad] = { LG_INSN_LODS },
	[0xc4] = { LG_INSN_LDS, M, LG_SREG_ES },
	[0xc5] = { LG_INSN_LDS, M, LG_SREG_DS },
	[0xc6] = { LG_INSN_MOV_MI, M | B | I8 },
	[0xc7] = { LG_INSN_MOV_MI, M | IZ },
	[0xca] = { LG_INSN_RET_FAR, I16 },
	[0xcb] = { LG_INSN_RET_FAR },
	[0xcc] = { LG_INSN_INT, 0, 3 },
	[0xcd] = { LG_INSN_INT, I8 },
	[0xcf] = { LG_INSN_IRET },
	[0xe4] = { LG_INSN_IN, B | I8 },
	[0xe5] = { LG_INSN_IN, I8 },
	[0xe6] = { LG_INSN_OUT, B | I8 },
	[0xe7] = { LG_INSN_OUT, I8 },
	[0xea] = { LG_INSN_JMP_FAR, PTR },
	[0xec] = { LG_INSN_IN, B },
	[0xed] = { LG_INSN_IN },
	[0xee] = { LG_INSN_OUT, B },
	[0xef] = { LG_INSN_OUT },
	[0xf4] = { LG_INSN_HLT },
	[0xf6] = { LG_INSN_GROUP3, M | B | L },
	[0xf7] = { LG_INSN_GROUP3, M | L },
	[0xfa] = { LG_INSN_CLI },
	[0xfb] = { LG_INSN_STI },
	[0xfe] = { LG_INSN_GROUP4, M | B | L },
	[0xff] = { LG_INSN_GROUP5, M | L },
};

/* Behind 0x0f. */
static const struct opcode two_byte[256] = {
	[0x00] = { LG_INSN_GROUP6, M },
	[0x01] = { LG_INSN_GROUP7, M },
	[0x06] = { LG_INSN_CLTS },
	[0x08] = { LG_INSN_CACHE },
	[0x09] = { LG_INSN_CACHE },
	[0x20] = { LG_INSN_MOV_FROM_CR, M },
	[0x21] = { LG_INSN_MOV_FROM_DR, M },
	[0x22] = { LG_INSN_MOV_TO_CR, M },
	[0x23] = { LG_INSN_MOV_TO_DR, M },
	[0x30] = { LG_INSN_WRMSR },
	[0x32] = { LG_INSN_RDMSR },
	[0x33] = { LG_INSN_RDPMC },
	[0x34] = { LG_INSN_SYSENTER },
	[0x35] = { LG_INSN_SYSEXIT },
	[0xa1] = { LG_INSN_POP_SREG, 0, LG_SREG_FS },
	[0xa2] = { LG_INSN_CPUID },
	[0xa9] = { LG_INSN_POP_SREG, 0, LG_SREG_GS },
	[0xb2] = { LG_INSN_LDS, M, LG_SREG_SS },
	[0xb4] = { LG_INSN_LDS, M, LG_SREG_FS },
	[0xb5] = { LG_INSN_LDS, M, LG_SREG_GS },
	[0xb6] = { LG_INSN_MOVZX, M, 1 },
	[0xb7] = { LG_INSN_MOVZX, M, 2 },
	[0xbe] = { LG_INSN_MOVSX, M, 1 },
	[0xbf] = { LG_INSN_MOVSX, M, 2 },
};

enum reg { AX, CX, DX, BX, SP, BP, SI, DI };

/* The bytes, and how far they were read. */
struct reader {
	const u8 *bytes;
	unsigned int at, len;
	bool missing;
};

/* The next n bytes, lowest first; 0 once they have come to an end. */
static u32 take(struct reader *r, unsigned int n)
{
	u32 value = 0;
	unsigned int i;

	if (r->len - r->at < n) {
		r->missing = true;
		r->at = r->len;
		return 0;
	}
	for (i = 0; i < n; i++)
		value |= (u32)r->bytes[r->at++] << (8 * i);
	return value;
}

static s32 take_signed(struct reader *r, unsigned int n)
{
	u32 value = take(r, n);

	return n == 1 ? (s8)value : n == 2 ? (s16)value : (s32)value;
}

/* Prefixes. The opcode is the byte returned. */
static u8 take_prefixes(struct reader *r, struct lg_insn *insn, bool big, u8 *sreg)
{
	bool other_operand = false, other_address = false;
	u8 byte;

	*sreg = LG_NO_REG;
	for (;;) {
		byte = take(r, 1);
		switch (byte) {
		case 0x26:
			*sreg = LG_SREG_ES;
			continue;
		case 0x2e:
			*sreg = LG_SREG_CS;
			continue;
		case 0x36:
			*sreg = LG_SREG_SS;
			continue;
		case 0x3e:
			*sreg = LG_SREG_DS;
			continue;
		case 0x64:
			*sreg = LG_SREG_FS;
			continue;
		case 0x65:
			*sreg = LG_SREG_GS;
			continue;
		case 0x66:
			other_operand = true;
			continue;
		case 0x67:
			other_address = true;
			continue;
		case 0xf0:
			insn->lock = true;
			continue;
		case LG_REPNE:
		case LG_REP:
			insn->rep = byte;
			continue;
		}
		break;
	}
	insn->word = big != other_operand ? 4 : 2;
	insn->address = big != other_address ? 4 : 2;
	return byte;
}

/* SDM vol. 2, table 2-1. */
static void take_address16(struct reader *r, struct lg_insn *insn)
{
	static const u8 base[8] = { BX, BX, BP, BP, SI, DI, BP, BX };
	static const u8 index[8] = { SI, DI, SI, DI, LG_NO_REG, LG_NO_REG, LG_NO_REG, LG_NO_REG };

	insn->base = base[insn->rm];
	insn->index = index[insn->rm];
	if (insn->mod == 0 && insn->rm == 6) {
		insn->base = LG_NO_REG;
		insn->disp = take_signed(r, 2);
	} else if (insn->mod) {
		insn->disp = take_signed(r, insn->mod);
	}
}

/* SDM vol. 2, tables 2-2 and 2-3. */
static void take_address32(struct reader *r, struct lg_insn *insn)
{
	u8 sib;

	insn->base = insn->rm;
	if (insn->rm == SP) {
		sib = take(r, 1);
		insn->base = sib & 7;
		insn->index = (sib >> 3 & 7) == SP ? LG_NO_REG : sib >> 3 & 7;
		insn->scale = sib >> 6;
	}
	if (insn->mod == 0 && insn->base == BP) {
		insn->base = LG_NO_REG;
		insn->disp = take_signed(r, 4);
	} else if (insn->mod) {
		insn->disp = take_signed(r, insn->mod == 1 ? 1 : 4);
	}
}

static void take_modrm(struct reader *r, struct lg_insn *insn)
{
	u8 modrm = take(r, 1);

	insn->mod = modrm >> 6;
	insn->reg = modrm >> 3 & 7;
	insn->rm = modrm & 7;
	/* MOV of control and debug registers has no other operand, whatever it says (SDM vol. 2). */
	if (insn->kind >= LG_INSN_MOV_FROM_CR && insn->kind <= LG_INSN_MOV_TO_DR)
		insn->mod = 3;
	if (insn->mod == 3)
		return;
	insn->in_memory = true;
	if (insn->address == 2)
		take_address16(r, insn);
	else
		take_address32(r, insn);
}

/* The immediate of one of group 3 is there for TEST only. */
static unsigned int group3_flags(const struct lg_insn *insn)
{
	if (insn->reg > 1)
		return 0;
	return insn->operand == 1 ? I8 : IZ;
}

/* May LOCK stand here? Not with CMP, TEST and what has no memory destination. */
static bool lock_allowed(const struct lg_insn *insn, unsigned int flags)
{
	if (!insn->in_memory || !(flags & L))
		return false;
	switch (insn->kind) {
	case LG_INSN_ALU_MR:
		return insn->arg != 7;
	case LG_INSN_ALU_MI:
		return insn->reg != 7;
	case LG_INSN_GROUP3:
		return insn->reg == 2 || insn->reg == 3;
	case LG_INSN_GROUP4:
	case LG_INSN_GROUP5:
		return insn->reg <= 1;
	default:
		return true;
	}
}

/**
 * lg_decode() - decode one instruction
 * @insn: gets it
 * @bytes: from its first on
 * @len: how many there are, at most LG_INSN_MAX
 * @big: the code segment has 32-bit operands and addresses
 *
 * Return: LG_DECODED; LG_DECODE_MORE if there are too few bytes; LG_DECODE_UNKNOWN;
 * LG_DECODE_LOCKED; LG_DECODE_TOO_LONG.
 */
enum lg_decoded lg_decode(struct lg_insn *insn, const u8 *bytes, unsigned int len, bool big)
{
	struct reader r = { .bytes = bytes, .len = len };
	const struct opcode *op;
	unsigned int flags;
	u8 sreg;

	memset(insn, 0, sizeof(*insn));
	insn->base = LG_NO_REG;
	insn->index = LG_NO_REG;

	insn->opcode = take_prefixes(&r, insn, big, &sreg);
	op = one_byte;
	if (insn->opcode == 0x0f) {
		insn->opcode = take(&r, 1);
		op = two_byte;
	}
	if (r.missing)
		return len < LG_INSN_MAX ? LG_DECODE_MORE : LG_DECODE_TOO_LONG;
	op += insn->opcode;
	flags = op->flags;
	insn->kind = op->kind;
	insn->arg = op->arg;
	insn->operand = flags & B ? 1 : insn->word;
	if (insn->kind == LG_INSN_UNKNOWN)
		return LG_DECODE_UNKNOWN;

	if (flags & M)
		take_modrm(&r, insn);
	if (insn->kind == LG_INSN_GROUP3)
		flags |= group3_flags(insn);
	if (flags & OFFS) {
		insn->in_memory = true;
		insn->disp = take(&r, insn->address);
	}
	if (flags & I8)
		insn->imm = take_signed(&r, 1);
	if (flags & IZ)
		insn->imm = take_signed(&r, insn->word);
	if (flags & I16)
		insn->imm = take(&r, 2);
	if (flags & PTR) {
		insn->imm = take(&r, insn->word);
		insn->imm2 = take(&r, 2);
	}
	if (r.missing)
		return len < LG_INSN_MAX ? LG_DECODE_MORE : LG_DECODE_TOO_LONG;
	insn->len = r.at;

	if (sreg != LG_NO_REG)
		insn->sreg = sreg;
	else if (insn->base == BP || (insn->base == SP && insn->address == 4))
		insn->sreg = LG_SREG_SS;
	else
		insn->sreg = LG_SREG_DS;

	if (insn->lock && !lock_allowed(insn, flags))
		return LG_DECODE_LOCKED;
	return LG_DECODED;
}
