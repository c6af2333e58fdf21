// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls: what a Guest kernel asks of the Host
 * (arch/x86/include/uapi/asm/lguest.h). The one place where their numbers and
 * arguments are checked (M6). There are no error codes: a wild argument ends
 * the Guest with a sentence.
 */
#include <linux/ktime.h>
#include <linux/nospec.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/tsc.h>

#include "watch.h"

/* The arguments of a call, EBX, ECX, EDX and ESI: words in registers that have room for more. */
#define ARG(n) ((u32)arg[n])

struct hypercall {
	enum lg_next (*handle)(struct lg_cpu *cpu, const u64 *arg);
	const char *name;
};

/* Where struct lguest_data keeps a field. */
#define DATA_GPA(cpu, field) \
	((cpu)->data_gpa + offsetof(struct lguest_data, field))

static enum lg_next data_gone(struct lg_cpu *cpu)
{
	return lg_kill(
		cpu,
		"its struct lguest_data at %#llx cannot be reached any more",
		cpu->data_gpa);
}

static enum lg_next hc_flush_async(struct lg_cpu *cpu, const u64 *arg)
{
	/* The ring was worked off before. */
	return LG_RUN;
}

/*
 * What the Guest has behind its struct lguest_data, if it has anything there: an older one's memory
 * simply goes on.
 */
static enum lg_next read_extension(struct lg_cpu *cpu, u64 gpa)
{
	struct lguest_extension extension;
	u32 features = LGUEST_FEATURE_IRQ_VECTOR;

	if (!lg_gpa_ok(cpu->lg, gpa, sizeof(extension)) ||
	    lg_read_gpa(cpu, gpa, &extension, sizeof(extension)) ||
	    extension.magic[0] != LGUEST_EXTENSION_MAGIC_0 ||
	    extension.magic[1] != LGUEST_EXTENSION_MAGIC_1 || !extension.version)
		return LG_RUN;
	if (extension.first_irq_vector < LGUEST_FIRST_IRQ_VECTOR ||
	    extension.first_irq_vector > LG_IDT_ENTRIES - LGUEST_IRQ_LINES)
		return lg_kill(cpu, "LGUEST_INIT with interrupt lines from vector %#x",
			       extension.first_irq_vector);
	if (lg_write_gpa(cpu, gpa + offsetof(struct lguest_extension, features), &features,
			 sizeof(features)))
		return lg_kill(cpu, "LGUEST_INIT with an extension at %#llx, which cannot be written",
			       gpa);
	cpu->first_irq_vector = extension.first_irq_vector;
	return LG_RUN;
}

static enum lg_next hc_init(struct lg_cpu *cpu, const u64 *arg)
{
	struct timespec64 now;
	struct lguest_data data;
	enum lg_next next;
	u64 gpa = ARG(0);

	if (cpu->data_gpa)
		return lg_kill(cpu, "LGUEST_INIT a second time");
	/*
	 * 0 would mean "not yet"; no kernel puts it there, as the boot
	 * parameters are.
	 */
	if (!gpa || !lg_gpa_ok(cpu->lg, gpa, sizeof(data)))
		return lg_kill(
			cpu,
			"LGUEST_INIT with lguest_data at %#llx, outside memory",
			gpa);
	if (lg_read_gpa(cpu, gpa, &data, sizeof(data)))
		return lg_kill(
			cpu,
			"LGUEST_INIT with lguest_data at %#llx, which cannot be read",
			gpa);
	if (data.syscall_vec > 255)
		return lg_kill(cpu, "LGUEST_INIT with system call vector %u",
			       data.syscall_vec);

