// SPDX-License-Identifier: GPL-2.0
/*
 * Requests of the Launcher: what is written to /dev/lguest
 * (include/uapi/linux/lguest.h). The one place where its words are checked
 * (M6). A Launcher may be anyone who was given the file; so each request either
 * does what it says or does nothing.
 */
#include <linux/compat.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "watch.h"

/* Most words that any request takes, itself included. */
#define MAX_WORDS 6

struct request {
	int (*handle)(struct lguest *lg, struct lg_cpu *cpu, const u64 *arg,
		      unsigned int args);
	u8 min_args, max_args;
	bool own_task; /* only by the task that runs the vCPU */
};

/**
 * lg_may_run() - may the current task run this vCPU, and does it exist?
 * @cpu: the vCPU
 *
 * The task must still have the memory that it gave to the Guest: not so after
 * an exec().
 *
 * Return: 0, -EINVAL before INITIALIZE, -EPERM for any other task.
 */
int lg_may_run(struct lg_cpu *cpu)
{
	if (!smp_load_acquire(&cpu->lg->ready))
		return -EINVAL;
	if (current != cpu->task || current->mm != cpu->lg->mm)
		return -EPERM;
	return 0;
}

static int initialize(struct lguest *lg, struct lg_cpu *cpu, const u64 *arg,
		      unsigned int args)
{
	u64 base = arg[0], pages = arg[1], pgdir = arg[2], start = arg[3];
	int err;

	mutex_lock(&lg->lock);
	err = -EBUSY;
	if (lg->ready)
		goto out;
	err = -EINVAL;
	if (!pages || pages > LGUEST_MAX_PFN || !PAGE_ALIGNED(base) ||
	    base > ULONG_MAX - (pages << PAGE_SHIFT))
		goto out;
	if (!PAGE_ALIGNED(pgdir) || pgdir >= pages << PAGE_SHIFT ||
	    start >= pages << PAGE_SHIFT)
		goto out;

	err = lg_guest_init(lg, base, pages, pgdir, start);
	if (!err)
		smp_store_release(&lg->ready, true);
out:
	mutex_unlock(&lg->lock);
	return err;
}

static int irq(struct lguest *lg, struct lg_cpu *cpu, const u64 *arg,
	       unsigned int args)
{
	if (arg[0] >= LGUEST_IRQ_LINES)
		return -EINVAL;
	lg_raise_irq(cpu, arg[0]);
	return 0;
}

static int brk(struct lguest *lg, struct lg_cpu *cpu, const u64 *arg,
	       unsigned int args)
{
	if (arg[0] > 1)
		return -EINVAL;
	WRITE_ONCE(cpu->brk, arg[0]);
	if (arg[0])
		lg_kick(cpu);
	return 0;
}

static int getreg(struct lguest *lg, struct lg_cpu *cpu, const u64 *arg,
		  unsigned int args)
{
	u64 value;
	int err;

	err = lg_get_register(cpu, arg[0], &value);
	if (!err && cpu->no_memory)
		err = -ENOMEM;
	if (err)
		return err;
	return put_user(value, (u64 __user *)u64_to_user_ptr(arg[1]));
}

static int setreg(struct lguest *lg, struct lg_cpu *cpu, const u64 *arg,
		  unsigned int args)
{
	return lg_set_register(cpu, arg[0], arg[1]);
}

static int trap(struct lguest *lg, struct lg_cpu *cpu, const u64 *arg,
		unsigned int args)
{
	if (arg[0] >= 32)
		return -EINVAL;
	/* One at a time waits for memory; the next read() may have some. */
	if (cpu->event_waits)
		return -ENOMEM;
	/* As an NMI, it ends a HLT. */
	WRITE_ONCE(cpu->halted, false);
	lg_deliver(cpu, arg[0], lg_has_error_code(arg[0]), 0, false);
	return 0;
}

static int answer(struct lguest *lg, struct lg_cpu *cpu, const u64 *arg,
		  unsigned int args)
{
	u64 high = args > 1 ? arg[1] : 0;

	return lg_io_answer(cpu, arg[0] | high << 32);
}

static int window(struct lguest *lg, struct lg_cpu *cpu, const u64 *arg,
		  unsigned int args)
{
	if (arg[3] > 1)
		return -EINVAL;
	return lg_window_set(lg, arg[0], arg[1], arg[2], arg[3]);
}

