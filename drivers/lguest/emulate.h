/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Emulation: what the Guest may do as far as its virtual privilege level goes, and ring 3 may not;
 * and accesses to devices. Plain C (env.h). The upper part is for other rooms, the lower part is
 * what the files emu_*.c share.
 */
#ifndef _LGUEST_EMULATE_H
#define _LGUEST_EMULATE_H

#include "plain.h"
#include "decode.h"
#include "trap.h"

struct lg_cpu;

/* Control register bits that walk.h has no use for (SDM vol. 3, 2.5). */
#define LG_CR0_PE	BIT_ULL(0)
#define LG_CR0_MP	BIT_ULL(1)
#define LG_CR0_EM	BIT_ULL(2)
#define LG_CR0_TS	BIT_ULL(3)
#define LG_CR0_ET	BIT_ULL(4)
#define LG_CR0_NE	BIT_ULL(5)
#define LG_CR0_AM	BIT_ULL(18)
#define LG_CR0_NW	BIT_ULL(29)
#define LG_CR0_CD	BIT_ULL(30)
/* What of CR0 is in cpu->no_fpu, the rest being in cpu->paging. */
#define LG_CR0_NO_FPU	(LG_CR0_EM | LG_CR0_TS)
#define LG_CR4_DE	BIT_ULL(3)
#define LG_CR4_UMIP	BIT_ULL(11)

/* MSRs that hold a value of the Guest's: emu_system.c has the table. */
enum lg_msr {
	LG_MSR_SYSENTER_CS,
	LG_MSR_SYSENTER_ESP,
	LG_MSR_SYSENTER_EIP,
	LG_MSR_PAT,
	LG_MSR_MISC_ENABLE,
	LG_MSR_TSC_AUX,
	LG_MSR_MCG_STATUS,
	LG_MSR_DEBUGCTL,
	LG_MSRS
};

/* One access to a device. */
struct lg_access {
	u64 addr;			/* gpa or port */
	u32 value;
	u8 kind, size;			/* LGUEST_SPACE_*; bytes: 1, 2 or 4 */
	bool write;
	/* The Launcher has been told (write) or has answered (read). */
	bool done;
};

/*
 * An instruction makes at most so many: read and write of four bytes, each of them cut by a page
 * boundary.
 */
#define LG_IO_LOG	8

/*
 * The device accesses that the instruction at hand has made so far. The Launcher is told of one at
 * a time; then the instruction is executed again from its start and finds the earlier ones here.
 * Empty between instructions.
 */
struct lg_io {
	struct lg_access log[LG_IO_LOG];
	u8 count;			/* in the log */
	u8 next;			/* of this execution */
	u32 ip;				/* of the instruction */
	bool user;			/* its level */
};

/*
 * An exception in the Guest: #UD, #NP, #SS or #GP. Does what the instruction asks, if its virtual
 * level allows that; else the exception is the Guest's.
 */
enum lg_next lg_emulate(struct lg_cpu *cpu, int vector, u32 error);
/* The instruction at the Guest's IP accesses gpa, which is outside memory, by gva. */
enum lg_next lg_emulate_device(struct lg_cpu *cpu, u64 gva, u64 gpa, u32 error);
/*
 * An instruction waits for its device access: execute it again before anything else reaches the
 * Guest.
 */
bool lg_io_waits(struct lg_cpu *cpu);
enum lg_next lg_emulate_again(struct lg_cpu *cpu);
/* The Launcher's answer to the read that it was told of. 0, -EINVAL if there is none. */
int lg_io_answer(struct lg_cpu *cpu, u64 value);

/* The MSRs of a processor that starts. */
void lg_msr_reset(struct lg_cpu *cpu);
/* CR0 as the Guest reads it. */
u32 lg_guest_cr0(struct lg_cpu *cpu);

/* ---- Shared by emu_*.c ---- */

/* What a handler returns besides 0 (done) and -EFAULT (a fault of the Guest's, in cpu->fault). */
enum lg_emulated {
	LG_EMU_NOT_OURS = 1, /* what the hardware said stands */
	LG_EMU_LAUNCHER, /* cpu->exit is filled: a device access, or the Guest died */
	LG_EMU_JUMPED, /* done, and IP is where it should be */
	LG_EMU_DELIVER_INT, /* done, and software interrupt insn->imm is to be delivered */
	LG_EMU_AGAIN, /* one step of a REP is done, and the next one should be */
};

/* emulate.c */
u32 lg_emu_reg(struct lg_cpu *cpu, unsigned int reg, unsigned int size);
void lg_emu_set_reg(struct lg_cpu *cpu, unsigned int reg, unsigned int size, u32 value);
/* Offset of the memory operand in its segment. */
u32 lg_emu_offset(struct lg_cpu *cpu, const struct lg_insn *insn);
/* size bytes (1, 2, 4) at an offset of a segment; to memory or to a device. */
int lg_emu_read(struct lg_cpu *cpu, unsigned int sreg, u32 offset, unsigned int size, u32 *value);
int lg_emu_write(struct lg_cpu *cpu, unsigned int sreg, u32 offset, unsigned int size, u32 value);
/* May size bytes be written there? Sets accessed and dirty. */
int lg_emu_probe_write(struct lg_cpu *cpu, unsigned int sreg, u32 offset, unsigned int size);
/* The r/m operand. */
int lg_emu_read_rm(struct lg_cpu *cpu, const struct lg_insn *insn, unsigned int size, u32 *value);
int lg_emu_write_rm(struct lg_cpu *cpu, const struct lg_insn *insn, unsigned int size, u32 value);
/* The stack: bytes at SP + skip; SP moved by as many bytes. */
int lg_emu_stack(struct lg_cpu *cpu, u32 skip, void *to, unsigned int len);
void lg_emu_move_sp(struct lg_cpu *cpu, s32 bytes);

/* emu_data.c */
u32 lg_alu(unsigned int op, u32 dst, u32 src, unsigned int size, u32 *flags);
int lg_emu_data(struct lg_cpu *cpu, struct lg_insn *insn);
void lg_emu_advance(struct lg_cpu *cpu, const struct lg_insn *insn, unsigned int reg);
int lg_emu_rep(struct lg_cpu *cpu, const struct lg_insn *insn,
	       int (*step)(struct lg_cpu *cpu, const struct lg_insn *insn));
/* emu_port.c */
int lg_emu_port(struct lg_cpu *cpu, struct lg_insn *insn);
int lg_emu_device(struct lg_cpu *cpu, unsigned int kind, u64 addr, unsigned int size, bool write,
		  u32 *value);
/* Does the Launcher claim this access; is an eventfd told of this write? window.c and eventfd.c. */
bool lg_window_claims(struct lg_cpu *cpu, unsigned int kind, u64 addr, unsigned int size);
bool lg_doorbell_rings(struct lg_cpu *cpu, unsigned int kind, u64 addr, unsigned int size);
/* emu_transfer.c */
int lg_emu_transfer(struct lg_cpu *cpu, struct lg_insn *insn);
int lg_iret(struct lg_cpu *cpu, unsigned int size);
bool lg_iret_quick(struct lg_cpu *cpu);
/* emu_system.c */
int lg_emu_system(struct lg_cpu *cpu, struct lg_insn *insn);

#endif /* _LGUEST_EMULATE_H */
