/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A host that is a guest of KVM's: what world.c asks of under_kvm.c, and the look that is on the
 * way of each page fault.
 */
#ifndef _LGUEST_UNDER_KVM_H
#define _LGUEST_UNDER_KVM_H

#include <linux/jump_label.h>
#include <linux/percpu.h>
#include <uapi/asm/kvm_para.h>

DECLARE_STATIC_KEY_FALSE(lg_under_kvm);
DECLARE_PER_CPU(struct kvm_vcpu_pv_apf_data *, lg_kvm_area);

void lg_kvm_find_area(void);
unsigned int lg_kvm_be_still(struct kvm_vcpu_pv_apf_data *area);
void lg_kvm_module_init(void);

/*
 * After a page fault in ring 3, interrupts still off: where KVM has written that it is its own, or
 * NULL.
 */
static __always_inline struct kvm_vcpu_pv_apf_data *lg_kvm_speaks(void)
{
	struct kvm_vcpu_pv_apf_data *area;

	if (!static_branch_unlikely(&lg_under_kvm))
		return NULL;
	area = this_cpu_read(lg_kvm_area);
	return area && unlikely(READ_ONCE(area->flags)) ? area : NULL;
}

#endif /* _LGUEST_UNDER_KVM_H */
