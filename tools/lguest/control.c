// SPDX-License-Identifier: GPL-2.0
/* Commands for a running Guest: see control.h. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"
#include "verb.h"

/* How long one who connected may take to say what he wants (milliseconds). */
#define PATIENCE 2000
/* How long one who was asked may say nothing (milliseconds). */
#define SILENCE 10000
/* What is answered to one who may; the connection's end then says that it is done. */
#define ACCEPTED "accepted"

int control_name_ok(const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
			return 0;
	return i && i < CONTROL_NAME_MAX;
}

/* The length counts: a name may be the beginning of another one. */
static socklen_t make_address(struct sockaddr_un *address, const char *name)
{
	int len;

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	len = snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1, "lguest/%s", name);
	return offsetof(struct sockaddr_un, sun_path) + 1 + len;
}

int control_listen(const char *name, struct lguest_error *error)
{
	struct sockaddr_un address;
	socklen_t len = make_address(&address, name);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return lguest_fail(error, "socket: %s", strerror(errno));
	if (!bind(fd, (struct sockaddr *)&address, len) && !listen(fd, 4))
		return fd;
	lguest_fail(
		error, "--name %s: %s", name,
		errno == EADDRINUSE ?
			"a guest of that name is running; choose another name, or stop that one" :
			strerror(errno));
	close(fd);
	return -1;
}

int control_accept(int listening, char command[CONTROL_COMMAND_MAX])
{
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	socklen_t len = sizeof(struct ucred);
	struct ucred who;
	ssize_t got;

	if (fd < 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) ||
	    (who.uid && who.uid != geteuid()) || poll(&wait, 1, PATIENCE) != 1)
		goto refuse;
	got = recv(fd, command, CONTROL_COMMAND_MAX - 1, MSG_DONTWAIT);
	if (got <= 0)
		goto refuse;
	command[got] = 0;
	send(fd, ACCEPTED, strlen(ACCEPTED), MSG_NOSIGNAL | MSG_DONTWAIT);
	return fd;

refuse:
	close(fd);
	return -1;
}

static int ask(const char *name, const char *command)
{
	struct sockaddr_un address;
	socklen_t len = make_address(&address, name);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	char answer[CONTROL_COMMAND_MAX] = "";
	int status = STATUS_OK;

	if (fd < 0)
		return verb_fail(STATUS_FAILED, "socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&address, len)) {
		status = verb_fail(
			STATUS_USAGE, "%s: %s", name,
			errno == ECONNREFUSED ?
				"no guest of that name is running; 'lguest list' has those that are" :
				strerror(errno));
	} else if (send(fd, command, strlen(command), MSG_NOSIGNAL) >= 0 &&
		   !poll(&wait, 1, SILENCE)) {
		status = verb_fail(
			STATUS_FAILED,
			"%s: no answer, as of one that is suspended; it is told when it goes on",
			name);
	} else if (recv(fd, answer, sizeof(answer) - 1, 0) <= 0 || strcmp(answer, ACCEPTED)) {
		status = verb_fail(STATUS_FAILED, "%s: it belongs to another user, or has ended",
				   name);
	} else {
		recv(fd, answer, sizeof(answer), 0);
	}
	close(fd);
	return status;
}

int control_verb(int argc, char **argv, const char *command)
{
	int status = STATUS_OK, i;

	if (argc < 2)
		return verb_misused("which guest?");
	for (i = 1; i < argc; i++) {
		int one = control_name_ok(argv[i]) ?
				  ask(argv[i], command) :
				  verb_misused("'%s' is no name of a guest", argv[i]);

		if (one > status)
			status = one;
	}
	return status;
}
