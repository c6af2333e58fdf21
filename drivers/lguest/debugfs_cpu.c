// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU's folder in debugfs: registers, descriptor tables, interrupts, and
 * what was counted. debugfs.h has the rules for readers.
 */
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/slab.h>

#include "debugfs.h"
#include "watch.h"

static struct lg_cpu *cpu_of(struct seq_file *m)
{
	return ((struct lg_look *)m->private)->cpu;
}

/* ---- A snapshot of the registers ---- */

/* How long the vCPU may take to stop by itself, in jiffies. */
#define SNAPSHOT_TIME (HZ / 10)

static void copy_registers(struct lg_cpu *cpu)
{
	struct lg_snapshot *shot = &cpu->snapshot;
	enum lg_sreg reg;

	shot->regs = cpu->state->regs;
	shot->frame = cpu->state->frame;
	for (reg = LG_SREG_ES; reg < LG_SREGS; reg++)
		shot->segment[reg] = lg_seg_running(cpu, reg);
	shot->paging = cpu->paging;
	shot->cr0 = lg_guest_cr0(cpu);
	shot->cr2 = cpu->cr2;
	shot->iopl = cpu->iopl;
	shot->stepping = cpu->stepping;
	shot->user = cpu->user;
}

/**
 * lg_snapshot_answer() - show one's registers to who asked for them
 * @cpu: vCPU of the running task, between two instructions of the Guest
 */
void lg_snapshot_answer(struct lg_cpu *cpu)
{
	struct lg_snapshot *shot = &cpu->snapshot;

	if (!READ_ONCE(shot->wanted) || !xchg(&shot->wanted, false))
		return;
	copy_registers(cpu);
	shot->exact = true;
	complete(&shot->taken);
}

/* True if the vCPU is out of lg_run() and stayed so. */
static bool copy_at_rest(struct lg_cpu *cpu)
{
	unsigned int runs;

	/* Before what is copied. */
	runs = smp_load_acquire(&cpu->runs);
	if (runs & 1)
		return false;
	copy_registers(cpu);
	/* What was copied, before the question whether it stood still. */
	smp_rmb();
	return READ_ONCE(cpu->runs) == runs;
}

/*
 * The registers, all of one moment between two instructions. If the vCPU runs,
 * it is asked to leave the Guest for a moment and copies them itself. One that
 * sleeps in the middle of an exit (its memory is swapped out, say) cannot; then
 * they are as they stand, and not exact. 0 with the snapshot locked, or -EINTR.
 */
static int take_snapshot(struct lg_cpu *cpu)
{
	struct lg_snapshot *shot = &cpu->snapshot;
	unsigned int tries;

	if (mutex_lock_interruptible(&shot->lock))
		return -EINTR;

	for (tries = 0; tries < 3; tries++) {
		if (copy_at_rest(cpu)) {
			shot->exact = true;
			return 0;
		}
		reinit_completion(&shot->taken);
		/* The vCPU finds it renewed. */
		smp_store_release(&shot->wanted, true);
		lg_kick(cpu);
		if (wait_for_completion_timeout(&shot->taken, SNAPSHOT_TIME))
			return 0;
		if (xchg(&shot->wanted, false))
			continue;
		/* It has seen our wish, and is as good as done. */
		wait_for_completion(&shot->taken);
		return 0;
	}
	copy_registers(cpu);
	shot->exact = false;
	return 0;
}

static void put_snapshot(struct lg_cpu *cpu)
{
	mutex_unlock(&cpu->snapshot.lock);
}

/* ---- regs ---- */

struct bit_name {
	u64 bit;
	const char *name;
};

