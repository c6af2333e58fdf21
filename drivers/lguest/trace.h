/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, as lguest:* in tracefs, perf and bpftrace. Names and fields are
 * what users' scripts hold on to: the selftest `trace` pins them, and
 * Documentation/virt/lguest/observing.rst tells what they mean.
 *
 * All of them begin with the number of the Guest: the part of its debugfs
 * folder's name behind the dash.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM lguest

#if !defined(_LGUEST_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _LGUEST_TRACE_H

#include <linux/tracepoint.h>

#include "lg.h"

TRACE_DEFINE_ENUM(LG_SHADOW_DONE);
TRACE_DEFINE_ENUM(LG_SHADOW_REFLECT);
TRACE_DEFINE_ENUM(LG_SHADOW_DEVICE);
TRACE_DEFINE_ENUM(LG_SHADOW_GONE);
TRACE_DEFINE_ENUM(LG_SHADOW_NO_MEMORY);

/*
 * Those on the way of every exit are looked at by one key for all of them, lg_traced() in watch.h,
 * which these two keep.
 */
int lg_trace_begins(void);
void lg_trace_ends(void);

/* A Guest was initialised, by the Launcher `pid`; memory in bytes. */
TRACE_EVENT(lguest_create,
	TP_PROTO(const struct lguest *lg, u64 pgdir, u64 start),
	TP_ARGS(lg, pgdir, start),
	TP_STRUCT__entry(
		__field(u32, guest)
		__field(s32, pid)
		__field(u64, memory)
		__field(u64, pgdir)
		__field(u64, start)
	),
	TP_fast_assign(
		__entry->guest = lg->number;
		__entry->pid = lg->pid;
		__entry->memory = (u64)lg->pfn_limit << PAGE_SHIFT;
		__entry->pgdir = pgdir;
		__entry->start = start;
	),
	TP_printk("guest %u pid %d memory %llu pgdir %#llx start %#llx",
		  __entry->guest, __entry->pid, __entry->memory,
		  __entry->pgdir, __entry->start)
);

/* Its file is closed. */
TRACE_EVENT(lguest_destroy,
	TP_PROTO(const struct lguest *lg),
	TP_ARGS(lg),
	TP_STRUCT__entry(
		__field(u32, guest)
	),
	TP_fast_assign(
		__entry->guest = lg->number;
	),
	TP_printk("guest %u", __entry->guest)
);

/* The vCPU is about to go into the Guest, at ip; user: its virtual level. */
TRACE_EVENT_FN(lguest_enter,
	TP_PROTO(const struct lg_cpu *cpu),
	TP_ARGS(cpu),
	TP_STRUCT__entry(
		__field(u32, guest)
		__field(u32, vcpu)
		__field(u64, ip)
		__field(bool, user)
	),
	TP_fast_assign(
		__entry->guest = cpu->lg->number;
		__entry->vcpu = cpu->id;
		__entry->ip = cpu->state->frame.ip;
		__entry->user = cpu->user;
	),
	TP_printk("guest %u vcpu %u ip %#llx %s", __entry->guest,
		  __entry->vcpu, __entry->ip,
		  __entry->user ? "user" : "kernel"),
	lg_trace_begins, lg_trace_ends
);

/*
 * It came out: the hardware vector, or 0x100 kicked and 0x101 refused, both
 * without having been inside. address is that of a page fault, else 0.
 */
