/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Words of the Guest's by the shortest way: for what is on the way of every system call and
 * interrupt of the Guest's, and does not need the whole of mem.c. Whoever gets no for an answer
 * here goes that way. By the vCPU's task, which is the Launcher still (lg_may_run()).
 */
#ifndef _LGUEST_WORDS_H
#define _LGUEST_WORDS_H

#include <linux/mm.h>
#include <linux/uaccess.h>

static __always_inline struct lg_known *lg_known_slot(struct lg_cpu *cpu, u64 gva)
{
	return &cpu->known[(gva >> PAGE_SHIFT) % LG_KNOWN];
}

/* Has gva been walked for these rights since the Guest last flushed? */
static __always_inline bool lg_is_known(const struct lg_known *known, u64 gva, u32 access)
{
	return known->page == ((gva & PAGE_MASK) | 1) && !(access & ~known->access);
}

typedef u32 __user *lg_words_t;

/*
 * `count` words at gva, on one page that is known for this access: false if they are not. Otherwise
 * words may be read and written, from *words on and in struct lguest_data, until lg_words_end();
 * nothing else may be called before it.
 */
static __always_inline bool lg_words_begin(struct lg_cpu *cpu, u32 gva, unsigned int count,
					   u32 access, lg_words_t *words)
{
	const struct lg_known *known = lg_known_slot(cpu, gva);
	lg_words_t at = known->at + offset_in_page(gva);

	if (unlikely(!lg_is_known(known, gva, access) || !known->at ||
		     offset_in_page(gva) > PAGE_SIZE - count * sizeof(u32)))
		return false;
	*words = at;
	pagefault_disable();
	if (likely(user_access_begin(at, count * sizeof(u32))))
		return true;
	pagefault_enable();
	return false;
}

/* After LHCALL_LGUEST_INIT: where struct lguest_data is. */
static __always_inline struct lguest_data __user *lg_data_user(struct lg_cpu *cpu)
{
	return (void __user *)(cpu->lg->base + cpu->data_gpa);
}

/* The same, for struct lguest_data only. */
static __always_inline bool lg_data_begin(struct lg_cpu *cpu)
{
	pagefault_disable();
	if (likely(user_access_begin(lg_data_user(cpu), sizeof(struct lguest_data))))
		return true;
	pagefault_enable();
	return false;
}

static __always_inline void lg_words_end(void)
{
	user_access_end();
	pagefault_enable();
}

/* One word, or to `fault`, from where lg_words_end() is to be called. */
#define lg_word_get(word, at, fault)	unsafe_get_user(word, at, fault)
#define lg_word_put(word, at, fault)	unsafe_put_user(word, at, fault)

#endif /* _LGUEST_WORDS_H */