static const struct bit_name flag_names[] = {
	{ X86_EFLAGS_CF, "CF" },   { X86_EFLAGS_PF, "PF" },
	{ X86_EFLAGS_AF, "AF" },   { X86_EFLAGS_ZF, "ZF" },
	{ X86_EFLAGS_SF, "SF" },   { X86_EFLAGS_TF, "TF" },
	{ X86_EFLAGS_IF, "IF" },   { X86_EFLAGS_DF, "DF" },
	{ X86_EFLAGS_OF, "OF" },   { X86_EFLAGS_NT, "NT" },
	{ X86_EFLAGS_RF, "RF" },   { X86_EFLAGS_AC, "AC" },
	{ X86_EFLAGS_ID, "ID" },   {},
};

static const struct bit_name cr0_names[] = {
	{ X86_CR0_PE, "PE" }, { X86_CR0_MP, "MP" }, { X86_CR0_EM, "EM" },
	{ X86_CR0_TS, "TS" }, { X86_CR0_ET, "ET" }, { X86_CR0_NE, "NE" },
	{ X86_CR0_WP, "WP" }, { X86_CR0_AM, "AM" }, { X86_CR0_NW, "NW" },
	{ X86_CR0_CD, "CD" }, { X86_CR0_PG, "PG" }, {},
};

static const struct bit_name cr4_names[] = {
	{ X86_CR4_VME, "VME" },	      { X86_CR4_PVI, "PVI" },
	{ X86_CR4_TSD, "TSD" },	      { X86_CR4_DE, "DE" },
	{ X86_CR4_PSE, "PSE" },	      { X86_CR4_PAE, "PAE" },
	{ X86_CR4_MCE, "MCE" },	      { X86_CR4_PGE, "PGE" },
	{ X86_CR4_OSFXSR, "OSFXSR" }, { X86_CR4_OSXMMEXCPT, "OSXMMEXCPT" },
	{ X86_CR4_UMIP, "UMIP" },     { X86_CR4_OSXSAVE, "OSXSAVE" },
	{},
};

static void show_bits(struct seq_file *m, const char *name, u64 value,
		      const struct bit_name *names)
{
	seq_printf(m, "%-6s %08llx", name, value);
	for (; names->bit; names++) {
		if (value & names->bit)
			seq_printf(m, " %s", names->name);
	}
	seq_putc(m, '\n');
}

/* A word of struct lguest_data; false: there is none, or not now. */
static bool read_data(struct lg_cpu *cpu, size_t offset, u32 *word)
{
	u64 gpa = READ_ONCE(cpu->data_gpa);

	return gpa && !lg_peek_gpa(cpu->lg, gpa + offset, word, sizeof(*word));
}

static bool virtual_if(struct lg_cpu *cpu)
{
	u32 enabled;

	if (!READ_ONCE(cpu->data_gpa))
		return READ_ONCE(cpu->virtual_if);
	return read_data(cpu, offsetof(struct lguest_data, irq_enabled),
			 &enabled) &&
	       enabled & LGUEST_IF;
}

static u64 shown_flags(struct lg_cpu *cpu, const struct lg_snapshot *shot)
{
	u64 flags = shot->frame.flags & ~(u64)X86_EFLAGS_IF;

	if (shot->stepping)
		flags &= ~(u64)X86_EFLAGS_TF;
	return flags | (u64)shot->iopl << 12 |
	       (virtual_if(cpu) ? X86_EFLAGS_IF : 0);
}

/* What the Guest believes in, where the hardware has RPL 3. */
static u16 shown_selector(const struct lg_snapshot *shot, u64 sel)
{
	return (sel & ~3) | (shot->user ? 3 : 1);
}

static void show_segment(struct seq_file *m, const char *name, u16 sel,
			 u64 desc)
{
	seq_printf(m, "%-6s %04x", name, sel);
	if (desc)
		seq_printf(m, " base %08x limit %08x", lg_desc_base(desc),
			   lg_desc_limit(desc));
	seq_putc(m, '\n');
}

static void show_code(struct seq_file *m, struct lg_cpu *cpu,
		      const struct lg_snapshot *shot)
{
	u8 code[LG_INSN_MAX + 1];
	u32 at = lg_desc_base(shot->segment[LG_SREG_CS]) + shot->frame.ip;
	size_t len;

	len = lg_look_gva(cpu, &shot->paging, at, code, sizeof(code));
	if (len)
		seq_printf(m, "code   %*ph\n", (int)len, code);
	else
		seq_puts(m, "code   cannot be read\n");
}

