// SPDX-License-Identifier: GPL-2.0
/*
 * Emulation: an instruction that trapped because the hardware is in ring 3, or because a device is
 * behind its address, is fetched through the Guest's own tables, decoded and done. Whether the
 * Guest may do it is decided by the virtual privilege level; what a processor would refuse there is
 * the same exception here. Plain C (env.h).
 *
 * This file fetches, dispatches and finishes, and has the operands. What the instructions do stands
 * in
 *
 *	emu_data.c	MOV, arithmetic and strings, for memory that is a device
 *	emu_port.c	IN and OUT, and the way to the Launcher for both kinds of devices
 *	emu_transfer.c	far transfers and segment registers: IRET, RET, JMP, CALL, SYSENTER,
 *	SYSEXIT, MOV Sreg, ...
 *	emu_system.c	the system's own registers: CR, DR, MSR, descriptor tables, flags, HLT
 *
 * A handler checks all and reads all first, writes memory then and registers last. So whenever it
 * says that there is a fault, or that the Launcher is needed first, the vCPU is as before, and the
 * instruction can be executed again from its start.
 *
 * The bytes are fetched once and nothing is concluded from the hardware's error code but the
 * exception that stands if the instruction is none of ours: between trap and fetch the Guest may
 * have changed it, and then it gets what is there now.
 */
#include "env.h"

/*
 * Steps of a REP that are done in one go before the run loop looks at signals and interrupts again.
 */
#define REP_BATCH	64

#define PAGE_BYTES	4096u
#define OPCODE_IRET	0xcf

/* Rights that the virtual level has, for a walk. */
static u32 level_access(struct lg_cpu *cpu)
{
	return cpu->user ? LG_PF_USER : 0;
}

/* ---- Operands ---- */

static u64 *reg_slot(struct lg_cpu *cpu, unsigned int reg)
{
	struct lg_state *state = cpu->state;

	switch (reg & 7) {
	case 0:
		return &state->regs.ax;
	case 1:
		return &state->regs.cx;
	case 2:
		return &state->regs.dx;
	case 3:
		return &state->regs.bx;
	case 4:
		return &state->frame.sp;
	case 5:
		return &state->regs.bp;
	case 6:
		return &state->regs.si;
	default:
		return &state->regs.di;
	}
}

/* AH, CH, DH and BH are the second byte of the first four. */
static bool high_byte(unsigned int reg, unsigned int size)
{
	return size == 1 && reg >= 4;
}

/**
 * lg_emu_reg() - a general register
 * @cpu: the vCPU
 * @reg: as an instruction names it
 * @size: bytes of it: 1, 2 or 4
 */
u32 lg_emu_reg(struct lg_cpu *cpu, unsigned int reg, unsigned int size)
{
	u32 value = *reg_slot(cpu, high_byte(reg, size) ? reg - 4 : reg);

	if (high_byte(reg, size))
		return value >> 8 & 0xff;
	return size == 1 ? (u8)value : size == 2 ? (u16)value : value;
}

/**
 * lg_emu_set_reg() - write to a general register
 * @cpu: the vCPU
 * @reg: as an instruction names it
 * @size: bytes of it: 1, 2 or 4
 * @value: the other bytes stay as they are
 */
void lg_emu_set_reg(struct lg_cpu *cpu, unsigned int reg, unsigned int size, u32 value)
{
	u64 *slot = reg_slot(cpu, high_byte(reg, size) ? reg - 4 : reg);
	u32 mask = size == 1 ? 0xff : size == 2 ? 0xffff : U32_MAX;

	if (high_byte(reg, size)) {
		mask <<= 8;
		value <<= 8;
	}
	*slot = ((u32)*slot & ~mask) | (value & mask);
}

/**
 * lg_emu_offset() - offset of an instruction's memory operand in its segment
 * @cpu: the vCPU
 * @insn: with insn->in_memory
 */
u32 lg_emu_offset(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 offset = insn->disp;

	if (insn->base != LG_NO_REG)
		offset += lg_emu_reg(cpu, insn->base, 4);
	if (insn->index != LG_NO_REG)
		offset += lg_emu_reg(cpu, insn->index, 4) << insn->scale;
	return insn->address == 2 ? (u16)offset : offset;
}

/*
 * A piece of an access that lies in one page: in memory, or one device access for each power of
 * two.
 */
