// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: one region of the Launcher's address space, as Guest-physical addresses.
 *
 * The only place where a gpa becomes an address of the Launcher's (guest_user()), and so the one
 * check of gpas (M6). Memory is reached by user accesses in the vCPU's own task: the Host may swap,
 * move or merge its pages at any time and the Launcher may unmap them. An access is first tried
 * with page faults off, as the vCPU may be loaded (preemption off); only if that fails the vCPU is
 * put, and the access may sleep.
 *
 * What may not enter: shadow pages, and any use of a page beyond the call that got it.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "lg.h"
#include "words.h"

bool lg_gpa_ok(const struct lguest *lg, u64 gpa, u64 len)
{
	u64 size = (u64)lg->pfn_limit << PAGE_SHIFT;

	return len <= size && gpa <= size - len;
}

/* Where gpa is for the current task, or NULL with *err set. */
static void __user *guest_user(const struct lg_cpu *cpu, u64 gpa, u64 len, int *err)
{
	const struct lguest *lg = cpu->lg;

	if (unlikely(!lg_gpa_ok(lg, gpa, len))) {
		*err = -EFAULT;
		return NULL;
	}
	/* After fork() or exec() the same number means other memory. */
	if (unlikely(current->mm != lg->mm)) {
		*err = -ENXIO;
		return NULL;
	}
	return (void __user *)(lg->base + gpa);
}

/*
 * An access that could sleep has failed: the Launcher's memory is not to be had so (-EFAULT), or the
 * Host had none to put there (-ENOMEM), which is nobody's fault: then cpu->no_memory is set, and what
 * wanted the access is done again when the vCPU is next run. A task that is being killed gets no
 * memory either.
 */
static noinline int refused(struct lg_cpu *cpu, const void __user *at, size_t len, bool write)
{
	unsigned long hva = (unsigned long)at & PAGE_MASK, end = (unsigned long)at + len;
	struct page *page;
	int got;

	for (; hva < end; hva += PAGE_SIZE) {
		got = get_user_pages_fast(hva, 1, write ? FOLL_WRITE : 0, &page);
		if (got == 1)
			put_page(page);
		else if (got != -ENOMEM && !fatal_signal_pending(current))
			return -EFAULT;
	}
	cpu->no_memory = true;
	return -ENOMEM;
}

int lg_entry_read(struct lg_cpu *cpu, u64 gpa, unsigned int size, u64 *entry)
{
	u64 __user *p8;
	u32 __user *p4;
	int err = 0;
	u32 word;

	/* Somebody who looks: the vCPU is not his to put. */
	if (unlikely(current != cpu->task)) {
		*entry = 0;
		return lg_peek_gpa(cpu->lg, gpa, entry, size);
	}

	p8 = guest_user(cpu, gpa, size, &err);
	if (unlikely(!p8))
		return err;
	p4 = (u32 __user *)p8;

	pagefault_disable();
	if (size == sizeof(u64)) {
		err = __get_user(*entry, p8);
	} else {
		err = __get_user(word, p4);
		*entry = word;
	}
	pagefault_enable();
	if (likely(!err))
		return 0;

	lg_world_put(cpu);
	if (size == sizeof(u64)) {
		err = __get_user(*entry, p8);
	} else {
		err = __get_user(word, p4);
		*entry = word;
	}
	if (likely(!err))
		return 0;
	return refused(cpu, p8, size, false) == -ENOMEM ? -ENOMEM : -ENXIO;
}

bool lg_entries_peek(struct lg_cpu *cpu, u64 gpa, unsigned int size, unsigned int count,
		     u64 *entries)
{
	bool done = false;
	u64 __user *p8;
	u32 __user *p4;
	int err = 0;
	u32 word;

	p8 = guest_user(cpu, gpa, size * count, &err);
	if (unlikely(!p8))
		return false;
	p4 = (u32 __user *)p8;

	pagefault_disable();
	if (unlikely(!user_access_begin(p8, size * count)))
		goto out;
	if (size == sizeof(u64)) {
		for (; count; count--)
			unsafe_get_user(*entries++, p8++, fault);
	} else {
		for (; count; count--) {
			unsafe_get_user(word, p4++, fault);
			*entries++ = word;
		}
	}
	done = true;
fault:
	user_access_end();
out:
	pagefault_enable();
	return done;
}

/* One try: 0, -EAGAIN (it is not `old`) or -EFAULT (not to be written without a page fault). */
static int cmpxchg_user(void __user *p, unsigned int size, u64 old, u64 new)
{
	u32 old4 = old;
	int ret;

	if (size == sizeof(u64))
		ret = __try_cmpxchg_user((u64 __user *)p, &old, new, fault8);
	else
		ret = __try_cmpxchg_user((u32 __user *)p, &old4, (u32)new, fault4);
	return ret > 0 ? -EAGAIN : ret;
}