	cpu->noirq_iret = data.noirq_iret;
	cpu->kernel_address = data.kernel_address;
	cpu->syscall_vec = data.syscall_vec;
	ktime_get_real_ts64(&now);
	data.time[0] = now.tv_sec;
	data.time[1] = now.tv_nsec;
	data.tsc_khz = check_tsc_unstable() ? 0 : tsc_khz;
	data.reserve_mem = 0;
	if (lg_write_gpa(cpu, gpa + offsetof(struct lguest_data, time),
			 data.time, sizeof(data.time)) ||
	    lg_write_gpa(cpu, gpa + offsetof(struct lguest_data, tsc_khz),
			 &data.tsc_khz, sizeof(data.tsc_khz)) ||
	    lg_write_gpa(cpu, gpa + offsetof(struct lguest_data, reserve_mem),
			 &data.reserve_mem, sizeof(data.reserve_mem)))
		return lg_kill(
			cpu,
			"LGUEST_INIT with lguest_data at %#llx, which cannot be written",
			gpa);
	next = read_extension(cpu, gpa + sizeof(data));
	if (!cpu->no_memory)
		cpu->data_gpa = gpa;
	return next;
}

static enum lg_next hc_shutdown(struct lg_cpu *cpu, const u64 *arg)
{
	char message[LGUEST_SHUTDOWN_MESSAGE_MAX];
	unsigned int i;

	for (i = 0; i < sizeof(message) - 1; i++) {
		if (!lg_gpa_ok(cpu->lg, (u64)ARG(0) + i, 1) ||
		    lg_read_gpa(cpu, (u64)ARG(0) + i, &message[i], 1))
			return lg_kill(
				cpu,
				"SHUTDOWN with a message at %#x, outside memory",
				ARG(0));
		if (!message[i])
			break;
		/*
		 * It may be shown on a terminal, whose control the Guest shall
		 * not have.
		 */
		if ((u8)message[i] < ' ' || message[i] == 0x7f)
			message[i] = message[i] == '\n' || message[i] == '\t' ?
					     ' ' :
					     '?';
	}
	message[i] = 0;
	return lg_shutdown(cpu, ARG(1), message);
}

static enum lg_next hc_new_pgtable(struct lg_cpu *cpu, const u64 *arg)
{
	if (!lg_gpa_ok(cpu->lg, ARG(0), sizeof(u64)))
		return lg_kill(
			cpu,
			"NEW_PGTABLE with a page directory at %#x, outside memory",
			ARG(0));
	if (lg_shadow_load_cr3(cpu, ARG(0), false))
		return lg_kill(
			cpu,
			"NEW_PGTABLE with a page directory at %#x that the processor would refuse",
			ARG(0));
	return LG_RUN;
}

static enum lg_next hc_flush_tlb(struct lg_cpu *cpu, const u64 *arg)
{
	if (ARG(0))
		lg_shadow_flush_all(cpu);
	else
		lg_shadow_flush_user(cpu);
	return LG_RUN;
}

static enum lg_next hc_load_idt_entry(struct lg_cpu *cpu, const u64 *arg)
{
	u64 gate = (u64)ARG(2) << 32 | ARG(1);
	bool present = ARG(2) & 0x8000;
	u8 type = (ARG(2) >> 8) & 0x1f;

	if (ARG(0) >= LG_IDT_ENTRIES)
		return lg_kill(cpu, "LOAD_IDT_ENTRY with vector %u", ARG(0));
	/*
	 * Never the Guest's: NMI, double fault, the reserved one, and the
	 * vector of hypercalls.
	 */
	if (ARG(0) == X86_TRAP_NMI || ARG(0) == X86_TRAP_DF ||
	    ARG(0) == X86_TRAP_SPURIOUS || ARG(0) == LGUEST_TRAP_ENTRY)
		return LG_RUN;
	if (present && type != 0xe && type != 0xf)
		return lg_kill(
			cpu,
			"LOAD_IDT_ENTRY for vector %u with a gate of type %#x",
			ARG(0), type);
	cpu->idt_in_memory = false;
	lg_quick_forget(cpu);
	cpu->idt[ARG(0)] = present ? gate : 0;
	return LG_RUN;
}