TRACE_EVENT_FN(lguest_exit,
	TP_PROTO(const struct lg_cpu *cpu, int vector),
	TP_ARGS(cpu, vector),
	TP_STRUCT__entry(
		__field(u32, guest)
		__field(u32, vcpu)
		__field(u32, vector)
		__field(u32, error)
		__field(u64, ip)
		__field(u64, address)
		__field(bool, user)
	),
	TP_fast_assign(
		__entry->guest = cpu->lg->number;
		__entry->vcpu = cpu->id;
		__entry->vector = vector;
		__entry->error = cpu->state->frame.error;
		__entry->ip = cpu->state->frame.ip;
		__entry->address = vector == X86_TRAP_PF ? cpu->exit_cr2 : 0;
		__entry->user = cpu->user;
	),
	TP_printk("guest %u vcpu %u vector %#x %s error %#x ip %#llx %s address %#llx",
		  __entry->guest, __entry->vcpu, __entry->vector,
		  __print_symbolic(__entry->vector,
				   { 0, "divide_error" }, { 1, "debug" },
				   { 2, "nmi" }, { 3, "breakpoint" },
				   { 4, "overflow" }, { 5, "bounds" },
				   { 6, "invalid_opcode" }, { 7, "no_fpu" },
				   { 8, "double_fault" },
				   { 10, "invalid_tss" },
				   { 11, "segment_not_present" },
				   { 12, "stack_fault" },
				   { 13, "general_protection" },
				   { 14, "page_fault" }, { 16, "fpu_error" },
				   { 17, "alignment" },
				   { 18, "machine_check" },
				   { 19, "simd_error" }, { 31, "hypercall" },
				   { 0x80, "int80" }, { 0x100, "kicked" },
				   { 0x101, "refused" }),
		  __entry->error, __entry->ip,
		  __entry->user ? "user" : "kernel", __entry->address),
	lg_trace_begins, lg_trace_ends
);

/* One hypercall is to be done; ring: it is from the asynchronous ring. */
TRACE_EVENT_FN(lguest_hypercall,
	TP_PROTO(const struct lg_cpu *cpu, u32 nr, const u64 *arg, bool ring),
	TP_ARGS(cpu, nr, arg, ring),
	TP_STRUCT__entry(
		__field(u32, guest)
		__field(u32, vcpu)
		__field(u32, nr)
		__field(u32, arg0)
		__field(u32, arg1)
		__field(u32, arg2)
		__field(u32, arg3)
		__field(bool, ring)
	),
	TP_fast_assign(
		__entry->guest = cpu->lg->number;
		__entry->vcpu = cpu->id;
		__entry->nr = nr;
		__entry->arg0 = arg[0];
		__entry->arg1 = arg[1];
		__entry->arg2 = arg[2];
		__entry->arg3 = arg[3];
		__entry->ring = ring;
	),
	TP_printk("guest %u vcpu %u nr %u %s args %#x %#x %#x %#x%s",
		  __entry->guest, __entry->vcpu, __entry->nr,
		  __print_symbolic(__entry->nr,
				   { 0, "FLUSH_ASYNC" }, { 1, "LGUEST_INIT" },
				   { 2, "SHUTDOWN" }, { 4, "NEW_PGTABLE" },
				   { 5, "FLUSH_TLB" },
				   { 6, "LOAD_IDT_ENTRY" },
				   { 7, "SET_STACK" }, { 8, "TS" },
				   { 9, "SET_CLOCKEVENT" }, { 10, "HALT" },
				   { 13, "SET_PMD" }, { 14, "SET_PTE" },
				   { 15, "SET_PGD" }, { 16, "LOAD_TLS" },
				   { 17, "NOTIFY" }, { 18, "LOAD_GDT_ENTRY" },
				   { 19, "SEND_INTERRUPTS" }),
		  __entry->arg0, __entry->arg1, __entry->arg2, __entry->arg3,
		  __entry->ring ? " ring" : ""),
	lg_trace_begins, lg_trace_ends
);

