// SPDX-License-Identifier: GPL-2.0
/*
 * The Guest's folder in debugfs: made when it is initialised, removed before
 * anything of it goes, and the files that are about the Guest as a whole.
 * debugfs.h has the rules for readers.
 */
#include <linux/debugfs.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "debugfs.h"
#include "watch.h"

/* ---- Readers and the Guest's end ---- */

/* A Guest's number is never used again while the module is loaded. */
static atomic_t last_number;

static DEFINE_MUTEX(guests_lock);
static LIST_HEAD(guests);

void lg_look_init(struct lguest *lg)
{
	refcount_set(&lg->refs, 1);
	init_rwsem(&lg->alive);
	INIT_LIST_HEAD(&lg->guests);
	mutex_init(&lg->cpu.snapshot.lock);
	init_completion(&lg->cpu.snapshot.taken);
}

static void put_guest(struct lguest *lg)
{
	if (refcount_dec_and_test(&lg->refs))
		kvfree(lg);
}

int lg_look_begin(struct lguest *lg)
{
	down_read(&lg->alive);
	if (!lg->gone)
		return 0;
	up_read(&lg->alive);
	return -ENODEV;
}

void lg_look_end(struct lguest *lg)
{
	up_read(&lg->alive);
}

int lg_look_open(struct inode *inode, struct file *file,
		 const struct seq_operations *ops, size_t size)
{
	struct lg_cpu *cpu = inode->i_private;
	struct lg_look *look;

	/* debugfs removes no file while it is being opened. */
	look = __seq_open_private(file, ops, size);
	if (!look)
		return -ENOMEM;
	look->cpu = cpu;
	look->lg = cpu->lg;
	refcount_inc(&look->lg->refs);
	return 0;
}

int lg_look_release(struct inode *inode, struct file *file)
{
	struct lg_look *look = ((struct seq_file *)file->private_data)->private;
	struct lguest *lg = look->lg;

	seq_release_private(inode, file);
	put_guest(lg);
	return 0;
}

/* stop() is called even after start() failed, so both hold on to it here. */
void *lg_look_start(struct seq_file *m, loff_t *pos)
{
	struct lg_look *look = m->private;

	down_read(&look->lg->alive);
	if (look->lg->gone)
		return ERR_PTR(-ENODEV);
	return *pos ? NULL : SEQ_START_TOKEN;
}

void *lg_look_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return NULL;
}

void lg_look_stop(struct seq_file *m, void *v)
{
	struct lg_look *look = m->private;

	up_read(&look->lg->alive);
}

/* ---- Files of the Guest ---- */

static struct lguest *guest_of(struct seq_file *m)
{
	return ((struct lg_look *)m->private)->lg;
}

static u64 us_of(u64 ticks)
{
	return div_u64(lg_ticks_to_ns(ticks), NSEC_PER_USEC);
}

static int name_show(struct seq_file *m, void *v)
{
	struct lguest *lg = guest_of(m);

	mutex_lock(&lg->lock);
	seq_printf(m, "%s\n", lg->name);
	mutex_unlock(&lg->lock);
	return 0;
}

LG_LOOK_AT(name);

static int memory_show(struct seq_file *m, void *v)
{
	struct lguest *lg = guest_of(m);
	struct lg_shadow_size size;

	lg_shadow_get_size(lg, &size);
	seq_printf(m, "guest_bytes %llu\n", (u64)lg->pfn_limit << PAGE_SHIFT);
	seq_printf(m, "launcher_address %#lx\n", lg->base);
	seq_printf(m, "host_bytes %llu\n", lg_host_bytes(lg));
	seq_printf(m, "shadow_bytes %llu\n", size.bytes);
	seq_printf(m, "shadow_pages %u\n", size.used);
	seq_printf(m, "shadow_pages_ready %u\n", size.pages - size.used);
	seq_printf(m, "shadow_pages_max %u\n", size.max);
	return 0;
}

LG_LOOK_AT(memory);

