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
 * MSRs for SYSCALL and SYSENTER matter to user mode only, so they are put back
 * when the CPU next returns to user mode (a user return notifier), not when the
 * vCPU is put.
 */
#include <linux/cpuhotplug.h>
#include <linux/cpu.h>
#include <linux/gfp.h>
#include <linux/jump_label.h>
#include <linux/mem_encrypt.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/user-return-notifier.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xcr.h>
#include <asm/fsgsbase.h>
#include <asm/mce.h>
#include <asm/tlbflush.h>
#include <asm/traps.h>

#include "under_kvm.h"
#include "watch.h"

/* Not one of Linux's PCIDs, which end below 0x800 whatever the version (S7). */
#define GUEST_PCID 0xf00
#define CR3_KEEP_TLB BIT_ULL(63)

/* The leaf of CPUID that tells of XSAVE. */
#define CPUID_XSTATE 0xd

/* Flags that a Guest may set for itself (S2). */
#define GUEST_FLAGS                                                      \
	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | \
	 X86_EFLAGS_SF | X86_EFLAGS_TF | X86_EFLAGS_DF | X86_EFLAGS_OF | \
	 X86_EFLAGS_RF | X86_EFLAGS_AC | X86_EFLAGS_ID)

/* A ring-0 code and data descriptor, as Linux has them. */
#define DESC_KERNEL_CODE 0x00af9b000000ffffULL
#define DESC_KERNEL_DATA 0x00cf93000000ffffULL

/* DR7 (SDM vol. 3, 17.2.4): what is always set; a breakpoint is on, by either of two bits. */
#define DR7_FIXED 0x400ULL
#define DR7_ENABLES 0xffULL

/* Branch records that go to memory. */
#define DEBUGCTL_STORES (DEBUGCTLMSR_TR | DEBUGCTLMSR_BTS)

/*
 * Tables of one vCPU's two address spaces: tops and lows for both, and the ways
 * to switcher text, state and the aliases of the exit stack.
 */
#define WORLD_TABLES 24

/* The Host's side of a vCPU that the Guest's page tables never map. */
struct lg_world {
	u64 *table[WORLD_TABLES]; /* every page-table page made here, to be freed */
	unsigned int tables;
	struct {
		u64 cr3, gdt;
	} view[LG_VIEWS]; /* what the processor gets for each */
	u64 *top[LG_VIEWS]; /* what CR3 points to */
	u64 *low[LG_VIEWS]; /* four entries of 1 GiB: shadow.c's */
	u64 guest_id; /* of the Guest, unique since the module was loaded */
	struct xregs_state *fpu; /* XSAVE area, standard format */
	u64 xcr0; /* state components that the Guest has switched on */
	u16 ds, es, fs; /* the Launcher\'s, while loaded */
	u64 fs_base;
	u64 pebs, debugctl; /* what debug_store_off() has put aside */
	u32 pkru; /* the Launcher's, while loaded */
	u64 host_dr[4]; /* addresses, while the Guest's are in the processor */
	int facts_of; /* the CPU that host_* in the state was read from, or -1 */
};

/* One for all vCPUs: T's IDT, used under the Host's CR3 only. */
static gate_desc t_idt[LG_VECTORS] __page_aligned_bss;

static u64 fpu_mask; /* state components that a 32-bit Guest can reach */
static unsigned int fpu_size;
static u64 host_xcr0;
/* This CPU writes records through linear addresses: PEBS, BTS. */
static DEFINE_STATIC_KEY_FALSE(has_debug_store);
static bool has_pebs;
static enum cpuhp_state cpuhp_state;

static atomic64_t guest_ids;
static DEFINE_PER_CPU(u64, last_guest);

/* SYSCALL and SYSENTER of the host, while they are barred on this CPU. */
struct entry_points {
	struct user_return_notifier notifier;
	bool barred;
	u64 efer, sysenter_cs;
};

static DEFINE_PER_CPU(struct entry_points, entry_points);

/* ---- The way into the kernel ---- */

