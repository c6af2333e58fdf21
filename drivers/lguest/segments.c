// SPDX-License-Identifier: GPL-2.0
/*
 * Segments. The Guest writes descriptors; the processor sees only copies that were vetted here
 * (S3), in two pairs of running tables, one for each virtual privilege level (enum lg_view). This
 * is the one room that writes them. Plain C (env.h).
 *
 * The Guest runs in ring 3 at both levels, so every running descriptor has DPL 3, and what decides
 * is whether it is there:
 *
 *	Guest's segment			at kernel level			at user level
 *	kernel (DPL 0-2) code or data	as it is			none (conforming: as it is)
 *	user (DPL 3) data		as it is			as it is
 *	user code, readable		read-only data			as it is
 *	user code, execute-only		none				as it is
 *	64-bit code, system		none				none
 *
 * "None" is an empty entry: to load it is #GP with its selector, which is what a processor gives
 * for a segment that the level may not have. A segment that the Guest marked not present is not
 * present in the copy: #NP or #SS, as on a processor. User code is data at kernel level because a
 * system call finds it in DS as well as in CS; and because it is not code, the IRET, RET or JMP
 * that goes to user level traps, which is how the Host learns of it.
 *
 * When the Guest's table is in its memory (LGDT, LLDT), the Guest may write there without telling.
 * A processor rereads a descriptor at each load of a selector. Here a load that fails makes the
 * Host reread it (lg_seg_refresh()); all are reread when the Guest goes to user level
 * (lg_seg_sync()) and by LGDT and LLDT. So the one thing that differs: a Guest kernel that changes
 * a present descriptor and loads it while it stays at kernel level gets the old one, until it goes
 * to user level. The accessed bit is set in the copies and never in the Guest's memory.
 *
 * A register holds what it loaded until it is loaded again, but each entry of the Guest loads all
 * registers anew. So an entry that is still in a register keeps its running copy where the new one
 * could not be loaded there ("held").
 */
#include "env.h"

/* Bytes of Guest tables compared at a time: Linux's whole GDT. */
#define SYNC_BYTES	256u

/**
 * lg_vet_descriptor() - what the processor may see of a Guest's descriptor
 * @desc: as the Guest wrote it
 * @user: for user level, otherwise for kernel level
 *
 * Keeps S3. Base, limit, D/B and AVL are the Guest's own: in compatibility mode a linear address
 * has 32 bits whatever they say.
 *
 * Return: a segment descriptor of DPL 3 with the accessed bit, or 0.
 */
u64 lg_vet_descriptor(u64 desc, bool user)
{
	if (!(desc & LG_DESC_SEGMENT))
		return 0;

	if (lg_desc_is_code(desc)) {
		if (desc & LG_DESC_LONG)
			return 0;
		if (user && !lg_desc_is_user(desc) && !lg_desc_conforms(desc))
			return 0;
		if (!user && lg_desc_is_user(desc)) {
			if (!(desc & LG_DESC_WRITABLE))
				return 0;
			/* The bit of conforming code is that of data which expands down. */
			desc &= ~(LG_DESC_CODE | LG_DESC_WRITABLE | LG_DESC_DOWN);
		}
	} else if (user && !lg_desc_is_user(desc)) {
		return 0;
	}
	/* Bit 53 is reserved in data descriptors. */
	desc &= ~LG_DESC_LONG;
	return desc | LG_DESC_DPL | LG_DESC_ACCESSED;
}

/* ---- The registers and the running tables ---- */

/*
 * Does a register still have this entry (a selector without RPL), and could it not have `vetted` in
 * its stead?
 */
static bool must_hold(struct lg_cpu *cpu, u16 entry, u64 vetted)
{
	enum lg_sreg reg;

	for (reg = LG_SREG_ES; reg < LG_SREGS; reg++) {
		if ((lg_seg_get(cpu, reg) & ~LG_SEL_RPL) == entry &&
		    !lg_desc_loadable(vetted, reg) &&
		    lg_desc_loadable(lg_running_desc(cpu, entry), reg))
			return true;
	}
	return false;
}

static void hold(struct lg_cpu *cpu, u16 entry)
{
	u16 *held = cpu->seg.held;
	unsigned int i, room = LG_SREGS;

	for (i = 0; i < LG_SREGS; i++) {
		if (held[i] == entry)
			return;
		if (!held[i])
			room = i;
	}
	if (room == LG_SREGS) {
		/*
		 * Six registers have six entries at most, of which this is one: so among those six
		 * there is one that no register has any more.
		 */
		lg_seg_release(cpu);
		hold(cpu, entry);
		return;
	}
	held[room] = entry;
	cpu->seg.holds = true;
}

