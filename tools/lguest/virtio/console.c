// SPDX-License-Identifier: GPL-2.0
/*
 * The console (virtio 1.1, 5.3): hvc0 in Linux, its other end the terminal. What is typed waits in
 * a small buffer until the Guest has given one of its own. Further consoles (hvc1, ...) only take
 * what the Guest writes, each to a file.
 *
 * A driver may offer buffers some time before it has a use for what comes in them: Linux throws
 * away what arrives while its probe is going on, and that tells all of its log to a new console. But
 * a driver that agreed on the terminal's size has to read it, and to hear of its changes. So a new
 * size is announced as soon as there is a driver, and all input waits until it has been read: Linux
 * does so when its probe is over.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>

#include "terminal.h"
#include "util.h"
#include "virtio/devices.h"

enum { RX, TX, QUEUES };

/* Linux has a page for each entry of RX, and is never more than one ahead in TX. */
#define ENTRIES 16

static struct console {
	struct virtio device;
	int output;			/* of a further console; the terminal has its own way */
	struct terminal_input input;
	/*
	 * What was typed, the oldest first, and its lock: device.lock is held while output waits
	 * for a terminal that takes nothing, and ^A x is to be seen then.
	 */
	pthread_mutex_t typing;
	uint8_t typed[1024];
	unsigned int count;
	atomic_bool resized;
	atomic_bool listening;		/* the driver has a use for input */
} console = { .typing = PTHREAD_MUTEX_INITIALIZER };

static void receive(struct console *c)
{
	struct queue *queue = &c->device.queue[RX];
	struct chain chain;
	bool was_full;
	size_t n;

	pthread_mutex_lock(&c->typing);
	was_full = c->count == sizeof(c->typed);
	while (c->count && c->listening && queue_pop(queue, &chain)) {
		n = chain_write(&chain, 0, c->typed, c->count);
		c->count -= n;
		memmove(c->typed, c->typed + n, c->count);
		queue_push(queue, chain.head, n);
	}
	was_full = was_full && c->count < sizeof(c->typed);
	pthread_mutex_unlock(&c->typing);
	virtio_pushed(&c->device, RX);
	if (was_full)
		terminal_room();
}

static void put(const struct console *c, const void *bytes, size_t count)
{
	if (c == &console)
		terminal_write(bytes, count);
	else
		terminal_write_to(c->output, bytes, count);
}

static void transmit(struct console *c)
{
	struct queue *queue = &c->device.queue[TX];
	struct chain chain;
	unsigned int i;

	while (queue_pop(queue, &chain)) {
		for (i = 0; i < chain.readable; i++)
			put(c, chain.iov[i].iov_base, chain.iov[i].iov_len);
		queue_push(queue, chain.head, 0);
	}
	virtio_pushed(&c->device, TX);
}

/* Columns and rows, as the terminal says; unknown is 0. */
static void take_size(struct console *c)
{
	struct winsize size = {};
	uint8_t bytes[4];

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) && c->listening)
		return;
	put_le(bytes, 2, size.ws_col);
	put_le(bytes + 2, 2, size.ws_row);
	virtio_set_config(&c->device, 0, bytes, sizeof(bytes));
}

static void notify(struct virtio *device, unsigned int queue)
{
	struct console *c = container_of(device, struct console, device);

	if (atomic_exchange(&c->resized, false))
		take_size(c);
	if (queue == RX)
		receive(c);
	else
		transmit(c);
}

static void start(struct virtio *device)
{
	struct console *c = container_of(device, struct console, device);

	if (!virtio_agreed(device, VIRTIO_CONSOLE_F_SIZE))
		c->listening = true;
	c->resized = c == &console;
	terminal_room();
}

static void stop(struct virtio *device)
{
	container_of(device, struct console, device)->listening = false;
}

static void read_config(struct virtio *device, unsigned int offset)
{
	struct console *c = container_of(device, struct console, device);

	if (offset >= offsetof(struct virtio_console_config, max_nr_ports) ||
	    atomic_exchange(&c->listening, true))
		return;
	terminal_room();
	virtio_kick(device, RX);
}

/* Something from a kernel that has no queues yet: one byte. */
static void write_config(struct virtio *device, unsigned int offset,
			 unsigned int size, uint32_t value)
{
	struct console *c = container_of(device, struct console, device);
	uint8_t byte = value;

	if (offset == offsetof(struct virtio_console_config, emerg_wr))
		put(c, &byte, 1);
}

static const struct virtio_kind kind = {
	.name = "console",
	.id = VIRTIO_ID_CONSOLE,
	.queues = QUEUES,
	.entries = ENTRIES,
	.start = start,
	.stop = stop,
	.notify = notify,
	.read_config = read_config,
	.write_config = write_config,
};

/* ---- The terminal's side, in its thread ---- */

static int room(void *owner)
{
	struct console *c = owner;
	int free;

	if (!c->device.running || !c->listening)
		return -1;
	pthread_mutex_lock(&c->typing);
	free = sizeof(c->typed) - c->count;
	pthread_mutex_unlock(&c->typing);
	return free;
}

static void take(void *owner, const uint8_t *bytes, size_t count)
{
	struct console *c = owner;

	pthread_mutex_lock(&c->typing);
	count = min(count, sizeof(c->typed) - c->count);
	memcpy(c->typed + c->count, bytes, count);
	c->count += count;
	pthread_mutex_unlock(&c->typing);
	virtio_kick(&c->device, RX);
}

void console_resized(void)
{
	console.resized = true;
	if (console.device.running)
		virtio_kick(&console.device, RX);
}

struct virtio *console_create(struct lguest_error *error)
{
	struct console *c = &console;

	c->device.kind = &kind;
	c->device.fd = -1;
	c->device.features = 1ull << VIRTIO_CONSOLE_F_SIZE |
			     1ull << VIRTIO_CONSOLE_F_EMERG_WRITE;
	c->device.config_size = sizeof(struct virtio_console_config);
	c->input = (struct terminal_input){ .owner = c,
					    .room = room,
					    .take = take };
	terminal_add_input(&c->input);
	return &c->device;
}

struct virtio *console_create_file(const char *name, struct lguest_error *error)
{
	struct console *c = calloc(1, sizeof(*c));

	if (!c) {
		lguest_fail(error, "%s", strerror(ENOMEM));
		return NULL;
	}
	c->output = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (c->output < 0) {
		lguest_fail(error, "%s: %s", name, strerror(errno));
		free(c);
		return NULL;
	}
	pthread_mutex_init(&c->typing, NULL);
	c->device.kind = &kind;
	c->device.fd = -1;
	c->device.features = 1ull << VIRTIO_CONSOLE_F_EMERG_WRITE;
	c->device.config_size = sizeof(struct virtio_console_config);
	return &c->device;
}
