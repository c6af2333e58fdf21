// SPDX-License-Identifier: GPL-2.0
/*
 * Lets an allocation fail, for the selftest of that name. A number that is written to
 * lguest_fail_nth in debugfs says which: the nth that the writing task asks for from then on, by
 * kmalloc() or by pages. What is read is how many are left until that one (so far it is
 * /proc/PID/fail-nth), and how many were left when the task last began to initialise a module.
 *
 * A kernel with CONFIG_FAULT_INJECTION counts by itself. In others the allocators ask two functions
 * whether they shall fail, which do nothing but say no.
 */
#include <linux/debugfs.h>
#include <linux/kprobes.h>
#include <linux/linkage.h>
#include <linux/module.h>
#include <linux/objtool.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

static struct task_struct *task;	/* never looked into: it may be gone */
static unsigned int at_init;		/* written by that task alone */
static struct dentry *file;

#ifdef CONFIG_FAULT_INJECTION
#define left	(current->fail_nth)
#else
static unsigned int left;		/* the same */

void lguest_fail_nth_return(void);

/* What the probed function does in the place of its own: its value is in the register already. */
asm(".pushsection .text, \"ax\"\n"
    ".type lguest_fail_nth_return, @function\n"
    "lguest_fail_nth_return:\n"
    ASM_ENDBR
    ASM_RET
    ".size lguest_fail_nth_return, .-lguest_fail_nth_return\n"
    ".popsection\n");

static int answer(struct pt_regs *regs, gfp_t gfp, long failure)
{
	if (!in_task() || current != READ_ONCE(task) || gfp & __GFP_NOFAIL || !left || --left)
		return 0;
	regs->ax = failure;
	regs->ip = (unsigned long)lguest_fail_nth_return;
	return 1;
}

/* int should_failslab(struct kmem_cache *s, gfp_t gfpflags) */
static int on_slab(struct kprobe *probe, struct pt_regs *regs)
{
	return answer(regs, (__force gfp_t)regs->si, -ENOMEM);
}

/* bool should_fail_alloc_page(gfp_t gfp_mask, unsigned int order) */
static int on_pages(struct kprobe *probe, struct pt_regs *regs)
{
	return answer(regs, (__force gfp_t)regs->di, true);
}

static struct kprobe slab = { .symbol_name = "should_failslab", .pre_handler = on_slab };
static struct kprobe pages = { .symbol_name = "should_fail_alloc_page", .pre_handler = on_pages };
#endif

static int on_initcall(struct kprobe *probe, struct pt_regs *regs)
{
	if (in_task() && current == READ_ONCE(task))
		at_init = left;
	return 0;
}

static struct kprobe initcall = { .symbol_name = "do_one_initcall", .pre_handler = on_initcall };
static struct kprobe *probes[] = {
	&initcall,
#ifndef CONFIG_FAULT_INJECTION
	&slab, &pages,
#endif
};

static ssize_t fail_nth_write(struct file *unused, const char __user *in, size_t size, loff_t *off)
{
	unsigned int n;
	int err;

	err = kstrtouint_from_user(in, size, 0, &n);
	if (err)
		return err;
	left = n;
	WRITE_ONCE(task, current);
	return size;
}

static ssize_t fail_nth_read(struct file *unused, char __user *out, size_t size, loff_t *off)
{
	char text[32];

	return simple_read_from_buffer(out, size, off, text,
				       scnprintf(text, sizeof(text), "%u %u\n", left, at_init));
}

static const struct file_operations fail_nth_fops = {
	.owner = THIS_MODULE,
	.read = fail_nth_read,
	.write = fail_nth_write,
};

static int __init fail_nth_init(void)
{
	int err;

	err = register_kprobes(probes, ARRAY_SIZE(probes));
	if (err)
		return err;
	file = debugfs_create_file("lguest_fail_nth", 0600, NULL, NULL, &fail_nth_fops);
	return 0;
}

static void __exit fail_nth_exit(void)
{
	debugfs_remove(file);
	unregister_kprobes(probes, ARRAY_SIZE(probes));
}

module_init(fail_nth_init);
module_exit(fail_nth_exit);

MODULE_DESCRIPTION("Lets allocations fail, for a selftest of lguest");
MODULE_LICENSE("GPL");