static int regs_show(struct seq_file *m, void *v)
{
	struct lg_cpu *cpu = cpu_of(m);
	struct lg_snapshot *shot = &cpu->snapshot;
	const struct lg_regs *r = &shot->regs;
	const struct lg_frame *f = &shot->frame;
	int err;

	err = take_snapshot(cpu);
	if (err)
		return err;
	seq_printf(m, "level  %s\n", shot->user ? "user" : "kernel");
	seq_printf(m, "exact  %s\n",
		   shot->exact ? "yes" : "no, in the middle of an exit");
	seq_printf(m, "eip    %08llx\n", f->ip);
	seq_printf(m, "esp    %08x\n", (u32)f->sp);
	show_bits(m, "eflags", shown_flags(cpu, shot), flag_names);
	seq_printf(m, "eax    %08llx\nebx    %08llx\necx    %08llx\n", r->ax,
		   r->bx, r->cx);
	seq_printf(m, "edx    %08llx\nesi    %08llx\nedi    %08llx\n", r->dx,
		   r->si, r->di);
	seq_printf(m, "ebp    %08llx\n", r->bp);
	show_segment(m, "cs", shown_selector(shot, f->cs),
		     shot->segment[LG_SREG_CS]);
	show_segment(m, "ss", shown_selector(shot, f->ss),
		     shot->segment[LG_SREG_SS]);
	show_segment(m, "ds", r->ds, shot->segment[LG_SREG_DS]);
	show_segment(m, "es", r->es, shot->segment[LG_SREG_ES]);
	show_segment(m, "fs", r->fs, shot->segment[LG_SREG_FS]);
	show_segment(m, "gs", r->gs, shot->segment[LG_SREG_GS]);
	show_bits(m, "cr0", shot->cr0, cr0_names);
	seq_printf(m, "cr2    %08x\n", shot->cr2);
	seq_printf(m, "cr3    %08llx\n", shot->paging.cr3);
	show_bits(m, "cr4", shot->paging.cr4, cr4_names);
	show_code(m, cpu, shot);
	put_snapshot(cpu);
	return 0;
}

LG_LOOK_AT(regs);

/* ---- Descriptors ---- */

static const char *const system_types[16] = {
	"reserved",	  "tss16",     "ldt",		 "tss16 busy",
	"call gate 16",	  "task gate", "interrupt gate 16", "trap gate 16",
	"reserved",	  "tss32",     "reserved",	 "tss32 busy",
	"call gate",	  "reserved",  "interrupt gate", "trap gate",
};

static void show_type(struct seq_file *m, u64 desc)
{
	if (!(desc & LG_DESC_SEGMENT)) {
		seq_puts(m, system_types[LG_DESC_TYPE(desc)]);
		return;
	}
	if (lg_desc_is_code(desc))
		seq_printf(m, "code %s%s", desc & LG_DESC_WRITABLE ? "rx" : "x",
			   lg_desc_conforms(desc) ? " conforming" : "");
	else
		seq_printf(m, "data %s%s", desc & LG_DESC_WRITABLE ? "rw" : "r",
			   desc & LG_DESC_DOWN ? " down" : "");
	seq_printf(m, " %s", desc & LG_DESC_BIG ? "32" : "16");
	if (desc & LG_DESC_ACCESSED)
		seq_puts(m, " accessed");
}

static void show_descriptor(struct seq_file *m, struct lg_cpu *cpu, u16 sel,
			    u64 desc, const u64 *kernel, const u64 *user)
{
	seq_printf(m, "%04x base %08x limit %08x dpl %u %s ", sel,
		   lg_desc_base(desc), lg_desc_limit(desc), lg_desc_dpl(desc),
		   desc & LG_DESC_PRESENT ? "present" : "absent");
	show_type(m, desc);
	/* At which level the processor has a copy of it (S3). */
	seq_printf(m, " usable:%s%s\n", READ_ONCE(*kernel) ? " kernel" : "",
		   READ_ONCE(*user) ? " user" : "");
}

