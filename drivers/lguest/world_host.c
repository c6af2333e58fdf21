// SPDX-License-Identifier: GPL-2.0
/*
 * The host's CPUs: the way into the kernel by SYSCALL and SYSENTER, barred while a vCPU is loaded
 * (S1, S5); what FPU state there is, and which of it a Guest may switch on; what writes through
 * linear addresses by itself. Found out once, at module load; world.c goes by it at each entry.
 */
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/vmx.h>

#include "under_kvm.h"
#include "world.h"

/* The leaf of CPUID that tells of XSAVE. */
#define CPUID_XSTATE 0xd

bool lg_host_has_int80;
u64 lg_host_xcr0, lg_fpu_mask;
static unsigned int fpu_size;
DEFINE_STATIC_KEY_FALSE(lg_switches_msrs);
bool lg_has_debug_store, lg_has_pebs, lg_kvm_reads_efer;

/* ---- The way into the kernel ---- */

/*
 * A SYSCALL or SYSENTER of the Guest's would enter the Host's kernel in ring 0 on the Guest's page
 * tables (S1). EFER is read each time: its other bits are not ours, and KVM switches SVM on and off
 * by an interrupt.
 *
 * Where KVM reads EFER by an interrupt, SYSCALL is barred at each entry instead, while interrupts
 * are off (lg_world_enter()).
 */
void lg_bar_entry_points(struct lg_world *world)
{
	unsigned long flags;

	local_irq_save(flags);
	if (!lg_kvm_reads_efer)
		lg_bar_syscall(world);
	rdmsrq(MSR_IA32_SYSENTER_CS, world->sysenter_cs);
	wrmsrq(MSR_IA32_SYSENTER_CS, 0);
	local_irq_restore(flags);
}

/* The host's again (S5): also its kernel reads them, as KVM does for what comes after its guests. */
void lg_unbar_entry_points(const struct lg_world *world)
{
	unsigned long flags;

	local_irq_save(flags);
	if (!lg_kvm_reads_efer)
		lg_unbar_syscall(world);
	wrmsrq(MSR_IA32_SYSENTER_CS, world->sysenter_cs);
	local_irq_restore(flags);
}

/*
 * Where VMX cannot switch EFER (SDM vol. 3, appendix A.5), KVM does so. What the host has it reads by
 * an interrupt when its first machine is made; this CPU gets it back after each KVM guest. If SCE were
 * clear in it, the next system call's SYSRET would be a #UD in ring 0.
 */
static bool kvm_reads_efer(void)
{
	u64 entry_controls;

	if (!boot_cpu_has(X86_FEATURE_VMX) || rdmsrq_safe(MSR_IA32_VMX_ENTRY_CTLS, &entry_controls))
		return false;
	return !(entry_controls >> 32 & VM_ENTRY_LOAD_IA32_EFER);
}

/* ---- FPU and what goes with it ---- */

unsigned int lg_fpu_bytes(void)
{
	return roundup_pow_of_two(fpu_size);
}

/*
 * An FPU as after reset: all in its initial state but MXCSR, which XRSTOR takes
 * from memory in any case.
 */
struct xregs_state *lg_fpu_new(void)
{
	/*
	 * XSAVE wants 64-byte alignment; a power of two is aligned to itself.
	 */
	struct xregs_state *fpu =
		kzalloc(lg_fpu_bytes(), GFP_KERNEL_ACCOUNT);

	if (fpu)
		fpu->i387.mxcsr = MXCSR_DEFAULT;
	return fpu;
}

/* SDM vol. 1, 13.3: whatever else is set is a fault. */
static bool xcr0_valid(u64 xcr0)
{
	const u64 mpx = XFEATURE_MASK_BNDREGS | XFEATURE_MASK_BNDCSR;
	const u64 known = XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM | mpx |
			  XFEATURE_MASK_AVX512 | XFEATURE_MASK_PKRU;

	if (xcr0 & ~(known & lg_host_xcr0) || !(xcr0 & XFEATURE_MASK_FP))
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

/* ---- The module ---- */

/* At module load: what is the same for all vCPUs. */
void lg_world_module_init(void)
{
	u32 eax, ebx, ecx, edx;
	struct desc_ptr idt;
	gate_desc *gates;
	u64 value;

	lg_make_t_idt();

	/* All CPUs have the same. */
	store_idt(&idt);
	gates = (gate_desc *)idt.address;
	lg_host_has_int80 = gates[IA32_SYSCALL_VECTOR].bits.dpl == 3;

	/* PKRU is switched apart; tiles cannot be used outside 64-bit mode. */
	lg_host_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	lg_fpu_mask = lg_host_xcr0 & ~(XFEATURE_MASK_PKRU | XFEATURE_MASK_XTILE);
	cpuid_count(CPUID_XSTATE, 0, &eax, &ebx, &ecx, &edx);
	fpu_size = ebx;

	if (boot_cpu_data.x86_vendor == X86_VENDOR_INTEL &&
	    boot_cpu_has(X86_FEATURE_DS) &&
	    !rdmsrq_safe(MSR_IA32_DEBUGCTLMSR, &value)) {
		lg_has_debug_store = true;
		lg_has_pebs = !rdmsrq_safe(MSR_IA32_PEBS_ENABLE, &value);
	}
	lg_kvm_reads_efer = kvm_reads_efer();
	if (lg_has_debug_store || lg_kvm_reads_efer)
		static_branch_enable(&lg_switches_msrs);

	lg_kvm_module_init();
}