int lg_entry_cmpxchg(struct lg_cpu *cpu, u64 gpa, unsigned int size, u64 old, u64 new)
{
	void __user *p;
	int err = 0;

	p = guest_user(cpu, gpa, size, &err);
	if (unlikely(!p))
		return err;

	pagefault_disable();
	err = cmpxchg_user(p, size, old, new);
	pagefault_enable();
	if (likely(err != -EFAULT))
		return err;

	lg_world_put(cpu);
	err = cmpxchg_user(p, size, old, new);
	if (likely(err != -EFAULT))
		return err;
	return refused(cpu, p, size, true) == -ENOMEM ? -ENOMEM : -ENXIO;
}

/*
 * What the virtual processor reads and writes is a few words of a stack, a descriptor, an
 * instruction: SMALL bytes at most, for which calling copy_from_user() would be most of the work.
 */
#define SMALL	32u

#define FOR_PIECES(type, at, len, move)					\
	for (; (at) + sizeof(type) <= (len); (at) += sizeof(type))		\
		move(*(type *)(kernel + (at)), (type __user *)(user + (at)), fault)

/* Page faults are off. False: there would be one, or memory cannot be used so. */
static __always_inline bool read_small(void *kernel, const void __user *user, size_t len)
{
	size_t at = 0;

	if (unlikely(!user_read_access_begin(user, len)))
		return false;
	FOR_PIECES(u64, at, len, unsafe_get_user);
	FOR_PIECES(u32, at, len, unsafe_get_user);
	FOR_PIECES(u8, at, len, unsafe_get_user);
	user_read_access_end();
	return true;
fault:
	user_read_access_end();
	return false;
}

static __always_inline bool write_small(void __user *user, const void *kernel, size_t len)
{
	size_t at = 0;

	if (unlikely(!user_write_access_begin(user, len)))
		return false;
	FOR_PIECES(u64, at, len, unsafe_put_user);
	FOR_PIECES(u32, at, len, unsafe_put_user);
	FOR_PIECES(u8, at, len, unsafe_put_user);
	user_write_access_end();
	return true;
fault:
	user_write_access_end();
	return false;
}

int lg_read_gpa(struct lg_cpu *cpu, u64 gpa, void *to, size_t len)
{
	void __user *from;
	unsigned long left;
	int err = 0;

	from = guest_user(cpu, gpa, len, &err);
	if (unlikely(!from))
		return -EFAULT;

	pagefault_disable();
	left = len <= SMALL ? !read_small(to, from, len) : __copy_from_user_inatomic(to, from, len);
	pagefault_enable();
	if (likely(!left))
		return 0;

	lg_world_put(cpu);
	return __copy_from_user(to, from, len) ? refused(cpu, from, len, false) : 0;
}

int lg_write_gpa(struct lg_cpu *cpu, u64 gpa, const void *from, size_t len)
{
	void __user *to;
	unsigned long left;
	int err = 0;

	to = guest_user(cpu, gpa, len, &err);
	if (unlikely(!to))
		return -EFAULT;

	pagefault_disable();
	left = len <= SMALL ? !write_small(to, from, len) : __copy_to_user_inatomic(to, from, len);
	pagefault_enable();
	if (likely(!left))
		return 0;

	lg_world_put(cpu);
	return __copy_to_user(to, from, len) ? refused(cpu, to, len, true) : 0;
}

/*
 * Walks until nobody interferes; t is what lg_walk() says. 0 or -EFAULT with cpu->fault. Launchers may
 * interfere for ever: signals are seen to, and what is at hand is done again.
 */
static int translate(struct lg_cpu *cpu, u64 gva, u32 access, struct lg_translation *t)
{
	int err;

	while ((err = lg_walk(cpu, &cpu->paging, gva, access, t, &cpu->fault)) == -EAGAIN) {
		lg_world_put(cpu);
		cond_resched();
		if (signal_pending(current)) {
			cpu->no_memory = true;
			break;
		}
	}
	return err ? -EFAULT : 0;
}

void lg_fault_unreadable(struct lg_cpu *cpu, u64 gva, u32 access)
{
	cpu->fault = (struct lg_fault){
		.vector = LG_PF_VECTOR, .has_error = true, .gva = gva,
		.error = LG_PF_PRESENT | LG_PF_RSVD | (access & (LG_PF_WRITE | LG_PF_USER)),
	};
}

/*
 * Walks are remembered until the Guest flushes anything or changes its paging, as in a TLB: then a
 * page is known for the rights that it was walked for, and accessed and dirty have been set for
 * them. A gpa stays what it is whatever the Launcher does, and so does its place in the Launcher,
 * which is read and written by user accesses each time.
 */
