// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/lguest: an open file is a Guest. Here a Guest is made, found by its
 * file, and unmade; what is written goes to request.c, what is read comes from
 * run.c. The file position is the number of the vCPU.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "lg.h"

static int lguest_open(struct inode *inode, struct file *file)
{
	struct lguest *lg = kvzalloc(sizeof(*lg), GFP_KERNEL_ACCOUNT);

	if (!lg)
		return -ENOMEM;
	mutex_init(&lg->lock);
	spin_lock_init(&lg->windows.lock);
	lg_events_init(lg);
	lg->cpu.lg = lg;
	lg->cpu.host_cpu = -1;
	init_waitqueue_head(&lg->cpu.wq);
	lg_look_init(lg);
	file->private_data = lg;
	return 0;
}

static int lguest_release(struct inode *inode, struct file *file)
{
	lg_guest_destroy(file->private_data);
	return 0;
}

static ssize_t lguest_write(struct file *file, const char __user *in,
			    size_t size, loff_t *off)
{
	struct lguest *lg = file->private_data;

	if (*off != 0)
		return -EINVAL;
	return lg_request(lg, &lg->cpu, in, size);
}

static ssize_t lguest_read(struct file *file, char __user *out, size_t size,
			   loff_t *off)
{
	struct lguest *lg = file->private_data;
	struct lg_cpu *cpu = &lg->cpu;
	ssize_t bytes;
	int err;

	if (*off != 0)
		return -EINVAL;
	err = lg_may_run(cpu);
	if (err)
		return err;
	if (size < sizeof(cpu->exit))
		return -EINVAL;

	err = lg_run(cpu);
	if (err)
		return err;
	bytes = offsetof(struct lguest_exit, text) + strlen(cpu->exit.text) + 1;
	if (copy_to_user(out, &cpu->exit, bytes))
		return -EFAULT;
	/* An end is told again and again; all else once. */
	if (!lg->dead) {
		cpu->exit.reason = 0;
		cpu->exit.text[0] = 0;
	}
	return bytes;
}

const struct file_operations lg_fops = {
	.owner = THIS_MODULE,
	.open = lguest_open,
	.release = lguest_release,
	.read = lguest_read,
	.write = lguest_write,
	.llseek = default_llseek,
};