static enum lg_next hc_set_stack(struct lg_cpu *cpu, const u64 *arg)
{
	/* Level 0 or 1: the Guest's kernel, whichever it believes in. */
	if (ARG(0) > 0xffff || (ARG(0) & 3) > 1)
		return lg_kill(cpu, "SET_STACK with stack segment %#x", ARG(0));
	if (ARG(2) > 2)
		return lg_kill(cpu, "SET_STACK with %u stack pages", ARG(2));
	lg_quick_forget(cpu);
	cpu->ss1 = ARG(0);
	cpu->esp1 = ARG(1);
	return LG_RUN;
}

static enum lg_next hc_ts(struct lg_cpu *cpu, const u64 *arg)
{
	cpu->no_fpu = (cpu->no_fpu & LG_CR0_EM) | (ARG(0) ? LG_CR0_TS : 0);
	return LG_RUN;
}

static enum lg_next hc_set_clockevent(struct lg_cpu *cpu, const u64 *arg)
{
	lg_timer_set(cpu, ARG(0));
	return LG_RUN;
}

static enum lg_next hc_halt(struct lg_cpu *cpu, const u64 *arg)
{
	/* As "sti; hlt": whatever comes in between is not lost. */
	lg_set_virtual_if(cpu, true);
	cpu->halted = true;
	return LG_RUN;
}

static enum lg_next hc_set_pmd(struct lg_cpu *cpu, const u64 *arg)
{
	if (ARG(1) > 511)
		return lg_kill(cpu, "SET_PMD with index %u", ARG(1));
	lg_shadow_set_pmd(cpu, ARG(0), ARG(1));
	return LG_RUN;
}

static enum lg_next hc_set_pte(struct lg_cpu *cpu, const u64 *arg)
{
	/* Without PAE there is no high word, whatever the register holds. */
	u64 high = cpu->paging.format == LG_FMT_2LEVEL ? 0 : ARG(3);

	lg_shadow_set_pte(cpu, ARG(0), ARG(1), high << 32 | ARG(2));
	return LG_RUN;
}

static enum lg_next hc_set_pgd(struct lg_cpu *cpu, const u64 *arg)
{
	if (ARG(1) > 1023)
		return lg_kill(cpu, "SET_PGD with index %u", ARG(1));
	lg_shadow_set_pgd(cpu, ARG(0), ARG(1));
	return LG_RUN;
}

static enum lg_next hc_load_tls(struct lg_cpu *cpu, const u64 *arg)
{
	u64 tls[3];
	unsigned int i;

	if (!lg_gpa_ok(cpu->lg, ARG(0), sizeof(tls)) ||
	    lg_read_gpa(cpu, ARG(0), tls, sizeof(tls)))
		return lg_kill(
			cpu, "LOAD_TLS with descriptors at %#x, outside memory",
			ARG(0));
	for (i = 0; i < ARRAY_SIZE(tls); i++)
		lg_segment_set(cpu, GDT_ENTRY_GUEST_TLS + i, tls[i]);
	return LG_RUN;
}

static enum lg_next hc_notify(struct lg_cpu *cpu, const u64 *arg)
{
	cpu->exit = (struct lguest_exit){ .reason = LGUEST_EXIT_NOTIFY,
					  .gpa = ARG(0) };
	return LG_LAUNCHER;
}

static enum lg_next hc_load_gdt_entry(struct lg_cpu *cpu, const u64 *arg)
{
	if (ARG(0) >= LG_SEG_GDT_ENTRIES)
		return lg_kill(cpu, "LOAD_GDT_ENTRY with index %u", ARG(0));
	/*
	 * System descriptors are not for the Guest to load: its TSS, LDT and
	 * double-fault TSS slots.
	 */
	if (ARG(0) == 16 || ARG(0) == 17 || ARG(0) == 31)
		return LG_RUN;
	lg_segment_set(cpu, ARG(0), (u64)ARG(2) << 32 | ARG(1));
	return LG_RUN;
}

static enum lg_next hc_send_interrupts(struct lg_cpu *cpu, const u64 *arg)
{
	/* The run loop delivers before each entry. */
	return LG_RUN;
}

