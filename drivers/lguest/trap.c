// SPDX-License-Identifier: GPL-2.0
/*
 * Traps: exceptions and interrupts on their way into the Guest, as the processor would deliver them
 * (SDM vol. 3, chapter 6). Enters here: an exception from the run loop, a fault that the walk or
 * the emulation found, an interrupt line (lines.c). Leaves: the vCPU with another instruction
 * pointer, or a Guest that died with a sentence. What is common goes a short way (quick.h). Plain C
 * (env.h).
 *
 * What the Guest sees differs from the hardware in this, and only here and in the emulation of IRET
 * and RET:
 *
 *	- its kernel has privilege level 1 in pushed CS and SS, 3 in the hardware's;
 *	- the interrupt flag is virtual: in struct lguest_data once the Guest has one. The
 *	  hardware's is always set;
 *	- IOPL is virtual: what the Guest last loaded with IRET, shown in pushed frames, 0 for
 *	  PUSHF, which does not trap;
 *	- AC is cleared on the way from user to kernel level (pushed as it was): in ring 3 it would
 *	  mean something to a kernel.
 *
 * A delivery reads and checks everything first, writes the frame then and changes registers last.
 * So a fault on the way finds the vCPU as it was, and is delivered in its turn (SDM vol. 3, table
 * 6-5), at most to the triple fault that ends the Guest. And if the Host has no memory for what the
 * delivery reads or writes, it is put off: cpu->event.
 */
#include "env.h"
#include "quick.h"

/* Gate types (SDM vol. 3, table 3-2). */
#define GATE_TASK	0x5
#define GATE_INT16	0x6
#define GATE_TRAP16	0x7
#define GATE_INT32	0xe
#define GATE_TRAP32	0xf

/* Error code, EIP, CS, EFLAGS, ESP, SS. */
#define FRAME_WORDS	6

/* SDM vol. 3, table 6-1, and #VC and #SX of AMD's. */
#define HAS_ERROR_CODE	0x60227d00u
#define CONTRIBUTORY                                                                 \
	(1u << LG_TRAP_DE | 1u << LG_TRAP_TS | 1u << LG_TRAP_NP | 1u << LG_TRAP_SS | \
	 1u << LG_TRAP_GP)

/* What became of one attempt. */
enum outcome { DELIVERED, FAULTED, DEAD };

/**
 * lg_has_error_code() - does this exception push an error code?
 * @vector: any
 */
bool lg_has_error_code(unsigned int vector)
{
	return vector < LG_TRAPS && HAS_ERROR_CODE & 1u << vector;
}

/**
 * lg_trap_name() - an exception by name, for sentences
 * @vector: any
 */
const char *lg_trap_name(unsigned int vector)
{
	static const char *const names[LG_TRAPS] = {
		[LG_TRAP_DE] = "divide error (#DE, 0)",
		[LG_TRAP_DB] = "debug exception (#DB, 1)",
		[LG_TRAP_NMI] = "NMI (2)",
		[LG_TRAP_BP] = "breakpoint (#BP, 3)",
		[LG_TRAP_OF] = "overflow (#OF, 4)",
		[LG_TRAP_BR] = "bound range (#BR, 5)",
		[LG_TRAP_UD] = "invalid opcode (#UD, 6)",
		[LG_TRAP_NM] = "device not available (#NM, 7)",
		[LG_TRAP_DF] = "double fault (#DF, 8)",
		[LG_TRAP_TS] = "invalid TSS (#TS, 10)",
		[LG_TRAP_NP] = "segment not present (#NP, 11)",
		[LG_TRAP_SS] = "stack fault (#SS, 12)",
		[LG_TRAP_GP] = "general protection fault (#GP, 13)",
		[LG_TRAP_PF] = "page fault (#PF, 14)",
		[LG_TRAP_MF] = "FPU error (#MF, 16)",
		[LG_TRAP_AC] = "alignment check (#AC, 17)",
		[LG_TRAP_MC] = "machine check (#MC, 18)",
		[LG_TRAP_XM] = "SIMD error (#XM, 19)",
	};

	if (vector >= LG_TRAPS)
		return "interrupt";
	return names[vector] ? names[vector] : "reserved exception";
}

