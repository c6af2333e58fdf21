// SPDX-License-Identifier: GPL-2.0
/*
 * A Guest's birth and end, and its registers as the Launcher sees them.
 */
#include <linux/kernel.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "watch.h"

/* Flat 4 GiB segments of privilege level 1, accessed. */
#define BOOT_CODE 0x00cfbb000000ffffULL
#define BOOT_DATA 0x00cfb3000000ffffULL

/*
 * The state in which a Guest finds itself:
 * Documentation/virt/lguest/guest-interface.rst, "Start".
 */
static int reset(struct lg_cpu *cpu, u64 pgdir, u64 start)
{
	struct lg_state *state = cpu->state;

	cpu->virtual_if = true;
	cpu->first_irq_vector = LGUEST_FIRST_IRQ_VECTOR;
	lg_msr_reset(cpu);
	lg_segment_set(cpu, LGUEST_BOOT_CS / 8, BOOT_CODE);
	lg_segment_set(cpu, LGUEST_BOOT_DS / 8, BOOT_DATA);
	state->frame.cs = LGUEST_BOOT_CS | 3;
	state->frame.ss = LGUEST_BOOT_DS | 3;
	state->regs.ds = LGUEST_BOOT_DS;
	state->regs.es = LGUEST_BOOT_DS;
	state->frame.ip = start;

	cpu->paging.cr3 = pgdir;
	return lg_shadow_set_mode(cpu,
				  X86_CR0_PE | X86_CR0_WP | X86_CR0_PG |
					  X86_CR0_NE | X86_CR0_ET,
				  0, 0);
}

/**
 * lg_guest_init() - all that a Guest needs to run, in the state in which it
 * starts
 * @lg: not ready, locked
 * @base: address in the Launcher of Guest-physical 0
 * @pages: of memory
 * @pgdir: Guest-physical address of the boot page directory, inside memory
 * @start: of the first instruction
 *
 * The current task becomes the one that runs the vCPU.
 *
 * Return: 0, -ENOMEM, -EFAULT if memory cannot be used; then nothing is left of
 * the attempt.
 */
int lg_guest_init(struct lguest *lg, unsigned long base, unsigned long pages,
		  u64 pgdir, u64 start)
{
	struct lg_cpu *cpu = &lg->cpu;
	int err;

	lg_look_number(lg);
	err = lg_mem_init(lg, base, pages);
	if (err)
		return err;
	err = lg_shadow_init(lg);
	if (err)
		goto no_shadow;
	err = lg_world_init(cpu);
	if (err)
		goto no_world;
	err = reset(cpu, pgdir, start);
	if (err)
		goto no_world;
	lg_timer_init(cpu);
	cpu->task = get_task_struct(current);
	trace_lguest_create(lg, pgdir, start);
	lg_look_show(lg);
	return 0;

no_world:
	lg_shadow_destroy(lg);
	lg_world_destroy(cpu);
no_shadow:
	lg_mem_destroy(lg);
	memset(cpu->idt, 0, sizeof(cpu->idt));
	return err;
}

/*
 * The file is closed: nobody runs the vCPU any more, nobody can raise its
 * interrupts.
 */
void lg_guest_destroy(struct lguest *lg)
{
	struct lg_cpu *cpu = &lg->cpu;

	lg_events_destroy(lg);
	if (lg->ready) {
		trace_lguest_destroy(lg);
		lg_look_hide(lg);
		lg_timer_destroy(cpu);
		/* Who finds the Guest by its shadow may look at the rest until it is gone. */
		lg_shadow_destroy(lg);
		lg_world_destroy(cpu);
		lg_mem_destroy(lg);
		put_task_struct(cpu->task);
	}
	lg_look_put(lg);
}

/* ---- Registers ---- */

/*
 * Selectors of CS and SS have RPL 3 in the hardware; the Guest's kernel
 * believes in level 1.
 */
static u16 shown_selector(struct lg_cpu *cpu, u64 sel)
{
	return (sel & ~3) | (cpu->user ? 3 : 1);
}

