// SPDX-License-Identifier: GPL-2.0
/*
 * Emulated data instructions (drivers/lguest/emu_data.c, decode.c) against the processor that this
 * runs on: the same random instruction, with the same registers and the same memory at the same
 * addresses, is run natively in this 32-bit program and emulated, its operand in memory, in a
 * device that answers one access at a time, or in both across a page boundary. Registers, flags,
 * memory, device and the length of the instruction must be the same afterwards.
 *
 * The same source is ../native_32, which runs in the emulated host, on QEMU's processor.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "model.h"

#include "../harness.h"
#include "../rounds.h"

static struct model m;
static struct lg_cpu *const cpu = &m.cpu;

#define CODE		0x30000u
#define RAM		0x20000u
#define BORDER		MODEL_DEVICE		/* memory before it, the device behind */
#define OPERANDS	0x200u			/* bytes on either side that operands may be in */
/* The sanitizers' program is run by the machine itself, the other one by QEMU's. */
#ifdef __SANITIZE_ADDRESS__
#define EMULATED	false
#else
#define EMULATED	true
#endif

#define INSNS		(EMULATED ? test_rounds(20000, 200000) : 200000)

#define FLAGS		(LG_FLAGS_CF | LG_FLAGS_PF | LG_FLAGS_AF | LG_FLAGS_ZF | LG_FLAGS_SF | LG_FLAGS_OF)

enum { AX, CX, DX, BX, SP, BP, SI, DI };

struct registers {
	u32 reg[8], flags;
};

/* ---- The processor ---- */

struct registers native;
u32 native_sp, native_target;

/*
 * Loads registers and flags from `native`, jumps to native_target, and stores them again at
 * native_done.
 */
void native_run(void);
extern const u8 native_done[];
asm(".text\n"
    "native_run:\n"
    "	pusha\n"
    "	movl	%esp, native_sp\n"
    "	pushl	native+32\n"
    "	popf\n"
    "	movl	native, %eax\n"
    "	movl	native+4, %ecx\n"
    "	movl	native+8, %edx\n"
    "	movl	native+12, %ebx\n"
    "	movl	native+16, %esp\n"
    "	movl	native+20, %ebp\n"
    "	movl	native+24, %esi\n"
    "	movl	native+28, %edi\n"
    "	jmp	*native_target\n"
    "native_done:\n"
    "	movl	%eax, native\n"
    "	movl	%ecx, native+4\n"
    "	movl	%edx, native+8\n"
    "	movl	%ebx, native+12\n"
    "	movl	%esp, native+16\n"
    "	movl	%ebp, native+20\n"
    "	movl	%esi, native+24\n"
    "	movl	%edi, native+28\n"
    "	movl	native_sp, %esp\n"
    "	pushf\n"
    "	popl	native+32\n"
    "	cld\n"
    "	popa\n"
    "	ret\n");