static void unbar_entry_points(struct entry_points *ep)
{
	unsigned long flags;
	u64 efer;

	local_irq_save(flags);
	if (ep->barred) {
		/* Its other bits are not ours: KVM may have switched SVM on or off meanwhile. */
		rdmsrq(MSR_EFER, efer);
		wrmsrq(MSR_EFER, efer | (ep->efer & EFER_SCE));
		wrmsrq(MSR_IA32_SYSENTER_CS, ep->sysenter_cs);
		user_return_notifier_unregister(&ep->notifier);
		ep->barred = false;
	}
	local_irq_restore(flags);
}

static void on_user_return(struct user_return_notifier *notifier)
{
	unbar_entry_points(
		container_of(notifier, struct entry_points, notifier));
}

/*
 * A SYSCALL or SYSENTER of the Guest's would enter the Host's kernel in ring 0
 * on the Guest's page tables (S1). The MSR is asked each time rather than a
 * flag: a CPU that went off and came back has the host's values again.
 */
static void bar_entry_points(void)
{
	struct entry_points *ep = this_cpu_ptr(&entry_points);
	unsigned long flags;
	u64 efer, sysenter_cs;

	rdmsrq(MSR_EFER, efer);
	rdmsrq(MSR_IA32_SYSENTER_CS, sysenter_cs);
	if (!(efer & EFER_SCE) && !sysenter_cs)
		return;

	local_irq_save(flags);
	if (!ep->barred) {
		ep->efer = efer;
		ep->sysenter_cs = sysenter_cs;
		ep->barred = true;
		ep->notifier.on_user_return = on_user_return;
		user_return_notifier_register(&ep->notifier);
	}
	wrmsrq(MSR_EFER, efer & ~EFER_SCE);
	wrmsrq(MSR_IA32_SYSENTER_CS, 0);
	local_irq_restore(flags);
}

static void unbar_this_cpu(void *unused)
{
	unbar_entry_points(this_cpu_ptr(&entry_points));
}

static int cpu_goes_down(unsigned int cpu)
{
	unbar_this_cpu(NULL);
	return 0;
}

/* ---- FPU and what goes with it ---- */

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
		     : "r"(area), "a"((u32)fpu_mask), "d"((u32)(fpu_mask >> 32))
		     : "memory");
}