/**
 * lg_raise() - note an exception for the Guest
 * @cpu: the vCPU
 * @vector: not LG_TRAP_PF, whose address the walk knows
 * @error: its error code, 0 if it has none
 *
 * Return: -EFAULT.
 */
int lg_raise(struct lg_cpu *cpu, enum lg_trap vector, u32 error)
{
	cpu->fault = (struct lg_fault){
		.vector = vector,
		.has_error = lg_has_error_code(vector),
		.error = error,
	};
	return -EFAULT;
}

/* ---- Flags ---- */

/* A word of struct lguest_data. */
static int read_data(struct lg_cpu *cpu, size_t offset, void *to, size_t len)
{
	return lg_read_gpa(cpu, cpu->data_gpa + offset, to, len);
}

/* If the Launcher has taken the page away, the Guest finds out by itself. untold: LG_UNTOLD_*. */
static void write_data(struct lg_cpu *cpu, size_t offset, u32 value, u8 untold)
{
	if (!cpu->data_gpa)
		return;
	if (lg_write_gpa(cpu, cpu->data_gpa + offset, &value, sizeof(value)) && cpu->no_memory)
		cpu->untold |= untold;
}

bool lg_virtual_if(struct lg_cpu *cpu)
{
	u32 enabled;

	if (!cpu->data_gpa || cpu->untold & LG_UNTOLD_IF)
		return cpu->virtual_if;
	return !read_data(cpu, offsetof(struct lguest_data, irq_enabled), &enabled,
			  sizeof(enabled)) &&
	       enabled & LGUEST_IF;
}

void lg_set_virtual_if(struct lg_cpu *cpu, bool on)
{
	cpu->virtual_if = on;
	write_data(cpu, offsetof(struct lguest_data, irq_enabled), on ? LGUEST_IF : 0,
		   LG_UNTOLD_IF);
}

/**
 * lg_guest_flags() - EFLAGS as the Guest believes them to be
 * @cpu: the vCPU
 */
u32 lg_guest_flags(struct lg_cpu *cpu)
{
	u32 flags = cpu->state->frame.flags & (LG_FLAGS_GUEST | LG_FLAGS_NT);

	if (cpu->stepping)
		flags &= ~LG_FLAGS_TF;
	return flags | LG_FLAGS_FIXED | (u32)cpu->iopl << 12 |
	       (lg_virtual_if(cpu) ? LG_FLAGS_IF : 0);
}

/**
 * lg_load_flags() - load EFLAGS on behalf of the Guest's kernel
 * @cpu: the vCPU
 * @flags: as the Guest wrote them, VM clear
 *
 * Keeps S2: what the Guest does not have in the hardware stays virtual or is dropped (NT).
 */
void lg_load_flags(struct lg_cpu *cpu, u32 flags)
{
	lg_end_sti_shadow(cpu);
	cpu->state->frame.flags = (flags & LG_FLAGS_GUEST) | LG_FLAGS_IF | LG_FLAGS_FIXED;
	cpu->iopl = (flags & LG_FLAGS_IOPL) >> 12;
	lg_set_virtual_if(cpu, flags & LG_FLAGS_IF);
}

/**
 * lg_end_sti_shadow() - nothing holds interrupts back any longer
 * @cpu: the vCPU
 */
void lg_end_sti_shadow(struct lg_cpu *cpu)
{
	cpu->sti_shadow = false;
	if (cpu->stepping) {
		cpu->stepping = false;
		cpu->state->frame.flags &= ~(u64)LG_FLAGS_TF;
	}
}

/* ---- One delivery ---- */

static enum outcome unhandled(struct lg_cpu *cpu, const struct lg_event *ev)
{
	if (ev->vector >= LG_TRAPS)
		lg_kill(cpu, "no handler for interrupt vector %#x", ev->vector);
	else if (ev->vector == LG_TRAP_PF)
		lg_kill(cpu, "no handler for page fault (#PF, 14): address %#llx, error code %#x",
			(unsigned long long)cpu->cr2, ev->error);
	else if (ev->has_error)
		lg_kill(cpu, "no handler for %s, error code %#x", lg_trap_name(ev->vector),
			ev->error);
	else
		lg_kill(cpu, "no handler for %s", lg_trap_name(ev->vector));
	return DEAD;
}

