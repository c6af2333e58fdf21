// SPDX-License-Identifier: GPL-2.0
/*
 * What the machine must offer before a Guest may run on it, asked once, when
 * the module is loaded. Whatever makes the world switch unsafe or impossible on
 * this machine is refused here, with a sentence that names it; nothing after
 * this asks again.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cc_platform.h>
#include <linux/errno.h>
#include <linux/printk.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>
#include <asm/special_insns.h>
#include <xen/xen.h>

#include "lg.h"

/* CR4.FRED, which the headers of older kernels do not know (SDM, 2.5). */
#define CR4_FRED BIT_ULL(32)

/**
 * lg_host_check() - may Guests run on this machine?
 *
 * Context: module load; sleeps nowhere.
 * Return: 0, or -ENODEV after one line in the log that says what is in the way.
 */
int lg_host_check(void)
{
	const char *why;
	u32 efer, efer_high;

	if (rdmsr_safe(MSR_EFER, &efer, &efer_high))
		efer = 0;

	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		why = "its spin locks sleep (PREEMPT_RT), also where no other task may run";
	else if (xen_pv_domain())
		why = "a Xen PV kernel does not own its descriptor and page tables";
	else if (!(efer & EFER_NX))
		why = "its page tables have no NX bit";
	else if (__read_cr4() & CR4_FRED)
		why = "FRED is on: it delivers no event through an IDT (boot with fred=off)";
	else if (cc_platform_has(CC_ATTR_GUEST_STATE_ENCRYPT) ||
		 boot_cpu_has(X86_FEATURE_TDX_GUEST))
		why = "exceptions of confidential machines (#VC, #VE) would come to the guest";
	else if (!boot_cpu_has(X86_FEATURE_XSAVE))
		why = "the CPU has no XSAVE";
	else
		return 0;

	pr_err("cannot run guests here: %s\n", why);
	return -ENODEV;
}
