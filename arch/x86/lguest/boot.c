// SPDX-License-Identifier: GPL-2.0
/*
 * The Guest's beginning and end: it finds itself at PAGE_OFFSET with the Host told (entry_32.S),
 * puts its own instructions in the place of those that do not work in ring 3, says which parts of a
 * PC are not there, and starts the kernel as on any machine. Everything that is not said here
 * traps, and the Host does what a processor would.
 */
#include <linux/export.h>
#include <linux/init.h>
#include <linux/panic_notifier.h>
#include <linux/pm.h>
#include <linux/reboot.h>
#include <linux/start_kernel.h>
#include <asm/cpufeature.h>
#include <asm/i8259.h>
#include <asm/irq_vectors.h>
#include <asm/paravirt.h>
#include <asm/pci_x86.h>
#include <asm/processor.h>
#include <asm/reboot.h>
#include <asm/setup.h>
#include <asm/x86_init.h>

#include "lguest.h"

/* entry_32.S comes here in the place of i386_start_kernel(). */
asmlinkage void __init lguest_start(void);

struct lguest_data lguest_data __aligned(PAGE_SIZE) = {
	.blocked_interrupts = ~0U,
	.hcall_status = { [0 ... LGUEST_HCALL_RING - 1] = LGUEST_HCALL_FREE },
	.kernel_address = PAGE_OFFSET,
	.syscall_vec = IA32_SYSCALL_VECTOR,
};
EXPORT_SYMBOL(lguest_data);

/**
 * lguest_hcall_later() - a hypercall that is done with the next one, or sooner
 * @number: LHCALL_*
 * @arg1: the first of its arguments; they are looked at when it is done
 * @arg2: ...
 * @arg3: ...
 * @arg4: ...
 *
 * Context: any.
 */
void lguest_hcall_later(u32 number, u32 arg1, u32 arg2, u32 arg3, u32 arg4)
{
	static unsigned int next;
	unsigned long flags;

	local_irq_save(flags);
	if (READ_ONCE(lguest_data.hcall_status[next]) != LGUEST_HCALL_FREE) {
		/* No room; the Host does those in the ring first. */
		lguest_hcall(number, arg1, arg2, arg3, arg4);
	} else {
		lguest_data.hcalls[next] =
			(struct lguest_hcall){ number, { arg1, arg2, arg3, arg4 } };
		barrier();
		WRITE_ONCE(lguest_data.hcall_status[next], LGUEST_HCALL_WAITING);
		next = (next + 1) % LGUEST_HCALL_RING;
	}
	local_irq_restore(flags);
}

/* In entry_32.S; irqflags.h calls them from modules, too. */
EXPORT_SYMBOL(lguest_irq_enable);
EXPORT_SYMBOL(lguest_safe_halt);

/* ---- The end ---- */

static void __noreturn shut_down(const char *message, u32 how)
{
	lguest_hcall(LHCALL_SHUTDOWN, __pa(message), how, 0, 0);
	unreachable();
}

static void lguest_power_off(void)
{
	shut_down("Power down", LGUEST_SHUTDOWN_POWEROFF);
}

static void lguest_restart(char *command)
{
	shut_down("Restarting system", LGUEST_SHUTDOWN_RESTART);
}

static void lguest_emergency_restart(void)
{
	lguest_restart(NULL);
}

static int lguest_panic(struct notifier_block *nb, unsigned long event, void *message)
{
	/* Neither a power-off nor a restart: a crash. */
	shut_down(message, 0);
	return NOTIFY_DONE;
}

static struct notifier_block panic_block = {
	.notifier_call = lguest_panic,
	/* All others have said what they have to say. */
	.priority = INT_MIN,
};

/* ---- The machine ---- */

