// SPDX-License-Identifier: GPL-2.0
/*
 * The C half of the switcher: what must be prepared before the processor can
 * leave the Host's world, and what must be put right when it is back. Who
 * enters here has a vCPU of its own task; who leaves again is told a vector
 * number and finds the Host whole. This room knows registers, tables and MSRs;
 * what a trap means to the Guest it does not know.
 *
 * Three spans of time, each inside the one before:
 *
 *	put	an ordinary task in the kernel; may sleep.
 *	loaded	the Guest's FPU registers are in the CPU, its way into the
 *		kernel by SYSCALL and SYSENTER is barred, preemption is off
 *		(kernel_fpu_begin()). Exits that need no sleep are handled
 *		without leaving this span.
 *	inside	lg_switch(): interrupts are off until the Guest has them on.
 *
 * What is there before and after all of them is made in world_make.c; the way
 * into the kernel, and what state components the host has, is in world_host.c.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/fsgsbase.h>
#include <asm/mce.h>
#include <asm/tlbflush.h>
#include <asm/traps.h>

#include "under_kvm.h"
#include "world.h"

#define CR3_KEEP_TLB BIT_ULL(63)

/* Flags that a Guest may set for itself (S2). */
#define GUEST_FLAGS                                                      \
	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | \
	 X86_EFLAGS_SF | X86_EFLAGS_TF | X86_EFLAGS_DF | X86_EFLAGS_OF | \
	 X86_EFLAGS_RF | X86_EFLAGS_AC | X86_EFLAGS_ID)

/* DR7 (SDM vol. 3, 17.2.4): what is always set; a breakpoint is on, by either of two bits. */
#define DR7_FIXED 0x400ULL
#define DR7_ENABLES 0xffULL

/* Branch records that go to memory. */
#define DEBUGCTL_STORES (DEBUGCTLMSR_TR | DEBUGCTLMSR_BTS)

static DEFINE_PER_CPU(u64, last_guest);

/* ---- Kicks and TLBs ---- */

/**
 * lg_kick() - make a vCPU look at what is pending
 * @cpu: any vCPU
 *
 * Wakes it when halted, makes it exit when inside the Guest. Any context but
 * NMI.
 */
void lg_kick(struct lg_cpu *cpu)
{
	WRITE_ONCE(cpu->kicked, true);
	/*
	 * Pairs with lg_world_load(): either lg_world_enter() sees the kick, or
	 * we see that it may be inside.
	 */
	smp_mb();
	if (READ_ONCE(cpu->host_cpu) >= 0)
		kick_process(cpu->task);
	wake_up(&cpu->wq);
}

static void answer_ipi(void *unused)
{
}

/**
 * lg_world_flush_tlbs() - no vCPU runs on shadow entries that are gone
 * @lg: the Guest
 *
 * An entry loads CR3, which flushes all that the Guest's PCID has; so it is
 * enough that each vCPU leaves the Guest once (M3). Waits for that. Interrupts
 * on, preemption on or off; no lock that a vCPU takes with interrupts off.
 */
void lg_world_flush_tlbs(struct lguest *lg)
{
	struct lg_cpu *cpu = &lg->cpu;
	int host_cpu;

	/*
	 * Entries were zapped before; pairs with the barrier in
	 * lg_world_load().
	 */
	smp_mb();
	host_cpu = READ_ONCE(cpu->host_cpu);
	if (host_cpu >= 0)
		smp_call_function_single(host_cpu, answer_ipi, NULL, 1);
}

/* ---- In and out ---- */

/* What differs between CPUs, and stays as it is on each. */
static void read_host_facts(struct lg_cpu *cpu)
{
	struct lg_state *state = cpu->state;
	struct desc_ptr dt;
	u64 *gdt;

	native_store_gdt(&dt);
	state->host_gdt.limit = dt.size;
	state->host_gdt.base = dt.address;
	gdt = (u64 *)dt.address;
	state->t_gdt_table[GDT_ENTRY_TSS] = gdt[GDT_ENTRY_TSS];
	state->t_gdt_table[GDT_ENTRY_TSS + 1] = gdt[GDT_ENTRY_TSS + 1];
	store_idt(&dt);
	state->host_idt.limit = dt.size;
	state->host_idt.base = dt.address;
	rdmsrq(MSR_GS_BASE, state->host_gs_base);
	lg_kvm_find_area();
	cpu->world->facts_of = smp_processor_id();
}

