// SPDX-License-Identifier: GPL-2.0
/*
 * Eventfds of the Launcher: those that raise an interrupt line when somebody signals them
 * (LHREQ_IRQFD), and those that are signalled when the Guest writes to an address (LHREQ_DOORBELL).
 * So a device in another task, or in the Host's kernel, works without the vCPU's task being asked.
 *
 * Each entry has a reference to its eventfd's context, so the wait queue in it stays. When the last
 * file of an eventfd is closed (EPOLLHUP), the entries that wait on it are released by a work item:
 * the wait queue's lock is held then, and releasing takes it.
 */
#include <linux/errno.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "lg.h"

/* Of each of the two sorts. */
#define MAX_ENTRIES 64

struct irqfd {
	struct list_head node;
	struct lg_cpu *cpu;
	unsigned int line;
	struct eventfd_ctx *ctx;
	wait_queue_entry_t wait;
	poll_table poll;
	bool hangup; /* under the queue's lock until the entry is off the queue */
};

struct doorbell {
	struct list_head node;
	struct eventfd_ctx *ctx;
	u64 addr;
	u8 kind, size;
};

static struct file *eventfd_file(u64 fd)
{
	struct file *file = fd > INT_MAX ? ERR_PTR(-EBADF) : eventfd_fget(fd);

	return IS_ERR(file) ? ERR_PTR(-EBADF) : file;
}

/* ---- To the Guest ---- */

/* The eventfd was signalled, or is about to go. Its lock is held, interrupts are off. */
static int on_signal(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct irqfd *irqfd = container_of(wait, struct irqfd, wait);
	__poll_t events = key_to_poll(key);
	u64 count;

	if (events & EPOLLIN) {
		eventfd_ctx_do_read(irqfd->ctx, &count);
		lg_raise_irq(irqfd->cpu, irqfd->line);
	}
	if (events & EPOLLHUP) {
		irqfd->hangup = true;
		schedule_work(&irqfd->cpu->lg->events.reap);
	}
	return 0;
}

static void on_poll(struct file *file, wait_queue_head_t *queue, poll_table *poll)
{
	add_wait_queue(queue, &container_of(poll, struct irqfd, poll)->wait);
}

/* Under events.lock. Afterwards nothing is raised any more. */
static void release_irqfd(struct lg_events *events, struct irqfd *irqfd)
{
	u64 count;

	eventfd_ctx_remove_wait_queue(irqfd->ctx, &irqfd->wait, &count);
	list_del(&irqfd->node);
	events->irqfds_count--;
	eventfd_ctx_put(irqfd->ctx);
	kfree(irqfd);
}

static void reap(struct work_struct *work)
{
	struct lg_events *events = container_of(work, struct lg_events, reap);
	struct irqfd *irqfd, *next;

	mutex_lock(&events->lock);
	list_for_each_entry_safe(irqfd, next, &events->irqfds, node) {
		if (READ_ONCE(irqfd->hangup))
			release_irqfd(events, irqfd);
	}
	mutex_unlock(&events->lock);
}

static struct irqfd *find_irqfd(struct lg_events *events, struct eventfd_ctx *ctx,
				unsigned int line)
{
	struct irqfd *irqfd;

	list_for_each_entry(irqfd, &events->irqfds, node) {
		if (irqfd->ctx == ctx && irqfd->line == line)
			return irqfd;
	}
	return NULL;
}