/* What a vCPU does, in a word. */
static const char *state_of(struct lg_cpu *cpu)
{
	/* Its text is there then. */
	if (smp_load_acquire(&cpu->lg->dead))
		return cpu->exit.reason == LGUEST_EXIT_SHUTDOWN ? "shutdown" :
								  "dead";
	if (!(READ_ONCE(cpu->runs) & 1))
		return "launcher";
	if (READ_ONCE(cpu->host_cpu) >= 0)
		return "guest";
	return READ_ONCE(cpu->halted) ? "halted" : "host";
}

static int state_show(struct seq_file *m, void *v)
{
	seq_printf(m, "%s\n", state_of(&guest_of(m)->cpu));
	return 0;
}

LG_LOOK_AT(state);

static int uptime_show(struct seq_file *m, void *v)
{
	u64 us = ktime_us_delta(ktime_get(), guest_of(m)->born);

	seq_printf(m, "%llu.%06llu\n", div_u64(us, USEC_PER_SEC),
		   us % USEC_PER_SEC);
	return 0;
}

LG_LOOK_AT(uptime);

/* All numbers at once, for programs: `lguest stat` reads this one. */
static int stats_show(struct seq_file *m, void *v)
{
	struct lguest *lg = guest_of(m);
	struct lg_stats *s = &lg->cpu.stats;
	struct lg_shadow_stats shadow;
	struct lg_shadow_size size;
	u64 hypercalls = 0, ring = 0, irqs = 0, ticks = 0;
	unsigned int i;

	lg_shadow_get_size(lg, &size);
	lg_shadow_get_stats(lg, &shadow);
	for (i = LG_ACCOUNT_HYPERCALL; i < LG_ACCOUNTS; i++)
		hypercalls += READ_ONCE(s->account[i].count);
	for (i = 0; i < LG_HYPERCALLS; i++)
		ring += READ_ONCE(s->ring_calls[i]);
	for (i = 0; i < LGUEST_IRQ_LINES; i++)
		irqs += READ_ONCE(s->irqs[i]);
	for (i = 0; i < LG_ACCOUNTS; i++) {
		if (i != LG_ACCOUNT_HALTED && i != LG_ACCOUNT_LAUNCHER)
			ticks += READ_ONCE(s->account[i].ticks);
	}

	seq_printf(m, "exits %llu\n", READ_ONCE(s->exits));
	seq_printf(m, "page_faults %llu\n",
		   READ_ONCE(s->account[X86_TRAP_PF].count));
	seq_printf(m, "page_faults_reflected %llu\n", READ_ONCE(s->reflected));
	seq_printf(m, "hypercalls %llu\n", hypercalls);
	seq_printf(m, "hypercalls_ring %llu\n", ring);
	seq_printf(m, "system_calls %llu\n",
		   READ_ONCE(s->account[LG_ACCOUNT_SYSCALL].count));
	seq_printf(m, "host_interrupts %llu\n",
		   READ_ONCE(s->account[LG_ACCOUNT_HOST_IRQ].count));
	seq_printf(m, "emulated %llu\n", READ_ONCE(s->emulated));
	seq_printf(m, "interrupts %llu\n", irqs);
	seq_printf(m, "traps %llu\n", READ_ONCE(s->traps));
	seq_printf(m, "halts %llu\n",
		   READ_ONCE(s->account[LG_ACCOUNT_HALTED].count));
	seq_printf(m, "launcher_returns %llu\n",
		   READ_ONCE(s->account[LG_ACCOUNT_LAUNCHER].count));
	seq_printf(m, "shadow_fills %llu\n", shadow.fills);
	seq_printf(m, "shadow_prefills %llu\n", shadow.prefills);
	seq_printf(m, "shadow_retries %llu\n", shadow.retries);
	seq_printf(m, "shadow_zaps %llu\n", shadow.zaps);
	seq_printf(m, "shadow_pages_made %llu\n", shadow.made);
	seq_printf(m, "shadow_pages_recycled %llu\n", shadow.reused);
	seq_printf(m, "shadow_pages_compared %llu\n", shadow.syncs);
	seq_printf(m, "flushes_all %llu\n", shadow.flushes_all);
	seq_printf(m, "flushes_local %llu\n", shadow.flushes_local);
	seq_printf(m, "flushes_user %llu\n", shadow.flushes_user);
	seq_printf(m, "flushes_one %llu\n", shadow.flushes_one);
	seq_printf(m, "host_invalidations %llu\n", shadow.invalidations);
	seq_printf(m, "shadow_pages %u\n", size.used);
	seq_printf(m, "host_bytes %llu\n", lg_host_bytes(lg));
	seq_printf(m, "guest_bytes %llu\n", (u64)lg->pfn_limit << PAGE_SHIFT);
	seq_printf(m, "exit_us %llu\n", us_of(ticks));
	seq_printf(m, "halted_us %llu\n",
		   us_of(
			   READ_ONCE(s->account[LG_ACCOUNT_HALTED].ticks)));
	seq_printf(m, "launcher_us %llu\n",
		   us_of(
			   READ_ONCE(s->account[LG_ACCOUNT_LAUNCHER].ticks)));
	return 0;
}