static enum outcome fault(struct lg_cpu *cpu, enum lg_trap vector, u32 error)
{
	lg_raise(cpu, vector, error);
	return FAULTED;
}

/* The Guest's gate for an event, checked up to its present bit. */
static enum outcome find_gate(struct lg_cpu *cpu, const struct lg_event *ev, u64 *gate)
{
	u32 error = ev->vector * 8u | LG_ERROR_IDT | (ev->soft ? 0 : LG_ERROR_EXT);

	if (cpu->idt_in_memory) {
		if (ev->vector * 8u + 7 > cpu->idt_limit)
			return fault(cpu, LG_TRAP_GP, error);
		if (lg_read_gva(cpu, (u32)(cpu->idt_base + ev->vector * 8), gate, sizeof(*gate), 0))
			return FAULTED;
	} else {
		*gate = cpu->idt[ev->vector];
		if (!*gate && !ev->soft)
			return unhandled(cpu, ev);
	}

	switch (LG_DESC_TYPE(*gate)) {
	case GATE_INT16:
	case GATE_TRAP16:
	case GATE_INT32:
	case GATE_TRAP32:
	case GATE_TASK:
		break;
	default:
		return fault(cpu, LG_TRAP_GP, error);
	}
	if (ev->soft && cpu->user && !lg_desc_is_user(*gate))
		return fault(cpu, LG_TRAP_GP, error);
	if (!(*gate & LG_DESC_PRESENT))
		return fault(cpu, LG_TRAP_NP, error);
	if (LG_DESC_TYPE(*gate) == GATE_TASK) {
		lg_kill(cpu,
			"the gate of vector %u (%s) is a task gate: tasks are not switched here",
			ev->vector, lg_trap_name(ev->vector));
		return DEAD;
	}
	return DELIVERED;
}

/* The handler's code segment; *to_user says at which level it runs. */
static enum outcome find_code(struct lg_cpu *cpu, u16 sel, u32 ext, u64 *desc, bool *to_user)
{
	u32 error = (sel & ~LG_SEL_RPL) | ext;

	if (lg_seg_fetch(cpu, sel, desc) == -EFAULT)
		return FAULTED;
	if (!(sel & ~LG_SEL_RPL))
		return fault(cpu, LG_TRAP_GP, ext);
	if (!lg_desc_is_code(*desc) || *desc & LG_DESC_LONG ||
	    (!cpu->user && lg_desc_is_user(*desc)))
		return fault(cpu, LG_TRAP_GP, error);
	if (!(*desc & LG_DESC_PRESENT))
		return fault(cpu, LG_TRAP_NP, error);
	*to_user = cpu->user && (lg_desc_is_user(*desc) || lg_desc_conforms(*desc));
	return DELIVERED;
}

/*
 * The kernel stack for an entry from user level: from SET_STACK, or from the TSS of an LTR,
 * whichever came last.
 */
static enum outcome kernel_stack(struct lg_cpu *cpu, u32 ext, u16 *ss, u32 *sp)
{
	struct lg_segments *seg = &cpu->seg;
	u32 offset, len;
	u16 words[4];

	if (cpu->ss1) {
		*ss = cpu->ss1;
		*sp = cpu->esp1;
		return DELIVERED;
	}
	if (!seg->tr)
		return fault(cpu, LG_TRAP_TS, ext);
	/*
	 * SP0 and SS0 of a 16-bit TSS, ESP0 and SS0 of a 32-bit one (SDM vol. 3, figures 8-2 and
	 * 8-10).
	 */
	offset = seg->tss_type == LG_TYPE_TSS16 ? 2 : 4;
	len = seg->tss_type == LG_TYPE_TSS16 ? 4 : 6;
	if (offset + len - 1 > seg->tss_limit)
		return fault(cpu, LG_TRAP_TS, (seg->tr & ~LG_SEL_RPL) | ext);
	if (lg_read_gva(cpu, (u32)(seg->tss_base + offset), words, len, 0))
		return FAULTED;
	*sp = seg->tss_type == LG_TYPE_TSS16 ? words[0] : words[0] | (u32)words[1] << 16;
	*ss = words[len / 2 - 1];
	return DELIVERED;
}