static int access_piece(struct lg_cpu *cpu, u64 gpa, u8 *bytes, unsigned int len, bool write)
{
	unsigned int done, part;
	u32 value;
	int err;

	if (lg_gpa_ok(cpu->lg, gpa, len)) {
		err = write ? lg_write_gpa(cpu, gpa, bytes, len) :
			      lg_read_gpa(cpu, gpa, bytes, len);
		if (!err)
			return 0;
		lg_kill(cpu, "the Launcher's memory behind Guest-physical address %#llx is gone",
			(unsigned long long)gpa);
		return LG_EMU_LAUNCHER;
	}
	for (done = 0; done < len; done += part) {
		part = len - done == 3 ? 2 : len - done;
		value = 0;
		if (write)
			memcpy(&value, bytes + done, part);
		err = lg_emu_device(cpu, LGUEST_SPACE_MEMORY, gpa + done, part, write, &value);
		if (err)
			return err;
		if (!write)
			memcpy(bytes + done, &value, part);
	}
	return 0;
}

/*
 * An access of up to four bytes. Both of its pages are translated before anything is done to one;
 * and a device comes before memory, as the instruction may be executed again until its device
 * accesses are done, and must find what it found the first time.
 */
static int access(struct lg_cpu *cpu, unsigned int sreg, u32 offset, unsigned int size, u32 *value,
		  bool write)
{
	u32 rights = level_access(cpu) | (write ? LG_PF_WRITE : 0);
	unsigned int first, second;
	u64 gpa, gpa2 = 0;
	u8 bytes[4];
	u32 linear;
	int err;

	if (lg_seg_linear(cpu, sreg, offset, size, write ? LG_PF_WRITE : 0, &linear))
		return -EFAULT;
	first = PAGE_BYTES - linear % PAGE_BYTES;
	if (first > size)
		first = size;
	second = size - first;
	if (guest_pa(cpu, linear, rights, &gpa))
		return -EFAULT;
	if (second && guest_pa(cpu, (u32)(linear + first), rights, &gpa2))
		return -EFAULT;

	memcpy(bytes, value, sizeof(bytes));
	if (second && lg_gpa_ok(cpu->lg, gpa, first)) {
		err = access_piece(cpu, gpa2, bytes + first, second, write);
		if (!err)
			err = access_piece(cpu, gpa, bytes, first, write);
	} else {
		err = access_piece(cpu, gpa, bytes, first, write);
		if (!err && second)
			err = access_piece(cpu, gpa2, bytes + first, second, write);
	}
	if (!err && !write) {
		*value = 0;
		memcpy(value, bytes, size);
	}
	return err;
}

int lg_emu_read(struct lg_cpu *cpu, unsigned int sreg, u32 offset, unsigned int size, u32 *value)
{
	*value = 0;
	return access(cpu, sreg, offset, size, value, false);
}

int lg_emu_write(struct lg_cpu *cpu, unsigned int sreg, u32 offset, unsigned int size, u32 value)
{
	return access(cpu, sreg, offset, size, &value, true);
}

int lg_emu_probe_write(struct lg_cpu *cpu, unsigned int sreg, u32 offset, unsigned int size)
{
	u32 linear, rights = level_access(cpu) | LG_PF_WRITE;
	u64 gpa;

	if (lg_seg_linear(cpu, sreg, offset, size, LG_PF_WRITE, &linear))
		return -EFAULT;
	if (guest_pa(cpu, linear, rights, &gpa))
		return -EFAULT;
	/* The first byte on the second page is the one that faults. */
	if (linear % PAGE_BYTES + size > PAGE_BYTES)
		return guest_pa(cpu, (u32)(linear + size - 1) & ~(PAGE_BYTES - 1), rights, &gpa);
	return 0;
}

int lg_emu_read_rm(struct lg_cpu *cpu, const struct lg_insn *insn, unsigned int size, u32 *value)
{
	if (insn->in_memory)
		return lg_emu_read(cpu, insn->sreg, lg_emu_offset(cpu, insn), size, value);
	*value = lg_emu_reg(cpu, insn->rm, size);
	return 0;
}

int lg_emu_write_rm(struct lg_cpu *cpu, const struct lg_insn *insn, unsigned int size, u32 value)
{
	if (insn->in_memory)
		return lg_emu_write(cpu, insn->sreg, lg_emu_offset(cpu, insn), size, value);
	lg_emu_set_reg(cpu, insn->rm, size, value);
	return 0;
}