static int irqfd(struct lguest *lg, struct lg_cpu *cpu, const u64 *arg,
		 unsigned int args)
{
	if (arg[2] > 1)
		return -EINVAL;
	return lg_irqfd_set(lg, arg[0], arg[1], arg[2]);
}

static int doorbell(struct lguest *lg, struct lg_cpu *cpu, const u64 *arg,
		    unsigned int args)
{
	if (arg[4] > 1)
		return -EINVAL;
	return lg_doorbell_set(lg, arg[0], arg[1], arg[2], arg[3], arg[4]);
}

static int name(struct lguest *lg, struct lg_cpu *cpu, const u64 *arg,
		unsigned int args)
{
	char text[LGUEST_NAME_MAX] = {};
	unsigned int i;

	if (!arg[1] || arg[1] >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, u64_to_user_ptr(arg[0]), arg[1]))
		return -EFAULT;
	for (i = 0; i < arg[1]; i++) {
		if ((u8)text[i] < ' ' || text[i] == 0x7f)
			return -EINVAL;
	}
	mutex_lock(&lg->lock);
	memcpy(lg->name, text, sizeof(text));
	mutex_unlock(&lg->lock);
	return 0;
}

static const struct request requests[] = {
	[LHREQ_INITIALIZE] = { initialize, 4, 4, false },
	[LHREQ_IRQ] = { irq, 1, 1, false },
	[LHREQ_BREAK] = { brk, 1, 1, false },
	[LHREQ_GETREG] = { getreg, 2, 2, true },
	[LHREQ_SETREG] = { setreg, 2, 2, true },
	[LHREQ_TRAP] = { trap, 1, 1, true },
	[LHREQ_ANSWER] = { answer, 1, 2, true },
	[LHREQ_WINDOW] = { window, 4, 4, false },
	[LHREQ_IRQFD] = { irqfd, 3, 3, false },
	[LHREQ_DOORBELL] = { doorbell, 5, 5, false },
	[LHREQ_NAME] = { name, 2, 2, false },
};

/*
 * Words of the writing program's size become u64; returns how many, or an
 * errno.
 */
static int read_words(const char __user *in, size_t size, u64 *words)
{
	size_t word = in_compat_syscall() ? sizeof(u32) : sizeof(u64);
	unsigned int i, n = size / word;
	u32 narrow[MAX_WORDS];

	if (!n || n > MAX_WORDS || size % word)
		return -EINVAL;
	if (copy_from_user(word == sizeof(u32) ? (void *)narrow : (void *)words,
			   in, size))
		return -EFAULT;
	for (i = 0; word == sizeof(u32) && i < n; i++)
		words[i] = narrow[i];
	return n;
}

/**
 * lg_request() - do what the Launcher wrote
 * @lg: the Guest
 * @cpu: the vCPU that the file position names
 * @in: words
 * @size: bytes of them
 *
 * Context: any task that has the file; may sleep.
 * Return: @size, or the errno that include/uapi/linux/lguest.h has for the
 * request.
 */
ssize_t lg_request(struct lguest *lg, struct lg_cpu *cpu, const char __user *in,
		   size_t size)
{
	const struct request *request;
	u64 words[MAX_WORDS];
	int n, err;

	n = read_words(in, size, words);
	if (n < 0)
		return n;
	if (words[0] >= ARRAY_SIZE(requests))
		return -EINVAL;
	request = &requests[array_index_nospec(words[0], ARRAY_SIZE(requests))];
	if (!request->handle || n - 1 < request->min_args ||
	    n - 1 > request->max_args)
		return -EINVAL;

	if (request->handle != initialize) {
		if (!smp_load_acquire(&lg->ready))
			return -EINVAL;
		if (request->own_task) {
			err = lg_may_run(cpu);
			if (err)
				return err;
		}
		if (READ_ONCE(lg->dead))
			return -ENOENT;
	}
	if (request->own_task)
		lg_watch_begin(cpu);
	err = request->handle(lg, cpu, words + 1, n - 1);
	if (request->own_task) {
		cpu->no_memory = false;
		lg_watch_end(cpu);
	}
	return err ? err : size;
}