/* What CPUID tells of, as it does not trap, and the Host does not give. */
static void __init clear_cpu_caps(void)
{
	static const u16 absent[] __initconst = {
		/* Entry by INT 0x80 costs less than by a trapped SYSENTER. */
		X86_FEATURE_SEP,
		X86_FEATURE_SYSENTER32,
		X86_FEATURE_APIC,
		X86_FEATURE_X2APIC,
		X86_FEATURE_TSC_DEADLINE_TIMER,
		X86_FEATURE_ACPI,
		X86_FEATURE_MTRR,
		X86_FEATURE_MCE,
		X86_FEATURE_MCA,
		X86_FEATURE_MWAIT,
		X86_FEATURE_WAITPKG,
		X86_FEATURE_PCID,
		X86_FEATURE_INVPCID,
		X86_FEATURE_SMEP,
		X86_FEATURE_SMAP,
		X86_FEATURE_UMIP,
		X86_FEATURE_FSGSBASE,
		X86_FEATURE_PKU,
		X86_FEATURE_OSPKE,
		X86_FEATURE_XSAVES,
		X86_FEATURE_DS,
		X86_FEATURE_DTES64,
		X86_FEATURE_ARCH_PERFMON,
		X86_FEATURE_PERFCTR_CORE,
		X86_FEATURE_PERFCTR_NB,
		X86_FEATURE_IBS,
		X86_FEATURE_VMX,
		X86_FEATURE_SVM,
		/*
		 * Errata whose cure is the Host's business: IRET, and the clock of an idle AMD
		 * processor.
		 */
		X86_BUG_ESPFIX,
		X86_BUG_AMD_E400,
		X86_FEATURE_ARCH_CAPABILITIES,
		X86_FEATURE_CORE_CAPABILITIES,
		X86_FEATURE_SPLIT_LOCK_DETECT,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(absent); i++)
		setup_clear_cpu_cap(absent[i]);
}

static void __init legacy_absent(void)
{
	x86_platform.legacy.i8042 = X86_LEGACY_I8042_PLATFORM_ABSENT;
	x86_platform.legacy.rtc = 0;
	x86_platform.legacy.warm_reset = 0;
	x86_platform.legacy.devices.pnpbios = 0;
}

static void __init setup_machine(void)
{
	x86_platform.set_legacy_features = legacy_absent;
	x86_platform.realmode_reserve = x86_init_noop;
	x86_platform.realmode_init = x86_init_noop;
	x86_init.resources.probe_roms = x86_init_noop;
	x86_init.resources.dmi_setup = x86_init_noop;
	x86_init.mpparse.find_smp_config = x86_init_noop;
	x86_init.mpparse.get_smp_config = x86_init_uint_noop;
	pv_info.name = "lguest";
	pv_ops.cpu.io_delay = paravirt_nop;
	lguest_init_irqs();
	lguest_init_time();
	lguest_init_mmu();

	pm_power_off = lguest_power_off;
	machine_ops.restart = lguest_restart;
	machine_ops.emergency_restart = lguest_emergency_restart;
	atomic_notifier_chain_register(&panic_notifier_list, &panic_block);
}

/* ---- The beginning ---- */

extern struct alt_instr __alt_instructions[], __alt_instructions_end[];

/*
 * Before any of the instructions that are replaced is executed. The kernel will do it again with
 * the other alternatives, which makes no difference.
 */
static void __init use_own_instructions(void)
{
	struct alt_instr *alt;

	set_cpu_cap(&boot_cpu_data, X86_FEATURE_LGUEST_GUEST);
	setup_force_cpu_cap(X86_FEATURE_LGUEST_GUEST);
	for (alt = __alt_instructions; alt < __alt_instructions_end; alt++) {
		if (alt->cpuid == X86_FEATURE_LGUEST_GUEST)
			apply_alternatives(alt, alt + 1);
	}
	arch_local_irq_disable();
}

asmlinkage void __init lguest_start(void)
{
	BUILD_BUG_ON(offsetof(struct lguest_data, irq_enabled) != 0);
	BUILD_BUG_ON(offsetof(struct lguest_data, irq_pending) != 20);

	use_own_instructions();
	clear_cpu_caps();
	setup_machine();
	i386_start_kernel();
}