static u64 *general_register(struct lg_cpu *cpu, u64 which)
{
	struct lg_regs *regs = &cpu->state->regs;
	struct lg_frame *frame = &cpu->state->frame;

	switch (which) {
	case LGUEST_REG_AX:
		return &regs->ax;
	case LGUEST_REG_BX:
		return &regs->bx;
	case LGUEST_REG_CX:
		return &regs->cx;
	case LGUEST_REG_DX:
		return &regs->dx;
	case LGUEST_REG_SI:
		return &regs->si;
	case LGUEST_REG_DI:
		return &regs->di;
	case LGUEST_REG_BP:
		return &regs->bp;
	case LGUEST_REG_SP:
		return &frame->sp;
	case LGUEST_REG_IP:
		return &frame->ip;
	}
	return NULL;
}

static u16 *data_selector(struct lg_cpu *cpu, u64 which)
{
	struct lg_regs *regs = &cpu->state->regs;

	switch (which) {
	case LGUEST_REG_DS:
		return &regs->ds;
	case LGUEST_REG_ES:
		return &regs->es;
	case LGUEST_REG_FS:
		return &regs->fs;
	case LGUEST_REG_GS:
		return &regs->gs;
	}
	return NULL;
}

/**
 * lg_get_register() - what the Guest would say that a register holds
 * @cpu: vCPU of the running task
 * @which: LGUEST_REG_*
 * @value: gets it
 *
 * Context: may sleep (the interrupt flag is in Guest memory).
 * Return: 0, or -EINVAL for an unknown register.
 */
int lg_get_register(struct lg_cpu *cpu, u64 which, u64 *value)
{
	struct lg_frame *frame = &cpu->state->frame;
	u64 *general = general_register(cpu, which);
	u16 *selector = data_selector(cpu, which);

	if (general) {
		/* The upper half of RSP is ours while the stack segment is a 16-bit one. */
		*value = (u32)*general;
		return 0;
	}
	if (selector) {
		*value = *selector;
		return 0;
	}
	switch (which) {
	case LGUEST_REG_FLAGS:
		*value = lg_guest_flags(cpu);
		return 0;
	case LGUEST_REG_CS:
		*value = shown_selector(cpu, frame->cs);
		return 0;
	case LGUEST_REG_SS:
		*value = shown_selector(cpu, frame->ss);
		return 0;
	case LGUEST_REG_CR0:
		*value = lg_guest_cr0(cpu);
		return 0;
	case LGUEST_REG_CR2:
		*value = cpu->cr2;
		return 0;
	case LGUEST_REG_CR3:
		*value = cpu->paging.cr3;
		return 0;
	case LGUEST_REG_CR4:
		*value = cpu->paging.cr4;
		return 0;
	case LGUEST_REG_LEVEL:
		*value = cpu->user ? 3 : 1;
		return 0;
	}
	return -EINVAL;
}

/**
 * lg_set_register() - change a register
 * @cpu: vCPU of the running task
 * @which: LGUEST_REG_*; control registers and the level can be read only
 * @value: a word of the Guest's
 *
 * Selectors need not be good: a bad one is found at the next entry and ends the
 * Guest, or becomes null.
 *
 * Context: may sleep.
 * Return: 0, or -EINVAL.
 */
int lg_set_register(struct lg_cpu *cpu, u64 which, u64 value)
{
	const u64 settable = X86_EFLAGS_CF | X86_EFLAGS_FIXED | X86_EFLAGS_PF |
			     X86_EFLAGS_AF | X86_EFLAGS_ZF | X86_EFLAGS_SF |
			     X86_EFLAGS_TF | X86_EFLAGS_IF | X86_EFLAGS_DF |
			     X86_EFLAGS_OF | X86_EFLAGS_AC | X86_EFLAGS_ID;
	u64 *general = general_register(cpu, which);
	u16 *selector = data_selector(cpu, which);

	if (value > U32_MAX)
		return -EINVAL;
	if (general) {
		*general = value;
		return 0;
	}
	if (which >= LGUEST_REG_CS && which <= LGUEST_REG_GS && value > U16_MAX)
		return -EINVAL;
	if (selector) {
		*selector = value;
		return 0;
	}
	switch (which) {
	case LGUEST_REG_FLAGS:
		if (value & ~settable)
			return -EINVAL;
		cpu->stepping = false;
		cpu->state->frame.flags = value;
		lg_set_virtual_if(cpu, value & X86_EFLAGS_IF);
		return 0;
	case LGUEST_REG_CS:
		cpu->state->frame.cs = value | 3;
		return 0;
	case LGUEST_REG_SS:
		cpu->state->frame.ss = value | 3;
		return 0;
	}
	return -EINVAL;
}

