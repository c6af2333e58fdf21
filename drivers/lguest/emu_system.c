// SPDX-License-Identifier: GPL-2.0
/*
 * The system's own instructions: flags, HLT, control and debug registers, descriptor-table
 * registers, MSRs, CPUID. All of them act on the virtual processor in struct lg_cpu; what paging
 * does with it is shadow.c's. Plain C (env.h).
 *
 * Differences from a processor, besides those that segments.c and trap.c tell of:
 *
 *	- real mode (CR0.PE clear) ends the Guest;
 *	- CR4.TSD, PCE, VME, PVI and DE (but for DR4 and DR5) are kept and shown, and change
 *	  nothing; SMEP, SMAP, FSGSBASE and PKE can be written where CPUID has them, and stay 0;
 *	- a breakpoint is not met by what the Host does for the Guest: frames of traps, accesses to
 *	  devices, emulated instructions; nor are breakpoints of ports;
 *	- MWAIT goes on at once, RDPMC is #GP, INVD and WBINVD do nothing;
 *	- the MSRs are those of the table below; any other is #GP.
 */
#include "env.h"

enum { AX, CX, DX, BX };

static int general_protection(struct lg_cpu *cpu)
{
	return lg_raise(cpu, LG_TRAP_GP, 0);
}

static int invalid_opcode(struct lg_cpu *cpu)
{
	return lg_raise(cpu, LG_TRAP_UD, 0);
}

/* ---- CR0 to CR4 ---- */

#define CR0_ALLOWED                                                                          \
	(LG_CR0_PE | LG_CR0_MP | LG_CR0_EM | LG_CR0_TS | LG_CR0_ET | LG_CR0_NE | LG_CR0_WP | \
	 LG_CR0_AM | LG_CR0_NW | LG_CR0_CD | LG_CR0_PG)
/* VME to OSXMMEXCPT: any processor that has 64 bits has them (SDM vol. 3, 2.5). */
#define CR4_ALWAYS	0x7ffu
#define LG_CR4_OSXSAVE	BIT_ULL(18)
#define LG_EFER_SCE	BIT_ULL(0)

u32 lg_guest_cr0(struct lg_cpu *cpu)
{
	return cpu->paging.cr0 | cpu->no_fpu;
}

static int set_cr0(struct lg_cpu *cpu, u32 value)
{
	/* Reserved bits are ignored (SDM vol. 3, 2.5); ET is always set. */
	value = (value & CR0_ALLOWED) | LG_CR0_ET;
	if ((value & LG_CR0_PG && !(value & LG_CR0_PE)) ||
	    (value & LG_CR0_NW && !(value & LG_CR0_CD)))
		return general_protection(cpu);
	if (!(value & LG_CR0_PE)) {
		lg_kill(cpu, "it goes to real mode (CR0 %#x), which is not to be had here", value);
		return LG_EMU_LAUNCHER;
	}
	if ((value & ~LG_CR0_NO_FPU) != cpu->paging.cr0 &&
	    lg_shadow_set_mode(cpu, value & ~LG_CR0_NO_FPU, cpu->paging.cr4, cpu->paging.efer))
		return general_protection(cpu);
	cpu->no_fpu = value & LG_CR0_NO_FPU;
	return 0;
}

/*
 * The others that a 32-bit kernel sets when CPUID tells it of them; so to set them must not fault
 * where CPUID, which is the host's, does. Those without `kept` concern levels or instructions that
 * do not exist in ring 3 of 32 bits: the bit is taken, and stays 0.
 */
static const struct cr4_feature {
	u32 cr4;
	u32 leaf;
	u8 reg, bit;			/* of its sub-leaf 0 */
	bool kept;
} cr4_features[] = {
	{ LG_CR4_UMIP, 7, CX, 2, true },
	{ BIT(16), 7, BX, 0, false },	/* FSGSBASE */
	{ LG_CR4_OSXSAVE, 1, CX, 26, true },
	{ BIT(20), 7, BX, 7, false },	/* SMEP */
	{ BIT(21), 7, BX, 20, false },	/* SMAP */
	{ BIT(22), 7, CX, 3, false },	/* PKE */
};