static void fpu_in(struct xregs_state *area)
{
	/*
	 * Some processors leave the addresses of the last x87 instruction and operand as they are
	 * where the state has no exception: somebody else's (AMD APM vol. 5, FXRSTOR).
	 */
	if (static_cpu_has_bug(X86_BUG_FXSAVE_LEAK))
		asm volatile("fnclex; emms; fildl %0" : : "m"(area->i387.mxcsr));
	asm volatile("xrstor (%0)"
		     :
		     : "r"(area), "a"((u32)lg_fpu_mask), "d"((u32)(lg_fpu_mask >> 32))
		     : "memory");
}

static void fpu_out(struct xregs_state *area)
{
	asm volatile("xsave (%0)"
		     :
		     : "r"(area), "a"((u32)lg_fpu_mask), "d"((u32)(lg_fpu_mask >> 32))
		     : "memory");
}

/*
 * Which components there are is the Guest's choice while it is loaded: CPUID,
 * XGETBV and XSAVE show it, and none of them traps. The others keep the state
 * that fpu_in() gave them; so both ways are gone under the host's XCR0.
 */
static void set_xcr0(u64 from, u64 to)
{
	if (from != to)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, to);
}

/* What one Guest taught the branch predictors is not for the next one. */
static void part_from_last_guest(struct lg_world *world)
{
	if (this_cpu_read(last_guest) == world->guest_id)
		return;
	if (this_cpu_read(last_guest) && boot_cpu_has(X86_FEATURE_IBPB) &&
	    !cpu_mitigations_off())
		wrmsrq(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
	this_cpu_write(last_guest, world->guest_id);
}

/*
 * The Launcher's data segments live in the registers while the kernel runs for
 * it. The kernel itself does not use them, so that they need not be there again
 * before the task may be switched or return to user mode (S5).
 */
static void user_segments_aside(struct lg_world *world)
{
	savesegment(ds, world->ds);
	savesegment(es, world->es);
	savesegment(fs, world->fs);
	if (cpu_feature_enabled(X86_FEATURE_FSGSBASE))
		world->fs_base = rdfsbase();
	else
		rdmsrq(MSR_FS_BASE, world->fs_base);
}

static void user_segments_back(const struct lg_world *world)
{
	loadsegment(ds, world->ds);
	loadsegment(es, world->es);
	loadsegment(fs, world->fs);
	if (cpu_feature_enabled(X86_FEATURE_FSGSBASE))
		wrfsbase(world->fs_base);
	else
		wrmsrq(MSR_FS_BASE, world->fs_base);
}

/*
 * Into the loaded span: this CPU is the vCPU's until lg_world_put(), so what
 * depends on the CPU and on who ran there before is done here.
 */
static noinline void lg_world_load(struct lg_cpu *cpu)
{
	kernel_fpu_begin();
	fpu_in(cpu->world->fpu);
	set_xcr0(lg_host_xcr0, cpu->world->xcr0);
#ifdef X86_FEATURE_USER_SHSTK
	/*
	 * The Guest has no shadow stack. The Launcher's setting is part of its
	 * FPU state, which kernel_fpu_begin() has saved and which comes back
	 * whole before it returns to user mode.
	 */
	if (cpu_feature_enabled(X86_FEATURE_USER_SHSTK))
		wrmsrq(MSR_IA32_U_CET, 0);
#endif
	lg_bar_entry_points(cpu->world);
	if (cpu->world->facts_of != smp_processor_id())
		read_host_facts(cpu);
	part_from_last_guest(cpu->world);
	user_segments_aside(cpu->world);
	if (cpu_feature_enabled(X86_FEATURE_OSPKE))
		cpu->world->pkru = rdpkru();
	cpu->loaded = true;
	WRITE_ONCE(cpu->host_cpu, smp_processor_id());
	/* Pairs with lg_kick() and lg_world_flush_tlbs(). */
	smp_mb();
}

/**
 * lg_world_put() - leave the loaded span
 * @cpu: the vCPU of the running task
 *
 * Saves the Guest's FPU registers and switches preemption on. Whoever may sleep
 * calls this first; harmless when the vCPU is not loaded.
 */
void lg_world_put(struct lg_cpu *cpu)
{
	if (!cpu->loaded)
		return;

	WRITE_ONCE(cpu->host_cpu, -1);
	user_segments_back(cpu->world);
	set_xcr0(cpu->world->xcr0, lg_host_xcr0);
	fpu_out(cpu->world->fpu);
	lg_unbar_entry_points(cpu->world);
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	/* The next program on this CPU shall not follow what the Guest taught the predictors. */
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
	cpu->loaded = false;
	kernel_fpu_end();
}

/*
 * MSRs that are the Guest's only while interrupts are off. PEBS and BTS write their records through
 * page tables that have no place for them: off. SYSCALL is barred here if it may not be in the whole
 * loaded span (lg_bar_entry_points()).
 */
static void msrs_in(struct lg_world *world)
{
	if (!static_branch_unlikely(&lg_switches_msrs))
		return;
	if (lg_has_pebs) {
		rdmsrq(MSR_IA32_PEBS_ENABLE, world->pebs);
		if (world->pebs)
			wrmsrq(MSR_IA32_PEBS_ENABLE, 0);
	}
	if (lg_has_debug_store) {
		rdmsrq(MSR_IA32_DEBUGCTLMSR, world->debugctl);
		if (world->debugctl & DEBUGCTL_STORES)
			wrmsrq(MSR_IA32_DEBUGCTLMSR, world->debugctl & ~DEBUGCTL_STORES);
	}
	if (lg_kvm_reads_efer)
		lg_bar_syscall(world);
}

static void msrs_out(const struct lg_world *world)
{
	if (!static_branch_unlikely(&lg_switches_msrs))
		return;
	if (lg_kvm_reads_efer)
		lg_unbar_syscall(world);
	if (lg_has_debug_store && world->debugctl & DEBUGCTL_STORES)
		wrmsrq(MSR_IA32_DEBUGCTLMSR, world->debugctl);
	if (lg_has_pebs && world->pebs)
		wrmsrq(MSR_IA32_PEBS_ENABLE, world->pebs);
}

/*
 * All Guest pages have protection key 0, whose access and write disable are the
 * low two bits: the Guest starts with both clear. The Launcher's value cannot
 * change while the vCPU is loaded, so it was read then; without protection
 * keys it is 0.
 */
static void pkru_in(const struct lg_world *world)
{
	if (unlikely(world->pkru & 3))
		wrpkru(world->pkru & ~3u);
}

/* The Guest may have written it, as WRPKRU does not trap. */
static void pkru_out(const struct lg_world *world)
{
	if (cpu_feature_enabled(X86_FEATURE_OSPKE) && unlikely(rdpkru() != world->pkru))
		wrpkru(world->pkru);
}

/*
 * DR7 for the processor. All that the Guest names is below 4 GiB, so that none of its breakpoints
 * can be met by the switcher or, should one be on a moment too long, by the Host's own memory.
 */
static u64 hardware_dr7(u32 dr7)
{
	u64 value = DR7_FIXED;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		u32 control = dr7 >> (16 + 4 * i) & 0xf, rw = control & 3;

		/* Of ports: IN and OUT trap before they could be met. */
		if (!(dr7 & 3u << 2 * i) || rw == 2)
			continue;
		/* Of instructions: any other length is undefined (SDM vol. 3, 17.2.4). */
		if (!rw)
			control = 0;
		value |= 1ull << 2 * i | (u64)control << (16 + 4 * i);
	}
	return value;
}