static void fpu_out(struct xregs_state *area)
{
	asm volatile("xsave (%0)"
		     :
		     : "r"(area), "a"((u32)fpu_mask), "d"((u32)(fpu_mask >> 32))
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

/* SDM vol. 1, 13.3: whatever else is set is a fault. */
static bool xcr0_valid(u64 xcr0)
{
	const u64 mpx = XFEATURE_MASK_BNDREGS | XFEATURE_MASK_BNDCSR;
	const u64 known = XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM | mpx |
			  XFEATURE_MASK_AVX512 | XFEATURE_MASK_PKRU;

	if (xcr0 & ~(known & host_xcr0) || !(xcr0 & XFEATURE_MASK_FP))
		return false;
	if (xcr0 & XFEATURE_MASK_YMM && !(xcr0 & XFEATURE_MASK_SSE))
		return false;
	if (xcr0 & mpx && (xcr0 & mpx) != mpx)
		return false;
	return !(xcr0 & XFEATURE_MASK_AVX512) ||
	       ((xcr0 & XFEATURE_MASK_AVX512) == XFEATURE_MASK_AVX512 &&
		xcr0 & XFEATURE_MASK_YMM);
}

/**
 * lg_world_set_xcr0() - the Guest chooses its state components
 * @cpu: vCPU of the running task; is not loaded afterwards
 * @xcr0: as XSETBV has it
 *
 * Return: 0, or -EINVAL if the processor would refuse it or the host does not
 * have it.
 */
int lg_world_set_xcr0(struct lg_cpu *cpu, u64 xcr0)
{
	if (!xcr0_valid(xcr0))
		return -EINVAL;
	lg_world_put(cpu);
	cpu->world->xcr0 = xcr0;
	return 0;
}

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
	set_xcr0(host_xcr0, cpu->world->xcr0);
#ifdef X86_FEATURE_USER_SHSTK
	/*
	 * The Guest has no shadow stack. The Launcher's setting is part of its
	 * FPU state, which kernel_fpu_begin() has saved and which comes back
	 * whole before it returns to user mode.
	 */
	if (cpu_feature_enabled(X86_FEATURE_USER_SHSTK))
		wrmsrq(MSR_IA32_U_CET, 0);
#endif
	bar_entry_points();
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
	set_xcr0(cpu->world->xcr0, host_xcr0);
	fpu_out(cpu->world->fpu);
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	/* The next program on this CPU shall not follow what the Guest taught the predictors. */
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
	cpu->loaded = false;
	kernel_fpu_end();
}

/*
 * PEBS and BTS write their records through page tables that have no place for
 * them: off while inside.
 */
static void debug_store_off(struct lg_world *world)
{
	if (!static_branch_unlikely(&has_debug_store))
		return;
	if (has_pebs) {
		rdmsrq(MSR_IA32_PEBS_ENABLE, world->pebs);
		if (world->pebs)
			wrmsrq(MSR_IA32_PEBS_ENABLE, 0);
	}
	rdmsrq(MSR_IA32_DEBUGCTLMSR, world->debugctl);
	if (world->debugctl & DEBUGCTL_STORES)
		wrmsrq(MSR_IA32_DEBUGCTLMSR, world->debugctl & ~DEBUGCTL_STORES);
}

static void debug_store_on(const struct lg_world *world)
{
	if (!static_branch_unlikely(&has_debug_store))
		return;
	if (has_pebs && world->pebs)
		wrmsrq(MSR_IA32_PEBS_ENABLE, world->pebs);
	if (world->debugctl & DEBUGCTL_STORES)
		wrmsrq(MSR_IA32_DEBUGCTLMSR, world->debugctl);
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
 * Return: the vector of the exit, LG_EXIT_KICKED if there was no entry because
 * of a kick, or LG_EXIT_ABORTED with
 * state->abort_vector and abort_error if the processor refused the Guest's
 * selectors or address.
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

	debug_store_off(world);
	if (unlikely((this_cpu_read(cpu_dr7) | cpu->dr[7]) & DR7_ENABLES))
		debug_in(cpu);
	pkru_in(world);

	/* CR0.TS as the Guest has it: its FPU instructions are #NM then. */
	if (cpu->ts)
		set_cr0_ts();

	record = lg_watch_enter(cpu, view);
	lg_switch(state);
	left = rdtsc();

	if (cpu->ts)
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
	debug_store_on(world);

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
				return lg_kvm_be_still(kvm);
		} else if (vector == X86_TRAP_DB) {
			cpu->exit_dr6 = native_get_debugreg(6);
			native_set_debugreg(6, DR6_RESERVED);
		} else if (vector == X86_TRAP_MC) {
			machine_check();
		} else {
			lg_raise_host_vector(vector);
			return vector;
		}
	}
	local_irq_enable();
	return vector;
}
NOKPROBE_SYMBOL(lg_world_enter);

/* ---- Making and breaking ---- */

unsigned int lg_host_levels(void)
{
	return native_read_cr4() & X86_CR4_LA57 ? 5 : 4;
}

static u64 *new_table(struct lg_world *world)
{
	u64 *table;

	if (WARN_ON_ONCE(world->tables == WORLD_TABLES))
		return NULL;
	table = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (table)
		world->table[world->tables++] = table;
	return table;
}

/*
 * The table of `level` (1: page table) on the way to va below `top`; made where
 * it is missing, with `rights` in the entries that lead to it. NULL: no memory.
 */
