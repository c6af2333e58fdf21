// SPDX-License-Identifier: GPL-2.0
/*
 * A host that is a guest of KVM's. When its CPU touches a page that this KVM has swapped out, KVM
 * may say so by an exception rather than let the whole CPU wait: a page fault in ring 3, with a
 * flag set in memory that the host gave it for that CPU (MSR_KVM_ASYNC_PF_EN). Linux lets the task
 * sleep then, until an interrupt brings the page's token. While a Guest runs, ring 3 is the Guest,
 * and its page faults come here: such a one is not the Guest's, and if its flag were left, the next
 * page fault of the host's own would be taken for it, which is a panic.
 *
 * The functions that put a task to sleep so are KVM's alone in newer kernels. But KVM may be told
 * to wait by itself, as it does for whoever never asked for these exceptions. So the first one that
 * comes while a Guest runs is the last on that CPU, until it goes off and comes back: KVM forgets
 * those that are under way, whoever of the host sleeps for one of them is woken and touches his
 * page again, and so does the Guest.
 *
 * Only world.c and world_host.c come here.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kvm_para.h>
#include <linux/percpu.h>
#include <linux/printk.h>

#include "lg.h"
#include "under_kvm.h"

/* A token that stands for all: whoever sleeps on this CPU wakes. */
#define TOKEN_OF_ALL (~0u)

DEFINE_STATIC_KEY_FALSE(lg_under_kvm);
/* What KVM writes to. Stays where it is for as long as the host lives; NULL: not known. */
DEFINE_PER_CPU(struct kvm_vcpu_pv_apf_data *, lg_kvm_area);

/**
 * lg_kvm_find_area() - a vCPU is new on this CPU
 *
 * Preemption off. Linux asks for these exceptions before a CPU has its first task, or never.
 */
void lg_kvm_find_area(void)
{
	u64 value;

	if (!static_branch_unlikely(&lg_under_kvm) || this_cpu_read(lg_kvm_area))
		return;
	if (!rdmsrq_safe(MSR_KVM_ASYNC_PF_EN, &value) && value & KVM_ASYNC_PF_ENABLED)
		this_cpu_write(lg_kvm_area, __va(value & ~63ull));
}

/**
 * lg_kvm_be_still() - no more page faults of KVM's on this CPU, after one that met a Guest
 * @area: this CPU's, whose flag is set
 *
 * Interrupts are off before, and on afterwards: the host has had the one that wakes its sleepers
 * (S8).
 *
 * Return: that interrupt's vector.
 */
unsigned int lg_kvm_be_still(struct kvm_vcpu_pv_apf_data *area)
{
	u64 vector;
	u32 token;

	WRITE_ONCE(area->flags, 0);
	rdmsrq(MSR_KVM_ASYNC_PF_INT, vector);
	vector &= KVM_ASYNC_PF_VEC_MASK;
	wrmsrq(MSR_KVM_ASYNC_PF_EN, 0);
	/* KVM writes there no more. */
	token = READ_ONCE(area->token);
	WRITE_ONCE(area->token, TOKEN_OF_ALL);
	/* Once, until the CPU goes off and comes back. */
	pr_info("KVM swaps this machine's memory: CPU %d takes no more asynchronous page faults\n",
		smp_processor_id());
	/* A token that was there has its interrupt under way, which finds the new one. */
	if (token)
		local_irq_enable();
	else
		lg_raise_host_vector(vector);
	return vector;
}

/* At module load. */
void lg_kvm_module_init(void)
{
	if (kvm_para_available())
		static_branch_enable(&lg_under_kvm);
}