/* What became of a page fault of the hardware. */
TRACE_EVENT(lguest_page_fault,
	TP_PROTO(const struct lg_cpu *cpu, u64 gva, u32 error, int result),
	TP_ARGS(cpu, gva, error, result),
	TP_STRUCT__entry(
		__field(u32, guest)
		__field(u32, vcpu)
		__field(u64, gva)
		__field(u64, ip)
		__field(u32, error)
		__field(int, result)
		__field(bool, user)
	),
	TP_fast_assign(
		__entry->guest = cpu->lg->number;
		__entry->vcpu = cpu->id;
		__entry->gva = gva;
		__entry->ip = cpu->state->frame.ip;
		__entry->error = error;
		__entry->result = result;
		__entry->user = cpu->user;
	),
	TP_printk("guest %u vcpu %u gva %#llx error %#x ip %#llx %s: %s",
		  __entry->guest, __entry->vcpu, __entry->gva,
		  __entry->error, __entry->ip,
		  __entry->user ? "user" : "kernel",
		  __print_symbolic(__entry->result,
				   { LG_SHADOW_DONE, "filled" },
				   { LG_SHADOW_REFLECT, "reflected" },
				   { LG_SHADOW_DEVICE, "device" },
				   { LG_SHADOW_GONE, "gone" },
				   { LG_SHADOW_NO_MEMORY, "no memory" }))
);

/* A shadow entry was made. user: in the view of user mode. */
TRACE_EVENT(lguest_shadow_fill,
	TP_PROTO(const struct lg_cpu *cpu, u64 gva, u64 gpa, bool writable),
	TP_ARGS(cpu, gva, gpa, writable),
	TP_STRUCT__entry(
		__field(u32, guest)
		__field(u32, vcpu)
		__field(u64, gva)
		__field(u64, gpa)
		__field(bool, user)
		__field(bool, writable)
	),
	TP_fast_assign(
		__entry->guest = cpu->lg->number;
		__entry->vcpu = cpu->id;
		__entry->gva = gva;
		__entry->gpa = gpa;
		__entry->user = cpu->user;
		__entry->writable = writable;
	),
	TP_printk("guest %u vcpu %u %s view gva %#llx gpa %#llx %s",
		  __entry->guest, __entry->vcpu,
		  __entry->user ? "user" : "kernel", __entry->gva,
		  __entry->gpa, __entry->writable ? "rw" : "ro")
);

/* The Host takes frames back: no entry leads to gfns first to last any more. */
TRACE_EVENT(lguest_shadow_zap,
	TP_PROTO(const struct lguest *lg, u64 first, u64 last),
	TP_ARGS(lg, first, last),
	TP_STRUCT__entry(
		__field(u32, guest)
		__field(u64, first)
		__field(u64, last)
	),
	TP_fast_assign(
		__entry->guest = lg->number;
		__entry->first = first;
		__entry->last = last;
	),
	TP_printk("guest %u gfns %#llx-%#llx", __entry->guest, __entry->first,
		  __entry->last)
);

TRACE_DEFINE_ENUM(LG_FLUSH_ALL);
TRACE_DEFINE_ENUM(LG_FLUSH_LOCAL);
TRACE_DEFINE_ENUM(LG_FLUSH_USER);
TRACE_DEFINE_ENUM(LG_FLUSH_GVA);
TRACE_DEFINE_ENUM(LG_FLUSH_TABLE);

/*
 * The Guest flushed: all; all but what is global to it, by loading CR3 (address
 * is the new one); the user part; one address; a piece of the table at address.
 */
TRACE_EVENT(lguest_flush,
	TP_PROTO(const struct lg_cpu *cpu, int what, u64 address),
	TP_ARGS(cpu, what, address),
	TP_STRUCT__entry(
		__field(u32, guest)
		__field(u32, vcpu)
		__field(int, what)
		__field(u64, address)
	),
	TP_fast_assign(
		__entry->guest = cpu->lg->number;
		__entry->vcpu = cpu->id;
		__entry->what = what;
		__entry->address = address;
	),
	TP_printk("guest %u vcpu %u %s %#llx", __entry->guest, __entry->vcpu,
		  __print_symbolic(__entry->what,
				   { LG_FLUSH_ALL, "all" },
				   { LG_FLUSH_LOCAL, "local" },
				   { LG_FLUSH_USER, "user" },
				   { LG_FLUSH_GVA, "gva" },
				   { LG_FLUSH_TABLE, "table" }),
		  __entry->address)
);

