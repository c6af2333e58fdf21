// SPDX-License-Identifier: GPL-2.0
/*
 * The host's CPUs: the way into the kernel by SYSCALL and SYSENTER, barred while a vCPU is loaded
 * (S1, S5); what FPU state there is, and which of it a Guest may switch on; what writes through
 * linear addresses by itself. Found out once, at module load; world.c goes by it at each entry.
 */
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>

#include "under_kvm.h"
#include "world.h"

/* The leaf of CPUID that tells of XSAVE. */
#define CPUID_XSTATE 0xd

u64 lg_host_xcr0, lg_fpu_mask;
static unsigned int fpu_size;
DEFINE_STATIC_KEY_FALSE(lg_has_debug_store);
bool lg_has_pebs;

/* ---- The way into the kernel ---- */

/*
 * A SYSCALL or SYSENTER of the Guest's would enter the Host's kernel in ring 0 on the Guest's page
 * tables (S1). EFER is read each time: its other bits are not ours, and KVM switches SVM on and off
 * by an interrupt.
 */
void lg_bar_entry_points(struct lg_world *world)
{
	unsigned long flags;
	u64 efer;

	local_irq_save(flags);
	rdmsrq(MSR_EFER, efer);
	rdmsrq(MSR_IA32_SYSENTER_CS, world->sysenter_cs);
	world->efer_sce = efer & EFER_SCE;
	wrmsrq(MSR_EFER, efer & ~EFER_SCE);
	wrmsrq(MSR_IA32_SYSENTER_CS, 0);
	local_irq_restore(flags);
}

/* The host's again (S5): also its kernel reads them, as KVM does for what comes after its guests. */
void lg_unbar_entry_points(const struct lg_world *world)
{
	unsigned long flags;
	u64 efer;

	local_irq_save(flags);
	rdmsrq(MSR_EFER, efer);
	wrmsrq(MSR_EFER, efer | world->efer_sce);
	wrmsrq(MSR_IA32_SYSENTER_CS, world->sysenter_cs);
	local_irq_restore(flags);
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
	u64 value;

	lg_make_t_idt();

	/* PKRU is switched apart; tiles cannot be used outside 64-bit mode. */
	lg_host_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	lg_fpu_mask = lg_host_xcr0 & ~(XFEATURE_MASK_PKRU | XFEATURE_MASK_XTILE);
	cpuid_count(CPUID_XSTATE, 0, &eax, &ebx, &ecx, &edx);
	fpu_size = ebx;

	if (boot_cpu_data.x86_vendor == X86_VENDOR_INTEL &&
	    boot_cpu_has(X86_FEATURE_DS) &&
	    !rdmsrq_safe(MSR_IA32_DEBUGCTLMSR, &value)) {
		lg_has_pebs = !rdmsrq_safe(MSR_IA32_PEBS_ENABLE, &value);
		static_branch_enable(&lg_has_debug_store);
	}

	lg_kvm_module_init();
}
