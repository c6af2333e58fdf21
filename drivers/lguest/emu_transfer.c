// SPDX-License-Identifier: GPL-2.0
/*
 * Far transfers and segment registers that fail only because the hardware is in ring 3 (SDM vol. 2,
 * each instruction; vol. 3, 5.5 to 5.8). At user level ring 3 is right, and what the hardware said
 * stands; so all here, INT and SYSENTER apart, is for kernel level. Plain C (env.h).
 *
 * A selector in the hands of the Guest's kernel has RPL 1 (as frames show it), 0 (as its GDT
 * indexes make it) or, read from CS or SS by an instruction, which does not trap, 3. So a kernel
 * segment is a kernel segment with any RPL; a user segment is one with RPL 3 only. Whether a return
 * goes to user level is decided by the segment's DPL.
 *
 * Not done, and #GP as for a bad selector: call gates, task switches, virtual-8086 mode.
 */
#include "env.h"

static u32 selector_error(u16 sel)
{
	return sel & ~LG_SEL_RPL;
}

/*
 * A code segment for CS. returns: by IRET or RET, which may go to user level; *user says whether.
 * Conforming code is where the RPL of a return decides.
 */
static int check_code(struct lg_cpu *cpu, u16 sel, u32 ip, bool returns, bool *user, u64 *desc)
{
	bool outer = (sel & LG_SEL_RPL) == 3;

	if (!(sel & ~LG_SEL_RPL))
		return lg_raise(cpu, LG_TRAP_GP, 0);
	if (lg_seg_fetch(cpu, sel, desc) == -EFAULT)
		return -EFAULT;
	if (!lg_desc_is_code(*desc) || *desc & LG_DESC_LONG)
		return lg_raise(cpu, LG_TRAP_GP, selector_error(sel));
	*user = lg_desc_is_user(*desc) || (lg_desc_conforms(*desc) && returns && outer);
	if (*user && !(returns && outer))
		return lg_raise(cpu, LG_TRAP_GP, selector_error(sel));
	if (!(*desc & LG_DESC_PRESENT))
		return lg_raise(cpu, LG_TRAP_NP, selector_error(sel));
	if (ip > lg_desc_limit(*desc))
		return lg_raise(cpu, LG_TRAP_GP, 0);
	return 0;
}

/* A stack segment for SS at a level. */
static int check_stack(struct lg_cpu *cpu, u16 sel, bool user)
{
	u64 desc;

	if (!(sel & ~LG_SEL_RPL))
		return lg_raise(cpu, LG_TRAP_GP, 0);
	if (lg_seg_fetch(cpu, sel, &desc) == -EFAULT)
		return -EFAULT;
	if (!lg_desc_is_data(desc) || !(desc & LG_DESC_WRITABLE) || lg_desc_is_user(desc) != user ||
	    (user && (sel & LG_SEL_RPL) != 3))
		return lg_raise(cpu, LG_TRAP_GP, selector_error(sel));
	if (!(desc & LG_DESC_PRESENT))
		return lg_raise(cpu, LG_TRAP_SS, selector_error(sel));
	return 0;
}

/* To user level: afterwards nothing is in the segment registers that user level may not have. */
static void go_to_user(struct lg_cpu *cpu, u16 cs, u32 ip, u16 ss, u32 sp)
{
	struct lg_frame *frame = &cpu->state->frame;

	cpu->user = true;
	lg_seg_put(cpu, LG_SREG_CS, cs);
	lg_seg_put(cpu, LG_SREG_SS, ss);
	frame->ip = ip;
	frame->sp = sp;
	lg_seg_release(cpu);
	lg_seg_to_user(cpu);
}

/* Words of the stack, as wide as the operand. */
static int stack_words(struct lg_cpu *cpu, u32 skip, u32 *word, unsigned int words,
		       unsigned int size)
{
	u16 narrow[5];
	unsigned int i;

	if (size == 4)
		return lg_emu_stack(cpu, skip, word, words * 4);
	if (lg_emu_stack(cpu, skip, narrow, words * 2))
		return -EFAULT;
	for (i = 0; i < words; i++)
		word[i] = narrow[i];
	return 0;
}