/* Makes the running copies of an entry anew. True if that changed what the current level sees. */
static bool run_entry(struct lg_cpu *cpu, u16 entry)
{
	u64 raw, vetted, *running = lg_running_entry(cpu, entry, cpu->user);

	if (!running)
		return false;
	lg_quick_forget(cpu);
	raw = (entry & LG_SEL_LDT ? cpu->seg.ldt : cpu->seg.gdt)[LG_SEL_INDEX(entry)];
	*lg_running_entry(cpu, entry, !cpu->user) = lg_vet_descriptor(raw, !cpu->user);
	vetted = lg_vet_descriptor(raw, cpu->user);
	if (vetted == *running)
		return false;
	if (must_hold(cpu, entry, vetted)) {
		hold(cpu, entry);
		return false;
	}
	*running = vetted;
	return true;
}

/**
 * lg_seg_release() - let go of old copies that no segment register has any more
 * @cpu: the vCPU
 */
void lg_seg_release(struct lg_cpu *cpu)
{
	u16 *held = cpu->seg.held;
	unsigned int i;
	u16 entry;

	if (!cpu->seg.holds)
		return;
	cpu->seg.holds = false;
	for (i = 0; i < LG_SREGS; i++) {
		entry = held[i];
		if (!entry)
			continue;
		held[i] = 0;
		run_entry(cpu, entry);
	}
}

static __always_inline void drop_unusable(struct lg_cpu *cpu, enum lg_sreg reg)
{
	u16 sel = lg_seg_get(cpu, reg);

	if (sel & ~LG_SEL_RPL && !lg_desc_loadable(lg_running_desc(cpu, sel), reg))
		lg_seg_put(cpu, reg, 0);
}

/**
 * lg_seg_drop_unusable() - make data segment registers null that the virtual level may not hold
 * @cpu: the vCPU, at its new level
 *
 * As a processor does on a return to an outer level (SDM vol. 2, IRET). Afterwards each can be
 * loaded at an entry.
 */
void lg_seg_drop_unusable(struct lg_cpu *cpu)
{
	drop_unusable(cpu, LG_SREG_ES);
	drop_unusable(cpu, LG_SREG_DS);
	drop_unusable(cpu, LG_SREG_FS);
	drop_unusable(cpu, LG_SREG_GS);
}

/**
 * lg_seg_linear() - the linear address of an access through a segment register
 * @cpu: the vCPU
 * @reg: the register
 * @offset: in the segment
 * @len: bytes, at least 1
 * @access: LG_PF_WRITE, LG_PF_FETCH or neither
 * @linear: gets the address
 *
 * Return: 0, or -EFAULT with #SS(0) or #GP(0) in cpu->fault (SDM vol. 3, 5.3 to 5.5).
 */
int lg_seg_linear(struct lg_cpu *cpu, enum lg_sreg reg, u32 offset, u32 len, u32 access,
		  u32 *linear)
{
	u64 desc = lg_seg_running(cpu, reg);

	if (!lg_desc_allows(desc, offset, len, access))
		return lg_raise(cpu, reg == LG_SREG_SS ? LG_TRAP_SS : LG_TRAP_GP, 0);
	*linear = lg_desc_base(desc) + offset;
	return 0;
}

/**
 * lg_linear_ip() - linear address of the next instruction
 * @cpu: the vCPU
 */
u64 lg_linear_ip(struct lg_cpu *cpu)
{
	return (u32)(lg_desc_base(lg_seg_running(cpu, LG_SREG_CS)) + cpu->state->frame.ip);
}

/* ---- The Guest's tables ---- */

/*
 * The Host's own descriptor of the running LDT of a level, 16 bytes: system segments do in long
 * mode.
 */
