// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/class/misc/lguest/: what everybody may know of this Host, one value a
 * file. The module's parameters are in /sys/module/lguest/parameters.
 */
#include <linux/device.h>
#include <linux/miscdevice.h>
#include <linux/sysfs.h>
#include <asm/cpufeature.h>

#include "lg.h"

static ssize_t abi_version_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", LGUEST_ABI_VERSION);
}
static DEVICE_ATTR_RO(abi_version);

static ssize_t guests_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	struct lg_sum sum;

	lg_look_sum(&sum);
	return sysfs_emit(buf, "%u\n", sum.guests);
}
static DEVICE_ATTR_RO(guests);

static ssize_t guest_bytes_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	struct lg_sum sum;

	lg_look_sum(&sum);
	return sysfs_emit(buf, "%llu\n", sum.guest_bytes);
}
static DEVICE_ATTR_RO(guest_bytes);

static ssize_t host_bytes_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	struct lg_sum sum;

	lg_look_sum(&sum);
	return sysfs_emit(buf, "%llu\n", sum.host_bytes);
}
static DEVICE_ATTR_RO(host_bytes);

static ssize_t max_guest_bytes_show(struct device *dev,
				    struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", (u64)LGUEST_MAX_PFN << PAGE_SHIFT);
}
static DEVICE_ATTR_RO(max_guest_bytes);

static ssize_t max_vcpus_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	return sysfs_emit(buf, "1\n");
}
static DEVICE_ATTR_RO(max_vcpus);

static ssize_t irq_lines_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	return sysfs_emit(buf, "%d\n", LGUEST_IRQ_LINES);
}
static DEVICE_ATTR_RO(irq_lines);

/* What of the processor's and the kernel's makes a difference to Guests. */
static ssize_t features_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	static const struct {
		u16 feature;
		const char *name;
	} features[] = {
		{ X86_FEATURE_PCID, "pcid" },
		{ X86_FEATURE_INVPCID, "invpcid" },
		{ X86_FEATURE_FSGSBASE, "fsgsbase" },
		{ X86_FEATURE_UMIP, "umip" },
		{ X86_FEATURE_SMAP, "smap" },
		{ X86_FEATURE_OSPKE, "pku" },
		{ X86_FEATURE_LA57, "la57" },
		{ X86_FEATURE_IBT, "ibt" },
		{ X86_FEATURE_CPUID_FAULT, "cpuid_fault" },
		{ X86_FEATURE_PTI, "pti" },
		{ X86_FEATURE_IBPB, "ibpb" },
		{ X86_FEATURE_CONSTANT_TSC, "constant_tsc" },
		{ X86_FEATURE_NONSTOP_TSC, "nonstop_tsc" },
	};
	unsigned int i;
	int len = 0;

	for (i = 0; i < ARRAY_SIZE(features); i++) {
		if (boot_cpu_has(features[i].feature))
			len += sysfs_emit_at(buf, len, "%s%s", len ? " " : "",
					     features[i].name);
	}
	return len + sysfs_emit_at(buf, len, "\n");
}
static DEVICE_ATTR_RO(features);

static struct attribute *lguest_attrs[] = {
	&dev_attr_abi_version.attr,
	&dev_attr_features.attr,
	&dev_attr_guest_bytes.attr,
	&dev_attr_guests.attr,
	&dev_attr_host_bytes.attr,
	&dev_attr_irq_lines.attr,
	&dev_attr_max_guest_bytes.attr,
	&dev_attr_max_vcpus.attr,
	NULL,
};

static const struct attribute_group lguest_group = {
	.attrs = lguest_attrs,
};

const struct attribute_group *lg_sysfs_groups[] = { &lguest_group, NULL };