static const struct hypercall hypercalls[] = {
	[LHCALL_FLUSH_ASYNC] = { hc_flush_async, "FLUSH_ASYNC" },
	[LHCALL_LGUEST_INIT] = { hc_init, "LGUEST_INIT" },
	[LHCALL_SHUTDOWN] = { hc_shutdown, "SHUTDOWN" },
	[LHCALL_NEW_PGTABLE] = { hc_new_pgtable, "NEW_PGTABLE" },
	[LHCALL_FLUSH_TLB] = { hc_flush_tlb, "FLUSH_TLB" },
	[LHCALL_LOAD_IDT_ENTRY] = { hc_load_idt_entry, "LOAD_IDT_ENTRY" },
	[LHCALL_SET_STACK] = { hc_set_stack, "SET_STACK" },
	[LHCALL_TS] = { hc_ts, "TS" },
	[LHCALL_SET_CLOCKEVENT] = { hc_set_clockevent, "SET_CLOCKEVENT" },
	[LHCALL_HALT] = { hc_halt, "HALT" },
	[LHCALL_SET_PMD] = { hc_set_pmd, "SET_PMD" },
	[LHCALL_SET_PTE] = { hc_set_pte, "SET_PTE" },
	[LHCALL_SET_PGD] = { hc_set_pgd, "SET_PGD" },
	[LHCALL_LOAD_TLS] = { hc_load_tls, "LOAD_TLS" },
	[LHCALL_NOTIFY] = { hc_notify, "NOTIFY" },
	[LHCALL_LOAD_GDT_ENTRY] = { hc_load_gdt_entry, "LOAD_GDT_ENTRY" },
	[LHCALL_SEND_INTERRUPTS] = { hc_send_interrupts, "SEND_INTERRUPTS" },
};

/**
 * lg_hypercall_name() - a hypercall by name
 * @nr: any
 *
 * Return: as in LHCALL_*, or NULL.
 */
const char *lg_hypercall_name(unsigned int nr)
{
	return nr < ARRAY_SIZE(hypercalls) ? hypercalls[nr].name : NULL;
}

/*
 * Apart from do_hypercall(), so that nothing has to outlive the tracepoint's call there: when it is
 * off, it is one instruction.
 */
static noinline enum lg_next do_traced(struct lg_cpu *cpu, const u64 *arg, u32 number, bool ring)
{
	trace_lguest_hypercall(cpu, number, arg, ring);
	return hypercalls[number].handle(cpu, arg);
}

/* ring: it was asked for in the asynchronous ring. */
static __always_inline enum lg_next do_hypercall(struct lg_cpu *cpu, u32 number, const u64 *arg,
						 bool ring)
{
	if (number >= ARRAY_SIZE(hypercalls))
		return lg_kill(cpu, "unknown hypercall %u", number);
	number = array_index_nospec(number, ARRAY_SIZE(hypercalls));
	if (!hypercalls[number].handle)
		return lg_kill(cpu, "unknown hypercall %u", number);
	lg_watch_hypercall(cpu, number, ring);
	if (lg_traced())
		return do_traced(cpu, arg, number, ring);
	return hypercalls[number].handle(cpu, arg);
}

/*
 * Nearly always nothing waits in the ring, and one byte says so. This is on the
 * way of every hypercall: so it is read here and not through lg_read_gpa(),
 * which do_async() does if there is any doubt. data_gpa has been checked and
 * lies in the memory of the current task, or the read fails.
 */
static __always_inline bool ring_is_idle(struct lg_cpu *cpu)
{
	const struct lguest_data __user *data =
		(void __user *)(cpu->lg->base + cpu->data_gpa);
	u8 status = LGUEST_HCALL_WAITING;
	int err;

	pagefault_disable();
	err = __get_user(status, &data->hcall_status[cpu->next_hcall]);
	pagefault_enable();
	return !err && status != LGUEST_HCALL_WAITING;
}