static int gdt_show(struct seq_file *m, void *v)
{
	struct lg_cpu *cpu = cpu_of(m);
	struct lg_segments *seg = &cpu->seg;
	struct lg_state *state = cpu->state;
	unsigned int i;
	u64 desc;

	if (READ_ONCE(seg->gdt_in_memory))
		seq_printf(m, "gdt at %08x limit %04x\n", seg->gdt_base,
			   seg->gdt_limit);
	else
		seq_puts(m, "gdt by hypercalls\n");
	for (i = 0; i < LG_SEG_GDT_ENTRIES; i++) {
		desc = READ_ONCE(seg->gdt[i]);
		if (desc)
			show_descriptor(m, cpu, i * 8, desc,
					&state->gdt[LG_VIEW_KERNEL][i],
					&state->gdt[LG_VIEW_USER][i]);
	}
	if (!READ_ONCE(state->guest_ldt))
		return 0;
	seq_printf(m, "ldt %04x at %08x limit %08x\n", seg->ldt_sel,
		   seg->ldt_base, seg->ldt_limit);
	for (i = 0; i < LG_SEG_LDT_ENTRIES; i++) {
		desc = READ_ONCE(seg->ldt[i]);
		if (desc)
			show_descriptor(m, cpu, i * 8 | LG_SEL_LDT, desc,
					&state->ldt[LG_VIEW_KERNEL][i],
					&state->ldt[LG_VIEW_USER][i]);
	}
	return 0;
}

LG_LOOK_AT(gdt);

static void show_gate(struct seq_file *m, unsigned int vector, u64 gate)
{
	const char *name = lg_vector_name(vector);

	seq_printf(m, "%02x %04x:%08llx dpl %u %s %s%s%s\n", vector,
		   (u16)(gate >> 16), (gate & 0xffff) | (gate >> 32 & 0xffff0000),
		   lg_desc_dpl(gate),
		   gate & LG_DESC_PRESENT ? "present" : "absent",
		   gate & LG_DESC_SEGMENT ? "no gate" :
					    system_types[LG_DESC_TYPE(gate)],
		   name ? " " : "", name ?: "");
}

static int idt_show(struct seq_file *m, void *v)
{
	struct lg_cpu *cpu = cpu_of(m);
	struct lg_paging paging;
	unsigned int i, count;
	u32 base, limit;
	u64 *idt;

	if (!READ_ONCE(cpu->idt_in_memory)) {
		seq_puts(m, "idt by hypercalls\n");
		for (i = 0; i < LG_IDT_ENTRIES; i++) {
			if (READ_ONCE(cpu->idt[i]))
				show_gate(m, i, READ_ONCE(cpu->idt[i]));
		}
		return 0;
	}

	base = READ_ONCE(cpu->idt_base);
	limit = READ_ONCE(cpu->idt_limit);
	seq_printf(m, "idt at %08x limit %04x\n", base, limit);
	count = min_t(u32, (limit + 1) / 8, LG_IDT_ENTRIES);
	idt = kcalloc(LG_IDT_ENTRIES, sizeof(*idt), GFP_KERNEL);
	if (!idt)
		return -ENOMEM;
	lg_look_paging(cpu->lg, &paging);
	for (i = 0; i < count; i++) {
		if (lg_look_gva(cpu, &paging, (u32)(base + i * 8), &idt[i],
				sizeof(*idt)) != sizeof(*idt))
			seq_printf(m, "%02x cannot be read\n", i);
		else if (idt[i])
			show_gate(m, i, idt[i]);
	}
	kfree(idt);
	return 0;
}

LG_LOOK_AT(idt);

/* The first words of a 32-bit TSS (SDM vol. 3, figure 7-2). */
struct tss32 {
	u32 back_link;
	struct {
		u32 sp, ss;
	} level[3];
};