static u64 *table_for(struct lg_world *world, u64 *top, unsigned long va,
		      unsigned int level, u64 rights)
{
	unsigned int at;
	u64 *table = top;

	for (at = lg_host_levels(); at > level; at--) {
		u64 *entry = &table[(va >> (PAGE_SHIFT + 9 * (at - 1))) & 511];

		if (!*entry) {
			u64 *next = new_table(world);

			if (!next)
				return NULL;
			*entry = __sme_pa(next) | rights;
		}
		table = __va(__sme_clr(*entry) & PHYSICAL_PAGE_MASK);
	}
	return table;
}

static int map_switcher_page(struct lg_world *world, unsigned long va, u64 pa,
			     u64 rights)
{
	const u64 table_rights = _PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED;
	u64 *table = table_for(world, world->top[LG_VIEW_KERNEL], va, 1,
			       table_rights);

	if (!table)
		return -ENOMEM;
	/* S4: never the user bit. */
	table[(va >> PAGE_SHIFT) & 511] = __sme_set(pa) | rights |
					  _PAGE_PRESENT | _PAGE_ACCESSED;
	return 0;
}

/*
 * The aliases of the exit stack (S9; switcher.h): all entries of a table lead to the same next one,
 * and each sixteenth of the last to the page.
 */
static int map_aliases(struct lg_cpu *cpu)
{
	const u64 table_rights = _PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED;
	const u64 page = __sme_pa(&cpu->state->self) | table_rights | _PAGE_DIRTY | _PAGE_NX;
	unsigned long va = LG_ALIAS_START(lg_host_levels());
	struct lg_world *world = cpu->world;
	u64 *tops, *middle, *last;
	unsigned int i;

	tops = table_for(world, world->top[LG_VIEW_KERNEL], va, 3, table_rights);
	middle = new_table(world);
	last = new_table(world);
	if (!tops || !middle || !last)
		return -ENOMEM;
	for (i = 0; i < LG_ALIAS_SIZE >> PUD_SHIFT; i++)
		tops[i] = __sme_pa(middle) | table_rights;
	for (i = 0; i < 512; i++)
		middle[i] = __sme_pa(last) | table_rights;
	for (i = 0; i < 512; i += LG_ALIAS_STEP / PAGE_SIZE)
		last[i] = page;
	cpu->state->alias = va + offset_in_page(&cpu->state->frame.ip);
	return 0;
}

/*
 * The two address spaces: 0-4 GiB is the Guest's, one for each view; above it
 * the same few pages of ours in both (S4).
 */
static int build_tables(struct lg_cpu *cpu)
{
	const u64 low_rights = _PAGE_PRESENT | _PAGE_RW | _PAGE_USER |
			       _PAGE_ACCESSED;
	struct lg_world *world = cpu->world;
	unsigned long va, state = (unsigned long)cpu->state;
	enum lg_view view;
	unsigned int i;
	int err;

	for (view = 0; view < LG_VIEWS; view++) {
		world->top[view] = new_table(world);
		if (!world->top[view])
			return -ENOMEM;
	}
	for (va = (unsigned long)lg_switcher_text;
	     va < (unsigned long)lg_switcher_text_end; va += PAGE_SIZE) {
		err = map_switcher_page(
			world, va,
			PFN_PHYS(page_to_pfn(vmalloc_to_page((void *)va))), 0);
		if (err)
			return err;
	}
	for (va = state; va < state + LG_STATE_SHARED; va += PAGE_SIZE) {
		err = map_switcher_page(world, va, __pa(va),
					_PAGE_RW | _PAGE_DIRTY | _PAGE_NX);
		if (err)
			return err;
	}
	err = map_aliases(cpu);
	if (err)
		return err;
	for (i = 0; i < 512; i++)
		world->top[LG_VIEW_USER][i] = world->top[LG_VIEW_KERNEL][i];
	for (view = 0; view < LG_VIEWS; view++) {
		world->low[view] =
			table_for(world, world->top[view], 0, 3, low_rights);
		if (!world->low[view])
			return -ENOMEM;
		world->view[view].gdt = (u64)cpu->state->gdt[view];
		world->view[view].cr3 = __sme_pa(world->top[view]);
		/* Bit 63 clear: a load flushes all that this PCID has (S7). */
		if (boot_cpu_has(X86_FEATURE_PCID))
			world->view[view].cr3 |= GUEST_PCID;
	}
	return 0;
}

