// SPDX-License-Identifier: GPL-2.0
/* The user's terminal: see terminal.h. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

#include "terminal.h"
#include "thread.h"
#include "util.h"

#define ESCAPE 1 /* ^A */

static struct termios original;
static bool is_terminal;
static pid_t group; /* our process group */
static atomic_bool is_raw;

/* Set up before the thread starts, and not changed after. */
static struct terminal_input *inputs;
static void (*leave)(void);
static int wake = -1; /* eventfd */

/*
 * What was typed is read ahead a little, so that ^A x is seen when nobody
 * listens; the rest waits in the terminal or pipe, and nothing is lost.
 */
#define READ_AHEAD 4096
static struct {
	pthread_mutex_t lock;
	uint8_t bytes[READ_AHEAD + TERMINAL_GIVEN_BACK_MAX];
	size_t count;
} waiting = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Why something that was written did not come to its file, if that is worth a word. */
static atomic_int lost;

/* Keeps what different devices write from mixing within one call. */
static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

void terminal_remember(void)
{
	is_terminal = !tcgetattr(STDIN_FILENO, &original);
	group = getpgrp();
}

/*
 * In the background it is somebody else's: it was given back when that began, and to change it would
 * stop us. One that is not our controlling terminal has neither.
 */
static bool is_ours(void)
{
	pid_t foreground;

	if (!is_terminal)
		return false;
	foreground = tcgetpgrp(STDIN_FILENO);
	return foreground < 0 || foreground == group;
}

void terminal_raw(void)
{
	struct termios raw = original;

	if (!is_terminal)
		return;
	cfmakeraw(&raw);
	is_raw = true;
	if (is_ours())
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

void terminal_restore(void)
{
	is_raw = false;
	if (is_ours())
		tcsetattr(STDIN_FILENO, TCSANOW, &original);
}

void terminal_continued(void)
{
	if (is_raw)
		terminal_raw();
}

void terminal_write(const void *bytes, size_t count)
{
	pthread_mutex_lock(&output);
	terminal_write_to(STDOUT_FILENO, bytes, count);
	pthread_mutex_unlock(&output);
}

void terminal_write_to(int fd, const void *bytes, size_t count)
{
	struct pollfd out = { .fd = fd, .events = POLLOUT };
	const char *next = bytes;

	while (count) {
		ssize_t done = write(fd, next, count);

		if (done >= 0) {
			next += done;
			count -= done;
		} else if (errno == EAGAIN) {
			poll(&out, 1, -1);
		} else if (errno != EINTR) {
			/* Whoever reads a pipe or has a terminal may leave. */
			if (errno != EPIPE && errno != EIO)
				lost = errno;
			break;
		}
	}
}

int terminal_lost(void)
{
	return lost;
}

void terminal_add_input(struct terminal_input *input)
{
	input->next = inputs;
	inputs = input;
}

void terminal_room(void)
{
	if (wake >= 0)
		eventfd_write(wake, 1);
}

/* Who listens, and how much it could take. */
static struct terminal_input *listener(size_t *room)
{
	struct terminal_input *input;

	for (input = inputs; input; input = input->next) {
		int got = input->room(input->owner);

		if (got >= 0) {
			*room = got;
			return input;
		}
	}
	*room = 0;
	return NULL;
}

/* Takes ^A and what follows it out of what was typed; returns what is left. */
static size_t filter(uint8_t *bytes, size_t count, bool *escaped)
{
	size_t from, to = 0;

	for (from = 0; from < count; from++) {
		uint8_t byte = bytes[from];

		if (*escaped) {
			*escaped = false;
			if (byte == 'x') {
				leave();
				continue;
			} else if (byte == 'a') {
				byte = ESCAPE;
			} else if (byte != ESCAPE) {
				static const char help[] =
					"\r\n^A x  end the guest\r\n"
					"^A a  send ^A to it\r\n";

				terminal_write(help, sizeof(help) - 1);
				continue;
			}
		} else if (byte == ESCAPE && is_terminal) {
			*escaped = true;
			continue;
		}
		bytes[to++] = byte;
	}
	return to;
}

void terminal_hold(void)
{
	pthread_mutex_lock(&waiting.lock);
}

void terminal_give_back(const uint8_t *bytes, size_t count)
{
	count = min(count, sizeof(waiting.bytes) - waiting.count);
	memmove(waiting.bytes + count, waiting.bytes, waiting.count);
	memcpy(waiting.bytes, bytes, count);
	waiting.count += count;
}

void terminal_release(void)
{
	pthread_mutex_unlock(&waiting.lock);
}

/* Gives what waits to who listens; returns how much there is still room for. */
static size_t hand_out(void)
{
	struct terminal_input *input;
	size_t room;

	pthread_mutex_lock(&waiting.lock);
	while ((input = listener(&room)) && (room = min(room, waiting.count))) {
		input->take(input->owner, waiting.bytes, room);
		waiting.count -= room;
		memmove(waiting.bytes, waiting.bytes + room, waiting.count);
	}
	room = READ_AHEAD - min(waiting.count, (size_t)READ_AHEAD);
	pthread_mutex_unlock(&waiting.lock);
	return room;
}

static void *input_thread(void *unused)
{
	static uint8_t bytes[READ_AHEAD];
	bool escaped = false, end = false;
	eventfd_t unused_count;
	ssize_t got;

	for (;;) {
		size_t room = hand_out();
		struct pollfd poll_for[] = {
			{ .fd = wake, .events = POLLIN },
			{ .fd = end || !room ? -1 : STDIN_FILENO, .events = POLLIN },
		};

		if (poll(poll_for, 2, -1) < 0)
			continue;
		if (poll_for[0].revents)
			eventfd_read(wake, &unused_count);
		if (!poll_for[1].revents)
			continue;
		got = read(STDIN_FILENO, bytes, room);
		if (got > 0) {
			got = filter(bytes, got, &escaped);
			terminal_hold();
			memcpy(waiting.bytes + waiting.count, bytes, got);
			waiting.count += got;
			terminal_release();
		} else if (!got || (errno != EINTR && errno != EAGAIN)) {
			end = true;
		}
	}
	return NULL;
}

int terminal_start(void (*on_leave)(void), struct lguest_error *error)
{
	leave = on_leave;
	wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wake < 0)
		return lguest_fail(error, "eventfd: %s", strerror(errno));
	return thread_start("terminal", input_thread, NULL, error);
}