static int tss_show(struct seq_file *m, void *v)
{
	struct lg_cpu *cpu = cpu_of(m);
	struct lg_segments *seg = &cpu->seg;
	struct lg_paging paging;
	struct tss32 tss;
	unsigned int i;

	if (READ_ONCE(cpu->ss1))
		seq_printf(m, "by hypercall: level 1 ss %04x esp %08x\n",
			   READ_ONCE(cpu->ss1), READ_ONCE(cpu->esp1));
	if (!(seg->tr & ~3)) {
		seq_puts(m, "no task register\n");
		return 0;
	}
	seq_printf(m, "tr %04x base %08x limit %08x %s\n", seg->tr,
		   seg->tss_base, seg->tss_limit,
		   seg->tss_type == LG_TYPE_TSS16 ? "tss16" : "tss32");
	if (seg->tss_type == LG_TYPE_TSS16)
		return 0;
	lg_look_paging(cpu->lg, &paging);
	if (lg_look_gva(cpu, &paging, seg->tss_base, &tss, sizeof(tss)) !=
	    sizeof(tss)) {
		seq_puts(m, "cannot be read\n");
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(tss.level); i++)
		seq_printf(m, "level %u ss %04x esp %08x\n", i,
			   (u16)tss.level[i].ss, tss.level[i].sp);
	return 0;
}

LG_LOOK_AT(tss);

/* ---- Interrupts and time ---- */

static int interrupts_show(struct seq_file *m, void *v)
{
	struct lg_cpu *cpu = cpu_of(m);
	unsigned long pending = READ_ONCE(cpu->irqs_pending);
	u32 blocked = 0;
	unsigned int i;

	read_data(cpu, offsetof(struct lguest_data, blocked_interrupts),
		  &blocked);
	seq_printf(m, "virtual_if %u\n", virtual_if(cpu));
	seq_printf(m, "pending %08lx\n", pending);
	seq_printf(m, "blocked %08x\n", blocked);
	seq_puts(m, "line vector pending blocked delivered\n");
	for (i = 0; i < LGUEST_IRQ_LINES; i++) {
		u64 count = READ_ONCE(cpu->stats.irqs[i]);

		if (count || pending & BIT(i))
			seq_printf(m, "%4u %6x %7u %7u %9llu\n", i,
				   cpu->first_irq_vector + i,
				   !!(pending & BIT(i)), !!(blocked & BIT(i)),
				   count);
	}
	return 0;
}

LG_LOOK_AT(interrupts);

static int timer_show(struct seq_file *m, void *v)
{
	struct lg_cpu *cpu = cpu_of(m);
	bool armed = hrtimer_active(&cpu->timer);
	s64 left = ktime_to_ns(hrtimer_get_remaining(&cpu->timer));

	seq_printf(m, "armed %u\n", armed);
	seq_printf(m, "expires_in_ns %lld\n", armed ? max_t(s64, left, 0) : 0);
	seq_printf(m, "set %llu\n", READ_ONCE(cpu->stats.timer_set));
	seq_printf(m, "interrupts %llu\n", READ_ONCE(cpu->stats.irqs[0]));
	return 0;
}

LG_LOOK_AT(timer);

/* ---- What was counted ---- */

/* Microseconds with three digits behind the point. */
static void show_us(struct seq_file *m, int width, u64 ns)
{
	seq_printf(m, " %*llu.%03llu", width - 4, div_u64(ns, 1000), ns % 1000);
}