u64 *lg_world_low(struct lg_cpu *cpu, enum lg_view view)
{
	return cpu->world->low[view];
}

u64 lg_world_cr3(struct lg_cpu *cpu, enum lg_view view)
{
	return cpu->world->view[view].cr3;
}

static void set_gate(gate_desc *gate, unsigned int vector, u16 selector,
		     unsigned int ist, unsigned int dpl)
{
	unsigned long stub =
		(unsigned long)lg_switcher_text + vector * LG_STUB_SIZE;

	*gate = (gate_desc){
		.offset_low = stub,
		.offset_middle = stub >> 16,
		.offset_high = stub >> 32,
		.segment = selector,
		.bits = { .ist = ist,
			  .type = GATE_INTERRUPT,
			  .dpl = dpl,
			  .p = 1 },
	};
}

static void build_state(struct lg_state *state)
{
	unsigned int vector;
	struct ldttss_desc tss;
	int view;

	BUILD_BUG_ON(sizeof(struct lg_state) > LG_STATE_SIZE);
	BUILD_BUG_ON(offsetof(struct lg_state, t_gdt_table) != LG_STATE_SHARED);
	BUILD_BUG_ON(offsetofend(struct lg_state, frame) % PAGE_SIZE);
	BUILD_BUG_ON(offsetof(struct lg_state, self) != PAGE_SIZE);

	/*
	 * INT 3 and INTO may be executed by anyone, hypercall and system call
	 * as well; the rest is #GP and looked at (S1).
	 */
	for (vector = 0; vector < LG_VECTORS; vector++) {
		bool open = vector == X86_TRAP_BP || vector == X86_TRAP_OF ||
			    vector == LGUEST_TRAP_ENTRY ||
			    vector == IA32_SYSCALL_VECTOR;

		set_gate(&state->idt[vector], vector, LG_CS,
			 vector == X86_TRAP_DF ? 1 : 0, open ? 3 : 0);
	}
	state->self = (u64)state;
	state->own_idt =
		(struct lg_desc_ptr){ sizeof(state->idt) - 1, (u64)state->idt };
	state->t_idt = (struct lg_desc_ptr){ sizeof(t_idt) - 1, (u64)t_idt };
	state->own_gdt.limit = sizeof(state->gdt[0]) - 1;
	state->t_gdt = (struct lg_desc_ptr){ sizeof(state->t_gdt_table) - 1,
					     (u64)state->t_gdt_table };

	state->tss.sp0 = (u64)(&state->frame + 1);
	state->tss.ist[0] = (u64)(state->df_stack + sizeof(state->df_stack));
	state->tss.io_bitmap =
		sizeof(state->tss); /* beyond the limit: no port is open */
	set_tssldt_descriptor(&tss, (unsigned long)&state->tss, DESC_TSS,
			      sizeof(state->tss) - 1);

	state->t_gdt_table[GDT_ENTRY_KERNEL_CS] = DESC_KERNEL_CODE;
	state->t_gdt_table[GDT_ENTRY_KERNEL_DS] = DESC_KERNEL_DATA;
	state->t_gdt_table[LG_CS / 8] = DESC_KERNEL_CODE;
	state->t_gdt_table[LG_DS / 8] = DESC_KERNEL_DATA;
	memcpy(&state->t_gdt_table[LG_TSS / 8], &tss, sizeof(tss));
	for (view = 0; view < LG_VIEWS; view++) {
		state->gdt[view][LG_CS / 8] = DESC_KERNEL_CODE;
		state->gdt[view][LG_DS / 8] = DESC_KERNEL_DATA;
	}
	state->verw = LG_DS;
}

/*
 * An FPU as after reset: all in its initial state but MXCSR, which XRSTOR takes
 * from memory in any case.
 */
