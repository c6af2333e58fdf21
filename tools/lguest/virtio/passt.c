// SPDX-License-Identifier: GPL-2.0
/*
 * A network card's way out without any rights: Debian's passt, a process of its
 * own that turns frames into sockets. Between it and us is a stream in which each
 * frame follows its length, four bytes in network order. It ends when we do.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util.h"
#include "virtio/net.h"

#define LENGTH sizeof(uint32_t)
#define FRAME_MAX (NET_FRAME_MAX - NET_HEADER)

extern char **environ;

struct passt {
	struct net_backend backend;
	/* Read, and not yet given on: from in_start to in_end. */
	size_t in_start, in_end;
	uint8_t in[2 * (LENGTH + FRAME_MAX)];
	/* Accepted, and not yet written. */
	size_t out_start, out_end;
	uint8_t out[LENGTH + FRAME_MAX];
};

/* Sends what is left of a frame; true if something still is. */
static bool passt_unsent(struct net_backend *backend)
{
	struct passt *p = container_of(backend, struct passt, backend);

	while (p->out_start < p->out_end) {
		ssize_t done = send(backend->fd, p->out + p->out_start,
				    p->out_end - p->out_start, MSG_NOSIGNAL);

		if (done > 0)
			p->out_start += done;
		else if (done < 0 && errno == EAGAIN)
			return true;
		else if (!done || errno != EINTR)
			p->out_start = p->out_end; /* nobody is there */
	}
	return false;
}

static int passt_send(struct net_backend *backend, struct iovec *iov,
		      unsigned int count)
{
	struct passt *p = container_of(backend, struct passt, backend);
	size_t skip = NET_HEADER, bytes = 0;
	uint32_t length;

	if (passt_unsent(backend))
		return 0;
	for (; count; count--, iov++) {
		size_t n = iov->iov_len;

		if (skip >= n) {
			skip -= n;
			continue;
		}
		if (n - skip > FRAME_MAX - bytes)
			return 1; /* no frame is that long */
		memcpy(p->out + LENGTH + bytes, (uint8_t *)iov->iov_base + skip,
		       n - skip);
		bytes += n - skip;
		skip = 0;
	}
	if (!bytes)
		return 1;
	length = htonl(bytes);
	memcpy(p->out, &length, LENGTH);
	p->out_start = 0;
	p->out_end = LENGTH + bytes;
	passt_unsent(backend);
	return 1;
}

/* Bytes of the frame that in begins with; 0: not all of it is there. */
static ssize_t next_frame(const struct passt *p)
{
	size_t there = p->in_end - p->in_start;
	uint32_t length;

	if (there < LENGTH)
		return 0;
	memcpy(&length, p->in + p->in_start, LENGTH);
	length = ntohl(length);
	if (!length || length > FRAME_MAX)
		return -1; /* it lost the thread */
	return there - LENGTH < length ? 0 : length;
}

static ssize_t passt_receive(struct net_backend *backend, uint8_t *to)
{
	struct passt *p = container_of(backend, struct passt, backend);
	ssize_t bytes = next_frame(p), got;

	if (!bytes) {
		memmove(p->in, p->in + p->in_start, p->in_end - p->in_start);
		p->in_end -= p->in_start;
		p->in_start = 0;
		got = recv(backend->fd, p->in + p->in_end,
			   sizeof(p->in) - p->in_end, 0);
		if (got <= 0)
			return got && (errno == EAGAIN || errno == EINTR) ? 0 :
									    -1;
		p->in_end += got;
		bytes = next_frame(p);
	}
	if (bytes <= 0)
		return bytes;
	memset(to, 0, NET_HEADER);
	memcpy(to + NET_HEADER, p->in + p->in_start + LENGTH, bytes);
	p->in_start += LENGTH + bytes;
	return NET_HEADER + bytes;
}

/* Starts it, and waits until it serves: then it has gone into the background. */
static int spawn(int fd, struct lguest_error *error)
{
	char number[16];
	char *argv[] = { "passt", "--quiet", "--fd", number, NULL };
	posix_spawn_file_actions_t actions;
	int err, status = -1;
	pid_t pid;

	snprintf(number, sizeof(number), "%d", fd);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
					 O_RDONLY, 0);
	err = posix_spawnp(&pid, "passt", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (err)
		return lguest_fail(error,
				   "passt: %s; try 'apt-get install passt'",
				   strerror(err));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return lguest_fail(
			error,
			"passt did not start; 'passt --foreground' says why");
	return 0;
}

struct net_backend *passt_attach(int fd, struct lguest_error *error)
{
	struct passt *p = calloc(1, sizeof(*p));

	if (!p) {
		lguest_fail(error, "passt: %s", strerror(ENOMEM));
		return NULL;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	p->backend.fd = fd;
	p->backend.send = passt_send;
	p->backend.receive = passt_receive;
	p->backend.unsent = passt_unsent;
	return &p->backend;
}

struct net_backend *passt_open(struct lguest_error *error)
{
	struct net_backend *backend = NULL;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)) {
		lguest_fail(error, "passt: %s", strerror(errno));
		return NULL;
	}
	/* Its end is its to inherit, and to make blocking or not. */
	fcntl(fds[1], F_SETFD, 0);
	if (!spawn(fds[1], error))
		backend = passt_attach(fds[0], error);
	close(fds[1]);
	if (!backend)
		close(fds[0]);
	return backend;
}