static bool cpuid_has(const struct cr4_feature *feature)
{
	static const u8 at[] = { [AX] = 0, [BX] = 1, [CX] = 2, [DX] = 3 };
	u32 leaf[4] = { 0 };

	lg_cpuid(leaf);
	if (leaf[0] < feature->leaf)
		return false;
	leaf[0] = feature->leaf;
	leaf[1] = 0;
	lg_cpuid(leaf);
	return leaf[at[feature->reg]] & BIT(feature->bit);
}

static int set_cr4(struct lg_cpu *cpu, u32 value)
{
	u32 allowed = CR4_ALWAYS | (cpu->paging.cr4 & (LG_CR4_UMIP | LG_CR4_OSXSAVE));
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cr4_features); i++) {
		const struct cr4_feature *feature = &cr4_features[i];

		/* What is on already was asked for before. */
		if (!(value & ~allowed & feature->cr4) || !cpuid_has(feature))
			continue;
		if (feature->kept)
			allowed |= feature->cr4;
		else
			value &= ~feature->cr4;
	}
	if (value & ~allowed)
		return general_protection(cpu);
	if (value != cpu->paging.cr4 &&
	    lg_shadow_set_mode(cpu, cpu->paging.cr0, value, cpu->paging.efer))
		return general_protection(cpu);
	return 0;
}

static int mov_from_cr(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 value;

	switch (insn->reg) {
	case 0:
		value = lg_guest_cr0(cpu);
		break;
	case 2:
		value = cpu->cr2;
		break;
	case 3:
		value = cpu->paging.cr3;
		break;
	case 4:
		value = cpu->paging.cr4;
		break;
	default:
		return invalid_opcode(cpu);
	}
	/* The operand is a register whatever mod says, and always 32 bits. */
	lg_emu_set_reg(cpu, insn->rm, 4, value);
	return 0;
}

static int mov_to_cr(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 value = lg_emu_reg(cpu, insn->rm, 4);

	switch (insn->reg) {
	case 0:
		return set_cr0(cpu, value);
	case 2:
		cpu->cr2 = value;
		return 0;
	case 3:
		return lg_shadow_load_cr3(cpu, value, true) ? general_protection(cpu) : 0;
	case 4:
		return set_cr4(cpu, value);
	default:
		return invalid_opcode(cpu);
	}
}

/* ---- Debug registers (SDM vol. 3, 17.2) ---- */

#define DR6_FIXED	0xffff0ff0u
#define DR6_VARIABLE	0x0000e00fu
#define DR7_FIXED	0x00000400u
#define DR7_VARIABLE	0xffff2bffu

/* DR4 and DR5 are DR6 and DR7, unless CR4.DE is set. */
static int debug_register(struct lg_cpu *cpu, const struct lg_insn *insn, u32 **dr)
{
	unsigned int reg = insn->reg;

	if (reg == 4 || reg == 5) {
		if (cpu->paging.cr4 & LG_CR4_DE)
			return invalid_opcode(cpu);
		reg += 2;
	}
	if (cpu->dr[7] & LG_DR7_GD) {
		cpu->dr[6] |= LG_DR6_BD;
		return lg_raise(cpu, LG_TRAP_DB, 0);
	}
	*dr = &cpu->dr[reg];
	return 0;
}

static int mov_from_dr(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 *dr, value;

	if (debug_register(cpu, insn, &dr))
		return -EFAULT;
	value = *dr;
	if (dr == &cpu->dr[6])
		value |= DR6_FIXED;
	else if (dr == &cpu->dr[7])
		value |= DR7_FIXED;
	lg_emu_set_reg(cpu, insn->rm, 4, value);
	return 0;
}

static int mov_to_dr(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 *dr, value = lg_emu_reg(cpu, insn->rm, 4);

	if (debug_register(cpu, insn, &dr))
		return -EFAULT;
	if (dr == &cpu->dr[6])
		value &= DR6_VARIABLE;
	else if (dr == &cpu->dr[7])
		value &= DR7_VARIABLE;
	*dr = value;
	return 0;
}

/* ---- MSRs ---- */

/* What can be done with an MSR. */
enum virtual_msr_kind {
	VMSR_VALUE, /* holds what is written: cpu->msr[slot] */
	VMSR_FIXED, /* reads as `value`; what is written goes nowhere */
	VMSR_TSC, /* the processor's own; what is written goes nowhere */
	VMSR_APIC, /* no local APIC: present, off, and nobody can switch it on */
	VMSR_EFER,
};