/*
 * The host's breakpoints go and the Guest's come; DR7 is the last to be loaded, by lg_switch().
 * Rarely anybody has any.
 */
static noinline void debug_in(struct lg_cpu *cpu)
{
	struct lg_world *world = cpu->world;
	struct lg_state *state = cpu->state;

	native_set_debugreg(7, DR7_FIXED);
	state->debug = 1;
	state->guest_dr7 = hardware_dr7(cpu->dr[7]);
	if (state->guest_dr7 == DR7_FIXED)
		return;
	world->host_dr[0] = native_get_debugreg(0);
	world->host_dr[1] = native_get_debugreg(1);
	world->host_dr[2] = native_get_debugreg(2);
	world->host_dr[3] = native_get_debugreg(3);
	native_set_debugreg(0, cpu->dr[0]);
	native_set_debugreg(1, cpu->dr[1]);
	native_set_debugreg(2, cpu->dr[2]);
	native_set_debugreg(3, cpu->dr[3]);
}

static noinline void debug_out(struct lg_cpu *cpu)
{
	const struct lg_world *world = cpu->world;

	if (cpu->state->guest_dr7 != DR7_FIXED) {
		native_set_debugreg(0, world->host_dr[0]);
		native_set_debugreg(1, world->host_dr[1]);
		native_set_debugreg(2, world->host_dr[2]);
		native_set_debugreg(3, world->host_dr[3]);
	}
	native_set_debugreg(7, this_cpu_read(cpu_dr7) | DR7_FIXED);
	cpu->state->debug = 0;
}

static void set_cr0_ts(void)
{
	unsigned long cr0;

	asm volatile("mov %%cr0, %0; or %1, %0; mov %0, %%cr0"
		     : "=&r"(cr0)
		     : "i"(X86_CR0_TS)
		     : "memory");
}