/* ---- The stack ---- */

/* ESP, or SP if the stack segment is a 16-bit one. */
static u32 stack_offset(struct lg_cpu *cpu, s32 skip)
{
	u32 sp = cpu->state->frame.sp + skip;

	return lg_seg_running(cpu, LG_SREG_SS) & LG_DESC_BIG ? sp : (u16)sp;
}

/**
 * lg_emu_stack() - read what lies on the stack
 * @cpu: the vCPU
 * @skip: bytes from its top
 * @to: gets it
 * @len: bytes
 *
 * Return: 0, or -EFAULT with the fault in cpu->fault.
 */
int lg_emu_stack(struct lg_cpu *cpu, u32 skip, void *to, unsigned int len)
{
	u64 desc = lg_seg_running(cpu, LG_SREG_SS);
	u32 sp = stack_offset(cpu, skip);

	if (!lg_desc_allows(desc, sp, len, 0))
		return lg_raise(cpu, LG_TRAP_SS, 0);
	return lg_read_gva(cpu, (u32)(lg_desc_base(desc) + sp), to, len, level_access(cpu));
}

/**
 * lg_emu_move_sp() - pop or push so many bytes
 * @cpu: the vCPU
 * @bytes: more than 0: popped
 */
void lg_emu_move_sp(struct lg_cpu *cpu, s32 bytes)
{
	struct lg_frame *frame = &cpu->state->frame;
	u32 sp = frame->sp + bytes;

	if (!(lg_seg_running(cpu, LG_SREG_SS) & LG_DESC_BIG))
		sp = ((u32)frame->sp & 0xffff0000) | (u16)sp;
	frame->sp = sp;
}

/* ---- Fetch ---- */

/*
 * The instruction at CS:EIP. A byte that the instruction does not need is not looked for: it may be
 * outside the segment or on a page that is not there. 0; -EFAULT; LG_EMU_NOT_OURS.
 */
static int fetch(struct lg_cpu *cpu, struct lg_insn *insn)
{
	u64 desc = lg_seg_running(cpu, LG_SREG_CS);
	u32 ip = cpu->state->frame.ip, limit = lg_desc_limit(desc), linear;
	u32 rights = level_access(cpu) | LG_PF_FETCH;
	unsigned int len, have;
	u8 bytes[LG_INSN_MAX];

	if (!lg_desc_allows(desc, ip, 1, LG_PF_FETCH))
		return lg_raise(cpu, LG_TRAP_GP, 0);
	linear = lg_desc_base(desc) + ip;
	len = limit - ip < LG_INSN_MAX ? limit - ip + 1 : LG_INSN_MAX;
	have = PAGE_BYTES - linear % PAGE_BYTES;
	if (have > len)
		have = len;
	if (lg_read_gva(cpu, linear, bytes, have, rights))
		return -EFAULT;

	for (;;) {
		switch (lg_decode(insn, bytes, have, desc & LG_DESC_BIG)) {
		case LG_DECODED:
			return 0;
		case LG_DECODE_UNKNOWN:
			return LG_EMU_NOT_OURS;
		case LG_DECODE_LOCKED:
			return lg_raise(cpu, LG_TRAP_UD, 0);
		case LG_DECODE_TOO_LONG:
			return lg_raise(cpu, LG_TRAP_GP, 0);
		case LG_DECODE_MORE:
			break;
		}
		if (have == len)
			return lg_raise(cpu, LG_TRAP_GP, 0);
		if (lg_read_gva(cpu, (u32)(linear + have), bytes + have, len - have, rights))
			return -EFAULT;
		have = len;
	}
}

/* ---- Dispatch ---- */

/* Where the Guest goes on behind the instruction. */
static u32 next_ip(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 ip = cpu->state->frame.ip + insn->len;

	return lg_seg_running(cpu, LG_SREG_CS) & LG_DESC_BIG ? ip : (u16)ip;
}

static int execute(struct lg_cpu *cpu, struct lg_insn *insn)
{
	if (insn->kind <= LG_INSN_LAST_DATA)
		return lg_emu_data(cpu, insn);
	if (insn->kind <= LG_INSN_OUTS)
		return lg_emu_port(cpu, insn);
	if (insn->kind <= LG_INSN_SYSEXIT)
		return lg_emu_transfer(cpu, insn);
	return lg_emu_system(cpu, insn);
}