struct virtual_msr {
	u32 number;
	u8 kind;
	u8 slot;			/* enum lg_msr */
	/* VMSR_VALUE: what a processor that starts has; VMSR_FIXED. */
	u64 value;
};

#define VMSR_APIC_BASE	0xfee00100ull	/* the address, and: the first processor */
#define VMSR_APIC_ENABLED	0xc00ull

/*
 * Those whose absence old and new kernels do not expect on any processor that has the CPUID
 * features which they see, as CPUID is not faulted by default.
 */
static const struct virtual_msr msrs[] = {
	{ 0x10, VMSR_TSC },
	{ 0x17, VMSR_FIXED }, /* IA32_PLATFORM_ID */
	{ 0x1b, VMSR_APIC }, /* IA32_APIC_BASE */
	{ 0x8b, VMSR_FIXED }, /* IA32_BIOS_SIGN_ID: no microcode update */
	{ 0xfe, VMSR_FIXED }, /* IA32_MTRRCAP: none */
	{ 0x174, VMSR_VALUE, LG_MSR_SYSENTER_CS },
	{ 0x175, VMSR_VALUE, LG_MSR_SYSENTER_ESP },
	{ 0x176, VMSR_VALUE, LG_MSR_SYSENTER_EIP },
	{ 0x179, VMSR_FIXED }, /* IA32_MCG_CAP: no bank */
	{ 0x17a, VMSR_VALUE, LG_MSR_MCG_STATUS },
	{ 0x1a0, VMSR_VALUE, LG_MSR_MISC_ENABLE, 0x1801 }, /* fast strings; no BTS, no PEBS */
	{ 0x1d9, VMSR_VALUE, LG_MSR_DEBUGCTL },
	{ 0x277, VMSR_VALUE, LG_MSR_PAT, 0x0007040600070406ull },
	{ 0x2ff, VMSR_FIXED }, /* IA32_MTRR_DEF_TYPE */
	{ 0xc0000080, VMSR_EFER },
	{ 0xc0000103, VMSR_VALUE, LG_MSR_TSC_AUX },
	{ 0xc0010010, VMSR_FIXED }, /* SYSCFG of AMD's, which goes with MTRRs */
};

static const struct virtual_msr *find_msr(u32 number)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		if (msrs[i].number == number)
			return &msrs[i];
	}
	return NULL;
}

/**
 * lg_msr_reset() - the MSRs of a processor that starts
 * @cpu: the vCPU
 */
void lg_msr_reset(struct lg_cpu *cpu)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		if (msrs[i].kind == VMSR_VALUE)
			cpu->msr[msrs[i].slot] = msrs[i].value;
	}
}

static int read_msr(struct lg_cpu *cpu)
{
	const struct virtual_msr *msr = find_msr(lg_emu_reg(cpu, CX, 4));
	u64 value;

	if (!msr)
		return general_protection(cpu);
	switch (msr->kind) {
	case VMSR_VALUE:
		value = cpu->msr[msr->slot];
		break;
	case VMSR_TSC:
		value = lg_rdtsc();
		break;
	case VMSR_APIC:
		value = VMSR_APIC_BASE;
		break;
	case VMSR_EFER:
		value = cpu->paging.efer;
		break;
	default:
		value = msr->value;
		break;
	}
	lg_emu_set_reg(cpu, AX, 4, value);
	lg_emu_set_reg(cpu, DX, 4, value >> 32);
	return 0;
}

static int write_msr(struct lg_cpu *cpu)
{
	const struct virtual_msr *msr = find_msr(lg_emu_reg(cpu, CX, 4));
	u64 value = (u64)lg_emu_reg(cpu, DX, 4) << 32 | lg_emu_reg(cpu, AX, 4);

	if (!msr)
		return general_protection(cpu);
	switch (msr->kind) {
	case VMSR_VALUE:
		cpu->msr[msr->slot] = value;
		return 0;
	case VMSR_APIC:
		return value & VMSR_APIC_ENABLED ? general_protection(cpu) : 0;
	case VMSR_EFER:
		if (value & ~(LG_EFER_NXE | LG_EFER_SCE) ||
		    (value != cpu->paging.efer &&
		     lg_shadow_set_mode(cpu, cpu->paging.cr0, cpu->paging.cr4, value)))
			return general_protection(cpu);
		return 0;
	default:
		return 0;
	}
}