/*
 * The words of an IRET: all five at once where reading them cannot fail in another way than reading
 * three would. *have says how many they are.
 */
static int iret_words(struct lg_cpu *cpu, u32 word[5], unsigned int size, unsigned int *have)
{
	u64 stack = lg_seg_running(cpu, LG_SREG_SS);
	u32 sp = cpu->state->frame.sp, linear = lg_desc_base(stack) + sp;

	if (likely(size == 4 && stack & LG_DESC_BIG && linear % 4096 <= 4096 - 20 &&
		   lg_desc_allows(stack, sp, 20, 0))) {
		*have = 5;
		return lg_read_gva(cpu, linear, word, 20, 0);
	}
	*have = 3;
	return stack_words(cpu, 0, word, 3, size);
}

/* An IRET to user level has found all this right, and data segments are what user level may have. */
static void note_quick(struct lg_cpu *cpu, u16 kernel_ss, u64 stack, u64 code, u16 cs, u16 ss)
{
	struct lg_quick *quick = &cpu->quick;

	if (cpu->seg.gdt_in_memory || cpu->state->guest_ldt || lg_desc_limit(code) != U32_MAX ||
	    !lg_desc_is_data(stack) || !lg_desc_is_flat(stack) || stack & LG_DESC_DOWN)
		return;
	quick->kernel_ss = kernel_ss;
	quick->user_cs = cs;
	quick->user_ss = ss;
	quick->user_data = lg_data_selectors(cpu->state);
}

/**
 * lg_iret_quick() - IRET of the Guest's kernel to user level, as the last one was
 * @cpu: the vCPU, at kernel level
 *
 * Does what lg_iret() would, with operands of 32 bits.
 *
 * Return: false if nothing was done, and lg_iret() has to do it.
 */
bool lg_iret_quick(struct lg_cpu *cpu)
{
	const struct lg_quick *quick = &cpu->quick;
	struct lg_frame *frame = &cpu->state->frame;
	u32 ip, cs, flags, sp, ss;
	lg_words_t at;

	if ((u16)frame->ss != quick->kernel_ss || !quick->user_cs || !cpu->data_gpa ||
	    cpu->seg.holds || lg_data_selectors(cpu->state) != quick->user_data)
		return false;
	if (!lg_words_begin(cpu, frame->sp, 5, 0, &at))
		return false;
	lg_word_get(cs, at + 1, fault);
	lg_word_get(flags, at + 2, fault);
	lg_word_get(ss, at + 4, fault);
	if ((u16)cs != quick->user_cs || (u16)ss != quick->user_ss || flags & LG_FLAGS_VM)
		goto fault;
	lg_word_get(ip, at, fault);
	lg_word_get(sp, at + 3, fault);
	lg_word_put(flags & LG_FLAGS_IF, &lg_data_user(cpu)->irq_enabled, fault);
	lg_words_end();

	cpu->virtual_if = flags & LG_FLAGS_IF;
	cpu->iopl = (flags & LG_FLAGS_IOPL) >> 12;
	cpu->sti_shadow = false;
	cpu->stepping = false;
	cpu->user = true;
	frame->ip = ip;
	frame->cs = (u16)cs;
	frame->flags = (flags & LG_FLAGS_GUEST) | LG_FLAGS_IF | LG_FLAGS_FIXED;
	frame->sp = sp;
	frame->ss = (u16)ss;
	return true;
fault:
	lg_words_end();
	return false;
}

/**
 * lg_iret() - IRET of the Guest's kernel
 * @cpu: the vCPU, at kernel level
 * @size: of its operands: 2 or 4
 *
 * Three words to kernel level, five to user level. NT, which would make it a task switch, is not
 * looked at.
 *
 * Return: LG_EMU_JUMPED, or -EFAULT with the fault in cpu->fault.
 */