void lg_mem_forget(struct lg_cpu *cpu)
{
	for (unsigned int i = 0; i < LG_KNOWN; i++)
		cpu->known[i].page = 0;
}

void lg_mem_forget_gva(struct lg_cpu *cpu, u64 gva)
{
	if (lg_known_slot(cpu, gva)->page == ((gva & PAGE_MASK) | 1))
		lg_known_slot(cpu, gva)->page = 0;
}

static void remember(struct lg_cpu *cpu, u64 gva, u32 access, u64 gpa)
{
	struct lg_known *known = lg_known_slot(cpu, gva);
	int err;

	if (access & ~(LG_PF_WRITE | LG_PF_USER | LG_PF_FETCH))
		return;
	/* With CR0.WP clear the kernel may write where its users may not. */
	if (!(access & LG_PF_USER) && !(cpu->paging.cr0 & X86_CR0_WP))
		access &= ~LG_PF_WRITE;
	gpa &= PAGE_MASK;
	/* Rights of the same translation add up. */
	if (known->page == ((gva & PAGE_MASK) | 1) && known->gpa == gpa)
		access |= known->access;
	*known = (struct lg_known){
		.page = (gva & PAGE_MASK) | 1,
		.gpa = gpa,
		.at = guest_user(cpu, gpa, PAGE_SIZE, &err),
		.access = access,
	};
}

int guest_pa(struct lg_cpu *cpu, u64 gva, u32 access, u64 *gpa)
{
	const struct lg_known *known = lg_known_slot(cpu, gva);
	struct lg_translation t;
	int err;

	if (lg_is_known(known, gva, access)) {
		*gpa = known->gpa | offset_in_page(gva);
		return 0;
	}
	err = translate(cpu, gva, access, &t);
	if (err) {
		lg_mem_forget_gva(cpu, gva);
		return err;
	}
	*gpa = t.gpa;
	remember(cpu, gva, access, t.gpa);
	return 0;
}

/* Bytes from gva to the end of its page, or len. */
static size_t in_page(u64 gva, size_t len)
{
	return min_t(size_t, len, PAGE_SIZE - offset_in_page(gva));
}

/* Where [gva, gva + len) is in the Launcher, if that is known, small and on one page; or NULL. */
static __always_inline void __user *known_user(struct lg_cpu *cpu, u64 gva, size_t len, u32 access)
{
	const struct lg_known *known = lg_known_slot(cpu, gva);

	if (unlikely(!lg_is_known(known, gva, access) || !known->at || len > SMALL ||
		     offset_in_page(gva) + len > PAGE_SIZE))
		return NULL;
	return known->at + offset_in_page(gva);
}

static noinline int read_gva(struct lg_cpu *cpu, u64 gva, void *to, size_t len, u32 access)
{
	size_t part;
	u64 gpa;

	for (; len; len -= part, gva += part, to += part) {
		part = in_page(gva, len);
		if (guest_pa(cpu, gva, access, &gpa))
			return -EFAULT;
		if (lg_read_gpa(cpu, gpa, to, part)) {
			lg_fault_unreadable(cpu, gva, access);
			return -EFAULT;
		}
	}
	return 0;
}

int lg_read_gva(struct lg_cpu *cpu, u64 gva, void *to, size_t len, u32 access)
{
	const void __user *from = known_user(cpu, gva, len, access);
	bool done;

	if (likely(from)) {
		pagefault_disable();
		done = read_small(to, from, len);
		pagefault_enable();
		if (likely(done))
			return 0;
	}
	return read_gva(cpu, gva, to, len, access);
}

static noinline int write_gva(struct lg_cpu *cpu, u64 gva, const void *from, size_t len, u32 access)
{
	u64 gpa, at;
	size_t part;

	/* Nothing is written if any page faults. */
	if (in_page(gva, len) < len) {
		for (at = gva; at < gva + len; at += in_page(at, len)) {
			if (guest_pa(cpu, at, access, &gpa))
				return -EFAULT;
		}
	}

	for (; len; len -= part, gva += part, from += part) {
		part = in_page(gva, len);
		if (guest_pa(cpu, gva, access, &gpa))
			return -EFAULT;
		if (lg_write_gpa(cpu, gpa, from, part)) {
			lg_fault_unreadable(cpu, gva, access);
			return -EFAULT;
		}
	}
	return 0;
}

int lg_write_gva(struct lg_cpu *cpu, u64 gva, const void *from, size_t len, u32 access)
{
	void __user *to = known_user(cpu, gva, len, access | LG_PF_WRITE);
	bool done;

	if (likely(to)) {
		pagefault_disable();
		done = write_small(to, from, len);
		pagefault_enable();
		if (likely(done))
			return 0;
	}
	return write_gva(cpu, gva, from, len, access | LG_PF_WRITE);
}