/* The instruction is done: what a processor does between two of them. */
static enum lg_next finish(struct lg_cpu *cpu, bool traced)
{
	cpu->io.count = 0;
	if (!traced)
		return LG_RUN;
	cpu->dr[6] |= LG_DR6_BS;
	return lg_deliver(cpu, LG_TRAP_DB, false, 0, false);
}

/*
 * Executes the decoded instruction, or as much of it as can be done now. LG_EMU_NOT_OURS comes back
 * as it is.
 */
static int run_insn(struct lg_cpu *cpu, struct lg_insn *insn, enum lg_next *next)
{
	struct lg_frame *frame = &cpu->state->frame;
	bool traced = frame->flags & LG_FLAGS_TF && !cpu->stepping;
	bool shadow = cpu->sti_shadow;
	u32 ip = frame->ip, after = next_ip(cpu, insn);
	unsigned int steps;
	int err;

	cpu->io.ip = ip;
	cpu->io.user = cpu->user;
	/* One that is done ends the shadow before it; STI and a load of SS begin their own. */
	cpu->sti_shadow = false;
	for (steps = 0; ; steps++) {
		cpu->io.next = 0;
		err = execute(cpu, insn);
		if (err != LG_EMU_AGAIN)
			break;
		cpu->io.count = 0;
		if (steps == REP_BATCH || traced) {
			*next = finish(cpu, traced);
			return 0;
		}
	}

	lg_watch_emulate(cpu, ip, insn, err);
	switch (err) {
	case 0:
		frame->ip = after;
		cpu->sti_ip = after;
		fallthrough;
	case LG_EMU_JUMPED:
		/* It was for this instruction; an IRET has loaded that of the next. */
		if (insn->kind != LG_INSN_IRET)
			frame->flags &= ~(u64)LG_FLAGS_RF;
		if (cpu->stepping && !cpu->sti_shadow)
			lg_end_sti_shadow(cpu);
		*next = finish(cpu, traced);
		return 0;
	case LG_EMU_DELIVER_INT:
		cpu->io.count = 0;
		frame->ip = after;
		*next = lg_deliver_int(cpu, insn->imm, ip);
		return 0;
	case -EFAULT:
		if (!cpu->no_memory) {
			cpu->io.count = 0;
			*next = lg_deliver_fault(cpu);
			return 0;
		}
		/* It is executed again, as for the Launcher. */
		fallthrough;
	case LG_EMU_LAUNCHER:
		cpu->sti_shadow = shadow;
		*next = LG_LAUNCHER;
		return 0;
	default:
		cpu->sti_shadow = shadow;
		cpu->io.count = 0;
		return err;
	}
}

/*
 * Could the instruction do more than ring 3 allows? Only then it is executed: any other is the
 * hardware's business, whose exception stands.
 */
static bool beyond_ring3(const struct lg_insn *insn)
{
	return insn->kind > LG_INSN_LAST_DATA;
}

/*
 * Each system call ends with an IRET, which traps at kernel level: so it is known by its one byte
 * and done without more ado, if it is like the last one.
 */
static __always_inline bool is_plain_iret(struct lg_cpu *cpu)
{
	const struct lg_frame *frame = &cpu->state->frame;
	u32 ip = frame->ip, word;
	lg_words_t at;

	if ((u16)frame->cs != cpu->quick.kernel_cs || frame->flags & LG_FLAGS_TF)
		return false;
	/* It is in an aligned word: no other page is touched. */
	if (!lg_words_begin(cpu, ip & ~3u, 1, LG_PF_FETCH, &at))
		return false;
	lg_word_get(word, at, fault);
	lg_words_end();
	return (u8)(word >> 8 * (ip & 3)) == OPCODE_IRET;
fault:
	lg_words_end();
	return false;
}

static __always_inline bool iret(struct lg_cpu *cpu)
{
	static const struct lg_insn insn = { .kind = LG_INSN_IRET, .opcode = OPCODE_IRET, .len = 1,
					     .word = 4, .address = 4 };
	u32 ip = cpu->state->frame.ip;

	if (!is_plain_iret(cpu) || !lg_iret_quick(cpu))
		return false;
	lg_watch_emulate(cpu, ip, &insn, LG_EMU_JUMPED);
	return true;
}