int lg_iret(struct lg_cpu *cpu, unsigned int size)
{
	unsigned int have;
	u32 word[5], flags;
	bool user;
	u64 desc;

	if (iret_words(cpu, word, size, &have))
		return -EFAULT;
	flags = word[2];
	if (size == 2)
		flags |= (u32)cpu->state->frame.flags & ~0xffffu;
	if (flags & LG_FLAGS_VM)
		return lg_raise(cpu, LG_TRAP_GP, 0);
	if (check_code(cpu, word[1], word[0], true, &user, &desc))
		return -EFAULT;

	if (user) {
		u16 kernel_ss = cpu->state->frame.ss;
		u64 stack = lg_seg_running(cpu, LG_SREG_SS);

		if ((have < 5 && stack_words(cpu, 3 * size, word + 3, 2, size)) ||
		    check_stack(cpu, word[4], true))
			return -EFAULT;
		go_to_user(cpu, word[1], word[0], word[4], word[3]);
		note_quick(cpu, kernel_ss, stack, desc, word[1], word[4]);
	} else {
		lg_emu_move_sp(cpu, 3 * size);
		lg_seg_put(cpu, LG_SREG_CS, word[1]);
		cpu->state->frame.ip = word[0];
	}
	lg_load_flags(cpu, flags);
	return LG_EMU_JUMPED;
}

static int ret_far(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	unsigned int size = insn->word;
	u32 word[2], outer[2];
	bool user;
	u64 desc;

	if (stack_words(cpu, 0, word, 2, size) ||
	    check_code(cpu, word[1], word[0], true, &user, &desc))
		return -EFAULT;
	if (user) {
		if (stack_words(cpu, 2 * size + insn->imm, outer, 2, size) ||
		    check_stack(cpu, outer[1], true))
			return -EFAULT;
		go_to_user(cpu, word[1], word[0], outer[1], outer[0]);
		lg_emu_move_sp(cpu, insn->imm);
	} else {
		lg_emu_move_sp(cpu, 2 * size + insn->imm);
		lg_seg_put(cpu, LG_SREG_CS, word[1]);
		cpu->state->frame.ip = word[0];
	}
	return LG_EMU_JUMPED;
}

static int jmp_far(struct lg_cpu *cpu, u16 sel, u32 ip)
{
	bool user;
	u64 desc;

	if (check_code(cpu, sel, ip, false, &user, &desc))
		return -EFAULT;
	lg_seg_put(cpu, LG_SREG_CS, sel);
	cpu->state->frame.ip = ip;
	return LG_EMU_JUMPED;
}

static int call_far(struct lg_cpu *cpu, const struct lg_insn *insn, u16 sel, u32 ip)
{
	struct lg_frame *frame = &cpu->state->frame;
	u32 word[2] = { frame->ip + insn->len, (frame->cs & ~LG_SEL_RPL) | LG_KERNEL_RPL };
	u16 narrow[2] = { word[0], word[1] };
	u64 desc, stack = lg_seg_running(cpu, LG_SREG_SS);
	unsigned int len = 2 * insn->word;
	u32 sp = frame->sp - len, linear;
	bool user;

	if (check_code(cpu, sel, ip, false, &user, &desc))
		return -EFAULT;
	if (lg_seg_linear(cpu, LG_SREG_SS, stack & LG_DESC_BIG ? sp : (u16)sp, len, LG_PF_WRITE,
			  &linear) ||
	    lg_write_gva(cpu, linear, insn->word == 4 ? (void *)word : (void *)narrow, len,
			 LG_PF_WRITE))
		return -EFAULT;
	lg_emu_move_sp(cpu, -(s32)len);
	lg_seg_put(cpu, LG_SREG_CS, sel);
	frame->ip = ip;
	return LG_EMU_JUMPED;
}

/* A far pointer in memory: offset, selector. */
static int read_pointer(struct lg_cpu *cpu, const struct lg_insn *insn, u16 *sel, u32 *offset)
{
	u32 at = lg_emu_offset(cpu, insn), value;
	int err;

	err = lg_emu_read(cpu, insn->sreg, at, insn->word, offset);
	if (!err)
		err = lg_emu_read(cpu, insn->sreg, at + insn->word, 2, &value);
	if (!err)
		*sel = value;
	return err;
}