static int add_irqfd(struct lguest *lg, struct file *file, struct eventfd_ctx *ctx,
		     unsigned int line)
{
	struct lg_events *events = &lg->events;
	struct irqfd *irqfd;

	if (find_irqfd(events, ctx, line))
		return -EBUSY;
	if (events->irqfds_count == MAX_ENTRIES)
		return -ENOSPC;
	irqfd = kzalloc(sizeof(*irqfd), GFP_KERNEL_ACCOUNT);
	if (!irqfd)
		return -ENOMEM;
	irqfd->cpu = &lg->cpu;
	irqfd->line = line;
	irqfd->ctx = ctx;
	init_waitqueue_func_entry(&irqfd->wait, on_signal);
	init_poll_funcptr(&irqfd->poll, on_poll);
	list_add(&irqfd->node, &events->irqfds);
	events->irqfds_count++;

	/* What was signalled before is not lost. */
	if (vfs_poll(file, &irqfd->poll) & EPOLLIN)
		lg_raise_irq(irqfd->cpu, line);
	return 0;
}

/**
 * lg_irqfd_set() - LHREQ_IRQFD
 * @lg: the Guest, ready
 * @line: the interrupt line that a signal raises
 * @fd: an eventfd of the current task
 * @on: from now on, or no more
 *
 * Context: any task; sleeps.
 * Return: 0; -EINVAL, -EBADF, -EBUSY, -ESRCH, -ENOSPC as include/uapi/linux/lguest.h has them;
 * -ENOMEM.
 */
int lg_irqfd_set(struct lguest *lg, u64 line, u64 fd, bool on)
{
	struct lg_events *events = &lg->events;
	struct eventfd_ctx *ctx;
	struct irqfd *irqfd;
	struct file *file;
	int err = 0;

	if (line >= LGUEST_IRQ_LINES)
		return -EINVAL;
	file = eventfd_file(fd);
	if (IS_ERR(file))
		return PTR_ERR(file);
	ctx = eventfd_ctx_fileget(file);

	mutex_lock(&events->lock);
	if (on) {
		err = add_irqfd(lg, file, ctx, line);
		if (!err)
			ctx = NULL; /* the entry has the reference */
	} else {
		irqfd = find_irqfd(events, ctx, line);
		if (irqfd)
			release_irqfd(events, irqfd);
		else
			err = -ESRCH;
	}
	mutex_unlock(&events->lock);

	if (ctx)
		eventfd_ctx_put(ctx);
	fput(file);
	return err;
}

/* ---- From the Guest ---- */

/**
 * lg_doorbell_rings() - is this write one that an eventfd is told of?
 * @cpu: the vCPU
 * @kind: LGUEST_SPACE_MEMORY, LGUEST_SPACE_PORT
 * @addr: Guest-physical address or port, inside a window
 * @size: in bytes
 *
 * If so, it has been told. Preemption may be off.
 */
bool lg_doorbell_rings(struct lg_cpu *cpu, unsigned int kind, u64 addr, unsigned int size)
{
	struct lg_events *events = &cpu->lg->events;
	struct doorbell *bell;
	bool found = false;

	if (!READ_ONCE(events->doorbells_count))
		return false;
	spin_lock(&events->doorbells_lock);
	list_for_each_entry(bell, &events->doorbells, node) {
		if (bell->kind == kind && bell->addr == addr && bell->size == size) {
			lg_eventfd_signal(bell->ctx);
			found = true;
			break;
		}
	}
	spin_unlock(&events->doorbells_lock);
	return found;
}

static struct doorbell *find_doorbell(struct lg_events *events, unsigned int kind, u64 addr,
				      unsigned int size)
{
	struct doorbell *bell;

	list_for_each_entry(bell, &events->doorbells, node) {
		if (bell->kind == kind && bell->addr == addr && bell->size == size)
			return bell;
	}
	return NULL;
}

static int add_doorbell(struct lg_events *events, struct doorbell *new)
{
	int err = 0;

	spin_lock(&events->doorbells_lock);
	if (find_doorbell(events, new->kind, new->addr, new->size))
		err = -EEXIST;
	else if (events->doorbells_count == MAX_ENTRIES)
		err = -ENOSPC;
	if (!err) {
		list_add(&new->node, &events->doorbells);
		events->doorbells_count++;
	}
	spin_unlock(&events->doorbells_lock);
	return err;
}