/*
 * An exception or interrupt was delivered: the Guest goes on at its handler,
 * ip. address is CR2, for page faults.
 */
TRACE_EVENT(lguest_inject,
	TP_PROTO(const struct lg_cpu *cpu, u8 vector, bool has_error,
		 u32 error),
	TP_ARGS(cpu, vector, has_error, error),
	TP_STRUCT__entry(
		__field(u32, guest)
		__field(u32, vcpu)
		__field(u32, vector)
		__field(u32, error)
		__field(u64, ip)
		__field(u64, address)
		__field(bool, has_error)
	),
	TP_fast_assign(
		__entry->guest = cpu->lg->number;
		__entry->vcpu = cpu->id;
		__entry->vector = vector;
		__entry->error = error;
		__entry->ip = cpu->state->frame.ip;
		__entry->address = vector == X86_TRAP_PF ? cpu->cr2 : 0;
		__entry->has_error = has_error;
	),
	TP_printk("guest %u vcpu %u vector %#x %s error %#x ip %#llx address %#llx",
		  __entry->guest, __entry->vcpu, __entry->vector,
		  __print_symbolic(__entry->vector,
				   { 0, "divide_error" }, { 1, "debug" },
				   { 2, "nmi" }, { 3, "breakpoint" },
				   { 4, "overflow" }, { 5, "bounds" },
				   { 6, "invalid_opcode" }, { 7, "no_fpu" },
				   { 8, "double_fault" },
				   { 10, "invalid_tss" },
				   { 11, "segment_not_present" },
				   { 12, "stack_fault" },
				   { 13, "general_protection" },
				   { 14, "page_fault" }, { 16, "fpu_error" },
				   { 17, "alignment" },
				   { 18, "machine_check" },
				   { 19, "simd_error" }, { 0x80, "int80" }),
		  __entry->error, __entry->ip, __entry->address)
);

TRACE_DEFINE_ENUM(LG_EMU_NOT_OURS);
TRACE_DEFINE_ENUM(LG_EMU_LAUNCHER);
TRACE_DEFINE_ENUM(LG_EMU_JUMPED);
TRACE_DEFINE_ENUM(LG_EMU_DELIVER_INT);
TRACE_DEFINE_ENUM(LG_EMU_AGAIN);

/*
 * An instruction at ip was looked at that ring 3 may not do or that accesses a
 * device, and what became of it. opcode: the last byte of it.
 */
TRACE_EVENT(lguest_emulate,
	TP_PROTO(const struct lg_cpu *cpu, u64 ip, const struct lg_insn *insn,
		 int result),
	TP_ARGS(cpu, ip, insn, result),
	TP_STRUCT__entry(
		__field(u32, guest)
		__field(u32, vcpu)
		__field(u64, ip)
		__field(int, result)
		__field(u8, opcode)
		__field(u8, len)
		__field(bool, user)
	),
	TP_fast_assign(
		__entry->guest = cpu->lg->number;
		__entry->vcpu = cpu->id;
		__entry->ip = ip;
		__entry->result = result;
		__entry->opcode = insn->opcode;
		__entry->len = insn->len;
		__entry->user = cpu->user;
	),
	TP_printk("guest %u vcpu %u ip %#llx %s opcode %#x len %u: %s",
		  __entry->guest, __entry->vcpu, __entry->ip,
		  __entry->user ? "user" : "kernel", __entry->opcode,
		  __entry->len,
		  __print_symbolic(__entry->result,
				   { 0, "done" }, { LG_EMU_JUMPED, "done" },
				   { LG_EMU_NOT_OURS, "not_ours" },
				   { LG_EMU_LAUNCHER, "launcher" },
				   { LG_EMU_DELIVER_INT, "interrupt" },
				   { LG_EMU_AGAIN, "more" }, { -14, "fault" }))
);