LG_LOOK_AT(stats);

static const struct lg_look_file guest_files[] = {
	{ "name", 0400, &name_fops },
	{ "memory", 0400, &memory_fops },
	{ "state", 0400, &state_fops },
	{ "uptime", 0400, &uptime_fops },
	{ "stats", 0400, &stats_fops },
	{}
};

/* ---- Begin and end ---- */

u64 lg_host_bytes(struct lguest *lg)
{
	struct lg_shadow_size size;

	lg_shadow_get_size(lg, &size);
	return size.bytes + lg_world_bytes(&lg->cpu) + sizeof(*lg);
}

static void add_files(struct dentry *folder, struct lg_cpu *cpu,
		      const struct lg_look_file *file)
{
	/* Not debugfs's proxy: these files know themselves when it is over. */
	for (; file->name; file++)
		debugfs_create_file_unsafe(file->name, file->mode, folder, cpu,
					   file->fops);
}

/* A program may call itself anything. */
static void name_after_program(struct lguest *lg)
{
	char *c;

	strscpy(lg->name, current->comm, sizeof(lg->name));
	for (c = lg->name; *c; c++) {
		if ((u8)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
}

void lg_look_number(struct lguest *lg)
{
	lg->number = atomic_inc_return(&last_number);
	lg->pid = task_tgid_nr(current);
	lg->born = ktime_get();
	name_after_program(lg);
	lg_stats_init(&lg->cpu);
}

void lg_look_show(struct lguest *lg)
{
	struct dentry *folder;
	char name[32];

	mutex_lock(&guests_lock);
	list_add_tail(&lg->guests, &guests);
	mutex_unlock(&guests_lock);

	snprintf(name, sizeof(name), "%d-%u", lg->pid, lg->number);
	lg->debugfs = debugfs_create_dir(name, lg_debugfs);
	add_files(lg->debugfs, &lg->cpu, guest_files);
	folder = debugfs_create_dir("vcpu0", lg->debugfs);
	add_files(folder, &lg->cpu, lg_look_cpu_files);
	add_files(folder, &lg->cpu, lg_look_table_files);
}

void lg_look_hide(struct lguest *lg)
{
	debugfs_remove(lg->debugfs);

	mutex_lock(&guests_lock);
	list_del(&lg->guests);
	mutex_unlock(&guests_lock);

	down_write(&lg->alive);
	lg->gone = true;
	up_write(&lg->alive);
}

void lg_look_put(struct lguest *lg)
{
	put_guest(lg);
}

void lg_look_sum(struct lg_sum *sum)
{
	struct lguest *lg;

	*sum = (struct lg_sum){};
	mutex_lock(&guests_lock);
	list_for_each_entry(lg, &guests, guests) {
		sum->guests++;
		sum->host_bytes += lg_host_bytes(lg);
		sum->guest_bytes += (u64)lg->pfn_limit << PAGE_SHIFT;
	}
	mutex_unlock(&guests_lock);
}