static enum outcome find_stack(struct lg_cpu *cpu, u32 ext, u16 *ss, u32 *sp, u64 *desc)
{
	enum outcome outcome;
	u32 error;

	outcome = kernel_stack(cpu, ext, ss, sp);
	if (outcome != DELIVERED)
		return outcome;
	error = (*ss & ~LG_SEL_RPL) | ext;
	if (lg_seg_fetch(cpu, *ss, desc) == -EFAULT)
		return FAULTED;
	if (!lg_desc_is_data(*desc) || !(*desc & LG_DESC_WRITABLE) || lg_desc_is_user(*desc))
		return fault(cpu, LG_TRAP_TS, error);
	if (!(*desc & LG_DESC_PRESENT))
		return fault(cpu, LG_TRAP_SS, error);
	return DELIVERED;
}

/* Writes `words` words of 2 or 4 bytes, the first one lowest. */
static int write_words(struct lg_cpu *cpu, u32 linear, const u32 *word, unsigned int words,
		       bool wide, u32 access)
{
	u16 narrow[FRAME_WORDS];
	unsigned int i;

	if (wide)
		return lg_write_gva(cpu, linear, word, words * 4, access);
	for (i = 0; i < words; i++)
		narrow[i] = word[i];
	return lg_write_gva(cpu, linear, narrow, words * 2, access);
}

/* ---- What the short way (quick.h) goes by ---- */

void lg_quick_forget(struct lg_cpu *cpu)
{
	cpu->quick = (struct lg_quick){};
}

/* A delivery to kernel level has found all this right, and its registers are not loaded yet. */
static void note_quick(struct lg_cpu *cpu, u8 vector, u64 gate, u64 code, u64 stack)
{
	struct lg_quick *quick = &cpu->quick;

	if (cpu->idt_in_memory || cpu->seg.gdt_in_memory || gate >> 16 & LG_SEL_LDT)
		return;
	if (LG_DESC_TYPE(gate) & 8 && lg_desc_is_flat(code) && !lg_desc_conforms(code)) {
		quick->gates[vector / 64] |= BIT_ULL(vector % 64);
		quick->kernel_cs = gate >> 16 | LG_SEL_RPL;
	}
	if (!lg_desc_is_flat(stack) || stack & LG_DESC_DOWN)
		return;
	if (!cpu->user)
		quick->kernel_ss = cpu->state->frame.ss;
	else if (cpu->ss1 && !(cpu->ss1 & LG_SEL_LDT))
		quick->stack = true;
}

static enum outcome deliver_one(struct lg_cpu *cpu, const struct lg_event *ev)
{
	u32 ext = ev->soft ? 0 : LG_ERROR_EXT;
	struct lg_frame *frame = &cpu->state->frame;
	u32 word[FRAME_WORDS], sp, new_sp, ip, flags, len;
	bool wide, traps, to_user, switches;
	u64 gate, code, stack;
	enum outcome outcome;
	unsigned int n = 0;
	u16 cs, ss;

	outcome = find_gate(cpu, ev, &gate);
	if (outcome != DELIVERED)
		return outcome;
	wide = LG_DESC_TYPE(gate) & 8;
	traps = LG_DESC_TYPE(gate) & 1;
	cs = gate >> 16;
	ip = (gate & 0xffff) | (wide ? gate >> 32 & 0xffff0000 : 0);
	outcome = find_code(cpu, cs, ext, &code, &to_user);
	if (outcome != DELIVERED)
		return outcome;

	switches = cpu->user && !to_user;
	if (switches) {
		outcome = find_stack(cpu, ext, &ss, &sp, &stack);
		if (outcome != DELIVERED)
			return outcome;
	} else {
		ss = frame->ss;
		sp = frame->sp;
		stack = lg_seg_running(cpu, LG_SREG_SS);
	}

	flags = lg_guest_flags(cpu);
	if (ev->has_error)
		word[n++] = ev->error;
	word[n++] = frame->ip;
	word[n++] = shown(cpu->user, frame->cs);
	word[n++] = flags;
	if (switches) {
		word[n++] = frame->sp;
		word[n++] = shown(cpu->user, frame->ss);
	}
	len = n * (wide ? 4 : 2);

