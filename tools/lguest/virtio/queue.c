// SPDX-License-Identifier: GPL-2.0
/* A split virtqueue: see queue.h. */
#include <stdatomic.h>
#include <string.h>

#include "queue.h"
#include "util.h"

/* Guest memory is read and written by others at any time: once, as a whole. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile __typeof__(x) *)&(x) = (value))

/* Alignment of the rings (virtio 1.1, 2.6). */
#define DESC_ALIGN 16
#define AVAIL_ALIGN 2
#define USED_ALIGN 4

static bool broken(struct queue *queue, const char *why)
{
	queue->broken = why;
	return false;
}

void queue_reset(struct queue *queue, uint16_t size)
{
	memset(queue, 0, sizeof(*queue));
	queue->size = size;
}

static void *ring(const struct queue *queue, uint64_t gpa, size_t size,
		  unsigned int align)
{
	return gpa % align ? NULL : lguest_memory_at(queue->memory, gpa, size);
}

bool queue_start(struct queue *queue, const struct lguest_memory *memory,
		 bool event_idx, bool indirect)
{
	unsigned int size = queue->size;

	queue->memory = memory;
	queue->event_idx = event_idx;
	queue->indirect = indirect;
	queue->next_avail = 0;
	queue->next_used = 0;
	queue->signalled = 0;
	queue->broken = NULL;

	/* Each ring has one more word behind it, for event_idx. */
	queue->desc = ring(queue, queue->desc_gpa, sizeof(*queue->desc) * size,
			   DESC_ALIGN);
	queue->avail = ring(queue, queue->avail_gpa,
			    sizeof(*queue->avail) + sizeof(uint16_t) * size +
				    sizeof(uint16_t),
			    AVAIL_ALIGN);
	queue->used =
		ring(queue, queue->used_gpa,
		     sizeof(*queue->used) + sizeof(*queue->used->ring) * size +
			     sizeof(uint16_t),
		     USED_ALIGN);
	if (!queue->desc || !queue->avail || !queue->used)
		return broken(queue, "its rings are not in memory");
	return true;
}

/* The words behind the rings. */
static const uint16_t *used_event(const struct queue *queue)
{
	return &queue->avail->ring[queue->size];
}

static uint16_t *avail_event(struct queue *queue)
{
	return (uint16_t *)&queue->used->ring[queue->size];
}

/* How many entries wait, or -1 if the index is absurd. */
static int waiting(struct queue *queue)
{
	uint16_t count = READ_ONCE(queue->avail->idx) - queue->next_avail;

	if (count > queue->size) {
		broken(queue, "its index ran away");
		return -1;
	}
	/* What the index announces was written before it. */
	atomic_thread_fence(memory_order_acquire);
	return count;
}

/* Asks the Guest to tell of the next entry, or not to. */
static void listen(struct queue *queue, bool on)
{
	uint16_t flags = on ? 0 : VRING_USED_F_NO_NOTIFY;

	if (!queue->event_idx) {
		if (queue->used->flags != flags)
			WRITE_ONCE(queue->used->flags, flags);
	} else if (on) {
		WRITE_ONCE(*avail_event(queue), queue->next_avail);
	}
}

/* A table of descriptors: the queue's own, or an indirect one. */
struct table {
	const struct vring_desc *desc;
	uint32_t size;
};

static bool open_indirect(struct queue *queue, const struct vring_desc *desc,
			  struct table *table)
{
	if (!queue->indirect)
		return broken(queue,
			      "an indirect table that was not agreed on");
	/* VRING_DESC_F_WRITE says nothing here, and is to be passed over. */
	if (desc->flags & VRING_DESC_F_NEXT)
		return broken(queue, "a buffer behind an indirect table");
	if (!desc->len || desc->len % sizeof(*table->desc))
		return broken(queue, "an indirect table of a broken length");
	table->desc = lguest_memory_at(queue->memory, desc->addr, desc->len);
	table->size = desc->len / sizeof(*table->desc);
	if (!table->desc)
		return broken(queue, "an indirect table outside memory");
	return true;
}