/* CALL and JMP through memory: /3 and /5. INC and DEC of a device are here as well. */
static int group5(struct lg_cpu *cpu, struct lg_insn *insn)
{
	u32 ip;
	u16 sel;
	int err;

	if (insn->reg <= 1) {
		insn->kind = LG_INSN_GROUP4;
		return lg_emu_data(cpu, insn);
	}
	if ((insn->reg != 3 && insn->reg != 5) || !insn->in_memory || cpu->user)
		return LG_EMU_NOT_OURS;
	err = read_pointer(cpu, insn, &sel, &ip);
	if (err)
		return err;
	return insn->reg == 3 ? call_far(cpu, insn, sel, ip) : jmp_far(cpu, sel, ip);
}

/* ---- Segment registers ---- */

/* Checks what kernel level may load. */
static int check_load(struct lg_cpu *cpu, enum lg_sreg reg, u16 sel)
{
	u64 desc;

	if (reg == LG_SREG_SS)
		return check_stack(cpu, sel, false);
	if (!(sel & ~LG_SEL_RPL))
		return 0;
	if (lg_seg_fetch(cpu, sel, &desc) == -EFAULT)
		return -EFAULT;
	if (!lg_desc_is_data(desc) &&
	    !(lg_desc_is_code(desc) && desc & LG_DESC_WRITABLE && !(desc & LG_DESC_LONG)))
		return lg_raise(cpu, LG_TRAP_GP, selector_error(sel));
	/* A user segment with a smaller RPL, or the other way round, is fine at kernel level. */
	if (!(desc & LG_DESC_PRESENT))
		return lg_raise(cpu, LG_TRAP_NP, selector_error(sel));
	return 0;
}

/* By MOV or POP. The pointer of a new stack comes with the next instruction (SDM vol. 3, 6.8.3). */
static void put_sreg(struct lg_cpu *cpu, enum lg_sreg reg, u16 sel)
{
	lg_seg_put(cpu, reg, sel);
	if (reg == LG_SREG_SS)
		cpu->sti_shadow = true;
}

static int mov_sreg(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 sel;
	int err;

	if (insn->reg == LG_SREG_CS || insn->reg >= LG_SREGS)
		return lg_raise(cpu, LG_TRAP_UD, 0);
	err = lg_emu_read_rm(cpu, insn, 2, &sel);
	if (!err)
		err = check_load(cpu, insn->reg, sel);
	if (!err)
		put_sreg(cpu, insn->reg, sel);
	return err;
}

static int pop_sreg(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u16 sel;

	if (lg_emu_stack(cpu, 0, &sel, sizeof(sel)) || check_load(cpu, insn->arg, sel))
		return -EFAULT;
	/* The size of the old stack counts. */
	lg_emu_move_sp(cpu, insn->word);
	put_sreg(cpu, insn->arg, sel);
	return 0;
}

/* LDS, LES, LFS, LGS, LSS. */
static int load_pointer(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 offset;
	u16 sel;
	int err;

	/* LDS and LES: the prefix of VEX. All: #UD, as the processor has said. */
	if (!insn->in_memory)
		return LG_EMU_NOT_OURS;
	err = read_pointer(cpu, insn, &sel, &offset);
	if (!err)
		err = check_load(cpu, insn->arg, sel);
	if (err)
		return err;
	lg_seg_put(cpu, insn->arg, sel);
	lg_emu_set_reg(cpu, insn->reg, insn->word, offset);
	return 0;
}

/* ---- Fast system calls (SDM vol. 3, 5.8.7) ---- */

enum { CX = 1, DX = 2 };

/*
 * SYSENTER makes segments out of its MSR: flat, whatever the table says. Here the table must say
 * the same.
 */