/* ---- Descriptor-table registers ---- */

/* SGDT and its like are for everybody, unless CR4.UMIP is set. */
static bool umip_forbids(struct lg_cpu *cpu)
{
	return cpu->user && cpu->paging.cr4 & LG_CR4_UMIP;
}

/* SLDT, STR and SMSW: 16 bits in memory, the operand's size in a register. */
static int store_word(struct lg_cpu *cpu, const struct lg_insn *insn, u32 value)
{
	if (umip_forbids(cpu))
		return general_protection(cpu);
	return lg_emu_write_rm(cpu, insn, insn->in_memory ? 2 : insn->word, value);
}

static int group6(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 sel;
	int err;

	switch (insn->reg) {
	case 0:
		return store_word(cpu, insn, cpu->seg.ldt_sel);
	case 1:
		return store_word(cpu, insn, cpu->seg.tr);
	case 2:
	case 3:
		if (cpu->user)
			return general_protection(cpu);
		err = lg_emu_read_rm(cpu, insn, 2, &sel);
		if (err)
			return err;
		return insn->reg == 2 ? lg_seg_load_ldt(cpu, sel) : lg_seg_load_tr(cpu, sel);
	default:
		return LG_EMU_NOT_OURS;
	}
}

/* SGDT, SIDT: the base has 32 bits whatever the operand size (SDM vol. 2, SGDT). */
static int store_table(struct lg_cpu *cpu, const struct lg_insn *insn, u32 base, u32 limit)
{
	u32 at = lg_emu_offset(cpu, insn);
	int err;

	if (umip_forbids(cpu))
		return general_protection(cpu);
	err = lg_emu_probe_write(cpu, insn->sreg, at, 6);
	if (!err)
		err = lg_emu_write(cpu, insn->sreg, at, 2, limit);
	if (!err)
		err = lg_emu_write(cpu, insn->sreg, at + 2, 4, base);
	return err;
}

/* LGDT, LIDT: the base has 24 bits with an operand size of 16. */
static int load_table(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u32 at = lg_emu_offset(cpu, insn), base, limit;
	int err;

	if (cpu->user)
		return general_protection(cpu);
	err = lg_emu_read(cpu, insn->sreg, at, 2, &limit);
	if (!err)
		err = lg_emu_read(cpu, insn->sreg, at + 2, 4, &base);
	if (err)
		return err;
	if (insn->word == 2)
		base &= 0xffffff;
	if (insn->reg == 2) {
		lg_seg_load_gdt(cpu, base, limit);
	} else {
		lg_quick_forget(cpu);
		cpu->idt_in_memory = true;
		cpu->idt_base = base;
		cpu->idt_limit = limit;
	}
	return 0;
}

static int lmsw(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	const u32 bits = LG_CR0_PE | LG_CR0_MP | LG_CR0_EM | LG_CR0_TS;
	u32 value, cr0 = lg_guest_cr0(cpu);
	int err;

	if (cpu->user)
		return general_protection(cpu);
	err = lg_emu_read_rm(cpu, insn, 2, &value);
	if (err)
		return err;
	/* It cannot clear PE. */
	return set_cr0(cpu, (cr0 & ~(bits & ~(u32)LG_CR0_PE)) | (value & bits));
}

static int invlpg(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	u64 desc = lg_seg_running(cpu, insn->sreg);

	if (cpu->user)
		return general_protection(cpu);
	lg_shadow_flush_gva(cpu, (u32)(lg_desc_base(desc) + lg_emu_offset(cpu, insn)));
	return 0;
}

static int xsetbv(struct lg_cpu *cpu)
{
	u64 value = (u64)lg_emu_reg(cpu, DX, 4) << 32 | lg_emu_reg(cpu, AX, 4);

	if (!(cpu->paging.cr4 & LG_CR4_OSXSAVE))
		return invalid_opcode(cpu);
	if (cpu->user || lg_emu_reg(cpu, CX, 4) || lg_world_set_xcr0(cpu, value))
		return general_protection(cpu);
	return 0;
}

