/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between the kernels that lguest is built for, 6.1 to the newest,
 * for C; compat-asm.S has those of assembly. Nowhere else is LINUX_VERSION_CODE
 * asked.
 */
#ifndef _LGUEST_COMPAT_H
#define _LGUEST_COMPAT_H

#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <asm/msr.h>
#include <asm/processor.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#include <asm/cpuid/api.h>
#endif

/* MSRs of 64 bits: renamed from "l" to "q" in 6.16. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define rdmsrq(msr, value) rdmsrl(msr, value)
#define wrmsrq(msr, value) wrmsrl(msr, value)
#define rdmsrq_safe(msr, value) rdmsrl_safe(msr, value)
#endif

/* What a notifier says of young pages: an int, a bool in 7.x. */
typedef typeof(((struct mmu_notifier_ops *)NULL)->test_young(NULL, NULL, 0)) lg_young_t;

static inline void
lg_hrtimer_setup(struct hrtimer *timer,
		 enum hrtimer_restart (*function)(struct hrtimer *),
		 clockid_t clock, enum hrtimer_mode mode)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, function, clock, mode);
#else
	hrtimer_init(timer, clock, mode);
	timer->function = function;
#endif
}

/* One page of another address space, whose mmap_lock is held for reading: 1, or not. */
static inline long lg_get_page_remote(struct mm_struct *mm, unsigned long start,
				      unsigned int gup_flags, struct page **page)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	return get_user_pages_remote(mm, start, 1, gup_flags, page, NULL);
#else
	return get_user_pages_remote(mm, start, 1, gup_flags, page, NULL, NULL);
#endif
}

/* Assigns what __string() has declared in a trace event. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define LG_ASSIGN_STR(dst, src) __assign_str(dst)
#else
#define LG_ASSIGN_STR(dst, src) __assign_str(dst, src)
#endif

typedef unsigned long (*lg_shrink_fn)(struct shrinker *shrinker, struct shrink_control *sc);

/* NULL: no memory. */
static inline struct shrinker *lg_shrinker_register(const char *name, lg_shrink_fn count,
						    lg_shrink_fn scan)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	struct shrinker *shrinker = shrinker_alloc(0, "%s", name);
#else
	struct shrinker *shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);
#endif

	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->seeks = DEFAULT_SEEKS;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	shrinker_register(shrinker);
#else
	if (register_shrinker(shrinker, "%s", name)) {
		kfree(shrinker);
		return NULL;
	}
#endif
	return shrinker;
}

static inline void lg_shrinker_unregister(struct shrinker *shrinker)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	shrinker_free(shrinker);
#else
	unregister_shrinker(shrinker);
	kfree(shrinker);
#endif
}

static inline void lg_eventfd_signal(struct eventfd_ctx *ctx)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	eventfd_signal(ctx);
#else
	eventfd_signal(ctx, 1);
#endif
}

#endif /* _LGUEST_COMPAT_H */