static int check_flat(struct lg_cpu *cpu, u16 sel, bool user, bool code)
{
	u64 desc;

	if (lg_seg_fetch(cpu, sel, &desc) == -EFAULT)
		return -EFAULT;
	if (lg_desc_is_user(desc) != user || lg_desc_limit(desc) != U32_MAX || lg_desc_base(desc) ||
	    !lg_desc_loadable(lg_vet_descriptor(desc, user), code ? LG_SREG_CS : LG_SREG_SS)) {
		lg_kill(cpu, "SYSENTER or SYSEXIT with a segment %#x that is not flat", sel);
		return LG_EMU_LAUNCHER;
	}
	return 0;
}

static int sysenter(struct lg_cpu *cpu)
{
	struct lg_frame *frame = &cpu->state->frame;
	u16 cs = cpu->msr[LG_MSR_SYSENTER_CS] & ~(u64)LG_SEL_RPL;
	int err;

	if (!cs)
		return lg_raise(cpu, LG_TRAP_GP, 0);
	err = check_flat(cpu, cs, false, true);
	if (!err)
		err = check_flat(cpu, cs + 8, false, false);
	if (err)
		return err;
	cpu->user = false;
	lg_seg_put(cpu, LG_SREG_CS, cs);
	lg_seg_put(cpu, LG_SREG_SS, cs + 8);
	frame->ip = (u32)cpu->msr[LG_MSR_SYSENTER_EIP];
	frame->sp = (u32)cpu->msr[LG_MSR_SYSENTER_ESP];
	frame->flags &= ~(u64)(LG_FLAGS_RF | LG_FLAGS_VM | LG_FLAGS_AC);
	lg_set_virtual_if(cpu, false);
	return LG_EMU_JUMPED;
}

static int sysexit(struct lg_cpu *cpu)
{
	u16 cs = cpu->msr[LG_MSR_SYSENTER_CS] & ~(u64)LG_SEL_RPL;
	int err;

	if (!cs || cpu->user)
		return lg_raise(cpu, LG_TRAP_GP, 0);
	err = check_flat(cpu, cs + 16, true, true);
	if (!err)
		err = check_flat(cpu, cs + 24, true, false);
	if (err)
		return err;
	go_to_user(cpu, (cs + 16) | 3, lg_emu_reg(cpu, DX, 4), (cs + 24) | 3,
		   lg_emu_reg(cpu, CX, 4));
	return LG_EMU_JUMPED;
}

/**
 * lg_emu_transfer() - a far transfer, or a load of a segment register
 * @cpu: the vCPU
 * @insn: of the kinds LG_INSN_MOV_SREG to LG_INSN_SYSEXIT
 *
 * Return: see enum lg_emulated.
 */
int lg_emu_transfer(struct lg_cpu *cpu, struct lg_insn *insn)
{
	switch (insn->kind) {
	case LG_INSN_INT:
		insn->imm = insn->opcode == 0xcd ? insn->imm & 0xff : insn->arg;
		return LG_EMU_DELIVER_INT;
	case LG_INSN_SYSENTER:
		return sysenter(cpu);
	case LG_INSN_SYSEXIT:
		return sysexit(cpu);
	case LG_INSN_GROUP5:
		return group5(cpu, insn);
	}
	if (cpu->user)
		return LG_EMU_NOT_OURS;

	switch (insn->kind) {
	case LG_INSN_MOV_SREG:
		return mov_sreg(cpu, insn);
	case LG_INSN_POP_SREG:
		return pop_sreg(cpu, insn);
	case LG_INSN_LDS:
		return load_pointer(cpu, insn);
	case LG_INSN_JMP_FAR:
		return jmp_far(cpu, insn->imm2, insn->imm);
	case LG_INSN_CALL_FAR:
		return call_far(cpu, insn, insn->imm2, insn->imm);
	case LG_INSN_RET_FAR:
		return ret_far(cpu, insn);
	case LG_INSN_IRET:
		return lg_iret(cpu, insn->word);
	default:
		return LG_EMU_NOT_OURS;
	}
}