/* 0F 01 with a register: what has nothing to do with tables. */
static int group7_register(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	switch (insn->reg << 3 | insn->rm) {
	case 1 << 3 | 0:		/* MONITOR */
	case 1 << 3 | 1:		/* MWAIT: something else may always have ended the wait */
	case 1 << 3 | 2:		/* CLAC */
	case 1 << 3 | 3:		/* STAC */
		return cpu->user ? invalid_opcode(cpu) : 0;
	case 2 << 3 | 1:
		return xsetbv(cpu);
	default:
		return LG_EMU_NOT_OURS;
	}
}

static int group7(struct lg_cpu *cpu, const struct lg_insn *insn)
{
	struct lg_segments *seg = &cpu->seg;

	if (insn->reg == 4)
		return store_word(cpu, insn, lg_guest_cr0(cpu));
	if (insn->reg == 6)
		return lmsw(cpu, insn);
	if (!insn->in_memory)
		return group7_register(cpu, insn);

	switch (insn->reg) {
	/* What was loaded last: hypercalls have changed the table since then, not the register. */
	case 0:
		return store_table(cpu, insn, seg->gdt_base, seg->gdt_limit);
	case 1:
		return store_table(cpu, insn, cpu->idt_base, cpu->idt_limit);
	case 2:
	case 3:
		return load_table(cpu, insn);
	case 7:
		return invlpg(cpu, insn);
	default:
		return LG_EMU_NOT_OURS;
	}
}

/* ---- Flags, and the rest ---- */

/* CLI and STI are for those whom IOPL allows it. */
static int set_if(struct lg_cpu *cpu, bool on)
{
	if (cpu->user && cpu->iopl < 3)
		return general_protection(cpu);
	if (on && !lg_virtual_if(cpu))
		cpu->sti_shadow = true;
	lg_set_virtual_if(cpu, on);
	return 0;
}

static int identify(struct lg_cpu *cpu)
{
	u32 leaf[4] = { lg_emu_reg(cpu, AX, 4), lg_emu_reg(cpu, CX, 4) };

	lg_cpuid(leaf);
	lg_emu_set_reg(cpu, AX, 4, leaf[0]);
	lg_emu_set_reg(cpu, BX, 4, leaf[1]);
	lg_emu_set_reg(cpu, CX, 4, leaf[2]);
	lg_emu_set_reg(cpu, DX, 4, leaf[3]);
	return 0;
}

/* For kernel level only. */
static int privileged(struct lg_cpu *cpu, struct lg_insn *insn)
{
	if (cpu->user)
		return general_protection(cpu);

	switch (insn->kind) {
	case LG_INSN_HLT:
		cpu->halted = true;
		return 0;
	case LG_INSN_CLTS:
		cpu->no_fpu &= ~LG_CR0_TS;
		return 0;
	case LG_INSN_CACHE:
		return 0;
	case LG_INSN_MOV_FROM_CR:
		return mov_from_cr(cpu, insn);
	case LG_INSN_MOV_TO_CR:
		return mov_to_cr(cpu, insn);
	case LG_INSN_MOV_FROM_DR:
		return mov_from_dr(cpu, insn);
	case LG_INSN_MOV_TO_DR:
		return mov_to_dr(cpu, insn);
	case LG_INSN_RDMSR:
		return read_msr(cpu);
	case LG_INSN_WRMSR:
		return write_msr(cpu);
	default:
		return general_protection(cpu);
	}
}

/**
 * lg_emu_system() - an instruction of the system's own
 * @cpu: the vCPU
 * @insn: of the kinds from LG_INSN_CLI on
 *
 * Return: see enum lg_emulated.
 */
int lg_emu_system(struct lg_cpu *cpu, struct lg_insn *insn)
{
	switch (insn->kind) {
	case LG_INSN_CLI:
		return set_if(cpu, false);
	case LG_INSN_STI:
		return set_if(cpu, true);
	case LG_INSN_GROUP6:
		return group6(cpu, insn);
	case LG_INSN_GROUP7:
		return group7(cpu, insn);
	case LG_INSN_CPUID:
		return identify(cpu);
	default:
		return privileged(cpu, insn);
	}
}