/* ---- The end ---- */

/* The bytes at the Guest's next instruction, as far as they can be read. */
static int code_bytes(struct lg_cpu *cpu, u8 *code, int max)
{
	struct lg_fault kept = cpu->fault;
	u64 gva = lg_linear_ip(cpu);
	int n;

	for (n = 0; n < max; n++) {
		if (lg_read_gva(cpu, (u32)(gva + n), &code[n], 1,
				cpu->user ? LG_PF_USER : 0))
			break;
	}
	cpu->fault = kept;
	return n;
}

/**
 * lg_kill() - the Guest has broken a rule and ends (G1)
 * @cpu: vCPU of the running task
 * @fmt: a sentence without its stop, which begins so that it can follow "The
 * guest ended: "
 *
 * The first end counts. The Launcher reads sentence, registers and code from
 * the next read(); the host's log gets one line, rate limited. What was found while the Host had no
 * memory (cpu->no_memory) does not count: it is done again.
 *
 * Context: may sleep.
 * Return: LG_LAUNCHER.
 */
enum lg_next lg_kill(struct lg_cpu *cpu, const char *fmt, ...)
{
	struct lg_state *state = cpu->state;
	struct lg_regs *r = &state->regs;
	struct lg_frame *f = &state->frame;
	char *text = cpu->exit.text;
	u8 code[16];
	va_list args;
	int n, bytes;

	/* For want of the Host's memory nobody ends. */
	if (cpu->lg->dead || cpu->no_memory)
		return LG_LAUNCHER;

	cpu->exit = (struct lguest_exit){ .reason = LGUEST_EXIT_DEATH };
	va_start(args, fmt);
	n = vscnprintf(text, LGUEST_TEXT_MAX, fmt, args);
	va_end(args);
	trace_lguest_death(cpu, text);
	pr_info_ratelimited("lguest: guest of %s[%d] ended: %s\n",
			    current->comm, task_pid_nr(current), text);

	bytes = code_bytes(cpu, code, sizeof(code));
	n += scnprintf(
		text + n, LGUEST_TEXT_MAX - n,
		"\nlevel %s  cs:eip %04x:%08x  eflags %08x  ss:esp %04x:%08x\n"
		"eax %08x  ebx %08x  ecx %08x  edx %08x\nesi %08x  edi %08x  ebp %08x\n"
		"ds %04x  es %04x  fs %04x  gs %04x\ncr0 %08x  cr2 %08x  cr3 %08x  cr4 %08x\ncode ",
		cpu->user ? "user" : "kernel", shown_selector(cpu, f->cs),
		(u32)f->ip, (u32)f->flags, shown_selector(cpu, f->ss),
		(u32)f->sp, (u32)r->ax, (u32)r->bx, (u32)r->cx, (u32)r->dx,
		(u32)r->si, (u32)r->di, (u32)r->bp, r->ds, r->es, r->fs, r->gs,
		lg_guest_cr0(cpu), cpu->cr2, (u32)cpu->paging.cr3,
		(u32)cpu->paging.cr4);
	if (bytes)
		n += scnprintf(text + n, LGUEST_TEXT_MAX - n, "%*ph", bytes,
			       code);
	else
		n += scnprintf(text + n, LGUEST_TEXT_MAX - n, "cannot be read");
	scnprintf(text + n, LGUEST_TEXT_MAX - n, "\n");
	/* Who sees it may read the text. */
	smp_store_release(&cpu->lg->dead, true);
	return LG_LAUNCHER;
}

/**
 * lg_shutdown() - the Guest has asked for its end
 * @cpu: vCPU of the running task
 * @how: LGUEST_SHUTDOWN_*, any other value is a crash
 * @message: of the Guest's, no longer than LGUEST_SHUTDOWN_MESSAGE_MAX with its
 * NUL
 *
 * Return: LG_LAUNCHER.
 */
enum lg_next lg_shutdown(struct lg_cpu *cpu, u32 how, const char *message)
{
	cpu->exit = (struct lguest_exit){ .reason = LGUEST_EXIT_SHUTDOWN,
					  .value = how };
	strscpy(cpu->exit.text, message, sizeof(cpu->exit.text));
	/* Who sees it may read the text. */
	smp_store_release(&cpu->lg->dead, true);
	return LG_LAUNCHER;
}