static void set_ldt_descriptor(struct lg_cpu *cpu, bool user)
{
	u64 *desc = &cpu->state->gdt[user][LG_LDT / 8];
	u64 base = (uintptr_t)cpu->state->ldt[user];
	u32 limit = LG_SEG_LDT_ENTRIES * 8 - 1;

	desc[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | (u64)LG_TYPE_LDT << 40 |
		  LG_DESC_PRESENT | (base >> 24 & 0xff) << 56;
	desc[1] = base >> 32;
}

/**
 * lg_segment_set() - write an entry of the GDT that the Host keeps
 * @cpu: the vCPU
 * @index: below LG_SEG_GDT_ENTRIES; entry 0 stays empty
 * @desc: as the Guest wrote it
 *
 * If the table was in Guest memory until now, the Host's copy of it is the table from now on.
 */
void lg_segment_set(struct lg_cpu *cpu, unsigned int index, u64 desc)
{
	cpu->seg.gdt_in_memory = false;
	lg_quick_forget(cpu);
	if (!index)
		return;
	cpu->seg.gdt[index] = desc;
	run_entry(cpu, index * 8);
}

/*
 * Compares the first `bytes` of a table in Guest memory with the raw copy, and takes over what
 * differs. What cannot be read stays as it is: to load it is a fault on a processor, too.
 */
static void sync_table(struct lg_cpu *cpu, u64 *raw, u16 table, u32 base, u32 bytes)
{
	u64 now[SYNC_BYTES / 8];
	u32 done, len, i;

	for (done = 0; done < bytes; done += len) {
		len = bytes - done < SYNC_BYTES ? bytes - done : SYNC_BYTES;
		if (lg_read_gva(cpu, (u32)(base + done), now, len, 0) ||
		    !memcmp(now, raw + done / 8, len))
			continue;
		for (i = 0; i < len / 8; i++) {
			u32 index = done / 8 + i;

			if (raw[index] == now[i])
				continue;
			raw[index] = now[i];
			run_entry(cpu, index * 8 | table);
		}
	}
}

/* Bytes of whole descriptors inside a limit that are also inside the Host's copy. */
static u32 table_bytes(u32 limit, u32 entries)
{
	u32 have = limit == U32_MAX ? entries : (limit + 1) / 8;

	return (have < entries ? have : entries) * 8;
}

/**
 * lg_seg_sync() - take over what the Guest wrote to its tables in memory
 * @cpu: the vCPU
 */
void lg_seg_sync(struct lg_cpu *cpu)
{
	struct lg_segments *seg = &cpu->seg;

	if (seg->gdt_in_memory)
		sync_table(cpu, seg->gdt, 0, seg->gdt_base,
			   table_bytes(seg->gdt_limit, LG_SEG_GDT_ENTRIES));
	if (cpu->state->guest_ldt)
		sync_table(cpu, seg->ldt, LG_SEL_LDT, seg->ldt_base,
			   table_bytes(seg->ldt_limit, LG_SEG_LDT_ENTRIES));
}

/**
 * lg_seg_to_user() - what segments are for a vCPU that has just come to user level
 * @cpu: the vCPU
 *
 * Where there is no memory to read the tables, this is to be done again (lg_tell_again()) before it
 * is entered.
 */
void lg_seg_to_user(struct lg_cpu *cpu)
{
	lg_seg_sync(cpu);
	if (unlikely(cpu->no_memory))
		cpu->untold |= LG_UNTOLD_TABLES;
	else
		lg_seg_drop_unusable(cpu);
}

/* Empties a table, but for what registers hold. */
static void clear_table(struct lg_cpu *cpu, u64 *raw, u16 table, u32 entries)
{
	u32 index;

	for (index = 0; index < entries; index++) {
		if (!raw[index])
			continue;
		raw[index] = 0;
		run_entry(cpu, index * 8 | table);
	}
}

/**
 * lg_seg_load_gdt() - LGDT
 * @cpu: the vCPU
 * @base: linear address of the table
 * @limit: of its last byte
 *
 * What of the table cannot be read yet is found when it is loaded.
 */
void lg_seg_load_gdt(struct lg_cpu *cpu, u32 base, u16 limit)
{
	struct lg_segments *seg = &cpu->seg;

	lg_quick_forget(cpu);
	seg->gdt_in_memory = true;
	seg->gdt_base = base;
	seg->gdt_limit = limit;
	clear_table(cpu, seg->gdt, 0, LG_SEG_GDT_ENTRIES);
	lg_seg_sync(cpu);
}

/**
 * lg_seg_reread() - read a Guest's descriptor, where lg_seg_fetch() cannot say it at once
 * @cpu: the vCPU
 * @sel: its selector
 * @desc: gets the raw descriptor, as it is in the Guest's table now
 *
 * Return: 0; -ENOENT for a null selector or one outside the table (@desc is 0 then); -EFAULT with a
 * page fault in cpu->fault.
 */
int lg_seg_reread(struct lg_cpu *cpu, u16 sel, u64 *desc)
{
	struct lg_segments *seg = &cpu->seg;
	u32 index = LG_SEL_INDEX(sel), base, bytes;
	u64 *raw;

	*desc = 0;
	if (sel & LG_SEL_LDT) {
		if (!cpu->state->guest_ldt)
			return -ENOENT;
		raw = seg->ldt;
		base = seg->ldt_base;
		bytes = table_bytes(seg->ldt_limit, LG_SEG_LDT_ENTRIES);
	} else {
		if (!index)
			return -ENOENT;
		raw = seg->gdt;
		base = seg->gdt_base;
		bytes = table_bytes(seg->gdt_in_memory ? seg->gdt_limit : U32_MAX,
				    LG_SEG_GDT_ENTRIES);
	}
	if (index >= bytes / 8)
		return -ENOENT;

	if (sel & LG_SEL_LDT || seg->gdt_in_memory) {
		u64 now;

		if (lg_read_gva(cpu, (u32)(base + index * 8), &now, sizeof(now), 0))
			return -EFAULT;
		if (now != raw[index]) {
			raw[index] = now;
			run_entry(cpu, sel & ~LG_SEL_RPL);
		}
	}
	*desc = raw[index];
	return 0;
}

/**
 * lg_seg_refresh() - reread a descriptor that could not be loaded
 * @cpu: the vCPU
 * @sel: its selector
 *
 * Return: 1 if the processor now sees another one, so that the instruction should be tried again; 0
 * if not; -EFAULT with a page fault in cpu->fault.
 */
int lg_seg_refresh(struct lg_cpu *cpu, u16 sel)
{
	u64 before, desc;

	lg_seg_release(cpu);
	before = lg_running_desc(cpu, sel);
	if (lg_seg_fetch(cpu, sel, &desc) == -EFAULT)
		return -EFAULT;
	return lg_running_desc(cpu, sel) != before;
}

/*
 * The descriptor of a system segment that LLDT or LTR names, with #GP(sel) and #NP(sel) as they
 * give it.
 */
static int fetch_system(struct lg_cpu *cpu, u16 sel, u32 types, u64 *desc)
{
	u16 error = sel & ~LG_SEL_RPL;
	int err;

	err = sel & LG_SEL_LDT ? -ENOENT : lg_seg_fetch(cpu, sel, desc);
	if (err == -EFAULT)
		return err;
	if (err || LG_DESC_TYPE(*desc) & 0x10 || !(types & 1u << LG_DESC_TYPE(*desc)))
		return lg_raise(cpu, LG_TRAP_GP, error);
	if (!(*desc & LG_DESC_PRESENT))
		return lg_raise(cpu, LG_TRAP_NP, error);
	return 0;
}

/**
 * lg_seg_load_ldt() - LLDT
 * @cpu: the vCPU
 * @sel: a selector of the GDT; null: no LDT
 *
 * The first LG_SEG_LDT_ENTRIES entries of an LDT can be used.
 *
 * Return: 0, or -EFAULT with the fault in cpu->fault.
 */
int lg_seg_load_ldt(struct lg_cpu *cpu, u16 sel)
{
	struct lg_segments *seg = &cpu->seg;
	u32 bytes = 0;
	u64 desc = 0;

	if (sel & ~LG_SEL_RPL) {
		if (fetch_system(cpu, sel, 1u << LG_TYPE_LDT, &desc))
			return -EFAULT;
		bytes = table_bytes(lg_desc_limit(desc), LG_SEG_LDT_ENTRIES);
	}
	if (cpu->state->guest_ldt)
		clear_table(cpu, seg->ldt, LG_SEL_LDT, LG_SEG_LDT_ENTRIES);
	lg_quick_forget(cpu);
	seg->ldt_sel = sel;
	seg->ldt_base = lg_desc_base(desc);
	seg->ldt_limit = lg_desc_limit(desc);
	if (bytes) {
		cpu->state->guest_ldt = LG_LDT;
		set_ldt_descriptor(cpu, false);
		set_ldt_descriptor(cpu, true);
		sync_table(cpu, seg->ldt, LG_SEL_LDT, seg->ldt_base, bytes);
	} else {
		/*
		 * What registers still have of the old one goes with it: the one case where a
		 * processor would keep it.
		 */
		cpu->state->guest_ldt = 0;
		lg_seg_drop_unusable(cpu);
		memset(cpu->state->ldt, 0, sizeof(cpu->state->ldt));
	}
	return 0;
}

/**
 * lg_seg_load_tr() - LTR
 * @cpu: the vCPU
 * @sel: a selector of the GDT
 *
 * Entries from user level take their stack from this TSS from now on, not from LHCALL_SET_STACK.
 *
 * Return: 0, or -EFAULT with the fault in cpu->fault.
 */
int lg_seg_load_tr(struct lg_cpu *cpu, u16 sel)
{
	struct lg_segments *seg = &cpu->seg;
	u64 desc;

	if (!(sel & ~LG_SEL_RPL))
		return lg_raise(cpu, LG_TRAP_GP, 0);
	if (fetch_system(cpu, sel, 1u << LG_TYPE_TSS16 | 1u << LG_TYPE_TSS32, &desc))
		return -EFAULT;

	desc |= (u64)LG_TYPE_BUSY << 40;
	if (seg->gdt_in_memory &&
	    lg_write_gva(cpu, (u32)(seg->gdt_base + LG_SEL_INDEX(sel) * 8), &desc, sizeof(desc), 0))
		return -EFAULT;
	seg->gdt[LG_SEL_INDEX(sel)] = desc;

	seg->tr = sel;
	seg->tss_base = lg_desc_base(desc);
	seg->tss_limit = lg_desc_limit(desc);
	seg->tss_type = LG_DESC_TYPE(desc) & ~LG_TYPE_BUSY;
	cpu->ss1 = 0;
	lg_quick_forget(cpu);
	return 0;
}