static int hypercalls_show(struct seq_file *m, void *v)
{
	struct lg_stats *s = &cpu_of(m)->stats;
	unsigned int i;

	seq_puts(m, "nr name                 count       ring    mean_us   worst_us\n");
	for (i = 0; i < LG_HYPERCALLS; i++) {
		struct lg_account *a = &s->account[LG_ACCOUNT_HYPERCALL + i];
		u64 count = READ_ONCE(a->count);
		u64 ring = READ_ONCE(s->ring_calls[i]);

		if (!count && !ring)
			continue;
		seq_printf(m, "%2u %-15s %10llu %10llu", i,
			   lg_account_name(LG_ACCOUNT_HYPERCALL + i), count,
			   ring);
		show_us(m, 10,
			lg_ticks_to_ns(div64_u64(READ_ONCE(a->ticks),
						 max_t(u64, count, 1))));
		show_us(m, 10, lg_ticks_to_ns(READ_ONCE(a->worst)));
		seq_putc(m, '\n');
	}
	return 0;
}

LG_LOOK_AT(hypercalls);

static void show_account(struct seq_file *m, const char *name, u64 count,
			 u64 ticks, u64 worst)
{
	if (!count)
		return;
	seq_printf(m, "%-20s %12llu", name, count);
	show_us(m, 16, lg_ticks_to_ns(ticks));
	show_us(m, 14, lg_ticks_to_ns(worst));
	seq_putc(m, '\n');
}

static int exits_show(struct seq_file *m, void *v)
{
	struct lg_stats *s = &cpu_of(m)->stats;
	u64 count = 0, ticks = 0, worst = 0;
	unsigned int i;

	seq_puts(m, "reason                      count         total_us       worst_us\n");
	for (i = LG_ACCOUNT_HYPERCALL; i < LG_ACCOUNTS; i++) {
		count += READ_ONCE(s->account[i].count);
		ticks += READ_ONCE(s->account[i].ticks);
		worst = max(worst, READ_ONCE(s->account[i].worst));
	}
	show_account(m, "hypercall", count, ticks, worst);
	for (i = 0; i < LG_ACCOUNT_HYPERCALL; i++) {
		u64 others = i == LGUEST_TRAP_ENTRY ? count : 0;
		u64 n = READ_ONCE(s->account[i].count);

		show_account(m, lg_account_name(i), n - min(n, others),
			     READ_ONCE(s->account[i].ticks),
			     READ_ONCE(s->account[i].worst));
	}
	return 0;
}

LG_LOOK_AT(exits);

/* ---- The last exits ---- */

/* What is open of last_exits: all that there was when it was read from 0. */
struct last_look {
	struct lg_look look;
	u64 first, end; /* numbers of exits, as lg_stats.exits counts them */
	struct lg_exit_record record[LG_LAST_EXITS];
};

/*
 * Copies what the ring has. The vCPU goes on writing; what it may have
 * overwritten meanwhile is left out. The record of exit n stands at n modulo
 * the ring's size, and exit `after` may be half written.
 */
static void copy_last_exits(struct last_look *last)
{
	struct lg_stats *s = &last->look.cpu->stats;
	u64 before, after, n;

	/* Records before it are complete; what is copied is not older. */
	before = smp_load_acquire(&s->exits);
	last->end = before;
	last->first = before > LG_LAST_EXITS ? before - LG_LAST_EXITS : 0;
	for (n = last->first; n < before; n++)
		last->record[n % LG_LAST_EXITS] = s->last[n % LG_LAST_EXITS];
	/* All was copied before `after` is read. */
	smp_rmb();
	after = READ_ONCE(s->exits);
	if (after >= LG_LAST_EXITS)
		last->first = max(last->first, after - LG_LAST_EXITS + 1);
	last->first = min(last->first, last->end);
}

static void *last_exits_start(struct seq_file *m, loff_t *pos)
{
	struct last_look *last = m->private;

	down_read(&last->look.lg->alive);
	if (last->look.lg->gone)
		return ERR_PTR(-ENODEV);
	if (!*pos) {
		copy_last_exits(last);
		return SEQ_START_TOKEN;
	}
	if (*pos > last->end - last->first)
		return NULL;
	return &last->record[(last->first + *pos - 1) % LG_LAST_EXITS];
}

static void *last_exits_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct last_look *last = m->private;

	++*pos;
	if (*pos > last->end - last->first)
		return NULL;
	return &last->record[(last->first + *pos - 1) % LG_LAST_EXITS];
}