	new_sp = sp - len;
	if (!(stack & LG_DESC_BIG))
		new_sp = (sp & 0xffff0000) | (new_sp & 0xffff);
	if (!lg_desc_in_limit(stack, stack & LG_DESC_BIG ? new_sp : new_sp & 0xffff, len))
		return fault(cpu, LG_TRAP_SS, (switches ? ss & ~LG_SEL_RPL : 0) | ext);
	if (ip > lg_desc_limit(code))
		return fault(cpu, LG_TRAP_GP, ext);
	/* What could not be read was taken for something. */
	if (cpu->no_memory)
		return FAULTED;
	if (write_words(
		    cpu,
		    (u32)(lg_desc_base(stack) + (stack & LG_DESC_BIG ? new_sp : new_sp & 0xffff)),
		    word, n, wide, LG_PF_WRITE | (to_user ? LG_PF_USER : 0)))
		return FAULTED;

	/* Nothing fails from here on. */
	if (!to_user)
		note_quick(cpu, ev->vector, gate, code, stack);
	arrive(cpu, ev->vector, to_user, cs, ip, ss, new_sp);
	if (!traps && flags & LG_FLAGS_IF)
		lg_set_virtual_if(cpu, false);
	return DELIVERED;
}

/* ---- One event and the faults that it meets ---- */

/* A page fault's address, where the Guest looks for it. */
static void tell_cr2(struct lg_cpu *cpu, u64 gva)
{
	cpu->cr2 = gva;
	write_data(cpu, offsetof(struct lguest_data, cr2), gva, LG_UNTOLD_CR2);
}

static bool contributory(const struct lg_event *ev)
{
	return !ev->soft && !ev->interrupt && ev->vector < LG_TRAPS &&
	       CONTRIBUTORY & 1u << ev->vector;
}

static bool is(const struct lg_event *ev, enum lg_trap vector)
{
	return !ev->soft && !ev->interrupt && ev->vector == vector;
}

/* SDM vol. 3, table 6-5: what a second exception makes of the first. False: a triple fault. */
static bool combine(struct lg_event *ev, const struct lg_fault *second)
{
	struct lg_event next = { .vector = second->vector,
				 .cause = ev->cause,
				 .has_error = second->has_error,
				 .error = second->error,
				 .gva = second->gva };
	bool serious = contributory(&next) || is(&next, LG_TRAP_PF);

	if (is(ev, LG_TRAP_DF) && serious)
		return false;
	if ((contributory(ev) && contributory(&next)) || (is(ev, LG_TRAP_PF) && serious))
		next = (struct lg_event){ .vector = LG_TRAP_DF, .cause = ev->cause,
					  .has_error = true };
	*ev = next;
	return true;
}

static noinline enum lg_next deliver_event(struct lg_cpu *cpu, struct lg_event ev)
{
	if (is(&ev, LG_TRAP_PF))
		tell_cr2(cpu, ev.gva);
	for (;;) {
		switch (deliver_one(cpu, &ev)) {
		case DELIVERED:
			lg_watch_inject(cpu, ev.vector, ev.has_error, ev.error,
					ev.interrupt ? ev.vector - cpu->first_irq_vector : -1);
			return LG_RUN;
		case DEAD:
			if (!cpu->no_memory)
				return LG_LAUNCHER;
			break;
		case FAULTED:
			break;
		}
		if (cpu->no_memory) {
			cpu->event = ev;
			cpu->event_waits = true;
			return LG_LAUNCHER;
		}
		/* What faulted is the instruction, not the one after it. */
		if (ev.soft)
			cpu->state->frame.ip = ev.insn_ip;
		/* Also of a page fault that becomes a double fault. */
		if (cpu->fault.vector == LG_TRAP_PF)
			tell_cr2(cpu, cpu->fault.gva);
		/* If there was no memory to tell CR2, it is all tried once more, and put off. */
		if (!combine(&ev, &cpu->fault) && !cpu->no_memory)
			return lg_kill(cpu, "triple fault: %s, error code %#x, after %s",
				       lg_trap_name(cpu->fault.vector), cpu->fault.error,
				       lg_trap_name(ev.cause));
	}
}

static enum lg_next deliver(struct lg_cpu *cpu, struct lg_event ev)
{
	ev.cause = ev.vector;
	return deliver_event(cpu, ev);
}