static void map_native(void)
{
	static const struct { u32 start, len; } ranges[] = {
		{ RAM, 0x1000 }, { CODE, 0x1000 }, { BORDER - 0x1000, 0x2000 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		void *want = (void *)(uintptr_t)ranges[i].start;

		if (mmap(want, ranges[i].len, PROT_READ | PROT_WRITE | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != want) {
			perror("mmap");
			exit(1);
		}
	}
}

/* Pointers out of numbers, of memory that no object of the program's is in. */
static u8 *native_at(u32 address)
{
	u8 *volatile p = (u8 *)(uintptr_t)address;

	return p;
}

/* ---- Instructions ---- */

static u64 seed;

static u32 rnd(void)
{
	u64 z = seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z >> 31;
}

/* What a random instruction is made of. */
struct form {
	u8 opcode[2];
	u8 digit;			/* ModRM.reg of a group, or REG: any */
	u8 imm;				/* immediate: 0, 1 byte, or IMM_Z */
	bool byte, lock, string, moffs, logic;
};

#define REG	8
#define IMM_Z	8

#define ALU(op, logic_op)								\
	{ { (op) * 8 }, REG, 0, true, (op) != 7, .logic = logic_op },			\
	{ { (op) * 8 + 1 }, REG, 0, false, (op) != 7, .logic = logic_op },		\
	{ { (op) * 8 + 2 }, REG, 0, true, .logic = logic_op },				\
	{ { (op) * 8 + 3 }, REG, 0, false, .logic = logic_op },				\
	{ { 0x80 }, op, 1, true, (op) != 7, .logic = logic_op },			\
	{ { 0x81 }, op, IMM_Z, false, (op) != 7, .logic = logic_op },			\
	{ { 0x82 }, op, 1, true, (op) != 7, .logic = logic_op },			\
	{ { 0x83 }, op, 1, false, (op) != 7, .logic = logic_op }

static const struct form forms[] = {
	ALU(0, false), ALU(1, true), ALU(2, false), ALU(3, false),
	ALU(4, true), ALU(5, false), ALU(6, true), ALU(7, false),
	{ { 0x84 }, REG, 0, true, .logic = true },
	{ { 0x85 }, REG, 0, false, .logic = true },
	{ { 0x86 }, REG, 0, true, true },
	{ { 0x87 }, REG, 0, false, true },
	{ { 0x88 }, REG, 0, true },
	{ { 0x89 }, REG, 0, false },
	{ { 0x8a }, REG, 0, true },
	{ { 0x8b }, REG, 0, false },
	{ { 0xa0 }, 0, 0, true, .moffs = true },
	{ { 0xa1 }, 0, 0, false, .moffs = true },
	{ { 0xa2 }, 0, 0, true, .moffs = true },
	{ { 0xa3 }, 0, 0, false, .moffs = true },
	{ { 0xa4 }, 0, 0, true, .string = true },
	{ { 0xa5 }, 0, 0, false, .string = true },
	{ { 0xaa }, 0, 0, true, .string = true },
	{ { 0xab }, 0, 0, false, .string = true },
	{ { 0xac }, 0, 0, true, .string = true },
	{ { 0xad }, 0, 0, false, .string = true },
	{ { 0xc6 }, 0, 1, true },
	{ { 0xc7 }, 0, IMM_Z, false },
	{ { 0xf6 }, 0, 1, true, .logic = true },
	{ { 0xf7 }, 0, IMM_Z, false, .logic = true },
	{ { 0xf6 }, 1, 1, true, .logic = true },
	{ { 0xf7 }, 1, IMM_Z, false, .logic = true },
	{ { 0xf6 }, 2, 0, true, true },
	{ { 0xf7 }, 2, 0, false, true },
	{ { 0xf6 }, 3, 0, true, true },
	{ { 0xf7 }, 3, 0, false, true },
	{ { 0xfe }, 0, 0, true, true },
	{ { 0xfe }, 1, 0, true, true },
	{ { 0xff }, 0, 0, false, true },
	{ { 0xff }, 1, 0, false, true },
	{ { 0x0f, 0xb6 }, REG, 0, true },
	{ { 0x0f, 0xb7 }, REG, 0, false },
	{ { 0x0f, 0xbe }, REG, 0, true },
	{ { 0x0f, 0xbf }, REG, 0, false },
};

struct insn {
	u8 bytes[16];
	unsigned int len;
	bool logic;
};

static void put(struct insn *insn, u32 value, unsigned int size)
{
	while (size--) {
		insn->bytes[insn->len++] = value;
		value >>= 8;
	}
}

static u32 random_target(void)
{
	switch (rnd() % 4) {
	case 0:
		return RAM + OPERANDS + rnd() % OPERANDS;
	case 1:
		return BORDER - rnd() % 4;
	default:
		return BORDER + 8 + rnd() % (OPERANDS - 16);
	}
}

/*
 * ModRM, SIB and displacement of a random shape; a register is set so that it all comes to
 * `target`.
 */
static void put_modrm(struct insn *insn, u8 digit, u32 target, struct registers *regs)
{
	unsigned int mod = rnd() % 3, rm = rnd() % 8, scale = rnd() % 4, index = rnd() % 8, base = rnd() % 8;
	s32 disp = mod == 1 ? (s8)rnd() : mod == 2 ? (s32)rnd() : 0;
	bool has_base = true, has_index = false;

	if (rm != SP) {
		base = rm;
	} else {
		has_index = index != SP;
	}
	if (mod == 0 && base == BP)
		has_base = false;
	if (has_base && has_index && base == index) {
		/* Only the displacement is free. */
		mod = 2;
		disp = target - (regs->reg[base] + (regs->reg[index] << scale));
	} else if (has_base) {
		regs->reg[base] = target - disp - (has_index ? regs->reg[index] << scale : 0);
	} else {
		disp = target - (has_index ? regs->reg[index] << scale : 0);
	}

	put(insn, mod << 6 | digit << 3 | rm, 1);
	if (rm == SP)
		put(insn, scale << 6 | index << 3 | base, 1);
	if (mod == 1)
		put(insn, disp, 1);
	else if (mod == 2 || !has_base)
		put(insn, disp, 4);
}

static void make_insn(struct insn *insn, struct registers *regs)
{
	static const u8 segments[] = { 0x26, 0x36, 0x3e };
	const struct form *form = &forms[rnd() % ARRAY_SIZE(forms)];
	bool word = rnd() % 4 == 0;
	unsigned int i;

	/* Processors take it for the TEST that is /0, QEMU's for nothing. */
	if (EMULATED && (form->opcode[0] & 0xfe) == 0xf6 && form->digit == 1)
		form -= 2;
	*insn = (struct insn){ .logic = form->logic };
	for (i = 0; i < 8; i++)
		regs->reg[i] = rnd() % 8 ? rnd() : rnd() % 2 ? 0x80000000 : U32_MAX;
	regs->flags = LG_FLAGS_FIXED | (rnd() & (FLAGS | LG_FLAGS_DF));

	if (word)
		put(insn, 0x66, 1);
	if (form->lock && rnd() % 4 == 0)
		put(insn, 0xf0, 1);
	if (rnd() % 4 == 0)
		put(insn, segments[rnd() % 3], 1);
	if (form->string) {
		regs->reg[SI] = random_target();
		regs->reg[DI] = random_target();
		if (rnd() % 2) {
			put(insn, rnd() % 8 ? 0xf3 : 0xf2, 1);
			regs->reg[CX] = rnd() % 20;
		}
	}
	put(insn, form->opcode[0], 1);
	if (form->opcode[0] == 0x0f)
		put(insn, form->opcode[1], 1);
	if (form->moffs)
		put(insn, random_target(), 4);
	else if (!form->string)
		put_modrm(insn, form->digit == REG ? rnd() % 8 : form->digit, random_target(), regs);
	if (form->imm)
		put(insn, rnd(), form->imm == 1 ? 1 : word ? 2 : 4);
}

/* ---- Both ---- */

static u8 device[0x1000];

static void fill(void)
{
	unsigned int i;

	for (i = 0; i < 0x1000; i++) {
		native_at(RAM)[i] = m.memory[RAM + i] = rnd();
		native_at(BORDER - 0x1000)[i] = m.memory[BORDER - 0x1000 + i] = rnd();
		native_at(BORDER)[i] = device[i] = rnd();
	}
}

#define REFUSE_STACK	0x10000

/* The processor knows no such instruction. */
static void refuse(int signal)
{
	unsigned int i;

	fprintf(stderr, "# signal %d, native:", signal);
	for (i = 0; i < 16; i++)
		fprintf(stderr, " %02x", native_at(CODE)[i]);
	fprintf(stderr, "\n");
	_exit(KSFT_FAIL);
}

static void run_native(const struct insn *insn, const struct registers *regs)
{
	u8 *code = native_at(CODE);
	s32 back = (s32)((u32)(uintptr_t)native_done - (CODE + insn->len + 5));

	memcpy(code, insn->bytes, insn->len);
	code[insn->len] = 0xe9;
	memcpy(code + insn->len + 1, &back, 4);
	native = *regs;
	native_target = CODE;
	native_run();
}

/* The device, one access at a time. Returns how many there were, or -1. */
static int run_emulated(const struct insn *insn, const struct registers *regs)
{
	struct lguest_exit *exit = &cpu->exit;
	struct lg_regs *r = &m.state.regs;
	enum lg_next next;
	int exits = 0;
	u32 value;

	memset(m.memory + CODE, 0xf4, 32);
	memcpy(m.memory + CODE, insn->bytes, insn->len);
	r->ax = regs->reg[AX];
	r->cx = regs->reg[CX];
	r->dx = regs->reg[DX];
	r->bx = regs->reg[BX];
	m.state.frame.sp = regs->reg[SP];
	r->bp = regs->reg[BP];
	r->si = regs->reg[SI];
	r->di = regs->reg[DI];
	m.state.frame.flags = regs->flags | LG_FLAGS_IF;
	m.state.frame.ip = CODE;

	next = lg_emulate_device(cpu, 0, MODEL_DEVICE, 0);
	while (next == LG_LAUNCHER) {
		if (exit->reason != LGUEST_EXIT_MEMORY || ++exits > 1000 || exit->size > 4 ||
		    exit->gpa < MODEL_DEVICE || exit->gpa + exit->size > MODEL_DEVICE + 0x1000)
			return -1;
		value = 0;
		if (exit->write) {
			value = exit->value;
			memcpy(device + exit->gpa - MODEL_DEVICE, &value, exit->size);
		} else {
			memcpy(&value, device + exit->gpa - MODEL_DEVICE, exit->size);
			if (lg_io_answer(cpu, value))
				return -1;
		}
		exit->reason = 0;
		if (!lg_io_waits(cpu))
			return -1;
		next = lg_emulate_again(cpu);
	}
	/* Long REPs come in pieces. */
	return exits;
}

static bool same(const struct insn *insn)
{
	struct lg_regs *r = &m.state.regs;
	const u32 emulated[8] = { r->ax, r->cx, r->dx, r->bx, m.state.frame.sp, r->bp, r->si, r->di };
	u32 flags = FLAGS & ~(insn->logic ? LG_FLAGS_AF : 0);
	unsigned int i;

	for (i = 0; i < 8; i++) {
		if (emulated[i] != native.reg[i]) {
			fprintf(stderr, "# register %u: native %#x, emulated %#x\n", i, native.reg[i], emulated[i]);
			return false;
		}
	}
	if ((m.state.frame.flags ^ native.flags) & flags) {
		fprintf(stderr, "# flags: native %#x, emulated %#x\n", native.flags & flags, (u32)m.state.frame.flags & flags);
		return false;
	}
	if (m.state.frame.ip != CODE + insn->len) {
		fprintf(stderr, "# length %u, emulated %u\n", insn->len, (u32)m.state.frame.ip - CODE);
		return false;
	}
	if (memcmp(native_at(RAM), m.memory + RAM, 0x1000) ||
	    memcmp(native_at(BORDER - 0x1000), m.memory + BORDER - 0x1000, 0x1000) ||
	    memcmp(native_at(BORDER), device, 0x1000)) {
		fprintf(stderr, "# memory differs\n");
		return false;
	}
	return true;
}

TEST(random_instructions_do_what_the_processor_does)
{
	unsigned int insns = INSNS, n, i, with_device = 0;
	const char *text = getenv("LGUEST_TEST_SEED");
	struct registers regs;
	struct insn insn;
	int exits;

	seed = text ? strtoull(text, NULL, 0) : 2007;
	fprintf(stderr, "# seed %llu\n", (unsigned long long)seed);
	/* ESP is the instruction's. */
	sigaltstack(&(stack_t){ .ss_sp = malloc(REFUSE_STACK), .ss_size = REFUSE_STACK }, NULL);
	sigaction(SIGILL, &(struct sigaction){ .sa_handler = refuse, .sa_flags = SA_ONSTACK }, NULL);
	sigaction(SIGSEGV, &(struct sigaction){ .sa_handler = refuse, .sa_flags = SA_ONSTACK }, NULL);
	map_native();
	model_start(&m);
	for (n = 0; n < insns; n++) {
		if (n % 1000 == 0)
			fill();
		make_insn(&insn, &regs);
		run_native(&insn, &regs);
		exits = run_emulated(&insn, &regs);
		with_device += exits > 0;
		if (exits < 0 || !same(&insn)) {
			fprintf(stderr, "# instruction %u:", n);
			for (i = 0; i < insn.len; i++)
				fprintf(stderr, " %02x", insn.bytes[i]);
			fprintf(stderr, " exits %d %s\n", exits, m.sentence);
			ASSERT_TRUE(false);
		}
	}
	/* Not a test of memory alone. */
	ASSERT_GT(with_device, insns / 4);
}

TEST_HARNESS_MAIN