static bool add_buffer(struct queue *queue, struct chain *chain,
		       const struct vring_desc *desc)
{
	unsigned int n = chain->readable + chain->writable;
	void *at = lguest_memory_at(queue->memory, desc->addr, desc->len);

	if (!at)
		return broken(queue, "a buffer outside memory");
	if (n == QUEUE_MAX)
		return broken(queue, "a chain that is too long, or a loop");
	chain->iov[n] = (struct iovec){ .iov_base = at, .iov_len = desc->len };
	if (desc->flags & VRING_DESC_F_WRITE) {
		chain->writable++;
		chain->writable_bytes += desc->len;
	} else if (chain->writable) {
		return broken(queue, "a buffer to read behind one to write");
	} else {
		chain->readable++;
		chain->readable_bytes += desc->len;
	}
	return true;
}

static bool collect(struct queue *queue, struct chain *chain)
{
	struct table table = { queue->desc, queue->size };
	bool inside = false;
	uint32_t i = chain->head;
	struct vring_desc desc;

	chain->readable = 0;
	chain->writable = 0;
	chain->readable_bytes = 0;
	chain->writable_bytes = 0;
	for (;;) {
		if (i >= table.size)
			return broken(queue, "a descriptor outside its table");
		desc = READ_ONCE(table.desc[i]);
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			if (inside)
				return broken(queue, "a table in a table");
			if (!open_indirect(queue, &desc, &table))
				return false;
			inside = true;
			i = 0;
			continue;
		}
		if (!add_buffer(queue, chain, &desc))
			return false;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return true;
		i = desc.next;
	}
}

bool queue_pop(struct queue *queue, struct chain *chain)
{
	unsigned int slot = queue->next_avail & (queue->size - 1);
	int count;

	if (!queue->used || queue->broken)
		return false;
	count = waiting(queue);
	if (!count) {
		listen(queue, true);
		/* Had it come just before it could be told of? */
		atomic_thread_fence(memory_order_seq_cst);
		count = waiting(queue);
	}
	if (count <= 0)
		return false;
	listen(queue, false);
	chain->head = READ_ONCE(queue->avail->ring[slot]);
	if (!collect(queue, chain))
		return false;
	queue->next_avail++;
	return true;
}

void queue_unpop(struct queue *queue)
{
	queue->next_avail--;
}

void queue_push(struct queue *queue, uint16_t head, uint32_t written)
{
	unsigned int slot = queue->next_used & (queue->size - 1);

	WRITE_ONCE(queue->used->ring[slot].id, head);
	WRITE_ONCE(queue->used->ring[slot].len, written);
	/* The entry, and the data that it tells of, before the index. */
	atomic_thread_fence(memory_order_release);
	WRITE_ONCE(queue->used->idx, ++queue->next_used);
}

bool queue_interrupt(struct queue *queue)
{
	uint16_t before = queue->signalled;

	if (!queue->used || queue->next_used == before)
		return false;
	queue->signalled = queue->next_used;
	/* The index is there for the Guest to see before its wish is read. */
	atomic_thread_fence(memory_order_seq_cst);
	if (queue->event_idx)
		return vring_need_event(READ_ONCE(*used_event(queue)),
					queue->next_used, before);
	return !(READ_ONCE(queue->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

/* ---- Bytes of a chain ---- */

static size_t copy(const struct iovec *iov, unsigned int buffers, size_t offset,
		   uint8_t *bytes, size_t count, bool to_guest)
{
	size_t done = 0, n;
	uint8_t *at;

	for (; buffers && done < count; buffers--, iov++) {
		if (offset >= iov->iov_len) {
			offset -= iov->iov_len;
			continue;
		}
		at = (uint8_t *)iov->iov_base + offset;
		n = min(iov->iov_len - offset, count - done);
		offset = 0;
		if (to_guest)
			memcpy(at, bytes + done, n);
		else
			memcpy(bytes + done, at, n);
		done += n;
	}
	return done;
}

size_t chain_read(const struct chain *chain, size_t offset, void *to,
		  size_t count)
{
	return copy(chain->iov, chain->readable, offset, to, count, false);
}

size_t chain_write(const struct chain *chain, size_t offset, const void *from,
		   size_t count)
{
	return copy(chain->iov + chain->readable, chain->writable, offset,
		    (uint8_t *)from, count, true);
}