/* The call of the ring before the cursor is done. */
static bool tell_done(struct lg_cpu *cpu)
{
	unsigned int at = (cpu->next_hcall + LGUEST_HCALL_RING - 1) % LGUEST_HCALL_RING;
	const u8 done = LGUEST_HCALL_FREE;

	cpu->call_untold = lg_write_gpa(cpu, DATA_GPA(cpu, hcall_status[at]), &done, sizeof(done));
	return !cpu->call_untold;
}

/*
 * Works off the asynchronous ring: the calls that waited when the status bytes
 * were copied, in order from our own cursor on. At most one round, however fast
 * the Guest or its Launcher puts new ones in.
 */
static enum lg_next do_async(struct lg_cpu *cpu)
{
	u8 status[LGUEST_HCALL_RING];
	struct lguest_hcall call;
	enum lg_next next;
	unsigned int i, j, at;
	u64 arg[4];

	if (lg_read_gpa(cpu, DATA_GPA(cpu, hcall_status), status,
			sizeof(status)))
		return data_gone(cpu);
	for (i = 0; i < LGUEST_HCALL_RING; i++) {
		at = cpu->next_hcall;
		if (status[at] != LGUEST_HCALL_WAITING)
			break;
		if (lg_read_gpa(cpu, DATA_GPA(cpu, hcalls[at]), &call,
				sizeof(call)))
			return data_gone(cpu);
		for (j = 0; j < ARRAY_SIZE(arg); j++)
			arg[j] = call.arg[j];
		next = do_hypercall(cpu, call.number, arg, true);
		if (cpu->no_memory)
			return LG_LAUNCHER;
		cpu->next_hcall = (at + 1) % LGUEST_HCALL_RING;
		if (!tell_done(cpu))
			return data_gone(cpu);
		if (next != LG_RUN)
			return next;
	}
	return LG_RUN;
}

/* Before LGUEST_INIT, and when something waits in the ring. */
static noinline enum lg_next hypercall_slow(struct lg_cpu *cpu, const struct lg_regs *regs)
{
	u32 number = regs->ax;
	enum lg_next next;

	if (cpu->data_gpa) {
		next = do_async(cpu);
		if (next != LG_RUN) {
			cpu->hypercall_waits = true;
			return next;
		}
	} else if (number != LHCALL_LGUEST_INIT && lg_hypercall_name(number)) {
		return lg_kill(cpu, "hypercall %u (%s) before LGUEST_INIT", number,
			       lg_hypercall_name(number));
	}
	return do_hypercall(cpu, number, &regs->bx, false);
}

/**
 * lg_hypercall() - the hypercall in the Guest's registers, after those that wait in its ring
 * @cpu: vCPU of the running task, in Guest kernel mode behind its INT
 *
 * If one of the ring leaves something for the Launcher, the rest and the call itself wait for the
 * next read().
 *
 * Context: may sleep.
 */
enum lg_next lg_hypercall(struct lg_cpu *cpu)
{
	const struct lg_regs *regs = &cpu->state->regs;

	/* The arguments are where a call finds them. */
	BUILD_BUG_ON(offsetof(struct lg_regs, si) - offsetof(struct lg_regs, bx) != 3 * sizeof(u64));

	if (unlikely(!cpu->data_gpa || !ring_is_idle(cpu)))
		return hypercall_slow(cpu, regs);
	return do_hypercall(cpu, regs->ax, &regs->bx, false);
}

/**
 * lg_hypercall_again() - go on with the hypercall that waits
 * @cpu: vCPU of the running task, for which cpu->hypercall_waits
 *
 * Context: may sleep.
 */
enum lg_next lg_hypercall_again(struct lg_cpu *cpu)
{
	enum lg_next next = LG_LAUNCHER;

	cpu->hypercall_waits = false;
	if (!cpu->call_untold || tell_done(cpu))
		next = lg_hypercall(cpu);
	else
		data_gone(cpu);
	if (cpu->no_memory && !cpu->exit.reason)
		cpu->hypercall_waits = true;
	return next;
}