static struct xregs_state *new_fpu(void)
{
	/*
	 * XSAVE wants 64-byte alignment; a power of two is aligned to itself.
	 */
	struct xregs_state *fpu =
		kzalloc(roundup_pow_of_two(fpu_size), GFP_KERNEL_ACCOUNT);

	if (fpu)
		fpu->i387.mxcsr = MXCSR_DEFAULT;
	return fpu;
}

/**
 * lg_world_init() - the switcher's memory of a vCPU
 * @cpu: not yet running; its lg is set
 *
 * Return: 0 or -ENOMEM; after an error lg_world_destroy() cleans up as after
 * success.
 */
int lg_world_init(struct lg_cpu *cpu)
{
	struct lg_world *world;

	cpu->host_cpu = -1;
	world = kzalloc(sizeof(*world), GFP_KERNEL_ACCOUNT);
	if (!world)
		return -ENOMEM;
	cpu->world = world;
	world->facts_of = -1;
	world->guest_id = atomic64_inc_return(&guest_ids);
	world->fpu = new_fpu();
	world->xcr0 = XFEATURE_MASK_FP;
	cpu->state = (struct lg_state *)__get_free_pages(
		GFP_KERNEL_ACCOUNT | __GFP_ZERO, LG_STATE_ORDER);
	if (!world->fpu || !cpu->state)
		return -ENOMEM;
	build_state(cpu->state);
	return build_tables(cpu);
}

/*
 * Also after a failed lg_world_init(), also without any. The vCPU does not run
 * any more.
 */
void lg_world_destroy(struct lg_cpu *cpu)
{
	struct lg_world *world = cpu->world;
	unsigned int i;

	free_pages((unsigned long)cpu->state, LG_STATE_ORDER);
	cpu->state = NULL;
	if (!world)
		return;
	for (i = 0; i < world->tables; i++)
		free_page((unsigned long)world->table[i]);
	kfree(world->fpu);
	kfree(world);
	cpu->world = NULL;
}

/* Of the Host's memory, for what lg_world_init() makes. */
u64 lg_world_bytes(struct lg_cpu *cpu)
{
	return LG_STATE_SIZE + sizeof(*cpu->world) +
	       roundup_pow_of_two(fpu_size) +
	       (u64)cpu->world->tables * PAGE_SIZE;
}

/* At module load: what is the same for all vCPUs. 0 or an errno. */
int lg_world_module_init(void)
{
	u32 eax, ebx, ecx, edx;
	unsigned int vector;
	u64 value;
	int ret;

	for (vector = 0; vector < LG_VECTORS; vector++)
		set_gate(&t_idt[vector], vector, __KERNEL_CS, 0, 0);

	/* PKRU is switched apart; tiles cannot be used outside 64-bit mode. */
	host_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	fpu_mask = host_xcr0 & ~(XFEATURE_MASK_PKRU | XFEATURE_MASK_XTILE);
	cpuid_count(CPUID_XSTATE, 0, &eax, &ebx, &ecx, &edx);
	fpu_size = ebx;

	if (boot_cpu_data.x86_vendor == X86_VENDOR_INTEL &&
	    boot_cpu_has(X86_FEATURE_DS) &&
	    !rdmsrq_safe(MSR_IA32_DEBUGCTLMSR, &value)) {
		has_pebs = !rdmsrq_safe(MSR_IA32_PEBS_ENABLE, &value);
		static_branch_enable(&has_debug_store);
	}

	lg_kvm_module_init();
	ret = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "lguest:online",
					NULL, cpu_goes_down);
	if (ret < 0)
		return ret;
	cpuhp_state = ret;
	return 0;
}

/*
 * At unload: no vCPU is left, but a CPU may not have been in user mode since
 * one ran there.
 */
void lg_world_module_exit(void)
{
	cpuhp_remove_state_nocalls(cpuhp_state);
	on_each_cpu(unbar_this_cpu, NULL, 1);
}