/* Where the one-byte INT3 or INTO, or the INT n, starts that the processor has just executed. */
static u32 soft_insn_ip(struct lg_cpu *cpu, u8 vector)
{
	u32 ip = cpu->state->frame.ip, linear;
	u8 last;

	if (vector != LG_TRAP_BP && vector != LG_TRAP_OF)
		return ip - 2;
	/* INT 3 ends with the byte 3, INT3 is 0xcc; INT 4 and INTO likewise. */
	if (!lg_seg_linear(cpu, LG_SREG_CS, ip - 1, 1, LG_PF_FETCH, &linear) &&
	    !lg_read_gva(cpu, linear, &last, 1, LG_PF_FETCH | (cpu->user ? LG_PF_USER : 0)) &&
	    last == vector)
		return ip - 2;
	return ip - 1;
}

/* If there was no memory for that, the event is put off as it is. */
static void find_insn(struct lg_cpu *cpu, struct lg_event *ev)
{
	ev->insn_ip = soft_insn_ip(cpu, ev->vector);
	ev->unsure = cpu->no_memory;
}

static noinline enum lg_next deliver_slow(struct lg_cpu *cpu, u8 vector, bool has_error, u32 error,
					  bool soft)
{
	struct lg_event ev = {
		.vector = vector,
		.has_error = has_error,
		.error = error,
		.soft = soft,
		.gva = cpu->cr2,
	};

	if (soft)
		find_insn(cpu, &ev);
	return deliver(cpu, ev);
}

/**
 * lg_deliver() - deliver an exception or interrupt into the Guest
 * @cpu: the vCPU
 * @vector: any
 * @has_error: it has an error code
 * @error: the error code
 * @soft: by a software interrupt that the processor executed: INT n, INT3, INTO. The gate's DPL
 * counts.
 *
 * Return: LG_RUN, or LG_LAUNCHER if the Guest died of it.
 */
enum lg_next lg_deliver(struct lg_cpu *cpu, u8 vector, bool has_error, u32 error, bool soft)
{
	if (likely(deliver_quick(cpu, vector, has_error, error, soft))) {
		lg_watch_inject(cpu, vector, has_error, error, -1);
		return LG_RUN;
	}
	return deliver_slow(cpu, vector, has_error, error, soft);
}

/**
 * lg_deliver_int() - deliver a software interrupt that was emulated
 * @cpu: the vCPU, its instruction pointer behind the instruction
 * @vector: any
 * @insn_ip: where the instruction starts
 *
 * Return: LG_RUN, or LG_LAUNCHER if the Guest died of it.
 */
enum lg_next lg_deliver_int(struct lg_cpu *cpu, u8 vector, u32 insn_ip)
{
	struct lg_event ev = { .vector = vector, .soft = true, .insn_ip = insn_ip };

	return deliver(cpu, ev);
}

/**
 * lg_deliver_line() - deliver the interrupt of a line, by the long way
 * @cpu: the vCPU
 * @line: its virtual IF is on
 *
 * Return: LG_RUN, or LG_LAUNCHER if the Guest died of it.
 */
enum lg_next lg_deliver_line(struct lg_cpu *cpu, unsigned int line)
{
	struct lg_event ev = { .vector = cpu->first_irq_vector + line, .interrupt = true };

	return deliver(cpu, ev);
}

/**
 * lg_deliver_fault() - deliver what the walk or the emulation found
 * @cpu: the vCPU, the fault in cpu->fault
 *
 * Return: LG_RUN, or LG_LAUNCHER if the Guest died of it.
 */
enum lg_next lg_deliver_fault(struct lg_cpu *cpu)
{
	struct lg_fault *fault = &cpu->fault;
	struct lg_event ev;

	if (fault->vector == LG_TRAP_PF)
		tell_cr2(cpu, fault->gva);
	if (likely(deliver_quick(cpu, fault->vector, fault->has_error, fault->error, false))) {
		lg_watch_inject(cpu, fault->vector, fault->has_error, fault->error, -1);
		return LG_RUN;
	}
	ev = (struct lg_event){ .vector = fault->vector,
				.has_error = fault->has_error,
				.error = fault->error,
				.gva = fault->gva };
	return deliver(cpu, ev);
}

