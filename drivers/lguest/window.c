// SPDX-License-Identifier: GPL-2.0
/*
 * Windows: the ports and the Guest-physical addresses outside memory that the Launcher has claimed
 * (LHREQ_WINDOW). An access that is wholly inside one goes to the Launcher; any other the Host
 * answers itself.
 */
#include <linux/errno.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "lg.h"

/*
 * The first window that ends at or after (kind, addr): the table is sorted, and nothing in it
 * overlaps.
 */
static unsigned int find(const struct lg_windows *windows, unsigned int kind, u64 addr)
{
	unsigned int low = 0, high = windows->count;

	while (low < high) {
		unsigned int mid = (low + high) / 2;
		const struct lg_window *w = &windows->window[mid];

		if (w->kind < kind || (w->kind == kind && w->last < addr))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool claims(struct lguest *lg, unsigned int kind, u64 start, u64 last)
{
	const struct lg_windows *windows = &lg->windows;
	unsigned int i = find(windows, kind, start);
	const struct lg_window *w = &windows->window[i];

	return i < windows->count && w->kind == kind && w->start <= start && last <= w->last;
}

/**
 * lg_window_claims() - does the Launcher claim this access?
 * @cpu: the vCPU
 * @kind: LGUEST_SPACE_MEMORY, LGUEST_SPACE_PORT
 * @addr: Guest-physical address or port
 * @size: in bytes
 */
bool lg_window_claims(struct lg_cpu *cpu, unsigned int kind, u64 addr, unsigned int size)
{
	struct lguest *lg = cpu->lg;
	bool found;

	spin_lock(&lg->windows.lock);
	found = claims(lg, kind, addr, addr + size - 1);
	spin_unlock(&lg->windows.lock);
	return found;
}

/* The range of a request is one that a window may have (M6). */
static int check_range(struct lguest *lg, u64 kind, u64 start, u64 size)
{
	u64 space = kind == LGUEST_SPACE_PORT ? 0x10000 : BIT_ULL(32);

	if (kind > LGUEST_SPACE_PORT || !size || start >= space || size > space - start)
		return -EINVAL;
	if (kind == LGUEST_SPACE_MEMORY && start < (u64)lg->pfn_limit << PAGE_SHIFT)
		return -EINVAL;
	return 0;
}

static int add(struct lg_windows *windows, unsigned int kind, u64 start, u64 last)
{
	unsigned int i = find(windows, kind, start);
	struct lg_window *w = &windows->window[i];

	if (i < windows->count && w->kind == kind && w->start <= last)
		return -EEXIST;
	if (windows->count == LG_WINDOWS)
		return -ENOSPC;
	memmove(w + 1, w, (windows->count - i) * sizeof(*w));
	*w = (struct lg_window){ .kind = kind, .start = start, .last = last };
	windows->count++;
	return 0;
}

static int del(struct lg_windows *windows, unsigned int kind, u64 start, u64 last)
{
	unsigned int i = find(windows, kind, start);
	struct lg_window *w = &windows->window[i];

	if (i == windows->count || w->kind != kind || w->start != start || w->last != last)
		return -ESRCH;
	windows->count--;
	memmove(w, w + 1, (windows->count - i) * sizeof(*w));
	return 0;
}

/**
 * lg_window_set() - LHREQ_WINDOW
 * @lg: the Guest, ready
 * @kind: LGUEST_SPACE_MEMORY, LGUEST_SPACE_PORT
 * @start: Guest-physical address or port
 * @size: in bytes
 * @on: the window is there from now on; or, with the same words, no more
 *
 * Context: any task.
 * Return: 0, -EINVAL, -EEXIST, -ESRCH, -ENOSPC: see include/uapi/linux/lguest.h.
 */
int lg_window_set(struct lguest *lg, u64 kind, u64 start, u64 size, bool on)
{
	int err;

	err = check_range(lg, kind, start, size);
	if (err)
		return err;
	spin_lock(&lg->windows.lock);
	err = (on ? add : del)(&lg->windows, kind, start, start + size - 1);
	spin_unlock(&lg->windows.lock);
	return err;
}
