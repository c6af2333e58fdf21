// SPDX-License-Identifier: GPL-2.0
/*
 * The module and /dev/lguest: what is there from load to unload.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "host.h"

static struct dentry *lguest_debugfs;

/* No request is known yet, so every one is wrong. */
static ssize_t lguest_write(struct file *file, const char __user *in,
			    size_t size, loff_t *off)
{
	return -EINVAL;
}

static const struct file_operations lguest_fops = {
	.owner	= THIS_MODULE,
	.write	= lguest_write,
	.llseek	= noop_llseek,
};

static struct miscdevice lguest_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "lguest",
	.fops	= &lguest_fops,
	.mode	= 0600,
};

static int __init lguest_init(void)
{
	int err;

	err = lguest_host_check();
	if (err)
		return err;

	lguest_debugfs = debugfs_create_dir("lguest", NULL);

	err = misc_register(&lguest_device);
	if (err)
		debugfs_remove(lguest_debugfs);
	return err;
}

static void __exit lguest_exit(void)
{
	misc_deregister(&lguest_device);
	debugfs_remove(lguest_debugfs);
}

module_init(lguest_init);
module_exit(lguest_exit);

MODULE_DESCRIPTION("Hypervisor for Linux guests, without virtualisation hardware");
MODULE_LICENSE("GPL");
