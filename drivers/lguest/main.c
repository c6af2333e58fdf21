// SPDX-License-Identifier: GPL-2.0
/*
 * The module: what is there from load to unload.
 */
#include <linux/debugfs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "lg.h"

struct dentry *lg_debugfs;

/*
 * One of the minors that devices.txt keeps for local use. A fixed one lets
 * depmod write modules.devname, so that the node is there before the module is,
 * and opening it loads the module.
 */
#define LGUEST_MINOR 246

static struct miscdevice lguest_device = {
	.minor = LGUEST_MINOR,
	.name = "lguest",
	.fops = &lg_fops,
	.mode = 0600,
	.groups = lg_sysfs_groups,
};

static int __init lguest_init(void)
{
	int err;

	err = lg_host_check();
	if (err)
		return err;
	lg_world_module_init();
	lg_stats_module_init();
	err = lg_shadow_module_init();
	if (err)
		return err;
	lg_debugfs = debugfs_create_dir("lguest", NULL);
	lg_shadow_debugfs();
	err = misc_register(&lguest_device);
	if (err == -EBUSY) {
		/*
		 * Somebody else's local device: then udev makes the node when
		 * the module is there.
		 */
		lguest_device.minor = MISC_DYNAMIC_MINOR;
		err = misc_register(&lguest_device);
	}
	if (err)
		goto no_device;
	return 0;

no_device:
	debugfs_remove(lg_debugfs);
	lg_shadow_module_exit();
	return err;
}

static void __exit lguest_exit(void)
{
	misc_deregister(&lguest_device);
	debugfs_remove(lg_debugfs);
	lg_shadow_module_exit();
}

module_init(lguest_init);
module_exit(lguest_exit);

MODULE_DESCRIPTION(
	"Hypervisor for Linux guests, without virtualisation hardware");
MODULE_LICENSE("GPL");
MODULE_ALIAS_MISCDEV(LGUEST_MINOR);
MODULE_ALIAS("devname:lguest");