static void clear_cr0_ts(void)
{
	asm volatile("clts" : : : "memory");
}

static u16 store_ldt_selector(void)
{
	u16 sel;

	asm volatile("sldt %0" : "=r"(sel));
	return sel;
}

/* As if it had come in the Launcher, in user mode. */
static noinline void machine_check(void)
{
	struct pt_regs regs = { .cs = __USER_CS, .flags = X86_EFLAGS_IF };

	do_machine_check(&regs);
}

/**
 * lg_world_enter() - run the Guest until its next exit
 * @cpu: the vCPU of the running task; may be loaded or not, is loaded
 * afterwards
 *
 * Interrupts are on before and after. An interrupt of the host that ended the
 * Guest's run has been given to the host when this returns (S8). CR2 of a page
 * fault stands in cpu->exit_cr2, DR6 of a debug exception in cpu->exit_dr6.
 *
 * Return: the vector of the exit, with LG_EXIT_HOST if that was an interrupt of
 * the host's; LG_EXIT_KICKED if there was no entry because of a kick; or
 * LG_EXIT_ABORTED with state->abort_vector and abort_error if the processor
 * refused the Guest's selectors or address.
 */
int lg_world_enter(struct lg_cpu *cpu)
{
	struct lg_world *world = cpu->world;
	struct lg_state *state = cpu->state;
	enum lg_view view = cpu->user ? LG_VIEW_USER : LG_VIEW_KERNEL;
	struct kvm_vcpu_pv_apf_data *kvm;
	struct lg_exit_record *record;
	u64 left;
	int vector;

	if (!cpu->loaded)
		lg_world_load(cpu);
	local_irq_disable();
	/* A kick after this finds host_cpu set: its IPI ends the Guest's run. */
	if (READ_ONCE(cpu->kicked)) {
		local_irq_enable();
		return LG_EXIT_KICKED;
	}

	state->host_cr3 = __native_read_cr3();
	state->guest_cr3 = world->view[view].cr3;
	if (cpu_feature_enabled(X86_FEATURE_PCID))
		state->host_cr3 |= CR3_KEEP_TLB;
	state->own_gdt.base = world->view[view].gdt;
	state->host_ldt = store_ldt_selector();
	state->aborted = 0;
	state->frame.flags = (state->frame.flags & GUEST_FLAGS) |
			     X86_EFLAGS_IF | X86_EFLAGS_FIXED;
	state->frame.cs |= 3;
	state->frame.ss |= 3;
	state->frame.ip = (u32)state->frame.ip;

	msrs_in(world);
	if (unlikely((this_cpu_read(cpu_dr7) | cpu->dr[7]) & DR7_ENABLES))
		debug_in(cpu);
	pkru_in(world);

	/* CR0.TS or EM, as the Guest has it: its FPU instructions are #NM then. */
	if (cpu->no_fpu)
		set_cr0_ts();

	record = lg_watch_enter(cpu, view);
	lg_switch(state);
	left = rdtsc();

	if (cpu->no_fpu)
		clear_cr0_ts();
	/*
	 * S5: nothing of the host may use what is not yet put back; so no
	 * tracing, no fault, no interrupt until the end.
	 */
	pkru_out(world);
#ifdef X86_FEATURE_KERNEL_IBRS
	if (cpu_feature_enabled(X86_FEATURE_KERNEL_IBRS))
		wrmsrq(MSR_IA32_SPEC_CTRL,
		       this_cpu_read(x86_spec_ctrl_current));
#endif
	msrs_out(world);

	vector = unlikely(state->aborted) ? LG_EXIT_ABORTED : (u8)state->frame.vector;
	lg_watch_exit(cpu, state, record, vector, left);
	if (unlikely(state->debug))
		debug_out(cpu);
	if (lg_exit_kinds[vector].rare) {
		if (vector == X86_TRAP_PF) {
			cpu->exit_cr2 = native_read_cr2();
			record->address = cpu->exit_cr2;
			kvm = lg_kvm_speaks();
			if (kvm)
				return LG_EXIT_HOST | lg_kvm_be_still(kvm);
		} else if (vector == X86_TRAP_DB) {
			cpu->exit_dr6 = native_get_debugreg(6);
			native_set_debugreg(6, DR6_RESERVED);
		} else if (vector == X86_TRAP_MC) {
			machine_check();
		} else {
			lg_raise_host_vector(vector);
			return LG_EXIT_HOST | vector;
		}
	}
	local_irq_enable();
	return vector;
}
NOKPROBE_SYMBOL(lg_world_enter);