static noinline enum lg_next emulate(struct lg_cpu *cpu, int vector, u32 error)
{
	struct lg_insn insn;
	enum lg_next next;
	int err;

	/* What is no instruction in ring 3 is none at user level; which, processors differ in. */
	if (vector == LG_TRAP_UD && cpu->user)
		goto theirs;

	if (vector != LG_TRAP_UD && error && !(error & LG_ERROR_IDT)) {
		/* A selector: is the running copy of its descriptor an old one? */
		err = lg_seg_refresh(cpu, error);
		if (err < 0)
			return lg_deliver_found(cpu);
		if (err)
			return LG_RUN;
		/* At user level ring 3 is what a processor would have, too. */
		if (cpu->user)
			goto theirs;
	}

	err = fetch(cpu, &insn);
	if (err == -EFAULT)
		return lg_deliver_found(cpu);
	if (!err && beyond_ring3(&insn) && !run_insn(cpu, &insn, &next))
		return next;
theirs:
	return lg_deliver(cpu, vector, lg_has_error_code(vector), error, false);
}

/**
 * lg_emulate() - an exception in the Guest that ring 3 may be the reason of
 * @cpu: the vCPU
 * @vector: #UD, #NP, #SS or #GP
 * @error: its error code
 *
 * Return: LG_RUN, or LG_LAUNCHER with cpu->exit filled.
 */
enum lg_next lg_emulate(struct lg_cpu *cpu, int vector, u32 error)
{
	if (vector == LG_TRAP_GP && !cpu->user && iret(cpu))
		return LG_RUN;
	return emulate(cpu, vector, error);
}

/**
 * lg_emulate_device() - an access to what is not memory
 * @cpu: the vCPU
 * @gva: where the hardware faulted
 * @gpa: what is there
 * @error: of the page fault
 *
 * Return: LG_RUN, or LG_LAUNCHER with cpu->exit filled.
 */
enum lg_next lg_emulate_device(struct lg_cpu *cpu, u64 gva, u64 gpa, u32 error)
{
	struct lg_insn insn;
	enum lg_next next;
	int err;

	if (error & LG_PF_FETCH)
		return lg_kill(cpu, "it executes at %#llx, outside memory (Guest-physical %#llx)",
			       (unsigned long long)gva, (unsigned long long)gpa);
	err = fetch(cpu, &insn);
	if (err == -EFAULT)
		return lg_deliver_found(cpu);
	if (!err && !run_insn(cpu, &insn, &next))
		return next;
	return lg_kill(
		cpu, "no emulation for its access to %#llx, outside memory (Guest-physical %#llx)",
		(unsigned long long)gva, (unsigned long long)gpa);
}

/**
 * lg_io_waits() - has the Launcher been told of a device access whose instruction is not done?
 * @cpu: the vCPU
 */
bool lg_io_waits(struct lg_cpu *cpu)
{
	return cpu->io.count;
}

/**
 * lg_emulate_again() - go on with the instruction whose device access the Launcher was told of
 * @cpu: the vCPU, for which lg_io_waits()
 *
 * Without the answer to a read it only tells the Launcher again. If the Launcher moved the Guest
 * elsewhere, nothing is done.
 *
 * Return: LG_RUN, or LG_LAUNCHER with cpu->exit filled.
 */
enum lg_next lg_emulate_again(struct lg_cpu *cpu)
{
	struct lg_insn insn;
	enum lg_next next;
	int err;

	if (cpu->io.ip == (u32)cpu->state->frame.ip && cpu->io.user == cpu->user) {
		err = fetch(cpu, &insn);
		if (err == -EFAULT) {
			if (!cpu->no_memory)
				cpu->io.count = 0;
			return lg_deliver_found(cpu);
		}
		if (!err && !run_insn(cpu, &insn, &next))
			return next;
	}
	cpu->io.count = 0;
	return LG_RUN;
}

/**
 * lg_io_answer() - LHREQ_ANSWER
 * @cpu: the vCPU
 * @value: what the device says; as many bytes count as were asked for
 *
 * Return: 0, or -EINVAL if no read waits for an answer.
 */
int lg_io_answer(struct lg_cpu *cpu, u64 value)
{
	struct lg_access *last;

	if (!cpu->io.count)
		return -EINVAL;
	last = &cpu->io.log[cpu->io.count - 1];
	if (last->done)
		return -EINVAL;
	last->value = last->size == 1 ? (u8)value : last->size == 2 ? (u16)value : (u32)value;
	last->done = true;
	return 0;
}