/* An interrupt line was raised, from outside or by the timer. */
TRACE_EVENT(lguest_interrupt,
	TP_PROTO(const struct lg_cpu *cpu, unsigned int line),
	TP_ARGS(cpu, line),
	TP_STRUCT__entry(
		__field(u32, guest)
		__field(u32, vcpu)
		__field(u32, line)
	),
	TP_fast_assign(
		__entry->guest = cpu->lg->number;
		__entry->vcpu = cpu->id;
		__entry->line = line;
	),
	TP_printk("guest %u vcpu %u line %u", __entry->guest, __entry->vcpu,
		  __entry->line)
);

/* The vCPU goes to sleep (asleep true), and wakes up. */
TRACE_EVENT(lguest_halt,
	TP_PROTO(const struct lg_cpu *cpu, bool asleep),
	TP_ARGS(cpu, asleep),
	TP_STRUCT__entry(
		__field(u32, guest)
		__field(u32, vcpu)
		__field(bool, asleep)
	),
	TP_fast_assign(
		__entry->guest = cpu->lg->number;
		__entry->vcpu = cpu->id;
		__entry->asleep = asleep;
	),
	TP_printk("guest %u vcpu %u %s", __entry->guest, __entry->vcpu,
		  __entry->asleep ? "sleeps" : "wakes")
);

/* The timer was set (ns from now, 0: cancelled), or fires. */
TRACE_EVENT(lguest_timer,
	TP_PROTO(const struct lg_cpu *cpu, u64 ns, bool fires),
	TP_ARGS(cpu, ns, fires),
	TP_STRUCT__entry(
		__field(u32, guest)
		__field(u32, vcpu)
		__field(u64, ns)
		__field(bool, fires)
	),
	TP_fast_assign(
		__entry->guest = cpu->lg->number;
		__entry->vcpu = cpu->id;
		__entry->ns = ns;
		__entry->fires = fires;
	),
	TP_printk("guest %u vcpu %u %s %llu ns", __entry->guest,
		  __entry->vcpu, __entry->fires ? "fires" : "set",
		  __entry->ns)
);

/* read() returns to the Launcher: enum lguest_exit_reason, and its gpa. */
TRACE_EVENT(lguest_notify,
	TP_PROTO(const struct lg_cpu *cpu),
	TP_ARGS(cpu),
	TP_STRUCT__entry(
		__field(u32, guest)
		__field(u32, vcpu)
		__field(u32, reason)
		__field(u64, gpa)
	),
	TP_fast_assign(
		__entry->guest = cpu->lg->number;
		__entry->vcpu = cpu->id;
		__entry->reason = cpu->exit.reason;
		__entry->gpa = cpu->exit.gpa;
	),
	TP_printk("guest %u vcpu %u reason %u %s gpa %#llx", __entry->guest,
		  __entry->vcpu, __entry->reason,
		  __print_symbolic(__entry->reason,
				   { 1, "notify" }, { 2, "memory" },
				   { 3, "port" }, { 4, "shutdown" },
				   { 5, "death" }, { 6, "break" }),
		  __entry->gpa)
);

/* The Guest has ended, in this sentence. */
TRACE_EVENT(lguest_death,
	TP_PROTO(const struct lg_cpu *cpu, const char *sentence),
	TP_ARGS(cpu, sentence),
	TP_STRUCT__entry(
		__field(u32, guest)
		__field(u32, vcpu)
		__string(sentence, sentence)
	),
	TP_fast_assign(
		__entry->guest = cpu->lg->number;
		__entry->vcpu = cpu->id;
		LG_ASSIGN_STR(sentence, sentence);
	),
	TP_printk("guest %u vcpu %u %s", __entry->guest, __entry->vcpu,
		  __get_str(sentence))
);

#endif /* _LGUEST_TRACE_H */

/* For in and out of a kernel tree: Makefile adds this directory to the path. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