static const char *reason_of(const struct lg_exit_record *r)
{
	if (r->vector == LGUEST_TRAP_ENTRY && !r->user)
		return "hypercall";
	return lg_account_name((lg_exit_kinds[r->vector].account - offsetof(struct lg_stats, account)) /
			       sizeof(struct lg_account));
}

static void show_detail(struct seq_file *m, const struct lg_exit_record *r)
{
	if (r->vector == LGUEST_TRAP_ENTRY)
		seq_printf(m, "%s ebx %08x",
			   lg_hypercall_name(r->ax) ?: "unknown", r->bx);
	else if (r->vector == X86_TRAP_PF)
		seq_printf(m, "address %08llx %s %s%s%s", r->address,
			   r->error & LG_PF_PRESENT ? "protection" : "absent",
			   r->error & LG_PF_WRITE ? "write" : "read",
			   r->error & LG_PF_FETCH ? " fetch" : "",
			   r->error & LG_PF_RSVD ? " reserved" : "");
	else if (lg_has_error_code(r->vector))
		seq_printf(m, "error %x", r->error);
	else if (lg_host_vector(r->vector))
		seq_printf(m, "vector %x", r->vector);
}

static int last_exits_show(struct seq_file *m, void *v)
{
	struct last_look *last = m->private;
	struct lg_exit_record *r = v, *next;
	u64 born = last->look.cpu->stats.born;
	u64 n;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "      left_us   guest_us    host_us level      eip reason detail\n");
		return 0;
	}

	/* Its number, and the one after it: who ended its time in the Host. */
	n = last->first + (r - last->record + LG_LAST_EXITS -
			   last->first % LG_LAST_EXITS) %
				  LG_LAST_EXITS;
	next = n + 1 < last->end ? &last->record[(n + 1) % LG_LAST_EXITS] :
				   NULL;

	show_us(m, 12, lg_ticks_to_ns(r->left - born));
	show_us(m, 10, lg_ticks_to_ns(max_t(s64, r->left - r->entered, 0)));
	if (next)
		show_us(m, 10,
			lg_ticks_to_ns(max_t(s64, next->entered - r->left, 0)));
	else
		seq_puts(m, "          -");
	seq_printf(m, " %-6s %08llx %s ", r->user ? "user" : "kernel", r->ip,
		   reason_of(r));
	show_detail(m, r);
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations last_exits_ops = {
	.start = last_exits_start,
	.next = last_exits_next,
	.stop = lg_look_stop,
	.show = last_exits_show,
};

static int last_exits_open(struct inode *inode, struct file *file)
{
	return lg_look_open(inode, file, &last_exits_ops,
			    sizeof(struct last_look));
}

LG_LOOK_FOPS(last_exits);

/* ---- The end ---- */

static int death_show(struct seq_file *m, void *v)
{
	struct lg_cpu *cpu = cpu_of(m);

	/* Nothing of the text changes once this is set. */
	if (!smp_load_acquire(&cpu->lg->dead))
		return 0;
	if (cpu->exit.reason == LGUEST_EXIT_SHUTDOWN)
		seq_printf(m, "shutdown %llu: ", cpu->exit.value);
	seq_printf(m, "%s%s", cpu->exit.text,
		   strchr(cpu->exit.text, '\n') ? "" : "\n");
	return 0;
}

LG_LOOK_AT(death);

const struct lg_look_file lg_look_cpu_files[] = {
	{ "regs", 0400, &regs_fops },
	{ "gdt", 0400, &gdt_fops },
	{ "idt", 0400, &idt_fops },
	{ "tss", 0400, &tss_fops },
	{ "interrupts", 0400, &interrupts_fops },
	{ "timer", 0400, &timer_fops },
	{ "hypercalls", 0400, &hypercalls_fops },
	{ "exits", 0400, &exits_fops },
	{ "last_exits", 0400, &last_exits_fops },
	{ "death", 0400, &death_fops },
	{}
};