/**
 * lg_deliver_found() - deliver what an access to Guest memory found
 * @cpu: the vCPU, the fault in cpu->fault unless cpu->no_memory
 *
 * Return: LG_RUN, or LG_LAUNCHER if the Guest died of it or read() has to say that there is no memory.
 */
enum lg_next lg_deliver_found(struct lg_cpu *cpu)
{
	return cpu->no_memory ? LG_LAUNCHER : lg_deliver_fault(cpu);
}

/**
 * lg_deliver_again() - deliver what there was no memory for
 * @cpu: the vCPU, for which cpu->event_waits
 *
 * Return: LG_RUN, or LG_LAUNCHER if the Guest died of it or there is no memory still.
 */
enum lg_next lg_deliver_again(struct lg_cpu *cpu)
{
	cpu->event_waits = false;
	if (cpu->event.unsure)
		find_insn(cpu, &cpu->event);
	return deliver_event(cpu, cpu->event);
}

/**
 * lg_tell_again() - tell or take over what there was no memory for
 * @cpu: the vCPU, for which cpu->untold
 */
void lg_tell_again(struct lg_cpu *cpu)
{
	u8 untold = cpu->untold;

	cpu->untold = 0;
	if (untold & LG_UNTOLD_IF)
		lg_set_virtual_if(cpu, cpu->virtual_if);
	if (untold & LG_UNTOLD_CR2)
		tell_cr2(cpu, cpu->cr2);
	if (untold & LG_UNTOLD_TABLES)
		lg_seg_to_user(cpu);
}

/* ---- Exceptions of the hardware ---- */

/*
 * #DB: our own step over the instruction after STI, or the Guest's step, or one of its breakpoints
 * in the hardware (world.c). For those that are off the processor may say anything.
 */
static enum lg_next debug_exception(struct lg_cpu *cpu)
{
	u32 why = cpu->exit_dr6 & (LG_DR6_B | LG_DR6_BS);
	bool ours = cpu->stepping;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		if (!(cpu->dr[7] & LG_DR7_ON(i)))
			why &= ~(1u << i);
	}
	/* The host wants to be told of bus locks, not the Guest. */
	if (!why && !(cpu->exit_dr6 & LG_DR6_NO_BUS_LOCK))
		return LG_RUN;
	lg_end_sti_shadow(cpu);
	if (ours) {
		why &= ~LG_DR6_BS;
		if (!why)
			return LG_RUN;
	}
	cpu->dr[6] |= why;
	return lg_deliver(cpu, LG_TRAP_DB, false, 0, false);
}

/**
 * lg_handle_exception() - what an exception in the Guest becomes
 * @cpu: the vCPU
 * @vector: 0 to 31, but not page fault, NMI and machine check
 * @error: its error code, if it has one
 *
 * Return: LG_RUN, or LG_LAUNCHER with cpu->exit filled.
 */
enum lg_next lg_handle_exception(struct lg_cpu *cpu, int vector, u32 error)
{
	switch (vector) {
	case LG_TRAP_DB:
		return debug_exception(cpu);
	case LG_TRAP_BP:
	case LG_TRAP_OF:
		return lg_deliver(cpu, vector, false, 0, true);
	case LG_TRAP_UD:
	case LG_TRAP_NP:
	case LG_TRAP_SS:
	case LG_TRAP_GP:
		return lg_emulate(cpu, vector, error);
	case LG_TRAP_AC:
		/*
		 * Without AC it is a locked access across cache lines, which the host has trapped
		 * (split_lock_detect), at both levels: SDM vol. 3, "Features to Disable Bus Locks".
		 */
		if (!(cpu->state->frame.flags & LG_FLAGS_AC))
			return lg_deliver(cpu, vector, true, 0, false);
		/*
		 * The check is for user level, and only if the Guest asked for it (SDM vol. 3,
		 * 6.15, interrupt 17).
		 */
		if (!cpu->user || !(cpu->paging.cr0 & LG_CR0_AM)) {
			cpu->state->frame.flags &= ~(u64)LG_FLAGS_AC;
			return LG_RUN;
		}
		return lg_deliver(cpu, vector, true, 0, false);
	default:
		return lg_deliver(cpu, vector, lg_has_error_code(vector), error, false);
	}
}