/* The entry of these words, off the list; the caller's now. */
static struct doorbell *take_doorbell(struct lg_events *events, unsigned int kind, u64 addr,
				      unsigned int size, struct eventfd_ctx *ctx)
{
	struct doorbell *bell;

	spin_lock(&events->doorbells_lock);
	bell = find_doorbell(events, kind, addr, size);
	if (bell && bell->ctx != ctx)
		bell = NULL;
	if (bell) {
		list_del(&bell->node);
		events->doorbells_count--;
	}
	spin_unlock(&events->doorbells_lock);
	return bell;
}

static void free_doorbell(struct doorbell *bell)
{
	eventfd_ctx_put(bell->ctx);
	kfree(bell);
}

/**
 * lg_doorbell_set() - LHREQ_DOORBELL
 * @lg: the Guest, ready
 * @kind: LGUEST_SPACE_MEMORY, LGUEST_SPACE_PORT
 * @addr: Guest-physical address or port
 * @size: 1, 2 or 4 bytes
 * @fd: an eventfd of the current task
 * @on: from now on, or no more
 *
 * Context: any task; sleeps.
 * Return: 0; -EINVAL, -EBADF, -EEXIST, -ESRCH, -ENOSPC as include/uapi/linux/lguest.h has them;
 * -ENOMEM.
 */
int lg_doorbell_set(struct lguest *lg, u64 kind, u64 addr, u64 size, u64 fd, bool on)
{
	struct lg_events *events = &lg->events;
	struct eventfd_ctx *ctx;
	struct doorbell *bell;
	struct file *file;
	int err;

	if (kind > LGUEST_SPACE_PORT || (size != 1 && size != 2 && size != 4) ||
	    addr > U32_MAX)
		return -EINVAL;
	if (on && !lg_window_claims(&lg->cpu, kind, addr, size))
		return -EINVAL;
	file = eventfd_file(fd);
	if (IS_ERR(file))
		return PTR_ERR(file);
	ctx = eventfd_ctx_fileget(file);
	fput(file);

	if (!on) {
		bell = take_doorbell(events, kind, addr, size, ctx);
		eventfd_ctx_put(ctx);
		if (!bell)
			return -ESRCH;
		free_doorbell(bell);
		return 0;
	}

	bell = kzalloc(sizeof(*bell), GFP_KERNEL_ACCOUNT);
	if (!bell) {
		eventfd_ctx_put(ctx);
		return -ENOMEM;
	}
	*bell = (struct doorbell){ .ctx = ctx, .addr = addr, .kind = kind, .size = size };
	err = add_doorbell(events, bell);
	if (err)
		free_doorbell(bell);
	return err;
}

/* ---- Beginning and end ---- */

/**
 * lg_events_init() - no eventfd yet
 * @lg: a new Guest
 */
void lg_events_init(struct lguest *lg)
{
	struct lg_events *events = &lg->events;

	mutex_init(&events->lock);
	spin_lock_init(&events->doorbells_lock);
	INIT_LIST_HEAD(&events->irqfds);
	INIT_LIST_HEAD(&events->doorbells);
	INIT_WORK(&events->reap, reap);
}

/**
 * lg_events_destroy() - let go of all eventfds
 * @lg: a Guest that nobody can send requests to any more
 *
 * Afterwards no line is raised by an eventfd. Sleeps.
 */
void lg_events_destroy(struct lguest *lg)
{
	struct lg_events *events = &lg->events;
	struct irqfd *irqfd, *next_irqfd;
	struct doorbell *bell, *next_bell;

	mutex_lock(&events->lock);
	list_for_each_entry_safe(irqfd, next_irqfd, &events->irqfds, node)
		release_irqfd(events, irqfd);
	mutex_unlock(&events->lock);
	/* No entry is left that could schedule it. */
	cancel_work_sync(&events->reap);

	list_for_each_entry_safe(bell, next_bell, &events->doorbells, node)
		free_doorbell(bell);
}