struct page *lg_mem_page(struct lg_cpu *cpu, u64 gfn, bool write, bool *writable)
{
	unsigned long hva = cpu->lg->base + (gfn << PAGE_SHIFT);
	struct page *page;
	int got;

	if (unlikely(current->mm != cpu->lg->mm))
		return ERR_PTR(-EFAULT);

	/* These get what is mapped, and break no sharing (COW, KSM, zero page) for a read. */
	*writable = true;
	if (get_user_pages_fast_only(hva, 1, FOLL_WRITE, &page) == 1)
		return page;
	if (!write) {
		*writable = false;
		if (get_user_pages_fast_only(hva, 1, 0, &page) == 1)
			return page;
	}

	lg_world_put(cpu);
	got = get_user_pages_fast(hva, 1, write ? FOLL_WRITE : 0, &page);
	if (got == 1)
		return page;
	/* As in refused(). */
	return ERR_PTR(got == -ENOMEM || fatal_signal_pending(current) ? -ENOMEM : -EFAULT);
}

int lg_peek_gpa(struct lguest *lg, u64 gpa, void *to, size_t len)
{
	struct mm_struct *mm = lg->mm;
	int err = 0;

	if (!lg_gpa_ok(lg, gpa, len))
		return -EFAULT;
	if (!mmget_not_zero(mm))
		return -ENXIO;
	mmap_read_lock(mm);
	while (len) {
		size_t part = in_page(gpa, len);
		struct page *page;
		void *from;

		/* FORCE: also if it is only there to tell NUMA balancing who uses it. */
		if (lg_get_page_remote(mm, lg->base + gpa,
				       FOLL_NOFAULT | FOLL_FORCE, &page) != 1) {
			err = -ENXIO;
			break;
		}
		from = kmap_local_page(page);
		memcpy(to, from + offset_in_page(gpa), part);
		kunmap_local(from);
		put_page(page);
		len -= part;
		gpa += part;
		to += part;
	}
	mmap_read_unlock(mm);
	mmput(mm);
	return err;
}

bool lg_mem_contiguous(struct lg_cpu *cpu, u64 gfn)
{
	unsigned long hva = cpu->lg->base + (gfn << PAGE_SHIFT), pfn;
	struct page **page;
	int got, i;
	bool good;

	if (unlikely(current->mm != cpu->lg->mm))
		return false;
	page = kmalloc_array(LG_LARGE_PAGES, sizeof(*page), GFP_NOWAIT | __GFP_NOWARN);
	if (!page)
		return false;
	got = get_user_pages_fast_only(hva, LG_LARGE_PAGES, FOLL_WRITE, page);
	good = got == LG_LARGE_PAGES;
	if (good) {
		pfn = page_to_pfn(page[0]);
		good = pfn % LG_LARGE_PAGES == 0;
		for (i = 1; good && i < LG_LARGE_PAGES; i++)
			good = page_to_pfn(page[i]) == pfn + i;
	}
	for (i = 0; i < got; i++)
		put_page(page[i]);
	kfree(page);
	return good;
}

/* Every byte of the region is mapped, and may be written. Its pages may come later. */
static bool region_mapped(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma;

	while (start < end) {
		vma = find_vma(mm, start);
		if (!vma || vma->vm_start > start || !(vma->vm_flags & VM_WRITE))
			return false;
		start = vma->vm_end;
	}
	return true;
}

int lg_mem_init(struct lguest *lg, unsigned long base, unsigned long pages)
{
	struct mm_struct *mm = current->mm;
	unsigned long size = pages << PAGE_SHIFT;
	bool mapped;
	u8 byte;

	if (!pages || pages > LGUEST_MAX_PFN || offset_in_page(base))
		return -EINVAL;
	/* TASK_SIZE: the address space of a 32-bit Launcher ends earlier. */
	if (!access_ok((void __user *)base, size) || base + size > TASK_SIZE)
		return -EINVAL;

	mmap_read_lock(mm);
	mapped = region_mapped(mm, base, base + size);
	mmap_read_unlock(mm);
	if (!mapped || get_user(byte, (u8 __user *)base) || put_user(byte, (u8 __user *)base))
		return -EFAULT;

	mmgrab(mm);
	lg->mm = mm;
	lg->base = base;
	lg->pfn_limit = pages;
	return 0;
}

void lg_mem_destroy(struct lguest *lg)
{
	if (!lg->mm)
		return;
	mmdrop(lg->mm);
	lg->mm = NULL;
}
